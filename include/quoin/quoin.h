/** @file quoin.h
 * The public interface of Quoin, an embeddable RDF quad store.
 *
 * A store is a directory. Open it with quoin_open(), load RDF with quoin_load(), ask it with
 * quoin_query(), step through the rows with quoin_cursor_next(), change it with quoin_update() or
 * in a transaction (quoin_txn_begin()), and let go with quoin_close().
 *
 * What holds throughout:
 * - What can fail returns a quoin_status: QUOIN_OK is 0, QUOIN_DONE the end of an iteration,
 *   failures are negative. The last argument `err` (may be NULL) is written on failure only, with a
 *   message of one line. Any call on a store may fail with QUOIN_ERR_CLOSED, QUOIN_ERR_NOMEM,
 *   QUOIN_ERR_ARGUMENT, QUOIN_ERR_IO or QUOIN_ERR_CORRUPT (stored data contradicts itself; the
 *   message names file and offset); the comments list what else there is.
 * - Text goes in and out as spans of UTF-8 that need no terminator. What goes in is copied unless a
 *   comment says otherwise; what comes out is borrowed for as long as the comment says.
 * - Options structs begin with struct_size: start them from their _INIT macro. Fields that are 0
 *   mean the default. NULL in place of options means all defaults.
 * - Each _free and _close takes NULL, and cannot fail.
 * - A quoin_store may be shared between threads. Cursors, transactions and iterators belong to one
 *   thread at a time. Callbacks are called on the thread that made the call, and must not call
 *   quoin_shutdown() or close the last reference of their store.
 * - The library never prints, exits, or touches signals or the locale. It opens no file that the
 *   caller did not name. After fork() the child must not use a store of its parent. */
#ifndef QUOIN_QUOIN_H
#define QUOIN_QUOIN_H

#include <math.h>
#include <quoin/types.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name The library */
/** @{ */

/** "MAJOR.MINOR.PATCH"; static. */
QUOIN_API const char *quoin_version(void);
/** A short name of a status, such as "syntax error"; static, never NULL. */
QUOIN_API const char *quoin_status_name(quoin_status status);

/** A request to stop, shared between who waits and who is impatient. */
typedef struct quoin_cancel quoin_cancel;
/** @param[out] out  To be freed with quoin_cancel_free(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cancel_new(quoin_cancel **out, quoin_error *err);
/** Make every call that was given `cancel` end soon with QUOIN_ERR_CANCELLED, those to come
 * included. Any thread; async-signal-safe. NULL is fine. */
QUOIN_API void quoin_cancel_request(quoin_cancel *cancel);
/** Forget a request, so that the token can serve again. */
QUOIN_API void quoin_cancel_reset(quoin_cancel *cancel);
/** No call or cursor may be using it any more. */
QUOIN_API void quoin_cancel_free(quoin_cancel *cancel);

/** Takes `len` bytes; a status other than QUOIN_OK stops the writing and is passed on. Fill `err`
 * (it may be NULL) or leave it. */
typedef quoin_status (*quoin_write_fn)(void *user, const void *data, size_t len, quoin_error *err);
/** Fills up to `cap` bytes of `data`, sets *got; 0 is the end. As quoin_write_fn otherwise. */
typedef quoin_status (*quoin_read_fn)(size_t *got, void *user, void *data, size_t cap,
                                      quoin_error *err);
/** Called a few times a second. `taken` of `total` bytes of the input (compressed, if it is) have
 * been read; `total` is 0 when it is not known. */
typedef void (*quoin_progress_fn)(void *user, uint64_t statements, uint64_t taken, uint64_t total);
/** A bad statement was skipped; `why` has file, line, column and message. */
typedef void (*quoin_bad_fn)(void *user, const quoin_error *why);
/** One line of text about what the library did; valid during the call. */
typedef void (*quoin_line_fn)(void *user, const char *line);
/** @} */

/** @name Terms */
/** @{ */

typedef enum quoin_term_kind {
  QUOIN_TERM_NONE = 0, /**< No term: unbound, any (in a pattern), or the default graph. */
  QUOIN_TERM_IRI = 1,
  QUOIN_TERM_BLANK = 2,
  QUOIN_TERM_LITERAL = 3
} quoin_term_kind;

/** An RDF term. Start from zero bytes. */
typedef struct quoin_term {
  quoin_term_kind kind;
  quoin_span value;    /**< IRI, blank node label without "_:", or lexical form. */
  quoin_span datatype; /**< IRI of a literal's datatype. Out: always set. In: empty for
                          xsd:string and, with `lang`, for rdf:langString. */
  quoin_span lang;     /**< Language tag of a literal without "@", or empty. */
  uint64_t node;       /**< Which stored blank node this is; 0 if none. Going in, a number other
                          than 0 names that node, and `value` is not looked at. */
} quoin_term;

/** A quad; its graph is QUOIN_TERM_NONE when it is in the default graph. */
typedef struct quoin_statement {
  quoin_term subject, predicate, object, graph;
} quoin_statement;

/** Takes one statement, valid during the call. As quoin_write_fn otherwise. */
typedef quoin_status (*quoin_statement_fn)(void *user, const quoin_statement *statement,
                                           quoin_error *err);

/** Write `term` in N-Triples form. Errors: ARGUMENT, and what `write` returns. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_term_write(const quoin_term *term,
                                                        quoin_write_fn write, void *user,
                                                        quoin_error *err);
/** @} */

/** @name Stores */
/** @{ */

/** An open store. May be shared between threads. */
typedef struct quoin_store quoin_store;

typedef enum quoin_mode {
  QUOIN_READ_WRITE = 0, /**< An existing store; this process is its one writer. */
  QUOIN_READ_ONLY = 1,  /**< An existing store, as it is now; takes no lock, changes no file. */
  QUOIN_CREATE = 2,     /**< As QUOIN_READ_WRITE; made when there is none. */
  QUOIN_CREATE_NEW = 3  /**< As QUOIN_CREATE; an error when there is one. */
} quoin_mode;

typedef enum quoin_durability {
  QUOIN_DURABILITY_FULL = 0,    /**< A commit is on the disk before it returns. */
  QUOIN_DURABILITY_RELAXED = 1, /**< Synced at intervals: a power cut may take the last ones. */
  QUOIN_DURABILITY_OFF = 2      /**< Synced at checkpoints only: after a crash some prefix. */
} quoin_durability;

/** Key orders in which quads are kept (`indexes` below): more make more queries fast. */
enum {
  QUOIN_INDEX_SPO = 1 << 0,
  QUOIN_INDEX_SOP = 1 << 1,
  QUOIN_INDEX_PSO = 1 << 2,
  QUOIN_INDEX_POS = 1 << 3,
  QUOIN_INDEX_OSP = 1 << 4,
  QUOIN_INDEX_OPS = 1 << 5,
  QUOIN_INDEX_GSPO = 1 << 6,
  QUOIN_INDEX_GPOS = 1 << 7,
  QUOIN_INDEX_GOSP = 1 << 8,
  QUOIN_INDEX_ALL = (1 << 9) - 1
};

typedef struct quoin_open_options {
  size_t struct_size;
  quoin_mode mode;
  quoin_durability durability;
  uint32_t indexes;      /**< Of a new store: bits QUOIN_INDEX_...; 0: all. */
  unsigned threads;      /**< Of a load or query, unless its own options say, and of the linking of
                            vectors; 0: all cores. */
  uint64_t memory_bytes; /**< Of changes held in memory before they are flushed; 0: 64 MiB. The same
                            for each open transaction, before it goes on in files. */
  const quoin_alloc
      *alloc;        /**< Where memory comes from (copied; any thread calls it); NULL: malloc. */
  quoin_line_fn log; /**< What recovery and maintenance did; any thread calls it. */
  void *log_user;
  uint64_t wait_ms; /**< How long a commit, load or other change waits for other writers and for
                         maintenance before it fails with TIMEOUT, having done nothing; 0: as long
                         as it takes. */
  uint64_t unlinked_vectors; /**< Vectors of all indexes that may wait to be linked into their
                                graphs; from three quarters of it on commits are slowed down.
                                0: 100,000. */
  uint64_t log_bytes;    /**< Of the log, before what it holds is brought into the store's files; a
                            crash then leaves at most about twice as much to replay. 0: 256 MiB. */
  uint64_t rest_ms;      /**< The same after so long without a commit; UINT64_MAX: never. 0: 5 s. */
  uint64_t filter_bytes; /**< Of memory for what is known to be in none of the store's files, kept
                            where lookups found nothing. 0: 256 MiB. */
} quoin_open_options;
#define QUOIN_OPEN_OPTIONS_INIT                                                                    \
  {                                                                                                \
    sizeof(quoin_open_options), QUOIN_READ_WRITE, QUOIN_DURABILITY_FULL, 0, 0, 0, NULL, NULL,      \
        NULL, 0, 0, 0, 0, 0                                                                        \
  }

/**
 * Open the store kept in directory `path`.
 *
 * @param[out] out  The store, to be closed with quoin_close(); NULL on failure.
 * @param path      UTF-8, terminated; copied.
 * @param opts      NULL for the defaults: read and write, do not create.
 * @return QUOIN_OK, or QUOIN_ERR_NOT_FOUND (no store there), QUOIN_ERR_EXISTS (with
 *   QUOIN_CREATE_NEW), QUOIN_ERR_BUSY (another process writes to it; the message names it),
 *   QUOIN_ERR_VERSION (newer file format), QUOIN_ERR_CORRUPT (no file was changed),
 *   QUOIN_ERR_NO_SPACE.
 * A damaged vector graph does not keep a store from being opened: opts->log is told, searches are
 * exact, and a store opened for writing makes the graph again in the background. Nor does one that
 * cannot be mapped or made: it is tried again after later commits and by the next open.
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_open(quoin_store **out, const char *path,
                                                  const quoin_open_options *opts, quoin_error *err);
/** One more reference to the store, for another thread or owner; returns `store`. */
QUOIN_API quoin_store *quoin_retain(quoin_store *store);
/** Give up one reference. The last one shuts the store down (quoin_shutdown()) and frees it;
 * cursors, transactions and iterators may be closed before or after. Durability comes from commit:
 * closing adds nothing to it. */
QUOIN_API void quoin_close(quoin_store *store);
/** Close the store for all who hold it: calls in progress (in other threads) are waited for, calls
 * to come get QUOIN_ERR_CLOSED, open cursors and iterators too, open transactions are aborted.
 * When it returns the store may be opened again. References still have to be given up. */
QUOIN_API void quoin_shutdown(quoin_store *store);
/** Bring all that is committed by now into the store's files and drop its log; commits of other
 * threads go on meanwhile. It happens by itself some seconds after the last commit. Errors:
 * READ_ONLY, POISONED, NO_SPACE. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_checkpoint(quoin_store *store, quoin_error *err);
/** Of a store opened with QUOIN_READ_ONLY: move on to what the writing process has committed by
 * now. Takes a few ms and the time for what is new in its log. What is open goes on with what it
 * sees; a failure leaves the store as it was. A store opened for writing has nothing to move on to.
 * @param[out] changed  Whether there was anything new; may be NULL.
 * Errors: BUSY (changed too fast: try again), CORRUPT. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_store_refresh(bool *changed, quoin_store *store,
                                                           quoin_error *err);
/** Remove everything in all graphs at once, whatever it is: the time does not depend on how much
 * there was. Cursors and iterators go on with what they see; an open transaction that has read or
 * removed something then fails with QUOIN_ERR_CONFLICT. Labels of blank nodes are not used again.
 * Waits for other writers. A failure leaves the store as it was. Errors: READ_ONLY, POISONED,
 * NO_SPACE. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_store_clear(quoin_store *store, quoin_error *err);
/** Rewrite the store without the terms that nothing uses and the quads that were removed. Queries
 * go on, and so does what they opened; commits wait for all of it (a quarter of a second or more
 * for each million of quads), or fail with QUOIN_ERR_TIMEOUT after `wait_ms`. A transaction open
 * meanwhile commits as if nothing had happened, or fails with QUOIN_ERR_CONFLICT when it has read
 * something. Takes as much disk again as the store will have, while it runs. A failure leaves the
 * store as it was.
 * @param memory_bytes  0: no bound. It needs two bits for each term the store has, and some MiB.
 * @param cancel  May be NULL.
 * Errors: LIMIT (memory), READ_ONLY, POISONED, NO_SPACE, CANCELLED, CORRUPT. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_store_compact(quoin_store *store,
                                                           uint64_t memory_bytes,
                                                           quoin_cancel *cancel, quoin_error *err);
/** Write the store as it is now into the directory `path`, which must be new or empty, as a store
 * of its own, and verify every byte of that. Reading and writing go on meanwhile, here and in other
 * processes; the store may be open for reading only. Files that never change are linked where the
 * file system can, the others copied, the graphs of vector indexes as of the last checkpoint: what
 * happens to one of the two never touches the other.
 * After a failure nothing of it is left. @param cancel  May be NULL.
 * Errors: EXISTS (there is something in `path`), NO_SPACE, IO, CORRUPT, CANCELLED. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_backup(quoin_store *store, const char *path,
                                                    quoin_cancel *cancel, quoin_error *err);
/** Make a store in the directory `path`, which must be new or empty, of the backup at `backup`,
 * which stays what it is, and verify it. (A backup is a store: it may be opened itself, too.)
 * Errors: as quoin_backup() and quoin_open(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_restore(const char *path, const char *backup,
                                                     quoin_cancel *cancel, quoin_error *err);

typedef struct quoin_stats {
  size_t struct_size;
  uint64_t quads;         /**< In all graphs. */
  uint64_t default_quads; /**< In the default graph. */
  uint64_t named_quads;   /**< In named graphs. */
  uint64_t graphs;        /**< Named graphs that hold a quad; UINT64_MAX: not counted. */
  uint64_t predicates;    /**< Distinct predicates in use. */
  uint64_t terms;         /**< Interned terms (small values live in the quads). */
  uint64_t blank_nodes;   /**< Blank nodes ever made. */
  uint64_t disk_runs, memory_runs;
  uint64_t tombstones;   /**< Removals not merged away yet. */
  uint64_t run_bytes;    /**< Of the quads on disk. */
  uint64_t term_bytes;   /**< Of the text of the terms. */
  uint64_t offset_bytes; /**< Of the places of the terms. */
  uint64_t table_bytes;  /**< Of the hash table of the terms. */
  uint64_t log_bytes;    /**< Of the log since the last checkpoint. */
  uint64_t modification; /**< Grows with each change. */
  uint64_t saved; /**< `modification` as of the last checkpoint: equal if nothing is unsaved. */
  /* Calls that succeeded since the store was opened, exact once quoin_shutdown() has returned. */
  uint64_t queries;     /**< quoin_query(), quoin_query_prepared(). */
  uint64_t matches;     /**< quoin_match(), quoin_txn_match(). */
  uint64_t counts;      /**< quoin_count(). */
  uint64_t dumps;       /**< quoin_dump(). */
  uint64_t loads;       /**< quoin_load(), quoin_load_memory(), quoin_load_callback(). */
  uint64_t updates;     /**< quoin_update(). */
  uint64_t commits;     /**< quoin_txn_commit(), whether or not it changed anything. */
  uint64_t conflicts;   /**< quoin_txn_commit() that failed with QUOIN_ERR_CONFLICT. */
  uint64_t checkpoints; /**< quoin_checkpoint(). */
  uint64_t clears;      /**< quoin_store_clear(). */
  uint64_t compactions; /**< quoin_store_compact(). */
  uint64_t refreshes;   /**< quoin_store_refresh(). */
  uint64_t backups;     /**< quoin_backup(). */
  /* Of the store's own work since it was opened. */
  uint64_t changes;            /**< Commits, of updates too, that changed something. */
  uint64_t log_syncs;          /**< Syncs of the log; one serves all commits that wait for it. */
  uint64_t flushes;            /**< Changes in memory that went to disk in the background. */
  uint64_t merges;             /**< Run files made of several in the background. */
  uint64_t delayed;            /**< Commits that were slowed down since those two were behind. */
  uint64_t vector_bytes;       /**< Of the numbers of vectors. */
  uint64_t filter_bytes;       /**< Of memory for `filter_bytes` of the options. */
  uint64_t vector_place_bytes; /**< Of memory for where the vectors lie that were read. */
} quoin_stats;
#define QUOIN_STATS_INIT                                                                           \
  {                                                                                                \
    sizeof(quoin_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                                   \
  }
/** @param[in,out] out  struct_size is read, the rest is filled. On a store that was shut down the
 * call fails with QUOIN_ERR_CLOSED, and fills the counts of calls all the same.
 * @param count_graphs  Also count the named graphs, by hopping over an index: a lookup per graph.
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_store_stats(quoin_stats *out, quoin_store *store,
                                                         bool count_graphs, quoin_error *err);

/** How many of the store's terms no quad needs, so that quoin_store_compact() would drop them.
 * Exact for the moment of the call; reads every quad once. @param cancel  May be NULL. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_store_dead_terms(uint64_t *out, quoin_store *store,
                                                              quoin_cancel *cancel,
                                                              quoin_error *err);

/** Verify every byte stored: checksums, order, counts, that each term is found by its text.
 * Changes nothing. @param report  Gets a line per step; may be NULL. @param cancel  May be NULL.
 * Errors: CORRUPT with file and offset of the first fault, CANCELLED. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_check(quoin_store *store, quoin_line_fn report,
                                                   void *user, quoin_cancel *cancel,
                                                   quoin_error *err);
/** @} */

/** @name Pools: many named stores below one directory
 *
 * Any number of threads, and of processes, may use one pool. The stores are handed out as
 * quoin_store, to be closed with quoin_close(); within a process those of one name share the store.
 * A store stays what it was for those who hold it, whatever becomes of its name; it may outlive the
 * pool's handle. */
/** @{ */

typedef struct quoin_pool quoin_pool;

#define QUOIN_NO_BUDGET UINT64_MAX

typedef struct quoin_pool_options {
  size_t struct_size;
  quoin_mode mode; /**< Of the pool and of its stores. */
  bool temporary;  /**< A new pool in a new directory below `path`; all of it goes with its last
                        holder, or when another is made there after its process died. */
  uint64_t
      disk_budget;    /**< Bytes of all stores' files; 0: as the pool says (quoin_pool_budget()). */
  unsigned lent_most; /**< Stores without a name at a time; 0: twice the cores. */
  quoin_durability durability; /**< Of stores with a name. */
  unsigned threads;            /**< As quoin_open_options, each of these. */
  uint64_t memory_bytes;
  const quoin_alloc *alloc;
  quoin_line_fn log;
  void *log_user;
  uint64_t unlinked_vectors; /**< As quoin_open_options, each of these. */
} quoin_pool_options;
#define QUOIN_POOL_OPTIONS_INIT                                                                    \
  {                                                                                                \
    sizeof(quoin_pool_options), QUOIN_READ_WRITE, false, 0, 0, QUOIN_DURABILITY_FULL, 0, 0, NULL,  \
        NULL, NULL, 0                                                                              \
  }

/** Open the pool in directory `path`. Errors: NOT_FOUND, EXISTS (QUOIN_CREATE_NEW, or foreign
 * files there), CORRUPT, VERSION, IO, NO_SPACE. @param opts  NULL for the defaults. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_open(quoin_pool **out, const char *path,
                                                       const quoin_pool_options *opts,
                                                       quoin_error *err);
/** One more reference; returns `pool`. */
QUOIN_API quoin_pool *quoin_pool_retain(quoin_pool *pool);
/** Give up a reference. NULL is fine. */
QUOIN_API void quoin_pool_close(quoin_pool *pool);
/** The directory of the pool; valid as long as the pool is held. */
QUOIN_API const char *quoin_pool_path(const quoin_pool *pool);

/** Add an empty store; the first one becomes the active one. @param name  1 to 200 bytes of UTF-8
 * without control characters. @param indexes  As quoin_open_options.
 * Errors of these seven: NOT_FOUND, EXISTS, READ_ONLY, ARGUMENT, BUSY (another process is changing
 * the pool, or writes to the store that is to be cleared), IO, NO_SPACE. A process that dies in any
 * of them leaves a pool that is as before or as after it. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_create(quoin_pool *pool, const char *name,
                                                         uint32_t indexes, quoin_error *err);
/** Make a store named `name` of the backup at `backup`, which stays what it is, and verify it. The
 * disk budget is asked before anything is copied. The pool can be used meanwhile, and the name is
 * nobody's until the store is whole; a failure, or the end of the process, leaves nothing of it.
 * @param cancel  May be NULL. Errors, too: CANCELLED, those of quoin_restore(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_restore(quoin_pool *pool, const char *name,
                                                          const char *backup, quoin_cancel *cancel,
                                                          quoin_error *err);
/** Take the name away at once; the store goes when the last one who holds it closes it. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_delete(quoin_pool *pool, const char *name,
                                                         quoin_error *err);
/** Let the two names change stores, at once: nobody finds one without the other. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_switch(quoin_pool *pool, const char *a,
                                                         const char *b, quoin_error *err);
/** Make it the one that is meant when no name is given. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_activate(quoin_pool *pool, const char *name,
                                                           quoin_error *err);
/** Empty a store, in a time that does not depend on what it holds. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_clear(quoin_pool *pool, const char *name,
                                                        quoin_error *err);
/** Keep in the pool how many bytes the files of all stores may take; QUOIN_NO_BUDGET. What would
 * grow past it fails with NO_SPACE and says which stores take how much. Each
 * process that writes may take the pool past it by a sixteenth before it notices. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_budget(quoin_pool *pool, uint64_t bytes,
                                                         quoin_error *err);

/** A store of the pool: the one `name` (NULL: the active one) means now. To be closed with
 * quoin_close(). Errors: NOT_FOUND, BUSY (another process writes to it), as quoin_open(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_store(quoin_store **out, quoin_pool *pool,
                                                        const char *name, quoin_error *err);
/** An empty store without a name. quoin_close() gives it back, in a time that does not depend on
 * what it holds; a thread of the pool empties it for the next one. Waits up
 * to `wait_ms` for one when as many as the pool lends are out; then LIMIT. One that came back is
 * emptied first, and waited for whatever `wait_ms` says.
 * @param cancel  May be NULL. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_rent(quoin_store **out, quoin_pool *pool,
                                                       uint64_t wait_ms, quoin_cancel *cancel,
                                                       quoin_error *err);

typedef struct quoin_pool_entry {
  const char *name;      /**< Valid during the call. */
  const char *directory; /**< Within the pool's; valid during the call. */
  uint64_t bytes;        /**< Of its files. */
  bool active;
  bool open; /**< Held by someone of this process. */
} quoin_pool_entry;
/** Call `each` for every name, ascending; stops at the first status that is not OK and returns it.
 */
QUOIN_API QUOIN_NODISCARD quoin_status
quoin_pool_list(quoin_pool *pool,
                quoin_status (*each)(void *user, const quoin_pool_entry *entry, quoin_error *err),
                void *user, quoin_error *err);
typedef struct quoin_pool_usage {
  size_t struct_size;
  uint64_t disk_budget; /**< QUOIN_NO_BUDGET: none. */
  uint64_t bytes;       /**< Of all stores, those without a name too. */
  unsigned lent, lent_most;
} quoin_pool_usage;
#define QUOIN_POOL_USAGE_INIT                                                                      \
  {                                                                                                \
    sizeof(quoin_pool_usage), 0, 0, 0, 0                                                           \
  }
QUOIN_API QUOIN_NODISCARD quoin_status quoin_pool_get_usage(quoin_pool_usage *out, quoin_pool *pool,
                                                            quoin_error *err);
/** @} */

/** @name RDF in */
/** @{ */

typedef enum quoin_format {
  QUOIN_FORMAT_AUTO = 0, /**< By the name of the file: .nt .nq .ttl .trig, then .gz .bz2 .xz .zst */
  QUOIN_NTRIPLES = 1,
  QUOIN_NQUADS = 2,
  QUOIN_TURTLE = 3,
  QUOIN_TRIG = 4
} quoin_format;
/** Is it an absolute IRI? If not: ARGUMENT, with `offset` where it ceases to be one and what was
 * expected there. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_iri_check(quoin_span iri, quoin_error *err);
/** By name (nt, nq, ttl, trig, ...) or media type; QUOIN_FORMAT_AUTO when there is none such. */
QUOIN_API quoin_format quoin_format_by_name(const char *name);

typedef struct quoin_load_options {
  size_t struct_size;
  quoin_format format;
  bool lenient;          /**< Skip bad statements, report and count them. Of a statement of Turtle
                              or TriG, what stands before the fault stays. */
  quoin_span base;       /**< Base IRI of Turtle and TriG; empty: the file's own file:// IRI. */
  quoin_span graph;      /**< IRI of the graph of statements that name none; empty: default. */
  unsigned threads;      /**< 0: as the store says. With 1 everything happens on this thread. */
  uint64_t memory_bytes; /**< For sorting, above which runs are spilled; 0: a quarter of RAM. */
  quoin_progress_fn progress; /**< May be NULL. */
  quoin_bad_fn bad;           /**< May be NULL. */
  void *user;                 /**< Of both. */
  quoin_cancel *cancel;       /**< May be NULL. */
} quoin_load_options;
#define QUOIN_LOAD_OPTIONS_INIT                                                                    \
  {                                                                                                \
    sizeof(quoin_load_options), QUOIN_FORMAT_AUTO, false, {NULL, 0}, {NULL, 0}, 0, 0, NULL, NULL,  \
        NULL, NULL                                                                                 \
  }

typedef struct quoin_load_result {
  uint64_t statements; /**< Read. */
  uint64_t added;      /**< Quads that were new. */
  uint64_t skipped;    /**< Bad ones, when lenient. */
  uint64_t bytes;      /**< Read, after decompression. */
} quoin_load_result;

/**
 * Load every statement of all `files`, or none: after any failure the store is as it was.
 *
 * Reading goes on meanwhile, commits wait. Files compressed with gzip, bzip2, xz or zstd are known
 * by their content. "-" is standard input. Each file is a blank node scope of its own.
 *
 * @param[out] out  May be NULL.
 * @return QUOIN_OK, or QUOIN_ERR_SYNTAX (file, line, column, what was found and what was expected),
 *   QUOIN_ERR_IO, QUOIN_ERR_NOT_FOUND (no such file), QUOIN_ERR_CORRUPT (a damaged compressed
 *   stream), QUOIN_ERR_CANCELLED, QUOIN_ERR_READ_ONLY, QUOIN_ERR_NO_SPACE, QUOIN_ERR_POISONED.
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_load(quoin_load_result *out, quoin_store *store,
                                                  const char *const *files, size_t n_files,
                                                  const quoin_load_options *opts, quoin_error *err);
/** As quoin_load(), from `text` (borrowed during the call). The options must give the format. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_load_memory(quoin_load_result *out, quoin_store *store,
                                                         quoin_span text,
                                                         const quoin_load_options *opts,
                                                         quoin_error *err);
/** As quoin_load(), from what `read` gives. `name` (may be NULL) appears in errors. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_load_callback(quoin_load_result *out,
                                                           quoin_store *store, quoin_read_fn read,
                                                           void *read_user, const char *name,
                                                           const quoin_load_options *opts,
                                                           quoin_error *err);

/** The bytes of a file ("-": standard input), decompressed as quoin_load() does. Of one thread at a
 * time. */
typedef struct quoin_input quoin_input;
/** @param[out] out  To be closed with quoin_input_close(). Errors: NOT_FOUND, IO. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_input_open(quoin_input **out, const char *file,
                                                        quoin_error *err);
/** A quoin_read_fn: `input` is a quoin_input. Errors: IO, CORRUPT (a damaged compressed stream). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_input_read(size_t *got, void *input, void *data,
                                                        size_t cap, quoin_error *err);
/** How much of the file was taken, compressed if it is, and of how much; 0: it is not known. */
QUOIN_API void quoin_input_progress(uint64_t *taken, uint64_t *total, const quoin_input *input);
QUOIN_API void quoin_input_close(quoin_input *input);

/** Read a file without a store; each statement goes to `each`. `graph`, `threads` and
 * `memory_bytes` of the options are not used. Blank node labels are the file's own. Errors: as
 * quoin_load(), and what `each` returns. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_parse(quoin_load_result *out, const char *file,
                                                   const quoin_load_options *opts,
                                                   quoin_statement_fn each, void *user,
                                                   quoin_error *err);
/** The same, written as N-Quads. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_parse_write(quoin_load_result *out, const char *file,
                                                         const quoin_load_options *opts,
                                                         quoin_write_fn write, void *user,
                                                         quoin_error *err);
/** @} */

/** @name RDF out */
/** @{ */

/** Write every quad of the store as it is now. NTRIPLES and TURTLE hold the default graph alone and
 * refuse a store with named graphs (ARGUMENT, before anything is written).
 * @param[out] statements  Written; may be NULL. @param cancel  May be NULL. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_dump(uint64_t *statements, quoin_store *store,
                                                  quoin_format format, quoin_write_fn write,
                                                  void *user, quoin_cancel *cancel,
                                                  quoin_error *err);

typedef struct quoin_dump_options {
  size_t struct_size;
  quoin_format format;
  bool no_system; /**< Leave the graph <urn:x-quoin:system> out, which is written last. */
  bool base64; /**< Vectors as b64: and their bytes: exact as the array of numbers is, shorter. */
  quoin_cancel *cancel; /**< May be NULL. */
} quoin_dump_options;
#define QUOIN_DUMP_OPTIONS_INIT                                                                    \
  {                                                                                                \
    sizeof(quoin_dump_options), QUOIN_NQUADS, false, false, NULL                                   \
  }
/** As quoin_dump(). @param opts  NULL: N-Quads of all. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_dump_with(uint64_t *statements, quoin_store *store,
                                                       const quoin_dump_options *opts,
                                                       quoin_write_fn write, void *user,
                                                       quoin_error *err);

/** As quoin_dump(), without the graph <urn:x-quoin:system>, which quoin_dump() writes last. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_dump_data(uint64_t *statements, quoin_store *store,
                                                       quoin_format format, quoin_write_fn write,
                                                       void *user, quoin_cancel *cancel,
                                                       quoin_error *err);

/** Which graphs a pattern looks at. */
typedef enum quoin_scope {
  QUOIN_ANY_GRAPH = 0,     /**< All; with a graph in the pattern that one. */
  QUOIN_DEFAULT_GRAPH = 1, /**< The default graph; the pattern's graph must be NONE. */
  QUOIN_NAMED_GRAPHS = 2   /**< All named ones; with a graph in the pattern that one. */
} quoin_scope;

/** The statements that match a pattern, as the store was when it was opened. */
typedef struct quoin_matches quoin_matches;
/** Statements whose terms equal those of `pattern`; QUOIN_TERM_NONE is any. Blank nodes are named
 * by `node`, or by the label under which they came out.
 * @param[out] out  To be closed with quoin_matches_close(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_match(quoin_matches **out, quoin_store *store,
                                                   const quoin_statement *pattern,
                                                   quoin_scope scope, quoin_error *err);
/** Step: QUOIN_OK with *out valid until the next step or close, or QUOIN_DONE. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_matches_next(const quoin_statement **out,
                                                          quoin_matches *matches, quoin_error *err);
QUOIN_API void quoin_matches_close(quoin_matches *matches);
/** How many statements match; from the indexes, without visiting them, wherever one allows it. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_count(uint64_t *out, quoin_store *store,
                                                   const quoin_statement *pattern,
                                                   quoin_scope scope, quoin_error *err);
/** @} */

/** @name Transactions */
/** @{ */

/** A transaction: changes that become visible and durable together, or not at all. Any number may
 * be open, each on the store as it was when it began. */
typedef struct quoin_txn quoin_txn;
/** @param[out] out  To be ended with quoin_txn_commit() or quoin_txn_abort(). Errors: READ_ONLY. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_begin(quoin_txn **out, quoin_store *store,
                                                       quoin_error *err);
/** Add a statement. Blank node labels are scoped to the transaction; to name a stored node set
 * `node` of the term. Errors: ARGUMENT (not a statement: a literal as subject, a relative IRI...).
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_add(quoin_txn *txn,
                                                     const quoin_statement *statement,
                                                     quoin_error *err);
/** Remove a statement; one that is not there is no error. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_remove(quoin_txn *txn,
                                                        const quoin_statement *statement,
                                                        quoin_error *err);
/** As quoin_match(), with the transaction's own changes. To be closed before the next change. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_match(quoin_matches **out, quoin_txn *txn,
                                                       const quoin_statement *pattern,
                                                       quoin_scope scope, quoin_error *err);
/** Make the changes durable and visible. Ends and frees the transaction whatever it returns.
 * @param[out] added, removed  Net changes; may be NULL.
 * @return QUOIN_OK, or QUOIN_ERR_CONFLICT (a later commit changed what this one relied on: retry
 *   with a new transaction), QUOIN_ERR_IO (outcome unknown until the store is reopened),
 *   QUOIN_ERR_NO_SPACE, QUOIN_ERR_POISONED, QUOIN_ERR_TIMEOUT (`wait_ms` of the open options). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_commit(uint64_t *added, uint64_t *removed,
                                                        quoin_txn *txn, quoin_error *err);
/** Forget the changes and free the transaction. */
QUOIN_API void quoin_txn_abort(quoin_txn *txn);
/** @} */

/** @name Queries */
/** @{ */

typedef enum quoin_query_form {
  QUOIN_SELECT = 0,
  QUOIN_CONSTRUCT = 1,
  QUOIN_DESCRIBE = 2,
  QUOIN_ASK = 3
} quoin_query_form;

/** A parsed query. Immutable: any number of cursors and threads may use it, over any store. */
typedef struct quoin_prepared quoin_prepared;
/** Parse `sparql` (copied). `base`: base IRI, may be empty.
 * @param[out] out  To be freed with quoin_prepared_free(). Errors: SYNTAX with line and column. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_prepare(quoin_prepared **out, quoin_span sparql,
                                                     quoin_span base, quoin_error *err);
QUOIN_API quoin_query_form quoin_prepared_form(const quoin_prepared *prepared);
/** Cursors that use it keep what they need of it. */
QUOIN_API void quoin_prepared_free(quoin_prepared *prepared);
/** Check the syntax of an update request, as quoin_prepare() does that of a query. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_update_check(quoin_span sparql, quoin_span base,
                                                          quoin_error *err);

/** A variable given a value from outside. */
typedef struct quoin_binding {
  quoin_span name; /**< Without "?". */
  quoin_term term; /**< A blank node: by `node`, or by the label under which it came out. */
} quoin_binding;

/** Make `n` floats of a text, for vec:embed. As quoin_write_fn otherwise. The deadline and the
 * cancel token of the query are looked at behind each call, not in it: where it may wait long,
 * `user` should have them, and the function give TIMEOUT or CANCELLED. */
typedef quoin_status (*quoin_embed_fn)(float *out, size_t n, void *user, quoin_span text,
                                       quoin_error *err);

typedef struct quoin_query_options {
  size_t struct_size;
  quoin_span base;          /**< Base IRI of the text; empty: none. Not for prepared queries. */
  uint64_t timeout_ms;      /**< From the opening on; 0: none. Past it: TIMEOUT. */
  uint64_t memory_bytes;    /**< 0: 1 GiB. Past it: LIMIT. */
  uint64_t max_rows;        /**< 0: any number. More are a failure (LIMIT), never cut off. */
  unsigned threads;         /**< 0: as the store says. */
  bool union_default_graph; /**< The default graph is the union of all graphs. */
  bool profile;             /**< Measure each operator, for quoin_cursor_explain(). */
  const quoin_binding *bindings; /**< Borrowed during the call. */
  size_t n_bindings;
  quoin_cancel *cancel;      /**< May be NULL; must outlive the cursor. */
  const char *allow_service; /**< SERVICE may ask addresses that begin with one of these, separated
                                by spaces; NULL: none. Borrowed during the call. */
  quoin_embed_fn embed;      /**< Called by vec:embed; NULL: it is a failure. */
  void *embed_user;
  quoin_span embed_model; /**< The model it is, which an index that names one must name; empty: for
                             indexes that name none. Must outlive the cursor. */
} quoin_query_options;
#define QUOIN_QUERY_OPTIONS_INIT                                                                   \
  {                                                                                                \
    sizeof(quoin_query_options), {NULL, 0}, 0, 0, 0, 0, false, false, NULL, 0, NULL, NULL, NULL,   \
        NULL,                                                                                      \
    {                                                                                              \
      NULL, 0                                                                                      \
    }                                                                                              \
  }

/** The answer of one query over the store as it was when it was opened. */
typedef struct quoin_cursor quoin_cursor;

/**
 * Parse, plan and open `sparql` over the store as it is now; the cursor is before the first row.
 *
 * @param[out] out  To be closed with quoin_cursor_close().
 * @param opts      May be NULL.
 * @return QUOIN_OK, or QUOIN_ERR_SYNTAX with line and column, QUOIN_ERR_UNSUPPORTED naming a
 *   feature that this version does not execute, QUOIN_ERR_LIMIT.
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_query(quoin_cursor **out, quoin_store *store,
                                                   quoin_span sparql,
                                                   const quoin_query_options *opts,
                                                   quoin_error *err);
/** The same with a prepared query. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_query_prepared(quoin_cursor **out, quoin_store *store,
                                                            quoin_prepared *prepared,
                                                            const quoin_query_options *opts,
                                                            quoin_error *err);
/** As quoin_query(), over the transaction's own changes too. What the query reads counts as relied
 * on: see quoin_txn_commit(). The cursor is to be closed before the next change and the end. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_query(quoin_cursor **out, quoin_txn *txn,
                                                       quoin_span sparql,
                                                       const quoin_query_options *opts,
                                                       quoin_error *err);
/** The same with a prepared query. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_query_prepared(quoin_cursor **out, quoin_txn *txn,
                                                                quoin_prepared *prepared,
                                                                const quoin_query_options *opts,
                                                                quoin_error *err);
/** A store outlives its open cursors, whichever is closed first. */
QUOIN_API void quoin_cursor_close(quoin_cursor *cursor);

QUOIN_API quoin_query_form quoin_cursor_form(const quoin_cursor *cursor);
/** Result columns of a SELECT; 0 for other forms. */
QUOIN_API size_t quoin_cursor_columns(const quoin_cursor *cursor);
/** Name of column `col` without "?"; valid until close. */
QUOIN_API quoin_span quoin_cursor_name(const quoin_cursor *cursor, size_t col);

/** How a query ended. */
typedef enum quoin_outcome {
  QUOIN_OUTCOME_OPEN = 0,        /**< It has not: there may be more rows. */
  QUOIN_OUTCOME_COMPLETE = 1,    /**< All rows were given. */
  QUOIN_OUTCOME_APPROXIMATE = 2, /**< All rows of a query in which "nearest" was written. */
  QUOIN_OUTCOME_FAILED = 3       /**< It ended early with a failure. */
} quoin_outcome;
QUOIN_API quoin_outcome quoin_cursor_outcome(const quoin_cursor *cursor);
/** After the end of a query: one line for whoever reads the answer, when it may surprise: the
 * active graph of a vec:nearest has no vectors of the index, while other graphs have. Else NULL.
 * Valid until close. */
QUOIN_API const char *quoin_cursor_notice(const quoin_cursor *cursor);

/** What a value is, for reading it without text. */
typedef enum quoin_type {
  QUOIN_TYPE_UNBOUND = 0,
  QUOIN_TYPE_IRI = 1,
  QUOIN_TYPE_BLANK = 2,
  QUOIN_TYPE_LITERAL = 3, /**< Any that is none of the following; text, datatype and language. */
  QUOIN_TYPE_INTEGER = 4, /**< xsd:integer within 64 bits. */
  QUOIN_TYPE_DOUBLE = 5,  /**< xsd:double or xsd:float. */
  QUOIN_TYPE_BOOLEAN = 6, /**< xsd:boolean. */
  QUOIN_TYPE_VECTOR = 7   /**< A well-formed vec:f32, as borrowed floats. */
} quoin_type;

/**
 * Step to the next row of a SELECT or ASK.
 *
 * An ASK has one row without columns when the answer is yes, and none when it is no. Errors:
 * TIMEOUT, LIMIT, CANCELLED, CLOSED; UNSUPPORTED for a CONSTRUCT or DESCRIBE (see
 * quoin_cursor_triple()). A cursor that failed keeps failing so.
 *
 * @return QUOIN_OK on a row, QUOIN_DONE after the last.
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cursor_next(quoin_cursor *cursor, quoin_error *err);
/** Type of column `col` of the row that the cursor is on. */
QUOIN_API quoin_type quoin_cursor_type(quoin_cursor *cursor, size_t col);
/** N-Triples form of column `col`, or {NULL, 0} if unbound. Valid until the next step or close.
 * A failure to read it gives {NULL, 0} too, and becomes that of the next step. */
QUOIN_API quoin_span quoin_cursor_text(quoin_cursor *cursor, size_t col);
/** The term in column `col`, QUOIN_TERM_NONE if unbound. Valid until the next step or close. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cursor_term(quoin_term *out, quoin_cursor *cursor,
                                                         size_t col, quoin_error *err);
/** Column `col` as an integer: false unless its type is QUOIN_TYPE_INTEGER or BOOLEAN. */
QUOIN_API bool quoin_cursor_integer(int64_t *out, quoin_cursor *cursor, size_t col);
/** Column `col` as a double: false unless it is numeric (integers and decimals are rounded). */
QUOIN_API bool quoin_cursor_double(double *out, quoin_cursor *cursor, size_t col);

/** A value; which member counts is said by its type. */
typedef union quoin_value {
  int64_t integer;     /**< QUOIN_TYPE_INTEGER; QUOIN_TYPE_BOOLEAN: 0 or 1. */
  double number;       /**< QUOIN_TYPE_DOUBLE. */
  uint64_t node;       /**< QUOIN_TYPE_BLANK: quoin_term.node, 0 if it is not a stored one. */
  const float *vector; /**< QUOIN_TYPE_VECTOR: as many floats as the index says. */
} quoin_value;

/** Rows by column. */
typedef struct quoin_batch {
  size_t rows, columns;
  const uint8_t *const *type;      /**< type[col][row] is a quoin_type. */
  const quoin_value *const *value; /**< value[col][row]. */
  const uint64_t *const *id;       /**< id[col][row]: equal ids are the same term, 0 is unbound.
                                      Good for this cursor only. */
} quoin_batch;
/** Step to the next batch of rows of a SELECT, typed and without text: the fast way. A cursor is
 * read either by rows or by batches (mixing them: ARGUMENT). *out is valid until the next step or
 * close. Returns as quoin_cursor_next(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cursor_batch(quoin_batch *out, quoin_cursor *cursor,
                                                          quoin_error *err);
/** The term at `row` and `col` of the batch that the cursor is on; as quoin_cursor_term(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cursor_batch_term(quoin_term *out,
                                                               quoin_cursor *cursor, size_t row,
                                                               size_t col, quoin_error *err);
/** Step to the next triple of a CONSTRUCT or DESCRIBE. *out is valid until the next step or close.
 * Returns as quoin_cursor_next(). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cursor_triple(const quoin_statement **out,
                                                           quoin_cursor *cursor, quoin_error *err);

typedef enum quoin_results {
  QUOIN_RESULTS_NONE = 0,
  QUOIN_RESULTS_TABLE = 1, /**< For people; SELECT and ASK, as the next four. */
  QUOIN_RESULTS_JSON = 2,
  QUOIN_RESULTS_XML = 3,
  QUOIN_RESULTS_CSV = 4,
  QUOIN_RESULTS_TSV = 5,
  QUOIN_RESULTS_NTRIPLES = 6, /**< CONSTRUCT and DESCRIBE, as the next two. */
  QUOIN_RESULTS_TURTLE = 7,
  QUOIN_RESULTS_NQUADS = 8
} quoin_results;
/** By name: table json xml csv tsv nt ttl nq; QUOIN_RESULTS_NONE when there is none such. */
QUOIN_API quoin_results quoin_results_by_name(const char *name);
/** Run the cursor, which must not have been stepped, to its end into `write`, streaming. A format
 * that cannot hold the query's form is ARGUMENT before anything is written. When the query fails
 * midway the output is not closed as well-formed. @param[out] rows  Written; may be NULL. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cursor_write(uint64_t *rows, quoin_cursor *cursor,
                                                          quoin_results format,
                                                          quoin_write_fn write, void *user,
                                                          quoin_error *err);
/** The plan as indented text with estimates; after the end of a query with `profile` also what was
 * measured. @param[out] out  Valid until the next call on the cursor. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_cursor_explain(quoin_span *out, quoin_cursor *cursor,
                                                            quoin_error *err);
/** @} */

/** @name Vectors */
/** @{ */

/** A vector index: the vectors that one predicate gives to subjects, as declared in the graph
 * <urn:x-quoin:system>, by quoin_update() or in a file that is loaded:
 *
 *     PREFIX vec: <urn:x-quoin:vec#>
 *     INSERT DATA { GRAPH <urn:x-quoin:system> {
 *       <http://example.org/embedding> a vec:Index ; vec:dimension 384 } }
 *
 * also vec:metric (vec:cosineMetric if not said, vec:dotMetric, vec:l2Metric), vec:storage
 * (vec:f32Code, vec:f16Code, vec:i8Code, vec:b1Code), vec:m, vec:efConstruction, vec:model. Vectors
 * are added by quoin_txn_add_vector(), by updates and by loads. A handle has looked its name up and
 * may be shared between threads; when the declaration goes, its searches fail with NOT_FOUND. In
 * SPARQL: vec:nearest. A whole program: examples/search.c. */
typedef struct quoin_vectors quoin_vectors;
/** @param predicate  IRI. @param[out] out  To be closed with quoin_vectors_close(); keeps the
 * store. Errors: NOT_FOUND (no such index). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_vectors_open(quoin_vectors **out, quoin_store *store,
                                                          quoin_span predicate, quoin_error *err);
QUOIN_API void quoin_vectors_close(quoin_vectors *vectors);
/** Numbers of a vector. */
QUOIN_API uint32_t quoin_vectors_dimension(const quoin_vectors *vectors);

typedef struct quoin_search_options {
  size_t struct_size;
  uint64_t k;           /**< How many subjects for each query; 10 by default. */
  uint64_t ef;          /**< Effort of the search in the graph; 0: as the index chooses. */
  double max_distance;  /**< Nothing farther: also 0, and under dot numbers below; HUGE_VAL: any. */
  bool exact;           /**< Look at all vectors. */
  bool all_graphs;      /**< The vectors of all graphs; else of the default graph, or of: */
  quoin_span graph;     /**< IRI of a named graph; empty: none. */
  unsigned threads;     /**< That share the queries; 0: as the store says. */
  quoin_cancel *cancel; /**< May be NULL. */
} quoin_search_options;
#define QUOIN_SEARCH_OPTIONS_INIT                                                                  \
  {                                                                                                \
    sizeof(quoin_search_options), 10, 0, HUGE_VAL, false, false, {NULL, 0}, 0, NULL                \
  }

/** What a search found: for each query its nearest subjects, nearest first. */
typedef struct quoin_hits quoin_hits;
/** Search for `n` queries of quoin_vectors_dimension() floats each, one behind the other, over the
 * store as it is now; several threads take queries in turn. A subject counts once, at the distance
 * of its nearest vector. Distances ascend with unlikeness: 1 - cos, 1 - dot, or Euclidean.
 * @param[out] out  To be closed with quoin_hits_close(). @param opts  May be NULL.
 * Errors: ARGUMENT (not finite, or zero under cosine), NOT_FOUND, CANCELLED. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_vectors_search(quoin_hits **out,
                                                            quoin_vectors *vectors,
                                                            const float *queries, size_t n,
                                                            const quoin_search_options *opts,
                                                            quoin_error *err);
QUOIN_API void quoin_hits_close(quoin_hits *hits);
/** Was any query answered through the graph? Then a nearer one may be missing. */
QUOIN_API bool quoin_hits_approximate(const quoin_hits *hits);
/** How many subjects were found for a query. */
QUOIN_API size_t quoin_hits_count(const quoin_hits *hits, size_t query);
/** NaN when there is no such hit. */
QUOIN_API double quoin_hits_distance(const quoin_hits *hits, size_t query, size_t i);
/** The subject; valid until the next call on `hits`. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_hits_term(quoin_term *out, quoin_hits *hits,
                                                       size_t query, size_t i, quoin_error *err);

/** The numbers that a text says in the form of vec:f32: a JSON array, or b64: and their bytes.
 * @param[out] n  How many there are; the first `cap` of them are written to `out`.
 * Errors: SYNTAX (it is not well formed, or a number is too large), LIMIT (more than 65,535). */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_vector_parse(float *out, size_t *n, size_t cap,
                                                          quoin_span text, quoin_error *err);
/** Add the statement <subject> <predicate> vector, as a vec:f32 of `n` floats.
 * @param graph  NULL or NONE: the default graph. Errors: as quoin_txn_add(); ARGUMENT for numbers
 * that are not finite. What contradicts a declared index fails the commit. */
QUOIN_API QUOIN_NODISCARD quoin_status
quoin_txn_add_vector(quoin_txn *txn, const quoin_term *subject, quoin_span predicate,
                     const quoin_term *graph, const float *values, size_t n, quoin_error *err);
/** The floats of column `col` of the row that the cursor is on, or NULL when it is no vector; valid
 * until the next step or close. @param[out] n  How many. */
QUOIN_API const float *quoin_cursor_vector(size_t *n, quoin_cursor *cursor, size_t col);

/** Wait until all vectors that the store has now are in the graphs of their indexes, and those that
 * were removed have left them. They are found, or not, before, too: this makes searches faster.
 *
 * A thread of a store that is open for writing does this at all times; closing the store ends it,
 * and saves what it has done. So call this before quoin_close() when nobody will keep the store
 * open for writing soon: a store that is open for reading links nothing, and its searches look at
 * what is not linked one by one. Where the graph is made anew (after quoin_store_compact(), over
 * vectors that are there when an index is declared, after a change of its code) that is all of
 * them.
 *
 * @param cancel  May be NULL. What was linked by then stays.
 * @return QUOIN_OK, also where nothing links: for reading only, without the key order pos.
 * QUOIN_ERR_CANCELLED, QUOIN_ERR_CLOSED. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_vectors_settle(quoin_store *store,
                                                            quoin_cancel *cancel, quoin_error *err);

typedef struct quoin_vectors_stats {
  size_t struct_size;
  uint64_t statements; /**< Quads with the predicate, in all graphs. */
  uint64_t others;     /**< Of them: those whose object is no vector, and not indexed. */
  uint64_t vectors;    /**< Distinct vectors. */
  uint64_t linked;     /**< Of them: nodes of the graph. */
  uint64_t unlinked;   /**< Of them: not in the graph, searched one by one. */
  uint64_t removed;    /**< Nodes of the graph whose vector nobody has any more. */
  uint64_t bytes;      /**< Of the graph, in memory or mapped. */
  uint64_t file_bytes; /**< Of the graph's file as of the last checkpoint. */
  uint64_t damaged;    /**< 1: that file cannot be read. Searches are exact until a store opened for
                            writing has made the graph again and saved it. */
  uint64_t missing;    /**< 1: there is no graph, for want of memory or addresses, or because none
                            can be as the index is declared. Searches are exact. */
  /* As declared, or what holds where that says nothing. The texts are always there. */
  const char *metric; /**< "cosine", "dot" or "l2". */
  const char *code;   /**< What the graph is walked with: "f32", "f16", "i8" or "b1". */
  uint32_t m, ef_construction;
} quoin_vectors_stats;
#define QUOIN_VECTORS_STATS_INIT                                                                   \
  {                                                                                                \
    sizeof(quoin_vectors_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0                    \
  }
/** What an index has, as of now; reads all quads of its predicate. @param[in,out] out  struct_size
 * is read, the rest is filled. @param cancel  May be NULL. Errors: NOT_FOUND, CANCELLED, CORRUPT.
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_vectors_count(quoin_vectors_stats *out,
                                                           quoin_vectors *vectors,
                                                           quoin_cancel *cancel, quoin_error *err);

typedef struct quoin_vectors_report {
  size_t struct_size;
  uint64_t nodes;       /**< Vectors in the graph. */
  uint64_t links;       /**< Between them. */
  uint64_t unreachable; /**< Nodes that no search comes to; of a repair: after it. */
  uint64_t repaired;    /**< Nodes that no search came to before, and searches come to now. */
  uint64_t waiting;     /**< Vectors not in the graph yet. */
  uint64_t bytes;       /**< Of the graph. */
  uint64_t made_again;  /**< 1: its file was damaged; this is the graph made in its place. */
} quoin_vectors_report;
#define QUOIN_VECTORS_REPORT_INIT                                                                  \
  {                                                                                                \
    sizeof(quoin_vectors_report), 0, 0, 0, 0, 0, 0, 0                                              \
  }
/** Verify the graph of an index; with `repair` also link what cannot be reached, and wait until a
 * damaged graph has been made again. Errors: CORRUPT, naming file and offset: the store goes on,
 * with exact searches until the graph has been made again. */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_vectors_check(quoin_vectors_report *out,
                                                           quoin_vectors *vectors, bool repair,
                                                           quoin_cancel *cancel, quoin_error *err);
/** @} */

/** @name Updates */
/** @{ */

typedef struct quoin_update_options {
  size_t struct_size;
  quoin_span base;           /**< Base IRI of the text; empty: none. */
  uint64_t timeout_ms;       /**< For waiting and all operations, not the commit; 0: none. */
  uint64_t memory_bytes;     /**< For the WHERE of each operation; 0: 1 GiB. Past it: LIMIT. */
  unsigned threads;          /**< 0: as the store says. */
  bool union_default_graph;  /**< In WHERE the default graph is the union of all graphs. */
  const char *allow_load;    /**< LOAD may read file: IRIs below this directory; NULL: none. */
  quoin_cancel *cancel;      /**< May be NULL. Not looked at once the commit has begun. */
  const char *allow_service; /**< As in quoin_query_options. */
  quoin_embed_fn embed;      /**< Likewise. */
  void *embed_user;
  quoin_span embed_model; /**< Likewise. */
} quoin_update_options;
#define QUOIN_UPDATE_OPTIONS_INIT                                                                  \
  {                                                                                                \
    sizeof(quoin_update_options), {NULL, 0}, 0, 0, 0, false, NULL, NULL, NULL, NULL, NULL,         \
    {                                                                                              \
      NULL, 0                                                                                      \
    }                                                                                              \
  }

/** What an update came to: net changes, so a quad removed and added again counts in neither. */
typedef struct quoin_update_result {
  uint64_t added;   /**< Quads that are new. */
  uint64_t removed; /**< Quads that are gone. */
  char notice[200]; /**< Of the last WHERE that had one: as quoin_cursor_notice(); empty: none. */
} quoin_update_result;

/**
 * Run all operations of a SPARQL 1.1 Update request, or none: each works on what those before it
 * left, and after any failure the store is as it was.
 *
 * Reading goes on meanwhile; commits, loads and other updates wait, so it cannot conflict. A named
 * graph exists when it holds a quad: CREATE of such a one is EXISTS, COPY, MOVE and ADD from one
 * that does not exist NOT_FOUND (unless SILENT); CLEAR and DROP of one succeed. ALL and NAMED leave
 * the graph <urn:x-quoin:system> out. Failures have the line and column of the operation, or of the
 * file that a LOAD reads.
 *
 * @param[out] out  May be NULL.
 * @param opts      May be NULL.
 * @return QUOIN_OK, or QUOIN_ERR_SYNTAX with line and column, QUOIN_ERR_UNSUPPORTED naming a
 * feature that this version does not execute, QUOIN_ERR_EXISTS, QUOIN_ERR_NOT_FOUND,
 * QUOIN_ERR_ARGUMENT (a LOAD that is not allowed), QUOIN_ERR_TIMEOUT, QUOIN_ERR_LIMIT,
 * QUOIN_ERR_CANCELLED, QUOIN_ERR_READ_ONLY, QUOIN_ERR_NO_SPACE, QUOIN_ERR_POISONED, QUOIN_ERR_IO
 * (during the commit: outcome unknown until the store is reopened).
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_update(quoin_update_result *out, quoin_store *store,
                                                    quoin_span sparql,
                                                    const quoin_update_options *opts,
                                                    quoin_error *err);
/**
 * Run an update request within an open transaction, on what it has changed so far; what follows in
 * the transaction sees its changes, others do so after the commit. It neither waits for others nor
 * makes them wait. What it reads counts as relied on: see quoin_txn_commit().
 *
 * @param opts  May be NULL.
 * @return As quoin_update(). After ARGUMENT for an argument of the call or SYNTAX the transaction
 * is as it was. After any other failure it may hold a part of the request's changes: all further
 *   calls on it fail in the same way, the commit too, and nothing of it becomes visible.
 */
QUOIN_API QUOIN_NODISCARD quoin_status quoin_txn_update(quoin_txn *txn, quoin_span sparql,
                                                        const quoin_update_options *opts,
                                                        quoin_error *err);
/** @} */

#ifdef __cplusplus
}
#endif

#endif /* QUOIN_QUOIN_H */
