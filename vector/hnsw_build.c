/* vector/hnsw_build.c - many nodes at once, by several threads.
 *
 * Slots, blocks and rows are given out before the threads start, in the order of the items; the
 * threads then take items one by one. Each list is written under its stripe; reading takes none. */
#include "vector/hnsw_internal.h"

#include <pthread.h>
#include <unistd.h>

#include "base/poison.h"

typedef struct building {
  hnsw *g;
  const hnsw_item *items;
  const uint32_t *slots; /* HNSW_NONE: passed over */
  size_t n;
  const hnsw_vectors *vectors;
  base_cancel *cancel; /* asked by the first thread */
  _Atomic(uint64_t) *done;
  _Atomic(size_t) next;
  _Atomic(bool) stop;
  base_mutex lock; /* of the outcome */
  quoin_status st;
  quoin_error *err;
} building;

static void
give_up(building *b, quoin_status st, const quoin_error *err)
{
  base_mutex_lock(&b->lock);
  if (!b->st) {
    b->st = st;
    if (b->err) *b->err = *err;
  }
  base_mutex_unlock(&b->lock);
  atomic_store(&b->stop, true);
}

static quoin_status
link_item(building *b, vec_scratch *scratch, size_t i, quoin_error *err)
{
  quoin_status st;
  hnsw *g = b->g;
  uint32_t slot = b->slots[i];
  unsigned level = hnsw_level_of(g, b->items[i].key);
  if ((st = hnsw_node_fill(g, slot, b->items[i].key, b->items[i].row, b->vectors, err)) ||
      (st = hnsw_link(g, scratch, slot, level, err)))
    return st;
  hnsw_node_publish(g, slot);
  hnsw_entry_raise(g, slot, level);
  return hnsw_row_set(g, b->items[i].row, slot, err);
}

/* The first node alone, so that the others find an entry. */
static void
work(building *b, vec_scratch *scratch, base_cancel *cancel)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;
  while (!st && !atomic_load_explicit(&b->stop, memory_order_relaxed)) {
    size_t i = atomic_fetch_add_explicit(&b->next, 1, memory_order_relaxed);
    if (i >= b->n) break;
    if (b->slots[i] == HNSW_NONE) continue;
    if (!(st = link_item(b, scratch, i, &err)) && cancel) st = base_cancel_check(cancel, &err);
    if (b->done) atomic_fetch_add_explicit(b->done, 1, memory_order_relaxed);
  }
  if (st) give_up(b, st, &err);
}

static void *
worker(void *user)
{
  building *b = user;
  vec_scratch *scratch = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = vec_scratch_new(&scratch, b->g, &err);
  if (st)
    give_up(b, st, &err);
  else
    work(b, scratch, NULL);
  vec_scratch_free(scratch);
  return NULL;
}

/* Slots for all items; those that have a live node are passed over, deleted ones come back. */
static quoin_status
slots_take(uint32_t *slots, hnsw *g, const hnsw_item *items, size_t n, quoin_error *err)
{
  quoin_status st;
  for (size_t i = 0; i < n; i++)
    slots[i] = HNSW_NONE;
  /* at once: larger pages of the system, and full before the first link is made */
  if ((st = vec_region_grow(&g->pages, hnsw_region(g, REGION_RECORDS),
                            (g->next_slot + n) * g->record_bytes, err)))
    return st;
  for (size_t i = 0; i < n; i++) {
    bool done;
    uint32_t there;
    if ((st = hnsw_rows_grow(g, items[i].row, err)) ||
        (st = hnsw_slot_of(&there, g, items[i].row, err)))
      return st;
    if (there != HNSW_NONE) { /* one that lives, or was taken for this row a moment ago */
      uint8_t flags = hnsw_flags(g, there);
      if (flags == NODE_DELETED && (st = hnsw_revive(&done, g, items[i].row, err))) return st;
      if (!(flags & NODE_DOOMED)) continue;
    }
    if ((st = hnsw_slot_new(&slots[i], g, hnsw_level_of(g, items[i].key), err))) return st;
    /* before its row names it: hnsw_find beside us takes a slot at or above for a fault. Nothing
     * links to it yet. */
    atomic_store(&g->slots, g->next_slot);
    /* so that a second item of this row is passed over */
    if ((st = hnsw_row_set(g, items[i].row, slots[i], err))) return st;
  }
  return QUOIN_OK;
}

/* Slots of items that were not linked, and rows that name them, are free again. */
static void
slots_return(uint32_t *slots, hnsw *g, const hnsw_item *items, size_t n)
{
  for (size_t i = n; i-- > 0;) {
    if (slots[i] == HNSW_NONE || (hnsw_flags(g, slots[i]) & NODE_LIVE)) continue;
    if (atomic_load(&hnsw_head(g, slots[i])->named)) { /* linked in part */
      atomic_store(&hnsw_head(g, slots[i])->flags, NODE_DELETED);
      atomic_fetch_add(&g->deleted, 1);
      continue;
    }
    (void)hnsw_row_set(g, items[i].row, HNSW_NONE, NULL);
    hnsw_slot_undo(g, slots[i]);
  }
}

static quoin_status
run_threads(building *b, unsigned threads, quoin_error *err)
{
  hnsw *g = b->g;
  pthread_t *ids = base_new(g->mem, threads, sizeof(*ids));
  unsigned started = 0;
  if (ids) g->stripes = base_new_zero(g->mem, STRIPES, sizeof(*g->stripes));
  if (!ids || !g->stripes) {
    base_release(g->mem, ids, threads, sizeof(*ids));
    return base_fail_nomem(err);
  }
  while (started + 1 < threads && pthread_create(&ids[started], NULL, worker, b) == 0)
    started++;
  work(b, g->scratch, b->cancel);
  while (started > 0)
    (void)pthread_join(ids[--started], NULL);
  base_release(g->mem, g->stripes, STRIPES, sizeof(*g->stripes));
  g->stripes = NULL;
  base_release(g->mem, ids, threads, sizeof(*ids));
  return b->st;
}

quoin_status
hnsw_build(hnsw *g, const hnsw_item *items, size_t n, unsigned threads, const hnsw_vectors *vectors,
           base_cancel *cancel, _Atomic(uint64_t) *done, quoin_error *err)
{
  if (!n) return QUOIN_OK;
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (!threads) threads = processors > 0 ? (unsigned)processors : 1;
  hnsw_check_report report = {0};
  uint32_t *slots = base_new(g->mem, n, sizeof(*slots));
  if (!slots) return base_fail_nomem(err);
  building b = {.g = g,
                .items = items,
                .slots = slots,
                .n = n,
                .vectors = vectors,
                .cancel = cancel,
                .done = done,
                .err = err};
  quoin_status st = base_mutex_init(&b.lock, BASE_RANK_QUEUE, "graph build", err);
  if (st) {
    base_release(g->mem, slots, n, sizeof(*slots));
    return st;
  }
  if ((st = slots_take(slots, g, items, n, err))) goto done;
  /* the first node of an empty graph alone, so that the others find an entry */
  b.n = atomic_load(&g->entry) == UINT64_MAX ? 1 : n;
  if (b.n == 1 || threads == 1) {
    work(&b, g->scratch, cancel);
    if (b.n < n) atomic_store(&b.next, 1);
  }
  b.n = n;
  if (!b.st) {
    if (threads == 1)
      work(&b, g->scratch, cancel);
    else
      b.st = run_threads(&b, threads, err);
  }
  st = b.st;
  /* threads may have dropped the last two names of a node at once; a pass over all nodes is worth
   * it where it costs little beside the building */
  if (!st && n >= hnsw_count(g) / 4) st = hnsw_reach(&report, g, true, cancel, err);

done:
  base_mutex_destroy(&b.lock);
  if (st) slots_return(slots, g, items, n);
  base_release(g->mem, slots, n, sizeof(*slots));
  return st;
}
