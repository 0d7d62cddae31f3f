/* vector import: the rows of a file become quads, which are loaded. */
#include "cli/vector_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 };

/* Numbers between blanks or commas as an array of JSON. */
static bool
put_array(vector_text *to, const char *text, size_t len)
{
  bool apart = false;
  vector_put(to, "[", 1);
  for (size_t i = 0; i < len; i++) {
    const bool gap = text[i] && strchr(" \t\r\n,", text[i]);
    if (!gap && apart && to->len > 1) vector_put(to, ",", 1);
    if (!gap) vector_put(to, text + i, 1);
    apart = gap;
  }
  vector_put(to, "]", 1);
  return !to->failed;
}

/* How many numbers a text has that are too many to be read. */
static size_t
count_numbers(quoin_span text)
{
  size_t n = 1;
  if (text.ptr[0] != '[') return (text.len - 4) / 4 * 3 / sizeof(float); /* b64: */
  for (size_t i = 0; i < text.len; i++)
    n += text.ptr[i] == ',';
  return n;
}

size_t
vector_numbers(float *out, size_t cap, const char *text, size_t len)
{
  static const char b64[] = "b64:";
  vector_text array = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  size_t n = 0, skip = 0;

  while (skip < len && text[skip] && strchr(" \t\r\n", text[skip]))
    skip++;
  quoin_span span = {text + skip, len - skip};
  const bool whole = span.len > 0 &&
                     (span.ptr[0] == '[' ||
                      (span.len >= sizeof(b64) - 1 && memcmp(span.ptr, b64, sizeof(b64) - 1) == 0));
  quoin_status st =
      whole || (span.len > 0 && put_array(&array, text, len)) ? QUOIN_OK : QUOIN_ERR_SYNTAX;
  if (array.data) span = (quoin_span){array.data, array.len};
  if (!st) st = quoin_vector_parse(out, &n, cap, span, &err);
  if (st == QUOIN_ERR_LIMIT) n = count_numbers(span);
  free(array.data);
  return st && st != QUOIN_ERR_LIMIT ? SIZE_MAX : n;
}

/* ---- loading --------------------------------------------------------------------------------- */

typedef struct pieces {
  vector_next_fn next;
  void *user;
  vector_text text;
  size_t at;
  int status;
  bool done;
} pieces;

static quoin_status
read_piece(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  pieces *p = user;
  if (p->at == p->text.len && !p->done) {
    p->at = p->text.len = 0;
    while (!p->status && !p->done && p->text.len < PIECE)
      p->status = p->next(p->user, &p->text, &p->done);
    if (p->text.failed && !p->status) {
      cli_complain("out of memory");
      p->status = EXIT_LIMIT;
    }
  }
  if (p->status) {
    (void)err; /* said already */
    return QUOIN_ERR_CANCELLED;
  }
  *got = p->text.len - p->at < cap ? p->text.len - p->at : cap;
  if (*got) memcpy(data, p->text.data + p->at, *got);
  p->at += *got;
  return QUOIN_OK;
}

int
vector_load(uint64_t *added, quoin_store *store, const cli_args *args, vector_next_fn next,
            void *user)
{
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  quoin_load_result result = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  pieces p = {.next = next, .user = user};

  options.format = QUOIN_NQUADS;
  options.threads = (unsigned)args->option[OPT_THREADS].number;
  options.memory_bytes = args->option[OPT_MEMORY].number;
  options.cancel = args->cancel;
  quoin_status st = quoin_load_callback(&result, store, read_piece, &p, NULL, &options, &err);
  free(p.text.data);
  *added = result.added;
  if (p.status) return p.status;
  return st ? cli_report(&err, "vector") : EXIT_DONE;
}

/* ---- rows ------------------------------------------------------------------------------------ */

const char *
vector_refuse(const vector_index *index, const float *values)
{
  bool zero = true;
  for (uint64_t i = 0; i < index->dimension; i++) {
    if (values[i] - values[i] != 0) return "a number is not finite";
    zero = zero && values[i] == 0;
  }
  return zero && index->cosine ? "a zero vector has no cosine" : NULL;
}

typedef struct importer {
  const cli_args *args;
  vector_index index;
  vector_rows rows;
  const char *graph;
  uint64_t imported, skipped;
  cli_progress progress;
} importer;

/* The row at hand as a quad. */
static vector_step
put_row(importer *im, vector_text *to)
{
  const vector_rows *r = &im->rows;
  vector_text name = {0};
  const char *wrong = vector_refuse(&im->index, r->values);

  if (!wrong && r->term_len > 2 && r->term[0] == '_' && r->term[1] == ':') {
    if (!vector_is_label(r->term + 2, r->term_len - 2)) wrong = "expected a blank node label";
    vector_put(&name, r->term, r->term_len);
  } else if (!wrong && !vector_append_iri(&name, r->term, r->term_len)) {
    wrong = "expected an absolute IRI or a blank node";
  }
  if (!wrong)
    vector_put_quad(to, name.data, name.len, im->index.predicate, im->graph, r->values,
                    (size_t)im->index.dimension);
  to->failed = to->failed || name.failed;
  free(name.data);
  return wrong ? vector_rows_bad(r, wrong) : VECTOR_ROW;
}

static int
next_row(void *user, vector_text *to, bool *done)
{
  importer *im = user;
  uint64_t taken, total;
  vector_step step = vector_rows_next(&im->rows);
  vector_rows_progress(&taken, &total, &im->rows);
  cli_progress_show(&im->progress, im->imported, taken, total);
  if (step == VECTOR_ROW) step = put_row(im, to);
  switch (step) {
  case VECTOR_ROW:
    im->imported++;
    return EXIT_DONE;
  case VECTOR_BAD:
    im->skipped++;
    return im->args->option[OPT_LENIENT].given ? EXIT_DONE : EXIT_DATA;
  case VECTOR_END:
    *done = true;
    return EXIT_DONE;
  case VECTOR_FAILED:
    break;
  }
  return EXIT_DATA;
}

/* ---- the verb -------------------------------------------------------------------------------- */

int
vector_import(quoin_store *store, const cli_args *args, const char *file)
{
  importer im = {.args = args, .graph = args->option[OPT_GRAPH].text};
  char count[32], more[32];
  uint64_t added = 0;

  int status = vector_find(&im.index, store, args);
  if (!status) {
    status = vector_rows_open(&im.rows, file, &args->option[OPT_VECTOR_FORMAT],
                              args->option[OPT_TERMS].text, (size_t)im.index.dimension);
    cli_progress_start(&im.progress, "import");
    im.progress.items = "vectors";
    im.progress.unit = im.rows.n_rows ? CLI_ITEMS : CLI_BYTES;
    if (!status) status = vector_load(&added, store, args, next_row, &im);
    const double seconds = cli_progress_end(&im.progress);
    if (!status) {
      fprintf(stderr, "%s vectors read, %s of them new, in %.2f s", cli_count(count, im.imported),
              cli_count(more, added), seconds);
      if (im.skipped) fprintf(stderr, "; %s passed over", cli_count(count, im.skipped));
      fprintf(stderr, "\n");
    }
    vector_rows_close(&im.rows);
  }
  return status;
}
