#!/bin/sh
# quoin query and update: formats, defaults, checks, limits, errors with positions.
. "$(dirname "$0")/lib.sh"

cat >a.trig <<'EOT'
@prefix ex: <http://example.org/> .
ex:a ex:p 1, "two"@en ; ex:q ex:b .
ex:g { ex:a ex:p 3 . }
EOT
run 0 load --store S a.trig
pre='PREFIX ex: <http://example.org/>'

# Formats; JSON is the default where there is no terminal.
run 0 query --store S "$pre SELECT ?x { ex:a ex:q ?x }"
out_has '"vars"'
cp out default
err_empty
run 0 query --store S --results json "$pre SELECT ?x { ex:a ex:q ?x }"
check cmp default out
run 0 query --store S --results csv "$pre SELECT ?x { ex:a ex:q ?x }"
out_has '^http://example.org/b'
run 0 query --store S --results tsv "$pre SELECT ?x { ex:a ex:q ?x }"
out_has '^<http://example.org/b>'
run 0 query --store S --results xml "$pre SELECT ?x { ex:a ex:q ?x }"
out_has '<uri>http://example.org/b</uri>'
run 0 query --store S --results table "$pre SELECT ?x { ex:a ex:q ?x }"
out_has 'x'
run 0 query --store S "$pre ASK { ex:a ex:q ex:b }"
out_has 'true'
run 0 query --store S "$pre CONSTRUCT { ?x ex:r ?s } { ?s ex:q ?x }"
out_is '<http://example.org/b> <http://example.org/r> <http://example.org/a> .'
run 0 query --store S --results ttl "$pre CONSTRUCT { ?x ex:r ?s } { ?s ex:q ?x }"
run 2 query --store S --results nt "$pre SELECT ?x { ex:a ex:q ?x }"
out_empty
run 2 query --store S --results csv "$pre CONSTRUCT WHERE { ?s ?p ?o }"
out_empty

# Graphs.
run 0 query --store S --results csv "$pre SELECT (COUNT(*) AS ?n) { ex:a ex:p ?x }"
out_has '^2'
run 0 query --store S --union-default-graph --results csv "$pre SELECT (COUNT(*) AS ?n) { ex:a ex:p ?x }"
out_has '^3'

# The text from a file and from standard input.
echo "$pre ASK { ex:a ex:q ex:b }" >q.rq
run 0 query --store S --query-file q.rq
out_has 'true'
run 0 query --store S --query-file - <q.rq
out_has 'true'
run 2 query --store S
run 2 query --store S --query-file q.rq 'ASK {}'
run 1 query --store S --query-file missing.rq

# Syntax only: no store needed, positions in errors.
run 0 query --check 'SELECT * { ?s ?p ?o }'
out_empty
run 1 query --check 'SELECT * { ?s ?p }'
err_has '^query:1:[0-9]*: error: .*expected'
printf 'SELECT *\n{ ?s ?p ?o\n' >bad.rq
run 1 query --check --query-file bad.rq
err_has '^bad.rq:[23]:[0-9]*: error:'
run 0 query --check --base http://b/ 'ASK { <rel> ?p ?o }'
run 0 update --check 'INSERT DATA { <s:> <p:> 1 }'
run 1 update --check 'INSERT DATA { <s:> <p:> ?x }'

# Plans.
run 0 query --store S --explain "$pre SELECT ?x { ex:a ex:q ?x }"
[ -s out ]; note $? 'no plan'
run 0 query --store S --analyze "$pre SELECT ?x { ex:a ex:q ?x }"
[ -s out ]; note $? 'no measured plan'

# Limits and the clock: exit 4, and output that shows that it is cut.
run 4 query --store S --max-rows 1 "$pre SELECT ?x { ex:a ex:p ?x }"
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "<http://e/s%d> <http://e/p> \"%d\" .\n", i, i }' >many.nt
run 0 load --store M many.nt
run 4 query --store M --timeout 0.2 'SELECT (COUNT(*) AS ?n) { ?a ?p ?b . ?c ?p ?d . ?e ?p ?f FILTER(STR(?b) < STR(?d) || STR(?d) < STR(?f)) }'
err_has 'error:'
"$quoin" query --store M 'SELECT (COUNT(*) AS ?n) { ?a ?p ?b . ?c ?p ?d . ?e ?p ?f FILTER(STR(?b) < STR(?d) || STR(?d) < STR(?f)) }' >out 2>err &
query=$!
sleep 0.3
kill -TERM $query
wait $query
got=$?
[ $got = 143 ]; note $? "a query stopped by SIGTERM gave $got, not 143"
finish
