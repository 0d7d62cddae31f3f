/* atomstore/atomstore.h - RDF terms and their 64-bit ids. The door of the module.
 *
 * Each distinct term has exactly one id. Small values live in the id itself (atomstore/inline.c);
 * other terms are interned in mapped files: term records (append-only), offsets by number, rows of
 * vectors, and an open-addressing hash table. The files hold offsets, never pointers. One writer,
 * many readers: a slot is valid when its id is non-zero, the id is written last (release) and read
 * first (acquire). A reader passes the mark of its snapshot: numbers at or above it are absent to
 * it. Format: docs/format.md. Reasons and measurements: docs/adrs/0001-atom-ids.md. */
#ifndef QUOIN_ATOMSTORE_ATOMSTORE_H
#define QUOIN_ATOMSTORE_ATOMSTORE_H

#include "base/base.h"

/* ---- terms ------------------------------------------------------------------------------- */

typedef enum rdf_kind {
  RDF_NONE = 0, /* no term: unbound, or the default graph */
  RDF_IRI,
  RDF_BLANK,
  RDF_LITERAL,
  RDF_VECTOR /* a well-formed literal of RDF_VEC_F32, by its floats: see below */
} rdf_kind;

/* Text is borrowed; UTF-8, U+0000 allowed inside. A simple literal has an empty datatype and
 * language (it is an xsd:string: that IRI is never spelled out here); a language string has an
 * empty datatype (rdf:langString). Whoever makes an rdf_term keeps to this normal form. */
typedef struct rdf_term {
  rdf_kind kind;
  quoin_span value;    /* IRI, blank node label without "_:", or lexical form */
  quoin_span datatype; /* IRI; empty for simple literals and language strings */
  quoin_span lang;     /* as written, without "@" */
} rdf_term;

bool rdf_term_equal(const rdf_term *a, const rdf_term *b);
/* Append the N-Triples form (canonical: escapes only where needed). */
void rdf_term_write(base_buffer *out, const rdf_term *term);
/* Does byte `c` of a string stand there as it is? Control characters, quote and backslash do not
 * (canonical N-Triples of RDF 1.2). */
static inline bool
rdf_string_plain(char c)
{
  return (unsigned char)c >= 0x20 && c != 0x7F && c != '"' && c != '\\';
}
/* The escape of a byte that is not plain; its length. */
size_t rdf_string_escape(char out[6], char c);

#define RDF_XSD "http://www.w3.org/2001/XMLSchema#"
#define RDF_NS "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
#define RDF_VEC "urn:x-quoin:vec#"

/* ---- vectors ------------------------------------------------------------------------------- */

/* A literal of this datatype whose text is a JSON array of numbers, or b64: and little-endian
 * floats, is known by its floats: whatever its spelling it is one term. As an rdf_term it has two
 * forms: RDF_LITERAL with text, and RDF_VECTOR, where `value` is the floats. Both may be interned
 * and looked for. Reading gives text, canonical; only atom_local_read gives an RDF_VECTOR. No float
 * is NaN, infinite or -0. A text that is not well formed is an ordinary literal. */
#define RDF_VEC_F32 RDF_VEC "f32"
enum { RDF_VECTOR_MAX = 65535 }; /* numbers; more are QUOIN_ERR_LIMIT */

static inline rdf_term
rdf_vector(const float *values, uint32_t dimension)
{
  return (rdf_term){.kind = RDF_VECTOR,
                    .value = {(const char *)values, dimension * sizeof(*values)}};
}
/* The vector that `text` says; RDF_NONE when it is not well formed. Floats go into `arena`. */
quoin_status rdf_vector_parse(rdf_term *out, quoin_span text, base_arena *arena, quoin_error *err);
/* Where *term is a well-formed literal of RDF_VEC_F32, `vector` becomes its RDF_VECTOR, made in
 * `arena`, and *term points to that. */
quoin_status rdf_vector_of(const rdf_term **term, rdf_term *vector, base_arena *arena,
                           quoin_error *err);
/* Makes -0 to 0; false when a value is not finite. */
bool rdf_vector_normalize(float *values, size_t n);
/* Whether these bytes may be the value of an RDF_VECTOR. */
bool rdf_vector_is_normal(quoin_span floats);
/* The canonical literal: [ numbers joined by , ] each the shortest that reads back. */
quoin_status rdf_vector_text(rdf_term *out, const float *values, uint32_t dimension,
                             base_arena *arena, quoin_error *err);
/* One of its numbers, not terminated; its length. */
enum { RDF_VECTOR_NUMBER = 24 };
size_t rdf_vector_number(char out[RDF_VECTOR_NUMBER], float value);

/* ---- ids --------------------------------------------------------------------------------- */

/* A struct, so that a row number or a vector slot cannot be passed by mistake. 0: no atom. */
typedef struct atom_id {
  uint64_t bits;
} atom_id;

#define ATOM_NONE_ID ((atom_id){0})

/* The kind is in the top 6 bits, the payload in the other 58, except for ATOM_DOUBLE, which has the
 * sixteen codes 32-47 (top bits 10) and 62 bits of payload. Codes are part of the file format.
 * Below 32: the payload is a number. From 32 on: inline values; within one kind the order of the
 * ids as integers is the order of the values. */
typedef enum atom_kind {
  ATOM_NONE = 0,
  ATOM_LOCAL = 1,    /* of a query or transaction, never in a file; payload: number in atom_local */
  ATOM_BLANK = 2,    /* blank node; payload: its number, from 1 */
  ATOM_IRI = 3,      /* interned: payload is the number of the term record, from 1 */
  ATOM_STRING = 4,   /* xsd:string */
  ATOM_LANG = 5,     /* rdf:langString */
  ATOM_TYPED = 6,    /* literal of a datatype without an order here */
  ATOM_NUMERIC = 7,  /* interned literal of a numeric datatype (xsd:integer and derived, decimal, */
                     /* double, float) whose id could not hold it, or ill-typed */
  ATOM_TEMPORAL = 8, /* interned xsd:dateTime, date, time, gYear..., durations */
  ATOM_BOOLTEXT = 9, /* interned xsd:boolean: "1", "0" or ill-typed */
  ATOM_DIRLANG = 10, /* reserved: rdf:dirLangString */
  ATOM_TRIPLE = 11,  /* reserved: RDF 1.2 triple terms */
  ATOM_VECTOR = 12,  /* interned vec:f32 that is well formed */
  ATOM_PREFIX = 13,  /* an IRI prefix: internal to the store, never an id of a term */
  ATOM_DOUBLE = 32,  /* codes 32..47 */
  ATOM_BOOLEAN = 48, /* "true", "false" */
  ATOM_INTEGER = 49, /* xsd:integer, canonical, 58-bit */
  ATOM_DECIMAL = 50, /* xsd:decimal with its scale */
  ATOM_FLOAT = 51,   /* xsd:float */
  ATOM_DATE = 52,    /* xsd:date without zone */
  ATOM_DATETIME = 53, /* xsd:dateTime without zone */
  ATOM_DATETIMEZ = 54 /* xsd:dateTime with zone, ordered by instant, then zone */
} atom_kind;

static inline atom_kind
atom_id_kind(atom_id id)
{
  unsigned code = (unsigned)(id.bits >> 58);
  return (code & 0x30u) == 0x20u ? ATOM_DOUBLE : (atom_kind)code;
}

static inline uint64_t
atom_id_payload(atom_id id)
{
  return id.bits & ((UINT64_C(1) << 58) - 1);
}

static inline atom_id
atom_id_make(atom_kind kind, uint64_t payload)
{
  return (atom_id){((uint64_t)kind << 58) | payload};
}

static inline bool
atom_id_is_inline(atom_id id)
{
  return id.bits >> 63;
}

static inline bool
atom_id_equal(atom_id a, atom_id b)
{
  return a.bits == b.bits;
}

static inline bool
atom_id_is_literal(atom_id id)
{
  return (id.bits >> 58) >= ATOM_STRING;
}

/* ---- inline values ------------------------------------------------------------------------ */

/* The inline id of `term`, or 0 when the id would not give the lexical form back. */
atom_id atom_inline(const rdf_term *term);
/* Ids of computed values; 0 when out of range (the caller then interns the lexical form). */
atom_id atom_inline_integer(int64_t value);
atom_id atom_inline_boolean(bool value);
atom_id atom_inline_double(double value); /* the canonical xsd:double form, "1.5E0" */

/* What an inline id says. The kind decides which is meaningful; calling another is our mistake. */
int64_t atom_inline_get_integer(atom_id id);
bool atom_inline_get_boolean(atom_id id);
double atom_inline_get_double(atom_id id); /* ATOM_DOUBLE and ATOM_FLOAT */
/* value = unscaled / 10^scale, scale 0..6 digits after the point as written. */
void atom_inline_get_decimal(int64_t *unscaled, int *scale, atom_id id);
/* Milliseconds since 1970-01-01T00:00:00 (as if in Z where there is no zone; ATOM_DATE: midnight);
 * *zone: minutes east, 0 where none. */
int64_t atom_inline_get_millis(int *zone, atom_id id);

/* Lexical form (and datatype, static) of an inline id or blank node; text goes into `arena`. */
quoin_status atom_inline_term(rdf_term *out, atom_id id, base_arena *arena, quoin_error *err);

/* The ids of one inline kind whose value v satisfies lo <= v <= hi form one interval
 * [*first,*last]: false when it is empty. lo > hi is empty; +-HUGE_VAL is unbounded. Rounds
 * outwards where `kind` cannot hold the bound exactly: a superset, to be checked by value.
 * ATOM_INTEGER, DECIMAL, DOUBLE, FLOAT: numbers. */
bool atom_inline_range(atom_id *first, atom_id *last, atom_kind kind, double lo, double hi);
/* ATOM_DATE, DATETIME, DATETIMEZ: milliseconds, as atom_inline_get_millis. */
bool atom_inline_range_millis(atom_id *first, atom_id *last, atom_kind kind, int64_t lo,
                              int64_t hi);

/* The kind an interned literal of this datatype gets (IRI of the datatype; empty: simple). */
atom_kind atom_datatype_kind(quoin_span datatype, bool has_lang);

/* ---- the store ----------------------------------------------------------------------------- */

typedef struct atom_store atom_store;

/* What the manifest keeps of an atom store. Term numbers are 1..terms; blank nodes 1..blanks. */
typedef struct atom_marks {
  uint64_t generation;   /* names the files: terms-G, offsets-G, vectors-G, and table-G-T */
  uint64_t table;        /* T */
  uint64_t terms;        /* count of interned terms (prefixes included) that are durable */
  uint64_t term_bytes;   /* length of the term records up to there */
  uint64_t blanks;       /* highest blank node number that is durable */
  uint64_t vector_bytes; /* length of the rows of these terms */
  uint64_t symbols;      /* hash of the table that texts are written with; 0: none yet */
} atom_marks;

typedef enum atom_open_mode {
  ATOM_OPEN_WRITE,    /* the writer: rebuilds the table when it was not closed cleanly */
  ATOM_OPEN_READ_ONLY /* changes no file; atom_intern adds to private memory above the mark (log
                         replay) */
} atom_open_mode;

/* Make empty files of generation marks->generation in `dir` (synced). */
quoin_status atom_store_create(const base_dir *dir, atom_marks *marks, quoin_error *err);

/* Open the files that `marks` names and believe them up to the marks: terms beyond are forgotten.
 * Errors: CORRUPT, VERSION, IO, NOMEM, NO_SPACE. `dir` and `mem` are
 * borrowed and must outlive the store; `mem` is called from the thread that makes a larger table
 * too. */
quoin_status atom_store_open(atom_store **out, const base_dir *dir, const atom_marks *marks,
                             atom_open_mode mode, const base_alloc *mem, quoin_error *err);
/* Writer closed cleanly: marks the table as complete up to the last sync. NULL is fine. */
void atom_store_close(atom_store *store);
/* The generation that names the files of the store: compact and clear count it up, so two atom
 * stores of one directory that have the same number give the same ids. Any thread. */
uint64_t atom_store_generation(const atom_store *store);

/* A pin keeps every mapping that a reader may have seen. Debug builds assert that one is held by
 * the calls that read. Any thread. */
void atom_store_pin(atom_store *store);
void atom_store_unpin(atom_store *store);

/* Debug builds: the mutating calls below abort unless the calling thread has said that it is the
 * writer (per thread; counted). */
void atom_store_writer_enter(atom_store *store);
void atom_store_writer_leave(atom_store *store);

/* Number of interned terms and blank nodes so far, to be used as the mark of a snapshot. Any
 * thread. */
uint64_t atom_store_terms(const atom_store *store);
uint64_t atom_store_blanks(const atom_store *store);
/* Bytes: files and private memory, for statistics. */
typedef struct atom_stats {
  uint64_t terms, blanks, term_bytes, offset_bytes, table_bytes, table_slots, prefixes,
      vector_bytes;
  uint64_t row_bytes; /* of memory: where the vectors lie that were read */
} atom_stats;
void atom_store_stats(atom_stats *out, const atom_store *store);

/* Id of `term`: inline, found or added. Blank nodes are not interned: see atom_blank_new. Writer
 * only. On failure nothing was added. Errors: IO, NO_SPACE, NOMEM, LIMIT, CORRUPT (a bad slot). */
quoin_status atom_intern(atom_id *out, atom_store *store, const rdf_term *term, quoin_error *err);

/* The same for n terms, with the hashing and the cache misses of many in flight at once (prefetch).
 * Ids and the order of new ones are those of n calls in order. RDF_NONE gives 0; RDF_BLANK with an
 * empty value is an error of the caller. Writer only. */
quoin_status atom_intern_batch(atom_id *out, atom_store *store, const rdf_term *terms, size_t n,
                               quoin_error *err);

/* What any thread can find out about a term before the writer interns it. */
typedef struct atom_prepared {
  atom_id id;     /* it is there; 0: it was not */
  atom_kind kind; /* of its record; ATOM_NONE: nothing is known */
  uint64_t datatype, hash;
  quoin_span coded; /* the text as the record will have it, or no pointer */
} atom_prepared;
/* Prepare n terms with hashes as below. What was made lies in `arena`; `terms` and it are to stay
 * until they are interned. Any thread, beside the writer. CORRUPT, NOMEM. */
quoin_status atom_prepare(atom_prepared *out, base_arena *arena, atom_store *store,
                          const rdf_term *terms, const uint64_t *hashes, size_t n,
                          quoin_error *err);

/* The same, with the hashes of the terms made before: hashes[i] of an IRI or of a literal without
 * datatype and language is atom_hash(&terms[i]); others are not looked at. No term is RDF_NONE; of
 * a blank node out[i] is left as it is. `prepared`: by atom_prepare since the last rollback, or
 * NULL. */
quoin_status atom_intern_hashed(atom_id *out, atom_store *store, const rdf_term *terms,
                                const uint64_t *hashes, const atom_prepared *prepared, size_t n,
                                quoin_error *err);
/* How many terms there will be in the end, at a guess that may change; 0: no idea. Larger tables
 * are made in fewer steps then. Writer only. */
void atom_store_expect(atom_store *store, uint64_t terms);
/* A large load begins: until atom_load_end, tables that are made have no file, as long as they take
 * no more than `bytes` of memory together, and nothing is synced before atom_load_settle. Writer
 * only, as the next three. */
void atom_load_begin(atom_store *store, uint64_t bytes);
/* Bytes of memory that tables take now. */
uint64_t atom_load_bytes(const atom_store *store);
/* All terms are in: the table gets its file, written in one go. On failure the store is as it was
 * (NO_SPACE, IO). */
quoin_status atom_load_settle(atom_store *store, quoin_error *err);
/* After atom_load_settle, or after atom_rollback to what there was at the beginning, which brings
 * the table from then back. */
void atom_load_end(atom_store *store);
/* A hash of the term, the same for equal terms. Any thread. */
uint64_t atom_hash(const rdf_term *term);

/* Id of `term` if it is inline, or interned with a number <= mark; else 0. `mark`: the terms count
 * of the snapshot (UINT64_MAX: all). Takes no lock and writes nothing. Blank nodes: labels are not
 * kept; a label of the form b<N> as written by atom_inline_term gives blank N. */
quoin_status atom_find(atom_id *out, const atom_store *store, const rdf_term *term, uint64_t mark,
                       quoin_error *err);
quoin_status atom_find_batch(atom_id *out, const atom_store *store, const rdf_term *terms, size_t n,
                             uint64_t mark, quoin_error *err);

/* The stored language strings that are `term` but for the case of their tags, with numbers <= mark,
 * `term` itself among them if it is stored; RDF 1.1 Concepts, 3.3, compares tags without case. In
 * `arena`, ascending. None for other terms. Cost: one probe run. Any thread with a pin. */
quoin_status atom_find_spellings(atom_id **out, size_t *n, const atom_store *store,
                                 const rdf_term *term, uint64_t mark, base_arena *arena,
                                 quoin_error *err);

/* A blank node never used before. Writer only. */
atom_id atom_blank_new(atom_store *store);
/* n of them, numbered upwards from the returned one. */
atom_id atom_blank_new_many(atom_store *store, uint64_t n);
/* Recovery: numbers up to `blanks` are in use. */
void atom_blank_reserve(atom_store *store, uint64_t blanks);

/* The term of `id`. Spans point into `arena`, into the mapping (valid while pinned) or to static
 * text. CORRUPT names file and offset. Any thread with a pin. */
quoin_status atom_read(rdf_term *out, const atom_store *store, atom_id id, base_arena *arena,
                       quoin_error *err);
/* Ask the processor for what atom_read(id) will touch. */
void atom_prefetch(const atom_store *store, atom_id id);
/* Of several, which wait for memory together. */
void atom_prefetch_all(const atom_store *store, const atom_id *ids, size_t n);

/* The floats of an ATOM_VECTOR, borrowed: aligned to 64 bytes, valid while pinned. CORRUPT. The
 * first reading verifies the row, later ones cost one load. Any thread with a pin. */
quoin_status atom_vector(const float **out, uint32_t *dimension, const atom_store *store,
                         atom_id id, quoin_error *err);
/* Ask the processor for the floats that atom_vector(id) will touch; what is wrong is passed over.
 */
void atom_vector_ask(const atom_store *store, atom_id id);
/* Before that: for what says where they are. */
void atom_vector_find(const atom_store *store, atom_id id);

/* The id of the datatype IRI of an interned typed literal without reading its text; 0 for others.
 */
quoin_status atom_datatype(atom_id *out, const atom_store *store, atom_id id, quoin_error *err);

/* Forget every term numbered above `terms` and blank above `blanks` (a load that failed): the store
 * is as it was when it had so many. Terms that atom_store_sync has covered stay, since a manifest
 * may name them. Writer only; cannot fail. */
void atom_rollback(atom_store *store, uint64_t terms, uint64_t blanks);

/* Make all terms so far durable: sync term records, then offsets; the table when it is cheap. Fills
 * `marks` for the manifest. Writer or checkpointer, one at a time; terms interned meanwhile are not
 * covered. */
quoin_status atom_store_sync(atom_marks *marks, atom_store *store, quoin_error *err);
/* The same for the terms up to number `most`, while the writer goes on: none of them may be rolled
 * back any more. Later ones can be; with atom_store_sync a failed commit would leave them behind.
 */
quoin_status atom_store_sync_to(atom_marks *marks, atom_store *store, uint64_t most,
                                quoin_error *err);
/* Give back the memory of mapped pages; they are mapped again as they are touched. Any thread with
 * a pin, or the writer. */
void atom_store_drop_pages(const atom_store *store);
/* The same without the table, every page of which is touched again at once. */
void atom_store_drop_texts(const atom_store *store);
/* True for a file name in the directory that belongs to an atom store but not to `marks`: it may be
 * unlinked once the manifest with `marks` is durable. */
bool atom_file_is_stale(const char *name, const atom_marks *marks);
/* True for any name an atom store uses. */
bool atom_file_is_mine(const char *name);

/* Walk every record, offset and slot: CORRUPT with file and offset of the first fault. Each term
 * must be found by its text and give its own id. */
quoin_status atom_check(const atom_store *store, base_cancel *cancel, quoin_error *err);

/* ---- compaction ------------------------------------------------------------------------------ */

/* Which terms of a store stay: a set of the numbers 1..terms. One thread fills it; once closed,
 * any number may map. */
typedef struct atom_kept atom_kept;
quoin_status atom_kept_new(atom_kept **out, uint64_t terms, const base_alloc *mem,
                           quoin_error *err);
uint64_t atom_kept_bytes(uint64_t terms); /* the memory it takes: two bits a term */
void atom_kept_free(atom_kept *kept);     /* NULL is fine */
/* Keep the terms of n ids as quads have them; 0 is passed over, and ids that are no number of a
 * term are. CORRUPT for an id that no quad can have. */
quoin_status atom_kept_add(atom_kept *kept, const uint64_t *ids, size_t n, quoin_error *err);
/* Keep what they refer to as well, and number them. With a pin, or as the writer. */
quoin_status atom_kept_close(atom_kept *kept, const atom_store *store, base_cancel *cancel,
                             quoin_error *err);
uint64_t atom_kept_count(const atom_kept *kept);
/* The new ids. Within a kind the order stays: sorted columns stay sorted. `out` may be `ids`.
 * Errors: CORRUPT for an id that was not added. */
quoin_status atom_kept_map(uint64_t *out, const atom_kept *kept, const uint64_t *ids, size_t n,
                           quoin_error *err);
/* Write the terms that stay into new files of generation marks->generation, synced, in `to`, and
 * fill `marks` for atom_store_open, which makes the table. As the writer
 * of `from`. After a failure or before a manifest names them: atom_store_unlink. */
quoin_status atom_store_copy(atom_marks *marks, const base_dir *to, const atom_store *from,
                             const atom_kept *kept, base_cancel *cancel, quoin_error *err);
/* Write the first `terms` terms, as they are, into new files in `to`, synced; `marks` as above. Of
 * a store that is being written to, too: with a pin. */
quoin_status atom_store_clone(atom_marks *marks, const base_dir *to, const atom_store *from,
                              uint64_t terms, base_cancel *cancel, quoin_error *err);
/* Unlink the files of a generation that no manifest names. */
void atom_store_unlink(const base_dir *dir, uint64_t generation);

/* ---- ids of one query or transaction --------------------------------------------------------- */

/* Terms that are not (yet) in the store, numbered from 1; one thread. */
typedef struct atom_local atom_local;
quoin_status atom_local_new(atom_local **out, const base_alloc *mem, quoin_error *err);
void atom_local_free(atom_local *local);
void atom_local_reset(atom_local *local); /* forgets all, keeps memory */
/* The local id of `term`, added if new. Blank nodes by label. */
quoin_status atom_local_intern(atom_id *out, atom_local *local, const rdf_term *term,
                               quoin_error *err);
/* As atom_find_spellings, of the first `count` terms. */
quoin_status atom_local_spellings(atom_id **out, size_t *n, const atom_local *local,
                                  const rdf_term *term, uint64_t count, base_arena *arena,
                                  quoin_error *err);
/* Spans are valid until reset or free. A vector is an RDF_VECTOR. An id that was not made here is
 * RDF_NONE: it may come from a damaged file. `local` may be NULL. */
void atom_local_read(rdf_term *out, const atom_local *local, atom_id id);
/* The same with the text of a vector, made in `arena`. CORRUPT for an id that was not made here. */
quoin_status atom_local_term(rdf_term *out, const atom_local *local, atom_id id, base_arena *arena,
                             quoin_error *err);
/* A vector is an RDF_LITERAL. */
rdf_kind atom_local_kind(const atom_local *local, atom_id id);
/* The floats of a vector, valid until reset or free; false for other terms. */
bool atom_local_vector(const float **out, uint32_t *dimension, const atom_local *local, atom_id id);
uint64_t atom_local_count(const atom_local *local);
size_t atom_local_bytes(const atom_local *local); /* memory held, for budgets */

#endif /* QUOIN_ATOMSTORE_ATOMSTORE_H */
