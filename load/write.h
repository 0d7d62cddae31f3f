/* load/write.h - from packets to quads in the store: the side that is the writer. Private.
 *
 * Packets are taken in the order of the input, and terms stand in a packet in the order of first
 * occurrence, so ids do not depend on how the input was cut. */
#ifndef QUOIN_LOAD_WRITE_H
#define QUOIN_LOAD_WRITE_H

#include "load/blanks.h"
#include "load/hold.h"

/* A vector that was kept back does not fit: its place is in `error`. OK: it is passed over. */
typedef quoin_status (*load_refuse_fn)(void *user, uint64_t source, quoin_error *error);

/* Put the name of the input into *err. */
typedef void (*load_name_fn)(void *user, uint64_t source, quoin_error *err);

typedef struct load_writer {
  quad_store *store;
  const base_alloc *mem;
  load_refuse_fn refuse;
  load_name_fn name;
  void *refuse_user; /* of both */
  quad_bulk *bulk;
  load_blanks blanks;
  size_t source; /* of the last packet: a new one is a new scope of labels */
  uint64_t line; /* lines of that source before the next packet */
  load_hold hold;
  atom_id *ids; /* of the packet's terms */
  quad *quads;  /* of the packet */
  size_t cap_ids, cap_quads;
  uint64_t blank_before; /* number of the load's blank node n is blank_before + n */
  uint64_t blanks_made;
  uint64_t added, refused;
  uint64_t text_total, text_taken; /* bytes of lines in all, or 0: unknown; and so far */
  uint64_t terms_before;
} load_writer;

void load_writer_init(load_writer *w, quad_store *store, load_refuse_fn refuse, load_name_fn name,
                      void *refuse_user, const base_alloc *mem);
void load_writer_clear(load_writer *w); /* a zeroed one is fine */

/* A bulk load: the thread that begins it does the rest and ends it. */
quoin_status load_writer_begin(load_writer *w, uint64_t memory_bytes, unsigned threads,
                               quoin_error *err);
/* Add the quads of a packet. What went wrong in its parsing is returned, with the line in the
 * input. */
quoin_status load_writer_take(load_writer *w, const load_packet *packet, quoin_error *err);
/* Ends the bulk load whatever it returns; abandons it unless `commit`. */
quoin_status load_writer_end(load_writer *w, bool commit, base_cancel *cancel, quoin_error *err);

/* The same for a small load, through log and memory runs: all n packets in one commit. */
quoin_status load_writer_commit(load_writer *w, load_packet *const *packets, size_t n,
                                base_cancel *cancel, quoin_error *err);

#endif /* QUOIN_LOAD_WRITE_H */
