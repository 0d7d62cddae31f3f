/* quadstore/store.h - the open store: manifest, log, lock, current version. */
#ifndef QUOIN_QUADSTORE_STORE_H
#define QUOIN_QUADSTORE_STORE_H

#include "quadstore/version.h"

/* ---- manifest ------------------------------------------------------------------------------- */

typedef struct quad_run_ref {
  uint64_t generation, bytes, footer_hash;
} quad_run_ref;

/* What the body file manifest-<generation> holds. */
typedef struct quad_manifest {
  uint64_t generation;
  uint64_t lineage; /* hash of this manifest's ancestors: the store id of log records */
  uint64_t version; /* number of the version it holds */
  uint32_t orders;
  atom_marks atoms;
  uint64_t log_first; /* the first log segment not contained in the runs */
  uint64_t next_run;  /* generation of the next run file */
  quad_run_ref *runs;
  size_t n_runs;
} quad_manifest;

enum { QUAD_FORMAT = 1 };

/* The newest manifest of `dir`. NOT_FOUND when there is no file `manifest`. A bad slot is restored
 * from the other one when `repair`. */
quoin_status quad_manifest_read(quad_manifest *out, const base_dir *dir, bool repair,
                                const base_alloc *mem, quoin_error *err);
/* Make `m` (its generation is new) the current one: body, directory, both slots, each synced. Fills
 * m->lineage from that of the manifest before it. */
quoin_status quad_manifest_write(quad_manifest *m, const base_dir *dir, const base_alloc *mem,
                                 quoin_error *err);
void quad_manifest_clear(quad_manifest *m, const base_alloc *mem);

/* ---- log ------------------------------------------------------------------------------------ */

typedef struct quad_log {
  const base_dir *dir;
  base_file file;
  uint64_t segment;   /* number of `file`, or of the next one to be made */
  uint64_t offset;    /* where the next record goes */
  uint64_t allocated; /* length of the file */
  uint64_t lineage;
  uint64_t sequence;  /* of the next record */
  uint64_t synced;    /* last sequence known to be durable */
  uint64_t bytes;     /* of records in all segments since the checkpoint */
  uint64_t syncs;     /* made so far */
  base_buffer staged; /* records that end at `offset` and are not written yet */
} quad_log;

void quad_log_init(quad_log *log, const base_dir *dir, uint64_t segment, uint64_t lineage,
                   const base_alloc *mem);
/* Stage one record, with room for it in the file. Makes the segment when there is none. NOMEM and
 * NO_SPACE leave the log as it was; after any other failure it can be used no more. */
quoin_status quad_log_append(quad_log *log, const void *payload, size_t len, quoin_error *err);
/* Write what is staged. After a failure the log can be used no more. */
quoin_status quad_log_flush(quad_log *log, quoin_error *err);
/* Flush, and make all of it durable. */
quoin_status quad_log_sync(quad_log *log, quoin_error *err);
void quad_log_close(quad_log *log);

/* Call `each` with the payload of every complete record of the segments from `first` on. What
 * follows the last one is a torn tail unless a later header names it as synced (CORRUPT). *segments
 * counts the segments there are, *cut tells where a tail was dropped (UINT64_MAX: nowhere). */
typedef struct quad_log_replay {
  uint64_t records, segments, bytes;
  uint64_t cut_segment, cut_offset;
} quad_log_replay;
quoin_status
quad_log_read(quad_log_replay *out, const base_dir *dir, uint64_t first, uint64_t lineage,
              quoin_status (*each)(void *user, const uint8_t *payload, size_t len, const char *file,
                                   uint64_t offset, quoin_error *err),
              void *user, const base_alloc *mem, quoin_error *err);

/* ---- the store ------------------------------------------------------------------------------ */

typedef struct quad_request quad_request; /* a commit in the queue: commit.c */

enum { QUAD_MEMORY_RUNS = 16, QUAD_DISK_RUNS = 8 };

struct quad_store {
  base_alloc alloc;
  const base_alloc *mem; /* &alloc */
  base_dir dir;
  base_file lock;
  bool read_only;
  quad_durability durability;
  uint64_t memory_bytes;
  void (*log_line)(void *user, const char *line);
  void *log_user;

  base_mutex writer;      /* being the writer */
  base_mutex maintenance; /* checkpoint, load */
  base_rwlock publish;    /* guards `version` */
  quad_version *version;
  /* What new ids come from; replaced by clear and compact, with writer role and manifest lock. For
   * the writer: others go through a version. */
  quad_atoms *shared;
  atom_store *atoms; /* shared->store */

  /* the writer's */
  quad_manifest manifest;
  quad_log log;
  struct quad_scratch *scratch; /* commit.c */
  struct quad_history *history; /* history.h */
  uint64_t spills;              /* names of unpublished runs */
  uint64_t synced_ns;           /* when the log was last synced, QUAD_SYNC_RELAXED */
  _Atomic uint32_t poisoned;    /* a write or sync failed */
  _Atomic uint64_t saved;       /* version number of the manifest */
  _Atomic uint64_t log_bytes, commits, log_syncs; /* for statistics */

  _Atomic uint64_t open_txns;

  /* commits that wait for the writer */
  base_mutex queue;
  base_cond served; /* a group has ended */
  quad_request *first, **last;
  bool leading; /* a thread serves the queue, or is about to */
};

void quad_store_say(const quad_store *store, const char *fmt, ...) QUOIN_PRINTF(2, 3);

/* Buffers that commits use in turn. */
quoin_status quad_scratch_new(struct quad_scratch **out, const base_alloc *mem, quoin_error *err);
void quad_scratch_free(struct quad_scratch *scratch); /* NULL is fine */
quoin_status quad_history_new(struct quad_history **out, const base_alloc *mem, quoin_error *err);
void quad_history_free(struct quad_history *h); /* NULL is fine */

/* READ_ONLY or POISONED, or OK. */
quoin_status quad_store_may_write(const quad_store *store, quoin_error *err);
/* Remember that a write failed, unless `st` is OK; returns st. */
quoin_status quad_store_poison(quad_store *store, quoin_status st);

/* Be the writer: the mutex and the atom store's role. */
void quad_store_enter(quad_store *store);
/* The same, as long as `cancel` (may be NULL) allows waiting for it. */
quoin_status quad_store_enter_within(quad_store *store, base_cancel *cancel, quoin_error *err);
void quad_store_leave(quad_store *store);

/* A reference to the current version. */
quad_version *quad_store_version(quad_store *store);
/* Make `version` (taken over) the current one. */
void quad_store_publish(quad_store *store, quad_version *version);

/* With the writer role: everything into runs on disk, a new manifest of `version` (retained;
 * published when it is durable) and no log. */
quoin_status quad_store_checkpoint(quad_store *store, quoin_error *err);
/* With the writer role: the current runs (merged into at most QUAD_DISK_RUNS) and, when not NULL,
 * the run file `extra` become the manifest. */
quoin_status quad_store_save(quad_store *store, quad_run *extra, quoin_error *err);
/* With the writer role and the manifest lock: make `next` (taken over, on failure too) the store's,
 * durably; its runs are on disk. Its atom store becomes the one that new ids come from. */
quoin_status quad_store_replace(quad_store *store, quad_version *next, quoin_error *err);
/* Unlink what belongs to no manifest. */
quoin_status quad_store_collect(quad_store *store, quoin_error *err);

/* Replay the log onto the store's version. *records counts. */
quoin_status quad_store_recover(quad_store *store, uint64_t *records, quoin_error *err);

/* Write runs[0..n) as one run file. What they add up to is kept, tombstones too unless `drop`. */
quoin_status quad_merge_runs(quad_sink *sink, quad_run *const *runs, size_t n, base_cancel *cancel,
                             const base_alloc *mem, quoin_error *err);

/* Add a run of net entries to the newest memory runs of `base`, merging small ones geometrically:
 * the next version. */
quoin_status quad_version_add_memory(quad_version **out, const quad_version *base, quad_run *run,
                                     const base_alloc *mem, quoin_error *err);

#endif /* QUOIN_QUADSTORE_STORE_H */
