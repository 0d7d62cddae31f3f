/* sparql/syntax/parse.h - what the parts of the parser share.
 *
 * Recursive descent with one token of lookahead (parser.token). Functions return false, or NULL,
 * once parser.status is set; the message is in parser.err. Everything made lies in the query's
 * arena, also what only the parser needs: a query is small.
 *
 * Scope: each SELECT has a table of names; a variable of a sub-SELECT gets an index of its own, and
 * where it is projected the index becomes an alias of the outer one, resolved in one walk at the
 * end (parse_resolve.c). Visible variables (section 18.2.1) are kept as a log: those of a group are
 * the entries from its mark on, and what MINUS and EXISTS saw is taken off again. */
#ifndef QUOIN_SPARQL_SYNTAX_PARSE_H
#define QUOIN_SPARQL_SYNTAX_PARSE_H

#include "sparql/algebra.h"
#include "sparql/syntax/lexer.h"
#include "sparql/syntax/parse_names.h"
#include "sparql/syntax/parser.h"

/* Levels of nested brackets of any kind. Measured with clang's AddressSanitizer, where frames are
 * largest: a level takes less than 4 KiB of stack. */
enum { PARSE_MAX_DEPTH = 500 };

typedef struct parse_scope {
  struct parse_scope *outer; /* NULL: the query itself */
  name_map names;            /* to sparql_var */
} parse_scope;

/* What the parser knows of a variable beside its name. */
typedef struct parse_var_info {
  sparql_var alias; /* the outer variable that it is, or SPARQL_NO_VAR */
  uint32_t seen;    /* 1 + its newest entry in the log of visible variables; 0: none */
  bool unseen;      /* stands for another in GRAPH: no column of its own */
  uint32_t mark;    /* used with parser.epoch for sets of variables */
} parse_var_info;

typedef struct parse_seen {
  sparql_var var;
  uint32_t before; /* its `seen` before this entry */
} parse_seen;

/* The aggregates of one SELECT. */
typedef struct parse_aggregates {
  sparql_group_aggregate *items;
  size_t n, cap;
  name_map by_hash; /* 8 bytes of hash to the index of an item */
} parse_aggregates;

/* What may stand in the triples that are being parsed. */
typedef enum parse_mode {
  PARSE_PATTERN,  /* blank nodes are hidden variables, paths are allowed */
  PARSE_TEMPLATE, /* blank nodes are terms */
  PARSE_DATA      /* the same, and no variables */
} parse_mode;

/* Where triples go. */
typedef struct parse_triples {
  sparql_triple *items;
  size_t n, cap;
  sparql_algebra **paths;
  size_t n_paths, cap_paths;
  sparql_algebra **nearest; /* vec:nearest: closed with the group */
  size_t n_nearest, cap_nearest;
  bool group; /* of a group, where vec:nearest means what it says */
  parse_mode mode;
  bool blanks;       /* false: blank nodes are an error (DELETE) */
  const char *where; /* name of the place, for that error */
} parse_triples;

typedef struct sparql_parser {
  sparql_query *query;
  base_arena *arena;
  quoin_error *err;
  quoin_status status;
  sparql_lexer lexer;
  sparql_token token;
  const char *behind; /* end of the token before */
  const char *what;   /* "query" or "update", for messages */
  quoin_span base;
  name_map prefixes; /* to the index in query->prefixes */
  size_t cap_prefixes;
  parse_scope *scope;
  parse_var_info *vars;
  size_t cap_vars, cap_names;
  bool aliased;
  parse_seen *seen;
  size_t n_seen, cap_seen;
  size_t group_mark; /* where the log of the group in work begins */
  uint32_t epoch;
  name_map labels;      /* blank node label in a pattern, to labels_of */
  name_map data_labels; /* in INSERT DATA, to the number of the operation */
  struct parse_label {
    uint32_t bgp;
    sparql_var var;
  } * label;
  size_t n_label, cap_label;
  uint32_t bgp, last_bgp; /* number of the basic graph pattern in work, and the highest given */
  uint32_t operation;     /* of an update */
  uint32_t generated;     /* blank nodes without label in templates */
  parse_aggregates *aggregates; /* of the SELECT in work; NULL where none may stand */
  bool in_aggregate;
  unsigned depth;
} sparql_parser;

/* ---- parse_core.c: tokens, errors, memory, variables */

/* Set up over `query` (mem and arena set) and read the first token. */
bool parse_start(sparql_parser *p, sparql_query *query, quoin_span text, quoin_span base,
                 const char *what, quoin_error *err);
bool parse_advance(sparql_parser *p);
bool parse_nomem(sparql_parser *p);
/* "found <token>, expected <what>" at the current token. */
bool parse_expected(sparql_parser *p, const char *what);
bool parse_fail_at(sparql_parser *p, uint32_t line, uint32_t column, const char *fmt, ...)
    QUOIN_PRINTF(4, 5);
/* A failure of another module, at the token: keeps its message, adds the position. */
bool parse_fail_with(sparql_parser *p, const sparql_token *at, quoin_status status,
                     const quoin_error *err);
bool parse_take(sparql_parser *p, sparql_token_kind kind, const char *what);
bool parse_take_word(sparql_parser *p, sparql_keyword keyword);
bool parse_enter(sparql_parser *p);

static inline bool
parse_is(const sparql_parser *p, sparql_token_kind kind)
{
  return p->token.kind == kind;
}

static inline bool
parse_is_word(const sparql_parser *p, sparql_keyword keyword)
{
  return p->token.kind == TOKEN_WORD && p->token.keyword == keyword;
}

/* Take the token if it is that one: true also when it is not, *taken says which. */
bool parse_maybe(sparql_parser *p, bool *taken, sparql_token_kind kind);
bool parse_maybe_word(sparql_parser *p, bool *taken, sparql_keyword keyword);

/* Room for one more in an array of the arena. */
bool parse_grow(sparql_parser *p, void **items, size_t *cap, size_t n, size_t size);
#define PARSE_PUSH(p, items, n, cap, value)                                                        \
  (parse_grow((p), (void **)&(items), &(cap), (n), sizeof(*(items))) &&                            \
   ((items)[(n)++] = (value), true))

bool parse_hidden_var(sparql_parser *p, sparql_var *out);
/* The variable of that name in the scope in work. */
bool parse_var_named(sparql_parser *p, sparql_var *out, quoin_span name);
/* Say that it is visible in the group in work. Hidden ones are not. */
bool parse_see(sparql_parser *p, sparql_var var);
bool parse_is_visible(const sparql_parser *p, sparql_var var); /* in the group in work */
void parse_unsee(sparql_parser *p, size_t mark);               /* cut the log back */
/* A set of variables: begin an empty one, add (true when it was not in it). One at a time. */
void parse_set_begin(sparql_parser *p);
bool parse_set_add(sparql_parser *p, sparql_var var);
bool parse_set_has(const sparql_parser *p, sparql_var var);

sparql_expr *parse_new_expr(sparql_parser *p, sparql_op op, const sparql_token *at);
/* Set its height from args and pattern: false when it is too high. */
bool parse_close_expr(sparql_parser *p, sparql_expr *expr);
sparql_algebra *parse_new_node(sparql_parser *p, sparql_algebra_op op, const sparql_token *at);
bool parse_close_node(sparql_parser *p, sparql_algebra *node);
/* A node with one or two children, closed. NULL when a child is NULL. */
sparql_algebra *parse_unary_node(sparql_parser *p, sparql_algebra_op op, sparql_algebra *left,
                                 const sparql_token *at);
sparql_algebra *parse_join(sparql_parser *p, sparql_algebra *left, sparql_algebra *right,
                           const sparql_token *at);

/* ---- parse_term.c */
bool parse_prologue(sparql_parser *p);
bool parse_iri(sparql_parser *p, quoin_span *out);
bool parse_is_iri(const sparql_parser *p);
bool parse_var(sparql_parser *p, sparql_var *out);
bool parse_var_or_iri(sparql_parser *p, sparql_node *out);
/* IRI, literal or number, sign included. `what`: expected, in the message. */
bool parse_constant(sparql_parser *p, rdf_term *out, const char *what);
bool parse_is_constant(const sparql_parser *p);
bool parse_string(sparql_parser *p, quoin_span *out);
bool parse_unsigned(sparql_parser *p, uint64_t *out);

/* ---- parse_triples.c, parse_path.c */
bool parse_starts_triples(const sparql_parser *p);
/* TriplesSameSubject[Path]; the '.' behind it is the caller's. */
bool parse_same_subject(sparql_parser *p, parse_triples *to);
/* TriplesTemplate: same-subjects divided by '.', up to what does not start triples. */
bool parse_template(sparql_parser *p, parse_triples *to);
bool parse_emit(sparql_parser *p, parse_triples *to, const sparql_triple *triple);
sparql_path *parse_path(sparql_parser *p);
bool parse_is_path(const sparql_parser *p);
bool parse_emit_path(sparql_parser *p, parse_triples *to, const sparql_node *subject,
                     const sparql_path *path, const sparql_node *object, const sparql_token *at);

/* ---- parse_expr.c, parse_call.c */
sparql_expr *parse_expression(sparql_parser *p);
/* Constraint: bracketed expression, built-in call or function call. */
sparql_expr *parse_constraint(sparql_parser *p, const char *what);
bool parse_is_constraint(const sparql_parser *p);
sparql_expr *parse_bracketed(sparql_parser *p);
sparql_expr *parse_call(sparql_parser *p); /* built-in or aggregate, at its word */
bool parse_is_call(const sparql_parser *p);
sparql_expr *parse_function(sparql_parser *p, quoin_span iri, const sparql_token *at);
/* ExpressionList behind the '(' and up to ')'. */
bool parse_arguments(sparql_parser *p, sparql_expr *expr, size_t *cap);
/* The hidden variable of `aggregate` in the list, where it is added if it is new. */
bool parse_add_aggregate(sparql_parser *p, parse_aggregates *to, sparql_expr *aggregate,
                         sparql_var *out);

/* ---- parse_pattern.c */
/* GroupGraphPattern with its filters. */
sparql_algebra *parse_group(sparql_parser *p);
/* GRAPH, at the word (parse_graph.c). */
sparql_algebra *parse_graph_pattern(sparql_parser *p);
/* Does `var`, or an alias of it, stand anywhere in it? (parse_graph.c) */
bool parse_mentions(const sparql_parser *p, const sparql_algebra *node, sparql_var var);
bool parse_expr_mentions(const sparql_parser *p, const sparql_expr *e, sparql_var var);
/* VALUES, behind the word. */
sparql_algebra *parse_data_block(sparql_parser *p, const sparql_token *at);

/* ---- parse_nearest.c */
bool parse_is_nearest(const sparql_node *verb);
/* `subject` vec:nearest `object`, whose collections are taken out of the triples. */
bool parse_emit_nearest(sparql_parser *p, parse_triples *to, const sparql_node *subject,
                        const sparql_node *object, const sparql_token *at);
/* Is it vec:search? */
bool parse_is_search(const sparql_node *service);
/* What the triples of such a group say of the search, taken out of them. */
bool parse_emit_search(sparql_parser *p, parse_triples *to, const sparql_token *at);
/* Put the nearest on *pattern of the group, and below them the filters that mention no distance:
 * the others stay in *filters. */
bool parse_close_nearest(sparql_parser *p, sparql_algebra **pattern, sparql_expr ***filters,
                         size_t *n_filters, sparql_algebra **nearest, size_t n);

/* ---- parse_query.c */
/* FROM and FROM NAMED. */
bool parse_dataset(sparql_parser *p);

/* ---- parse_select.c */
typedef struct parse_modifiers {
  sparql_token at;
  parse_aggregates aggregates;
  bool grouped;
  sparql_group_key *keys;
  size_t n_keys, cap_keys;
  sparql_expr **having;
  size_t n_having, cap_having;
  sparql_order_key *order;
  size_t n_order, cap_order;
  uint64_t offset, limit;
  bool sliced;
  sparql_algebra *values;
} parse_modifiers;

/* SubSelect, at its SELECT, in the group in work, with names of its own. */
sparql_algebra *parse_sub_select(sparql_parser *p);
/* SelectQuery, at its SELECT: fills columns and root. */
bool parse_select_query(sparql_parser *p);
/* SolutionModifier and ValuesClause. */
bool parse_solution_modifiers(sparql_parser *p, parse_modifiers *out);
/* Put grouping, HAVING, VALUES, ORDER BY and slice on `left`: for forms other than SELECT. */
sparql_algebra *parse_apply_modifiers(sparql_parser *p, parse_modifiers *m, sparql_algebra *left);
/* All visible variables of the group in work, each once. */
bool parse_all_visible(sparql_parser *p, sparql_var **out, size_t *n);

/* ---- parse_resolve.c */
/* Put outer variables for their aliases in everything that the query holds. */
void parse_resolve(sparql_parser *p);
void parse_resolve_triples(sparql_parser *p, sparql_triple *triples, size_t n);
void parse_resolve_tree(sparql_parser *p, sparql_algebra *root);

#endif /* QUOIN_SPARQL_SYNTAX_PARSE_H */
