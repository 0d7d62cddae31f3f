/* rdfio/chars.c - character classes of the RDF grammars. */
#include "rdfio/chars.h"

#include <stdio.h>

#include "base/poison.h"

#define B RDFIO_CHAR_IRI_BAD
#define D                                                                                          \
  (RDFIO_CHAR_NAME | RDFIO_CHAR_NAME_START | RDFIO_CHAR_DIGIT | RDFIO_CHAR_HEX | RDFIO_CHAR_SCHEME)
#define L (RDFIO_CHAR_NAME | RDFIO_CHAR_NAME_START | RDFIO_CHAR_ALPHA | RDFIO_CHAR_SCHEME)
#define X (L | RDFIO_CHAR_HEX)

/* clang-format off */
const uint8_t rdfio_char_class[256] = {
    B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, /* 00 */
    B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, /* 10 */
    B, 0, B, 0, 0, 0, 0, 0, 0, 0, 0, RDFIO_CHAR_SCHEME, 0, RDFIO_CHAR_NAME | RDFIO_CHAR_SCHEME,
    RDFIO_CHAR_SCHEME, 0,                           /* 20: + - . */
    D, D, D, D, D, D, D, D, D, D, 0, 0, B, 0, B, 0, /* 30 */
    0, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L, /* 40 */
    L, L, L, L, L, L, L, L, L, L, L, 0, B, 0, B, RDFIO_CHAR_NAME | RDFIO_CHAR_NAME_START, /* 50 */
    B, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L, /* 60 */
    L, L, L, L, L, L, L, L, L, L, L, B, B, B, 0, 0, /* 70 */
};
/* clang-format on */

typedef struct char_range {
  uint32_t first, last;
} char_range;

bool
rdfio_is_pn_chars_base(uint32_t cp)
{
  static const char_range RANGES[] = {{0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x2FF},
                                      {0x370, 0x37D},   {0x37F, 0x1FFF},  {0x200C, 0x200D},
                                      {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF},
                                      {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}};
  if (cp < 0x80) return rdfio_char_is((char)cp, RDFIO_CHAR_ALPHA);
  for (size_t i = 0; i < sizeof(RANGES) / sizeof(RANGES[0]); i++)
    if (cp <= RANGES[i].last) return cp >= RANGES[i].first;
  return false;
}

bool
rdfio_is_pn_chars(uint32_t cp)
{
  if (cp < 0x80) return rdfio_char_is((char)cp, RDFIO_CHAR_NAME);
  return cp == 0xB7 || (cp >= 0x300 && cp <= 0x36F) || cp == 0x203F || cp == 0x2040 ||
         rdfio_is_pn_chars_base(cp);
}

size_t
rdfio_blank_label_length(const char *text, size_t len)
{
  size_t at = 0, good = 0; /* good: past the last character that may end the label */
  while (at < len) {
    uint32_t cp;
    size_t step = 1;
    if ((unsigned char)text[at] < 0x80) {
      if (!rdfio_char_is(text[at], at ? RDFIO_CHAR_NAME : RDFIO_CHAR_NAME_START)) {
        if (!at || text[at] != '.') break;
        at++;
        continue;
      }
    } else {
      step = base_utf8_decode(&cp, text + at, len - at);
      if (!step || !(at ? rdfio_is_pn_chars(cp) : rdfio_is_pn_chars_base(cp))) break;
    }
    good = at += step;
  }
  return good;
}

static unsigned
hex_value(char c)
{
  return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

size_t
rdfio_uchar_decode(uint32_t *cp, const char **why, const char *text, size_t len)
{
  size_t digits = len > 1 && text[1] == 'u' ? 4 : 8;
  *cp = 0;
  for (size_t i = 2; i < 2 + digits; i++) {
    if (i >= len || !rdfio_char_is(text[i], RDFIO_CHAR_HEX)) {
      *why =
          digits == 4 ? "\\u needs four hexadecimal digits" : "\\U needs eight hexadecimal digits";
      return 0;
    }
    *cp = *cp << 4 | hex_value(text[i]);
  }
  if (*cp >= 0xD800 && *cp <= 0xDFFF) {
    *why = "the escape names a surrogate, which is not a character";
    return 0;
  }
  if (*cp > 0x10FFFF) {
    *why = "the escape names a code point beyond U+10FFFF";
    return 0;
  }
  return 2 + digits;
}

void
rdfio_describe(char out[32], const char *at, const char *end)
{
  uint32_t cp;
  unsigned char c = at < end ? (unsigned char)*at : 0;
  if (at >= end)
    snprintf(out, 32, "the end of the input");
  else if (c == '\n' || c == '\r')
    snprintf(out, 32, "the end of the line");
  else if (c == '\'')
    snprintf(out, 32, "\"'\"");
  else if (c > 0x20 && c < 0x7F)
    snprintf(out, 32, "'%c'", c);
  else if (c == ' ')
    snprintf(out, 32, "a space");
  else if (c < 0x80)
    snprintf(out, 32, "the character U+%04X", c);
  else if (base_utf8_decode(&cp, at, (size_t)(end - at)))
    snprintf(out, 32, "the character U+%04X", (unsigned)cp);
  else
    snprintf(out, 32, "the byte 0x%02X, not UTF-8", c);
}
