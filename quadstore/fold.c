/* quadstore/fold.c - memory runs merge as they come, so that a version has few. */
#include "quadstore/store.h"

#include "base/poison.h"

/* a and b, its newer neighbour, as one; *out NULL when they cancel out. */
static quoin_status
merge_two(quad_run **out, quad_run *a, quad_run *b, const base_alloc *mem, quoin_error *err)
{
  quad_run *runs[2] = {a, b}, *run;
  uint64_t entries[QUAD_PARTS];
  quad_memory *m;
  quoin_status st;

  *out = NULL;
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    entries[part] = a->section[part][QUAD_SPO].entries + b->section[part][QUAD_SPO].entries;
  st = quad_memory_new(&m, a->orders, entries, a->tombstones || b->tombstones, mem, err);
  if (st) return st;
  if ((st = quad_merge_runs(quad_memory_sink(m), runs, 2, NULL, mem, err))) {
    quad_memory_free(m);
    return st;
  }
  if ((st = quad_memory_finish(&run, m, err))) return st;
  if (run->entries)
    *out = run;
  else
    quad_run_release(run);
  return QUOIN_OK;
}

/* Sizes halve from old to new at least, so an entry is copied O(log) times. */
quoin_status
quad_version_add_memory(quad_version **out, const quad_version *base, quad_run *run,
                        const base_alloc *mem, quoin_error *err)
{
  quad_version *v;
  size_t disk = 0;
  quoin_status st = quad_version_new(&v, base->n_runs + 1, mem, err);

  *out = NULL;
  if (st) return st;
  v->number = base->number;
  v->terms = base->terms;
  v->orders = base->orders;
  for (size_t i = 0; i < base->n_runs; i++) {
    disk += base->runs[i]->disk;
    quad_version_push(v, base->runs[i]);
  }
  quad_version_push(v, run);
  while (v->n_runs - disk > 1) {
    quad_run *a = v->runs[v->n_runs - 2], *b = v->runs[v->n_runs - 1], *both;
    if (v->n_runs - disk <= QUAD_MEMORY_RUNS && a->entries > 2 * b->entries) break;
    if ((st = merge_two(&both, a, b, mem, err))) {
      quad_version_release(v);
      return st;
    }
    quad_run_release(a);
    quad_run_release(b);
    v->n_runs -= 2;
    if (both) v->runs[v->n_runs++] = both;
  }
  *out = v;
  return QUOIN_OK;
}
