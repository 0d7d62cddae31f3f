/* vector/backup.c - the graphs of a backup: the files of the last checkpoint, copied as far as its
 * roots go. What came later is in the quads of the backup, and linked when it is opened. */
#include "vector/index.h"
#include "vector/pages_file.h"

#include "base/poison.h"

typedef struct copying {
  vec_index *index;
  base_file file;
  char name[64];
  hnsw_root root;
  base_buffer entry; /* of the section */
  bool whole;
} copying;

/* Open the files, so that they stay whatever becomes of their names. A graph that has none, or
 * whose file a writer beside this process has replaced, is left out: it is made again. */
static quoin_status
open_files(copying *out, size_t *n, vec_indexes *ix, const vec_index_set *set, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; !st && set && i < set->n; i++) {
    copying *c = &out[*n];
    *c = (copying){.index = set->index[i], .file = BASE_FILE_NONE, .root = set->index[i]->root};
    base_buffer_init(&c->entry, ix->mem);
    if (!c->index->root.generation || atomic_load(&c->index->broken)) continue;
    vec_file_name(c->name, c->index->id, c->index->root.generation);
    st = base_file_open(&c->file, quad_store_dir(ix->store), c->name, BASE_FILE_READ, err);
    if (!st)
      ++*n;
    else if (st == QUOIN_ERR_NOT_FOUND)
      base_error_clear(err), st = QUOIN_OK;
  }
  return st;
}

static quoin_status
copy_file(const copying *c, const base_dir *to, quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  quoin_status st = base_file_open(&file, to, c->name, BASE_FILE_CREATE_NEW, err);
  if (!st) st = base_file_copy(&file, &c->file, c->root.offset + c->root.length, err);
  if (!st) st = base_file_sync(&file, err);
  base_file_close(&file);
  return st;
}

/* Every page and link of the copy. */
static quoin_status
verify(const copying *c, const base_dir *to, base_cancel *cancel, const base_alloc *mem,
       quoin_error *err)
{
  const hnsw_options options = vec_graph_options(&c->index->declared);
  hnsw_check_report report;
  hnsw *graph = NULL;
  quoin_status st = hnsw_open(&graph, to, c->index->id, &c->root, &options, mem, err);
  if (!st) st = hnsw_check(&report, graph, false, cancel, err);
  hnsw_close(graph);
  return st;
}

/* A damaged graph is no part of a backup: its vectors are, as quads. */
static quoin_status
copy_whole(copying *c, vec_indexes *ix, const base_dir *to, base_cancel *cancel, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT;
  quoin_status st = copy_file(c, to, &why);
  if (!st) st = verify(c, to, cancel, ix->mem, &why);
  c->whole = !st;
  if (!st || !vec_is_damage(&why)) return st ? vec_fail_as(&why, err) : QUOIN_OK;
  quad_store_say(ix->store, "warning: %s: %s: the backup has no graph of it", why.file,
                 why.message);
  return base_dir_has(to, c->name) ? base_dir_unlink(to, c->name, err) : QUOIN_OK;
}

quoin_status
vec_backup(base_buffer *section, uint64_t *generation, void *indexes, const base_dir *to,
           base_cancel *cancel, quoin_error *err)
{
  vec_indexes *ix = indexes;
  size_t n = 0, whole = 0;
  copying *list = NULL;
  *generation = 0;
  base_mutex_lock(&ix->graphs);
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  size_t most = set ? set->n : 0;
  quoin_status st = QUOIN_OK;
  if (most && !(list = base_new_zero(ix->mem, most, sizeof(*list)))) st = base_fail_nomem(err);
  if (!st) st = open_files(list, &n, ix, set, err);
  for (size_t i = 0; !st && i < n; i++) {
    vec_section_entry(&list[i].entry, list[i].index);
    *generation = list[i].index->generation;
  }
  uint64_t version = UINT64_MAX; /* a process that reads may have graphs of several checkpoints */
  for (size_t i = 0; i < n; i++)
    if (list[i].index->saved_version < version) version = list[i].index->saved_version;
  base_mutex_unlock(&ix->graphs);
  for (size_t i = 0; !st && i < n; i++) {
    st = copy_whole(&list[i], ix, to, cancel, err);
    whole += list[i].whole;
  }
  if (!st && whole) vec_section_head(section, ix, version, whole);
  for (size_t i = 0; !st && i < n; i++) {
    if (list[i].entry.failed) st = base_fail_nomem(err);
    if (list[i].whole) base_buffer_add(section, list[i].entry.data, list[i].entry.len);
  }
  vec_epoch_leave(&ix->users, entered);
  for (size_t i = 0; i < n; i++) {
    base_file_close(&list[i].file);
    base_buffer_clear(&list[i].entry);
  }
  base_release(ix->mem, list, most, sizeof(*list));
  return st;
}

quoin_status
vec_restore(const char *path, const char *from, base_quota *quota, base_cancel *cancel,
            const base_alloc *mem, quoin_error *err)
{
  const quad_store_options options = {.read_only = true};
  const vec_options vectors = {.read_only = true, .mem = mem};
  quad_store *store;
  quoin_status st = quad_store_open(&store, from, &options, mem, err), closed;
  if (st) return st;
  st = vec_attach(store, &vectors, err);
  if (!st) st = quad_store_backup_within(store, path, quota, cancel, err);
  closed = quad_store_close(store, st ? NULL : err);
  return st ? st : closed;
}
