/* tests/soak/soak.h - what the processes of the soak share.
 *
 * A driver starts a writing process of eight threads and reading processes beside it, on one pool,
 * and kills them at random. What must be in the stores is in memory that all of them map and that
 * outlives each (soak_model): of everything that changes, what was acknowledged and what has begun.
 * So whoever looks takes the first before and the second after, and what it sees lies between; and
 * after a kill each change is there whole or not at all.
 *
 * The pool has two stores that all use, `live` and `next`, which are switched, and one of each
 * thread, `own-N`, which comes and goes. The quads of the first two are in groups; a group belongs
 * to one thread, has a version, and follows from its number and version (model.c). */
#ifndef QUOIN_TESTS_SOAK_SOAK_H
#define QUOIN_TESTS_SOAK_SOAK_H

#include <quoin/quoin.h>

#include <stdatomic.h>
#include <stdint.h>

enum {
  SOAK_THREADS = 8, /* of the writing process */
  SOAK_STORES = 2,
  SOAK_GROUPS = 24 * SOAK_THREADS, /* of a store */
  SOAK_MEMBERS = 4,                /* subjects of a group */
  SOAK_DIM = 16,
  SOAK_TXN_GROUPS = 3, /* changed by one transaction */
  SOAK_TEXT = 400
};

/* A store that all use. */
typedef struct soak_store {
  _Atomic uint32_t acked[SOAK_GROUPS], begun[SOAK_GROUPS]; /* versions */
  _Atomic uint64_t counted, counting;                      /* additions to its counter */
} soak_store;

/* A thread's own store: `own-N`. */
typedef struct soak_own {
  _Atomic bool is, will;          /* there */
  _Atomic uint64_t rows, to_rows; /* quads of its default graph */
} soak_own;

/* A transaction over several groups: all of it, or none. */
typedef struct soak_open_txn {
  _Atomic uint32_t n; /* 0: none is open */
  uint32_t store, group[SOAK_TXN_GROUPS];
} soak_open_txn;

/* Operations that are counted, for the report. */
typedef enum soak_kind {
  SOAK_COMMITS,
  SOAK_CONFLICTS,
  SOAK_COUNTS, /* of the counter */
  SOAK_QUERIES,
  SOAK_SCANS,
  SOAK_SEARCHES,
  SOAK_NEAREST, /* searches through the graph that found what is nearest */
  SOAK_GRAPH,   /* searches through the graph */
  SOAK_SWITCHES,
  SOAK_CREATES,
  SOAK_DELETES,
  SOAK_CLEARS,
  SOAK_LOADS,
  SOAK_RENTS,
  SOAK_BACKUPS,
  SOAK_RESTORES,
  SOAK_COMPACTIONS,
  SOAK_CHECKPOINTS,
  SOAK_TEMPORARY,
  SOAK_REFRESHES,
  SOAK_READERS_LOOKED,
  SOAK_KINDS
} soak_kind;

typedef struct soak_model {
  soak_store store[SOAK_STORES];
  soak_own own[SOAK_THREADS];
  soak_open_txn txn[SOAK_THREADS];
  _Atomic uint32_t live, live_next; /* which store `live` means, and will */
  _Atomic uint64_t count[SOAK_KINDS];
  _Atomic int64_t bytes[2]; /* bytes allocated by the writing process and the first reader */
  _Atomic bool stop;        /* the writing process ends by itself */
  _Atomic bool broken;      /* the first failure: */
  char message[1400];
} soak_model;

/* What a process knows. */
typedef struct soak_run {
  soak_model *model;
  const char *pool; /* its directory */
  const char *side; /* a directory for backups */
  uint64_t seed;
  _Atomic int64_t *live; /* where to count what is allocated, or NULL */
} soak_run;

/* ---- model.c --------------------------------------------------------------------------------- */

uint64_t soak_mix(uint64_t x);
/* The next number of a sequence. */
uint64_t soak_draw(uint64_t *state);
void soak_note(soak_model *m, soak_kind kind);
/* An allocator that counts in run->live. */
quoin_alloc soak_alloc(const soak_run *run);
/* Say what is wrong and end the process. */
_Noreturn void soak_fail(soak_model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void soak_good(soak_model *m, quoin_status st, const quoin_error *err, const char *what);
quoin_span soak_span(const char *text);
/* Groups with this version hold nothing. */
bool soak_is_empty(uint32_t version);
/* The vector of a group. */
void soak_vector(float out[SOAK_DIM], uint32_t store, uint32_t group, uint32_t version);
/* In `txn`: what the group has at `version` goes, or comes. */
quoin_status soak_apply(quoin_txn *txn, uint32_t store, uint32_t group, uint32_t version,
                        bool remove, quoin_error *err);
/* A new store's identity, counter and vector index. */
quoin_status soak_found_store(quoin_store *store, uint32_t number, quoin_error *err);
/* Which store it is: a switch may have come before the handle was taken. */
uint32_t soak_identity(soak_model *m, quoin_store *store);
/* The default graph's index of vectors of <urn:soak:embedding>. */
#define SOAK_EMBEDDING "urn:soak:embedding"
extern const char soak_index[]; /* an update that declares it */

/* What is seen of a store. */
typedef struct soak_view {
  uint32_t low[SOAK_GROUPS];  /* versions that must be there, at least */
  uint32_t seen[SOAK_GROUPS]; /* UINT32_MAX: the group was empty */
  uint64_t counter, counter_low;
} soak_view;
/* To be called before the snapshot is taken. */
void soak_view_begin(soak_view *v, const soak_model *m, uint32_t number);
/* The same, and a store that is open for reading only moves on. */
void soak_refreshed(soak_view *v, soak_model *m, quoin_store *store, uint32_t number);
/* Read all quads, and see that each group is whole, at a version that it may have. */
void soak_view_look(soak_view *v, soak_model *m, quoin_store *store, uint32_t number,
                    const char *who);

/* ---- the processes --------------------------------------------------------------------------- */

/* work.c: until model->stop. */
void soak_write(const soak_run *run);
/* read.c: until it is killed or model->stop. */
void soak_read(const soak_run *run);
/* own.c: one step with the thread's own store, and one with a lent one. */
void soak_own_step(const soak_run *run, quoin_pool *pool, unsigned thread, uint64_t *random);
void soak_rent_step(const soak_run *run, quoin_pool *pool, uint64_t *random);
void soak_temporary_step(const soak_run *run, uint64_t *random);
/* Back `store` up, restore that, and see that both are as they must be. */
void soak_backup_step(const soak_run *run, quoin_store *store, uint32_t number, const char *who);
/* judge.c: with no writing process: the pool is as the model says, which is made exact. */
void soak_judge(const soak_run *run);

#endif /* QUOIN_TESTS_SOAK_SOAK_H */
