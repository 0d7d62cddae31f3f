/* vector/section.c - the section of the manifest that names the graphs. */
#include "vector/index.h"

#include "base/poison.h"

enum { SECTION_HEAD = 32, SECTION_ENTRY = 72, SECTION_FORMAT = 1 };

void
vec_section_head(base_buffer *out, const vec_indexes *ix, uint64_t version, size_t n)
{
  base_buffer_text(out, "QUOINVEC");
  base_buffer_u32(out, SECTION_FORMAT);
  base_buffer_u32(out, (uint32_t)n);
  base_buffer_u64(out, version);
  base_buffer_u64(out, atomic_load(&ix->next_id));
}

void
vec_section_entry(base_buffer *out, const vec_index *index)
{
  const vec_declaration *d = &index->declared;
  base_buffer_u64(out, d->predicate.bits);
  base_buffer_u32(out, d->dimension);
  base_buffer_u32(out, (uint32_t)d->metric | (uint32_t)d->code << 8 |
                           (atomic_load(&index->saved_uncertain) ? 1u << 16 : 0));
  base_buffer_u32(out, d->m);
  base_buffer_u32(out, d->ef_construction);
  base_buffer_u64(out, index->id);
  base_buffer_u64(out, index->saved_mark);
  base_buffer_u64(out, index->root.generation);
  base_buffer_u64(out, index->root.offset);
  base_buffer_u64(out, index->root.length);
  base_buffer_u64(out, index->root.checksum);
}

bool
vec_index_is_uncertain(const vec_index *index)
{
  return atomic_load(&index->broken) || atomic_load(&index->loading) ||
         atomic_load(&index->unsure) ||
         atomic_load(&index->late.done) < atomic_load(&index->late.count) ||
         atomic_load(&index->verified) != atomic_load(&index->verify_wanted) ||
         atomic_load(&index->leaving);
}

/* None of a graph that cannot be read: it is made again from the quads. Where it is given up for
 * something else the graph of the last checkpoint stays, to be compared with them. */
static quoin_status
save_index(vec_indexes *ix, vec_index *index, uint64_t version, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT;
  hnsw_root root = index->root;
  /* The mark before the graph: what it covers is in what is saved. */
  uint64_t mark = atomic_load(&index->mark);
  if (!atomic_load(&index->broken)) {
    quoin_status st = hnsw_checkpoint(&root, index->graph, quad_store_dir(ix->store), &why);
    if (st && !vec_is_damage(&why)) return vec_fail_as(&why, err);
    if (st) vec_index_give_up(ix, index, &why);
  }
  index->unsaved = false;
  atomic_store(&index->saved_uncertain,
               vec_index_is_uncertain(index) || atomic_load(&index->horizon) > version);
  if (atomic_load(&index->broken) && !vec_is_damage(&index->damage)) return QUOIN_OK;
  if (atomic_load(&index->broken)) root = (hnsw_root){0};
  index->root = root;
  index->saved_mark = root.generation ? mark : 0;
  index->saved_version = version;
  atomic_store(&index->replaces, 0); /* what it replaces is named no more */
  return QUOIN_OK;
}

quoin_status
vec_section_write(base_buffer *out, vec_indexes *ix, const quad_snapshot *snapshot,
                  uint64_t version, quoin_error *err)
{
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  quoin_status st = QUOIN_OK;
  size_t n = 0;
  for (size_t i = 0; set && i < set->n; i++)
    n += vec_index_is_of(set->index[i], snapshot);
  vec_section_head(out, ix, version, n);
  for (size_t i = 0; !st && set && i < set->n; i++) {
    vec_index *index = set->index[i];
    if (!vec_index_is_of(index, snapshot)) continue; /* of other ids: on its way out */
    if (!(st = save_index(ix, index, version, err))) vec_section_entry(out, index);
  }
  vec_epoch_leave(&ix->users, entered);
  return st;
}

static bool
is_section(quoin_span s)
{
  return s.len >= SECTION_HEAD && memcmp(s.ptr, "QUOINVEC", 8) == 0 &&
         base_load_u32(s.ptr + 8) == SECTION_FORMAT &&
         (s.len - SECTION_HEAD) / SECTION_ENTRY == base_load_u32(s.ptr + 12);
}

uint64_t
vec_section_version(quoin_span section)
{
  return is_section(section) ? base_load_u64(section.ptr + 16) : 0;
}

bool
vec_section_is_ahead(quoin_span section, const quad_snapshot *snapshot)
{
  uint64_t terms = quad_snapshot_atom_mark(snapshot);
  if (!is_section(section)) return false;
  if (base_load_u64(section.ptr + 16) > quad_snapshot_version(snapshot)) return true;
  for (uint32_t i = 0; i < base_load_u32(section.ptr + 12); i++)
    if (base_load_u64(section.ptr + SECTION_HEAD + (size_t)i * SECTION_ENTRY + 32) > terms)
      return true;
  return false;
}

uint64_t
vec_section_next_id(quoin_span section)
{
  return is_section(section) ? base_load_u64(section.ptr + 24) : 1;
}

/* Does the entry name a graph of what is declared? */
static bool
entry_fits(const char *at, const vec_declaration *d)
{
  uint32_t bits = base_load_u32(at + 12);
  return base_load_u64(at) == d->predicate.bits && base_load_u32(at + 8) == d->dimension &&
         (bits & 0xFF) == (uint32_t)d->metric && (bits >> 8 & 0xFF) == (uint32_t)d->code &&
         base_load_u32(at + 16) == d->m && base_load_u32(at + 20) == d->ef_construction &&
         base_load_u64(at + 40);
}

quoin_status
vec_section_open(vec_index *index, vec_indexes *ix, quoin_span section,
                 const quad_snapshot *snapshot, quoin_error *err)
{
  const vec_declaration *d = &index->declared;
  const hnsw_options options = vec_graph_options(d);
  if (!is_section(section) || vec_section_is_ahead(section, snapshot)) return QUOIN_OK;
  uint64_t version = vec_section_version(section);
  for (uint32_t i = 0; i < base_load_u32(section.ptr + 12); i++) {
    const char *at = section.ptr + SECTION_HEAD + (size_t)i * SECTION_ENTRY;
    if (!entry_fits(at, d)) continue;
    const hnsw_root root = {base_load_u64(at + 40), base_load_u64(at + 48), base_load_u64(at + 56),
                            base_load_u64(at + 64)};
    index->id = base_load_u64(at + 24);
    quoin_status st = hnsw_open(&index->graph, quad_store_dir(ix->store), index->id, &root,
                                &options, ix->mem, err);
    if (st && vec_is_damage(err)) return st;
    index->root = root;
    index->saved_mark = base_load_u64(at + 32);
    index->saved_version = version;
    bool uncertain = st || (base_load_u32(at + 12) >> 16 & 1);
    atomic_store(&index->saved_uncertain, uncertain);
    if (st) return st;
    atomic_store(&index->mark, index->saved_mark);
    if (version != quad_snapshot_version(snapshot) || uncertain)
      atomic_store(&index->verify_wanted, 1);
    return QUOIN_OK;
  }
  return QUOIN_OK;
}
