/* Indexes that have no graph: declared as none can be, by a build that took it, or without
 * addresses for one. The store opens, searches are exact, and a graph is made once that can be. */
#include "unit/vector_index_world.h"

#include "base/base.h"

#include <string.h>

#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LIMITS = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { LIMITS = 0 };
#else
enum { LIMITS = 1 };
#endif
#else
enum { LIMITS = 1 };
#endif

enum { SOME = 300 };

static unsigned warnings; /* as the log of the store that is open has them */
static char said[512];

static void
log_line(void *user, const char *line)
{
  (void)user;
  if (!strstr(line, "has no graph") && !strstr(line, "vector graph:")) return;
  (void)snprintf(said, sizeof(said), "%s", line);
  __atomic_fetch_add(&warnings, 1, __ATOMIC_SEQ_CST);
}

static quoin_status
open_quads(world *w, bool read_only)
{
  const quad_store_options options = {.read_only = read_only, .log = log_line};
  warnings = 0;
  return quad_store_open(&w->store, w->path, &options, NULL, &err);
}

static quoin_status
attach(world *w, bool read_only)
{
  const vec_options vectors = {.read_only = read_only, .walk_always = true};
  return vec_attach(w->store, &vectors, &err);
}

static void
reopen(world *w, bool read_only)
{
  good(open_quads(w, read_only));
  good(attach(w, read_only));
  look(w);
}

static vec_counts
counted(world *w)
{
  vec_counts counts;
  look(w);
  vec_declaration d = declared(w);
  good(vec_index_count(&counts, w->snapshot, &d, NULL, &err));
  return counts;
}

/* It is searched by one scan, or through its graph; either finds what exact search finds. */
static void
expect_graph(world *w, bool graph)
{
  assert_int_equal(counted(w).missing, !graph);
  expect_recall(recall(w, graph ? VEC_CHOICE_GRAPH : VEC_CHOICE_SCAN, NULL, NULL, 0));
}

static void
expect_verdict(world *w, quoin_status expected, const char *why)
{
  vec_check_report report;
  look(w);
  vec_declaration d = declared(w);
  quoin_status st = quad_store_check(w->store, NULL, NULL, NULL, &err);
  if (st != expected || (st && !strstr(err.message, why)))
    fail_msg("status %d: %s", (int)st, err.message);
  base_error_clear(&err);
  assert_int_equal(vec_index_check(&report, w->snapshot, &d, false, NULL, &err), expected);
  base_error_clear(&err);
}

/* What the thread does in its own time. */
static void
await_graph(world *w)
{
  for (int i = 0; i < 1000 && counted(w).missing; i++)
    usleep(10000);
  settle(w);
  expect_graph(w, true);
  vec_counts counts = counted(w);
  assert_int_equal(counts.linked, counts.vectors);
  expect_verdict(w, QUOIN_OK, "");
}

/* ---- declarations -----------------------------------------------------------------------------
 */

static void
test_without__a_declaration_that_no_graph_can_follow(void **state)
{
  static const struct {
    const char *word, *value, *why;
  } faults[] = {{RDF_VEC "efConstruction", "8", "efConstruction is from m, which is 16"},
                {RDF_VEC "m", "65", "m is from 4 to 64, not 65"}};
  (void)state;
  for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
    world w;
    begin(&w);
    close_store(&w);
    good(open_quads(&w, false)); /* nobody judges */
    good(declare(&w, P, "16", NULL));
    good(change(&w, true, iri(P), faults[i].word, number(faults[i].value), VEC_SYSTEM_GRAPH));
    good(change(&w, true, iri(P), RDF_VEC "mertic", iri(RDF_VEC "l2Metric"), VEC_SYSTEM_GRAPH));
    add_many(&w, "a", SOME, NULL);
    close_store(&w);

    reopen(&w, true);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(said, faults[i].why));
    assert_non_null(strstr(said, "<" P ">"));
    expect_graph(&w, false);
    expect_verdict(&w, QUOIN_ERR_ARGUMENT, faults[i].why);
    close_store(&w);

    reopen(&w, false);
    assert_int_equal(warnings, 1);
    add_many(&w, "b", SOME, NULL);
    expect_graph(&w, false);
    settle(&w); /* waits for nothing */
    quoin_status st = change(&w, true, iri("http://x/c"), P, vector_text("[1,2]"),
                             NULL); /* judged all the same */
    assert_int_equal(st, QUOIN_ERR_CONSTRAINT);
    base_error_clear(&err);
    close_store(&w);

    reopen(&w, false);
    /* one fault is mended, one is left */
    st = change(&w, false, iri(P), faults[i].word, number(faults[i].value), VEC_SYSTEM_GRAPH);
    assert_int_equal(st, QUOIN_ERR_CONSTRAINT);
    assert_non_null(strstr(err.message, "vec:mertic is not known"));
    base_error_clear(&err);
    quad_txn *txn;
    const rdf_term gone[2][4] = {
        {iri(P), iri(faults[i].word), number(faults[i].value), iri(VEC_SYSTEM_GRAPH)},
        {iri(P), iri(RDF_VEC "mertic"), iri(RDF_VEC "l2Metric"), iri(VEC_SYSTEM_GRAPH)}};
    good(quad_txn_begin(&txn, w.store, &err));
    good(quad_txn_remove(txn, gone[0], &err));
    good(quad_txn_remove(txn, gone[1], &err));
    good(quad_txn_commit(NULL, NULL, txn, &err));
    await_graph(&w);
    close_store(&w);
    reopen(&w, true);
    assert_int_equal(warnings, 0);
    expect_graph(&w, true);
    end(&w);
  }
}

/* ---- addresses --------------------------------------------------------------------------------
 */

static size_t
addresses_used(void)
{
  unsigned long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%lu", &pages), 1);
  fclose(f);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* So many bytes more may be mapped; 0: as many as there are. */
static void
limit_addresses(size_t more)
{
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
  limit.rlim_cur = more ? addresses_used() + more : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

/* Enough for a thread's stack, not for a graph. */
enum { LITTLE = 14 << 20 };

static void
test_without__addresses_at_the_open(void **state)
{
  (void)state;
  world w;
  if (!LIMITS) skip(); /* these map far more than they are asked to */
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", SOME, NULL);
  settle(&w);
  close_store(&w);
  for (int round = 0; round < 3; round++) {
    good(open_quads(&w, round == 2));
    limit_addresses(LITTLE);
    quoin_status st = attach(&w, round == 2);
    if (!st) look(&w);
    if (st) limit_addresses(0);
    good(st);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(said, "addresses"));
    expect_graph(&w, false);
    expect_verdict(&w, QUOIN_ERR_LIMIT, "addresses");
    limit_addresses(0);
    if (round == 0) { /* what was saved stays so, though more is committed */
      add_many(&w, "b", SOME, NULL);
      good(quad_checkpoint(w.store, &err));
    }
    if (round < 2) { /* and is taken up again */
      add_many(&w, round ? "d" : "c", 1, NULL);
      await_graph(&w);
    }
    close_store(&w);
  }
  reopen(&w, true);
  expect_graph(&w, true);
  expect_verdict(&w, QUOIN_OK, "");
  assert_int_equal(counted(&w).vectors, 2 * SOME + 2);
  end(&w);
}

static void
test_without__addresses_to_grow(void **state)
{
  (void)state;
  world w;
  if (!LIMITS) skip();
  begin(&w);
  good(declare(&w, P, "16", NULL)); /* which takes none */
  close_store(&w);
  good(open_quads(&w, false));
  limit_addresses(LITTLE);
  quoin_status st = attach(&w, false);
  if (st) limit_addresses(0);
  good(st);
  look(&w);
  assert_int_equal(warnings, 0);
  add_many(&w, "a", SOME, NULL);
  for (int i = 0; i < 1000 && !counted(&w).missing; i++)
    usleep(10000);
  limit_addresses(0);
  expect_graph(&w, false);
  assert_int_equal(warnings, 1);
  close_store(&w);
  reopen(&w, false);
  await_graph(&w);
  end(&w);
}

/* Empty indexes take no addresses, small ones few. */
static void
test_without__a_thousand_indexes(void **state)
{
  enum { INDEXES = 1000, USED = 60 };
  (void)state;
  world w;
  quad_txn *txn;
  begin(&w);
  size_t before = addresses_used();
  good(quad_txn_begin(&txn, w.store, &err));
  for (int i = 0; i < INDEXES; i++) {
    char name[32];
    (void)snprintf(name, sizeof(name), "http://x/i%d", i);
    const rdf_term type[4] = {iri(name), iri(RDF_NS "type"), iri(RDF_VEC "Index"),
                              iri(VEC_SYSTEM_GRAPH)};
    const rdf_term dimension[4] = {iri(name), iri(RDF_VEC "dimension"), number("2"),
                                   iri(VEC_SYSTEM_GRAPH)};
    const rdf_term vector[4] = {
        iri("http://x/s"), iri(name), vector_text("[1,2]"), {.kind = RDF_NONE}};
    good(quad_txn_add(txn, type, &err));
    good(quad_txn_add(txn, dimension, &err));
    if (i < USED) good(quad_txn_add(txn, vector, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  settle(&w);
  if (LIMITS) assert_true(addresses_used() - before < (size_t)4 << 30);
  close_store(&w);
  reopen(&w, false);
  assert_int_equal(warnings, 0);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_without__a_declaration_that_no_graph_can_follow),
      cmocka_unit_test(test_without__addresses_at_the_open),
      cmocka_unit_test(test_without__addresses_to_grow),
      cmocka_unit_test(test_without__a_thousand_indexes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
