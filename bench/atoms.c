/* bench/atoms.c - terms interned and found per second.
 *
 *   bench_atoms [DIR] [TERMS] [BATCH]
 *
 * Adds TERMS distinct IRIs and literals (default 2 million), then interns three times as many that
 * are all there, in batches of BATCH (default 4096) and one by one, then finds and reads them. */
#include "atomstore/atomstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXT = 96 };

static void
die(const quoin_error *err)
{
  fprintf(stderr, "%s: %s\n", err->file, err->message);
  exit(1);
}

static void
make(rdf_term *term, char *text, uint64_t n)
{
  uint64_t r = base_mix(n + 1);
  *term = (rdf_term){.kind = RDF_IRI};
  int len;
  if (r % 10 < 6)
    len = snprintf(text, TEXT, "http://example.org/resource/%llu/item%llx",
                   (unsigned long long)(n % 50), (unsigned long long)r);
  else
    len = snprintf(text, TEXT, "a label of thing %llx", (unsigned long long)r);
  term->value = (quoin_span){text, (size_t)len};
  if (r % 10 >= 6) term->kind = RDF_LITERAL;
  if (r % 10 == 9) term->lang = base_span("en");
  if (r % 10 == 8) term->datatype = base_span("http://example.org/type");
}

static void
report(const char *what, uint64_t n, uint64_t since)
{
  double seconds = (double)(base_clock_ns() - since) / 1e9;
  printf("%-28s %9.2f M/s  (%.3f s)\n", what, (double)n / seconds / 1e6, seconds);
}

int
main(int argc, char **argv)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const char *root = argc > 1 ? argv[1] : "/tmp";
  size_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000000;
  size_t batch = argc > 3 ? strtoull(argv[3], NULL, 10) : 4096;
  char path[256];
  base_dir dir;
  atom_store *store;
  atom_marks marks = {.generation = 1};
  const base_alloc *mem = base_alloc_default();
  (void)snprintf(path, sizeof(path), "%s/quoin-bench-XXXXXX", root);
  if (!mkdtemp(path) || base_dir_open(&dir, path, &err)) die(&err);
  if (atom_store_create(&dir, &marks, &err)) die(&err);
  if (atom_store_open(&store, &dir, &marks, ATOM_OPEN_WRITE, mem, &err)) die(&err);
  atom_store_pin(store);
  atom_store_writer_enter(store);

  char *text = base_new(mem, count, TEXT);
  rdf_term *terms = base_new(mem, count, sizeof(*terms));
  atom_id *ids = base_new(mem, count, sizeof(*ids));
  rdf_term *some = base_new(mem, batch, sizeof(*some));
  if (!text || !terms || !ids || !some) return 1;
  for (size_t i = 0; i < count; i++)
    make(&terms[i], text + i * TEXT, i);

  uint64_t since = base_clock_ns();
  for (size_t i = 0; i < count; i += batch) {
    size_t n = count - i < batch ? count - i : batch;
    if (atom_intern_batch(ids + i, store, terms + i, n, &err)) die(&err);
  }
  report("add, batched", count, since);

  uint64_t seed = 7, found = 0, spent = 0;
  for (size_t round = 0; round < 3 * count / batch; round++) {
    for (size_t i = 0; i < batch; i++)
      some[i] = terms[base_mix(seed++) % count];
    uint64_t from = base_clock_ns();
    if (atom_intern_batch(ids, store, some, batch, &err)) die(&err);
    spent += base_clock_ns() - from;
    found += batch;
  }
  report("intern what is there, batched", found, base_clock_ns() - spent);

  spent = found = 0;
  for (size_t round = 0; round < count / batch; round++) {
    for (size_t i = 0; i < batch; i++)
      some[i] = terms[base_mix(seed++) % count];
    uint64_t from = base_clock_ns();
    for (size_t i = 0; i < batch; i++)
      if (atom_intern(&ids[i], store, &some[i], &err)) die(&err);
    spent += base_clock_ns() - from;
    found += batch;
  }
  report("intern what is there, singly", found, base_clock_ns() - spent);

  base_arena arena;
  base_arena_init(&arena, mem);
  since = base_clock_ns();
  for (size_t round = 0; round < count / batch; round++) {
    base_arena_reset(&arena);
    if (atom_find_batch(ids, store, terms + round * batch, batch, UINT64_MAX, &err)) die(&err);
    for (size_t i = 0; i < batch; i++) {
      rdf_term term;
      if (atom_read(&term, store, ids[i], &arena, &err)) die(&err);
    }
  }
  report("find and read, in order", count / batch * batch, since);

  since = base_clock_ns();
  if (atom_store_sync(&marks, store, &err)) die(&err);
  report("sync", count, since);
  atom_stats stats;
  atom_store_stats(&stats, store);
  printf("terms %llu, prefixes %llu, bytes of records %.1f a term, table load %.2f\n",
         (unsigned long long)stats.terms, (unsigned long long)stats.prefixes,
         (double)stats.term_bytes / (double)stats.terms,
         (double)stats.terms / (double)stats.table_slots);
  atom_store_writer_leave(store);
  atom_store_unpin(store);
  since = base_clock_ns();
  atom_store_close(store);
  if (atom_store_open(&store, &dir, &marks, ATOM_OPEN_WRITE, mem, &err)) die(&err);
  report("close and open", count, since);
  atom_store_close(store);
  printf("left in %s\n", path);
  return 0;
}
