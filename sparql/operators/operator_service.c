/* sparql/operators/operator_service.c - a leaf whose rows come from another endpoint.
 *
 * The keys of its seed, if it has one, and the parameters of the plan go along in VALUES,
 * SERVICE_ROWS at a time; with a variable address the keys are sorted by it and each endpoint is
 * asked for its own. Rows are given out while the response comes in. SILENT keeps them until it is
 * whole: when a request fails its keys are the rows, and nothing else is bound (Federated Query,
 * section 4: one empty solution, joined with each key). */
#include "sparql/service/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

enum { QUEUE_ROWS = 4 * SPARQL_BATCH }; /* from here on the endpoint has to wait */

typedef struct service_operator {
  sparql_operator head;
  service_options ask;
  const sparql_frame *frame;
  sparql_var address;   /* SPARQL_NO_VAR: constant */
  sparql_param **param; /* [n_vars] of ask.vars; NULL: none */
  size_t *key_at;       /* [n_vars] which key it is; n_keys: none */
  service_http *http;
  /* the keys: n_keys ids each, and their addresses, in the order asked */
  atom_id *keys;
  size_t n_rows, keys_cap;
  struct service_key {
    atom_id address;
    uint32_t row;
  } * order;
  size_t order_cap, at; /* next to be asked */
  bool gathered;
  /* VALUES of the request at hand, for order[first .. last) */
  sparql_var *value_vars;
  size_t *value_key; /* which key it is; n_keys: a parameter */
  size_t n_value_vars;
  atom_id *values;
  size_t values_cap;
  size_t first, last;
  base_buffer text;
  bool asking;
  /* rows that came, ask.n_vars ids each; from queue_at on not given out yet */
  atom_id *queue;
  size_t queue_cap, queued, queue_at;
  bool full;
  uint64_t charged;
  uint64_t response; /* number of the scope of blank nodes */
  const atom_id **pulled, **column;
  atom_id **buffer; /* [n_vars] of ask.vars, then the address */
} service_operator;

/* Grow an array of the operator and account for it. */
static quoin_status
grow(service_operator *op, void *items, size_t *cap, size_t need, size_t size, quoin_error *err)
{
  void *array;
  size_t before = *cap;
  if (need <= before) return QUOIN_OK;
  memcpy(&array, items, sizeof(array));
  if (!base_reserve(op->head.ctx->mem, &array, cap, need, size)) return base_fail_nomem(err);
  memcpy(items, &array, sizeof(array));
  op->charged += (*cap - before) * size;
  return sparql_charge(op->head.ctx, (int64_t)((*cap - before) * size), err);
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static quoin_status
add_keys(service_operator *op, const sparql_batch *batch, quoin_error *err)
{
  size_t width = op->ask.n_keys, rows = op->n_rows + batch->rows;
  quoin_status st = grow(op, &op->keys, &op->keys_cap, rows * width + 1, sizeof(atom_id), err);
  if (!st) st = grow(op, &op->order, &op->order_cap, rows, sizeof(*op->order), err);
  if (st) return st;
  for (size_t i = 0; i < batch->rows; i++, op->n_rows++) {
    for (size_t k = 0; k < width; k++) {
      const atom_id *column = batch->column[op->ask.keys[k]];
      op->keys[op->n_rows * width + k] = column ? column[i] : ATOM_NONE_ID;
    }
    op->order[op->n_rows].row = (uint32_t)op->n_rows;
  }
  return QUOIN_OK;
}

static int
by_address(const void *a, const void *b)
{
  const struct service_key *x = a, *y = b;
  if (x->address.bits != y->address.bits) return x->address.bits < y->address.bits ? -1 : 1;
  return (x->row > y->row) - (x->row < y->row);
}

/* The address of each key, and keys of one address together. */
static void
sort_keys(service_operator *op)
{
  const sparql_param *param = sparql_frame_find(op->frame, op->address);
  size_t at = 0;
  while (at < op->ask.n_keys && op->ask.keys[at] != op->address)
    at++;
  for (size_t i = 0; i < op->n_rows; i++)
    op->order[i].address = at < op->ask.n_keys ? op->keys[i * op->ask.n_keys + at]
                           : param             ? param->value
                                               : ATOM_NONE_ID;
  if (at < op->ask.n_keys && op->n_rows)
    qsort(op->order, op->n_rows, sizeof(*op->order), by_address);
}

static quoin_status
gather_keys(service_operator *op, quoin_error *err)
{
  quoin_status st;
  op->n_rows = op->at = 0;
  if (!op->head.child[0]) {
    const sparql_batch one = {.rows = 1, .column = NULL};
    st = add_keys(op, &one, err);
  } else {
    sparql_batch batch;
    while (!(st = sparql_pull(&batch, op->pulled, op->head.child[0], err)))
      if ((st = add_keys(op, &batch, err))) return st;
    if (st == QUOIN_DONE) st = QUOIN_OK;
  }
  if (st) return st;
  if (op->address != SPARQL_NO_VAR) sort_keys(op);
  op->gathered = true;
  return QUOIN_OK;
}

/* ---- a request --------------------------------------------------------------------------------
 */

/* A blank node of this side is none of the endpoint's: a key with one has no match. (In the address
 * it is an error, found later.) */
static bool
can_match(const service_operator *op, const atom_id *key)
{
  for (size_t v = 0; v < op->ask.n_vars; v++)
    if (op->key_at[v] < op->ask.n_keys &&
        sparql_id_kind(op->head.ctx, key[op->key_at[v]]) == RDF_BLANK)
      return false;
  return true;
}

/* The keys of the next address into values[]; order[first, last) are those looked at. */
static quoin_status
make_values(size_t *rows, service_operator *op, quoin_error *err)
{
  *rows = 0;
  op->first = op->last = op->at;
  for (; op->last < op->n_rows && *rows < SERVICE_ROWS; op->last++) {
    const struct service_key *key = &op->order[op->last];
    const atom_id *ids = op->keys + key->row * op->ask.n_keys;
    if (op->address != SPARQL_NO_VAR && !atom_id_equal(key->address, op->order[op->first].address))
      break;
    if (!can_match(op, ids)) continue;
    quoin_status st = grow(op, &op->values, &op->values_cap, (*rows + 1) * op->n_value_vars + 1,
                           sizeof(atom_id), err);
    if (st) return st;
    for (size_t i = 0; i < op->n_value_vars; i++)
      op->values[*rows * op->n_value_vars + i] =
          op->value_key[i] < op->ask.n_keys
              ? ids[op->value_key[i]]
              : sparql_frame_find(op->frame, op->value_vars[i])->value;
    (*rows)++;
  }
  return QUOIN_OK;
}

/* The endpoint of order[first]; the text lives in the scratch of the context. */
static quoin_status
find_address(quoin_span *out, service_operator *op, quoin_error *err)
{
  const sparql_algebra *node = op->ask.node;
  rdf_term term = node->node.term;
  if (op->address != SPARQL_NO_VAR) {
    sparql_context *ctx = op->head.ctx;
    quoin_status st = sparql_term(&term, ctx, op->order[op->first].address, &ctx->scratch, err);
    if (st) return st;
    if (term.kind != RDF_IRI)
      return base_fail_pos(err, QUOIN_ERR_ARGUMENT, NULL, node->line, node->column,
                           "SERVICE ?%.*s: the variable has a value that is no IRI",
                           (int)op->head.ctx->query->vars[op->address].len,
                           op->head.ctx->query->vars[op->address].ptr);
  }
  *out = term.value;
  return QUOIN_OK;
}

static quoin_status
add_position(const service_operator *op, quoin_status st, quoin_error *err)
{
  if (st < 0 && err && !err->line) {
    err->line = op->ask.node->line;
    err->column = op->ask.node->column;
  }
  return st;
}

/* SILENT: the keys of the request that failed are rows as they are. */
static quoin_status
ignore_failure(service_operator *op, quoin_error *err)
{
  size_t width = op->ask.n_vars + 1;
  op->queued = op->queue_at = 0;
  for (size_t i = op->first; i < op->last; i++) {
    const atom_id *key = op->keys + op->order[i].row * op->ask.n_keys;
    quoin_status st =
        grow(op, &op->queue, &op->queue_cap, (op->queued + 1) * width, sizeof(atom_id), err);
    if (st) return st;
    atom_id *row = op->queue + op->queued++ * width;
    for (size_t v = 0; v < op->ask.n_vars; v++)
      row[v] = op->key_at[v] < op->ask.n_keys ? key[op->key_at[v]]
               : op->param[v]                 ? op->param[v]->value
                                              : ATOM_NONE_ID;
    row[op->ask.n_vars] = op->order[i].address;
  }
  base_error_clear(err);
  return QUOIN_OK;
}

static quoin_status take_row(void *user, const sparql_binding *bindings, size_t n,
                             quoin_error *err);

/* Ask for the next keys: as many as one text holds. Without any that can match, nothing is asked.
 */
static quoin_status
ask(service_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t rows, row = 0;
  quoin_span address;
  bool remote = true;
  base_arena_mark here = base_arena_here(&ctx->scratch);
  quoin_status st = make_values(&rows, op, err);
  if (st) return st;
  if (rows == 0) {
    op->at = op->last;
    return QUOIN_OK;
  }
  service_values values = {op->value_vars, op->n_value_vars, op->values, rows};
  op->text.len = 0;
  st = service_query_write(&op->text, &row, ctx, op->ask.node, op->ask.vars, op->ask.n_vars,
                           &values, err);
  if (st) return st;
  for (size_t skip = rows - row; skip; skip--) { /* the text is full: leave the rest for the next */
    do
      op->last--;
    while (!can_match(op, op->keys + op->order[op->last].row * op->ask.n_keys));
  }
  op->at = op->last;
  if ((st = find_address(&address, op, err))) return st;
  const char *allowed = ctx->options ? ctx->options->services : NULL;
  const results_sink sink = {
      .row = take_row, .user = op, .max_row = (size_t)(ctx->memory_limit / 4)};
  if (!(st = service_address_check(allowed, address, ctx->mem, err))) {
    remote = false;
    if (!op->http) st = service_http_new(&op->http, allowed, &ctx->cancel, ctx->mem, err);
    if (!st)
      st = service_http_begin(op->http, address, (quoin_span){op->text.data, op->text.len}, &sink,
                              err);
  }
  op->asking = !st;
  op->response = ++ctx->blank_counter;
  base_arena_rewind(&ctx->scratch, here);
  if (remote && st != QUOIN_ERR_NOMEM && op->ask.node->silent) return ignore_failure(op, err);
  return add_position(op, st, err);
}

/* ---- what comes back --------------------------------------------------------------------------
 */

/* Blank nodes are fresh in each response, and the same within it. */
static quoin_status
intern(atom_id *out, service_operator *op, const rdf_term *term, quoin_error *err)
{
  char label[64];
  if (term->kind != RDF_BLANK) return sparql_intern(out, op->head.ctx, term, err);
  unsigned long long a = base_hash_seed(term->value.ptr, term->value.len, op->response);
  unsigned long long b = base_hash_seed(term->value.ptr, term->value.len, ~op->response);
  int len = snprintf(label, sizeof(label), "s%llux%016llx%016llx", (unsigned long long)op->response,
                     a, b);
  const rdf_term fresh = {.kind = RDF_BLANK, .value = {label, (size_t)len}};
  return sparql_intern(out, op->head.ctx, &fresh, err);
}

static quoin_status
lacks(const service_operator *op, sparql_var var, quoin_error *err)
{
  quoin_span name = op->head.ctx->query->vars[var];
  return base_fail(err, QUOIN_ERR_SYNTAX, "a solution without ?%.*s, which the group binds in all",
                   (int)name.len, name.ptr);
}

/* A solution: see results_sink. Variables that were not asked for are passed over. */
static quoin_status
take_row(void *user, const sparql_binding *bindings, size_t n, quoin_error *err)
{
  service_operator *op = user;
  sparql_context *ctx = op->head.ctx;
  size_t n_vars = op->ask.n_vars, width = n_vars + 1;
  quoin_status st =
      grow(op, &op->queue, &op->queue_cap, (op->queued + 1) * width, sizeof(atom_id), err);
  if (st) return st;
  atom_id *row = op->queue + op->queued * width;
  memset(row, 0, width * sizeof(*row));
  for (size_t i = 0, v = 0; i < n; i++) {
    /* Mostly in the order asked for: go on from where the last was found. */
    size_t tried = 0;
    while (tried < n_vars &&
           !base_span_equal(ctx->query->vars[op->ask.vars[v]], bindings[i].name)) {
      v = v + 1 == n_vars ? 0 : v + 1;
      tried++;
    }
    if (tried < n_vars && (st = intern(&row[v], op, &bindings[i].term, err))) return st;
  }
  for (size_t v = 0; v < n_vars; v++) {
    const sparql_param *param = op->param[v];
    if (!row[v].bits && op->ask.certain[op->ask.vars[v]]) return lacks(op, op->ask.vars[v], err);
    if (!param) continue;
    if (row[v].bits && !atom_id_equal(row[v], param->value)) return QUOIN_OK; /* no match */
    row[v] = param->value;
  }
  row[n_vars] = op->order[op->first].address;
  op->queued++;
  op->full = !op->ask.node->silent && op->queued >= QUEUE_ROWS;
  return QUOIN_OK;
}

/* Give out what has come in; false when there is nothing. */
static bool
give(sparql_batch *out, service_operator *op)
{
  size_t width = op->ask.n_vars + 1, n = op->queued - op->queue_at;
  if (n == 0) return false;
  if (n > SPARQL_BATCH) n = SPARQL_BATCH;
  const atom_id *from = op->queue + op->queue_at * width;
  for (size_t v = 0; v < width; v++)
    for (size_t i = 0; op->buffer[v] && i < n; i++)
      op->buffer[v][i] = from[i * width + v];
  op->queue_at += n;
  if (op->queue_at == op->queued) op->queue_at = op->queued = 0;
  op->full = op->full && op->queued >= QUEUE_ROWS;
  *out = (sparql_batch){.rows = n, .column = op->column};
  return true;
}

/* ---- the operator -----------------------------------------------------------------------------
 */

static quoin_status
wait_for_rows(service_operator *op, quoin_error *err)
{
  quoin_status st = service_http_wait(op->http, &op->full, err);
  op->head.bytes = service_http_bytes(op->http);
  if (st == QUOIN_OK) return QUOIN_OK;
  op->asking = false;
  if (st == QUOIN_DONE) return QUOIN_OK;
  if (op->ask.node->silent && service_http_is_remote(op->http)) return ignore_failure(op, err);
  return add_position(op, st, err);
}

static quoin_status
service_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  service_operator *op = (service_operator *)head;
  quoin_status st;
  if (!op->gathered && (st = gather_keys(op, err))) return st;
  for (;;) {
    if ((st = base_cancel_check(&head->ctx->cancel, err))) return st;
    /* SILENT shows nothing before the response is whole. */
    bool may_give = !op->asking || !op->ask.node->silent;
    if (may_give && give(out, op)) return QUOIN_OK;
    if (op->asking) {
      st = wait_for_rows(op, err);
    } else if (op->at < op->n_rows) {
      st = ask(op, err);
    } else {
      return QUOIN_DONE;
    }
    if (st) return st;
  }
}

static quoin_status
service_rewind(sparql_operator *head, quoin_error *err)
{
  service_operator *op = (service_operator *)head;
  if (op->http) service_http_abort(op->http);
  op->asking = op->gathered = op->full = false;
  op->n_rows = op->at = op->queued = op->queue_at = 0;
  return head->child[0] ? sparql_operator_rewind(head->child[0], err) : QUOIN_OK;
}

static void
service_close(sparql_operator *head)
{
  service_operator *op = (service_operator *)head;
  const base_alloc *mem = head->ctx->mem;
  service_http_free(op->http);
  op->http = NULL;
  base_release(mem, op->keys, op->keys_cap, sizeof(*op->keys));
  base_release(mem, op->order, op->order_cap, sizeof(*op->order));
  base_release(mem, op->values, op->values_cap, sizeof(*op->values));
  base_release(mem, op->queue, op->queue_cap, sizeof(*op->queue));
  op->keys = op->values = op->queue = NULL;
  op->order = NULL;
  op->keys_cap = op->order_cap = op->values_cap = op->queue_cap = 0;
  base_buffer_clear(&op->text);
  (void)!sparql_charge(head->ctx, -(int64_t)op->charged, NULL);
  op->charged = 0;
}

static void
service_explain(base_buffer *out, const sparql_operator *head)
{
  const service_operator *op = (const service_operator *)head;
  if (op->ask.node->silent) base_buffer_text(out, "silent ");
  if (op->address == SPARQL_NO_VAR)
    rdf_term_write(out, &op->ask.node->node.term);
  else
    sparql_explain_var(out, head->ctx, op->address);
  base_buffer_text(out, " gives");
  for (size_t i = 0; i < op->ask.n_vars; i++) {
    base_buffer_byte(out, ' ');
    sparql_explain_var(out, head->ctx, op->ask.vars[i]);
  }
  if (op->n_value_vars) base_buffer_text(out, ", takes");
  for (size_t i = 0; i < op->n_value_vars; i++) {
    base_buffer_byte(out, ' ');
    sparql_explain_var(out, head->ctx, op->value_vars[i]);
  }
}

static const sparql_operator_class service_class = {.name = "service",
                                                    .next = service_next,
                                                    .rewind = service_rewind,
                                                    .close = service_close,
                                                    .explain = service_explain};

/* What each variable is: a key, a parameter, or neither; the first two are sent. */
static quoin_status
sort_out_vars(service_operator *op, quoin_error *err)
{
  base_arena *arena = &op->head.ctx->arena;
  size_t n = op->ask.n_vars;
  op->param = base_arena_new_zero(arena, n + 1, sizeof(*op->param));
  op->key_at = base_arena_new_zero(arena, n + 1, sizeof(*op->key_at));
  op->value_vars = base_arena_new_zero(arena, n + 1, sizeof(*op->value_vars));
  op->value_key = base_arena_new_zero(arena, n + 1, sizeof(*op->value_key));
  op->buffer = base_arena_new_zero(arena, n + 1, sizeof(*op->buffer));
  if (!op->param || !op->key_at || !op->value_vars || !op->value_key || !op->buffer)
    return base_fail_nomem(err);
  for (size_t v = 0; v < n; v++) {
    sparql_var var = op->ask.vars[v];
    size_t k = 0;
    while (k < op->ask.n_keys && op->ask.keys[k] != var)
      k++;
    op->key_at[v] = k;
    op->param[v] = sparql_frame_find(op->frame, var);
    quoin_status st = sparql_column_make(&op->buffer[v], op->head.ctx, err);
    if (st) return st;
    op->column[var] = op->buffer[v];
    if (k == op->ask.n_keys && !op->param[v]) continue;
    op->value_vars[op->n_value_vars] = var;
    op->value_key[op->n_value_vars++] = k;
  }
  return QUOIN_OK;
}

quoin_status
sparql_service_make(sparql_operator **out, sparql_context *ctx, const service_options *options,
                    const sparql_frame *frame, quoin_error *err)
{
  service_operator *op = NULL;
  quoin_status st =
      sparql_operator_make(&op, sizeof(*op), &service_class, ctx, options->seed, NULL, err);
  if (st || (st = sparql_columns_make(&op->pulled, ctx, err)) ||
      (st = sparql_columns_make(&op->column, ctx, err)))
    return st;
  op->ask = *options;
  op->frame = frame;
  op->address = options->node->node.var;
  base_buffer_init(&op->text, ctx->mem);
  sparql_frame_columns(op->column, frame);
  if ((st = sort_out_vars(op, err))) return st;
  for (size_t v = 0; v < options->n_vars; v++) {
    sparql_var var = options->vars[v];
    op->head.maybe[var] = true;
    op->head.bound[var] = options->certain[var] && !options->node->silent;
  }
  for (size_t k = 0; k < options->n_keys; k++)
    op->head.maybe[options->keys[k]] = op->head.bound[options->keys[k]] = true;
  sparql_var address = op->address;
  if (address != SPARQL_NO_VAR && !sparql_frame_find(frame, address) && !op->column[address]) {
    if ((st = sparql_column_make(&op->buffer[options->n_vars], ctx, err))) return st;
    op->column[address] = op->buffer[options->n_vars];
  }
  sparql_frame_bind(&op->head, frame);
  *out = &op->head;
  return QUOIN_OK;
}
