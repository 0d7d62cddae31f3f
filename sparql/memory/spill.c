/* sparql/memory/spill.c - see spill.h. */
#include "sparql/memory/spill.h"

#include <assert.h>
#include <stdlib.h>

#include "base/poison.h"

enum { BLOCK_LEAST = 4096, BLOCK_MOST = 64 * 1024, BLOCKS_OF_BUDGET = 256 };

struct sparql_spill {
  base_file file;
  size_t block;      /* bytes */
  uint32_t n_blocks; /* the file is so long */
  uint32_t *unused;  /* blocks to be written again */
  size_t n_unused, cap_unused;
};

/* ---- the file -------------------------------------------------------------------------------- */

static size_t
block_size(const sparql_context *ctx)
{
  size_t block = BLOCK_LEAST;
  while (block < BLOCK_MOST && block < ctx->memory_limit / BLOCKS_OF_BUDGET)
    block *= 2;
  return block;
}

/* Where the environment says, and nowhere else; or in the usual places. */
quoin_status
spill_temp_file(base_file *out, quoin_error *err)
{
  static const char *const usual[] = {"/var/tmp", "/tmp"};
  const char *set = getenv("TMPDIR");
  if (set && *set) return base_file_temp(out, set, err);
  if (!base_file_temp(out, usual[0], err)) return QUOIN_OK;
  base_error_clear(err);
  return base_file_temp(out, usual[1], err);
}

static quoin_status
make_file(sparql_context *ctx, quoin_error *err)
{
  if (ctx->spill) return QUOIN_OK;
  sparql_spill *spill = base_new_zero(ctx->mem, 1, sizeof(*spill));
  if (!spill) return base_fail_nomem(err);
  spill->block = block_size(ctx);
  quoin_status st = spill_temp_file(&spill->file, err);
  if (st) {
    base_release(ctx->mem, spill, 1, sizeof(*spill));
    return st;
  }
  ctx->spill = spill;
  return QUOIN_OK;
}

void
spill_free(sparql_context *ctx)
{
  sparql_spill *spill = ctx->spill;
  if (!spill) return;
  base_file_close(&spill->file);
  base_release(ctx->mem, spill->unused, spill->cap_unused, sizeof(*spill->unused));
  base_release(ctx->mem, spill, 1, sizeof(*spill));
  ctx->spill = NULL;
}

/* Never fails: a block that cannot be remembered stays unused. */
static void
give_block(sparql_context *ctx, uint32_t block)
{
  sparql_spill *spill = ctx->spill;
  void *unused = spill->unused;
  if (!base_reserve(ctx->mem, &unused, &spill->cap_unused, spill->n_unused + 1,
                    sizeof(*spill->unused)))
    return;
  spill->unused = unused;
  spill->unused[spill->n_unused++] = block;
}

static quoin_status
buffer_new(char **out, sparql_context *ctx, quoin_error *err)
{
  size_t block = ctx->spill->block;
  quoin_status st = sparql_charge(ctx, (int64_t)block, err);
  if (!st && (*out = base_new(ctx->mem, block, 1))) return QUOIN_OK;
  (void)sparql_charge(ctx, -(int64_t)block, NULL);
  return st ? st : base_fail_nomem(err);
}

static void
buffer_free(char **buffer, sparql_context *ctx)
{
  if (!*buffer) return;
  base_release(ctx->mem, *buffer, ctx->spill->block, 1);
  (void)sparql_charge(ctx, -(int64_t)ctx->spill->block, NULL);
  *buffer = NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

static quoin_status
write_block(spill_stream *stream, sparql_context *ctx, quoin_error *err)
{
  sparql_spill *spill = ctx->spill;
  void *blocks = stream->blocks;
  quoin_status st = base_cancel_check(&ctx->cancel, err);
  if (st) return st;
  if (!base_reserve(ctx->mem, &blocks, &stream->cap_blocks, stream->n_blocks + 1,
                    sizeof(*stream->blocks)))
    return base_fail_nomem(err);
  stream->blocks = blocks;
  if (!spill->n_unused && spill->n_blocks == UINT32_MAX)
    return base_fail(err, QUOIN_ERR_LIMIT, "the temporary file of the query is full");
  uint32_t block = spill->n_unused ? spill->unused[spill->n_unused - 1] : spill->n_blocks;
  st = base_file_write(&spill->file, stream->buffer, stream->fill, (uint64_t)block * spill->block,
                       err);
  if (st) return st;
  if (spill->n_unused)
    spill->n_unused--;
  else
    spill->n_blocks++;
  stream->blocks[stream->n_blocks++] = block;
  stream->fill = 0;
  return QUOIN_OK;
}

quoin_status
spill_put(spill_stream *stream, sparql_context *ctx, const void *data, size_t len, quoin_error *err)
{
  quoin_status st;
  const char *from = data;
  if (!stream->buffer) {
    if ((st = make_file(ctx, err)) || (st = buffer_new(&stream->buffer, ctx, err))) return st;
    stream->fill = 0;
  }
  stream->bytes += len;
  while (len) {
    size_t room = ctx->spill->block - stream->fill, n = len < room ? len : room;
    memcpy(stream->buffer + stream->fill, from, n);
    stream->fill += n;
    from += n;
    len -= n;
    if (stream->fill == ctx->spill->block && (st = write_block(stream, ctx, err))) return st;
  }
  return QUOIN_OK;
}

quoin_status
spill_finish(spill_stream *stream, sparql_context *ctx, quoin_error *err)
{
  quoin_status st = stream->buffer && stream->fill ? write_block(stream, ctx, err) : QUOIN_OK;
  if (!st) buffer_free(&stream->buffer, ctx);
  return st;
}

void
spill_drop(spill_stream *stream, sparql_context *ctx)
{
  buffer_free(&stream->buffer, ctx);
  for (size_t i = 0; i < stream->n_blocks; i++)
    if (stream->blocks[i] != UINT32_MAX) give_block(ctx, stream->blocks[i]);
  base_release(ctx->mem, stream->blocks, stream->cap_blocks, sizeof(*stream->blocks));
  *stream = (spill_stream){0};
}

/* ---- reading --------------------------------------------------------------------------------- */

quoin_status
spill_open(spill_reader *reader, spill_stream *stream, bool eat, sparql_context *ctx,
           quoin_error *err)
{
  assert(!stream->buffer);
  *reader = (spill_reader){.stream = stream, .eat = eat};
  return stream->bytes ? buffer_new(&reader->buffer, ctx, err) : QUOIN_OK;
}

static quoin_status
read_block(spill_reader *reader, sparql_context *ctx, quoin_error *err)
{
  sparql_spill *spill = ctx->spill;
  spill_stream *stream = reader->stream;
  quoin_status st = base_cancel_check(&ctx->cancel, err);
  if (st) return st;
  assert(reader->block < stream->n_blocks);
  uint32_t block = stream->blocks[reader->block];
  uint64_t left = stream->bytes - (uint64_t)reader->block * spill->block;
  reader->end = left < spill->block ? (size_t)left : spill->block;
  reader->next = 0;
  st = base_file_read(&spill->file, reader->buffer, reader->end, (uint64_t)block * spill->block,
                      err);
  if (st) return st;
  if (reader->eat) {
    stream->blocks[reader->block] = UINT32_MAX;
    give_block(ctx, block);
  }
  reader->block++;
  return QUOIN_OK;
}

quoin_status
spill_get(void *data, spill_reader *reader, sparql_context *ctx, size_t len, quoin_error *err)
{
  char *to = data;
  assert(reader->at + len <= reader->stream->bytes);
  reader->at += len;
  while (len) {
    quoin_status st;
    if (reader->next == reader->end && (st = read_block(reader, ctx, err))) return st;
    size_t have = reader->end - reader->next, n = len < have ? len : have;
    memcpy(to, reader->buffer + reader->next, n);
    reader->next += n;
    to += n;
    len -= n;
  }
  return QUOIN_OK;
}

void
spill_close(spill_reader *reader, sparql_context *ctx)
{
  buffer_free(&reader->buffer, ctx);
  *reader = (spill_reader){0};
}

quoin_status
spill_get_rows(size_t *n, atom_id *const *to, size_t width, spill_reader *reader,
               sparql_context *ctx, quoin_error *err)
{
  uint64_t left = width ? (reader->stream->bytes - reader->at) / (width * sizeof(atom_id)) : 0;
  *n = left < SPARQL_BATCH ? (size_t)left : SPARQL_BATCH;
  for (size_t i = 0; i < *n; i++)
    for (size_t c = 0; c < width; c++) {
      /* an id never lies across two blocks: their size is a multiple of its */
      quoin_status st;
      if (reader->next == reader->end && (st = read_block(reader, ctx, err))) return st;
      memcpy(&to[c][i], reader->buffer + reader->next, sizeof(atom_id));
      reader->next += sizeof(atom_id);
    }
  reader->at += *n * width * sizeof(atom_id);
  return QUOIN_OK;
}

/* ---- partitions ------------------------------------------------------------------------------ */

void
spill_part_of(uint8_t *part, const atom_id *const *keys, size_t width, size_t n, unsigned depth)
{
  uint64_t h[SPARQL_BATCH];
  assert(n <= SPARQL_BATCH);
  /* not the hash of sparql_id_table: there the tuples of one part must not lie together */
  for (size_t i = 0; i < n; i++)
    h[i] = base_mix(UINT64_C(0x5851f42d4c957f2d) + depth);
  for (size_t k = 0; k < width; k++)
    for (size_t i = 0; i < n; i++)
      h[i] = base_mix(h[i] ^ (keys[k] ? keys[k][i].bits : 0));
  for (size_t i = 0; i < n; i++)
    part[i] = (uint8_t)(h[i] % SPILL_FANOUT);
}

quoin_status
spill_parts_put(spill_parts *parts, unsigned part, const atom_id *row, size_t width,
                sparql_context *ctx, quoin_error *err)
{
  parts->is_open = true;
  parts->open[part].stream.rows++;
  return spill_put(&parts->open[part].stream, ctx, row, width * sizeof(*row), err);
}

quoin_status
spill_parts_end(spill_parts *parts, unsigned depth, sparql_context *ctx, quoin_error *err)
{
  void *waiting = parts->waiting;
  if (!parts->is_open) return QUOIN_OK;
  if (!base_reserve(ctx->mem, &waiting, &parts->cap_waiting, parts->n_waiting + SPILL_FANOUT,
                    sizeof(*parts->waiting)))
    return base_fail_nomem(err);
  parts->waiting = waiting;
  for (unsigned p = SPILL_FANOUT; p-- > 0;) {
    spill_part *part = &parts->open[p];
    if (!part->stream.rows) continue;
    quoin_status st = spill_finish(&part->stream, ctx, err);
    if (st) return st;
    part->depth = depth;
    parts->waiting[parts->n_waiting++] = *part;
    *part = (spill_part){0};
  }
  parts->is_open = false;
  return QUOIN_OK;
}

bool
spill_parts_take(spill_part *out, spill_parts *parts)
{
  if (!parts->n_waiting) return false;
  *out = parts->waiting[--parts->n_waiting];
  return true;
}

void
spill_parts_clear(spill_parts *parts, sparql_context *ctx)
{
  for (unsigned p = 0; p < SPILL_FANOUT; p++)
    spill_drop(&parts->open[p].stream, ctx);
  for (size_t i = 0; i < parts->n_waiting; i++)
    spill_drop(&parts->waiting[i].stream, ctx);
  base_release(ctx->mem, parts->waiting, parts->cap_waiting, sizeof(*parts->waiting));
  *parts = (spill_parts){0};
}
