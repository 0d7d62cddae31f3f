/* Commits to the store argv[1] until it is killed, from commit number argv[2] on; writes the number
 * of each to standard output once it is acknowledged. For scripts/kill9. */
#include <quoin/quoin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static quoin_span
span(const char *text)
{
  return (quoin_span){text, strlen(text)};
}

static int
fail(const char *what, const quoin_error *err)
{
  (void)fprintf(stderr, "%s: %s: %s\n", what, err->file, err->message);
  return 1;
}

/* Quads "0".."n-1" of subject <http://e/c/NUMBER>, and n. */
static quoin_status
commit(quoin_store *store, unsigned long number, unsigned n, quoin_error *err)
{
  char subject[64], text[32];
  quoin_txn *txn;
  quoin_statement s = {0};
  quoin_status st = quoin_txn_begin(&txn, store, err);
  if (st) return st;
  (void)snprintf(subject, sizeof subject, "http://e/c/%lu", number);
  s.subject.kind = s.predicate.kind = QUOIN_TERM_IRI;
  s.object.kind = QUOIN_TERM_LITERAL;
  s.subject.value = span(subject);
  for (unsigned i = 0; i <= n && !st; i++) {
    (void)snprintf(text, sizeof text, "%u", i);
    s.predicate.value = span(i < n ? "http://e/value" : "http://e/size");
    s.object.value = span(text);
    st = quoin_txn_add(txn, &s, err);
  }
  if (!st) return quoin_txn_commit(NULL, NULL, txn, err);
  quoin_txn_abort(txn);
  return st;
}

int
main(int argc, char **argv)
{
  quoin_store *store;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  if (argc != 3) return 2;
  options.mode = QUOIN_CREATE;
  if (quoin_open(&store, argv[1], &options, &err)) return fail("opening", &err);
  for (unsigned long number = strtoul(argv[2], NULL, 10);; number++) {
    char line[32];
    if (commit(store, number, 1 + (unsigned)(number * 7919 % 60), &err))
      return fail("commit", &err);
    int len = snprintf(line, sizeof line, "%lu\n", number);
    if (write(1, line, (size_t)len) != len) return 1;
  }
}
