/* quadstore/run.h - runs: sorted sections of one partition in one order, in memory or in a file.
 *
 * A run never changes once it is made; it is shared by counting references. Entry i of a section
 * is a quad in key order and whether it is a tombstone. Both kinds of section are cut into blocks
 * of 1,024 entries, so that the cursor (cursor.h) reads them alike. */
#ifndef QUOIN_QUADSTORE_RUN_H
#define QUOIN_QUADSTORE_RUN_H

#include "quadstore/codec.h"
#include "quadstore/quadstore.h"

#include <stdatomic.h>

enum { QUAD_PART_DEFAULT = 0, QUAD_PART_NAMED = 1, QUAD_PARTS = 2 };

typedef struct quad_run quad_run;
typedef struct quad_filter quad_filter;
typedef struct quad_samples quad_samples;
typedef struct quad_filters quad_filters;

typedef struct quad_section {
  const quad_run *run;
  unsigned keys; /* 3 in the default partition, 4 in the named one */
  uint64_t entries, tombstones;
  uint64_t blocks;
  /* in memory */
  uint64_t *col[4];
  uint8_t *dead;   /* a byte an entry; NULL: no tombstones */
  int64_t *before; /* net count of the blocks before each */
  /* in a file */
  uint64_t blocks_at, blocks_len, pages_at, pages, tops_at, tops_hash;
  _Atomic uint64_t *seen_blocks, *seen_pages; /* bit sets: checksum found right */
  _Atomic uint32_t seen_tops;
  _Atomic uint32_t seeks; /* until `lasts` is made */
  _Atomic(uint64_t *) lasts;
  /* of both: see filter.h */
  _Atomic uint64_t misses;
  _Atomic(struct quad_filter *) filter;
  _Atomic(struct quad_samples *) samples; /* see sample.h */
} quad_section;

struct quad_run {
  _Atomic uint32_t refs;
  const base_alloc *mem;
  bool disk;
  uint64_t generation; /* of a file */
  uint32_t orders;
  quad_section section[QUAD_PARTS][QUAD_ORDERS];
  quad_predicate_count *predicates; /* net, sorted by id; as uint64_t they wrap below zero */
  size_t n_predicates;
  uint64_t entries, tombstones; /* in SPO of both partitions */
  size_t bytes;                 /* of the file, or of memory: of its one allocation */
  quad_filters *filters;        /* of the store, once it is in a version of it; or NULL */
  base_file file;
  base_map map;
  uint64_t footer_hash; /* names the content in the manifest */
};

quad_run *quad_run_retain(quad_run *run);
void quad_run_release(quad_run *run); /* NULL is fine */

/* The entry of one block in the index. */
typedef struct quad_index_entry {
  uint64_t first[4], last[4], min[4], max[4];
  uint64_t at;
  uint32_t length, rows, tombstones;
  int64_t before; /* net count of the blocks before it */
} quad_index_entry;

/* u64 words of an index entry, entries of an index page, bytes of a whole page. */
static inline size_t
quad_entry_words(unsigned keys)
{
  return 4 * (size_t)keys + 4;
}

static inline size_t
quad_page_entries(unsigned keys)
{
  return 4088 / (8 * quad_entry_words(keys));
}

static inline size_t
quad_page_bytes(unsigned keys)
{
  return quad_page_entries(keys) * 8 * quad_entry_words(keys) + 8;
}

/* Compare the first n keys. */
static inline int
quad_key_compare(const uint64_t *a, const uint64_t *b, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

/* ---- files -------------------------------------------------------------------------------- */

enum { QUAD_RUN_HEADER = 128, QUAD_RUN_FORMAT = 2, QUAD_SECTION_WORDS = 10 };

/* Open and map the run file `name`. Checks header and footer; blocks and index pages are verified
 * at first touch. */
quoin_status quad_run_open(quad_run **out, const base_dir *dir, const char *name,
                           uint64_t generation, const base_alloc *mem, quoin_error *err);
/* A pointer to the words of index page `page`, verified. */
quoin_status quad_run_page(const uint8_t **out, const quad_section *sec, uint64_t page,
                           quoin_error *err);
/* The last keys of the index pages, verified. */
quoin_status quad_run_tops(const uint8_t **out, const quad_section *sec, quoin_error *err);
/* The last keys of all blocks, a column of `blocks` words for each key, then their offsets: what
 * searching the pages gives with fewer misses. Made once a section is sought often, so that the
 * first answer of an opened store waits for nothing; NULL before, and where there is no memory. */
const uint64_t *quad_run_lasts(const quad_section *sec);
/* Parse block `entry`; its checksum is verified once a run. */
quoin_status quad_run_block(codec_view *out, const quad_section *sec, uint64_t block,
                            const quad_index_entry *entry, quoin_error *err);
void quad_index_entry_read(quad_index_entry *out, const uint8_t *words, unsigned keys);

/* ---- sinks: what sorted entries are written to ---------------------------------------------- */

/* One section at a time, partitions and orders ascending; entries ascending and distinct. */
typedef struct quad_sink {
  quoin_status (*begin)(struct quad_sink *self, unsigned part, unsigned order, quoin_error *err);
  /* dead: a byte a row or NULL (all zero where the sink was made for no tombstones). Columns by
   * key position. */
  quoin_status (*add)(struct quad_sink *self, const uint64_t *const *cols, const uint8_t *dead,
                      size_t rows, quoin_error *err);
  quoin_status (*end)(struct quad_sink *self, quoin_error *err);
  uint32_t orders;
} quad_sink;

/* Net counts by predicate, gathered from the first section of each partition. */
typedef struct quad_tally {
  const base_alloc *mem;
  quad_predicate_count *slot;
  size_t slots, used;
  int column; /* which key is the predicate; -1: this section is not counted */
  unsigned part;
  bool counted[QUAD_PARTS];
} quad_tally;
void quad_tally_begin(quad_tally *t, unsigned part, unsigned order);
quoin_status quad_tally_add(quad_tally *t, const uint64_t *const *cols, const uint8_t *dead,
                            size_t rows, quoin_error *err);
/* Sorted, without zeroes; the caller's to release (n elements). */
quoin_status quad_tally_finish(quad_predicate_count **out, size_t *n, quad_tally *t,
                               quoin_error *err);
void quad_tally_clear(quad_tally *t);
/* The same from counts: partition `part` needs no more gathering. Each predicate once. */
void quad_tally_counted(quad_tally *t, unsigned part);
quoin_status quad_tally_count(quad_tally *t, unsigned part, uint64_t predicate, uint64_t n,
                              quoin_error *err);

/* Writes a run file. */
typedef struct quad_writer quad_writer;
quoin_status quad_writer_open(quad_writer **out, const base_dir *dir, const char *name,
                              uint64_t generation, uint32_t orders, const base_alloc *mem,
                              quoin_error *err);
quad_sink *quad_writer_sink(quad_writer *w);
quad_tally *quad_writer_tally(quad_writer *w);
uint64_t quad_writer_bytes(const quad_writer *w); /* written or about to be */
uint64_t quad_writer_generation(const quad_writer *w);

/* Blocks of one section, encoded by any thread. */
typedef struct quad_blocks {
  unsigned keys;
  base_buffer bytes, index; /* offsets and counts in the index are from the first block on */
  uint64_t blocks, rows, tombstones;
} quad_blocks;
void quad_blocks_init(quad_blocks *b, const base_alloc *mem);
void quad_blocks_clear(quad_blocks *b);
void quad_blocks_start(quad_blocks *b, unsigned keys); /* empty, keeps memory */
/* Rows 1..1024, as codec_encode has them: one block. */
quoin_status quad_blocks_add(quad_blocks *b, const uint64_t *const *cols, const uint8_t *dead,
                             uint32_t rows, quoin_error *err);
/* Between begin and end of the sink, instead of add: write these blocks, the next. */
quoin_status quad_writer_append(quad_writer *w, const quad_blocks *b, quoin_error *err);
/* Footer and header; synced when asked. The writer is freed whatever happens. */
quoin_status quad_writer_finish(quad_writer *w, bool sync, quoin_error *err);
/* Closes and unlinks. NULL is fine. */
void quad_writer_abort(quad_writer *w);

/* A run in memory that is being made. */
typedef struct quad_memory {
  quad_run *run;
  size_t room[QUAD_PARTS];
  bool tombstones;
  char *next; /* free part of its allocation */
} quad_memory;
/* `entries` bounds those of each partition. */
quoin_status quad_memory_init(quad_memory *m, uint32_t orders, const size_t entries[QUAD_PARTS],
                              bool tombstones, const base_alloc *mem, quoin_error *err);
/* The next section, empty, with room for all entries of its partition in its columns and, where
 * tombstones were asked for, `dead`. The caller fills them and sets `entries`. */
quad_section *quad_memory_begin(quad_memory *m, unsigned part, unsigned order);
void quad_memory_end(quad_section *sec);
/* The run; its net counts by predicate (n elements) are taken over. */
quad_run *quad_memory_finish(quad_memory *m, quad_predicate_count *counts, size_t n);
void quad_memory_clear(quad_memory *m); /* what is not finished; a finished one is fine */

#endif /* QUOIN_QUADSTORE_RUN_H */
