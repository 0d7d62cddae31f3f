/* base/gate.h - threads that wait until somebody opens a gate.
 *
 * As a condition variable, but without a mutex to take again: those that are let through together
 * do not queue up behind one another, and one system call lets all of them through. */
#ifndef QUOIN_BASE_GATE_H
#define QUOIN_BASE_GATE_H

#include <quoin/types.h>

#include <pthread.h>
#include <stdatomic.h>

typedef struct base_gate {
  _Atomic uint32_t opened; /* how often */
#if !defined(__linux__)
  pthread_mutex_t os;
  pthread_cond_t open;
#endif
} base_gate;

quoin_status base_gate_init(base_gate *g, quoin_error *err);
void base_gate_destroy(base_gate *g);
/* How often it was opened. To be read before what is waited for is found wanting. */
uint32_t base_gate_count(const base_gate *g);
/* Return once it was opened since the count was `seen`, when base_clock_ns() passes `deadline_ns`
 * (0: never), or for no reason. */
void base_gate_wait(base_gate *g, uint32_t seen, uint64_t deadline_ns);
/* Let all through that wait now. */
void base_gate_open(base_gate *g);

#endif /* QUOIN_BASE_GATE_H */
