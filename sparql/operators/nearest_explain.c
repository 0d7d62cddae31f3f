/* sparql/operators/nearest_explain.c - vec:nearest in EXPLAIN: by which way its searches are
 * expected to go, and when they are done what they did. */
#include "sparql/operators/nearest.h"

#include <inttypes.h>

#include "base/poison.h"

/* What a search is expected to do, where all of them ask for the same in the same graph. */
static void
explain_plan(base_buffer *out, const nearest_operator *op)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_nearest *said = op->options.node->nearest;
  const sparql_active_graph *active = op->options.graph;
  bool some = true, each = !nearest_has_constant_query(op) && !nearest_is_split(op);
  const sparql_operator *queries = op->head.child[1];
  double rows = op->head.child[0]->rows, asked = queries ? queries->rows : 1;
  uint64_t vectors = op->options.vectors, about = rows < 1 ? 1 : (uint64_t)rows;
  const float *near = NULL;
  atom_id subject = ATOM_NONE_ID;
  vec_graphs graphs;
  vec_choice choice = VEC_CHOICE_NONE;
  quoin_error ignored = QUOIN_ERROR_INIT;
  const vec_terms terms = sparql_vec_terms(ctx);
  const vec_request request = {.index = &op->options.index,
                               .graphs = &graphs,
                               .terms = &terms,
                               .near = &near,
                               .n_near = 1,
                               .k = said->k,
                               .ef = said->ef < UINT32_MAX ? (uint32_t)said->ef : UINT32_MAX,
                               .exact = said->exact,
                               .subjects = op->any ? NULL : &subject,
                               .n_subjects = about};
  base_buffer_printf(out, "; of %" PRIu64 " vectors, among ", vectors);
  if (op->any)
    base_buffer_text(out, "all");
  else
    base_buffer_printf(out, "those of the group, about %" PRIu64, about);
  if (queries) base_buffer_printf(out, ", for about %.0f queries", asked < 1 ? 1 : asked);
  if (each) {
    base_buffer_text(out, "; a way for each query");
  } else if (active->scope == QUAD_NAMED && active->graph.var != SPARQL_NO_VAR) {
    base_buffer_text(out, "; a way for each graph");
  } else if (!sparql_vec_graphs(&graphs, ctx, active, ATOM_NONE_ID, &ignored) &&
             !vec_graphs_any(&some, ctx->snapshot, &graphs, op->options.index.predicate,
                             &ignored) &&
             !vec_search_choice(&choice, ctx->snapshot, &request, asked < 1 ? 1 : (size_t)asked,
                                &ignored)) {
    base_buffer_printf(out, "; %s", vec_choice_name(choice));
    if (!some) base_buffer_text(out, ": no vectors in the active graph");
  }
}

/* What the searches did: on average, where there were several. */
static void
explain_searches(base_buffer *out, const nearest_operator *op)
{
  size_t ways = 0;
  const char *each = op->searches == 1 ? "" : " each", *before = "; ";
  for (size_t i = 0; i < sizeof(op->ways) / sizeof(*op->ways); i++)
    ways += op->ways[i] > 0;
  for (size_t i = 0; i < sizeof(op->ways) / sizeof(*op->ways); i++) {
    if (!op->ways[i]) continue;
    base_buffer_printf(out, "%s%s", before, vec_choice_name((vec_choice)i));
    if (ways > 1) base_buffer_printf(out, " (%" PRIu64 ")", op->ways[i]);
    before = ", ";
  }
  base_buffer_printf(out,
                     ", %" PRIu64 " search%s, %" PRIu64 " candidates%s, of %" PRIu64
                     " vectors, %" PRIu64 " visits%s%s",
                     op->searches, op->searches == 1 ? "" : "es", op->candidates / op->searches,
                     each, op->options.vectors, op->visits / op->searches, each,
                     op->some ? "" : ": no vectors in the active graph");
}

void
sparql_nearest_explain(base_buffer *out, const sparql_operator *base)
{
  const nearest_operator *op = (const nearest_operator *)base;
  const sparql_algebra *node = op->options.node;
  const sparql_nearest *said = node->nearest;
  if (node->subject.var == SPARQL_NO_VAR)
    sparql_explain_id(out, base->ctx, op->constant);
  else
    sparql_explain_var(out, base->ctx, node->subject.var);
  base_buffer_byte(out, ' ');
  sparql_explain_var(out, base->ctx, node->var);
  base_buffer_printf(out, " over <%.*s>, k %" PRIu64 "%s%s", (int)node->node.term.value.len,
                     node->node.term.value.ptr, said->k, said->exact ? ", exact" : "",
                     said->whole_index ? ", then joined" : "");
  if (op->searches)
    explain_searches(out, op);
  else
    explain_plan(out, op);
}
