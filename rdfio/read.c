/* rdfio/read.c - rdfio_read: chooses the reader and carries batches to the sink. */
#include "rdfio/batch.h"

#include "base/poison.h"

enum { PROGRESS_NS = 250 * 1000 * 1000 };

quoin_status
rdfio_batch_flush(rdfio_batch *b, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (b->options->cancel && (st = base_cancel_check(b->options->cancel, err))) return st;
  if (b->n) {
    if ((st = b->sink(b->sink_user, b->quads, b->n, err))) return st;
    b->result->statements += b->n;
  }
  b->n = 0;
  base_arena_reset(&b->arena);
  if (b->options->progress) {
    uint64_t now = base_clock_ns();
    if (now >= b->progress_at) {
      uint64_t taken, total;
      rdfio_source_progress(&taken, &total, b->source);
      b->progress_at = now + PROGRESS_NS;
      b->options->progress(b->options->user, b->result->statements, taken, total);
    }
  }
  return QUOIN_OK;
}

quoin_status
rdfio_batch_bad(rdfio_batch *b, const quoin_error *bad, quoin_error *err)
{
  bool statement = bad->status == QUOIN_ERR_SYNTAX || bad->status == QUOIN_ERR_CONSTRAINT;
  if (b->options->lenient && statement) {
    b->result->skipped++;
    if (b->options->bad) b->options->bad(b->options->user, bad);
    return QUOIN_OK;
  }
  if (err) *err = *bad;
  return bad->status;
}

quoin_status
rdfio_read(rdfio_read_result *out, rdfio_source *source, const rdfio_read_options *options,
           rdfio_sink_fn sink, void *sink_user, const base_alloc *mem, quoin_error *err)
{
  const char *name = rdfio_source_name(source);
  rdfio_format format = options->format ? options->format : rdfio_format_by_path(name);
  rdfio_read_result result = {0};
  quoin_status st = QUOIN_OK;

  *out = result;
  rdfio_batch *b = base_new(mem, 1, sizeof(*b));
  if (!b) return base_fail_nomem(err);
  b->n = 0;
  b->options = options;
  b->source = source;
  b->sink = sink;
  b->sink_user = sink_user;
  b->result = &result;
  b->progress_at = options->progress ? base_clock_ns() + PROGRESS_NS : 0;
  base_arena_init(&b->arena, mem);
  switch (format) {
  case RDFIO_UNKNOWN:
    st =
        base_fail(err, QUOIN_ERR_ARGUMENT,
                  "the RDF syntax of '%.200s' is not known by its name: choose nt, nq, ttl or trig "
                  "as the format",
                  name);
    break;
  case RDFIO_NTRIPLES:
  case RDFIO_NQUADS:
    st = rdfio_read_lines(b, format == RDFIO_NQUADS, mem, err);
    break;
  case RDFIO_TURTLE:
  case RDFIO_TRIG:
    st = rdfio_read_turtle(b, format == RDFIO_TRIG, mem, err);
    break;
  }
  *out = result;
  base_arena_clear(&b->arena);
  base_release(mem, b, 1, sizeof(*b));
  return st;
}
