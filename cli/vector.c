/* vector: create, list, drop, search, check. All of it is SPARQL over the public interface; import
 * and embed make quads and load them. */
#include "cli/vector.h"

#include <errno.h>
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
  if (!st && quoin_cursor_notice(cursor))
    fprintf(stderr, "vector: note: %s\n", quoin_cursor_notice(cursor));
  quoin_cursor_close(cursor);
  if (!st) st = cli_output_flush(&out, &err);
  cli_output_close(&out);
  err.line = err.column = 0;
  return st ? cli_report(&err, "vector") : EXIT_DONE;
}

/* What the row of vector_find says. */
static int
read_index(vector_index *out, const cli_args *args, quoin_cursor *cursor)
{
  static const char cosine[] = "<urn:x-quoin:vec#cosineMetric>";
  const cli_value *asked = &args->option[OPT_MODEL];
  const quoin_span metric = quoin_cursor_text(cursor, 1);
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_term model;
  int64_t dimension = 0;

  if (!quoin_cursor_integer(&dimension, cursor, 0)) dimension = 0;
  out->dimension = (uint64_t)dimension;
  out->cosine = !metric.ptr ||
                (metric.len == sizeof(cosine) - 1 && memcmp(metric.ptr, cosine, metric.len) == 0);
  if (!asked->given) return EXIT_DONE;
  if (quoin_cursor_term(&model, cursor, 2, &err)) return cli_report(&err, "vector");
  if (model.value.len == strlen(asked->text) &&
      memcmp(model.value.ptr, asked->text, model.value.len) == 0)
    return EXIT_DONE;
  if (model.kind == QUOIN_TERM_NONE)
    cli_complain("--model: the index over <%s> names no model", out->predicate);
  else
    cli_complain("--model: the index over <%s> is of the model \"%.*s\", not \"%s\"",
                 out->predicate, (int)(model.value.len < 200 ? model.value.len : 200),
                 model.value.ptr, asked->text);
  return EXIT_DATA;
}

int
vector_find(vector_index *out, quoin_store *store, const cli_args *args)
{
  vector_text text = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  int status = EXIT_DONE;

  *out = (vector_index){.predicate = args->option[OPT_ON].text, .cosine = true};
  vector_printf(&text, PREFIX "SELECT ?d ?m ?model { GRAPH " SYSTEM " { VALUES ?i { ");
  if (!vector_put_iri(&text, out->predicate, strlen(out->predicate))) status = EXIT_USAGE;
  vector_printf(&text, " } ?i a vec:Index ; vec:dimension ?d OPTIONAL { ?i vec:metric ?m } "
                       "OPTIONAL { ?i vec:model ?model } } }");
  if (!status && text.failed) status = out_of_memory();
  if (!status) {
    quoin_status st = quoin_query(&cursor, store, (quoin_span){text.data, text.len}, NULL, &err);
    if (!st) st = quoin_cursor_next(cursor, &err);
    if (!st) {
      status = read_index(out, args, cursor);
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

/* The row of `list` for the one that the cursor is on. */
static quoin_status
put_listed(vector_text *to, quoin_store *store, const cli_args *args, quoin_cursor *cursor,
           quoin_error *err)
{
  const quoin_span model = quoin_cursor_text(cursor, 1), recall = quoin_cursor_text(cursor, 2);
  quoin_vectors_stats s = QUOIN_VECTORS_STATS_INIT;
  quoin_vectors *vectors = NULL;
  quoin_term index;

  quoin_status st = quoin_cursor_term(&index, cursor, 0, err);
  if (!st) st = quoin_vectors_open(&vectors, store, index.value, err);
  if (!st) st = quoin_vectors_count(&s, vectors, args->cancel, err);
  if (!st) {
    vector_put(to, "(<", 2);
    vector_put(to, index.value.ptr, index.value.len);
    vector_printf(to, "> %" PRIu32 " vec:%sMetric vec:%sCode %" PRIu32 " %" PRIu32 " ",
                  quoin_vectors_dimension(vectors), s.metric, s.code, s.m, s.ef_construction);
    vector_put(to, model.len ? model.ptr : "UNDEF", model.len ? model.len : 5);
    vector_printf(to, " %" PRIu64 " %" PRIu64 " ", s.vectors, s.linked);
    vector_put(to, recall.len ? recall.ptr : "UNDEF", recall.len ? recall.len : 5);
    vector_put(to, ")\n", 2);
  }
  quoin_vectors_close(vectors);
  return st;
}

/* What counting tells, and declarations leave open, is put into a query, whose rows are then
 * written in any format. */
static int
list(quoin_store *store, const cli_args *args)
{
  static const char query[] =
      PREFIX "SELECT ?index ?model ?recall { GRAPH " SYSTEM " { ?index a vec:Index"
             " OPTIONAL { ?index vec:model ?model } OPTIONAL { ?index vec:recall ?recall } } }"
             " ORDER BY ?index";
  vector_text text = {0};
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;

  options.cancel = args->cancel;
  vector_printf(&text, PREFIX "SELECT * { VALUES (?index ?dimension ?metric ?storage ?m "
                              "?efConstruction ?model ?vectors ?linked ?recall) {\n");
  quoin_status st =
      quoin_query(&cursor, store, (quoin_span){query, sizeof(query) - 1}, &options, &err);
  while (!st && !(st = quoin_cursor_next(cursor, &err)))
    st = put_listed(&text, store, args, cursor, &err);
  quoin_cursor_close(cursor);
  vector_printf(&text, "} } ORDER BY ?index");
  const int status = st < 0 ? cli_report(&err, "vector") : run_query(store, args, &text);
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

static int
put_iri(vector_text *to, const char *name)
{
  vector_text whole = {0};
  const bool good = vector_expand(&whole, name) && !whole.failed
                        ? vector_put_iri(to, whole.data, whole.len)
                        : vector_put_iri(to, name, strlen(name));
  to->failed = to->failed || whole.failed;
  free(whole.data);
  if (!good) cli_complain("a text needs --embed-command COMMAND, which makes a vector of it");
  return good ? EXIT_DONE : EXIT_USAGE;
}

/* What to be near to, as a SPARQL term: an IRI, numbers, or with --embed-command a text. */
static int
put_query(vector_text *to, const vector_index *index, const cli_args *args, const char *query)
{
  const cli_value *command = &args->option[OPT_EMBED_COMMAND];
  const size_t len = strlen(query), n = (size_t)index->dimension;
  float *values = NULL;
  int status = EXIT_DONE;

  const bool numbers = strchr("0123456789-+.[", query[0]) || strncmp(query, "b64:", 4) == 0;
  if (!command->given && !numbers) return put_iri(to, query);
  if (!(values = malloc((n ? n : 1) * sizeof(*values)))) return out_of_memory();
  if (command->given) {
    vector_child child;
    status = vector_child_open(&child, command->text);
    if (!status) {
      child.deadline = vector_deadline(args);
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
  const cli_value *given = args->option, *graph = &given[OPT_GRAPH];
  vector_index index;
  vector_text text = {0};
  int status = vector_find(&index, store, args);

  if (status) return status;
  vector_put(&text, PREFIX, sizeof(PREFIX) - 1);
  vector_printf(&text, "SELECT ?item ?distance { ");
  if (graph->given) {
    vector_printf(&text, "GRAPH ");
    (void)vector_put_iri(&text, graph->text, strlen(graph->text));
  }
  vector_printf(&text, " { (?item ?distance) vec:nearest (");
  (void)vector_put_iri(&text, index.predicate, strlen(index.predicate));
  vector_put(&text, " ", 1);
  status = put_query(&text, &index, args, query);
  vector_printf(&text, " %" PRIu64, given[OPT_K].given ? given[OPT_K].number : 10);
  if (given[OPT_EF].given) vector_printf(&text, " vec:ef %" PRIu64, given[OPT_EF].number);
  if (given[OPT_EXACT].given) vector_printf(&text, " vec:exact true");
  vector_printf(&text, ") } } ORDER BY ?distance ?item");
  if (!status) status = run_query(store, args, &text);
  free(text.data);
  return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

typedef enum vector_verb { CREATE, IMPORT, EMBED, LIST, CHECK, DROP, SEARCH, VERBS } vector_verb;

#define BIT(option) (UINT64_C(1) << (option))
#define LOADING                                                                                    \
  (BIT(OPT_GRAPH) | BIT(OPT_LENIENT) | BIT(OPT_MEMORY) | BIT(OPT_THREADS) | BIT(OPT_UNLINKED))

static const struct {
  const char *name;
  bool writes, on, operand;
  uint64_t options; /* beside --on, where it is needed, and what says which store */
} verbs[VERBS] = {
    [CREATE] = {"create", true, true, false,
                BIT(OPT_DIMENSION) | BIT(OPT_METRIC) | BIT(OPT_CODE) | BIT(OPT_M) |
                    BIT(OPT_EF_CONSTRUCTION) | BIT(OPT_MODEL)},
    [IMPORT] = {"import", true, true, true, BIT(OPT_TERMS) | BIT(OPT_VECTOR_FORMAT) | LOADING},
    [EMBED] = {"embed", true, true, false,
               BIT(OPT_PREDICATE) | BIT(OPT_EMBED_COMMAND) | BIT(OPT_MODEL) | LOADING},
    [LIST] = {"list", false, false, false, BIT(OPT_RESULTS)},
    [CHECK] = {"check", true, true, false, BIT(OPT_SAMPLE) | BIT(OPT_EF) | BIT(OPT_REPAIR)},
    [DROP] = {"drop", true, true, false, 0},
    [SEARCH] = {"search", false, true, true,
                BIT(OPT_K) | BIT(OPT_EF) | BIT(OPT_EXACT) | BIT(OPT_GRAPH) |
                    BIT(OPT_EMBED_COMMAND) | BIT(OPT_MODEL) | BIT(OPT_RESULTS) | BIT(OPT_TIMEOUT)}};

/* A check without --repair is of use, too, where nothing can be written or another process writes.
 */
static int
open_for(vector_verb verb, quoin_store **out, bool *writes, const cli_args *args)
{
  quoin_error err = QUOIN_ERROR_INIT;

  *writes = verbs[verb].writes;
  if (verb != CHECK || args->option[OPT_REPAIR].given)
    return cli_open(out, args, *writes ? QUOIN_READ_WRITE : QUOIN_READ_ONLY);
  const quoin_status st = cli_try_open(out, args, QUOIN_READ_WRITE, &err);
  if (!st) return EXIT_DONE;
  *writes = false;
  const bool barred = st == QUOIN_ERR_BUSY || st == QUOIN_ERR_READ_ONLY || err.os_errno == EACCES ||
                      err.os_errno == EPERM || err.os_errno == EROFS;
  if (!barred) return cli_report(&err, cli_place(args));
  const int status = cli_open(out, args, QUOIN_READ_ONLY);
  if (!status)
    fprintf(stderr, "vector: note: nothing is linked, and the recall is not kept: %s\n",
            err.message);
  return status;
}

static int
run(vector_verb verb, quoin_store *store, bool writes, cli_args *args)
{
  const char *operand = args->n_operands > 1 ? args->operands[1] : NULL;
  int status = vector_names_check(store, args);
  if (status) return status;
  switch (verb) {
  case CREATE:
    return create(store, args);
  case IMPORT:
    return vector_import(store, args, operand);
  case EMBED:
    status = vector_texts_check(store, args);
    return status ? status : vector_embed(store, args);
  case LIST:
    return list(store, args);
  case CHECK:
    return vector_check(store, args, writes);
  case DROP:
    return drop(store, args);
  case SEARCH:
    return search(store, args, operand);
  case VERBS:
    break;
  }
  return EXIT_USAGE;
}

/* Does the verb take what is given? */
static int
check_usage(vector_verb verb, const cli_args *args)
{
  const char *name = verbs[verb].name;
  const uint64_t takes = verbs[verb].options | BIT(OPT_STORE) | BIT(OPT_POOL) | BIT(OPT_NAME) |
                         (verbs[verb].on ? BIT(OPT_ON) : 0);

  for (unsigned i = 0; i < OPT_COUNT; i++) {
    if (!args->option[i].given || takes >> i & 1) continue;
    cli_complain("vector %s has no option --%s", name, cli_option_name((cli_option)i));
    return EXIT_USAGE;
  }
  if (verbs[verb].on && !args->option[OPT_ON].given) {
    cli_complain("vector %s needs --on PREDICATE-IRI", name);
    return EXIT_USAGE;
  }
  if ((args->n_operands == 2) != verbs[verb].operand) {
    cli_complain("vector %s %s", name,
                 args->n_operands > (verbs[verb].operand ? 2 : 1) ? "takes no more arguments"
                 : verb == IMPORT
                     ? "needs a FILE"
                     : "needs what to be near to: an IRI, numbers, or a text for --embed-command");
    return EXIT_USAGE;
  }
  return EXIT_DONE;
}

int
cli_vector(cli_args *args)
{
  size_t verb = 0;
  bool writes = false;
  quoin_store *store = NULL;
  vector_text names[VECTOR_NAMES] = {{0}};

  while (verb < VERBS && strcmp(verbs[verb].name, args->operands[0]) != 0)
    verb++;
  if (verb == VERBS) {
    cli_complain("vector has no \"%s\"; see: quoin help vector", args->operands[0]);
    return EXIT_USAGE;
  }
  int status = check_usage((vector_verb)verb, args);
  if (!status) status = vector_names_take(names, args);
  if (!status) status = open_for((vector_verb)verb, &store, &writes, args);
  if (!status) {
    status = run((vector_verb)verb, store, writes, args);
    /* Of an embed that failed earlier pieces are there. */
    const bool changed = !status || verb == EMBED;
    const int settled = writes && changed ? cli_settle(store, args) : EXIT_DONE;
    status = status ? status : settled;
  }
  quoin_close(store);
  for (size_t i = 0; i < VECTOR_NAMES; i++)
    free(names[i].data);
  return status;
}
