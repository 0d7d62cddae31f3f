/* quadstore/decode.c - reading blocks. Everything in them is hostile: codec_parse checks each
 * offset once, after which no decoder can leave the mapping. */
#include "quadstore/split.h"
#include "quadstore/unpack.h"

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

static uint64_t
unpack_one(const uint8_t *in, size_t i, unsigned width)
{
  size_t bit = i * width;
  uint64_t v = base_load_u64(in + bit / 8) >> (bit % 8);
  return width == 64 ? v : v & ((UINT64_C(1) << width) - 1);
}

/* x of the first row of `group`. */
static uint64_t
delta_first(const codec_column *c, uint32_t group)
{
  return unpack_one(c->head, group, c->wide);
}

static uint64_t
patch_value(const codec_column *c, unsigned patch)
{
  return unpack_one(c->patch, patch, c->wide);
}

/* Index of the first patch at or behind `row`. */
static unsigned
patch_from(const codec_column *c, unsigned row)
{
  unsigned lo = 0, hi = c->patches;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (codec_load_u16(c->patch_at + 2 * (size_t)mid) < row)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* The row of a patch; behind all rows when there is no such patch. */
static unsigned
patched_row(const codec_column *c, unsigned patch)
{
  return patch < c->patches ? codec_load_u16(c->patch_at + 2 * (size_t)patch) : UINT32_MAX;
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

/* Index of the run that holds `row`; entries - 1 at most. */
static unsigned
run_of(const codec_column *c, unsigned row)
{
  unsigned lo = 0, hi = c->entries - 1u;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (codec_load_u16(c->head + 2 * (size_t)mid) <= row)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static uint64_t
run_value(const codec_column *c, unsigned run)
{
  return c->base + c->step * unpack_one(c->packed, run, c->width);
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

static uint64_t
table_at(const codec_column *c, unsigned row)
{
  return base_load_u64(c->head + 8 * unpack_one(c->codes, row, c->code_width));
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

/* ---- searching ------------------------------------------------------------------------------ */

/* By runs instead of rows: those that begin in [*lo, *hi) or reach into it. */
static void
narrow_runs(uint32_t *lo, uint32_t *hi, const codec_column *c, uint64_t v)
{
  unsigned first = *lo ? run_of(c, *lo) : 0, last = run_of(c, *hi - 1), end = last + 1, run = first;
  uint32_t from;

  while (run < end) {
    unsigned mid = (run + end) / 2;
    if (run_value(c, mid) < v)
      run = mid + 1;
    else
      end = mid;
  }
  from = run > first ? codec_load_u16(c->head + 2 * (size_t)(run - 1)) : *lo;
  if (from > *hi) from = *hi; /* not ascending: hostile */
  if (from > *lo) *lo = from;
  from = *lo;
  for (; run <= last && run_value(c, run) == v; run++)
    from = codec_load_u16(c->head + 2 * (size_t)run);
  if (from < *hi) *hi = from > *lo ? from : *lo;
}

/* A place in a DELTA stream: x of `row`. */
typedef struct delta_place {
  uint64_t x;
  uint32_t row;
  unsigned patch, patched; /* the next patch behind `row`, and its row */
} delta_place;

static void
delta_start(delta_place *at, const codec_column *c, uint32_t group)
{
  at->row = group * CODEC_GROUP;
  at->x = delta_first(c, group);
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
    at->x = patch_value(c, at->patch);
    at->patched = patched_row(c, ++at->patch);
  } else {
    at->x += unpack_one(c->packed, at->row, c->width);
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

/* As many steps at once as one word has, unless a patch or a group lies between or x would reach
 * `to`. */
static bool
delta_leap(delta_place *at, const codec_column *c, unsigned n, uint32_t end, uint64_t to)
{
  uint32_t last = at->row + n;
  size_t bit = (size_t)(at->row + 1) * c->width;
  uint64_t sum;

  if (last >= end || last >= at->patched || last / CODEC_GROUP != at->row / CODEC_GROUP)
    return false;
  sum = base_load_u64(c->packed + bit / 8) >> (bit % 8) & ((UINT64_C(1) << SUM_BITS) - 1);
  sum = sum_of(sum, c->width);
  if (at->x + sum >= to) return false;
  at->x += sum;
  at->row = last;
  return true;
}

/* To the first row whose x is >= `to`, or to the last one before `end`. */
static void
delta_seek(delta_place *at, const codec_column *c, uint32_t end, uint64_t to)
{
  bool narrow = c->width == 1 || c->width == 2 || c->width == 4;
  unsigned n = narrow ? (unsigned)SUM_BITS / c->width : 8;

  while (at->x < to && at->row + 1 < end) {
    if (narrow && delta_leap(at, c, n, end, to)) continue;
    for (unsigned i = 0; i < n && at->x < to && at->row + 1 < end; i++)
      delta_step(at, c);
  }
}

/* The least x whose value is >= v; false: it is more than v, or there is none. */
static bool
to_x(uint64_t *x, const codec_column *c, uint64_t v)
{
  uint64_t above = v - c->base;

  *x = 0;
  if (v < c->base) return false;
  *x = above;
  if (c->step <= 1) return true;
  *x = above / c->step;
  if (*x * c->step == above) return true;
  ++*x;
  return false;
}

/* Without storing a value: half a group has to be added up, on average. */
static void
narrow_delta(uint32_t *lo, uint32_t *hi, const codec_column *c, uint64_t v)
{
  uint32_t last = (*hi - 1) / CODEC_GROUP, group = *lo / CODEC_GROUP, end = *hi;
  delta_place at;
  uint64_t x;
  bool exact = to_x(&x, c, v);

  while (group < last && delta_first(c, group + 1) < x)
    group++;
  delta_start(&at, c, group);
  while (at.row < *lo)
    delta_step(&at, c);
  delta_seek(&at, c, end, x);
  *lo = at.x < x ? end : at.row;
  if (*lo == end || at.x != x || !exact) {
    *hi = *lo;
    return;
  }
  for (group = at.row / CODEC_GROUP; group < last; group++)
    if (delta_first(c, group + 1) != x) break;
  if (group > at.row / CODEC_GROUP) delta_start(&at, c, group);
  while (at.x == x && at.row + 1 < end)
    delta_step(&at, c);
  *hi = at.x == x ? end : at.row;
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
