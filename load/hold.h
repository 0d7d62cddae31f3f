/* load/hold.h - vectors of predicates that were no indexes when the load began. Private.
 *
 * Whether they fit is known when all of the input is read, because its own statements may declare
 * the index, before them or after, in this file or in another. So their quads are kept back till
 * then, each with its place: about ten bytes a vector. docs/adrs/0042-vectors-before-their-index.md
 */
#ifndef QUOIN_LOAD_HOLD_H
#define QUOIN_LOAD_HOLD_H

#include "load/packet.h"
#include "vector/vector.h"

/* A quad that was kept back, and where its object stands. */
typedef struct load_held {
  quad quad;
  uint64_t source, line, column;
} load_held;

/* The load's own statement about an index; its line is 0 if it is not known. `order`: that of the
 * input. */
typedef struct load_said {
  load_held held;
  size_t order;
} load_said;

struct load_hold_block;

typedef struct load_hold {
  const base_alloc *mem;
  struct load_hold_block *first, *last;
  load_held before; /* what the next is written against, in this block */
  uint64_t n;
  uint64_t bytes; /* of memory */
  load_said *said;
  size_t n_said, cap_said;
  load_held bad; /* of a declaration that is not good: where it stands, if `is_bad` */
  bool is_bad;
} load_hold;

void load_hold_init(load_hold *hold, const base_alloc *mem);
void load_hold_clear(load_hold *hold); /* a zeroed one is fine */

/* Keep back those of the packet's quads whose places were asked for: `quads`, *n of them, become
 * the others. `lines`: what to add to the lines of places. */
quoin_status load_hold_take(size_t *n, load_hold *hold, quad *quads, const load_packet *packet,
                            uint64_t lines, quoin_error *err);

/* Who gets what was kept back, in the order of the input. */
typedef struct load_hold_sink {
  void *user;
  quoin_status (*add)(void *user, const quad *quads, size_t n, quoin_error *err);
  /* A vector that does not fit: `why` names index and subject. A status other than OK ends it. */
  quoin_status (*refuse)(void *user, const load_held *held, const quoin_error *why,
                         quoin_error *err);
} load_hold_sink;

/* All is read. `snapshot`: the store without the load; `terms`: those of the quads. CONSTRAINT,
 * too, for a declaration that is not good: hold->bad says where. */
quoin_status load_hold_release(load_hold *hold, const quad_snapshot *snapshot,
                               const vec_terms *terms, const load_hold_sink *sink,
                               base_cancel *cancel, quoin_error *err);

#endif /* QUOIN_LOAD_HOLD_H */
