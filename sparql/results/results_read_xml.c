/* sparql/results/results_read_xml.c - SPARQL Query Results XML Format (Second Edition), by expat.
 *
 * Elements that the format does not have are passed over with what is in them. expat holds a token
 * and the stack of open elements itself, out of reach of our allocator: so both are bounded here.
 */
#include "sparql/results/results_read.h"

#include <expat.h>

#include "base/poison.h"

#define RESULTS_NS "http://www.w3.org/2005/sparql-results#"
#define XML_NS "http://www.w3.org/XML/1998/namespace"

enum {
  MAX_DEPTH = 100,     /* of elements; the format has 5 */
  MAX_TOKEN = 1 << 20, /* bytes of a tag, comment or the like */
  PIECE = 1 << 14      /* given to expat at a time, so that MAX_TOKEN is looked at in between */
};

typedef enum xml_place {
  PLACE_OUTSIDE,
  PLACE_SPARQL,
  PLACE_RESULTS,
  PLACE_RESULT,
  PLACE_BINDING,
  PLACE_TERM,
  PLACE_BOOLEAN
} xml_place;

struct results_xml {
  const base_alloc *mem;
  results_sink sink;
  XML_Parser parser;
  quoin_status status; /* of a handler */
  quoin_error *err;    /* of the call at hand */
  uint64_t fed;
  unsigned depth, skipped; /* skipped: depth within an element that is passed over */
  xml_place place;
  bool has_results, has_boolean;
  base_arena arena; /* of the row */
  size_t row_bytes; /* text in it */
  base_buffer text; /* of the term or boolean */
  sparql_binding *bindings;
  size_t n_bindings, bindings_cap;
  bool has_term; /* the binding has its value */
  quoin_span datatype, lang;
};

static void
stop(results_xml *r, quoin_status st)
{
  r->status = st;
  (void)XML_StopParser(r->parser, XML_FALSE);
}

static void
bad(results_xml *r, const char *why)
{
  unsigned long line = XML_GetCurrentLineNumber(r->parser);
  unsigned long column = XML_GetCurrentColumnNumber(r->parser) + 1;
  stop(r, base_fail_pos(r->err, QUOIN_ERR_SYNTAX, NULL, line, column,
                        "results in XML, line %lu, column %lu: %s", line, column, why));
}

static bool
is(const char *name, const char *local)
{
  static const char ns[] = RESULTS_NS "|";
  return strncmp(name, ns, sizeof(ns) - 1) == 0 && strcmp(name + sizeof(ns) - 1, local) == 0;
}

static const char *
attribute(const char **attributes, const char *name)
{
  for (size_t i = 0; attributes[i]; i += 2)
    if (strcmp(attributes[i], name) == 0) return attributes[i + 1];
  return NULL;
}

static bool
fits(results_xml *r, size_t more)
{
  size_t used = r->row_bytes + r->text.len;
  if (more <= r->sink.max_row && used <= r->sink.max_row - more) return true;
  stop(r, base_fail_at(r->err, QUOIN_ERR_LIMIT, NULL, r->fed,
                       "results in XML: one row has more than %zu bytes", r->sink.max_row));
  return false;
}

static quoin_span
keep(results_xml *r, quoin_span text)
{
  quoin_span none = {NULL, 0};
  if (text.len == 0 || !fits(r, text.len)) return none;
  quoin_span copy = base_arena_copy(&r->arena, text);
  if (!copy.ptr) stop(r, base_fail_nomem(r->err));
  r->row_bytes += text.len;
  return copy;
}

/* ---- elements ---------------------------------------------------------------------------------
 */

static void
begin_binding(results_xml *r, const char **attributes)
{
  const char *name = attribute(attributes, "name");
  if (!name) {
    bad(r, "a binding without a name");
    return;
  }
  void *items = r->bindings;
  if (!base_reserve(r->mem, &items, &r->bindings_cap, r->n_bindings + 1, sizeof(*r->bindings))) {
    stop(r, base_fail_nomem(r->err));
    return;
  }
  r->bindings = items;
  r->bindings[r->n_bindings] = (sparql_binding){.name = keep(r, base_span(name))};
  for (size_t i = 0; i < r->n_bindings && !r->status; i++)
    if (base_span_equal(r->bindings[i].name, r->bindings[r->n_bindings].name))
      bad(r, "a variable that is bound twice in a solution");
  r->has_term = false;
  r->place = PLACE_BINDING;
}

static bool
begin_term(results_xml *r, const char *name, const char **attributes)
{
  rdf_term *term = &r->bindings[r->n_bindings].term;
  if (is(name, "triple")) {
    stop(r, base_fail(r->err, QUOIN_ERR_UNSUPPORTED, "results in XML: a triple term"));
    return true;
  }
  rdf_kind kind = is(name, "uri")       ? RDF_IRI
                  : is(name, "bnode")   ? RDF_BLANK
                  : is(name, "literal") ? RDF_LITERAL
                                        : RDF_NONE;
  if (kind == RDF_NONE) return false;
  if (r->has_term) {
    bad(r, "a binding with two terms");
    return true;
  }
  *term = (rdf_term){.kind = kind};
  r->has_term = true;
  r->datatype = keep(r, base_span(attribute(attributes, "datatype")));
  r->lang = keep(r, base_span(attribute(attributes, XML_NS "|lang")));
  r->text.len = 0;
  r->place = PLACE_TERM;
  return true;
}

/* False: the element is not one of the format's at this place. */
static bool
begin_element(results_xml *r, const char *name, const char **attributes)
{
  switch (r->place) {
  case PLACE_OUTSIDE:
    if (!is(name, "sparql")) bad(r, "expected the element sparql of " RESULTS_NS);
    r->place = PLACE_SPARQL;
    return true;
  case PLACE_SPARQL:
    if (!is(name, "results") && !is(name, "boolean")) return false;
    if (r->has_results || r->has_boolean) bad(r, "expected one element results or boolean");
    r->place = is(name, "results") ? PLACE_RESULTS : PLACE_BOOLEAN;
    *(r->place == PLACE_RESULTS ? &r->has_results : &r->has_boolean) = true;
    r->text.len = 0;
    return true;
  case PLACE_RESULTS:
    if (!is(name, "result")) return false;
    r->place = PLACE_RESULT;
    r->n_bindings = 0;
    r->row_bytes = 0;
    base_arena_reset(&r->arena);
    return true;
  case PLACE_RESULT:
    if (!is(name, "binding")) return false;
    begin_binding(r, attributes);
    return true;
  case PLACE_BINDING:
    return begin_term(r, name, attributes);
  case PLACE_TERM:
  case PLACE_BOOLEAN:
    bad(r, "expected text, found an element");
    return true;
  }
  return false;
}

static void XMLCALL
on_begin(void *user, const char *name, const char **attributes)
{
  results_xml *r = user;
  if (r->status) return;
  if (++r->depth > MAX_DEPTH) {
    bad(r, "elements are nested too deeply");
  } else if (r->skipped || !begin_element(r, name, attributes)) {
    r->skipped++;
  }
}

static void
end_boolean(results_xml *r)
{
  quoin_span text = {r->text.data, r->text.len};
  while (text.len && strchr(" \t\r\n", text.ptr[0]))
    text = (quoin_span){text.ptr + 1, text.len - 1};
  while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
    text.len--;
  bool yes = base_span_is(text, "true");
  if (!yes && !base_span_is(text, "false")) {
    bad(r, "expected true or false");
  } else if (!r->sink.boolean) {
    bad(r, "expected results, but this is the answer of an ASK");
  } else {
    quoin_status st = r->sink.boolean(r->sink.user, yes, r->err);
    if (st) stop(r, st);
  }
}

static void
end_term(results_xml *r)
{
  rdf_term *term = &r->bindings[r->n_bindings].term;
  quoin_span text = keep(r, (quoin_span){r->text.data, r->text.len});
  r->text.len = 0;
  if (term->kind == RDF_LITERAL) {
    if (!results_literal(term, text, r->datatype, r->lang)) bad(r, "expected a language tag");
  } else {
    term->value = text;
  }
}

static void XMLCALL
on_end(void *user, const char *name)
{
  results_xml *r = user;
  quoin_status st;
  (void)name;
  if (r->status) return;
  r->depth--;
  if (r->skipped) {
    r->skipped--;
    return;
  }
  switch (r->place) {
  case PLACE_OUTSIDE:
    break;
  case PLACE_SPARQL:
    r->place = PLACE_OUTSIDE;
    break;
  case PLACE_RESULTS:
    r->place = PLACE_SPARQL;
    break;
  case PLACE_RESULT:
    r->place = PLACE_RESULTS;
    if ((st = r->sink.row(r->sink.user, r->bindings, r->n_bindings, r->err))) stop(r, st);
    break;
  case PLACE_BINDING:
    if (!r->has_term) bad(r, "a binding without a term");
    r->n_bindings++;
    r->place = PLACE_RESULT;
    break;
  case PLACE_TERM:
    end_term(r);
    r->place = PLACE_BINDING;
    break;
  case PLACE_BOOLEAN:
    end_boolean(r);
    r->place = PLACE_SPARQL;
    break;
  }
}

static void XMLCALL
on_text(void *user, const char *text, int n)
{
  results_xml *r = user;
  if (r->status || r->skipped || (r->place != PLACE_TERM && r->place != PLACE_BOOLEAN)) return;
  if (!fits(r, (size_t)n)) return;
  base_buffer_add(&r->text, text, (size_t)n);
  if (r->text.failed) stop(r, base_fail_nomem(r->err));
}

/* Entities can grow without bound, and no writer of results needs them. */
static void XMLCALL
on_entity(void *user, const char *name, int is_parameter, const char *value, int length,
          const char *base, const char *system, const char *public, const char *notation)
{
  results_xml *r = user;
  (void)name, (void)is_parameter, (void)value, (void)length;
  (void)base, (void)system, (void)public, (void)notation;
  if (!r->status) bad(r, "an entity is declared");
}

/* ---- the reader -------------------------------------------------------------------------------
 */

quoin_status
results_xml_new(results_xml **out, const results_sink *sink, const base_alloc *mem,
                quoin_error *err)
{
  results_xml *r = base_new_zero(mem, 1, sizeof(*r));
  if (!r) return base_fail_nomem(err);
  r->mem = mem;
  r->sink = *sink;
  base_arena_init(&r->arena, mem);
  base_buffer_init(&r->text, mem);
  if (!(r->parser = XML_ParserCreateNS(NULL, '|'))) {
    results_xml_free(r);
    return base_fail_nomem(err);
  }
  XML_SetUserData(r->parser, r);
  XML_SetElementHandler(r->parser, on_begin, on_end);
  XML_SetCharacterDataHandler(r->parser, on_text);
  XML_SetEntityDeclHandler(r->parser, on_entity);
  *out = r;
  return QUOIN_OK;
}

void
results_xml_free(results_xml *r)
{
  if (!r) return;
  if (r->parser) XML_ParserFree(r->parser);
  base_arena_clear(&r->arena);
  base_buffer_clear(&r->text);
  base_release(r->mem, r->bindings, r->bindings_cap, sizeof(*r->bindings));
  base_release(r->mem, r, 1, sizeof(*r));
}

static quoin_status
parse(results_xml *r, const char *text, size_t n, bool last, quoin_error *err)
{
  r->err = err;
  r->fed += n;
  bool good = XML_Parse(r->parser, text, (int)n, last) == XML_STATUS_OK;
  if (r->status) return r->status;
  if (!good && XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY) return base_fail_nomem(err);
  if (!good) bad(r, XML_ErrorString(XML_GetErrorCode(r->parser)));
  if (r->status) return r->status;
  int64_t at = (int64_t)XML_GetCurrentByteIndex(r->parser);
  if (at >= 0 && r->fed > (uint64_t)at && r->fed - (uint64_t)at > MAX_TOKEN)
    return base_fail_at(err, QUOIN_ERR_LIMIT, NULL, (uint64_t)at,
                        "results in XML: a tag or comment of more than %d bytes", MAX_TOKEN);
  return QUOIN_OK;
}

quoin_status
results_xml_feed(results_xml *r, quoin_span text, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < text.len && !st;) {
    size_t n = text.len - i < PIECE ? text.len - i : PIECE;
    st = parse(r, text.ptr + i, n, false, err);
    i += n;
  }
  return st;
}

quoin_status
results_xml_finish(results_xml *r, quoin_error *err)
{
  quoin_status st = parse(r, "", 0, true, err);
  if (st) return st;
  if (r->has_results || r->has_boolean) return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_SYNTAX, "results in XML: it has no element results");
}
