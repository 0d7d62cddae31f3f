/* tests/api/fixture.h - a scratch store, seen through the public header alone. */
#ifndef QUOIN_TESTS_API_FIXTURE_H
#define QUOIN_TESTS_API_FIXTURE_H

#include <quoin/quoin.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
  char dir[64], path[80];
  quoin_store *store;
} fixture;

static inline quoin_span
text(const char *s)
{
  return (quoin_span){s, strlen(s)};
}

static inline quoin_term
iri(const char *s)
{
  return (quoin_term){.kind = QUOIN_TERM_IRI, .value = text(s)};
}

static inline quoin_term
literal(const char *s)
{
  return (quoin_term){.kind = QUOIN_TERM_LITERAL, .value = text(s)};
}

/* QUOIN_OK, or the message in the test's output. */
static inline void
good(quoin_status st, const quoin_error *err)
{
  if (st) print_error("%s: %s\n", quoin_status_name(st), err->message);
  assert_int_equal(st, QUOIN_OK);
}

static inline quoin_status
open_store(fixture *f, quoin_mode mode, quoin_error *err)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  options.mode = mode;
  return quoin_open(&f->store, f->path, &options, err);
}

static inline int
setup(void **state)
{
  fixture *f = calloc(1, sizeof(*f));
  quoin_error err = QUOIN_ERROR_INIT;

  if (!f) return -1;
  snprintf(f->dir, sizeof(f->dir), "/tmp/quoin-api-XXXXXX");
  if (!mkdtemp(f->dir)) return -1;
  snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
  *state = f;
  return open_store(f, QUOIN_CREATE_NEW, &err) ? -1 : 0;
}

static inline int
teardown(void **state)
{
  fixture *f = *state;
  char command[96];

  quoin_close(f->store);
  snprintf(command, sizeof(command), "rm -rf %s", f->dir);
  const int status = system(command);
  free(f);
  return status;
}

static inline void
load_text(fixture *f, quoin_format format, const char *data)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;

  options.format = format;
  good(quoin_load_memory(NULL, f->store, text(data), &options, &err), &err);
}

/* A quoin_write_fn into a terminated string that grows. */
typedef struct sink {
  char *data;
  size_t len;
} sink;

static inline quoin_status
sink_write(void *user, const void *data, size_t len, quoin_error *err)
{
  sink *s = user;
  (void)err;
  char *grown = realloc(s->data, s->len + len + 1);
  assert_non_null(grown);
  s->data = grown;
  if (len) memcpy(s->data + s->len, data, len);
  s->len += len;
  s->data[s->len] = '\0';
  return QUOIN_OK;
}

#endif /* QUOIN_TESTS_API_FIXTURE_H */
