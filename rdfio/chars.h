/* rdfio/chars.h - character classes of the RDF grammars (N-Triples 7, Turtle 6.5). Private. */
#ifndef QUOIN_RDFIO_CHARS_H
#define QUOIN_RDFIO_CHARS_H

#include "base/base.h"

enum {                            /* bits of rdfio_char_class */
       RDFIO_CHAR_IRI_BAD = 1,    /* may not stand in an IRI: controls, space, <>"{}|^`\ */
       RDFIO_CHAR_NAME = 2,       /* ASCII part of PN_CHARS */
       RDFIO_CHAR_NAME_START = 4, /* ASCII part of PN_CHARS_U, and digits */
       RDFIO_CHAR_ALPHA = 8,
       RDFIO_CHAR_DIGIT = 16,
       RDFIO_CHAR_HEX = 32,
       RDFIO_CHAR_SCHEME = 64 /* after the first letter of a scheme */
};
extern const uint8_t rdfio_char_class[256];

static inline bool
rdfio_char_is(char c, unsigned class_bits)
{
  return (rdfio_char_class[(unsigned char)c] & class_bits) != 0;
}

/* PN_CHARS_BASE and PN_CHARS of code points, ASCII included. */
bool rdfio_is_pn_chars_base(uint32_t cp);
bool rdfio_is_pn_chars(uint32_t cp);

/* Length of the BLANK_NODE_LABEL (without "_:") at the start of `text`; 0 when there is none.
 * A trailing '.' is not part of it. */
size_t rdfio_blank_label_length(const char *text, size_t len);

/* Decode \uXXXX or \UXXXXXXXX at `text` (which starts with the backslash). Returns its length, or 0
 * when a digit is missing, or it is a surrogate or beyond U+10FFFF; *why then says so. */
size_t rdfio_uchar_decode(uint32_t *cp, const char **why, const char *text, size_t len);

/* Describe the byte at `at` for a message ("found ..."), into `out`. end: one past the input. */
void rdfio_describe(char out[32], const char *at, const char *end);

#endif /* QUOIN_RDFIO_CHARS_H */
