/* rdfio/batch.h - statements on their way to the sink, with what every reader does per batch:
 * progress, cancelling, counting, bad statements. Private. */
#ifndef QUOIN_RDFIO_BATCH_H
#define QUOIN_RDFIO_BATCH_H

#include "rdfio/rdfio.h"

enum { RDFIO_BATCH = 1024 };

typedef struct rdfio_batch {
  rdfio_quad quads[RDFIO_BATCH];
  size_t n;
  base_arena arena; /* text of the quads that is not in the reader's buffer; reset by a flush */
  const rdfio_read_options *options;
  rdfio_source *source;
  rdfio_sink_fn sink;
  void *sink_user;
  rdfio_read_result *result;
  uint64_t progress_at; /* base_clock_ns() of the next report */
} rdfio_batch;

/* Give what is there to the sink and forget it. */
quoin_status rdfio_batch_flush(rdfio_batch *batch, quoin_error *err);
/* A bad statement: QUOIN_OK when reading goes on (lenient: it was reported and counted), else the
 * status of `bad`, which was copied to `err`. */
quoin_status rdfio_batch_bad(rdfio_batch *batch, const quoin_error *bad, quoin_error *err);

/* The path of a source that is a file on disk, else NULL (rdfio/source.c). */
const char *rdfio_source_path(const rdfio_source *source);

/* Readers of one syntax (rdfio/lines.c, rdfio/turtle.c). The batch is flushed when they return OK.
 */
quoin_status rdfio_read_lines(rdfio_batch *batch, bool quads, const base_alloc *mem,
                              quoin_error *err);
quoin_status rdfio_read_turtle(rdfio_batch *batch, bool trig, const base_alloc *mem,
                               quoin_error *err);

#endif /* QUOIN_RDFIO_BATCH_H */
