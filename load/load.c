/* A ring of packets between reading and writing.
 *
 * The caller's thread reads the input, because sources and callbacks are the caller's; one other
 * thread is the writer from the beginning of the bulk load to its end, because being the writer
 * belongs to a thread; further ones only parse. Whoever has nothing better to do parses the next
 * packet, and finds its terms: the caller's thread when the ring is full, the writer when the next
 * packet in the order of the input is not parsed yet. With one thread it does each in turn.
 *
 * Until SMALL_QUADS are parsed there is no writer: a load that ends before goes through the log in
 * one commit, so that many small loads leave memory runs and no files of their own. */
#include "load/job.h"

#include <assert.h>
#include <signal.h>
#include <unistd.h>

#include "base/poison.h"

enum { SMALL_QUADS = 100000 }; /* DESIGN.md section 3 */

/* ---- any thread ------------------------------------------------------------------------------ */

/* With the lock, which is given up meanwhile: parse the next packet. False: there is none. */
static bool
parse_one(load_job *job)
{
  if (job->claimed == job->head) return false;
  size_t at = job->claimed++ % LOAD_RING;
  load_packet *packet = job->ring[at];
  base_mutex_unlock(&job->lock);
  if (!packet->n_quads) /* else of rdfio_read, which scanned it */
    load_packet_scan(packet, job->options.graph, &job->options.read);
  base_mutex_lock(&job->lock);
  if (job->writing) {
    job->preparing++;
    base_mutex_unlock(&job->lock);
    load_packet_prepare(packet, quad_store_atoms(job->store));
    base_mutex_lock(&job->lock);
    job->preparing--;
  }
  job->parsed[at] = true;
  base_cond_broadcast(&job->changed);
  return true;
}

static void *
parser_main(void *user)
{
  load_job *job = user;

  base_mutex_lock(&job->lock);
  while (job->verdict != LOAD_ABORT && !job->failed) {
    if (parse_one(job)) continue;
    if (job->verdict == LOAD_COMMIT) break;
    base_cond_wait(&job->changed, &job->lock);
  }
  base_mutex_unlock(&job->lock);
  return NULL;
}

/* ---- the writer ------------------------------------------------------------------------------ */

static quoin_status
writer_end(load_job *job, bool commit, quoin_error *err)
{
  base_cancel cancel = {0}; /* a copy: its counter belongs to one thread */
  if (job->options.read.cancel) cancel = *job->options.read.cancel;
  return load_writer_end(&job->w, commit, &cancel, err);
}

/* A load_name_fn. */
static void
name_source(void *user, uint64_t source, quoin_error *err)
{
  const load_job *job = user;
  base_error_file(err, rdfio_source_name(job->sources[source]));
}

/* A load_refuse_fn. Callbacks are the caller's: its thread reports what this one finds. */
static quoin_status
refuse(void *user, uint64_t source, quoin_error *error)
{
  load_job *job = user;
  const rdfio_read_options *read = &job->options.read;

  name_source(job, source, error);
  if (!read->lenient) return error->status;
  if (!read->bad) return QUOIN_OK;
  if (!job->begun || job->threads == 1) {
    read->bad(read->user, error);
    return QUOIN_OK;
  }
  base_mutex_lock(&job->lock);
  job->bad = error;
  base_cond_broadcast(&job->changed);
  while (job->bad)
    base_cond_wait(&job->changed, &job->lock);
  base_mutex_unlock(&job->lock);
  return QUOIN_OK;
}

/* With the lock, which is given up meanwhile: take packets until there is a verdict. */
static quoin_status
write_all(load_job *job, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  while (!st && job->verdict != LOAD_ABORT) {
    size_t at = job->tail % LOAD_RING;
    if (job->tail < job->head && job->parsed[at]) {
      base_mutex_unlock(&job->lock);
      st = load_writer_take(&job->w, job->ring[at], err);
      base_mutex_lock(&job->lock);
      if (st) break;
      job->tail++;
      base_cond_broadcast(&job->changed);
    } else if (!parse_one(job)) {
      if (job->verdict == LOAD_COMMIT && job->tail == job->head) break;
      base_cond_wait(&job->changed, &job->lock);
    }
  }
  return st;
}

static void *
writer_main(void *user)
{
  load_job *job = user;
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st = load_writer_begin(&job->w, job->memory_bytes, job->threads, &error);

  if (!st) {
    base_mutex_lock(&job->lock);
    job->writing = true;
    st = write_all(job, &error);
    bool commit = !st && job->verdict == LOAD_COMMIT;
    job->writing = false;
    while (job->preparing)
      base_cond_wait(&job->changed, &job->lock);
    base_mutex_unlock(&job->lock);
    if (commit)
      st = writer_end(job, true, &error);
    else
      (void)writer_end(job, false, NULL);
  }
  base_mutex_lock(&job->lock);
  job->failed = st;
  job->failure = error;
  job->ended = true;
  base_cond_broadcast(&job->changed);
  base_mutex_unlock(&job->lock);
  return NULL;
}

/* ---- the caller's thread: packets ------------------------------------------------------------ */

static size_t
idle_most(const load_job *job)
{
  return job->begun ? 2 * (size_t)job->threads + 2 : LOAD_RING;
}

/* What the packet has for the caller: counts, and the bad lines in the order of the input. */
static void
report_packet(load_job *job, const load_packet *packet)
{
  const rdfio_read_options *read = &job->options.read;

  if (!packet->lines) return; /* rdfio_read did */
  if (job->line_source != packet->source) {
    job->line_source = packet->source;
    job->line = 0;
  }
  for (size_t i = 0; i < packet->n_bad; i++) {
    const load_bad *bad = &packet->bad[i];
    quoin_error error = QUOIN_ERROR_INIT;
    (void)!base_fail_pos(&error, bad->status, rdfio_source_name(job->sources[packet->source]),
                         job->line + bad->line, bad->column, "%.*s", (int)bad->message.len,
                         bad->message.ptr);
    if (read->bad) read->bad(read->user, &error);
  }
  job->line += packet->n_lines;
  job->result.statements += packet->n_quads;
  job->result.skipped += packet->n_bad;
}

/* With the lock: packets that are written are reported and idle again. */
static void
recycle(load_job *job)
{
  while (job->reported < job->tail) {
    load_packet *packet = job->ring[job->reported++ % LOAD_RING];
    base_mutex_unlock(&job->lock); /* callbacks are called without it */
    report_packet(job, packet);
    if (job->n_idle < idle_most(job))
      job->idle[job->n_idle++] = packet;
    else
      load_packet_free(packet);
    base_mutex_lock(&job->lock);
  }
}

quoin_status
load_get_packet(load_packet **out, load_job *job, quoin_error *err)
{
  if (job->n_idle) {
    *out = job->idle[--job->n_idle];
    load_packet_reset(*out);
    return QUOIN_OK;
  }
  return load_packet_new(out, job->mem, err);
}

void
load_put_back(load_job *job, load_packet *packet)
{
  assert(job->n_idle < LOAD_RING);
  job->idle[job->n_idle++] = packet;
}

static quoin_status
start_thread(load_job *job, void *(*work)(void *), quoin_error *err)
{
  sigset_t all, before;

  /* Signals are the application's: none is to be handled on a thread that it does not know. */
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int failed = pthread_create(&job->thread[job->n_threads], NULL, work, job);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) return base_fail_os(err, failed, NULL, "a thread for the load cannot be started");
  job->n_threads++;
  return QUOIN_OK;
}

/* The load is not a small one. */
static quoin_status
begin(load_job *job, quoin_error *err)
{
  quoin_status st;

  job->begun = true;
  if (job->threads == 1) {
    st = load_writer_begin(&job->w, job->memory_bytes, 1, err);
    job->writing = !st;
    return st;
  }
  if ((st = start_thread(job, writer_main, err))) return st;
  for (unsigned i = 2; i < job->threads; i++)
    if (start_thread(job, parser_main, NULL)) break; /* the others parse more */
  return QUOIN_OK;
}

/* A packet that is not well formed came before the writer began. */
static quoin_status
early_error(const load_job *job, const load_packet *packet, quoin_error *err)
{
  if (!err) return packet->status;
  *err = packet->error;
  for (uint64_t i = 0; packet->lines && err->line && i + 1 < job->head; i++)
    if (job->ring[i]->source == packet->source) err->line += job->ring[i]->n_lines;
  return packet->status;
}

/* With one thread: do what the others would. */
static quoin_status
drain_alone(load_job *job, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  base_mutex_lock(&job->lock);
  while (!st && job->tail < job->head) {
    if (!job->parsed[job->tail % LOAD_RING]) (void)parse_one(job);
    st = load_writer_take(&job->w, job->ring[job->tail % LOAD_RING], err);
    if (!st) job->tail++;
  }
  recycle(job);
  base_mutex_unlock(&job->lock);
  return st;
}

/* With the lock: parse and wait until fewer than `most` packets are on their way. */
static void
make_room(load_job *job, uint64_t most)
{
  while (job->head - job->tail >= most && !job->failed)
    if (!parse_one(job)) base_cond_wait(&job->changed, &job->lock);
  recycle(job);
}

quoin_status
load_hand_over(load_job *job, load_packet *packet, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t most = 2 * (uint64_t)job->threads + 2;

  base_mutex_lock(&job->lock);
  job->ring[job->head % LOAD_RING] = packet;
  job->parsed[job->head % LOAD_RING] = false;
  job->head++;
  base_cond_broadcast(&job->changed);
  if (!job->begun) {
    (void)parse_one(job);
    job->quads += packet->n_quads;
  } else if (job->threads > 1) {
    make_room(job, most);
  }
  st = job->failed;
  if (st && err) *err = job->failure;
  base_mutex_unlock(&job->lock);
  if (st) return st;
  if (!job->begun && packet->status) return early_error(job, packet, err);
  if (!job->begun && (job->quads > SMALL_QUADS || job->head == LOAD_RING)) {
    if ((st = begin(job, err))) return st;
    if (job->threads > 1) { /* what has gathered is more than there may be from now on */
      base_mutex_lock(&job->lock);
      make_room(job, most);
      if ((st = job->failed) && err) *err = job->failure;
      base_mutex_unlock(&job->lock);
    }
  }
  return job->begun && job->threads == 1 ? drain_alone(job, err) : st;
}

/* ---- together -------------------------------------------------------------------------------- */

/* With the lock, which is given up meanwhile: report what the writer finds until it ends. */
static void
await_writer(load_job *job)
{
  const rdfio_read_options *read = &job->options.read;

  while (job->n_threads && !job->ended) {
    if (!job->bad) {
      base_cond_wait(&job->changed, &job->lock);
      continue;
    }
    recycle(job); /* what is bad by itself first */
    base_mutex_unlock(&job->lock);
    read->bad(read->user, job->bad); /* its owner waits */
    base_mutex_lock(&job->lock);
    job->bad = NULL;
    base_cond_broadcast(&job->changed);
  }
}

/* All is read: the first packets go through the log, or the others come to their end. */
static quoin_status
finish(load_job *job, quoin_status st, quoin_error *err)
{
  if (!job->begun) {
    if (!st)
      st = load_writer_commit(&job->w, job->ring, (size_t)job->head, job->options.read.cancel, err);
    if (!st) job->tail = job->head;
  } else if (job->threads == 1) {
    if (job->w.bulk) { /* it did begin */
      quoin_status end = writer_end(job, !st, st ? NULL : err);
      if (!st) st = end;
    }
  } else {
    base_mutex_lock(&job->lock);
    while (!st && !job->failed && parse_one(job)) {
    }
    job->verdict = st ? LOAD_ABORT : LOAD_COMMIT;
    base_cond_broadcast(&job->changed);
    await_writer(job);
    base_mutex_unlock(&job->lock);
    while (job->n_threads)
      (void)pthread_join(job->thread[--job->n_threads], NULL);
    if (!st && (st = job->failed) && err) *err = job->failure;
  }
  base_mutex_lock(&job->lock);
  recycle(job);
  base_mutex_unlock(&job->lock);
  if (!st) {
    job->result.statements -= job->w.refused;
    job->result.skipped += job->w.refused;
  }
  return st;
}

static uint64_t
quarter_of_ram(void)
{
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  uint64_t quarter = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : 0;
  return quarter > (UINT64_C(64) << 20) ? quarter : UINT64_C(64) << 20;
}

static void
job_clear(load_job *job)
{
  for (; job->reported < job->head; job->reported++)
    load_packet_free(job->ring[job->reported % LOAD_RING]);
  while (job->n_idle)
    load_packet_free(job->idle[--job->n_idle]);
  load_writer_clear(&job->w);
  load_vectors_clear(&job->vectors);
}

quoin_status
load_sources(load_result *out, quad_store *store, rdfio_source *const *sources, size_t n,
             const load_options *options, const base_alloc *mem, quoin_error *err)
{
  assert(out && store && (sources || !n) && options && mem);
  assert(!options->graph || options->graph->kind == RDF_IRI);
  quoin_status st = QUOIN_OK;
  bool has_lock = false, has_cond = false;
  unsigned threads = options->read.threads;
  load_job *job = base_new_zero(mem, 1, sizeof(*job));

  *out = (load_result){0};
  if (!job) return base_fail_nomem(err);
  job->store = store;
  job->options = *options;
  job->mem = mem;
  job->sources = sources;
  job->memory_bytes = options->memory_bytes ? options->memory_bytes : quarter_of_ram();
  job->threads = !threads ? 2 : threads < LOAD_THREADS ? threads : LOAD_THREADS;
  job->failure = (quoin_error)QUOIN_ERROR_INIT;
  job->progress_at = base_clock_ns() + LOAD_PROGRESS_NS;
  load_writer_init(&job->w, store, refuse, name_source, job, mem);
  if ((st = base_mutex_init(&job->lock, BASE_RANK_QUEUE, "load ring", err))) goto done;
  has_lock = true;
  if ((st = base_cond_init(&job->changed, err))) goto done;
  has_cond = true;
  if ((st = load_vectors_init(&job->vectors, store, mem, err))) goto done;
  job->vectors.graph = options->graph;
  job->options.read.check = load_vectors_check;
  job->options.read.check_user = &job->vectors;
  st = finish(job, load_read_all(job, n, err), err);
  *out = job->result;
  out->added = job->w.added;

done:
  if (has_cond) base_cond_destroy(&job->changed);
  if (has_lock) base_mutex_destroy(&job->lock);
  job_clear(job);
  base_release(mem, job, 1, sizeof(*job));
  return st;
}
