/* tests/crash/world.h - workloads on a store, and whether what is there afterwards may be there.
 *
 * The quads of a workload are numbered; a step adds one stretch of them and removes another. From
 * which steps were done follows what must be in the store. */
#ifndef QUOIN_TESTS_CRASH_WORLD_H
#define QUOIN_TESTS_CRASH_WORLD_H

#include "crash/disk.h"
#include "load/load.h"

#include <stdio.h>

typedef enum step_kind {
  STEP_OPEN,
  STEP_COMMIT,
  STEP_LOAD,
  STEP_BULK, /* by ids, enough to spill */
  STEP_CHECKPOINT,
  STEP_CLEAR,
  STEP_COMPACT,
  STEP_CLOSE
} step_kind;

typedef struct step {
  step_kind kind;
  uint32_t add, n_add, remove, n_remove; /* stretches of quads */
} step;

enum { STEPS_MAX = 64 };

typedef struct workload {
  const char *name;
  quad_durability durability;
  uint64_t memory_bytes; /* of memory runs */
  uint64_t txn_bytes;    /* of a transaction; when not 0, each also looks at itself halfway */
  bool wide;             /* every quad has terms of its own */
  bool vectors;          /* the quads are a vector index and its vectors */
  unsigned stride;       /* takes long: only every so many points are tried */
  unsigned crash;        /* the process died before this step, an opening; 0: never */
  const step *steps;
  unsigned n_steps;
} workload;

extern const workload workloads[];
extern const unsigned n_workloads;

/* What is in a store: order does not matter. */
typedef struct content {
  uint64_t quads, hash, blanks; /* blanks: distinct blank nodes */
} content;

/* The content after the steps whose bit is set. */
content world_expect(const workload *w, uint64_t steps);

/* What became of each step. */
typedef struct outcome {
  quoin_status status[STEPS_MAX];
  uint64_t done;     /* bit set of steps that returned OK */
  uint64_t unknown;  /* failed and left the store poisoned, or could not be closed */
  bool odd;          /* a failure that nothing explains, see `message` */
  char message[900]; /* of the last failure */
} outcome;

enum { NOTE_BEGIN = 1, NOTE_DONE, NOTE_FAILED, NOTE_END }; /* fault_note(NOTE_x << 32 | step) */

/* Run steps [from, to), those before count as done. After a failed open the rest is left out. A
 * store still open at the end is closed, after NOTE_END. */
void world_run(outcome *out, const workload *w, unsigned from, unsigned to, const char *path,
               const base_alloc *mem);

/* What a workload begins with. */
typedef struct beginning beginning;
beginning *beginning_new(const workload *w, const char *path);
void beginning_put(const beginning *b, const char *path);
void beginning_free(beginning *b);

/* Open the store at `path`, check it, compare its content with each of the allowed; then go on
 * with it: a commit, a close, an opening. False: *why says what was wrong. *which (may be NULL):
 * which of the allowed it was. */
typedef struct verdict {
  unsigned which;
  char why[900];
} verdict;
bool world_verify(verdict *out, const char *path, const content *allowed, unsigned n_allowed);
/* The content as `order` has it. */
quoin_status world_content(content *out, quad_store *store, quad_order order, quoin_error *err);

/* A directory that goes away. */
typedef struct scratch {
  char root[64], store[80];
} scratch;
void scratch_make(scratch *s);
void scratch_remove(const scratch *s);

/* Descriptors and mappings of this process that belong to stores. */
typedef struct held {
  unsigned fds, maps;
} held;
held world_held(const char *path);

/* A number from the environment. */
uint64_t world_number(const char *name, uint64_t otherwise);

#endif /* QUOIN_TESTS_CRASH_WORLD_H */
