#!/bin/sh
# compact: what nothing uses goes, what is there stays.
. "$(dirname "$0")/lib.sh"
i=0
while [ $i -lt 500 ]; do
  echo "<http://e.org/s/$i> <http://e.org/p> \"value $i\" <http://e.org/g/$((i % 5))> ."
  i=$((i + 1))
done >data.nq
run 0 load --store S data.nq
run 0 update --store S 'DELETE WHERE { GRAPH <http://e.org/g/3> { ?s ?p ?o } }'
run 0 stats --store S
out_has '^  that nothing uses  *201$'
run 0 dump --store S
sort out >before
run 0 compact --store S
err_has ' terms stay, '
out_empty
run 0 dump --store S
sort out >after
check cmp before after
run 0 stats --store S
out_has '^  that nothing uses  *0$'
out_has '^runs on disk  *1$'
run 0 check --store S
run 4 compact --store S --memory 1
err_has 'bytes of memory'
run 1 compact --store nowhere
run 2 compact
run 2 compact --store S more
finish
