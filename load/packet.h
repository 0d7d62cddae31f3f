/* load/packet.h - statements on their way from the parser to the atoms.
 *
 * A packet owns the text of its terms. Terms are listed once where that is cheap to know (the
 * subject of the statement before, predicates, graphs and IRIs seen lately), so that the interning
 * side hashes less; a term may still be listed twice. Measured (two cores, CPU seconds of a whole
 * load): the table of terms seen lately takes 766 k real N-Quads from 0.62 to 0.52 s, 1 M triples
 * of a shop from 0.59 to 0.54 s. Blank nodes are numbers of their file. */
#ifndef QUOIN_LOAD_PACKET_H
#define QUOIN_LOAD_PACKET_H

#include "load/blanks.h"
#include "rdfio/rdfio.h"

enum {
  LOAD_PACKET_QUADS = 8192,   /* enough to hide the hand-over; ids, terms and text fit the L2/L3 */
  LOAD_PACKET_TEXT = 1 << 20, /* bytes of text after which a packet is full */
  LOAD_PACKET_RECENT = 512    /* slots of the table of terms seen lately; a power of two */
};

/* Where a term of a quad is: an index into terms, or a blank node, or none. */
typedef struct load_ref {
  uint64_t bits;
} load_ref;
#define LOAD_REF_NONE UINT64_MAX
#define LOAD_REF_BLANK (UINT64_C(1) << 63)

typedef struct load_packet {
  base_arena text;
  size_t text_bytes;
  rdf_term *terms; /* in the order of first occurrence */
  size_t n_terms, cap_terms;
  load_ref (*quads)[4];
  size_t n_quads;
  uint64_t blanks;                     /* highest blank node number of the load after this packet */
  uint32_t recent[LOAD_PACKET_RECENT]; /* 1 + index into terms; 0: empty */
  rdf_term subject; /* of the last quad, as the parser gave it: same batch only */
  load_ref subject_ref;
  const base_alloc *mem;
} load_packet;

quoin_status load_packet_init(load_packet *packet, const base_alloc *mem, quoin_error *err);
void load_packet_clear(load_packet *packet); /* a zeroed one is fine */
void load_packet_reset(load_packet *packet); /* empty, keeps memory */

static inline bool
load_packet_is_full(const load_packet *packet)
{
  return packet->n_quads == LOAD_PACKET_QUADS || packet->text_bytes >= LOAD_PACKET_TEXT;
}

/* Add one statement; the packet must not be full. `graph` (may be NULL) stands in for no graph. */
quoin_status load_packet_add(load_packet *packet, const rdfio_quad *quad, const rdf_term *graph,
                             load_blanks *blanks, quoin_error *err);
/* The text that the parser lent is gone: what was remembered of it by address is forgotten. */
void load_packet_batch_over(load_packet *packet);

#endif /* QUOIN_LOAD_PACKET_H */
