/* tests/conformance/sparql_suite.c - the W3C suites of SPARQL 1.0 and 1.1: syntax and evaluation.
 *
 * Usage: sparql_suite KNOWN-FAILURES [NAME]. Prints a line per suite and kind of test and one per
 * unexpected result. A known failure is a line "manifest-path test-name reason"; it is an error
 * when one passes. With NAME only the tests whose name contains it run, and each is reported.
 * Exit 1 as well when there are fewer tests than COUNTS.tsv has. */
#include "conformance/sparql_suite.h"
#include "sparql/sparql.h"

#include <stdio.h>
#include <stdlib.h>

enum { SKIPPED = 77 };

typedef enum kind {
  KIND_QUERY_SYNTAX,
  KIND_UPDATE_SYNTAX,
  KIND_EVALUATION,
  KIND_UPDATE,
  KIND_COUNT
} kind;

static const char *const KIND_NAMES[KIND_COUNT] = {"query syntax", "update syntax",
                                                   "query evaluation", "update evaluation"};

/* The types of test that are run. */
static const struct {
  const char *type;
  kind kind;
  bool positive;
} TYPES[] = {
    {"PositiveSyntaxTest", KIND_QUERY_SYNTAX, true},
    {"PositiveSyntaxTest11", KIND_QUERY_SYNTAX, true},
    {"NegativeSyntaxTest", KIND_QUERY_SYNTAX, false},
    {"NegativeSyntaxTest11", KIND_QUERY_SYNTAX, false},
    {"PositiveUpdateSyntaxTest11", KIND_UPDATE_SYNTAX, true},
    {"NegativeUpdateSyntaxTest11", KIND_UPDATE_SYNTAX, false},
    {"QueryEvaluationTest", KIND_EVALUATION, true},
    {"CSVResultFormatTest", KIND_EVALUATION, true},
    {"UpdateEvaluationTest", KIND_UPDATE, true},
};
enum { N_TYPES = sizeof(TYPES) / sizeof(TYPES[0]) };

typedef struct run {
  const char *shared, *name;
  char *known;
  long passed[KIND_COUNT], total[KIND_COUNT], by_type[N_TYPES];
  long failed, known_failed, unexpected, not_run;
} run;

quoin_status
sparql_suite_text(base_buffer *out, const char *shared, const rdf_term *iri, quoin_error *err)
{
  char path[1024], block[4096];
  if (!iri || !manifest_file(path, sizeof(path), shared, iri->value))
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "the test names no file of the suite");
  FILE *in = fopen(path, "rb");
  if (!in) return base_fail(err, QUOIN_ERR_IO, "%s cannot be opened", path);
  size_t n;
  while ((n = fread(block, 1, sizeof(block), in)) > 0)
    base_buffer_add(out, block, n);
  fclose(in);
  return out->failed ? base_fail_nomem(err) : QUOIN_OK;
}

static bool
passes_syntax(const run *r, const manifest_test *test, kind k, bool positive, quoin_error *err)
{
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  quoin_status st = sparql_suite_text(&text, r->shared, test->action, err);
  bool good = false;
  if (!st) {
    quoin_span span = {text.data, text.len};
    if (k == KIND_QUERY_SYNTAX) {
      sparql_query *query = NULL;
      st = sparql_query_parse(&query, span, test->action->value, base_alloc_default(), err);
      sparql_query_free(query);
    } else {
      st = sparql_update_check(span, test->action->value, base_alloc_default(), err);
    }
    good = positive ? st == QUOIN_OK : st == QUOIN_ERR_SYNTAX;
    if (!good && !st) (void)!base_fail(err, QUOIN_ERR_CORRUPT, "accepted, but is not well formed");
  }
  base_buffer_clear(&text);
  return good;
}

static bool
is_known_failure(const run *r, const manifest_test *test)
{
  char key[600];
  if (!r->known) return false;
  snprintf(key, sizeof(key), "\n%s %.*s: ", test->manifest, (int)test->name.len, test->name.ptr);
  return strstr(r->known, key) != NULL;
}

/* Entailment regimes are beyond a store. What SERVICE asks is served here, if it is built in. */
static bool
is_applicable(const manifest_test *test)
{
#ifdef QUOIN_SERVICE
  const bool services = true;
#else
  const bool services = false;
#endif
  return !strstr(test->manifest, "sparql11/entailment/") &&
         (services || !test->action ||
          !dataset_object(test->graph, test->action, QT "serviceData"));
}

static void
report(run *r, const manifest_test *test, bool good, const quoin_error *why)
{
  bool known = is_known_failure(r, test);
  if (!good && known) r->known_failed++;
  if (good == !known && !r->name) return;
  r->unexpected += good == known;
  printf("  %s %s %.*s", good ? known ? "passes but is listed:" : "passes" : "FAILED",
         test->manifest, (int)test->name.len, test->name.ptr);
  if (why->status || why->message[0])
    printf(": %llu:%llu: %s", (unsigned long long)why->line, (unsigned long long)why->column,
           why->message);
  printf("\n");
}

static quoin_status
run_test(void *user, const manifest_test *test, quoin_error *err)
{
  run *r = user;
  size_t t = 0;
  quoin_span type = manifest_local_name(test->type);
  (void)err;
  while (t < N_TYPES && !base_span_is(type, TYPES[t].type))
    t++;
  if (t == N_TYPES || !is_applicable(test)) {
    r->not_run++;
    return QUOIN_OK;
  }
  r->by_type[t]++;
  if (r->name && !memmem(test->name.ptr, test->name.len, r->name, strlen(r->name))) return QUOIN_OK;
  quoin_error why = QUOIN_ERROR_INIT;
  kind k = TYPES[t].kind;
  bool good = k == KIND_EVALUATION ? !sparql_suite_evaluate(r->shared, test, &why)
              : k == KIND_UPDATE   ? !sparql_suite_update(r->shared, test, &why)
                                   : passes_syntax(r, test, k, TYPES[t].positive, &why);
  r->total[k]++;
  r->passed[k] += good;
  r->failed += !good;
  report(r, test, good, &why);
  return QUOIN_OK;
}

static bool
run_suite(run *r, const char *suite, const char *manifest)
{
  quoin_error err = QUOIN_ERROR_INIT;
  *r = (run){.shared = r->shared, .name = r->name, .known = r->known};
  if (manifest_each(r->shared, manifest, run_test, r, &err)) {
    printf("%s: the manifest cannot be read: %s:%llu:%llu: %s\n", manifest, err.file,
           (unsigned long long)err.line, (unsigned long long)err.column, err.message);
    return false;
  }
  bool good = r->unexpected == 0;
  for (size_t t = 0; t < N_TYPES; t++) {
    long want = manifest_count(r->shared, suite, NULL, base_span(TYPES[t].type));
    /* COUNTS.tsv leaves out SERVICE with remote data: it is the least that must be run. */
    if (r->by_type[t] >= (want < 0 ? 0 : want)) continue;
    printf("  %s: %ld tests %s, but COUNTS.tsv has %ld\n", suite, r->by_type[t], TYPES[t].type,
           want);
    good = false;
  }
  for (int k = 0; k < KIND_COUNT; k++)
    if (r->total[k]) printf("%s %s: %ld / %ld\n", suite, KIND_NAMES[k], r->passed[k], r->total[k]);
  printf("%s: %ld known failures; %ld tests of other kinds not run\n", suite, r->known_failed,
         r->not_run);
  return good;
}

/* The file behind one newline, so that each line begins with one. */
static char *
read_known(const char *path)
{
  enum { ROOM = 1 << 20 };
  FILE *in = path ? fopen(path, "rb") : NULL;
  if (!in) return NULL;
  char *text = calloc(ROOM, 1);
  if (text) {
    text[0] = '\n';
    text[1 + fread(text + 1, 1, ROOM - 2, in)] = '\0';
  }
  fclose(in);
  return text;
}

int
main(int argc, char **argv)
{
  const char *shared = getenv("QUOIN_SHARED");
  char counts[1024];
  snprintf(counts, sizeof(counts), "%s/w3c/COUNTS.tsv", shared ? shared : "");
  FILE *there = shared && *shared ? fopen(counts, "r") : NULL;
  if (!there) {
    printf("skipped: QUOIN_SHARED names no folder with w3c/COUNTS.tsv\n");
    return SKIPPED;
  }
  fclose(there);
  run r = {.shared = shared,
           .known = read_known(argc > 1 ? argv[1] : NULL),
           .name = argc > 2 ? argv[2] : NULL};
  bool good = run_suite(&r, "sparql10", "sparql/sparql10/manifest.ttl");
  good = run_suite(&r, "sparql11", "sparql/sparql11/manifest-all.ttl") && good;
  free(r.known);
  return good ? 0 : 1;
}
