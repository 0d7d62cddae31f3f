/* A bit is wrong, or a file ends too early: an error that names file and place, or the right
 * answer. Never another answer, never a crash. check must find what can be found.
 *
 * What it need not find, because it says nothing: the lock file; what lies beyond the marks of the
 * manifest in terms and offsets; what a writing open repairs (slots of the manifest, the table of
 * terms); zeroes that fill up. QUOIN_CRASH_FLIPS: how many a file. */
#include "crash/world.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { FLIPS = 8 };
#else
enum { FLIPS = 40 };
#endif

enum { FILES = 32 };

typedef struct image {
  char name[FILES][64];
  char *data[FILES];
  size_t size[FILES];
  unsigned n;
} image;

static uint64_t random_state;

static uint64_t
draw(void)
{
  random_state += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(random_state);
}

static void
image_take(image *im, const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;
  im->n = 0;
  while (dir && (e = readdir(dir))) {
    char full[400];
    struct stat st;
    if (e->d_name[0] == '.') continue;
    assert_true(im->n < FILES);
    (void)snprintf(full, sizeof full, "%s/%s", path, e->d_name);
    (void)snprintf(im->name[im->n], 64, "%.63s", e->d_name);
    int fd = open(full, O_RDONLY);
    assert_true(fd >= 0 && !fstat(fd, &st));
    im->size[im->n] = (size_t)st.st_size;
    im->data[im->n] = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, im->data[im->n], (size_t)st.st_size), st.st_size);
    im->n++;
    close(fd);
  }
  if (dir) closedir(dir);
}

static void
image_put(const image *im, const char *path)
{
  disk_remove(path);
  assert_int_equal(mkdir(path, 0777), 0);
  for (unsigned i = 0; i < im->n; i++) {
    char full[400];
    (void)snprintf(full, sizeof full, "%s/%s", path, im->name[i]);
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, im->data[i], im->size[i]), im->size[i]);
    close(fd);
  }
}

static void
image_free(image *im)
{
  for (unsigned i = 0; i < im->n; i++)
    free(im->data[i]);
}

/* ---- judging ----------------------------------------------------------------------------------
 */

typedef struct judge {
  const workload *w;
  const char *path, *file;
  uint64_t at; /* of the flip, or the new length */
  bool cut;
  content right[2]; /* all; without the last commit, where its record is what was hit */
  unsigned n_right;
  unsigned refused, found, silent, unplaced;
} judge;

static void
wrong(const judge *j, const char *what, quoin_status st, const quoin_error *err)
{
  fail_msg("%s, %s %s %llu: %s: status %d: %s: %s", j->w->name, j->file,
           j->cut ? "cut to" : "flipped at", (unsigned long long)j->at, what, (int)st, err->file,
           err->message);
}

/* An error must be CORRUPT (VERSION where the version is what was hit), with the file. */
static void
judge_error(judge *j, quoin_status st, const quoin_error *err)
{
  if ((st != QUOIN_ERR_CORRUPT && st != QUOIN_ERR_VERSION && st != QUOIN_ERR_NOT_FOUND) ||
      !err->message[0])
    wrong(j, "not the right error", st, err);
  if (!err->file[0] || (st == QUOIN_ERR_CORRUPT && err->offset == UINT64_MAX)) {
    printf("  no place: %s (%s), %s at %llu\n", err->message, err->file, j->file,
           (unsigned long long)j->at);
    j->unplaced++;
  }
}

/* Answers of an open store in every order. True: all were right. */
static bool
judge_answers(judge *j, quad_store *store, quoin_error *err)
{
  bool right = true;
  for (unsigned order = 0; order < QUAD_ORDERS; order++) {
    content c;
    quoin_status st = world_content(&c, store, (quad_order)order, err);
    if (st) {
      judge_error(j, st, err);
      right = false;
      base_error_clear(err);
      continue;
    }
    bool same = false;
    for (unsigned i = 0; i < j->n_right; i++)
      same |= c.quads == j->right[i].quads && c.hash == j->right[i].hash &&
              c.blanks == j->right[i].blanks;
    if (!same) wrong(j, "a wrong answer", (quoin_status)order, err);
  }
  return right;
}

static void
judge_store(judge *j, bool read_only)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.read_only = read_only};
  quad_store *store;
  quoin_status st = quad_store_open(&store, j->path, &options, base_alloc_default(), &err);
  if (st) {
    judge_error(j, st, &err);
    j->refused++;
    return;
  }
  bool right = judge_answers(j, store, &err);
  st = quad_store_check(store, NULL, NULL, NULL, &err);
  if (st) judge_error(j, st, &err);
  if (!st && !right) wrong(j, "check found nothing", st, &err);
  j->found += st != 0;
  j->silent += st == 0;
  (void)quad_store_close(store, NULL);
}

/* ---- the tests --------------------------------------------------------------------------------
 */

/* Damage file `f` at `at`, look, and mend. */
static void
damage(judge *j, image *im, unsigned f, size_t at, bool cut)
{
  size_t size = im->size[f];
  char kept = im->data[f][at];
  char bit = (char)(1u << draw() % 8);
  j->file = im->name[f];
  j->at = at;
  j->cut = cut;
  if (cut)
    im->size[f] = at;
  else
    im->data[f][at] = (char)(kept ^ bit);
  image_put(im, j->path);
  judge_store(j, draw() % 3 == 0);
  im->size[f] = size;
  im->data[f][at] = kept;
}

/* Up to the last byte that says something, and a little beyond. */
static size_t
used_bytes(const image *im, unsigned f)
{
  size_t end = im->size[f];
  while (end && !im->data[f][end - 1])
    end--;
  return end + 16 < im->size[f] ? end + 16 : im->size[f];
}

/* Half of them hit a byte that is not zero. */
static size_t
draw_place(const image *im, unsigned f, size_t used)
{
  size_t at = draw() % used;
  if (draw() % 2) return at;
  for (size_t i = 0; i < used; i++)
    if (im->data[f][(at + i) % used]) return (at + i) % used;
  return at;
}

static void
damage_file(judge *j, image *im, unsigned f, uint64_t flips)
{
  size_t used = used_bytes(im, f);
  bool log = !strncmp(im->name[f], "log-", 4);
  j->n_right = log ? 2 : 1;
  j->refused = j->found = j->silent = j->unplaced = 0;
  for (uint64_t i = 0; i < flips && used; i++)
    damage(j, im, f, draw_place(im, f, used), false);
  unsigned refused = j->refused, found = j->found, silent = j->silent;
  uint64_t cuts =
      log || !im->size[f] ? 0 : flips / 4; /* those of the log have a test of their own */
  for (uint64_t i = 0; i < cuts; i++)
    damage(j, im, f, draw() % (i % 2 ? im->size[f] : used), true);
  printf("  %-12s %3llu flips: %u refused at opening, %u found by check, %u without effect; "
         "%llu cuts: %u refused, %u found, %u without effect%s\n",
         im->name[f], (unsigned long long)flips, refused, found, silent, (unsigned long long)cuts,
         j->refused - refused, j->found - found, j->silent - silent,
         j->unplaced ? "; ERRORS WITHOUT A PLACE" : "");
  if (j->unplaced) fail_msg("%s: %u errors name no file and offset", im->name[f], j->unplaced);
  if (strncmp(im->name[f], "run-", 4) == 0) assert_true(silent * 20 <= flips);
}

static const step store_steps[] = {{STEP_OPEN, 0, 0, 0, 0},          {STEP_LOAD, 0, 1200, 0, 0},
                                   {STEP_COMMIT, 1200, 30, 10, 15},  {STEP_CHECKPOINT, 0, 0, 0, 0},
                                   {STEP_COMMIT, 1230, 20, 100, 10}, {STEP_COMMIT, 1250, 10, 0, 0}};
static const workload narrow = {.name = "flips", .steps = store_steps, .n_steps = 6, .crash = 6};
static const workload wide = {
    .name = "flips, wide", .steps = store_steps, .n_steps = 6, .crash = 6, .wide = true};

static void
test_flips__error_or_right_answer(void **state)
{
  const workload *w = *state;
  uint64_t flips = world_number("QUOIN_CRASH_FLIPS", FLIPS);
  scratch dir;
  image im;
  random_state = world_number("QUOIN_SEED", 1);
  scratch_make(&dir);
  beginning *b = beginning_new(w, dir.store); /* as a crash leaves it: with a log */
  beginning_put(b, dir.store);
  image_take(&im, dir.store);
  judge j = {.w = w, .path = dir.store};
  j.right[0] = world_expect(w, 0x3f);
  j.right[1] = world_expect(w, 0x1f);
  printf("%s, seed %llu\n", w->name, (unsigned long long)random_state);
  for (unsigned f = 0; f < im.n; f++)
    damage_file(&j, &im, f, flips);
  image_free(&im);
  beginning_free(b);
  scratch_remove(&dir);
}

/* One slot is damaged: reading goes on, check says so, and opening for writing mends it. */
static void
judge_slot(judge *j, uint64_t slot_at, bool read_only)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.read_only = read_only};
  quad_store *store;
  quoin_status st = quad_store_open(&store, j->path, &options, base_alloc_default(), &err);

  if (st) wrong(j, "opening", st, &err);
  if (!judge_answers(j, store, &err)) wrong(j, "an error", st, &err);
  st = quad_store_check(store, NULL, NULL, NULL, &err);
  if (read_only &&
      (st != QUOIN_ERR_CORRUPT || strcmp(err.file, "manifest") || err.offset != slot_at))
    wrong(j, "check did not find it", st, &err);
  if (!read_only && st) wrong(j, "it was not mended", st, &err);
  (void)quad_store_close(store, NULL);
}

static void
test_flips__a_slot_of_the_manifest(void **state)
{
  enum { SLOT = 48, STEP = 4096 };
  scratch dir;
  image im;
  unsigned f = 0;

  (void)state;
  random_state = world_number("QUOIN_SEED", 1);
  scratch_make(&dir);
  beginning *b = beginning_new(&narrow, dir.store);
  beginning_put(b, dir.store);
  image_take(&im, dir.store);
  while (strcmp(im.name[f], "manifest"))
    f++;
  judge j = {.w = &narrow, .path = dir.store, .file = "manifest", .n_right = 1};
  j.right[0] = world_expect(&narrow, 0x3f);
  for (unsigned at = (unsigned)(draw() % 4); at < 2 * SLOT; at += 4) {
    uint64_t slot_at = at < SLOT ? 0 : STEP;
    j.at = slot_at + at % SLOT;
    im.data[f][j.at] = (char)(im.data[f][j.at] ^ (char)(1u << draw() % 8));
    image_put(&im, dir.store);
    judge_slot(&j, slot_at, true);
    judge_slot(&j, slot_at, false);
    beginning_put(b, dir.store);
    image_free(&im);
    image_take(&im, dir.store);
    for (f = 0; strcmp(im.name[f], "manifest"); f++)
      ;
  }
  image_free(&im);
  beginning_free(b);
  scratch_remove(&dir);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      {.name = "narrow",
       .test_func = test_flips__error_or_right_answer,
       .initial_state = (void *)(uintptr_t)&narrow},
      {.name = "wide",
       .test_func = test_flips__error_or_right_answer,
       .initial_state = (void *)(uintptr_t)&wide},
      cmocka_unit_test(test_flips__a_slot_of_the_manifest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
