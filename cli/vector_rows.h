/* cli/vector_rows.h - files of vectors, row by row: .npy and .fvecs beside a list of terms, JSON
 * lines, TSV. */
#ifndef QUOIN_CLI_VECTOR_ROWS_H
#define QUOIN_CLI_VECTOR_ROWS_H

#include "cli/vector.h"

typedef enum vector_kind { VECTOR_NPY, VECTOR_FVECS, VECTOR_JSON_LINES, VECTOR_TSV } vector_kind;

typedef struct vector_rows {
  vector_kind kind;
  const char *name, *terms_name;
  FILE *file, *terms;
  size_t dimension;
  uint64_t row;  /* the one at hand, from 1; of text: the line */
  float *values; /* [dimension] of it */
  const char *term;
  size_t term_len;

  char *line, *term_line; /* of malloc */
  size_t line_cap, term_cap;
  /* of .npy */
  uint64_t n_rows;
  size_t item; /* bytes of a number: 2, 4 or 8 */
  bool swapped, by_column;
  char *block;                /* some rows, by row; of malloc */
  size_t block_cap, block_at; /* rows */
  size_t block_rows;
  long long data; /* where the numbers begin, where they stand by column */
} vector_rows;

/* What came of a step. */
typedef enum vector_step {
  VECTOR_ROW,
  VECTOR_BAD, /* a row that is not good: said already, and there may be others */
  VECTOR_END,
  VECTOR_FAILED /* said already */
} vector_step;

/* The kind is known by the name: .npy, .fvecs, .tsv, else JSON lines. `terms` lists the subjects of
 * the first two, and is NULL for others. Complains, and gives the exit status. */
int vector_rows_open(vector_rows *out, const char *name, const char *terms, size_t dimension);
void vector_rows_close(vector_rows *rows);
vector_step vector_rows_next(vector_rows *rows);
/* "FILE:ROW: error: what", or a warning that it is skipped. VECTOR_BAD. */
vector_step vector_rows_bad(const vector_rows *rows, const char *what);

/* cli/vector_json.c: {"term": "...", "vector": [...]} in `line`, which is changed; NULL, or what is
 * wrong. The term is in the line; numbers go to `values`, *n of them. */
const char *vector_json_row(char *line, const char **term, size_t *term_len, float *values,
                            size_t cap, size_t *n);

#endif /* QUOIN_CLI_VECTOR_ROWS_H */
