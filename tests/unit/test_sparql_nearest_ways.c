/* vec:nearest in SPARQL over thousands of vectors with a graph: by whichever way a search goes, at
 * least 95 of 100 of what brute force finds among the same candidates, and all of it, at the same
 * bits, when it is to be exact (DESIGN.md section 8). */
#include "sparql_query_world.h"
#include "support/memory.h"
#include "vector/vector.h"

#include <math.h>

enum {
  SUBJECTS = 4000,
  DIM = 48,
  CLUSTERS = 16,
  GRAPHS = 5, /* the default graph, and :g1 to :g4 */
  QUERIES = 10,
  EXACT = 2,  /* of them, also asked to be exact */
  NEARER = 4, /* clusters that queries of APART are in */
  K = 10,
  FIRST_K = 400, /* of two searches in a row */
  WAYS = VEC_CHOICE_CANDIDATES + 1
};

static const double LEAST_RECALL = 0.95, shares[GRAPHS] = {1, 0.5, 0.1, 0.02, 0.004};

typedef struct subject {
  float vector[2][DIM];
  unsigned in[GRAPHS]; /* bit set of its vectors that it has there */
  unsigned n, cluster;
  bool marked;
} subject;

typedef struct model {
  world w;
  uint64_t seed, random;
  vec_metric metric;
  bool walk; /* always through the graph */
  float centre[CLUSTERS][DIM];
  subject *subjects;
} model;

static const char *const metric_names[] = {
    [VEC_COSINE] = "cosine", [VEC_DOT] = "dot", [VEC_L2] = "l2"};

/* ---- the store, and what it should say --------------------------------------------------------
 */

static double
chance(model *m)
{
  m->random = m->random * 6364136223846793005u + 1442695040888963407u;
  return (double)(m->random >> 11) * 0x1p-53;
}

static double
normal(model *m)
{
  double sum = 0;
  for (int i = 0; i < 6; i++)
    sum += chance(m);
  return (sum - 3) * 1.4;
}

static void
near_centre(float *out, model *m, unsigned cluster)
{
  for (int i = 0; i < DIM; i++)
    out[i] = (float)((double)m->centre[cluster][i] + 0.8 * normal(m));
}

static void
good(quoin_status st, const quoin_error *err)
{
  if (st) fail_msg("status %d: %s", (int)st, err->message);
}

static rdf_term
iri(const char *text)
{
  return (rdf_term){.kind = RDF_IRI, .value = base_span(text)};
}

static void
add(quad_txn *txn, const char *s, const char *p, rdf_term o, unsigned graph)
{
  char name[32];
  quoin_error err = QUOIN_ERROR_INIT;
  (void)snprintf(name, sizeof(name), "http://x/g%u", graph);
  const rdf_term terms[4] = {iri(s), iri(p), o, graph ? iri(name) : (rdf_term){.kind = RDF_NONE}};
  good(quad_txn_add(txn, terms, &err), &err);
}

static void
add_number(quad_txn *txn, const char *s, const char *p, unsigned value, unsigned graph)
{
  char text[16];
  (void)snprintf(text, sizeof(text), "%u", value);
  add(txn, s, p,
      (rdf_term){
          .kind = RDF_LITERAL, .value = base_span(text), .datatype = base_span(RDF_XSD "integer")},
      graph);
}

static void
add_subject(quad_txn *txn, model *m, unsigned i)
{
  subject *s = &m->subjects[i];
  unsigned vectors = chance(m) < 0.1 ? 2 : 1;
  char name[32];
  (void)snprintf(name, sizeof(name), "http://x/s%u", i);
  *s = (subject){.n = (unsigned)(chance(m) * 1000),
                 .cluster = (unsigned)(chance(m) * CLUSTERS),
                 .marked = chance(m) < 0.3};
  for (unsigned v = 0; v < vectors; v++)
    near_centre(s->vector[v], m, s->cluster);
  for (unsigned g = 0; g < GRAPHS; g++) {
    if (chance(m) >= shares[g]) continue;
    s->in[g] = g && vectors == 2 ? 1 + (unsigned)(chance(m) * 3) : (1u << vectors) - 1;
    for (unsigned v = 0; v < vectors; v++)
      if (s->in[g] >> v & 1) add(txn, name, "http://x/v", rdf_vector(s->vector[v], DIM), g);
    add_number(txn, name, "http://x/n", s->n, g);
    add_number(txn, name, "http://x/c", s->cluster, g);
    if (s->marked) add(txn, name, "http://x/is", iri("http://x/Marked"), g);
  }
}

static void
fill(model *m)
{
  quad_txn *txn;
  quoin_error err = QUOIN_ERROR_INIT;
  good(quad_txn_begin(&txn, m->w.store, &err), &err);
  for (unsigned i = 0; i < SUBJECTS; i++)
    add_subject(txn, m, i);
  good(quad_txn_commit(NULL, NULL, txn, &err), &err);
  quad_snapshot_release(m->w.snapshot);
  good(quad_snapshot_acquire(&m->w.snapshot, m->w.store, &err), &err);
  good(vec_settle(m->w.snapshot, NULL, &err), &err);
}

static void
open_model(model *m, uint64_t seed, vec_metric metric, const char *code, bool walk)
{
  char declaration[400];
  quoin_error err = QUOIN_ERROR_INIT;
  *m = (model){
      .seed = seed, .random = seed * 0x9E3779B97F4A7C15u + 1, .metric = metric, .walk = walk};
  m->subjects = calloc(SUBJECTS, sizeof(*m->subjects));
  assert_non_null(m->subjects);
  for (int c = 0; c < CLUSTERS; c++)
    for (int i = 0; i < DIM; i++)
      m->centre[c][i] = (float)normal(m);
  (void)snprintf(declaration, sizeof(declaration),
                 "<urn:x-quoin:system> { :v a <urn:x-quoin:vec#Index> ; <urn:x-quoin:vec#dimension>"
                 " %d ; <urn:x-quoin:vec#metric> <urn:x-quoin:vec#%sMetric> ;"
                 " <urn:x-quoin:vec#storage> <urn:x-quoin:vec#%sCode> }",
                 DIM, metric_names[metric],
                 code              ? code
                 : chance(m) < 0.5 ? "i8"
                                   : "f32");
  world_open(&m->w, declaration);
  good(vec_attach(m->w.store, &(const vec_options){.walk_always = walk}, &err), &err);
  fill(m);
}

static void
close_model(model *m)
{
  world_close(&m->w);
  free(m->subjects);
}

/* ---- questions --------------------------------------------------------------------------------
 */

typedef enum filter {
  ALL,
  BELOW,    /* ?n below the limit: by chance */
  APART,    /* most clusters, and the query is in one of the others */
  OPTIONAL, /* those without a mark */
  UNION,    /* the marked, and ?n below the limit */
  MINUS     /* not the marked */
} filter;

typedef enum query_kind {
  LITERAL,
  RESOURCE, /* one with several vectors asks with all of them */
  SEVERAL,  /* three resources at once, k of each */
  SECOND    /* among the FIRST_K of another search */
} query_kind;

typedef struct question {
  const char *from, *open; /* NULL: nothing */
  unsigned graphs;         /* bit set: the active graph; or `each` of them is one */
  bool each, index_scope;
  filter filter;
  unsigned limit;
  query_kind kind;
} question;

static const question questions[] = {
    {.graphs = 1},
    {.graphs = 1, .kind = RESOURCE},
    {.graphs = 1, .kind = SEVERAL},
    {.graphs = 1, .filter = BELOW, .limit = 500},
    {.graphs = 1, .filter = BELOW, .limit = 100},
    {.graphs = 1, .filter = BELOW, .limit = 10},
    {.graphs = 1, .filter = BELOW, .limit = 2},
    {.graphs = 1, .filter = BELOW, .limit = 500, .kind = SEVERAL},
    {.graphs = 1, .filter = APART},
    {.graphs = 1, .filter = OPTIONAL},
    {.graphs = 1, .filter = UNION, .limit = 100},
    {.graphs = 1, .filter = MINUS},
    {.graphs = 1, .kind = SECOND},
    {.graphs = 1, .filter = BELOW, .limit = 500, .kind = SECOND},
    {.graphs = 1, .filter = BELOW, .limit = 500, .index_scope = true},
    {.graphs = 1 << 1, .open = "GRAPH :g1"},
    {.graphs = 1 << 2, .open = "GRAPH :g2"},
    {.graphs = 1 << 3, .open = "GRAPH :g3"},
    {.graphs = 1 << 1, .open = "GRAPH :g1", .filter = BELOW, .limit = 500},
    {.graphs = 1 << 2, .open = "GRAPH :g2", .filter = MINUS},
    {.graphs = 0x1E, .open = "GRAPH ?g", .each = true},
    {.graphs = 0x1E, .open = "GRAPH ?g", .each = true, .filter = BELOW, .limit = 500},
    {.graphs = 0x0C, .open = "GRAPH ?g", .each = true, .from = "FROM NAMED :g2 FROM NAMED :g3"},
    {.graphs = 1 << 1, .from = "FROM :g1"},
    {.graphs = 0x06, .from = "FROM :g1 FROM :g2"},
    {.graphs = 0x06, .from = "FROM :g1 FROM :g2", .filter = BELOW, .limit = 100},
};
enum { QUESTIONS = sizeof(questions) / sizeof(*questions) };

static void
put_filter(base_buffer *out, filter what, unsigned limit)
{
  switch (what) {
  case ALL:
    break;
  case BELOW:
    base_buffer_printf(out, "?s :n ?n FILTER(?n < %u) ", limit);
    break;
  case APART:
    base_buffer_printf(out, "?s :c ?c FILTER(?c >= %d) ", NEARER);
    break;
  case OPTIONAL:
    base_buffer_text(out, "?s :n ?n OPTIONAL { ?s :is ?is } FILTER(!BOUND(?is)) ");
    break;
  case UNION:
    base_buffer_printf(out, "{ ?s :is :Marked } UNION { ?s :n ?n FILTER(?n < %u) } ", limit);
    break;
  case MINUS:
    base_buffer_text(out, "?s :n ?n MINUS { ?s :is :Marked } ");
    break;
  }
}

static bool
passes(const subject *s, filter what, unsigned limit)
{
  switch (what) {
  case ALL:
    return true;
  case BELOW:
    return s->n < limit;
  case APART:
    return s->cluster >= NEARER;
  case UNION:
    return s->marked || s->n < limit;
  case OPTIONAL:
  case MINUS:
    break;
  }
  return !s->marked;
}

/* ---- brute force ------------------------------------------------------------------------------
 */

typedef struct hit {
  unsigned subject, asks, graph; /* which resource asks (SEVERAL), and graph (each): else 0 */
  double distance;
} hit;

typedef struct near_to {
  const float *vector[2];
  size_t n;
} near_to;

typedef struct hits {
  hit *items;
  size_t n, room;
} hits;

static void
push(hits *to, hit one)
{
  if (to->n == to->room) {
    to->room = to->room ? 2 * to->room : 64;
    to->items = realloc(to->items, to->room * sizeof(hit));
    assert_non_null(to->items);
  }
  to->items[to->n++] = one;
}

static int
by_distance(const void *x, const void *y)
{
  const hit *a = x, *b = y;
  return a->distance < b->distance ? -1 : a->distance > b->distance;
}

static double
distance_of(const model *m, const near_to *near, const subject *s, unsigned graphs)
{
  double least = HUGE_VAL;
  unsigned has = 0;
  for (unsigned g = 0; g < GRAPHS; g++)
    if (graphs >> g & 1) has |= s->in[g];
  for (unsigned v = 0; v < 2; v++)
    for (size_t i = 0; has >> v & 1 && i < near->n; i++) {
      double d = vec_distance(m->metric, near->vector[i], s->vector[v], DIM);
      if (d < least) least = d;
    }
  return least;
}

/* The k nearest of the members, in these graphs together. */
static void
nearest_of(hits *out, const model *m, const near_to *near, const bool *member, unsigned graphs,
           size_t k, hit with)
{
  hits all = {0};
  for (unsigned i = 0; near->n && i < SUBJECTS; i++) {
    if (member && !member[i]) continue;
    with.subject = i;
    with.distance = distance_of(m, near, &m->subjects[i], graphs);
    if (with.distance < HUGE_VAL) push(&all, with);
  }
  if (all.n) qsort(all.items, all.n, sizeof(hit), by_distance);
  for (size_t i = 0; i < all.n && i < k; i++)
    push(out, all.items[i]);
  free(all.items);
}

/* ---- one question -----------------------------------------------------------------------------
 */

typedef struct asked {
  const question *q;
  float literal[DIM], first[DIM];
  unsigned resource[3];
  hits expected;
} asked;

static near_to
vectors_of(const subject *s, unsigned graphs)
{
  near_to near = {.n = 0};
  unsigned has = 0;
  for (unsigned g = 0; g < GRAPHS; g++)
    if (graphs >> g & 1) has |= s->in[g];
  for (unsigned v = 0; v < 2; v++)
    if (has >> v & 1) near.vector[near.n++] = s->vector[v];
  return near;
}

static void
expect_in(asked *a, const model *m, unsigned graphs, unsigned graph)
{
  const question *q = a->q;
  const near_to first = {.vector = {a->first}, .n = 1}, literal = {.vector = {a->literal}, .n = 1};
  bool *member = calloc(SUBJECTS, sizeof(bool));
  assert_non_null(member);
  for (unsigned i = 0; i < SUBJECTS; i++) {
    bool there = false;
    for (unsigned g = 0; g < GRAPHS; g++)
      there = there || (graphs >> g & 1 && m->subjects[i].in[g]);
    member[i] = there && passes(&m->subjects[i], q->filter, q->limit);
  }
  if (q->kind == SECOND) {
    hits top = {0};
    nearest_of(&top, m, &first, member, graphs, FIRST_K, (hit){0});
    memset(member, 0, SUBJECTS * sizeof(bool));
    for (size_t i = 0; i < top.n; i++)
      member[top.items[i].subject] = true;
    free(top.items);
  }
  for (unsigned i = 0; i < (q->kind == SEVERAL ? 3 : 1); i++) {
    near_to near = q->kind == RESOURCE || q->kind == SEVERAL
                       ? vectors_of(&m->subjects[a->resource[i]], graphs)
                       : literal;
    const hit with = {.asks = q->kind == SEVERAL ? a->resource[i] : 0, .graph = graph};
    nearest_of(&a->expected, m, &near, q->index_scope ? NULL : member, graphs, K, with);
  }
  size_t n = 0;
  for (size_t i = 0; q->index_scope && i < a->expected.n; i++)
    if (member[a->expected.items[i].subject]) a->expected.items[n++] = a->expected.items[i];
  if (q->index_scope) a->expected.n = n;
  free(member);
}

static void
put_vector(base_buffer *out, const float *values)
{
  base_buffer_text(out, "\"[");
  for (int i = 0; i < DIM; i++)
    base_buffer_printf(out, "%s%.9g", i ? "," : "", (double)values[i]);
  base_buffer_text(out, "]\"^^vec:f32 ");
}

static void
put_query(base_buffer *out, const asked *a, bool exact)
{
  const question *q = a->q;
  base_buffer_printf(out, "SELECT DISTINCT ?q ?s ?g ?d %s { %s { ", q->from ? q->from : "",
                     q->open ? q->open : "");
  if (q->kind == SEVERAL)
    base_buffer_printf(out, "VALUES ?q { :s%u :s%u :s%u } ", a->resource[0], a->resource[1],
                       a->resource[2]);
  put_filter(out, q->filter, q->limit);
  if (q->kind == SECOND) {
    base_buffer_text(out, "(?s ?first) vec:nearest (:v ");
    put_vector(out, a->first);
    base_buffer_printf(out, "%d vec:exact true) . ", FIRST_K);
  }
  base_buffer_text(out, "(?s ?d) vec:nearest (:v ");
  if (q->kind == SEVERAL)
    base_buffer_text(out, "?q ");
  else if (q->kind == RESOURCE)
    base_buffer_printf(out, ":s%u ", a->resource[0]);
  else
    put_vector(out, a->literal);
  base_buffer_printf(out, "%d%s%s) } }", K, q->index_scope ? " vec:scope vec:index" : "",
                     exact ? " vec:exact true" : "");
}

/* A random query; the question with what it should say. */
static asked
ask(model *m, const question *q)
{
  asked a = {.q = q};
  near_centre(a.literal, m, (unsigned)(chance(m) * (q->filter == APART ? NEARER : CLUSTERS)));
  near_centre(a.first, m, (unsigned)(chance(m) * CLUSTERS));
  for (int i = 0; i < 3; i++)
    a.resource[i] = (unsigned)i * (SUBJECTS / 3) + (unsigned)(chance(m) * (SUBJECTS / 3));
  if (!q->each) expect_in(&a, m, q->graphs, 0);
  for (unsigned g = 0; q->each && g < GRAPHS; g++)
    if (q->graphs >> g & 1) expect_in(&a, m, 1u << g, g);
  return a;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

typedef struct tally {
  size_t expected, found;
  unsigned ways; /* bit set of vec_choice */
} tally;

/* The number behind the letter of <http://x/s17>; 0: unbound. */
static unsigned
number_of(const rdf_term *term)
{
  char text[32] = "";
  if (term->kind != RDF_IRI) return 0;
  assert_true(term->value.len > 10 && term->value.len < sizeof(text));
  memcpy(text, term->value.ptr, term->value.len);
  return (unsigned)strtoul(text + 10, NULL, 10);
}

static hit
read_hit(sparql_cursor *cursor, const sparql_rows *rows, size_t row, base_arena *arena)
{
  rdf_term term[4];
  char text[64];
  quoin_error err = QUOIN_ERROR_INIT;
  for (size_t c = 0; c < 4; c++)
    good(sparql_cursor_term(&term[c], cursor, rows->column[c][row], arena, &err), &err);
  assert_true(term[3].value.len < sizeof(text));
  memcpy(text, term[3].value.ptr, term[3].value.len);
  text[term[3].value.len] = '\0';
  return (hit){.subject = number_of(&term[1]),
               .asks = number_of(&term[0]),
               .graph = number_of(&term[2]),
               .distance = strtod(text, NULL)};
}

/* The ways that EXPLAIN ANALYZE names of the last vec:nearest. */
static unsigned
ways_of(sparql_cursor *cursor)
{
  unsigned ways = 0;
  base_buffer plan;
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer_init(&plan, base_alloc_default());
  good(sparql_cursor_explain(&plan, cursor, &err), &err);
  base_buffer_byte(&plan, '\0');
  char *line = strstr(plan.data, "nearest ?s ?d over <http://x/v>");
  assert_non_null(line);
  *(line + strcspn(line, "\n")) = '\0';
  bool searched = strstr(line, " visits"); /* else the group had no rows */
  if (!searched) ways = 1u << VEC_CHOICE_NONE;
  for (unsigned way = 0; searched && way < WAYS; way++) {
    char first[64], later[64];
    (void)snprintf(first, sizeof(first), "; %s", vec_choice_name((vec_choice)way));
    (void)snprintf(later, sizeof(later), "), %s (", vec_choice_name((vec_choice)way));
    if (strstr(line, first) || strstr(line, later)) ways |= 1u << way;
  }
  if (!ways) fail_msg("no way in %s", line);
  base_buffer_clear(&plan);
  return ways;
}

static void
run(hits *out, unsigned *ways, model *m, const char *text)
{
  const sparql_run_options options = {.profile = true};
  sparql_query *query;
  sparql_cursor *cursor;
  sparql_rows rows;
  base_arena arena;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st;
  base_arena_init(&arena, base_alloc_default());
  if (sparql_query_parse(&query, base_span(text), (quoin_span){NULL, 0}, base_alloc_default(),
                         &err))
    fail_msg("seed %llu: %s: %s", (unsigned long long)m->seed, text, err.message);
  good(sparql_cursor_open(&cursor, query, m->w.snapshot, &options, base_alloc_default(), &err),
       &err);
  while (!(st = sparql_cursor_next(&rows, cursor, &err)))
    for (size_t r = 0; r < rows.rows; r++) {
      push(out, read_hit(cursor, &rows, r, &arena));
      base_arena_reset(&arena);
    }
  assert_int_equal(st, QUOIN_DONE);
  *ways |= ways_of(cursor);
  base_arena_clear(&arena);
  sparql_cursor_close(cursor);
  sparql_query_free(query);
}

/* Every row is a right one at its distance, the same number of them; how many are the nearest. */
static void
compare(tally *t, const model *m, const asked *a, const hits *got, bool exact, const char *text)
{
  const question *q = a->q;
  size_t found = 0;
  for (size_t i = 0; i < got->n; i++) {
    const hit *h = &got->items[i];
    const subject *s = &m->subjects[h->subject];
    unsigned graphs = q->each ? 1u << h->graph : q->graphs;
    near_to near = {.vector = {a->literal}, .n = 1};
    if (q->kind == SEVERAL || q->kind == RESOURCE)
      near = vectors_of(&m->subjects[q->kind == SEVERAL ? h->asks : a->resource[0]], graphs);
    if (!passes(s, q->filter, q->limit) || distance_of(m, &near, s, graphs) != h->distance)
      fail_msg("seed %llu: %s: s%u is at %.17g", (unsigned long long)m->seed, text, h->subject,
               h->distance);
    for (size_t j = 0; j < a->expected.n; j++) {
      const hit *e = &a->expected.items[j];
      found += e->subject == h->subject && e->asks == h->asks && e->graph == h->graph;
    }
  }
  if ((exact || !q->index_scope) && got->n != a->expected.n)
    fail_msg("seed %llu: %s: %zu rows, not %zu", (unsigned long long)m->seed, text, got->n,
             a->expected.n);
  if (exact && found != got->n)
    fail_msg("seed %llu: %s: %zu of %zu are right", (unsigned long long)m->seed, text, found,
             got->n);
  t->expected += a->expected.n;
  t->found += found;
}

static unsigned
try_question(model *m, const question *q)
{
  tally t = {0};
  for (int i = 0; i < QUERIES; i++) {
    asked a = ask(m, q);
    for (int exact = 0; exact < (i < EXACT ? 2 : 1); exact++) {
      base_buffer text;
      hits got = {0};
      unsigned ways = 0;
      base_buffer_init(&text, base_alloc_default());
      base_buffer_text(&text, PROLOGUE);
      put_query(&text, &a, exact);
      base_buffer_byte(&text, '\0');
      run(&got, &ways, m, text.data);
      compare(exact ? &(tally){0} : &t, m, &a, &got, exact, text.data);
      if (exact)
        assert_int_equal(ways & ~(1u << VEC_CHOICE_LOOKUP | 1u << VEC_CHOICE_SCAN |
                                  1u << VEC_CHOICE_CODES | 1u << VEC_CHOICE_NONE),
                         0);
      else
        t.ways |= ways;
      free(got.items);
      base_buffer_clear(&text);
    }
    free(a.expected.items);
  }
  print_message("%2d: %s%s%s, filter %d of %u, query %d: %zu of %zu, ways %x\n",
                (int)(q - questions), q->from ? q->from : "", q->open ? q->open : "",
                q->index_scope ? "index" : "", (int)q->filter, q->limit, (int)q->kind, t.found,
                t.expected, t.ways);
  if ((double)t.found < LEAST_RECALL * (double)t.expected)
    fail_msg("seed %llu, %s, question %d: %zu of %zu", (unsigned long long)m->seed,
             metric_names[m->metric], (int)(q - questions), t.found, t.expected);
  return t.ways;
}

/* The bit set of the ways that searches went. */
static unsigned
try_all(vec_metric metric, bool walk)
{
  const char *given = getenv("QUOIN_SEED");
  model m;
  unsigned ways = 0;
  open_model(&m, given ? strtoull(given, NULL, 10) : 11, metric, NULL, walk);
  for (size_t i = 0; i < QUESTIONS; i++)
    ways |= try_question(&m, &questions[i]);
  close_model(&m);
  return ways & ~(1u << VEC_CHOICE_NONE);
}

/* EXPLAIN names the way that is planned, with about as many candidates as there are; and of several
 * searches EXPLAIN ANALYZE says how many went which, and what each had on average. */
static void
test_ways__explain(void **state)
{
  static const struct {
    const char *group;
    vec_choice way;
    const char *among;
  } plans[] = {{"", VEC_CHOICE_GRAPH, "among all; "},
               {"?s :n ?n . ", VEC_CHOICE_GRAPH, "those of the group, about "},
               {"VALUES ?s { :s1 :s2 :s3 } ", VEC_CHOICE_LOOKUP, "those of the group, about 3; "},
               {"?s :is :Marked . ", VEC_CHOICE_CANDIDATES, "those of the group, about "}};
  model m;
  base_buffer plan;
  (void)state;
  open_model(&m, 5, VEC_COSINE, NULL, false);
  for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
    char text[256];
    (void)snprintf(text, sizeof(text), "SELECT * { %s (?s ?d) vec:nearest (:v :s9 10) }",
                   plans[i].group);
    world_explain(&plan, &m.w, text);
    char *line = strstr(plan.data, "nearest ?s ?d");
    assert_non_null(line);
    line[strcspn(line, "\n")] = '\0';
    if (!strstr(line, plans[i].among) || !strstr(line, vec_choice_name(plans[i].way)))
      fail_msg("%s: %s", plans[i].group, line);
    base_buffer_clear(&plan);
  }
  close_model(&m);
}

enum {
  EVERY_WAY = 1u << VEC_CHOICE_LOOKUP | 1u << VEC_CHOICE_SCAN | 1u << VEC_CHOICE_CODES |
              1u << VEC_CHOICE_GRAPH | 1u << VEC_CHOICE_CANDIDATES
};

/* As the plan chooses: each way comes up, but that all codes are read, which a few thousand vectors
 * may not make worth it. */
static void
test_ways__cosine_against_brute_force(void **state)
{
  (void)state;
  assert_int_equal(try_all(VEC_COSINE, false) | 1u << VEC_CHOICE_CODES, EVERY_WAY);
}

static void
test_ways__dot_against_brute_force(void **state)
{
  (void)state;
  assert_int_equal(try_all(VEC_DOT, false) | 1u << VEC_CHOICE_CODES, EVERY_WAY);
}

/* However few of its nodes count. */
static void
test_ways__l2_through_the_graph_alone(void **state)
{
  (void)state;
  assert_int_equal(try_all(VEC_L2, true), 1u << VEC_CHOICE_GRAPH);
}

/* ---- many at once -----------------------------------------------------------------------------
 */

enum { MANY = 3 * VEC_TOGETHER, MANY_ROUNDS = 6, ALONE = 12 };

/* What is near to what: resources, some without a vector in the graph, or floats. */
typedef struct many {
  size_t n, k;
  filter filter;
  unsigned limit;
  const char *open;
  bool not_itself, near; /* others than the query; none far away */
  unsigned resource[MANY];
  float literal[MANY][DIM];
  bool is_literal[MANY];
} many;

static many
pick_many(model *m, size_t n)
{
  static const char *const opens[] = {"", "", "GRAPH :g1", "GRAPH ?g"};
  many all = {.n = n,
              .k = 1 + (size_t)(chance(m) * 20),
              .filter = chance(m) < 0.5 ? ALL : BELOW,
              .limit = 100 + (unsigned)(chance(m) * 800),
              .open = opens[(int)(chance(m) * 4)],
              .not_itself = chance(m) < 0.5,
              .near = chance(m) < 0.3};
  for (size_t i = 0; i < n; i++) {
    all.is_literal[i] = chance(m) < 0.4;
    all.resource[i] = (unsigned)(chance(m) * SUBJECTS);
    near_centre(all.literal[i], m, (unsigned)(chance(m) * CLUSTERS));
  }
  return all;
}

/* Those from..to-1 in a text, exactly. */
static void
put_many(base_buffer *out, const many *all, size_t from, size_t to)
{
  base_buffer_init(out, base_alloc_default());
  base_buffer_printf(out, PROLOGUE "SELECT ?q ?s ?g ?d { %s { VALUES (?q ?near) { ", all->open);
  for (size_t i = from; i < to; i++) {
    base_buffer_printf(out, "(:q%zu ", i + 1);
    if (all->is_literal[i])
      put_vector(out, all->literal[i]);
    else
      base_buffer_printf(out, ":s%u", all->resource[i]);
    base_buffer_text(out, ") ");
  }
  base_buffer_text(out, "} ");
  put_filter(out, all->filter, all->limit);
  if (all->not_itself)
    base_buffer_printf(out, "%sFILTER(?s != ?near) ", all->filter == ALL ? "?s :n ?n " : "");
  base_buffer_printf(out, "(?s ?d) vec:nearest (:v ?near %zu vec:exact true%s) } }", all->k,
                     all->near ? " vec:maxDistance 0.6" : "");
}

static int
by_all(const void *x, const void *y)
{
  const hit *a = x, *b = y;
  if (a->asks != b->asks) return a->asks < b->asks ? -1 : 1;
  if (a->graph != b->graph) return a->graph < b->graph ? -1 : 1;
  if (a->subject != b->subject) return a->subject < b->subject ? -1 : 1;
  return by_distance(x, y);
}

static void
run_many(hits *out, unsigned *ways, model *m, const many *all, size_t from, size_t to,
         const char *modifier)
{
  base_buffer text;
  put_many(&text, all, from, to);
  base_buffer_text(&text, modifier);
  base_buffer_byte(&text, '\0');
  run(out, ways, m, text.data);
  base_buffer_clear(&text);
}

static void
expect_as_alone(const model *m, const many *all, const hits *got, const hits *alone, size_t q)
{
  size_t at = 0, n;
  while (at < got->n && got->items[at].asks < q + 1)
    at++;
  for (n = 0; at + n < got->n && got->items[at + n].asks == q + 1; n++)
    if (n < alone->n && (by_all(&got->items[at + n], &alone->items[n]))) break;
  if (n != alone->n || (at + n < got->n && got->items[at + n].asks == q + 1))
    fail_msg("seed %llu: query %zu of %zu, k %zu: row %zu of %zu is not as alone",
             (unsigned long long)m->seed, q, all->n, all->k, n, alone->n);
}

/* As each by itself, to the bit. */
static unsigned
try_many(model *m, size_t n)
{
  many all = pick_many(m, n);
  hits got = {0}, some = {0};
  unsigned ways = 0, others = 0;
  run_many(&got, &ways, m, &all, 0, n, "");
  if (got.n) qsort(got.items, got.n, sizeof(hit), by_all);
  for (size_t i = 0; i < ALONE && i < n; i++) {
    const size_t q = (size_t)(chance(m) * (double)n);
    hits alone = {0};
    run_many(&alone, &others, m, &all, q, q + 1, "");
    if (alone.n) qsort(alone.items, alone.n, sizeof(hit), by_all);
    expect_as_alone(m, &all, &got, &alone, q);
    free(alone.items);
  }
  run_many(&some, &others, m, &all, 0, n, " LIMIT 7");
  assert_int_equal(some.n, got.n < 7 ? got.n : 7);
  for (size_t i = 0; i < some.n; i++)
    assert_non_null(bsearch(&some.items[i], got.items, got.n, sizeof(hit), by_all));
  free(some.items);
  free(got.items);
  return ways;
}

static void
test_ways__many_as_alone(void **state)
{
  static const size_t sizes[MANY_ROUNDS] = {
      2, VEC_TOGETHER - 1, VEC_TOGETHER, VEC_TOGETHER + 1, 2 * VEC_TOGETHER + 5, MANY};
  const char *given = getenv("QUOIN_SEED");
  model m;
  unsigned ways = 0;
  (void)state;
  open_model(&m, given ? strtoull(given, NULL, 10) : 7, VEC_COSINE, "f32", false);
  for (size_t i = 0; i < MANY_ROUNDS; i++)
    ways |= try_many(&m, sizes[i]) | try_many(&m, sizes[i]);
  print_message("ways %x\n", ways);
  assert_true(ways >> VEC_CHOICE_CODES & 1);
  close_model(&m);
}

/* Whichever allocation fails, nothing is left of what had been found. */
static void
test_ways__many_without_memory(void **state)
{
  support_memory memory = {0};
  const base_alloc mem = support_alloc(&memory);
  bool passed = false;
  base_buffer text;
  sparql_rows rows;
  model m;
  (void)state;
  open_model(&m, 9, VEC_COSINE, "f32", false);
  many all = pick_many(&m, VEC_TOGETHER + 3);
  all.filter = ALL;
  all.open = "";
  put_many(&text, &all, 0, all.n);
  for (uint64_t at = 1; !passed; at += 1 + at / 16) {
    sparql_query *query = NULL;
    sparql_cursor *cursor = NULL;
    quoin_error err = QUOIN_ERROR_INIT;
    support_memory_fail(&memory, at);
    quoin_status st = sparql_query_parse(&query, (quoin_span){text.data, text.len},
                                         (quoin_span){NULL, 0}, &mem, &err);
    if (!st) st = sparql_cursor_open(&cursor, query, m.w.snapshot, NULL, &mem, &err);
    while (!st)
      st = sparql_cursor_next(&rows, cursor, &err);
    assert_true(st == QUOIN_DONE || st == QUOIN_ERR_NOMEM);
    passed = memory.calls < at;
    if (passed) assert_int_equal(st, QUOIN_DONE);
    sparql_cursor_close(cursor);
    sparql_query_free(query);
    base_error_clear(&err);
    assert_int_equal(memory.bytes, 0);
  }
  base_buffer_clear(&text);
  close_model(&m);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ways__explain),
      cmocka_unit_test(test_ways__cosine_against_brute_force),
      cmocka_unit_test(test_ways__dot_against_brute_force),
      cmocka_unit_test(test_ways__l2_through_the_graph_alone),
      cmocka_unit_test(test_ways__many_as_alone),
      cmocka_unit_test(test_ways__many_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
