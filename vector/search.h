/* vector/search.h - what the ways of a search share: candidates.c, flat.c, plan.c, search.c,
 * unlinked.c, walk.c. */
#ifndef QUOIN_VECTOR_SEARCH_H
#define QUOIN_VECTOR_SEARCH_H

#include "vector/bound.h"
#include "vector/index.h"
#include "vector/top.h"

#include <math.h>

/* A candidate's vector that has no node. */
typedef struct vec_loose {
  atom_id vector, subject;
} vec_loose;

typedef struct vec_candidates {
  vec_bitmap nodes;
  vec_loose *loose;
  size_t n_loose, cap_loose;
  const base_alloc *mem;
} vec_candidates;

quoin_status vec_candidates_find(vec_candidates *out, const quad_snapshot *snapshot,
                                 const vec_request *request, const vec_index *index, bool by_lookup,
                                 const base_alloc *mem, quoin_error *err);
void vec_candidates_clear(vec_candidates *c);
/* The first of ids[0..n) that is not less than `id`, looked for from `at` on: near by where the ids
 * asked for ascend. */
size_t vec_ids_seek(const atom_id *ids, size_t n, size_t at, atom_id id);
/* Of the rows of a batch those whose subject is one of ids[0..n): their places into out[], how
 * many. *at goes along the ids as the rows do: quickly where both ascend. */
size_t vec_rows_among(uint16_t *out, const atom_id *subject, size_t rows, const atom_id *ids,
                      size_t n, size_t *at);
/* The quads of the predicate, by subject where the store has such an order: they ascend as the
 * candidates do. */
quoin_status vec_open_by_subject(quad_scan **out, const quad_snapshot *snapshot,
                                 const vec_request *request, quoin_error *err);

/* Of one search, or of many that differ in what they are near to. */
typedef struct vec_plan {
  const quad_snapshot *snapshot;
  const vec_request *request;
  const base_alloc *mem;
  vec_choice way;
  uint64_t vectors; /* quads of the predicate in the active graph */
  double share;     /* of the nodes that it asks for, about */
  uint64_t budget;  /* of a walk: nodes looked up before another way would have been cheaper */
  vec_index *index; /* NULL: none serves */
  vec_own *own;     /* what a transaction has beside the index; NULL: nothing */
  uint64_t entered, epoch;
  bool find_by_lookup, found;
  vec_candidates candidates; /* once they are found */
} vec_plan;

/* `queries` of them will share it. It borrows all. */
quoin_status vec_plan_init(vec_plan *out, const quad_snapshot *snapshot, const vec_request *request,
                           size_t queries, const base_alloc *mem, quoin_error *err);
void vec_plan_clear(vec_plan *plan);
/* `request`: that of the plan, or another in what it is near to alone. */
quoin_status vec_search_planned(vec_found **out, size_t *n, vec_report *report,
                                const vec_plan *plan, const vec_request *request,
                                const base_alloc *mem, quoin_error *err);
/* Several of them by the codes of all vectors, which the plan has chosen, in one reading; a report
 * of each. On failure what was found before it is there. */
quoin_status vec_search_together(vec_found **found, size_t *counts, vec_report *reports,
                                 const vec_plan *plan, const vec_request *requests, size_t n,
                                 const base_alloc *mem, quoin_error *err);
/* Another way, after a walk was given up, or the graph cannot be relied on. */
quoin_status vec_plan_candidates(vec_plan *plan, quoin_error *err);
void vec_plan_exact(vec_plan *plan);
/* The plan goes by its candidates, for all searches to come; or exactly, where the graph is lost.
 */
quoin_status vec_plan_share(vec_plan *plan, quoin_error *err);

typedef struct vec_sieve vec_sieve;

typedef struct searcher {
  const quad_snapshot *snapshot;
  const vec_request *request;
  vec_report *report;
  vec_index *index; /* of the plan: has codes and parsed literals; NULL: none */
  vec_sieve *sieve; /* NULL: nothing offered yet */
  vec_top top;
  base_arena arena; /* of vectors that are not in the store's mapping */
  double norm[8];   /* of the first near ones: their product with themselves */
  uint64_t rows;    /* of quads that vec_take_rows came by */
  size_t at;        /* in request->subjects: where the last one asked for is */
  atom_id last;     /* the vector whose distance is known */
  double last_distance;
} searcher;

/* To the nearest of request->near; NaN: not a vector of the index. */
quoin_status vec_distance_of(double *out, searcher *s, atom_id vector, quoin_error *err);
double vec_distance_to(const searcher *s, const float *values);
/* Is the row in the active graph, and its subject asked for? */
bool vec_row_counts(searcher *s, const quad_batch *rows, size_t i);
/* Offer the subjects and vectors of all rows to the sieve. */
quoin_status vec_take_rows(searcher *s, quad_scan *scan, quoin_error *err);

/* ---- sieve.c ---- */

/* Offer a subject with a vector: some of those offered wait until vec_sieve_flush. */
quoin_status vec_sieve_add(searcher *s, atom_id subject, atom_id vector, quoin_error *err);
/* All that was offered goes to s->top, if it may be among the k best. */
quoin_status vec_sieve_flush(searcher *s, quoin_error *err);
void vec_sieve_clear(searcher *s); /* what waits is forgotten */

/* Looks up whose a vector is, one after the other. All 0 at first; the scan is to be closed. */
typedef struct vec_owners {
  quad_scan *scan;
} vec_owners;

/* Offer the subjects of `vector` at `distance`. */
quoin_status vec_owners_offer(vec_owners *owners, searcher *s, atom_id vector, double distance,
                              quoin_error *err);

/* How far the thread that links had come: read before the graph is searched, so that what it links
 * meanwhile is found twice, and nothing is missed. */
typedef struct vec_linked {
  uint64_t late, mark;
  bool bare; /* it is known that the active graph of the snapshot has nothing else, but late ones */
} vec_linked;
vec_linked vec_linked_now(vec_index *index, const searcher *s);

/* The quads of the predicate, of one subject unless that is none, in the active graph. */
quad vec_quads_of(const vec_request *request, atom_id subject);

/* Through the graph of the index; *done is false when too many nodes were looked up: what was found
 * until then may be looked at again. */
quoin_status vec_search_graph(bool *done, searcher *s, const vec_plan *plan, quoin_error *err);
/* By the codes of all vectors, exactly, for s[0..n), which differ in what they are near to; done[i]
 * is false when too many were looked up: what was found until then is right. */
quoin_status vec_search_codes(bool *done, searcher *s, size_t n, const vec_plan *plan,
                              quoin_error *err);
/* What was found by the nodes of the graph, of each subject at its least distance. */
quoin_status vec_least(searcher *s, const vec_plan *plan, quoin_error *err);
/* What a transaction has added, beside all else; *done as in vec_search_codes. */
quoin_status vec_search_own(bool *done, searcher *s, const vec_plan *plan, vec_owners *owners,
                            quoin_error *err);
/* Among the candidates of the plan. */
quoin_status vec_search_candidates(searcher *s, const vec_plan *plan, quoin_error *err);

#endif /* QUOIN_VECTOR_SEARCH_H */
