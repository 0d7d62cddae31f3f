/* Loads made up at random: vectors and declarations anywhere in up to three sources, against a
 * model of what fits. */
#include "unit/test_load_support.h"

enum { LARGE = 110000 };

static uint64_t
next(fixture *f)
{
  f->seed += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(f->seed);
}

static unsigned
below(fixture *f, unsigned n)
{
  return (unsigned)(next(f) % n);
}

enum { PREDICATES = 3 };

/* A vector of the input: `size` 0 is an ill-typed one. */
typedef struct entry {
  unsigned source, line, predicate, dimension;
  bool zero;
} entry;

typedef struct input {
  base_buffer text[SOURCES];
  unsigned lines[SOURCES], n_sources;
  unsigned dimension[PREDICATES]; /* 0: no index */
  bool l2[PREDICATES], said[PREDICATES];
  entry vector[MOST];
  size_t n;
  uint64_t others; /* statements that are no vectors */
  bool trig;
} input;

static void
put_other(input *in, unsigned source, const char *graph, const char *text)
{
  base_buffer *to = &in->text[source];
  if (in->trig && graph)
    base_buffer_printf(to, "%s { %s . }\n", graph, text);
  else
    base_buffer_printf(to, "%s %s .\n", text, graph ? graph : "");
  in->lines[source]++;
  in->others++;
}

static void
put_declaration(input *in, fixture *f, unsigned p)
{
  char text[200];
  const unsigned parts = in->l2[p] ? 3 : 2;
  for (unsigned part = 0; part < parts; part++) {
    const unsigned source = below(f, in->n_sources);
    if (part == 0)
      (void)snprintf(text, sizeof(text), "<http://x/v%u> <" RDF_NS "type> <" RDF_VEC "Index>", p);
    else if (part == 1)
      (void)snprintf(text, sizeof(text),
                     "<http://x/v%u> <" RDF_VEC "dimension> \"%u\"^^<" RDF_XSD "integer>", p,
                     in->dimension[p]);
    else
      (void)snprintf(text, sizeof(text), "<http://x/v%u> <" RDF_VEC "metric> <" RDF_VEC "l2Metric>",
                     p);
    put_other(in, source, SYSTEM, text);
  }
  in->said[p] = true;
}

static void
put_vector(input *in, fixture *f)
{
  const unsigned source = below(f, in->n_sources), p = below(f, PREDICATES), luck = below(f, 12);
  entry e = {.source = source, .predicate = p, .line = ++in->lines[source]};
  base_buffer *to = &in->text[source];
  e.dimension = luck < 8 ? 3 : luck == 8 ? 0 : 1 + below(f, 4);
  e.zero = luck == 10;
  base_buffer_printf(to, "<http://x/s%zu> <http://x/v%u> \"[", in->n, p);
  for (unsigned i = 0; i < e.dimension; i++)
    base_buffer_printf(to, "%s%u", i ? "," : "", e.zero ? 0 : 1 + below(f, 9));
  base_buffer_printf(to, "%s\"^^<" RDF_VEC_F32 "> .\n", e.dimension ? "]" : "1,");
  in->vector[in->n++] = e;
}

static void
make_input(input *in, fixture *f, bool large)
{
  *in = (input){.n_sources = 1 + below(f, SOURCES), .trig = below(f, 3) == 0};
  for (unsigned i = 0; i < in->n_sources; i++)
    base_buffer_init(&in->text[i], base_alloc_default());
  for (unsigned p = 0; p < PREDICATES; p++) {
    in->dimension[p] = below(f, 4) ? 3 : 0;
    in->l2[p] = below(f, 2);
  }
  const unsigned steps = large ? LARGE : 40;
  for (unsigned step = 0; step < steps; step++) {
    const unsigned p = below(f, PREDICATES);
    if (in->dimension[p] && !in->said[p] && below(f, steps) < 4) put_declaration(in, f, p);
    if (in->n < MOST && below(f, steps) < (large ? 300 : 20)) {
      put_vector(in, f);
    } else {
      char text[120];
      (void)snprintf(text, sizeof(text), "<http://x/t%u> <http://x/q%u> \"[%u]\"", step, step % 5,
                     step % 100);
      put_other(in, below(f, in->n_sources), NULL, text);
    }
  }
  for (unsigned p = 0; p < PREDICATES; p++)
    if (in->dimension[p] && !in->said[p]) put_declaration(in, f, p);
  for (unsigned i = 0; i < in->n_sources; i++)
    base_buffer_byte(&in->text[i], '\0');
}

/* What is wrong with it, or NULL. */
static const char *
fault(const input *in, const entry *e)
{
  if (!in->dimension[e->predicate]) return NULL;
  if (!e->dimension) return "is not well formed";
  if (e->dimension != in->dimension[e->predicate]) return "has another dimension";
  return e->zero && !in->l2[e->predicate] ? "is zero" : NULL;
}

static void
assert_entry(const input *in, const quoin_error *error, const entry *e)
{
  char what[80], column[120];
  const char file[] = {(char)('0' + e->source), '\0'};
  const unsigned subject = (unsigned)(e - in->vector);
  (void)snprintf(what, sizeof(what), "the vector of <http://x/s%u> %s", subject, fault(in, e));
  const int n =
      snprintf(column, sizeof(column), "<http://x/s%u> <http://x/v%u> ", subject, e->predicate);
  assert_place(error, file, e->line, (uint64_t)n + 1, what);
}

static int
compare_entries(const void *a, const void *b)
{
  const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
  if (x->source != y->source) return x->source < y->source ? -1 : 1;
  return x->line < y->line ? -1 : x->line > y->line;
}

static void
assert_loads(fixture *f, const input *in, unsigned threads)
{
  const entry *bad[MOST];
  const char *texts[SOURCES];
  size_t n_bad = 0;
  load_result result;
  quoin_error err;
  for (size_t i = 0; i < in->n; i++)
    if (fault(in, &in->vector[i])) bad[n_bad++] = &in->vector[i];
  qsort(bad, n_bad, sizeof(*bad), compare_entries);
  for (unsigned i = 0; i < in->n_sources; i++)
    texts[i] = in->text[i].data;
  const size before = size_of(f);
  for (int lenient = 0; lenient < 2; lenient++) {
    load_options options = options_of(f, lenient, threads);
    options.read.format = in->trig ? RDFIO_TRIG : RDFIO_NQUADS;
    options.memory_bytes = 4 << 20;
    const quoin_status st = load_texts(&result, f, texts, in->n_sources, &options, &err);
    if (!lenient && n_bad) {
      assert_int_equal(st, QUOIN_ERR_CONSTRAINT);
      assert_entry(in, &err, bad[0]);
      assert_as_before(f, before);
      continue;
    }
    if (st) fail_msg("%s", err.message);
    assert_int_equal(f->n_bad, n_bad);
    for (size_t i = 0; i < n_bad; i++)
      assert_entry(in, &f->bad[i], bad[i]);
    assert_int_equal(result.skipped, n_bad);
    assert_int_equal(result.statements, in->others + in->n - n_bad);
    assert_int_equal(size_of(f).quads, in->others + in->n - n_bad);
    if (!lenient) return;
  }
}

static void
random_loads(fixture *f, unsigned rounds, bool large)
{
  for (unsigned round = 0; round < rounds; round++) {
    input *in = calloc(1, sizeof(*in));
    assert_non_null(in);
    make_input(in, f, large);
    assert_loads(f, in, 1 + below(f, 3));
    for (unsigned i = 0; i < in->n_sources; i++)
      base_buffer_clear(&in->text[i]);
    free(in);
    close_store(f);
    open_store(f, base_alloc_default());
  }
}

static void
test_hold__any_small_load(void **state)
{
  random_loads(*state, 40, false);
}

static void
test_hold__any_large_load(void **state)
{
  random_loads(*state, 2, true);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_hold__any_small_load, setup, teardown),
      cmocka_unit_test_setup_teardown(test_hold__any_large_load, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
