/* vector/index.c - the indexes of an open store. */
#include "vector/index.h"

#include <stdio.h>
#include <string.h>

#include "base/poison.h"

enum { UNLINKED = 100000, PACE_NS = 200 * 1000 /* of a vector, before any is linked */ };

/* ---- for searches -----------------------------------------------------------------------------
 */

static const float *
row_floats(void *user, uint32_t row)
{
  const vec_index *index = user;
  const float *values;
  uint32_t dimension;
  if (atom_vector(&values, &dimension, index->atoms, atom_id_make(ATOM_VECTOR, row), NULL) ||
      dimension != index->declared.dimension)
    return NULL;
  return values;
}

static void
row_find(void *user, uint32_t row)
{
  const vec_index *index = user;
  atom_vector_find(index->atoms, atom_id_make(ATOM_VECTOR, row));
}

static void
row_ask(void *user, uint32_t row)
{
  const vec_index *index = user;
  atom_vector_ask(index->atoms, atom_id_make(ATOM_VECTOR, row));
}

bool
vec_index_is_of(const vec_index *index, const quad_snapshot *snapshot)
{
  const atom_store *atoms = quad_snapshot_atoms(snapshot);
  /* Both: a reading process opens the same atoms anew for each manifest, and lets go of the ones
   * before; and an address may be used again for others. */
  return index->atoms == atoms && index->generation == atom_store_generation(atoms);
}

bool
vec_index_is_recent(const vec_index *index, const quad_snapshot *snapshot)
{
  return quad_snapshot_version(snapshot) >= atomic_load(&index->horizon);
}

void
vec_index_forgets(vec_index *index, uint64_t version)
{
  if (atomic_load(&index->horizon) < version) atomic_store(&index->horizon, version);
}

bool
vec_index_has_all(const vec_index *index, const quad_snapshot *snapshot)
{
  uint64_t loading = atomic_load(&index->loading);
  if (index->read_only && quad_snapshot_version(snapshot) > atomic_load(&index->completed))
    return false;
  return (!loading || quad_snapshot_version(snapshot) < loading) && !atomic_load(&index->unsure) &&
         atomic_load(&index->verified) == atomic_load(&index->verify_wanted) &&
         vec_index_is_recent(index, snapshot);
}

hnsw_vectors
vec_index_vectors(const vec_index *index)
{
  return (hnsw_vectors){
      .at = row_floats, .find = row_find, .ask = row_ask, .user = (void *)(uintptr_t)index};
}

/* The index whose graph serves a search over the snapshot, unless it is broken; NULL: there is
 * none. */
static vec_index *
index_for(vec_indexes *ix, const quad_snapshot *snapshot, const vec_declaration *declared)
{
  /* Pairs with the exchange in set_swap(). */
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  for (size_t i = 0; set && i < set->n; i++) {
    vec_index *index = set->index[i];
    if (!atom_id_equal(index->declared.predicate, declared->predicate)) continue;
    bool fits = vec_index_is_of(index, snapshot) &&
                index->declared.dimension == declared->dimension &&
                index->declared.metric == declared->metric;
    return fits ? index : NULL;
  }
  return NULL;
}

vec_index *
vec_index_enter(uint64_t *entered, const quad_snapshot *snapshot, const vec_declaration *declared)
{
  const quad_snapshot *begun = quad_snapshot_begun(snapshot);
  vec_indexes *ix = quad_snapshot_participant(begun);
  vec_own *own;
  if (!ix || (begun != snapshot && !vec_own_of(&own, snapshot, declared))) return NULL;
  *entered = vec_epoch_enter(&ix->users);
  vec_index *index = index_for(ix, snapshot, declared);
  if (index && !atomic_load(&index->broken)) return index;
  vec_epoch_leave(&ix->users, *entered);
  return NULL;
}

void
vec_index_leave(const quad_snapshot *snapshot, uint64_t entered)
{
  vec_indexes *ix = quad_snapshot_participant(quad_snapshot_begun(snapshot));
  vec_epoch_leave(&ix->users, entered);
}

bool
vec_index_is_damaged(const quad_snapshot *snapshot, const vec_declaration *declared)
{
  vec_indexes *ix = quad_snapshot_participant(snapshot);
  if (!ix) return false;
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index *index = index_for(ix, snapshot, declared);
  bool damaged = index && (atomic_load(&index->replaces) ||
                           (atomic_load(&index->broken) && vec_is_damage(&index->damage)));
  vec_epoch_leave(&ix->users, entered);
  return damaged;
}

bool
vec_index_is_missing(const quad_snapshot *snapshot, const vec_declaration *declared)
{
  vec_indexes *ix = quad_snapshot_participant(snapshot);
  if (!ix) return false;
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index *index = index_for(ix, snapshot, declared);
  bool missing = index && atomic_load(&index->broken) && !vec_is_damage(&index->damage);
  vec_epoch_leave(&ix->users, entered);
  return missing;
}

const base_alloc *
vec_index_alloc(const quad_snapshot *snapshot)
{
  const vec_indexes *ix = quad_snapshot_participant(snapshot);
  return ix ? ix->mem : base_alloc_default();
}

quoin_status
vec_index_searcher(hnsw_searcher **out, vec_index *index, quoin_error *err)
{
  for (unsigned i = 0; i < VEC_SEARCHERS; i++)
    if ((*out = atomic_exchange(&index->idle[i], NULL))) return QUOIN_OK;
  return hnsw_searcher_new(out, index->graph, err);
}

void
vec_index_searcher_done(vec_index *index, hnsw_searcher *searcher)
{
  for (unsigned i = 0; i < VEC_SEARCHERS && searcher; i++) {
    hnsw_searcher *none = NULL;
    if (atomic_compare_exchange_strong(&index->idle[i], &none, searcher)) return;
  }
  hnsw_searcher_free(searcher);
}

quoin_status
vec_range_open(quad_scan **out, const quad_snapshot *snapshot, const vec_graphs *graphs,
               atom_id predicate, atom_kind kind, uint64_t low, uint64_t high, quoin_error *err)
{
  quad match = {.term = {[QUAD_P] = predicate}};
  if (graphs->scope == QUAD_NAMED) match.term[QUAD_G] = graphs->graph;
  quoin_status st = vec_quads_open(out, snapshot, graphs, &match, err);
  if (st) return st;
  return quad_scan_range(*out, atom_id_make(kind, low), atom_id_make(kind, high), err);
}

/* ---- graphs that cannot be read ---------------------------------------------------------------
 */

bool
vec_is_damage(const quoin_error *why)
{
  uint64_t id, generation;
  const char *slash = strrchr(why->file, '/');
  return (why->status == QUOIN_ERR_CORRUPT || why->status == QUOIN_ERR_VERSION ||
          why->status == QUOIN_ERR_NOT_FOUND) &&
         hnsw_file_is_mine(slash ? slash + 1 : why->file, &id, &generation);
}

void
vec_say_damage(const vec_indexes *ix, const quoin_error *why)
{
  char place[32] = "";
  bool again = vec_is_damage(why) && !ix->read_only; /* else what is wrong is not the graph */
  if (why->offset != UINT64_MAX)
    (void)snprintf(place, sizeof(place), " byte %llu:", (unsigned long long)why->offset);
  quad_store_say(ix->store, "warning: %s%s%s %s: searches are exact%s", why->file,
                 why->file[0] ? ":" : "vector graph:", place, why->message,
                 again ? " until the graph is made again" : "");
}

void
vec_index_give_up(vec_indexes *ix, vec_index *index, const quoin_error *why)
{
  base_mutex_lock(&ix->signal);
  bool first = !atomic_load(&index->broken);
  if (first) {
    index->damage = *why;
    atomic_store(&index->broken, true);
    ix->due = true;
    base_cond_signal(&ix->work);
  }
  base_mutex_unlock(&ix->signal);
  if (first) vec_say_damage(ix, why);
}

quoin_status
vec_index_damage(vec_indexes *ix, const vec_index *index, quoin_error *err)
{
  base_mutex_lock(&ix->signal);
  const quoin_error damage = index->damage; /* may be of two, one after the other */
  base_mutex_unlock(&ix->signal);
  return vec_fail_as(&damage, err);
}

bool
vec_index_lost(vec_index *index, const quad_snapshot *snapshot, const quoin_error *why)
{
  if (!vec_is_damage(why)) return false;
  vec_index_give_up(quad_snapshot_participant(quad_snapshot_begun(snapshot)), index, why);
  return true;
}

quoin_status
vec_fail_as(const quoin_error *why, quoin_error *err)
{
  if (err) *err = *why;
  return why->status;
}

/* ---- looking at them --------------------------------------------------------------------------
 */

static bool
is_settled(vec_indexes *ix, const quad_snapshot *snapshot)
{
  bool settled = true;
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  for (size_t i = 0; settled && set && i < set->n; i++) {
    const vec_index *index = set->index[i];
    if (!vec_index_is_of(index, snapshot)) continue;
    if (atomic_load(&index->broken)) { /* it is replaced, or searched without its graph */
      settled = !vec_is_damage(&index->damage);
      continue;
    }
    settled = atomic_load_explicit(&index->mark, memory_order_acquire) >=
                  quad_snapshot_atom_mark(snapshot) &&
              atomic_load(&index->late.done) >= atomic_load(&index->late.count) &&
              atomic_load(&index->tidied) >= quad_snapshot_version(snapshot) &&
              atomic_load(&index->verified) == atomic_load(&index->verify_wanted);
  }
  vec_epoch_leave(&ix->users, entered);
  return settled;
}

quoin_status
vec_settle(const quad_snapshot *snapshot, base_cancel *cancel, quoin_error *err)
{
  enum { SLICE_NS = 20000000 };
  vec_indexes *ix = quad_snapshot_participant(snapshot);
  quoin_status st = QUOIN_OK;
  if (!ix || !ix->started || !(quad_snapshot_orders(snapshot) >> QUAD_POS & 1)) return QUOIN_OK;
  if (is_settled(ix, snapshot)) return QUOIN_OK;
  atomic_store(&ix->burst.until, 0); /* somebody waits for the graph */
  atomic_fetch_add(&ix->settling, 1);
  while (!st && !is_settled(ix, snapshot)) {
    base_mutex_lock(&ix->signal);
    /* What went may wait until it is more; and a commit that fails leaves what it noted as late,
     * and tells nobody: so each time. */
    ix->due = true;
    base_cond_signal(&ix->work);
    (void)base_cond_wait_until(&ix->rested, &ix->signal, base_clock_ns() + SLICE_NS);
    base_mutex_unlock(&ix->signal);
    if (!cancel) continue;
    cancel->calls = 0; /* look at the clock each time */
    st = base_cancel_check(cancel, err);
  }
  atomic_fetch_sub(&ix->settling, 1);
  return st;
}

void
vec_index_stats(vec_stats *out, const quad_snapshot *snapshot, const vec_declaration *declared)
{
  hnsw_stats stats;
  uint64_t entered;
  vec_index *index = vec_index_enter(&entered, snapshot, declared);
  *out = (vec_stats){0};
  if (!index) return;
  /* First the nodes: what is linked meanwhile is not counted twice. */
  hnsw_stats_quick(&stats, index->graph);
  *out = (vec_stats){.nodes = stats.live,
                     .waiting = vec_index_waiting(index),
                     .leaving = atomic_load(&index->leaving),
                     .bytes = stats.memory_bytes};
  vec_index_leave(snapshot, entered);
}

static quoin_status
check_graph(vec_check_report *out, vec_indexes *ix, vec_index *index, bool repair,
            base_cancel *cancel, quoin_error *why)
{
  hnsw_check_report report = {0};
  if (atomic_load(&index->broken) || (ix->read_only && atomic_load(&index->replaces)))
    return vec_index_damage(ix, index, why);
  base_mutex_lock(&ix->graphs);
  quoin_status st = hnsw_check(&report, index->graph, repair, cancel, why);
  if (report.repaired || (repair && st)) index->unsaved = true; /* that began, too */
  base_mutex_unlock(&ix->graphs);
  *out = (vec_check_report){.nodes = report.nodes,
                            .links = report.links,
                            .unreachable = report.unreachable,
                            .repaired = report.repaired,
                            .made_again = index->made_again};
  if (st && vec_is_damage(why)) vec_index_give_up(ix, index, why);
  return st;
}

quoin_status
vec_index_check(vec_check_report *out, const quad_snapshot *snapshot,
                const vec_declaration *declared, bool repair, base_cancel *cancel, quoin_error *err)
{
  enum { TRIES = 3 }; /* a disk that damages what was just written */
  vec_indexes *ix = quad_snapshot_participant(snapshot);
  quoin_error why = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;
  *out = (vec_check_report){0};
  for (unsigned i = 0; ix && i < TRIES; i++) {
    base_error_clear(&why); /* of the round before */
    uint64_t entered = vec_epoch_enter(&ix->users);
    vec_index *index = index_for(ix, snapshot, declared);
    st = index ? check_graph(out, ix, index, repair, cancel, &why) : QUOIN_OK;
    vec_epoch_leave(&ix->users, entered);
    if (!st || !repair || !ix->started || !vec_is_damage(&why)) break;
    if (vec_settle(snapshot, cancel, &why)) break;
  }
  return st ? vec_fail_as(&why, err) : QUOIN_OK;
}

/* ---- attaching --------------------------------------------------------------------------------
 */

static quoin_status
indexes_new(vec_indexes **out, quad_store *store, const vec_options *options, quoin_error *err)
{
  const base_alloc *mem = options->mem ? options->mem : base_alloc_default();
  vec_indexes *ix = base_new_zero(mem, 1, sizeof(*ix));
  quoin_status st;
  *out = NULL;
  if (!ix) return base_fail_nomem(err);
  ix->store = store;
  ix->mem = mem;
  ix->read_only = options->read_only;
  ix->walk_always = options->walk_always;
  ix->threads = options->threads;
  atomic_store(&ix->users.now, 1);
  ix->bound = options->unlinked ? options->unlinked : UNLINKED;
  atomic_store(&ix->pace, PACE_NS);
  if ((st = base_mutex_init(&ix->graphs, BASE_RANK_VECTOR, "vector graphs", err))) goto graphs;
  if ((st = base_mutex_init(&ix->signal, BASE_RANK_QUEUE, "vector signal", err))) goto signal;
  if ((st = base_cond_init(&ix->work, err))) goto work;
  if ((st = base_cond_init(&ix->rested, err))) goto rested;
  *out = ix;
  return QUOIN_OK;

rested:
  base_cond_destroy(&ix->work);
work:
  base_mutex_destroy(&ix->signal);
signal:
  base_mutex_destroy(&ix->graphs);
graphs:
  base_release(mem, ix, 1, sizeof(*ix));
  return st;
}

void
vec_indexes_free(vec_indexes *ix)
{
  vec_set_clear(ix);
  vec_piece_free(ix->piece, ix->mem);
  base_cond_destroy(&ix->work);
  base_cond_destroy(&ix->rested);
  base_mutex_destroy(&ix->graphs);
  base_mutex_destroy(&ix->signal);
  base_release(ix->mem, ix, 1, sizeof(*ix));
}

quoin_status
vec_attach(quad_store *store, const vec_options *options, quoin_error *err)
{
  vec_indexes *ix;
  quoin_status st = indexes_new(&ix, store, options, err);
  if (st) return st;
  if ((st = vec_set_take_up(ix, err))) goto done;
  if (!options->read_only) {
    ix->due = true;
    if (!(ix->piece = vec_piece_new(ix->mem))) {
      st = base_fail_nomem(err);
      goto done;
    }
    int rc = pthread_create(&ix->thread, NULL, vec_link_thread, ix);
    if (rc) {
      st = base_fail_os(err, rc, NULL, "the thread that links vectors cannot be started");
      goto done;
    }
    ix->started = true;
  }
  const quad_participant participant = vec_participant(ix);
  quad_store_attach(store, &participant);
  vec_indexes *attached = ix;
  ix = NULL; /* from here on the store frees it */
  if (!atomic_load(&attached->stale_section)) goto done;
  if (!(st = quad_checkpoint(store, err))) atomic_store(&attached->stale_section, false);

done:
  if (ix) vec_indexes_free(ix);
  return st;
}
