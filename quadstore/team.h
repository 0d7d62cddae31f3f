/* quadstore/team.h - a piece of work done by several threads at once. Private. */
#ifndef QUOIN_QUADSTORE_TEAM_H
#define QUOIN_QUADSTORE_TEAM_H

#include <stddef.h>

enum { QUAD_TEAM_MAX = 64 };

/* Call work(user, i) for each i < n: in ascending order of their beginning, by up to `threads`
 * threads, the calling one among them. Returns when all have ended. Where no thread can be had the
 * calling one does it all, so it cannot fail. The threads handle no signals. */
void quad_team_run(unsigned threads, size_t n, void (*work)(void *user, size_t i), void *user);

/* Where part `i` of `parts` of n things begins. */
static inline size_t
quad_team_cut(size_t n, size_t i, size_t parts)
{
  return n / parts * i + (n % parts < i ? n % parts : i);
}

#endif /* QUOIN_QUADSTORE_TEAM_H */
