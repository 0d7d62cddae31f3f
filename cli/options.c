/* The commands and their options: what is parsed and what help prints come from these tables. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef enum value_kind {
  FLAG,
  TEXT,
  IRI,
  FORMAT,
  RESULTS,
  DURABILITY,
  ADDRESSES,
  METRIC,
  CODE,
  VECTOR_FORMAT,
  COUNT,
  BYTES,
  SECONDS
} value_kind;

typedef struct option_row {
  const char *name, *argument, *help;
  value_kind kind;
} option_row;

static const option_row options[OPT_COUNT] = {
    [OPT_STORE] = {"store", "DIR", "the store's directory", TEXT},
    [OPT_FORMAT] = {"format", "F", "nt, nq, ttl or trig; by the file's name if not given", FORMAT},
    [OPT_DUMP_FORMAT] = {"format", "F", "nq (default), trig; nt, ttl without named graphs", FORMAT},
    [OPT_BASE] = {"base", "IRI", "base of relative IRIs (files: their own file:// IRI)", IRI},
    [OPT_GRAPH] = {"graph", "IRI",
                   "graph of statements that name none; of vector search: the one to search", IRI},
    [OPT_LENIENT] = {"lenient", NULL,
                     "skip bad statements, report and count each; of one of Turtle or TriG,\n"
                     "what stands before the fault stays",
                     FLAG},
    [OPT_MEMORY] = {"memory", "BYTES", "memory to use, with K, M or G", BYTES},
    [OPT_THREADS] = {"threads", "N", "threads to use; all cores if not given", COUNT},
    [OPT_DURABILITY] = {"durability", "D", "full (default), relaxed or off", DURABILITY},
    [OPT_INDEXES] = {"indexes", "LIST", "key orders to keep, as spo,pos,osp; all nine if not given",
                     TEXT},
    [OPT_RESULTS] = {"results", "F",
                     "table, json, xml, csv, tsv; of graphs nt, ttl, nq. If not given: table\n"
                     "and ttl on a terminal, json and nt elsewhere",
                     RESULTS},
    [OPT_QUERY_FILE] = {"query-file", "F", "read the query from a file (- standard input)", TEXT},
    [OPT_UPDATE_FILE] = {"update-file", "F", "read the update from a file (- standard input)",
                         TEXT},
    [OPT_CHECK] = {"check", NULL, "check the syntax only; no store is needed", FLAG},
    [OPT_EXPLAIN] = {"explain", NULL, "print the plan with estimates instead of running it", FLAG},
    [OPT_ANALYZE] = {"analyze", NULL, "run it, print the plan with what was measured", FLAG},
    [OPT_TIMEOUT] = {"timeout", "SECONDS", "fail after this time (exit 4)", SECONDS},
    [OPT_MAX_ROWS] = {"max-rows", "N", "fail on more rows than this (exit 4)", COUNT},
    [OPT_UNION] = {"union-default-graph", NULL, "the default graph is the union of all", FLAG},
    [OPT_ALLOW_LOAD] = {"allow-load", "DIR", "let LOAD read file: IRIs below this directory", TEXT},
    [OPT_ALLOW_SERVICE] = {"allow-service", "URL-PREFIX",
                           "let SERVICE ask addresses that begin so; may be given again",
                           ADDRESSES},
    [OPT_ON] = {"on", "IRI", "the predicate whose vectors are indexed", IRI},
    [OPT_DIMENSION] = {"dimension", "N", "numbers of a vector (create; required)", COUNT},
    [OPT_METRIC] = {"metric", "M", "cosine (default), dot or l2 (create)", METRIC},
    [OPT_CODE] = {"storage", "C",
                  "f32, f16, i8 or b1: what the index is walked with (create); if not given\n"
                  "i8 for cosine from 64 dimensions on, else f32",
                  CODE},
    [OPT_M] = {"m", "N", "links of a node, 16 if not given (create)", COUNT},
    [OPT_EF_CONSTRUCTION] = {"ef-construction", "N", "effort of linking, 200 if not given (create)",
                             COUNT},
    [OPT_MODEL] = {"model", "NAME",
                   "what makes the vectors: of the index (vector create), else the model of\n"
                   "--embed-command, which has to be that of the index",
                   TEXT},
    [OPT_VECTOR_FORMAT] = {"format", "F",
                           "npy, fvecs, jsonl or tsv; by the file's name if not given (import)",
                           VECTOR_FORMAT},
    [OPT_TERMS] = {"terms", "FILE", "the subjects of .npy and .fvecs, one a line (import)", TEXT},
    [OPT_PREDICATE] = {"predicate", "IRI", "the texts to make vectors of (embed)", IRI},
    [OPT_EMBED_COMMAND] = {"embed-command", "CMD",
                           "a program that takes a line of text and gives a JSON array, each time",
                           TEXT},
    [OPT_K] = {"k", "N", "how many to find, 10 if not given (search)", COUNT},
    [OPT_EF] = {"ef", "N", "effort of a search (search, check)", COUNT},
    [OPT_EXACT] = {"exact", NULL, "search all vectors (search)", FLAG},
    [OPT_SAMPLE] = {"sample", "N", "measure recall with so many of the vectors (check)", COUNT},
    [OPT_REPAIR] = {"repair", NULL, "link what cannot be reached (check)", FLAG},
    [OPT_UNLINKED] = {"unlinked", "N",
                      "vectors that may wait to be linked before commits are slowed, 100,000 if\n"
                      "not given",
                      COUNT},
    [OPT_POOL] = {"pool", "DIR", "the directory of a pool of stores", TEXT},
    [OPT_NAME] = {"name", "NAME", "the store of the pool; the active one if not given", TEXT},
    [OPT_BUDGET] = {"budget", "BYTES", "disk for all stores, with K, M, G or T (create, budget)",
                    BYTES},
    [OPT_VECTORS] = {"vectors", "FORM", "json (default), or b64: their bytes", TEXT},
    [OPT_NO_SYSTEM] = {"no-system", NULL, "leave the graph <urn:x-quoin:system> out", FLAG},
    [OPT_HELP] = {"help", NULL, "show this", FLAG},
};

#define BIT(option) (UINT64_C(1) << (option))
_Static_assert(OPT_COUNT <= 64, "a bit for each");
/* A store by its directory, or by its name in a pool. */
#define STORE (BIT(OPT_STORE) | BIT(OPT_POOL) | BIT(OPT_NAME))

static const uint64_t query_options =
    STORE | BIT(OPT_QUERY_FILE) | BIT(OPT_RESULTS) | BIT(OPT_CHECK) | BIT(OPT_EXPLAIN) |
    BIT(OPT_ANALYZE) | BIT(OPT_TIMEOUT) | BIT(OPT_MAX_ROWS) | BIT(OPT_MEMORY) | BIT(OPT_THREADS) |
    BIT(OPT_UNION) | BIT(OPT_BASE) | BIT(OPT_ALLOW_SERVICE) | BIT(OPT_EMBED_COMMAND) |
    BIT(OPT_MODEL);

const cli_command cli_commands[] = {
    {"create", "", "Make an empty store.", "There must be none in the directory yet.\n",
     "quoin create --store S", BIT(OPT_STORE) | BIT(OPT_INDEXES), 0, 0, cli_create},
    {"load", "FILE...", "Load RDF files: all statements, or none.",
     "Makes the store if there is none. Files ending in .nt .nq .ttl .trig, also .gz .bz2 .xz "
     ".zst;\n"
     "- is standard input (with --format). Each file is a blank node scope of its own.\n",
     "quoin load --store S data.ttl more.nq.zst",
     STORE | BIT(OPT_FORMAT) | BIT(OPT_BASE) | BIT(OPT_GRAPH) | BIT(OPT_LENIENT) | BIT(OPT_MEMORY) |
         BIT(OPT_THREADS) | BIT(OPT_DURABILITY) | BIT(OPT_UNLINKED),
     1, SIZE_MAX, cli_load},
    {"query", "QUERY", "Answer a SPARQL query.",
     "Reads beside a writer, and any number at a time.\n",
     "quoin query --store S 'SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p'", query_options,
     0, 1, cli_query},
    {"update", "UPDATE", "Change the store by a SPARQL update.",
     "All operations of the request, or none, as one transaction. The store must exist. LOAD is "
     "off\n"
     "unless --allow-load names a directory; it reads files there that end in .nt .nq .ttl "
     ".trig.\n",
     "quoin update --store S 'DELETE { ?s ?p \"old\" } INSERT { ?s ?p \"new\" } WHERE { ?s ?p "
     "\"old\" }'",
     STORE | BIT(OPT_UPDATE_FILE) | BIT(OPT_CHECK) | BIT(OPT_BASE) | BIT(OPT_TIMEOUT) |
         BIT(OPT_MEMORY) | BIT(OPT_THREADS) | BIT(OPT_UNION) | BIT(OPT_ALLOW_LOAD) |
         BIT(OPT_ALLOW_SERVICE) | BIT(OPT_DURABILITY) | BIT(OPT_EMBED_COMMAND) | BIT(OPT_MODEL) |
         BIT(OPT_UNLINKED),
     0, 1, cli_update},
    {"dump", "", "Write every statement to standard output.",
     "The default graph first, then graph by graph.\n", "quoin dump --store S | sort > all.nq",
     STORE | BIT(OPT_DUMP_FORMAT) | BIT(OPT_NO_SYSTEM) | BIT(OPT_VECTORS), 0, 0, cli_dump},
    {"stats", "", "Print what a store holds, and the bytes it takes.",
     "With --results json as one object.\n", "quoin stats --store S", STORE | BIT(OPT_RESULTS), 0,
     0, cli_stats},
    {"check", "", "Verify every byte of a store (exit 5 on a fault).", "Changes nothing.\n",
     "quoin check --store S", STORE, 0, 0, cli_check},
    {"compact", "", "Rewrite a store without what nothing uses.",
     "Terms that no statement needs and statements that were removed go. Readers are not "
     "stopped.\n",
     "quoin compact --store S", STORE | BIT(OPT_MEMORY), 0, 0, cli_compact},
    {"parse", "FILE", "Read a file and write it as N-Quads, without a store.", "",
     "quoin parse data.ttl.gz > data.nq", BIT(OPT_FORMAT) | BIT(OPT_BASE) | BIT(OPT_LENIENT), 1, 1,
     cli_parse_file},
    {"backup", "TARGET", "Copy a store while it is in use, and verify the copy.",
     "TARGET is a new or an empty directory. It becomes a store of its own: what happens to one "
     "of\n"
     "the two does not touch the other. Nobody waits.\n",
     "quoin backup --store S backups/S-monday", STORE, 1, 1, cli_backup},
    {"restore", "BACKUP", "Make a store of a backup, and verify it.",
     "There must be none in the directory yet, or none of that name in the pool. The backup "
     "stays.\n",
     "quoin restore --store S backups/S-monday", STORE, 1, 1, cli_restore},
    {"vector", "VERB [ARGUMENT]",
     "Vector indexes: create, import, embed, list, check, drop, search.",
     "  create              declare an index over the predicate --on, of --dimension numbers\n"
     "  import FILE         vectors from .npy or .fvecs (with --terms), JSON lines or .tsv, also\n"
     "                      .gz .bz2 .xz .zst; - is standard input: JSON lines, or --format.\n"
     "                      It adds: to replace vectors, delete the old ones first, by\n"
     "                      quoin update --store S 'DELETE WHERE { ?s PREDICATE ?v }'\n"
     "  embed               make vectors of the texts of --predicate with --embed-command\n"
     "  list                the indexes that are declared\n"
     "  check               verify an index; --repair mends it. Asked with --sample N points "
     "between\n"
     "                      vectors: how much of the 10 nearest searches find (recall@10)\n"
     "  drop                remove the declaration; the vectors stay\n"
     "  search QUERY        the nearest to an IRI, to numbers, or to a text (--embed-command)\n"
     "IRIs may be written with the prefixes vec rdf rdfs owl xsd skos dcterms foaf.\n",
     "quoin vector search --store S --on http://example.org/embedding http://example.org/paper1",
     STORE | BIT(OPT_ON) | BIT(OPT_DIMENSION) | BIT(OPT_METRIC) | BIT(OPT_CODE) | BIT(OPT_M) |
         BIT(OPT_EF_CONSTRUCTION) | BIT(OPT_MODEL) | BIT(OPT_TERMS) | BIT(OPT_VECTOR_FORMAT) |
         BIT(OPT_PREDICATE) | BIT(OPT_EMBED_COMMAND) | BIT(OPT_K) | BIT(OPT_EF) | BIT(OPT_EXACT) |
         BIT(OPT_SAMPLE) | BIT(OPT_REPAIR) | BIT(OPT_GRAPH) | BIT(OPT_LENIENT) | BIT(OPT_MEMORY) |
         BIT(OPT_THREADS) | BIT(OPT_RESULTS) | BIT(OPT_TIMEOUT) | BIT(OPT_UNLINKED),
     1, 2, cli_vector},
    {"pool", "VERB [NAME...]",
     "Pools of named stores: create, list, activate, switch, clear, delete, budget.",
     "  create [NAME]       make a store, and the pool if there is none\n"
     "  list                names, the active one marked, and bytes\n"
     "  activate NAME       the store that is meant when no name is given\n"
     "  switch NAME NAME    let two names change stores, at once\n"
     "  clear NAME          remove all statements of a store\n"
     "  delete NAME         remove a store\n"
     "  budget              bytes on disk that all stores may take: --budget; none if not given\n"
     "query, load, update, dump and others take --pool and --name in place of --store.\n",
     "quoin pool switch --pool P live next", BIT(OPT_POOL) | BIT(OPT_BUDGET), 1, 3, cli_pool},
    {"shell", "", "Queries and updates from a prompt or a pipe, one after the other.",
     "A request ends with an empty line, or with ; at the end of a line outside of brackets. "
     "PREFIX "
     "and\n"
     "BASE hold for all that follows. .help lists the commands. A pipe is read to its first "
     "failure.\n",
     "quoin shell --store S",
     STORE | BIT(OPT_RESULTS) | BIT(OPT_BASE) | BIT(OPT_TIMEOUT) | BIT(OPT_MEMORY) |
         BIT(OPT_MAX_ROWS) | BIT(OPT_THREADS) | BIT(OPT_UNION) | BIT(OPT_ALLOW_LOAD) |
         BIT(OPT_ALLOW_SERVICE) | BIT(OPT_DURABILITY) | BIT(OPT_UNLINKED) | BIT(OPT_EMBED_COMMAND) |
         BIT(OPT_MODEL),
     0, 0, cli_shell},
    {"help", "[COMMAND]", "Show all commands, or one with its options.", "", "quoin help load", 0,
     0, 1, cli_show_help},
    {"version", "", "Print the version.", "", "quoin version", 0, 0, 0, cli_show_version},
};
const size_t cli_n_commands = sizeof(cli_commands) / sizeof(*cli_commands);

const cli_command *
cli_command_find(const char *name)
{
  for (size_t i = 0; i < cli_n_commands; i++)
    if (strcmp(cli_commands[i].name, name) == 0) return &cli_commands[i];
  return NULL;
}

const char *
cli_option_name(cli_option option)
{
  return options[option].name;
}

/* ---- help ------------------------------------------------------------------------------------ */

static void
print_option(FILE *to, const option_row *row)
{
  char left[64];
  const char *help = row->help;

  snprintf(left, sizeof(left), "--%s%s%s", row->name, row->argument ? " " : "",
           row->argument ? row->argument : "");
  fprintf(to, "  %-23s ", left);
  for (const char *line; (line = strchr(help, '\n')); help = line + 1)
    fprintf(to, "%.*s\n%26s", (int)(line - help), help, "");
  fprintf(to, "%s\n", help);
}

static void
print_command(FILE *to, const cli_command *command)
{
  fprintf(to, "usage: quoin %s%s%s%s\n\n%s\n%s", command->name,
          command->options ? " [options]" : "", *command->operands ? " " : "", command->operands,
          command->summary, command->more);
  fprintf(to, "\n");
  for (size_t i = 0; i < OPT_COUNT; i++)
    if ((command->options | BIT(OPT_HELP)) & BIT(i)) print_option(to, &options[i]);
  fprintf(to, "\nexample: %s\n", command->example);
}

void
cli_help(FILE *to, const cli_command *command)
{
  if (command) {
    print_command(to, command);
    return;
  }
  fprintf(to, "usage: quoin COMMAND [options]\n\n");
  for (size_t i = 0; i < cli_n_commands; i++)
    fprintf(to, "  %-9s %s\n", cli_commands[i].name, cli_commands[i].summary);
  fprintf(to,
          "\nquoin help COMMAND shows its options and an example. Exit status: 0 done, 1 data or\n"
          "input error, 2 usage, 3 the store is in use, 4 timeout or limit, 5 corruption, 128 + n\n"
          "ended by signal n. Data goes to standard output, everything else to standard error.\n");
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool
parse_count(uint64_t *out, const char *text)
{
  char *end = NULL;
  if (*text < '0' || *text > '9') return false;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return errno == 0 && *end == '\0';
}

/* 512, 64K, 4G, 1.5G */
static bool
parse_bytes(uint64_t *out, const char *text)
{
  static const char units[] = "KMGT";
  char *end = NULL;

  if (*text < '0' || *text > '9') return false;
  double value = strtod(text, &end);
  const char *unit = *end ? strchr(units, *end & ~0x20) : NULL;
  if (*end && (!unit || !*unit)) return false;
  if (unit) {
    for (const char *u = units; u <= unit; u++)
      value *= 1024.0;
    end++;
    if (*end == 'i') end++;
    if (*end == 'B' || *end == 'b') end++;
  }
  *out = (uint64_t)value;
  return *end == '\0' && value >= 1.0 && value < 9e18;
}

static bool
parse_seconds(uint64_t *out, const char *text)
{
  char *end = NULL;
  if (*text < '0' || *text > '9') return false;
  const double value = strtod(text, &end);
  *out = (uint64_t)(value * 1000.0 + 0.5);
  return *end == '\0' && value < 1e15 && *out > 0;
}

/* Which of the names, of which NULL is the last. */
static bool
parse_name(uint64_t *out, const char *const *names, const char *text)
{
  for (*out = 0; names[*out]; ++*out)
    if (strcmp(names[*out], text) == 0) return true;
  return false;
}

static bool
parse_value(cli_value *value, value_kind kind, const char *text)
{
  static const char *const durabilities[] = {"full", "relaxed", "off", NULL};
  static const char *const metrics[] = {"cosine", "dot", "l2", NULL};
  static const char *const codes[] = {"f32", "f16", "i8", "b1", NULL};
  static const char *const vector_formats[] = {"npy", "fvecs", "jsonl", "tsv", NULL};
  value->text = text;
  switch (kind) {
  case FLAG:
  case TEXT:
  case IRI: /* take_iri says what is wrong */
  case ADDRESSES:
    return true;
  case FORMAT:
    value->number = (uint64_t)quoin_format_by_name(text);
    return value->number != 0;
  case RESULTS:
    value->number = (uint64_t)quoin_results_by_name(text);
    return value->number != 0;
  case DURABILITY:
    return parse_name(&value->number, durabilities, text);
  case METRIC:
    return parse_name(&value->number, metrics, text);
  case CODE:
    return parse_name(&value->number, codes, text);
  case VECTOR_FORMAT:
    return parse_name(&value->number, vector_formats, text);
  case COUNT:
    return parse_count(&value->number, text) && value->number > 0 && value->number <= INT64_MAX;
  case BYTES:
    return parse_bytes(&value->number, text);
  case SECONDS:
    return parse_seconds(&value->number, text);
  }
  return false;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int
usage(const cli_command *command)
{
  fprintf(stderr, "See: quoin help %s\n", command->name);
  return EXIT_USAGE;
}

/* Which option of the command `name` (its first `len` bytes) is; OPT_COUNT if none. */
static size_t
find_option(const cli_command *command, const char *name, size_t len)
{
  for (size_t i = 0; i < OPT_COUNT; i++)
    if (((command->options | BIT(OPT_HELP)) & BIT(i)) && strlen(options[i].name) == len &&
        memcmp(options[i].name, name, len) == 0)
      return i;
  return OPT_COUNT;
}

/* One more of --allow-service. */
static bool
add_service(cli_args *args, const char *prefix)
{
  const size_t before = args->services ? strlen(args->services) + 1 : 0, len = strlen(prefix);
  char *services = realloc(args->services, before + len + 1);

  if (!services) return false;
  args->services = services;
  if (before) services[before - 1] = ' ';
  memcpy(services + before, prefix, len + 1);
  return true;
}

/* As it is, or between < and >, which go. */
static bool
take_iri(cli_value *value, const char *option, char *iri)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const size_t len = strlen(iri);

  if ((value->number = len > 2 && iri[0] == '<' && iri[len - 1] == '>')) {
    iri[len - 1] = '\0';
    iri++;
  }
  value->text = iri;
  if (!quoin_iri_check(cli_span(iri), &err)) return true;
  cli_complain("--%s \"%s\", byte %llu: %s", option, iri, (unsigned long long)err.offset + 1,
               err.message);
  return false;
}

/* Parse the option at argv[*at]; moves *at over its value. */
static int
parse_option(cli_args *args, const cli_command *command, int argc, char **argv, int *at)
{
  char *name = argv[*at] + 2;
  char *equals = strchr(name, '=');
  const size_t len = equals ? (size_t)(equals - name) : strlen(name);
  const size_t i = find_option(command, name, len);

  if (i == OPT_COUNT) {
    cli_complain("%s has no option --%.*s", command->name, (int)len, name);
    return usage(command);
  }
  char *text = equals ? equals + 1 : NULL;
  if (options[i].kind == FLAG && text) {
    cli_complain("--%s takes no value", options[i].name);
    return usage(command);
  }
  if (options[i].kind != FLAG && !text) {
    if (*at + 1 >= argc) {
      cli_complain("--%s needs a value: %s", options[i].name, options[i].help);
      return usage(command);
    }
    text = argv[++*at];
  }
  if (options[i].kind == ADDRESSES && !add_service(args, text)) {
    cli_complain("out of memory");
    return EXIT_LIMIT;
  }
  if (args->option[i].given && options[i].kind != ADDRESSES) {
    cli_complain("--%s is given twice", options[i].name);
    return usage(command);
  }
  args->option[i].given = true;
  if (!parse_value(&args->option[i], options[i].kind, text)) {
    cli_complain("--%s: \"%s\" is not what was expected: %s", options[i].name, text,
                 options[i].help);
    return usage(command);
  }
  if (options[i].kind == IRI && !take_iri(&args->option[i], options[i].name, text))
    return usage(command);
  return 0;
}

int
cli_parse(cli_args *args, const cli_command *command, int argc, char **argv)
{
  bool only_operands = false;

  args->operands = argv; /* moved to the front as they are found */
  for (int i = 0; i < argc; i++) {
    if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
      args->operands[args->n_operands++] = argv[i];
    } else if (strcmp(argv[i], "--") == 0) {
      only_operands = true;
    } else if (strcmp(argv[i], "-h") == 0) {
      args->option[OPT_HELP].given = true;
    } else if (argv[i][1] != '-') {
      cli_complain("%s has no option %s", command->name, argv[i]);
      return usage(command);
    } else {
      const int status = parse_option(args, command, argc, argv, &i);
      if (status) return status;
    }
  }
  if (args->option[OPT_HELP].given) return 0;
  if (args->n_operands < command->min_operands) {
    cli_complain("%s needs %s", command->name, command->operands);
    return usage(command);
  }
  if (args->n_operands > command->max_operands) {
    cli_complain("%s: unexpected \"%s\"", command->name, args->operands[command->max_operands]);
    return usage(command);
  }
  const bool checks = args->option[OPT_CHECK].given;
  const bool store = args->option[OPT_STORE].given, pool = args->option[OPT_POOL].given;
  if ((command->options & (BIT(OPT_STORE) | BIT(OPT_POOL))) && !store && !pool && !checks) {
    cli_complain("%s needs %s", command->name,
                 command->options & BIT(OPT_STORE) ? "--store DIR" : "--pool DIR");
    return usage(command);
  }
  if ((store && pool) || (args->option[OPT_NAME].given && !pool)) {
    cli_complain("%s: --name goes with --pool, and --store with neither", command->name);
    return usage(command);
  }
  return 0;
}
