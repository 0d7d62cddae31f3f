/* base/disk_memory.c - see disk_memory.h.
 *
 * The file is handed out in blocks of a power of two; those given back wait in a list for each
 * size, linked through their first bytes. */
#include "base/disk_memory.h"

#include "base/error.h"

#include <assert.h>
#include <string.h>

#include "base/poison.h"

/* Smaller blocks stay in memory. What the file can grow to: addresses cost nothing. */
enum { LEAST_BITS = 14 };
static const size_t RESERVED = (size_t)1 << 38;

/* ---- blocks of the file -----------------------------------------------------------------------
 */

static bool
is_on_disk(const base_disk_memory *memory, const void *ptr)
{
  if (!memory->open) return false;
  uintptr_t base = (uintptr_t)base_map_at(&memory->map, 0), at = (uintptr_t)ptr;
  return at >= base && at - base < RESERVED;
}

static bool
goes_to_disk(const base_disk_memory *memory, size_t size)
{
  const base_disk_memory_rules *r = &memory->rules;
  return size >= (size_t)1 << LEAST_BITS && !r->has_room(r->user, memory->in_memory, size);
}

static unsigned
class_of(size_t size)
{
  unsigned bits = LEAST_BITS;
  while (bits < BASE_DISK_MEMORY_CLASSES && (size_t)1 << bits < size)
    bits++;
  return bits;
}

static quoin_status
open_file(base_disk_memory *memory, quoin_error *err)
{
  quoin_status st = memory->rules.make_file(&memory->file, memory->rules.user, err);
  if (st) return st;
  st = base_map_open(&memory->map, &memory->file, RESERVED, true, memory->rules.mem, err);
  if (st) base_file_close(&memory->file);
  memory->open = !st;
  return st;
}

static void *
take(base_disk_memory *memory, size_t size)
{
  quoin_error *err = &memory->failure;
  unsigned class_ = class_of(size);
  if (class_ >= BASE_DISK_MEMORY_CLASSES) return NULL;
  char *block = memory->waiting[class_];
  if (block) {
    memcpy(&memory->waiting[class_], block, sizeof(char *));
    return block;
  }
  size_t end = memory->used + ((size_t)1 << class_);
  if (end > RESERVED) return NULL;
  if (!memory->open && open_file(memory, err)) return NULL;
  if (base_map_grow(&memory->map, &memory->file, end, err)) return NULL;
  block = base_map_at(&memory->map, memory->used);
  memory->used = end;
  return block;
}

static void
give(base_disk_memory *memory, char *block, size_t size)
{
  unsigned class_ = class_of(size);
  memcpy(block, &memory->waiting[class_], sizeof(char *));
  memory->waiting[class_] = block;
}

/* ---- the allocator ----------------------------------------------------------------------------
 */

static void
count(base_disk_memory *memory, size_t old_size, size_t size)
{
  memory->in_memory = memory->in_memory - old_size + size;
  if (memory->rules.charge)
    memory->rules.charge(memory->rules.user, (int64_t)size - (int64_t)old_size);
}

static void *
allocate(void *user, size_t size)
{
  base_disk_memory *memory = user;
  if (goes_to_disk(memory, size)) return take(memory, size);
  void *block = base_new(memory->rules.mem, size, 1);
  if (block) count(memory, 0, size);
  return block;
}

static void
release(void *user, void *ptr, size_t size)
{
  base_disk_memory *memory = user;
  if (!ptr) return;
  if (is_on_disk(memory, ptr)) {
    give(memory, ptr, size);
  } else {
    base_release(memory->rules.mem, ptr, size, 1);
    count(memory, size, 0);
  }
}

static void *
resize(void *user, void *ptr, size_t old_size, size_t size)
{
  base_disk_memory *memory = user;
  if (!ptr) return allocate(user, size);
  bool on_disk = is_on_disk(memory, ptr);
  if (on_disk && size >= (size_t)1 << LEAST_BITS && class_of(size) == class_of(old_size))
    return ptr;
  if (!on_disk && (size <= old_size || !goes_to_disk(memory, size))) {
    void *grown = base_resize(memory->rules.mem, ptr, old_size, size, 1);
    if (grown) count(memory, old_size, size);
    return grown;
  }
  void *moved = on_disk ? take(memory, size) : allocate(user, size);
  if (!moved) return NULL;
  memcpy(moved, ptr, old_size < size ? old_size : size);
  release(user, ptr, old_size);
  return moved;
}

/* ---- the door ---------------------------------------------------------------------------------
 */

void
base_disk_memory_init(base_disk_memory *memory, const base_disk_memory_rules *rules)
{
  *memory = (base_disk_memory){.rules = *rules, .file = BASE_FILE_NONE};
  memory->alloc = (base_alloc){allocate, resize, release, memory};
  memory->failure = (quoin_error)QUOIN_ERROR_INIT;
}

void
base_disk_memory_clear(base_disk_memory *memory)
{
  if (!memory->open) return;
  base_map_close(&memory->map);
  base_file_close(&memory->file);
  memory->open = false;
}

quoin_status
base_disk_memory_failure(const base_disk_memory *memory, quoin_status st, quoin_error *err)
{
  if (st != QUOIN_ERR_NOMEM || !memory->failure.status) return st;
  if (err) *err = memory->failure;
  return memory->failure.status;
}
