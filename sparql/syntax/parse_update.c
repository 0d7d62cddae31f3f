/* sparql/syntax/parse_update.c - SPARQL 1.1 Update (grammar rules 29-52). */
#include "sparql/syntax/parse_update.h"

#include "sparql/syntax/parse.h"

#include <assert.h>

#include "base/poison.h"

/* ---- graphs
 * ------------------------------------------------------------------------------------------- */

static bool
graph_iri(sparql_parser *p, sparql_target *out)
{
  *out = (sparql_target){.kind = TARGET_GRAPH, .graph = {.kind = RDF_IRI}};
  return parse_iri(p, &out->graph.value);
}

/* GraphRef: GRAPH iri. */
static bool
graph_ref(sparql_parser *p, sparql_target *out)
{
  return parse_take_word(p, KW_GRAPH) && graph_iri(p, out);
}

/* GraphRefAll. */
static bool
graph_ref_all(sparql_parser *p, sparql_target *out)
{
  if (parse_is_word(p, KW_GRAPH)) return graph_ref(p, out);
  if (parse_is_word(p, KW_DEFAULT))
    *out = (sparql_target){.kind = TARGET_DEFAULT};
  else if (parse_is_word(p, KW_NAMED))
    *out = (sparql_target){.kind = TARGET_NAMED};
  else if (parse_is_word(p, KW_ALL))
    *out = (sparql_target){.kind = TARGET_ALL};
  else
    return parse_expected(p, "GRAPH, DEFAULT, NAMED or ALL");
  return parse_advance(p);
}

/* GraphOrDefault. */
static bool
graph_or_default(sparql_parser *p, sparql_target *out)
{
  bool taken;
  *out = (sparql_target){.kind = TARGET_DEFAULT};
  if (!parse_maybe_word(p, &taken, KW_DEFAULT)) return false;
  if (taken) return true;
  if (!parse_maybe_word(p, &taken, KW_GRAPH)) return false;
  if (!taken && !parse_is_iri(p)) return parse_expected(p, "DEFAULT, GRAPH or an IRI");
  return graph_iri(p, out);
}

/* ---- quads
 * --------------------------------------------------------------------------------------------- */

typedef struct quad_builder {
  sparql_quad_list *list;
  size_t cap;
  parse_triples rule; /* what may stand in them */
} quad_builder;

/* TriplesTemplate into an entry of the list. */
static bool
quad_triples(sparql_parser *p, quad_builder *b, sparql_quads entry)
{
  parse_triples triples = b->rule;
  if (!parse_template(p, &triples)) return false;
  if (triples.n_paths)
    return parse_fail_at(p, triples.paths[0]->line, triples.paths[0]->column,
                         "found a property path, expected none in DELETE WHERE");
  if (triples.n == 0) return true;
  entry.triples = triples.items;
  entry.n_triples = triples.n;
  return PARSE_PUSH(p, b->list->items, b->list->n, b->cap, entry);
}

/* QuadsNotTriples, at GRAPH. */
static bool
graph_quads(sparql_parser *p, quad_builder *b)
{
  sparql_quads entry = {.has_graph = true};
  if (!parse_advance(p)) return false;
  if (b->rule.mode == PARSE_DATA && parse_is(p, TOKEN_VAR))
    return parse_expected(p, "an IRI: here no variable may stand");
  return parse_var_or_iri(p, &entry.graph) && parse_take(p, TOKEN_LBRACE, "'{'") &&
         quad_triples(p, b, entry) && parse_take(p, TOKEN_RBRACE, "'}', '.', ';' or ','");
}

/* '{' Quads '}'. */
static bool
quads(sparql_parser *p, sparql_quad_list *list, parse_mode mode, bool blanks, const char *where)
{
  quad_builder b = {.list = list, .rule = {.mode = mode, .blanks = blanks, .where = where}};
  sparql_quads plain = {.graph = {.var = SPARQL_NO_VAR}};
  if (!parse_take(p, TOKEN_LBRACE, "'{'") || !quad_triples(p, &b, plain)) return false;
  while (parse_is_word(p, KW_GRAPH)) {
    bool dot;
    if (!graph_quads(p, &b) || !parse_maybe(p, &dot, TOKEN_DOT) || !quad_triples(p, &b, plain))
      return false;
  }
  return parse_take(p, TOKEN_RBRACE, "'}', GRAPH or triples");
}

/* ---- modify
 * ---------------------------------------------------------------------------------------------- */

/* The quads of DELETE WHERE as a pattern. */
static sparql_algebra *
pattern_of(sparql_parser *p, const sparql_quad_list *list, const sparql_token *at)
{
  sparql_algebra *all = parse_new_node(p, ALGEBRA_UNIT, at);
  for (size_t i = 0; all && i < list->n; i++) {
    const sparql_quads *one = &list->items[i];
    sparql_algebra *node = parse_new_node(p, ALGEBRA_BGP, at);
    if (!node) return NULL;
    node->triples = one->triples;
    node->n_triples = one->n_triples;
    if (one->has_graph) {
      if (!(node = parse_unary_node(p, ALGEBRA_GRAPH, node, at))) return NULL;
      node->node = one->graph;
    }
    all = parse_join(p, all, node, at);
  }
  return all;
}

static bool
using_clauses(sparql_parser *p, sparql_operation *op)
{
  size_t cap = 0, cap_named = 0;
  while (parse_is_word(p, KW_USING)) {
    rdf_term graph = {.kind = RDF_IRI};
    bool named;
    if (!parse_advance(p) || !parse_maybe_word(p, &named, KW_NAMED) || !parse_iri(p, &graph.value))
      return false;
    if (named ? !PARSE_PUSH(p, op->using_named, op->n_using_named, cap_named, graph)
              : !PARSE_PUSH(p, op->using, op->n_using, cap, graph))
      return false;
  }
  return true;
}

/* Behind the DELETE or INSERT clauses. */
static bool
modify_rest(sparql_parser *p, sparql_operation *op)
{
  op->kind = UPDATE_MODIFY;
  return using_clauses(p, op) && parse_take_word(p, KW_WHERE) &&
         (op->where = parse_group(p)) != NULL;
}

static bool
insert_clause(sparql_parser *p, sparql_operation *op)
{
  return quads(p, &op->insert, PARSE_TEMPLATE, true, "INSERT");
}

/* Behind DELETE, which may be the whole of several operations. */
static bool
delete_operation(sparql_parser *p, sparql_operation *op)
{
  sparql_token at = p->token;
  bool insert;
  if (!op->has_with && parse_is_word(p, KW_DATA)) {
    op->kind = UPDATE_DELETE_DATA;
    return parse_advance(p) && quads(p, &op->remove, PARSE_DATA, false, "DELETE DATA");
  }
  if (!op->has_with && parse_is_word(p, KW_WHERE)) {
    op->kind = UPDATE_DELETE_WHERE;
    return parse_advance(p) && quads(p, &op->remove, PARSE_PATTERN, false, "DELETE WHERE") &&
           (op->where = pattern_of(p, &op->remove, &at)) != NULL;
  }
  if (!quads(p, &op->remove, PARSE_TEMPLATE, false, "DELETE") ||
      !parse_maybe_word(p, &insert, KW_INSERT))
    return false;
  return (!insert || insert_clause(p, op)) && modify_rest(p, op);
}

static bool
insert_operation(sparql_parser *p, sparql_operation *op)
{
  if (!op->has_with && parse_is_word(p, KW_DATA)) {
    op->kind = UPDATE_INSERT_DATA;
    return parse_advance(p) && quads(p, &op->insert, PARSE_DATA, true, "INSERT DATA");
  }
  return insert_clause(p, op) && modify_rest(p, op);
}

static bool
with_operation(sparql_parser *p, sparql_operation *op)
{
  op->has_with = true;
  op->with.kind = RDF_IRI;
  if (!parse_iri(p, &op->with.value)) return false;
  if (parse_is_word(p, KW_DELETE)) return parse_advance(p) && delete_operation(p, op);
  if (parse_is_word(p, KW_INSERT)) return parse_advance(p) && insert_operation(p, op);
  return parse_expected(p, "DELETE or INSERT");
}

/* ---- graph management
 * ------------------------------------------------------------------------------------- */

static bool
load_operation(sparql_parser *p, sparql_operation *op)
{
  bool into;
  op->kind = UPDATE_LOAD;
  if (!parse_maybe_word(p, &op->silent, KW_SILENT) || !graph_iri(p, &op->source) ||
      !parse_maybe_word(p, &into, KW_INTO))
    return false;
  return !into || graph_ref(p, &op->target);
}

static bool
target_operation(sparql_parser *p, sparql_operation *op, sparql_update_kind kind)
{
  op->kind = kind;
  if (!parse_maybe_word(p, &op->silent, KW_SILENT)) return false;
  return kind == UPDATE_CREATE ? graph_ref(p, &op->target) : graph_ref_all(p, &op->target);
}

static bool
copy_operation(sparql_parser *p, sparql_operation *op, sparql_update_kind kind)
{
  op->kind = kind;
  return parse_maybe_word(p, &op->silent, KW_SILENT) && graph_or_default(p, &op->source) &&
         parse_take_word(p, KW_TO) && graph_or_default(p, &op->target);
}

/* ---- the request
 * ----------------------------------------------------------------------------------------- */

static bool
operation(sparql_parser *p, sparql_operation *op)
{
  sparql_keyword word = parse_is(p, TOKEN_WORD) ? p->token.keyword : KW_NONE;
  switch ((int)word) {
  case KW_LOAD:
    return parse_advance(p) && load_operation(p, op);
  case KW_CLEAR:
    return parse_advance(p) && target_operation(p, op, UPDATE_CLEAR);
  case KW_DROP:
    return parse_advance(p) && target_operation(p, op, UPDATE_DROP);
  case KW_CREATE:
    return parse_advance(p) && target_operation(p, op, UPDATE_CREATE);
  case KW_ADD:
    return parse_advance(p) && copy_operation(p, op, UPDATE_ADD);
  case KW_MOVE:
    return parse_advance(p) && copy_operation(p, op, UPDATE_MOVE);
  case KW_COPY:
    return parse_advance(p) && copy_operation(p, op, UPDATE_COPY);
  case KW_INSERT:
    return parse_advance(p) && insert_operation(p, op);
  case KW_DELETE:
    return parse_advance(p) && delete_operation(p, op);
  case KW_WITH:
    return parse_advance(p) && with_operation(p, op);
  }
  return parse_expected(p, "PREFIX, BASE, INSERT, DELETE, WITH, LOAD, CLEAR, CREATE, DROP, COPY, "
                           "MOVE or ADD");
}

/* Update: operations divided by ';', each with a prologue; the last may be a prologue alone. */
static bool
request(sparql_parser *p, sparql_update *update)
{
  size_t cap = 0;
  bool more = true;
  if (!parse_prologue(p)) return false;
  while (more && !parse_is(p, TOKEN_END)) {
    sparql_operation op = {.base = p->base, .line = p->token.line, .column = p->token.column};
    p->operation++;
    if (!operation(p, &op) || !PARSE_PUSH(p, update->operations, update->n_operations, cap, op))
      return false;
    parse_unsee(p, 0);
    if (!parse_maybe(p, &more, TOKEN_SEMICOLON) || (more && !parse_prologue(p))) return false;
  }
  return parse_is(p, TOKEN_END) || parse_expected(p, "';' or the end of the update");
}

static void
resolve_all(sparql_parser *p, sparql_update *update)
{
  for (size_t i = 0; p->aliased && i < update->n_operations; i++)
    if (update->operations[i].where) parse_resolve_tree(p, update->operations[i].where);
}

void
sparql_update_init(sparql_update *update, const base_alloc *mem)
{
  *update = (sparql_update){.query = {.mem = mem}};
  base_arena_init(&update->query.arena, mem);
}

void
sparql_update_clear(sparql_update *update)
{
  base_arena_clear(&update->query.arena);
}

quoin_status
sparql_parse_update(sparql_update *update, quoin_span text, quoin_span base, quoin_error *err)
{
  sparql_parser p;
  bool good = parse_start(&p, &update->query, text, base, "update", err) && request(&p, update);
  if (good) resolve_all(&p, update);
  assert(good == (p.status == QUOIN_OK));
  return p.status;
}
