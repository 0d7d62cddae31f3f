/* base/arena.c - blocks in a list, newest first; a bump pointer in the newest.
 *
 * A mark is a block and a place in it: what is newer is freed by a rewind, so a block is always put
 * at the front, also one for a single large request. Under AddressSanitizer each allocation starts
 * at a multiple of 8 and is followed by 8 poisoned bytes. */
#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifndef ARENA_ASAN
#define ARENA_ASAN 0
#endif

#if ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#include "base/poison.h"

enum { ARENA_ALIGN = 16, ARENA_FIRST = 4096, ARENA_LARGEST = 1 << 20 };

struct base_arena_block {
  base_arena_block *older;
  size_t size; /* with this head */
};

static_assert(sizeof(base_arena_block) == ARENA_ALIGN, "what follows the head is aligned");

void
base_arena_init(base_arena *arena, const base_alloc *mem)
{
  *arena = (base_arena){.mem = mem};
}

static void
block_release(base_arena *arena, base_arena_block *block)
{
  arena->used -= block->size;
  ASAN_UNPOISON_MEMORY_REGION(block, block->size);
  base_release(arena->mem, block, block->size, 1);
}

void
base_arena_clear(base_arena *arena)
{
  while (arena->block) {
    base_arena_block *older = arena->block->older;
    block_release(arena, arena->block);
    arena->block = older;
  }
  arena->next = arena->end = NULL;
  arena->used = 0;
}

static void
use_from(base_arena *arena, char *next)
{
  arena->next = next;
  arena->end = (char *)arena->block + arena->block->size;
  ASAN_POISON_MEMORY_REGION(next, (size_t)(arena->end - next));
}

void
base_arena_reset(base_arena *arena)
{
  base_arena_block *kept = NULL;
  while (arena->block) {
    base_arena_block *block = arena->block;
    arena->block = block->older;
    if (!kept || block->size > kept->size) {
      if (kept) block_release(arena, kept);
      kept = block;
    } else {
      block_release(arena, block);
    }
  }
  arena->next = arena->end = NULL;
  if (!kept) return;
  kept->older = NULL;
  arena->block = kept;
  use_from(arena, (char *)kept + sizeof(*kept));
}

static bool
block_add(base_arena *arena, size_t need)
{
  size_t size = ARENA_FIRST;
  if (arena->block)
    size = arena->block->size < ARENA_LARGEST ? arena->block->size * 2 : ARENA_LARGEST;
  if (size > ARENA_LARGEST) size = ARENA_LARGEST;
  size_t whole;
  if (!base_add_size(&whole, need, sizeof(base_arena_block) + ARENA_ALIGN)) return false;
  if (whole > size) size = whole;
  base_arena_block *block = base_new(arena->mem, size, 1);
  if (!block) return false;
  *block = (base_arena_block){.older = arena->block, .size = size};
  arena->block = block;
  arena->used += size;
  use_from(arena, (char *)block + sizeof(*block));
  return true;
}

static char *
take(base_arena *arena, size_t bytes, size_t align)
{
  if (ARENA_ASAN && align < 8) align = 8;
  size_t pad = (size_t)(-(uintptr_t)arena->next & (align - 1));
  size_t whole;
  if (!base_add_size(&whole, bytes, ARENA_ASAN ? 8 : 0) || whole > PTRDIFF_MAX - 64) return NULL;
  size_t left = (size_t)(arena->end - arena->next);
  if (!arena->next || left < pad || left - pad < whole) {
    if (!block_add(arena, whole)) return NULL;
    pad = (size_t)(-(uintptr_t)arena->next & (align - 1));
  }
  char *at = arena->next + pad;
  arena->next = at + whole;
  ASAN_UNPOISON_MEMORY_REGION(at, bytes);
  return at;
}

void *
base_arena_new(base_arena *arena, size_t n, size_t size)
{
  size_t bytes;
  if (!base_mul_size(&bytes, n, size)) return NULL;
  return take(arena, bytes, ARENA_ALIGN);
}

void *
base_arena_new_zero(base_arena *arena, size_t n, size_t size)
{
  void *at = base_arena_new(arena, n, size);
  if (at) memset(at, 0, n * size);
  return at;
}

char *
base_arena_bytes(base_arena *arena, size_t n)
{
  return take(arena, n, 1);
}

void
base_arena_trim(base_arena *arena, char *at, size_t used)
{
  size_t kept = ARENA_ASAN ? (used + 15) & ~(size_t)7 : used; /* with the redzone: see take */
  assert(at >= (char *)arena->block && kept <= (size_t)(arena->next - at));
  use_from(arena, at + kept);
}

quoin_span
base_arena_copy(base_arena *arena, quoin_span text)
{
  size_t bytes;
  char *at = base_add_size(&bytes, text.len, 1) ? take(arena, bytes, 1) : NULL;
  if (!at) return (quoin_span){NULL, 0};
  if (text.len) memcpy(at, text.ptr, text.len);
  at[text.len] = '\0';
  return (quoin_span){at, text.len};
}

quoin_span
base_arena_printf(base_arena *arena, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  int len = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (len < 0) return (quoin_span){NULL, 0};
  char *at = take(arena, (size_t)len + 1, 1);
  if (!at) return (quoin_span){NULL, 0};
  va_start(args, fmt);
  (void)vsnprintf(at, (size_t)len + 1, fmt, args);
  va_end(args);
  return (quoin_span){at, (size_t)len};
}

base_arena_mark
base_arena_here(const base_arena *arena)
{
  return (base_arena_mark){arena->block, arena->next};
}

void
base_arena_rewind(base_arena *arena, base_arena_mark mark)
{
  if (!mark.block) { /* taken when empty: keep a block, for a loop that comes back here */
    base_arena_reset(arena);
    return;
  }
  while (arena->block != mark.block) {
    base_arena_block *older = arena->block->older;
    block_release(arena, arena->block);
    arena->block = older;
    assert(older); /* the mark is not of this arena, or older than its last reset */
  }
  use_from(arena, mark.next);
}
