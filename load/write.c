#include "load/write.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

void
load_writer_init(load_writer *w, quad_store *store, load_refuse_fn refuse, load_name_fn name,
                 void *refuse_user, const base_alloc *mem)
{
  *w = (load_writer){
      .store = store, .mem = mem, .refuse = refuse, .name = name, .refuse_user = refuse_user};
  load_blanks_init(&w->blanks, mem);
  load_hold_init(&w->hold, mem);
}

void
load_writer_clear(load_writer *w)
{
  if (!w->mem) return;
  load_blanks_clear(&w->blanks);
  load_hold_clear(&w->hold);
  base_release(w->mem, w->ids, w->cap_ids, sizeof(*w->ids));
  base_release(w->mem, w->quads, w->cap_quads, sizeof(*w->quads));
  *w = (load_writer){0};
}

/* Room for the packet, and what has to be known from the packets before. */
static quoin_status
start_packet(load_writer *w, const load_packet *packet, quoin_error *err)
{
  void *ids = w->ids, *quads = w->quads;
  bool room = base_reserve(w->mem, &ids, &w->cap_ids, packet->n_terms, sizeof(*w->ids));

  w->ids = ids;
  room = room && base_reserve(w->mem, &quads, &w->cap_quads, packet->n_quads, sizeof(*w->quads));
  w->quads = quads;
  if (!room) return base_fail_nomem(err);
  if (w->source != packet->source) {
    load_blanks_reset(&w->blanks);
    w->source = packet->source;
    w->line = 0;
  }
  if (packet->status) {
    if (err) {
      *err = packet->error;
      if (packet->lines && err->line) err->line += w->line;
    }
    return packet->status;
  }
  w->line += packet->n_lines;
  return QUOIN_OK;
}

/* The quads of the packet, their terms being w->ids, but for those kept back: *n of them. */
static quoin_status
make_quads(size_t *n, load_writer *w, const load_packet *packet, quoin_error *err)
{
  uint64_t lines = packet->lines ? w->line - packet->n_lines : 0;

  for (size_t i = 0; i < packet->n_quads; i++)
    for (size_t k = 0; k < 4; k++) {
      uint64_t ref = packet->quads[i][k].bits;
      if (ref & LOAD_REF_INLINE)
        w->quads[i].term[k].bits = ref;
      else
        w->quads[i].term[k] = ref == LOAD_REF_NONE ? ATOM_NONE_ID : w->ids[ref];
    }
  *n = packet->n_quads;
  return load_hold_take(n, &w->hold, w->quads, packet, lines, err);
}

/* Of a vector that was kept back: it does not fit. */
static quoin_status
refuse_held(void *user, const load_held *held, const quoin_error *why, quoin_error *err)
{
  load_writer *w = user;
  quoin_error error = *why;

  error.line = held->line;
  error.column = held->column;
  quoin_status st = w->refuse(w->refuse_user, held->source, &error);
  if (st && err) *err = error;
  w->refused += !st;
  return st;
}

/* A declaration that is not good has a place, too. */
static quoin_status
place_bad(load_writer *w, quoin_status st, quoin_error *err)
{
  const load_held *bad = &w->hold.bad;

  if (st != QUOIN_ERR_CONSTRAINT || !w->hold.is_bad || !err) return st;
  err->line = bad->line;
  err->column = bad->line ? bad->column : 0;
  w->name(w->refuse_user, bad->source, err);
  return st;
}

/* ---- bulk ------------------------------------------------------------------------------------ */

quoin_status
load_writer_begin(load_writer *w, uint64_t memory_bytes, unsigned threads, quoin_error *err)
{
  quoin_status st = quad_bulk_begin(&w->bulk, w->store, memory_bytes, threads, err);
  /* of the writer: until then the terms may be replaced */
  if (!st) w->terms_before = atom_store_terms(quad_store_atoms(w->store));
  return st;
}

static quoin_status
make_blanks(load_writer *w, atom_store *atoms, uint64_t upto, quoin_error *err)
{
  if (upto <= w->blanks_made) return QUOIN_OK;
  uint64_t first = atom_id_payload(atom_blank_new_many(atoms, upto - w->blanks_made));
  if (w->blanks_made == 0) w->blank_before = first - 1;
  /* Nobody else is the writer meanwhile, so the numbers go on where they stopped. */
  assert(first == w->blank_before + w->blanks_made + 1);
  if (upto + w->blank_before >= UINT64_C(1) << 58)
    return base_fail(err, QUOIN_ERR_LIMIT, "blank node numbers are used up");
  w->blanks_made = upto;
  return QUOIN_OK;
}

/* Ids of the packet's blank nodes. */
static quoin_status
number_blanks(load_writer *w, const load_packet *packet, atom_store *atoms, quoin_error *err)
{
  quoin_status st;

  for (size_t i = 0; i < packet->n_terms; i++) {
    uint64_t number;
    if (packet->terms[i].kind != RDF_BLANK) continue;
    st = load_blanks_number(&number, &w->blanks, packet->terms[i].value, err);
    if (!st) st = make_blanks(w, atoms, w->blanks.last, err);
    if (st) return st;
    w->ids[i] = atom_id_make(ATOM_BLANK, w->blank_before + number);
  }
  return QUOIN_OK;
}

/* How many terms the whole input will give, if it goes on like this. */
static void
expect(load_writer *w, const load_packet *packet, atom_store *atoms)
{
  if (!w->text_total || !packet->lines) return;
  w->text_taken += rdfio_chunk_bytes(packet->chunk);
  double terms = (double)(atom_store_terms(atoms) - w->terms_before);
  double all = terms * (double)w->text_total / (double)w->text_taken;
  atom_store_expect(atoms, w->terms_before + (uint64_t)all);
}

/* How much of the input was taken, if that is known. */
static double
share_taken(const load_writer *w)
{
  if (!w->text_total || !w->text_taken || w->text_taken > w->text_total) return 1;
  return (double)w->text_taken / (double)w->text_total;
}

quoin_status
load_writer_take(load_writer *w, const load_packet *packet, quoin_error *err)
{
  atom_store *atoms = quad_store_atoms(w->store);
  quoin_status st = start_packet(w, packet, err);

  if (!st) st = number_blanks(w, packet, atoms, err);
  if (!st)
    st = atom_intern_hashed(w->ids, atoms, packet->terms, packet->hashes,
                            packet->is_prepared ? packet->prepared : NULL, packet->n_terms, err);
  if (!st) {
    size_t n;
    expect(w, packet, atoms);
    st = make_quads(&n, w, packet, err);
    quad_bulk_reserve(w->bulk, w->hold.bytes);
    if (!st) st = quad_bulk_add(w->bulk, w->quads, n, err);
  }
  if (st == QUOIN_ERR_NO_SPACE) quad_bulk_explain(w->bulk, share_taken(w), err);
  return st;
}

static quoin_status
find_loaded(atom_id *out, void *user, const rdf_term *term, quoin_error *err)
{
  return atom_find(out, user, term, UINT64_MAX, err);
}

static quoin_status
read_loaded(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err)
{
  return atom_read(out, user, id, arena, err);
}

static quoin_status
add_released(void *user, const quad *quads, size_t n, quoin_error *err)
{
  return quad_bulk_add(((load_writer *)user)->bulk, quads, n, err);
}

/* Judge what was kept back, and load it after all. */
static quoin_status
release_held(load_writer *w, base_cancel *cancel, quoin_error *err)
{
  const load_hold_sink sink = {.user = w, .add = add_released, .refuse = refuse_held};
  const vec_terms terms = {
      .user = quad_store_atoms(w->store), .find = find_loaded, .read = read_loaded};
  quad_snapshot *snapshot = NULL;

  if (!w->hold.n && !w->hold.n_said) return QUOIN_OK;
  quoin_status st = quad_snapshot_acquire(&snapshot, w->store, err);
  if (!st) st = load_hold_release(&w->hold, snapshot, &terms, &sink, cancel, err);
  quad_snapshot_release(snapshot);
  return place_bad(w, st, err);
}

quoin_status
load_writer_end(load_writer *w, bool commit, base_cancel *cancel, quoin_error *err)
{
  quad_bulk *bulk = w->bulk;
  quoin_status st = commit ? release_held(w, cancel, err) : QUOIN_OK;

  w->bulk = NULL;
  load_hold_clear(&w->hold);
  atom_store_expect(quad_store_atoms(w->store), 0); /* still the writer */
  if (commit && !st) return quad_bulk_finish(&w->added, bulk, cancel, err);
  quad_bulk_abort(bulk);
  return st;
}

/* ---- small loads ----------------------------------------------------------------------------- */

/* Local ids of the packet's terms. A blank node is labelled by its number in the load: labels are
 * those of a file, and the transaction has one scope. */
static quoin_status
local_ids(load_writer *w, const load_packet *packet, atom_local *local, quoin_error *err)
{
  char label[24];
  quoin_status st = QUOIN_OK;

  for (size_t i = 0; !st && i < packet->n_terms; i++) {
    rdf_term term = packet->terms[i];
    if (term.kind == RDF_BLANK) {
      uint64_t number;
      if ((st = load_blanks_number(&number, &w->blanks, term.value, err))) break;
      (void)snprintf(label, sizeof(label), "n%llu", (unsigned long long)number);
      term.value = base_span(label);
    }
    st = atom_local_intern(&w->ids[i], local, &term, err);
  }
  return st;
}

static quoin_status
find_local(atom_id *out, void *user, const rdf_term *term, quoin_error *err)
{
  return atom_local_intern(out, quad_txn_local(user), term, err);
}

static quoin_status
read_local(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err)
{
  if (atom_id_kind(id) == ATOM_LOCAL)
    return atom_local_term(out, quad_txn_local(user), id, arena, err);
  return atom_read(out, quad_snapshot_atoms(quad_txn_begun(user)), id, arena, err);
}

static bool
local_vector(const float **out, uint32_t *dimension, void *user, atom_id id)
{
  return atom_local_vector(out, dimension, quad_txn_local(user), id);
}

typedef struct local_sink {
  load_writer *w;
  quad_txn *txn;
} local_sink;

static quoin_status
add_local(void *user, const quad *quads, size_t n, quoin_error *err)
{
  const local_sink *to = user;
  quoin_status st = QUOIN_OK;

  for (size_t i = 0; !st && i < n; i++)
    st = quad_txn_add_ids(to->txn, &quads[i], err);
  return st;
}

static quoin_status
refuse_local(void *user, const load_held *held, const quoin_error *why, quoin_error *err)
{
  return refuse_held(((const local_sink *)user)->w, held, why, err);
}

static quoin_status
release_local(load_writer *w, quad_txn *txn, base_cancel *cancel, quoin_error *err)
{
  local_sink to = {w, txn};
  const load_hold_sink sink = {.user = &to, .add = add_local, .refuse = refuse_local};
  const vec_terms terms = {
      .user = txn, .find = find_local, .read = read_local, .vector = local_vector};

  quoin_status st = load_hold_release(&w->hold, quad_txn_begun(txn), &terms, &sink, cancel, err);
  return place_bad(w, st, err);
}

quoin_status
load_writer_commit(load_writer *w, load_packet *const *packets, size_t n, base_cancel *cancel,
                   quoin_error *err)
{
  quad_txn *txn = NULL;
  quoin_status st = quad_txn_begin_writer(&txn, w->store, cancel, err);

  if (st) return st;
  for (size_t i = 0; !st && i < n; i++) {
    if ((st = start_packet(w, packets[i], err))) break;
    if ((st = local_ids(w, packets[i], quad_txn_local(txn), err))) break;
    size_t quads;
    if ((st = make_quads(&quads, w, packets[i], err))) break;
    for (size_t q = 0; !st && q < quads; q++)
      st = quad_txn_add_ids(txn, &w->quads[q], err);
  }
  if (!st) st = release_local(w, txn, cancel, err);
  if (!st) return quad_txn_commit(&w->added, NULL, txn, err);
  quad_txn_abort(txn);
  return st;
}
