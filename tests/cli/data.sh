#!/bin/sh
# Real data, whole: the counts that other systems find, and a dump that gives the input back.
. "$(dirname "$0")/lib.sh"
data=${QUOIN_SHARED:-}/data
[ -n "${QUOIN_SHARED:-}" ] && [ -d "$data" ] || skip 'QUOIN_SHARED has no data/'

for pair in SCHEMA_QUDT:2,153 VOCAB_QUDT-CONSTANTS:5,789 VOCAB_QUDT-QUANTITY-KINDS-ALL:13,830 VOCAB_QUDT-UNITS-ALL:60,475; do
  rm -rf Q
  run 0 load --store Q "$data/qudt/${pair%:*}.ttl"
  err_has " ${pair#*:} statements read"
done
run 0 load --store D "$data/dbpedia-music.ttl.gz"
err_has ' 41,099 statements read'
run 0 load --store S "$data/schemaorg-releases.nq.zst"
err_has '^766,284 quads added'
run 0 stats --store S
out_has '^quads  *766284$'
out_has '^named graphs  *79$'
out_has '^predicates  *24$'
run 0 check --store S
run 0 dump --store S
sort out >dumped
run 0 parse "$data/schemaorg-releases.nq.zst"
sort -u out >parsed
check cmp dumped parsed
if command -v zstd >/dev/null; then
  # Lines of the file itself must come back, but for those with escapes, which the dump resolves.
  zstd -dcq --long=27 "$data/schemaorg-releases.nq.zst" | grep '^<' | grep -v '\\' | sort -u >input
  comm -23 input dumped >missing
  [ ! -s missing ]
  note $? "lines of the input are not in the dump: $(head -n 1 missing)"
fi
if [ "${QUOIN_CLI_QUERY:-1}" = 1 ]; then
  run 0 query --store S --results csv 'SELECT (COUNT(DISTINCT ?s) AS ?n) { GRAPH ?g { ?s ?p ?o } }'
  out_has '^3317'
  run 0 query --store S --results csv 'SELECT (COUNT(DISTINCT ?p) AS ?n) { GRAPH ?g { ?s ?p ?o } }'
  out_has '^24'
  run 0 query --store S --results csv 'SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { ?s ?p ?o } }'
  out_has '^79'
  run 0 query --store S --union-default-graph --results csv 'SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }'
  out_has '^3317'
fi
finish
