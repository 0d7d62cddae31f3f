#include "load/packet.h"
#include "vector/vector.h"

#include <assert.h>

#include "base/poison.h"

enum { SCAN_QUADS = 64, FIRST_SLOTS = 4096 };

quoin_status
load_packet_new(load_packet **out, const base_alloc *mem, quoin_error *err)
{
  load_packet *packet = base_new_zero(mem, 1, sizeof(*packet));

  *out = packet;
  if (!packet) return base_fail_nomem(err);
  packet->mem = mem;
  base_arena_init(&packet->text, mem);
  packet->n_slots = FIRST_SLOTS;
  packet->slots = base_new_zero(mem, packet->n_slots, sizeof(*packet->slots));
  packet->subject.bits = LOAD_REF_NONE;
  quoin_status st = rdfio_chunk_new(&packet->chunk, mem, err);
  if (!st && !packet->slots) st = base_fail_nomem(err);
  if (!st) return QUOIN_OK;
  load_packet_free(packet);
  *out = NULL;
  return st;
}

void
load_packet_free(load_packet *packet)
{
  if (!packet) return;
  const base_alloc *mem = packet->mem;
  rdfio_chunk_free(packet->chunk);
  base_release(mem, packet->terms, packet->cap_terms, sizeof(*packet->terms));
  base_release(mem, packet->hashes, packet->cap_hashes, sizeof(*packet->hashes));
  base_release(mem, packet->prepared, packet->cap_prepared, sizeof(*packet->prepared));
  base_release(mem, packet->quads, packet->cap_quads, sizeof(*packet->quads));
  base_release(mem, packet->slots, packet->n_slots, sizeof(*packet->slots));
  base_release(mem, packet->bad, packet->cap_bad, sizeof(*packet->bad));
  base_release(mem, packet->places, packet->cap_places, sizeof(*packet->places));
  base_release(mem, packet->said, packet->cap_said, sizeof(*packet->said));
  base_arena_clear(&packet->text);
  base_release(mem, packet, 1, sizeof(*packet));
}

void
load_packet_reset(load_packet *packet)
{
  base_arena_reset(&packet->text);
  packet->text_bytes = packet->n_terms = packet->n_quads = packet->n_bad = 0;
  packet->n_places = packet->n_said = 0;
  packet->subject.bits = LOAD_REF_NONE;
  packet->lines = packet->is_prepared = false;
  packet->n_lines = 0;
  packet->status = QUOIN_OK;
  memset(packet->slots, 0, packet->n_slots * sizeof(*packet->slots));
  memset(packet->recent, 0, sizeof(packet->recent));
}

/* ---- terms ------------------------------------------------------------------------------------
 */

/* The text of `to`, an equal of `from`, moves into the packet. */
static bool
copy_text(rdf_term *to, load_packet *packet)
{
  size_t bytes = to->value.len + to->datatype.len + to->lang.len;
  char *text = base_arena_bytes(&packet->text, bytes ? bytes : 1);
  quoin_span *part[3] = {&to->value, &to->datatype, &to->lang};

  if (!text) return false;
  for (size_t i = 0; i < 3; i++) {
    if (!part[i]->len) continue;
    memcpy(text, part[i]->ptr, part[i]->len);
    part[i]->ptr = text;
    text += part[i]->len;
  }
  packet->text_bytes += bytes;
  return true;
}

static quoin_status
append(uint32_t *out, load_packet *packet, const rdf_term *term, uint64_t hash, quoin_error *err)
{
  void *terms = packet->terms, *hashes = packet->hashes;
  size_t n = packet->n_terms;
  rdf_term kept = *term;

  if (n == UINT32_MAX - 1) return base_fail(err, QUOIN_ERR_LIMIT, "too many terms in one piece");
  bool room = base_reserve(packet->mem, &terms, &packet->cap_terms, n + 1, sizeof(*packet->terms));
  packet->terms = terms;
  room = room &&
         base_reserve(packet->mem, &hashes, &packet->cap_hashes, n + 1, sizeof(*packet->hashes));
  packet->hashes = hashes;
  if (!room || (!packet->lines && !copy_text(&kept, packet))) return base_fail_nomem(err);
  packet->terms[n] = kept;
  packet->hashes[n] = hash;
  *out = (uint32_t)n;
  packet->n_terms++;
  return QUOIN_OK;
}

static quoin_status
grow_slots(load_packet *packet, quoin_error *err)
{
  size_t n = packet->n_slots * 2;
  uint32_t *slots = base_new_zero(packet->mem, n, sizeof(*slots));

  if (!slots) return base_fail_nomem(err);
  for (size_t i = 0; i < packet->n_terms; i++) {
    size_t at = (size_t)packet->hashes[i] & (n - 1);
    while (slots[at])
      at = (at + 1) & (n - 1);
    slots[at] = (uint32_t)i + 1;
  }
  base_release(packet->mem, packet->slots, packet->n_slots, sizeof(*slots));
  packet->slots = slots;
  packet->n_slots = n;
  return QUOIN_OK;
}

/* The index of `term`, listed if it is not yet. */
static quoin_status
list(uint32_t *out, load_packet *packet, const rdf_term *term, quoin_error *err)
{
  uint64_t hash = atom_hash(term);
  quoin_status st;

  if (packet->n_terms >= packet->n_slots / 2 && (st = grow_slots(packet, err))) return st;
  size_t at = (size_t)hash & (packet->n_slots - 1);
  for (; packet->slots[at]; at = (at + 1) & (packet->n_slots - 1)) {
    *out = packet->slots[at] - 1;
    if (packet->hashes[*out] == hash && rdf_term_equal(&packet->terms[*out], term)) return QUOIN_OK;
  }
  if ((st = append(out, packet, term, hash, err))) return st;
  packet->slots[at] = *out + 1;
  return QUOIN_OK;
}

/* Cheap and good enough for IRIs, which differ in their ends: no byte but the last eight is read.
 */
static size_t
recent_slot(quoin_span iri)
{
  uint64_t tail = 0;
  if (iri.len >= 8)
    tail = base_load_u64(iri.ptr + iri.len - 8);
  else
    memcpy(&tail, iri.ptr, iri.len);
  tail = (tail ^ iri.len) * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(tail >> 40) & (LOAD_PACKET_RECENT - 1);
}

static quoin_status
add_term(load_ref *out, load_packet *packet, const rdf_term *term, quoin_error *err)
{
  uint32_t index = 0, *recent = NULL;
  quoin_status st;

  out->bits = LOAD_REF_NONE;
  if (term->kind == RDF_NONE) return QUOIN_OK;
  if (term->kind == RDF_LITERAL && term->datatype.len) {
    atom_id id = atom_inline(term);
    if (id.bits) {
      assert(id.bits & LOAD_REF_INLINE);
      out->bits = id.bits;
      return QUOIN_OK;
    }
  } else if (term->kind == RDF_IRI) {
    recent = &packet->recent[recent_slot(term->value)];
    const rdf_term *other = *recent ? &packet->terms[*recent - 1] : NULL;
    if (other && base_span_equal(other->value, term->value)) {
      out->bits = *recent - 1;
      return QUOIN_OK;
    }
  }
  if ((st = list(&index, packet, term, err))) return st;
  if (recent) *recent = index + 1;
  out->bits = index;
  return QUOIN_OK;
}

bool
load_is_said(const rdfio_quad *statement, const rdf_term *g)
{
  quoin_span verb = statement->term[1].value;
  if (g->kind != RDF_IRI || !base_span_is(g->value, VEC_SYSTEM_GRAPH)) return false;
  return base_span_is(verb, RDF_NS "type") ||
         (verb.len > strlen(RDF_VEC) && !memcmp(verb.ptr, RDF_VEC, strlen(RDF_VEC)));
}

/* What the next quad is beside its terms. */
static quoin_status
note_quad(load_packet *packet, const rdfio_quad *statement, const rdf_term *g, quoin_error *err)
{
  void *places = packet->places, *said = packet->said;

  const load_place place = {packet->n_quads, statement->line, statement->column};
  const bool says = load_is_said(statement, g);

  if (statement->line && (!says || vec_may_be(&statement->term[2]))) {
    bool room = base_reserve(packet->mem, &places, &packet->cap_places, packet->n_places + 1,
                             sizeof(*packet->places));
    packet->places = places;
    if (!room) return base_fail_nomem(err);
    packet->places[packet->n_places++] = place;
  }
  if (says) {
    bool room = base_reserve(packet->mem, &said, &packet->cap_said, packet->n_said + 1,
                             sizeof(*packet->said));
    packet->said = said;
    if (!room) return base_fail_nomem(err);
    packet->said[packet->n_said++] = place;
  }
  return QUOIN_OK;
}

quoin_status
load_packet_add(load_packet *packet, const rdfio_quad *statement, const rdf_term *graph,
                quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  void *quads = packet->quads;
  const rdf_term *s = &statement->term[0], *g = &statement->term[3];
  const rdf_term *last =
      packet->subject.bits == LOAD_REF_NONE ? NULL : &packet->terms[packet->subject.bits];

  if (!base_reserve(packet->mem, &quads, &packet->cap_quads, packet->n_quads + 1,
                    sizeof(*packet->quads)))
    return base_fail_nomem(err);
  packet->quads = quads;
  load_ref *refs = packet->quads[packet->n_quads];
  if (last && s->kind == last->kind && base_span_equal(s->value, last->value))
    refs[0] = packet->subject;
  else if ((st = add_term(&refs[0], packet, s, err)))
    return st;
  packet->subject = refs[0];
  if ((st = add_term(&refs[1], packet, &statement->term[1], err))) return st;
  if ((st = add_term(&refs[2], packet, &statement->term[2], err))) return st;
  if (g->kind == RDF_NONE && graph) g = graph;
  if ((st = add_term(&refs[3], packet, g, err))) return st;
  if ((st = note_quad(packet, statement, g, err))) return st;
  packet->n_quads++;
  return QUOIN_OK;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static quoin_status
note_bad(load_packet *packet, const quoin_error *bad, quoin_error *err)
{
  void *list = packet->bad;

  if (!base_reserve(packet->mem, &list, &packet->cap_bad, packet->n_bad + 1, sizeof(*packet->bad)))
    return base_fail_nomem(err);
  packet->bad = list;
  quoin_span message = base_arena_copy(&packet->text, base_span(bad->message));
  if (!message.ptr) return base_fail_nomem(err);
  packet->bad[packet->n_bad++] = (load_bad){bad->status, bad->line, bad->column, message};
  return QUOIN_OK;
}

void
load_packet_scan(load_packet *packet, const rdf_term *graph, const rdfio_read_options *read)
{
  rdfio_quad quads[SCAN_QUADS]; /* few, to stay in the first-level cache */
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st;
  size_t n;

  packet->lines = true;
  rdfio_chunk_set_check(packet->chunk, read->check, read->check_user);
  while ((st = rdfio_chunk_next(quads, &n, SCAN_QUADS, packet->chunk, &error)) != QUOIN_DONE) {
    for (size_t i = 0; !st && i < n; i++)
      st = load_packet_add(packet, &quads[i], graph, &error);
    if ((st == QUOIN_ERR_SYNTAX || st == QUOIN_ERR_CONSTRAINT) && read->lenient)
      st = note_bad(packet, &error, &error);
    if (st) break;
  }
  packet->n_lines = rdfio_chunk_line(packet->chunk) - 1;
  packet->status = st == QUOIN_DONE ? QUOIN_OK : st;
  packet->error = error;
}

void
load_packet_prepare(load_packet *packet, atom_store *atoms)
{
  void *prepared = packet->prepared;
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st;

  if (packet->status) return;
  if (base_reserve(packet->mem, &prepared, &packet->cap_prepared, packet->n_terms,
                   sizeof(*packet->prepared))) {
    packet->prepared = prepared;
    st = atom_prepare(packet->prepared, &packet->text, atoms, packet->terms, packet->hashes,
                      packet->n_terms, &error);
  } else {
    st = base_fail_nomem(&error);
  }
  packet->is_prepared = !st;
  packet->status = st;
  if (st) packet->error = error;
}
