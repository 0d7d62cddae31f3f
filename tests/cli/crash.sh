#!/bin/sh
# kill -9 at random moments of a load leaves the old state readable, and nothing in the way of the
# next load. QUOIN_SEED repeats a run; QUOIN_KILLS is how many (10).
. "$(dirname "$0")/lib.sh"
seed=${QUOIN_SEED:-$(date +%s)}
kills=${QUOIN_KILLS:-10}
echo "seed $seed, $kills kills"

awk 'BEGIN { for (i = 0; i < 200000; i++)
  printf "<http://e/s%d> <http://e/p%d> \"value %d\" <http://e/g%d> .\n", i % 5000, i % 13, i, i % 7 }' >big.nq
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "<http://e/old%d> <http://e/p> _:b%d .\n", i, i % 50 }' >old.nq
run 0 load --store whole big.nq
start=$(date +%s%N)
run 0 load --store timed big.nq
took=$((($(date +%s%N) - start) / 1000000)) # milliseconds
run 0 load --store S old.nq
run 0 dump --store S
cp out before
killed=0
i=0
while [ $i -lt "$kills" ]; do
  i=$((i + 1))
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  delay=$((seed / 65536 % (took + 1)))
  "$quoin" load --store S big.nq >load.out 2>load.err &
  loader=$!
  sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
  kill -9 $loader 2>kill.err
  if wait $loader 2>wait.err; then # it was done before the signal came: begin anew
    run 0 dump --store S
    [ "$(wc -l <out)" = 203000 ]; note $? "a finished load has $(wc -l <out) quads"
    rm -rf S
    run 0 load --store S old.nq
    run 0 dump --store S
    cp out before
    continue
  fi
  killed=$((killed + 1))
  run 0 check --store S
  run 0 dump --store S
  # Killed between the swap of the manifest and the exit it may be the new state: all of it.
  if [ "$(wc -l <out)" = 203000 ]; then
    rm -rf S
    run 0 load --store S old.nq
    run 0 dump --store S
    cp out before
  else
    check cmp before out
  fi
done
run 0 load --store S big.nq
err_has '^200,000 quads added'
run 0 check --store S
run 0 dump --store S
grep -v old out | sort >with
run 0 dump --store whole
sort out >alone
check cmp with alone
echo "$killed loads were killed before they ended"
finish
