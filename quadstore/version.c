/* quadstore/version.c - see version.h. */
#include "quadstore/version.h"

#include <assert.h>

#include "base/poison.h"

quoin_status
quad_atoms_new(quad_atoms **out, atom_store *store, const base_alloc *mem, quoin_error *err)
{
  quad_atoms *a = base_new_zero(mem, 1, sizeof *a);

  *out = a;
  if (!a) {
    atom_store_close(store);
    return base_fail_nomem(err);
  }
  atomic_init(&a->refs, 1);
  a->mem = mem;
  a->store = store;
  return QUOIN_OK;
}

quad_atoms *
quad_atoms_retain(quad_atoms *atoms)
{
  atomic_fetch_add_explicit(&atoms->refs, 1, memory_order_relaxed);
  return atoms;
}

void
quad_atoms_release(quad_atoms *atoms)
{
  if (!atoms || atomic_fetch_sub_explicit(&atoms->refs, 1, memory_order_acq_rel) != 1) return;
  atom_store_close(atoms->store);
  base_release(atoms->mem, atoms, 1, sizeof *atoms);
}

quoin_status
quad_version_new(quad_version **out, size_t room, const base_alloc *mem, quoin_error *err)
{
  quad_version *v = base_new_zero(mem, 1, sizeof *v + room * sizeof(quad_run *));

  *out = v;
  if (!v) return base_fail_nomem(err);
  atomic_init(&v->refs, 1);
  v->mem = mem;
  v->room = room;
  return QUOIN_OK;
}

quoin_status
quad_version_like(quad_version **out, const quad_version *base, size_t room, const base_alloc *mem,
                  quoin_error *err)
{
  quoin_status st = quad_version_new(out, room, mem, err);

  if (st) return st;
  (*out)->number = base->number;
  (*out)->atoms = base->atoms ? quad_atoms_retain(base->atoms) : NULL;
  (*out)->terms = base->terms;
  (*out)->orders = base->orders;
  (*out)->frozen = base->frozen;
  return QUOIN_OK;
}

void
quad_version_push(quad_version *v, quad_run *run)
{
  assert(v->n_runs < v->room);
  v->runs[v->n_runs++] = quad_run_retain(run);
}

quad_version *
quad_version_retain(quad_version *v)
{
  atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
  return v;
}

void
quad_version_release(quad_version *v)
{
  /* acq_rel: the last one frees after all uses by the others */
  if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
  for (size_t i = 0; i < v->n_runs; i++)
    quad_run_release(v->runs[i]);
  quad_atoms_release(v->atoms);
  base_release(v->mem, v, 1, sizeof *v + v->room * sizeof(quad_run *));
}

quoin_status
quad_snapshot_make(quad_snapshot **out, quad_version *version, const base_alloc *mem,
                   quoin_error *err)
{
  quad_snapshot *s = base_new_zero(mem, 1, sizeof *s);

  *out = s;
  if (!s) {
    quad_version_release(version);
    return base_fail_nomem(err);
  }
  atomic_init(&s->refs, 1);
  s->mem = mem;
  s->version = version;
  if (version->atoms) atom_store_pin(version->atoms->store);
  return QUOIN_OK;
}

quad_snapshot *
quad_snapshot_retain(quad_snapshot *snapshot)
{
  atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
  return snapshot;
}

void
quad_snapshot_release(quad_snapshot *snapshot)
{
  if (!snapshot || atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) != 1) return;
  if (snapshot->version->atoms) atom_store_unpin(snapshot->version->atoms->store);
  quad_version_release(snapshot->version);
  base_release(snapshot->mem, snapshot, 1, sizeof *snapshot);
}

atom_store *
quad_snapshot_atoms(const quad_snapshot *snapshot)
{
  return snapshot->version->atoms ? snapshot->version->atoms->store : NULL;
}

uint64_t
quad_snapshot_atom_mark(const quad_snapshot *snapshot)
{
  return snapshot->version->terms;
}

uint64_t
quad_snapshot_version(const quad_snapshot *snapshot)
{
  return snapshot->version->number;
}

uint32_t
quad_snapshot_orders(const quad_snapshot *snapshot)
{
  return snapshot->version->orders;
}

static int
row_compare(const quad_section *sec, size_t row, const uint64_t *rec, unsigned keys)
{
  for (unsigned k = 0; k < keys; k++)
    if (sec->col[k][row] != rec[k]) return sec->col[k][row] < rec[k] ? -1 : 1;
  return 0;
}

/* First row from `from` on that is not before `rec`: galloping, since records ascend. */
static size_t
lower_bound(const quad_section *sec, size_t from, const uint64_t *rec, unsigned keys)
{
  size_t n = (size_t)sec->entries, lo = from, step = 1;

  while (lo + step < n && row_compare(sec, lo + step - 1, rec, keys) < 0) {
    lo += step;
    step *= 2;
  }
  n = lo + step < n ? lo + step : n;
  while (lo < n) {
    size_t mid = lo + (n - lo) / 2;
    if (row_compare(sec, mid, rec, keys) < 0)
      lo = mid + 1;
    else
      n = mid;
  }
  return lo;
}

static void
present_in_memory(uint8_t *present, const quad_section *sec, const uint64_t *records, size_t n,
                  unsigned stride, unsigned keys)
{
  size_t at = 0, all = (size_t)sec->entries;

  for (size_t i = 0; i < n; i++) {
    at = lower_bound(sec, at, records + i * stride, keys);
    if (at == all) return;
    if (row_compare(sec, at, records + i * stride, keys) == 0)
      present[i] = !(sec->dead && sec->dead[at]);
  }
}

quoin_status
quad_version_present(uint8_t *present, const quad_version *version, unsigned part,
                     const uint64_t *records, size_t n, unsigned stride, const base_alloc *mem,
                     quoin_error *err)
{
  unsigned keys = part == QUAD_PART_DEFAULT ? 3 : 4;
  quoin_status st = QUOIN_OK;

  memset(present, 0, n);
  for (size_t r = 0; r < version->n_runs; r++) {
    const quad_section *sec = &version->runs[r]->section[part][QUAD_SPO];
    quad_cursor cur;
    if (!sec->entries) continue;
    if (!version->runs[r]->disk) {
      present_in_memory(present, sec, records, n, stride, keys);
      continue;
    }
    quad_cursor_open(&cur, sec, mem);
    for (size_t i = 0; i < n; i++) {
      const uint64_t *rec = records + i * stride;
      uint64_t here[4];
      uint32_t row;
      st = quad_cursor_seek(&row, &cur, rec, keys, false, err);
      if (st) break; /* DONE: all further records lie behind this section */
      quad_cursor_need(&cur, (1u << keys) - 1, row, row + 1);
      for (unsigned k = 0; k < keys; k++)
        here[k] = cur.col[k][row];
      if (quad_key_compare(here, rec, keys) == 0)
        present[i] = !(cur.dead && cur.dead[row]); /* entries alternate: the newest counts */
    }
    quad_cursor_close(&cur);
    if (st < 0) return st;
  }
  return QUOIN_OK;
}
