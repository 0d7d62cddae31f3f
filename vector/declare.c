/* vector/declare.c - what the system graph says of vector indexes. */
#include "vector/index.h"

#include "base/poison.h"

#define VEC(name) RDF_VEC name

typedef enum word { DIMENSION, METRIC, STORAGE, M, EF, MODEL, WORDS } word;
static const char *const words[WORDS] = {VEC("dimension"), VEC("metric"),         VEC("storage"),
                                         VEC("m"),         VEC("efConstruction"), VEC("model")};

/* What has been read of one declaration. */
typedef struct reading {
  vec_declaration *to;
  base_arena arena;
  char name[160];          /* of the predicate, for messages */
  char unknown[80];        /* the first of our words that is none of a declaration; "" */
  bool is_index, is_blank; /* what is declared; its name is a blank node */
  rdf_term said[WORDS];    /* RDF_NONE: nothing */
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
read_count(uint32_t *out, const reading *r, const rdf_term *value, const char *what,
           quoin_error *err)
{
  uint64_t n = 0;
  bool good = value->kind == RDF_LITERAL && value->value.len > 0 && value->value.len < 10 &&
              base_span_is(value->datatype, RDF_XSD "integer");
  for (size_t i = 0; good && i < value->value.len; i++) {
    unsigned digit = (unsigned)(value->value.ptr[i] - '0');
    good = digit < 10;
    n = n * 10 + digit;
  }
  if (!good || !n)
    return base_fail(err, QUOIN_ERR_CONSTRAINT,
                     "vector index <%s>: %s, found '%.*s', expected an integer from 1 on", r->name,
                     what, (int)(value->value.len < 80 ? value->value.len : 80), value->value.ptr);
  *out = (uint32_t)n;
  return QUOIN_OK;
}

static quoin_status
read_name(unsigned *out, const reading *r, const rdf_term *value, const char *const *names,
          unsigned n, const char *what, quoin_error *err)
{
  for (*out = 0; *out < n; ++*out)
    if (value->kind == RDF_IRI && base_span_is(value->value, names[*out])) return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_CONSTRAINT, "vector index <%s>: %s, found '%.*s'", r->name, what,
                   (int)(value->value.len < 80 ? value->value.len : 80), value->value.ptr);
}

static quoin_status
read_metric(const reading *r, const rdf_term *value, const char *what, quoin_error *err)
{
  static const char *const names[] = {
      [VEC_COSINE] = VEC("cosineMetric"), [VEC_DOT] = VEC("dotMetric"), [VEC_L2] = VEC("l2Metric")};
  unsigned name;
  quoin_status st = read_name(&name, r, value, names, VEC_METRICS, what, err);
  if (!st) r->to->metric = (vec_metric)name;
  return st;
}

static quoin_status
read_code(const reading *r, const rdf_term *value, const char *what, quoin_error *err)
{
  static const char *const names[] = {[VEC_F32] = VEC("f32Code"),
                                      [VEC_F16] = VEC("f16Code"),
                                      [VEC_I8] = VEC("i8Code"),
                                      [VEC_B1] = VEC("b1Code")};
  unsigned name;
  quoin_status st = read_name(&name, r, value, names, VEC_CODES, what, err);
  if (!st) r->to->code = (vec_code)name;
  return st;
}

static int
shown(const rdf_term *value)
{
  return (int)(value->value.len < 60 ? value->value.len : 60);
}

/* What is said with one of the words; the same again says nothing new. */
static quoin_status
read_word(reading *r, word w, const rdf_term *value, atom_id object, quoin_error *err)
{
  static const char *const what[WORDS] = {
      [DIMENSION] = "vec:dimension is said once",
      [METRIC] = "vec:metric is one of vec:cosineMetric, vec:dotMetric, vec:l2Metric",
      [STORAGE] = "vec:storage is one of vec:f32Code, vec:f16Code, vec:i8Code, vec:b1Code",
      [M] = "vec:m is said once at most",
      [EF] = "vec:efConstruction is said once at most",
      [MODEL] = "vec:model is one string"};
  if (r->said[w].kind != RDF_NONE && rdf_term_equal(&r->said[w], value)) return QUOIN_OK;
  if (r->said[w].kind != RDF_NONE)
    return base_fail(err, QUOIN_ERR_CONSTRAINT, "vector index <%s>: %s, found '%.*s' and '%.*s'",
                     r->name, what[w], shown(&r->said[w]), r->said[w].value.ptr, shown(value),
                     value->value.ptr);
  r->said[w] = *value;
  switch (w) {
  case DIMENSION:
    return read_count(&r->to->dimension, r, value, what[w], err);
  case METRIC:
    return read_metric(r, value, what[w], err);
  case STORAGE:
    return read_code(r, value, what[w], err);
  case M:
    return read_count(&r->to->m, r, value, what[w], err);
  case EF:
    return read_count(&r->to->ef_construction, r, value, what[w], err);
  case MODEL:
    r->to->model = object;
    return value->kind == RDF_LITERAL ? QUOIN_OK : fail(r, err, what[w]);
  case WORDS:
    break;
  }
  return QUOIN_OK;
}

/* Words that are not ours are the user's: a label, a comment. */
static void
note_unknown(reading *r, const rdf_term *term)
{
  const size_t ours = sizeof(RDF_VEC) - 1;
  quoin_span name = term->value;
  if (term->kind != RDF_IRI || name.len < ours || memcmp(name.ptr, RDF_VEC, ours) != 0) return;
  r->to->unknown++;
  if (r->unknown[0]) return;
  name = (quoin_span){name.ptr + ours, name.len - ours};
  size_t n = name.len < sizeof(r->unknown) - 1 ? name.len : sizeof(r->unknown) - 1;
  memcpy(r->unknown, name.ptr, n);
  r->unknown[base_utf8_valid(r->unknown, n)] = '\0';
  if (!r->unknown[0]) r->unknown[0] = '?';
}

/* One triple <predicate, verb, object> of the system graph. */
static quoin_status
read_triple(reading *r, const vec_terms *terms, atom_id verb, atom_id object, quoin_error *err)
{
  rdf_term what, value;
  quoin_status st = terms->read(&what, terms->user, verb, &r->arena, err);
  if (st || (st = terms->read(&value, terms->user, object, &r->arena, err))) return st;
  if (base_span_is(what.value, RDF_NS "type")) {
    bool is_index = value.kind == RDF_IRI && base_span_is(value.value, VEC("Index"));
    r->is_index = r->is_index || is_index;
    if (!is_index) note_unknown(r, &value);
  }
  for (unsigned w = 0; w < WORDS; w++)
    if (base_span_is(what.value, words[w])) return read_word(r, (word)w, &value, object, err);
  if (!base_span_is(what.value, VEC("recall"))) note_unknown(r, &what); /* a check leaves that */
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
begin_reading(reading *r, vec_declaration *to, atom_id predicate, const base_alloc *mem)
{
  *r = (reading){.to = to};
  *to = (vec_declaration){.predicate = predicate, .m = 16, .ef_construction = 200};
  base_arena_init(&r->arena, mem);
}

static void
name_reading(reading *r, const rdf_term *predicate)
{
  r->is_blank = predicate->kind == RDF_BLANK;
  size_t n =
      predicate->value.len < sizeof(r->name) - 1 ? predicate->value.len : sizeof(r->name) - 1;
  if (n) memcpy(r->name, predicate->value.ptr, n);
  r->name[base_utf8_valid(r->name, n)] = '\0';
}

/* What the snapshot says of the predicate. */
static quoin_status
read_stored(reading *r, const quad_snapshot *snapshot, const vec_terms *terms, atom_id predicate,
            quoin_error *err)
{
  quad_scan *scan = NULL;
  quad_batch rows;
  rdf_term name;
  if (!predicate.bits) return QUOIN_OK;
  quoin_status st = open_system(&scan, snapshot, terms, predicate, ATOM_NONE_ID, ATOM_NONE_ID, err);
  if (st || !scan) return st;
  if (!terms->read(&name, terms->user, predicate, &r->arena, NULL)) name_reading(r, &name);
  while (!st && !(st = quad_scan_next(&rows, scan, err)))
    for (size_t i = 0; !st && i < rows.rows; i++)
      st = read_triple(r, terms, rows.column[QUAD_P][i], rows.column[QUAD_O][i], err);
  quad_scan_close(scan);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* What no search can do without. */
static quoin_status
check(const reading *r, quoin_error *err)
{
  const rdf_term *said = r->said;
  quoin_error why = QUOIN_ERROR_INIT;
  hnsw_options options = vec_graph_options(r->to);
  if (!r->is_index && (said[DIMENSION].kind || said[METRIC].kind || said[STORAGE].kind ||
                       said[M].kind || said[EF].kind))
    return fail(r, err, "it has options but is not said to be a vec:Index");
  if (!r->is_index) return QUOIN_OK;
  if (r->is_blank) return fail(r, err, "its name is a blank node, expected the IRI of a predicate");
  if (!said[DIMENSION].kind) return fail(r, err, "vec:dimension is missing");
  options.m = options.ef_construction = 0; /* of the graph alone */
  return hnsw_options_check(&options, &why) ? fail(r, err, why.message) : QUOIN_OK;
}

/* And what else may not be said. */
static quoin_status
check_all(const reading *r, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT;
  hnsw_options options = vec_graph_options(r->to);
  if (r->unknown[0])
    return base_fail(err, QUOIN_ERR_CONSTRAINT,
                     "vector index <%s>: vec:%s is not known, but vec:dimension, vec:metric, "
                     "vec:storage, vec:m, vec:efConstruction and vec:model are",
                     r->name, r->unknown);
  if (!r->is_index && r->to->model.bits)
    return fail(r, err, "it has a vec:model but is not said to be a vec:Index");
  if (!r->is_index) return QUOIN_OK;
  return hnsw_options_check(&options, &why) ? fail(r, err, why.message) : QUOIN_OK;
}

/* All is read, or `st`. */
static quoin_status
end_reading(bool *found, reading *r, bool all, quoin_status st, quoin_error *err)
{
  const rdf_term *said = r->said;
  vec_declaration *to = r->to;
  *found = !st && r->is_index;
  if (!said[STORAGE].kind && to->metric == VEC_COSINE && to->dimension >= I8_LEAST)
    to->code = VEC_I8;
  if (!st) st = check(r, err);
  if (!st && all) st = check_all(r, err);
  base_arena_clear(&r->arena);
  return st;
}

quoin_status
vec_declaration_find(vec_declaration *out, bool *found, const quad_snapshot *snapshot,
                     const vec_terms *terms, atom_id predicate, const base_alloc *mem,
                     quoin_error *err)
{
  reading r;
  begin_reading(&r, out, predicate, mem);
  if (predicate.bits && (*found = vec_set_declares(out, snapshot, predicate))) return QUOIN_OK;
  return end_reading(found, &r, false, read_stored(&r, snapshot, terms, predicate, err), err);
}

quoin_status
vec_declaration_judge(vec_declaration *out, bool *found, const quad_snapshot *snapshot,
                      const vec_terms *terms, atom_id predicate, const base_alloc *mem,
                      quoin_error *err)
{
  reading r;
  begin_reading(&r, out, predicate, mem);
  return end_reading(found, &r, true, read_stored(&r, snapshot, terms, predicate, err), err);
}

quoin_status
vec_declaration_with(vec_declaration *out, bool *found, size_t *at, const quad_snapshot *snapshot,
                     const vec_terms *terms, atom_id predicate, const quad *said, size_t n,
                     const base_alloc *mem, quoin_error *err)
{
  reading r;
  rdf_term name;
  atom_id id;
  const vec_terms stored = vec_store_terms(snapshot);
  begin_reading(&r, out, predicate, mem);
  quoin_status st = terms->read(&name, terms->user, predicate, &r.arena, err);
  if (!st) name_reading(&r, &name);
  if (!st) st = stored.find(&id, stored.user, &name, err);
  if (!st) st = read_stored(&r, snapshot, &stored, id, err);
  const bool is_new = !r.is_index;
  for (*at = 0; !st && *at < n; *at += !st)
    st = read_triple(&r, terms, said[*at].term[QUAD_P], said[*at].term[QUAD_O], err);
  return end_reading(found, &r, is_new, st, err);
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
