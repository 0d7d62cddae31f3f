/* load/packet.h and load/blanks.h, which are inside the module, by what they promise. */
#include "load/blanks.h"
#include "load/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static rdf_term
term(rdf_kind kind, const char *value, const char *datatype, const char *lang)
{
  return (rdf_term){kind, base_span(value), base_span(datatype), base_span(lang)};
}

static rdfio_quad
quad_of(rdf_term s, const char *p, rdf_term o, rdf_term g)
{
  return (rdfio_quad){.term = {s, term(RDF_IRI, p, "", ""), o, g}};
}

static const rdf_term none;

static void
test_blanks__number_by_first_occurrence(void **state)
{
  (void)state;
  load_blanks blanks;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;

  load_blanks_init(&blanks, base_alloc_default());
  for (uint64_t round = 0; round < 2; round++)
    for (uint64_t i = 1; i <= 5000; i++) {
      char label[32];
      snprintf(label, sizeof(label), "b%llu", (unsigned long long)(i * 7919 % 5003));
      assert_int_equal(load_blanks_number(&n, &blanks, base_span(label), &err), QUOIN_OK);
      assert_int_equal(n, i);
    }
  assert_int_equal(blanks.last, 5000);
  load_blanks_clear(&blanks);
}

static void
test_blanks__a_new_file_is_a_new_scope(void **state)
{
  (void)state;
  load_blanks blanks;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t a = 0, b = 0;

  load_blanks_init(&blanks, base_alloc_default());
  assert_int_equal(load_blanks_number(&a, &blanks, base_span("x"), &err), QUOIN_OK);
  load_blanks_reset(&blanks);
  assert_int_equal(load_blanks_number(&b, &blanks, base_span("x"), &err), QUOIN_OK);
  assert_int_equal(a, 1);
  assert_int_equal(b, 2);
  load_blanks_clear(&blanks);
}

/* What the packet says of quad i, term k must be what went in. */
static void
assert_term(const load_packet *packet, size_t i, size_t k, const rdf_term *expected)
{
  const load_ref ref = packet->quads[i][k];
  if (expected->kind == RDF_NONE) {
    assert_true(ref.bits == LOAD_REF_NONE);
  } else if (atom_inline(expected).bits) {
    assert_true(ref.bits == atom_inline(expected).bits);
  } else {
    assert_true(ref.bits < packet->n_terms);
    assert_true(rdf_term_equal(&packet->terms[ref.bits], expected));
  }
}

static load_packet *
new_packet(void)
{
  load_packet *packet = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(load_packet_new(&packet, base_alloc_default(), &err), QUOIN_OK);
  return packet;
}

static void
test_packet__gives_back_what_went_in(void **state)
{
  (void)state;
  const rdf_term a = term(RDF_IRI, "http://e/a", "", ""), b = term(RDF_BLANK, "x", "", "");
  const rdfio_quad quads[] = {
      quad_of(a, "http://e/p", term(RDF_LITERAL, "v", "", ""), none),
      quad_of(a, "http://e/p", term(RDF_LITERAL, "v", "http://e/dt", ""), a),
      quad_of(a, "http://e/p", term(RDF_LITERAL, "42", RDF_XSD "integer", ""), a),
      quad_of(a, "http://e/q", term(RDF_LITERAL, "", "", "en"), b),
      quad_of(b, "http://e/p", b, none),
      quad_of(b, "p:", a, a),
      quad_of(b, "p:", term(RDF_LITERAL, "x", "", ""), a), /* the text of the blank node */
  };
  enum { N = sizeof(quads) / sizeof(*quads) };
  const rdf_term graph = term(RDF_IRI, "http://e/g", "", "");
  load_packet *packet = new_packet();
  quoin_error err = QUOIN_ERROR_INIT;

  for (size_t round = 0; round < 2; round++) {
    for (size_t i = 0; i < N; i++)
      assert_int_equal(load_packet_add(packet, &quads[i], round ? &graph : NULL, &err), QUOIN_OK);
    for (size_t i = 0; i < N; i++)
      for (size_t k = 0; k < 4; k++) {
        const rdf_term *expected = &quads[i].term[k];
        if (k == 3 && round && expected->kind == RDF_NONE) expected = &graph;
        assert_term(packet, i, k, expected);
      }
    assert_int_equal(packet->n_terms, round ? 10 : 9);
    load_packet_reset(packet);
  }
  load_packet_free(packet);
}

/* The text given to a packet may go; each term is listed once, with its hash. */
static void
test_packet__copies_text_and_lists_terms_once(void **state)
{
  (void)state;
  load_packet *packet = new_packet();
  quoin_error err = QUOIN_ERROR_INIT;
  char subject[] = "http://e/subject", object[32];

  for (size_t i = 0; !load_packet_is_full(packet); i++) {
    snprintf(object, sizeof(object), "%zu", i % 5000);
    const rdfio_quad q = quad_of(term(RDF_IRI, subject, "", ""), "http://e/p",
                                 term(RDF_LITERAL, object, "", ""), none);
    assert_int_equal(load_packet_add(packet, &q, NULL, &err), QUOIN_OK);
  }
  memset(subject, '#', sizeof(subject) - 1);
  assert_int_equal(packet->n_quads, LOAD_PACKET_QUADS);
  assert_int_equal(packet->n_terms, 5000 + 2);
  assert_true(base_span_is(packet->terms[0].value, "http://e/subject"));
  assert_true(base_span_is(packet->terms[packet->n_terms - 1].value, "4999"));
  for (size_t i = 0; i < packet->n_terms; i++)
    assert_true(packet->hashes[i] == atom_hash(&packet->terms[i]));
  load_packet_free(packet);
}

static void
test_packet__is_full_after_one_long_literal(void **state)
{
  (void)state;
  const size_t len = LOAD_PACKET_TEXT * 3;
  char *text = malloc(len);
  load_packet *packet = new_packet();
  quoin_error err = QUOIN_ERROR_INIT;

  assert_non_null(text);
  memset(text, 'x', len);
  rdfio_quad q = quad_of(term(RDF_IRI, "s:", "", ""), "p:", none, none);
  q.term[2] = (rdf_term){.kind = RDF_LITERAL, .value = {text, len}};
  assert_int_equal(load_packet_add(packet, &q, NULL, &err), QUOIN_OK);
  assert_true(load_packet_is_full(packet));
  assert_true(rdf_term_equal(&packet->terms[2], &q.term[2]));
  load_packet_free(packet);
  free(text);
}

/* Lines are scanned in place; bad ones are noted with their place in the chunk. */
static void
test_packet__scans_a_chunk(void **state)
{
  (void)state;
  const char *text = "<s:> <p:> \"a\\u0062\" .\n\nnonsense\n<s:> <p:> \"ab\" .\n<s:> <p:> x .\n";
  load_packet *packet = new_packet();
  rdfio_source *source = NULL;
  rdfio_cutter *cutter = NULL;
  quoin_error err = QUOIN_ERROR_INIT;

  for (int lenient = 0; lenient < 2; lenient++) {
    assert_int_equal(
        rdfio_source_memory(&source, base_span(text), "text", base_alloc_default(), &err),
        QUOIN_OK);
    assert_int_equal(rdfio_cutter_new(&cutter, source, 1, base_alloc_default(), &err), QUOIN_OK);
    assert_int_equal(rdfio_cutter_next(packet->chunk, cutter, false, &err), QUOIN_OK);
    const rdfio_read_options read = {.lenient = lenient};
    load_packet_scan(packet, NULL, &read);
    if (lenient) {
      assert_int_equal(packet->status, QUOIN_OK);
      assert_int_equal(packet->n_quads, 2);
      assert_int_equal(packet->n_terms, 3);
      assert_int_equal(packet->n_bad, 2);
      assert_int_equal(packet->bad[0].line, 3);
      assert_int_equal(packet->bad[1].line, 5);
      assert_int_equal(packet->bad[1].column, 11);
      assert_int_equal(packet->n_lines, 5);
    } else {
      assert_int_equal(packet->status, QUOIN_ERR_SYNTAX);
      assert_int_equal(packet->error.line, 3);
    }
    assert_int_equal(rdfio_cutter_next(packet->chunk, cutter, false, &err), QUOIN_DONE);
    load_packet_reset(packet);
    rdfio_cutter_free(cutter);
    rdfio_source_close(source);
  }
  load_packet_free(packet);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blanks__number_by_first_occurrence),
      cmocka_unit_test(test_blanks__a_new_file_is_a_new_scope),
      cmocka_unit_test(test_packet__gives_back_what_went_in),
      cmocka_unit_test(test_packet__copies_text_and_lists_terms_once),
      cmocka_unit_test(test_packet__is_full_after_one_long_literal),
      cmocka_unit_test(test_packet__scans_a_chunk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
