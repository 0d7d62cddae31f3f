/* sparql/syntax/parse_names.h - a map from names to small numbers, in an arena. */
#ifndef QUOIN_SPARQL_SYNTAX_PARSE_NAMES_H
#define QUOIN_SPARQL_SYNTAX_PARSE_NAMES_H

#include "base/base.h"

typedef struct name_slot {
  quoin_span name; /* ptr NULL: free */
  uint64_t hash;
  uint32_t value;
} name_slot;

/* Zeroed: empty. Names are borrowed. */
typedef struct name_map {
  name_slot *slots;
  size_t cap, n; /* cap: 0 or a power of two */
} name_map;

#define NAME_NONE UINT32_MAX

/* The value of `name`, or NAME_NONE. */
uint32_t name_map_find(const name_map *map, quoin_span name);
/* Set it, adding `name` if it is new. False on no memory. */
bool name_map_set(name_map *map, quoin_span name, uint32_t value, base_arena *arena);

#endif /* QUOIN_SPARQL_SYNTAX_PARSE_NAMES_H */
