/* atomstore/head.c - what the files of a store are called, and the header each begins with. */
#include "atomstore/store.h"

#include <stdio.h>

#include "base/poison.h"

static const char *const FILE_NAMES[] = {"terms", "offsets", "table", "vectors"};
static const char FILE_MAGIC[][8] = {
    {'Q', 'U', 'O', 'I', 'N', 'T', 'R', 'M'},
    {'Q', 'U', 'O', 'I', 'N', 'O', 'F', 'F'},
    {'Q', 'U', 'O', 'I', 'N', 'T', 'A', 'B'},
    {'Q', 'U', 'O', 'I', 'N', 'V', 'E', 'C'},
};

void
atom_file_name(char out[64], atom_file file, uint64_t generation, uint64_t table)
{
  if (file == ATOM_FILE_TABLE)
    (void)snprintf(out, 64, "table-%llu-%llu", (unsigned long long)generation,
                   (unsigned long long)table);
  else
    (void)snprintf(out, 64, "%s-%llu", FILE_NAMES[file], (unsigned long long)generation);
}

/* A number as atom_file_name writes it: no sign, no leading zero. */
static bool
name_number(uint64_t *out, const char **at)
{
  const char *p = *at;
  *out = 0;
  if (*p == '0' && p[1] >= '0' && p[1] <= '9') return false;
  for (; *p >= '0' && *p <= '9'; p++)
    if (__builtin_mul_overflow(*out, 10u, out) ||
        __builtin_add_overflow(*out, (uint64_t)(*p - '0'), out))
      return false;
  if (p == *at) return false;
  *at = p;
  return true;
}

/* The file a name stands for; false for names that are not ours. */
static bool
name_parse(atom_file *file, uint64_t *generation, uint64_t *table, const char *name)
{
  for (int i = ATOM_FILE_TERMS; i <= ATOM_FILE_VECTORS; i++) {
    size_t len = strlen(FILE_NAMES[i]);
    if (strncmp(name, FILE_NAMES[i], len) != 0 || name[len] != '-') continue;
    const char *at = name + len + 1;
    *file = (atom_file)i;
    *table = 0;
    if (!name_number(generation, &at)) return false;
    if (i == ATOM_FILE_TABLE && (*at++ != '-' || !name_number(table, &at))) return false;
    return *at == '\0';
  }
  return false;
}

bool
atom_file_is_mine(const char *name)
{
  atom_file file;
  uint64_t generation, table;
  return name_parse(&file, &generation, &table, name);
}

bool
atom_file_is_stale(const char *name, const atom_marks *marks)
{
  atom_file file;
  uint64_t generation, table;
  if (!name_parse(&file, &generation, &table, name)) return false;
  if (generation != marks->generation) return true;
  return file == ATOM_FILE_TABLE && table < marks->table;
}

void
atom_head_seal(atom_file_head *head)
{
  head->checksum = base_hash(head, offsetof(atom_file_head, checksum));
}

atom_file_head
atom_head_make(atom_file file, uint64_t generation, uint64_t table, unsigned bits)
{
  atom_file_head head = {
      .format = ATOM_FORMAT, .slot_bits = bits, .generation = generation, .table = table};
  memcpy(head.magic, FILE_MAGIC[file], sizeof(head.magic));
  atom_head_seal(&head);
  return head;
}

quoin_status
atom_head_read(atom_file_head *out, const base_file *file, atom_file kind, uint64_t generation,
               uint64_t table, quoin_error *err)
{
  quoin_status st = base_file_read(file, out, sizeof(*out), 0, err);
  if (st) return st;
  if (memcmp(out->magic, FILE_MAGIC[kind], sizeof(out->magic)) != 0)
    return base_fail_at(err, QUOIN_ERR_CORRUPT, file->name, 0, "not a file of atom %s",
                        FILE_NAMES[kind]);
  if (out->format != ATOM_FORMAT)
    return base_fail_at(err, QUOIN_ERR_VERSION, file->name, offsetof(atom_file_head, format),
                        "atom format %lu is not the one that this library reads (%d)",
                        (unsigned long)out->format, ATOM_FORMAT);
  if (!base_sum_matches(out->checksum, base_hash(out, offsetof(atom_file_head, checksum))))
    return base_fail_at(err, QUOIN_ERR_CORRUPT, file->name, offsetof(atom_file_head, checksum),
                        "the header does not match its checksum");
  if (out->generation != generation || out->table != table)
    return base_fail_at(err, QUOIN_ERR_CORRUPT, file->name, offsetof(atom_file_head, generation),
                        "the header is of another file than the name says");
  return QUOIN_OK;
}
