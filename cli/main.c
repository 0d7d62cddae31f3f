#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static int
print_and_check(int status)
{
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  cli_complain("standard output cannot be written");
  return EXIT_DATA;
}

int
cli_show_version(cli_args *args)
{
  (void)args;
  printf("quoin %s\n", quoin_version());
  return print_and_check(EXIT_DONE);
}

int
cli_show_help(cli_args *args)
{
  const cli_command *command = NULL;

  if (args->n_operands && !(command = cli_command_find(args->operands[0]))) {
    cli_complain("there is no command \"%s\"; quoin help lists them", args->operands[0]);
    return EXIT_USAGE;
  }
  cli_help(stdout, command);
  return print_and_check(EXIT_DONE);
}

static int
run(const cli_command *command, cli_args *args)
{
  quoin_error err = QUOIN_ERROR_INIT;

  if (quoin_cancel_new(&args->cancel, &err)) return cli_report(&err, "quoin");
  cli_catch_signals(args->cancel);
  /* The token is not freed: a signal may come until the process is gone. */
  const int status = command->run(args);
  return !status && cli_unsaved() ? EXIT_DATA : status;
}

int
main(int argc, char **argv)
{
  cli_args args = {0};

  if (argc < 2) {
    cli_help(stderr, NULL);
    return EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
  if (strcmp(name, "--version") == 0) name = "version";
  const cli_command *command = cli_command_find(name);
  if (!command) {
    cli_complain("there is no command \"%s\"; quoin help lists them", argv[1]);
    return EXIT_USAGE;
  }
  int status = cli_parse(&args, command, argc - 2, argv + 2);
  if (!status && args.option[OPT_HELP].given) {
    cli_help(stdout, command);
    status = print_and_check(EXIT_DONE);
  } else if (!status) {
    status = run(command, &args);
  }
  free(args.services);
  return status;
}
