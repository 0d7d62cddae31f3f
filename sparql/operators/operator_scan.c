/* sparql/operators/operator_scan.c - the rows of one triple pattern, sorted, straight from the quad
 * store.
 *
 * Columns are passed on by pointer. Only where a variable is repeated or graphs are merged are rows
 * copied: a merge is a set, and the orders with G last put equal triples next to each other. */
#include "sparql/operators/operators.h"
#include "sparql/operators/pattern_scan.h"

#include <assert.h>

#include "base/poison.h"

typedef struct scan_operator {
  sparql_operator head;
  scan_spec spec;
  quad_order order;
  unsigned columns; /* asked of the quad store */
  unsigned shown;   /* positions that are given as variables */
  const scan_interval *intervals;
  size_t n_intervals, interval;
  const sparql_frame *frame;
  pattern_scan scan;
  bool open;
  quad_pattern pattern;
  bool running; /* the scan is at the current parameters */
  bool filters; /* rows must be looked at */
  bool steady;
  quad_batch batch;
  size_t at, ramp; /* rows of `batch` given; rows of the next batch at most */
  atom_id *buffer[4];
  bool any; /* last[] holds a triple */
  atom_id last[3];
  const atom_id **column;
} scan_operator;

/* ---- opening ----------------------------------------------------------------------------------
 */

static quoin_status
start_interval(scan_operator *op, quoin_error *err)
{
  quoin_status st;
  if (op->open) {
    st = pattern_scan_rebind(&op->scan, &op->pattern, err);
  } else {
    const atom_id *graphs = op->spec.by_graph ? op->spec.graphs : NULL;
    st = pattern_scan_open(&op->scan, op->head.ctx, &op->pattern, op->order, op->columns, graphs,
                           op->spec.n_graphs, err);
    op->open = !st;
  }
  if (st || op->n_intervals == 0) return st;
  const scan_interval *range = &op->intervals[op->interval];
  return pattern_scan_range(&op->scan, range->lo, range->hi, err);
}

static quoin_status
start(scan_operator *op, quoin_error *err)
{
  op->interval = 0;
  op->any = false;
  op->batch.rows = op->at = 0;
  op->ramp = op->steady ? SPARQL_BATCH : SPARQL_RAMP;
  if (!scan_spec_pattern(&op->pattern, &op->spec)) return QUOIN_DONE;
  quoin_status st = start_interval(op, err);
  if (!st) op->running = true;
  return st;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static bool
graph_passes(const scan_operator *op, atom_id graph)
{
  if (op->spec.skip_graph.bits && atom_id_equal(graph, op->spec.skip_graph)) return false;
  if (!op->spec.graphs) return true;
  size_t lo = 0, hi = op->spec.n_graphs;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (op->spec.graphs[mid].bits == graph.bits) return true;
    if (op->spec.graphs[mid].bits < graph.bits) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return false;
}

static bool
repeats_agree(const scan_operator *op, const quad_batch *in, size_t row)
{
  for (unsigned i = 0; i < 4; i++)
    for (unsigned j = i + 1; j < 4; j++)
      if (op->spec.at[i].kind == SCAN_VAR && op->spec.at[j].kind == SCAN_VAR &&
          op->spec.at[i].var == op->spec.at[j].var &&
          in->column[i][row].bits != in->column[j][row].bits)
        return false;
  return true;
}

/* Is the triple another one than the last? Positions that the pattern binds are equal anyway. */
static bool
triple_is_new(scan_operator *op, const quad_batch *in, size_t row)
{
  bool same = op->any;
  for (unsigned i = 0; i < 3; i++) {
    if (!in->column[i]) continue;
    same = same && atom_id_equal(op->last[i], in->column[i][row]);
    op->last[i] = in->column[i][row];
  }
  op->any = true;
  return !same;
}

static void
filter_rows(scan_operator *op, const quad_batch *in)
{
  bool graphs = !op->spec.by_graph && (op->spec.graphs || op->spec.skip_graph.bits);
  bool look_at_graph = graphs && in->column[QUAD_G];
  size_t n = 0;
  for (size_t row = 0; row < in->rows; row++) {
    if (look_at_graph && !graph_passes(op, in->column[QUAD_G][row])) continue;
    if (!repeats_agree(op, in, row)) continue;
    if (op->spec.distinct && !op->spec.by_graph && !triple_is_new(op, in, row)) continue;
    for (unsigned i = 0; i < 4; i++)
      if (op->buffer[i]) op->buffer[i][n] = in->column[i][row];
    n++;
  }
  op->batch.rows = n;
  for (unsigned i = 0; i < 4; i++)
    op->batch.column[i] = op->buffer[i];
}

/* More rows into op->batch, or DONE. */
static quoin_status
fetch(scan_operator *op, quoin_error *err)
{
  for (;;) {
    quad_batch in;
    quoin_status st = pattern_scan_next(&in, &op->scan, err);
    if (st == QUOIN_DONE && op->interval + 1 < op->n_intervals) {
      op->interval++;
      if ((st = start_interval(op, err))) return st;
      continue;
    }
    if (st) return st;
    op->at = 0;
    if (op->filters) {
      filter_rows(op, &in);
    } else {
      op->batch = in;
    }
    if (op->batch.rows) return QUOIN_OK;
    if ((st = base_cancel_check(&op->head.ctx->cancel, err))) return st;
  }
}

static quoin_status
scan_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  scan_operator *op = (scan_operator *)head;
  quoin_status st = base_cancel_check(&head->ctx->cancel, err);
  if (st) return st;
  if (op->spec.empty) return QUOIN_DONE;
  if (!op->running && (st = start(op, err))) return st;
  if (op->at >= op->batch.rows && (st = fetch(op, err))) {
    op->batch.rows = op->at = 0;
    return st;
  }
  size_t n = op->batch.rows - op->at;
  if (n > op->ramp) n = op->ramp;
  for (unsigned i = 0; i < 4; i++)
    if (op->shown & 1u << i) op->column[op->spec.at[i].var] = op->batch.column[i] + op->at;
  op->at += n;
  op->ramp = sparql_ramp_up(op->ramp);
  *out = (sparql_batch){.rows = n, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
scan_rewind(sparql_operator *head, quoin_error *err)
{
  scan_operator *op = (scan_operator *)head;
  (void)err;
  op->running = false;
  return QUOIN_OK;
}

static void
scan_close(sparql_operator *head)
{
  scan_operator *op = (scan_operator *)head;
  pattern_scan_close(&op->scan);
  op->open = op->running = false;
}

/* ---- seeking ----------------------------------------------------------------------------------
 */

static unsigned
sorted_position(const scan_operator *op)
{
  unsigned i = 0;
  while (!(op->shown & 1u << i) || op->spec.at[i].var != op->head.sorted[0])
    i++;
  return i;
}

quoin_status
sparql_scan_seek(sparql_operator *head, atom_id value, quoin_error *err)
{
  scan_operator *op = (scan_operator *)head;
  assert(head->n_sorted > 0);
  if (op->spec.empty || !op->running) return QUOIN_OK; /* the caller skips */
  unsigned position = sorted_position(op);
  const atom_id *column = op->batch.column[position];
  if (op->at < op->batch.rows && column[op->batch.rows - 1].bits >= value.bits) {
    size_t lo = op->at, hi = op->batch.rows - 1; /* the answer is in [lo, hi] */
    while (lo < hi) {
      size_t mid = lo + (hi - lo) / 2;
      if (column[mid].bits < value.bits) {
        lo = mid + 1;
      } else {
        hi = mid;
      }
    }
    op->at = lo;
    return QUOIN_OK;
  }
  atom_id key[4] = {{0}, {0}, {0}, {0}};
  op->at = op->batch.rows = 0;
  for (unsigned k = 0; k < 4; k++) {
    unsigned i = quad_order_keys[op->order][k];
    key[k] = i == position ? value : op->pattern.match.term[i];
    if (i == position) break;
  }
  return pattern_scan_seek(&op->scan, key, err);
}

/* ---- EXPLAIN ----------------------------------------------------------------------------------
 */

static const char *const order_names[QUAD_ORDERS] = {"SPO", "SOP",  "PSO",  "POS", "OSP",
                                                     "OPS", "GSPO", "GPOS", "GOSP"};

static void
explain_position(base_buffer *out, const scan_operator *op, unsigned i)
{
  const scan_position *at = &op->spec.at[i];
  switch (at->kind) {
  case SCAN_DROP:
    base_buffer_byte(out, '_');
    break;
  case SCAN_CONST:
    sparql_explain_id(out, op->head.ctx, at->id);
    break;
  case SCAN_FIXED:
    sparql_explain_var(out, op->head.ctx, at->var);
    base_buffer_byte(out, '=');
    sparql_explain_id(out, op->head.ctx, at->id);
    break;
  case SCAN_PARAM:
    base_buffer_byte(out, '$');
    sparql_explain_var(out, op->head.ctx, at->var);
    break;
  case SCAN_VAR:
    sparql_explain_var(out, op->head.ctx, at->var);
    break;
  }
}

static void
scan_explain(base_buffer *out, const sparql_operator *head)
{
  const scan_operator *op = (const scan_operator *)head;
  base_buffer_text(out, order_names[op->order]);
  for (unsigned i = 0; i < 3; i++) {
    base_buffer_byte(out, ' ');
    explain_position(out, op, i);
  }
  if (op->spec.scope == QUAD_NAMED && op->spec.at[QUAD_G].kind != SCAN_DROP) {
    base_buffer_text(out, " graph ");
    explain_position(out, op, QUAD_G);
  }
  if (op->spec.by_graph) {
    base_buffer_printf(out, " %zu graphs one by one", op->spec.n_graphs);
  } else if (op->spec.distinct) {
    base_buffer_text(out, " merged graphs");
  }
  if (op->n_intervals) base_buffer_printf(out, " in %zu ranges", op->n_intervals);
  if (op->spec.empty) base_buffer_text(out, " (matches nothing)");
}

static const sparql_operator_class scan_class = {.name = "scan",
                                                 .next = scan_next,
                                                 .rewind = scan_rewind,
                                                 .close = scan_close,
                                                 .explain = scan_explain};

sparql_operator *
sparql_scan_under(sparql_operator *op)
{
  while (op && op->class_ != &scan_class) /* a filter keeps nothing between batches */
    op = strcmp(op->class_->name, "filter") == 0 ? op->child[0] : NULL;
  return op;
}

/* ---- making one -------------------------------------------------------------------------------
 */

/* Which positions are shown, and which columns that and the filters take. */
static void
choose_columns(scan_operator *op, const bool *need)
{
  const scan_spec *spec = &op->spec;
  for (unsigned i = 0; i < 4; i++) {
    const scan_position *at = &spec->at[i];
    if (at->kind != SCAN_VAR) continue;
    bool again = false;
    for (unsigned j = 0; j < i; j++)
      again = again || (spec->at[j].kind == SCAN_VAR && spec->at[j].var == at->var);
    if (again) op->filters = true;
    if (!again && (!need || need[at->var])) op->shown |= 1u << i;
  }
  op->columns = op->shown;
  for (unsigned i = 0; i < 4; i++)
    for (unsigned j = i + 1; j < 4; j++)
      if (spec->at[i].kind == SCAN_VAR && spec->at[j].kind == SCAN_VAR &&
          spec->at[i].var == spec->at[j].var)
        op->columns |= 1u << i | 1u << j;
  if (spec->by_graph) {
    if (spec->at[QUAD_G].kind == SCAN_VAR) op->columns |= 1u << QUAD_G; /* no set of triples */
    return;
  }
  if ((spec->graphs || spec->skip_graph.bits) &&
      (spec->at[QUAD_G].kind == SCAN_DROP || spec->at[QUAD_G].kind == SCAN_VAR)) {
    op->columns |= 1u << QUAD_G;
    op->filters = true;
  }
  if (spec->distinct) {
    op->filters = true;
    for (unsigned i = 0; i < 3; i++)
      if (spec->at[i].kind == SCAN_VAR || spec->at[i].kind == SCAN_DROP) op->columns |= 1u << i;
  }
}

static void
claim_order(scan_operator *op)
{
  const scan_spec *spec = &op->spec;
  for (unsigned k = 0; k < 4; k++) {
    unsigned i = quad_order_keys[op->order][k];
    scan_kind kind = spec->at[i].kind;
    if (kind == SCAN_CONST || kind == SCAN_FIXED || kind == SCAN_PARAM) continue;
    if (i == QUAD_G && (spec->scope == QUAD_DEFAULT || spec->by_graph)) continue;
    if (!(op->shown & 1u << i)) return;
    op->head.sorted[op->head.n_sorted++] = spec->at[i].var;
  }
}

quoin_status
sparql_scan_make(sparql_operator **out, sparql_context *ctx, const scan_spec *spec,
                 quad_order order, const bool *need, const scan_interval *intervals,
                 size_t n_intervals, const sparql_frame *frame, bool steady, quoin_error *err)
{
  scan_operator *op = NULL;
  quoin_status st = sparql_operator_make(&op, sizeof(*op), &scan_class, ctx, NULL, NULL, err);
  if (st) return st;
  op->spec = *spec;
  op->order = order;
  op->intervals = intervals;
  op->n_intervals = n_intervals;
  op->frame = frame;
  op->steady = steady;
  choose_columns(op, need);
  if ((st = sparql_columns_make(&op->column, ctx, err))) return st;
  for (unsigned i = 0; i < 4; i++) {
    const scan_position *at = &spec->at[i];
    if (op->shown & 1u << i) op->head.bound[at->var] = op->head.maybe[at->var] = true;
    if (op->filters && op->shown & 1u << i && (st = sparql_column_make(&op->buffer[i], ctx, err)))
      return st;
    if (at->kind != SCAN_FIXED || (need && !need[at->var])) continue;
    atom_id *fixed = NULL;
    if ((st = sparql_column_make(&fixed, ctx, err))) return st;
    for (size_t row = 0; row < SPARQL_BATCH; row++)
      fixed[row] = at->id;
    op->column[at->var] = fixed;
    op->head.bound[at->var] = op->head.maybe[at->var] = true;
  }
  sparql_frame_columns(op->column, frame);
  sparql_frame_bind(&op->head, frame);
  claim_order(op);
  *out = &op->head;
  return QUOIN_OK;
}
