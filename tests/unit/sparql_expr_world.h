/* What the tests of expressions share: an expression is parsed, and evaluated three times: as it is
 * (constants are folded), with its terms as variables bound to local ids, and with its terms as
 * variables bound to ids of a store. All three must agree. */
#ifndef QUOIN_TESTS_SPARQL_EXPR_WORLD_H
#define QUOIN_TESTS_SPARQL_EXPR_WORLD_H

#include "sparql/algebra.h"
#include "sparql/expr/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PROLOGUE                                                                                   \
  "BASE <http://base.example/dir/> PREFIX : <http://x/> PREFIX vec: <urn:x-quoin:vec#> PREFIX "    \
  "xsd: <http://www.w3.org/2001/XMLSchema#> PREFIX rdf: "                                          \
  "<http://www.w3.org/1999/02/22-rdf-syntax-ns#> "

enum { WORLD_TERMS = 64, WORLD_ROWS = 3 };

typedef enum world_mode { MODE_CONSTANT, MODE_LOCAL, MODE_STORED, MODE_COUNT } world_mode;

typedef struct world {
  char path[64];
  base_dir dir;
  atom_store *atoms;
} world;

static inline int
world_open(void **state)
{
  static world w;
  quoin_error err = QUOIN_ERROR_INIT;
  atom_marks marks = {.generation = 1, .table = 1};
  w = (world){.dir = BASE_DIR_NONE};
  (void)snprintf(w.path, sizeof(w.path), "/tmp/quoin-expr-XXXXXX");
  if (!mkdtemp(w.path) || base_dir_open(&w.dir, w.path, &err) ||
      atom_store_create(&w.dir, &marks, &err) ||
      atom_store_open(&w.atoms, &w.dir, &marks, ATOM_OPEN_WRITE, base_alloc_default(), &err)) {
    print_error("%s\n", err.message);
    return -1;
  }
  atom_store_pin(w.atoms);
  *state = &w;
  return 0;
}

static inline int
world_close(void **state)
{
  world *w = *state;
  char command[100];
  atom_store_unpin(w->atoms);
  atom_store_close(w->atoms);
  base_dir_close(&w->dir);
  (void)snprintf(command, sizeof(command), "rm -rf %s", w->path);
  return system(command);
}

/* An expression ready to be evaluated. */
typedef struct prepared {
  sparql_query *parsed;
  sparql_query query; /* a copy with room for variables */
  sparql_context ctx;
  sparql_expr *expr;
  atom_id columns[WORLD_TERMS][WORLD_ROWS];
  const atom_id *column[WORLD_TERMS];
  sparql_batch batch;
} prepared;

static inline const sparql_expr *
find_extend(const sparql_algebra *a)
{
  for (; a; a = a->left)
    if (a->op == ALGEBRA_EXTEND) return a->exprs[0];
  return NULL;
}

static inline atom_id
world_id(world *w, prepared *p, world_mode mode, const rdf_term *term)
{
  quoin_error err = QUOIN_ERROR_INIT;
  atom_id id;
  if (mode == MODE_STORED && term->kind != RDF_BLANK) {
    atom_store_writer_enter(w->atoms);
    quoin_status st = atom_intern(&id, w->atoms, term, &err);
    atom_store_writer_leave(w->atoms);
    if (st) fail_msg("intern: %s", err.message);
    return id;
  }
  if (sparql_intern(&id, &p->ctx, term, &err)) fail_msg("intern: %s", err.message);
  return id;
}

/* A copy of the tree; terms become variables, but for those the grammar of a function needs. */
static inline sparql_expr *
with_variables(world *w, prepared *p, world_mode mode, const sparql_expr *e)
{
  sparql_expr *copy = base_arena_new(&p->ctx.arena, 1, sizeof(*copy));
  assert_non_null(copy);
  *copy = *e;
  if (mode != MODE_CONSTANT && e->op == EXPR_TERM) {
    sparql_var var = p->query.n_vars++;
    assert_true(var < WORLD_TERMS);
    copy->op = EXPR_VAR;
    copy->var = var;
    atom_id id = world_id(w, p, mode, &e->term);
    for (int row = 0; row < WORLD_ROWS; row++)
      p->columns[var][row] = id;
    p->columns[var][1] = ATOM_NONE_ID; /* an unbound row between */
    p->column[var] = p->columns[var];
  }
  copy->args = base_arena_new(&p->ctx.arena, e->n_args + 1, sizeof(*copy->args));
  assert_non_null(copy->args);
  for (size_t i = 0; i < e->n_args; i++)
    copy->args[i] = with_variables(w, p, mode, e->args[i]);
  return copy;
}

static inline void
prepare(prepared *p, world *w, world_mode mode, const char *text)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char query[4096];
  *p = (prepared){0};
  int n = snprintf(query, sizeof(query), PROLOGUE "SELECT (%s AS ?result) {}", text);
  assert_true(n > 0 && (size_t)n < sizeof(query));
  if (sparql_query_parse(&p->parsed, base_span(query), (quoin_span){NULL, 0}, base_alloc_default(),
                         &err))
    fail_msg("%s: %s (column %u)", text, err.message, (unsigned)err.column);
  p->query = *p->parsed;
  assert_true(p->query.n_vars < WORLD_TERMS);
  if (sparql_context_init(&p->ctx, &p->query, NULL, NULL, base_alloc_default(), &err))
    fail_msg("%s", err.message);
  if (mode == MODE_STORED) {
    p->ctx.atoms = w->atoms;
    p->ctx.mark = UINT64_MAX;
  }
  const sparql_expr *found = find_extend(p->parsed->root);
  assert_non_null(found);
  p->expr = with_variables(w, p, mode, found);
  p->batch = (sparql_batch){.rows = WORLD_ROWS, .column = p->column};
}

static inline void
prepared_free(prepared *p)
{
  sparql_context_clear(&p->ctx);
  sparql_query_free(p->parsed);
}

/* N-Triples of an id, "error" for 0; to be freed by the caller's buffer. */
static inline const char *
show(base_buffer *out, prepared *p, atom_id id)
{
  quoin_error err = QUOIN_ERROR_INIT;
  rdf_term term;
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  out->len = 0;
  if (!id.bits) {
    base_buffer_text(out, "error");
  } else {
    if (sparql_term(&term, &p->ctx, id, &arena, &err)) fail_msg("%s", err.message);
    rdf_term_write(out, &term);
  }
  base_buffer_byte(out, '\0');
  base_arena_clear(&arena);
  return out->data;
}

/* "true", "2", "2.5", "1.0E0" in a table stand for their literals; others are N-Triples. */
static inline void
expand(char *out, size_t size, const char *expected)
{
  const char *type = NULL;
  size_t len = strlen(expected);
  if (!strcmp(expected, "true") || !strcmp(expected, "false"))
    type = "boolean";
  else if (strspn(expected, "0123456789-") == len)
    type = "integer";
  else if (strspn(expected, "0123456789-.") == len)
    type = "decimal";
  else if (strspn(expected, "0123456789-.E") == len)
    type = "double";
  int n = type
              ? snprintf(out, size, "\"%s\"^^<http://www.w3.org/2001/XMLSchema#%s>", expected, type)
              : snprintf(out, size, "%s", expected);
  assert_true(n >= 0 && (size_t)n < size);
}

/* The value of `text` is `expected` in every mode. */
static inline void
check_value(world *w, const char *text, const char *expected)
{
  static const char *const names[MODE_COUNT] = {"constant", "local", "stored"};
  char full[1024];
  expand(full, sizeof(full), expected);
  for (int mode = 0; mode < MODE_COUNT; mode++) {
    prepared p;
    quoin_error err = QUOIN_ERROR_INIT;
    base_buffer shown;
    atom_id out[WORLD_ROWS];
    uint32_t selected[WORLD_ROWS];
    size_t n_selected;
    base_buffer_init(&shown, base_alloc_default());
    prepare(&p, w, (world_mode)mode, text);
    if (sparql_expr_column(out, &p.ctx, p.expr, &p.batch, &err))
      fail_msg("%s (%s): %s", text, names[mode], err.message);
    for (int row = 0; row < WORLD_ROWS; row += 2)
      if (strcmp(show(&shown, &p, out[row]), full) != 0)
        fail_msg("%s (%s, row %d): is %s, expected %s", text, names[mode], row, shown.data, full);
    if (sparql_expr_filter(selected, &n_selected, &p.ctx, p.expr, &p.batch, &err))
      fail_msg("%s (%s): %s", text, names[mode], err.message);
    bool is_boolean = strstr(full, "#boolean") != NULL, hit = false;
    for (size_t i = 0; i < n_selected; i++)
      hit = hit || selected[i] == 0;
    if (is_boolean && hit != !strncmp(full, "\"true\"", 6))
      fail_msg("%s (%s): the filter says %d, expected %s", text, names[mode], hit, full);
    if (!strcmp(full, "error") && hit)
      fail_msg("%s (%s): the filter selects an error", text, names[mode]);
    base_buffer_clear(&shown);
    prepared_free(&p);
  }
}

typedef struct example {
  const char *text, *value;
} example;

static inline void
check_examples(world *w, const example *examples, size_t n)
{
  for (size_t i = 0; i < n; i++)
    check_value(w, examples[i].text, examples[i].value);
}
#define CHECK(examples) check_examples(*state, examples, sizeof(examples) / sizeof((examples)[0]))

#endif /* QUOIN_TESTS_SPARQL_EXPR_WORLD_H */
