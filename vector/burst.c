/* vector/burst.c - while vectors are committed much faster than they can be linked, those who
 * commit have the cores: what waits is searched all the same, and linking it a moment later costs
 * nobody anything. Past three quarters of what may wait it goes on, by one thread. */
#include "vector/index.h"

#include "base/poison.h"

enum {
  BURST_TIMES = 2, /* the rate of linking */
  BURST_LEAST_NS = 20 * 1000 * 1000,
  BURST_MOST_NS = 500 * 1000 * 1000
};

void
vec_burst_note(vec_burst *burst, uint64_t added, double pace, uint64_t now)
{
  uint64_t since = now - burst->noted_ns, fresh = added - burst->noted;
  if (added > burst->noted && (double)fresh * pace > (double)BURST_TIMES * (double)since) {
    /* as long as until the next of such commits, and again */
    uint64_t ns = 2 * since;
    ns = ns < BURST_LEAST_NS ? BURST_LEAST_NS : ns > BURST_MOST_NS ? BURST_MOST_NS : ns;
    atomic_store_explicit(&burst->until, now + ns, memory_order_relaxed);
  }
  burst->noted = added;
  burst->noted_ns = now;
}

bool
vec_burst_goes_on(const vec_burst *burst, uint64_t now)
{
  return now < atomic_load_explicit(&((vec_burst *)(uintptr_t)burst)->until, memory_order_relaxed);
}

uint64_t
vec_index_waiting(const vec_index *index)
{
  uint64_t linked = atomic_load(&index->linked), most = atomic_load(&index->link_most),
           added = atomic_load(&index->added);
  if (linked > most) linked = most;
  return added > linked ? added - linked : 0;
}

uint64_t
vec_waiting(const vec_index_set *set)
{
  uint64_t waiting = 0;
  for (size_t i = 0; set && i < set->n; i++)
    if (!atomic_load(&set->index[i]->broken)) waiting += vec_index_waiting(set->index[i]);
  return waiting;
}

void
vec_burst_wait(vec_indexes *ix)
{
  /* The set of each round: whoever links has entered one before, which keeps later ones, too. */
  base_mutex_lock(&ix->signal);
  while (!ix->stop && vec_burst_goes_on(&ix->burst, base_clock_ns()) &&
         vec_waiting(atomic_load_explicit(&ix->set, memory_order_acquire)) < ix->bound / 4 * 3)
    /* not `work`, which every commit signals */
    (void)base_cond_wait_until(&ix->rested, &ix->signal, base_clock_ns() + BURST_LEAST_NS / 4);
  base_mutex_unlock(&ix->signal);
}
