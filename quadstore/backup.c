/* quadstore/backup.c - what a snapshot shows, as a store of its own.
 *
 * A snapshot holds all it needs open: run files, which never change, atoms, which do not change
 * below its mark, and runs in memory. The files are linked or copied, the runs in memory become a
 * run file, the table of the terms is made anew, and the manifest comes last: until then the
 * directory is no store. */
#include "quadstore/store.h"

#include <stdio.h>

#include "base/poison.h"

typedef struct backup {
  const quad_version *v;
  const base_dir *from; /* where the run files were, if they still are */
  base_dir to;
  quad_manifest m;
  base_cancel *cancel;
  const base_alloc *mem;
} backup;

static quoin_status
refuse_any(void *user, const char *name, quoin_error *err)
{
  const base_dir *dir = user;

  /* within a quota, the lock is of whoever keeps the directory for this copy */
  if (!strcmp(name, "lost+found") || (dir->quota && !strcmp(name, "lock"))) return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_EXISTS, "'%s' has files ('%s'): name a new or an empty directory",
                   dir->name, name);
}

/* *made: the directory was not there. */
static quoin_status
make_directory(base_dir *dir, bool *made, const char *path, base_quota *quota, quoin_error *err)
{
  quoin_status st = base_dir_create(path, err);

  *made = !st;
  if (st && st != QUOIN_ERR_EXISTS) return st;
  base_error_clear(err);
  if (!(st = base_dir_open(dir, path, err))) {
    dir->quota = quota;
    st = base_dir_list(dir, refuse_any, dir, err);
  }
  if (st && *made) (void)base_dir_remove(NULL, path, NULL);
  return st;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void
run_name(char out[64], uint64_t generation)
{
  (void)snprintf(out, 64, "run-%llu", (unsigned long long)generation);
}

static void
name_run(backup *b, const quad_run *run)
{
  b->m.runs[b->m.n_runs++] = (quad_run_ref){run->generation, run->bytes, run->footer_hash};
  if (run->generation >= b->m.next_run) b->m.next_run = run->generation + 1;
}

/* A link counts as a file of its own: the other one may go. */
static quoin_status
link_file(bool *linked, backup *b, const quad_run *run, const char *name, quoin_error *err)
{
  base_quota *quota = b->to.quota;
  quoin_status st = quota ? quota->grow(quota, run->bytes, err) : QUOIN_OK;

  *linked = !st && base_dir_link(b->from, name, &b->to);
  if (!st && !*linked && quota) quota->shrink(quota, run->bytes);
  return st;
}

/* A file that does not change. Its name may be gone, since it is merged: then it is copied. */
static quoin_status
take_file(backup *b, const quad_run *run, quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  char name[64];
  bool linked;
  quoin_status st;

  run_name(name, run->generation);
  name_run(b, run);
  if ((st = link_file(&linked, b, run, name, err)) || linked) return st;
  if ((st = base_file_open(&file, &b->to, name, BASE_FILE_CREATE_NEW, err))) return st;
  st = base_file_copy(&file, &run->file, run->bytes, err);
  if (!st) st = base_file_sync(&file, err);
  base_file_close(&file);
  return st;
}

/* Runs in memory, from `first` on, as one file. */
static quoin_status
write_memory(backup *b, size_t first, quoin_error *err)
{
  uint64_t generation = b->m.next_run;
  quad_writer *w;
  quad_run *run;
  char name[64];
  quoin_status st;

  if (first == b->v->n_runs) return QUOIN_OK;
  run_name(name, generation);
  if ((st = quad_writer_open(&w, &b->to, name, generation, b->v->orders, b->mem, err))) return st;
  st = quad_merge_runs(quad_writer_sink(w), b->v->runs + first, b->v->n_runs - first, b->cancel,
                       b->mem, err);
  if (st) {
    quad_writer_abort(w);
    return st;
  }
  if ((st = quad_writer_finish(w, true, err))) return st;
  if ((st = quad_run_open(&run, &b->to, name, generation, b->mem, err))) return st;
  if (run->entries)
    name_run(b, run);
  else
    st = base_dir_unlink(&b->to, name, err);
  quad_run_release(run);
  return st;
}

static quoin_status
take_runs(backup *b, quoin_error *err)
{
  size_t disk = 0;
  quoin_status st = QUOIN_OK;

  b->m.next_run = 1;
  if (!(b->m.runs = base_new(b->mem, b->v->n_runs + 1, sizeof *b->m.runs)))
    return base_fail_nomem(err);
  for (; disk < b->v->n_runs && b->v->runs[disk]->disk && !st; disk++)
    if (!(st = base_cancel_check(b->cancel, err))) st = take_file(b, b->v->runs[disk], err);
  return st ? st : write_memory(b, disk, err);
}

/* ---- what is kept beside the quads ------------------------------------------------------------
 */

/* Before the snapshot is taken: it then has all that the copied files were made from. */
static quoin_status
take_participant(base_buffer *section, uint64_t *generation, backup *b, quad_store *store,
                 quoin_error *err)
{
  const quad_participant *p = &store->participant;
  *generation = 0;
  if (!p->backup) return QUOIN_OK;
  quoin_status st = p->backup(section, generation, p->self, &b->to, b->cancel, err);
  return st ? st : section->failed ? base_fail_nomem(err) : QUOIN_OK;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static quoin_status
take_atoms(backup *b, quoin_error *err)
{
  atom_store *atoms = NULL;
  quoin_status st;

  st = atom_store_clone(&b->m.atoms, &b->to, b->v->atoms->store, b->v->terms, b->cancel, err);
  if (!st) st = atom_store_open(&atoms, &b->to, &b->m.atoms, ATOM_OPEN_WRITE, b->mem, err);
  if (!st) base_error_clear(err); /* the opening looked for a table first */
  if (!st) st = atom_store_sync(&b->m.atoms, atoms, err);
  atom_store_close(atoms);
  return st;
}

/* Is there room for what is known already? Said before anything is copied. */
static quoin_status
ask_for_all(const backup *b, quad_store *store, quoin_error *err)
{
  base_quota *quota = b->to.quota;
  quad_snapshot *snapshot;
  atom_stats atoms;
  uint64_t bytes;
  quoin_status st;

  if (!quota) return QUOIN_OK;
  if ((st = quad_snapshot_acquire(&snapshot, store, err))) return st;
  const quad_version *v = snapshot->version;
  atom_store_stats(&atoms, v->atoms->store);
  bytes = atoms.term_bytes + atoms.offset_bytes + atoms.vector_bytes;
  for (size_t i = 0; i < v->n_runs && v->runs[i]->disk; i++)
    bytes += v->runs[i]->bytes;
  if (!(st = quota->grow(quota, bytes, err))) quota->shrink(quota, bytes);
  quad_snapshot_release(snapshot);
  return st;
}

/* All that is there, by opening and checking it. */
static quoin_status
verify(const backup *b, const char *path, quoin_error *err)
{
  const quad_store_options options = {.read_only = true};
  quad_store *store;
  quoin_status st = quad_store_open(&store, path, &options, b->mem, err), closed;

  if (st) return st;
  st = quad_store_check(store, NULL, NULL, b->cancel, err);
  closed = quad_store_close(store, st ? NULL : err);
  return st ? st : closed;
}

/* All but the lock of whoever keeps the directory. */
static quoin_status
unlink_each(void *user, const char *name, quoin_error *err)
{
  if (!strcmp(name, "lost+found") || !strcmp(name, "lock")) return QUOIN_OK;
  return base_dir_unlink(user, name, err);
}

/* The manifest first: without it the rest is no store. */
static void
take_back(backup *b, bool made, const char *path)
{
  if (base_dir_has(&b->to, "manifest")) (void)base_dir_unlink(&b->to, "manifest", NULL);
  (void)base_dir_list(&b->to, unlink_each, &b->to, NULL);
  if (made) (void)base_dir_remove(NULL, path, NULL);
}

quoin_status
quad_store_backup(quad_store *store, const char *path, base_cancel *cancel, quoin_error *err)
{
  return quad_store_backup_within(store, path, NULL, cancel, err);
}

quoin_status
quad_store_backup_within(quad_store *store, const char *path, base_quota *quota,
                         base_cancel *cancel, quoin_error *err)
{
  backup b = {.from = &store->dir, .to = BASE_DIR_NONE, .cancel = cancel, .mem = store->mem};
  quad_snapshot *snapshot = NULL;
  base_buffer section;
  uint64_t generation;
  bool made = false, ours = false;
  quoin_status st;

  base_buffer_init(&section, store->mem);
  if ((st = make_directory(&b.to, &made, path, quota, err))) goto done;
  ours = true;
  if ((st = ask_for_all(&b, store, err))) goto done;
  if ((st = take_participant(&section, &generation, &b, store, err))) goto done;
  if ((st = quad_snapshot_acquire(&snapshot, store, err))) goto done;
  b.v = snapshot->version;
  b.m.generation = 1;
  b.m.version = b.v->number;
  b.m.orders = b.v->orders;
  b.m.log_first = 1;
  if (generation && generation == atom_store_generation(b.v->atoms->store)) {
    b.m.section = (uint8_t *)section.data;
    b.m.section_len = section.len;
  }
  if ((st = take_runs(&b, err))) goto done;
  if ((st = take_atoms(&b, err))) goto done;
  if ((st = base_dir_sync_parent(&b.to, err))) goto done;
  if ((st = quad_manifest_write(&b.m, &b.to, b.mem, err))) goto done;
  st = verify(&b, path, err);

done:
  if (st && ours) take_back(&b, made, path);
  if (b.m.runs) base_release(b.mem, b.m.runs, b.v->n_runs + 1, sizeof *b.m.runs);
  base_buffer_clear(&section);
  base_dir_close(&b.to);
  quad_snapshot_release(snapshot);
  return st;
}
