/* quadstore/version.h - versions (lists of runs) and the snapshots that hold them. */
#ifndef QUOIN_QUADSTORE_VERSION_H
#define QUOIN_QUADSTORE_VERSION_H

#include "quadstore/merge.h"

/* An atom store, shared by the versions whose ids it gave. `clear` and `compact` begin a new one;
 * the one before is closed with the last version that needs it. */
typedef struct quad_atoms {
  _Atomic uint32_t refs;
  const base_alloc *mem;
  atom_store *store;
} quad_atoms;

/* Takes `store` over, on failure too. */
quoin_status quad_atoms_new(quad_atoms **out, atom_store *store, const base_alloc *mem,
                            quoin_error *err);
quad_atoms *quad_atoms_retain(quad_atoms *atoms);
void quad_atoms_release(quad_atoms *atoms); /* NULL is fine */

/* Immutable; runs from old to new: those on disk, then those in memory. */
typedef struct quad_version {
  _Atomic uint32_t refs;
  const base_alloc *mem;
  uint64_t number;
  quad_atoms *atoms; /* retained; NULL in tests of runs alone */
  uint64_t terms;    /* the atom mark */
  uint32_t orders;
  size_t n_runs, room;
  size_t frozen; /* runs in memory, the oldest, that are being written to disk */
  quad_run *runs[];
} quad_version;

/* The number of runs on disk. */
static inline size_t
quad_version_disk(const quad_version *v)
{
  size_t n = 0;

  while (n < v->n_runs && v->runs[n]->disk)
    n++;
  return n;
}

/* Room for `room` runs, none in it. */
quoin_status quad_version_new(quad_version **out, size_t room, const base_alloc *mem,
                              quoin_error *err);
/* The same with number, atoms, mark, orders and frozen count of `base`. */
quoin_status quad_version_like(quad_version **out, const quad_version *base, size_t room,
                               const base_alloc *mem, quoin_error *err);
void quad_version_push(quad_version *v, quad_run *run); /* retains */
quad_version *quad_version_retain(quad_version *v);
void quad_version_release(quad_version *v); /* NULL is fine */

struct quad_snapshot {
  _Atomic uint32_t refs;
  const base_alloc *mem;
  quad_version *version; /* its atoms are pinned */
  quad_store *store;     /* NULL: of a transaction, or not a version of any */
  const quad_txn *txn;   /* whose changes it shows: that ends later; NULL: none */
};

/* Takes over the caller's reference to `version` and pins the atoms. On failure too. */
quoin_status quad_snapshot_make(quad_snapshot **out, quad_version *version, const base_alloc *mem,
                                quoin_error *err);

/* present[i] = 1 when record i (sorted by SPO(G), `stride` words each) is in `version`. */
quoin_status quad_version_present(uint8_t *present, const quad_version *version, unsigned part,
                                  const uint64_t *records, size_t n, unsigned stride,
                                  const base_alloc *mem, quoin_error *err);

#endif /* QUOIN_QUADSTORE_VERSION_H */
