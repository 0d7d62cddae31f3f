/* quadstore/decode.c - reading blocks. Everything in them is hostile: codec_parse checks each
 * offset once, after which no decoder can leave the mapping. */
#include "quadstore/column.h"

#include <assert.h>

#include "base/poison.h"

enum { HEADER = 8, DESCRIPTOR = 24 };

bool
codec_verify(const uint8_t *data, size_t length)
{
  return length >= HEADER + 8 &&
         base_sum_matches(base_load_u64(data + length - 8), base_hash(data, length - 8));
}

/* Take `size` bytes at *at; what is read from them may go on to `reach` bytes. */
static const uint8_t *
take(const uint8_t *data, size_t *at, size_t size, size_t reach, size_t length, size_t available)
{
  const uint8_t *p = data + *at;
  if (*at > length || size > length - *at || reach > available - *at) return NULL;
  *at += size;
  return p;
}

/* `n` values of `width` bits; they may be read in whole groups. */
static const uint8_t *
take_packed(const uint8_t *data, size_t *at, size_t n, unsigned width, size_t length,
            size_t available)
{
  size_t groups = (n + CODEC_GROUP - 1) / CODEC_GROUP;
  return take(data, at, (n * width + 7) / 8, 16 * groups * width + UNPACK_REACH, length, available);
}

static bool
parse_split(codec_column *c, size_t at, size_t groups, const uint8_t *data, size_t length,
            size_t available)
{
  size_t bytes = groups * codec_split_stride(c->code_width, c->entries);

  if (!c->entries || c->entries > CODEC_CLASSES || c->code_width > 4) return false;
  c->head = take(data, &at, (size_t)CODEC_CLASS_BYTES * c->entries,
                 (size_t)CODEC_CLASS_BYTES * c->entries, length, available);
  if (!c->head) return false;
  if (!(c->codes = take(data, &at, bytes, bytes, length, available))) return false;
  /* widths, and where a class begins, are checked when a row is read: here they cost a miss */
  c->span = (uint32_t)(length - at);
  c->packed =
      take(data, &at, c->span, (size_t)c->span + 8 * CODEC_GROUP + UNPACK_REACH, length, available);
  return c->packed != NULL;
}

static bool
parse_column(codec_column *c, const uint8_t *d, uint32_t rows, const uint8_t *data, size_t length,
             size_t available)
{
  size_t at = base_load_u32(d + 8);
  size_t groups = (rows + CODEC_GROUP - 1) / CODEC_GROUP;
  size_t values = rows;

  c->form = d[0];
  c->width = d[1];
  c->code_width = d[2];
  c->wide = d[3];
  c->patches = codec_load_u16(d + 4);
  c->entries = codec_load_u16(d + 6);
  c->step = base_load_u32(d + 12);
  c->base = base_load_u64(d + 16);
  c->head = c->codes = c->packed = c->patch_at = c->patch = NULL;
  if (c->form > CODEC_DICT || (c->width > 57 && c->width != 64) ||
      (c->wide > 57 && c->wide != 64) || c->code_width > 7)
    return false;
  if (c->form == CODEC_CONST) return true;
  if (c->patches > rows || c->entries > rows || at > length) return false;
  switch ((codec_form)c->form) {
  case CODEC_SPLIT:
    return parse_split(c, at, groups, data, length, available);
  case CODEC_DICT:
    c->head =
        take(data, &at, (size_t)8 * c->entries, (size_t)8 << c->code_width, length, available);
    if (!c->head) return false;
    c->codes = take_packed(data, &at, rows, c->code_width, length, available);
    return c->codes != NULL;
  case CODEC_DELTA:
    if (!(c->head = take_packed(data, &at, groups, c->wide, length, available))) return false;
    break;
  case CODEC_RUNS:
    if (!c->entries) return false;
    c->head = take(data, &at, (size_t)2 * c->entries, (size_t)2 * c->entries, length, available);
    if (!c->head) return false;
    values = c->entries;
    break;
  case CODEC_CONST:
  case CODEC_FOR:
    break;
  }
  if (!(c->packed = take_packed(data, &at, values, c->width, length, available))) return false;
  c->patch_at = take(data, &at, (size_t)2 * c->patches, (size_t)2 * c->patches, length, available);
  if (!c->patch_at) return false;
  c->patch = take_packed(data, &at, c->patches, c->wide, length, available);
  return c->patch != NULL;
}

bool
codec_parse(codec_view *view, const uint8_t *data, size_t length, size_t available)
{
  size_t body, dead;

  if (length < HEADER + 8 || length > available) return false;
  view->rows = codec_load_u16(data);
  view->columns = data[2];
  view->dead = NULL;
  if (view->rows == 0 || view->rows > CODEC_BLOCK || view->columns < 1 || view->columns > 4 ||
      base_load_u32(data + 4) != length)
    return false;
  body = HEADER + (size_t)DESCRIPTOR * view->columns;
  dead = data[3] & 1 ? (size_t)(view->rows + 63) / 64 * 8 : 0;
  if (body + dead + 8 > length) return false;
  if (dead) view->dead = data + body;
  for (unsigned i = 0; i < view->columns; i++)
    if (!parse_column(&view->column[i], data + HEADER + (size_t)DESCRIPTOR * i, view->rows, data,
                      length - 8, available))
      return false;
  return true;
}

/* Put the values of rows [from, to) whose x did not fit its width in place; out[0] is row `from`.
 */
static void
apply_patches(uint64_t *out, const codec_column *c, unsigned from, unsigned to)
{
  for (unsigned i = patch_from(c, from); i < c->patches; i++) {
    unsigned row = codec_load_u16(c->patch_at + 2 * (size_t)i);
    if (row < from) continue; /* not ascending: hostile */
    if (row >= to) break;
    out[row - from] = c->base + c->step * patch_value(c, i);
  }
}

static void
decode_runs(uint64_t *out, const codec_column *c, unsigned from, unsigned to)
{
  unsigned row = from;

  for (unsigned run = run_of(c, row); run < c->entries && row < to; run++) {
    uint64_t v = run_value(c, run);
    unsigned stop = codec_load_u16(c->head + 2 * (size_t)run);
    if (stop > to) stop = to;
    for (; row < stop; row++)
      *out++ = v;
  }
  for (; row < to; row++)
    *out++ = c->base;
}

/* Each patch moves what follows it, up to the next. */
static void
decode_delta(uint64_t out[CODEC_GROUP], const codec_column *c, unsigned group, const uint8_t *in,
             const unpack_kernels *with)
{
  unsigned from = group * CODEC_GROUP, patch = c->patches ? patch_from(c, from + 1) : 0;
  unsigned row = patched_row(c, patch);

  with->unpack(out, CODEC_GROUP, in, 0, c->width, 0, c->step);
  out[0] = c->base + c->step * delta_first(c, group);
  with->sum(out);
  while (row > from && row < from + CODEC_GROUP) {
    unsigned i = row - from, stop = CODEC_GROUP;
    uint64_t by = c->base + c->step * patch_value(c, patch) - out[i];
    row = patched_row(c, ++patch);
    if (row > from + i && row < from + stop) stop = row - from;
    for (; i < stop; i++)
      out[i] += by;
    if (stop == CODEC_GROUP) break;
  }
}

/* ---- columns split by kind ------------------------------------------------------------------ */

static void
decode_split(uint64_t out[CODEC_GROUP], const codec_column *c, unsigned g,
             const unpack_kernels *with)
{
  const uint8_t *group = split_group(c, g);
  uint64_t left[2] = {UINT64_MAX, UINT64_MAX}, values[CODEC_GROUP + UNPACK_ROOM];

  for (unsigned code = 0; code < c->entries; code++) {
    bool last = code + 1 == c->entries; /* which takes the codes that nothing has: hostile */
    uint64_t low = left[0] & (last ? left[0] : split_rows_of(group, 0, c->code_width, code));
    uint64_t high = left[1] & (last ? left[1] : split_rows_of(group, 1, c->code_width, code));
    unsigned n_low = split_count(low), n = n_low + split_count(high);
    split_class k;
    if (!n) continue;
    left[0] &= ~low;
    left[1] &= ~high;
    k = split_class_of(c, group, code);
    if (k.bit / 8 > c->span) k.bit = 0; /* hostile; a group may be read beyond */
    with->unpack(values, n, c->packed + k.bit / 8, k.bit % 8, k.width, k.base, k.step);
    with->spread(out, low, values);
    with->spread(out + 64, high, values + n_low);
  }
}

/* ---- any form ------------------------------------------------------------------------------- */

void
codec_fetch_row(const codec_view *view, unsigned column, uint32_t row)
{
  const codec_column *c = &view->column[column];

  if (c->head) __builtin_prefetch(c->head);
  if (c->form == CODEC_SPLIT) {
    const uint8_t *group = split_group(c, row / CODEC_GROUP);
    __builtin_prefetch(c->head + 64);
    __builtin_prefetch(group);
    __builtin_prefetch(group + codec_split_stride(c->code_width, c->entries) - 1);
  } else if (c->form == CODEC_DICT) {
    __builtin_prefetch(c->head + 64);
    __builtin_prefetch(c->codes + (size_t)row * c->code_width / 8);
  } else if (c->packed && c->form != CODEC_RUNS) {
    __builtin_prefetch(c->packed + (size_t)row * c->width / 8);
  }
}

void
codec_decode(uint64_t out[CODEC_GROUP], const codec_view *view, unsigned column, unsigned group)
{
  const codec_column *c = &view->column[column];
  unsigned from = group * CODEC_GROUP, to = from + CODEC_GROUP;
  /* A column without packed bits has no stream to point into. */
  const uint8_t *in = c->packed ? c->packed + (size_t)group * 16 * c->width : NULL;
  const unpack_kernels *with = unpack_choose();

  switch ((codec_form)c->form) {
  case CODEC_CONST:
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] = c->base;
    return;
  case CODEC_FOR:
    with->unpack(out, CODEC_GROUP, in, 0, c->width, c->base, c->step);
    if (c->patches) apply_patches(out, c, from, to);
    return;
  case CODEC_DELTA:
    decode_delta(out, c, group, in, with);
    return;
  case CODEC_RUNS:
    decode_runs(out, c, from, to);
    return;
  case CODEC_SPLIT:
    decode_split(out, c, group, with);
    return;
  case CODEC_DICT:
    with->unpack(out, CODEC_GROUP, c->codes + (size_t)group * 16 * c->code_width, 0, c->code_width,
                 0, 1);
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] = base_load_u64(c->head + 8 * out[i]);
    return;
  }
}

/* ---- few rows ------------------------------------------------------------------------------- */

void
codec_decode_rows(uint64_t *out, const codec_view *view, unsigned column, uint32_t from,
                  uint32_t to)
{
  const codec_column *c = &view->column[column];

  switch ((codec_form)c->form) {
  case CODEC_CONST:
    for (uint32_t i = from; i < to; i++)
      out[i - from] = c->base;
    return;
  case CODEC_FOR:
    for (uint32_t i = from; i < to; i++)
      out[i - from] = c->base + c->step * unpack_one(c->packed, i, c->width);
    if (c->patches) apply_patches(out, c, from, to);
    return;
  case CODEC_RUNS:
    decode_runs(out, c, from, to);
    return;
  case CODEC_SPLIT:
    unpack_choose()->split_rows(out, c, from, to);
    return;
  case CODEC_DICT:
    for (uint32_t i = from; i < to; i++)
      out[i - from] = table_at(c, i);
    return;
  case CODEC_DELTA:
    break;
  }
  assert(false); /* its rows cannot be read alone */
}

/* x of row `row` of a patched stream. */
static uint64_t
packed_one(const codec_column *c, unsigned row)
{
  if (c->patches) {
    unsigned i = patch_from(c, row);
    if (patched_row(c, i) == row) return patch_value(c, i);
  }
  return unpack_one(c->packed, row, c->width);
}

uint64_t
codec_get(const codec_view *view, unsigned column, uint32_t row)
{
  const codec_column *c = &view->column[column];

  switch ((codec_form)c->form) {
  case CODEC_CONST:
    break;
  case CODEC_FOR:
    return c->base + c->step * packed_one(c, row);
  case CODEC_DELTA:
    return c->base + c->step * delta_first(c, row / CODEC_GROUP);
  case CODEC_RUNS:
    return run_value(c, run_of(c, row));
  case CODEC_SPLIT:
    return split_row(c, row);
  case CODEC_DICT:
    return table_at(c, row);
  }
  return c->base;
}
