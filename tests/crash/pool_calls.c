/* tests/crash/pool_calls.c - see pool_calls.h. */
#include "crash/pool_calls.h"

#define QUOIN_FAULTS 1
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  atomic_ulong calls;
  unsigned long chosen;
  calls_mode mode;
  atomic_bool struck;
} at;

static _Thread_local unsigned long by_thread;

unsigned long
calls_of_thread(void)
{
  return by_thread;
}

void
calls_begin(unsigned long chosen, calls_mode mode)
{
  atomic_store(&at.struck, false);
  at.chosen = chosen;
  at.mode = mode;
  atomic_store(&at.calls, 0);
}

unsigned long
calls_end(bool *struck)
{
  at.chosen = 0;
  if (struck) *struck = atomic_load(&at.struck);
  return atomic_load(&at.calls);
}

/* The errno to fail with, or 0. */
static int
enter(bool grows)
{
  by_thread++;
  if (atomic_fetch_add(&at.calls, 1) + 1 != at.chosen) return 0;
  atomic_store(&at.struck, true);
  switch (at.mode) {
  case CALLS_KILL:
    (void)kill(getpid(), SIGKILL);
    return EIO;
  case CALLS_ENOSPC:
    return grows ? ENOSPC : 0;
  case CALLS_EIO:
    break;
  }
  return EIO;
}

#define FAIL_IF(grows)                                                                             \
  do {                                                                                             \
    int failed = enter(grows);                                                                     \
    if (failed) {                                                                                  \
      errno = failed;                                                                              \
      return -1;                                                                                   \
    }                                                                                              \
  } while (0)

int
sys_openat(int dir, const char *name, int flags, mode_t mode)
{
  FAIL_IF(flags & O_CREAT);
  return openat(dir, name, flags, mode);
}

int
sys_mkdir(const char *path, mode_t mode)
{
  FAIL_IF(true);
  return mkdir(path, mode);
}

ssize_t
sys_pread(int fd, void *data, size_t len, off_t offset)
{
  FAIL_IF(false);
  return pread(fd, data, len, offset);
}

ssize_t
sys_pwrite(int fd, const void *data, size_t len, off_t offset)
{
  FAIL_IF(true);
  return pwrite(fd, data, len, offset);
}

int
sys_fallocate(int fd, off_t offset, off_t len)
{
  int failed = enter(true);
  return failed ? failed : posix_fallocate(fd, offset, len);
}

/* Nothing here outlives the machine: a sync is only a place to fail. */
int
sys_fdatasync(int fd)
{
  (void)fd;
  FAIL_IF(false);
  return 0;
}

int
sys_fsync(int fd)
{
  (void)fd;
  FAIL_IF(false);
  return 0;
}

int
sys_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
  FAIL_IF(true);
  return renameat(from_dir, from, to_dir, to);
}

int
sys_unlinkat(int dir, const char *name)
{
  FAIL_IF(false);
  return unlinkat(dir, name, 0);
}

int
sys_rmdirat(int dir, const char *name)
{
  FAIL_IF(false);
  return unlinkat(dir, name, AT_REMOVEDIR);
}

int
sys_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
  FAIL_IF(true);
  return linkat(from_dir, from, to_dir, to, 0);
}

int
sys_flock(int fd, int operation)
{
  FAIL_IF(false);
  return flock(fd, operation);
}

void *
sys_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
  int failed = enter(false);
  if (failed) {
    errno = failed;
    return MAP_FAILED;
  }
  return mmap(address, len, protection, flags, fd, offset);
}

int
sys_msync(void *address, size_t len, int flags)
{
  (void)address, (void)len, (void)flags;
  FAIL_IF(false);
  return 0;
}
