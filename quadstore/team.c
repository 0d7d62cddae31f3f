/* quadstore/team.c - see team.h. */
#include "quadstore/team.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/poison.h"

typedef struct team {
  void (*work)(void *user, size_t i);
  void *user;
  size_t n;
  _Atomic(size_t) next;
} team;

static void *
team_main(void *arg)
{
  team *t = arg;
  size_t i;

  /* Relaxed: it only hands out numbers; creating and joining the threads orders the rest. */
  while ((i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed)) < t->n)
    t->work(t->user, i);
  return NULL;
}

void
quad_team_run(unsigned threads, size_t n, void (*work)(void *user, size_t i), void *user)
{
  team t = {.work = work, .user = user, .n = n};
  pthread_t thread[QUAD_TEAM_MAX];
  unsigned others = 0;
  sigset_t all, before;

  if (threads > QUAD_TEAM_MAX) threads = QUAD_TEAM_MAX;
  if (threads > n) threads = (unsigned)n;
  if (threads > 1) {
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (others + 1 < threads && pthread_create(&thread[others], NULL, team_main, &t) == 0)
      others++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  (void)team_main(&t);
  while (others)
    (void)pthread_join(thread[--others], NULL);
}
