/* tests/unit/test_rdfio_source.c - bytes in: every codec, members in a row, cut off and damaged. */
#include "unit/test_rdfio_util.h"

#include <bzlib.h>
#include <fcntl.h>
#include <lzma.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

typedef base_buffer (*compress_fn)(quoin_span text);

static base_buffer
room_for(quoin_span text)
{
  base_buffer out;
  base_buffer_init(&out, base_alloc_default());
  assert_true(base_buffer_reserve(&out, text.len + text.len / 2 + 1000));
  return out;
}

static base_buffer
compress_gzip(quoin_span text)
{
  base_buffer out = room_for(text);
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = (unsigned char *)(uintptr_t)text.ptr;
  z.avail_in = (unsigned)text.len;
  z.next_out = (unsigned char *)out.data;
  z.avail_out = (unsigned)out.cap;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.len = z.total_out;
  deflateEnd(&z);
  return out;
}

static base_buffer
compress_bzip2(quoin_span text)
{
  base_buffer out = room_for(text);
  unsigned len = (unsigned)out.cap;
  assert_int_equal(BZ2_bzBuffToBuffCompress(out.data, &len, (char *)(uintptr_t)text.ptr,
                                            (unsigned)text.len, 1, 0, 0),
                   BZ_OK);
  out.len = len;
  return out;
}

static base_buffer
compress_xz(quoin_span text)
{
  base_buffer out = room_for(text);
  assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text.ptr,
                                           text.len, (uint8_t *)out.data, &out.len, out.cap),
                   LZMA_OK);
  return out;
}

static base_buffer
compress_zstd(quoin_span text)
{
  base_buffer out = room_for(text);
  ZSTD_CCtx *context = ZSTD_createCCtx();
  assert_non_null(context);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 28); /* more than decoders take by default */
  out.len = ZSTD_compress2(context, out.data, out.cap, text.ptr, text.len);
  assert_false(ZSTD_isError(out.len));
  ZSTD_freeCCtx(context);
  return out;
}

static const compress_fn CODECS[] = {compress_gzip, compress_bzip2, compress_xz, compress_zstd};
enum { N_CODECS = 4 };

/* Text that compresses badly enough to fill several buffers. */
static base_buffer
make_text(size_t len)
{
  test_random r = {42};
  base_buffer out;
  base_buffer_init(&out, base_alloc_default());
  while (out.len < len)
    base_buffer_printf(&out, "%llx line\n", (unsigned long long)test_next(&r));
  assert_false(out.failed);
  return out;
}

static quoin_status
read_all(base_buffer *out, rdfio_source *source, quoin_error *err)
{
  char piece[7001];
  for (;;) {
    size_t got = 0;
    quoin_status st = rdfio_source_read(&got, source, piece, sizeof(piece), err);
    if (st || !got) return st;
    base_buffer_add(out, piece, got);
  }
}

static void
expect_source(quoin_span bytes, quoin_status status, quoin_span text)
{
  rdfio_source *source = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer got;
  base_buffer_init(&got, base_alloc_default());
  assert_int_equal(rdfio_source_memory(&source, bytes, "in.memory", base_alloc_default(), &err),
                   QUOIN_OK);
  assert_int_equal(read_all(&got, source, &err), status);
  if (status) {
    assert_string_equal(err.file, "in.memory");
  } else {
    assert_int_equal(got.len, text.len);
    if (text.len) assert_memory_equal(got.data, text.ptr, text.len);
  }
  rdfio_source_close(source);
  base_buffer_clear(&got);
}

static void
test_source__decompresses_members_in_a_row(void **state)
{
  base_buffer text = make_text(700000);
  quoin_span all = {text.data, text.len};
  (void)state;
  expect_source(all, QUOIN_OK, all);
  expect_source((quoin_span){0}, QUOIN_OK, (quoin_span){0});
  for (int i = 0; i < N_CODECS; i++) {
    size_t half = text.len / 2;
    base_buffer a = CODECS[i]((quoin_span){text.data, half});
    base_buffer b = CODECS[i]((quoin_span){text.data + half, text.len - half});
    base_buffer_add(&a, b.data, b.len);
    expect_source((quoin_span){a.data, a.len}, QUOIN_OK, all);
    base_buffer_clear(&a);
    base_buffer_clear(&b);
    a = CODECS[i]((quoin_span){"", 0});
    expect_source((quoin_span){a.data, a.len}, QUOIN_OK, (quoin_span){0});
    base_buffer_clear(&a);
  }
  base_buffer_clear(&text);
}

static void
test_source__refuses_what_is_cut_off(void **state)
{
  base_buffer text = make_text(3000);
  (void)state;
  for (int i = 0; i < N_CODECS; i++) {
    base_buffer bytes = CODECS[i]((quoin_span){text.data, text.len});
    for (size_t len = 12; len < bytes.len; len += len < 64 || len + 64 > bytes.len ? 1 : 37)
      expect_source((quoin_span){bytes.data, len}, QUOIN_ERR_CORRUPT, (quoin_span){0});
    base_buffer_clear(&bytes);
  }
  base_buffer_clear(&text);
}

static void
test_source__refuses_what_is_damaged(void **state)
{
  base_buffer text = make_text(3000);
  (void)state;
  for (int i = 0; i < N_CODECS; i++) {
    base_buffer bytes = CODECS[i]((quoin_span){text.data, text.len});
    bytes.data[bytes.len / 2] ^= 0x55;
    expect_source((quoin_span){bytes.data, bytes.len}, QUOIN_ERR_CORRUPT, (quoin_span){0});
    bytes.data[bytes.len / 2] ^= 0x55;
    base_buffer_text(&bytes, "garbage");
    expect_source((quoin_span){bytes.data, bytes.len}, QUOIN_ERR_CORRUPT, (quoin_span){0});
    base_buffer_clear(&bytes);
  }
  base_buffer_clear(&text);
}

static void
write_file(const char *path, const base_buffer *bytes)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes->data, bytes->len), bytes->len);
  close(fd);
}

/* Large files are decompressed by a thread: all of it, part of it, and damage late in it. */
static void
test_source__reads_large_files_ahead(void **state)
{
  char path[] = "/tmp/quoin-source-XXXXXX";
  int fd = mkstemp(path);
  base_buffer text = make_text(5000000);
  (void)state;
  assert_true(fd >= 0);
  close(fd);
  for (int i = 0; i < N_CODECS; i++) {
    base_buffer bytes = CODECS[i]((quoin_span){text.data, text.len});
    for (int round = 0; round < 3; round++) {
      rdfio_source *source = NULL;
      quoin_error err = QUOIN_ERROR_INIT;
      base_buffer got;
      uint64_t taken, total;
      char one[100];
      size_t n = 0;
      base_buffer_init(&got, base_alloc_default());
      if (round == 2) bytes.len -= 5;
      write_file(path, &bytes);
      assert_int_equal(rdfio_source_open(&source, path, base_alloc_default(), &err), QUOIN_OK);
      if (round == 1) {
        assert_int_equal(rdfio_source_read(&n, source, one, sizeof(one), &err), QUOIN_OK);
        assert_memory_equal(one, text.data, n);
      } else {
        assert_int_equal(read_all(&got, source, &err), round ? QUOIN_ERR_CORRUPT : QUOIN_OK);
        assert_true(got.len <= text.len);
        assert_memory_equal(got.data, text.data, got.len);
        assert_true(round || got.len == text.len);
        rdfio_source_progress(&taken, &total, source);
        assert_int_equal(taken, bytes.len);
        assert_int_equal(total, bytes.len);
      }
      rdfio_source_close(source);
      base_buffer_clear(&got);
    }
    base_buffer_clear(&bytes);
  }
  unlink(path);
  base_buffer_clear(&text);
}

static void
test_source__names_what_is_not_there(void **state)
{
  rdfio_source *source = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  (void)state;
  assert_int_equal(rdfio_source_open(&source, "/nonexistent/x.nt", base_alloc_default(), &err),
                   QUOIN_ERR_NOT_FOUND);
  assert_null(source);
  assert_non_null(strstr(err.file, "x.nt"));
  assert_int_equal(rdfio_source_open(&source, "/tmp", base_alloc_default(), &err), QUOIN_ERR_IO);
}

static void
test_source__reads_standard_input(void **state)
{
  int ends[2], saved = dup(STDIN_FILENO);
  rdfio_source *source = NULL;
  base_buffer got;
  (void)state;
  base_buffer_init(&got, base_alloc_default());
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(write(ends[1], "abc", 3), 3);
  close(ends[1]);
  dup2(ends[0], STDIN_FILENO);
  assert_int_equal(rdfio_source_open(&source, "-", base_alloc_default(), NULL), QUOIN_OK);
  assert_int_equal(read_all(&got, source, NULL), QUOIN_OK);
  assert_int_equal(got.len, 3);
  rdfio_source_close(source);
  dup2(saved, STDIN_FILENO);
  close(saved);
  close(ends[0]);
  base_buffer_clear(&got);
}

/* ---- out of memory ----------------------------------------------------------------------------
 */

typedef struct failing {
  size_t left; /* allocations until all fail */
  long live;
} failing;

static void *
fail_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  failing *f = user;
  (void)old_size;
  if (!f->left) return NULL;
  f->left--;
  if (!ptr) f->live++;
  return realloc(ptr, new_size ? new_size : 1);
}

static void *
fail_allocate(void *user, size_t size)
{
  return fail_resize(user, NULL, 0, size);
}

static void
fail_release(void *user, void *ptr, size_t size)
{
  failing *f = user;
  (void)size;
  if (ptr) f->live--;
  free(ptr);
}

static quoin_status
count_sink(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  (void)quads;
  (void)err;
  *(size_t *)user += n;
  return QUOIN_OK;
}

/* Every allocation of a reading fails in turn: a clean status, and nothing is kept. */
static void
test_source__survives_a_lack_of_memory(void **state)
{
  static const char TEXT[] = "<a:s> <a:p> \"x\\ty\" .\n<a:\\u00e9> <a:p> <a:o> .\n";
  base_buffer zipped = compress_gzip(base_span(TEXT));
  (void)state;
  for (int format = RDFIO_NTRIPLES; format <= RDFIO_TRIG; format++) {
    quoin_status st = QUOIN_ERR_NOMEM;
    for (size_t allowed = 0; st == QUOIN_ERR_NOMEM; allowed++) {
      failing f = {.left = allowed};
      base_alloc mem = {fail_allocate, fail_resize, fail_release, &f};
      rdfio_source *source = NULL;
      rdfio_read_options options = {.format = (rdfio_format)format};
      rdfio_read_result result;
      size_t n = 0;
      assert_true(allowed < 1000);
      st = rdfio_source_memory(&source, (quoin_span){zipped.data, zipped.len}, "t", &mem, NULL);
      if (!st) st = rdfio_read(&result, source, &options, count_sink, &n, &mem, NULL);
      rdfio_source_close(source);
      assert_int_equal(f.live, 0);
      if (!st) assert_int_equal(n, 2);
    }
    assert_int_equal(st, QUOIN_OK);
  }
  base_buffer_clear(&zipped);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_source__decompresses_members_in_a_row),
      cmocka_unit_test(test_source__refuses_what_is_cut_off),
      cmocka_unit_test(test_source__refuses_what_is_damaged),
      cmocka_unit_test(test_source__reads_large_files_ahead),
      cmocka_unit_test(test_source__names_what_is_not_there),
      cmocka_unit_test(test_source__reads_standard_input),
      cmocka_unit_test(test_source__survives_a_lack_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
