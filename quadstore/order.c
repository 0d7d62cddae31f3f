/* quadstore/order.c - the nine key orders and which of them serves a pattern. */
#include "quadstore/quadstore.h"

#include "base/poison.h"

const uint8_t quad_order_keys[QUAD_ORDERS][4] = {
    [QUAD_SPO] = {QUAD_S, QUAD_P, QUAD_O, QUAD_G},  [QUAD_SOP] = {QUAD_S, QUAD_O, QUAD_P, QUAD_G},
    [QUAD_PSO] = {QUAD_P, QUAD_S, QUAD_O, QUAD_G},  [QUAD_POS] = {QUAD_P, QUAD_O, QUAD_S, QUAD_G},
    [QUAD_OSP] = {QUAD_O, QUAD_S, QUAD_P, QUAD_G},  [QUAD_OPS] = {QUAD_O, QUAD_P, QUAD_S, QUAD_G},
    [QUAD_GSPO] = {QUAD_G, QUAD_S, QUAD_P, QUAD_O}, [QUAD_GPOS] = {QUAD_G, QUAD_P, QUAD_O, QUAD_S},
    [QUAD_GOSP] = {QUAD_G, QUAD_O, QUAD_S, QUAD_P},
};

/* Whether `order` can be scanned in this scope: the default partition has the six only, and both
 * together need, for an order that begins with the graph, the same one without it. */
static bool
serves(uint32_t orders, quad_scope scope, unsigned order)
{
  static const uint8_t twin[QUAD_ORDERS] = {
      [QUAD_GSPO] = QUAD_SPO, [QUAD_GPOS] = QUAD_POS, [QUAD_GOSP] = QUAD_OSP};
  if (!(orders >> order & 1)) return false;
  if (order < QUAD_GSPO) return true;
  if (scope == QUAD_DEFAULT) return false;
  return scope == QUAD_NAMED || (orders >> twin[order] & 1);
}

quad_order
quad_order_for(uint32_t orders, const quad_pattern *pattern, const uint8_t *then, size_t n_then)
{
  unsigned bound = 0, n_bound = 0;
  quad_order best = QUAD_ORDERS;
  size_t best_score = 0;

  for (unsigned i = 0; i < 4; i++) {
    if (!pattern->match.term[i].bits) continue;
    if (i == QUAD_G && pattern->scope == QUAD_DEFAULT) continue;
    bound |= 1u << i;
    n_bound++;
  }
  for (unsigned order = 0; order < QUAD_ORDERS; order++) {
    const uint8_t *keys = quad_order_keys[order];
    unsigned prefix = 0;
    size_t score = 1, at = n_bound;

    if (!serves(orders, pattern->scope, order)) continue;
    for (unsigned i = 0; i < n_bound; i++)
      prefix |= 1u << keys[i];
    if (prefix != bound) continue;
    for (size_t t = 0; t < n_then && at < 4; t++) {
      if (bound >> then[t] & 1) continue;
      if (then[t] == QUAD_G && pattern->scope == QUAD_DEFAULT) continue;
      if (keys[at] != then[t]) break;
      at++;
      score++;
    }
    if (score > best_score) {
      best = (quad_order)order;
      best_score = score;
    }
  }
  return best;
}
