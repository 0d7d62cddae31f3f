/* load_sources against a store: what was read is what is there, or nothing is. */
#include "load/load.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
  char path[64];
  quad_store *store;
} fixture;

static int
setup(void **state)
{
  fixture *f = calloc(1, sizeof(*f));
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.create = true};

  if (!f) return -1;
  snprintf(f->path, sizeof(f->path), "/tmp/quoin-load-XXXXXX");
  if (!mkdtemp(f->path)) return -1;
  strcat(f->path, "/s");
  *state = f;
  if (!quad_store_open(&f->store, f->path, &options, base_alloc_default(), &err)) return 0;
  fprintf(stderr, "%s\n", err.message);
  return -1;
}

static int
teardown(void **state)
{
  fixture *f = *state;
  char command[96];
  quoin_error err = QUOIN_ERROR_INIT;

  const quoin_status st = quad_store_close(f->store, &err);
  *strrchr(f->path, '/') = '\0';
  snprintf(command, sizeof(command), "rm -rf %s", f->path);
  const int removed = system(command);
  free(f);
  return st || removed ? -1 : 0;
}

static quoin_status
load_texts(load_result *out, fixture *f, const char *const *texts, size_t n, load_options *options,
           quoin_error *err)
{
  rdfio_source *sources[4] = {0};

  for (size_t i = 0; i < n; i++)
    assert_int_equal(
        rdfio_source_memory(&sources[i], base_span(texts[i]), "text", base_alloc_default(), err),
        QUOIN_OK);
  const quoin_status st =
      load_sources(out, f->store, sources, n, options, base_alloc_default(), err);
  for (size_t i = 0; i < n; i++)
    rdfio_source_close(sources[i]);
  return st;
}

static uint64_t
count(fixture *f, quad_scope scope)
{
  quad_snapshot *snapshot = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  const quad_pattern all = {.scope = scope};

  assert_int_equal(quad_snapshot_acquire(&snapshot, f->store, &err), QUOIN_OK);
  assert_int_equal(quad_count(&n, snapshot, &all, &err), QUOIN_OK);
  quad_snapshot_release(snapshot);
  return n;
}

static load_options
nquads(unsigned threads)
{
  return (load_options){.read = {.format = RDFIO_NQUADS, .threads = threads}};
}

static void
test_load__adds_each_quad_once(void **state)
{
  fixture *f = *state;
  load_options options = nquads(0);
  load_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *const texts[] = {"<s:> <p:> \"1\" <g:> .\n<s:> <p:> \"1\" <g:> .\n<s:> <p:> oops .\n",
                               "<s:> <p:> \"1\" <g:> .\n<s:> <p:> \"2\" .\n"};
  const char *const good[] = {"<s:> <p:> \"1\" <g:> .\n<s:> <p:> \"1\" <g:> .\n", texts[1]};

  assert_int_equal(load_texts(&result, f, texts, 2, &options, &err), QUOIN_ERR_SYNTAX);
  assert_int_equal(err.line, 3);
  assert_int_equal(count(f, QUAD_ANY), 0);
  assert_int_equal(load_texts(&result, f, good, 2, &options, &err), QUOIN_OK);
  assert_int_equal(result.statements, 4);
  assert_int_equal(result.added, 2);
  assert_int_equal(count(f, QUAD_NAMED), 1);
  assert_int_equal(count(f, QUAD_DEFAULT), 1);
  assert_int_equal(load_texts(&result, f, good, 2, &options, &err), QUOIN_OK);
  assert_int_equal(result.added, 0);
}

static void
test_load__blank_labels_are_scoped_to_their_file(void **state)
{
  fixture *f = *state;
  load_options options = nquads(0);
  load_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *const texts[] = {"_:a <p:> _:a .\n_:a <p:> _:b .\n", "_:a <p:> _:a .\n"};

  assert_int_equal(load_texts(&result, f, texts, 2, &options, &err), QUOIN_OK);
  assert_int_equal(result.added, 3);
  assert_int_equal(load_texts(&result, f, texts, 2, &options, &err), QUOIN_OK);
  assert_int_equal(result.added, 3);
}

static void
test_load__graph_takes_what_names_none(void **state)
{
  fixture *f = *state;
  load_options options = nquads(1);
  const rdf_term graph = {.kind = RDF_IRI, .value = base_span("http://e/g")};
  load_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *const texts[] = {"<s:> <p:> <o:> .\n<s:> <p:> <o:> <h:> .\n"};

  options.graph = &graph;
  assert_int_equal(load_texts(&result, f, texts, 1, &options, &err), QUOIN_OK);
  assert_int_equal(count(f, QUAD_NAMED), 2);
  assert_int_equal(count(f, QUAD_DEFAULT), 0);
}

/* Many packets, so that the ring goes round, a failure in the last one, and atoms that are gone
 * after it. */
static void
fail_late(fixture *f, unsigned threads, int n)
{
  load_options options = nquads(threads);
  load_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer text;
  atom_stats before, after;

  base_buffer_init(&text, base_alloc_default());
  for (int i = 0; i < n; i++)
    base_buffer_printf(&text, "<http://e/s%d> <http://e/p> \"value %d\" <http://e/g%d> .\n", i, i,
                       i % 7);
  const size_t good = text.len;
  base_buffer_text(&text, "<s:> <p:> oops .\n");
  base_buffer_byte(&text, '\0');
  assert_false(text.failed);
  const char *const bad_text[] = {text.data};

  atom_store_stats(&before, quad_store_atoms(f->store));
  assert_int_equal(load_texts(&result, f, bad_text, 1, &options, &err), QUOIN_ERR_SYNTAX);
  assert_int_equal(err.line, n + 1);
  assert_int_equal(err.column, 11);
  assert_int_equal(count(f, QUAD_ANY), 0);
  atom_store_stats(&after, quad_store_atoms(f->store));
  assert_int_equal(before.terms, after.terms);
  assert_int_equal(before.blanks, after.blanks);

  text.data[good] = '\0';
  assert_int_equal(load_texts(&result, f, bad_text, 1, &options, &err), QUOIN_OK);
  assert_int_equal(result.added, n);
  assert_int_equal(count(f, QUAD_NAMED), n);
  assert_int_equal(quad_store_check(f->store, NULL, NULL, NULL, &err), QUOIN_OK);
  base_buffer_clear(&text);
}

static void
test_load__failure_leaves_the_store_as_it_was(void **state)
{
  fail_late(*state, 0, 130000);
}

static void
test_load__failure_leaves_the_store_as_it_was_on_one_thread(void **state)
{
  fail_late(*state, 1, 130000);
}

/* So few quads that they go through the log. */
static void
test_load__failure_leaves_the_store_as_it_was_when_small(void **state)
{
  fail_late(*state, 3, 20000);
}

typedef struct heard {
  uint64_t lines[64];
  size_t n;
} heard;

static void
hear(void *user, const quoin_error *error)
{
  heard *h = user;
  assert_string_equal(error->file, "text");
  assert_true(h->n < 64);
  h->lines[h->n++] = error->line;
}

/* Two inputs of several chunks, with bad lines, blank nodes and what comes twice. */
static void
many_lines(base_buffer *text, int n)
{
  base_buffer_init(text, base_alloc_default());
  for (int i = 0; i < n; i++) {
    if (i % 9973 == 77)
      base_buffer_text(text, "<s:> <p:> oops .\n");
    else
      base_buffer_printf(text, "<http://e/s%d> <http://e/p%d> %s%d%s .\n", i / 3, i % 11,
                         i % 2 ? "_:b" : "\"v", i % 40000, i % 2 ? "" : "\"");
  }
  base_buffer_byte(text, '\0');
  assert_false(text->failed);
}

static uint64_t
digest_of_run(const char *path)
{
  char name[96];
  uint64_t digest = 0;
  for (int generation = 1; generation < 40; generation++) {
    snprintf(name, sizeof(name), "%s/run-%d", path, generation);
    FILE *file = fopen(name, "rb");
    if (!file) continue;
    char data[4096];
    size_t got;
    while ((got = fread(data, 1, sizeof(data), file)) > 0)
      digest = base_hash_seed(data, got, digest);
    fclose(file);
    break;
  }
  return digest;
}

/* The same quads, bad lines and bytes, however many threads there are and however little memory. */
static void
test_load__is_the_same_with_any_threads_and_memory(void **state)
{
  (void)state;
  static const unsigned threads[] = {1, 2, 3, 4, 2, 1};
  static const uint64_t memory[] = {0, 0, 0, 0, 1, 1};
  base_buffer text;
  uint64_t digest = 0, terms = 0, added = 0;

  many_lines(&text, 160000);
  const char *const texts[] = {text.data, text.data};
  for (size_t i = 0; i < sizeof(threads) / sizeof(*threads); i++) {
    void *one = NULL;
    assert_int_equal(setup(&one), 0);
    fixture *f = one;
    load_options options = nquads(threads[i]);
    load_result result;
    quoin_error err = QUOIN_ERROR_INIT;
    atom_stats stats;
    heard h = {.n = 0};

    options.memory_bytes = memory[i];
    options.read.lenient = true;
    options.read.bad = hear;
    options.read.user = &h;
    assert_int_equal(load_texts(&result, f, texts, 2, &options, &err), QUOIN_OK);
    assert_int_equal(h.n, 2 * 17);
    for (size_t k = 0; k < h.n; k++)
      assert_int_equal(h.lines[k], k % 17 * 9973 + 78);
    assert_int_equal(result.skipped, h.n);
    assert_int_equal(result.statements, 2 * 160000 - h.n);
    atom_store_stats(&stats, quad_store_atoms(f->store));
    if (i == 0) {
      digest = digest_of_run(f->path);
      terms = stats.terms;
      added = result.added;
      assert_int_equal(quad_store_check(f->store, NULL, NULL, NULL, &err), QUOIN_OK);
    }
    assert_true(digest && digest == digest_of_run(f->path));
    assert_int_equal(stats.terms, terms);
    assert_int_equal(result.added, added);
    assert_int_equal(teardown(&one), 0);
  }
  base_buffer_clear(&text);
}

/* Many small loads leave a bounded number of runs, and each quad once. */
static void
test_load__small_ones_share_runs(void **state)
{
  fixture *f = *state;
  load_options options = nquads(2);
  quoin_error err = QUOIN_ERROR_INIT;
  quad_stats stats;

  for (int i = 0; i < 60; i++) {
    load_result result;
    base_buffer text;
    base_buffer_init(&text, base_alloc_default());
    for (int k = 0; k < 300; k++) /* half of them are of the load before */
      base_buffer_printf(&text, "<http://e/s%d> <http://e/p> \"%d\" .\n", i * 150 + k, k % 150);
    base_buffer_byte(&text, '\0');
    const char *const texts[] = {text.data};
    assert_int_equal(load_texts(&result, f, texts, 1, &options, &err), QUOIN_OK);
    assert_int_equal(result.added, i ? 150 : 300);
    base_buffer_clear(&text);
  }
  assert_int_equal(count(f, QUAD_DEFAULT), 60 * 150 + 150);
  assert_int_equal(quad_store_stats(&stats, f->store, &err), QUOIN_OK);
  assert_true(stats.disk_runs <= 8 && stats.memory_runs <= 16);
  assert_int_equal(quad_store_check(f->store, NULL, NULL, NULL, &err), QUOIN_OK);
}

/* A load into a store that has quads adds what is new, whatever the term was before. */
static void
test_load__a_large_one_after_another(void **state)
{
  fixture *f = *state;
  load_options options = nquads(2);
  load_result first, second;
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer text;

  options.read.lenient = true;
  many_lines(&text, 140000);
  const char *const texts[] = {text.data};
  assert_int_equal(load_texts(&first, f, texts, 1, &options, &err), QUOIN_OK);
  assert_int_equal(load_texts(&second, f, texts, 1, &options, &err), QUOIN_OK);
  /* Blank nodes are others each time; quads with literals are there. */
  assert_true(second.added > 0 && second.added < first.added);
  assert_int_equal(count(f, QUAD_ANY), first.added + second.added);
  assert_int_equal(quad_store_check(f->store, NULL, NULL, NULL, &err), QUOIN_OK);
  base_buffer_clear(&text);
}

static void
test_load__lenient_skips_and_counts(void **state)
{
  fixture *f = *state;
  load_options options = nquads(0);
  load_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *const texts[] = {"<s:> <p:> <o:> .\nnonsense\n<s:> <p:> <o2:> .\n"};

  options.read.lenient = true;
  assert_int_equal(load_texts(&result, f, texts, 1, &options, &err), QUOIN_OK);
  assert_int_equal(result.added, 2);
  assert_int_equal(result.skipped, 1);
}

static void
test_load__cancelled_before_it_begins(void **state)
{
  fixture *f = *state;
  load_options options = nquads(0);
  load_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  atomic_int flag = 1;
  base_cancel cancel = {.flag = &flag};
  const char *const texts[] = {"<s:> <p:> <o:> .\n"};

  options.read.cancel = &cancel;
  assert_int_equal(load_texts(&result, f, texts, 1, &options, &err), QUOIN_ERR_CANCELLED);
  assert_int_equal(count(f, QUAD_ANY), 0);
}

/* ---- beside another writer ------------------------------------------------------------------- */

enum { LATER = 120000 };

typedef struct later_load {
  fixture *f;
  char *text;
  load_result result;
} later_load;

static void *
load_later(void *user)
{
  later_load *l = user;
  quoin_error err = QUOIN_ERROR_INIT;
  load_options options = nquads(8);
  const char *const texts[] = {l->text};
  assert_int_equal(load_texts(&l->result, l->f, texts, 1, &options, &err), QUOIN_OK);
  return NULL;
}

static void
subject_of(char name[32], rdf_term *out, int n)
{
  snprintf(name, 32, "http://e/s%d", n);
  *out = (rdf_term){.kind = RDF_IRI, .value = base_span(name)};
}

/* A load that waits for its turn may not rely on terms that the one before it takes back. */
static void
test_load__after_one_that_is_aborted(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  later_load l = {.f = f, .text = malloc(LATER * 96)};
  quad_snapshot *snapshot = NULL;
  quad_bulk *bulk;
  pthread_t thread;
  atom_id id;
  rdf_term term;
  char name[32];
  size_t len = 0;

  for (int i = 0; i < LATER; i++)
    len += (size_t)sprintf(l.text + len, "<http://e/s%d> <http://e/p> \"value %d\" .\n", i, i);
  assert_int_equal(quad_bulk_begin(&bulk, f->store, 0, 1, &err), QUOIN_OK);
  for (int i = LATER; i-- > 0;) {
    subject_of(name, &term, i);
    assert_int_equal(atom_intern(&id, quad_store_atoms(f->store), &term, &err), QUOIN_OK);
  }
  assert_int_equal(pthread_create(&thread, NULL, load_later, &l), 0);
  usleep(300000); /* it reads ahead */
  quad_bulk_abort(bulk);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(l.result.added, LATER);
  free(l.text);

  assert_int_equal(quad_snapshot_acquire(&snapshot, f->store, &err), QUOIN_OK);
  const uint64_t mark = quad_snapshot_atom_mark(snapshot);
  for (int i = 0; i < LATER; i++) {
    quad_pattern about = {.scope = QUAD_DEFAULT};
    uint64_t n = 0;
    subject_of(name, &term, i);
    assert_int_equal(
        atom_find(&about.match.term[QUAD_S], quad_snapshot_atoms(snapshot), &term, mark, &err),
        QUOIN_OK);
    assert_true(about.match.term[QUAD_S].bits != 0);
    assert_int_equal(quad_count(&n, snapshot, &about, &err), QUOIN_OK);
    assert_int_equal(n, 1);
  }
  quad_snapshot_release(snapshot);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_load__adds_each_quad_once, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__blank_labels_are_scoped_to_their_file, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_load__graph_takes_what_names_none, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__failure_leaves_the_store_as_it_was, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_load__failure_leaves_the_store_as_it_was_on_one_thread,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__failure_leaves_the_store_as_it_was_when_small,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__is_the_same_with_any_threads_and_memory, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_load__small_ones_share_runs, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__a_large_one_after_another, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__lenient_skips_and_counts, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__cancelled_before_it_begins, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__after_one_that_is_aborted, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
