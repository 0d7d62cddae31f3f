/* quadstore/compact.c - one run and the terms it needs, under new ids.
 *
 * A pass over the quads marks the terms in use; those are copied into new atom files, in the order
 * of their numbers. So the order of the ids stays what it was, and each key order of the new run is
 * the merge of the old ones with the ids replaced as they pass: nothing is sorted. */
#include "quadstore/store.h"

#include <stdio.h>

#include "base/poison.h"

/* Mark what the quads of one partition use. */
static quoin_status
survey_part(atom_kept *kept, const quad_version *v, unsigned part, base_cancel *cancel,
            const base_alloc *mem, quoin_error *err)
{
  unsigned keys = part == QUAD_PART_DEFAULT ? 3 : 4;
  quad_merge m = {0};
  const uint64_t *cols[4];
  const uint8_t *dead;
  size_t rows;
  quoin_status st = quad_merge_init(&m, keys, false, v->n_runs, mem, err);

  for (size_t i = 0; i < v->n_runs && !st; i++)
    st = quad_merge_add(&m, &v->runs[i]->section[part][QUAD_SPO], NULL, err);
  if (!st) st = quad_merge_start(&m, NULL, 0, NULL, 0, err);
  while (!st && !(st = quad_merge_next(cols, &dead, &rows, &m, err))) {
    for (unsigned k = 0; k < keys && !st; k++)
      st = atom_kept_add(kept, cols[k], rows, err);
    if (!st) st = base_cancel_check(cancel, err);
  }
  quad_merge_clear(&m);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* The terms that `v` needs. */
static quoin_status
survey(atom_kept **out, const quad_version *v, base_cancel *cancel, const base_alloc *mem,
       quoin_error *err)
{
  atom_kept *kept;
  quoin_status st = atom_kept_new(&kept, v->terms, mem, err);

  *out = NULL;
  if (st) return st;
  for (unsigned part = 0; part < QUAD_PARTS && !st; part++)
    st = survey_part(kept, v, part, cancel, mem, err);
  if (!st) st = atom_kept_close(kept, v->atoms->store, cancel, err);
  if (st)
    atom_kept_free(kept);
  else
    *out = kept;
  return st;
}

quoin_status
quad_store_dead_terms(uint64_t *out, quad_store *store, base_cancel *cancel, quoin_error *err)
{
  quad_snapshot *s;
  atom_kept *kept = NULL;
  quoin_status st = quad_snapshot_acquire(&s, store, err);

  *out = 0;
  if (st) return st;
  st = survey(&kept, s->version, cancel, store->mem, err);
  if (!st) *out = s->version->terms - atom_kept_count(kept);
  atom_kept_free(kept);
  quad_snapshot_release(s);
  return st;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Passes entries on to another sink, with new ids. */
typedef struct renaming {
  quad_sink sink; /* first */
  quad_sink *to;
  const atom_kept *kept;
  unsigned keys;
  uint64_t col[4][QUAD_BATCH];
} renaming;

static quoin_status
rename_begin(quad_sink *self, unsigned part, unsigned order, quoin_error *err)
{
  renaming *r = (renaming *)self;

  r->keys = part == QUAD_PART_DEFAULT ? 3 : 4;
  return r->to->begin(r->to, part, order, err);
}

static quoin_status
rename_add(quad_sink *self, const uint64_t *const *cols, const uint8_t *dead, size_t rows,
           quoin_error *err)
{
  renaming *r = (renaming *)self;
  const uint64_t *renamed[4] = {NULL, NULL, NULL, NULL};
  quoin_status st;

  for (size_t at = 0, n; at < rows; at += n) {
    n = rows - at < QUAD_BATCH ? rows - at : QUAD_BATCH;
    for (unsigned k = 0; k < r->keys; k++) {
      if ((st = atom_kept_map(r->col[k], r->kept, cols[k] + at, n, err))) return st;
      renamed[k] = r->col[k];
    }
    st = r->to->add(r->to, renamed, dead ? dead + at : NULL, n, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

static quoin_status
rename_end(quad_sink *self, quoin_error *err)
{
  renaming *r = (renaming *)self;

  return r->to->end(r->to, err);
}

/* All of the store as run file `generation`; *out NULL when there is nothing. */
static quoin_status
rewrite(quad_run **out, quad_store *store, uint64_t generation, const atom_kept *kept,
        base_cancel *cancel, quoin_error *err)
{
  const quad_version *v = store->version;
  char name[64];
  quad_writer *w = NULL;
  quad_run *run = NULL;
  renaming *r = base_new(store->mem, 1, sizeof *r);
  quoin_status st = QUOIN_OK;

  *out = NULL;
  if (!r) return base_fail_nomem(err);
  (void)snprintf(name, sizeof name, "run-%llu", (unsigned long long)generation);
  if (base_dir_has(&store->dir, name) && (st = base_dir_unlink(&store->dir, name, err))) goto done;
  st = quad_writer_open(&w, &store->dir, name, generation, v->orders, store->mem, err);
  if (st) goto done;
  r->to = quad_writer_sink(w);
  r->kept = kept;
  r->sink = (quad_sink){rename_begin, rename_add, rename_end, v->orders};
  if ((st = quad_merge_runs(&r->sink, v->runs, v->n_runs, cancel, store->mem, err))) goto done;
  st = quad_writer_finish(w, true, err);
  w = NULL;
  if (!st) st = quad_run_open(&run, &store->dir, name, generation, store->mem, err);
  if (st || !run->entries) {
    quad_run_release(run);
    (void)base_dir_unlink(&store->dir, name, NULL);
  } else {
    *out = run;
  }

done:
  quad_writer_abort(w);
  base_release(store->mem, r, 1, sizeof *r);
  return st;
}

/* ---- the store ------------------------------------------------------------------------------- */

/* The atom files of the next generation. */
static quoin_status
copy_atoms(quad_atoms **out, quad_store *store, const atom_kept *kept, base_cancel *cancel,
           quoin_error *err)
{
  atom_marks marks = {.generation = store->manifest.atoms.generation + 1};
  atom_store *atoms = NULL;
  quoin_status st = atom_store_copy(&marks, &store->dir, store->atoms, kept, cancel, err);

  if (!st) st = atom_store_open(&atoms, &store->dir, &marks, ATOM_OPEN_WRITE, store->mem, err);
  if (!st) base_error_clear(err); /* the opening looked for a table first */
  return st ? st : quad_atoms_new(out, atoms, store->mem, err);
}

/* The version of the new files, on disk and in no manifest yet. */
static quoin_status
build(quad_version **out, quad_store *store, const atom_kept *kept, base_cancel *cancel,
      quoin_error *err)
{
  quad_version *next = NULL;
  quad_run *run = NULL;
  quoin_status st = quad_version_new(&next, 1, store->mem, err);

  *out = NULL;
  if (st) return st;
  next->number = store->version->number + 1;
  next->orders = store->version->orders;
  next->terms = atom_kept_count(kept);
  if ((st = copy_atoms(&next->atoms, store, kept, cancel, err))) goto done;
  if ((st = rewrite(&run, store, store->manifest.next_run, kept, cancel, err))) goto done;
  if (run) quad_version_push(next, run);
  quad_run_release(run);
  *out = next;
  next = NULL;

done:
  quad_version_release(next);
  return st;
}

static void
unlink_run(quad_store *store, uint64_t generation)
{
  char name[64];

  (void)snprintf(name, sizeof name, "run-%llu", (unsigned long long)generation);
  if (base_dir_has(&store->dir, name)) (void)base_dir_unlink(&store->dir, name, NULL);
}

/* With the role of quad_store_enter_idle. */
static quoin_status
compact(quad_store *store, uint64_t memory_bytes, base_cancel *cancel, quoin_error *err)
{
  uint64_t atoms = store->manifest.atoms.generation + 1, run = store->manifest.next_run;
  uint64_t needed = atom_kept_bytes(store->version->terms);
  atom_kept *kept = NULL;
  quad_version *next = NULL;
  quoin_status st;

  if (memory_bytes && needed > memory_bytes)
    return base_fail(err, QUOIN_ERR_LIMIT,
                     "compacting %llu terms needs %llu bytes of memory, %llu are allowed",
                     (unsigned long long)store->version->terms, (unsigned long long)needed,
                     (unsigned long long)memory_bytes);
  if ((st = survey(&kept, store->version, cancel, store->mem, err))) return st;
  if (!(st = build(&next, store, kept, cancel, err))) {
    store->manifest.next_run++;
    st = quad_store_replace(store, next, err);
  }
  if (st && !atomic_load(&store->poisoned)) { /* else the manifest may name them */
    atom_store_unlink(&store->dir, atoms);
    unlink_run(store, run);
  }
  atom_kept_free(kept);
  return st;
}

quoin_status
quad_store_compact(quad_store *store, uint64_t memory_bytes, base_cancel *cancel, quoin_error *err)
{
  quoin_status st = quad_store_may_write(store, err);

  if (st || (st = quad_store_enter_idle(store, cancel, err))) return st;
  st = quad_store_may_write(store, err);
  if (!st) st = compact(store, memory_bytes, cancel, err);
  if (!st) (void)quad_store_collect(store, NULL); /* what stays is collected at the next open */
  quad_store_leave(store);
  return st;
}
