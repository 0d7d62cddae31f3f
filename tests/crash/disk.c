/* tests/crash/disk.c - see disk.h. */
#include "crash/disk.h"

#include "base/hash.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A version that is not safely on the disk. */
typedef struct pending {
  const fault_event *event; /* FAULT_DATA or FAULT_SIZE */
  bool lost;                /* a sync of it failed */
} pending;

typedef struct disk_file {
  char *safe; /* as of the last sync; zero beyond `room` */
  size_t room;
  uint64_t safe_size;
  pending *list;
  size_t n, cap;
  char *chosen;
  uint64_t chosen_size;
} disk_file;

typedef struct entry {
  char name[64];
  unsigned file; /* 0: gone */
} entry;

enum { ENTRIES = 512 };

struct disk {
  disk_file *files;
  unsigned n_files;
  entry safe[ENTRIES], chosen[ENTRIES];
  unsigned n_safe, n_chosen;
  const fault_event **moves; /* of the directory, not synced */
  size_t n_moves, cap_moves;
  bool made, made_safe, there;
  uint64_t changes;
};

disk *
disk_new(const fault_journal *journal)
{
  disk *d = calloc(1, sizeof *d);
  assert(d);
  d->n_files = journal->files + 1;
  d->files = calloc(d->n_files, sizeof *d->files);
  assert(d->files);
  for (size_t i = 0; i < journal->n; i++) {
    const fault_event *e = &journal->events[i];
    disk_file *file = &d->files[e->file];
    if (e->kind == FAULT_DATA && e->at + e->len > file->room) file->room = e->at + e->len;
  }
  for (unsigned i = 0; i < d->n_files; i++) {
    d->files[i].safe = calloc(1, d->files[i].room + 1);
    d->files[i].chosen = calloc(1, d->files[i].room + 1);
    assert(d->files[i].safe && d->files[i].chosen);
  }
  return d;
}

void
disk_free(disk *d)
{
  for (unsigned i = 0; i < d->n_files; i++) {
    free(d->files[i].safe);
    free(d->files[i].chosen);
    free(d->files[i].list);
  }
  free(d->files);
  free(d->moves);
  free(d);
}

uint64_t
disk_changes(const disk *d)
{
  return d->changes;
}

/* ---- the directory ----------------------------------------------------------------------------
 */

static void
set_entry(entry *list, unsigned *n, const char *name, unsigned file)
{
  for (unsigned i = 0; i < *n; i++)
    if (!strcmp(list[i].name, name)) {
      list[i].file = file;
      return;
    }
  if (!file) return;
  assert(*n < ENTRIES);
  (void)snprintf(list[*n].name, sizeof list->name, "%s", name);
  list[(*n)++].file = file;
}

static void
move_entry(entry *list, unsigned *n, const fault_event *e)
{
  switch (e->kind) {
  case FAULT_CREATE:
    set_entry(list, n, e->what, e->file);
    break;
  case FAULT_RENAME:
    set_entry(list, n, e->what, 0);
    set_entry(list, n, e->to, e->file);
    break;
  default:
    set_entry(list, n, e->what, 0);
    break;
  }
}

static void
drop_gone(entry *list, unsigned *n)
{
  unsigned kept = 0;
  for (unsigned i = 0; i < *n; i++)
    if (list[i].file) list[kept++] = list[i];
  *n = kept;
}

/* ---- events -----------------------------------------------------------------------------------
 */

static void
make_safe(disk_file *file, const fault_event *e)
{
  if (e->kind == FAULT_SIZE)
    file->safe_size = e->at;
  else
    memcpy(file->safe + e->at, e->data, e->len);
}

/* What was lost of a place cannot come back once a later version of it is safe. */
static size_t
drop_lost(disk_file *file, size_t n, const fault_event *e)
{
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    const fault_event *old = file->list[i].event;
    bool same = old->kind == e->kind && old->at < e->at + e->len && old->at + old->len > e->at;
    if (!file->list[i].lost || !same) file->list[kept++] = file->list[i];
  }
  return kept;
}

/* A sync of a range takes whole versions that touch it; the length with any. */
static void
sync_file(disk_file *file, uint64_t from, uint64_t len, bool failed)
{
  uint64_t to = len > UINT64_MAX - from ? UINT64_MAX : from + len;
  size_t kept = 0;
  for (size_t i = 0; i < file->n; i++) {
    pending p = file->list[i];
    const fault_event *e = p.event;
    bool covered = e->kind == FAULT_SIZE || (e->at < to && e->at + e->len > from);
    if (covered && failed) p.lost = true;
    if (!covered || failed || p.lost) {
      file->list[kept++] = p;
      continue;
    }
    make_safe(file, e);
    kept = drop_lost(file, kept, e);
  }
  file->n = kept;
}

static void
add_version(disk_file *file, const fault_event *e)
{
  if (file->n == file->cap) {
    file->cap = file->cap ? file->cap * 2 : 64;
    file->list = realloc(file->list, file->cap * sizeof *file->list);
    assert(file->list);
  }
  file->list[file->n++] = (pending){e, false};
}

static void
sync_dir(disk *d)
{
  for (size_t i = 0; i < d->n_moves; i++)
    move_entry(d->safe, &d->n_safe, d->moves[i]);
  drop_gone(d->safe, &d->n_safe);
  d->n_moves = 0;
}

void
disk_apply(disk *d, const fault_event *e)
{
  disk_file *file = &d->files[e->file];
  d->changes += e->kind != FAULT_CALL && e->kind != FAULT_MAP;
  switch (e->kind) {
  case FAULT_MKDIR:
    d->made = true;
    break;
  case FAULT_PARENT_SYNC:
    d->made_safe = d->made;
    break;
  case FAULT_CREATE:
  case FAULT_RENAME:
  case FAULT_UNLINK:
    if (d->n_moves == d->cap_moves) {
      d->cap_moves = d->cap_moves ? d->cap_moves * 2 : 64;
      d->moves = realloc(d->moves, d->cap_moves * sizeof *d->moves);
      assert(d->moves);
    }
    d->moves[d->n_moves++] = e;
    break;
  case FAULT_DIR_SYNC:
    sync_dir(d);
    break;
  case FAULT_DATA:
  case FAULT_SIZE:
    add_version(file, e);
    break;
  case FAULT_SYNC:
  case FAULT_SYNC_FAILED:
    sync_file(file, e->at, e->len, e->kind == FAULT_SYNC_FAILED);
    break;
  case FAULT_MAP: /* recovery writes the same bytes once more, which cannot be seen: see disk.h */
    for (size_t i = 0; i < file->n; i++)
      file->list[i].lost = false;
    break;
  case FAULT_CALL:
  case FAULT_NOTE:
    break;
  }
}

/* ---- choosing ---------------------------------------------------------------------------------
 */

/* Up to which of n versions a unit of the disk got. */
static uint64_t
reached(disk_choice choice, uint64_t seed, uint64_t unit, uint64_t n)
{
  uint64_t r = base_mix(seed * UINT64_C(0x9e3779b97f4a7c15) ^ base_mix(unit));
  if (choice != DISK_MIXED) return choice == DISK_NEW ? n : 0;
  if (r % 3 == 0) return 0;
  if (r % 3 == 1) return n;
  return (r >> 8) % (n + 1);
}

static void
choose_file(disk_file *file, unsigned number, disk_choice choice, uint64_t seed)
{
  uint64_t unit = seed % 2 ? FAULT_SECTOR : FAULT_PAGE, base = (uint64_t)number << 40;
  memcpy(file->chosen, file->safe, file->room);
  file->chosen_size = file->safe_size;
  for (size_t i = 0; i < file->n; i++) {
    const fault_event *e = file->list[i].event;
    if (e->kind == FAULT_SIZE) {
      if (i < reached(choice, seed, base - 1, file->n)) file->chosen_size = e->at;
      continue;
    }
    for (uint64_t at = e->at; at < e->at + e->len; at += FAULT_SECTOR)
      if (i < reached(choice, seed, base + at / unit, file->n))
        memcpy(file->chosen + at, e->data + (at - e->at), FAULT_SECTOR);
  }
}

uint64_t
disk_choose(disk *d, disk_choice choice, uint64_t seed)
{
  uint64_t hash = 1;
  d->there = d->made_safe || (d->made && reached(choice, seed, UINT64_MAX, 1));
  memcpy(d->chosen, d->safe, sizeof d->safe);
  d->n_chosen = d->n_safe;
  for (size_t i = 0; i < d->n_moves; i++)
    if (reached(choice, seed, UINT64_MAX - 2 - i, 1))
      move_entry(d->chosen, &d->n_chosen, d->moves[i]);
  drop_gone(d->chosen, &d->n_chosen);
  for (unsigned i = 0; i < d->n_chosen && d->there; i++) {
    disk_file *file = &d->files[d->chosen[i].file];
    choose_file(file, d->chosen[i].file, choice, seed);
    uint64_t used = file->room < file->chosen_size ? file->room : file->chosen_size;
    hash += base_hash_seed(d->chosen[i].name, strlen(d->chosen[i].name),
                           base_hash_seed(file->chosen, used, file->chosen_size));
  }
  return hash * 2 + d->there;
}

void
disk_remove(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;
  while (dir && (e = readdir(dir))) {
    char full[600];
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    (void)snprintf(full, sizeof full, "%s/%s", path, e->d_name);
    (void)unlink(full);
  }
  if (dir) closedir(dir);
  (void)rmdir(path);
}

void
disk_write(const disk *d, const char *path)
{
  disk_remove(path);
  if (!d->there || mkdir(path, 0777)) {
    assert(!d->there);
    return;
  }
  for (unsigned i = 0; i < d->n_chosen; i++) {
    const disk_file *file = &d->files[d->chosen[i].file];
    char full[600];
    (void)snprintf(full, sizeof full, "%s/%s", path, d->chosen[i].name);
    int fd = open(full, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    uint64_t used = file->room < file->chosen_size ? file->room : file->chosen_size;
    uint64_t end = used; /* the rest stays a hole */
    while (end && !file->chosen[end - 1])
      end--;
    if (fd < 0 || ftruncate(fd, (off_t)file->chosen_size) ||
        pwrite(fd, file->chosen, end, 0) != (ssize_t)end)
      abort();
    close(fd);
  }
}
