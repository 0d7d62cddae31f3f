/* quadstore/merge.h - many sections as one sorted stream.
 *
 * Entries are net: of one quad they alternate by age, so those of all sources add up to +1, 0 or
 * -1. Sources are kept in a list sorted by their head; a stretch of the first that lies before the
 * head of the second is copied as a whole, found by galloping. With one source left and no
 * tombstones, batches point straight at the decoded block. */
#ifndef QUOIN_QUADSTORE_MERGE_H
#define QUOIN_QUADSTORE_MERGE_H

#include "quadstore/cursor.h"

typedef struct quad_source {
  quad_cursor cur;
  int8_t map[4]; /* key of the stream -> key of the section; -1: the constant 0 (graph) */
  uint32_t at, end;
  bool ready;  /* keys of [at, end) are decoded */
  bool absent; /* its filter says that the keys of this lookup are not there */
  const uint64_t *key[4];
} quad_source;

typedef struct quad_merge {
  const base_alloc *mem;
  unsigned keys;
  bool live;       /* deliver quads that are there; else the net entries with their signs */
  unsigned wanted; /* keys to deliver, bit set */
  quad_source *source;
  quad_source **active; /* sorted by head */
  size_t n_sources, n_active, room;
  uint64_t lo[4], hi[4]; /* bounds of the first n_lo, n_hi keys */
  unsigned n_lo, n_hi;
  unsigned prefix;    /* first keys that are the same in all rows */
  uint64_t filter[4]; /* 0: none */
  bool filtered;
  bool lazy;        /* active[0] is at its end and its buffers were handed out */
  uint32_t same[4]; /* rows of out[] that hold the bound value of key i */
  uint64_t *out;    /* 4 columns of a batch, then the tombstone bytes; NULL until needed */
} quad_merge;

quoin_status quad_merge_init(quad_merge *m, unsigned keys, bool live, size_t sources,
                             const base_alloc *mem, quoin_error *err);
/* map NULL: keys as they are. Empty sections are left out. */
quoin_status quad_merge_add(quad_merge *m, const quad_section *sec, const int8_t *map,
                            quoin_error *err);
void quad_merge_clear(quad_merge *m); /* a zeroed one is fine */

/* Begin at the first entry >= lo, up to the last whose first n_hi keys are <= hi. */
quoin_status quad_merge_start(quad_merge *m, const uint64_t *lo, unsigned n_lo, const uint64_t *hi,
                              unsigned n_hi, quoin_error *err);
/* Begin to fetch what a start with both bounds `key` will read, some starts from now. */
void quad_merge_ask(const quad_merge *m, const uint64_t *key, unsigned n);
/* 1..QUAD_BATCH rows, or DONE. cols[i] is set for wanted keys, *dead (may be NULL where live) to a
 * byte a row or NULL. Valid until the next call. */
quoin_status quad_merge_next(const uint64_t *cols[4], const uint8_t **dead, size_t *rows,
                             quad_merge *m, quoin_error *err);
/* Forward to the first entry >= key. */
quoin_status quad_merge_seek(quad_merge *m, const uint64_t *key, unsigned n, quoin_error *err);

#endif /* QUOIN_QUADSTORE_MERGE_H */
