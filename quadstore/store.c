/* quadstore/store.c - opening and closing a store, its lock, its current version. */
#include "quadstore/queue.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/poison.h"

enum { OPEN_TRIES = 20, LOCK_TEXT = 24 };

void
quad_store_say(const quad_store *store, const char *fmt, ...)
{
  char line[512];
  va_list args;

  if (!store->log_line) return;
  va_start(args, fmt);
  (void)vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  store->log_line(store->log_user, line);
}

quoin_status
quad_store_may_write(const quad_store *store, quoin_error *err)
{
  if (store->read_only)
    return base_fail(err, QUOIN_ERR_READ_ONLY, "the store was opened for reading only");
  if (atomic_load_explicit(&((quad_store *)(uintptr_t)store)->poisoned, memory_order_acquire))
    return base_fail(err, QUOIN_ERR_POISONED,
                     "an earlier write to the store failed: close it and open it again");
  return QUOIN_OK;
}

quoin_status
quad_store_poison(quad_store *store, quoin_status st)
{
  if (st) atomic_store_explicit(&store->poisoned, 1, memory_order_release);
  return st;
}

uint64_t
quad_store_patience(const quad_store *store)
{
  return store->wait_ns ? base_clock_ns() + store->wait_ns : 0;
}

quoin_status
quad_store_may_wait(uint64_t deadline, base_cancel *cancel, quoin_error *err)
{
  if (deadline && base_clock_ns() >= deadline)
    return base_fail(err, QUOIN_ERR_TIMEOUT,
                     "other writers kept the store for too long: nothing was done, try again");
  if (cancel) cancel->calls = 0; /* look at the clock each time */
  return base_cancel_check(cancel, err);
}

quoin_status
quad_store_enter_within(quad_store *store, base_cancel *cancel, quoin_error *err)
{
  enum { SLICE_MS = 20 };
  uint64_t deadline = quad_store_patience(store);

  for (;;) {
    quoin_status st;
    if (base_mutex_lock_within(&store->writer, SLICE_MS)) {
      if (!store->reserved) break;
      (void)base_cond_wait_until(&store->executor.idle, &store->writer,
                                 base_clock_ns() + SLICE_MS * 1000000);
      if (!store->reserved) break;
      base_mutex_unlock(&store->writer);
    }
    if ((st = quad_store_may_wait(deadline, cancel, err))) return st;
  }
  atom_store_writer_enter(store->atoms);
  return QUOIN_OK;
}

void
quad_store_leave(quad_store *store)
{
  atom_store_writer_leave(store->atoms);
  base_mutex_unlock(&store->writer);
}

quad_version *
quad_store_version(quad_store *store)
{
  quad_version *v;

  base_rwlock_read(&store->publish);
  v = quad_version_retain(store->version);
  base_rwlock_read_done(&store->publish);
  return v;
}

void
quad_store_own_runs(quad_store *store, const quad_version *version)
{
  for (size_t i = 0; i < version->n_runs; i++)
    if (!version->runs[i]->filters) version->runs[i]->filters = &store->filters;
}

void
quad_store_publish(quad_store *store, quad_version *version)
{
  quad_version *old;

  quad_store_own_runs(store, version);
  base_rwlock_write(&store->publish);
  old = store->version;
  store->version = version;
  base_rwlock_write_done(&store->publish);
  quad_version_release(old); /* may close files: not under the lock */
}

quoin_status
quad_snapshot_acquire(quad_snapshot **out, quad_store *store, quoin_error *err)
{
  quoin_status st = quad_snapshot_make(out, quad_store_version(store), store->mem, err);

  if (!st) (*out)->store = store;
  return st;
}

atom_store *
quad_store_atoms(quad_store *store)
{
  return store->atoms;
}

const base_dir *
quad_store_dir(const quad_store *store)
{
  return &store->dir;
}

uint64_t
quad_store_id(const quad_store *store)
{
  return store->manifest.lineage;
}

/* ---- the lock ------------------------------------------------------------------------------- */

static quoin_status
open_lock_file(quad_store *store, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  for (unsigned i = 0; i < OPEN_TRIES; i++) { /* two processes may be creating it */
    bool there = base_dir_has(&store->dir, "lock");
    base_error_clear(err);
    st = base_file_open(&store->lock, &store->dir, "lock",
                        there ? BASE_FILE_WRITE : BASE_FILE_CREATE_NEW, err);
    if (!st || there) return st;
  }
  return st;
}

/* BUSY when another process holds it. The text says who: advisory, the lock itself is the flock. */
static quoin_status
take_lock(quad_store *store, quoin_error *err)
{
  char text[LOCK_TEXT + 1] = {0};
  uint64_t size = 0;
  long pid;
  bool taken;
  quoin_status st;

  if ((st = open_lock_file(store, err))) return st;
  if ((st = base_file_lock(&taken, &store->lock, err))) return st;
  if (taken) {
    (void)snprintf(text, sizeof text, "%-22ld\n", (long)getpid());
    return base_file_write(&store->lock, text, strlen(text), 0, err);
  }
  if (!base_file_size(&size, &store->lock, NULL) && size >= 1)
    (void)base_file_read(&store->lock, text, size < LOCK_TEXT ? (size_t)size : LOCK_TEXT, 0, NULL);
  pid = strtol(text, NULL, 10);
  if (pid > 0)
    return base_fail(err, QUOIN_ERR_BUSY,
                     "the store is in use by process %ld: wait for it to end, or open for reading",
                     pid);
  return base_fail(
      err, QUOIN_ERR_BUSY,
      "the store is in use by another process: wait for it to end, or open for reading");
}

/* ---- opening -------------------------------------------------------------------------------- */

static quoin_status
refuse_remains(void *user, const char *name, quoin_error *err)
{
  (void)user;
  if (strncmp(name, "run-", 4) && strncmp(name, "log-", 4)) return QUOIN_OK;
  return base_fail_at(
      err, QUOIN_ERR_CORRUPT, name, UINT64_MAX,
      "the directory has files of a store, but no manifest: restore it from a backup");
}

quoin_status
quad_store_refuse_remains(const base_dir *dir, quoin_error *err)
{
  return base_dir_list(dir, refuse_remains, NULL, err);
}

/* A store is made in a directory of its own, not among somebody's files. */
static quoin_status
refuse_foreign(void *user, const char *name, quoin_error *err)
{
  const quad_store *store = user;

  if (atom_file_is_mine(name) || !strncmp(name, "manifest", 8) || !strcmp(name, "lock") ||
      !strcmp(name, "lost+found"))
    return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_EXISTS,
                   "there is no store in '%s' but other files ('%s'): name a new or an empty "
                   "directory",
                   store->dir.name, name);
}

/* Before anything is written: is there a store, or room for one? */
static quoin_status
look_around(quad_store *store, const quad_store_options *options, quoin_error *err)
{
  quoin_status st;

  if (base_dir_has(&store->dir, "manifest")) return QUOIN_OK;
  if ((st = quad_store_refuse_remains(&store->dir, err))) return st;
  if (options->create || options->must_create)
    return base_dir_list(&store->dir, refuse_foreign, store, err);
  return base_fail(err, QUOIN_ERR_NOT_FOUND, "there is no store in '%s'", store->dir.name);
}

typedef struct sweep {
  const base_dir *dir;
} sweep;

static quoin_status
sweep_remains(void *user, const char *name, quoin_error *err)
{
  const sweep *s = user;

  if (!atom_file_is_mine(name) && strncmp(name, "manifest-", 9) && strcmp(name, "manifest.new"))
    return QUOIN_OK;
  return base_dir_unlink(s->dir, name, err);
}

/* An empty store in a directory that has none; what an interrupted creation left goes first. */
static quoin_status
create_store(quad_store *store, uint32_t orders, quoin_error *err)
{
  quad_manifest *m = &store->manifest;
  sweep s = {&store->dir};
  quoin_status st;

  if ((st = quad_store_refuse_remains(&store->dir, err))) return st;
  if ((st = base_dir_list(&store->dir, sweep_remains, &s, err))) return st;
  /* Whoever made the directory, and whatever became of that: from the manifest on it must last. */
  if ((st = base_dir_sync_parent(&store->dir, err))) return st;
  *m = (quad_manifest){.generation = 1, .version = 1, .log_first = 1, .next_run = 1};
  m->orders =
      orders ? (orders & ((1u << QUAD_ORDERS) - 1)) | 1u << QUAD_SPO : (1u << QUAD_ORDERS) - 1;
  m->atoms.generation = 1;
  if ((st = atom_store_create(&store->dir, &m->atoms, err))) return st;
  return quad_manifest_write(m, &store->dir, store->mem, err);
}

static quoin_status
find_manifest(quad_store *store, const quad_store_options *options, quoin_error *err)
{
  bool create = options->create || options->must_create;
  quoin_status st;

  if (base_dir_has(&store->dir, "manifest")) {
    if (options->must_create)
      return base_fail(err, QUOIN_ERR_EXISTS, "there is a store already in '%s'", store->dir.name);
    return quad_manifest_named(
        quad_manifest_read(&store->manifest, &store->dir, true, store->mem, err), err);
  }
  if (!create) {
    if ((st = quad_store_refuse_remains(&store->dir, err))) return st;
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "there is no store in '%s'", store->dir.name);
  }
  return create_store(store, options->orders, err);
}

/* The run that `ref` names: that of `before`, or opened. */
static quoin_status
open_run(quad_run **out, const quad_run_ref *ref, const quad_manifest *m, const base_dir *dir,
         const quad_version *before, const base_alloc *mem, quoin_error *err)
{
  char name[64];
  quoin_status st;

  for (size_t i = 0; before && i < before->n_runs; i++) {
    quad_run *run = before->runs[i];
    if (!run->disk || run->generation != ref->generation || run->bytes != ref->bytes ||
        run->footer_hash != ref->footer_hash)
      continue;
    *out = quad_run_retain(run);
    return QUOIN_OK;
  }
  (void)snprintf(name, sizeof name, "run-%llu", (unsigned long long)ref->generation);
  if ((st = quad_run_open(out, dir, name, ref->generation, mem, err))) return st;
  if ((*out)->bytes == ref->bytes && (*out)->footer_hash == ref->footer_hash &&
      (*out)->orders == m->orders)
    return QUOIN_OK;
  st = base_fail_at(err, QUOIN_ERR_CORRUPT, (*out)->file.name, 48,
                    "this is not the run that the manifest names");
  quad_run_release(*out);
  return st;
}

quoin_status
quad_version_open(quad_version **out, const quad_manifest *m, const base_dir *dir, bool read_only,
                  const quad_version *before, const base_alloc *mem, quoin_error *err)
{
  atom_store *atoms;
  quad_version *v;
  quoin_status st = quad_version_new(&v, m->n_runs, mem, err);

  *out = NULL;
  if (st) return st;
  v->number = m->version;
  v->orders = m->orders;
  v->terms = m->atoms.terms;
  st = atom_store_open(&atoms, dir, &m->atoms, read_only ? ATOM_OPEN_READ_ONLY : ATOM_OPEN_WRITE,
                       mem, err);
  if (!st) st = quad_atoms_new(&v->atoms, atoms, mem, err);
  for (size_t i = 0; i < m->n_runs && !st; i++) {
    quad_run *run;
    if ((st = open_run(&run, &m->runs[i], m, dir, before, mem, err))) break;
    quad_version_push(v, run);
    quad_run_release(run);
  }
  if (!st)
    *out = v;
  else
    quad_version_release(v);
  return st;
}

static void
destroy_locks(quad_store *store)
{
  quad_filters_destroy(&store->filters);
  quad_queue_destroy(&store->queue);
  quad_executor_destroy(&store->executor);
  base_rwlock_destroy(&store->publish);
  base_mutex_destroy(&store->writer);
}

static void
forget(quad_store *store)
{
  quad_log_close(&store->log);
  quad_version_release(store->version);
  store->version = NULL;
  quad_atoms_release(store->shared);
  store->shared = NULL;
  store->atoms = NULL;
  quad_manifest_clear(&store->manifest, store->mem);
  quad_id_map_clear(&store->reading.replaced, store->mem);
}

/* Manifest, atoms, runs, log. */
static quoin_status
open_content(quad_store *store, const quad_store_options *options, quoin_error *err)
{
  const quad_manifest *m = &store->manifest;
  quoin_status st;

  if ((st = find_manifest(store, options, err))) return st;
  st = quad_version_open(&store->version, m, &store->dir, false, NULL, store->mem, err);
  if (st) return quad_manifest_named(st, err);
  store->shared = quad_atoms_retain(store->version->atoms);
  store->atoms = store->shared->store;
  quad_log_init(&store->log, &store->dir, m->log_first, quad_manifest_log_lineage(m),
                quad_manifest_log_sequence(m), store->durability != QUAD_SYNC_FULL, store->mem);
  atomic_store(&store->saved, m->version);
  return quad_store_recover(store, err);
}

static quoin_status
open_directory(quad_store *store, const char *path, const quad_store_options *options,
               quoin_error *err)
{
  quoin_status st = base_dir_open(&store->dir, path, err);

  if (st != QUOIN_ERR_NOT_FOUND) return st;
  if (options->read_only || !(options->create || options->must_create))
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "there is no store in '%s'", path);
  base_error_clear(err);
  if ((st = base_dir_create(path, err)) && st != QUOIN_ERR_EXISTS) return st;
  base_error_clear(err);
  return base_dir_open(&store->dir, path, err);
}

quoin_status
quad_store_open(quad_store **out, const char *path, const quad_store_options *options,
                const base_alloc *mem, quoin_error *err)
{
  static const quad_store_options defaults;
  uint64_t filter_bytes;
  quad_store *store;
  quoin_status st;
  bool locks = false;

  *out = NULL;
  if (!options) options = &defaults;
  filter_bytes = options->filter_bytes ? options->filter_bytes : (uint64_t)256 << 20;
  if (!mem) mem = base_alloc_default();
  if (!(store = base_new_zero(mem, 1, sizeof *store))) return base_fail_nomem(err);
  store->alloc = *mem;
  store->mem = &store->alloc;
  store->dir = BASE_DIR_NONE;
  store->lock = BASE_FILE_NONE;
  store->log.file = BASE_FILE_NONE;
  store->read_only = options->read_only;
  store->durability = options->durability;
  store->memory_bytes = options->memory_bytes ? options->memory_bytes : (uint64_t)64 << 20;
  store->txn_bytes = options->txn_bytes ? options->txn_bytes : (uint64_t)64 << 20;
  store->log_bound = options->log_bytes ? options->log_bytes : (uint64_t)256 << 20;
  store->rest = (options->rest_ms ? options->rest_ms : 5000) * 1000000;
  if (options->rest_ms > UINT64_MAX / 2000000) store->rest = 0; /* never, or in some centuries */
  store->wait_ns = options->wait_ms * 1000000;
  store->log_line = options->log;
  store->log_user = options->log_user;
  if ((st = base_mutex_init(&store->writer, BASE_RANK_WRITER, "writer role", err))) goto done;
  if ((st = base_rwlock_init(&store->publish, BASE_RANK_STORE, "store lock", err))) goto done;
  if ((st = quad_queue_init(&store->queue, err))) goto done;
  if ((st = quad_filters_init(&store->filters, filter_bytes, err))) goto done;
  if ((st = quad_executor_init(&store->executor, options->inline_maintenance, err))) goto done;
  locks = true;
  if ((st = quad_scratch_new(&store->scratch, store->mem, err))) goto done;
  if ((st = quad_history_new(&store->history, store->mem, err))) goto done;
  if ((st = open_directory(store, path, options, err))) goto done;
  store->dir.quota = options->quota;
  if (!store->read_only && (st = look_around(store, options, err))) goto done;
  if (!store->read_only && (st = take_lock(store, err))) goto done;
  st = store->read_only ? quad_store_open_beside(store, err) : open_content(store, options, err);
  if (st) goto done;
  if (!store->read_only && (st = quad_store_collect(store, err))) goto done;
  quad_store_own_runs(store, store->version);
  *out = store;
  return QUOIN_OK;

done:
  forget(store);
  quad_scratch_free(store->scratch);
  quad_history_free(store->history);
  if (locks) destroy_locks(store);
  base_file_close(&store->lock);
  base_dir_close(&store->dir);
  base_release(mem, store, 1, sizeof *store);
  return st;
}

quoin_status
quad_store_close(quad_store *store, quoin_error *err)
{
  base_alloc mem;
  quoin_status st = QUOIN_OK;

  if (!store) return QUOIN_OK;
  quad_executor_stop(store);
  if (store->participant.stop) store->participant.stop(store->participant.self);
  if (!store->read_only && !atomic_load(&store->poisoned)) st = quad_checkpoint(store, err);
  if (store->participant.close) store->participant.close(store->participant.self);
  forget(store);
  quad_scratch_free(store->scratch);
  quad_history_free(store->history);
  destroy_locks(store);
  base_file_close(&store->lock); /* frees the lock */
  base_dir_close(&store->dir);
  mem = store->alloc;
  base_release(&mem, store, 1, sizeof *store);
  return st;
}
