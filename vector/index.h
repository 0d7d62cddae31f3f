/* vector/index.h - the indexes of an open store: graphs that a thread keeps up with the quads.
 *
 * A graph has a node for each vector atom of its predicate that is numbered up to `mark`. Atoms are
 * numbered in the order of commits, so what came later is a range of the predicate's run, which is
 * searched exactly. A vector that was a term before it became one of the predicate's lies below the
 * mark and waits in `late`. Nodes whose quads are gone are passed over, as a search looks up the
 * quads of the nodes it takes, until there are enough of them to be taken out of the graph.
 * Searches take no lock: what they read is published with release stores, and freed when all have
 * left that began before it was replaced.
 *
 * The graph's row of a vector is the number of its atom. */
#ifndef QUOIN_VECTOR_INDEX_H
#define QUOIN_VECTOR_INDEX_H

#include "vector/epoch.h"
#include "vector/hnsw.h"
#include "vector/vector.h"

#include <stdatomic.h>

enum { VEC_SEARCHERS = 8, VEC_LATE_CHUNKS = 22, VEC_LATE_FIRST = 1024 };

/* Numbers of atoms: appended by the writer, taken by the thread that links. Chunk i has
 * VEC_LATE_FIRST << i of them. `count` is released after the number is written. */
typedef struct vec_late {
  _Atomic(uint32_t *) chunk[VEC_LATE_CHUNKS];
  _Atomic uint64_t count, done;
  _Atomic uint64_t published; /* of them: those of versions that snapshots have */
} vec_late;

/* A vector of which the version with this number removed a quad: perhaps its last. */
typedef struct vec_gone {
  uint64_t version;
  uint64_t late; /* late vectors there were then: one that came after it is there again */
  uint32_t number;
} vec_gone;

/* In the order of versions; under the lock `signal`. */
typedef struct vec_gone_queue {
  vec_gone *items;
  size_t n, cap;
} vec_gone_queue;

enum { VEC_PARSED_MOST = 256 << 20 };

/* The floats of literals that are no vec:f32 (parsed.c), for the dimension of the index. */
typedef struct vec_parsed_row vec_parsed_row;
typedef struct vec_parsed {
  const base_alloc *mem;
  base_sparse known;
  _Atomic(vec_parsed_row *) rows;
  _Atomic(size_t) bytes;
} vec_parsed;

/* Codes of vectors that are not linked yet (fresh.c), by place. */
typedef struct vec_fresh {
  const base_alloc *mem;
  _Atomic(uint32_t) holders;
  base_sparse places; /* by number of the atom, plus 1 */
  _Atomic(uint64_t) count;
  uint64_t room;
  char *codes;
  size_t stride;
  _Atomic(uint64_t) *numbers; /* by place; 0: its code is not there yet */
  char *space;                /* of `bytes`, as allocated: codes and numbers */
  size_t bytes;
  /* Under the lock of the pointer: of the versions from `horizon` on every vector numbered above
   * `low` and up to `upto` has a code, but for those that came late, as long as `verify_wanted` is
   * `verify`. */
  uint64_t verify, horizon, low, upto;
} vec_fresh;

/* How far the search for a subject that has several vectors has come (least.c): those before `next`
 * have one each at `version`. These are of whoever has set `busy`. */
typedef struct vec_census {
  atomic_bool busy;
  unsigned calm; /* searches since that had to begin anew */
  uint64_t version;
  atom_id next;
  _Atomic uint64_t all; /* one more than a version where all subjects have one; 0: not known */
} vec_census;

typedef struct vec_index {
  vec_declaration declared;
  uint64_t id; /* of the graph's files */
  bool walk_always;
  hnsw *graph;
  const atom_store *atoms; /* whose numbers its rows are; of use while a snapshot holds it */
  uint64_t generation;     /* of the atoms: an address may be used again, this is not */
  _Atomic uint64_t mark;   /* vectors numbered up to here are in the graph */
  vec_late late;
  vec_gone_queue gone;
  _Atomic uint64_t leaving; /* of those, until the graph does not have them any more */
  /* One more than the version of which a search found nothing beside the graph, by the scope of its
   * graphs: the mark only grows, so those that follow need not look. */
  _Atomic uint64_t bare[QUAD_ANY + 1];
  vec_census census[QUAD_ANY + 1];
  atomic_bool counting; /* searches do */
  bool kept;            /* the writer's: what it adds gives no subject a second vector */
  /* The last version that added a quad which may give one; UINT64_MAX: it is not known. */
  _Atomic uint64_t changed;
  _Atomic uint64_t removed; /* the last version that took a vector from anything */
  _Atomic uint64_t horizon; /* the graph lacks vectors of versions before this one: only grows */
  /* Vectors since the open, some of them more than once until the thread has counted: the
   * difference waits. `published`: of those added. `linked` counts older ones, too, where a graph
   * is made again: up to `link_most` they are of those added. */
  _Atomic uint64_t added, published, linked, link_most;
  uint64_t judged_late, judged_added; /* the writer's: before what was judged last */
  /* The graph cannot be read or changed, by `damage`: searches are exact. Where its file is damaged
   * the thread puts an index over an empty graph in its place. There may be no graph at all: memory
   * or addresses were short when it was to be made or mapped, which is tried again, or none can be
   * as it is declared. */
  _Atomic bool broken;
  quoin_error damage;        /* before `broken`; or why that of `replaces` was given up */
  _Atomic uint64_t replaces; /* the graph that the manifest still names; 0: this one */
  bool made_again;           /* in place of another */
  _Atomic bool unsure;       /* a commit on its way may not know of it */
  /* What lies below the mark may be missing: the thread looks, as often as wanted. `loading`: it
   * will be from this version on, once a load is published; 0: none is. */
  _Atomic uint64_t verify_wanted, verified;
  _Atomic uint64_t completed; /* where nothing links: up to this version nothing is missing */
  /* Of this version the thread has seen all: nothing is left to link, to take out or to mend. Under
   * the lock `signal`. */
  _Atomic uint64_t tidied;
  bool read_only; /* nothing links */
  _Atomic uint64_t loading;
  _Atomic bool unsaved; /* set and cleared under the lock of the graphs */
  hnsw_root root;       /* of the last checkpoint, and what the section said then of it: */
  uint64_t saved_mark, saved_version;
  _Atomic bool saved_uncertain;
  vec_parsed parsed;
  base_mutex fresh_lock; /* of the pointer, and of what the codes are said to cover */
  vec_fresh *fresh;
  uint64_t fresh_room; /* of the next codes; under the lock */
  uint64_t fresh_most; /* codes: vectors that may wait */
  _Atomic(hnsw_searcher *) idle[VEC_SEARCHERS];
  struct vec_index *next; /* of those that wait to be freed */
} vec_index;

/* Immutable once published, but for `until`. Snapshots of versions from..until-1 declare `declared`
 * (of index[i] or, where only the model differs, of one like it); of others it says nothing. */
typedef struct vec_index_set {
  struct vec_index_set *next; /* of those that wait to be freed */
  uint64_t from;
  _Atomic uint64_t until; /* lowered by the writer before the version is published */
  size_t n, room;
  vec_declaration *declared; /* behind index[] */
  vec_index *index[];
} vec_index_set;

typedef struct vec_piece vec_piece; /* vectors that are linked together */

/* Replaced, until nobody can be looking at it. */
typedef struct vec_retired {
  vec_index_set *sets;
  vec_index *indexes;
} vec_retired;

/* Whether vectors come faster than they can be linked. */
typedef struct vec_burst {
  uint64_t noted, noted_ns; /* the writer's: at the last commit */
  _Atomic uint64_t until;   /* it goes on, for all that is known */
} vec_burst;

typedef struct vec_indexes {
  quad_store *store;
  const base_alloc *mem;
  bool read_only, walk_always;
  unsigned threads; /* that link many */
  uint64_t bound;   /* vectors that may wait to be linked */
  _Atomic(vec_index_set *) set;
  vec_epoch users; /* of the set */
  _Atomic uint64_t next_id;
  atomic_bool judging; /* a commit has been judged and is not published, or failed */
  bool missing_too;    /* the writer's: a graph whose file is gone is given up, too */
  /* The manifest names graphs of versions that a power cut took: the attach replaces it. */
  atomic_bool stale_section;
  _Atomic uint64_t seen;   /* the newest version that anything in a graph is of */
  uint64_t known;          /* atoms of the version published last: the writer's */
  uint64_t judged;         /* atoms of the version judged last, likewise */
  uint64_t judged_version; /* of the last judgement that stands: likewise */
  bool declarations;       /* the writer's: a commit on its way changes them */
  base_mutex graphs;       /* being the writer of the graphs */
  base_mutex signal;       /* of these */
  base_cond work, rested;
  atomic_uint settling; /* calls that wait for the graphs */
  bool due, stop;
  vec_retired limbo, waiting; /* `waiting` until the users are those of its epoch no more */
  pthread_t thread;
  vec_piece *piece; /* what the thread works on */
  bool started;
  _Atomic double pace; /* ns to link one vector */
  vec_burst burst;
  atomic_int cancelled;
} vec_indexes;

/* ---- pending.c ---- */

/* The number at `at`, which is below `count`. */
uint32_t vec_late_get(const vec_late *late, uint64_t at);
/* By the writer: false on no memory. */
bool vec_late_add(vec_late *late, uint32_t number, const base_alloc *mem);
void vec_late_clear(vec_late *late, const base_alloc *mem);

/* By the writer, or by the thread that found that the vector has no quad. */
quoin_status vec_gone_add(vec_indexes *ix, vec_index *index, uint32_t number, uint64_t version,
                          uint64_t late, quoin_error *err);
/* Those up to `version` before which all late ones are linked, if they are `least` at least: *out
 * is allocated from ix->mem. */
quoin_status vec_gone_take(vec_gone **out, size_t *n, vec_indexes *ix, vec_index *index,
                           size_t least, uint64_t version, quoin_error *err);
/* Is one noted, numbered above `number`, of a version up to `version`? */
bool vec_gone_above(vec_indexes *ix, const vec_index *index, uint64_t number, uint64_t version);
/* Of this version all is tidied, unless one is noted of it or before. */
void vec_gone_tidied(vec_indexes *ix, vec_index *index, uint64_t version);
/* Those of versions above this one will not be. */
void vec_gone_drop(vec_indexes *ix, vec_index *index, uint64_t version);
void vec_gone_clear(vec_gone_queue *gone, const base_alloc *mem);

/* ---- parsed.c ---- */

/* The floats of an ATOM_TYPED of the snapshot, if they are `dimension` (of the index); else NULL.
 * Kept, or in `arena`. Any thread. */
quoin_status vec_parsed_floats(const float **out, vec_parsed *parsed, uint32_t dimension,
                               const quad_snapshot *snapshot, const vec_terms *terms, atom_id id,
                               base_arena *arena, quoin_error *err);
void vec_parsed_clear(vec_parsed *parsed);

/* ---- fresh.c ---- */

/* Those of the index, there until vec_fresh_leave (NULL is fine). NULL: there are none, nor made
 * (`make`; or memory is short). */
vec_fresh *vec_fresh_enter(vec_index *index, bool make);
void vec_fresh_leave(vec_fresh *fresh);
/* Nothing waits any more, or the index goes. */
void vec_fresh_drop(vec_index *index);
/* Into *place where the code of the vector with this number is; false, and *place is left: it has
 * none yet. */
bool vec_fresh_find(uint32_t *place, const vec_fresh *fresh, uint64_t number);
/* False: there is no room. */
bool vec_fresh_add(vec_fresh *fresh, uint64_t number, const vec_declaration *declared,
                   const float *values);
/* Make the codes of the snapshot that are missing. Then all its vectors numbered above `mark` (of
 * the graph, or before that) and up to *upto, which is `mark` if that cannot be said, have one, but
 * for those that came late. */
quoin_status vec_fresh_cover(uint64_t *upto, vec_fresh *fresh, vec_index *index,
                             const quad_snapshot *snapshot, uint64_t mark, base_cancel *cancel,
                             quoin_error *err);

/* ---- own.c: the vectors that a transaction has added. By its thread. ---- */

/* quad_participant.view_new, view_note, view_free. */
quoin_status vec_view_new(void **out, void *indexes, const quad_snapshot *begun, quoin_error *err);
quoin_status vec_view_note(void *view, const quad *q, bool removed, quoin_error *err);
void vec_view_free(void *view);
/* Has the transaction of the snapshot, for all that is known, changed what is declared? */
bool vec_view_declares(const quad_snapshot *snapshot);

typedef struct vec_own vec_own;
/* Those of the index's predicate in a snapshot of a transaction, as far as the begin of it did not
 * have them (NULL: none); false: they are not known, or it is no such snapshot. */
bool vec_own_of(vec_own **out, const quad_snapshot *snapshot, const vec_declaration *declared);
uint64_t vec_own_count(const vec_own *own);
/* All of them have codes, or their place: for searches of the snapshot. */
quoin_status vec_own_cover(vec_own *own, const quad_snapshot *snapshot, const vec_request *request,
                           quoin_error *err);

/* ---- set.c ---- */

/* The indexes as the store's last version declares them. */
quoin_status vec_set_take_up(vec_indexes *ix, quoin_error *err);
/* The indexes that the snapshot declares become the set: those that stay as they are keep their
 * graph. The writer. */
quoin_status vec_set_refresh(vec_indexes *ix, const quad_snapshot *snapshot, quoin_span section,
                             quoin_error *err);
/* Indexes whose graphs are damaged begin anew. The thread; false: to be tried again. */
bool vec_set_renew(vec_indexes *ix);
void vec_set_clear(vec_indexes *ix);
/* What the snapshot declares, if that is known without reading it; false: look. Any thread. */
bool vec_set_declares(vec_declaration *out, const quad_snapshot *snapshot, atom_id predicate);
/* Free what was replaced and is used no more; true: there is more of it. */
bool vec_retired_settle(vec_indexes *ix);

/* ---- commit.c ---- */

quad_participant vec_participant(vec_indexes *ix);

/* ---- index.c ---- */

void vec_indexes_free(vec_indexes *ix);
/* Is it the graph's file that is damaged, or not there? */
bool vec_is_damage(const quoin_error *why);
/* Searches go on without the graph. Any thread. */
void vec_index_give_up(vec_indexes *ix, vec_index *index, const quoin_error *why);
/* What it was given up for. Any thread. */
quoin_status vec_index_damage(vec_indexes *ix, const vec_index *index, quoin_error *err);
void vec_say_damage(const vec_indexes *ix, const quoin_error *why);
/* The same where `why` is damage: a search then goes on as if there were no graph. */
bool vec_index_lost(vec_index *index, const quad_snapshot *snapshot, const quoin_error *why);
/* The status of `why`, and *why in *err. */
quoin_status vec_fail_as(const quoin_error *why, quoin_error *err);
/* The index whose graph serves a search over the snapshot, there until vec_index_leave; NULL: there
 * is none. Any thread. */
vec_index *vec_index_enter(uint64_t *entered, const quad_snapshot *snapshot,
                           const vec_declaration *declared);
void vec_index_leave(const quad_snapshot *snapshot, uint64_t entered);
/* Does the file of its graph wait to be replaced? */
bool vec_index_is_damaged(const quad_snapshot *snapshot, const vec_declaration *declared);
/* Has it none, for want of what that takes? */
bool vec_index_is_missing(const quad_snapshot *snapshot, const vec_declaration *declared);
/* Of the store's indexes; the default one where there are none. */
const base_alloc *vec_index_alloc(const quad_snapshot *snapshot);
/* Whether the rows of the index are numbers of the snapshot's atoms: clear and compact give new
 * ones. */
bool vec_index_is_of(const vec_index *index, const quad_snapshot *snapshot);
/* Was no vector of the snapshot taken out of the graph? */
bool vec_index_is_recent(const vec_index *index, const quad_snapshot *snapshot);
/* By the thread that links, before the graph passes over, or loses, vectors that versions before
 * this one have. */
void vec_index_forgets(vec_index *index, uint64_t version);
/* Has the graph, with what lies above the mark and came late, all vectors of the snapshot? */
bool vec_index_has_all(const vec_index *index, const quad_snapshot *snapshot);
/* The floats of its rows, for whoever holds a snapshot. */
hnsw_vectors vec_index_vectors(const vec_index *index);
quoin_status vec_index_searcher(hnsw_searcher **out, vec_index *index, quoin_error *err);
void vec_index_searcher_done(vec_index *index, hnsw_searcher *searcher);
/* The vectors of the predicate numbered low..high (or, with `kind` ATOM_TYPED, literals that stand
 * for vectors) in the graphs; by object. */
quoin_status vec_range_open(quad_scan **out, const quad_snapshot *snapshot,
                            const vec_graphs *graphs, atom_id predicate, atom_kind kind,
                            uint64_t low, uint64_t high, quoin_error *err);

/* ---- burst.c ---- */

/* Commits have added so many until now, and linking one takes `pace` ns. The writer. */
void vec_burst_note(vec_burst *burst, uint64_t added, double pace, uint64_t now);
bool vec_burst_goes_on(const vec_burst *burst, uint64_t now);
/* Vectors of the index that wait to be linked. */
uint64_t vec_index_waiting(const vec_index *index);
/* The same of all of them. Whoever has entered the set, or the writer. */
uint64_t vec_waiting(const vec_index_set *set);
/* The thread that links: until the burst is over, the store closes or too many wait. */
void vec_burst_wait(vec_indexes *ix);

/* ---- judge.c ---- */

/* *declarations: the system graph changes. `uncertain`: a commit on its way has changed it, so that
 * `set` does not say which predicates are indexes. `known`: vectors numbered up to it have been
 * judged. */
quoin_status vec_judge(bool *declarations, const vec_index_set *set, bool uncertain,
                       const quad_snapshot *next, uint64_t known, const quad_delta *delta,
                       const base_alloc *mem, quoin_error *err);

/* ---- least.c ---- */

/* Does each subject of what the commit adds to the index have one vector in `next`? False where
 * that is not looked up: no search asks, or the commit is large. */
bool vec_least_keeps(const vec_index *index, const quad_snapshot *next, const quad_delta *delta);

/* ---- link.c ---- */

void *vec_link_thread(void *indexes);
vec_piece *vec_piece_new(const base_alloc *mem); /* NULL: no memory */
void vec_piece_free(vec_piece *piece, const base_alloc *mem);
/* Where nothing links: what lies below the mark and is missing becomes late. */
quoin_status vec_index_complete(vec_indexes *ix, vec_index *index, const quad_snapshot *snapshot,
                                quoin_error *err);

static inline bool
vec_stopping(vec_indexes *ix)
{
  return atomic_load_explicit(&ix->cancelled, memory_order_relaxed) != 0;
}

/* Neither is the store being closed, nor was the index dropped or replaced: it has more to do. The
 * thread, in an epoch of the set. */
bool vec_goes_on(vec_indexes *ix, const vec_index *index);

/* ---- leave.c ---- */

/* Take out the nodes whose last quad went, once there are enough of them, or somebody waits. */
quoin_status vec_take_out(vec_indexes *ix, vec_index *index, const quad_snapshot *snapshot,
                          quoin_error *err);
quoin_status vec_sweep(vec_indexes *ix, vec_index *index, quoin_error *err);

/* ---- section.c ---- */

/* The section of the manifest, and back. */
/* The graphs of the snapshot's ids. `version`: of the store, or an earlier one. With the lock of
 * the graphs. */
quoin_status vec_section_write(base_buffer *out, vec_indexes *indexes,
                               const quad_snapshot *snapshot, uint64_t version, quoin_error *err);
/* Must a graph that is saved now be compared with the quads when it is opened? Any thread. */
bool vec_index_is_uncertain(const vec_index *index);
/* The graph of the index in the section, if there is one that fits. On failure index->id is that of
 * the graph that cannot be read. */
quoin_status vec_section_open(vec_index *index, vec_indexes *indexes, quoin_span section,
                              const quad_snapshot *snapshot, quoin_error *err);
/* Is it of a later version than the snapshot, or of more atoms? Then a power cut took the end of
 * the log, and what it says of numbers that are given again is of others. */
bool vec_section_is_ahead(quoin_span section, const quad_snapshot *snapshot);
uint64_t vec_section_next_id(quoin_span section);
uint64_t vec_section_version(quoin_span section);
/* Its parts, from what the last checkpoint left; with the lock of the graphs. */
void vec_section_head(base_buffer *out, const vec_indexes *indexes, uint64_t version, size_t n);
void vec_section_entry(base_buffer *out, const vec_index *index);

/* Does the graph of the one serve the other? */
static inline bool
vec_declaration_same(const vec_declaration *a, const vec_declaration *b)
{
  return atom_id_equal(a->predicate, b->predicate) && a->dimension == b->dimension &&
         a->metric == b->metric && a->code == b->code && a->m == b->m &&
         a->ef_construction == b->ef_construction;
}

static inline hnsw_options
vec_graph_options(const vec_declaration *d)
{
  return (hnsw_options){.dims = d->dimension,
                        .metric = d->metric,
                        .code = d->code,
                        .m = d->m,
                        .ef_construction = d->ef_construction};
}

/* ---- backup.c ---- */

/* quad_participant.backup. */
quoin_status vec_backup(base_buffer *section, uint64_t *generation, void *indexes,
                        const base_dir *to, base_cancel *cancel, quoin_error *err);

#endif /* QUOIN_VECTOR_INDEX_H */
