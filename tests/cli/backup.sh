#!/bin/sh
# backup and restore: the same statements, in stores that do not touch each other.
. "$(dirname "$0")/lib.sh"
i=0
while [ $i -lt 300 ]; do
  echo "<http://e.org/s/$i> <http://e.org/p> \"value $i\" <http://e.org/g/$((i % 3))> ."
  i=$((i + 1))
done >data.nq
run 0 load --store S data.nq
run 0 update --store S 'DELETE WHERE { GRAPH <http://e.org/g/1> { ?s ?p ?o } }'
run 0 dump --store S
sort out >expected
run 0 backup --store S B
err_has '^B: no fault found'
out_empty
run 0 update --store S 'CLEAR ALL'
run 0 compact --store S
run 0 dump --store B
sort out >found
check cmp expected found
run 0 restore --store R B
err_has '^R: no fault found'
run 0 update --store R 'INSERT DATA { <x:> <y:> <z:> }'
run 0 compact --store R
run 0 check --store B
run 0 dump --store B
sort out >found
check cmp expected found
run 0 dump --store R
sort out | grep -v '^<x:>' >found
check cmp expected found
run 1 backup --store S B
err_has 'new or an empty'
run 1 restore --store S B
run 1 restore --store T nowhere
[ ! -e T ]
note $? 'a failed restore left a directory'
# into a pool, under a name
run 1 restore --pool P --name live B
err_has 'no pool'
run 0 pool create --pool P
run 2 restore --pool P B
err_has '[-]-name'
run 0 restore --pool P --name live B
err_has '^live: no fault found'
run 0 dump --pool P
sort out >found
check cmp expected found
run 1 restore --pool P --name live B
err_has "switch the two, or delete 'live' first"
run 1 restore --pool P --name more nowhere
run 0 restore --pool P --name next B
run 0 update --pool P --name next 'CLEAR ALL'
run 0 pool switch --pool P live next
run 0 dump --pool P --name next
sort out >found
check cmp expected found
run 0 pool budget --pool P --budget 1K
run 1 restore --pool P --name third B
err_has 'disk budget 1024: .* used'
[ "$(ls P | grep -c store-)" = 2 ]
note $? 'a failed restore left a directory in the pool'
run 2 backup --store S
run 2 restore B
finish
