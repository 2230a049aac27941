/*
 * What sanitizers must be told: which bytes are no memory now, which are undefined, and when stacks
 * change. In other builds all of it is nothing.
 */
#ifndef SB_KERNEL_SANITIZER_H
#define SB_KERNEL_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SB_ASAN 1
#endif
#if __has_feature(memory_sanitizer)
#define SB_MSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SB_ASAN 1
#endif

#if defined(SB_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SB_POISON(at, size) __asan_poison_memory_region((at), (size))
#define SB_UNPOISON(at, size) __asan_unpoison_memory_region((at), (size))
#define SB_UNDEFINED(at, size) ((void)0)
#define SB_NO_SANITIZE __attribute__((no_sanitize("address"), no_sanitize("undefined"), noinline))
#define SB_INLINE
#elif defined(SB_MSAN)
#include <sanitizer/msan_interface.h>
#define SB_POISON(at, size) ((void)0)
#define SB_UNPOISON(at, size) __msan_unpoison((at), (size))
#define SB_UNDEFINED(at, size) __msan_allocated_memory((at), (size))
#define SB_NO_SANITIZE
#define SB_INLINE inline
#else
#define SB_POISON(at, size) ((void)0)
#define SB_UNPOISON(at, size) ((void)0)
#define SB_UNDEFINED(at, size) ((void)0)
#define SB_NO_SANITIZE
#define SB_INLINE inline
#endif

#endif
