/* sparql/expr/functions_hash.c - hash functions (SPARQL 1.1 section 17.4.6). Sole user of nettle.
 */
#include "sparql/expr/expr_eval.h"

#include <assert.h>
#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "base/poison.h"

static size_t
digest(uint8_t out[SHA512_DIGEST_SIZE], sparql_builtin which, quoin_span text)
{
  const uint8_t *data = (const uint8_t *)(text.len ? text.ptr : "");
  union {
    struct md5_ctx md5;
    struct sha1_ctx sha1;
    struct sha256_ctx sha256;
    struct sha512_ctx sha512; /* and sha384 */
  } c;
  switch ((int)which) {
  case FN_MD5:
    md5_init(&c.md5);
    md5_update(&c.md5, text.len, data);
    md5_digest(&c.md5, MD5_DIGEST_SIZE, out);
    return MD5_DIGEST_SIZE;
  case FN_SHA1:
    sha1_init(&c.sha1);
    sha1_update(&c.sha1, text.len, data);
    sha1_digest(&c.sha1, SHA1_DIGEST_SIZE, out);
    return SHA1_DIGEST_SIZE;
  case FN_SHA256:
    sha256_init(&c.sha256);
    sha256_update(&c.sha256, text.len, data);
    sha256_digest(&c.sha256, SHA256_DIGEST_SIZE, out);
    return SHA256_DIGEST_SIZE;
  case FN_SHA384:
    sha384_init(&c.sha512);
    sha512_update(&c.sha512, text.len, data);
    sha384_digest(&c.sha512, SHA384_DIGEST_SIZE, out);
    return SHA384_DIGEST_SIZE;
  default:
    assert(which == FN_SHA512);
    sha512_init(&c.sha512);
    sha512_update(&c.sha512, text.len, data);
    sha512_digest(&c.sha512, SHA512_DIGEST_SIZE, out);
    return SHA512_DIGEST_SIZE;
  }
}

quoin_status
fn_hash(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
        quoin_error *err)
{
  static const char hex[] = "0123456789abcdef";
  if (args[0].kind != VALUE_STRING) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (st) return st;
  uint8_t bytes[SHA512_DIGEST_SIZE];
  size_t n = digest(bytes, e->builtin, args[0].term.value);
  char *text = base_arena_bytes(ev->arena, n * 2);
  if (!text) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    text[2 * i] = hex[bytes[i] >> 4];
    text[2 * i + 1] = hex[bytes[i] & 15];
  }
  value_set_string(out, (quoin_span){text, n * 2});
  return QUOIN_OK;
}
