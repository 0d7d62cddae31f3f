/* sparql/results/results_read_json.c - SPARQL 1.1 Query Results JSON Format, section 3.
 *
 * jansson reads whole documents only. So a scanner that knows strings and brackets walks the outer
 * object, { "head": ..., "results": { "bindings": [ ROW, ... ] } } with its members in any order,
 * and hands jansson one ROW at a time. Values that nobody asks for are walked over and not kept. */
#include "sparql/results/results_read.h"

#include <jansson.h>

#include "base/poison.h"

typedef enum json_level {
  LEVEL_TOP,     /* members of the document */
  LEVEL_RESULTS, /* members of "results" */
  LEVEL_ROWS     /* elements of "bindings" */
} json_level;

typedef enum json_state {
  STATE_BEGIN,     /* '{' of the document */
  STATE_FIRST_KEY, /* '"' or '}' */
  STATE_KEY,       /* '"' */
  STATE_IN_KEY,
  STATE_COLON,
  STATE_VALUE,
  STATE_FIRST_ROW, /* a value or ']' */
  STATE_IN_VALUE,
  STATE_AFTER, /* ',' or the end of what it is in */
  STATE_END
} json_state;

struct results_json {
  const base_alloc *mem;
  results_sink sink;
  json_level level;
  json_state state;
  base_buffer text; /* the key or the value at hand */
  bool keep;        /* this value is wanted */
  bool in_string, escaped, scalar;
  uint32_t depth; /* of brackets within the value */
  bool has_results, has_rows, has_boolean;
  uint64_t offset; /* of the byte at hand */
  unsigned mark;   /* bytes of a byte order mark so far */
  sparql_binding *bindings;
  size_t bindings_cap;
};

static quoin_status
unexpected(const results_json *r, const char *expected, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_SYNTAX, NULL, r->offset,
                      "results in JSON, byte %llu: expected %s", (unsigned long long)r->offset,
                      expected);
}

quoin_status
results_json_new(results_json **out, const results_sink *sink, const base_alloc *mem,
                 quoin_error *err)
{
  results_json *r = base_new_zero(mem, 1, sizeof(*r));
  if (!r) return base_fail_nomem(err);
  r->mem = mem;
  r->sink = *sink;
  base_buffer_init(&r->text, mem);
  *out = r;
  return QUOIN_OK;
}

void
results_json_free(results_json *r)
{
  if (!r) return;
  base_buffer_clear(&r->text);
  base_release(r->mem, r->bindings, r->bindings_cap, sizeof(*r->bindings));
  base_release(r->mem, r, 1, sizeof(*r));
}

/* ---- a row ------------------------------------------------------------------------------------
 */

static quoin_span
text_of(const json_t *value)
{
  if (!json_is_string(value)) return (quoin_span){NULL, 0};
  return (quoin_span){json_string_value(value), json_string_length(value)};
}

static quoin_status
read_term(rdf_term *out, const results_json *r, const json_t *object, quoin_error *err)
{
  const json_t *value = json_object_get(object, "value");
  quoin_span type = text_of(json_object_get(object, "type"));
  if (base_span_is(type, "triple"))
    return base_fail_at(err, QUOIN_ERR_UNSUPPORTED, NULL, r->offset,
                        "results in JSON, byte %llu: a triple term", (unsigned long long)r->offset);
  if (!json_is_string(value)) return unexpected(r, "a term with a \"value\" before here", err);
  if (base_span_is(type, "uri")) {
    *out = (rdf_term){.kind = RDF_IRI, .value = text_of(value)};
  } else if (base_span_is(type, "bnode")) {
    *out = (rdf_term){.kind = RDF_BLANK, .value = text_of(value)};
  } else if (base_span_is(type, "literal") || base_span_is(type, "typed-literal")) {
    if (!results_literal(out, text_of(value), text_of(json_object_get(object, "datatype")),
                         text_of(json_object_get(object, "xml:lang"))))
      return unexpected(r, "a language tag before here", err);
  } else {
    return unexpected(r, "a term of type uri, literal or bnode before here", err);
  }
  return QUOIN_OK;
}

static quoin_status
read_row(results_json *r, json_t *row, quoin_error *err)
{
  const char *name;
  json_t *term;
  size_t n = 0;
  if (!json_is_object(row)) return unexpected(r, "an object for each solution", err);
  void *items = r->bindings;
  if (!base_reserve(r->mem, &items, &r->bindings_cap, json_object_size(row) + 1,
                    sizeof(*r->bindings)))
    return base_fail_nomem(err);
  r->bindings = items;
  json_object_foreach(row, name, term)
  {
    quoin_status st = read_term(&r->bindings[n].term, r, term, err);
    if (st) return st;
    r->bindings[n++].name = base_span(name);
  }
  return r->sink.row(r->sink.user, r->bindings, n, err);
}

/* A value that was kept is whole. */
static quoin_status
end_value(results_json *r, quoin_error *err)
{
  json_error_t why;
  quoin_status st;
  r->state = STATE_AFTER;
  if (!r->keep) return QUOIN_OK;
  r->keep = false;
  json_t *value = json_loadb(r->text.data, r->text.len,
                             JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
  if (!value && json_error_code(&why) == json_error_out_of_memory) return base_fail_nomem(err);
  if (!value)
    return base_fail_at(err, QUOIN_ERR_SYNTAX, NULL, r->offset,
                        "results in JSON, before byte %llu: %s", (unsigned long long)r->offset,
                        why.text);
  if (r->level == LEVEL_ROWS) {
    st = read_row(r, value, err);
  } else if (!json_is_boolean(value) || r->has_boolean || r->has_results) {
    st = unexpected(r, "one boolean or one list of results", err);
  } else {
    r->has_boolean = true;
    st = r->sink.boolean ? r->sink.boolean(r->sink.user, json_is_true(value), err)
                         : unexpected(r, "results, but this is the answer of an ASK", err);
  }
  json_decref(value);
  return st;
}

/* ---- the outer object -------------------------------------------------------------------------
 */

static quoin_status
begin_value(results_json *r, char c, quoin_error *err)
{
  quoin_span key = {r->text.data, r->text.len};
  bool top = r->level == LEVEL_TOP;
  if (top && base_span_is(key, "results")) {
    if (c != '{' || r->has_results || r->has_boolean)
      return unexpected(r, "one object \"results\"", err);
    r->has_results = true;
    r->level = LEVEL_RESULTS;
    r->state = STATE_FIRST_KEY;
    return QUOIN_OK;
  }
  if (r->level == LEVEL_RESULTS && base_span_is(key, "bindings")) {
    if (c != '[' || r->has_rows) return unexpected(r, "one array \"bindings\"", err);
    r->has_rows = true;
    r->level = LEVEL_ROWS;
    r->state = STATE_FIRST_ROW;
    return QUOIN_OK;
  }
  r->keep = r->level == LEVEL_ROWS || (top && base_span_is(key, "boolean"));
  r->in_string = r->escaped = false;
  r->scalar = c != '{' && c != '[' && c != '"';
  r->depth = 0;
  r->text.len = 0;
  if (strchr(",:]}", c)) return unexpected(r, "a value", err);
  r->state = STATE_IN_VALUE;
  return QUOIN_OK;
}

static quoin_status
after_value(results_json *r, char c, quoin_error *err)
{
  bool rows = r->level == LEVEL_ROWS;
  if (c == ',') {
    r->state = rows ? STATE_VALUE : STATE_KEY;
    return QUOIN_OK;
  }
  if (c != (rows ? ']' : '}')) return unexpected(r, rows ? "',' or ']'" : "',' or '}'", err);
  r->text.len = 0;
  switch (r->level) {
  case LEVEL_ROWS:
    r->level = LEVEL_RESULTS;
    break;
  case LEVEL_RESULTS:
    r->level = LEVEL_TOP;
    break;
  case LEVEL_TOP:
    r->state = STATE_END;
    return QUOIN_OK;
  }
  r->state = STATE_AFTER;
  return QUOIN_OK;
}

static quoin_status
keep_text(results_json *r, const char *text, size_t n, quoin_error *err)
{
  if (n > r->sink.max_row || r->text.len > r->sink.max_row - n)
    return base_fail_at(err, QUOIN_ERR_LIMIT, NULL, r->offset,
                        "results in JSON, byte %llu: one row has more than %zu bytes",
                        (unsigned long long)r->offset, r->sink.max_row);
  base_buffer_add(&r->text, text, n);
  return r->text.failed ? base_fail_nomem(err) : QUOIN_OK;
}

/* Bytes of a value from text[0] on. *used: how many belong to it. */
static quoin_status
scan_value(size_t *used, results_json *r, const char *text, size_t n, quoin_error *err)
{
  size_t i = 0;
  bool whole = false;
  for (; i < n && !whole; i++) {
    char c = text[i];
    if (r->in_string) {
      if (r->escaped) {
        r->escaped = false;
      } else if (c == '\\') {
        r->escaped = true;
      } else if (c == '"') {
        r->in_string = false;
        whole = r->depth == 0;
      }
    } else if (r->scalar) {
      if (strchr(",]} \t\r\n", c)) { /* not part of it (nor is U+0000, which jansson refuses) */
        whole = true;
        break;
      }
    } else if (c == '"') {
      r->in_string = true;
    } else if (c == '{' || c == '[') {
      r->depth++;
    } else if (c == '}' || c == ']') {
      whole = --r->depth == 0;
    }
  }
  *used = i;
  r->offset += i;
  quoin_status st = r->keep ? keep_text(r, text, i, err) : QUOIN_OK;
  return !st && whole ? end_value(r, err) : st;
}

static quoin_status
scan_key(size_t *used, results_json *r, const char *text, size_t n, quoin_error *err)
{
  size_t i = 0;
  bool whole = false;
  while (i < n && !whole) {
    char c = text[i++];
    if (r->escaped)
      r->escaped = false;
    else if (c == '\\')
      r->escaped = true;
    else
      whole = c == '"';
  }
  *used = i;
  r->offset += i;
  if (whole) r->state = STATE_COLON;
  return keep_text(r, text, whole ? i - 1 : i, err);
}

/* One byte between keys and values. */
static quoin_status
step(bool *used, results_json *r, char c, quoin_error *err)
{
  *used = true;
  switch (r->state) {
  case STATE_BEGIN:
    if (c != '{') return unexpected(r, "'{'", err);
    r->state = STATE_FIRST_KEY;
    return QUOIN_OK;
  case STATE_FIRST_KEY:
  case STATE_KEY:
    if (c == '}' && r->state == STATE_FIRST_KEY) return after_value(r, c, err);
    if (c != '"') return unexpected(r, "a name in quotes", err);
    r->state = STATE_IN_KEY;
    r->escaped = false;
    r->text.len = 0;
    return QUOIN_OK;
  case STATE_COLON:
    if (c != ':') return unexpected(r, "':'", err);
    r->state = STATE_VALUE;
    return QUOIN_OK;
  case STATE_FIRST_ROW:
  case STATE_VALUE: {
    if (c == ']' && r->state == STATE_FIRST_ROW) return after_value(r, c, err);
    quoin_status st = begin_value(r, c, err);
    *used = r->state != STATE_IN_VALUE; /* the value's own first byte is scanned with it */
    return st;
  }
  case STATE_AFTER:
    return after_value(r, c, err);
  case STATE_END:
    return unexpected(r, "nothing more", err);
  case STATE_IN_KEY:
  case STATE_IN_VALUE:
    break;
  }
  return QUOIN_OK;
}

/* A byte order mark is no JSON, but there are servers that write one. */
static bool
is_mark(const results_json *r, char c)
{
  return r->offset == r->mark && r->mark < 3 && c == "\xEF\xBB\xBF"[r->mark];
}

quoin_status
results_json_feed(results_json *r, quoin_span text, quoin_error *err)
{
  size_t i = 0;
  quoin_status st = QUOIN_OK;
  while (i < text.len && !st) {
    size_t used = 0;
    if (r->state == STATE_IN_VALUE) {
      st = scan_value(&used, r, text.ptr + i, text.len - i, err);
    } else if (r->state == STATE_IN_KEY) {
      st = scan_key(&used, r, text.ptr + i, text.len - i, err);
    } else {
      char c = text.ptr[i];
      bool taken = true;
      if (is_mark(r, c))
        r->mark++;
      else if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
        st = step(&taken, r, c, err);
      used = taken;
      r->offset += used;
    }
    i += used;
  }
  return st;
}

quoin_status
results_json_finish(results_json *r, quoin_error *err)
{
  if (r->state != STATE_END) return unexpected(r, "more: the text ends here", err);
  if (!r->has_rows && !r->has_boolean)
    return unexpected(r, "\"results\" with \"bindings\" before here", err);
  return QUOIN_OK;
}
