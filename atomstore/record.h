/* atomstore/record.h - term records and the keys they are found by.
 *
 * A record: codec (0: raw, 1: the value is in symbols), kind, then for IRIs the number of the
 * prefix (0: none), for typed literals the number of the datatype's IRI, for language strings
 * length and bytes of the tag; then length and bytes of the value. For vectors: dimension and place
 * of the row, no more. Numbers are LEB128. See docs/format.md. */
#ifndef QUOIN_ATOMSTORE_RECORD_H
#define QUOIN_ATOMSTORE_RECORD_H

#include "atomstore/atomstore.h"

enum { ATOM_CODEC_RAW = 0, ATOM_CODEC_SYMBOLS = 1 };

typedef struct atom_record {
  atom_kind kind;
  uint64_t link;    /* prefix, datatype or dimension */
  uint64_t place;   /* of a vector's row */
  quoin_span lang;  /* tag */
  quoin_span value; /* for an IRI what follows the prefix; for a vector its floats */
  size_t size;      /* bytes of the whole record */
  uint64_t number;  /* where it was read from; 0: it is to be added */
  bool coded;       /* the value is in symbols, see coding.c */
} atom_record;

/* What a term is found by. The hash covers kind, datatype, lang in lower case and value, and
 * nothing of how the record is stored: the spellings of a language string lie on one way through
 * the table. */
typedef struct atom_key {
  atom_kind kind;
  uint64_t datatype; /* number, 0 for kinds without; the dimension of a vector */
  quoin_span lang, value;
  quoin_span coded; /* the value in symbols if that was made before; else no pointer */
  uint64_t hash;
} atom_key;

static inline bool
atom_kind_has_datatype(atom_kind kind)
{
  return kind >= ATOM_TYPED && kind <= ATOM_BOOLTEXT;
}

/* Literals with a text. */
static inline bool
atom_kind_is_text(atom_kind kind)
{
  return kind >= ATOM_STRING && kind <= ATOM_BOOLTEXT;
}

/* The kinds that have records. */
static inline bool
atom_kind_is_stored(atom_kind kind)
{
  return (kind >= ATOM_IRI && kind <= ATOM_BOOLTEXT) || kind == ATOM_PREFIX || kind == ATOM_VECTOR;
}

/* What stands for the datatype in the key of a record. */
static inline uint64_t
atom_record_datatype(const atom_record *rec)
{
  return atom_kind_has_datatype(rec->kind) || rec->kind == ATOM_VECTOR ? rec->link : 0;
}

void atom_key_hash(atom_key *key); /* fills key->hash */
uint64_t atom_tag_hash(quoin_span tag);
/* Which letters of a tag are capitals, as 16 bits: 0 when none is. The hash does not see them, the
 * check bits of a term are those of its hash xor these. */
uint16_t atom_tag_case(quoin_span tag);

/* False when [at, at+room) does not begin with a record. Spans point into it; the value of a vector
 * is left empty. */
bool atom_record_decode(atom_record *out, const char *at, size_t room);
/* Bytes that atom_record_encode will write; false on overflow. Fills rec->size. */
bool atom_record_measure(atom_record *rec);
void atom_record_encode(char *at, const atom_record *rec);

#endif /* QUOIN_ATOMSTORE_RECORD_H */
