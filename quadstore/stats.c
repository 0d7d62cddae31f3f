/* quadstore/stats.c - figures of the store. */
#include "quadstore/store.h"

#include "base/poison.h"

quoin_status
quad_store_stats(quad_stats *out, quad_store *store, quoin_error *err)
{
  quad_version *v = quad_store_version(store);

  (void)err;
  *out = (quad_stats){0};
  for (size_t i = 0; i < v->n_runs; i++) {
    const quad_run *run = v->runs[i];
    const quad_section *d = &run->section[QUAD_PART_DEFAULT][QUAD_SPO];
    const quad_section *n = &run->section[QUAD_PART_NAMED][QUAD_SPO];
    out->default_quads += d->entries - 2 * d->tombstones;
    out->named_quads += n->entries - 2 * n->tombstones;
    out->tombstones += run->tombstones;
    out->run_bytes += run->bytes;
    if (run->disk)
      out->disk_runs++;
    else
      out->memory_runs++;
  }
  out->log_bytes = atomic_load_explicit(&store->log_bytes, memory_order_relaxed);
  out->commits = atomic_load_explicit(&store->commits, memory_order_relaxed);
  out->log_syncs = atomic_load_explicit(&store->log_syncs, memory_order_relaxed);
  out->flushes = atomic_load_explicit(&store->executor.flushes, memory_order_relaxed);
  out->merges = atomic_load_explicit(&store->executor.merges, memory_order_relaxed);
  out->folds = atomic_load_explicit(&store->executor.folds, memory_order_relaxed);
  out->delayed = atomic_load_explicit(&store->executor.delayed, memory_order_relaxed);
  out->filter_bytes = atomic_load_explicit(&store->filters.bytes, memory_order_relaxed);
  out->modification = v->number;
  out->saved = atomic_load(&store->saved);
  atom_store_stats(&out->atoms, v->atoms->store);
  quad_version_release(v);
  return QUOIN_OK;
}
