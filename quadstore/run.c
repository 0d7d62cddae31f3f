/* quadstore/run.c - sharing runs, and reading run files. Everything in a file is hostile. */
#include "quadstore/filter.h"
#include "quadstore/sample.h"

#include <assert.h>

#include "base/poison.h"

quad_run *
quad_run_retain(quad_run *run)
{
  atomic_fetch_add_explicit(&run->refs, 1, memory_order_relaxed);
  return run;
}

static void
release_bits(quad_run *run, _Atomic uint64_t *bits, uint64_t n)
{
  base_release(run->mem, bits, (size_t)(n + 63) / 64, sizeof *bits);
}

/* Words of `lasts`. */
static size_t
lasts_size(const quad_section *sec)
{
  return (size_t)sec->blocks * (sec->keys + 1);
}

static void
release_section(quad_run *run, quad_section *sec)
{
  quad_filter_free(atomic_load_explicit(&sec->filter, memory_order_relaxed));
  quad_samples_free(atomic_load_explicit(&sec->samples, memory_order_relaxed));
  if (!run->disk) return;
  release_bits(run, sec->seen_blocks, sec->blocks);
  release_bits(run, sec->seen_pages, sec->pages);
  base_release(run->mem, atomic_load_explicit(&sec->lasts, memory_order_relaxed), lasts_size(sec),
               sizeof(uint64_t));
}

void
quad_run_release(quad_run *run)
{
  /* acq_rel: whoever frees sees what the others did to the bit sets */
  if (!run || atomic_fetch_sub_explicit(&run->refs, 1, memory_order_acq_rel) != 1) return;
  base_release(run->mem, run->predicates, run->n_predicates, sizeof *run->predicates);
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    for (unsigned order = 0; order < QUAD_ORDERS; order++)
      release_section(run, &run->section[part][order]);
  if (run->disk) {
    base_map_close(&run->map);
    base_file_close(&run->file);
  }
  base_release(run->mem, run, 1, run->disk ? sizeof *run : run->bytes);
}

static quoin_status
corrupt(const quad_run *run, uint64_t at, const char *what, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, run->file.name, at, "%s", what);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* [at, at+len) lies between the header and `limit`. */
static bool
within(uint64_t at, uint64_t len, uint64_t limit)
{
  return at >= QUAD_RUN_HEADER && at <= limit && len <= limit - at;
}

static quoin_status
read_section(quad_run *run, unsigned part, unsigned order, const uint8_t *w, uint64_t limit,
             quoin_error *err)
{
  quad_section *sec = &run->section[part][order];
  uint64_t at = (uint64_t)(w - (const uint8_t *)base_map_at(&run->map, 0));
  uint64_t pages_len, per;

  sec->run = run;
  sec->keys = part == QUAD_PART_DEFAULT ? 3 : 4;
  sec->blocks_at = base_load_u64(w);
  sec->blocks_len = base_load_u64(w + 8);
  sec->blocks = base_load_u64(w + 16);
  sec->entries = base_load_u64(w + 24);
  sec->tombstones = base_load_u64(w + 32);
  sec->pages_at = base_load_u64(w + 40);
  sec->pages = base_load_u64(w + 48);
  sec->tops_at = base_load_u64(w + 56);
  sec->tops_hash = base_load_u64(w + 64);
  if (!sec->blocks) {
    if (sec->entries || sec->pages || sec->tombstones)
      return corrupt(run, at, "section without blocks has entries", err);
    return QUOIN_OK;
  }
  per = quad_page_entries(sec->keys);
  if (sec->blocks > limit || sec->pages != (sec->blocks + per - 1) / per)
    return corrupt(run, at, "block and page counts disagree", err);
  pages_len = sec->blocks * 8 * quad_entry_words(sec->keys) + 8 * sec->pages;
  if (sec->entries < sec->blocks || sec->entries > sec->blocks * CODEC_BLOCK ||
      sec->tombstones > sec->entries || !within(sec->blocks_at, sec->blocks_len, limit) ||
      !within(sec->pages_at, pages_len, limit) ||
      !within(sec->tops_at, sec->pages * 8 * sec->keys, limit))
    return corrupt(run, at, "section lies outside the file", err);
  sec->seen_blocks = base_new_zero(run->mem, (size_t)(sec->blocks + 63) / 64, 8);
  sec->seen_pages = base_new_zero(run->mem, (size_t)(sec->pages + 63) / 64, 8);
  if (!sec->seen_blocks || !sec->seen_pages) return base_fail_nomem(err);
  return QUOIN_OK;
}

static quoin_status
read_footer(quad_run *run, const uint8_t *head, uint64_t size, quoin_error *err)
{
  uint64_t at = base_load_u64(head + 32), len = base_load_u64(head + 40);
  const size_t sections = (size_t)8 * QUAD_SECTION_WORDS * QUAD_PARTS * QUAD_ORDERS;
  const uint8_t *foot;
  uint64_t n;
  quoin_status st;

  if (!within(at, len, size) || len < sections + 8)
    return corrupt(run, 32, "footer lies outside the file", err);
  foot = (const uint8_t *)base_map_at(&run->map, 0) + at;
  run->footer_hash = base_load_u64(head + 48);
  if (!base_sum_matches(run->footer_hash, base_hash(foot, (size_t)len)))
    return corrupt(run, at, "checksum of the footer is wrong", err);
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    for (unsigned order = 0; order < QUAD_ORDERS; order++)
      if ((st = read_section(run, part, order,
                             foot + (size_t)8 * QUAD_SECTION_WORDS * (part * QUAD_ORDERS + order),
                             at, err)))
        return st;
  n = base_load_u64(foot + sections);
  if (n != (len - sections - 8) / 24 || (len - sections - 8) % 24)
    return corrupt(run, at + sections, "predicate count disagrees with the footer", err);
  if (!n) return QUOIN_OK;
  if (!(run->predicates = base_new(run->mem, (size_t)n, sizeof *run->predicates)))
    return base_fail_nomem(err);
  run->n_predicates = (size_t)n;
  for (size_t i = 0; i < n; i++) {
    const uint8_t *p = foot + sections + 8 + 24 * i;
    run->predicates[i] = (quad_predicate_count){
        .predicate = {base_load_u64(p)}, .triples = {base_load_u64(p + 8), base_load_u64(p + 16)}};
    if (i && run->predicates[i].predicate.bits <= run->predicates[i - 1].predicate.bits)
      return corrupt(run, at + sections, "predicates are not ascending", err);
  }
  return QUOIN_OK;
}

static quoin_status
read_header(quad_run *run, quoin_error *err)
{
  const uint8_t *head = (const uint8_t *)base_map_at(&run->map, 0);
  uint64_t size = run->bytes;

  if (size < QUAD_RUN_HEADER + CODEC_SLACK)
    return corrupt(run, size, "run file ends inside its header", err);
  if (memcmp(head, "QUOINRUN", 8)) return corrupt(run, 0, "this is no run file", err);
  if (base_load_u32(head + 8) != QUAD_RUN_FORMAT)
    return base_fail_at(err, QUOIN_ERR_VERSION, run->file.name, 8,
                        "run format %u is not the one that this library reads (%d)",
                        base_load_u32(head + 8), QUAD_RUN_FORMAT);
  if (!base_sum_matches(base_load_u64(head + 120), base_hash(head, 120)))
    return corrupt(run, 0, "checksum of the header is wrong", err);
  if (base_load_u64(head + 16) != run->generation)
    return corrupt(run, 16, "run file has another generation than its name", err);
  if (base_load_u64(head + 56) != size) return corrupt(run, 56, "run file has another size", err);
  run->orders = base_load_u32(head + 24);
  return read_footer(run, head, size - CODEC_SLACK, err);
}

quoin_status
quad_run_open(quad_run **out, const base_dir *dir, const char *name, uint64_t generation,
              const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  quad_run *run = base_new_zero(mem, 1, sizeof *run);
  uint64_t size;

  *out = NULL;
  if (!run) return base_fail_nomem(err);
  run->mem = mem;
  run->disk = true;
  run->generation = generation;
  run->file = BASE_FILE_NONE;
  atomic_init(&run->refs, 1);
  if ((st = base_file_open(&run->file, dir, name, BASE_FILE_READ, err))) goto done;
  if ((st = base_file_size(&size, &run->file, err))) goto done;
  run->bytes = (size_t)size;
  if ((st = base_map_open(&run->map, &run->file, (size_t)size, false, mem, err))) goto done;
  if ((st = read_header(run, err))) goto done;
  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    run->entries += run->section[part][QUAD_SPO].entries;
    run->tombstones += run->section[part][QUAD_SPO].tombstones;
  }
  *out = run;
  run = NULL;

done:
  quad_run_release(run);
  return st;
}

/* ---- first touch ---------------------------------------------------------------------------- */

static bool
is_seen(const _Atomic uint64_t *bits, uint64_t i)
{
  return atomic_load_explicit(&bits[i / 64], memory_order_relaxed) >> (i % 64) & 1;
}

/* Relaxed: the bit says only that the bytes were right, and they never change. */
static void
set_seen(_Atomic uint64_t *bits, uint64_t i)
{
  atomic_fetch_or_explicit(&bits[i / 64], UINT64_C(1) << (i % 64), memory_order_relaxed);
}

quoin_status
quad_run_tops(const uint8_t **out, const quad_section *sec, quoin_error *err)
{
  const uint8_t *tops = (const uint8_t *)base_map_at(&sec->run->map, (size_t)sec->tops_at);
  quad_section *mut = (quad_section *)(uintptr_t)sec;

  *out = tops;
  if (atomic_load_explicit(&mut->seen_tops, memory_order_relaxed)) return QUOIN_OK;
  if (!base_sum_matches(sec->tops_hash, base_hash(tops, (size_t)sec->pages * 8 * sec->keys)))
    return corrupt(sec->run, sec->tops_at, "checksum of the upper block index is wrong", err);
  atomic_store_explicit(&mut->seen_tops, 1, memory_order_relaxed);
  return QUOIN_OK;
}

quoin_status
quad_run_page(const uint8_t **out, const quad_section *sec, uint64_t page, quoin_error *err)
{
  uint64_t per = quad_page_entries(sec->keys), at = sec->pages_at;
  uint64_t left = sec->blocks - page * per, n = left < per ? left : per;
  size_t len = (size_t)n * 8 * quad_entry_words(sec->keys);
  const uint8_t *data;

  assert(page < sec->pages);
  at += page * quad_page_bytes(sec->keys);
  data = (const uint8_t *)base_map_at(&sec->run->map, (size_t)at);
  *out = data;
  if (is_seen(sec->seen_pages, page)) return QUOIN_OK;
  if (!base_sum_matches(base_load_u64(data + len), base_hash(data, len)))
    return corrupt(sec->run, at, "checksum of a block index page is wrong", err);
  set_seen(sec->seen_pages, page);
  return QUOIN_OK;
}

enum { SEEKS_FIRST = 64, SEEKS_NEVER = 1 << 30 };

/* A damaged page is not reported here but where its entries are asked for. */
static uint64_t *
make_lasts(const quad_section *sec)
{
  size_t per = quad_page_entries(sec->keys), words = quad_entry_words(sec->keys);
  uint64_t *lasts = base_new(sec->run->mem, lasts_size(sec), sizeof *lasts);

  for (uint64_t page = 0; lasts && page < sec->pages; page++) {
    const uint8_t *data;
    uint64_t block = page * per;
    if (quad_run_page(&data, sec, page, NULL)) {
      base_release(sec->run->mem, lasts, lasts_size(sec), sizeof *lasts);
      return NULL;
    }
    for (size_t i = 0; i < per && block < sec->blocks; i++, block++) {
      for (unsigned k = 0; k < sec->keys; k++)
        lasts[k * sec->blocks + block] = base_load_u64(data + 8 * (i * words + sec->keys + k));
      lasts[sec->keys * sec->blocks + block] =
          base_load_u64(data + 8 * (i * words + 4 * sec->keys));
    }
  }
  return lasts;
}

const uint64_t *
quad_run_lasts(const quad_section *sec)
{
  quad_section *mut = (quad_section *)(uintptr_t)sec;
  /* acquire: what the one who made them wrote; pairs with the exchange below */
  uint64_t *lasts = atomic_load_explicit(&mut->lasts, memory_order_acquire), *made;

  if (lasts) return lasts;
  if (atomic_fetch_add_explicit(&mut->seeks, 1, memory_order_relaxed) != SEEKS_FIRST) {
    if (atomic_load_explicit(&mut->seeks, memory_order_relaxed) > SEEKS_NEVER)
      atomic_store_explicit(&mut->seeks, SEEKS_FIRST + 1, memory_order_relaxed);
    return NULL;
  }
  if (!(made = make_lasts(sec))) return NULL;
  if (!atomic_compare_exchange_strong_explicit(&mut->lasts, &lasts, made, memory_order_release,
                                               memory_order_acquire)) {
    base_release(sec->run->mem, made, lasts_size(sec), sizeof *made);
    return lasts;
  }
  return made;
}

void
quad_index_entry_read(quad_index_entry *out, const uint8_t *words, unsigned keys)
{
  const uint8_t *rest = words + 32 * (size_t)keys;
  uint64_t sizes;

  for (unsigned i = 0; i < keys; i++, words += 8) { /* so few that a call costs more */
    out->first[i] = base_load_u64(words);
    out->last[i] = base_load_u64(words + 8 * (size_t)keys);
    out->min[i] = base_load_u64(words + 16 * (size_t)keys);
    out->max[i] = base_load_u64(words + 24 * (size_t)keys);
  }
  out->at = base_load_u64(rest);
  sizes = base_load_u64(rest + 8);
  out->length = (uint32_t)sizes;
  out->rows = (uint32_t)(sizes >> 32);
  out->tombstones = (uint32_t)base_load_u64(rest + 16);
  out->before = (int64_t)base_load_u64(rest + 24);
}

quoin_status
quad_run_block(codec_view *out, const quad_section *sec, uint64_t block,
               const quad_index_entry *entry, quoin_error *err)
{
  const quad_run *run = sec->run;
  const uint8_t *data;

  if (entry->at < sec->blocks_at || entry->at - sec->blocks_at > sec->blocks_len ||
      entry->length > sec->blocks_len - (entry->at - sec->blocks_at))
    return corrupt(run, sec->pages_at, "a block lies outside its section", err);
  data = (const uint8_t *)base_map_at(&run->map, (size_t)entry->at);
  if (!is_seen(sec->seen_blocks, block)) {
    if (!codec_verify(data, entry->length))
      return corrupt(run, entry->at, "checksum of a block is wrong", err);
    set_seen(sec->seen_blocks, block);
  }
  if (!codec_parse(out, data, entry->length, run->bytes - (size_t)entry->at) ||
      out->rows != entry->rows || out->columns != sec->keys)
    return corrupt(run, entry->at, "a block contradicts itself or the index", err);
  return QUOIN_OK;
}
