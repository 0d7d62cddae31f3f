/* quadstore/history.h - what recent commits changed, for transactions that scanned.
 *
 * A ring of changed quads with the version that changed them, kept only while a transaction beside
 * the one that commits is open. The writer's. When the ring is full the oldest go: a transaction
 * that began before them can no longer be judged, and counts as touched. */
#ifndef QUOIN_QUADSTORE_HISTORY_H
#define QUOIN_QUADSTORE_HISTORY_H

#include "quadstore/changes.h"

typedef struct quad_past {
  uint64_t version;
  quad q;
} quad_past;

typedef struct quad_history {
  const base_alloc *mem;
  uint64_t from; /* all changes of versions after this one are known */
  quad_past *items;
  size_t first, n, room; /* room: a power of two */
} quad_history;

/* `version` came from these net changes. Never fails: without memory the past is forgotten. */
void quad_history_add(quad_history *h, uint64_t version, const quad_changes *changes);
/* `version` is the newest, and nothing is known of how it came. */
void quad_history_forget(quad_history *h, uint64_t version);
/* Whether a version after `since` changed a quad that matches one of the patterns (ids as stored),
 * or may have. */
bool quad_history_touches(const quad_history *h, uint64_t since, const quad_pattern *patterns,
                          size_t n);

#endif /* QUOIN_QUADSTORE_HISTORY_H */
