/* cli/cli.h - what the commands share. The program stands on the public header alone. */
#ifndef QUOIN_CLI_CLI_H
#define QUOIN_CLI_CLI_H

#include <quoin/quoin.h>

#include <stdio.h>

/* Exit statuses: part of the interface. A cancelled command gives 128 + the signal. */
enum {
  EXIT_DONE = 0,
  EXIT_DATA = 1,
  EXIT_USAGE = 2,
  EXIT_LOCKED = 3,
  EXIT_LIMIT = 4,
  EXIT_CORRUPT = 5
};

/* ---- options and commands: one table each, in options.c, for parsing and for help -------------
 */

typedef enum cli_option {
  OPT_STORE,
  OPT_FORMAT,
  OPT_DUMP_FORMAT,
  OPT_BASE,
  OPT_GRAPH,
  OPT_LENIENT,
  OPT_MEMORY,
  OPT_THREADS,
  OPT_DURABILITY,
  OPT_INDEXES,
  OPT_RESULTS,
  OPT_QUERY_FILE,
  OPT_UPDATE_FILE,
  OPT_CHECK,
  OPT_EXPLAIN,
  OPT_ANALYZE,
  OPT_TIMEOUT,
  OPT_MAX_ROWS,
  OPT_UNION,
  OPT_ALLOW_LOAD,
  OPT_ALLOW_SERVICE,
  OPT_ON,
  OPT_DIMENSION,
  OPT_METRIC,
  OPT_CODE,
  OPT_M,
  OPT_EF_CONSTRUCTION,
  OPT_MODEL,
  OPT_VECTOR_FORMAT,
  OPT_TERMS,
  OPT_PREDICATE,
  OPT_EMBED_COMMAND,
  OPT_K,
  OPT_EF,
  OPT_EXACT,
  OPT_SAMPLE,
  OPT_REPAIR,
  OPT_UNLINKED,
  OPT_NO_SYSTEM,
  OPT_VECTORS,
  OPT_POOL,
  OPT_NAME,
  OPT_BUDGET,
  OPT_HELP,
  OPT_COUNT
} cli_option;

typedef struct cli_value {
  bool given;
  const char *text;
  uint64_t number; /* a format, a count, bytes or milliseconds, as the option's kind says; of an
                      IRI: 1 when it stood between < and > */
} cli_value;

typedef struct cli_args {
  cli_value option[OPT_COUNT];
  char **operands;
  size_t n_operands;
  quoin_cancel *cancel; /* requested by Ctrl-C */
  char *services;       /* of malloc: what the options --allow-service name, separated by spaces */
} cli_args;

typedef struct cli_command {
  const char *name;
  const char *operands; /* for help; "" if none */
  const char *summary;
  const char *more; /* further lines of help, or "" */
  const char *example;
  uint64_t options; /* bits 1 << OPT_... */
  size_t min_operands, max_operands;
  int (*run)(cli_args *args);
} cli_command;

extern const cli_command cli_commands[];
extern const size_t cli_n_commands;
const cli_command *cli_command_find(const char *name);
/* Parse what stands after the command's name. Prints what is wrong; an exit status, 0 if all is
 * well. */
int cli_parse(cli_args *args, const cli_command *command, int argc, char **argv);
void cli_help(FILE *to, const cli_command *command); /* NULL: all commands */
const char *cli_option_name(cli_option option);

int cli_create(cli_args *args);
int cli_load(cli_args *args);
int cli_parse_file(cli_args *args);
int cli_query(cli_args *args);
int cli_update(cli_args *args);
int cli_dump(cli_args *args);
int cli_stats(cli_args *args);
int cli_check(cli_args *args);
int cli_compact(cli_args *args);
int cli_pool(cli_args *args);
int cli_backup(cli_args *args);
int cli_restore(cli_args *args);
int cli_vector(cli_args *args);
int cli_shell(cli_args *args);
int cli_show_help(cli_args *args);
int cli_show_version(cli_args *args);

/* ---- errors (stderr) ------------------------------------------------------------------------- */

/* "quoin: error: ..." */
void cli_complain(const char *fmt, ...) QUOIN_PRINTF(1, 2);
/* Print `err` as FILE:LINE:COL: error: what. `name` stands in for a file that it does not name.
 * Returns the exit status that goes with it. */
int cli_report(const quoin_error *err, const char *name);
/* The same for a bad statement that was skipped. */
void cli_warn(void *user, const quoin_error *err);
int cli_exit_status(quoin_status status);
/* Install the handlers of SIGINT and SIGTERM: the first request cancels `cancel`, the second ends
 * the process. Called again, it forgets a request that came. SIGPIPE and SIGXFSZ are ignored:
 * writing to a closed pipe, and past the limit of a file, are errors like any other. */
void cli_catch_signals(quoin_cancel *cancel);
bool cli_stopped(void); /* one of them came */

/* ---- data (stdout) --------------------------------------------------------------------------- */

/* Buffered standard output that reports every failed write. */
typedef struct cli_output {
  char *data;
  size_t len, cap;
} cli_output;
bool cli_output_open(cli_output *out); /* complains */
quoin_status cli_output_write(void *out, const void *data, size_t len, quoin_error *err);
quoin_status cli_output_flush(cli_output *out, quoin_error *err);
void cli_output_close(cli_output *out); /* frees; what is not flushed is lost */

/* ---- progress (stderr, if it is a terminal) ---------------------------------------------------
 */

typedef struct cli_progress {
  bool on, shown;
  const char *what, *items;           /* "load", "statements" */
  enum { CLI_BYTES, CLI_ITEMS } unit; /* of what was taken, and of the whole */
  double started, next;               /* when it may be shown again */
} cli_progress;
void cli_progress_start(cli_progress *progress, const char *what);
/* A few times a second, however often it is called; a quoin_progress_fn. */
void cli_progress_show(void *progress, uint64_t items, uint64_t taken, uint64_t total);
/* Take the line off the screen. Returns the seconds since the start. */
double cli_progress_end(cli_progress *progress);
/* 1234567 -> "1,234,567" in out. */
const char *cli_count(char out[32], uint64_t n);
double cli_now(void);
bool cli_on_terminal(void); /* stderr is one */

/* The directory that --store or --pool names, for messages. */
const char *cli_place(const cli_args *args);
/* Open the store that --store, or --pool and --name, mean; complains, and gives the exit status. */
int cli_open(quoin_store **out, const cli_args *args, quoin_mode mode);
/* The same, and does not complain. */
quoin_status cli_try_open(quoin_store **out, const cli_args *args, quoin_mode mode,
                          quoin_error *err);
/* Before a store that was written to is closed: wait until its vectors are linked, with progress,
 * and until Ctrl-C, which leaves a good store: then say how many are not, and what links them. An
 * exit status. */
int cli_settle(quoin_store *store, const cli_args *args);
bool cli_unsaved(void); /* a store was closed and could not be saved, which was said */
uint64_t cli_unlinked(quoin_store *store); /* vectors that are not; 0 when that cannot be known */
/* Of the files of all graphs, as of the last checkpoint. */
quoin_status cli_graph_bytes(uint64_t *out, quoin_store *store, const cli_args *args,
                             quoin_error *err);
/* A whole file ("-": standard input) in memory of malloc; complains, and gives the exit status. */
int cli_read_file(char **data, size_t *len, const char *path);
quoin_span cli_span(const char *text); /* NULL is fine */

/* The text of a query or update: the operand, or what the option `file` names. */
typedef struct cli_request {
  char *owned; /* of malloc; NULL for an operand */
  quoin_span text;
  const char *name; /* for errors */
  bool prefixed;    /* it has a first line of ours: PREFIX vec: */
} cli_request;
/* `name` is what it is: "query". Complains, and gives the exit status. */
int cli_read_request(cli_request *out, const cli_args *args, cli_option file, const char *name);
/* Report a failure of the request, at its place in the text as it was given. */
int cli_report_request(const quoin_error *err, const cli_request *request);
/* What a reader of its answer should know, if anything. */
void cli_note(const cli_request *request, const char *notice);

/* What the options say, for the public calls. The embedder (cli/vector.h) outlives their use. */
struct vector_embedder;
quoin_query_options cli_query_options(const cli_args *args, struct vector_embedder *embedder);
quoin_update_options cli_update_options(const cli_args *args, struct vector_embedder *embedder);
/* The format of an answer where none is asked for. */
quoin_results cli_default_results(quoin_query_form form);
/* The plan; `run`: after running it, with what was measured. */
quoin_status cli_explain(quoin_cursor *cursor, bool run, cli_output *out, quoin_error *err);

#endif /* QUOIN_CLI_CLI_H */
