#!/bin/sh
# Semantic search over some hundred classes and properties of schema.org, in SPARQL.
#   run.sh [QUOIN [STORE]]    QUOIN: the program; STORE: a directory to be made (default: a temporary one)
set -eu
quoin=${1:-quoin}
here=$(cd "$(dirname "$0")/../data" && pwd)
store=${2:-$(mktemp -d)/store}
on=http://example.org/embedding

"$quoin" load --store "$store" "$here/schemaorg-sample.ttl"
"$quoin" vector create --store "$store" --on $on --dimension 384 --model all-MiniLM-L6-v2
"$quoin" vector import --store "$store" --on $on --terms "$here/schemaorg-sample.terms" "$here/schemaorg-sample.npy"

ask() {
  printf '\n# %s\n' "$1"
  "$quoin" query --store "$store" --results table "
PREFIX ex: <http://example.org/> PREFIX schema: <http://schema.org/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
$2"
}

# A question is a resource with a vector of its own: \"things like this one\".
ask 'Classes near to "a place where you can eat"' '
SELECT ?class ?distance {
  ?class a rdfs:Class .
  ?question rdfs:label "a place where you can eat" .
  (?class ?distance) vec:nearest (ex:embedding ?question 5)
} ORDER BY ?distance'

ask 'Properties of creative works near to "who wrote the book"' '
SELECT DISTINCT ?property ?distance {
  { ?property a rdf:Property ; schema:domainIncludes schema:CreativeWork }
  ?question rdfs:label "who wrote the book" .
  (?property ?distance) vec:nearest (ex:embedding ?question 5)
} ORDER BY ?distance'

ask 'The two best classes for each question, if they are near' '
SELECT ?asked ?class ?distance {
  ?class a rdfs:Class .
  ?question a ex:Question ; rdfs:label ?asked .
  (?class ?distance) vec:nearest (ex:embedding ?question 2)
  FILTER(?distance < 0.55)
} ORDER BY ?asked ?distance'
