/* The block codec against the columns that went in, and against bytes that lie. */
#include "quadstore/unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t state;

static uint64_t
draw(void)
{
  state += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(state);
}

/* The shapes that columns of ids take. */
static void
fill(uint64_t *v, uint32_t rows, unsigned shape)
{
  uint64_t x = UINT64_C(3) << 58 | (draw() & 0xfffff);

  for (uint32_t i = 0; i < rows; i++) {
    switch (shape) {
    case 0: /* constant */
      v[i] = x;
      break;
    case 1: /* ascending with small steps */
      v[i] = x += draw() % 3;
      break;
    case 2: /* random in 20 bits */
      v[i] = UINT64_C(3) << 58 | (draw() & 0xfffff);
      break;
    case 3: /* mixed kinds */
      v[i] = (3 + draw() % 4) << 58 | (draw() & 0xffff);
      break;
    case 4: /* few values */
      v[i] = UINT64_C(3) << 58 | base_mix(draw() % 17) >> 40;
      break;
    case 5: /* long runs */
      if (draw() % 50 == 0) x = draw() >> 4;
      v[i] = x;
      break;
    case 6: /* anything */
      v[i] = draw();
      break;
    case 7: /* ascending, starting anew now and then */
      x = draw() % 100 ? x + draw() % 9 : UINT64_C(3) << 58 | (draw() & 0xfff);
      v[i] = x;
      break;
    case 9: /* multiples, of each kind its own */
      v[i] = 3 + draw() % 3;
      v[i] = v[i] << 58 | (draw() % 5000 * (v[i] == 3 ? 1 : v[i] == 4 ? 80000 : 4096000) + v[i]);
      break;
    case 10: /* multiples, ascending */
      v[i] = x += 80000 * (draw() % 90 ? draw() % 7 : draw() % 9999);
      break;
    case 8: /* small with outliers */
      v[i] = draw() % 64 ? 1000 + draw() % 100 : draw();
      break;
    default: /* around the limits */
      v[i] = draw() % 2 ? UINT64_MAX - draw() % 5 : draw() % 5;
      break;
    }
  }
}

enum { SHAPES = 12 };

static void
check_block(const uint64_t *const *cols, unsigned columns, const uint8_t *dead, uint32_t rows)
{
  static uint8_t data[CODEC_MAX + CODEC_SLACK];
  uint64_t out[CODEC_GROUP];
  codec_view view;
  size_t length = codec_encode(data, cols, columns, dead, rows);

  assert_true(length <= CODEC_MAX);
  assert_true(codec_verify(data, length));
  assert_true(codec_parse(&view, data, length, sizeof data));
  assert_int_equal(view.rows, rows);
  assert_int_equal(view.columns, columns);
  for (unsigned c = 0; c < columns; c++)
    for (uint32_t i = 0; i < rows; i++) {
      if (i % CODEC_GROUP == 0) {
        codec_decode(out, &view, c, i / CODEC_GROUP);
      }
      if (i % CODEC_GROUP == 0 || view.column[c].form != CODEC_DELTA)
        assert_int_equal(codec_get(&view, c, i), cols[c][i]);
      assert_int_equal(out[i % CODEC_GROUP], cols[c][i]);
    }
  for (unsigned c = 0; c < columns; c++) {
    uint32_t from = (uint32_t)(draw() % rows), n = 1 + (uint32_t)(draw() % (rows - from));
    uint64_t few[CODEC_BLOCK];
    if (view.column[c].form == CODEC_DELTA) continue;
    codec_decode_rows(few, &view, c, from, from + n);
    assert_memory_equal(few, cols[c] + from, 8 * (size_t)n);
  }
  assert_int_equal(view.dead != NULL, dead != NULL);
  for (uint32_t i = 0; dead && i < rows; i++)
    assert_int_equal(view.dead[i / 8] >> (i % 8) & 1, dead[i]);
}

static void
test_codec__round_trips(void **unused)
{
  static uint64_t col[4][CODEC_BLOCK];
  static uint8_t dead[CODEC_BLOCK];
  const uint64_t *cols[4] = {col[0], col[1], col[2], col[3]};

  (void)unused;
  for (unsigned round = 0; round < 600; round++) {
    uint32_t rows = round % 3 ? 1 + (uint32_t)(draw() % CODEC_BLOCK) : CODEC_BLOCK;
    unsigned columns = 1 + (unsigned)(draw() % 4);
    if (round < 20) rows = 1 + round;
    for (unsigned c = 0; c < columns; c++)
      fill(col[c], rows, (round + c) % SHAPES);
    for (uint32_t i = 0; i < rows; i++)
      dead[i] = draw() % 4 == 0;
    check_block(cols, columns, round % 5 ? NULL : dead, rows);
  }
}

static void
test_codec__every_width(void **unused)
{
  static uint64_t col[CODEC_BLOCK];
  const uint64_t *cols[1] = {col};

  (void)unused;
  for (unsigned bits = 0; bits <= 64; bits++)
    for (uint32_t rows = 1; rows <= CODEC_BLOCK; rows += 31) {
      for (uint32_t i = 0; i < rows; i++)
        col[i] = bits ? draw() >> (64 - bits) : 0;
      check_block(cols, 1, NULL, rows);
    }
}

/* Rows that ascend within a column of any shape: those that hold a value, or its place. */
static void
check_narrow(const codec_view *view, const uint64_t *v, uint32_t rows)
{
  uint32_t lo = draw() % 3 ? (uint32_t)(draw() % rows) : 0, hi = lo + 1, from, to, a, b;
  uint64_t value;

  while (hi < rows && v[hi] >= v[hi - 1] && draw() % 500)
    hi++;
  value = v[lo + draw() % (hi - lo)] + draw() % 3 - 1;
  a = lo;
  b = hi;
  codec_narrow(&a, &b, view, 0, value);
  for (from = lo; from < hi && v[from] < value; from++)
    ;
  for (to = from; to < hi && v[to] == value; to++)
    ;
  assert_int_equal(a, from);
  assert_int_equal(b, to);
}

static void
test_codec__narrow(void **unused)
{
  static uint64_t v[CODEC_BLOCK];
  static uint8_t data[CODEC_MAX + CODEC_SLACK];
  const uint64_t *cols[1] = {v};
  unsigned forms[CODEC_DICT + 1] = {0};

  (void)unused;
  for (unsigned round = 0; round < 2000; round++) {
    uint32_t rows = round % 3 ? 1 + (uint32_t)(draw() % CODEC_BLOCK) : CODEC_BLOCK;
    codec_view view;
    if (round % 2) { /* ascending: how rarely, how far, how rarely far */
      uint64_t x = draw() >> 20, rare = 1 + draw() % 20, far = 2 + draw() % 9;
      uint64_t jumps = 1 + draw() % 200;
      for (uint32_t i = 0; i < rows; i++)
        v[i] = x += (draw() % rare ? 0 : draw() % far) + (draw() % jumps ? 0 : draw() % 100000);
    } else {
      fill(v, rows, round / 2 % SHAPES);
    }
    size_t length = codec_encode(data, cols, 1, NULL, rows);
    assert_true(codec_parse(&view, data, length, sizeof data));
    forms[view.column[0].form]++;
    for (unsigned i = 0; i < 40; i++)
      check_narrow(&view, v, rows);
  }
  for (unsigned i = 0; i <= CODEC_DICT; i++)
    assert_true(forms[i] > 0);
}

/* A damaged block fails its checksum; with a right checksum it is refused or decodes to something,
 * within bounds (the sanitizers watch). */
static void
test_codec__damage_stays_within_bounds(void **unused)
{
  static uint64_t col[4][CODEC_BLOCK];
  const uint64_t *cols[4] = {col[0], col[1], col[2], col[3]};
  uint64_t out[CODEC_GROUP];

  (void)unused;
  for (unsigned round = 0; round < 3000; round++) {
    uint32_t rows = 1 + (uint32_t)(draw() % CODEC_BLOCK);
    size_t room = CODEC_MAX + CODEC_SLACK, length, at;
    uint8_t *data = malloc(room), *exact;
    uint64_t sum;
    codec_view view;
    for (unsigned c = 0; c < 3; c++)
      fill(col[c], rows, (unsigned)(draw() % SHAPES));
    length = codec_encode(data, cols, 3, NULL, rows);
    at = draw() % 2 ? (size_t)(draw() % 80) : (size_t)(draw() % length);
    if (at >= length) at = length - 1;
    exact = malloc(length + CODEC_SLACK);
    memcpy(exact, data, length);
    memset(exact + length, 0, CODEC_SLACK);
    free(data);
    exact[at] ^= (uint8_t)(1 + draw() % 255);
    assert_false(codec_verify(exact, length));
    sum = base_hash(exact, length - 8);
    memcpy(exact + length - 8, &sum, 8);
    if (codec_parse(&view, exact, length, length + CODEC_SLACK))
      for (unsigned c = 0; c < view.columns; c++)
        for (unsigned g = 0; g * CODEC_GROUP < view.rows; g++) {
          codec_decode(out, &view, c, g);
          (void)codec_get(&view, c, g * CODEC_GROUP);
          uint32_t lo = (uint32_t)(draw() % view.rows), hi = lo;
          hi += (uint32_t)(draw() % (view.rows - lo));
          if (view.column[c].form != CODEC_DELTA && hi - lo < CODEC_GROUP)
            codec_decode_rows(out, &view, c, lo, hi);
          codec_narrow(&lo, &hi, &view, c, draw() % 2 ? out[0] : draw());
          assert_true(lo <= hi && hi <= view.rows);
        }
    assert_false(codec_parse(&view, exact, (size_t)(draw() % 16), length));
    free(exact);
  }
}

/* What the processor's own instructions give is what the portable loops give. */
static void
test_codec__kernels_agree(void **unused)
{
  const unpack_kernels *fast = unpack_choose(), *plain = &unpack_portable;
  static uint64_t words[CODEC_GROUP + UNPACK_REACH];
  uint8_t *in = (uint8_t *)words;
  uint64_t a[CODEC_GROUP + UNPACK_ROOM], b[CODEC_GROUP + UNPACK_ROOM];

  (void)unused;
  for (unsigned round = 0; round < 4000; round++) {
    unsigned width = round % 65, bit = (unsigned)(draw() % 8), n = 1 + (unsigned)(draw() % 128);
    uint64_t base = draw(), step = draw() % 3 ? 1 : draw() >> 32, rows = draw() & draw();
    if (width > 57) width = 64;
    if (width == 64) bit = 0;
    if (round % 3 == 0) n = CODEC_GROUP;
    for (size_t i = 0; i < sizeof words; i++)
      in[i] = (uint8_t)draw();
    plain->unpack(a, n, in, bit, width, base, step);
    fast->unpack(b, n, in, bit, width, base, step);
    assert_memory_equal(a, b, 8 * (size_t)n);
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      a[i] = b[i] = draw();
    plain->sum(a);
    fast->sum(b);
    assert_memory_equal(a, b, sizeof(uint64_t) * CODEC_GROUP);
    for (unsigned i = 0; i < CODEC_GROUP + UNPACK_ROOM; i++)
      a[i] = b[i] = i;
    plain->spread(a, rows, words);
    fast->spread(b, rows, words);
    assert_memory_equal(a, b, sizeof a);
    unsigned x[2], y[2], from = (unsigned)(draw() % CODEC_GROUP);
    uint64_t ahead = draw() >> (draw() % 16 ? 48 + draw() % 16 : 0);
    width %= UNPACK_STEP_BITS + 1;
    plain->find_steps(x, in, width, from, ahead);
    fast->find_steps(y, in, width, from, ahead);
    assert_memory_equal(x, y, sizeof x);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_codec__round_trips),
      cmocka_unit_test(test_codec__every_width),
      cmocka_unit_test(test_codec__kernels_agree),
      cmocka_unit_test(test_codec__narrow),
      cmocka_unit_test(test_codec__damage_stays_within_bounds),
  };
  const char *seed = getenv("QUOIN_SEED");

  state = seed ? strtoull(seed, NULL, 10) : 1;
  printf("seed %llu\n", (unsigned long long)state);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
