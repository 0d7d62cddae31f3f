/* rdfio/turtle.c - reads Turtle and TriG through serd: the only file that knows serd.
 *
 * serd gives nodes as they are written: relative IRIs are resolved and prefixed names expanded
 * here. What serd is too lax about is refused by the guard (rdfio/guard.h) before serd sees it.
 * serd takes memory from the C library, a little for its stack; the guard's limit on nesting bounds
 * that. */
#include "rdfio/batch.h"
#include "rdfio/chars.h"
#include "rdfio/guard.h"
#include "rdfio/prefixes.h"

#include <serd/serd.h>

#include <stdio.h>

#include "base/poison.h"

/* Labels of [] and (): "genid" and a number. A label of the file that looks like one gets '_' at
 * its end, so that the two never meet. */
#define GENID "genid"

/* The resource last seen in a position: most statements repeat the subject or the graph. */
typedef struct seen_term {
  quoin_span raw; /* text of the node; NULL: nothing seen in this batch */
  SerdType type;
  rdf_term term;
} seen_term;

typedef struct turtle {
  rdfio_batch *batch;
  rdfio_guard *guard;
  SerdReader *reader;
  unsigned readers; /* started so far: a bad statement costs one */
  rdfio_prefixes prefixes;
  base_arena base_text;
  quoin_span base; /* empty: none */
  seen_term seen[4];
  quoin_status status; /* of the sink or the machine: ends the reading */
  quoin_error *err;
  bool bad;      /* the statement is bad: `error` says why */
  bool term;     /* ... namely a term of it, and `error` has its place */
  bool placed;   /* serd told where it stands */
  size_t bad_at; /* offset in the page */
  quoin_error error;
} turtle;

static bool
is_blank_label(quoin_span label)
{
  return label.len && rdfio_blank_label_length(label.ptr, label.len) == label.len;
}

/* ---- nodes to terms ---------------------------------------------------------------------------
 */

/* A term is bad: `error` says why. */
static SerdStatus
stop_bad(turtle *t, rdfio_token kind, quoin_span text)
{
  t->bad = true;
  t->term = rdfio_guard_find(&t->error.line, &t->error.column, &t->bad_at, t->guard, kind, text);
  base_error_file(&t->error, rdfio_source_name(t->batch->source));
  return SERD_ERR_BAD_SYNTAX;
}

static SerdStatus
stop_failed(turtle *t, quoin_status st)
{
  t->status = st;
  return SERD_ERR_UNKNOWN;
}

static SerdStatus
stop_nomem(turtle *t)
{
  return stop_failed(t, base_fail_nomem(t->err));
}

static quoin_span
node_text(const SerdNode *node)
{
  return (quoin_span){(const char *)node->buf, node->n_bytes};
}

static bool
has_scheme(quoin_span iri)
{
  size_t n = 0;
  if (!iri.len || !rdfio_char_is(iri.ptr[0], RDFIO_CHAR_ALPHA)) return false;
  while (n < iri.len && rdfio_char_is(iri.ptr[n], RDFIO_CHAR_SCHEME))
    n++;
  return n < iri.len && iri.ptr[n] == ':';
}

/* An absolute IRI stays as it is written; a relative one is resolved (Turtle 6.3). */
static SerdStatus
make_iri(quoin_span *out, turtle *t, quoin_span text, base_arena *arena)
{
  if (has_scheme(text)) {
    *out = base_arena_copy(arena, text);
    return out->ptr ? SERD_SUCCESS : stop_nomem(t);
  }
  quoin_status st = rdfio_iri_resolve(out, t->base, text, arena, &t->error);
  if (st == QUOIN_ERR_SYNTAX) return stop_bad(t, RDFIO_TOKEN_IRI, text);
  return st ? stop_nomem(t) : SERD_SUCCESS;
}

static SerdStatus
expand_name(quoin_span *out, turtle *t, quoin_span name)
{
  const char *colon = memchr(name.ptr, ':', name.len);
  if (!colon) {
    (void)!base_fail(&t->error, QUOIN_ERR_SYNTAX,
                     "found '%.*s', expected an IRI, a prefixed name or a blank node",
                     (int)(name.len < 60 ? name.len : 60), name.ptr);
    return stop_bad(t, RDFIO_TOKEN_WORD, name);
  }
  size_t n = (size_t)(colon - name.ptr);
  const rdfio_prefix *prefix = rdfio_prefixes_find(&t->prefixes, (quoin_span){name.ptr, n});
  if (!prefix) {
    quoin_span written = rdfio_guard_prefix((quoin_span){name.ptr, n}, &t->batch->arena);
    if (n && !written.ptr) return stop_nomem(t);
    (void)!base_fail(&t->error, QUOIN_ERR_SYNTAX, "the prefix '%.*s:' is not declared",
                     (int)(written.len < 60 ? written.len : 60), written.ptr);
    return stop_bad(t, RDFIO_TOKEN_PREFIX, written);
  }
  size_t local = name.len - n - 1;
  char *text = base_arena_bytes(&t->batch->arena, prefix->iri.len + local + 1);
  if (!text) return stop_nomem(t);
  memcpy(text, prefix->iri.ptr, prefix->iri.len);
  memcpy(text + prefix->iri.len, colon + 1, local);
  *out = (quoin_span){text, prefix->iri.len + local};
  return SERD_SUCCESS;
}

/* Does a label of the file look like a generated one? */
static bool
looks_generated(quoin_span label)
{
  size_t n = strlen(GENID);
  return label.len > n && !memcmp(label.ptr, GENID, n) &&
         rdfio_char_is(label.ptr[n], RDFIO_CHAR_DIGIT);
}

/* serd gives x... for labels of the file (the guard put the x there) and b1, b2... for others. */
static SerdStatus
make_blank(quoin_span *out, turtle *t, quoin_span text)
{
  base_arena *arena = &t->batch->arena;
  quoin_span label = {text.ptr + 1, text.len ? text.len - 1 : 0};
  if (text.len > 1 && text.ptr[0] == 'b' && rdfio_char_is(text.ptr[1], RDFIO_CHAR_DIGIT)) {
    if (t->readers > 1)
      *out = base_arena_printf(arena, GENID "%.*sr%u", (int)label.len, label.ptr, t->readers);
    else
      *out = base_arena_printf(arena, GENID "%.*s", (int)label.len, label.ptr);
    return out->ptr ? SERD_SUCCESS : stop_nomem(t);
  }
  if (!text.len || text.ptr[0] != 'x' || !is_blank_label(label)) {
    (void)!base_fail(&t->error, QUOIN_ERR_SYNTAX, "found '_:%.*s', expected a blank node label",
                     (int)(label.len < 60 ? label.len : 60), label.len ? label.ptr : "");
    return stop_bad(t, RDFIO_TOKEN_BLANK, text.len && text.ptr[0] == 'x' ? label : text);
  }
  bool mark = looks_generated(label);
  char *copy = base_arena_bytes(arena, label.len + mark);
  if (!copy) return stop_nomem(t);
  memcpy(copy, label.ptr, label.len);
  if (mark) copy[label.len] = '_';
  *out = (quoin_span){copy, label.len + mark};
  return SERD_SUCCESS;
}

/* IRI, prefixed name or blank node at position `at` of the quad. */
static SerdStatus
make_resource(rdf_term *out, turtle *t, unsigned at, const SerdNode *node)
{
  seen_term *seen = &t->seen[at];
  quoin_span text = node_text(node);
  SerdStatus st = SERD_SUCCESS;
  if (seen->raw.ptr && seen->type == node->type && base_span_equal(seen->raw, text)) {
    *out = seen->term;
    return SERD_SUCCESS;
  }
  *out = (rdf_term){.kind = RDF_IRI};
  if (node->type == SERD_URI) {
    st = make_iri(&out->value, t, text, &t->batch->arena);
  } else if (node->type == SERD_CURIE) {
    st = expand_name(&out->value, t, text);
  } else {
    out->kind = RDF_BLANK;
    st = make_blank(&out->value, t, text);
  }
  if (st || at == 2) return st; /* objects seldom repeat */
  seen->type = node->type;
  seen->term = *out;
  seen->raw = base_arena_copy(&t->batch->arena, text);
  return seen->raw.ptr ? SERD_SUCCESS : stop_nomem(t);
}

static SerdStatus
make_literal(rdf_term *out, turtle *t, const SerdNode *node, const SerdNode *datatype,
             const SerdNode *lang)
{
  SerdStatus st = SERD_SUCCESS;
  *out = (rdf_term){.kind = RDF_LITERAL};
  out->value = base_arena_copy(&t->batch->arena, node_text(node));
  if (!out->value.ptr) return stop_nomem(t);
  if (lang && lang->buf) {
    out->lang = base_arena_copy(&t->batch->arena, node_text(lang));
    if (!out->lang.ptr) return stop_nomem(t);
    if (!rdfio_lang_is_valid(out->lang)) {
      (void)!base_fail(&t->error, QUOIN_ERR_SYNTAX, "found '@%.*s', expected a language tag",
                       (int)(out->lang.len < 60 ? out->lang.len : 60), out->lang.ptr);
      return stop_bad(t, RDFIO_TOKEN_LANG, out->lang);
    }
  } else if (datatype && datatype->buf) {
    rdf_term type;
    if ((st = make_resource(&type, t, 2, datatype))) return st;
    if (!base_span_is(type.value, RDF_XSD "string")) out->datatype = type.value;
  }
  return st;
}

/* ---- what serd calls --------------------------------------------------------------------------
 */

static SerdStatus
on_base(void *user, const SerdNode *uri)
{
  turtle *t = user;
  quoin_span base = {0};
  if (t->bad || t->status) return SERD_ERR_UNKNOWN;
  SerdStatus st = make_iri(&base, t, node_text(uri), &t->base_text);
  if (st) return st;
  t->base = base;
  memset(t->seen, 0, sizeof(t->seen));
  return SERD_SUCCESS;
}

static SerdStatus
on_prefix(void *user, const SerdNode *name, const SerdNode *uri)
{
  turtle *t = user;
  quoin_span iri = {0};
  if (t->bad || t->status) return SERD_ERR_UNKNOWN;
  base_arena_mark mark = base_arena_here(&t->base_text);
  SerdStatus st = make_iri(&iri, t, node_text(uri), &t->base_text);
  if (st) return st;
  quoin_status failed = rdfio_prefixes_set(&t->prefixes, node_text(name), iri, t->err);
  base_arena_rewind(&t->base_text, mark);
  memset(t->seen, 0, sizeof(t->seen));
  return failed ? stop_failed(t, failed) : SERD_SUCCESS;
}

/* Ask the check. A refused statement ends the reading or, in lenient mode, is left out: serd goes
 * on. */
static SerdStatus
check_statement(bool *keep, turtle *t, rdfio_quad *quad)
{
  const rdfio_read_options *options = t->batch->options;
  const rdf_term *object = &quad->term[2];
  quoin_error refused = QUOIN_ERROR_INIT;
  *keep = true;
  quad->line = 0;
  if (!options->check || object->kind != RDF_LITERAL || !object->datatype.len) return SERD_SUCCESS;
  quoin_status st = options->check(options->check_user, quad, &refused);
  if (st == QUOIN_DONE)
    rdfio_guard_follow(&quad->line, &quad->column, t->guard, quad->term[1].value, object->value);
  if (!st || st == QUOIN_DONE) return SERD_SUCCESS;
  *keep = false;
  if (st == QUOIN_ERR_CONSTRAINT) {
    rdfio_guard_follow(&refused.line, &refused.column, t->guard, quad->term[1].value,
                       object->value);
    base_error_file(&refused, rdfio_source_name(t->batch->source));
  }
  st = rdfio_batch_bad(t->batch, &refused, t->err);
  return st ? stop_failed(t, st) : SERD_SUCCESS;
}

static SerdStatus
on_statement(void *user, SerdStatementFlags flags, const SerdNode *graph, const SerdNode *subject,
             const SerdNode *predicate, const SerdNode *object, const SerdNode *datatype,
             const SerdNode *lang)
{
  turtle *t = user;
  rdfio_batch *batch = t->batch;
  SerdStatus st = SERD_SUCCESS;
  quoin_status failed = QUOIN_OK;
  (void)flags;
  if (t->bad || t->status) return SERD_ERR_UNKNOWN;
  rdfio_quad *quad = &batch->quads[batch->n];
  if ((st = make_resource(&quad->term[0], t, 0, subject))) return st;
  if ((st = make_resource(&quad->term[1], t, 1, predicate))) return st;
  if (object->type == SERD_LITERAL)
    st = make_literal(&quad->term[2], t, object, datatype, lang);
  else
    st = make_resource(&quad->term[2], t, 2, object);
  if (st) return st;
  quad->term[3] = (rdf_term){.kind = RDF_NONE};
  if (graph && graph->buf && (st = make_resource(&quad->term[3], t, 3, graph))) return st;
  bool keep;
  if ((st = check_statement(&keep, t, quad)) || !keep) return st;
  if (++batch->n < RDFIO_BATCH) return SERD_SUCCESS;
  memset(t->seen, 0, sizeof(t->seen));
  failed = rdfio_batch_flush(batch, t->err);
  return failed ? stop_failed(t, failed) : SERD_SUCCESS;
}

/* serd's report in t->error. Where the input is over, serd seldom says what is missing. */
static void
take_message(turtle *t, const SerdError *error)
{
  const rdfio_guard *g = t->guard;
  char message[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* serd's own formats */
  int n = vsnprintf(message, sizeof(message), error->fmt, *error->args);
#pragma GCC diagnostic pop
  while (n > 0 && n < (int)sizeof(message) && message[n - 1] == '\n')
    message[--n] = '\0';
  if (g->final && !g->failed && t->bad_at >= g->filled_from)
    (void)!base_fail(&t->error, QUOIN_ERR_SYNTAX, "found the end of the file, expected %s",
                     rdfio_guard_expected(g, message));
  else
    (void)!base_fail(&t->error, QUOIN_ERR_SYNTAX, "%s", message);
}

/* serd reports the deepest cause first; what follows is its consequence. After a bad term found
 * above, the next report tells how far serd has come. */
static SerdStatus
on_error(void *user, const SerdError *error)
{
  turtle *t = user;
  if (t->placed || t->status) return SERD_SUCCESS;
  uint64_t line, column, serd_column = error->col;
  rdfio_guard_locate(&line, &column, &t->bad_at, t->guard, error->line, serd_column);
  if (!t->bad) {
    take_message(t, error);
    t->error.line = line;
    t->error.column = column;
    base_error_file(&t->error, rdfio_source_name(t->batch->source));
  }
  t->bad = t->placed = true;
  return SERD_SUCCESS;
}

static int
no_stream_error(void *stream)
{
  (void)stream;
  return 0;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static void
end_reader(turtle *t)
{
  if (!t->reader) return;
  (void)serd_reader_end_stream(t->reader);
  serd_reader_free(t->reader);
  t->reader = NULL;
}

static quoin_status
start_reader(turtle *t, bool trig)
{
  end_reader(t);
  t->reader = serd_reader_new(trig ? SERD_TRIG : SERD_TURTLE, t, NULL, on_base, on_prefix,
                              on_statement, NULL);
  if (!t->reader) return base_fail_nomem(t->err);
  t->readers++;
  serd_reader_set_strict(t->reader, true);
  serd_reader_set_error_sink(t->reader, on_error, t);
  if (serd_reader_start_source_stream(t->reader, rdfio_guard_read, no_stream_error, t->guard, NULL,
                                      RDFIO_GUARD_PAGE))
    return base_fail_nomem(t->err);
  return QUOIN_OK;
}

/* After a bad term serd is somewhere inside its statement, and tells no position but with an error
 * of its own: reading on from there soon gives one, from where to go on in lenient mode. */
static void
read_past_term(turtle *t)
{
  for (int tries = 0; tries < 4 && !t->placed && !t->guard->ended; tries++)
    if (serd_reader_read_chunk(t->reader) == SERD_SUCCESS) break;
}

/* Read until the end (QUOIN_DONE) or a bad statement (QUOIN_OK, t->error). */
static quoin_status
read_statements(turtle *t)
{
  rdfio_guard *g = t->guard;
  SerdStatus st = SERD_SUCCESS;
  while (!st && !g->ended && !t->bad && !t->status)
    st = serd_reader_read_chunk(t->reader);
  if (t->status) return t->status;
  if (t->bad && !t->placed && t->batch->options->lenient) read_past_term(t);
  if (g->failed && !t->term && (!t->bad || g->ended || t->bad_at >= g->fault_at)) {
    t->bad = true;
    t->error = g->error;
    t->bad_at = g->fault_at;
  }
  if (!t->bad && st > SERD_FAILURE) { /* refused without a word */
    (void)!base_fail(&t->error, QUOIN_ERR_SYNTAX, "the statement is not well formed");
    rdfio_guard_locate(&t->error.line, &t->error.column, &t->bad_at, g, UINT64_MAX / 2, 0);
    base_error_file(&t->error, rdfio_source_name(t->batch->source));
    t->bad = true;
  }
  return t->bad ? QUOIN_OK : QUOIN_DONE;
}

static quoin_status
read_document(turtle *t, bool trig)
{
  quoin_status st = QUOIN_OK;
  while (!(st = start_reader(t, trig)) && !(st = read_statements(t))) {
    quoin_error bad = t->error;
    memset(t->seen, 0, sizeof(t->seen));
    if ((st = rdfio_batch_flush(t->batch, t->err))) return st;
    if ((st = rdfio_batch_bad(t->batch, &bad, t->err))) return st;
    if ((st = rdfio_guard_resync(t->guard, t->bad_at, t->err))) return st;
    t->bad = t->term = t->placed = false;
    t->error = (quoin_error)QUOIN_ERROR_INIT;
  }
  return st == QUOIN_DONE ? rdfio_batch_flush(t->batch, t->err) : st;
}

static quoin_status
choose_base(turtle *t)
{
  const char *path = rdfio_source_path(t->batch->source);
  quoin_span given = t->batch->options->base;
  if (given.len) {
    if (!rdfio_iri_is_absolute(given))
      return base_fail(t->err, QUOIN_ERR_ARGUMENT, "the base IRI '%.*s' is not an absolute IRI",
                       (int)(given.len < 100 ? given.len : 100), given.ptr);
    t->base = given;
    return QUOIN_OK;
  }
  return path ? rdfio_iri_of_path(&t->base, path, &t->base_text, t->err) : QUOIN_OK;
}

quoin_status
rdfio_read_turtle(rdfio_batch *batch, bool trig, const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  quoin_error own = QUOIN_ERROR_INIT;
  turtle t = {.batch = batch, .err = err ? err : &own, .error = QUOIN_ERROR_INIT};
  rdfio_guard *guard = base_new(mem, 1, sizeof(*guard));

  if (!guard) return base_fail_nomem(err);
  base_arena_init(&t.base_text, mem);
  rdfio_prefixes_init(&t.prefixes, mem);
  t.guard = guard;
  if ((st = rdfio_guard_init(guard, batch->source, trig, &batch->result->bytes, mem, err)))
    goto done;
  if ((st = choose_base(&t))) goto done;
  st = read_document(&t, trig);

done:
  end_reader(&t);
  rdfio_prefixes_clear(&t.prefixes);
  base_arena_clear(&t.base_text);
  rdfio_guard_clear(guard);
  base_release(mem, guard, 1, sizeof(*guard));
  return st;
}
