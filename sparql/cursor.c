/* sparql/cursor.c - one run of a query: plan, rows or triples, outcome.
 *
 * A cursor fails once: after a failure every further call gives the same status, so that a caller
 * who overlooks one never takes the rows so far for all of them. */
#include "sparql/memory/disk_memory.h"
#include "sparql/plan/plan.h"
#include "sparql/results/construct.h"

#include <inttypes.h>

#include "base/poison.h"

struct sparql_cursor {
  const base_alloc *mem;
  const sparql_query *query;
  quad_snapshot *snapshot;
  sparql_run_options options; /* our copy: the context points to it */
  sparql_context ctx;
  sparql_operator *root;
  sparql_active_graph graph;
  sparql_construct *construct;
  sparql_describe *describe;
  sparql_triples triples;
  const atom_id **pulled;
  const atom_id **column; /* [n_columns] */
  atom_id **fixed;        /* [n_columns] SPARQL_BATCH times the value from outside; NULL: none */
  atom_id *unbound;       /* SPARQL_BATCH zeros */
  uint64_t rows, ns;      /* given so far; time in here, when profiling */
  bool done;
  quoin_error failure; /* status QUOIN_OK: none */
};

/* ---- opening
 * ------------------------------------------------------------------------------------- */

/* Columns of variables that have a value from outside, for where the plan does not show it. */
static quoin_status
output_columns(sparql_cursor *c, quoin_error *err)
{
  base_arena *arena = &c->ctx.arena;
  size_t n = c->query->n_columns;
  sparql_batch pulled;
  quoin_status st = sparql_batch_init(&pulled, &c->ctx, err);
  if (st) return st;
  c->pulled = pulled.column;
  c->column = base_arena_new_zero(arena, n + 1, sizeof(atom_id *));
  c->fixed = base_arena_new_zero(arena, n + 1, sizeof(atom_id *));
  c->unbound = base_arena_new_zero(arena, SPARQL_BATCH, sizeof(atom_id));
  if (!c->column || !c->fixed || !c->unbound) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    atom_id value = sparql_outer_value(&c->ctx, c->query->columns[i]);
    if (!value.bits) continue;
    if (!(c->fixed[i] = base_arena_new(arena, SPARQL_BATCH, sizeof(atom_id))))
      return base_fail_nomem(err);
    for (size_t row = 0; row < SPARQL_BATCH; row++)
      c->fixed[i][row] = value;
  }
  return QUOIN_OK;
}

static quoin_status
open_form(sparql_cursor *c, quoin_error *err)
{
  sparql_triples_init(&c->triples, &c->ctx);
  switch (c->query->form) {
  case SPARQL_SELECT:
  case SPARQL_ASK:
    return output_columns(c, err);
  case SPARQL_CONSTRUCT:
    return sparql_construct_new(&c->construct, &c->ctx, c->root, err);
  case SPARQL_DESCRIBE:
    return sparql_describe_new(&c->describe, &c->ctx, c->root, &c->graph, err);
  }
  return QUOIN_OK;
}

quoin_status
sparql_cursor_open(sparql_cursor **out, const sparql_query *query, quad_snapshot *snapshot,
                   const sparql_run_options *options, const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  *out = NULL;
  sparql_cursor *c = base_new_zero(mem, 1, sizeof(*c));
  if (!c) return base_fail_nomem(err);
  c->mem = mem;
  c->query = query;
  c->failure = (quoin_error)QUOIN_ERROR_INIT;
  if (options) c->options = *options;
  c->snapshot = quad_snapshot_retain(snapshot);
  if ((st = sparql_context_init(&c->ctx, query, snapshot, &c->options, mem, err))) goto done;
  if (c->options.services) {
    c->options.services = base_arena_copy(&c->ctx.arena, base_span(c->options.services)).ptr;
    if (!c->options.services) {
      st = base_fail_nomem(err);
      goto done;
    }
  }
  if ((st = sparql_default_graph(&c->graph, &c->ctx, err))) goto done;
  if ((st = sparql_plan(&c->root, &c->ctx, query->root, &c->graph, err))) goto done;
  /* The terms of the bindings are ids by now, and their memory is the caller's. */
  c->options.bindings = NULL;
  c->options.n_bindings = 0;
  if ((st = open_form(c, err))) goto done;
  *out = c;
  c = NULL;

done:
  sparql_cursor_close(c);
  return st;
}

const char *
sparql_cursor_notice(const sparql_cursor *cursor)
{
  return cursor->ctx.notice;
}

void
sparql_cursor_close(sparql_cursor *cursor)
{
  if (!cursor) return;
  sparql_operator_close(cursor->root);
  sparql_construct_clear(cursor->construct);
  sparql_describe_clear(cursor->describe);
  sparql_triples_clear(&cursor->triples);
  sparql_context_clear(&cursor->ctx);
  quad_snapshot_release(cursor->snapshot);
  base_release(cursor->mem, cursor, 1, sizeof(*cursor));
}

/* ---- rows
 * ----------------------------------------------------------------------------------------- */

/* Remember a failure, so that the next call says it again. */
static quoin_status
settle(sparql_cursor *c, quoin_status st, quoin_error *err)
{
  if (st == QUOIN_DONE) c->done = true;
  st = disk_memory_failure(c->ctx.disk, st, err);
  if (st < 0) {
    if (err) c->failure = *err;
    c->failure.struct_size = sizeof(quoin_error);
    c->failure.status = st;
  }
  return st;
}

static quoin_status
failed_before(const sparql_cursor *c, quoin_error *err)
{
  if (err && c->failure.message[0])
    *err = c->failure;
  else if (err)
    return base_fail(err, c->failure.status, "the query has failed before");
  return c->failure.status;
}

static quoin_status
count_rows(sparql_cursor *c, size_t n, quoin_error *err)
{
  c->rows += n;
  if (!c->options.max_rows || c->rows <= c->options.max_rows) return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_LIMIT, "the result has more than %" PRIu64 " rows",
                   c->options.max_rows);
}

static quoin_status
next_rows(sparql_rows *out, sparql_cursor *c, quoin_error *err)
{
  sparql_batch in;
  quoin_status st = base_cancel_check(&c->ctx.cancel, err);
  if (st || (st = sparql_pull(&in, c->pulled, c->root, err))) return st;
  if (c->query->form == SPARQL_ASK) {
    c->done = true;
    *out = (sparql_rows){.rows = 1};
    return QUOIN_OK;
  }
  for (size_t i = 0; i < c->query->n_columns; i++) {
    const atom_id *column = in.column[c->query->columns[i]];
    c->column[i] = column ? column : c->fixed[i] ? c->fixed[i] : c->unbound;
  }
  *out = (sparql_rows){.rows = in.rows, .column = c->column};
  return count_rows(c, in.rows, err);
}

quoin_status
sparql_cursor_next(sparql_rows *out, sparql_cursor *cursor, quoin_error *err)
{
  *out = (sparql_rows){0};
  if (cursor->query->form != SPARQL_SELECT && cursor->query->form != SPARQL_ASK)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "the query gives triples, not rows");
  if (cursor->failure.status) return failed_before(cursor, err);
  if (cursor->done) return QUOIN_DONE;
  uint64_t start = cursor->options.profile ? base_clock_ns() : 0;
  quoin_status st = settle(cursor, next_rows(out, cursor, err), err);
  if (cursor->options.profile) cursor->ns += base_clock_ns() - start;
  if (st) *out = (sparql_rows){0};
  return st;
}

static quoin_status
next_triples(sparql_cursor *c, quoin_error *err)
{
  quoin_status st = c->construct ? sparql_construct_next(&c->triples, c->construct, err)
                                 : sparql_describe_next(&c->triples, c->describe, err);
  return st ? st : count_rows(c, c->triples.n, err);
}

quoin_status
sparql_cursor_triples(const rdfio_quad **out, size_t *n, sparql_cursor *cursor, quoin_error *err)
{
  *out = NULL;
  *n = 0;
  if (!cursor->construct && !cursor->describe)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "the query gives rows, not triples");
  if (cursor->failure.status) return failed_before(cursor, err);
  if (cursor->done) return QUOIN_DONE;
  uint64_t start = cursor->options.profile ? base_clock_ns() : 0;
  quoin_status st = settle(cursor, next_triples(cursor, err), err);
  if (cursor->options.profile) cursor->ns += base_clock_ns() - start;
  if (st) return st;
  *out = cursor->triples.quads;
  *n = cursor->triples.n;
  return QUOIN_OK;
}

/* ---- the rest
 * -------------------------------------------------------------------------------------- */

quoin_status
sparql_cursor_term(rdf_term *out, sparql_cursor *cursor, atom_id id, base_arena *arena,
                   quoin_error *err)
{
  return sparql_term(out, &cursor->ctx, id, arena, err);
}

void
sparql_cursor_ask(const sparql_cursor *cursor, const atom_id *ids, size_t n)
{
  if (cursor->ctx.atoms) atom_prefetch_all(cursor->ctx.atoms, ids, n);
}

const sparql_query *
sparql_cursor_query(const sparql_cursor *cursor)
{
  return cursor->query;
}

quoin_status
sparql_cursor_vector(const float **out, uint32_t *dimension, sparql_cursor *cursor, atom_id id,
                     quoin_error *err)
{
  *out = NULL;
  *dimension = 0;
  if (atom_id_kind(id) == ATOM_VECTOR)
    return atom_vector(out, dimension, cursor->ctx.atoms, id, err);
  if (atom_id_kind(id) == ATOM_LOCAL)
    (void)atom_local_vector(out, dimension, cursor->ctx.local, id);
  return QUOIN_OK;
}

quoin_status
sparql_cursor_explain(base_buffer *out, const sparql_cursor *cursor, quoin_error *err)
{
  sparql_operator_explain(out, cursor->root, 0);
  if (cursor->options.profile)
    base_buffer_printf(out, "%" PRIu64 " %s in %.3f ms\n", cursor->rows,
                       cursor->construct || cursor->describe ? "triples" : "rows",
                       (double)cursor->ns / 1e6);
  return out->failed ? base_fail_nomem(err) : QUOIN_OK;
}
