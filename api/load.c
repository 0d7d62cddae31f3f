/* RDF in: into a store, and without one. */
#include "load/load.h"
#include "api/term.h"

#include "base/poison.h"

typedef struct load_call {
  quoin_load_options o;
  base_cancel cancel;
  rdf_term graph;
  load_options load;
} load_call;

/* Options checked and put into the form of the modules. `call` must not move afterwards. */
static quoin_status
prepare(load_call *call, const quoin_load_options *opts, quoin_error *err)
{
  quoin_load_options *o = &call->o;
  quoin_status st = QUOIN_OK;

  *call = (load_call){.o = QUOIN_LOAD_OPTIONS_INIT};
  if ((st = api_options(o, sizeof(*o), opts, err))) return st;
  if ((int)o->format < QUOIN_FORMAT_AUTO || o->format > QUOIN_TRIG)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "format of the options is none that there is");
  if (o->base.len && !rdfio_iri_is_absolute(o->base))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "the base is not an absolute IRI");
  if (o->graph.len) {
    const quoin_term graph = {.kind = QUOIN_TERM_IRI, .value = o->graph};
    char label[24];
    if ((st = api_term_in(&call->graph, label, &graph, API_GRAPH, err))) return st;
  }
  call->cancel = api_cancel(o->cancel);
  call->load = (load_options){
      .read = {.format = (rdfio_format)o->format,
               .base = o->base,
               .lenient = o->lenient,
               .threads = o->threads,
               .bad = o->bad,
               .progress = o->progress,
               .user = o->user,
               .cancel = &call->cancel},
      .graph = o->graph.len ? &call->graph : NULL,
      .memory_bytes = o->memory_bytes,
  };
  return QUOIN_OK;
}

static quoin_status
load(quoin_load_result *out, quoin_store *store, rdfio_source *const *sources, size_t n,
     load_call *call, quoin_error *err)
{
  load_result got = {0};

  if (!call->load.read.threads) call->load.read.threads = store->threads;
  quoin_status st = load_sources(&got, store->quads, sources, n, &call->load, &store->mem, err);
  if (out) *out = (quoin_load_result){got.statements, got.added, got.skipped, got.bytes};
  return api_status(st, err);
}

quoin_status
quoin_load(quoin_load_result *out, quoin_store *store, const char *const *files, size_t n_files,
           const quoin_load_options *opts, quoin_error *err)
{
  load_call call;
  rdfio_source **sources = NULL;
  size_t opened = 0;

  if (!store || (!files && n_files))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "store or files is NULL");
  quoin_status st = prepare(&call, opts, err);
  if (st) return st;
  if ((st = api_enter(store, err))) return st;
  if (!(sources = base_new_zero(&store->mem, n_files ? n_files : 1, sizeof(*sources)))) {
    st = base_fail_nomem(err);
    goto done;
  }
  /* All are opened before any is read: a misspelt last name is known at once. */
  for (; opened < n_files; opened++) {
    if (!files[opened]) {
      st = base_fail(err, QUOIN_ERR_ARGUMENT, "a file name is NULL");
      goto done;
    }
    if ((st = rdfio_source_open(&sources[opened], files[opened], &store->mem, err))) goto done;
  }
  st = load(out, store, sources, n_files, &call, err);

done:
  for (size_t i = 0; sources && i < opened; i++)
    rdfio_source_close(sources[i]);
  base_release(&store->mem, sources, n_files ? n_files : 1, sizeof(*sources));
  return api_leave_counted(store, API_OP_LOAD, st);
}

/* What the memory and the callback form share: the source is theirs to make and ours to close. */
static quoin_status
load_one(quoin_load_result *out, quoin_store *store, rdfio_source *source, load_call *call,
         quoin_error *err)
{
  quoin_status st = load(out, store, &source, 1, call, err);
  rdfio_source_close(source);
  return st;
}

quoin_status
quoin_load_memory(quoin_load_result *out, quoin_store *store, quoin_span text,
                  const quoin_load_options *opts, quoin_error *err)
{
  load_call call;
  rdfio_source *source = NULL;

  if (!store || (!text.ptr && text.len))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "store or text is NULL");
  quoin_status st = prepare(&call, opts, err);
  if (st) return st;
  if (call.o.format == QUOIN_FORMAT_AUTO)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "text in memory needs a format in the options");
  if ((st = api_enter(store, err))) return st;
  if (!(st = rdfio_source_memory(&source, text, "text", &store->mem, err)))
    st = load_one(out, store, source, &call, err);
  return api_leave_counted(store, API_OP_LOAD, st);
}

quoin_status
quoin_load_callback(quoin_load_result *out, quoin_store *store, quoin_read_fn read, void *read_user,
                    const char *name, const quoin_load_options *opts, quoin_error *err)
{
  load_call call;
  rdfio_source *source = NULL;

  if (!store || !read) return base_fail(err, QUOIN_ERR_ARGUMENT, "store or read is NULL");
  quoin_status st = prepare(&call, opts, err);
  if (st) return st;
  if (call.o.format == QUOIN_FORMAT_AUTO && !name)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "a stream without a name needs a format");
  if ((st = api_enter(store, err))) return st;
  st = rdfio_source_callback(&source, read, read_user, name ? name : "stream", &store->mem, err);
  if (!st) st = load_one(out, store, source, &call, err);
  (void)api_leave_counted(store, API_OP_LOAD, st);
  return api_status(st, err);
}

/* ---- without a store ------------------------------------------------------------------------- */

typedef struct each_call {
  quoin_statement_fn each;
  void *user;
} each_call;

static quoin_status
give_each(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  const each_call *call = user;
  quoin_statement statement;
  quoin_status st = QUOIN_OK;

  for (size_t i = 0; i < n && !st; i++) {
    api_statement_out(&statement, &quads[i]);
    st = call->each(call->user, &statement, err);
  }
  return st;
}

static quoin_status
write_each(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < n && !st; i++)
    st = rdfio_writer_add(user, &quads[i], err);
  return st;
}

static quoin_status
parse(quoin_load_result *out, const char *file, const quoin_load_options *opts, rdfio_sink_fn sink,
      void *user, quoin_error *err)
{
  load_call call;
  rdfio_source *source = NULL;
  rdfio_read_result got = {0};
  const base_alloc *mem = base_alloc_default();

  quoin_status st = prepare(&call, opts, err);
  if (st) return st;
  if ((st = rdfio_source_open(&source, file, mem, err))) return st;
  st = rdfio_read(&got, source, &call.load.read, sink, user, mem, err);
  rdfio_source_close(source);
  if (out) *out = (quoin_load_result){got.statements, 0, got.skipped, got.bytes};
  return st;
}

quoin_status
quoin_parse(quoin_load_result *out, const char *file, const quoin_load_options *opts,
            quoin_statement_fn each, void *user, quoin_error *err)
{
  each_call call = {each, user};
  if (!file || !each) return base_fail(err, QUOIN_ERR_ARGUMENT, "file or each is NULL");
  return api_status(parse(out, file, opts, give_each, &call, err), err);
}

quoin_status
quoin_parse_write(quoin_load_result *out, const char *file, const quoin_load_options *opts,
                  quoin_write_fn write, void *user, quoin_error *err)
{
  rdfio_writer *writer = NULL;

  if (!file || !write) return base_fail(err, QUOIN_ERR_ARGUMENT, "file or write is NULL");
  quoin_status st = rdfio_writer_new(&writer, RDFIO_NQUADS, write, user, base_alloc_default(), err);
  if (!st) st = parse(out, file, opts, write_each, writer, err);
  if (!st) st = rdfio_writer_finish(writer, err);
  rdfio_writer_free(writer);
  return api_status(st, err);
}
