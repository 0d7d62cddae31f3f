/* load/packet.h - statements on their way from the parser to the atoms.
 *
 * A packet lists each of its terms once, in the order of first occurrence and with its hash, so
 * that the interning side only probes. What has an id by itself (small numbers, dates) is not
 * listed. The text is that of a chunk of the input, or copied where the parser only lends it. */
#ifndef QUOIN_LOAD_PACKET_H
#define QUOIN_LOAD_PACKET_H

#include "rdfio/rdfio.h"

enum {
  LOAD_PACKET_QUADS = 8192,   /* with copied text: enough to hide the hand-over; ids, terms and */
  LOAD_PACKET_TEXT = 1 << 20, /* text fit the L2/L3 */
  LOAD_PACKET_CHUNK = 512 * 1024, /* bytes of lines */
  LOAD_PACKET_RECENT = 512        /* slots of the table of IRIs seen lately; a power of two */
};

/* What a place of a quad holds: the index of a term, nothing, or (top bit set) an inline id. */
typedef struct load_ref {
  uint64_t bits;
} load_ref;
#define LOAD_REF_NONE (UINT64_C(1) << 62)
#define LOAD_REF_INLINE (UINT64_C(1) << 63)

/* A bad line that was skipped; counted from 1 within the chunk. */
typedef struct load_bad {
  quoin_status status;
  uint64_t line, column;
  quoin_span message;
} load_bad;

/* A statement that its check asked about: which, and where its object stands. */
typedef struct load_place {
  size_t quad;
  uint64_t line, column;
} load_place;

typedef struct load_packet {
  const base_alloc *mem;
  rdfio_chunk *chunk; /* lines of the input */
  bool lines;         /* the text of the terms is in the chunk, else in `text` */
  base_arena text;
  size_t text_bytes;
  rdf_term *terms; /* in the order of first occurrence; blank nodes by label */
  uint64_t *hashes;
  atom_prepared *prepared; /* of each term, where `is_prepared` */
  bool is_prepared;
  size_t n_terms, cap_terms, cap_hashes, cap_prepared;
  load_ref (*quads)[4];
  size_t n_quads, cap_quads;
  uint32_t *slots; /* hash table: 1 + index into terms; 0: empty */
  size_t n_slots;
  uint32_t recent[LOAD_PACKET_RECENT]; /* the same, by the ends of IRIs */
  load_ref subject;                    /* of the last quad */
  load_place *places;                  /* ascending by quad; lines are those of the quads' */
  size_t n_places, cap_places;
  load_place *said; /* the same of quads that say something of an index; a line may be 0 */
  size_t n_said, cap_said;

  /* of lines: what the scan found */
  uint64_t n_lines;
  load_bad *bad; /* where lenient */
  size_t n_bad, cap_bad;
  quoin_status status; /* why it ended early */
  quoin_error error;
  size_t source; /* number of the input it is from */
} load_packet;

quoin_status load_packet_new(load_packet **out, const base_alloc *mem, quoin_error *err);
void load_packet_free(load_packet *packet);  /* NULL is fine */
void load_packet_reset(load_packet *packet); /* empty, keeps memory */

static inline bool
load_packet_is_full(const load_packet *packet)
{
  return packet->n_quads >= LOAD_PACKET_QUADS || packet->text_bytes >= LOAD_PACKET_TEXT;
}

/* Add one statement. `graph` (may be NULL) stands in for no graph. */
quoin_status load_packet_add(load_packet *packet, const rdfio_quad *statement,
                             const rdf_term *graph, quoin_error *err);
/* Does the statement, of graph `g`, say of its subject that it is an index, or which? */
bool load_is_said(const rdfio_quad *statement, const rdf_term *g);
/* Scan the lines of packet->chunk into it; of the options `lenient` and the check count. What goes
 * wrong is left in the packet: `status` with `error`, bad lines that are skipped in `bad`. Any
 * thread. */
void load_packet_scan(load_packet *packet, const rdf_term *graph, const rdfio_read_options *read);
/* Find the terms that the store has, and make of others what it will keep. As load_packet_scan. */
void load_packet_prepare(load_packet *packet, atom_store *atoms);

#endif /* QUOIN_LOAD_PACKET_H */
