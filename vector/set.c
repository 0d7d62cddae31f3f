/* vector/set.c - which indexes there are: made from the declarations, replaced as a whole, freed
 * when nobody can be looking any more. */
#include "vector/index.h"

#include "base/poison.h"

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

/* `atoms` may be gone, where it is made for snapshots of theirs. */
static quoin_status
index_make(vec_index **out, const vec_indexes *ix, const vec_declaration *declared,
           const atom_store *atoms, uint64_t generation, quoin_error *err)
{
  vec_index *index = base_new_zero(ix->mem, 1, sizeof(*index));
  if (!index) return base_fail_nomem(err);
  quoin_status st = base_mutex_init(&index->fresh_lock, BASE_RANK_QUEUE, "fresh codes", err);
  if (st) {
    base_release(ix->mem, index, 1, sizeof(*index));
    return st;
  }
  index->declared = *declared;
  index->fresh_most = ix->bound;
  index->parsed.mem = ix->mem;
  index->walk_always = ix->walk_always;
  index->atoms = atoms;
  index->generation = generation;
  index->read_only = ix->read_only;
  *out = index;
  return QUOIN_OK;
}

/* Over an empty graph. */
static quoin_status
index_begin(vec_index *index, vec_indexes *ix, quoin_error *err)
{
  const hnsw_options options = vec_graph_options(&index->declared);
  index->id = atomic_fetch_add(&ix->next_id, 1);
  return hnsw_new(&index->graph, index->id, &options, ix->mem, err);
}

/* In place of a graph that cannot be read: all its vectors are above the mark, where they are
 * searched one by one until they are linked. */
static void
index_replaces(vec_index *index, const vec_indexes *ix, uint64_t id, const quoin_error *why)
{
  atomic_store(&index->replaces, id);
  index->damage = *why;
  index->made_again = true;
  index->unsaved = !ix->read_only;
}

/* Is it what a graph takes that there is none of, and not a fault of what is stored? */
static bool
is_want(quoin_status st)
{
  return st == QUOIN_ERR_NOMEM || st == QUOIN_ERR_LIMIT || st == QUOIN_ERR_ARGUMENT;
}

/* It has no graph that might be had now: as it is declared, none ever can be. */
static bool
may_be_had(const vec_index *index)
{
  return !index->graph && index->damage.status != QUOIN_ERR_ARGUMENT;
}

/* No graph: its searches are exact. What is saved of one stays. `said`: it had none before. */
static void
index_goes_without(vec_index *index, const vec_indexes *ix, const quad_snapshot *snapshot,
                   const quoin_error *why, bool said)
{
  const vec_terms terms = vec_store_terms(snapshot);
  rdf_term name = {.kind = RDF_NONE};
  base_arena arena;
  base_arena_init(&arena, ix->mem);
  (void)terms.read(&name, terms.user, index->declared.predicate, &arena, NULL);
  int shown = (int)(name.value.len < 80 ? name.value.len : 80);
  (void)base_fail(&index->damage, why->status, "vector index <%.*s> has no graph: %s", shown,
                  name.value.ptr, why->message);
  base_arena_clear(&arena);
  atomic_store(&index->broken, true);
  if (!said) quad_store_say(ix->store, "warning: %s: searches are exact", index->damage.message);
}

static quoin_status
index_open(vec_index *index, vec_indexes *ix, const quad_snapshot *snapshot, quoin_span section,
           bool said, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT;
  quoin_status st = vec_section_open(index, ix, section, snapshot, &why);
  bool lost = st == QUOIN_ERR_CORRUPT || st == QUOIN_ERR_VERSION ||
              (st == QUOIN_ERR_NOT_FOUND && ix->missing_too);
  if (lost) {
    index->root = (hnsw_root){0};
    index->saved_mark = 0;
    index_replaces(index, ix, index->id, &why);
    vec_say_damage(ix, &why);
    base_error_clear(&why);
    st = QUOIN_OK;
  }
  if (!st && !index->graph) st = index_begin(index, ix, &why);
  if (st && !is_want(st)) return vec_fail_as(&why, err);
  if (st) index_goes_without(index, ix, snapshot, &why, said);
  return QUOIN_OK;
}

static quoin_status
index_new(vec_index **out, vec_indexes *ix, const vec_declaration *declared,
          const quad_snapshot *snapshot, quoin_span section, bool said, quoin_error *err)
{
  vec_index *index;
  const atom_store *atoms = quad_snapshot_atoms(snapshot);
  quoin_status st = index_make(&index, ix, declared, atoms, atom_store_generation(atoms), err);
  if (st) return st;
  atomic_store(&index->changed, quad_snapshot_version(snapshot));
  if ((st = index_open(index, ix, snapshot, section, said, err))) {
    index_free(index, ix->mem);
    return st;
  }
  *out = index;
  return QUOIN_OK;
}

/* Where nothing links: nothing of the snapshot is missing, or the graph is given up. */
static quoin_status
index_complete(vec_indexes *ix, vec_index *index, const quad_snapshot *snapshot, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT;
  if (!ix->read_only || atomic_load(&index->broken)) return QUOIN_OK;
  quoin_status st = vec_index_complete(ix, index, snapshot, &why);
  if (!st) return QUOIN_OK;
  if (st == QUOIN_ERR_NOMEM) return vec_fail_as(&why, err);
  vec_index_give_up(ix, index, &why); /* as the thread that links does */
  return QUOIN_OK;
}

/* ---- sets ------------------------------------------------------------------------------------
 */

static size_t
set_bytes(size_t room)
{
  return sizeof(vec_index_set) + room * (sizeof(vec_index *) + sizeof(vec_declaration));
}

/* Empty; it says nothing of declarations. */
static vec_index_set *
set_new(size_t room, const base_alloc *mem)
{
  vec_index_set *set = base_new_zero(mem, 1, set_bytes(room));
  if (!set) return NULL;
  set->room = room;
  set->declared = (vec_declaration *)(void *)&set->index[room];
  return set;
}

static void
set_free(vec_index_set *set, const base_alloc *mem)
{
  if (set) base_release(mem, set, 1, set_bytes(set->room));
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

/* A set that nobody has seen, and the indexes that `old` does not have. */
static void
set_undo(vec_index_set *set, const vec_index_set *old, const base_alloc *mem)
{
  for (size_t i = 0; set && i < set->n; i++)
    if (!old || !set_has(old, set->index[i])) index_free(set->index[i], mem);
  set_free(set, mem);
}

/* False: it was not `old` any more, and `set` is freed. */
static bool
set_swap(vec_indexes *ix, vec_index_set *old, vec_index_set *set)
{
  /* Pairs with the acquire in index_for(). */
  vec_index_set *seen = old;
  if (!atomic_compare_exchange_strong(&ix->set, &seen, set)) {
    set_undo(set, old, ix->mem);
    return false;
  }
  retire(ix, old, set);
  return true;
}

/* Where nothing links it is here that a graph is tried again; else the thread does. *said: the
 * index of the predicate has none. */
static vec_index *
kept_index(bool *said, const vec_index_set *set, const vec_declaration *d, const vec_indexes *ix,
           const quad_snapshot *snapshot)
{
  *said = false;
  for (size_t i = 0; set && i < set->n; i++) {
    vec_index *index = set->index[i];
    if (!vec_declaration_same(&index->declared, d)) continue;
    *said = !index->graph;
    if (ix->read_only && may_be_had(index)) return NULL;
    if (vec_index_is_of(index, snapshot)) return index;
  }
  return NULL;
}

/* What is declared was judged when it was committed; what nobody can have meant keeps no store from
 * being opened. */
static quoin_status
read_declaration(vec_declaration *out, bool *found, const vec_indexes *ix,
                 const quad_snapshot *snapshot, atom_id predicate, quoin_error *err)
{
  const vec_terms terms = vec_store_terms(snapshot);
  quoin_error why = QUOIN_ERROR_INIT;
  quoin_status st = vec_declaration_find(out, found, snapshot, &terms, predicate, ix->mem, &why);
  if (!st) return QUOIN_OK;
  if (st != QUOIN_ERR_CONSTRAINT) return vec_fail_as(&why, err);
  quad_store_say(ix->store, "warning: %s: there is no such index", why.message);
  *found = false;
  return QUOIN_OK;
}

/* Into *out, allocated, what of `old` stays and what else the snapshot declares. */
static quoin_status
set_make(vec_index_set **out, const vec_index_set *old, vec_indexes *ix,
         const quad_snapshot *snapshot, quoin_span section, quoin_error *err)
{
  vec_terms terms = vec_store_terms(snapshot);
  vec_index_set *set = NULL;
  atom_id *list;
  size_t n;
  quoin_status st = vec_declaration_list(&list, &n, snapshot, &terms, ix->mem, err);
  if (st) return st;
  if (!(set = set_new(n, ix->mem))) {
    st = base_fail_nomem(err);
    goto done;
  }
  set->from = quad_snapshot_version(snapshot);
  /* A store that is only read is not told what changed. */
  atomic_store(&set->until, ix->read_only ? set->from + 1 : UINT64_MAX);
  for (size_t i = 0; i < n; i++) {
    vec_declaration declared;
    bool found, said;
    if ((st = read_declaration(&declared, &found, ix, snapshot, list[i], err))) goto done;
    if (!found) continue;
    vec_index *index = kept_index(&said, old, &declared, ix, snapshot);
    if (!index && (st = index_new(&index, ix, &declared, snapshot, section, said, err))) goto done;
    set->declared[set->n] = declared;
    set->index[set->n++] = index;
    if ((st = index_complete(ix, index, snapshot, err))) goto done;
  }
  *out = set;
  set = NULL;

done:
  set_undo(set, old, ix->mem);
  base_release(ix->mem, list, n, sizeof(*list));
  return st;
}

quoin_status
vec_set_refresh(vec_indexes *ix, const quad_snapshot *snapshot, quoin_span section,
                quoin_error *err)
{
  quoin_status st;
  bool done = false;
  uint64_t entered = vec_epoch_enter(&ix->users);
  do {
    vec_index_set *old = atomic_load(&ix->set), *set = NULL;
    if ((st = set_make(&set, old, ix, snapshot, section, err))) break;
    done = set_swap(ix, old, set); /* else the thread has renewed one meanwhile */
  } while (!done);
  vec_epoch_leave(&ix->users, entered);
  return st;
}

bool
vec_set_declares(vec_declaration *out, const quad_snapshot *snapshot, atom_id predicate)
{
  const quad_snapshot *begun = quad_snapshot_begun(snapshot);
  vec_indexes *ix = quad_snapshot_participant(begun);
  uint64_t version = quad_snapshot_version(snapshot);
  bool found = false;
  if (!ix || (begun != snapshot && vec_view_declares(snapshot))) return false;
  uint64_t entered = vec_epoch_enter(&ix->users);
  vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  if (set && version >= set->from && version < atomic_load(&set->until))
    for (size_t i = 0; i < set->n && !found; i++) {
      if (!atom_id_equal(set->declared[i].predicate, predicate)) continue;
      if (!vec_index_is_of(set->index[i], snapshot)) break;
      *out = set->declared[i];
      found = true;
    }
  vec_epoch_leave(&ix->users, entered);
  return found;
}

/* ---- beginning anew ---------------------------------------------------------------------------
 */

static bool
is_lost(const vec_index *index)
{
  return atomic_load(&index->broken) && (vec_is_damage(&index->damage) || may_be_had(index));
}

/* What was saved, and could not be mapped; or an empty one in its place. */
static quoin_status
index_reopen(vec_index *index, vec_indexes *ix, const vec_index *lost, quoin_error *err)
{
  const hnsw_options options = vec_graph_options(&index->declared);
  quoin_error why = QUOIN_ERROR_INIT;
  quoin_status st = hnsw_open(&index->graph, quad_store_dir(ix->store), lost->id, &lost->root,
                              &options, ix->mem, &why);
  if (st && !vec_is_damage(&why)) return vec_fail_as(&why, err);
  if (st) {
    vec_say_damage(ix, &why);
    if (!(st = index_begin(index, ix, err))) index_replaces(index, ix, lost->id, &why);
    return st;
  }
  index->id = lost->id;
  index->root = lost->root;
  index->saved_mark = lost->saved_mark;
  index->saved_version = lost->saved_version;
  atomic_store(&index->saved_uncertain, true);
  atomic_store(&index->mark, index->saved_mark);
  atomic_store(&index->verify_wanted, 1);
  return QUOIN_OK;
}

static quoin_status
index_restart(vec_index *index, vec_indexes *ix, const vec_index *lost, quoin_error *err)
{
  if (!lost->graph && lost->root.generation) return index_reopen(index, ix, lost, err);
  quoin_status st = index_begin(index, ix, err);
  uint64_t before = atomic_load(&lost->replaces);
  if (!st && (lost->graph || before))
    index_replaces(index, ix, before ? before : lost->id, &lost->damage);
  return st;
}

static quoin_status
index_renew(vec_index **out, vec_indexes *ix, const vec_index *lost, quoin_error *err)
{
  vec_index *index;
  quoin_status st = index_make(&index, ix, &lost->declared, lost->atoms, lost->generation, err);
  if (st) return st;
  if ((st = index_restart(index, ix, lost, err))) {
    index_free(index, ix->mem);
    return st;
  }
  atomic_store(&index->unsure, true);
  atomic_store(&index->changed, UINT64_MAX); /* until the next commit */
  *out = index;
  return QUOIN_OK;
}

/* A commit that was judged before the swap noted nothing in the new indexes. If none is on its way
 * now, whatever it was is in the snapshots from now on. */
static void
set_is_sure(const vec_index_set *set, const vec_index_set *old, const vec_indexes *ix)
{
  if (atomic_load(&ix->judging)) return; /* participant_applied() sees to it */
  for (size_t i = 0; i < set->n; i++)
    if (!set_has(old, set->index[i])) atomic_store(&set->index[i]->unsure, false);
}

bool
vec_set_renew(vec_indexes *ix)
{
  bool done = true, any = false, renewed = false;
  quoin_status st = QUOIN_OK;
  uint64_t entered = vec_epoch_enter(&ix->users);
  vec_index_set *old = atomic_load(&ix->set), *set;
  for (size_t i = 0; old && i < old->n; i++)
    any |= is_lost(old->index[i]);
  if (!any) goto done;
  if (!(set = set_new(old->n, ix->mem))) {
    done = false;
    goto done;
  }
  for (size_t i = 0; !st && i < old->n; i++) {
    vec_index *index = old->index[i];
    if (is_lost(index)) st = index_renew(&index, ix, old->index[i], NULL);
    if (st && !index->graph) st = QUOIN_OK; /* there is still no room: after the next commit */
    renewed |= index != old->index[i];
    if (!st) set->index[set->n++] = index;
  }
  if (st || !renewed)
    set_undo(set, old, ix->mem);
  else if (set_swap(ix, old, set))
    set_is_sure(set, old, ix);
  else
    st = QUOIN_ERR_BUSY;
  done = !st;

done:
  vec_epoch_leave(&ix->users, entered);
  return done;
}

/* ---- at the open ------------------------------------------------------------------------------
 */

/* Beside a process that writes, the graphs that a manifest names may be gone before they are
 * opened: then there is a newer manifest. */
quoin_status
vec_set_take_up(vec_indexes *ix, quoin_error *err)
{
  enum { TRIES = 50 };
  quoin_status st = QUOIN_OK;
  uint64_t before = 0, now;
  ix->missing_too = !ix->read_only;
  for (unsigned i = 0; i < TRIES; i++) {
    quad_snapshot *snapshot;
    quoin_span section = quad_store_section(ix->store);
    if ((st = quad_snapshot_acquire(&snapshot, ix->store, err))) return st;
    ix->known = quad_snapshot_atom_mark(snapshot);
    atomic_store(&ix->next_id, vec_section_next_id(section));
    atomic_store(&ix->stale_section, !ix->read_only && vec_section_is_ahead(section, snapshot));
    st = vec_set_refresh(ix, snapshot, section, err);
    quad_snapshot_release(snapshot);
    if (st != QUOIN_ERR_NOT_FOUND || !ix->read_only) return st;
    if (quad_store_refresh(NULL, ix->store, NULL)) return st;
    section = quad_store_section(ix->store);
    now = base_hash(section.ptr, section.len);
    ix->missing_too = i && now == before; /* it is named, and not there */
    before = now;
    base_error_clear(err);
  }
  return base_fail(err, QUOIN_ERR_BUSY,
                   "the store is being changed faster than it can be opened: try again");
}

void
vec_set_clear(vec_indexes *ix)
{
  set_undo(atomic_load(&ix->set), NULL, ix->mem);
  retired_free(ix->waiting, ix->mem);
  retired_free(ix->limbo, ix->mem);
}
