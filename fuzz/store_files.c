/* fuzz/store_files.c - a store with damaged files: opened, checked, read and written.
 *
 * A store with runs, a log, blank nodes, several graphs and a vector graph is made once. An input
 * is a list of damages: the first byte chooses the file, the second what is done with the store,
 * then six bytes each: where (four), and what stands there. A fuzzing build believes every checksum
 * (base_sum_matches), so a damage reaches the code behind them; built otherwise, the same inputs
 * must be refused, and what is not refused must be whole. */
#include <quoin/quoin.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 32, DAMAGE = 6, DIMENSION = 8 };

typedef struct file_image {
  char name[64];
  char *data;
  size_t size, live; /* live: up to the last byte that is not 0 */
} file_image;

static struct {
  char dir[64];
  file_image file[FILES];
  size_t n;
} whole;

static void
require(bool truth, const char *what)
{
  if (truth) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

static quoin_span
span(const char *text)
{
  return (quoin_span){text, strlen(text)};
}

/* ---- the whole store ---------------------------------------------------------------------- */

static void
update(quoin_store *store, const char *text)
{
  quoin_error err = QUOIN_ERROR_INIT;
  require(!quoin_update(NULL, store, span(text), NULL, &err), err.message);
}

static void
fill(quoin_store *store, int from, int to)
{
  static char text[1 << 20];
  size_t at = (size_t)snprintf(text, sizeof(text), "INSERT DATA {");
  for (int i = from; i < to; i++) {
    at += (size_t)snprintf(
        text + at, sizeof(text) - at,
        "<http://example.org/thing/%d> <p:number> %d ; <p:name> \"thing number %d\"@en-GB ; "
        "<p:next> <http://example.org/thing/%d> ; <p:blank> _:b%d ; <p:v> "
        "\"[%d,%d,3,4,5,6,7,%d]\"^^<urn:x-quoin:vec#f32> . GRAPH <g:%d> { _:b%d <p:when> "
        "\"2026-01-%02dT00:00:00Z\"^^<http://www.w3.org/2001/XMLSchema#dateTime> , 1.5e%d }\n",
        i, i * 7, i, (i * 31) % 400, i, i + 1, i * i % 17, i % 5, i % 3, i, 1 + i % 28, i % 60);
  }
  snprintf(text + at, sizeof(text) - at, "}");
  update(store, text);
}

static void
read_image(file_image *out, const char *name)
{
  char path[512];
  struct stat info;
  snprintf(path, sizeof(path), "%s/%s", whole.dir, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  require(fd >= 0 && !fstat(fd, &info), path);
  require(strlen(name) < sizeof(out->name), name);
  memcpy(out->name, name, strlen(name) + 1);
  out->size = out->live = (size_t)info.st_size;
  require((out->data = malloc(out->size + 1)) != NULL, "memory");
  require(pread(fd, out->data, out->size, 0) == info.st_size, path);
  while (out->live && !out->data[out->live - 1])
    out->live--;
  close(fd);
}

static void
remove_folder(void)
{
  char path[512];
  struct dirent *entry;
  DIR *dir = opendir(whole.dir);
  while (dir && (entry = readdir(dir))) {
    snprintf(path, sizeof(path), "%s/%s", whole.dir, entry->d_name);
    if (entry->d_name[0] != '.') unlink(path);
  }
  if (dir) closedir(dir);
  rmdir(whole.dir);
}

static int
by_name(const void *a, const void *b)
{
  return strcmp(((const file_image *)a)->name, ((const file_image *)b)->name);
}

static void
make_whole(void)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store = NULL;
  const char *tmp = getenv("TMPDIR");
  struct dirent *entry;

  snprintf(whole.dir, sizeof(whole.dir), "%s/quoin-fuzz-XXXXXX", tmp ? tmp : "/tmp");
  require(mkdtemp(whole.dir) != NULL, "a folder");
  atexit(remove_folder);
  options.mode = QUOIN_CREATE;
  require(!quoin_open(&store, whole.dir, &options, &err), err.message);
  update(store, "PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { GRAPH <urn:x-quoin:system> { <p:v> a "
                "vec:Index ; vec:dimension 8 ; vec:metric vec:cosineMetric } }");
  fill(store, 0, 300);
  require(!quoin_vectors_settle(store, NULL, &err), err.message);
  require(!quoin_checkpoint(store, &err), err.message);
  fill(store, 300, 330);
  update(store, "DELETE WHERE { ?s <p:number> 70 ; ?p ?o }");
  quoin_close(store);

  DIR *dir = opendir(whole.dir);
  while (dir && (entry = readdir(dir)))
    if (entry->d_name[0] != '.') {
      require(whole.n < FILES, "more files than expected");
      read_image(&whole.file[whole.n++], entry->d_name);
    }
  if (dir) closedir(dir);
  qsort(whole.file, whole.n, sizeof(whole.file[0]), by_name);
}

/* ---- one input ------------------------------------------------------------------------------ */

static void
write_file(const file_image *file, const char *bytes, size_t size)
{
  char path[256];
  snprintf(path, sizeof(path), "%s/%s", whole.dir, file->name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(fd >= 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size, path);
  close(fd);
}

static quoin_status
nowhere(void *user, const void *data, size_t size, quoin_error *err)
{
  (void)data, (void)err;
  *(size_t *)user += size;
  return QUOIN_OK;
}

static void
ask(quoin_store *store, const char *text)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  size_t written = 0;
  options.max_rows = 100000;
  quoin_status st = quoin_query(&cursor, store, span(text), &options, &err);
  if (!st) st = quoin_cursor_write(NULL, cursor, QUOIN_RESULTS_TSV, nowhere, &written, &err);
  require(st == QUOIN_OK || err.message[0], "a failure without a message");
  quoin_cursor_close(cursor);
}

/* Whatever comes out is an error with a message or an answer; the sanitizers see the rest. */
static void
use(quoin_store *store, bool write)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats stats = QUOIN_STATS_INIT;
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  quoin_vectors *vectors = NULL;
  size_t written = 0;

  (void)!quoin_store_stats(&stats, store, true, &err);
  quoin_status st = quoin_check(store, NULL, NULL, NULL, &err);
  require(st == QUOIN_OK || err.message[0], "a failure without a message");
  ask(store, "SELECT * { <http://example.org/thing/62> <p:next> ?n . ?n <p:name> ?name ; ?p ?o }");
  ask(store, "SELECT * { ?s <p:number> ?n ; <p:blank> ?b . GRAPH ?g { ?b ?p ?o } } ORDER BY ?n");
  ask(store, "PREFIX vec: <urn:x-quoin:vec#> SELECT * { (?s ?d) vec:nearest (<p:v> "
             "\"[1,2,3,4,5,6,7,8]\"^^vec:f32 5) }");
  (void)!quoin_dump(NULL, store, QUOIN_NQUADS, nowhere, &written, NULL, &err);
  if (!quoin_vectors_open(&vectors, store, span("p:v"), &err))
    (void)!quoin_vectors_check(&report, vectors, write, NULL, &err);
  quoin_vectors_close(vectors);
  if (!write) return;
  (void)!quoin_update(
      NULL, store,
      span("INSERT DATA { <new:s> <new:p> <http://example.org/thing/7>, \"new\" } ; "
           "DELETE WHERE { ?s <p:number> 21 ; ?p ?o }"),
      NULL, &err);
  (void)!quoin_checkpoint(store, &err);
  (void)!quoin_store_compact(store, 0, NULL, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store = NULL;

  if (!whole.n) make_whole();
  if (size < 2 + DAMAGE) return 0;
  file_image *file = &whole.file[data[0] % whole.n];
  bool write = data[1] & 1;
  size_t length = file->size;
  if (!file->live) return 0;

  char *bytes = malloc(file->size);
  require(bytes != NULL, "memory");
  memcpy(bytes, file->data, file->size);
  for (size_t i = 2; i + DAMAGE <= size; i += DAMAGE) {
    uint32_t where;
    memcpy(&where, data + i, sizeof(where));
    bytes[where % file->live] = (char)data[i + 4];
    if (where % file->live + 1 < file->live && data[i + 5])
      bytes[where % file->live + 1] = (char)data[i + 5];
  }
  if (data[1] & 2) length = file->live * data[size - 1] / 255; /* cut short */
  if (write) {                                                 /* it will change any file */
    remove_folder();
    require(!mkdir(whole.dir, 0700), whole.dir);
    for (size_t i = 0; i < whole.n; i++)
      write_file(&whole.file[i], whole.file[i].data, whole.file[i].size);
  }
  write_file(file, bytes, length);

  options.mode = write ? QUOIN_READ_WRITE : QUOIN_READ_ONLY;
  quoin_status st = quoin_open(&store, whole.dir, &options, &err);
  require(st == QUOIN_OK || err.message[0], "a failure without a message");
  if (!st) use(store, write);
  quoin_close(store);

  if (write) {
    remove_folder();
    require(!mkdir(whole.dir, 0700), whole.dir);
    for (size_t i = 0; i < whole.n; i++)
      write_file(&whole.file[i], whole.file[i].data, whole.file[i].size);
  } else {
    write_file(file, file->data, file->size);
  }
  free(bytes);
  return 0;
}
