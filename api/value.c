/* What a value is: from its id where that tells, else from its text. */
#include "api/query.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/poison.h"

quoin_status
api_cursor_read(rdf_term *out, quoin_cursor *cursor, atom_id id, quoin_error *err)
{
  if (!id.bits) {
    *out = (rdf_term){0};
    return QUOIN_OK;
  }
  return sparql_cursor_term(out, cursor->cursor, id, &cursor->arena, err);
}

/* ---- numbers from text ----------------------------------------------------------------------- */

static bool
parse_integer(int64_t *out, quoin_span text)
{
  size_t i = text.len && (text.ptr[0] == '-' || text.ptr[0] == '+');
  const bool negative = i && text.ptr[0] == '-';
  int64_t value = 0;

  if (i == text.len) return false;
  for (; i < text.len; i++) {
    const char c = text.ptr[i];
    if (c < '0' || c > '9') return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_sub_overflow(value, c - '0', &value)) return false; /* INT64_MIN fits only so */
  }
  if (!negative && value == INT64_MIN) return false;
  *out = negative ? value : -value;
  return true;
}

/* [+-]? digits with at most one point, then an exponent where `exponent`. */
static bool
is_decimal_text(quoin_span text, bool exponent)
{
  size_t i = text.len && (text.ptr[0] == '-' || text.ptr[0] == '+');
  size_t digits = 0, points = 0;

  for (; i < text.len; i++) {
    const char c = text.ptr[i];
    if (c >= '0' && c <= '9')
      digits++;
    else if (c == '.' && !points)
      points++;
    else
      break;
  }
  if (!digits || i == text.len) return digits > 0;
  int64_t power = 0;
  const bool e = exponent && (text.ptr[i] == 'e' || text.ptr[i] == 'E');
  /* An exponent beyond 64 bits is no number that a file has by accident. */
  return e && parse_integer(&power, (quoin_span){text.ptr + i + 1, text.len - i - 1});
}

static bool
parse_double(double *out, quoin_span text, bool floating, base_arena *arena)
{
  if (floating && (base_span_is(text, "INF") || base_span_is(text, "+INF"))) {
    *out = (double)INFINITY;
    return true;
  }
  if (floating && base_span_is(text, "-INF")) {
    *out = -(double)INFINITY;
    return true;
  }
  if (floating && base_span_is(text, "NaN")) {
    *out = (double)NAN;
    return true;
  }
  if (!is_decimal_text(text, floating)) return false;
  /* strtod follows the application's locale; this one has a point. */
  const quoin_span copy = base_arena_copy(arena, text);
  const locale_t c = copy.ptr ? newlocale(LC_NUMERIC_MASK, "C", (locale_t)0) : (locale_t)0;
  if (!c) return false;
  *out = strtod_l(copy.ptr, NULL, c);
  freelocale(c);
  return true;
}

static void
classify_term(quoin_type *type, quoin_value *value, const rdf_term *term, base_arena *arena)
{
  const quoin_span d = term->datatype;

  *type = term->kind == RDF_IRI     ? QUOIN_TYPE_IRI
          : term->kind == RDF_BLANK ? QUOIN_TYPE_BLANK
          : term->kind == RDF_NONE  ? QUOIN_TYPE_UNBOUND
                                    : QUOIN_TYPE_LITERAL;
  if (*type != QUOIN_TYPE_LITERAL || !d.len) return;
  if (base_span_is(d, RDF_XSD "integer")) {
    if (parse_integer(&value->integer, term->value)) *type = QUOIN_TYPE_INTEGER;
  } else if (base_span_is(d, RDF_XSD "double") || base_span_is(d, RDF_XSD "float")) {
    if (parse_double(&value->number, term->value, true, arena)) *type = QUOIN_TYPE_DOUBLE;
  } else if (base_span_is(d, RDF_XSD "boolean")) {
    const bool yes = base_span_is(term->value, "1") || base_span_is(term->value, "true");
    const bool no = base_span_is(term->value, "0") || base_span_is(term->value, "false");
    if (yes || no) {
      *type = QUOIN_TYPE_BOOLEAN;
      value->integer = yes;
    }
  }
}

/* The floats of a well-formed vec:f32. */
static bool
cursor_vector(quoin_value *value, size_t *n, quoin_cursor *cursor, atom_id id)
{
  uint32_t dimension = 0;
  const float *floats = NULL;
  if (atom_id_kind(id) != ATOM_VECTOR && atom_id_kind(id) != ATOM_LOCAL) return false;
  if (sparql_cursor_vector(&floats, &dimension, cursor->cursor, id, NULL)) return false;
  value->vector = floats;
  *n = dimension;
  return floats != NULL;
}

/* ---- values of ids --------------------------------------------------------------------------- */

quoin_status
api_classify(quoin_type *type, quoin_value *value, quoin_cursor *cursor, atom_id id,
             quoin_error *err)
{
  rdf_term term;
  size_t n;
  quoin_status st = QUOIN_OK;

  value->integer = 0;
  *type = QUOIN_TYPE_LITERAL;
  switch (atom_id_kind(id)) {
  case ATOM_NONE:
    *type = QUOIN_TYPE_UNBOUND;
    return QUOIN_OK;
  case ATOM_IRI:
    *type = QUOIN_TYPE_IRI;
    return QUOIN_OK;
  case ATOM_BLANK:
    *type = QUOIN_TYPE_BLANK;
    value->node = atom_id_payload(id);
    return QUOIN_OK;
  case ATOM_INTEGER:
    *type = QUOIN_TYPE_INTEGER;
    value->integer = atom_inline_get_integer(id);
    return QUOIN_OK;
  case ATOM_DOUBLE:
  case ATOM_FLOAT:
    *type = QUOIN_TYPE_DOUBLE;
    value->number = atom_inline_get_double(id);
    return QUOIN_OK;
  case ATOM_BOOLEAN:
    *type = QUOIN_TYPE_BOOLEAN;
    value->integer = atom_inline_get_boolean(id);
    return QUOIN_OK;
  case ATOM_VECTOR:
  case ATOM_LOCAL:
    if (cursor_vector(value, &n, cursor, id)) {
      *type = QUOIN_TYPE_VECTOR;
      return QUOIN_OK;
    }
    value->integer = 0;
    if (!(st = api_cursor_read(&term, cursor, id, err)))
      classify_term(type, value, &term, &cursor->arena);
    return st;
  case ATOM_NUMERIC:
  case ATOM_BOOLTEXT:
    if (!(st = api_cursor_read(&term, cursor, id, err)))
      classify_term(type, value, &term, &cursor->arena);
    return st;
  case ATOM_STRING:
  case ATOM_LANG:
  case ATOM_TYPED:
  case ATOM_TEMPORAL:
  case ATOM_DIRLANG:
  case ATOM_TRIPLE:
  case ATOM_PREFIX:
  case ATOM_DECIMAL:
  case ATOM_DATE:
  case ATOM_DATETIME:
  case ATOM_DATETIMEZ:
    return QUOIN_OK;
  }
  return QUOIN_OK;
}

/* Enter and find the id at `row`, `col`; what is not there is unbound. False: closed. */
static bool
enter_cell(atom_id *out, quoin_cursor *cursor, size_t row, size_t col)
{
  *out = ATOM_NONE_ID;
  if (!cursor || api_enter(cursor->child.store, NULL)) return false;
  if (col < cursor->columns && row < cursor->rows.rows) *out = cursor->rows.column[col][row];
  return true;
}

quoin_type
quoin_cursor_type(quoin_cursor *cursor, size_t col)
{
  atom_id id;
  quoin_type type = QUOIN_TYPE_UNBOUND;
  quoin_value value;
  quoin_error error = QUOIN_ERROR_INIT;

  if (!enter_cell(&id, cursor, cursor ? cursor->row : 0, col)) return type;
  const quoin_status st = api_classify(&type, &value, cursor, id, &error);
  if (st) api_cursor_fail(cursor, st, &error);
  api_leave(cursor->child.store);
  return type;
}

quoin_span
quoin_cursor_text(quoin_cursor *cursor, size_t col)
{
  atom_id id;
  rdf_term term;
  quoin_span out = {NULL, 0};
  quoin_error error = QUOIN_ERROR_INIT;

  if (!enter_cell(&id, cursor, cursor ? cursor->row : 0, col)) return out;
  if (id.bits) {
    quoin_status st = api_cursor_read(&term, cursor, id, &error);
    if (!st) {
      cursor->text.len = 0;
      rdf_term_write(&cursor->text, &term);
      if (!cursor->text.failed)
        out = base_arena_copy(&cursor->arena, (quoin_span){cursor->text.data, cursor->text.len});
      if (!out.ptr) st = base_fail_nomem(&error);
    }
    if (st) api_cursor_fail(cursor, st, &error);
  }
  api_leave(cursor->child.store);
  return out;
}

static quoin_status
cell_term(quoin_term *out, quoin_cursor *cursor, size_t row, size_t col, quoin_error *err)
{
  rdf_term term;
  atom_id id = ATOM_NONE_ID;

  if (!out || !cursor) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or cursor is NULL");
  *out = (quoin_term){.kind = QUOIN_TERM_NONE};
  if (col >= cursor->columns || row >= cursor->rows.rows)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "the cursor is on no such row or column");
  quoin_status st = api_enter(cursor->child.store, err);
  if (st) return st;
  id = cursor->rows.column[col][row];
  if (!(st = api_cursor_read(&term, cursor, id, err))) api_term_out(out, &term, api_node(id));
  api_leave(cursor->child.store);
  return st;
}

quoin_status
quoin_cursor_term(quoin_term *out, quoin_cursor *cursor, size_t col, quoin_error *err)
{
  return cell_term(out, cursor, cursor ? cursor->row : 0, col, err);
}

quoin_status
quoin_cursor_batch_term(quoin_term *out, quoin_cursor *cursor, size_t row, size_t col,
                        quoin_error *err)
{
  return cell_term(out, cursor, row, col, err);
}

bool
quoin_cursor_integer(int64_t *out, quoin_cursor *cursor, size_t col)
{
  atom_id id;
  quoin_type type = QUOIN_TYPE_UNBOUND;
  quoin_value value = {.integer = 0};

  if (!out || !enter_cell(&id, cursor, cursor ? cursor->row : 0, col)) return false;
  const quoin_status st = api_classify(&type, &value, cursor, id, NULL);
  api_leave(cursor->child.store);
  if (st || (type != QUOIN_TYPE_INTEGER && type != QUOIN_TYPE_BOOLEAN)) return false;
  *out = value.integer;
  return true;
}

/* Any numeric literal as a double. */
static bool
as_double(double *out, quoin_cursor *cursor, atom_id id)
{
  rdf_term term;
  quoin_type type = QUOIN_TYPE_UNBOUND;
  quoin_value value = {.integer = 0};

  if (api_classify(&type, &value, cursor, id, NULL)) return false;
  if (type == QUOIN_TYPE_DOUBLE) {
    *out = value.number;
    return true;
  }
  if (type == QUOIN_TYPE_INTEGER) {
    *out = (double)value.integer;
    return true;
  }
  if (type != QUOIN_TYPE_LITERAL || api_cursor_read(&term, cursor, id, NULL)) return false;
  return atom_datatype_kind(term.datatype, term.lang.len > 0) == ATOM_NUMERIC &&
         parse_double(out, term.value, false, &cursor->arena);
}

bool
quoin_cursor_double(double *out, quoin_cursor *cursor, size_t col)
{
  atom_id id;

  if (!out || !enter_cell(&id, cursor, cursor ? cursor->row : 0, col)) return false;
  const bool ok = as_double(out, cursor, id);
  api_leave(cursor->child.store);
  return ok;
}

const float *
quoin_cursor_vector(size_t *n, quoin_cursor *cursor, size_t col)
{
  atom_id id;
  quoin_value value = {.vector = NULL};
  size_t found = 0;

  if (n) *n = 0;
  if (!n || !enter_cell(&id, cursor, cursor ? cursor->row : 0, col)) return NULL;
  const bool is = cursor_vector(&value, &found, cursor, id);
  api_leave(cursor->child.store);
  if (is) *n = found;
  return is ? value.vector : NULL;
}
