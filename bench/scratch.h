/* bench/scratch.h - a directory for the stores of a benchmark, which goes away. */
#ifndef QUOIN_BENCH_SCRATCH_H
#define QUOIN_BENCH_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct scratch {
  char path[512];
} scratch;

static inline void
scratch_make(scratch *s, const char *under)
{
  (void)snprintf(s->path, sizeof s->path, "%s/quoin-bench-XXXXXX", under);
  if (mkdtemp(s->path)) return;
  perror(s->path);
  exit(1);
}

/* Remove what a store keeps at `path`: files, no folders. */
static inline void
scratch_empty(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;

  while (dir && (e = readdir(dir))) {
    char full[1024];
    if (e->d_name[0] == '.') continue;
    (void)snprintf(full, sizeof full, "%.600s/%.255s", path, e->d_name);
    (void)unlink(full);
  }
  if (dir) (void)closedir(dir);
}

static inline void
scratch_remove(const scratch *s)
{
  scratch_empty(s->path);
  (void)rmdir(s->path);
}

#endif /* QUOIN_BENCH_SCRATCH_H */
