/* sparql/operators/order_rows.c - see order_rows.h. */
#include "sparql/operators/order_rows.h"

#include <assert.h>

#include "base/poison.h"

/* Below this many, insertion sort. The deadline is looked at after so many rows (the clock itself
 * is read in one of 64 of these looks). */
enum { ORDER_RUN = 12, ORDER_LOOK = 128 };

void
order_rows_init(order_rows *rows, sparql_context *ctx, const sparql_order_key *keys, size_t n_keys,
                size_t n_columns)
{
  *rows = (order_rows){.ctx = ctx, .keys = keys, .n_keys = n_keys, .n_columns = n_columns};
  base_arena_init(&rows->text, ctx->mem);
}

static size_t
chunk_bytes(const order_rows *rows)
{
  size_t row = rows->n_keys * sizeof(sparql_sort_key) + rows->n_columns * sizeof(atom_id);
  return ORDER_CHUNK * (row ? row : 1);
}

void
order_rows_clear(order_rows *rows)
{
  if (!rows->ctx) return;
  const base_alloc *mem = rows->ctx->mem;
  size_t bytes = chunk_bytes(rows);
  for (size_t i = 0; i < rows->n_chunks; i++)
    base_release(mem, rows->chunk[i], bytes, 1);
  base_release(mem, rows->chunk, rows->chunk_cap, sizeof(char *));
  base_arena_clear(&rows->text);
  (void)sparql_charge(rows->ctx, -(int64_t)(rows->n_chunks * bytes + rows->text_charged), NULL);
  rows->chunk = NULL;
  rows->n_chunks = rows->chunk_cap = rows->rows = rows->text_charged = 0;
}

quoin_status
order_rows_add(order_rows *rows, quoin_error *err)
{
  if (rows->rows == rows->n_chunks * ORDER_CHUNK) {
    const base_alloc *mem = rows->ctx->mem;
    if (rows->rows > UINT32_MAX - ORDER_CHUNK)
      return base_fail(err, QUOIN_ERR_LIMIT, "more than 2^32 rows to sort");
    void *chunks = rows->chunk;
    if (!base_reserve(mem, &chunks, &rows->chunk_cap, rows->n_chunks + 1, sizeof(char *)))
      return base_fail_nomem(err);
    rows->chunk = chunks;
    size_t bytes = chunk_bytes(rows);
    quoin_status st = sparql_charge(rows->ctx, (int64_t)bytes, err);
    if (st) return st;
    char *chunk = base_new(mem, bytes, 1);
    if (!chunk) {
      (void)sparql_charge(rows->ctx, -(int64_t)bytes, NULL);
      return base_fail_nomem(err);
    }
    rows->chunk[rows->n_chunks++] = chunk;
  }
  rows->rows++;
  return QUOIN_OK;
}

uint64_t
order_rows_bytes(const order_rows *rows)
{
  return rows->n_chunks * chunk_bytes(rows) + rows->text.used;
}

uint64_t
order_rows_need(const order_rows *rows, size_t chunks)
{
  return chunks * chunk_bytes(rows) + (rows->text.used - rows->text_charged) +
         (rows->rows + chunks * ORDER_CHUNK) * 2 * sizeof(order_entry);
}

quoin_status
order_rows_charge_text(order_rows *rows, quoin_error *err)
{
  size_t now = rows->text.used;
  quoin_status st = sparql_charge(rows->ctx, (int64_t)now - (int64_t)rows->text_charged, err);
  if (!st) rows->text_charged = now;
  return st;
}

int
order_rows_compare(const order_rows *rows, const sparql_sort_key *a, const sparql_sort_key *b)
{
  for (size_t k = 0; k < rows->n_keys; k++) {
    if (atom_id_equal(a[k].id, b[k].id)) continue; /* the same term: no need to read its text */
    int c = sparql_sort_key_compare(&a[k], &b[k]);
    if (c) return rows->keys[k].descending ? -c : c;
  }
  return 0;
}

static bool
entry_before(const order_rows *rows, const order_entry *a, const order_entry *b)
{
  if (a->code != b->code) return a->code < b->code;
  int c = order_rows_compare(rows, order_rows_keys(rows, a->row), order_rows_keys(rows, b->row));
  return c ? c < 0 : a->row < b->row;
}

/* 64 bits in the order of doubles (no NaN among sort keys), -0 as 0. */
static uint64_t
code_of_number(double number)
{
  uint64_t bits;
  number += 0.0;
  memcpy(&bits, &number, sizeof(bits));
  return bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
}

static uint64_t
code_of_text(quoin_span text, size_t from)
{
  uint64_t code = 0;
  for (size_t i = from; i < from + 8; i++)
    code = code << 8 | (i < text.len ? (uint8_t)text.ptr[i] : 0);
  return code;
}

/* Do the first keys of all rows differ in their text alone? *common: bytes that all begin with. */
static quoin_status
texts_decide(bool *decide, size_t *common, const order_rows *rows, quoin_error *err)
{
  const sparql_sort_key *first = order_rows_keys(rows, 0);
  *common = first->text.len;
  *decide = false;
  for (size_t i = 1; i < rows->rows; i++) {
    quoin_status st = i % ORDER_LOOK ? QUOIN_OK : base_cancel_check(&rows->ctx->cancel, err);
    if (st) return st;
    const sparql_sort_key *key = order_rows_keys(rows, i);
    if (key->major != first->major || key->minor != first->minor || key->number != first->number)
      return QUOIN_OK;
    if (key->text.len < *common) *common = key->text.len;
    size_t same = 0;
    while (same < *common && key->text.ptr[same] == first->text.ptr[same])
      same++;
    *common = same;
  }
  *decide = true;
  return QUOIN_OK;
}

/* Codes of the first key, in the order of sparql_sort_key_compare: class, minor class, the leading
 * bits of the number; or, where these are the same in all rows (IRIs: "http:/"), the bytes of text
 * after what all have in common. */
static quoin_status
make_codes(order_entry *entries, const order_rows *rows, quoin_error *err)
{
  size_t common;
  bool texts;
  quoin_status st = texts_decide(&texts, &common, rows, err);
  if (st) return st;
  uint64_t flip = rows->keys[0].descending ? UINT64_MAX : 0;
  for (size_t i = 0; i < rows->rows; i++) {
    if (i % ORDER_LOOK == 0 && (st = base_cancel_check(&rows->ctx->cancel, err))) return st;
    const sparql_sort_key *key = order_rows_keys(rows, i);
    assert(key->major < 32 && key->minor < 32);
    uint64_t code = texts ? code_of_text(key->text, common)
                          : (uint64_t)key->major << 59 | (uint64_t)key->minor << 54 |
                                code_of_number(key->number) >> 10;
    entries[i] = (order_entry){.code = code ^ flip, .row = (uint32_t)i};
  }
  return QUOIN_OK;
}

static void
insertion_sort(const order_rows *rows, order_entry *entries, size_t n)
{
  for (size_t i = 1; i < n; i++) {
    order_entry entry = entries[i];
    size_t at = i;
    for (; at > 0 && entry_before(rows, &entry, &entries[at - 1]); at--)
      entries[at] = entries[at - 1];
    entries[at] = entry;
  }
}

static quoin_status
merge(const order_rows *rows, order_entry *to, const order_entry *a, size_t n_a,
      const order_entry *b, size_t n_b, quoin_error *err)
{
  /* Input that is sorted already, or in pieces, costs one comparison. */
  if (!n_b || !entry_before(rows, b, &a[n_a - 1])) {
    memcpy(to, a, n_a * sizeof(*to));
    if (n_b) memcpy(to + n_a, b, n_b * sizeof(*to));
    return QUOIN_OK;
  }
  const order_entry *end_a = a + n_a, *end_b = b + n_b;
  while (a < end_a && b < end_b) {
    /* so many steps end neither piece */
    size_t left_a = (size_t)(end_a - a), left_b = (size_t)(end_b - b);
    size_t least = left_a < left_b ? left_a : left_b;
    quoin_status st = base_cancel_check(&rows->ctx->cancel, err);
    if (st) return st;
    for (size_t i = least < ORDER_LOOK ? least : ORDER_LOOK; i > 0; i--)
      *to++ = entry_before(rows, b, a) ? *b++ : *a++;
  }
  if (a < end_a) memcpy(to, a, (size_t)(end_a - a) * sizeof(*to));
  if (b < end_b) memcpy(to, b, (size_t)(end_b - b) * sizeof(*to));
  return QUOIN_OK;
}

/* Bottom-up merge sort; `other` is room for as many. The result is where *result points. */
static quoin_status
merge_sort(order_entry **result, const order_rows *rows, order_entry *entries, order_entry *other,
           size_t n, quoin_error *err)
{
  order_entry *from = entries, *to = other;
  quoin_status st;
  for (size_t at = 0; at < n; at += ORDER_RUN) {
    if (at / ORDER_RUN % 8 == 0 && (st = base_cancel_check(&rows->ctx->cancel, err))) return st;
    insertion_sort(rows, from + at, n - at < ORDER_RUN ? n - at : ORDER_RUN);
  }
  for (size_t width = ORDER_RUN; width < n; width *= 2) {
    for (size_t at = 0; at < n; at += 2 * width) {
      size_t n_a = n - at < width ? n - at : width;
      size_t n_b = n - at - n_a < width ? n - at - n_a : width;
      if ((st = merge(rows, to + at, from + at, n_a, from + at + n_a, n_b, err))) return st;
    }
    order_entry *swap = from;
    from = to;
    to = swap;
  }
  *result = from;
  return QUOIN_OK;
}

static quoin_status
entries_new(order_entry **out, size_t n, sparql_context *ctx, quoin_error *err)
{
  quoin_status st = sparql_charge(ctx, (int64_t)(n * sizeof(order_entry)), err);
  if (st) return st;
  if ((*out = base_new(ctx->mem, n, sizeof(order_entry)))) return QUOIN_OK;
  (void)sparql_charge(ctx, -(int64_t)(n * sizeof(order_entry)), NULL);
  return base_fail_nomem(err);
}

void
order_entries_free(order_entry *entries, size_t n, sparql_context *ctx)
{
  if (!entries) return;
  base_release(ctx->mem, entries, n, sizeof(order_entry));
  (void)sparql_charge(ctx, -(int64_t)(n * sizeof(order_entry)), NULL);
}

quoin_status
order_rows_sort(order_entry **out, size_t *n, order_rows *rows, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  order_entry *entries = NULL, *other = NULL, *result = NULL;

  *out = NULL;
  *n = rows->rows;
  if (!rows->rows) return QUOIN_OK;
  if ((st = entries_new(&entries, rows->rows, rows->ctx, err))) goto done;
  if ((st = entries_new(&other, rows->rows, rows->ctx, err))) goto done;
  if ((st = make_codes(entries, rows, err))) goto done;
  if ((st = merge_sort(&result, rows, entries, other, rows->rows, err))) goto done;
  *out = result;
  if (result == entries)
    entries = NULL;
  else
    other = NULL;

done:
  order_entries_free(entries, rows->rows, rows->ctx);
  order_entries_free(other, rows->rows, rows->ctx);
  return st;
}

quoin_status
order_rows_keep(order_rows *rows, const order_entry *entries, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  order_rows kept;
  order_rows_init(&kept, rows->ctx, rows->keys, rows->n_keys, rows->n_columns);
  for (size_t i = 0; i < n; i++) {
    if (i % ORDER_LOOK == 0 && (st = base_cancel_check(&rows->ctx->cancel, err))) goto done;
    if ((st = order_rows_add(&kept, err))) goto done;
    const sparql_sort_key *from = order_rows_keys(rows, entries[i].row);
    sparql_sort_key *to = order_rows_keys(&kept, i);
    for (size_t k = 0; k < rows->n_keys; k++) {
      to[k] = from[k];
      if (!from[k].text.len) continue;
      to[k].text = base_arena_copy(&kept.text, from[k].text);
      if (!to[k].text.ptr) {
        st = base_fail_nomem(err);
        goto done;
      }
    }
    for (size_t c = 0; c < rows->n_columns; c++)
      order_rows_column(&kept, i, c)[i & (ORDER_CHUNK - 1)] =
          order_rows_column(rows, entries[i].row, c)[entries[i].row & (ORDER_CHUNK - 1)];
  }
  if ((st = order_rows_charge_text(&kept, err))) goto done;
  order_rows_clear(rows);
  *rows = kept;
  kept.ctx = NULL; /* now nothing of its own */

done:
  order_rows_clear(&kept);
  return st;
}
