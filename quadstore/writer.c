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
  uint64_t offset;   /* where `out` will go */
  base_buffer out;   /* not yet written */
  base_buffer index; /* entries of the section's blocks */
  quad_section section[QUAD_PARTS][QUAD_ORDERS];
  quad_section *now;
  int64_t net;
  uint32_t rows; /* gathered for the next block */
  bool any_dead;
  uint64_t col[4][CODEC_BLOCK];
  uint8_t dead[CODEC_BLOCK];
  uint8_t block[CODEC_MAX];
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

/* Encode the gathered rows and note them in the index. */
static quoin_status
write_block(quad_writer *w, quoin_error *err)
{
  quad_section *sec = w->now;
  const uint64_t *cols[4] = {w->col[0], w->col[1], w->col[2], w->col[3]};
  uint64_t first[4], last[4], min[4], max[4], tail[4];
  uint32_t tombstones = 0;
  size_t length;

  if (!w->rows) return QUOIN_OK;
  length = codec_encode(w->block, cols, sec->keys, w->any_dead ? w->dead : NULL, w->rows);
  for (unsigned i = 0; i < sec->keys; i++) {
    first[i] = min[i] = max[i] = cols[i][0];
    last[i] = cols[i][w->rows - 1];
    for (uint32_t r = 1; r < w->rows; r++) {
      min[i] = cols[i][r] < min[i] ? cols[i][r] : min[i];
      max[i] = cols[i][r] > max[i] ? cols[i][r] : max[i];
    }
  }
  for (uint32_t r = 0; w->any_dead && r < w->rows; r++)
    tombstones += w->dead[r];
  tail[0] = position(w);
  tail[1] = (uint64_t)length | (uint64_t)w->rows << 32;
  tail[2] = tombstones;
  tail[3] = (uint64_t)w->net;
  add_words(&w->index, first, sec->keys);
  add_words(&w->index, last, sec->keys);
  add_words(&w->index, min, sec->keys);
  add_words(&w->index, max, sec->keys);
  add_words(&w->index, tail, 4);
  if (w->index.failed) return base_fail_nomem(err);
  base_buffer_add(&w->out, w->block, length);
  sec->blocks++;
  sec->entries += w->rows;
  sec->tombstones += tombstones;
  w->net += (int64_t)w->rows - 2 * (int64_t)tombstones;
  w->rows = 0;
  w->any_dead = false;
  return w->out.len >= WRITE_STEP || w->out.failed ? flush(w, err) : QUOIN_OK;
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

static void
writer_free(quad_writer *w)
{
  base_file_close(&w->file);
  base_buffer_clear(&w->out);
  base_buffer_clear(&w->index);
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
