/* sparql/results/results_json.c - SPARQL 1.1 Query Results JSON Format. */
#include "sparql/results/results.h"

#include "base/poison.h"

static void
escaped(results_out *out, char c)
{
  static const char digits[] = "0123456789abcdef";
  char text[6] = {'\\', 'u', '0', '0', '0', '0'};
  switch (c) {
  case '"':
    results_bytes(out, "\\\"", 2);
    return;
  case '\\':
    results_bytes(out, "\\\\", 2);
    return;
  case '\n':
    results_bytes(out, "\\n", 2);
    return;
  case '\r':
    results_bytes(out, "\\r", 2);
    return;
  case '\t':
    results_bytes(out, "\\t", 2);
    return;
  }
  text[4] = digits[((unsigned char)c >> 4) & 15];
  text[5] = digits[(unsigned char)c & 15];
  results_bytes(out, text, sizeof(text));
}

/* The inside of a JSON string. */
static void
string_text(results_out *out, quoin_span text)
{
  while (text.len) {
    size_t n = results_plain(text.ptr, text.len, RESULTS_QUOTED);
    results_bytes(out, text.ptr, n);
    if (n == text.len) return;
    escaped(out, text.ptr[n]);
    text.ptr += n + 1;
    text.len -= n + 1;
  }
}

static void
json_head(results_out *out, const quoin_span *names, size_t n)
{
  results_text(out, "{\"head\":{\"vars\":[");
  for (size_t i = 0; i < n; i++) {
    results_text(out, i ? ",\"" : "\"");
    string_text(out, names[i]);
    results_byte(out, '"');
  }
  results_text(out, "]},\"results\":{\"bindings\":[");
}

static void
json_key(results_out *out, quoin_span name)
{
  results_byte(out, '"');
  string_text(out, name);
  results_text(out, "\":");
}

static void
json_term(results_out *out, const rdf_term *term)
{
  switch (term->kind) {
  case RDF_NONE:
    return;
  case RDF_IRI:
    results_text(out, "{\"type\":\"uri\",\"value\":\"");
    break;
  case RDF_BLANK:
    results_text(out, "{\"type\":\"bnode\",\"value\":\"");
    break;
  case RDF_LITERAL:
  case RDF_VECTOR: /* sparql_term has made it a literal */
    results_text(out, "{\"type\":\"literal\",\"value\":\"");
    break;
  }
  string_text(out, term->value);
  if (term->lang.len) {
    results_text(out, "\",\"xml:lang\":\"");
    string_text(out, term->lang);
  } else if (term->datatype.len) {
    results_text(out, "\",\"datatype\":\"");
    string_text(out, term->datatype);
  }
  results_text(out, "\"}");
}

static void
json_end(results_out *out, uint64_t rows)
{
  results_text(out, rows ? "\n]}}\n" : "]}}\n");
}

static void
json_boolean(results_out *out, bool value)
{
  results_text(out,
               value ? "{\"head\":{},\"boolean\":true}\n" : "{\"head\":{},\"boolean\":false}\n");
}

const results_syntax results_json = {.row_first = "\n{",
                                     .row_next = ",\n{",
                                     .row_end = "}",
                                     .cell_next = ",",
                                     .omit_unbound = true,
                                     .cell_end = "",
                                     .head = json_head,
                                     .key = json_key,
                                     .term = json_term,
                                     .end = json_end,
                                     .boolean = json_boolean};
