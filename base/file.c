/* base/file.c - files and directories, on the calls of base/sys.h. */
#include "base/file.h"

#include "base/cancel.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/sys.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/poison.h"

/* More than this in one call is cut short by the system anyway. */
static const size_t IO_MAX = (size_t)1 << 30;

/* The end of "dir/name", for messages. */
static void
name_set(char out[256], const char *dir, const char *name)
{
  size_t dir_len = dir ? strlen(dir) : 0, name_len = strlen(name);
  size_t room = 255;
  if (name_len > room) name += name_len - room, name_len = room;
  room -= name_len;
  char *at = out;
  if (dir_len && room > 1) {
    size_t take = dir_len < room - 1 ? dir_len : room - 1;
    memcpy(at, dir + dir_len - take, take);
    at += take;
    if (at[-1] != '/') *at++ = '/';
  }
  memcpy(at, name, name_len);
  at[name_len] = '\0';
}

/* ---- directories ------------------------------------------------------------------------------
 */

quoin_status
base_dir_open(base_dir *out, const char *path, quoin_error *err)
{
  *out = BASE_DIR_NONE;
  int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return base_fail_os(err, errno, path, "directory cannot be opened");
  out->fd = fd;
  name_set(out->name, NULL, path);
  return QUOIN_OK;
}

quoin_status
base_dir_open_in(base_dir *out, const base_dir *in, const char *name, quoin_error *err)
{
  *out = BASE_DIR_NONE;
  name_set(out->name, in->name, name);
  int fd = sys_openat(in->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return base_fail_os(err, errno, out->name, "directory cannot be opened");
  out->fd = fd;
  return QUOIN_OK;
}

quoin_status
base_dir_create(const char *path, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  base_dir dir = BASE_DIR_NONE;
  if (sys_mkdir(path, 0777)) return base_fail_os(err, errno, path, "directory cannot be made");
  if ((st = base_dir_open(&dir, path, err))) goto done;
  if ((st = base_dir_sync(&dir, err))) goto done;
  st = base_dir_sync_parent(&dir, err);

done:
  base_dir_close(&dir);
  if (st) (void)sys_rmdirat(AT_FDCWD, path);
  return st;
}

quoin_status
base_dir_sync(const base_dir *dir, quoin_error *err)
{
  if (sys_fsync(dir->fd)) return base_fail_os(err, errno, dir->name, "directory cannot be synced");
  return QUOIN_OK;
}

quoin_status
base_dir_sync_parent(const base_dir *dir, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  int parent = sys_openat(dir->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (parent < 0 && errno == EACCES) return QUOIN_OK;
  if (parent < 0 || sys_fsync(parent))
    st = base_fail_os(err, errno, dir->name, "the parent directory cannot be synced");
  if (parent >= 0) (void)close(parent);
  return st;
}

void
base_dir_close(base_dir *dir)
{
  if (dir->fd >= 0) (void)close(dir->fd);
  *dir = BASE_DIR_NONE;
}

quoin_status
base_dir_list(const base_dir *dir,
              quoin_status (*each)(void *user, const char *name, quoin_error *err), void *user,
              quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  DIR *stream = NULL;
  /* A descriptor of its own: the stream owns it and moves its offset. */
  int fd = sys_openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0 || !(stream = fdopendir(fd))) {
    st = base_fail_os(err, errno, dir->name, "directory cannot be read");
    goto done;
  }
  fd = -1;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(stream);
    if (!entry) {
      if (errno) st = base_fail_os(err, errno, dir->name, "directory cannot be read");
      break;
    }
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if ((st = each(user, entry->d_name, err))) break;
  }

done:
  if (fd >= 0) (void)close(fd);
  if (stream) (void)closedir(stream);
  return st;
}

uint64_t
base_dir_file_bytes(const base_dir *dir, const char *name)
{
  struct stat st;
  return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) || st.st_size < 0 ? 0
                                                                            : (uint64_t)st.st_size;
}

bool
base_dir_link(const base_dir *from, const char *name, const base_dir *to)
{
  return sys_linkat(from->fd, name, to->fd, name) == 0;
}

quoin_status
base_dir_remove(const base_dir *dir, const char *name, quoin_error *err)
{
  if (sys_rmdirat(dir ? dir->fd : AT_FDCWD, name) == 0) return QUOIN_OK;
  int os_errno = errno;
  char full[256];
  name_set(full, dir ? dir->name : NULL, name);
  return base_fail_os(err, os_errno, full, "directory cannot be removed");
}

quoin_status
base_dir_unlink(const base_dir *dir, const char *name, quoin_error *err)
{
  uint64_t bytes = dir->quota ? base_dir_file_bytes(dir, name) : 0;
  if (sys_unlinkat(dir->fd, name) == 0) {
    if (dir->quota) dir->quota->shrink(dir->quota, bytes);
    return QUOIN_OK;
  }
  int os_errno = errno;
  char full[256];
  name_set(full, dir->name, name);
  return base_fail_os(err, os_errno, full, "file cannot be removed");
}

quoin_status
base_dir_rename(const base_dir *dir, const char *from, const char *to, quoin_error *err)
{
  if (sys_renameat(dir->fd, from, dir->fd, to) == 0) return QUOIN_OK;
  int os_errno = errno;
  char full[256];
  name_set(full, dir->name, from);
  return base_fail_os(err, os_errno, full, "file cannot be renamed to '%s'", to);
}

bool
base_dir_has(const base_dir *dir, const char *name)
{
  struct stat st;
  return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

quoin_status
base_dir_free_bytes(uint64_t *out, const base_dir *dir, quoin_error *err)
{
  struct statvfs fs;
  *out = 0;
  if (fstatvfs(dir->fd, &fs))
    return base_fail_os(err, errno, dir->name, "free space cannot be read");
  if (__builtin_mul_overflow((uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, out)) *out = UINT64_MAX;
  return QUOIN_OK;
}

/* ---- files --------------------------------------------------------------------------------------
 */

quoin_status
base_file_open(base_file *out, const base_dir *dir, const char *name, base_file_mode mode,
               quoin_error *err)
{
  int flags = O_CLOEXEC;
  switch (mode) {
  case BASE_FILE_READ:
    flags |= O_RDONLY;
    break;
  case BASE_FILE_WRITE:
    flags |= O_RDWR;
    break;
  case BASE_FILE_CREATE_NEW:
    flags |= O_RDWR | O_CREAT | O_EXCL;
    break;
  }
  *out = BASE_FILE_NONE;
  out->quota = dir ? dir->quota : NULL;
  name_set(out->name, dir ? dir->name : NULL, name);
  int fd;
  do
    fd = sys_openat(dir ? dir->fd : AT_FDCWD, name, flags, 0666);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    return base_fail_os(err, errno, out->name,
                        mode == BASE_FILE_CREATE_NEW ? "file cannot be created"
                                                     : "file cannot be opened");
  }
  out->fd = fd;
  return QUOIN_OK;
}

/* Made under a name that is removed at once, for file systems without O_TMPFILE. */
static int
open_unlinked(const base_dir *dir)
{
  char name[64];
  for (unsigned attempt = 0; attempt < 100; attempt++) {
    uint64_t mixed = base_mix(base_clock_ns() + ((uint64_t)getpid() << 32) + attempt);
    (void)snprintf(name, sizeof(name), ".quoin-%016llx", (unsigned long long)mixed);
    int fd = sys_openat(dir->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 && sys_unlinkat(dir->fd, name)) {
      int os_errno = errno;
      (void)close(fd);
      errno = os_errno;
      return -1;
    }
    if (fd >= 0 || (errno != EEXIST && errno != EINTR)) return fd;
  }
  return -1;
}

quoin_status
base_file_temp(base_file *out, const char *path, quoin_error *err)
{
  *out = BASE_FILE_NONE;
  base_dir dir;
  quoin_status st = base_dir_open(&dir, path, err);
  if (st) return st;
  name_set(out->name, path, "(temporary file)");
  int fd = -1;
#if defined(O_TMPFILE)
  do
    fd = sys_openat(dir.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  while (fd < 0 && errno == EINTR);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL))
#endif
    fd = open_unlinked(&dir);
  if (fd < 0)
    st = base_fail_os(err, errno, path, "temporary file cannot be made");
  else
    out->fd = fd;
  base_dir_close(&dir);
  return st;
}

void
base_file_close(base_file *file)
{
  if (file->locked) (void)sys_flock(file->fd, LOCK_UN);
  if (file->fd >= 0) (void)close(file->fd);
  file->fd = -1;
  file->locked = false;
}

quoin_status
base_file_size(uint64_t *out, const base_file *file, quoin_error *err)
{
  struct stat st;
  *out = 0;
  if (fstat(file->fd, &st)) return base_fail_os(err, errno, file->name, "file size is unknown");
  *out = (uint64_t)st.st_size;
  return QUOIN_OK;
}

static quoin_status
offset_check(const base_file *file, size_t len, uint64_t offset, quoin_error *err)
{
  uint64_t end;
  if (__builtin_add_overflow(offset, (uint64_t)len, &end) || end > INT64_MAX)
    return base_fail_at(err, QUOIN_ERR_LIMIT, file->name, offset, "offset is out of range");
  return QUOIN_OK;
}

quoin_status
base_file_read(const base_file *file, void *data, size_t len, uint64_t offset, quoin_error *err)
{
  quoin_status st = offset_check(file, len, offset, err);
  if (st) return st;
  char *at = data;
  while (len > 0) {
    ssize_t n = sys_pread(file->fd, at, len < IO_MAX ? len : IO_MAX, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base_fail_os(err, errno, file->name, "file cannot be read");
    if (n == 0)
      return base_fail_at(err, QUOIN_ERR_CORRUPT, file->name, offset,
                          "the file ends %zu bytes too early", len);
    at += n;
    offset += (uint64_t)n;
    len -= (size_t)n;
  }
  return QUOIN_OK;
}

/* May it grow to `end`? */
static quoin_status
quota_check(const base_file *file, uint64_t end, quoin_error *err)
{
  uint64_t have;
  quoin_status st = base_file_size(&have, file, err);
  return st || end <= have ? st : file->quota->grow(file->quota, end - have, err);
}

quoin_status
base_file_write(const base_file *file, const void *data, size_t len, uint64_t offset,
                quoin_error *err)
{
  quoin_status st = offset_check(file, len, offset, err);
  if (!st && file->quota) st = quota_check(file, offset + len, err);
  if (st) return st;
  const char *at = data;
  while (len > 0) {
    ssize_t n = sys_pwrite(file->fd, at, len < IO_MAX ? len : IO_MAX, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return base_fail_os(err, n ? errno : ENOSPC, file->name, "file cannot be written");
    at += n;
    offset += (uint64_t)n;
    len -= (size_t)n;
  }
  return QUOIN_OK;
}

/* What the kernel can do by itself: how many bytes of [at, len). */
static uint64_t
copy_in_kernel(const base_file *to, const base_file *from, uint64_t len)
{
  uint64_t done = 0;
#if defined(__linux__) && !defined(QUOIN_FAULTS)
  while (done < len) {
    off_t in = (off_t)done, out = (off_t)done;
    size_t want = len - done < IO_MAX ? (size_t)(len - done) : IO_MAX;
    ssize_t n = copy_file_range(from->fd, &in, to->fd, &out, want, 0);
    if (n <= 0) break;
    done += (uint64_t)n;
  }
#else
  (void)to, (void)from, (void)len;
#endif
  return done;
}

quoin_status
base_file_copy(const base_file *to, const base_file *from, uint64_t len, quoin_error *err)
{
  char step[64 << 10];
  quoin_status st = to->quota ? quota_check(to, len, err) : QUOIN_OK;
  uint64_t at = st ? 0 : copy_in_kernel(to, from, len);
  base_file asked = *to; /* for all of it */
  asked.quota = NULL;
  for (size_t n; at < len && !st; at += n) {
    n = len - at < sizeof(step) ? (size_t)(len - at) : sizeof(step);
    st = base_file_read(from, step, n, at, err);
    if (!st) st = base_file_write(&asked, step, n, at, err);
  }
  return st;
}

quoin_status
base_file_extend(const base_file *file, uint64_t size, quoin_error *err)
{
  uint64_t have;
  quoin_status st = base_file_size(&have, file, err);
  if (st || size <= have) return st;
  if ((st = offset_check(file, 0, size, err))) return st;
  if (file->quota && (st = file->quota->grow(file->quota, size - have, err))) return st;
  int failed;
  do
    failed = sys_fallocate(file->fd, (off_t)have, (off_t)(size - have));
  while (failed == EINTR);
  if (failed && file->quota) file->quota->shrink(file->quota, size - have);
  if (failed) return base_fail_os(err, failed, file->name, "file cannot be extended");
  return QUOIN_OK;
}

quoin_status
base_file_sync(const base_file *file, quoin_error *err)
{
  if (sys_fdatasync(file->fd)) return base_fail_os(err, errno, file->name, "file cannot be synced");
  return QUOIN_OK;
}

void
base_file_writeback(const base_file *file, uint64_t offset, uint64_t len)
{
#if defined(__linux__)
  if (offset <= INT64_MAX && len <= INT64_MAX)
    (void)sync_file_range(file->fd, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
#else
  (void)file, (void)offset, (void)len;
#endif
}

quoin_status
base_file_lock(bool *taken, base_file *file, quoin_error *err)
{
  *taken = false;
  int failed;
  do
    failed = sys_flock(file->fd, LOCK_EX | LOCK_NB);
  while (failed && errno == EINTR);
  if (failed && errno == EWOULDBLOCK) return QUOIN_OK;
  if (failed) return base_fail_os(err, errno, file->name, "file cannot be locked");
  *taken = file->locked = true;
  return QUOIN_OK;
}
