/* Declare a vector index, add vectors, find the nearest: by calls, and as part of a query. C11, and
 * C++ as it is.
 *
 *   cc search.c $(pkg-config --cflags --libs quoin) && ./a.out STORE */
#include <quoin/quoin.h>

#include <stdio.h>

#define SPAN(literal)                                                                              \
  {                                                                                                \
    literal, sizeof(literal) - 1                                                                   \
  }

/* In the graph <urn:x-quoin:system>: only the dimension is required. */
static const quoin_span declaration =
    SPAN("PREFIX vec: <urn:x-quoin:vec#>"
         "INSERT DATA { GRAPH <urn:x-quoin:system> { <http://example.org/colour> a vec:Index ;"
         "  vec:dimension 3 ; vec:metric vec:l2Metric } }");
static const quoin_span predicate = SPAN("http://example.org/colour");
static const quoin_span question =
    SPAN("PREFIX vec: <urn:x-quoin:vec#>"
         "SELECT ?like ?distance {"
         "  (?like ?distance) vec:nearest (<http://example.org/colour> <http://example.org/red> 2)"
         "} ORDER BY ?distance");

static const struct {
  quoin_span name;
  float rgb[3];
} colours[] = {{SPAN("http://example.org/red"), {1, 0, 0}},
               {SPAN("http://example.org/orange"), {1, 0.65F, 0}},
               {SPAN("http://example.org/green"), {0, 0.5F, 0}},
               {SPAN("http://example.org/navy"), {0, 0, 0.5F}}};

static quoin_status
add_colours(quoin_store *store, quoin_error *err)
{
  quoin_txn *txn = NULL;
  quoin_status st = quoin_txn_begin(&txn, store, err);

  for (size_t i = 0; !st && i < sizeof(colours) / sizeof(*colours); i++) {
    quoin_term subject = {QUOIN_TERM_IRI, colours[i].name, {NULL, 0}, {NULL, 0}, 0};
    st = quoin_txn_add_vector(txn, &subject, predicate, NULL, colours[i].rgb, 3, err);
  }
  if (!st) return quoin_txn_commit(NULL, NULL, txn, err); /* ends it, whatever it returns */
  quoin_txn_abort(txn);
  return st;
}

static quoin_status
print_nearest(quoin_store *store, const float rgb[3], quoin_error *err)
{
  quoin_search_options options = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_vectors *vectors = NULL;
  quoin_hits *hits = NULL;

  options.k = 2;
  quoin_status st = quoin_vectors_open(&vectors, store, predicate, err);
  if (!st) st = quoin_vectors_search(&hits, vectors, rgb, 1, &options, err);
  for (size_t i = 0; !st && i < quoin_hits_count(hits, 0); i++) {
    quoin_term subject;
    if ((st = quoin_hits_term(&subject, hits, 0, i, err))) break;
    printf("%.3f  %.*s\n", quoin_hits_distance(hits, 0, i), (int)subject.value.len,
           subject.value.ptr);
  }
  quoin_hits_close(hits); /* NULL is fine */
  quoin_vectors_close(vectors);
  return st;
}

int
main(int argc, char **argv)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_store *store = NULL;
  quoin_cursor *cursor = NULL;
  const float brown[3] = {0.6F, 0.3F, 0};

  if (argc != 2) {
    fprintf(stderr, "usage: search STORE\n");
    return 2;
  }
  options.mode = QUOIN_CREATE;
  quoin_status st = quoin_open(&store, argv[1], &options, &err);
  if (!st) st = quoin_update(NULL, store, declaration, NULL, &err);
  if (!st) st = add_colours(store, &err);
  if (!st) st = print_nearest(store, brown, &err);
  if (!st) st = quoin_query(&cursor, store, question, NULL, &err);
  while (!st && !(st = quoin_cursor_next(cursor, &err)))
    printf("%.*s\n", (int)quoin_cursor_text(cursor, 0).len, quoin_cursor_text(cursor, 0).ptr);
  if (!st || st == QUOIN_DONE) st = quoin_vectors_settle(store, NULL, &err); /* into the graph */
  if (st) fprintf(stderr, "%s\n", err.message);

  quoin_cursor_close(cursor);
  quoin_close(store);
  return st ? 1 : 0;
}
