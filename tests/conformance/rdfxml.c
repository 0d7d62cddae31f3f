/* tests/conformance/rdfxml.c - node and property elements in turn, with expat. */
#include "conformance/rdfxml.h"

#include <expat.h>
#include <stdio.h>

enum { DEEPEST = 64 };

/* An open element: a node (subject set) or a property (predicate set). */
typedef struct level {
  bool is_property, resource; /* parseType="Resource": also a node */
  rdf_term subject, predicate, datatype;
  quoin_span lang;
  bool has_object;
} level;

typedef struct xml_state {
  dataset *d;
  base_arena arena;
  quoin_span base;
  quoin_status status;
  quoin_error *err;
  base_buffer text;
  level levels[DEEPEST];
  size_t depth;
  unsigned blanks;
} xml_state;

static void
fail(xml_state *s, const char *message)
{
  if (!s->status) s->status = base_fail(s->err, QUOIN_ERR_UNSUPPORTED, "RDF/XML: %s", message);
}

static quoin_span
keep(xml_state *s, const char *text)
{
  return base_arena_copy(&s->arena, base_span(text));
}

static rdf_term
iri_term(xml_state *s, const char *text)
{
  rdf_term term = {.kind = RDF_IRI};
  quoin_status st = rdfio_iri_resolve(&term.value, s->base, base_span(text), &s->arena, s->err);
  if (st && !s->status) s->status = st;
  return term;
}

static rdf_term
new_blank(xml_state *s)
{
  return (rdf_term){.kind = RDF_BLANK,
                    .value = base_arena_printf(&s->arena, "genid.%u", s->blanks++)};
}

static void
add(xml_state *s, const rdf_term *subject, const rdf_term *predicate, const rdf_term *object)
{
  rdfio_quad q = {.term = {*subject, *predicate, *object, {.kind = RDF_NONE}}};
  if (!s->status) s->status = dataset_add(s->d, &q, s->err);
}

/* The subject that a node or property element of `attributes` names; false when none does. */
static bool
named_node(xml_state *s, const char **attributes, const char *iri_name, rdf_term *out)
{
  for (size_t i = 0; attributes[i]; i += 2) {
    if (strcmp(attributes[i], iri_name) == 0) {
      *out = iri_term(s, attributes[i + 1]);
      return true;
    }
    if (strcmp(attributes[i], RDF_NS "nodeID") == 0) {
      *out = (rdf_term){.kind = RDF_BLANK, .value = keep(s, attributes[i + 1])};
      return true;
    }
  }
  return false;
}

/* Attributes outside the vocabulary of the syntax are properties with literals. */
static void
property_attributes(xml_state *s, const rdf_term *subject, const char **attributes)
{
  for (size_t i = 0; attributes[i]; i += 2) {
    rdf_term literal = {.kind = RDF_LITERAL, .value = keep(s, attributes[i + 1])};
    rdf_term predicate = {.kind = RDF_IRI, .value = keep(s, attributes[i])};
    if (strncmp(attributes[i], RDF_NS, sizeof(RDF_NS) - 1) == 0 ||
        strncmp(attributes[i], "http://www.w3.org/XML/1998/namespace", 36) == 0 ||
        !strchr(attributes[i], ':'))
      continue;
    add(s, subject, &predicate, &literal);
  }
}

static void
start_node(xml_state *s, level *l, const char *name, const char **attributes)
{
  level *above = s->depth > 1 ? &s->levels[s->depth - 2] : NULL;
  rdf_term type = {.kind = RDF_IRI, .value = base_span(RDF_NS "type")};
  if (!named_node(s, attributes, RDF_NS "about", &l->subject)) l->subject = new_blank(s);
  if (strcmp(name, RDF_NS "Description") != 0) {
    rdf_term cls = {.kind = RDF_IRI, .value = keep(s, name)};
    add(s, &l->subject, &type, &cls);
  }
  property_attributes(s, &l->subject, attributes);
  if (!above || !above->is_property) return;
  /* Above the property is the node that has it. */
  add(s, &s->levels[s->depth - 3].subject, &above->predicate, &l->subject);
  above->has_object = true;
}

static void
start_property(xml_state *s, level *l, const char *name, const char **attributes)
{
  const level *node = &s->levels[s->depth - 2];
  rdf_term object;
  l->is_property = true;
  l->predicate = (rdf_term){.kind = RDF_IRI, .value = keep(s, name)};
  l->has_object = named_node(s, attributes, RDF_NS "resource", &object);
  for (size_t i = 0; attributes[i]; i += 2) {
    if (strcmp(attributes[i], RDF_NS "datatype") == 0) l->datatype = iri_term(s, attributes[i + 1]);
    if (strcmp(attributes[i], "http://www.w3.org/XML/1998/namespacelang") == 0)
      l->lang = keep(s, attributes[i + 1]);
    if (strcmp(attributes[i], RDF_NS "parseType") != 0) continue;
    if (strcmp(attributes[i + 1], "Resource") != 0) fail(s, "only parseType Resource is read");
    l->resource = l->has_object = true;
    l->subject = object = new_blank(s);
  }
  if (l->has_object) add(s, &node->subject, &l->predicate, &object);
}

static void XMLCALL
start(void *user, const char *name, const char **attributes)
{
  xml_state *s = user;
  s->text.len = 0;
  if (s->status) return;
  if (s->depth == 0 && strcmp(name, RDF_NS "RDF") == 0) return;
  if (s->depth == DEEPEST) {
    fail(s, "too deep");
    return;
  }
  level *l = &s->levels[s->depth++];
  *l = (level){.is_property = false};
  const level *above = s->depth > 1 ? l - 1 : NULL;
  if (!above || (above->is_property && !above->resource))
    start_node(s, l, name, attributes);
  else
    start_property(s, l, name, attributes);
}

static void XMLCALL
stop(void *user, const char *name)
{
  xml_state *s = user;
  (void)name;
  if (s->status || s->depth == 0) return;
  level *l = &s->levels[--s->depth];
  if (l->is_property && !l->has_object && s->depth > 0) {
    rdf_term literal = {.kind = RDF_LITERAL, .lang = l->lang, .datatype = l->datatype.value};
    literal.value = base_arena_copy(&s->arena, (quoin_span){s->text.data, s->text.len});
    if (base_span_is(literal.datatype, RDF_XSD "string")) literal.datatype = (quoin_span){0};
    add(s, &s->levels[s->depth - 1].subject, &l->predicate, &literal);
  }
  s->text.len = 0;
}

static void XMLCALL
characters(void *user, const char *text, int len)
{
  base_buffer_add(&((xml_state *)user)->text, text, (size_t)len);
}

quoin_status
rdfxml_read(dataset *d, quoin_span text, quoin_span base, quoin_error *err)
{
  xml_state *s = base_new_zero(base_alloc_default(), 1, sizeof(*s));
  /* Namespace and name run together: the IRI of the element. */
  XML_Parser parser = XML_ParserCreateNS(NULL, '\0');
  if (!s || !parser) return base_fail_nomem(err);
  s->d = d;
  s->err = err;
  s->base = base;
  base_arena_init(&s->arena, base_alloc_default());
  base_buffer_init(&s->text, base_alloc_default());
  XML_SetUserData(parser, s);
  XML_SetElementHandler(parser, start, stop);
  XML_SetCharacterDataHandler(parser, characters);
  if (XML_Parse(parser, text.ptr, (int)text.len, 1) != XML_STATUS_OK && !s->status)
    s->status = base_fail_pos(err, QUOIN_ERR_SYNTAX, NULL, XML_GetCurrentLineNumber(parser),
                              XML_GetCurrentColumnNumber(parser), "RDF/XML: %s",
                              XML_ErrorString(XML_GetErrorCode(parser)));
  quoin_status st = s->status;
  XML_ParserFree(parser);
  base_buffer_clear(&s->text);
  base_arena_clear(&s->arena);
  base_release(base_alloc_default(), s, 1, sizeof(*s));
  return st;
}
