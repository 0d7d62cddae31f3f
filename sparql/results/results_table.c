/* sparql/results/results_table.c - a table for terminals.
 *
 * Rows gather in chunks; each chunk is as wide as its widest cells and those before it, so that a
 * long answer streams and columns only ever grow. A cell wider than TABLE_WIDEST is written whole
 * and pushes the rest of its row to the right. IRIs are shortened by the query's prefixes and a few
 * that everybody knows; numbers stand bare and to the right, other literals in quotes. */
#include "sparql/results/results.h"
#include "sparql/syntax/parse_names.h"

#include <assert.h>
#include <utf8proc.h>

#include "base/poison.h"

enum {
  TABLE_ROWS = 256,          /* rows of a chunk ... */
  TABLE_BYTES = 1024 * 1024, /* ... unless they get this long before */
  TABLE_WIDEST = 80          /* columns of the terminal that a cell may push its column to */
};

typedef struct table_cell {
  size_t end; /* of its text in the chunk */
  uint32_t width;
  bool right; /* a number */
} table_cell;

struct results_table {
  const quoin_span *names;
  size_t n;
  uint32_t *widths;
  base_buffer text;
  table_cell *cells;
  size_t n_cells, cap_cells;
  uint64_t rows;
  bool has_head;
  base_arena arena;
  name_map prefixes; /* IRI to index in the list */
  struct sparql_prefix *list;
  size_t n_list, cap_list;
};

/* ---- prefixes
 * ------------------------------------------------------------------------------------------ */

static bool
add_prefix(results_table *t, struct sparql_prefix prefix)
{
  if (prefix.iri.len == 0 || name_map_find(&t->prefixes, prefix.iri) != NAME_NONE) return true;
  assert(t->n_list < t->cap_list);
  t->list[t->n_list] = prefix;
  return name_map_set(&t->prefixes, prefix.iri, (uint32_t)t->n_list++, &t->arena);
}

/* Those of the query first; a known name that the query uses for something else is left alone. */
static bool
add_prefixes(results_table *t, const struct sparql_prefix *prefixes, size_t n)
{
  static const char *const known[][2] = {{"rdf", RDF_NS},
                                         {"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
                                         {"xsd", RDF_XSD},
                                         {"owl", "http://www.w3.org/2002/07/owl#"},
                                         {"vec", RDF_VEC}};
  enum { KNOWN = sizeof(known) / sizeof(known[0]) };
  t->cap_list = n + KNOWN;
  if (!(t->list = base_arena_new(&t->arena, t->cap_list, sizeof(*t->list)))) return false;
  for (size_t i = 0; i < n; i++)
    if (!add_prefix(t, prefixes[i])) return false;
  for (size_t k = 0; k < KNOWN; k++) {
    bool taken = false;
    for (size_t i = 0; i < n && !taken; i++)
      taken = base_span_is(prefixes[i].prefix, known[k][0]);
    struct sparql_prefix prefix = {base_span(known[k][0]), base_span(known[k][1])};
    if (!taken && !add_prefix(t, prefix)) return false;
  }
  return true;
}

/* Could `local` be written behind a prefix as it is? */
static bool
is_local_name(quoin_span local)
{
  for (size_t i = 0; i < local.len; i++) {
    unsigned char c = (unsigned char)local.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
    bool inner = (c >= '0' && c <= '9') || ((c == '-' || c == '.') && i > 0);
    if (!letter && !inner) return false;
  }
  return local.len == 0 || local.ptr[local.len - 1] != '.';
}

/* Shorten at the last '#', '/' or ':': a prefix that ends elsewhere is not used. */
static void
add_iri(results_table *t, quoin_span iri)
{
  size_t cut = iri.len;
  while (cut > 0 && iri.ptr[cut - 1] != '#' && iri.ptr[cut - 1] != '/' && iri.ptr[cut - 1] != ':')
    cut--;
  quoin_span space = {iri.ptr, cut}, local = {iri.ptr + cut, iri.len - cut};
  uint32_t found = cut && is_local_name(local) ? name_map_find(&t->prefixes, space) : NAME_NONE;
  if (found == NAME_NONE) {
    base_buffer_byte(&t->text, '<');
    base_buffer_span(&t->text, iri);
    base_buffer_byte(&t->text, '>');
    return;
  }
  base_buffer_span(&t->text, t->list[found].prefix);
  base_buffer_byte(&t->text, ':');
  base_buffer_span(&t->text, local);
}

/* ---- cells
 * -------------------------------------------------------------------------------------------- */

/* In quotes; what would break the line or drive the terminal is escaped. */
static void
add_string(results_table *t, quoin_span text)
{
  base_buffer_byte(&t->text, '"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c == '"' || c == '\\') base_buffer_byte(&t->text, '\\');
    if (c == '\n')
      base_buffer_text(&t->text, "\\n");
    else if (c == '\r')
      base_buffer_text(&t->text, "\\r");
    else if (c == '\t')
      base_buffer_text(&t->text, "\\t");
    else if (c < 0x20 || c == 0x7F)
      base_buffer_printf(&t->text, "\\u%04X", (unsigned)c);
    else if (c == 0xC2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xA0)
      base_buffer_printf(&t->text, "\\u%04X", (unsigned)(unsigned char)text.ptr[++i]); /* C1 */
    else
      base_buffer_byte(&t->text, (char)c);
  }
  base_buffer_byte(&t->text, '"');
}

/* A literal of a numeric datatype that reads as a number. */
static bool
is_number(const rdf_term *term)
{
  static const char *const types[] = {RDF_XSD "integer", RDF_XSD "decimal", RDF_XSD "double",
                                      RDF_XSD "float"};
  bool numeric = false;
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && !numeric; i++)
    numeric = base_span_is(term->datatype, types[i]);
  if (!numeric || term->value.len == 0) return false;
  for (size_t i = 0; i < term->value.len; i++)
    if (!strchr("0123456789+-.eEINFa", term->value.ptr[i]) || !term->value.ptr[i]) return false;
  return true;
}

static bool
add_literal(results_table *t, const rdf_term *term)
{
  bool boolean = base_span_is(term->datatype, RDF_XSD "boolean") &&
                 (base_span_is(term->value, "true") || base_span_is(term->value, "false"));
  if (is_number(term) || boolean) {
    base_buffer_span(&t->text, term->value);
    return !boolean;
  }
  add_string(t, term->value);
  if (term->lang.len) {
    base_buffer_byte(&t->text, '@');
    base_buffer_span(&t->text, term->lang);
  } else if (term->datatype.len) {
    base_buffer_text(&t->text, "^^");
    add_iri(t, term->datatype);
  }
  return false;
}

/* Columns that text takes on a terminal. */
static uint32_t
width_of(const char *text, size_t len)
{
  uint32_t width = 0;
  for (size_t at = 0; at < len;) {
    uint32_t cp;
    size_t n = (unsigned char)text[at] < 0x80 ? 1 : base_utf8_decode(&cp, text + at, len - at);
    if (n <= 1) { /* ASCII, or not UTF-8 */
      width++;
      at++;
      continue;
    }
    int columns = utf8proc_charwidth((utf8proc_int32_t)cp);
    if (columns > 0) width += (uint32_t)columns;
    at += n;
  }
  return width;
}

quoin_status
results_table_cell(results_table *t, results_out *out, const rdf_term *term, quoin_error *err)
{
  (void)out;
  if (!base_reserve(t->text.mem, (void **)&t->cells, &t->cap_cells, t->n_cells + 1,
                    sizeof(*t->cells)))
    return base_fail_nomem(err);
  size_t from = t->text.len;
  table_cell cell = {.right = false};
  switch (term->kind) {
  case RDF_NONE:
    break;
  case RDF_IRI:
    add_iri(t, term->value);
    break;
  case RDF_BLANK:
    base_buffer_text(&t->text, "_:");
    base_buffer_span(&t->text, term->value);
    break;
  case RDF_LITERAL:
  case RDF_VECTOR: /* sparql_term has made it a literal */
    cell.right = add_literal(t, term);
    break;
  }
  if (t->text.failed) return base_fail_nomem(err);
  cell.end = t->text.len;
  cell.width = width_of(t->text.data ? t->text.data + from : "", t->text.len - from);
  uint32_t *width = &t->widths[t->n_cells % t->n];
  if (cell.width > *width) *width = cell.width < TABLE_WIDEST ? cell.width : TABLE_WIDEST;
  t->cells[t->n_cells++] = cell;
  return QUOIN_OK;
}

/* ---- writing
 * ----------------------------------------------------------------------------------------- */

static void
pad(results_out *out, size_t n, char c)
{
  while (n-- > 0)
    results_byte(out, c);
}

static void
write_cell(results_out *out, const results_table *t, size_t column, quoin_span text, uint32_t width,
           bool right)
{
  uint32_t room = t->widths[column];
  size_t space = width < room ? room - width : 0;
  if (column) results_bytes(out, " | ", 3);
  if (right) pad(out, space, ' ');
  results_span(out, text);
  if (!right && column + 1 < t->n) pad(out, space, ' ');
}

static void
write_head(results_table *t, results_out *out)
{
  t->has_head = true;
  for (size_t i = 0; i < t->n; i++)
    write_cell(out, t, i, t->names[i], width_of(t->names[i].ptr, t->names[i].len), false);
  results_byte(out, '\n');
  for (size_t i = 0; i < t->n; i++) {
    if (i) results_bytes(out, "-+-", 3);
    pad(out, t->widths[i], '-');
  }
  results_byte(out, '\n');
}

static quoin_status
write_chunk(results_table *t, results_out *out)
{
  if (!t->has_head) write_head(t, out);
  size_t from = 0;
  for (size_t i = 0; i < t->n_cells; i++) {
    const table_cell *cell = &t->cells[i];
    size_t column = i % t->n;
    quoin_span text = {t->text.data + from, cell->end - from};
    write_cell(out, t, column, text, cell->width, cell->right);
    if (column + 1 == t->n) results_byte(out, '\n');
    from = cell->end;
  }
  t->n_cells = 0;
  t->text.len = 0;
  results_flush(out); /* a terminal shows what there is */
  return out->status;
}

quoin_status
results_table_row(results_table *t, results_out *out, quoin_error *err)
{
  (void)err;
  t->rows++;
  if (t->n_cells < TABLE_ROWS * t->n && t->text.len < TABLE_BYTES) return QUOIN_OK;
  return t->n ? write_chunk(t, out) : QUOIN_OK;
}

quoin_status
results_table_finish(results_table *t, results_out *out, quoin_error *err)
{
  quoin_status st = t->n ? write_chunk(t, out) : QUOIN_OK;
  if (st) return st;
  base_buffer_printf(&t->text, "(%llu row%s)\n", (unsigned long long)t->rows,
                     t->rows == 1 ? "" : "s");
  if (t->text.failed) return base_fail_nomem(err);
  results_bytes(out, t->text.data, t->text.len);
  return out->status;
}

quoin_status
results_table_new(results_table **out, const quoin_span *names, size_t n_names,
                  const struct sparql_prefix *prefixes, size_t n_prefixes, const base_alloc *mem,
                  quoin_error *err)
{
  *out = NULL;
  results_table *t = base_new_zero(mem, 1, sizeof(*t));
  if (!t) return base_fail_nomem(err);
  t->names = names;
  t->n = n_names;
  base_buffer_init(&t->text, mem);
  base_arena_init(&t->arena, mem);
  t->widths = base_arena_new_zero(&t->arena, n_names + 1, sizeof(*t->widths));
  if (!t->widths || !add_prefixes(t, prefixes, n_prefixes)) {
    results_table_free(t, mem);
    return base_fail_nomem(err);
  }
  for (size_t i = 0; i < n_names; i++)
    t->widths[i] = width_of(names[i].ptr, names[i].len);
  *out = t;
  return QUOIN_OK;
}

void
results_table_free(results_table *table, const base_alloc *mem)
{
  if (!table) return;
  base_buffer_clear(&table->text);
  base_release(mem, table->cells, table->cap_cells, sizeof(*table->cells));
  base_arena_clear(&table->arena);
  base_release(mem, table, 1, sizeof(*table));
}
