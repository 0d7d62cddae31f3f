/* quadstore/executor.c - the store's thread for flushes and merges.
 *
 * When the runs in memory, or the log, reach their bound, or no commit has come for a while, the
 * runs are frozen and the segment of the log ends: both short (maintain.c). The thread writes them
 * as one run file, then a manifest whose log begins at the next segment, and takes the writer role
 * for as long as it takes to put the file into the version where the frozen runs were. Commits go
 * on meanwhile, into a second set.
 *
 * One thread does all, so it looks up between batches of rows: a merge of files lets a flush come
 * between, and both let merges in memory that are too large for a commit. What a merge of files
 * reads, a flush does not touch: it adds a run behind.
 *
 * While `busy` the runs on disk, the manifest and its files belong to the thread. This is
 * DESIGN.md's manifest lock; a flag, since it is given back under the writer role although that
 * comes before it in the order: who wants both (a load, a checkpoint) waits without the role. */
#include "quadstore/changes.h"

#include <assert.h>
#include <signal.h>
#include <time.h>

#include "base/poison.h"

enum { WISH_FLUSH = 1, WISH_FOLD = 2, WISH_MERGE = 4 };
enum {
  WAITING_NS = 20 * 1000 * 1000,
  IDLE_SLICE_NS = 20 * 1000 * 1000,
  RETRY_NS = 1000 * 1000 * 1000, /* a job that failed */
};

quoin_status
quad_executor_init(quad_executor *e, bool inline_jobs, quoin_error *err)
{
  quoin_status st;

  e->inline_jobs = inline_jobs;
  e->failed = (quoin_error)QUOIN_ERROR_INIT;
  e->pace = 10; /* until one was measured: 100 MB/s */
  if ((st = base_cond_init(&e->work, err))) return st;
  if ((st = base_cond_init(&e->idle, err))) base_cond_destroy(&e->work);
  return st;
}

void
quad_executor_destroy(quad_executor *e)
{
  base_cond_destroy(&e->idle);
  base_cond_destroy(&e->work);
}

/* Jobs give the writer role back for their work; in the thread of a commit they keep it. */
static void
leave_role(quad_store *store)
{
  if (!store->executor.inline_jobs) base_mutex_unlock(&store->writer);
}

static void
take_role(quad_store *store)
{
  if (!store->executor.inline_jobs) base_mutex_lock(&store->writer);
}

/* ---- what is due ---------------------------------------------------------------------------- */

void
quad_executor_look(quad_store *store)
{
  quad_executor *e = &store->executor;
  const quad_version *v = store->version;
  uint32_t wishes = 0;

  if (e->failed.status && base_clock_ns() >= e->retry_ns) e->failed.status = QUOIN_OK;
  if (!e->failed.status && !atomic_load(&store->poisoned)) {
    if (e->flush && quad_version_disk(v) < QUAD_DISK_RUNS) wishes |= WISH_FLUSH;
    if (quad_version_foldable(v) != SIZE_MAX) wishes |= WISH_FOLD;
    if (quad_version_crowded(v)) wishes |= WISH_MERGE;
  }
  atomic_store_explicit(&e->wishes, wishes, memory_order_relaxed);
}

static void
job_failed(quad_store *store, const quoin_error *why)
{
  quad_executor *e = &store->executor;

  e->failed = *why;
  e->retry_ns = base_clock_ns() + RETRY_NS;
  quad_store_say(store, "maintenance failed, and is tried again: %s%s%s", why->file,
                 why->file[0] ? ": " : "", why->message);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static quoin_status poll_wishes(quad_store *store, bool files, quoin_error *err);

/* A sink that hands on to another and looks up after each batch. */
typedef struct polite_sink {
  quad_sink sink;
  quad_sink *to;
  quad_store *store;
  bool files; /* a merge of files: flushes may come between, and it gives way */
} polite_sink;

static quoin_status
polite_begin(quad_sink *self, unsigned part, unsigned order, quoin_error *err)
{
  polite_sink *p = (polite_sink *)self;

  return p->to->begin(p->to, part, order, err);
}

static quoin_status
polite_add(quad_sink *self, const uint64_t *const *cols, const uint8_t *dead, size_t rows,
           quoin_error *err)
{
  polite_sink *p = (polite_sink *)self;
  quoin_status st = p->to->add(p->to, cols, dead, rows, err);

  return st ? st : poll_wishes(p->store, p->files, err);
}

static quoin_status
polite_end(quad_sink *self, quoin_error *err)
{
  polite_sink *p = (polite_sink *)self;

  return p->to->end(p->to, err);
}

static quad_sink *
politely(void *user, quad_sink *sink)
{
  polite_sink *p = user;

  p->to = sink;
  p->sink = (quad_sink){polite_begin, polite_add, polite_end, sink->orders};
  return &p->sink;
}

/* Room for the version that follows, however many runs commits add until then. */
static quoin_status
next_version(quad_version **out, const quad_store *store, quoin_error *err)
{
  return quad_version_like(out, store->version, store->version->n_runs + QUAD_MEMORY_RUNS + 1,
                           store->mem, err);
}

/* Publish the current version with `run` (NULL: nothing) in the place of runs[from .. from + n), as
 * `next`, which is taken over. Cannot fail. */
static void
replace_runs(quad_store *store, quad_version *next, size_t from, size_t n, quad_run *run)
{
  const quad_version *now = store->version;

  next->number = now->number;
  next->terms = now->terms;
  next->frozen = now->frozen;
  for (size_t i = 0; i < from; i++)
    quad_version_push(next, now->runs[i]);
  if (run) quad_version_push(next, run);
  for (size_t i = from + n; i < now->n_runs; i++)
    quad_version_push(next, now->runs[i]);
  if (from >= quad_version_disk(now) && from < quad_version_disk(now) + now->frozen)
    next->frozen -= n - (run && !run->disk); /* they were frozen, all of them */
  quad_store_publish(store, next);
}

/* Two runs in memory become one. With the role, but for the work. */
static void
fold(quad_store *store)
{
  quad_version *v = quad_version_retain(store->version), *next = NULL;
  size_t at = quad_version_foldable(v), here = 0;
  quad_run *both = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st;

  if (at == SIZE_MAX) goto done;
  leave_role(store);
  st = quad_run_make(&both, v->runs + at, 2, NULL, v->orders, store->mem, &err);
  take_role(store);
  while (here < store->version->n_runs && store->version->runs[here] != v->runs[at])
    here++;
  /* a commit may have merged one of them */
  if (!st && here + 1 < store->version->n_runs &&
      store->version->runs[here + 1] == v->runs[at + 1] &&
      !(st = next_version(&next, store, &err))) {
    replace_runs(store, next, here, 2, both);
    atomic_fetch_add_explicit(&store->executor.folds, 1, memory_order_relaxed);
  }
  if (st) job_failed(store, &err);

done:
  quad_run_release(both);
  quad_version_release(v);
}

/* What is frozen in `v` as the file *run, and the manifest *m that names it. */
static quoin_status
write_frozen(quad_run **run, quad_manifest *m, quad_store *store, const quad_version *v,
             quoin_error *err)
{
  size_t disk = quad_version_disk(v);
  polite_sink sink = {.store = store};
  quad_run *files[QUAD_DISK_RUNS];
  quoin_status st = QUOIN_OK;

  assert(disk < QUAD_DISK_RUNS);
  if (v->frozen)
    st = quad_store_write_run(run, store, v->runs + disk, v->frozen, politely, &sink, err);
  if (st) return st;
  memcpy(files, v->runs, disk * sizeof *files);
  if (*run) files[disk++] = *run;
  st = quad_store_poison(
      store, atom_store_sync_to(&m->atoms, store->atoms, store->executor.mark.terms, err));
  return st ? st : quad_store_write_manifest(m, store, files, disk, err);
}

/* The frozen runs go to disk. With the role, but for the work. */
static void
flush(quad_store *store)
{
  quad_executor *e = &store->executor;
  quad_version *v = quad_version_retain(store->version), *next = NULL;
  size_t disk = quad_version_disk(v);
  quad_manifest m = store->manifest;
  quad_run *run = NULL;
  uint64_t begun = base_clock_ns(), bytes = 0;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = next_version(&next, store, &err);

  e->flushing = true;
  if (st) goto done;
  m.log_first = e->mark.segment;
  m.log_lineage = store->log.lineage;
  m.log_sequence = e->mark.sequence;
  m.version = e->mark.version;
  leave_role(store);
  quad_store_say(store, "maintenance: version %llu goes to disk", (unsigned long long)m.version);
  for (size_t i = disk; i < disk + v->frozen; i++)
    bytes += v->runs[i]->bytes;
  st = write_frozen(&run, &m, store, v, &err);
  take_role(store);
  if (st) goto done;
  quad_store_take_manifest(store, &m);
  quad_log_forget(&store->log, m.log_first, m.log_sequence);
  store->log.bytes -= e->mark.bytes;
  atomic_store(&store->log_bytes, store->log.bytes);
  e->flush = false;
  if (bytes) e->pace = (e->pace + (double)(base_clock_ns() - begun) / (double)bytes) / 2;
  atomic_store(&e->free_ns, 0);
  atomic_fetch_add_explicit(&e->flushes, 1, memory_order_relaxed);
  replace_runs(store, next, disk, store->version->frozen, run);
  next = NULL;
  leave_role(store);
  quad_store_say(store, "maintenance: version %llu is on disk", (unsigned long long)m.version);
  (void)quad_store_collect(store, NULL); /* what stays is collected at the next open */
  take_role(store);

done:
  if (st) job_failed(store, &err);
  e->flushing = false;
  base_cond_broadcast(&e->idle); /* a checkpoint may wait for it */
  quad_run_release(run);
  quad_version_release(next);
  quad_version_release(v);
}

/* Files become one. With the role, but for the work; flushes may come between. */
static void
merge(quad_store *store)
{
  quad_version *v = quad_version_retain(store->version), *next = NULL;
  size_t disk = quad_version_disk(v), n, files = 0;
  size_t from = quad_version_mostly_dead(v, disk) ? 0 : quad_merge_from(v->runs, disk);
  quad_run **file = NULL, *run = NULL;
  polite_sink sink = {.store = store, .files = true};
  quad_manifest m;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st;

  n = disk - from;
  store->executor.merging = store->manifest.next_run;
  leave_role(store);
  st = quad_store_write_run(&run, store, v->runs + from, n, politely, &sink, &err);
  take_role(store);
  store->executor.merging = 0; /* no flush from here on */
  if (st || (st = next_version(&next, store, &err))) goto done;
  disk = quad_version_disk(store->version);
  if (!(file = base_new(store->mem, disk, sizeof(quad_run *)))) {
    st = base_fail_nomem(&err);
    goto done;
  }
  for (size_t i = 0; i < disk; i++) {
    if (i == from && run) file[files++] = run;
    if (i < from || i >= from + n) file[files++] = store->version->runs[i];
  }
  m = store->manifest; /* as a flush between has left it */
  m.log_lineage = quad_manifest_log_lineage(&store->manifest);
  m.log_sequence = quad_manifest_log_sequence(&store->manifest);
  leave_role(store);
  st = quad_store_write_manifest(&m, store, file, files, &err);
  take_role(store);
  if (st) goto done;
  quad_store_take_manifest(store, &m);
  atomic_fetch_add_explicit(&store->executor.merges, 1, memory_order_relaxed);
  replace_runs(store, next, from, n, run);
  next = NULL;
  leave_role(store);
  quad_store_say(store, "maintenance: %llu run files were merged", (unsigned long long)n);
  (void)quad_store_collect(store, NULL);
  take_role(store);

done:
  if (st && st != QUOIN_ERR_CANCELLED) job_failed(store, &err);
  base_release(store->mem, file, disk, sizeof(quad_run *));
  quad_run_release(run);
  quad_version_release(next);
  quad_version_release(v);
}

/* The log, up to what is written now, becomes durable. With the role, but for the work. */
static void
sync_log(quad_store *store)
{
  quad_executor *e = &store->executor;
  uint64_t segments[QUAD_LOG_ENDED + 1], sequence = store->log.sequence, whole;
  size_t n = 0;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;

  atomic_store(&e->sync_ns, 0);
  if (store->log.synced + 1 == sequence || atomic_load(&store->poisoned)) return;
  for (size_t i = 0; i < store->log.n_ended; i++)
    segments[n++] = store->log.ended[i].segment;
  whole = store->log.segment; /* those before have no more to come */
  if (store->log.file.fd >= 0) segments[n++] = store->log.segment;
  leave_role(store);
  for (size_t i = 0; i < n && !st; i++)
    st = quad_log_sync_named(&store->dir, segments[i], &err);
  take_role(store);
  if (quad_store_poison(store, st)) {
    quad_store_say(store, "the log cannot be synced: %s", err.message);
    return;
  }
  quad_log_forget(&store->log, whole, sequence);
  store->log.syncs++;
  atomic_fetch_add_explicit(&store->log_syncs, 1, memory_order_relaxed);
}

static bool
sync_is_due(const quad_executor *e)
{
  uint64_t ns =
      atomic_load_explicit(&((quad_executor *)(uintptr_t)e)->sync_ns, memory_order_relaxed);

  return ns && base_clock_ns() >= ns;
}

/* In the middle of a job, without the role. CANCELLED when the merge is to give way. */
static quoin_status
poll_wishes(quad_store *store, bool files, quoin_error *err)
{
  quad_executor *e = &store->executor;
  uint32_t allowed = files ? WISH_FLUSH | WISH_FOLD : WISH_FOLD;

  if (e->inline_jobs) return QUOIN_OK; /* nobody can wish for anything meanwhile */
  if (files && (atomic_load_explicit(&e->waiting, memory_order_relaxed) ||
                atomic_load_explicit(&e->stop, memory_order_relaxed)))
    return base_fail(err, QUOIN_ERR_CANCELLED, "a merge of files gave way");
  if (sync_is_due(e)) {
    take_role(store);
    sync_log(store);
    leave_role(store);
  }
  if (!(atomic_load_explicit(&e->wishes, memory_order_relaxed) & allowed)) return QUOIN_OK;
  take_role(store);
  quad_executor_look(store);
  if (atomic_load(&e->wishes) & WISH_FOLD)
    fold(store);
  else if (atomic_load(&e->wishes) & allowed)
    flush(store);
  quad_executor_look(store);
  leave_role(store);
  return QUOIN_OK;
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* With the role: the most urgent job. False when there is none. */
static bool
run_job(quad_store *store)
{
  quad_executor *e = &store->executor;
  uint32_t wishes;

  quad_executor_look(store);
  wishes = atomic_load(&e->wishes);
  if (!wishes) return false;
  e->busy = true;
  if (wishes & WISH_FLUSH)
    flush(store);
  else if (wishes & WISH_FOLD)
    fold(store);
  else
    merge(store);
  e->busy = false;
  base_cond_broadcast(&e->idle);
  quad_store_charge(store, 0);
  return true;
}

static void *
executor_main(void *arg)
{
  quad_store *store = arg;
  quad_executor *e = &store->executor;
  uint64_t wake, sync;

  base_mutex_lock(&store->writer);
  while (!atomic_load(&e->stop)) {
    if (sync_is_due(e)) {
      e->busy = true; /* a checkpoint would take the segments away */
      sync_log(store);
      e->busy = false;
      base_cond_broadcast(&e->idle);
      continue; /* the role was away: see all again before the wait */
    }
    if (e->rest_ns && !atomic_load(&e->waiting) && base_clock_ns() >= e->rest_ns)
      quad_store_rest(store);
    if (!atomic_load(&e->waiting) && run_job(store)) continue;
    wake = e->failed.status ? e->retry_ns : 0;
    if (atomic_load(&e->waiting)) wake = base_clock_ns() + WAITING_NS; /* they may give up */
    sync = atomic_load(&e->sync_ns);
    if (sync && (!wake || sync < wake)) wake = sync;
    if (e->rest_ns && !atomic_load(&e->waiting) && (!wake || e->rest_ns < wake)) wake = e->rest_ns;
    if (wake)
      (void)base_cond_wait_until(&e->work, &store->writer, wake);
    else
      base_cond_wait(&e->work, &store->writer);
  }
  base_mutex_unlock(&store->writer);
  return NULL;
}

bool
quad_executor_start(quad_store *store)
{
  quad_executor *e = &store->executor;
  sigset_t all, before;

  if (e->inline_jobs) return false;
  if (e->started) return true;
  (void)sigfillset(&all); /* the program's signals are its own threads' */
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  e->started = pthread_create(&e->thread, NULL, executor_main, store) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return e->started;
}

void
quad_executor_begin(quad_store *store)
{
  quad_executor *e = &store->executor;

  quad_executor_look(store);
  if (!atomic_load_explicit(&e->wishes, memory_order_relaxed)) return;
  if (!quad_executor_start(store)) e->inline_jobs = true;
  if (!e->inline_jobs)
    base_cond_signal(&e->work);
  else
    while (run_job(store)) {
    }
}

bool
quad_executor_sync_later(quad_store *store, uint64_t ns)
{
  quad_executor *e = &store->executor;

  if (!quad_executor_start(store)) return false;
  if (atomic_load_explicit(&e->sync_ns, memory_order_relaxed)) return true;
  atomic_store(&e->sync_ns, base_clock_ns() + ns);
  base_cond_signal(&e->work);
  return true;
}

void
quad_executor_stop(quad_store *store)
{
  quad_executor *e = &store->executor;

  atomic_store(&e->stop, true);
  if (!e->started) return;
  base_mutex_lock(&store->writer);
  base_cond_signal(&e->work);
  base_mutex_unlock(&store->writer);
  (void)pthread_join(e->thread, NULL);
  e->started = false;
}

quoin_status
quad_store_enter_idle(quad_store *store, base_cancel *cancel, quoin_error *err)
{
  quad_executor *e = &store->executor;
  uint64_t deadline = quad_store_patience(store);
  quoin_status st;

  atomic_fetch_add(&e->waiting, 1);
  st = quad_store_enter_within(store, cancel, err);
  while (!st && (e->busy || store->reserved)) {
    atom_store_writer_leave(store->atoms);
    (void)base_cond_wait_until(&e->idle, &store->writer, base_clock_ns() + IDLE_SLICE_NS);
    atom_store_writer_enter(store->atoms);
    if ((st = quad_store_may_wait(deadline, cancel, err))) quad_store_leave(store);
  }
  if (atomic_fetch_sub(&e->waiting, 1) == 1 && !st) base_cond_signal(&e->work);
  return st;
}

quoin_status
quad_store_wait_idle(quad_store *store, quoin_error *err)
{
  quad_executor *e = &store->executor;
  uint64_t deadline = quad_store_patience(store);
  quoin_status st = QUOIN_OK;

  atomic_fetch_add(&e->waiting, 1);
  store->reserved = true;
  while (!st && e->busy) {
    atom_store_writer_leave(store->atoms);
    (void)base_cond_wait_until(&e->idle, &store->writer, base_clock_ns() + IDLE_SLICE_NS);
    atom_store_writer_enter(store->atoms);
    if (e->busy) st = quad_store_may_wait(deadline, NULL, err);
  }
  store->reserved = false;
  if (atomic_fetch_sub(&e->waiting, 1) == 1 && !st) base_cond_signal(&e->work);
  return st;
}
