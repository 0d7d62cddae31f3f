/* What the stores must hold: groups of quads that follow from a number and a version. */
#include "soak/soak.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXTS = 5, VARIANTS = 8, GRAPHS = 3 };
#define PREFIX "urn:soak:"

const char soak_index[] = "PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { GRAPH <urn:x-quoin:system> "
                          "{ <" SOAK_EMBEDDING "> a vec:Index ; vec:dimension 16 } }";

uint64_t
soak_mix(uint64_t x)
{
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

uint64_t
soak_draw(uint64_t *state)
{
  return soak_mix((*state)++);
}

void
soak_note(soak_model *m, soak_kind kind)
{
  atomic_fetch_add_explicit(&m->count[kind], 1, memory_order_relaxed);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void
count(void *live, size_t more, size_t less)
{
  if (live)
    atomic_fetch_add_explicit((_Atomic int64_t *)live, (int64_t)more - (int64_t)less,
                              memory_order_relaxed);
}

static void *
counted_new(void *live, size_t size)
{
  count(live, size, 0);
  return malloc(size);
}

static void *
counted_resize(void *live, void *at, size_t old, size_t size)
{
  count(live, size, old);
  return realloc(at, size);
}

static void
counted_release(void *live, void *at, size_t size)
{
  if (at) count(live, 0, size);
  free(at);
}

quoin_alloc
soak_alloc(const soak_run *run)
{
  return (quoin_alloc){counted_new, counted_resize, counted_release, (void *)(uintptr_t)run->live};
}

/* ---- saying what is wrong -------------------------------------------------------------------- */

void
soak_fail(soak_model *m, const char *format, ...)
{
  va_list list;
  char text[sizeof m->message];

  va_start(list, format);
  (void)vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (!atomic_exchange(&m->broken, true)) memcpy(m->message, text, sizeof text);
  (void)fprintf(stderr, "process %ld: %s\n", (long)getpid(), text);
  _exit(3);
}

void
soak_good(soak_model *m, quoin_status st, const quoin_error *err, const char *what)
{
  if (st)
    soak_fail(m, "%s: %s (%d): %s: %s", what, quoin_status_name(st), (int)st, err->file,
              err->message);
}

quoin_span
soak_span(const char *text)
{
  return (quoin_span){text, strlen(text)};
}

bool
soak_is_empty(uint32_t version)
{
  return version % 7 == 0;
}

void
soak_vector(float out[SOAK_DIM], uint32_t store, uint32_t group, uint32_t version)
{
  uint64_t random = soak_mix(((uint64_t)store << 32 | group) * VARIANTS + version % VARIANTS);
  for (unsigned i = 0; i < SOAK_DIM; i++)
    out[i] = (float)((int)(soak_draw(&random) % 2001) - 1000) / 1000.0f;
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct statement {
  quoin_statement s;
  char subject[64], object[96], graph[32];
} statement;

static void
begin_statement(statement *q, uint32_t group, unsigned member, const char *predicate)
{
  q->s = (quoin_statement){.subject.kind = QUOIN_TERM_IRI,
                           .predicate.kind = QUOIN_TERM_IRI,
                           .object.kind = QUOIN_TERM_LITERAL};
  (void)snprintf(q->subject, sizeof q->subject, PREFIX "%" PRIu32 "/%u", group, member);
  q->s.subject.value = soak_span(q->subject);
  q->s.predicate.value = soak_span(predicate);
}

static void
number_object(statement *q, uint64_t number)
{
  (void)snprintf(q->object, sizeof q->object, "%" PRIu64, number);
  q->s.object.value = soak_span(q->object);
  q->s.object.datatype = soak_span("http://www.w3.org/2001/XMLSchema#integer");
}

static void
text_object(statement *q, uint32_t group, unsigned member, unsigned text, uint32_t version)
{
  (void)snprintf(q->object, sizeof q->object, "%" PRIu32 " text %u of %u in %" PRIu32,
                 version % VARIANTS, text, member, group);
  q->s.object.value = soak_span(q->object);
  (void)snprintf(q->graph, sizeof q->graph, PREFIX "graph%u", text % GRAPHS);
  q->s.graph.kind = QUOIN_TERM_IRI;
  q->s.graph.value = soak_span(q->graph);
}

static quoin_status
put(quoin_txn *txn, const statement *q, bool remove, quoin_error *err)
{
  return remove ? quoin_txn_remove(txn, &q->s, err) : quoin_txn_add(txn, &q->s, err);
}

/* There is no call that removes a vector: as a literal of the same floats. */
static quoin_status
put_vector(quoin_txn *txn, uint32_t store, uint32_t group, uint32_t version, bool remove,
           quoin_error *err)
{
  float values[SOAK_DIM];
  char text[SOAK_DIM * 20];
  statement q;
  size_t len = 0;

  begin_statement(&q, group, 0, SOAK_EMBEDDING);
  soak_vector(values, store, group, version);
  if (!remove)
    return quoin_txn_add_vector(txn, &q.s.subject, q.s.predicate.value, NULL, values, SOAK_DIM,
                                err);
  for (unsigned i = 0; i < SOAK_DIM; i++)
    len +=
        (size_t)snprintf(text + len, sizeof text - len, "%s%.9g", i ? "," : "[", (double)values[i]);
  (void)snprintf(text + len, sizeof text - len, "]");
  q.s.object.value = soak_span(text);
  q.s.object.datatype = soak_span("urn:x-quoin:vec#f32");
  return put(txn, &q, true, err);
}

static unsigned
texts_of(uint32_t group, unsigned member)
{
  return (group + member) % (TEXTS + 1);
}

quoin_status
soak_apply(quoin_txn *txn, uint32_t store, uint32_t group, uint32_t version, bool remove,
           quoin_error *err)
{
  statement q;
  quoin_status st = QUOIN_OK;

  if (soak_is_empty(version)) return QUOIN_OK;
  for (unsigned m = 0; m < SOAK_MEMBERS && !st; m++) {
    begin_statement(&q, group, m, PREFIX "group");
    number_object(&q, group);
    if ((st = put(txn, &q, remove, err))) break;
    begin_statement(&q, group, m, PREFIX "version");
    number_object(&q, version);
    st = put(txn, &q, remove, err);
    for (unsigned i = 0; i < texts_of(group, m) && !st; i++) {
      begin_statement(&q, group, m, PREFIX "text");
      text_object(&q, group, m, i, version);
      st = put(txn, &q, remove, err);
    }
  }
  return st ? st : put_vector(txn, store, group, version, remove, err);
}

quoin_status
soak_found_store(quoin_store *store, uint32_t number, quoin_error *err)
{
  char text[200];
  quoin_status st = quoin_update(NULL, store, soak_span(soak_index), NULL, err);

  (void)snprintf(text, sizeof text,
                 "INSERT DATA { <" PREFIX "store> <" PREFIX "identity> %" PRIu32 " ; <" PREFIX
                 "counter> 0 }",
                 number);
  return st ? st : quoin_update(NULL, store, soak_span(text), NULL, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

uint32_t
soak_identity(soak_model *m, quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *c;
  int64_t number = -1;

  soak_good(m,
            quoin_query(&c, store,
                        soak_span("SELECT ?n { <urn:soak:store> <urn:soak:identity> ?n }"), NULL,
                        &err),
            &err, "asking which store it is");
  quoin_status st = quoin_cursor_next(c, &err);
  if (st != QUOIN_DONE) soak_good(m, st, &err, "asking which store it is");
  if (st || !quoin_cursor_integer(&number, c, 0) || number < 0 || number >= SOAK_STORES)
    soak_fail(m, "a store does not know which it is");
  quoin_cursor_close(c);
  return (uint32_t)number;
}

void
soak_view_begin(soak_view *v, const soak_model *m, uint32_t number)
{
  const soak_store *s = &m->store[number];

  for (unsigned g = 0; g < SOAK_GROUPS; g++) {
    v->low[g] = atomic_load(&s->acked[g]);
    v->seen[g] = UINT32_MAX;
  }
  v->counter_low = atomic_load(&s->counted);
  v->counter = 0;
}

void
soak_refreshed(soak_view *v, soak_model *m, quoin_store *store, uint32_t number)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_ERR_BUSY; /* changed too fast: again */
  while (st == QUOIN_ERR_BUSY) {
    soak_view_begin(v, m, number);
    st = quoin_store_refresh(NULL, store, &err);
  }
  soak_good(m, st, &err, "refresh");
  soak_note(m, SOAK_REFRESHES);
}

/* What has been seen of a group. */
typedef struct tally {
  uint32_t version, variant; /* of `version` and of texts; UINT32_MAX: none yet */
  unsigned groups, versions, texts, vectors, wrong;
  float first; /* of the vector */
} tally;

static bool
starts(quoin_span s, const char *with)
{
  return s.len >= strlen(with) && !memcmp(s.ptr, with, strlen(with));
}

static bool
is(quoin_span s, const char *text)
{
  return s.len == strlen(text) && starts(s, text);
}

static void
take_same(uint32_t *have, uint32_t now, unsigned *wrong)
{
  *wrong += *have != UINT32_MAX && *have != now;
  *have = now;
}

/* One quad, its texts terminated. */
static void
take(tally *all, soak_view *v, const quoin_statement *s, unsigned *foreign)
{
  char subject[64] = "", object[SOAK_TEXT] = "";
  uint32_t group;
  unsigned member;

  memcpy(subject, s->subject.value.ptr,
         s->subject.value.len < sizeof subject ? s->subject.value.len : 0);
  memcpy(object, s->object.value.ptr,
         s->object.value.len < sizeof object ? s->object.value.len : 0);
  if (is(s->predicate.value, PREFIX "counter")) v->counter = strtoull(object, NULL, 10);
  if (sscanf(subject, PREFIX "%" SCNu32 "/%u", &group, &member) != 2) return;
  if (group >= SOAK_GROUPS || member >= SOAK_MEMBERS) {
    ++*foreign;
    return;
  }
  tally *t = &all[group];
  if (is(s->predicate.value, PREFIX "group")) {
    t->groups++;
    t->wrong += strtoul(object, NULL, 10) != group;
  } else if (is(s->predicate.value, PREFIX "version")) {
    t->versions++;
    take_same(&t->version, (uint32_t)strtoul(object, NULL, 10), &t->wrong);
  } else if (is(s->predicate.value, PREFIX "text")) {
    t->texts++;
    take_same(&t->variant, (uint32_t)strtoul(object, NULL, 10), &t->wrong);
    t->wrong += !starts(s->graph.value, PREFIX "graph");
  } else if (is(s->predicate.value, SOAK_EMBEDDING)) {
    t->vectors++;
    t->first = strtof(object + 1, NULL);
  } else {
    ++*foreign;
  }
}

/* Is the group whole, and at a version between what was acknowledged and what has begun? */
static void
judge_group(soak_view *v, soak_model *m, uint32_t number, uint32_t g, const tally *t,
            const char *who)
{
  uint32_t high = atomic_load(&m->store[number].begun[g]), low = v->low[g];
  unsigned texts = 0;
  float vector[SOAK_DIM];

  for (unsigned i = 0; i < SOAK_MEMBERS; i++)
    texts += texts_of(g, i);
  if (!t->versions && !t->groups && !t->texts && !t->vectors) {
    for (uint32_t i = low; i <= high; i++)
      if (soak_is_empty(i)) return;
    soak_fail(m, "%s: store %u: group %u is gone: %u was acknowledged, %u has begun", who, number,
              g, low, high);
  }
  v->seen[g] = t->version;
  soak_vector(vector, number, g, t->version);
  if (t->wrong || t->groups != SOAK_MEMBERS || t->versions != SOAK_MEMBERS || t->texts != texts ||
      (texts && t->variant != t->version % VARIANTS) || t->vectors != 1 ||
      fabsf(t->first - vector[0]) > 1e-6f)
    soak_fail(m,
              "%s: store %u: group %u is not whole: version %u, %u groups, %u versions, %u of %u "
              "texts of variant %u, %u vectors (%g, not %g), %u wrong; %u to %u",
              who, number, g, t->version, t->groups, t->versions, t->texts, texts, t->variant,
              t->vectors, (double)t->first, (double)vector[0], t->wrong, low, high);
  if (t->version < low || t->version > high || soak_is_empty(t->version))
    soak_fail(m, "%s: store %u: group %u has version %u: %u was acknowledged, %u has begun", who,
              number, g, t->version, low, high);
}

void
soak_view_look(soak_view *v, soak_model *m, quoin_store *store, uint32_t number, const char *who)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quoin_statement *s;
  quoin_matches *matches;
  quoin_status st;
  unsigned foreign = 0;
  tally *all = calloc(SOAK_GROUPS, sizeof *all);

  if (!all) soak_fail(m, "no memory");
  for (unsigned g = 0; g < SOAK_GROUPS; g++)
    all[g].version = all[g].variant = UINT32_MAX;
  soak_good(m, quoin_match(&matches, store, NULL, QUOIN_ANY_GRAPH, &err), &err, who);
  while (!(st = quoin_matches_next(&s, matches, &err)))
    take(all, v, s, &foreign);
  if (st != QUOIN_DONE) soak_good(m, st, &err, who);
  quoin_matches_close(matches);
  for (uint32_t g = 0; g < SOAK_GROUPS; g++)
    judge_group(v, m, number, g, &all[g], who);
  free(all);
  uint64_t most = atomic_load(&m->store[number].counting);
  if (foreign) soak_fail(m, "%s: store %u: %u quads that nobody wrote", who, number, foreign);
  if (v->counter < v->counter_low || v->counter > most)
    soak_fail(m, "%s: store %u: its counter is %" PRIu64 ", not %" PRIu64 " to %" PRIu64, who,
              number, v->counter, v->counter_low, most);
  soak_note(m, SOAK_SCANS);
}
