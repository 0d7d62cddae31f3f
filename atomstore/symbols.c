/* atomstore/symbols.c - a table of symbols: made, written with, read with.
 *
 * Training goes over the sample some times: it is written with the table so far, symbols and pairs
 * of symbols that follow each other are counted, and the next table is made of those that saved
 * most bytes. So symbols grow from one byte to eight. */
#include "atomstore/symbols.h"

#include <assert.h>
#include <stdlib.h>

#include "base/poison.h"

enum { ROUNDS = 5, CODES = 512, NO_CODE = 256 };

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
  for (size_t i = 0; i < 65536; i++)
    symbols->two[i] = NO_CODE;
  for (size_t i = 0; i < 256; i++)
    symbols->one[i] = NO_CODE;
}

/* False when there is no place for it, or it is there. */
static bool
add(atom_symbols *symbols, uint64_t text, uint8_t len)
{
  uint16_t code = (uint16_t)symbols->n;
  if (symbols->n == SYMBOLS_MAX) return false;
  if (len == 1) {
    if (symbols->one[text] != NO_CODE) return false;
    symbols->one[text] = code;
  } else if (len == 2) {
    if (symbols->two[text] != NO_CODE) return false;
    symbols->two[text] = code;
  } else {
    atom_symbol *slot = &symbols->longer[slot_of(text)];
    if (slot->len) return false;
    *slot = (atom_symbol){.text = text, .code = code, .len = len};
  }
  symbols->text[code] = text;
  symbols->len[code] = len;
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

/* The symbol that the text goes on with, of *len bytes; NO_CODE: only the byte itself. */
static inline unsigned
match(size_t *len, const atom_symbols *symbols, const char *at, size_t left)
{
  uint64_t word = next_word(at, left);
  const atom_symbol *slot = &symbols->longer[slot_of(word)];
  if (slot->len && slot->len <= left && slot->text == (word & masks[slot->len])) {
    *len = slot->len;
    return slot->code;
  }
  unsigned code = left >= 2 ? symbols->two[word & 0xffff] : NO_CODE;
  *len = 2;
  if (code != NO_CODE) return code;
  *len = 1;
  return symbols->one[word & 0xff];
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
    size_t len;
    unsigned char byte = (unsigned char)sample.ptr[i];
    unsigned code = match(&len, symbols, sample.ptr + i, sample.len - i);
    code = code == NO_CODE ? byte : code + 256;
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

size_t
atom_symbols_encode(char *to, const atom_symbols *symbols, quoin_span text)
{
  char *out = to;
  for (size_t i = 0, len; i < text.len; i += len) {
    unsigned code = match(&len, symbols, text.ptr + i, text.len - i);
    if (code == NO_CODE) {
      *out++ = (char)SYMBOLS_ESCAPE;
      *out++ = text.ptr[i];
    } else {
      *out++ = (char)code;
    }
  }
  return (size_t)(out - to);
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
