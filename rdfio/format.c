/* rdfio/format.c - names of RDF syntaxes: as users write them, media types, endings of paths. */
#include "rdfio/rdfio.h"

#include <strings.h>

#include "base/poison.h"

typedef struct format_name {
  const char *name;
  rdfio_format format;
} format_name;

static const format_name NAMES[] = {
    {"nt", RDFIO_NTRIPLES},
    {"ntriples", RDFIO_NTRIPLES},
    {"n-triples", RDFIO_NTRIPLES},
    {"application/n-triples", RDFIO_NTRIPLES},
    {"nq", RDFIO_NQUADS},
    {"nquads", RDFIO_NQUADS},
    {"n-quads", RDFIO_NQUADS},
    {"application/n-quads", RDFIO_NQUADS},
    {"ttl", RDFIO_TURTLE},
    {"turtle", RDFIO_TURTLE},
    {"text/turtle", RDFIO_TURTLE},
    {"application/x-turtle", RDFIO_TURTLE},
    {"trig", RDFIO_TRIG},
    {"application/trig", RDFIO_TRIG},
    {"application/x-trig", RDFIO_TRIG},
};

static const char *const COMPRESSED[] = {".gz", ".bz2", ".xz", ".zst"};

/* A media type may carry parameters: "text/turtle; charset=utf-8". */
static quoin_span
without_parameters(quoin_span name)
{
  const char *semicolon = name.len ? memchr(name.ptr, ';', name.len) : NULL;
  if (semicolon) name.len = (size_t)(semicolon - name.ptr);
  while (name.len && name.ptr[name.len - 1] == ' ')
    name.len--;
  return name;
}

rdfio_format
rdfio_format_by_name(quoin_span name)
{
  name = without_parameters(name);
  for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
    if (base_span_equal_nocase(name, base_span(NAMES[i].name))) return NAMES[i].format;
  return RDFIO_UNKNOWN;
}

static bool
ends_with(quoin_span text, const char *end)
{
  size_t n = strlen(end);
  return text.len > n && strncasecmp(text.ptr + text.len - n, end, n) == 0;
}

rdfio_format
rdfio_format_by_path(const char *path)
{
  quoin_span name = base_span(path);
  for (size_t i = 0; i < sizeof(COMPRESSED) / sizeof(COMPRESSED[0]); i++) {
    if (ends_with(name, COMPRESSED[i])) {
      name.len -= strlen(COMPRESSED[i]);
      break;
    }
  }
  if (ends_with(name, ".nt")) return RDFIO_NTRIPLES;
  if (ends_with(name, ".nq")) return RDFIO_NQUADS;
  if (ends_with(name, ".ttl")) return RDFIO_TURTLE;
  if (ends_with(name, ".trig")) return RDFIO_TRIG;
  return RDFIO_UNKNOWN;
}
