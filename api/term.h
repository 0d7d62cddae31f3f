/* api/term.h - terms between the public form and rdf_term. */
#ifndef QUOIN_API_TERM_H
#define QUOIN_API_TERM_H

#include "api/handle.h"

/* Where a term stands, for what may stand there. */
typedef enum api_role {
  API_SUBJECT,
  API_PREDICATE,
  API_OBJECT,
  API_GRAPH,
  API_ANY /* a pattern or a binding */
} api_role;

/* Checked (UTF-8, absolute IRIs, language tag, what may stand where) and normalised; borrows. A
 * term with `node` becomes its label in `label` (24 bytes). ARGUMENT says what is wrong. */
quoin_status api_term_in(rdf_term *out, char label[24], const quoin_term *in, api_role role,
                         quoin_error *err);
/* Borrows. `node`: number of a stored blank node, or 0. */
void api_term_out(quoin_term *out, const rdf_term *in, uint64_t node);
static inline uint64_t
api_node(atom_id id)
{
  return atom_id_kind(id) == ATOM_BLANK ? atom_id_payload(id) : 0;
}
void api_statement_out(quoin_statement *out, const rdfio_quad *in);

#endif /* QUOIN_API_TERM_H */
