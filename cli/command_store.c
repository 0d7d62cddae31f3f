/* create, check, compact, backup and restore. */
#include "cli/cli.h"

#include <string.h>
#include <strings.h>

/* "spo,pos,gspo" -> bits. */
static bool
parse_indexes(uint32_t *out, const char *list)
{
  static const char names[][5] = {"spo", "sop", "pso", "pos", "osp", "ops", "gspo", "gpos", "gosp"};

  *out = 0;
  while (*list) {
    const size_t len = strcspn(list, ",");
    size_t i = 0;
    while (i < 9 && (strlen(names[i]) != len || strncasecmp(names[i], list, len) != 0))
      i++;
    if (i == 9) return false;
    *out |= UINT32_C(1) << i;
    list += len + (list[len] == ',');
  }
  return *out != 0;
}

int
cli_create(cli_args *args)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store = NULL;
  const cli_value *indexes = &args->option[OPT_INDEXES];

  options.mode = QUOIN_CREATE_NEW;
  if (indexes->given && !parse_indexes(&options.indexes, indexes->text)) {
    cli_complain("--indexes: \"%s\" is not a list of spo sop pso pos osp ops gspo gpos gosp",
                 indexes->text);
    return EXIT_USAGE;
  }
  if (quoin_open(&store, args->option[OPT_STORE].text, &options, &err))
    return cli_report(&err, args->option[OPT_STORE].text);
  quoin_close(store);
  return EXIT_DONE;
}

/* ---- check ----------------------------------------------------------------------------------- */

static void
print_step(void *user, const char *line)
{
  (void)user;
  fprintf(stderr, "%s\n", line);
}

int
cli_check(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *path = cli_place(args);

  int status = cli_open(&store, args, QUOIN_READ_ONLY);
  if (status) return status;
  if (quoin_check(store, print_step, NULL, args->cancel, &err))
    status = cli_report(&err, path);
  else
    fprintf(stderr, "%s: no fault found\n", path);
  quoin_close(store);
  return status;
}

/* ---- compact --------------------------------------------------------------------------------- */

/* What a store holds, and all the bytes it takes. */
typedef struct size {
  quoin_stats stats;
  uint64_t bytes;
} size;

static quoin_status
measure(size *out, quoin_store *store, const cli_args *args, quoin_error *err)
{
  const quoin_stats *s = &out->stats;
  uint64_t graphs = 0;

  *out = (size){.stats = QUOIN_STATS_INIT};
  quoin_status st = quoin_store_stats(&out->stats, store, false, err);
  if (!st) st = cli_graph_bytes(&graphs, store, args, err);
  out->bytes = s->run_bytes + s->term_bytes + s->offset_bytes + s->table_bytes + s->log_bytes +
               s->vector_bytes + graphs;
  return st;
}

/* Graphs are made anew, and are in their files after a checkpoint. */
static quoin_status
compact(int *settled, quoin_store *store, const cli_args *args, quoin_error *err)
{
  const quoin_status st =
      quoin_store_compact(store, args->option[OPT_MEMORY].number, args->cancel, err);
  if (st) return st;
  *settled = cli_settle(store, args);
  return quoin_checkpoint(store, err);
}

int
cli_compact(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  size before, after;
  const char *path = cli_place(args);
  char count[4][32];

  int status = cli_open(&store, args, QUOIN_READ_WRITE);
  if (status) return status;
  quoin_status st = measure(&before, store, args, &err);
  if (!st) st = compact(&status, store, args, &err);
  if (!st && cli_stopped()) quoin_cancel_reset(args->cancel); /* it is done, the rest is telling */
  if (!st) st = measure(&after, store, args, &err);
  if (st)
    status = cli_report(&err, path);
  else
    fprintf(stderr, "%s: %s of %s terms stay, %s of %s bytes\n", path,
            cli_count(count[0], after.stats.terms), cli_count(count[1], before.stats.terms),
            cli_count(count[2], after.bytes), cli_count(count[3], before.bytes));
  quoin_close(store);
  return status;
}

/* ---- backup and restore ---------------------------------------------------------------------- */

int
cli_backup(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;

  int status = cli_open(&store, args, QUOIN_READ_ONLY);
  if (status) return status;
  if (quoin_backup(store, args->operands[0], args->cancel, &err))
    status = cli_report(&err, args->operands[0]);
  else
    fprintf(stderr, "%s: no fault found\n", args->operands[0]);
  quoin_close(store);
  return status;
}

static quoin_status
restore_into_pool(const cli_args *args, quoin_error *err)
{
  quoin_pool *pool = NULL;
  quoin_status st = quoin_pool_open(&pool, args->option[OPT_POOL].text, NULL, err);

  if (!st)
    st =
        quoin_pool_restore(pool, args->option[OPT_NAME].text, args->operands[0], args->cancel, err);
  quoin_pool_close(pool);
  return st;
}

/* What was not linked when the backup was made. */
static int
link_restored(const cli_args *args)
{
  quoin_store *store = NULL;

  int status = cli_open(&store, args, QUOIN_READ_ONLY);
  if (status) return status;
  const bool waits = cli_unlinked(store) > 0;
  quoin_close(store);
  if (!waits) return EXIT_DONE;
  if ((status = cli_open(&store, args, QUOIN_READ_WRITE))) return status;
  status = cli_settle(store, args);
  quoin_close(store);
  return status;
}

int
cli_restore(cli_args *args)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const bool pool = args->option[OPT_POOL].given;
  const char *path = cli_place(args);

  if (pool && !args->option[OPT_NAME].given) {
    cli_complain("restore into a pool needs --name NAME, which the new store gets");
    return EXIT_USAGE;
  }
  const quoin_status st = pool ? restore_into_pool(args, &err)
                               : quoin_restore(path, args->operands[0], args->cancel, &err);
  if (st) return cli_report(&err, path);
  fprintf(stderr, "%s: no fault found\n", pool ? args->option[OPT_NAME].text : path);
  return link_restored(args);
}
