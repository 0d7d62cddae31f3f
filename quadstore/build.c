/* quadstore/build.c - all orders of a run from records sorted by SPO.
 *
 * The orders form a chain: a stable sort of (x,y,z) by y gives (y,x,z), so each order of the six
 * comes from the one before by sorting one column. With a second thread the next order is sorted
 * (into a third buffer) while this one is encoded; what is written is the same. */
#include "quadstore/sort.h"

#include "base/poison.h"

const uint8_t quad_build_sequence[QUAD_ORDERS] = {
    QUAD_SPO, QUAD_PSO, QUAD_OPS, QUAD_SOP, QUAD_OSP, QUAD_POS, QUAD_GPOS, QUAD_GSPO, QUAD_GOSP};

typedef struct chain_step {
  uint8_t n, by[2];
} chain_step;
/* What to sort by to come from the order before in quad_build_sequence. */
static const chain_step steps[QUAD_ORDERS] = {
    {0, {0}},      {1, {QUAD_P}}, {1, {QUAD_O}},         {1, {QUAD_S}},        {1, {QUAD_O}},
    {1, {QUAD_P}}, {1, {QUAD_G}}, {2, {QUAD_G, QUAD_S}}, {2, {QUAD_G, QUAD_O}}};

static quoin_status
emit_order(quad_sink *sink, unsigned part, unsigned order, const uint64_t *data,
           const quad_records *r, base_cancel *cancel, const base_alloc *mem, quoin_error *err)
{
  const uint8_t *keys = quad_order_keys[order];
  uint64_t *col = base_new(mem, 4 * (size_t)CODEC_BLOCK, sizeof *col);
  uint8_t dead[CODEC_BLOCK];
  const uint64_t *cols[4];
  quoin_status st;

  if (!col) return base_fail_nomem(err);
  for (unsigned k = 0; k < 4; k++)
    cols[k] = col + (size_t)k * CODEC_BLOCK;
  if ((st = sink->begin(sink, part, order, err))) goto done;
  for (size_t at = 0; at < r->n; at += CODEC_BLOCK) {
    size_t n = r->n - at < CODEC_BLOCK ? r->n - at : CODEC_BLOCK;
    const uint64_t *rec = data + at * r->stride;
    for (unsigned k = 0; k < r->keys; k++)
      for (size_t i = 0; i < n; i++)
        col[(size_t)k * CODEC_BLOCK + i] = rec[i * r->stride + keys[k]];
    for (size_t i = 0; r->sign && i < n; i++)
      dead[i] = (uint8_t)rec[i * r->stride + r->keys];
    if ((st = sink->add(sink, cols, r->sign ? dead : NULL, n, err))) goto done;
    if (cancel && (st = base_cancel_check(cancel, err))) goto done;
  }
  st = sink->end(sink, err);

done:
  base_release(mem, col, 4 * (size_t)CODEC_BLOCK, sizeof *col);
  return st;
}

/* One order being encoded on a thread of its own. */
typedef struct emit_job {
  quad_sink *sink;
  unsigned part, order;
  const uint64_t *data;
  const quad_records *records;
  const base_alloc *mem;
  quoin_status status;
  quoin_error *err;
  pthread_t thread;
  bool running;
} emit_job;

static void *
emit_main(void *arg)
{
  emit_job *job = arg;

  job->status = emit_order(job->sink, job->part, job->order, job->data, job->records, NULL,
                           job->mem, job->err);
  return NULL;
}

static quoin_status
join(emit_job *job)
{
  if (!job->running) return QUOIN_OK;
  (void)pthread_join(job->thread, NULL);
  job->running = false;
  return job->status;
}

static unsigned
last_step(uint32_t orders, unsigned part)
{
  unsigned last = 0;

  for (unsigned i = 0; i < QUAD_ORDERS; i++) {
    unsigned order = quad_build_sequence[i];
    if (part == QUAD_PART_DEFAULT && order >= QUAD_GSPO) continue;
    if (orders >> order & 1) last = i;
  }
  return last;
}

/* The data that is being encoded must not be sorted in place: sort from it into the other two. */
static quoin_status
next_order(quad_records *r, uint64_t **third, const chain_step *step, bool keep,
           const base_alloc *mem, quoin_error *err)
{
  uint64_t *kept = r->data;
  quoin_status st;

  if (keep) r->third = *third;
  st = quad_records_sort(r, step->by, step->n, mem, err);
  if (keep && !r->third) *third = kept; /* free once its encoding has ended */
  r->third = NULL;
  return st;
}

quoin_status
quad_build_orders(quad_sink *sink, unsigned part, quad_records *r, unsigned threads,
                  base_cancel *cancel, const base_alloc *mem, quoin_error *err)
{
  unsigned last = last_step(sink->orders, part);
  size_t words = r->n * r->stride;
  uint64_t *third = threads > 1 && r->n >= 100000 ? base_new(mem, words, 8) : NULL;
  uint64_t *own = third;
  /* `third` wanders among the three buffers: what is freed at the end is restored below */
  uint64_t *data0 = r->data, *spare0 = r->spare;
  emit_job job = {.sink = sink, .part = part, .records = r, .mem = mem, .err = err};
  quoin_status st = QUOIN_OK, joined;

  for (unsigned i = 0; i <= last; i++) {
    unsigned order = quad_build_sequence[i];
    if (i) {
      quoin_error *e = job.running ? NULL : err; /* the job may be writing to err */
      st = next_order(r, &third, &steps[i], job.running, mem, e);
      if ((joined = join(&job)))
        st = joined;
      else if (st && !e)
        st = base_fail_nomem(err);
      if (st) goto done;
    }
    if (!(sink->orders >> order & 1)) continue;
    if (cancel && (st = base_cancel_check(cancel, err))) goto done;
    job.order = order;
    job.data = r->data;
    job.running = third && i < last && pthread_create(&job.thread, NULL, emit_main, &job) == 0;
    if (job.running) continue;
    if ((st = emit_order(sink, part, order, r->data, r, cancel, mem, err))) goto done;
  }

done:
  if ((joined = join(&job)) && !st) st = joined;
  if (own) { /* give the caller its two buffers back; the records are used up */
    r->data = data0;
    r->spare = spare0;
    base_release(mem, own, words, 8);
  }
  return st;
}

/* The records as columns in the sequence of `order`. */
static void
fill_section(quad_section *sec, unsigned order, const quad_records *r, bool tombstones)
{
  const uint8_t *keys = quad_order_keys[order];

  for (unsigned k = 0; k < r->keys; k++) {
    const uint64_t *from = r->data + keys[k];
    uint64_t *to = sec->col[k];
    for (size_t i = 0; i < r->n; i++)
      to[i] = from[i * r->stride];
  }
  for (size_t i = 0; tombstones && i < r->n; i++) {
    sec->dead[i] = (uint8_t)r->data[i * r->stride + r->keys];
    sec->tombstones += sec->dead[i];
  }
  sec->entries = r->n;
}

quoin_status
quad_build_memory(quad_memory *m, uint32_t orders, unsigned part, quad_records *r, bool tombstones,
                  quad_tally *tally, const base_alloc *mem, quoin_error *err)
{
  unsigned last = last_step(orders, part);
  quoin_status st;

  for (unsigned i = 0; i <= last; i++) {
    unsigned order = quad_build_sequence[i];
    quad_section *sec;
    if (i && r->n > 1 && (st = quad_records_sort(r, steps[i].by, steps[i].n, mem, err))) return st;
    if (!(orders >> order & 1)) continue;
    sec = quad_memory_begin(m, part, order);
    fill_section(sec, order, r, tombstones);
    quad_memory_end(m);
    quad_tally_begin(tally, part, order);
    st = quad_tally_add(tally, (const uint64_t *const *)sec->col, sec->dead, r->n, err);
    if (st) return st;
  }
  return QUOIN_OK;
}
