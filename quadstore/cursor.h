/* quadstore/cursor.h - walking one section block by block.
 *
 * A plain struct on the caller's memory. Groups of a block are decoded when asked for
 * (quad_cursor_need), into a buffer that is reused and made for the first block: a section in which
 * nothing is found costs none. The block loaded last stays, so that a seek near it touches no
 * index. */
#ifndef QUOIN_QUADSTORE_CURSOR_H
#define QUOIN_QUADSTORE_CURSOR_H

#include "quadstore/run.h"

typedef struct quad_cursor {
  const quad_section *sec;
  const base_alloc *mem;
  uint64_t block; /* loaded; UINT64_MAX: none */
  uint64_t aim;   /* where quad_cursor_find looks next, when `aimed` */
  uint32_t rows;
  bool aimed;
  quad_index_entry entry;
  const uint64_t *col[4]; /* rows of the block, valid where decoded */
  const uint8_t *dead;    /* a byte a row; NULL: no tombstones in the block */
  uint8_t have[4];        /* bit g: group g is decoded */
  uint32_t singles;       /* values of the block that were read one by one */
  codec_view view;
  uint64_t *buf; /* 4 columns of a block, then the tombstone bytes; of sections in files */
} quad_cursor;

enum { QUAD_CURSOR_BUF = 4 * CODEC_BLOCK * 8 + CODEC_BLOCK };

void quad_cursor_open(quad_cursor *c, const quad_section *sec, const base_alloc *mem);
void quad_cursor_close(quad_cursor *c); /* a zeroed one is fine */

quoin_status quad_cursor_load(quad_cursor *c, uint64_t block, quoin_error *err);
/* Decode the columns of `mask` for rows [from, to). */
void quad_cursor_decode(quad_cursor *c, unsigned mask, uint32_t from, uint32_t to);

static inline void
quad_cursor_need(quad_cursor *c, unsigned mask, uint32_t from, uint32_t to)
{
  if (c->sec->run->disk && from < to) quad_cursor_decode(c, mask, from, to);
}

/* First row of the loaded block whose first n keys are >= key (after: > key); rows if none. */
uint32_t quad_cursor_search(quad_cursor *c, const uint64_t *key, unsigned n, bool after);

/* The same from row `start` on: fast when the answer is near. */
uint32_t quad_cursor_search_from(quad_cursor *c, uint32_t start, const uint64_t *key, unsigned n,
                                 bool after);

/* Load the block of the first entry whose first n keys are >= key (after: > key), anywhere in the
 * section, and give its row; DONE when there is none. n 0: the first entry (after: none). */
quoin_status quad_cursor_seek(uint32_t *row, quad_cursor *c, const uint64_t *key, unsigned n,
                              bool after, quoin_error *err);

/* Begin to fetch what quad_cursor_find with the same key, the next call, will read: asked of
 * several cursors in turn, they wait together. */
void quad_cursor_aim(quad_cursor *c, const uint64_t *key, unsigned n);

/* Begin to fetch what quad_cursor_find with this key will read, some calls from now. */
void quad_cursor_ask(const quad_cursor *c, const uint64_t *key, unsigned n);

/* The entries whose first n keys are `key`: load the block of the first of them, and give which
 * rows they are there; when those end the block, more may follow in the next. DONE when there are
 * none; the cursor is then anywhere. */
quoin_status quad_cursor_find(uint32_t *from, uint32_t *to, quad_cursor *c, const uint64_t *key,
                              unsigned n, quoin_error *err);

/* Net count of the entries before `row` of the loaded block. */
int64_t quad_cursor_rank(const quad_cursor *c, uint32_t row);

#endif /* QUOIN_QUADSTORE_CURSOR_H */
