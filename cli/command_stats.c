/* stats: what a store holds and the bytes it takes, for people or as JSON. */
#include "cli/vector.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is printed: lines "label  value", or members of objects of JSON. */
typedef struct report {
  bool json, first;
  uint64_t quads; /* to divide bytes by; 0: do not */
} report;

/* ---- one value ------------------------------------------------------------------------------- */

static void
put_json_string(const char *text, size_t len)
{
  putchar('"');
  for (size_t i = 0; i < len; i++) {
    const unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20)
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

static void
put_key(report *r, const char *key)
{
  printf(r->first ? "" : ",");
  r->first = false;
  put_json_string(key, strlen(key));
  putchar(':');
}

static void
put_number(report *r, const char *key, const char *label, uint64_t n)
{
  if (!r->json) {
    printf("%-22s %15" PRIu64 "\n", label, n);
    return;
  }
  put_key(r, key);
  printf("%" PRIu64, n);
}

static void
put_text(report *r, const char *key, const char *label, const char *text)
{
  if (!r->json) {
    printf("%-22s %15s\n", label, text);
    return;
  }
  put_key(r, key);
  put_json_string(text, strlen(text));
}

static void
put_bytes(report *r, const char *key, const char *label, uint64_t bytes)
{
  if (r->json) {
    put_number(r, key, label, bytes);
    return;
  }
  printf("%-22s %15" PRIu64, label, bytes);
  if (r->quads) printf("  %8.1f a quad", (double)bytes / (double)r->quads);
  printf("\n");
}

static void
begin(report *r, const char *key, const char *title)
{
  if (!r->json) {
    if (title) printf("\n%s\n", title);
    return;
  }
  if (key) put_key(r, key);
  printf("{");
  r->first = true;
}

static void
end(report *r)
{
  if (r->json) printf("}");
  r->first = false;
}

/* ---- the store ------------------------------------------------------------------------------- */

static void
put_store(report *r, const quoin_stats *s, uint64_t dead)
{
  put_number(r, "quads", "quads", s->quads);
  put_number(r, "defaultQuads", "  in default graph", s->default_quads);
  put_number(r, "namedQuads", "  in named graphs", s->named_quads);
  if (s->graphs != UINT64_MAX) put_number(r, "graphs", "named graphs", s->graphs);
  put_number(r, "predicates", "predicates", s->predicates);
  put_number(r, "terms", "terms", s->terms);
  put_number(r, "deadTerms", "  that nothing uses", dead);
  put_number(r, "blankNodes", "blank nodes", s->blank_nodes);
  put_number(r, "diskRuns", "runs on disk", s->disk_runs);
  put_number(r, "memoryRuns", "runs in memory", s->memory_runs);
  put_number(r, "tombstones", "tombstones", s->tombstones);
  put_number(r, "unsaved", "unsaved changes", s->modification - s->saved);
  begin(r, "bytes", "bytes in use");
  put_bytes(r, "runs", "runs", s->run_bytes);
  put_bytes(r, "termText", "term text", s->term_bytes);
  put_bytes(r, "termPlaces", "term places", s->offset_bytes);
  put_bytes(r, "termTable", "term table", s->table_bytes);
  if (s->filter_bytes) put_bytes(r, "filters", "filters (in memory)", s->filter_bytes);
  if (s->vector_bytes || r->json) put_bytes(r, "vectors", "vectors", s->vector_bytes);
  if (s->vector_place_bytes)
    put_bytes(r, "vectorPlaces", "vector places (memory)", s->vector_place_bytes);
  put_bytes(r, "log", "log", s->log_bytes);
  end(r);
}

static int
compare_names(const struct dirent **a, const struct dirent **b)
{
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every file of the directory, as the disk has it. */
static void
put_files(report *r, const char *path)
{
  struct dirent **entries = NULL;
  const int n = scandir(path, &entries, NULL, compare_names);
  const int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  uint64_t total = 0;

  begin(r, "files", "files (bytes on disk)");
  for (int i = 0; i < n; i++) {
    struct stat st;
    if (dir >= 0 && fstatat(dir, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode)) {
      const uint64_t bytes = (uint64_t)st.st_blocks * 512;
      put_bytes(r, entries[i]->d_name, entries[i]->d_name, bytes);
      total += bytes;
    }
    free(entries[i]);
  }
  free(entries);
  if (dir >= 0) close(dir);
  end(r);
  put_bytes(r, "fileBytes", "all", total);
}

/* What was done through this handle: nothing yet, where a command opened it to ask. */
static void
put_counters(report *r, const quoin_stats *s)
{
  const struct {
    const char *name;
    uint64_t n;
  } counters[] = {{"queries", s->queries},
                  {"matches", s->matches},
                  {"counts", s->counts},
                  {"dumps", s->dumps},
                  {"loads", s->loads},
                  {"updates", s->updates},
                  {"commits", s->commits},
                  {"conflicts", s->conflicts},
                  {"checkpoints", s->checkpoints},
                  {"clears", s->clears},
                  {"compactions", s->compactions},
                  {"refreshes", s->refreshes},
                  {"changes", s->changes},
                  {"syncs of the log", s->log_syncs},
                  {"flushes", s->flushes},
                  {"merges", s->merges},
                  {"delayed commits", s->delayed}};
  bool any = false;

  for (size_t i = 0; !r->json && i < sizeof counters / sizeof *counters; i++) {
    if (!counters[i].n) continue;
    if (!any) printf("\nsince the store was opened\n");
    any = true;
    put_number(r, counters[i].name, counters[i].name, counters[i].n);
  }
}

/* ---- vector indexes -------------------------------------------------------------------------- */

/* `recall`: as the last check measured it; text of a number, or empty. */
static quoin_status
put_index(report *r, quoin_store *store, const cli_args *args, quoin_span name, quoin_span recall,
          quoin_error *err)
{
  quoin_vectors *vectors = NULL;
  quoin_vectors_stats s = QUOIN_VECTORS_STATS_INIT;

  quoin_status st = quoin_vectors_open(&vectors, store, name, err);
  if (!st) st = quoin_vectors_count(&s, vectors, args->cancel, err);
  if (!st) {
    report each = {.json = r->json, .first = true};
    if (r->json) {
      printf(r->first ? "\n{\"index\":" : ",\n{\"index\":");
      put_json_string(name.ptr, name.len);
      each.first = false;
    } else {
      printf("\nvector index <%.*s>\n", (int)name.len, name.ptr);
    }
    r->first = false;
    put_number(&each, "dimension", "dimension", quoin_vectors_dimension(vectors));
    put_text(&each, "metric", "metric", s.metric);
    put_text(&each, "storage", "storage", s.code);
    put_number(&each, "m", "m", s.m);
    put_number(&each, "efConstruction", "efConstruction", s.ef_construction);
    put_number(&each, "statements", "statements", s.statements);
    put_number(&each, "notIndexed", "  not indexed", s.others);
    put_number(&each, "vectors", "vectors", s.vectors);
    put_number(&each, "linked", "  linked", s.linked);
    put_number(&each, "unlinked", "  unlinked", s.unlinked);
    put_number(&each, "removed", "removed nodes", s.removed);
    put_bytes(&each, "graphBytes", "graph bytes", s.bytes);
    put_bytes(&each, "graphFileBytes", "graph file bytes", s.file_bytes);
    if (s.damaged || each.json) put_number(&each, "graphDamaged", "graph file damaged", s.damaged);
    if (s.missing || each.json) put_number(&each, "graphMissing", "without a graph", s.missing);
    if (recall.len && r->json)
      printf(",\"recall\":%.*s", (int)recall.len, recall.ptr);
    else if (recall.len)
      printf("%-22s %15.*s\n", "recall, last check", (int)recall.len, recall.ptr);
    if (r->json) printf("}");
  }
  quoin_vectors_close(vectors);
  return st;
}

static quoin_status
put_indexes(report *r, quoin_store *store, const cli_args *args, quoin_error *err)
{
  static const char query[] =
      "PREFIX vec: <urn:x-quoin:vec#> SELECT ?index (STR(?r) AS ?recall) {"
      " GRAPH <urn:x-quoin:system> { ?index a vec:Index OPTIONAL { ?index vec:recall ?r"
      " FILTER(DATATYPE(?r) = <http://www.w3.org/2001/XMLSchema#decimal>) } } } ORDER BY ?index";
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_cursor *cursor = NULL;
  report list = {.json = r->json, .first = true};

  options.cancel = args->cancel;
  if (r->json) {
    put_key(r, "vectorIndexes");
    printf("[");
  }
  quoin_status st =
      quoin_query(&cursor, store, (quoin_span){query, sizeof(query) - 1}, &options, err);
  while (!st && !(st = quoin_cursor_next(cursor, err))) {
    quoin_term index, recall;
    if ((st = quoin_cursor_term(&index, cursor, 0, err)) ||
        (st = quoin_cursor_term(&recall, cursor, 1, err)))
      break;
    /* A number of JSON: what a check wrote. */
    if (strspn(recall.value.len ? recall.value.ptr : "", "01.23456789") < recall.value.len)
      recall.value.len = 0;
    st = put_index(&list, store, args, index.value, recall.value, err);
  }
  quoin_cursor_close(cursor);
  if (r->json) printf("]");
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* ---- the command ----------------------------------------------------------------------------- */

static quoin_status
put_all(quoin_store *store, const cli_args *args, quoin_error *err)
{
  report r = {.json = args->option[OPT_RESULTS].given};
  quoin_stats stats = QUOIN_STATS_INIT;
  uint64_t dead = 0;
  const char *path = args->option[OPT_STORE].text;

  quoin_status st = quoin_store_stats(&stats, store, true, err);
  if (!st) st = quoin_store_dead_terms(&dead, store, args->cancel, err);
  if (st) return st;
  r.quads = stats.quads;
  begin(&r, NULL, NULL);
  put_store(&r, &stats, dead);
  st = put_indexes(&r, store, args, err);
  if (st) return st;
  if (path) put_files(&r, path);
  put_counters(&r, &stats);
  end(&r);
  if (r.json) printf("\n");
  return QUOIN_OK;
}

int
cli_stats(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  const cli_value *format = &args->option[OPT_RESULTS];
  const char *path = cli_place(args);

  if (format->given && format->number == QUOIN_RESULTS_TABLE)
    args->option[OPT_RESULTS].given = false;
  else if (format->given && format->number != QUOIN_RESULTS_JSON) {
    cli_complain("stats are given as table or json");
    return EXIT_USAGE;
  }
  int status = cli_open(&store, args, QUOIN_READ_ONLY);
  if (status) return status;
  if (put_all(store, args, &err)) status = cli_report(&err, path);
  quoin_close(store);
  if (fflush(stdout) || ferror(stdout)) {
    cli_complain("standard output cannot be written");
    status = EXIT_DATA;
  }
  return status;
}
