/* cli/vector_rows.h - files of vectors, row by row: .npy and .fvecs beside a list of terms, JSON
 * lines, TSV. */
#ifndef QUOIN_CLI_VECTOR_ROWS_H
#define QUOIN_CLI_VECTOR_ROWS_H

#include "cli/vector.h"

/* In the order of the names of --format. */
typedef enum vector_kind { VECTOR_NPY, VECTOR_FVECS, VECTOR_JSON_LINES, VECTOR_TSV } vector_kind;

/* Bytes of a file as they come, or its lines. */
typedef struct vector_reader {
  quoin_input *input;
  const char *name;
  char *data; /* what was read and not taken yet: [at, len); of malloc */
  size_t at, len;
  uint64_t taken; /* bytes */
  char *line;     /* of malloc */
  size_t line_cap;
} vector_reader;

typedef struct vector_rows {
  vector_kind kind;
  const char *name, *terms_name;
  vector_reader file, terms;
  size_t dimension;
  uint64_t row;  /* the one at hand, from 1; of text: the line */
  float *values; /* [dimension] of it */
  const char *term;
  size_t term_len;

  /* of .npy */
  uint64_t n_rows;
  size_t item; /* bytes of a number: 2, 4 or 8 */
  bool swapped, by_column;
  char *block;                /* some rows, by row; of malloc */
  size_t block_cap, block_at; /* rows */
  size_t block_rows;
  FILE *columns;  /* the file again, where the numbers stand by column: */
  long long data; /* where they begin */
} vector_rows;

/* What came of a step. */
typedef enum vector_step {
  VECTOR_ROW,
  VECTOR_BAD, /* a row that is not good: said already, and there may be others */
  VECTOR_END,
  VECTOR_FAILED /* said already */
} vector_step;

/* `format` says the kind; where it is not given the name does: .npy, .fvecs, .tsv, also with .gz
 * .bz2 .xz .zst behind, else JSON lines. `terms` lists the subjects of the first two, and is NULL
 * for others. Complains, and gives the exit status. */
int vector_rows_open(vector_rows *out, const char *name, const cli_value *format, const char *terms,
                     size_t dimension);
void vector_rows_close(vector_rows *rows);
vector_step vector_rows_next(vector_rows *rows);
/* How much was read, in rows or in bytes, and of how much; 0: that is not known. */
void vector_rows_progress(uint64_t *done, uint64_t *total, const vector_rows *rows);
/* "FILE:ROW: error: what", or a warning that it is skipped. VECTOR_BAD. */
vector_step vector_rows_bad(const vector_rows *rows, const char *what);

/* cli/vector_json.c: {"term": "...", "vector": [...]} in `line`, which is changed; NULL, or what is
 * wrong. The term is in the line; numbers go to `values`, *n of them. */
const char *vector_json_row(char *line, const char **term, size_t *term_len, float *values,
                            size_t cap, size_t *n);

#endif /* QUOIN_CLI_VECTOR_ROWS_H */
