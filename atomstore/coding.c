/* atomstore/coding.c - texts of literals written in symbols.
 *
 * A store gets its table of symbols once, made from the records it then has: a matter of their
 * bytes alone, so that a build repeats. It lies at the start of terms-G; a checkpoint puts its hash
 * into the manifest. Records from then on hold their text in symbols where that is shorter. IRIs
 * stay as they are: they are looked for and written far more often, and their prefixes are shared.
 */
#include "atomstore/store.h"

#include "base/poison.h"

static const uint64_t TRAIN_AFTER = (uint64_t)256 << 10; /* bytes of records */
enum {
  SAMPLE = 64 << 10,      /* more is worth 2 %, less costs it */
  SAMPLE_FROM = 32 << 10, /* bytes of literals that must be there */
  CODED_MIN = 12          /* shorter texts are hardly ever shorter in symbols */
};

/* At byte ATOM_HEAD of terms-G. */
typedef struct table_head {
  uint64_t hash; /* XXH3 of the table */
  uint64_t len;
} table_head;
static_assert(ATOM_HEAD + sizeof(table_head) + SYMBOLS_TABLE <= ATOM_RECORDS, "room for a table");

quoin_status
atom_symbols_open(atom_store *store, uint64_t hash, quoin_error *err)
{
  table_head head;
  store->train_at = ATOM_RECORDS + TRAIN_AFTER;
  if (!hash) return QUOIN_OK;
  const char *at = base_map_at(&store->terms_map, ATOM_HEAD);
  memcpy(&head, at, sizeof(head));
  at += sizeof(head);
  if (head.len > SYMBOLS_TABLE || head.hash != hash ||
      !base_sum_matches(hash, base_hash(at, (size_t)head.len)))
    return base_fail_at(err, QUOIN_ERR_CORRUPT, store->terms_file.name, ATOM_HEAD,
                        "the table of symbols is not the one that the manifest names");
  atom_symbols *symbols = base_new(store->mem, 1, sizeof(*symbols));
  if (!symbols) return base_fail_nomem(err);
  atomic_store(&store->symbols, symbols);
  atomic_store(&store->symbols_hash, hash);
  atomic_store(&store->symbols_synced, true);
  if (atom_symbols_read(symbols, (quoin_span){at, (size_t)head.len})) return QUOIN_OK;
  return base_fail_at(err, QUOIN_ERR_CORRUPT, store->terms_file.name, ATOM_HEAD,
                      "the table of symbols does not decode");
}

/* ---- making the table ---------------------------------------------------------------------------
 */

/* Literals of the latest TRAIN_AFTER bytes of records, evenly; few of them: none. */
static quoin_status
sample_take(base_buffer *out, const atom_store *store, quoin_error *err)
{
  uint64_t terms =
      atomic_load_explicit(&((atom_store *)(uintptr_t)store)->terms, memory_order_relaxed);
  uint64_t from = terms + 1, bytes = 0, literals = 0, seen = 0;
  atom_record rec;
  uint16_t check;
  quoin_status st;
  for (; from > 1 && bytes < TRAIN_AFTER; from--) {
    if ((st = atom_record_at(&rec, &check, store, from - 1, err))) return st;
    bytes += rec.size;
    if (atom_kind_is_text(rec.kind)) literals += rec.value.len;
  }
  if (literals < SAMPLE_FROM) return QUOIN_OK;
  for (uint64_t n = from; n <= terms; n++) {
    if ((st = atom_record_at(&rec, &check, store, n, err))) return st;
    if (!atom_kind_is_text(rec.kind)) continue;
    seen += rec.value.len;
    if (out->len < seen * SAMPLE / literals)
      base_buffer_add(out, rec.value.ptr,
                      rec.value.len < SAMPLE / 16 ? rec.value.len : SAMPLE / 16);
  }
  return out->failed ? base_fail_nomem(err) : QUOIN_OK;
}

static quoin_status
table_put(atom_store *store, const atom_symbols *symbols, base_buffer *scratch, quoin_error *err)
{
  scratch->len = 0;
  atom_symbols_write(scratch, symbols);
  if (scratch->failed) return base_fail_nomem(err);
  table_head head = {.hash = base_hash(scratch->data, scratch->len), .len = scratch->len};
  char *at = base_map_at(&store->terms_map, ATOM_HEAD);
  memcpy(at, &head, sizeof(head));
  memcpy(at + sizeof(head), scratch->data, scratch->len);
  atomic_store(&store->symbols_hash, head.hash);
  return QUOIN_OK;
}

static quoin_status
train(atom_store *store, quoin_error *err)
{
  base_buffer sample;
  atom_symbols *symbols = NULL;
  base_buffer_init(&sample, store->mem);
  store->train_at = atomic_load_explicit(&store->term_end, memory_order_relaxed) + TRAIN_AFTER;
  quoin_status st = sample_take(&sample, store, err);
  if (st || sample.len == 0) goto done;
  if (!(symbols = base_new(store->mem, 1, sizeof(*symbols)))) {
    st = base_fail_nomem(err);
    goto done;
  }
  quoin_span text = {sample.data, sample.len};
  if ((st = atom_symbols_train(symbols, text, store->mem, err)) || symbols->n == 0) goto done;
  if ((st = table_put(store, symbols, &sample, err))) goto done;
  /* Before any record that needs it: readers see it with the count of terms. */
  atomic_store(&store->symbols, symbols);
  symbols = NULL;

done:
  base_release(store->mem, symbols, 1, sizeof(*symbols));
  base_buffer_clear(&sample);
  return st;
}

/* ---- writing and reading ------------------------------------------------------------------------
 */

bool
atom_code_is_worth(atom_kind kind, quoin_span text)
{
  return atom_kind_is_text(kind) && text.len >= CODED_MIN;
}

/* The text in symbols, in the store's memory. */
static quoin_status
code_text(quoin_span *out, atom_store *store, const atom_symbols *symbols, quoin_span text,
          quoin_error *err)
{
  store->coded.len = 0;
  if (text.len > SIZE_MAX / 4 || !base_buffer_reserve(&store->coded, text.len * 2)) {
    store->coded.failed = false;
    return base_fail_nomem(err);
  }
  *out = (quoin_span){store->coded.data, atom_symbols_encode(store->coded.data, symbols, text)};
  return QUOIN_OK;
}

quoin_status
atom_record_code(atom_record *rec, atom_store *store, quoin_span coded, quoin_error *err)
{
  quoin_status st;
  if (!atom_code_is_worth(rec->kind, rec->value)) return QUOIN_OK;
  if (!atomic_load(&store->symbols) &&
      atomic_load_explicit(&store->term_end, memory_order_relaxed) >= store->train_at &&
      (st = train(store, err)))
    return st;
  const atom_symbols *symbols = atomic_load(&store->symbols);
  if (!symbols) return QUOIN_OK;
  if (!coded.ptr && (st = code_text(&coded, store, symbols, rec->value, err))) return st;
  /* A rollback decodes it again, and must not fail for want of memory. */
  store->scratch.len = 0;
  if (!base_buffer_reserve(&store->scratch, rec->value.len + SYMBOL_BYTES)) {
    store->scratch.failed = false;
    return base_fail_nomem(err);
  }
  if (coded.len >= rec->value.len) return QUOIN_OK;
  rec->value = coded;
  rec->coded = true;
  return QUOIN_OK;
}

static size_t
text_length(const atom_store *store, const atom_record *rec)
{
  const atom_symbols *symbols = atomic_load(&((atom_store *)(uintptr_t)store)->symbols);
  return symbols ? atom_symbols_length(symbols, rec->value) : SIZE_MAX;
}

quoin_status
atom_record_text(quoin_span *out, base_buffer *scratch, const atom_store *store,
                 const atom_record *rec, quoin_error *err)
{
  *out = rec->value;
  if (!rec->coded) return QUOIN_OK;
  size_t len = text_length(store, rec);
  if (len == SIZE_MAX)
    return atom_corrupt_record(store, rec->number, "the text is not made of symbols", err);
  scratch->len = 0;
  scratch->failed = false;
  if (len > SIZE_MAX / 2 || !base_buffer_reserve(scratch, len + SYMBOL_BYTES))
    return base_fail_nomem(err);
  atom_symbols_decode(scratch->data, atomic_load(&((atom_store *)(uintptr_t)store)->symbols),
                      rec->value);
  *out = (quoin_span){scratch->data, len};
  return QUOIN_OK;
}

quoin_status
atom_record_text_new(quoin_span *out, base_arena *arena, const atom_store *store,
                     const atom_record *rec, quoin_error *err)
{
  *out = rec->value;
  if (!rec->coded) return QUOIN_OK;
  size_t len = text_length(store, rec);
  if (len == SIZE_MAX)
    return atom_corrupt_record(store, rec->number, "the text is not made of symbols", err);
  char *at = len <= SIZE_MAX / 2 ? base_arena_bytes(arena, len + SYMBOL_BYTES) : NULL;
  if (!at) return base_fail_nomem(err);
  atom_symbols_decode(at, atomic_load(&((atom_store *)(uintptr_t)store)->symbols), rec->value);
  base_arena_trim(arena, at, len);
  *out = (quoin_span){at, len};
  return QUOIN_OK;
}

bool
atom_record_says(const atom_store *store, const atom_record *rec, quoin_span text)
{
  if (!rec->coded) return base_span_equal(rec->value, text);
  const atom_symbols *symbols = atomic_load(&((atom_store *)(uintptr_t)store)->symbols);
  return symbols && atom_symbols_equal(symbols, rec->value, text);
}
