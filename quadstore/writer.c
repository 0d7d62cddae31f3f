/* quadstore/writer.c - writes a run file from beginning to end; the header comes last. */
#include "quadstore/run.h"

#include <assert.h>

#include "base/poison.h"

enum { WRITE_STEP = 1 << 20 };

struct quad_writer {
  quad_sink sink;
  const base_alloc *mem;
  const base_dir *dir;
  char name[64];
  uint64_t generation;
  base_file file;
  uint64_t offset;    /* where `out` will go */
  base_buffer out;    /* not yet written */
  quad_blocks blocks; /* of the section, not yet appended */
  base_buffer index;  /* entries of the section's blocks */
  quad_section section[QUAD_PARTS][QUAD_ORDERS];
  quad_section *now;
  int64_t net;
  uint32_t rows; /* gathered for the next block */
  bool any_dead;
  uint64_t col[4][CODEC_BLOCK];
  uint8_t dead[CODEC_BLOCK];
  quad_tally tally;
};

static quoin_status
flush(quad_writer *w, quoin_error *err)
{
  quoin_status st;

  if (w->out.failed) return base_fail_nomem(err);
  if (!w->out.len) return QUOIN_OK;
  if ((st = base_file_write(&w->file, w->out.data, w->out.len, w->offset, err))) return st;
  base_file_writeback(&w->file, w->offset, w->out.len);
  w->offset += w->out.len;
  w->out.len = 0;
  return QUOIN_OK;
}

static uint64_t
position(const quad_writer *w)
{
  return w->offset + w->out.len;
}

static void
add_words(base_buffer *buf, const uint64_t *words, size_t n)
{
  base_buffer_add(buf, words, 8 * n);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

void
quad_blocks_init(quad_blocks *b, const base_alloc *mem)
{
  *b = (quad_blocks){0};
  base_buffer_init(&b->bytes, mem);
  base_buffer_init(&b->index, mem);
}

void
quad_blocks_clear(quad_blocks *b)
{
  base_buffer_clear(&b->bytes);
  base_buffer_clear(&b->index);
}

void
quad_blocks_start(quad_blocks *b, unsigned keys)
{
  b->keys = keys;
  b->bytes.len = b->index.len = 0;
  b->rows = b->tombstones = b->blocks = 0;
}

quoin_status
quad_blocks_add(quad_blocks *b, const uint64_t *const *cols, const uint8_t *dead, uint32_t rows,
                quoin_error *err)
{
  uint64_t first[4], last[4], min[4], max[4], tail[4];
  uint32_t tombstones = 0;
  size_t length;

  if (!base_buffer_reserve(&b->bytes, CODEC_MAX)) return base_fail_nomem(err);
  length = codec_encode((uint8_t *)b->bytes.data + b->bytes.len, cols, b->keys, dead, rows);
  for (unsigned i = 0; i < b->keys; i++) {
    first[i] = min[i] = max[i] = cols[i][0];
    last[i] = cols[i][rows - 1];
    for (uint32_t r = 1; r < rows; r++) {
      min[i] = cols[i][r] < min[i] ? cols[i][r] : min[i];
      max[i] = cols[i][r] > max[i] ? cols[i][r] : max[i];
    }
  }
  for (uint32_t r = 0; dead && r < rows; r++)
    tombstones += dead[r];
  tail[0] = b->bytes.len;
  tail[1] = (uint64_t)length | (uint64_t)rows << 32;
  tail[2] = tombstones;
  tail[3] = b->rows - 2 * b->tombstones;
  add_words(&b->index, first, b->keys);
  add_words(&b->index, last, b->keys);
  add_words(&b->index, min, b->keys);
  add_words(&b->index, max, b->keys);
  add_words(&b->index, tail, 4);
  if (b->index.failed) return base_fail_nomem(err);
  b->bytes.len += length;
  b->rows += rows;
  b->tombstones += tombstones;
  b->blocks++;
  return QUOIN_OK;
}

quoin_status
quad_writer_append(quad_writer *w, const quad_blocks *b, quoin_error *err)
{
  size_t words = quad_entry_words(b->keys), from = w->index.len;
  quoin_status st;

  assert(w->now && w->now->keys == b->keys);
  if ((st = flush(w, err))) return st;
  base_buffer_add(&w->index, b->index.data, b->index.len);
  if (w->index.failed) return base_fail_nomem(err);
  for (; from < w->index.len; from += 8 * words) {
    char *tail = w->index.data + from + 8 * (words - 4);
    uint64_t offset = base_load_u64(tail) + w->offset;
    uint64_t net = base_load_u64(tail + 24) + (uint64_t)w->net;
    memcpy(tail, &offset, 8);
    memcpy(tail + 24, &net, 8);
  }
  if ((st = base_file_write(&w->file, b->bytes.data, b->bytes.len, w->offset, err))) return st;
  base_file_writeback(&w->file, w->offset, b->bytes.len);
  w->offset += b->bytes.len;
  w->now->blocks += b->blocks;
  w->now->entries += b->rows;
  w->now->tombstones += b->tombstones;
  w->net += (int64_t)(b->rows - 2 * b->tombstones);
  return QUOIN_OK;
}

/* ---- the sink -------------------------------------------------------------------------------- */

static quoin_status
flush_blocks(quad_writer *w, quoin_error *err)
{
  quoin_status st;

  if (!w->blocks.blocks) return QUOIN_OK;
  st = quad_writer_append(w, &w->blocks, err);
  quad_blocks_start(&w->blocks, w->blocks.keys);
  return st;
}

/* Encode the gathered rows. */
static quoin_status
write_block(quad_writer *w, quoin_error *err)
{
  const uint64_t *cols[4] = {w->col[0], w->col[1], w->col[2], w->col[3]};
  quoin_status st;

  if (!w->rows) return QUOIN_OK;
  st = quad_blocks_add(&w->blocks, cols, w->any_dead ? w->dead : NULL, w->rows, err);
  w->rows = 0;
  w->any_dead = false;
  return !st && w->blocks.bytes.len >= WRITE_STEP ? flush_blocks(w, err) : st;
}

static quoin_status
writer_begin(quad_sink *self, unsigned part, unsigned order, quoin_error *err)
{
  quad_writer *w = (quad_writer *)self;

  (void)err;
  w->now = &w->section[part][order];
  assert(!w->now->keys);
  w->now->keys = part == QUAD_PART_DEFAULT ? 3 : 4;
  w->now->blocks_at = position(w);
  w->net = 0;
  w->rows = 0;
  w->any_dead = false;
  w->index.len = 0;
  quad_blocks_start(&w->blocks, w->now->keys);
  quad_tally_begin(&w->tally, part, order);
  return QUOIN_OK;
}

static quoin_status
writer_add(quad_sink *self, const uint64_t *const *cols, const uint8_t *dead, size_t rows,
           quoin_error *err)
{
  quad_writer *w = (quad_writer *)self;
  quoin_status st;

  if ((st = quad_tally_add(&w->tally, cols, dead, rows, err))) return st;
  for (size_t at = 0; at < rows;) {
    size_t room = CODEC_BLOCK - w->rows, n = rows - at < room ? rows - at : room;
    for (unsigned i = 0; i < w->now->keys; i++)
      memcpy(w->col[i] + w->rows, cols[i] + at, 8 * n);
    for (size_t r = 0; r < n; r++) {
      w->dead[w->rows + r] = dead ? dead[at + r] : 0;
      w->any_dead |= dead && dead[at + r];
    }
    w->rows += (uint32_t)n;
    at += n;
    if (w->rows == CODEC_BLOCK && (st = write_block(w, err))) return st;
  }
  return QUOIN_OK;
}

/* The block index: pages of entries with a checksum each, then the last key of every page. */
static quoin_status
writer_end(quad_sink *self, quoin_error *err)
{
  quad_writer *w = (quad_writer *)self;
  quad_section *sec = w->now;
  size_t words = quad_entry_words(sec->keys), per = quad_page_entries(sec->keys);
  base_buffer tops;
  quoin_status st;

  if ((st = write_block(w, err))) return st;
  if ((st = flush_blocks(w, err))) return st;
  base_buffer_init(&tops, w->mem);
  sec->blocks_len = position(w) - sec->blocks_at;
  sec->pages_at = position(w);
  for (uint64_t at = 0; at < sec->blocks; at += per) {
    uint64_t n = sec->blocks - at < per ? sec->blocks - at : per;
    const char *page = w->index.data + at * 8 * words;
    size_t len = (size_t)n * 8 * words;
    base_buffer_add(&w->out, page, len);
    base_buffer_u64(&w->out, base_hash(page, len));
    base_buffer_add(&tops, page + (n - 1) * 8 * words + 8 * (size_t)sec->keys,
                    8 * (size_t)sec->keys);
    sec->pages++;
  }
  sec->tops_at = position(w);
  sec->tops_hash = base_hash(tops.data, tops.len);
  base_buffer_add(&w->out, tops.data, tops.len);
  if (tops.failed) st = base_fail_nomem(err);
  base_buffer_clear(&tops);
  w->now = NULL;
  return st ? st : flush(w, err);
}

quoin_status
quad_writer_open(quad_writer **out, const base_dir *dir, const char *name, uint64_t generation,
                 uint32_t orders, const base_alloc *mem, quoin_error *err)
{
  quoin_status st;
  quad_writer *w = base_new_zero(mem, 1, sizeof *w);

  *out = NULL;
  if (!w) return base_fail_nomem(err);
  w->sink = (quad_sink){writer_begin, writer_add, writer_end, orders};
  w->mem = mem;
  w->dir = dir;
  assert(strlen(name) < sizeof w->name);
  strcpy(w->name, name);
  w->generation = generation;
  w->offset = QUAD_RUN_HEADER;
  w->tally.mem = mem;
  base_buffer_init(&w->out, mem);
  base_buffer_init(&w->index, mem);
  quad_blocks_init(&w->blocks, mem);
  if ((st = base_file_open(&w->file, dir, name, BASE_FILE_CREATE_NEW, err))) {
    base_release(mem, w, 1, sizeof *w);
    return st;
  }
  *out = w;
  return QUOIN_OK;
}

quad_sink *
quad_writer_sink(quad_writer *w)
{
  return &w->sink;
}

quad_tally *
quad_writer_tally(quad_writer *w)
{
  return &w->tally;
}

uint64_t
quad_writer_bytes(const quad_writer *w)
{
  return position(w);
}

uint64_t
quad_writer_generation(const quad_writer *w)
{
  return w->generation;
}

static void
writer_free(quad_writer *w)
{
  base_file_close(&w->file);
  base_buffer_clear(&w->out);
  base_buffer_clear(&w->index);
  quad_blocks_clear(&w->blocks);
  quad_tally_clear(&w->tally);
  base_release(w->mem, w, 1, sizeof *w);
}

static quoin_status
write_footer(quad_writer *w, uint64_t *at, uint64_t *len, uint64_t *hash, quoin_error *err)
{
  quad_predicate_count *predicates;
  static const char zeroes[CODEC_SLACK];
  size_t n, start = w->out.len;
  quoin_status st = quad_tally_finish(&predicates, &n, &w->tally, err);

  if (st) return st;
  *at = position(w);
  for (unsigned i = 0; i < QUAD_PARTS * QUAD_ORDERS; i++) {
    const quad_section *s = &w->section[i / QUAD_ORDERS][i % QUAD_ORDERS];
    uint64_t words[QUAD_SECTION_WORDS] = {
        s->blocks_at, s->blocks_len, s->blocks,  s->entries,   s->tombstones,
        s->pages_at,  s->pages,      s->tops_at, s->tops_hash, 0};
    add_words(&w->out, words, QUAD_SECTION_WORDS);
  }
  base_buffer_u64(&w->out, n);
  for (size_t i = 0; i < n; i++) {
    base_buffer_u64(&w->out, predicates[i].predicate.bits);
    add_words(&w->out, predicates[i].triples, 2);
  }
  base_release(w->mem, predicates, n, sizeof *predicates);
  if (w->out.failed) return base_fail_nomem(err);
  *len = w->out.len - start;
  *hash = base_hash(w->out.data + start, (size_t)*len);
  base_buffer_add(&w->out, zeroes, sizeof zeroes); /* decoders read whole groups */
  return flush(w, err);
}

quoin_status
quad_writer_finish(quad_writer *w, bool sync, quoin_error *err)
{
  uint8_t head[QUAD_RUN_HEADER] = {0};
  uint32_t format = QUAD_RUN_FORMAT, head_len = QUAD_RUN_HEADER;
  uint64_t at = 0, len = 0, hash = 0, sum;
  quoin_status st;

  if ((st = write_footer(w, &at, &len, &hash, err))) goto done;
  memcpy(head, "QUOINRUN", 8);
  memcpy(head + 8, &format, 4);
  memcpy(head + 12, &head_len, 4);
  memcpy(head + 16, &w->generation, 8);
  memcpy(head + 24, &w->sink.orders, 4);
  memcpy(head + 32, &at, 8);
  memcpy(head + 40, &len, 8);
  memcpy(head + 48, &hash, 8);
  memcpy(head + 56, &w->offset, 8);
  sum = base_hash(head, 120);
  memcpy(head + 120, &sum, 8);
  if ((st = base_file_write(&w->file, head, sizeof head, 0, err))) goto done;
  if (sync) st = base_file_sync(&w->file, err);

done:
  if (st)
    quad_writer_abort(w);
  else
    writer_free(w);
  return st;
}

void
quad_writer_abort(quad_writer *w)
{
  if (!w) return;
  (void)base_dir_unlink(w->dir, w->name, NULL); /* what stays is collected at the next open */
  writer_free(w);
}
