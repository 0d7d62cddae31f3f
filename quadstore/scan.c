/* quadstore/scan.c - scans of a snapshot by pattern: which sections take part, and batches by
 * position instead of key. */
#include "quadstore/version.h"

#include <assert.h>

#include "base/poison.h"

struct quad_scan {
  quad_snapshot *snapshot;
  quad_merge merge;
  quad_pattern pattern;
  quad_order order;
  unsigned columns; /* by position */
  unsigned keys, prefix;
  uint64_t lo[4], hi[4];
  unsigned n_lo, n_hi;
  bool started;
};

static const atom_id no_graph[QUAD_BATCH];

/* Default-graph quads in an order of four keys: where the graph, 0, stands. */
static const int8_t graph_last[4] = {0, 1, 2, -1};
static const int8_t graph_first[4] = {-1, 0, 1, 2};

static unsigned
default_twin(quad_order order)
{
  switch (order) {
  case QUAD_GSPO:
    return QUAD_SPO;
  case QUAD_GPOS:
    return QUAD_POS;
  case QUAD_GOSP:
    return QUAD_OSP;
  case QUAD_SPO:
  case QUAD_SOP:
  case QUAD_PSO:
  case QUAD_POS:
  case QUAD_OSP:
  case QUAD_OPS:
  case QUAD_ORDERS:
    break;
  }
  return order;
}

/* Split the bound terms into a prefix of the keys and filters. */
static void
bind(quad_scan *scan, const quad_pattern *pattern)
{
  const uint8_t *keys = quad_order_keys[scan->order];
  quad_merge *m = &scan->merge;

  scan->pattern = *pattern;
  scan->prefix = 0;
  m->filtered = false;
  for (unsigned i = 0; i < scan->keys; i++) {
    uint64_t v = pattern->match.term[keys[i]].bits;
    m->filter[i] = 0;
    if (!v) continue;
    if (scan->prefix == i) {
      scan->lo[i] = scan->hi[i] = v;
      scan->prefix++;
    } else {
      m->filter[i] = v;
      m->filtered = true;
      m->wanted |= 1u << i;
    }
  }
  scan->n_lo = scan->n_hi = scan->prefix;
  scan->started = false;
}

static quoin_status
add_sections(quad_scan *scan, quoin_error *err)
{
  const quad_version *v = scan->snapshot->version;
  bool named_only = scan->pattern.scope == QUAD_NAMED || scan->pattern.match.term[QUAD_G].bits != 0;
  quoin_status st;

  for (size_t i = 0; i < v->n_runs; i++) {
    const quad_run *run = v->runs[i];
    if (scan->pattern.scope == QUAD_DEFAULT) {
      if ((st = quad_merge_add(&scan->merge, &run->section[QUAD_PART_DEFAULT][scan->order], NULL,
                               err)))
        return st;
      continue;
    }
    if ((st = quad_merge_add(&scan->merge, &run->section[QUAD_PART_NAMED][scan->order], NULL, err)))
      return st;
    if (named_only) continue;
    if ((st = quad_merge_add(&scan->merge,
                             &run->section[QUAD_PART_DEFAULT][default_twin(scan->order)],
                             scan->order < QUAD_GSPO ? graph_last : graph_first, err)))
      return st;
  }
  return QUOIN_OK;
}

quoin_status
quad_scan_open(quad_scan **out, const quad_snapshot *snapshot, const quad_pattern *pattern,
               quad_order order, unsigned columns, quoin_error *err)
{
  const quad_version *v = snapshot->version;
  const uint8_t *keys = quad_order_keys[order];
  quad_scan *scan;
  quoin_status st;

  *out = NULL;
  assert(order < QUAD_ORDERS && (v->orders >> order & 1));
  assert(order < QUAD_GSPO || pattern->scope != QUAD_DEFAULT);
  assert(order < QUAD_GSPO || pattern->scope == QUAD_NAMED ||
         (v->orders >> default_twin(order) & 1));
  assert(atomic_load_explicit(&snapshot->refs, memory_order_relaxed) > 0);
  if (!(scan = base_new_zero(snapshot->mem, 1, sizeof *scan))) return base_fail_nomem(err);
  scan->snapshot = quad_snapshot_retain((quad_snapshot *)(uintptr_t)snapshot);
  scan->order = order;
  scan->columns = columns;
  scan->keys = pattern->scope == QUAD_DEFAULT ? 3 : 4;
  if ((st = quad_merge_init(&scan->merge, scan->keys, true, 2 * v->n_runs, snapshot->mem, err)))
    goto done;
  scan->merge.wanted = 0;
  for (unsigned i = 0; i < scan->keys; i++)
    if (columns >> keys[i] & 1) scan->merge.wanted |= 1u << i;
  bind(scan, pattern);
  if ((st = add_sections(scan, err))) goto done;
  *out = scan;
  scan = NULL;

done:
  quad_scan_close(scan);
  return st;
}

void
quad_scan_close(quad_scan *scan)
{
  const base_alloc *mem;
  quad_snapshot *snapshot;

  if (!scan) return;
  snapshot = scan->snapshot;
  mem = snapshot->mem;
  quad_merge_clear(&scan->merge);
  base_release(mem, scan, 1, sizeof *scan);
  quad_snapshot_release(snapshot);
}

static quoin_status
start(quad_scan *scan, quoin_error *err)
{
  if (scan->started) return QUOIN_OK;
  scan->started = true;
  return quad_merge_start(&scan->merge, scan->lo, scan->n_lo, scan->hi, scan->n_hi, err);
}

quoin_status
quad_scan_next(quad_batch *out, quad_scan *scan, quoin_error *err)
{
  const uint64_t *cols[4] = {NULL, NULL, NULL, NULL};
  const uint8_t *keys = quad_order_keys[scan->order];
  quoin_status st;

  *out = (quad_batch){0};
  if ((st = start(scan, err))) return st;
  if ((st = quad_merge_next(cols, NULL, &out->rows, &scan->merge, err))) return st;
  for (unsigned i = 0; i < scan->keys; i++)
    if (scan->columns >> keys[i] & 1) out->column[keys[i]] = (const atom_id *)cols[i];
  if (scan->keys == 3 && (scan->columns >> QUAD_G & 1)) out->column[QUAD_G] = no_graph;
  return QUOIN_OK;
}

quoin_status
quad_scan_seek(quad_scan *scan, const atom_id key[4], quoin_error *err)
{
  uint64_t words[4];
  quoin_status st;

  for (unsigned i = 0; i < scan->keys; i++)
    words[i] = key[i].bits;
  if ((st = start(scan, err))) return st;
  return quad_merge_seek(&scan->merge, words, scan->keys, err);
}

quoin_status
quad_scan_rebind(quad_scan *scan, const quad_pattern *pattern, quoin_error *err)
{
  (void)err;
  for (unsigned i = 0; i < 4; i++)
    assert(!pattern->match.term[i].bits == !scan->pattern.match.term[i].bits);
  assert(pattern->scope == scan->pattern.scope);
  bind(scan, pattern);
  return QUOIN_OK;
}

void
quad_scan_ask(const quad_scan *scan, const quad_pattern *pattern)
{
  const uint8_t *keys = quad_order_keys[scan->order];
  uint64_t key[4];
  unsigned n = 0;

  while (n < scan->prefix) {
    key[n] = pattern->match.term[keys[n]].bits;
    n++;
  }
  if (n) quad_merge_ask(&scan->merge, key, n);
}

quoin_status
quad_scan_range(quad_scan *scan, atom_id lo, atom_id hi, quoin_error *err)
{
  (void)err;
  assert(!scan->started && scan->prefix < scan->keys);
  scan->lo[scan->prefix] = lo.bits;
  scan->hi[scan->prefix] = hi.bits;
  scan->n_lo = scan->n_hi = scan->prefix + 1;
  return QUOIN_OK;
}
