/* The bytes of a file. */
#include "api/handle.h"

#include "base/poison.h"

struct quoin_input {
  rdfio_source *source;
};

quoin_status
quoin_input_open(quoin_input **out, const char *file, quoin_error *err)
{
  const base_alloc *mem = base_alloc_default();
  if (!out || !file) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or file is NULL");
  *out = NULL;
  quoin_input *input = base_new_zero(mem, 1, sizeof(*input));
  if (!input) return base_fail_nomem(err);
  quoin_status st = rdfio_source_open(&input->source, file, mem, err);
  if (st)
    base_release(mem, input, 1, sizeof(*input));
  else
    *out = input;
  return st;
}

quoin_status
quoin_input_read(size_t *got, void *input, void *data, size_t cap, quoin_error *err)
{
  if (!got || !input || !data)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "got, input or data is NULL");
  return rdfio_source_read(got, ((quoin_input *)input)->source, data, cap, err);
}

void
quoin_input_progress(uint64_t *taken, uint64_t *total, const quoin_input *input)
{
  rdfio_source_progress(taken, total, input->source);
}

void
quoin_input_close(quoin_input *input)
{
  if (!input) return;
  rdfio_source_close(input->source);
  base_release(base_alloc_default(), input, 1, sizeof(*input));
}
