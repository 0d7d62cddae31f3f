/* Two sides and a ring of packets between them. The parse side is the caller's thread, because the
 * callbacks of the options are the caller's. The write side is one thread from quad_bulk_begin to
 * quad_bulk_finish, because being the writer belongs to a thread. With one thread the sides take
 * turns: a packet is written when it is full. */
#include "load/load.h"
#include "load/packet.h"

#include <assert.h>
#include <signal.h>
#include <unistd.h>

#include "base/poison.h"

/* Two would do; more keep both sides busy over a term that is slow to parse or a spill. */
enum { RING = 4 };

/* What the parse side tells the write side. */
typedef enum verdict { GOING, COMMIT, ABORT } verdict;

typedef struct writer {
  quad_bulk *bulk;
  atom_id *ids; /* of the packet's terms */
  size_t cap_ids;
  quad *quads;           /* LOAD_PACKET_QUADS */
  uint64_t blank_before; /* number of the load's blank node n is blank_before + n */
  uint64_t blanks;       /* made so far */
  uint64_t added;
} writer;

typedef struct load_job {
  quad_store *store;
  const load_options *options;
  const base_alloc *mem;
  uint64_t memory_bytes;
  bool threaded;

  load_blanks blanks;
  load_packet packets[RING];
  writer w;
  load_result result;
  uint64_t progress_taken, progress_total; /* of the sources before, and of all */
  uint64_t progress_statements;

  /* The ring: packets[head % RING] is being filled, packets[tail % RING] written. */
  base_mutex lock;
  base_cond changed;
  uint64_t head, tail;
  verdict verdict;
  quoin_status failed; /* of the write side; set under the lock, with its message */
  quoin_error failure;
} load_job;

/* ---- the write side -------------------------------------------------------------------------- */

static quoin_status
make_blanks(writer *w, atom_store *atoms, uint64_t upto, quoin_error *err)
{
  if (upto <= w->blanks) return QUOIN_OK;
  uint64_t first = atom_id_payload(atom_blank_new_many(atoms, upto - w->blanks));
  if (w->blanks == 0) w->blank_before = first - 1;
  /* Nobody else is the writer meanwhile, so the numbers go on where they stopped. */
  assert(first == w->blank_before + w->blanks + 1);
  if (upto + w->blank_before >= UINT64_C(1) << 58)
    return base_fail(err, QUOIN_ERR_LIMIT, "blank node numbers are used up");
  w->blanks = upto;
  return QUOIN_OK;
}

static atom_id
resolve(const writer *w, load_ref ref)
{
  if (ref.bits == LOAD_REF_NONE) return ATOM_NONE_ID;
  if (ref.bits & LOAD_REF_BLANK)
    return atom_id_make(ATOM_BLANK, w->blank_before + (ref.bits & ~LOAD_REF_BLANK));
  return w->ids[ref.bits];
}

static quoin_status
write_packet(writer *w, quad_store *store, const load_packet *packet, const base_alloc *mem,
             quoin_error *err)
{
  atom_store *atoms = quad_store_atoms(store);
  quoin_status st = QUOIN_OK;
  void *ids = w->ids;

  if (!base_reserve(mem, &ids, &w->cap_ids, packet->n_terms, sizeof(*w->ids)))
    return base_fail_nomem(err);
  w->ids = ids;
  if ((st = atom_intern_batch(w->ids, atoms, packet->terms, packet->n_terms, err))) return st;
  if ((st = make_blanks(w, atoms, packet->blanks, err))) return st;
  for (size_t i = 0; i < packet->n_quads; i++)
    for (size_t k = 0; k < 4; k++)
      w->quads[i].term[k] = resolve(w, packet->quads[i][k]);
  return quad_bulk_add(w->bulk, w->quads, packet->n_quads, err);
}

static quoin_status
writer_begin(load_job *job, quoin_error *err)
{
  job->w.quads = base_new(job->mem, LOAD_PACKET_QUADS, sizeof(*job->w.quads));
  if (!job->w.quads) return base_fail_nomem(err);
  return quad_bulk_begin(&job->w.bulk, job->store, job->memory_bytes, job->options->read.threads,
                         err);
}

static quoin_status
writer_end(load_job *job, verdict v, quoin_error *err)
{
  quad_bulk *bulk = job->w.bulk;
  job->w.bulk = NULL;
  if (v != COMMIT) {
    quad_bulk_abort(bulk);
    return QUOIN_OK;
  }
  base_cancel cancel = {0}; /* a copy: its counter belongs to one thread */
  if (job->options->read.cancel) cancel = *job->options->read.cancel;
  return quad_bulk_finish(&job->w.added, bulk, &cancel, err);
}

static void *
writer_thread(void *user)
{
  load_job *job = user;
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st = writer_begin(job, &error);
  verdict v = GOING;

  while (!st) {
    base_mutex_lock(&job->lock);
    while (job->tail == job->head && job->verdict == GOING)
      base_cond_wait(&job->changed, &job->lock);
    v = job->tail == job->head || job->verdict == ABORT ? job->verdict : GOING;
    base_mutex_unlock(&job->lock);
    if (v != GOING) break;
    if ((st = write_packet(&job->w, job->store, &job->packets[job->tail % RING], job->mem, &error)))
      break;
    base_mutex_lock(&job->lock);
    job->tail++;
    base_cond_broadcast(&job->changed);
    base_mutex_unlock(&job->lock);
  }
  if (st)
    (void)writer_end(job, ABORT, NULL);
  else
    st = writer_end(job, v, &error);
  base_mutex_lock(&job->lock);
  job->failed = st;
  job->failure = error;
  base_cond_broadcast(&job->changed);
  base_mutex_unlock(&job->lock);
  return NULL;
}

/* ---- the parse side -------------------------------------------------------------------------- */

static void
copy_error(quoin_error *to, const quoin_error *from)
{
  if (to) *to = *from;
}

/* The packet in hand is full (or the last): give it to the write side, wait for an empty one. */
static quoin_status
hand_over(load_job *job, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  if (!job->threaded) {
    st = write_packet(&job->w, job->store, &job->packets[0], job->mem, err);
    load_packet_reset(&job->packets[0]);
    return st;
  }
  base_mutex_lock(&job->lock);
  job->head++;
  base_cond_broadcast(&job->changed);
  while (job->head - job->tail == RING && !job->failed)
    base_cond_wait(&job->changed, &job->lock);
  st = job->failed;
  if (st) copy_error(err, &job->failure);
  base_mutex_unlock(&job->lock);
  if (!st) load_packet_reset(&job->packets[job->head % RING]);
  return st;
}

static load_packet *
packet_in_hand(load_job *job)
{
  return &job->packets[job->threaded ? job->head % RING : 0];
}

static quoin_status
take_quads(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  load_job *job = user;
  quoin_status st = QUOIN_OK;
  load_packet *packet = packet_in_hand(job);

  for (size_t i = 0; i < n && !st; i++) {
    if (load_packet_is_full(packet)) {
      if ((st = hand_over(job, err))) return st;
      packet = packet_in_hand(job);
    }
    st = load_packet_add(packet, &quads[i], job->options->graph, &job->blanks, err);
  }
  load_packet_batch_over(packet);
  return st;
}

static void
report_bad(void *user, const quoin_error *error)
{
  const rdfio_read_options *read = &((load_job *)user)->options->read;
  if (read->bad) read->bad(read->user, error);
}

/* One source's progress made that of all. */
static void
report_progress(void *user, uint64_t statements, uint64_t taken, uint64_t total)
{
  const load_job *job = user;
  const rdfio_read_options *read = &job->options->read;
  (void)total;
  if (read->progress)
    read->progress(read->user, job->progress_statements + statements, job->progress_taken + taken,
                   job->progress_total);
}

static quoin_status
parse_source(load_job *job, rdfio_source *source, quoin_error *err)
{
  rdfio_read_options read = job->options->read;
  rdfio_read_result got = {0};
  uint64_t taken = 0, total = 0;

  read.bad = report_bad;
  read.progress = report_progress;
  read.user = job;
  read.threads = read.threads > 2 ? read.threads - 1 : 1; /* one is the write side's */
  load_blanks_reset(&job->blanks);
  quoin_status st = rdfio_read(&got, source, &read, take_quads, job, job->mem, err);
  rdfio_source_progress(&taken, &total, source);
  job->progress_taken += taken;
  job->progress_statements += got.statements;
  job->result.statements += got.statements;
  job->result.skipped += got.skipped;
  job->result.bytes += got.bytes;
  return st;
}

static quoin_status
parse_all(load_job *job, rdfio_source *const *sources, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  for (size_t i = 0; i < n; i++) {
    uint64_t taken = 0, total = 0;
    rdfio_source_progress(&taken, &total, sources[i]);
    if (!total) {
      job->progress_total = 0; /* one of unknown size: the sum is unknown */
      break;
    }
    job->progress_total += total;
  }
  for (size_t i = 0; i < n; i++)
    if ((st = parse_source(job, sources[i], err))) return st;
  return packet_in_hand(job)->n_quads ? hand_over(job, err) : QUOIN_OK;
}

/* ---- together -------------------------------------------------------------------------------- */

static quoin_status
run_alone(load_job *job, rdfio_source *const *sources, size_t n, quoin_error *err)
{
  quoin_status st = writer_begin(job, err);
  if (st) return st;
  st = parse_all(job, sources, n, err);
  quoin_status end = writer_end(job, st ? ABORT : COMMIT, st ? NULL : err);
  return st ? st : end;
}

static quoin_status
run_threaded(load_job *job, rdfio_source *const *sources, size_t n, quoin_error *err)
{
  pthread_t thread;
  sigset_t all, before;

  /* Signals are the application's: none is to be handled on a thread that it does not know. */
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int failed = pthread_create(&thread, NULL, writer_thread, job);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) return base_fail_os(err, failed, NULL, "a thread for the load cannot be started");

  quoin_status st = parse_all(job, sources, n, err);
  base_mutex_lock(&job->lock);
  job->verdict = st ? ABORT : COMMIT;
  base_cond_broadcast(&job->changed);
  base_mutex_unlock(&job->lock);
  pthread_join(thread, NULL);
  if (!st && job->failed) {
    st = job->failed;
    copy_error(err, &job->failure);
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

static quoin_status
job_init(load_job *job, quad_store *store, const load_options *options, const base_alloc *mem,
         quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  job->store = store;
  job->options = options;
  job->mem = mem;
  job->memory_bytes = options->memory_bytes ? options->memory_bytes : quarter_of_ram();
  job->threaded = options->read.threads != 1;
  job->failure = (quoin_error)QUOIN_ERROR_INIT;
  load_blanks_init(&job->blanks, mem);
  for (size_t i = 0; i < (job->threaded ? RING : 1) && !st; i++)
    st = load_packet_init(&job->packets[i], mem, err);
  return st;
}

static void
job_clear(load_job *job)
{
  for (size_t i = 0; i < RING; i++)
    load_packet_clear(&job->packets[i]);
  load_blanks_clear(&job->blanks);
  base_release(job->mem, job->w.ids, job->w.cap_ids, sizeof(*job->w.ids));
  base_release(job->mem, job->w.quads, LOAD_PACKET_QUADS, sizeof(*job->w.quads));
}

quoin_status
load_sources(load_result *out, quad_store *store, rdfio_source *const *sources, size_t n,
             const load_options *options, const base_alloc *mem, quoin_error *err)
{
  assert(out && store && (sources || !n) && options && mem);
  assert(!options->graph || options->graph->kind == RDF_IRI);
  quoin_status st = QUOIN_OK;
  bool has_lock = false, has_cond = false;
  load_job *job = base_new_zero(mem, 1, sizeof(*job));

  *out = (load_result){0};
  if (!job) return base_fail_nomem(err);
  if ((st = job_init(job, store, options, mem, err))) goto done;
  if ((st = base_mutex_init(&job->lock, BASE_RANK_QUEUE, "load ring", err))) goto done;
  has_lock = true;
  if ((st = base_cond_init(&job->changed, err))) goto done;
  has_cond = true;
  st = job->threaded ? run_threaded(job, sources, n, err) : run_alone(job, sources, n, err);
  *out = job->result;
  out->added = job->w.added;

done:
  if (has_cond) base_cond_destroy(&job->changed);
  if (has_lock) base_mutex_destroy(&job->lock);
  job_clear(job);
  base_release(mem, job, 1, sizeof(*job));
  return st;
}
