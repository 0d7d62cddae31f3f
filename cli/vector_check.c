/* vector check: the graph of an index, and its recall measured against exact search. */
#include "cli/vector.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_SAMPLE = 100, CHECK_K = 10 };

/* Vectors as SPARQL literals, each of malloc: every so many of them. */
typedef struct sample {
  char **item;
  size_t n, want;
  uint64_t seen;
} sample;

/* Algorithm R with a fixed sequence: the sample repeats. */
static bool
offer(sample *s, quoin_span text)
{
  uint64_t h = (s->seen + 1) * UINT64_C(0x9E3779B97F4A7C15);
  h = (h ^ h >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
  const uint64_t at = s->n < s->want ? s->n : (h ^ h >> 32) % (s->seen + 1);
  s->seen++;
  if (at >= s->want) return true;
  char *copy = malloc(text.len + 1);
  if (!copy) return false;
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  if (at == s->n)
    s->n++;
  else
    free(s->item[at]);
  s->item[at] = copy;
  return true;
}

static quoin_status
ask(quoin_cursor **out, quoin_store *store, const cli_args *args, const vector_text *text,
    quoin_error *err)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  options.cancel = args->cancel;
  options.union_default_graph = true;
  return quoin_query(out, store, (quoin_span){text->data, text->len}, &options, err);
}

static int
take_sample(sample *s, quoin_store *store, const cli_args *args, const vector_index *index)
{
  vector_text text = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;

  vector_printf(&text, "SELECT DISTINCT ?v { ?s ");
  (void)vector_put_iri(&text, index->predicate, strlen(index->predicate));
  vector_printf(&text, " ?v FILTER(DATATYPE(?v) = <urn:x-quoin:vec#f32>) }");
  quoin_status st = ask(&cursor, store, args, &text, &err);
  while (!st && !(st = quoin_cursor_next(cursor, &err)))
    if (!offer(s, quoin_cursor_text(cursor, 0))) st = QUOIN_ERR_NOMEM;
  quoin_cursor_close(cursor);
  free(text.data);
  return st == QUOIN_DONE ? EXIT_DONE : cli_report(&err, "vector");
}

/* The distances of the k nearest, ascending: how many. */
static quoin_status
nearest(double out[CHECK_K], size_t *n, quoin_store *store, const cli_args *args,
        const vector_index *index, const char *query, bool exact, quoin_error *err)
{
  vector_text text = {0};
  quoin_cursor *cursor = NULL;
  quoin_status st;

  vector_printf(&text, "SELECT ?d { (?s ?d) <urn:x-quoin:vec#nearest> (");
  (void)vector_put_iri(&text, index->predicate, strlen(index->predicate));
  vector_put(&text, " ", 1);
  vector_put(&text, query, strlen(query));
  vector_printf(&text, " %d", CHECK_K);
  if (args->option[OPT_EF].given)
    vector_printf(&text, " <urn:x-quoin:vec#ef> %" PRIu64, args->option[OPT_EF].number);
  vector_printf(&text, "%s) } ORDER BY ?d", exact ? " <urn:x-quoin:vec#exact> true" : "");
  *n = 0;
  st = ask(&cursor, store, args, &text, err);
  while (!st && !(st = quoin_cursor_next(cursor, err)))
    if (*n < CHECK_K && quoin_cursor_double(&out[*n], cursor, 0)) ++*n;
  quoin_cursor_close(cursor);
  free(text.data);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* Keep what was measured beside the declaration, for stats. */
static int
note_recall(double recall, quoin_store *store, const cli_args *args, const vector_index *index)
{
  vector_text text = {0};
  vector_printf(&text, "PREFIX vec: <urn:x-quoin:vec#> WITH <urn:x-quoin:system> DELETE { ");
  (void)vector_put_iri(&text, index->predicate, strlen(index->predicate));
  vector_printf(&text, " vec:recall ?old } INSERT { ?index vec:recall %.4f } WHERE { ", recall);
  vector_printf(&text, "VALUES ?index { ");
  (void)vector_put_iri(&text, index->predicate, strlen(index->predicate));
  vector_printf(&text, " } ?index a vec:Index OPTIONAL { ?index vec:recall ?old } }");
  const int status = vector_update(store, args, &text);
  free(text.data);
  return status;
}

/* The share of the k nearest that a search finds: those not further than the last of them. */
static int
measure(const sample *s, quoin_store *store, const cli_args *args, const vector_index *index)
{
  uint64_t found = 0, there = 0;
  quoin_error err = QUOIN_ERROR_INIT;
  for (size_t i = 0; i < s->n; i++) {
    double exact[CHECK_K], got[CHECK_K];
    size_t n_exact, n_got;
    if (nearest(exact, &n_exact, store, args, index, s->item[i], true, &err) ||
        nearest(got, &n_got, store, args, index, s->item[i], false, &err))
      return cli_report(&err, "vector");
    there += n_exact;
    for (size_t j = 0; j < n_got && n_exact; j++)
      found += got[j] <= exact[n_exact - 1];
  }
  printf("vectors      %" PRIu64 "\n", s->seen);
  printf("sample       %zu\n", s->n);
  const double recall = there ? (double)found / (double)there : 1.0;
  printf("recall@%d    %.4f\n", CHECK_K, recall);
  return s->n ? note_recall(recall, store, args, index) : EXIT_DONE;
}

/* The graph: every page and link, and what no search comes to. */
static int
check_graph(quoin_store *store, const cli_args *args, const vector_index *index)
{
  const bool repair = args->option[OPT_REPAIR].given;
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *vectors = NULL;
  quoin_span name = cli_span(index->predicate);

  if (name.len > 2 && name.ptr[0] == '<') name = (quoin_span){name.ptr + 1, name.len - 2};
  quoin_status st = quoin_vectors_settle(store, args->cancel, &err);
  if (!st) st = quoin_vectors_open(&vectors, store, name, &err);
  if (!st) st = quoin_vectors_check(&report, vectors, repair, args->cancel, &err);
  quoin_vectors_close(vectors);
  if (st) return cli_report(&err, "vector");
  printf("nodes        %" PRIu64 "\n", report.nodes);
  printf("links        %" PRIu64 "\n", report.links);
  printf("graph bytes  %" PRIu64 "\n", report.bytes);
  printf("unreachable  %" PRIu64 "\n", report.unreachable);
  if (repair) printf("repaired     %" PRIu64 "\n", report.repaired);
  if (report.made_again) printf("graph        was damaged, made again\n");
  return report.unreachable ? EXIT_DATA : EXIT_DONE;
}

int
vector_check(quoin_store *store, const cli_args *args)
{
  const cli_value *given = args->option;
  vector_index index;
  sample s = {.want = given[OPT_SAMPLE].given ? (size_t)given[OPT_SAMPLE].number : CHECK_SAMPLE};

  int status = vector_find(&index, store, args);
  if (!status && !(s.item = calloc(s.want, sizeof(*s.item)))) {
    cli_complain("out of memory");
    status = EXIT_LIMIT;
  }
  if (!status) status = take_sample(&s, store, args, &index);
  if (!status) status = check_graph(store, args, &index);
  if (!status) status = measure(&s, store, args, &index);
  for (size_t i = 0; i < s.n; i++)
    free(s.item[i]);
  free(s.item);
  return status;
}
