/* sparql/results/results_csv.c - SPARQL 1.1 Query Results CSV and TSV Formats.
 *
 * A line's end is written before the next row or at the end, so that an answer that was cut off
 * lacks its last one. The formats do not say what ASK gives: one line, true or false. */
#include "sparql/results/results.h"

#include "base/poison.h"

/* ---- CSV
 * -------------------------------------------------------------------------------------------- */

/* RFC 4180: quoted when it holds a quote, a comma or a line's end. */
static void
csv_field(results_out *out, quoin_span text)
{
  bool quoted = false;
  for (size_t i = 0; i < text.len && !quoted; i++) {
    char c = text.ptr[i];
    quoted = c == '"' || c == ',' || c == '\n' || c == '\r';
  }
  if (!quoted) {
    results_span(out, text);
    return;
  }
  results_byte(out, '"');
  const char *quote;
  while (text.len && (quote = memchr(text.ptr, '"', text.len))) {
    size_t n = (size_t)(quote - text.ptr) + 1;
    results_bytes(out, text.ptr, n);
    results_byte(out, '"');
    text.ptr += n;
    text.len -= n;
  }
  results_span(out, text);
  results_byte(out, '"');
}

static void
csv_head(results_out *out, const quoin_span *names, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if (i) results_byte(out, ',');
    csv_field(out, names[i]);
  }
}

static void
csv_term(results_out *out, const rdf_term *term)
{
  if (term->kind == RDF_BLANK) results_bytes(out, "_:", 2);
  csv_field(out, term->value);
}

static void
csv_end(results_out *out, uint64_t rows)
{
  (void)rows;
  results_bytes(out, "\r\n", 2);
}

static void
csv_boolean(results_out *out, bool value)
{
  results_text(out, value ? "true\r\n" : "false\r\n");
}

const results_syntax results_csv = {.row_first = "\r\n",
                                    .row_next = "\r\n",
                                    .row_end = "",
                                    .cell_next = ",",
                                    .omit_unbound = false,
                                    .cell_end = "",
                                    .head = csv_head,
                                    .key = NULL,
                                    .term = csv_term,
                                    .end = csv_end,
                                    .boolean = csv_boolean};

/* ---- TSV
 * ------------------------------------------------------------------------------------------- */

static void
tsv_escaped(results_out *out, char c)
{
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
  case '\b':
    results_bytes(out, "\\b", 2);
    return;
  case '\f':
    results_bytes(out, "\\f", 2);
    return;
  }
  results_byte(out, c);
}

static void
tsv_string(results_out *out, quoin_span text)
{
  results_byte(out, '"');
  while (text.len) {
    size_t n = results_plain(text.ptr, text.len, RESULTS_QUOTED);
    results_bytes(out, text.ptr, n);
    if (n == text.len) break;
    tsv_escaped(out, text.ptr[n]);
    text.ptr += n + 1;
    text.len -= n + 1;
  }
  results_byte(out, '"');
}

static size_t
digits(quoin_span text, size_t at)
{
  while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
    at++;
  return at;
}

/* May a literal of this datatype be written as its lexical form alone, as in Turtle? */
static bool
is_plain_number(const rdf_term *term)
{
  quoin_span text = term->value, type = term->datatype;
  static const char xsd[] = RDF_XSD;
  if (type.len < sizeof(xsd) + 5 || memcmp(type.ptr, xsd, sizeof(xsd) - 1) != 0) return false;
  type.ptr += sizeof(xsd) - 1;
  type.len -= sizeof(xsd) - 1;
  bool integer = base_span_is(type, "integer"), decimal = base_span_is(type, "decimal");
  if (!integer && !decimal && !base_span_is(type, "double")) return false;
  size_t start = text.len && (text.ptr[0] == '+' || text.ptr[0] == '-');
  size_t at = digits(text, start), whole = at - start, fraction = 0;
  if (integer) return whole && at == text.len;
  if (at < text.len && text.ptr[at] == '.') {
    size_t from = at + 1;
    at = digits(text, from);
    fraction = at - from;
  }
  if (decimal) return fraction && at == text.len;
  if (!(whole + fraction) || at >= text.len || (text.ptr[at] | 0x20) != 'e') return false;
  at++;
  if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-')) at++;
  return at < text.len && digits(text, at) == text.len;
}

static void
tsv_head(results_out *out, const quoin_span *names, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    results_bytes(out, i ? "\t?" : "?", i ? 2 : 1);
    results_span(out, names[i]);
  }
}

static void
tsv_iri(results_out *out, quoin_span iri)
{
  results_byte(out, '<');
  results_span(out, iri);
  results_byte(out, '>');
}

static void
tsv_term(results_out *out, const rdf_term *term)
{
  switch (term->kind) {
  case RDF_NONE:
    return;
  case RDF_IRI:
    tsv_iri(out, term->value);
    return;
  case RDF_BLANK:
    results_bytes(out, "_:", 2);
    results_span(out, term->value);
    return;
  case RDF_LITERAL:
  case RDF_VECTOR: /* sparql_term has made it a literal */
    break;
  }
  if (term->lang.len) {
    tsv_string(out, term->value);
    results_byte(out, '@');
    results_span(out, term->lang);
  } else if (term->datatype.len && !is_plain_number(term)) {
    tsv_string(out, term->value);
    results_bytes(out, "^^", 2);
    tsv_iri(out, term->datatype);
  } else if (term->datatype.len) {
    results_span(out, term->value);
  } else {
    tsv_string(out, term->value);
  }
}

static void
tsv_end(results_out *out, uint64_t rows)
{
  (void)rows;
  results_byte(out, '\n');
}

static void
tsv_boolean(results_out *out, bool value)
{
  results_text(out, value ? "true\n" : "false\n");
}

const results_syntax results_tsv = {.row_first = "\n",
                                    .row_next = "\n",
                                    .row_end = "",
                                    .cell_next = "\t",
                                    .omit_unbound = false,
                                    .cell_end = "",
                                    .head = tsv_head,
                                    .key = NULL,
                                    .term = tsv_term,
                                    .end = tsv_end,
                                    .boolean = tsv_boolean};
