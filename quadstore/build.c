/* quadstore/build.c - all orders of a run from records sorted by SPO.
 *
 * A stable sort of (x,y,z) by y gives (y,x,z), so each order comes from another by sorting one
 * column; and (x,z,y) is (x,y,z) with each x sorted by itself, in the cache. PSO is made aside, so
 * that SPO is there for SOP. All threads sort an order together, then encode it together, some
 * hundred blocks at a time; blocks are written where they would be if one thread did it all. */
#include "quadstore/ranks.h"
#include "quadstore/sort.h"
#include "quadstore/team.h"

#include <assert.h>

#include "base/poison.h"

enum { BATCH_ROWS = 128 * CODEC_BLOCK };

const uint8_t quad_build_sequence[QUAD_ORDERS] = {
    QUAD_SPO, QUAD_PSO, QUAD_SOP, QUAD_OSP, QUAD_OPS, QUAD_POS, QUAD_GPOS, QUAD_GSPO, QUAD_GOSP};

/* One order being encoded. */
typedef struct emission {
  quad_writer *writer;
  const quad_ranks *ranks;
  const uint32_t *data; /* its records, sorted */
  const uint8_t *keys;  /* of the order */
  const uint8_t *dead;  /* of the rows of any block; NULL: insertions */
  base_cancel *cancel;

  base_mutex lock;
  base_cond turn;
  size_t next; /* the batch whose blocks are the next to be appended */
  quad_blocks idle[QUAD_TEAM_MAX];
  size_t n_idle;
  quoin_status status;
  quoin_error *err;
} emission;

/* Encode rows [at, end), a block at a time. */
static quoin_status
encode_rows(quad_blocks *blocks, uint64_t *col, const emission *e, size_t at, size_t end,
            quoin_error *err)
{
  const quad_ranks *r = e->ranks;
  const uint64_t *cols[4];
  unsigned keys = r->keys;
  quoin_status st = QUOIN_OK;

  quad_blocks_start(blocks, keys);
  for (unsigned k = 0; k < keys; k++)
    cols[k] = col + (size_t)k * CODEC_BLOCK;
  for (; !st && at < end; at += CODEC_BLOCK) {
    size_t n = end - at < CODEC_BLOCK ? end - at : CODEC_BLOCK;
    const uint32_t *rec = e->data + at * keys;
    for (unsigned k = 0; k < keys; k++) {
      const uint64_t *ids = r->ids[e->keys[k]];
      const uint32_t *from = rec + e->keys[k];
      uint64_t *to = col + (size_t)k * CODEC_BLOCK;
      for (size_t i = 0; i < n; i++)
        to[i] = ids[from[i * keys]];
    }
    st = quad_blocks_add(blocks, cols, e->dead, (uint32_t)n, err);
  }
  return st;
}

/* With the lock: write the blocks of batch `i` once those before are written. */
static quoin_status
take_turn(emission *e, size_t i, const quad_blocks *blocks, quoin_error *err)
{
  quoin_status st;

  while (e->next != i)
    base_cond_wait(&e->turn, &e->lock);
  st = e->status;
  if (!st && e->cancel) st = base_cancel_check(e->cancel, err);
  return st ? st : quad_writer_append(e->writer, blocks, err);
}

static void
emit_batch(void *user, size_t i)
{
  emission *e = user;
  size_t at = i * BATCH_ROWS, n = e->ranks->n;
  uint64_t *col = base_new(e->ranks->mem, 4 * (size_t)CODEC_BLOCK, sizeof *col);
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st = col ? QUOIN_OK : base_fail_nomem(&error);
  quad_blocks blocks;

  base_mutex_lock(&e->lock);
  if (e->status) st = e->status;
  if (e->n_idle)
    blocks = e->idle[--e->n_idle];
  else
    quad_blocks_init(&blocks, e->ranks->mem);
  base_mutex_unlock(&e->lock);
  if (!st) st = encode_rows(&blocks, col, e, at, n - at < BATCH_ROWS ? n : at + BATCH_ROWS, &error);
  base_release(e->ranks->mem, col, 4 * (size_t)CODEC_BLOCK, sizeof *col);

  base_mutex_lock(&e->lock);
  if (!st) {
    st = take_turn(e, i, &blocks, &error);
  } else {
    while (e->next != i)
      base_cond_wait(&e->turn, &e->lock);
  }
  if (st && !e->status) {
    e->status = st;
    if (e->err) *e->err = error;
  }
  e->next++;
  base_cond_broadcast(&e->turn);
  assert(e->n_idle < QUAD_TEAM_MAX);
  e->idle[e->n_idle++] = blocks;
  base_mutex_unlock(&e->lock);
}

static quoin_status
emit_order(quad_writer *w, unsigned part, unsigned order, const quad_ranks *r, const uint32_t *data,
           const uint8_t *dead, base_cancel *cancel, quoin_error *err)
{
  quad_sink *sink = quad_writer_sink(w);
  quoin_status st;
  emission *e = base_new_zero(r->mem, 1, sizeof *e);

  if (!e) return base_fail_nomem(err);
  e->writer = w;
  e->ranks = r;
  e->data = data;
  e->keys = quad_order_keys[order];
  e->dead = dead;
  e->cancel = cancel;
  e->err = err;
  if ((st = base_mutex_init(&e->lock, BASE_RANK_QUEUE, "encoding", err))) goto no_lock;
  if ((st = base_cond_init(&e->turn, err))) goto no_turn;
  if (!(st = sink->begin(sink, part, order, err))) {
    quad_team_run(r->threads, (r->n + BATCH_ROWS - 1) / BATCH_ROWS, emit_batch, e);
    st = e->status;
  }
  if (!st) st = sink->end(sink, err);
  while (e->n_idle)
    quad_blocks_clear(&e->idle[--e->n_idle]);
  base_cond_destroy(&e->turn);
no_turn:
  base_mutex_destroy(&e->lock);
no_lock:
  base_release(r->mem, e, 1, sizeof *e);
  return st;
}

static bool
is_wanted(uint32_t orders, unsigned part, unsigned order)
{
  return orders >> order & 1 && (part == QUAD_PART_NAMED || order < QUAD_GSPO);
}

/* How many quads each predicate has. */
static quoin_status
count_predicates(quad_writer *w, unsigned part, const quad_ranks *r, bool dead, quoin_error *err)
{
  size_t n = r->distinct[QUAD_P];
  uint64_t *count = base_new_zero(r->mem, n, sizeof *count);
  quoin_status st = QUOIN_OK;

  if (!count) return base_fail_nomem(err);
  for (size_t i = 0; i < r->n; i++)
    count[r->data[i * r->keys + QUAD_P]]++;
  for (size_t p = 0; !st && p < n; p++) /* duplicates and what is there already are gone: 0 */
    if (count[p])
      st = quad_tally_count(quad_writer_tally(w), part, r->ids[QUAD_P][p],
                            dead ? 0 - count[p] : count[p], err);
  quad_tally_counted(quad_writer_tally(w), part);
  base_release(r->mem, count, n, sizeof *count);
  return st;
}

/* Records sorted by SPO make PSO, and are sorted by SPO again. */
static quoin_status
emit_pso(quad_writer *w, unsigned part, quad_ranks *r, const uint8_t *dead, base_cancel *cancel,
         quoin_error *err)
{
  static const uint8_t p = QUAD_P, s = QUAD_S;
  const uint32_t *sorted;
  quoin_status st;

  if ((st = quad_ranks_sort_aside(&sorted, r, QUAD_P, err))) return st;
  if (sorted) return emit_order(w, part, QUAD_PSO, r, sorted, dead, cancel, err);
  if ((st = quad_ranks_sort(r, &p, 1, err))) return st;
  if ((st = emit_order(w, part, QUAD_PSO, r, r->data, dead, cancel, err))) return st;
  return quad_ranks_sort(r, &s, 1, err);
}

/* From the order before in quad_build_sequence to this one; PSO leaves SPO. */
static quoin_status
next_order(quad_ranks *r, unsigned order, quoin_error *err)
{
  static const uint8_t o = QUAD_O, p = QUAD_P, g[2] = {QUAD_G, QUAD_S}, go[2] = {QUAD_G, QUAD_O};

  switch ((quad_order)order) {
  case QUAD_SPO:
  case QUAD_PSO:
    return QUOIN_OK;
  case QUAD_SOP:
    quad_ranks_sort_groups(r, QUAD_S, QUAD_O, QUAD_P);
    return QUOIN_OK;
  case QUAD_OSP:
    return quad_ranks_sort(r, &o, 1, err);
  case QUAD_OPS:
    quad_ranks_sort_groups(r, QUAD_O, QUAD_P, QUAD_S);
    return QUOIN_OK;
  case QUAD_POS:
    return quad_ranks_sort(r, &p, 1, err);
  case QUAD_GPOS:
    return quad_ranks_sort(r, g, 1, err);
  case QUAD_GSPO:
    return quad_ranks_sort(r, g, 2, err);
  case QUAD_GOSP:
    return quad_ranks_sort(r, go, 2, err);
  case QUAD_ORDERS:
    break;
  }
  return QUOIN_OK;
}

quoin_status
quad_build_orders(quad_writer *w, unsigned part, quad_ranks *r, bool remove, base_cancel *cancel,
                  quoin_error *err)
{
  uint32_t orders = quad_writer_sink(w)->orders;
  unsigned left = 0;
  uint8_t block[CODEC_BLOCK];
  const uint8_t *all_dead = remove ? block : NULL;
  quoin_status st = count_predicates(w, part, r, remove, err);

  memset(block, 1, sizeof block);
  for (unsigned order = 0; order < QUAD_ORDERS; order++)
    left += is_wanted(orders, part, order);
  for (unsigned i = 0; !st && left; i++) {
    unsigned order = quad_build_sequence[i];
    bool wanted = is_wanted(orders, part, order);
    if (cancel && (st = base_cancel_check(cancel, err))) break;
    if ((st = next_order(r, order, err))) break;
    if (wanted && order == QUAD_PSO)
      st = emit_pso(w, part, r, all_dead, cancel, err);
    else if (wanted)
      st = emit_order(w, part, order, r, r->data, all_dead, cancel, err);
    left -= wanted;
  }
  return st;
}
