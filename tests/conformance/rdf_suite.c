/* tests/conformance/rdf_suite.c - the W3C suites of RDF 1.1 for N-Triples, N-Quads, Turtle, TriG.
 *
 * Usage: rdf_suite KNOWN-FAILURES. Prints a line per suite and one per unexpected result; the known
 * failures are a file of lines "manifest-path test-name reason". Fails when a test fails that is
 * not listed, when a listed one passes, or when the number of tests differs from COUNTS.tsv. */
#include "conformance/isomorphism.h"
#include "conformance/manifest.h"

#include <stdio.h>
#include <stdlib.h>

enum { SKIPPED = 77 };

typedef struct suite {
  const char *manifest;
  const char *prefix; /* of the types in RDFT */
  rdfio_format format;
} suite;

static const suite SUITES[] = {
    {"rdf/rdf11/rdf-n-triples/manifest.ttl", "TestNTriples", RDFIO_NTRIPLES},
    {"rdf/rdf11/rdf-n-quads/manifest.ttl", "TestNQuads", RDFIO_NQUADS},
    {"rdf/rdf11/rdf-turtle/manifest.ttl", "TestTurtle", RDFIO_TURTLE},
    {"rdf/rdf11/rdf-trig/manifest.ttl", "TestTrig", RDFIO_TRIG},
};

typedef struct run {
  const char *shared;
  const suite *suite;
  char *known; /* text of the list of known failures */
  long passed, total, unexpected;
  long positive, negative, eval;
} run;

static bool
is_known_failure(const run *r, const manifest_test *test)
{
  char key[600];
  if (!r->known) return false;
  snprintf(key, sizeof(key), "%s %.*s ", test->manifest, (int)test->name.len, test->name.ptr);
  return strstr(r->known, key) != NULL;
}

/* Read the test's input; why it failed goes to `err`. */
static quoin_status
read_iri(dataset *d, const run *r, rdfio_format format, const rdf_term *iri, quoin_error *err)
{
  char file[1024];
  bool has_base = format == RDFIO_TURTLE || format == RDFIO_TRIG;
  if (!iri || !manifest_file(file, sizeof(file), r->shared, iri->value))
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "the test names no file of the suite");
  return dataset_read(d, file, format, has_base ? iri->value : (quoin_span){0}, err);
}

static bool
passes_eval(run *r, const manifest_test *test, const dataset *got, quoin_error *err)
{
  dataset want;
  dataset_init(&want);
  bool trig = r->suite->format == RDFIO_TRIG;
  quoin_status st = read_iri(&want, r, trig ? RDFIO_NQUADS : RDFIO_NTRIPLES, test->result, err);
  bool same = !st && quads_isomorphic(got->quads, got->n, want.quads, want.n);
  if (!st && !same)
    (void)!base_fail(err, QUOIN_ERR_CORRUPT, "%zu quads are not isomorphic to the %zu expected",
                     got->n, want.n);
  dataset_clear(&want);
  return same;
}

static bool
passes(run *r, const manifest_test *test, quoin_error *err)
{
  quoin_span kind = manifest_local_name(test->type);
  size_t skip = strlen(r->suite->prefix);
  dataset got;
  if (kind.len < skip || memcmp(kind.ptr, r->suite->prefix, skip) != 0) return false;
  kind = (quoin_span){kind.ptr + skip, kind.len - skip};
  dataset_init(&got);
  quoin_status st = read_iri(&got, r, r->suite->format, test->action, err);
  bool good = false;
  if (base_span_is(kind, "PositiveSyntax")) {
    r->positive++;
    good = !st;
  } else if (base_span_is(kind, "NegativeSyntax") || base_span_is(kind, "NegativeEval")) {
    r->negative++;
    good = st == QUOIN_ERR_SYNTAX;
    if (!st) (void)!base_fail(err, QUOIN_ERR_CORRUPT, "accepted, but is not well formed");
  } else if (base_span_is(kind, "Eval")) {
    r->eval++;
    good = !st && passes_eval(r, test, &got, err);
  }
  dataset_clear(&got);
  return good;
}

static quoin_status
run_test(void *user, const manifest_test *test, quoin_error *err)
{
  run *r = user;
  quoin_error why = QUOIN_ERROR_INIT;
  bool good = passes(r, test, &why), known = is_known_failure(r, test);
  (void)err;
  r->total++;
  r->passed += good;
  if (good == !known) return QUOIN_OK;
  r->unexpected++;
  printf("  %s %s %.*s: %s:%llu:%llu: %s\n", good ? "passes but is listed:" : "FAILED",
         test->manifest, (int)test->name.len, test->name.ptr, why.file,
         (unsigned long long)why.line, (unsigned long long)why.column, why.message);
  return QUOIN_OK;
}

static long
expected(const run *r, const char *kind)
{
  char type[64];
  snprintf(type, sizeof(type), "%s%s", r->suite->prefix, kind);
  long n = manifest_count(r->shared, "rdf11", r->suite->manifest, base_span(type));
  return n < 0 ? 0 : n;
}

static bool
run_suite(run *r)
{
  quoin_error err = QUOIN_ERROR_INIT;
  r->passed = r->total = r->unexpected = r->positive = r->negative = r->eval = 0;
  if (manifest_each(r->shared, r->suite->manifest, run_test, r, &err)) {
    printf("%s: the manifest cannot be read: %s:%llu:%llu: %s\n", r->suite->manifest, err.file,
           (unsigned long long)err.line, (unsigned long long)err.column, err.message);
    return false;
  }
  bool counts = r->positive == expected(r, "PositiveSyntax") &&
                r->negative == expected(r, "NegativeSyntax") + expected(r, "NegativeEval") &&
                r->eval == expected(r, "Eval") && r->total == r->positive + r->negative + r->eval;
  printf("%s: %ld / %ld\n", r->suite->manifest, r->passed, r->total);
  if (!counts) printf("  the number of tests differs from COUNTS.tsv\n");
  return counts && !r->unexpected;
}

static char *
read_text(const char *path)
{
  FILE *in = path ? fopen(path, "r") : NULL;
  size_t room = 1 << 20;
  if (!in) return NULL;
  char *text = calloc(room, 1);
  if (text) text[fread(text, 1, room - 1, in)] = '\0';
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
  run r = {.shared = shared, .known = read_text(argc > 1 ? argv[1] : NULL)};
  long passed = 0, total = 0;
  bool good = true;
  for (size_t i = 0; i < sizeof(SUITES) / sizeof(SUITES[0]); i++) {
    r.suite = &SUITES[i];
    good = run_suite(&r) && good;
    passed += r.passed;
    total += r.total;
  }
  printf("rdf11: %ld / %ld\n", passed, total);
  free(r.known);
  return good ? 0 : 1;
}
