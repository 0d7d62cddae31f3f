#!/bin/sh
# Every source file is as clang-format with .clang-format leaves it.
set -eu
cd "${1:?usage: format.sh ROOT}"
tool=$(command -v clang-format || true)
if [ -z "$tool" ]; then
  echo "skipped: clang-format is not installed"
  exit 77
fi
find base atomstore rdfio quadstore vector load sparql pool api cli include examples tests bench fuzz \
  -name '*.[ch]' -type f 2>/dev/null | sort | xargs "$tool" --dry-run --Werror
