/* base/poison.h - include last in a .c file: makes direct use of the C heap fail to compile, and of
 * locks that have no rank (base/thread.h). */
#if defined(__GNUC__)
#pragma GCC poison malloc calloc realloc free strdup strndup
#if !defined(QUOIN_MAKES_LOCKS)
#pragma GCC poison pthread_mutex_init pthread_mutex_lock pthread_mutex_trylock
#pragma GCC poison pthread_rwlock_init pthread_rwlock_rdlock pthread_rwlock_wrlock pthread_spin_lock
#pragma GCC poison pthread_cond_init pthread_cond_wait pthread_cond_timedwait
#endif
#endif
