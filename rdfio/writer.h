/* rdfio/writer.h - what the writers of all syntaxes share. Private. */
#ifndef QUOIN_RDFIO_WRITER_H
#define QUOIN_RDFIO_WRITER_H

#include "rdfio/prefixes.h"
#include "rdfio/rdfio.h"

/* The subject, predicate or graph that is open. RDF_NONE: the default graph, or nothing yet. */
typedef struct rdfio_open_term {
  rdf_kind kind;
  base_buffer text;
} rdfio_open_term;

struct rdfio_writer {
  const base_alloc *mem;
  rdfio_format format;
  rdfio_write_fn write;
  void *user;
  quoin_status failed; /* of `write`: nothing more is written */
  quoin_error *err;    /* of the call in progress */
  char *out;
  size_t len;
  bool base64; /* vectors */
  /* Turtle and TriG */
  bool started;                 /* a statement was written: prefixes are closed */
  bool open;                    /* a statement waits for its '.' */
  bool in_graph;                /* a '{' waits for its '}' */
  rdfio_open_term at[4];        /* object unused */
  rdfio_prefixes names, by_iri; /* name to IRI, and back */
  size_t *lengths, lengths_cap; /* of the IRIs, distinct, descending */
  size_t lengths_n;
};

enum { RDFIO_OUT_SIZE = 256 * 1024 };

void rdfio_out_flush(rdfio_writer *w);
/* The rare side of rdfio_out. */
void rdfio_out_long(rdfio_writer *w, const char *text, size_t len);

static inline void
rdfio_out(rdfio_writer *w, const char *text, size_t len)
{
  if (len > RDFIO_OUT_SIZE - w->len) {
    rdfio_out_long(w, text, len);
    return;
  }
  if (len) memcpy(w->out + w->len, text, len);
  w->len += len;
}

static inline void
rdfio_out_byte(rdfio_writer *w, char c)
{
  if (w->len == RDFIO_OUT_SIZE) rdfio_out_flush(w);
  w->out[w->len++] = c;
}

void rdfio_out_text(rdfio_writer *w, const char *text);
/* N-Triples forms. */
void rdfio_out_iri(rdfio_writer *w, quoin_span iri);
void rdfio_out_string(rdfio_writer *w, quoin_span text);
void rdfio_out_term(rdfio_writer *w, const rdf_term *term);

/* rdfio/write_turtle.c */
void rdfio_turtle_add(rdfio_writer *w, const rdfio_quad *quad);
void rdfio_turtle_finish(rdfio_writer *w);

#endif /* QUOIN_RDFIO_WRITER_H */
