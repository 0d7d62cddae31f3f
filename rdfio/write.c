/* rdfio/write.c - writers: the buffer, the terms of N-Triples, N-Triples and N-Quads themselves.
 *
 * The text is that of canonical N-Triples: escapes only where they must be. The inner loops look
 * for bytes to escape 16 at a time (SSE2 is on every x86-64) and copy what lies between. */
#include "rdfio/writer.h"

#include "rdfio/chars.h"

#include <assert.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/poison.h"

/* ---- the buffer -------------------------------------------------------------------------------
 */

void
rdfio_out_flush(rdfio_writer *w)
{
  if (!w->failed && w->len) w->failed = w->write(w->user, w->out, w->len, w->err);
  w->len = 0;
}

void
rdfio_out_long(rdfio_writer *w, const char *text, size_t len)
{
  rdfio_out_flush(w);
  if (len < RDFIO_OUT_SIZE) {
    memcpy(w->out, text, len);
    w->len = len;
  } else if (!w->failed) {
    w->failed = w->write(w->user, text, len, w->err);
  }
}

void
rdfio_out_text(rdfio_writer *w, const char *text)
{
  rdfio_out(w, text, strlen(text));
}

/* ---- terms ------------------------------------------------------------------------------------
 */

/* Number of bytes before the first that an IRI may not hold. */
static size_t
plain_iri(const char *p, size_t n)
{
  size_t i = 0;
#if defined(__SSE2__)
  const __m128i low = _mm_set1_epi8(0x21), brace = _mm_set1_epi8('{'), three = _mm_set1_epi8(2);
  for (; i + 16 <= n; i += 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
    __m128i fine = _mm_cmpeq_epi8(_mm_max_epu8(v, low), v); /* from 0x21 on */
    __m128i off = _mm_sub_epi8(v, brace);                   /* { | } are 0 1 2 */
    __m128i bad = _mm_cmpeq_epi8(_mm_min_epu8(off, three), off);
    /* < and > differ in bit 1, \ and ^ too */
    __m128i bit = _mm_or_si128(v, _mm_set1_epi8(2));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(bit, _mm_set1_epi8('>')));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(bit, _mm_set1_epi8('^')));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('`')));
    unsigned stop = (unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, fine)) ^ 0xFFFFu;
    if (stop) return i + (size_t)__builtin_ctz(stop);
  }
#endif
  while (i < n && !rdfio_char_is(p[i], RDFIO_CHAR_IRI_BAD))
    i++;
  return i;
}

/* Number of bytes before the first that is escaped. */
static size_t
plain_string(const char *p, size_t n)
{
  size_t i = 0;
#if defined(__SSE2__)
  for (; i + 16 <= n; i += 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
    __m128i quote =
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    __m128i rubout = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F));
    __m128i fine = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(0x20)), v);
    __m128i bad = _mm_or_si128(quote, rubout);
    unsigned stop = (unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, fine)) ^ 0xFFFFu;
    if (stop) return i + (size_t)__builtin_ctz(stop);
  }
#endif
  while (i < n && rdf_string_plain(p[i]))
    i++;
  return i;
}

void
rdfio_out_iri(rdfio_writer *w, quoin_span iri)
{
  static const char HEX[] = "0123456789ABCDEF";
  rdfio_out_byte(w, '<');
  for (;;) {
    size_t n = plain_iri(iri.ptr, iri.len);
    rdfio_out(w, iri.ptr, n);
    if (n == iri.len) break;
    unsigned char c = (unsigned char)iri.ptr[n];
    char escape[6] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
    rdfio_out(w, escape, sizeof(escape));
    iri = (quoin_span){iri.ptr + n + 1, iri.len - n - 1};
  }
  rdfio_out_byte(w, '>');
}

void
rdfio_out_string(rdfio_writer *w, quoin_span text)
{
  rdfio_out_byte(w, '"');
  for (;;) {
    size_t n = plain_string(text.ptr, text.len);
    rdfio_out(w, text.ptr, n);
    if (n == text.len) break;
    char escape[6];
    rdfio_out(w, escape, rdf_string_escape(escape, text.ptr[n]));
    text = (quoin_span){text.ptr + n + 1, text.len - n - 1};
  }
  rdfio_out_byte(w, '"');
}

/* RFC 4648, 4. */
static void
out_base64(rdfio_writer *w, quoin_span bytes)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *at = (const unsigned char *)bytes.ptr;
  for (size_t i = 0; i < bytes.len; i += 3) {
    const size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
    const unsigned v =
        (unsigned)at[i] << 16 | (n > 1 ? (unsigned)at[i + 1] << 8 : 0) | (n > 2 ? at[i + 2] : 0u);
    const char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                          n > 2 ? digits[v & 63] : '='};
    rdfio_out(w, four, 4);
  }
}

static void
out_vector(rdfio_writer *w, quoin_span floats)
{
  if (w->base64) {
    rdfio_out(w, "\"b64:", 5);
    out_base64(w, floats);
    rdfio_out(w, "\"^^", 3);
    rdfio_out_iri(w, base_span(RDF_VEC_F32));
    return;
  }
  rdfio_out(w, "\"[", 2);
  for (size_t i = 0; i < floats.len; i += sizeof(float)) {
    char number[RDF_VECTOR_NUMBER];
    float value;
    memcpy(&value, floats.ptr + i, sizeof(value));
    if (i) rdfio_out_byte(w, ',');
    rdfio_out(w, number, rdf_vector_number(number, value));
  }
  rdfio_out(w, "]\"^^", 4);
  rdfio_out_iri(w, base_span(RDF_VEC_F32));
}

void
rdfio_out_term(rdfio_writer *w, const rdf_term *t)
{
  switch (t->kind) {
  case RDF_NONE:
    break;
  case RDF_IRI:
    rdfio_out_iri(w, t->value);
    break;
  case RDF_BLANK:
    rdfio_out(w, "_:", 2);
    rdfio_out(w, t->value.ptr, t->value.len);
    break;
  case RDF_LITERAL:
    rdfio_out_string(w, t->value);
    if (t->lang.len) {
      rdfio_out_byte(w, '@');
      rdfio_out(w, t->lang.ptr, t->lang.len);
    } else if (t->datatype.len) {
      rdfio_out(w, "^^", 2);
      rdfio_out_iri(w, t->datatype);
    }
    break;
  case RDF_VECTOR:
    out_vector(w, t->value);
    break;
  }
}

static void
add_line(rdfio_writer *w, const rdfio_quad *quad)
{
  for (int i = 0; i < 3; i++) {
    rdfio_out_term(w, &quad->term[i]);
    rdfio_out_byte(w, ' ');
  }
  if (quad->term[3].kind) {
    rdfio_out_term(w, &quad->term[3]);
    rdfio_out_byte(w, ' ');
  }
  rdfio_out(w, ".\n", 2);
}

/* ---- the door ---------------------------------------------------------------------------------
 */

quoin_status
rdfio_writer_new(rdfio_writer **out, rdfio_format format, rdfio_write_fn write, void *user,
                 const base_alloc *mem, quoin_error *err)
{
  *out = NULL;
  if (format == RDFIO_UNKNOWN)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "choose nt, nq, ttl or trig as the output format");
  rdfio_writer *w = base_new_zero(mem, 1, sizeof(*w));
  if (!w) return base_fail_nomem(err);
  if (!(w->out = base_new(mem, RDFIO_OUT_SIZE, 1))) {
    base_release(mem, w, 1, sizeof(*w));
    return base_fail_nomem(err);
  }
  w->mem = mem;
  w->format = format;
  w->write = write;
  w->user = user;
  for (int i = 0; i < 4; i++)
    base_buffer_init(&w->at[i].text, mem);
  rdfio_prefixes_init(&w->names, mem);
  rdfio_prefixes_init(&w->by_iri, mem);
  *out = w;
  return QUOIN_OK;
}

static quoin_status
check_quad(const rdfio_writer *w, const rdfio_quad *q, quoin_error *err)
{
  rdf_kind g = q->term[3].kind;
  if ((q->term[0].kind != RDF_IRI && q->term[0].kind != RDF_BLANK) || q->term[1].kind != RDF_IRI ||
      q->term[2].kind == RDF_NONE || g == RDF_LITERAL)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "this is no RDF statement: a subject is an IRI or blank "
                     "node, a predicate an IRI, a graph no literal");
  if (g != RDF_NONE && (w->format == RDFIO_NTRIPLES || w->format == RDFIO_TURTLE))
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "%s has no named graphs: write N-Quads (nq) or TriG (trig)",
                     w->format == RDFIO_TURTLE ? "Turtle" : "N-Triples");
  return QUOIN_OK;
}

void
rdfio_writer_base64(rdfio_writer *w)
{
  w->base64 = true;
}

quoin_status
rdfio_writer_add(rdfio_writer *w, const rdfio_quad *quad, quoin_error *err)
{
  quoin_status st = check_quad(w, quad, err);
  if (st) return st;
  w->err = err;
  if (w->format == RDFIO_NTRIPLES || w->format == RDFIO_NQUADS)
    add_line(w, quad);
  else
    rdfio_turtle_add(w, quad);
  if (w->failed == QUOIN_ERR_NOMEM && err && !err->status) return base_fail_nomem(err);
  return w->failed;
}

quoin_status
rdfio_writer_finish(rdfio_writer *w, quoin_error *err)
{
  w->err = err;
  if (w->format == RDFIO_TURTLE || w->format == RDFIO_TRIG) rdfio_turtle_finish(w);
  rdfio_out_flush(w);
  return w->failed;
}

void
rdfio_writer_free(rdfio_writer *w)
{
  if (!w) return;
  for (int i = 0; i < 4; i++)
    base_buffer_clear(&w->at[i].text);
  rdfio_prefixes_clear(&w->names);
  rdfio_prefixes_clear(&w->by_iri);
  base_release(w->mem, w->lengths, w->lengths_cap, sizeof(*w->lengths));
  base_release(w->mem, w->out, RDFIO_OUT_SIZE, 1);
  base_release(w->mem, w, 1, sizeof(*w));
}
