#!/bin/sh
# A second writer gets exit 3 and the holder's pid; readers go on beside it; Ctrl-C ends cleanly.
. "$(dirname "$0")/lib.sh"

printf '<http://e/s> <http://e/p> "before" .\n' >before.nt
run 0 load --store S before.nt
mkfifo pipe
"$quoin" load --store S --format nt - <pipe >loader.out 2>loader.err &
holder=$!
exec 3>pipe
echo '<http://e/s> <http://e/p> "during" .' >&3
sleep 0.5
run 3 load --store S before.nt
err_has "$holder"
run 0 dump --store S
out_is '<http://e/s> <http://e/p> "before" .'
run 0 stats --store S
run 0 check --store S
exec 3>&-
wait $holder
note $? 'the load beside which others ran'
run 0 dump --store S
[ "$(wc -l <out)" = 2 ]; note $? 'the load was not seen afterwards'

# The lock goes with its holder, however that ends.
"$quoin" load --store S --format nt - <pipe >loader.out 2>loader.err &
holder=$!
exec 3>pipe
sleep 0.3
kill -9 $holder
wait $holder 2>err
exec 3>&-
run 0 load --store S before.nt

# SIGINT and SIGTERM: exit 130 and 143, and the store as it was.
for signal in INT TERM; do
  run 0 dump --store S
  sort out >expected
  (
    trap - INT
    i=0
    while :; do
      echo "<http://e/s$i> <http://e/p> \"x\" ."
      i=$((i + 1))
    done
  ) >pipe 2>writer.err &
  writer=$!
  # A job in the background of a script ignores SIGINT; env cannot undo that, the handler does.
  "$quoin" load --store S --format nt - <pipe >out 2>err &
  holder=$!
  sleep 0.5
  kill -$signal $holder
  wait $holder
  got=$?
  want=130
  [ $signal = INT ] || want=143
  [ $got = $want ]; note $? "SIG$signal gave $got, not $want"
  kill $writer 2>writer.err
  wait $writer 2>writer.err
  run 0 dump --store S
  sort out >actual
  check cmp expected actual
  run 0 check --store S
done

# Also when the input stands still.
"$quoin" load --store S --format nt - <pipe >out 2>err &
holder=$!
exec 3>pipe
sleep 0.3
kill -TERM $holder
wait $holder
got=$?
[ $got = 143 ]; note $? "SIGTERM while waiting for input gave $got, not 143"
exec 3>&-
finish
