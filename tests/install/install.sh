#!/bin/sh
# Installs the build into a temporary prefix, and builds and runs examples/embed.c and search.c from outside: with
# pkg-config and with find_package, as C and as C++, against the shared and the static library.
# Also: each public header compiles alone, strictly, as C11, C17 and C++; libquoin exports quoin_ names only.
set -eu
source=${1:?usage: install.sh SOURCE BUILD SANITIZE}
build=${2:?}
sanitize=${3:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cc=${CC:-cc}
cxx=$(command -v "${CXX:-c++}" || true)
fail()
{
  echo "FAILED: $*"
  exit 1
}

cmake --install "$build" --prefix "$tmp/p" >"$tmp/install.log" || fail "cmake --install: $(cat "$tmp/install.log")"
pc=$(dirname "$(find "$tmp/p" -name quoin.pc)")
lib=$(dirname "$pc")
[ -x "$tmp/p/bin/quoin" ] || fail "no quoin in bin"
[ -e "$lib/libquoin.so" ] && [ -e "$lib/libquoin.a" ] || fail "a library is missing"
readelf -d "$lib/libquoin.so" | grep -q 'SONAME.*libquoin\.so\.[0-9]' || fail "no SONAME"
"$tmp/p/bin/quoin" version

# Only quoin_ names are exported.
others=$(nm -D --defined-only "$lib/libquoin.so" | awk '$2 ~ /[A-Z]/ { print $3 }' |
  grep -v -E '^quoin_|^(_init|_fini|__bss_start|_edata|_end)$|^__(asan|ubsan|tsan|odr)' || true)
[ -z "$others" ] || fail "libquoin.so exports: $others"

# Headers alone.
strict="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual -Werror"
for header in "$tmp"/p/include/quoin/*.h; do
  for std in c11 c17; do
    "$cc" -std=$std $strict -Wstrict-prototypes -I"$tmp/p/include" -fsyntax-only -x c "$header" 2>"$tmp/log" ||
      { grep -v 'pragma once' "$tmp/log"; fail "$header as $std"; }
  done
  [ -z "$cxx" ] || "$cxx" -std=c++11 $strict -I"$tmp/p/include" -fsyntax-only -x c++ "$header" ||
    fail "$header as C++"
done

# The example.
cat >"$tmp/data.ttl" <<'EOT'
@prefix ex: <http://example.org/> .
ex:a ex:knows ex:b . ex:b ex:age 42 .
EOT
number=0
try() # COMMAND...: run a built example
{
  number=$((number + 1))
  out=$("$@" "$tmp/store$number" "$tmp/data.ttl" 'SELECT ?x { ?s <http://example.org/age> ?x }') ||
    fail "$* gave $?: $out"
  case $out in
  *'?x = "42"^^<http://www.w3.org/2001/XMLSchema#integer>'*'2 quads were new'*) ;;
  *) fail "$* printed: $out" ;;
  esac
}
export PKG_CONFIG_PATH="$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" LD_LIBRARY_PATH="$lib"
cp "$source/examples/embed.c" "$tmp/embed.c"
flags=
[ -z "$sanitize" ] || flags="-fsanitize=$sanitize"
"$cc" -std=c11 $flags $strict -o "$tmp/c" "$tmp/embed.c" $(pkg-config --cflags --libs quoin) || fail "C by pkg-config"
try "$tmp/c"
"$cc" -std=c11 $flags -o "$tmp/cs" "$tmp/embed.c" $(pkg-config --cflags quoin) "$lib/libquoin.a" \
  $(pkg-config --static --libs quoin | sed 's/-lquoin//') || fail "C, static, by pkg-config"
try env -u LD_LIBRARY_PATH "$tmp/cs"
if [ -n "$cxx" ]; then
  "$cxx" -x c++ $flags -Wall -Wextra -Werror -o "$tmp/cxx" "$tmp/embed.c" $(pkg-config --cflags --libs quoin) ||
    fail "C++ by pkg-config"
  try "$tmp/cxx"
fi

# The example of vectors: twice, for what is there already is not added again.
cp "$source/examples/search.c" "$tmp/search.c"
"$cc" -std=c11 $flags $strict -o "$tmp/search" "$tmp/search.c" $(pkg-config --cflags --libs quoin) || fail "search.c as C"
for i in 1 2; do
  out=$("$tmp/search" "$tmp/colours") || fail "search gave $?: $out"
  [ "$(echo $out)" = "0.500 http://example.org/red 0.532 http://example.org/orange <http://example.org/red> <http://example.org/orange>" ] ||
    fail "search printed: $out"
done
[ -z "$cxx" ] || "$cxx" -x c++ $flags -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags quoin) "$tmp/search.c" ||
  fail "search.c as C++"

cat >"$tmp/CMakeLists.txt" <<'EOT'
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C)
find_package(quoin 0.1 REQUIRED COMPONENTS static)
add_executable(embed embed.c)
target_link_libraries(embed PRIVATE quoin::quoin)
add_executable(embed_static embed.c)
target_link_libraries(embed_static PRIVATE quoin::quoin-static)
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  configure_file(embed.c embed.cpp COPYONLY)
  add_executable(embed_cxx ${CMAKE_CURRENT_BINARY_DIR}/embed.cpp)
  target_link_libraries(embed_cxx PRIVATE quoin::quoin)
endif()
EOT
cmake -S "$tmp" -B "$tmp/b" -DCMAKE_PREFIX_PATH="$tmp/p" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" \
  -DCMAKE_CXX_FLAGS="$flags" >"$tmp/log" 2>&1 && cmake --build "$tmp/b" >>"$tmp/log" 2>&1 ||
  fail "find_package: $(tail -n 20 "$tmp/log")"
try "$tmp/b/embed"
try "$tmp/b/embed_static"
[ ! -x "$tmp/b/embed_cxx" ] || try "$tmp/b/embed_cxx"
echo "$number ways of building and running the example"
