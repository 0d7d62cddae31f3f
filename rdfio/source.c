/* rdfio/source.c - bytes in, decompressed, from a file, standard input, memory or a callback.
 *
 * A large compressed file is decompressed by a thread of its own, some slots ahead of the parser;
 * other inputs are read where they are asked for (a pipe may block for ever, and a callback belongs
 * to the thread that asked). */
#include "rdfio/rdfio.h"

#include "rdfio/batch.h"
#include "rdfio/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/poison.h"

enum {
  SLOT_SIZE = 512 * 1024,
  SLOTS = 3,
  AHEAD_FROM = 128 * 1024 /* compressed bytes from which a thread pays */
};

typedef struct ahead_slot {
  char *data;
  size_t len;
} ahead_slot;

/* Slots are filled in a ring: filled - drained of them hold data. */
typedef struct ahead {
  bool running;
  pthread_t thread;
  base_mutex lock;
  base_cond changed;
  uint64_t filled, drained;
  size_t at; /* in the slot being drained; of the reader alone */
  bool stopping, ended;
  quoin_status status; /* why the filling ended */
  quoin_error error;
  ahead_slot slots[SLOTS];
} ahead;

struct rdfio_source {
  const base_alloc *mem;
  char *name;
  size_t name_size;
  base_file file;
  bool owns_file;
  rdfio_read_fn read;
  void *user;
  quoin_span text; /* what is left of a memory source */
  rdfio_decoder *decoder;
  _Atomic(uint64_t) taken;
  uint64_t total;
  bool regular;
  ahead *ahead;
};

static quoin_status
read_file(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  rdfio_source *s = user;
  ssize_t n;
  do
    n = read(s->file.fd, data, cap);
  while (n < 0 && errno == EINTR);
  if (n < 0) return base_fail_os(err, errno, s->name, "the input cannot be read");
  *got = (size_t)n;
  atomic_fetch_add_explicit(&s->taken, (uint64_t)n, memory_order_relaxed);
  return QUOIN_OK;
}

static quoin_status
read_memory(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  rdfio_source *s = user;
  (void)err;
  *got = s->text.len < cap ? s->text.len : cap;
  if (*got) memcpy(data, s->text.ptr, *got);
  s->text.ptr += *got;
  s->text.len -= *got;
  atomic_fetch_add_explicit(&s->taken, (uint64_t)*got, memory_order_relaxed);
  return QUOIN_OK;
}

static quoin_status
read_callback(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  rdfio_source *s = user;
  *got = 0;
  quoin_status st = s->read(got, s->user, data, cap, err);
  if (st > 0)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "the read callback returned %d, which is neither success nor a failure",
                     (int)st);
  if (st && err && err->status != st) /* it may leave err, those above go by what err says */
    return base_fail(err, st, "ended by the read callback (status %d)", (int)st);
  if (!st && *got > cap)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "the read callback returned more than it had room for");
  atomic_fetch_add_explicit(&s->taken, (uint64_t)*got, memory_order_relaxed);
  return st;
}

static quoin_status
source_new(rdfio_source **out, const char *name, const base_alloc *mem, quoin_error *err)
{
  rdfio_source *s = base_new_zero(mem, 1, sizeof(*s));
  *out = NULL;
  if (!s) return base_fail_nomem(err);
  s->mem = mem;
  s->file = BASE_FILE_NONE;
  s->name_size = strlen(name) + 1;
  if (!(s->name = base_new(mem, s->name_size, 1))) {
    base_release(mem, s, 1, sizeof(*s));
    return base_fail_nomem(err);
  }
  memcpy(s->name, name, s->name_size);
  *out = s;
  return QUOIN_OK;
}

/* Hands `s` over to *out, or closes it when `st` or the decoder fails. */
static quoin_status
source_ready(rdfio_source **out, rdfio_source *s, rdfio_read_fn read, quoin_status st,
             quoin_error *err)
{
  if (!st) st = rdfio_decoder_new(&s->decoder, read, s, s->name, s->mem, err);
  if (st) {
    rdfio_source_close(s);
    s = NULL;
  }
  *out = s;
  return st;
}

static quoin_status
open_file(rdfio_source *s, const char *path, quoin_error *err)
{
  struct stat info;
  if (strcmp(path, "-") == 0) {
    s->file.fd = STDIN_FILENO;
  } else {
    quoin_status st = base_file_open(&s->file, NULL, path, BASE_FILE_READ, err);
    if (st) return st;
    s->owns_file = true;
  }
  if (fstat(s->file.fd, &info))
    return base_fail_os(err, errno, path, "the input cannot be examined");
  if (S_ISDIR(info.st_mode)) return base_fail_os(err, EISDIR, path, "the input cannot be read");
  s->regular = S_ISREG(info.st_mode);
  if (s->regular) {
    s->total = (uint64_t)info.st_size;
#if defined(POSIX_FADV_SEQUENTIAL)
    (void)posix_fadvise(s->file.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
  }
  return QUOIN_OK;
}

quoin_status
rdfio_source_open(rdfio_source **out, const char *path, const base_alloc *mem, quoin_error *err)
{
  rdfio_source *s = NULL;
  quoin_status st = source_new(&s, path, mem, err);
  *out = NULL;
  if (st) return st;
  return source_ready(out, s, read_file, open_file(s, path, err), err);
}

quoin_status
rdfio_source_memory(rdfio_source **out, quoin_span text, const char *name, const base_alloc *mem,
                    quoin_error *err)
{
  rdfio_source *s = NULL;
  quoin_status st = source_new(&s, name, mem, err);
  *out = NULL;
  if (st) return st;
  s->text = text;
  s->total = text.len;
  return source_ready(out, s, read_memory, QUOIN_OK, err);
}

quoin_status
rdfio_source_callback(rdfio_source **out, rdfio_read_fn read, void *user, const char *name,
                      const base_alloc *mem, quoin_error *err)
{
  rdfio_source *s = NULL;
  quoin_status st = source_new(&s, name, mem, err);
  *out = NULL;
  if (st) return st;
  s->read = read;
  s->user = user;
  return source_ready(out, s, read_callback, QUOIN_OK, err);
}

/* ---- the thread that decompresses ahead -------------------------------------------------------
 */

/* Fill one slot to the brim, so that the parser gets large pieces. */
static quoin_status
fill_slot(ahead_slot *slot, rdfio_source *s, quoin_error *err)
{
  slot->len = 0;
  while (slot->len < SLOT_SIZE) {
    size_t got = 0;
    quoin_status st =
        rdfio_decoder_read(&got, s->decoder, slot->data + slot->len, SLOT_SIZE - slot->len, err);
    if (st) return st;
    if (got == 0) break;
    slot->len += got;
  }
  return QUOIN_OK;
}

static void *
ahead_main(void *user)
{
  rdfio_source *s = user;
  ahead *a = s->ahead;
  for (;;) {
    base_mutex_lock(&a->lock);
    while (!a->stopping && a->filled - a->drained == SLOTS)
      base_cond_wait(&a->changed, &a->lock);
    bool stopping = a->stopping;
    ahead_slot *slot = &a->slots[a->filled % SLOTS];
    base_mutex_unlock(&a->lock);
    if (stopping) return NULL;

    quoin_error error = QUOIN_ERROR_INIT;
    quoin_status st = fill_slot(slot, s, &error);

    base_mutex_lock(&a->lock);
    bool ended = st || slot->len < SLOT_SIZE;
    if (slot->len) a->filled++;
    a->status = st;
    a->error = error;
    a->ended = ended;
    base_cond_signal(&a->changed);
    base_mutex_unlock(&a->lock);
    if (ended) return NULL;
  }
}

static void
ahead_stop(rdfio_source *s)
{
  ahead *a = s->ahead;
  if (!a) return;
  if (a->running) {
    base_mutex_lock(&a->lock);
    a->stopping = true;
    base_cond_signal(&a->changed);
    base_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
  }
  base_cond_destroy(&a->changed);
  base_mutex_destroy(&a->lock);
  for (size_t i = 0; i < SLOTS; i++)
    base_release(s->mem, a->slots[i].data, SLOT_SIZE, 1);
  base_release(s->mem, a, 1, sizeof(*a));
  s->ahead = NULL;
}

/* Start the thread, or leave s->ahead NULL: reading then goes on without one. */
static void
ahead_start(rdfio_source *s)
{
  ahead *a = base_new_zero(s->mem, 1, sizeof(*a));
  if (!a) return;
  if (base_mutex_init(&a->lock, BASE_RANK_QUEUE, "read-ahead", NULL)) {
    base_release(s->mem, a, 1, sizeof(*a));
    return;
  }
  if (base_cond_init(&a->changed, NULL)) {
    base_mutex_destroy(&a->lock);
    base_release(s->mem, a, 1, sizeof(*a));
    return;
  }
  s->ahead = a;
  bool good = true;
  for (size_t i = 0; i < SLOTS; i++)
    good = (a->slots[i].data = base_new(s->mem, SLOT_SIZE, 1)) && good;
  a->running = good && pthread_create(&a->thread, NULL, ahead_main, s) == 0;
  if (!a->running) ahead_stop(s);
}

static quoin_status
ahead_read(size_t *got, rdfio_source *s, void *data, size_t cap, quoin_error *err)
{
  ahead *a = s->ahead;
  *got = 0;
  base_mutex_lock(&a->lock);
  while (a->filled == a->drained && !a->ended)
    base_cond_wait(&a->changed, &a->lock);
  bool none = a->filled == a->drained;
  quoin_status st = none ? a->status : QUOIN_OK;
  if (st && err) *err = a->error;
  ahead_slot *slot = &a->slots[a->drained % SLOTS];
  base_mutex_unlock(&a->lock);
  if (none) return st;

  *got = slot->len - a->at < cap ? slot->len - a->at : cap;
  memcpy(data, slot->data + a->at, *got);
  a->at += *got;
  if (a->at < slot->len) return QUOIN_OK;
  a->at = 0;
  base_mutex_lock(&a->lock);
  a->drained++;
  base_cond_signal(&a->changed);
  base_mutex_unlock(&a->lock);
  return QUOIN_OK;
}

quoin_status
rdfio_source_read(size_t *got, rdfio_source *s, void *data, size_t cap, quoin_error *err)
{
  if (!s->ahead && s->regular && s->total >= AHEAD_FROM &&
      rdfio_decoder_codec(s->decoder) != RDFIO_PLAIN) {
    s->regular = false; /* one try */
    ahead_start(s);
  }
  if (s->ahead) return ahead_read(got, s, data, cap, err);
  return rdfio_decoder_read(got, s->decoder, data, cap, err);
}

void
rdfio_source_progress(uint64_t *taken, uint64_t *total, const rdfio_source *s)
{
  *taken = atomic_load_explicit(&((rdfio_source *)(uintptr_t)s)->taken, memory_order_relaxed);
  *total = s->total;
}

uint64_t
rdfio_source_text_bytes(const rdfio_source *s)
{
  return s->regular && rdfio_decoder_codec(s->decoder) == RDFIO_PLAIN ? s->total : 0;
}

const char *
rdfio_source_name(const rdfio_source *s)
{
  return s->name;
}

const char *
rdfio_source_path(const rdfio_source *s)
{
  return s->owns_file ? s->name : NULL;
}

void
rdfio_source_close(rdfio_source *s)
{
  if (!s) return;
  ahead_stop(s);
  rdfio_decoder_free(s->decoder);
  if (s->owns_file) base_file_close(&s->file);
  base_release(s->mem, s->name, s->name_size, 1);
  base_release(s->mem, s, 1, sizeof(*s));
}
