/* quadstore/manifest.c - the list of what the store consists of.
 *
 * The body is an immutable file. The file `manifest` has two slots, 4 KiB apart, that name it by
 * generation, length and checksum; they are written and synced one after the other, so that at
 * least one is whole at any moment. */
#include "quadstore/store.h"

#include <stdio.h>

#include "base/poison.h"

enum { SLOT_BYTES = 48, SLOT_STEP = 4096, BODY_FIXED = 176, BODY_MAX = 1 << 26 };

typedef struct slot {
  bool good;
  uint64_t generation, length, hash;
} slot;

static void
body_name(char out[64], uint64_t generation)
{
  (void)snprintf(out, 64, "manifest-%llu", (unsigned long long)generation);
}

/* VERSION when a slot is whole but of a newer format. */
static quoin_status
parse_slot(slot *out, const uint8_t *at, quoin_error *err)
{
  *out = (slot){0};
  if (memcmp(at, "QUOINMAN", 8) || !base_sum_matches(base_load_u64(at + 40), base_hash(at, 40)))
    return QUOIN_OK;
  if (base_load_u32(at + 8) > QUAD_MANIFEST_FORMAT)
    return base_fail_at(err, QUOIN_ERR_VERSION, "manifest", 8,
                        "store format %u is newer than this library reads (%d)",
                        base_load_u32(at + 8), QUAD_MANIFEST_FORMAT);
  *out = (slot){true, base_load_u64(at + 16), base_load_u64(at + 24), base_load_u64(at + 32)};
  return QUOIN_OK;
}

static void
write_slot(uint8_t out[SLOT_BYTES], uint64_t generation, uint64_t length, uint64_t hash)
{
  uint32_t format = QUAD_MANIFEST_FORMAT;
  uint64_t sum;

  memset(out, 0, SLOT_BYTES);
  memcpy(out, "QUOINMAN", 8);
  memcpy(out + 8, &format, 4);
  memcpy(out + 16, &generation, 8);
  memcpy(out + 24, &length, 8);
  memcpy(out + 32, &hash, 8);
  sum = base_hash(out, 40);
  memcpy(out + 40, &sum, 8);
}

static quoin_status
corrupt(const char *name, uint64_t at, const char *what, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, name, at, "%s", what);
}

static quoin_status
parse_body(quad_manifest *out, const uint8_t *p, size_t len, const char *name,
           const base_alloc *mem, quoin_error *err)
{
  uint64_t n;

  if (len < BODY_FIXED || memcmp(p, "QUOINMBD", 8)) return corrupt(name, 0, "no manifest", err);
  if (base_load_u32(p + 8) > QUAD_MANIFEST_FORMAT || base_load_u64(p + 32))
    return base_fail_at(err, QUOIN_ERR_VERSION, name, 32,
                        "the store uses features that this library does not know");
  out->generation = base_load_u64(p + 40);
  out->lineage = base_load_u64(p + 48);
  out->version = base_load_u64(p + 56);
  out->orders = base_load_u32(p + 64);
  out->atoms = (atom_marks){base_load_u64(p + 72), base_load_u64(p + 80),  base_load_u64(p + 88),
                            base_load_u64(p + 96), base_load_u64(p + 104), base_load_u64(p + 136),
                            base_load_u64(p + 168)};
  out->log_first = base_load_u64(p + 112);
  out->next_run = base_load_u64(p + 120);
  n = base_load_u64(p + 128);
  out->log_lineage = base_load_u64(p + 144);
  out->log_sequence = base_load_u64(p + 152);
  uint64_t section = base_load_u64(p + 160);
  if (section > len - BODY_FIXED)
    return corrupt(name, 160, "length of the section disagrees with that of the file", err);
  size_t listed = len - BODY_FIXED - (size_t)section;
  if (n != listed / 24 || listed % 24)
    return corrupt(name, 128, "number of runs disagrees with the length", err);
  if (!out->log_lineage != !out->log_sequence)
    return corrupt(name, 144, "lineage and sequence of the log disagree", err);
  if (!(out->orders & 1u << QUAD_SPO) || out->orders >= 1u << QUAD_ORDERS)
    return corrupt(name, 64, "unknown key orders", err);
  if (n && !(out->runs = base_new(mem, (size_t)n, sizeof *out->runs))) return base_fail_nomem(err);
  out->n_runs = (size_t)n;
  for (size_t i = 0; i < n; i++) {
    const uint8_t *r = p + BODY_FIXED + 24 * i;
    out->runs[i] = (quad_run_ref){base_load_u64(r), base_load_u64(r + 8), base_load_u64(r + 16)};
  }
  if (!section) return QUOIN_OK;
  if (!(out->section = base_new(mem, (size_t)section, 1))) return base_fail_nomem(err);
  out->section_len = (size_t)section;
  memcpy(out->section, p + BODY_FIXED + listed, (size_t)section);
  return QUOIN_OK;
}

/* The read-only flag word, at 24, is judged by the caller that wants to write. */
static quoin_status
read_body(quad_manifest *out, const base_dir *dir, const slot *s, bool writing,
          const base_alloc *mem, quoin_error *err)
{
  char name[64];
  base_file file = BASE_FILE_NONE;
  uint8_t *data = NULL;
  uint64_t size;
  quoin_status st;

  body_name(name, s->generation);
  if ((st = base_file_open(&file, dir, name, BASE_FILE_READ, err))) return st;
  if ((st = base_file_size(&size, &file, err))) goto done;
  if (size != s->length || s->length > BODY_MAX) {
    st = corrupt(name, size, "manifest has another length than its slot says", err);
    goto done;
  }
  if (!(data = base_new(mem, (size_t)s->length + 1, 1))) {
    st = base_fail_nomem(err);
    goto done;
  }
  if ((st = base_file_read(&file, data, (size_t)s->length, 0, err))) goto done;
  if (!base_sum_matches(s->hash, base_hash(data, (size_t)s->length))) {
    st = corrupt(name, 0, "checksum of the manifest is wrong", err);
    goto done;
  }
  if ((st = parse_body(out, data, (size_t)s->length, name, mem, err))) goto done;
  if (out->generation != s->generation) {
    st = corrupt(name, 40, "manifest has another generation than its slot", err);
    goto done;
  }
  if (writing && base_load_u64(data + 24))
    st = base_fail_at(err, QUOIN_ERR_VERSION, name, 24,
                      "the store uses features that this library can only read");

done:
  if (data) base_release(mem, data, (size_t)s->length + 1, 1);
  base_file_close(&file);
  return st;
}

/* Both slots as they are; what lies beyond the end of the file is zero. */
static quoin_status
read_slots(slot slots[2], const base_file *file, quoin_error *err)
{
  uint8_t data[SLOT_STEP + SLOT_BYTES] = {0};
  uint64_t size;
  quoin_status st = base_file_size(&size, file, err);

  if (st) return st;
  if (size > sizeof data) size = sizeof data;
  if ((st = base_file_read(file, data, (size_t)size, 0, err))) return st;
  if ((st = parse_slot(&slots[0], data, err))) return st;
  return parse_slot(&slots[1], data + SLOT_STEP, err);
}

quoin_status
quad_manifest_read(quad_manifest *out, const base_dir *dir, bool repair, const base_alloc *mem,
                   quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  slot slots[2], *best;
  quoin_status st;

  *out = (quad_manifest){0};
  st = base_file_open(&file, dir, "manifest", repair ? BASE_FILE_WRITE : BASE_FILE_READ, err);
  if (st) return st;
  if ((st = read_slots(slots, &file, err))) goto done;
  best = slots[1].good && (!slots[0].good || slots[1].generation > slots[0].generation) ? &slots[1]
                                                                                        : &slots[0];
  if (!best->good) {
    st = corrupt("manifest", 0, "both slots of the manifest are damaged", err);
    goto done;
  }
  if ((st = read_body(out, dir, best, repair, mem, err))) goto done;
  if (repair && (!slots[0].good || !slots[1].good || slots[0].generation != slots[1].generation)) {
    uint8_t whole[SLOT_BYTES];
    write_slot(whole, best->generation, best->length, best->hash);
    st = base_file_write(&file, whole, SLOT_BYTES, best == &slots[0] ? SLOT_STEP : 0, err);
    if (!st) st = base_file_sync(&file, err);
  }

done:
  if (st) quad_manifest_clear(out, mem);
  base_file_close(&file);
  return st;
}

quoin_status
quad_manifest_check_slots(const base_dir *dir, quoin_error *err)
{
  enum { TRIES = 100 }; /* another process may be writing one of them */
  base_file file = BASE_FILE_NONE;
  slot slots[2] = {{0}};
  quoin_status st = base_file_open(&file, dir, "manifest", BASE_FILE_READ, err);

  if (st) return st;
  for (unsigned i = 0; i < TRIES && !st && !(slots[0].good && slots[1].good); i++)
    st = read_slots(slots, &file, err);
  base_file_close(&file);
  if (st || (slots[0].good && slots[1].good)) return st;
  return corrupt("manifest", slots[0].good ? SLOT_STEP : 0,
                 "a slot of the manifest is damaged; opening for writing mends it from the other",
                 err);
}

static void
make_body(base_buffer *b, const quad_manifest *m)
{
  base_buffer_text(b, "QUOINMBD");
  base_buffer_u32(b, QUAD_MANIFEST_FORMAT);
  base_buffer_u32(b, 0);
  base_buffer_u64(b, 0); /* features: ignore what is not known */
  base_buffer_u64(b, 0); /* ... only read */
  base_buffer_u64(b, 0); /* ... refuse */
  base_buffer_u64(b, m->generation);
  base_buffer_u64(b, m->lineage);
  base_buffer_u64(b, m->version);
  base_buffer_u32(b, m->orders);
  base_buffer_u32(b, 0);
  base_buffer_u64(b, m->atoms.generation);
  base_buffer_u64(b, m->atoms.table);
  base_buffer_u64(b, m->atoms.terms);
  base_buffer_u64(b, m->atoms.term_bytes);
  base_buffer_u64(b, m->atoms.blanks);
  base_buffer_u64(b, m->log_first);
  base_buffer_u64(b, m->next_run);
  base_buffer_u64(b, m->n_runs);
  base_buffer_u64(b, m->atoms.vector_bytes);
  base_buffer_u64(b, m->log_lineage);
  base_buffer_u64(b, m->log_sequence);
  base_buffer_u64(b, m->section_len);
  base_buffer_u64(b, m->atoms.symbols);
  for (size_t i = 0; i < m->n_runs; i++) {
    base_buffer_u64(b, m->runs[i].generation);
    base_buffer_u64(b, m->runs[i].bytes);
    base_buffer_u64(b, m->runs[i].footer_hash);
  }
  base_buffer_add(b, m->section, m->section_len);
}

/* Both slots, one after the other. A new file is made whole under another name first. */
static quoin_status
write_slots(const base_dir *dir, const uint8_t whole[SLOT_BYTES], quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  bool fresh = !base_dir_has(dir, "manifest");
  const char *name = fresh ? "manifest.new" : "manifest";
  quoin_status st;

  if (fresh && base_dir_has(dir, name) && (st = base_dir_unlink(dir, name, err))) return st;
  st = base_file_open(&file, dir, name, fresh ? BASE_FILE_CREATE_NEW : BASE_FILE_WRITE, err);
  if (st) return st;
  for (unsigned i = 0; i < 2; i++) {
    if ((st = base_file_write(&file, whole, SLOT_BYTES, (uint64_t)i * SLOT_STEP, err))) goto done;
    if ((st = base_file_sync(&file, err))) goto done;
  }
  if (!fresh) goto done;
  if ((st = base_dir_rename(dir, name, "manifest", err))) goto done;
  st = base_dir_sync(dir, err);

done:
  base_file_close(&file);
  return st;
}

quoin_status
quad_manifest_write(quad_manifest *m, const base_dir *dir, const base_alloc *mem, quoin_error *err)
{
  char name[64];
  base_file file = BASE_FILE_NONE;
  base_buffer body;
  uint8_t whole[SLOT_BYTES];
  uint64_t before = m->lineage;
  quoin_status st = QUOIN_OK;

  base_buffer_init(&body, mem);
  m->lineage = 0;
  make_body(&body, m); /* the lineage hashes the body that goes before with the one to come */
  if (body.failed) {
    st = base_fail_nomem(err);
    goto done;
  }
  m->lineage = base_hash_seed(body.data, body.len, before);
  body.len = 0;
  make_body(&body, m);
  body_name(name, m->generation);
  if (base_dir_has(dir, name) && (st = base_dir_unlink(dir, name, err))) goto done;
  if ((st = base_file_open(&file, dir, name, BASE_FILE_CREATE_NEW, err))) goto done;
  if ((st = base_file_write(&file, body.data, body.len, 0, err))) goto done;
  if ((st = base_file_sync(&file, err))) goto done;
  if ((st = base_dir_sync(dir, err))) goto done;
  write_slot(whole, m->generation, body.len, base_hash(body.data, body.len));
  st = write_slots(dir, whole, err);

done:
  base_file_close(&file);
  base_buffer_clear(&body);
  return st;
}

void
quad_manifest_clear(quad_manifest *m, const base_alloc *mem)
{
  base_release(mem, m->runs, m->n_runs, sizeof *m->runs);
  base_release(mem, m->section, m->section_len, 1);
  *m = (quad_manifest){0};
}

quoin_status
quad_manifest_named(quoin_status st, quoin_error *err)
{
  if (st != QUOIN_ERR_NOT_FOUND) return st;
  if (err) err->status = QUOIN_ERR_CORRUPT;
  return QUOIN_ERR_CORRUPT;
}
