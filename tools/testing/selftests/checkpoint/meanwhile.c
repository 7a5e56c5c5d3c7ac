// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that outsiders change while it is written. Whether the image has what
 * was there before or after: it can be read.
 */
#include <sys/uio.h>

#include "mapping.h"
#include "stalled.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

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

/*
 * Below all other memory, so that its pages are the first to leave, but for one.
 * As 256 leave together, each time the last ones are in the middle of a huge page.
 */
#define LOW		((unsigned char *)0x1000000)
#define LOW_LEN		(8 * HUGE)

static unsigned char *low_area(int advice)
{
	unsigned char *p = mmap(LOW - PAGE, PAGE + LOW_LEN, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(p == LOW - PAGE);
	CHECK(!madvise(LOW, LOW_LEN, advice));
	*p = 1;
	return LOW;
}

static void subject_huge_pages_to_split(void)
{
	unsigned char *p = low_area(MADV_HUGEPAGE);

	fill(p, LOW_LEN, 31);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), LOW_LEN >> 10);
	subject_ready();
	verify(p, LOW_LEN, 31);
	memset(p, 1, LOW_LEN);
}

static void subject_small_pages_to_collapse(void)
{
	unsigned char *p = low_area(MADV_NOHUGEPAGE);

	fill(p, LOW_LEN, 32);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 0);
	/* khugepaged leaves alone what nobody looks at. */
	CHECK(!madvise(p, LOW_LEN, MADV_COLD));
	CHECK(!madvise(p, LOW_LEN, MADV_HUGEPAGE));
	subject_ready();
	verify(p, LOW_LEN, 32);
	memset(p, 1, LOW_LEN);
}

static void advise(pid_t pid, const struct iovec *ranges, size_t nr, int advice)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);

	syscall(SYS_process_madvise, pidfd, ranges, nr, advice, 0);
	close(pidfd);
}

/* What is said of a part is not true of the whole. */
static void split(pid_t pid)
{
	struct iovec parts[LOW_LEN / HUGE];
	size_t i;

	for (i = 0; i < LOW_LEN / HUGE; i++)
		parts[i] = (struct iovec) { LOW + i * HUGE, PAGE };
	advise(pid, parts, i, MADV_COLD);
}

static void collapse(pid_t pid)
{
	struct iovec all = { LOW, LOW_LEN };

	advise(pid, &all, 1, MADV_COLLAPSE);
}

static size_t low_huge_len(pid_t pid)
{
	char smaps[32], kb[512];

	snprintf(smaps, sizeof(smaps), "/proc/%d/smaps", pid);
	smaps_read(smaps, LOW, "AnonHugePages", kb);
	return strtoul(kb, NULL, 10) << 10;
}

/* A page that someone has a reference to, if only for a moment, stays as it is. */
static bool change_until(pid_t pid, void (*change)(pid_t), size_t huge_len)
{
	int ms;

	for (ms = 0; ms < SUBJECT_TIMEOUT_MS && low_huge_len(pid) != huge_len; ms += 20) {
		change(pid);
		subject_sleep_ms(20);
	}
	return low_huge_len(pid) == huge_len;
}

static void change_while_pages_leave(struct __test_metadata *_metadata, struct subject *s,
				     void (*fn)(void), void (*change)(pid_t), size_t huge_len)
{
	struct stalled st;

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_TRUE(stalled_begin(&st, s, CHECKPOINT_KILL, LOW_LEN / 4)) subject_print(s);
	/* The pipe may be full a moment before the checkpoint waits for it. */
	subject_sleep_ms(100 * test_slowness());
	EXPECT_NE(low_huge_len(s->pid), huge_len);
	EXPECT_TRUE(change_until(s->pid, change, huge_len));
	ASSERT_GT(stalled_end(&st), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_F_TIMEOUT(refuse, huge_pages_are_split_while_they_leave, 60)
{
	change_while_pages_leave(_metadata, &self->s, subject_huge_pages_to_split, split, 0);
}

TEST_F_TIMEOUT(refuse, pages_become_huge_while_they_leave, 60)
{
	change_while_pages_leave(_metadata, &self->s, subject_small_pages_to_collapse, collapse,
				 LOW_LEN);
}

TEST_HARNESS_MAIN
