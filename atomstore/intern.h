/* atomstore/intern.h - steps of interning that one-by-one and batched calls share. */
#ifndef QUOIN_ATOMSTORE_INTERN_H
#define QUOIN_ATOMSTORE_INTERN_H

#include "atomstore/store.h"

/* An IRI or a literal that is not inline, with its hash. */
void atom_key_of(atom_key *out, const rdf_term *term, uint64_t datatype);
bool atom_term_has_datatype(const rdf_term *term);
/* Blank node of a label b<N>, N <= blanks; else 0. */
atom_id atom_blank_of_label(quoin_span label, uint64_t blanks);

/* What needs no look into the files: no term, a blank node, an inline value. */
quoin_status atom_term_direct(atom_id *out, const atom_store *store, const rdf_term *term,
                              bool *done, quoin_error *err);
/* Find or add all that `term` needs. On failure some of it may have been added. */
quoin_status atom_term_intern(atom_id *out, atom_store *store, const rdf_term *term,
                              quoin_error *err);
void atom_terms_rollback(atom_store *store, uint64_t terms);

#endif /* QUOIN_ATOMSTORE_INTERN_H */
