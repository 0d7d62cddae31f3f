/* fuzz/sparql_parse.c - any bytes as a query and as an update: taken or refused with a position. */
#include "sparql/algebra.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool truth)
{
  if (!truth) abort();
}

/* Every index lies within what the query says of itself. */
static void
walk(const sparql_query *q, const sparql_algebra *node)
{
  require(node->index < q->n_nodes && node->height <= SPARQL_MAX_HEIGHT);
  require(node->var == SPARQL_NO_VAR || node->var < q->n_vars);
  for (size_t i = 0; i < node->n_exprs; i++)
    require(node->exprs[i]->index < q->n_exprs);
  for (size_t i = 0; i < node->n_vars; i++)
    require(node->vars[i] < q->n_vars);
  if (node->left) walk(q, node->left);
  if (node->right) walk(q, node->right);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  quoin_span text = {(const char *)data, size}, base = base_span("http://example/base");
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_query *query = NULL;
  quoin_status st = sparql_query_parse(&query, text, base, base_alloc_default(), &err);
  if (st)
    require(err.line >= 1 && err.column >= 1 && err.message[0]);
  else
    walk(query, query->root);
  sparql_query_free(query);
  (void)!sparql_update_check(text, base, base_alloc_default(), &err);
  return 0;
}
