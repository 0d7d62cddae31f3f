/* sparql/expr/functions_case.c - UCASE and LCASE by the default case conversion of Unicode.
 *
 * utf8proc has the mappings of one character to one; case_table.h those to several; the final sigma
 * is the one mapping that looks around (Unicode 3.13). Sole user of utf8proc. */
#include "sparql/expr/case_table.h"
#include "sparql/expr/expr_eval.h"

#include <assert.h>
#include <utf8proc.h>

#include "base/poison.h"

enum { CAPITAL_I_DOT = 0x130, SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2, DOT_ABOVE = 0x307 };

static const struct case_special *
special_upper(uint32_t cp)
{
  size_t low = 0, high = sizeof(case_upper) / sizeof(case_upper[0]);
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (case_upper[middle].from == cp) return &case_upper[middle];
    if (case_upper[middle].from < cp)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

static bool
is_cased(uint32_t cp)
{
  utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
  return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT;
}

static bool
is_case_ignorable(uint32_t cp)
{
  utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
  return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_ME || c == UTF8PROC_CATEGORY_CF ||
         c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_SK || cp == '\'' || cp == '.' ||
         cp == ':' || cp == 0xB7 || cp == 0x387 || cp == 0x2018 || cp == 0x2019 || cp == 0x2024 ||
         cp == 0x2027;
}

/* A cased letter before the sigma at `at` and none behind it, case-ignorable ones passed over. */
static bool
is_final_sigma(quoin_span text, size_t at)
{
  uint32_t cp = 0;
  size_t i = at;
  bool before = false;
  while (i && !before) {
    do
      i--;
    while (i && ((unsigned char)text.ptr[i] & 0xC0) == 0x80);
    if (!base_utf8_decode(&cp, text.ptr + i, text.len - i)) return false;
    before = is_cased(cp);
    if (!before && !is_case_ignorable(cp)) return false;
  }
  if (!before) return false;
  for (i = at + 2; i < text.len;) {
    size_t n = base_utf8_decode(&cp, text.ptr + i, text.len - i);
    if (!n) return true;
    if (is_cased(cp)) return false;
    if (!is_case_ignorable(cp)) return true;
    i += n;
  }
  return true;
}

/* Appends the mapping of `cp`: at most 3 characters of at most 4 bytes. */
static char *
put_mapped(char *out, uint32_t cp, bool upper, quoin_span text, size_t at)
{
  char bytes[4];
  uint32_t to[3] = {0};
  const struct case_special *special = upper ? special_upper(cp) : NULL;
  if (special) {
    for (int i = 0; i < 3; i++)
      to[i] = special->to[i];
  } else if (upper) {
    to[0] = (uint32_t)utf8proc_toupper((utf8proc_int32_t)cp);
  } else if (cp == CAPITAL_I_DOT) {
    to[0] = 'i', to[1] = DOT_ABOVE;
  } else if (cp == SIGMA && is_final_sigma(text, at)) {
    to[0] = FINAL_SIGMA;
  } else {
    to[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
  }
  for (int i = 0; i < 3 && (i == 0 || to[i]); i++) {
    size_t n = base_utf8_encode(bytes, to[i]);
    memcpy(out, bytes, n);
    out += n;
  }
  return out;
}

/* Bytes of the result at most: 12 of 2 in the worst case. */
static quoin_status
map_text(quoin_span *out, quoin_span text, bool upper, sparql_eval *ev, quoin_error *err)
{
  size_t other = 0, most = SIZE_MAX;
  char *mapped;
  for (size_t i = 0; i < text.len; i++)
    other += (unsigned char)text.ptr[i] >= 0x80;
  if (base_mul_size(&most, other, 6)) (void)base_add_size(&most, most, text.len - other + 16);
  quoin_status st = expr_text_new(&mapped, ev, most, err);
  if (st) return st;
  char *to = mapped;
  for (size_t i = 0; i < text.len;) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x80) {
      if (upper)
        *to++ = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
      else
        *to++ = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
      i++;
      continue;
    }
    uint32_t cp;
    size_t n = base_utf8_decode(&cp, text.ptr + i, text.len - i);
    if (!n) { /* not UTF-8: as it is */
      *to++ = (char)c;
      i++;
      continue;
    }
    to = put_mapped(to, cp, upper, text, i);
    i += n;
  }
  *out = (quoin_span){mapped, (size_t)(to - mapped)};
  return QUOIN_OK;
}

quoin_status
fn_case(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
        quoin_error *err)
{
  if (!fn_is_string(&args[0])) return QUOIN_OK;
  quoin_span text = {NULL, 0};
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (!st) st = map_text(&text, args[0].term.value, e->builtin == FN_UCASE, ev, err);
  if (!st) value_set_lang(out, text, args[0].term.lang);
  return st;
}
