/* rdfio/guard.h - what stands between the input and serd. Private.
 *
 * serd 0.30 reads bytes through a callback. The guard is that callback: it follows the tokens of
 * Turtle and TriG just far enough to refuse what serd would take (docs/adrs/0005-rdf-parsing.md has
 * the list) with an exact position, and to change what serd would misread:
 *   - blank node labels get an 'x' in front, so that serd neither renames nor confuses them;
 *   - <base>, <prefix> and <graph> become <./base> ...: serd takes them for keywords;
 *   - prefixes that begin with true or false become tr-ue... and fa-lse... (and tr-... becomes
 *     tr--..., so that no two meet): serd takes true:x for a boolean;
 *   - comments become spaces; a byte order mark is dropped, and so are blanks, line ends and
 *     comments around ^^ and before a language tag, which serd would refuse.
 * serd gets whole pages; the last one is filled up with line ends. Each byte of input is one byte
 * of a page, but for what was put in or left out, so positions can be mapped back. The input from
 * the current statement on is kept, so that the place of a term found bad later can be looked up.
 */
#ifndef QUOIN_RDFIO_GUARD_H
#define QUOIN_RDFIO_GUARD_H

#include "rdfio/rdfio.h"

enum {
  RDFIO_GUARD_PAGE = 16 * 1024,
  RDFIO_GUARD_AHEAD = 32,   /* bytes a step may look at */
  RDFIO_GUARD_EXTRA = 64,   /* one step may go beyond the page by so much */
  RDFIO_GUARD_DEPTH = 1000, /* of [ and (: serd recurses, about 1 KiB of stack each */
  RDFIO_GUARD_ENDS = 8,     /* as many ends of objects and statements are remembered */
  /* Bytes of blanks and comments left out in one place, of look-ahead in a name, and of input kept
   * for looking up: beyond it serd, or a less exact position, will do. */
  RDFIO_GUARD_FAR = 1024 * 1024
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
 * bytes of input were left out. They held `lines` line ends; if any, `column` bytes came after the
 * last. */
typedef struct rdfio_guard_mark {
  uint32_t at;
  int32_t delta;
  uint32_t lines, column;
} rdfio_guard_mark;

typedef struct rdfio_guard {
  const base_alloc *mem;
  rdfio_source *source;
  uint64_t *bytes; /* counts what was read */
  bool trig;

  char *in; /* input from the current page on, and before: keep_from */
  size_t in_cap, in_at, in_len, in_valid; /* [0, in_valid) is UTF-8 */
  bool in_ended, in_bad;                  /* the input ended; a byte at in_valid is not UTF-8 */
  size_t want;                            /* bytes the next step needs in sight; 0: as always */

  /* What is kept for rdfio_guard_find(): at keep_from a token begins, unless `lost`. */
  size_t keep_from;
  uint64_t keep_column;
  bool lost;
  uint64_t dropped; /* bytes of input that came before in[0] */
  /* Behind the string that rdfio_guard_follow() found last: place in the input, line, column. Line
   * 0: there is none. */
  uint64_t follow_at, follow_line, follow_column;
  uint64_t ends[RDFIO_GUARD_ENDS]; /* of objects and statements, as places in the input: a ring */
  size_t ends_made;

  rdfio_guard_state state;
  char quote, last;  /* of the string; the last byte in GUARD_PLAIN that was not blank */
  bool in_name;      /* the byte before belongs to a name */
  bool lone_anon;    /* a [] stands where a statement begins */
  bool anon_start;   /* an open [ stands there */
  bool after_string; /* nothing but blanks since a string */
  bool holding;      /* leaving out blanks and comments after a string or ^^ */
  size_t held;       /* ... so many bytes */
  bool directive;    /* in a PREFIX or BASE without '@' */
  unsigned hats;     /* '^' in a row, and blanks */
  unsigned dots;     /* full stops in a row */
  unsigned depth, braces;
  unsigned page_braces;                       /* braces where the page begins */
  uint8_t round[(RDFIO_GUARD_DEPTH + 7) / 8]; /* bit per open bracket: it is a '(' */

  size_t page_len;         /* made, may exceed RDFIO_GUARD_PAGE */
  size_t filled_from;      /* offset in the page of the filling after the end of the input */
  size_t page_from;        /* offset in `in` of its first byte */
  rdfio_guard_place place; /* of its first byte */
  size_t marks_len;
  bool given; /* serd has the page */
  bool final; /* the page was filled up: there is no other */
  bool ended; /* serd was told that there is no more */

  bool failed; /* at in_at, offset fault_at of the page */
  size_t fault_at;
  quoin_error error;

  char page[RDFIO_GUARD_PAGE + RDFIO_GUARD_EXTRA];
  rdfio_guard_mark marks[RDFIO_GUARD_PAGE]; /* ascending */
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

/* What a bad term looks like. */
typedef enum rdfio_token {
  RDFIO_TOKEN_PREFIX, /* a prefixed name; the text is its prefix */
  RDFIO_TOKEN_IRI,    /* without <>, escapes decoded */
  RDFIO_TOKEN_LANG,   /* without the @ */
  RDFIO_TOKEN_BLANK,  /* without _: */
  RDFIO_TOKEN_STRING, /* of a literal, without its quotes, escapes decoded */
  RDFIO_TOKEN_WORD    /* anything else that begins so */
} rdfio_token;

/* Look up where the token stands that serd gave as `text` (names as the guard wrote them) and that
 * was found bad: the first that looks so from the start of the statement on. Without one, the start
 * of the page. *page_at is its offset in the page (0 before it). False when it touches the place of
 * the guard's own fault, which is then the cause. Cost: a scan of a page; for errors only. */
bool rdfio_guard_find(uint64_t *line, uint64_t *column, size_t *page_at, const rdfio_guard *g,
                      rdfio_token kind, quoin_span text);

/* Where the object of a good or refused statement stands, a literal with a datatype, as
 * rdfio_guard_find says it: statements come in the order of the text, so it is looked for behind
 * the one found before, and all that are asked for cost one pass over the input. A number without
 * quotes is found right behind its predicate alone; else *line is 0. */
void rdfio_guard_follow(uint64_t *line, uint64_t *column, rdfio_guard *g, quoin_span predicate,
                        quoin_span text);

/* A prefix as the file has it, into `arena` if it was changed; ptr NULL: out of memory. */
quoin_span rdfio_guard_prefix(quoin_span prefix, base_arena *arena);

/* The input is over, and serd said `said`: what it should have gone on with. */
const char *rdfio_guard_expected(const rdfio_guard *g, const char *said);

/* Go on after the statement that is bad at `page_at`: at the line end after its '.', or its '}' for
 * a graph block (guessed by lines: the text is wrong, after all). For a new serd reader. IO errors.
 */
quoin_status rdfio_guard_resync(rdfio_guard *g, size_t page_at, quoin_error *err);

/* ---- between guard.c and guard_tokens.c -------------------------------------------------------
 */

/* Position of page offset `at`, in front of what was left out there. */
void rdfio_guard_place_after(rdfio_guard_place *out, const rdfio_guard *g, size_t at);
/* Take in the bytes at in_at, of which `have` > 0 are there: RDFIO_GUARD_AHEAD unless the input
 * ends. Sets g->failed at a fault. */
void rdfio_guard_step(rdfio_guard *g, size_t have);
/* The input is over: is anything open? */
void rdfio_guard_at_end(rdfio_guard *g);

/* To the page: text that is not in the input; n bytes at in_at. Not to the page: n bytes there. */
void rdfio_guard_insert(rdfio_guard *g, const char *text);
void rdfio_guard_copy(rdfio_guard *g, size_t n);
void rdfio_guard_drop(rdfio_guard *g, size_t n);
/* A fault `ahead` bytes after in_at; one `back` bytes before it. */
void rdfio_guard_fault(rdfio_guard *g, quoin_status status, size_t ahead, const char *expected);
void rdfio_guard_fault_said(rdfio_guard *g, quoin_status status, size_t back, const char *message);

static inline bool
rdfio_guard_is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

#endif /* QUOIN_RDFIO_GUARD_H */
