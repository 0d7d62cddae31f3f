/* tests/differential/differential.c - small datasets and many queries, in both optimiser modes.
 *
 *   differential corpus FOLDER   run the queries of FOLDER (FORM below) and compare the answers
 *   differential serve           answer queries from standard input, for run.py
 *
 * serve reads "D LENGTH\n" and a dataset as TriG, or "Q LENGTH\n" and a query; each query has two
 * replies, optimiser off and then on: "A LENGTH\n" and results as JSON, "G LENGTH\n" and N-Triples,
 * or "E LENGTH\n" and why there is no answer.
 *
 * A folder of cases holds NAME.trig and NAME.cases for each dataset. A case is a line "== TITLE",
 * the query, a line "--", and the answer: TSV, or N-Triples of a CONSTRUCT, or true or false. */
#include "conformance/isomorphism.h"
#include "conformance/manifest.h"
#include "conformance/sparql_answer.h"
#include "sparql/sparql.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS_MAX = 3000 }; /* of an answer that is compared */

typedef struct world {
  char dir[256];
  quad_store *store;
  quad_snapshot *snapshot;
} world;

/* ---- a dataset --------------------------------------------------------------------------------
 */

static void
remove_dir(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    char name[600];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
    unlink(name);
  }
  if (dir) closedir(dir);
  rmdir(path);
}

static void
world_close(world *w)
{
  quad_snapshot_release(w->snapshot);
  (void)!quad_store_close(w->store, NULL);
  if (w->dir[0]) remove_dir(w->dir);
  *w = (world){.store = NULL};
}

static quoin_status
add_quads(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < n && !st; i++)
    st = quad_txn_add(user, quads[i].term, err);
  return st;
}

static quoin_status
world_open(world *w, quoin_span trig, quoin_error *err)
{
  const char *tmp = getenv("TMPDIR");
  const quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF};
  const rdfio_read_options reading = {.format = RDFIO_TRIG, .base = base_span("http://x/")};
  rdfio_read_result result;
  rdfio_source *source = NULL;
  quad_txn *txn = NULL;
  quoin_status st;
  if ((!tmp || !*tmp) && access("/dev/shm", W_OK) == 0) tmp = "/dev/shm";
  snprintf(w->dir, sizeof(w->dir), "%s/quoin-diff-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(w->dir)) return base_fail(err, QUOIN_ERR_IO, "%s cannot be made", w->dir);
  if ((st = quad_store_open(&w->store, w->dir, &options, base_alloc_default(), err)) ||
      (st = quad_txn_begin(&txn, w->store, err)) ||
      (st = rdfio_source_memory(&source, trig, "data", base_alloc_default(), err)) ||
      (st = rdfio_read(&result, source, &reading, add_quads, txn, base_alloc_default(), err)))
    goto done;
  st = quad_txn_commit(NULL, NULL, txn, err);
  txn = NULL;
  if (!st) st = quad_snapshot_acquire(&w->snapshot, w->store, err);

done:
  rdfio_source_close(source);
  quad_txn_abort(txn);
  return st;
}

/* ---- an answer --------------------------------------------------------------------------------
 */

static quoin_status
collect(void *user, const void *data, size_t len, quoin_error *err)
{
  base_buffer_add(user, data, len);
  return ((base_buffer *)user)->failed ? base_fail_nomem(err) : QUOIN_OK;
}

static bool
is_graph(sparql_form form)
{
  return form == SPARQL_CONSTRUCT || form == SPARQL_DESCRIBE;
}

/* The answer as text: rows in `syntax`, or N-Triples. */
static quoin_status
ask(base_buffer *out, sparql_form *form, const world *w, quoin_span text, sparql_format syntax,
    bool plain, quoin_error *err)
{
  const sparql_run_options options = {
      .timeout_ms = 20000, .max_rows = ROWS_MAX, .plain = plain, .threads = 1};
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  quoin_status st =
      sparql_query_parse(&query, text, base_span("http://x/"), base_alloc_default(), err);
  if (st) goto done;
  *form = sparql_query_form(query);
  st = sparql_cursor_open(&cursor, query, w->snapshot, &options, base_alloc_default(), err);
  if (!st)
    st = sparql_write(NULL, cursor, is_graph(*form) ? SPARQL_NTRIPLES : syntax, collect, out, err);

done:
  sparql_cursor_close(cursor);
  sparql_query_free(query);
  return st;
}

/* ---- serve ------------------------------------------------------------------------------------
 */

static void
reply(char kind, quoin_span body)
{
  printf("%c %zu\n", kind, body.len);
  fwrite(body.ptr, 1, body.len, stdout);
}

static void
serve_query(const world *w, quoin_span text)
{
  for (int plain = 1; plain >= 0; plain--) {
    quoin_error err = QUOIN_ERROR_INIT;
    sparql_form form = SPARQL_SELECT;
    base_buffer out;
    base_buffer_init(&out, base_alloc_default());
    if (ask(&out, &form, w, text, SPARQL_JSON, plain, &err)) {
      base_buffer why;
      base_buffer_init(&why, base_alloc_default());
      base_buffer_printf(&why, "%d %s", (int)err.status, err.message);
      reply('E', (quoin_span){why.data, why.len});
      base_buffer_clear(&why);
    } else {
      reply(is_graph(form) ? 'G' : 'A', (quoin_span){out.data, out.len});
    }
    base_buffer_clear(&out);
  }
  fflush(stdout);
}

static int
serve(void)
{
  world w = {.store = NULL};
  char kind, newline;
  size_t len;
  int status = 0;
  while (status == 0 && scanf("%c %zu%c", &kind, &len, &newline) == 3) {
    quoin_error err = QUOIN_ERROR_INIT;
    base_buffer body;
    base_buffer_init(&body, base_alloc_default());
    if (!base_buffer_reserve(&body, len + 1) || fread(body.data, 1, len, stdin) != len) {
      status = 1;
    } else if (kind == 'D') {
      world_close(&w);
      if (world_open(&w, (quoin_span){body.data, len}, &err)) {
        fprintf(stderr, "%s\n", err.message);
        status = 1;
      }
    } else {
      serve_query(&w, (quoin_span){body.data, len});
    }
    base_buffer_clear(&body);
  }
  world_close(&w);
  return status;
}

/* ---- corpus -----------------------------------------------------------------------------------
 */

typedef struct differential_case {
  quoin_span title, query, answer;
} differential_case;

/* The text up to the line `mark` (or the end); *at goes behind that line's beginning. */
static quoin_span
take_until(const char **at, const char *end, const char *mark)
{
  const char *from = *at, *p = from;
  size_t n = strlen(mark);
  while (p < end && !((size_t)(end - p) >= n && memcmp(p, mark, n) == 0)) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    p = newline ? newline + 1 : end;
  }
  *at = p;
  return (quoin_span){from, (size_t)(p - from)};
}

static bool
next_case(differential_case *out, const char **at, const char *end)
{
  if (*at >= end) return false;
  const char *newline = memchr(*at, '\n', (size_t)(end - *at));
  out->title = (quoin_span){*at + 3, (size_t)(newline - *at) - 3};
  *at = newline + 1;
  out->query = take_until(at, end, "--\n");
  *at += *at < end ? 3 : 0;
  out->answer = take_until(at, end, "== ");
  return true;
}

/* Read N-Triples into `d`. */
static quoin_status
add_to_dataset(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < n && !st; i++)
    st = dataset_add(user, &quads[i], err);
  return st;
}

static quoin_status
read_triples(dataset *d, quoin_span text, quoin_error *err)
{
  const rdfio_read_options options = {.format = RDFIO_NTRIPLES};
  rdfio_read_result result;
  rdfio_source *source = NULL;
  quoin_status st = rdfio_source_memory(&source, text, "answer", base_alloc_default(), err);
  if (!st) st = rdfio_read(&result, source, &options, add_to_dataset, d, base_alloc_default(), err);
  rdfio_source_close(source);
  return st;
}

static quoin_status
compare_triples(quoin_span got, quoin_span want, quoin_error *err)
{
  dataset a, b;
  dataset_init(&a);
  dataset_init(&b);
  quoin_status st = read_triples(&a, got, err);
  if (!st) st = read_triples(&b, want, err);
  if (!st && !quads_isomorphic(a.quads, a.n, b.quads, b.n))
    st = base_fail(err, QUOIN_ERR_CORRUPT, "%zu triples differ from the %zu expected", a.n, b.n);
  dataset_clear(&a);
  dataset_clear(&b);
  return st;
}

/* An answer in TSV; one of ASK is a word. */
static quoin_status
read_rows(answer *a, quoin_span text, quoin_error *err)
{
  if (base_span_is(text, "true\n") || base_span_is(text, "false\n")) {
    a->is_boolean = true;
    a->boolean = text.ptr[0] == 't';
    return QUOIN_OK;
  }
  return answer_read(a, ANSWER_TSV, text, err);
}

static quoin_status
compare_rows(quoin_span got, quoin_span want, quoin_error *err)
{
  answer a, b;
  answer_init(&a);
  answer_init(&b);
  quoin_status st = answer_read(&a, ANSWER_JSON, got, err);
  if (!st) st = read_rows(&b, want, err);
  if (!st) st = answer_compare(&a, &b, false, err);
  answer_clear(&a);
  answer_clear(&b);
  return st;
}

/* Does the case hold in both modes? Says what does not. */
static bool
run_case(const world *w, const char *file, const differential_case *c)
{
  bool good = true;
  for (int plain = 1; plain >= 0; plain--) {
    quoin_error err = QUOIN_ERROR_INIT;
    sparql_form form = SPARQL_SELECT;
    base_buffer out;
    base_buffer_init(&out, base_alloc_default());
    quoin_status st = ask(&out, &form, w, c->query, SPARQL_JSON, plain, &err);
    quoin_span got = {out.data, out.len};
    if (!st)
      st = is_graph(form) ? compare_triples(got, c->answer, &err)
                          : compare_rows(got, c->answer, &err);
    if (st) {
      printf("%s: %.*s, optimiser %s: %s\n%.*s", file, (int)c->title.len, c->title.ptr,
             plain ? "off" : "on", err.message, (int)c->query.len, c->query.ptr);
      good = false;
    }
    base_buffer_clear(&out);
  }
  return good;
}

static bool
read_file(base_buffer *out, const char *path)
{
  char block[4096];
  size_t n;
  FILE *file = fopen(path, "rb");
  base_buffer_init(out, base_alloc_default());
  if (!file) return false;
  while ((n = fread(block, 1, sizeof(block), file)) > 0)
    base_buffer_add(out, block, n);
  fclose(file);
  return !out->failed;
}

/* All cases of one dataset; adds to the counts. */
static void
run_file(size_t *passed, size_t *failed, const char *folder, const char *name)
{
  char trig[1024], cases[1024];
  base_buffer data, text;
  quoin_error err = QUOIN_ERROR_INIT;
  world w = {.store = NULL};
  int stem = (int)(strlen(name) - strlen(".cases"));
  snprintf(trig, sizeof(trig), "%s/%.*s.trig", folder, stem, name);
  snprintf(cases, sizeof(cases), "%s/%s", folder, name);
  bool there = read_file(&data, trig);
  there = read_file(&text, cases) && there;
  if (!there || world_open(&w, (quoin_span){data.data, data.len}, &err)) {
    printf("%s: %s\n", name, there ? err.message : "cannot be read");
    (*failed)++;
  } else {
    const char *at = text.data, *end = text.data + text.len;
    differential_case c;
    while (next_case(&c, &at, end))
      (*(run_case(&w, name, &c) ? passed : failed))++;
  }
  world_close(&w);
  base_buffer_clear(&data);
  base_buffer_clear(&text);
}

static int
run_corpus(const char *folder)
{
  size_t passed = 0, failed = 0;
  DIR *dir = opendir(folder);
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    size_t n = strlen(entry->d_name);
    if (n > 6 && strcmp(entry->d_name + n - 6, ".cases") == 0)
      run_file(&passed, &failed, folder, entry->d_name);
  }
  if (dir) closedir(dir);
  printf("differential: %zu / %zu\n", passed, passed + failed);
  return passed > 0 && failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], "serve") == 0) return serve();
  if (argc == 3 && strcmp(argv[1], "corpus") == 0) return run_corpus(argv[2]);
  fprintf(stderr, "usage: differential corpus FOLDER | differential serve\n");
  return 2;
}
