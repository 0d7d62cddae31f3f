/* base/buffer.c - a growable run of bytes, and comparisons of spans. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/poison.h"

void
base_buffer_init(base_buffer *buf, const base_alloc *mem)
{
  *buf = (base_buffer){.mem = mem};
}

void
base_buffer_clear(base_buffer *buf)
{
  base_release(buf->mem, buf->data, buf->cap, 1);
  *buf = (base_buffer){.mem = buf->mem};
}

bool
base_buffer_reserve(base_buffer *buf, size_t extra)
{
  if (buf->failed) return false;
  size_t need;
  void *data = buf->data;
  if (buf->cap - buf->len >= extra) return true;
  if (!base_add_size(&need, buf->len, extra) ||
      !base_reserve(buf->mem, &data, &buf->cap, need < 64 ? 64 : need, 1)) {
    buf->failed = true;
    return false;
  }
  buf->data = data;
  return true;
}

void
base_buffer_add(base_buffer *buf, const void *data, size_t len)
{
  if (len == 0 || !base_buffer_reserve(buf, len)) return;
  memcpy(buf->data + buf->len, data, len);
  buf->len += len;
}

void
base_buffer_byte(base_buffer *buf, char byte)
{
  if (!base_buffer_reserve(buf, 1)) return;
  buf->data[buf->len++] = byte;
}

void
base_buffer_text(base_buffer *buf, const char *text)
{
  base_buffer_add(buf, text, strlen(text));
}

void
base_buffer_span(base_buffer *buf, quoin_span span)
{
  base_buffer_add(buf, span.ptr, span.len);
}

void
base_buffer_printf(base_buffer *buf, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  int len = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (len < 0) {
    buf->failed = true;
    return;
  }
  if (!base_buffer_reserve(buf, (size_t)len + 1)) return;
  va_start(args, fmt);
  (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
  va_end(args);
  buf->len += (size_t)len;
}

void
base_buffer_varint(base_buffer *buf, uint64_t value)
{
  if (!base_buffer_reserve(buf, 10)) return;
  while (value >= 0x80) {
    buf->data[buf->len++] = (char)(value | 0x80);
    value >>= 7;
  }
  buf->data[buf->len++] = (char)value;
}

void
base_buffer_u32(base_buffer *buf, uint32_t value)
{
  base_buffer_add(buf, &value, sizeof(value));
}

void
base_buffer_u64(base_buffer *buf, uint64_t value)
{
  base_buffer_add(buf, &value, sizeof(value));
}

bool
base_varint_read(uint64_t *out, const uint8_t **at, const uint8_t *end)
{
  uint64_t value = 0;
  const uint8_t *p = *at;
  for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
    uint64_t bits = *p & 0x7fu;
    if (shift == 63 && bits > 1) return false;
    value |= bits << shift;
    if (!(*p++ & 0x80u)) {
      *out = value;
      *at = p;
      return true;
    }
  }
  return false;
}

int
base_span_compare(quoin_span a, quoin_span b)
{
  size_t len = a.len < b.len ? a.len : b.len;
  int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
  if (order) return order;
  return (a.len > b.len) - (a.len < b.len);
}

static unsigned char
lower(char c)
{
  return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool
base_span_equal_nocase(quoin_span a, quoin_span b)
{
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
  return true;
}
