/* base/sys.h - the system calls that touch stored data, and where faults can be let in.
 *
 * base/file.c, base/map.c and vector/pages*.c call these names and no others. An ordinary build
 * makes them the calls themselves. A build with QUOIN_FAULTS links functions of the same names from
 * tests/crash, which fail, shorten or cut power at the Nth call; there is no switch at run time and
 * nothing to pay. */
#ifndef QUOIN_BASE_SYS_H
#define QUOIN_BASE_SYS_H

#include <stddef.h>
#include <sys/types.h>

#if defined(QUOIN_FAULTS)

int sys_openat(int dir, const char *name, int flags, mode_t mode);
int sys_mkdir(const char *path, mode_t mode);
ssize_t sys_pread(int fd, void *data, size_t len, off_t offset);
ssize_t sys_pwrite(int fd, const void *data, size_t len, off_t offset);
int sys_fallocate(int fd, off_t offset, off_t len); /* returns an errno, as posix_fallocate */
int sys_fdatasync(int fd);
int sys_fsync(int fd);
int sys_renameat(int from_dir, const char *from, int to_dir, const char *to);
int sys_unlinkat(int dir, const char *name);
int sys_rmdirat(int dir, const char *name);
int sys_linkat(int from_dir, const char *from, int to_dir, const char *to);
int sys_flock(int fd, int operation);
void *sys_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
int sys_msync(void *at, size_t len, int flags);

#else

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#if defined(__SANITIZE_THREAD__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

static inline int
sys_openat(int dir, const char *name, int flags, mode_t mode)
{
  return openat(dir, name, flags, mode);
}

static inline int
sys_mkdir(const char *path, mode_t mode)
{
  return mkdir(path, mode);
}

static inline ssize_t
sys_pread(int fd, void *data, size_t len, off_t offset)
{
  return pread(fd, data, len, offset);
}

static inline ssize_t
sys_pwrite(int fd, const void *data, size_t len, off_t offset)
{
  return pwrite(fd, data, len, offset);
}

static inline int
sys_fallocate(int fd, off_t offset, off_t len)
{
  return posix_fallocate(fd, offset, len);
}

static inline int
sys_fdatasync(int fd)
{
#if defined(__APPLE__)
  return fsync(fd);
#else
  return fdatasync(fd);
#endif
}

static inline int
sys_fsync(int fd)
{
  return fsync(fd);
}

static inline int
sys_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
  return renameat(from_dir, from, to_dir, to);
}

static inline int
sys_unlinkat(int dir, const char *name)
{
  return unlinkat(dir, name, 0);
}

static inline int
sys_rmdirat(int dir, const char *name)
{
  return unlinkat(dir, name, AT_REMOVEDIR);
}

static inline int
sys_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
  return linkat(from_dir, from, to_dir, to, 0);
}

static inline int
sys_flock(int fd, int operation)
{
  return flock(fd, operation);
}

static inline void *
sys_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
#if defined(__SANITIZE_THREAD__)
  /* The sanitizer takes a mapping for a write; what a file is mapped over has the same bytes, or
   * nobody else knows of. */
  if (fd >= 0 && (flags & MAP_FIXED) && (flags & MAP_PRIVATE))
    return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
#endif
  return mmap(at, len, protection, flags, fd, offset);
}

static inline int
sys_msync(void *at, size_t len, int flags)
{
  return msync(at, len, flags);
}

#endif

#endif /* QUOIN_BASE_SYS_H */
