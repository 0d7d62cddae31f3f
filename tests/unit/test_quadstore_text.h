/* Stores compared by what they say: every quad as a line of text, sorted. What the tests of clear
 * and compact share. */
#ifndef QUOIN_TESTS_QUADSTORE_TEXT_H
#define QUOIN_TESTS_QUADSTORE_TEXT_H

#include "unit/test_quadstore_support.h"

#define MEM base_alloc_default()

static inline quad_store *
store_open(const support_dir *d, uint64_t memory_bytes)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options options = {
      .create = true, .durability = QUAD_SYNC_OFF, .memory_bytes = memory_bytes};
  quad_store *store;

  assert_ok(quad_store_open(&store, d->path, &options, MEM, &err));
  return store;
}

static inline void
store_close(quad_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(quad_store_close(store, &err));
}

/* ---- terms of every kind, by number */

typedef struct spelled {
  rdf_term term[4];
  char text[4][96];
} spelled;

static inline quoin_span
spell(char text[96], const char *form, unsigned n)
{
  int len = snprintf(text, 96, "%s%u", form, n);
  return (quoin_span){text, (size_t)len};
}

static inline rdf_term
iri_number(char text[96], unsigned n)
{
  static const char *const forms[] = {"http://example.org/people/", "http://example.org/x#",
                                      "urn:", "http://other.example/deep/er/path/"};
  return (rdf_term){.kind = RDF_IRI, .value = spell(text, forms[n % 4], n)};
}

static inline rdf_term
object_number(char text[96], unsigned n)
{
  rdf_term t = {.kind = RDF_LITERAL};
  switch (n % 11) {
  case 0:
    t.value = spell(text, "text number ", n);
    return t;
  case 1:
    t.value = spell(text, "Wort ", n);
    t.lang = base_span(n % 2 ? "de" : "en-GB");
    return t;
  case 2:
    t.value = spell(text, "", n);
    t.datatype = base_span(RDF_XSD "integer");
    return t;
  case 3:
    t.value = spell(text, "00", n); /* not as the id would say it */
    t.datatype = base_span(RDF_XSD "integer");
    return t;
  case 4:
    t.value = spell(text, "", n);
    t.datatype = base_span(n % 2 ? "http://example.org/types/a" : "http://example.org/types/b");
    return t;
  case 5:
    t.value = spell(text, "soon ", n);
    t.datatype = base_span(RDF_XSD "dateTime");
    return t;
  case 6:
    t.value = spell(text, "maybe ", n);
    t.datatype = base_span(RDF_XSD "boolean");
    return t;
  case 7: /* one row of 64 bytes, or two */
    t.value.ptr = text;
    t.value.len = (size_t)snprintf(
        text, 96, n % 2 ? "[%u,0.5,-1]" : "[%u,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]", n);
    t.datatype = base_span(RDF_VEC_F32);
    return t;
  default:
    return iri_number(text, n);
  }
}

/* Quad number n of a world: equal numbers, equal quads. */
static inline void
spell_quad(spelled *out, unsigned n)
{
  uint64_t h = base_mix(n + 1);
  out->term[0] = iri_number(out->text[0], n / 3);
  out->term[1] = iri_number(out->text[1], 4 * (unsigned)(h % 7));
  out->term[2] = object_number(out->text[2], (unsigned)(h >> 8 & 0xffff) + n);
  out->term[3] = (rdf_term){.kind = RDF_NONE};
  if (h >> 32 & 1) out->term[3] = iri_number(out->text[3], (unsigned)(h >> 40) % 5);
}

static inline void
txn_add_number(quad_txn *txn, unsigned n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  spelled q;
  spell_quad(&q, n);
  assert_ok(quad_txn_add(txn, q.term, &err));
}

static inline void
txn_remove_number(quad_txn *txn, unsigned n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  spelled q;
  spell_quad(&q, n);
  assert_ok(quad_txn_remove(txn, q.term, &err));
}

/* Quads [from, to) in one commit. */
static inline void
change_numbers(quad_store *store, unsigned from, unsigned to, bool remove)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_txn *txn;
  assert_ok(quad_txn_begin(&txn, store, &err));
  for (unsigned n = from; n < to; n++)
    (remove ? txn_remove_number : txn_add_number)(txn, n);
  assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
}

/* ---- content as text */

typedef struct text {
  char **line;
  size_t n, room;
} text;

static inline int
text_compare(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void
text_add(text *t, const rdf_term terms[4])
{
  base_buffer b;
  base_buffer_init(&b, MEM);
  for (unsigned k = 0; k < 4; k++) {
    if (terms[k].kind == RDF_NONE) continue;
    rdf_term_write(&b, &terms[k]);
    base_buffer_byte(&b, ' ');
  }
  if (t->n == t->room) t->line = realloc(t->line, (t->room = t->room * 2 + 64) * sizeof *t->line);
  t->line[t->n++] = strndup(b.data, b.len);
  base_buffer_clear(&b);
}

static inline void
text_sort(text *t)
{
  if (t->n) qsort(t->line, t->n, sizeof *t->line, text_compare);
}

static inline void
text_free(text *t)
{
  for (size_t i = 0; i < t->n; i++)
    free(t->line[i]);
  free(t->line);
  *t = (text){NULL, 0, 0};
}

static inline void
text_add_number(text *t, unsigned n)
{
  spelled q;
  spell_quad(&q, n);
  text_add(t, q.term);
}

/* The quads of a snapshot as `order` has them. */
static inline text
text_of(const quad_snapshot *s, quad_order order)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_pattern all = {.scope = QUAD_ANY};
  quad_scan *scan;
  quad_batch b;
  base_arena arena;
  quoin_status st;
  text t = {NULL, 0, 0};

  base_arena_init(&arena, MEM);
  assert_ok(quad_scan_open(&scan, s, &all, order, 15, &err));
  while (!(st = quad_scan_next(&b, scan, &err)))
    for (size_t i = 0; i < b.rows; i++) {
      rdf_term terms[4] = {{.kind = RDF_NONE}};
      for (unsigned k = 0; k < 4; k++) {
        terms[k].kind = RDF_NONE;
        if (b.column[k][i].bits)
          assert_ok(atom_read(&terms[k], quad_snapshot_atoms(s), b.column[k][i], &arena, &err));
      }
      text_add(&t, terms);
      base_arena_reset(&arena);
    }
  if (st != QUOIN_DONE) fail_msg("%s", err.message);
  quad_scan_close(scan);
  base_arena_clear(&arena);
  text_sort(&t);
  return t;
}

static inline bool
text_equal(const text *a, const text *b)
{
  if (a->n != b->n) return false;
  for (size_t i = 0; i < a->n; i++)
    if (strcmp(a->line[i], b->line[i])) return false;
  return true;
}

static inline void
assert_text(const text *expected, const quad_snapshot *s)
{
  for (unsigned order = 0; order < QUAD_ORDERS; order++) {
    text t = text_of(s, (quad_order)order);
    if (t.n != expected->n) fail_msg("order %u: %zu quads, %zu expected", order, t.n, expected->n);
    for (size_t i = 0; i < t.n; i++)
      if (strcmp(t.line[i], expected->line[i]))
        fail_msg("order %u: '%s', expected '%s'", order, t.line[i], expected->line[i]);
    text_free(&t);
  }
}

static inline void
assert_store(quad_store *store, const text *expected)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot *s;
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_text(expected, s);
  quad_snapshot_release(s);
  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
}

static inline text
store_text(quad_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot *s;
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  text t = text_of(s, QUAD_SPO);
  quad_snapshot_release(s);
  return t;
}

/* Bytes of the directory, as written. */
static inline uint64_t
dir_bytes(const support_dir *d, unsigned *files)
{
  DIR *dir = opendir(d->path);
  struct dirent *e;
  uint64_t sum = 0;
  *files = 0;
  while ((e = readdir(dir))) {
    struct stat st;
    char full[512];
    (void)snprintf(full, sizeof full, "%s/%s", d->path, e->d_name);
    if (e->d_name[0] == '.' || stat(full, &st)) continue;
    sum += (uint64_t)st.st_size;
    ++*files;
  }
  closedir(dir);
  return sum;
}

#endif /* QUOIN_TESTS_QUADSTORE_TEXT_H */
