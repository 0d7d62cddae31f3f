/* vector import: .npy and .fvecs beside a list of terms, JSON lines, TSV. */
#include "cli/vector.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 };

size_t
vector_numbers(float *out, size_t cap, const char *text, size_t len)
{
  const char *at = text, *end = text + len;
  size_t n = 0;
  bool bracket = false;

  while (at < end && strchr(" \t\r", *at))
    at++;
  if (at < end && *at == '[') {
    bracket = true;
    at++;
  }
  for (;;) {
    char number[64];
    size_t digits = 0;
    while (at < end && *at && strchr(" \t\r\n,", *at))
      at++;
    if (at == end || *at == ']') break;
    while (at < end && digits < sizeof(number) - 1 && *at && !strchr(" \t\r\n,]", *at))
      number[digits++] = *at++;
    number[digits] = '\0';
    char *stop = number;
    const float value = strtof(number, &stop);
    if (!digits || *stop || value - value != 0) return SIZE_MAX;
    if (n < cap) out[n] = value;
    n++;
  }
  if (bracket != (at < end)) return SIZE_MAX;
  for (at += bracket; at < end; at++)
    if (!strchr(" \t\r\n", *at)) return SIZE_MAX;
  return n;
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
  if (!st) st = quoin_vectors_settle(store, args->cancel, &err);
  return st ? cli_report(&err, "vector") : EXIT_DONE;
}

/* ---- rows ------------------------------------------------------------------------------------ */

typedef enum file_kind { NPY, FVECS, JSON_LINES, TSV } file_kind;

typedef struct importer {
  const cli_args *args;
  vector_index index;
  file_kind kind;
  const char *name, *terms_name, *graph;
  FILE *file, *terms;
  uint64_t row, rows; /* rows: of .npy */
  size_t item;        /* bytes of a number of .npy: 2, 4 or 8 */
  float *values;
  char *line, *term;
  size_t line_cap, term_cap;
  uint64_t imported, skipped;
} importer;

static int
fail_row(const importer *im, const char *what)
{
  cli_complain("%s: row %" PRIu64 ": %s", im->name, im->row, what);
  return EXIT_DATA;
}

/* A line without its end; *len is SIZE_MAX at the end of the file. */
static int
read_line(char **line, size_t *cap, size_t *len, FILE *from, const char *name)
{
  errno = 0;
  const ssize_t n = getline(line, cap, from);
  *len = n < 0 ? SIZE_MAX : (size_t)n;
  if (n < 0 && ferror(from)) {
    cli_complain("%s cannot be read: %s", name, strerror(errno));
    return EXIT_DATA;
  }
  while (n > 0 && *len && strchr("\r\n", (*line)[*len - 1]))
    --*len;
  return EXIT_DONE;
}

/* The vector is in im->values: check it and write its quad. */
static int
put_row(importer *im, vector_text *to, const char *term, size_t len)
{
  float norm = 0;
  vector_text name = {0};
  for (uint64_t i = 0; i < im->index.dimension; i++) {
    if (im->values[i] - im->values[i] != 0) return fail_row(im, "a number is not finite");
    if (im->values[i] != 0) norm = 1;
  }
  if (im->index.cosine && norm == 0) {
    if (!im->args->option[OPT_LENIENT].given)
      return fail_row(im, "a zero vector has no cosine (--lenient passes over it)");
    im->skipped++;
    return EXIT_DONE;
  }
  if (len > 2 && term[0] == '_' && term[1] == ':')
    vector_put(&name, term, len);
  else if (!vector_put_iri(&name, term, len)) {
    free(name.data);
    return fail_row(im, "expected an IRI or a blank node");
  }
  vector_put_quad(to, name.data, name.len, im->index.predicate, im->graph, im->values,
                  (size_t)im->index.dimension);
  free(name.data);
  im->imported++;
  return EXIT_DONE;
}

static int
put_text_row(importer *im, vector_text *to, const char *term, size_t term_len, const char *numbers,
             size_t len)
{
  const size_t n = vector_numbers(im->values, (size_t)im->index.dimension, numbers, len);
  if (n == SIZE_MAX) return fail_row(im, "expected numbers");
  if (n != im->index.dimension) {
    cli_complain("%s: row %" PRIu64 ": found %zu numbers, expected %" PRIu64, im->name, im->row, n,
                 im->index.dimension);
    return EXIT_DATA;
  }
  return put_row(im, to, term, term_len);
}

/* ---- binary files ---------------------------------------------------------------------------- */

static float
half(uint16_t h)
{
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, mantissa = h & 0x3FFu;
  const uint32_t exponent = (uint32_t)h >> 10 & 31;
  uint32_t bits = sign | 0x7F800000u | mantissa << 13; /* infinite or NaN */
  float value;
  if (exponent == 0) {
    value = (float)mantissa / 16777216.0f;
    return sign ? -value : value;
  }
  if (exponent < 31) bits = sign | (exponent + 112) << 23 | mantissa << 13;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

static int
open_npy(importer *im)
{
  unsigned char head[12];
  char text[4096];
  uint64_t columns = 0;

  if (fread(head, 1, 10, im->file) != 10 || memcmp(head, "\x93NUMPY", 6) != 0)
    return fail_row(im, "this is not a .npy file");
  size_t len = (size_t)head[8] | (size_t)head[9] << 8;
  if (head[6] > 1) {
    if (fread(head + 10, 1, 2, im->file) != 2) return fail_row(im, "the header is cut off");
    len |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
  }
  if (len >= sizeof(text) || fread(text, 1, len, im->file) != len)
    return fail_row(im, "the header is cut off");
  text[len] = '\0';
  const char *shape = strstr(text, "'shape':"), *type = strstr(text, "'descr':");
  if (!shape || !type || !strstr(text, "'fortran_order': False"))
    return fail_row(im, "expected an array in C order");
  const char *quote = strchr(type + 8, '\'');
  if (!quote || quote[1] != '<' || quote[2] != 'f' || !strchr("248", quote[3]) || quote[4] != '\'')
    return fail_row(im, "expected little-endian floats of 2, 4 or 8 bytes");
  im->item = (size_t)(quote[3] - '0');
  if (sscanf(shape + 8, " ( %" SCNu64 " , %" SCNu64 " )", &im->rows, &columns) != 2)
    return fail_row(im, "expected an array of two dimensions");
  if (columns == im->index.dimension) return EXIT_DONE;
  cli_complain("%s: found rows of %" PRIu64 " numbers, expected %" PRIu64, im->name, columns,
               im->index.dimension);
  return EXIT_DATA;
}

static int
read_npy(importer *im, bool *done)
{
  const size_t n = (size_t)im->index.dimension;
  unsigned char bytes[8];

  if ((*done = im->row > im->rows)) return EXIT_DONE;
  if (im->item == 4)
    return fread(im->values, 4, n, im->file) == n ? EXIT_DONE : fail_row(im, "the file ends early");
  for (size_t i = 0; i < n; i++) {
    uint16_t h;
    double d;
    if (fread(bytes, 1, im->item, im->file) != im->item) return fail_row(im, "the file ends early");
    memcpy(&h, bytes, sizeof(h));
    memcpy(&d, bytes, sizeof(d));
    im->values[i] = im->item == 2 ? half(h) : (float)d;
  }
  return EXIT_DONE;
}

static int
read_fvecs(importer *im, bool *done)
{
  const size_t n = (size_t)im->index.dimension;
  uint32_t dimension;
  const size_t got = fread(&dimension, 1, sizeof(dimension), im->file);

  if ((*done = got == 0)) return EXIT_DONE;
  if (got != sizeof(dimension)) return fail_row(im, "the file ends early");
  if (dimension != n) {
    cli_complain("%s: row %" PRIu64 ": found %" PRIu32 " numbers, expected %zu", im->name, im->row,
                 dimension, n);
    return EXIT_DATA;
  }
  return fread(im->values, sizeof(float), n, im->file) == n ? EXIT_DONE
                                                            : fail_row(im, "the file ends early");
}

static int
next_binary(importer *im, vector_text *to, bool *done)
{
  size_t len;
  int status = im->kind == NPY ? read_npy(im, done) : read_fvecs(im, done);
  if (status) return status;
  if ((status = read_line(&im->term, &im->term_cap, &len, im->terms, im->terms_name)))
    return status;
  if (*done && (len == SIZE_MAX || len == 0)) return EXIT_DONE;
  if (*done) return fail_row(im, "there are more terms than vectors");
  if (len == SIZE_MAX) return fail_row(im, "there are more vectors than terms");
  return put_row(im, to, im->term, len);
}

/* ---- text files ------------------------------------------------------------------------------ */

/* The string that begins at *at (behind its quote), unescaped in place; NULL: it has no end. */
static char *
json_string(char **at, size_t *len)
{
  char *from = *at, *to = from, *text = from;
  for (; *from && *from != '"'; from++) {
    if (*from != '\\') {
      *to++ = *from;
      continue;
    }
    static const char escapes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char *which = *++from ? strchr(escapes, *from) : NULL;
    if (which) {
      *to++ = means[which - escapes];
      continue;
    }
    unsigned code, low;
    if (*from != 'u' || sscanf(from + 1, "%4x", &code) != 1) return NULL;
    from += 4;
    if (code >= 0xD800 && code < 0xDC00) {
      if (sscanf(from + 1, "\\u%4x", &low) != 1 || low < 0xDC00 || low > 0xDFFF) return NULL;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      from += 6;
    }
    if (code >= 0x10000) {
      *to++ = (char)(0xF0 | code >> 18);
      *to++ = (char)(0x80 | (code >> 12 & 63));
      *to++ = (char)(0x80 | (code >> 6 & 63));
      *to++ = (char)(0x80 | (code & 63));
    } else if (code >= 0x800) {
      *to++ = (char)(0xE0 | code >> 12);
      *to++ = (char)(0x80 | (code >> 6 & 63));
      *to++ = (char)(0x80 | (code & 63));
    } else if (code >= 0x80) {
      *to++ = (char)(0xC0 | code >> 6);
      *to++ = (char)(0x80 | (code & 63));
    } else {
      *to++ = (char)code;
    }
  }
  if (*from != '"') return NULL;
  *at = from + 1;
  *len = (size_t)(to - text);
  return text;
}

static bool
is_key(const char *key, size_t len, const char *a, const char *b)
{
  return (strlen(a) == len && memcmp(key, a, len) == 0) ||
         (strlen(b) == len && memcmp(key, b, len) == 0);
}

/* Behind a value of JSON that is not wanted; NULL when it has no end. */
static char *
skip_json(char *at)
{
  size_t depth = 0, len;
  do {
    if (*at == '"') {
      at++;
      if (!json_string(&at, &len)) return NULL;
      continue;
    }
    if (!*at) return NULL;
    if (*at == '[' || *at == '{') depth++;
    if (*at == ']' || *at == '}') depth--;
    at++;
  } while (depth || !strchr(",}", *at));
  return at;
}

/* {"term": "...", "vector": [...]}, in any order, with other members passed over. */
static int
json_row(importer *im, vector_text *to)
{
  char *at = im->line, *term = NULL, *numbers = NULL;
  size_t term_len = 0, numbers_len = 0, len;

  at += strspn(at, " \t");
  if (*at++ != '{') return fail_row(im, "expected a JSON object");
  while (*(at += strspn(at, " \t\r\n,")) != '}') {
    if (*at++ != '"') return fail_row(im, "expected a JSON object");
    char *key = json_string(&at, &len);
    if (!key || *(at += strspn(at, " \t")) != ':') return fail_row(im, "expected a JSON object");
    at += 1 + strspn(at + 1, " \t");
    if (is_key(key, len, "term", "id") && *at == '"') {
      at++;
      term = json_string(&at, &term_len);
    } else if (is_key(key, len, "vector", "embedding") && *at == '[') {
      numbers = at;
      at += strcspn(at, "]");
      if (*at) at++;
      numbers_len = (size_t)(at - numbers);
    } else if (!(at = skip_json(at))) {
      return fail_row(im, "expected a JSON object");
    }
    if (!*at) return fail_row(im, "expected a JSON object");
  }
  if (!term || !numbers) return fail_row(im, "expected \"term\" and \"vector\"");
  return put_text_row(im, to, term, term_len, numbers, numbers_len);
}

static int
next_text(importer *im, vector_text *to, bool *done)
{
  size_t len;
  const int status = read_line(&im->line, &im->line_cap, &len, im->file, im->name);
  if (status) return status;
  if ((*done = len == SIZE_MAX) || len == 0) return EXIT_DONE;
  im->line[len] = '\0';
  if (strlen(im->line) != len) return fail_row(im, "found a zero byte");
  if (im->kind == JSON_LINES) return json_row(im, to);
  const char *tab = memchr(im->line, '\t', len);
  if (!tab) return fail_row(im, "expected a term, a tab and numbers");
  const size_t term = (size_t)(tab - im->line);
  return put_text_row(im, to, im->line, term, tab + 1, len - term - 1);
}

static int
next_row(void *user, vector_text *to, bool *done)
{
  importer *im = user;
  im->row++;
  return im->kind == NPY || im->kind == FVECS ? next_binary(im, to, done) : next_text(im, to, done);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int
open_file(FILE **out, const char *name)
{
  *out = strcmp(name, "-") == 0 ? stdin : fopen(name, "rbe");
  if (*out) return EXIT_DONE;
  cli_complain("%s cannot be opened: %s", name, strerror(errno));
  return EXIT_DATA;
}

static bool
ends_with(const char *name, const char *end)
{
  const size_t len = strlen(name), n = strlen(end);
  return len >= n && strcmp(name + len - n, end) == 0;
}

static int
open_import(importer *im)
{
  const cli_value *terms = &im->args->option[OPT_TERMS];
  int status;

  im->kind = ends_with(im->name, ".npy")     ? NPY
             : ends_with(im->name, ".fvecs") ? FVECS
             : ends_with(im->name, ".tsv")   ? TSV
                                             : JSON_LINES;
  const bool binary = im->kind == NPY || im->kind == FVECS;
  if (binary != terms->given) {
    cli_complain(binary ? "%s has no terms: --terms FILE lists them, one a line"
                        : "%s has terms of its own: no --terms is needed",
                 im->name);
    return EXIT_USAGE;
  }
  if ((status = open_file(&im->file, im->name))) return status;
  if (binary && (status = open_file(&im->terms, im->terms_name = terms->text))) return status;
  im->values = malloc((size_t)im->index.dimension * sizeof(*im->values));
  if (!im->values) {
    cli_complain("out of memory");
    return EXIT_LIMIT;
  }
  return im->kind == NPY ? open_npy(im) : EXIT_DONE;
}

int
vector_import(quoin_store *store, const cli_args *args, const char *file)
{
  importer im = {.args = args, .name = file, .graph = args->option[OPT_GRAPH].text};
  char count[32], more[32];
  uint64_t added = 0;

  int status = vector_find(&im.index, store, args);
  if (!status) status = open_import(&im);
  const double started = cli_now();
  if (!status) status = vector_load(&added, store, args, next_row, &im);
  if (!status) {
    fprintf(stderr, "%s vectors read, %s of them new, in %.2f s", cli_count(count, im.imported),
            cli_count(more, added), cli_now() - started);
    if (im.skipped) fprintf(stderr, "; %s passed over", cli_count(count, im.skipped));
    fprintf(stderr, "\n");
  }
  if (im.file && im.file != stdin) fclose(im.file);
  if (im.terms && im.terms != stdin) fclose(im.terms);
  free(im.values);
  free(im.line);
  free(im.term);
  return status;
}
