/* sparql/operators/operator_values.c - leaves whose rows are known: unit, empty, VALUES, seeds. */
#include "sparql/operators/operators.h"

#include <assert.h>

#include "base/poison.h"

/* Rows by column, in memory of others or of the arena. */
typedef struct table_operator {
  sparql_operator head;
  const char *what;
  sparql_var *vars;
  const atom_id **source; /* [n_vars] the column of vars[i] */
  size_t n_vars;
  size_t rows, at;
  const sparql_frame *frame;
  bool restricts; /* rows must agree with the parameters */
  atom_id **kept; /* [n_vars] then: those that do */
  size_t n_kept;
  bool chosen;
  const atom_id **column;
} table_operator;

/* The rows that agree with the parameters, which fill unbound places. */
static void
choose_rows(table_operator *op)
{
  op->n_kept = 0;
  for (size_t row = 0; row < op->rows; row++) {
    bool agree = true;
    for (size_t i = 0; i < op->n_vars && agree; i++) {
      const sparql_param *param = sparql_frame_find(op->frame, op->vars[i]);
      atom_id id = op->source[i][row];
      if (param && id.bits && !atom_id_equal(id, param->value)) agree = false;
    }
    if (!agree) continue;
    for (size_t i = 0; i < op->n_vars; i++) {
      const sparql_param *param = sparql_frame_find(op->frame, op->vars[i]);
      atom_id id = op->source[i][row];
      op->kept[i][op->n_kept] = id.bits || !param ? id : param->value;
    }
    op->n_kept++;
  }
  op->chosen = true;
}

static quoin_status
table_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  table_operator *op = (table_operator *)head;
  quoin_status st = base_cancel_check(&head->ctx->cancel, err);
  if (st) return st;
  if (op->restricts && !op->chosen) choose_rows(op);
  size_t rows = op->restricts ? op->n_kept : op->rows;
  if (op->at >= rows) return QUOIN_DONE;
  size_t n = rows - op->at < SPARQL_BATCH ? rows - op->at : SPARQL_BATCH;
  for (size_t i = 0; i < op->n_vars; i++)
    op->column[op->vars[i]] = (op->restricts ? op->kept[i] : op->source[i]) + op->at;
  op->at += n;
  *out = (sparql_batch){.rows = n, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
table_rewind(sparql_operator *head, quoin_error *err)
{
  table_operator *op = (table_operator *)head;
  (void)err;
  op->at = 0;
  op->chosen = false;
  return QUOIN_OK;
}

static void
table_explain(base_buffer *out, const sparql_operator *head)
{
  const table_operator *op = (const table_operator *)head;
  if (op->what) base_buffer_text(out, op->what);
  for (size_t i = 0; i < op->n_vars; i++) {
    if (i || op->what) base_buffer_byte(out, ' ');
    sparql_explain_var(out, head->ctx, op->vars[i]);
  }
}

static const sparql_operator_class unit_class = {
    .name = "unit", .next = table_next, .rewind = table_rewind, .explain = NULL};
static const sparql_operator_class empty_class = {
    .name = "empty", .next = table_next, .rewind = table_rewind, .explain = table_explain};
static const sparql_operator_class values_class = {
    .name = "values", .next = table_next, .rewind = table_rewind, .explain = table_explain};
static const sparql_operator_class seed_class = {.name = "keys of the left side",
                                                 .next = table_next,
                                                 .rewind = table_rewind,
                                                 .explain = table_explain};

static quoin_status
table_make(table_operator **out, const sparql_operator_class *class_, sparql_context *ctx,
           const sparql_var *vars, size_t n, const sparql_frame *frame, quoin_error *err)
{
  table_operator *op = NULL;
  quoin_status st = sparql_operator_make(&op, sizeof(*op), class_, ctx, NULL, NULL, err);
  if (st || (st = sparql_columns_make(&op->column, ctx, err))) return st;
  op->n_vars = n;
  op->frame = frame;
  op->vars = base_arena_new_zero(&ctx->arena, n + 1, sizeof(*op->vars));
  op->source = base_arena_new_zero(&ctx->arena, n + 1, sizeof(*op->source));
  if (!op->vars || !op->source) return base_fail_nomem(err);
  if (n) memcpy(op->vars, vars, n * sizeof(*vars));
  sparql_frame_columns(op->column, frame);
  sparql_frame_bind(&op->head, frame);
  *out = op;
  return QUOIN_OK;
}

quoin_status
sparql_unit_make(sparql_operator **out, sparql_context *ctx, const sparql_frame *frame,
                 quoin_error *err)
{
  table_operator *op = NULL;
  quoin_status st = table_make(&op, &unit_class, ctx, NULL, 0, frame, err);
  if (st) return st;
  op->rows = 1;
  op->head.rows = 1;
  *out = &op->head;
  return QUOIN_OK;
}

quoin_status
sparql_empty_make(sparql_operator **out, sparql_context *ctx, const char *why, quoin_error *err)
{
  table_operator *op = NULL;
  quoin_status st = table_make(&op, &empty_class, ctx, NULL, 0, NULL, err);
  if (st) return st;
  op->what = why;
  *out = &op->head;
  return QUOIN_OK;
}

static quoin_status
values_column(atom_id **out, sparql_context *ctx, const sparql_algebra *node, size_t i,
              quoin_error *err)
{
  atom_id *ids = base_arena_new(&ctx->arena, node->n_rows + 1, sizeof(atom_id));
  if (!ids) return base_fail_nomem(err);
  for (size_t row = 0; row < node->n_rows; row++) {
    const rdf_term *term = &node->values[row * node->n_vars + i];
    ids[row] = ATOM_NONE_ID;
    if (term->kind == RDF_NONE) continue;
    quoin_status st = sparql_intern(&ids[row], ctx, term, err);
    if (st) return st;
  }
  *out = ids;
  return QUOIN_OK;
}

quoin_status
sparql_values_make(sparql_operator **out, sparql_context *ctx, const sparql_algebra *node,
                   const sparql_frame *frame, quoin_error *err)
{
  table_operator *op = NULL;
  quoin_status st = table_make(&op, &values_class, ctx, node->vars, node->n_vars, frame, err);
  if (st) return st;
  op->rows = node->n_rows;
  op->head.rows = (double)node->n_rows;
  op->head.cost = (double)node->n_rows;
  if (!(op->kept = base_arena_new_zero(&ctx->arena, node->n_vars + 1, sizeof(*op->kept))))
    return base_fail_nomem(err);
  for (size_t i = 0; i < node->n_vars; i++) {
    atom_id *ids = NULL;
    if ((st = values_column(&ids, ctx, node, i, err))) return st;
    op->source[i] = ids;
    bool param = sparql_frame_find(frame, node->vars[i]);
    bool all = true, some = false;
    for (size_t row = 0; row < op->rows; row++) {
      all = all && ids[row].bits;
      some = some || ids[row].bits;
    }
    op->head.bound[node->vars[i]] = all || param;
    op->head.maybe[node->vars[i]] = some || param;
    if (param) op->restricts = true;
  }
  for (size_t i = 0; op->restricts && i < node->n_vars; i++)
    if (!(op->kept[i] = base_arena_new(&ctx->arena, op->rows + 1, sizeof(atom_id))))
      return base_fail_nomem(err);
  *out = &op->head;
  return QUOIN_OK;
}

quoin_status
sparql_row_make(sparql_operator **out, sparql_context *ctx, const sparql_var *vars,
                const atom_id *values, size_t n, const char *what, quoin_error *err)
{
  table_operator *op = NULL;
  quoin_status st = table_make(&op, &values_class, ctx, vars, n, NULL, err);
  if (st) return st;
  atom_id *copy = base_arena_new(&ctx->arena, n + 1, sizeof(atom_id));
  if (!copy) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    copy[i] = values[i];
    op->source[i] = &copy[i];
    op->head.bound[vars[i]] = op->head.maybe[vars[i]] = values[i].bits != 0;
  }
  op->what = what;
  op->rows = 1;
  op->head.rows = 1;
  *out = &op->head;
  return QUOIN_OK;
}

quoin_status
sparql_seed_make(sparql_operator **out, sparql_context *ctx, const sparql_var *vars, size_t n,
                 const sparql_frame *frame, quoin_error *err)
{
  table_operator *op = NULL;
  quoin_status st = table_make(&op, &seed_class, ctx, vars, n, frame, err);
  if (st) return st;
  for (size_t i = 0; i < n; i++)
    op->head.bound[vars[i]] = op->head.maybe[vars[i]] = true;
  *out = &op->head;
  return QUOIN_OK;
}

void
sparql_seed_set(sparql_operator *seed, const atom_id *const *column, size_t rows)
{
  table_operator *op = (table_operator *)seed;
  assert(seed->class_ == &seed_class);
  for (size_t i = 0; i < op->n_vars; i++)
    op->source[i] = column[i];
  op->rows = rows;
  op->at = 0;
}

bool
sparql_is_seed(const sparql_operator *op)
{
  return op->class_ == &seed_class;
}
