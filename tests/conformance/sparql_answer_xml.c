/* tests/conformance/sparql_answer_xml.c - SPARQL results in XML, read with expat. */
#include "conformance/sparql_answer.h"

#include <expat.h>

typedef struct xml_state {
  answer *answer;
  quoin_status status;
  quoin_error *err;
  base_buffer text;
  size_t column;
  rdf_term term; /* of the value in work */
} xml_state;

/* The part of a name behind the namespace. */
static quoin_span
local_name(const char *name)
{
  const char *bar = strrchr(name, '|');
  return base_span(bar ? bar + 1 : name);
}

static const char *
attribute(const char **attributes, const char *name)
{
  for (size_t i = 0; attributes[i]; i += 2)
    if (base_span_is(local_name(attributes[i]), name)) return attributes[i + 1];
  return NULL;
}

static quoin_span
keep(xml_state *s, const char *text)
{
  return base_arena_copy(&s->answer->arena, base_span(text));
}

static void XMLCALL
start(void *user, const char *name, const char **attributes)
{
  xml_state *s = user;
  quoin_span element = local_name(name);
  const char *value;
  s->text.len = 0;
  if (s->status) return;
  if (base_span_is(element, "variable") && (value = attribute(attributes, "name"))) {
    s->status = answer_column(s->answer, base_span(value), s->err);
  } else if (base_span_is(element, "result")) {
    s->status = answer_row(s->answer, s->err);
  } else if (base_span_is(element, "binding") && (value = attribute(attributes, "name"))) {
    s->column = answer_find(s->answer, base_span(value));
  } else if (base_span_is(element, "literal")) {
    s->term = (rdf_term){.kind = RDF_LITERAL};
    if ((value = attribute(attributes, "lang"))) s->term.lang = keep(s, value);
    if ((value = attribute(attributes, "datatype")) && strcmp(value, RDF_XSD "string") != 0)
      s->term.datatype = keep(s, value);
  } else if (base_span_is(element, "uri")) {
    s->term = (rdf_term){.kind = RDF_IRI};
  } else if (base_span_is(element, "bnode")) {
    s->term = (rdf_term){.kind = RDF_BLANK};
  }
}

static void XMLCALL
stop(void *user, const char *name)
{
  xml_state *s = user;
  quoin_span element = local_name(name);
  answer *a = s->answer;
  if (s->status) return;
  if (base_span_is(element, "boolean")) {
    a->is_boolean = true;
    a->boolean = base_span_is((quoin_span){s->text.data, s->text.len}, "true");
  }
  if (!base_span_is(element, "literal") && !base_span_is(element, "uri") &&
      !base_span_is(element, "bnode"))
    return;
  s->term.value = base_arena_copy(&a->arena, (quoin_span){s->text.data, s->text.len});
  if (s->column >= a->width || a->rows == 0)
    s->status = base_fail(s->err, QUOIN_ERR_CORRUPT, "a binding of no column");
  else
    a->terms[a->n_terms - a->width + s->column] = s->term;
}

static void XMLCALL
characters(void *user, const char *text, int len)
{
  xml_state *s = user;
  base_buffer_add(&s->text, text, (size_t)len);
}

quoin_status
answer_read_xml(answer *a, quoin_span text, quoin_error *err)
{
  xml_state s = {.answer = a, .err = err};
  XML_Parser parser = XML_ParserCreateNS(NULL, '|');
  if (!parser) return base_fail_nomem(err);
  base_buffer_init(&s.text, base_alloc_default());
  XML_SetUserData(parser, &s);
  XML_SetElementHandler(parser, start, stop);
  XML_SetCharacterDataHandler(parser, characters);
  if (XML_Parse(parser, text.ptr, (int)text.len, 1) != XML_STATUS_OK && !s.status)
    s.status = base_fail_pos(err, QUOIN_ERR_SYNTAX, NULL, XML_GetCurrentLineNumber(parser),
                             XML_GetCurrentColumnNumber(parser), "results XML: %s",
                             XML_ErrorString(XML_GetErrorCode(parser)));
  XML_ParserFree(parser);
  base_buffer_clear(&s.text);
  return s.status;
}
