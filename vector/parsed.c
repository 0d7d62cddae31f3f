/* vector/parsed.c - the floats of literals of other systems, kept from the first search on.
 *
 * A cdt:List or a tensor stands in the store as its text, which takes some 10 us to read for 384
 * numbers: a hundred times what a search does with a vector. An index keeps what it has read by the
 * number of the atom, and which are no vectors of it, up to VEC_PARSED_MOST bytes; the rest is read
 * each time. */
#include "vector/index.h"

#include "base/poison.h"

struct vec_parsed_row {
  struct vec_parsed_row *next; /* of all */
  size_t count;                /* of floats */
  float values[];
};

/* A word of `known`: the address of a row, or this. */
enum { NO_VECTOR = 1 };

static size_t
row_bytes(size_t count)
{
  return sizeof(vec_parsed_row) + count * sizeof(float);
}

/* The row that keeps them; NULL: no memory. */
static vec_parsed_row *
row_new(const vec_parsed *p, const float *values, uint32_t dimension)
{
  vec_parsed_row *row = base_new(p->mem, row_bytes(dimension), 1);
  if (!row) return NULL;
  row->count = dimension;
  memcpy(row->values, values, dimension * sizeof(float));
  return row;
}

/* Without room it is read again the next time. */
static void
keep(vec_parsed *p, uint64_t number, const float *values, uint32_t dimension)
{
  _Atomic(uint64_t) *word = NULL;
  vec_parsed_row *row = NULL;
  uint64_t nothing = 0, known = NO_VECTOR;
  size_t bytes = sizeof(known) + (values ? row_bytes(dimension) : 0);
  if (atomic_fetch_add(&p->bytes, bytes) + bytes > VEC_PARSED_MOST) goto full;
  if (values && !(row = row_new(p, values, dimension))) goto full;
  if (row) known = (uint64_t)(uintptr_t)row;
  /* Release: pairs with the acquire in vec_parsed_floats. Or another search was first. */
  if (!(word = base_sparse_make(&p->known, number, p->mem)) ||
      !atomic_compare_exchange_strong(word, &nothing, known))
    goto full;
  if (!row) return;
  row->next = atomic_load(&p->rows);
  while (!atomic_compare_exchange_weak(&p->rows, &row->next, row))
    ;
  return;

full:
  if (row) base_release(p->mem, row, row_bytes(dimension), 1);
  atomic_fetch_sub(&p->bytes, bytes);
}

quoin_status
vec_parsed_floats(const float **out, vec_parsed *p, uint32_t dimension,
                  const quad_snapshot *snapshot, const vec_terms *terms, atom_id id,
                  base_arena *arena, quoin_error *err)
{
  uint32_t count;
  uint64_t number = atom_id_payload(id);
  _Atomic(uint64_t) *word = base_sparse_find(&p->known, number);
  uint64_t known = word ? atomic_load_explicit(word, memory_order_acquire) : 0;
  *out = NULL;
  if (known == NO_VECTOR) return QUOIN_OK;
  if (known) {
    *out = ((const vec_parsed_row *)(uintptr_t)known)->values;
    return QUOIN_OK;
  }
  quoin_status st = vec_of_id(out, &count, snapshot, terms, id, arena, err);
  if (st) return st;
  if (*out && count != dimension) *out = NULL;
  keep(p, number, *out, dimension);
  return QUOIN_OK;
}

void
vec_parsed_clear(vec_parsed *p)
{
  for (vec_parsed_row *row = atomic_load(&p->rows), *next; row; row = next) {
    next = row->next;
    base_release(p->mem, row, row_bytes(row->count), 1);
  }
  if (p->mem) base_sparse_clear(&p->known, p->mem);
}
