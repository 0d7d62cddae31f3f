/* vector/tensor.h - private. */
#ifndef QUOIN_VECTOR_TENSOR_H
#define QUOIN_VECTOR_TENSOR_H

#include "atomstore/atomstore.h"

#define VEC_TENSOR "https://w3id.org/rdf-tensor/datatypes#NumericDataTensor"

/* The array of numbers in the text of a VEC_TENSOR of one dimension, and how many it says they are;
 * false: it is no such thing. */
bool vec_tensor_data(quoin_span *data, uint64_t *n, quoin_span text);

#endif /* QUOIN_VECTOR_TENSOR_H */
