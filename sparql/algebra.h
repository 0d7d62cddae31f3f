/* sparql/algebra.h - what a parsed query is: expressions and the algebra of SPARQL 1.1 section 18.
 *
 * All of it lives in the arena of the sparql_query, text included; nothing points outside it. The
 * parser builds it (translation by section 18.2: FILTERs of a group last, OPTIONAL to LeftJoin,
 * sub-SELECT, GROUP BY and aggregates, VALUES, SELECT expressions to Extend); the planner reads it.
 * Immutable after parsing. */
#ifndef QUOIN_SPARQL_ALGEBRA_H
#define QUOIN_SPARQL_ALGEBRA_H

#include "sparql/sparql.h"

/* Index into sparql_query.vars. A blank node of a pattern is a variable with an empty name (never
 * projected, not in SELECT *), one per label and basic graph pattern. A variable of a sub-SELECT
 * that is not projected is another one than the outer variable of the same name. */
typedef uint32_t sparql_var;
#define SPARQL_NO_VAR UINT32_MAX
/* Of a tree of algebra and expressions. 2000 frames of the largest function here fit the stack of a
 * thread also under AddressSanitizer. */
enum { SPARQL_MAX_HEIGHT = 2000 };

typedef struct sparql_expr sparql_expr;
typedef struct sparql_algebra sparql_algebra;
typedef struct sparql_path sparql_path;

/* A term or a variable in a pattern. var == SPARQL_NO_VAR: a term. */
typedef struct sparql_node {
  sparql_var var;
  rdf_term term;
} sparql_node;

typedef struct sparql_triple {
  sparql_node subject, predicate, object;
} sparql_triple;

/* ---- expressions -------------------------------------------------------------------------------
 */

typedef enum sparql_op {
  EXPR_VAR,
  EXPR_TERM,
  EXPR_OR,
  EXPR_AND,
  EXPR_NOT,
  EXPR_EQ,
  EXPR_NE,
  EXPR_LT,
  EXPR_GT,
  EXPR_LE,
  EXPR_GE,
  EXPR_IN,
  EXPR_NOT_IN, /* args[0] in args[1..] */
  EXPR_ADD,
  EXPR_SUB,
  EXPR_MUL,
  EXPR_DIV,
  EXPR_PLUS,
  EXPR_MINUS,    /* binary, then unary */
  EXPR_BUILTIN,  /* `builtin` with args */
  EXPR_FUNCTION, /* IRI in term.value: casts (xsd:...), vec: functions, others */
  EXPR_EXISTS,
  EXPR_NOT_EXISTS, /* `pattern` */
  EXPR_AGGREGATE   /* only inside the aggregates of ALGEBRA_GROUP */
} sparql_op;

typedef enum sparql_builtin {
  FN_STR,
  FN_LANG,
  FN_LANGMATCHES,
  FN_DATATYPE,
  FN_BOUND,
  FN_IRI,
  FN_BNODE,
  FN_RAND,
  FN_ABS,
  FN_CEIL,
  FN_FLOOR,
  FN_ROUND,
  FN_CONCAT,
  FN_STRLEN,
  FN_UCASE,
  FN_LCASE,
  FN_ENCODE_FOR_URI,
  FN_CONTAINS,
  FN_STRSTARTS,
  FN_STRENDS,
  FN_STRBEFORE,
  FN_STRAFTER,
  FN_YEAR,
  FN_MONTH,
  FN_DAY,
  FN_HOURS,
  FN_MINUTES,
  FN_SECONDS,
  FN_TIMEZONE,
  FN_TZ,
  FN_NOW,
  FN_UUID,
  FN_STRUUID,
  FN_MD5,
  FN_SHA1,
  FN_SHA256,
  FN_SHA384,
  FN_SHA512,
  FN_COALESCE,
  FN_IF,
  FN_STRLANG,
  FN_STRDT,
  FN_SAMETERM,
  FN_ISIRI,
  FN_ISBLANK,
  FN_ISLITERAL,
  FN_ISNUMERIC,
  FN_REGEX,
  FN_SUBSTR,
  FN_REPLACE,
  FN_COUNT_OF
} sparql_builtin;

typedef enum sparql_aggregate_kind {
  AGG_COUNT, /* args[0], or no args: COUNT(*) */
  AGG_SUM,
  AGG_MIN,
  AGG_MAX,
  AGG_AVG,
  AGG_SAMPLE,
  AGG_GROUP_CONCAT
} sparql_aggregate_kind;

struct sparql_expr {
  sparql_op op;
  sparql_var var;
  rdf_term term;
  sparql_builtin builtin;
  sparql_aggregate_kind aggregate;
  bool distinct;        /* of an aggregate */
  quoin_span separator; /* of GROUP_CONCAT; " " by default */
  sparql_expr **args;
  size_t n_args;
  sparql_algebra *pattern;
  uint32_t index; /* of this expression in the query: 0 .. sparql_query.n_exprs-1, for caches in
                     the context of a run (compiled regex, id of a constant) */
  uint32_t line, column;
  uint32_t height; /* 1 without args and pattern; at most SPARQL_MAX_HEIGHT: recursion is bounded */
};

/* ---- property paths (section 9)
 * -------------------------------------------------------------------- */

typedef enum sparql_path_op {
  PATH_IRI,       /* iri */
  PATH_INVERSE,   /* ^a */
  PATH_SEQUENCE,  /* a / b */
  PATH_ALTERNATE, /* a | b */
  PATH_ZERO_OR_ONE,
  PATH_ZERO_OR_MORE,
  PATH_ONE_OR_MORE, /* a? a* a+ */
  PATH_NEGATED      /* !(forward | ^inverse) */
} sparql_path_op;

struct sparql_path {
  sparql_path_op op;
  rdf_term iri;
  sparql_path *a, *b;
  rdf_term *forward, *inverse; /* PATH_NEGATED */
  size_t n_forward, n_inverse;
};

/* ---- algebra (section 18.2)
 * -------------------------------------------------------------------------- */

typedef enum sparql_algebra_op {
  ALGEBRA_UNIT, /* one empty solution: the empty group */
  ALGEBRA_BGP,  /* triples */
  ALGEBRA_PATH, /* subject, path, object; sequences and inverses of plain IRIs are already triples
                   (section 18.2.2.4) */
  ALGEBRA_JOIN,
  ALGEBRA_UNION,
  ALGEBRA_MINUS,     /* left, right */
  ALGEBRA_LEFT_JOIN, /* left, right, exprs: conditions (may be none) */
  ALGEBRA_FILTER,    /* left, exprs: all must hold */
  ALGEBRA_GRAPH,     /* node, left */
  ALGEBRA_EXTEND,    /* left, var, exprs[0] */
  ALGEBRA_VALUES,    /* vars, rows of terms (RDF_NONE: UNDEF) */
  ALGEBRA_GROUP,     /* left; keys; aggregates */
  ALGEBRA_ORDER,     /* left; order */
  ALGEBRA_PROJECT,   /* left; vars */
  ALGEBRA_DISTINCT,
  ALGEBRA_REDUCED, /* left */
  ALGEBRA_SLICE,   /* left; offset, limit */
  ALGEBRA_SERVICE, /* node, left, silent; text: the group as written */
  ALGEBRA_NEAREST  /* left: its group; subject: the item; node: the predicate of the index; object:
                      what to be near to; var: the distance; nearest */
} sparql_algebra_op;

/* A key of GROUP BY: var receives the value of expr (expr NULL: the variable itself). */
typedef struct sparql_group_key {
  sparql_var var; /* a hidden variable where none was named */
  sparql_expr *expr;
} sparql_group_key;

/* An aggregate computed by GROUP: `expr` is EXPR_AGGREGATE; `var` a hidden variable that stands for
 * it in HAVING, SELECT and ORDER BY. Equal aggregates appear once. */
typedef struct sparql_group_aggregate {
  sparql_var var;
  sparql_expr *expr;
} sparql_group_aggregate;

typedef struct sparql_order_key {
  sparql_expr *expr;
  bool descending;
} sparql_order_key;

/* What vec:nearest says besides its nodes. */
typedef struct sparql_nearest {
  uint64_t k;          /* from 1 */
  uint64_t ef;         /* effort of the search in the graph; 0: as the index chooses */
  double max_distance; /* HUGE_VAL: any */
  bool exact;
  bool whole_index; /* the k of all in the active graph, then joined: vec:scope vec:index */
} sparql_nearest;

struct sparql_algebra {
  sparql_algebra_op op;
  sparql_algebra *left, *right;
  sparql_triple *triples;
  size_t n_triples;
  sparql_node subject, object;
  sparql_path *path;
  sparql_node node;
  bool silent;
  quoin_span text;
  sparql_expr **exprs;
  size_t n_exprs;
  sparql_var var;
  sparql_var *vars;
  size_t n_vars;
  rdf_term *values;
  size_t n_rows; /* n_rows x n_vars, row by row */
  sparql_group_key *keys;
  size_t n_keys;
  sparql_group_aggregate *aggregates;
  size_t n_aggregates;
  bool grouped; /* GROUP BY was written (no rows: no group), or only aggregates (one group) */
  sparql_order_key *order;
  size_t n_order;
  uint64_t offset, limit; /* limit UINT64_MAX: none */
  const sparql_nearest *nearest;
  uint32_t index; /* 0 .. sparql_query.n_nodes-1 */
  uint32_t line, column;
  uint32_t height; /* of the tree below, expressions included; as in sparql_expr */
};

/* ---- the query
 * ---------------------------------------------------------------------------------------- */

struct sparql_query {
  const base_alloc *mem;
  base_arena arena;
  quoin_span text;
  quoin_span base; /* in force at the end of the prologue, for IRI(); may be empty */
  sparql_form form;
  sparql_algebra
      *root; /* WHERE and solution modifiers; SELECT: ends in PROJECT (below DISTINCT, SLICE) */
  quoin_span *vars; /* names without '?'; empty: hidden */
  uint32_t n_vars;
  uint32_t n_exprs, n_nodes;
  sparql_var *columns; /* SELECT */
  size_t n_columns;
  sparql_triple
      *template_; /* CONSTRUCT; blank nodes are terms of kind RDF_BLANK: fresh per solution */
  size_t n_template;
  sparql_node *describe; /* DESCRIBE; DESCRIBE * lists all visible variables */
  size_t n_describe;
  rdf_term *from, *from_named; /* dataset clauses */
  size_t n_from, n_from_named;
  bool has_dataset;     /* any FROM or FROM NAMED */
  bool approximate;     /* nearest was written, and not that it is exact */
  const rdf_term *with; /* without has_dataset: the default graph is this named one; may be NULL */
  struct sparql_prefix {
    quoin_span prefix, iri;
  } * prefixes; /* for writing Turtle */
  size_t n_prefixes;
};

#endif /* QUOIN_SPARQL_ALGEBRA_H */
