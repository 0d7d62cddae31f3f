/** @file types.h
 * Types shared by all of Quoin: statuses, spans, errors and the attributes of the interface. */
#ifndef QUOIN_TYPES_H
#define QUOIN_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define QUOIN_API __attribute__((visibility("default")))
#define QUOIN_NODISCARD __attribute__((warn_unused_result))
#define QUOIN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define QUOIN_API
#define QUOIN_NODISCARD
#define QUOIN_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What a call came to: 0 is success, positive an expected answer, negative a failure. The values
 * are part of the ABI: they are never renumbered. */
typedef enum quoin_status {
  QUOIN_OK = 0,
  QUOIN_DONE = 1,            /**< Nothing more: the end of an iteration. */
  QUOIN_ERR_ARGUMENT = -1,   /**< An argument is out of its documented range. */
  QUOIN_ERR_NOMEM = -2,      /**< The allocator returned nothing. */
  QUOIN_ERR_IO = -3,         /**< A system call failed; os_errno says why. */
  QUOIN_ERR_CORRUPT = -4,    /**< Stored data contradicts itself; message names file and offset. */
  QUOIN_ERR_VERSION = -5,    /**< The file was written by a newer format. */
  QUOIN_ERR_BUSY = -6,       /**< Another process writes to the store. */
  QUOIN_ERR_SYNTAX = -7,     /**< Text does not follow its grammar; line and column are set. */
  QUOIN_ERR_CONFLICT = -8,   /**< A later commit changed what the transaction relied on: retry. */
  QUOIN_ERR_CLOSED = -9,     /**< The store is closed or closing. */
  QUOIN_ERR_TIMEOUT = -10,   /**< The deadline passed. */
  QUOIN_ERR_LIMIT = -11,     /**< A budget (memory, rows, ids) is used up. */
  QUOIN_ERR_CANCELLED = -12, /**< The caller cancelled. */
  QUOIN_ERR_UNSUPPORTED = -13, /**< A feature that this version does not execute; named. */
  QUOIN_ERR_NOT_FOUND = -14,   /**< The named thing does not exist. */
  QUOIN_ERR_EXISTS = -15,      /**< The thing to be created exists already. */
  QUOIN_ERR_POISONED = -16,    /**< A write or sync failed earlier; reopen the store. */
  QUOIN_ERR_READ_ONLY = -17,   /**< The store was opened for reading. */
  QUOIN_ERR_NO_SPACE = -18,    /**< The disk is full or a disk budget is used up. */
  QUOIN_ERR_CONSTRAINT = -19 /**< Data or a query does not fit the declaration of a vector index. */
} quoin_status;

/** Bytes owned by someone else, not terminated; `ptr` may be NULL only when `len` is 0. */
typedef struct quoin_span {
  const char *ptr;
  size_t len;
} quoin_span;

/** What went wrong, in memory that the caller provides. Start from QUOIN_ERROR_INIT. */
typedef struct quoin_error {
  size_t struct_size;    /**< sizeof(quoin_error) as the caller saw it. */
  quoin_status status;   /**< The same value as the call returned. */
  int os_errno;          /**< errno of the failed system call, or 0. */
  uint64_t offset;       /**< Byte offset in the text or file, or UINT64_MAX. */
  uint64_t line, column; /**< Counted from 1, the column in bytes; 0 when unknown. */
  char file[256];        /**< Name of the file concerned (its end, if too long), or "". */
  char message[512];     /**< One line of UTF-8, terminated, without a newline. */
} quoin_error;

#ifdef __cplusplus
#define QUOIN_ERROR_INIT                                                                           \
  {                                                                                                \
    sizeof(quoin_error), QUOIN_OK, 0, UINT64_MAX, 0, 0, {0},                                       \
    {                                                                                              \
      0                                                                                            \
    }                                                                                              \
  }
#else
#define QUOIN_ERROR_INIT                                                                           \
  {                                                                                                \
    .struct_size = sizeof(quoin_error), .status = QUOIN_OK, .offset = UINT64_MAX                   \
  }
#endif

/** Where memory comes from. Copied by whoever keeps it. `resize` and `release` get the old size. */
typedef struct quoin_alloc {
  void *(*allocate)(void *user, size_t size);                               /**< NULL on failure. */
  void *(*resize)(void *user, void *ptr, size_t old_size, size_t new_size); /**< As realloc. */
  void (*release)(void *user, void *ptr, size_t size);                      /**< NULL is fine. */
  void *user;
} quoin_alloc;

#ifdef __cplusplus
}
#endif

#endif /* QUOIN_TYPES_H */
