// SPDX-License-Identifier: GPL-2.0
/* Special kinds of memory: what comes back as it was, and what is refused by name. */
#include <linux/io_uring.h>
#include <linux/memfd.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "mapping.h"
#include "stalled.h"

#define PAGE	4096UL
#define HUGE	(2UL << 20)
#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif
#ifndef __NR_mseal
#define __NR_mseal	462
#endif

static void fill(unsigned char *p, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i += 64)
		p[i] = i >> 6 ^ i >> 12 ^ seed;
}

static void verify(const unsigned char *p, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i += 64)
		CHECK_EQ(p[i], (unsigned char)(i >> 6 ^ i >> 12 ^ seed));
}

static unsigned char *huge_area(size_t len)
{
	unsigned long p = (unsigned long)map(len + HUGE, RW, ANON, -1);

	p = (p + HUGE - 1) & ~(HUGE - 1);
	CHECK(!madvise((void *)p, len, MADV_HUGEPAGE));
	return (void *)p;
}

SURVIVE(huge_pages_stay_huge)
{
	unsigned char *p = huge_area(4 * HUGE);
	unsigned long kb;

	fill(p, 3 * HUGE, 1);
	p[3 * HUGE + 5] = 77;
	kb = smaps_kb(p, "AnonHugePages");
	CHECK_EQ(kb, 4 * HUGE >> 10);
	subject_ready();
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), kb);
	verify(p, 3 * HUGE, 1);
	CHECK_EQ(p[3 * HUGE + 5], 77);
	CHECK_EQ(p[3 * HUGE + 6], 0);
	CHECK_EQ(p[4 * HUGE - 1], 0);
	memset(p, 2, 4 * HUGE);
}

SURVIVE(huge_page_in_pieces)
{
	unsigned char *p = huge_area(2 * HUGE);

	fill(p, 2 * HUGE, 3);
	CHECK(!mprotect(p + HUGE / 2, 4 * PAGE, PROT_READ));
	CHECK(!munmap(p + HUGE + HUGE / 2, PAGE));
	subject_ready();
	verify(p, HUGE + HUGE / 2, 3);
	p += HUGE + HUGE / 2 + PAGE;
	CHECK_EQ(p[0], (unsigned char)((HUGE + HUGE / 2 + PAGE) >> 6 ^
				       (HUGE + HUGE / 2 + PAGE) >> 12 ^ 3));
}

SURVIVE(huge_pages_shared_with_a_child)
{
	unsigned char *p = huge_area(2 * HUGE);
	volatile int *shared = (void *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	int status;
	pid_t kid;

	fill(p, 2 * HUGE, 4);
	kid = fork();
	if (!kid) {
		p[0] = 200;
		shared[0] = 1;
		while (shared[1] != 1)
			subject_sleep_ms(1);
		CHECK_EQ(p[0], 200);
		p[0] = 4;
		verify(p, 2 * HUGE, 4);
		_exit(0);
	}
	while (shared[0] != 1)
		subject_sleep_ms(1);
	subject_ready();
	verify(p, 2 * HUGE, 4);
	memset(p, 0, 2 * HUGE);
	shared[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

SURVIVE(huge_pages_that_a_child_shared)
{
	unsigned char *p = huge_area(4 * HUGE);
	pid_t kid;

	fill(p, 4 * HUGE, 5);
	kid = fork();
	if (!kid)
		_exit(p[0] != 5);
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 4 * HUGE >> 10);
	subject_ready();
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 4 * HUGE >> 10);
	verify(p, 4 * HUGE, 5);
}

SURVIVE(locked_memory)
{
	unsigned char *p = map(16 * PAGE, RW, ANON, -1);
	unsigned char *q = map(16 * PAGE, RW, ANON, -1);
	unsigned char vec[16];
	int i;

	fill(p, 4 * PAGE, 5);
	CHECK(!mlock(p, 16 * PAGE));
	CHECK(!syscall(SYS_mlock2, q, 16 * PAGE, MLOCK_ONFAULT));
	q[0] = 1;
	subject_ready();
	verify(p, 4 * PAGE, 5);
	CHECK_EQ(smaps_kb(p, "Locked"), 64);
	CHECK(!mincore(p, 16 * PAGE, vec));
	for (i = 0; i < 16; i++)
		CHECK_EQ(vec[i] & 1, 1);
	CHECK(!mincore(q, 16 * PAGE, vec));
	CHECK_EQ(vec[0] & 1, 1);
	CHECK_EQ(vec[1] & 1, 0);
	CHECK(!munlock(p, 16 * PAGE));
	CHECK(!munlock(q, 16 * PAGE));
}

SURVIVE(future_mappings_are_locked)
{
	unsigned char *p, vec[1];

	CHECK(!mlockall(MCL_FUTURE));
	subject_ready();
	p = map(PAGE, RW, ANON, -1);
	CHECK(!mincore(p, PAGE, vec));
	CHECK_EQ(vec[0] & 1, 1);
	CHECK_EQ(smaps_kb(p, "Locked"), 4);
	CHECK(!munlockall());
}

SURVIVE(pages_that_were_swapped_or_reclaimed)
{
	unsigned char *p = map(64 * PAGE, RW, ANON, -1);

	fill(p, 64 * PAGE, 6);
	madvise(p, 64 * PAGE, MADV_PAGEOUT);
	subject_ready();
	verify(p, 64 * PAGE, 6);
}

SURVIVE(merged_pages)
{
	unsigned char *p = map(256 * PAGE, RW, ANON, -1);
	int i;

	CHECK(!madvise(p, 256 * PAGE, MADV_MERGEABLE));
	for (i = 0; i < 256; i++)
		memset(p + i * PAGE, 0x55, PAGE);
	subject_ready();
	for (i = 0; i < 256; i++)
		CHECK_EQ(p[i * PAGE + i], 0x55);
	p[0] = 1;
	CHECK_EQ(p[PAGE], 0x55);
	CHECK(!madvise(p, 256 * PAGE, MADV_UNMERGEABLE));
}

SURVIVE(holes_stay_holes)
{
	unsigned char *p = map(64 * PAGE, RW, ANON, -1);
	unsigned char vec[64];
	int i;

	/* read, and written with zeros: neither is worth a page */
	for (i = 0; i < 16; i++)
		CHECK_EQ(p[i * PAGE], 0);
	memset(p + 16 * PAGE, 0, 16 * PAGE);
	p[40 * PAGE + 4095] = 1;
	subject_ready();
	for (i = 0; i < 64; i++)
		CHECK_EQ(p[i * PAGE + 4095], i == 40);
	CHECK(!mincore(p, 64 * PAGE, vec));
	p[0] = 1;
}

SURVIVE(wipe_on_fork_and_dont_fork)
{
	unsigned char *wipe = map(PAGE, RW, ANON, -1), *dont = map(PAGE, RW, ANON, -1);
	int status;
	pid_t kid;

	wipe[0] = 1;
	dont[0] = 2;
	CHECK(!madvise(wipe, PAGE, MADV_WIPEONFORK));
	CHECK(!madvise(dont, PAGE, MADV_DONTFORK));
	subject_ready();
	CHECK_EQ(wipe[0], 1);
	CHECK_EQ(dont[0], 2);
	kid = fork();
	if (!kid) {
		unsigned char vec;

		CHECK_EQ(wipe[0], 0);
		CHECK(mincore(dont, PAGE, &vec) && errno == ENOMEM);
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

SURVIVE(shared_memory_without_owner_mapping)
{
	unsigned char *p = map(8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);

	/* not mapped any more, but part of the same object */
	fill(p, 8 * PAGE, 7);
	CHECK(!munmap(p + 2 * PAGE, 4 * PAGE));
	subject_ready();
	verify(p, 2 * PAGE, 7);
	CHECK(mremap(p, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
}

SURVIVE(shared_memory_sees_all_its_mappings)
{
	unsigned char *p = map(8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1), *q;

	fill(p, 8 * PAGE, 8);
	q = mremap(p, 0, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p);
	CHECK(!mprotect(q, 8 * PAGE, PROT_READ));
	subject_ready();
	verify(q, 8 * PAGE, 8);
	p[3] = 99;
	CHECK_EQ(q[3], 99);
}

SURVIVE(memfd)
{
	int fd = syscall(SYS_memfd_create, "subject", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char link[64] = "", c = 0;
	unsigned char *p;
	struct stat st;

	CHECK(fd >= 0 && !ftruncate(fd, 1 << 20));
	CHECK_EQ(pwrite(fd, "hello", 5, 700000), 5);
	CHECK(!fchmod(fd, 0640));
	p = map(8 * PAGE, RW, MAP_SHARED, fd);
	fill(p, 4 * PAGE, 9);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_EQ(lseek(fd, 42, SEEK_SET), 42);
	subject_ready();
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 42);
	verify(p, 4 * PAGE, 9);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	CHECK_EQ(pread(fd, &c, 1, 700004), 1);
	CHECK_EQ(c, 'o');
	p[1] = 33;
	CHECK_EQ(pread(fd, &c, 1, 1), 1);
	CHECK_EQ(c, 33);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 1 << 20);
	CHECK_EQ(st.st_mode & 0777, 0640);
	CHECK(st.st_blocks < 64 * 8);
	CHECK(ftruncate(fd, 1) && errno == EPERM);
	CHECK(readlink("/proc/self/fd/3", link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(link, "/memfd:subject (deleted)"));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

SURVIVE(memfd_with_pages_behind_its_end)
{
	int fd = syscall(SYS_memfd_create, "subject", MFD_CLOEXEC);
	char c = 'a';

	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, &c, 1, 2 * PAGE), 1);
	CHECK(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * PAGE));
	subject_ready();
	CHECK_EQ(lseek(fd, 0, SEEK_END), 2 * PAGE + 1);
	CHECK(!ftruncate(fd, 4 * PAGE));
	CHECK_EQ(pread(fd, &c, 1, 3 * PAGE), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(pread(fd, &c, 1, 2 * PAGE), 1);
	CHECK_EQ(c, 'a');
}

SURVIVE(sealed_memfd_is_sealed_again)
{
	int fd = syscall(SYS_memfd_create, "sealed", MFD_ALLOW_SEALING);
	unsigned char *p;

	CHECK_EQ(write(fd, "constant", 8), 8);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	p = map(PAGE, PROT_READ, MAP_SHARED, fd);
	subject_ready();
	CHECK(!memcmp(p, "constant", 8));
	CHECK(write(fd, "x", 1) == -1 && errno == EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_SEAL);
	CHECK(mprotect(p, PAGE, RW) == -1 && errno == EACCES);
}

SURVIVE(memfd_passed_by_inheritance)
{
	int fd = syscall(SYS_memfd_create, "both", 0), status;
	volatile unsigned char *p;
	pid_t kid;

	CHECK(!ftruncate(fd, PAGE));
	kid = fork();
	if (!kid) {
		p = map(PAGE, RW, MAP_SHARED, fd);
		p[0] = 1;
		while (p[0] != 2)
			subject_sleep_ms(1);
		p[1] = 3;
		_exit(0);
	}
	p = map(PAGE, RW, MAP_SHARED, fd);
	while (p[0] != 1)
		subject_sleep_ms(1);
	subject_ready();
	p[0] = 2;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(p[1], 3);
}

SURVIVE(no_more_write_and_execute)
{
	CHECK(!prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), PR_MDWE_REFUSE_EXEC_GAIN);
	CHECK(mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0) == MAP_FAILED);
}

SURVIVE(no_more_write_and_execute_but_in_children)
{
	int bits = PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT;

	CHECK(!prctl(PR_SET_MDWE, bits, 0, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), bits);
	CHECK(mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0) == MAP_FAILED);
}

SURVIVE(thp_disabled)
{
	CHECK(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
}

SURVIVE(code_with_a_changed_page)
{
	unsigned long page = (unsigned long)subject_code_with_a_changed_page & ~(PAGE - 1);
	unsigned char saved = *(unsigned char *)page;

	CHECK(!mprotect((void *)page, PAGE, RW | PROT_EXEC));
	*(volatile unsigned char *)page = saved ^ 1;
	*(volatile unsigned char *)page = saved;
	CHECK(!mprotect((void *)page, PAGE, PROT_READ | PROT_EXEC));
	subject_ready();
	CHECK_EQ(*(unsigned char *)page, saved);
	CHECK(smaps_kb((void *)page, "Private_Dirty") >= 4);
}

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

SURVIVE(sealed_mappings)
{
	unsigned char *p = map(4 * PAGE, RW, ANON, -1);
	unsigned char *shared = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);

	fill(p, 4 * PAGE, 24);
	CHECK(!mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK(!syscall(__NR_mseal, p + PAGE, PAGE, 0));
	CHECK(!syscall(__NR_mseal, p + 2 * PAGE, PAGE, 0));
	CHECK(!syscall(__NR_mseal, shared, PAGE, 0));
	subject_ready();
	verify(p, 4 * PAGE, 24);
	CHECK(munmap(p + PAGE, PAGE) && errno == EPERM);
	CHECK(mprotect(p + PAGE, PAGE, RW) && errno == EPERM);
	CHECK(mremap(p + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
	CHECK(munmap(shared, PAGE) && errno == EPERM);
	p[2 * PAGE] = 1;
	shared[0] = 1;
	CHECK(!munmap(p, PAGE));
	CHECK(!mprotect(p + 3 * PAGE, PAGE, PROT_READ));
}

static void subject_droppable(void)
{
	unsigned char *p = map(4 * PAGE, RW, MAP_ANONYMOUS | MAP_DROPPABLE, -1);
	int i;

	memset(p, 0x66, 4 * PAGE);
	subject_ready();
	for (i = 0; i < 4; i++)
		CHECK_EQ(p[i * PAGE + i], 0);
}

/* It is where vgetrandom() has its state: random numbers must not repeat. */
TEST_F(refuse, droppable_memory_is_dropped)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_droppable)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

/* The pages may go at any time: they hold what was written or zeros, never anything else. */
SURVIVE(droppable_memory)
{
	unsigned char *p = map(4 * PAGE, RW, MAP_ANONYMOUS | MAP_DROPPABLE, -1);
	int status;
	pid_t kid;

	memset(p, 0x66, 4 * PAGE);
	subject_ready();
	CHECK(p[0] == 0x66 || !p[0]);
	p[0] = 1;
	kid = fork();
	if (!kid)
		_exit(p[0]);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

SURVIVE(future_mappings_are_locked_on_fault)
{
	unsigned char *p, vec[2];

	CHECK(!mlockall(MCL_FUTURE | MCL_ONFAULT));
	subject_ready();
	p = map(2 * PAGE, RW, ANON, -1);
	p[0] = 1;
	CHECK(!mincore(p, 2 * PAGE, vec));
	CHECK(vec[0] & 1 && !(vec[1] & 1));
	CHECK_EQ(smaps_kb(p, "Locked"), 4);
	CHECK(!munlockall());
}

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

static void name_memory(void *p, size_t len, const char *name)
{
	CHECK(!prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, len, name));
}

static void check_name(void *p, const char *expected)
{
	unsigned long start, end;
	char line[512], *name;
	FILE *f = fopen("/proc/self/maps", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || start > (unsigned long)p ||
		    end <= (unsigned long)p)
			continue;
		name = strchr(line, '[');
		CHECK(!!name == !!expected);
		CHECK(!name || !strncmp(name, expected, strlen(expected)));
		fclose(f);
		return;
	}
	CHECK(!"mapped");
}

SURVIVE(names_of_anonymous_memory)
{
	char longest[80] = "";
	unsigned char *p = map(8 * PAGE, RW, ANON, -1);
	unsigned char *s = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);

	memset(longest, 'n', 79);
	name_memory(p, PAGE, "one");
	name_memory(p + 2 * PAGE, PAGE, "two, with (signs)!");
	name_memory(p + 3 * PAGE, PAGE, "two, with (signs)!");
	name_memory(p + 5 * PAGE, PAGE, longest);
	name_memory(s, PAGE, "shared");
	memset(p, 3, 8 * PAGE);
	subject_ready();
	check_name(p, "[anon:one]");
	check_name(p + PAGE, NULL);
	check_name(p + 2 * PAGE, "[anon:two, with (signs)!]");
	check_name(p + 3 * PAGE, "[anon:two, with (signs)!]");
	check_name(p + 4 * PAGE, NULL);
	check_name(p + 5 * PAGE, "[anon:nnnnn");
	check_name(s, "[anon_shmem:shared]");
	CHECK_EQ(p[5 * PAGE], 3);
	name_memory(p, PAGE, NULL);
	check_name(p, NULL);
}

static void *find_vdso(size_t *len)
{
	unsigned long start = 0, end = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]"))
			CHECK_EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
	fclose(f);
	CHECK(start);
	*len = end - start;
	return (void *)start;
}

REFUSE(sealed_vdso, EOPNOTSUPP, "vdso without its data pages, or changed")
{
	size_t len;
	void *vdso = find_vdso(&len);

	CHECK(!syscall(__NR_mseal, vdso, len, 0));
	subject_ready();
}

REFUSE(protected_vdso, EOPNOTSUPP, "vdso without its data pages, or changed")
{
	size_t len;
	void *vdso = find_vdso(&len);

	CHECK(!mprotect(vdso, len, PROT_READ | PROT_WRITE | PROT_EXEC));
	subject_ready();
	CHECK(!mprotect(vdso, len, PROT_READ | PROT_EXEC));
}

REFUSE(vdso_that_is_not_for_children, EOPNOTSUPP, "vdso without its data pages, or changed")
{
	size_t len;
	void *vdso = find_vdso(&len);

	CHECK(!madvise(vdso, len, MADV_DONTFORK));
	subject_ready();
}

REFUSE(userfaultfd, EOPNOTSUPP, "userfaultfd: not supported")
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	CHECK(fd >= 0 && !ioctl(fd, UFFDIO_API, &api));
	reg.range.start = (unsigned long)map(PAGE, RW, ANON, -1);
	reg.range.len = PAGE;
	CHECK(!ioctl(fd, UFFDIO_REGISTER, &reg));
	subject_ready();
}

REFUSE(userfaultfd_of_nothing, EOPNOTSUPP, ": userfaultfd: not supported")
{
	CHECK(syscall(SYS_userfaultfd, O_CLOEXEC) >= 0);
	subject_ready();
}

/* Puts itself before @p for a moment. */
static int stand_before(void *p, size_t len, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range = { (unsigned long)p, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	CHECK(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg));
	return fd;
}

SURVIVE(zeros_before_a_memfd)
{
	int fd = syscall(SYS_memfd_create, "behind", 0), uffd;
	struct uffdio_zeropage zero = { };
	unsigned char *p, *q;

	CHECK(!ftruncate(fd, 4 * PAGE));
	q = map(4 * PAGE, RW, MAP_SHARED, fd);
	memset(q, 'x', 4 * PAGE);
	p = map(4 * PAGE, RW, MAP_PRIVATE, fd);
	uffd = stand_before(p, 4 * PAGE, 0);
	zero.range.start = (unsigned long)p + PAGE;
	zero.range.len = 2 * PAGE;
	CHECK(!ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	close(uffd);
	CHECK(p[0] == 'x' && !p[PAGE]);
	subject_ready();
	CHECK(p[0] == 'x' && p[3 * PAGE] == 'x');
	CHECK(!p[PAGE] && !p[2 * PAGE + 77]);
	p[PAGE] = 'y';
	CHECK_EQ(q[PAGE], 'x');
}

/* The shared memory has nothing of it. */
REFUSE(poison_before_shared_memory, EOPNOTSUPP, "cannot be read")
{
	unsigned char *p = map(4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	int uffd = stand_before(p, 4 * PAGE, UFFD_FEATURE_POISON);
	struct uffdio_poison poison = { };

	poison.range.start = (unsigned long)p + PAGE;
	poison.range.len = PAGE;
	CHECK(!ioctl(uffd, UFFDIO_POISON, &poison));
	close(uffd);
	subject_ready();
}

static bool can_poison(void)
{
	return !madvise(NULL, 0, MADV_HWPOISON);
}

/* The child is told by SIGBUS. */
static void poison_page(int fd)
{
	pid_t kid = fork();

	if (!kid) {
		unsigned char *p = map(PAGE, RW, MAP_SHARED, fd);

		p[0] = 1;
		CHECK(!madvise(p, PAGE, MADV_HWPOISON));
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

REFUSE_IF(poisoned_memfd, can_poison(), "no CONFIG_MEMORY_FAILURE", EOPNOTSUPP,
	  "shared memory memfd:poisoned: page 0: cannot be read")
{
	int fd = syscall(SYS_memfd_create, "poisoned", 0);

	CHECK(!ftruncate(fd, 2 * PAGE));
	poison_page(fd);
	subject_ready();
}

static int secret_memory(void)
{
	int fd = syscall(SYS_memfd_secret, 0);

	CHECK(fd >= 0 && !ftruncate(fd, PAGE));
	return fd;
}

REFUSE(secret_memory, EOPNOTSUPP, ": secret memory: not supported")
{
	int fd = secret_memory();

	map(PAGE, RW, MAP_SHARED, fd)[0] = 1;
	CHECK(!close(fd));
	subject_ready();
}

REFUSE(secret_memory_that_is_not_mapped, EOPNOTSUPP, ": secret memory: not supported")
{
	secret_memory();
	subject_ready();
}

REFUSE(ring_of_perf, EOPNOTSUPP, "special mapping: not supported")
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	CHECK(fd >= 0);
	map(2 * PAGE, RW, MAP_SHARED, fd);
	close(fd);
	subject_ready();
}

#define PINNED	5

static void subject_has_memfd(void)
{
	CHECK_EQ(dup2(syscall(SYS_memfd_create, "pinned", 0), PINNED), PINNED);
	CHECK(!close_range(3, PINNED - 1, 0) && !ftruncate(PINNED, 4 * PAGE));
	map(4 * PAGE, RW, MAP_SHARED, PINNED)[2 * PAGE] = 1;
	subject_ready();
}

/* A ring that has @fd for a buffer; it neither maps it nor has it open. */
static int pin_memory(int fd, size_t len)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	void *p = mmap(NULL, len, RW, MAP_SHARED, fd, 0);
	struct iovec iov = { p, len };

	if (p == MAP_FAILED || syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS,
				       &iov, 1) || munmap(p, len))
		return -1;
	return ring;
}

TEST_F(refuse, outsider_can_write_what_it_does_not_map)
{
	struct subject *s = &self->s;
	long ret = -1;
	int ring, fd, ms;
	char path[64];

	ASSERT_TRUE(subject_start(s, subject_has_memfd)) subject_print(s);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", s->pid, PINNED);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ring = pin_memory(fd, 4 * PAGE);
	ASSERT_GE(ring, 0);
	close(fd);
	EXPECT_EQ(subject_checkpoint(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "shared memory memfd:pinned: page 0: pinned for I/O"))
		subject_print(s);
	close(ring);
	/* the kernel takes its time to unpin */
	for (ms = 0; ret < 0 && ms < SUBJECT_TIMEOUT_MS; ms += 20) {
		subject_sleep_ms(20);
		ret = subject_checkpoint(s, 0);
	}
	EXPECT_GT(ret, 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

#define WRITTEN		((unsigned char *)0x40000000)
#define WRITTEN_LEN	(8UL << 20)

static void subject_is_written_to(void)
{
	unsigned char *p = mmap(WRITTEN, WRITTEN_LEN, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	size_t i;

	CHECK(p == WRITTEN);
	memset(p, 'a', WRITTEN_LEN);
	subject_ready();
	for (i = 0; i < WRITTEN_LEN; i += PAGE)
		CHECK(p[i] == 'a' || p[i] == 'b');
}

static bool write_to(pid_t pid)
{
	struct iovec local = { malloc(WRITTEN_LEN), WRITTEN_LEN };
	struct iovec remote = { WRITTEN, WRITTEN_LEN };
	ssize_t n;

	if (!local.iov_base)
		return false;
	memset(local.iov_base, 'b', WRITTEN_LEN);
	n = process_vm_writev(pid, &local, 1, &remote, 1, 0);
	free(local.iov_base);
	return n == (ssize_t)WRITTEN_LEN;
}

/* Whether the image has what was there before or after: it can be read. */
TEST_F(refuse, outsider_writes_while_pages_leave)
{
	struct subject *s = &self->s;
	struct stalled st;

	ASSERT_TRUE(subject_start(s, subject_is_written_to)) subject_print(s);
	ASSERT_TRUE(stalled_begin(&st, s, CHECKPOINT_KILL, WRITTEN_LEN / 4)) subject_print(s);
	EXPECT_TRUE(write_to(s->pid));
	ASSERT_GT(stalled_end(&st), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_F(refuse, dry_run_lists_every_mapping)
{
	ASSERT_TRUE(subject_start(&self->s, subject_refuse_secret_memory)) subject_print(&self->s);
	EXPECT_LT(subject_checkpoint(&self->s, CHECKPOINT_DRY_RUN), 0);
	EXPECT_TRUE(log_has(&self->s, "mapping ") && log_has(&self->s, "secret memory"))
		subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
