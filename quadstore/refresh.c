/* quadstore/refresh.c - reading beside a writing process, and moving on with it.
 *
 * A reading process takes no lock: the files of a manifest may go while they are opened, and a log
 * that is being written may look damaged (a record half there, the next one whole). So it begins
 * again when the manifest has moved, and believes in damage only when it finds the same twice. */
#include "quadstore/store.h"

#include "base/poison.h"

/* How often, and for how long at least, a state is looked for that no checkpoint takes away. */
enum { TRIES = 20 };
static const uint64_t PATIENCE_NS = UINT64_C(5000000000);

/* The store becomes what was read. */
static void
adopt(quad_store *store, quad_version *version, const quad_manifest *m, const quad_reading *reading)
{
  quad_atoms *before = store->shared;

  quad_manifest_clear(&store->manifest, store->mem);
  quad_id_map_clear(&store->reading.replaced, store->mem);
  store->manifest = *m;
  store->reading = *reading;
  store->shared = quad_atoms_retain(version->atoms);
  store->atoms = store->shared->store;
  atomic_store(&store->saved, m->version);
  quad_store_publish(store, version);
  quad_atoms_release(before);
}

/* The log was read up to `place`, in so many segments: none when that of `place` itself had gone,
 * with what came behind the place. A manifest that came meanwhile may have taken the segment that
 * was looked for next: then commits of before this call may be missing. While the newest manifest
 * names a segment that is not behind that one, it was not there yet, and what was read is whole. */
static bool
has_moved(const quad_store *store, const quad_log_place *place, uint64_t segments)
{
  quad_manifest now = {0};
  uint64_t unread = place->segment + (segments && place->offset);
  bool moved = quad_manifest_read(&now, &store->dir, false, store->mem, NULL) != QUOIN_OK ||
               now.log_first > unread;

  quad_manifest_clear(&now, store->mem);
  return moved;
}

/* All of the manifest *m, which is taken over unless *moved says that it is out of date. */
static quoin_status
read_all(bool *moved, quad_store *store, quad_manifest *m, quoin_error *err)
{
  quad_reading reading = {.place = {m->log_first, 0, quad_manifest_log_sequence(m)}};
  quad_version *files = NULL, *next = NULL;
  quad_log_replay result;
  quoin_status st;

  st = quad_version_open(&files, m, &store->dir, true, store->version, store->mem, err);
  if (st) return quad_manifest_named(st, err);
  st = quad_replay(&next, &result, &reading, files, m, &store->dir, store->mem, err);
  if (!st && !(*moved = has_moved(store, &reading.place, result.segments))) {
    adopt(store, next, m, &reading);
    atomic_store(&store->log_bytes, result.bytes);
    *m = (quad_manifest){0};
    next = NULL;
    reading.replaced = (quad_id_map){0};
  }
  quad_id_map_clear(&reading.replaced, store->mem);
  quad_version_release(next);
  quad_version_release(files);
  return st;
}

/* What the log has that was not there the last time. */
static quoin_status
read_tail(bool *moved, quad_store *store, quoin_error *err)
{
  uint64_t before = store->version->number;
  quad_log_replay result;
  quad_version *next;
  quoin_status st = quad_replay(&next, &result, &store->reading, store->version, &store->manifest,
                                &store->dir, store->mem, err);

  if (st) return st;
  atomic_fetch_add(&store->log_bytes, result.bytes);
  if (next->number != before)
    quad_store_publish(store, next);
  else
    quad_version_release(next);
  *moved = has_moved(store, &store->reading.place, result.segments);
  return QUOIN_OK;
}

/* Once: *moved when it is to be done again. */
static quoin_status
move_on(bool *moved, quad_store *store, quoin_error *err)
{
  quad_manifest m = {0};
  quoin_status st = quad_manifest_read(&m, &store->dir, false, store->mem, err);

  *moved = false;
  if (st) return quad_manifest_named(st, err);
  if (store->version && m.generation == store->manifest.generation &&
      m.lineage == store->manifest.lineage)
    st = read_tail(moved, store, err);
  else
    st = read_all(moved, store, &m, err);
  quad_manifest_clear(&m, store->mem);
  return st;
}

static bool
same_fault(const quoin_error *a, const quoin_error *b)
{
  return a->offset == b->offset && !strcmp(a->file, b->file) && !strcmp(a->message, b->message);
}

static quoin_status
move_on_surely(quad_store *store, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT, before = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;

  const uint64_t until = base_clock_ns() + PATIENCE_NS;
  for (unsigned i = 0; i < TRIES || base_clock_ns() < until; i++) {
    bool moved = false;
    before = why;
    base_error_clear(&why);
    st = move_on(&moved, store, &why);
    if (!st && !moved) return QUOIN_OK;
    if (st == QUOIN_ERR_CORRUPT ? same_fault(&why, &before) : st != QUOIN_OK) break;
  }
  if (!st)
    return base_fail(err, QUOIN_ERR_BUSY,
                     "the store is being changed faster than it can be opened: try again");
  if (err) *err = why;
  return st;
}

quoin_status
quad_store_open_beside(quad_store *store, quoin_error *err)
{
  quoin_status st;

  if (!base_dir_has(&store->dir, "manifest")) {
    if ((st = quad_store_refuse_remains(&store->dir, err))) return st;
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "there is no store in '%s'", store->dir.name);
  }
  return move_on_surely(store, err);
}

quoin_status
quad_store_refresh(bool *changed, quad_store *store, quoin_error *err)
{
  uint64_t before, manifest;
  quoin_status st;

  if (changed) *changed = false;
  if (!store->read_only) return QUOIN_OK;
  base_mutex_lock(&store->writer); /* one at a time; snapshots are taken meanwhile */
  before = store->version->number;
  manifest = store->manifest.generation;
  st = move_on_surely(store, err);
  if (changed) *changed = store->version->number != before;
  /* a manifest of the same version has other files, and atoms that are opened anew */
  if (!st && (store->version->number != before || store->manifest.generation != manifest))
    quad_store_applied(store);
  base_mutex_unlock(&store->writer);
  return st;
}
