/* tests/unit/test_rdfio_util.h - what the tests of rdfio share: reading a text into its N-Quads
 * form, random numbers. */
#ifndef QUOIN_TESTS_UNIT_TEST_RDFIO_UTIL_H
#define QUOIN_TESTS_UNIT_TEST_RDFIO_UTIL_H

#include "rdfio/rdfio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* xorshift64*: the same numbers everywhere. */
typedef struct test_random {
  uint64_t state;
} test_random;

static inline uint64_t
test_next(test_random *r)
{
  r->state ^= r->state >> 12;
  r->state ^= r->state << 25;
  r->state ^= r->state >> 27;
  return r->state * 0x2545F4914F6CDD1Du;
}

static inline size_t
test_below(test_random *r, size_t n)
{
  return (size_t)(test_next(r) % n);
}

/* QUOIN_SEED, else a fixed seed; printed so that a failure can be run again. */
static inline test_random
test_random_new(void)
{
  const char *given = getenv("QUOIN_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : 20261121;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)seed);
  return (test_random){seed * 0x9E3779B97F4A7C15u + 1};
}

/* What a reading gave. `text`: N-Quads, in order. */
typedef struct test_reading {
  base_buffer text;
  quoin_status status;
  quoin_error error; /* the failure, or the last bad statement in lenient mode */
  rdfio_read_result result;
  size_t bad_calls;
} test_reading;

static inline quoin_status
test_sink(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  test_reading *r = user;
  (void)err;
  for (size_t i = 0; i < n; i++) {
    for (int k = 0; k < 4; k++) {
      if (quads[i].term[k].kind == RDF_NONE) continue;
      rdf_term_write(&r->text, &quads[i].term[k]);
      base_buffer_byte(&r->text, ' ');
    }
    base_buffer_text(&r->text, ".\n");
  }
  return QUOIN_OK;
}

static inline void
test_bad(void *user, const quoin_error *err)
{
  test_reading *r = user;
  r->error = *err;
  r->bad_calls++;
}

static inline test_reading
test_read_source(rdfio_source *source, rdfio_format format, const char *base, bool lenient)
{
  test_reading r = {.error = QUOIN_ERROR_INIT};
  rdfio_read_options options = {
      .format = format, .base = base_span(base), .lenient = lenient, .bad = test_bad, .user = &r};
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer_init(&r.text, base_alloc_default());
  options.user = &r;
  r.status = rdfio_read(&r.result, source, &options, test_sink, &r, base_alloc_default(), &err);
  if (r.status) r.error = err;
  base_buffer_byte(&r.text, '\0');
  return r;
}

static inline test_reading
test_read(quoin_span text, rdfio_format format, bool lenient)
{
  rdfio_source *source = NULL;
  assert_int_equal(rdfio_source_memory(&source, text, "test", base_alloc_default(), NULL),
                   QUOIN_OK);
  test_reading r = test_read_source(source, format, "http://example.org/base/doc", lenient);
  rdfio_source_close(source);
  return r;
}

/* The text must be read, and give these N-Quads. */
static inline void
test_gives(const char *text, rdfio_format format, const char *expected)
{
  test_reading r = test_read(base_span(text), format, false);
  if (r.status) print_error("%s\n%s\n", text, r.error.message);
  assert_int_equal(r.status, QUOIN_OK);
  assert_string_equal(r.text.data, expected);
  base_buffer_clear(&r.text);
}

/* The text must be refused at this place. Column 0: anywhere in that line. */
static inline void
test_refused(const char *text, rdfio_format format, uint64_t line, uint64_t column)
{
  test_reading r = test_read(base_span(text), format, false);
  if (r.status != QUOIN_ERR_SYNTAX || r.error.line != line || (column && r.error.column != column))
    print_error("%s\n-> %d at %llu:%llu: %s\n", text, r.status, (unsigned long long)r.error.line,
                (unsigned long long)r.error.column, r.error.message);
  assert_int_equal(r.status, QUOIN_ERR_SYNTAX);
  assert_int_equal(r.error.line, line);
  if (column) assert_int_equal(r.error.column, column);
  assert_string_equal(r.error.file, "test");
  base_buffer_clear(&r.text);
}

#endif /* QUOIN_TESTS_UNIT_TEST_RDFIO_UTIL_H */
