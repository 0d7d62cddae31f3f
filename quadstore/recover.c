/* quadstore/recover.c - replaying the log.
 *
 * A record says which id each of its terms had. Interning them again in the same order gives the
 * same ids as long as the atom store is deterministic; where it does not, a table maps the logged
 * id to the one it has now. Nothing outside the log has seen the old ones.
 *
 * Many records become one run: of each quad the last record that names it says whether it is there
 * afterwards. */
#include "quadstore/changes.h"

#include "base/poison.h"

/* Changes that become a run: 20 MB, and twice that while they are sorted. */
enum { BATCH_QUADS = 1 << 18 };

typedef struct replay {
  const base_alloc *mem;
  atom_store *atoms;
  quad_version *version; /* with what was replayed so far, but for: */
  quad_changes batch;
  uint64_t records; /* in the batch */
  quad_id_map *map;
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
map_add(quad_id_map *map, uint64_t from, uint64_t to, const base_alloc *mem, quoin_error *err)
{
  uint64_t *slot;

  if (map->used * 2 >= map->slots) {
    size_t slots = map->slots ? map->slots * 2 : 64;
    uint64_t *pairs = base_new_zero(mem, slots, 16);
    if (!pairs) return base_fail_nomem(err);
    for (size_t i = 0; i < map->slots; i++)
      if (map->pairs[2 * i])
        memcpy(map_slot(pairs, slots, map->pairs[2 * i]), map->pairs + 2 * i, 16);
    base_release(mem, map->pairs, map->slots, 16);
    map->pairs = pairs;
    map->slots = slots;
  }
  slot = map_slot(map->pairs, map->slots, from);
  map->used += !slot[0];
  slot[0] = from;
  slot[1] = to;
  return QUOIN_OK;
}

void
quad_id_map_clear(quad_id_map *map, const base_alloc *mem)
{
  base_release(mem, map->pairs, map->slots, 16);
  *map = (quad_id_map){0};
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
    if ((st = atom_intern(&id, p->atoms, &term, err))) return st;
    if (id.bits != logged && (st = map_add(p->map, logged, id.bits, p->mem, err))) return st;
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
    return atom_id_payload(id) && atom_id_payload(id) <= atom_store_blanks(p->atoms);
  return kind >= ATOM_IRI && kind < ATOM_PREFIX && atom_id_payload(id) &&
         atom_id_payload(id) <= atom_store_terms(p->atoms);
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
      if (p->map->slots) {
        const uint64_t *slot = map_slot(p->map->pairs, p->map->slots, q.term[k].bits);
        if (q.term[k].bits && slot[0]) q.term[k].bits = slot[1];
      }
      if (!(k == QUAD_G && !q.term[k].bits) && !known_id(p, q.term[k])) return bad_record(r, err);
    }
    if ((st = quad_changes_add(c, &q, remove, err))) return st;
  }
  return r->at == r->end ? QUOIN_OK : bad_record(r, err);
}

/* The version after the batch. */
static quoin_status
apply_batch(replay *p, quoin_error *err)
{
  quad_version *next = NULL;
  uint64_t added, removed;
  quoin_status st;

  if (!p->records) return QUOIN_OK;
  if ((st = quad_changes_last(&p->batch, err))) return st;
  if ((st = quad_changes_net(&added, &removed, &p->batch, p->version, err))) return st;
  if (added || removed) {
    st = quad_version_add_changes(&next, p->version, &p->batch, p->mem, err);
  } else if (!(st = quad_version_like(&next, p->version, p->version->n_runs, p->mem, err))) {
    for (size_t i = 0; i < p->version->n_runs; i++)
      quad_version_push(next, p->version->runs[i]);
  }
  if (st) return st;
  next->number += p->records;
  next->terms = atom_store_terms(p->atoms);
  quad_version_release(p->version);
  p->version = next;
  p->batch.part[0].n = p->batch.part[1].n = 0;
  p->records = 0;
  return QUOIN_OK;
}

static quoin_status
replay_record(void *user, const uint8_t *payload, size_t len, const char *file, uint64_t offset,
              quoin_error *err)
{
  replay *p = user;
  reader r = {payload, payload + len, file, offset, payload};
  size_t before = quad_changes_count(&p->batch);
  uint64_t blanks;
  quoin_status st;

  if (!len || *r.at++ != 1 || !read_u64(&blanks, &r) || blanks >> 58) return bad_record(&r, err);
  atom_blank_reserve(p->atoms, blanks);
  if ((st = replay_terms(p, &r, err))) return st;
  if ((st = replay_quads(&p->batch, p, &r, err))) return st;
  p->records += quad_changes_count(&p->batch) != before;
  return quad_changes_count(&p->batch) < BATCH_QUADS ? QUOIN_OK : apply_batch(p, err);
}

quoin_status
quad_replay(quad_version **out, quad_log_replay *result, quad_reading *reading,
            const quad_version *from, const quad_manifest *m, const base_dir *dir,
            const base_alloc *mem, quoin_error *err)
{
  replay p = {.mem = mem, .atoms = from->atoms->store, .map = &reading->replaced};
  quad_log_place place = reading->place; /* moves only when all went well */
  quoin_status st = quad_version_like(&p.version, from, from->n_runs, mem, err);

  *out = NULL;
  if (st) return st;
  for (size_t i = 0; i < from->n_runs; i++)
    quad_version_push(p.version, from->runs[i]);
  quad_changes_init(&p.batch, mem);
  atom_store_writer_enter(p.atoms);
  st =
      quad_log_read(result, &place, dir, quad_manifest_log_lineage(m), replay_record, &p, mem, err);
  if (!st) st = apply_batch(&p, err);
  atom_store_writer_leave(p.atoms);
  quad_changes_clear(&p.batch);
  if (st) {
    quad_version_release(p.version);
    return st;
  }
  reading->place = place;
  *out = p.version;
  return QUOIN_OK;
}

quoin_status
quad_store_recover(quad_store *store, quoin_error *err)
{
  const quad_manifest *m = &store->manifest;
  quad_reading reading = {.place = {m->log_first, 0, quad_manifest_log_sequence(m)}};
  quad_log_replay result;
  quad_version *next = NULL;
  quoin_status st;

  st = quad_replay(&next, &result, &reading, store->version, m, &store->dir, store->mem, err);
  quad_id_map_clear(&reading.replaced, store->mem);
  if (st) return st;
  if (result.cut_offset != UINT64_MAX)
    quad_store_say(store, "recovery: the %s end of log-%llu was dropped from byte %llu on%s",
                   result.damaged ? "damaged" : "torn", (unsigned long long)result.cut_segment,
                   (unsigned long long)result.cut_offset,
                   result.damaged ? ": a commit that had returned may be lost" : "");
  quad_version_release(store->version);
  store->version = next;
  store->log.segment = m->log_first + result.segments;
  if (!result.segments) return QUOIN_OK;
  quad_store_say(store, "recovery: %llu commits were replayed from the log",
                 (unsigned long long)result.records);
  atom_store_writer_enter(store->atoms);
  st = quad_store_save(store, NULL, err);
  atom_store_writer_leave(store->atoms);
  return st;
}
