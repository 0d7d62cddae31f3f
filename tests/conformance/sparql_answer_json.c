/* tests/conformance/sparql_answer_json.c - SPARQL results in JSON, read with jansson. */
#include "conformance/sparql_answer.h"

#include <jansson.h>

static quoin_span
keep(answer *a, const json_t *string)
{
  return base_arena_copy(&a->arena,
                         (quoin_span){json_string_value(string), json_string_length(string)});
}

static quoin_status
read_term(answer *a, rdf_term *out, const json_t *binding, quoin_error *err)
{
  const char *type = json_string_value(json_object_get(binding, "type"));
  const json_t *value = json_object_get(binding, "value");
  const json_t *lang = json_object_get(binding, "xml:lang");
  const json_t *datatype = json_object_get(binding, "datatype");
  if (!type || !json_is_string(value))
    return base_fail(err, QUOIN_ERR_CORRUPT, "a binding lacks its type or value");
  *out = (rdf_term){.kind = RDF_LITERAL, .value = keep(a, value)};
  if (strcmp(type, "uri") == 0) out->kind = RDF_IRI;
  if (strcmp(type, "bnode") == 0) out->kind = RDF_BLANK;
  if (json_is_string(lang))
    out->lang = keep(a, lang);
  else if (json_is_string(datatype) && strcmp(json_string_value(datatype), RDF_XSD "string") != 0)
    out->datatype = keep(a, datatype);
  return QUOIN_OK;
}

static quoin_status
read_bindings(answer *a, json_t *rows, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < json_array_size(rows) && !st; i++) {
    json_t *row = json_array_get(rows, i), *binding;
    const char *name;
    if ((st = answer_row(a, err))) break;
    json_object_foreach(row, name, binding)
    {
      size_t column = answer_find(a, base_span(name));
      if (column == SIZE_MAX) return base_fail(err, QUOIN_ERR_CORRUPT, "no column '%s'", name);
      rdf_term *out = &a->terms[a->n_terms - a->width + column];
      if ((st = read_term(a, out, binding, err))) break;
    }
  }
  return st;
}

quoin_status
answer_read_json(answer *a, quoin_span text, quoin_error *err)
{
  json_error_t why;
  json_t *root = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
  if (!root)
    return base_fail_pos(err, QUOIN_ERR_SYNTAX, NULL, (uint64_t)why.line, (uint64_t)why.column,
                         "results JSON: %s", why.text);
  quoin_status st = QUOIN_OK;
  json_t *boolean = json_object_get(root, "boolean");
  json_t *vars = json_object_get(json_object_get(root, "head"), "vars");
  json_t *rows = json_object_get(json_object_get(root, "results"), "bindings");
  if (boolean) {
    a->is_boolean = true;
    a->boolean = json_is_true(boolean);
  } else if (!json_is_array(vars) || !json_is_array(rows)) {
    st = base_fail(err, QUOIN_ERR_CORRUPT, "results JSON without head.vars or results.bindings");
  } else {
    for (size_t i = 0; i < json_array_size(vars) && !st; i++) {
      const json_t *name = json_array_get(vars, i);
      st = answer_column(a, (quoin_span){json_string_value(name), json_string_length(name)}, err);
    }
    if (!st) st = read_bindings(a, rows, err);
  }
  json_decref(root);
  return st;
}
