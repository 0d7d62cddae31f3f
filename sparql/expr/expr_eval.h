/* sparql/expr/expr_eval.h - evaluating one expression for one row; what the files of expr share.
 *
 * Temporaries live in the arena of the evaluation, which is rewound after each row. It is not
 * ctx->scratch: the operators inside an EXISTS reset that one while an outer expression is at work.
 */
#ifndef QUOIN_SPARQL_EXPR_EXPR_EVAL_H
#define QUOIN_SPARQL_EXPR_EXPR_EVAL_H

#include "sparql/expr/regex.h"
#include "sparql/expr/value.h"

typedef struct expr_runtime expr_runtime;

/* What is known of one expression in one run: ctx->expr_cache[expr->index], in ctx->arena. */
typedef struct expr_info {
  bool pure;      /* the same ids give the same value: no RAND, UUID, BNODE, EXISTS */
  bool constant;  /* pure and without variables */
  bool has_value; /* of a constant */
  sparql_value value;
  sparql_var *vars; /* of a pure one, each once */
  uint32_t n_vars;
  bool regex_known;    /* pattern and flags are constant and were compiled */
  sparql_regex *regex; /* NULL: not a regular expression: an error in every row */
  atom_id *set;        /* IN over constants whose ids decide, sorted */
  size_t n_set;
  bool set_known, set_strings; /* all strings, else all IRIs */
} expr_info;

typedef struct sparql_eval {
  sparql_context *ctx;
  expr_runtime *run;
  base_arena *arena;
  const sparql_batch *batch; /* NULL: constants alone */
  size_t row;
} sparql_eval;

quoin_status expr_runtime_new(sparql_context *ctx, quoin_error *err);
void expr_runtime_free(sparql_context *ctx);
/* The arena for temporaries: take a mark, rewind to it. */
base_arena *expr_runtime_scratch(sparql_context *ctx);
/* A compiled regular expression: cached by text, valid until the next call. *out NULL: malformed.
 */
quoin_status expr_runtime_regex(sparql_regex **out, expr_runtime *run, quoin_span pattern,
                                quoin_span flags, quoin_error *err);

quoin_status expr_info_get(expr_info **out, sparql_context *ctx, const sparql_expr *expr,
                           quoin_error *err);

/* The value of `expr` in ev->row. An expression error is VALUE_ERROR. */
quoin_status expr_eval(sparql_value *out, sparql_eval *ev, const sparql_expr *expr,
                       quoin_error *err);
/* Its effective boolean value: 1, 0, -1. */
quoin_status expr_eval_ebv(int *out, sparql_eval *ev, const sparql_expr *expr, quoin_error *err);

static inline atom_id
expr_column_at(const sparql_batch *batch, sparql_var var, size_t row)
{
  const atom_id *column = batch->column[var];
  return column ? column[row] : ATOM_NONE_ID;
}

/* Bytes that a string made now may have within the memory budget of the query. */
size_t expr_text_room(const sparql_eval *ev);
/* Room for `len` bytes in ev->arena: LIMIT beyond the budget, NOMEM. */
quoin_status expr_text_new(char **out, sparql_eval *ev, size_t len, quoin_error *err);

/* ---- functions: sparql/functions_*.c ---- */

/* `args` are evaluated (e->n_args of them, at most EXPR_ARGS) and none is an error. *out is an
 * error before the call. */
enum { EXPR_ARGS = 4 };
typedef quoin_status (*expr_function)(sparql_value *out, sparql_eval *ev, const sparql_expr *e,
                                      sparql_value *args, quoin_error *err);

quoin_status fn_str(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                    quoin_error *);
quoin_status fn_lang(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                     quoin_error *);
quoin_status fn_langmatches(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                            quoin_error *);
quoin_status fn_datatype(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                         quoin_error *);
quoin_status fn_iri(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                    quoin_error *);
quoin_status fn_bnode(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                      quoin_error *);
quoin_status fn_uuid(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                     quoin_error *);
quoin_status fn_strlang(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                        quoin_error *);
quoin_status fn_strdt(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                      quoin_error *);
quoin_status fn_sameterm(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                         quoin_error *);
quoin_status fn_is(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                   quoin_error *);
/* functions_number.c */
quoin_status fn_rand(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                     quoin_error *);
quoin_status fn_abs(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                    quoin_error *);
quoin_status fn_rounding(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                         quoin_error *);
/* functions_string.c */
quoin_status fn_concat(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err);
quoin_status fn_strlen(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                       quoin_error *);
quoin_status fn_substr(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                       quoin_error *);
quoin_status fn_encode_for_uri(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                               quoin_error *);
quoin_status fn_contains(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                         quoin_error *);
quoin_status fn_strbefore(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                          quoin_error *);
/* functions_case.c */
quoin_status fn_case(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                     quoin_error *);
/* functions_regex.c */
quoin_status fn_regex(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                      quoin_error *);
quoin_status fn_replace(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                        quoin_error *);
/* functions_time.c */
quoin_status fn_now(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                    quoin_error *);
quoin_status fn_component(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                          quoin_error *);
quoin_status fn_timezone(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                         quoin_error *);
quoin_status fn_tz(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                   quoin_error *);
/* functions_hash.c */
quoin_status fn_hash(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                     quoin_error *);
/* functions_cast.c: `e` is EXPR_FUNCTION with the IRI of a datatype. */
quoin_status fn_cast(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                     quoin_error *);
/* The type a call casts to, XSD_NONE when the IRI is no cast or it has not one argument. */
xsd_type fn_cast_type(const sparql_expr *e);

/* functions_vec.c: `e` is EXPR_FUNCTION with one of our IRIs and as many arguments as it takes. */
bool fn_is_vec(const sparql_expr *e);
quoin_status fn_vec(sparql_value *, sparql_eval *, const sparql_expr *, sparql_value *,
                    quoin_error *);

/* A string literal with or without language: fills its text. */
static inline bool
fn_is_string(const sparql_value *v)
{
  return v->kind == VALUE_STRING || v->kind == VALUE_LANG;
}

#endif /* QUOIN_SPARQL_EXPR_EXPR_EVAL_H */
