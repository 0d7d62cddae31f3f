/* quadstore/bulk.c - loading many quads: gather, sort, spill, merge, one run, one manifest.
 *
 * Quads gather in an array for each partition. When the budget would be exceeded by sorting more,
 * what is not in the store yet is written as an unpublished run (spill.h) by the same builder
 * that makes the last run; at the end the spills are merged. Sections and blocks of the run do not
 * depend on how often it spilled, nor on the threads.
 *
 * A large commit removes, too: quads to remove gather in arrays of their own and become spills of
 * tombstones. No quad is added and removed, so the spills still add up. */
#include "quadstore/bulk.h"

#include "quadstore/net.h"
#include "quadstore/sort.h"
#include "quadstore/spill.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

static_assert(sizeof(quad) == 32, "a record is its first three or four words");

/* QUADS_LEAST: the first room of both partitions, and more. */
enum { BULK_FIRST = 1 << 14, BULK_SPILLS = 64, BULK_LEAST = 4 << 20, QUADS_LEAST = 5 << 19 };

/* The quads of one partition: records of 3 ids, or of 4 with the graph. */
typedef struct gathered {
  uint64_t *data;
  size_t n, room;
} gathered;

struct quad_bulk {
  quad_store *store;
  quad_net net; /* its numbers are where to roll back to */
  uint64_t memory_bytes, reserved;
  bool within;                 /* the role is the caller's */
  gathered set[2][QUAD_PARTS]; /* to add, to remove */
  size_t building[QUAD_PARTS]; /* of them, in the sort or being written */
  quad_run *spill[BULK_SPILLS];
  size_t spills;
  uint64_t resident; /* of the process at the beginning, and after pages were given back */
  uint64_t resident_dropped;
  uint64_t term_bytes;  /* of the atom store then, where the former is not known */
  uint64_t atoms_began; /* bytes of all its files at the beginning */
  quoin_status failed;
};

static uint64_t
atom_bytes(const quad_bulk *bulk)
{
  atom_stats stats;

  atom_store_stats(&stats, bulk->store->atoms);
  return stats.term_bytes;
}

/* Bytes of what the files of the atom store hold. */
static uint64_t
atom_file_bytes(const quad_bulk *bulk)
{
  atom_stats stats;

  atom_store_stats(&stats, bulk->store->atoms);
  return stats.term_bytes + stats.offset_bytes + stats.table_bytes + stats.vector_bytes;
}

/* Give mapped pages back when more is resident than the budget has room for. */
static void
keep_within(quad_bulk *bulk)
{
  uint64_t budget = bulk->memory_bytes, now = base_map_resident();

  if (!now) { /* not known: few of the pages are of old terms that come again */
    if (atom_bytes(bulk) - bulk->term_bytes <= budget / 4) return;
  } else if (now < bulk->resident + budget / 8 * 7 || now < bulk->resident_dropped + budget / 16) {
    return; /* the second: or the rest of the program grows, and nothing here would help */
  }
  atom_store_drop_texts(bulk->store->atoms);
  bulk->term_bytes = atom_bytes(bulk);
  bulk->resident_dropped = base_map_resident();
}

static quoin_status
begin(quad_bulk **out, quad_store *store, bool within, uint64_t memory_bytes, unsigned threads,
      quoin_error *err)
{
  quad_bulk *bulk;
  quoin_status st = quad_store_may_write(store, err);

  *out = NULL;
  if (st) return st;
  if (!(bulk = base_new_zero(store->mem, 1, sizeof *bulk))) return base_fail_nomem(err);
  bulk->store = store;
  bulk->memory_bytes = memory_bytes ? memory_bytes : (uint64_t)1 << 30;
  if (bulk->memory_bytes < BULK_LEAST) bulk->memory_bytes = BULK_LEAST;
  bulk->within = within;
  if (!within) st = quad_store_enter_idle(store, NULL, err); /* to the end: the manifest is ours */
  if (!st && (st = quad_store_may_write(store, err)) && !within) quad_store_leave(store);
  if (st) {
    base_release(store->mem, bulk, 1, sizeof *bulk);
    return st;
  }
  bulk->net = (quad_net){.store = store,
                         .terms = atom_store_terms(store->atoms),
                         .blanks = atom_store_blanks(store->atoms),
                         .threads = threads ? threads : 1};
  bulk->term_bytes = atom_bytes(bulk);
  bulk->resident = base_map_resident();
  if (!within) atom_load_begin(store->atoms, bulk->memory_bytes / 4 * 3 + 4096);
  bulk->atoms_began = atom_file_bytes(bulk);
  *out = bulk;
  return QUOIN_OK;
}

quoin_status
quad_bulk_begin(quad_bulk **out, quad_store *store, uint64_t memory_bytes, unsigned threads,
                quoin_error *err)
{
  return begin(out, store, false, memory_bytes, threads, err);
}

quoin_status
quad_bulk_begin_within(quad_bulk **out, quad_store *store, uint64_t memory_bytes, unsigned threads,
                       quoin_error *err)
{
  return begin(out, store, true, memory_bytes, threads, err);
}

static unsigned
part_keys(unsigned part)
{
  return part == QUAD_PART_DEFAULT ? 3 : 4;
}

static void
free_gathered(quad_bulk *bulk, gathered *g, unsigned part)
{
  base_release(bulk->store->mem, g->data, g->room * part_keys(part), 8);
  *g = (gathered){0};
}

static void
free_records(quad_bulk *bulk)
{
  for (unsigned i = 0; i < 2 * QUAD_PARTS; i++)
    free_gathered(bulk, &bulk->set[i / QUAD_PARTS][i % QUAD_PARTS], i % QUAD_PARTS);
}

static bool
any_gathered(const quad_bulk *bulk, bool remove)
{
  return bulk->set[remove][QUAD_PART_DEFAULT].n || bulk->set[remove][QUAD_PART_NAMED].n;
}

/* ---- room on the disk ------------------------------------------------------------------------ */

/* Bytes that one order of a quad takes: about 5, 1.5 where much repeats. */
enum { ORDER_BYTES_LEAST = 1, ORDER_BYTES_USUAL = 5 };

/* Entries of all orders of what is gathered, and bytes of what is spilled. */
static void
count_room(uint64_t *entries, uint64_t *spilled, const quad_bulk *bulk)
{
  unsigned orders = (unsigned)__builtin_popcount(bulk->store->manifest.orders);

  *entries = *spilled = 0;
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    *entries += (bulk->set[0][part].n + bulk->set[1][part].n + bulk->building[part]) *
                (part == QUAD_PART_DEFAULT && orders > 6 ? 6 : orders);
  for (size_t i = 0; i < bulk->spills; i++)
    *spilled += bulk->spill[i]->bytes;
}

static uint64_t
megabytes(uint64_t bytes)
{
  return (bytes >> 20) + 1;
}

static quoin_status
fail_no_space(uint64_t needed, uint64_t have, quoin_error *err)
{
  if (needed <= have) needed = have + 1; /* it is known not to be enough */
  return base_fail(err, QUOIN_ERR_NO_SPACE,
                   "the disk is full: the load needs about %llu MB more, %llu MB are free: about "
                   "%llu MB are missing",
                   (unsigned long long)megabytes(needed), (unsigned long long)(have >> 20),
                   (unsigned long long)megabytes(needed - have));
}

/* Refuse a load whose run cannot fit, before it is written. */
static quoin_status
check_disk(const quad_bulk *bulk, quoin_error *err)
{
  uint64_t entries, spilled, have;

  if (base_dir_free_bytes(&have, &bulk->store->dir, NULL)) return QUOIN_OK; /* writing will tell */
  count_room(&entries, &spilled, bulk);
  if (have >= entries * ORDER_BYTES_LEAST + spilled) return QUOIN_OK;
  return fail_no_space(entries * ORDER_BYTES_USUAL + spilled, have, err);
}

void
quad_bulk_explain(const quad_bulk *bulk, double share, quoin_error *err)
{
  uint64_t entries, spilled, have, atoms = atom_file_bytes(bulk) - bulk->atoms_began;
  int os_errno = err ? err->os_errno : 0;

  assert(share > 0 && share <= 1);
  if (!os_errno || err->status != QUOIN_ERR_NO_SPACE) return; /* a quota says so itself */
  if (base_dir_free_bytes(&have, &bulk->store->dir, NULL)) return;
  count_room(&entries, &spilled, bulk);
  double runs = ((double)entries * ORDER_BYTES_USUAL + (double)spilled) / share;
  double terms = (double)atoms * (1 / share - 1);
  char file[sizeof err->file];
  memcpy(file, err->file, sizeof file);
  (void)!fail_no_space((uint64_t)(runs + terms), have, err);
  memcpy(err->file, file, sizeof file);
  err->os_errno = os_errno;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Sort what is gathered to be added (or removed), leave out what is there (or not), write it; *n
 * counts what is left. */
static quoin_status
build(quad_writer *w, uint64_t *n, quad_bulk *bulk, bool remove, base_cancel *cancel,
      quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  *n = 0;
  atom_store_drop_pages(bulk->store->atoms);
  for (unsigned part = 0; !st && part < QUAD_PARTS; part++) {
    gathered *g = &bulk->set[remove][part];
    unsigned keys = part_keys(part);
    quad_ranks r;
    if (!g->n) continue;
    bulk->building[part] = g->n;
    st = quad_ranks_new(&r, g->data, g->n, g->room, keys, bulk->net.threads, bulk->store->mem, err);
    *g = (gathered){0}; /* taken over */
    if (st) return st;
    if (!(st = quad_ranks_sort_first(&r, err))) {
      quad_ranks_unique(&r);
      st = quad_net_keep(&r, &bulk->net, part, remove, err);
    }
    *n += r.n;
    if (!st && r.n) st = quad_build_orders(w, part, &r, remove, cancel, err);
    quad_ranks_clear(&r);
    if (!st) bulk->building[part] = 0;
  }
  return st;
}

static void
drop_spills(quad_bulk *bulk)
{
  while (bulk->spills)
    quad_spill_drop(bulk->store, bulk->spill[--bulk->spills]);
}

/* All spills into one, when there are too many to merge at once later. */
static quoin_status
merge_spills(quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  quad_run *run;
  quoin_status st = quad_spill_runs(&run, bulk->store, bulk->store->manifest.orders, bulk->spill,
                                    bulk->spills, cancel, err);

  if (st) return st;
  drop_spills(bulk);
  bulk->spill[bulk->spills++] = run;
  return QUOIN_OK;
}

static quoin_status
spill_set(quad_bulk *bulk, bool remove, base_cancel *cancel, quoin_error *err)
{
  quad_store *store = bulk->store;
  quad_writer *w;
  uint64_t n;
  quoin_status st;

  if (!any_gathered(bulk, remove)) return QUOIN_OK;
  if (bulk->spills == BULK_SPILLS && (st = merge_spills(bulk, cancel, err))) return st;
  if ((st = quad_spill_begin(&w, store, store->manifest.orders, err))) return st;
  if ((st = build(w, &n, bulk, remove, cancel, err)) || !n) {
    quad_writer_abort(w);
    return st;
  }
  if ((st = quad_spill_end(&bulk->spill[bulk->spills], store, w, err))) return st;
  bulk->spills++;
  return QUOIN_OK;
}

static quoin_status
spill(quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  quoin_status st = spill_set(bulk, false, cancel, err);

  return st ? st : spill_set(bulk, true, cancel, err);
}

/* Bytes that a record takes from here to the end of its sorting. */
static uint64_t
record_cost(unsigned part)
{
  return 8 * part_keys(part) + QUAD_RANKS_BYTES;
}

/* What the quads may cost: three quarters of the budget, less what the terms' tables and the caller
 * take of it. */
static uint64_t
quads_limit(const quad_bulk *bulk)
{
  uint64_t least = bulk->memory_bytes / 4, most = 3 * least;
  uint64_t taken = atom_load_bytes(bulk->store->atoms) + bulk->reserved;

  if (least < QUADS_LEAST) least = QUADS_LEAST;
  return most > taken + least ? most - taken : least;
}

/* Whether there are more than there may be, since a table has grown. */
static bool
is_over(const quad_bulk *bulk)
{
  uint64_t used = 0;

  for (unsigned i = 0; i < 2 * QUAD_PARTS; i++)
    used += bulk->set[i / QUAD_PARTS][i % QUAD_PARTS].n * record_cost(i % QUAD_PARTS);
  return used > quads_limit(bulk);
}

/* Room for more quads of a partition; *full when the budget is used up. */
static quoin_status
grow(bool *full, quad_bulk *bulk, bool remove, unsigned part, quoin_error *err)
{
  gathered *g = &bulk->set[remove][part];
  size_t keys = part_keys(part), next = g->room ? g->room * 2 : BULK_FIRST;
  uint64_t used = 0, limit = quads_limit(bulk), left;
  uint64_t *data;

  for (unsigned i = 0; i < 2 * QUAD_PARTS; i++) /* the others may fill what they have */
    used += bulk->set[i / QUAD_PARTS][i % QUAD_PARTS].room * record_cost(i % QUAD_PARTS);
  left = limit > used ? (limit - used) / record_cost(part) : 0;
  *full = left < BULK_FIRST;
  if (*full) return QUOIN_OK;
  if (next - g->room > left) next = g->room + (size_t)left;
  if (next > UINT32_MAX) next = UINT32_MAX; /* ranks are of 32 bits */
  *full = next == g->room;
  if (*full) return QUOIN_OK;
  if (!(data = base_resize(bulk->store->mem, g->data, g->room * keys, next * keys, 8)))
    return base_fail_nomem(err);
  g->data = data;
  g->room = next;
  return QUOIN_OK;
}

static quoin_status
take(quad_bulk *bulk, bool remove, const quad *quads, size_t n, quoin_error *err)
{
  keep_within(bulk);
  if (!bulk->failed && is_over(bulk)) bulk->failed = spill(bulk, NULL, err);
  for (size_t i = 0; i < n && !bulk->failed; i++) {
    const quad *q = &quads[i];
    unsigned part = q->term[QUAD_G].bits ? QUAD_PART_NAMED : QUAD_PART_DEFAULT;
    unsigned keys = part_keys(part);
    gathered *g = &bulk->set[remove][part];

    assert(q->term[0].bits && q->term[1].bits && q->term[2].bits);
    while (g->n == g->room && !bulk->failed) {
      bool full;
      bulk->failed = grow(&full, bulk, remove, part, err);
      if (!bulk->failed && full) bulk->failed = spill(bulk, NULL, err);
    }
    if (bulk->failed) break;
    memcpy(g->data + keys * g->n++, q, 8 * (size_t)keys);
  }
  return bulk->failed;
}

void
quad_bulk_reserve(quad_bulk *bulk, uint64_t bytes)
{
  bulk->reserved = bytes;
}

quoin_status
quad_bulk_add(quad_bulk *bulk, const quad *quads, size_t n, quoin_error *err)
{
  return take(bulk, false, quads, n, err);
}

quoin_status
quad_bulk_remove(quad_bulk *bulk, const quad *quads, size_t n, quoin_error *err)
{
  return take(bulk, true, quads, n, err);
}

/* The one run of the load, under its real name; *run NULL when nothing is new. */
static quoin_status
make_run(quad_run **run, quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  quad_store *store = bulk->store;
  uint64_t generation = store->manifest.next_run, n = 0;
  char name[64];
  quad_writer *w = NULL;
  quoin_status st = QUOIN_OK;

  *run = NULL;
  if ((st = check_disk(bulk, err))) return st;
  if ((st = atom_load_settle(store->atoms, err))) return st;
  if (bulk->spills || any_gathered(bulk, true)) {
    if ((st = spill(bulk, cancel, err))) return st;
    free_records(bulk);
    if (!bulk->spills) return QUOIN_OK; /* nothing is left */
  }
  (void)snprintf(name, sizeof name, "run-%llu", (unsigned long long)generation);
  if (base_dir_has(&store->dir, name) && (st = base_dir_unlink(&store->dir, name, err))) return st;
  if ((st = quad_writer_open(&w, &store->dir, name, generation, store->manifest.orders, store->mem,
                             err)))
    return st;
  if (bulk->spills) {
    st = quad_merge_runs(quad_writer_sink(w), bulk->spill, bulk->spills, cancel, store->mem, err);
    n = 1;
  } else {
    st = build(w, &n, bulk, false, cancel, err);
  }
  if (st || !n) {
    quad_writer_abort(w);
    return st;
  }
  free_records(bulk);
  drop_spills(bulk);
  if ((st = quad_writer_finish(w, true, err))) return st;
  return quad_run_open(run, &store->dir, name, generation, store->mem, err);
}

/* End the bulk: the writer role goes back, the atoms stay or go. */
static void
bulk_end(quad_bulk *bulk, bool keep)
{
  quad_store *store = bulk->store;

  drop_spills(bulk);
  free_records(bulk);
  if (!keep) atom_rollback(store->atoms, bulk->net.terms, bulk->net.blanks);
  if (!bulk->within) atom_load_end(store->atoms);
  if (!bulk->within) quad_store_leave(store);
  base_release(store->mem, bulk, 1, sizeof *bulk);
}

quoin_status
quad_bulk_publish(uint64_t *added, uint64_t *removed, quad_bulk *bulk, base_cancel *cancel,
                  quoin_error *err)
{
  quad_store *store = bulk->store;
  quad_run *run = NULL;
  uint64_t generation = store->manifest.next_run, n = 0, dead = 0;
  quoin_status st = bulk->failed;

  if (st) base_fail(err, st, "the load failed before its end");
  if (!st && (st = make_run(&run, bulk, cancel, err))) quad_bulk_explain(bulk, 1, err);
  if (!st && run) {
    n = run->entries;
    dead = run->tombstones;
    store->manifest.next_run = generation + 1;
    st = quad_store_save(store, run, err);
    if (st) {
      char name[64];
      quad_bulk_explain(bulk, 1, err);
      (void)snprintf(name, sizeof name, "run-%llu", (unsigned long long)generation);
      /* Poisoned: the manifest may name it. Else nothing does. */
      if (!atomic_load(&store->poisoned)) (void)base_dir_unlink(&store->dir, name, NULL);
    }
  }
  *added = st ? 0 : n - dead;
  *removed = st ? 0 : dead;
  quad_run_release(run);
  bulk_end(bulk, !st && n);
  return st;
}

quoin_status
quad_bulk_finish(uint64_t *added, quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  uint64_t there, gone;
  quoin_status st = quad_bulk_publish(&there, &gone, bulk, cancel, err);

  assert(!gone);
  if (added) *added = there;
  return st;
}

void
quad_bulk_abort(quad_bulk *bulk)
{
  if (bulk) bulk_end(bulk, false);
}
