/* create, stats, check, compact, backup and restore. */
#include "cli/cli.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- stats ----------------------------------------------------------------------------------- */

static void
print_number(const char *name, uint64_t n)
{
  printf("%-22s %15llu\n", name, (unsigned long long)n);
}

static void
print_bytes(const char *name, uint64_t bytes, uint64_t quads)
{
  printf("%-22s %15llu", name, (unsigned long long)bytes);
  if (quads) printf("  %8.1f a quad", (double)bytes / (double)quads);
  printf("\n");
}

static int
compare_names(const struct dirent **a, const struct dirent **b)
{
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every file of the directory, as the disk has it. */
static void
print_files(const char *path, uint64_t quads)
{
  struct dirent **entries = NULL;
  const int n = scandir(path, &entries, NULL, compare_names);
  const int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  uint64_t total = 0;

  printf("\nfiles (bytes on disk)\n");
  for (int i = 0; i < n; i++) {
    struct stat st;
    if (dir >= 0 && fstatat(dir, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode)) {
      const uint64_t bytes = (uint64_t)st.st_blocks * 512;
      print_bytes(entries[i]->d_name, bytes, quads);
      total += bytes;
    }
    free(entries[i]);
  }
  free(entries);
  if (dir >= 0) close(dir);
  print_bytes("all", total, quads);
}

/* What was done through this handle: nothing yet, where a command opened it to ask. */
static void
print_counters(const quoin_stats *s)
{
  const struct {
    const char *name;
    uint64_t n;
  } counters[] = {{"queries", s->queries},
                  {"matches", s->matches},
                  {"counts", s->counts},
                  {"dumps", s->dumps},
                  {"loads", s->loads},
                  {"updates", s->updates},
                  {"commits", s->commits},
                  {"conflicts", s->conflicts},
                  {"checkpoints", s->checkpoints},
                  {"clears", s->clears},
                  {"compactions", s->compactions},
                  {"refreshes", s->refreshes},
                  {"changes", s->changes},
                  {"syncs of the log", s->log_syncs},
                  {"flushes", s->flushes},
                  {"merges", s->merges},
                  {"delayed commits", s->delayed}};
  bool any = false;

  for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
    if (!counters[i].n) continue;
    if (!any) printf("\nsince the store was opened\n");
    any = true;
    print_number(counters[i].name, counters[i].n);
  }
}

static void
print_stats(const quoin_stats *s, uint64_t dead, const char *path)
{
  print_number("quads", s->quads);
  print_number("  in default graph", s->default_quads);
  print_number("  in named graphs", s->named_quads);
  if (s->graphs != UINT64_MAX) print_number("named graphs", s->graphs);
  print_number("predicates", s->predicates);
  print_number("terms", s->terms);
  print_number("  that nothing uses", dead);
  print_number("blank nodes", s->blank_nodes);
  print_number("runs on disk", s->disk_runs);
  print_number("runs in memory", s->memory_runs);
  print_number("tombstones", s->tombstones);
  print_number("unsaved changes", s->modification - s->saved);
  printf("\nbytes in use\n");
  print_bytes("runs", s->run_bytes, s->quads);
  print_bytes("term text", s->term_bytes, s->quads);
  print_bytes("term places", s->offset_bytes, s->quads);
  print_bytes("term table", s->table_bytes, s->quads);
  print_bytes("log", s->log_bytes, s->quads);
  if (path) print_files(path, s->quads);
  print_counters(s);
}

int
cli_stats(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats stats = QUOIN_STATS_INIT;
  uint64_t dead = 0;
  const char *path = cli_place(args);

  int status = cli_open(&store, args, QUOIN_READ_ONLY);
  if (status) return status;
  if (quoin_store_stats(&stats, store, true, &err) ||
      quoin_store_dead_terms(&dead, store, args->cancel, &err))
    status = cli_report(&err, path);
  else
    print_stats(&stats, dead, args->option[OPT_STORE].text);
  quoin_close(store);
  if (fflush(stdout) || ferror(stdout)) {
    cli_complain("standard output cannot be written");
    status = EXIT_DATA;
  }
  return status;
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

static uint64_t
used_bytes(const quoin_stats *s)
{
  return s->run_bytes + s->term_bytes + s->offset_bytes + s->table_bytes + s->log_bytes;
}

int
cli_compact(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats before = QUOIN_STATS_INIT, after = QUOIN_STATS_INIT;
  const char *path = cli_place(args);
  char count[4][32];

  int status = cli_open(&store, args, QUOIN_READ_WRITE);
  if (status) return status;
  if (quoin_store_stats(&before, store, false, &err) ||
      quoin_store_compact(store, args->option[OPT_MEMORY].number, args->cancel, &err) ||
      quoin_store_stats(&after, store, false, &err))
    status = cli_report(&err, path);
  else
    fprintf(stderr, "%s: %s of %s terms stay, %s of %s bytes\n", path,
            cli_count(count[0], after.terms), cli_count(count[1], before.terms),
            cli_count(count[2], used_bytes(&after)), cli_count(count[3], used_bytes(&before)));
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

int
cli_restore(cli_args *args)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const char *path = args->option[OPT_STORE].text;

  if (quoin_restore(path, args->operands[0], args->cancel, &err)) return cli_report(&err, path);
  fprintf(stderr, "%s: no fault found\n", path);
  return EXIT_DONE;
}
