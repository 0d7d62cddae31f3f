/* pool/state.c - pool.json: read whole, replaced whole. */
#include "pool/parts.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/poison.h"

enum { FORMAT = 1, BYTES_MAX = 64 << 20 };

/* ---- in memory ------------------------------------------------------------------------------- */

void
pool_state_clear(pool_state *s, const base_alloc *mem)
{
  for (size_t i = 0; i < s->n; i++)
    base_release(mem, s->names[i].name, strlen(s->names[i].name) + 1, 1);
  base_release(mem, s->names, s->room, sizeof *s->names);
  *s = (pool_state){.active = SIZE_MAX};
}

size_t
pool_state_find(const pool_state *s, const char *name, bool *found)
{
  size_t lo = 0, hi = s->n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (strcmp(s->names[mid].name, name) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  *found = lo < s->n && strcmp(s->names[lo].name, name) == 0;
  return lo;
}

quoin_status
pool_state_add(pool_state *s, const char *name, uint64_t id, const base_alloc *mem,
               quoin_error *err)
{
  size_t len = strlen(name) + 1;
  bool found;
  size_t at = pool_state_find(s, name, &found);
  void *items = s->names;
  char *copy;
  assert(!found);
  if (!base_reserve(mem, &items, &s->room, s->n + 1, sizeof *s->names)) return base_fail_nomem(err);
  s->names = items;
  if (!(copy = base_new(mem, len, 1))) return base_fail_nomem(err);
  memcpy(copy, name, len);
  memmove(s->names + at + 1, s->names + at, (s->n - at) * sizeof *s->names);
  s->names[at] = (pool_named){copy, id};
  s->n++;
  if (s->active != SIZE_MAX && s->active >= at) s->active++;
  return QUOIN_OK;
}

void
pool_state_remove(pool_state *s, size_t at, const base_alloc *mem)
{
  base_release(mem, s->names[at].name, strlen(s->names[at].name) + 1, 1);
  s->n--;
  memmove(s->names + at, s->names + at + 1, (s->n - at) * sizeof *s->names);
  if (s->active == at)
    s->active = SIZE_MAX;
  else if (s->active != SIZE_MAX && s->active > at)
    s->active--;
}

quoin_status
pool_state_copy(pool_state *out, const pool_state *s, const base_alloc *mem, quoin_error *err)
{
  *out = (pool_state){
      .generation = s->generation, .next = s->next, .budget = s->budget, .active = SIZE_MAX};
  for (size_t i = 0; i < s->n; i++) {
    quoin_status st = pool_state_add(out, s->names[i].name, s->names[i].id, mem, err);
    if (st) {
      pool_state_clear(out, mem);
      return st;
    }
  }
  out->active = s->active;
  return QUOIN_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

static quoin_status
corrupt(const char *what, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, POOL_FILE, UINT64_MAX, "%s", what);
}

static bool
read_number(uint64_t *out, const json_t *object, const char *key)
{
  const json_t *v = json_object_get(object, key);
  if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
  *out = (uint64_t)json_integer_value(v);
  return true;
}

static int
compare_ids(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Two names for one store would let one be deleted under the other. */
static quoin_status
check_ids(const pool_state *s, const base_alloc *mem, quoin_error *err)
{
  uint64_t *ids = base_new(mem, s->n + 1, sizeof *ids);
  bool twice = false;
  if (!ids) return base_fail_nomem(err);
  for (size_t i = 0; i < s->n; i++)
    ids[i] = s->names[i].id;
  qsort(ids, s->n, sizeof *ids, compare_ids);
  for (size_t i = 1; i < s->n; i++)
    twice |= ids[i] == ids[i - 1];
  base_release(mem, ids, s->n + 1, sizeof *ids);
  return twice ? corrupt("two names mean one directory", err) : QUOIN_OK;
}

/* The stores, sorted as they come in. */
static quoin_status
read_names(pool_state *out, json_t *stores, const base_alloc *mem, quoin_error *err)
{
  for (void *it = json_object_iter(stores); it; it = json_object_iter_next(stores, it)) {
    const char *name = json_object_iter_key(it);
    const char *dir = json_string_value(json_object_iter_value(it));
    uint64_t id;
    if (!dir || !pool_dir_id(&id, dir) || id >= out->next)
      return corrupt("a store has no directory that is one of the pool's", err);
    quoin_status st = pool_state_add(out, name, id, mem, err);
    if (st) return st;
  }
  return check_ids(out, mem, err);
}

static quoin_status
parse(pool_state *out, json_t *root, const base_alloc *mem, quoin_error *err)
{
  uint64_t format;
  const json_t *budget = json_object_get(root, "budget");
  const json_t *active = json_object_get(root, "active");
  json_t *stores = json_object_get(root, "stores");
  if (!json_is_object(root) || !read_number(&format, root, "format") || !format)
    return corrupt("it is not the description of a pool", err);
  if (format > FORMAT)
    return base_fail_at(err, QUOIN_ERR_VERSION, POOL_FILE, UINT64_MAX,
                        "format %llu is newer than %d, the newest known here",
                        (unsigned long long)format, FORMAT);
  if (!read_number(&out->generation, root, "generation") ||
      !read_number(&out->next, root, "next") || !json_is_object(stores))
    return corrupt("generation, next or stores is missing", err);
  out->budget = POOL_NO_BUDGET;
  if (budget && !read_number(&out->budget, root, "budget"))
    return corrupt("the budget is not a number", err);
  quoin_status st = read_names(out, stores, mem, err);
  if (st || !active) return st;
  bool found = false;
  if (json_is_string(active)) out->active = pool_state_find(out, json_string_value(active), &found);
  return found ? QUOIN_OK : corrupt("the active store is none of the stores", err);
}

quoin_status
pool_state_read(pool_state *out, const base_dir *dir, const base_alloc *mem, quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  json_error_t where;
  json_t *root = NULL;
  uint64_t size = 0;
  char *data = NULL;
  quoin_status st;
  *out = (pool_state){.active = SIZE_MAX};
  if ((st = base_file_open(&file, dir, POOL_FILE, BASE_FILE_READ, err))) return st;
  if ((st = base_file_size(&size, &file, err))) goto done;
  if (size > BYTES_MAX) {
    st = corrupt("it is too large", err);
    goto done;
  }
  if (!(data = base_new(mem, (size_t)size + 1, 1))) {
    st = base_fail_nomem(err);
    goto done;
  }
  if ((st = base_file_read(&file, data, (size_t)size, 0, err))) goto done;
  if (!(root = json_loadb(data, (size_t)size, JSON_REJECT_DUPLICATES, &where))) {
    st = json_error_code(&where) == json_error_out_of_memory
             ? base_fail_nomem(err)
             : base_fail_at(err, QUOIN_ERR_CORRUPT, POOL_FILE, (uint64_t)where.position,
                            "line %d: %s", where.line, where.text);
    goto done;
  }
  st = parse(out, root, mem, err);

done:
  if (st) pool_state_clear(out, mem);
  json_decref(root);
  if (data) base_release(mem, data, (size_t)size + 1, 1);
  base_file_close(&file);
  return st;
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *
to_json(const pool_state *s)
{
  json_t *root = json_object(), *stores = json_object();
  bool bad = !root || !stores;
  for (size_t i = 0; i < s->n && !bad; i++) {
    char dir[64];
    pool_dir_name(dir, s->names[i].id);
    bad = json_object_set_new(stores, s->names[i].name, json_string(dir)) != 0;
  }
  bad = bad || json_object_set_new(root, "format", json_integer(FORMAT)) ||
        json_object_set_new(root, "generation", json_integer((json_int_t)s->generation)) ||
        json_object_set_new(root, "next", json_integer((json_int_t)s->next));
  if (!bad && s->budget != POOL_NO_BUDGET)
    bad = json_object_set_new(root, "budget", json_integer((json_int_t)s->budget)) != 0;
  if (!bad && s->active != SIZE_MAX)
    bad = json_object_set_new(root, "active", json_string(s->names[s->active].name)) != 0;
  bad = bad || json_object_set(root, "stores", stores);
  json_decref(stores);
  if (!bad) return root;
  json_decref(root);
  return NULL;
}

static int
append(const char *text, size_t len, void *user)
{
  base_buffer *b = user;
  base_buffer_add(b, text, len);
  return b->failed ? -1 : 0;
}

quoin_status
pool_state_write(const pool_state *s, const base_dir *dir, const base_alloc *mem, quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  base_buffer text;
  json_t *root = to_json(s);
  quoin_status st = QUOIN_OK;
  base_buffer_init(&text, mem);
  if (!root || json_dump_callback(root, append, &text, JSON_INDENT(1) | JSON_PRESERVE_ORDER)) {
    st = base_fail_nomem(err);
    goto done;
  }
  base_buffer_byte(&text, '\n');
  if (text.failed) {
    st = base_fail_nomem(err);
    goto done;
  }
  if (base_dir_has(dir, POOL_FILE_NEW) && (st = base_dir_unlink(dir, POOL_FILE_NEW, err)))
    goto done;
  if ((st = base_file_open(&file, dir, POOL_FILE_NEW, BASE_FILE_CREATE_NEW, err))) goto done;
  if ((st = base_file_write(&file, text.data, text.len, 0, err))) goto done;
  if ((st = base_file_sync(&file, err))) goto done;
  if ((st = base_dir_rename(dir, POOL_FILE_NEW, POOL_FILE, err))) goto done;
  st = base_dir_sync(dir, err);

done:
  json_decref(root);
  base_buffer_clear(&text);
  base_file_close(&file);
  return st;
}
