/* base/utf8.c - UTF-8 by RFC 3629, section 4. */
#include "base/utf8.h"

#include <string.h>

#include "base/poison.h"

static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

static bool
tail(unsigned char c)
{
  return (c & 0xc0u) == 0x80u;
}

size_t
base_utf8_decode(uint32_t *cp, const char *text, size_t len)
{
  const unsigned char *s = (const unsigned char *)text;
  if (len == 0) return 0;
  if (s[0] < 0x80) {
    *cp = s[0];
    return 1;
  }
  if (s[0] < 0xc2) return 0; /* a tail, or overlong */
  if (s[0] < 0xe0) {
    if (len < 2 || !tail(s[1])) return 0;
    *cp = (uint32_t)(s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    return 2;
  }
  if (s[0] < 0xf0) {
    if (len < 3 || !tail(s[1]) || !tail(s[2])) return 0;
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;  /* overlong */
    if (s[0] == 0xed && s[1] >= 0xa0) return 0; /* surrogate */
    *cp = (uint32_t)(s[0] & 0x0fu) << 12 | (uint32_t)(s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    return 3;
  }
  if (s[0] > 0xf4 || len < 4 || !tail(s[1]) || !tail(s[2]) || !tail(s[3])) return 0;
  if (s[0] == 0xf0 && s[1] < 0x90) return 0;  /* overlong */
  if (s[0] == 0xf4 && s[1] >= 0x90) return 0; /* above U+10FFFF */
  *cp = (uint32_t)(s[0] & 0x07u) << 18 | (uint32_t)(s[1] & 0x3fu) << 12 |
        (uint32_t)(s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
  return 4;
}

size_t
base_utf8_valid(const char *s, size_t len)
{
  size_t at = 0;
  while (at < len) {
    uint64_t word;
    while (len - at >= 8 && (memcpy(&word, s + at, 8), (word & HIGH_BITS) == 0))
      at += 8;
    while (at < len && (unsigned char)s[at] < 0x80)
      at++;
    while (at < len && (unsigned char)s[at] >= 0x80) {
      uint32_t cp;
      size_t n = base_utf8_decode(&cp, s + at, len - at);
      if (n == 0) return at;
      at += n;
    }
  }
  return len;
}

size_t
base_utf8_encode(char out[4], uint32_t cp)
{
  if (cp < 0x80) {
    out[0] = (char)cp;
    return 1;
  }
  if (cp < 0x800) {
    out[0] = (char)(0xc0u | cp >> 6);
    out[1] = (char)(0x80u | (cp & 0x3fu));
    return 2;
  }
  if (cp < 0x10000) {
    if (cp >= 0xd800 && cp < 0xe000) return 0;
    out[0] = (char)(0xe0u | cp >> 12);
    out[1] = (char)(0x80u | (cp >> 6 & 0x3fu));
    out[2] = (char)(0x80u | (cp & 0x3fu));
    return 3;
  }
  if (cp > 0x10ffff) return 0;
  out[0] = (char)(0xf0u | cp >> 18);
  out[1] = (char)(0x80u | (cp >> 12 & 0x3fu));
  out[2] = (char)(0x80u | (cp >> 6 & 0x3fu));
  out[3] = (char)(0x80u | (cp & 0x3fu));
  return 4;
}

size_t
base_utf8_count(const char *s, size_t len)
{
  size_t count = 0, at = 0;
  for (; len - at >= 8; at += 8) { /* a tail has bit 7 set and bit 6 clear */
    uint64_t word;
    memcpy(&word, s + at, 8);
    uint64_t tails = word & ~(word << 1) & HIGH_BITS;
    count += 8 - (size_t)__builtin_popcountll(tails);
  }
  for (; at < len; at++)
    if (!tail((unsigned char)s[at])) count++;
  return count;
}
