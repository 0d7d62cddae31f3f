/* rdfio/guard_tokens.c - the tokens of Turtle and TriG as the guard follows them: enough to know
 * strings, IRIs, comments, names and brackets apart, and what serd would get wrong. */
#include "rdfio/guard.h"

#include "rdfio/chars.h"

#include <strings.h>

#include "base/poison.h"

static const char STRING_ESCAPES[] = "tbnrf\"'\\";

/* ---- tokens -----------------------------------------------------------------------------------
 */

/* A character that goes on a name after a full stop. */
static bool
is_name_char(char c)
{
  return (unsigned char)c >= 0x80 || c == ':' || c == '%' || c == '\\' ||
         rdfio_char_is(c, RDFIO_CHAR_NAME);
}

/* `<base>`, `<prefix>`, `<graph>` at in_at. */
static bool
is_keyword_iri(const rdfio_guard *g, size_t have)
{
  static const char *const WORDS[] = {"<base>", "<prefix>", "<graph>"};
  if (have < 6 || !strchr("bpg", g->in[g->in_at + 1] | 0x20)) return false;
  for (size_t i = 0; i < 3; i++) {
    size_t n = strlen(WORDS[i]);
    if (have >= n && strncasecmp(g->in + g->in_at, WORDS[i], n) == 0) return true;
  }
  return false;
}

/* An object or a statement ends at in_at. */
static void
note_end(rdfio_guard *g)
{
  g->ends[g->ends_made++ % RDFIO_GUARD_ENDS] = g->dropped + g->in_at;
}

/* The byte c in GUARD_PLAIN ends a run of full stops: is it one at the end of a statement? */
static bool
after_dots(rdfio_guard *g, bool name_follows)
{
  unsigned dots = g->dots;
  g->dots = 0;
  if (name_follows) return true;
  note_end(g);
  g->last = '.';
  g->in_name = false;
  if (dots > 1) {
    rdfio_guard_fault_said(g, QUOIN_ERR_SYNTAX, 1,
                           "found a second '.' in a row, expected the next statement");
    return false;
  }
  if (g->depth) {
    rdfio_guard_fault_said(g, QUOIN_ERR_SYNTAX, 1, "found '.' before the closing ']' or ')'");
    return false;
  }
  return true;
}

/* Does a statement begin here? */
static bool
at_statement(const rdfio_guard *g)
{
  return !g->last || g->last == '.' || g->last == '{' || g->last == '}';
}

static void
open_bracket(rdfio_guard *g, char c)
{
  if (g->depth == RDFIO_GUARD_DEPTH) {
    rdfio_guard_fault_said(g, QUOIN_ERR_LIMIT, 0, "brackets are nested deeper than 1000");
    return;
  }
  g->round[g->depth / 8] &= (uint8_t) ~(1u << g->depth % 8);
  g->round[g->depth / 8] |= (uint8_t)((c == '(') << g->depth % 8);
  note_end(g);
  g->anon_start = c == '[' && at_statement(g) && g->depth == 0;
  g->depth++;
  g->last = c;
  g->in_name = false;
  rdfio_guard_copy(g, 1);
}

static void
close_bracket(rdfio_guard *g, char c)
{
  if (!g->depth) {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "no closing bracket: none is open");
    return;
  }
  g->depth--;
  note_end(g);
  g->lone_anon = c == ']' && g->last == '[' && g->anon_start && !g->depth;
  g->last = c;
  g->in_name = false;
  rdfio_guard_copy(g, 1);
}

static void
brace(rdfio_guard *g, char c)
{
  if (!g->trig) {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "Turtle: graphs in braces are TriG");
    return;
  }
  if (g->depth || (c == '{') == (g->braces != 0)) {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0,
                      g->depth    ? "']' or ')'"
                      : g->braces ? "'}'"
                                  : "a statement");
    return;
  }
  note_end(g);
  g->braces = c == '{';
  g->last = c;
  g->in_name = false;
  rdfio_guard_copy(g, 1);
}

static void
open_string(rdfio_guard *g, char c, size_t have)
{
  const char *p = g->in + g->in_at;
  g->last = c;
  g->in_name = false;
  g->quote = c;
  if (have >= 3 && p[1] == c && p[2] == c) {
    g->state = GUARD_LONG;
    rdfio_guard_copy(g, 3);
  } else if (have >= 2 && p[1] == c) {
    g->after_string = true;
    rdfio_guard_copy(g, 2);
  } else {
    g->state = GUARD_SHORT;
    rdfio_guard_copy(g, 1);
  }
}

/* A blank after a string or ^^. serd takes none in front of ^^, a language tag and a datatype: they
 * are left out; so are those whose end is not in sight, and comments, as long as it takes. */
static void
step_odd_blank(rdfio_guard *g, size_t have)
{
  const char *p = g->in + g->in_at;
  size_t n = 0, max = have < RDFIO_GUARD_AHEAD ? have : RDFIO_GUARD_AHEAD;
  while (n < max && rdfio_guard_is_blank(p[n]))
    n++;
  if (g->holding || n == max || p[n] == '#') {
    g->holding = true;
    g->held += n;
    rdfio_guard_drop(g, n);
  } else if (g->hats == 2 || p[n] == '@' || p[n] == '^') {
    rdfio_guard_drop(g, n);
  } else {
    g->after_string = false;
    rdfio_guard_copy(g, n);
  }
}

static void
copy_blanks(rdfio_guard *g, size_t have)
{
  const char *p = g->in + g->in_at;
  size_t n = 0, max = have < RDFIO_GUARD_AHEAD ? have : RDFIO_GUARD_AHEAD;
  char *out = g->page + g->page_len;
  for (; n < max && rdfio_guard_is_blank(p[n]); n++)
    out[n] = p[n];
  g->page_len += n;
  g->in_at += n;
}

/* The byte at in_at, and the name that goes on after it if it begins or is in one. */
static void
copy_name(rdfio_guard *g, size_t have)
{
  const char *p = g->in + g->in_at;
  size_t n = 1, max = have < RDFIO_GUARD_AHEAD ? have : RDFIO_GUARD_AHEAD;
  char *out = g->page + g->page_len;
  out[0] = p[0];
  if (g->in_name) {
    for (; n < max && is_name_char(p[n]) && p[n] != '\\'; n++)
      out[n] = p[n];
    g->last = p[n - 1];
  }
  g->page_len += n;
  g->in_at += n;
}

/* What follows the blanks and comments left out: is one needed? Too many are not left out. */
static void
end_holding(rdfio_guard *g, bool needed)
{
  g->holding = false;
  g->held = 0;
  if (!needed) return;
  g->after_string = false;
  g->hats = 0;
  rdfio_guard_insert(g, " ");
}

/* Does the word at in_at, which begins with `length` bytes for a boolean, go on as a prefix? A '.'
 * may belong to it ("true.x:y") or end the statement. */
static bool
is_prefix_on(rdfio_guard *g, size_t have, size_t length)
{
  const char *p = g->in + g->in_at;
  size_t n = length;
  if (n < have && p[n] != '.') return is_name_char(p[n]);
  while (n < have && (p[n] == '.' || is_name_char(p[n])) && p[n] != ':')
    n++;
  if (n == have && have < RDFIO_GUARD_FAR && !g->in_ended && !g->in_bad) g->want = 2 * have;
  return n < have && p[n] == ':' && p[n - 1] != '.';
}

/* serd takes every word that begins like a boolean for one: such a prefix gets a '-' inside, and so
 * does one that looks as if it had. True when that was done, or more must be in sight first. */
static bool
step_boolean(rdfio_guard *g, size_t have)
{
  const char *p = g->in + g->in_at;
  bool t = have > 3 && p[0] == 't' && p[1] == 'r', f = have > 3 && p[0] == 'f' && p[1] == 'a';
  if (!t && !f) return false;
  if (p[2] != '-') {
    size_t n = t ? 4 : 5;
    if (have <= n || memcmp(p, t ? "true" : "false", n) || !is_prefix_on(g, have, n))
      return g->want != 0;
  }
  rdfio_guard_copy(g, 2);
  rdfio_guard_insert(g, "-");
  g->last = *p;
  g->in_name = true;
  return true;
}

static bool
is_word(const rdfio_guard *g, size_t have, const char *word)
{
  size_t n = strlen(word);
  const char *p = g->in + g->in_at;
  return have > n && strncasecmp(p, word, n) == 0 && !is_name_char(p[n]);
}

static void
step_at(rdfio_guard *g, size_t have)
{
  const char *p = g->in + g->in_at;
  size_t n = have > 7 && !memcmp(p, "@prefix", 7) ? 7 : have > 5 && !memcmp(p, "@base", 5) ? 5 : 0;
  bool tag = g->last == '"' || g->last == '\'';
  if (n && !tag && is_name_char(p[n]) && p[n] != ':') {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, n, "a blank after @prefix or @base");
    return;
  }
  g->last = '@';
  g->in_name = false;
  rdfio_guard_copy(g, 1);
}

static void
step_plain(rdfio_guard *g, size_t have)
{
  const char *p = g->in + g->in_at;
  char c = *p;
  if (c == '.') {
    if (g->lone_anon) {
      rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "a predicate");
      return;
    }
    g->dots++;
    rdfio_guard_copy(g, 1);
    return;
  }
  if (g->dots && !after_dots(g, is_name_char(c))) return;
  if (rdfio_guard_is_blank(c)) {
    g->in_name = false;
    if (g->after_string || g->hats == 2)
      step_odd_blank(g, have);
    else
      copy_blanks(g, have);
    if (g->held > RDFIO_GUARD_FAR) end_holding(g, true);
    return;
  }
  if (c == '#') {
    g->in_name = false;
    g->holding = g->after_string || g->hats == 2;
    g->state = GUARD_COMMENT;
    return;
  }
  if (g->holding) end_holding(g, g->hats != 2 && c != '^' && c != '@');
  g->after_string = false;
  g->hats = c == '^' ? g->hats + 1 : 0;
  if (g->lone_anon && c == '}') {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "a predicate");
    return;
  }
  g->lone_anon = false;
  switch (c) {
  case '<':
    g->last = c;
    g->in_name = false;
    g->state = GUARD_IRI;
    bool keyword = is_keyword_iri(g, have);
    rdfio_guard_copy(g, 1);
    if (keyword) rdfio_guard_insert(g, "./");
    return;
  case '"':
  case '\'':
    open_string(g, c, have);
    return;
  case '[':
  case '(':
    open_bracket(g, c);
    return;
  case ']':
  case ')':
    close_bracket(g, c);
    return;
  case '{':
  case '}':
    brace(g, c);
    return;
  case '=':
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "Turtle: '=' belongs to Notation3");
    return;
  case '\0':
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "a token");
    return;
  case '\\':
    g->last = c;
    g->in_name = true;
    rdfio_guard_copy(g, have >= 2 && (unsigned char)p[1] < 0x80 ? 2 : 1);
    return;
  case '@':
    step_at(g, have);
    return;
  case ',':
  case ';':
    note_end(g);
    g->last = c;
    g->in_name = false;
    rdfio_guard_copy(g, 1);
    return;
  case 't':
  case 'f':
    if (!g->in_name && g->last != '@' && step_boolean(g, have)) return;
    g->last = c;
    g->in_name = true;
    copy_name(g, have);
    return;
  case '_':
    if (!g->in_name && have >= 2 && p[1] == ':') {
      rdfio_guard_copy(g, 2);
      rdfio_guard_insert(g, "x");
    } else {
      rdfio_guard_copy(g, 1);
    }
    g->last = c;
    g->in_name = true;
    return;
  default:
    if (!g->in_name && at_statement(g) && (is_word(g, have, "prefix") || is_word(g, have, "base")))
      g->directive = true;
    g->last = c;
    g->in_name = is_name_char(c);
    copy_name(g, have);
  }
}

/* Copy the bytes that mean nothing special in a string or IRI. */
static void
copy_run(rdfio_guard *g, bool iri)
{
  const char *p = g->in + g->in_at;
  size_t room = RDFIO_GUARD_PAGE > g->page_len ? RDFIO_GUARD_PAGE - g->page_len : 0;
  size_t max = g->in_valid - g->in_at < room ? g->in_valid - g->in_at : room, n = 0;
  if (iri) {
    while (n < max && !rdfio_char_is(p[n], RDFIO_CHAR_IRI_BAD))
      n++;
  } else {
    while (n < max && p[n] != g->quote && p[n] != '\\' && p[n] != '\n' && p[n] != '\r')
      n++;
  }
  rdfio_guard_copy(g, n);
}

static void
step_escape(rdfio_guard *g, size_t have, bool iri)
{
  const char *p = g->in + g->in_at, *why = NULL;
  uint32_t cp = 0;
  if (have >= 2 && !iri && p[1] && strchr(STRING_ESCAPES, p[1])) {
    rdfio_guard_copy(g, 2);
    return;
  }
  if (have < 2 || (p[1] != 'u' && p[1] != 'U')) {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 1,
                      iri ? "\\u or \\U in an IRI" : "one of t b n r f \" ' \\ u U after '\\'");
    return;
  }
  size_t used = rdfio_uchar_decode(&cp, &why, p, have);
  if (!used) {
    rdfio_guard_fault_said(g, QUOIN_ERR_SYNTAX, 0, why);
    return;
  }
  if (iri && cp < 0x80 && rdfio_char_is((char)cp, RDFIO_CHAR_IRI_BAD)) {
    rdfio_guard_fault_said(g, QUOIN_ERR_SYNTAX, 0,
                           "the escape names a character that an IRI may not hold");
    return;
  }
  rdfio_guard_copy(g, used);
}

static void
step_iri(rdfio_guard *g, size_t have)
{
  copy_run(g, true);
  if (g->in_at == g->in_valid || g->page_len >= RDFIO_GUARD_PAGE) return;
  char c = g->in[g->in_at];
  have = g->in_valid - g->in_at;
  if (c == '>') {
    g->state = GUARD_PLAIN;
    g->last = g->directive ? '.' : c; /* a directive without '@' ends here */
    g->directive = false;
    rdfio_guard_copy(g, 1);
  } else if (c == '\\' && (have >= RDFIO_GUARD_AHEAD || g->in_ended || g->in_bad)) {
    step_escape(g, have, true);
  } else if (c != '\\') {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "a character of an IRI or '>'");
  }
}

static void
step_string(rdfio_guard *g)
{
  copy_run(g, false);
  if (g->in_at == g->in_valid || g->page_len >= RDFIO_GUARD_PAGE) return;
  const char *p = g->in + g->in_at;
  size_t have = g->in_valid - g->in_at;
  if (have < RDFIO_GUARD_AHEAD && !g->in_ended && !g->in_bad) return; /* more is read first */
  if (*p == '\\') {
    step_escape(g, have, false);
  } else if (*p == '\n' || *p == '\r') {
    if (g->state == GUARD_SHORT)
      rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "a quote at the end of the string");
    else
      rdfio_guard_copy(g, 1);
  } else if (g->state == GUARD_SHORT || (have >= 3 && p[1] == g->quote && p[2] == g->quote)) {
    rdfio_guard_copy(g, g->state == GUARD_SHORT ? 1 : 3);
    g->state = GUARD_PLAIN;
    g->after_string = true;
  } else {
    rdfio_guard_copy(g, 1);
  }
}

static void
step_comment(rdfio_guard *g)
{
  size_t rest = g->in_valid - g->in_at, n = 0;
  size_t room = RDFIO_GUARD_PAGE > g->page_len ? RDFIO_GUARD_PAGE - g->page_len : 0;
  size_t max = rest < room ? rest : room;
  const char *p = g->in + g->in_at;
  while (n < max && p[n] != '\n' && p[n] != '\r')
    n++;
  if (n < max) g->state = GUARD_PLAIN;
  if (g->holding) {
    g->held += n;
    rdfio_guard_drop(g, n);
    if (g->held > RDFIO_GUARD_FAR) end_holding(g, true);
    return;
  }
  memset(g->page + g->page_len, ' ', n);
  g->page_len += n;
  g->in_at += n;
}

void
rdfio_guard_at_end(rdfio_guard *g)
{
  if (g->in_bad) {
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "UTF-8");
    return;
  }
  switch (g->state) {
  case GUARD_PLAIN:
  case GUARD_COMMENT:
    if (g->dots) (void)after_dots(g, false);
    break;
  case GUARD_IRI:
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "'>' at the end of the IRI");
    break;
  case GUARD_SHORT:
  case GUARD_LONG:
    rdfio_guard_fault(g, QUOIN_ERR_SYNTAX, 0, "a quote at the end of the string");
    break;
  }
}

void
rdfio_guard_step(rdfio_guard *g, size_t have)
{
  switch (g->state) {
  case GUARD_PLAIN:
    step_plain(g, have);
    break;
  case GUARD_COMMENT:
    step_comment(g);
    break;
  case GUARD_IRI:
    step_iri(g, have);
    break;
  case GUARD_SHORT:
  case GUARD_LONG:
    step_string(g);
    break;
  }
}
