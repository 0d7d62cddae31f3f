/* quadstore/clear.c - emptying a store at once: a manifest without runs, and fresh atom files. */
#include "quadstore/store.h"

#include "base/poison.h"

/* Fresh atom files of the next generation; blank nodes go on where they are. */
static quoin_status
fresh_atoms(quad_atoms **out, quad_store *store, quoin_error *err)
{
  atom_marks marks = {.generation = store->manifest.atoms.generation + 1};
  atom_store *atoms = NULL;
  quoin_status st = atom_store_create(&store->dir, &marks, err);

  *out = NULL;
  if (st) return st;
  marks.blanks = atom_store_blanks(store->atoms);
  if ((st = atom_store_open(&atoms, &store->dir, &marks, ATOM_OPEN_WRITE, store->mem, err)))
    return st;
  return quad_atoms_new(out, atoms, store->mem, err);
}

/* With the role of quad_store_enter_idle. */
static quoin_status
clear(quad_store *store, quoin_error *err)
{
  uint64_t generation = store->manifest.atoms.generation + 1;
  quad_version *next = NULL;
  quoin_status st = quad_version_new(&next, 0, store->mem, err);

  if (st) return st;
  next->number = store->version->number + 1;
  next->orders = store->version->orders;
  if (!(st = fresh_atoms(&next->atoms, store, err))) {
    st = quad_store_replace(store, next, err);
    next = NULL;
  }
  quad_version_release(next);
  /* Poisoned: the manifest may name them. Else nothing does. */
  if (st && !atomic_load(&store->poisoned)) atom_store_unlink(&store->dir, generation);
  return st;
}

quoin_status
quad_store_clear(quad_store *store, quoin_error *err)
{
  quoin_status st = quad_store_may_write(store, err);

  if (st) return st;
  if ((st = quad_store_enter_idle(store, NULL, err))) return st;
  st = quad_store_may_write(store, err);
  if (!st) st = clear(store, err);
  if (!st) (void)quad_store_collect(store, NULL); /* what stays is collected at the next open */
  quad_store_leave(store);
  return st;
}
