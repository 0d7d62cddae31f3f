/* Vector indexes of stores as a whole: counted, backed up, seen by a reader beside the writer; and
 * updates that make vectors of texts. */
#include "vectors.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- counts ---------------------------------------------------------------------------------- */

static void
test_vector_stores__counts(void **state)
{
  fixture *f = *state;
  quoin_stats all = QUOIN_STATS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  declare(f->store);
  quoin_vectors_stats s = count(f->store);
  assert_int_equal(s.statements + s.vectors + s.linked + s.unlinked + s.removed, 0);
  add_many(f->store, 0, 200);
  update(f->store, VEC "INSERT { GRAPH <http://x/g> { <http://x/other> <" P "> ?v } } WHERE { "
                       "<http://x/s7> <" P "> ?v }");
  update(f->store, "INSERT DATA { <http://x/text> <" P "> \"no vector\" , 7 }");
  settle(f->store);
  s = count(f->store);
  assert_int_equal(s.statements, 203);
  assert_int_equal(s.others, 2);
  assert_int_equal(s.vectors, 200);
  assert_int_equal(s.linked, 200);
  assert_int_equal(s.unlinked, 0);
  assert_int_equal(s.removed, 0);
  assert_true(s.bytes > 0 && s.file_bytes > 0);
  update(f->store, "DELETE WHERE { <http://x/s3> <" P "> ?v }");
  update(f->store, "DELETE WHERE { <http://x/s7> <" P "> ?v }"); /* another subject has it */
  s = count(f->store);
  assert_int_equal(s.vectors, 199);
  assert_int_equal(s.linked, 199);
  assert_true(s.removed <= 1);
  good(quoin_store_stats(&all, f->store, false, &err), &err);
  assert_true(all.vector_bytes >= 200 * DIM * sizeof(float));
  assert_true(all.vector_place_bytes >= 200 * sizeof(uint64_t)); /* they were read to be linked */
  assert_int_equal(quoin_vectors_count(&s, NULL, NULL, &err), QUOIN_ERR_ARGUMENT);
}

/* ---- backup ---------------------------------------------------------------------------------- */

/* Opened for reading nothing is linked: what is linked came with the backup. */
static void
expect_graph(const char *path, uint64_t linked, uint64_t unlinked)
{
  quoin_store *store = open_at(path, QUOIN_READ_ONLY);
  const quoin_vectors_stats s = count(store);
  assert_int_equal(s.linked, linked);
  assert_int_equal(s.unlinked, unlinked);
  expect_found(store, 0, (unsigned)(linked + unlinked), true);
  quoin_close(store);
}

static void
test_vector_stores__a_backup_has_the_graph(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[3][96];
  for (int i = 0; i < 3; i++)
    snprintf(path[i], sizeof(path[i]), "%s/backup%d", f->dir, i);
  declare(f->store);
  add_many(f->store, 0, MANY);
  settle(f->store);
  good(quoin_backup(f->store, path[0], NULL, &err), &err);
  expect_graph(path[0], MANY, 0);
  /* What no checkpoint has saved is in the quads of the backup. */
  add_many(f->store, MANY, 50);
  quoin_store *reader = open_at(f->path, QUOIN_READ_ONLY);
  good(quoin_backup(reader, path[1], NULL, &err), &err);
  quoin_close(reader);
  expect_graph(path[1], MANY, 50);
  /* Neither touches the other. */
  update(f->store, "DELETE WHERE { ?s <" P "> ?v }");
  settle(f->store);
  good(quoin_restore(path[2], path[1], NULL, &err), &err);
  expect_graph(path[2], MANY, 50);
  quoin_store *writer = open_at(path[2], QUOIN_READ_WRITE);
  settle(writer);
  assert_int_equal(count(writer).linked, MANY + 50);
  quoin_vectors *v;
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  good(quoin_vectors_open(&v, writer, text(P), &err), &err);
  good(quoin_vectors_check(&report, v, false, NULL, &err), &err);
  assert_int_equal(report.nodes, MANY + 50);
  assert_int_equal(report.unreachable, 0);
  quoin_vectors_close(v);
  quoin_close(writer);
  expect_graph(path[1], MANY, 50);
}

typedef struct beside {
  quoin_store *store;
  atomic_bool stop;
  unsigned added;
} beside;

static void *
write_beside(void *user)
{
  beside *b = user;
  quoin_error err = QUOIN_ERROR_INIT;
  for (b->added = 500; !atomic_load(&b->stop) && b->added < 5000; b->added += 20) {
    add_many(b->store, b->added, 20);
    if (b->added % 100 == 0) good(quoin_checkpoint(b->store, &err), &err);
  }
  return NULL;
}

/* Each is one state of the store, whole, while vectors are added, linked and saved. */
static void
test_vector_stores__backups_beside_a_writer(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  beside b = {.store = f->store};
  pthread_t thread;
  declare(f->store);
  add_many(f->store, 0, 500);
  settle(f->store);
  assert_int_equal(pthread_create(&thread, NULL, write_beside, &b), 0);
  for (int i = 0; i < 5; i++) {
    char path[96];
    snprintf(path, sizeof(path), "%s/b%d", f->dir, i);
    good(quoin_backup(f->store, path, NULL, &err), &err);
    quoin_store *copy = open_at(path, QUOIN_READ_WRITE);
    good(quoin_vectors_settle(copy, NULL, &err), &err);
    const quoin_vectors_stats s = count(copy);
    assert_int_equal(s.statements % 20, 0);
    assert_int_equal(s.linked, s.vectors);
    assert_int_equal(s.removed, 0);
    expect_found(copy, 0, (unsigned)s.vectors, true);
    quoin_close(copy);
  }
  atomic_store(&b.stop, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- a reader beside the writer -------------------------------------------------------------- */

/* Sooner or later: a thread compares the graph with the quads before it counts. */
static void
expect_linked(quoin_store *store, uint64_t linked, uint64_t unlinked)
{
  quoin_vectors_stats s = count(store);
  for (int tries = 0; s.linked != linked && tries < 6000; tries++) {
    usleep(10000);
    s = count(store);
  }
  assert_int_equal(s.linked, linked);
  assert_int_equal(s.unlinked, unlinked);
}

static void
test_vector_stores__a_reader_moves_on(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  declare(f->store);
  add_many(f->store, 0, 500);
  quoin_store *reader = open_at(f->path, QUOIN_READ_ONLY);
  expect_found(reader, 0, 500, true);
  add_many(f->store, 500, 500);
  expect_found(reader, 500, 500, false);
  good(quoin_store_refresh(NULL, reader, &err), &err);
  expect_found(reader, 0, 1000, true);
  assert_int_equal(count(reader).vectors, 1000);
  /* The graph of a checkpoint, and the log above it. */
  add_many(f->store, 1000, MANY - 1000);
  settle(f->store);
  add_many(f->store, MANY, 100);
  good(quoin_store_refresh(NULL, reader, &err), &err);
  expect_found(reader, 0, MANY + 100, true);
  expect_linked(reader, MANY, 100);
  /* Removed, and added again. */
  update(f->store, "DELETE WHERE { ?s <" P "> ?v }");
  add_many(f->store, 0, 100);
  expect_found(reader, 0, MANY, true);
  good(quoin_store_refresh(NULL, reader, &err), &err);
  expect_found(reader, 0, 100, true);
  expect_found(reader, 100, MANY, false);
  settle(f->store);
  good(quoin_store_refresh(NULL, reader, &err), &err);
  expect_found(reader, 0, 100, true);
  assert_int_equal(count(reader).vectors, 100);
  quoin_close(reader);
}

/* ---- updates that embed, answers that are explained -------------------------------------------
 */

static quoin_status
embed(float *out, size_t n, void *user, quoin_span what, quoin_error *err)
{
  int *calls = user;
  (void)err;
  ++*calls;
  for (size_t i = 0; i < n; i++)
    out[i] = i < what.len ? (float)what.ptr[i] : 1;
  return QUOIN_OK;
}

static void
test_vector_stores__an_update_embeds(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;
  quoin_txn *txn;
  int calls = 0;
  const char *request = VEC "INSERT { ?s <" P "> ?v } WHERE { ?s <http://x/t> ?t "
                            "BIND(vec:embed(<" P ">, ?t) AS ?v) }";
  declare(f->store);
  update(f->store, VEC "INSERT DATA { <http://x/a> <http://x/t> \"one\" . <http://x/b> "
                       "<http://x/t> \"two\" . GRAPH <urn:x-quoin:system> { <" P
                       "> vec:model \"letters\" } }");
  assert_int_equal(quoin_update(NULL, f->store, text(request), NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "vec:embed: no embedder"));
  assert_true(err.line == 1 && err.column > 1);
  options.embed = embed;
  options.embed_user = &calls;
  options.embed_model = text("numbers");
  assert_int_equal(quoin_update(NULL, f->store, text(request), &options, &err),
                   QUOIN_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "the model \"letters\", the embedder of \"numbers\""));
  options.embed_model = text("");
  assert_int_equal(quoin_update(NULL, f->store, text(request), &options, &err),
                   QUOIN_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "the model \"letters\", the embedder of none"));
  options.embed_model = text("letters");
  good(quoin_update(NULL, f->store, text(request), &options, &err), &err);
  assert_int_equal(calls, 2);
  assert_int_equal(count(f->store).vectors, 2);
  update(f->store, "INSERT DATA { <http://x/c> <http://x/t> \"three\" }");
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_update(txn, text(request), &options, &err), &err);
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
  assert_int_equal(count(f->store).vectors, 3);
}

static void
test_vector_stores__an_empty_answer_is_explained(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  declare(f->store);
  update(f->store, "INSERT DATA { GRAPH <http://x/g> { <http://x/a> <http://x/n> 1 } }");
  const char *const queries[] = {
      VEC "SELECT ?s { GRAPH <http://x/g> { (?s ?d) vec:nearest (<" P "> ?q 3) VALUES ?q { "
          "<http://x/s1> } } }",
      VEC "SELECT ?s { (?s ?d) vec:nearest (<" P "> <http://x/s1> 3) }",
      VEC "SELECT ?s { ?s <http://x/none> 1 . (?s ?d) vec:nearest (<" P "> <http://x/s1> 3) }"};
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; round && i < 3; i++) {
      quoin_cursor *cursor;
      quoin_status st;
      good(quoin_query(&cursor, f->store, text(queries[i]), NULL, &err), &err);
      while (!(st = quoin_cursor_next(cursor, &err)))
        ;
      assert_int_equal(st, QUOIN_DONE);
      assert_int_equal(quoin_cursor_notice(cursor) != NULL, i == 0);
      quoin_cursor_close(cursor);
    }
    if (!round) add_many(f->store, 0, 5);
  }
}

/* ---- threads ---------------------------------------------------------------------------------
 */

/* Of this process. */
static unsigned
count_threads(void)
{
  unsigned n = 0;
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks) return 0;
  while (readdir(tasks))
    n++;
  (void)closedir(tasks);
  return n;
}

/* The most that there are until all is linked, beyond those before. */
static unsigned
threads_that_link(quoin_store *store, unsigned n)
{
  declare(store);
  const unsigned before = count_threads();
  unsigned most = before;
  add_many(store, 0, n);
  while (count(store).linked < n) {
    const unsigned now = count_threads();
    if (now > most) most = now;
  }
  return most - before;
}

/* A store is linked by as many threads as it says, opened by itself or from a pool: with one, by
 * the one that waits for vectors. */
static void
test_vector_stores__one_thread_links_where_it_is_to_be_one(void **state)
{
  fixture *f = *state;
  quoin_open_options alone = QUOIN_OPEN_OPTIONS_INIT;
  quoin_pool_options pooled = QUOIN_POOL_OPTIONS_INIT;
  quoin_store *store;
  quoin_pool *pool;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[96];
  alone.mode = QUOIN_CREATE;
  alone.threads = 1;
  (void)snprintf(path, sizeof(path), "%s/alone", f->dir);
  good(quoin_open(&store, path, &alone, &err), &err);
  assert_int_equal(threads_that_link(store, MANY), 0);
  quoin_close(store);
  pooled.mode = QUOIN_CREATE;
  pooled.threads = 1;
  (void)snprintf(path, sizeof(path), "%s/pool", f->dir);
  good(quoin_pool_open(&pool, path, &pooled, &err), &err);
  good(quoin_pool_create(pool, "one", 0, &err), &err);
  good(quoin_pool_store(&store, pool, "one", &err), &err);
  assert_int_equal(threads_that_link(store, MANY), 0);
  quoin_close(store);
  quoin_pool_close(pool);
}

/* ---- bursts ----------------------------------------------------------------------------------
 */

/* SOME: syncs of maintenance that may fall between. */
enum { WRITERS = 16, BATCHES = 12, IN_BATCH = 8, BURST = WRITERS * BATCHES * IN_BATCH, SOME = 4 };

typedef struct writer {
  quoin_store *store;
  unsigned number;
} writer;

/* Each commit returns when it is acknowledged. */
static void *
write_batches(void *user)
{
  const writer *w = user;
  for (unsigned i = 0; i < BATCHES; i++)
    add_many(w->store, (w->number * BATCHES + i) * IN_BATCH, IN_BATCH);
  return NULL;
}

static quoin_stats
stats_of(quoin_store *store)
{
  quoin_stats s = QUOIN_STATS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_store_stats(&s, store, false, &err), &err);
  return s;
}

/* A batch of vectors is synced once, and so are commits of many threads that wait together
 * (durability full); what is acknowledged is found at once, linked or not. The rates are measured
 * by quoin-bench-vector-writes. */
static void
promise_o8_a_burst_is_acknowledged_and_found(void **state)
{
  fixture *f = *state;
  pthread_t threads[WRITERS];
  writer writers[WRITERS];
  declare(f->store);
  const quoin_stats before = stats_of(f->store);
  for (unsigned i = 0; i < WRITERS; i++) {
    writers[i] = (writer){f->store, i};
    assert_int_equal(pthread_create(&threads[i], NULL, write_batches, &writers[i]), 0);
  }
  for (unsigned i = 0; i < WRITERS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  expect_found(f->store, 0, BURST, true);
  const quoin_stats after = stats_of(f->store);
  assert_int_equal(after.commits - before.commits, WRITERS * BATCHES);
  assert_true(after.log_syncs - before.log_syncs <= WRITERS * BATCHES + SOME);
  assert_int_equal(count(f->store).vectors, BURST);
  settle(f->store);
  assert_int_equal(count(f->store).linked, BURST);
}

static void
promise_c6_a_batch_is_synced_once(void **state)
{
  fixture *f = *state;
  declare(f->store);
  const quoin_stats before = stats_of(f->store);
  add_many(f->store, 0, MANY);
  const quoin_stats batch = stats_of(f->store);
  for (unsigned i = 0; i < 20; i++)
    add_many(f->store, MANY + i, 1);
  const quoin_stats singles = stats_of(f->store);
  assert_in_range(batch.log_syncs - before.log_syncs, 1, SOME);
  assert_true(singles.log_syncs - batch.log_syncs >= 20);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_vector_stores__##name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(counts),
      TEST(a_backup_has_the_graph),
      TEST(backups_beside_a_writer),
      TEST(a_reader_moves_on),
      TEST(an_update_embeds),
      TEST(an_empty_answer_is_explained),
      TEST(one_thread_links_where_it_is_to_be_one),
      cmocka_unit_test_setup_teardown(promise_o8_a_burst_is_acknowledged_and_found, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(promise_c6_a_batch_is_synced_once, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
