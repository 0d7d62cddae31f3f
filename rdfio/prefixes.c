/* rdfio/prefixes.c - prefix declarations of a document. */
#include "rdfio/prefixes.h"

#include "base/poison.h"

void
rdfio_prefixes_init(rdfio_prefixes *p, const base_alloc *mem)
{
  *p = (rdfio_prefixes){.mem = mem};
  base_arena_init(&p->text, mem);
}

void
rdfio_prefixes_clear(rdfio_prefixes *p)
{
  base_release(p->mem, p->slots, p->cap, sizeof(*p->slots));
  base_arena_clear(&p->text);
  p->slots = NULL;
  p->cap = p->count = 0;
}

static rdfio_prefix *
slot_of(const rdfio_prefixes *p, quoin_span name)
{
  size_t at = (size_t)base_hash(name.ptr, name.len) & (p->cap - 1);
  while (p->slots[at].name.ptr && !base_span_equal(p->slots[at].name, name))
    at = (at + 1) & (p->cap - 1);
  return &p->slots[at];
}

static bool
grow(rdfio_prefixes *p)
{
  rdfio_prefixes next = *p;
  next.cap = p->cap ? p->cap * 2 : 32;
  if (!(next.slots = base_new_zero(p->mem, next.cap, sizeof(*next.slots)))) return false;
  for (size_t i = 0; i < p->cap; i++)
    if (p->slots[i].name.ptr) *slot_of(&next, p->slots[i].name) = p->slots[i];
  base_release(p->mem, p->slots, p->cap, sizeof(*p->slots));
  *p = next;
  return true;
}

quoin_status
rdfio_prefixes_set(rdfio_prefixes *p, quoin_span name, quoin_span iri, quoin_error *err)
{
  if ((p->count + 1) * 4 > p->cap * 3 && !grow(p)) return base_fail_nomem(err);
  rdfio_prefix *slot = slot_of(p, name);
  quoin_span copy = base_arena_copy(&p->text, iri);
  if (!copy.ptr) return base_fail_nomem(err);
  if (!slot->name.ptr) {
    quoin_span key = base_arena_copy(&p->text, name);
    if (!key.ptr) return base_fail_nomem(err);
    slot->name = key;
    p->count++;
  }
  slot->iri = copy;
  return QUOIN_OK;
}

const rdfio_prefix *
rdfio_prefixes_find(const rdfio_prefixes *p, quoin_span name)
{
  if (!p->cap) return NULL;
  const rdfio_prefix *slot = slot_of(p, name);
  return slot->name.ptr ? slot : NULL;
}
