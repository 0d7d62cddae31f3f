#!/bin/sh
# quoin shell, through a pipe and on a terminal: where requests end, PREFIX kept, commands, failures.
. "$(dirname "$0")/lib.sh"

# shell STATUS: the lines of standard input to a shell over S.
shell()
{
  want=$1
  shift
  got=0
  "$quoin" shell --store S "$@" >out 2>err || got=$?
  [ "$got" = "$want" ]
  note $? "quoin shell $* gave $got, not $want"
}
run 0 create --store S

# Updates and queries, ended by ; or an empty line or the end; PREFIX holds on.
shell 0 --results csv <<'EOF'
PREFIX ex: <http://example.org/>
INSERT DATA { ex:a ex:p 1 ; ex:q "semi;colon" .
  ex:b ex:p 2
} ;
SELECT ?s
WHERE { ?s ex:p ?o }
ORDER BY ?s

# a comment ;
SELECT (COUNT(*) AS ?n) { ?s ?p ?o } ; # three
ASK { <http://example.org/a> ex:q "semi;colon" }
EOF
err_empty
out_has 'http://example.org/b'
out_has '^3'

# Strings and IRIs within which ; and brackets do not count; < as an operator.
shell 0 --results csv <<'EOF'
PREFIX ex: <http://example.org/>
SELECT ?v { BIND("""a {
;
""" AS ?v) } ;
SELECT ?o { ?s ex:p ?o FILTER(?o<2 && 1>0) } ;
SELECT ?v { BIND(<http://example.org/(;> AS ?v) }

SELECT ?o { ?s ex:p ?o FILTER(?o = 2) }
EOF
err_empty
out_has '^1'
out_has '^2'

# Commands.
shell 0 <<'EOF'
.results tsv
.names
BASE <http://example.org/>
PREFIX : <x/>
.names
SELECT ?o { <b> ?p ?o } ;
.timing on
SELECT ?o { <b> ?p ?o } ;
.timing off
.explain on
SELECT ?o { <b> ?p ?o } ;
.explain off
.help
.quit
SELECT nothing of this is read
EOF
out_has '^PREFIX vec: <urn:x-quoin:vec#>'
out_has '^BASE <http://example.org/>'
out_has '^PREFIX : <x/>'
out_has '^2$'
out_has 'scan'
out_has '^  .quit'
err_has '^1 rows, '

# A pipe is read to its first failure, which has the place in the request as it was typed.
shell 1 <<'EOF'
PREFIX ex: <http://example.org/>
SELECT ?s {
  ?s ex:p }
;
INSERT DATA { ex:never ex:p 0 }
EOF
err_has '^request:2:11: error:'
shell 2 <<'EOF'
.no such thing
EOF
err_has 'no command of the shell'
shell 2 --results nt <<'EOF'
SELECT * { ?s ?p ?o }
EOF
shell 0 --results csv <<'EOF'
ASK { ?s ?p 0 }
EOF
out_has 'false'
shell 4 --timeout 0.05 <<'EOF'
SELECT (SUM(?a1 + ?i1) AS ?n) { ?sa ?pa ?a1 . ?sb ?pb ?b1 . ?sc ?pc ?c1 . ?sd ?pd ?d1 . ?se ?pe ?e1 . ?sf ?pf ?f1 . ?sg ?pg ?g1 . ?sh ?ph ?h1 . ?si ?pi ?i1 . ?sj ?pj ?j1 . ?sk ?pk ?k1 . ?sl ?pl ?l1 . ?sm ?pm ?m1 . ?sn ?pn ?n1 . ?so ?po ?o1 . ?sp ?pp ?p1 . ?sq ?pq ?q1 . ?sr ?pr ?r1 . ?ss ?ps ?s1 . ?st ?pt ?t1 . }
EOF
shell 0 </dev/null
out_empty
run 1 shell --store NONE </dev/null

# While somebody else writes the shell reads, and sees what is new.
mkfifo pipe1 pipe2
"$quoin" shell --store S --results csv <pipe1 >out1 2>err1 &
first=$!
exec 3>pipe1
echo 'INSERT DATA { <http://e/1> <http://e/p> 1 } ;' >&3
echo 'SELECT ("ready" AS ?r) {} ;' >&3
for i in $(seq 100); do grep -q ready out1 && break; sleep 0.1; done
"$quoin" shell --store S --results csv <pipe2 >out2 2>err2 &
second=$!
exec 4>pipe2
echo 'SELECT (COUNT(*) AS ?n) { ?s <http://e/p> ?o } ;' >&4
for i in $(seq 100); do grep -q '^1' out2 && break; sleep 0.1; done
echo 'INSERT DATA { <http://e/2> <http://e/p> 2 } ;' >&3
echo 'SELECT ("again" AS ?r) {} ;' >&3
for i in $(seq 100); do grep -q again out1 && break; sleep 0.1; done
echo 'SELECT (COUNT(*) AS ?n) { ?s <http://e/p> ?o } ;' >&4
echo 'INSERT DATA { <http://e/3> <http://e/p> 3 } ;' >&4
exec 4>&-
code=0
wait $second || code=$?
exec 3>&-
check wait $first
cp out2 out
cp err2 err
check test "$code" = 1
err_has 'only reads'
out_has '^2'

# On a terminal a failure is no end.
if command -v script >/dev/null; then
  printf 'SELECT wrong ;\nSELECT (6*7 AS ?x) {} ;\n.quit\n' |
    script -qec "'$quoin' shell --store S --results csv" /dev/null >out 2>err
  out_has '42'
  out_has 'error'
fi
finish
