/* atomstore/store.h - the parts of an open store: what the files of this folder share.
 *
 * Files of one generation G: terms-G (records, append-only), offsets-G (8 bytes a term), vectors-G
 * (rows of floats) and table-G-T (8 bytes a slot); each begins with an atom_file_head. A term is
 * added in this order: row, record, offset, slot (release), count of terms (release). */
#ifndef QUOIN_ATOMSTORE_STORE_H
#define QUOIN_ATOMSTORE_STORE_H

#include "atomstore/record.h"
#include "atomstore/symbols.h"

#include <assert.h>
#include <stdatomic.h>

enum { ATOM_FORMAT = 6, ATOM_HEAD = 64, ATOM_RECORDS = 4096 };

typedef enum atom_file {
  ATOM_FILE_TERMS,
  ATOM_FILE_OFFSETS,
  ATOM_FILE_TABLE,
  ATOM_FILE_VECTORS
} atom_file;

/* First 64 bytes of each file, little-endian. */
typedef struct atom_file_head {
  char magic[8];
  uint32_t format;
  uint32_t slot_bits; /* table: log2 of its slots; else 0 */
  uint64_t generation;
  uint64_t table;  /* T; else 0 */
  uint64_t synced; /* table: every term up to this number is in it, on disk */
  uint64_t clean;  /* table: 1: closed with no other term in it */
  uint64_t reserved;
  uint64_t checksum; /* XXH3-64 of the 56 bytes above */
} atom_file_head;
static_assert(sizeof(atom_file_head) == ATOM_HEAD, "part of the file format");
static_assert(offsetof(atom_file_head, checksum) == 56, "part of the file format");

/* A slot is one word, so that it is empty (0) or whole to whoever looks at it. In a table of 2^b
 * slots it has, from the top: 48 - b bits of the hash, those behind the b that name its home; 8
 * bits: how far from home it is (255: so far or farther); b bits: the number of the term, which is
 * less than 2^b since the table is never full; 8 bits with which the xor of all its bytes is
 * ATOM_SLOT_SUM. The kind is the key's. */
typedef _Atomic(uint64_t) atom_slot;
enum { ATOM_SLOT_HASH = 48, ATOM_SLOT_FAR = 255, ATOM_SLOT_SUM = 0xa5 };
static_assert(sizeof(atom_slot) == 8, "part of the file format");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "slots are shared between processes");

typedef struct atom_table atom_table;
struct atom_table {
  base_file file;
  base_map map;
  atom_slot *slots;
  uint64_t mask;
  uint64_t number; /* T */
  unsigned bits;
  bool in_memory;      /* of a load: it has no file yet */
  atom_file_head head; /* as last written: by the opening, the first change, then by syncs alone */
  _Atomic(uint64_t) synced; /* head.synced */
  atom_table *older;        /* in the list of retired ones */
};

/* Ids found so far; in an arena. */
typedef struct atom_spellings {
  base_arena *arena;
  atom_id *ids;
  size_t n, cap;
} atom_spellings;

typedef struct atom_overlay atom_overlay;
typedef struct atom_growth atom_growth;
typedef struct atom_window atom_window;

struct atom_store {
  const base_alloc *mem;
  const base_dir *dir;
  atom_open_mode mode;
  uint64_t generation;
  uint64_t file_terms; /* numbers above are in the overlay; UINT64_MAX for the writer */
  base_file terms_file, offsets_file, vectors_file;
  base_map terms_map, offsets_map, vectors_map;
  _Atomic(atom_table *) table;     /* stored and, by readers, loaded seq_cst: see atom_store_pin */
  _Atomic(uint64_t) terms, blanks; /* release by the writer, acquire by readers */
  _Atomic(uint64_t) term_end;      /* file offset at which the next record begins */
  _Atomic(uint64_t) vector_end;    /* and the next row */
  _Atomic(uint64_t) prefixes;      /* added or seen by this process: statistics */
  _Atomic(uint64_t) pins;
  _Atomic(uint64_t) named_table; /* highest T that a manifest may name */
  _Atomic(uint64_t) synced_terms, synced_end, synced_vectors;
  _Atomic(uint64_t) sync_floor; /* terms up to here may be named by a manifest: they stay */
  atom_table *retired;
  base_sparse rows;                /* where vectors that were read lie: see vector.c */
  uint64_t memory_room;            /* a load's: bytes that tables may take in memory; 0: no load */
  atom_table *home;                /* the table from before the load, if it has another, or NULL */
  uint64_t home_terms;             /* in it: exactly the terms up to here */
  atom_overlay *overlay;           /* read-only mode */
  atom_growth *growth;             /* a larger table in the making, or NULL */
  bool growth_failed;              /* in the background: tried again when it must be */
  uint64_t expected;               /* terms there will be, at a guess; 0: no idea */
  bool soiled;                     /* the table on disk does not say that it was closed cleanly */
  atom_window *window;             /* see prefix.c */
  _Atomic(atom_symbols *) symbols; /* NULL: none yet; see coding.c */
  _Atomic(uint64_t) symbols_hash;
  atomic_bool symbols_synced;
  uint64_t train_at;         /* the writer's: when to try to make them, by term_end */
  base_buffer coded;         /* the writer's: a text in symbols */
  base_buffer scratch;       /* the writer's: for IRIs joined from prefix and rest */
  _Atomic(uintptr_t) writer; /* debug builds: the thread that said so, or 0 */
  unsigned writer_depth;
};

/* ---- store.c ----------------------------------------------------------------------------------
 */

void atom_file_name(char out[64], atom_file file, uint64_t generation, uint64_t table);
void atom_head_seal(atom_file_head *head); /* fills the checksum */
atom_file_head atom_head_make(atom_file file, uint64_t generation, uint64_t table, unsigned bits);
quoin_status atom_head_read(atom_file_head *out, const base_file *file, atom_file kind,
                            uint64_t generation, uint64_t table, quoin_error *err);

/* Debug builds: abort unless the caller may. */
#ifndef NDEBUG
void atom_assert_writer(const atom_store *store, const char *name);
void atom_assert_reader(const atom_store *store, const char *name);
#else
#define atom_assert_writer(store, name) ((void)(store))
#define atom_assert_reader(store, name) ((void)(store))
#endif

/* ---- read.c -----------------------------------------------------------------------------------
 */

/* Record of a number from 1; *check gets the upper bits of the hash that its offset promises.
 * CORRUPT if there is none. */
quoin_status atom_record_at(atom_record *out, uint16_t *check, const atom_store *store,
                            uint64_t number, quoin_error *err);
/* File offset at which the record of a number ends. */
quoin_status atom_record_end(uint64_t *out, const atom_store *store, uint64_t number,
                             quoin_error *err);
/* File offset at which it begins, of a term that was read before. */
uint64_t atom_record_begin(const atom_store *store, uint64_t number);
/* The offset entry of a term: place of the record and check bits. */
static inline uint64_t
atom_offset_entry(uint64_t offset, uint64_t hash, quoin_span lang)
{
  return offset | ((hash >> 48) ^ atom_tag_case(lang)) << 48;
}
/* Put the offset entry of a number; there is room. */
void atom_offset_put(atom_store *store, uint64_t number, uint64_t offset, uint64_t hash,
                     quoin_span lang);
/* Ask the processor for the offset entry of a number. */
void atom_offset_prefetch(const atom_store *store, uint64_t number);
/* An interned term is always this id. */
atom_id atom_record_id(const atom_record *rec, uint64_t number);
/* The key of a record, with its hash; IRIs with a prefix are joined in `scratch`. Does not compare
 * the check bits. */
quoin_status atom_record_key(atom_key *out, base_buffer *scratch, const atom_store *store,
                             const atom_record *rec, quoin_error *err);
/* Whether the term of `number` is that of `key`. */
quoin_status atom_key_matches(bool *out, const atom_store *store, uint64_t number,
                              const atom_key *key, quoin_error *err);
quoin_status atom_corrupt_record(const atom_store *store, uint64_t number, const char *what,
                                 quoin_error *err);

/* Whether the term of `number` is that of `key`, a language string, but for the case of its tag. */
quoin_status atom_key_spells(bool *out, const atom_store *store, uint64_t number,
                             const atom_key *key, quoin_error *err);

/* ---- coding.c ----------------------------------------------------------------------------------
 */

/* Take the table of symbols from the file; hash 0: there is none. */
quoin_status atom_symbols_open(atom_store *store, uint64_t hash, quoin_error *err);
/* Whether a text is long enough to try. */
bool atom_code_is_worth(atom_kind kind, quoin_span text);
/* Put the text of a record to be added into symbols, if it is shorter so. May make the table. The
 * text is the store's until the next call, or `coded`, if somebody made that before. */
quoin_status atom_record_code(atom_record *rec, atom_store *store, quoin_span coded,
                              quoin_error *err);
/* The text of a record as it was: in the mapping, in `scratch` or in `arena`. */
quoin_status atom_record_text(quoin_span *out, base_buffer *scratch, const atom_store *store,
                              const atom_record *rec, quoin_error *err);
quoin_status atom_record_text_new(quoin_span *out, base_arena *arena, const atom_store *store,
                                  const atom_record *rec, quoin_error *err);
bool atom_record_says(const atom_store *store, const atom_record *rec, quoin_span text);

/* ---- table.c ----------------------------------------------------------------------------------
 */

quoin_status atom_table_create(atom_table **out, const atom_store *store, uint64_t number,
                               unsigned bits, quoin_error *err);
/* With a file, whatever there is room for. */
quoin_status atom_table_create_file(atom_table **out, const atom_store *store, uint64_t number,
                                    unsigned bits, quoin_error *err);
/* The same slots in a file. */
quoin_status atom_table_write(atom_table **out, const atom_store *store, const atom_table *from,
                              quoin_error *err);
quoin_status atom_table_open(atom_table **out, const atom_store *store, uint64_t number,
                             quoin_error *err);
void atom_table_free(atom_table *table, const base_alloc *mem); /* NULL is fine */
/* Write table->head with this state, synced. */
quoin_status atom_table_mark(atom_table *table, uint64_t synced, bool clean, quoin_error *err);
unsigned atom_table_bits_for(uint64_t terms);

/* The id of key with a number <= mark, or 0. A bad slot is CORRUPT. */
quoin_status atom_table_find(atom_id *out, const atom_store *store, const atom_table *table,
                             const atom_key *key, uint64_t mark, quoin_error *err);
/* Add the spellings of key, a language string, with a number <= mark. */
quoin_status atom_table_spellings(atom_spellings *out, const atom_store *store,
                                  const atom_table *table, const atom_key *key, uint64_t mark,
                                  quoin_error *err);
/* Put a number that is not there; there is room. */
void atom_table_put(atom_table *table, uint64_t number, uint64_t hash);
/* Put terms [from, to] by their records. Stops early when *stop (may be NULL) is set. */
quoin_status atom_table_fill(atom_table *table, const atom_store *store, uint64_t from, uint64_t to,
                             const atomic_int *stop, quoin_error *err);
/* Put terms 1..upto of a smaller table, which may be added to meanwhile. Stops early when *stop
 * (may be NULL) is set. CORRUPT when they are not all there. */
quoin_status atom_table_copy(atom_table *to, const atom_store *store, const atom_table *from,
                             uint64_t upto, const atomic_int *stop, quoin_error *err);
/* Empty the slot of one number; false when it is not found by that hash. */
bool atom_table_clear_one(atom_table *table, uint64_t number, uint64_t hash);
/* Empty all slots of numbers above `terms`. Returns how many others there are; *bad is set when one
 * of those does not check. */
uint64_t atom_table_clear_above(atom_table *table, uint64_t terms, bool *bad);

/* Where the search for a hash begins: in tables of all sizes hashes lie in the same order. */
static inline uint64_t
atom_slot_home(const atom_table *table, uint64_t hash)
{
  return hash >> (64 - table->bits);
}

/* Number of the term in a slot. */
static inline uint64_t
atom_slot_number(const atom_table *table, uint64_t slot)
{
  return slot >> 8 & table->mask;
}

/* The xor of its bytes. */
static inline uint64_t
atom_slot_sum(uint64_t slot)
{
  slot ^= slot >> 32;
  slot ^= slot >> 16;
  slot ^= slot >> 8;
  return slot & 0xff;
}

/* Whether a slot, which is not empty, is as it was written. */
static inline bool
atom_slot_is_sound(uint64_t slot)
{
  return base_sum_matches(atom_slot_sum(slot), ATOM_SLOT_SUM);
}

/* What a slot `far` from the home of a hash has above its number if it is for this hash. */
static inline uint64_t
atom_slot_want(const atom_table *table, uint64_t hash, uint64_t far)
{
  uint64_t behind = hash << table->bits >> (64 - ATOM_SLOT_HASH + table->bits);
  return behind << 8 | (far < ATOM_SLOT_FAR ? far : ATOM_SLOT_FAR);
}

static inline bool
atom_slot_fits(const atom_table *table, uint64_t slot, uint64_t hash, uint64_t far)
{
  return slot >> (table->bits + 8) == atom_slot_want(table, hash, far);
}

static inline atom_table *
atom_table_now(const atom_store *store)
{
  return atomic_load(&((atom_store *)(uintptr_t)store)->table);
}

/* ---- grow.c ------------------------------------------------------------------------------------
 */

/* Before a term is added: start or finish a larger table if it is time. */
quoin_status atom_grow_room(atom_store *store, quoin_error *err);
/* Give up a table in the making. */
void atom_grow_stop(atom_store *store);
/* It cannot hold terms above `terms`. */
void atom_grow_rollback(atom_store *store, uint64_t terms);
/* Back to the table from before the load, if that holds the first `terms`: how far it goes; else
 * `now`. */
uint64_t atom_grow_home(atom_store *store, uint64_t now, uint64_t terms);
/* Free retired tables if nobody can see them. Writer only. */
void atom_grow_reclaim(atom_store *store);

/* ---- prefix.c ----------------------------------------------------------------------------------
 */

/* Split `iri` for its record: *prefix is 0 or the number of a prefix, added if it is time.
 * `number`: what the IRI would get before. */
quoin_status atom_prefix_for(uint64_t *prefix, size_t *prefix_len, atom_store *store,
                             quoin_span iri, quoin_error *err);
/* An IRI was added without a prefix as `number`. */
void atom_prefix_note(atom_store *store, quoin_span iri, uint64_t number);
/* Terms went away: what was noted is read again from the records when it is needed. */
void atom_prefix_forget(atom_store *store);
void atom_window_free(atom_store *store);

/* ---- spelling.c --------------------------------------------------------------------------------
 */

quoin_status atom_spellings_add(atom_spellings *list, atom_id id, quoin_error *err);

/* ---- overlay.c ---------------------------------------------------------------------------------
 */

quoin_status atom_overlay_new(atom_overlay **out, uint64_t base, const base_alloc *mem,
                              quoin_error *err);
void atom_overlay_free(atom_overlay *overlay); /* NULL is fine */
quoin_status atom_overlay_find(atom_id *out, const atom_store *store, const atom_key *key,
                               uint64_t mark, quoin_error *err);
quoin_status atom_overlay_spellings(atom_spellings *out, const atom_store *store,
                                    const atom_key *key, uint64_t mark, quoin_error *err);
/* Add a record as `number`, the next. */
quoin_status atom_overlay_add(atom_overlay *overlay, atom_id id, uint64_t hash,
                              const atom_record *rec, quoin_error *err);
bool atom_overlay_record(const char **at, size_t *room, uint16_t *check,
                         const atom_overlay *overlay, uint64_t number);
void atom_overlay_rollback(atom_overlay *overlay, uint64_t terms);
size_t atom_overlay_bytes(const atom_overlay *overlay);

/* ---- intern.c ----------------------------------------------------------------------------------
 */

/* By key: in the files and the overlay. */
quoin_status atom_key_find(atom_id *out, const atom_store *store, const atom_key *key,
                           uint64_t mark, quoin_error *err);
/* Add the term of `key`, which is absent. May add a prefix before. */
quoin_status atom_key_add(atom_id *out, atom_store *store, const atom_key *key, quoin_error *err);

#endif /* QUOIN_ATOMSTORE_STORE_H */
