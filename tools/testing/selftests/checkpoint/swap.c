// SPDX-License-Identifier: GPL-2.0
/* Pages that are not where they were: swapped out, or merged by KSM. */
#include <sched.h>
#include <sys/swap.h>
#include <sys/uio.h>

#include "mapping.h"
#include "stalled.h"

#define LEN	(1024 * PAGE)

#define SWAP_FILE	"/var/tmp/ckpt-swap"
#define SWAP_SIZE	(64UL << 20)
#define KSM		"/sys/kernel/mm/ksm/"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

static bool have_swap;
static long ksm_before = -1;

static long read_long(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static void write_long(const char *path, long n)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return;
	fprintf(f, "%ld", n);
	fclose(f);
}

/* What mkswap(8) writes. */
static bool make_swap(int fd)
{
	unsigned int info[3] = { 1, SWAP_SIZE / PAGE - 1, 0 };

	return !posix_fallocate(fd, 0, SWAP_SIZE) &&
	       pwrite(fd, info, sizeof(info), 1024) == sizeof(info) &&
	       pwrite(fd, "SWAPSPACE2", 10, PAGE - 10) == 10 && !fsync(fd);
}

/* Swap and ksmd, for as long as the tests run. */
__attribute__((constructor)) static void begin(void)
{
	int fd = open(SWAP_FILE, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	have_swap = fd >= 0 && make_swap(fd) && !swapon(SWAP_FILE, 0);
	close(fd);
	ksm_before = read_long(KSM "run");
	if (ksm_before < 0)
		return;
	write_long(KSM "sleep_millisecs", 10);
	write_long(KSM "pages_to_scan", 4000);
	write_long(KSM "use_zero_pages", 1);
	write_long(KSM "run", 1);
}

__attribute__((destructor)) static void end(void)
{
	if (have_swap)
		swapoff(SWAP_FILE);
	unlink(SWAP_FILE);
	if (ksm_before < 0)
		return;
	write_long(KSM "use_zero_pages", 0);
	write_long(KSM "run", ksm_before);
}

/* Most of @p goes to swap; what is just being looked at does not. */
static void swap_out(unsigned char *p, size_t len)
{
	int i;

	for (i = 0; i < 500 && smaps_kb(p, "Swap") < (len >> 10) * 3 / 4; i++) {
		CHECK(!madvise(p, len, MADV_PAGEOUT));
		subject_sleep_ms(10);
	}
	CHECK(smaps_kb(p, "Swap") >= (len >> 10) * 3 / 4);
}

SURVIVE_IF(private_memory_in_swap, have_swap, "no swap")
{
	unsigned char *p = map(LEN, RW, ANON, -1);

	fill(p, LEN, 1);
	swap_out(p, LEN);
	subject_ready();
	verify(p, LEN, 1);
	memset(p, 1, LEN);
}

SURVIVE_IF(shared_memory_in_swap, have_swap, "no swap")
{
	unsigned char *p = map(LEN, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	int status;
	pid_t kid;

	fill(p, LEN, 2);
	kid = fork();
	if (!kid) {
		while (((volatile unsigned char *)p)[1] != 1)
			subject_sleep_ms(20);
		verify(p, LEN, 2);
		_exit(0);
	}
	swap_out(p, LEN);
	subject_ready();
	p[1] = 1;
	verify(p, LEN, 2);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

/* Parent and child refer to the same places in swap. */
SURVIVE_IF(relatives_in_swap, have_swap, "no swap")
{
	volatile int *shared = (void *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	unsigned char *p = map(LEN, RW, ANON, -1);
	int status;
	pid_t kid;

	fill(p, LEN, 3);
	/* before they share it: what is shared is not swapped for one of them */
	swap_out(p, LEN);
	kid = fork();
	if (!kid) {
		memset(p, 99, PAGE);
		shared[0] = 1;
		while (shared[1] != 1)
			subject_sleep_ms(20);
		CHECK_EQ(p[64], 99);
		fill(p, PAGE, 3);
		verify(p, LEN, 3);
		_exit(0);
	}
	while (shared[0] != 1)
		subject_sleep_ms(1);
	CHECK(smaps_kb(p, "Swap") >= (LEN >> 10) / 2);
	subject_ready();
	verify(p, LEN, 3);
	memset(p, 0, LEN);
	shared[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

#define RELATIVES	((unsigned char *)0x40000000)
#define RELATIVES_LEN	(16UL << 20)

/* No two pages are equal. */
static void number_pages(unsigned char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		*(unsigned long *)(p + i) = i | 1;
}

static void check_numbers(const unsigned char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		CHECK_EQ(*(const unsigned long *)(p + i), i | 1);
}

static void subject_relatives_in_swap_again(void)
{
	unsigned char *p = mmap(RELATIVES, RELATIVES_LEN, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	int status;
	pid_t kid;

	CHECK(p == RELATIVES);
	number_pages(p, RELATIVES_LEN);
	swap_out(p, RELATIVES_LEN);
	kid = fork();
	if (!kid) {
		while (access("go", F_OK))
			subject_sleep_ms(5);
		check_numbers(p, RELATIVES_LEN);
		_exit(0);
	}
	subject_ready();
	check_numbers(p, RELATIVES_LEN);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

static int page_out(pid_t pid)
{
	struct iovec range = { RELATIVES, RELATIVES_LEN };
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	long ret = syscall(SYS_process_madvise, pidfd, &range, 1, MADV_PAGEOUT, 0);

	close(pidfd);
	return ret == (long)RELATIVES_LEN ? 0 : -1;
}

/* Where frames are freed they are first taken again. */
static bool stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/*
 * While the image waits for its reader, what the parent shares with the child
 * leaves memory again. Other pages get the frames.
 */
TEST_F_TIMEOUT(refuse, frames_are_used_again, 120)
{
	struct subject *s = &self->s;
	struct stalled st;
	int i;

	if (!have_swap)
		SKIP(return, "no swap");
	ASSERT_TRUE(subject_start(s, subject_relatives_in_swap_again)) subject_print(s);
	ASSERT_TRUE(stay_on_one_cpu());
	ASSERT_TRUE(stalled_begin(&st, s, CHECKPOINT_KILL, RELATIVES_LEN / 2)) subject_print(s);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(page_out(s->pid), 0) TH_LOG("errno %d", errno);
		subject_sleep_ms(20);
	}
	ASSERT_GT(stalled_end(&st), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

static void wait_merged(long pages)
{
	int i;

	for (i = 0; i < 1000 && read_long("/proc/self/ksm_merging_pages") < pages; i++)
		subject_sleep_ms(10);
	CHECK(read_long("/proc/self/ksm_merging_pages") >= pages);
}

SURVIVE_IF(merged_memory, ksm_before >= 0, "no KSM")
{
	unsigned char *p = map(256 * PAGE, RW, ANON, -1);
	int i, status;
	pid_t kid;

	CHECK(!madvise(p, 256 * PAGE, MADV_MERGEABLE));
	for (i = 0; i < 256; i++)
		memset(p + i * PAGE, 'a' + i % 4, PAGE);
	wait_merged(200);
	kid = fork();
	if (!kid) {
		p[0] = 'z';
		while (access("go", F_OK))
			subject_sleep_ms(5);
		CHECK_EQ(p[0], 'z');
		for (i = 1; i < 256; i++)
			CHECK_EQ(p[i * PAGE + i], 'a' + i % 4);
		_exit(0);
	}
	subject_ready();
	for (i = 0; i < 256; i++)
		CHECK_EQ(p[i * PAGE + i], 'a' + i % 4);
	p[4 * PAGE] = 'b';
	CHECK_EQ(p[8 * PAGE], 'a');
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	/* still wanted, and so done again */
	wait_merged(200);
	CHECK(!madvise(p, 256 * PAGE, MADV_UNMERGEABLE));
}

static long zero_pages(pid_t pid)
{
	char line[128];
	long n = -1;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/ksm_stat", pid);
	f = fopen(line, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "ksm_zero_pages %ld", &n);
	if (f)
		fclose(f);
	return n;
}

static bool wait_zero_pages(pid_t pid, long pages)
{
	int i;

	for (i = 0; i < 1000 && zero_pages(pid) < pages; i++)
		subject_sleep_ms(10);
	return zero_pages(pid) >= pages;
}

static unsigned char *map_file(void *addr, size_t pages)
{
	int fd = open("data", O_CREAT | O_RDWR, 0644);
	char page[PAGE];
	void *p;
	size_t i;

	memset(page, 'x', PAGE);
	for (i = 0; i < pages; i++)
		CHECK_EQ(write(fd, page, PAGE), (ssize_t)PAGE);
	p = mmap(addr, pages * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && !close(fd));
	return p;
}

/* ksmd has the zero page take the place of pages of zeros, also before a file. */
SURVIVE_IF(zeros_before_a_file, ksm_before >= 0, "no KSM")
{
	unsigned char *p = map_file(NULL, 16);
	int i;

	CHECK(!madvise(p, 16 * PAGE, MADV_MERGEABLE));
	memset(p, 0, 15 * PAGE);
	CHECK(wait_zero_pages(getpid(), 15));
	subject_ready();
	for (i = 0; i < 15; i++)
		CHECK_EQ(p[i * PAGE + i], 0);
	CHECK_EQ(p[15 * PAGE], 'x');
	p[0] = 1;
	CHECK_EQ(p[PAGE], 0);
}

#define ZEROS	16

static void check_zeros(const unsigned char *p)
{
	int i;

	for (i = 0; i < ZEROS; i++)
		CHECK_EQ(p[i * PAGE + i], 0);
}

/* The numbers are in the image between the zeros and what the child has of them. */
static void subject_shares_zeros(void)
{
	unsigned char *numbers = mmap(RELATIVES, RELATIVES_LEN, RW, ANON | MAP_FIXED_NOREPLACE,
				      -1, 0);
	unsigned char *p = map_file(RELATIVES - ZEROS * PAGE, ZEROS);
	int status;
	pid_t kid;

	CHECK(numbers == RELATIVES && p == RELATIVES - ZEROS * PAGE);
	CHECK(!madvise(p, ZEROS * PAGE, MADV_MERGEABLE));
	memset(p, 0, ZEROS * PAGE);
	number_pages(numbers, RELATIVES_LEN);
	kid = fork();
	if (!kid) {
		while (access("go", F_OK))
			subject_sleep_ms(5);
		check_zeros(p);
		_exit(0);
	}
	subject_ready();
	check_zeros(p);
	check_numbers(numbers, RELATIVES_LEN);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

static bool pass_on(int from, int to, size_t len)
{
	char buf[65536];
	ssize_t n = 1;

	for (; len && n > 0; len -= n) {
		n = read(from, buf, len < sizeof(buf) ? len : sizeof(buf));
		if (n < 0 || write(to, buf, n) != n)
			return false;
	}
	return true;
}

/* A child that hands the image over; in the middle it waits for ksmd. */
static pid_t feed_slowly(struct subject *s, int *from)
{
	int image = test_open(s, "image", O_RDONLY), ends[2];
	pid_t kid = pipe2(ends, O_CLOEXEC) ? -1 : fork();

	if (!kid) {
		close(ends[0]);
		_exit(!pass_on(image, ends[1], RELATIVES_LEN / 2) ||
		      !wait_zero_pages(s->pid, ZEROS) ||
		      !pass_on(image, ends[1], SIZE_MAX));
	}
	close(image);
	close(ends[1]);
	*from = ends[0];
	return kid;
}

/* The first of the relatives is back, and its zeros are merged, before the others are. */
TEST_F_TIMEOUT(refuse, zeros_are_merged_amid_a_restart, 120)
{
	struct subject *s = &self->s;
	int from, status;
	pid_t feeder;
	bool ok;

	if (ksm_before < 0)
		SKIP(return, "no KSM");
	write_long(KSM "run", 0);
	ok = subject_start(s, subject_shares_zeros) && subject_checkpoint(s, CHECKPOINT_KILL) > 0;
	write_long(KSM "run", 1);
	ASSERT_TRUE(ok) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	feeder = feed_slowly(s, &from);
	ASSERT_GT(feeder, 0);
	ASSERT_EQ(subject_restart_from(s, from, 0), s->pid) subject_print(s);
	close(from);
	ASSERT_EQ(waitpid(feeder, &status, 0), feeder);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_HARNESS_MAIN
