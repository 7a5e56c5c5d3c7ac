/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Enough of KUnit to run the kernel's own tests in userspace. An assertion ends
 * a test by longjmp(); what the test has allocated is freed after it.
 */
#ifndef _CKPT_UNIT_KUNIT_H
#define _CKPT_UNIT_KUNIT_H

#include <setjmp.h>

#include "../shim.h"

struct kunit_alloc {
	struct kunit_alloc *next;
	u64 data[];
};

struct kunit {
	void *priv;
	bool failed;
	jmp_buf abort;
	struct kunit_alloc *allocs;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

extern struct kunit_suite *kunit_suites[16];
extern unsigned int kunit_nr_suites;

static inline void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	struct kunit_alloc *alloc = calloc(1, sizeof(*alloc) + size);

	if (!alloc)
		abort();
	alloc->next = test->allocs;
	test->allocs = alloc;
	return alloc->data;
}

#define KUNIT_CASE(fn)		{ .run_case = (fn), .name = #fn }
#define KUNIT_CASE_SLOW(fn)	KUNIT_CASE(fn)

#define kunit_test_suite(suite)							\
static void __attribute__((constructor)) suite##_register(void)			\
{										\
	kunit_suites[kunit_nr_suites++] = &(suite);				\
}

#define kunit_test_suites(suite)	kunit_test_suite(*(suite))

#define MODULE_LICENSE(text)		_Static_assert(sizeof(text) > 1, text)
#define MODULE_DESCRIPTION(text)	_Static_assert(sizeof(text) > 1, text)

#define KUNIT_FAIL_(test, fatal, ...)						\
do {										\
	printf("# %s:%d: ", __FILE__, __LINE__);				\
	printf(__VA_ARGS__);							\
	printf("\n");								\
	(test)->failed = true;							\
	if (fatal)								\
		longjmp((test)->abort, 1);					\
} while (0)

#define KUNIT_FAIL(test, ...)	KUNIT_FAIL_(test, false, __VA_ARGS__)

#define KUNIT_CMP_(test, fatal, l, op, r)					\
do {										\
	__typeof__(l) left_ = (l);						\
	__typeof__(r) right_ = (r);						\
	if (!(left_ op right_))							\
		KUNIT_FAIL_(test, fatal, "%s %s %s: %lld and %lld", #l, #op, #r,	\
			    (long long)left_, (long long)right_);		\
} while (0)

#define KUNIT_STREQ_(test, fatal, l, r)						\
do {										\
	const char *left_ = (l), *right_ = (r);					\
	if (!left_ || !right_ || strcmp(left_, right_))				\
		KUNIT_FAIL_(test, fatal, "%s is \"%s\", not \"%s\"", #l,	\
			    left_ ? left_ : "(null)", right_ ? right_ : "(null)");	\
} while (0)

#define KUNIT_MEMEQ_(test, fatal, l, r, n)					\
do {										\
	if (memcmp(l, r, n))							\
		KUNIT_FAIL_(test, fatal, "%s and %s differ", #l, #r);		\
} while (0)

#define KUNIT_EXPECT_EQ(test, l, r)		KUNIT_CMP_(test, false, l, ==, r)
#define KUNIT_EXPECT_NE(test, l, r)		KUNIT_CMP_(test, false, l, !=, r)
#define KUNIT_EXPECT_LE(test, l, r)		KUNIT_CMP_(test, false, l, <=, r)
#define KUNIT_EXPECT_PTR_EQ(test, l, r)		\
	KUNIT_EXPECT_EQ(test, (uintptr_t)(l), (uintptr_t)(r))
#define KUNIT_EXPECT_TRUE(test, c)		KUNIT_EXPECT_EQ(test, !!(c), 1)
#define KUNIT_EXPECT_FALSE(test, c)		KUNIT_EXPECT_EQ(test, !!(c), 0)
#define KUNIT_EXPECT_NULL(test, p)		KUNIT_EXPECT_PTR_EQ(test, p, NULL)
#define KUNIT_EXPECT_STREQ(test, l, r)		KUNIT_STREQ_(test, false, l, r)
#define KUNIT_EXPECT_MEMEQ(test, l, r, n)	KUNIT_MEMEQ_(test, false, l, r, n)
#define KUNIT_ASSERT_EQ(test, l, r)		KUNIT_CMP_(test, true, l, ==, r)
#define KUNIT_ASSERT_LE(test, l, r)		KUNIT_CMP_(test, true, l, <=, r)
#define KUNIT_ASSERT_NE(test, l, r)		KUNIT_CMP_(test, true, l, !=, r)
#define KUNIT_ASSERT_TRUE(test, c)		KUNIT_ASSERT_EQ(test, !!(c), 1)
#define KUNIT_ASSERT_FALSE(test, c)		KUNIT_ASSERT_EQ(test, !!(c), 0)
#define KUNIT_ASSERT_STREQ(test, l, r)		KUNIT_STREQ_(test, true, l, r)
#define KUNIT_ASSERT_NOT_NULL(test, p)		KUNIT_ASSERT_NE(test, (uintptr_t)(p), 0UL)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p)					\
do {										\
	const void *ptr_ = (p);							\
	KUNIT_ASSERT_TRUE(test, ptr_ && !IS_ERR(ptr_));				\
} while (0)

#endif
