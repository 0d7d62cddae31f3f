/* vector/vector.h - vectors that belong to subjects, and the search for the nearest. The door.
 *
 * A vector index is declared in RDF over a predicate, in the graph <urn:x-quoin:system>
 * (vector/declare.c). Its vectors are objects of quads: which subjects and graphs they belong to,
 * and which of them a snapshot sees, is said by the quad runs alone. A search gives subjects, each
 * once at the distance of its nearest vector in the active graph. Every distance that leaves this
 * folder is computed from the f32 values in double, the same bits on every machine
 * (vector/kernel.h). DESIGN.md sections 5 and 8; docs/adrs/0021-nearest.md. */
#ifndef QUOIN_VECTOR_VECTOR_H
#define QUOIN_VECTOR_VECTOR_H

#include "quadstore/quadstore.h"
#include "vector/kernel.h"

/* How terms and ids go into one another for whoever asks: a transaction and a query have terms of
 * their own. */
typedef struct vec_terms {
  void *user;
  /* The id of a term; 0, or an id that no quad of the snapshot has, when there is none such. */
  quoin_status (*find)(atom_id *out, void *user, const rdf_term *term, quoin_error *err);
  quoin_status (*read)(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err);
  /* The floats of a local id; false: it is no vector. May be NULL. */
  bool (*vector)(const float **out, uint32_t *dimension, void *user, atom_id id);
} vec_terms;

/* ---- declarations ----------------------------------------------------------------------------
 */

#define VEC_SYSTEM_GRAPH "urn:x-quoin:system"

typedef struct vec_declaration {
  atom_id predicate;
  uint32_t dimension;
  vec_metric metric;        /* vec:metric; cosine */
  vec_code code;            /* vec:storage; i8 under cosine from 64 dimensions, else f32 */
  uint32_t m;               /* vec:m; 16 */
  uint32_t ef_construction; /* vec:efConstruction; 200 */
  atom_id model;            /* vec:model, a string; 0: not said */
  uint32_t unknown;         /* words of the vocabulary that are none of a declaration */
} vec_declaration;

/* The declaration of the index over `predicate`: *found is false when there is none. An incomplete
 * or contradictory one is ARGUMENT, naming it. */
quoin_status vec_declaration_find(vec_declaration *out, bool *found, const quad_snapshot *snapshot,
                                  const vec_terms *terms, atom_id predicate, const base_alloc *mem,
                                  quoin_error *err);
/* The same with triples that are not in the snapshot yet, or are: `said`, all of subject
 * `predicate`, in ids of `terms`; and as one of these the predicate. On failure *at is which of
 * them is not good, or n. Where the snapshot has no such index it is judged as below. */
quoin_status vec_declaration_with(vec_declaration *out, bool *found, size_t *at,
                                  const quad_snapshot *snapshot, const vec_terms *terms,
                                  atom_id predicate, const quad *said, size_t n,
                                  const base_alloc *mem, quoin_error *err);
/* The same where it is to be committed: a declaration that no graph can be made of is refused, too,
 * and words that are not known. A store may have such, of before they were refused: then it is
 * searched without a graph. */
quoin_status vec_declaration_judge(vec_declaration *out, bool *found, const quad_snapshot *snapshot,
                                   const vec_terms *terms, atom_id predicate, const base_alloc *mem,
                                   quoin_error *err);
/* The predicates that are said to be an index, ascending; allocated from `mem`, *n of them. */
quoin_status vec_declaration_list(atom_id **out, size_t *n, const quad_snapshot *snapshot,
                                  const vec_terms *terms, const base_alloc *mem, quoin_error *err);

/* ---- graphs ---------------------------------------------------------------------------------
 */

/* The active graph: the triples of these quads. */
typedef struct vec_graphs {
  quad_scope scope;
  atom_id graph;         /* QUAD_NAMED: this one; 0: several */
  const atom_id *merged; /* of several: these, ascending; NULL: all but `skip` */
  size_t n_merged;
  atom_id skip; /* the system graph, or 0 */
  bool empty;   /* no triples, whatever the store holds */
} vec_graphs;

static inline bool
vec_graphs_merge(const vec_graphs *graphs)
{
  return graphs->merged || graphs->skip.bits;
}

/* Of a merge: is this graph in it? */
bool vec_graphs_have(const vec_graphs *graphs, atom_id graph);
/* Do these graphs have quads of the index's predicate? Counted without reading them. */
quoin_status vec_graphs_any(bool *out, const quad_snapshot *snapshot, const vec_graphs *graphs,
                            atom_id predicate, quoin_error *err);
/* Subjects and, unless it is bound, objects of the quads that match, and of a merge the graphs: by
 * object where the store has such an order. */
quoin_status vec_quads_open(quad_scan **out, const quad_snapshot *snapshot,
                            const vec_graphs *graphs, const quad *match, quoin_error *err);

/* ---- vectors as terms ------------------------------------------------------------------------
 */

/* The floats of a term: of a vec:f32 literal, or of an array of numbers as cdt:List, rdf:JSON or
 * tensorFloat, or of a NumericDataTensor of one dimension (vector/tensor.h). NULL in *out: it is no
 * vector. In `arena`, or as long as the term. */
quoin_status vec_of_term(const float **out, uint32_t *dimension, const rdf_term *term,
                         base_arena *arena, quoin_error *err);
/* The floats of a stored or local id, likewise; those of a stored vec:f32 are in the atom store's
 * mapping. */
quoin_status vec_of_id(const float **out, uint32_t *dimension, const quad_snapshot *snapshot,
                       const vec_terms *terms, atom_id id, base_arena *arena, quoin_error *err);

/* The vectors that a subject has in the active graph, of the dimension of the index: *out and
 * what it points to are in `arena` or in the mapping. */
quoin_status vec_of_subject(const float *const **out, size_t *n, const quad_snapshot *snapshot,
                            const vec_declaration *index, const vec_graphs *graphs,
                            const vec_terms *terms, atom_id subject, base_arena *arena,
                            quoin_error *err);

/* Might the term be a vector, or a vec:f32 that is not well formed? By datatype and first byte. */
bool vec_may_be(const rdf_term *term);

/* Why a term cannot be an object of the index's predicate; NULL: it can, as a vector that fits or
 * as something that is none. */
quoin_status vec_misfit(const char **why, const vec_declaration *index, const rdf_term *object,
                        base_arena *arena, quoin_error *err);
/* The same of an id, as vec_of_id takes it; of floats. */
quoin_status vec_misfit_id(const char **why, const vec_declaration *index,
                           const quad_snapshot *snapshot, const vec_terms *terms, atom_id object,
                           base_arena *arena, quoin_error *err);
const char *vec_misfit_of(const vec_declaration *index, const float *values, uint32_t dimension);
/* CONSTRAINT, naming index and subject (a blank node without a label: as such). */
quoin_status vec_fail_misfit(const vec_declaration *index, quoin_span predicate,
                             const rdf_term *subject, const char *why, quoin_error *err);

/* The distance of two vectors, ascending with unlikeness: 1 - cos, 1 - dot, or Euclidean. Under
 * cosine a zero vector is at 1 from all. */
double vec_distance(vec_metric metric, const float *a, const float *b, uint32_t dimension);
bool vec_is_zero(const float *values, uint32_t dimension);

/* ---- search ----------------------------------------------------------------------------------
 */

typedef struct vec_request {
  const vec_declaration *index;
  const vec_graphs *graphs;
  const vec_terms *terms;
  const float *const *near; /* vectors of the index's dimension: the nearest of them counts */
  size_t n_near;
  size_t k;
  uint32_t ef;             /* 0: as the index chooses */
  double max_distance;     /* HUGE_VAL: any */
  bool exact;              /* no approximation */
  const atom_id *subjects; /* ascending: only these; NULL: any */
  size_t n_subjects;
  base_cancel *cancel; /* may be NULL */
} vec_request;

typedef struct vec_found {
  double distance;
  atom_id subject;
} vec_found;

typedef enum vec_choice {
  VEC_CHOICE_NONE,      /* nothing to search */
  VEC_CHOICE_LOOKUP,    /* exact, the vectors of each candidate looked up */
  VEC_CHOICE_SCAN,      /* exact, over all vectors of the active graph */
  VEC_CHOICE_CODES,     /* exact, over the codes of all vectors, the quads asked of the near ones */
  VEC_CHOICE_GRAPH,     /* through the HNSW graph, the quads of its nodes looked up */
  VEC_CHOICE_CANDIDATES /* the nodes of the candidates, by their codes or through the graph */
} vec_choice;
const char *vec_choice_name(vec_choice choice);

typedef struct vec_report {
  vec_choice choice;
  uint64_t candidates; /* subjects it chose from, as far as they were counted */
  uint64_t visits;     /* vectors looked at */
  bool approximate;
} vec_report;

/* The request->k nearest subjects in ascending order of (distance, id), fewer when there are not so
 * many: *out is allocated from `mem`, of *n. `report` is added to. */
quoin_status vec_search(vec_found **out, size_t *n, vec_report *report,
                        const quad_snapshot *snapshot, const vec_request *request,
                        const base_alloc *mem, quoin_error *err);

/* By which way `queries` searches in turn would begin, found without searching: of
 * request->subjects and ->near it matters alone whether there are any, and how many. */
quoin_status vec_search_choice(vec_choice *out, const quad_snapshot *snapshot,
                               const vec_request *request, size_t queries, quoin_error *err);

/* The same for `n` queries of the index's dimension, one behind the other, in place of
 * request->near: found[i] and counts[i] of each, by up to `threads` threads (0: all processors).
 * On failure what was found is freed. */
quoin_status vec_search_many(vec_found **found, size_t *counts, vec_report *report,
                             const quad_snapshot *snapshot, const vec_request *request,
                             const float *queries, size_t n, unsigned threads,
                             const base_alloc *mem, quoin_error *err);

/* The same a few at a time, where each may be near to several vectors: what they share is found
 * once, for about `queries` of them. Of the request, which is borrowed with all that it points to,
 * what it is near to is not looked at. *out is NULL on failure. */
typedef struct vec_searches vec_searches;
quoin_status vec_searches_open(vec_searches **out, const quad_snapshot *snapshot,
                               const vec_request *request, size_t queries, const base_alloc *mem,
                               quoin_error *err);
/* One of them, and its answer: as vec_search. */
typedef struct vec_asked {
  const float *const *near;
  size_t n_near;
  vec_found *found;
  size_t n;
  vec_report report;
} vec_asked;

enum { VEC_TOGETHER = 32 }; /* searches that may share a reading */
/* As many as are asked for together at best, 1 to VEC_TOGETHER. */
size_t vec_searches_most(const vec_searches *searches);
/* The answers of asked[0..n), at most that many, each what it is alone. On failure some have
 * theirs.
 */
quoin_status vec_searches_next(vec_asked *asked, size_t n, vec_searches *searches,
                               quoin_error *err);
void vec_searches_close(vec_searches *searches); /* NULL is fine */

/* ---- the indexes of a store ------------------------------------------------------------------
 */

typedef struct vec_options {
  bool read_only;
  uint64_t unlinked; /* vectors that may wait to be linked before commits are slowed; 0: 100,000 */
  unsigned threads;  /* that link many at once; 0: all processors */
  bool walk_always;  /* through the graph however few nodes it has: for tests */
  const base_alloc *mem;
} vec_options;

/* Make the indexes take part in the store, which was just opened: commits are judged, graphs kept.
 * Without this all searches are exact. They end with the store. */
quoin_status vec_attach(quad_store *store, const vec_options *options, quoin_error *err);
/* Make a store in the directory `path` (new or empty) of the one at `from`, which is only read,
 * with the graphs of its indexes: as quad_store_backup_within. `mem` NULL: the default. */
quoin_status vec_restore(const char *path, const char *from, base_quota *quota, base_cancel *cancel,
                         const base_alloc *mem, quoin_error *err);

/* Wait until the graphs have all vectors of the snapshot, and what was removed before it has left
 * them. Returns at once where nothing links them:
 * without vec_attach, and in a store that is only read. Errors: CANCELLED, TIMEOUT. */
quoin_status vec_settle(const quad_snapshot *snapshot, base_cancel *cancel, quoin_error *err);

typedef struct vec_stats {
  uint64_t nodes;   /* vectors in the graph */
  uint64_t waiting; /* vectors of commits since it was opened or made that are not yet */
  uint64_t leaving; /* quads removed whose vectors the graph may still have */
  uint64_t bytes;   /* of the graph in memory or mapped */
} vec_stats;
/* Of the index as it is at the snapshot; all 0 when it has no graph. */
void vec_index_stats(vec_stats *out, const quad_snapshot *snapshot,
                     const vec_declaration *declared);

typedef struct vec_counts {
  uint64_t statements;       /* quads with the predicate, in all graphs */
  uint64_t others;           /* of them: those whose object is no vector of the index */
  uint64_t vectors;          /* distinct */
  uint64_t linked, unlinked; /* of the vectors: nodes of the graph, and not */
  uint64_t removed;          /* nodes whose vector nobody has any more */
  uint64_t bytes;            /* of the graph in memory or mapped */
  uint64_t file_bytes;       /* of its file */
  bool damaged; /* its file is: it is searched around, and made again by whoever writes */
  bool missing; /* it could not be made, or not be mapped: searches are exact */
} vec_counts;
/* Reads all quads of the predicate. `cancel` may be NULL. */
quoin_status vec_index_count(vec_counts *out, const quad_snapshot *snapshot,
                             const vec_declaration *declared, base_cancel *cancel,
                             quoin_error *err);

typedef struct vec_check_report {
  uint64_t nodes, links, unreachable, repaired;
  bool made_again; /* the graph's file was damaged; nodes are those of the graph in its place */
} vec_check_report;
/* Verify every page and link of the graph; with `repair` link the nodes that no walk reaches, and
 * wait until a damaged graph has been made again (else CORRUPT; searches go on without it). */
quoin_status vec_index_check(vec_check_report *out, const quad_snapshot *snapshot,
                             const vec_declaration *declared, bool repair, base_cancel *cancel,
                             quoin_error *err);

/* Terms and ids of a snapshot that is not of a transaction; borrows it. */
vec_terms vec_store_terms(const quad_snapshot *snapshot);

#endif /* QUOIN_VECTOR_VECTOR_H */
