/* quadstore/bulk.c - loading many quads: gather, sort, spill, merge, one run, one manifest.
 *
 * Quads gather in one array, with a spare one of the same size for sorting. When it is full, what
 * is not in the store yet is written as an unpublished run (spill-<n>) by the same builder that
 * makes the last run; at the end the spills are merged. Sections and blocks of the run do not
 * depend on how often it spilled, nor on the threads. */
#include "quadstore/sort.h"
#include "quadstore/store.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

static_assert(sizeof(quad) == 32, "gathered as four words");

enum { BULK_FIRST = 1 << 16, BULK_SPILLS = 64, BULK_LEAST = 4 << 20 };

struct quad_bulk {
  quad_store *store;
  unsigned threads;
  uint64_t memory_bytes;
  uint64_t terms, blanks; /* where to roll back to */
  uint64_t *data, *spare; /* `room` quads of four words each, `n` gathered in data */
  size_t n, room;
  quad_run *spill[BULK_SPILLS];
  char spill_name[BULK_SPILLS][64];
  size_t spills;
  quoin_status failed;
};

quoin_status
quad_bulk_begin(quad_bulk **out, quad_store *store, uint64_t memory_bytes, unsigned threads,
                quoin_error *err)
{
  quad_bulk *bulk;
  quoin_status st = quad_store_may_write(store, err);

  *out = NULL;
  if (st) return st;
  if (!(bulk = base_new_zero(store->mem, 1, sizeof *bulk))) return base_fail_nomem(err);
  bulk->store = store;
  bulk->threads = threads ? threads : 1;
  bulk->memory_bytes = memory_bytes ? memory_bytes : (uint64_t)1 << 30;
  if (bulk->memory_bytes < BULK_LEAST) bulk->memory_bytes = BULK_LEAST;
  quad_store_enter(store);
  if ((st = quad_store_may_write(store, err))) {
    quad_store_leave(store);
    base_release(store->mem, bulk, 1, sizeof *bulk);
    return st;
  }
  bulk->terms = atom_store_terms(store->atoms);
  bulk->blanks = atom_store_blanks(store->atoms);
  *out = bulk;
  return QUOIN_OK;
}

static void
free_records(quad_bulk *bulk)
{
  base_release(bulk->store->mem, bulk->data, bulk->room * 4, 8);
  base_release(bulk->store->mem, bulk->spare, bulk->room * 4, 8);
  bulk->data = bulk->spare = NULL;
  bulk->n = bulk->room = 0;
}

/* Move what is gathered into the spare array, the default partition first, and give each part the
 * same stretch of the other array to sort with. */
static void
split(quad_records part[QUAD_PARTS], quad_bulk *bulk)
{
  const uint64_t *q = bulk->data;
  size_t triples = 0;
  uint64_t *to[QUAD_PARTS];

  for (size_t i = 0; i < bulk->n; i++)
    triples += q[4 * i + QUAD_G] == 0;
  to[0] = bulk->spare;
  to[1] = bulk->spare + 3 * triples;
  for (unsigned p = 0; p < QUAD_PARTS; p++)
    part[p] = (quad_records){.data = to[p],
                             .spare = bulk->data + (p ? 3 * triples : 0),
                             .n = p ? bulk->n - triples : triples,
                             .stride = 3 + p,
                             .keys = 3 + p};
  for (size_t i = 0; i < bulk->n; i++, q += 4) {
    unsigned p = q[QUAD_G] ? QUAD_PART_NAMED : QUAD_PART_DEFAULT;
    memcpy(to[p], q, 8 * (3 + (size_t)p));
    to[p] += 3 + p;
  }
  bulk->n = 0;
}

/* Keep the records that are not in the store. */
static quoin_status
drop_present(quad_records *r, quad_bulk *bulk, unsigned part, quoin_error *err)
{
  const quad_version *v = bulk->store->version; /* only the writer, which we are, changes it */
  const base_alloc *mem = bulk->store->mem;
  uint64_t entries = 0;
  size_t kept = 0, n = r->n;
  uint8_t *present;
  quoin_status st;

  for (size_t i = 0; i < v->n_runs; i++)
    entries += v->runs[i]->section[part][QUAD_SPO].entries;
  if (!entries || !n) return QUOIN_OK;
  if (!(present = base_new(mem, n, 1))) return base_fail_nomem(err);
  st = quad_version_present(present, v, part, r->data, n, r->stride, mem, err);
  for (size_t i = 0; !st && i < n; i++) {
    if (present[i]) continue;
    if (kept != i)
      memcpy(r->data + kept * r->stride, r->data + i * r->stride, 8 * (size_t)r->stride);
    kept++;
  }
  if (!st) r->n = kept;
  base_release(mem, present, n, 1);
  return st;
}

/* Sort what is gathered, leave out what is there, write it to `sink`; *n counts what was new. */
static quoin_status
build(quad_sink *sink, uint64_t *n, quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  static const uint8_t spo[4] = {QUAD_S, QUAD_P, QUAD_O, QUAD_G};
  const base_alloc *mem = bulk->store->mem;
  quad_records parts[QUAD_PARTS];
  quoin_status st;

  *n = 0;
  if (!bulk->n) return QUOIN_OK;
  split(parts, bulk);
  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    quad_records *r = &parts[part];
    if (!r->n) continue;
    quad_records_survey(r);
    if ((st = quad_records_sort(r, spo, r->keys, mem, err))) return st;
    quad_records_unique(r);
    if ((st = drop_present(r, bulk, part, err))) return st;
    if (!r->n) continue;
    *n += r->n;
    if ((st = quad_build_orders(sink, part, r, bulk->threads, cancel, mem, err))) return st;
  }
  return QUOIN_OK;
}

static void
drop_spills(quad_bulk *bulk)
{
  while (bulk->spills) {
    bulk->spills--;
    quad_run_release(bulk->spill[bulk->spills]);
    (void)base_dir_unlink(&bulk->store->dir, bulk->spill_name[bulk->spills], NULL);
  }
}

static quoin_status
new_spill(quad_writer **w, char name[64], uint64_t *generation, quad_bulk *bulk, quoin_error *err)
{
  quad_store *store = bulk->store;

  *generation = ++store->spills;
  (void)snprintf(name, 64, "spill-%llu", (unsigned long long)*generation);
  return quad_writer_open(w, &store->dir, name, *generation, store->manifest.orders, store->mem,
                          err);
}

/* All spills into one, when there are too many to merge at once later. */
static quoin_status
merge_spills(quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  quad_store *store = bulk->store;
  quad_writer *w;
  quad_run *run;
  char name[64];
  uint64_t generation;
  quoin_status st;

  if ((st = new_spill(&w, name, &generation, bulk, err))) return st;
  st = quad_merge_runs(quad_writer_sink(w), bulk->spill, bulk->spills, cancel, store->mem, err);
  if (st) {
    quad_writer_abort(w);
    return st;
  }
  if ((st = quad_writer_finish(w, false, err))) return st;
  if ((st = quad_run_open(&run, &store->dir, name, generation, store->mem, err))) return st;
  drop_spills(bulk);
  bulk->spill[0] = run;
  memcpy(bulk->spill_name[0], name, sizeof name);
  bulk->spills = 1;
  return QUOIN_OK;
}

static quoin_status
spill(quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  quad_store *store = bulk->store;
  quad_writer *w;
  char name[64];
  uint64_t generation, n;
  quoin_status st;

  if (bulk->spills == BULK_SPILLS && (st = merge_spills(bulk, cancel, err))) return st;
  if ((st = new_spill(&w, name, &generation, bulk, err))) return st;
  if ((st = build(quad_writer_sink(w), &n, bulk, cancel, err))) {
    quad_writer_abort(w);
    return st;
  }
  if (!n) {
    quad_writer_abort(w);
    return QUOIN_OK;
  }
  if ((st = quad_writer_finish(w, false, err))) return st;
  st = quad_run_open(&bulk->spill[bulk->spills], &store->dir, name, generation, store->mem, err);
  if (st) {
    (void)base_dir_unlink(&store->dir, name, NULL);
    return st;
  }
  memcpy(bulk->spill_name[bulk->spills++], name, sizeof name);
  return QUOIN_OK;
}

/* Room for more quads; *full when the budget is used up. */
static quoin_status
grow(bool *full, quad_bulk *bulk, quoin_error *err)
{
  const base_alloc *mem = bulk->store->mem;
  size_t next = bulk->room ? bulk->room * 2 : BULK_FIRST;
  size_t arrays = bulk->threads > 1 ? 3 : 2; /* gathered, spare, and what is being encoded */
  uint64_t limit = bulk->memory_bytes / arrays / 32;
  uint64_t *data;

  if (next > limit) next = (size_t)limit;
  *full = next < bulk->room + bulk->room / 8 + 1;
  if (*full) return QUOIN_OK;
  base_release(mem, bulk->spare, bulk->room * 4, 8); /* nothing is in it */
  bulk->spare = NULL;
  if (!(data = base_resize(mem, bulk->data, bulk->room * 4, next * 4, 8))) {
    base_release(mem, bulk->data, bulk->room * 4, 8);
    bulk->data = NULL;
    bulk->n = bulk->room = 0;
    return base_fail_nomem(err);
  }
  bulk->data = data;
  bulk->room = next;
  if ((bulk->spare = base_new(mem, next * 4, 8))) return QUOIN_OK;
  free_records(bulk);
  return base_fail_nomem(err);
}

quoin_status
quad_bulk_add(quad_bulk *bulk, const quad *quads, size_t n, quoin_error *err)
{
  while (n && !bulk->failed) {
    size_t fit = bulk->room - bulk->n < n ? bulk->room - bulk->n : n;
    if (!fit) {
      bool full;
      bulk->failed = grow(&full, bulk, err);
      if (!bulk->failed && full) bulk->failed = spill(bulk, NULL, err);
      continue;
    }
    for (size_t i = 0; i < fit; i++)
      assert(quads[i].term[0].bits && quads[i].term[1].bits && quads[i].term[2].bits);
    memcpy(bulk->data + 4 * bulk->n, quads, 32 * fit);
    bulk->n += fit;
    quads += fit;
    n -= fit;
  }
  return bulk->failed;
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
  if (bulk->spills) {
    if (bulk->n && (st = spill(bulk, cancel, err))) return st;
    free_records(bulk);
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
    st = build(quad_writer_sink(w), &n, bulk, cancel, err);
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
  if (!keep) atom_rollback(store->atoms, bulk->terms, bulk->blanks);
  quad_store_leave(store);
  base_release(store->mem, bulk, 1, sizeof *bulk);
}

quoin_status
quad_bulk_finish(uint64_t *added, quad_bulk *bulk, base_cancel *cancel, quoin_error *err)
{
  quad_store *store = bulk->store;
  quad_run *run = NULL;
  uint64_t generation = store->manifest.next_run, n = 0;
  quoin_status st = bulk->failed;

  if (st) base_fail(err, st, "the load failed before its end");
  if (!st) st = make_run(&run, bulk, cancel, err);
  if (!st && run) {
    n = run->entries;
    store->manifest.next_run = generation + 1;
    st = quad_store_save(store, run, err);
    if (st) {
      char name[64];
      (void)snprintf(name, sizeof name, "run-%llu", (unsigned long long)generation);
      /* Poisoned: the manifest may name it. Else nothing does. */
      if (!atomic_load(&store->poisoned)) (void)base_dir_unlink(&store->dir, name, NULL);
    }
  }
  if (added) *added = st ? 0 : n;
  quad_run_release(run);
  bulk_end(bulk, !st && n);
  return st;
}

void
quad_bulk_abort(quad_bulk *bulk)
{
  if (bulk) bulk_end(bulk, false);
}
