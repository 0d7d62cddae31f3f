#!/bin/sh
# Reads every #include of ROOT and fails on an arrow that DESIGN.md section 1 does not draw:
#   cli -> include -> api -> pool -> sparql -> load -> {vector -> quadstore, rdfio} -> atomstore -> base
# Also: a module is entered by its door <module>/<module>.h alone (base/poison.h and base/sys.h are
# doors too), the public header is for api, cli, examples and tests, cli sees nothing else of ours,
# and serd, PCRE2 and xxHash each have one user.
set -eu
root=${1:?usage: arrows.sh ROOT}
cd "$root"

find base atomstore rdfio quadstore vector load sparql pool api cli include examples \
  -name '*.[ch]' -type f 2>/dev/null | sort | while read -r file; do
  sed -n 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*\([<"][^>"]*[>"]\).*|\1|p' "$file" |
    sed "s|^|$file |"
done | awk '
function allow(from, list,   n, a, i) {
  n = split(list, a, " ")
  for (i = 1; i <= n; i++) may[from, a[i]] = 1
  may[from, from] = 1
}
function wrong(why) { printf "%s includes %s: %s\n", file, $2, why; bad = 1 }
BEGIN {
  allow("base", "")
  allow("atomstore", "base")
  allow("rdfio", "atomstore base")
  allow("quadstore", "atomstore base")
  allow("vector", "quadstore atomstore base")
  allow("load", "vector quadstore rdfio atomstore base")
  allow("sparql", "load vector quadstore rdfio atomstore base")
  allow("pool", "sparql load vector quadstore rdfio atomstore base")
  allow("api", "pool sparql load vector quadstore rdfio atomstore base")
  allow("cli", ""); allow("include", ""); allow("examples", "")
  split("base atomstore rdfio quadstore vector load sparql pool api cli tests bench", names, " ")
  for (i in names) module[names[i]] = 1
  sole["serd"] = "rdfio"; sole["pcre2"] = "sparql"; sole["xxhash"] = "base"; sole["xxh3"] = "base"
}
{
  file = $1
  split(file, path, "/"); from = path[1]
  what = substr($2, 2, length($2) - 2)
  n = split(what, parts, "/"); to = parts[1]
  files++
  if (to == "quoin") {
    if (what == "quoin/types.h") next
    if (what == "quoin/quoin.h" && (from == "api" || from == "cli" || from == "examples")) next
    wrong("the public header is for api, cli and examples")
  } else if (n > 1 && to in module) {
    if (!((from, to) in may)) { wrong("no arrow " from " -> " to); next }
    if (from != to && what != to "/" to ".h" && what != "base/poison.h" && what != "base/sys.h")
      wrong("the door of " to " is " to "/" to ".h")
  } else if (substr($2, 1, 1) == "\"" && n == 1) {
    wrong("name our headers by their folder")
  } else if (match(what, /^(serd|pcre2|xxhash|xxh3)/)) {
    library = substr(what, RSTART, RLENGTH)
    if (sole[library] != from) wrong(library " is for " sole[library] " alone")
  }
}
END {
  if (!files) { print "no #include was found"; bad = 1 }
  exit bad
}'
