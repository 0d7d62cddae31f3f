/* atomstore/symbols.c - a table of symbols: made, written with, read with.
 *
 * Training goes over the sample some times: it is written with the table so far, symbols and pairs
 * of symbols that follow each other are counted, and the next table is made of those that saved
 * most bytes. So symbols grow from one byte to eight. */
#include "atomstore/symbols.h"

#include <assert.h>
#include <stdlib.h>

#include "base/poison.h"

enum { ROUNDS = 5, CODES = 512, LANES = 4 };

static const uint64_t masks[SYMBOL_BYTES + 1] = {0,
                                                 UINT64_C(0xff),
                                                 UINT64_C(0xffff),
                                                 UINT64_C(0xffffff),
                                                 UINT64_C(0xffffffff),
                                                 UINT64_C(0xffffffffff),
                                                 UINT64_C(0xffffffffffff),
                                                 UINT64_C(0xffffffffffffff),
                                                 UINT64_MAX};

/* ---- the table ------------------------------------------------------------------------------- */

static inline size_t
slot_of(uint64_t text)
{
  uint64_t first = text & masks[3];
  return (size_t)(first * UINT64_C(0x9e3779b97f4a7c15) >> 48) % SYMBOLS_HASH;
}

static void
clear(atom_symbols *symbols)
{
  memset(symbols, 0, sizeof(*symbols));
  for (size_t i = 0; i < SYMBOLS_HASH; i++)
    symbols->longer[i].text = UINT64_MAX;
  for (size_t i = 0; i < 65536; i++)
    symbols->shorter[i] = (atom_code){SYMBOLS_ESCAPE, 1};
}

/* False when there is no place for it, or it is there. */
static bool
add(atom_symbols *symbols, uint64_t text, uint8_t len)
{
  atom_code code = {(uint8_t)symbols->n, len};
  if (symbols->n == SYMBOLS_MAX) return false;
  if (len == 1) {
    bool there = false;
    for (size_t i = text; i < 65536; i += 256) {
      atom_code *at = &symbols->shorter[i];
      if (at->len == 1 && at->code != SYMBOLS_ESCAPE) there = true;
      if (at->len == 1 && at->code == SYMBOLS_ESCAPE) *at = code;
    }
    if (there) return false;
  } else if (len == 2) {
    if (symbols->shorter[text].len == 2) return false;
    symbols->shorter[text] = code;
  } else {
    atom_symbol *slot = &symbols->longer[slot_of(text)];
    if (slot->mask) return false;
    *slot = (atom_symbol){.text = text, .mask = masks[len], .code = code};
  }
  symbols->text[symbols->n] = text;
  symbols->len[symbols->n] = len;
  symbols->n++;
  return true;
}

/* The next bytes, as many as there are of eight. */
static inline uint64_t
next_word(const char *at, size_t left)
{
  if (left >= 8) return base_load_u64(at);
  uint64_t word = 0;
  memcpy(&word, at, left);
  return word;
}

/* What to write next. */
static inline atom_code
match(const atom_symbols *symbols, const char *at, size_t left)
{
  uint64_t word = next_word(at, left);
  const atom_symbol *slot = &symbols->longer[slot_of(word)];
  atom_code code = slot->code;
  if (slot->text == (word & slot->mask) && code.len <= left) return code;
  code = symbols->shorter[word & 0xffff];
  if (code.len <= left) return code;
  /* A pair of which only the first byte is there: what that byte has by itself. */
  for (size_t i = word & 0xff; i < 65536; i += 256)
    if (symbols->shorter[i].len == 1) return symbols->shorter[i];
  return (atom_code){SYMBOLS_ESCAPE, 1};
}

/* ---- training
 * ----------------------------------------------------------------------------------------- */

/* Codes of bytes are those of the byte, of symbols 256 and up. */
typedef struct counts {
  uint32_t alone[CODES];
  uint32_t pair[CODES][CODES];
} counts;

typedef struct candidate {
  uint64_t text, gain;
  uint8_t len;
} candidate;

static void
count(counts *c, const atom_symbols *symbols, quoin_span sample)
{
  unsigned before = CODES;
  memset(c, 0, sizeof(*c));
  for (size_t i = 0; i < sample.len;) {
    unsigned char byte = (unsigned char)sample.ptr[i];
    atom_code next = match(symbols, sample.ptr + i, sample.len - i);
    unsigned code = next.code == SYMBOLS_ESCAPE ? byte : next.code + 256u;
    size_t len = next.len;
    c->alone[code]++;
    if (before < CODES) c->pair[before][code]++;
    if (len > 1) { /* a byte counts by itself too, so that shorter symbols may come back */
      c->alone[byte]++;
      if (before < CODES) c->pair[before][byte]++;
    }
    before = code;
    i += len;
  }
}

static uint64_t
code_text(uint8_t *len, const atom_symbols *symbols, unsigned code)
{
  *len = code < 256 ? 1 : symbols->len[code - 256];
  return code < 256 ? code : symbols->text[code - 256];
}

/* Of equal texts together, then by gain. */
static int
by_text(const void *a, const void *b)
{
  const candidate *x = a, *y = b;
  if (x->text != y->text) return x->text < y->text ? -1 : 1;
  return (x->len > y->len) - (x->len < y->len);
}

static int
by_gain(const void *a, const void *b)
{
  const candidate *x = a, *y = b;
  if (x->gain != y->gain) return x->gain > y->gain ? -1 : 1;
  return by_text(a, b);
}

/* Symbols and pairs that came up more than a few times. At most `cap`. */
static size_t
candidates_make(candidate *out, size_t cap, const counts *c, const atom_symbols *symbols)
{
  enum { FEW = 4 };
  size_t n = 0;
  for (unsigned a = 0; a < 256 + symbols->n; a++) {
    uint8_t len, next;
    if (c->alone[a] <= FEW) continue;
    uint64_t text = code_text(&len, symbols, a);
    uint64_t weight = len == 1 ? 8 : len; /* without it, a byte costs two */
    if (n < cap) out[n++] = (candidate){text, c->alone[a] * weight, len};
    if (len == SYMBOL_BYTES) continue;
    for (unsigned b = 0; b < 256 + symbols->n; b++) {
      if (c->pair[a][b] <= FEW) continue;
      uint64_t more = code_text(&next, symbols, b);
      unsigned both = len + next;
      if (both > SYMBOL_BYTES) both = SYMBOL_BYTES;
      if (n < cap)
        out[n++] = (candidate){(text | more << 8 * len) & masks[both],
                               (uint64_t)c->pair[a][b] * both, (uint8_t)both};
    }
  }
  return n;
}

static void
table_make(atom_symbols *out, candidate *list, size_t n)
{
  size_t kept = 0;
  qsort(list, n, sizeof(*list), by_text);
  for (size_t i = 0; i < n; i++) {
    if (kept && list[kept - 1].text == list[i].text && list[kept - 1].len == list[i].len)
      list[kept - 1].gain += list[i].gain;
    else
      list[kept++] = list[i];
  }
  qsort(list, kept, sizeof(*list), by_gain);
  clear(out);
  for (size_t i = 0; i < kept && out->n < SYMBOLS_MAX; i++)
    (void)add(out, list[i].text, list[i].len);
}

quoin_status
atom_symbols_train(atom_symbols *out, quoin_span sample, const base_alloc *mem, quoin_error *err)
{
  enum { CANDIDATES = 1 << 15 };
  quoin_status st = QUOIN_OK;
  counts *c = base_new(mem, 1, sizeof(*c));
  candidate *list = base_new(mem, CANDIDATES, sizeof(*list));
  if (!c || !list) {
    st = base_fail_nomem(err);
    goto done;
  }
  clear(out);
  for (int round = 0; round < ROUNDS; round++) {
    count(c, out, sample);
    table_make(out, list, candidates_make(list, CANDIDATES, c, out));
  }

done:
  base_release(mem, list, CANDIDATES, sizeof(*list));
  base_release(mem, c, 1, sizeof(*c));
  return st;
}

/* ---- as bytes
 * ----------------------------------------------------------------------------------------- */

void
atom_symbols_write(base_buffer *out, const atom_symbols *symbols)
{
  base_buffer_byte(out, (char)symbols->n);
  base_buffer_add(out, symbols->len, symbols->n);
  for (size_t i = 0; i < symbols->n; i++)
    base_buffer_add(out, &symbols->text[i], symbols->len[i]);
}

bool
atom_symbols_read(atom_symbols *out, quoin_span bytes)
{
  clear(out);
  size_t n = bytes.len ? (unsigned char)bytes.ptr[0] : 0;
  if (n == 0 || bytes.len < 1 + n) return false;
  size_t at = 1 + n;
  for (size_t i = 0; i < n; i++) {
    uint64_t text = 0;
    uint8_t len = (uint8_t)bytes.ptr[1 + i];
    if (len == 0 || len > SYMBOL_BYTES || len > bytes.len - at) return false;
    memcpy(&text, bytes.ptr + at, len);
    if (!add(out, text, len)) return false;
    at += len;
  }
  return at == bytes.len;
}

/* ---- writing and reading with it
 * ------------------------------------------------------------------------- */

/* Write what the text goes on with; there are eight bytes or more of it. */
static inline __attribute__((always_inline)) void
encode_step(char **out, const char **at, const atom_symbols *symbols)
{
  uint64_t word = base_load_u64(*at);
  const atom_symbol *slot = &symbols->longer[slot_of(word)];
  atom_code code = symbols->shorter[word & 0xffff];
  code = slot->text == (word & slot->mask) ? slot->code : code;
  (*out)[0] = (char)code.code;
  (*out)[1] = (char)word; /* counts after an escape alone */
  *out += 1 + (code.code == SYMBOLS_ESCAPE);
  *at += code.len;
}

static char *
encode_rest(char *out, const atom_symbols *symbols, const char *at, const char *end)
{
  while (at < end) {
    atom_code code = match(symbols, at, (size_t)(end - at));
    *out++ = (char)code.code;
    if (code.code == SYMBOLS_ESCAPE) *out++ = *at;
    at += code.len;
  }
  return out;
}

size_t
atom_symbols_encode(char *to, const atom_symbols *symbols, quoin_span text)
{
  if (text.len == 0) return 0;
  char *out = to;
  const char *at = text.ptr, *end = at + text.len;
  while (end - at >= SYMBOL_BYTES)
    encode_step(&out, &at, symbols);
  return (size_t)(encode_rest(out, symbols, at, end) - to);
}

/* A text that is being written. */
typedef struct lane {
  const char *at, *end;
  char *out;
  quoin_span *coded;
} lane;

static inline bool
lane_goes_on(const lane *l)
{
  return l->end - l->at >= SYMBOL_BYTES;
}

/* Until one of them comes to its end. */
static void
encode_lanes(lane lanes[LANES], const atom_symbols *symbols)
{
  lane a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
  while (lane_goes_on(&a) && lane_goes_on(&b) && lane_goes_on(&c) && lane_goes_on(&d)) {
    encode_step(&a.out, &a.at, symbols);
    encode_step(&b.out, &b.at, symbols);
    encode_step(&c.out, &c.at, symbols);
    encode_step(&d.out, &d.at, symbols);
  }
  lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
}

static void
lane_finish(lane *l, const atom_symbols *symbols)
{
  while (lane_goes_on(l))
    encode_step(&l->out, &l->at, symbols);
  l->out = encode_rest(l->out, symbols, l->at, l->end);
  l->coded->len = (size_t)(l->out - l->coded->ptr);
}

void
atom_symbols_encode_all(quoin_span *coded, char *to, const atom_symbols *symbols,
                        const quoin_span *texts, size_t n)
{
  lane lanes[LANES];
  size_t next = 0, busy = 0;
  for (;;) {
    for (; busy < LANES && next < n; next++) {
      assert(texts[next].len > 0);
      coded[next] = (quoin_span){to, 0};
      lanes[busy++] = (lane){texts[next].ptr, texts[next].ptr + texts[next].len, to, &coded[next]};
      to += 2 * texts[next].len;
    }
    if (busy < LANES) break;
    encode_lanes(lanes, symbols);
    for (size_t k = 0; k < busy;) {
      if (lane_goes_on(&lanes[k])) {
        k++;
        continue;
      }
      lane_finish(&lanes[k], symbols);
      lanes[k] = lanes[--busy];
    }
  }
  while (busy)
    lane_finish(&lanes[--busy], symbols);
}

size_t
atom_symbols_length(const atom_symbols *symbols, quoin_span coded)
{
  size_t len = 0;
  for (size_t i = 0; i < coded.len; i++) {
    unsigned char code = (unsigned char)coded.ptr[i];
    if (code == SYMBOLS_ESCAPE) {
      if (++i == coded.len) return SIZE_MAX;
      len++;
    } else {
      if (symbols->len[code] == 0) return SIZE_MAX;
      len += symbols->len[code];
    }
  }
  return len;
}

void
atom_symbols_decode(char *to, const atom_symbols *symbols, quoin_span coded)
{
  for (size_t i = 0; i < coded.len; i++) {
    unsigned char code = (unsigned char)coded.ptr[i];
    if (code == SYMBOLS_ESCAPE) {
      *to++ = coded.ptr[++i];
      continue;
    }
    memcpy(to, &symbols->text[code], SYMBOL_BYTES);
    to += symbols->len[code];
  }
}

bool
atom_symbols_equal(const atom_symbols *symbols, quoin_span coded, quoin_span text)
{
  size_t at = 0;
  for (size_t i = 0; i < coded.len; i++) {
    unsigned char code = (unsigned char)coded.ptr[i];
    if (code == SYMBOLS_ESCAPE) {
      if (++i == coded.len || at == text.len || text.ptr[at++] != coded.ptr[i]) return false;
      continue;
    }
    size_t len = symbols->len[code], left = text.len - at;
    if (len == 0 || len > left) return false;
    if ((next_word(text.ptr + at, left) & masks[len]) != symbols->text[code]) return false;
    at += len;
  }
  return at == text.len;
}
