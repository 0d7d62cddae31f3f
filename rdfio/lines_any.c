/* rdfio/lines_any.c - the scan of lines for any processor. */
#define LINES_SCAN rdfio_lines_scan_any
#include "rdfio/lines_scan.h"

#include "base/poison.h"
