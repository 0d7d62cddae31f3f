#!/bin/sh
# pool: named stores, and the commands that reach them by name.
. "$(dirname "$0")/lib.sh"
echo '<http://e.org/s> <http://e.org/p> "one" .' >one.nq
echo '<http://e.org/s> <http://e.org/p> "two" .' >two.nq
ask='SELECT ?o { ?s ?p ?o }'

run 1 pool list --pool P
err_has 'no pool'
run 0 pool create --pool P live
run 0 pool create --pool P next
run 1 pool create --pool P next
err_has 'already'
run 0 pool list --pool P
out_has '^\* live	'
out_has '^  next	'
run 0 load --pool P one.nq
run 0 load --pool P --name next two.nq
run 0 query --pool P --results tsv "$ask"
out_has '"one"'
run 0 pool switch --pool P live next
run 0 query --pool P --results tsv "$ask"
out_has '"two"'
run 0 pool activate --pool P next
run 0 dump --pool P
out_has '"one"'
run 0 update --pool P --name live 'INSERT DATA { <http://e.org/s> <http://e.org/p> "three" }'
run 0 stats --pool P --name live
out_has '^quads  *2$'
run 0 check --pool P --name live
run 0 compact --pool P --name live
run 0 pool clear --pool P live
run 0 dump --pool P --name live
out_empty
run 1 query --pool P --name nobody "$ask"
err_has "no store 'nobody'"
run 0 pool delete --pool P next
run 1 query --pool P "$ask"
err_has 'active'
run 0 pool budget --pool P --budget 1K
run 1 load --pool P --name live one.nq
err_has 'disk budget 1024'
run 0 pool list --pool P
err_has 'of 1,024'
run 0 pool budget --pool P
run 0 load --pool P --name live one.nq
run 2 pool
run 2 pool frobnicate --pool P
run 2 pool switch --pool P live
run 2 query --pool P --store S "$ask"
run 2 query --store S --name x "$ask"
finish
