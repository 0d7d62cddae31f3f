/* quadstore/net.c - which quads of a load are in the store already: entries are net. */
#include "quadstore/net.h"

#include "quadstore/team.h"

#include "base/poison.h"

enum { CHECK_ROWS = 1 << 16 };

/* Looking for the records of a load in the store, piece by piece. */
typedef struct check_job {
  const quad_net *net;
  const quad_ranks *ranks;
  unsigned part;
  uint8_t *present; /* a byte a record */
  base_mutex lock;
  quoin_status status;
  quoin_error *err;
} check_job;

/* Terms of the load itself are in no quad of the store. */
static bool
is_new(const quad_net *net, uint64_t id)
{
  atom_id atom = {id};

  if (atom_id_is_inline(atom)) return false;
  return atom_id_payload(atom) > (atom_id_kind(atom) == ATOM_BLANK ? net->blanks : net->terms);
}

/* The records [begin, ...) that may be there, as ids; where each comes from is in `row`. */
static size_t
candidates(uint64_t *ids, uint32_t *row, const check_job *job, size_t begin, size_t end)
{
  const quad_ranks *r = job->ranks;
  size_t n = 0;

  for (size_t i = begin; i < end; i++) {
    const uint32_t *rec = r->data + i * r->keys;
    uint64_t *to = ids + n * r->keys;
    bool fresh = false;
    for (unsigned k = 0; k < r->keys; k++) {
      to[k] = r->ids[k][rec[k]];
      fresh |= is_new(job->net, to[k]);
    }
    row[n] = (uint32_t)(i - begin);
    n += !fresh;
  }
  return n;
}

static void
check_piece(void *user, size_t i)
{
  check_job *job = user;
  const quad_store *store = job->net->store;
  const base_alloc *mem = store->mem;
  size_t begin = i * CHECK_ROWS, keys = job->ranks->keys, n;
  size_t end = job->ranks->n - begin < CHECK_ROWS ? job->ranks->n : begin + CHECK_ROWS;
  uint64_t *ids = base_new(mem, (end - begin) * keys, sizeof *ids);
  uint32_t *row = base_new(mem, end - begin, sizeof *row);
  uint8_t *found = base_new(mem, end - begin, 1);
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st = ids && row && found ? QUOIN_OK : base_fail_nomem(&error);

  if (!st && (n = candidates(ids, row, job, begin, end))) {
    st = quad_version_present(found, store->version, job->part, ids, n, (unsigned)keys, mem,
                              &error); /* the version is changed by the writer alone: by us */
    for (size_t k = 0; !st && k < n; k++)
      job->present[begin + row[k]] = found[k];
  }
  base_release(mem, ids, (end - begin) * keys, sizeof *ids);
  base_release(mem, row, end - begin, sizeof *row);
  base_release(mem, found, end - begin, 1);
  if (!st) return;
  base_mutex_lock(&job->lock);
  if (!job->status) {
    job->status = st;
    if (job->err) *job->err = error;
  }
  base_mutex_unlock(&job->lock);
}

static void
keep(quad_ranks *r, const uint8_t *present, bool which)
{
  size_t kept = 0;

  for (size_t i = 0; i < r->n; i++) {
    if (present[i] != which) continue;
    if (kept != i)
      memcpy(r->data + kept * r->keys, r->data + i * r->keys, r->keys * sizeof *r->data);
    kept++;
  }
  r->n = kept;
}

quoin_status
quad_net_keep(quad_ranks *r, const quad_net *net, unsigned part, bool remove, quoin_error *err)
{
  const quad_version *v = net->store->version;
  const base_alloc *mem = net->store->mem;
  check_job job = {.net = net, .ranks = r, .part = part, .err = err};
  uint64_t entries = 0;
  size_t n = r->n;
  quoin_status st;

  for (size_t i = 0; i < v->n_runs; i++)
    entries += v->runs[i]->section[part][QUAD_SPO].entries;
  if (!entries && remove) r->n = 0;
  if (!entries || !n) return QUOIN_OK;
  if ((st = base_mutex_init(&job.lock, BASE_RANK_QUEUE, "presence", err))) return st;
  if ((job.present = base_new_zero(mem, n, 1))) {
    quad_team_run(net->threads, (n + CHECK_ROWS - 1) / CHECK_ROWS, check_piece, &job);
    st = job.status;
  } else {
    st = base_fail_nomem(err);
  }
  if (!st) keep(r, job.present, remove);
  base_release(mem, job.present, n, 1);
  base_mutex_destroy(&job.lock);
  return st;
}
