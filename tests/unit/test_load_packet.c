/* load/packet.h and load/blanks.h, which are inside the module, by what they promise. */
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
  return (rdfio_quad){{s, term(RDF_IRI, p, "", ""), o, g}};
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
  } else if (expected->kind == RDF_BLANK) {
    assert_true(ref.bits != LOAD_REF_NONE && (ref.bits & LOAD_REF_BLANK));
  } else {
    assert_true(ref.bits < packet->n_terms);
    assert_true(rdf_term_equal(&packet->terms[ref.bits], expected));
  }
}

static void
test_packet__gives_back_what_went_in(void **state)
{
  (void)state;
  const rdf_term a = term(RDF_IRI, "http://e/a", "", ""), b = term(RDF_BLANK, "x", "", "");
  const rdfio_quad quads[] = {
      quad_of(a, "http://e/p", term(RDF_LITERAL, "v", "", ""), none),
      quad_of(a, "http://e/p", term(RDF_LITERAL, "v", "http://e/dt", ""), a),
      quad_of(a, "http://e/q", term(RDF_LITERAL, "", "", "en"), b),
      quad_of(b, "http://e/p", b, none),
      quad_of(b, "p:", a, a),
  };
  enum { N = sizeof(quads) / sizeof(*quads) };
  const rdf_term graph = term(RDF_IRI, "http://e/g", "", "");
  load_packet packet;
  load_blanks blanks;
  quoin_error err = QUOIN_ERROR_INIT;

  load_blanks_init(&blanks, base_alloc_default());
  assert_int_equal(load_packet_init(&packet, base_alloc_default(), &err), QUOIN_OK);
  for (size_t round = 0; round < 2; round++) {
    for (size_t i = 0; i < N; i++)
      assert_int_equal(load_packet_add(&packet, &quads[i], round ? &graph : NULL, &blanks, &err),
                       QUOIN_OK);
    load_packet_batch_over(&packet);
    for (size_t i = 0; i < N; i++)
      for (size_t k = 0; k < 4; k++) {
        const rdf_term *expected = &quads[i].term[k];
        if (k == 3 && round && expected->kind == RDF_NONE) expected = &graph;
        assert_term(&packet, i, k, expected);
      }
    assert_int_equal(packet.blanks, 1); /* one label, the same file */
    load_packet_reset(&packet);
  }
  load_packet_clear(&packet);
  load_blanks_clear(&blanks);
}

/* The text given to a packet may go; repeated subjects and predicates are listed once. */
static void
test_packet__copies_text_and_lists_repeats_once(void **state)
{
  (void)state;
  load_packet packet;
  load_blanks blanks;
  quoin_error err = QUOIN_ERROR_INIT;
  char subject[] = "http://e/subject", object[32];

  load_blanks_init(&blanks, base_alloc_default());
  assert_int_equal(load_packet_init(&packet, base_alloc_default(), &err), QUOIN_OK);
  for (size_t i = 0; !load_packet_is_full(&packet); i++) {
    snprintf(object, sizeof(object), "%zu", i);
    const rdfio_quad q = quad_of(term(RDF_IRI, subject, "", ""), "http://e/p",
                                 term(RDF_LITERAL, object, "", ""), none);
    assert_int_equal(load_packet_add(&packet, &q, NULL, &blanks, &err), QUOIN_OK);
  }
  memset(subject, '#', sizeof(subject) - 1);
  assert_int_equal(packet.n_quads, LOAD_PACKET_QUADS);
  assert_int_equal(packet.n_terms, LOAD_PACKET_QUADS + 2);
  assert_true(base_span_is(packet.terms[0].value, "http://e/subject"));
  assert_true(base_span_is(packet.terms[packet.n_terms - 1].value, "8191"));
  load_packet_clear(&packet);
  load_blanks_clear(&blanks);
}

static void
test_packet__is_full_after_one_long_literal(void **state)
{
  (void)state;
  const size_t len = LOAD_PACKET_TEXT * 3;
  char *text = malloc(len);
  load_packet packet;
  load_blanks blanks;
  quoin_error err = QUOIN_ERROR_INIT;

  assert_non_null(text);
  memset(text, 'x', len);
  load_blanks_init(&blanks, base_alloc_default());
  assert_int_equal(load_packet_init(&packet, base_alloc_default(), &err), QUOIN_OK);
  rdfio_quad q = quad_of(term(RDF_IRI, "s:", "", ""), "p:", none, none);
  q.term[2] = (rdf_term){.kind = RDF_LITERAL, .value = {text, len}};
  assert_int_equal(load_packet_add(&packet, &q, NULL, &blanks, &err), QUOIN_OK);
  assert_true(load_packet_is_full(&packet));
  assert_true(rdf_term_equal(&packet.terms[2], &q.term[2]));
  load_packet_clear(&packet);
  load_blanks_clear(&blanks);
  free(text);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blanks__number_by_first_occurrence),
      cmocka_unit_test(test_blanks__a_new_file_is_a_new_scope),
      cmocka_unit_test(test_packet__gives_back_what_went_in),
      cmocka_unit_test(test_packet__copies_text_and_lists_repeats_once),
      cmocka_unit_test(test_packet__is_full_after_one_long_literal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
