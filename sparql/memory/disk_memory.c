/* sparql/memory/disk_memory.c - see disk_memory.h. */
#include "sparql/memory/disk_memory.h"

#include "sparql/memory/spill.h"

#include "base/poison.h"

static bool
has_room(void *user, uint64_t held, size_t bytes)
{
  return spill_has_room(user, held, bytes);
}

static void
charge(void *user, int64_t bytes)
{
  sparql_context *ctx = user;
  ctx->memory_used += (uint64_t)bytes;
}

static quoin_status
make_file(base_file *out, void *user, quoin_error *err)
{
  (void)user;
  return spill_temp_file(out, err);
}

quoin_status
disk_memory_new(disk_memory **out, sparql_context *ctx, quoin_error *err)
{
  const base_disk_memory_rules rules = {ctx->mem, has_room, charge, make_file, ctx};
  *out = base_arena_new_zero(&ctx->arena, 1, sizeof(**out));
  if (!*out) return base_fail_nomem(err);
  base_disk_memory_init(*out, &rules);
  return QUOIN_OK;
}

void
disk_memory_free(disk_memory *memory)
{
  if (memory) base_disk_memory_clear(memory);
}

const base_alloc *
disk_memory_alloc(disk_memory *memory)
{
  return &memory->alloc;
}

quoin_status
disk_memory_failure(const disk_memory *memory, quoin_status st, quoin_error *err)
{
  return memory ? base_disk_memory_failure(memory, st, err) : st;
}

uint64_t
disk_memory_file_bytes(const disk_memory *memory)
{
  return memory->used;
}
