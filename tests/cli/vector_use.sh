#!/bin/sh
# quoin vector in use: whatever writes leaves nothing to be linked, options that a verb does not take
# are refused, names with and without a prefix, graphs, models, notes.
. "$(dirname "$0")/lib.sh"
on='--store S --on http://x/v'
linked() # N
{
  run 0 stats --store S --results json
  out_has "\"vectors\":$1,\"linked\":$1,\"unlinked\":0,\"removed\":0,"
}
rows() # FROM TO: terms and vectors of 8 numbers
{
  awk -v from="$1" -v to="$2" 'BEGIN { srand(7); for (i = 0; i < to; i++) {
    line = "http://x/s" i "\t"
    for (j = 0; j < 8; j++) line = line " " (rand() - 0.5)
    if (i >= from) print line } }'
}

# Whoever writes links before it ends: a process that only reads does not.
rows 0 4000 >v.tsv
run 0 create --store S
run 0 vector create $on --dimension 8
run 0 vector import $on v.tsv
linked 4000
run 0 vector list --store S --results csv
out_has '^http://x/v,8,urn:x-quoin:vec#cosineMetric,urn:x-quoin:vec#f32Code,16,200,,4000,4000,'
run 0 stats --store S
out_has '^metric  *cosine'
out_has '^storage  *f32'
out_has '^efConstruction  *200'
run 0 compact --store S
linked 4000
run 0 update --store S 'INSERT DATA { GRAPH <urn:x-quoin:system> { <http://x/v> vec:storage vec:i8Code } }'
linked 4000
run 0 vector list --store S --results csv
out_has ',urn:x-quoin:vec#i8Code,'
run 0 vector drop $on
run 0 vector create $on --dimension 8 --storage f16 --m 8 --ef-construction 50
linked 4000
run 0 vector list --store S --results csv
out_has ',urn:x-quoin:vec#f16Code,8,50,,4000,4000,'
run 0 vector drop $on
echo 'INSERT DATA { GRAPH <urn:x-quoin:system> { <http://x/v> a vec:Index ; vec:dimension 8 } } ;' |
  "$quoin" shell --store S >out 2>err
linked 4000
# What goes leaves the graph, and compacting takes its room back.
run 0 update --store S 'DELETE { ?s ?p ?o } WHERE { ?s ?p ?o FILTER(STRLEN(STR(?s)) > 12) }'
linked 100
before=$(du -k S | cut -f 1)
run 0 compact --store S
err_has 'S: [0-9]* of [0-9,]* terms stay, [0-9,]* of [0-9,]* bytes'
[ "$(sed -n 's/,//g; s/.*stay \([0-9]*\) of.*/\1/p' err)" -gt "$(ls -l S/graph-* | awk '{print $5}')" ]
note $? 'the bytes are without the graph'
linked 100
[ $(($(du -k S | cut -f 1) * 4)) -lt "$before" ]
note $? 'compacting does not shrink the graph'
# A sample is of all vectors at most.
run 0 vector check $on --sample 99999999999
out_has '^sample  *100$'
out_has '^recall@10  *1.0000'
# A signal leaves a good store, and says what is missing.
rows 0 12000 >many.tsv
run 0 vector drop $on
run 0 load --store S --format nt - <<EOF
$(awk '{ printf "<%s> <http://x/v> \"[%s,%s,%s,%s,%s,%s,%s,%s]\"^^<urn:x-quoin:vec#f32> .\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }' many.tsv)
EOF
"$quoin" vector create $on --dimension 8 >out 2>err &
pid=$!
sleep 0.3
kill -INT "$pid"
got=0
wait "$pid" || got=$?
if [ "$got" = 130 ]; then
  err_has '[0-9,]* of 12,[0-9]* vectors are not linked yet'
  err_has "quoin vector check --store S --on 'http://x/v'"
else
  [ "$got" = 0 ]
  note $? "an interrupted create gave $got"
fi
run 0 check --store S
run 0 vector search $on --k 1 --results csv http://x/s7
out_has '^http://x/s7,'
# A backup of vectors that wait becomes a store in which none does.
run 0 backup --store S B
run 0 restore --store R B
run 0 stats --store R --results json
out_has '"unlinked":0,"removed":0,'

# Measuring works beside a process that writes, and keeps nothing then.
mkfifo pipe
"$quoin" load --store S --format nt - <pipe >loader.out 2>loader.err &
holder=$!
exec 3>pipe
sleep 0.5
run 0 vector check $on
out_has '^recall@10  *[01]\.'
err_has '^vector: note: nothing is linked, and the recall is not kept: '
run 3 vector check $on --repair
exec 3>&-
wait $holder
note $? 'the load beside which others ran'

# A graph that cannot be saved is a failure that names its file, and loses nothing.
rows 0 6000 | cut -d ' ' -f 1-3 >pairs.tsv
run 0 create --store F
run 0 vector create --store F --on http://x/v --dimension 2
(
  ulimit -f 2400
  "$quoin" vector import --store F --on http://x/v pairs.tsv >out 2>err
)
[ $? = 1 ]
note $? 'import fails where its graph cannot be written'
err_has '^6,000 vectors read, 6,000 of them new'
err_has '^quoin: not saved at closing: F/graph-2.*: file cannot be written: File too large'
run 0 vector check --store F --on http://x/v
out_has '^vectors  *6000$'

# Names: known prefixes, others, whole IRIs between < and >.
run 0 create --store N
run 2 vector create --store N --on ex:embedding --dimension 2
err_has '"ex" is no prefix that is known here'
run 0 vector create --store N --on '<ex:embedding>' --dimension 2
run 0 vector create --store N --on http://x/v --dimension 2 --metric l2 --model alpha
run 0 vector drop --store N --on ex:embedding
printf 'http://x/a\t1 0\nhttp://x/b\t0 1\n' >v.tsv
run 2 vector import --store N --on http://x/v --graph ex:g v.tsv
run 0 vector import --store N --on http://x/v --graph '<http://x/g>' v.tsv

# One graph; and what an empty answer means.
run 0 vector search --store N --on http://x/v --graph http://x/g --results csv '[1,0]'
out_is "$(printf 'item,distance\r\nhttp://x/a,0.0E0\r\nhttp://x/b,1.4142135623730951E0\r\n')"
err_empty
run 0 vector search --store N --on http://x/v --graph http://x/g --k 1 --results csv b64:AACAPwAAAAA=
out_has '^http://x/a,0.0E0'
run 0 vector search --store N --on http://x/v --results csv '[1,0]'
out_is "$(printf 'item,distance\r\n')"
err_has '^vector: note: .*other graphs have'
printf 'SELECT ?s { (?s ?d) vec:nearest (<http://x/v> "[1,0]"^^vec:f32 1) } ;\n' |
  "$quoin" shell --store N >out 2>err
err_has '^request: note: .*other graphs have'
run 0 update --store N 'INSERT { ?s <http://x/near> 1 } WHERE { (?s ?d) vec:nearest (<http://x/v> "[1,0]"^^vec:f32 1) }'
err_has '^update: note: .*other graphs have'
err_has '^0 quads added'

# Texts: by a prefix; none; a program of another model.
printf '#!/bin/sh\nwhile read -r line; do echo "[${#line}, 1]"; done\n' >model
chmod +x model
run 0 update --store N 'PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
INSERT DATA { <http://x/p> rdfs:label "four" . GRAPH <http://x/g> { <http://x/q> rdfs:comment "five5" } }'
run 0 vector embed --store N --on http://x/v --predicate rdfs:label --embed-command ./model
err_has '^1 vectors made'
run 1 vector embed --store N --on http://x/v --predicate rdfs:comment --embed-command ./model
err_has 'no IRI has a text by <.*comment> in the default graph; there are some in named graphs'
run 1 vector embed --store N --on http://x/v --predicate http://x/none --embed-command ./model
err_has 'no IRI has a text by <http://x/none> in this store'
run 2 vector embed --store N --on http://x/v --predicate ex:label --embed-command ./model
err_has '"ex" is no prefix that is known here'
for verb in 'search four' 'embed --predicate rdfs:label'; do
  # shellcheck disable=SC2086
  run 1 vector $verb --store N --on http://x/v --embed-command ./model --model beta
  err_has 'is of the model "alpha", not "beta"'
done
run 0 vector search --store N --on http://x/v --embed-command ./model --model alpha --results csv four
out_has '^http://x/p,0.0E0'
printf 'SELECT ?s { BIND(vec:embed(<http://x/v>, "four") AS ?q) (?s ?d) vec:nearest (<http://x/v> ?q 1) } ;\n' >q
"$quoin" shell --store N --embed-command ./model --model alpha --results csv <q >out 2>err
out_has '^http://x/p'
"$quoin" shell --store N --embed-command ./model --model beta <q >out 2>err && note 1 'another model embeds'

# Every verb takes its own options, and no other.
for wrong in 'list --dimension 9' 'list --repair' 'list --on http://x/v' 'drop --graph http://x/g' \
  'create --dimension 2 --k 3' 'check --model m' 'search --terms f [1,0]' 'import --predicate rdfs:label v.tsv' \
  'embed --results csv'; do
  verb=${wrong%% *}
  # shellcheck disable=SC2086
  case $wrong in
    *--on*) run 2 vector $wrong --store N ;;
    list*) run 2 vector $wrong --store N ;;
    *) run 2 vector $wrong --store N --on http://x/v ;;
  esac
  err_has "^quoin: error: vector $verb has no option --"
done

# Formats without graphs.
run 2 dump --store N --format nt
err_has 'has named graphs'
run 0 create --store E
run 0 vector create --store E --on http://x/v --dimension 2
run 2 dump --store E --format nt
err_has 'no-system'
run 0 dump --store E --format nt --no-system
out_empty
finish
