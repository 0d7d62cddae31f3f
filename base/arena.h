/* base/arena.h - memory that is freed all at once.
 *
 * Blocks double up to 1 MiB; a larger request gets a block of its own. Pointers stay valid until
 * reset or clear. Under AddressSanitizer unused and released parts are poisoned. One thread. */
#ifndef QUOIN_BASE_ARENA_H
#define QUOIN_BASE_ARENA_H

#include "base/alloc.h"

typedef struct base_arena_block base_arena_block;
typedef struct base_arena {
  const base_alloc *mem;
  base_arena_block *block; /* newest first */
  char *next, *end;        /* free part of the newest block */
  size_t used;             /* bytes held in blocks, for memory budgets */
} base_arena;

typedef struct base_arena_mark {
  base_arena_block *block;
  char *next;
} base_arena_mark;

void base_arena_init(base_arena *arena, const base_alloc *mem);
void base_arena_clear(base_arena *arena); /* frees all; usable again */
void base_arena_reset(base_arena *arena); /* forgets all, keeps the largest block */

/* 16-byte aligned, contents undefined; NULL on no memory. */
void *base_arena_new(base_arena *arena, size_t n, size_t size);
void *base_arena_new_zero(base_arena *arena, size_t n, size_t size);
/* Unaligned bytes; NULL on no memory. */
char *base_arena_bytes(base_arena *arena, size_t n);
/* Give back all but the first `used` bytes of what was allocated last, at `at`. */
void base_arena_trim(base_arena *arena, char *at, size_t used);
/* A copy of `text`, terminated by NUL (not counted in len). {NULL,0} on no memory. */
quoin_span base_arena_copy(base_arena *arena, quoin_span text);
/* printf into the arena; {NULL,0} on no memory. */
quoin_span base_arena_printf(base_arena *arena, const char *fmt, ...) QUOIN_PRINTF(2, 3);

/* Forget what was allocated since `mark`. */
base_arena_mark base_arena_here(const base_arena *arena);
void base_arena_rewind(base_arena *arena, base_arena_mark mark);

#endif /* QUOIN_BASE_ARENA_H */
