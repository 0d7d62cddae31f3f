/* quadstore/encode.c - choosing the smallest form of each column and writing the block.
 *
 * What is stored is x, where a value is base + step * x and step is the greatest common step of the
 * column: ids of decimals are multiples of 8 * 10^4 apart when all have two digits, those of
 * dateTimes in whole seconds of 4,096,000. */
#include "quadstore/codec.h"

#include <assert.h>

#include "base/poison.h"

enum { HEADER = 8, DESCRIPTOR = 24, DICT_MAX = 96, PATCH_ROW = 16 };
/* A column that starts anew more often than once in so many rows is slow to add up. */
enum { DELTA_PATCHES = 12 };

/* Rows of one kind of id in a SPLIT column. */
typedef struct class_plan {
  uint64_t min, max, gcd;
  unsigned width, rows;
  uint32_t step, at;
} class_plan;

/* The plan for one column. FOR, DELTA and RUNS store x, where a value is base + step * x. */
typedef struct column_plan {
  codec_form form;
  unsigned width, code_width, wide, patches, entries;
  uint32_t step;
  uint64_t base;
  uint64_t x[CODEC_BLOCK];
  uint64_t table[DICT_MAX];        /* DICT */
  class_plan split[CODEC_CLASSES]; /* SPLIT */
  uint64_t seen;                   /* its kinds, a bit set: which class a value is in */
  size_t bits;
} column_plan;

/* What one pass over x finds. */
typedef struct column_stats {
  unsigned runs;            /* of equal neighbours */
  unsigned delta_bits[65];  /* how many differences need b bits */
  unsigned offset_bits[65]; /* how many values do */
} column_stats;

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

/* gcd of g and d, where most of what comes is a multiple of g. */
static uint64_t
common_step(uint64_t g, uint64_t d)
{
  while (d) {
    uint64_t rest = g ? g % d : 0;
    g = d;
    d = rest;
  }
  return g;
}

/* What all v[i] - base are multiples of. Decimals, dates and times have ids that are far apart. */
static uint32_t
find_step(const uint64_t *v, uint64_t base, uint32_t rows)
{
  uint64_t g = 0;

  for (uint32_t i = 0; i < rows && g != 1; i++) {
    uint64_t d = v[i] - base;
    if (d && (!g || d % g)) g = common_step(d, g);
  }
  return g && g <= UINT32_MAX ? (uint32_t)g : 1;
}

static void
survey(column_stats *s, const uint64_t *x, uint32_t rows)
{
  memset(s, 0, sizeof *s);
  s->runs = 1;
  s->offset_bits[bits_of(x[0])]++;
  s->delta_bits[0]++;
  for (uint32_t i = 1; i < rows; i++) {
    uint64_t delta = i % CODEC_GROUP ? x[i] - x[i - 1] : 0;
    s->runs += x[i] != x[i - 1];
    s->delta_bits[bits_of(delta)]++;
    s->offset_bits[bits_of(x[i])]++;
  }
}

/* The width at which `rows` values and the patches for those that need more are smallest. */
static size_t
best_width(unsigned *width, unsigned *patches, const unsigned count[65], uint32_t rows,
           unsigned wide)
{
  size_t best = SIZE_MAX;
  unsigned above = 0;

  for (unsigned w = 65; w-- > 0;) {
    unsigned stored = round_width(w);
    size_t cost = (size_t)rows * stored + (size_t)above * (PATCH_ROW + wide);
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

/* Which class of the plan: kinds ascend as ids do. */
static unsigned
class_at(const column_plan *plan, uint64_t v)
{
  uint64_t below = plan->seen & ((UINT64_C(1) << class_of(v)) - 1);
  return (unsigned)__builtin_popcountll(below);
}

/* Each kind of id with base, step and width of its own. False: more kinds than there may be. */
static bool
survey_classes(column_plan *plan, const uint64_t *v, uint32_t rows)
{
  class_plan by_kind[64];
  uint64_t seen = 0;
  unsigned n = 0;

  for (uint32_t i = 0; i < rows; i++) {
    class_plan *c = &by_kind[class_of(v[i])];
    if (!(seen >> class_of(v[i]) & 1)) {
      seen |= UINT64_C(1) << class_of(v[i]);
      *c = (class_plan){.min = v[i], .max = v[i]};
    }
    if (c->gcd != 1 && v[i] != c->min) {
      /* from any value, not the least: differences of all have the same common steps */
      uint64_t d = v[i] > c->min ? v[i] - c->min : c->min - v[i];
      if (!c->gcd || d % c->gcd) c->gcd = common_step(d, c->gcd);
    }
    if (v[i] < c->min) c->min = v[i];
    if (v[i] > c->max) c->max = v[i];
    c->rows++;
  }
  if (__builtin_popcountll(seen) > CODEC_CLASSES) return false;
  plan->seen = seen;
  for (uint64_t left = seen; left; left &= left - 1) {
    class_plan *c = &plan->split[n++];
    *c = by_kind[__builtin_ctzll(left)];
    c->step = c->gcd && c->gcd <= UINT32_MAX ? (uint32_t)c->gcd : 1;
    c->width = round_width(bits_of((c->max - c->min) / c->step));
  }
  return true;
}

static void
try_split(column_plan *plan, const uint64_t *v, uint32_t rows)
{
  size_t groups = (rows + CODEC_GROUP - 1) / CODEC_GROUP, bits = 0;
  unsigned n, code_width;
  uint32_t at = 0;

  if (!survey_classes(plan, v, rows)) return;
  n = (unsigned)__builtin_popcountll(plan->seen);
  code_width = bits_of(n - 1);
  for (unsigned i = 0; i < n; i++) {
    class_plan *c = &plan->split[i];
    uint32_t bytes = (uint32_t)(((size_t)c->rows * c->width + 7) / 8);
    c->at = at;
    at += bytes;
  }
  bits = (size_t)8 * at + (size_t)8 * CODEC_CLASS_BYTES * n +
         8 * groups * codec_split_stride(code_width, n);
  if (bits >= plan->bits) return;
  plan->form = CODEC_SPLIT;
  plan->width = plan->patches = plan->wide = 0;
  plan->code_width = code_width;
  plan->entries = n;
  plan->base = 0;
  plan->step = 1;
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
  plan->width = plan->patches = plan->wide = 0;
  plan->code_width = bits_of(n - 1);
  plan->entries = n;
  plan->base = 0;
  plan->step = 1;
  plan->bits = bits;
}

static void
make_plan(column_plan *plan, const uint64_t *v, uint32_t rows)
{
  uint64_t min = v[0], max = v[0];
  column_stats s;
  unsigned width = 0, patches = 0;
  size_t bits;

  for (uint32_t i = 1; i < rows; i++) {
    min = v[i] < min ? v[i] : min;
    max = v[i] > max ? v[i] : max;
  }
  plan->form = CODEC_CONST;
  plan->width = plan->code_width = plan->wide = plan->patches = plan->entries = 0;
  plan->base = min;
  plan->step = 1;
  plan->bits = 0;
  if (min == max) return;
  if (class_of(min) == class_of(max)) plan->step = find_step(v, min, rows);
  for (uint32_t i = 0; i < rows; i++)
    plan->x[i] = plan->step == 1 ? v[i] - min : (v[i] - min) / plan->step;
  survey(&s, plan->x, rows);
  plan->form = CODEC_FOR;
  plan->wide = round_width(bits_of((max - min) / plan->step));
  plan->bits = best_width(&plan->width, &plan->patches, s.offset_bits, rows, plan->wide);
  bits = best_width(&width, &patches, s.delta_bits, rows, plan->wide) +
         (size_t)plan->wide * ((rows + CODEC_GROUP - 1) / CODEC_GROUP);
  if (bits < plan->bits && patches <= rows / DELTA_PATCHES) {
    plan->form = CODEC_DELTA;
    plan->width = width;
    plan->patches = patches;
    plan->bits = bits;
  }
  bits = (size_t)s.runs * (16 + plan->wide);
  if (bits < plan->bits) {
    plan->form = CODEC_RUNS;
    plan->width = plan->wide;
    plan->patches = 0;
    plan->entries = s.runs;
    plan->bits = bits;
  }
  if (class_of(min) != class_of(max)) try_split(plan, v, rows);
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

/* A stream of the plan's width; where a value needs more, x of that row in full. */
static uint8_t *
pack_patched(uint8_t *out, const uint64_t *stream, uint32_t rows, const column_plan *plan)
{
  uint64_t values[CODEC_BLOCK];
  uint32_t n = 0;

  out = pack(out, stream, rows, plan->width);
  if (!plan->patches) return out;
  for (uint32_t i = 0; i < rows; i++) {
    uint16_t row = (uint16_t)i;
    if (bits_of(stream[i]) <= plan->width) continue;
    memcpy(out, &row, 2);
    out += 2;
    values[n++] = plan->x[i];
  }
  assert(n == plan->patches);
  return pack(out, values, n, plan->wide);
}

static uint8_t *
write_delta(uint8_t *out, uint32_t rows, const column_plan *plan)
{
  uint64_t stream[CODEC_BLOCK], firsts[CODEC_GROUPS];
  uint32_t groups = 0;

  for (uint32_t i = 0; i < rows; i++) {
    stream[i] = i % CODEC_GROUP ? plan->x[i] - plan->x[i - 1] : 0;
    if (i % CODEC_GROUP == 0) firsts[groups++] = plan->x[i];
  }
  return pack_patched(pack(out, firsts, groups, plan->wide), stream, rows, plan);
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
write_dict(uint8_t *out, const uint64_t *v, uint32_t rows, const column_plan *plan)
{
  uint64_t codes[CODEC_BLOCK];

  for (uint32_t i = 0; i < rows; i++)
    codes[i] = dict_code(plan, v[i]);
  memcpy(out, plan->table, 8 * (size_t)plan->entries);
  return pack(out + 8 * (size_t)plan->entries, codes, rows, plan->code_width);
}

static uint8_t *
write_runs(uint8_t *out, uint32_t rows, const column_plan *plan)
{
  uint64_t values[CODEC_BLOCK];
  unsigned n = 0;

  for (uint32_t i = 0; i < rows; i++) {
    uint16_t end = (uint16_t)(i + 1);
    if (i + 1 < rows && plan->x[i + 1] == plan->x[i]) continue;
    memcpy(out, &end, 2);
    out += 2;
    values[n++] = plan->x[i];
  }
  return pack(out, values, n, plan->width);
}

/* The table of classes and what each group begins with: bit planes of the codes, then how many
 * rows of each class came before. */
static uint8_t *
write_split_head(uint8_t *out, const uint8_t *codes, uint32_t rows, const column_plan *plan)
{
  uint16_t before[CODEC_CLASSES] = {0};

  for (unsigned k = 0; k < plan->entries; k++, out += CODEC_CLASS_BYTES) {
    const class_plan *c = &plan->split[k];
    uint16_t at = (uint16_t)c->at;
    memset(out, 0, CODEC_CLASS_BYTES);
    memcpy(out, &c->min, 8);
    memcpy(out + 8, &c->step, 4);
    memcpy(out + 12, &at, 2);
    out[14] = (uint8_t)c->width;
  }
  for (uint32_t from = 0; from < rows; from += CODEC_GROUP) {
    uint32_t n = rows - from < CODEC_GROUP ? rows - from : CODEC_GROUP;
    size_t planes = (size_t)16 * plan->code_width;
    memset(out, 0, planes);
    memcpy(out + planes, before, 2 * (size_t)plan->entries);
    for (uint32_t i = 0; i < n; i++) {
      unsigned code = codes[from + i];
      for (unsigned j = 0; j < plan->code_width; j++)
        out[16 * j + i / 8] = (uint8_t)(out[16 * j + i / 8] | (code >> j & 1u) << (i % 8));
      before[code]++;
    }
    out += codec_split_stride(plan->code_width, plan->entries);
  }
  return out;
}

static uint8_t *
write_split(uint8_t *out, const uint64_t *v, uint32_t rows, const column_plan *plan)
{
  uint64_t values[CODEC_BLOCK];
  uint8_t codes[CODEC_BLOCK];

  for (uint32_t i = 0; i < rows; i++)
    codes[i] = (uint8_t)class_at(plan, v[i]);
  out = write_split_head(out, codes, rows, plan);
  for (unsigned k = 0; k < plan->entries; k++) {
    const class_plan *c = &plan->split[k];
    uint32_t n = 0;
    for (uint32_t i = 0; i < rows; i++)
      if (codes[i] == k) values[n++] = c->step == 1 ? v[i] - c->min : (v[i] - c->min) / c->step;
    out = pack(out, values, n, c->width);
  }
  return out;
}

static uint8_t *
write_column(uint8_t *out, const uint64_t *v, uint32_t rows, const column_plan *plan)
{
  switch (plan->form) {
  case CODEC_CONST:
    break;
  case CODEC_FOR:
    return pack_patched(out, plan->x, rows, plan);
  case CODEC_DELTA:
    return write_delta(out, rows, plan);
  case CODEC_RUNS:
    return write_runs(out, rows, plan);
  case CODEC_SPLIT:
    return write_split(out, v, rows, plan);
  case CODEC_DICT:
    return write_dict(out, v, rows, plan);
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
    d[3] = (uint8_t)plan.wide;
    memcpy(d + 4, &patches, 2);
    memcpy(d + 6, &entries, 2);
    memcpy(d + 8, &offset, 4);
    memcpy(d + 12, &plan.step, 4);
    memcpy(d + 16, &plan.base, 8);
    at = write_column(at, cols[c], rows, &plan);
  }
  length = (uint32_t)(at - out) + 8;
  memcpy(out + 4, &length, 4);
  sum = base_hash(out, length - 8);
  memcpy(at, &sum, 8);
  return length;
}
