/* sparql/results/results_out.h - bytes on their way out, through one buffer of 64 KiB. */
#ifndef QUOIN_SPARQL_RESULTS_RESULTS_OUT_H
#define QUOIN_SPARQL_RESULTS_RESULTS_OUT_H

#include "rdfio/rdfio.h"

enum { RESULTS_BUFFER = 64 * 1024 };

/* After a failure nothing more is written; who began a batch looks at `status` at its end. */
typedef struct results_out {
  rdfio_write_fn write;
  void *user;
  char *data; /* RESULTS_BUFFER bytes */
  size_t len;
  uint64_t flushes; /* how often the buffer was emptied */
  quoin_status status;
  quoin_error *err; /* of the call in progress; may be NULL */
} results_out;

void results_flush(results_out *out);
/* More than fits: the rare side of results_bytes. */
void results_long(results_out *out, const char *text, size_t len);
/* Room for n bytes (n at most RESULTS_BUFFER). */
static inline void
results_room(results_out *out, size_t n)
{
  if (n > RESULTS_BUFFER - out->len) results_flush(out);
}

static inline void
results_bytes(results_out *out, const char *text, size_t len)
{
  if (len > RESULTS_BUFFER - out->len) {
    results_long(out, text, len);
    return;
  }
  if (len) memcpy(out->data + out->len, text, len);
  out->len += len;
}

static inline void
results_span(results_out *out, quoin_span span)
{
  results_bytes(out, span.ptr, span.len);
}

static inline void
results_text(results_out *out, const char *text)
{
  results_bytes(out, text, strlen(text));
}

static inline void
results_byte(results_out *out, char c)
{
  results_room(out, 1);
  out->data[out->len++] = c;
}

/* Sets the status, once. */
void results_fail(results_out *out, quoin_status status, const char *message);

/* Bytes that some format may not copy as they are, for results_plain. */
typedef enum results_special {
  RESULTS_QUOTED, /* below U+0020, '"' and '\': strings of JSON and TSV */
  RESULTS_MARKUP  /* below U+0020, '<', '>', '&', and 0xEF (U+FFFE and U+FFFF): XML */
} results_special;
/* How many bytes from `text` on need no look. */
size_t results_plain(const char *text, size_t len, results_special special);

#endif /* QUOIN_SPARQL_RESULTS_RESULTS_OUT_H */
