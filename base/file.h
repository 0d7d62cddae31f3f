/* base/file.h - files and directories. Every call that can fail says which file.
 *
 * All descriptors are close-on-exec. Writes are complete or fail: a short write goes on. The calls
 * are the points at which the fault layer (base/sys.h) can fail, shorten or cut power. */
#ifndef QUOIN_BASE_FILE_H
#define QUOIN_BASE_FILE_H

#include "base/alloc.h"

/* Who is asked before files grow, and told when they go. Any thread; `grow` may refuse (NO_SPACE).
 */
typedef struct base_quota base_quota;
struct base_quota {
  quoin_status (*grow)(base_quota *self, uint64_t bytes, quoin_error *err);
  void (*shrink)(base_quota *self, uint64_t bytes);
};

typedef struct base_file {
  int fd;            /* -1: closed */
  bool locked;       /* this one holds the lock */
  base_quota *quota; /* of the directory it was opened in; NULL: none */
  char name[256];    /* end of the path, for messages */
} base_file;
#define BASE_FILE_NONE ((base_file){.fd = -1})

typedef enum base_file_mode {
  BASE_FILE_READ,      /* must exist */
  BASE_FILE_WRITE,     /* read and write, must exist */
  BASE_FILE_CREATE_NEW /* read and write, must not exist */
} base_file_mode;

/* A directory: files are opened relative to it, so that a store may be moved while open. */
typedef struct base_dir {
  int fd;
  base_quota *quota; /* set by its owner; borrowed by the files opened from then on */
  char name[256];
} base_dir;
#define BASE_DIR_NONE ((base_dir){.fd = -1})

quoin_status base_dir_open(base_dir *out, const char *path, quoin_error *err);
/* The directory `name` in `in`. */
quoin_status base_dir_open_in(base_dir *out, const base_dir *in, const char *name,
                              quoin_error *err);
/* EXISTS when it is there already. The parent directory is synced. After another failure it is not
 * there. */
quoin_status base_dir_create(const char *path, quoin_error *err);
quoin_status base_dir_sync(const base_dir *dir, quoin_error *err);
/* Make the entry of `dir` in its parent durable. A parent that may not be read is let be. */
quoin_status base_dir_sync_parent(const base_dir *dir, quoin_error *err);
void base_dir_close(base_dir *dir);
/* Call `each` with every name but . and ..; stops at the first status that is not OK. */
quoin_status base_dir_list(const base_dir *dir,
                           quoin_status (*each)(void *user, const char *name, quoin_error *err),
                           void *user, quoin_error *err);
quoin_status base_dir_unlink(const base_dir *dir, const char *name, quoin_error *err);
quoin_status base_dir_rename(const base_dir *dir, const char *from, const char *to,
                             quoin_error *err);
/* Give the file `name` the same name in another directory, too. False when that cannot be: it may
 * still be copied. */
bool base_dir_link(const base_dir *from, const char *name, const base_dir *to);
/* Remove the empty directory `name` in `dir`, which may be NULL: the name is then a path. */
quoin_status base_dir_remove(const base_dir *dir, const char *name, quoin_error *err);
/* Length of the file `name`; 0 when there is none. */
uint64_t base_dir_file_bytes(const base_dir *dir, const char *name);
bool base_dir_has(const base_dir *dir, const char *name);
/* Free bytes for an unprivileged user on the file system of `dir`. */
quoin_status base_dir_free_bytes(uint64_t *out, const base_dir *dir, quoin_error *err);

/* dir may be NULL: the name is then a path. */
quoin_status base_file_open(base_file *out, const base_dir *dir, const char *name,
                            base_file_mode mode, quoin_error *err);
/* A new file without a name in the directory at `path`, to read and write: gone once it is closed,
 * whatever happens to the process. */
quoin_status base_file_temp(base_file *out, const char *path, quoin_error *err);
void base_file_close(base_file *file); /* BASE_FILE_NONE is fine */
quoin_status base_file_size(uint64_t *out, const base_file *file, quoin_error *err);
/* All of [offset, offset+len): a file that ends before is QUOIN_ERR_CORRUPT at its end. */
quoin_status base_file_read(const base_file *file, void *data, size_t len, uint64_t offset,
                            quoin_error *err);
quoin_status base_file_write(const base_file *file, const void *data, size_t len, uint64_t offset,
                             quoin_error *err);
/* Write the first `len` bytes of `from` to the same place of `to`; where the file system can, they
 * share the blocks. CORRUPT when `from` is shorter. */
quoin_status base_file_copy(const base_file *to, const base_file *from, uint64_t len,
                            quoin_error *err);
/* Make the file at least `size` long with blocks allocated (posix_fallocate: never a hole, so that
 * a full disk is an error here and not a signal later). */
quoin_status base_file_extend(const base_file *file, uint64_t size, quoin_error *err);
quoin_status base_file_sync(const base_file *file, quoin_error *err); /* fdatasync */
/* Start write-back of a range without waiting; errors are left to base_file_sync. */
void base_file_writeback(const base_file *file, uint64_t offset, uint64_t len);
/* Take an exclusive flock without waiting; false when another process holds it. Closing gives it
 * back at once, even while a child between fork and exec has the descriptor, too. */
quoin_status base_file_lock(bool *taken, base_file *file, quoin_error *err);

#endif /* QUOIN_BASE_FILE_H */
