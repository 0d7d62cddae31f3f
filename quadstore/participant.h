/* quadstore/participant.h - who takes part in commits and checkpoints: the vector indexes.
 *
 * One participant is attached to a store after it was opened and before it is used. What it keeps
 * beside the quads it can always make again from them; a section of the manifest, opaque to the
 * store, spares it that. What it has not been told of, because the log was replayed or somebody
 * opened the store without it, it finds by scanning a snapshot: the section should say of which
 * version it is. */
#ifndef QUOIN_QUADSTORE_PARTICIPANT_H
#define QUOIN_QUADSTORE_PARTICIPANT_H

#include "base/base.h"

struct quad_snapshot;
struct quad;

/* The net changes of one commit. NULL and 0 in all: a load, too many to list. */
typedef struct quad_delta {
  const struct quad *added, *removed;
  size_t n_added, n_removed;
} quad_delta;

typedef struct quad_participant {
  void *self;
  /* May the version that `next` shows be? As the writer, before the log is written or the manifest
   * swapped: readers go on. A status other than OK fails the commit or load. The commit may still
   * fail afterwards: see `dropped`. May be NULL. */
  quoin_status (*judge)(void *self, const struct quad_snapshot *next, const quad_delta *delta,
                        quoin_error *err);
  /* Versions were published. As the writer, or close to it; should be quick. May be NULL. */
  void (*applied)(void *self);
  /* What was judged above `version` will not be: the commit or load failed, at the judgement or
   * after. `pending`: others that were judged before are still to be published, or fail. As the
   * writer. May be NULL. */
  void (*dropped)(void *self, uint64_t version, bool pending);
  /* Make durable what there is, and write the section that names it. By the thread that makes the
   * checkpoint, before the manifest. May be NULL: no section. */
  quoin_status (*checkpoint)(base_buffer *section, void *self, quoin_error *err);
  /* Copy the files that the last checkpoint named into the directory, and write a section for them
   * there. *generation: of the atoms whose ids it holds (0: there is nothing). Any thread, beside
   * all else. May be NULL: a backup has no section. */
  quoin_status (*backup)(base_buffer *section, uint64_t *generation, void *self, const base_dir *to,
                         base_cancel *cancel, quoin_error *err);
  /* Verify the files that the last checkpoint named. Any thread, beside all else. CORRUPT names
   * file and offset. May be NULL. */
  quoin_status (*check)(void *self, base_cancel *cancel, quoin_error *err);
  /* Would checkpoint write something new? May be NULL: no. */
  bool (*is_unsaved)(void *self);
  /* A file of the directory: is it the participant's, and named by no section since the attach? */
  bool (*is_stale)(void *self, const char *name);
  /* A transaction that began with `begun` has changes to show: *out is what is kept of them, NULL:
   * nothing. May be NULL, with the two that follow. Any thread. */
  quoin_status (*view_new)(void **out, void *self, const struct quad_snapshot *begun,
                           quoin_error *err);
  /* Its view is about to have the quad, or not to have it any more; after a failure it may be said
   * again. By the transaction's thread, before it is in the snapshots. */
  quoin_status (*view_note)(void *view, const struct quad *q, bool removed, quoin_error *err);
  /* The transaction ends; it has no snapshots any more. */
  void (*view_free)(void *view);
  /* The store closes: end all threads. The last checkpoint is still to come. */
  void (*stop)(void *self);
  void (*close)(void *self); /* free all */
} quad_participant;

#endif /* QUOIN_QUADSTORE_PARTICIPANT_H */
