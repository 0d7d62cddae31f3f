/* quadstore/participant.c - the participant of a store: attaching it, asking it. */
#include "quadstore/txn.h"

#include <assert.h>

#include "base/poison.h"

void
quad_store_attach(quad_store *store, const quad_participant *participant)
{
  assert(!store->participant.self && participant->self);
  store->participant = *participant;
}

void *
quad_snapshot_participant(const quad_snapshot *snapshot)
{
  return snapshot->store ? snapshot->store->participant.self : NULL;
}

const quad_snapshot *
quad_snapshot_begun(const quad_snapshot *snapshot)
{
  return snapshot->txn ? snapshot->txn->snapshot : snapshot;
}

void *
quad_snapshot_view(const quad_snapshot *snapshot)
{
  return snapshot->txn && snapshot->txn->own == snapshot ? snapshot->txn->view : NULL;
}

quoin_span
quad_store_section(const quad_store *store)
{
  return (quoin_span){(const char *)store->manifest.section, store->manifest.section_len};
}

/* The changes as quads: those that are added first. */
static void
list_changes(quad *quads, quad_delta *delta, const quad_changes *changes)
{
  size_t n = 0;

  for (unsigned pass = 0; pass < 2; pass++) {
    size_t from = n;
    for (unsigned part = 0; part < QUAD_PARTS; part++) {
      const quad_records *r = &changes->part[part];
      for (size_t i = 0; i < r->n; i++) {
        const uint64_t *rec = r->data + i * r->stride;
        if ((rec[r->keys] != 0) != pass) continue;
        quads[n] = (quad){.term = {{rec[0]}, {rec[1]}, {rec[2]}, {0}}};
        if (part == QUAD_PART_NAMED) quads[n].term[QUAD_G].bits = rec[3];
        n++;
      }
    }
    if (pass == 0) {
      delta->added = quads;
      delta->n_added = n;
    } else {
      delta->removed = quads + from;
      delta->n_removed = n - from;
    }
  }
}

quoin_status
quad_store_judge(quad_store *store, quad_version *next, const quad_changes *changes,
                 quoin_error *err)
{
  const quad_participant *p = &store->participant;
  size_t n = changes ? quad_changes_count(changes) : 0;
  quad_delta delta = {0};
  quad_snapshot *snapshot = NULL;
  quad *quads = NULL;
  quoin_status st;

  if (!p->judge) return QUOIN_OK;
  if (n && !(quads = base_new(store->mem, n, sizeof *quads))) return base_fail_nomem(err);
  if (changes) list_changes(quads, &delta, changes);
  st = quad_snapshot_make(&snapshot, quad_version_retain(next), store->mem, err);
  if (!st) st = p->judge(p->self, snapshot, &delta, err);
  quad_snapshot_release(snapshot);
  base_release(store->mem, quads, n, sizeof *quads);
  return st;
}

void
quad_store_applied(const quad_store *store)
{
  if (store->participant.applied) store->participant.applied(store->participant.self);
}

void
quad_store_dropped(const quad_store *store, uint64_t version, bool pending)
{
  const quad_participant *p = &store->participant;
  if (p->dropped) p->dropped(p->self, version, pending);
}

quoin_status
quad_store_take_section(quad_manifest *m, quad_store *store, quoin_error *err)
{
  const quad_participant *p = &store->participant;
  base_buffer section;
  quoin_status st = QUOIN_OK;

  base_buffer_init(&section, store->mem);
  if (m->atoms.generation != store->manifest.atoms.generation)
    assert(!section.len); /* other ids: what the section would name is no more */
  else if (p->checkpoint)
    st = p->checkpoint(&section, p->self, err);
  else
    base_buffer_add(&section, store->manifest.section, store->manifest.section_len);
  if (!st && section.failed) st = base_fail_nomem(err);
  m->section = NULL;
  m->section_len = 0;
  if (!st && section.len) {
    m->section = base_new(store->mem, section.len, 1);
    if (m->section) {
      memcpy(m->section, section.data, section.len);
      m->section_len = section.len;
    } else {
      st = base_fail_nomem(err);
    }
  }
  base_buffer_clear(&section);
  return st;
}
