/* A writing process is killed with SIGKILL at random moments, COUNT times: quoin_kill9 COUNT DIR.
 * After each: the store opens, quoin_check() finds nothing, and every operation that was
 * acknowledged is there whole, then at most the one in progress, whole. For scripts/kill9.
 *
 * Operations are numbered and follow from the seed and their number: commits that add a subject of
 * up to 60 statements, or take one away that an earlier one added, or both; loads; checkpoints;
 * clear; compact. So the parent knows what must be there from the number of the last one. */
#include <quoin/quoin.h>

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPS = 1 << 16, PER_STORE = 25, LOAD_SIZE = 4000, BULK_SIZE = 110000, TEXT = 96 };

typedef enum op_kind { OP_COMMIT, OP_LOAD, OP_BULK, OP_CHECKPOINT, OP_CLEAR, OP_COMPACT } op_kind;
static const char *const names[] = {"commit",     "load",  "bulk load",
                                    "checkpoint", "clear", "compact"};

typedef struct op {
  op_kind kind;
  unsigned size;    /* statements of subject `number` */
  unsigned removed; /* subject that a commit takes away; UINT32_MAX: none */
} op;

/* What the child says, in memory that outlives it. */
typedef struct shared {
  _Atomic uint32_t done; /* the first operation that is not acknowledged */
  _Atomic bool opened;   /* so there is a store */
  _Atomic bool broken;
  char message[400];
} shared;

typedef struct model {
  uint64_t seed;
  uint32_t size[OPS]; /* statements of each subject that is there */
} model;

static uint64_t
mix(uint64_t x)
{
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static op
op_of(uint64_t seed, uint32_t number)
{
  uint64_t r = mix(seed * 1000003 + number);
  op o = {OP_COMMIT, 1 + (unsigned)(r >> 8) % 60, UINT32_MAX};

  if (number && (r >> 20) % 3 == 0) o.removed = (uint32_t)((r >> 32) % number);
  switch (r % 200) {
  case 0:
    o = (op){OP_BULK, BULK_SIZE, UINT32_MAX};
    break;
  case 1:
    o = (op){OP_CLEAR, 0, UINT32_MAX};
    break;
  case 2:
  case 3:
    o = (op){OP_COMPACT, 0, UINT32_MAX};
    break;
  case 4:
  case 5:
  case 6:
  case 7:
    o = (op){OP_CHECKPOINT, 0, UINT32_MAX};
    break;
  case 8:
  case 9:
  case 10:
  case 11:
    o = (op){OP_LOAD, LOAD_SIZE, UINT32_MAX};
    break;
  default:
    break;
  }
  return o;
}

static void
apply(model *m, uint32_t number)
{
  op o = op_of(m->seed, number);

  if (o.kind == OP_CLEAR) memset(m->size, 0, sizeof m->size);
  if (o.removed != UINT32_MAX) m->size[o.removed] = 0;
  m->size[number] = o.size;
}

/* ---- the writer -------------------------------------------------------------------------------
 */

static quoin_span
span(const char *text)
{
  return (quoin_span){text, strlen(text)};
}

static void
statement(quoin_statement *out, char text[4][TEXT], uint32_t number, unsigned i)
{
  *out = (quoin_statement){.subject.kind = QUOIN_TERM_IRI,
                           .predicate.kind = QUOIN_TERM_IRI,
                           .object.kind = QUOIN_TERM_LITERAL};
  (void)snprintf(text[0], TEXT, "http://example.org/s/%" PRIu32, number);
  (void)snprintf(text[1], TEXT, "http://example.org/p%u", i % 7);
  (void)snprintf(text[2], TEXT, "value %u of %" PRIu32, i, number);
  (void)snprintf(text[3], TEXT, "http://example.org/g%u", i % 3);
  out->subject.value = span(text[0]);
  out->predicate.value = span(text[1]);
  out->object.value = span(text[2]);
  if (i % 4) return;
  out->graph.kind = QUOIN_TERM_IRI;
  out->graph.value = span(text[3]);
}

static quoin_status
run_commit(quoin_store *store, const model *m, uint32_t number, const op *o, quoin_error *err)
{
  char text[4][TEXT];
  quoin_statement s;
  quoin_txn *txn;
  quoin_status st = quoin_txn_begin(&txn, store, err);

  if (st) return st;
  for (unsigned i = 0; !st && o->removed != UINT32_MAX && i < m->size[o->removed]; i++) {
    statement(&s, text, o->removed, i);
    st = quoin_txn_remove(txn, &s, err);
  }
  for (unsigned i = 0; !st && i < o->size; i++) {
    statement(&s, text, number, i);
    st = quoin_txn_add(txn, &s, err);
  }
  if (!st) return quoin_txn_commit(NULL, NULL, txn, err);
  quoin_txn_abort(txn);
  return st;
}

static quoin_status
run_load(quoin_store *store, uint32_t number, const op *o, quoin_error *err)
{
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  size_t room = (size_t)o->size * 4 * TEXT, len = 0;
  char *lines = malloc(room), text[4][TEXT];
  quoin_statement s;

  if (!lines) abort();
  for (unsigned i = 0; i < o->size; i++) {
    statement(&s, text, number, i);
    len += (size_t)snprintf(lines + len, room - len,
                            i % 4 ? "<%s> <%s> \"%s\" .\n" : "<%s> <%s> \"%s\" <%s> .\n", text[0],
                            text[1], text[2], text[3]);
  }
  options.format = QUOIN_NQUADS;
  options.memory_bytes = 4 << 20;
  quoin_status st = quoin_load_memory(NULL, store, (quoin_span){lines, len}, &options, err);
  free(lines);
  return st;
}

static quoin_status
run_op(quoin_store *store, const model *m, uint32_t number, quoin_error *err)
{
  op o = op_of(m->seed, number);

  switch (o.kind) {
  case OP_COMMIT:
    return run_commit(store, m, number, &o, err);
  case OP_LOAD:
  case OP_BULK:
    return run_load(store, number, &o, err);
  case OP_CHECKPOINT:
    return quoin_checkpoint(store, err);
  case OP_CLEAR:
    return quoin_store_clear(store, err);
  case OP_COMPACT:
    return quoin_store_compact(store, 0, NULL, err);
  }
  return QUOIN_OK;
}

static void
write_for_ever(const char *path, shared *sh, model *m)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  uint32_t number = atomic_load(&sh->done);

  options.mode = QUOIN_CREATE;
  options.memory_bytes = 200000; /* flushes and merges now and then */
  quoin_status st = quoin_open(&store, path, &options, &err);
  if (!st) atomic_store(&sh->opened, true);
  for (; !st && number < OPS; number++) {
    if ((st = run_op(store, m, number, &err))) break;
    apply(m, number);
    atomic_store(&sh->done, number + 1);
  }
  (void)snprintf(sh->message, sizeof sh->message,
                 "operation %" PRIu32 ", %s: status %d: %.150s: %.150s", number,
                 names[op_of(m->seed, number).kind], (int)st, err.file, err.message);
  atomic_store(&sh->broken, true);
  _exit(3);
}

/* ---- the judge --------------------------------------------------------------------------------
 */

/* Statements of each subject. */
static quoin_status
count_statements(model *have, quoin_store *store, quoin_error *err)
{
  const quoin_statement *s;
  quoin_matches *matches;
  quoin_status st = quoin_match(&matches, store, NULL, QUOIN_ANY_GRAPH, err);

  memset(have->size, 0, sizeof have->size);
  if (st) return st;
  while (!(st = quoin_matches_next(&s, matches, err))) {
    char text[TEXT] = {0};
    uint32_t number;
    memcpy(text, s->subject.value.ptr, s->subject.value.len < TEXT ? s->subject.value.len : 0);
    if (sscanf(text, "http://example.org/s/%" SCNu32, &number) == 1 && number < OPS)
      have->size[number]++;
    else
      have->size[OPS - 1]++; /* of nobody */
  }
  quoin_matches_close(matches);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static bool
failed(const char *what, quoin_status st, const quoin_error *err)
{
  printf("FAILED: %s: status %d: %s: %s\n", what, (int)st, err->file, err->message);
  return false;
}

/* The store is as `want` says, or has operation `next` too: *kept. */
static bool
verify(bool *kept, const char *path, bool opened, model *want, uint32_t next)
{
  static model have;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;

  options.mode = QUOIN_READ_WRITE;
  quoin_status st = quoin_open(&store, path, &options, &err);
  *kept = false;
  if (st == QUOIN_ERR_NOT_FOUND && !opened) return true;
  if (st) return failed("opening", st, &err);
  if ((st = quoin_check(store, NULL, NULL, NULL, &err))) return failed("check", st, &err);
  if ((st = count_statements(&have, store, &err))) return failed("reading", st, &err);
  quoin_close(store);
  if (!memcmp(have.size, want->size, sizeof have.size)) return true;
  apply(want, next);
  *kept = true;
  if (!memcmp(have.size, want->size, sizeof have.size)) return true;
  for (uint32_t i = 0; i < OPS; i++)
    if (have.size[i] != want->size[i]) {
      printf("FAILED: %s %" PRIu32 " has %" PRIu32 " statements, not %" PRIu32 "; %" PRIu32
             " was in progress\n",
             names[op_of(want->seed, i).kind], i, have.size[i], want->size[i], next);
      break;
    }
  return false;
}

static void
nap_ms(unsigned ms)
{
  struct timespec t = {0, (long)ms * 1000000};
  (void)nanosleep(&t, NULL);
}

typedef struct tally {
  unsigned kills, during[OP_COMPACT + 1], kept; /* kept: the one in progress was there */
  uint64_t operations;
} tally;

static bool
kill_once(tally *t, const char *path, shared *sh, model *m, uint64_t draw)
{
  uint32_t before = atomic_load(&sh->done), done;
  bool kept;
  int status;
  (void)fflush(stdout);
  pid_t child = fork();

  if (child < 0) return false;
  if (!child) write_for_ever(path, sh, m);
  nap_ms(5 + (unsigned)(draw >> 8) % (draw % 8 ? 196 : 900)); /* long ones for what takes long */
  (void)kill(child, SIGKILL);
  (void)waitpid(child, &status, 0);
  if (atomic_load(&sh->broken)) {
    printf("FAILED: the writer ended by itself: %s\n", sh->message);
    return false;
  }
  done = atomic_load(&sh->done);
  for (uint32_t i = before; i < done; i++)
    apply(m, i);
  t->operations += done - before;
  t->kills++;
  t->during[op_of(m->seed, done).kind]++;
  if (!verify(&kept, path, atomic_load(&sh->opened), m, done)) return false;
  t->kept += kept;
  atomic_store(&sh->done, done + 1); /* not the same again: it may be one that takes long */
  return true;
}

static void
remove_store(const char *path)
{
  char command[600];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
  if (system(command)) printf("%s stays\n", path);
}

int
main(int argc, char **argv)
{
  static model m;
  tally t = {0};
  const char *text = getenv("QUOIN_SEED");
  uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
  unsigned count = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
  char path[512];
  shared *sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  if (!count || sh == MAP_FAILED) {
    (void)fputs("usage: quoin_kill9 COUNT DIR\n", stderr);
    return 2;
  }
  (void)snprintf(path, sizeof path, "%s/store", argv[2]);
  printf("seed %" PRIu64 ", %u kills\n", seed, count);
  for (unsigned i = 0; i < count; i++) {
    if (i % PER_STORE == 0) { /* small again */
      remove_store(path);
      memset(&m, 0, sizeof m);
      m.seed = mix(seed + i);
      atomic_store(&sh->done, 0);
      atomic_store(&sh->opened, false);
    }
    if (!kill_once(&t, path, sh, &m, mix(seed * 31 + i))) {
      printf("kill %u of seed %" PRIu64 "; kept in %s\n", i + 1, seed, path);
      return 1;
    }
  }
  remove_store(path);
  printf("%u kills, %" PRIu64 " operations acknowledged, none lost; %u of those in progress were "
         "there\n",
         t.kills, t.operations, t.kept);
  for (unsigned k = OP_COMMIT; k <= OP_COMPACT; k++)
    printf("  during %s: %u\n", names[k], t.during[k]);
  return 0;
}
