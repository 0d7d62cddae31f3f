/* quadstore/encode.c - choosing the smallest form of each column and writing the block. */
#include "quadstore/codec.h"

#include <assert.h>

#include "base/poison.h"

enum { HEADER = 8, DESCRIPTOR = 24, DICT_MAX = 96, CLASS_MAX = 16, PATCH_BITS = 80 };

/* What one pass over a column finds. */
typedef struct column_stats {
  uint64_t min, max;
  unsigned runs;            /* of equal neighbours */
  unsigned delta_bits[65];  /* how many differences need b bits */
  unsigned offset_bits[65]; /* how many values minus min do */
} column_stats;

/* The plan for one column. */
typedef struct column_plan {
  codec_form form;
  unsigned width, code_width, patches, entries;
  uint64_t base;
  uint64_t table[128];
  size_t bits;
} column_plan;

static unsigned
bits_of(uint64_t v)
{
  return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

static unsigned
round_width(unsigned bits)
{
  return bits > 57 ? 64 : bits;
}

static void
survey(column_stats *s, const uint64_t *v, uint32_t rows)
{
  uint64_t min = v[0], max = v[0];
  unsigned runs = 1;

  memset(s, 0, sizeof *s);
  for (uint32_t i = 1; i < rows; i++) {
    min = v[i] < min ? v[i] : min;
    max = v[i] > max ? v[i] : max;
    runs += v[i] != v[i - 1];
  }
  s->min = min;
  s->max = max;
  s->runs = runs;
  if (min == max) return;
  for (uint32_t i = 0; i < rows; i++) {
    uint64_t delta = i % CODEC_GROUP ? v[i] - v[i - 1] : 0;
    s->delta_bits[bits_of(delta)]++;
    s->offset_bits[bits_of(v[i] - min)]++;
  }
}

/* The width at which `rows` values and the patches for those that need more are smallest. */
static size_t
best_width(unsigned *width, unsigned *patches, const unsigned count[65], uint32_t rows)
{
  size_t best = SIZE_MAX;
  unsigned above = 0;

  for (unsigned w = 65; w-- > 0;) {
    unsigned stored = round_width(w);
    size_t cost = (size_t)rows * stored + (size_t)above * PATCH_BITS;
    if (cost < best && (stored == w || above == 0)) {
      best = cost;
      *width = stored;
      *patches = above;
    }
    above += count[w];
  }
  return best;
}

/* Ids of doubles share sixteen codes and are one class. */
static unsigned
class_of(uint64_t v)
{
  unsigned code = (unsigned)(v >> 58);
  return (code & 0x30u) == 0x20u ? 32 : code;
}

/* One base for each kind of id. */
static void
try_class(column_plan *plan, const uint64_t *v, uint32_t rows)
{
  uint64_t min[64], max[64], seen = 0;
  unsigned classes, width = 0, n = 0;
  size_t bits;

  for (uint32_t i = 0; i < rows; i++) {
    unsigned c = class_of(v[i]);
    if (!(seen >> c & 1)) {
      seen |= UINT64_C(1) << c;
      min[c] = max[c] = v[i];
    }
    if (v[i] < min[c]) min[c] = v[i];
    if (v[i] > max[c]) max[c] = v[i];
  }
  classes = (unsigned)__builtin_popcountll(seen);
  if (classes < 2 || classes > CLASS_MAX) return;
  for (uint64_t left = seen; left; left &= left - 1) {
    unsigned c = (unsigned)__builtin_ctzll(left), b = bits_of(max[c] - min[c]);
    width = b > width ? b : width;
  }
  width = round_width(width);
  bits = (size_t)rows * (width + bits_of(classes - 1)) + (size_t)64 * classes;
  if (bits >= plan->bits) return;
  for (uint64_t left = seen; left; left &= left - 1)
    plan->table[n++] = min[__builtin_ctzll(left)];
  plan->form = CODEC_CLASS;
  plan->width = width;
  plan->code_width = bits_of(classes - 1);
  plan->entries = classes;
  plan->patches = 0;
  plan->base = seen; /* which classes: lets the encoder find codes; readers ignore it */
  plan->bits = bits;
}

/* A dictionary of the few distinct values, found by hashing; gives up once there are too many. */
static void
try_dict(column_plan *plan, const uint64_t *v, uint32_t rows)
{
  uint64_t slot[256], distinct[DICT_MAX];
  uint8_t used[256] = {0};
  unsigned n = 0;
  size_t bits;

  for (uint32_t i = 0; i < rows; i++) {
    unsigned h;
    if (i && v[i] == v[i - 1]) continue;
    h = (unsigned)((v[i] * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
    while (used[h] && slot[h] != v[i])
      h = (h + 1) & 255;
    if (used[h]) continue;
    if (n == DICT_MAX) return;
    used[h] = 1;
    slot[h] = v[i];
    distinct[n++] = v[i];
  }
  bits = (size_t)rows * bits_of(n - 1) + (size_t)64 * n;
  if (bits >= plan->bits) return;
  for (unsigned i = 1; i < n; i++) { /* insertion sort: at most 96 */
    uint64_t x = distinct[i];
    unsigned j = i;
    for (; j && distinct[j - 1] > x; j--)
      distinct[j] = distinct[j - 1];
    distinct[j] = x;
  }
  memcpy(plan->table, distinct, 8 * (size_t)n);
  plan->form = CODEC_DICT;
  plan->width = plan->patches = 0;
  plan->code_width = bits_of(n - 1);
  plan->entries = n;
  plan->base = 0;
  plan->bits = bits;
}

static void
make_plan(column_plan *plan, const uint64_t *v, uint32_t rows)
{
  column_stats s;
  unsigned width = 0, patches = 0;
  size_t bits;

  survey(&s, v, rows);
  *plan = (column_plan){.form = CODEC_CONST, .base = s.min};
  if (s.min == s.max) return;
  plan->form = CODEC_FOR;
  plan->bits = best_width(&plan->width, &plan->patches, s.offset_bits, rows);
  bits = best_width(&width, &patches, s.delta_bits, rows) +
         (size_t)64 * ((rows + CODEC_GROUP - 1) / CODEC_GROUP);
  if (bits < plan->bits) {
    plan->form = CODEC_DELTA;
    plan->width = width;
    plan->patches = patches;
    plan->bits = bits;
  }
  width = round_width(bits_of(s.max - s.min));
  bits = (size_t)s.runs * (16 + width);
  if (bits < plan->bits) {
    plan->form = CODEC_RUNS;
    plan->width = width;
    plan->patches = 0;
    plan->entries = s.runs;
    plan->bits = bits;
  }
  if (class_of(s.min) != class_of(s.max)) try_class(plan, v, rows);
  if (plan->bits > (size_t)rows * 3) try_dict(plan, v, rows);
}

/* Append `rows` values of `width` bits. */
static uint8_t *
pack(uint8_t *out, const uint64_t *v, uint32_t rows, unsigned width)
{
  uint64_t word = 0, mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
  unsigned fill = 0;

  if (!width) return out;
  for (uint32_t i = 0; i < rows; i++) {
    uint64_t x = v[i] & mask;
    word |= x << fill;
    fill += width;
    if (fill >= 64) {
      memcpy(out, &word, 8);
      out += 8;
      fill -= 64;
      word = fill ? x >> (width - fill) : 0;
    }
  }
  memcpy(out, &word, 8);
  return out + (fill + 7) / 8;
}

static uint8_t *
pack_patched(uint8_t *out, const uint64_t *v, uint32_t rows, const column_plan *plan)
{
  uint8_t *values;
  unsigned n = 0;

  out = pack(out, v, rows, plan->width);
  if (!plan->patches) return out;
  values = out + 2 * (size_t)plan->patches;
  for (uint32_t i = 0; i < rows; i++) {
    uint16_t row = (uint16_t)i;
    if (bits_of(v[i]) <= plan->width) continue;
    memcpy(out + 2 * (size_t)n, &row, 2);
    memcpy(values + 8 * (size_t)n, &v[i], 8);
    n++;
  }
  assert(n == plan->patches);
  return values + 8 * (size_t)n;
}

static unsigned
dict_code(const column_plan *plan, uint64_t v)
{
  unsigned lo = 0, hi = plan->entries;

  while (hi - lo > 1) {
    unsigned mid = (lo + hi) / 2;
    if (plan->table[mid] <= v)
      lo = mid;
    else
      hi = mid;
  }
  return lo;
}

static uint8_t *
write_runs(uint8_t *out, uint64_t *scratch, const uint64_t *v, uint32_t rows,
           const column_plan *plan)
{
  unsigned n = 0;

  for (uint32_t i = 0; i < rows; i++) {
    uint16_t end = (uint16_t)(i + 1);
    if (i + 1 < rows && v[i + 1] == v[i]) continue;
    memcpy(out, &end, 2);
    out += 2;
    scratch[n++] = v[i] - plan->base;
  }
  return pack(out, scratch, n, plan->width);
}

static uint8_t *
write_column(uint8_t *out, const uint64_t *v, uint32_t rows, const column_plan *plan)
{
  uint64_t scratch[CODEC_BLOCK], codes[CODEC_BLOCK];

  switch (plan->form) {
  case CODEC_CONST:
    return out;
  case CODEC_FOR:
    for (uint32_t i = 0; i < rows; i++)
      scratch[i] = v[i] - plan->base;
    return pack_patched(out, scratch, rows, plan);
  case CODEC_DELTA:
    for (uint32_t i = 0; i < rows; i++) {
      scratch[i] = i % CODEC_GROUP ? v[i] - v[i - 1] : 0;
      if (i % CODEC_GROUP) continue;
      memcpy(out, &v[i], 8);
      out += 8;
    }
    return pack_patched(out, scratch, rows, plan);
  case CODEC_RUNS:
    return write_runs(out, scratch, v, rows, plan);
  case CODEC_CLASS:
  case CODEC_DICT:
    for (uint32_t i = 0; i < rows; i++) {
      uint64_t below = plan->base & ((UINT64_C(1) << class_of(v[i])) - 1);
      codes[i] =
          plan->form == CODEC_CLASS ? (unsigned)__builtin_popcountll(below) : dict_code(plan, v[i]);
      scratch[i] = v[i] - plan->table[codes[i]];
    }
    memcpy(out, plan->table, 8 * (size_t)plan->entries);
    out = pack(out + 8 * (size_t)plan->entries, codes, rows, plan->code_width);
    return plan->form == CODEC_DICT ? out : pack_patched(out, scratch, rows, plan);
  }
  return out;
}

size_t
codec_encode(uint8_t *out, const uint64_t *const *cols, unsigned columns, const uint8_t *dead,
             uint32_t rows)
{
  uint8_t *at = out + HEADER + (size_t)DESCRIPTOR * columns;
  uint16_t rows16 = (uint16_t)rows;
  uint64_t sum;
  uint32_t length;

  assert(rows >= 1 && rows <= CODEC_BLOCK && columns >= 1 && columns <= 4);
  memcpy(out, &rows16, 2);
  out[2] = (uint8_t)columns;
  out[3] = dead != NULL;
  if (dead) {
    size_t bytes = (size_t)(rows + 63) / 64 * 8;
    memset(at, 0, bytes);
    for (uint32_t i = 0; i < rows; i++)
      if (dead[i]) at[i / 8] = (uint8_t)(at[i / 8] | 1u << (i % 8));
    at += bytes;
  }
  for (unsigned c = 0; c < columns; c++) {
    uint8_t *d = out + HEADER + (size_t)DESCRIPTOR * c;
    uint16_t patches, entries;
    uint32_t offset = (uint32_t)(at - out);
    column_plan plan;

    make_plan(&plan, cols[c], rows);
    patches = (uint16_t)plan.patches;
    entries = (uint16_t)plan.entries;
    memset(d, 0, DESCRIPTOR);
    d[0] = (uint8_t)plan.form;
    d[1] = (uint8_t)plan.width;
    d[2] = (uint8_t)plan.code_width;
    memcpy(d + 4, &patches, 2);
    memcpy(d + 6, &entries, 2);
    memcpy(d + 8, &offset, 4);
    memcpy(d + 16, &plan.base, 8);
    at = write_column(at, cols[c], rows, &plan);
  }
  length = (uint32_t)(at - out) + 8;
  memcpy(out + 4, &length, 4);
  sum = base_hash(out, length - 8);
  memcpy(at, &sum, 8);
  return length;
}
