/* quadstore/memory.c - runs in memory: plain sorted arrays in one allocation. */
#include "quadstore/run.h"

#include <assert.h>

#include "base/poison.h"

struct quad_memory {
  quad_sink sink;
  const base_alloc *mem;
  quad_run *run;
  uint64_t room[QUAD_PARTS];
  bool tombstones;
  bool counted; /* the run has its predicates */
  quad_section *now;
  unsigned now_part;
  char *next, *end; /* free part of run->block */
  quad_tally tally;
};

static size_t
section_bytes(uint64_t entries, unsigned keys, bool tombstones)
{
  size_t blocks = (size_t)((entries + CODEC_BLOCK - 1) / CODEC_BLOCK);
  size_t dead = tombstones ? ((size_t)entries + 7) / 8 * 8 : 0;

  return (size_t)entries * 8 * keys + dead + (tombstones ? blocks * 8 : 0);
}

static void *
cut(quad_memory *m, size_t bytes)
{
  void *at = m->next;

  assert((size_t)(m->end - m->next) >= bytes);
  m->next += bytes;
  return at;
}

quad_section *
quad_memory_begin(quad_memory *m, unsigned part, unsigned order)
{
  quad_section *sec = &m->run->section[part][order];
  size_t room = (size_t)m->room[part];

  m->now = sec;
  m->now_part = part;
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

static quoin_status
memory_begin(quad_sink *self, unsigned part, unsigned order, quoin_error *err)
{
  quad_memory *m = (quad_memory *)self;

  (void)err;
  (void)quad_memory_begin(m, part, order);
  quad_tally_begin(&m->tally, part, order);
  return QUOIN_OK;
}

static quoin_status
memory_add(quad_sink *self, const uint64_t *const *cols, const uint8_t *dead, size_t rows,
           quoin_error *err)
{
  quad_memory *m = (quad_memory *)self;
  quad_section *sec = m->now;
  size_t at = (size_t)sec->entries;

  assert(at + rows <= m->room[m->now_part]);
  for (unsigned i = 0; i < sec->keys; i++)
    memcpy(sec->col[i] + at, cols[i], 8 * rows);
  if (m->tombstones) {
    for (size_t i = 0; i < rows; i++) {
      sec->dead[at + i] = dead ? dead[i] : 0;
      sec->tombstones += sec->dead[at + i];
    }
  }
  sec->entries += rows;
  return quad_tally_add(&m->tally, cols, m->tombstones ? dead : NULL, rows, err);
}

void
quad_memory_end(quad_memory *m)
{
  quad_section *sec = m->now;
  int64_t net = 0;

  assert(sec->entries <= m->room[m->now_part]);
  sec->blocks = (sec->entries + CODEC_BLOCK - 1) / CODEC_BLOCK;
  for (uint64_t i = 0; m->tombstones && i < sec->entries; i++) {
    if (i % CODEC_BLOCK == 0) sec->before[i / CODEC_BLOCK] = net;
    net += sec->dead[i] ? -1 : 1;
  }
  if (!sec->tombstones) {
    sec->dead = NULL;
    sec->before = NULL;
  }
}

static quoin_status
memory_end(quad_sink *self, quoin_error *err)
{
  (void)err;
  quad_memory_end((quad_memory *)self);
  return QUOIN_OK;
}

void
quad_memory_predicates(quad_memory *m, quad_predicate_count *counts, size_t n)
{
  m->run->predicates = counts;
  m->run->n_predicates = n;
  m->counted = true;
}

quoin_status
quad_memory_new(quad_memory **out, uint32_t orders, const uint64_t entries[QUAD_PARTS],
                bool tombstones, const base_alloc *mem, quoin_error *err)
{
  quad_memory *m = base_new_zero(mem, 1, sizeof *m);
  quad_run *run = base_new_zero(mem, 1, sizeof *run);
  size_t bytes = 0;

  *out = NULL;
  if (!m || !run) goto nomem;
  for (unsigned order = 0; order < QUAD_ORDERS; order++) {
    if (!(orders >> order & 1)) continue;
    if (order < QUAD_GSPO) bytes += section_bytes(entries[QUAD_PART_DEFAULT], 3, tombstones);
    bytes += section_bytes(entries[QUAD_PART_NAMED], 4, tombstones);
  }
  run->mem = mem;
  run->orders = orders;
  run->block_size = bytes;
  if (bytes && !(run->block = base_new(mem, 1, bytes))) goto nomem;
  atomic_init(&run->refs, 1);
  run->file = BASE_FILE_NONE;
  run->bytes = bytes + sizeof *run;
  m->sink = (quad_sink){memory_begin, memory_add, memory_end, orders};
  m->mem = mem;
  m->run = run;
  m->room[0] = entries[0];
  m->room[1] = entries[1];
  m->tombstones = tombstones;
  m->next = run->block;
  m->end = m->next ? m->next + bytes : NULL;
  m->tally.mem = mem;
  *out = m;
  return QUOIN_OK;

nomem:
  base_release(mem, m, 1, sizeof *m);
  base_release(mem, run, 1, sizeof *run);
  return base_fail_nomem(err);
}

quad_sink *
quad_memory_sink(quad_memory *m)
{
  return &m->sink;
}

quoin_status
quad_memory_finish(quad_run **out, quad_memory *m, quoin_error *err)
{
  quad_run *run = m->run;
  quoin_status st = QUOIN_OK;

  *out = NULL;
  if (!m->counted) st = quad_tally_finish(&run->predicates, &run->n_predicates, &m->tally, err);
  if (!st) {
    for (unsigned part = 0; part < QUAD_PARTS; part++) {
      run->entries += run->section[part][QUAD_SPO].entries;
      run->tombstones += run->section[part][QUAD_SPO].tombstones;
    }
    *out = run;
    m->run = NULL;
  }
  quad_memory_free(m);
  return st;
}

void
quad_memory_free(quad_memory *m)
{
  if (!m) return;
  quad_run_release(m->run);
  quad_tally_clear(&m->tally);
  base_release(m->mem, m, 1, sizeof *m);
}
