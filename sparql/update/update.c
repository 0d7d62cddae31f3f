/* sparql/update/update.c - an update request as one transaction. */
#include "sparql/update/update.h"

#include "sparql/memory/spill.h"

#include <assert.h>

#include "base/poison.h"

/* ---- quads and terms
 * ----------------------------------------------------------------------------- */

enum { WAITING_QUADS = 1 << 15 /* in memory: 1 MiB */ };

/* Those in memory go to the file. */
static quoin_status
write_waiting(update_quads *quads, quoin_error *err)
{
  size_t bytes = quads->n * sizeof(*quads->items);
  quoin_status st = quads->open ? QUOIN_OK : spill_temp_file(&quads->file, err);
  if (st) return st;
  quads->open = true;
  if ((st = base_file_write(&quads->file, quads->items, bytes, quads->written, err))) return st;
  quads->written += bytes;
  quads->n = 0;
  return QUOIN_OK;
}

quoin_status
update_quads_add(update_quads *quads, update_run *run, const quad *q, quoin_error *err)
{
  void *items = quads->items;
  quoin_status st;
  if (quads->n == WAITING_QUADS && (st = write_waiting(quads, err))) return st;
  if (!base_reserve(run->mem, &items, &quads->cap, quads->n + 1, sizeof(*q)))
    return base_fail_nomem(err);
  quads->items = items;
  quads->items[quads->n++] = *q;
  return QUOIN_OK;
}

static quoin_status
insert_waiting(const update_quads *quads, update_run *run, quoin_error *err)
{
  quoin_status st = base_cancel_check(&run->cancel, err);
  for (size_t i = 0; i < quads->n && !st; i++)
    st = quad_txn_add_ids(run->txn, &quads->items[i], err);
  return st;
}

quoin_status
update_quads_insert(update_quads *quads, update_run *run, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (!quads->open) return insert_waiting(quads, run, err);
  if ((st = write_waiting(quads, err))) return st; /* its memory is to read them by */
  for (uint64_t at = 0; at < quads->written && !st; at += quads->n * sizeof(*quads->items)) {
    uint64_t left = (quads->written - at) / sizeof(*quads->items);
    quads->n = left < WAITING_QUADS ? (size_t)left : WAITING_QUADS;
    st = base_file_read(&quads->file, quads->items, quads->n * sizeof(*quads->items), at, err);
    if (!st) st = insert_waiting(quads, run, err);
  }
  return st;
}

void
update_quads_clear(update_quads *quads, update_run *run)
{
  if (quads->open) base_file_close(&quads->file);
  base_release(run->mem, quads->items, quads->cap, sizeof(*quads->items));
  *quads = (update_quads){0};
}

quoin_status
update_term(atom_id *out, update_run *run, const rdf_term *term, quoin_error *err)
{
  assert(term->kind != RDF_BLANK);
  *out = ATOM_NONE_ID;
  if (term->kind == RDF_NONE) return QUOIN_OK;
  quoin_status st = atom_find(out, quad_snapshot_atoms(run->begin), term,
                              quad_snapshot_atom_mark(run->begin), err);
  if (st || out->bits) return st;
  return atom_local_intern(out, run->local, term, err);
}

quoin_status
update_blank(atom_id *out, update_run *run, const char *prefix, quoin_span label, quoin_error *err)
{
  run->label.len = 0;
  base_buffer_printf(&run->label, "%s%lu.", prefix, (unsigned long)run->request);
  base_buffer_span(&run->label, label);
  if (run->label.failed) return base_fail_nomem(err);
  const rdf_term term = {.kind = RDF_BLANK, .value = {run->label.data, run->label.len}};
  return atom_local_intern(out, run->local, &term, err);
}

quoin_status
update_reads(update_run *run, const quad_pattern *pattern, quoin_error *err)
{
  return quad_txn_scanned(run->txn, pattern, err);
}

/* ---- operations
 * ---------------------------------------------------------------------------------- */

static quoin_status
run_operation(update_run *run, const sparql_operation *op, quoin_error *err)
{
  switch (op->kind) {
  case UPDATE_LOAD:
    return update_load(run, op, err);
  case UPDATE_CLEAR:
  case UPDATE_DROP:
    return update_clear(run, op, err);
  case UPDATE_CREATE:
    return update_create(run, op, err);
  case UPDATE_ADD:
  case UPDATE_MOVE:
  case UPDATE_COPY:
    return update_transfer(run, op, err);
  case UPDATE_INSERT_DATA:
    return update_insert_data(run, op, err);
  case UPDATE_DELETE_DATA:
    return update_delete_data(run, op, err);
  case UPDATE_DELETE_WHERE:
  case UPDATE_MODIFY:
    return update_modify(run, op, err);
  }
  return QUOIN_OK;
}

/* Where the text of an update lies is part of every error but those in files that it loads. */
static void
add_position(quoin_error *err, const sparql_operation *op)
{
  if (!err || err->line || err->file[0]) return;
  err->line = op->line;
  err->column = op->column;
}

static quoin_status
run_all(update_run *run, quoin_error *err)
{
  for (size_t i = 0; i < run->update->n_operations; i++) {
    const sparql_operation *op = &run->update->operations[i];
    run->operation++;
    quoin_status st = base_cancel_check(&run->cancel, err);
    if (!st) st = quad_txn_failure(run->txn, run_operation(run, op, err), err);
    base_arena_reset(&run->arena);
    if (st) {
      add_position(err, op);
      return st;
    }
  }
  return QUOIN_OK;
}

static quoin_status
transact(sparql_update_result *out, update_run *run, quoin_error *err)
{
  quoin_status st = quad_txn_begin_writer(&run->txn, run->store, &run->cancel, err);
  if (st) return st;
  run->local = quad_txn_local(run->txn);
  st = quad_txn_snapshot(&run->begin, run->txn, err);
  if (!st) st = run_all(run, err);
  /* Who waited for the deadline must not wait for a commit that comes too late. */
  run->cancel.calls = 0;
  if (!st) st = base_cancel_check(&run->cancel, err);
  quad_snapshot_release(run->begin);
  run->begin = NULL;
  if (st)
    quad_txn_abort(run->txn);
  else
    st = quad_txn_commit(&out->added, &out->removed, run->txn, err);
  run->txn = NULL;
  return st;
}

static uint64_t
deadline(uint64_t timeout_ms)
{
  uint64_t ns;
  if (!timeout_ms) return 0;
  if (__builtin_mul_overflow(timeout_ms, UINT64_C(1000000), &ns) ||
      __builtin_add_overflow(ns, base_clock_ns(), &ns))
    return UINT64_MAX;
  return ns;
}

/* The request parsed; to be cleared whatever it returns. */
static quoin_status
run_init(update_run *run, sparql_update *update, quad_store *store, quoin_span text,
         const sparql_update_options *options, const base_alloc *mem, quoin_error *err)
{
  static const sparql_update_options defaults = {0};
  if (!options) options = &defaults;
  sparql_update_init(update, mem);
  *run = (update_run){
      .mem = mem,
      .options = options,
      .store = store,
      .update = update,
      .cancel = {.flag = options->cancel, .deadline_ns = deadline(options->timeout_ms)},
  };
  base_arena_init(&run->arena, mem);
  base_buffer_init(&run->label, mem);
  return sparql_parse_update(update, text, options->base, err);
}

static void
run_clear(update_run *run, sparql_update *update)
{
  base_buffer_clear(&run->label);
  base_arena_clear(&run->arena);
  sparql_update_clear(update);
}

quoin_status
sparql_update_run(sparql_update_result *out, quad_store *store, quoin_span text,
                  const sparql_update_options *options, const base_alloc *mem, quoin_error *err)
{
  update_run run;
  sparql_update update;
  sparql_update_result result = {0};
  assert(store && mem);
  quoin_status st = run_init(&run, &update, store, text, options, mem, err);
  run.notice = result.notice;
  if (!st && !update_load_in_bulk(&st, &result, &run, err)) st = transact(&result, &run, err);
  run_clear(&run, &update);
  if (out) *out = st ? (sparql_update_result){0} : result;
  return st;
}

quoin_status
sparql_update_run_in(quad_txn *txn, uint32_t *scope, quad_store *store, quoin_span text,
                     const sparql_update_options *options, const base_alloc *mem, quoin_error *err)
{
  update_run run;
  sparql_update update;
  assert(txn && scope && store && mem);
  quoin_status st = run_init(&run, &update, store, text, options, mem, err);
  run.txn = txn;
  run.local = quad_txn_local(txn);
  run.operation = run.request = *scope;
  if (!st) st = quad_txn_snapshot(&run.begin, txn, err);
  if (!st) st = run_all(&run, err);
  quad_snapshot_release(run.begin);
  *scope = run.operation;
  run_clear(&run, &update);
  return st;
}
