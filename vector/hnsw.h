/* vector/hnsw.h - a graph over vectors for nearest-neighbour search: HNSW.
 *
 * Malkov and Yashunin 2018, with these additions: nodes are walked by codes (vector/code.h) that
 * lie beside their links, and the best are scored again from the f32 vectors; levels come from a
 * hash of the key, so that a graph built by one thread repeats; a deleted node is walked through
 * until hnsw_sweep has mended every list that names it, after which its slot is used again; a
 * filter is a bitmap over slots.
 *
 * A node has a *slot* (0..hnsw_slots-1, stable while the node lives, reused after), a *key* (the
 * vector's atom id) and a *row* (the number by which its f32 vector is found, one node per row).
 *
 * Threads: one writer at a time (the caller's lock) calls what is marked "writer"; searches run on
 * any number of threads beside it and take no lock. An insert publishes node record -> links to it
 * -> count, in that order; a search sees a whole node or none. Slots of removed nodes are reused
 * only when every search that could see them has ended. Vectors named by `row` must stay readable
 * while the node is not removed by hnsw_sweep; a caller whose older snapshots still need a vector
 * deletes it later.
 *
 * On disk: a file graph-ID-GENERATION to which a checkpoint appends the pages that changed and then
 * a table that names the valid ones: the root, which the caller's manifest keeps. Nothing is
 * written in place, so every root once made durable stays readable until its file is unlinked
 * (docs/format.md, vector/pages.h). */
#ifndef QUOIN_VECTOR_HNSW_H
#define QUOIN_VECTOR_HNSW_H

#include "vector/bitmap.h"
#include "vector/crowd.h"

typedef struct hnsw hnsw;

#define HNSW_NONE UINT32_MAX /* no slot */

typedef struct hnsw_options {
  uint32_t dims;            /* 1..VEC_DIMS_MAX */
  vec_metric metric;        /* of the walk and of every distance given out */
  vec_code code;            /* B1: cosine from 256 dimensions only, else ARGUMENT */
  uint32_t m;               /* links of a node above level 0, twice as many there: 4..64; 0: 16 */
  uint32_t ef_construction; /* 0: 200 */
} hnsw_options;

/* Fills in the defaults. ARGUMENT, saying which it is: an option is out of range; hnsw_new and
 * hnsw_open ask the same. */
quoin_status hnsw_options_check(hnsw_options *options, quoin_error *err);

/* Where f32 vectors are: at base + stride * row, or, where base is NULL, what `at` says. Pointers
 * must stay valid during the call that was given this. `at` is called from any thread of that call
 * and may return NULL for a row that cannot be read: the call then fails with QUOIN_ERR_CORRUPT. */
typedef struct hnsw_vectors {
  const char *base;
  size_t stride;
  const float *(*at)(void *user, uint32_t row);
  /* Ahead of `at`: bring the floats near; ahead of that, what says where they are. May be NULL. */
  void (*ask)(void *user, uint32_t row), (*find)(void *user, uint32_t row);
  void *user;
} hnsw_vectors;

static inline const float *
hnsw_vector(const hnsw_vectors *vectors, uint32_t row)
{
  if (vectors->base) return (const float *)(const void *)(vectors->base + vectors->stride * row);
  return vectors->at(vectors->user, row);
}

/* ---- life ---------------------------------------------------------------------------------- */

/* What a manifest keeps of a graph. All zero: an empty graph that has no file. */
typedef struct hnsw_root {
  uint64_t generation; /* of the file */
  uint64_t offset;     /* of the table in it */
  uint64_t length;
  uint64_t checksum; /* of the table */
} hnsw_root;

/* An empty graph in private memory. `id` numbers the graph within its directory and becomes part of
 * file names. `mem` is borrowed. Errors: ARGUMENT (options out of range), NOMEM. */
quoin_status hnsw_new(hnsw **out, uint64_t id, const hnsw_options *options, const base_alloc *mem,
                      quoin_error *err);
/* The graph of `root`, mapped, not read: pages are checked when they are first touched. `options`
 * must be those it was made with (CORRUPT otherwise), except ef_construction. The graph may be
 * changed (the process that only reads too: changes are private until hnsw_checkpoint).
 * Errors: CORRUPT, VERSION, IO, NOMEM. */
quoin_status hnsw_open(hnsw **out, const base_dir *dir, uint64_t id, const hnsw_root *root,
                       const hnsw_options *options, const base_alloc *mem, quoin_error *err);
/* No search may be running. NULL is fine. */
void hnsw_close(hnsw *graph);

/* Append what changed since the last checkpoint and sync it; nothing changed: the same root again.
 * On failure the graph and the earlier root are as they were. When more than half of the file is
 * dead, all is written to a file of the next generation; unlink the stale one once the manifest
 * that names *out is durable. Writer; searches go on. Errors: IO, NO_SPACE, NOMEM, CORRUPT. */
quoin_status hnsw_checkpoint(hnsw_root *out, hnsw *graph, const base_dir *dir, quoin_error *err);
/* A file name of any graph; if so, *id and *generation are set: stale when no manifest in use has a
 * root of that id and generation. */
bool hnsw_file_is_mine(const char *name, uint64_t *id, uint64_t *generation);

/* ---- changes (writer) ------------------------------------------------------------------------ */

/* Add a node. EXISTS when `row` has a live node; a deleted node of that row that hnsw_sweep has not
 * removed yet comes back to life instead. Searches see it when the call returns. The vector must be
 * finite, and not zero under cosine (checked by the caller). On failure nothing changed.
 * Errors: NOMEM, LIMIT (too many nodes), CORRUPT, EXISTS. */
quoin_status hnsw_insert(hnsw *graph, uint64_t key, uint32_t row, const hnsw_vectors *vectors,
                         quoin_error *err);

/* Add n nodes by `threads` threads (0: all processors). With one thread the graph is that of n
 * calls of hnsw_insert in order. `done` (may be NULL) counts upwards while it runs. Rows that have
 * a live node already are passed over. On failure those linked so far stay. */
typedef struct hnsw_item {
  uint64_t key;
  uint32_t row;
} hnsw_item;
quoin_status hnsw_build(hnsw *graph, const hnsw_item *items, size_t n, unsigned threads,
                        const hnsw_vectors *vectors, base_cancel *cancel, _Atomic(uint64_t) *done,
                        quoin_error *err);

/* Take the node of `row` out of all later searches. NOT_FOUND when there is none. Its slot is freed
 * by hnsw_sweep. Cheap. */
quoin_status hnsw_delete(hnsw *graph, uint32_t row, quoin_error *err);

/* Mend every list that names a deleted node, by the neighbours of that node and of the list's other
 * members, and free the slots. One pass over all links: call it when hnsw_sweep_due says so (more
 * than a tenth is deleted, a sweep has begun, or had when the graph was saved), off the path of
 * commits. Recall does not suffer from late sweeps, only speed. hnsw_sweep_step does a part, the
 * lists of `slots` nodes; other changes and checkpoints may come between the steps, after each of
 * which live nodes can be reached. *done: it was the last. */
bool hnsw_sweep_due(const hnsw *graph);
quoin_status hnsw_sweep(hnsw *graph, base_cancel *cancel, quoin_error *err);
quoin_status hnsw_sweep_step(bool *done, hnsw *graph, uint32_t slots, base_cancel *cancel,
                             quoin_error *err);

/* ---- what is there ----------------------------------------------------------------------------
 */

/* Any thread. Live nodes; slots ever used (length of a bitmap). */
uint32_t hnsw_count(const hnsw *graph);
uint32_t hnsw_slots(const hnsw *graph);
/* Slot of the live node of `row`, or HNSW_NONE. Beside a writer between hnsw_enter and hnsw_leave,
 * and as of some moment of the call. */
quoin_status hnsw_find(uint32_t *slot, const hnsw *graph, uint32_t row, quoin_error *err);
/* Begin to fetch what hnsw_find will look at. */
void hnsw_find_ask(const hnsw *graph, uint32_t row);
/* The slot of the node of `row`, live or not, for its code: verified, and there as long as the
 * caller is between hnsw_enter and hnsw_leave. HNSW_NONE: no node. */
quoin_status hnsw_code_slot(uint32_t *slot, const hnsw *graph, uint32_t row, quoin_error *err);
/* The codes by slot (base and stride). */
vec_rows hnsw_codes(const hnsw *graph);
/* A block: those of the slots from..to, which are there, that have live nodes. Reads in the order
 * of memory. As hnsw_code_slot, between hnsw_enter and hnsw_leave. */
quoin_status hnsw_walk_codes(vec_crowd *crowd, const hnsw *graph, uint32_t from, uint32_t to,
                             quoin_error *err);
/* Key and row of a slot; *live false for a deleted or unused one. */
quoin_status hnsw_node(uint64_t *key, uint32_t *row, bool *live, const hnsw *graph, uint32_t slot,
                       quoin_error *err);

typedef struct hnsw_stats {
  uint64_t live, deleted, slots, levels;
  uint64_t links;                  /* at level 0 (counted: reads all nodes); 0 from _stats_quick */
  uint64_t record_bytes;           /* of a node at level 0 */
  uint64_t memory_bytes;           /* of all regions, mapped or private */
  uint64_t file_bytes, dead_bytes; /* of the file of the last root */
} hnsw_stats;
void hnsw_stats_quick(hnsw_stats *out, const hnsw *graph);

/* ---- searches (any thread) --------------------------------------------------------------------
 */

typedef struct hnsw_hit {
  double distance; /* exact: vec_exact of the f32 vectors */
  uint64_t key;
  uint32_t slot, row;
} hnsw_hit;

/* The scratch memory of one search at a time; keep one per thread. Grows with the graph. */
typedef struct hnsw_searcher hnsw_searcher;
quoin_status hnsw_searcher_new(hnsw_searcher **out, const hnsw *graph, quoin_error *err);
void hnsw_searcher_free(hnsw_searcher *searcher); /* before hnsw_close; NULL is fine */

typedef enum hnsw_way {
  HNSW_WAY_GRAPH,    /* the plain walk */
  HNSW_WAY_FILTERED, /* walk through all, keep the allowed */
  HNSW_WAY_TWO_HOP,  /* the same, then over the allowed and the neighbours of the others: too few
                        were near to the query */
  HNSW_WAY_CODES,    /* every candidate by its code, the best by exact distance */
  HNSW_WAY_EXACT,    /* every candidate's exact distance */
  HNSW_WAY_FALLBACK  /* a walk gave up, then as CODES */
} hnsw_way;

/* The effort (ef) of a search for k by default: of 50,000 vectors of 384 floats it finds 0.988 of
 * the 10 nearest by f32, f16 and i8. Bits tell less, so by b1 it takes three times as many nodes,
 * all of which are scored by their vectors: 0.982, where as many as by the others find 0.924. */
static inline size_t
hnsw_effort(vec_code code, size_t k)
{
  size_t ef = 64 + k;
  return code == VEC_B1 ? 3 * ef : ef;
}

/* What searches are estimated to cost, in nanoseconds. Any thread. */
double hnsw_hop_ns(const hnsw *graph); /* a node that a walk comes to */
/* How many it comes to until it has found the `nodes` nearest. */
double hnsw_walk_visits(const hnsw *graph, double nodes);
/* hnsw_search where `candidates` nodes are allowed, and the *way it would go. */
double hnsw_filtered_ns(hnsw_way *way, const hnsw *graph, size_t k, size_t ef, double candidates);

typedef struct hnsw_ask {
  const float *query;          /* dims finite floats; not zero under cosine */
  size_t k;                    /* at least 1 */
  size_t ef;                   /* 0: hnsw_effort; at least k */
  const vec_bitmap *filter;    /* slots allowed; NULL: all */
  const hnsw_vectors *vectors; /* for exact distances */
  base_cancel *cancel;         /* may be NULL */
  bool exact;                  /* every candidate's exact distance: no walk */
} hnsw_ask;

typedef struct hnsw_report {
  hnsw_way way;
  uint64_t visits; /* distances computed, coded or exact */
} hnsw_report;

/* The k nearest allowed live nodes, nearest first (then by key); *n < k only when fewer exist.
 * `hits` has room for k. `report` may be NULL. Approximate unless exact; chooses its way by how
 * many nodes the filter allows. Errors: CORRUPT, NOMEM, CANCELLED, TIMEOUT. */
quoin_status hnsw_search(hnsw_hit *hits, size_t *n, hnsw_searcher *searcher, const hnsw_ask *ask,
                         hnsw_report *report, quoin_error *err);

/* The same without an end: _next gives further nodes, about nearest first (ordered within one call,
 * and calls nearly so among each other), each once; QUOIN_DONE with *n == 0 when none is left.
 * ask->k is what the walk aims at, a call gives some more, as codes err; ask and what it points to
 * stay as they are until _stop. For filters too weak to be worth a bitmap, or k that counts
 * something other than nodes. A started walk holds back the reuse of slots: stop it soon. */
quoin_status hnsw_walk_start(hnsw_searcher *searcher, const hnsw_ask *ask, quoin_error *err);
quoin_status hnsw_walk_next(hnsw_hit *hits, size_t room, size_t *n, hnsw_searcher *searcher,
                            hnsw_report *report, quoin_error *err);
void hnsw_walk_stop(hnsw_searcher *searcher);

/* While somebody is between, slots that are set free are not used again: those a bitmap holds stay
 * what they were. Any thread; short. */
uint64_t hnsw_enter(hnsw *graph); /* what to leave with */
void hnsw_leave(hnsw *graph, uint64_t entered);

/* ---- check ----------------------------------------------------------------------------------- */

typedef struct hnsw_check_report {
  uint64_t nodes, links, unreachable, repaired;
} hnsw_check_report;
/* Verify every page and link (CORRUPT with file and offset of the first fault) and count the live
 * nodes that no walk reaches from the entry; with `repair` (writer) link them first, `repaired` of
 * them: `unreachable` counts what is left. A repair that fails leaves a graph as good or better. */
quoin_status hnsw_check(hnsw_check_report *out, hnsw *graph, bool repair, base_cancel *cancel,
                        quoin_error *err);

#endif /* QUOIN_VECTOR_HNSW_H */
