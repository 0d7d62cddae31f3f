/* load/load.h - bulk load: joins parser, atoms and runs. The door of the module. */
#ifndef QUOIN_LOAD_LOAD_H
#define QUOIN_LOAD_LOAD_H

#include "quadstore/quadstore.h"
#include "rdfio/rdfio.h"

typedef struct load_options {
  rdfio_read_options read; /* format, base, lenient, threads, callbacks */
  const rdf_term *graph;   /* statements without a graph go here; NULL: the default graph */
  uint64_t memory_bytes;   /* 0: a quarter of RAM */
} load_options;

typedef struct load_result {
  uint64_t statements; /* read */
  uint64_t added;      /* quads that were new */
  uint64_t skipped;    /* bad ones, lenient mode */
  uint64_t bytes;      /* decompressed */
} load_result;

/* Load every statement of all sources, or none: the store is as it was after any failure. Each
 * source is a blank node scope of its own. The sources stay the caller's. Errors: those of
 * rdfio_read and quad_bulk_finish. */
quoin_status load_sources(load_result *out, quad_store *store, rdfio_source *const *sources,
                          size_t n, const load_options *options, const base_alloc *mem,
                          quoin_error *err);

#endif /* QUOIN_LOAD_LOAD_H */
