/* sparql/expr/regex_translate.c - what XPath writes differently from PCRE2.
 *
 * \i \c \I \C (name characters of XML) become classes; [A-[B]] becomes (?:(?![B])[A]); flag x takes
 * white space away outside classes; \p{IsBlock} is written out for the common blocks. The rest is
 * passed through. */
#include "sparql/expr/regex_translate.h"

#include "base/poison.h"

#define NAME_START                                                                                 \
  "_:A-Za-z\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\x{2FF}\\x{370}-\\x{37D}\\x{37F}-\\x{1FFF}\\x{200C}-"      \
  "\\x{200D}\\x{2070}-\\x{218F}\\x{2C00}-\\x{2FEF}\\x{3001}-\\x{D7FF}\\x{F900}-\\x{FDCF}\\x{FDF0}" \
  "-"                                                                                              \
  "\\x{FFFD}\\x{10000}-\\x{EFFFF}"
#define NAME_CHAR NAME_START "\\-.0-9\\xB7\\x{300}-\\x{36F}\\x{203F}-\\x{2040}"

static const struct block {
  const char *name, *range;
} blocks[] = {
    {"BasicLatin", "\\x00-\\x7F"},
    {"Latin-1Supplement", "\\x{80}-\\x{FF}"},
    {"LatinExtended-A", "\\x{100}-\\x{17F}"},
    {"LatinExtended-B", "\\x{180}-\\x{24F}"},
    {"IPAExtensions", "\\x{250}-\\x{2AF}"},
    {"SpacingModifierLetters", "\\x{2B0}-\\x{2FF}"},
    {"CombiningDiacriticalMarks", "\\x{300}-\\x{36F}"},
    {"Greek", "\\x{370}-\\x{3FF}"},
    {"GreekandCoptic", "\\x{370}-\\x{3FF}"},
    {"Cyrillic", "\\x{400}-\\x{4FF}"},
    {"Armenian", "\\x{530}-\\x{58F}"},
    {"Hebrew", "\\x{590}-\\x{5FF}"},
    {"Arabic", "\\x{600}-\\x{6FF}"},
    {"Devanagari", "\\x{900}-\\x{97F}"},
    {"Thai", "\\x{E00}-\\x{E7F}"},
    {"HangulJamo", "\\x{1100}-\\x{11FF}"},
    {"LatinExtendedAdditional", "\\x{1E00}-\\x{1EFF}"},
    {"GreekExtended", "\\x{1F00}-\\x{1FFF}"},
    {"GeneralPunctuation", "\\x{2000}-\\x{206F}"},
    {"CurrencySymbols", "\\x{20A0}-\\x{20CF}"},
    {"Arrows", "\\x{2190}-\\x{21FF}"},
    {"MathematicalOperators", "\\x{2200}-\\x{22FF}"},
    {"BoxDrawing", "\\x{2500}-\\x{257F}"},
    {"CJKSymbolsandPunctuation", "\\x{3000}-\\x{303F}"},
    {"Hiragana", "\\x{3040}-\\x{309F}"},
    {"Katakana", "\\x{30A0}-\\x{30FF}"},
    {"CJKUnifiedIdeographs", "\\x{4E00}-\\x{9FFF}"},
    {"HangulSyllables", "\\x{AC00}-\\x{D7A3}"},
};

typedef struct translation {
  base_buffer *out;
  const char *at, *end;
  bool unicode, extended;
} translation;

bool
regex_flags_read(regex_flags *out, quoin_span flags)
{
  *out = (regex_flags){0};
  for (size_t i = 0; i < flags.len; i++) {
    switch (flags.ptr[i]) {
    case 's':
      out->dot_all = true;
      break;
    case 'm':
      out->multiline = true;
      break;
    case 'i':
      out->ignore_case = true;
      break;
    case 'x':
      out->extended = true;
      break;
    case 'q':
      out->quote = true;
      break;
    default:
      return false;
    }
  }
  return true;
}

static void
put_set(translation *t, const char *members, bool negated, bool in_class)
{
  /* a negated set inside a class has no simple form: callers do not ask for it */
  if (!in_class) base_buffer_text(t->out, negated ? "[^" : "[");
  base_buffer_text(t->out, members);
  if (!in_class) base_buffer_text(t->out, "]");
}

/* \p{IsName} or \P{IsName}, `at` behind the p. 1: done, 0: not a block, -1: an unknown block. */
static int
put_block(translation *t, bool negated, bool in_class)
{
  quoin_span rest = {t->at, (size_t)(t->end - t->at)};
  if (rest.len < 4 || memcmp(rest.ptr, "{Is", 3) != 0) return 0;
  const char *close = memchr(rest.ptr, '}', rest.len);
  if (!close || (negated && in_class)) return -1;
  quoin_span name = {rest.ptr + 3, (size_t)(close - rest.ptr) - 3};
  for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
    if (!base_span_is(name, blocks[i].name)) continue;
    put_set(t, blocks[i].range, negated, in_class);
    t->at = close + 1;
    return 1;
  }
  return -1;
}

/* A backslash and what follows it. */
static bool
escape(translation *t, bool in_class)
{
  if (t->end - t->at < 2) return false;
  char c = t->at[1];
  t->at += 2;
  if (c == 'i' || c == 'c') {
    put_set(t, c == 'i' ? NAME_START : NAME_CHAR, false, in_class);
    return true;
  }
  if (c == 'I' || c == 'C') {
    if (in_class) return false;
    put_set(t, c == 'I' ? NAME_START : NAME_CHAR, true, false);
    return true;
  }
  if (c == 'p' || c == 'P') {
    int block = put_block(t, c == 'P', in_class);
    if (block) return block > 0;
  }
  if (strchr("dDwWsSbB", c) && c) t->unicode = true;
  base_buffer_byte(t->out, '\\');
  base_buffer_byte(t->out, c);
  return true;
}

/* The members of a class after its "[" or "[^", up to "]" or "-[". False: no end. */
static bool
class_members(translation *t, bool *subtracts)
{
  *subtracts = false;
  for (bool first = true; t->at < t->end; first = false) {
    char c = *t->at;
    if (c == ']' && !first) return true;
    if (c == '-' && t->end - t->at > 1 && t->at[1] == '[' && !first) {
      *subtracts = true;
      t->at++;
      return true;
    }
    if (c == '\\') {
      if (!escape(t, true)) return false;
      continue;
    }
    if (c == '[' && !(t->end - t->at > 1 && t->at[1] == ':')) base_buffer_byte(t->out, '\\');
    base_buffer_byte(t->out, c);
    t->at++;
  }
  return false;
}

/* A class from its "[" on. The subtracted one is translated first, as a look-ahead. */
static bool
class_expression(translation *t, unsigned depth)
{
  base_buffer members, *out = t->out;
  bool subtracts = false, good;
  if (depth > 50) return false;
  base_buffer_init(&members, out->mem);
  t->out = &members;
  t->at++;
  base_buffer_byte(&members, '[');
  if (t->at < t->end && *t->at == '^') {
    base_buffer_byte(&members, '^');
    t->at++;
  }
  good = class_members(t, &subtracts);
  base_buffer_byte(&members, ']');
  t->out = out;
  if (good && subtracts) {
    base_buffer_text(out, "(?:(?!");
    good = class_expression(t, depth + 1);
    base_buffer_text(out, ")");
  }
  base_buffer_span(out, (quoin_span){members.data, members.len});
  if (good && subtracts) base_buffer_text(out, ")");
  if (members.failed) out->failed = true;
  base_buffer_clear(&members);
  good = good && t->at < t->end && *t->at == ']';
  if (good) t->at++;
  return good;
}

bool
regex_translate(base_buffer *out, bool *unicode, quoin_span pattern, bool extended)
{
  translation t = {
      .out = out, .at = pattern.ptr, .end = pattern.ptr + pattern.len, .extended = extended};
  bool good = true;
  while (good && t.at < t.end) {
    char c = *t.at;
    if (c == '\\') {
      good = escape(&t, false);
    } else if (c == '[') {
      good = class_expression(&t, 0);
    } else {
      bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
      if (!extended || !blank) base_buffer_byte(out, c);
      t.at++;
    }
  }
  *unicode = t.unicode;
  return good;
}
