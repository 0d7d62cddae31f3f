/* vector/tensor.c - https://w3id.org/rdf-tensor/datatypes#NumericDataTensor: an object of JSON with
 * type, shape and data, read as far as it says a vector: one dimension, numbers. Other members are
 * passed over. */
#include "vector/tensor.h"

#include "base/poison.h"

typedef struct cursor {
  const char *at, *end;
} cursor;

static bool
is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip_space(cursor *c)
{
  while (c->at < c->end && is_space(*c->at))
    c->at++;
}

/* Past `byte`, with the space before it. */
static bool
take(cursor *c, char byte)
{
  skip_space(c);
  if (c->at == c->end || *c->at != byte) return false;
  c->at++;
  return true;
}

/* What stands between quotes, escapes left as they are. */
static bool
take_string(quoin_span *out, cursor *c)
{
  if (!take(c, '"')) return false;
  const char *from = c->at;
  for (; c->at < c->end; c->at++) {
    if (*c->at == '"') {
      *out = (quoin_span){from, (size_t)(c->at++ - from)};
      return true;
    }
    if (*c->at == '\\' && ++c->at == c->end) break;
  }
  return false;
}

/* Any value, by its brackets: what is in it is not looked at. */
static bool
take_value(quoin_span *out, cursor *c)
{
  size_t depth = 0;
  quoin_span string;
  skip_space(c);
  const char *from = c->at;
  while (c->at < c->end) {
    char byte = *c->at;
    if (byte == '"') {
      if (!take_string(&string, c)) return false;
      continue;
    }
    if (!depth && (byte == ',' || byte == '}')) break;
    if (byte == '[' || byte == '{') depth++;
    if (byte == ']' || byte == '}') {
      if (!depth) return false;
      depth--;
    }
    c->at++;
  }
  *out = (quoin_span){from, (size_t)(c->at - from)};
  return !depth && out->len > 0;
}

/* [n] */
static bool
read_shape(uint64_t *out, quoin_span text)
{
  cursor c = {text.ptr, text.ptr + text.len};
  *out = 0;
  if (!take(&c, '[')) return false;
  skip_space(&c);
  const char *from = c.at;
  for (; c.at < c.end && (unsigned char)(*c.at - '0') < 10; c.at++)
    if ((*out = *out * 10 + (uint64_t)(*c.at - '0')) > RDF_VECTOR_MAX) return false;
  return c.at > from && take(&c, ']');
}

static bool
is_numeric(quoin_span type)
{
  static const char *const types[] = {"\"float32\"", "\"float64\"", "\"float16\"",
                                      "\"int32\"",   "\"int64\"",   "\"int16\""};
  while (type.len && is_space(type.ptr[type.len - 1]))
    type.len--;
  for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
    if (base_span_is(type, types[i])) return true;
  return false;
}

bool
vec_tensor_data(quoin_span *data, uint64_t *n, quoin_span text)
{
  cursor c = {text.ptr, text.ptr + text.len};
  quoin_span key, value, type = {NULL, 0}, shape = {NULL, 0};
  *data = (quoin_span){NULL, 0};
  if (!take(&c, '{')) return false;
  do {
    if (!take_string(&key, &c) || !take(&c, ':') || !take_value(&value, &c)) return false;
    if (base_span_is(key, "type")) type = value;
    if (base_span_is(key, "shape")) shape = value;
    if (base_span_is(key, "data")) *data = value;
  } while (take(&c, ','));
  if (!take(&c, '}')) return false;
  skip_space(&c);
  return c.at == c.end && is_numeric(type) && shape.len && data->len && read_shape(n, shape);
}
