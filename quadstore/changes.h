/* quadstore/changes.h - quads to add and to remove: made net, logged, turned into a run. */
#ifndef QUOIN_QUADSTORE_CHANGES_H
#define QUOIN_QUADSTORE_CHANGES_H

#include "quadstore/sort.h"
#include "quadstore/store.h"

/* Records carry their sign. Each quad is there once, but for quad_changes_last. */
typedef struct quad_changes {
  const base_alloc *mem;
  quad_records part[QUAD_PARTS];
  size_t room[QUAD_PARTS];
} quad_changes;

void quad_changes_init(quad_changes *c, const base_alloc *mem);
void quad_changes_clear(quad_changes *c);
quoin_status quad_changes_add(quad_changes *c, const quad *q, bool remove, quoin_error *err);
static inline size_t
quad_changes_count(const quad_changes *c)
{
  return c->part[0].n + c->part[1].n;
}
/* Of changes that name a quad more than once: keep the last of each quad, sorted by SPO(G). */
quoin_status quad_changes_last(quad_changes *c, quoin_error *err);
/* Drop additions of what `v` has and removals of what it has not; counts the rest. */
quoin_status quad_changes_net(uint64_t *added, uint64_t *removed, quad_changes *c,
                              const quad_version *v, quoin_error *err);
/* What they are in memory, in those orders. */
uint64_t quad_changes_bytes(const quad_changes *c, uint32_t orders);

/* ---- fold.c --------------------------------------------------------------------------------- */

/* runs[0..n) in memory, neighbours from old to new, and net changes after them, sorted by SPO(G),
 * which are used up (NULL: none), as one run in memory; *out NULL when they cancel out. */
quoin_status quad_run_make(quad_run **out, quad_run *const *runs, size_t n, quad_changes *changes,
                           uint32_t orders, const base_alloc *mem, quoin_error *err);
/* Add net changes (not none), sorted by SPO(G), which are used up, to the newest memory runs of
 * `base`, merging small ones geometrically and more of them when there are too many: the next
 * version. */
quoin_status quad_version_add_changes(quad_version **out, const quad_version *base,
                                      quad_changes *changes, const base_alloc *mem,
                                      quoin_error *err);

/* A term that a commit interns. */
typedef struct quad_new_term {
  atom_id id;
  rdf_term term;
} quad_new_term;
/* The payload of a commit's log record. */
void quad_changes_write(base_buffer *out, const quad_changes *c, const quad_new_term *terms,
                        size_t n_terms, uint64_t blanks);

#endif /* QUOIN_QUADSTORE_CHANGES_H */
