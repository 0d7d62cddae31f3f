/* Opening, statistics, check and checkpoint. */
#include "api/handle.h"

#include <assert.h>

#include "base/poison.h"

static quoin_status
check_open_options(const quoin_open_options *o, quoin_error *err)
{
  if ((int)o->mode < QUOIN_READ_WRITE || o->mode > QUOIN_CREATE_NEW)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "mode of the options is none that there is");
  if ((int)o->durability < QUOIN_DURABILITY_FULL || o->durability > QUOIN_DURABILITY_OFF)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "durability of the options is none that there is");
  if (o->indexes & ~(uint32_t)QUOIN_INDEX_ALL)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "indexes of the options has unknown bits");
  if (o->alloc && (!o->alloc->allocate || !o->alloc->resize || !o->alloc->release))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "alloc of the options lacks a function");
  return QUOIN_OK;
}

static_assert((int)QUOIN_DURABILITY_OFF == (int)QUAD_SYNC_OFF &&
                  (int)QUOIN_DURABILITY_RELAXED == (int)QUAD_SYNC_RELAXED,
              "the public numbers are those of quadstore");
static_assert(QUOIN_INDEX_POS == 1 << QUAD_POS && QUOIN_INDEX_GOSP == 1 << QUAD_GOSP,
              "the public bits are those of quad_order");

quoin_status
quoin_open(quoin_store **out, const char *path, const quoin_open_options *opts, quoin_error *err)
{
  quoin_open_options o = QUOIN_OPEN_OPTIONS_INIT;
  quoin_status st = QUOIN_OK;
  quoin_store *store = NULL;

  if (!out || !path) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or path is NULL");
  *out = NULL;
  if ((st = api_options(&o, sizeof(o), opts, err))) return st;
  if ((st = check_open_options(&o, err))) return st;
  const base_alloc mem = o.alloc ? *o.alloc : *base_alloc_default();
  if ((st = api_store_new(&store, &mem, o.threads, o.log, o.log_user, err))) return st;
  quad_store_options quads = {
      .create = o.mode == QUOIN_CREATE || o.mode == QUOIN_CREATE_NEW,
      .must_create = o.mode == QUOIN_CREATE_NEW,
      .read_only = o.mode == QUOIN_READ_ONLY,
      .durability = (quad_durability)o.durability,
      .orders = o.indexes,
      .memory_bytes = o.memory_bytes,
      .txn_bytes = o.memory_bytes,
      .log_bytes = o.log_bytes,
      .rest_ms = o.rest_ms,
      .filter_bytes = o.filter_bytes,
      .wait_ms = o.wait_ms,
      .log = o.log,
      .log_user = o.log_user,
  };
  /* The handle's own copy of the allocator lives as long as whatever the store keeps. */
  st = quad_store_open(&store->quads, path, &quads, &store->mem, err);
  const vec_options vectors = {.read_only = quads.read_only,
                               .unlinked = o.unlinked_vectors,
                               .threads = o.threads,
                               .mem = &store->mem};
  if (!st && (st = vec_attach(store->quads, &vectors, err))) {
    (void)quad_store_close(store->quads, NULL);
    store->quads = NULL;
  }
  if (st) {
    api_store_free(store);
    return st;
  }
  *out = store;
  return QUOIN_OK;
}

quoin_status
quoin_checkpoint(quoin_store *store, quoin_error *err)
{
  if (!store) return base_fail(err, QUOIN_ERR_ARGUMENT, "store is NULL");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_checkpoint(store->quads, err);
  return api_leave_counted(store, API_OP_CHECKPOINT, st);
}

quoin_status
quoin_store_refresh(bool *changed, quoin_store *store, quoin_error *err)
{
  if (!store) return base_fail(err, QUOIN_ERR_ARGUMENT, "store is NULL");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_store_refresh(changed, store->quads, err);
  return api_leave_counted(store, API_OP_REFRESH, st);
}

quoin_status
quoin_store_clear(quoin_store *store, quoin_error *err)
{
  if (!store) return base_fail(err, QUOIN_ERR_ARGUMENT, "store is NULL");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_store_clear(store->quads, err);
  return api_leave_counted(store, API_OP_CLEAR, st);
}

quoin_status
quoin_store_compact(quoin_store *store, uint64_t memory_bytes, quoin_cancel *cancel,
                    quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);

  if (!store) return base_fail(err, QUOIN_ERR_ARGUMENT, "store is NULL");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_store_compact(store->quads, memory_bytes, &stop, err);
  return api_leave_counted(store, API_OP_COMPACT, st);
}

quoin_status
quoin_backup(quoin_store *store, const char *path, quoin_cancel *cancel, quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);

  if (!store || !path) return base_fail(err, QUOIN_ERR_ARGUMENT, "store or path is NULL");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_store_backup(store->quads, path, &stop, err);
  return api_leave_counted(store, API_OP_BACKUP, st);
}

quoin_status
quoin_restore(const char *path, const char *backup, quoin_cancel *cancel, quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);

  if (!path || !backup) return base_fail(err, QUOIN_ERR_ARGUMENT, "path or backup is NULL");
  return vec_restore(path, backup, NULL, &stop, NULL, err);
}

quoin_status
quoin_check(quoin_store *store, quoin_line_fn report, void *user, quoin_cancel *cancel,
            quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);

  if (!store) return base_fail(err, QUOIN_ERR_ARGUMENT, "store is NULL");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_store_check(store->quads, report, user, &stop, err);
  api_leave(store);
  return st;
}

/* ---- statistics ------------------------------------------------------------------------------ */

/* Hop from graph to graph: the last graph of a batch is left behind by a seek. */
static quoin_status
count_graphs(uint64_t *out, const quad_snapshot *snapshot, quoin_error *err)
{
  const uint8_t graph_first[] = {QUAD_G};
  quad_pattern pattern = {.scope = QUAD_NAMED};
  quad_scan *scan = NULL;
  quad_batch batch;
  uint64_t n = 0, last = 0;
  quoin_status st = QUOIN_OK;

  *out = UINT64_MAX;
  quad_order order = quad_order_for(quad_snapshot_orders(snapshot), &pattern, graph_first, 1);
  if (order == QUAD_ORDERS || quad_order_keys[order][0] != QUAD_G) return QUOIN_OK;
  if ((st = quad_scan_open(&scan, snapshot, &pattern, order, 1u << QUAD_G, err))) return st;
  while (!(st = quad_scan_next(&batch, scan, err))) {
    for (size_t i = 0; i < batch.rows; i++) {
      n += batch.column[QUAD_G][i].bits != last;
      last = batch.column[QUAD_G][i].bits;
    }
    const atom_id key[4] = {{last + 1}};
    if ((st = quad_scan_seek(scan, key, err))) break;
  }
  quad_scan_close(scan);
  if (st != QUOIN_DONE) return st;
  *out = n;
  return QUOIN_OK;
}

static quoin_status
count_more(quoin_stats *out, quoin_store *store, bool graphs, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  quad_predicate_count *predicates = NULL;
  size_t n = 0;
  quoin_status st = quad_snapshot_acquire(&snapshot, store->quads, err);

  if (st) return st;
  if ((st = quad_predicates(&predicates, &n, snapshot, &store->mem, err))) goto done;
  for (size_t i = 0; i < n; i++)
    out->predicates += predicates[i].triples[0] || predicates[i].triples[1];
  if (graphs) st = count_graphs(&out->graphs, snapshot, err);

done:
  base_release(&store->mem, predicates, n, sizeof(*predicates));
  quad_snapshot_release(snapshot);
  return st;
}

static void
count_calls(quoin_stats *out, quoin_store *store)
{
  uint64_t *const field[API_OPS] = {[API_OP_QUERY] = &out->queries,
                                    [API_OP_MATCH] = &out->matches,
                                    [API_OP_COUNT] = &out->counts,
                                    [API_OP_DUMP] = &out->dumps,
                                    [API_OP_LOAD] = &out->loads,
                                    [API_OP_UPDATE] = &out->updates,
                                    [API_OP_COMMIT] = &out->commits,
                                    [API_OP_CONFLICT] = &out->conflicts,
                                    [API_OP_CHECKPOINT] = &out->checkpoints,
                                    [API_OP_CLEAR] = &out->clears,
                                    [API_OP_COMPACT] = &out->compactions,
                                    [API_OP_REFRESH] = &out->refreshes,
                                    [API_OP_BACKUP] = &out->backups};

  for (size_t op = 0; op < API_OPS; op++)
    *field[op] = atomic_load_explicit(&store->done[op], memory_order_relaxed);
}

/* As much of `s` as the caller knows. */
static void
give_stats(quoin_stats *out, quoin_stats *s)
{
  s->struct_size = out->struct_size;
  memcpy(out, s, s->struct_size < sizeof(*s) ? s->struct_size : sizeof(*s));
}

quoin_status
quoin_store_stats(quoin_stats *out, quoin_store *store, bool graphs, quoin_error *err)
{
  quad_stats q;
  quoin_stats s = {.struct_size = sizeof(s), .graphs = UINT64_MAX};

  if (!out || !store) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or store is NULL");
  if (out->struct_size < sizeof(size_t))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "struct_size is not set: use QUOIN_STATS_INIT");
  quoin_status st = api_enter(store, err);
  if (st) {
    count_calls(&s, store);
    give_stats(out, &s);
    return st;
  }
  if (!(st = quad_store_stats(&q, store->quads, err))) st = count_more(&s, store, graphs, err);
  api_leave(store);
  if (st) return st;
  s.quads = q.default_quads + q.named_quads;
  s.default_quads = q.default_quads;
  s.named_quads = q.named_quads;
  s.terms = q.atoms.terms;
  s.blank_nodes = q.atoms.blanks;
  s.disk_runs = q.disk_runs;
  s.memory_runs = q.memory_runs;
  s.tombstones = q.tombstones;
  s.run_bytes = q.run_bytes;
  s.term_bytes = q.atoms.term_bytes;
  s.offset_bytes = q.atoms.offset_bytes;
  s.table_bytes = q.atoms.table_bytes;
  s.log_bytes = q.log_bytes;
  s.vector_bytes = q.atoms.vector_bytes;
  s.filter_bytes = q.filter_bytes;
  s.vector_place_bytes = q.atoms.row_bytes;
  s.modification = q.modification;
  s.saved = q.saved;
  s.changes = q.commits;
  s.log_syncs = q.log_syncs;
  s.flushes = q.flushes;
  s.merges = q.merges;
  s.delayed = q.delayed;
  count_calls(&s, store);
  give_stats(out, &s);
  return QUOIN_OK;
}

quoin_status
quoin_store_dead_terms(uint64_t *out, quoin_store *store, quoin_cancel *cancel, quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);

  if (!out || !store) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or store is NULL");
  *out = 0;
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_store_dead_terms(out, store->quads, &stop, err);
  api_leave(store);
  return st;
}
