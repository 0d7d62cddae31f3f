/* quadstore/store.h - the open store: manifest, log, lock, current version. */
#ifndef QUOIN_QUADSTORE_STORE_H
#define QUOIN_QUADSTORE_STORE_H

#include "quadstore/filter.h"
#include "quadstore/version.h"

#include "base/base.h"

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
  /* Of that segment: 0 and 0 when it begins with this manifest (its lineage, sequence 1); else the
   * log went on while this manifest was made, under the lineage of an older one. */
  uint64_t log_lineage, log_sequence;
  uint64_t next_run; /* generation of the next run file */
  quad_run_ref *runs;
  size_t n_runs;
  uint8_t *section; /* of the participant */
  size_t section_len;
} quad_manifest;

enum { QUAD_MANIFEST_FORMAT = 4, QUAD_LOG_FORMAT = 1 };

static inline uint64_t
quad_manifest_log_lineage(const quad_manifest *m)
{
  return m->log_lineage ? m->log_lineage : m->lineage;
}

static inline uint64_t
quad_manifest_log_sequence(const quad_manifest *m)
{
  return m->log_sequence ? m->log_sequence : 1;
}

/* The newest manifest of `dir`. NOT_FOUND when there is no file `manifest`. A bad slot is restored
 * from the other one when `repair`. */
quoin_status quad_manifest_read(quad_manifest *out, const base_dir *dir, bool repair,
                                const base_alloc *mem, quoin_error *err);
/* CORRUPT when one of the slots is damaged: nothing is lost yet. */
quoin_status quad_manifest_check_slots(const base_dir *dir, quoin_error *err);
/* Make `m` (its generation is new) the current one: body, directory, both slots, each synced. Fills
 * m->lineage from that of the manifest before it. */
quoin_status quad_manifest_write(quad_manifest *m, const base_dir *dir, const base_alloc *mem,
                                 quoin_error *err);
void quad_manifest_clear(quad_manifest *m, const base_alloc *mem);
/* What a manifest names must be there: NOT_FOUND, which would say that there is no store, becomes
 * CORRUPT. */
quoin_status quad_manifest_named(quoin_status st, quoin_error *err);
/* The files of a store without a manifest are no store: OK, or CORRUPT when there are some. */
quoin_status quad_store_refuse_remains(const base_dir *dir, quoin_error *err);

/* ---- log ------------------------------------------------------------------------------------ */

enum { QUAD_LOG_ENDED = 8 };

/* A segment that is complete but not synced. */
typedef struct quad_log_ended {
  uint64_t segment;
  base_file file;
} quad_log_ended;

typedef struct quad_log {
  const base_dir *dir;
  base_file file;
  bool mapping;       /* records are written through a mapping where that can be */
  base_map map;       /* of `file`, or none */
  uint64_t segment;   /* number of `file`, or of the next one to be made */
  uint64_t offset;    /* where the next record goes */
  uint64_t allocated; /* length of the file */
  uint64_t lineage;
  uint64_t sequence;  /* of the next record */
  uint64_t synced;    /* last sequence known to be durable */
  uint64_t bytes;     /* of records in all segments since the checkpoint */
  uint64_t syncs;     /* made so far */
  base_buffer staged; /* records that end at `offset` and are not written yet */
  quad_log_ended ended[QUAD_LOG_ENDED];
  size_t n_ended;
} quad_log;

/* `mapping`: records are mostly not synced, so that the system call would be what they cost. */
void quad_log_init(quad_log *log, const base_dir *dir, uint64_t segment, uint64_t lineage,
                   uint64_t sequence, bool mapping, const base_alloc *mem);
/* Write what is staged and end the segment, if there is one: what follows goes into log->segment.
 * After a failure the log can be used no more. */
quoin_status quad_log_rotate(quad_log *log, quoin_error *err);
/* Sync a segment by its name, beside the thread that writes it. */
quoin_status quad_log_sync_named(const base_dir *dir, uint64_t segment, quoin_error *err);
/* The records before `sequence`, all in segments before `segment`, are durable elsewhere. */
void quad_log_forget(quad_log *log, uint64_t segment, uint64_t sequence);
/* Stage one record, with room for it in the file. Makes the segment when there is none. NOMEM and
 * NO_SPACE leave the log as it was; after any other failure it can be used no more. */
quoin_status quad_log_append(quad_log *log, const void *payload, size_t len, quoin_error *err);
/* Write what is staged. After a failure the log can be used no more. */
quoin_status quad_log_flush(quad_log *log, quoin_error *err);
/* Flush, and make all of it durable. */
quoin_status quad_log_sync(quad_log *log, quoin_error *err);
void quad_log_close(quad_log *log);

/* Where a record ends and the next one is expected. */
typedef struct quad_log_place {
  uint64_t segment, offset, sequence; /* offset 0: at the beginning of the segment */
} quad_log_place;

typedef struct quad_log_replay {
  uint64_t records, segments, bytes;
  uint64_t cut_segment, cut_offset;
  bool damaged; /* what was cut was no torn write: its first record had been written whole */
} quad_log_replay;

typedef quoin_status quad_log_each(void *user, const uint8_t *payload, size_t len, const char *file,
                                   uint64_t offset, quoin_error *err);

/* Call `each` with the payload of every complete record from *place on, which moves behind the last
 * one. What follows that is a torn tail unless a later header names it as synced (CORRUPT).
 * *segments counts the segments there are, *cut tells where a tail was dropped (offset UINT64_MAX:
 * nowhere). */
quoin_status quad_log_read(quad_log_replay *out, quad_log_place *place, const base_dir *dir,
                           uint64_t lineage, quad_log_each *each, void *user, const base_alloc *mem,
                           quoin_error *err);

/* CORRUPT when the log, from *from on, ends with a record that was written whole and is bad now: it
 * may have been promised. Twice, since what is being written may look like that. */
quoin_status quad_log_check_end(const quad_log_place *from, const base_dir *dir, uint64_t lineage,
                                const base_alloc *mem, quoin_error *err);

/* ---- the store ------------------------------------------------------------------------------ */

typedef struct quad_request quad_request; /* a commit in the queue: commit.c */

/* Logged ids that are others now: pairs logged id -> id now, open addressing by logged id. */
typedef struct quad_id_map {
  uint64_t *pairs;
  size_t slots, used;
} quad_id_map;
void quad_id_map_clear(quad_id_map *map, const base_alloc *mem);

/* How far a log was replayed. */
typedef struct quad_reading {
  quad_log_place place;
  quad_id_map replaced;
} quad_reading;

/* Of a version. Half of those in memory take writes while the other half, frozen, goes to disk. */
enum { QUAD_MEMORY_RUNS = 16, QUAD_DISK_RUNS = 8 };

/* The store's thread for flushes and merges, and what holds commits back when it is behind:
 * executor.c. Under the mutex `writer` but for the atomics. */
typedef struct quad_executor {
  pthread_t thread;
  base_cond work; /* there may be something to do */
  base_cond idle; /* `busy` was cleared */
  bool inline_jobs, started;
  bool busy;        /* a job is under way: the disk runs, the manifest and its files belong to it */
  uint64_t merging; /* the run file that a merge is writing while a flush comes between; or 0 */
  bool flush;       /* runs in memory are frozen and go to disk, with the log before the mark: */
  struct {
    uint64_t segment, sequence, bytes; /* of the log: where it goes on */
    uint64_t version, terms;           /* what will be on disk */
  } mark;
  bool flushing;         /* a flush has not ended: what it made stale may still be there */
  uint64_t freezes;      /* how often they did */
  uint64_t rest_ns;      /* when to look whether commits have ceased; 0: nothing has changed */
  uint64_t rest_version; /* what the last look found */
  quoin_error failed; /* status OK, or why the last job failed: it is tried again at `retry_ns` */
  uint64_t retry_ns;
  _Atomic uint64_t sync_ns; /* when the log is to be synced; 0: nothing to sync */
  double pace;              /* ns that a byte of frozen runs takes to disk */
  _Atomic bool stop;
  _Atomic uint32_t wishes;                          /* what is due */
  _Atomic uint32_t waiting;                         /* threads in quad_store_enter_idle */
  _Atomic bool full;                                /* past a bound: commits wait ... */
  _Atomic bool stuck;                               /* ... in vain: see `failed` */
  _Atomic uint64_t free_ns;                         /* commits wait until then */
  _Atomic uint64_t flushes, merges, folds, delayed; /* for statistics */
} quad_executor;

/* Commits that wait for the writer: queue.c. */
typedef struct quad_queue {
  base_mutex lock;
  quad_request *first, **last;
  size_t n;
  bool leading;             /* a thread serves a group, or is about to */
  unsigned forming;         /* number of the group that is queued */
  size_t expected;          /* of so many; 0: of any number */
  size_t early;             /* were there when the first began to wait for the rest */
  unsigned vain, skip;      /* such waits in vain, one after another; groups without one */
  base_gate to_lead;        /* the first of the queue waits here, */
  base_gate served[2];      /* the others here, by the number of their group */
  _Atomic uint64_t sync_ns; /* what a sync takes; 0: commits do not sync */
} quad_queue;

struct quad_store {
  base_alloc alloc;
  const base_alloc *mem; /* &alloc */
  base_dir dir;
  base_file lock;
  bool read_only;
  quad_durability durability;
  quad_participant participant; /* self NULL: none */
  uint64_t memory_bytes, txn_bytes, log_bound, wait_ns;
  uint64_t rest; /* ns without a commit until what is in memory goes to disk; 0: never */
  void (*log_line)(void *user, const char *line);
  void *log_user;

  base_mutex writer;   /* being the writer */
  bool reserved;       /* who has the role has lent it to the executor: nobody else takes it */
  base_rwlock publish; /* guards `version` */
  quad_version *version;
  /* What new ids come from; replaced by clear and compact, in quad_store_enter_idle. For
   * the writer: others go through a version. */
  quad_atoms *shared;
  atom_store *atoms; /* shared->store */

  /* the writer's */
  quad_manifest manifest;
  quad_log log;
  struct quad_scratch *scratch; /* commit.c */
  struct quad_history *history; /* history.h */
  _Atomic uint64_t spills;      /* names given to files that no manifest names */
  uint64_t synced_ns;           /* when the log was last synced, QUAD_SYNC_RELAXED */
  _Atomic uint32_t poisoned;    /* a write or sync failed */
  _Atomic uint64_t saved;       /* version number of the manifest */
  _Atomic uint64_t log_bytes, commits, log_syncs; /* for statistics */

  _Atomic uint64_t open_txns;

  quad_queue queue;
  quad_executor executor;
  quad_filters filters;

  quad_reading reading; /* of a reading process, under `writer` */
};

/* Buffers that commits use in turn. */
quoin_status quad_scratch_new(struct quad_scratch **out, const base_alloc *mem, quoin_error *err);
void quad_scratch_free(struct quad_scratch *scratch); /* NULL is fine */
quoin_status quad_history_new(struct quad_history **out, const base_alloc *mem, quoin_error *err);
void quad_history_free(struct quad_history *h); /* NULL is fine */

/* READ_ONLY or POISONED, or OK. */
quoin_status quad_store_may_write(const quad_store *store, quoin_error *err);
/* Remember that a write failed, unless `st` is OK; returns st. */
quoin_status quad_store_poison(quad_store *store, quoin_status st);

/* Be the writer: the mutex and the atom store's role. As long as `cancel` (may be NULL) and the
 * patience of the store allow waiting for it. */
quoin_status quad_store_enter_within(quad_store *store, base_cancel *cancel, quoin_error *err);
void quad_store_leave(quad_store *store);
/* Until when a call that begins now may wait: base_clock_ns(), or 0 for ever. */
uint64_t quad_store_patience(const quad_store *store);
/* QUOIN_OK as long as waiting until `deadline` and `cancel` (may be NULL) allow. */
quoin_status quad_store_may_wait(uint64_t deadline, base_cancel *cancel, quoin_error *err);

/* A reference to the current version. */
quad_version *quad_store_version(quad_store *store);
/* Before others see the version: its runs may have filters. */
void quad_store_own_runs(quad_store *store, const quad_version *version);
/* Make `version` (taken over) the current one. */
void quad_store_publish(quad_store *store, quad_version *version);

/* With the writer role from quad_store_enter_idle: everything into runs on disk, a new manifest
 * and no log. */
quoin_status quad_store_checkpoint(quad_store *store, quoin_error *err);
/* Nothing is to be done for that. */
bool quad_store_is_saved(const quad_store *store);
/* The same role: the current runs (merged into at most QUAD_DISK_RUNS) and, when not NULL, the run
 * file `extra` become the manifest. */
quoin_status quad_store_save(quad_store *store, quad_run *extra, quoin_error *err);
/* With the role of quad_store_enter_idle: make `next` (taken over, on failure too) the store's,
 * durably; its runs are on disk. Its atom store becomes the one that new ids come from. */
quoin_status quad_store_replace(quad_store *store, quad_version *next, quoin_error *err);
/* Unlink what belongs to no manifest. */
quoin_status quad_store_collect(quad_store *store, quoin_error *err);
/* Parts of these, for who has the manifest: runs[0..n) as one new run file, what they cancel out
 * apart; *out NULL when nothing is left. Written through `through(user, sink)` unless NULL. */
quoin_status quad_store_write_run(quad_run **out, quad_store *store, quad_run *const *runs,
                                  size_t n, quad_sink *(*through)(void *user, quad_sink *sink),
                                  void *user, quoin_error *err);
/* With too many runs on disk: from which one on to merge. Sizes then fall by half or more from old
 * to new, so an entry is rewritten O(log) times. */
size_t quad_merge_from(quad_run *const *runs, size_t n);
/* Make *m, which is the store's but for what the caller changed, the next manifest, of these runs.
 * m->runs is the caller's (store->mem). Poisons the store when it fails for good. */
quoin_status quad_store_write_manifest(quad_manifest *m, quad_store *store, quad_run *const *runs,
                                       size_t n, quoin_error *err);
/* The store's manifest is *m. */
void quad_store_take_manifest(quad_store *store, const quad_manifest *m);

/* ---- executor.c ----------------------------------------------------------------------------- */

/* With the role: see again what is due, */
void quad_executor_look(quad_store *store);
/* and do it, or let the thread do it. */
void quad_executor_begin(quad_store *store);
/* False: jobs are done in the thread that makes them due, or there is no thread to be had. */
bool quad_executor_start(quad_store *store);
quoin_status quad_executor_init(quad_executor *e, bool inline_jobs, quoin_error *err);
void quad_executor_destroy(quad_executor *e);
/* End the thread; a job under way may end first. */
void quad_executor_stop(quad_store *store);
/* As quad_store_enter_within, once no job is under way; none begins before the role is left. A
 * merge of files that is under way is given up. */
quoin_status quad_store_enter_idle(quad_store *store, base_cancel *cancel, quoin_error *err);
/* The same for who has the role already, and whom nobody may precede meanwhile. */
quoin_status quad_store_wait_idle(quad_store *store, quoin_error *err);

/* ---- maintain.c ----------------------------------------------------------------------------- */

/* When e->rest_ns has come, with the role: freezes what is in memory unless there were commits. */
void quad_store_rest(quad_store *store);
/* After a group that added `bytes` to the runs in memory, with the writer role: begins what has
 * become due. Never waits for a file. */
void quad_store_maintain(quad_store *store, uint64_t bytes);
/* With the writer role: the executor syncs the log at most `ns` from now. False when it cannot. */
bool quad_executor_sync_later(quad_store *store, uint64_t ns);
/* All is on disk: nothing is frozen or to be tried again. With the role of enter_idle. */
void quad_executor_settle(quad_store *store);

/* ---- pace.c --------------------------------------------------------------------------------- */

/* Bytes of the runs in memory that take writes. */
uint64_t quad_version_memory(const quad_version *v);
/* More than half of the entries in runs[0..disk) are dead: tombstones, and the insertions that they
 * cancel. Then the files hold more than twice of what lives. */
bool quad_version_mostly_dead(const quad_version *v, size_t disk);
/* Files are to be merged. */
bool quad_version_crowded(const quad_version *v);
/* With the writer role: commits to come pay for `bytes` that were added to the runs in memory, when
 * maintenance is behind; those that wait are let go when it is not. */
void quad_store_charge(quad_store *store, uint64_t bytes);
/* Before a commit, without any lock: waits as long as maintenance is behind. Errors: what keeps
 * maintenance from going on, once the bound is reached; those of `cancel` (may be NULL). */
quoin_status quad_store_delay(quad_store *store, uint64_t deadline, base_cancel *cancel,
                              quoin_error *err);

/* *out: the version after what the log of *m has behind `from`; reading->place moves on. Terms go
 * into the atom store of `from`, whose adding thread this must be. */
quoin_status quad_replay(quad_version **out, quad_log_replay *result, quad_reading *reading,
                         const quad_version *from, const quad_manifest *m, const base_dir *dir,
                         const base_alloc *mem, quoin_error *err);
/* Replay the log onto the store's version, and end with a checkpoint when there was any. */
quoin_status quad_store_recover(quad_store *store, quoin_error *err);
/* The version that *m names: its atoms, and its runs, of which those that `before` (may be NULL)
 * has are not opened again. */
quoin_status quad_version_open(quad_version **out, const quad_manifest *m, const base_dir *dir,
                               bool read_only, const quad_version *before, const base_alloc *mem,
                               quoin_error *err);
/* Of a reading process: the newest state, whole. */
quoin_status quad_store_open_beside(quad_store *store, quoin_error *err);

/* Write runs[0..n) as one run file. What they add up to is kept, tombstones too unless `drop`. */
quoin_status quad_merge_runs(quad_sink *sink, quad_run *const *runs, size_t n, base_cancel *cancel,
                             const base_alloc *mem, quoin_error *err);

/* How many runs are not to be merged with newer ones in memory: all up to the last frozen one, and
 * the last file (in a version of a transaction there may be some behind those in memory). */
size_t quad_version_fixed(const quad_version *v);
/* Index of a run in memory that should be merged with the next one but is too large for a commit to
 * do so; SIZE_MAX when there is none. */
size_t quad_version_foldable(const quad_version *v);

/* ---- participant.c -------------------------------------------------------------------------- */

struct quad_changes;
/* May `next`, which has `changes` (NULL: a load), be? */
quoin_status quad_store_judge(quad_store *store, quad_version *next,
                              const struct quad_changes *changes, quoin_error *err);
void quad_store_applied(const quad_store *store);
/* What was judged above `version` will not be; `pending`: the rest is still on its way. */
void quad_store_dropped(const quad_store *store, uint64_t version, bool pending);
/* The section of the next manifest into `m`. */
quoin_status quad_store_take_section(quad_manifest *m, quad_store *store, quoin_error *err);

#endif /* QUOIN_QUADSTORE_STORE_H */
