/* atomstore/compact.c - the terms that are in use, copied into new files with new numbers.
 *
 * The terms that stay are a set of numbers; a term gets its place in it as its new number. So
 * within each kind the order of ids stays what it was, and runs can be rewritten without sorting.
 * The set is closed over what records refer to (prefixes, datatypes), which always comes before. A
 * kind of term whose record holds more than text and a link must say here how it is copied. */
#include "atomstore/vector.h"

#include "base/poison.h"

/* 64 numbers, and how many before them stay. */
typedef struct kept_word {
  uint64_t bits, before;
} kept_word;

struct atom_kept {
  const base_alloc *mem;
  uint64_t terms, count;
  size_t n;
  kept_word word[];
};

static size_t
kept_size(size_t n)
{
  return sizeof(atom_kept) + n * sizeof(kept_word);
}

uint64_t
atom_kept_bytes(uint64_t terms)
{
  return kept_size((size_t)(terms / 64 + 1));
}

quoin_status
atom_kept_new(atom_kept **out, uint64_t terms, const base_alloc *mem, quoin_error *err)
{
  size_t n = (size_t)(terms / 64 + 1);
  atom_kept *kept = base_new_zero(mem, 1, kept_size(n));
  *out = kept;
  if (!kept) return base_fail_nomem(err);
  kept->mem = mem;
  kept->terms = terms;
  kept->n = n;
  return QUOIN_OK;
}

void
atom_kept_free(atom_kept *kept)
{
  if (kept) base_release(kept->mem, kept, 1, kept_size(kept->n));
}

static bool
is_kept(const atom_kept *kept, uint64_t number)
{
  return kept->word[number / 64].bits >> (number % 64) & 1;
}

static void
keep(atom_kept *kept, uint64_t number)
{
  kept->word[number / 64].bits |= UINT64_C(1) << (number % 64);
}

static uint64_t
place_of(const atom_kept *kept, uint64_t number)
{
  const kept_word *w = &kept->word[number / 64];
  uint64_t below = w->bits & ((UINT64_C(1) << (number % 64)) - 1);
  return w->before + (uint64_t)__builtin_popcountll(below) + 1;
}

/* Does the id stand for the record of that number? Values and blank nodes do not. */
static bool
is_numbered(atom_id id)
{
  return !atom_id_is_inline(id) && atom_id_kind(id) != ATOM_BLANK;
}

static bool
names_term(const atom_kept *kept, atom_id id)
{
  uint64_t number = atom_id_payload(id);
  return atom_kind_is_stored(atom_id_kind(id)) && atom_id_kind(id) != ATOM_PREFIX && number &&
         number <= kept->terms;
}

static quoin_status
no_term(atom_id id, quoin_error *err)
{
  return base_fail(err, QUOIN_ERR_CORRUPT, "no term has the id %016llx",
                   (unsigned long long)id.bits);
}

quoin_status
atom_kept_add(atom_kept *kept, const uint64_t *ids, size_t n, quoin_error *err)
{
  uint64_t last = 0;
  for (size_t i = 0; i < n; i++) {
    if (ids[i] == last) continue; /* sorted columns repeat */
    atom_id id = {last = ids[i]};
    if (!is_numbered(id)) continue;
    if (!names_term(kept, id)) return no_term(id, err);
    keep(kept, atom_id_payload(id));
  }
  return QUOIN_OK;
}

/* The term that a record refers to, or 0. */
static uint64_t
link_of(const atom_record *rec)
{
  return rec->kind == ATOM_VECTOR ? 0 : rec->link; /* a vector's is its dimension */
}

quoin_status
atom_kept_close(atom_kept *kept, const atom_store *store, base_cancel *cancel, quoin_error *err)
{
  atom_assert_reader(store, "atom_kept_close");
  for (uint64_t number = kept->terms; number; number--) {
    atom_record rec;
    uint16_t check;
    quoin_status st = number % 4096 == 0 ? base_cancel_check(cancel, err) : QUOIN_OK;
    if (st) return st;
    if (!is_kept(kept, number)) continue;
    if ((st = atom_record_at(&rec, &check, store, number, err))) return st;
    if (link_of(&rec) >= number)
      return atom_corrupt_record(store, number, "it refers to a term that is not before it", err);
    if (link_of(&rec)) keep(kept, rec.link);
  }
  kept->count = 0;
  for (size_t i = 0; i < kept->n; i++) {
    kept->word[i].before = kept->count;
    kept->count += (uint64_t)__builtin_popcountll(kept->word[i].bits);
  }
  return QUOIN_OK;
}

uint64_t
atom_kept_count(const atom_kept *kept)
{
  return kept->count;
}

quoin_status
atom_kept_map(uint64_t *out, const atom_kept *kept, const uint64_t *ids, size_t n, quoin_error *err)
{
  uint64_t last = 0, mapped = 0;
  for (size_t i = 0; i < n; i++) {
    if (ids[i] != last) {
      atom_id id = {last = mapped = ids[i]};
      if (is_numbered(id)) {
        uint64_t number = atom_id_payload(id);
        if (!names_term(kept, id) || !is_kept(kept, number)) return no_term(id, err);
        mapped = atom_id_make(atom_id_kind(id), place_of(kept, number)).bits;
      }
    }
    out[i] = mapped;
  }
  return QUOIN_OK;
}

/* ---- copying --------------------------------------------------------------------------------- */

enum { COPY_BYTES = 1 << 20 };

/* A file that is written from its start to its end. */
typedef struct stream {
  base_file file;
  base_buffer pending;
  uint64_t at; /* in the file, of pending.data[0] */
} stream;

static quoin_status
stream_open(stream *s, const base_dir *dir, atom_file kind, uint64_t generation,
            const base_alloc *mem, quoin_error *err)
{
  char name[64];
  atom_file_head head = atom_head_make(kind, generation, 0, 0);
  quoin_status st;
  base_buffer_init(&s->pending, mem);
  atom_file_name(name, kind, generation, 0);
  if (base_dir_has(dir, name) && (st = base_dir_unlink(dir, name, err))) return st;
  if ((st = base_file_open(&s->file, dir, name, BASE_FILE_CREATE_NEW, err))) return st;
  base_buffer_add(&s->pending, &head, sizeof(head));
  return QUOIN_OK;
}

static quoin_status
stream_flush(stream *s, quoin_error *err)
{
  if (s->pending.failed) return base_fail_nomem(err);
  quoin_status st = base_file_write(&s->file, s->pending.data, s->pending.len, s->at, err);
  base_file_writeback(&s->file, s->at, s->pending.len);
  s->at += s->pending.len;
  s->pending.len = 0;
  return st;
}

/* `flush` when the buffer is worth it. */
static inline quoin_status
stream_step(stream *s, quoin_error *err)
{
  return s->pending.len < COPY_BYTES && !s->pending.failed ? QUOIN_OK : stream_flush(s, err);
}

static quoin_status
stream_finish(stream *s, quoin_error *err)
{
  quoin_status st = stream_flush(s, err);
  return st ? st : base_file_sync(&s->file, err);
}

static void
stream_close(stream *s)
{
  base_buffer_clear(&s->pending);
  base_file_close(&s->file);
}

/* The files that are written. */
typedef struct copy {
  stream terms, offsets, vectors;
  base_buffer scratch;
} copy;

/* The row of a vector, which gets its new place. */
static quoin_status
copy_row(copy *c, atom_record *rec, quoin_error *err)
{
  static const char zeroes[ATOM_ROW];
  stream *s = &c->vectors;
  rec->place = (s->at + s->pending.len) / ATOM_ROW;
  base_buffer_span(&s->pending, rec->value);
  base_buffer_add(&s->pending, zeroes, (size_t)atom_row_bytes(rec->link) - rec->value.len);
  return stream_step(s, err);
}

/* Append the record of `number` as it will be. */
static quoin_status
copy_one(copy *c, const atom_store *from, const atom_kept *kept, uint64_t number, quoin_error *err)
{
  atom_record rec;
  atom_key key;
  uint16_t check;
  quoin_status st = atom_record_at(&rec, &check, from, number, err);
  if (!st) st = atom_record_key(&key, &c->scratch, from, &rec, err);
  if (st) return st;
  if (!base_sum_matches(check, key.hash >> 48))
    return atom_corrupt_record(from, number, "the text does not match its check bits", err);
  if (link_of(&rec)) rec.link = place_of(kept, rec.link);
  if (rec.kind == ATOM_VECTOR && (st = copy_row(c, &rec, err))) return st;
  if (atom_kind_has_datatype(rec.kind)) {
    key.datatype = rec.link;
    atom_key_hash(&key);
  }
  if (!atom_record_measure(&rec)) return base_fail_nomem(err);
  stream *terms = &c->terms;
  uint64_t at = terms->at + terms->pending.len;
  if (!base_buffer_reserve(&terms->pending, rec.size)) return base_fail_nomem(err);
  atom_record_encode(terms->pending.data + terms->pending.len, &rec);
  terms->pending.len += rec.size;
  base_buffer_u64(&c->offsets.pending, atom_offset_entry(at, key.hash, key.lang));
  if ((st = stream_step(terms, err))) return st;
  return stream_step(&c->offsets, err);
}

static quoin_status
copy_open(copy *c, const base_dir *dir, const atom_store *from, uint64_t generation,
          quoin_error *err)
{
  quoin_status st = stream_open(&c->terms, dir, ATOM_FILE_TERMS, generation, from->mem, err);
  if (!st) st = stream_open(&c->offsets, dir, ATOM_FILE_OFFSETS, generation, from->mem, err);
  if (!st) st = stream_open(&c->vectors, dir, ATOM_FILE_VECTORS, generation, from->mem, err);
  return st;
}

/* Hash of the table of symbols: to be asked before the table is copied, which is there then. */
static uint64_t
symbols_of(const atom_store *store)
{
  return atomic_load(&((atom_store *)(uintptr_t)store)->symbols_hash);
}

quoin_status
atom_store_copy(atom_marks *marks, const base_dir *to, const atom_store *from,
                const atom_kept *kept, base_cancel *cancel, quoin_error *err)
{
  copy c = {{.file = BASE_FILE_NONE}, {.file = BASE_FILE_NONE}, {.file = BASE_FILE_NONE}, {0}};
  quoin_status st;
  atom_assert_reader(from, "atom_store_copy");
  base_buffer_init(&c.scratch, from->mem);
  uint64_t symbols = symbols_of(from);
  if ((st = copy_open(&c, to, from, marks->generation, err))) goto done;
  /* Texts are copied as they are: with the table of symbols. */
  base_buffer_add(&c.terms.pending, base_map_at(&from->terms_map, ATOM_HEAD),
                  ATOM_RECORDS - ATOM_HEAD);
  for (uint64_t number = 1; number <= kept->terms; number++) {
    if (number % 4096 == 0 && (st = base_cancel_check(cancel, err))) goto done;
    if (!is_kept(kept, number)) continue;
    if ((st = copy_one(&c, from, kept, number, err))) goto done;
  }
  if ((st = stream_finish(&c.vectors, err))) goto done;
  if ((st = stream_finish(&c.terms, err))) goto done;
  if ((st = stream_finish(&c.offsets, err))) goto done;
  marks->table = 0; /* there is none: the opening makes it from the records */
  marks->terms = kept->count;
  marks->term_bytes = c.terms.at - ATOM_RECORDS;
  marks->blanks = atom_store_blanks(from);
  marks->vector_bytes = c.vectors.at - ATOM_HEAD;
  marks->symbols = symbols;

done:
  base_buffer_clear(&c.scratch);
  stream_close(&c.terms);
  stream_close(&c.offsets);
  stream_close(&c.vectors);
  return st;
}

/* The beginning of one file under the same name. */
static quoin_status
clone_file(const base_dir *to, const base_file *from, atom_file kind, uint64_t generation,
           uint64_t len, quoin_error *err)
{
  char name[64];
  base_file file = BASE_FILE_NONE;
  atom_file_name(name, kind, generation, 0);
  quoin_status st = base_file_open(&file, to, name, BASE_FILE_CREATE_NEW, err);
  if (!st) st = base_file_copy(&file, from, len, err);
  if (!st) st = base_file_sync(&file, err);
  base_file_close(&file);
  return st;
}

/* Terms of an overlay are in no file: one by one. */
static quoin_status
clone_records(atom_marks *marks, const base_dir *to, const atom_store *from, uint64_t terms,
              base_cancel *cancel, quoin_error *err)
{
  atom_kept *kept;
  quoin_status st = atom_kept_new(&kept, terms, from->mem, err);
  if (st) return st;
  for (uint64_t number = 1; number <= terms; number++)
    keep(kept, number);
  st = atom_kept_close(kept, from, cancel, err);
  if (!st) st = atom_store_copy(marks, to, from, kept, cancel, err);
  atom_kept_free(kept);
  return st;
}

quoin_status
atom_store_clone(atom_marks *marks, const base_dir *to, const atom_store *from, uint64_t terms,
                 base_cancel *cancel, quoin_error *err)
{
  uint64_t end, vectors;
  quoin_status st;
  atom_assert_reader(from, "atom_store_clone");
  *marks = (atom_marks){.generation = from->generation};
  if (terms > from->file_terms) return clone_records(marks, to, from, terms, cancel, err);
  if ((st = atom_record_end(&end, from, terms, err))) return st;
  /* Rows of later terms may be among them. */
  vectors = atomic_load(&((atom_store *)(uintptr_t)from)->vector_end);
  *marks = (atom_marks){.generation = from->generation,
                        .terms = terms,
                        .term_bytes = end - ATOM_RECORDS,
                        .blanks = atom_store_blanks(from),
                        .vector_bytes = vectors - ATOM_HEAD,
                        .symbols = symbols_of(from)};
  st = clone_file(to, &from->terms_file, ATOM_FILE_TERMS, from->generation, end, err);
  if (st) return st;
  st = clone_file(to, &from->offsets_file, ATOM_FILE_OFFSETS, from->generation,
                  ATOM_HEAD + 8 * terms, err);
  if (st) return st;
  return clone_file(to, &from->vectors_file, ATOM_FILE_VECTORS, from->generation, vectors, err);
}

void
atom_store_unlink(const base_dir *dir, uint64_t generation)
{
  char name[64];
  for (atom_file file = ATOM_FILE_TERMS; file <= ATOM_FILE_VECTORS; file++) {
    atom_file_name(name, file, generation, 1);
    if (base_dir_has(dir, name)) (void)base_dir_unlink(dir, name, NULL);
  }
}
