#!/bin/sh
# quoin vector: files of every kind, also hostile ones; programs that make vectors, also broken ones;
# what a load refuses; counts in stats; what an empty answer is explained by.
. "$(dirname "$0")/lib.sh"
on='--store S --on http://x/v'
import="vector import $on"
search="vector search $on --results csv --k 1"

fresh() # METRIC
{
  rm -rf S
  run 0 create --store S
  run 0 vector create $on --dimension 2 --metric "$1"
}
count_is() # N: statements of the predicate
{
  run 0 query --store S --results csv 'SELECT (COUNT(*) AS ?n) { ?s <http://x/v> ?v }'
  out_has "^$1"
}

# ---- .npy: every width, both byte orders, both orders of numbers, three versions of the header.
npy() # FILE DESCR FORTRAN SHAPE BYTES [VERSION]
{
  header="{'descr': '$2', 'fortran_order': $3, 'shape': $4, }"
  if [ "${6:-1}" = 1 ]; then
    printf "\\223NUMPY\\001\\000\\$(printf %03o ${#header})\\000%s" "$header" >"$1"
  else
    printf "\\223NUMPY\\00$6\\000\\$(printf %03o ${#header})\\000\\000\\000%s" "$header" >"$1"
  fi
  printf "$5" >>"$1"
}
printf 'http://x/a\n<http://x/b>\n_:c\n' >terms
fresh l2
one='\000\000\200\077' two='\000\000\000\100' three='\000\000\100\100' # floats, little-endian
Eone='\077\200\000\000' Etwo='\100\000\000\000'
rows="$one$two$two$one$three$three"
npy f4.npy '<f4' False '(3, 2)' "$rows"
npy f4v2.npy '<f4' False '(3, 2)' "$rows" 2
npy f4v3.npy '<f4' False '(3L, 2L)' "$rows" 3
npy fortran.npy '<f4' True '(3, 2)' "$one$two$three$two$one$three"
npy native.npy '=f4' False '(3,2,)' "$rows"
npy big.npy '>f4' False '(2, 2)' "$Eone$Etwo$Etwo$Eone"
npy f2.npy '<f2' False '(3, 2)' '\000\074\000\100\000\100\000\074\000\102\000\102'
npy bigf2.npy '>f2' True '(2, 2)' '\074\000\100\000\100\000\074\000'
d1='\000\000\000\000\000\000\360\077' d2='\000\000\000\000\000\000\000\100'
npy f8.npy '<f8' False '(2, 2)' "$d1$d2$d2$d1"
printf 'http://x/a\n<http://x/b>\n' >terms2
run 0 $import --terms terms f4.npy
err_has '^3 vectors read, 3 of them new'
printf 'http://x/a\n<http://x/b>\nhttp://x/c\n' >terms3
for file in f4v2 f4v3 fortran native f2; do
  run 0 $import --terms terms3 $file.npy
  run 0 $search '[2,1]'
  out_has '^http://x/b,0.0E0'
done
for file in big bigf2 f8; do
  run 0 $import --terms terms2 $file.npy
  err_has '^2 vectors read, 0 of them new'
done
count_is 4

# Hostile ones: an error with the file's name, and nothing of it is loaded.
npy d3.npy '<f4' False '(3, 2, 1)' "$rows"
npy d1.npy '<f4' False '(6,)' "$rows"
npy columns.npy '<f4' False '(2, 3)' "$rows"
npy negative.npy '<f4' False '(-3, 2)' "$rows"
npy huge.npy '<f4' False '(99999999999999999999999, 2)' "$rows"
npy many.npy '<f4' False '(1152921504606846975, 2)' "$rows"
npy manyf.npy '<f4' True '(1152921504606846975, 2)' "$rows"
npy integers.npy '<i4' False '(3, 2)' "$rows"
npy objects.npy '|O' False '(3, 2)' "$rows"
npy noorder.npy '<f4' Maybe '(3, 2)' "$rows"
npy short.npy '<f4' False '(3, 2)' "$one$two$two"
npy shortf.npy '<f4' True '(3, 2)' "$one$two$two"
npy more.npy '<f4' False '(3, 2)' "$rows\\000"
npy moref.npy '<f4' True '(3, 2)' "$rows\\000"
npy v0.npy '<f4' False '(3, 2)' "$rows" 0
npy v9.npy '<f4' False '(3, 2)' "$rows" 9
npy f3.npy '<f3' False '(3, 2)' "$rows"
npy nodescr.npy '' False '(3, 2)' "$rows"
printf '\223NUMPY\001\000\377\377{' >cut.npy
printf '\223NUMPY\002\000\377\377\377\377{' >cut2.npy
printf '\223NUM' >magic.npy
: >empty.npy
for file in d3 d1 columns negative huge many manyf integers objects noorder short shortf more moref v0 v9 f3 nodescr cut cut2 magic \
  empty; do
  run 1 $import --lenient --terms terms $file.npy
  err_has "^$file.npy:.*error: "
done
run 1 $import --terms terms short.npy
err_has '^short.npy:2: error: the file ends early'
for file in more moref; do
  run 1 $import --terms terms3 $file.npy
  err_has "^$file.npy:4: error: there are bytes behind the last row"
done
run 1 $import --terms terms v9.npy
err_has '^v9.npy: error: expected a .npy file of version 1, 2 or 3'
npy rows.npy '<f4' False '(3, 2)' "$rows"
run 1 $import --terms terms2 rows.npy
err_has 'more vectors than terms'
run 1 $import --terms terms big.npy
err_has 'more terms than vectors'
count_is 4

# NaN and terms that are none are named with their row, and passed over where that is asked for.
npy nan.npy '<f4' False '(3, 2)' "$one$two\\000\\000\\300\\177$one$three$one"
printf 'http://x/a\nhttp://x/b\nnot an IRI\n' >terms4
run 1 $import --terms terms4 nan.npy
err_has '^nan.npy:2: error: a number is not finite (of http://x/b, terms4:2)'
run 0 $import --lenient --terms terms4 nan.npy
err_has '^nan.npy:3: error: expected an absolute IRI or a blank node (of not an IRI, terms4:3)'
err_has '^1 vectors read, 0 of them new.*; 2 passed over'

# ---- .fvecs
printf "\\002\\000\\000\\000$one$one\\003\\000\\000\\000$one$one$one\\002\\000\\000\\000$two$two" >v.fvecs
run 1 $import --terms terms3 v.fvecs
err_has '^v.fvecs:2: error: found 3 numbers, expected 2 (of <http://x/b>, terms3:2)'
run 0 $import --lenient --terms terms3 v.fvecs
err_has '^2 vectors read'
printf '\377\377\377\377' >bad.fvecs
run 1 $import --lenient --terms terms3 bad.fvecs
err_has 'not a .fvecs file'
printf "\\002\\000\\000\\000$one" >short.fvecs
run 1 $import --lenient --terms terms3 short.fvecs
err_has 'ends early'

# ---- lines: each bad one is named; --lenient takes the two good ones of ten.
fresh cosine
cat >v.jsonl <<'L'
{"term": "http://x/a", "vector": [1, 0.5]}
{"term": "http://x/b", "vector": [1, 2, 3]}
{"term": "http://x/c", "vector": [1, NaN]}

{"term": "http://x/d", "vector": [0, 0]}
{"term": "\ud800", "vector": [1, 2]}
{"term": "http://x/\u1
{"term": "http://x/e", "vector": [1, 2]} {
{"vector": [1, 2], "x": {"y": ["]", "\""]}}
["term"]
{"id": "http://x/\u00e9\ud83d\ude00", "other": [[1], {"a": "}"}], "embedding": [3e0, -1E-2]}
L
run 1 $import v.jsonl
err_has '^v.jsonl:2: error: found 3 numbers, expected 2$'
awk 'BEGIN { printf "http://x/a\t1"; for (i = 0; i < 70000; i++) printf ",1"; print "" }' >long.tsv
run 1 $import long.tsv
err_has '^long.tsv:1: error: found 70001 numbers, expected 2$'
run 0 $import --lenient v.jsonl
for line in 2 3 5 6 7 8 9 10; do err_has "^v.jsonl:$line: error: "; done
err_has '^2 vectors read, 2 of them new.*; 8 passed over'
run 0 $search '[3,-0.01]'
out_has '^http://x/é😀,'
printf 'http://x/t\t1 2\nno tab\nhttp://x/t 1\t1 2\n<http://x/u>\t[2, 1]\n_:b.\t1 1\nhttp://x/\377\t1 1\n\t1 1\n' >v.tsv
run 0 $import --lenient v.tsv
err_has '^v.tsv:2: error: expected a term, a tab and numbers'
err_has '^v.tsv:5: error: expected a blank node label'
for line in 3 6 7; do err_has "^v.tsv:$line: error: expected an absolute IRI or a blank node"; done
err_has '^2 vectors read, 2 of them new'
printf 'http://x/z\t1 2\000\n' >zero.tsv
run 1 $import zero.tsv
err_has '^zero.tsv:1: error: found a zero byte'
run 1 $import missing.jsonl
err_has '^missing.jsonl: error: file cannot be opened'
count_is 4

# ---- a load refuses, too, where it stands
printf '<http://x/a> <http://x/n> "1" .\n<http://x/a> <http://x/v> "[1,2,3]"^^<urn:x-quoin:vec#f32> .\n<http://x/l> <http://x/v> "[0,1]"^^<urn:x-quoin:vec#f32> .\n' >v.nt
run 1 load --store S v.nt
err_has '^v.nt:2:27: error: the vector of <http://x/a> has another dimension; the index has 2 dimensions'
run 0 load --store S --lenient v.nt
err_has '^v.nt:2:27: warning: skipped: the vector of <http://x/a>'
err_has '2 quads added, 2 statements read, 1 skipped'

# ---- stats
run 0 load --store S --format nt - <<'L'
<http://x/m> <http://x/v> "no vector" .
<http://x/n> <http://x/v> "[1, 0.5]"^^<urn:x-quoin:vec#f32> .
L
run 0 vector check $on --sample 9
run 0 stats --store S
out_has '^vector index <http://x/v>$'
out_has '^vectors  *5$'
out_has '^  linked  *5$'
out_has '^  unlinked  *0$'
out_has '^  not indexed  *1$'
out_has '^recall, last check  *1.0000$'
run 0 stats --store S --results json
out_has '"vectorIndexes":\['
out_has '"statements":7,"notIndexed":1,"vectors":5,"linked":5,"unlinked":0,"removed":0,'
out_has '"recall":1.0000'
run 2 stats --store S --results csv
run 0 vector list --store S --results csv
out_has ',5,5,1.0000'

# ---- a dump in both forms is the same
run 0 dump --store S
sort out >json.nq
run 0 dump --store S --vectors b64
out_has '^<http://x/a> <http://x/v> "b64:AACAPwAAAD8="^^<urn:x-quoin:vec#f32> \.$'
sort out >b64.nq
run 0 load --store T b64.nq
run 0 dump --store T --vectors json
sort out | sed 's/_:[^ ]*/_:b/' >again.nq
sed 's/_:[^ ]*/_:b/' json.nq >expected.nq
check cmp expected.nq again.nq
run 2 dump --store S --vectors xml
run 0 dump --store S --vectors b64 --format trig
out_has 'b64:AACAPwAAAD8='

# ---- an empty answer is explained
run 0 update --store S 'INSERT DATA { GRAPH <http://x/g> { <http://x/a> <http://x/n> 1 } }'
near='(?s ?d) vec:nearest (<http://x/v> "[1,1]"^^vec:f32 3)'
run 0 query --store S --results csv "SELECT ?s { GRAPH <http://x/g> { $near } }"
err_has '^query: note: vec:nearest: the active graph has no vectors of the index, other graphs have'
run 0 query --store S --results csv "SELECT ?s { GRAPH ?g { $near } }"
err_has 'note'
run 0 query --store S --results csv "SELECT ?s { $near }"
err_empty
run 0 query --store S --results csv "SELECT ?s { ?s <http://x/none> 1 . $near }"
err_empty
run 0 query --store S --analyze "SELECT ?s { ?s <http://x/v> ?v . $near }"
out_has 'nearest ?s ?d over <http://x/v>, k 3; exact, all vectors, 1 search, 7 candidates, of 7 vectors, '
run 0 query --store S --analyze "SELECT ?s { GRAPH <http://x/g> { $near } }"
out_has 'no vectors in the active graph'
run 0 update --store S 'INSERT DATA { GRAPH <http://x/g> { <http://x/a> <http://x/v> "[1,1]"^^vec:f32 } }'
run 0 query --store S --results csv "SELECT ?s { GRAPH ?g { $near } }"
err_empty

# ---- programs that make vectors
program() # LINES OF A SHELL LOOP'S BODY
{
  printf '#!/bin/sh\nn=0\nwhile IFS= read -r line; do n=$((n+1)); %s; done\n' "$1" >model
  chmod +x model
}
fresh cosine
run 0 update --store S 'INSERT DATA { <http://x/1> <http://x/t> "a\nb" . <http://x/2> <http://x/t> "three" . <http://x/3> <http://x/t> "é" }'
embed="vector embed $on --predicate http://x/t --embed-command ./model"
program 'echo "[$n,1]"; [ $n = 3 ] && sleep 0.3 && echo "[9,9]"'
run 1 $embed
err_has '^--embed-command: error: gave a line that it was not asked for'
program 'echo "[$n,1]"; [ $n = 3 ] && exit 7'
run 1 $embed
err_has '^--embed-command: error: ended with a failure: exit status 7'
err_has '^0 vectors made.*; 3 texts are left, and the same command goes on with them'
program 'echo "[$n,1]"; echo "[9,9]"'
run 1 $embed
err_has '^--embed-command: error: gave a line that it was not asked for'
program 'echo "[$n,1,1]"'
run 1 $embed
err_has '^--embed-command: error: found 3 numbers, expected 2'
program 'printf "\377\001oops\n"'
run 1 $embed
err_has 'error: found "??oops", expected a JSON array of finite numbers'
program 'echo "[NaN,1]"'
run 1 $embed
program 'echo "[0,0]"'
run 1 $embed
err_has 'a zero vector has no cosine (for <http://x/1>)'
printf 'exit 0\n' >model
run 1 $embed
err_has '^--embed-command: error: '
run 1 vector embed $on --predicate http://x/t --embed-command ./nothing
count_is 0
program '[ $n = 2 ] && echo "[0,0]" || echo "[$n,1]"'
run 0 $embed --lenient
err_has '^2 vectors made.*; 1 texts passed over'
program 'echo "[${#line},1]"'
run 0 $embed
err_has '^1 vectors made'
count_is 3
run 0 vector embed $on --predicate http://x/t --embed-command 'exit 1'
err_has '^0 vectors made: what has one of the 3 texts has a vector already$'

# A program that is gone, or Ctrl-C: what was made by then is there, of whole subjects, and the same
# command goes on.
fresh cosine
run 0 update --store S 'INSERT DATA { <http://x/1> <http://x/t> "a" . <http://x/2> <http://x/t> "b", "c" . <http://x/3> <http://x/t> "d" }'
program '[ $n = 2 ] && kill -9 $$; echo "[$n,1]"'
run 1 $embed
err_has '^--embed-command: error: ended without an answer'
err_has '^--embed-command: error: ended with a failure: '
err_has '^1 vectors made.*; 3 texts are left'
count_is 1
program '[ $n = 2 ] && exit 3; echo "[$n,1]"'
run 1 $embed
err_has '^0 vectors made.*; 3 texts are left'
program '[ $n = 3 ] && kill -INT $(cat pid) && sleep 10; echo "[$n,1]"'
got=0
sh -c 'echo $$ >pid; exec "$@"' - "$quoin" $embed >out 2>err || got=$?
[ $got = 130 ]; note $? "embed was to be interrupted, and gave $got"
err_has '^2 vectors made.*; 1 texts are left'
count_is 3
program 'echo "[$n,1]"; exit 0'
run 0 $embed
err_has '^1 vectors made in [0-9.]* s$'
count_is 4

# A program that does not answer, does not read, or does not end, is ended with all that it started:
# by the deadline, by Ctrl-C, and when nothing more is asked.
quickly() # SECONDS-AT-MOST STATUS ARGS...
{
  most=$1
  shift
  before=$(date +%s)
  run "$@"
  [ $(($(date +%s) - before)) -le "$most" ]
  note $? "$2 $3 took $(($(date +%s) - before)) s"
}
gone() # PIDFILE
{
  i=0
  while [ $i -lt 20 ] && kill -0 "$(cat "$1")" 2>kill.log &&
    ! grep -q '^State:.*zombie' "/proc/$(cat "$1")/status" 2>kill.log; do
    sleep 0.1
    i=$((i + 1))
  done
  [ -s "$1" ] && [ $i -lt 20 ]
  note $? "the process of $1 is still there"
}
hang='(echo $$ >one; sh -c "echo \$\$ >two; exec sleep 100"; true)'
near='{ BIND(vec:embed(<http://x/v>, "text") AS ?q) (?p ?d) vec:nearest (<http://x/v> ?q 2) }'
quickly 6 4 query --store S --timeout 1 --embed-command "$hang" "SELECT ?p $near"
err_has '^--embed-command: error: gave no answer in time$'
err_has '^query.*vec:embed: the deadline passed'
gone two
quickly 6 4 query --store S --timeout 1 --embed-command "trap '' TERM; echo \$\$ >one; while :; do sleep 0.2; done" "SELECT ?p $near"
gone one
quickly 6 4 update --store S --timeout 1 --embed-command "$hang" "INSERT { ?p <http://x/n> 1 } WHERE $near"
quickly 6 4 vector search $on --timeout 1 --embed-command "$hang" text
gone two
quickly 6 0 query --store S --embed-command 'read -r line; echo "[1,1]"; exec sleep 100' "SELECT ?p $near"
long=$(awk 'BEGIN { for (i = 0; i < 100000; i++) printf "x" }')
run 0 update --store S "INSERT DATA { <http://x/long> <http://x/t> \"$long\" }"
quickly 6 4 query --store S --timeout 1 --embed-command "$hang" \
  "SELECT ?p { <http://x/long> <http://x/t> ?t BIND(vec:embed(<http://x/v>, ?t) AS ?q) (?p ?d) vec:nearest (<http://x/v> ?q 2) }"
err_has '^--embed-command: error: gave no answer in time$'
for wait in 'query --store S' 'vector embed'; do
  got=0
  rm -f two
  before=$(date +%s)
  case $wait in
    query*) set -- query --store S --embed-command "$hang" "SELECT ?p $near" ;;
    *) set -- vector embed $on --predicate http://x/t --embed-command "$hang" ;;
  esac
  "$quoin" "$@" >out 2>err &
  pid=$!
  while [ ! -s two ] && kill -0 $pid 2>kill.log; do sleep 0.1; done
  kill -INT $pid
  wait $pid || got=$?
  [ $got = 130 ] && [ $(($(date +%s) - before)) -le 6 ]
  note $? "$wait was to be interrupted, and gave $got after $(($(date +%s) - before)) s"
  gone two
done
count_is 4
run 0 update --store S 'DELETE WHERE { <http://x/long> ?p ?o }'

# Killed in the middle, it goes on where it was: every text has one vector in the end.
fresh cosine
i=0
while [ $i -lt 4100 ]; do
  echo "<http://x/$i> <http://x/t> \"text $i\" ."
  i=$((i + 1))
done >texts.nt
run 0 load --store S texts.nt
program 'echo "[$n,1]"; [ $n = 3000 ] && kill -9 $(cat pid) && exit'
got=0
"$quoin" $embed >out 2>err &
echo $! >pid
wait $! || got=$?
[ $got = 137 ]; note $? "embed was to be killed, and gave $got"
run 0 query --store S --results csv 'SELECT (COUNT(*) AS ?n) { ?s <http://x/v> ?v }'
out_has '^2000'
program 'echo "[$n,1]"'
run 0 $embed
err_has '^2,100 vectors made'
count_is 4100

# vec:embed in an update
program 'echo "[${#line},1]"'
run 1 update --store S 'INSERT { <http://x/u> <http://x/v> ?v } WHERE { BIND(vec:embed(<http://x/v>, "four") AS ?v) }'
err_has '^update:1:.*error: vec:embed: no embedder is registered'
run 0 update --store S --embed-command ./model \
  'INSERT { <http://x/u> <http://x/v> ?v } WHERE { BIND(vec:embed(<http://x/v>, "four") AS ?v) }'
err_has '^1 quads added'
run 0 query --store S --results csv 'SELECT ?v { <http://x/u> <http://x/v> ?v }'
out_has '\[4,1\]'

# ---- compressed input is read as it is, standard input in the form that is said.
fresh l2
printf 'http://x/a\t1 2\nhttp://x/b\t[3,4]\n' >z.tsv
gzip -kf z.tsv
bzip2 -kf z.tsv
xz -kf z.tsv
zstd -qkf z.tsv
gzip -kf f4.npy
xz -kf terms3
for z in gz bz2 xz zst; do
  run 0 $import z.tsv.$z
  err_has '^2 vectors read'
done
count_is 2
run 0 $import --terms terms3.xz f4.npy.gz
err_has '^3 vectors read'
gzip -kf fortran.npy
run 1 $import --terms terms3 fortran.npy.gz
err_has 'fortran.npy.gz: error: numbers that stand by column .* a compressed file'
head -c 30 z.tsv.gz >cut.tsv.gz
run 1 $import cut.tsv.gz
err_has '^cut.tsv.gz: error: '
fresh l2
for form in tsv npy; do
  terms=; [ $form = npy ] && terms='--terms terms3'
  file=z.tsv; [ $form = npy ] && file=f4.npy.gz
  "$quoin" $import --format $form $terms - <$file >out 2>err
  note $? "import of $form from standard input"
  err_has '^[23] vectors read'
done
run 2 $import --format csv z.tsv
run 2 $search --format tsv '[1,2]'

# Numbers are those of JSON and of vec:f32: nothing else that a C library takes for one.
fresh l2
for number in 0x10 .5 01 1. +1 inf nan 1e 1e999 1_0; do
  printf 'http://x/a\t[%s, 1]\n' $number >n.tsv
  run 1 $import n.tsv
  err_has '^n.tsv:1: error: expected finite numbers, as JSON has them'
  printf 'http://x/a\t%s 1\n' $number >n.tsv
  run 1 $import n.tsv
  printf '{"id": "http://x/a", "vector": [%s, 1]}\n' $number >n.jsonl
  run 1 $import n.jsonl
  err_has '^n.jsonl:1: error: expected finite numbers, as JSON has them'
done
count_is 0
run 0 load --store S - --format nt <<END
<http://x/1> <http://x/t> "one" .
_:b <http://x/t> "two" .
END
printf '#!/bin/sh\nwhile read -r line; do echo "[0x10,1]"; done\n' >model
chmod +x model
run 1 vector embed $on --predicate http://x/t --embed-command ./model
err_has '^--embed-command: error: found "\[0x10,1\]", expected a JSON array'

# What blank nodes say is not embedded, and that is told.
printf '#!/bin/sh\nwhile read -r line; do echo "[1,1]"; done\n' >model
run 0 vector embed $on --predicate http://x/t --embed-command ./model
err_has '^1 vectors made.*; 1 texts of blank nodes are not embedded'
count_is 1
finish
