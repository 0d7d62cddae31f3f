/* quadstore/words.c - see words.h. */
#include "quadstore/words.h"

#include "base/poison.h"

enum { OUT_BYTES = 4 * QUAD_BATCH * 8 + QUAD_BATCH };

typedef struct words_source {
  quad_merge merge; /* of one section: walks it */
  const uint64_t *key[4];
  const uint8_t *dead; /* NULL: none is removed */
  size_t at, rows;
} words_source;

/* `a` comes before `b`; sources lie from old to new. */
static bool
before(const quad_words *w, const words_source *a, const words_source *b)
{
  for (unsigned k = 0; k < w->keys; k++) {
    uint64_t x = a->key[k][a->at], y = b->key[k][b->at];
    if (x != y) return x < y;
  }
  return a > b;
}

static void
sift_down(quad_words *w, size_t i)
{
  words_source *s = w->heap[i];

  for (size_t child; (child = 2 * i + 1) < w->n; i = child) {
    if (child + 1 < w->n && before(w, w->heap[child + 1], w->heap[child])) child++;
    if (!before(w, w->heap[child], s)) break;
    w->heap[i] = w->heap[child];
  }
  w->heap[i] = s;
}

/* The next row of `s`; DONE when it has none. */
static quoin_status
advance(words_source *s, quoin_error *err)
{
  if (++s->at < s->rows) return QUOIN_OK;
  s->at = 0;
  return quad_merge_next(s->key, &s->dead, &s->rows, &s->merge, err);
}

/* The first of the heap goes on. */
static quoin_status
advance_first(quad_words *w, quoin_error *err)
{
  quoin_status st = advance(w->heap[0], err);

  if (st == QUOIN_DONE) w->heap[0] = w->heap[--w->n];
  if (st < 0) return st;
  if (w->n) sift_down(w, 0);
  return QUOIN_OK;
}

static quoin_status
open_source(words_source *s, const quad_section *sec, unsigned keys, const base_alloc *mem,
            quoin_error *err)
{
  quoin_status st = quad_merge_init(&s->merge, keys, false, 1, mem, err);

  if (!st) st = quad_merge_add(&s->merge, sec, NULL, err);
  if (!st) st = quad_merge_start(&s->merge, NULL, 0, NULL, 0, err);
  return st ? st : quad_merge_next(s->key, &s->dead, &s->rows, &s->merge, err);
}

quoin_status
quad_words_open(quad_words *w, quad_run *const *files, size_t n, unsigned part,
                const base_alloc *mem, quoin_error *err)
{
  unsigned keys = part == QUAD_PART_DEFAULT ? 3 : 4;
  quoin_status st = QUOIN_OK;

  *w = (quad_words){.mem = mem, .keys = keys, .n_sources = n};
  if (!n) return QUOIN_OK;
  w->source = base_new_zero(mem, n, sizeof *w->source);
  w->heap = base_new(mem, n, sizeof(words_source *));
  w->out = base_new(mem, 1, OUT_BYTES);
  if (!w->source || !w->heap || !w->out) st = base_fail_nomem(err);
  for (size_t i = 0; !st && i < n; i++) {
    const quad_section *sec = &files[i]->section[part][QUAD_SPO];
    if (!sec->entries) continue;
    if ((st = open_source(&w->source[i], sec, keys, mem, err)) < 0) break;
    if (!st) w->heap[w->n++] = &w->source[i];
    st = QUOIN_OK;
  }
  for (size_t i = w->n; !st && i-- > 0;)
    sift_down(w, i);
  if (st) quad_words_close(w);
  return st;
}

quoin_status
quad_words_next(const uint64_t *cols[4], const uint8_t **removed, size_t *rows, quad_words *w,
                quoin_error *err)
{
  uint8_t *dead;
  size_t n = 0;

  *rows = 0;
  if (!w->n) return QUOIN_DONE;
  dead = (uint8_t *)(w->out + (size_t)4 * QUAD_BATCH);
  while (w->n && n < QUAD_BATCH) {
    const words_source *s = w->heap[0];
    bool told = n > 0;
    quoin_status st;
    for (unsigned k = 0; k < w->keys; k++) {
      uint64_t id = s->key[k][s->at];
      told &= n > 0 && w->out[k * QUAD_BATCH + n - 1] == id;
      w->out[k * QUAD_BATCH + n] = id;
    }
    dead[n] = s->dead ? s->dead[s->at] : 0;
    n += !told; /* what follows on the same quad is older */
    if ((st = advance_first(w, err))) return st;
  }
  /* the words on the last quad do not go on in the next batch */
  while (w->n) {
    const words_source *s = w->heap[0];
    quoin_status st;
    bool told = true;
    for (unsigned k = 0; k < w->keys; k++)
      told &= w->out[k * QUAD_BATCH + n - 1] == s->key[k][s->at];
    if (!told) break;
    if ((st = advance_first(w, err))) return st;
  }
  for (unsigned k = 0; k < w->keys; k++)
    cols[k] = w->out + (size_t)k * QUAD_BATCH;
  *removed = dead;
  *rows = n;
  return QUOIN_OK;
}

void
quad_words_close(quad_words *w)
{
  for (size_t i = 0; w->source && i < w->n_sources; i++)
    quad_merge_clear(&w->source[i].merge);
  base_release(w->mem, w->source, w->n_sources, sizeof *w->source);
  base_release(w->mem, w->heap, w->n_sources, sizeof(words_source *));
  if (w->out) base_release(w->mem, w->out, 1, OUT_BYTES);
  *w = (quad_words){0};
}

static quoin_status
write_part(quad_sink *sink, quad_run *const *files, size_t n, unsigned part, const base_alloc *mem,
           quoin_error *err)
{
  quad_words w;
  const uint64_t *cols[4];
  const uint8_t *removed;
  size_t rows;
  bool begun = false;
  quoin_status st = quad_words_open(&w, files, n, part, mem, err);

  if (st) return st;
  while (!(st = quad_words_next(cols, &removed, &rows, &w, err))) {
    if (!begun && (st = sink->begin(sink, part, QUAD_SPO, err))) break;
    begun = true;
    if ((st = sink->add(sink, cols, removed, rows, err))) break;
  }
  if (st == QUOIN_DONE) st = begun ? sink->end(sink, err) : QUOIN_OK;
  quad_words_close(&w);
  return st;
}

quoin_status
quad_words_merge(quad_run **out, quad_store *store, quad_run *const *files, size_t n,
                 quoin_error *err)
{
  quad_writer *w;
  quoin_status st = quad_spill_begin(&w, store, 1u << QUAD_SPO, err);

  *out = NULL;
  if (st) return st;
  for (unsigned part = 0; part < QUAD_PARTS && !st; part++)
    st = write_part(quad_writer_sink(w), files, n, part, store->mem, err);
  if (!st) return quad_spill_end(out, store, w, err);
  quad_writer_abort(w);
  return st;
}
