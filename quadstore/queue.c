/* quadstore/queue.c - who commits for whom.
 *
 * Threads that commit put a request into the queue. One of them leads: it takes the writer role,
 * then all that is queued, and serves it with one sync (commit.c). Whoever came meanwhile is the
 * next group, and the first of them leads it.
 *
 * But those who are served come back, most of them at once: were the next group to begin without
 * them, two halves would take turns, and each sync would be for half of the threads. So after a
 * group as many are expected as there were, served and waiting: the one that makes them complete
 * leads, at once, being awake. Until then the first waits, for half of what a sync takes at most; a
 * wait in vain is not repeated for some groups. Nobody is expected by a thread that is alone, or
 * where commits do not sync. */
#include "quadstore/queue.h"

#include "base/poison.h"

enum { VAIN_MOST = 6 /* 64 groups without a wait */ };

quoin_status
quad_queue_init(quad_queue *q, quoin_error *err)
{
  quoin_status st;

  q->last = &q->first;
  if ((st = base_mutex_init(&q->lock, BASE_RANK_QUEUE, "commit queue", err))) return st;
  if ((st = base_gate_init(&q->to_lead, err))) return st;
  for (unsigned i = 0; i < 2; i++)
    if ((st = base_gate_init(&q->served[i], err))) return st;
  return QUOIN_OK;
}

void
quad_queue_destroy(quad_queue *q)
{
  base_mutex_destroy(&q->lock);
  base_gate_destroy(&q->to_lead);
  base_gate_destroy(&q->served[0]);
  base_gate_destroy(&q->served[1]);
}

/* The queue's lock held, in this part: */

static void
enqueue(quad_queue *q, quad_request *r)
{
  *q->last = r;
  q->last = &r->next;
  q->n++;
}

static void
unqueue(quad_queue *q, quad_request *r)
{
  quad_request **at = &q->first;

  while (*at != r)
    at = &(*at)->next;
  *at = r->next;
  if (!*at) q->last = at;
  r->next = NULL;
  q->n--;
}

/* Is it for the thread of `r` to lead? *until: how long it waits for others before it does. */
static bool
is_leader(quad_queue *q, const quad_request *r, uint64_t *until)
{
  uint64_t now;

  if (q->leading || r->taken) return false;
  if (q->n >= q->expected) {
    if (q->expected) q->vain = 0;
    return true;
  }
  if (q->first != r) return false;
  now = base_clock_ns();
  if (!*until) {
    *until = now + atomic_load_explicit(&q->sync_ns, memory_order_relaxed) / 2;
    q->early = q->n;
  }
  if (now < *until) return false;
  if (4 * q->n >= 5 * q->early) { /* a quarter more for half a sync: about what it is worth */
    q->vain = 0;
  } else {
    if (q->vain < VAIN_MOST) q->vain++;
    q->skip = 1u << q->vain;
  }
  return true;
}

/* After a group of `n`. */
static void
expect(quad_queue *q, size_t n)
{
  size_t all = n + q->n;

  q->expected = 0;
  if (!atomic_load_explicit(&q->sync_ns, memory_order_relaxed) || all < 2) return;
  if (q->skip)
    q->skip--;
  else
    q->expected = all;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* Leave the queue, or not if a leader has taken `r` meanwhile. */
static bool
give_up(quad_queue *q, quad_request *r, uint64_t deadline)
{
  unsigned gate = q->forming % 2;
  bool others;

  if (r->taken) return false;
  r->status = quad_store_may_wait(deadline, NULL, r->err);
  if (!r->status) return false;
  unqueue(q, r);
  others = q->first != NULL;
  base_mutex_unlock(&q->lock);
  if (others) { /* another one is the first now */
    base_gate_open(&q->to_lead);
    base_gate_open(&q->served[gate]);
  }
  return true;
}

/* Put `r` into the queue; true when its thread is to lead. */
static bool
wait_turn(quad_queue *q, quad_request *r, uint64_t deadline)
{
  uint64_t until = 0;
  unsigned group;

  base_mutex_lock(&q->lock);
  enqueue(q, r);
  group = q->forming;
  while (!r->done) {
    base_gate *gate = &q->served[group % 2];
    uint64_t wake;
    uint32_t seen;
    if (is_leader(q, r, &until)) {
      q->leading = true;
      base_mutex_unlock(&q->lock);
      return true;
    }
    if (deadline && base_clock_ns() >= deadline && give_up(q, r, deadline)) return false;
    r->waits = QUAD_WAITS_TO_BE_SERVED;
    wake = r->taken ? 0 : deadline; /* once it is applied, the outcome is waited for */
    if (!r->taken && q->first == r) {
      r->waits = QUAD_WAITS_TO_LEAD;
      gate = &q->to_lead;
      if (!q->leading && until && (!wake || until < wake)) wake = until;
    }
    seen = base_gate_count(gate);
    base_mutex_unlock(&q->lock);
    base_gate_wait(gate, seen, wake);
    if (atomic_load_explicit(&r->done, memory_order_acquire)) return false; /* release: finish() */
    base_mutex_lock(&q->lock);
    r->waits = QUAD_WAITS_NOT;
  }
  base_mutex_unlock(&q->lock);
  return false;
}

/* ---- leading -------------------------------------------------------------------------------- */

/* All that is queued by now. */
static quad_request *
take_queue(quad_queue *q)
{
  quad_request *first;

  base_mutex_lock(&q->lock);
  first = q->first;
  for (quad_request *r = first; r; r = r->next)
    r->taken = true;
  q->first = NULL;
  q->last = &q->first;
  q->n = 0;
  q->forming++;
  base_mutex_unlock(&q->lock);
  return first;
}

/* The group from `first` on is served; or `r` could not lead (first NULL). */
static void
finish(quad_queue *q, quad_request *first, quad_request *r)
{
  bool lead = false, served = false;
  unsigned gate;
  size_t n = 0;

  base_mutex_lock(&q->lock);
  gate = (q->forming - 1) % 2;
  for (quad_request *each = first, *next; each; each = next, n++) {
    next = each->next; /* its owner may be gone once it is done */
    lead |= each->waits == QUAD_WAITS_TO_LEAD;
    served |= each->waits == QUAD_WAITS_TO_BE_SERVED;
    atomic_store_explicit(&each->done, true, memory_order_release); /* acquire: wait_turn() */
  }
  if (!first) {
    unqueue(q, r);
    gate = q->forming % 2; /* who is the first now may wait for something else */
    served = true;
  }
  q->leading = false;
  expect(q, n);
  lead |= q->first != NULL;
  base_mutex_unlock(&q->lock);
  if (served) base_gate_open(&q->served[gate]);
  if (lead) base_gate_open(&q->to_lead);
}

void
quad_queue_commit(quad_store *store, quad_request *r, uint64_t deadline)
{
  quad_queue *q = &store->queue;
  quad_request *first;
  uint64_t bytes;

  if (!wait_turn(q, r, deadline)) return;
  if ((r->status = quad_store_enter_within(store, NULL, r->err))) {
    finish(q, NULL, r);
    return;
  }
  first = take_queue(q); /* a load may have had the role: the group grew */
  bytes = quad_store_serve(store, first);
  finish(q, first, r);
  quad_store_maintain(store, bytes); /* the commits are safe whatever becomes of this */
  quad_store_leave(store);
}
