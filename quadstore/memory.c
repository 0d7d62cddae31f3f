/* quadstore/memory.c - runs in memory: plain sorted arrays, in one allocation with the run. */
#include "quadstore/run.h"

#include <assert.h>

#include "base/poison.h"

static size_t
section_bytes(size_t entries, unsigned keys, bool tombstones)
{
  size_t blocks = (entries + CODEC_BLOCK - 1) / CODEC_BLOCK;

  return entries * 8 * keys + (tombstones ? (entries + 7) / 8 * 8 + blocks * 8 : 0);
}

quoin_status
quad_memory_init(quad_memory *m, uint32_t orders, const size_t entries[QUAD_PARTS], bool tombstones,
                 const base_alloc *mem, quoin_error *err)
{
  size_t bytes = sizeof *m->run;
  quad_run *run;

  *m = (quad_memory){.room = {entries[0], entries[1]}, .tombstones = tombstones};
  for (unsigned order = 0; order < QUAD_ORDERS; order++) {
    if (!(orders >> order & 1)) continue;
    if (order < QUAD_GSPO) bytes += section_bytes(entries[QUAD_PART_DEFAULT], 3, tombstones);
    bytes += section_bytes(entries[QUAD_PART_NAMED], 4, tombstones);
  }
  if (!(run = base_new(mem, 1, bytes))) return base_fail_nomem(err);
  memset(run, 0, sizeof *run);
  atomic_init(&run->refs, 1);
  run->mem = mem;
  run->orders = orders;
  run->bytes = bytes;
  run->file = BASE_FILE_NONE;
  m->run = run;
  m->next = (char *)(run + 1);
  return QUOIN_OK;
}

static void *
cut(quad_memory *m, size_t bytes)
{
  void *at = m->next;

  m->next += bytes;
  assert(m->next <= (char *)m->run + m->run->bytes);
  return at;
}

quad_section *
quad_memory_begin(quad_memory *m, unsigned part, unsigned order)
{
  quad_section *sec = &m->run->section[part][order];
  size_t room = m->room[part];

  sec->run = m->run;
  sec->keys = part == QUAD_PART_DEFAULT ? 3 : 4;
  for (unsigned i = 0; i < sec->keys; i++)
    sec->col[i] = cut(m, 8 * room);
  if (m->tombstones) {
    sec->before = cut(m, (room + CODEC_BLOCK - 1) / CODEC_BLOCK * 8);
    sec->dead = cut(m, (room + 7) / 8 * 8);
  }
  return sec;
}

void
quad_memory_end(quad_section *sec)
{
  int64_t net = 0;

  sec->blocks = (sec->entries + CODEC_BLOCK - 1) / CODEC_BLOCK;
  for (uint64_t i = 0; sec->dead && i < sec->entries; i++) {
    if (i % CODEC_BLOCK == 0) sec->before[i / CODEC_BLOCK] = net;
    net += sec->dead[i] ? -1 : 1;
    sec->tombstones += sec->dead[i];
  }
  if (!sec->tombstones) {
    sec->dead = NULL;
    sec->before = NULL;
  }
}

quad_run *
quad_memory_finish(quad_memory *m, quad_predicate_count *counts, size_t n)
{
  quad_run *run = m->run;

  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    run->entries += run->section[part][QUAD_SPO].entries;
    run->tombstones += run->section[part][QUAD_SPO].tombstones;
  }
  run->predicates = counts;
  run->n_predicates = n;
  m->run = NULL;
  return run;
}

void
quad_memory_clear(quad_memory *m)
{
  quad_run_release(m->run);
  m->run = NULL;
}
