/* vector/declare.c - what the system graph says of vector indexes. */
#include "vector/index.h"

#include "base/poison.h"

#define VEC(name) RDF_VEC name

/* What has been read of one declaration. */
typedef struct reading {
  vec_declaration *to;
  base_arena arena;
  char name[160]; /* of the predicate, for messages */
  bool is_index, dimension, metric, code, m, ef;
} reading;

static quoin_status
fail(const reading *r, quoin_error *err, const char *what)
{
  return base_fail(err, QUOIN_ERR_CONSTRAINT, "vector index <%s>: %s", r->name, what);
}

static quoin_status
iri_id(atom_id *out, const vec_terms *terms, const char *iri, quoin_error *err)
{
  const rdf_term term = {.kind = RDF_IRI, .value = base_span(iri)};
  return terms->find(out, terms->user, &term, err);
}

/* ---- values -----------------------------------------------------------------------------------
 */

static quoin_status
read_count(uint32_t *out, bool *seen, const reading *r, const rdf_term *value, uint32_t low,
           uint32_t high, const char *what, quoin_error *err)
{
  uint64_t n = 0;
  bool good = value->kind == RDF_LITERAL && value->value.len > 0 && value->value.len < 10 &&
              base_span_is(value->datatype, RDF_XSD "integer");
  for (size_t i = 0; good && i < value->value.len; i++) {
    unsigned digit = (unsigned)(value->value.ptr[i] - '0');
    good = digit < 10;
    n = n * 10 + digit;
  }
  if (*seen) return fail(r, err, what);
  if (!good || n < low || n > high)
    return base_fail(err, QUOIN_ERR_CONSTRAINT,
                     "vector index <%s>: %s, found '%.*s', expected an integer from %u to %u",
                     r->name, what, (int)(value->value.len < 80 ? value->value.len : 80),
                     value->value.ptr, low, high);
  *out = (uint32_t)n;
  *seen = true;
  return QUOIN_OK;
}

static quoin_status
read_word(unsigned *out, bool *seen, const reading *r, const rdf_term *value,
          const char *const *words, unsigned n, const char *what, quoin_error *err)
{
  for (unsigned i = 0; i < n; i++) {
    if (value->kind != RDF_IRI || !base_span_is(value->value, words[i])) continue;
    if (*seen) return fail(r, err, what);
    *out = i;
    *seen = true;
    return QUOIN_OK;
  }
  return base_fail(err, QUOIN_ERR_CONSTRAINT, "vector index <%s>: %s, found '%.*s'", r->name, what,
                   (int)(value->value.len < 80 ? value->value.len : 80), value->value.ptr);
}

static quoin_status
read_metric(reading *r, const rdf_term *value, quoin_error *err)
{
  static const char *const words[] = {
      [VEC_COSINE] = VEC("cosineMetric"), [VEC_DOT] = VEC("dotMetric"), [VEC_L2] = VEC("l2Metric")};
  unsigned word = 0;
  quoin_status st =
      read_word(&word, &r->metric, r, value, words, VEC_METRICS,
                "vec:metric is one of vec:cosineMetric, vec:dotMetric, vec:l2Metric", err);
  if (!st) r->to->metric = (vec_metric)word;
  return st;
}

static quoin_status
read_code(reading *r, const rdf_term *value, quoin_error *err)
{
  static const char *const words[] = {[VEC_F32] = VEC("f32Code"),
                                      [VEC_F16] = VEC("f16Code"),
                                      [VEC_I8] = VEC("i8Code"),
                                      [VEC_B1] = VEC("b1Code")};
  unsigned word = 0;
  quoin_status st =
      read_word(&word, &r->code, r, value, words, VEC_CODES,
                "vec:storage is one of vec:f32Code, vec:f16Code, vec:i8Code, vec:b1Code", err);
  if (!st) r->to->code = (vec_code)word;
  return st;
}

/* One triple <predicate, word, object> of the system graph. Words that are not ours are the
 * user's: a label, a comment. */
static quoin_status
read_triple(reading *r, const vec_terms *terms, atom_id word, atom_id object, quoin_error *err)
{
  rdf_term what, value;
  quoin_status st = terms->read(&what, terms->user, word, &r->arena, err);
  if (st || (st = terms->read(&value, terms->user, object, &r->arena, err))) return st;
  if (base_span_is(what.value, RDF_NS "type")) {
    r->is_index = r->is_index || (value.kind == RDF_IRI && base_span_is(value.value, VEC("Index")));
  } else if (base_span_is(what.value, VEC("dimension"))) {
    return read_count(&r->to->dimension, &r->dimension, r, &value, 1, VEC_DIMS_MAX,
                      "vec:dimension is said once", err);
  } else if (base_span_is(what.value, VEC("metric"))) {
    return read_metric(r, &value, err);
  } else if (base_span_is(what.value, VEC("storage"))) {
    return read_code(r, &value, err);
  } else if (base_span_is(what.value, VEC("m"))) {
    return read_count(&r->to->m, &r->m, r, &value, 4, 64, "vec:m is said once at most", err);
  } else if (base_span_is(what.value, VEC("efConstruction"))) {
    return read_count(&r->to->ef_construction, &r->ef, r, &value, 1, 100000,
                      "vec:efConstruction is said once at most", err);
  } else if (base_span_is(what.value, VEC("model"))) {
    if (value.kind != RDF_LITERAL || r->to->model.bits)
      return fail(r, err, "vec:model is one string");
    r->to->model = object;
  }
  return QUOIN_OK;
}

/* ---- scans of the system graph ----------------------------------------------------------------
 */

static quoin_status
open_system(quad_scan **out, const quad_snapshot *snapshot, const vec_terms *terms, atom_id subject,
            atom_id predicate, atom_id object, quoin_error *err)
{
  quad_pattern pattern = {.scope = QUAD_NAMED};
  uint32_t orders = quad_snapshot_orders(snapshot);
  quoin_status st = iri_id(&pattern.match.term[QUAD_G], terms, VEC_SYSTEM_GRAPH, err);
  *out = NULL;
  if (st || !pattern.match.term[QUAD_G].bits) return st;
  pattern.match.term[QUAD_S] = subject;
  pattern.match.term[QUAD_P] = predicate;
  pattern.match.term[QUAD_O] = object;
  quad_order order = quad_order_for(orders, &pattern, NULL, 0);
  if (order == QUAD_ORDERS) order = (quad_order)__builtin_ctz(orders);
  return quad_scan_open(out, snapshot, &pattern, order, 1u << QUAD_S | 1u << QUAD_P | 1u << QUAD_O,
                        err);
}

/* Without vec:storage: bytes under cosine from so many dimensions on, else floats. Bytes find the
 * same neighbours in half the time there; where lengths matter or numbers are few, one large number
 * could drown the others (docs/adrs/0031-bytes-by-default.md). */
enum { I8_LEAST = 64 };

static void
name_reading(reading *r, const vec_terms *terms)
{
  rdf_term term;
  if (terms->read(&term, terms->user, r->to->predicate, &r->arena, NULL)) return;
  size_t n = term.value.len < sizeof(r->name) - 1 ? term.value.len : sizeof(r->name) - 1;
  memcpy(r->name, term.value.ptr, n);
  r->name[base_utf8_valid(r->name, n)] = '\0';
}

quoin_status
vec_declaration_find(vec_declaration *out, bool *found, const quad_snapshot *snapshot,
                     const vec_terms *terms, atom_id predicate, const base_alloc *mem,
                     quoin_error *err)
{
  reading r = {.to = out};
  quad_scan *scan = NULL;
  quad_batch rows;
  quoin_status st;
  *found = false;
  *out = (vec_declaration){.predicate = predicate, .m = 16, .ef_construction = 200};
  base_arena_init(&r.arena, mem);
  if (!predicate.bits) goto done;
  if ((*found = vec_set_declares(out, snapshot, predicate))) goto done;
  if ((st = open_system(&scan, snapshot, terms, predicate, ATOM_NONE_ID, ATOM_NONE_ID, err)) ||
      !scan)
    goto end;
  name_reading(&r, terms);
  while (!(st = quad_scan_next(&rows, scan, err)))
    for (size_t i = 0; i < rows.rows; i++)
      if ((st = read_triple(&r, terms, rows.column[QUAD_P][i], rows.column[QUAD_O][i], err)))
        goto end;
  if (st != QUOIN_DONE) goto end;
  st = QUOIN_OK;
  *found = r.is_index;
  if (!r.code && out->metric == VEC_COSINE && out->dimension >= I8_LEAST) out->code = VEC_I8;
  if (r.is_index && !r.dimension) st = fail(&r, err, "vec:dimension is missing");
  if (!r.is_index && (r.dimension || r.metric || r.code || r.m || r.ef))
    st = fail(&r, err, "it has options but is not said to be a vec:Index");
  if (!st && r.is_index && out->code == VEC_B1 &&
      (out->metric != VEC_COSINE || out->dimension < 256))
    st = fail(&r, err, "vec:b1Code is for cosine from 256 dimensions on");
  goto end;
done:
  st = QUOIN_OK;
end:
  quad_scan_close(scan);
  base_arena_clear(&r.arena);
  return st;
}

quoin_status
vec_declaration_list(atom_id **out, size_t *n, const quad_snapshot *snapshot,
                     const vec_terms *terms, const base_alloc *mem, quoin_error *err)
{
  quad_scan *scan = NULL;
  quad_batch rows;
  atom_id type, index;
  atom_id *list = NULL;
  size_t cap = 0;
  *out = NULL;
  *n = 0;
  quoin_status st = iri_id(&type, terms, RDF_NS "type", err);
  if (st || (st = iri_id(&index, terms, VEC("Index"), err)) || !type.bits || !index.bits) return st;
  if ((st = open_system(&scan, snapshot, terms, ATOM_NONE_ID, type, index, err)) || !scan)
    return st;
  while (!(st = quad_scan_next(&rows, scan, err))) {
    if (!base_reserve(mem, (void **)&list, &cap, *n + rows.rows, sizeof(*list))) {
      st = base_fail_nomem(err);
      break;
    }
    memcpy(list + *n, rows.column[QUAD_S], rows.rows * sizeof(*list));
    *n += rows.rows;
  }
  quad_scan_close(scan);
  if (st == QUOIN_DONE && *n && (*out = base_resize(mem, list, cap, *n, sizeof(*list))))
    return QUOIN_OK;
  if (st == QUOIN_DONE) st = *n ? base_fail_nomem(err) : QUOIN_OK;
  base_release(mem, list, cap, sizeof(*list));
  return st;
}
