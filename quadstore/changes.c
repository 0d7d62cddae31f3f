/* quadstore/changes.c - see changes.h. */
#include "quadstore/changes.h"

#include "base/poison.h"

void
quad_changes_init(quad_changes *c, const base_alloc *mem)
{
  *c = (quad_changes){.mem = mem};
  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    c->part[part].keys = 3 + part;
    c->part[part].stride = 4 + part;
    c->part[part].sign = true;
  }
}

void
quad_changes_clear(quad_changes *c)
{
  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    quad_records *r = &c->part[part];
    base_release(c->mem, r->data, c->room[part] * r->stride, 8);
    base_release(c->mem, r->spare, c->room[part] * r->stride, 8);
  }
  quad_changes_init(c, c->mem);
}

static quoin_status
grow(quad_changes *c, unsigned part, quoin_error *err)
{
  quad_records *r = &c->part[part];
  size_t room = c->room[part], next = room ? room * 2 : 4;
  uint64_t *data = base_new(c->mem, next * r->stride, 8);
  uint64_t *spare = base_new(c->mem, next * r->stride, 8);

  if (!data || !spare) {
    base_release(c->mem, data, next * r->stride, 8);
    base_release(c->mem, spare, next * r->stride, 8);
    return base_fail_nomem(err);
  }
  if (r->n) memcpy(data, r->data, r->n * r->stride * 8);
  base_release(c->mem, r->data, room * r->stride, 8);
  base_release(c->mem, r->spare, room * r->stride, 8);
  r->data = data;
  r->spare = spare;
  c->room[part] = next;
  return QUOIN_OK;
}

quoin_status
quad_changes_add(quad_changes *c, const quad *q, bool remove, quoin_error *err)
{
  unsigned part = q->term[QUAD_G].bits ? QUAD_PART_NAMED : QUAD_PART_DEFAULT;
  quad_records *r = &c->part[part];
  uint64_t *to;
  quoin_status st;

  if (r->n == c->room[part] && (st = grow(c, part, err))) return st;
  to = r->data + r->n++ * r->stride;
  for (unsigned k = 0; k < r->keys; k++)
    to[k] = q->term[k].bits;
  to[r->keys] = remove;
  return QUOIN_OK;
}

/* By SPO(G), stably; nothing to do where they are. */
static quoin_status
sort_part(quad_changes *c, unsigned part, quoin_error *err)
{
  static const uint8_t spo[4] = {QUAD_S, QUAD_P, QUAD_O, QUAD_G};
  quad_records *r = &c->part[part];
  size_t i = 1;

  while (i < r->n &&
         quad_key_compare(r->data + (i - 1) * r->stride, r->data + i * r->stride, r->keys) <= 0)
    i++;
  if (i >= r->n) return QUOIN_OK;
  quad_records_survey(r);
  return quad_records_sort(r, spo, r->keys, c->mem, err);
}

quoin_status
quad_changes_last(quad_changes *c, quoin_error *err)
{
  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    quad_records *r = &c->part[part];
    size_t kept = 0;
    quoin_status st = sort_part(c, part, err);
    if (st) return st;
    for (size_t i = 0; i < r->n; i++) {
      const uint64_t *rec = r->data + i * r->stride;
      if (i + 1 < r->n && quad_key_compare(rec, rec + r->stride, r->keys) == 0) continue;
      if (kept != i) memcpy(r->data + kept * r->stride, rec, 8 * (size_t)r->stride);
      kept++;
    }
    r->n = kept;
  }
  return QUOIN_OK;
}

static quoin_status
net_part(uint64_t counts[2], quad_changes *c, const quad_version *v, unsigned part,
         quoin_error *err)
{
  quad_records *r = &c->part[part];
  size_t kept = 0, n = r->n;
  uint8_t few[64], *present = few;
  quoin_status st;

  if (!n) return QUOIN_OK;
  if ((st = sort_part(c, part, err))) return st;
  if (n > sizeof few && !(present = base_new(c->mem, n, 1))) return base_fail_nomem(err);
  st = quad_version_present(present, v, part, r->data, n, r->stride, c->mem, err);
  for (size_t i = 0; !st && i < n; i++) {
    uint64_t *rec = r->data + i * r->stride, remove = rec[r->keys];
    if (present[i] != (remove != 0)) continue;
    counts[remove != 0]++;
    if (kept != i) memcpy(r->data + kept * r->stride, rec, 8 * (size_t)r->stride);
    kept++;
  }
  if (!st) r->n = kept;
  if (present != few) base_release(c->mem, present, n, 1);
  return st;
}

quoin_status
quad_changes_net(uint64_t *added, uint64_t *removed, quad_changes *c, const quad_version *v,
                 quoin_error *err)
{
  uint64_t counts[2] = {0, 0};
  quoin_status st = QUOIN_OK;

  for (unsigned part = 0; part < QUAD_PARTS && !st; part++)
    st = net_part(counts, c, v, part, err);
  *added = counts[0];
  *removed = counts[1];
  return st;
}

static void
write_span(base_buffer *out, quoin_span s)
{
  base_buffer_varint(out, s.len);
  base_buffer_span(out, s);
}

void
quad_changes_write(base_buffer *out, const quad_changes *c, const quad_new_term *terms,
                   size_t n_terms, uint64_t blanks)
{
  base_buffer_byte(out, 1); /* a commit */
  base_buffer_u64(out, blanks);
  base_buffer_varint(out, n_terms);
  for (size_t i = 0; i < n_terms; i++) {
    base_buffer_u64(out, terms[i].id.bits);
    base_buffer_byte(out, (char)terms[i].term.kind);
    write_span(out, terms[i].term.value);
    write_span(out, terms[i].term.datatype);
    write_span(out, terms[i].term.lang);
  }
  base_buffer_varint(out, quad_changes_count(c));
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    for (size_t i = 0; i < c->part[part].n; i++) {
      const quad_records *r = &c->part[part];
      const uint64_t *rec = r->data + i * r->stride;
      base_buffer_byte(out, (char)rec[r->keys]);
      for (unsigned k = 0; k < 3; k++)
        base_buffer_u64(out, rec[k]);
      base_buffer_u64(out, part == QUAD_PART_NAMED ? rec[3] : 0);
    }
}
