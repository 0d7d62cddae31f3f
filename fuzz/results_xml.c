/* fuzz/results_xml.c - any bytes as results in XML: read, or refused with a reason; in one piece
 * and in pieces of some bytes the outcome is the same. */
#define SYNTAX RESULTS_XML
#include "fuzz/results_read.h"
