#include "cli/vector_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of .npy are read in blocks of about so many bytes, so that those that stand by column are
 * read in long pieces. */
enum { BLOCK = 32 << 20, NPY_HEAD = 65536, DIMENSIONS_MAX = 65535, READ_SIZE = 1 << 18 };

#define NPY_MAGIC "\x93NUMPY"

/* ---- what is wrong --------------------------------------------------------------------------- */

static void QUOIN_PRINTF(2, 3) say(const vector_rows *r, const char *fmt, ...)
{
  va_list args;

  fflush(stdout);
  if (r->row)
    fprintf(stderr, "%s:%" PRIu64 ": ", r->name, r->row);
  else
    fprintf(stderr, "%s: ", r->name);
  fprintf(stderr, "error: ");
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  fputc('\n', stderr);
}

static vector_step
fail(const vector_rows *r, const char *what)
{
  say(r, "%s", what);
  return VECTOR_FAILED;
}

vector_step
vector_rows_bad(const vector_rows *r, const char *what)
{
  if (r->terms.line && r->term_len)
    say(r, "%s (of %.*s, %s:%" PRIu64 ")", what, (int)(r->term_len < 200 ? r->term_len : 200),
        r->term, r->terms_name, r->row);
  else
    say(r, "%s", what);
  return VECTOR_BAD;
}

static vector_step
bad_count(const vector_rows *r, uint64_t found)
{
  char what[80];
  snprintf(what, sizeof(what), "found %" PRIu64 " numbers, expected %zu", found, r->dimension);
  return vector_rows_bad(r, what);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool
open_reader(vector_reader *r, const char *name)
{
  quoin_error err = QUOIN_ERROR_INIT;
  *r = (vector_reader){.name = name, .data = malloc(READ_SIZE)};
  if (!r->data)
    cli_complain("out of memory");
  else if (quoin_input_open(&r->input, name, &err))
    (void)cli_report(&err, name);
  return r->input != NULL;
}

static void
close_reader(vector_reader *r)
{
  quoin_input_close(r->input);
  free(r->data);
  free(r->line);
}

/* There is something in r->data, or r->len is 0: the end. */
static bool
fill(vector_reader *r)
{
  quoin_error err = QUOIN_ERROR_INIT;
  if (r->at < r->len) return true;
  r->at = r->len = 0;
  if (!quoin_input_read(&r->len, r->input, r->data, READ_SIZE, &err)) return true;
  (void)cli_report(&err, r->name);
  return false;
}

/* Up to n bytes; fewer at the end. False: it failed, and that was said. */
static bool
take(size_t *got, vector_reader *r, void *to, size_t n)
{
  for (*got = 0; *got < n;) {
    if (!fill(r)) return false;
    if (!r->len) break;
    const size_t some = n - *got < r->len - r->at ? n - *got : r->len - r->at;
    memcpy((char *)to + *got, r->data + r->at, some);
    r->at += some;
    r->taken += some;
    *got += some;
  }
  return true;
}

static bool
append(vector_reader *r, size_t *len, const char *from, size_t n)
{
  if (r->line_cap - *len <= n) {
    const size_t cap = 2 * (*len + n) + 256;
    char *grown = realloc(r->line, cap);
    if (!grown) {
      cli_complain("out of memory");
      return false;
    }
    r->line = grown;
    r->line_cap = cap;
  }
  memcpy(r->line + *len, from, n);
  *len += n;
  r->line[*len] = '\0';
  return true;
}

/* A line without its end into r->line; *len is SIZE_MAX at the end of the file. */
static bool
read_line(size_t *len, vector_reader *r)
{
  bool some = false;
  for (*len = 0;;) {
    if (!fill(r)) return false;
    if (!r->len) break;
    some = true;
    const char *from = r->data + r->at, *end = memchr(from, '\n', r->len - r->at);
    const size_t n = end ? (size_t)(end - from) : r->len - r->at;
    if (!append(r, len, from, n)) return false;
    r->at += n + (end != NULL);
    r->taken += n + (end != NULL);
    if (end) break;
  }
  while (some && *len && (r->line[*len - 1] == '\n' || r->line[*len - 1] == '\r'))
    r->line[--*len] = '\0';
  if (!some) *len = SIZE_MAX;
  return true;
}

/* ---- .npy ------------------------------------------------------------------------------------ */

/* The value of 'key' in the header, a literal of Python; NULL: there is none. */
static const char *
header_value(const char *header, const char *key)
{
  const size_t len = strlen(key);
  for (const char *at = header; (at = strstr(at, key)); at += len) {
    const char quote = at > header ? at[-1] : 0;
    if ((quote != '\'' && quote != '"') || at[len] != quote) continue;
    at += len + 1;
    at += strspn(at, " \t");
    if (*at == ':') return at + 1 + strspn(at + 1, " \t");
  }
  return NULL;
}

/* A size, behind which *at is left; false: it is none, or too large. */
static bool
read_size(uint64_t *out, const char **at)
{
  *out = 0;
  *at += strspn(*at, " \t");
  if (**at < '0' || **at > '9') return false;
  for (; **at >= '0' && **at <= '9'; ++*at) {
    if (*out > UINT64_MAX / 16) return false;
    *out = *out * 10 + (uint64_t)(**at - '0');
  }
  *at += strspn(*at, "L \t"); /* Python 2 wrote 3L */
  return true;
}

static bool
read_shape(uint64_t *rows, uint64_t *columns, const char *at)
{
  if (*at++ != '(' || !read_size(rows, &at) || *at++ != ',' || !read_size(columns, &at))
    return false;
  if (*at == ',') at++;
  return at[strspn(at, " \t")] == ')';
}

static bool
read_type(vector_rows *r, const char *at)
{
  if (*at != '\'' && *at != '"') return false;
  const char quote = *at++;
  r->swapped = *at == '>';
  if (!*at || !strchr("<>=", *at++) || *at++ != 'f' || !*at || !strchr("248", *at)) return false;
  r->item = (size_t)(*at - '0');
  return at[1] == quote;
}

/* Numbers that stand by column are read at many places of a file. */
static const char *
open_columns(vector_rows *r)
{
  char magic[6];
  if (strcmp(r->name, "-") == 0)
    return "numbers that stand by column (fortran_order) cannot be read from a pipe";
  if (!(r->columns = fopen(r->name, "rbe"))) return strerror(errno);
  if (fread(magic, 1, sizeof(magic), r->columns) != sizeof(magic) ||
      memcmp(magic, NPY_MAGIC, sizeof(magic)) != 0)
    return "numbers that stand by column (fortran_order) cannot be read from a compressed file";
  r->data = (long long)r->file.taken;
  return NULL;
}

/* NumPy's format, versions 1 to 3: magic, version, length, a dict of Python, numbers. */
static vector_step
open_npy(vector_rows *r)
{
  unsigned char head[12];
  char *text = malloc(NPY_HEAD);
  uint64_t columns = 0;
  const char *wrong = "this is not a .npy file";
  size_t len = 0, got;

  if (!text) return fail(r, "out of memory");
  if (!take(&got, &r->file, head, 10)) goto failed;
  if (got != 10 || memcmp(head, NPY_MAGIC, 6) != 0) goto done;
  wrong = "expected a .npy file of version 1, 2 or 3";
  if (head[6] < 1 || head[6] > 3 || head[7] != 0) goto done;
  wrong = "the header is cut off or too long";
  len = (size_t)head[8] | (size_t)head[9] << 8;
  if (head[6] > 1) {
    if (!take(&got, &r->file, head + 10, 2)) goto failed;
    if (got != 2) goto done;
    len |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
  }
  if (len >= NPY_HEAD) goto done;
  if (!take(&got, &r->file, text, len)) goto failed;
  if (got != len) goto done;
  text[len] = '\0';
  const char *shape = header_value(text, "shape"), *type = header_value(text, "descr"),
             *order = header_value(text, "fortran_order");
  wrong = "expected floats of 2, 4 or 8 bytes";
  if (!type || !read_type(r, type)) goto done;
  wrong = "expected an array of two dimensions";
  if (!shape || !read_shape(&r->n_rows, &columns, shape)) goto done;
  wrong = "the header does not say in which order the numbers are";
  if (!order) goto done;
  r->by_column = strncmp(order, "True", 4) == 0;
  if (!r->by_column && strncmp(order, "False", 5) != 0) goto done;
  if ((wrong = r->by_column ? open_columns(r) : NULL)) goto done;
  if (columns != r->dimension)
    say(r, "found rows of %" PRIu64 " numbers, expected %zu", columns, r->dimension);

done:
  free(text);
  if (wrong) return fail(r, wrong);
  return columns == r->dimension ? VECTOR_ROW : VECTOR_FAILED;

failed:
  free(text);
  return VECTOR_FAILED;
}

/* The numbers of rows [from, from + n) stand in r->dimension pieces: put them side by side. */
static bool
read_columns(vector_rows *r, uint64_t from, size_t n)
{
  char *piece = malloc(n * r->item);
  bool good = piece != NULL;
  const uint64_t most = INT64_MAX / 8 / r->dimension;

  good = good && r->n_rows < most;
  for (size_t column = 0; good && column < r->dimension; column++) {
    const uint64_t at = (column * r->n_rows + from) * r->item;
    good = at < (uint64_t)(INT64_MAX - r->data) &&
           fseeko(r->columns, (off_t)(r->data + (long long)at), SEEK_SET) == 0 &&
           fread(piece, r->item, n, r->columns) == n;
    for (size_t i = 0; good && i < n; i++)
      memcpy(r->block + (i * r->dimension + column) * r->item, piece + i * r->item, r->item);
  }
  free(piece);
  return good;
}

static vector_step
read_block(vector_rows *r)
{
  const uint64_t from = r->row - 1, left = r->n_rows - from;
  const size_t width = r->dimension * r->item;
  size_t n = width < BLOCK ? BLOCK / width : 1;

  if (n > left) n = (size_t)left;
  if (!r->block) {
    if (!(r->block = malloc(n * width))) return fail(r, "out of memory");
    r->block_cap = n;
  }
  if (n > r->block_cap) n = r->block_cap;
  r->block_at = 0;
  r->block_rows = n;
  size_t got = n * width;
  if (!r->by_column && !take(&got, &r->file, r->block, n * width)) return VECTOR_FAILED;
  const bool good = r->by_column ? read_columns(r, from, n) : got == n * width;
  if (good) return VECTOR_ROW;
  /* By column all rows lack something, or none that could be named. */
  r->row = r->by_column ? 0 : r->row + got / width;
  return fail(r, "the file ends early");
}

/* What stands behind the last row belongs to another shape than the header says. */
static vector_step
end_npy(vector_rows *r)
{
  const uint64_t size = r->n_rows * r->dimension * r->item; /* that many were read */
  char more;
  size_t got = 0;

  if (!r->by_column && !take(&got, &r->file, &more, 1)) return VECTOR_FAILED;
  if (r->by_column && fseeko(r->columns, (off_t)(r->data + (long long)size), SEEK_SET) == 0)
    got = fread(&more, 1, 1, r->columns);
  return got ? fail(r, "there are bytes behind the last row") : VECTOR_END;
}

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

static float
number_of(const vector_rows *r, const char *at)
{
  char bytes[8];
  uint16_t h;
  float f;
  double d;

  for (size_t i = 0; i < r->item; i++)
    bytes[i] = at[r->swapped ? r->item - 1 - i : i];
  memcpy(&h, bytes, sizeof(h));
  memcpy(&f, bytes, sizeof(f));
  if (r->item == 2) return half(h);
  if (r->item == 4) return f;
  memcpy(&d, bytes, sizeof(d));
  return (float)d;
}

static vector_step
next_npy(vector_rows *r)
{
  vector_step step;
  if (r->row > r->n_rows) return end_npy(r);
  if (r->block_at == r->block_rows && (step = read_block(r))) return step;
  const char *from = r->block + r->block_at++ * r->dimension * r->item;
  for (size_t i = 0; i < r->dimension; i++)
    r->values[i] = number_of(r, from + i * r->item);
  return VECTOR_ROW;
}

/* ---- .fvecs ---------------------------------------------------------------------------------- */

static vector_step
next_fvecs(vector_rows *r)
{
  uint32_t dimension;
  size_t got;

  if (!take(&got, &r->file, &dimension, sizeof(dimension))) return VECTOR_FAILED;
  if (!got) return VECTOR_END;
  if (got != sizeof(dimension)) return fail(r, "the file ends early");
  if (!dimension || dimension > DIMENSIONS_MAX) return fail(r, "this is not a .fvecs file");
  for (uint32_t i = 0; i < dimension; i++) {
    float value;
    if (!take(&got, &r->file, &value, sizeof(value))) return VECTOR_FAILED;
    if (got != sizeof(value)) return fail(r, "the file ends early");
    if (i < r->dimension) r->values[i] = value;
  }
  if (dimension == r->dimension) return VECTOR_ROW;
  (void)bad_count(r, dimension);
  return VECTOR_BAD;
}

/* The term that goes with a row of numbers, which it names in messages. */
static vector_step
next_binary(vector_rows *r)
{
  size_t len;
  if (!read_line(&len, &r->terms)) return VECTOR_FAILED;
  r->term = r->terms.line;
  r->term_len = len == SIZE_MAX ? 0 : len;
  vector_step step = r->kind == VECTOR_NPY ? next_npy(r) : next_fvecs(r);
  if (step == VECTOR_END && r->term_len) return fail(r, "there are more terms than vectors");
  if ((step == VECTOR_ROW || step == VECTOR_BAD) && len == SIZE_MAX)
    return fail(r, "there are more vectors than terms");
  return step;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static vector_step
next_text(vector_rows *r)
{
  size_t len, n = 0;
  do {
    if (!read_line(&len, &r->file)) return VECTOR_FAILED;
    if (len == SIZE_MAX) return VECTOR_END;
    if (!len) r->row++;
  } while (!len);
  char *line = r->file.line;
  if (strlen(line) != len) return vector_rows_bad(r, "found a zero byte");
  if (r->kind == VECTOR_JSON_LINES) {
    const char *wrong = vector_json_row(line, &r->term, &r->term_len, r->values, r->dimension, &n);
    if (wrong) return vector_rows_bad(r, wrong);
  } else {
    const char *tab = memchr(line, '\t', len);
    if (!tab) return vector_rows_bad(r, "expected a term, a tab and numbers");
    r->term = line;
    r->term_len = (size_t)(tab - line);
    n = vector_numbers(r->values, r->dimension, tab + 1, len - r->term_len - 1);
  }
  if (n == SIZE_MAX) return vector_rows_bad(r, "expected finite numbers, as JSON has them");
  return n == r->dimension ? VECTOR_ROW : bad_count(r, n);
}

vector_step
vector_rows_next(vector_rows *r)
{
  r->row++;
  return r->kind == VECTOR_NPY || r->kind == VECTOR_FVECS ? next_binary(r) : next_text(r);
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool
ends_with(const char *name, size_t len, const char *end)
{
  const size_t n = strlen(end);
  return len >= n && memcmp(name + len - n, end, n) == 0;
}

/* By what the name ends with when the endings of compression are off. */
static vector_kind
kind_of(const char *name)
{
  static const char *const packed[] = {".gz", ".bz2", ".xz", ".zst"};
  size_t len = strlen(name);
  for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++)
    if (ends_with(name, len, packed[i])) {
      len -= strlen(packed[i]);
      break;
    }
  return ends_with(name, len, ".npy")     ? VECTOR_NPY
         : ends_with(name, len, ".fvecs") ? VECTOR_FVECS
         : ends_with(name, len, ".tsv")   ? VECTOR_TSV
                                          : VECTOR_JSON_LINES;
}

int
vector_rows_open(vector_rows *out, const char *name, const cli_value *format, const char *terms,
                 size_t dimension)
{
  *out = (vector_rows){.name = name, .terms_name = terms, .dimension = dimension};
  out->kind = format->given ? (vector_kind)format->number : kind_of(name);
  const bool binary = out->kind == VECTOR_NPY || out->kind == VECTOR_FVECS;
  if (binary != (terms != NULL)) {
    cli_complain(binary ? "%s has no terms: --terms FILE lists them, one a line"
                        : "%s has terms of its own: no --terms is needed",
                 name);
    return EXIT_USAGE;
  }
  if (!open_reader(&out->file, name) || (binary && !open_reader(&out->terms, terms)))
    return EXIT_DATA;
  if (!(out->values = malloc((dimension ? dimension : 1) * sizeof(*out->values)))) {
    cli_complain("out of memory");
    return EXIT_LIMIT;
  }
  return out->kind == VECTOR_NPY && open_npy(out) ? EXIT_DATA : EXIT_DONE;
}

void
vector_rows_progress(uint64_t *done, uint64_t *total, const vector_rows *r)
{
  *done = r->row;
  *total = r->n_rows;
  if (!r->n_rows) quoin_input_progress(done, total, r->file.input);
}

void
vector_rows_close(vector_rows *r)
{
  close_reader(&r->file);
  close_reader(&r->terms);
  if (r->columns) fclose(r->columns);
  free(r->values);
  free(r->block);
}
