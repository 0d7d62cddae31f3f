/* quadstore/decode.c - reading blocks. Everything in them is hostile: codec_parse checks each
 * offset once, after which no decoder can leave the mapping. */
#include "quadstore/codec.h"

#include "base/poison.h"

enum { HEADER = 8, DESCRIPTOR = 24 };

static uint16_t
load_u16(const uint8_t *at)
{
  uint16_t v;
  memcpy(&v, at, 2);
  return v;
}

bool
codec_verify(const uint8_t *data, size_t length)
{
  return length >= HEADER + 8 && base_hash(data, length - 8) == base_load_u64(data + length - 8);
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

static bool
parse_column(codec_column *c, const uint8_t *d, uint32_t rows, const uint8_t *data, size_t length,
             size_t available)
{
  size_t at = base_load_u32(d + 8);
  size_t groups = (rows + CODEC_GROUP - 1) / CODEC_GROUP;
  size_t values;

  c->form = d[0];
  c->width = d[1];
  c->code_width = d[2];
  c->patches = load_u16(d + 4);
  c->entries = load_u16(d + 6);
  c->base = base_load_u64(d + 16);
  c->table = c->firsts = c->ends = c->codes = c->packed = c->patch_at = c->patch = NULL;
  if (c->form > CODEC_DICT || (c->width > 57 && c->width != 64) || c->code_width > 7) return false;
  if (c->form == CODEC_CONST) return true;
  if (c->patches > rows || c->entries > rows) return false;
  if (at > length) return false;
  if (c->form == CODEC_CLASS || c->form == CODEC_DICT) {
    size_t codes = (size_t)16 * c->code_width * groups + 8;
    c->table =
        take(data, &at, (size_t)8 * c->entries, (size_t)8 << c->code_width, length, available);
    if (!c->table) return false;
    c->codes = take(data, &at, ((size_t)rows * c->code_width + 7) / 8, codes, length, available);
    if (!c->codes) return false;
    if (c->form == CODEC_DICT) return true;
  }
  if (c->form == CODEC_DELTA) {
    c->firsts = take(data, &at, 8 * groups, 8 * groups, length, available);
    if (!c->firsts) return false;
  }
  values = rows;
  if (c->form == CODEC_RUNS) {
    if (!c->entries) return false;
    c->ends = take(data, &at, (size_t)2 * c->entries, (size_t)2 * c->entries, length, available);
    if (!c->ends) return false;
    values = c->entries;
    groups = (values + CODEC_GROUP - 1) / CODEC_GROUP;
  }
  c->packed = take(data, &at, (values * c->width + 7) / 8, (size_t)16 * c->width * groups + 8,
                   length, available);
  if (!c->packed) return false;
  c->patch_at = take(data, &at, (size_t)2 * c->patches, (size_t)2 * c->patches, length, available);
  if (!c->patch_at) return false;
  c->patch = take(data, &at, (size_t)8 * c->patches, (size_t)8 * c->patches, length, available);
  return c->patch != NULL;
}

bool
codec_parse(codec_view *view, const uint8_t *data, size_t length, size_t available)
{
  size_t body, dead;

  if (length < HEADER + 8 || length > available) return false;
  view->rows = load_u16(data);
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

/* Put the values that did not fit their width in place. */
static void
apply_patches(uint64_t out[CODEC_GROUP], const codec_column *c, unsigned group)
{
  unsigned lo = 0, hi = c->patches, first = group * CODEC_GROUP;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (load_u16(c->patch_at + 2 * (size_t)mid) < first)
      lo = mid + 1;
    else
      hi = mid;
  }
  for (; lo < c->patches; lo++) {
    unsigned row = load_u16(c->patch_at + 2 * (size_t)lo) - first;
    if (row >= CODEC_GROUP) break;
    out[row] = base_load_u64(c->patch + 8 * (size_t)lo);
  }
}

static uint64_t
unpack_one(const uint8_t *in, size_t i, unsigned width)
{
  size_t bit = i * width;
  uint64_t v = base_load_u64(in + bit / 8) >> (bit % 8);
  return width == 64 ? v : v & ((UINT64_C(1) << width) - 1);
}

/* Index of the run that holds `row`; entries - 1 at most. */
static unsigned
run_of(const codec_column *c, unsigned row)
{
  unsigned lo = 0, hi = c->entries - 1u;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (load_u16(c->ends + 2 * (size_t)mid) <= row)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static void
decode_runs(uint64_t out[CODEC_GROUP], const codec_column *c, unsigned group)
{
  unsigned row = group * CODEC_GROUP, end = row + CODEC_GROUP, i = 0;

  for (unsigned run = run_of(c, row); run < c->entries && row < end; run++) {
    uint64_t v = c->base + unpack_one(c->packed, run, c->width);
    unsigned stop = load_u16(c->ends + 2 * (size_t)run);
    if (stop > end) stop = end;
    for (; row < stop; row++)
      out[i++] = v;
  }
  while (i < CODEC_GROUP)
    out[i++] = c->base;
}

void
codec_decode(uint64_t out[CODEC_GROUP], const codec_view *view, unsigned column, unsigned group)
{
  const codec_column *c = &view->column[column];
  /* A column without packed bits has no stream to point into. */
  const uint8_t *in = c->packed ? c->packed + (size_t)group * 16 * c->width : NULL;

  switch ((codec_form)c->form) {
  case CODEC_CONST:
    codec_unpack(out, NULL, 0, c->base);
    return;
  case CODEC_FOR:
    if (!c->patches) {
      codec_unpack(out, in, c->width, c->base);
      return;
    }
    codec_unpack(out, in, c->width, 0);
    apply_patches(out, c, group);
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] += c->base;
    return;
  case CODEC_DELTA: {
    uint64_t v = base_load_u64(c->firsts + 8 * (size_t)group);
    codec_unpack(out, in, c->width, 0);
    if (c->patches) apply_patches(out, c, group);
    out[0] = v;
    for (unsigned i = 1; i < CODEC_GROUP; i++)
      out[i] = v += out[i];
    return;
  }
  case CODEC_RUNS:
    decode_runs(out, c, group);
    return;
  case CODEC_CLASS: {
    uint64_t codes[CODEC_GROUP];
    codec_unpack(codes, c->codes + (size_t)group * 16 * c->code_width, c->code_width, 0);
    codec_unpack(out, in, c->width, 0);
    if (c->patches) apply_patches(out, c, group);
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] += base_load_u64(c->table + 8 * codes[i]);
    return;
  }
  case CODEC_DICT:
    codec_unpack(out, c->codes + (size_t)group * 16 * c->code_width, c->code_width, 0);
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] = base_load_u64(c->table + 8 * out[i]);
    return;
  }
}

/* Row `row` of a patched stream. */
static uint64_t
packed_one(const codec_column *c, unsigned row)
{
  unsigned lo = 0, hi = c->patches;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2, at = load_u16(c->patch_at + 2 * (size_t)mid);
    if (at == row) return base_load_u64(c->patch + 8 * (size_t)mid);
    if (at < row)
      lo = mid + 1;
    else
      hi = mid;
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
    return c->base + packed_one(c, row);
  case CODEC_DELTA:
    return base_load_u64(c->firsts + 8 * (size_t)(row / CODEC_GROUP));
  case CODEC_RUNS:
    return c->base + unpack_one(c->packed, run_of(c, row), c->width);
  case CODEC_CLASS:
    return base_load_u64(c->table + 8 * unpack_one(c->codes, row, c->code_width)) +
           packed_one(c, row);
  case CODEC_DICT:
    return base_load_u64(c->table + 8 * unpack_one(c->codes, row, c->code_width));
  }
  return c->base;
}
