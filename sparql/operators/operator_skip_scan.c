/* sparql/operators/operator_skip_scan.c - the distinct values of one variable of a pattern, and how
 * often each occurs, by skipping from value to value in an order that groups them.
 *
 * A value whose rows end within a batch is counted as it passes; for one that fills the rest of the
 * batch the block index knows the count, and the scan seeks past it. So few values cost a few seeks
 * each, and many no more than a scan. */
#include "sparql/operators/operators.h"

#include <assert.h>

#include "base/poison.h"

enum { SEEK_BELOW = 64 }; /* distinct values in a batch: with more the next one is near anyway */

typedef struct skip_scan {
  sparql_operator head;
  scan_spec spec;
  quad_order order;
  unsigned position;
  sparql_var var, count;
  quad_scan *scan;
  quad_pattern pattern;
  bool running, ended;
  bool any; /* last is a value that was given */
  atom_id last;
  quad_batch batch;
  size_t at;
  size_t distinct; /* values that the batch gave */
  atom_id *values, *counts;
  const atom_id **column;
} skip_scan;

static quoin_status
start(skip_scan *op, quoin_error *err)
{
  op->any = op->ended = false;
  op->batch.rows = op->at = 0;
  if (!scan_spec_pattern(&op->pattern, &op->spec)) return QUOIN_DONE;
  quoin_status st = op->scan ? quad_scan_rebind(op->scan, &op->pattern, err)
                             : quad_scan_open(&op->scan, op->head.ctx->snapshot, &op->pattern,
                                              op->order, 1u << op->position, err);
  op->running = !st;
  return st;
}

/* Go past all rows of `value`. */
static quoin_status
seek_past(skip_scan *op, atom_id value, quoin_error *err)
{
  atom_id key[4] = {{0}, {0}, {0}, {0}};
  for (unsigned k = 0; k < 4; k++) {
    unsigned i = quad_order_keys[op->order][k];
    if (i == op->position) {
      key[k].bits = value.bits + 1;
      break;
    }
    key[k] = op->pattern.match.term[i];
  }
  op->batch.rows = op->at = 0;
  return quad_scan_seek(op->scan, key, err);
}

static quoin_status
next_batch(skip_scan *op, quoin_error *err)
{
  quoin_status st = base_cancel_check(&op->head.ctx->cancel, err);
  op->at = op->distinct = 0;
  op->batch.rows = 0;
  if (!st) st = quad_scan_next(&op->batch, op->scan, err);
  if (st) op->batch.rows = 0;
  if (st == QUOIN_DONE) op->ended = true;
  return st;
}

/* How many rows the value has that begins at row `from` of the batch and runs to its end. */
static quoin_status
count_value(atom_id *out, const skip_scan *op, atom_id value, quoin_error *err)
{
  quad_pattern pattern = op->pattern;
  uint64_t n;
  pattern.match.term[op->position] = value;
  quoin_status st = quad_count(&n, op->head.ctx->snapshot, &pattern, err);
  if (!st) *out = atom_inline_integer((int64_t)n);
  return st;
}

/* The value at op->at into slot n; op->at goes past it. */
static quoin_status
take_value(skip_scan *op, size_t n, quoin_error *err)
{
  const atom_id *column = op->batch.column[op->position];
  atom_id value = column[op->at];
  size_t end = op->at + 1;
  quoin_status st = QUOIN_OK;
  while (end < op->batch.rows && atom_id_equal(column[end], value))
    end++;
  op->values[n] = value;
  op->last = value;
  op->any = true;
  op->distinct++;
  bool seeks = end == op->batch.rows && (op->counts || op->distinct < SEEK_BELOW);
  if (op->counts) {
    op->counts[n] = atom_inline_integer((int64_t)(end - op->at));
    if (end == op->batch.rows) st = count_value(&op->counts[n], op, value, err);
  }
  op->at = end;
  if (!st && seeks) st = seek_past(op, value, err);
  return st;
}

static quoin_status
skip_scan_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  skip_scan *op = (skip_scan *)head;
  size_t n = 0;
  quoin_status st = QUOIN_OK;
  if (!op->running && (st = start(op, err))) return st;
  while (!st && n < SPARQL_BATCH && !op->ended) {
    if (op->at >= op->batch.rows) {
      if ((st = next_batch(op, err))) break;
    }
    if (op->any && atom_id_equal(op->batch.column[op->position][op->at], op->last)) {
      op->at++; /* its rows went on into this batch */
      continue;
    }
    st = take_value(op, n, err);
    if (!st) n++;
  }
  if (st < 0) return st;
  if (n == 0) return QUOIN_DONE;
  *out = (sparql_batch){.rows = n, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
skip_scan_rewind(sparql_operator *head, quoin_error *err)
{
  (void)err;
  ((skip_scan *)head)->running = false;
  return QUOIN_OK;
}

static void
skip_scan_close(sparql_operator *head)
{
  skip_scan *op = (skip_scan *)head;
  quad_scan_close(op->scan);
  op->scan = NULL;
  op->running = false;
}

static void
skip_scan_explain(base_buffer *out, const sparql_operator *head)
{
  const skip_scan *op = (const skip_scan *)head;
  base_buffer_text(out, op->counts ? "count of " : "distinct ");
  sparql_explain_var(out, head->ctx, op->var);
}

static const sparql_operator_class skip_scan_class = {.name = "skip scan",
                                                      .next = skip_scan_next,
                                                      .rewind = skip_scan_rewind,
                                                      .close = skip_scan_close,
                                                      .explain = skip_scan_explain};

quoin_status
sparql_skip_scan_make(sparql_operator **out, sparql_context *ctx, const scan_spec *spec,
                      quad_order order, sparql_var var, sparql_var count, const sparql_frame *frame,
                      quoin_error *err)
{
  skip_scan *op = NULL;
  assert(scan_spec_sorted(spec, order) == var);
  quoin_status st = sparql_operator_make(&op, sizeof(*op), &skip_scan_class, ctx, NULL, NULL, err);
  if (st || (st = sparql_columns_make(&op->column, ctx, err))) return st;
  op->spec = *spec;
  op->order = order;
  op->var = var;
  op->count = count;
  while (spec->at[op->position].kind != SCAN_VAR || spec->at[op->position].var != var)
    op->position++;
  if ((st = sparql_column_make(&op->values, ctx, err))) return st;
  sparql_frame_columns(op->column, frame);
  sparql_frame_bind(&op->head, frame);
  op->column[var] = op->values;
  op->head.bound[var] = op->head.maybe[var] = true;
  if (count != SPARQL_NO_VAR) {
    if ((st = sparql_column_make(&op->counts, ctx, err))) return st;
    op->column[count] = op->counts;
    op->head.bound[count] = op->head.maybe[count] = true;
  }
  op->head.sorted[op->head.n_sorted++] = var;
  *out = &op->head;
  return QUOIN_OK;
}
