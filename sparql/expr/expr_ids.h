/* sparql/expr/expr_ids.h - what can be said of two ids without reading text. */
#ifndef QUOIN_SPARQL_EXPR_EXPR_IDS_H
#define QUOIN_SPARQL_EXPR_EXPR_IDS_H

#include "sparql/expr/value.h"

/* True when the ids decide; *order as value_order gives it. Inline numbers, booleans, dates. */
bool expr_ids_order(int *order, atom_id a, atom_id b);
/* True when the ids decide `=`; *equal: 1, 0, -1 (error). */
bool expr_ids_equal(int *equal, atom_id a, atom_id b);

#endif /* QUOIN_SPARQL_EXPR_EXPR_IDS_H */
