/* vector/sieve.c - of vectors offered in thousands, exact distances for the few that may count.
 *
 * What is offered gathers; then bounds are computed for all of it at once (vector/bound.h): by the
 * codes of the index's graph where a vector has a node, else by its floats. A vector that is
 * certainly further away than the k-th best so far is passed over, any other gets its exact
 * distance. So what is found is exactly what exact distances of all of them would give, at the
 * speed of the memory (docs/adrs/0038-exact-search.md). */
#include "vector/bound.h"
#include "vector/search.h"

#include "base/poison.h"

enum {
  SIEVE_ROOM = 256,
  FIRST = 16,
  FRESH_MANY = 64 /* vectors without a node: from here on their codes are kept */
};

/* A distance that was not computed, a bound that says nothing. */
static const double UNKNOWN = -HUGE_VAL;

/* Vectors whose bounds are computed together. */
typedef struct sieve_group {
  size_t n;
  uint16_t of[SIEVE_ROOM]; /* which of the vectors */
} sieve_group;

struct vec_sieve {
  const base_alloc *mem;
  size_t rows, n;
  atom_id subject[SIEVE_ROOM];
  uint16_t of[SIEVE_ROOM];    /* the vector of a row */
  atom_id vector[SIEVE_ROOM]; /* n of them; equal ones behind one another are one */
  double lower[SIEVE_ROOM], distance[SIEVE_ROOM];
  uint32_t slot[SIEVE_ROOM];       /* whose code bounds it; HNSW_NONE: */
  bool is_fresh[SIEVE_ROOM];       /* of the fresh codes, not of the graph */
  const float *floats[SIEVE_ROOM]; /* these do; NULL: not read, or it is none */
  base_arena arena;                /* of floats that are not in the store's mapping */
  sieve_group by_code, by_fresh, by_floats;
  uint32_t slots[SIEVE_ROOM], places[SIEVE_ROOM]; /* of the groups */
  const float *values[SIEVE_ROOM];
  double bounds[SIEVE_ROOM];
  float room[2 * SIEVE_ROOM];
  const hnsw *graph; /* whose codes are used; NULL: none */
  bool unreadable;   /* but no more of them */
  size_t code_bytes; /* with scale and norm */
  uint64_t epoch;
  vec_fresh *fresh;     /* NULL: none */
  size_t without;       /* vectors that had no code */
  vec_bounds bounds_of; /* one for each of request->near */
};

/* ---- life -------------------------------------------------------------------------------------
 */

static quoin_status
sieve_begin(searcher *s, quoin_error *err)
{
  const base_alloc *mem = s->top.mem;
  vec_sieve *v = base_new(mem, 1, sizeof(*v));
  if (!v) return base_fail_nomem(err);
  s->sieve = v;
  v->mem = mem;
  v->rows = v->n = 0;
  v->bounds_of = (vec_bounds){.n = 0};
  base_arena_init(&v->arena, mem);
  v->graph = s->index && vec_bound_saves(s->index->declared.code) ? s->index->graph : NULL;
  v->unreadable = false;
  v->without = 0;
  v->fresh = v->graph ? vec_fresh_enter(s->index, false) : NULL;
  if (v->graph) v->epoch = hnsw_enter(s->index->graph);
  const vec_declaration *d = s->request->index;
  vec_code code = v->graph ? s->index->declared.code : VEC_F32;
  v->code_bytes = vec_code_bytes(code, d->dimension) + 8;
  return vec_bounds_init(&v->bounds_of, d->metric, code, s->request->near, s->request->n_near,
                         d->dimension, mem, err);
}

void
vec_sieve_clear(searcher *s)
{
  vec_sieve *v = s->sieve;
  if (!v) return;
  if (v->graph) hnsw_leave(s->index->graph, v->epoch);
  vec_fresh_leave(v->fresh);
  base_arena_clear(&v->arena);
  vec_bounds_clear(&v->bounds_of);
  base_release(v->mem, v, 1, sizeof(*v));
  s->sieve = NULL;
}

/* ---- bounds -----------------------------------------------------------------------------------
 */

static quoin_status
read_floats(searcher *s, size_t i, quoin_error *err)
{
  vec_sieve *v = s->sieve;
  uint32_t dimension, wanted = s->request->index->dimension;
  atom_id vector = v->vector[i];
  if (s->index && atom_id_kind(vector) == ATOM_TYPED)
    return vec_parsed_floats(&v->floats[i], &s->index->parsed, wanted, s->snapshot,
                             s->request->terms, vector, &v->arena, err);
  quoin_status st =
      vec_of_id(&v->floats[i], &dimension, s->snapshot, s->request->terms, vector, &v->arena, err);
  if (!st && dimension != wanted) v->floats[i] = NULL;
  return st;
}

static void
graph_lost(searcher *s, uint32_t number)
{
  quoin_error why = QUOIN_ERROR_INIT;
  uint32_t slot;
  s->sieve->unreadable = true;
  if (hnsw_code_slot(&slot, s->sieve->graph, number, &why))
    (void)vec_index_lost(s->index, s->snapshot, &why);
}

/* The slot of a vector of the graph; a graph that cannot be read is used no more. */
static uint32_t
slot_of(searcher *s, atom_id vector)
{
  vec_sieve *v = s->sieve;
  uint32_t slot;
  uint64_t number = atom_id_payload(vector);
  if (!v->graph || atom_id_kind(vector) != ATOM_VECTOR || number >= UINT32_MAX) return HNSW_NONE;
  if (!hnsw_code_slot(&slot, v->graph, (uint32_t)number, NULL)) return slot;
  graph_lost(s, (uint32_t)number);
  return HNSW_NONE;
}

/* The place of its fresh code; else that is made for the searches to come. */
static bool
has_fresh(searcher *s, size_t i)
{
  vec_sieve *v = s->sieve;
  uint64_t number = atom_id_payload(v->vector[i]);
  if (!v->graph || atom_id_kind(v->vector[i]) != ATOM_VECTOR) return false;
  if (v->fresh && vec_fresh_find(&v->slot[i], v->fresh, number)) return true;
  if (!v->fresh && v->without++ == FRESH_MANY) v->fresh = vec_fresh_enter(s->index, true);
  const float *floats;
  uint32_t dimension;
  if (v->fresh &&
      !vec_of_id(&floats, &dimension, s->snapshot, s->request->terms, v->vector[i], &v->arena,
                 NULL) &&
      dimension == s->request->index->dimension)
    (void)vec_fresh_add(v->fresh, number, &s->index->declared, floats);
  return false;
}

/* Look for what will bound vector i, and ask the processor for it. */
static quoin_status
prepare(searcher *s, size_t i, quoin_error *err)
{
  vec_sieve *v = s->sieve;
  v->distance[i] = UNKNOWN;
  v->floats[i] = NULL;
  v->slot[i] = v->unreadable ? HNSW_NONE : slot_of(s, v->vector[i]);
  v->is_fresh[i] = v->slot[i] == HNSW_NONE && has_fresh(s, i);
  if (v->is_fresh[i]) {
    vec_row_ask(v->fresh->codes + v->fresh->stride * v->slot[i], v->code_bytes);
    return QUOIN_OK;
  }
  if (v->slot[i] != HNSW_NONE) {
    vec_rows rows = hnsw_codes(v->graph);
    vec_row_ask(rows.base + rows.stride * v->slot[i], v->code_bytes);
    return QUOIN_OK;
  }
  quoin_status st = read_floats(s, i, err);
  if (!st && v->floats[i])
    vec_row_ask((const char *)v->floats[i], s->request->index->dimension * sizeof(float));
  return st;
}

static void
sort_out(vec_sieve *v, size_t from, size_t to)
{
  v->by_code.n = v->by_fresh.n = v->by_floats.n = 0;
  for (size_t i = from; i < to; i++) {
    v->lower[i] = HUGE_VAL;
    if (v->is_fresh[i]) {
      v->places[v->by_fresh.n] = v->slot[i];
      v->by_fresh.of[v->by_fresh.n++] = (uint16_t)i;
    } else if (v->slot[i] != HNSW_NONE) {
      v->slots[v->by_code.n] = v->slot[i];
      v->by_code.of[v->by_code.n++] = (uint16_t)i;
    } else if (v->floats[i]) { /* else not a vector of the index: never near enough */
      v->values[v->by_floats.n] = v->floats[i];
      v->by_floats.of[v->by_floats.n++] = (uint16_t)i;
    }
  }
}

static void
take_bounds(vec_sieve *v, const sieve_group *group)
{
  for (size_t j = 0; j < group->n; j++)
    if (v->bounds[j] < v->lower[group->of[j]]) v->lower[group->of[j]] = v->bounds[j];
}

static void
bound(searcher *s, size_t from, size_t to)
{
  vec_sieve *v = s->sieve;
  sort_out(v, from, to);
  for (size_t i = 0; i < s->request->n_near; i++) {
    if (v->by_code.n) {
      vec_rows rows = hnsw_codes(v->graph);
      rows.slots = v->slots;
      rows.n = v->by_code.n;
      vec_bound_codes(v->bounds, &v->bounds_of.near[i], v->room, &rows);
      take_bounds(v, &v->by_code);
    }
    if (v->by_fresh.n) {
      vec_rows rows = {.base = v->fresh->codes,
                       .stride = v->fresh->stride,
                       .slots = v->places,
                       .n = v->by_fresh.n};
      vec_bound_codes(v->bounds, &v->bounds_of.near[i], v->room, &rows);
      take_bounds(v, &v->by_fresh);
    }
    if (v->by_floats.n) {
      vec_bound_floats(v->bounds, &v->bounds_of.near[i], v->room, v->values, v->by_floats.n);
      take_bounds(v, &v->by_floats);
    }
  }
}

/* ---- what is offered --------------------------------------------------------------------------
 */

static quoin_status
offer(searcher *s, size_t row, quoin_error *err)
{
  vec_sieve *v = s->sieve;
  size_t i = v->of[row];
  quoin_status st;
  if (v->lower[i] > s->top.limit) return QUOIN_OK;
  if (v->distance[i] == UNKNOWN) {
    if (v->slot[i] != HNSW_NONE && (st = read_floats(s, i, err))) return st;
    v->distance[i] = v->floats[i] ? vec_distance_to(s, v->floats[i]) : (double)NAN;
  }
  return vec_top_add(&s->top, v->subject[row], v->distance[i], err);
}

/* Rows from..to and their vectors. As long as there are not k of them, nothing can be passed over.
 */
static quoin_status
sift(searcher *s, size_t from, size_t to, quoin_error *err)
{
  vec_sieve *v = s->sieve;
  quoin_status st = QUOIN_OK;
  if (s->top.limit < HUGE_VAL) {
    bound(s, v->of[from], (size_t)v->of[to - 1] + 1);
  } else {
    for (size_t i = v->of[from]; i <= v->of[to - 1]; i++)
      v->lower[i] = UNKNOWN;
  }
  for (size_t row = from; !st && row < to; row++)
    st = offer(s, row, err);
  if (vec_top_is_due(&s->top)) vec_top_trim(&s->top);
  return st;
}

quoin_status
vec_sieve_flush(searcher *s, quoin_error *err)
{
  vec_sieve *v = s->sieve;
  quoin_status st = QUOIN_OK;
  if (!v || !v->rows) return QUOIN_OK;
  s->report->visits += v->n;
  for (size_t from = 0, to; !st && from < v->rows; from = to) {
    to = v->rows;
    if (!(s->top.limit < HUGE_VAL) && to - from > s->top.k + FIRST) to = from + s->top.k + FIRST;
    st = sift(s, from, to, err);
  }
  v->rows = v->n = 0;
  base_arena_reset(&v->arena);
  return st;
}

quoin_status
vec_sieve_add(searcher *s, atom_id subject, atom_id vector, quoin_error *err)
{
  quoin_status st;
  if (!s->sieve && (st = sieve_begin(s, err))) return st;
  vec_sieve *v = s->sieve;
  if (v->rows == SIEVE_ROOM && (st = vec_sieve_flush(s, err))) return st;
  if (!v->n || !atom_id_equal(v->vector[v->n - 1], vector)) {
    v->vector[v->n] = vector;
    if ((st = prepare(s, v->n, err))) return st;
    v->n++;
  }
  v->subject[v->rows] = subject;
  v->of[v->rows++] = (uint16_t)(v->n - 1);
  return QUOIN_OK;
}
