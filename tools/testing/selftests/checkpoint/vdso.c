// SPDX-License-Identifier: GPL-2.0
/* The vdso of another kernel, which stays where it was and leads to ours. */
#include <asm/prctl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/time.h>

#include "clock.h"
#include "foreign_vdso.h"
#include "ia32.h"

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

/* Not by way of libc, which has no use for some of them */
static void call_gettime(const char *name, bool time64)
{
	int (*gettime)(clockid_t clock, void *ts) = vdso_function(name);
	struct { int64_t sec, nsec; } ts64;
	struct timespec ts;
	long long before = syscall_ns(CLOCK_MONOTONIC), now;

	CHECK(!gettime(CLOCK_MONOTONIC, time64 ? (void *)&ts64 : &ts));
	now = time64 ? ts64.sec * NSEC + ts64.nsec : ts.tv_sec * NSEC + ts.tv_nsec;
	CHECK(before <= now && now <= syscall_ns(CLOCK_MONOTONIC));
}

static void call_functions(void)
{
	int (*vdso_gettimeofday)(struct timeval *tv, void *tz) =
		vdso_function("__vdso_gettimeofday");
	int (*vdso_getres)(clockid_t clock, struct timespec *ts) =
		vdso_function("__vdso_clock_getres");
	int (*vdso_getcpu)(unsigned int *cpu, unsigned int *node, void *unused) =
		vdso_function("__vdso_getcpu");
	time_t (*vdso_time)(time_t *t) = vdso_function("__vdso_time");
	time_t before = syscall_ns(CLOCK_REALTIME_COARSE) / NSEC, now;
	struct timespec res;
	struct timeval tv;
	unsigned int cpu;

	call_gettime("__vdso_clock_gettime", false);
#ifdef __i386__
	call_gettime("__vdso_clock_gettime64", true);
#endif
	now = vdso_time(NULL);
	CHECK(!vdso_gettimeofday(&tv, NULL));
	CHECK(before <= now && now <= tv.tv_sec);
	CHECK(!vdso_getres(CLOCK_MONOTONIC, &res) && !res.tv_sec && res.tv_nsec);
	CHECK(!vdso_getcpu(&cpu, NULL, NULL));
	CHECK(cpu < (unsigned int)sysconf(_SC_NPROCESSORS_CONF));
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
	call_functions();
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
	const int how = MREMAP_MAYMOVE | MREMAP_FIXED;

#ifdef __i386__
	CHECK(int80(IA32_mremap, (long)from.start, from.len, from.len, how, (long)to) == (long)to);
#else
	CHECK(mremap(from.start, from.len, from.len, how, to) == to);
#endif
}

/* 32-bit programs go on to make their system calls at the old address. */
static void move_text(struct range text, char *to)
{
	char *copy = mmap(NULL, text.len, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(copy != MAP_FAILED);
	memcpy(copy, text.start, text.len);
	move_range(text, to);
	move_range((struct range){ copy, text.len }, text.start);
}

/* From here on libc must not be asked what time it is. */
static char *move_vdso(void)
{
	struct range data = find_range("[vvar]"), text = find_range("[vdso]");
	char *to = mmap(NULL, data.len + text.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(to != MAP_FAILED);
	CHECK(data.start + data.len == text.start);
	move_range(data, to);
	move_text(text, to + data.len);
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
	fclose(f);
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
	move_text(text, to);
	subject_ready();
}

/* Executed by a subject: the child of a program of the other kind */
__attribute__((constructor)) static void be_program(void)
{
	if (!getenv(PROGRAM_ENV))
		return;
	compare_all();
	subject_touch("up");
	while (access("go", F_OK))
		subject_sleep_ms(5);
	compare_all();
	_exit(0);
}

static void subject_of_both_kinds(void)
{
	pid_t kid = fork();
	int status;

	if (!kid)
		execute(twin(), "child");
	while (access("up", F_OK))
		subject_sleep_ms(5);
	compare_all();
	subject_ready();
	compare_all();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

#ifdef __i386__

#define CALLERS	3

static void subject_dispatches_calls(void)
{
	static char selector;

	CHECK(!prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector));
	subject_ready();
}

static sem_t gate_sem;
static int gate_pipe[2];
static volatile int handled;

/* Calls with up to six arguments, the last of them on the stack of the vdso */
static void *call_and_wait(void *arg)
{
	struct { int32_t sec, nsec; } ts = { .sec = 1000 };
	char c;

	switch ((long)arg) {
	case 0:
		CHECK_EQ(vdso_call(SYS_read, gate_pipe[0], (long)&c, 1, 0, 0), 1);
		break;
	case 1:
		CHECK(!sem_wait(&gate_sem));
		break;
	case 2:
		CHECK_EQ(vdso_call(IA32_nanosleep, (long)&ts, (long)&ts, 0, 0, 0), -EINTR);
		CHECK(ts.sec > 500);
		break;
	}
	return NULL;
}

static void start_callers(pthread_t *threads)
{
	long i;

	CHECK(!pipe(gate_pipe));
	CHECK(!sem_init(&gate_sem, 0, 0));
	for (i = 0; i < CALLERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, call_and_wait, (void *)i));
	subject_sleep_ms(100);
}

static void end_callers(pthread_t *threads)
{
	int i;

	CHECK_EQ(write(gate_pipe[1], "x", 1), 1);
	CHECK(!sem_post(&gate_sem));
	CHECK(!pthread_kill(threads[2], SIGHUP));
	for (i = 0; i < CALLERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

static void handler(int sig)
{
	if (sig == SIGUSR2)
		raise(SIGUSR1);
	else if (!handled)
		subject_ready();
	handled++;
}

/* An old and a new kind of frame, both of which lead into the vdso */
static void handle_signals(void)
{
	struct old_sigaction32 old = { .handler = (unsigned long)handler };
	struct sigaction32 sa = { .handler = (unsigned long)handler, .flags = SA_SIGINFO };

	CHECK(!int80(IA32_sigaction, SIGUSR1, (long)&old, 0, 0, 0));
	CHECK(!int80(IA32_sigaction, SIGHUP, (long)&old, 0, 0, 0));
	CHECK(!int80(IA32_rt_sigaction, SIGUSR2, (long)&sa, 0, 8, 0));
}

static void subject_makes_calls(void)
{
	pthread_t threads[CALLERS];
	int fd = open("/proc/self/exe", O_RDONLY);

	start_callers(threads);
	handle_signals();
	raise(SIGUSR2);
	CHECK_EQ(handled, 2);
	raise(SIGUSR2);
	CHECK_EQ(handled, 4);
	CHECK_EQ(vdso_call(SYS_getpid, 0, 0, 0, 0, 0), int80(SYS_getpid, 0, 0, 0, 0, 0));
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096) != MAP_FAILED);
	end_callers(threads);
	CHECK_EQ(handled, 5);
}

#else

#define VDSO32_AT	(0x10000000UL + 0x4000)	/* its data come first */

/* From here on libc must not be asked what time it is. */
static void subject_maps_vdso32(void)
{
	struct range data = find_range("[vvar]"), text = find_range("[vdso]");

	CHECK(!munmap(data.start, data.len) && !munmap(text.start, text.len));
	CHECK(syscall(SYS_arch_prctl, ARCH_MAP_VDSO_32, VDSO32_AT - 0x4000) > 0);
	CHECK(find_range("[vdso]").start == (char *)VDSO32_AT);
	subject_ready();
	CHECK(!memcmp((void *)VDSO32_AT, "\177ELF\1", 5));
}

#endif

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

static struct ckpt_rec_vdso *own_vdso(void)
{
	struct item *item = image_first(&image, CKPT_REC_VDSO);

	return (void *)item[sizeof(long) == 8 ? 0 : 1].payload;
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

/* Neither at the same kernel does it move, nor at one where that of others differs. */
static void stay_run(struct __test_metadata *_metadata, struct subject *s,
		     bool (*change)(struct subject *s))
{
	unsigned long vdso;

	ASSERT_TRUE(subject_start(s, subject_reads_clocks)) subject_print(s);
	vdso = where_is_vdso(s->pid);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(change(s));
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(where_is_vdso(s->pid), vdso);
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_F(vdso, of_this_kernel)
{
	stay_run(_metadata, &self->s, of_same_kernel);
}

static bool of_another_for_others(struct subject *s)
{
	return is_other(s, OTHER_32 + OTHER_64 - OTHER_OWN);
}

TEST_F(vdso, of_this_kernel_but_not_for_others)
{
	stay_run(_metadata, &self->s, of_another_for_others);
}

static void generations_run(struct __test_metadata *_metadata, struct subject *s,
			    void (*fn)(void), int vdsos)
{
	int i;

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	for (i = 0; i < 3; i++) {
		ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
		ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
		ASSERT_TRUE(is_other(s, vdsos));
		ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	}
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
	subject_clean(s);
	image_free(&image);
}

TEST_F_TIMEOUT(vdso, of_programs_of_both_kinds, 120)
{
	int vdsos;

	if (!has_int80() || !has_twin())
		SKIP(return, "no IA32_EMULATION, or no 32-bit compiler");
	for (vdsos = 0; vdsos <= OTHER_64 + OTHER_32; vdsos++)
		generations_run(_metadata, &self->s, subject_of_both_kinds, vdsos);
}

#ifdef __i386__

TEST_F_TIMEOUT(vdso, makes_system_calls, 120)
{
	generations_run(_metadata, &self->s, subject_makes_calls, OTHER_32);
}

TEST_F(vdso, with_dispatched_calls_is_refused)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_dispatches_calls)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(of_another_kernel(s));
	EXPECT_EQ(subject_restart(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "syscall user dispatch of a 32-bit program")) subject_print(s);
	s->pid = 0;
}

#else

/* 32-bit code must reach what the old leads to. */
TEST_F(vdso, for_32bit_code_of_64bit_program)
{
	struct subject *s = &self->s;

	if (!has_int80())
		SKIP(return, "no IA32_EMULATION");
	ASSERT_TRUE(subject_start(s, subject_maps_vdso32)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(of_another_for_others(s));
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_NE(where_is_vdso(s->pid), 0);
	EXPECT_NE(where_is_vdso(s->pid), VDSO32_AT);
	EXPECT_LT(where_is_vdso(s->pid), 1UL << 32);
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

#endif

static bool tell_entry(struct subject *s, int function)
{
	const struct ckpt_rec_vdso *rec = own_vdso();
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
	rec = own_vdso();
	mm = (void *)image_first(&image, CKPT_REC_MM_ARCH)->payload;
	regs = (void *)image_first(&image, CKPT_REC_TASK_REGS)->payload;
	regs->ip = mm->vdso + rec->entry[CKPT_VDSO_TIME] + 1;
	ASSERT_TRUE(image_store(s, &image));
	EXPECT_EQ(subject_restart(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "is at the entry of __vdso_time")) subject_print(s);
#ifdef __i386__
	/* behind the jump, but before the int $0x80 */
	regs->ip = mm->vdso + rec->landing - 3;
	ASSERT_TRUE(image_store(s, &image));
	EXPECT_EQ(subject_restart(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "is at the entry of __kernel_vsyscall")) subject_print(s);
#endif
	mm->vdso_base += 4096;
	ASSERT_TRUE(image_store(s, &image));
	EXPECT_EQ(subject_restart(s, 0), -EINVAL);
	EXPECT_TRUE(log_has(s, "bad address of the vdso")) subject_print(s);
	s->pid = 0;
}

static void refuse_forged(struct __test_metadata *_metadata, struct subject *s, uint32_t *field,
			  uint32_t value, int err, const char *text)
{
	uint32_t good = *field;

	*field = value;
	ASSERT_TRUE(image_store(s, &image));
	EXPECT_EQ(subject_restart(s, 0), -err);
	EXPECT_TRUE(log_has(s, text)) subject_print(s);
	*field = good;
}

/* What this kernel cannot put in the place of a function, and entries that nobody has */
TEST_F(vdso, with_other_functions_is_refused)
{
	struct subject *s = &self->s;
	struct ckpt_rec_vdso *rec;

	ASSERT_TRUE(subject_start(s, subject_reads_clocks)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(of_another_kernel(s));
	rec = own_vdso();
#ifdef __i386__
	refuse_forged(_metadata, s, &rec->entry[CKPT_VDSO_GETRANDOM], 4096, EOPNOTSUPP,
		      "has no __vdso_getrandom");
	/* the jump would reach the int $0x80 */
	refuse_forged(_metadata, s, &rec->landing, rec->entry[CKPT_VDSO_VSYSCALL] + 6, EINVAL,
		      "bad 32-bit vdso");
	refuse_forged(_metadata, s, &rec->landing, rec->text_size + 1, EINVAL, "bad 32-bit vdso");
	refuse_forged(_metadata, s, &rec->entry[CKPT_VDSO_VSYSCALL], 0, EINVAL, "bad 32-bit vdso");
#else
	refuse_forged(_metadata, s, &rec->entry[CKPT_VDSO_CLOCK_GETTIME64], 4096, EOPNOTSUPP,
		      "has no __vdso_clock_gettime64");
	refuse_forged(_metadata, s, &rec->entry[CKPT_VDSO_VSYSCALL], 4096, EINVAL,
		      "bad 64-bit vdso");
#endif
	s->pid = 0;
}

TEST_HARNESS_MAIN
