// SPDX-License-Identifier: GPL-2.0
/*
 * Images of a kernel that has another vdso. There is none at hand: the image is
 * told that it has, so that the code which stays where it was is our own.
 */
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/time.h>

#include "clock.h"
#include "codec.h"

static struct image image;

static long long syscall_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK(!syscall(SYS_clock_gettime, clock, &ts));
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* What the vdso says lies between what the kernel says before and after. */
static void compare_clock(clockid_t clock)
{
	long long before = syscall_ns(clock), now = clock_ns(clock);

	CHECK(before <= now);
	CHECK(now <= syscall_ns(clock));
}

static void compare_times(void)
{
	long long before = syscall_ns(CLOCK_REALTIME), now;
	struct timeval tv;
	time_t seconds;

	CHECK(!gettimeofday(&tv, NULL));
	now = tv.tv_sec * NSEC + tv.tv_usec * 1000LL;
	CHECK(before / 1000 * 1000 <= now && now <= syscall_ns(CLOCK_REALTIME));
	before = syscall_ns(CLOCK_REALTIME_COARSE) / NSEC;
	seconds = time(NULL);
	CHECK(before <= seconds && seconds <= syscall_ns(CLOCK_REALTIME_COARSE) / NSEC);
}

static void compare_all(void)
{
	static const clockid_t clocks[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_MONOTONIC_RAW,
		CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID,
	};
	struct timespec res, res_kernel;
	unsigned int cpu;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		compare_clock(clocks[i]);
		CHECK(!clock_getres(clocks[i], &res));
		CHECK(!syscall(SYS_clock_getres, clocks[i], &res_kernel));
		CHECK(!memcmp(&res, &res_kernel, sizeof(res)));
	}
	compare_times();
	CHECK(!getcpu(&cpu, NULL));
	CHECK(cpu < (unsigned int)sysconf(_SC_NPROCESSORS_CONF));
}

static volatile bool ended;

/* Is nearly always inside the vdso. */
static void *read_clocks(void *arg)
{
	clockid_t clock = (uintptr_t)arg;
	long long last = clock_ns(clock), now;

	while (!ended) {
		now = clock_ns(clock);
		CHECK(now >= last && now < last + 600 * NSEC);
		last = now;
	}
	return NULL;
}

static void subject_reads_clocks(void)
{
	static const clockid_t clocks[] = {
		CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE,
	};
	pthread_t threads[ARRAY_SIZE(clocks)];
	size_t i;

	compare_all();
	for (i = 0; i < ARRAY_SIZE(clocks); i++)
		CHECK(!pthread_create(&threads[i], NULL, read_clocks,
				      (void *)(uintptr_t)clocks[i]));
	subject_ready();
	compare_all();
	ended = true;
	for (i = 0; i < ARRAY_SIZE(clocks); i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(!fork() || wait(NULL) > 0);
	compare_all();
}

typedef ssize_t (*getrandom_fn)(void *buf, size_t len, unsigned int flags, void *state,
				size_t state_len);

static void subject_wants_random(void)
{
	unsigned char buf[32] = { 0 }, zeros[32] = { 0 };
	getrandom_fn vdso_getrandom;
	unsigned long entry;
	FILE *f;

	subject_ready();
	f = fopen("entry", "r");
	CHECK(f && fscanf(f, "%lx", &entry) == 1);
	vdso_getrandom = (getrandom_fn)(getauxval(AT_SYSINFO_EHDR) + entry);
	/* a state of the old code's making, and the question for its size */
	CHECK_EQ(vdso_getrandom(buf, sizeof(buf), 0, zeros, sizeof(zeros)), sizeof(buf));
	CHECK(memcmp(buf, zeros, sizeof(buf)));
	CHECK_EQ(vdso_getrandom(NULL, 0, 0, zeros, ~0UL), -EOPNOTSUPP);
}

struct range {
	char *start;
	size_t len;
};

static struct range find_range(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	struct range found = {};
	char line[512];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, name) && sscanf(line, "%lx-%lx", &start, &end) == 2)
			found = (struct range){ (char *)start, end - start };
	fclose(f);
	CHECK(found.len);
	return found;
}

static void move_range(struct range from, char *to)
{
	CHECK(mremap(from.start, from.len, from.len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

/* From here on libc must not be asked what time it is. */
static char *move_vdso(void)
{
	struct range data = find_range("[vvar]"), text = find_range("[vdso]");
	char *to = mmap(NULL, data.len + text.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(to != MAP_FAILED);
	CHECK(data.start + data.len == text.start);
	move_range(data, to);
	move_range(text, to + data.len);
	return to + data.len;
}

static void subject_moves_vdso(void)
{
	int (*vdso_clock_gettime)(clockid_t clock, struct timespec *ts);
	char *text = move_vdso();
	unsigned long entry;
	struct timespec ts;
	long long before;
	FILE *f;

	subject_ready();
	f = fopen("entry", "r");
	CHECK(f && fscanf(f, "%lx", &entry) == 1);
	vdso_clock_gettime = (void *)(text + entry);
	before = syscall_ns(CLOCK_MONOTONIC);
	CHECK(!vdso_clock_gettime(CLOCK_MONOTONIC, &ts));
	CHECK(before <= ts.tv_sec * NSEC + ts.tv_nsec);
	CHECK(ts.tv_sec * NSEC + ts.tv_nsec <= syscall_ns(CLOCK_MONOTONIC));
}

static void subject_moves_half_of_vdso(void)
{
	struct range text = find_range("[vdso]");
	char *to = mmap(NULL, text.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(to != MAP_FAILED);
	move_range(text, to);
	subject_ready();
}

FIXTURE(vdso)
{
	struct subject s;
};

FIXTURE_SETUP(vdso)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(vdso)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

static bool of_same_kernel(struct subject *s)
{
	return image_load(s, &image);
}

static bool of_another_kernel(struct subject *s)
{
	struct ckpt_rec_arch *arch;

	if (!image_load(s, &image))
		return false;
	arch = (void *)image_first(&image, CKPT_REC_ARCH)->payload;
	arch->vdso_build_id[0] ^= 0xff;
	return image_store(s, &image);
}

static unsigned long where_is_vdso(pid_t pid)
{
	unsigned long start, found = 0;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-", &start) == 1)
			found = start;
	if (f)
		fclose(f);
	return found;
}

/* Checkpointed, restarted elsewhere, three times: calls are passed on and on. */
TEST_F_TIMEOUT(vdso, of_another_kernel, 120)
{
	struct subject *s = &self->s;
	unsigned long vdso;
	int round, i;

	for (round = 0; round < 10; round++) {
		ASSERT_TRUE(subject_start(s, subject_reads_clocks)) subject_print(s);
		for (i = 0; i < 3; i++) {
			vdso = where_is_vdso(s->pid);
			ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
			ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
			ASSERT_TRUE(of_another_kernel(s));
			ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
			EXPECT_NE(where_is_vdso(s->pid), vdso);
			EXPECT_NE(where_is_vdso(s->pid), 0);
		}
		ASSERT_EQ(subject_finish(s), 0) subject_print(s);
		s->pid = 0;
		subject_clean(s);
		/* The next subject begins with the memory that we have. */
		image_free(&image);
	}
}

/* At the same kernel nothing moves. */
TEST_F(vdso, of_this_kernel)
{
	struct subject *s = &self->s;
	unsigned long vdso;

	ASSERT_TRUE(subject_start(s, subject_reads_clocks)) subject_print(s);
	vdso = where_is_vdso(s->pid);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(where_is_vdso(s->pid), vdso);
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

static bool tell_entry(struct subject *s, int function)
{
	const struct ckpt_rec_vdso *rec = (void *)image_first(&image, CKPT_REC_VDSO)->payload;
	int fd = test_open(s, "entry", O_CREAT | O_WRONLY);
	bool ok = rec->entry[function] && dprintf(fd, "%x", rec->entry[function]) > 0;

	close(fd);
	return ok;
}

TEST_F(vdso, random_numbers_come_from_the_kernel)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_wants_random)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(of_another_kernel(s));
	if (!tell_entry(s, CKPT_VDSO_GETRANDOM)) {
		s->pid = 0;
		SKIP(return, "the vdso has no getrandom()");
	}
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

static void move_run(struct __test_metadata *_metadata, struct subject *s,
		     bool (*change)(struct subject *s))
{
	ASSERT_TRUE(subject_start(s, subject_moves_vdso)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(change(s));
	ASSERT_TRUE(tell_entry(s, CKPT_VDSO_CLOCK_GETTIME));
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_F(vdso, that_was_moved)
{
	move_run(_metadata, &self->s, of_same_kernel);
}

TEST_F(vdso, that_was_moved_at_another_kernel)
{
	move_run(_metadata, &self->s, of_another_kernel);
}

TEST_F(vdso, away_from_its_data_is_refused)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_moves_half_of_vdso)) subject_print(s);
	EXPECT_EQ(subject_checkpoint(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "vdso without its data pages, or changed")) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

/* There, a jump has taken the place of what the task would go on with. */
TEST_F(vdso, inside_an_entry_is_refused)
{
	struct ckpt_rec_mm_arch *mm;
	struct ckpt_rec_task_regs *regs;
	const struct ckpt_rec_vdso *rec;
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_reads_clocks)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(of_another_kernel(s));
	rec = (void *)image_first(&image, CKPT_REC_VDSO)->payload;
	mm = (void *)image_first(&image, CKPT_REC_MM_ARCH)->payload;
	regs = (void *)image_first(&image, CKPT_REC_TASK_REGS)->payload;
	regs->ip = mm->vdso + rec->entry[CKPT_VDSO_TIME] + 1;
	ASSERT_TRUE(image_store(s, &image));
	EXPECT_EQ(subject_restart(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "is at the entry of __vdso_time")) subject_print(s);
	mm->vdso_base += 4096;
	ASSERT_TRUE(image_store(s, &image));
	EXPECT_EQ(subject_restart(s, 0), -EINVAL);
	EXPECT_TRUE(log_has(s, "bad address of the vdso")) subject_print(s);
	s->pid = 0;
}

TEST_HARNESS_MAIN
