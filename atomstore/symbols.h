/* atomstore/symbols.h - text written as one-byte codes for frequent strings of up to eight bytes.
 *
 * As FSST (Boncz, Neumann, Leis, "FSST: Fast Random Access String Compression", VLDB 2020): a
 * static table of up to 255 symbols made from a sample; code 255 says that the next byte stands for
 * itself. Each text decodes by itself, at some bytes a nanosecond. The same table writes the same
 * text in the same way. */
#ifndef QUOIN_ATOMSTORE_SYMBOLS_H
#define QUOIN_ATOMSTORE_SYMBOLS_H

#include "base/base.h"

enum { SYMBOLS_MAX = 255, SYMBOL_BYTES = 8, SYMBOLS_ESCAPE = 255, SYMBOLS_HASH = 2048 };

/* What to write for the bytes at hand. */
typedef struct atom_code {
  uint8_t code; /* SYMBOLS_ESCAPE: the byte itself follows */
  uint8_t len;  /* of the text that it stands for */
} atom_code;

typedef struct atom_symbol {
  uint64_t text; /* little-endian; the bytes behind its end are 0; UINT64_MAX: no symbol */
  uint64_t mask; /* of the bytes that it has; none: 0 */
  atom_code code;
} atom_symbol;

typedef struct atom_symbols {
  size_t n;
  uint64_t text[SYMBOLS_MAX + 1];
  uint8_t len[SYMBOLS_MAX + 1];
  /* For writing: symbols of three bytes and more by a hash of their first three, one a slot; for
   * any two bytes that begin none of these, what to write. */
  atom_symbol longer[SYMBOLS_HASH];
  atom_code shorter[65536];
} atom_symbols;

/* A table for texts like `sample`. NOMEM. */
quoin_status atom_symbols_train(atom_symbols *out, quoin_span sample, const base_alloc *mem,
                                quoin_error *err);
/* The table as bytes: how many, lengths, texts; at most SYMBOLS_TABLE. */
enum { SYMBOLS_TABLE = 1 + SYMBOLS_MAX * (1 + SYMBOL_BYTES) };
void atom_symbols_write(base_buffer *out, const atom_symbols *symbols);
/* False when `bytes` is no table. */
bool atom_symbols_read(atom_symbols *out, quoin_span bytes);

/* Write `text`: at most 2 * text.len bytes at `to`. How many. */
size_t atom_symbols_encode(char *to, const atom_symbols *symbols, quoin_span text);
/* The same for n texts, some at a time, since each by itself waits for the memory at every step:
 * coded[i] is in `to`, where there is room for twice all the texts. */
void atom_symbols_encode_all(quoin_span *coded, char *to, const atom_symbols *symbols,
                             const quoin_span *texts, size_t n);
/* Bytes of the text that `coded` says; SIZE_MAX: it is not well formed. */
size_t atom_symbols_length(const atom_symbols *symbols, quoin_span coded);
/* Write that text; behind it SYMBOL_BYTES may be overwritten. */
void atom_symbols_decode(char *to, const atom_symbols *symbols, quoin_span coded);
/* Whether `coded` says `text`. */
bool atom_symbols_equal(const atom_symbols *symbols, quoin_span coded, quoin_span text);

#endif /* QUOIN_ATOMSTORE_SYMBOLS_H */
