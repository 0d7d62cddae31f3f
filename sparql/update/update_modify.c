/* sparql/update/update_modify.c - INSERT DATA, DELETE DATA, and templates filled in for each
 * solution of a WHERE (SPARQL 1.1 Update, sections 3.1.1 to 3.1.3, 4.3).
 *
 * All of a WHERE is evaluated before anything changes: rows come from a snapshot that the changes
 * do not touch, so removals go to the transaction as rows come, and insertions wait only where
 * there are removals too, which come first. A quad that is no RDF for a solution (an unbound
 * variable, a literal as subject...) is left out; the others of the solution stay. */
#include "sparql/update/update.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

/* ---- data
 * ---------------------------------------------------------------------------------------- */

static quoin_status
data_term(atom_id *out, update_run *run, const rdf_term *term, quoin_error *err)
{
  return term->kind == RDF_BLANK ? update_blank(out, run, "d", term->value, err)
                                 : update_term(out, run, term, err);
}

static quoin_status
change_data(update_run *run, const sparql_quad_list *list, bool add, quoin_error *err)
{
  quoin_status st;
  for (size_t i = 0; i < list->n; i++) {
    const sparql_quads *block = &list->items[i];
    quad q = {0};
    if (block->has_graph && (st = data_term(&q.term[QUAD_G], run, &block->graph.term, err)))
      return st;
    for (size_t t = 0; t < block->n_triples; t++) {
      const sparql_triple *triple = &block->triples[t];
      if ((st = base_cancel_check(&run->cancel, err)) ||
          (st = data_term(&q.term[QUAD_S], run, &triple->subject.term, err)) ||
          (st = data_term(&q.term[QUAD_P], run, &triple->predicate.term, err)) ||
          (st = data_term(&q.term[QUAD_O], run, &triple->object.term, err)))
        return st;
      st = add ? quad_txn_add_ids(run->txn, &q, err) : quad_txn_remove_ids(run->txn, &q, err);
      if (st) return st;
    }
  }
  return QUOIN_OK;
}

quoin_status
update_insert_data(update_run *run, const sparql_operation *op, quoin_error *err)
{
  return change_data(run, &op->insert, true, err);
}

quoin_status
update_delete_data(update_run *run, const sparql_operation *op, quoin_error *err)
{
  return change_data(run, &op->remove, false, err);
}

/* ---- templates
 * ----------------------------------------------------------------------------------- */

typedef enum slot_kind {
  SLOT_ID,    /* id; as a graph 0 is the default graph */
  SLOT_VAR,   /* column `index` of the rows */
  SLOT_BLANK, /* blank node `index` of the solution */
} slot_kind;

typedef struct template_slot {
  slot_kind kind;
  uint32_t index;
  atom_id id;
} template_slot;

typedef struct update_template {
  template_slot (*quads)[4];
  size_t n;
  atom_id *blanks; /* of the solution at hand; 0: not made yet */
  name_map labels; /* of them */
} update_template;

/* One MODIFY at work. */
typedef struct modify {
  update_run *run;
  const sparql_operation *op;
  update_template remove, insert;
  sparql_var *columns; /* variables that the templates name */
  uint32_t n_columns;
  uint32_t *column_of; /* [n_vars] number + 1 */
  update_quads waiting;
} modify;

static quoin_status
compile_slot(template_slot *slot, modify *m, update_template *to, const sparql_node *node,
             quoin_error *err)
{
  if (node->var != SPARQL_NO_VAR) {
    uint32_t *column = &m->column_of[node->var];
    if (!*column) {
      m->columns[m->n_columns] = node->var;
      *column = ++m->n_columns;
    }
    *slot = (template_slot){.kind = SLOT_VAR, .index = *column - 1};
    return QUOIN_OK;
  }
  if (node->term.kind == RDF_BLANK) {
    uint32_t index = name_map_find(&to->labels, node->term.value);
    if (index == NAME_NONE) {
      index = (uint32_t)to->labels.n;
      if (!name_map_set(&to->labels, node->term.value, index, &m->run->arena))
        return base_fail_nomem(err);
    }
    *slot = (template_slot){.kind = SLOT_BLANK, .index = index};
    return QUOIN_OK;
  }
  *slot = (template_slot){.kind = SLOT_ID};
  return update_term(&slot->id, m->run, &node->term, err);
}

static quoin_status
compile_block(modify *m, update_template *to, const sparql_quads *block, quoin_error *err)
{
  const sparql_node with = {.var = SPARQL_NO_VAR, .term = m->op->with};
  template_slot graph = {.kind = SLOT_ID};
  quoin_status st = QUOIN_OK;
  if (block->has_graph)
    st = compile_slot(&graph, m, to, &block->graph, err);
  else if (m->op->has_with)
    st = compile_slot(&graph, m, to, &with, err);
  for (size_t t = 0; t < block->n_triples && !st; t++) {
    const sparql_triple *triple = &block->triples[t];
    template_slot *slots = to->quads[to->n++];
    slots[QUAD_G] = graph;
    if ((st = compile_slot(&slots[QUAD_S], m, to, &triple->subject, err)) ||
        (st = compile_slot(&slots[QUAD_P], m, to, &triple->predicate, err)))
      return st;
    st = compile_slot(&slots[QUAD_O], m, to, &triple->object, err);
  }
  return st;
}

static quoin_status
compile_template(modify *m, update_template *to, const sparql_quad_list *list, quoin_error *err)
{
  size_t n = 0;
  for (size_t i = 0; i < list->n; i++)
    n += list->items[i].n_triples;
  to->quads = base_arena_new(&m->run->arena, n + 1, sizeof(*to->quads));
  if (!to->quads) return base_fail_nomem(err);
  for (size_t i = 0; i < list->n; i++) {
    quoin_status st = compile_block(m, to, &list->items[i], err);
    if (st) return st;
  }
  to->blanks = base_arena_new_zero(&m->run->arena, to->labels.n + 1, sizeof(atom_id));
  return to->blanks ? QUOIN_OK : base_fail_nomem(err);
}

/* ---- filling in
 * ---------------------------------------------------------------------------------- */

static rdf_kind
kind_of(const update_run *run, atom_id id)
{
  switch (atom_id_kind(id)) {
  case ATOM_NONE:
    return RDF_NONE;
  case ATOM_LOCAL:
    return atom_local_kind(run->local, id);
  case ATOM_BLANK:
    return RDF_BLANK;
  case ATOM_IRI:
    return RDF_IRI;
  default:
    return RDF_LITERAL;
  }
}

static quoin_status
fresh_blank(atom_id *out, update_run *run, quoin_error *err)
{
  char digits[20];
  size_t at = sizeof(digits);
  for (uint64_t v = ++run->blanks; v; v /= 10)
    digits[--at] = (char)('0' + v % 10);
  return update_blank(out, run, "u", (quoin_span){digits + at, sizeof(digits) - at}, err);
}

/* *legal: it is a quad of RDF. */
static quoin_status
fill_quad(quad *q, bool *legal, modify *m, update_template *t, const template_slot slots[4],
          const sparql_rows *rows, size_t row, quoin_error *err)
{
  *legal = false;
  for (unsigned k = 0; k < 4; k++) {
    const template_slot *slot = &slots[k];
    if (slot->kind == SLOT_ID) {
      q->term[k] = slot->id;
    } else if (slot->kind == SLOT_VAR) {
      q->term[k] = rows->column[slot->index][row];
      if (!q->term[k].bits) return QUOIN_OK;
    } else {
      atom_id *blank = &t->blanks[slot->index];
      quoin_status st = blank->bits ? QUOIN_OK : fresh_blank(blank, m->run, err);
      if (st) return st;
      q->term[k] = *blank;
    }
  }
  rdf_kind s = kind_of(m->run, q->term[QUAD_S]), g = kind_of(m->run, q->term[QUAD_G]);
  *legal = (s == RDF_IRI || s == RDF_BLANK) && g != RDF_LITERAL &&
           kind_of(m->run, q->term[QUAD_P]) == RDF_IRI;
  return QUOIN_OK;
}

static quoin_status
fill_row(modify *m, const sparql_rows *rows, size_t row, quoin_error *err)
{
  quad q;
  bool legal;
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < m->remove.n && !st; i++) {
    st = fill_quad(&q, &legal, m, &m->remove, m->remove.quads[i], rows, row, err);
    if (!st && legal) st = quad_txn_remove_ids(m->run->txn, &q, err);
  }
  if (m->insert.labels.n) memset(m->insert.blanks, 0, m->insert.labels.n * sizeof(atom_id));
  for (size_t i = 0; i < m->insert.n && !st; i++) {
    st = fill_quad(&q, &legal, m, &m->insert, m->insert.quads[i], rows, row, err);
    if (st || !legal) continue;
    st = m->remove.n ? update_quads_add(&m->waiting, m->run, &q, err)
                     : quad_txn_add_ids(m->run->txn, &q, err);
  }
  return st;
}

/* ---- WHERE
 * --------------------------------------------------------------------------------------- */

/* The pattern as a query for the variables of the templates; `project` is its root. */
static sparql_query
where_query(sparql_algebra *project, const modify *m)
{
  sparql_query query = m->run->update->query;
  const sparql_operation *op = m->op;
  *project = (sparql_algebra){
      .op = ALGEBRA_PROJECT,
      .left = op->where,
      .vars = m->columns,
      .n_vars = m->n_columns,
      .index = query.n_nodes++,
      .line = op->line,
      .column = op->column,
      .height = op->where->height + 1,
  };
  query.form = SPARQL_SELECT;
  query.root = project;
  query.base = op->base;
  query.columns = m->columns;
  query.n_columns = m->n_columns;
  query.has_dataset = op->n_using || op->n_using_named;
  query.from = op->using;
  query.n_from = op->n_using;
  query.from_named = op->using_named;
  query.n_from_named = op->n_using_named;
  query.with = op->has_with ? &op->with : NULL;
  return query;
}

static quoin_status
where_options(sparql_run_options *out, update_run *run, quoin_error *err)
{
  const sparql_update_options *o = run->options;
  *out = (sparql_run_options){
      .memory_bytes = o->memory_bytes,
      .threads = o->threads,
      .union_default_graph = o->union_default_graph,
      .plain = o->plain,
      .cancel = o->cancel,
      .services = o->services,
      .embedder = o->embedder,
      .local = run->local,
      .txn = run->txn,
      .blank_scope = run->operation,
  };
  if (!run->cancel.deadline_ns) return QUOIN_OK;
  uint64_t now = base_clock_ns();
  if (now >= run->cancel.deadline_ns)
    return base_fail(err, QUOIN_ERR_TIMEOUT, "the deadline passed");
  out->timeout_ms = (run->cancel.deadline_ns - now) / 1000000 + 1;
  return QUOIN_OK;
}

static quoin_status
run_where(modify *m, quoin_error *err)
{
  sparql_algebra project;
  const sparql_query query = where_query(&project, m);
  sparql_run_options options;
  quad_snapshot *snapshot = NULL;
  sparql_cursor *cursor = NULL;
  sparql_rows rows;
  quoin_status st = where_options(&options, m->run, err);
  if (st || (st = quad_txn_snapshot(&snapshot, m->run->txn, err))) return st;
  st = sparql_cursor_open(&cursor, &query, snapshot, &options, m->run->mem, err);
  while (!st && !(st = sparql_cursor_next(&rows, cursor, err))) {
    for (size_t row = 0; row < rows.rows && !st; row++)
      st = fill_row(m, &rows, row, err);
  }
  if (st == QUOIN_DONE && m->run->notice && sparql_cursor_notice(cursor))
    (void)snprintf(m->run->notice, SPARQL_NOTICE, "%s", sparql_cursor_notice(cursor));
  sparql_cursor_close(cursor);
  quad_snapshot_release(snapshot);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

quoin_status
update_modify(update_run *run, const sparql_operation *op, quoin_error *err)
{
  uint32_t n_vars = run->update->query.n_vars;
  modify m = {.run = run, .op = op};
  m.columns = base_arena_new(&run->arena, n_vars + 1u, sizeof(*m.columns));
  m.column_of = base_arena_new_zero(&run->arena, n_vars + 1u, sizeof(*m.column_of));
  if (!m.columns || !m.column_of) return base_fail_nomem(err);
  quoin_status st = compile_template(&m, &m.remove, &op->remove, err);
  if (!st) st = compile_template(&m, &m.insert, &op->insert, err);
  if (!st) st = run_where(&m, err);
  if (!st) st = update_quads_insert(&m.waiting, run, err);
  update_quads_clear(&m.waiting, run);
  return st;
}
