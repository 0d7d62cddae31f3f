/* sparql/memory/spill_merge.c - see spill_merge.h. A binary heap of slots. */
#include "sparql/memory/spill_merge.h"

#include <assert.h>

#include "base/poison.h"

quoin_status
spill_merge_add(spill_merge *merge, sparql_context *ctx, spill_stream *run, quoin_error *err)
{
  void *runs = merge->runs;
  merge->ctx = ctx;
  if (!base_reserve(ctx->mem, &runs, &merge->cap_runs, merge->n_runs + 1, sizeof(*merge->runs)))
    return base_fail_nomem(err);
  merge->runs = runs;
  merge->runs[merge->n_runs++] = *run;
  *run = (spill_stream){0};
  return QUOIN_OK;
}

/* Buffers of so many take an eighth of the budget. */
static size_t
fan_in(const sparql_context *ctx)
{
  uint64_t n = ctx->memory_limit / 8 / (64 * 1024);
  if (ctx->memory_limit < UINT64_C(16) * 1024 * 1024) n = ctx->memory_limit / 8 / 4096;
  return n < 4 ? 4 : n > SPILL_MERGE_MOST ? SPILL_MERGE_MOST : (size_t)n;
}

static bool
slot_before(const spill_merge *merge, uint32_t a, uint32_t b)
{
  if (merge->records.before(merge->records.user, a, b)) return true;
  return a < b && !merge->records.before(merge->records.user, b, a);
}

static void
sift_down(spill_merge *merge, size_t at)
{
  uint32_t slot = merge->heap[at];
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= merge->n_heap) break;
    if (child + 1 < merge->n_heap && slot_before(merge, merge->heap[child + 1], merge->heap[child]))
      child++;
    if (!slot_before(merge, merge->heap[child], slot)) break;
    merge->heap[at] = merge->heap[child];
    at = child;
  }
  merge->heap[at] = slot;
}

/* Read runs[0..n) together. */
static quoin_status
open_runs(spill_merge *merge, size_t n, quoin_error *err)
{
  quoin_status st;
  merge->n_heap = 0;
  merge->given = false;
  for (size_t i = 0; i < n; i++) {
    spill_reader *reader = &merge->readers[i];
    if ((st = spill_open(reader, &merge->runs[i], true, merge->ctx, err))) return st;
    if (spill_at_end(reader)) continue;
    if ((st = merge->records.read(merge->records.user, i, reader, err))) return st;
    merge->heap[merge->n_heap++] = (uint32_t)i;
  }
  for (size_t i = merge->n_heap / 2; i-- > 0;)
    sift_down(merge, i);
  return QUOIN_OK;
}

quoin_status
spill_merge_next(size_t *slot, spill_merge *merge, quoin_error *err)
{
  if (merge->n_heap && merge->given) {
    uint32_t top = merge->heap[0];
    spill_reader *reader = &merge->readers[top];
    if (spill_at_end(reader)) {
      spill_close(reader, merge->ctx);
      merge->heap[0] = merge->heap[--merge->n_heap];
    } else {
      quoin_status st = merge->records.read(merge->records.user, top, reader, err);
      if (st) return st;
    }
    if (merge->n_heap) sift_down(merge, 0);
  }
  if (!merge->n_heap) return QUOIN_DONE;
  merge->given = true;
  *slot = merge->heap[0];
  return QUOIN_OK;
}

/* The first n runs become one, at their place. */
static quoin_status
merge_first(spill_merge *merge, size_t n, quoin_error *err)
{
  spill_stream merged = {0};
  size_t slot;
  quoin_status st = open_runs(merge, n, err);
  while (!st && !(st = spill_merge_next(&slot, merge, err))) {
    merged.rows++;
    st = merge->records.write(merge->records.user, slot, &merged, err);
  }
  if (st == QUOIN_DONE) st = spill_finish(&merged, merge->ctx, err);
  for (size_t i = 0; i < n; i++) {
    spill_close(&merge->readers[i], merge->ctx);
    spill_drop(&merge->runs[i], merge->ctx);
  }
  merge->runs[0] = merged; /* on failure too: it is dropped with the others */
  memmove(&merge->runs[1], &merge->runs[n], (merge->n_runs - n) * sizeof(*merge->runs));
  merge->n_runs -= n - 1;
  return st;
}

/* Move the first run behind the others, but count from where it went: order among equals matters,
 * so a pass goes over all runs before the next one begins. */
static void
rotate(spill_merge *merge)
{
  spill_stream first = merge->runs[0];
  memmove(&merge->runs[0], &merge->runs[1], (merge->n_runs - 1) * sizeof(*merge->runs));
  merge->runs[merge->n_runs - 1] = first;
}

quoin_status
spill_merge_begin(spill_merge *merge, const spill_records *records, quoin_error *err)
{
  sparql_context *ctx = merge->ctx;
  quoin_status st;
  size_t most = fan_in(ctx);
  merge->records = *records;
  merge->readers = base_new_zero(ctx->mem, SPILL_MERGE_MOST, sizeof(*merge->readers));
  merge->heap = base_new(ctx->mem, SPILL_MERGE_MOST, sizeof(*merge->heap));
  if (!merge->readers || !merge->heap) return base_fail_nomem(err);
  while (merge->n_runs > most) {
    /* one pass: neighbours are merged, the results stay in order */
    for (size_t left = merge->n_runs; left > 0;) {
      size_t n = left < most ? left : most;
      if (n > 1 && (st = merge_first(merge, n, err))) return st;
      rotate(merge);
      left -= n;
    }
  }
  return open_runs(merge, merge->n_runs, err);
}

void
spill_merge_clear(spill_merge *merge, sparql_context *ctx)
{
  for (size_t i = 0; merge->readers && i < SPILL_MERGE_MOST; i++)
    spill_close(&merge->readers[i], ctx);
  for (size_t i = 0; i < merge->n_runs; i++)
    spill_drop(&merge->runs[i], ctx);
  base_release(ctx->mem, merge->runs, merge->cap_runs, sizeof(*merge->runs));
  if (merge->readers)
    base_release(ctx->mem, merge->readers, SPILL_MERGE_MOST, sizeof(*merge->readers));
  if (merge->heap) base_release(ctx->mem, merge->heap, SPILL_MERGE_MOST, sizeof(*merge->heap));
  *merge = (spill_merge){0};
}

/* ---- rows of ids in the order of a number ---------------------------------------------------- */

static quoin_status
row_read(void *user, size_t slot, spill_reader *reader, quoin_error *err)
{
  spill_sequence *sequence = user;
  return spill_get(&sequence->rows[slot * sequence->width], reader, sequence->merge.ctx,
                   sequence->width * sizeof(uint64_t), err);
}

static quoin_status
row_write(void *user, size_t slot, spill_stream *stream, quoin_error *err)
{
  spill_sequence *sequence = user;
  return spill_put(stream, sequence->merge.ctx, &sequence->rows[slot * sequence->width],
                   sequence->width * sizeof(uint64_t), err);
}

static bool
row_before(const void *user, size_t a, size_t b)
{
  const spill_sequence *sequence = user;
  return sequence->rows[a * sequence->width] < sequence->rows[b * sequence->width];
}

quoin_status
spill_sequence_begin(spill_sequence *sequence, sparql_context *ctx, size_t width, quoin_error *err)
{
  assert(width > 0);
  sequence->merge.ctx = ctx;
  sequence->width = width;
  sequence->rows = base_new(ctx->mem, SPILL_MERGE_MOST * width, sizeof(*sequence->rows));
  if (!sequence->rows) return base_fail_nomem(err);
  const spill_records records = {
      .user = sequence, .read = row_read, .write = row_write, .before = row_before};
  return spill_merge_begin(&sequence->merge, &records, err);
}

quoin_status
spill_sequence_rows(size_t *n, atom_id *const *to, spill_sequence *sequence, quoin_error *err)
{
  *n = 0;
  while (*n < SPARQL_BATCH) {
    size_t slot;
    quoin_status st = spill_merge_next(&slot, &sequence->merge, err);
    if (st == QUOIN_DONE) break;
    if (st) return st;
    const uint64_t *row = &sequence->rows[slot * sequence->width];
    for (size_t c = 0; c + 1 < sequence->width; c++)
      if (to[c]) to[c][*n] = (atom_id){row[c + 1]};
    ++*n;
  }
  return *n ? QUOIN_OK : QUOIN_DONE;
}

void
spill_sequence_clear(spill_sequence *sequence, sparql_context *ctx)
{
  spill_merge_clear(&sequence->merge, ctx);
  base_release(ctx->mem, sequence->rows, sequence->rows ? SPILL_MERGE_MOST * sequence->width : 0,
               sizeof(*sequence->rows));
  *sequence = (spill_sequence){0};
}
