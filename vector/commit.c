/* vector/commit.c - the indexes as the participant of the store's commits and checkpoints. */
#include "vector/index.h"

#include "base/poison.h"

/* Is a vector that becomes one of the predicate's again, or for the first time after it was a term,
 * to be linked from below the mark? While vectors are leaving, it may be one of them. */
static bool
is_late(const vec_indexes *ix, const vec_index *index, uint64_t number)
{
  uint32_t slot;
  quoin_status st;
  /* The mark may move on meanwhile: what it passes then is linked, or late by this. */
  if (number > ix->known || number >= UINT32_MAX) return false;
  /* While the graph is compared with the quads anything may turn out to be leaving. What the thread
   * finds is leaving before it says that it is done; and what it fails to take out is to be looked
   * for again before it is leaving no more: so `leaving` on both sides. */
  if (atomic_load(&index->leaving) ||
      atomic_load(&index->verified) != atomic_load(&index->verify_wanted) ||
      atomic_load(&index->leaving))
    return true;
  uint64_t entered = hnsw_enter(index->graph);
  st = hnsw_find(&slot, index->graph, (uint32_t)number, NULL);
  hnsw_leave(index->graph, entered);
  return st || slot == HNSW_NONE;
}

static quoin_status
note_change(vec_indexes *ix, const vec_index_set *set, const quad *q, bool added, uint64_t version,
            quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t number = atom_id_payload(q->term[QUAD_O]);
  for (size_t k = 0; !st && k < set->n; k++) {
    vec_index *index = set->index[k];
    if (!atom_id_equal(index->declared.predicate, q->term[QUAD_P])) continue;
    if (added && !index->kept) atomic_store(&index->changed, version);
    if (atom_id_kind(q->term[QUAD_O]) != ATOM_VECTOR) continue;
    if (atomic_load(&index->broken)) continue; /* nobody would ever take it */
    if (!added) atomic_store(&index->removed, version);
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
             uint32_t orders, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  /* Without the order of objects nothing is linked: nobody would ever take it. */
  if (!(orders >> QUAD_POS & 1)) return QUOIN_OK;
  for (size_t i = 0; set && !st && i < delta->n_removed; i++)
    st = note_change(ix, set, &delta->removed[i], false, version, err);
  for (size_t i = 0; set && !st && i < delta->n_added; i++)
    st = note_change(ix, set, &delta->added[i], true, version, err);
  return st;
}

/* In an epoch of the set: the thread may replace it. */
static quoin_status
judge(vec_indexes *ix, const quad_snapshot *next, const quad_delta *delta, quoin_error *err)
{
  vec_index_set *set = atomic_load(&ix->set);
  bool declarations = false;
  ix->judged = quad_snapshot_atom_mark(next);
  ix->judged_version = quad_snapshot_version(next);
  for (size_t i = 0; set && i < set->n; i++) {
    set->index[i]->judged_late = atomic_load(&set->index[i]->late.count);
    set->index[i]->judged_added = atomic_load(&set->index[i]->added);
  }
  quoin_status st =
      vec_judge(&declarations, set, ix->declarations, next, ix->known, delta, ix->mem, err);
  if (declarations && set && quad_snapshot_version(next) < atomic_load(&set->until))
    atomic_store(&set->until, quad_snapshot_version(next));
  ix->declarations |= declarations;
  bool loading = !st && !delta->added && !delta->removed;
  for (size_t i = 0; set && i < set->n; i++) {
    atomic_store(&set->index[i]->loading, loading ? quad_snapshot_version(next) : 0);
    if (loading) atomic_store(&set->index[i]->changed, quad_snapshot_version(next));
    set->index[i]->kept = !st && !loading && vec_least_keeps(set->index[i], next, delta);
  }
  return st ? st
            : note_changes(ix, set, delta, quad_snapshot_version(next), quad_snapshot_orders(next),
                           err);
}

/* The thread has something to do. */
static void
wake(vec_indexes *ix)
{
  base_mutex_lock(&ix->signal);
  ix->due = true;
  base_cond_signal(&ix->work);
  base_mutex_unlock(&ix->signal);
}

static quoin_status
participant_judge(void *self, const quad_snapshot *next, const quad_delta *delta, quoin_error *err)
{
  vec_indexes *ix = self;
  atomic_store(&ix->judging, 1); /* before the set is looked at: set_is_sure() looks at both */
  uint64_t entered = vec_epoch_enter(&ix->users);
  quoin_status st = judge(ix, next, delta, err);
  vec_epoch_leave(&ix->users, entered);
  return st;
}

/* What was noted for versions above `version` is undone. What was noted as late stays, as it may be
 * in the graph by now, or was kept there for its sake: it is looked at as if it had gone. */
static void
take_back(vec_indexes *ix, vec_index *index, uint64_t version, bool pending)
{
  uint64_t count = atomic_load(&index->late.count);
  uint64_t late = pending ? index->judged_late : atomic_load(&index->late.published);
  atomic_store(&index->added, pending ? index->judged_added : atomic_load(&index->published));
  vec_gone_drop(ix, index, version);
  for (; late < count && !atomic_load(&index->broken); late++) {
    if (!vec_gone_add(ix, index, vec_late_get(&index->late, late), version, count, NULL)) continue;
    atomic_fetch_add(&index->verify_wanted, 1); /* then they are looked for */
    break;
  }
  if (pending) return;
  atomic_store(&index->late.published, count);
  atomic_store(&index->loading, 0);
  atomic_store(&index->unsure, false); /* nothing is on its way */
}

static void
participant_dropped(void *self, uint64_t version, bool pending)
{
  vec_indexes *ix = self;
  if (ix->judged_version <= version) return; /* it was not asked */
  ix->judged_version = version;
  /* before the set is looked at, as when it is applied */
  if (!pending) atomic_store(&ix->judging, 0);
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load(&ix->set);
  for (size_t i = 0; set && i < set->n; i++)
    take_back(ix, set->index[i], version, pending);
  vec_epoch_leave(&ix->users, entered);
  wake(ix);
}

/* Vectors of indexes that are kept up to date and wait to be linked. */
static uint64_t
count_waiting(vec_indexes *ix)
{
  uint64_t entered = vec_epoch_enter(&ix->users);
  uint64_t waiting = vec_waiting(atomic_load(&ix->set));
  vec_epoch_leave(&ix->users, entered);
  return waiting;
}

/* From three quarters of the bound on, as long as linking what waits beyond it would take. */
static void
slow_down(vec_indexes *ix)
{
  uint64_t waiting = count_waiting(ix), free_from = ix->bound / 4 * 3;
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

/* What was judged is there for snapshots now. True: the set may be another. */
static bool
note_published(vec_indexes *ix, const quad_snapshot *snapshot)
{
  uint64_t added = 0;
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load(&ix->set);
  bool moved = !snapshot || (set && set->n && !vec_index_is_of(set->index[0], snapshot));
  for (size_t i = 0; set && i < set->n; i++) {
    vec_index *index = set->index[i];
    atomic_store(&index->published, atomic_load(&index->added));
    added += atomic_load(&index->added);
    atomic_store(&index->late.published, atomic_load(&index->late.count));
    if (snapshot && atomic_load(&index->changed) == UINT64_MAX)
      atomic_store(&index->changed, quad_snapshot_version(snapshot));
    bool unsure = atomic_exchange(&index->unsure, false);
    /* A process that only reads is not told what the log brought. */
    if (!unsure && !atomic_load(&index->loading) && !ix->read_only) continue;
    atomic_fetch_add(&index->verify_wanted, 1);
    atomic_store(&index->loading, 0);
  }
  vec_epoch_leave(&ix->users, entered);
  vec_burst_note(&ix->burst, added, atomic_load(&ix->pace), base_clock_ns());
  return moved || ix->declarations || ix->read_only;
}

static void
participant_applied(void *self)
{
  vec_indexes *ix = self;
  quad_snapshot *snapshot = NULL;
  (void)quad_snapshot_acquire(&snapshot, ix->store, NULL); /* NULL: memory is short */
  ix->known = snapshot ? quad_snapshot_atom_mark(snapshot) : ix->judged;
  atomic_store(&ix->judging, 0); /* before the set is looked at, as when it was judged */
  bool changed = note_published(ix, snapshot);
  /* A store that is only read moves on to graphs that another process has saved. */
  quoin_span section = ix->read_only ? quad_store_section(ix->store) : (quoin_span){NULL, 0};
  if (changed)
    ix->declarations = !snapshot || vec_set_refresh(ix, snapshot, section, NULL) != QUOIN_OK;
  quad_snapshot_release(snapshot);
  if (!ix->started) (void)vec_retired_settle(ix);
  wake(ix);
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
  base_mutex_lock(&ix->graphs);
  /* What was linked since is of versions that snapshots have. */
  uint64_t seen = atomic_load(&ix->seen);
  if (version < seen) version = seen;
  st = vec_section_write(section, ix, snapshot, version, err);
  base_mutex_unlock(&ix->graphs);
  quad_snapshot_release(snapshot);
  return st;
}

/* The writer asks while commits wait for it: without a lock, and what changes meanwhile is unsaved
 * by the next time. A graph that was saved as uncertain, and is not so any more, is worth saying.
 */
static bool
participant_is_unsaved(void *self)
{
  vec_indexes *ix = self;
  bool unsaved = atomic_load(&ix->stale_section);
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load(&ix->set);
  for (size_t i = 0; set && i < set->n; i++) {
    const vec_index *index = set->index[i];
    unsaved |= atomic_load(&index->unsaved) ||
               (atomic_load(&index->saved_uncertain) && !vec_index_is_uncertain(index));
  }
  vec_epoch_leave(&ix->users, entered);
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
    if (set->index[i]->id == id)
      stale = generation < set->index[i]->root.generation;
    else if (atomic_load(&set->index[i]->replaces) == id)
      stale = false; /* damaged, but what the manifest names */
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
  vec_indexes_free(self);
}

/* ---- verifying what is saved ------------------------------------------------------------------
 */

/* The graph as its file has it: the one in memory may have gone on, and has read but a part. */
static quoin_status
check_saved(vec_indexes *ix, vec_index *index, base_cancel *cancel, quoin_error *err)
{
  const hnsw_options options = vec_graph_options(&index->declared);
  hnsw_check_report report;
  hnsw *graph = NULL;
  if (atomic_load(&index->broken) || atomic_load(&index->replaces))
    return vec_index_damage(ix, index, err);
  base_mutex_lock(&ix->graphs);
  quoin_status st = QUOIN_OK;
  if (index->root.generation)
    st = hnsw_open(&graph, quad_store_dir(ix->store), index->id, &index->root, &options, ix->mem,
                   err);
  if (st == QUOIN_ERR_NOT_FOUND && ix->read_only) { /* the writing process has gone on */
    base_error_clear(err);
    st = hnsw_check(&report, index->graph, false, cancel, err);
  }
  base_mutex_unlock(&ix->graphs);
  if (!st && graph) st = hnsw_check(&report, graph, false, cancel, err);
  hnsw_close(graph);
  return st;
}

static quoin_status
participant_check(void *self, base_cancel *cancel, quoin_error *err)
{
  vec_indexes *ix = self;
  quoin_status st = QUOIN_OK;
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load(&ix->set);
  for (size_t i = 0; !st && set && i < set->n; i++)
    st = check_saved(ix, set->index[i], cancel, err);
  vec_epoch_leave(&ix->users, entered);
  return st;
}

quad_participant
vec_participant(vec_indexes *ix)
{
  return (quad_participant){.self = ix,
                            .judge = participant_judge,
                            .applied = participant_applied,
                            .dropped = participant_dropped,
                            .checkpoint = participant_checkpoint,
                            .backup = vec_backup,
                            .check = participant_check,
                            .is_unsaved = participant_is_unsaved,
                            .is_stale = participant_is_stale,
                            .view_new = vec_view_new,
                            .view_note = vec_view_note,
                            .view_free = vec_view_free,
                            .stop = participant_stop,
                            .close = participant_close};
}
