/* base/error.h - filling a quoin_error. */
#ifndef QUOIN_BASE_ERROR_H
#define QUOIN_BASE_ERROR_H

#include <quoin/types.h>

#include <stdbool.h>

/* Each sets `err` (which may be NULL) and returns `status`, so that a failure is one statement:
 *   return base_fail(err, QUOIN_ERR_LIMIT, "the table is full");
 * The message is one line: what happened, what was expected, what to do. */
quoin_status base_fail(quoin_error *err, quoin_status status, const char *fmt, ...)
    QUOIN_PRINTF(3, 4);

/* A system call failed with `os_errno`: appends strerror's text. ENOSPC and EDQUOT give
 * NO_SPACE, ENOMEM gives NOMEM, ENOENT gives NOT_FOUND, EEXIST gives EXISTS, others
 * QUOIN_ERR_IO. `file` may be NULL. */
quoin_status base_fail_os(quoin_error *err, int os_errno, const char *file, const char *fmt, ...)
    QUOIN_PRINTF(4, 5);

/* A fault at byte `offset` of `file` (may be NULL). */
quoin_status base_fail_at(quoin_error *err, quoin_status status, const char *file, uint64_t offset,
                          const char *fmt, ...) QUOIN_PRINTF(5, 6);

/* A fault in text at line and column, both from 1. */
quoin_status base_fail_pos(quoin_error *err, quoin_status status, const char *file, uint64_t line,
                           uint64_t column, const char *fmt, ...) QUOIN_PRINTF(6, 7);

/* The commonest one. */
quoin_status base_fail_nomem(quoin_error *err);

/* Back to "no error". NULL is fine. */
void base_error_clear(quoin_error *err);

/* Put `file` into err->file if it is empty there; keeps the end of a name that is too long. */
void base_error_file(quoin_error *err, const char *file);

#endif /* QUOIN_BASE_ERROR_H */
