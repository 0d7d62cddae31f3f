/* vector/least.c - the subjects that a search by the graph found, each at its nearest vector.
 *
 * A walk may come to one vector of a subject and miss a nearer one of its others; and of several
 * walks, near to one vector each, the one that would find it nearest may miss it. So all vectors of
 * the subjects that were found are looked up, unless there was one walk and it is known that no
 * subject has several. That costs some microseconds, and as much again goes into finding out: each
 * search that looks up reads on in the predicate's quads, by subject, from where the last one
 * stopped. What was seen holds for later versions until a quad is added that gives a subject a
 * second vector: while searches read, the writer looks up what it adds. */
#include "vector/search.h"

#include "base/poison.h"

enum {
  ROWS_AT_ONCE = 1024, /* read in the time of some ten lookups */
  KEPT_MOST = 4096,    /* quads of a commit that are looked up; of more, searches read anew */
  CALM =
      64 /* searches since a quad was added: while some are, reading would begin anew each time */
};

/* ---- does any subject have several? -----------------------------------------------------------
 */

/* Does what was seen of version `of` hold for the snapshot? */
static bool
still_holds(const vec_index *index, const quad_snapshot *snapshot, uint64_t of)
{
  uint64_t version = quad_snapshot_version(snapshot);
  if (index->read_only) return version == of; /* it is not told what the log brought */
  /* after the snapshot was taken, so it sees what was stored before that was published */
  return version >= of && atomic_load(&index->changed) <= of;
}

static bool
have_one_each(const vec_index *index, const searcher *s)
{
  const vec_census *census = &index->census[s->request->graphs->scope];
  uint64_t seen = atomic_load_explicit(&census->all, memory_order_acquire);
  /* a transaction has quads of its own */
  return seen && quad_snapshot_participant(s->snapshot) &&
         still_holds(index, s->snapshot, seen - 1);
}

/* From *subject on; *subject is left at the first that has several, or at where reading stopped. */
static quoin_status
read_on(bool *end, atom_id *subject, quad_scan *scan, quoin_error *err)
{
  atom_id vector = ATOM_NONE_ID, from = *subject;
  quad_batch rows;
  quoin_status st = QUOIN_OK;
  for (size_t seen = 0; seen < ROWS_AT_ONCE || atom_id_equal(*subject, from); seen += rows.rows) {
    if ((st = quad_scan_next(&rows, scan, err))) break;
    for (size_t i = 0; i < rows.rows; i++) {
      const atom_id s = rows.column[QUAD_S][i], v = rows.column[QUAD_O][i];
      if (atom_id_equal(s, *subject) && vector.bits && !atom_id_equal(v, vector)) return QUOIN_OK;
      *subject = s;
      vector = v;
    }
  }
  *end = st == QUOIN_DONE;
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* Some of it, if no other search is at it. */
static quoin_status
count_on(vec_index *index, const searcher *s, quoin_error *err)
{
  vec_census *census = &index->census[s->request->graphs->scope];
  uint64_t version = quad_snapshot_version(s->snapshot);
  quad_scan *scan = NULL;
  bool end = false;
  if (!(quad_snapshot_orders(s->snapshot) >> QUAD_PSO & 1) ||
      !quad_snapshot_participant(s->snapshot))
    return QUOIN_OK;
  if (!atomic_load_explicit(&index->counting, memory_order_relaxed))
    atomic_store_explicit(&index->counting, true, memory_order_relaxed);
  if (!index->read_only && atomic_load(&index->changed) > version) return QUOIN_OK;
  /* Pairs with the release below. */
  if (atomic_exchange_explicit(&census->busy, true, memory_order_acquire)) return QUOIN_OK;
  if (!still_holds(index, s->snapshot, census->version)) {
    census->next = ATOM_NONE_ID;
    census->calm = 0;
  }
  census->version = version;
  if (census->calm < CALM) {
    census->calm++;
    atomic_store_explicit(&census->busy, false, memory_order_release);
    return QUOIN_OK;
  }
  const atom_id key[4] = {index->declared.predicate, census->next};
  const quad_pattern all = {.scope = s->request->graphs->scope, .match.term[QUAD_P] = key[0]};
  quoin_status st =
      quad_scan_open(&scan, s->snapshot, &all, QUAD_PSO, 1u << QUAD_S | 1u << QUAD_O, err);
  if (!st && census->next.bits) st = quad_scan_seek(scan, key, err);
  if (!st) st = read_on(&end, &census->next, scan, err);
  quad_scan_close(scan);
  if (!st && end) atomic_store_explicit(&census->all, version + 1, memory_order_release);
  atomic_store_explicit(&census->busy, false, memory_order_release);
  return st;
}

/* ---- the writer's part -------------------------------------------------------------------------
 */

/* Has the scan, of one subject, no two different vectors? */
static bool
has_one(quad_scan *scan)
{
  atom_id vector = ATOM_NONE_ID;
  quad_batch rows;
  quoin_status st;
  while (!(st = quad_scan_next(&rows, scan, NULL)))
    for (size_t i = 0; i < rows.rows; i++) {
      if (vector.bits && !atom_id_equal(rows.column[QUAD_O][i], vector)) return false;
      vector = rows.column[QUAD_O][i];
    }
  return st == QUOIN_DONE;
}

bool
vec_least_keeps(const vec_index *index, const quad_snapshot *next, const quad_delta *delta)
{
  const atom_id predicate = index->declared.predicate;
  quad_pattern pattern = {.scope = QUAD_ANY, .match.term[QUAD_P] = predicate};
  const uint32_t orders = quad_snapshot_orders(next);
  const unsigned columns = 1u << QUAD_S | 1u << QUAD_O;
  quad_scan *scan = NULL;
  bool kept = true;
  if (!atomic_load_explicit(&index->counting, memory_order_relaxed) || delta->n_added > KEPT_MOST ||
      !(orders >> QUAD_PSO & 1))
    return false;
  for (size_t i = 0; kept && i < delta->n_added; i++) {
    const quad *q = &delta->added[i];
    if (!atom_id_equal(q->term[QUAD_P], predicate)) continue;
    pattern.match.term[QUAD_S] = q->term[QUAD_S];
    kept = !(scan ? quad_scan_rebind(scan, &pattern, NULL)
                  : quad_scan_open(&scan, next, &pattern, QUAD_PSO, columns, NULL)) &&
           has_one(scan);
  }
  quad_scan_close(scan);
  return kept;
}

/* ---- the vectors of those found ---------------------------------------------------------------
 */

static quoin_status
offer(searcher *s, atom_id subject, atom_id vector, quoin_error *err)
{
  double distance;
  quoin_status st = vec_distance_of(&distance, s, vector, err);
  return st ? st : vec_top_add(&s->top, subject, distance, err);
}

/* Unless it is the only one, whose distance is known: where all that is asked for was looked for at
 * once. */
static quoin_status
take_vectors(searcher *s, quad_scan *scan, atom_id subject, quoin_error *err)
{
  const vec_graphs *graphs = s->request->graphs;
  atom_id last = ATOM_NONE_ID;
  bool several = s->request->n_near > 1;
  quad_batch rows;
  quoin_status st;
  while (!(st = quad_scan_next(&rows, scan, err)))
    for (size_t i = 0; i < rows.rows; i++) {
      const atom_id vector = rows.column[QUAD_O][i];
      if (vec_graphs_merge(graphs) && !vec_graphs_have(graphs, rows.column[QUAD_G][i])) continue;
      if (atom_id_equal(vector, last)) continue;
      if (last.bits && !several && (st = offer(s, subject, last, err))) return st;
      several |= last.bits != 0;
      if (several && (st = offer(s, subject, vector, err))) return st;
      last = vector;
    }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static quoin_status
look_up(searcher *s, const atom_id *subjects, size_t n, quoin_error *err)
{
  const vec_request *r = s->request;
  quad_pattern pattern = {.scope = r->graphs->scope, .match = vec_quads_of(r, subjects[0])};
  quad_scan *scan = NULL;
  quoin_status st = vec_quads_open(&scan, s->snapshot, r->graphs, &pattern.match, err);
  for (size_t i = 1; !st && i < n; i++) {
    pattern.match.term[QUAD_S] = subjects[i];
    quad_scan_ask(scan, &pattern);
  }
  for (size_t i = 0; !st && i < n; i++) {
    pattern.match.term[QUAD_S] = subjects[i];
    if (i) st = quad_scan_rebind(scan, &pattern, err);
    if (!st) st = take_vectors(s, scan, subjects[i], err);
  }
  quad_scan_close(scan);
  return st;
}

quoin_status
vec_least(searcher *s, const vec_plan *plan, quoin_error *err)
{
  vec_index *index = plan->index;
  if (!s->top.n || (s->request->n_near == 1 && have_one_each(index, s))) return QUOIN_OK;
  vec_top_trim(&s->top);
  size_t n = s->top.n;
  atom_id *subjects = base_new(s->top.mem, n, sizeof(*subjects));
  if (!subjects) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++)
    subjects[i] = s->top.items[i].subject;
  quoin_status st = look_up(s, subjects, n, err);
  base_release(s->top.mem, subjects, n, sizeof(*subjects));
  return st ? st : count_on(index, s, err);
}
