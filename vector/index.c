/* vector/index.c - the indexes of an open store. */
#include "vector/index.h"

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

bool
vec_index_has_all(const vec_index *index, const quad_snapshot *snapshot)
{
  uint64_t loading = atomic_load(&index->loading);
  return (!loading || quad_snapshot_version(snapshot) < loading) &&
         atomic_load(&index->verified) == atomic_load(&index->verify_wanted) &&
         vec_index_is_recent(index, snapshot);
}

hnsw_vectors
vec_index_vectors(const vec_index *index)
{
  return (hnsw_vectors){.at = row_floats, .ask = row_ask, .user = (void *)(uintptr_t)index};
}

/* The index whose graph serves a search over the snapshot; NULL: there is none. */
static vec_index *
index_for(vec_indexes *ix, const quad_snapshot *snapshot, const vec_declaration *declared)
{
  /* Pairs with the release in refresh(). */
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  for (size_t i = 0; set && i < set->n; i++) {
    vec_index *index = set->index[i];
    if (!atom_id_equal(index->declared.predicate, declared->predicate)) continue;
    bool fits = vec_index_is_of(index, snapshot) &&
                index->declared.dimension == declared->dimension &&
                index->declared.metric == declared->metric;
    return fits && !atomic_load(&index->broken) ? index : NULL;
  }
  return NULL;
}

vec_index *
vec_index_enter(uint64_t *entered, const quad_snapshot *snapshot, const vec_declaration *declared)
{
  vec_indexes *ix = quad_snapshot_participant(snapshot);
  if (!ix) return NULL;
  *entered = vec_epoch_enter(&ix->users);
  vec_index *index = index_for(ix, snapshot, declared);
  if (!index) vec_epoch_leave(&ix->users, *entered);
  return index;
}

void
vec_index_leave(const quad_snapshot *snapshot, uint64_t entered)
{
  vec_epoch_leave(&((vec_indexes *)quad_snapshot_participant(snapshot))->users, entered);
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

/* ---- the set ----------------------------------------------------------------------------------
 */

static void
index_free(vec_index *index, const base_alloc *mem)
{
  for (unsigned i = 0; i < VEC_SEARCHERS; i++)
    hnsw_searcher_free(atomic_load(&index->idle[i]));
  hnsw_close(index->graph);
  vec_late_clear(&index->late, mem);
  vec_gone_clear(&index->gone, mem);
  vec_parsed_clear(&index->parsed);
  vec_fresh_drop(index);
  base_mutex_destroy(&index->fresh_lock);
  base_release(mem, index, 1, sizeof(*index));
}

static quoin_status
index_new(vec_index **out, vec_indexes *ix, const vec_declaration *declared,
          const quad_snapshot *snapshot, quoin_span section, quoin_error *err)
{
  const hnsw_options options = {.dims = declared->dimension,
                                .metric = declared->metric,
                                .code = declared->code,
                                .m = declared->m,
                                .ef_construction = declared->ef_construction};
  vec_index *index = base_new_zero(ix->mem, 1, sizeof(*index));
  if (!index) return base_fail_nomem(err);
  quoin_status st = base_mutex_init(&index->fresh_lock, BASE_RANK_QUEUE, "fresh codes", err);
  if (st) {
    base_release(ix->mem, index, 1, sizeof(*index));
    return st;
  }
  index->declared = *declared;
  index->fresh_room = ix->bound;
  index->walk_always = ix->walk_always;
  index->parsed.mem = ix->mem;
  index->atoms = quad_snapshot_atoms(snapshot);
  index->generation = atom_store_generation(index->atoms);
  st = vec_section_open(index, ix, section, snapshot, err);
  if (!st && !index->graph) {
    index->id = ix->next_id++;
    st = hnsw_new(&index->graph, index->id, &options, ix->mem, err);
  }
  if (st) {
    index_free(index, ix->mem);
    return st;
  }
  *out = index;
  return QUOIN_OK;
}

static void
set_free(vec_index_set *set, const base_alloc *mem)
{
  if (set) base_release(mem, set, 1, sizeof(*set) + set->room * sizeof(set->index[0]));
}

static void
retired_free(vec_retired retired, const base_alloc *mem)
{
  for (vec_index_set *set = retired.sets, *next; set; set = next) {
    next = set->next;
    set_free(set, mem);
  }
  for (vec_index *index = retired.indexes, *next; index; index = next) {
    next = index->next;
    index_free(index, mem);
  }
}

bool
vec_retired_settle(vec_indexes *ix)
{
  vec_retired none = {NULL, NULL}, unused = none;
  base_mutex_lock(&ix->signal);
  if (vec_epoch_is_quiet(&ix->users)) {
    unused = ix->waiting;
    ix->waiting = ix->limbo;
    ix->limbo = none;
    if (ix->waiting.sets) vec_epoch_turn(&ix->users);
  }
  bool left = ix->waiting.sets || ix->limbo.sets;
  base_mutex_unlock(&ix->signal);
  retired_free(unused, ix->mem);
  return left;
}

static bool
set_has(const vec_index_set *set, const vec_index *index)
{
  for (size_t i = 0; i < set->n; i++)
    if (set->index[i] == index) return true;
  return false;
}

/* The set that was replaced by `next`, and the indexes that only it had. */
static void
retire(vec_indexes *ix, vec_index_set *set, const vec_index_set *next)
{
  if (!set) return;
  base_mutex_lock(&ix->signal);
  set->next = ix->limbo.sets;
  ix->limbo.sets = set;
  for (size_t i = 0; i < set->n; i++) {
    vec_index *index = set->index[i];
    if (set_has(next, index)) continue;
    index->next = ix->limbo.indexes;
    ix->limbo.indexes = index;
  }
  base_mutex_unlock(&ix->signal);
}

static vec_index *
kept_index(const vec_index_set *set, const vec_declaration *d, const quad_snapshot *snapshot)
{
  for (size_t i = 0; set && i < set->n; i++) {
    vec_index *index = set->index[i];
    const vec_declaration *old = &index->declared;
    if (atom_id_equal(old->predicate, d->predicate) && old->dimension == d->dimension &&
        old->metric == d->metric && old->code == d->code && old->m == d->m &&
        old->ef_construction == d->ef_construction && vec_index_is_of(index, snapshot))
      return index;
  }
  return NULL;
}

/* The indexes that the snapshot declares become the set: those that stay as they are keep their
 * graph. */
static quoin_status
refresh(vec_indexes *ix, const quad_snapshot *snapshot, quoin_span section, quoin_error *err)
{
  vec_index_set *old = atomic_load(&ix->set), *set;
  vec_terms terms = vec_store_terms(snapshot);
  atom_id *list;
  size_t n;
  quoin_status st = vec_declaration_list(&list, &n, snapshot, &terms, ix->mem, err);
  if (st) return st;
  if (!(set = base_new_zero(ix->mem, 1, sizeof(*set) + n * sizeof(set->index[0])))) {
    st = base_fail_nomem(err);
    goto done;
  }
  set->room = n;
  for (size_t i = 0; i < n; i++) {
    vec_declaration declared;
    bool found;
    st = vec_declaration_find(&declared, &found, snapshot, &terms, list[i], ix->mem, err);
    if (st) goto done;
    if (!found) continue;
    vec_index *index = kept_index(old, &declared, snapshot);
    if (!index && (st = index_new(&index, ix, &declared, snapshot, section, err))) goto done;
    set->index[set->n++] = index;
    if (ix->read_only && (st = vec_index_complete(ix, index, snapshot, err))) goto done;
  }
  /* Pairs with the acquire in index_for(). */
  atomic_store_explicit(&ix->set, set, memory_order_release);
  retire(ix, old, set);
  set = NULL;

done:
  for (size_t i = 0; set && i < set->n; i++)
    if (!old || !set_has(old, set->index[i])) index_free(set->index[i], ix->mem);
  set_free(set, ix->mem);
  base_release(ix->mem, list, n, sizeof(*list));
  return st;
}

/* ---- taking part in commits -------------------------------------------------------------------
 */

/* Is a vector that becomes one of the predicate's again, or for the first time after it was a term,
 * to be linked from below the mark? While vectors are leaving, it may be one of them. */
static bool
is_late(const vec_indexes *ix, const vec_index *index, uint64_t number)
{
  uint32_t slot;
  /* The mark may move on meanwhile: what it passes then is linked, or late by this. */
  if (number > ix->known || number >= UINT32_MAX) return false;
  if (atomic_load(&index->leaving)) return true;
  return hnsw_find(&slot, index->graph, (uint32_t)number, NULL) || slot == HNSW_NONE;
}

static quoin_status
note_change(vec_indexes *ix, const vec_index_set *set, const quad *q, bool added, uint64_t version,
            quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t number = atom_id_payload(q->term[QUAD_O]);
  if (atom_id_kind(q->term[QUAD_O]) != ATOM_VECTOR) return QUOIN_OK;
  for (size_t k = 0; !st && k < set->n; k++) {
    vec_index *index = set->index[k];
    if (!atom_id_equal(index->declared.predicate, q->term[QUAD_P])) continue;
    if (!added && number < UINT32_MAX) {
      st = vec_gone_add(ix, index, (uint32_t)number, version, atomic_load(&index->late.count), err);
    } else if (added) {
      atomic_fetch_add_explicit(&index->added, 1, memory_order_relaxed);
      if (is_late(ix, index, number) && !vec_late_add(&index->late, (uint32_t)number, ix->mem))
        st = base_fail_nomem(err);
    }
  }
  return st;
}

/* What the thread that links cannot see at the end of the atoms. Removals first: a vector that a
 * commit takes from one subject and gives to another is late after it was gone. */
static quoin_status
note_changes(vec_indexes *ix, const vec_index_set *set, const quad_delta *delta, uint64_t version,
             quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; set && !st && i < delta->n_removed; i++)
    st = note_change(ix, set, &delta->removed[i], false, version, err);
  for (size_t i = 0; set && !st && i < delta->n_added; i++)
    st = note_change(ix, set, &delta->added[i], true, version, err);
  return st;
}

static quoin_status
participant_judge(void *self, const quad_snapshot *next, const quad_delta *delta, quoin_error *err)
{
  vec_indexes *ix = self;
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_relaxed);
  bool declarations = false;
  ix->judged = quad_snapshot_atom_mark(next);
  quoin_status st =
      vec_judge(&declarations, set, ix->declarations, next, ix->known, delta, ix->mem, err);
  ix->declarations |= declarations;
  /* A load that fails after this leaves its mark: the next judgement, of the same version, is of
   * something else, and no snapshot until then is of that version. */
  bool loading = !st && !delta->added && !delta->removed;
  for (size_t i = 0; set && i < set->n; i++)
    atomic_store(&set->index[i]->loading, loading ? quad_snapshot_version(next) : 0);
  return st ? st : note_changes(ix, set, delta, quad_snapshot_version(next), err);
}

/* From three quarters of the bound on, as long as linking what waits beyond it would take. */
static void
slow_down(vec_indexes *ix)
{
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_relaxed);
  uint64_t waiting = vec_waiting(set), free_from = ix->bound / 4 * 3;
  if (waiting <= free_from || !ix->started) return;
  double share = (double)(waiting - free_from) / (double)(ix->bound / 4 + 1);
  double ns = share * share * 1e6 +
              (waiting > ix->bound ? (double)(waiting - ix->bound) * atomic_load(&ix->pace) : 0);
  uint64_t until = base_clock_ns() + (uint64_t)(ns < 5e9 ? ns : 5e9);
  base_mutex_lock(&ix->signal);
  while (!ix->stop && base_cond_wait_until(&ix->rested, &ix->signal, until))
    ;
  base_mutex_unlock(&ix->signal);
}

static void
participant_applied(void *self)
{
  vec_indexes *ix = self;
  vec_index_set *set = atomic_load(&ix->set);
  quad_snapshot *snapshot = NULL;
  uint64_t added = 0;
  (void)quad_snapshot_acquire(&snapshot, ix->store, NULL); /* NULL: memory is short */
  ix->known = snapshot ? quad_snapshot_atom_mark(snapshot) : ix->judged;
  for (size_t i = 0; set && i < set->n; i++) {
    atomic_store(&set->index[i]->published, atomic_load(&set->index[i]->added));
    added += atomic_load(&set->index[i]->added);
    /* A process that only reads is not told what the log brought. */
    if (!atomic_load(&set->index[i]->loading) && !ix->read_only) continue;
    atomic_fetch_add(&set->index[i]->verify_wanted, 1);
    atomic_store(&set->index[i]->loading, 0);
  }
  bool moved = !snapshot || (set && set->n && !vec_index_is_of(set->index[0], snapshot));
  /* A store that is only read moves on to graphs that another process has saved. */
  quoin_span section = ix->read_only ? quad_store_section(ix->store) : (quoin_span){NULL, 0};
  if (ix->read_only) {
    base_mutex_lock(&ix->graphs);
    ix->saved_version = vec_section_version(section);
    base_mutex_unlock(&ix->graphs);
  }
  if (ix->declarations || moved || ix->read_only)
    ix->declarations = !snapshot || refresh(ix, snapshot, section, NULL) != QUOIN_OK;
  quad_snapshot_release(snapshot);
  vec_burst_note(&ix->burst, added, atomic_load(&ix->pace), base_clock_ns());
  if (!ix->started) (void)vec_retired_settle(ix);
  base_mutex_lock(&ix->signal);
  ix->due = true;
  base_cond_signal(&ix->work);
  base_mutex_unlock(&ix->signal);
  slow_down(ix);
}

static quoin_status
participant_checkpoint(base_buffer *section, void *self, quoin_error *err)
{
  vec_indexes *ix = self;
  quad_snapshot *snapshot = NULL;
  quoin_status st = quad_snapshot_acquire(&snapshot, ix->store, err);
  if (st) return st;
  uint64_t version = quad_snapshot_version(snapshot);
  quad_snapshot_release(snapshot);
  base_mutex_lock(&ix->graphs);
  st = vec_section_write(section, ix, version, err);
  base_mutex_unlock(&ix->graphs);
  return st;
}

static bool
participant_is_unsaved(void *self)
{
  vec_indexes *ix = self;
  bool unsaved = false;
  base_mutex_lock(&ix->graphs);
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load(&ix->set);
  for (size_t i = 0; set && i < set->n; i++)
    unsaved |= set->index[i]->unsaved;
  vec_epoch_leave(&ix->users, entered);
  base_mutex_unlock(&ix->graphs);
  return unsaved;
}

static bool
participant_is_stale(void *self, const char *name)
{
  vec_indexes *ix = self;
  uint64_t id, generation;
  if (!hnsw_file_is_mine(name, &id, &generation)) return false;
  bool stale = true;
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load(&ix->set);
  for (size_t i = 0; set && i < set->n; i++)
    if (set->index[i]->id == id) stale = generation < set->index[i]->root.generation;
  vec_epoch_leave(&ix->users, entered);
  return stale;
}

static void
participant_stop(void *self)
{
  vec_indexes *ix = self;
  if (!ix->started) return;
  base_mutex_lock(&ix->signal);
  ix->stop = true;
  atomic_store(&ix->cancelled, 1);
  base_cond_broadcast(&ix->work);
  base_cond_broadcast(&ix->rested);
  base_mutex_unlock(&ix->signal);
  (void)pthread_join(ix->thread, NULL);
  ix->started = false;
}

static void
participant_close(void *self)
{
  vec_indexes *ix = self;
  vec_index_set *set = atomic_load(&ix->set);
  for (size_t i = 0; set && i < set->n; i++)
    index_free(set->index[i], ix->mem);
  set_free(set, ix->mem);
  retired_free(ix->waiting, ix->mem);
  retired_free(ix->limbo, ix->mem);
  vec_piece_free(ix->piece, ix->mem);
  base_cond_destroy(&ix->work);
  base_cond_destroy(&ix->rested);
  base_mutex_destroy(&ix->graphs);
  base_mutex_destroy(&ix->signal);
  base_release(ix->mem, ix, 1, sizeof(*ix));
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
    if (atomic_load(&index->broken) || !vec_index_is_of(index, snapshot)) continue;
    settled = atomic_load_explicit(&index->mark, memory_order_acquire) >=
                  quad_snapshot_atom_mark(snapshot) &&
              atomic_load(&index->late.done) >= atomic_load(&index->late.count) &&
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
  atomic_store(&ix->burst.until, 0); /* somebody waits for the graph */
  while (!st && !is_settled(ix, snapshot)) {
    base_mutex_lock(&ix->signal);
    (void)base_cond_wait_until(&ix->rested, &ix->signal, base_clock_ns() + SLICE_NS);
    base_mutex_unlock(&ix->signal);
    if (!cancel) continue;
    cancel->calls = 0; /* look at the clock each time */
    st = base_cancel_check(cancel, err);
  }
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
  uint64_t linked = atomic_load(&index->linked), added = atomic_load(&index->added);
  *out = (vec_stats){.nodes = stats.live,
                     .waiting = added > linked ? added - linked : 0,
                     .leaving = atomic_load(&index->leaving),
                     .bytes = stats.memory_bytes};
  vec_index_leave(snapshot, entered);
}

quoin_status
vec_index_check(vec_check_report *out, const quad_snapshot *snapshot,
                const vec_declaration *declared, bool repair, base_cancel *cancel, quoin_error *err)
{
  vec_indexes *ix = quad_snapshot_participant(snapshot);
  hnsw_check_report report = {0};
  uint64_t entered;
  *out = (vec_check_report){0};
  vec_index *index = vec_index_enter(&entered, snapshot, declared);
  if (!index) return QUOIN_OK;
  base_mutex_lock(&ix->graphs);
  quoin_status st = hnsw_check(&report, index->graph, repair, cancel, err);
  if (report.repaired) index->unsaved = true;
  base_mutex_unlock(&ix->graphs);
  vec_index_leave(snapshot, entered);
  *out = (vec_check_report){.nodes = report.nodes,
                            .links = report.links,
                            .unreachable = report.unreachable,
                            .repaired = report.repaired};
  return st;
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

/* The indexes as they are. Beside a process that writes, the graphs that a manifest names may be
 * gone before they are opened: then there is a newer manifest. */
static quoin_status
take_up(vec_indexes *ix, quoin_error *err)
{
  enum { TRIES = 50 };
  quoin_status st = QUOIN_OK;
  for (unsigned i = 0; i < TRIES; i++) {
    quad_snapshot *snapshot;
    quoin_span section = quad_store_section(ix->store);
    if ((st = quad_snapshot_acquire(&snapshot, ix->store, err))) return st;
    ix->known = quad_snapshot_atom_mark(snapshot);
    ix->next_id = vec_section_next_id(section);
    ix->saved_version = vec_section_version(section);
    st = refresh(ix, snapshot, section, err);
    quad_snapshot_release(snapshot);
    if (st != QUOIN_ERR_NOT_FOUND || !ix->read_only) return st;
    if (quad_store_refresh(NULL, ix->store, NULL)) return st;
    base_error_clear(err);
  }
  return base_fail(err, QUOIN_ERR_BUSY,
                   "the store is being changed faster than it can be opened: try again");
}

quoin_status
vec_attach(quad_store *store, const vec_options *options, quoin_error *err)
{
  vec_indexes *ix;
  quoin_status st = indexes_new(&ix, store, options, err);
  if (st) return st;
  if ((st = take_up(ix, err))) goto done;
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
  const quad_participant participant = {.self = ix,
                                        .judge = participant_judge,
                                        .applied = participant_applied,
                                        .checkpoint = participant_checkpoint,
                                        .backup = vec_backup,
                                        .is_unsaved = participant_is_unsaved,
                                        .is_stale = participant_is_stale,
                                        .stop = participant_stop,
                                        .close = participant_close};
  quad_store_attach(store, &participant);
  ix = NULL;

done:
  if (ix) participant_close(ix);
  return st;
}
