/* tests/crash/world.c - see world.h. */
#include "crash/world.h"

#include "crash/vectors.h"

#include "quadstore/store.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- workloads --------------------------------------------------------------------------------
 */

#define OPEN                                                                                       \
  {                                                                                                \
    STEP_OPEN, 0, 0, 0, 0                                                                          \
  }
#define CLOSE                                                                                      \
  {                                                                                                \
    STEP_CLOSE, 0, 0, 0, 0                                                                         \
  }
#define CHECKPOINT                                                                                 \
  {                                                                                                \
    STEP_CHECKPOINT, 0, 0, 0, 0                                                                    \
  }

#define CLEAR                                                                                      \
  {                                                                                                \
    STEP_CLEAR, 0, 0, 0, 0                                                                         \
  }
#define COMPACT                                                                                    \
  {                                                                                                \
    STEP_COMPACT, 0, 0, 0, 0                                                                       \
  }

static const step load_steps[] = {OPEN, {STEP_LOAD, 0, 120, 0, 0}, CLOSE};
static const step reload_steps[] = {
    OPEN, {STEP_LOAD, 0, 80, 0, 0}, {STEP_LOAD, 60, 80, 0, 0}, CLOSE};
static const step commit_steps[] = {OPEN,
                                    {STEP_COMMIT, 0, 20, 0, 0},
                                    {STEP_COMMIT, 20, 1, 3, 1},
                                    {STEP_COMMIT, 21, 30, 5, 20},
                                    {STEP_COMMIT, 5, 10, 0, 0},
                                    {STEP_COMMIT, 0, 0, 21, 10},
                                    CLOSE};
static const step checkpoint_steps[] = {OPEN,
                                        {STEP_COMMIT, 0, 20, 0, 0},
                                        CHECKPOINT,
                                        {STEP_COMMIT, 20, 20, 2, 10},
                                        {STEP_COMMIT, 40, 10, 22, 5},
                                        CHECKPOINT,
                                        CLOSE,
                                        OPEN,
                                        {STEP_COMMIT, 2, 60, 41, 4},
                                        CLOSE};
static const step mixed_steps[] = {OPEN,
                                   {STEP_LOAD, 0, 60, 0, 0},
                                   {STEP_COMMIT, 60, 20, 10, 15},
                                   {STEP_LOAD, 5, 90, 0, 0},
                                   {STEP_COMMIT, 100, 10, 1, 10},
                                   CLOSE};
#define RUN(i) {STEP_COMMIT, (i)*10, 12, (i)*10 - 3, 2}, CHECKPOINT
static const step merge_steps[] = {OPEN,    {STEP_COMMIT, 0, 40, 0, 0},
                                   RUN(4),  RUN(5),
                                   RUN(6),  RUN(7),
                                   RUN(8),  RUN(9),
                                   RUN(10), RUN(11),
                                   RUN(12), RUN(13),
                                   CLOSE};
static const step flush_steps[] = {OPEN,
                                   {STEP_COMMIT, 0, 40, 0, 0},
                                   {STEP_COMMIT, 40, 40, 0, 10},
                                   {STEP_COMMIT, 80, 2, 50, 3},
                                   CLOSE};
/* Each commit is a flush; the sixth file begins a merge, and the removal leaves hardly anything. */
#define ROW(i)                                                                                     \
  {                                                                                                \
    STEP_COMMIT, (i)*8, 8, (i)*8 - 3, 2                                                            \
  }
static const step upkeep_steps[] = {
    OPEN,    {STEP_COMMIT, 0, 30, 0, 0},  ROW(4),  ROW(5), ROW(6), ROW(7), ROW(8), ROW(9), ROW(10),
    ROW(11), {STEP_COMMIT, 96, 8, 0, 90}, ROW(13), CLOSE};
static const step growth_steps[] = {OPEN,
                                    {STEP_COMMIT, 0, 500, 0, 0},
                                    {STEP_COMMIT, 500, 300, 0, 0},
                                    {STEP_COMMIT, 800, 5, 0, 0},
                                    {STEP_LOAD, 800, 1900, 0, 0},
                                    {STEP_COMMIT, 2700, 5, 0, 0},
                                    CLOSE};
/* The second opening finds a log. */
static const step recovery_steps[] = {OPEN,
                                      {STEP_LOAD, 0, 30, 0, 0},
                                      {STEP_COMMIT, 30, 20, 3, 10},
                                      {STEP_COMMIT, 50, 20, 41, 3},
                                      OPEN,
                                      {STEP_COMMIT, 70, 5, 51, 2},
                                      CLOSE};
static const step regrowth_steps[] = {
    OPEN, {STEP_COMMIT, 0, 400, 0, 0}, CHECKPOINT, {STEP_COMMIT, 400, 500, 0, 0},
    OPEN, {STEP_COMMIT, 900, 5, 0, 0}, CLOSE};
static const step big_growth_steps[] = {OPEN,
                                        {STEP_LOAD, 0, 7500, 0, 0},
                                        {STEP_COMMIT, 7500, 5, 0, 0},
                                        {STEP_LOAD, 7500, 4000, 0, 0},
                                        CLOSE};
static const step spill_steps[] = {OPEN,
                                   {STEP_COMMIT, 0, 10, 0, 0},
                                   {STEP_BULK, 10, 66000, 0, 0},
                                   {STEP_COMMIT, 66010, 3, 0, 0},
                                   CLOSE};

static const step clear_steps[] = {OPEN,
                                   {STEP_LOAD, 0, 40, 0, 0},
                                   {STEP_COMMIT, 40, 10, 5, 10},
                                   CLEAR,
                                   {STEP_COMMIT, 20, 40, 0, 0},
                                   CLEAR,
                                   {STEP_COMMIT, 30, 10, 0, 0},
                                   CLOSE};
static const step compact_steps[] = {OPEN,
                                     {STEP_LOAD, 0, 60, 0, 0},
                                     {STEP_COMMIT, 60, 20, 10, 30},
                                     COMPACT,
                                     {STEP_COMMIT, 20, 30, 61, 10},
                                     COMPACT,
                                     {STEP_COMMIT, 80, 5, 3, 3},
                                     CLOSE};

/* With room for 16 changes: the larger ones go to files, the last one with its terms. */
static const step large_steps[] = {OPEN,
                                   {STEP_COMMIT, 0, 10, 0, 0},
                                   {STEP_COMMIT, 10, 30, 3, 12},
                                   {STEP_COMMIT, 40, 5, 0, 0},
                                   {STEP_COMMIT, 0, 0, 12, 25},
                                   {STEP_COMMIT, 20, 60, 41, 3},
                                   CLOSE};
static const step large_wide_steps[] = {
    OPEN, {STEP_COMMIT, 0, 400, 0, 0}, {STEP_COMMIT, 400, 10, 3, 200}, CLOSE};
/* A graph that is saved, grows, loses nodes and gets some back; then one more of another opening.
 */
static const step vector_steps[] = {
    OPEN,       {STEP_COMMIT, 0, 30, 0, 0},  CHECKPOINT, {STEP_COMMIT, 30, 12, 5, 10},
    CHECKPOINT, {STEP_COMMIT, 5, 6, 20, 8},  CHECKPOINT, CLOSE,
    OPEN,       {STEP_COMMIT, 42, 4, 30, 8}, CLOSE};

#define STEPS(list) .steps = list, .n_steps = sizeof list / sizeof list[0]
const workload workloads[] = {
    {.name = "load", STEPS(load_steps)},
    {.name = "reload", STEPS(reload_steps)},
    {.name = "commit", STEPS(commit_steps)},
    {.name = "checkpoint", STEPS(checkpoint_steps)},
    {.name = "mixed", STEPS(mixed_steps)},
    {.name = "merge", STEPS(merge_steps)},
    {.name = "flush", STEPS(flush_steps), .memory_bytes = 3000},
    {.name = "promise_h2: flushes and merges", STEPS(upkeep_steps), .memory_bytes = 1500},
    {.name = "promise_m4: growth", STEPS(growth_steps), .wide = true},
    {.name = "clear", STEPS(clear_steps)},
    {.name = "promise_c4: a vector index", STEPS(vector_steps), .vectors = true},
    {.name = "compact", STEPS(compact_steps)},
    {.name = "recovery", STEPS(recovery_steps), .crash = 4},
    {.name = "promise_m4: recovery and growth", STEPS(regrowth_steps), .wide = true, .crash = 4},
    {.name = "commit, relaxed", STEPS(commit_steps), .durability = QUAD_SYNC_RELAXED},
    {.name = "checkpoint, off", STEPS(checkpoint_steps), .durability = QUAD_SYNC_OFF},
    {.name = "promise_m4: background growth", STEPS(big_growth_steps), .wide = true, .stride = 3},
    {.name = "spill", STEPS(spill_steps), .stride = 12},
    {.name = "promise_o4: large transactions", STEPS(large_steps), .txn_bytes = 1},
    {.name = "promise_o4: large transactions, wide",
     STEPS(large_wide_steps),
     .txn_bytes = 1,
     .wide = true,
     .stride = 5},
};
const unsigned n_workloads = sizeof workloads / sizeof workloads[0];

/* ---- quads ------------------------------------------------------------------------------------
 */

typedef struct quad_text {
  rdf_term term[4];
  char s[64], p[48], o[64], g[48], v[2][VECTOR_TEXT];
} quad_text;

static bool
is_blank(const workload *w, uint32_t i)
{
  return !w->wide && !w->vectors && i % 16 == 0;
}

static void
make_object(quad_text *q, uint32_t i)
{
  rdf_term *o = &q->term[2];
  o->kind = RDF_LITERAL;
  (void)snprintf(q->o, sizeof q->o, "a text that goes on up to %u", i);
  switch (i % 5) {
  case 1:
    o->lang = base_span("en-GB");
    break;
  case 2:
    (void)snprintf(q->o, sizeof q->o, "%u", i);
    o->datatype = base_span(RDF_XSD "integer");
    break;
  case 3:
    (void)snprintf(q->o, sizeof q->o, "http://example.org/object/%u", i);
    o->kind = RDF_IRI;
    break;
  case 4:
    (void)snprintf(q->o, sizeof q->o, "0%u", i);
    o->datatype = base_span(RDF_XSD "integer");
    break;
  default: /* every other one a vector, of one of two dimensions, in its canonical form */
    if (i % 2 == 0) break;
    (void)snprintf(q->o, sizeof q->o,
                   i % 4 == 1 ? "[%u,-0.5,1e-7]" : "[%u,1.5,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7]", i);
    o->datatype = base_span(RDF_VEC_F32);
    break;
  }
  o->value = base_span(q->o);
}

static void
make_quad(quad_text *q, const workload *w, uint32_t i)
{
  memset(q, 0, sizeof *q);
  if (w->vectors) {
    vectors_quad(q->term, q->v, i);
    return;
  }
  (void)snprintf(q->s, sizeof q->s, is_blank(w, i) ? "blank%u" : "http://example.org/subject/%u",
                 w->wide || is_blank(w, i) ? i : i / 3);
  (void)snprintf(q->p, sizeof q->p, "http://example.org/predicate#p%u", i % 7);
  (void)snprintf(q->g, sizeof q->g, "http://example.org/graph/%u", i % 2);
  q->term[0] = (rdf_term){.kind = is_blank(w, i) ? RDF_BLANK : RDF_IRI, .value = base_span(q->s)};
  q->term[1] = (rdf_term){.kind = RDF_IRI, .value = base_span(q->p)};
  make_object(q, i);
  if (i % 3 == 0) q->term[3] = (rdf_term){.kind = RDF_IRI, .value = base_span(q->g)};
}

/* Labels of blank nodes do not last. */
static uint64_t
hash_terms(const rdf_term term[4])
{
  uint64_t h = 0;
  for (unsigned k = 0; k < 4; k++) {
    const rdf_term *t = &term[k];
    h = base_hash_seed(&t->kind, sizeof t->kind, h);
    if (t->kind == RDF_BLANK || t->kind == RDF_NONE) continue;
    h = base_hash_seed(t->value.ptr, t->value.len, h);
    h = base_hash_seed(t->datatype.ptr, t->datatype.len, h);
    h = base_hash_seed(t->lang.ptr, t->lang.len, h);
  }
  return h;
}

/* One in 32 has an object that is not inline: the table of terms grows some times. */
static bool
bulk_object(rdf_term *out, char text[64], uint32_t i)
{
  if (i % 32) return false;
  int len = snprintf(text, 64, "http://example.org/bulk/%u", (unsigned)(i / 32));
  *out = (rdf_term){.kind = RDF_IRI, .value = {text, (size_t)len}};
  return true;
}

/* The object of one in 32 is left to be filled in. */
static quad
bulk_quad(uint32_t i)
{
  quad q = {{{0}, {0}, {0}, {0}}};
  q.term[0] = atom_inline_integer(i / 9);
  q.term[1] = atom_inline_integer(i % 9);
  q.term[2] = atom_inline_integer((int64_t)(base_mix(i) % 100000));
  if (i % 4 == 0) q.term[3] = atom_inline_integer(i % 5);
  return q;
}

static uint64_t
hash_bulk_quad(uint32_t i)
{
  quad q = bulk_quad(i);
  rdf_term t[4] = {{0}};
  base_arena arena;
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena_init(&arena, base_alloc_default());
  for (unsigned k = 0; k < 4; k++)
    if (q.term[k].bits && atom_inline_term(&t[k], q.term[k], &arena, &err)) abort();
  char text[64];
  (void)bulk_object(&t[2], text, i);
  uint64_t h = hash_terms(t);
  base_arena_clear(&arena);
  return h;
}

/* ---- the model --------------------------------------------------------------------------------
 */

static uint64_t
hash_of(const workload *w, const step *s, uint32_t i)
{
  quad_text q;
  if (s->kind == STEP_BULK) return hash_bulk_quad(i);
  make_quad(&q, w, i);
  return hash_terms(q.term);
}

/* The quads a removal takes away: not those of blank nodes, which have no name outside. */
static bool
removable(const workload *w, uint32_t i)
{
  return !is_blank(w, i);
}

enum { QUADS_MAX = 70000 };

/* One of the quads that are there. */
typedef struct present {
  uint64_t hash;
  uint32_t copies; /* a quad of a new blank node each time it is added */
  bool blank;
} present;

static content
expect(const workload *w, uint64_t steps)
{
  present *all = calloc(QUADS_MAX, sizeof *all);
  content c = {0, 0, 0};
  assert(all);
  for (unsigned s = 0; s < w->n_steps; s++) {
    const step *st = &w->steps[s];
    if (!(steps >> s & 1)) continue;
    if (st->kind == STEP_CLEAR) memset(all, 0, QUADS_MAX * sizeof *all);
    for (uint32_t i = st->remove; i < st->remove + st->n_remove; i++)
      if (removable(w, i)) all[i].copies = 0;
    for (uint32_t i = st->add; i < st->add + st->n_add; i++) {
      all[i].hash = hash_of(w, st, i);
      all[i].blank = st->kind != STEP_BULK && is_blank(w, i);
      all[i].copies = all[i].blank ? all[i].copies + 1 : 1;
    }
  }
  for (uint32_t i = 0; i < QUADS_MAX; i++) {
    c.quads += all[i].copies;
    c.hash += all[i].hash * all[i].copies;
    c.blanks += all[i].blank ? all[i].copies : 0;
  }
  free(all);
  return c;
}

content
world_expect(const workload *w, uint64_t steps)
{
  enum { KEPT = 1024 };
  static struct {
    const workload *w;
    uint64_t steps;
    content c;
  } kept[KEPT];
  size_t at = (base_mix(steps) ^ (uintptr_t)w) % KEPT;
  if (kept[at].w != w || kept[at].steps != steps) {
    kept[at].w = w;
    kept[at].steps = steps;
    kept[at].c = expect(w, steps);
  }
  return kept[at].c;
}

/* ---- running ----------------------------------------------------------------------------------
 */

static quoin_status
look(quad_txn *txn, quoin_error *err)
{
  quad_snapshot *own;
  quoin_status st = quad_txn_snapshot(&own, txn, err);
  if (!st) quad_snapshot_release(own);
  return st;
}

static quoin_status
run_commit(const workload *w, const step *s, quad_store *store, quoin_error *err)
{
  quad_txn *txn;
  quad_text q;
  quoin_status st = quad_txn_begin(&txn, store, err);
  if (st) return st;
  for (uint32_t i = s->remove; i < s->remove + s->n_remove && !st; i++) {
    if (!removable(w, i)) continue;
    make_quad(&q, w, i);
    st = quad_txn_remove(txn, (const rdf_term *)q.term, err);
  }
  if (!st && w->txn_bytes) st = look(txn, err);
  for (uint32_t i = s->add; i < s->add + s->n_add && !st; i++) {
    make_quad(&q, w, i);
    st = quad_txn_add(txn, (const rdf_term *)q.term, err);
  }
  if (!st && w->txn_bytes) st = look(txn, err);
  if (!st) return quad_txn_commit(NULL, NULL, txn, err);
  quad_txn_abort(txn);
  return st;
}

static quoin_status
run_load(const workload *w, const step *s, quad_store *store, const base_alloc *mem,
         quoin_error *err)
{
  base_buffer text;
  rdfio_source *source = NULL;
  load_result result;
  const load_options options = {.read = {.format = RDFIO_NQUADS, .threads = 1}};
  quad_text q;
  base_buffer_init(&text, base_alloc_default());
  for (uint32_t i = s->add; i < s->add + s->n_add; i++) {
    make_quad(&q, w, i);
    for (unsigned k = 0; k < 4 && q.term[k].kind; k++) {
      rdf_term_write(&text, &q.term[k]);
      base_buffer_byte(&text, ' ');
    }
    base_buffer_text(&text, ".\n");
  }
  quoin_span span = {text.data, text.len};
  quoin_status st = rdfio_source_memory(&source, span, "workload", mem, err);
  if (!st) st = load_sources(&result, store, &source, 1, &options, mem, err);
  rdfio_source_close(source);
  base_buffer_clear(&text);
  return st;
}

static quoin_status
run_bulk(const step *s, quad_store *store, quoin_error *err)
{
  quad_bulk *bulk;
  quoin_status st = quad_bulk_begin(&bulk, store, 1, 1, err);
  if (st) return st;
  for (uint32_t i = s->add; i < s->add + s->n_add && !st; i++) {
    quad q = bulk_quad(i);
    rdf_term object;
    char text[64];
    if (bulk_object(&object, text, i))
      st = atom_intern_batch(&q.term[2], quad_store_atoms(store), &object, 1, err);
    if (!st) st = quad_bulk_add(bulk, &q, 1, err);
  }
  if (!st) return quad_bulk_finish(NULL, bulk, NULL, err);
  quad_bulk_abort(bulk);
  return st;
}

static quoin_status
run_step(const workload *w, const step *s, quad_store **store, const char *path,
         const base_alloc *mem, quoin_error *err)
{
  const quad_store_options options = {.create = true,
                                      .durability = w->durability,
                                      .memory_bytes = w->memory_bytes,
                                      .txn_bytes = w->txn_bytes,
                                      .inline_maintenance = true};
  quad_store *closing = *store;
  quoin_status st;
  switch (s->kind) {
  case STEP_OPEN:
    st = quad_store_open(store, path, &options, mem, err);
    if (st || !w->vectors || !(st = vectors_attach(*store, mem, err))) return st;
    (void)quad_store_close(*store, NULL);
    *store = NULL;
    return st;
  case STEP_COMMIT:
    st = run_commit(w, s, *store, err);
    if (!st && w->vectors) vectors_settle(*store); /* so that the checkpoint has it */
    return st;
  case STEP_LOAD:
    return run_load(w, s, *store, mem, err);
  case STEP_BULK:
    return run_bulk(s, *store, err);
  case STEP_CHECKPOINT:
    return quad_checkpoint(*store, err);
  case STEP_CLEAR:
    return quad_store_clear(*store, err);
  case STEP_COMPACT:
    return quad_store_compact(*store, 0, NULL, err);
  case STEP_CLOSE:
    *store = NULL;
    return quad_store_close(closing, err);
  }
  return QUOIN_OK;
}

static bool
is_poisoned(quad_store *store)
{
  return store && quad_store_may_write(store, NULL) == QUOIN_ERR_POISONED;
}

/* A failure names what it was, and its status is one of those that the calls in it can give. */
static bool
is_clean(quoin_status st, const quoin_error *err)
{
  return err->status == st && err->message[0] &&
         (st == QUOIN_ERR_IO || st == QUOIN_ERR_NO_SPACE || st == QUOIN_ERR_NOMEM ||
          st == QUOIN_ERR_POISONED);
}

static void
note(unsigned what, unsigned i)
{
  fault_note((uint64_t)what << 32 | i);
}

void
world_run(outcome *out, const workload *w, unsigned from, unsigned to, const char *path,
          const base_alloc *mem)
{
  quad_store *store = NULL;
  *out = (outcome){.done = (UINT64_C(1) << from) - 1};
  for (unsigned i = from; i < to; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    const step *s = &w->steps[i];
    if (!store && s->kind != STEP_OPEN) continue;
    note(NOTE_BEGIN, i);
    quoin_status st = out->status[i] = run_step(w, s, &store, path, mem, &err);
    note(st ? NOTE_FAILED : NOTE_DONE, i);
    if (!st) {
      out->done |= UINT64_C(1) << i;
      continue;
    }
    (void)snprintf(out->message, sizeof out->message, "step %u: status %d: %s: %s", i, (int)st,
                   err.file, err.message);
    if (!is_clean(st, &err)) out->odd = true;
    if (is_poisoned(store) && st != QUOIN_ERR_POISONED) out->unknown |= UINT64_C(1) << i;
  }
  note(NOTE_END, to);
  if (store) (void)quad_store_close(store, NULL);
}

/* ---- beginnings -------------------------------------------------------------------------------
 */

struct beginning {
  fault_journal journal;
  disk *disk; /* NULL: no store */
};

beginning *
beginning_new(const workload *w, const char *path)
{
  beginning *b = calloc(1, sizeof *b);
  outcome out;
  assert(b);
  if (!w->crash) return b;
  fault_begin(path, &b->journal);
  world_run(&out, w, 0, w->crash, path, base_alloc_default());
  (void)fault_end(NULL);
  assert(out.done == (UINT64_C(1) << w->crash) - 1);
  b->disk = disk_new(&b->journal);
  for (size_t i = 0; i < b->journal.n; i++) {
    const fault_event *e = &b->journal.events[i];
    if (e->kind == FAULT_NOTE && e->at >> 32 == NOTE_END) break;
    disk_apply(b->disk, e);
  }
  (void)disk_choose(b->disk, DISK_NEW, 0);
  return b;
}

void
beginning_put(const beginning *b, const char *path)
{
  if (b->disk)
    disk_write(b->disk, path);
  else
    disk_remove(path);
}

void
beginning_free(beginning *b)
{
  if (b->disk) disk_free(b->disk);
  fault_journal_clear(&b->journal);
  free(b);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static int
compare_ids(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint64_t
distinct(uint64_t *ids, size_t n)
{
  uint64_t count = 0;
  if (n) qsort(ids, n, sizeof *ids, compare_ids);
  for (size_t i = 0; i < n; i++)
    count += i == 0 || ids[i] != ids[i - 1];
  return count;
}

static quoin_status
add_row(content *c, const quad_batch *b, size_t row, const atom_store *atoms, base_arena *arena,
        quoin_error *err)
{
  rdf_term t[4] = {{0}};
  for (unsigned k = 0; k < 4; k++) {
    atom_id id = b->column[k] ? b->column[k][row] : ATOM_NONE_ID;
    quoin_status st = id.bits ? atom_read(&t[k], atoms, id, arena, err) : QUOIN_OK;
    if (st) return st;
  }
  c->hash += hash_terms(t);
  c->quads++;
  base_arena_reset(arena);
  return QUOIN_OK;
}

static quoin_status
add_scope(content *c, base_buffer *blanks, const quad_snapshot *s, quad_scope scope,
          quad_order order, quoin_error *err)
{
  quad_pattern all = {.scope = scope};
  quad_scan *scan;
  quad_batch b;
  base_arena arena;
  uint64_t count, before = c->quads;
  quoin_status st = quad_scan_open(&scan, s, &all, order, 15, err);
  if (st) return st;
  base_arena_init(&arena, base_alloc_default());
  while (!st && !(st = quad_scan_next(&b, scan, err)))
    for (size_t i = 0; i < b.rows && !st; i++) {
      st = add_row(c, &b, i, quad_snapshot_atoms(s), &arena, err);
      if (atom_id_kind(b.column[QUAD_S][i]) == ATOM_BLANK)
        base_buffer_u64(blanks, b.column[QUAD_S][i].bits);
    }
  if (st == QUOIN_DONE) st = QUOIN_OK;
  base_arena_clear(&arena);
  quad_scan_close(scan);
  if (!st) st = quad_count(&count, s, &all, err);
  if (!st && count != c->quads - before) c->hash ^= 1; /* counted otherwise than listed */
  return st;
}

quoin_status
world_content(content *out, quad_store *store, quad_order order, quoin_error *err)
{
  quad_snapshot *s;
  base_buffer blanks;
  *out = (content){0, 0, 0};
  quoin_status st = quad_snapshot_acquire(&s, store, err);
  if (st) return st;
  base_buffer_init(&blanks, base_alloc_default());
  st = add_scope(out, &blanks, s, QUAD_DEFAULT, order >= QUAD_GSPO ? QUAD_SPO : order, err);
  if (!st) st = add_scope(out, &blanks, s, QUAD_NAMED, order, err);
  out->blanks = distinct((uint64_t *)(void *)blanks.data, blanks.len / 8);
  base_buffer_clear(&blanks);
  quad_snapshot_release(s);
  return st;
}

static bool
same(const content *a, const content *b)
{
  return a->quads == b->quads && a->hash == b->hash && a->blanks == b->blanks;
}

static bool
fail(verdict *out, const char *what, quoin_status st, const quoin_error *err)
{
  (void)snprintf(out->why, sizeof out->why, "%s: status %d: %s: %s", what, (int)st, err->file,
                 err->message);
  return false;
}

static bool
open_and_look(quad_store **store, content *c, verdict *out, const char *path)
{
  const base_alloc *mem = base_alloc_default();
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.create = true};
  quoin_status st = quad_store_open(store, path, &options, mem, &err);
  if (st) return fail(out, "opening", st, &err);
  if ((st = vectors_attach(*store, mem, &err)))
    fail(out, "attaching", st, &err);
  else if ((st = vectors_check(*store, &err)))
    fail(out, "vectors", st, &err);
  else if ((st = quad_store_check(*store, NULL, NULL, NULL, &err)))
    fail(out, "check", st, &err);
  else if ((st = world_content(c, *store, QUAD_SPO, &err)))
    fail(out, "reading", st, &err);
  if (st) (void)quad_store_close(*store, NULL);
  return !st;
}

/* A quad that no workload has: of a new blank node and new terms. */
static quoin_status
add_one_more(content *c, quad_store *store, quoin_error *err)
{
  quad_txn *txn;
  rdf_term t[4] = {{0}};
  t[0] = (rdf_term){.kind = RDF_BLANK, .value = base_span("more")};
  t[1] = (rdf_term){.kind = RDF_IRI, .value = base_span("http://example.com/more")};
  t[2] = (rdf_term){.kind = RDF_LITERAL, .value = base_span("one more")};
  c->hash += hash_terms(t);
  c->quads++;
  c->blanks++;
  quoin_status st = quad_txn_begin(&txn, store, err);
  if (st) return st;
  if (!(st = quad_txn_add(txn, (const rdf_term *)t, err)))
    return quad_txn_commit(NULL, NULL, txn, err);
  quad_txn_abort(txn);
  return st;
}

bool
world_verify(verdict *out, const char *path, const content *allowed, unsigned n_allowed)
{
  quad_store *store;
  content c, more;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st;
  if (!open_and_look(&store, &c, out, path)) return false;
  for (out->which = 0; out->which < n_allowed; out->which++)
    if (same(&c, &allowed[out->which])) break;
  if (out->which == n_allowed) {
    (void)snprintf(out->why, sizeof out->why,
                   "%llu quads, %llu blank nodes; allowed are %llu, %llu or %llu, %llu%s",
                   (unsigned long long)c.quads, (unsigned long long)c.blanks,
                   (unsigned long long)allowed[0].quads, (unsigned long long)allowed[0].blanks,
                   (unsigned long long)allowed[n_allowed - 1].quads,
                   (unsigned long long)allowed[n_allowed - 1].blanks,
                   c.quads == allowed[0].quads ? " (other quads)" : "");
    (void)quad_store_close(store, NULL);
    return false;
  }
  st = add_one_more(&c, store, &err);
  if (!st) st = world_content(&more, store, QUAD_POS, &err);
  if (st) fail(out, "going on", st, &err);
  quoin_status closed = quad_store_close(store, st ? NULL : &err);
  if (st) return false;
  if (closed) return fail(out, "closing", closed, &err);
  if (!same(&c, &more)) return fail(out, "going on gave other quads", QUOIN_OK, &err);
  if (!open_and_look(&store, &more, out, path)) return false;
  (void)quad_store_close(store, NULL);
  return same(&c, &more) || fail(out, "other quads after closing", QUOIN_OK, &err);
}

/* ---- around it --------------------------------------------------------------------------------
 */

void
scratch_make(scratch *s)
{
  const char *tmp = getenv("TMPDIR");
  if (!tmp) tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
  (void)snprintf(s->root, sizeof s->root, "%s/quoin-crash-XXXXXX", tmp);
  if (!mkdtemp(s->root)) abort();
  (void)snprintf(s->store, sizeof s->store, "%s/s", s->root);
}

void
scratch_remove(const scratch *s)
{
  disk_remove(s->store);
  (void)rmdir(s->root);
}

held
world_held(const char *path)
{
  held h = {0, 0};
  char line[1024];
  DIR *dir = opendir("/proc/self/fd");
  struct dirent *e;
  while (dir && (e = readdir(dir))) {
    char target[512];
    ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
    if (n < 0) continue;
    target[n] = '\0';
    h.fds += strstr(target, path) != NULL;
  }
  if (dir) closedir(dir);
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long long from = 0, to = 0;
    char rights[8];
    if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) != 3) continue;
    h.maps += strstr(line, path) != NULL;
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__)                           /* these have such of their own */
    h.maps += !strcmp(rights, "---p") && (to - from) >> 30; /* a reservation of addresses */
#endif
  }
  if (maps) fclose(maps);
  return h;
}

uint64_t
world_number(const char *name, uint64_t otherwise)
{
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : otherwise;
}
