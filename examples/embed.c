/* Open a store, load a file, ask a question, print the rows. C11, and C++ as it is.
 *
 *   cc embed.c $(pkg-config --cflags --libs quoin) && ./a.out STORE FILE 'SELECT * { ?s ?p ?o }
 * LIMIT 5' */
#include <quoin/quoin.h>

#include <stdio.h>
#include <string.h>

static quoin_status
print_rows(quoin_cursor *cursor, quoin_error *err)
{
  quoin_status st;

  while ((st = quoin_cursor_next(cursor, err)) == QUOIN_OK) {
    for (size_t col = 0; col < quoin_cursor_columns(cursor); col++) {
      quoin_span name = quoin_cursor_name(cursor, col);
      quoin_span text = quoin_cursor_text(cursor, col); /* valid until the next step */
      printf("%s?%.*s = %.*s", col ? "  " : "", (int)name.len, name.ptr, (int)text.len, text.ptr);
    }
    printf("\n");
  }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

int
main(int argc, char **argv)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_load_result loaded;
  quoin_store *store = NULL;
  quoin_cursor *cursor = NULL;

  if (argc != 4) {
    fprintf(stderr, "usage: embed STORE FILE QUERY\n");
    return 2;
  }
  const char *file = argv[2];
  quoin_span query = {argv[3], strlen(argv[3])};

  options.mode = QUOIN_CREATE;
  quoin_status st = quoin_open(&store, argv[1], &options, &err);
  if (!st) st = quoin_load(&loaded, store, &file, 1, NULL, &err);
  if (!st) st = quoin_query(&cursor, store, query, NULL, &err);
  if (!st) st = print_rows(cursor, &err);
  if (st)
    fprintf(stderr, "%s:%llu:%llu: %s\n", err.file, (unsigned long long)err.line,
            (unsigned long long)err.column, err.message);
  else
    printf("%llu quads were new\n", (unsigned long long)loaded.added);

  quoin_cursor_close(cursor); /* NULL is fine */
  quoin_close(store);
  return st ? 1 : 0;
}
