/* Exact search by the codes of all vectors: bit for bit what a scan over the quads gives, and what
 * every distance one by one gives, for random changes, graphs, subjects and held snapshots, while
 * vectors are linked, removed and brought back, and when memory is short. So do many searches that
 * are made together. */
#include "vector/hnsw_internal.h"
#include "vector/search.h"

#include "unit/vector_index_world.h"

#include "unit/test_base_support.h"

#include <pthread.h>
#include <string.h>

enum { SUBJECTS = 700, GRAPHS = 3, QUADS = 9000, VECTORS = 6000, HELD = 3 };

/* ---- a store, and what it should have ----------------------------------------------------------
 */

typedef struct statement {
  uint16_t subject, vector;
  uint8_t graph; /* 0: the default one */
} statement;

typedef struct model {
  world w;
  vec_metric metric;
  float vectors[VECTORS][DIM];
  statement all[QUADS];
  bool has[QUADS];
  size_t n, n_vectors;
  atom_id subjects[SUBJECTS], graphs[GRAPHS], system;
  struct {
    quad_snapshot *snapshot;
    bool has[QUADS];
    size_t n;
  } held[HELD];
} model;

static size_t
pick(model *m, size_t below)
{
  return (size_t)(chance(&m->w) * (double)below);
}

static void
declare_small(world *w, const char *metric, const char *code)
{
  quad_txn *txn;
  const rdf_term system = iri(VEC_SYSTEM_GRAPH), p = iri(P);
  const rdf_term quads[][4] = {{p, iri(RDF_NS "type"), iri(RDF_VEC "Index"), system},
                               {p, iri(RDF_VEC "dimension"), number("16"), system},
                               {p, iri(RDF_VEC "m"), number("6"), system},
                               {p, iri(RDF_VEC "efConstruction"), number("20"), system},
                               {p, iri(RDF_VEC "metric"), iri(metric), system},
                               {p, iri(RDF_VEC "storage"), iri(code), system}};
  good(quad_txn_begin(&txn, w->store, &err));
  for (size_t i = 0; i < sizeof(quads) / sizeof(*quads); i++)
    good(quad_txn_add(txn, quads[i], &err));
  good(quad_txn_commit(NULL, NULL, txn, &err));
}

/* Some anew, some by one place of one number beside another. */
static size_t
next_vector(model *m)
{
  if (m->n_vectors == VECTORS || (m->n_vectors && chance(&m->w) < 0.1))
    return pick(m, m->n_vectors);
  float *to = m->vectors[m->n_vectors];
  double dice = chance(&m->w);
  if (!m->n_vectors || dice < 0.7) {
    random_vector(&m->w, to);
  } else {
    memcpy(to, m->vectors[pick(m, m->n_vectors)], sizeof(*m->vectors));
    size_t at = pick(m, DIM);
    to[at] = nextafterf(to[at], dice < 0.85 ? 9.0F : -9.0F);
  }
  return m->n_vectors++;
}

static void
say(const model *m, quad_txn *txn, const statement *s, bool add)
{
  char subject[64], graph[64];
  (void)snprintf(subject, sizeof(subject), "http://x/s%d", s->subject);
  (void)snprintf(graph, sizeof(graph), "http://x/g%d", s->graph);
  const rdf_term terms[4] = {iri(subject), iri(P), rdf_vector(m->vectors[s->vector], DIM),
                             s->graph ? iri(graph) : (rdf_term){.kind = RDF_NONE}};
  good(add ? quad_txn_add(txn, terms, &err) : quad_txn_remove(txn, terms, &err));
}

static bool
same_bits(const model *m, const statement *a, const statement *b)
{
  return a->subject == b->subject && a->graph == b->graph &&
         !memcmp(m->vectors[a->vector], m->vectors[b->vector], sizeof(*m->vectors));
}

/* `n` statements in one commit; those that are there twice are so as often. */
static void
change_some(model *m, size_t add, size_t remove)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, m->w.store, &err));
  for (size_t i = 0; i < remove && m->n; i++) {
    size_t at = pick(m, m->n);
    if (!m->has[at]) continue;
    say(m, txn, &m->all[at], false);
    for (size_t j = 0; j < m->n; j++)
      if (m->has[j] && same_bits(m, &m->all[at], &m->all[j])) m->has[j] = false;
  }
  for (size_t i = 0; i < add; i++) {
    bool another = m->n < QUADS;
    size_t at = another ? m->n++ : pick(m, QUADS);
    if (another)
      m->all[at] = (statement){.subject = (uint16_t)pick(m, SUBJECTS),
                               .graph = (uint8_t)(chance(&m->w) < 0.6 ? 0 : pick(m, GRAPHS)),
                               .vector = (uint16_t)next_vector(m)};
    m->has[at] = true;
    say(m, txn, &m->all[at], true);
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(&m->w);
}

/* ---- searches three ways ----------------------------------------------------------------------
 */

static int
by_distance(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->distance != b->distance) return a->distance < b->distance ? -1 : 1;
  return a->subject.bits < b->subject.bits ? -1 : a->subject.bits > b->subject.bits;
}

static int
by_id(const void *x, const void *y)
{
  const atom_id *a = x, *b = y;
  return a->bits < b->bits ? -1 : a->bits > b->bits;
}

/* Ids are those of the store; a term that is not there yet gets one later. */
static void
find_ids(model *m, quad_snapshot *snapshot)
{
  vec_terms terms = vec_store_terms(snapshot);
  char name[64];
  for (int i = 0; i < SUBJECTS; i++) {
    (void)snprintf(name, sizeof(name), "http://x/s%d", i);
    const rdf_term term = iri(name);
    good(terms.find(&m->subjects[i], terms.user, &term, &err));
  }
  for (int i = 1; i < GRAPHS; i++) {
    (void)snprintf(name, sizeof(name), "http://x/g%d", i);
    const rdf_term term = iri(name);
    good(terms.find(&m->graphs[i], terms.user, &term, &err));
  }
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  good(terms.find(&m->system, terms.user, &system, &err));
}

/* By every distance, of what `has` says; graph -1: all of them. */
static size_t
oracle(vec_found *out, const model *m, const bool *has, size_t n, int graph, const vec_request *r)
{
  static double least[SUBJECTS], distance[VECTORS];
  size_t found = 0;
  for (size_t v = 0; v < m->n_vectors; v++) {
    distance[v] = HUGE_VAL;
    for (size_t i = 0; i < r->n_near; i++) {
      double d = vec_distance(m->metric, r->near[i], m->vectors[v], DIM);
      if (d < distance[v]) distance[v] = d;
    }
  }
  for (int s = 0; s < SUBJECTS; s++)
    least[s] = HUGE_VAL;
  for (size_t i = 0; i < n; i++)
    if (has[i] && (graph < 0 || m->all[i].graph == graph) &&
        distance[m->all[i].vector] < least[m->all[i].subject])
      least[m->all[i].subject] = distance[m->all[i].vector];
  for (int s = 0; s < SUBJECTS; s++)
    if (least[s] < HUGE_VAL && least[s] <= r->max_distance &&
        (!r->subjects ||
         bsearch(&m->subjects[s], r->subjects, r->n_subjects, sizeof(atom_id), by_id)))
      out[found++] = (vec_found){least[s], m->subjects[s]};
  qsort(out, found, sizeof(*out), by_distance);
  return found < r->k ? found : r->k;
}

static void
expect_same(const vec_found *got, size_t n, const vec_found *want, size_t n_want, const char *how)
{
  if (n != n_want) fail_msg("%s: %zu, not %zu", how, n, n_want);
  for (size_t i = 0; i < n; i++)
    if (got[i].distance != want[i].distance || got[i].subject.bits != want[i].subject.bits)
      fail_msg("%s: number %zu of %zu is %.17g (%llx), not %.17g (%llx)", how, i, n,
               got[i].distance, (unsigned long long)got[i].subject.bits, want[i].distance,
               (unsigned long long)want[i].subject.bits);
}

/* By this way, if it can be gone; VEC_CHOICE_NONE: by the plan's own. */
static vec_choice
search_as(vec_found **out, size_t *n, const quad_snapshot *snapshot, const vec_request *request,
          vec_choice way)
{
  vec_report report = {0};
  vec_plan plan;
  good(vec_plan_init(&plan, snapshot, request, 1, base_alloc_default(), &err));
  if (plan.way && way == VEC_CHOICE_CODES && plan.index &&
      vec_index_has_all(plan.index, snapshot)) {
    plan.way = VEC_CHOICE_CODES;
    if (way) plan.budget = request->k % 3 ? UINT64_MAX : 20; /* or it gives up */
  }
  if (plan.way && way == VEC_CHOICE_SCAN) plan.way = VEC_CHOICE_SCAN;
  good(vec_search_planned(out, n, &report, &plan, request, base_alloc_default(), &err));
  assert_false(report.approximate);
  vec_plan_clear(&plan);
  return report.choice;
}

/* Random, or one that there is, or that differs in its last number. */
static void
next_query(model *m, float *out)
{
  random_vector(&m->w, out);
  double dice = chance(&m->w);
  if (dice >= 0.7 || !m->n_vectors) return;
  memcpy(out, m->vectors[pick(m, m->n_vectors)], sizeof(*m->vectors));
  if (dice < 0.3) out[DIM - 1] += 0.01F;
}

/* Many at once: those that share a reading, and all of them by threads. */
static void
compare_many(model *m, quad_snapshot *snapshot, const bool *has, size_t n_has, int graph,
             const vec_request *like, unsigned *ways)
{
  enum { MOST = 3 * VEC_TOGETHER };
  static float queries[MOST][DIM];
  static const float *near[MOST];
  static vec_request requests[MOST];
  static vec_found want[SUBJECTS], *got[MOST];
  static size_t counts[MOST];
  const size_t n = 2 + pick(m, chance(&m->w) < 0.1 ? MOST - 1 : 6);
  vec_report report = {0}, reports[VEC_TOGETHER] = {{0}};
  vec_plan plan;
  for (size_t i = 0; i < n; i++) {
    next_query(m, queries[i]);
    near[i] = queries[i];
    requests[i] = *like;
    requests[i].near = &near[i];
    requests[i].n_near = 1;
  }
  const bool by_threads = n > VEC_TOGETHER || chance(&m->w) < 0.5;
  if (by_threads) {
    good(vec_search_many(got, counts, &report, snapshot, like, queries[0], n,
                         1 + (unsigned)pick(m, 3), base_alloc_default(), &err));
  } else {
    good(vec_plan_init(&plan, snapshot, like, n, base_alloc_default(), &err));
    bool may = plan.way && plan.index && vec_index_has_all(plan.index, snapshot);
    plan.budget = like->k % 3 ? UINT64_MAX : 20; /* or some of them give up */
    plan.way = VEC_CHOICE_CODES;
    if (may)
      good(vec_search_together(got, counts, reports, &plan, requests, n, base_alloc_default(),
                               &err));
    vec_plan_clear(&plan);
    if (!may) return;
    report = reports[n - 1];
  }
  *ways |= 1u << report.choice;
  for (size_t i = 0; i < n; i++) {
    size_t n_want = oracle(want, m, has, n_has, graph, &requests[i]);
    expect_same(got[i], counts[i], want, n_want, "together");
    base_release(base_alloc_default(), got[i], counts[i], sizeof(**got));
  }
}

static void
compare(model *m, quad_snapshot *snapshot, const bool *has, size_t n_has, unsigned *ways)
{
  static const size_t ks[] = {1, 3, 10, 40, 200, SUBJECTS};
  static vec_found want[SUBJECTS];
  static atom_id subjects[SUBJECTS];
  float queries[3][DIM];
  const float *near[3] = {queries[0], queries[1], queries[2]};
  int graph = (int)pick(m, GRAPHS + 1) - 1;
  vec_graphs graphs = {.scope = graph < 0 ? QUAD_ANY : graph ? QUAD_NAMED : QUAD_DEFAULT};
  if (graph < 0) graphs.skip = m->system;
  if (graph > 0) graphs.graph = m->graphs[graph];
  vec_declaration d = declared(&m->w);
  vec_terms terms = vec_store_terms(snapshot);
  vec_request r = {.index = &d,
                   .graphs = &graphs,
                   .terms = &terms,
                   .near = near,
                   .n_near = chance(&m->w) < 0.7 ? 1 : 2 + pick(m, 2),
                   .k = ks[pick(m, 6)],
                   .max_distance = chance(&m->w) < 0.8 ? HUGE_VAL : chance(&m->w),
                   .exact = true};
  for (size_t i = 0; i < 3; i++)
    next_query(m, queries[i]);
  if (chance(&m->w) < 0.3) {
    double share = chance(&m->w);
    for (int i = 0; i < SUBJECTS; i++)
      if (m->subjects[i].bits && chance(&m->w) < share) subjects[r.n_subjects++] = m->subjects[i];
    qsort(subjects, r.n_subjects, sizeof(*subjects), by_id);
    r.subjects = subjects;
  }
  if (graph > 0 && !graphs.graph.bits) return; /* nobody has named it yet */
  size_t n, n_want = oracle(want, m, has, n_has, graph, &r);
  for (int way = 0; way < 3; way++) {
    static const vec_choice ask[] = {VEC_CHOICE_CODES, VEC_CHOICE_NONE, VEC_CHOICE_SCAN};
    vec_found *got;
    vec_choice went = search_as(&got, &n, snapshot, &r, ask[way]);
    *ways |= 1u << went;
    expect_same(got, n, want, n_want, vec_choice_name(went));
    base_release(base_alloc_default(), got, n, sizeof(*got));
  }
  compare_many(m, snapshot, has, n_has, graph, &r, ways);
}

static void
compare_some(model *m, int times, unsigned *ways)
{
  find_ids(m, m->w.snapshot);
  for (int i = 0; i < times; i++) {
    compare(m, m->w.snapshot, m->has, m->n, ways);
    size_t at = pick(m, HELD);
    if (m->held[at].snapshot)
      compare(m, m->held[at].snapshot, m->held[at].has, m->held[at].n, ways);
  }
}

/* ---- random changes ---------------------------------------------------------------------------
 */

static void
let_go(model *m)
{
  for (int i = 0; i < HELD; i++) {
    quad_snapshot_release(m->held[i].snapshot);
    m->held[i].snapshot = NULL;
  }
}

static void
hold_one(model *m)
{
  size_t at = pick(m, HELD);
  quad_snapshot_release(m->held[at].snapshot);
  m->held[at].snapshot = quad_snapshot_retain(m->w.snapshot);
  memcpy(m->held[at].has, m->has, sizeof(m->has));
  m->held[at].n = m->n;
}

typedef struct stopper {
  vec_indexes *ix;
  pthread_t id;
  _Atomic bool holds, done;
} stopper;

/* Nothing is linked meanwhile. */
static void *
stop_linking(void *user)
{
  stopper *h = user;
  base_mutex_lock(&h->ix->graphs);
  atomic_store(&h->holds, true);
  while (!atomic_load(&h->done))
    (void)usleep(500);
  base_mutex_unlock(&h->ix->graphs);
  return NULL;
}

static void
change_unlinked(model *m, unsigned *ways)
{
  stopper h = {.ix = quad_snapshot_participant(m->w.snapshot)};
  assert_int_equal(pthread_create(&h.id, NULL, stop_linking, &h), 0);
  while (!atomic_load(&h.holds))
    (void)usleep(500);
  for (int i = 0; i < 6; i++) {
    change_some(m, i ? pick(m, 300) : 1300, pick(m, 60));
    hold_one(m);
    /* what only the held one has by now has no code */
    if (i > 1 && chance(&m->w) < 0.6) {
      change_some(m, 200, 0);
      hold_one(m);
      change_some(m, 10, m->n / 4);
    }
    compare_some(m, 3, ways);
  }
  atomic_store(&h.done, true);
  assert_int_equal(pthread_join(h.id, NULL), 0);
}

static void
try_all(vec_metric metric, const char *name, const char *code)
{
  model *m = calloc(1, sizeof(*m));
  unsigned ways = 0;
  assert_non_null(m);
  m->metric = metric;
  begin(&m->w);
  (void)printf("QUOIN_SEED=%llu\n", (unsigned long long)m->w.seed);
  declare_small(&m->w, name, code);
  change_some(m, 1500, 0);
  for (int step = 0; step < 8; step++) {
    double dice = chance(&m->w);
    if (dice < 0.2) {
      change_unlinked(m, &ways);
    } else if (dice < 0.3) {
      let_go(m);
      close_store(&m->w);
      open_store(&m->w, true);
    } else {
      change_some(m, pick(m, 300), pick(m, dice < 0.5 ? 600 : 30));
    }
    if (chance(&m->w) < 0.4) hold_one(m);
    if (chance(&m->w) < 0.4) settle(&m->w);
    compare_some(m, 4, &ways);
  }
  settle(&m->w);
  compare_some(m, 10, &ways);
  assert_true(ways & 1u << VEC_CHOICE_CODES);
  let_go(m);
  end(&m->w);
  free(m);
}

static void
test_flat__cosine_over_i8(void **state)
{
  (void)state;
  try_all(VEC_COSINE, RDF_VEC "cosineMetric", RDF_VEC "i8Code");
}

static void
test_flat__l2_over_f16(void **state)
{
  (void)state;
  try_all(VEC_L2, RDF_VEC "l2Metric", RDF_VEC "f16Code");
}

static void
test_flat__dot_over_f32(void **state)
{
  (void)state;
  try_all(VEC_DOT, RDF_VEC "dotMetric", RDF_VEC "f32Code");
}

/* ---- beside a writer --------------------------------------------------------------------------
 */

typedef struct beside {
  world *w;
  const vec_declaration *d;
  _Atomic bool stop;
  _Atomic unsigned codes, searches;
} beside;

/* cmocka's asserts are for its own thread. */
#define demand(holds)                                                                              \
  do {                                                                                             \
    if (!(holds)) {                                                                                \
      (void)fprintf(stderr, "line %d: %s: %s\n", __LINE__, #holds, e.message);                     \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* What two ways find in one snapshot is the same. */
static void
search_twice(beside *b, quad_snapshot *snapshot, const float *query, size_t k)
{
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  quoin_error e = QUOIN_ERROR_INIT;
  vec_terms terms = vec_store_terms(snapshot);
  const vec_request r = {.index = b->d,
                         .graphs = &plain,
                         .terms = &terms,
                         .near = &query,
                         .n_near = 1,
                         .k = k,
                         .max_distance = HUGE_VAL,
                         .exact = true};
  vec_found *found[2];
  size_t n[2];
  for (int i = 0; i < 2; i++) {
    vec_report report = {0};
    vec_plan plan;
    demand(!vec_plan_init(&plan, snapshot, &r, 1, base_alloc_default(), &e));
    if (i && plan.way) plan.way = VEC_CHOICE_SCAN;
    if (!i && plan.way && plan.index && vec_index_has_all(plan.index, snapshot))
      plan.way = VEC_CHOICE_CODES;
    demand(!vec_search_planned(&found[i], &n[i], &report, &plan, &r, base_alloc_default(), &e));
    atomic_fetch_add(&b->codes, report.choice == VEC_CHOICE_CODES);
    vec_plan_clear(&plan);
  }
  atomic_fetch_add(&b->searches, 1);
  demand(n[0] == n[1]);
  for (size_t i = 0; i < n[0]; i++)
    demand(found[0][i].distance == found[1][i].distance &&
           found[0][i].subject.bits == found[1][i].subject.bits);
  for (int i = 0; i < 2; i++)
    base_release(base_alloc_default(), found[i], n[i], sizeof(**found));
}

static void *
reader(void *user)
{
  beside *b = user;
  quoin_error e = QUOIN_ERROR_INIT;
  world own = {.seed = (uint64_t)(uintptr_t)&own};
  quad_snapshot *kept = NULL;
  while (!atomic_load(&b->stop)) {
    float query[DIM];
    quad_snapshot *now;
    demand(!quad_snapshot_acquire(&now, b->w->store, &e));
    random_vector(&own, query);
    search_twice(b, now, query, 1 + (size_t)(chance(&own) * 30));
    if (kept) search_twice(b, kept, query, 10);
    if (!kept || chance(&own) < 0.2) {
      quad_snapshot_release(kept);
      kept = now;
    } else {
      quad_snapshot_release(now);
    }
  }
  quad_snapshot_release(kept);
  return NULL;
}

static void
test_flat__beside_a_writer(void **state)
{
  enum { READERS = 2, ROUNDS = 20 };
  model *m = calloc(1, sizeof(*m));
  pthread_t ids[READERS];
  (void)state;
  assert_non_null(m);
  begin(&m->w);
  declare_small(&m->w, RDF_VEC "l2Metric", RDF_VEC "i8Code");
  change_some(m, 1500, 0);
  const vec_declaration d = declared(&m->w);
  beside b = {.w = &m->w, .d = &d};
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&ids[i], NULL, reader, &b), 0);
  for (int i = 0; i < ROUNDS; i++) {
    change_some(m, i % 8 ? pick(m, 100) : 700, pick(m, i % 5 ? 50 : 300));
    (void)usleep(20000);
  }
  atomic_store(&b.stop, true);
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_join(ids[i], NULL), 0);
  print_message("%u searches, %u by codes\n", atomic_load(&b.searches), atomic_load(&b.codes));
  assert_true(atomic_load(&b.codes) > 0);
  end(&m->w);
  free(m);
}

/* ---- short of memory --------------------------------------------------------------------------
 */

static void
test_flat__without_memory(void **state)
{
  model *m = calloc(1, sizeof(*m));
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  support_memory memory = {0};
  const base_alloc mem = support_alloc(&memory);
  float query[DIM];
  const float *near[2] = {query, NULL};
  vec_report report = {0}, reports[5] = {{0}};
  size_t n;
  bool passed = false;
  (void)state;
  assert_non_null(m);
  begin(&m->w);
  declare_small(&m->w, RDF_VEC "cosineMetric", RDF_VEC "i8Code");
  change_some(m, 2000, 0);
  settle(&m->w);
  random_vector(&m->w, query);
  near[1] = m->vectors[7];
  vec_declaration d = declared(&m->w);
  vec_terms terms = vec_store_terms(m->w.snapshot);
  const vec_request r = {.index = &d,
                         .graphs = &plain,
                         .terms = &terms,
                         .near = near,
                         .n_near = 2,
                         .k = 100,
                         .max_distance = HUGE_VAL,
                         .exact = true};
  /* Alone, and five together. */
  const vec_request requests[5] = {r, r, r, r, r};
  for (uint64_t at = 1; !passed; at++) {
    vec_found *found[5] = {NULL};
    size_t counts[5];
    vec_plan plan;
    memory = (support_memory){.fail_at = at};
    good(vec_plan_init(&plan, m->w.snapshot, &r, 5, &mem, &err));
    plan.way = VEC_CHOICE_CODES;
    plan.budget = UINT64_MAX;
    quoin_status st = vec_search_together(found, counts, reports, &plan, requests, 5, &mem, &err);
    vec_plan_clear(&plan);
    assert_true(st == QUOIN_OK || st == QUOIN_ERR_NOMEM);
    passed = memory.calls < at;
    if (passed) good(st);
    for (size_t i = 0; i < 5; i++)
      base_release(&mem, found[i], counts[i], sizeof(**found));
    assert_int_equal(memory.bytes, 0);
    base_error_clear(&err);
  }
  passed = false;
  for (uint64_t at = 1; !passed; at++) {
    vec_found *found = NULL;
    vec_plan plan;
    memory = (support_memory){.fail_at = at};
    good(vec_plan_init(&plan, m->w.snapshot, &r, 1, &mem, &err));
    plan.way = VEC_CHOICE_CODES;
    plan.budget = UINT64_MAX;
    quoin_status st = vec_search_planned(&found, &n, &report, &plan, &r, &mem, &err);
    vec_plan_clear(&plan);
    assert_true(st == QUOIN_OK || st == QUOIN_ERR_NOMEM);
    passed = memory.calls < at;
    if (passed) good(st);
    if (!st) base_release(&mem, found, n, sizeof(*found));
    assert_int_equal(memory.bytes, 0);
    base_error_clear(&err);
  }
  end(&m->w);
  free(m);
}

/* ---- a graph that lies ------------------------------------------------------------------------
 */

/* Of fewer dimensions, by a predicate without an index. */
static atom_id
short_vector(world *w)
{
  const float values[4] = {1, 2, 3, 4};
  const rdf_term vector = rdf_vector(values, 4);
  atom_id id;
  good(change(w, true, iri("http://x/short"), "http://x/other", vector, NULL));
  look(w);
  vec_terms terms = vec_store_terms(w->snapshot);
  good(terms.find(&id, terms.user, &vector, &err));
  assert_true(id.bits);
  return id;
}

/* A node whose code is the nearest names a vector of other dimensions, an IRI, or nothing there is:
 * exact searches, one and some together, say so. */
static void
test_flat__a_node_that_names_another_vector(void **state)
{
  model *m = calloc(1, sizeof(*m));
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  uint32_t slot = HNSW_NONE, row;
  uint64_t key;
  bool live = false;
  vec_plan plan;
  (void)state;
  assert_non_null(m);
  begin(&m->w);
  declare_small(&m->w, RDF_VEC "l2Metric", RDF_VEC "i8Code");
  change_some(m, 2000, 0);
  const atom_id other = short_vector(&m->w);
  settle(&m->w);
  look(&m->w);
  find_ids(m, m->w.snapshot);
  assert_true(m->system.bits);
  vec_declaration d = declared(&m->w);
  vec_terms terms = vec_store_terms(m->w.snapshot);
  const float *near[1] = {NULL};
  const vec_request r = {.index = &d,
                         .graphs = &plain,
                         .terms = &terms,
                         .near = near,
                         .n_near = 1,
                         .k = 5,
                         .max_distance = HUGE_VAL,
                         .exact = true};
  near[0] = m->vectors[0];
  good(vec_plan_init(&plan, m->w.snapshot, &r, 1, base_alloc_default(), &err));
  assert_non_null(plan.index);
  for (uint32_t at = 0; !live; at++) {
    good(hnsw_node(&key, &row, &live, plan.index->graph, at, &err));
    slot = at;
  }
  const float *values;
  uint32_t dimension;
  good(atom_vector(&values, &dimension, quad_snapshot_atoms(m->w.snapshot), (atom_id){key}, &err));
  assert_int_equal(dimension, DIM);
  const atom_id lies[] = {other, m->system, atom_id_make(ATOM_VECTOR, row + 1000000)};
  for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
    atomic_store(&hnsw_node_at(plan.index->graph, slot)->key, lies[i].bits);
    near[0] = values;
    plan.way = VEC_CHOICE_CODES;
    plan.budget = UINT64_MAX;
    for (size_t n = 1; n <= 3; n++) {
      const vec_request requests[3] = {r, r, r};
      vec_found *found[3] = {NULL};
      size_t counts[3] = {0};
      vec_report reports[3] = {{0}};
      quoin_status st =
          n == 1 ? vec_search_planned(found, counts, reports, &plan, &r, base_alloc_default(), &err)
                 : vec_search_together(found, counts, reports, &plan, requests, n,
                                       base_alloc_default(), &err);
      assert_int_equal(st, QUOIN_ERR_CORRUPT);
      assert_null(found[0]);
      base_error_clear(&err);
    }
  }
  atomic_store(&hnsw_node_at(plan.index->graph, slot)->key, key);
  vec_plan_clear(&plan);
  end(&m->w);
  free(m);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_flat__cosine_over_i8),
      cmocka_unit_test(test_flat__l2_over_f16),
      cmocka_unit_test(test_flat__dot_over_f32),
      cmocka_unit_test(test_flat__beside_a_writer),
      cmocka_unit_test(test_flat__without_memory),
      cmocka_unit_test(test_flat__a_node_that_names_another_vector),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
