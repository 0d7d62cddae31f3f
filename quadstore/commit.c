/* quadstore/commit.c - applying transactions, in groups.
 *
 * The leader of a group (queue.c) applies each request to what the one before left, writes their
 * records with one write, makes them durable with one sync, and publishes one version. */
#include "quadstore/history.h"
#include "quadstore/queue.h"

#include <assert.h>

#include "base/poison.h"

enum { RELAXED_NS = 100 * 1000 * 1000, SCRATCH_KEPT = 1 << 16 };

struct quad_scratch {
  const base_alloc *mem;
  quad_changes changes;
  base_buffer payload;
  atom_id *ids;
  size_t ids_room;
  quad_new_term *terms;
  size_t terms_room;
};

/* Commits that become durable together. */
typedef struct group {
  quad_store *store;
  quad_version *version; /* with those applied so far; not published yet */
  uint64_t terms_before, blanks_before;
  uint64_t commits; /* that changed something */
  uint64_t bytes;   /* of the runs they made */
} group;

quoin_status
quad_scratch_new(struct quad_scratch **out, const base_alloc *mem, quoin_error *err)
{
  struct quad_scratch *s = base_new_zero(mem, 1, sizeof *s);

  *out = s;
  if (!s) return base_fail_nomem(err);
  s->mem = mem;
  base_buffer_init(&s->payload, mem);
  quad_changes_init(&s->changes, mem);
  return QUOIN_OK;
}

static void
drop_buffers(struct quad_scratch *s)
{
  quad_changes_clear(&s->changes);
  base_buffer_clear(&s->payload);
  base_release(s->mem, s->ids, s->ids_room, sizeof *s->ids);
  base_release(s->mem, s->terms, s->terms_room, sizeof *s->terms);
  s->ids = NULL;
  s->terms = NULL;
  s->ids_room = s->terms_room = 0;
}

void
quad_scratch_free(struct quad_scratch *scratch)
{
  if (!scratch) return;
  drop_buffers(scratch);
  base_release(scratch->mem, scratch, 1, sizeof *scratch);
}

/* For the next commit; what a large one took is given back. */
static void
reset_scratch(struct quad_scratch *s)
{
  if (s->changes.room[0] + s->changes.room[1] > SCRATCH_KEPT || s->ids_room > SCRATCH_KEPT ||
      s->payload.cap > 64 * SCRATCH_KEPT || s->payload.failed)
    drop_buffers(s);
  s->changes.part[0].n = s->changes.part[1].n = 0;
  s->payload.len = 0;
}

/* ---- applying one --------------------------------------------------------------------------- */

/* The state of one commit. */
typedef struct commit {
  quad_txn *txn;
  quad_store *store;
  const quad_version *base;
  struct quad_scratch *scratch;
  size_t n_ids; /* scratch->ids[i] of local number i + 1: stored, or 0 while unknown */
  size_t n_terms;
  uint64_t terms_before, blanks_before;
  uint64_t bytes; /* of its run */
} commit;

/* Look up what the transaction called new: another commit may have interned it meanwhile. */
static quoin_status
find_locals(commit *c, quoin_error *err)
{
  void *items = c->scratch->ids;

  c->n_ids = (size_t)atom_local_count(c->txn->local);
  if (!c->n_ids) return QUOIN_OK;
  if (!base_reserve(c->scratch->mem, &items, &c->scratch->ids_room, c->n_ids, sizeof(atom_id)))
    return base_fail_nomem(err);
  c->scratch->ids = items;
  memset(items, 0, c->n_ids * sizeof(atom_id));
  for (size_t i = 0; i < c->n_ids; i++) {
    rdf_term term;
    quoin_status st;
    atom_local_read(&term, c->txn->local, atom_id_make(ATOM_LOCAL, i + 1));
    if (term.kind == RDF_BLANK) continue;
    if ((st = atom_find(&c->scratch->ids[i], c->store->atoms, &term, UINT64_MAX, err))) return st;
  }
  return QUOIN_OK;
}

bool
quad_txn_translate(quad *out, const quad *q, const atom_id *ids)
{
  for (unsigned k = 0; k < 4; k++) {
    out->term[k] = q->term[k];
    if (atom_id_kind(q->term[k]) != ATOM_LOCAL) continue;
    out->term[k] = ids[atom_id_payload(q->term[k]) - 1];
    if (!out->term[k].bits) return false;
  }
  return true;
}

static bool
translate(quad *out, const commit *c, const quad *q)
{
  return quad_txn_translate(out, q, c->scratch->ids);
}

/* Whether a commit since the transaction began changed what it scanned. */
static bool
scans_touched(const quad_txn *txn, const atom_id *ids)
{
  uint64_t since = txn->snapshot->version->number;

  for (size_t i = 0; i < txn->n_scans; i++) {
    quad_pattern p = txn->scans[i];
    /* a term that still is unknown is in no quad */
    if (quad_txn_translate(&p.match, &txn->scans[i].match, ids) &&
        quad_history_touches(txn->store->history, since, &p, 1))
      return true;
  }
  return false;
}

quoin_status
quad_txn_check_scans(const quad_txn *txn, const quad_version *now, const atom_id *ids,
                     quoin_error *err)
{
  if (now->number == txn->snapshot->version->number || (!txn->n && !txn->n_words)) return QUOIN_OK;
  if (txn->rebased && txn->n_scans)
    return base_fail(err, QUOIN_ERR_CONFLICT,
                     "the store was cleared or compacted after this transaction began to read: try "
                     "it again");
  if (!txn->rebased && scans_touched(txn, ids))
    return base_fail(err, QUOIN_ERR_CONFLICT,
                     "a later commit changed what this transaction has read: try it again");
  return QUOIN_OK;
}

/* CONFLICT when a pattern that was scanned has changed, or a quad that is removed was added or
 * removed since the transaction began. */
static quoin_status
find_conflict(const commit *c, quoin_error *err)
{
  const quad_version *now = c->base, *then = c->txn->snapshot->version;
  quoin_status checked = quad_txn_check_scans(c->txn, now, c->scratch->ids, err);

  if (checked || now->number == then->number) return checked;
  for (size_t i = 0; i < c->txn->n; i++) {
    const quad_change *ch = &c->txn->changes[i];
    uint64_t rec[4];
    unsigned part = ch->q.term[QUAD_G].bits ? QUAD_PART_NAMED : QUAD_PART_DEFAULT;
    uint8_t is = 0, was = 0;
    quad q;
    quoin_status st;
    if (!ch->remove) continue;
    was = ch->was;
    if (translate(&q, c, &ch->q)) {
      for (unsigned k = 0; k < 4; k++)
        rec[k] = q.term[k].bits;
      if ((st = quad_version_present(&is, now, part, rec, 1, 4, c->txn->mem, err))) return st;
      if (!c->txn->rebased &&
          (st = quad_version_present(&was, then, part, rec, 1, 4, c->txn->mem, err)))
        return st;
    }
    if (is != was)
      return base_fail(err, QUOIN_ERR_CONFLICT,
                       "a later commit changed a quad that this transaction removes: try it again");
  }
  return QUOIN_OK;
}

/* Give a stored id to each local term of `q`. */
static quoin_status
intern_quad(commit *c, const quad *q, quoin_error *err)
{
  for (unsigned k = 0; k < 4; k++) {
    rdf_term term;
    uint64_t before;
    atom_id *id;
    void *items = c->scratch->terms;
    quoin_status st;
    if (atom_id_kind(q->term[k]) != ATOM_LOCAL) continue;
    id = &c->scratch->ids[atom_id_payload(q->term[k]) - 1];
    if (id->bits) continue;
    atom_local_read(&term, c->txn->local, q->term[k]);
    if (term.kind == RDF_BLANK) {
      *id = atom_blank_new(c->store->atoms);
      continue;
    }
    if (!base_reserve(c->scratch->mem, &items, &c->scratch->terms_room, c->n_terms + 1,
                      sizeof(quad_new_term)))
      return base_fail_nomem(err);
    c->scratch->terms = items;
    before = atom_store_terms(c->store->atoms);
    if ((st = atom_intern(id, c->store->atoms, &term, err))) return st;
    if (atom_store_terms(c->store->atoms) != before)
      c->scratch->terms[c->n_terms++] = (quad_new_term){*id, term};
  }
  return QUOIN_OK;
}

/* Net changes in stored ids: those of known terms against the version first, then the quads that
 * cannot be there because a term is new. */
static quoin_status
gather(uint64_t *added, uint64_t *removed, commit *c, quoin_error *err)
{
  const quad_txn *txn = c->txn;
  quad q;
  quoin_status st;

  for (size_t i = 0; i < txn->n; i++)
    if (translate(&q, c, &txn->changes[i].q) &&
        (st = quad_changes_add(&c->scratch->changes, &q, txn->changes[i].remove, err)))
      return st;
  if ((st = quad_changes_net(added, removed, &c->scratch->changes, c->base, err))) return st;
  for (size_t i = 0; i < txn->n; i++) {
    const quad_change *ch = &txn->changes[i];
    bool fresh = false;
    for (unsigned k = 0; k < 4; k++) {
      /* a term interned a moment ago for another quad of this commit is still a new one */
      if (atom_id_kind(ch->q.term[k]) != ATOM_LOCAL) continue;
      atom_id id = c->scratch->ids[atom_id_payload(ch->q.term[k]) - 1];
      fresh |= !id.bits || (atom_id_kind(id) == ATOM_BLANK
                                ? atom_id_payload(id) > c->blanks_before
                                : !atom_id_is_inline(id) && atom_id_payload(id) > c->terms_before);
    }
    if (ch->remove || !fresh) continue;
    if ((st = intern_quad(c, &ch->q, err))) return st;
    (void)translate(&q, c, &ch->q);
    if ((st = quad_changes_add(&c->scratch->changes, &q, false, err))) return st;
    ++*added;
  }
  return QUOIN_OK;
}

/* The record of the commit and the version after it; *next stays NULL when nothing changes. All
 * that can fail for want of memory happens here, before the log. */
static quoin_status
prepare(quad_version **next, uint64_t *added, uint64_t *removed, commit *c, quoin_error *err)
{
  static const uint8_t spo[4] = {QUAD_S, QUAD_P, QUAD_O, QUAD_G};
  quad_store *store = c->store;
  struct quad_scratch *scratch = c->scratch;
  quoin_status st;

  if ((st = quad_store_may_write(store, err))) return st;
  if (c->txn->snapshot->version->atoms != store->shared && (st = quad_txn_rebase(c->txn, err)))
    return st;
  if ((st = find_locals(c, err))) return st;
  if ((st = find_conflict(c, err))) return st;
  if ((st = gather(added, removed, c, err))) return st;
  if (!*added && !*removed) return QUOIN_OK;
  for (unsigned part = 0; part < QUAD_PARTS; part++) { /* those of new terms came last */
    quad_records *r = &scratch->changes.part[part];
    quad_records_survey(r);
    if ((st = quad_records_sort(r, spo, r->keys, store->mem, err))) return st;
  }
  quad_changes_write(&scratch->payload, &scratch->changes, scratch->terms, c->n_terms,
                     atom_store_blanks(store->atoms));
  if (scratch->payload.failed) return base_fail_nomem(err);
  c->bytes = quad_changes_bytes(&scratch->changes, c->base->orders);
  st = quad_version_add_changes(next, c->base, &scratch->changes, store->mem, err);
  if (st) return st;
  (*next)->number++;
  (*next)->terms = atom_store_terms(store->atoms);
  return quad_store_judge(store, *next, &scratch->changes, err);
}

/* Apply `r` to what the group has so far. A failure that is not for all (POISONED follows from
 * those) leaves the group as it was. */
static void
apply(group *g, quad_request *r)
{
  quad_store *store = g->store;
  commit c = {.txn = r->txn, .store = store, .base = g->version, .scratch = store->scratch};
  quad_version *next = NULL;
  quoin_status st;

  c.terms_before = atom_store_terms(store->atoms);
  c.blanks_before = atom_store_blanks(store->atoms);
  st = prepare(&next, &r->added, &r->removed, &c, r->err);
  if (!st && next) {
    const base_buffer *b = &store->scratch->payload;
    st = quad_log_append(&store->log, b->data, b->len, r->err);
    if (st && st != QUOIN_ERR_NOMEM && st != QUOIN_ERR_NO_SPACE) (void)quad_store_poison(store, st);
  }
  if (!st && next && atomic_load(&store->open_txns) > 1) /* seq_cst: see begin() in txn.c */
    quad_history_add(store->history, next->number, &store->scratch->changes);
  else if (!st && next)
    quad_history_forget(store->history, next->number);
  reset_scratch(store->scratch);
  r->status = st;
  if (st) {
    if (next) quad_store_dropped(store, g->version->number, g->commits > 0);
    quad_version_release(next);
    atom_rollback(store->atoms, c.terms_before, c.blanks_before);
  } else if (next) {
    quad_version_release(g->version);
    g->version = next;
    g->commits++;
    g->bytes += c.bytes;
  }
}

/* ---- groups --------------------------------------------------------------------------------- */

/* What a sync takes, for the queue: of the last some. */
static void
note_sync(quad_store *store, uint64_t ns)
{
  uint64_t before = atomic_load_explicit(&store->queue.sync_ns, memory_order_relaxed);

  if (before) ns = before - before / 8 + (ns < 8 * before ? ns : 8 * before) / 8;
  atomic_store_explicit(&store->queue.sync_ns, ns, memory_order_relaxed);
}

/* Write what the group staged; make it durable as the store wants it. */
static quoin_status
log_group(quad_store *store, quoin_error *err)
{
  uint64_t syncs = store->log.syncs, now = 0;
  bool sync = store->durability == QUAD_SYNC_FULL;
  quoin_status st = quad_store_may_write(store, err); /* staging may have failed for good */

  if (st) return st;
  if (store->durability == QUAD_SYNC_RELAXED && !quad_executor_sync_later(store, RELAXED_NS)) {
    now = base_clock_ns();
    sync = now - store->synced_ns > RELAXED_NS;
  }
  if (store->durability == QUAD_SYNC_FULL) now = base_clock_ns();
  st = sync ? quad_log_sync(&store->log, err) : quad_log_flush(&store->log, err);
  if (store->durability == QUAD_SYNC_FULL)
    note_sync(store, base_clock_ns() - now);
  else if (sync)
    store->synced_ns = now;
  atomic_fetch_add_explicit(&store->log_syncs, store->log.syncs - syncs, memory_order_relaxed);
  atomic_store_explicit(&store->log_bytes, store->log.bytes, memory_order_relaxed);
  return quad_store_poison(store, st);
}

/* The log failed: no commit of the group is known to be safe, nor that what it found is. */
static void
fail_group(quad_request *first, quoin_status st, const quoin_error *why)
{
  for (quad_request *r = first; r; r = r->next) {
    if (r->status) continue;
    r->status = why->file[0] ? base_fail_at(r->err, st, why->file, why->offset, "%s", why->message)
                             : base_fail(r->err, st, "%s", why->message);
    if (r->err) r->err->os_errno = why->os_errno;
    r->added = r->removed = 0;
  }
}

uint64_t
quad_store_serve(quad_store *store, quad_request *first)
{
  group g = {.store = store, .version = quad_version_retain(store->version)};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;

  g.terms_before = atom_store_terms(store->atoms);
  g.blanks_before = atom_store_blanks(store->atoms);
  for (quad_request *r = first; r; r = r->next)
    apply(&g, r);
  if (g.commits) st = log_group(store, &err);
  if (st) {
    quad_store_dropped(store, store->version->number, false);
    atom_rollback(store->atoms, g.terms_before, g.blanks_before);
    fail_group(first, st, &err);
  } else if (g.commits) {
    quad_store_publish(store, quad_version_retain(g.version));
    quad_store_applied(store);
    atomic_fetch_add_explicit(&store->commits, g.commits, memory_order_relaxed);
  }
  quad_version_release(g.version);
  return st ? 0 : g.bytes;
}

quoin_status
quad_txn_commit(uint64_t *added, uint64_t *removed, quad_txn *txn, quoin_error *err)
{
  quad_store *store = txn->store;
  quad_request r = {.txn = txn, .err = err};
  uint64_t deadline = quad_store_patience(store);

  if (quad_txn_is_large(txn))
    r.status = quad_txn_adopt(&r.added, &r.removed, txn, err);
  else if (txn->writer)
    quad_store_maintain(store, quad_store_serve(store, &r));
  else if (!(r.status = quad_store_delay(store, deadline, NULL, err)))
    quad_queue_commit(store, &r, deadline);
  if (added) *added = r.status ? 0 : r.added;
  if (removed) *removed = r.status ? 0 : r.removed;
  quad_txn_abort(txn);
  return r.status;
}
