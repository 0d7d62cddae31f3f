/* sparql/operators/operator_path_pairs.c - lists of (origin, node), and sorting them. */
#include "sparql/memory/disk_memory.h"
#include "sparql/operators/operator_path.h"

#include "base/poison.h"

/* Below this many, insertion sort. */
enum { PAIRS_SMALL = 48 };

quoin_status
path_pairs_reserve(path_pairs *pairs, size_t extra, quoin_error *err)
{
  if (extra <= pairs->cap - pairs->n) return QUOIN_OK;
  size_t need, cap = pairs->cap ? pairs->cap : 64;
  if (!base_add_size(&need, pairs->n, extra) || need > SIZE_MAX / 2 / sizeof(path_pair))
    return base_fail_nomem(err);
  while (cap < need)
    cap *= 2;
  const base_alloc *mem = disk_memory_alloc(pairs->ctx->disk);
  path_pair *at = base_resize(mem, pairs->at, pairs->cap, cap, sizeof(path_pair));
  if (!at) return base_fail_nomem(err);
  pairs->at = at;
  pairs->cap = cap;
  return QUOIN_OK;
}

quoin_status
path_pairs_add(path_pairs *pairs, atom_id node, uint32_t tag, quoin_error *err)
{
  quoin_status st = path_pairs_reserve(pairs, 1, err);
  if (!st) pairs->at[pairs->n++] = (path_pair){.node = node, .tag = tag};
  return st;
}

void
path_pairs_clear(path_pairs *pairs)
{
  if (!pairs->ctx) return;
  base_release(disk_memory_alloc(pairs->ctx->disk), pairs->at, pairs->cap, sizeof(path_pair));
  *pairs = (path_pairs){.ctx = pairs->ctx};
}

static bool
before(const path_pair *a, const path_pair *b)
{
  return a->node.bits != b->node.bits ? a->node.bits < b->node.bits : a->tag < b->tag;
}

static void
insertion_sort(path_pair *at, size_t n)
{
  for (size_t i = 1; i < n; i++) {
    path_pair pair = at[i];
    size_t to = i;
    for (; to > 0 && before(&pair, &at[to - 1]); to--)
      at[to] = at[to - 1];
    at[to] = pair;
  }
}

/* Byte `digit` of a pair, least significant first: 4 of the tag, then 8 of the node. */
static unsigned
digit_of(const path_pair *pair, unsigned digit)
{
  return digit < 4 ? pair->tag >> (8 * digit) & 255u
                   : (unsigned)(pair->node.bits >> (8 * (digit - 4)) & 255u);
}

/* Radix sort by the bytes that differ: ids of one kind share most of them. */
static void
radix_sort(path_pair **at, path_pair **other, size_t n)
{
  for (unsigned digit = 0; digit < 12; digit++) {
    size_t count[256] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++)
      count[digit_of(&(*at)[i], digit)]++;
    if (count[digit_of(&(*at)[0], digit)] == n) continue;
    for (size_t d = 0; d < 256; d++) {
      size_t here = count[d];
      count[d] = sum;
      sum += here;
    }
    for (size_t i = 0; i < n; i++)
      (*other)[count[digit_of(&(*at)[i], digit)]++] = (*at)[i];
    path_pair *swap = *at;
    *at = *other;
    *other = swap;
  }
}

quoin_status
path_pairs_sort(path_pairs *pairs, quoin_error *err)
{
  size_t sorted = 1;
  while (sorted < pairs->n && !before(&pairs->at[sorted], &pairs->at[sorted - 1]))
    sorted++;
  if (sorted >= pairs->n) return QUOIN_OK;
  if (pairs->n <= PAIRS_SMALL) {
    insertion_sort(pairs->at, pairs->n);
    return QUOIN_OK;
  }
  const base_alloc *mem = disk_memory_alloc(pairs->ctx->disk);
  path_pair *other = base_new(mem, pairs->cap, sizeof(path_pair));
  if (!other) return base_fail_nomem(err);
  radix_sort(&pairs->at, &other, pairs->n);
  base_release(mem, other, pairs->cap, sizeof(path_pair));
  return QUOIN_OK;
}
