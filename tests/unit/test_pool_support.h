/* What the tests of pools share: a directory with a pool in it. */
#ifndef QUOIN_TESTS_POOL_SUPPORT_H
#define QUOIN_TESTS_POOL_SUPPORT_H

#include "unit/test_quadstore_text.h"

#include "pool/pool.h"

#include <sys/wait.h>

static inline pool *
pool_at(const support_dir *d, pool_mode mode)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool_options options = {.mode = mode, .store = {.durability = QUAD_SYNC_OFF}};
  pool *p;
  assert_ok(pool_open(&p, d->path, &options, MEM, &err));
  return p;
}

/* All files below, too. */
static inline void
pool_dir_drop(const support_dir *d)
{
  char command[200];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", d->path);
  assert_int_equal(system(command), 0);
}

/* Names in the directory, pool.json and pool.lock not counted. */
static inline unsigned
pool_dirs(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;
  unsigned n = 0;
  assert_non_null(dir);
  while ((e = readdir(dir)))
    n += e->d_name[0] != '.' && strcmp(e->d_name, "pool.json") && strcmp(e->d_name, "pool.lock");
  closedir(dir);
  return n;
}

static inline void
fill(pool *p, const char *name, unsigned from, unsigned to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool_store *s;
  assert_ok(pool_acquire(&s, p, name, &err));
  change_numbers(pool_store_quads(s), from, to, false);
  assert_ok(pool_store_release(s, &err));
}

static inline uint64_t
quads_in(quad_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_stats stats;
  assert_ok(quad_store_stats(&stats, store, &err));
  return stats.default_quads + stats.named_quads;
}

static inline uint64_t
quads_of(pool *p, const char *name)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool_store *s;
  assert_ok(pool_acquire(&s, p, name, &err));
  uint64_t n = quads_in(pool_store_quads(s));
  assert_ok(pool_store_release(s, &err));
  return n;
}

/* "a b* c": the names, the active one marked. */
typedef struct listing {
  char text[400];
} listing;

static inline quoin_status
list_one(void *user, const pool_entry *e, quoin_error *err)
{
  listing *l = user;
  size_t len = strlen(l->text);
  (void)err;
  (void)snprintf(l->text + len, sizeof l->text - len, "%s%s%s", len ? " " : "", e->name,
                 e->active ? "*" : "");
  return QUOIN_OK;
}

static inline void
assert_names(pool *p, const char *expected)
{
  quoin_error err = QUOIN_ERROR_INIT;
  listing l = {""};
  assert_ok(pool_list(p, list_one, &l, &err));
  assert_string_equal(l.text, expected);
}

#endif /* QUOIN_TESTS_POOL_SUPPORT_H */
