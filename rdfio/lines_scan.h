/* rdfio/lines_scan.h - the scan of lines.h, included by lines_any.c and lines_avx2.c.
 *
 * LINES_SCAN names the function; with __AVX2__ the inner loops look at 32 bytes at a time. Grammar:
 * RDF 1.1 N-Triples 7, N-Quads 4. The '\n' after the chunk ends every loop. */
#include "rdfio/lines.h"

#include "rdfio/chars.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define XSD_STRING RDF_XSD "string"

#if defined(__AVX2__)
/* First byte from p that ends an IRI or may not stand in it; *high: bytes beyond ASCII before it.
 * Each byte's class is the AND of two table lookups, by its low and its high four bits. Bit 0: all
 * of 0x, 1x; 1: space and '"'; 2: < > \ ^; 3: `; 4: { | }. Bytes from 0x80 give 0. */
static inline const char *
iri_stop(const char *p, uint32_t *high)
{
  const __m256i low_table = _mm256_broadcastsi128_si256(_mm_setr_epi8(
      1 | 2 | 8, 1, 1 | 2, 1, 1, 1, 1, 1, 1, 1, 1, 1 | 16, 1 | 4 | 16, 1 | 16, 1 | 4, 1));
  const __m256i high_table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 1, 2, 4, 0, 4, 8, 16, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i nibble = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  *high = 0;
  for (;; p += 32) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i low = _mm256_shuffle_epi8(low_table, v);
    __m256i top =
        _mm256_shuffle_epi8(high_table, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
    uint32_t fine =
        (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(low, top), zero));
    uint32_t beyond = (uint32_t)_mm256_movemask_epi8(v);
    if (fine != UINT32_MAX) {
      unsigned n = (unsigned)__builtin_ctz(~fine);
      *high |= beyond & ((UINT32_C(1) << n) - 1);
      return p + n;
    }
    *high |= beyond;
  }
}

/* First '"', '\' or end of line from p. */
static inline const char *
string_stop(const char *p, uint32_t *high)
{
  const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
  const __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r');
  *high = 0;
  for (;; p += 32) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i a = _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash));
    __m256i b = _mm256_or_si256(_mm256_cmpeq_epi8(v, lf), _mm256_cmpeq_epi8(v, cr));
    uint32_t stop = (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(a, b));
    uint32_t beyond = (uint32_t)_mm256_movemask_epi8(v);
    if (stop) {
      unsigned n = (unsigned)__builtin_ctz(stop);
      *high |= beyond & ((UINT32_C(1) << n) - 1);
      return p + n;
    }
    *high |= beyond;
  }
}
#else
static inline const char *
iri_stop(const char *p, uint32_t *high)
{
  unsigned seen = 0;
  while (!rdfio_char_is(*p, RDFIO_CHAR_IRI_BAD))
    seen |= (unsigned char)*p++;
  *high = seen & 0x80;
  return p;
}

static inline const char *
string_stop(const char *p, uint32_t *high)
{
  unsigned seen = 0;
  while (*p != '"' && *p != '\\' && *p != '\n' && *p != '\r')
    seen |= (unsigned char)*p++;
  *high = seen & 0x80;
  return p;
}
#endif

static inline const char *
skip_blanks(const char *p)
{
  while (*p == ' ' || *p == '\t')
    p++;
  return p;
}

static bool
bad(rdfio_lines *l, const char *at, const char *expected)
{
  l->fault = at;
  l->expected = expected;
  return false;
}

static bool
valid_utf8(rdfio_lines *l, quoin_span text)
{
  size_t good = base_utf8_valid(text.ptr, text.len);
  return good == text.len || bad(l, text.ptr + good, "UTF-8");
}

/* Starts with a scheme: nearly always http: or https:. */
static inline bool
has_scheme(quoin_span iri)
{
  if (iri.len > 7 && memcmp(iri.ptr, "http", 4) == 0 &&
      (iri.ptr[4] == ':' || (iri.ptr[4] == 's' && iri.ptr[5] == ':')))
    return true;
  if (!iri.len || !rdfio_char_is(iri.ptr[0], RDFIO_CHAR_ALPHA)) return false;
  size_t n = 1;
  while (n < iri.len && rdfio_char_is(iri.ptr[n], RDFIO_CHAR_SCHEME))
    n++;
  return n < iri.len && iri.ptr[n] == ':';
}

/* *at is past '<'; becomes past '>'. */
static inline bool
scan_iri(quoin_span *out, const char **at, rdfio_lines *l)
{
  uint32_t high;
  const char *p = *at, *stop = iri_stop(p, &high);
  if (*stop == '>') {
    *out = (quoin_span){p, (size_t)(stop - p)};
    *at = stop + 1;
    if (high && !valid_utf8(l, *out)) return false;
  } else if (*stop == '\\') {
    if (!rdfio_lines_escaped_iri(out, at, l)) return false;
  } else {
    return bad(l, stop, *stop == '\n' || *stop == '\r' ? "'>'" : "a character of an IRI or '>'");
  }
  return has_scheme(*out) || bad(l, p, "an absolute IRI (a scheme such as \"http:\")");
}

/* *at is at '_'. */
static inline bool
scan_blank(quoin_span *out, const char **at, rdfio_lines *l)
{
  const char *p = *at;
  if (p[1] != ':') return bad(l, p + 1, "':' of a blank node label");
  p += 2;
  const char *q = p;
  if (rdfio_char_is(*q, RDFIO_CHAR_NAME_START))
    while (rdfio_char_is(*q, RDFIO_CHAR_NAME))
      q++;
  if (q == p || *q == '.' || (unsigned char)*q >= 0x80) /* the rest of the grammar */
    q = p + rdfio_blank_label_length(p, (size_t)(l->end - p));
  if (q == p) return bad(l, p, "a blank node label");
  *out = (quoin_span){p, (size_t)(q - p)};
  *at = q;
  return true;
}

/* *at is past '@'. */
static inline bool
scan_lang(quoin_span *out, const char **at, rdfio_lines *l)
{
  const char *p = *at, *q = p, *run;
  while (rdfio_char_is(*q, RDFIO_CHAR_ALPHA))
    q++;
  if (q == p) return bad(l, q, "a language tag");
  while (*q == '-') {
    run = ++q;
    while (rdfio_char_is(*q, RDFIO_CHAR_ALPHA | RDFIO_CHAR_DIGIT))
      q++;
    if (q == run) return bad(l, q, "a letter or digit of a language tag");
  }
  *out = (quoin_span){p, (size_t)(q - p)};
  *at = q;
  return true;
}

/* *at is past the opening quote. */
static inline bool
scan_literal(rdf_term *term, const char **at, rdfio_lines *l)
{
  uint32_t high;
  const char *p = *at, *stop = string_stop(p, &high);
  term->kind = RDF_LITERAL;
  term->datatype = term->lang = (quoin_span){0};
  if (*stop == '"') {
    term->value = (quoin_span){p, (size_t)(stop - p)};
    *at = stop + 1;
    if (high && !valid_utf8(l, term->value)) return false;
  } else if (*stop == '\\') {
    if (!rdfio_lines_escaped_string(&term->value, at, l)) return false;
  } else {
    return bad(l, stop, "'\"' at the end of the string");
  }
  p = *at;
  if (*p == ' ' || *p == '\t') { /* blanks may stand between any two tokens */
    const char *q = skip_blanks(p);
    if (*q != '@' && *q != '^') return true;
    p = q;
  }
  if (*p == '@') {
    *at = p + 1;
    return scan_lang(&term->lang, at, l);
  }
  if (*p != '^') return true;
  if (p[1] != '^') return bad(l, p + 1, "^^<datatype IRI>");
  p = skip_blanks(p + 2);
  if (*p != '<') return bad(l, p, "the IRI of a datatype");
  *at = p + 1;
  if (!scan_iri(&term->datatype, at, l)) return false;
  if (term->datatype.len == sizeof(XSD_STRING) - 1 &&
      !memcmp(term->datatype.ptr, XSD_STRING, sizeof(XSD_STRING) - 1))
    term->datatype = (quoin_span){0};
  return true;
}

/* IRI, or blank node where `blank`; anything else is not what was `expected`. */
static inline bool
scan_resource(rdf_term *term, const char **at, bool blank, const char *expected, rdfio_lines *l)
{
  term->datatype = term->lang = (quoin_span){0};
  if (**at == '<') {
    ++*at;
    term->kind = RDF_IRI;
    return scan_iri(&term->value, at, l);
  }
  if (**at == '_' && blank) {
    term->kind = RDF_BLANK;
    return scan_blank(&term->value, at, l);
  }
  return bad(l, *at, expected);
}

/* One statement from *at, which becomes the place after its '.'. */
static inline bool
scan_statement(rdfio_quad *quad, const char **at, rdfio_lines *l)
{
  if (!scan_resource(&quad->term[0], at, true, "a subject (IRI or blank node)", l)) return false;
  *at = skip_blanks(*at);
  if (!scan_resource(&quad->term[1], at, false, "a predicate (IRI)", l)) return false;
  *at = skip_blanks(*at);
  if (**at == '"') {
    ++*at;
    if (!scan_literal(&quad->term[2], at, l)) return false;
  } else if (!scan_resource(&quad->term[2], at, true, "an object (IRI, blank node or literal)",
                            l)) {
    return false;
  }
  *at = skip_blanks(*at);
  if (**at != '.' && l->quads) {
    if (!scan_resource(&quad->term[3], at, true, "a graph (IRI or blank node) or '.'", l))
      return false;
    *at = skip_blanks(*at);
  } else {
    quad->term[3] = (rdf_term){.kind = RDF_NONE};
  }
  if (**at != '.') return bad(l, *at, "'.' at the end of the statement");
  ++*at;
  return true;
}

/* Past the end of the line at p, which must be blank from here but for a comment. */
static inline bool
scan_line_end(const char **at, rdfio_lines *l)
{
  const char *p = skip_blanks(*at);
  if (*p == '#') {
    const char *start = p;
    uint32_t high, seen = 0;
    do {
      p = string_stop(p, &high);
      seen |= high;
    } while (*p != '\n' && *p != '\r' && p++);
    if (seen && !valid_utf8(l, (quoin_span){start, (size_t)(p - start)})) return false;
  }
  if (*p == '\r')
    p += p[1] == '\n' ? 2 : 1;
  else if (*p == '\n')
    p++;
  else
    return bad(l, p, "the end of the line");
  *at = p;
  return true;
}

rdfio_lines_end
LINES_SCAN(rdfio_lines *l)
{
  const char *p = l->at;
  while (p < l->end) {
    const char *q = skip_blanks(p);
    bool empty = *q == '\n' || *q == '#' || *q == '\r';
    if (!empty && l->n == l->cap) return RDFIO_LINES_FULL;
    if ((!empty && !scan_statement(&l->out[l->n], &q, l)) || !scan_line_end(&q, l))
      return l->fault ? RDFIO_LINES_BAD : RDFIO_LINES_NOMEM;
    if (!empty) l->out[l->n++].line = l->places ? l->line : 0;
    l->line++;
    l->at = p = q;
  }
  return RDFIO_LINES_END;
}
