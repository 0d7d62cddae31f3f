/* quadstore/narrow.c - finding a value in rows of a column that ascend, decoding as few of them as
 * can be. Blocks are hostile: what does not ascend gives rows of [*lo, *hi) all the same. */
#include "quadstore/column.h"

#include "base/poison.h"

/* So few codes are all compared: that costs less than halving, of which no outcome can be
 * predicted. */
enum { FEW = 16 };

static uint32_t
clip(uint32_t row, uint32_t lo, uint32_t hi)
{
  return row < lo ? lo : row > hi ? hi : row;
}

/* ---- runs of equal values -------------------------------------------------------------------- */

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

/* ---- differences ----------------------------------------------------------------------------- */

/* The least x whose value is >= v; false: its value is more than v, or there is none. */
static bool
to_x(uint64_t *x, const codec_column *c, uint64_t v)
{
  uint64_t above = v - c->base;

  *x = 0;
  if (v < c->base) return false;
  *x = above;
  if (c->step <= 1) return true; /* 0 is hostile, and read as 1 */
  *x = above / c->step;
  if (*x * c->step == above) return true;
  ++*x;
  return false;
}

/* Rows [*lo, *hi) of `group`, decoded whole. */
static void
narrow_wide(uint32_t *lo, uint32_t *hi, const codec_view *view, unsigned column, uint32_t group,
            uint64_t x)
{
  const codec_column *c = &view->column[column];
  uint64_t values[CODEC_GROUP], v;
  uint32_t from = group * CODEC_GROUP, end = *hi;

  if (__builtin_mul_overflow(c->step ? c->step : 1, x, &v) ||
      __builtin_add_overflow(v, c->base, &v)) { /* more than any value */
    *lo = *hi;
    return;
  }

  codec_decode(values, view, column, group);
  while (*lo < end && values[*lo - from] < v)
    ++*lo;
  for (*hi = *lo; *hi < end && values[*hi - from] == v;)
    ++*hi;
}

/* Rows [*lo, *hi) lie in `group`: leave those of x. */
static void
narrow_group(uint32_t *lo, uint32_t *hi, const codec_view *view, unsigned column, uint32_t group,
             uint64_t x)
{
  const codec_column *c = &view->column[column];
  uint32_t from = group * CODEC_GROUP, start = from, end = *hi;
  uint64_t at = delta_first(c, group);
  unsigned bound[2];

  /* from one patch to the next is a stretch of its own; among ascending rows each patch is more
   * than the row before, or it would have fitted */
  for (unsigned i = c->patches ? patch_from(c, from + 1) : 0; i < c->patches; i++) {
    uint32_t row = patched_row(c, i);
    uint64_t here = patch_value(c, i);
    if (row >= end) break;
    if (row <= start) continue; /* hostile */
    if (row > *lo && here > x) {
      end = row;
      break;
    }
    start = row;
    at = here;
  }
  if (c->width > UNPACK_STEP_BITS || at > UINT64_MAX - UINT16_MAX) { /* x may wrap before *lo */
    narrow_wide(lo, hi, view, column, group, x);
    return;
  }
  if (start > *lo) *lo = start;
  if (x < at) {
    *hi = *lo;
    return;
  }
  unpack_choose()->find_steps(bound, c->packed + (size_t)group * 16 * c->width, c->width,
                              start - from, x - at);
  *hi = clip(from + bound[1], *lo, end);
  *lo = clip(from + bound[0], *lo, end);
}

static void
narrow_delta(uint32_t *lo, uint32_t *hi, const codec_view *view, unsigned column, uint64_t v)
{
  const codec_column *c = &view->column[column];
  uint32_t first = *lo / CODEC_GROUP, last = (*hi - 1) / CODEC_GROUP, group = first, end = *hi,
           more;
  uint64_t x;
  bool exact = to_x(&x, c, v);

  for (uint32_t g = first + 1; g <= last; g++)
    group += delta_first(c, g) < x;
  if (group > first) *lo = group * CODEC_GROUP;
  if (group < last) *hi = (group + 1) * CODEC_GROUP;
  narrow_group(lo, hi, view, column, group, x);
  if (!exact) {
    *hi = *lo;
    return;
  }
  more = group;
  for (uint32_t g = group + 1; g <= last; g++)
    more += delta_first(c, g) == x;
  if (more == group) return;
  /* they go on into that group */
  uint32_t from = more * CODEC_GROUP, to = more < last ? from + CODEC_GROUP : end;
  narrow_group(&from, &to, view, column, more, x);
  *hi = to;
}

/* ---- a dictionary ---------------------------------------------------------------------------- */

/* Codes of rows [from, to) that are less than `code`, and those that are not more. */
static void
count_codes(uint32_t count[2], const codec_column *c, uint32_t from, uint32_t to, unsigned code)
{
  count[0] = count[1] = 0;
  for (uint32_t i = from; i < to; i++) {
    uint64_t here = unpack_one(c->codes, i, c->code_width);
    count[0] += here < code;
    count[1] += here <= code;
  }
}

static void
narrow_dict(uint32_t *lo, uint32_t *hi, const codec_column *c, uint64_t v)
{
  uint32_t from = *lo, to = *hi, count[2], step = FEW;
  unsigned code = 0;
  bool exact;

  for (unsigned i = 0; i < c->entries; i++)
    code += base_load_u64(c->head + 8 * (size_t)i) < v;
  exact = code < c->entries && base_load_u64(c->head + 8 * (size_t)code) == v;
  while (to - from > FEW) {
    uint32_t mid = (from + to) / 2;
    if (unpack_one(c->codes, mid, c->code_width) < code)
      from = mid + 1;
    else
      to = mid;
  }
  count_codes(count, c, from, to, code);
  *lo = from + count[0];
  if (!exact) {
    *hi = *lo;
    return;
  }
  from += count[1];
  if (from < to) { /* one that is more was seen */
    *hi = from;
    return;
  }
  /* rows before `from` hold the code or less: galloping, since few are equal, mostly */
  for (to = from; to < *hi && unpack_one(c->codes, to, c->code_width) <= code; step *= 2) {
    from = to + 1;
    to = *hi - to > step ? to + step : *hi;
  }
  while (from < to) {
    uint32_t mid = (from + to) / 2;
    if (unpack_one(c->codes, mid, c->code_width) <= code)
      from = mid + 1;
    else
      to = mid;
  }
  *hi = from;
}

/* ---- any other --------------------------------------------------------------------------------
 */

static void
narrow_rows(uint32_t *lo, uint32_t *hi, const codec_view *view, unsigned column, uint64_t v)
{
  uint32_t from = *lo, to = *hi, step = 1;

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

void
codec_narrow(uint32_t *lo, uint32_t *hi, const codec_view *view, unsigned column, uint64_t v)
{
  const codec_column *c = &view->column[column];

  if (*lo >= *hi) return;
  switch ((codec_form)c->form) {
  case CODEC_CONST:
    if (c->base < v) *lo = *hi;
    if (c->base > v) *hi = *lo;
    return;
  case CODEC_RUNS:
    narrow_runs(lo, hi, c, v);
    return;
  case CODEC_DELTA:
    narrow_delta(lo, hi, view, column, v);
    return;
  case CODEC_DICT:
    narrow_dict(lo, hi, c, v);
    return;
  case CODEC_FOR:
  case CODEC_SPLIT:
    narrow_rows(lo, hi, view, column, v);
    return;
  }
}
