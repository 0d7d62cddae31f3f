/* base/buffer.h - a growable run of bytes, and helpers for spans. */
#ifndef QUOIN_BASE_BUFFER_H
#define QUOIN_BASE_BUFFER_H

#include "base/alloc.h"

#include <string.h>

/* Appends after a failed one are ignored and `failed` stays set, so that a writer checks once. */
typedef struct base_buffer {
  const base_alloc *mem;
  char *data;
  size_t len, cap;
  bool failed;
} base_buffer;

void base_buffer_init(base_buffer *buf, const base_alloc *mem);
void base_buffer_clear(base_buffer *buf); /* frees */
bool base_buffer_reserve(base_buffer *buf, size_t extra);
void base_buffer_add(base_buffer *buf, const void *data, size_t len);
void base_buffer_byte(base_buffer *buf, char byte);
void base_buffer_text(base_buffer *buf, const char *text);
void base_buffer_span(base_buffer *buf, quoin_span span);
void base_buffer_printf(base_buffer *buf, const char *fmt, ...) QUOIN_PRINTF(2, 3);
/* LEB128, for stored formats. */
void base_buffer_varint(base_buffer *buf, uint64_t value);
void base_buffer_u32(base_buffer *buf, uint32_t value); /* little-endian */
void base_buffer_u64(base_buffer *buf, uint64_t value);

/* Read one LEB128 from [*at, end): false when it is cut off or longer than 64 bits. */
bool base_varint_read(uint64_t *out, const uint8_t **at, const uint8_t *end);

static inline quoin_span
base_span(const char *text)
{
  return (quoin_span){text, text ? strlen(text) : 0};
}

static inline bool
base_span_equal(quoin_span a, quoin_span b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
base_span_is(quoin_span a, const char *text)
{
  return base_span_equal(a, base_span(text));
}

/* Bytewise; a prefix sorts first. */
int base_span_compare(quoin_span a, quoin_span b);
/* ASCII case is ignored. */
bool base_span_equal_nocase(quoin_span a, quoin_span b);

/* Little-endian loads and stores of unaligned memory. Only little-endian machines are supported. */
static inline uint64_t
base_load_u64(const void *at)
{
  uint64_t v;
  memcpy(&v, at, 8);
  return v;
}

static inline uint32_t
base_load_u32(const void *at)
{
  uint32_t v;
  memcpy(&v, at, 4);
  return v;
}

#endif /* QUOIN_BASE_BUFFER_H */
