/* load/hold.c - vectors kept back, in little memory, until it is known which predicates are
 * indexes.
 */
#include "load/hold.h"

#include <assert.h>
#include <stdlib.h>

#include "base/poison.h"

enum {
  BLOCK = 64 * 1024,
  HELD_MOST = 7 * 10, /* bytes of one: seven numbers */
  BATCH = 1024
};

/* Differences from one vector to the next, most of them of one byte: terms are new and numbered as
 * they come, lines follow each other. The first of a block is written against zeros. */
typedef struct load_hold_block {
  struct load_hold_block *next;
  base_buffer text;
} load_hold_block;

void
load_hold_init(load_hold *hold, const base_alloc *mem)
{
  *hold = (load_hold){.mem = mem};
}

static void
drop_first(load_hold *hold)
{
  load_hold_block *block = hold->first;
  hold->first = block->next;
  base_buffer_clear(&block->text);
  base_release(hold->mem, block, 1, sizeof(*block));
}

void
load_hold_clear(load_hold *hold)
{
  if (!hold->mem) return;
  while (hold->first)
    drop_first(hold);
  base_release(hold->mem, hold->said, hold->cap_said, sizeof(*hold->said));
  *hold = (load_hold){0};
}

/* ---- keeping ----------------------------------------------------------------------------------
 */

static quoin_status
add_block(load_hold *hold, quoin_error *err)
{
  load_hold_block *block = base_new_zero(hold->mem, 1, sizeof(*block));
  if (!block) return base_fail_nomem(err);
  if (hold->last)
    hold->last->next = block;
  else
    hold->first = block;
  hold->last = block;
  base_buffer_init(&block->text, hold->mem);
  if (!base_buffer_reserve(&block->text, BLOCK)) return base_fail_nomem(err);
  hold->bytes += BLOCK + sizeof(*block);
  hold->before = (load_held){0};
  return QUOIN_OK;
}

/* Small for what is near to `before`, on either side. */
static void
put(base_buffer *text, uint64_t value, uint64_t before)
{
  uint64_t up = value - before;
  base_buffer_varint(text, up >> 63 ? ~(up << 1) : up << 1);
}

static void
get(uint64_t *value, const uint8_t **at, const uint8_t *end)
{
  uint64_t said = 0;
  bool good = base_varint_read(&said, at, end);
  assert(good);
  (void)good;
  *value += said & 1 ? ~(said >> 1) : said >> 1;
}

static quoin_status
keep(load_hold *hold, const load_held *held, quoin_error *err)
{
  quoin_status st;
  const load_held *before = &hold->before;
  if ((!hold->last || hold->last->text.len + HELD_MOST > BLOCK) && (st = add_block(hold, err)))
    return st;
  base_buffer *text = &hold->last->text;
  for (unsigned k = 0; k < 4; k++)
    put(text, held->quad.term[k].bits, before->quad.term[k].bits);
  put(text, held->source, before->source);
  put(text, held->line, before->line);
  put(text, held->column, before->column);
  assert(!text->failed);
  hold->before = *held;
  hold->n++;
  return QUOIN_OK;
}

static void
next_held(load_held *held, const uint8_t **at, const uint8_t *end)
{
  for (unsigned k = 0; k < 4; k++)
    get(&held->quad.term[k].bits, at, end);
  get(&held->source, at, end);
  get(&held->line, at, end);
  get(&held->column, at, end);
}

static quoin_status
keep_said(load_hold *hold, const quad *quads, const load_packet *packet, uint64_t lines,
          quoin_error *err)
{
  void *said = hold->said;
  if (!packet->n_said) return QUOIN_OK;
  bool room = base_reserve(hold->mem, &said, &hold->cap_said, hold->n_said + packet->n_said,
                           sizeof(*hold->said));
  hold->said = said;
  if (!room) return base_fail_nomem(err);
  for (size_t i = 0; i < packet->n_said; i++) {
    const load_place *place = &packet->said[i];
    const uint64_t line = place->line ? lines + place->line : 0;
    hold->said[hold->n_said] =
        (load_said){{quads[place->quad], packet->source, line, place->column}, hold->n_said};
    hold->n_said++;
  }
  return QUOIN_OK;
}

quoin_status
load_hold_take(size_t *n, load_hold *hold, quad *quads, const load_packet *packet, uint64_t lines,
               quoin_error *err)
{
  size_t kept = 0, from = 0;
  quoin_status st = keep_said(hold, quads, packet, lines, err);
  for (size_t i = 0; !st && i < packet->n_places; i++) {
    const load_place *place = &packet->places[i];
    const load_held held = {quads[place->quad], packet->source, lines + place->line, place->column};
    st = keep(hold, &held, err);
    memmove(quads + kept, quads + from, (place->quad - from) * sizeof(*quads));
    kept += place->quad - from;
    from = place->quad + 1;
  }
  if (kept != from) memmove(quads + kept, quads + from, (*n - from) * sizeof(*quads));
  *n = kept + (*n - from);
  return st;
}

/* ---- judging ----------------------------------------------------------------------------------
 */

typedef struct index_list {
  vec_declaration *index; /* ascending by predicate, an id of the load */
  size_t n, cap;
} index_list;

static int
compare_ids(uint64_t a, uint64_t b)
{
  return a < b ? -1 : a > b;
}

static int
compare_said(const void *x, const void *y)
{
  const load_said *a = x, *b = y;
  int order = compare_ids(a->held.quad.term[QUAD_S].bits, b->held.quad.term[QUAD_S].bits);
  return order ? order : compare_ids(a->order, b->order);
}

static int
compare_declared(const void *x, const void *y)
{
  const vec_declaration *a = x, *b = y;
  return compare_ids(a->predicate.bits, b->predicate.bits);
}

static int
compare_predicate(const void *id, const void *declared)
{
  return compare_ids(((const atom_id *)id)->bits,
                     ((const vec_declaration *)declared)->predicate.bits);
}

static quoin_status
add_index(index_list *list, const vec_declaration *declared, const base_alloc *mem,
          quoin_error *err)
{
  void *index = list->index;
  bool room = base_reserve(mem, &index, &list->cap, list->n + 1, sizeof(*list->index));
  list->index = index;
  if (!room) return base_fail_nomem(err);
  list->index[list->n++] = *declared;
  return QUOIN_OK;
}

/* What the n statements say of an index is not good: by the one at `at`, if that is one. */
static void
note_bad(load_hold *hold, const load_said *said, size_t n, size_t at)
{
  size_t i = at < n && said[at].held.line ? at : 0;
  while (i + 1 < n && !said[i].held.line)
    i++;
  hold->bad = said[i].held;
  hold->is_bad = true;
}

/* What the load says of predicates, with what the store says of them. */
static quoin_status
list_said(index_list *list, load_hold *hold, const quad_snapshot *snapshot, const vec_terms *terms,
          quoin_error *err)
{
  const size_t n = hold->n_said;
  quoin_status st = QUOIN_OK;
  if (!n) return QUOIN_OK;
  quad *said = base_new(hold->mem, n, sizeof(*said));
  if (!said) return base_fail_nomem(err);
  qsort(hold->said, n, sizeof(*hold->said), compare_said);
  for (size_t i = 0; i < n; i++)
    said[i] = hold->said[i].held.quad;
  for (size_t i = 0, end, at; !st && i < n; i = end) {
    vec_declaration declared;
    bool found;
    for (end = i + 1; end < n; end++)
      if (!atom_id_equal(said[end].term[QUAD_S], said[i].term[QUAD_S])) break;
    st = vec_declaration_with(&declared, &found, &at, snapshot, terms, said[i].term[QUAD_S],
                              said + i, end - i, hold->mem, err);
    if (!st && found) st = add_index(list, &declared, hold->mem, err);
    if (st == QUOIN_ERR_CONSTRAINT) note_bad(hold, hold->said + i, end - i, at);
  }
  base_release(hold->mem, said, n, sizeof(*said));
  return st;
}

/* What was declared since the load began, by others. */
static quoin_status
list_stored(index_list *list, const load_hold *hold, const quad_snapshot *snapshot,
            const vec_terms *terms, quoin_error *err)
{
  const vec_terms stored = vec_store_terms(snapshot);
  atom_id *predicates = NULL;
  size_t n = 0, said = list->n;
  base_arena arena;
  quoin_status st = vec_declaration_list(&predicates, &n, snapshot, &stored, hold->mem, err);
  base_arena_init(&arena, hold->mem);
  for (size_t i = 0; !st && i < n; i++) {
    vec_declaration declared;
    rdf_term name;
    atom_id id;
    bool found;
    base_arena_reset(&arena);
    if ((st = stored.read(&name, stored.user, predicates[i], &arena, err))) break;
    if ((st = terms->find(&id, terms->user, &name, err))) break;
    if (said && bsearch(&id, list->index, said, sizeof(*list->index), compare_predicate)) continue;
    st = vec_declaration_find(&declared, &found, snapshot, &stored, predicates[i], hold->mem, err);
    declared.predicate = id;
    if (!st && found) st = add_index(list, &declared, hold->mem, err);
  }
  base_arena_clear(&arena);
  base_release(hold->mem, predicates, n, sizeof(*predicates));
  if (list->n) qsort(list->index, list->n, sizeof(*list->index), compare_declared);
  return st;
}

typedef struct release {
  const quad_snapshot *snapshot;
  const vec_terms *terms;
  const load_hold_sink *sink;
  index_list indexes;
  base_arena arena;
  quad *batch;
  size_t n; /* of the batch */
} release;

/* Refuse the vector: it does not fit. */
static quoin_status
refuse(release *r, const load_held *held, const vec_declaration *index, const char *why,
       quoin_error *err)
{
  rdf_term predicate, subject;
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st =
      r->terms->read(&predicate, r->terms->user, held->quad.term[QUAD_P], &r->arena, err);
  if (!st) st = r->terms->read(&subject, r->terms->user, held->quad.term[QUAD_S], &r->arena, err);
  if (st) return st;
  if (subject.kind == RDF_BLANK) subject.value.len = 0; /* its label was that of the file */
  (void)!vec_fail_misfit(index, predicate.value, &subject, why, &error);
  return r->sink->refuse(r->sink->user, held, &error, err);
}

static quoin_status
flush(release *r, base_cancel *cancel, quoin_error *err)
{
  quoin_status st = cancel ? base_cancel_check(cancel, err) : QUOIN_OK;
  if (!st && r->n) st = r->sink->add(r->sink->user, r->batch, r->n, err);
  r->n = 0;
  return st;
}

static quoin_status
release_one(release *r, const load_held *held, base_cancel *cancel, quoin_error *err)
{
  const index_list *list = &r->indexes;
  const char *why = NULL;
  quoin_status st = QUOIN_OK;
  const vec_declaration *index = list->n ? bsearch(&held->quad.term[QUAD_P], list->index, list->n,
                                                   sizeof(*list->index), compare_predicate)
                                         : NULL;
  base_arena_reset(&r->arena);
  if (index)
    st = vec_misfit_id(&why, index, r->snapshot, r->terms, held->quad.term[QUAD_O], &r->arena, err);
  if (st) return st;
  if (why) return refuse(r, held, index, why, err);
  r->batch[r->n++] = held->quad;
  return r->n == BATCH ? flush(r, cancel, err) : QUOIN_OK;
}

quoin_status
load_hold_release(load_hold *hold, const quad_snapshot *snapshot, const vec_terms *terms,
                  const load_hold_sink *sink, base_cancel *cancel, quoin_error *err)
{
  release r = {.snapshot = snapshot, .terms = terms, .sink = sink};
  if (!hold->n && !hold->n_said) return QUOIN_OK;
  base_arena_init(&r.arena, hold->mem);
  quoin_status st = QUOIN_OK;
  if (!(r.batch = base_new(hold->mem, BATCH, sizeof(*r.batch)))) st = base_fail_nomem(err);
  if (!st) st = list_said(&r.indexes, hold, snapshot, terms, err);
  if (!st) st = list_stored(&r.indexes, hold, snapshot, terms, err);
  for (; !st && hold->first; drop_first(hold)) {
    const base_buffer *text = &hold->first->text;
    const uint8_t *at = (const uint8_t *)text->data, *end = at + text->len;
    load_held held = {0};
    while (!st && at < end) {
      next_held(&held, &at, end);
      st = release_one(&r, &held, cancel, err);
    }
  }
  if (!st) st = flush(&r, cancel, err);
  base_release(hold->mem, r.indexes.index, r.indexes.cap, sizeof(*r.indexes.index));
  base_release(hold->mem, r.batch, BATCH, sizeof(*r.batch));
  base_arena_clear(&r.arena);
  return st;
}
