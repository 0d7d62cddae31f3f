/* sparql/plan/plan_spelling.c - constants with a language tag.
 *
 * Tags are compared without case (RDF 1.1 Concepts, 3.3), while each stored term keeps the spelling
 * of its own: a constant in a pattern stands for all spellings that are stored. Mostly there is one
 * and it takes the place of the constant. Subjects of triples are no literals, ends of paths are.
 */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

typedef struct spellings {
  sparql_node *nodes;
  size_t n;
} spellings;

static quoin_status
add_terms(spellings *out, sparql_context *ctx, const atom_id *ids, size_t n, quoin_error *err)
{
  for (size_t i = 0; i < n; i++) {
    sparql_node *node = &out->nodes[out->n++];
    *node = (sparql_node){.var = SPARQL_NO_VAR};
    quoin_status st = sparql_term(&node->term, ctx, ids[i], &ctx->arena, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

/* What is stored of the spellings of `node`; none if it is no language string. */
static quoin_status
find(spellings *out, sparql_context *ctx, const sparql_node *node, quoin_error *err)
{
  atom_id *stored = NULL, *local = NULL;
  size_t n_stored = 0, n_local = 0;
  quoin_status st = QUOIN_OK;
  *out = (spellings){.n = 0};
  if (node->var != SPARQL_NO_VAR || node->term.kind != RDF_LITERAL || !node->term.lang.len)
    return QUOIN_OK;
  if (ctx->atoms)
    st = atom_find_spellings(&stored, &n_stored, ctx->atoms, &node->term, ctx->mark, &ctx->arena,
                             err);
  if (!st)
    st = atom_local_spellings(&local, &n_local, ctx->local, &node->term, ctx->local_stored,
                              &ctx->arena, err);
  if (st) return st;
  /* And one place for the constant as it is written. */
  out->nodes = base_arena_new(&ctx->arena, n_stored + n_local + 1, sizeof(*out->nodes));
  if (!out->nodes) return base_fail_nomem(err);
  st = add_terms(out, ctx, stored, n_stored, err);
  return st ? st : add_terms(out, ctx, local, n_local, err);
}

static quoin_status
unite(sparql_operator **out, planner *p, sparql_operator *op, quoin_error *err)
{
  if (!*out) {
    *out = op;
    return QUOIN_OK;
  }
  quoin_status st = sparql_union_make(out, p->ctx, *out, op, err);
  return plan_made(p, st, *out, err);
}

quoin_status
plan_spelled_scan(sparql_operator **out, const sparql_triple **triple, planner *p,
                  const sparql_active_graph *graph, quoin_error *err)
{
  spellings objects;
  *out = NULL;
  quoin_status st = find(&objects, p->ctx, &(*triple)->object, err);
  if (st || objects.n == 0) return st;
  if (objects.n == 1) {
    sparql_triple *stored = base_arena_new(&p->ctx->arena, 1, sizeof(*stored));
    if (!stored) return base_fail_nomem(err);
    *stored = **triple;
    stored->object = objects.nodes[0];
    *triple = stored;
    return QUOIN_OK;
  }
  for (size_t i = 0; i < objects.n; i++) {
    sparql_operator *scan;
    scan_spec spec;
    sparql_triple one = **triple;
    one.object = objects.nodes[i];
    if ((st = scan_spec_make(&spec, p->ctx, &one, graph, p->frame, err))) return st;
    st = sparql_scan_make(&scan, p->ctx, &spec, scan_spec_order(&spec, p->orders, NULL, 0), NULL,
                          NULL, 0, p->frame, false, err);
    if ((st = plan_made(p, st, scan, err))) return st;
    if ((st = unite(out, p, scan, err))) return st;
  }
  return QUOIN_OK;
}

/* The constant as it is written, too: it matches itself at length zero. */
static void
add_written(spellings *ends, const sparql_node *node)
{
  for (size_t i = 0; i < ends->n; i++)
    if (rdf_term_equal(&ends->nodes[i].term, &node->term)) return;
  ends->nodes[ends->n++] = *node;
}

static quoin_status
one_path(sparql_operator **out, planner *p, const sparql_algebra *node,
         const sparql_active_graph *graph, quoin_error *err)
{
  sparql_operator *child = NULL;
  quoin_status st = QUOIN_OK;
  if (p->frame) {
    st = sparql_unit_make(&child, p->ctx, p->frame, err);
    if ((st = plan_made(p, st, child, err))) return st;
  }
  st = sparql_path_new(out, p->ctx, child, node, graph, err);
  return plan_made(p, st, *out, err);
}

quoin_status
plan_spelled_path(sparql_operator **out, planner *p, const sparql_algebra *node,
                  const sparql_active_graph *graph, quoin_error *err)
{
  spellings ends[2];
  const sparql_node *written[2] = {&node->subject, &node->object};
  *out = NULL;
  for (unsigned e = 0; e < 2; e++) {
    quoin_status st = find(&ends[e], p->ctx, written[e], err);
    if (st) return st;
    if (ends[e].n)
      add_written(&ends[e], written[e]);
    else
      ends[e] = (spellings){(sparql_node *)(uintptr_t)written[e], 1};
  }
  if (ends[0].n == 1 && ends[1].n == 1) return QUOIN_OK;
  for (size_t i = 0; i < ends[0].n; i++)
    for (size_t j = 0; j < ends[1].n; j++) {
      sparql_operator *path;
      sparql_algebra *one = base_arena_new(&p->ctx->arena, 1, sizeof(*one));
      if (!one) return base_fail_nomem(err);
      *one = *node;
      one->subject = ends[0].nodes[i];
      one->object = ends[1].nodes[j];
      quoin_status st = one_path(&path, p, one, graph, err);
      if (!st) st = unite(out, p, path, err);
      if (st) return st;
    }
  return QUOIN_OK;
}
