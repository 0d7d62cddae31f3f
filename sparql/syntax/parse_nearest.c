/* sparql/syntax/parse_nearest.c - vec:nearest, and SERVICE vec:search that says the same in other
 * words.
 *
 * `(?item ?distance) vec:nearest (index query k option value ...)` is plain SPARQL: two collections
 * and a triple. The collections are taken back out of the triples gathered, and what they say
 * becomes an ALGEBRA_NEAREST over all else that its group holds, but for the FILTERs that mention a
 * distance (DESIGN.md section 8). */
#include "sparql/expr/value.h"
#include "sparql/syntax/parse.h"

#include <math.h>

#include "base/poison.h"

#define VEC(name) ((quoin_span){RDF_VEC name, sizeof(RDF_VEC name) - 1})
#define WRAP "wrap in { } what uses it"

static bool
is_iri(const sparql_node *node, quoin_span iri)
{
  return node->var == SPARQL_NO_VAR && node->term.kind == RDF_IRI &&
         base_span_equal(node->term.value, iri);
}

bool
parse_is_nearest(const sparql_node *verb)
{
  return is_iri(verb, VEC("nearest"));
}

/* ---- words ------------------------------------------------------------------------------------
 */

/* The place of the IRI among the words of a search, or WORDS. */
enum { WORDS = 9 };
static size_t
word_of(const sparql_node *node)
{
  static const char *const words[WORDS] = {
      RDF_VEC "on",          RDF_VEC "query",    RDF_VEC "k",     RDF_VEC "item", RDF_VEC "ef",
      RDF_VEC "maxDistance", RDF_VEC "distance", RDF_VEC "exact", RDF_VEC "scope"};
  size_t i = node->var == SPARQL_NO_VAR && node->term.kind == RDF_IRI ? 0 : WORDS;
  while (i < WORDS && !base_span_is(node->term.value, words[i]))
    i++;
  return i;
}

/* Each may be said once: `said` is the set of those that were. */
static bool
say_once(sparql_parser *p, unsigned *said, const sparql_node *word, const sparql_token *at)
{
  unsigned bit = 1u << word_of(word);
  if (!(*said & bit) || bit == 1u << WORDS) return *said |= bit, true;
  quoin_span name = word->term.value;
  name.ptr += sizeof(RDF_VEC) - 1;
  name.len -= sizeof(RDF_VEC) - 1;
  return parse_fail_at(p, at->line, at->column,
                       "found vec:%.*s of a search more than once, expected it once with one value",
                       (int)name.len, name.ptr);
}

/* ---- options ----------------------------------------------------------------------------------
 */

static bool
fail_option(sparql_parser *p, const sparql_token *at, const char *name, const char *expected)
{
  return parse_fail_at(p, at->line, at->column, "found a bad %s of vec:nearest, expected %s", name,
                       expected);
}

static bool
take_count(uint64_t *out, sparql_parser *p, const sparql_node *node, const char *name,
           const sparql_token *at)
{
  quoin_span text = node->term.value;
  bool good = node->var == SPARQL_NO_VAR && node->term.kind == RDF_LITERAL && text.len > 0 &&
              text.len < 11 && base_span_is(node->term.datatype, RDF_XSD "integer");
  *out = 0;
  for (size_t i = 0; good && i < text.len; i++) {
    unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
    good = digit < 10;
    *out = *out * 10 + digit;
  }
  if (good && *out >= 1 && *out <= UINT32_MAX) return true;
  return fail_option(p, at, name, "a whole number from 1 to 4294967295");
}

static bool
take_number(double *out, sparql_parser *p, const sparql_node *node, const char *name,
            const sparql_token *at)
{
  sparql_value value;
  xsd_type type = node->var == SPARQL_NO_VAR ? xsd_type_of(node->term.datatype) : XSD_NONE;
  quoin_status st =
      type == XSD_NONE ? QUOIN_DONE : value_parse(&value, type, node->term.value, p->arena, p->err);
  if (st < 0) return p->status = st, false;
  if (st == QUOIN_OK && value_is_numeric(&value)) {
    *out = value_to_double(&value);
    if (!isnan(*out)) return true;
  }
  return fail_option(p, at, name, "a number");
}

static bool
take_boolean(bool *out, sparql_parser *p, const sparql_node *node, const char *name,
             const sparql_token *at)
{
  quoin_span text = node->term.value;
  if (node->var == SPARQL_NO_VAR && base_span_is(node->term.datatype, RDF_XSD "boolean")) {
    *out = base_span_is(text, "true") || base_span_is(text, "1");
    if (*out || base_span_is(text, "false") || base_span_is(text, "0")) return true;
  }
  return fail_option(p, at, name, "true or false");
}

static bool
take_option(sparql_parser *p, sparql_nearest *to, const sparql_node *name, const sparql_node *value,
            const sparql_token *at)
{
  if (is_iri(name, VEC("ef"))) return take_count(&to->ef, p, value, "vec:ef", at);
  if (is_iri(name, VEC("maxDistance")))
    return take_number(&to->max_distance, p, value, "vec:maxDistance", at);
  if (is_iri(name, VEC("exact"))) return take_boolean(&to->exact, p, value, "vec:exact", at);
  if (!is_iri(name, VEC("scope")))
    return fail_option(p, at, "option", "vec:ef, vec:maxDistance, vec:exact or vec:scope");
  to->whole_index = is_iri(value, VEC("index"));
  return to->whole_index || is_iri(value, VEC("group")) ||
         fail_option(p, at, "vec:scope", "vec:index or vec:group");
}

/* ---- the node ---------------------------------------------------------------------------------
 */

static sparql_algebra *
new_nearest(sparql_parser *p, sparql_nearest **options, const sparql_token *at)
{
  sparql_algebra *node = parse_new_node(p, ALGEBRA_NEAREST, at);
  if (!node) return NULL;
  if (!(*options = base_arena_new_zero(p->arena, 1, sizeof(**options))))
    return parse_nomem(p), NULL;
  (*options)->max_distance = HUGE_VAL;
  node->nearest = *options;
  return node;
}

static bool
set_distance(sparql_parser *p, sparql_algebra *node, const sparql_node *distance,
             const sparql_token *at)
{
  node->var = distance->var;
  return node->var != SPARQL_NO_VAR ||
         fail_option(p, at, "distance", "a variable that is new in the group");
}

static bool
set_index(sparql_parser *p, sparql_algebra *node, const sparql_node *index, const sparql_token *at)
{
  node->node = *index;
  return (index->var == SPARQL_NO_VAR && index->term.kind == RDF_IRI) ||
         fail_option(p, at, "index", "the IRI of the predicate that has the vectors");
}

/* ---- collections ------------------------------------------------------------------------------
 */

static void
drop_triple(parse_triples *from, size_t i)
{
  memmove(from->items + i, from->items + i + 1, (from->n - i - 1) * sizeof(*from->items));
  from->n--;
}

/* Take the triple <subject, predicate, x> out: the last one, as it was made a moment ago. */
static bool
take_link(sparql_node *out, parse_triples *from, sparql_var subject, quoin_span predicate)
{
  for (size_t i = from->n; i-- > 0;) {
    const sparql_triple *t = &from->items[i];
    if (t->subject.var != subject || !is_iri(&t->predicate, predicate)) continue;
    *out = t->object;
    drop_triple(from, i);
    return true;
  }
  return false;
}

/* The items of the collection at `list`, whose triples go. */
static bool
take_collection(sparql_parser *p, sparql_node **items, size_t *n, parse_triples *from,
                const sparql_node *list)
{
  static const char first[] = RDF_NS "first", rest[] = RDF_NS "rest";
  sparql_node at = *list, item;
  size_t cap = 0;
  *items = NULL;
  *n = 0;
  while (at.var != SPARQL_NO_VAR && !p->query->vars[at.var].len &&
         take_link(&item, from, at.var, (quoin_span){first, sizeof(first) - 1})) {
    if (!PARSE_PUSH(p, *items, *n, cap, item)) return false;
    if (!take_link(&at, from, at.var, (quoin_span){rest, sizeof(rest) - 1})) break;
  }
  return true;
}

/* Is the list still spoken of? */
static bool
is_used(const parse_triples *in, const sparql_node *list)
{
  for (size_t i = 0; i < in->n; i++)
    if (in->items[i].subject.var == list->var || in->items[i].object.var == list->var) return true;
  return false;
}

bool
parse_emit_nearest(sparql_parser *p, parse_triples *to, const sparql_node *subject,
                   const sparql_node *object, const sparql_token *at)
{
  sparql_node *left, *right;
  size_t n_left, n_right;
  unsigned said = 0;
  sparql_nearest *options;
  sparql_algebra *node = new_nearest(p, &options, at);
  if (!node) return false;
  if (!take_collection(p, &right, &n_right, to, object) ||
      !take_collection(p, &left, &n_left, to, subject))
    return false;
  if (n_left != 2 || is_used(to, subject))
    return fail_option(p, at, "subject", "(?item ?distance) and nothing else said of it");
  if (n_right < 3 || n_right % 2 == 0 || is_used(to, object))
    return fail_option(p, at, "object", "(index query k) and options as name and value");
  node->subject = left[0];
  node->object = right[1];
  if (!set_distance(p, node, &left[1], at) || !set_index(p, node, &right[0], at) ||
      !take_count(&options->k, p, &right[2], "k", at))
    return false;
  for (size_t i = 3; i < n_right; i += 2)
    if (!say_once(p, &said, &right[i], at) ||
        !take_option(p, options, &right[i], &right[i + 1], at))
      return false;
  return PARSE_PUSH(p, to->nearest, to->n_nearest, to->cap_nearest, node);
}

/* ---- SERVICE vec:search -----------------------------------------------------------------------
 */

bool
parse_is_search(const sparql_node *service)
{
  return is_iri(service, VEC("search"));
}

/* One word of a search into the node. */
static bool
take_word(sparql_parser *p, sparql_algebra *node, sparql_nearest *options, const sparql_triple *t,
          const sparql_token *at)
{
  if (is_iri(&t->predicate, VEC("on"))) return set_index(p, node, &t->object, at);
  if (is_iri(&t->predicate, VEC("k"))) return take_count(&options->k, p, &t->object, "vec:k", at);
  if (is_iri(&t->predicate, VEC("distance"))) return set_distance(p, node, &t->object, at);
  if (is_iri(&t->predicate, VEC("item")))
    node->subject = t->object;
  else if (is_iri(&t->predicate, VEC("query")))
    node->object = t->object;
  else
    return take_option(p, options, &t->predicate, &t->object, at);
  return true;
}

static bool
is_given(const sparql_node *node)
{
  return node->var != SPARQL_NO_VAR || node->term.kind != RDF_NONE;
}

bool
parse_emit_search(sparql_parser *p, parse_triples *to, const sparql_token *at)
{
  sparql_nearest *options;
  sparql_algebra *node = new_nearest(p, &options, at);
  sparql_var about = SPARQL_NO_VAR;
  unsigned said = 0;
  if (!node) return false;
  node->subject.var = node->object.var = node->node.var = node->var = SPARQL_NO_VAR;
  if (!to->n) return true;
  for (size_t i = 0; i < to->n && about == SPARQL_NO_VAR; i++)
    if (word_of(&to->items[i].predicate) < WORDS) about = to->items[i].subject.var;
  for (size_t i = 0; i < to->n;) {
    sparql_triple t = to->items[i];
    if (word_of(&t.predicate) == WORDS && (about == SPARQL_NO_VAR || t.subject.var != about)) {
      i++;
      continue;
    }
    if (t.subject.var == SPARQL_NO_VAR || t.subject.var != about || p->query->vars[about].len)
      return fail_option(p, at, "search", "one blank node that all of it is said of");
    if (!say_once(p, &said, &t.predicate, at) || !take_word(p, node, options, &t, at)) return false;
    drop_triple(to, i);
  }
  if (about == SPARQL_NO_VAR) return true;
  if (!is_given(&node->node) || !is_given(&node->object) || !is_given(&node->subject) ||
      !options->k || node->var == SPARQL_NO_VAR)
    return fail_option(p, at, "search", "vec:on, vec:query, vec:k, vec:item and vec:distance");
  return PARSE_PUSH(p, to->nearest, to->n_nearest, to->cap_nearest, node);
}

/* ---- the group --------------------------------------------------------------------------------
 */

static bool
is_distance(const sparql_parser *p, sparql_algebra *const *nearest, size_t n,
            const sparql_expr *filter)
{
  for (size_t i = 0; i < n; i++)
    if (parse_expr_mentions(p, filter, nearest[i]->var)) return true;
  return false;
}

/* ?distance is new: the rest of the group neither binds nor reads it. */
static bool
check_distance(sparql_parser *p, const sparql_algebra *pattern, sparql_algebra *const *nearest,
               size_t n, size_t which)
{
  const sparql_algebra *node = nearest[which];
  bool used = parse_mentions(p, pattern, node->var);
  for (size_t i = 0; i < n; i++)
    used = used || nearest[i]->subject.var == node->var || nearest[i]->object.var == node->var ||
           (i != which && nearest[i]->var == node->var);
  if (!used) return true;
  quoin_span name = p->query->vars[node->var];
  return parse_fail_at(p, node->line, node->column,
                       "found the distance ?%.*s of vec:nearest in use in its group, expected it "
                       "in a FILTER or outside alone: " WRAP,
                       (int)(name.len < 80 ? name.len : 80), name.ptr);
}

bool
parse_close_nearest(sparql_parser *p, sparql_algebra **pattern, sparql_expr ***filters,
                    size_t *n_filters, sparql_algebra **nearest, size_t n)
{
  sparql_expr **early = NULL, **late = NULL;
  size_t n_early = 0, n_late = 0, cap_early = 0, cap_late = 0;
  for (size_t i = 0; i < n; i++)
    if (!check_distance(p, *pattern, nearest, n, i)) return false;
  for (size_t i = 0; i < *n_filters; i++) {
    sparql_expr *filter = (*filters)[i];
    if (is_distance(p, nearest, n, filter) ? !PARSE_PUSH(p, late, n_late, cap_late, filter)
                                           : !PARSE_PUSH(p, early, n_early, cap_early, filter))
      return false;
  }
  if (n_early) {
    sparql_token at = {.line = early[0]->line, .column = early[0]->column};
    sparql_algebra *node = parse_new_node(p, ALGEBRA_FILTER, &at);
    if (!node) return false;
    node->left = *pattern;
    node->exprs = early;
    node->n_exprs = n_early;
    if (!parse_close_node(p, node)) return false;
    *pattern = node;
  }
  for (size_t i = 0; i < n; i++) {
    p->query->approximate |= !nearest[i]->nearest->exact;
    nearest[i]->left = *pattern;
    if (!parse_close_node(p, nearest[i])) return false;
    *pattern = nearest[i];
  }
  *filters = late;
  *n_filters = n_late;
  return true;
}
