/* tests/conformance/isomorphism.c - equality of bags of rows but for the names of blank nodes. */
#include "conformance/isomorphism.h"

#include <ctype.h>
#include <stdlib.h>

static const uint32_t NOT_BLANK = UINT32_MAX;

/* One of the two bags. A cell is a term at row * width + column. */
typedef struct side {
  const rdf_term *terms;
  size_t rows, width;
  uint32_t *blank; /* a cell: number of its blank node, or NOT_BLANK */
  uint64_t *hash;  /* a cell: hash of its term; of blank nodes 0 */
  uint32_t blanks;
} side;

static void *
grab(size_t n, size_t size)
{
  void *p = calloc(n ? n : 1, size);
  if (!p) abort();
  return p;
}

static uint64_t
term_hash(const rdf_term *t)
{
  uint64_t h = base_hash_seed(t->value.ptr, t->value.len, (uint64_t)t->kind);
  h = base_hash_seed(t->datatype.ptr, t->datatype.len, h);
  for (size_t i = 0; i < t->lang.len; i++)
    h = base_mix(h ^ (uint64_t)tolower((unsigned char)t->lang.ptr[i]));
  return h;
}

static int
compare_labels(const void *a, const void *b)
{
  const rdf_term *x = *(const rdf_term *const *)a, *y = *(const rdf_term *const *)b;
  return base_span_compare(x->value, y->value);
}

static void
side_new(side *s, const rdf_term *terms, size_t rows, size_t width)
{
  size_t cells = rows * width, n = 0;
  const rdf_term **labels = grab(cells, sizeof(*labels));
  *s = (side){.terms = terms, .rows = rows, .width = width};
  s->blank = grab(cells, sizeof(*s->blank));
  s->hash = grab(cells, sizeof(*s->hash));
  for (size_t i = 0; i < cells; i++)
    if (terms[i].kind == RDF_BLANK) labels[n++] = &terms[i];
  qsort(labels, n, sizeof(*labels), compare_labels);
  for (size_t i = 0; i < cells; i++) {
    s->blank[i] = NOT_BLANK;
    if (terms[i].kind != RDF_BLANK) s->hash[i] = term_hash(&terms[i]);
  }
  for (size_t i = 0; i < n; i++) {
    if (i && compare_labels(&labels[i - 1], &labels[i])) s->blanks++;
    s->blank[labels[i] - terms] = s->blanks;
  }
  s->blanks += n != 0;
  free(labels);
}

static void
side_free(side *s)
{
  free(s->blank);
  free(s->hash);
}

static uint64_t
cell_hash(const side *s, const uint64_t *color, size_t cell)
{
  return s->blank[cell] == NOT_BLANK ? s->hash[cell] : base_mix(color[s->blank[cell]] + 1);
}

/* A blank node's next colour: its own, and the sum over its places of the row as seen from there.
 */
static void
refine(const side *s, uint64_t *color, uint64_t *next)
{
  memset(next, 0, s->blanks * sizeof(*next));
  for (size_t r = 0; r < s->rows; r++) {
    uint64_t row = 0;
    for (size_t c = 0; c < s->width; c++)
      row = base_mix(row * 31 + cell_hash(s, color, r * s->width + c));
    for (size_t c = 0; c < s->width; c++) {
      uint32_t b = s->blank[r * s->width + c];
      if (b != NOT_BLANK) next[b] += base_mix(row + c * 0x9E3779B97F4A7C15u);
    }
  }
  for (uint32_t b = 0; b < s->blanks; b++)
    color[b] = base_mix(color[b] ^ base_mix(next[b]));
}

static int
compare_u64(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint64_t *
sorted_copy(const uint64_t *color, size_t n)
{
  uint64_t *copy = grab(n, sizeof(*copy));
  if (n) memcpy(copy, color, n * sizeof(*copy));
  qsort(copy, n, sizeof(*copy), compare_u64);
  return copy;
}

static size_t
count_colors(const uint64_t *color, size_t n)
{
  uint64_t *sorted = sorted_copy(color, n);
  size_t count = n != 0;
  for (size_t i = 1; i < n; i++)
    count += sorted[i] != sorted[i - 1];
  free(sorted);
  return count;
}

static bool
same_bag(const uint64_t *a, const uint64_t *b, size_t n)
{
  uint64_t *x = sorted_copy(a, n), *y = sorted_copy(b, n);
  bool same = n == 0 || memcmp(x, y, n * sizeof(*x)) == 0;
  free(x);
  free(y);
  return same;
}

/* With every colour a node of its own: rows agree as bags of hashes (64 bits of each term). */
static bool
same_rows(const side *a, const uint64_t *ca, const side *b, const uint64_t *cb)
{
  uint64_t *x = grab(a->rows, sizeof(*x)), *y = grab(b->rows, sizeof(*y));
  for (size_t r = 0; r < a->rows; r++) {
    for (size_t c = 0; c < a->width; c++) {
      x[r] = base_mix(x[r] * 31 + cell_hash(a, ca, r * a->width + c));
      y[r] = base_mix(y[r] * 31 + cell_hash(b, cb, r * b->width + c));
    }
  }
  bool same = same_bag(x, y, a->rows);
  free(x);
  free(y);
  return same;
}

/* First node of `s` that shares its colour, or s->blanks. */
static uint32_t
first_shared(const side *s, const uint64_t *color)
{
  for (uint32_t i = 0; i < s->blanks; i++)
    for (uint32_t j = i + 1; j < s->blanks; j++)
      if (color[i] == color[j]) return i;
  return s->blanks;
}

static bool
match(const side *a, uint64_t *ca, const side *b, uint64_t *cb)
{
  size_t n = a->blanks, colors = count_colors(ca, n), before;
  uint64_t *next = grab(n, sizeof(*next));
  bool found = false;
  do {
    before = colors;
    refine(a, ca, next);
    refine(b, cb, next);
    colors = count_colors(ca, n);
  } while (colors > before);
  free(next);
  if (!same_bag(ca, cb, n)) return false;
  uint32_t pick = colors == n ? a->blanks : first_shared(a, ca);
  if (pick == a->blanks) return same_rows(a, ca, b, cb);

  uint64_t *xa = grab(n, sizeof(*xa)), *xb = grab(n, sizeof(*xb));
  for (uint32_t other = 0; other < b->blanks && !found; other++) {
    if (cb[other] != ca[pick]) continue;
    memcpy(xa, ca, n * sizeof(*xa));
    memcpy(xb, cb, n * sizeof(*xb));
    xa[pick] = xb[other] = base_mix(ca[pick] + 0xABCDEF);
    found = match(a, xa, b, xb);
  }
  free(xa);
  free(xb);
  return found;
}

bool
rows_isomorphic(const rdf_term *a, size_t a_rows, const rdf_term *b, size_t b_rows, size_t width)
{
  side x, y;
  if (a_rows != b_rows) return false;
  side_new(&x, a, a_rows, width);
  side_new(&y, b, b_rows, width);
  bool same = x.blanks == y.blanks;
  if (same) {
    uint64_t *ca = grab(x.blanks, sizeof(*ca)), *cb = grab(y.blanks, sizeof(*cb));
    same = match(&x, ca, &y, cb);
    free(ca);
    free(cb);
  }
  side_free(&x);
  side_free(&y);
  return same;
}

static int
compare_terms(const rdf_term *a, const rdf_term *b)
{
  int c = (a->kind > b->kind) - (a->kind < b->kind);
  if (!c) c = base_span_compare(a->value, b->value);
  if (!c) c = base_span_compare(a->datatype, b->datatype);
  return c ? c : base_span_compare(a->lang, b->lang);
}

static int
compare_quads(const void *a, const void *b)
{
  const rdfio_quad *x = a, *y = b;
  int c = 0;
  for (int i = 0; i < 4 && !c; i++)
    c = compare_terms(&x->term[i], &y->term[i]);
  return c;
}

/* The terms of distinct quads, four to a row; *n becomes their number. */
static rdf_term *
distinct(size_t *n, const rdfio_quad *quads)
{
  rdfio_quad *copy = grab(*n, sizeof(*copy));
  size_t kept = 0;
  if (*n) memcpy(copy, quads, *n * sizeof(*copy));
  qsort(copy, *n, sizeof(*copy), compare_quads);
  for (size_t i = 0; i < *n; i++)
    if (!kept || compare_quads(&copy[kept - 1], &copy[i])) copy[kept++] = copy[i];
  rdf_term *rows = grab(kept, sizeof(copy->term));
  for (size_t i = 0; i < kept; i++)
    memcpy(rows + 4 * i, copy[i].term, sizeof(copy->term));
  free(copy);
  *n = kept;
  return rows;
}

bool
quads_isomorphic(const rdfio_quad *a, size_t n_a, const rdfio_quad *b, size_t n_b)
{
  rdf_term *x = distinct(&n_a, a), *y = distinct(&n_b, b);
  bool same = rows_isomorphic(x, n_a, y, n_b, 4);
  free(x);
  free(y);
  return same;
}
