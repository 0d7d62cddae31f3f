/* base/poison.h - include last in a .c file: makes direct use of the C heap fail to compile. */
#if defined(__GNUC__)
#pragma GCC poison malloc calloc realloc free strdup strndup
#endif
