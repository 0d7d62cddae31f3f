/* load/job.h - one load: what its reading (read.c) and its threads (load.c) share. Private. */
#ifndef QUOIN_LOAD_JOB_H
#define QUOIN_LOAD_JOB_H

#include "load/load.h"
#include "load/vectors.h"
#include "load/write.h"

enum {
  LOAD_RING = 128, /* packets there may be before the writer begins */
  LOAD_THREADS = 64,
  LOAD_PROGRESS_NS = 250 * 1000 * 1000
};

/* What the reading side tells the others. */
typedef enum load_verdict { LOAD_GOING, LOAD_COMMIT, LOAD_ABORT } load_verdict;

typedef struct load_job {
  quad_store *store;
  load_options options; /* the caller's, with the check of vectors */
  load_vectors vectors;
  const base_alloc *mem;
  rdfio_source *const *sources;
  uint64_t memory_bytes;
  unsigned threads;
  load_writer w; /* the writer's, once it has begun */

  /* the caller's thread alone */
  load_result result;
  uint64_t quads;               /* parsed before the writer began */
  bool begun;                   /* there is a writer */
  load_packet *idle[LOAD_RING]; /* to be filled again, the last used first */
  size_t n_idle;
  load_packet *copying; /* being filled with copied text, or NULL */
  size_t copying_source;
  uint64_t reported;    /* packets whose bad lines were reported, and which are idle again */
  size_t line_source;   /* of the last one */
  uint64_t line;        /* lines of that source before the next one */
  uint64_t progress_at; /* base_clock_ns() of the next report */
  uint64_t progress_taken, progress_total; /* of the sources before, and of all */
  pthread_t thread[LOAD_THREADS];
  unsigned n_threads;

  /* The ring, with the lock. Packet n is ring[n % LOAD_RING]. tail <= claimed <= head: written,
   * begun to be parsed, read. */
  base_mutex lock;
  base_cond changed;
  load_packet *ring[LOAD_RING];
  bool parsed[LOAD_RING];
  uint64_t head, claimed, tail;
  bool writing;       /* the role is ours: what the store has by now will stay as it is */
  bool ended;         /* the writer's thread is */
  quoin_error *bad;   /* which that thread waits for the caller's to report */
  unsigned preparing; /* threads that look terms up */
  load_verdict verdict;
  quoin_status failed; /* of the writer, with its message */
  quoin_error failure;
} load_job;

/* The caller's thread: an empty packet; one that is not used after all. */
quoin_status load_get_packet(load_packet **out, load_job *job, quoin_error *err);
void load_put_back(load_job *job, load_packet *packet);
/* The caller's thread: give the packet to the others. What went wrong there is returned. */
quoin_status load_hand_over(load_job *job, load_packet *packet, quoin_error *err);

/* Read the sources of the load, n of them: make packets of what they have and hand them over. */
quoin_status load_read_all(load_job *job, size_t n, quoin_error *err);

#endif /* QUOIN_LOAD_JOB_H */
