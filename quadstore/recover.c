/* quadstore/recover.c - replaying the log.
 *
 * A record says which id each of its terms had. Interning them again in the same order gives the
 * same ids as long as the atom store is deterministic; where it does not, a table maps the logged
 * id to the one it has now. Nothing outside the log has seen the old ones. */
#include "quadstore/changes.h"

#include "base/poison.h"

typedef struct replay {
  quad_store *store;
  quad_version *version; /* with what was replayed so far */
  uint64_t *map;         /* pairs logged id -> id now, open addressing by logged id */
  size_t map_slots, map_used;
} replay;

typedef struct reader {
  const uint8_t *at, *end;
  const char *file;
  uint64_t offset;
  const uint8_t *start;
} reader;

static quoin_status
bad_record(const reader *r, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, r->file, r->offset + (uint64_t)(r->at - r->start),
                      "log record has a right checksum but contradicts itself");
}

static bool
read_u64(uint64_t *out, reader *r)
{
  if (r->end - r->at < 8) return false;
  *out = base_load_u64(r->at);
  r->at += 8;
  return true;
}

static bool
read_span(quoin_span *out, reader *r)
{
  uint64_t len;

  if (!base_varint_read(&len, &r->at, r->end) || len > (uint64_t)(r->end - r->at)) return false;
  *out = (quoin_span){(const char *)r->at, (size_t)len};
  r->at += len;
  return true;
}

static uint64_t *
map_slot(uint64_t *map, size_t slots, uint64_t id)
{
  size_t at = (size_t)base_mix(id) & (slots - 1);

  while (map[2 * at] && map[2 * at] != id)
    at = (at + 1) & (slots - 1);
  return map + 2 * at;
}

static quoin_status
map_add(replay *p, uint64_t from, uint64_t to, quoin_error *err)
{
  const base_alloc *mem = p->store->mem;
  uint64_t *slot;

  if (p->map_used * 2 >= p->map_slots) {
    size_t slots = p->map_slots ? p->map_slots * 2 : 64;
    uint64_t *map = base_new_zero(mem, slots, 16);
    if (!map) return base_fail_nomem(err);
    for (size_t i = 0; i < p->map_slots; i++)
      if (p->map[2 * i]) memcpy(map_slot(map, slots, p->map[2 * i]), p->map + 2 * i, 16);
    base_release(mem, p->map, p->map_slots, 16);
    p->map = map;
    p->map_slots = slots;
  }
  slot = map_slot(p->map, p->map_slots, from);
  p->map_used += !slot[0];
  slot[0] = from;
  slot[1] = to;
  return QUOIN_OK;
}

static quoin_status
replay_terms(replay *p, reader *r, quoin_error *err)
{
  uint64_t n;

  if (!base_varint_read(&n, &r->at, r->end)) return bad_record(r, err);
  for (uint64_t i = 0; i < n; i++) {
    rdf_term term = {RDF_NONE, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    uint64_t logged;
    atom_id id;
    quoin_status st;
    if (!read_u64(&logged, r) || r->at == r->end || !logged) return bad_record(r, err);
    term.kind = (rdf_kind)*r->at++;
    if ((term.kind != RDF_IRI && term.kind != RDF_LITERAL && term.kind != RDF_VECTOR) ||
        !read_span(&term.value, r) || !read_span(&term.datatype, r) || !read_span(&term.lang, r))
      return bad_record(r, err);
    if (term.kind == RDF_VECTOR && !rdf_vector_is_normal(term.value)) return bad_record(r, err);
    if ((st = atom_intern(&id, p->store->atoms, &term, err))) return st;
    if (id.bits != logged && (st = map_add(p, logged, id.bits, err))) return st;
  }
  return QUOIN_OK;
}

/* An id of a record must be one that the store has by now. */
static bool
known_id(const replay *p, atom_id id)
{
  atom_kind kind = atom_id_kind(id);

  if (atom_id_is_inline(id)) return true;
  if (kind == ATOM_BLANK)
    return atom_id_payload(id) && atom_id_payload(id) <= atom_store_blanks(p->store->atoms);
  return kind >= ATOM_IRI && kind < ATOM_PREFIX && atom_id_payload(id) &&
         atom_id_payload(id) <= atom_store_terms(p->store->atoms);
}

static quoin_status
replay_quads(quad_changes *c, replay *p, reader *r, quoin_error *err)
{
  uint64_t n;

  if (!base_varint_read(&n, &r->at, r->end)) return bad_record(r, err);
  for (uint64_t i = 0; i < n; i++) {
    quad q;
    bool remove;
    quoin_status st;
    if (r->end - r->at < 33) return bad_record(r, err);
    remove = *r->at++ != 0;
    for (unsigned k = 0; k < 4; k++) {
      (void)read_u64(&q.term[k].bits, r);
      if (p->map_slots) {
        const uint64_t *slot = map_slot(p->map, p->map_slots, q.term[k].bits);
        if (q.term[k].bits && slot[0]) q.term[k].bits = slot[1];
      }
      if (!(k == QUAD_G && !q.term[k].bits) && !known_id(p, q.term[k])) return bad_record(r, err);
    }
    if ((st = quad_changes_add(c, &q, remove, err))) return st;
  }
  return r->at == r->end ? QUOIN_OK : bad_record(r, err);
}

static quoin_status
replay_record(void *user, const uint8_t *payload, size_t len, const char *file, uint64_t offset,
              quoin_error *err)
{
  replay *p = user;
  const base_alloc *mem = p->store->mem;
  reader r = {payload, payload + len, file, offset, payload};
  quad_changes changes;
  quad_run *run = NULL;
  quad_version *next = NULL;
  uint64_t blanks, added, removed;
  quoin_status st;

  quad_changes_init(&changes, mem);
  if (!len || *r.at++ != 1 || !read_u64(&blanks, &r)) {
    st = bad_record(&r, err);
    goto done;
  }
  if (blanks >> 58) {
    st = bad_record(&r, err);
    goto done;
  }
  atom_blank_reserve(p->store->atoms, blanks);
  if ((st = replay_terms(p, &r, err))) goto done;
  if ((st = replay_quads(&changes, p, &r, err))) goto done;
  if ((st = quad_changes_net(&added, &removed, &changes, p->version, err))) goto done;
  if (!added && !removed) goto done;
  if ((st = quad_changes_run(&run, &changes, p->version->orders, err))) goto done;
  if ((st = quad_version_add_memory(&next, p->version, run, mem, err))) goto done;
  next->number++;
  next->terms = atom_store_terms(p->store->atoms);
  quad_version_release(p->version);
  p->version = next;

done:
  quad_run_release(run);
  quad_changes_clear(&changes);
  return st;
}

quoin_status
quad_store_recover(quad_store *store, uint64_t *records, quoin_error *err)
{
  replay p = {.store = store, .version = quad_version_retain(store->version)};
  quad_log_replay result;
  quoin_status st;

  atom_store_writer_enter(store->atoms);
  st = quad_log_read(
      &result, &store->dir, store->manifest.log_first, quad_manifest_log_lineage(&store->manifest),
      quad_manifest_log_sequence(&store->manifest), replay_record, &p, store->mem, err);
  *records = result.records;
  if (st) goto done;
  if (result.cut_offset != UINT64_MAX && !store->read_only)
    quad_store_say(store, "recovery: the torn end of log-%llu was dropped from byte %llu on",
                   (unsigned long long)result.cut_segment, (unsigned long long)result.cut_offset);
  quad_version_release(store->version);
  store->version = p.version;
  p.version = NULL;
  store->log.segment = store->manifest.log_first + result.segments;
  if (store->read_only || !result.segments) goto done;
  quad_store_say(store, "recovery: %llu commits were replayed from the log",
                 (unsigned long long)result.records);
  st = quad_store_save(store, NULL, err);

done:
  atom_store_writer_leave(store->atoms);
  quad_version_release(p.version);
  base_release(store->mem, p.map, p.map_slots, 16);
  return st;
}
