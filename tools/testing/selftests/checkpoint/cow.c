// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that relatives share copy-on-write are stored once, and are shared
 * again after a restart: the proportional set size tells.
 */
#include <sys/mman.h>

#include "ckpt_test.h"

#define LEN	(16UL << 20)
#define KIDS	4

static volatile int *shared;

/* Pss of the mapping that contains @addr, in bytes. */
static unsigned long pss(pid_t pid, const void *addr)
{
	unsigned long start, end, kb;
	char path[64], line[512];
	bool inside = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (unsigned long)addr && (unsigned long)addr < end;
		else if (inside && sscanf(line, "Pss: %lu kB", &kb) == 1)
			break;
	}
	fclose(f);
	return kb << 10;
}

static unsigned char *mem;

static void check_contents(int kid)
{
	size_t i;

	for (i = 0; i < LEN; i += 4096)
		CHECK_EQ(mem[i], kid >= 0 && i < (size_t)(kid + 1) << 20 ? kid + 100 :
			 (unsigned char)(i >> 12));
}

static void kid_body(int kid)
{
	memset(mem, kid + 100, (kid + 1) << 20);
	shared[kid] = 1;
	while (shared[10] != 1)
		subject_sleep_ms(1);
	check_contents(kid);
	memset(mem, 1, LEN);
	_exit(0);
}

static unsigned long total_pss(const pid_t *kids)
{
	unsigned long sum = pss(getpid(), mem);
	int i;

	for (i = 0; i < KIDS; i++)
		sum += pss(kids[i], mem);
	return sum;
}

SURVIVE(fork_shares_pages)
{
	unsigned long before, after;
	pid_t kids[KIDS];
	int i, status;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mem = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && mem != MAP_FAILED);
	for (size_t j = 0; j < LEN; j += 4096)
		mem[j] = j >> 12;
	for (i = 0; i < KIDS; i++) {
		kids[i] = fork();
		if (!kids[i])
			kid_body(i);
	}
	for (i = 0; i < KIDS; i++)
		while (!shared[i])
			subject_sleep_ms(1);
	before = total_pss(kids);
	CHECK(before < 2 * LEN);
	subject_ready();
	after = total_pss(kids);
	dprintf(2, "pss %lu kB before, %lu kB after\n", before >> 10, after >> 10);
	CHECK(after <= before + before / 20);
	check_contents(-1);
	shared[10] = 1;
	for (i = 0; i < KIDS; i++) {
		CHECK_EQ(waitpid(kids[i], &status, 0), kids[i]);
		CHECK_EQ(status, 0);
	}
	check_contents(-1);
}

TEST_F(refuse, shared_pages_are_stored_once)
{
	struct stat st;
	int fd;

	ASSERT_TRUE(subject_start(&self->s, subject_fork_shares_pages)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	fd = test_open(&self->s, "image", O_RDONLY);
	ASSERT_EQ(fstat(fd, &st), 0);
	close(fd);
	/* 16 MiB once, 1 + 2 + 3 + 4 MiB of copies, and small change */
	EXPECT_LT(st.st_size, 28L << 20);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

SURVIVE(child_grew_its_heap)
{
	char *heap = sbrk(64 << 10);
	pid_t kid;
	int status;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(heap, 'h', 64 << 10);
	kid = fork();
	if (!kid) {
		char *more = sbrk(64 << 10);

		memset(more, 'm', 64 << 10);
		heap[4096] = 'c';
		CHECK(!mprotect((void *)(((unsigned long)heap + 8191) & ~4095UL), 4096, PROT_READ));
		shared[0] = 1;
		while (shared[1] != 1)
			subject_sleep_ms(1);
		CHECK_EQ(heap[0], 'h');
		CHECK_EQ(heap[4096], 'c');
		CHECK_EQ(heap[65535], 'h');
		CHECK_EQ(more[0], 'm');
		CHECK_EQ(more[65535], 'm');
		_exit(0);
	}
	while (!shared[0])
		subject_sleep_ms(1);
	subject_ready();
	CHECK_EQ(heap[4096], 'h');
	memset(heap, 'p', 64 << 10);
	shared[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

static void fill_part(int quarter, int value)
{
	size_t i;

	for (i = 0; i < LEN / 4; i += 4096)
		mem[quarter * (LEN / 4) + i] = value;
}

static void check_parts(int a, int b, int c, int d)
{
	const int values[] = { a, b, c, d };
	size_t i;

	for (i = 0; i < LEN; i += 4096)
		CHECK_EQ(mem[i], values[i / (LEN / 4)]);
}

static void wait_for(int i)
{
	while (!shared[i])
		subject_sleep_ms(1);
}

/* Each generation overwrites what it shares with the one before a bit later. */
static void grandchild(void)
{
	fill_part(3, 33);
	shared[2] = getpid();
	wait_for(10);
	check_parts(10, 20, 22, 33);
	_exit(0);
}

static void child(void)
{
	int status;
	pid_t kid;

	fill_part(2, 22);
	fill_part(3, 23);
	kid = fork();
	if (!kid)
		grandchild();
	wait_for(2);
	fill_part(1, 21);
	shared[1] = getpid();
	wait_for(10);
	check_parts(10, 21, 22, 23);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	_exit(0);
}

SURVIVE(grandchildren_share_pages)
{
	unsigned long before, after;
	int status, i;
	pid_t kid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mem = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && mem != MAP_FAILED);
	for (i = 0; i < 4; i++)
		fill_part(i, (i + 1) * 10);
	kid = fork();
	if (!kid)
		child();
	wait_for(1);
	before = pss(getpid(), mem) + pss(shared[1], mem) + pss(shared[2], mem);
	CHECK(before <= LEN * 9 / 4 + 65536);
	subject_ready();
	after = pss(getpid(), mem) + pss(shared[1], mem) + pss(shared[2], mem);
	dprintf(2, "pss %lu kB before, %lu kB after\n", before >> 10, after >> 10);
	CHECK(after <= before + before / 50);
	check_parts(10, 20, 30, 40);
	fill_part(0, 1);
	shared[10] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

/* The mapping has moved, so the pages are at another place than in the relative. */
SURVIVE(child_moved_its_mapping)
{
	unsigned long before, after;
	int status;
	pid_t kid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mem = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && mem != MAP_FAILED);
	memset(mem, 'm', LEN);
	kid = fork();
	if (!kid) {
		unsigned char *to = mmap(NULL, 2 * LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
					 -1, 0);

		CHECK(mremap(mem + LEN / 4, LEN / 2, LEN / 2, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to + LEN) == to + LEN);
		shared[1] = 1;
		wait_for(10);
		CHECK_EQ(to[LEN], 'm');
		CHECK_EQ(to[LEN + LEN / 2 - 1], 'm');
		CHECK_EQ(mem[LEN - 1], 'm');
		memset(to + LEN, 'x', LEN / 2);
		_exit(0);
	}
	wait_for(1);
	before = pss(getpid(), mem);
	subject_ready();
	after = pss(getpid(), mem);
	dprintf(2, "pss %lu kB before, %lu kB after\n", before >> 10, after >> 10);
	CHECK(after <= before + before / 50);
	shared[10] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(mem[LEN / 2], 'm');
}

#define WORKERS	50
#define POOL	(200UL << 20)

/* Pss of all memory of a process, in kB. */
static unsigned long pss_rollup(pid_t pid)
{
	unsigned long kb = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %lu kB", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static unsigned long workers_pss(const pid_t *kids)
{
	unsigned long sum = pss_rollup(getpid());
	int i;

	for (i = 0; i < WORKERS; i++)
		sum += pss_rollup(kids[i]);
	return sum;
}

static void worker_body(int kid)
{
	size_t own = (size_t)kid * 16 * 4096, i;

	memset(mem + own, kid + 1, 16 * 4096);
	shared[kid] = 1;
	while (shared[WORKERS] != 1)
		subject_sleep_ms(20);
	CHECK_EQ(mem[own], kid + 1);
	for (i = kid * 4096UL; i < POOL; i += WORKERS * 4096UL)
		if (i < own || i >= own + 16 * 4096)
			CHECK_EQ(mem[i], (unsigned char)(i >> 12) | 1);
	_exit(0);
}

static void subject_many_workers(void)
{
	unsigned long before, after;
	pid_t kids[WORKERS];
	int i, status;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mem = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && mem != MAP_FAILED);
	for (size_t j = 0; j < POOL; j += 4096)
		mem[j] = j >> 12 | 1;
	for (i = 0; i < WORKERS; i++) {
		kids[i] = fork();
		if (!kids[i])
			worker_body(i);
	}
	for (i = 0; i < WORKERS; i++)
		while (!shared[i])
			subject_sleep_ms(1);
	before = workers_pss(kids);
	subject_ready();
	after = workers_pss(kids);
	dprintf(2, "pss of %d workers: %lu kB before, %lu kB after\n", WORKERS, before, after);
	CHECK(after <= before + before / 20 && before <= after + after / 20);
	shared[WORKERS] = 1;
	for (i = 0; i < WORKERS; i++) {
		CHECK_EQ(waitpid(kids[i], &status, 0), kids[i]);
		CHECK_EQ(status, 0);
	}
}

TEST_F_TIMEOUT(refuse, fifty_workers_cost_little_more_than_one, 120)
{
	struct stat st;
	int fd;

	ASSERT_TRUE(subject_start(&self->s, subject_many_workers)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	waitpid(self->s.pid, NULL, 0);
	fd = test_open(&self->s, "image", O_RDONLY);
	ASSERT_EQ(fstat(fd, &st), 0);
	close(fd);
	TH_LOG("%d workers over %lu MiB: image of %ld MiB", WORKERS, POOL >> 20,
	       (long)st.st_size >> 20);
	EXPECT_LT(st.st_size, POOL + POOL / 5);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
