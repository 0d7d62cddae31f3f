/* vector/pages_checkpoint.c - appends changed pages and a new table to the file of a graph.
 *
 * Nothing that a table names is ever written again, so a power cut at any point leaves the roots
 * that are durable whole. What the state of a region says changes only once all is synced: a
 * checkpoint that failed is done again, in a new file, since what a failed sync covered may be lost
 * whatever is synced later. */
#include "vector/pages_file.h"

#include "base/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/poison.h"

/* Above so many extents the file is written anew: a process may have some 65,000 mappings. */
enum { MANY_EXTENTS = 8192, FEW_EXTENTS = 256 };
/* Holes of so few pages are written: rows are numbers of atoms, a hole between any two of them
 * would be an extent each. */
enum { BRIDGE_PAGES = 16 };

void
vec_file_name(char out[64], uint64_t id, uint64_t generation)
{
  (void)snprintf(out, 64, "graph-%llu-%llu", (unsigned long long)id,
                 (unsigned long long)generation);
}

bool
hnsw_file_is_mine(const char *name, uint64_t *id, uint64_t *generation)
{
  unsigned long long a, b;
  char again[64];
  if (sscanf(name, "graph-%llu-%llu", &a, &b) != 2) return false;
  vec_file_name(again, a, b);
  if (strcmp(again, name) != 0) return false; /* signs, zeros in front, something behind */
  *id = a;
  *generation = b;
  return true;
}

/* A checkpoint under way. */
typedef struct writing {
  vec_pages *pages;
  base_file file;
  uint64_t at;      /* end of what was written */
  uint64_t written; /* of pages */
  bool fresh;       /* all pages go to a new file */
  bool created;     /* which this has created */
  bool remap;       /* then they are mapped from it */
  vec_extent *extents[VEC_REGIONS];
  size_t n_extents[VEC_REGIONS], cap_extents[VEC_REGIONS];
  uint64_t zero_sum[VEC_REGIONS]; /* checksum of a page of zeros */
  vec_table table;
} writing;

static size_t
used_pages(const vec_region *region)
{
  return (region->used + region->page_bytes - 1) / region->page_bytes;
}

/* What becomes of a page. A hole was never written: it is zero and takes no room in the file. */
typedef enum fate { PAGE_KEPT, PAGE_WRITTEN, PAGE_HOLE } fate;

/* Asked of the pages of a region in order. */
typedef struct cursor {
  const vec_region *region;
  size_t extent, before; /* of the page asked for last; pages of the extents before it */
  bool fresh;
} cursor;

static fate
page_fate(cursor *c, size_t page)
{
  const vec_region *r = c->region;
  bool changed =
      atomic_load_explicit(vec_page_state(r, page), memory_order_relaxed) & VEC_PAGE_CHANGED;
  while (c->extent < r->n_extents && page >= c->before + r->extents[c->extent].pages)
    c->before += (size_t)r->extents[c->extent++].pages;
  if (changed) return PAGE_WRITTEN;
  if (page >= r->pages || r->extents[c->extent].offset == 0) return PAGE_HOLE;
  return c->fresh ? PAGE_WRITTEN : PAGE_KEPT;
}

static uint64_t
page_place(const cursor *c, size_t page)
{
  return c->region->extents[c->extent].offset + (page - c->before) * c->region->page_bytes;
}

static bool
anything_changed(const vec_pages *pages)
{
  for (size_t i = 0; i < VEC_REGIONS; i++) {
    const vec_region *region = &pages->regions[i];
    size_t n = used_pages(region);
    if (n != region->pages) return true;
    for (size_t page = 0; page < n; page++)
      if (atomic_load_explicit(vec_page_state(region, page), memory_order_relaxed) &
          VEC_PAGE_CHANGED)
        return true;
  }
  return false;
}

/* Bytes of the file that a table with these pages names, those that this checkpoint appends, and
 * the most extents that there can be then. */
static void
bytes_count(uint64_t *named, uint64_t *appended, uint64_t *extents, const vec_pages *pages,
            bool fresh)
{
  *named = 2 * VEC_UNIT;
  *appended = *extents = 0;
  for (size_t i = 0; i < VEC_REGIONS; i++) {
    const vec_region *region = &pages->regions[i];
    cursor c = {.region = region, .fresh = fresh};
    size_t n = used_pages(region);
    fate before = PAGE_KEPT;
    *extents += region->n_extents;
    for (size_t page = 0; page < n; page++) {
      fate what = page_fate(&c, page);
      if (what != before && what == PAGE_WRITTEN) *extents += 2;
      before = what;
      if (what != PAGE_HOLE) *named += region->page_bytes;
      if (what == PAGE_WRITTEN) *appended += region->page_bytes;
    }
    *named += n * sizeof(uint64_t);
    *appended += n * sizeof(uint64_t);
  }
}

static quoin_status
extent_add(writing *w, size_t i, uint64_t offset, uint64_t pages, quoin_error *err)
{
  size_t n = w->n_extents[i], page_bytes = w->pages->regions[i].page_bytes;
  vec_extent *last = n ? &w->extents[i][n - 1] : NULL;
  if (last && (offset && last->offset ? last->offset + last->pages * page_bytes == offset
                                      : offset == last->offset)) {
    last->pages += pages;
    return QUOIN_OK;
  }
  if (!base_reserve(w->pages->mem, (void **)&w->extents[i], &w->cap_extents[i], n + 1,
                    sizeof(vec_extent)))
    return base_fail_nomem(err);
  w->extents[i][w->n_extents[i]++] = (vec_extent){.offset = offset, .pages = pages};
  return QUOIN_OK;
}

/* Write pages [first, end) of region i, which lie side by side in memory. */
static quoin_status
pages_write(writing *w, size_t i, size_t first, size_t end, quoin_error *err)
{
  quoin_status st;
  vec_region *region = &w->pages->regions[i];
  size_t bytes = (end - first) * region->page_bytes;
  for (size_t page = first; page < end; page++) {
    if ((st = vec_page_verify(w->pages, region, page, err))) return st;
    uint64_t sum =
        base_hash(vec_range_base(&region->data) + page * region->page_bytes, region->page_bytes);
    memcpy(vec_range_base(&region->sums) + page * sizeof(sum), &sum, sizeof(sum));
  }
  if ((st = base_file_write(&w->file, vec_range_base(&region->data) + first * region->page_bytes,
                            bytes, w->at, err)))
    return st;
  if ((st = extent_add(w, i, w->at, end - first, err))) return st;
  w->at += bytes;
  w->written += bytes;
  return QUOIN_OK;
}

static quoin_status
page_skip(writing *w, size_t i, size_t page, quoin_error *err)
{
  vec_region *region = &w->pages->regions[i];
  uint64_t sum = w->zero_sum[i];
  if (!sum)
    sum = w->zero_sum[i] =
        base_hash(vec_range_base(&region->data) + page * region->page_bytes, region->page_bytes);
  memcpy(vec_range_base(&region->sums) + page * sizeof(sum), &sum, sizeof(sum));
  return extent_add(w, i, 0, 1, err);
}

static quoin_status
region_write(writing *w, size_t i, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  vec_region *region = &w->pages->regions[i];
  cursor c = {.region = region, .fresh = w->fresh};
  size_t n = used_pages(region), written = 0; /* pages at the end that wait to be written */
  size_t bridge = 0;                          /* holes before it are written */
  fate last = PAGE_KEPT;
  for (size_t b = 0; b < region->n_blocks; b++)
    if ((st = vec_sums_verify(w->pages, region, b, err))) return st;
  for (size_t page = 0; page < n; page++) {
    fate what = page_fate(&c, page);
    if (what == PAGE_HOLE && w->fresh && last != PAGE_HOLE) {
      size_t end = page + 1;
      for (cursor ahead = c; end < n && end - page <= BRIDGE_PAGES; end++)
        if (page_fate(&ahead, end) != PAGE_HOLE) break;
      if (end - page <= BRIDGE_PAGES) bridge = end;
    }
    last = what;
    if (what == PAGE_WRITTEN || page < bridge) {
      written++;
      continue;
    }
    if (written && (st = pages_write(w, i, page - written, page, err))) return st;
    written = 0;
    st = what == PAGE_HOLE ? page_skip(w, i, page, err)
                           : extent_add(w, i, page_place(&c, page), 1, err);
    if (st) return st;
  }
  return written ? pages_write(w, i, n - written, n, err) : QUOIN_OK;
}

/* The checksums of region i and its part of the table. */
static quoin_status
sums_write(writing *w, size_t i, quoin_error *err)
{
  vec_region *region = &w->pages->regions[i];
  size_t n = used_pages(region),
         bytes = (n * sizeof(uint64_t) + VEC_UNIT - 1) / VEC_UNIT * VEC_UNIT;
  w->table.regions[i] = (vec_table_region){.page_bytes = region->page_bytes,
                                           .pages = n,
                                           .extents = w->n_extents[i],
                                           .sums_at = n ? w->at : 0};
  if (!n) return QUOIN_OK;
  quoin_status st = base_file_write(&w->file, vec_range_base(&region->sums), bytes, w->at, err);
  w->at += bytes;
  return st;
}

static quoin_status
table_write(hnsw_root *out, writing *w, quoin_error *err)
{
  base_buffer text;
  base_buffer_init(&text, w->pages->mem);
  base_buffer_add(&text, &w->table, sizeof(w->table));
  for (size_t i = 0; i < VEC_REGIONS; i++) {
    vec_region *region = &w->pages->regions[i];
    size_t bytes = used_pages(region) * sizeof(uint64_t);
    base_buffer_add(&text, w->extents[i], w->n_extents[i] * sizeof(vec_extent));
    for (size_t at = 0; at < bytes; at += VEC_UNIT)
      base_buffer_u64(&text, base_hash(vec_range_base(&region->sums) + at, VEC_UNIT));
  }
  quoin_status st = text.failed ? base_fail_nomem(err)
                                : base_file_write(&w->file, text.data, text.len, w->at, err);
  if (!st) {
    *out = (hnsw_root){.generation = w->table.generation,
                       .offset = w->at,
                       .length = text.len,
                       .checksum = base_hash(text.data, text.len)};
    w->at += text.len;
  }
  base_buffer_clear(&text);
  return st;
}

static quoin_status
file_begin(writing *w, const base_dir *dir, char name[64], quoin_error *err)
{
  quoin_status st;
  char head[VEC_UNIT] = {0};
  vec_pages *pages = w->pages;
  vec_file_name(name, pages->id, w->table.generation);
  if (!w->fresh) {
    if ((st = base_file_open(&w->file, dir, name, BASE_FILE_WRITE, err)) ||
        (st = base_file_size(&w->at, &w->file, err)))
      return st;
    w->at = (w->at + VEC_UNIT - 1) / VEC_UNIT * VEC_UNIT;
    return QUOIN_OK;
  }
  /* one left by a checkpoint that no manifest knows of */
  if (base_dir_has(dir, name) && (st = base_dir_unlink(dir, name, err))) return st;
  if ((st = base_file_open(&w->file, dir, name, BASE_FILE_CREATE_NEW, err))) return st;
  w->created = true;
  vec_file_head h = {.magic = VEC_FILE_MAGIC,
                     .format = VEC_FORMAT,
                     .id = pages->id,
                     .generation = w->table.generation};
  h.checksum = base_hash(&h, offsetof(vec_file_head, checksum));
  memcpy(head, &h, sizeof(h));
  w->at = VEC_UNIT;
  return base_file_write(&w->file, head, sizeof(head), 0, err);
}

/* The pages are mapped from the file, where they have the same bytes: those of a file that was
 * written anew, so that the one before is let go, and those whose private copies are more than may
 * be. If the system will not, the memory they have serves as well. */
static void
region_move(const writing *w, size_t i)
{
  vec_region *region = &w->pages->regions[i];
  size_t page = 0;
  if (!w->remap && (!w->fresh || !region->pages || w->n_extents[i] > FEW_EXTENTS)) return;
  for (size_t e = 0; e < w->n_extents[i]; e++) {
    vec_extent extent = w->extents[i][e];
    char *at = vec_range_base(&region->data) + page * region->page_bytes;
    if (extent.offset)
      (void)sys_mmap(at, (size_t)extent.pages * region->page_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_FIXED, w->file.fd, (off_t)extent.offset);
    page += (size_t)extent.pages;
  }
}

/* All is durable: make it the state. */
static void
adopt(writing *w, const hnsw_root *root, const char name[64])
{
  vec_pages *pages = w->pages;
  pages->private_bytes += w->written;
  w->remap = pages->private_bytes > pages->private_most;
  if (w->remap) pages->private_bytes = 0;
  base_mutex_lock(&pages->lock);
  for (size_t i = 0; i < VEC_REGIONS; i++) {
    vec_region *region = &pages->regions[i];
    region_move(w, i);
    base_release(pages->mem, region->extents, region->cap_extents, sizeof(vec_extent));
    region->extents = w->extents[i];
    region->cap_extents = w->cap_extents[i];
    region->n_extents = w->n_extents[i];
    w->extents[i] = NULL;
    region->pages = used_pages(region);
    for (size_t page = 0; page < region->pages; page++)
      atomic_fetch_and_explicit(vec_page_state(region, page), (uint8_t)~VEC_PAGE_CHANGED,
                                memory_order_relaxed);
  }
  pages->root = *root;
  pages->file_bytes = w->at;
  pages->live_bytes = vec_named_bytes(pages, pages->root.length);
  pages->spoilt = false;
  memcpy(pages->name, name, sizeof(pages->name));
  base_mutex_unlock(&pages->lock);
}

quoin_status
vec_pages_checkpoint(vec_pages *pages, const base_dir *dir, const char meta[VEC_META],
                     quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  char name[64];
  hnsw_root root;
  uint64_t named, appended, extents;
  writing w = {.pages = pages, .file = BASE_FILE_NONE, .fresh = !pages->root.generation};
  if (!w.fresh && !anything_changed(pages)) return QUOIN_OK;
  bytes_count(&named, &appended, &extents, pages, w.fresh);
  w.fresh = w.fresh || pages->spoilt || extents > MANY_EXTENTS ||
            pages->file_bytes + appended > 2 * named + (1 << 20);
  w.table = (vec_table){.magic = VEC_TABLE_MAGIC,
                        .format = VEC_FORMAT,
                        .id = pages->id,
                        .generation = pages->root.generation};
  if (w.fresh && pages->tried < pages->root.generation) pages->tried = pages->root.generation;
  if (w.fresh) w.table.generation = ++pages->tried;
  memcpy(w.table.meta, meta, VEC_META);
  if ((st = file_begin(&w, dir, name, err))) goto done;
  for (size_t i = 0; i < VEC_REGIONS; i++)
    if ((st = region_write(&w, i, err))) goto done;
  for (size_t i = 0; i < VEC_REGIONS; i++)
    if ((st = sums_write(&w, i, err))) goto done;
  if ((st = table_write(&root, &w, err)) || (st = base_file_sync(&w.file, err))) goto done;
  adopt(&w, &root, name);

done:
  if (st && !w.fresh) pages->spoilt = true;
  for (size_t i = 0; i < VEC_REGIONS; i++)
    base_release(pages->mem, w.extents[i], w.cap_extents[i], sizeof(vec_extent));
  base_file_close(&w.file);
  if (st && w.created) (void)base_dir_unlink(dir, name, NULL); /* a full disk has its bytes again */
  return st;
}
