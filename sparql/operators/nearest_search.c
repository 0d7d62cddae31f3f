/* sparql/operators/nearest_search.c - the searches of vec:nearest: one for each distinct query,
 * those with the same candidates in turn, so that these become a set of nodes once, and a few at a
 * time where they can share a reading of the codes. */
#include "sparql/expr/value.h"
#include "sparql/operators/graph_scan.h"
#include "sparql/operators/nearest.h"

#include <stdlib.h>

#include "base/poison.h"

/* ---- what to be near to -----------------------------------------------------------------------
 */

static quoin_status
fail_query(const nearest_operator *op, quoin_status status, const char *what, quoin_error *err)
{
  const sparql_algebra *node = op->options.node;
  return base_fail_pos(err, status, NULL, node->line, node->column,
                       "the query of vec:nearest %s; the index has %u dimensions", what,
                       (unsigned)op->options.index.dimension);
}

static quoin_status
check_vector(const nearest_operator *op, const float *values, uint32_t dimension, quoin_error *err)
{
  const vec_declaration *index = &op->options.index;
  if (!values) return fail_query(op, QUOIN_ERR_CONSTRAINT, "is not a vector", err);
  if (dimension != index->dimension)
    return fail_query(op, QUOIN_ERR_CONSTRAINT, "is a vector of another dimension", err);
  if (index->metric != VEC_COSINE || !vec_is_zero(values, dimension)) return QUOIN_OK;
  return fail_query(op, QUOIN_ERR_CONSTRAINT, "is a zero vector, which has no cosine", err);
}

/* Has the resource a vector in any of the graphs that GRAPH ?g ranges over? */
static quoin_status
find_query_anywhere(nearest_operator *op, const vec_terms *terms, atom_id id, base_arena *arena,
                    quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_active_graph *active = op->options.graph;
  vec_graphs named = {.scope = QUAD_NAMED, .merged = active->merged, .n_merged = active->n_merged};
  const float *const *vectors;
  size_t n = 0;
  quoin_status st = sparql_system_graph(&named.skip, ctx, err);
  if (!st && sparql_id_is_stored(ctx, id))
    st = vec_of_subject(&vectors, &n, ctx->snapshot, &op->options.index, &named, terms, id, arena,
                        err);
  op->known_query = n > 0;
  return st;
}

/* The vectors of the query `id`; *n is 0 for a bound resource without one. */
static quoin_status
query_vectors(const float *const **out, size_t *n, nearest_operator *op, const vec_graphs *graphs,
              const vec_terms *terms, atom_id id, base_arena *arena, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const vec_declaration *index = &op->options.index;
  const sparql_node *object = &op->options.node->object;
  bool constant = object->var == SPARQL_NO_VAR;
  const float **one;
  uint32_t dimension;
  quoin_status st = constant ? sparql_intern(&id, ctx, &object->term, err) : QUOIN_OK;
  if (st) return st;
  if (sparql_id_kind(ctx, id) == RDF_LITERAL) {
    if (!(one = base_arena_new(arena, 1, sizeof(*one)))) return base_fail_nomem(err);
    if ((st = vec_of_id(one, &dimension, ctx->snapshot, terms, id, arena, err))) return st;
    *out = one;
    *n = 1;
    return check_vector(op, one[0], dimension, err);
  }
  *n = 0;
  if (sparql_id_is_stored(ctx, id) && !graphs->empty &&
      (st = vec_of_subject(out, n, ctx->snapshot, index, graphs, terms, id, arena, err)))
    return st;
  if (*n || !constant) return QUOIN_OK;
  if (op->options.graph->graph.var == SPARQL_NO_VAR)
    return fail_query(op, QUOIN_ERR_NOT_FOUND, "is a resource without a vector in the active graph",
                      err);
  /* Inside GRAPH ?g each graph is asked, and those that do not have it give nothing: one must. */
  if (!op->known_query && (st = find_query_anywhere(op, terms, id, arena, err))) return st;
  if (op->known_query) return QUOIN_OK;
  return fail_query(op, QUOIN_ERR_NOT_FOUND, "is a resource without a vector in any graph of GRAPH",
                    err);
}

/* ---- searching --------------------------------------------------------------------------------
 */

static quoin_status
distance_id(atom_id *out, sparql_context *ctx, double distance, quoin_error *err)
{
  sparql_value value;
  *out = atom_inline_double(distance);
  if (out->bits) return QUOIN_OK;
  value_set_double(&value, distance);
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  quoin_status st = value_id(out, &value, ctx, &ctx->scratch, err);
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

/* Where the group says that the query itself is no item, one more than k was asked for; but of the
 * k of the whole index it may be one. */
static quoin_status
take_found(nearest_operator *op, uint32_t query, const vec_found *found, size_t n, quoin_error *err)
{
  const nearest_options *o = &op->options;
  atom_id self = ATOM_NONE_ID;
  quoin_status st = nearest_grow(op, (void **)&op->found, &op->cap_found, op->n_found + n,
                                 sizeof(*op->found), err);
  if (st) return st;
  if (o->not_itself) self = op->ids.column[0][query];
  op->query[query].first = op->n_found;
  for (size_t i = 0; i < n && op->query[query].n < o->node->nearest->k; i++) {
    nearest_found *to = &op->found[op->n_found];
    if (atom_id_equal(found[i].subject, self)) continue;
    *to = (nearest_found){.item = found[i].subject, .query = query};
    if ((st = distance_id(&to->distance, op->head.ctx, found[i].distance, err))) return st;
    op->n_found++;
    op->query[query].n++;
  }
  return QUOIN_OK;
}

enum { NEAR_MOST = 4 * VEC_TOGETHER }; /* vectors of queries that wait: of one there may be more */

/* Queries with the same candidates. */
typedef struct search_batch {
  nearest_operator *op;
  const vec_graphs *graphs;
  vec_terms terms;
  vec_request request;
  size_t queries;
  vec_searches *searches; /* NULL: none of its queries had a vector yet */
  /* Those that wait to be asked together. */
  vec_asked asked[VEC_TOGETHER];
  uint32_t query[VEC_TOGETHER];
  size_t n, near;   /* vectors that they are near to */
  base_arena arena; /* of these */
} search_batch;

static void
begin_batch(search_batch *b, const nearest_items *items, size_t queries)
{
  const nearest_operator *op = b->op;
  const sparql_nearest *said = op->options.node->nearest;
  b->queries = queries;
  b->request = (vec_request){.index = &op->options.index,
                             .graphs = b->graphs,
                             .terms = &b->terms,
                             .k = said->k + (op->options.not_itself && !op->any),
                             .ef = said->ef < UINT32_MAX ? (uint32_t)said->ef : UINT32_MAX,
                             .max_distance = said->max_distance,
                             .exact = said->exact,
                             .subjects = op->any ? NULL : items->id,
                             .n_subjects = op->any ? 0 : items->n,
                             .cancel = &op->head.ctx->cancel};
}

static void
count_search(nearest_operator *op, const vec_report *report)
{
  op->searches++;
  op->ways[report->choice]++;
  op->candidates += report->candidates;
  op->visits += report->visits;
}

/* Those that wait are asked. */
static quoin_status
search_waiting(search_batch *b, quoin_error *err)
{
  if (!b->n) return QUOIN_OK;
  quoin_status st = vec_searches_next(b->asked, b->n, b->searches, err);
  for (size_t i = 0; i < b->n; i++) {
    vec_asked *asked = &b->asked[i];
    count_search(b->op, &asked->report);
    if (!st) st = take_found(b->op, b->query[i], asked->found, asked->n, err);
    base_release(b->op->head.ctx->mem, asked->found, asked->n, sizeof(*asked->found));
  }
  b->n = b->near = 0;
  base_arena_reset(&b->arena);
  return st;
}

/* One more query, which waits until there are as many as are best asked together. */
static quoin_status
add_query(search_batch *b, uint32_t query, quoin_error *err)
{
  nearest_operator *op = b->op;
  sparql_context *ctx = op->head.ctx;
  atom_id id = nearest_has_constant_query(op) ? ATOM_NONE_ID : op->ids.column[0][query];
  base_arena_mark mark = base_arena_here(&b->arena);
  vec_asked *asked = &b->asked[b->n];
  *asked = (vec_asked){.n_near = 0};
  quoin_status st =
      query_vectors(&asked->near, &asked->n_near, op, b->graphs, &b->terms, id, &b->arena, err);
  if (st) return st;
  if (!asked->n_near) {
    base_arena_rewind(&b->arena, mark);
    count_search(op, &asked->report);
    return QUOIN_OK;
  }
  if (!b->searches &&
      (st = vec_searches_open(&b->searches, ctx->snapshot, &b->request, b->queries, ctx->mem, err)))
    return st;
  b->near += asked->n_near;
  b->query[b->n++] = query;
  if (b->n < vec_searches_most(b->searches) && b->near < NEAR_MOST) return QUOIN_OK;
  return search_waiting(b, err);
}

/* A query among those that may have its candidates: which, and how many by what hash. */
typedef struct query_key {
  uint64_t hash;
  size_t n;
  uint32_t query;
} query_key;

static int
compare_keys(const void *x, const void *y)
{
  const query_key *a = x, *b = y;
  if (a->n != b->n) return a->n < b->n ? -1 : 1;
  if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
  return a->query < b->query ? -1 : a->query > b->query;
}

/* In `arena`, those with the same candidates next to each other. */
static quoin_status
sort_queries(query_key **out, const nearest_operator *op, base_arena *arena, quoin_error *err)
{
  query_key *keys = base_arena_new_zero(arena, op->n_queries + 1, sizeof(*keys));
  if (!keys) return base_fail_nomem(err);
  for (size_t q = 0; q < op->n_queries; q++) {
    const nearest_items *items = &op->query[q].items;
    keys[q].query = (uint32_t)q;
    if (op->shared) continue;
    keys[q].n = items->n;
    keys[q].hash = base_hash(items->id, items->n * sizeof(*items->id));
  }
  if (!op->shared && op->n_queries > 1) qsort(keys, op->n_queries, sizeof(*keys), compare_keys);
  *out = keys;
  return QUOIN_OK;
}

static bool
same_candidates(const nearest_operator *op, const query_key *a, const query_key *b)
{
  if (op->shared) return true;
  if (a->n != b->n || a->hash != b->hash) return false;
  const atom_id *x = op->query[a->query].items.id, *y = op->query[b->query].items.id;
  return memcmp(x, y, a->n * sizeof(*x)) == 0;
}

static quoin_status
search_all(nearest_operator *op, const vec_graphs *graphs, quoin_error *err)
{
  search_batch b = {.op = op, .graphs = graphs, .terms = sparql_vec_terms(op->head.ctx)};
  base_arena keys_arena;
  query_key *keys = NULL;
  base_arena_init(&keys_arena, op->head.ctx->mem);
  base_arena_init(&b.arena, op->head.ctx->mem);
  quoin_status st = sort_queries(&keys, op, &keys_arena, err);
  for (size_t i = 0, end; !st && i < op->n_queries; i = end) {
    const nearest_items *items = op->shared ? &op->items : &op->query[keys[i].query].items;
    for (end = i + 1; end < op->n_queries && same_candidates(op, &keys[i], &keys[end]);)
      end++;
    begin_batch(&b, items, end - i);
    for (size_t q = i; !st && q < end; q++)
      st = add_query(&b, keys[q].query, err);
    if (!st) st = search_waiting(&b, err);
    vec_searches_close(b.searches);
    b.searches = NULL;
  }
  base_arena_clear(&b.arena);
  base_arena_clear(&keys_arena);
  return st;
}

/* ---- what rows will ask for -------------------------------------------------------------------
 */

static int
by_query_item(const void *x, const void *y)
{
  const nearest_found *a = x, *b = y;
  if (a->query != b->query) return a->query < b->query ? -1 : 1;
  return a->item.bits < b->item.bits ? -1 : a->item.bits > b->item.bits;
}

static int
by_item_query(const void *x, const void *y)
{
  const nearest_found *a = x, *b = y;
  if (a->item.bits != b->item.bits) return a->item.bits < b->item.bits ? -1 : 1;
  return a->query < b->query ? -1 : a->query > b->query;
}

/* What was found in the order of the look-ups, and a filter for the many rows that have none. */
static quoin_status
index_found(nearest_operator *op, quoin_error *err)
{
  bool split = nearest_is_split(op);
  size_t n = op->n_found, words = 0;
  if (op->free_item || !n) return QUOIN_OK;
  qsort(op->found, n, sizeof(*op->found), split ? by_item_query : by_query_item);
  for (op->filter_bits = 6; UINT64_C(1) << op->filter_bits < 16 * (uint64_t)n;)
    op->filter_bits++;
  quoin_status st = nearest_grow(op, (void **)&op->filter, &words,
                                 (size_t)1 << (op->filter_bits - 6), sizeof(*op->filter), err);
  op->cap_filter = words;
  if (st) return st;
  memset(op->filter, 0, words * sizeof(*op->filter));
  for (size_t i = 0; i < n; i++) {
    uint64_t hash = nearest_hash(op->found[i].item, split ? 0 : op->found[i].query);
    uint64_t bit = hash >> (64 - op->filter_bits);
    op->filter[bit / 64] |= UINT64_C(1) << bit % 64;
  }
  return QUOIN_OK;
}

/* Where the candidates were the rows, those that were found are left of them. */
static void
keep_found_items(nearest_operator *op)
{
  size_t n = 0;
  for (size_t i = 0; i < op->n_found; i++)
    if (!n || !atom_id_equal(op->items.id[n - 1], op->found[i].item))
      op->items.id[n++] = op->found[i].item;
  op->items.n = op->items.sorted = n;
}

/* Nothing was found: is it that the active graph has no vectors, while others have? Inside GRAPH ?g
 * none of them may have any. */
static quoin_status
explain_nothing(nearest_operator *op, const vec_graphs *graphs, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st = QUOIN_OK;
  if (op->some) return QUOIN_OK;
  op->some = op->n_found > 0;
  if (!op->some)
    st = vec_graphs_any(&op->some, ctx->snapshot, graphs, op->options.index.predicate, err);
  if (st) return st;
  if (op->some && ctx->notice_of == op) {
    ctx->notice = NULL;
  } else if (!op->some && op->options.vectors) {
    ctx->notice = "vec:nearest: the active graph has no vectors of the index, other graphs have";
    ctx->notice_of = op;
  }
  return QUOIN_OK;
}

quoin_status
nearest_search(nearest_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  vec_graphs graphs;
  const sparql_active_graph *active = op->options.graph;
  const sparql_param *param = active->graph.var == SPARQL_NO_VAR || active->scope != QUAD_NAMED
                                  ? NULL
                                  : sparql_frame_find(op->options.frame, active->graph.var);
  quoin_status st =
      sparql_vec_graphs(&graphs, ctx, active, param ? param->value : ATOM_NONE_ID, err);
  if (!st) st = nearest_read_group(op, err);
  if (!st) st = search_all(op, &graphs, err);
  if (!st) st = explain_nothing(op, &graphs, err);
  if (!st) st = index_found(op, err);
  if (st) return st;
  if (op->rows_are_items) keep_found_items(op);
  op->searched = true;
  return QUOIN_OK;
}
