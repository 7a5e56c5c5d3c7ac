/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the kernel that the object hash and the image codec stand on, for
 * userspace. The headers in linux/ lead here.
 */
#ifndef _CKPT_UNIT_SHIM_H
#define _CKPT_UNIT_SHIM_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define U32_MAX			UINT32_MAX
#define BIT(nr)			(1UL << (nr))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define min_t(type, a, b)	({ type a_ = (a), b_ = (b); a_ < b_ ? a_ : b_; })
#define check_add_overflow(a, b, sum)	__builtin_add_overflow(a, b, sum)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define cond_resched()		((void)0)

static inline size_t array_size(size_t a, size_t b)
{
	size_t bytes;

	return __builtin_mul_overflow(a, b, &bytes) ? SIZE_MAX : bytes;
}

static inline const void *memchr_inv(const void *start, int c, size_t bytes)
{
	const u8 *p = start;

	for (; bytes; p++, bytes--)
		if (*p != (u8)c)
			return p;
	return NULL;
}

/* Error pointers. */
#define ERR_PTR(err)		((void *)(intptr_t)(err))
#define PTR_ERR(ptr)		((long)(intptr_t)(ptr))
#define IS_ERR(ptr)		((uintptr_t)(ptr) >= (uintptr_t)-4095)

/* Allocation: fails once if shim_fail_alloc counts down to 0. */
extern long shim_fail_alloc;

static inline void *shim_alloc(size_t nr, size_t size)
{
	if (shim_fail_alloc > 0 && !--shim_fail_alloc)
		return NULL;
	return calloc(nr, size);
}

enum {
	GFP_KERNEL,
	GFP_KERNEL_ACCOUNT,
	__GFP_NOWARN = 0,
};

static inline void *kcalloc(size_t nr, size_t size, int gfp)
{
	return shim_alloc(nr, size);
}

static inline void *kvcalloc(size_t nr, size_t size, int gfp)
{
	return shim_alloc(nr, size);
}

static inline void *kzalloc(size_t size, int gfp)
{
	return shim_alloc(1, size);
}

static inline void *kvmalloc(size_t size, int gfp)
{
	return shim_alloc(1, size);
}

#define kfree(ptr)		free((void *)(ptr))
#define kvfree(ptr)		free((void *)(ptr))

/* Hashing of keys. */
static inline u32 hash_64(u64 val, unsigned int bits)
{
	return val * 0x9e3779b97f4a7c15ULL >> (64 - bits);
}

/* Lists. */
struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_head *item, struct list_head *head)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

static inline void list_del(struct list_head *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
}

static inline void list_move_tail(struct list_head *item, struct list_head *head)
{
	list_del(item);
	list_add_tail(item, head);
}

static inline void list_splice_tail(struct list_head *list, struct list_head *head)
{
	if (list_empty(list))
		return;
	list->next->prev = head->prev;
	head->prev->next = list->next;
	list->prev->next = head;
	head->prev = list->prev;
}

static inline void hlist_add_head(struct hlist_node *item, struct hlist_head *head)
{
	item->next = head->first;
	if (head->first)
		head->first->pprev = &item->next;
	head->first = item;
	item->pprev = &head->first;
}

#define list_entry(ptr, type, member)	container_of(ptr, type, member)

#define list_for_each_entry(pos, head, member)					\
	for (pos = list_entry((head)->next, __typeof__(*pos), member);		\
	     &pos->member != (head);						\
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

#define list_for_each_entry_safe(pos, n, head, member)				\
	for (pos = list_entry((head)->next, __typeof__(*pos), member),		\
	     n = list_entry(pos->member.next, __typeof__(*pos), member);	\
	     &pos->member != (head);						\
	     pos = n, n = list_entry(n->member.next, __typeof__(*n), member))

#define list_for_each_entry_safe_reverse(pos, n, head, member)			\
	for (pos = list_entry((head)->prev, __typeof__(*pos), member),		\
	     n = list_entry(pos->member.prev, __typeof__(*pos), member);	\
	     &pos->member != (head);						\
	     pos = n, n = list_entry(n->member.prev, __typeof__(*n), member))

#define hlist_entry_safe(ptr, type, member)					\
	({ struct hlist_node *p_ = (ptr); p_ ? container_of(p_, type, member) : NULL; })

#define hlist_for_each_entry(pos, head, member)					\
	for (pos = hlist_entry_safe((head)->first, __typeof__(*(pos)), member);	\
	     pos;								\
	     pos = hlist_entry_safe((pos)->member.next, __typeof__(*(pos)), member))

#endif
