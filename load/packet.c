#include "load/packet.h"

#include <assert.h>

#include "base/poison.h"

quoin_status
load_packet_init(load_packet *packet, const base_alloc *mem, quoin_error *err)
{
  *packet = (load_packet){.mem = mem, .subject_ref = {LOAD_REF_NONE}};
  base_arena_init(&packet->text, mem);
  packet->cap_terms = LOAD_PACKET_QUADS;
  packet->terms = base_new(mem, packet->cap_terms, sizeof(*packet->terms));
  packet->quads = base_new(mem, LOAD_PACKET_QUADS, sizeof(*packet->quads));
  return packet->terms && packet->quads ? QUOIN_OK : base_fail_nomem(err);
}

void
load_packet_clear(load_packet *packet)
{
  if (!packet->mem) return;
  base_release(packet->mem, packet->terms, packet->cap_terms, sizeof(*packet->terms));
  base_release(packet->mem, packet->quads, LOAD_PACKET_QUADS, sizeof(*packet->quads));
  base_arena_clear(&packet->text);
  *packet = (load_packet){0};
}

void
load_packet_reset(load_packet *packet)
{
  base_arena_reset(&packet->text);
  packet->text_bytes = packet->n_terms = packet->n_quads = 0;
  packet->subject_ref.bits = LOAD_REF_NONE;
  memset(packet->recent, 0, sizeof(packet->recent));
}

void
load_packet_batch_over(load_packet *packet)
{
  packet->subject_ref.bits = LOAD_REF_NONE;
}

/* Copy of `from` in the packet, appended to its terms. */
static quoin_status
append(load_ref *out, load_packet *packet, const rdf_term *from, quoin_error *err)
{
  size_t bytes = from->value.len + from->datatype.len + from->lang.len;
  void *terms = packet->terms;

  if (!base_reserve(packet->mem, &terms, &packet->cap_terms, packet->n_terms + 1,
                    sizeof(*packet->terms)))
    return base_fail_nomem(err);
  packet->terms = terms;
  char *text = base_arena_bytes(&packet->text, bytes ? bytes : 1);
  if (!text) return base_fail_nomem(err);
  rdf_term *to = &packet->terms[packet->n_terms];
  *to = (rdf_term){.kind = from->kind, .value = {text, from->value.len}};
  if (from->value.len) memcpy(text, from->value.ptr, from->value.len);
  text += from->value.len;
  if (from->datatype.len) {
    memcpy(text, from->datatype.ptr, from->datatype.len);
    to->datatype = (quoin_span){text, from->datatype.len};
  } else if (from->lang.len) {
    memcpy(text, from->lang.ptr, from->lang.len);
    to->lang = (quoin_span){text, from->lang.len};
  }
  packet->text_bytes += bytes;
  out->bits = packet->n_terms++;
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
add_iri(load_ref *out, load_packet *packet, const rdf_term *term, quoin_error *err)
{
  uint32_t *slot = &packet->recent[recent_slot(term->value)];

  if (*slot && base_span_equal(packet->terms[*slot - 1].value, term->value)) {
    out->bits = *slot - 1;
    return QUOIN_OK;
  }
  quoin_status st = append(out, packet, term, err);
  if (!st) *slot = (uint32_t)out->bits + 1;
  return st;
}

/* Parsed here, beside the writer's thread; the floats are in packet->text already. */
static quoin_status
add_vector(load_ref *out, load_packet *packet, const rdf_term *vector, quoin_error *err)
{
  void *terms = packet->terms;
  bool room = base_reserve(packet->mem, &terms, &packet->cap_terms, packet->n_terms + 1,
                           sizeof(*packet->terms));
  packet->terms = terms;
  if (!room) return base_fail_nomem(err);
  packet->terms[packet->n_terms] = *vector;
  packet->text_bytes += vector->value.len;
  out->bits = packet->n_terms++;
  return QUOIN_OK;
}

static quoin_status
add_term(load_ref *out, load_packet *packet, const rdf_term *term, load_blanks *blanks,
         quoin_error *err)
{
  switch (term->kind) {
  case RDF_NONE:
    out->bits = LOAD_REF_NONE;
    return QUOIN_OK;
  case RDF_IRI:
    return add_iri(out, packet, term, err);
  case RDF_BLANK: {
    uint64_t number = 0;
    quoin_status st = load_blanks_number(&number, blanks, term->value, err);
    out->bits = LOAD_REF_BLANK | number;
    return st;
  }
  case RDF_LITERAL: {
    rdf_term vector;
    quoin_status st = rdf_vector_of(&term, &vector, &packet->text, err);
    if (st) return st;
    return term == &vector ? add_vector(out, packet, term, err) : append(out, packet, term, err);
  }
  case RDF_VECTOR:
    break;
  }
  assert(false && "a term has one of these kinds");
  return base_fail(err, QUOIN_ERR_ARGUMENT, "a term of no known kind");
}

quoin_status
load_packet_add(load_packet *packet, const rdfio_quad *quad, const rdf_term *graph,
                load_blanks *blanks, quoin_error *err)
{
  assert(!load_packet_is_full(packet));
  load_ref *refs = packet->quads[packet->n_quads];
  const rdf_term *s = &quad->term[0];
  quoin_status st = QUOIN_OK;

  if (packet->subject_ref.bits != LOAD_REF_NONE && s->kind == packet->subject.kind &&
      base_span_equal(s->value, packet->subject.value)) {
    refs[0] = packet->subject_ref;
  } else {
    if ((st = add_term(&refs[0], packet, s, blanks, err))) return st;
    packet->subject = *s;
    packet->subject_ref = refs[0];
  }
  if ((st = add_term(&refs[1], packet, &quad->term[1], blanks, err))) return st;
  if ((st = add_term(&refs[2], packet, &quad->term[2], blanks, err))) return st;
  const rdf_term *g = &quad->term[3];
  if (g->kind == RDF_NONE && graph) g = graph;
  if ((st = add_term(&refs[3], packet, g, blanks, err))) return st;
  packet->blanks = blanks->last;
  packet->n_quads++;
  return QUOIN_OK;
}
