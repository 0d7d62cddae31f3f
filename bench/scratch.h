/* bench/scratch.h - a directory for the stores of a benchmark, which goes away, also when the
 * program is killed: a shell of its own waits for the end of a pipe, and removes it then. */
#ifndef QUOIN_BENCH_SCRATCH_H
#define QUOIN_BENCH_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct scratch {
  char path[512];
  pid_t remover;
  int alive; /* the end of its pipe that this process holds */
} scratch;

static inline void
scratch_fail(const char *what)
{
  perror(what);
  exit(1);
}

/* Signals that end this program end no remover: it never gets them. */
static inline void
scratch_watch(scratch *s)
{
  extern char **environ;
  char shell[] = "sh", option[] = "-c", name[] = "remover";
  char script[] = "read -r line; rm -rf -- \"$1\"";
  char *const arguments[] = {shell, option, script, name, s->path, NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t block;
  int ends[2];

  if (pipe(ends) || fcntl(ends[0], F_SETFD, FD_CLOEXEC) || fcntl(ends[1], F_SETFD, FD_CLOEXEC))
    scratch_fail("pipe");
  (void)sigemptyset(&block);
  (void)sigaddset(&block, SIGINT);
  (void)sigaddset(&block, SIGTERM);
  (void)sigaddset(&block, SIGHUP);
  if (posix_spawn_file_actions_init(&files) || posix_spawnattr_init(&attributes) ||
      posix_spawn_file_actions_adddup2(&files, ends[0], STDIN_FILENO) ||
      posix_spawnattr_setsigmask(&attributes, &block) ||
      posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) ||
      posix_spawn(&s->remover, "/bin/sh", &files, &attributes, arguments, environ))
    scratch_fail("sh");
  (void)posix_spawn_file_actions_destroy(&files);
  (void)posix_spawnattr_destroy(&attributes);
  (void)close(ends[0]);
  s->alive = ends[1];
}

/* Below `under`; NULL: below $TMPDIR or /var/tmp, which lies on a disk where /tmp may not. */
static inline void
scratch_make(scratch *s, const char *under)
{
  if (!under) under = getenv("TMPDIR");
  (void)snprintf(s->path, sizeof s->path, "%s/quoin-bench-XXXXXX",
                 under && *under ? under : "/var/tmp");
  if (!mkdtemp(s->path)) scratch_fail(s->path);
  scratch_watch(s);
}

/* Remove what a store keeps at `path`: files, no folders. */
static inline void
scratch_empty(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;

  while (dir && (e = readdir(dir))) {
    char full[1024];
    if (e->d_name[0] == '.') continue;
    (void)snprintf(full, sizeof full, "%.600s/%.255s", path, e->d_name);
    (void)unlink(full);
  }
  if (dir) (void)closedir(dir);
}

static inline void
scratch_remove(const scratch *s)
{
  int status;

  (void)close(s->alive);
  (void)waitpid(s->remover, &status, 0);
}

#endif /* QUOIN_BENCH_SCRATCH_H */
