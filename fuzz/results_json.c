/* fuzz/results_json.c - any bytes as results in JSON: read, or refused with a reason; in one piece
 * and in pieces of some bytes the outcome is the same. */
#define SYNTAX RESULTS_JSON
#include "fuzz/results_read.h"
