/* sparql/context.c - the ids and terms of one run of a query. */
#include "sparql/context.h"

#include "sparql/expr/expr_eval.h"
#include "sparql/memory/disk_memory.h"
#include "sparql/memory/spill.h"

#include <assert.h>
#include <time.h>

#include "base/poison.h"

#define DEFAULT_MEMORY (UINT64_C(1) << 30)

static int64_t
wall_clock_ms(void)
{
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return 0;
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static quoin_status
set_now(sparql_context *ctx, quoin_error *err)
{
  sparql_datetime now;
  char text[DATETIME_TEXT];
  ctx->now_ms = wall_clock_ms();
  datetime_from_millis(&now, DATETIME_DATETIME, ctx->now_ms, true, 0);
  rdf_term term = {.kind = RDF_LITERAL,
                   .value = {text, datetime_format(text, &now)},
                   .datatype = xsd_iri(XSD_DATETIME)};
  return sparql_intern(&ctx->now_id, ctx, &term, err);
}

quoin_status
sparql_context_init(sparql_context *ctx, const sparql_query *query, quad_snapshot *snapshot,
                    const sparql_run_options *options, const base_alloc *mem, quoin_error *err)
{
  assert(ctx && query && mem);
  quoin_status st;
  *ctx = (sparql_context){
      .mem = mem,
      .query = query,
      .options = options,
      .snapshot = snapshot,
      .atoms = snapshot ? quad_snapshot_atoms(snapshot) : NULL,
      .mark = snapshot ? quad_snapshot_atom_mark(snapshot) : 0,
      .memory_limit = options && options->memory_bytes ? options->memory_bytes : DEFAULT_MEMORY,
  };
  ctx->cancel.flag = options ? options->cancel : NULL;
  if (options && options->timeout_ms) {
    uint64_t ns;
    if (__builtin_mul_overflow(options->timeout_ms, UINT64_C(1000000), &ns) ||
        __builtin_add_overflow(ns, base_clock_ns(), &ns))
      ns = UINT64_MAX;
    ctx->cancel.deadline_ns = ns;
  }
  base_arena_init(&ctx->arena, mem);
  base_arena_init(&ctx->scratch, mem);
  if ((st = disk_memory_new(&ctx->disk, ctx, err))) goto done;
  if (options && options->local) {
    ctx->local = options->local;
    ctx->shares_local = true;
    ctx->local_stored = atom_local_count(ctx->local);
    ctx->blank_counter = (uint64_t)options->blank_scope << 40;
  } else if ((st = atom_local_new(&ctx->local, disk_memory_alloc(ctx->disk), err))) {
    goto done;
  }
  if ((st = expr_runtime_new(ctx, err))) goto done;
  st = set_now(ctx, err);

done:
  if (st) sparql_context_clear(ctx);
  return st;
}

void
sparql_context_clear(sparql_context *ctx)
{
  if (!ctx || !ctx->mem) return;
  expr_runtime_free(ctx);
  spill_free(ctx);
  if (!ctx->shares_local) atom_local_free(ctx->local);
  disk_memory_free(ctx->disk);
  base_arena_clear(&ctx->scratch);
  base_arena_clear(&ctx->arena);
  *ctx = (sparql_context){0};
}

static quoin_status
intern(atom_id *out, sparql_context *ctx, const rdf_term *term, quoin_error *err)
{
  if (ctx->atoms) {
    quoin_status st = atom_find(out, ctx->atoms, term, ctx->mark, err);
    if (st || out->bits) return st;
  }
  return atom_local_intern(out, ctx->local, term, err); /* its allocator counts */
}

quoin_status
sparql_intern(atom_id *out, sparql_context *ctx, const rdf_term *term, quoin_error *err)
{
  *out = ATOM_NONE_ID;
  if (term->kind == RDF_NONE) return QUOIN_OK;
  if (term->kind == RDF_LITERAL) {
    *out = atom_inline(term);
    if (out->bits) return QUOIN_OK;
  }
  if (term->kind != RDF_LITERAL || !base_span_is(term->datatype, RDF_VEC_F32))
    return intern(out, ctx, term, err);
  /* Both places would read its numbers. */
  rdf_term vector;
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  quoin_status st = rdf_vector_parse(&vector, term->value, &ctx->scratch, err);
  if (!st) st = intern(out, ctx, vector.kind == RDF_VECTOR ? &vector : term, err);
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

quoin_status
sparql_reads(const sparql_context *ctx, const quad_pattern *pattern, quoin_error *err)
{
  if (!ctx->options || !ctx->options->txn) return QUOIN_OK;
  return quad_txn_scanned(ctx->options->txn, pattern, err);
}

quoin_status
sparql_term(rdf_term *out, sparql_context *ctx, atom_id id, base_arena *arena, quoin_error *err)
{
  *out = (rdf_term){.kind = RDF_NONE};
  if (!id.bits) return QUOIN_OK;
  if (atom_id_kind(id) == ATOM_LOCAL) return atom_local_term(out, ctx->local, id, arena, err);
  if (atom_id_is_inline(id) || atom_id_kind(id) == ATOM_BLANK)
    return atom_inline_term(out, id, arena, err);
  assert(ctx->atoms);
  return atom_read(out, ctx->atoms, id, arena, err);
}

quoin_status
sparql_charge(sparql_context *ctx, int64_t bytes, quoin_error *err)
{
  if (bytes < 0) {
    uint64_t back = (uint64_t)0 - (uint64_t)bytes;
    ctx->memory_used -= back < ctx->memory_used ? back : ctx->memory_used;
    return QUOIN_OK;
  }
  ctx->memory_used += (uint64_t)bytes;
  if (ctx->memory_used <= ctx->memory_limit) return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_LIMIT,
                   "the query needs more than its memory budget of %llu bytes",
                   (unsigned long long)ctx->memory_limit);
}
