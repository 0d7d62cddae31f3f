/* tests/crash/fault.h - the calls of base/sys.h with faults in them, and a journal of what they
 * did.
 *
 * Between fault_begin and fault_end every call on the store's directory is counted; the one chosen
 * with fault_at fails. The journal says what reached the page cache and what was synced, in order:
 * disk.h makes of it what a power cut could leave. Mapped files are looked at before each call:
 * the sectors that changed since the call before are versions of their own. Outside of that the
 * calls are the system's, but nothing is ever really synced: no test here needs it. */
#ifndef QUOIN_TESTS_CRASH_FAULT_H
#define QUOIN_TESTS_CRASH_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAULT_SECTOR = 512, FAULT_PAGE = 4096 };

typedef enum fault_mode {
  FAULT_NONE,
  FAULT_EIO,    /* that call fails */
  FAULT_ENOSPC, /* so does every later one that needs space */
  FAULT_SHORT,  /* a read or write does half */
  FAULT_TORN,   /* a write does half and fails */
  FAULT_MODES
} fault_mode;
extern const char *const fault_mode_names[FAULT_MODES];

typedef enum fault_kind {
  FAULT_CALL, /* what: its name */
  FAULT_MKDIR,
  FAULT_PARENT_SYNC,
  FAULT_CREATE,   /* what: name; file */
  FAULT_RENAME,   /* what, to; file */
  FAULT_UNLINK,   /* what */
  FAULT_DIR_SYNC, /* what is synced: the entries of the directory */
  FAULT_DATA,     /* file, at, len, data: whole sectors as they are now */
  FAULT_SIZE,     /* file, at: its length now */
  FAULT_SYNC,     /* file, [at, at + len) */
  FAULT_SYNC_FAILED,
  FAULT_MAP, /* file: mapped for writing anew */
  FAULT_NOTE /* at: what the test noted */
} fault_kind;

typedef struct fault_event {
  fault_kind kind;
  unsigned file; /* its number in order of creation */
  uint64_t at, len;
  char *data;
  char what[64], to[64];
} fault_event;

typedef struct fault_journal {
  fault_event *events;
  size_t n, room;
  unsigned files;
} fault_journal;

/* Count the calls on the directory `store` (may not exist yet). With a journal (may be NULL), what
 * is there already counts as synced. */
void fault_begin(const char *store, fault_journal *journal);
/* Call number `call` (from 1) fails. */
void fault_at(uint64_t call, fault_mode mode);
void fault_note(uint64_t what); /* into the journal */
/* Stop counting; the number of calls. *struck (may be NULL): the chosen call did come. */
uint64_t fault_end(bool *struck);
/* What was read, by bytes and calls, since fault_begin of files whose name begins so. */
uint64_t fault_read(uint64_t *calls, const char *prefix);
void fault_journal_clear(fault_journal *journal);

/* The mode means something for the call of this name. */
bool fault_applies(fault_mode mode, const char *call);

#endif /* QUOIN_TESTS_CRASH_FAULT_H */
