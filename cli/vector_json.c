/* A line of JSON that holds a term and a vector, read in place. */
#include "cli/vector_rows.h"

#include <string.h>

static int
hex_digit(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits at `at`; false when they are none. */
static bool
hex4(unsigned *out, const char *at)
{
  *out = 0;
  for (int i = 0; i < 4; i++) {
    const int digit = hex_digit(at[i]); /* the byte behind the text is no digit */
    if (digit < 0) return false;
    *out = *out << 4 | (unsigned)digit;
  }
  return true;
}

static char *
put_utf8(char *to, unsigned code)
{
  if (code < 0x80) {
    *to++ = (char)code;
  } else if (code < 0x800) {
    *to++ = (char)(0xC0 | code >> 6);
    *to++ = (char)(0x80 | (code & 63));
  } else if (code < 0x10000) {
    *to++ = (char)(0xE0 | code >> 12);
    *to++ = (char)(0x80 | (code >> 6 & 63));
    *to++ = (char)(0x80 | (code & 63));
  } else {
    *to++ = (char)(0xF0 | code >> 18);
    *to++ = (char)(0x80 | (code >> 12 & 63));
    *to++ = (char)(0x80 | (code >> 6 & 63));
    *to++ = (char)(0x80 | (code & 63));
  }
  return to;
}

/* The escape at *from (its backslash) to *to, which is never more than was read. */
static bool
read_escape(char **from, char **to)
{
  static const char escapes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
  char *at = *from + 1;
  unsigned code, low;
  const char *which = *at ? strchr(escapes, *at) : NULL;

  if (which) {
    *(*to)++ = means[which - escapes];
    *from = at + 1;
    return true;
  }
  if (*at != 'u' || !hex4(&code, at + 1)) return false;
  at += 5;
  if (code >= 0xD800 && code < 0xDC00) {
    if (at[0] != '\\' || at[1] != 'u' || !hex4(&low, at + 2) || low < 0xDC00 || low > 0xDFFF)
      return false;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    at += 6;
  } else if ((code >= 0xDC00 && code < 0xE000) || !code) {
    return false;
  }
  *to = put_utf8(*to, code);
  *from = at;
  return true;
}

/* The string that begins at *at (behind its quote), unescaped in place; NULL: it has no end. */
static char *
read_string(char **at, size_t *len)
{
  char *from = *at, *to = from, *text = from;
  while (*from && *from != '"')
    if (*from != '\\')
      *to++ = *from++;
    else if (!read_escape(&from, &to))
      return NULL;
  if (*from != '"') return NULL;
  *at = from + 1;
  *len = (size_t)(to - text);
  return text;
}

static bool
is_key(const char *key, size_t len, const char *a, const char *b)
{
  return (strlen(a) == len && memcmp(key, a, len) == 0) ||
         (strlen(b) == len && memcmp(key, b, len) == 0);
}

/* Behind a value that is not wanted; NULL when it has no end. */
static char *
skip_value(char *at)
{
  size_t depth = 0, len;
  do {
    if (!*at) return NULL;
    if (*at == '"') {
      at++;
      if (!read_string(&at, &len)) return NULL;
      continue;
    }
    if (*at == '[' || *at == '{') depth++;
    if (*at == ']' || *at == '}') {
      if (!depth) return NULL;
      depth--;
    }
    at++;
  } while (depth || !*at || !strchr(",}", *at));
  return at;
}

const char *
vector_json_row(char *line, const char **term, size_t *term_len, float *values, size_t cap,
                size_t *n)
{
  static const char expected[] = "expected a JSON object";
  char *at = line + strspn(line, " \t"), *numbers = NULL;
  size_t numbers_len = 0, len;

  *term = NULL;
  if (*at++ != '{') return expected;
  while (*(at += strspn(at, " \t,")) != '}') {
    if (*at++ != '"') return expected;
    const char *key = read_string(&at, &len);
    if (!key || *(at += strspn(at, " \t")) != ':') return expected;
    at += 1 + strspn(at + 1, " \t");
    if (is_key(key, len, "term", "id") && *at == '"') {
      at++;
      if (!(*term = read_string(&at, term_len))) return "expected the end of a string";
    } else if (is_key(key, len, "vector", "embedding") && *at == '[') {
      numbers = at;
      at += strcspn(at, "]");
      if (!*at++) return "expected the end of an array";
      numbers_len = (size_t)(at - numbers);
    } else if (!(at = skip_value(at))) {
      return expected;
    }
  }
  if (at[1 + strspn(at + 1, " \t")]) return "expected the end of the line behind a JSON object";
  if (!*term || !numbers) return "expected \"term\" and \"vector\"";
  *n = vector_numbers(values, cap, numbers, numbers_len);
  return NULL;
}
