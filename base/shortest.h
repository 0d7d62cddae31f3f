/* base/shortest.h - the shortest decimal that reads back as a float. */
#ifndef QUOIN_BASE_SHORTEST_H
#define QUOIN_BASE_SHORTEST_H

#include <stdbool.h>
#include <stdint.h>

/* |value| = *digits * 10^(the exponent returned), with as few digits as read back to `value`
 * (nearest, ties to even), and of those the nearest to it. Trailing zeros are possible. Finite, not
 * zero. */
int base_shortest_float(uint32_t *digits, float value);

#endif /* QUOIN_BASE_SHORTEST_H */
