/* rdfio/prefixes.h - prefix declarations of a document: name to IRI, by hash. Private. */
#ifndef QUOIN_RDFIO_PREFIXES_H
#define QUOIN_RDFIO_PREFIXES_H

#include "base/base.h"

typedef struct rdfio_prefix {
  quoin_span name, iri; /* name.ptr NULL: an empty slot */
} rdfio_prefix;

typedef struct rdfio_prefixes {
  const base_alloc *mem;
  base_arena text;
  rdfio_prefix *slots; /* cap is 0 or a power of two, at most three quarters full */
  size_t cap, count;
} rdfio_prefixes;

void rdfio_prefixes_init(rdfio_prefixes *p, const base_alloc *mem);
void rdfio_prefixes_clear(rdfio_prefixes *p);
/* Declare, or declare anew. Both are copied. */
quoin_status rdfio_prefixes_set(rdfio_prefixes *p, quoin_span name, quoin_span iri,
                                quoin_error *err);
/* NULL when it is not declared. */
const rdfio_prefix *rdfio_prefixes_find(const rdfio_prefixes *p, quoin_span name);

#endif /* QUOIN_RDFIO_PREFIXES_H */
