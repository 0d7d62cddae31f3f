/* sparql/expr/regex.c - compiling and matching. The translation of the syntax: regex_translate.c.
 */
#include "sparql/expr/regex.h"

#include "sparql/expr/regex_translate.h"

#include <assert.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/poison.h"

/* Work of one match: about 20 ms of the JIT code of (a+)+$ on the reference machine. The
 * interpreter takes over where the machine has no JIT or its stack of 1 MiB is full: its steps are
 * dearer and its memory is bounded apart. */
enum { MATCH_LIMIT = 5000000, INTERPRETER_LIMIT = 500000, HEAP_LIMIT_KIB = 65536 };
enum { JIT_STACK_FIRST = 32 * 1024, JIT_STACK_MOST = 1024 * 1024 };

struct sparql_regex {
  const base_alloc *mem;
  char *literal; /* the pattern is plain text: no PCRE2 needed */
  size_t literal_len;
  bool anchored; /* of a literal: it begins with ^ */
  bool quoted;   /* flag q: the replacement is plain text */
  pcre2_general_context *general;
  pcre2_code *code;
  pcre2_match_context *context;
  pcre2_match_data *data;
  pcre2_jit_stack *stack; /* made when the built-in 32 KiB are not enough */
  bool empty_known, matches_empty;
};

/* ---- memory: PCRE2 gives no size back, so it is kept in front ---- */

enum { HEAD = 16 };

static void *
pcre_allocate(PCRE2_SIZE size, void *user)
{
  const base_alloc *mem = user;
  size_t whole;
  if (!base_add_size(&whole, size, HEAD)) return NULL;
  char *at = base_new(mem, whole, 1);
  if (!at) return NULL;
  memcpy(at, &whole, sizeof(whole));
  return at + HEAD;
}

static void
pcre_release(void *ptr, void *user)
{
  if (!ptr) return;
  char *at = (char *)ptr - HEAD;
  size_t whole;
  memcpy(&whole, at, sizeof(whole));
  base_release(user, at, whole, 1);
}

/* ---- making ---- */

static bool
is_plain(quoin_span pattern)
{
  for (size_t i = 0; i < pattern.len; i++)
    if (strchr("\\^$.|?*+()[]{}", pattern.ptr[i])) return false; /* NUL too */
  return true;
}

static quoin_status
make_literal(sparql_regex *regex, quoin_span text, quoin_error *err)
{
  if (!(regex->literal = base_new(regex->mem, text.len + 1, 1))) return base_fail_nomem(err);
  if (text.len) memcpy(regex->literal, text.ptr, text.len);
  regex->literal_len = text.len;
  return QUOIN_OK;
}

static quoin_status
compile(sparql_regex *regex, quoin_span pattern, uint32_t options, quoin_error *err)
{
  int code;
  PCRE2_SIZE offset;
  /* the callbacks get the allocator without const and do not change it */
  union {
    const base_alloc *in;
    void *out;
  } user = {.in = regex->mem};
  pcre2_compile_context *context = NULL;
  quoin_status st = QUOIN_ERR_NOMEM;
  regex->general = pcre2_general_context_create(pcre_allocate, pcre_release, user.out);
  if (!regex->general) goto done;
  context = pcre2_compile_context_create(regex->general);
  regex->context = pcre2_match_context_create(regex->general);
  if (!context || !regex->context) goto done;
  (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  (void)pcre2_set_parens_nest_limit(context, 200);
  (void)pcre2_set_match_limit(regex->context, MATCH_LIMIT);
  (void)pcre2_set_heap_limit(regex->context, HEAP_LIMIT_KIB);
  regex->code = pcre2_compile((PCRE2_SPTR)(pattern.len ? pattern.ptr : ""), pattern.len, options,
                              &code, &offset, context);
  if (!regex->code) {
    st = code == PCRE2_ERROR_HEAP_FAILED ? QUOIN_ERR_NOMEM : QUOIN_DONE;
    goto done;
  }
  (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it: interpreted */
  regex->data = pcre2_match_data_create_from_pattern(regex->code, regex->general);
  if (regex->data) st = QUOIN_OK;

done:
  pcre2_compile_context_free(context);
  return st == QUOIN_ERR_NOMEM ? base_fail_nomem(err) : st;
}

quoin_status
sparql_regex_new(sparql_regex **out, quoin_span pattern, quoin_span flags, const base_alloc *mem,
                 quoin_error *err)
{
  regex_flags f;
  base_buffer text;
  quoin_status st = QUOIN_OK;
  *out = NULL;
  if (!regex_flags_read(&f, flags)) return QUOIN_DONE;
  sparql_regex *regex = base_new_zero(mem, 1, sizeof(*regex));
  if (!regex) return base_fail_nomem(err);
  regex->mem = mem;
  regex->quoted = f.quote;
  base_buffer_init(&text, mem);

  bool caret = pattern.len && pattern.ptr[0] == '^' && !f.quote && !f.multiline;
  quoin_span rest = {pattern.ptr + caret, pattern.len - caret};
  if (!f.ignore_case && !f.extended && (f.quote || is_plain(rest))) {
    regex->anchored = caret;
    st = make_literal(regex, rest, err);
    goto done;
  }
  uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
  if (f.dot_all) options |= PCRE2_DOTALL;
  if (f.multiline) options |= PCRE2_MULTILINE;
  if (f.ignore_case) options |= PCRE2_CASELESS;
  if (f.quote) { /* with i */
    options = PCRE2_UTF | PCRE2_LITERAL | PCRE2_CASELESS;
  } else {
    bool unicode = false;
    if (!regex_translate(&text, &unicode, pattern, f.extended)) st = QUOIN_DONE;
    if (unicode) options |= PCRE2_UCP;
    if (text.failed) st = base_fail_nomem(err);
    pattern = (quoin_span){text.data, text.len};
  }
  if (!st) st = compile(regex, pattern, options, err);

done:
  base_buffer_clear(&text);
  if (st)
    sparql_regex_free(regex);
  else
    *out = regex;
  return st;
}

void
sparql_regex_free(sparql_regex *regex)
{
  if (!regex) return;
  pcre2_jit_stack_free(regex->stack);
  pcre2_match_data_free(regex->data);
  pcre2_code_free(regex->code);
  pcre2_match_context_free(regex->context);
  pcre2_general_context_free(regex->general);
  base_release(regex->mem, regex->literal, regex->literal_len + 1, 1);
  base_release(regex->mem, regex, 1, sizeof(*regex));
}

/* ---- matching ---- */

static int
run_once(sparql_regex *regex, quoin_span subject, size_t start, uint32_t options)
{
  return pcre2_match(regex->code, (PCRE2_SPTR)(subject.len ? subject.ptr : ""), subject.len, start,
                     options | PCRE2_NO_UTF_CHECK, regex->data, regex->context);
}

/* As pcre2_match; what cannot be a match or none becomes a status. */
static quoin_status
run(int *count, sparql_regex *regex, quoin_span subject, size_t start, uint32_t options,
    quoin_error *err)
{
  int n = run_once(regex, subject, start, options);
  if (n == PCRE2_ERROR_JIT_STACKLIMIT && !regex->stack) {
    regex->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, regex->general);
    if (!regex->stack) return base_fail_nomem(err);
    pcre2_jit_stack_assign(regex->context, NULL, regex->stack);
    n = run_once(regex, subject, start, options);
  }
  if (n == PCRE2_ERROR_JIT_STACKLIMIT) {
    (void)pcre2_set_match_limit(regex->context, INTERPRETER_LIMIT);
    n = run_once(regex, subject, start, options | PCRE2_NO_JIT);
    (void)pcre2_set_match_limit(regex->context, MATCH_LIMIT);
  }
  *count = n;
  if (n >= 0 || n == PCRE2_ERROR_NOMATCH) return QUOIN_OK;
  if (n == PCRE2_ERROR_NOMEMORY) return base_fail_nomem(err);
  if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT || n == PCRE2_ERROR_HEAPLIMIT)
    return base_fail(
        err, QUOIN_ERR_LIMIT,
        "a regular expression reached its match limit on a text of %zu bytes: expected "
        "a pattern that backtracks less",
        subject.len);
  return base_fail(err, QUOIN_ERR_LIMIT, "a regular expression cannot be matched: PCRE2 error %d",
                   n);
}

/* Where the literal begins at or after `start`; NULL: nowhere. */
static const char *
find_literal(const sparql_regex *regex, quoin_span subject, size_t start)
{
  if (!subject.len) return regex->literal_len ? NULL : "";
  if (regex->literal_len > subject.len - start) return NULL;
  if (!regex->anchored)
    return memmem(subject.ptr + start, subject.len - start, regex->literal, regex->literal_len);
  return start == 0 && !memcmp(subject.ptr, regex->literal, regex->literal_len) ? subject.ptr
                                                                                : NULL;
}

quoin_status
sparql_regex_match(bool *out, sparql_regex *regex, quoin_span subject, quoin_error *err)
{
  int n = 0;
  quoin_status st = QUOIN_OK;
  if (regex->literal) {
    *out = find_literal(regex, subject, 0) != NULL;
    return QUOIN_OK;
  }
  st = run(&n, regex, subject, 0, 0, err);
  *out = n >= 0;
  return st;
}

/* ---- replacing ---- */

static quoin_status
check_length(const base_buffer *buffer, size_t most, quoin_error *err)
{
  if (buffer->failed) return base_fail_nomem(err);
  if (buffer->len <= most || buffer->len <= 4096) return QUOIN_OK;
  return base_fail(err, QUOIN_ERR_LIMIT,
                   "the result of REPLACE is beyond the memory budget of the query at %zu bytes",
                   buffer->len);
}

/* The replacement of one match: "$12" is group 12 if there is one, else group 1 and "2". */
static bool
expand(base_buffer *out, const sparql_regex *regex, quoin_span subject, quoin_span replacement,
       int groups)
{
  const PCRE2_SIZE *at = pcre2_get_ovector_pointer(regex->data);
  uint32_t most = 0;
  (void)pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &most);
  for (size_t i = 0; i < replacement.len; i++) {
    char c = replacement.ptr[i];
    char next = i + 1 < replacement.len ? replacement.ptr[i + 1] : '\0';
    if (c == '\\') {
      if (next != '\\' && next != '$') return false;
      base_buffer_byte(out, next);
      i++;
    } else if (c == '$') {
      if (next < '0' || next > '9') return false;
      uint32_t group = (uint32_t)(next - '0');
      i++;
      for (; i + 1 < replacement.len; i++) {
        unsigned digit = (unsigned)(replacement.ptr[i + 1] - '0');
        if (digit > 9 || group * 10 + digit > most) break;
        group = group * 10 + digit;
      }
      if (group < (uint32_t)groups && at[2 * group] != PCRE2_UNSET)
        base_buffer_add(out, subject.ptr + at[2 * group], at[2 * group + 1] - at[2 * group]);
    } else {
      base_buffer_byte(out, c);
    }
  }
  return true;
}

static quoin_status
replace_literal(base_buffer *buffer, size_t *copied, sparql_regex *regex, quoin_span subject,
                quoin_span replacement, size_t most, quoin_error *err)
{
  const char *at;
  if (!regex->literal_len) return QUOIN_DONE; /* matches the empty string */
  while ((at = find_literal(regex, subject, *copied))) {
    size_t start = (size_t)(at - subject.ptr);
    base_buffer_add(buffer, subject.ptr + *copied, start - *copied);
    for (size_t i = 0; i < replacement.len; i++) {
      char c = replacement.ptr[i];
      if (!regex->quoted && c == '\\') {
        char next = i + 1 < replacement.len ? replacement.ptr[i + 1] : '\0';
        if (next != '\\' && next != '$') return QUOIN_DONE;
        c = next;
        i++;
      } else if (!regex->quoted && c == '$') {
        if (i + 1 == replacement.len || replacement.ptr[i + 1] < '0' ||
            replacement.ptr[i + 1] > '9')
          return QUOIN_DONE;
        if (replacement.ptr[++i] == '0')
          base_buffer_add(buffer, regex->literal, regex->literal_len);
        continue; /* a group that is not there: nothing */
      }
      base_buffer_byte(buffer, c);
    }
    *copied = start + regex->literal_len;
    quoin_status st = check_length(buffer, most, err);
    if (st) return st;
    if (*copied >= subject.len) break;
  }
  return QUOIN_OK;
}

static quoin_status
replace_matches(base_buffer *buffer, size_t *copied, sparql_regex *regex, quoin_span subject,
                quoin_span replacement, size_t most, quoin_error *err)
{
  int n;
  quoin_status st;
  if (!regex->empty_known) {
    if ((st = run(&n, regex, (quoin_span){"", 0}, 0, 0, err))) return st;
    regex->empty_known = true;
    regex->matches_empty = n >= 0;
  }
  if (regex->matches_empty) return QUOIN_DONE;
  for (size_t start = 0; start <= subject.len;) {
    /* an empty match can still come from \b or look-around: it is passed over */
    if ((st = run(&n, regex, subject, start, PCRE2_NOTEMPTY, err))) return st;
    if (n < 0) break;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(regex->data);
    size_t from = at[0], to = at[1];
    if (from < *copied || to <= from) break; /* \K backwards */
    base_buffer_add(buffer, subject.ptr + *copied, from - *copied);
    if (regex->quoted)
      base_buffer_span(buffer, replacement);
    else if (!expand(buffer, regex, subject, replacement, n))
      return QUOIN_DONE;
    start = *copied = to;
    if ((st = check_length(buffer, most, err))) return st;
  }
  return QUOIN_OK;
}

quoin_status
sparql_regex_replace(quoin_span *out, sparql_regex *regex, quoin_span subject,
                     quoin_span replacement, size_t most, base_arena *arena, quoin_error *err)
{
  base_buffer buffer;
  size_t copied = 0;
  base_buffer_init(&buffer, regex->mem);
  quoin_status st = regex->literal
                        ? replace_literal(&buffer, &copied, regex, subject, replacement, most, err)
                        : replace_matches(&buffer, &copied, regex, subject, replacement, most, err);
  if (!st && copied == 0) {
    *out = subject;
  } else if (!st) {
    base_buffer_add(&buffer, subject.ptr + copied, subject.len - copied);
    if (!buffer.failed) *out = base_arena_copy(arena, (quoin_span){buffer.data, buffer.len});
    if (buffer.failed || !out->ptr) st = base_fail_nomem(err);
  }
  base_buffer_clear(&buffer);
  return st;
}
