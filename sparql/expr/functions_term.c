/* sparql/expr/functions_term.c - functions on RDF terms (SPARQL 1.1 section 17.4.2) and sameTerm.
 */
#include "sparql/expr/expr_eval.h"

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/poison.h"

quoin_status
fn_str(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
       quoin_error *err)
{
  (void)e;
  if (args[0].kind == VALUE_BLANK) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (st) return st;
  rdf_term *term = &args[0].term;
  if (args[0].kind == VALUE_OTHER && base_span_is(term->datatype, RDF_VEC_F32)) {
    /* A term of the query may be spelt otherwise than the canonical text. */
    rdf_term vector;
    if ((st = rdf_vector_parse(&vector, term->value, ev->arena, err))) return st;
    if (vector.kind == RDF_VECTOR &&
        (st = rdf_vector_text(term, (const float *)(const void *)vector.value.ptr,
                              (uint32_t)(vector.value.len / sizeof(float)), ev->arena, err)))
      return st;
  }
  value_set_string(out, term->value);
  return QUOIN_OK;
}

quoin_status
fn_lang(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
        quoin_error *err)
{
  (void)e;
  if (!value_is_literal(&args[0])) return QUOIN_OK;
  value_set_string(out, (quoin_span){"", 0});
  if (args[0].kind != VALUE_LANG) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  out->term.value = args[0].term.lang;
  return st;
}

/* RFC 4647, basic filtering. */
static bool
lang_matches(quoin_span tag, quoin_span range)
{
  if (!tag.len) return false;
  if (base_span_is(range, "*")) return true;
  if (range.len > tag.len) return false;
  return base_span_equal_nocase((quoin_span){tag.ptr, range.len}, range) &&
         (range.len == tag.len || tag.ptr[range.len] == '-');
}

quoin_status
fn_langmatches(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
               quoin_error *err)
{
  (void)e;
  if (args[0].kind != VALUE_STRING || args[1].kind != VALUE_STRING) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (!st) st = value_text(&args[1], ev->ctx, ev->arena, err);
  if (!st) value_set_boolean(out, lang_matches(args[0].term.value, args[1].term.value));
  return st;
}

quoin_status
fn_datatype(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
            quoin_error *err)
{
  (void)e;
  sparql_value *v = &args[0];
  if (!value_is_literal(v)) return QUOIN_OK;
  if (v->kind == VALUE_STRING || v->kind == VALUE_LANG) {
    value_set_iri(out,
                  v->kind == VALUE_LANG ? base_span(RDF_NS "langString") : xsd_iri(XSD_STRING));
    return QUOIN_OK;
  }
  if (v->kind == VALUE_OTHER && v->id.bits && !v->has_term && ev->ctx->atoms) {
    atom_id datatype; /* without reading the text */
    quoin_status st = atom_datatype(&datatype, ev->ctx->atoms, v->id, err);
    if (st) return st;
    if (datatype.bits) return value_of_id(out, ev->ctx, datatype, ev->arena, err);
  }
  quoin_status st = value_text(v, ev->ctx, ev->arena, err);
  if (!st) value_set_iri(out, v->term.datatype);
  return st;
}

quoin_status
fn_iri(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
       quoin_error *err)
{
  (void)e;
  if (args[0].kind == VALUE_IRI) {
    *out = args[0];
    return QUOIN_OK;
  }
  if (args[0].kind != VALUE_STRING) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (st) return st;
  quoin_span iri = {NULL, 0};
  st = rdfio_iri_resolve(&iri, ev->ctx->query->base, args[0].term.value, ev->arena, NULL);
  if (st == QUOIN_ERR_NOMEM) return base_fail_nomem(err);
  if (!st) value_set_iri(out, iri);
  return QUOIN_OK; /* not an IRI: an expression error */
}

/* ---- new terms ---- */

static quoin_status
blank_value(sparql_value *out, sparql_eval *ev, quoin_span label, quoin_error *err)
{
  rdf_term term = {.kind = RDF_BLANK, .value = label};
  if (!label.ptr) return base_fail_nomem(err);
  quoin_status st = sparql_intern(&out->id, ev->ctx, &term, err);
  if (!st) out->kind = VALUE_BLANK;
  return st;
}

static bool
is_assigned(const sparql_algebra *node, sparql_var var)
{
  for (; node; node = node->left)
    if (node->op == ALGEBRA_EXTEND && node->var == var) return true;
  return false;
}

/* A number for the solution: of what its pattern bound and its place in the batch. The variables
 * that SELECT and BIND assign are left out: the solution stays the same while they are filled in.
 */
static uint64_t
solution_hash(const sparql_eval *ev)
{
  const sparql_query *query = ev->ctx->query;
  uint32_t scope = ev->ctx->options ? ev->ctx->options->blank_scope : 0;
  uint64_t hash = base_mix(ev->row + 1 + ((uint64_t)scope << 32));
  for (sparql_var v = 0; v < query->n_vars; v++) {
    atom_id id = expr_column_at(ev->batch, v, ev->row);
    if (id.bits && !is_assigned(query->root, v)) hash = base_mix(hash ^ id.bits) + v;
  }
  return hash;
}

quoin_status
fn_bnode(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
         quoin_error *err)
{
  if (e->n_args == 0) {
    unsigned long long n = ++ev->ctx->blank_counter;
    return blank_value(out, ev, base_arena_printf(ev->arena, "n%llu", n), err);
  }
  if (args[0].kind != VALUE_STRING) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (st) return st;
  quoin_span name = args[0].term.value;
  uint64_t solution = ev->batch ? solution_hash(ev) : 0;
  unsigned long long a = base_hash_seed(name.ptr, name.len, solution);
  unsigned long long b = base_hash_seed(name.ptr, name.len, ~solution);
  return blank_value(out, ev, base_arena_printf(ev->arena, "x%016llx%016llx", a, b), err);
}

quoin_status
fn_uuid(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
        quoin_error *err)
{
  (void)args;
  uint8_t b[16];
  if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
    return base_fail(err, QUOIN_ERR_IO, "the system gives no random bytes for UUID()");
  b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 4122 version 4 */
  b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
  quoin_span text = base_arena_printf(
      ev->arena, "urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
      b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
      b[15]);
  if (!text.ptr) return base_fail_nomem(err);
  if (e->builtin == FN_UUID)
    value_set_iri(out, text);
  else
    value_set_string(out, (quoin_span){text.ptr + 9, text.len - 9});
  return QUOIN_OK;
}

quoin_status
fn_strlang(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
           quoin_error *err)
{
  (void)e;
  if (args[0].kind != VALUE_STRING || args[1].kind != VALUE_STRING) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (!st) st = value_text(&args[1], ev->ctx, ev->arena, err);
  if (!st && rdfio_lang_is_valid(args[1].term.value))
    value_set_lang(out, args[0].term.value, args[1].term.value);
  return st;
}

quoin_status
fn_strdt(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
         quoin_error *err)
{
  (void)e;
  if (args[0].kind != VALUE_STRING || args[1].kind != VALUE_IRI) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (!st) st = value_text(&args[1], ev->ctx, ev->arena, err);
  if (st || base_span_is(args[1].term.value, RDF_NS "langString")) return st;
  rdf_term term = args[0].term;
  if (xsd_type_of(args[1].term.value) != XSD_STRING) term.datatype = args[1].term.value;
  return value_of_term(out, &term, ev->arena, err);
}

quoin_status
fn_sameterm(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
            quoin_error *err)
{
  (void)e;
  bool same;
  quoin_status st = value_same(&same, &args[0], &args[1], ev->ctx, ev->arena, err);
  if (!st) value_set_boolean(out, same);
  return st;
}

quoin_status
fn_is(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
      quoin_error *err)
{
  (void)ev;
  (void)err;
  const sparql_value *v = &args[0];
  value_set_boolean(out, e->builtin == FN_ISIRI       ? v->kind == VALUE_IRI
                         : e->builtin == FN_ISBLANK   ? v->kind == VALUE_BLANK
                         : e->builtin == FN_ISLITERAL ? value_is_literal(v)
                                                      : value_is_numeric(v));
  return QUOIN_OK;
}
