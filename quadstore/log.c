/* quadstore/log.c - the write-ahead log: numbered segments of records.
 *
 * A record: header of 40 bytes with its own checksum (magic, payload length, sequence, lineage,
 * the sequence known to be synced when it was written), payload, XXH3 of the payload; aligned to 8.
 * Files are extended in steps ahead of the records, so that a sync need not write the length; what
 * follows the last record is zero. Segments are never reused, so a header found behind a bad record
 * was written after it. A segment ends without a sync; the next sync is for it too.
 *
 * Where groups are not synced one by one, little goes into the page cache through a mapping: a
 * third of what a small commit cost was the system call. Nothing else changes: what a process wrote
 * before it was killed is there, other processes read it, and a sync of the file is for its mapped
 * pages, too (Linux; else base_map_sync). More is written: each page of a mapping is a fault.
 *
 * A group of many bytes is written while it grows, and the disk begins with it: the sync at its end
 * then waits for the last piece. What is in the file before that sync is promised to nobody. */
#include "quadstore/store.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

enum {
  SEGMENT_HEADER = 64,
  RECORD_HEADER = 40,
  LOG_STEP = 1 << 20,       /* the file grows by at least this */
  SEGMENT_BYTES = 64 << 20, /* a new segment begins beyond */
  STAGED_BYTES = 4 << 20,   /* a larger buffer for records is not kept */
  WRITE_BYTES = 512 << 10,  /* so much is written before its group is whole */
  MAPPED_BYTES = 64 << 10,  /* as much goes through the mapping */
  RECORD_MAGIC = 0x4c514352 /* "RCQL" */
};

static void
segment_name(char out[64], uint64_t segment)
{
  (void)snprintf(out, 64, "log-%llu", (unsigned long long)segment);
}

void
quad_log_init(quad_log *log, const base_dir *dir, uint64_t segment, uint64_t lineage,
              uint64_t sequence, bool mapping, const base_alloc *mem)
{
  *log = (quad_log){.dir = dir,
                    .file = BASE_FILE_NONE,
                    .mapping = mapping,
                    .segment = segment,
                    .lineage = lineage,
                    .sequence = sequence,
                    .synced = sequence - 1};
  base_buffer_init(&log->staged, mem);
}

/* Close the ended segments up to `last`. */
static void
drop_ended(quad_log *log, uint64_t last)
{
  size_t kept = 0;

  for (size_t i = 0; i < log->n_ended; i++)
    if (log->ended[i].segment <= last)
      base_file_close(&log->ended[i].file);
    else
      log->ended[kept++] = log->ended[i];
  log->n_ended = kept;
}

void
quad_log_close(quad_log *log)
{
  base_buffer_clear(&log->staged);
  drop_ended(log, UINT64_MAX);
  base_map_close(&log->map);
  base_file_close(&log->file);
}

static void
segment_header(uint8_t out[SEGMENT_HEADER], uint64_t segment, uint64_t lineage)
{
  uint32_t format = QUAD_LOG_FORMAT;
  uint64_t sum;

  memset(out, 0, SEGMENT_HEADER);
  memcpy(out, "QUOINLOG", 8);
  memcpy(out + 8, &format, 4);
  memcpy(out + 16, &segment, 8);
  memcpy(out + 24, &lineage, 8);
  sum = base_hash(out, 56);
  memcpy(out + 56, &sum, 8);
}

static quoin_status
begin_segment(quad_log *log, quoin_error *err)
{
  char name[64];
  uint8_t head[SEGMENT_HEADER];
  quoin_status st;

  segment_name(name, log->segment);
  if ((st = base_file_open(&log->file, log->dir, name, BASE_FILE_CREATE_NEW, err))) return st;
  if ((st = base_file_extend(&log->file, LOG_STEP, err))) goto done;
  segment_header(head, log->segment, log->lineage);
  if ((st = base_file_write(&log->file, head, sizeof head, 0, err))) goto done;
  log->offset = SEGMENT_HEADER;
  log->allocated = LOG_STEP;
  if ((st = base_dir_sync(log->dir, err)) || !log->mapping) goto done;
  if (base_map_open(&log->map, &log->file, SEGMENT_BYTES + LOG_STEP, true, log->staged.mem, NULL))
    base_map_close(&log->map); /* no addresses: it is written to instead */

done:
  if (st) { /* nothing was promised in it: the number is free again */
    base_file_close(&log->file);
    (void)base_dir_unlink(log->dir, name, NULL);
  }
  return st;
}

static uint64_t
record_bytes(uint64_t payload)
{
  return RECORD_HEADER + (payload + 7) / 8 * 8 + 8;
}

quoin_status
quad_log_rotate(quad_log *log, quoin_error *err)
{
  quoin_status st = quad_log_flush(log, err);

  if (!st && log->n_ended == QUAD_LOG_ENDED) st = quad_log_sync(log, err);
  /* what was staged is lost with it: never a failure of the one record that is to come */
  if (st) return base_fail(err, QUOIN_ERR_IO, "a segment of the log cannot be written");
  if (log->file.fd < 0) return QUOIN_OK;
  base_map_close(&log->map);
  if (log->synced + 1 == log->sequence)
    base_file_close(&log->file);
  else /* the next sync is for it too, before that of later records */
    log->ended[log->n_ended++] = (quad_log_ended){log->segment, log->file};
  log->file = BASE_FILE_NONE;
  log->segment++;
  return QUOIN_OK;
}

quoin_status
quad_log_sync_named(const base_dir *dir, uint64_t segment, quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  char name[64];
  quoin_status st;

  segment_name(name, segment);
  if ((st = base_file_open(&file, dir, name, BASE_FILE_WRITE, err))) return st;
  st = base_file_sync(&file, err);
  base_file_close(&file);
  return st;
}

void
quad_log_forget(quad_log *log, uint64_t segment, uint64_t sequence)
{
  drop_ended(log, segment - 1);
  if (log->synced < sequence - 1) log->synced = sequence - 1;
}

static void
stage(quad_log *log, const void *payload, size_t len, size_t total)
{
  static const uint8_t zeroes[8];
  uint8_t head[RECORD_HEADER] = {0};
  uint32_t magic = RECORD_MAGIC;
  uint64_t length = len, sum;

  memcpy(head, &magic, 4);
  memcpy(head + 8, &length, 8);
  memcpy(head + 16, &log->sequence, 8);
  memcpy(head + 24, &log->synced, 8);
  sum = base_hash_seed(head, 32, log->lineage);
  memcpy(head + 32, &sum, 8);
  base_buffer_add(&log->staged, head, sizeof head);
  base_buffer_add(&log->staged, payload, len);
  base_buffer_add(&log->staged, zeroes, total - 8 - RECORD_HEADER - len);
  base_buffer_u64(&log->staged, base_hash_seed(payload, len, log->lineage));
}

/* What is staged of a group that goes on. */
static quoin_status
write_ahead(quad_log *log, quoin_error *err)
{
  uint64_t len = log->staged.len;
  quoin_status st = quad_log_flush(log, err);

  /* the records of others are among it: never a failure of the last one */
  if (st == QUOIN_ERR_NO_SPACE || st == QUOIN_ERR_NOMEM)
    return base_fail(err, QUOIN_ERR_IO, "a part of the log cannot be written");
  if (!st && !log->mapping) base_file_writeback(&log->file, log->offset - len, len);
  return st;
}

quoin_status
quad_log_append(quad_log *log, const void *payload, size_t len, quoin_error *err)
{
  uint64_t total = record_bytes(len);
  quoin_status st;

  if (log->file.fd >= 0 && log->offset >= SEGMENT_BYTES && (st = quad_log_rotate(log, err)))
    return st;
  if (log->file.fd < 0 && (st = begin_segment(log, err))) return st;
  if (log->offset + total > log->allocated) {
    uint64_t want = (log->offset + total + LOG_STEP - 1) / LOG_STEP * LOG_STEP;
    if ((st = base_file_extend(&log->file, want, err))) return st;
    log->allocated = want;
    if (log->map.reserved && base_map_grow(&log->map, &log->file, (size_t)want, NULL))
      base_map_close(&log->map);
  }
  if (!base_buffer_reserve(&log->staged, (size_t)total)) {
    log->staged.failed = false; /* what is staged is whole */
    return base_fail_nomem(err);
  }
  stage(log, payload, len, (size_t)total);
  log->offset += total;
  log->bytes += total;
  log->sequence++;
  return log->staged.len < WRITE_BYTES ? QUOIN_OK : write_ahead(log, err);
}

quoin_status
quad_log_flush(quad_log *log, quoin_error *err)
{
  base_buffer *b = &log->staged;
  quoin_status st;

  if (!b->len) return QUOIN_OK;
  if (log->map.reserved && b->len <= MAPPED_BYTES) {
    memcpy(base_map_at(&log->map, (size_t)(log->offset - b->len)), b->data, b->len);
    st = QUOIN_OK;
  } else {
    st = base_file_write(&log->file, b->data, b->len, log->offset - b->len, err);
  }
  b->len = 0;
  if (b->cap > STAGED_BYTES) base_buffer_clear(b);
  return st;
}

quoin_status
quad_log_sync(quad_log *log, quoin_error *err)
{
  quoin_status st;

  if (log->synced + 1 == log->sequence) return QUOIN_OK;
  if ((st = quad_log_flush(log, err))) return st;
  for (size_t i = 0; i < log->n_ended; i++)
    if ((st = base_file_sync(&log->ended[i].file, err))) return st;
  if (log->file.fd >= 0 && (st = base_file_sync(&log->file, err))) return st;
  drop_ended(log, UINT64_MAX);
  log->synced = log->sequence - 1;
  log->syncs++;
  return QUOIN_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct record_header {
  uint64_t length, sequence, synced;
} record_header;

/* The end of a segment, or all of it. */
typedef struct segment_data {
  char name[64];
  uint64_t from; /* what of the file goes before */
  uint8_t *data;
  size_t size;
} segment_data;

static bool
parse_header(record_header *out, const segment_data *s, size_t at, uint64_t lineage)
{
  const uint8_t *p = s->data + at;

  if (at > s->size || s->size - at < RECORD_HEADER) return false;
  if (base_load_u32(p) != RECORD_MAGIC) return false;
  if (!base_sum_matches(base_load_u64(p + 32), base_hash_seed(p, 32, lineage))) return false;
  *out = (record_header){base_load_u64(p + 8), base_load_u64(p + 16), base_load_u64(p + 24)};
  return true;
}

/* The record at `at` is whole and the one expected. */
static bool
parse_record(record_header *out, const segment_data *s, size_t at, uint64_t lineage,
             uint64_t sequence)
{
  uint64_t total;

  if (!parse_header(out, s, at, lineage) || out->sequence != sequence) return false;
  if (out->length > s->size - at) return false;
  total = record_bytes(out->length);
  if (total > s->size - at) return false;
  return base_sum_matches(
      base_load_u64(s->data + at + total - 8),
      base_hash_seed(s->data + at + RECORD_HEADER, (size_t)out->length, lineage));
}

/* The segment from byte `from` on. NOT_FOUND when there is no such segment. */
static quoin_status
read_segment(segment_data *out, const base_dir *dir, uint64_t segment, uint64_t from,
             const base_alloc *mem, quoin_error *err)
{
  base_file file = BASE_FILE_NONE;
  uint64_t size;
  quoin_status st;

  *out = (segment_data){.from = from};
  segment_name(out->name, segment);
  if ((st = base_file_open(&file, dir, out->name, BASE_FILE_READ, err))) return st;
  if ((st = base_file_size(&size, &file, err))) goto done;
  size = size > from ? size - from : 0;
  if (size > SIZE_MAX - 1 || !(out->data = base_new(mem, (size_t)size + 1, 1))) {
    st = base_fail_nomem(err);
    goto done;
  }
  out->size = (size_t)size;
  st = base_file_read(&file, out->data, out->size, from, err);

done:
  base_file_close(&file);
  return st;
}

static void
free_segment(segment_data *s, const base_alloc *mem)
{
  if (s->data) base_release(mem, s->data, s->size + 1, 1);
  *s = (segment_data){0};
}

/* A later header says that `sequence`, which is bad, had been synced: that is no torn tail. */
static bool
later_says_synced(const segment_data *s, size_t from, uint64_t lineage, uint64_t sequence)
{
  record_header h;

  for (size_t at = (from + 7) / 8 * 8; at + RECORD_HEADER <= s->size; at += 8)
    if (parse_header(&h, s, at, lineage) && h.sequence > sequence && h.synced >= sequence)
      return true;
  return false;
}

static quoin_status
fail_bad_middle(const segment_data *s, size_t at, uint64_t sequence, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, s->name, s->from + at,
                      "log record %llu is damaged, but was synced: nothing was changed",
                      (unsigned long long)sequence);
}

/* The tail from `at` of `s` on is bad: look through the rest for proof that it was synced. */
static quoin_status
judge_tail(const base_dir *dir, const segment_data *s, size_t at, uint64_t segment,
           uint64_t lineage, uint64_t sequence, const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  if (later_says_synced(s, at, lineage, sequence)) return fail_bad_middle(s, at, sequence, err);
  for (uint64_t next = segment + 1;; next++) {
    segment_data later;
    bool proof;
    st = read_segment(&later, dir, next, 0, mem, NULL);
    if (st == QUOIN_ERR_NOT_FOUND) return QUOIN_OK;
    if (st) return base_fail(err, st, "log segment %llu cannot be read", (unsigned long long)next);
    proof = later_says_synced(&later, SEGMENT_HEADER, lineage, sequence);
    free_segment(&later, mem);
    if (proof) return fail_bad_middle(s, at, sequence, err);
  }
}

static bool
all_zero(const segment_data *s, size_t at)
{
  for (; at < s->size; at++)
    if (s->data[at]) return false;
  return true;
}

/* The bad record at `at` was written whole, so that it is no torn write that makes it bad but
 * damage since. A write is torn between sectors: those that did not reach the disk are the zeroes
 * that the file was extended with. */
static bool
is_damaged(const segment_data *s, size_t at, uint64_t lineage, uint64_t sequence)
{
  enum { SECTOR = 512 };
  record_header h;
  uint64_t total;

  if (!parse_header(&h, s, at, lineage)) /* its length is unknown */
    return s->size - at >= RECORD_HEADER && base_load_u32(s->data + at) == RECORD_MAGIC &&
           base_load_u64(s->data + at + 32);
  if (h.sequence != sequence) return false; /* what came before it never reached the disk */
  if (h.length > s->size - at || (total = record_bytes(h.length)) > s->size - at) return false;
  if (!base_load_u64(s->data + at + total - 8)) return false;
  for (uint64_t from = (s->from + at + SECTOR - 1) / SECTOR * SECTOR;
       from + SECTOR <= s->from + at + total; from += SECTOR) {
    const uint8_t *sector = s->data + (from - s->from);
    if (!sector[0] && !memcmp(sector, sector + 1, SECTOR - 1)) return false;
  }
  return true;
}

/* Hand on the records of `s` from byte `at` of it on; *place moves behind each. */
static quoin_status
read_records(quad_log_replay *out, quad_log_place *place, const segment_data *s, uint64_t segment,
             size_t at, uint64_t lineage, quad_log_each *each, void *user, quoin_error *err)
{
  record_header h;

  while (parse_record(&h, s, at, lineage, place->sequence)) {
    uint64_t offset = s->from + at;
    quoin_status st = each(user, s->data + at + RECORD_HEADER, (size_t)h.length, s->name,
                           offset + RECORD_HEADER, err);
    if (st) return st;
    at += (size_t)record_bytes(h.length);
    out->records++;
    out->bytes += record_bytes(h.length);
    *place = (quad_log_place){segment, s->from + at, place->sequence + 1};
  }
  if (all_zero(s, at)) return QUOIN_OK;
  out->cut_segment = segment;
  out->cut_offset = s->from + at;
  out->damaged = is_damaged(s, at, lineage, place->sequence);
  return QUOIN_OK;
}

quoin_status
quad_log_read(quad_log_replay *out, quad_log_place *place, const base_dir *dir, uint64_t lineage,
              quad_log_each *each, void *user, const base_alloc *mem, quoin_error *err)
{
  segment_data s = {0};
  uint64_t from = place->offset;
  quoin_status st = QUOIN_OK;

  *out = (quad_log_replay){.cut_offset = UINT64_MAX};
  for (uint64_t segment = place->segment;; segment++, from = 0) {
    uint8_t head[SEGMENT_HEADER];

    st = read_segment(&s, dir, segment, from, mem, err);
    if (st == QUOIN_ERR_NOT_FOUND) {
      base_error_clear(err);
      return QUOIN_OK;
    }
    if (st) break;
    out->segments++;
    segment_header(head, segment, lineage);
    if (!from && (s.size < SEGMENT_HEADER || memcmp(s.data, head, SEGMENT_HEADER))) {
      out->cut_segment = segment;
      out->cut_offset = 0;
    } else {
      st = read_records(out, place, &s, segment, from ? 0 : SEGMENT_HEADER, lineage, each, user,
                        err);
    }
    if (st) break;
    if (out->cut_offset != UINT64_MAX) {
      st = judge_tail(dir, &s, (size_t)(out->cut_offset - s.from), segment, lineage,
                      place->sequence, mem, err);
      /* segments behind a cut tail hold nothing that was promised; they are still counted */
      for (uint64_t next = segment + 1; !st; next++, out->segments++) {
        char name[64];
        segment_name(name, next);
        if (!base_dir_has(dir, name)) break;
      }
      break;
    }
    free_segment(&s, mem);
  }
  free_segment(&s, mem);
  return st;
}

/* Look at records, and at nothing in them. */
static quoin_status
pass_over(void *user, const uint8_t *payload, size_t len, const char *file, uint64_t offset,
          quoin_error *err)
{
  (void)user, (void)payload, (void)len, (void)file, (void)offset, (void)err;
  return QUOIN_OK;
}

quoin_status
quad_log_check_end(const quad_log_place *from, const base_dir *dir, uint64_t lineage,
                   const base_alloc *mem, quoin_error *err)
{
  enum { PAUSE_NS = 50 * 1000 * 1000 };
  quoin_error before = QUOIN_ERROR_INIT;

  for (unsigned look = 0;; look++) { /* what is being written looks damaged once */
    quad_log_place place = *from;
    quad_log_replay r;
    quoin_error why = QUOIN_ERROR_INIT;
    char name[64];
    quoin_status st = quad_log_read(&r, &place, dir, lineage, pass_over, NULL, mem, &why);
    if (!st && (r.cut_offset == UINT64_MAX || !r.damaged)) return QUOIN_OK;
    if (!st) {
      segment_name(name, r.cut_segment);
      st = base_fail_at(&why, QUOIN_ERR_CORRUPT, name, r.cut_offset,
                        "the log ends with a damaged record: what it held is lost");
    }
    if (st != QUOIN_ERR_CORRUPT ||
        (look && why.offset == before.offset && !strcmp(why.file, before.file))) {
      if (err) *err = why;
      return st;
    }
    before = why;
    base_pause_ns(PAUSE_NS);
  }
}
