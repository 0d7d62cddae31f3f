/* sparql/syntax/lexer_chars.c - classes of characters, escapes, and how far IRIs and strings reach.
 */
#include "sparql/syntax/lexer.h"

#include "base/poison.h"

#define SP LEX_SPACE | LEX_NOT_IRI
#define CT LEX_NOT_IRI
#define DG LEX_DIGIT | LEX_NAME | LEX_HEX | LEX_START
#define HX LEX_BASE | LEX_NAME | LEX_HEX | LEX_START
#define AL LEX_BASE | LEX_NAME | LEX_START
#define US LEX_NAME | LEX_START
#define DA LEX_DASH
#define NI LEX_NOT_IRI

/* clang-format off */
const uint8_t lexer_ascii[128] = {
  CT, CT, CT, CT, CT, CT, CT, CT, CT, SP, SP, CT, CT, SP, CT, CT, /* 00: tab, LF, CR */
  CT, CT, CT, CT, CT, CT, CT, CT, CT, CT, CT, CT, CT, CT, CT, CT,
  SP, 0,  NI, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  DA, 0,  0,  /* space ! " */
  DG, DG, DG, DG, DG, DG, DG, DG, DG, DG, 0,  0,  NI, 0,  NI, 0,
  0,  HX, HX, HX, HX, HX, HX, AL, AL, AL, AL, AL, AL, AL, AL, AL,
  AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, 0,  NI, 0,  NI, US, /* [ \ ] ^ _ */
  NI, HX, HX, HX, HX, HX, HX, AL, AL, AL, AL, AL, AL, AL, AL, AL,
  AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, NI, NI, NI, 0,  0,
};
/* clang-format on */

/* PN_CHARS_BASE beyond ASCII, ascending pairs. */
static const uint32_t base_ranges[][2] = {{0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x2FF},
                                          {0x370, 0x37D},   {0x37F, 0x1FFF},  {0x200C, 0x200D},
                                          {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF},
                                          {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}};

unsigned
lexer_class(uint32_t cp)
{
  if (cp < 128) return lexer_ascii[cp];
  for (size_t i = 0; i < sizeof(base_ranges) / sizeof(base_ranges[0]); i++)
    if (cp >= base_ranges[i][0] && cp <= base_ranges[i][1]) return LEX_BASE | LEX_NAME | LEX_START;
  if (cp == 0xB7 || (cp >= 0x300 && cp <= 0x36F) || cp == 0x203F || cp == 0x2040) return LEX_NAME;
  return 0;
}

unsigned
lexer_class_at(size_t *len, const char *at, const char *end)
{
  *len = 0;
  if (at >= end) return 0;
  *len = 1;
  if ((unsigned char)*at < 128) return lexer_ascii[(unsigned char)*at];
  uint32_t cp;
  size_t n = base_utf8_decode(&cp, at, (size_t)(end - at));
  if (n == 0) return 0;
  *len = n;
  return lexer_class(cp);
}

const char *
lexer_run(const char *at, const char *end, unsigned mask)
{
  while (at < end) {
    size_t len = 1;
    unsigned cls =
        (unsigned char)*at < 128 ? lexer_ascii[(unsigned char)*at] : lexer_class_at(&len, at, end);
    if (!(cls & mask)) break;
    at += len;
  }
  return at;
}

static unsigned
hex_value(char c)
{
  if (c >= '0' && c <= '9') return (unsigned)(c - '0');
  return ((unsigned)c | 0x20u) - 'a' + 10;
}

size_t
lexer_uchar(uint32_t *cp, const char *at, const char *end)
{
  if (end - at < 6 || at[0] != '\\' || (at[1] != 'u' && at[1] != 'U')) return 0;
  size_t digits = at[1] == 'u' ? 4 : 8;
  if ((size_t)(end - at) < 2 + digits) return 0;
  uint32_t value = 0;
  for (size_t i = 0; i < digits; i++) {
    unsigned char c = (unsigned char)at[2 + i];
    if (c >= 128 || !(lexer_ascii[c] & LEX_HEX)) return 0;
    value = value << 4 | hex_value((char)c);
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0;
  *cp = value;
  return 2 + digits;
}

const char *
lexer_iri_end(const char *at, const char *end)
{
  for (at++; at < end; at++) {
    unsigned char c = (unsigned char)*at;
    if (c >= 128 || !(lexer_ascii[c] & LEX_NOT_IRI)) continue;
    if (c == '>') return at + 1;
    /* An escape may stand here; whether it is a good one is said when the value is taken. */
    if (c != '\\' || end - at < 2 || (at[1] != 'u' && at[1] != 'U')) return NULL;
  }
  return NULL;
}

const char *
lexer_string_end(const char *at, const char *end, size_t *quote)
{
  char q = *at;
  bool is_long = end - at >= 3 && at[1] == q && at[2] == q;
  const char *stop = NULL; /* the first quote from `at` on */
  *quote = is_long ? 3 : 1;
  at += *quote;
  for (;;) { /* by memchr: the text of a vector is long */
    if (!stop || stop < at) stop = memchr(at, q, (size_t)(end - at));
    if (!stop) return NULL;
    const char *escape = memchr(at, '\\', (size_t)(stop - at));
    size_t plain = (size_t)((escape ? escape : stop) - at);
    if (!is_long && (memchr(at, '\n', plain) || memchr(at, '\r', plain))) return NULL;
    if (escape) {
      at = escape + 2;
      continue;
    }
    if (!is_long) return stop + 1;
    if (end - stop >= 3 && stop[1] == q && stop[2] == q) return stop + 3;
    at = stop + 1;
  }
}
