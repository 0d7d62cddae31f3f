/* sparql/context.h - the ids and terms of one run of a query.
 *
 * Id equality is sameTerm throughout a query: a computed or foreign term becomes its inline id if
 * it has one, else its stored id if that lies below the snapshot's mark, else a local id, one per
 * distinct term. */
#ifndef QUOIN_SPARQL_CONTEXT_H
#define QUOIN_SPARQL_CONTEXT_H

#include "sparql/algebra.h"

typedef struct sparql_context sparql_context;

/* Rows by column. column[v] for each variable v of the query, `rows` long; NULL: unbound in every
 * row. */
typedef struct sparql_batch {
  size_t rows;
  const atom_id **column;
} sparql_batch;
enum { SPARQL_BATCH = 1024 }; /* rows of a batch at most */

/* Does the pattern of an EXISTS have a solution joined with row `row` of `batch`? Set by the
 * executor. */
typedef quoin_status (*sparql_exists_fn)(bool *out, sparql_context *ctx, const sparql_expr *expr,
                                         const sparql_batch *batch, size_t row, quoin_error *err);

struct sparql_context {
  const base_alloc *mem;
  const sparql_query *query;
  const sparql_run_options *options;
  quad_snapshot *snapshot;
  atom_store *atoms;
  uint64_t mark;
  atom_local *local;
  bool shares_local;     /* it is that of a transaction (options->local) */
  uint64_t local_stored; /* its first ids may stand in the snapshot: new terms of the transaction */
  base_arena arena;      /* of the whole run */
  base_arena scratch;    /* of one batch: reset by the operator that evaluates */
  base_cancel cancel;
  uint64_t memory_used, memory_limit; /* of operators: sparql_charge */
  struct sparql_spill *spill;         /* the temporary file; NULL: none yet (spill.h) */
  struct base_disk_memory *disk;      /* allocator of what cannot be a stream (disk_memory.h) */
  int64_t now_ms;                     /* NOW(), constant within the query */
  atom_id now_id;
  uint64_t random;                  /* state for RAND; 0 before the first */
  uint64_t blank_counter;           /* BNODE(), CONSTRUCT, DESCRIBE; from options->blank_scope on */
  void **expr_cache;                /* [query->n_exprs]: owned by expr.c */
  const char *notice;               /* what a reader of the answer should know, or NULL */
  const void *notice_of;            /* the operator that says so */
  const struct vec_graphs *dataset; /* all its graphs, for vec:of; NULL: not asked for yet */
  sparql_exists_fn exists;
  void *exists_state; /* of the executor */
};

/* May a quad of the snapshot hold this id? Not one of a term that this run alone knows. */
static inline bool
sparql_id_is_stored(const sparql_context *ctx, atom_id id)
{
  return atom_id_kind(id) != ATOM_LOCAL || atom_id_payload(id) <= ctx->local_stored;
}

/* The context borrows all arguments. */
quoin_status sparql_context_init(sparql_context *ctx, const sparql_query *query,
                                 quad_snapshot *snapshot, const sparql_run_options *options,
                                 const base_alloc *mem, quoin_error *err);
void sparql_context_clear(sparql_context *ctx); /* a zeroed one is fine */

/* The id of a term in this query (see above). */
quoin_status sparql_intern(atom_id *out, sparql_context *ctx, const rdf_term *term,
                           quoin_error *err);
/* The run reads what matches `pattern`: noted in its transaction, if it has one. */
quoin_status sparql_reads(const sparql_context *ctx, const quad_pattern *pattern, quoin_error *err);
/* The term of an id; text valid as long as `arena`, the context and its snapshot. */
quoin_status sparql_term(rdf_term *out, sparql_context *ctx, atom_id id, base_arena *arena,
                         quoin_error *err);
/* Account for bytes that an operator keeps (negative: gives back): LIMIT when past the budget. */
quoin_status sparql_charge(sparql_context *ctx, int64_t bytes, quoin_error *err);

#endif /* QUOIN_SPARQL_CONTEXT_H */
