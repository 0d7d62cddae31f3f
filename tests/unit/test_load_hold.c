/* Vectors whose index is declared by the load that brings them, or by somebody meanwhile: one that
 * does not fit fails the load with its place, or is passed over, counted and reported. */
#include "support/memory.h"
#include "unit/test_load_support.h"

/* One that does not fit, at this place: strict and lenient, with one thread and more. */
static void
assert_one_bad(fixture *f, const char *const *texts, size_t n, rdfio_format format,
               const char *file, uint64_t line, uint64_t column, const char *what, uint64_t added)
{
  load_result result;
  quoin_error err;
  for (unsigned threads = 1; threads <= 3; threads++) {
    const size before = size_of(f);
    load_options options = options_of(f, false, threads);
    options.read.format = format;
    assert_int_equal(load_texts(&result, f, texts, n, &options, &err), QUOIN_ERR_CONSTRAINT);
    assert_place(&err, file, line, column, what);
    assert_as_before(f, before);
    options.read.lenient = true;
    const quoin_status st = load_texts(&result, f, texts, n, &options, &err);
    if (st) fail_msg("%s", err.message);
    assert_int_equal(f->n_bad, 1);
    assert_place(&f->bad[0], file, line, column, what);
    assert_int_equal(result.skipped, 1);
    assert_int_equal(result.added, added);
    assert_int_equal(result.statements, added);
    assert_int_equal(size_of(f).quads, added);
    close_store(f);
    open_store(f, base_alloc_default());
  }
}

/* ---- small loads ------------------------------------------------------------------------------
 */

static void
test_hold__the_declaration_before_or_after(void **state)
{
  const char *const before = DECLARE("z", "4") GOOD "\n" SHORT;
  const char *const after = GOOD "\n" SHORT DECLARE("z", "4");
  const char *const between = TYPE("z") SYSTEM " .\n" GOOD SHORT DIMENSION("z", "4") SYSTEM " .\n";
  const char *const what = "the vector of <http://x/b> has another dimension; the index has 4 "
                           "dimensions: <http://x/z>";
  assert_one_bad(*state, &before, 1, RDFIO_NQUADS, "0", 5, 27, what, 3);
  assert_one_bad(*state, &after, 1, RDFIO_NQUADS, "0", 3, 27, what, 3);
  assert_one_bad(*state, &between, 1, RDFIO_NQUADS, "0", 3, 27, what, 3);
}

static void
test_hold__the_declaration_in_another_file(void **state)
{
  const char *const later[] = {GOOD SHORT, "# nothing\n", DECLARE("z", "4")};
  const char *const sooner[] = {DECLARE("z", "4"), GOOD "# here:\n\n" SHORT};
  const char *const what = "<http://x/b> has another dimension";
  assert_one_bad(*state, later, 3, RDFIO_NQUADS, "0", 2, 27, what, 3);
  assert_one_bad(*state, sooner, 2, RDFIO_NQUADS, "1", 4, 27, what, 3);
}

static void
test_hold__what_is_wrong_is_said(void **state)
{
  const char *const zero = "<http://x/b> <http://x/z> " V("[0,0]") " .\n" DECLARE("z", "2");
  const char *const ill = "_:b <http://x/z> " V("[1,") " .\n" DECLARE("z", "2");
  const char *const json =
      "<http://x/b> <http://x/z> \"[1,2,3]\"^^<" RDF_NS "JSON> <http://x/g> .\n" DECLARE("z", "2");
  const char *const system = "<http://x/b> <http://x/z> " V("[3]") SYSTEM " .\n" DECLARE("z", "2");
  assert_one_bad(*state, &zero, 1, RDFIO_NQUADS, "0", 1, 27,
                 "the vector of <http://x/b> is zero, which has no cosine", 2);
  assert_one_bad(*state, &ill, 1, RDFIO_NQUADS, "0", 1, 18,
                 "the vector of a blank node is not well formed", 2);
  assert_one_bad(*state, &json, 1, RDFIO_NQUADS, "0", 1, 27, "has another dimension", 2);
  assert_one_bad(*state, &system, 1, RDFIO_NQUADS, "0", 1, 27, "has another dimension", 2);
}

static void
test_hold__what_fits_is_loaded(void **state)
{
  static const char *const texts[] = {
      GOOD SHORT, /* no index */
      GOOD DECLARE("z", "4") "<http://x/c> <http://x/z> <http://x/d> .\n"
                             "<http://x/c> <http://x/z> \"[1]\" .\n"
                             "<http://x/c> <http://x/z> \"{\"^^<" RDF_NS "JSON> .\n",
      DECLARE("z", "4") DECLARE("z", "4") GOOD GOOD, /* said twice */
      "<http://x/c> <http://x/z> " V("[0,0]") " .\n" DECLARE("z", "2") METRIC("z", "l2") SYSTEM
      " .\n",
  };
  static const uint64_t added[] = {2, 6, 3, 4};
  fixture *f = *state;
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    load_result result;
    quoin_error err;
    const load_options options = options_of(f, false, 2);
    const quoin_status st = load_texts(&result, f, &texts[i], 1, &options, &err);
    if (st) fail_msg("%zu: %s", i, err.message);
    assert_int_equal(result.added, added[i]);
    assert_int_equal(result.skipped, 0);
    assert_int_equal(size_of(f).quads, added[i]);
    close_store(f);
    open_store(f, base_alloc_default());
  }
}

/* The store has a part of it; what is there already is no contradiction. */
static void
test_hold__the_store_says_the_rest(void **state)
{
  static const char *const first = "<http://x/z> <http://x/label> \"z\" " SYSTEM " .\n";
  static const char *const bad = SHORT DECLARE("z", "4") GOOD;
  fixture *f = *state;
  load_result result;
  quoin_error err;
  const load_options options = options_of(f, false, 1);
  assert_int_equal(load_texts(&result, f, &first, 1, &options, &err), QUOIN_OK);
  const size before = size_of(f);
  assert_int_equal(load_texts(&result, f, &bad, 1, &options, &err), QUOIN_ERR_CONSTRAINT);
  assert_place(&err, "0", 1, 27, "<http://x/b> has another dimension");
  assert_as_before(f, before);
  /* The metric is said later, of an index that has no vectors yet. */
  static const char *const index = DECLARE("z", "4");
  assert_int_equal(load_texts(&result, f, &index, 1, &options, &err), QUOIN_OK);
  static const char *const again = DECLARE("z", "4") METRIC("z", "dot") SYSTEM " .\n";
  assert_int_equal(load_texts(&result, f, &again, 1, &options, &err), QUOIN_OK);
  assert_int_equal(result.added, 1);
}

static void
test_hold__bad_declarations_fail(void **state)
{
  static const struct {
    const char *text, *what;
    uint64_t line; /* of a literal with a datatype, that of what is wrong before others; 0: none */
    rdfio_format format;
  } bad[] = {
      {GOOD TYPE("z") SYSTEM " .\n", "vec:dimension is missing", 0, RDFIO_NQUADS},
      {GOOD DIMENSION("z", "4") SYSTEM " .\n", "not said to be a vec:Index", 2, RDFIO_NQUADS},
      {DECLARE("z", "4") GOOD DIMENSION("z", "5") SYSTEM " .\n", "vec:dimension is said once", 4,
       RDFIO_NQUADS},
      {DIMENSION("z", "5") SYSTEM " .\n" DECLARE("z", "4"),
       "vec:dimension is said once, found '5' and '4'", 3, RDFIO_NQUADS},
      {GOOD DECLARE("z", "4") METRIC("z", "l2") SYSTEM " .\n" METRIC("z", "dot") SYSTEM " .\n",
       "vec:metric is one of", 3, RDFIO_NQUADS},
      {GOOD DECLARE("z", "four"), "expected an integer", 3, RDFIO_NQUADS},
      {"# no vectors\n" DECLARE("y", "4") DECLARE("z", "99999"), "65535 dimensions", 5,
       RDFIO_NQUADS},
      {"@prefix vec: <urn:x-quoin:vec#> .\n" SYSTEM " { <http://x/z> a vec:Index ;\n"
       "    vec:metric vec:l2Metric ;\n  vec:m 1 ; vec:dimension 4 . }\n",
       "m is from 4 to 64", 4, RDFIO_TRIG},
  };
  fixture *f = *state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    for (int lenient = 0; lenient < 2; lenient++) {
      load_result result;
      quoin_error err;
      load_options options = options_of(f, lenient, 2);
      options.read.format = bad[i].format;
      assert_int_equal(load_texts(&result, f, &bad[i].text, 1, &options, &err),
                       QUOIN_ERR_CONSTRAINT);
      if (!strstr(err.message, bad[i].what) || !strstr(err.message, "vector index <http://x/z>") ||
          err.line != bad[i].line || strcmp(err.file, "0") != 0)
        fail_msg("%s:%d: %s", err.file, (int)err.line, err.message);
      assert_int_equal(f->n_bad, 0);
      assert_int_equal(size_of(f).quads, 0);
      assert_int_equal(size_of(f).terms, 0);
    }
  }
}

/* Vectors of the store have no place; nothing can pass over them. */
static void
test_hold__vectors_of_the_store_contradict(void **state)
{
  static const char *const first = SHORT, *const second = GOOD DECLARE("z", "4");
  fixture *f = *state;
  load_result result;
  quoin_error err;
  load_options options = options_of(f, false, 1);
  assert_int_equal(load_texts(&result, f, &first, 1, &options, &err), QUOIN_OK);
  const size before = size_of(f);
  for (int lenient = 0; lenient < 2; lenient++) {
    options.read.lenient = lenient;
    assert_int_equal(load_texts(&result, f, &second, 1, &options, &err), QUOIN_ERR_CONSTRAINT);
    assert_non_null(strstr(err.message, "the vector of <http://x/b> has another dimension"));
    assert_int_equal(err.line, 0);
    assert_as_before(f, before);
  }
}

/* ---- TriG and Turtle --------------------------------------------------------------------------
 */

#define PREFIXES "@prefix : <http://x/> . @prefix vec: <" RDF_VEC "> .\n"
#define TRIG_DECLARE SYSTEM " { :z a vec:Index ; vec:dimension 2 }\n"

static void
test_hold__statements_of_trig_and_turtle(void **state)
{
  const char *const before =
      PREFIXES TRIG_DECLARE ":a :z \"[1,2]\"^^vec:f32 ;\n  :n 1 , 2 .\n:b :z '[1]' ,\n"
                            "   '''[1]''' ^^vec:f32 .\n";
  const char *const after = PREFIXES ":a :z \"[1,2]\"^^vec:f32 , \"[2,1]\"^^vec:f32 .\n"
                                     ":b :l \"[1]\" ; :z \"\\u005B1]\"^^vec:f32 .\n" TRIG_DECLARE;
  const char *const turtle[] = {PREFIXES ":a :n 1 .\n:b :z [ :z \"[1]\"^^vec:f32 ] .\n",
                                DECLARE("z", "2")};
  fixture *f = *state;
  load_result result;
  quoin_error err;
  assert_one_bad(f, &before, 1, RDFIO_TRIG, "0", 6, 4, "<http://x/b> has another dimension", 6);
  assert_one_bad(f, &after, 1, RDFIO_TRIG, "0", 3, 18, "<http://x/b> has another dimension", 5);
  /* Turtle has no graphs: the option, or another file, names that of the declaration. */
  const char *const system = PREFIXES ":b :z \"[1]\"^^vec:f32 . :z a vec:Index ; vec:dimension 2 .";
  const rdf_term graph = {.kind = RDF_IRI, .value = base_span(VEC_SYSTEM_GRAPH)};
  load_options options = options_of(f, false, 1);
  options.read.format = RDFIO_TURTLE;
  options.graph = &graph;
  assert_int_equal(load_texts(&result, f, &system, 1, &options, &err), QUOIN_ERR_CONSTRAINT);
  assert_place(&err, "0", 2, 7, "<http://x/b> has another dimension");
  assert_int_equal(size_of(f).quads, 0);
  /* Two syntaxes in one load: by the names of the files. */
  rdfio_source *sources[2];
  options = options_of(f, true, 1);
  options.read.format = RDFIO_UNKNOWN;
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(rdfio_source_memory(&sources[i], base_span(turtle[i]), i ? "d.nq" : "v.ttl",
                                         base_alloc_default(), &err),
                     QUOIN_OK);
  assert_int_equal(
      load_sources(&result, f->store, sources, 2, &options, base_alloc_default(), &err), QUOIN_OK);
  rdfio_source_close(sources[0]);
  rdfio_source_close(sources[1]);
  assert_int_equal(f->n_bad, 1);
  assert_place(&f->bad[0], "v.ttl", 3, 12, "the vector of a blank node has another dimension");
  assert_int_equal(size_of(f).quads, 4);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static void
put_lines(FILE *out, unsigned from, unsigned to)
{
  for (unsigned i = from; i < to; i++)
    fprintf(out, "<http://x/s%u> <http://x/p%u> <http://x/o%u> .\n", i, i % 7, i * 31 % 1000);
}

/* Compressed, and through standard input, which can be read only once: more than a small load. */
static void
test_hold__compressed_files_and_standard_input(void **state)
{
  enum { BEFORE = 101000, AFTER = 5000 };
  fixture *f = *state;
  char file[96], command[256], packed[104];
  (void)snprintf(file, sizeof(file), "%s.nq", f->path);
  (void)snprintf(packed, sizeof(packed), "%s.gz", file);
  FILE *out = fopen(file, "w");
  assert_non_null(out);
  put_lines(out, 0, BEFORE);
  fputs(SHORT, out);
  put_lines(out, BEFORE, BEFORE + AFTER);
  fputs(GOOD DECLARE("z", "4"), out);
  assert_int_equal(fclose(out), 0);
  (void)snprintf(command, sizeof(command), "gzip -1 -c %s > %s", file, packed);
  assert_int_equal(system(command), 0);
  for (unsigned i = 0; i < 4; i++) {
    rdfio_source *source;
    load_result result;
    quoin_error err = QUOIN_ERROR_INIT;
    const bool lenient = i % 2, piped = i >= 2;
    const char *const name = piped ? "-" : packed;
    const load_options options = options_of(f, lenient, 1 + (i + 1) % 3);
    if (piped) assert_non_null(freopen(file, "r", stdin));
    assert_int_equal(rdfio_source_open(&source, name, base_alloc_default(), &err), QUOIN_OK);
    const quoin_status st =
        load_sources(&result, f->store, &source, 1, &options, base_alloc_default(), &err);
    rdfio_source_close(source);
    assert_int_equal(st, lenient ? QUOIN_OK : QUOIN_ERR_CONSTRAINT);
    assert_int_equal(f->n_bad, lenient);
    assert_place(lenient ? &f->bad[0] : &err, name, BEFORE + 1, 27, "<http://x/b> has another");
    assert_int_equal(size_of(f).quads, lenient ? BEFORE + AFTER + 3 : 0);
    if (lenient) assert_int_equal(result.skipped, 1);
    if (lenient) assert_int_equal(result.statements, BEFORE + AFTER + 3);
    if (lenient) close_store(f);
    if (lenient) open_store(f, base_alloc_default());
  }
  assert_int_equal(unlink(file), 0);
  assert_int_equal(unlink(packed), 0);
}

static void
test_hold__a_load_does_not_change_what_has_vectors(void **state)
{
  enum { MANY = 101000 };
  fixture *f = *state;
  load_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  const load_options options = options_of(f, false, 2);
  const char *const first = DECLARE("z", "4") GOOD;
  char *text = NULL;
  size_t bytes;
  assert_int_equal(load_texts(&result, f, &first, 1, &options, &err), QUOIN_OK);
  const size before = size_of(f);
  for (unsigned lines = 0; lines <= MANY; lines += MANY) { /* as a commit, in bulk */
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    put_lines(out, 0, lines);
    fputs(METRIC("z", "l2") SYSTEM " .\n", out);
    assert_int_equal(fclose(out), 0);
    const char *const second = text;
    assert_int_equal(load_texts(&result, f, &second, 1, &options, &err), QUOIN_ERR_CONSTRAINT);
    assert_non_null(strstr(err.message, "its dimension and its metric cannot be changed"));
    assert_as_before(f, before);
    free(text);
  }
}

/* ---- declared by others meanwhile ------------------------------------------------------------ */

typedef struct meddler {
  fixture *f;
  unsigned calls;
} meddler;

static quoin_status
meddle(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  static const char text[] = GOOD SHORT;
  meddler *m = user;
  *got = 0;
  if (m->calls++) return QUOIN_OK;
  static const char *const index = DECLARE("z", "4");
  load_result result;
  const load_options options = {.read.format = RDFIO_NQUADS, .read.threads = 1};
  assert_int_equal(load_texts(&result, m->f, &index, 1, &options, err), QUOIN_OK);
  assert_true(cap >= sizeof(text));
  memcpy(data, text, sizeof(text) - 1);
  *got = sizeof(text) - 1;
  return QUOIN_OK;
}

static void
test_hold__an_index_that_came_meanwhile(void **state)
{
  fixture *f = *state;
  for (int lenient = 0; lenient < 2; lenient++) {
    meddler m = {.f = f};
    rdfio_source *source;
    load_result result;
    quoin_error err = QUOIN_ERROR_INIT;
    const load_options options = options_of(f, lenient, 1);
    assert_int_equal(
        rdfio_source_callback(&source, meddle, &m, "stream", base_alloc_default(), &err), QUOIN_OK);
    const quoin_status st =
        load_sources(&result, f->store, &source, 1, &options, base_alloc_default(), &err);
    rdfio_source_close(source);
    assert_int_equal(st, lenient ? QUOIN_OK : QUOIN_ERR_CONSTRAINT);
    assert_place(lenient ? &f->bad[0] : &err, "stream", 2, 27, "<http://x/b> has another");
    assert_int_equal(size_of(f).quads, lenient ? 3 : 2);
    close_store(f);
    open_store(f, base_alloc_default());
  }
}

/* ---- no memory --------------------------------------------------------------------------------
 */

static void
test_hold__each_allocation_may_fail(void **state)
{
  static const char *const text = SHORT DECLARE("z", "4") GOOD;
  fixture *f = *state;
  support_memory m = {0};
  const base_alloc mem = support_alloc(&m);
  uint64_t failed = 0;
  for (uint64_t at = 1;; at++) {
    rdfio_source *source;
    load_result result;
    quoin_error err = QUOIN_ERROR_INIT;
    const load_options options = options_of(f, true, 1);
    const size before = size_of(f);
    assert_int_equal(rdfio_source_memory(&source, base_span(text), "0", base_alloc_default(), &err),
                     QUOIN_OK);
    support_memory_fail(&m, at);
    const quoin_status st = load_sources(&result, f->store, &source, 1, &options, &mem, &err);
    rdfio_source_close(source);
    assert_int_equal(m.blocks, 0);
    assert_int_equal(m.bytes, 0);
    if (m.calls < at) {
      assert_int_equal(st, QUOIN_OK);
      assert_int_equal(result.skipped, 1);
      break;
    }
    if (!st) { /* what failed was not needed */
      close_store(f);
      open_store(f, base_alloc_default());
      continue;
    }
    assert_int_equal(st, QUOIN_ERR_NOMEM);
    assert_int_equal(size_of(f).quads, before.quads);
    failed++;
  }
  assert_true(failed > 10);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_hold__##name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(the_declaration_before_or_after),
      TEST(the_declaration_in_another_file),
      TEST(what_is_wrong_is_said),
      TEST(what_fits_is_loaded),
      TEST(the_store_says_the_rest),
      TEST(bad_declarations_fail),
      TEST(vectors_of_the_store_contradict),
      TEST(statements_of_trig_and_turtle),
      TEST(compressed_files_and_standard_input),
      TEST(a_load_does_not_change_what_has_vectors),
      TEST(an_index_that_came_meanwhile),
      TEST(each_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
