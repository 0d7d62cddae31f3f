/* sparql/results/construct.c - a template filled in for each solution (16.2).
 *
 * Blank nodes of the template are new ones for each solution. A triple that is no RDF (an unbound
 * variable, a literal as subject, anything but an IRI as predicate) is left out. The result is a
 * graph, a set: a table of the triples given drops repeated ones. Past the memory budget it takes
 * no more: triples that it does not have are divided by hash on disk (spill.h), and at the end each
 * part is given with an empty table. */
#include "sparql/results/construct.h"

#include "sparql/expr/expr_eval.h"
#include "sparql/memory/spill.h"

#include "base/poison.h"

/* ---- triples to text ----------------------------------------------------------------------------
 */

void
sparql_triples_init(sparql_triples *triples, sparql_context *ctx)
{
  *triples = (sparql_triples){.ctx = ctx};
  base_arena_init(&triples->text, ctx->mem);
}

void
sparql_triples_reset(sparql_triples *triples)
{
  base_arena_reset(&triples->text);
  triples->n = 0;
}

void
sparql_triples_clear(sparql_triples *triples)
{
  if (!triples->ctx) return;
  base_release(triples->ctx->mem, triples->quads, triples->cap, sizeof(rdfio_quad));
  base_arena_clear(&triples->text);
  *triples = (sparql_triples){0};
}

quoin_status
sparql_triples_add(sparql_triples *triples, const atom_id spo[3], quoin_error *err)
{
  void *quads = triples->quads;
  if (!base_reserve(triples->ctx->mem, &quads, &triples->cap, triples->n + 1, sizeof(rdfio_quad)))
    return base_fail_nomem(err);
  triples->quads = quads;
  rdfio_quad *to = &triples->quads[triples->n];
  *to = (rdfio_quad){0};
  for (unsigned i = 0; i < 3; i++) {
    quoin_status st = sparql_term(&to->term[i], triples->ctx, spo[i], &triples->text, err);
    if (st) return st;
  }
  triples->n++;
  return QUOIN_OK;
}

/* ---- the template -------------------------------------------------------------------------------
 */

typedef struct construct_slot {
  sparql_var var; /* SPARQL_NO_VAR: */
  uint32_t blank; /* number + 1 of a blank node of the template; 0: */
  atom_id id;     /* a constant */
} construct_slot;

struct sparql_construct {
  sparql_context *ctx;
  sparql_operator *root;
  construct_slot *slots; /* [n_triples][3] */
  size_t n_triples;
  sparql_id_table labels; /* of the blank nodes of the template */
  atom_id *blanks;        /* [labels.rows] of the solution at hand; 0: not made yet */
  sparql_id_table given;
  bool full; /* it takes no more */
  bool read; /* all solutions have been */
  spill_parts parts;
  spill_part part; /* being given, if its reader has a stream */
  spill_reader reader;
  unsigned depth;      /* of the triples that wait */
  atom_id *waiting[3]; /* [SPARQL_BATCH] */
  size_t n_waiting;
  const atom_id **pulled;
};

/* Number the blank node `label`: by a local id that never leaves here. */
static quoin_status
template_blank(construct_slot *slot, sparql_construct *c, const rdf_term *label, quoin_error *err)
{
  atom_id id;
  uint32_t row;
  quoin_status st = atom_local_intern(&id, c->ctx->local, label, err);
  if (st) return st;
  const atom_id *keys = &id;
  if ((st = sparql_id_table_add(&row, &c->labels, &keys, 1, err))) return st;
  slot->blank = row + 1;
  return QUOIN_OK;
}

static quoin_status
compile_slots(sparql_construct *c, quoin_error *err)
{
  const sparql_query *query = c->ctx->query;
  for (size_t t = 0; t < query->n_template; t++) {
    const sparql_triple *triple = &query->template_[t];
    const sparql_node *nodes[3] = {&triple->subject, &triple->predicate, &triple->object};
    for (unsigned i = 0; i < 3; i++) {
      construct_slot *slot = &c->slots[t * 3 + i];
      quoin_status st = QUOIN_OK;
      slot->var = nodes[i]->var;
      if (nodes[i]->var != SPARQL_NO_VAR) continue;
      if (nodes[i]->term.kind == RDF_BLANK)
        st = template_blank(slot, c, &nodes[i]->term, err);
      else
        st = sparql_intern(&slot->id, c->ctx, &nodes[i]->term, err);
      if (st) return st;
    }
  }
  return QUOIN_OK;
}

quoin_status
sparql_construct_new(sparql_construct **out, sparql_context *ctx, sparql_operator *root,
                     quoin_error *err)
{
  base_arena *arena = &ctx->arena;
  size_t n = ctx->query->n_template;
  sparql_construct *c = base_arena_new_zero(arena, 1, sizeof(*c));
  sparql_batch pulled;
  if (!c) return base_fail_nomem(err);
  *out = c; /* from here on sparql_construct_clear frees what it holds, also after a failure */
  c->ctx = ctx;
  c->root = root;
  c->n_triples = n;
  c->slots = base_arena_new_zero(arena, n * 3 + 1, sizeof(construct_slot));
  c->blanks = base_arena_new_zero(arena, n * 3 + 1, sizeof(atom_id));
  if (!c->slots || !c->blanks) return base_fail_nomem(err);
  for (unsigned i = 0; i < 3; i++)
    if (!(c->waiting[i] = base_arena_new(arena, SPARQL_BATCH, sizeof(atom_id))))
      return base_fail_nomem(err);
  quoin_status st = sparql_id_table_init(&c->labels, ctx, 1, err);
  if (st || (st = compile_slots(c, err)) || (st = sparql_id_table_init(&c->given, ctx, 3, err)))
    return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  c->pulled = pulled.column;
  return QUOIN_OK;
}

void
sparql_construct_clear(sparql_construct *construct)
{
  if (!construct) return;
  sparql_context *ctx = construct->ctx;
  sparql_id_table_clear(&construct->given);
  sparql_id_table_clear(&construct->labels);
  if (!ctx) return;
  spill_close(&construct->reader, ctx);
  spill_drop(&construct->part.stream, ctx);
  spill_parts_clear(&construct->parts, ctx);
}

/* ---- filling it in
 * ------------------------------------------------------------------------------- */

/* "c" and a number that BNODE() does not use either; stored nodes are written b<number>. */
static quoin_status
fresh_blank(atom_id *out, sparql_context *ctx, quoin_error *err)
{
  char label[32] = "c";
  size_t len = 1;
  char digits[20];
  size_t n = 0;
  for (uint64_t v = ++ctx->blank_counter; v; v /= 10)
    digits[n++] = (char)('0' + v % 10);
  while (n)
    label[len++] = digits[--n];
  rdf_term term = {.kind = RDF_BLANK, .value = {label, len}};
  return atom_local_intern(out, ctx->local, &term, err);
}

static quoin_status
slot_value(atom_id *out, sparql_construct *c, const construct_slot *slot, const sparql_batch *in,
           size_t row, quoin_error *err)
{
  if (slot->var != SPARQL_NO_VAR) {
    *out = in->column[slot->var] ? in->column[slot->var][row] : ATOM_NONE_ID;
    if (!out->bits) *out = sparql_outer_value(c->ctx, slot->var);
    return QUOIN_OK;
  }
  if (!slot->blank) {
    *out = slot->id;
    return QUOIN_OK;
  }
  atom_id *blank = &c->blanks[slot->blank - 1];
  quoin_status st = blank->bits ? QUOIN_OK : fresh_blank(blank, c->ctx, err);
  *out = *blank;
  return st;
}

static bool
is_triple(const sparql_context *ctx, const atom_id spo[3])
{
  rdf_kind subject = sparql_id_kind(ctx, spo[0]);
  return (subject == RDF_IRI || subject == RDF_BLANK) && sparql_id_kind(ctx, spo[1]) == RDF_IRI &&
         spo[2].bits;
}

/* Of those that wait, what the full table does not have to disk. */
static quoin_status
put_unknown(sparql_construct *c, const atom_id *const keys[3], quoin_error *err)
{
  uint32_t row[SPARQL_BATCH];
  uint8_t part[SPARQL_BATCH];
  quoin_status st = QUOIN_OK;
  sparql_id_table_find(row, &c->given, keys, c->n_waiting);
  spill_part_of(part, keys, 3, c->n_waiting, c->depth);
  for (size_t i = 0; i < c->n_waiting && !st; i++) {
    const atom_id spo[3] = {keys[0][i], keys[1][i], keys[2][i]};
    if (row[i] == SPARQL_ID_TABLE_ABSENT)
      st = spill_parts_put(&c->parts, part[i], spo, 3, c->ctx, err);
  }
  c->n_waiting = 0;
  return st;
}

/* Those that wait and are new, to text. */
static quoin_status
flush(sparql_triples *out, sparql_construct *c, quoin_error *err)
{
  uint32_t row[SPARQL_BATCH];
  const atom_id *const keys[3] = {c->waiting[0], c->waiting[1], c->waiting[2]};
  size_t before = c->given.rows;
  if (!c->full && before &&
      !spill_has_room(c->ctx, c->given.charged, sparql_id_table_need(&c->given, c->n_waiting)))
    c->full = true;
  if (c->full) return put_unknown(c, keys, err);
  quoin_status st = sparql_id_table_add(row, &c->given, keys, c->n_waiting, err);
  for (size_t i = before; i < c->given.rows && !st; i++) {
    const atom_id spo[3] = {c->given.column[0][i], c->given.column[1][i], c->given.column[2][i]};
    st = sparql_triples_add(out, spo, err);
  }
  c->n_waiting = 0;
  return st;
}

/* The next part, with an empty table; DONE. */
static quoin_status
next_part(sparql_construct *c, quoin_error *err)
{
  spill_close(&c->reader, c->ctx);
  spill_drop(&c->part.stream, c->ctx);
  quoin_status st = spill_parts_end(&c->parts, c->depth + 1, c->ctx, err);
  if (st) return st;
  if (!spill_parts_take(&c->part, &c->parts)) return QUOIN_DONE;
  sparql_id_table_clear(&c->given);
  c->full = false;
  c->depth = c->part.depth;
  return spill_open(&c->reader, &c->part.stream, true, c->ctx, err);
}

/* The next triples on disk. */
static quoin_status
next_on_disk(sparql_triples *out, sparql_construct *c, quoin_error *err)
{
  while (!out->n) {
    quoin_status st = base_cancel_check(&c->ctx->cancel, err);
    if (!st && !c->reader.stream) st = next_part(c, err);
    if (!st) st = spill_get_rows(&c->n_waiting, c->waiting, 3, &c->reader, c->ctx, err);
    if (st) return st;
    st = c->n_waiting ? flush(out, c, err) : next_part(c, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

static quoin_status
fill_row(sparql_triples *out, sparql_construct *c, const sparql_batch *in, size_t row,
         quoin_error *err)
{
  if (c->labels.rows) memset(c->blanks, 0, c->labels.rows * sizeof(atom_id));
  for (size_t t = 0; t < c->n_triples; t++) {
    atom_id spo[3];
    quoin_status st;
    for (unsigned i = 0; i < 3; i++)
      if ((st = slot_value(&spo[i], c, &c->slots[t * 3 + i], in, row, err))) return st;
    if (!is_triple(c->ctx, spo)) continue;
    for (unsigned i = 0; i < 3; i++)
      c->waiting[i][c->n_waiting] = spo[i];
    if (++c->n_waiting == SPARQL_BATCH && (st = flush(out, c, err))) return st;
  }
  return QUOIN_OK;
}

quoin_status
sparql_construct_next(sparql_triples *out, sparql_construct *c, quoin_error *err)
{
  sparql_triples_reset(out);
  while (!out->n && !c->read) {
    sparql_batch in;
    quoin_status st = base_cancel_check(&c->ctx->cancel, err);
    if (!st) st = sparql_pull(&in, c->pulled, c->root, err);
    if (st == QUOIN_DONE) {
      c->read = true;
      break;
    }
    if (st) return st;
    for (size_t row = 0; row < in.rows; row++)
      if ((st = fill_row(out, c, &in, row, err))) return st;
    if ((st = flush(out, c, err))) return st;
  }
  return out->n ? QUOIN_OK : next_on_disk(out, c, err);
}
