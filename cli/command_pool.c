/* pool: named stores below one directory. */
#include "cli/cli.h"

#include <string.h>

typedef struct verb {
  const char *name;
  size_t least, most; /* operands after it */
  quoin_mode mode;
  quoin_status (*run)(quoin_pool *pool, const cli_args *args, quoin_error *err);
} verb;

static quoin_status
run_create(quoin_pool *pool, const cli_args *args, quoin_error *err)
{
  const cli_value *budget = &args->option[OPT_BUDGET];
  quoin_status st = QUOIN_OK;

  if (budget->given) st = quoin_pool_budget(pool, budget->number, err);
  if (!st && args->n_operands > 1) st = quoin_pool_create(pool, args->operands[1], 0, err);
  return st;
}

static quoin_status
run_activate(quoin_pool *pool, const cli_args *args, quoin_error *err)
{
  return quoin_pool_activate(pool, args->operands[1], err);
}

static quoin_status
run_switch(quoin_pool *pool, const cli_args *args, quoin_error *err)
{
  return quoin_pool_switch(pool, args->operands[1], args->operands[2], err);
}

static quoin_status
run_clear(quoin_pool *pool, const cli_args *args, quoin_error *err)
{
  return quoin_pool_clear(pool, args->operands[1], err);
}

static quoin_status
run_delete(quoin_pool *pool, const cli_args *args, quoin_error *err)
{
  return quoin_pool_delete(pool, args->operands[1], err);
}

static quoin_status
run_budget(quoin_pool *pool, const cli_args *args, quoin_error *err)
{
  const cli_value *budget = &args->option[OPT_BUDGET];

  return quoin_pool_budget(pool, budget->given ? budget->number : QUOIN_NO_BUDGET, err);
}

static quoin_status
print_entry(void *user, const quoin_pool_entry *e, quoin_error *err)
{
  (void)user;
  (void)err;
  printf("%s %s\t%llu\t%s\n", e->active ? "*" : " ", e->name, (unsigned long long)e->bytes,
         e->directory);
  return QUOIN_OK;
}

static quoin_status
run_list(quoin_pool *pool, const cli_args *args, quoin_error *err)
{
  quoin_pool_usage usage = QUOIN_POOL_USAGE_INIT;
  char count[2][32];
  quoin_status st = quoin_pool_list(pool, print_entry, NULL, err);

  (void)args;
  if (!st) st = quoin_pool_get_usage(&usage, pool, err);
  if (st) return st;
  fprintf(stderr, "%s bytes", cli_count(count[0], usage.bytes));
  if (usage.disk_budget != QUOIN_NO_BUDGET)
    fprintf(stderr, " of %s", cli_count(count[1], usage.disk_budget));
  fprintf(stderr, "\n");
  return QUOIN_OK;
}

static const verb verbs[] = {
    {"create", 0, 1, QUOIN_CREATE, run_create},
    {"list", 0, 0, QUOIN_READ_ONLY, run_list},
    {"activate", 1, 1, QUOIN_READ_WRITE, run_activate},
    {"switch", 2, 2, QUOIN_READ_WRITE, run_switch},
    {"clear", 1, 1, QUOIN_READ_WRITE, run_clear},
    {"delete", 1, 1, QUOIN_READ_WRITE, run_delete},
    {"budget", 0, 0, QUOIN_READ_WRITE, run_budget},
};

int
cli_pool(cli_args *args)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_pool *pool = NULL;
  const verb *v = NULL;
  const char *path = args->option[OPT_POOL].text;
  const size_t n = args->n_operands - 1;

  for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs) && !v; i++)
    if (strcmp(verbs[i].name, args->operands[0]) == 0) v = &verbs[i];
  if (!v || n < v->least || n > v->most) {
    if (v)
      cli_complain("pool %s: %zu names are given, %zu expected", v->name, n, v->most);
    else
      cli_complain("pool has no verb \"%s\"", args->operands[0]);
    fprintf(stderr, "See: quoin help pool\n");
    return EXIT_USAGE;
  }
  options.mode = v->mode;
  if (quoin_pool_open(&pool, path, &options, &err)) return cli_report(&err, path);
  int status = v->run(pool, args, &err) ? cli_report(&err, path) : EXIT_DONE;
  quoin_pool_close(pool);
  if (!status && (fflush(stdout) || ferror(stdout))) {
    cli_complain("standard output cannot be written");
    status = EXIT_DATA;
  }
  return status;
}
