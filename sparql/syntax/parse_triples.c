/* sparql/syntax/parse_triples.c - triples: same-subjects, property lists, collections, blank nodes
 * (grammar rules 75-87, 98-105). */
#include "sparql/syntax/parse.h"

#include <stdio.h>

#include "base/poison.h"

#define RDF(name) ((quoin_span){RDF_NS name, sizeof(RDF_NS name) - 1})

static sparql_node
iri_node(quoin_span iri)
{
  return (sparql_node){.var = SPARQL_NO_VAR, .term = {.kind = RDF_IRI, .value = iri}};
}

bool
parse_emit(sparql_parser *p, parse_triples *to, const sparql_triple *triple)
{
  return PARSE_PUSH(p, to->items, to->n, to->cap, *triple);
}

/* ---- blank nodes
 * --------------------------------------------------------------------------------------- */

static bool
check_blanks(sparql_parser *p, const parse_triples *to, const sparql_token *at)
{
  return to->blanks || parse_fail_at(p, at->line, at->column,
                                     "found a blank node, expected none in %s", to->where);
}

/* A blank node without a label. */
static bool
new_blank(sparql_parser *p, const parse_triples *to, sparql_node *out, const sparql_token *at)
{
  *out = (sparql_node){.var = SPARQL_NO_VAR};
  if (!check_blanks(p, to, at)) return false;
  if (to->mode == PARSE_PATTERN) return parse_hidden_var(p, &out->var);
  /* No label that is written can begin with '-'. */
  out->term.kind = RDF_BLANK;
  out->term.value = base_arena_printf(p->arena, "-%u", (unsigned)p->generated++);
  return out->term.value.ptr || parse_nomem(p);
}

/* The hidden variable of the label in the basic graph pattern in work. */
static bool
label_var(sparql_parser *p, sparql_var *out)
{
  quoin_span label = p->token.value;
  uint32_t found = name_map_find(&p->labels, label);
  if (found != NAME_NONE) {
    if (p->label[found].bgp != p->bgp)
      return parse_fail_at(p, p->token.line, p->token.column,
                           "found the blank node '_:%.*s' of another basic graph pattern, expected "
                           "each label in one alone",
                           (int)(label.len < 80 ? label.len : 80), label.ptr);
    *out = p->label[found].var;
    return true;
  }
  struct parse_label entry = {.bgp = p->bgp};
  if (!parse_hidden_var(p, &entry.var)) return false;
  *out = entry.var;
  return PARSE_PUSH(p, p->label, p->n_label, p->cap_label, entry) &&
         (name_map_set(&p->labels, label, (uint32_t)p->n_label - 1, p->arena) || parse_nomem(p));
}

static bool
labelled_blank(sparql_parser *p, const parse_triples *to, sparql_node *out)
{
  if (!check_blanks(p, to, &p->token)) return false;
  if (to->mode == PARSE_PATTERN) return label_var(p, &out->var) && parse_advance(p);
  quoin_span label = p->token.value;
  if (to->mode == PARSE_DATA) {
    uint32_t operation = name_map_find(&p->data_labels, label);
    if (operation != NAME_NONE && operation != p->operation)
      return parse_fail_at(p, p->token.line, p->token.column,
                           "found the blank node '_:%.*s' of another INSERT DATA, expected each "
                           "label in one alone",
                           (int)(label.len < 80 ? label.len : 80), label.ptr);
    if (!name_map_set(&p->data_labels, label, p->operation, p->arena)) return parse_nomem(p);
  }
  out->term = (rdf_term){.kind = RDF_BLANK, .value = label};
  return parse_advance(p);
}

/* ---- nodes
 * ---------------------------------------------------------------------------------------------- */

static bool property_list(sparql_parser *p, parse_triples *to, const sparql_node *subject);
static bool graph_node(sparql_parser *p, parse_triples *to, sparql_node *out, bool *has_triples);

bool
parse_starts_triples(const sparql_parser *p)
{
  return parse_is(p, TOKEN_VAR) || parse_is_constant(p) || parse_is(p, TOKEN_BLANK) ||
         parse_is(p, TOKEN_LPAREN) || parse_is(p, TOKEN_LBRACKET);
}

static bool
variable_node(sparql_parser *p, const parse_triples *to, sparql_node *out)
{
  if (to->mode == PARSE_DATA) return parse_expected(p, "a term: here no variable may stand");
  return parse_var(p, &out->var) && (to->mode != PARSE_PATTERN || parse_see(p, out->var));
}

/* Collection behind its '(': an rdf:List, the empty one included. */
static bool
collection(sparql_parser *p, parse_triples *to, sparql_node *out, const sparql_token *at)
{
  sparql_node nil = iri_node(RDF("nil")), previous = nil;
  *out = nil;
  for (bool first = true; !parse_is(p, TOKEN_RPAREN); first = false) {
    sparql_triple link = {.predicate = iri_node(RDF("rest"))};
    sparql_triple item = {.predicate = iri_node(RDF("first"))};
    bool has_triples;
    if (!new_blank(p, to, &item.subject, at) || !graph_node(p, to, &item.object, &has_triples))
      return false;
    link.subject = previous;
    link.object = item.subject;
    if (first)
      *out = item.subject;
    else if (!parse_emit(p, to, &link))
      return false;
    if (!parse_emit(p, to, &item)) return false;
    previous = item.subject;
  }
  if (previous.var == SPARQL_NO_VAR && previous.term.kind == RDF_IRI) return parse_advance(p);
  sparql_triple end = {.subject = previous, .predicate = iri_node(RDF("rest")), .object = nil};
  return parse_emit(p, to, &end) && parse_advance(p);
}

/* '[' property list ']' or ANON. */
static bool
bracketed_blank(sparql_parser *p, parse_triples *to, sparql_node *out, bool *has_triples)
{
  if (!new_blank(p, to, out, &p->token) || !parse_advance(p)) return false;
  *has_triples = !parse_is(p, TOKEN_RBRACKET);
  if (*has_triples && !property_list(p, to, out)) return false;
  return parse_take(p, TOKEN_RBRACKET, "']' or ';'");
}

/* GraphNode: *has_triples where it may stand as a subject alone. */
static bool
graph_node(sparql_parser *p, parse_triples *to, sparql_node *out, bool *has_triples)
{
  *out = (sparql_node){.var = SPARQL_NO_VAR};
  *has_triples = false;
  if (parse_is(p, TOKEN_VAR)) return variable_node(p, to, out);
  if (parse_is(p, TOKEN_BLANK)) return labelled_blank(p, to, out);
  if (!parse_is(p, TOKEN_LPAREN) && !parse_is(p, TOKEN_LBRACKET))
    return parse_constant(p, &out->term, "a term or a variable");
  bool good;
  if (!parse_enter(p)) return false;
  if (parse_is(p, TOKEN_LBRACKET)) {
    good = bracketed_blank(p, to, out, has_triples);
  } else {
    sparql_token at = p->token;
    good = parse_advance(p);
    *has_triples = good && !parse_is(p, TOKEN_RPAREN);
    good = good && collection(p, to, out, &at);
  }
  p->depth--;
  return good;
}

/* ---- property lists
 * ------------------------------------------------------------------------------------ */

/* What stands between subject and objects. */
typedef struct verb {
  sparql_node node;        /* variable or plain IRI ... */
  const sparql_path *path; /* ... or this */
  sparql_token at;
} verb;

/* A search is no step of a path: nothing has such a predicate, and the answer would be empty. */
static bool
has_nearest(const sparql_path *path)
{
  const sparql_node iri = {.var = SPARQL_NO_VAR, .term = path->iri};
  if (path->op == PATH_IRI) return parse_is_nearest(&iri);
  return (path->a && has_nearest(path->a)) || (path->b && has_nearest(path->b));
}

static bool
take_verb(sparql_parser *p, const parse_triples *to, verb *out)
{
  *out = (verb){.node = {.var = SPARQL_NO_VAR}, .at = p->token};
  if (parse_is(p, TOKEN_VAR)) return variable_node(p, to, &out->node);
  if (to->mode == PARSE_PATTERN) {
    if (!parse_is_path(p)) return parse_expected(p, "a predicate: a variable, an IRI or a path");
    sparql_path *path = parse_path(p);
    if (!path) return false;
    if (path->op == PATH_IRI)
      out->node.term = path->iri;
    else if (to->group && has_nearest(path))
      return parse_fail_at(p, out->at.line, out->at.column,
                           "found vec:nearest in a property path, expected it alone");
    else
      out->path = path;
    return true;
  }
  out->node.term = (rdf_term){.kind = RDF_IRI, .value = RDF("type")};
  if (parse_is_word(p, KW_A)) return parse_advance(p);
  if (!parse_is_iri(p)) return parse_expected(p, "a predicate: a variable or an IRI");
  return parse_iri(p, &out->node.term.value);
}

static bool
is_verb(const sparql_parser *p, const parse_triples *to)
{
  if (parse_is(p, TOKEN_VAR) || parse_is_iri(p) || parse_is_word(p, KW_A)) return true;
  return to->mode == PARSE_PATTERN && parse_is_path(p);
}

static bool
object_list(sparql_parser *p, parse_triples *to, const sparql_node *subject, const verb *v)
{
  for (;;) {
    sparql_triple triple = {.subject = *subject, .predicate = v->node};
    bool has_triples, more;
    if (!graph_node(p, to, &triple.object, &has_triples)) return false;
    if (to->group && !v->path && parse_is_nearest(&v->node)) {
      if (!parse_emit_nearest(p, to, subject, &triple.object, &v->at)) return false;
      return !parse_is(p, TOKEN_COMMA) || parse_expected(p, "one object of vec:nearest");
    }
    if (v->path ? !parse_emit_path(p, to, subject, v->path, &triple.object, &v->at)
                : !parse_emit(p, to, &triple))
      return false;
    if (!parse_maybe(p, &more, TOKEN_COMMA)) return false;
    if (!more) return true;
  }
}

static bool
property_list(sparql_parser *p, parse_triples *to, const sparql_node *subject)
{
  for (;;) {
    verb v;
    if (!take_verb(p, to, &v) || !object_list(p, to, subject, &v)) return false;
    if (!parse_is(p, TOKEN_SEMICOLON)) return true;
    while (parse_is(p, TOKEN_SEMICOLON))
      if (!parse_advance(p)) return false;
    if (!is_verb(p, to)) return true;
    if (to->group && !v.path && parse_is_nearest(&v.node))
      return parse_expected(p, "nothing else said of the subject of vec:nearest");
  }
}

bool
parse_same_subject(sparql_parser *p, parse_triples *to)
{
  sparql_node subject;
  bool has_triples;
  if (!graph_node(p, to, &subject, &has_triples)) return false;
  if (has_triples && !is_verb(p, to)) return true;
  return property_list(p, to, &subject);
}

bool
parse_template(sparql_parser *p, parse_triples *to)
{
  while (parse_starts_triples(p)) {
    bool dot;
    if (!parse_same_subject(p, to) || !parse_maybe(p, &dot, TOKEN_DOT)) return false;
    if (!dot) return true;
  }
  return true;
}
