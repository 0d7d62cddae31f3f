/* sparql/syntax/parse_names.c - open addressing, at most half full; most maps stay at 16 slots. */
#include "sparql/syntax/parse_names.h"

#include "base/poison.h"

static name_slot *
find_slot(name_slot *slots, size_t cap, quoin_span name, uint64_t hash)
{
  for (size_t i = (size_t)hash & (cap - 1);; i = (i + 1) & (cap - 1)) {
    name_slot *slot = &slots[i];
    if (!slot->name.ptr) return slot;
    if (slot->hash == hash && base_span_equal(slot->name, name)) return slot;
  }
}

/* Names may be empty (the prefix ':'), but then their pointer is still set. */
uint32_t
name_map_find(const name_map *map, quoin_span name)
{
  if (map->n == 0) return NAME_NONE;
  const name_slot *slot = find_slot(map->slots, map->cap, name, base_hash(name.ptr, name.len));
  return slot->name.ptr ? slot->value : NAME_NONE;
}

static bool
grow(name_map *map, base_arena *arena)
{
  size_t cap = map->cap ? 2 * map->cap : 16;
  name_slot *slots = base_arena_new_zero(arena, cap, sizeof(*slots));
  if (!slots) return false;
  for (size_t i = 0; i < map->cap; i++)
    if (map->slots[i].name.ptr)
      *find_slot(slots, cap, map->slots[i].name, map->slots[i].hash) = map->slots[i];
  map->slots = slots;
  map->cap = cap;
  return true;
}

bool
name_map_set(name_map *map, quoin_span name, uint32_t value, base_arena *arena)
{
  if (2 * map->n >= map->cap && !grow(map, arena)) return false;
  uint64_t hash = base_hash(name.ptr, name.len);
  name_slot *slot = find_slot(map->slots, map->cap, name, hash);
  if (!slot->name.ptr) map->n++;
  *slot = (name_slot){.name = name, .hash = hash, .value = value};
  return true;
}
