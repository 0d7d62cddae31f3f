/* rdfio/rdfio.h - RDF syntaxes in and out, compressed input, IRIs. The door of the module.
 *
 * N-Triples and N-Quads are read by a scanner of our own, Turtle and TriG by serd behind an adapter
 * (sole user of serd) with validation on top where serd is laxer than the W3C grammar. */
#ifndef QUOIN_RDFIO_RDFIO_H
#define QUOIN_RDFIO_RDFIO_H

#include "atomstore/atomstore.h"

typedef enum rdfio_format {
  RDFIO_UNKNOWN = 0,
  RDFIO_NTRIPLES,
  RDFIO_NQUADS,
  RDFIO_TURTLE,
  RDFIO_TRIG
} rdfio_format;

/* By name: nt nq ttl trig, ntriples nquads turtle, or a media type. UNKNOWN if none. */
rdfio_format rdfio_format_by_name(quoin_span name);
/* By the ending of a path, after .gz .bz2 .xz .zst is taken off (.nt .nq .ttl .trig .n3 is not
 * one). */
rdfio_format rdfio_format_by_path(const char *path);

/* ---- bytes in: files, standard input, memory, a callback; decompressed by content ------------ */

typedef struct rdfio_source rdfio_source;
/* Fill up to `cap` bytes; *got 0 is the end. A failure ends the reading with that status. */
typedef quoin_status (*rdfio_read_fn)(size_t *got, void *user, void *data, size_t cap,
                                      quoin_error *err);
/* `path` "-" is standard input. .gz .bz2 .xz .zst (also several members one after another, and long
 * zstd windows) are known by their first bytes, whatever the name. */
quoin_status rdfio_source_open(rdfio_source **out, const char *path, const base_alloc *mem,
                               quoin_error *err);
quoin_status rdfio_source_memory(rdfio_source **out, quoin_span text, const char *name,
                                 const base_alloc *mem, quoin_error *err); /* borrows text */
quoin_status rdfio_source_callback(rdfio_source **out, rdfio_read_fn read, void *user,
                                   const char *name, const base_alloc *mem, quoin_error *err);
/* Decompressed bytes; as rdfio_read_fn. A truncated or damaged stream is CORRUPT, never a short
 * file. */
quoin_status rdfio_source_read(size_t *got, rdfio_source *source, void *data, size_t cap,
                               quoin_error *err);
/* Bytes taken from the file so far (compressed) and in all (0: unknown), for progress. */
void rdfio_source_progress(uint64_t *taken, uint64_t *total, const rdfio_source *source);
/* Bytes of text that the source has in all, where it is a file that is not compressed; else 0. */
uint64_t rdfio_source_text_bytes(const rdfio_source *source);
const char *rdfio_source_name(const rdfio_source *source);
void rdfio_source_close(rdfio_source *source);

/* ---- statements in ----------------------------------------------------------------------------
 */

/* Subject, predicate, object, graph (RDF_NONE: default graph). */
typedef struct rdfio_quad {
  rdf_term term[4];
  /* Of its object, counted from 1, where the check asked for them; else `line` is 0. The column of
   * a literal with escapes may be 0: not known. */
  uint64_t line, column;
} rdfio_quad;

/* May a statement be? Asked of each whose object is a literal with a datatype, in any of the
 * threads that read. CONSTRAINT, with a message: it is a bad statement, and gets its place. DONE:
 * it may be, and the sink is to know its place. Another status ends the reading. */
typedef quoin_status (*rdfio_check_fn)(void *user, const rdfio_quad *quad, quoin_error *err);

typedef struct rdfio_read_options {
  rdfio_format
      format; /* UNKNOWN: by the name of the source; else an error that says how to choose */
  quoin_span
      base;     /* base IRI; empty: file:// IRI of the source's path; none for N-Triples, N-Quads */
  bool lenient; /* skip a bad statement, report it, count it, go on at the next */
  unsigned threads; /* 0 or 1: the calling thread alone */
  /* Called for each bad statement in lenient mode; may be NULL. */
  void (*bad)(void *user, const quoin_error *err);
  /* Called about four times a second; may be NULL. */
  void (*progress)(void *user, uint64_t statements, uint64_t taken, uint64_t total);
  void *user;           /* of bad and progress */
  rdfio_check_fn check; /* may be NULL */
  void *check_user;
  base_cancel *cancel; /* may be NULL */
} rdfio_read_options;

typedef struct rdfio_read_result {
  uint64_t statements; /* given to the sink */
  uint64_t skipped;    /* bad ones, lenient mode */
  uint64_t bytes;      /* decompressed */
} rdfio_read_result;

/* Takes n quads in input order; their text is valid until it returns. A failure ends the reading.
 */
typedef quoin_status (*rdfio_sink_fn)(void *user, const rdfio_quad *quads, size_t n,
                                      quoin_error *err);

/* Read all statements of `source` into `sink`, in batches of up to 1024. Blank node labels are
 * those of the file (generated ones cannot clash with them): the sink gives each file its own
 * scope. IRIs are absolute and resolved (RFC 3986 5.2); escapes are decoded; literals are valid
 * UTF-8. Errors: SYNTAX with file, line, column, what was found and what was expected; IO; CORRUPT;
 * NOMEM; CANCELLED; the sink's. A syntax error may come after statements before it were given. */
quoin_status rdfio_read(rdfio_read_result *out, rdfio_source *source,
                        const rdfio_read_options *options, rdfio_sink_fn sink, void *sink_user,
                        const base_alloc *mem, quoin_error *err);

/* ---- N-Triples and N-Quads in pieces, for readers with several threads -------------------------
 */

/* Some whole lines of an input. One thread at a time; any. */
typedef struct rdfio_chunk rdfio_chunk;
quoin_status rdfio_chunk_new(rdfio_chunk **out, const base_alloc *mem, quoin_error *err);
void rdfio_chunk_free(rdfio_chunk *chunk);          /* NULL is fine */
size_t rdfio_chunk_bytes(const rdfio_chunk *chunk); /* of its lines */
/* Number of the line at which reading is: from 1 in a chunk just cut, unless it is set. */
uint64_t rdfio_chunk_line(const rdfio_chunk *chunk);
void rdfio_chunk_set_line(rdfio_chunk *chunk, uint64_t line);
/* Statements are asked of `check`, which may be NULL. */
void rdfio_chunk_set_check(rdfio_chunk *chunk, rdfio_check_fn check, void *user);
/* The next 1..cap statements, or DONE. Their text is valid until the chunk is cut again. SYNTAX or
 * CONSTRAINT, with line and column, for a bad statement when it is the next; the call after goes on
 * behind its line. NOMEM; what the check gives. */
quoin_status rdfio_chunk_next(rdfio_quad *out, size_t *n, size_t cap, rdfio_chunk *chunk,
                              quoin_error *err);

/* Cuts what a source gives at the ends of lines. One thread. */
typedef struct rdfio_cutter rdfio_cutter;
/* `source` is borrowed. Chunks get `least` bytes or more, but for the last, and no more lines than
 * that takes. */
quoin_status rdfio_cutter_new(rdfio_cutter **out, rdfio_source *source, size_t least,
                              const base_alloc *mem, quoin_error *err);
void rdfio_cutter_free(rdfio_cutter *cutter); /* NULL is fine */
/* Forget what the chunk holds and put the next lines there, or DONE. `quads`: N-Quads. Errors:
 * those of rdfio_source_read, NOMEM. */
quoin_status rdfio_cutter_next(rdfio_chunk *chunk, rdfio_cutter *cutter, bool quads,
                               quoin_error *err);

/* ---- statements out
 * ------------------------------------------------------------------------------ */

typedef quoin_status (*rdfio_write_fn)(void *user, const void *data, size_t len, quoin_error *err);
typedef struct rdfio_writer rdfio_writer;
/* NTRIPLES and TURTLE refuse a quad in a named graph (ARGUMENT). TURTLE and TRIG group by graph and
 * subject as they come and use the prefixes given with rdfio_writer_prefix before the first
 * statement. */
quoin_status rdfio_writer_new(rdfio_writer **out, rdfio_format format, rdfio_write_fn write,
                              void *user, const base_alloc *mem, quoin_error *err);
quoin_status rdfio_writer_prefix(rdfio_writer *writer, quoin_span prefix, quoin_span iri,
                                 quoin_error *err);
/* Vectors that come as RDF_VECTOR are written as b64: and their bytes, not as an array. */
void rdfio_writer_base64(rdfio_writer *writer);
quoin_status rdfio_writer_add(rdfio_writer *writer, const rdfio_quad *quad, quoin_error *err);
/* Close the last statement and flush. Without it the output is cut, visibly, in the middle. */
quoin_status rdfio_writer_finish(rdfio_writer *writer, quoin_error *err);
void rdfio_writer_free(rdfio_writer *writer);

/* ---- IRIs (RFC 3986, RFC 3987)
 * -------------------------------------------------------------------- */

/* Resolve `ref` against the absolute `base` (RFC 3986 5.2, strict), into `arena`. SYNTAX when ref
 * holds characters that no IRI may, or base is empty and ref relative. */
quoin_status rdfio_iri_resolve(quoin_span *out, quoin_span base, quoin_span ref, base_arena *arena,
                               quoin_error *err);
/* Has a scheme and only characters an IRIREF may hold (decoded). */
bool rdfio_iri_is_absolute(quoin_span iri);
/* The same, or ARGUMENT with the offset of what is wrong, and what was expected. */
quoin_status rdfio_iri_check(quoin_span iri, quoin_error *err);
/* file:// IRI of a path, made absolute and percent-encoded. */
quoin_status rdfio_iri_of_path(quoin_span *out, const char *path, base_arena *arena,
                               quoin_error *err);
/* Language tag as BCP 47's grammar in N-Triples has it: [a-zA-Z]+('-'[a-zA-Z0-9]+)*. */
bool rdfio_lang_is_valid(quoin_span tag);

#endif /* QUOIN_RDFIO_RDFIO_H */
