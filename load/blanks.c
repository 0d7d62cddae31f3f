#include "load/blanks.h"

#include <assert.h>

#include "base/poison.h"

void
load_blanks_init(load_blanks *blanks, const base_alloc *mem)
{
  *blanks = (load_blanks){.mem = mem};
  base_arena_init(&blanks->text, mem);
}

void
load_blanks_clear(load_blanks *blanks)
{
  if (!blanks->mem) return;
  base_release(blanks->mem, blanks->slots, blanks->cap, sizeof(*blanks->slots));
  base_arena_clear(&blanks->text);
  *blanks = (load_blanks){0};
}

void
load_blanks_reset(load_blanks *blanks)
{
  /* A table that one large file left behind would cost every small file after it. */
  base_release(blanks->mem, blanks->slots, blanks->cap, sizeof(*blanks->slots));
  blanks->slots = NULL;
  blanks->cap = blanks->used = 0;
  base_arena_reset(&blanks->text);
}

static quoin_status
grow(load_blanks *blanks, quoin_error *err)
{
  size_t cap = blanks->cap ? blanks->cap * 2 : 256;
  load_blank *slots = base_new_zero(blanks->mem, cap, sizeof(*slots));

  if (!slots) return base_fail_nomem(err);
  for (size_t i = 0; i < blanks->cap; i++) {
    if (!blanks->slots[i].number) continue;
    size_t at = (size_t)blanks->slots[i].hash & (cap - 1);
    while (slots[at].number)
      at = (at + 1) & (cap - 1);
    slots[at] = blanks->slots[i];
  }
  base_release(blanks->mem, blanks->slots, blanks->cap, sizeof(*slots));
  blanks->slots = slots;
  blanks->cap = cap;
  return QUOIN_OK;
}

quoin_status
load_blanks_number(uint64_t *out, load_blanks *blanks, quoin_span label, quoin_error *err)
{
  uint64_t hash = base_hash(label.ptr, label.len);
  quoin_status st = QUOIN_OK;

  assert(label.len > 0);
  if (blanks->used >= blanks->cap - blanks->cap / 4 && (st = grow(blanks, err))) return st;
  size_t at = (size_t)hash & (blanks->cap - 1);
  for (; blanks->slots[at].number; at = (at + 1) & (blanks->cap - 1)) {
    const load_blank *b = &blanks->slots[at];
    if (b->hash == hash && b->len == label.len && memcmp(b->label, label.ptr, label.len) == 0) {
      *out = b->number;
      return QUOIN_OK;
    }
  }
  char *copy = base_arena_bytes(&blanks->text, label.len);
  if (!copy) return base_fail_nomem(err);
  memcpy(copy, label.ptr, label.len);
  blanks->slots[at] = (load_blank){hash, blanks->last + 1, copy, label.len};
  blanks->used++;
  *out = ++blanks->last;
  return QUOIN_OK;
}
