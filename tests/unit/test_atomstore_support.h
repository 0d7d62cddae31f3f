/* What the tests of the atom store share: a temporary directory, random numbers, term makers. */
#ifndef QUOIN_TESTS_TEST_ATOMSTORE_SUPPORT_H
#define QUOIN_TESTS_TEST_ATOMSTORE_SUPPORT_H

#include "atomstore/atomstore.h"
#include "unit/test_base_support.h"

#include <dirent.h>

typedef struct support_dir {
  char path[64];
  base_dir dir;
} support_dir;

static inline void
support_dir_make(support_dir *d)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const char *tmp = getenv("TMPDIR");
  (void)snprintf(d->path, sizeof(d->path), "%s/quoin-atoms-XXXXXX",
                 tmp && strlen(tmp) < 32 ? tmp : "/tmp");
  assert_non_null(mkdtemp(d->path));
  assert_ok(base_dir_open(&d->dir, d->path, &err));
}

static inline quoin_status
support_unlink(void *user, const char *name, quoin_error *err)
{
  return base_dir_unlink(user, name, err);
}

static inline void
support_dir_remove(support_dir *d)
{
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(base_dir_list(&d->dir, support_unlink, &d->dir, &err));
  base_dir_close(&d->dir);
  assert_int_equal(rmdir(d->path), 0);
}

/* The files of an atom store of its own, to be removed with support_dir_remove(&f.at). */
typedef struct support_atoms {
  support_dir at;
  atom_marks marks;
} support_atoms;

static inline void
support_atoms_make(support_atoms *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir_make(&f->at);
  f->marks = (atom_marks){.generation = 1};
  assert_ok(atom_store_create(&f->at.dir, &f->marks, &err));
}

/* The calling thread reads and writes, until support_atoms_close(). */
static inline atom_store *
support_atoms_open(const support_atoms *f, atom_open_mode mode)
{
  quoin_error err = QUOIN_ERROR_INIT;
  atom_store *store;
  assert_ok(atom_store_open(&store, &f->at.dir, &f->marks, mode, base_alloc_default(), &err));
  atom_store_pin(store);
  atom_store_writer_enter(store);
  return store;
}

static inline void
support_atoms_close(atom_store *store)
{
  atom_store_writer_leave(store);
  atom_store_unpin(store);
  atom_store_close(store);
}

static inline rdf_term
support_iri(const char *text)
{
  return (rdf_term){.kind = RDF_IRI, .value = base_span(text)};
}

static inline rdf_term
support_literal(const char *text, const char *datatype, const char *lang)
{
  return (rdf_term){.kind = RDF_LITERAL,
                    .value = base_span(text),
                    .datatype = base_span(datatype),
                    .lang = base_span(lang)};
}

/* Some term, the same for the same n: of all interned kinds, many with shared prefixes. */
static inline rdf_term
support_term(char buf[200], uint64_t n)
{
  uint64_t r = base_mix(n + 77);
  unsigned long long u = (unsigned long long)n;
  switch (r % 10) {
  case 0:
    (void)snprintf(buf, 200, "http://example.org/thing/%llu", u);
    return support_iri(buf);
  case 1:
    (void)snprintf(buf, 200, "http://example.org/%llu#x%llu", u % 97, u);
    return support_iri(buf);
  case 2:
    (void)snprintf(buf, 200, "http://www.w3.org/ns/very/long/path/to/something/%llu/", u);
    return support_iri(buf);
  case 3:
    (void)snprintf(buf, 200, "urn:%llu", u);
    return support_iri(buf);
  case 4:
    (void)snprintf(buf, 200, "text number %llu", u);
    return support_literal(buf, "", "");
  case 5:
    (void)snprintf(buf, 200, "%llu words", u);
    return support_literal(buf, "", n % 3 ? "en" : "de-CH");
  case 6:
    (void)snprintf(buf, 200, "00%llu", u);
    return support_literal(buf, RDF_XSD "integer", "");
  case 7:
    (void)snprintf(buf, 200, "%llu", u);
    return support_literal(buf, RDF_XSD "int", "");
  case 8:
    (void)snprintf(buf, 200, "%llu-Q1", u);
    return support_literal(buf, n % 2 ? "http://example.org/types#a" : RDF_XSD "gYear", "");
  default:
    (void)snprintf(buf, 200, "v%llu", u);
    return support_literal(buf, "http://example.org/types#b", "");
  }
}

#endif /* QUOIN_TESTS_TEST_ATOMSTORE_SUPPORT_H */
