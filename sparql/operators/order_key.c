/* sparql/operators/order_key.c - the one total order of all terms (SPARQL 1.1 section 15.1,
 * DESIGN.md 4).
 *
 * Classes in the order of key_class. Within one: numbers by exact value, NaN first; times by
 * instant with no zone read as Z; durations by seconds and months; strings by bytes; language
 * strings by language, then bytes; the rest by datatype, then bytes. Values that are equal but not
 * the same term follow by kind and text.
 *
 * `number` holds the leading part as a double: of a number the nearest double, of a time its
 * seconds, of text the first six bytes. `text` decides ties: the exact value and the form of an
 * interned number or time, all of a text. Inline ids have the exact value in themselves, so their
 * keys cost no text, and they stand before interned terms of the same value. */
#include "sparql/operators/order_key.h"

#include "sparql/expr/value.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/poison.h"

typedef enum key_class {
  KEY_UNBOUND,
  KEY_BLANK,
  KEY_IRI,
  KEY_NUMBER,
  KEY_BOOLEAN,
  KEY_TIME,
  KEY_DURATION,
  KEY_STRING,
  KEY_LANG,
  KEY_OTHER
} key_class;

/* Of `minor` for numbers. */
enum { MINOR_NAN = 0, MINOR_NUMBER = 1 };

#define ATTO INT64_C(1000000000000000000)

/* The first six bytes as a whole number: exact in a double, in the order of the bytes. */
static double
prefix_of(quoin_span text)
{
  uint64_t prefix = 0;
  for (size_t i = 0; i < 6; i++)
    prefix = prefix << 8 | (i < text.len ? (unsigned char)text.ptr[i] : 0);
  return (double)prefix;
}

/* a \0 b \0 c: a text that sorts as the three do one after another. */
static quoin_status
join(quoin_span *out, quoin_span a, quoin_span b, quoin_span c, base_arena *arena, quoin_error *err)
{
  size_t len = a.len + b.len + c.len + 2;
  char *text = base_arena_bytes(arena, len);
  if (!text) return base_fail_nomem(err);
  char *at = text;
  const quoin_span parts[3] = {a, b, c};
  for (int i = 0; i < 3; i++) {
    if (i) *at++ = '\0';
    if (parts[i].len) memcpy(at, parts[i].ptr, parts[i].len);
    at += parts[i].len;
  }
  *out = (quoin_span){text, len};
  return QUOIN_OK;
}

/* ---- numbers ---- */

/* Text of an interned number: its kind, so that the comparison can read it again; then what orders
 * equal values. Inline ids hold all of it themselves. */
static quoin_status
number_key(sparql_sort_key *key, const sparql_value *v, atom_id id, base_arena *arena,
           quoin_error *err)
{
  key->major = KEY_NUMBER;
  key->minor = MINOR_NUMBER;
  key->number = value_to_double(v);
  if (isnan(key->number)) {
    key->minor = MINOR_NAN;
    key->number = 0;
  }
  if (isinf(key->number) && v->kind <= VALUE_DECIMAL) /* beyond the doubles, before infinity */
    key->number = key->number > 0 ? DBL_MAX : -DBL_MAX;
  if (atom_id_is_inline(id)) return QUOIN_OK;
  const rdf_term *term = &v->term;
  size_t len = term->datatype.len + term->value.len + 2;
  char *text = base_arena_bytes(arena, len);
  if (!text) return base_fail_nomem(err);
  text[0] = (char)v->kind;
  memcpy(text + 1, term->datatype.ptr, term->datatype.len);
  text[1 + term->datatype.len] = '\0';
  memcpy(text + 2 + term->datatype.len, term->value.ptr, term->value.len);
  key->text = (quoin_span){text, len};
  return QUOIN_OK;
}

static value_kind
number_kind(const sparql_sort_key *key)
{
  if (key->text.len) return (value_kind)key->text.ptr[0];
  switch ((int)atom_id_kind(key->id)) {
  case ATOM_INTEGER:
    return VALUE_INTEGER;
  case ATOM_DECIMAL:
    return VALUE_DECIMAL;
  case ATOM_FLOAT:
    return VALUE_FLOAT;
  default:
    return VALUE_DOUBLE;
  }
}

/* The exact value of a key whose kind is VALUE_INTEGER or VALUE_DECIMAL. */
static quoin_status
exact_value(sparql_number *out, const sparql_sort_key *key, base_arena *arena)
{
  if (!key->text.len) {
    int64_t unscaled;
    int scale = 0;
    if (atom_id_kind(key->id) == ATOM_INTEGER)
      unscaled = atom_inline_get_integer(key->id);
    else
      atom_inline_get_decimal(&unscaled, &scale, key->id);
    *out = (sparql_number){.small = unscaled, .scale = (uint32_t)scale};
    return QUOIN_OK;
  }
  const char *end = key->text.ptr + key->text.len;
  const char *form = memchr(key->text.ptr + 1, '\0', key->text.len - 1);
  assert(form);
  form++;
  return number_parse_decimal(out, (quoin_span){form, (size_t)(end - form)}, arena, NULL);
}

/* Both have the same nearest double: seldom, but for equal terms and inline ids of one kind. */
static int
number_tie(const sparql_sort_key *a, const sparql_sort_key *b)
{
  value_kind ka = number_kind(a), kb = number_kind(b);
  bool exact_a = ka <= VALUE_DECIMAL, exact_b = kb <= VALUE_DECIMAL;
  int c = 0;
  if (!a->text.len && !b->text.len && ka == kb)
    return (a->id.bits > b->id.bits) - (a->id.bits < b->id.bits);
  if (a->minor == MINOR_NUMBER && (exact_a || exact_b)) {
    base_arena arena; /* for numbers beyond 128 bits */
    sparql_number x, y;
    base_arena_init(&arena, base_alloc_default());
    quoin_status st = exact_a ? exact_value(&x, a, &arena) : QUOIN_OK;
    if (!st && exact_b) st = exact_value(&y, b, &arena);
    if (!st)
      c = !exact_b   ? number_compare_double(&x, b->number)
          : !exact_a ? -number_compare_double(&y, a->number)
                     : number_compare(&x, &y);
    base_arena_clear(&arena);
  }
  if (c) return c;
  if (ka != kb) return ka < kb ? -1 : 1;
  return base_span_compare(a->text, b->text); /* an inline id, without text, comes first */
}

/* ---- times ---- */

static quoin_status
counted_key(sparql_sort_key *key, number_wide at, const sparql_value *v, atom_id id,
            base_arena *arena, quoin_error *err)
{
  static const char whole[8] = {0};
  int64_t seconds = (int64_t)(at / ATTO) - (at % ATTO < 0);
  uint64_t rest = (uint64_t)(at - (number_wide)seconds * ATTO);
  key->number = (double)seconds; /* below 2^62: neighbours beyond 2^53 differ in the text */
  int64_t low = seconds - (int64_t)key->number;
  bool is_inline = atom_id_is_inline(id);
  if (rest == 0 && low == 0 && is_inline) {
    key->text = (quoin_span){whole, 8};
    return QUOIN_OK;
  }
  size_t tail = is_inline ? 0 : v->term.datatype.len + v->term.value.len + 2;
  char *text = base_arena_bytes(arena, 16 + tail);
  if (!text) return base_fail_nomem(err);
  size_t n = 0;
  if (seconds > (INT64_C(1) << 53) || seconds < -(INT64_C(1) << 53))
    for (int shift = 56; shift >= 0; shift -= 8)
      text[n++] = (char)(((uint64_t)low ^ (UINT64_C(1) << 63)) >> shift);
  for (int shift = 56; shift >= 0; shift -= 8)
    text[n++] = (char)(rest >> shift);
  if (!is_inline) {
    text[n++] = '\0';
    memcpy(text + n, v->term.datatype.ptr, v->term.datatype.len);
    n += v->term.datatype.len;
    text[n++] = '\0';
    memcpy(text + n, v->term.value.ptr, v->term.value.len);
    n += v->term.value.len;
  }
  key->text = (quoin_span){text, n};
  return QUOIN_OK;
}

static quoin_status
duration_key(sparql_sort_key *key, const sparql_value *v, atom_id id, base_arena *arena,
             quoin_error *err)
{
  /* a month is taken as 30.436875 days, 400 years of the calendar divided by 4800 */
  number_wide at = v->length.seconds + (number_wide)v->length.months * 2629746 * ATTO;
  key->major = KEY_DURATION;
  return counted_key(key, at, v, id, arena, err);
}

/* ---- text ---- */

static quoin_status
lang_key(sparql_sort_key *key, const rdf_term *term, base_arena *arena, quoin_error *err)
{
  char *lower = base_arena_bytes(arena, term->lang.len);
  if (!lower) return base_fail_nomem(err);
  for (size_t i = 0; i < term->lang.len; i++) {
    char c = term->lang.ptr[i];
    lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  key->major = KEY_LANG;
  quoin_status st =
      join(&key->text, (quoin_span){lower, term->lang.len}, term->value, term->lang, arena, err);
  key->number = prefix_of(key->text);
  return st;
}

static quoin_status
text_key(sparql_sort_key *key, key_class major, quoin_span text)
{
  key->major = major;
  key->text = text;
  key->number = prefix_of(text);
  return QUOIN_OK;
}

quoin_status
sparql_sort_key_make(sparql_sort_key *out, sparql_context *ctx, atom_id id, base_arena *arena,
                     quoin_error *err)
{
  sparql_value v;
  *out = (sparql_sort_key){.id = id};
  quoin_status st = value_of_id(&v, ctx, id, arena, err);
  if (st || v.kind == VALUE_ERROR) return st; /* KEY_UNBOUND is 0 */
  if (v.kind == VALUE_BLANK) {
    out->major = KEY_BLANK;
    return QUOIN_OK;
  }
  if (!v.has_term && !atom_id_is_inline(id) && (st = value_text(&v, ctx, arena, err))) return st;
  switch (v.kind) {
  case VALUE_IRI:
    return text_key(out, KEY_IRI, v.term.value);
  case VALUE_STRING:
    return text_key(out, KEY_STRING, v.term.value);
  case VALUE_LANG:
    return lang_key(out, &v.term, arena, err);
  case VALUE_BOOLEAN:
    out->major = KEY_BOOLEAN;
    out->number = v.boolean;
    if (v.has_term) out->text = v.term.value;
    return QUOIN_OK;
  case VALUE_INTEGER:
  case VALUE_DECIMAL:
  case VALUE_FLOAT:
  case VALUE_DOUBLE:
    return number_key(out, &v, id, arena, err);
  case VALUE_DATETIME:
    out->major = KEY_TIME;
    out->minor = v.time.type;
    return counted_key(out, v.time.at, &v, id, arena, err);
  case VALUE_DURATION:
    return duration_key(out, &v, id, arena, err);
  case VALUE_OTHER:
    out->major = KEY_OTHER;
    st = join(&out->text, v.term.datatype, v.term.value, v.term.lang, arena, err);
    out->number = prefix_of(out->text);
    return st;
  case VALUE_ERROR:
  case VALUE_BLANK:
    break;
  }
  return QUOIN_OK;
}

int
sparql_sort_key_compare(const sparql_sort_key *a, const sparql_sort_key *b)
{
  if (a->major != b->major) return a->major < b->major ? -1 : 1;
  if (a->minor != b->minor) return a->minor < b->minor ? -1 : 1;
  if (a->number < b->number) return -1;
  if (a->number > b->number) return 1;
  if (atom_id_equal(a->id, b->id)) return 0;
  int c = a->major == KEY_NUMBER ? number_tie(a, b) : base_span_compare(a->text, b->text);
  if (c) return c < 0 ? -1 : 1;
  return (a->id.bits > b->id.bits) - (a->id.bits < b->id.bits);
}

bool
order_key_inline(int *order, atom_id a, atom_id b)
{
  atom_kind kind = atom_id_kind(a);
  if (kind != atom_id_kind(b)) return false;
  /* of these the order of the ids is that of the keys */
  if (kind != ATOM_INTEGER && kind != ATOM_DATETIMEZ && kind != ATOM_DATETIME && kind != ATOM_DATE)
    return false;
  *order = (a.bits > b.bits) - (a.bits < b.bits);
  return true;
}
