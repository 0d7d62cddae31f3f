/* fuzz/rdf_read.c - any bytes as RDF: the first byte chooses the syntax and whether bad statements
 * are skipped. What is read must be well-formed, and what is refused must say where. */
#include "rdfio/rdfio.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool truth)
{
  if (!truth) abort();
}

static quoin_status
take(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  (void)err;
  for (size_t i = 0; i < n; i++) {
    const rdf_term *t = quads[i].term;
    require(t[0].kind == RDF_IRI || t[0].kind == RDF_BLANK);
    require(t[1].kind == RDF_IRI && t[2].kind != RDF_NONE && t[3].kind != RDF_LITERAL);
    for (int k = 0; k < 4; k++) {
      require(base_utf8_valid(t[k].value.ptr, t[k].value.len) == t[k].value.len);
      if (t[k].kind == RDF_IRI) require(rdfio_iri_is_absolute(t[k].value));
      if (t[k].lang.len) require(rdfio_lang_is_valid(t[k].lang));
    }
    ++*(uint64_t *)user;
  }
  return QUOIN_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const base_alloc *mem = base_alloc_default();
  quoin_error err = QUOIN_ERROR_INIT;
  rdfio_source *source = NULL;
  rdfio_read_result result;
  uint64_t taken = 0;

  if (!size) return 0;
  rdfio_read_options options = {.format = (rdfio_format)(RDFIO_NTRIPLES + data[0] % 4),
                                .base = base_span("http://example/base/"),
                                .lenient = data[0] & 4};
  quoin_span text = {(const char *)data + 1, size - 1};
  require(!rdfio_source_memory(&source, text, "input", mem, &err));
  quoin_status st = rdfio_read(&result, source, &options, take, &taken, mem, &err);
  if (st) {
    require(err.message[0]);
    if (st == QUOIN_ERR_SYNTAX) require(err.line >= 1 && err.column >= 1);
  } else {
    require(result.statements == taken);
  }
  rdfio_source_close(source);
  return 0;
}
