/* sparql/syntax/parse_query.c - the four forms of a query (grammar rules 1, 2, 7, 10-17). */
#include "sparql/syntax/parse.h"

#include <assert.h>

#include "base/poison.h"

bool
parse_dataset(sparql_parser *p)
{
  sparql_query *q = p->query;
  size_t cap_from = 0, cap_named = 0;
  while (parse_is_word(p, KW_FROM)) {
    rdf_term graph = {.kind = RDF_IRI};
    bool named;
    if (!parse_advance(p) || !parse_maybe_word(p, &named, KW_NAMED) || !parse_iri(p, &graph.value))
      return false;
    q->has_dataset = true;
    if (named ? !PARSE_PUSH(p, q->from_named, q->n_from_named, cap_named, graph)
              : !PARSE_PUSH(p, q->from, q->n_from, cap_from, graph))
      return false;
  }
  return true;
}

/* WhereClause. */
static sparql_algebra *
where_clause(sparql_parser *p)
{
  bool taken;
  if (!parse_maybe_word(p, &taken, KW_WHERE)) return NULL;
  if (!parse_is(p, TOKEN_LBRACE)) {
    parse_expected(p, taken ? "'{'" : "WHERE or '{'");
    return NULL;
  }
  return parse_group(p);
}

/* Modifiers and VALUES, put on the pattern `where`. */
static bool
finish(sparql_parser *p, sparql_algebra *where)
{
  parse_modifiers m = {.limit = UINT64_MAX};
  if (!where || !parse_solution_modifiers(p, &m)) return false;
  return (p->query->root = parse_apply_modifiers(p, &m, where)) != NULL;
}

/* ---- CONSTRUCT
 * ------------------------------------------------------------------------------------------ */

/* A blank node of the pattern is one of the template, fresh per solution. */
static bool
blank_of_hidden(sparql_parser *p, sparql_node *node)
{
  if (node->var == SPARQL_NO_VAR || p->query->vars[node->var].len > 0) return true;
  node->term.kind = RDF_BLANK;
  node->term.value = base_arena_printf(p->arena, "-%u", (unsigned)node->var);
  node->var = SPARQL_NO_VAR;
  return node->term.value.ptr || parse_nomem(p);
}

/* CONSTRUCT WHERE { triples }, at '{': the pattern is the template. */
static sparql_algebra *
short_construct(sparql_parser *p)
{
  sparql_query *q = p->query;
  parse_triples triples = {.mode = PARSE_PATTERN, .blanks = true, .group = true};
  sparql_token at = p->token;
  if (!parse_take(p, TOKEN_LBRACE, "'{'") || !parse_template(p, &triples)) return NULL;
  if (triples.n_nearest) {
    parse_fail_at(p, triples.nearest[0]->line, triples.nearest[0]->column,
                  "found vec:nearest, expected none in CONSTRUCT WHERE");
    return NULL;
  }
  if (triples.n_paths) {
    parse_fail_at(p, triples.paths[0]->line, triples.paths[0]->column,
                  "found a property path, expected none in CONSTRUCT WHERE");
    return NULL;
  }
  if (!parse_take(p, TOKEN_RBRACE, "'}' or triples: CONSTRUCT WHERE takes no other pattern"))
    return NULL;
  sparql_algebra *node = parse_new_node(p, triples.n ? ALGEBRA_BGP : ALGEBRA_UNIT, &at);
  if (!node || triples.n == 0) return node;
  node->triples = triples.items;
  node->n_triples = q->n_template = triples.n;
  if (!(q->template_ = base_arena_new(p->arena, triples.n, sizeof(*q->template_))))
    return parse_nomem(p), NULL;
  memcpy(q->template_, triples.items, triples.n * sizeof(*q->template_));
  for (size_t i = 0; i < triples.n; i++)
    if (!blank_of_hidden(p, &q->template_[i].subject) ||
        !blank_of_hidden(p, &q->template_[i].object))
      return NULL;
  return node;
}

static bool
construct_query(sparql_parser *p)
{
  sparql_query *q = p->query;
  if (!parse_advance(p)) return false;
  if (!parse_is(p, TOKEN_LBRACE))
    return parse_dataset(p) && parse_take_word(p, KW_WHERE) && finish(p, short_construct(p));
  parse_triples template = {.mode = PARSE_TEMPLATE, .blanks = true};
  if (!parse_advance(p) || !parse_template(p, &template) ||
      !parse_take(p, TOKEN_RBRACE, "'}', '.', ';' or ','"))
    return false;
  q->template_ = template.items;
  q->n_template = template.n;
  return parse_dataset(p) && finish(p, where_clause(p));
}

/* ---- DESCRIBE, ASK
 * --------------------------------------------------------------------------------------- */

static bool
describe_all(sparql_parser *p)
{
  sparql_query *q = p->query;
  sparql_var *vars = NULL;
  size_t n = 0;
  if (!parse_all_visible(p, &vars, &n)) return false;
  if (!(q->describe = base_arena_new_zero(p->arena, n + 1, sizeof(*q->describe))))
    return parse_nomem(p);
  for (size_t i = 0; i < n; i++)
    q->describe[i].var = vars[i];
  q->n_describe = n;
  return true;
}

static bool
describe_query(sparql_parser *p)
{
  sparql_query *q = p->query;
  size_t cap = 0;
  bool all;
  if (!parse_advance(p) || !parse_maybe(p, &all, TOKEN_STAR)) return false;
  while (!all && (q->n_describe == 0 || parse_is(p, TOKEN_VAR) || parse_is_iri(p))) {
    sparql_node node;
    if (!parse_var_or_iri(p, &node) || !PARSE_PUSH(p, q->describe, q->n_describe, cap, node))
      return false;
  }
  if (!parse_dataset(p)) return false;
  bool has_where = parse_is_word(p, KW_WHERE) || parse_is(p, TOKEN_LBRACE);
  sparql_algebra *where = has_where ? where_clause(p) : parse_new_node(p, ALGEBRA_UNIT, &p->token);
  return where && (!all || describe_all(p)) && finish(p, where);
}

static bool
ask_query(sparql_parser *p)
{
  return parse_advance(p) && parse_dataset(p) && finish(p, where_clause(p));
}

static bool
query_form(sparql_parser *p)
{
  sparql_form *form = &p->query->form;
  if (parse_is_word(p, KW_SELECT)) return *form = SPARQL_SELECT, parse_select_query(p);
  if (parse_is_word(p, KW_CONSTRUCT)) return *form = SPARQL_CONSTRUCT, construct_query(p);
  if (parse_is_word(p, KW_DESCRIBE)) return *form = SPARQL_DESCRIBE, describe_query(p);
  if (parse_is_word(p, KW_ASK)) return *form = SPARQL_ASK, ask_query(p);
  return parse_expected(p, "PREFIX, BASE, SELECT, CONSTRUCT, DESCRIBE or ASK");
}

quoin_status
sparql_parse_query(sparql_query *query, quoin_span text, quoin_span base, quoin_error *err)
{
  sparql_parser p;
  bool good =
      parse_start(&p, query, text, base, "query", err) && parse_prologue(&p) && query_form(&p);
  if (good && !parse_is(&p, TOKEN_END)) good = parse_expected(&p, "the end of the query");
  if (good) parse_resolve(&p);
  assert(good == (p.status == QUOIN_OK));
  return p.status;
}
