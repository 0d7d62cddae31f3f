/* fuzz/replay.c - runs a fuzz target over the files of folders, as an ordinary test: what libFuzzer
 * found worth keeping stays without a finding, with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Allocated to size, so that a sanitizer sees the first byte beyond. */
static int
replay(const char *path)
{
  FILE *file = fopen(path, "rb");
  uint8_t *data = NULL;
  long size = -1;
  int failed = 1;

  if (!file) goto done;
  if (fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) goto done;
  if (!(data = malloc(size ? (size_t)size : 1))) goto done;
  if (fread(data, 1, (size_t)size, file) != (size_t)size) goto done;
  failed = LLVMFuzzerTestOneInput(data, (size_t)size);

done:
  if (failed) fprintf(stderr, "%s cannot be replayed\n", path);
  free(data);
  if (file) fclose(file);
  return failed;
}

int
main(int argc, char **argv)
{
  int failed = 0, files = 0;
  for (int i = 1; i < argc; i++) {
    char path[4096];
    struct dirent *entry;
    DIR *dir = opendir(argv[i]);
    if (!dir) {
      fprintf(stderr, "%s cannot be opened\n", argv[i]);
      return 1;
    }
    while ((entry = readdir(dir))) {
      if (entry->d_name[0] == '.') continue;
      int len = snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
      if (len < 0 || (size_t)len >= sizeof(path)) return 1;
      failed |= replay(path);
      files++;
    }
    closedir(dir);
  }
  printf("%d inputs\n", files);
  return failed || !files;
}
