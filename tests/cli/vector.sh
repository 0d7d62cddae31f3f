#!/bin/sh
# quoin vector: declaring, importing from every kind of file, embedding, searching, checking; the
# example; vec: in queries without a declaration, and where errors are.
. "$(dirname "$0")/lib.sh"
on='--store S --on http://x/v'

run 0 create --store S
run 1 vector search $on '[1,2]'
err_has 'no vector index is declared'
run 0 vector create $on --dimension 2 --metric l2
run 1 vector create $on --dimension 3
err_has "vec:dimension is said once, found '2' and '3'"
run 2 vector create $on
run 2 vector frobnicate $on
run 2 vector import $on
run 0 vector list --store S --results csv
out_has '^http://x/v,2,urn:x-quoin:vec#l2Metric,urn:x-quoin:vec#f32Code,16,200,,0,0,'

# JSON lines, TSV, .fvecs with terms.
printf '{"term":"http://x/a","vector":[1, 0]}\n{"embedding": [0,1], "x": {"y": [1]}, "id": "http://x/\\u0062"}\n' >v.jsonl
run 0 vector import $on v.jsonl
err_has '^2 vectors read, 2 of them new'
printf 'http://x/c\t[3,4]\n_:n\t5 6\n' >v.tsv
run 0 vector import $on v.tsv
printf '\002\000\000\000\000\000\200\077\000\000\200\077' >v.fvecs
printf 'http://x/d\n' >d.txt
run 0 vector import $on --terms d.txt v.fvecs
printf '{"term":"http://x/e","vector":[1]}\n' >bad.jsonl
run 1 vector import $on bad.jsonl
err_has '^bad.jsonl:1: error: found 1 numbers, expected 2'
printf 'x\t1 2\n' >bad.tsv
run 1 vector import $on bad.tsv
err_has '^bad.tsv:1: error: expected an absolute IRI or a blank node'
run 2 vector import $on v.fvecs
run 0 vector search $on --k 3 --results csv '[1,0]'
out_is "$(printf 'item,distance\r\nhttp://x/a,0.0E0\r\nhttp://x/d,1.0E0\r\nhttp://x/b,1.4142135623730951E0\r\n')"
run 0 vector search $on --k 1 --results csv http://x/c
out_has '^http://x/c,0.0E0'
run 1 vector search $on '[1,2,3]'

# vec: is known; a position is that of the text as it was given.
run 0 query --store S --results csv 'SELECT ?s { (?s ?d) vec:nearest (<http://x/v> "[3,4]"^^vec:f32 1) }'
out_has '^http://x/c'
run 1 query --store S 'SELECT ?s { (?s ?d) vec:nearest (<http://x/none> "[3,4]"^^vec:f32 1) }'
err_has '^query:1:21: error: no vector index'
run 0 query --store S --explain 'SELECT ?s { (?s ?d) vec:nearest (<http://x/v> "[3,4]"^^vec:f32 1) }'
out_has 'nearest ?s ?d over <http://x/v>, k 1'
run 1 update --store S 'INSERT DATA { <http://x/z> <http://x/v> "[1,2,3]"^^vec:f32 }'
err_has 'has another dimension'

# An index that the load declares itself, after its vectors and in another file: the place is told.
f32='^^<urn:x-quoin:vec#f32>'
printf '<http://x/a> <http://x/w> "[1,2]"%s .\n\n<http://x/b> <http://x/w> "[1]"%s .\n' $f32 $f32 >w.nt
printf '@prefix vec: <urn:x-quoin:vec#> . <urn:x-quoin:system> { <http://x/w> a vec:Index ; vec:dimension 2 }' >w.trig
run 1 load --store W w.nt w.trig
err_has '^w.nt:3:27: error: the vector of <http://x/b> has another dimension'
run 0 load --store W --lenient w.nt w.trig
err_has '^w.nt:3:27: warning: skipped: the vector of <http://x/b> has another dimension'
err_has '^3 quads added, 3 statements read, 1 skipped'
{ cat w.trig && printf '\n<http://x/b> <http://x/w> "[0,0]"%s .\n' $f32; } >both.trig
run 1 load --store W2 --format trig - <both.trig
err_has '^standard input:2:27: error: the vector of <http://x/b> is zero'
run 0 load --store W2 --format trig --lenient - <both.trig
err_has '1 skipped'

# A program that makes vectors: what has one is passed over.
printf '#!/bin/sh\nwhile read -r line; do echo "[${#line}, 1]"; done\n' >model
chmod +x model
run 0 update --store S 'INSERT DATA { <http://x/p> <http://x/label> "four" . <http://x/q> <http://x/label> "three!" }'
for new in 2 0; do
  run 0 vector embed $on --predicate http://x/label --embed-command ./model
  err_has "^$new vectors made"
done
run 0 vector search $on --k 1 --results csv --embed-command ./model sixsix
out_has '^http://x/q,0.0E0'
run 0 query --store S --results csv --embed-command ./model \
  'SELECT ?s { BIND(vec:embed(<http://x/v>, "four") AS ?q) (?s ?d) vec:nearest (<http://x/v> ?q 1) }'
out_has '^http://x/p'
run 1 query --store S 'SELECT (vec:embed(<http://x/v>, "four") AS ?q) {}'
err_has 'no embedder'
run 1 vector embed $on --predicate http://x/other --embed-command false
run 0 vector check $on --sample 3 --repair
out_has '^recall@10    1.0000'
out_has '^unreachable  0'

# A damaged graph: named by check, searched around, made again by whoever writes.
printf 'XXXXXXXX' | dd of="$(echo S/graph-*)" bs=1 conv=notrunc 2>/dev/null
run 5 check --store S
err_has 'graph-[0-9]*-[0-9]*.*damaged'
run 0 query --store S --results csv 'SELECT ?s { (?s ?d) vec:nearest (<http://x/v> "[3,4]"^^vec:f32 1) }'
out_has '^http://x/c'
run 0 vector check $on --repair
run 0 check --store S
rm S/graph-*
run 0 stats --store S
out_has '^graph file damaged'
err_has 'warning: .*graph-'
run 0 vector search $on --k 1 --results csv http://x/c
out_has '^http://x/c,0.0E0'
run 0 vector check $on
run 0 check --store S
run 0 stats --store S --results json
out_has '"graphDamaged":0'

# The system graph is dumped last, or not at all; dropping an index keeps the vectors.
run 0 dump --store S
tail -n 1 out | grep -q 'urn:x-quoin:system'; note $? 'the system graph is not last'
run 0 dump --store S --no-system --format nt
grep -q 'urn:x-quoin:system' out && note 1 'the system graph is there' || note 0 ''
run 0 vector drop $on
run 1 vector search $on '[1,0]'
run 0 query --store S --results csv 'SELECT (COUNT(*) AS ?n) { ?s <http://x/v> ?v }'
out_has '^7'

"$QUOIN_SOURCE/examples/semantic-search/run.sh" "$quoin" "$tmp/E" >out 2>err
note $? 'the example failed'
out_has 'schema:Restaurant\|schema.org/Restaurant'
# The README's commands and its table of answers.
cd "$QUOIN_SOURCE" || exit
sed -n 's/^    quoin \(load\|vector create\|vector import\) *--store S\(.*schemaorg.*\|.*--dimension 384\)$/\1 --store S\2/p' README.md >"$tmp/commands"
while read -r line; do
  # shellcheck disable=SC2086
  "$quoin" $(echo "$line" | sed "s|--store S|--store $tmp/README|") >"$tmp/out" 2>"$tmp/err"
  note $? "README: $line"
done <"$tmp/commands"
[ "$(wc -l <"$tmp/commands")" = 3 ]
note $? 'the README has other commands'
# Each query stands before the table of its answer.
awk -v to="$tmp/README" '/^```sparql/ { n++; query = 1; next } /^```/ { query = 0 }
  query { print >(to n ".rq") }
  n && /^    [a-z]* *[|] distance/ { table = 1 } !/^    / { table = 0 }
  table { sub(/^    /, ""); sub(/ *$/, ""); print >(to n ".expected") }' README.md
cd "$tmp" || exit
for n in 1 2 3; do
  run 0 query --store README --results table --query-file README$n.rq
  grep -v '^(' out | sed 's/ *$//' >found
  check cmp README$n.expected found
done
[ ! -e README4.rq ]
note $? 'the README has another query'
finish
