/* sparql/update/update_load.c - LOAD (SPARQL 1.1 Update, section 3.1.4): files below a directory
 * that the caller allows, named by file: IRIs.
 *
 * Both paths are resolved (links, "..") before they are compared, and what is opened is the
 * resolved one. Statements that name a graph keep it, as in a bulk load; the others go to the
 * target. A LOAD SILENT that fails midway adds nothing, so its quads wait until the file has ended.
 */
#include "sparql/update/update.h"

#include "load/load.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/poison.h"

/* From here on the bulk loader, which bypasses the log and bounds its memory, beats a transaction:
 * it costs a manifest and a run on disk however small the file. */
enum { BULK_BYTES = 8 << 20 };

/* ---- from IRI to path
 * ---------------------------------------------------------------------------- */

static int
hex_digit(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Percent escapes decoded, terminated; false when it holds a NUL or does not fit. */
static bool
decode_path(char out[PATH_MAX], quoin_span path)
{
  size_t n = 0;
  for (size_t i = 0; i < path.len; i++) {
    int high = i + 2 < path.len && path.ptr[i] == '%' ? hex_digit(path.ptr[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(path.ptr[i + 2]) : -1;
    char c = low >= 0 ? (char)(high * 16 + low) : path.ptr[i];
    if (low >= 0) i += 2;
    if (!c || n + 1 >= PATH_MAX) return false;
    out[n++] = c;
  }
  out[n] = '\0';
  return n > 0;
}

static bool
skip(quoin_span *text, const char *start)
{
  size_t n = strlen(start);
  if (text->len < n || !base_span_equal_nocase((quoin_span){text->ptr, n}, base_span(start)))
    return false;
  text->ptr += n;
  text->len -= n;
  return true;
}

/* The path of a file: IRI without or with an empty host, or localhost. */
static bool
path_of_iri(char out[PATH_MAX], quoin_span iri)
{
  if (!skip(&iri, "file:")) return false;
  if (skip(&iri, "//")) (void)skip(&iri, "localhost");
  if (!iri.len || iri.ptr[0] != '/' || memchr(iri.ptr, '?', iri.len) ||
      memchr(iri.ptr, '#', iri.len))
    return false;
  return decode_path(out, iri);
}

static bool
is_below(const char *path, const char *dir)
{
  size_t n = strlen(dir);
  if (n && dir[n - 1] == '/') n--; /* the root */
  return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* The file to be read, resolved, if it may be. */
static quoin_status
allowed_path(char out[PATH_MAX], uint64_t *size, const update_run *run, const sparql_operation *op,
             quoin_error *err)
{
  const quoin_span iri = op->source.graph.value;
  const int shown = (int)(iri.len < 200 ? iri.len : 200);
  char path[PATH_MAX], dir[PATH_MAX];
  struct stat info;
  if (!run->options->load_dir)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "LOAD is off: name a directory that it may read with --allow-load");
  if (!path_of_iri(path, iri))
    return base_fail(err, QUOIN_ERR_UNSUPPORTED,
                     "LOAD <%.*s>: only file: IRIs with an absolute path are read", shown, iri.ptr);
  if (!realpath(run->options->load_dir, dir))
    return base_fail_os(err, errno, NULL, "the directory of --allow-load cannot be resolved");
  if (!realpath(path, out))
    return base_fail_os(err, errno, NULL, "LOAD <%.*s>: the file cannot be found", shown, iri.ptr);
  if (!is_below(out, dir))
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "LOAD <%.*s>: the file is not below the directory of --allow-load", shown,
                     iri.ptr);
  if (stat(out, &info)) return base_fail_os(err, errno, out, "LOAD: the file cannot be read");
  if (!S_ISREG(info.st_mode))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "LOAD <%.*s>: this is not a regular file", shown,
                     iri.ptr);
  *size = (uint64_t)info.st_size;
  return QUOIN_OK;
}

static quoin_status
open_source(rdfio_source **out, const char *path, const update_run *run, quoin_error *err)
{
  if (rdfio_format_by_path(path) == RDFIO_UNKNOWN)
    return base_fail(err, QUOIN_ERR_UNSUPPORTED,
                     "LOAD: the name of %s does not end in .nt, .nq, .ttl or .trig", path);
  return rdfio_source_open(out, path, run->mem, err);
}

/* ---- into the transaction
 * ------------------------------------------------------------------------ */

typedef struct load_sink {
  update_run *run;
  atom_id target;
  char prefix[24]; /* scope of the file's blank nodes */
  bool wait;
  update_quads waiting;
} load_sink;

static quoin_status
take_quads(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  load_sink *sink = user;
  for (size_t i = 0; i < n; i++) {
    quad q;
    quoin_status st = QUOIN_OK;
    for (unsigned k = 0; k < 4 && !st; k++) {
      const rdf_term *term = &quads[i].term[k];
      if (term->kind == RDF_BLANK)
        st = update_blank(&q.term[k], sink->run, sink->prefix, term->value, err);
      else
        st = update_term(&q.term[k], sink->run, term, err);
    }
    if (!st && !q.term[QUAD_G].bits) q.term[QUAD_G] = sink->target;
    if (!st)
      st = sink->wait ? update_quads_add(&sink->waiting, sink->run, &q, err)
                      : quad_txn_add_ids(sink->run->txn, &q, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

static quoin_status
load_file(update_run *run, const sparql_operation *op, quoin_error *err)
{
  char path[PATH_MAX];
  uint64_t size;
  rdfio_source *source = NULL;
  rdfio_read_result got;
  load_sink sink = {.run = run, .wait = op->silent};
  const rdfio_read_options read = {.base = op->source.graph.value, .cancel = &run->cancel};
  quoin_status st = allowed_path(path, &size, run, op, err);
  if (st || (st = open_source(&source, path, run, err))) return st;
  if (op->target.kind == TARGET_GRAPH) st = update_term(&sink.target, run, &op->target.graph, err);
  size_t len =
      (size_t)snprintf(sink.prefix, sizeof(sink.prefix), "f%lu.", (unsigned long)run->operation);
  assert(len < sizeof(sink.prefix));
  (void)len;
  if (!st) st = rdfio_read(&got, source, &read, take_quads, &sink, run->mem, err);
  rdfio_source_close(source);
  if (!st) st = update_quads_insert(&sink.waiting, run, err);
  update_quads_clear(&sink.waiting, run);
  return st;
}

/* Failures that SILENT hides: those of the document, not of the store, the machine or the caller's
 * patience. */
static bool
is_hidden(quoin_status st)
{
  switch (st) {
  case QUOIN_ERR_ARGUMENT:
  case QUOIN_ERR_IO:
  case QUOIN_ERR_CORRUPT:
  case QUOIN_ERR_SYNTAX:
  case QUOIN_ERR_UNSUPPORTED:
  case QUOIN_ERR_NOT_FOUND:
    return true;
  default:
    return false;
  }
}

quoin_status
update_load(update_run *run, const sparql_operation *op, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT;
  if (!op->silent) return load_file(run, op, err);
  quoin_status st = load_file(run, op, &why);
  if (!st || is_hidden(st)) return QUOIN_OK;
  if (err) *err = why;
  return st;
}

/* ---- as a bulk load
 * ------------------------------------------------------------------------------ */

bool
update_load_in_bulk(quoin_status *st, sparql_update_result *out, update_run *run, quoin_error *err)
{
  const sparql_operation *op = run->update->operations;
  char path[PATH_MAX];
  uint64_t size = 0;
  rdfio_source *source = NULL;
  load_result got;
  if (run->update->n_operations != 1 || op->kind != UPDATE_LOAD || op->silent) return false;
  /* What is wrong with it is said by the ordinary way. */
  if (allowed_path(path, &size, run, op, NULL) || size < BULK_BYTES) return false;
  if ((*st = open_source(&source, path, run, err))) return true;
  const load_options load = {
      .read = {.base = op->source.graph.value,
               .threads = run->options->threads,
               .cancel = &run->cancel},
      .graph = op->target.kind == TARGET_GRAPH ? &op->target.graph : NULL,
  };
  *st = load_sources(&got, run->store, &source, 1, &load, run->mem, err);
  rdfio_source_close(source);
  if (!*st) *out = (sparql_update_result){.added = got.added};
  return true;
}
