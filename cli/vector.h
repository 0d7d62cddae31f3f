/* cli/vector.h - what the files of `quoin vector` share. */
#ifndef QUOIN_CLI_VECTOR_H
#define QUOIN_CLI_VECTOR_H

#include "cli/cli.h"

/* Text of malloc that grows; `failed` stays set. */
typedef struct vector_text {
  char *data;
  size_t len, cap;
  bool failed;
} vector_text;
void vector_put(vector_text *to, const void *data, size_t len);
void vector_printf(vector_text *to, const char *fmt, ...) QUOIN_PRINTF(2, 3);
/* `value` between quotes, escaped for SPARQL and N-Quads. */
void vector_put_string(vector_text *to, const char *value, size_t len);
/* <iri>; false, the second after a complaint, when it cannot be one. */
bool vector_append_iri(vector_text *to, const char *iri, size_t len);
bool vector_put_iri(vector_text *to, const char *iri, size_t len);
/* Is it a label of a blank node, of ASCII? */
bool vector_is_label(const char *label, size_t len);
/* The line "term <predicate> "b64:..."^^vec:f32 [graph] ." */
void vector_put_quad(vector_text *to, const char *term, size_t term_len, const char *predicate,
                     const char *graph, const float *values, size_t n);

/* ---- names (vector_name.c) ---- */

enum { VECTOR_NAMES = 3 };
/* `name` with its prefix written out; false: it has none that is known, and nothing is appended. */
bool vector_expand(vector_text *out, const char *name);
/* The IRIs of --on, --predicate and --graph with theirs written out into `names`, which are to be
 * freed. Complains, and gives the exit status. */
int vector_names_take(vector_text names[VECTOR_NAMES], cli_args *args);
/* Complains of one that looks like a prefix and a name, and that the store does not have. */
int vector_names_check(quoin_store *store, const cli_args *args);
/* Complains when there is no text to embed. */
int vector_texts_check(quoin_store *store, const cli_args *args);

/* What the store says of the index that --on names. */
typedef struct vector_index {
  const char *predicate;
  uint64_t dimension;
  bool cosine;
} vector_index;
/* Run an update that is not the user's; complains, and gives the exit status. */
int vector_update(quoin_store *store, const cli_args *args, const vector_text *text);
/* Complains, and gives the exit status, when there is none, or it is not of the model that --model
 * says. */
int vector_find(vector_index *out, quoin_store *store, const cli_args *args);

/* Load the quads that `next` appends to `to`, piece by piece, as one load. `next` sets *done at the
 * end; a status other than 0 (after a complaint) stops it. */
typedef int (*vector_next_fn)(void *user, vector_text *to, bool *done);
int vector_load(uint64_t *added, quoin_store *store, const cli_args *args, vector_next_fn next,
                void *user);

/* Numbers "[1, 2]" or "1 2" or "1,2", each as JSON has it, into floats: how many; SIZE_MAX when
 * that is not what it is. At most `cap` are written. */
size_t vector_numbers(float *out, size_t cap, const char *text, size_t len);

/* Why these numbers cannot be a vector of the index; NULL: they can. */
const char *vector_refuse(const vector_index *index, const float *values);

int vector_import(quoin_store *store, const cli_args *args, const char *file);
int vector_embed(quoin_store *store, const cli_args *args);
/* `writes`: what was measured is kept. */
int vector_check(quoin_store *store, const cli_args *args, bool writes);

/* A child process that makes vectors of lines. */
typedef struct vector_child {
  int to, from; /* pipes; -1: closed */
  long pid;
  double deadline; /* as cli_now(), of answers and of its end; 0: none */
  char *line;      /* what was read and not taken yet: len of cap, of malloc */
  size_t len, cap;
  bool ended, told; /* it gave no more answers; it was complained of that it gives too many */
} vector_child;
int vector_child_open(vector_child *child, const char *command); /* complains */
/* One text in, `n` numbers out; complains. It fails past the deadline and by a signal. */
int vector_child_ask(vector_child *child, const char *text, size_t len, float *out, size_t n);
/* After some answers: has it given more? Complains. Waits a moment for them. */
int vector_child_rest(vector_child *child);
/* There is no more text: wait for its end, and past the deadline or by a signal end it. It fails by
 * its status or by what it still says. */
int vector_child_end(vector_child *child);
int vector_child_close(vector_child *child); /* the same, and frees what it has */

/* The program of --embed-command for vec:embed, started by the first text. */
typedef struct vector_embedder {
  const char *command;
  double deadline; /* of the request at hand */
  vector_child child;
  bool open;
} vector_embedder;
double vector_deadline(const cli_args *args); /* from now on, by --timeout */
/* A quoin_embed_fn. */
quoin_status vector_embed_text(float *out, size_t n, void *embedder, quoin_span text,
                               quoin_error *err);
/* The next text starts another. The program has a moment to end by itself. */
void vector_embedder_close(vector_embedder *embedder);

#endif /* QUOIN_CLI_VECTOR_H */
