/* vector/bound.c - distances that are surely not larger than the exact ones.
 *
 * Sums of n floats in any order, products rounded or fused, are within about n * 2^-24 of the sum
 * of the magnitudes of their terms (Higham 2002, 3.1), which Cauchy and Schwarz bound by the
 * product of the lengths. Twice that and some is taken off, which covers the roundings of the rest.
 * A code of i8 is within half its scale of each element, so a dot product with it within half the
 * scale times the sum of the query's magnitudes; the code of the query leaves out a vector whose
 * length is measured. Magnitudes are kept within 2^-30..2^30, where nothing overflows and what
 * underflows is far below these errors. */
#include "vector/bound.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/poison.h"

static const double UNIT = 0x1p-24, LEAST = 0x1p-60, MOST = 0x1p60; /* of squares */
/* Half a step of the code of an element; its scale is rounded to a float. */
static const double I8_HALF = 0.50002;
/* What a half leaves out of a number of its normal range, and, by its scale, of a smaller one. */
static const double F16_PART = 0x1.1p-11, F16_REST = 0x1p-25;

static double
slack(uint32_t dims)
{
  return 2 * ((double)dims + 8) * UNIT;
}

size_t
vec_bound_bytes(vec_code code, uint32_t dims)
{
  return vec_query_bytes(VEC_F32, dims) + (vec_bound_saves(code) ? vec_query_bytes(code, dims) : 0);
}

/* The length of what the code of the query differs by from `floats`. */
static double
lost_by(const vec_bound *b)
{
  double squares = 0;
  const int8_t *code = b->coded.code;
  for (uint32_t i = 0; i < b->dims && b->code == VEC_I8; i++) {
    double rest = (double)b->floats[i] - (double)b->coded.scale * code[i];
    squares += rest * rest;
  }
  return sqrt(squares);
}

void
vec_bound_set(vec_bound *out, void *space, vec_metric metric, vec_code code, const float *query,
              uint32_t dims)
{
  vec_query unit;
  vec_query_set(&unit, space, VEC_F32, metric, query, dims);
  *out = (vec_bound){
      .kernels = vec_kernels_best(), .metric = metric, .code = code, .dims = dims, .floats = space};
  double squares = 0;
  for (uint32_t i = 0; i < dims; i++) {
    double value = (double)out->floats[i];
    squares += value * value;
    out->sum += fabs(value);
  }
  out->length = sqrt(squares);
  out->coded = unit;
  out->norm_most = (float)MOST;
  out->scale_least = 0x1p-100F; /* one that is no normal float is rounded by more than its part */
  out->per_length = (slack(dims) + 4 * UNIT) * out->length; /* of floats: they are rounded, too */
  if (!vec_bound_saves(code)) return;
  void *rest = (char *)space + vec_query_bytes(VEC_F32, dims);
  vec_query_set(&out->coded, rest, code, metric, query, dims);
  out->lost = lost_by(out);
  out->per_scale = I8_HALF * out->sum * (1 + 0x1p-20);
  double part = code == VEC_I8 ? out->lost : F16_PART * out->length;
  out->per_length = part * (1 + 0x1p-20) + slack(dims) * out->length;
}

void
vec_bounds_clear(vec_bounds *b)
{
  base_release(b->mem, b->near, b->n, sizeof(*b->near));
  base_release(b->mem, b->spaces, b->bytes, 1);
  *b = (vec_bounds){.n = 0};
}

quoin_status
vec_bounds_init(vec_bounds *out, vec_metric metric, vec_code code, const float *const *queries,
                size_t n, uint32_t dims, const base_alloc *mem, quoin_error *err)
{
  size_t each = vec_bound_bytes(code, dims), bytes;
  *out = (vec_bounds){.mem = mem};
  if (!base_mul_size(&bytes, each, n) || !base_add_size(&bytes, bytes, 64))
    return base_fail_nomem(err);
  if ((out->near = base_new(mem, n, sizeof(*out->near)))) out->n = n;
  if (out->near && (out->spaces = base_new(mem, bytes, 1))) out->bytes = bytes;
  if (!out->spaces) {
    vec_bounds_clear(out);
    return base_fail_nomem(err);
  }
  char *space = out->spaces + (64 - (uintptr_t)out->spaces % 64) % 64;
  for (size_t i = 0; i < n; i++)
    vec_bound_set(&out->near[i], space + i * each, metric, code, queries[i], dims);
  return QUOIN_OK;
}

static bool
is_bounded(double squares)
{
  return squares >= LEAST && squares <= MOST; /* NaN is not */
}

/* The query has a length that sums of floats can be trusted with. */
static bool
may_bound(const vec_bound *b)
{
  return b->metric == VEC_L2 ? b->length * b->length <= MOST : is_bounded(b->length * b->length);
}

static double
bound_l2(double square, double part)
{
  if (!(square <= MOST)) return -HUGE_VAL;
  return sqrt(square) * (1 - part) - 0x1p-60;
}

void
vec_bound_floats(double *out, const vec_bound *b, float *room, const float *const *rows, size_t n)
{
  double part = slack(b->dims);
  bool known = may_bound(b);
  if (b->metric == VEC_L2)
    b->kernels->scan_l2(room, b->floats, rows, n, b->dims);
  else
    b->kernels->scan_dot(room, b->floats, rows, n, b->dims);
  for (size_t i = 0; i < n; i++) {
    if (b->metric == VEC_L2) {
      out[i] = known ? bound_l2((double)room[i], part) : -HUGE_VAL;
      continue;
    }
    double dot = (double)room[2 * i], square = (double)room[2 * i + 1], length = sqrt(square);
    if (!known || !is_bounded(square))
      out[i] = -HUGE_VAL;
    else if (b->metric == VEC_COSINE)
      out[i] = 1 - dot / length - part;
    else
      out[i] = 1 - dot - part * b->length * length - 0x1p-48 * (1 + fabs(dot));
  }
}

static double
row_double(const char *at)
{
  float value;
  memcpy(&value, at, sizeof(value));
  return (double)value;
}

/* What 1 - the dot product of a code may be off by. Under cosine the length is about 1, and a
 * root at most the mean of 1 and the square. */
static double
dot_off(const vec_bound *b, double scale, double norm)
{
  double length = b->metric == VEC_COSINE ? 0.5 + 0.5 * norm : sqrt(norm);
  double off = b->code == VEC_I8    ? b->per_scale * scale
               : b->code == VEC_F16 ? F16_REST * scale * b->sum
                                    : 0;
  return off + b->per_length * length + 16 * UNIT;
}

static double
bound_dot(const vec_bound *b, double walked, double scale, double norm)
{
  return 1 + walked - dot_off(b, scale, norm) - 8 * UNIT * fabs(walked);
}

/* What the codes leave out is a way, too. */
static double
way_of(const vec_bound *b, double scale, double norm)
{
  if (b->code == VEC_F32) return 0;
  double way = b->code == VEC_I8 ? I8_HALF * scale * sqrt((double)b->dims)
                                 : F16_PART * sqrt(norm) + F16_REST * scale * sqrt((double)b->dims);
  return (way + b->lost) * (1 + 0x1p-20);
}

/* What the square of a Euclidean distance may be off by. */
static double
square_off(const vec_bound *b, double norm)
{
  return b->code == VEC_F32 ? 0 : 64 * UNIT * (b->length * b->length + norm);
}

static double
bound_square(const vec_bound *b, double walked, double scale, double norm)
{
  if (walked < VEC_WALK_LEAST) walked = 0; /* folded: it may be less */
  double square = walked - square_off(b, norm);
  if (b->code == VEC_F32) return bound_l2(square, slack(b->dims));
  return bound_l2(square > 0 ? square : 0, slack(b->dims)) - way_of(b, scale, norm);
}

void
vec_bound_codes(double *out, const vec_bound *b, float *room, const vec_rows *rows)
{
  vec_kernels_walk(b->kernels, b->metric, b->code)(room, &b->coded, rows);
  vec_bound_walked(out, b, room, rows);
}

void
vec_bound_walked(double *out, const vec_bound *b, const float *room, const vec_rows *rows)
{
  assert(vec_bound_has(b->code));
  bool known = may_bound(b);
  const double most = (double)b->norm_most, least = (double)b->scale_least;
  for (size_t i = 0; i < rows->n; i++) {
    const char *row = rows->base + rows->stride * (rows->slots ? rows->slots[i] : i);
    const char *at = row + b->coded.code_bytes;
    double walked = (double)room[i], scale = row_double(at), norm = row_double(at + 4);
    if (!known || !(fabs(walked) <= MOST) || !(norm <= most) || !(scale >= least))
      out[i] = -HUGE_VAL;
    else if (b->metric == VEC_L2)
      out[i] = bound_square(b, walked, scale, norm);
    else
      out[i] = bound_dot(b, walked, scale, norm);
  }
}

/* ---- all rows of a block at once --------------------------------------------------------------
 */

vec_ends
vec_ends_of(const vec_bound *b, const float *ends, size_t n)
{
  vec_ends out = {.known = may_bound(b)};
  for (size_t i = 0; i < n; i++) {
    float scale = ends[2 * i], norm = ends[2 * i + 1];
    if (!(norm >= 0 && norm <= b->norm_most && scale >= b->scale_least)) out.known = false;
    out.scale = scale > out.scale ? scale : out.scale;
    out.norm = norm > out.norm ? norm : out.norm;
  }
  return out;
}

/* The bounds grow with what the walk kernel says, so that from some value on all are beyond. The
 * roundings here are of doubles, far below the 4 UNIT that are added. */
float
vec_bound_cut(const vec_bound *b, double limit, const vec_ends *ends)
{
  if (!ends->known || !(limit < HUGE_VAL)) return HUGE_VALF;
  double cut, scale = (double)ends->scale, norm = (double)ends->norm;
  if (b->metric == VEC_L2) {
    double way = limit + way_of(b, scale, norm) + 0x1p-59;
    if (way < 0) way = 0;
    cut = way / (1 - slack(b->dims));
    cut = cut * cut + square_off(b, norm);
    if (cut < VEC_WALK_LEAST) cut = VEC_WALK_LEAST; /* less is folded */
  } else {
    cut = limit - 1 + dot_off(b, scale, norm);
    cut += 16 * UNIT * fabs(cut) + 0x1p-48 * (1 + fabs(limit));
  }
  return (float)(cut + 4 * UNIT * fabs(cut) + 0x1p-120);
}
