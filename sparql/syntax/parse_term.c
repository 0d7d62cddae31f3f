/* sparql/syntax/parse_term.c - prologue, IRIs, literals, variables (grammar rules 4-6, 60,
 * 106-139). */
#include "sparql/syntax/parse.h"

#include "base/poison.h"

#define XSD(name) ((quoin_span){RDF_XSD name, sizeof(RDF_XSD name) - 1})

/* Resolve the IRIREF `ref`, which stands at `at`. An absolute one stays as it is written, as in
 * rdfio: what is loaded is found again by the same text. */
static bool
resolve(sparql_parser *p, quoin_span *out, quoin_span ref, const sparql_token *at)
{
  quoin_error err = QUOIN_ERROR_INIT;
  if (rdfio_iri_is_absolute(ref)) {
    *out = ref;
    return true;
  }
  quoin_status st = rdfio_iri_resolve(out, p->base, ref, p->arena, &err);
  return st == QUOIN_OK || parse_fail_with(p, at, st, &err);
}

static bool
take_iri_ref(sparql_parser *p, quoin_span *out)
{
  if (!parse_is(p, TOKEN_IRI)) return parse_expected(p, "an IRI between '<' and '>'");
  return resolve(p, out, p->token.value, &p->token) && parse_advance(p);
}

static bool
prefix_declaration(sparql_parser *p)
{
  if (!parse_is(p, TOKEN_PNAME) || p->token.has_local)
    return parse_expected(p, "a prefix that ends in ':'");
  struct sparql_prefix entry = {.prefix = p->token.prefix};
  if (!parse_advance(p) || !take_iri_ref(p, &entry.iri)) return false;
  sparql_query *q = p->query;
  uint32_t found = name_map_find(&p->prefixes, entry.prefix);
  if (found != NAME_NONE) { /* from here on it means the new one */
    q->prefixes[found] = entry;
    return true;
  }
  return PARSE_PUSH(p, q->prefixes, q->n_prefixes, p->cap_prefixes, entry) &&
         (name_map_set(&p->prefixes, entry.prefix, (uint32_t)q->n_prefixes - 1, p->arena) ||
          parse_nomem(p));
}

bool
parse_prologue(sparql_parser *p)
{
  for (;;) {
    if (parse_is_word(p, KW_PREFIX)) {
      if (!parse_advance(p) || !prefix_declaration(p)) return false;
    } else if (parse_is_word(p, KW_BASE)) {
      quoin_span base;
      if (!parse_advance(p) || !take_iri_ref(p, &base)) return false;
      p->query->base = p->base = base;
    } else {
      return true;
    }
  }
}

static bool
expand_name(sparql_parser *p, quoin_span *out)
{
  const sparql_token *t = &p->token;
  uint32_t found = name_map_find(&p->prefixes, t->prefix);
  quoin_span iri;
  if (found != NAME_NONE)
    iri = p->query->prefixes[found].iri;
  else if (base_span_is(t->prefix, "vec"))
    iri = base_span(RDF_VEC); /* known without declaration */
  else
    return parse_fail_at(p, t->line, t->column,
                         "found the prefix '%.*s:', expected one that PREFIX declares",
                         (int)(t->prefix.len < 80 ? t->prefix.len : 80), t->prefix.ptr);
  char *text = base_arena_bytes(p->arena, iri.len + t->value.len + 1);
  if (!text) return parse_nomem(p);
  if (iri.len) memcpy(text, iri.ptr, iri.len);
  if (t->value.len) memcpy(text + iri.len, t->value.ptr, t->value.len);
  *out = (quoin_span){text, iri.len + t->value.len};
  return true;
}

bool
parse_is_iri(const sparql_parser *p)
{
  return parse_is(p, TOKEN_IRI) || parse_is(p, TOKEN_PNAME);
}

bool
parse_iri(sparql_parser *p, quoin_span *out)
{
  if (parse_is(p, TOKEN_IRI)) return take_iri_ref(p, out);
  if (parse_is(p, TOKEN_PNAME)) return expand_name(p, out) && parse_advance(p);
  return parse_expected(p, "an IRI or a prefixed name");
}

bool
parse_var(sparql_parser *p, sparql_var *out)
{
  if (!parse_is(p, TOKEN_VAR)) return parse_expected(p, "a variable");
  return parse_var_named(p, out, p->token.value) && parse_advance(p);
}

bool
parse_var_or_iri(sparql_parser *p, sparql_node *out)
{
  *out = (sparql_node){.var = SPARQL_NO_VAR};
  if (parse_is(p, TOKEN_VAR)) return parse_var(p, &out->var);
  if (!parse_is_iri(p)) return parse_expected(p, "a variable or an IRI");
  out->term.kind = RDF_IRI;
  return parse_iri(p, &out->term.value);
}

bool
parse_string(sparql_parser *p, quoin_span *out)
{
  if (!parse_is(p, TOKEN_STRING)) return parse_expected(p, "a string in quotes");
  *out = p->token.value;
  return parse_advance(p);
}

/* RDFLiteral, at its string. */
static bool
string_literal(sparql_parser *p, rdf_term *out)
{
  *out = (rdf_term){.kind = RDF_LITERAL};
  if (!parse_string(p, &out->value)) return false;
  if (parse_is(p, TOKEN_LANG)) {
    out->lang = p->token.value;
    return parse_advance(p);
  }
  if (!parse_is(p, TOKEN_CARETS)) return true;
  if (!parse_advance(p) || !parse_iri(p, &out->datatype)) return false;
  if (base_span_equal(out->datatype, XSD("string"))) out->datatype = (quoin_span){NULL, 0};
  return true;
}

static bool
is_number(const sparql_parser *p)
{
  return parse_is(p, TOKEN_INTEGER) || parse_is(p, TOKEN_DECIMAL) || parse_is(p, TOKEN_DOUBLE);
}

/* A number whose text begins at `from`: at the number, or at a sign right before it. */
static bool
number_literal(sparql_parser *p, rdf_term *out, const char *from)
{
  const char *end = p->token.text.ptr + p->token.text.len;
  *out = (rdf_term){.kind = RDF_LITERAL, .value = {from, (size_t)(end - from)}};
  if (parse_is(p, TOKEN_INTEGER))
    out->datatype = XSD("integer");
  else
    out->datatype = parse_is(p, TOKEN_DECIMAL) ? XSD("decimal") : XSD("double");
  return parse_advance(p);
}

bool
parse_is_constant(const sparql_parser *p)
{
  return parse_is_iri(p) || parse_is(p, TOKEN_STRING) || is_number(p) || parse_is(p, TOKEN_PLUS) ||
         parse_is(p, TOKEN_MINUS) || parse_is_word(p, KW_TRUE) || parse_is_word(p, KW_FALSE);
}

bool
parse_constant(sparql_parser *p, rdf_term *out, const char *what)
{
  *out = (rdf_term){.kind = RDF_IRI};
  if (parse_is_iri(p)) return parse_iri(p, &out->value);
  if (parse_is(p, TOKEN_STRING)) return string_literal(p, out);
  if (is_number(p)) return number_literal(p, out, p->token.text.ptr);
  if (parse_is(p, TOKEN_PLUS) || parse_is(p, TOKEN_MINUS)) {
    const char *sign = p->token.text.ptr;
    if (!parse_advance(p)) return false;
    if (is_number(p) && p->token.text.ptr == sign + 1) return number_literal(p, out, sign);
    return parse_expected(p, "a number right after the sign");
  }
  if (parse_is_word(p, KW_TRUE) || parse_is_word(p, KW_FALSE)) {
    *out = (rdf_term){.kind = RDF_LITERAL, .datatype = XSD("boolean")};
    out->value = parse_is_word(p, KW_TRUE) ? base_span("true") : base_span("false");
    return parse_advance(p);
  }
  return parse_expected(p, what);
}

bool
parse_unsigned(sparql_parser *p, uint64_t *out)
{
  if (!parse_is(p, TOKEN_INTEGER)) return parse_expected(p, "a whole number");
  quoin_span digits = p->token.value;
  uint64_t value = 0;
  for (size_t i = 0; i < digits.len; i++)
    if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(digits.ptr[i] - '0'), &value))
      return parse_expected(p, "a number below 2 to the 64th");
  *out = value;
  return parse_advance(p);
}
