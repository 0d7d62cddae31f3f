/* tests/crash/disk.h - what a disk may hold after a power cut, from the journal of fault.h.
 *
 * A sector of a file is as it was at the last sync or as any later version had it; so is the
 * length of a file. An entry of the directory that was made, renamed or removed since the
 * directory was synced may be so or not. What a failed sync covered may never get there, whatever
 * is synced later; in a mapped file, until it is mapped again: writing the same bytes into a
 * mapping makes its pages dirty, but leaves no trace here. */
#ifndef QUOIN_TESTS_CRASH_DISK_H
#define QUOIN_TESTS_CRASH_DISK_H

#include "crash/fault.h"

typedef enum disk_choice {
  DISK_OLD,  /* nothing but what was synced */
  DISK_NEW,  /* everything */
  DISK_MIXED /* by seed; even seeds choose by page, odd ones by sector */
} disk_choice;

typedef struct disk disk;

disk *disk_new(const fault_journal *journal);
void disk_free(disk *d);
/* One event further. */
void disk_apply(disk *d, const fault_event *event);
/* Changes whenever the answer of disk_write may. */
uint64_t disk_changes(const disk *d);
/* Choose, and put that into the directory `path`, whose parent exists. Returns a hash of it. */
uint64_t disk_choose(disk *d, disk_choice choice, uint64_t seed);
void disk_write(const disk *d, const char *path);
/* Remove the directory `path` and its files. */
void disk_remove(const char *path);

#endif /* QUOIN_TESTS_CRASH_DISK_H */
