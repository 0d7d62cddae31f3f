/* vector: create, list, drop, search, check. All of it is SPARQL over the public interface; import
 * and embed make quads and load them. */
#include "cli/vector.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM "<urn:x-quoin:system>"
#define PREFIX "PREFIX vec: <urn:x-quoin:vec#> "

/* ---- text ------------------------------------------------------------------------------------ */

void
vector_put(vector_text *to, const void *data, size_t len)
{
  if (to->failed) return;
  if (to->cap - to->len < len + 1) {
    const size_t cap = (to->cap + len + 64) * 2;
    char *grown = realloc(to->data, cap);
    if (!grown) {
      to->failed = true;
      return;
    }
    to->data = grown;
    to->cap = cap;
  }
  if (len) memcpy(to->data + to->len, data, len);
  to->len += len;
  to->data[to->len] = '\0';
}

void
vector_printf(vector_text *to, const char *fmt, ...)
{
  char text[1024];
  va_list list;
  va_start(list, fmt);
  const int n = vsnprintf(text, sizeof(text), fmt, list);
  va_end(list);
  if (n < 0 || (size_t)n >= sizeof(text))
    to->failed = true;
  else
    vector_put(to, text, (size_t)n);
}

void
vector_put_string(vector_text *to, const char *value, size_t len)
{
  vector_put(to, "\"", 1);
  for (size_t i = 0; i < len; i++) {
    const unsigned char c = (unsigned char)value[i];
    if (c == '"' || c == '\\')
      vector_printf(to, "\\%c", c);
    else if (c < 0x20 || c == 0x7F)
      vector_printf(to, "\\u%04X", c);
    else
      vector_put(to, value + i, 1);
  }
  vector_put(to, "\"", 1);
}

/* Bytes of the character of UTF-8 at `at` (RFC 3629); 0: it is none. */
static size_t
utf8_length(const unsigned char *at, size_t len)
{
  const size_t n = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
  if (!n || n > len || at[0] > 0xF4) return 0;
  for (size_t i = 1; i < n; i++)
    if ((at[i] & 0xC0) != 0x80) return 0;
  if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
      (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F))
    return 0;
  return n;
}

bool
vector_append_iri(vector_text *to, const char *iri, size_t len)
{
  if (len >= 2 && iri[0] == '<' && iri[len - 1] == '>') {
    iri++;
    len -= 2;
  }
  const unsigned char *at = (const unsigned char *)iri;
  const char *colon = len ? memchr(iri, ':', len) : NULL;
  if (!colon || colon == iri) return false;
  for (size_t i = 0, n; i < len; i += n)
    if (!(n = utf8_length(at + i, len - i)) || at[i] <= 0x20 || at[i] == 0x7F ||
        strchr("<>\"{}|^`\\", iri[i]))
      return false;
  vector_put(to, "<", 1);
  vector_put(to, iri, len);
  vector_put(to, ">", 1);
  return true;
}

bool
vector_put_iri(vector_text *to, const char *iri, size_t len)
{
  if (vector_append_iri(to, iri, len)) return true;
  cli_complain("\"%.*s\" is not an absolute IRI", (int)(len < 200 ? len : 200), iri);
  return false;
}

bool
vector_is_label(const char *label, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (!((label[i] | 0x20) >= 'a' && (label[i] | 0x20) <= 'z') &&
        !(label[i] >= '0' && label[i] <= '9') && !(i && label[i] && strchr("-_.", label[i])))
      return false;
  return len > 0 && label[len - 1] != '.';
}

void
vector_put_quad(vector_text *to, const char *term, size_t term_len, const char *predicate,
                const char *graph, const float *values, size_t n)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *bytes = (const unsigned char *)(const void *)values;
  const size_t len = n * sizeof(*values);

  vector_put(to, term, term_len);
  vector_put(to, " <", 2);
  vector_put(to, predicate, strlen(predicate));
  vector_put(to, "> \"b64:", 7);
  for (size_t i = 0; i < len; i += 3) {
    const unsigned v = (unsigned)bytes[i] << 16 | (i + 1 < len ? (unsigned)bytes[i + 1] << 8 : 0) |
                       (i + 2 < len ? bytes[i + 2] : 0u);
    const char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                          i + 1 < len ? digits[v >> 6 & 63] : '=',
                          i + 2 < len ? digits[v & 63] : '='};
    vector_put(to, four, 4);
  }
  vector_put(to, "\"^^<urn:x-quoin:vec#f32>", 24);
  if (graph) {
    vector_put(to, " <", 2);
    vector_put(to, graph, strlen(graph));
    vector_put(to, ">", 1);
  }
  vector_put(to, " .\n", 3);
}

/* ---- asking the store ------------------------------------------------------------------------ */

static int
out_of_memory(void)
{
  cli_complain("out of memory");
  return EXIT_LIMIT;
}

int
vector_update(quoin_store *store, const cli_args *args, const vector_text *text)
{
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;

  if (text->failed) return out_of_memory();
  options.cancel = args->cancel;
  if (!quoin_update(NULL, store, (quoin_span){text->data, text->len}, &options, &err))
    return EXIT_DONE;
  /* The text is ours: a position in it helps nobody. */
  err.line = err.column = 0;
  return cli_report(&err, "vector");
}

/* Run a query into standard output. */
static int
run_query(quoin_store *store, const cli_args *args, const vector_text *text)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  const cli_value *format = &args->option[OPT_RESULTS];
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  cli_output out;

  if (text->failed || !cli_output_open(&out)) return out_of_memory();
  options.cancel = args->cancel;
  options.timeout_ms = args->option[OPT_TIMEOUT].number;
  quoin_results kind = isatty(STDOUT_FILENO) ? QUOIN_RESULTS_TABLE : QUOIN_RESULTS_JSON;
  if (format->given) kind = (quoin_results)format->number;
  quoin_status st =
      quoin_query(&cursor, store, (quoin_span){text->data, text->len}, &options, &err);
  if (!st) st = quoin_cursor_write(NULL, cursor, kind, cli_output_write, &out, &err);
  quoin_cursor_close(cursor);
  if (!st) st = cli_output_flush(&out, &err);
  cli_output_close(&out);
  err.line = err.column = 0;
  return st ? cli_report(&err, "vector") : EXIT_DONE;
}

int
vector_find(vector_index *out, quoin_store *store, const cli_args *args)
{
  vector_text text = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  int64_t dimension = 0;
  int status = EXIT_DONE;

  *out = (vector_index){.predicate = args->option[OPT_ON].text, .cosine = true};
  vector_put(&text, PREFIX, sizeof(PREFIX) - 1);
  vector_printf(&text, "SELECT ?d ?m { GRAPH " SYSTEM " { ");
  if (!vector_put_iri(&text, out->predicate, strlen(out->predicate))) status = EXIT_USAGE;
  vector_printf(&text, " a vec:Index ; vec:dimension ?d OPTIONAL { ");
  if (!status) (void)vector_put_iri(&text, out->predicate, strlen(out->predicate));
  vector_printf(&text, " vec:metric ?m } } }");
  if (!status && text.failed) status = out_of_memory();
  if (!status) {
    quoin_status st = quoin_query(&cursor, store, (quoin_span){text.data, text.len}, NULL, &err);
    if (!st) st = quoin_cursor_next(cursor, &err);
    if (!st && quoin_cursor_integer(&dimension, cursor, 0)) {
      const quoin_span metric = quoin_cursor_text(cursor, 1);
      static const char cosine[] = "<urn:x-quoin:vec#cosineMetric>";
      out->dimension = (uint64_t)dimension;
      out->cosine = !metric.ptr || (metric.len == sizeof(cosine) - 1 &&
                                    memcmp(metric.ptr, cosine, metric.len) == 0);
    } else if (st < 0) {
      status = cli_report(&err, "vector");
    } else {
      cli_complain("no vector index is declared over <%s>; quoin vector create declares one",
                   out->predicate);
      status = EXIT_DATA;
    }
  }
  quoin_cursor_close(cursor);
  free(text.data);
  return status;
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static int
create(quoin_store *store, const cli_args *args)
{
  static const struct {
    cli_option option;
    const char *property, *suffix;
  } words[] = {{OPT_METRIC, "vec:metric", "Metric"}, {OPT_CODE, "vec:storage", "Code"}};
  const cli_value *given = args->option;
  vector_text text = {0};

  if (!given[OPT_DIMENSION].given) {
    cli_complain("vector create needs --dimension N");
    return EXIT_USAGE;
  }
  vector_put(&text, PREFIX, sizeof(PREFIX) - 1);
  vector_printf(&text, "INSERT DATA { GRAPH " SYSTEM " { ");
  if (!vector_put_iri(&text, given[OPT_ON].text, strlen(given[OPT_ON].text))) {
    free(text.data);
    return EXIT_USAGE;
  }
  vector_printf(&text, " a vec:Index ; vec:dimension %" PRIu64, given[OPT_DIMENSION].number);
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
    if (given[words[i].option].given)
      vector_printf(&text, " ; %s vec:%.20s%s", words[i].property, given[words[i].option].text,
                    words[i].suffix);
  if (given[OPT_M].given) vector_printf(&text, " ; vec:m %" PRIu64, given[OPT_M].number);
  if (given[OPT_EF_CONSTRUCTION].given)
    vector_printf(&text, " ; vec:efConstruction %" PRIu64, given[OPT_EF_CONSTRUCTION].number);
  if (given[OPT_MODEL].given) {
    vector_printf(&text, " ; vec:model ");
    vector_put_string(&text, given[OPT_MODEL].text, strlen(given[OPT_MODEL].text));
  }
  vector_printf(&text, " } }");
  const int status = vector_update(store, args, &text);
  free(text.data);
  return status;
}

static int
list(quoin_store *store, const cli_args *args)
{
  static const char query[] = PREFIX
      "SELECT ?index ?dimension ?metric ?storage ?model ?vectors ?recall {"
      " GRAPH " SYSTEM " { ?index a vec:Index ; vec:dimension ?dimension"
      "  OPTIONAL { ?index vec:metric ?metric } OPTIONAL { ?index vec:storage ?storage }"
      "  OPTIONAL { ?index vec:model ?model } OPTIONAL { ?index vec:recall ?recall } }"
      " { SELECT ?index (COUNT(?v) AS ?vectors) {"
      "   GRAPH " SYSTEM " { ?index a vec:Index }"
      "   OPTIONAL { { ?s ?index ?v } UNION { GRAPH ?g { ?s ?index ?v } } } } GROUP BY ?index } }"
      " ORDER BY ?index";
  vector_text text = {0};
  vector_put(&text, query, sizeof(query) - 1);
  const int status = run_query(store, args, &text);
  free(text.data);
  return status;
}

static int
drop(quoin_store *store, const cli_args *args)
{
  vector_index index;
  vector_text text = {0};
  int status = vector_find(&index, store, args);
  if (status) return status;
  vector_printf(&text, "DELETE WHERE { GRAPH " SYSTEM " { ");
  (void)vector_put_iri(&text, index.predicate, strlen(index.predicate));
  vector_printf(&text, " ?p ?o } }");
  status = vector_update(store, args, &text);
  free(text.data);
  return status;
}

/* What to be near to, as a SPARQL term: an IRI, numbers, or with --embed-command a text. */
static int
put_query(vector_text *to, const vector_index *index, const cli_args *args, const char *query)
{
  const cli_value *command = &args->option[OPT_EMBED_COMMAND];
  const size_t len = strlen(query), n = (size_t)index->dimension;
  float *values = NULL;
  int status = EXIT_DONE;

  if (!command->given && strchr("0123456789-+.[", query[0]) == NULL)
    return vector_put_iri(to, query, len) ? EXIT_DONE : EXIT_USAGE;
  if (!(values = malloc((n ? n : 1) * sizeof(*values)))) return out_of_memory();
  if (command->given) {
    vector_child child;
    status = vector_child_open(&child, command->text);
    if (!status) {
      status = vector_child_ask(&child, query, len, values, n);
      const int closed = vector_child_close(&child);
      status = status ? status : closed;
    }
  } else if (vector_numbers(values, n, query, len) != n) {
    cli_complain("the query is not a vector of %zu numbers", n);
    status = EXIT_DATA;
  }
  vector_put(to, "\"[", 2);
  for (size_t i = 0; !status && i < n; i++)
    vector_printf(to, "%s%.9g", i ? "," : "", (double)values[i]);
  vector_put(to, "]\"^^vec:f32", 11);
  free(values);
  return status;
}

static int
search(quoin_store *store, const cli_args *args, const char *query)
{
  const cli_value *given = args->option;
  vector_index index;
  vector_text text = {0};
  int status = vector_find(&index, store, args);

  if (status) return status;
  vector_put(&text, PREFIX, sizeof(PREFIX) - 1);
  vector_printf(&text, "SELECT ?item ?distance { (?item ?distance) vec:nearest (");
  (void)vector_put_iri(&text, index.predicate, strlen(index.predicate));
  vector_put(&text, " ", 1);
  status = put_query(&text, &index, args, query);
  vector_printf(&text, " %" PRIu64, given[OPT_K].given ? given[OPT_K].number : 10);
  if (given[OPT_EF].given) vector_printf(&text, " vec:ef %" PRIu64, given[OPT_EF].number);
  if (given[OPT_EXACT].given) vector_printf(&text, " vec:exact true");
  vector_printf(&text, ") } ORDER BY ?distance ?item");
  if (!status) status = run_query(store, args, &text);
  free(text.data);
  return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

typedef enum vector_verb { CREATE, IMPORT, EMBED, LIST, CHECK, DROP, SEARCH, VERBS } vector_verb;

static const struct {
  const char *name;
  bool writes, on, operand;
} verbs[VERBS] = {[CREATE] = {"create", true, true, false}, [IMPORT] = {"import", true, true, true},
                  [EMBED] = {"embed", true, true, false},   [LIST] = {"list", false, false, false},
                  [CHECK] = {"check", true, true, false},   [DROP] = {"drop", true, true, false},
                  [SEARCH] = {"search", false, true, true}};

static int
run(vector_verb verb, quoin_store *store, cli_args *args)
{
  const char *operand = args->n_operands > 1 ? args->operands[1] : NULL;
  switch (verb) {
  case CREATE:
    return create(store, args);
  case IMPORT:
    return vector_import(store, args, operand);
  case EMBED:
    return vector_embed(store, args);
  case LIST:
    return list(store, args);
  case CHECK:
    return vector_check(store, args);
  case DROP:
    return drop(store, args);
  case SEARCH:
    return search(store, args, operand);
  case VERBS:
    break;
  }
  return EXIT_USAGE;
}

int
cli_vector(cli_args *args)
{
  size_t verb = 0;
  quoin_store *store = NULL;

  while (verb < VERBS && strcmp(verbs[verb].name, args->operands[0]) != 0)
    verb++;
  if (verb == VERBS) {
    cli_complain("vector has no \"%s\"; see: quoin help vector", args->operands[0]);
    return EXIT_USAGE;
  }
  if (verbs[verb].on && !args->option[OPT_ON].given) {
    cli_complain("vector %s needs --on PREDICATE-IRI", verbs[verb].name);
    return EXIT_USAGE;
  }
  if ((args->n_operands == 2) != verbs[verb].operand) {
    cli_complain("vector %s %s", verbs[verb].name,
                 verbs[verb].operand ? "needs one more argument" : "takes no more arguments");
    return EXIT_USAGE;
  }
  int status = cli_open(&store, args, verbs[verb].writes ? QUOIN_READ_WRITE : QUOIN_READ_ONLY);
  if (!status) status = run((vector_verb)verb, store, args);
  quoin_close(store);
  return status;
}
