/* sparql/results/results_xml.c - SPARQL Query Results XML Format.
 *
 * XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF. A literal that holds
 * one ends the writing with an error: to drop it would be another answer. */
#include "sparql/results/results.h"

#include "base/poison.h"

static void
special_byte(results_out *out, const char *at, size_t len)
{
  switch (*at) {
  case '<':
    results_bytes(out, "&lt;", 4);
    return;
  case '>':
    results_bytes(out, "&gt;", 4);
    return;
  case '&':
    results_bytes(out, "&amp;", 5);
    return;
  case '\r': /* a reader would turn it into a line feed */
    results_bytes(out, "&#xD;", 5);
    return;
  case '\t':
  case '\n':
    results_byte(out, *at);
    return;
  }
  if ((unsigned char)*at != 0xEF ||
      (len >= 3 && (memcmp(at, "\xEF\xBF\xBE", 3) == 0 || memcmp(at, "\xEF\xBF\xBF", 3) == 0))) {
    results_fail(out, QUOIN_ERR_ARGUMENT,
                 "a term holds a character that XML cannot; use the results format json");
    return;
  }
  results_byte(out, *at);
}

static void
xml_text(results_out *out, quoin_span text)
{
  while (text.len) {
    size_t n = results_plain(text.ptr, text.len, RESULTS_MARKUP);
    results_bytes(out, text.ptr, n);
    if (n == text.len) return;
    special_byte(out, text.ptr + n, text.len - n);
    text.ptr += n + 1;
    text.len -= n + 1;
  }
}

/* In quotes: IRIs and language tags, which hold no quote when they are what they should be. */
static void
xml_attribute(results_out *out, quoin_span text)
{
  const char *quote;
  while (text.len && (quote = memchr(text.ptr, '"', text.len))) {
    size_t n = (size_t)(quote - text.ptr);
    xml_text(out, (quoin_span){text.ptr, n});
    results_text(out, "&quot;");
    text.ptr += n + 1;
    text.len -= n + 1;
  }
  xml_text(out, text);
}

static void
xml_start(results_out *out)
{
  results_text(out, "<?xml version=\"1.0\"?>\n"
                    "<sparql xmlns=\"http://www.w3.org/2005/sparql-results#\">\n");
}

static void
xml_head(results_out *out, const quoin_span *names, size_t n)
{
  xml_start(out);
  results_text(out, "<head>");
  for (size_t i = 0; i < n; i++) {
    results_text(out, "<variable name=\"");
    xml_attribute(out, names[i]);
    results_text(out, "\"/>");
  }
  results_text(out, "</head>\n<results>\n");
}

static void
xml_key(results_out *out, quoin_span name)
{
  results_text(out, "<binding name=\"");
  xml_attribute(out, name);
  results_text(out, "\">");
}

static void
xml_term(results_out *out, const rdf_term *term)
{
  switch (term->kind) {
  case RDF_NONE:
    return;
  case RDF_IRI:
    results_text(out, "<uri>");
    xml_text(out, term->value);
    results_text(out, "</uri>");
    return;
  case RDF_BLANK:
    results_text(out, "<bnode>");
    xml_text(out, term->value);
    results_text(out, "</bnode>");
    return;
  case RDF_LITERAL:
  case RDF_VECTOR: /* sparql_term has made it a literal */
    break;
  }
  if (term->lang.len) {
    results_text(out, "<literal xml:lang=\"");
    xml_attribute(out, term->lang);
    results_text(out, "\">");
  } else if (term->datatype.len) {
    results_text(out, "<literal datatype=\"");
    xml_attribute(out, term->datatype);
    results_text(out, "\">");
  } else {
    results_text(out, "<literal>");
  }
  xml_text(out, term->value);
  results_text(out, "</literal>");
}

static void
xml_end(results_out *out, uint64_t rows)
{
  (void)rows;
  results_text(out, "</results>\n</sparql>\n");
}

static void
xml_boolean(results_out *out, bool value)
{
  xml_start(out);
  results_text(out, "<head></head>\n");
  results_text(out, value ? "<boolean>true</boolean>\n" : "<boolean>false</boolean>\n");
  results_text(out, "</sparql>\n");
}

const results_syntax results_xml = {.row_first = "<result>",
                                    .row_next = "<result>",
                                    .row_end = "</result>\n",
                                    .cell_next = "",
                                    .omit_unbound = true,
                                    .cell_end = "</binding>",
                                    .head = xml_head,
                                    .key = xml_key,
                                    .term = xml_term,
                                    .end = xml_end,
                                    .boolean = xml_boolean};
