#!/bin/sh
# quoin update: operations, all or nothing, LOAD and what it may read, errors, exit statuses.
. "$(dirname "$0")/lib.sh"
pre='PREFIX : <http://x/>'
dump_is() { run 0 dump --store S; out_is "$1"; }

run 1 update --store S "$pre INSERT DATA { :a :p 1 }" # no store, and none is made
[ ! -e S ]; note $? 'a store was made'
run 0 create --store S
run 0 update --store S "$pre INSERT DATA { :a :p :b . GRAPH :g { :a :p :c } }"
err_has '^2 quads added, 0 removed'
out_empty
run 0 update --store S "$pre DELETE { ?s :p ?o } INSERT { ?s :q ?o } WHERE { ?s :p ?o }"
err_has '^1 quads added, 1 removed'
dump_is '<http://x/a> <http://x/q> <http://x/b> .
<http://x/a> <http://x/p> <http://x/c> <http://x/g> .'

# All or nothing; the place of the operation that failed.
printf '%s\n' "$pre" 'CLEAR ALL ;' 'INSERT DATA { :n :n :n } ;' 'COPY :none TO :g' >u.ru
run 1 update --store S --update-file u.ru
err_has '^u.ru:4:1: error: there is no graph <http://x/none>'
run 1 update --store S "$pre CREATE GRAPH :g"
err_has '^update:1:22: error: .*exists already'
run 0 update --store S "$pre CREATE SILENT GRAPH :g ; COPY SILENT :none TO :g"
dump_is '<http://x/a> <http://x/q> <http://x/b> .
<http://x/a> <http://x/p> <http://x/c> <http://x/g> .'
run 0 update --store S --update-file - <<'EOT'
MOVE <http://x/g> TO DEFAULT
EOT
dump_is '<http://x/a> <http://x/p> <http://x/c> .'

# The union of all graphs as default graph of WHERE.
run 0 update --store S "$pre CLEAR ALL; INSERT DATA { GRAPH :g { :a :p 1 } }"
run 0 update --store S "$pre INSERT { :x :y ?o } WHERE { :a :p ?o }"
err_has '^0 quads added'
run 0 update --store S --union-default-graph "$pre INSERT { :x :y ?o } WHERE { :a :p ?o }"
err_has '^1 quads added'

# LOAD.
mkdir -p in/deep away
echo '<http://x/s> <http://x/p> "in" .' >in/deep/a.nt
echo '<http://x/s> <http://x/p> "out" .' >away/a.nt
echo '<rel> <http://x/p> 1 .' >in/b.ttl
printf '<http://x/s> <http://x/p> "good" .\nbad\n' >in/bad.nt
cp in/b.ttl in/name
ln -s ../away/a.nt in/link.nt
here=$(pwd -P)
run 0 update --store S 'CLEAR ALL'
run 2 update --store S "LOAD <file://$here/in/deep/a.nt>"
err_has 'allow-load'
run 2 update --store S --allow-load in "LOAD <file://$here/away/a.nt>"
err_has 'not below'
run 2 update --store S --allow-load in "LOAD <file://$here/in/link.nt>"
err_has 'not below'
run 2 update --store S --allow-load in "LOAD <file://$here/in/deep/%2E%2e/../away/a.nt>"
run 1 update --store S --allow-load in "LOAD <http://localhost/a.nt>"
err_has 'only file: IRIs'
run 1 update --store S --allow-load in "LOAD <file://$here/in/none.nt>"
run 1 update --store S --allow-load in "LOAD <file://$here/in/name>"
run 1 update --store S --allow-load in "INSERT DATA { <s:> <p:> 1 } ; LOAD <file://$here/in/bad.nt>"
err_has 'bad.nt:2:1: error:'
run 0 update --store S --allow-load in "LOAD SILENT <file://$here/in/bad.nt> ; LOAD SILENT <http://x/>"
dump_is ''
run 0 update --store S --allow-load in --base "file://$here/in/" "LOAD <deep/a.nt> ; LOAD <b.ttl> INTO GRAPH <http://x/g>"
err_has '^2 quads added'
dump_is "<http://x/s> <http://x/p> \"in\" .
<file://$here/in/rel> <http://x/p> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> <http://x/g> ."

# A large file alone goes through the bulk loader, with the same outcome.
i=0
while [ $i -lt 600 ]; do
  echo "<http://x/s$i> <http://x/p> \"$(printf %015000d $i)\" ."
  i=$((i + 1))
done >in/big.nt
run 0 update --store S --allow-load in "LOAD <file://$here/in/big.nt> INTO GRAPH <http://x/big>"
err_has '^600 quads added, 0 removed'
run 0 update --store S 'DROP GRAPH <http://x/big>'
err_has '^0 quads added, 600 removed'

# What is not well formed, and limits.
run 1 update --store S 'INSERT DATA { <s:> <p:> ?x }'
err_has '^update:1:25: error:'
run 2 update --store S
run 0 update --check "$pre DELETE WHERE { ?s ?p 'old' }"
run 4 update --store S --timeout 0.05 "$pre INSERT { ?a :p ?b } WHERE { { SELECT (COUNT(*) AS ?n) {
  VALUES ?a {0 1 2 3 4 5 6 7 8 9} VALUES ?b {0 1 2 3 4 5 6 7 8 9} VALUES ?c {0 1 2 3 4 5 6 7 8 9}
  VALUES ?d {0 1 2 3 4 5 6 7 8 9} VALUES ?e {0 1 2 3 4 5 6 7 8 9} VALUES ?f {0 1 2 3 4 5 6 7 8 9}
  VALUES ?g {0 1 2 3 4 5 6 7 8 9} VALUES ?h {0 1 2 3 4 5 6 7 8 9} VALUES ?i {0 1 2 3 4 5 6 7 8 9}
  FILTER(STRLEN(CONCAT(STR(?a), STR(?b), STR(?c), STR(?d), STR(?e), STR(?f), STR(?g), STR(?h), STR(?i))) = 5) } } }"
run 0 check --store S
finish
