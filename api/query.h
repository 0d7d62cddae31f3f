/* api/query.h - prepared queries and cursors; used by query.c, cursor.c and value.c. */
#ifndef QUOIN_API_QUERY_H
#define QUOIN_API_QUERY_H

#include "api/term.h"

struct quoin_prepared {
  atomic_uint refs; /* cursors hold one each */
  sparql_query *query;
};

/* How a cursor is read; the first step decides. */
typedef enum api_reading {
  API_UNREAD,
  API_BY_ROW,
  API_BY_BATCH,
  API_BY_TRIPLE,
  API_WRITTEN
} api_reading;

/* The embedder of an options struct; must not move while it is used. */
typedef struct api_embed {
  quoin_embed_fn embed; /* NULL: none */
  void *user;
  sparql_embedder embedder;
} api_embed;
void api_embed_init(api_embed *out, quoin_embed_fn embed, void *user, quoin_span model);
const sparql_embedder *api_embedder(const api_embed *embed); /* NULL: none */

struct quoin_cursor {
  api_child child;
  quoin_prepared *prepared;
  sparql_cursor *cursor; /* NULL once detached */
  size_t columns;
  api_reading reading;
  quoin_outcome outcome;
  const char *notice;  /* once it is complete */
  quoin_error failure; /* of a cursor that failed; status OK otherwise */
  base_arena arena;    /* text of the row or batch */
  sparql_rows rows;
  size_t row;
  base_buffer text; /* of one value, and of EXPLAIN */

  /* The batch in typed columns. */
  size_t cap_rows;
  uint8_t *types;               /* columns x cap_rows */
  quoin_value *values;          /* columns x cap_rows */
  const uint8_t **type_columns; /* columns */
  const quoin_value **value_columns;
  const uint64_t **id_columns;

  api_embed embed; /* for vec:embed */

  const rdfio_quad *triples;
  size_t n_triples, triple;
  quoin_statement statement;
};

void api_prepared_release(quoin_prepared *prepared);
/* Within a call: the term of `id`, text in the cursor's arena. */
quoin_status api_cursor_read(rdf_term *out, quoin_cursor *cursor, atom_id id, quoin_error *err);
/* Type and value of `id`; reads its text only where the id does not tell. */
quoin_status api_classify(quoin_type *type, quoin_value *value, quoin_cursor *cursor, atom_id id,
                          quoin_error *err);
/* The failure is remembered, so that the next step reports it. */
void api_cursor_fail(quoin_cursor *cursor, quoin_status st, const quoin_error *err);

#endif /* QUOIN_API_QUERY_H */
