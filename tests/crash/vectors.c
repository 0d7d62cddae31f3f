/* tests/crash/vectors.c - see vectors.h. */
#include "crash/vectors.h"

#include "vector/vector.h"

#include <math.h>
#include <stdio.h>

static rdf_term
iri(const char *text)
{
  return (rdf_term){.kind = RDF_IRI, .value = base_span(text)};
}

void
vectors_quad(rdf_term out[4], char text[2][VECTOR_TEXT], uint32_t i)
{
  static const uint32_t declaration = 2;
  (void)snprintf(text[0], VECTOR_TEXT, "http://example.org/subject/%u", i);
  (void)snprintf(text[1], VECTOR_TEXT, "[%u,%u,%u,-1.5]", i % 10, i / 10 % 10, i % 7 + 1);
  out[0] = i < declaration ? iri(VECTOR_PREDICATE) : iri(text[0]);
  out[1] = iri(VECTOR_PREDICATE);
  out[2] = (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(text[1]), .datatype = base_span(RDF_VEC_F32)};
  out[3] = i % 3 == 0 ? iri("http://example.org/graph") : (rdf_term){.kind = RDF_NONE};
  if (i >= declaration) return;
  out[1] = iri(i ? RDF_VEC "dimension" : RDF_NS "type");
  out[2] = i ? (rdf_term){.kind = RDF_LITERAL,
                          .value = base_span("4"),
                          .datatype = base_span(RDF_XSD "integer")}
             : iri(RDF_VEC "Index");
  out[3] = iri(VEC_SYSTEM_GRAPH);
}

quoin_status
vectors_attach(quad_store *store, const base_alloc *mem, quoin_error *err)
{
  const vec_options options = {.walk_always = true, .mem = mem};
  return vec_attach(store, &options, err);
}

static bool
find_index(vec_declaration *out, const quad_snapshot *snapshot)
{
  vec_terms terms = vec_store_terms(snapshot);
  const rdf_term name = iri(VECTOR_PREDICATE);
  atom_id predicate;
  bool found = false;
  return !terms.find(&predicate, terms.user, &name, NULL) && predicate.bits &&
         !vec_declaration_find(out, &found, snapshot, &terms, predicate, base_alloc_default(),
                               NULL) &&
         found;
}

void
vectors_settle(quad_store *store)
{
  enum { WHILE_NS = 200000000, PAUSE_NS = 1000000 };
  quad_snapshot *snapshot = NULL;
  vec_declaration index;
  uint64_t until = base_clock_ns() + WHILE_NS; /* with faults it may never be so */
  base_cancel cancel = {.deadline_ns = until};
  if (quad_snapshot_acquire(&snapshot, store, NULL)) return;
  if (find_index(&index, snapshot) && !vec_settle(snapshot, &cancel, NULL)) {
    vec_stats stats;
    vec_index_stats(&stats, snapshot, &index);
    while (stats.leaving && base_clock_ns() < until) {
      base_pause_ns(PAUSE_NS);
      vec_index_stats(&stats, snapshot, &index);
    }
  }
  quad_snapshot_release(snapshot);
}

/* The vector is found at distance 0 in both graphs. */
static quoin_status
find_one(const quad_snapshot *snapshot, const vec_declaration *index, const float *values,
         quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  vec_terms terms = vec_store_terms(snapshot);
  vec_report report = {0};
  vec_found *found;
  size_t n;
  const vec_request request = {.index = index,
                               .graphs = &any,
                               .terms = &terms,
                               .near = &values,
                               .n_near = 1,
                               .k = 1,
                               .max_distance = HUGE_VAL};
  quoin_status st = vec_search(&found, &n, &report, snapshot, &request, base_alloc_default(), err);
  if (st) return st;
  bool there = n && found[0].distance < 1e-9;
  base_release(base_alloc_default(), found, n, sizeof(*found));
  if (!there)
    return base_fail(err, QUOIN_ERR_CORRUPT, "a vector is not found: %zu are, by %s, %llu visits",
                     n, vec_choice_name(report.choice), (unsigned long long)report.visits);
  if (report.choice != VEC_CHOICE_GRAPH)
    return base_fail(err, QUOIN_ERR_CORRUPT, "the graph cannot be searched");
  return QUOIN_OK;
}

static quoin_status
find_all(const quad_snapshot *snapshot, const vec_declaration *index, quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  const quad match = {.term = {[QUAD_P] = index->predicate}};
  vec_terms terms = vec_store_terms(snapshot);
  base_arena arena;
  quad_scan *scan = NULL;
  quad_batch rows;
  base_arena_init(&arena, base_alloc_default());
  quoin_status st = vec_quads_open(&scan, snapshot, &any, &match, err);
  while (!st && !(st = quad_scan_next(&rows, scan, err)))
    for (size_t i = 0; !st && i < rows.rows; i++) {
      const float *values;
      uint32_t dimension;
      st = vec_of_id(&values, &dimension, snapshot, &terms, rows.column[QUAD_O][i], &arena, err);
      if (!st && values) st = find_one(snapshot, index, values, err);
    }
  quad_scan_close(scan);
  base_arena_clear(&arena);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

quoin_status
vectors_check(quad_store *store, quoin_error *err)
{
  enum { LONG_NS = 2000000000 };
  quad_snapshot *snapshot = NULL;
  vec_declaration index;
  vec_check_report report;
  base_cancel cancel = {.deadline_ns = base_clock_ns() + 10u * (uint64_t)LONG_NS};
  quoin_status st = quad_snapshot_acquire(&snapshot, store, err);
  if (st || !find_index(&index, snapshot)) goto done;
  if ((st = vec_settle(snapshot, &cancel, err))) goto done;
  if ((st = vec_index_check(&report, snapshot, &index, false, NULL, err))) goto done;
  if (report.unreachable)
    st = base_fail(err, QUOIN_ERR_CORRUPT, "nodes of the graph cannot be reached");
  if (!st) st = find_all(snapshot, &index, err);

done:
  quad_snapshot_release(snapshot);
  return st;
}
