/* IRIs as they come on the command line of `quoin vector`: whole, between < and >, or with a prefix
 * that needs no declaration. */
#include "cli/vector.h"

#include <stdlib.h>
#include <string.h>

static const struct {
  const char *prefix, *iri;
} known[] = {
    {"vec", "urn:x-quoin:vec#"},
    {"rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"},
    {"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
    {"owl", "http://www.w3.org/2002/07/owl#"},
    {"xsd", "http://www.w3.org/2001/XMLSchema#"},
    {"skos", "http://www.w3.org/2004/02/skos/core#"},
    {"dcterms", "http://purl.org/dc/terms/"},
    {"foaf", "http://xmlns.com/foaf/0.1/"},
};

bool
vector_expand(vector_text *out, const char *name)
{
  const size_t scheme = strcspn(name, ":");
  for (size_t i = 0; i < sizeof(known) / sizeof(*known) && name[scheme]; i++)
    if (strlen(known[i].prefix) == scheme && memcmp(known[i].prefix, name, scheme) == 0) {
      vector_put(out, known[i].iri, strlen(known[i].iri));
      vector_put(out, name + scheme + 1, strlen(name + scheme + 1));
      return true;
    }
  return false;
}

/* "ex:label" is an IRI, of the scheme "ex"; hardly one that was meant. */
static bool
is_doubtful(const char *iri)
{
  static const char schemes[][8] = {"urn", "tag", "did", "info", "data", "mailto", "tel",
                                    "geo", "ni",  "cid", "mid",  "oid",  "uuid",   "doi"};
  const size_t scheme = strcspn(iri, ":");

  if (strncmp(iri + scheme, "://", 3) == 0) return false;
  for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
    if (strlen(schemes[i]) == scheme && memcmp(schemes[i], iri, scheme) == 0) return false;
  return true;
}

int
vector_names_take(vector_text names[VECTOR_NAMES], cli_args *args)
{
  static const cli_option options[VECTOR_NAMES] = {OPT_ON, OPT_PREDICATE, OPT_GRAPH};

  for (size_t i = 0; i < VECTOR_NAMES; i++) {
    cli_value *value = &args->option[options[i]];
    if (!value->given || value->number || !vector_expand(&names[i], value->text)) continue;
    if (names[i].failed) {
      cli_complain("out of memory");
      return EXIT_LIMIT;
    }
    value->text = names[i].data;
  }
  return EXIT_DONE;
}

/* Appends `pattern`, in which % stands for the IRI. */
static void
put_pattern(vector_text *to, const char *pattern, const char *iri)
{
  for (const char *at = pattern; *at; at++)
    if (*at == '%')
      (void)vector_append_iri(to, iri, strlen(iri));
    else
      vector_put(to, at, 1);
}

/* Does the store have an answer to the query? */
static int
ask(bool *yes, quoin_store *store, const cli_args *args, vector_text *query)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  quoin_status st = QUOIN_ERR_NOMEM;

  options.cancel = args->cancel;
  if (!query->failed)
    st = quoin_query(&cursor, store, (quoin_span){query->data, query->len}, &options, &err);
  if (!st) st = quoin_cursor_next(cursor, &err);
  *yes = !st;
  quoin_cursor_close(cursor);
  free(query->data);
  *query = (vector_text){0};
  err.line = err.column = 0;
  return st < 0 ? cli_report(&err, "vector") : EXIT_DONE;
}

int
vector_names_check(quoin_store *store, const cli_args *args)
{
  static const struct {
    cli_option option;
    const char *query; /* what there is of it */
  } rows[VECTOR_NAMES] = {
      {OPT_ON, "SELECT * { { ?s % ?o } UNION { GRAPH ?g { ?s % ?o } } UNION"
               " { GRAPH <urn:x-quoin:system> { % ?p ?o } } } LIMIT 1"},
      {OPT_PREDICATE, "SELECT * { { ?s % ?o } UNION { GRAPH ?g { ?s % ?o } } } LIMIT 1"},
      {OPT_GRAPH, "SELECT * { GRAPH % { ?s ?p ?o } } LIMIT 1"}};

  for (size_t i = 0; i < VECTOR_NAMES; i++) {
    const cli_value *value = &args->option[rows[i].option];
    vector_text query = {0};
    bool there = true;
    if (!value->given || value->number || !is_doubtful(value->text)) continue;
    put_pattern(&query, rows[i].query, value->text);
    const int status = ask(&there, store, args, &query);
    if (status) return status;
    if (there) continue;
    cli_complain("--%s %s: \"%.*s\" is no prefix that is known here; write the whole IRI, or <%s> "
                 "if it is that",
                 cli_option_name(rows[i].option), value->text, (int)strcspn(value->text, ":"),
                 value->text, value->text);
    return EXIT_USAGE;
  }
  return EXIT_DONE;
}

/* Why there is nothing to embed. */
static int
say_no_text(quoin_store *store, const cli_args *args)
{
  const char *predicate = args->option[OPT_PREDICATE].text, *graph = args->option[OPT_GRAPH].text;
  vector_text query = {0};
  bool there = false;

  put_pattern(&query,
              "SELECT * { { ?s % ?o } UNION { GRAPH ?g { ?s % ?o } } FILTER(ISLITERAL(?o) "
              "&& ISIRI(?s)) } LIMIT 1",
              predicate);
  const int status = ask(&there, store, args, &query);
  if (status) return status;
  if (there && graph)
    cli_complain("no IRI has a text by <%s> in the graph <%s>; there are some elsewhere", predicate,
                 graph);
  else if (there)
    cli_complain("no IRI has a text by <%s> in the default graph; there are some in named graphs: "
                 "--graph IRI takes those of one",
                 predicate);
  else
    cli_complain("no IRI has a text by <%s> in this store", predicate);
  return EXIT_DATA;
}

int
vector_texts_check(quoin_store *store, const cli_args *args)
{
  const char *predicate = args->option[OPT_PREDICATE].text, *graph = args->option[OPT_GRAPH].text;
  vector_text query = {0};
  bool there = true;

  if (!predicate) return EXIT_DONE; /* which embed says */
  vector_printf(&query, "SELECT * { ");
  if (graph) put_pattern(&query, "GRAPH % ", graph);
  put_pattern(&query, "{ ?s % ?o FILTER(ISLITERAL(?o) && ISIRI(?s)) } } LIMIT 1", predicate);
  const int status = ask(&there, store, args, &query);
  return status || there ? status : say_no_text(store, args);
}
