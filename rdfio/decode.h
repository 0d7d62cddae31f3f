/* rdfio/decode.h - decompression of a stream of bytes, by its first bytes. Private.
 *
 * Sole user of zlib, bzip2, liblzma and zstd. Several members one after another are one stream, as
 * the tools have it; a stream that ends inside a member is CORRUPT. One thread at a time. */
#ifndef QUOIN_RDFIO_DECODE_H
#define QUOIN_RDFIO_DECODE_H

#include "rdfio/rdfio.h"

typedef enum rdfio_codec { RDFIO_PLAIN, RDFIO_GZIP, RDFIO_BZIP2, RDFIO_XZ, RDFIO_ZSTD } rdfio_codec;

typedef struct rdfio_decoder rdfio_decoder;

/* Reads the first bytes through `read` and chooses the codec. `name` is for messages, borrowed. */
quoin_status rdfio_decoder_new(rdfio_decoder **out, rdfio_read_fn read, void *user,
                               const char *name, const base_alloc *mem, quoin_error *err);
rdfio_codec rdfio_decoder_codec(const rdfio_decoder *decoder);
/* As rdfio_read_fn. */
quoin_status rdfio_decoder_read(size_t *got, rdfio_decoder *decoder, void *data, size_t cap,
                                quoin_error *err);
void rdfio_decoder_free(rdfio_decoder *decoder); /* NULL is fine */

#endif /* QUOIN_RDFIO_DECODE_H */
