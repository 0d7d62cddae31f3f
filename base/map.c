/* base/map.c - mapped files that grow in place. */
#include "base/map.h"

#include "base/error.h"
#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/poison.h"

/* Growth doubles a small file and adds a thirty-second to a larger one: what is reserved but unused
 * counts as bytes on disk, and a step costs some 0.1 ms. */
static const size_t GROW_DOUBLES = (size_t)128 << 10, GROW_STEP = (size_t)64 << 20;
enum { GROW_SHARE = 32 };

struct base_map_retired {
  base_map_retired *older;
  char *base;
  size_t reserved;
};

static size_t
page_size(void)
{
  long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? (size_t)size : 4096;
}

/* False on overflow. */
static bool
page_up(size_t *out, size_t n)
{
  size_t page = page_size(), sum;
  if (!base_add_size(&sum, n, page - 1)) return false;
  *out = sum & ~(page - 1);
  return true;
}

static char *
addresses_new(size_t len)
{
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#if defined(MAP_NORESERVE)
  flags |= MAP_NORESERVE;
#endif
  void *at = sys_mmap(NULL, len, PROT_NONE, flags, -1, 0);
  return at == MAP_FAILED ? NULL : at;
}

/* Put bytes [from, to) of the file, from being a multiple of the page, into place. */
static bool
place(char *base, const base_file *file, size_t from, size_t to, bool writable)
{
  if (from >= to) return true;
  int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  return sys_mmap(base + from, to - from, protection, MAP_SHARED | MAP_FIXED, file->fd,
                  (off_t)from) != MAP_FAILED;
}

quoin_status
base_map_open(base_map *out, const base_file *file, size_t reserve, bool writable,
              const base_alloc *mem, quoin_error *err)
{
  uint64_t file_size;
  *out = (base_map){.mem = mem, .writable = writable};
  quoin_status st = base_file_size(&file_size, file, err);
  if (st) return st;
  if (file_size > PTRDIFF_MAX)
    return base_fail_os(err, EFBIG, file->name, "file is too large to be mapped");
  size_t size = (size_t)file_size;
  if (reserve < size) reserve = size;
  if (reserve == 0) reserve = 1;
  if (!page_up(&reserve, reserve))
    return base_fail_os(err, ENOMEM, file->name, "file cannot be mapped");
  char *base = addresses_new(reserve);
  if (!base) return base_fail_os(err, errno, file->name, "addresses cannot be reserved");
  if (!place(base, file, 0, size, writable)) {
    st = base_fail_os(err, errno, file->name, "file cannot be mapped");
    (void)munmap(base, reserve);
    return st;
  }
  out->reserved = reserve;
  atomic_store_explicit(&out->base, base, memory_order_release);
  atomic_store_explicit(&out->size, size, memory_order_release);
  return QUOIN_OK;
}

quoin_status
base_map_memory(base_map *out, size_t size, const base_alloc *mem, quoin_error *err)
{
  enum { LARGE_PAGE = 2 << 20 };
  size_t room;
  *out = (base_map){.mem = mem, .writable = true, .memory = true};
  if (!base_add_size(&room, size, LARGE_PAGE) || !page_up(&room, room)) return base_fail_nomem(err);
  char *base = sys_mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return base_fail_nomem(err);
  size_t skip = (LARGE_PAGE - (uintptr_t)base % LARGE_PAGE) % LARGE_PAGE; /* before the first one */
  if (skip) (void)munmap(base, skip);
  out->reserved = room - skip;
#if defined(MADV_HUGEPAGE)
  (void)madvise(base + skip, out->reserved, MADV_HUGEPAGE);
#endif
  atomic_store_explicit(&out->base, base + skip, memory_order_release);
  atomic_store_explicit(&out->size, size, memory_order_release);
  return QUOIN_OK;
}

/* A larger reservation with all of the file; the old one stays for its readers. */
static quoin_status
move(base_map *map, const base_file *file, size_t size, quoin_error *err)
{
  size_t reserve = map->reserved < PTRDIFF_MAX / 2 ? map->reserved * 2 : size;
  if (reserve < size) reserve = size;
  if (!page_up(&reserve, reserve))
    return base_fail_os(err, ENOMEM, file->name, "file cannot be mapped");
  base_map_retired *old = base_new(map->mem, 1, sizeof(*old));
  if (!old) return base_fail_nomem(err);
  char *base = addresses_new(reserve);
  if (!base || !place(base, file, 0, size, map->writable)) {
    quoin_status st = base_fail_os(err, errno, file->name, "file cannot be mapped");
    if (base) (void)munmap(base, reserve);
    base_release(map->mem, old, 1, sizeof(*old));
    return st;
  }
  *old = (base_map_retired){.older = map->retired,
                            .base = atomic_load_explicit(&map->base, memory_order_relaxed),
                            .reserved = map->reserved};
  map->retired = old;
  map->reserved = reserve;
  atomic_store_explicit(&map->base, base, memory_order_release); /* before size: see map.h */
  return QUOIN_OK;
}

quoin_status
base_map_grow(base_map *map, const base_file *file, size_t size, quoin_error *err)
{
  size_t have = atomic_load_explicit(&map->size, memory_order_relaxed);
  if (size <= have) return QUOIN_OK;
  assert(map->writable && !map->memory);
  size_t step = have / GROW_SHARE, want, need;
  if (step < GROW_DOUBLES) step = have < GROW_DOUBLES ? have : GROW_DOUBLES;
  if (step > GROW_STEP) step = GROW_STEP;
  if (!page_up(&need, size) || need > PTRDIFF_MAX || !base_add_size(&want, have, step) ||
      !page_up(&want, want))
    return base_fail_os(err, EFBIG, file->name, "file cannot be extended");
  if (want < need) want = need;
  quoin_status st = base_file_extend(file, want, err);
  if (st == QUOIN_ERR_NO_SPACE && want > need) st = base_file_extend(file, want = need, err);
  if (st) return st;
  if (want > map->reserved) {
    if ((st = move(map, file, want, err))) return st;
  } else {
    size_t from;
    if (!page_up(&from, have) ||
        !place(atomic_load_explicit(&map->base, memory_order_relaxed), file, from, want, true))
      return base_fail_os(err, errno, file->name, "file cannot be mapped");
  }
  atomic_store_explicit(&map->size, want, memory_order_release);
  return QUOIN_OK;
}

quoin_status
base_map_sync(const base_map *map, const base_file *file, size_t offset, size_t len,
              quoin_error *err)
{
  size_t size = atomic_load_explicit(&((base_map *)(uintptr_t)map)->size, memory_order_acquire);
  if (offset > size) offset = size;
  if (len > size - offset) len = size - offset;
  size_t from = offset & ~(page_size() - 1);
  if (len && sys_msync(base_map_at(map, from), offset + len - from, MS_SYNC))
    return base_fail_os(err, errno, file->name, "file cannot be synced");
  return base_file_sync(file, err);
}

uint64_t
base_map_resident(void)
{
#if defined(__linux__)
  char text[64];
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t len = read(fd, text, sizeof(text) - 1);
  (void)close(fd);
  if (len <= 0) return 0;
  text[len] = '\0';
  const char *pages = strchr(text, ' '); /* the second number */
  return pages ? strtoull(pages, NULL, 10) * page_size() : 0;
#else
  return 0;
#endif
}

void
base_map_populate(base_map *map)
{
#if defined(MADV_POPULATE_WRITE)
  /* Advice: a kernel before 5.14 refuses it, and pages are faulted in one by one. */
  (void)madvise(atomic_load_explicit(&map->base, memory_order_acquire),
                atomic_load_explicit(&map->size, memory_order_acquire), MADV_POPULATE_WRITE);
#else
  (void)map;
#endif
}

void
base_map_drop(const base_map *map)
{
#if defined(__linux__)
  /* Of a shared mapping of a file this drops the page table's entries, never what was written. */
  base_map *m = (base_map *)(uintptr_t)map;
  size_t size = atomic_load_explicit(&m->size, memory_order_acquire);
  if (size && !map->memory) (void)madvise(base_map_at(map, 0), size, MADV_DONTNEED);
#else
  (void)map;
#endif
}

void
base_map_close(base_map *map)
{
  char *base = atomic_load_explicit(&map->base, memory_order_relaxed);
  if (base) (void)munmap(base, map->reserved);
  while (map->retired) {
    base_map_retired *old = map->retired;
    map->retired = old->older;
    (void)munmap(old->base, old->reserved);
    base_release(map->mem, old, 1, sizeof(*old));
  }
  *map = (base_map){.mem = map->mem};
}

/* ---- pages without a file -------------------------------------------------------------------- */

void *
base_pages_new(size_t bytes)
{
  void *at = sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? NULL : at;
}

void
base_pages_drop(void *pages, size_t bytes)
{
#if defined(__linux__)
  (void)madvise(pages, bytes, MADV_DONTNEED); /* of private memory: zeroes, and nothing else */
#else
  (void)sys_mmap(pages, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0);
#endif
}

void
base_pages_free(void *pages, size_t bytes)
{
  if (pages) (void)munmap(pages, bytes);
}
