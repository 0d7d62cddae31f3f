/* sparql/query.c - a parsed query: making, freeing and looking at it. */
#include "sparql/syntax/parse_update.h"
#include "sparql/syntax/parser.h"

#include <assert.h>

#include "base/poison.h"

quoin_status
sparql_query_parse(sparql_query **out, quoin_span text, quoin_span base, const base_alloc *mem,
                   quoin_error *err)
{
  assert(out && mem);
  *out = NULL;
  sparql_query *query = base_new_zero(mem, 1, sizeof(*query));
  if (!query) return base_fail_nomem(err);
  query->mem = mem;
  base_arena_init(&query->arena, mem);
  quoin_status st = sparql_parse_query(query, text, base, err);
  if (st == QUOIN_OK)
    *out = query;
  else
    sparql_query_free(query);
  return st;
}

quoin_status
sparql_update_check(quoin_span text, quoin_span base, const base_alloc *mem, quoin_error *err)
{
  assert(mem);
  sparql_update update;
  sparql_update_init(&update, mem);
  quoin_status st = sparql_parse_update(&update, text, base, err);
  sparql_update_clear(&update);
  return st;
}

void
sparql_query_free(sparql_query *query)
{
  if (!query) return;
  const base_alloc *mem = query->mem;
  base_arena_clear(&query->arena);
  base_release(mem, query, 1, sizeof(*query));
}

bool
sparql_query_is_approximate(const sparql_query *query)
{
  return query->approximate;
}

sparql_form
sparql_query_form(const sparql_query *query)
{
  return query->form;
}

size_t
sparql_query_columns(const sparql_query *query)
{
  return query->n_columns;
}

quoin_span
sparql_query_column(const sparql_query *query, size_t i)
{
  assert(i < query->n_columns);
  return query->vars[query->columns[i]];
}
