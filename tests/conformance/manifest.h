/* tests/conformance/manifest.h - W3C test manifests, read with Quoin's own reader.
 *
 * The suites lie in $QUOIN_SHARED/w3c; the base IRI of the file at PATH there is
 * https://w3c.github.io/rdf-tests/PATH (w3c/README.md). */
#ifndef QUOIN_TESTS_CONFORMANCE_MANIFEST_H
#define QUOIN_TESTS_CONFORMANCE_MANIFEST_H

#include "rdfio/rdfio.h"

#define W3C_BASE "https://w3c.github.io/rdf-tests/"
#define MF "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
#define QT "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
#define UT "http://www.w3.org/2009/sparql/tests/test-update#"
#define RDFT "http://www.w3.org/ns/rdftest#"
#define RDFS "http://www.w3.org/2000/01/rdf-schema#"

/* Quads in memory, with their text. Start from dataset_init. */
typedef struct dataset {
  base_arena arena;
  rdfio_quad *quads; /* by subject after dataset_index */
  size_t n, cap;
} dataset;

void dataset_init(dataset *d);
void dataset_clear(dataset *d);
/* Append the file at `path`; `base` may be empty. Blank node labels are kept: a file's scope is for
 * the caller to mind. */
quoin_status dataset_read(dataset *d, const char *path, rdfio_format format, quoin_span base,
                          quoin_error *err);
quoin_status dataset_add(dataset *d, const rdfio_quad *quad, quoin_error *err); /* copies */
/* Sort by subject, for the two below. */
void dataset_index(dataset *d);
/* The objects of subject and predicate (a full IRI) one by one: start with *at 0; NULL at the end.
 */
const rdf_term *dataset_next(size_t *at, const dataset *d, const rdf_term *subject,
                             const char *predicate);
/* The first, or NULL. */
const rdf_term *dataset_object(const dataset *d, const rdf_term *subject, const char *predicate);

/* One entry of a manifest. */
typedef struct manifest_test {
  const dataset *graph;            /* all that the manifest says; indexed */
  const char *manifest;            /* its path below w3c/ */
  rdf_term node;                   /* the entry */
  quoin_span name;                 /* mf:name, else the node */
  quoin_span type;                 /* rdf:type, a full IRI */
  const rdf_term *action, *result; /* may be NULL */
} manifest_test;

/* Call `each` for the entries of the manifest at `path` (below `shared`/w3c) and of those that it
 * includes, depth first, in order. Included manifests that are not there are passed over. A status
 * that is not OK ends the walk. */
quoin_status manifest_each(const char *shared, const char *path,
                           quoin_status (*each)(void *user, const manifest_test *test,
                                                quoin_error *err),
                           void *user, quoin_error *err);

/* Path in the file system of an IRI below W3C_BASE; NULL (and nothing written) for others. */
const char *manifest_file(char *out, size_t room, const char *shared, quoin_span iri);
/* The text after the last '#' or '/'. */
quoin_span manifest_local_name(quoin_span iri);
/* The column `applicable` of COUNTS.tsv for a manifest (path below w3c/) and a type (local name);
 * -1 when it has no such row. Manifest NULL: the sum over those of `suite`. */
long manifest_count(const char *shared, const char *suite, const char *manifest, quoin_span type);

#endif /* QUOIN_TESTS_CONFORMANCE_MANIFEST_H */
