/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel definitions that checkpoint/image.c needs, for userspace.
 * The other headers of this directory lead here.
 */
#ifndef _CKPT_SHIM_TYPES_H
#define _CKPT_SHIM_TYPES_H

#include_next <linux/types.h>
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define __init
#define __printf(...)

#define U32_MAX			UINT32_MAX
#define min_t(type, a, b)	({ type _a = (a), _b = (b); _a < _b ? _a : _b; })
#define check_add_overflow(a, b, sum)	__builtin_add_overflow(a, b, sum)

static inline size_t array_size(size_t a, size_t b)
{
	size_t bytes;

	return __builtin_mul_overflow(a, b, &bytes) ? SIZE_MAX : bytes;
}

static inline const void *memchr_inv(const void *start, int c, size_t bytes)
{
	const unsigned char *p = start;

	for (; bytes; p++, bytes--)
		if (*p != (unsigned char)c)
			return p;
	return NULL;
}

#define GFP_KERNEL		0

static inline void *kvmalloc(size_t size, int gfp)
{
	(void)gfp;
	return malloc(size);
}

static inline void kvfree(const void *ptr)
{
	free((void *)ptr);
}

#endif
