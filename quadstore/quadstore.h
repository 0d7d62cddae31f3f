/* quadstore/quadstore.h - quads as sorted runs, snapshots, transactions, the log. The door.
 *
 * Everything is a run: an immutable sorted set of quads, each an insertion (+1) or a tombstone
 * (-1), kept in several permutations. Entries are net: an insertion of what is present or a removal
 * of what is absent is dropped when a commit or load is applied, so the count of a prefix is the
 * sum over the runs. A snapshot is a reference-counted list of runs plus the atom mark. Design:
 * DESIGN.md section 3; bytes: docs/format.md; reasons: docs/adrs/0002-runs.md, 0003-wal.md. */
#ifndef QUOIN_QUADSTORE_QUADSTORE_H
#define QUOIN_QUADSTORE_QUADSTORE_H

#include "atomstore/atomstore.h"
#include "quadstore/participant.h"

/* In the order subject, predicate, object, graph. Graph 0: the default graph. */
typedef struct quad {
  atom_id term[4];
} quad;
enum { QUAD_S = 0, QUAD_P = 1, QUAD_O = 2, QUAD_G = 3 };

/* Key orders. The first six hold for both partitions: with G as last key in the named one. The last
 * three exist for named graphs only. Codes are part of the file format. */
typedef enum quad_order {
  QUAD_SPO = 0,
  QUAD_SOP,
  QUAD_PSO,
  QUAD_POS,
  QUAD_OSP,
  QUAD_OPS,
  QUAD_GSPO,
  QUAD_GPOS,
  QUAD_GOSP,
  QUAD_ORDERS
} quad_order;
/* quad_order_keys[order][i]: which of QUAD_S..QUAD_G is the i-th key (4 keys; in the default
 * partition the graph is always 0). */
extern const uint8_t quad_order_keys[QUAD_ORDERS][4];

typedef struct quad_store quad_store;
typedef struct quad_snapshot quad_snapshot;
typedef struct quad_txn quad_txn;

typedef enum quad_durability {
  QUAD_SYNC_FULL = 0,
  QUAD_SYNC_RELAXED,
  QUAD_SYNC_OFF
} quad_durability;

typedef struct quad_store_options {
  bool create;      /* make the directory and an empty store when there is none */
  bool must_create; /* EXISTS when there is one */
  bool read_only;   /* take no lock, write nothing; replays the log into memory */
  quad_durability durability;
  uint32_t orders; /* bit set of quad_order for a new store; 0: all nine */
  /* Of the runs in memory that take writes, before they freeze and go to disk; as much again may be
   * on its way there. 0: 64 MiB. */
  uint64_t memory_bytes;
  /* What a transaction may hold in memory: more goes to files, and it is committed as a run file
   * and a manifest instead of through the log. 0: 64 MiB. */
  uint64_t txn_bytes;
  /* Of the log that is not on its way into a run file: beyond, the runs in memory freeze, whatever
   * they hold. 0: 256 MiB. */
  uint64_t log_bytes;
  /* After so long without a commit the runs in memory go to disk, and the log goes: within twice as
   * long. 0: 5 s. UINT64_MAX: never. */
  uint64_t rest_ms;
  /* Of memory for filters: which keys a run does not have, made where lookups find nothing. 0: 256
   * MiB. */
  uint64_t filter_bytes;
  /* How long a commit, load, checkpoint, clear or compaction waits for other writers and for
   * maintenance before it fails with TIMEOUT, having done nothing; 0: as long as it takes. */
  uint64_t wait_ms;
  /* Flushes and merges run in the thread whose commit makes them due, and no other thread is
   * started: for tests that must repeat. */
  bool inline_maintenance;
  /* What recovery and maintenance did; may be NULL. Called by the store's own thread too. */
  void (*log)(void *user, const char *line);
  void *log_user;
  base_quota *quota; /* asked before files grow; borrowed until the close; may be NULL */
} quad_store_options;

/* Errors: NOT_FOUND (no store there), EXISTS, BUSY (naming the holder's pid), VERSION, CORRUPT, IO,
 * NO_SPACE, NOMEM. Recovery replays the log: a bad tail is cut and logged, a bad middle is CORRUPT.
 */
quoin_status quad_store_open(quad_store **out, const char *path, const quad_store_options *options,
                             const base_alloc *mem, quoin_error *err);
/* Checkpoint, stop maintenance, free the lock. All snapshots, transactions and cursors must be
 * gone. NULL is fine. The status of the last checkpoint (what was committed is safe in the log
 * whatever it says). */
quoin_status quad_store_close(quad_store *store, quoin_error *err);
/* Of a store opened for reading: move on to what the writing process has committed by now, a few ms
 * and the time for what is new in the log. *changed (may be NULL): whether there was any. Snapshots
 * stay what they are. After a failure the store is as it was. Any thread. A store opened for
 * writing has nothing to move on to. Errors: BUSY (try again), CORRUPT, IO, NOMEM. */
quoin_status quad_store_refresh(bool *changed, quad_store *store, quoin_error *err);
atom_store *quad_store_atoms(quad_store *store);
const base_dir *quad_store_dir(const quad_store *store);
uint64_t
quad_store_id(const quad_store *store); /* random, of this store's creation... see docs/format.md */

/* ---- snapshots
 * ------------------------------------------------------------------------------------ */

/* O(1), blocks nobody. Pins the atoms. Any thread. */
quoin_status quad_snapshot_acquire(quad_snapshot **out, quad_store *store, quoin_error *err);
quad_snapshot *quad_snapshot_retain(quad_snapshot *snapshot);
void quad_snapshot_release(quad_snapshot *snapshot); /* NULL is fine */
atom_store *quad_snapshot_atoms(const quad_snapshot *snapshot);
uint64_t quad_snapshot_atom_mark(const quad_snapshot *snapshot);
uint64_t quad_snapshot_version(const quad_snapshot *snapshot); /* grows with each commit */
uint32_t quad_snapshot_orders(const quad_snapshot *snapshot);  /* bit set of quad_order */

/* Which graphs a scan sees. */
typedef enum quad_scope {
  QUAD_DEFAULT, /* the default graph's triples; graph column 0 */
  QUAD_NAMED,   /* all named graphs (pattern term[3] 0), or the one given there */
  QUAD_ANY      /* both; counting and dump */
} quad_scope;

/* A pattern: 0 is a wildcard. */
typedef struct quad_pattern {
  quad_scope scope;
  quad match;
} quad_pattern;

/* How many quads match. Exact: the sum over runs from the block index, at most two blocks decoded
 * per run, when the bound terms are a prefix of an order the store keeps; with any of the full set
 * of orders they always are, except S and G, P and G... where GSPO, GPOS and GOSP serve. Otherwise
 * (fewer orders) by scanning. */
quoin_status quad_count(uint64_t *out, const quad_snapshot *snapshot, const quad_pattern *pattern,
                        quoin_error *err);
/* Distinct values of the key after the bound prefix of `order`, estimated from at most a few blocks
 * (exact where cheap). */
quoin_status quad_distinct_estimate(uint64_t *out, const quad_snapshot *snapshot, quad_order order,
                                    const quad_pattern *pattern, quoin_error *err);

/* ---- scans
 * ------------------------------------------------------------------------------------------ */

enum { QUAD_BATCH = 1024 };

/* A merged, tombstone-free stream in key order. One thread. Columns are by position (QUAD_S...),
 * each `rows` long; the columns not asked for are NULL. Valid until the next call on the scan. */
typedef struct quad_scan quad_scan;
typedef struct quad_batch {
  size_t rows;
  const atom_id *column[4];
} quad_batch;

/* The order the store keeps whose keys begin with the bound terms of `pattern` and then, as far as
 * possible, with `then` (n_then of QUAD_S..G); QUAD_ORDERS when none begins with the bound terms.
 */
quad_order quad_order_for(uint32_t orders, const quad_pattern *pattern, const uint8_t *then,
                          size_t n_then);

/* `order` must be kept by the store. Bound terms that are not a prefix of its keys filter.
 * `columns`: bit set of 1<<QUAD_S... Debug builds assert that the snapshot is held. */
quoin_status quad_scan_open(quad_scan **out, const quad_snapshot *snapshot,
                            const quad_pattern *pattern, quad_order order, unsigned columns,
                            quoin_error *err);
/* Next rows (1..QUAD_BATCH of them), or QUOIN_DONE. */
quoin_status quad_scan_next(quad_batch *out, quad_scan *scan, quoin_error *err);
/* Go forward to the first row whose keys (in the scan's order) are >= key; never back. Skips blocks
 * by the index: O(log blocks). Undelivered rows before it are dropped. */
quoin_status quad_scan_seek(quad_scan *scan, const atom_id key[4], quoin_error *err);
/* Start again with another pattern that binds the same positions, in the same order: for
 * index-lookup joins. Cheap when patterns come in ascending key order. */
quoin_status quad_scan_rebind(quad_scan *scan, const quad_pattern *pattern, quoin_error *err);
/* A rebind to such a pattern will come: begin to fetch what it reads. For several that are known
 * before the first of them is read: they wait for memory together. */
void quad_scan_ask(const quad_scan *scan, const quad_pattern *pattern);
/* Restrict the first unbound key to [lo, hi] (ids as integers). Before the first next. */
quoin_status quad_scan_range(quad_scan *scan, atom_id lo, atom_id hi, quoin_error *err);
void quad_scan_close(quad_scan *scan); /* NULL is fine */

/* ---- transactions
 * ------------------------------------------------------------------------------------ */

/* Any number may be open, each on the snapshot of its begin; one thread each. Of any size: what
 * exceeds txn_bytes lies in files of the store's directory (NO_SPACE, IO then end a call that would
 * add to it, which changes nothing). */
quoin_status quad_txn_begin(quad_txn **out, quad_store *store, quoin_error *err);
/* As quad_txn_begin, being the writer from here to the end: commits of others and loads wait, so it
 * cannot conflict. All calls on it by this thread, which may not commit or load anything else
 * meanwhile. Waits for other writers as long as `cancel` (may be NULL) allows. */
quoin_status quad_txn_begin_writer(quad_txn **out, quad_store *store, base_cancel *cancel,
                                   quoin_error *err);
/* Terms not yet in the store get ids at commit; an abort leaves no atom behind. Blank node labels
 * are scoped to the transaction. A label b<N> is that stored node only through quad_txn_add_ids. */
quoin_status quad_txn_add(quad_txn *txn, const rdf_term quad_terms[4], quoin_error *err);
quoin_status quad_txn_remove(quad_txn *txn, const rdf_term quad_terms[4], quoin_error *err);
/* Ids of stored or inline terms, or local ids from quad_txn_local. */
quoin_status quad_txn_add_ids(quad_txn *txn, const quad *q, quoin_error *err);
quoin_status quad_txn_remove_ids(quad_txn *txn, const quad *q, quoin_error *err);
/* What the transaction will do depends on what matches `pattern` (local ids are those of
 * quad_txn_local): its commit, if it changes anything, fails with CONFLICT when another one changed
 * a quad that matches since it began. Loads count as changing everything. Not for a writer. */
quoin_status quad_txn_scanned(quad_txn *txn, const quad_pattern *pattern, quoin_error *err);
atom_local *quad_txn_local(quad_txn *txn);
/* `st` of an atom_local_intern into it; what it was when the file of the terms could not grow. */
quoin_status quad_txn_failure(const quad_txn *txn, quoin_status st, quoin_error *err);
/* The snapshot of its begin, without its changes; valid until it ends. Its ids are those that
 * quad_txn_add_ids takes, whatever was committed or compacted since. */
const quad_snapshot *quad_txn_begun(const quad_txn *txn);
/* The snapshot with the transaction's own changes so far applied; to be released, before the
 * transaction ends. Terms that are new have local ids there. Costs the changes since the last such
 * call. */
quoin_status quad_txn_snapshot(quad_snapshot **out, quad_txn *txn, quoin_error *err);
/* All or nothing, durable as the store's durability says. *added and *removed (may be NULL) count
 * net changes. Ends the transaction whatever it returns. Errors: CONFLICT, IO (outcome unknown: the
 * store is poisoned), NO_SPACE, POISONED, READ_ONLY, TIMEOUT (see wait_ms). */
quoin_status quad_txn_commit(uint64_t *added, uint64_t *removed, quad_txn *txn, quoin_error *err);
void quad_txn_abort(quad_txn *txn); /* NULL is fine */

/* What is committed by now goes from memory to disk, and its log goes. The store's thread does it:
 * commits go on meanwhile. Errors: what keeps it from being done (it is tried again in the
 * background), TIMEOUT after `wait_ms`. */
quoin_status quad_checkpoint(quad_store *store, quoin_error *err);

/* Remove every quad and term at once: a manifest that names no runs, and fresh atom files. The time
 * does not depend on what was there. Snapshots go on with what they see; an open transaction that
 * read or removes something then fails with CONFLICT. Blank node numbers go on where they were, so
 * that a label seen before never means another node. Waits to be the writer. A failure leaves the
 * store as it was, or poisoned when what the disk holds is not known. */
quoin_status quad_store_clear(quad_store *store, quoin_error *err);

/* Rewrite the store without what nothing uses: one run, and atom files with the terms that its
 * quads need, under new ids. Ids hold within a snapshot: those there are stay valid with theirs; an
 * open transaction commits as if nothing had happened, or fails with CONFLICT when it has scanned.
 * Being the writer for its duration: commits wait, readers do not. Memory: two bits a term there is
 * and some megabytes; LIMIT when that is more than memory_bytes (0: no bound). Disk: as much again
 * as the store needs afterwards, while it runs. Failures: as quad_store_clear. */
quoin_status quad_store_compact(quad_store *store, uint64_t memory_bytes, base_cancel *cancel,
                                quoin_error *err);
/* Write the store, as it is now, as a store of its own into the directory `path`, which is new or
 * empty, and verify that. The store is written to meanwhile, by whoever it is; files that never
 * change are linked where that can be, else copied, and what one of the two does never touches the
 * other. EXISTS: there is something in `path`. After a failure nothing is there. */
quoin_status quad_store_backup(quad_store *store, const char *path, base_cancel *cancel,
                               quoin_error *err);
/* The same within `quota` (may be NULL): asked for all that is known to be needed before the first
 * byte is copied, then before each file grows; not needed after the call. */
quoin_status quad_store_backup_within(quad_store *store, const char *path, base_quota *quota,
                                      base_cancel *cancel, quoin_error *err);
/* How many terms of the store no quad needs (nor a term that a quad needs): what compact would
 * drop. Exact, for the version there is now: reads every quad once. */
quoin_status quad_store_dead_terms(uint64_t *out, quad_store *store, base_cancel *cancel,
                                   quoin_error *err);

/* ---- bulk load: being the writer for its duration
 * ------------------------------------------------------- */

/* Readers go on; commits wait. Interning through quad_store_atoms by the calling thread is allowed
 * until the end; quads gather in memory and spill as unpublished runs, sorted, when `memory_bytes`
 * is reached; the end merges them into one run, drops what is present already, writes it in all
 * orders, syncs, and swaps the manifest. */
typedef struct quad_bulk quad_bulk;
quoin_status quad_bulk_begin(quad_bulk **out, quad_store *store, uint64_t memory_bytes,
                             unsigned threads, quoin_error *err);
quoin_status quad_bulk_add(quad_bulk *bulk, const quad *quads, size_t n, quoin_error *err);
/* Of the budget, `bytes` in all are the caller's. */
void quad_bulk_reserve(quad_bulk *bulk, uint64_t bytes);
/* Publish. *added (may be NULL) counts quads that were new. Ends the bulk whatever it returns; a
 * failure leaves the store as it was. */
quoin_status quad_bulk_finish(uint64_t *added, quad_bulk *bulk, base_cancel *cancel,
                              quoin_error *err);
void quad_bulk_abort(quad_bulk *bulk); /* NULL is fine; the atoms are rolled back */
/* Where a system call found the disk full while `share` (more than 0, at most 1) of the input was
 * read: put into *err (may be NULL) how much the load needs and how much is free. Other errors stay
 * as they are. */
void quad_bulk_explain(const quad_bulk *bulk, double share, quoin_error *err);

/* ---- the rest
 * ---------------------------------------------------------------------------------------------- */

/* Per predicate: triples in the default partition and in the named one. Sorted by id. From run
 * footers, no scan. */
typedef struct quad_predicate_count {
  atom_id predicate;
  uint64_t triples[2]; /* [0] default graph, [1] named graphs */
} quad_predicate_count;
quoin_status quad_predicates(quad_predicate_count **out, size_t *n, const quad_snapshot *snapshot,
                             const base_alloc *mem, quoin_error *err);

typedef struct quad_stats {
  uint64_t default_quads, named_quads;
  uint64_t disk_runs, memory_runs, run_bytes, log_bytes, tombstones;
  uint64_t modification, saved; /* generations: equal when nothing is unsaved */
  uint64_t commits, log_syncs;  /* since the open: that changed something; syncs of the log */
  uint64_t flushes, merges;     /* by maintenance, since the open: of runs in memory, on disk */
  uint64_t folds, delayed;      /* merges within memory; commits held back for maintenance */
  uint64_t filter_bytes;        /* of memory for filters */
  atom_stats atoms;
} quad_stats;
quoin_status quad_store_stats(quad_stats *out, quad_store *store, quoin_error *err);

/* Verify every file: headers, checksums, block order, the same set of quads in each order, counts,
 * ids below the marks, and atom_check. CORRUPT with file and offset of the first fault; `report`
 * (may be NULL) gets a line a step. */
quoin_status quad_store_check(quad_store *store, void (*report)(void *user, const char *line),
                              void *user, base_cancel *cancel, quoin_error *err);

/* ---- the participant: participant.h
 * --------------------------------------------------------------- */

/* Copied. From then on it belongs to the store. */
void quad_store_attach(quad_store *store, const quad_participant *participant);
/* What the manifest that the store was opened with says of it; empty: nothing. Valid until the
 * next checkpoint. */
quoin_span quad_store_section(const quad_store *store);
/* A line for the log of whoever opened the store. Any thread. */
void quad_store_say(const quad_store *store, const char *fmt, ...) QUOIN_PRINTF(2, 3);
/* Its `self`; NULL when there is none, and for snapshots of transactions. */
void *quad_snapshot_participant(const quad_snapshot *snapshot);
/* Of a transaction's snapshot with changes: the one of its begin; else itself. */
const quad_snapshot *quad_snapshot_begun(const quad_snapshot *snapshot);
/* What the participant keeps of these changes; NULL: nothing, or they were shown again since. */
void *quad_snapshot_view(const quad_snapshot *snapshot);

#endif /* QUOIN_QUADSTORE_QUADSTORE_H */
