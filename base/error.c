/* base/error.c - filling a quoin_error. */
#include "base/error.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/poison.h"

/* One line of whole UTF-8 characters, whatever was printed into it. */
static void
message_tidy(char *message, size_t len)
{
  size_t at = 0;
  while (at < len) {
    at += base_utf8_valid(message + at, len - at);
    if (at >= len) break;
    message[at] = '?';
  }
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)message[i] < 0x20 || message[i] == 0x7f) message[i] = ' ';
}

static void message_print(quoin_error *err, const char *fmt, va_list args) QUOIN_PRINTF(2, 0);

static void
message_print(quoin_error *err, const char *fmt, va_list args)
{
  int len = vsnprintf(err->message, sizeof(err->message), fmt, args);
  size_t n = len < 0 ? 0 : (size_t)len;
  if (n >= sizeof(err->message)) {
    n = sizeof(err->message) - 1;
    while (n > 0 && ((unsigned char)err->message[n] & 0xc0u) == 0x80u)
      n--;
    if (n > sizeof(err->message) - 4) n = sizeof(err->message) - 4;
    while (n > 0 && ((unsigned char)err->message[n] & 0xc0u) == 0x80u)
      n--;
    memcpy(err->message + n, "...", 4);
    n += 3;
  }
  err->message[n] = '\0';
  message_tidy(err->message, n);
}

void
base_error_clear(quoin_error *err)
{
  if (!err) return;
  err->status = QUOIN_OK;
  err->os_errno = 0;
  err->offset = UINT64_MAX;
  err->line = err->column = 0;
  err->file[0] = '\0';
  err->message[0] = '\0';
}

void
base_error_file(quoin_error *err, const char *file)
{
  if (!err || !file || err->file[0]) return;
  size_t len = strlen(file);
  if (len >= sizeof(err->file)) {
    file += len - (sizeof(err->file) - 1);
    while (((unsigned char)*file & 0xc0u) == 0x80u)
      file++;
    len = strlen(file);
  }
  memcpy(err->file, file, len + 1);
}

static void
error_start(quoin_error *err, quoin_status status, const char *file)
{
  base_error_clear(err);
  err->status = status;
  base_error_file(err, file);
}

quoin_status
base_fail(quoin_error *err, quoin_status status, const char *fmt, ...)
{
  if (!err) return status;
  error_start(err, status, NULL);
  va_list args;
  va_start(args, fmt);
  message_print(err, fmt, args);
  va_end(args);
  return status;
}

static quoin_status
status_of_errno(int os_errno)
{
  switch (os_errno) {
  case ENOSPC:
#if defined(EDQUOT) && EDQUOT != ENOSPC
  case EDQUOT:
#endif
    return QUOIN_ERR_NO_SPACE;
  case ENOMEM:
    return QUOIN_ERR_NOMEM;
  case ENOENT:
    return QUOIN_ERR_NOT_FOUND;
  case EEXIST:
    return QUOIN_ERR_EXISTS;
  default:
    return QUOIN_ERR_IO;
  }
}

quoin_status
base_fail_os(quoin_error *err, int os_errno, const char *file, const char *fmt, ...)
{
  quoin_status status = status_of_errno(os_errno);
  if (!err) return status;
  error_start(err, status, file);
  err->os_errno = os_errno;
  va_list args;
  va_start(args, fmt);
  message_print(err, fmt, args);
  va_end(args);

  char buf[128];
  const char *text = buf;
#if defined(__GLIBC__)
  text = strerror_r(os_errno, buf, sizeof(buf));
#else
  if (strerror_r(os_errno, buf, sizeof(buf)) != 0) text = "unknown error";
#endif
  size_t len = strlen(err->message);
  size_t more = strlen(text);
  if (len + 2 + more < sizeof(err->message)) {
    memcpy(err->message + len, ": ", 2);
    memcpy(err->message + len + 2, text, more + 1);
  }
  return status;
}

quoin_status
base_fail_at(quoin_error *err, quoin_status status, const char *file, uint64_t offset,
             const char *fmt, ...)
{
  if (!err) return status;
  error_start(err, status, file);
  err->offset = offset;
  va_list args;
  va_start(args, fmt);
  message_print(err, fmt, args);
  va_end(args);
  return status;
}

quoin_status
base_fail_pos(quoin_error *err, quoin_status status, const char *file, uint64_t line,
              uint64_t column, const char *fmt, ...)
{
  if (!err) return status;
  error_start(err, status, file);
  err->line = line;
  err->column = column;
  va_list args;
  va_start(args, fmt);
  message_print(err, fmt, args);
  va_end(args);
  return status;
}

quoin_status
base_fail_nomem(quoin_error *err)
{
  return base_fail(err, QUOIN_ERR_NOMEM, "out of memory");
}
