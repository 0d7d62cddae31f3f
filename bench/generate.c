/* bench/generate.c - data of a given size with the skew of real data: a shop of products, offers,
 * reviews and people, about 165 bytes a triple as N-Triples, shaped like the Berlin SPARQL
 * Benchmark.
 *
 *   quoin-generate TRIPLES [--seed N] [--quads]  > shop.nt
 *
 * The same arguments give the same bytes. Popularity of products, features, words and people
 * follows a Zipf law. With --quads each vendor's offers, and each rating site's reviews, are a
 * named graph. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS "http://shop.example/"
#define VOC "http://shop.example/vocabulary/"
#define XSD "http://www.w3.org/2001/XMLSchema#"

typedef struct generator {
  uint64_t state, written, wanted;
  bool quads;
  char graph[128]; /* of the statement being written; "" is the default graph */
  uint64_t products, producers, features, types, vendors, people, sites;
} generator;

static const char *const syllables[] = {"ka", "ro",  "mi", "ten", "sal", "ver", "do",
                                        "lu", "pan", "ge", "ri",  "sto", "bel", "nor",
                                        "fa", "qui", "zu", "tar", "em",  "wis"};
static const char *const countries[] = {"US", "DE", "GB", "JP", "CN", "FR", "ES", "KR", "RU", "AT"};

/* splitmix64 */
static uint64_t
next_u64(generator *g)
{
  uint64_t z = (g->state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

static uint64_t
below(generator *g, uint64_t n)
{
  return n ? next_u64(g) % n : 0;
}

/* 0..n-1, the small ones far more often: the density of rank r falls as 1/r. */
static uint64_t
skewed(generator *g, uint64_t n)
{
  double u = (double)(next_u64(g) >> 11) * 0x1p-53;
  uint64_t rank = (uint64_t)(exp(u * log((double)n + 1.0)) - 1.0);
  return rank < n ? rank : n - 1;
}

static void
end_statement(generator *g)
{
  if (g->quads && g->graph[0]) printf(" <%s>", g->graph);
  fputs(" .\n", stdout);
  g->written++;
}

static void
subject(const char *kind, uint64_t n, const char *predicate)
{
  printf("<" NS "%s/%" PRIu64 "> <%s> ", kind, n, predicate);
}

static void
link_to(generator *g, const char *kind, uint64_t n, const char *predicate, const char *to,
        uint64_t m)
{
  subject(kind, n, predicate);
  printf("<" NS "%s/%" PRIu64 ">", to, m);
  end_statement(g);
}

static void
is_a(generator *g, const char *kind, uint64_t n, const char *class_)
{
  subject(kind, n, "http://www.w3.org/1999/02/22-rdf-syntax-ns#type");
  printf("<" VOC "%s>", class_);
  end_statement(g);
}

static void
integer(generator *g, const char *kind, uint64_t n, const char *predicate, uint64_t value)
{
  subject(kind, n, predicate);
  printf("\"%" PRIu64 "\"^^<" XSD "integer>", value);
  end_statement(g);
}

static void
words(generator *g, uint64_t count)
{
  for (uint64_t i = 0; i < count; i++) {
    uint64_t w = skewed(g, 30000);
    if (i) putchar(' ');
    for (uint64_t k = 0; k < 2 + w % 3; k++) {
      fputs(syllables[(w >> (k * 3)) % 20], stdout);
      w = w * 7 + 3;
    }
  }
}

static void
text(generator *g, const char *kind, uint64_t n, const char *predicate, uint64_t least,
     uint64_t most, const char *lang)
{
  subject(kind, n, predicate);
  putchar('"');
  words(g, least + below(g, most - least + 1));
  putchar('"');
  if (lang) printf("@%s", lang);
  end_statement(g);
}

static void
date(generator *g, const char *kind, uint64_t n, const char *predicate, bool with_time)
{
  subject(kind, n, predicate);
  unsigned year = 2018 + (unsigned)below(g, 8), month = 1 + (unsigned)below(g, 12);
  unsigned day = 1 + (unsigned)below(g, 28);
  printf("\"%04u-%02u-%02u", year, month, day);
  if (with_time) {
    unsigned hour = (unsigned)below(g, 24), minute = (unsigned)below(g, 60);
    unsigned second = (unsigned)below(g, 60);
    printf("T%02u:%02u:%02uZ\"^^<" XSD "dateTime>", hour, minute, second);
  } else {
    fputs("\"^^<" XSD "date>", stdout);
  }
  end_statement(g);
}

static void
write_types(generator *g)
{
  for (uint64_t t = 0; t < g->types; t++) {
    is_a(g, "type", t, "ProductType");
    text(g, "type", t, "http://www.w3.org/2000/01/rdf-schema#label", 1, 3, NULL);
    text(g, "type", t, "http://www.w3.org/2000/01/rdf-schema#comment", 20, 50, NULL);
    if (t)
      link_to(g, "type", t, "http://www.w3.org/2000/01/rdf-schema#subClassOf", "type", (t - 1) / 4);
  }
  for (uint64_t f = 0; f < g->features; f++) {
    is_a(g, "feature", f, "ProductFeature");
    text(g, "feature", f, "http://www.w3.org/2000/01/rdf-schema#label", 1, 3, NULL);
    text(g, "feature", f, "http://www.w3.org/2000/01/rdf-schema#comment", 20, 50, NULL);
  }
  for (uint64_t p = 0; p < g->producers; p++) {
    is_a(g, "producer", p, "Producer");
    text(g, "producer", p, "http://www.w3.org/2000/01/rdf-schema#label", 1, 3, NULL);
    link_to(g, "producer", p, VOC "country", "country", skewed(g, 10));
  }
  for (uint64_t p = 0; p < g->people; p++) {
    is_a(g, "person", p, "Person");
    text(g, "person", p, "http://xmlns.com/foaf/0.1/name", 2, 2, NULL);
    subject("person", p, VOC "country");
    printf("\"%s\"", countries[skewed(g, 10)]);
    end_statement(g);
    if (below(g, 2))
      link_to(g, "person", p, "http://xmlns.com/foaf/0.1/knows", "person", skewed(g, g->people));
  }
}

static void
write_product(generator *g, uint64_t n)
{
  static const char *const numeric[] = {VOC "numeric1", VOC "numeric2", VOC "numeric3",
                                        VOC "numeric4"};
  static const char *const textual[] = {VOC "textual1", VOC "textual2", VOC "textual3",
                                        VOC "textual4"};
  g->graph[0] = 0;
  is_a(g, "product", n, "Product");
  uint64_t leaf = g->types - 1 - below(g, g->types - g->types / 4);
  for (uint64_t t = leaf;; t = (t - 1) / 4) {
    link_to(g, "product", n, "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "type", t);
    if (!t) break;
  }
  text(g, "product", n, "http://www.w3.org/2000/01/rdf-schema#label", 1, 4, NULL);
  text(g, "product", n, "http://www.w3.org/2000/01/rdf-schema#comment", 50, 150, NULL);
  link_to(g, "product", n, VOC "producer", "producer", skewed(g, g->producers));
  for (uint64_t i = 0, k = 9 + below(g, 10); i < k; i++)
    link_to(g, "product", n, VOC "feature", "feature", skewed(g, g->features));
  for (size_t i = 0; i < 4; i++) {
    if (i < 2 || below(g, 10) < 7) integer(g, "product", n, numeric[i], 1 + below(g, 2000));
    if (i < 2 || below(g, 10) < 7) text(g, "product", n, textual[i], 3, 15, NULL);
  }
}

static void
write_offer(generator *g, uint64_t n)
{
  uint64_t vendor = skewed(g, g->vendors);
  snprintf(g->graph, sizeof(g->graph), NS "vendor/%" PRIu64 "/offers", vendor);
  is_a(g, "offer", n, "Offer");
  link_to(g, "offer", n, VOC "product", "product", skewed(g, g->products));
  link_to(g, "offer", n, VOC "vendor", "vendor", vendor);
  subject("offer", n, VOC "price");
  uint64_t whole = 5 + below(g, 10000), cents = below(g, 100);
  printf("\"%" PRIu64 ".%02" PRIu64 "\"^^<" XSD "decimal>", whole, cents);
  end_statement(g);
  date(g, "offer", n, VOC "validFrom", true);
  date(g, "offer", n, VOC "validTo", true);
  integer(g, "offer", n, VOC "deliveryDays", 1 + skewed(g, 21));
  subject("offer", n, VOC "webpage");
  printf("<http://vendor%" PRIu64 ".example/offers/%" PRIu64 ">", vendor, n);
  end_statement(g);
}

static void
write_review(generator *g, uint64_t n)
{
  static const char *const ratings[] = {VOC "rating1", VOC "rating2", VOC "rating3", VOC "rating4"};
  static const char *const langs[] = {"en", "en", "en", "de", "ja", "fr"};
  snprintf(g->graph, sizeof(g->graph), NS "site/%" PRIu64 "/reviews", skewed(g, g->sites));
  is_a(g, "review", n, "Review");
  link_to(g, "review", n, VOC "reviewFor", "product", skewed(g, g->products));
  link_to(g, "review", n, VOC "reviewer", "person", skewed(g, g->people));
  date(g, "review", n, VOC "reviewDate", true);
  text(g, "review", n, VOC "title", 4, 15, NULL);
  text(g, "review", n, VOC "text", 50, 200, langs[below(g, 6)]);
  for (size_t i = 0; i < 4; i++)
    if (below(g, 10) < 7) integer(g, "review", n, ratings[i], 1 + below(g, 10));
}

int
main(int argc, char **argv)
{
  generator g = {.state = 1};
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--quads"))
      g.quads = true;
    else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
      g.state = strtoull(argv[++i], NULL, 10);
    else
      g.wanted = strtoull(argv[i], NULL, 10);
  }
  if (!g.wanted) {
    fputs("usage: quoin-generate TRIPLES [--seed N] [--quads]\n", stderr);
    return 2;
  }
  g.products = g.wanted / 330 + 10;
  g.producers = g.products / 40 + 3;
  g.features = (uint64_t)(60 * sqrt((double)g.products)) / 4 + 40;
  g.types = (uint64_t)sqrt((double)g.products) + 5;
  g.vendors = g.products / 80 + 3;
  g.people = g.products / 2 + 10;
  g.sites = g.products / 400 + 2;
  write_types(&g);
  for (uint64_t product = 0, offer = 0, review = 0; g.written < g.wanted; product++) {
    if (product < g.products) write_product(&g, product);
    for (unsigned i = 0; i < 20 && g.written < g.wanted; i++)
      write_offer(&g, offer++);
    for (unsigned i = 0; i < 10 && g.written < g.wanted; i++)
      write_review(&g, review++);
  }
  return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
