/* base/utf8.h - UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, up to U+10FFFF. */
#ifndef QUOIN_BASE_UTF8_H
#define QUOIN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the longest valid prefix of [s, s+len): len when all of it is valid. Fast on ASCII. */
size_t base_utf8_valid(const char *s, size_t len);
/* Decode one code point from [s, s+len), len > 0. Returns its bytes (1-4), or 0 when malformed. */
size_t base_utf8_decode(uint32_t *cp, const char *s, size_t len);
/* Encode into out[4]; returns the bytes, 0 for a surrogate or above U+10FFFF. */
size_t base_utf8_encode(char out[4], uint32_t cp);
/* Code points in valid UTF-8. */
size_t base_utf8_count(const char *s, size_t len);

#endif /* QUOIN_BASE_UTF8_H */
