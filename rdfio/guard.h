/* rdfio/guard.h - what stands between the input and serd. Private.
 *
 * serd 0.30 reads bytes through a callback. The guard is that callback: it follows the tokens of
 * Turtle and TriG just far enough to refuse what serd would take (docs/adrs/0005-rdf-parsing.md has
 * the list) with an exact position, and to change what serd would misread:
 *   - blank node labels get an 'x' in front, so that serd neither renames nor confuses them;
 *   - <base>, <prefix> and <graph> become <./base> ...: serd takes them for keywords;
 *   - comments become spaces; a byte order mark is dropped, and so are blanks around ^^ and before
 *     a language tag, which serd would refuse.
 * serd gets whole pages; the last one is filled up with line ends. Each byte of input is one byte
 * of a page, but for what was put in or left out, so positions can be mapped back. */
#ifndef QUOIN_RDFIO_GUARD_H
#define QUOIN_RDFIO_GUARD_H

#include "rdfio/rdfio.h"

enum {
  RDFIO_GUARD_PAGE = 16 * 1024,
  RDFIO_GUARD_AHEAD = 32,  /* bytes a step may look at */
  RDFIO_GUARD_EXTRA = 64,  /* one step may go beyond the page by so much */
  RDFIO_GUARD_DEPTH = 1000 /* of [ and (: serd recurses, about 1 KiB of stack each */
};

typedef enum rdfio_guard_state {
  GUARD_PLAIN,
  GUARD_COMMENT,
  GUARD_IRI,
  GUARD_SHORT, /* a string in single quotes or double quotes */
  GUARD_LONG
} rdfio_guard_state;

/* A place in the input and in what serd was given. */
typedef struct rdfio_guard_place {
  uint64_t line, column;           /* from 1 */
  uint64_t serd_line, serd_column; /* as serd counts them */
} rdfio_guard_place;

/* Page and input part: at page offset `at` a byte was put in (delta -1), or in front of it `delta`
 * bytes of input were left out. */
typedef struct rdfio_guard_mark {
  uint32_t at;
  int32_t delta;
} rdfio_guard_mark;

typedef struct rdfio_guard {
  const base_alloc *mem;
  rdfio_source *source;
  uint64_t *bytes; /* counts what was read */
  bool trig;

  char *in;                               /* input from the start of the current page on */
  size_t in_cap, in_at, in_len, in_valid; /* [0, in_valid) is UTF-8 */
  bool in_ended, in_bad;                  /* the input ended; a byte at in_valid is not UTF-8 */

  rdfio_guard_state state;
  char quote, last;  /* of the string; the last byte in GUARD_PLAIN that was not blank */
  bool in_name;      /* the byte before belongs to a name */
  bool lone_anon;    /* a [] stands where a statement begins */
  bool anon_start;   /* an open [ stands there */
  bool after_string; /* nothing but blanks since a string */
  bool directive;    /* in a PREFIX or BASE without '@' */
  unsigned hats;     /* '^' in a row, and blanks */
  unsigned dots;     /* full stops in a row */
  unsigned depth, braces;
  unsigned page_braces; /* braces where the page begins */

  char page[RDFIO_GUARD_PAGE + RDFIO_GUARD_EXTRA];
  size_t page_len;         /* made, may exceed RDFIO_GUARD_PAGE */
  size_t filled_from;      /* offset in the page of the filling after the end of the input */
  size_t page_from;        /* offset in `in` of its first byte */
  rdfio_guard_place place; /* of its first byte */
  rdfio_guard_mark marks[RDFIO_GUARD_PAGE]; /* ascending */
  size_t marks_len;
  bool given; /* serd has the page */
  bool final; /* the page was filled up: there is no other */
  bool ended; /* serd was told that there is no more */

  bool failed; /* at in_at, offset fault_at of the page */
  size_t fault_at;
  quoin_error error;
} rdfio_guard;

quoin_status rdfio_guard_init(rdfio_guard *g, rdfio_source *source, bool trig, uint64_t *bytes,
                              const base_alloc *mem, quoin_error *err);
void rdfio_guard_clear(rdfio_guard *g);

/* SerdSource: always a whole page, or 0 at the end. */
size_t rdfio_guard_read(void *buf, size_t size, size_t n, void *guard);

/* Line and column in the input of what serd calls `line` and `column`; *page_at is the offset in
 * the page. */
void rdfio_guard_locate(uint64_t *line, uint64_t *column, size_t *page_at, const rdfio_guard *g,
                        uint64_t serd_line, uint64_t serd_column);

/* Go on after the statement that is bad at `page_at`: at the line end after its '.', or its '}' for
 * a graph block (guessed by lines: the text is wrong, after all). For a new serd reader. IO errors.
 */
quoin_status rdfio_guard_resync(rdfio_guard *g, size_t page_at, quoin_error *err);

/* ---- between guard.c and guard_tokens.c -------------------------------------------------------
 */

/* Position of page offset `at`. */
void rdfio_guard_place_after(rdfio_guard_place *out, const rdfio_guard *g, size_t at);
/* Take in the bytes at in_at, of which `have` > 0 are there: RDFIO_GUARD_AHEAD unless the input
 * ends. Sets g->failed at a fault. */
void rdfio_guard_step(rdfio_guard *g, size_t have);
/* The input is over: is anything open? */
void rdfio_guard_at_end(rdfio_guard *g);

static inline bool
rdfio_guard_is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

#endif /* QUOIN_RDFIO_GUARD_H */
