#!/bin/sh
# Proves that arrows.sh fires: each planted violation must be reported, and a clean tree must not.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

plant() # FILE INCLUDE
{
  rm -rf "$tmp/tree"
  mkdir -p "$tmp/tree/base" "$tmp/tree/$(dirname "$1")"
  echo '#include <stdio.h>' >"$tmp/tree/base/clean.c"
  echo "#include $2" >"$tmp/tree/$1"
}
must_fire()
{
  plant "$1" "$2"
  if "$here/arrows.sh" "$tmp/tree" >"$tmp/out"; then
    echo "not reported: $1 includes $2"
    exit 1
  fi
  grep -q "^$1 includes" "$tmp/out" || { echo "reported otherwise: $(cat "$tmp/out")"; exit 1; }
}
must_pass()
{
  plant "$1" "$2"
  "$here/arrows.sh" "$tmp/tree" || { echo "wrongly reported: $1 includes $2"; exit 1; }
}

must_fire base/x.c '"atomstore/atomstore.h"'
must_fire atomstore/x.h '"rdfio/rdfio.h"'
must_fire rdfio/x.c '"quadstore/quadstore.h"'
must_fire quadstore/x.c '"vector/vector.h"'
must_fire sparql/x.c '"api/handle.h"'
must_fire sparql/x.c '"quadstore/run.h"'
must_fire sparql/deep/x.c '"pool/pool.h"'
must_fire sparql/x.c '<quoin/quoin.h>'
must_fire cli/x.c '"base/base.h"'
must_fire examples/x.c '"api/handle.h"'
must_fire include/quoin/x.h '"base/base.h"'
must_fire load/x.c '"packet.h"'
must_fire sparql/x.c '<serd/serd.h>'
must_fire rdfio/x.c '<pcre2.h>'
must_fire quadstore/x.c '<xxhash.h>'
must_pass load/x.c '"quadstore/quadstore.h"'
must_pass rdfio/x.c '<serd/serd.h>'
must_pass rdfio/x.c '"base/poison.h"'
must_pass cli/x.c '<quoin/quoin.h>'
must_pass api/x.c '"api/handle.h"'
