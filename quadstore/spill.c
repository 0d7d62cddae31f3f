/* quadstore/spill.c - see spill.h. */
#include "quadstore/spill.h"

#include <stdio.h>

#include "base/poison.h"

static void
make_name(char out[QUAD_SPILL_NAME], uint64_t number)
{
  (void)snprintf(out, QUAD_SPILL_NAME, "spill-%llu", (unsigned long long)number);
}

uint64_t
quad_spill_name(char out[QUAD_SPILL_NAME], quad_store *store)
{
  uint64_t number = atomic_fetch_add(&store->spills, 1) + 1;

  make_name(out, number);
  return number;
}

quoin_status
quad_spill_begin(quad_writer **out, quad_store *store, uint32_t orders, quoin_error *err)
{
  char name[QUAD_SPILL_NAME];
  uint64_t number = quad_spill_name(name, store);

  return quad_writer_open(out, &store->dir, name, number, orders, store->mem, err);
}

quoin_status
quad_spill_end(quad_run **out, quad_store *store, quad_writer *w, quoin_error *err)
{
  uint64_t number = quad_writer_generation(w);
  char name[QUAD_SPILL_NAME];
  quoin_status st;

  *out = NULL;
  make_name(name, number);
  if ((st = quad_writer_finish(w, false, err))) return st;
  if ((st = quad_run_open(out, &store->dir, name, number, store->mem, err)))
    (void)base_dir_unlink(&store->dir, name, NULL);
  return st;
}

quoin_status
quad_spill_runs(quad_run **out, quad_store *store, uint32_t orders, quad_run *const *runs, size_t n,
                base_cancel *cancel, quoin_error *err)
{
  quad_writer *w;
  quoin_status st;

  *out = NULL;
  if ((st = quad_spill_begin(&w, store, orders, err))) return st;
  if ((st = quad_merge_runs(quad_writer_sink(w), runs, n, cancel, store->mem, err))) {
    quad_writer_abort(w);
    return st;
  }
  return quad_spill_end(out, store, w, err);
}

void
quad_spill_drop(quad_store *store, quad_run *run)
{
  char name[QUAD_SPILL_NAME];

  if (!run) return;
  make_name(name, run->generation);
  quad_run_release(run);
  (void)base_dir_unlink(&store->dir, name, NULL);
}
