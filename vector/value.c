/* vector/value.c - the floats that a term stands for, and the vectors of a subject. */
#include "vector/tensor.h"
#include "vector/vector.h"

#include "base/poison.h"

/* Of other systems: their text may be an array of numbers, as that of vec:f32. */
static const struct {
  const char *iri;
  size_t len;
} arrays[] = {
#define ARRAY(iri)                                                                                 \
  {                                                                                                \
    iri, sizeof(iri) - 1                                                                           \
  }
    ARRAY(RDF_NS "JSON"),
    ARRAY("http://w3id.org/awslabs/neptune/SPARQL-CDTs/List"),
    ARRAY("https://mdb.imfd.cl/type#tensorFloat"),
#undef ARRAY
};

static const float *
floats_of(const rdf_term *vector, uint32_t *dimension)
{
  *dimension = (uint32_t)(vector->value.len / sizeof(float));
  return (const float *)(const void *)vector->value.ptr;
}

/* Is the text of the literal one of these arrays? They have no base64 form. */
static bool
is_array(const rdf_term *literal)
{
  quoin_span text = literal->value;
  bool ours = false;
  for (size_t k = 0; k < sizeof(arrays) / sizeof(*arrays); k++)
    ours = ours || base_span_equal(literal->datatype, (quoin_span){arrays[k].iri, arrays[k].len});
  if (!ours) return false;
  size_t i = 0;
  while (i < text.len && memchr(" \t\r\n", text.ptr[i], 4))
    i++;
  return i < text.len && text.ptr[i] == '[';
}

bool
vec_may_be(const rdf_term *term)
{
  if (term->kind != RDF_LITERAL || !term->datatype.len) return term->kind == RDF_VECTOR;
  return base_span_is(term->datatype, RDF_VEC_F32) || base_span_is(term->datatype, VEC_TENSOR) ||
         is_array(term);
}

quoin_status
vec_of_term(const float **out, uint32_t *dimension, const rdf_term *term, base_arena *arena,
            quoin_error *err)
{
  rdf_term vector = *term;
  *out = NULL;
  *dimension = 0;
  if (term->kind == RDF_LITERAL) {
    quoin_span text = term->value;
    uint64_t said = 0;
    bool tensor =
        base_span_is(term->datatype, VEC_TENSOR) && vec_tensor_data(&text, &said, term->value);
    bool ours = base_span_is(term->datatype, RDF_VEC_F32);
    if (!ours && !tensor && !is_array(term)) return QUOIN_OK;
    quoin_status st = rdf_vector_parse(&vector, text, arena, ours ? err : NULL);
    if (st == QUOIN_ERR_LIMIT && !ours) return QUOIN_OK; /* too many to be a vector */
    if (st) return st == QUOIN_ERR_NOMEM && !ours ? base_fail_nomem(err) : st;
    if (tensor && vector.value.len != said * sizeof(float)) return QUOIN_OK;
  }
  if (vector.kind == RDF_VECTOR) *out = floats_of(&vector, dimension);
  return QUOIN_OK;
}

quoin_status
vec_of_id(const float **out, uint32_t *dimension, const quad_snapshot *snapshot,
          const vec_terms *terms, atom_id id, base_arena *arena, quoin_error *err)
{
  rdf_term term;
  atom_kind kind = atom_id_kind(id);
  *out = NULL;
  *dimension = 0;
  if (kind == ATOM_VECTOR)
    return atom_vector(out, dimension, quad_snapshot_atoms(snapshot), id, err);
  if (kind != ATOM_TYPED && kind != ATOM_LOCAL) return QUOIN_OK;
  if (kind == ATOM_LOCAL && terms->vector && terms->vector(out, dimension, terms->user, id))
    return QUOIN_OK;
  quoin_status st = terms->read(&term, terms->user, id, arena, err);
  return st ? st : vec_of_term(out, dimension, &term, arena, err);
}

/* ---- what may be said with an index's predicate -----------------------------------------------
 */

const char *
vec_misfit_of(const vec_declaration *index, const float *values, uint32_t dimension)
{
  if (dimension != index->dimension) return "has another dimension";
  if (index->metric == VEC_COSINE && vec_is_zero(values, dimension))
    return "is zero, which has no cosine";
  return NULL;
}

quoin_status
vec_misfit(const char **why, const vec_declaration *index, const rdf_term *object,
           base_arena *arena, quoin_error *err)
{
  const float *values;
  uint32_t dimension;
  *why = NULL;
  quoin_status st = vec_of_term(&values, &dimension, object, arena, err);
  if (st) return st;
  if (values)
    *why = vec_misfit_of(index, values, dimension);
  else if (object->kind == RDF_LITERAL && base_span_is(object->datatype, RDF_VEC_F32))
    *why = "is not well formed";
  return QUOIN_OK;
}

quoin_status
vec_misfit_id(const char **why, const vec_declaration *index, const quad_snapshot *snapshot,
              const vec_terms *terms, atom_id object, base_arena *arena, quoin_error *err)
{
  const float *values;
  uint32_t dimension;
  rdf_term term;
  atom_kind kind = atom_id_kind(object);
  *why = NULL;
  if (kind != ATOM_VECTOR && kind != ATOM_TYPED && kind != ATOM_LOCAL) return QUOIN_OK;
  quoin_status st = vec_of_id(&values, &dimension, snapshot, terms, object, arena, err);
  if (st) return st;
  if (values) {
    *why = vec_misfit_of(index, values, dimension);
    return QUOIN_OK;
  }
  st = terms->read(&term, terms->user, object, arena, err);
  return st ? st : vec_misfit(why, index, &term, arena, err);
}

quoin_status
vec_fail_misfit(const vec_declaration *index, quoin_span predicate, const rdf_term *subject,
                const char *why, quoin_error *err)
{
  bool blank = subject->kind == RDF_BLANK, unnamed = blank && !subject->value.len;
  return base_fail(
      err, QUOIN_ERR_CONSTRAINT, "the vector of %s%.*s%s %s; the index has %u dimensions: <%.*s>",
      unnamed ? "a blank node"
      : blank ? "_:"
              : "<",
      (int)(subject->value.len < 200 ? subject->value.len : 200),
      subject->value.len ? subject->value.ptr : "", blank ? "" : ">", why,
      (unsigned)index->dimension, (int)(predicate.len < 200 ? predicate.len : 200), predicate.ptr);
}

/* ---- graphs -----------------------------------------------------------------------------------
 */

bool
vec_graphs_have(const vec_graphs *graphs, atom_id graph)
{
  size_t low = 0, n = graphs->n_merged;
  if (!graphs->merged) return !graphs->skip.bits || !atom_id_equal(graphs->skip, graph);
  while (n) {
    size_t half = n / 2;
    if (graphs->merged[low + half].bits < graph.bits) {
      low += half + 1;
      n -= half + 1;
    } else {
      n = half;
    }
  }
  return low < graphs->n_merged && atom_id_equal(graphs->merged[low], graph);
}

quoin_status
vec_graphs_any(bool *out, const quad_snapshot *snapshot, const vec_graphs *graphs,
               atom_id predicate, quoin_error *err)
{
  quad_pattern all = {.scope = graphs->scope, .match.term[QUAD_P] = predicate};
  uint64_t n = 0, skipped = 0;
  quoin_status st = QUOIN_OK;
  *out = false;
  if (graphs->empty) return QUOIN_OK;
  if (graphs->scope == QUAD_NAMED) all.match.term[QUAD_G] = graphs->graph;
  if (!graphs->merged) {
    if ((st = quad_count(&n, snapshot, &all, err))) return st;
    all.scope = QUAD_NAMED;
    all.match.term[QUAD_G] = graphs->skip;
    if (n && graphs->skip.bits) st = quad_count(&skipped, snapshot, &all, err);
    *out = n > skipped;
    return st;
  }
  all.scope = QUAD_NAMED;
  for (size_t i = 0; !st && !*out && i < graphs->n_merged; i++) {
    all.match.term[QUAD_G] = graphs->merged[i];
    st = quad_count(&n, snapshot, &all, err);
    *out = n > 0;
  }
  return st;
}

quoin_status
vec_quads_open(quad_scan **out, const quad_snapshot *snapshot, const vec_graphs *graphs,
               const quad *match, quoin_error *err)
{
  static const uint8_t then[] = {QUAD_O};
  quad_pattern pattern = {.scope = graphs->scope, .match = *match};
  uint32_t orders = quad_snapshot_orders(snapshot);
  unsigned columns = 1u << QUAD_S;
  if (!match->term[QUAD_O].bits) columns |= 1u << QUAD_O;
  if (vec_graphs_merge(graphs)) columns |= 1u << QUAD_G;
  quad_order order = quad_order_for(orders, &pattern, then, 1);
  if (order == QUAD_ORDERS) order = (quad_order)__builtin_ctz(orders);
  return quad_scan_open(out, snapshot, &pattern, order, columns, err);
}

/* ---- subjects ---------------------------------------------------------------------------------
 */

static quoin_status
add_vector(const float ***list, size_t *n, size_t *cap, const float *values, base_arena *arena,
           quoin_error *err)
{
  if (*n == *cap) {
    size_t more = *cap ? *cap * 2 : 4;
    const float **grown = base_arena_new(arena, more, sizeof(*grown));
    if (!grown) return base_fail_nomem(err);
    if (*n) memcpy(grown, *list, *n * sizeof(*grown));
    *list = grown;
    *cap = more;
  }
  (*list)[(*n)++] = values;
  return QUOIN_OK;
}

quoin_status
vec_of_subject(const float *const **out, size_t *n, const quad_snapshot *snapshot,
               const vec_declaration *index, const vec_graphs *graphs, const vec_terms *terms,
               atom_id subject, base_arena *arena, quoin_error *err)
{
  const float **list = NULL;
  quad match = {.term = {[QUAD_S] = subject, [QUAD_P] = index->predicate}};
  size_t cap = 0;
  quad_scan *scan = NULL;
  quad_batch rows;
  if (graphs->scope == QUAD_NAMED) match.term[QUAD_G] = graphs->graph;
  *n = 0;
  quoin_status st = vec_quads_open(&scan, snapshot, graphs, &match, err);
  while (!st && !(st = quad_scan_next(&rows, scan, err))) {
    for (size_t i = 0; !st && i < rows.rows; i++) {
      const float *values;
      uint32_t dimension;
      if (vec_graphs_merge(graphs) && !vec_graphs_have(graphs, rows.column[QUAD_G][i])) continue;
      st = vec_of_id(&values, &dimension, snapshot, terms, rows.column[QUAD_O][i], arena, err);
      if (!st && values && dimension == index->dimension)
        st = add_vector(&list, n, &cap, values, arena, err);
    }
  }
  quad_scan_close(scan);
  *out = list;
  return st == QUOIN_DONE ? QUOIN_OK : st;
}
