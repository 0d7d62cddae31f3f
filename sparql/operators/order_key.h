/* sparql/operators/order_key.h - inside of sort keys, for MIN and MAX. */
#ifndef QUOIN_SPARQL_OPERATORS_ORDER_KEY_H
#define QUOIN_SPARQL_OPERATORS_ORDER_KEY_H

#include "sparql/expr/expr.h"

/* Inline ids of one kind, numbers and times: the order of two without a key. False: make keys. */
bool order_key_inline(int *order, atom_id a, atom_id b);

#endif /* QUOIN_SPARQL_OPERATORS_ORDER_KEY_H */
