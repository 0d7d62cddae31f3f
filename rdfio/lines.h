/* rdfio/lines.h - the scanner of N-Triples and N-Quads. Private.
 *
 * A chunk is a run of whole lines in memory, and all the state there is: chunks cut at line ends
 * can be scanned by several threads. Terms without escapes are spans into the chunk. The scan
 * itself is rdfio/lines_scan.h, compiled once for any processor and once with AVX2. */
#ifndef QUOIN_RDFIO_LINES_H
#define QUOIN_RDFIO_LINES_H

#include "rdfio/rdfio.h"

/* Readable (and written once) bytes that must follow a chunk; the first of them is '\n'. */
enum { RDFIO_LINES_SLACK = 64 };

typedef struct rdfio_lines {
  const char *at, *end; /* what is left of the chunk */
  uint64_t line;        /* number of the line at `at` */
  bool quads;           /* N-Quads: a graph may follow the object */
  bool places;          /* statements get their lines */
  base_arena *arena;    /* for text that had escapes */
  rdfio_quad *out;      /* statements found: n of at most cap */
  size_t n, cap;
  /* After RDFIO_LINES_BAD: where, and what was expected there. `at` is the start of that line. */
  const char *fault, *expected;
} rdfio_lines;

typedef enum rdfio_lines_end {
  RDFIO_LINES_END,  /* all of the chunk is scanned */
  RDFIO_LINES_FULL, /* out is full */
  RDFIO_LINES_BAD,  /* a bad statement */
  RDFIO_LINES_NOMEM
} rdfio_lines_end;

rdfio_lines_end rdfio_lines_scan_any(rdfio_lines *lines);
#if defined(__x86_64__) && defined(__GNUC__)
#define RDFIO_HAVE_AVX2 1
rdfio_lines_end rdfio_lines_scan_avx2(rdfio_lines *lines);
#endif

/* The rare cases, common to both. `*at` is the start of the text and becomes the place after its
 * closing '>' or '"'. False: lines->fault is set, or NULL on no memory. */
bool rdfio_lines_escaped_iri(quoin_span *out, const char **at, rdfio_lines *lines);
bool rdfio_lines_escaped_string(quoin_span *out, const char **at, rdfio_lines *lines);

#endif /* QUOIN_RDFIO_LINES_H */
