/* fuzz/results_read.h - the body of results_json.c and results_xml.c; SYNTAX says which. */
#ifndef QUOIN_FUZZ_RESULTS_READ_H
#define QUOIN_FUZZ_RESULTS_READ_H

#include "sparql/results/results_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct reading {
  size_t rows, bindings;
  uint64_t hash;
  quoin_status status;
} reading;

static void
require(bool truth)
{
  if (!truth) abort();
}

static void
mix(reading *r, quoin_span text)
{
  /* Touch every byte: a span that is not there is found. */
  for (size_t i = 0; i < text.len; i++)
    r->hash = r->hash * UINT64_C(1099511628211) + (unsigned char)text.ptr[i];
  r->hash += text.len;
}

static quoin_status
on_row(void *user, const sparql_binding *bindings, size_t n, quoin_error *err)
{
  reading *r = user;
  (void)err;
  r->rows++;
  r->bindings += n;
  for (size_t i = 0; i < n; i++) {
    const rdf_term *term = &bindings[i].term;
    require(term->kind == RDF_IRI || term->kind == RDF_BLANK || term->kind == RDF_LITERAL);
    require(term->kind == RDF_LITERAL || (!term->datatype.len && !term->lang.len));
    require(!term->datatype.len || !term->lang.len);
    mix(r, bindings[i].name);
    mix(r, term->value);
    mix(r, term->datatype);
    mix(r, term->lang);
  }
  return QUOIN_OK;
}

static quoin_status
on_boolean(void *user, bool value, quoin_error *err)
{
  (void)err;
  ((reading *)user)->hash += 1 + value;
  return QUOIN_OK;
}

static reading
read_all(const uint8_t *data, size_t size, size_t piece)
{
  reading r = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  const results_sink sink = {on_row, on_boolean, &r, 4096};
  results_reader *reader;
  r.status = results_reader_new(&reader, SYNTAX, &sink, base_alloc_default(), &err);
  require(!r.status);
  for (size_t i = 0; i < size && !r.status; i += piece)
    r.status = results_reader_feed(
        reader, (quoin_span){(const char *)data + i, size - i < piece ? size - i : piece}, &err);
  if (!r.status) r.status = results_reader_finish(reader, &err);
  require(!r.status || (err.status == r.status && err.message[0]));
  results_reader_free(reader);
  return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  reading whole = read_all(data, size, size ? size : 1);
  reading pieces = read_all(data, size, size % 7 + 1);
  /* How far a refused document was read may differ; what it says may not. */
  require((whole.status == QUOIN_OK) == (pieces.status == QUOIN_OK));
  if (!whole.status)
    require(whole.rows == pieces.rows && whole.bindings == pieces.bindings &&
            whole.hash == pieces.hash);
  return 0;
}

#endif /* QUOIN_FUZZ_RESULTS_READ_H */
