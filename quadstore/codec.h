/* quadstore/codec.h - one block of up to 1,024 sorted entries, stored by column.
 *
 * Each column is stored in the smallest of six forms; every form decodes a group of 128 rows alone.
 * Packed values are a plain little-endian bit stream, so that row i of a width w lies at bit i*w:
 * one unaligned load finds it, and a loop with a constant width needs four instructions a value.
 * Widths are 0..57 and 64 (a value of up to 57 bits at any bit offset lies within 8 bytes).
 * Layout: docs/format.md, "Blocks". */
#ifndef QUOIN_QUADSTORE_CODEC_H
#define QUOIN_QUADSTORE_CODEC_H

#include "base/base.h"

enum {
  CODEC_BLOCK = 1024,
  CODEC_GROUP = 128,
  CODEC_GROUPS = CODEC_BLOCK / CODEC_GROUP,
  CODEC_SLACK = 4096,   /* readable bytes that must follow a block: decoders read whole groups */
  CODEC_MAX = 48 * 1024 /* no block is longer */
};

/* Codes are part of the file format. A value is base + step * x but in DICT. */
typedef enum codec_form {
  CODEC_CONST = 0, /* x is 0 */
  CODEC_FOR = 1,   /* packed x, patched */
  CODEC_DELTA = 2, /* first x of each group, then packed differences, patched with x */
  CODEC_RUNS = 3,  /* ends of runs of equal values, packed x of each */
  CODEC_SPLIT = 4, /* a code a row for the kind of id; packed x of each, with a base of its own */
  CODEC_DICT = 5   /* table[code] */
} codec_form;

enum { CODEC_CLASSES = 16, CODEC_CLASS_BYTES = 16 };

typedef struct codec_column {
  uint8_t form, width, code_width, wide;
  uint16_t patches, entries;
  uint32_t step, span;
  uint64_t base;
  const uint8_t *head;     /* DELTA: x of `wide` bits; RUNS: u16 each; SPLIT: classes; DICT: u64 */
  const uint8_t *codes;    /* SPLIT: groups of bit planes and counts; DICT: packed */
  const uint8_t *packed;   /* all but CONST and DICT; of SPLIT `span` bytes */
  const uint8_t *patch_at; /* u16 each, ascending rows */
  const uint8_t *patch;    /* x of `wide` bits */
} codec_column;

static inline uint16_t
codec_load_u16(const uint8_t *at)
{
  uint16_t v;
  memcpy(&v, at, 2);
  return v;
}

/* Bytes that a SPLIT column has for each group before its values. */
static inline size_t
codec_split_stride(unsigned code_width, unsigned classes)
{
  return (size_t)16 * code_width + (size_t)2 * classes;
}

/* A parsed block; points into it. */
typedef struct codec_view {
  uint32_t rows;
  unsigned columns;
  const uint8_t *dead; /* bit set of tombstones, or NULL */
  codec_column column[4];
} codec_view;

/* Encode rows 1..1024 of `columns` columns into out[CODEC_MAX]; returns the length with its
 * checksum. dead: a byte a row, non-zero for a tombstone; NULL when there is none. */
size_t codec_encode(uint8_t *out, const uint64_t *const *cols, unsigned columns,
                    const uint8_t *dead, uint32_t rows);

/* The checksum at the end of data[0..length) is right. */
bool codec_verify(const uint8_t *data, size_t length);
/* Fill `view`; false when the header contradicts itself. Reads of the decoders then stay within
 * [data, data+available), whatever the block holds. available >= length. */
bool codec_parse(codec_view *view, const uint8_t *data, size_t length, size_t available);

/* A block that is about to be parsed and searched by its first column. */
static inline void
codec_fetch(const uint8_t *data)
{
  for (unsigned i = 0; i < 7; i++)
    __builtin_prefetch(data + 64 * (size_t)i);
}
/* What reading rows from `row` on of that column touches first. */
void codec_fetch_row(const codec_view *view, unsigned column, uint32_t row);

/* All 128 rows of `group` (what lies beyond the last row is undefined). */
void codec_decode(uint64_t out[CODEC_GROUP], const codec_view *view, unsigned column,
                  unsigned group);
/* Rows [from, to) into out[0...]. Any form but DELTA. */
void codec_decode_rows(uint64_t *out, const codec_view *view, unsigned column, uint32_t from,
                       uint32_t to);
/* That row; of DELTA the first of its group. */
uint64_t codec_get(const codec_view *view, unsigned column, uint32_t row);
/* Values ascend in rows [*lo, *hi): leave those that are v; if none is, *lo == *hi is where v would
 * stand (narrow.c). */
void codec_narrow(uint32_t *lo, uint32_t *hi, const codec_view *view, unsigned column, uint64_t v);

#endif /* QUOIN_QUADSTORE_CODEC_H */
