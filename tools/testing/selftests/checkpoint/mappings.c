// SPDX-License-Identifier: GPL-2.0
/* Special kinds of memory: what comes back as it was, and what is refused by name. */
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "mapping.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif
#ifndef __NR_mseal
#define __NR_mseal	462
#endif

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
	CHECK_EQ(p[0], expected(HUGE + HUGE / 2 + PAGE, 3));
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
		p[0] = expected(0, 4);
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
		_exit(p[0] != expected(0, 5));
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

/* mremap() takes no more than one mapping. */
static unsigned char *move_whole(unsigned char *p, size_t len)
{
	p = mremap(p, len, 2 * len, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	return p;
}

SURVIVE(parts_become_one_again)
{
	unsigned char *p = map(8 * PAGE, RW, ANON, -1);

	fill(p, 8 * PAGE, 26);
	CHECK(!mlock(p + PAGE, PAGE));
	CHECK(!madvise(p + 3 * PAGE, 2 * PAGE, MADV_DONTFORK));
	CHECK(!mprotect(p + 4 * PAGE, PAGE, PROT_READ));
	subject_ready();
	CHECK(!munlock(p + PAGE, PAGE));
	CHECK(!madvise(p + 3 * PAGE, 2 * PAGE, MADV_DOFORK));
	CHECK(!mprotect(p + 4 * PAGE, PAGE, RW));
	p = move_whole(p, 8 * PAGE);
	verify(p, 8 * PAGE, 26);
}

SURVIVE(parts_around_a_hole_become_one_again)
{
	unsigned char *p = map(4 * PAGE, RW, ANON, -1);

	fill(p, 4 * PAGE, 27);
	CHECK(!munmap(p + PAGE, PAGE));
	subject_ready();
	CHECK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + PAGE);
	p = move_whole(p, 4 * PAGE);
	verify(p, PAGE, 27);
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(p[4 * PAGE - 64], expected(4 * PAGE - 64, 27));
}

/* The first part has no page that is shared, and belongs to the others all the same. */
static void child_in_parts(unsigned char *p, volatile unsigned char *turn)
{
	unsigned long shared_kb = 16 * PAGE >> 10;
	size_t i;

	memset(p, 7, 16 * PAGE);
	CHECK(!madvise(p + 16 * PAGE, 16 * PAGE, MADV_DONTDUMP));
	CHECK_EQ(smaps_kb(p + 16 * PAGE, "Pss"), shared_kb / 2);
	turn[0] = 1;
	while (!turn[1])
		subject_sleep_ms(1);
	CHECK_EQ(smaps_kb(p + 16 * PAGE, "Pss"), shared_kb / 2);
	CHECK(!madvise(p + 16 * PAGE, 16 * PAGE, MADV_DODUMP));
	p = move_whole(p, 64 * PAGE);
	CHECK_EQ(p[16 * PAGE - 1], 7);
	for (i = 16 * PAGE; i < 64 * PAGE; i += 64)
		CHECK_EQ(p[i], expected(i, 28));
	_exit(0);
}

SURVIVE(parts_of_relatives_become_one_again)
{
	unsigned char *p = map(64 * PAGE, RW, ANON, -1);
	volatile unsigned char *turn = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	int status;
	pid_t kid;

	fill(p, 64 * PAGE, 28);
	kid = fork();
	if (!kid)
		child_in_parts(p, turn);
	while (!turn[0])
		subject_sleep_ms(1);
	CHECK(!madvise(p + 8 * PAGE, 16 * PAGE, MADV_DONTDUMP));
	subject_ready();
	turn[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK(!madvise(p + 8 * PAGE, 16 * PAGE, MADV_DODUMP));
	p = move_whole(p, 64 * PAGE);
	verify(p, 64 * PAGE, 28);
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
	name_memory(p + 7 * PAGE, PAGE, "");
	name_memory(s, PAGE, "shared");
	memset(p, 3, 8 * PAGE);
	subject_ready();
	check_name(p, "[anon:one]");
	check_name(p + PAGE, NULL);
	check_name(p + 2 * PAGE, "[anon:two, with (signs)!]");
	check_name(p + 3 * PAGE, "[anon:two, with (signs)!]");
	check_name(p + 4 * PAGE, NULL);
	check_name(p + 5 * PAGE, "[anon:nnnnn");
	check_name(p + 6 * PAGE, NULL);
	check_name(p + 7 * PAGE, "[anon:]");
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

/* Only mremap() gets there. */
REFUSE_IF(beyond_the_largest_file, sizeof(off_t) == 8, "no offset is large enough", EOPNOTSUPP,
	  "beyond the end that a file can have")
{
	int fd = syscall(SYS_memfd_create, "far", 0);
	off_t last = LONG_MAX - 2 * PAGE + 1;
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, last);

	CHECK(p != MAP_FAILED);
	CHECK(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
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
