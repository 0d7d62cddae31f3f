/* base/base.h - what every module stands on: errors, memory, files, mappings, threads, hashes.
 *
 * Knows nothing of RDF. All system calls on files go through base_file and base_map, so that the
 * fault layer of the crash tests can stand in between (base/sys.h). Nothing here keeps mutable
 * state at file scope, prints or exits. Include this header alone: it is the door of the module. */
#ifndef QUOIN_BASE_BASE_H
#define QUOIN_BASE_BASE_H

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/cancel.h"
#include "base/disk_memory.h"
#include "base/error.h"
#include "base/file.h"
#include "base/gate.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/shortest.h"
#include "base/sparse.h"
#include "base/thread.h"
#include "base/utf8.h"

#endif /* QUOIN_BASE_BASE_H */
