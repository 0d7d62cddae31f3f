/* tests/conformance/sparql_answer.c - answers in memory: CSV and TSV, result sets as RDF,
 * comparing. */
#include "conformance/sparql_answer.h"

#include "conformance/isomorphism.h"

#include <stdio.h>
#include <stdlib.h>

#define RS "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"

void
answer_init(answer *a)
{
  *a = (answer){.is_boolean = false};
  base_arena_init(&a->arena, base_alloc_default());
}

void
answer_clear(answer *a)
{
  base_arena_clear(&a->arena);
  base_release(base_alloc_default(), a->names, a->cap_names, sizeof(*a->names));
  base_release(base_alloc_default(), a->terms, a->cap_terms, sizeof(*a->terms));
}

quoin_status
answer_column(answer *a, quoin_span name, quoin_error *err)
{
  if (!base_reserve(base_alloc_default(), (void **)&a->names, &a->cap_names, a->width + 1,
                    sizeof(*a->names)))
    return base_fail_nomem(err);
  a->names[a->width++] = base_arena_copy(&a->arena, name);
  return QUOIN_OK;
}

quoin_status
answer_row(answer *a, quoin_error *err)
{
  if (!base_reserve(base_alloc_default(), (void **)&a->terms, &a->cap_terms,
                    a->n_terms + a->width + 1, sizeof(*a->terms)))
    return base_fail_nomem(err);
  memset(a->terms + a->n_terms, 0, a->width * sizeof(*a->terms));
  a->n_terms += a->width;
  a->rows++;
  return QUOIN_OK;
}

size_t
answer_find(const answer *a, quoin_span name)
{
  for (size_t i = 0; i < a->width; i++)
    if (base_span_equal(a->names[i], name)) return i;
  return SIZE_MAX;
}

/* ---- CSV
 * -------------------------------------------------------------------------------------------- */

/* One field from *at; quotes taken off. */
static quoin_span
csv_field(answer *a, const char **at, const char *end)
{
  char *text = base_arena_bytes(&a->arena, (size_t)(end - *at) + 1);
  size_t n = 0;
  const char *p = *at;
  if (p < end && *p == '"') {
    for (p++; p < end; p++) {
      if (*p == '"' && (p + 1 >= end || p[1] != '"')) break;
      if (*p == '"') p++;
      text[n++] = *p;
    }
    if (p < end) p++;
  } else {
    while (p < end && *p != ',' && *p != '\n' && *p != '\r')
      text[n++] = *p++;
  }
  *at = p;
  return (quoin_span){text, n};
}

static rdf_term
csv_term(quoin_span text)
{
  if (text.len == 0) return (rdf_term){.kind = RDF_NONE};
  if (text.len > 2 && memcmp(text.ptr, "_:", 2) == 0)
    return (rdf_term){.kind = RDF_BLANK, .value = {text.ptr + 2, text.len - 2}};
  return (rdf_term){.kind = RDF_LITERAL, .value = text};
}

static quoin_status
read_csv(answer *a, quoin_span text, quoin_error *err)
{
  const char *at = text.ptr, *end = text.ptr + text.len;
  quoin_status st = QUOIN_OK;
  for (size_t line = 0; at < end && !st; line++) {
    if (line) st = answer_row(a, err);
    for (size_t column = 0; !st; column++) {
      quoin_span field = csv_field(a, &at, end);
      if (line == 0)
        st = answer_column(a, field, err);
      else if (column < a->width)
        a->terms[a->n_terms - a->width + column] = csv_term(field);
      if (at >= end || *at != ',') break;
      at++;
    }
    if (at < end && *at == '\r') at++;
    if (at < end && *at == '\n') at++;
  }
  return st;
}

/* ---- TSV
 * -------------------------------------------------------------------------------------------- */

/* A number as TSV abbreviates it. */
static rdf_term
number_term(quoin_span text)
{
  rdf_term term = {.kind = RDF_LITERAL, .value = text, .datatype = base_span(RDF_XSD "integer")};
  if (memchr(text.ptr, '.', text.len)) term.datatype = base_span(RDF_XSD "decimal");
  if (memchr(text.ptr, 'e', text.len) || memchr(text.ptr, 'E', text.len))
    term.datatype = base_span(RDF_XSD "double");
  return term;
}

/* A term as in Turtle: what stands between two tabs. Read with our own reader of N-Triples. */
typedef struct one_term {
  answer *answer;
  rdf_term term;
} one_term;

static quoin_status
take_object(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  one_term *one = user;
  base_arena *arena = &one->answer->arena;
  (void)err;
  if (n == 0) return QUOIN_OK;
  const rdf_term *o = &quads[0].term[2];
  one->term = (rdf_term){o->kind, base_arena_copy(arena, o->value),
                         base_arena_copy(arena, o->datatype), base_arena_copy(arena, o->lang)};
  return QUOIN_OK;
}

static quoin_status
tsv_term(answer *a, rdf_term *out, quoin_span text, quoin_error *err)
{
  *out = (rdf_term){.kind = RDF_NONE};
  if (text.len == 0) return QUOIN_OK;
  if (strchr("+-.0123456789", text.ptr[0])) {
    *out = number_term(text);
    return QUOIN_OK;
  }
  quoin_span line = base_arena_printf(&a->arena, "<u:s> <u:p> %.*s .\n", (int)text.len, text.ptr);
  one_term one = {.answer = a};
  rdfio_source *source = NULL;
  rdfio_read_options options = {.format = RDFIO_TURTLE, .base = base_span("u:b")};
  rdfio_read_result result;
  quoin_status st = rdfio_source_memory(&source, line, "tsv", base_alloc_default(), err);
  if (!st) st = rdfio_read(&result, source, &options, take_object, &one, base_alloc_default(), err);
  rdfio_source_close(source);
  *out = one.term;
  return st;
}

static quoin_status
read_tsv(answer *a, quoin_span text, quoin_error *err)
{
  const char *at = text.ptr, *end = text.ptr + text.len;
  quoin_status st = QUOIN_OK;
  for (size_t line = 0; at < end && !st; line++) {
    if (line) st = answer_row(a, err);
    for (size_t column = 0; !st; column++) {
      const char *from = at;
      while (at < end && *at != '\t' && *at != '\n' && *at != '\r')
        at++;
      quoin_span field = {from, (size_t)(at - from)};
      if (line == 0)
        st = answer_column(a, field.len ? (quoin_span){field.ptr + 1, field.len - 1} : field, err);
      else if (column < a->width)
        st = tsv_term(a, &a->terms[a->n_terms - a->width + column], field, err);
      if (at >= end || *at != '\t') break;
      at++;
    }
    if (at < end && *at == '\r') at++;
    if (at < end && *at == '\n') at++;
  }
  return st;
}

quoin_status
answer_read(answer *a, answer_syntax syntax, quoin_span text, quoin_error *err)
{
  text = base_arena_copy(&a->arena, text); /* terms may be parts of it */
  if (!text.ptr) return base_fail_nomem(err);
  switch (syntax) {
  case ANSWER_XML:
    return answer_read_xml(a, text, err);
  case ANSWER_JSON:
    return answer_read_json(a, text, err);
  case ANSWER_CSV:
    return read_csv(a, text, err);
  case ANSWER_TSV:
    return read_tsv(a, text, err);
  }
  return QUOIN_OK;
}

/* ---- result sets as RDF
 * -------------------------------------------------------------------------------- */

static rdf_term
copy_term(base_arena *arena, const rdf_term *t)
{
  return (rdf_term){t->kind, base_arena_copy(arena, t->value), base_arena_copy(arena, t->datatype),
                    base_arena_copy(arena, t->lang)};
}

/* rs:solution with rs:binding to a row; its rs:index, or -1. */
static quoin_status
graph_row(answer *a, const dataset *g, const rdf_term *solution, long *index, quoin_error *err)
{
  quoin_status st = answer_row(a, err);
  const rdf_term *number = dataset_object(g, solution, RS "index"), *binding;
  size_t at = 0;
  *index = number ? strtol(base_arena_copy(&a->arena, number->value).ptr, NULL, 10) : -1;
  while (!st && (binding = dataset_next(&at, g, solution, RS "binding"))) {
    const rdf_term *name = dataset_object(g, binding, RS "variable");
    const rdf_term *value = dataset_object(g, binding, RS "value");
    size_t column = name ? answer_find(a, name->value) : SIZE_MAX;
    if (column == SIZE_MAX || !value)
      return base_fail(err, QUOIN_ERR_CORRUPT, "a binding of the result set lacks a part");
    a->terms[a->n_terms - a->width + column] = copy_term(&a->arena, value);
  }
  return st;
}

typedef struct ranked {
  long index;
  size_t row;
} ranked;

static int
by_index(const void *a, const void *b)
{
  long x = ((const ranked *)a)->index, y = ((const ranked *)b)->index;
  return (x > y) - (x < y);
}

static void
sort_rows(answer *a, ranked *order)
{
  rdf_term *sorted = base_new(base_alloc_default(), a->cap_terms, sizeof(*sorted));
  if (!sorted) return;
  qsort(order, a->rows, sizeof(*order), by_index);
  for (size_t i = 0; i < a->rows; i++)
    memcpy(sorted + i * a->width, a->terms + order[i].row * a->width, a->width * sizeof(*sorted));
  base_release(base_alloc_default(), a->terms, a->cap_terms, sizeof(*a->terms));
  a->terms = sorted;
}

quoin_status
answer_of_graph(answer *a, const dataset *g, quoin_error *err)
{
  const rdf_term *set = NULL, *item;
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < g->n && !set; i++)
    if (base_span_is(g->quads[i].term[1].value, RDF_NS "type") &&
        base_span_is(g->quads[i].term[2].value, RS "ResultSet"))
      set = &g->quads[i].term[0];
  if (!set) return base_fail(err, QUOIN_ERR_NOT_FOUND, "the graph is no result set");
  if ((item = dataset_object(g, set, RS "boolean"))) {
    a->is_boolean = true;
    a->boolean = base_span_is(item->value, "true") || base_span_is(item->value, "1");
    return QUOIN_OK;
  }
  for (size_t at = 0; !st && (item = dataset_next(&at, g, set, RS "resultVariable"));)
    st = answer_column(a, item->value, err);
  size_t n = 0, cap = g->n + 1;
  ranked *order = base_new(base_alloc_default(), cap, sizeof(*order));
  if (!order) return base_fail_nomem(err);
  a->indexed = true;
  for (size_t at = 0; !st && (item = dataset_next(&at, g, set, RS "solution")); n++) {
    order[n].row = n;
    st = graph_row(a, g, item, &order[n].index, err);
    if (order[n].index < 0) a->indexed = false;
  }
  if (!st && a->indexed && n) sort_rows(a, order);
  base_release(base_alloc_default(), order, cap, sizeof(*order));
  if (n == 0) a->indexed = false;
  return st;
}

/* ---- comparing
 * ---------------------------------------------------------------------------------------- */

/* A number in one form for its value and datatype: the suites write 6, 6.0 and 6E0 as they like
 * where a value is computed. */
static rdf_term
canonical(const rdf_term *term, base_arena *arena)
{
  rdf_term out = *term;
  bool real = base_span_is(term->datatype, RDF_XSD "double");
  bool single = base_span_is(term->datatype, RDF_XSD "float");
  bool exact = base_span_is(term->datatype, RDF_XSD "decimal") ||
               base_span_is(term->datatype, RDF_XSD "integer");
  if (term->kind != RDF_LITERAL || !term->value.len || (!real && !single && !exact)) return out;
  const char *text = base_arena_copy(arena, term->value).ptr;
  char *end;
  long double value = strtold(text, &end);
  if (*end) return out;
  if (single)
    out.value = base_arena_printf(arena, "%.9g", (double)strtof(text, NULL));
  else if (real)
    out.value = base_arena_printf(arena, "%.17g", strtod(text, NULL));
  else
    out.value = base_arena_printf(arena, "%.18Lg", value);
  return out;
}

/* The rows of `a` with columns in the order of `like`, and the row's number as one more when
 * `number`; numbers by value when `by_value`. */
static rdf_term *
rows_like(const answer *a, const answer *like, bool number, bool by_value, base_arena *arena)
{
  size_t width = like->width + number;
  rdf_term *out = base_arena_new_zero(arena, a->rows * width + 1, sizeof(*out));
  for (size_t r = 0; out && r < a->rows; r++) {
    for (size_t c = 0; c < like->width; c++) {
      size_t from = answer_find(a, like->names[c]);
      const rdf_term *term = &a->terms[r * a->width + from];
      out[r * width + c] = by_value ? canonical(term, arena) : *term;
    }
    if (number)
      out[r * width + like->width] =
          (rdf_term){.kind = RDF_LITERAL, .value = base_arena_printf(arena, "%zu", r)};
  }
  return out;
}

/* Drop rows that were there before; the number left. */
static size_t
distinct_rows(rdf_term *rows, size_t n, size_t width)
{
  size_t kept = 0;
  for (size_t r = 0; r < n; r++) {
    bool seen = false;
    for (size_t k = 0; k < kept && !seen; k++) {
      seen = true;
      for (size_t c = 0; c < width && seen; c++)
        seen = rdf_term_equal(&rows[k * width + c], &rows[r * width + c]);
    }
    if (!seen) memmove(rows + kept++ * width, rows + r * width, width * sizeof(*rows));
  }
  return kept;
}

static bool
same_rows(const answer *a, const answer *b, bool lax, bool by_value)
{
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  bool number = b->indexed && !lax;
  rdf_term *got = rows_like(a, b, number, by_value, &arena);
  rdf_term *want = rows_like(b, b, number, by_value, &arena);
  size_t n_got = a->rows, n_want = b->rows, width = b->width + number;
  if (lax) {
    n_got = distinct_rows(got, n_got, width);
    n_want = distinct_rows(want, n_want, width);
  }
  bool same = width == 0 ? n_got == n_want : rows_isomorphic(got, n_got, want, n_want, width);
  if (lax && a->rows > b->rows) same = false;
  base_arena_clear(&arena);
  return same;
}

quoin_status
answer_compare(const answer *a, const answer *b, bool lax, quoin_error *err)
{
  if (a->is_boolean || b->is_boolean) {
    if (a->is_boolean == b->is_boolean && a->boolean == b->boolean) return QUOIN_OK;
    return base_fail(err, QUOIN_ERR_CORRUPT, "the answer is the other boolean, or rows");
  }
  if (a->width != b->width)
    return base_fail(err, QUOIN_ERR_CORRUPT, "%zu columns, expected %zu", a->width, b->width);
  for (size_t i = 0; i < b->width; i++)
    if (answer_find(a, b->names[i]) == SIZE_MAX)
      return base_fail(err, QUOIN_ERR_CORRUPT, "no column '%.*s'", (int)b->names[i].len,
                       b->names[i].ptr);
  if (same_rows(a, b, lax, false) || same_rows(a, b, lax, true)) return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_CORRUPT, "%zu rows differ from the %zu expected%s", a->rows,
                   b->rows, b->indexed && !lax ? " (in order)" : "");
}

quoin_status
answer_compare_order(const answer *a, const answer *b, quoin_span column, quoin_error *err)
{
  size_t x = answer_find(a, column), y = answer_find(b, column);
  if (x == SIZE_MAX || y == SIZE_MAX || a->rows != b->rows) return QUOIN_OK;
  for (size_t r = 0; r < a->rows; r++) {
    const rdf_term *s = &a->terms[r * a->width + x], *t = &b->terms[r * b->width + y];
    if (s->kind == RDF_BLANK && t->kind == RDF_BLANK) continue;
    base_arena arena;
    base_arena_init(&arena, base_alloc_default());
    rdf_term v = canonical(s, &arena), w = canonical(t, &arena);
    bool same = rdf_term_equal(&v, &w);
    base_arena_clear(&arena);
    if (!same)
      return base_fail(err, QUOIN_ERR_CORRUPT, "row %zu is not the one expected in this order",
                       r + 1);
  }
  return QUOIN_OK;
}
