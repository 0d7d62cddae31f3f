/* load/read.c - the caller's thread reads: sources in, packets out. */
#include "load/job.h"

#include "base/poison.h"

static void
report_progress(load_job *job, rdfio_source *source)
{
  const rdfio_read_options *read = &job->options.read;
  uint64_t taken, total, now;

  if (!read->progress || (now = base_clock_ns()) < job->progress_at) return;
  job->progress_at = now + LOAD_PROGRESS_NS;
  rdfio_source_progress(&taken, &total, source);
  read->progress(read->user, job->result.statements, job->progress_taken + taken,
                 job->progress_total);
}

static quoin_status
read_lines(load_job *job, size_t source, bool quads, quoin_error *err)
{
  rdfio_source *from = job->sources[source];
  rdfio_cutter *cutter = NULL;
  load_packet *packet = NULL;
  quoin_status st = rdfio_cutter_new(&cutter, from, LOAD_PACKET_CHUNK, job->mem, err);

  while (!st) {
    base_cancel *cancel = job->options.read.cancel;
    if (cancel && (st = base_cancel_check(cancel, err))) break;
    if ((st = load_get_packet(&packet, job, err))) break;
    packet->source = source;
    if ((st = rdfio_cutter_next(packet->chunk, cutter, quads, err))) {
      load_put_back(job, packet);
      break;
    }
    job->result.bytes += rdfio_chunk_bytes(packet->chunk);
    st = load_hand_over(job, packet, err);
    report_progress(job, from);
  }
  rdfio_cutter_free(cutter);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* Of rdfio_read: statements whose text is gone when it returns. */
static quoin_status
take_quads(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  load_job *job = user;
  quoin_status st = QUOIN_OK;

  for (size_t i = 0; i < n && !st; i++) {
    if (job->copying && load_packet_is_full(job->copying)) {
      load_packet *full = job->copying;
      job->copying = NULL;
      if ((st = load_hand_over(job, full, err))) return st;
    }
    if (!job->copying) {
      if ((st = load_get_packet(&job->copying, job, err))) return st;
      job->copying->source = job->copying_source;
    }
    st = load_packet_add(job->copying, &quads[i], job->options.graph, err);
  }
  return st;
}

static void
pass_bad(void *user, const quoin_error *error)
{
  const rdfio_read_options *read = &((load_job *)user)->options.read;
  if (read->bad) read->bad(read->user, error);
}

/* One source's progress made that of all. */
static void
pass_progress(void *user, uint64_t statements, uint64_t taken, uint64_t total)
{
  const load_job *job = user;
  const rdfio_read_options *read = &job->options.read;
  (void)total;
  if (read->progress)
    read->progress(read->user, job->result.statements + statements, job->progress_taken + taken,
                   job->progress_total);
}

static quoin_status
read_others(load_job *job, size_t source, quoin_error *err)
{
  rdfio_read_options read = job->options.read;
  rdfio_read_result got = {0};

  read.bad = pass_bad;
  read.progress = pass_progress;
  read.user = job;
  job->copying_source = source;
  quoin_status st = rdfio_read(&got, job->sources[source], &read, take_quads, job, job->mem, err);
  job->result.statements += got.statements;
  job->result.skipped += got.skipped;
  job->result.bytes += got.bytes;
  load_packet *last = job->copying;
  job->copying = NULL;
  if (!last) return st;
  if (!st) return load_hand_over(job, last, err);
  load_put_back(job, last);
  return st;
}

quoin_status
load_read_all(load_job *job, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t taken, total;

  for (size_t i = 0; i < n; i++) {
    rdfio_source_progress(&taken, &total, job->sources[i]);
    if (!total) {
      job->progress_total = 0; /* one of unknown size: the sum is unknown */
      break;
    }
    job->progress_total += total;
  }
  for (size_t i = 0; i < n; i++) {
    uint64_t text = rdfio_source_text_bytes(job->sources[i]);
    job->w.text_total = text && (job->w.text_total || !i) ? job->w.text_total + text : 0;
  }
  for (size_t i = 0; i < n && !st; i++) {
    const char *name = rdfio_source_name(job->sources[i]);
    rdfio_format format = job->options.read.format;
    if (!format) format = rdfio_format_by_path(name);
    if (format == RDFIO_NTRIPLES || format == RDFIO_NQUADS)
      st = read_lines(job, i, format == RDFIO_NQUADS, err);
    else
      st = read_others(job, i, err);
    rdfio_source_progress(&taken, &total, job->sources[i]);
    job->progress_taken += taken;
  }
  return st;
}
