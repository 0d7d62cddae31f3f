#include "api/handle.h"

#include <assert.h>

#include "base/poison.h"

quoin_status
api_options(void *to, size_t size, const void *from, quoin_error *err)
{
  size_t given = 0;

  if (!from) return QUOIN_OK;
  memcpy(&given, from, sizeof(given));
  if (given < sizeof(given) || given > 65536)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "struct_size of the options is %zu: start them from their _INIT macro", given);
  for (size_t i = size; i < given; i++)
    if (((const char *)from)[i])
      return base_fail(err, QUOIN_ERR_ARGUMENT,
                       "the options ask for something that this version of quoin does not know");
  memcpy(to, from, given < size ? given : size);
  memcpy(to, &size, sizeof(size));
  return QUOIN_OK;
}

quoin_status
api_status(quoin_status st, quoin_error *err)
{
  if (st < 0 && err && err->status != st)
    (void)base_fail(err, st, "ended by a callback: %s", quoin_status_name(st));
  return st;
}

base_cancel
api_cancel(const quoin_cancel *cancel)
{
  return (base_cancel){.flag = cancel ? &cancel->flag : NULL};
}

/* ---- the library ----------------------------------------------------------------------------- */

const char *
quoin_version(void)
{
  return QUOIN_VERSION;
}

const char *
quoin_status_name(quoin_status status)
{
  switch (status) {
  case QUOIN_OK:
    return "ok";
  case QUOIN_DONE:
    return "done";
  case QUOIN_ERR_ARGUMENT:
    return "bad argument";
  case QUOIN_ERR_NOMEM:
    return "out of memory";
  case QUOIN_ERR_IO:
    return "input/output error";
  case QUOIN_ERR_CORRUPT:
    return "corrupt data";
  case QUOIN_ERR_VERSION:
    return "newer file format";
  case QUOIN_ERR_BUSY:
    return "in use";
  case QUOIN_ERR_SYNTAX:
    return "syntax error";
  case QUOIN_ERR_CONFLICT:
    return "conflict";
  case QUOIN_ERR_CLOSED:
    return "closed";
  case QUOIN_ERR_TIMEOUT:
    return "timeout";
  case QUOIN_ERR_LIMIT:
    return "limit reached";
  case QUOIN_ERR_CANCELLED:
    return "cancelled";
  case QUOIN_ERR_UNSUPPORTED:
    return "not supported";
  case QUOIN_ERR_NOT_FOUND:
    return "not found";
  case QUOIN_ERR_EXISTS:
    return "exists already";
  case QUOIN_ERR_POISONED:
    return "a write failed earlier";
  case QUOIN_ERR_READ_ONLY:
    return "read-only";
  case QUOIN_ERR_NO_SPACE:
    return "no space left";
  case QUOIN_ERR_CONSTRAINT:
    return "does not fit a declaration";
  }
  return "unknown status";
}

quoin_status
quoin_cancel_new(quoin_cancel **out, quoin_error *err)
{
  if (!out) return base_fail(err, QUOIN_ERR_ARGUMENT, "out is NULL");
  *out = base_new_zero(base_alloc_default(), 1, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may set the flag");

void
quoin_cancel_request(quoin_cancel *cancel)
{
  if (cancel) atomic_store(&cancel->flag, 1);
}

void
quoin_cancel_reset(quoin_cancel *cancel)
{
  if (cancel) atomic_store(&cancel->flag, 0);
}

void
quoin_cancel_free(quoin_cancel *cancel)
{
  base_release(base_alloc_default(), cancel, 1, sizeof(*cancel));
}

quoin_format
quoin_format_by_name(const char *name)
{
  return name ? (quoin_format)rdfio_format_by_name(base_span(name)) : QUOIN_FORMAT_AUTO;
}

quoin_results
quoin_results_by_name(const char *name)
{
  return name ? (quoin_results)sparql_format_by_name(base_span(name)) : QUOIN_RESULTS_NONE;
}

static_assert((int)QUOIN_NTRIPLES == (int)RDFIO_NTRIPLES &&
                  (int)QUOIN_NQUADS == (int)RDFIO_NQUADS &&
                  (int)QUOIN_TURTLE == (int)RDFIO_TURTLE && (int)QUOIN_TRIG == (int)RDFIO_TRIG,
              "the public numbers are those of rdfio");
static_assert((int)QUOIN_RESULTS_TABLE == (int)SPARQL_TABLE &&
                  (int)QUOIN_RESULTS_JSON == (int)SPARQL_JSON &&
                  (int)QUOIN_RESULTS_TSV == (int)SPARQL_TSV &&
                  (int)QUOIN_RESULTS_NTRIPLES == (int)SPARQL_NTRIPLES &&
                  (int)QUOIN_RESULTS_NQUADS == (int)SPARQL_NQUADS,
              "the public numbers are those of sparql");

quoin_status
quoin_iri_check(quoin_span iri, quoin_error *err)
{
  return rdfio_iri_check(iri, err);
}
