/* sparql/expr/functions_vec.c - exact functions of vectors (DESIGN.md section 8).
 *
 * Bad arguments are expression errors, but for vec:embed: without the embedder of the index's model
 * the query fails. */
#include "sparql/expr/expr_eval.h"
#include "sparql/operators/graph_scan.h"
#include "sparql/operators/vec_query.h"

#include <math.h>

#include "base/poison.h"

typedef enum vec_function {
  VEC_FN_NONE,
  VEC_FN_COSINE,
  VEC_FN_DOT,
  VEC_FN_L2,
  VEC_FN_DIM,
  VEC_FN_OF,
  VEC_FN_EMBED
} vec_function;

static vec_function
function_of(const sparql_expr *e)
{
  static const struct {
    const char *iri;
    vec_function function;
    size_t n_args;
  } known[] = {{RDF_VEC "cosineDistance", VEC_FN_COSINE, 2},
               {RDF_VEC "dotDistance", VEC_FN_DOT, 2},
               {RDF_VEC "l2Distance", VEC_FN_L2, 2},
               {RDF_VEC "dim", VEC_FN_DIM, 1},
               {RDF_VEC "of", VEC_FN_OF, 2},
               {RDF_VEC "embed", VEC_FN_EMBED, 2}};
  for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
    if (e->n_args == known[i].n_args && base_span_is(e->term.value, known[i].iri))
      return known[i].function;
  return VEC_FN_NONE;
}

bool
fn_is_vec(const sparql_expr *e)
{
  return function_of(e) != VEC_FN_NONE;
}

/* The floats of a value; *out NULL: it is no vector. */
static quoin_status
floats_of(const float **out, uint32_t *dimension, sparql_eval *ev, sparql_value *v,
          quoin_error *err)
{
  quoin_status st;
  vec_terms terms = sparql_vec_terms(ev->ctx);
  *out = NULL;
  *dimension = 0;
  if (v->kind != VALUE_OTHER) return QUOIN_OK;
  if (v->id.bits)
    return vec_of_id(out, dimension, ev->ctx->snapshot, &terms, v->id, ev->arena, err);
  if ((st = value_text(v, ev->ctx, ev->arena, err))) return st;
  return vec_of_term(out, dimension, &v->term, ev->arena, err);
}

static quoin_status
distance(sparql_value *out, sparql_eval *ev, vec_metric metric, sparql_value *args,
         quoin_error *err)
{
  const float *side[2];
  uint32_t dimension[2];
  for (size_t i = 0; i < 2; i++) {
    quoin_status st = floats_of(&side[i], &dimension[i], ev, &args[i], err);
    if (st || !side[i]) return st;
  }
  if (dimension[0] != dimension[1] || !dimension[0]) return QUOIN_OK;
  if (metric == VEC_COSINE)
    for (size_t i = 0; i < 2; i++)
      if (vec_is_zero(side[i], dimension[i])) return QUOIN_OK;
  value_set_double(out, vec_distance(metric, side[0], side[1], dimension[0]));
  return QUOIN_OK;
}

static quoin_status
dimension_of(sparql_value *out, sparql_eval *ev, sparql_value *args, quoin_error *err)
{
  const float *values;
  uint32_t dimension;
  quoin_status st = floats_of(&values, &dimension, ev, &args[0], err);
  if (!st && values) value_set_integer(out, dimension);
  return st;
}

/* ---- vec:of -----------------------------------------------------------------------------------
 */

/* The vector of a subject by a predicate, in any graph of the dataset: the one of the least id. */
static quoin_status
vector_of(sparql_value *out, sparql_eval *ev, sparql_value *args, quoin_error *err)
{
  sparql_context *ctx = ev->ctx;
  const vec_graphs *graphs;
  quad match = {.term = {{0}}};
  atom_id least = ATOM_NONE_ID;
  quad_scan *scan = NULL;
  quad_batch rows;
  quoin_status st = value_id(&match.term[QUAD_P], &args[0], ctx, ev->arena, err);
  if (!st) st = value_id(&match.term[QUAD_S], &args[1], ctx, ev->arena, err);
  if (st || args[0].kind != VALUE_IRI) return st;
  if ((st = sparql_reads(ctx, &(quad_pattern){.scope = QUAD_ANY, .match = match}, err))) return st;
  if (!sparql_id_is_stored(ctx, match.term[QUAD_P]) ||
      !sparql_id_is_stored(ctx, match.term[QUAD_S]))
    return QUOIN_OK;
  if ((st = sparql_vec_dataset(&graphs, ctx, err))) return st;
  st = vec_quads_open(&scan, ctx->snapshot, graphs, &match, err);
  while (!st && !(st = quad_scan_next(&rows, scan, err))) {
    for (size_t i = 0; !st && i < rows.rows; i++) {
      const float *values;
      uint32_t dimension;
      atom_id id = rows.column[QUAD_O][i];
      vec_terms terms = sparql_vec_terms(ctx);
      if (!vec_graphs_have(graphs, rows.column[QUAD_G][i])) continue;
      if (least.bits && least.bits <= id.bits) continue;
      st = vec_of_id(&values, &dimension, ctx->snapshot, &terms, id, ev->arena, err);
      if (!st && values) least = id;
    }
  }
  quad_scan_close(scan);
  if (st != QUOIN_DONE) return st;
  return least.bits ? value_of_id(out, ctx, least, ev->arena, err) : QUOIN_OK;
}

/* ---- vec:embed --------------------------------------------------------------------------------
 */

static quoin_status
fail_embed(const sparql_expr *e, quoin_status status, const char *what, quoin_error *err)
{
  return base_fail_pos(err, status, NULL, e->line, e->column, "vec:embed: %s", what);
}

/* As much of a name as a message has room for. */
static int
most(quoin_span name)
{
  return (int)(name.len < 120 ? name.len : 120);
}

/* The index over the IRI, and that its model, where it is said, is that of the embedder. */
static quoin_status
embed_index(vec_declaration *out, sparql_eval *ev, const sparql_expr *e, sparql_value *index,
            quoin_error *err)
{
  sparql_context *ctx = ev->ctx;
  const sparql_embedder *embedder = ctx->options ? ctx->options->embedder : NULL;
  vec_terms terms = sparql_vec_terms(ctx);
  rdf_term model = {.kind = RDF_NONE};
  atom_id predicate;
  bool found = false;
  quoin_status st = value_id(&predicate, index, ctx, ev->arena, err);
  if (!st && sparql_id_is_stored(ctx, predicate))
    st = vec_declaration_find(out, &found, ctx->snapshot, &terms, predicate, ctx->mem, err);
  if (st) return st;
  if (!found)
    return fail_embed(e, QUOIN_ERR_NOT_FOUND, "its first argument is not a vector index", err);
  if (!embedder)
    return fail_embed(e, QUOIN_ERR_NOT_FOUND, "no embedder is registered for this query", err);
  if (out->model.bits && (st = sparql_term(&model, ctx, out->model, ev->arena, err))) return st;
  if (!out->model.bits || base_span_equal(model.value, embedder->model)) return QUOIN_OK;
  return base_fail_pos(err, QUOIN_ERR_NOT_FOUND, NULL, e->line, e->column,
                       "vec:embed: the index is of the model \"%.*s\", the embedder of %s%.*s%s",
                       most(model.value), model.value.ptr, embedder->model.len ? "\"" : "none",
                       most(embedder->model), embedder->model.len ? embedder->model.ptr : "",
                       embedder->model.len ? "\"" : " that it names");
}

static quoin_status
embed(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
      quoin_error *err)
{
  sparql_context *ctx = ev->ctx;
  vec_declaration index;
  rdf_term vector;
  if (args[0].kind != VALUE_IRI || !fn_is_string(&args[1])) return QUOIN_OK;
  quoin_status st = embed_index(&index, ev, e, &args[0], err);
  if (st || (st = value_text(&args[1], ctx, ev->arena, err))) return st;
  float *values = base_arena_new_zero(ev->arena, index.dimension, sizeof(*values));
  if (!values) return base_fail_nomem(err);
  const sparql_embedder *embedder = ctx->options->embedder;
  st = embedder->embed(values, index.dimension, embedder->user, args[1].term.value, err);
  ctx->cancel.calls = 0; /* it may have taken long: look at the clock */
  if (st || (st = base_cancel_check(&ctx->cancel, err))) return st;
  if (!rdf_vector_normalize(values, index.dimension))
    return fail_embed(e, QUOIN_ERR_CONSTRAINT, "the embedder gave a number that is not finite",
                      err);
  if ((st = rdf_vector_text(&vector, values, index.dimension, ev->arena, err))) return st;
  return value_of_term(out, &vector, ev->arena, err);
}

quoin_status
fn_vec(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
       quoin_error *err)
{
  switch (function_of(e)) {
  case VEC_FN_COSINE:
    return distance(out, ev, VEC_COSINE, args, err);
  case VEC_FN_DOT:
    return distance(out, ev, VEC_DOT, args, err);
  case VEC_FN_L2:
    return distance(out, ev, VEC_L2, args, err);
  case VEC_FN_DIM:
    return dimension_of(out, ev, args, err);
  case VEC_FN_OF:
    return vector_of(out, ev, args, err);
  case VEC_FN_EMBED:
    return embed(out, ev, e, args, err);
  case VEC_FN_NONE:
    break;
  }
  return QUOIN_OK;
}
