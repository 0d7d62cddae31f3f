/* bench/npy.h - rows of numbers from a .npy file of version 1. */
#ifndef QUOIN_BENCH_NPY_H
#define QUOIN_BENCH_NPY_H

#include <stddef.h>
#include <stdint.h>

/* One of the pointers is set: `f` for float32 and float16, `i` for int32, `b` for uint8. */
typedef struct npy {
  size_t rows, columns;
  float *f;
  int32_t *i;
  uint8_t *b;
} npy;

/* Zeroed, aligned to 64 bytes, with 64 bytes to spare; ends the program when there is none. */
void *npy_room(size_t n, size_t size);
/* Ends the program with a message when the file is none of these. To be freed with npy_free(). */
npy npy_load(const char *path);
void npy_free(npy *t);

#endif /* QUOIN_BENCH_NPY_H */
