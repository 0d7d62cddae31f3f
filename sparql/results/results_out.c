/* sparql/results/results_out.c - the buffer, and the scan for bytes that need an escape.
 *
 * The scan takes eight bytes at a time: for bytes without their top bit, (x - n) has its top bit
 * set where x < n, and x ^ c is zero where x == c. A byte too many is found now and then (borrows);
 * it is looked at again, so that this costs time and nothing else. */
#include "sparql/results/results_out.h"

#include <assert.h>

#include "base/poison.h"

void
results_fail(results_out *out, quoin_status status, const char *message)
{
  if (!out->status) out->status = base_fail(out->err, status, "%s", message);
}

void
results_flush(results_out *out)
{
  if (!out->status && out->len) out->status = out->write(out->user, out->data, out->len, out->err);
  out->len = 0;
  out->flushes++;
}

void
results_long(results_out *out, const char *text, size_t len)
{
  results_flush(out);
  if (len < RESULTS_BUFFER) {
    memcpy(out->data, text, len);
    out->len = len;
  } else if (!out->status) {
    out->status = out->write(out->user, text, len, out->err);
  }
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t
bytes_below(uint64_t word, uint64_t n)
{
  return (word - EACH(n)) & ~word & EACH(0x80);
}

static inline uint64_t
bytes_equal(uint64_t word, uint64_t byte)
{
  return bytes_below(word ^ EACH(byte), 1);
}

static inline uint64_t
find_special(uint64_t word, results_special special)
{
  uint64_t found = bytes_below(word, 0x20);
  if (special == RESULTS_QUOTED) return found | bytes_equal(word, '"') | bytes_equal(word, '\\');
  return found | bytes_equal(word, '<') | bytes_equal(word, '>') | bytes_equal(word, '&') |
         bytes_equal(word, 0xEF);
}

static inline bool
is_special(char c, results_special special)
{
  unsigned char u = (unsigned char)c;
  if (u < 0x20) return true;
  if (special == RESULTS_QUOTED) return c == '"' || c == '\\';
  return c == '<' || c == '>' || c == '&' || u == 0xEF;
}

static inline size_t
plain(const char *text, size_t len, results_special special)
{
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t found = find_special(base_load_u64(text + i), special);
    /* The lowest bit found is right: a borrow only goes upwards. */
    if (found) return i + (size_t)__builtin_ctzll(found) / 8;
  }
  while (i < len && !is_special(text[i], special))
    i++;
  return i;
}

size_t
results_plain(const char *text, size_t len, results_special special)
{
  return special == RESULTS_QUOTED ? plain(text, len, RESULTS_QUOTED)
                                   : plain(text, len, RESULTS_MARKUP);
}
