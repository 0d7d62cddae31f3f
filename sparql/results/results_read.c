/* sparql/results/results_read.c - which reader a media type asks for; what both share. */
#include "sparql/results/results_read.h"

#include <assert.h>

#include "base/poison.h"

struct results_reader {
  const base_alloc *mem;
  results_json *json; /* one of the two */
  results_xml *xml;
};

results_syntax
results_syntax_of(quoin_span media_type)
{
  static const struct {
    const char *type;
    results_syntax syntax;
  } types[] = {{"application/sparql-results+json", RESULTS_JSON},
               {"application/json", RESULTS_JSON},
               {"application/sparql-results+xml", RESULTS_XML},
               {"application/xml", RESULTS_XML},
               {"text/xml", RESULTS_XML}};
  size_t begin = 0, end = 0;
  while (begin < media_type.len && media_type.ptr[begin] == ' ')
    begin++;
  for (end = begin; end < media_type.len; end++)
    if (strchr("; \t\r\n", media_type.ptr[end])) break;
  quoin_span name = {media_type.ptr + begin, end - begin};
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
    if (base_span_equal_nocase(name, base_span(types[i].type))) return types[i].syntax;
  return RESULTS_NONE;
}

quoin_status
results_reader_new(results_reader **out, results_syntax syntax, const results_sink *sink,
                   const base_alloc *mem, quoin_error *err)
{
  assert(syntax != RESULTS_NONE && sink->row);
  *out = NULL;
  results_reader *reader = base_new_zero(mem, 1, sizeof(*reader));
  if (!reader) return base_fail_nomem(err);
  reader->mem = mem;
  quoin_status st = syntax == RESULTS_JSON ? results_json_new(&reader->json, sink, mem, err)
                                           : results_xml_new(&reader->xml, sink, mem, err);
  if (st)
    results_reader_free(reader);
  else
    *out = reader;
  return st;
}

quoin_status
results_reader_feed(results_reader *reader, quoin_span text, quoin_error *err)
{
  if (text.len == 0) return QUOIN_OK;
  return reader->json ? results_json_feed(reader->json, text, err)
                      : results_xml_feed(reader->xml, text, err);
}

quoin_status
results_reader_finish(results_reader *reader, quoin_error *err)
{
  return reader->json ? results_json_finish(reader->json, err)
                      : results_xml_finish(reader->xml, err);
}

void
results_reader_free(results_reader *reader)
{
  if (!reader) return;
  results_json_free(reader->json);
  results_xml_free(reader->xml);
  base_release(reader->mem, reader->mem ? reader : NULL, 1, sizeof(*reader));
}

static bool
is_language(quoin_span tag)
{
  bool first = true; /* subtag: letters only */
  size_t length = 0;
  for (size_t i = 0; i < tag.len; i++) {
    char c = tag.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == '-') {
      if (length == 0) return false;
      first = false;
      length = 0;
    } else if (letter || (!first && c >= '0' && c <= '9')) {
      length++;
    } else {
      return false;
    }
  }
  return length > 0;
}

bool
results_literal(rdf_term *out, quoin_span value, quoin_span datatype, quoin_span lang)
{
  *out = (rdf_term){.kind = RDF_LITERAL, .value = value};
  if (lang.len) {
    out->lang = lang;
    return is_language(lang);
  }
  if (!base_span_is(datatype, RDF_XSD "string")) out->datatype = datatype;
  return true;
}
