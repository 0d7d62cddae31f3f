/* Random group graph patterns and their meaning by the definitions of SPARQL 1.1 section 18, by
 * nested loops over an array of quads: the oracle of the planner. */
#ifndef QUOIN_TESTS_SPARQL_BRUTE_H
#define QUOIN_TESTS_SPARQL_BRUTE_H

#include "base/base.h"

#include <stdlib.h>

/* Terms: 1..NODES are IRIs :t1.., then PREDICATES IRIs :p.., then INTS integers, then two graphs.
 */
enum {
  NODES = 6,
  PREDICATES = 3,
  INTS = 4,
  FIRST_P = NODES + 1,
  FIRST_INT = FIRST_P + PREDICATES,
  FIRST_G = FIRST_INT + INTS,
  GRAPHS = 2,
  TERMS = FIRST_G + GRAPHS,
  VARS = 6,      /* ?a .. ?f */
  GRAPH_VAR = 6, /* ?g */
  FRESH = 7,     /* ?x0 .. : of BIND */
  ALL_VARS = 12,
  MOST_ROWS = 2000
};

typedef struct brute_quad {
  uint8_t s, p, o, g; /* g 0: the default graph */
} brute_quad;

typedef struct brute_row {
  uint8_t v[ALL_VARS];
} brute_row;

typedef struct brute_rows {
  brute_row *row;
  size_t n, cap;
} brute_rows;

typedef enum brute_kind {
  B_TRIPLES,
  B_GROUP,
  B_OPTIONAL,
  B_UNION,
  B_MINUS,
  B_FILTER,
  B_GRAPH,
  B_VALUES,
  B_BIND,
  B_SELECT
} brute_kind;

typedef enum brute_test {
  T_EQ_CONST,
  T_NE,
  T_LT,
  T_BOUND,
  T_NOT_BOUND,
  T_EXISTS,
  T_NOT_EXISTS
} brute_test;

typedef struct brute_group brute_group;

typedef struct brute_element {
  brute_kind kind;
  int triple[3][3]; /* >= 0: a term; < 0: variable -1-v */
  size_t n_triples;
  brute_group *left, *right;
  brute_test test;
  int a, b;         /* variables or terms of a test; BIND: from a to variable b; GRAPH: a */
  int values[3][2]; /* VALUES: rows of two, 0 UNDEF */
  size_t n_rows;
  int vars[2]; /* VALUES, SELECT */
  bool distinct;
} brute_element;

struct brute_group {
  brute_element *element;
  size_t n;
};

typedef struct brute_world {
  brute_quad quad[200];
  size_t n;
  uint64_t seed;
  unsigned fresh;
  bool overflow;
} brute_world;

static inline unsigned
brute_random(brute_world *b, unsigned below)
{
  b->seed = b->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(base_mix(b->seed) % below);
}

/* ---- solutions --------------------------------------------------------------------------------
 */

static inline void
rows_add(brute_world *b, brute_rows *rows, const brute_row *row)
{
  if (rows->n >= MOST_ROWS) {
    b->overflow = true;
    return;
  }
  if (rows->n == rows->cap) {
    rows->cap = rows->cap ? rows->cap * 2 : 16;
    rows->row = realloc(rows->row, rows->cap * sizeof(brute_row));
    if (!rows->row) abort();
  }
  rows->row[rows->n++] = *row;
}

static inline bool
rows_compatible(const brute_row *a, const brute_row *b)
{
  for (int v = 0; v < ALL_VARS; v++)
    if (a->v[v] && b->v[v] && a->v[v] != b->v[v]) return false;
  return true;
}

static inline brute_row
rows_merge(const brute_row *a, const brute_row *b)
{
  brute_row out;
  for (int v = 0; v < ALL_VARS; v++)
    out.v[v] = a->v[v] ? a->v[v] : b->v[v];
  return out;
}

static inline brute_rows
rows_join(brute_world *b, brute_rows left, brute_rows right)
{
  brute_rows out = {0};
  for (size_t i = 0; i < left.n; i++)
    for (size_t j = 0; j < right.n; j++) {
      if (!rows_compatible(&left.row[i], &right.row[j])) continue;
      brute_row row = rows_merge(&left.row[i], &right.row[j]);
      rows_add(b, &out, &row);
    }
  free(left.row);
  free(right.row);
  return out;
}

/* ---- evaluation -------------------------------------------------------------------------------
 */

static inline brute_rows brute_eval(brute_world *b, const brute_group *group, int graph,
                                    const brute_row *outer);
static inline brute_rows brute_eval_unfiltered(brute_world *b, const brute_group *group, int graph,
                                               const brute_row *outer);

static inline bool
brute_holds(brute_world *b, const brute_element *f, const brute_row *row, int graph)
{
  int a = f->a < 0 ? row->v[-1 - f->a] : f->a, c = f->b < 0 ? row->v[-1 - f->b] : f->b;
  brute_rows found;
  bool some;
  switch (f->test) {
  case T_EQ_CONST:
    return a && c && a == c;
  case T_NE:
    return a && c && a != c;
  case T_LT:
    return a >= FIRST_INT && a < FIRST_G && c >= FIRST_INT && c < FIRST_G && a < c;
  case T_BOUND:
    return a != 0;
  case T_NOT_BOUND:
    return a == 0;
  case T_EXISTS:
  case T_NOT_EXISTS:
    found = brute_eval(b, f->left, graph, row);
    some = found.n > 0;
    free(found.row);
    return some == (f->test == T_EXISTS);
  }
  return false;
}

static inline bool
brute_filters(brute_world *b, const brute_group *group, const brute_row *row, int graph)
{
  for (size_t i = 0; i < group->n; i++)
    if (group->element[i].kind == B_FILTER && !brute_holds(b, &group->element[i], row, graph))
      return false;
  return true;
}

static inline bool
brute_bind(brute_row *row, int node, int term)
{
  if (node >= 0) return node == term;
  uint8_t *v = &row->v[-1 - node];
  if (*v && *v != term) return false;
  *v = (uint8_t)term;
  return true;
}

static inline void
brute_triples(brute_world *b, brute_rows *out, const brute_element *e, size_t at, brute_row row,
              int graph)
{
  if (at == e->n_triples) {
    rows_add(b, out, &row);
    return;
  }
  for (size_t i = 0; i < b->n && !b->overflow; i++) {
    const brute_quad *q = &b->quad[i];
    brute_row next = row;
    if (q->g == graph && brute_bind(&next, e->triple[at][0], q->s) &&
        brute_bind(&next, e->triple[at][1], q->p) && brute_bind(&next, e->triple[at][2], q->o))
      brute_triples(b, out, e, at + 1, next, graph);
  }
}

static inline brute_rows
brute_left_join(brute_world *b, brute_rows left, const brute_group *group, int graph,
                const brute_row *outer)
{
  brute_rows right = brute_eval_unfiltered(b, group, graph, outer), out = {0};
  for (size_t i = 0; i < left.n; i++) {
    bool any = false;
    for (size_t j = 0; j < right.n; j++) {
      if (!rows_compatible(&left.row[i], &right.row[j])) continue;
      brute_row row = rows_merge(&left.row[i], &right.row[j]);
      if (!brute_filters(b, group, &row, graph)) continue;
      any = true;
      rows_add(b, &out, &row);
    }
    if (!any) rows_add(b, &out, &left.row[i]);
  }
  free(left.row);
  free(right.row);
  return out;
}

static inline brute_rows
brute_minus(brute_world *b, brute_rows left, brute_rows right)
{
  brute_rows out = {0};
  for (size_t i = 0; i < left.n; i++) {
    bool removed = false;
    for (size_t j = 0; j < right.n && !removed; j++) {
      bool meet = false;
      for (int v = 0; v < ALL_VARS; v++)
        meet = meet || (left.row[i].v[v] && right.row[j].v[v]);
      removed = meet && rows_compatible(&left.row[i], &right.row[j]);
    }
    if (!removed) rows_add(b, &out, &left.row[i]);
  }
  free(left.row);
  free(right.row);
  return out;
}

static inline brute_rows
brute_graph(brute_world *b, const brute_element *e, const brute_row *outer)
{
  brute_rows out = {0};
  for (int g = FIRST_G; g < FIRST_G + GRAPHS; g++) {
    bool there = false;
    brute_row name = {0};
    for (size_t i = 0; i < b->n; i++)
      there = there || b->quad[i].g == g;
    if (!there || !brute_bind(&name, e->a, g)) continue;
    brute_rows inner = brute_eval(b, e->left, g, outer);
    for (size_t i = 0; i < inner.n; i++) {
      if (!rows_compatible(&inner.row[i], &name)) continue;
      brute_row row = rows_merge(&inner.row[i], &name);
      rows_add(b, &out, &row);
    }
    free(inner.row);
  }
  return out;
}

static inline brute_rows
brute_select(brute_world *b, const brute_element *e, int graph, const brute_row *outer)
{
  brute_rows inner = brute_eval(b, e->left, graph, outer), out = {0};
  for (size_t i = 0; i < inner.n; i++) {
    brute_row row = {0};
    for (int k = 0; k < 2; k++)
      row.v[-1 - e->vars[k]] = inner.row[i].v[-1 - e->vars[k]];
    bool again = false;
    for (size_t j = 0; j < out.n && e->distinct; j++)
      again = again || memcmp(&row, &out.row[j], sizeof(row)) == 0;
    if (!again) rows_add(b, &out, &row);
  }
  free(inner.row);
  return out;
}

static inline brute_rows
brute_element_rows(brute_world *b, const brute_element *e, int graph, const brute_row *outer)
{
  brute_rows out = {0}, more;
  switch (e->kind) {
  case B_TRIPLES:
    brute_triples(b, &out, e, 0, *outer, graph);
    break;
  case B_GROUP:
    return brute_eval(b, e->left, graph, outer);
  case B_UNION:
    out = brute_eval(b, e->left, graph, outer);
    more = brute_eval(b, e->right, graph, outer);
    for (size_t i = 0; i < more.n; i++)
      rows_add(b, &out, &more.row[i]);
    free(more.row);
    break;
  case B_GRAPH:
    return brute_graph(b, e, outer);
  case B_VALUES:
    for (size_t i = 0; i < e->n_rows; i++) {
      brute_row row = {0};
      for (int k = 0; k < 2; k++)
        row.v[-1 - e->vars[k]] = (uint8_t)e->values[i][k];
      rows_add(b, &out, &row);
    }
    break;
  case B_SELECT:
    return brute_select(b, e, graph, outer);
  case B_OPTIONAL:
  case B_MINUS:
  case B_FILTER:
  case B_BIND:
    break;
  }
  return out;
}

static inline brute_rows
brute_eval_unfiltered(brute_world *b, const brute_group *group, int graph, const brute_row *outer)
{
  brute_rows rows = {0};
  rows_add(b, &rows, outer);
  for (size_t i = 0; i < group->n && !b->overflow; i++) {
    const brute_element *e = &group->element[i];
    if (e->kind == B_FILTER) continue;
    if (e->kind == B_OPTIONAL) {
      rows = brute_left_join(b, rows, e->left, graph, outer);
    } else if (e->kind == B_MINUS) {
      rows = brute_minus(b, rows, brute_eval(b, e->left, graph, outer));
    } else if (e->kind == B_BIND) {
      for (size_t r = 0; r < rows.n; r++)
        rows.row[r].v[-1 - e->b] = e->a < 0 ? rows.row[r].v[-1 - e->a] : (uint8_t)e->a;
    } else {
      rows = rows_join(b, rows, brute_element_rows(b, e, graph, outer));
    }
  }
  return rows;
}

static inline brute_rows
brute_eval(brute_world *b, const brute_group *group, int graph, const brute_row *outer)
{
  brute_rows rows = brute_eval_unfiltered(b, group, graph, outer);
  size_t n = 0;
  for (size_t i = 0; i < rows.n; i++)
    if (brute_filters(b, group, &rows.row[i], graph)) rows.row[n++] = rows.row[i];
  rows.n = n;
  return rows;
}

/* ---- random patterns --------------------------------------------------------------------------
 */

static inline brute_group *brute_make_group(brute_world *b, unsigned depth, bool in_graph,
                                            bool in_exists);

static inline int
brute_var(brute_world *b)
{
  return -1 - (int)brute_random(b, VARS);
}

static inline int
brute_node(brute_world *b, int position)
{
  if (brute_random(b, 100) < (position == 1 ? 25u : 92u)) return brute_var(b);
  if (position == 1) return FIRST_P + (int)brute_random(b, PREDICATES);
  if (position == 2 && brute_random(b, 3) == 0) return FIRST_INT + (int)brute_random(b, INTS);
  return 1 + (int)brute_random(b, NODES);
}

static inline void
brute_make_test(brute_world *b, brute_element *e, unsigned depth, bool in_graph, bool in_exists)
{
  e->test = (brute_test)brute_random(b, depth && !in_exists ? 7 : 5);
  e->a = brute_var(b);
  e->b = brute_var(b);
  if (e->test == T_EQ_CONST) e->b = 1 + (int)brute_random(b, FIRST_G - 1);
  if (e->test == T_LT && brute_random(b, 2)) e->b = FIRST_INT + (int)brute_random(b, INTS);
  if (e->test == T_EXISTS || e->test == T_NOT_EXISTS)
    e->left = brute_make_group(b, depth - 1, in_graph, true);
}

static inline brute_kind
brute_choose(brute_world *b, unsigned depth, bool in_graph, bool in_exists, size_t at)
{
  unsigned dice = brute_random(b, 100);
  if (at == 0 && dice < 70) return B_TRIPLES;
  if (dice < 35 || (depth == 0 && dice < 60)) return B_TRIPLES;
  if (dice < 45) return B_FILTER;
  if (depth == 0) return B_FILTER;
  if (dice < 62) return B_OPTIONAL;
  if (dice < 70) return B_UNION;
  if (dice < 75) return in_exists ? B_OPTIONAL : B_MINUS;
  if (dice < 81) return B_GROUP;
  if (dice < 87) return in_graph ? B_OPTIONAL : B_GRAPH;
  if (dice < 91) return in_exists ? B_GROUP : B_VALUES;
  if (dice < 95) return in_exists ? B_UNION : B_BIND;
  return in_exists ? B_TRIPLES : B_SELECT;
}

static inline void
brute_make_element(brute_world *b, brute_element *e, unsigned depth, bool in_graph, bool in_exists)
{
  switch (e->kind) {
  case B_TRIPLES:
    e->n_triples = 1 + brute_random(b, brute_random(b, 3) ? 2 : 3);
    for (size_t t = 0; t < e->n_triples; t++)
      for (int k = 0; k < 3; k++)
        e->triple[t][k] = brute_node(b, k);
    break;
  case B_UNION:
    e->right = brute_make_group(b, depth - 1, in_graph, in_exists);
    e->left = brute_make_group(b, depth - 1, in_graph, in_exists);
    break;
  case B_GROUP:
  case B_OPTIONAL:
  case B_MINUS:
    e->left = brute_make_group(b, depth - 1, in_graph, in_exists);
    break;
  case B_GRAPH:
    e->a = brute_random(b, 3) ? -1 - GRAPH_VAR : FIRST_G + (int)brute_random(b, GRAPHS);
    e->left = brute_make_group(b, depth - 1, true, in_exists);
    break;
  case B_FILTER:
    brute_make_test(b, e, depth, in_graph, in_exists);
    break;
  case B_SELECT:
    e->left = brute_make_group(b, depth - 1, in_graph, in_exists);
    e->distinct = brute_random(b, 2);
    e->vars[0] = brute_var(b);
    do
      e->vars[1] = brute_var(b);
    while (e->vars[1] == e->vars[0]);
    break;
  case B_VALUES:
    e->vars[0] = brute_var(b);
    do
      e->vars[1] = brute_var(b);
    while (e->vars[1] == e->vars[0]);
    e->n_rows = 1 + brute_random(b, 3);
    for (size_t r = 0; r < e->n_rows; r++)
      for (int k = 0; k < 2; k++)
        e->values[r][k] = brute_random(b, 4) ? 1 + (int)brute_random(b, FIRST_G - 1) : 0;
    break;
  case B_BIND:
    e->a = brute_random(b, 4) ? brute_var(b) : 1 + (int)brute_random(b, FIRST_G - 1);
    e->b = -1 - (int)(FRESH + b->fresh++);
    break;
  }
}

static inline brute_group *
brute_make_group(brute_world *b, unsigned depth, bool in_graph, bool in_exists)
{
  brute_group *group = calloc(1, sizeof(*group));
  if (!group) abort();
  size_t n = 1 + brute_random(b, depth ? 4 : 2);
  group->element = calloc(n, sizeof(*group->element));
  if (!group->element) abort();
  for (size_t i = 0; i < n; i++) {
    brute_element *e = &group->element[group->n++];
    e->kind = brute_choose(b, depth, in_graph, in_exists, i);
    if (e->kind == B_BIND && FRESH + b->fresh >= ALL_VARS) e->kind = B_TRIPLES;
    brute_make_element(b, e, depth, in_graph, in_exists);
  }
  return group;
}

static inline void
brute_free(brute_group *group)
{
  if (!group) return;
  for (size_t i = 0; i < group->n; i++) {
    brute_free(group->element[i].left);
    brute_free(group->element[i].right);
  }
  free(group->element);
  free(group);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static inline void
brute_term(base_buffer *out, int node)
{
  if (node < 0 && -1 - node == GRAPH_VAR) {
    base_buffer_text(out, "?g");
  } else if (node < 0 && -1 - node >= FRESH) {
    base_buffer_printf(out, "?x%d", -1 - node - FRESH);
  } else if (node < 0) {
    base_buffer_printf(out, "?%c", 'a' + -1 - node);
  } else if (node == 0) {
    base_buffer_text(out, "UNDEF");
  } else if (node < FIRST_P) {
    base_buffer_printf(out, ":t%d", node);
  } else if (node < FIRST_INT) {
    base_buffer_printf(out, ":p%d", node - FIRST_P);
  } else if (node < FIRST_G) {
    base_buffer_printf(out, "%d", node - FIRST_INT);
  } else {
    base_buffer_printf(out, ":g%d", node - FIRST_G);
  }
}

static inline void brute_print(base_buffer *out, const brute_group *group);

static inline void
brute_print_test(base_buffer *out, const brute_element *e)
{
  static const char *const operators[] = {" = ", " != ", " < "};
  base_buffer_text(out, "FILTER ");
  switch (e->test) {
  case T_EQ_CONST:
  case T_NE:
  case T_LT:
    base_buffer_byte(out, '(');
    brute_term(out, e->a);
    base_buffer_text(out, operators[e->test]);
    brute_term(out, e->b);
    base_buffer_text(out, ") ");
    break;
  case T_BOUND:
  case T_NOT_BOUND:
    base_buffer_text(out, e->test == T_BOUND ? "(BOUND(" : "(!BOUND(");
    brute_term(out, e->a);
    base_buffer_text(out, ")) ");
    break;
  case T_EXISTS:
  case T_NOT_EXISTS:
    base_buffer_text(out, e->test == T_EXISTS ? "EXISTS " : "NOT EXISTS ");
    brute_print(out, e->left);
    break;
  }
}

static inline void
brute_print_element(base_buffer *out, const brute_element *e)
{
  switch (e->kind) {
  case B_TRIPLES:
    for (size_t t = 0; t < e->n_triples; t++) {
      for (int k = 0; k < 3; k++) {
        brute_term(out, e->triple[t][k]);
        base_buffer_byte(out, ' ');
      }
      base_buffer_text(out, ". ");
    }
    break;
  case B_GROUP:
    brute_print(out, e->left);
    break;
  case B_OPTIONAL:
    base_buffer_text(out, "OPTIONAL ");
    brute_print(out, e->left);
    break;
  case B_MINUS:
    base_buffer_text(out, "MINUS ");
    brute_print(out, e->left);
    break;
  case B_UNION:
    brute_print(out, e->left);
    base_buffer_text(out, "UNION ");
    brute_print(out, e->right);
    break;
  case B_FILTER:
    brute_print_test(out, e);
    break;
  case B_GRAPH:
    base_buffer_text(out, "GRAPH ");
    brute_term(out, e->a);
    base_buffer_byte(out, ' ');
    brute_print(out, e->left);
    break;
  case B_VALUES:
  case B_SELECT:
    base_buffer_text(out, e->kind == B_VALUES ? "VALUES (" : "{ SELECT ");
    if (e->distinct) base_buffer_text(out, "DISTINCT ");
    brute_term(out, e->vars[0]);
    base_buffer_byte(out, ' ');
    brute_term(out, e->vars[1]);
    if (e->kind == B_SELECT) {
      base_buffer_byte(out, ' ');
      brute_print(out, e->left);
      base_buffer_text(out, "} ");
      break;
    }
    base_buffer_text(out, ") { ");
    for (size_t r = 0; r < e->n_rows; r++) {
      base_buffer_byte(out, '(');
      brute_term(out, e->values[r][0]);
      base_buffer_byte(out, ' ');
      brute_term(out, e->values[r][1]);
      base_buffer_text(out, ") ");
    }
    base_buffer_text(out, "} ");
    break;
  case B_BIND:
    base_buffer_text(out, "BIND (");
    brute_term(out, e->a);
    base_buffer_text(out, " AS ");
    brute_term(out, e->b);
    base_buffer_text(out, ") ");
    break;
  }
}

static inline void
brute_print(base_buffer *out, const brute_group *group)
{
  base_buffer_text(out, "{ ");
  for (size_t i = 0; i < group->n; i++)
    brute_print_element(out, &group->element[i]);
  base_buffer_text(out, "} ");
}

/* Two B_TRIPLES in a row are one basic graph pattern in the text; joined here: the same. */

#endif /* QUOIN_TESTS_SPARQL_BRUTE_H */
