/* sparql/service/service_query.c - the query that an endpoint is sent.
 *
 *   BASE <...> PREFIX p: <...>
 *   SELECT ?a ?b WHERE { VALUES (?a) { (<x>) (<y>) } { the group } }
 *
 * The group keeps its braces: inside them VALUES would change what OPTIONAL and FILTER mean. In
 * front of it, it is what most engines start from. */
#include "sparql/service/service.h"

#include "base/poison.h"

bool
service_can_send(const rdf_term *term)
{
  if (term->kind == RDF_LITERAL) return true;
  if (term->kind != RDF_IRI) return false;
  for (size_t i = 0; i < term->value.len; i++) {
    unsigned char c = (unsigned char)term->value.ptr[i];
    if (c <= 0x20 || strchr("<>\"{}|^`\\", c)) return false;
  }
  return true;
}

/* Does `prefix` followed by a colon stand anywhere in the text? Also where it is part of a longer
 * name or of a string: then it is declared for nothing. */
static bool
mentions(quoin_span text, quoin_span prefix)
{
  const char *at = text.ptr, *end = text.ptr + text.len;
  while (at < end && (at = memchr(at, ':', (size_t)(end - at)))) {
    size_t before = (size_t)(at - text.ptr);
    if (before >= prefix.len &&
        (prefix.len == 0 || memcmp(at - prefix.len, prefix.ptr, prefix.len) == 0))
      return true;
    at++;
  }
  return false;
}

static void
write_iri(base_buffer *out, quoin_span iri)
{
  const rdf_term term = {.kind = RDF_IRI, .value = iri};
  rdf_term_write(out, &term);
}

static void
write_prologue(base_buffer *out, const sparql_query *query, quoin_span group)
{
  if (query->base.len) {
    base_buffer_text(out, "BASE ");
    write_iri(out, query->base);
    base_buffer_byte(out, '\n');
  }
  for (size_t i = 0; i < query->n_prefixes; i++) {
    if (!mentions(group, query->prefixes[i].prefix)) continue;
    base_buffer_text(out, "PREFIX ");
    base_buffer_span(out, query->prefixes[i].prefix);
    base_buffer_text(out, ": ");
    write_iri(out, query->prefixes[i].iri);
    base_buffer_byte(out, '\n');
  }
}

static void
write_vars(base_buffer *out, const sparql_query *query, const sparql_var *vars, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    base_buffer_text(out, i ? " ?" : "?");
    base_buffer_span(out, query->vars[vars[i]]);
  }
}

static quoin_status
write_row(base_buffer *out, sparql_context *ctx, const atom_id *ids, size_t n, quoin_error *err)
{
  base_buffer_text(out, " (");
  for (size_t i = 0; i < n; i++) {
    rdf_term term;
    base_arena_mark here = base_arena_here(&ctx->scratch);
    quoin_status st = sparql_term(&term, ctx, ids[i], &ctx->scratch, err);
    if (st) return st;
    if (i) base_buffer_byte(out, ' ');
    if (service_can_send(&term))
      rdf_term_write(out, &term);
    else
      base_buffer_text(out, "UNDEF");
    base_arena_rewind(&ctx->scratch, here);
  }
  base_buffer_text(out, ")\n");
  return out->failed ? base_fail_nomem(err) : QUOIN_OK;
}

quoin_status
service_query_write(base_buffer *out, size_t *row, sparql_context *ctx, const sparql_algebra *node,
                    const sparql_var *vars, size_t n_vars, const service_values *values,
                    quoin_error *err)
{
  const sparql_query *query = ctx->query;
  quoin_status st = QUOIN_OK;
  write_prologue(out, query, node->text);
  base_buffer_text(out, "SELECT ");
  write_vars(out, query, vars, n_vars);
  base_buffer_text(out, n_vars ? " WHERE { " : "* WHERE { ");
  if (values->n_vars && *row < values->rows) {
    base_buffer_text(out, "VALUES (");
    write_vars(out, query, values->vars, values->n_vars);
    base_buffer_text(out, ") {\n");
    size_t last = values->rows - *row > SERVICE_ROWS ? *row + SERVICE_ROWS : values->rows;
    size_t first = *row;
    for (; *row < last && !st && (*row == first || out->len < SERVICE_TEXT); (*row)++)
      st = write_row(out, ctx, values->ids + *row * values->n_vars, values->n_vars, err);
    base_buffer_text(out, "}\n");
  } else {
    *row = values->rows;
  }
  base_buffer_span(out, node->text);
  base_buffer_text(out, "\n}");
  if (st) return st;
  return out->failed ? base_fail_nomem(err) : QUOIN_OK;
}
