/* tests/conformance/manifest.c - W3C test manifests, read with Quoin's own reader. */
#include "conformance/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- datasets ---------------------------------------------------------------------------------
 */

void
dataset_init(dataset *d)
{
  *d = (dataset){0};
  base_arena_init(&d->arena, base_alloc_default());
}

void
dataset_clear(dataset *d)
{
  base_release(base_alloc_default(), d->quads, d->cap, sizeof(*d->quads));
  base_arena_clear(&d->arena);
  d->quads = NULL;
  d->n = d->cap = 0;
}

static bool
copy_span(quoin_span *out, dataset *d, quoin_span text)
{
  *out = text.len ? base_arena_copy(&d->arena, text) : (quoin_span){0};
  return out->ptr || !text.len;
}

quoin_status
dataset_add(dataset *d, const rdfio_quad *quad, quoin_error *err)
{
  void *quads = d->quads;
  if (!base_reserve(base_alloc_default(), &quads, &d->cap, d->n + 1, sizeof(*d->quads)))
    return base_fail_nomem(err);
  d->quads = quads;
  rdfio_quad *q = &d->quads[d->n];
  for (int i = 0; i < 4; i++) {
    const rdf_term *from = &quad->term[i];
    q->term[i].kind = from->kind;
    if (!copy_span(&q->term[i].value, d, from->value) ||
        !copy_span(&q->term[i].datatype, d, from->datatype) ||
        !copy_span(&q->term[i].lang, d, from->lang))
      return base_fail_nomem(err);
  }
  d->n++;
  return QUOIN_OK;
}

static quoin_status
add_batch(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < n && !st; i++)
    st = dataset_add(user, &quads[i], err);
  return st;
}

quoin_status
dataset_read(dataset *d, const char *path, rdfio_format format, quoin_span base, quoin_error *err)
{
  rdfio_source *source = NULL;
  rdfio_read_result result;
  rdfio_read_options options = {.format = format, .base = base};
  quoin_status st = rdfio_source_open(&source, path, base_alloc_default(), err);
  if (!st) st = rdfio_read(&result, source, &options, add_batch, d, base_alloc_default(), err);
  rdfio_source_close(source);
  return st;
}

static int
compare_subjects(const rdf_term *a, const rdf_term *b)
{
  return a->kind != b->kind ? (a->kind < b->kind ? -1 : 1) : base_span_compare(a->value, b->value);
}

/* By subject, then as they came: addresses in the arena do not tell, so the sort keeps indices. */
typedef struct placed_quad {
  rdfio_quad quad;
  size_t place;
} placed_quad;

static int
compare_placed(const void *a, const void *b)
{
  const placed_quad *x = a, *y = b;
  int c = compare_subjects(&x->quad.term[0], &y->quad.term[0]);
  return c ? c : (x->place > y->place) - (x->place < y->place);
}

void
dataset_index(dataset *d)
{
  placed_quad *all = calloc(d->n ? d->n : 1, sizeof(*all));
  if (!all) abort();
  for (size_t i = 0; i < d->n; i++)
    all[i] = (placed_quad){d->quads[i], i};
  qsort(all, d->n, sizeof(*all), compare_placed);
  for (size_t i = 0; i < d->n; i++)
    d->quads[i] = all[i].quad;
  free(all);
}

/* First quad whose subject is not below `subject`. */
static size_t
lower_bound(const dataset *d, const rdf_term *subject)
{
  size_t low = 0, high = d->n;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (compare_subjects(&d->quads[mid].term[0], subject) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

const rdf_term *
dataset_next(size_t *at, const dataset *d, const rdf_term *subject, const char *predicate)
{
  for (size_t i = *at ? *at : lower_bound(d, subject); i < d->n; i++) {
    const rdfio_quad *q = &d->quads[i];
    if (compare_subjects(&q->term[0], subject)) break;
    if (!base_span_is(q->term[1].value, predicate)) continue;
    *at = i + 1;
    return &q->term[2];
  }
  return NULL;
}

const rdf_term *
dataset_object(const dataset *d, const rdf_term *subject, const char *predicate)
{
  size_t at = 0;
  return dataset_next(&at, d, subject, predicate);
}

/* ---- manifests --------------------------------------------------------------------------------
 */

typedef struct walk {
  const char *shared;
  quoin_status (*each)(void *user, const manifest_test *test, quoin_error *err);
  void *user;
  quoin_error *err;
} walk;

const char *
manifest_file(char *out, size_t room, const char *shared, quoin_span iri)
{
  size_t n = strlen(W3C_BASE);
  if (iri.len < n || memcmp(iri.ptr, W3C_BASE, n) != 0) return NULL;
  int len = snprintf(out, room, "%s/w3c/%.*s", shared, (int)(iri.len - n), iri.ptr + n);
  return len > 0 && (size_t)len < room ? out : NULL;
}

quoin_span
manifest_local_name(quoin_span iri)
{
  size_t at = iri.len;
  while (at && iri.ptr[at - 1] != '#' && iri.ptr[at - 1] != '/')
    at--;
  return (quoin_span){iri.ptr + at, iri.len - at};
}

static quoin_status walk_manifest(const walk *w, const char *path);

static quoin_status
visit_entry(const walk *w, const dataset *d, const char *path, const rdf_term *node)
{
  const rdf_term *name = dataset_object(d, node, MF "name");
  const rdf_term *type = dataset_object(d, node, RDF_NS "type");
  manifest_test test = {.graph = d, .manifest = path, .node = *node};
  test.name = name ? name->value : node->value;
  test.type = type ? type->value : (quoin_span){0};
  test.action = dataset_object(d, node, MF "action");
  test.result = dataset_object(d, node, MF "result");
  return w->each(w->user, &test, w->err);
}

static quoin_status
visit_include(const walk *w, const rdf_term *node)
{
  char file[1024], path[1024];
  size_t n = strlen(W3C_BASE);
  if (!manifest_file(file, sizeof(file), w->shared, node->value) || access(file, R_OK) != 0)
    return QUOIN_OK;
  snprintf(path, sizeof(path), "%.*s", (int)(node->value.len - n), node->value.ptr + n);
  return walk_manifest(w, path);
}

/* Every member of the lists that `property` of any subject leads to. */
static quoin_status
walk_lists(const walk *w, const dataset *d, const char *path, const char *property, bool include)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < d->n && !st; i++) {
    if (!base_span_is(d->quads[i].term[1].value, property)) continue;
    const rdf_term *list = &d->quads[i].term[2];
    while (list && !base_span_is(list->value, RDF_NS "nil") && !st) {
      const rdf_term *node = dataset_object(d, list, RDF_NS "first");
      if (node) st = include ? visit_include(w, node) : visit_entry(w, d, path, node);
      list = dataset_object(d, list, RDF_NS "rest");
    }
  }
  return st;
}

static quoin_status
walk_manifest(const walk *w, const char *path)
{
  char file[1024], base[1024];
  dataset d;
  snprintf(file, sizeof(file), "%s/w3c/%s", w->shared, path);
  snprintf(base, sizeof(base), W3C_BASE "%s", path);
  dataset_init(&d);
  quoin_status st = dataset_read(&d, file, RDFIO_TURTLE, base_span(base), w->err);
  if (!st) {
    dataset_index(&d);
    st = walk_lists(w, &d, path, MF "include", true);
    if (!st) st = walk_lists(w, &d, path, MF "entries", false);
  }
  dataset_clear(&d);
  return st;
}

quoin_status
manifest_each(const char *shared, const char *path,
              quoin_status (*each)(void *user, const manifest_test *test, quoin_error *err),
              void *user, quoin_error *err)
{
  walk w = {shared, each, user, err};
  return walk_manifest(&w, path);
}

long
manifest_count(const char *shared, const char *suite, const char *manifest, quoin_span type)
{
  char file[1024], line[1024];
  long sum = -1;
  snprintf(file, sizeof(file), "%s/w3c/COUNTS.tsv", shared);
  FILE *in = fopen(file, "r");
  if (!in) return -1;
  while (fgets(line, sizeof(line), in)) {
    char *rest = line;
    const char *column[5] = {0};
    for (int i = 0; i < 5 && rest; i++)
      column[i] = strsep(&rest, "\t");
    if (!column[4] || strcmp(column[0], suite) != 0) continue;
    if (manifest && strcmp(column[1], manifest) != 0) continue;
    if (!base_span_is(type, column[2])) continue;
    sum = (sum < 0 ? 0 : sum) + strtol(column[4], NULL, 10);
  }
  fclose(in);
  return sum;
}
