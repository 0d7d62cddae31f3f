/* atomstore/record.c - bytes of term records. */
#include "atomstore/record.h"

#include "base/poison.h"

uint64_t
atom_tag_hash(quoin_span tag)
{
  char lower[64];
  uint64_t hash = 0;
  for (size_t from = 0; from < tag.len; from += sizeof(lower)) {
    size_t n = tag.len - from < sizeof(lower) ? tag.len - from : sizeof(lower);
    for (size_t i = 0; i < n; i++) {
      char c = tag.ptr[from + i];
      lower[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    hash = base_hash_seed(lower, n, hash);
  }
  return hash;
}

uint16_t
atom_tag_case(quoin_span tag)
{
  unsigned bits = 0;
  for (size_t i = 0; i < tag.len; i++)
    if (tag.ptr[i] >= 'A' && tag.ptr[i] <= 'Z') bits ^= 2 * (unsigned)i + 1; /* each its own */
  return (uint16_t)bits;
}

void
atom_key_hash(atom_key *key)
{
  uint64_t seed = base_mix((uint64_t)key->kind << 58 | key->datatype);
  if (key->lang.len) seed ^= atom_tag_hash(key->lang);
  key->hash = base_hash_seed(key->value.len ? key->value.ptr : "", key->value.len, seed);
}

/* Most numbers are of one byte. */
static inline bool
number_read(uint64_t *out, const uint8_t **at, const uint8_t *end)
{
  if (*at < end && **at < 0x80) {
    *out = *(*at)++;
    return true;
  }
  return base_varint_read(out, at, end);
}

static inline bool
bytes_read(quoin_span *out, const uint8_t **at, const uint8_t *end)
{
  uint64_t len;
  if (!number_read(&len, at, end) || len > (uint64_t)(end - *at)) return false;
  *out = (quoin_span){(const char *)*at, (size_t)len};
  *at += len;
  return true;
}

bool
atom_record_decode(atom_record *out, const char *from, size_t room)
{
  const uint8_t *at = (const uint8_t *)from, *end = at + room;
  if (room < 3 || at[0] > ATOM_CODEC_SYMBOLS) return false;
  out->coded = at[0] == ATOM_CODEC_SYMBOLS;
  out->kind = (atom_kind)at[1];
  if (out->coded && !atom_kind_is_text(out->kind)) return false;
  out->link = out->place = 0;
  out->lang = (quoin_span){NULL, 0};
  out->value = (quoin_span){NULL, 0};
  at += 2;
  if (!atom_kind_is_stored(out->kind)) return false;
  if (out->kind == ATOM_VECTOR) {
    if (!number_read(&out->link, &at, end) || !number_read(&out->place, &at, end)) return false;
    out->size = (size_t)((const char *)at - from);
    return true;
  }
  if (out->kind == ATOM_IRI || atom_kind_has_datatype(out->kind)) {
    if (!number_read(&out->link, &at, end)) return false;
  } else if (out->kind == ATOM_LANG) {
    if (!bytes_read(&out->lang, &at, end)) return false;
  }
  if (!bytes_read(&out->value, &at, end)) return false;
  out->size = (size_t)((const char *)at - from);
  return true;
}

static size_t
number_size(uint64_t n)
{
  size_t size = 1;
  while (n >>= 7)
    size++;
  return size;
}

bool
atom_record_measure(atom_record *rec)
{
  if (rec->kind == ATOM_VECTOR) {
    rec->size = 2 + number_size(rec->link) + number_size(rec->place);
    return true;
  }
  size_t size = 2 + number_size(rec->value.len);
  if (rec->kind == ATOM_IRI || atom_kind_has_datatype(rec->kind)) size += number_size(rec->link);
  if (rec->kind == ATOM_LANG) {
    size += number_size(rec->lang.len);
    if (!base_add_size(&size, size, rec->lang.len)) return false;
  }
  return base_add_size(&rec->size, size, rec->value.len);
}

static char *
number_put(char *at, uint64_t n)
{
  for (; n >= 0x80; n >>= 7)
    *at++ = (char)(n | 0x80);
  *at++ = (char)n;
  return at;
}

static char *
bytes_put(char *at, quoin_span bytes)
{
  at = number_put(at, bytes.len);
  if (bytes.len) memcpy(at, bytes.ptr, bytes.len);
  return at + bytes.len;
}

void
atom_record_encode(char *at, const atom_record *rec)
{
  *at++ = rec->coded ? ATOM_CODEC_SYMBOLS : ATOM_CODEC_RAW;
  *at++ = (char)rec->kind;
  if (rec->kind == ATOM_VECTOR) {
    (void)number_put(number_put(at, rec->link), rec->place);
    return;
  }
  if (rec->kind == ATOM_IRI || atom_kind_has_datatype(rec->kind)) at = number_put(at, rec->link);
  if (rec->kind == ATOM_LANG) at = bytes_put(at, rec->lang);
  (void)bytes_put(at, rec->value);
}
