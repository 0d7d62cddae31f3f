#!/bin/sh
# Each command that needs no query, each exit status, where data and messages go.
. "$(dirname "$0")/lib.sh"

cat >a.ttl <<'EOT'
@prefix ex: <http://example.org/> .
ex:s ex:p ex:o, "lit", "hi"@en, 42 ; ex:q [ ex:r <rel> ] .
EOT
cat >b.nq <<'EOT'
<http://example.org/s> <http://example.org/p> "named" <http://example.org/g> .
<http://example.org/s> <http://example.org/p> "plain" .
EOT
printf '<http://example.org/s> <http://example.org/p> "ok" .\n<http://example.org/s> <http://example.org/p> oops .\n' >bad.nt

# help and version
run 2
err_has 'usage: quoin COMMAND'
run 0 help
out_has '  load '
err_empty
run 0 --help
for command in create load query update dump stats check compact backup restore parse pool help version; do
  run 0 "$command" --help
  out_has "usage: quoin $command"
  out_has 'example: quoin'
  run 0 help "$command"
done
run 2 help nonsense
run 0 version
out_has '^quoin [0-9]*\.[0-9]*\.[0-9]*$'
run 0 --version

# usage errors are 2, and say what was expected
run 2 nonsense
err_has 'no command "nonsense"'
run 2 load a.ttl
err_has 'needs --store'
run 2 load --store S
err_has 'needs FILE'
run 2 load --store S --nonsense a.ttl
err_has 'no option --nonsense'
run 2 load --store S --format xyz a.ttl
err_has 'nt, nq, ttl or trig'
run 2 load --store S --memory 12X a.ttl
run 2 load --store S --threads none a.ttl
run 2 load --store S --store T a.ttl
err_has 'given twice'
run 2 load --store S --lenient=yes a.ttl
run 2 load --store
run 2 load --store S -
err_has 'give --format'
run 2 create --store S --indexes spo,nonsense
run 2 dump --store S extra
[ ! -e S ]; note $? 'a usage error made a store'

# input errors are 1, with FILE:LINE:COL
run 1 load --store S missing.ttl
err_has 'missing.ttl: error:'
[ ! -e S ]; note $? 'a missing file made a store'
run 1 stats --store S
run 1 query --store S 'ASK {}'
err_has '^S: error:'
run 1 load --store S bad.nt
err_has 'bad.nt:2:[0-9]*: error: .*expected'
# a store that was made for a load that fails goes away with it; a directory that was there stays
[ ! -e S ]; note $? 'a failed load left the store that it made'
mkdir empty
run 1 load --store empty bad.nt
[ -d empty ] && [ -z "$(ls -A empty)" ]; note $? 'a failed load left files behind'
run 0 load --store S --lenient bad.nt
err_has 'bad.nt:2:[0-9]*: warning: skipped'
err_has '1 quads added, 1 statements read, 1 skipped'
run 1 create --store S
err_has 'there is a store already'
printf '\037\213broken' >x.nt.gz
run 1 load --store S x.nt.gz

# create, load, stats, check
rm -rf S
run 0 create --store S --indexes spo,pos,osp,gspo
err_empty
out_empty
rm -rf S
run 0 create --store S
run 0 load --store S --base http://base.org/dir/ a.ttl b.nq
err_has '8 quads added, 8 statements read'
out_empty
run 0 load --store S --base http://base.org/dir/ b.nq
err_has '^0 quads added'
run 0 stats --store S
out_has '^quads  *8$'
out_has 'in default graph  *7$'
out_has '^named graphs  *1$'
out_has '^run-.* a quad'
run 0 check --store S
err_has 'no fault found'

# dump
run 0 dump --store S
cp out first
[ "$(wc -l <out)" = 8 ]; note $? 'dump has not 8 lines'
out_has '<http://base.org/dir/rel>'
out_has '"named" <http://example.org/g> \.$'
out_has '"hi"@en \.$'
err_empty
run 2 dump --store S --format nt
err_has 'named graphs'
out_empty
run 0 dump --store S --format trig
cp out dump.trig
run 0 load --store T --format trig - <dump.trig
run 0 dump --store T
sed 's/_:[^ ]*/_:x/g' out | sort >second
sed 's/_:[^ ]*/_:x/g' first | sort >first.sorted
check cmp first.sorted second
run 0 load --store U --graph http://example.org/h --base http://b/ a.ttl
run 0 dump --store U
[ "$(grep -c '<http://example.org/h> \.$' out)" = 6 ]; note $? '--graph was not used'
run 2 load --store U --graph 'not an iri' a.ttl

# standard input, compressed input
gzip -c b.nq >b.nq.gz
run 0 load --store G b.nq.gz
run 0 load --store G --format nq - <b.nq.gz
err_has '^0 quads added, 2 statements'

# parse
run 0 parse b.nq
run 0 parse --base http://base.org/dir/ a.ttl
[ "$(wc -l <out)" = 6 ]; note $? 'parse has not 6 lines'
err_empty
run 1 parse bad.nt
err_has 'bad.nt:2:'
run 0 parse --lenient bad.nt
[ "$(wc -l <out)" = 1 ]; note $? 'lenient parse has not 1 line'

# writing fails: a closed pipe, a full device
i=0
while [ $i -lt 20000 ]; do
  echo "<http://example.org/s$i> <http://example.org/p> \"a value with some text in it $i\" ."
  i=$((i + 1))
done >many.nt
run 0 load --store M many.nt
{ "$quoin" dump --store M 2>err; echo $? >status; } | head -n 1 >out
[ "$(cat status)" = 1 ]; note $? "dump into a closed pipe gave $(cat status), not 1"
err_has 'standard output: error: cannot be written'
if [ -e /dev/full ]; then
  got=0
  "$quoin" dump --store M >/dev/full 2>err || got=$?
  [ $got = 1 ]; note $? "dump to a full device gave $got, not 1"
  got=0
  "$quoin" stats --store M >/dev/full 2>err || got=$?
  [ $got = 1 ]; note $? "stats to a full device gave $got, not 1"
  got=0
  "$quoin" help >/dev/full 2>err || got=$?
  [ $got = 1 ]; note $? "help to a full device gave $got, not 1"
fi

# corruption is 5
run=$(ls M/run-* | head -n 1)
size=$(wc -c <"$run")
printf 'XXXXXXXX' | dd of="$run" bs=1 seek=$((size / 2)) conv=notrunc 2>err
run 5 check --store M
err_has 'error:'
# options that are IRIs: which one, where, and what was expected
echo '<s:> <p:> "o" .' >one.nt
run 2 load --store N --graph 'no iri' one.nt
err_has '[-]-graph "no iri", byte 3: an IRI may not contain a space'
run 2 load --store N --graph rel one.nt
err_has '[-]-graph "rel", byte 4: an absolute IRI is expected'
run 2 parse --base 'http://e/<' one.nt
err_has "[-]-base \"http://e/<\", byte 10: an IRI may not contain '<'"
run 2 query --store N --base '' 'ASK {}'
err_has '[-]-base "", byte 1: an absolute IRI is expected'
run 2 vector create --store N --on near --dimension 2
err_has '[-]-on "near", byte 5'
# of a bad statement of Turtle what stands before the fault stays
printf '<a:s> <a:p> "one" ; <a:q> "b\\q" ; <a:r> "two" .\n<a:x> <a:y> "z" .\n' >bad.ttl
run 0 parse --lenient bad.ttl
out_has '"one"'
out_has '"z"'
err_has '1 bad statements skipped'
finish
