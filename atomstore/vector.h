/* atomstore/vector.h - vectors inside the store: rows of floats in vectors-G.
 *
 * A row begins at a multiple of 64 bytes, its place; the record of a vector names dimension and
 * place. Rows are added with their terms and are as visible as these. In an overlay the place is
 * the address of the floats. */
#ifndef QUOIN_ATOMSTORE_VECTOR_H
#define QUOIN_ATOMSTORE_VECTOR_H

#include "atomstore/store.h"

enum { ATOM_ROW = 64 };

/* Bytes from the place of one row to that of the next. */
static inline uint64_t
atom_row_bytes(uint64_t dimension)
{
  return (dimension * sizeof(float) + ATOM_ROW - 1) & ~(uint64_t)(ATOM_ROW - 1);
}

/* Room for a row of `dimension`. */
quoin_status atom_row_room(atom_store *store, uint64_t dimension, quoin_error *err);
/* Put the floats of `rec` at its place, which is the end, and move the end. */
void atom_row_put(atom_store *store, const atom_record *rec);
/* Fill rec->value with the floats: of term `number`, a vector. */
quoin_status atom_row_value(atom_record *rec, const atom_store *store, uint64_t number,
                            quoin_error *err);
/* Terms above `terms`, which are still there, are about to go. */
void atom_rows_rollback(atom_store *store, uint64_t terms, uint64_t now);

#endif /* QUOIN_ATOMSTORE_VECTOR_H */
