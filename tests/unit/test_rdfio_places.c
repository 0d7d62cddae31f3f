/* Where the object of a statement stands, told to whoever asks: in lines, and in Turtle and TriG
 * however the text is laid out, wherever pages end. */
#include "unit/test_rdfio_util.h"

enum { MOST = 4096 };

typedef struct place {
  uint64_t line, column;
} place;

typedef struct world {
  test_random random;
  base_buffer text;
  uint64_t line, column; /* of the end of the text */
  place want[MOST], got[MOST];
  size_t n_want, n_got;
} world;

static void
put(world *w, const char *text)
{
  for (; *text; text++) {
    base_buffer_byte(&w->text, *text);
    w->column++;
    if (*text != '\n') continue;
    w->line++;
    w->column = 1;
  }
}

/* By the end of the datatype: its place is asked for, it is refused, it does not matter. */
static quoin_status
ask(void *user, const rdfio_quad *quad, quoin_error *err)
{
  const quoin_span type = quad->term[2].datatype;
  (void)user;
  if (type.ptr[type.len - 1] == 'r') return base_fail(err, QUOIN_ERR_CONSTRAINT, "refused");
  return type.ptr[type.len - 1] == 'a' ? QUOIN_DONE : QUOIN_OK;
}

static void
note(world *w, uint64_t line, uint64_t column)
{
  assert_true(w->n_got < MOST);
  w->got[w->n_got++] = (place){line, column};
}

static quoin_status
take(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  (void)err;
  for (size_t i = 0; i < n; i++)
    if (quads[i].line) note(user, quads[i].line, quads[i].column);
  return QUOIN_OK;
}

static void
take_bad(void *user, const quoin_error *error)
{
  assert_string_equal(error->message, "refused");
  note(user, error->line, error->column);
}

static int
compare_places(const void *a, const void *b)
{
  const place *x = a, *y = b;
  if (x->line != y->line) return x->line < y->line ? -1 : 1;
  return x->column < y->column ? -1 : x->column > y->column;
}

/* Bytes come in pieces of `user->piece`. */
typedef struct pieces {
  quoin_span left;
  size_t piece;
} pieces;

static quoin_status
read_piece(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  pieces *p = user;
  (void)err;
  *got = p->piece < cap ? p->piece : cap;
  if (*got > p->left.len) *got = p->left.len;
  if (*got) memcpy(data, p->left.ptr, *got);
  p->left.ptr += *got;
  p->left.len -= *got;
  return QUOIN_OK;
}

static void
assert_places(world *w, rdfio_format format)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pieces p = {{w->text.data, w->text.len}, 1 + test_below(&w->random, 70000)};
  rdfio_source *source;
  rdfio_read_result result;
  const rdfio_read_options options = {.format = format,
                                      .base = base_span("http://e/"),
                                      .lenient = true,
                                      .bad = take_bad,
                                      .user = w,
                                      .check = ask,
                                      .check_user = w};
  const base_alloc *mem = base_alloc_default();
  assert_false(w->text.failed);
  assert_int_equal(rdfio_source_callback(&source, read_piece, &p, "text", mem, &err), QUOIN_OK);
  const quoin_status st = rdfio_read(&result, source, &options, take, w, mem, &err);
  if (st) fail_msg("line %llu: %s", (unsigned long long)err.line, err.message);
  rdfio_source_close(source);
  assert_int_equal(w->n_got, w->n_want);
  qsort(w->got, w->n_got, sizeof(*w->got), compare_places); /* what is refused is told at once */
  for (size_t i = 0; i < w->n_want; i++)
    if (compare_places(&w->got[i], &w->want[i]))
      fail_msg("place %zu: %llu:%llu, expected %llu:%llu", i, (unsigned long long)w->got[i].line,
               (unsigned long long)w->got[i].column, (unsigned long long)w->want[i].line,
               (unsigned long long)w->want[i].column);
}

static void
begin(world *w)
{
  base_buffer_init(&w->text, base_alloc_default());
  w->line = w->column = 1;
  w->n_want = w->n_got = 0;
}

/* The end of the datatype of the literal that comes. `known`: its column can be told. */
static char
choose(world *w, bool known)
{
  const char kind = "aaaaarxxxx"[test_below(&w->random, 10)];
  assert_true(w->n_want < MOST);
  if (kind != 'x') w->want[w->n_want++] = (place){w->line, known ? w->column : 0};
  return kind;
}

static void
put_type(world *w, const char *before, char kind, const char *after)
{
  const char text[] = {kind, '\0'};
  put(w, before);
  put(w, text);
  put(w, after);
}

/* ---- Turtle ---------------------------------------------------------------------------------- */

static void
put_blanks(world *w)
{
  static const char *const blanks[] = {" ",    "\n", "\t",  " \n  ", " # a \"comment\" '''\n",
                                       "\n\n", "  ", " #\n"};
  size_t n = 1 + (test_below(&w->random, 4) == 0);
  while (n--)
    put(w, blanks[test_below(&w->random, sizeof(blanks) / sizeof(*blanks))]);
}

static void
put_typed(world *w)
{
  static const char *const literals[] = {
      "\"[1,2]\"",          "\"[1,2]\"", "'[1,2]'", "\"\"\"[1,\n2]\"\"\"",    "'''[1,2]'''",
      "\"\\u005B1,2\\t]\"", "\"\"",      "'\\\"'",  "\"\xC3\xA4\\U0001F600\""};
  const char kind = choose(w, true);
  if (kind == 'x') {
    put(w, "\"[3]\"");                          /* not one that looks like what is looked for */
  } else if (test_below(&w->random, 40) == 0) { /* longer than a page */
    put(w, "\"[0");
    for (size_t i = test_below(&w->random, 9000); i; i--)
      put(w, ",0.5");
    put(w, "]\"");
  } else {
    put(w, literals[test_below(&w->random, sizeof(literals) / sizeof(*literals))]);
  }
  if (test_below(&w->random, 9) == 0) put_blanks(w);
  put(w, "^^");
  if (test_below(&w->random, 3))
    put_type(w, "ex:", kind, "");
  else
    put_type(w, "<http://e/", kind, ">");
}

static void put_object(world *w, unsigned depth);

static void
put_properties(world *w, unsigned depth)
{
  for (size_t i = 0, n = 1 + test_below(&w->random, 3); i < n; i++) {
    if (i) put(w, ";");
    put_blanks(w);
    put(w, test_below(&w->random, 2) ? "ex:p" : "a");
    for (size_t k = 0, m = 1 + test_below(&w->random, 3); k < m; k++) {
      if (k) put(w, ",");
      put_blanks(w);
      put_object(w, depth);
    }
    put_blanks(w);
  }
}

static void
put_object(world *w, unsigned depth)
{
  const size_t luck = test_below(&w->random, depth < 3 ? 12 : 9);
  if (luck < 5) {
    put_typed(w);
  } else if (luck < 9) {
    static const char *const others[] = {"ex:o", "\"[1,2]\"", "\"[1,2]\"@en", "_:b", "<o>"};
    put(w, others[test_below(&w->random, 5)]);
  } else if (luck == 9) {
    put(w, "(");
    for (size_t n = test_below(&w->random, 3); n; n--) {
      put_blanks(w);
      put_object(w, depth + 1);
    }
    put(w, " )");
  } else {
    put(w, "[");
    put_properties(w, depth + 1);
    put(w, "]");
  }
}

static void
test_places__of_literals_in_turtle(void **state)
{
  world *w = *state;
  for (int round = 0; round < 60; round++) {
    const bool trig = round % 2;
    begin(w);
    if (round % 5 == 0) base_buffer_add(&w->text, "\xEF\xBB\xBF", 3);
    put(w, "@prefix ex: <http://e/> .\n");
    while (w->text.len < 60000 && w->n_want < MOST / 2) {
      const bool graph = trig && test_below(&w->random, 5) == 0;
      if (graph) put(w, "ex:g {");
      put(w, "<s>");
      put_properties(w, 0);
      put(w, graph ? ". }" : ".");
      put_blanks(w);
    }
    assert_places(w, trig ? RDFIO_TRIG : RDFIO_TURTLE);
    base_buffer_clear(&w->text);
  }
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void
test_places__of_literals_in_lines(void **state)
{
  static const char *const others[] = {"# a comment\n", "\n", "<s:> <p:> \"[1,2]\" .\n",
                                       "<s:> <p:> <o:> <g:> .\n", "  \n"};
  world *w = *state;
  for (int round = 0; round < 30; round++) {
    begin(w);
    while (w->text.len < 12000 && w->n_want < MOST - 1) {
      if (test_below(&w->random, 3) == 0) {
        put(w, others[test_below(&w->random, 5)]);
        continue;
      }
      const bool escaped = test_below(&w->random, 8) == 0;
      put(w, test_below(&w->random, 2) ? "<s:> <p:> " : "  <s:>\t<p:>");
      const char kind = choose(w, !escaped);
      put(w, escaped ? "\"\\u005B1]\"" : "\"[1,2]\"");
      put_type(w, "^^<t:", kind, test_below(&w->random, 2) ? "> .\n" : "> <g:> .\n");
    }
    assert_places(w, RDFIO_NQUADS);
    base_buffer_clear(&w->text);
  }
}

static int
setup(void **state)
{
  world *w = calloc(1, sizeof(*w));
  if (!w) return -1;
  w->random = test_random_new();
  *state = w;
  return 0;
}

static int
teardown(void **state)
{
  free(*state);
  return 0;
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_places__of_literals_in_turtle, setup, teardown),
      cmocka_unit_test_setup_teardown(test_places__of_literals_in_lines, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
