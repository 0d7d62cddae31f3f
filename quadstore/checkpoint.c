/* quadstore/checkpoint.c - from memory and log to run files and a new manifest; merging runs. */
#include "quadstore/history.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

enum { DROP_ROWS = 16 << 20 }; /* about 50 MB of blocks */

/* What was read of files lies behind: its pages are not held. */
static void
drop_pages(quad_run *const *runs, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (runs[i]->disk) base_map_drop(&runs[i]->map);
}

quoin_status
quad_merge_runs(quad_sink *sink, quad_run *const *runs, size_t n, base_cancel *cancel,
                const base_alloc *mem, quoin_error *err)
{
  quad_merge merge = {0};
  quoin_status st = QUOIN_OK;
  size_t read = 0;

  for (unsigned i = 0; i < QUAD_PARTS * QUAD_ORDERS; i++) {
    unsigned part = i / QUAD_ORDERS, order = quad_build_sequence[i % QUAD_ORDERS];
    uint64_t entries = 0;
    const uint64_t *cols[4];
    const uint8_t *dead;
    size_t rows;

    if (!(sink->orders >> order & 1) || (part == QUAD_PART_DEFAULT && order >= QUAD_GSPO)) continue;
    for (size_t r = 0; r < n; r++)
      entries += runs[r]->section[part][order].entries;
    if (!entries) continue;
    if ((st = quad_merge_init(&merge, part == QUAD_PART_DEFAULT ? 3 : 4, false, n, mem, err)))
      goto done;
    for (size_t r = 0; r < n; r++)
      if ((st = quad_merge_add(&merge, &runs[r]->section[part][order], NULL, err))) goto done;
    if ((st = quad_merge_start(&merge, NULL, 0, NULL, 0, err))) goto done;
    if ((st = sink->begin(sink, part, order, err))) goto done;
    while (!(st = quad_merge_next(cols, &dead, &rows, &merge, err))) {
      if ((st = sink->add(sink, cols, dead, rows, err))) goto done;
      if ((read += rows) >= DROP_ROWS) {
        drop_pages(runs, n);
        read = 0;
      }
      if (cancel && (st = base_cancel_check(cancel, err))) goto done;
    }
    if (st < 0) goto done;
    if ((st = sink->end(sink, err))) goto done;
    quad_merge_clear(&merge);
  }
  st = QUOIN_OK;

done:
  quad_merge_clear(&merge);
  return st;
}

static void
run_name(char out[64], uint64_t generation)
{
  (void)snprintf(out, 64, "run-%llu", (unsigned long long)generation);
}

quoin_status
quad_store_write_run(quad_run **out, quad_store *store, quad_run *const *runs, size_t n,
                     quad_sink *(*through)(void *user, quad_sink *sink), void *user,
                     quoin_error *err)
{
  uint64_t generation = store->manifest.next_run++; /* a flush may come between */
  char name[64];
  quad_writer *w = NULL;
  quad_sink *sink;
  quad_run *run;
  quoin_status st;

  *out = NULL;
  run_name(name, generation);
  if (base_dir_has(&store->dir, name) && (st = base_dir_unlink(&store->dir, name, err))) return st;
  st = quad_writer_open(&w, &store->dir, name, generation, store->manifest.orders, store->mem, err);
  if (st) return st;
  sink = quad_writer_sink(w);
  if (through) sink = through(user, sink);
  if ((st = quad_merge_runs(sink, runs, n, NULL, store->mem, err))) {
    quad_writer_abort(w);
    return st;
  }
  if ((st = quad_writer_finish(w, true, err))) return st;
  if ((st = quad_run_open(&run, &store->dir, name, generation, store->mem, err))) return st;
  if (!run->entries) {
    quad_run_release(run);
    return base_dir_unlink(&store->dir, name, err);
  }
  *out = run;
  return QUOIN_OK;
}

size_t
quad_merge_from(quad_run *const *runs, size_t n)
{
  size_t from = n - 1;
  uint64_t sum = runs[from]->entries;

  while (from && (runs[from - 1]->entries <= 2 * sum || from >= QUAD_DISK_RUNS / 2))
    sum += runs[--from]->entries;
  return from;
}

/* The disk runs of the next manifest: those there are, the memory runs as one, then `extra`. */
static quoin_status
gather_runs(quad_version **out, quad_store *store, quad_run *extra, quoin_error *err)
{
  const quad_version *now = store->version;
  quad_version *next = NULL;
  quad_run *run = NULL;
  size_t disk = quad_version_disk(now), from;
  quoin_status st;

  *out = NULL;
  if ((st = quad_version_like(&next, now, now->n_runs + 2, store->mem, err))) return st;
  next->frozen = 0;
  for (size_t i = 0; i < disk; i++)
    quad_version_push(next, now->runs[i]);
  if (disk < now->n_runs) {
    st = quad_store_write_run(&run, store, now->runs + disk, now->n_runs - disk, NULL, NULL, err);
    if (st) goto done;
    if (run) quad_version_push(next, run);
    quad_run_release(run);
  }
  if (extra) quad_version_push(next, extra);
  if (next->n_runs > QUAD_DISK_RUNS) {
    from = quad_merge_from(next->runs, next->n_runs);
    st = quad_store_write_run(&run, store, next->runs + from, next->n_runs - from, NULL, NULL, err);
    if (st) goto done;
    while (next->n_runs > from)
      quad_run_release(next->runs[--next->n_runs]);
    if (run) quad_version_push(next, run);
    quad_run_release(run);
  }
  if (extra) {
    next->number++;
    next->terms = atom_store_terms(store->atoms);
  }
  *out = next;
  next = NULL;

done:
  quad_version_release(next);
  return st;
}

quoin_status
quad_store_write_manifest(quad_manifest *m, quad_store *store, quad_run *const *runs, size_t n,
                          quoin_error *err)
{
  quoin_status st;

  m->runs = NULL;
  m->n_runs = n;
  m->next_run = store->manifest.next_run;
  if (n && !(m->runs = base_new(store->mem, n, sizeof *m->runs))) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++)
    m->runs[i] = (quad_run_ref){runs[i]->generation, runs[i]->bytes, runs[i]->footer_hash};
  m->generation++;
  if ((st = quad_store_take_section(m, store, err))) goto done;
  st = quad_store_poison(store, base_dir_sync(&store->dir, err));
  if (!st) st = quad_store_poison(store, quad_manifest_write(m, &store->dir, store->mem, err));
  if (!st) return QUOIN_OK;

done:
  base_release(store->mem, m->runs, n, sizeof *m->runs);
  base_release(store->mem, m->section, m->section_len, 1);
  m->runs = NULL;
  m->section = NULL;
  return st;
}

void
quad_store_take_manifest(quad_store *store, const quad_manifest *m)
{
  base_release(store->mem, store->manifest.runs, store->manifest.n_runs, sizeof *m->runs);
  base_release(store->mem, store->manifest.section, store->manifest.section_len, 1);
  store->manifest = *m;
  atomic_store(&store->saved, m->version);
}

/* Make a manifest of `next`, all of which is on disk, the store's; the log begins anew. */
static quoin_status
swap_manifest(quad_store *store, const quad_version *next, quoin_error *err)
{
  quad_manifest m = store->manifest;
  quoin_status st;

  assert(!store->executor.busy);
  m.version = next->number;
  m.log_first = store->log.segment + (store->log.file.fd >= 0);
  m.log_lineage = m.log_sequence = 0;
  st = quad_store_poison(store, atom_store_sync(&m.atoms, next->atoms->store, err));
  if (!st) st = quad_store_write_manifest(&m, store, next->runs, next->n_runs, err);
  if (st) return st;
  quad_store_take_manifest(store, &m);
  quad_log_close(&store->log);
  quad_log_init(&store->log, &store->dir, m.log_first, m.lineage, 1,
                store->durability != QUAD_SYNC_FULL, store->mem);
  atomic_store(&store->log_bytes, 0);
  return QUOIN_OK;
}

quoin_status
quad_store_replace(quad_store *store, quad_version *next, quoin_error *err)
{
  quad_atoms *before = store->shared;
  quoin_status st = swap_manifest(store, next, err);

  if (st) {
    quad_version_release(next);
    return st;
  }
  quad_history_forget(store->history, next->number);
  if (next->atoms != before) {
    store->shared = quad_atoms_retain(next->atoms);
    store->atoms = next->atoms->store;
    atom_store_writer_enter(store->atoms);
    atom_store_writer_leave(before->store);
  }
  quad_store_publish(store, next);
  quad_executor_settle(store);
  quad_store_applied(store);
  if (store->shared != before) quad_atoms_release(before);
  return QUOIN_OK;
}

quoin_status
quad_store_save(quad_store *store, quad_run *extra, quoin_error *err)
{
  quad_version *next = NULL;
  quoin_status st;

  if ((st = gather_runs(&next, store, extra, err))) return st;
  if (extra) st = quad_store_judge(store, next, NULL, err);
  if (!st) st = swap_manifest(store, next, err);
  if (st) {
    if (extra) quad_store_dropped(store, store->version->number, false);
    quad_version_release(next);
    return st;
  }
  if (extra) quad_history_forget(store->history, next->number);
  quad_store_publish(store, next);
  quad_executor_settle(store);
  quad_store_applied(store);
  (void)quad_store_collect(store, NULL); /* what stays is collected at the next open */
  return QUOIN_OK;
}

bool
quad_store_is_saved(const quad_store *store)
{
  const quad_participant *p = &store->participant;

  return !(p->is_unsaved && p->is_unsaved(p->self)) &&
         store->version->number == atomic_load(&((quad_store *)(uintptr_t)store)->saved) &&
         !store->log.bytes && store->log.file.fd < 0 &&
         store->version->n_runs == store->manifest.n_runs;
}

quoin_status
quad_store_checkpoint(quad_store *store, quoin_error *err)
{
  return quad_store_is_saved(store) ? QUOIN_OK : quad_store_save(store, NULL, err);
}

/* ---- stale files ---------------------------------------------------------------------------- */

/* The number after `prefix` in `name`; false when it is something else. */
static bool
numbered(uint64_t *out, const char *name, const char *prefix)
{
  size_t len = strlen(prefix);
  char *end;

  if (strncmp(name, prefix, len) || name[len] < '0' || name[len] > '9') return false;
  *out = strtoull(name + len, &end, 10);
  return *end == 0;
}

static bool
is_stale(const quad_store *store, const char *name)
{
  const quad_manifest *m = &store->manifest;
  uint64_t n;

  if (!strcmp(name, "manifest.new")) return true;
  /* those of this process are their makers' */
  if (numbered(&n, name, "spill-"))
    return n > atomic_load(&((quad_store *)(uintptr_t)store)->spills);
  if (numbered(&n, name, "manifest-")) return n != m->generation;
  if (numbered(&n, name, "log-")) return n < m->log_first;
  if (numbered(&n, name, "run-")) {
    if (n == store->executor.merging) return false;
    for (size_t i = 0; i < m->n_runs; i++)
      if (m->runs[i].generation == n) return false;
    return true;
  }
  if (store->participant.is_stale && store->participant.is_stale(store->participant.self, name))
    return true;
  return atom_file_is_mine(name) && atom_file_is_stale(name, &m->atoms);
}

static quoin_status
collect_one(void *user, const char *name, quoin_error *err)
{
  const quad_store *store = user;

  return is_stale(store, name) ? base_dir_unlink(&store->dir, name, err) : QUOIN_OK;
}

quoin_status
quad_store_collect(quad_store *store, quoin_error *err)
{
  return base_dir_list(&store->dir, collect_one, store, err);
}
