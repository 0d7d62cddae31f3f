/* atomstore/term.c - RDF terms as values: equality, the N-Triples form, the kind of a datatype. */
#include "atomstore/atomstore.h"

#include "base/poison.h"

bool
rdf_term_equal(const rdf_term *a, const rdf_term *b)
{
  return a->kind == b->kind && base_span_equal(a->value, b->value) &&
         base_span_equal(a->datatype, b->datatype) && base_span_equal(a->lang, b->lang);
}

static void
write_vector(base_buffer *out, quoin_span floats)
{
  base_buffer_text(out, "\"[");
  for (size_t i = 0; i < floats.len; i += sizeof(float)) {
    char number[RDF_VECTOR_NUMBER];
    float value;
    memcpy(&value, floats.ptr + i, sizeof(value));
    if (i) base_buffer_byte(out, ',');
    base_buffer_add(out, number, rdf_vector_number(number, value));
  }
  base_buffer_text(out, "]\"^^<" RDF_VEC_F32 ">");
}

/* ---- N-Triples --------------------------------------------------------------------------------
 */

/* What IRIREF forbids (RDF 1.1 N-Triples, 4) is written as a numeric escape. */
static bool
iri_plain(unsigned char c)
{
  switch (c) {
  case '<':
  case '>':
  case '"':
  case '{':
  case '}':
  case '|':
  case '^':
  case '`':
  case '\\':
    return false;
  default:
    return c > 0x20;
  }
}

static void
write_iri(base_buffer *out, quoin_span iri)
{
  size_t from = 0;
  base_buffer_byte(out, '<');
  for (size_t i = 0; i < iri.len; i++) {
    unsigned char c = (unsigned char)iri.ptr[i];
    if (iri_plain(c)) continue;
    base_buffer_add(out, iri.ptr + from, i - from);
    base_buffer_printf(out, "\\u%04X", c);
    from = i + 1;
  }
  if (iri.len > from) base_buffer_add(out, iri.ptr + from, iri.len - from);
  base_buffer_byte(out, '>');
}

size_t
rdf_string_escape(char out[6], char c)
{
  static const char hex[] = "0123456789ABCDEF";
  unsigned char u = (unsigned char)c;
  char letter = c == '\n'               ? 'n'
                : c == '\t'             ? 't'
                : c == '\r'             ? 'r'
                : c == '\b'             ? 'b'
                : c == '\f'             ? 'f'
                : c == '"' || c == '\\' ? c
                                        : 0;
  out[0] = '\\';
  out[1] = letter ? letter : 'u';
  if (letter) return 2;
  out[2] = out[3] = '0';
  out[4] = hex[u >> 4];
  out[5] = hex[u & 15];
  return 6;
}

static void
write_string(base_buffer *out, quoin_span text)
{
  size_t from = 0;
  base_buffer_byte(out, '"');
  for (size_t i = 0; i < text.len; i++) {
    char escape[6];
    if (rdf_string_plain(text.ptr[i])) continue;
    base_buffer_add(out, text.ptr + from, i - from);
    base_buffer_add(out, escape, rdf_string_escape(escape, text.ptr[i]));
    from = i + 1;
  }
  if (text.len > from) base_buffer_add(out, text.ptr + from, text.len - from);
  base_buffer_byte(out, '"');
}

void
rdf_term_write(base_buffer *out, const rdf_term *term)
{
  switch (term->kind) {
  case RDF_NONE:
    break;
  case RDF_IRI:
    write_iri(out, term->value);
    break;
  case RDF_BLANK:
    base_buffer_text(out, "_:");
    base_buffer_span(out, term->value);
    break;
  case RDF_LITERAL:
    write_string(out, term->value);
    if (term->lang.len) {
      base_buffer_byte(out, '@');
      base_buffer_span(out, term->lang);
    } else if (term->datatype.len) {
      base_buffer_text(out, "^^");
      write_iri(out, term->datatype);
    }
    break;
  case RDF_VECTOR:
    write_vector(out, term->value);
    break;
  }
}
