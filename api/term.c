#include "api/term.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

static const char role_name[][10] = {"subject", "predicate", "object", "graph", "term"};

static quoin_status
bad(quoin_error *err, api_role role, const char *what)
{
  return base_fail(err, QUOIN_ERR_ARGUMENT, "%s: %s", role_name[role], what);
}

static bool
is_text(quoin_span s)
{
  return (s.ptr || !s.len) && base_utf8_valid(s.ptr ? s.ptr : "", s.len) == s.len;
}

static quoin_status
literal_in(rdf_term *out, const quoin_term *in, api_role role, quoin_error *err)
{
  quoin_span type = in->datatype;

  if (!is_text(type) || !is_text(in->lang)) return bad(err, role, "the text is not valid UTF-8");
  if (in->lang.len) {
    if (!rdfio_lang_is_valid(in->lang))
      return bad(err, role, "the language tag is not well formed");
    if (type.len && !base_span_is(type, RDF_NS "langString"))
      return bad(err, role, "a literal with a language has no datatype but rdf:langString");
    *out = (rdf_term){.kind = RDF_LITERAL, .value = in->value, .lang = in->lang};
    return QUOIN_OK;
  }
  if (base_span_is(type, RDF_NS "langString"))
    return bad(err, role, "an rdf:langString needs a language");
  if (base_span_is(type, RDF_XSD "string")) type.len = 0;
  if (type.len && !rdfio_iri_is_absolute(type))
    return bad(err, role, "the datatype is not an absolute IRI");
  *out = (rdf_term){.kind = RDF_LITERAL, .value = in->value};
  if (type.len) out->datatype = type;
  return QUOIN_OK;
}

quoin_status
api_term_in(rdf_term *out, char label[24], const quoin_term *in, api_role role, quoin_error *err)
{
  *out = (rdf_term){0};
  if (!is_text(in->value)) return bad(err, role, "the text is not valid UTF-8");
  switch (in->kind) {
  case QUOIN_TERM_NONE:
    if (role != API_GRAPH && role != API_ANY) return bad(err, role, "a term is missing");
    return QUOIN_OK;
  case QUOIN_TERM_IRI:
    if (!rdfio_iri_is_absolute(in->value)) return bad(err, role, "not an absolute IRI");
    *out = (rdf_term){.kind = RDF_IRI, .value = in->value};
    return QUOIN_OK;
  case QUOIN_TERM_BLANK:
    if (role == API_PREDICATE) return bad(err, role, "a predicate is an IRI");
    *out = (rdf_term){.kind = RDF_BLANK, .value = in->value};
    if (in->node) {
      int len = snprintf(label, 24, "b%llu", (unsigned long long)in->node);
      out->value = (quoin_span){label, (size_t)len};
    }
    return out->value.len ? QUOIN_OK : bad(err, role, "a blank node has neither label nor number");
  case QUOIN_TERM_LITERAL:
    if (role != API_OBJECT && role != API_ANY) return bad(err, role, "a literal cannot stand here");
    return literal_in(out, in, role, err);
  }
  return bad(err, role, "the kind is none that there is");
}

void
api_term_out(quoin_term *out, const rdf_term *in, uint64_t node)
{
  *out = (quoin_term){.kind = (quoin_term_kind)in->kind, .value = in->value, .node = node};
  if (in->kind != RDF_LITERAL) return;
  out->lang = in->lang;
  if (in->datatype.len)
    out->datatype = in->datatype;
  else if (in->lang.len)
    out->datatype = base_span(RDF_NS "langString");
  else
    out->datatype = base_span(RDF_XSD "string");
}

static_assert((int)QUOIN_TERM_IRI == (int)RDF_IRI && (int)QUOIN_TERM_BLANK == (int)RDF_BLANK &&
                  (int)QUOIN_TERM_LITERAL == (int)RDF_LITERAL,
              "the public numbers are those of rdf_kind");

void
api_statement_out(quoin_statement *out, const rdfio_quad *in)
{
  api_term_out(&out->subject, &in->term[0], 0);
  api_term_out(&out->predicate, &in->term[1], 0);
  api_term_out(&out->object, &in->term[2], 0);
  api_term_out(&out->graph, &in->term[3], 0);
}

quoin_status
quoin_term_write(const quoin_term *term, quoin_write_fn write, void *user, quoin_error *err)
{
  rdf_term in;
  char label[24];
  base_buffer text;

  if (!term || !write) return base_fail(err, QUOIN_ERR_ARGUMENT, "term or write is NULL");
  quoin_status st = api_term_in(&in, label, term, API_ANY, err);
  if (st) return st;
  if (in.kind == RDF_NONE) return base_fail(err, QUOIN_ERR_ARGUMENT, "there is no term to write");
  base_buffer_init(&text, base_alloc_default());
  rdf_term_write(&text, &in);
  st = text.failed ? base_fail_nomem(err) : write(user, text.data, text.len, err);
  base_buffer_clear(&text);
  return api_status(st, err);
}
