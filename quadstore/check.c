/* quadstore/check.c - verify all of a store. */
#include "quadstore/store.h"

#include <stdio.h>

#include "base/poison.h"

typedef struct checker {
  quad_store *store;
  void (*report)(void *user, const char *line);
  void *user;
  base_cancel *cancel;
} checker;

static void
say(const checker *c, const char *what, const char *file)
{
  char line[400];

  if (!c->report) return;
  (void)snprintf(line, sizeof line, "%s %s", what, file);
  c->report(c->user, line);
}

static quoin_status
fault(const quad_section *sec, uint64_t at, const char *what, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, sec->run->disk ? sec->run->file.name : "memory run",
                      at, "%s", what);
}

/* What the walk over one section adds up. */
typedef struct section_sum {
  uint64_t entries, tombstones;
  uint64_t hash; /* of the multiset of entries: the sum of their hashes */
  uint64_t terms, blanks;
} section_sum;

static bool
id_is_valid(uint64_t bits, const section_sum *sum)
{
  atom_id id = {bits};
  atom_kind kind = atom_id_kind(id);

  if (atom_id_is_inline(id)) return true;
  if (!atom_id_payload(id)) return false;
  if (kind == ATOM_BLANK) return atom_id_payload(id) <= sum->blanks;
  return kind >= ATOM_IRI && kind < ATOM_PREFIX && atom_id_payload(id) <= sum->terms;
}

/* Rows of the loaded block: ascending, valid, within what the index says. */
static quoin_status
check_rows(section_sum *sum, uint64_t last[4], const quad_cursor *cur, unsigned order,
           quoin_error *err)
{
  const quad_section *sec = cur->sec;
  const quad_index_entry *e = &cur->entry;
  uint64_t at = sec->run->disk ? e->at : 0, dead = 0;

  for (uint32_t r = 0; r < cur->rows; r++) {
    uint64_t key[4], words[5] = {0, 0, 0, 0, 0};
    for (unsigned k = 0; k < sec->keys; k++) {
      key[k] = cur->col[k][r];
      words[quad_order_keys[order][k]] = key[k];
      if (!id_is_valid(key[k], sum)) return fault(sec, at, "a quad has an id of no term", err);
      if (key[k] < e->min[k] || key[k] > e->max[k])
        return fault(sec, at, "a key lies outside the bounds in the block index", err);
    }
    if ((sum->entries || r) && quad_key_compare(last, key, sec->keys) >= 0)
      return fault(sec, at, "entries are not ascending", err);
    if (r == 0 && quad_key_compare(key, e->first, sec->keys))
      return fault(sec, at, "the first key differs from the block index", err);
    memcpy(last, key, sizeof key);
    words[4] = cur->dead && cur->dead[r];
    dead += words[4];
    sum->hash += base_hash(words, sizeof words);
  }
  if (quad_key_compare(last, e->last, sec->keys))
    return fault(sec, at, "the last key differs from the block index", err);
  if (e->before != (int64_t)(sum->entries - 2 * sum->tombstones) ||
      (sec->run->disk && e->tombstones != dead))
    return fault(sec, at, "counts in the block index are wrong", err);
  sum->entries += cur->rows;
  sum->tombstones += dead;
  return QUOIN_OK;
}

static quoin_status
check_section(section_sum *sum, const quad_section *sec, unsigned order, const checker *c,
              quoin_error *err)
{
  uint64_t last[4] = {0, 0, 0, 0};
  size_t per = quad_page_entries(sec->keys ? sec->keys : 3);
  const uint8_t *tops = NULL;
  quad_cursor cur;
  quoin_status st = QUOIN_OK;

  if (!sec->entries) return QUOIN_OK;
  quad_cursor_open(&cur, sec, c->store->mem);
  if (sec->run->disk && (st = quad_run_tops(&tops, sec, err))) goto done;
  for (uint64_t b = 0; b < sec->blocks; b++) {
    if ((st = base_cancel_check(c->cancel, err))) goto done;
    if ((st = quad_cursor_load(&cur, b, err))) goto done;
    quad_cursor_need(&cur, (1u << sec->keys) - 1, 0, cur.rows);
    if ((st = check_rows(sum, last, &cur, order, err))) goto done;
    if (tops && (b % per == per - 1 || b + 1 == sec->blocks) &&
        memcmp(tops + b / per * 8 * sec->keys, cur.entry.last, 8 * (size_t)sec->keys)) {
      st = fault(sec, sec->tops_at, "the upper block index differs from the lower", err);
      goto done;
    }
  }
  if (sum->entries != sec->entries || sum->tombstones != sec->tombstones)
    st = fault(sec, sec->blocks_at, "the footer has other counts than the blocks", err);

done:
  quad_cursor_close(&cur);
  return st;
}

/* The predicate counts of the footer against those of SPO. */
static quoin_status
check_predicates(const quad_run *run, const checker *c, quoin_error *err)
{
  quad_tally tally = {.mem = c->store->mem};
  quad_predicate_count *list = NULL;
  size_t n = 0;
  quoin_status st = QUOIN_OK;

  for (unsigned part = 0; part < QUAD_PARTS && !st; part++) {
    const quad_section *sec = &run->section[part][QUAD_SPO];
    quad_cursor cur;
    if (!sec->entries) continue;
    quad_cursor_open(&cur, sec, c->store->mem);
    quad_tally_begin(&tally, part, QUAD_SPO);
    for (uint64_t b = 0; b < sec->blocks && !st; b++) {
      if ((st = quad_cursor_load(&cur, b, err))) break;
      quad_cursor_need(&cur, (1u << sec->keys) - 1, 0, cur.rows);
      st = quad_tally_add(&tally, cur.col, cur.dead, cur.rows, err);
    }
    quad_cursor_close(&cur);
  }
  if (!st) st = quad_tally_finish(&list, &n, &tally, err);
  if (!st && (n != run->n_predicates || (n && memcmp(list, run->predicates, n * sizeof *list))))
    st = fault(&run->section[0][QUAD_SPO], UINT64_MAX, "predicate counts of the footer are wrong",
               err);
  base_release(c->store->mem, list, n, sizeof *list);
  quad_tally_clear(&tally);
  return st;
}

static quoin_status
check_run(const quad_run *run, uint64_t terms, uint64_t blanks, const checker *c, quoin_error *err)
{
  quoin_status st;

  say(c, "run", run->disk ? run->file.name : "in memory");
  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    section_sum first = {0};
    for (unsigned order = 0; order < QUAD_ORDERS; order++) {
      section_sum sum = {.terms = terms, .blanks = blanks};
      if (!(run->orders >> order & 1)) continue;
      if (part == QUAD_PART_DEFAULT && order >= QUAD_GSPO) continue;
      if ((st = check_section(&sum, &run->section[part][order], order, c, err))) return st;
      if (order == QUAD_SPO) {
        first = sum;
      } else if (sum.entries != first.entries || sum.hash != first.hash) {
        return fault(&run->section[part][QUAD_SPO], UINT64_MAX,
                     "the key orders do not hold the same quads", err);
      }
    }
  }
  return check_predicates(run, c, err);
}

/* All runs together: no quad may be there twice or be removed without being there. */
static quoin_status
check_net(const quad_version *v, const checker *c, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  for (unsigned part = 0; part < QUAD_PARTS && !st; part++) {
    quad_merge m = {0};
    const uint64_t *cols[4];
    const uint8_t *dead;
    uint64_t live = 0, net = 0;
    size_t rows;
    st = quad_merge_init(&m, 3 + part, false, v->n_runs, c->store->mem, err);
    for (size_t i = 0; i < v->n_runs && !st; i++) {
      const quad_section *sec = &v->runs[i]->section[part][QUAD_SPO];
      net += sec->entries - 2 * sec->tombstones;
      st = quad_merge_add(&m, sec, NULL, err);
    }
    if (!st) st = quad_merge_start(&m, NULL, 0, NULL, 0, err);
    while (!st && !(st = quad_merge_next(cols, &dead, &rows, &m, err))) {
      live += rows;
      for (size_t r = 0; dead && r < rows && !st; r++)
        if (dead[r])
          st = base_fail(err, QUOIN_ERR_CORRUPT, "a tombstone removes a quad that is not there");
      if (!st) st = base_cancel_check(c->cancel, err);
    }
    if (st == QUOIN_DONE) st = QUOIN_OK;
    if (!st && live != net)
      st = base_fail(err, QUOIN_ERR_CORRUPT, "runs hold a quad twice: counts would be wrong");
    quad_merge_clear(&m);
  }
  return st;
}

/* Of a reading process: behind the last record it believes in. */
static quoin_status
check_log_end(const checker *c, quoin_error *err)
{
  quad_store *store = c->store;
  uint64_t lineage;
  quad_log_place place;

  base_mutex_lock(&store->writer);
  place = store->reading.place;
  lineage = quad_manifest_log_lineage(&store->manifest);
  base_mutex_unlock(&store->writer);
  say(c, "log", store->dir.name);
  return quad_log_check_end(&place, &store->dir, lineage, store->mem, err);
}

quoin_status
quad_store_check(quad_store *store, void (*report)(void *user, const char *line), void *user,
                 base_cancel *cancel, quoin_error *err)
{
  base_cancel never = {0};
  checker c = {store, report, user, cancel ? cancel : &never};
  quad_snapshot *s;
  quad_manifest m = {0};
  atom_store *atoms;
  quoin_status st;

  if ((st = quad_snapshot_acquire(&s, store, err))) return st;
  atoms = quad_snapshot_atoms(s);
  say(&c, "manifest", store->dir.name);
  if ((st = quad_manifest_read(&m, &store->dir, false, store->mem, err))) goto done;
  say(&c, "terms", store->dir.name);
  if ((st = atom_check(atoms, c.cancel, err))) goto done;
  for (size_t i = 0; i < s->version->n_runs; i++) {
    st = check_run(s->version->runs[i], s->version->terms, atom_store_blanks(atoms), &c, err);
    if (st) goto done;
  }
  say(&c, "runs together", store->dir.name);
  if ((st = check_net(s->version, &c, err))) goto done;
  if (store->participant.check) {
    say(&c, "vectors", store->dir.name);
    if ((st = store->participant.check(store->participant.self, c.cancel, err))) goto done;
  }
  if ((st = quad_manifest_check_slots(&store->dir, err))) goto done; /* what is half lost */
  if (store->read_only) st = check_log_end(&c, err);

done:
  quad_manifest_clear(&m, store->mem);
  quad_snapshot_release(s);
  return st;
}
