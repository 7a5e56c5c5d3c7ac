// SPDX-License-Identifier: GPL-2.0
/* Protection keys of memory, and the rights that threads have. */
#include <setjmp.h>

#include "mapping.h"

static bool have_pkeys(void)
{
	int key = pkey_alloc(0, 0);

	return key >= 0 && !pkey_free(key);
}

/* What the CPU says when memory is touched that the key of this thread forbids. */
static sigjmp_buf forbidden;

static void caught(int sig, siginfo_t *info, void *ctx)
{
	if (info->si_code == SEGV_PKUERR)
		siglongjmp(forbidden, 1);
	_exit(3);
}

static unsigned int read_pkru(void)
{
	unsigned int pkru, edx;

	asm volatile("rdpkru" : "=a" (pkru), "=d" (edx) : "c" (0));
	return pkru;
}

static bool allowed(volatile unsigned char *p, bool write)
{
	struct sigaction sa = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };
	unsigned int pkru = read_pkru();
	bool ok = false;

	CHECK(!sigaction(SIGSEGV, &sa, NULL));
	if (!sigsetjmp(forbidden, 1)) {
		if (write)
			p[0] = p[0];
		else
			(void)p[0];
		ok = true;
	}
	/* A handler starts with keys of its own, and this one did not return. */
	asm volatile("wrpkru" : : "a" (pkru), "c" (0), "d" (0) : "memory");
	signal(SIGSEGV, SIG_DFL);
	return ok;
}

SURVIVE_IF(protection_keys, have_pkeys(), "no protection keys")
{
	unsigned char *p = map(4 * PAGE, RW, ANON, -1), *shared, *huge;
	int key[3], i;

	for (i = 0; i < 3; i++) {
		key[i] = pkey_alloc(0, 0);
		CHECK(key[i] > 0);
	}
	CHECK(!pkey_free(key[1]));
	fill(p, 4 * PAGE, 21);
	CHECK(!pkey_mprotect(p + PAGE, 2 * PAGE, RW, key[0]));
	shared = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	CHECK(!pkey_mprotect(shared, PAGE, RW, key[2]));
	huge = huge_area(HUGE);
	fill(huge, HUGE, 22);
	CHECK(!pkey_mprotect(huge, HUGE, RW, key[0]));
	CHECK(!pkey_set(key[0], PKEY_DISABLE_ACCESS));
	CHECK(!pkey_set(key[2], PKEY_DISABLE_WRITE));
	CHECK_EQ(smaps_kb(p + PAGE, "ProtectionKey"), key[0]);
	subject_ready();
	CHECK_EQ(pkey_get(key[0]), PKEY_DISABLE_ACCESS);
	CHECK_EQ(pkey_get(key[2]), PKEY_DISABLE_WRITE);
	CHECK_EQ(smaps_kb(p, "ProtectionKey"), 0);
	CHECK_EQ(smaps_kb(p + PAGE, "ProtectionKey"), key[0]);
	CHECK_EQ(smaps_kb(p + 3 * PAGE, "ProtectionKey"), 0);
	CHECK_EQ(smaps_kb(shared, "ProtectionKey"), key[2]);
	CHECK(!allowed(p + PAGE, false) && allowed(p + 3 * PAGE, true));
	CHECK(!allowed(shared, true) && allowed(shared, false));
	CHECK(!allowed(huge + 5 * PAGE, false));
	CHECK(!pkey_set(key[0], 0));
	verify(p, 4 * PAGE, 21);
	verify(huge, HUGE, 22);
	/* key[1] is free, the others are not */
	CHECK_EQ(pkey_alloc(0, 0), key[1]);
	CHECK(pkey_alloc(0, 0) > key[2]);
	CHECK(!pkey_free(key[0]));
}

SURVIVE_IF(pages_swapped_behind_a_protection_key, have_pkeys(), "no protection keys")
{
	unsigned char *p = map(8 * PAGE, RW, ANON, -1);
	int key = pkey_alloc(0, 0);

	fill(p, 8 * PAGE, 23);
	CHECK(!mlock(p, 8 * PAGE));
	CHECK(!pkey_mprotect(p, 8 * PAGE, PROT_READ, key));
	CHECK(!pkey_set(key, PKEY_DISABLE_ACCESS));
	subject_ready();
	CHECK_EQ(smaps_kb(p, "Locked"), 32);
	CHECK(!allowed(p, false));
	CHECK(!pkey_set(key, 0));
	verify(p, 8 * PAGE, 23);
}

SURVIVE_IF(execute_only_memory, have_pkeys(), "no protection keys")
{
	unsigned char *p = map(PAGE, RW, ANON, -1), *q = map(PAGE, RW, ANON, -1);
	int key;

	p[0] = 0xc3;
	CHECK(!mprotect(p, PAGE, PROT_EXEC));
	key = smaps_kb(p, "ProtectionKey");
	CHECK(key > 0);
	subject_ready();
	CHECK_EQ(smaps_kb(p, "ProtectionKey"), key);
	CHECK(!allowed(p, false));
	((void (*)(void))p)();
	/* the same key again, and it is not for sale */
	CHECK(!mprotect(q, PAGE, PROT_EXEC));
	CHECK_EQ(smaps_kb(q, "ProtectionKey"), key);
	CHECK(pkey_mprotect(q, PAGE, RW, key) && errno == EINVAL);
	CHECK(pkey_free(key) && errno == EINVAL);
}

TEST_HARNESS_MAIN
