/* rdfio/decode.c - gzip, bzip2, xz and zstd streams, and plain bytes. */
#include "rdfio/decode.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "base/poison.h"

enum { IN_SIZE = 256 * 1024, HEAD_SIZE = 6 };

struct rdfio_decoder {
  const base_alloc *mem;
  rdfio_read_fn read;
  void *user;
  const char *name;
  rdfio_codec codec;
  bool live;    /* the library's state below is set up */
  bool between; /* after a whole member: the stream may end here */
  bool in_ended;
  size_t in_at, in_len;
  uint64_t in_before; /* bytes of the stream before `in`, for messages */
  lzma_allocator lzma_mem;
  union {
    z_stream gz;
    bz_stream bz;
    lzma_stream xz;
    ZSTD_DCtx *zstd;
  } u;
  unsigned char in[IN_SIZE];
};

/* The libraries release without a size: it is kept in front of the block. */
enum { SIZE_ROOM = 16 };

static void *
take(const base_alloc *mem, size_t n, size_t size)
{
  size_t bytes;
  if (!base_mul_size(&bytes, n, size) || !base_add_size(&bytes, bytes, SIZE_ROOM)) return NULL;
  char *block = base_new(mem, bytes, 1);
  if (!block) return NULL;
  memcpy(block, &bytes, sizeof(bytes));
  return block + SIZE_ROOM;
}

static void
give_back(const base_alloc *mem, void *ptr)
{
  size_t bytes;
  if (!ptr) return;
  char *block = (char *)ptr - SIZE_ROOM;
  memcpy(&bytes, block, sizeof(bytes));
  base_release(mem, block, bytes, 1);
}

static void *
gz_take(void *mem, uInt n, uInt size)
{
  return take(mem, n, size);
}

static void *
bz_take(void *mem, int n, int size)
{
  return take(mem, (size_t)n, (size_t)size);
}

static void *
xz_take(void *mem, size_t n, size_t size)
{
  return take(mem, n, size);
}

static void
any_give_back(void *mem, void *ptr)
{
  give_back(mem, ptr);
}

static quoin_status
damaged(const rdfio_decoder *d, const char *what, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, d->name, d->in_before + d->in_at, "%s", what);
}

static quoin_status
refill(rdfio_decoder *d, quoin_error *err)
{
  size_t got = 0;
  quoin_status st = d->read(&got, d->user, d->in, IN_SIZE, err);
  if (st) return st;
  d->in_before += d->in_len;
  d->in_at = 0;
  d->in_len = got;
  d->in_ended = got == 0;
  return QUOIN_OK;
}

static rdfio_codec
detect(const unsigned char *head, size_t n)
{
  if (n >= 2 && head[0] == 0x1F && head[1] == 0x8B) return RDFIO_GZIP;
  if (n >= 5 && !memcmp(head, "BZh", 3) && head[3] >= '1' && head[3] <= '9' &&
      (head[4] == 0x31 || head[4] == 0x17))
    return RDFIO_BZIP2;
  if (n >= 6 && !memcmp(head,
                        "\xFD"
                        "7zXZ",
                        6))
    return RDFIO_XZ;
  if (n >= 4 && !memcmp(head, "\x28\xB5\x2F\xFD", 4)) return RDFIO_ZSTD;
  if (n >= 4 && (head[0] & 0xF0) == 0x50 && !memcmp(head + 1, "\x2A\x4D\x18", 3)) return RDFIO_ZSTD;
  return RDFIO_PLAIN;
}

/* Set up the library for the (next) member. */
static quoin_status
start(rdfio_decoder *d, quoin_error *err)
{
  bool good = true;
  void *mem = (void *)(uintptr_t)d->mem;
  switch (d->codec) {
  case RDFIO_PLAIN:
    break;
  case RDFIO_GZIP:
    d->u.gz = (z_stream){.zalloc = gz_take, .zfree = any_give_back, .opaque = mem};
    good = inflateInit2(&d->u.gz, 15 + 16) == Z_OK; /* 32 KiB window; the gzip format alone */
    break;
  case RDFIO_BZIP2:
    d->u.bz = (bz_stream){.bzalloc = bz_take, .bzfree = any_give_back, .opaque = mem};
    good = BZ2_bzDecompressInit(&d->u.bz, 0, 0) == BZ_OK;
    break;
  case RDFIO_XZ:
    d->lzma_mem = (lzma_allocator){xz_take, any_give_back, mem};
    d->u.xz = (lzma_stream)LZMA_STREAM_INIT;
    d->u.xz.allocator = &d->lzma_mem;
    good = lzma_stream_decoder(&d->u.xz, UINT64_MAX, LZMA_CONCATENATED) == LZMA_OK;
    break;
  case RDFIO_ZSTD: /* --long=31 files exist; its heap is zstd's own: the hook is not in its ABI */
    good = (d->u.zstd = ZSTD_createDCtx()) != NULL;
    if (good) ZSTD_DCtx_setParameter(d->u.zstd, ZSTD_d_windowLogMax, sizeof(size_t) > 4 ? 31 : 30);
    break;
  }
  d->live = good;
  return good ? QUOIN_OK : base_fail_nomem(err);
}

static void
stop(rdfio_decoder *d)
{
  if (!d->live) return;
  switch (d->codec) {
  case RDFIO_PLAIN:
    break;
  case RDFIO_GZIP:
    inflateEnd(&d->u.gz);
    break;
  case RDFIO_BZIP2:
    BZ2_bzDecompressEnd(&d->u.bz);
    break;
  case RDFIO_XZ:
    lzma_end(&d->u.xz);
    break;
  case RDFIO_ZSTD:
    ZSTD_freeDCtx(d->u.zstd);
    break;
  }
  d->live = false;
}

quoin_status
rdfio_decoder_new(rdfio_decoder **out, rdfio_read_fn read, void *user, const char *name,
                  const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  rdfio_decoder *d = base_new(mem, 1, sizeof(*d));

  *out = NULL;
  if (!d) return base_fail_nomem(err);
  memset(d, 0, offsetof(rdfio_decoder, in));
  d->mem = mem;
  d->read = read;
  d->user = user;
  d->name = name;
  while (d->in_len < HEAD_SIZE) { /* a pipe may give its bytes one by one */
    size_t got = 0;
    if ((st = read(&got, user, d->in + d->in_len, IN_SIZE - d->in_len, err))) goto done;
    if (got == 0) {
      d->in_ended = true;
      break;
    }
    d->in_len += got;
  }
  d->codec = detect(d->in, d->in_len);
  if ((st = start(d, err))) goto done;
  *out = d;
  d = NULL;

done:
  rdfio_decoder_free(d);
  return st;
}

rdfio_codec
rdfio_decoder_codec(const rdfio_decoder *d)
{
  return d->codec;
}

/* A member follows one that ended: true when there is one. Zero bytes are padding (as for gzip). */
static quoin_status
next_member(bool *more, rdfio_decoder *d, unsigned char first, quoin_error *err)
{
  while (d->in_at < d->in_len && d->in[d->in_at] == 0)
    d->in_at++;
  *more = d->in_at < d->in_len;
  if (!*more) return QUOIN_OK;
  if (d->in[d->in_at] != first)
    return damaged(d, "the compressed data is followed by bytes that are not compressed", err);
  stop(d);
  d->between = false;
  return start(d, err);
}

static quoin_status
step_gzip(size_t *got, rdfio_decoder *d, void *data, size_t cap, quoin_error *err)
{
  bool more = true;
  quoin_status st = d->between ? next_member(&more, d, 0x1F, err) : QUOIN_OK;
  if (st || !more) return st;
  z_stream *z = &d->u.gz;
  uInt room = cap > UINT32_MAX ? UINT32_MAX : (uInt)cap;
  z->next_in = d->in + d->in_at;
  z->avail_in = (uInt)(d->in_len - d->in_at);
  z->next_out = data;
  z->avail_out = room;
  int rc = inflate(z, Z_NO_FLUSH);
  d->in_at = d->in_len - z->avail_in;
  *got = room - z->avail_out;
  if (rc == Z_MEM_ERROR) return base_fail_nomem(err);
  if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
    return damaged(d, "the gzip data is damaged", err);
  d->between = rc == Z_STREAM_END;
  return QUOIN_OK;
}

static quoin_status
step_bzip2(size_t *got, rdfio_decoder *d, void *data, size_t cap, quoin_error *err)
{
  bool more = true;
  quoin_status st = d->between ? next_member(&more, d, 'B', err) : QUOIN_OK;
  if (st || !more) return st;
  bz_stream *z = &d->u.bz;
  unsigned room = cap > UINT32_MAX ? UINT32_MAX : (unsigned)cap;
  z->next_in = (char *)d->in + d->in_at;
  z->avail_in = (unsigned)(d->in_len - d->in_at);
  z->next_out = data;
  z->avail_out = room;
  int rc = BZ2_bzDecompress(z);
  d->in_at = d->in_len - z->avail_in;
  *got = room - z->avail_out;
  if (rc == BZ_MEM_ERROR) return base_fail_nomem(err);
  if (rc != BZ_OK && rc != BZ_STREAM_END) return damaged(d, "the bzip2 data is damaged", err);
  d->between = rc == BZ_STREAM_END;
  return QUOIN_OK;
}

static quoin_status
step_xz(size_t *got, rdfio_decoder *d, void *data, size_t cap, quoin_error *err)
{
  if (d->between) return QUOIN_OK;
  lzma_stream *z = &d->u.xz;
  z->next_in = d->in + d->in_at;
  z->avail_in = d->in_len - d->in_at;
  z->next_out = data;
  z->avail_out = cap;
  lzma_ret rc = lzma_code(z, d->in_ended ? LZMA_FINISH : LZMA_RUN);
  d->in_at = d->in_len - z->avail_in;
  *got = cap - z->avail_out;
  if (rc == LZMA_MEM_ERROR) return base_fail_nomem(err);
  if (rc != LZMA_OK && rc != LZMA_STREAM_END && rc != LZMA_BUF_ERROR)
    return damaged(d, "the xz data is damaged", err);
  d->between = rc == LZMA_STREAM_END;
  return QUOIN_OK;
}

static quoin_status
step_zstd(size_t *got, rdfio_decoder *d, void *data, size_t cap, quoin_error *err)
{
  if (d->between && d->in_at == d->in_len) return QUOIN_OK;
  ZSTD_inBuffer in = {d->in, d->in_len, d->in_at};
  ZSTD_outBuffer out = {data, cap, 0};
  size_t rc = ZSTD_decompressStream(d->u.zstd, &out, &in);
  d->in_at = in.pos;
  *got = out.pos;
  if (ZSTD_isError(rc)) {
    char what[160];
    snprintf(what, sizeof(what), "the zstd data is damaged: %s", ZSTD_getErrorName(rc));
    return damaged(d, what, err);
  }
  d->between = rc == 0;
  return QUOIN_OK;
}

static quoin_status
read_plain(size_t *got, rdfio_decoder *d, void *data, size_t cap, quoin_error *err)
{
  *got = 0;
  if (d->in_at < d->in_len) {
    *got = d->in_len - d->in_at < cap ? d->in_len - d->in_at : cap;
    memcpy(data, d->in + d->in_at, *got);
    d->in_at += *got;
    return QUOIN_OK;
  }
  if (d->in_ended) return QUOIN_OK;
  quoin_status st = d->read(got, d->user, data, cap, err);
  d->in_ended = !st && *got == 0;
  return st;
}

static quoin_status
step(size_t *got, rdfio_decoder *d, void *data, size_t cap, quoin_error *err)
{
  switch (d->codec) {
  case RDFIO_PLAIN:
    return read_plain(got, d, data, cap, err);
  case RDFIO_GZIP:
    return step_gzip(got, d, data, cap, err);
  case RDFIO_BZIP2:
    return step_bzip2(got, d, data, cap, err);
  case RDFIO_XZ:
    return step_xz(got, d, data, cap, err);
  case RDFIO_ZSTD:
    return step_zstd(got, d, data, cap, err);
  }
  return QUOIN_OK;
}

quoin_status
rdfio_decoder_read(size_t *got, rdfio_decoder *d, void *data, size_t cap, quoin_error *err)
{
  if (d->codec == RDFIO_PLAIN) return read_plain(got, d, data, cap, err);
  *got = 0;
  while (*got == 0) {
    quoin_status st = QUOIN_OK;
    if (d->in_at == d->in_len && !d->in_ended && (st = refill(d, err))) return st;
    size_t before = d->in_at;
    if ((st = step(got, d, data, cap, err))) return st;
    if (*got == 0 && d->in_at == before && d->in_ended) {
      if (d->between) return QUOIN_OK;
      return damaged(d, "the compressed data is cut off: it ends before its end mark", err);
    }
  }
  return QUOIN_OK;
}

void
rdfio_decoder_free(rdfio_decoder *d)
{
  if (!d) return;
  stop(d);
  base_release(d->mem, d, 1, sizeof(*d));
}
