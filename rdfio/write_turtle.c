/* rdfio/write_turtle.c - writes Turtle and TriG: grouped by graph, subject and predicate as the
 * statements come, names where a prefix fits and nothing needs escaping, short literals where the
 * text is exactly what the short form stands for. */
#include "rdfio/writer.h"

#include "rdfio/chars.h"

#include "base/poison.h"

/* ---- prefixes ---------------------------------------------------------------------------------
 */

/* PN_PREFIX, or empty (Turtle 6.5). */
static bool
is_prefix_name(quoin_span name)
{
  size_t at = 0;
  bool dot = false;
  while (at < name.len) {
    uint32_t cp;
    size_t n = base_utf8_decode(&cp, name.ptr + at, name.len - at);
    dot = n && cp == '.';
    if (!n || !(at ? dot || rdfio_is_pn_chars(cp) : rdfio_is_pn_chars_base(cp))) return false;
    at += n;
  }
  return !dot;
}

static bool
keep_length(rdfio_writer *w, size_t length)
{
  size_t at = 0;
  while (at < w->lengths_n && w->lengths[at] > length)
    at++;
  if (at < w->lengths_n && w->lengths[at] == length) return true;
  void *items = w->lengths;
  if (!base_reserve(w->mem, &items, &w->lengths_cap, w->lengths_n + 1, sizeof(*w->lengths)))
    return false;
  w->lengths = items;
  memmove(w->lengths + at + 1, w->lengths + at, (w->lengths_n - at) * sizeof(*w->lengths));
  w->lengths[at] = length;
  w->lengths_n++;
  return true;
}

quoin_status
rdfio_writer_prefix(rdfio_writer *w, quoin_span prefix, quoin_span iri, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (w->format == RDFIO_NTRIPLES || w->format == RDFIO_NQUADS) return QUOIN_OK;
  if (w->started)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "prefixes are declared before the first statement");
  if (!is_prefix_name(prefix) || !rdfio_iri_is_absolute(iri))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "'%.*s:' is no prefix, or its IRI is not absolute",
                     (int)(prefix.len < 60 ? prefix.len : 60), prefix.len ? prefix.ptr : "");
  if ((st = rdfio_prefixes_set(&w->names, prefix, iri, err))) return st;
  if ((st = rdfio_prefixes_set(&w->by_iri, iri, prefix, err))) return st;
  if (!keep_length(w, iri.len)) return base_fail_nomem(err);
  w->err = err;
  rdfio_out_text(w, "@prefix ");
  rdfio_out(w, prefix.ptr, prefix.len);
  rdfio_out_text(w, ": ");
  rdfio_out_iri(w, iri);
  rdfio_out_text(w, " .\n");
  return w->failed;
}

/* Where the longest ending of `iri` begins that is a local name without escapes and dots. */
static size_t
local_name_from(quoin_span iri)
{
  size_t at = iri.len;
  while (at && rdfio_char_is(iri.ptr[at - 1], RDFIO_CHAR_NAME))
    at--;
  return at;
}

/* serd reads an object `true:x` as the boolean (docs/adrs/0005-rdf-parsing.md), and so do the
 * programs that stand on it, if not Quoin: such a prefix is declared but not used. */
static bool
is_boolean_like(quoin_span prefix)
{
  return (prefix.len >= 4 && !memcmp(prefix.ptr, "true", 4)) ||
         (prefix.len >= 5 && !memcmp(prefix.ptr, "false", 5));
}

static bool
out_name(rdfio_writer *w, quoin_span iri)
{
  size_t from = w->lengths_n ? local_name_from(iri) : iri.len + 1;
  for (size_t i = 0; i < w->lengths_n && w->lengths[i] >= from; i++) {
    size_t n = w->lengths[i];
    if (n > iri.len || (n < iri.len && iri.ptr[n] == '-')) continue;
    const rdfio_prefix *p = rdfio_prefixes_find(&w->by_iri, (quoin_span){iri.ptr, n});
    if (!p || is_boolean_like(p->iri)) continue;
    const rdfio_prefix *last = rdfio_prefixes_find(&w->names, p->iri);
    if (!last || !base_span_equal(last->iri, p->name)) continue; /* declared anew since */
    rdfio_out(w, p->iri.ptr, p->iri.len);
    rdfio_out_byte(w, ':');
    rdfio_out(w, iri.ptr + n, iri.len - n);
    return true;
  }
  return false;
}

/* ---- terms ------------------------------------------------------------------------------------
 */

static size_t
digits(quoin_span text, size_t at)
{
  size_t n = at;
  while (n < text.len && rdfio_char_is(text.ptr[n], RDFIO_CHAR_DIGIT))
    n++;
  return n - at;
}

typedef enum number_form { NO_NUMBER, INTEGER_FORM, DECIMAL_FORM, DOUBLE_FORM } number_form;

/* Which of Turtle's INTEGER, DECIMAL, DOUBLE `text` is (6.5 [19] to [21]). */
static number_form
number_form_of(quoin_span text)
{
  size_t at = text.len && (text.ptr[0] == '+' || text.ptr[0] == '-');
  size_t whole = digits(text, at), part = 0;
  bool dot = false;
  at += whole;
  if (at < text.len && text.ptr[at] == '.') {
    dot = true;
    part = digits(text, ++at);
    at += part;
  }
  if (!whole && !part) return NO_NUMBER;
  if (at == text.len) return !dot ? INTEGER_FORM : part ? DECIMAL_FORM : NO_NUMBER;
  if ((text.ptr[at] | 0x20) != 'e') return NO_NUMBER;
  at++;
  if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-')) at++;
  size_t exponent = digits(text, at);
  return exponent && at + exponent == text.len ? DOUBLE_FORM : NO_NUMBER;
}

static bool
is_short_literal(const rdf_term *t)
{
  size_t n = sizeof(RDF_XSD) - 1;
  if (t->datatype.len <= n || memcmp(t->datatype.ptr, RDF_XSD, n) != 0) return false;
  quoin_span type = {t->datatype.ptr + n, t->datatype.len - n};
  if (base_span_is(type, "integer")) return number_form_of(t->value) == INTEGER_FORM;
  if (base_span_is(type, "decimal")) return number_form_of(t->value) == DECIMAL_FORM;
  if (base_span_is(type, "double")) return number_form_of(t->value) == DOUBLE_FORM;
  return base_span_is(type, "boolean") &&
         (base_span_is(t->value, "true") || base_span_is(t->value, "false"));
}

static void
out_iri(rdfio_writer *w, quoin_span iri)
{
  if (!out_name(w, iri)) rdfio_out_iri(w, iri);
}

static void
out_term(rdfio_writer *w, const rdf_term *t)
{
  if (t->kind == RDF_IRI) {
    out_iri(w, t->value);
  } else if (t->kind == RDF_LITERAL && !t->lang.len && t->datatype.len) {
    if (is_short_literal(t)) {
      rdfio_out(w, t->value.ptr, t->value.len);
      return;
    }
    rdfio_out_string(w, t->value);
    rdfio_out(w, "^^", 2);
    out_iri(w, t->datatype);
  } else {
    rdfio_out_term(w, t);
  }
}

/* ---- statements -------------------------------------------------------------------------------
 */

static bool
is_open(const rdfio_open_term *open, const rdf_term *t)
{
  return open->kind == t->kind &&
         base_span_equal((quoin_span){open->text.data, open->text.len}, t->value);
}

static void
set_open(rdfio_writer *w, rdfio_open_term *open, const rdf_term *t)
{
  open->kind = t->kind;
  open->text.len = 0;
  base_buffer_span(&open->text, t->value);
  if (open->text.failed && !w->failed) w->failed = base_fail_nomem(w->err);
}

static void
close_statement(rdfio_writer *w)
{
  if (w->open) rdfio_out_text(w, " .\n");
  w->open = false;
}

static void
close_graph(rdfio_writer *w)
{
  close_statement(w);
  if (w->in_graph) rdfio_out_text(w, "}\n");
  w->in_graph = false;
}

static void
open_graph(rdfio_writer *w, const rdf_term *graph)
{
  close_graph(w);
  set_open(w, &w->at[3], graph);
  if (graph->kind == RDF_NONE) return;
  rdfio_out_byte(w, '\n');
  out_term(w, graph);
  rdfio_out_text(w, " {\n");
  w->in_graph = true;
}

void
rdfio_turtle_add(rdfio_writer *w, const rdfio_quad *quad)
{
  const rdf_term *t = quad->term;
  if (!w->started && w->names.count) rdfio_out_byte(w, '\n');
  w->started = true;
  if (!is_open(&w->at[3], &t[3])) open_graph(w, &t[3]);
  if (w->open && is_open(&w->at[0], &t[0])) {
    if (is_open(&w->at[1], &t[1])) {
      rdfio_out_text(w, " , ");
      out_term(w, &t[2]);
      return;
    }
    rdfio_out_text(w, " ;\n    ");
  } else {
    close_statement(w);
    out_term(w, &t[0]);
    rdfio_out_byte(w, ' ');
    set_open(w, &w->at[0], &t[0]);
    w->open = true;
  }
  set_open(w, &w->at[1], &t[1]);
  if (base_span_is(t[1].value, RDF_NS "type"))
    rdfio_out_byte(w, 'a');
  else
    out_iri(w, t[1].value);
  rdfio_out_byte(w, ' ');
  out_term(w, &t[2]);
}

void
rdfio_turtle_finish(rdfio_writer *w)
{
  close_graph(w);
}
