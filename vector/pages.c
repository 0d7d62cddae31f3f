/* vector/pages.c - reserved ranges, mapping a root, verifying pages. */
#include "vector/pages.h"

#include "vector/pages_file.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/poison.h"

enum { HUGE_STEP = 2 << 20, FIRST_STEP = 64 << 10, PRIVATE_LEAST = 256 << 20, PRIVATE_SHARE = 8 };
/* Addresses: 2 MiB, 64 MiB, 2 GiB and so on, whichever is ROOM times the need. So thousands of
 * small graphs fit into what a process has, and a graph that grows is copied at 2 MiB, 64 MiB and
 * 2 GiB, 3 % of the bytes it then comes to. */
enum { RESERVE_TIMES = 32, ROOM = 4 };

static size_t
round_up(size_t n, size_t unit)
{
  return (n + unit - 1) / unit * unit;
}

/* `bytes`, a multiple of HUGE_STEP, at an address that is; NULL: there are none. */
static char *
reserve(size_t bytes)
{
  /* a little more, so that the start can be aligned to a huge page */
  void *at = sys_mmap(NULL, bytes + HUGE_STEP, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return NULL;
  char *start = (char *)at + (HUGE_STEP - (uintptr_t)at % HUGE_STEP) % HUGE_STEP;
  if (start > (char *)at) munmap(at, (size_t)(start - (char *)at));
  munmap(start + bytes, (size_t)((char *)at + HUGE_STEP - start));
  return start;
}

/* Addresses for `need` bytes and more. */
static quoin_status
range_reserve(char **out, size_t *reserved, const vec_range *range, size_t need, quoin_error *err)
{
  size_t bytes = HUGE_STEP, least = round_up(need, HUGE_STEP);
  while (bytes < range->most && bytes / ROOM < need)
    bytes = bytes < range->most / RESERVE_TIMES ? bytes * RESERVE_TIMES : range->most;
  if (bytes < least) bytes = least;
  while (!(*out = reserve(bytes)) && bytes > least)
    bytes = bytes / 2 > least ? round_up(bytes / 2, HUGE_STEP) : least;
  *reserved = bytes;
  if (*out) return QUOIN_OK;
  /* not NOMEM: it is not over soon */
  return base_fail(err, QUOIN_ERR_LIMIT, "the process has no more addresses for it");
}

static void
range_clear(vec_range *range)
{
  char *base = vec_range_base(range);
  if (base) munmap(base, range->reserved);
  atomic_store(&range->base, NULL);
  atomic_store(&range->mapped, 0);
  range->reserved = 0;
}

void
vec_moved_free(vec_moved **list, const base_alloc *mem)
{
  for (vec_moved *moved; (moved = *list);) {
    *list = moved->next;
    munmap(moved->base, moved->bytes);
    base_release(mem, moved, 1, sizeof(*moved));
  }
}

static quoin_status
map_zeros(char *at, size_t bytes, quoin_error *err)
{
  if (sys_mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
      MAP_FAILED)
    return base_fail_os(err, errno, NULL, "memory for a graph");
  return QUOIN_OK;
}

static quoin_status
range_full(const vec_range *range, quoin_error *err)
{
  return base_fail(err, QUOIN_ERR_LIMIT,
                   "the vector graph is full: no part of it grows beyond %zu GiB",
                   range->most >> 30);
}

static void
ask_for_huge_pages(char *at, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
  (void)madvise(at, bytes, MADV_HUGEPAGE); /* random reads: fewer misses */
#else
  (void)at;
  (void)bytes;
#endif
}

/* But for zeros, which are there already and may never have been memory. */
static void
copy_pages(char *to, const char *from, size_t bytes)
{
  for (size_t at = 0; at < bytes; at += VEC_UNIT)
    if (from[at] || memcmp(from + at, from + at + 1, VEC_UNIT - 1) != 0)
      memcpy(to + at, from + at, VEC_UNIT);
}

/* What it has to more addresses. Threads that read the range go on in either. */
static quoin_status
range_move(vec_pages *pages, vec_range *range, size_t need, quoin_error *err)
{
  char *before = vec_range_base(range), *at;
  size_t reserved, mapped = range->mapped;
  vec_moved *moved = NULL;
  quoin_status st = range_reserve(&at, &reserved, range, need, err);
  if (st) return st;
  if (before) {
    if (!(moved = base_new(pages->mem, 1, sizeof(*moved)))) st = base_fail_nomem(err);
    if (!st && mapped) st = map_zeros(at, mapped, err);
    if (st) {
      munmap(at, reserved);
      base_release(pages->mem, moved, 1, sizeof(*moved));
      return st;
    }
    if (mapped >= HUGE_STEP) ask_for_huge_pages(at, mapped);
    copy_pages(at, before, mapped);
    *moved = (vec_moved){.next = pages->limbo, .base = before, .bytes = range->reserved};
    pages->limbo = moved;
  }
  range->reserved = reserved;
  atomic_store_explicit(&range->base, at, memory_order_release);
  return QUOIN_OK;
}

/* Into *target so many bytes that `need` of them fit, and growing on costs little: there are
 * addresses for them. */
static quoin_status
range_target(size_t *target, vec_pages *pages, vec_range *range, size_t need, size_t unit,
             quoin_error *err)
{
  quoin_status st;
  need = round_up(need, unit);
  if (need > range->most) return range_full(range, err);
  if (need > range->reserved && (st = range_move(pages, range, need, err))) return st;
  size_t step = range->mapped < FIRST_STEP ? FIRST_STEP : range->mapped / 4;
  if (step >= HUGE_STEP) step = round_up(step, HUGE_STEP);
  *target = round_up(need > range->mapped + step ? need : range->mapped + step, unit);
  if (*target > range->reserved) *target = range->reserved / unit * unit;
  return QUOIN_OK;
}

static quoin_status
range_map(vec_range *range, size_t target, quoin_error *err)
{
  char *at = vec_range_base(range) + range->mapped;
  size_t bytes = target - range->mapped;
  quoin_status st = map_zeros(at, bytes, err);
  if (st) return st;
  if (target >= HUGE_STEP) ask_for_huge_pages(at, bytes);
  range->mapped = target;
  return QUOIN_OK;
}

static quoin_status
range_grow(vec_pages *pages, vec_range *range, size_t need, size_t unit, quoin_error *err)
{
  size_t target = 0;
  if (need <= range->mapped) return QUOIN_OK;
  quoin_status st = range_target(&target, pages, range, need, unit, err);
  return st ? st : range_map(range, target, err);
}

static void
region_clear(vec_region *region, const base_alloc *mem)
{
  range_clear(&region->data);
  range_clear(&region->state);
  range_clear(&region->sums);
  base_release(mem, region->extents, region->cap_extents, sizeof(*region->extents));
  base_release(mem, region->blocks, region->n_blocks, sizeof(*region->blocks));
  base_release(mem, region->block_ok, region->n_blocks, 1);
  *region = (vec_region){.page_bytes = 0};
}

void
vec_pages_clear(vec_pages *pages)
{
  for (size_t i = 0; i < VEC_REGIONS; i++)
    region_clear(&pages->regions[i], pages->mem);
  vec_moved_free(&pages->limbo, pages->mem);
  vec_moved_free(&pages->waiting, pages->mem);
  base_mutex_destroy(&pages->lock);
}

quoin_status
vec_pages_init(vec_pages *out, uint64_t id, const size_t page_bytes[VEC_REGIONS],
               const size_t most[VEC_REGIONS], const base_alloc *mem, quoin_error *err)
{
  long unit = sysconf(_SC_PAGESIZE), units = sysconf(_SC_PHYS_PAGES);
  uint64_t memory = unit > 0 && units > 0 ? (uint64_t)unit * (uint64_t)units : 0;
  *out = (vec_pages){.id = id, .mem = mem, .private_most = memory / PRIVATE_SHARE};
  if (out->private_most < PRIVATE_LEAST) out->private_most = PRIVATE_LEAST;
  for (size_t i = 0; i < VEC_REGIONS; i++) {
    vec_region *region = &out->regions[i];
    assert(page_bytes[i] % VEC_UNIT == 0);
    region->page_bytes = page_bytes[i];
    region->data.most = round_up(most[i], HUGE_STEP);
    size_t pages = region->data.most / page_bytes[i] + 1;
    region->state.most = round_up(pages, HUGE_STEP);
    region->sums.most = round_up(pages * sizeof(uint64_t) + VEC_UNIT, HUGE_STEP);
  }
  return base_mutex_init(&out->lock, BASE_RANK_QUEUE, "graph file", err);
}

/* Room for what is known of so many pages: for their checksums, too, so that it is not a checkpoint
 * that comes to lack it. */
static quoin_status
grow_beside(vec_pages *pages, vec_region *region, size_t n, quoin_error *err)
{
  base_mutex_lock(&pages->lock); /* searches set flags and read sums under it */
  quoin_status st = range_grow(pages, &region->state, n, VEC_UNIT, err);
  if (!st) st = range_grow(pages, &region->sums, n * sizeof(uint64_t), VEC_UNIT, err);
  base_mutex_unlock(&pages->lock);
  return st;
}

quoin_status
vec_region_grow(vec_pages *pages, vec_region *region, size_t bytes, quoin_error *err)
{
  if (bytes <= region->data.mapped) return QUOIN_OK;
  const char *base = vec_range_base(&region->data);
  size_t before = region->data.mapped / region->page_bytes, target;
  quoin_status st = range_target(&target, pages, &region->data, bytes, region->page_bytes, err);
  if (st) return st;
  if (base && base != vec_range_base(&region->data)) /* copies of what the file has */
    pages->private_bytes += region->pages * region->page_bytes;
  /* First the states: a page that is mapped has one, whichever of the two fails. */
  st = grow_beside(pages, region, target / region->page_bytes, err);
  if (!st) st = range_map(&region->data, target, err);
  if (st) return st;
  for (size_t page = before; page < target / region->page_bytes; page++)
    atomic_store_explicit(vec_page_state(region, page), VEC_PAGE_VERIFIED, memory_order_release);
  return QUOIN_OK;
}

/* ---- verifying --------------------------------------------------------------------------------
 */

/* Under the lock, which guards the name. */
static quoin_status
fail_locked(const vec_pages *pages, uint64_t offset, quoin_error *err, const char *text)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, pages->name, offset, "%s", text);
}

static base_mutex *
lock_of(const vec_pages *pages)
{
  return (base_mutex *)(uintptr_t)&pages->lock;
}

quoin_status
vec_pages_fail(const vec_pages *pages, quoin_error *err, const char *fmt, ...)
{
  char text[160];
  va_list args;
  va_start(args, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  base_mutex_lock(lock_of(pages));
  quoin_status st = fail_locked(pages, pages->root.offset, err, text);
  base_mutex_unlock(lock_of(pages));
  return st;
}

/* Under the lock. */
static quoin_status
page_fail(const vec_pages *pages, const vec_region *region, size_t page, quoin_error *err)
{
  uint64_t offset = 0;
  for (size_t i = 0; i < region->n_extents; i++) {
    if (page < region->extents[i].pages) {
      offset = region->extents[i].offset + page * region->page_bytes;
      break;
    }
    page -= (size_t)region->extents[i].pages;
  }
  return fail_locked(pages, offset, err, "a page of the vector graph is damaged");
}

/* Under the lock. */
static quoin_status
sums_verify(const vec_pages *pages, const vec_region *region, size_t block, quoin_error *err)
{
  if (region->block_ok[block]) return QUOIN_OK;
  if (!base_sum_matches(region->blocks[block],
                        base_hash(vec_range_base(&region->sums) + block * VEC_UNIT, VEC_UNIT)))
    return fail_locked(pages, pages->root.offset, err,
                       "the checksums of the vector graph's pages are damaged");
  region->block_ok[block] = 1;
  return QUOIN_OK;
}

quoin_status
vec_sums_verify(const vec_pages *pages, const vec_region *region, size_t block, quoin_error *err)
{
  base_mutex_lock(lock_of(pages));
  quoin_status st = sums_verify(pages, region, block, err);
  base_mutex_unlock(lock_of(pages));
  return st;
}

/* One at a time: the writer changes a page after it has verified it, so nobody may still be adding
 * up the page then. */
quoin_status
vec_page_verify(const vec_pages *pages, const vec_region *region, size_t page, quoin_error *err)
{
  if (vec_page_ready(region, page)) return QUOIN_OK;
  if (page >= region->opened)
    return vec_pages_fail(pages, err, "the vector graph names a page that it does not have");
  base_mutex_lock(lock_of(pages));
  quoin_status st = QUOIN_OK;
  if (!vec_page_ready(region, page) &&
      !(st = sums_verify(pages, region, page * sizeof(uint64_t) / VEC_UNIT, err))) {
    uint64_t want = base_load_u64(vec_range_base(&region->sums) + page * sizeof(uint64_t));
    const char *bytes = vec_range_base(&region->data) + page * region->page_bytes;
    if (!base_sum_matches(want, base_hash(bytes, region->page_bytes)))
      st = page_fail(pages, region, page, err);
    else
      atomic_fetch_or_explicit(vec_page_state(region, page), VEC_PAGE_VERIFIED,
                               memory_order_release);
  }
  base_mutex_unlock(lock_of(pages));
  return st;
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static quoin_status
damaged(const vec_pages *pages, const char *what, quoin_error *err)
{
  return vec_pages_fail(pages, err, "the table of the vector graph is damaged: %s", what);
}

static quoin_status
map_at(const vec_pages *pages, char *at, size_t bytes, const base_file *file, uint64_t offset,
       quoin_error *err)
{
  if (sys_mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file->fd,
               (off_t)offset) == MAP_FAILED)
    return base_fail_os(err, errno, pages->name, "the vector graph cannot be mapped");
  return QUOIN_OK;
}

/* Inside the file, at a page of it? */
static bool
lies_within(uint64_t offset, uint64_t bytes, uint64_t file_bytes)
{
  return offset % VEC_UNIT == 0 && offset >= VEC_UNIT && offset <= file_bytes &&
         bytes <= file_bytes - offset;
}

static quoin_status
map_extents(vec_pages *pages, vec_region *region, const base_file *file, quoin_error *err)
{
  quoin_status st;
  size_t done = 0;
  for (size_t i = 0; i < region->n_extents; i++) {
    vec_extent e = region->extents[i];
    char *at = vec_range_base(&region->data) + done * region->page_bytes;
    if (e.pages == 0 || e.pages > region->pages - done ||
        (e.offset && !lies_within(e.offset, e.pages * region->page_bytes, pages->file_bytes)))
      return damaged(pages, "an extent lies outside the file", err);
    size_t bytes = (size_t)e.pages * region->page_bytes;
    st = e.offset ? map_at(pages, at, bytes, file, e.offset, err) : map_zeros(at, bytes, err);
    if (st) return st;
    done += (size_t)e.pages;
  }
  if (done != region->pages) return damaged(pages, "pages are missing", err);
  region->data.mapped = done * region->page_bytes;
  return QUOIN_OK;
}

/* `*at` moves over the extents and block hashes of this region in the table. */
static quoin_status
region_open(vec_pages *pages, vec_region *region, const vec_table_region *table, const char **at,
            const char *end, const base_file *file, quoin_error *err)
{
  quoin_status st;
  size_t n_blocks = ((size_t)table->pages * sizeof(uint64_t) + VEC_UNIT - 1) / VEC_UNIT;
  if (table->page_bytes != region->page_bytes)
    return damaged(pages, "the size of a page is another", err);
  if (table->pages > region->data.most / region->page_bytes ||
      table->extents > (size_t)(end - *at) / sizeof(vec_extent) ||
      n_blocks > ((size_t)(end - *at) - (size_t)table->extents * sizeof(vec_extent)) / 8)
    return damaged(pages, "it is too short", err);
  region->pages = region->opened = (size_t)table->pages;
  if (!region->pages) return QUOIN_OK;
  if (!lies_within(table->sums_at, n_blocks * VEC_UNIT, pages->file_bytes))
    return damaged(pages, "checksums lie outside the file", err);
  if (!(region->extents = base_new(pages->mem, (size_t)table->extents, sizeof(vec_extent))))
    return base_fail_nomem(err);
  region->n_extents = region->cap_extents = (size_t)table->extents;
  memcpy(region->extents, *at, region->n_extents * sizeof(vec_extent));
  *at += region->n_extents * sizeof(vec_extent);
  region->n_blocks = n_blocks;
  if (!(region->blocks = base_new(pages->mem, n_blocks, sizeof(uint64_t))) ||
      !(region->block_ok = base_new_zero(pages->mem, n_blocks, 1)))
    return base_fail_nomem(err);
  memcpy(region->blocks, *at, n_blocks * sizeof(uint64_t));
  *at += n_blocks * sizeof(uint64_t);
  if ((st = range_move(pages, &region->data, region->pages * region->page_bytes, err)) ||
      (st = range_move(pages, &region->sums, n_blocks * VEC_UNIT, err)) ||
      (st = map_extents(pages, region, file, err)) ||
      (st = map_at(pages, vec_range_base(&region->sums), n_blocks * VEC_UNIT, file, table->sums_at,
                   err)))
    return st;
  region->sums.mapped = n_blocks * VEC_UNIT;
  return range_grow(pages, &region->state, region->pages, VEC_UNIT, err);
}

static quoin_status
table_read(char **out, vec_pages *pages, const base_file *file, quoin_error *err)
{
  quoin_status st;
  const hnsw_root *root = &pages->root;
  if ((st = base_file_size(&pages->file_bytes, file, err))) return st;
  if (!lies_within(root->offset, root->length, pages->file_bytes) ||
      root->length < sizeof(vec_table))
    return damaged(pages, "it lies outside the file", err);
  if (!(*out = base_new(pages->mem, (size_t)root->length, 1))) return base_fail_nomem(err);
  if ((st = base_file_read(file, *out, (size_t)root->length, root->offset, err))) return st;
  if (!base_sum_matches(root->checksum, base_hash(*out, (size_t)root->length)))
    return damaged(pages, "its checksum is wrong", err);
  return QUOIN_OK;
}

static quoin_status
file_head_check(const vec_pages *pages, const base_file *file, quoin_error *err)
{
  vec_file_head head;
  quoin_status st = base_file_read(file, &head, sizeof(head), 0, err);
  if (st) return st;
  if (memcmp(head.magic, VEC_FILE_MAGIC, sizeof(head.magic)) != 0 ||
      !base_sum_matches(head.checksum, base_hash(&head, offsetof(vec_file_head, checksum))))
    return base_fail_at(err, QUOIN_ERR_CORRUPT, pages->name, 0,
                        "the head of the vector graph is damaged");
  if (head.format != VEC_FORMAT)
    return base_fail_at(err, QUOIN_ERR_VERSION, pages->name, 8,
                        "vector graph of format %u: this version reads %u", head.format,
                        VEC_FORMAT);
  if (head.id != pages->id || head.generation != pages->root.generation)
    return base_fail_at(err, QUOIN_ERR_CORRUPT, pages->name, 16,
                        "the file belongs to another vector graph");
  return QUOIN_OK;
}

static quoin_status
head_check(const vec_pages *pages, const vec_table *table, quoin_error *err)
{
  if (memcmp(table->magic, VEC_TABLE_MAGIC, sizeof(table->magic)) != 0)
    return damaged(pages, "it does not begin as one", err);
  if (table->format != VEC_FORMAT)
    return base_fail_at(err, QUOIN_ERR_VERSION, pages->name, pages->root.offset,
                        "vector graph of format %u: this version reads %u", table->format,
                        VEC_FORMAT);
  if (table->id != pages->id || table->generation != pages->root.generation)
    return damaged(pages, "it belongs to another graph", err);
  return QUOIN_OK;
}

uint64_t
vec_named_bytes(const vec_pages *pages, uint64_t table)
{
  uint64_t bytes = VEC_UNIT + table;
  for (size_t i = 0; i < VEC_REGIONS; i++) {
    const vec_region *region = &pages->regions[i];
    for (size_t e = 0; e < region->n_extents; e++)
      if (region->extents[e].offset) bytes += region->extents[e].pages * region->page_bytes;
    bytes += round_up(region->pages * sizeof(uint64_t), VEC_UNIT);
  }
  return bytes;
}

void
vec_pages_bytes(uint64_t *all, uint64_t *live, const vec_pages *pages)
{
  base_mutex_lock(lock_of(pages));
  *all = pages->file_bytes;
  *live = pages->live_bytes;
  base_mutex_unlock(lock_of(pages));
}

quoin_status
vec_pages_open(vec_pages *pages, const base_dir *dir, const hnsw_root *root, char meta[VEC_META],
               quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  base_file file = BASE_FILE_NONE;
  char *text = NULL;
  vec_table table;
  pages->root = *root;
  vec_file_name(pages->name, pages->id, root->generation);
  if ((st = base_file_open(&file, dir, pages->name, BASE_FILE_READ, err)) ||
      (st = file_head_check(pages, &file, err)) || (st = table_read(&text, pages, &file, err)))
    goto done;
  memcpy(&table, text, sizeof(table));
  if ((st = head_check(pages, &table, err))) goto done;
  memcpy(meta, table.meta, VEC_META);
  const char *at = text + sizeof(table), *end = text + root->length;
  for (size_t i = 0; i < VEC_REGIONS; i++)
    if ((st = region_open(pages, &pages->regions[i], &table.regions[i], &at, end, &file, err)))
      goto done;
  pages->live_bytes = vec_named_bytes(pages, root->length);

done:
  base_release(pages->mem, text, (size_t)root->length, 1);
  base_file_close(&file);
  return st;
}
