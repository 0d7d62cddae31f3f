/* rdfio/lines_avx2.c - the scan of lines with AVX2: compiled with -mavx2, called after a check. */
#define LINES_SCAN rdfio_lines_scan_avx2
#include "rdfio/lines_scan.h"

#include "base/poison.h"
