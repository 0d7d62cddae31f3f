/* quadstore/decode.c - reading blocks. Everything in them is hostile: codec_parse checks each
 * offset once, after which no decoder can leave the mapping. */
#include "quadstore/codec.h"

#include <assert.h>

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

/* Index of the first patch at or behind `row`. */
static unsigned
patch_from(const codec_column *c, unsigned row)
{
  unsigned lo = 0, hi = c->patches;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (load_u16(c->patch_at + 2 * (size_t)mid) < row)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* Put the values of rows [from, to) that did not fit their width in place; out[0] is row `from`. */
static void
apply_patches(uint64_t *out, const codec_column *c, unsigned from, unsigned to)
{
  for (unsigned i = patch_from(c, from); i < c->patches; i++) {
    unsigned row = load_u16(c->patch_at + 2 * (size_t)i);
    if (row < from) continue; /* not ascending: hostile */
    if (row >= to) break;
    out[row - from] = base_load_u64(c->patch + 8 * (size_t)i);
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
decode_runs(uint64_t *out, const codec_column *c, unsigned from, unsigned to)
{
  unsigned row = from;

  for (unsigned run = run_of(c, row); run < c->entries && row < to; run++) {
    uint64_t v = c->base + unpack_one(c->packed, run, c->width);
    unsigned stop = load_u16(c->ends + 2 * (size_t)run);
    if (stop > to) stop = to;
    for (; row < stop; row++)
      *out++ = v;
  }
  for (; row < to; row++)
    *out++ = c->base;
}

void
codec_decode(uint64_t out[CODEC_GROUP], const codec_view *view, unsigned column, unsigned group)
{
  const codec_column *c = &view->column[column];
  unsigned from = group * CODEC_GROUP, to = from + CODEC_GROUP;
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
    apply_patches(out, c, from, to);
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] += c->base;
    return;
  case CODEC_DELTA: {
    uint64_t v = base_load_u64(c->firsts + 8 * (size_t)group);
    codec_unpack(out, in, c->width, 0);
    if (c->patches) apply_patches(out, c, from, to);
    out[0] = v;
    for (unsigned i = 1; i < CODEC_GROUP; i++)
      out[i] = v += out[i];
    return;
  }
  case CODEC_RUNS:
    decode_runs(out, c, from, to);
    return;
  case CODEC_CLASS: {
    uint64_t codes[CODEC_GROUP];
    codec_unpack(codes, c->codes + (size_t)group * 16 * c->code_width, c->code_width, 0);
    codec_unpack(out, in, c->width, 0);
    if (c->patches) apply_patches(out, c, from, to);
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

/* ---- few rows ------------------------------------------------------------------------------- */

static uint64_t
table_at(const codec_column *c, unsigned row)
{
  return base_load_u64(c->table + 8 * unpack_one(c->codes, row, c->code_width));
}

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
  case CODEC_CLASS:
    for (uint32_t i = from; i < to; i++)
      out[i - from] = unpack_one(c->packed, i, c->width);
    if (c->patches) apply_patches(out, c, from, to);
    for (uint32_t i = from; i < to; i++)
      out[i - from] += c->form == CODEC_FOR ? c->base : table_at(c, i);
    return;
  case CODEC_RUNS:
    decode_runs(out, c, from, to);
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

/* Row `row` of a patched stream. */
static uint64_t
packed_one(const codec_column *c, unsigned row)
{
  unsigned i;

  if (!c->patches) return unpack_one(c->packed, row, c->width);
  i = patch_from(c, row);
  if (i < c->patches && load_u16(c->patch_at + 2 * (size_t)i) == row)
    return base_load_u64(c->patch + 8 * (size_t)i);
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
    return table_at(c, row) + packed_one(c, row);
  case CODEC_DICT:
    return table_at(c, row);
  }
  return c->base;
}

/* ---- searching ------------------------------------------------------------------------------ */

/* By runs instead of rows: those that begin in [*lo, *hi) or reach into it. */
static void
narrow_runs(uint32_t *lo, uint32_t *hi, const codec_column *c, uint64_t v)
{
  unsigned first = *lo ? run_of(c, *lo) : 0, last = run_of(c, *hi - 1), end = last + 1, run = first;
  uint32_t from;

  while (run < end) {
    unsigned mid = (run + end) / 2;
    if (c->base + unpack_one(c->packed, mid, c->width) < v)
      run = mid + 1;
    else
      end = mid;
  }
  from = run > first ? load_u16(c->ends + 2 * (size_t)(run - 1)) : *lo;
  if (from > *hi) from = *hi; /* not ascending: hostile */
  if (from > *lo) *lo = from;
  from = *lo;
  for (; run <= last && c->base + unpack_one(c->packed, run, c->width) == v; run++)
    from = load_u16(c->ends + 2 * (size_t)run);
  if (from < *hi) *hi = from > *lo ? from : *lo;
}

/* A place in a DELTA stream: the value of `row`. */
typedef struct delta_place {
  uint64_t v;
  uint32_t row;
  unsigned patch, patched; /* the next patch behind `row`, and its row */
} delta_place;

static unsigned
patched_row(const codec_column *c, unsigned patch)
{
  return patch < c->patches ? load_u16(c->patch_at + 2 * (size_t)patch) : UINT32_MAX;
}

static void
delta_start(delta_place *at, const codec_column *c, uint32_t group)
{
  at->row = group * CODEC_GROUP;
  at->v = base_load_u64(c->firsts + 8 * (size_t)group);
  at->patch = c->patches ? patch_from(c, at->row + 1) : 0;
  at->patched = patched_row(c, at->patch);
}

/* To the next row, which must be one of the block. */
static inline void
delta_step(delta_place *at, const codec_column *c)
{
  at->row++;
  if (at->row % CODEC_GROUP == 0) {
    delta_start(at, c, at->row / CODEC_GROUP);
  } else if (at->row == at->patched) {
    at->v += base_load_u64(c->patch + 8 * (size_t)at->patch);
    at->patched = patched_row(c, ++at->patch);
  } else {
    at->v += unpack_one(c->packed, at->row, c->width);
  }
}

/* Values of so few bits are added up 56 bits at once. */
enum { SUM_BITS = 56 };

static uint64_t
sum_of(uint64_t x, unsigned width)
{
  if (width == 1) x = (x & UINT64_C(0x5555555555555555)) + (x >> 1 & UINT64_C(0x5555555555555555));
  if (width <= 2) x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
  x = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) + (x >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f));
  return x * UINT64_C(0x0101010101010101) >> 56; /* at most 14 * 15 */
}

/* As many steps at once as one word has, unless a patch or a group lies between or the value would
 * reach v. */
static bool
delta_leap(delta_place *at, const codec_column *c, unsigned n, uint32_t end, uint64_t v)
{
  uint32_t last = at->row + n;
  size_t bit = (size_t)(at->row + 1) * c->width;
  uint64_t sum;

  if (last >= end || last >= at->patched || last / CODEC_GROUP != at->row / CODEC_GROUP)
    return false;
  sum = base_load_u64(c->packed + bit / 8) >> (bit % 8) & ((UINT64_C(1) << SUM_BITS) - 1);
  sum = sum_of(sum, c->width);
  if (at->v + sum >= v) return false;
  at->v += sum;
  at->row = last;
  return true;
}

/* To the first row whose value is >= v, or to the last one before `end`. */
static void
delta_seek(delta_place *at, const codec_column *c, uint32_t end, uint64_t v)
{
  bool narrow = c->width == 1 || c->width == 2 || c->width == 4;
  unsigned n = narrow ? (unsigned)SUM_BITS / c->width : 8;

  while (at->v < v && at->row + 1 < end) {
    if (narrow && delta_leap(at, c, n, end, v)) continue;
    for (unsigned i = 0; i < n && at->v < v && at->row + 1 < end; i++)
      delta_step(at, c);
  }
}

/* Without storing a value: half a group has to be added up, on average. */
static void
narrow_delta(uint32_t *lo, uint32_t *hi, const codec_column *c, uint64_t v)
{
  uint32_t last = (*hi - 1) / CODEC_GROUP, group = *lo / CODEC_GROUP, end = *hi;
  delta_place at;

  while (group < last && base_load_u64(c->firsts + 8 * (size_t)(group + 1)) < v)
    group++;
  delta_start(&at, c, group);
  while (at.row < *lo)
    delta_step(&at, c);
  delta_seek(&at, c, end, v);
  *lo = at.v < v ? end : at.row;
  if (*lo == end || at.v != v) {
    *hi = *lo;
    return;
  }
  for (group = at.row / CODEC_GROUP; group < last; group++)
    if (base_load_u64(c->firsts + 8 * (size_t)(group + 1)) != v) break;
  if (group > at.row / CODEC_GROUP) delta_start(&at, c, group);
  while (at.v == v && at.row + 1 < end)
    delta_step(&at, c);
  *hi = at.v == v ? end : at.row;
}

void
codec_narrow(uint32_t *lo, uint32_t *hi, const codec_view *view, unsigned column, uint64_t v)
{
  const codec_column *c = &view->column[column];
  uint32_t from = *lo, to = *hi, step = 1;

  if (from >= to) return;
  if (c->form == CODEC_RUNS) {
    narrow_runs(lo, hi, c, v);
    return;
  }
  if (c->form == CODEC_DELTA) {
    narrow_delta(lo, hi, c, v);
    return;
  }
  if (c->form == CODEC_CONST) {
    if (c->base < v) *lo = to;
    if (c->base > v) *hi = from;
    return;
  }
  while (from < to) {
    uint32_t mid = (from + to) / 2;
    if (codec_get(view, column, mid) < v)
      from = mid + 1;
    else
      to = mid;
  }
  *lo = to = from;
  while (to < *hi && codec_get(view, column, to) == v) { /* few rows are equal, mostly */
    from = to;
    to += step;
    step *= 2;
  }
  if (to > *hi) to = *hi;
  if (step > 1) from++;
  while (from < to) {
    uint32_t mid = (from + to) / 2;
    if (codec_get(view, column, mid) == v)
      from = mid + 1;
    else
      to = mid;
  }
  *hi = from;
}
