/* bench/npy.c - as numpy.save() writes it: a head of Python's text, then the numbers. */
#include "bench/npy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
stop(const char *what, const char *detail)
{
  (void)fprintf(stderr, "error: %s: %s\n", what, detail);
  exit(1);
}

void *
npy_room(size_t n, size_t size)
{
  void *p = NULL;

  if (n > (SIZE_MAX - 64) / size || posix_memalign(&p, 64, n * size + 64)) stop("memory", "none");
  memset(p, 0, n * size + 64);
  return p;
}

/* IEEE half to single, exact. */
static float
from_half(uint16_t h)
{
  uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, fraction = h & 0x3ffu;
  uint32_t bits = sign | (exponent + 112u) << 23 | fraction << 13;
  float f;

  if (exponent == 31) bits = sign | 0x7f800000u | fraction << 13;
  memcpy(&f, &bits, 4);
  if (exponent) return f;
  f = (float)fraction * 0x1p-24f;
  return sign ? -f : f;
}

static void
read_half(float *out, size_t n, FILE *in, const char *path)
{
  uint16_t *half = npy_room(n, 2);

  if (fread(half, 2, n, in) != n) stop("short", path);
  for (size_t i = 0; i < n; i++)
    out[i] = from_half(half[i]);
  free(half);
}

npy
npy_load(const char *path)
{
  FILE *in = fopen(path, "rb");
  uint8_t lead[10];
  char head[4096] = {0};
  npy t = {0};

  if (!in || fread(lead, 1, 10, in) != 10 || memcmp(lead, "\x93NUMPY\x01", 7) != 0)
    stop("not a .npy file of version 1", path);
  size_t len = (size_t)lead[8] | (size_t)lead[9] << 8;
  if (len >= sizeof head || fread(head, 1, len, in) != len) stop("head", path);
  const char *shape = strstr(head, "'shape': (");
  if (!shape || sscanf(shape + 10, "%zu, %zu", &t.rows, &t.columns) < 1) stop("shape", path);
  if (!t.columns) t.columns = 1;
  if (t.rows > SIZE_MAX / 8 / t.columns) stop("shape", path);
  size_t n = t.rows * t.columns;
  bool short_file = false;
  if (strstr(head, "'<f4'"))
    short_file = fread(t.f = npy_room(n, 4), 4, n, in) != n;
  else if (strstr(head, "'<f2'"))
    read_half(t.f = npy_room(n, 4), n, in, path);
  else if (strstr(head, "'<i4'"))
    short_file = fread(t.i = npy_room(n, 4), 4, n, in) != n;
  else if (strstr(head, "'|u1'"))
    short_file = fread(t.b = npy_room(n, 1), 1, n, in) != n;
  else
    stop("type", path);
  if (short_file) stop("short", path);
  (void)fclose(in);
  return t;
}

void
npy_free(npy *t)
{
  free(t->f);
  free(t->i);
  free(t->b);
  *t = (npy){0};
}
