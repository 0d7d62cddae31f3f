/* What the tests of quadstore share: a directory that goes away, random quads, a sorted-array
 * model. */
#ifndef QUOIN_TESTS_QUADSTORE_SUPPORT_H
#define QUOIN_TESTS_QUADSTORE_SUPPORT_H

#include "quadstore/changes.h"
#include "quadstore/store.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t support_state = 1;

static inline uint64_t
draw(void)
{
  support_state += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(support_state);
}

static inline void
support_seed(void)
{
  const char *seed = getenv("QUOIN_SEED");
  support_state = seed ? strtoull(seed, NULL, 10) : 1;
  printf("seed %llu\n", (unsigned long long)support_state);
}

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    quoin_status ok_status = (call);                                                               \
    if (ok_status)                                                                                 \
      fail_msg("%s: status %d: %s (%s)", #call, (int)ok_status, err.message, err.file);            \
  } while (0)

typedef struct support_dir {
  char path[128];
} support_dir;

static inline void
support_dir_make(support_dir *d)
{
  const char *tmp = getenv("TMPDIR");
  (void)snprintf(d->path, sizeof d->path, "%s/quoin-quads-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(d->path));
}

static inline void
support_dir_empty(const support_dir *d)
{
  DIR *dir = opendir(d->path);
  struct dirent *e;
  while (dir && (e = readdir(dir))) {
    char full[512];
    if (e->d_name[0] == '.') continue;
    (void)snprintf(full, sizeof full, "%s/%s", d->path, e->d_name);
    (void)unlink(full);
  }
  if (dir) closedir(dir);
}

static inline void
support_dir_remove(const support_dir *d)
{
  support_dir_empty(d);
  (void)rmdir(d->path);
}

/* ---- the model: a sorted array of distinct quads ------------------------------------------- */

typedef struct model {
  quad *quads;
  size_t n, room;
} model;

static inline int
quad_order_compare(const quad *a, const quad *b, unsigned order)
{
  for (unsigned i = 0; i < 4; i++) {
    uint64_t x = a->term[quad_order_keys[order][i]].bits;
    uint64_t y = b->term[quad_order_keys[order][i]].bits;
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

static inline size_t
model_find(const model *m, const quad *q, bool *found)
{
  size_t lo = 0, hi = m->n;
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    if (quad_order_compare(&m->quads[mid], q, QUAD_SPO) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  *found = lo < m->n && quad_order_compare(&m->quads[lo], q, QUAD_SPO) == 0;
  return lo;
}

static inline bool
model_add(model *m, const quad *q)
{
  bool found;
  size_t at = model_find(m, q, &found);
  if (found) return false;
  if (m->n == m->room) {
    m->room = m->room ? m->room * 2 : 64;
    m->quads = realloc(m->quads, m->room * sizeof *m->quads);
  }
  memmove(m->quads + at + 1, m->quads + at, (m->n - at) * sizeof *m->quads);
  m->quads[at] = *q;
  m->n++;
  return true;
}

static inline bool
model_remove(model *m, const quad *q)
{
  bool found;
  size_t at = model_find(m, q, &found);
  if (!found) return false;
  memmove(m->quads + at, m->quads + at + 1, (m->n - at - 1) * sizeof *m->quads);
  m->n--;
  return true;
}

static inline void
model_free(model *m)
{
  free(m->quads);
  *m = (model){NULL, 0, 0};
}

static inline bool
model_matches(const quad *q, const quad_pattern *p)
{
  for (unsigned k = 0; k < 4; k++) {
    if (k == QUAD_G && p->scope == QUAD_DEFAULT) continue;
    if (p->match.term[k].bits && p->match.term[k].bits != q->term[k].bits) return false;
  }
  if (p->scope == QUAD_DEFAULT) return q->term[QUAD_G].bits == 0;
  return p->scope == QUAD_ANY || q->term[QUAD_G].bits != 0;
}

static unsigned support_order;
static inline int
support_compare(const void *a, const void *b)
{
  return quad_order_compare(a, b, support_order);
}

/* The quads that match, in `order`; to be freed. */
static inline quad *
model_select(size_t *n, const model *m, const quad_pattern *p, unsigned order)
{
  quad *out = malloc((m->n + 1) * sizeof *out);
  *n = 0;
  for (size_t i = 0; i < m->n; i++)
    if (model_matches(&m->quads[i], p)) out[(*n)++] = m->quads[i];
  support_order = order;
  qsort(out, *n, sizeof *out, support_compare);
  return out;
}

/* Ids as a store has them, of few values so that patterns match: skewed subjects, few predicates,
 * objects of several kinds. */
static inline quad
random_quad(uint64_t subjects, bool named)
{
  quad q;
  uint64_t r = draw();
  uint64_t o = r % 5;
  q.term[QUAD_S] = atom_id_make(r % 11 ? ATOM_IRI : ATOM_BLANK,
                                1 + (draw() % subjects) % (1 + draw() % subjects));
  q.term[QUAD_P] = atom_id_make(ATOM_IRI, 1 + (draw() % 12) * 7);
  q.term[QUAD_O] = o == 0   ? atom_id_make(ATOM_INTEGER, UINT64_C(1) << 57 | draw() % 50)
                   : o == 1 ? atom_id_make(ATOM_STRING, 1 + draw() % subjects)
                   : o == 2 ? (atom_id){UINT64_C(2) << 62 | draw() % 1000}
                            : atom_id_make(ATOM_IRI, 1 + draw() % subjects);
  q.term[QUAD_G] = named ? atom_id_make(ATOM_IRI, 1 + draw() % 6) : ATOM_NONE_ID;
  return q;
}

#endif /* QUOIN_TESTS_QUADSTORE_SUPPORT_H */
