/* tests/crash/fault.c - see fault.h. Linked in place of the system calls of base/sys.h. */
#define QUOIN_FAULTS 1
#include "crash/fault.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const fault_mode_names[FAULT_MODES] = {"none", "EIO", "ENOSPC", "short", "torn"};

enum { FDS = 4096, MAPS = 4096, FILES = 2048, OWN_FDS = 5000 };
enum { FD_OTHER = 0, FD_STORE = -1, FD_PARENT = -2 }; /* or the number of a file, from 1 */

typedef struct file_state {
  char name[64]; /* empty: unlinked */
  int fd;        /* of our own: the content whatever its name */
  bool mapped;   /* writable */
  char *seen;    /* mapped: content at the last look */
  uint64_t seen_len, size;
  uint64_t reads, read_bytes;
} file_state;

typedef struct mapping {
  char *at;
  size_t len;
  unsigned file;
  uint64_t offset;
} mapping;

static struct {
  pthread_mutex_t lock;
  bool on;
  char store[256];
  fault_journal *journal;
  uint64_t calls, at;
  fault_mode mode;
  bool struck;
  int fds[FDS];
  file_state files[FILES];
  unsigned n_files;
  mapping maps[MAPS];
  unsigned n_maps;
} f = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the journal ------------------------------------------------------------------------------
 */

static fault_event *
put(fault_kind kind, unsigned file)
{
  static fault_event nowhere;
  fault_journal *j = f.journal;
  if (!j) return &nowhere;
  if (j->n == j->room) {
    j->room = j->room ? j->room * 2 : 1024;
    j->events = realloc(j->events, j->room * sizeof *j->events);
    assert(j->events);
  }
  j->events[j->n] = (fault_event){.kind = kind, .file = file};
  return &j->events[j->n++];
}

static void
put_named(fault_kind kind, unsigned file, const char *name)
{
  (void)snprintf(put(kind, file)->what, 64, "%s", name);
}

void
fault_journal_clear(fault_journal *journal)
{
  for (size_t i = 0; i < journal->n; i++)
    free(journal->events[i].data);
  free(journal->events);
  *journal = (fault_journal){0};
}

/* Whole sectors of the file that hold [at, at + len). */
static void
put_data(unsigned file, uint64_t at, uint64_t len)
{
  uint64_t from = at / FAULT_SECTOR * FAULT_SECTOR;
  uint64_t to = (at + len + FAULT_SECTOR - 1) / FAULT_SECTOR * FAULT_SECTOR;
  fault_event *e;
  if (!f.journal || !len) return;
  e = put(FAULT_DATA, file);
  e->at = from;
  e->len = to - from;
  e->data = calloc(1, to - from);
  assert(e->data);
  ssize_t n = pread(f.files[file].fd, e->data, to - from, (off_t)from);
  assert(n >= 0);
  (void)n;
}

static void
put_size(unsigned file)
{
  struct stat st;
  if (!f.journal || fstat(f.files[file].fd, &st) || (uint64_t)st.st_size == f.files[file].size)
    return;
  f.files[file].size = (uint64_t)st.st_size;
  put(FAULT_SIZE, file)->at = (uint64_t)st.st_size;
}

/* What changed in a mapped file since the last look. */
static void
look(unsigned file)
{
  file_state *s = &f.files[file];
  struct stat st;
  char *now;
  uint64_t len;
  if (fstat(s->fd, &st)) return;
  len = (uint64_t)st.st_size;
  now = malloc(len + 1);
  s->seen = realloc(s->seen, len + 1);
  assert(now && s->seen);
  if (len > s->seen_len) memset(s->seen + s->seen_len, 0, len - s->seen_len);
  ssize_t n = pread(s->fd, now, len, 0);
  assert((uint64_t)n == len);
  (void)n;
  for (uint64_t at = 0; at < len;) {
    uint64_t end = at;
    while (end < len && (end == at || end % FAULT_PAGE)) { /* each page is synced by itself */
      uint64_t part = len - end < FAULT_SECTOR ? len - end : FAULT_SECTOR;
      if (!memcmp(now + end, s->seen + end, part)) break;
      end += part;
    }
    put_data(file, at, end - at);
    at = end > at ? end : at + FAULT_SECTOR;
  }
  free(s->seen);
  s->seen = now;
  s->seen_len = len;
}

static void
look_at_all(void)
{
  if (!f.journal) return;
  for (unsigned i = 1; i <= f.n_files; i++)
    if (f.files[i].mapped) look(i);
}

/* ---- files ------------------------------------------------------------------------------------
 */

/* The same file, opened for itself: a duplicate would share its lock. Out of the way of others. */
static int
own_fd(int fd)
{
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int again = open(path, O_RDONLY | O_CLOEXEC);
  int own = fcntl(again, F_DUPFD_CLOEXEC, OWN_FDS);
  assert(own >= 0);
  close(again);
  return own;
}

static unsigned
file_new(const char *name, int fd)
{
  unsigned file = ++f.n_files;
  assert(file < FILES);
  f.files[file] = (file_state){.fd = f.journal ? own_fd(fd) : -1};
  (void)snprintf(f.files[file].name, sizeof f.files[file].name, "%s", name);
  if (f.journal) f.journal->files = file;
  return file;
}

static unsigned
file_named(const char *name)
{
  for (unsigned i = f.n_files; i; i--)
    if (!strcmp(f.files[i].name, name)) return i;
  return 0;
}

static unsigned
file_of(int fd)
{
  return fd >= 0 && fd < FDS && f.fds[fd] > 0 ? (unsigned)f.fds[fd] : 0;
}

static void
fd_is(int fd, int what)
{
  assert(fd < FDS);
  f.fds[fd] = what;
}

/* Is the open directory `fd` the one at `path`? */
static bool
is_dir(int fd, const char *path)
{
  struct stat a, b;
  return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void
opened(int fd, int dir, const char *name, int flags)
{
  char parent[300];
  unsigned file;
  if (fd < 0) return;
  fd_is(fd, FD_OTHER);
  if (flags & O_DIRECTORY) {
    (void)snprintf(parent, sizeof parent, "%s/..", f.store);
    if (is_dir(fd, f.store))
      fd_is(fd, FD_STORE);
    else if (is_dir(fd, parent))
      fd_is(fd, FD_PARENT);
    return;
  }
  if (dir < 0 || f.fds[dir] != FD_STORE) return;
  file = flags & O_CREAT ? 0 : file_named(name);
  if (!file) {
    file = file_new(name, fd);
    put_named(FAULT_CREATE, file, name);
  }
  fd_is(fd, (int)file);
}

/* ---- the controller ---------------------------------------------------------------------------
 */

/* A file with content that lies safe on the disk. */
static void
take_file(int fd, const char *name)
{
  struct stat st;
  unsigned file = file_new(name, fd);
  put_named(FAULT_CREATE, file, name);
  put_size(file);
  if (f.journal && !fstat(fd, &st)) put_data(file, 0, (uint64_t)st.st_size);
  put(FAULT_SYNC, file)->len = UINT64_MAX;
}

/* What there is already lies safe on the disk. */
static void
take_over(void)
{
  static const char *const none = "";
  char command[600], path[400], name[64];
  FILE *list;
  if (access(f.store, F_OK)) return;
  put_named(FAULT_MKDIR, 0, none);
  put_named(FAULT_PARENT_SYNC, 0, none);
  (void)snprintf(command, sizeof command, "ls -A '%s'", f.store);
  list = popen(command, "r");
  assert(list);
  while (fscanf(list, "%63s", name) == 1) {
    (void)snprintf(path, sizeof path, "%s/%s", f.store, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert(fd >= 0);
    take_file(fd, name);
    close(fd);
  }
  pclose(list);
  put_named(FAULT_DIR_SYNC, 0, none);
}

void
fault_begin(const char *store, fault_journal *journal)
{
  pthread_mutex_lock(&f.lock); /* a thread of the store may be at work */
  assert(!f.on);
  f.journal = journal;
  f.calls = f.at = 0;
  f.mode = FAULT_NONE;
  f.struck = false;
  f.n_files = f.n_maps = 0;
  memset(f.fds, 0, sizeof f.fds);
  (void)snprintf(f.store, sizeof f.store, "%s", store);
  take_over();
  f.on = true;
  pthread_mutex_unlock(&f.lock);
}

void
fault_at(uint64_t call, fault_mode mode)
{
  pthread_mutex_lock(&f.lock);
  f.at = call;
  f.mode = mode;
  pthread_mutex_unlock(&f.lock);
}

void
fault_note(uint64_t what)
{
  pthread_mutex_lock(&f.lock);
  if (f.on) {
    look_at_all();
    put(FAULT_NOTE, 0)->at = what;
  }
  pthread_mutex_unlock(&f.lock);
}

uint64_t
fault_end(bool *struck)
{
  pthread_mutex_lock(&f.lock);
  if (struck) *struck = f.struck;
  f.on = false;
  for (unsigned i = 1; i <= f.n_files; i++) {
    if (f.files[i].fd >= 0) close(f.files[i].fd);
    free(f.files[i].seen);
    f.files[i] = (file_state){.fd = -1};
  }
  f.journal = NULL;
  uint64_t calls = f.calls;
  pthread_mutex_unlock(&f.lock);
  return calls;
}

uint64_t
fault_read(uint64_t *calls, const char *prefix)
{
  uint64_t bytes = 0;
  *calls = 0;
  pthread_mutex_lock(&f.lock);
  for (unsigned i = 1; i <= f.n_files; i++) {
    if (strncmp(f.files[i].name, prefix, strlen(prefix)) != 0) continue;
    *calls += f.files[i].reads;
    bytes += f.files[i].read_bytes;
  }
  pthread_mutex_unlock(&f.lock);
  return bytes;
}

static bool
needs_space(const char *call)
{
  return !strcmp(call, "pwrite") || !strcmp(call, "fallocate") || !strcmp(call, "create") ||
         !strcmp(call, "mkdir") || !strcmp(call, "rename");
}

bool
fault_applies(fault_mode mode, const char *call)
{
  switch (mode) {
  case FAULT_ENOSPC:
    return needs_space(call);
  case FAULT_SHORT:
    return !strcmp(call, "pwrite") || !strcmp(call, "pread");
  case FAULT_TORN:
    return !strcmp(call, "pwrite");
  default:
    return true;
  }
}

/* Begin a call, with the lock held until leave(). What is to happen to it. */
static fault_mode
enter(const char *call)
{
  pthread_mutex_lock(&f.lock);
  if (!f.on) return FAULT_NONE;
  look_at_all();
  put_named(FAULT_CALL, 0, call);
  f.calls++;
  if (!f.at || f.calls < f.at || !fault_applies(f.mode, call)) return FAULT_NONE;
  if (f.calls == f.at) f.struck = true;
  return f.calls == f.at || f.mode == FAULT_ENOSPC ? f.mode : FAULT_NONE;
}

static void
leave(void)
{
  int kept = errno;
  pthread_mutex_unlock(&f.lock);
  errno = kept;
}

static int
error_of(fault_mode mode)
{
  return mode == FAULT_ENOSPC ? ENOSPC : EIO;
}

/* ---- the calls --------------------------------------------------------------------------------
 */

int
sys_openat(int dir, const char *name, int flags, mode_t mode)
{
  fault_mode fault = enter(flags & O_CREAT ? "create" : "open");
  int fd = -1;
  if (fault) {
    errno = error_of(fault);
  } else {
    fd = openat(dir, name, flags, mode);
    int kept = errno;
    if (f.on) opened(fd, dir, name, flags);
    errno = kept;
  }
  leave();
  return fd;
}

int
sys_mkdir(const char *path, mode_t mode)
{
  fault_mode fault = enter("mkdir");
  int failed = -1;
  if (fault)
    errno = error_of(fault);
  else
    failed = mkdir(path, mode);
  if (f.on && !failed && !strcmp(path, f.store)) put_named(FAULT_MKDIR, 0, "");
  leave();
  return failed;
}

ssize_t
sys_pread(int fd, void *data, size_t len, off_t offset)
{
  fault_mode fault = enter("pread");
  ssize_t n = -1;
  if (fault == FAULT_SHORT && len > 1) len /= 2;
  if (fault && fault != FAULT_SHORT)
    errno = error_of(fault);
  else
    n = pread(fd, data, len, offset);
  unsigned file = f.on ? file_of(fd) : 0;
  if (file && n >= 0) {
    f.files[file].reads++;
    f.files[file].read_bytes += (uint64_t)n;
  }
  leave();
  return n;
}

ssize_t
sys_pwrite(int fd, const void *data, size_t len, off_t offset)
{
  fault_mode fault = enter("pwrite");
  ssize_t n = -1;
  if ((fault == FAULT_SHORT || fault == FAULT_TORN) && len > 1) len /= 2;
  if (!fault || fault == FAULT_SHORT || fault == FAULT_TORN) {
    n = pwrite(fd, data, len, offset);
    if (f.on && n > 0 && file_of(fd)) {
      put_size(file_of(fd));
      put_data(file_of(fd), (uint64_t)offset, (uint64_t)n);
    }
  }
  if (fault && fault != FAULT_SHORT) {
    n = -1;
    errno = error_of(fault);
  }
  leave();
  return n;
}

int
sys_fallocate(int fd, off_t offset, off_t len)
{
  fault_mode fault = enter("fallocate");
  int failed = fault ? error_of(fault) : posix_fallocate(fd, offset, len);
  if (f.on && !failed && file_of(fd)) put_size(file_of(fd));
  leave();
  return failed;
}

static int
sync_fd(int fd, const char *call)
{
  fault_mode fault = enter(call);
  int what = f.on && fd >= 0 && fd < FDS ? f.fds[fd] : FD_OTHER;
  if (what > 0) put(fault ? FAULT_SYNC_FAILED : FAULT_SYNC, (unsigned)what)->len = UINT64_MAX;
  if (what == FD_STORE && !fault) put_named(FAULT_DIR_SYNC, 0, "");
  if (what == FD_PARENT && !fault) put_named(FAULT_PARENT_SYNC, 0, "");
  if (fault) errno = error_of(fault);
  leave();
  return fault ? -1 : 0;
}

int
sys_fdatasync(int fd)
{
  return sync_fd(fd, "fdatasync");
}

int
sys_fsync(int fd)
{
  return sync_fd(fd, "fsync");
}

int
sys_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
  fault_mode fault = enter("rename");
  int failed = -1;
  if (fault)
    errno = error_of(fault);
  else
    failed = renameat(from_dir, from, to_dir, to);
  if (f.on && !failed) {
    unsigned file = file_named(from), old = file_named(to);
    if (old) f.files[old].name[0] = '\0';
    put_named(FAULT_RENAME, file, from);
    if (f.journal) (void)snprintf(f.journal->events[f.journal->n - 1].to, 64, "%s", to);
    if (file) (void)snprintf(f.files[file].name, sizeof f.files[file].name, "%s", to);
  }
  leave();
  return failed;
}

int
sys_unlinkat(int dir, const char *name)
{
  fault_mode fault = enter("unlink");
  int failed = -1;
  if (fault)
    errno = error_of(fault);
  else
    failed = unlinkat(dir, name, 0);
  if (f.on && !failed) {
    unsigned file = file_named(name);
    put_named(FAULT_UNLINK, file, name);
    if (file) f.files[file].name[0] = '\0';
  }
  leave();
  return failed;
}

/* Directories are not in the journal. */
int
sys_rmdirat(int dir, const char *name)
{
  fault_mode fault = enter("rmdir");
  int failed = -1;
  if (fault)
    errno = error_of(fault);
  else
    failed = unlinkat(dir, name, AT_REMOVEDIR);
  leave();
  return failed;
}

int
sys_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
  fault_mode fault = enter("link");
  int failed = -1;
  if (fault)
    errno = error_of(fault);
  else
    failed = linkat(from_dir, from, to_dir, to, 0);
  if (f.on && !failed && f.fds[to_dir] == FD_STORE) { /* what is linked was synced long ago */
    int fd = openat(to_dir, to, O_RDWR | O_CLOEXEC);
    assert(fd >= 0);
    take_file(fd, to);
    close(fd);
  }
  leave();
  return failed;
}

int
sys_flock(int fd, int operation)
{
  fault_mode fault = enter("flock");
  int failed = -1;
  if (fault)
    errno = ENOLCK;
  else
    failed = flock(fd, operation);
  leave();
  return failed;
}

/* Addresses are used again after an unmapping, which is not seen here. */
static void
forget_maps(const char *at, size_t len)
{
  unsigned kept = 0;
  for (unsigned i = 0; i < f.n_maps; i++)
    if (f.maps[i].at + f.maps[i].len <= at || f.maps[i].at >= at + len) f.maps[kept++] = f.maps[i];
  f.n_maps = kept;
}

void *
sys_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
  fault_mode fault = enter("mmap");
  void *got = MAP_FAILED;
  if (fault)
    errno = ENOMEM;
  else
    got = mmap(at, len, protection, flags, fd, offset);
  if (f.on && got != MAP_FAILED) forget_maps(got, len);
  if (f.on && got != MAP_FAILED && file_of(fd) && (protection & PROT_WRITE) &&
      (flags & MAP_SHARED)) {
    unsigned file = file_of(fd);
    assert(f.n_maps < MAPS);
    f.maps[f.n_maps++] = (mapping){got, len, file, (uint64_t)offset};
    (void)put(FAULT_MAP, file);
    if (f.journal && !f.files[file].mapped) {
      f.files[file].mapped = true;
      look(file);
    }
  }
  leave();
  return got;
}

int
sys_msync(void *at, size_t len, int flags)
{
  fault_mode fault = enter("msync");
  (void)flags;
  for (unsigned i = f.on ? f.n_maps : 0; i; i--) { /* later mappings lie over earlier ones */
    const mapping *m = &f.maps[i - 1];
    const char *from = (char *)at > m->at ? at : m->at;
    const char *to = (char *)at + len < m->at + m->len ? (char *)at + len : m->at + m->len;
    if (from >= to) continue;
    fault_event *e = put(fault ? FAULT_SYNC_FAILED : FAULT_SYNC, m->file);
    e->at = m->offset + (uint64_t)(from - m->at);
    e->len = (uint64_t)(to - from);
  }
  if (fault) errno = error_of(fault);
  leave();
  return fault ? -1 : 0;
}
