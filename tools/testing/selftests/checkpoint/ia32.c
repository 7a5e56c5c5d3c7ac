// SPDX-License-Identifier: GPL-2.0
/*
 * What is special about 32-bit programs. This is built as one (ia32_32), and as
 * a 64-bit program that runs 32-bit code and has 32-bit relatives (ia32).
 */
#include <asm/ldt.h>
#include <pthread.h>
#include <sys/personality.h>

#include "clock.h"
#include "code32.h"
#include "ia32.h"

static void *release(void *arg)
{
	subject_ready();
	*(volatile int *)arg = 1;
	return NULL;
}

/*
 * Programs of both kinds, each the child of one of the other kind and with
 * threads, down to the one named "0".
 */
static void *wait_for_go(void *arg)
{
	while (access("go", F_OK))
		subject_sleep_ms(5);
	return arg;
}

static void generation(int nr)
{
	char name[2] = { '0' + nr - 1 };
	pid_t kid = nr ? fork() : 0;
	pthread_t thread;
	int status = 0;
	void *ret;

	if (nr && !kid)
		execute(twin(), name);
	CHECK(!pthread_create(&thread, NULL, wait_for_go, &status));
	if (!nr)
		subject_touch("all there");
	CHECK(!pthread_join(thread, &ret) && ret == &status);
	if (nr)
		CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

SURVIVE_IF(mixed_tree, has_int80() && has_twin(),
	   "no IA32_EMULATION, or no 32-bit compiler")
{
	pid_t kid = fork();
	int status;

	if (!kid)
		execute(twin(), "3");
	while (access("all there", F_OK))
		subject_sleep_ms(5);
	subject_ready();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

#ifdef __i386__

static volatile int released;

struct registers {
	uint32_t bx, cx, dx, si, di;
	uint64_t xmm[2];
	double st;
	uint16_t cs, ds, es, fs, gs, ss;
};

static const uint64_t xmm_in[2] = { 0x1122334455667788, 0x99aabbccddeeff00 };
static const double st_in = 2.71828;
static struct registers out;

static void segments(struct registers *r)
{
	asm volatile("mov %%cs, %0" : "=m"(r->cs));
	asm volatile("mov %%ds, %0" : "=m"(r->ds));
	asm volatile("mov %%es, %0" : "=m"(r->es));
	asm volatile("mov %%fs, %0" : "=m"(r->fs));
	asm volatile("mov %%gs, %0" : "=m"(r->gs));
	asm volatile("mov %%ss, %0" : "=m"(r->ss));
}

/* In user mode, waiting without a call */
static __attribute__((target("sse2"))) void spin(void)
{
	asm volatile("movl $0x12345678, %%ebx\n\t"
		     "movl $0xcafe0001, %%ecx\n\t"
		     "movl $0xcafe0002, %%edx\n\t"
		     "movl $0x80000003, %%esi\n\t"
		     "movl $0xfffffff4, %%edi\n\t"
		     "movdqu %[xmm], %%xmm7\n\t"
		     "fldl %[st]\n\t"
		     "1: pause\n\t"
		     "cmpl $0, %[rel]\n\t"
		     "je 1b\n\t"
		     "fstpl %[ost]\n\t"
		     "movdqu %%xmm7, %[oxmm]\n\t"
		     "movl %%ebx, %[obx]\n\t"
		     "movl %%ecx, %[ocx]\n\t"
		     "movl %%edx, %[odx]\n\t"
		     "movl %%esi, %[osi]\n\t"
		     "movl %%edi, %[odi]"
		     : [ost] "=m"(out.st), [oxmm] "=m"(out.xmm), [obx] "=m"(out.bx),
		       [ocx] "=m"(out.cx), [odx] "=m"(out.dx), [osi] "=m"(out.si),
		       [odi] "=m"(out.di)
		     : [rel] "m"(released), [xmm] "m"(xmm_in), [st] "m"(st_in)
		     : "ebx", "ecx", "edx", "esi", "edi", "xmm7", "st", "memory", "cc");
}

SURVIVE(registers)
{
	struct registers before;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, release, (void *)&released));
	segments(&before);
	spin();
	segments(&out);
	CHECK_EQ(out.bx, 0x12345678);
	CHECK_EQ(out.cx, 0xcafe0001);
	CHECK_EQ(out.dx, 0xcafe0002);
	CHECK_EQ(out.si, 0x80000003);
	CHECK_EQ(out.di, 0xfffffff4);
	CHECK(!memcmp(out.xmm, xmm_in, sizeof(xmm_in)));
	CHECK(out.st == st_in);
	CHECK(!memcmp(&out.cs, &before.cs, 6 * sizeof(out.cs)));
	CHECK_EQ(out.cs, 0x23);
	CHECK(!pthread_join(thread, NULL));
}

static uint16_t own_segment(void *base)
{
	struct user_desc desc = {
		.entry_number = -1,
		.base_addr = (unsigned long)base,
		.limit = 0xfffff,
		.seg_32bit = 1,
		.limit_in_pages = 1,
		.useable = 1,
	};

	CHECK(!int80(IA32_set_thread_area, (long)&desc, 0, 0, 0, 0));
	return desc.entry_number * 8 + 3;
}

static __thread int tls = 1;

static void *use_segment(void *arg)
{
	int value = (long)arg * 1000, got;
	uint16_t fs = own_segment(&value);

	tls = value + 1;
	asm volatile("mov %0, %%fs" : : "r"(fs));
	while (!released)
		subject_sleep_ms(1);
	asm volatile("movl %%fs:0, %0" : "=r"(got));
	CHECK_EQ(got, value);
	CHECK_EQ(tls, value + 1);
	/* the descriptor is there, not only what the CPU has cached of it */
	asm volatile("mov %1, %%fs; movl %%fs:0, %0" : "=r"(got) : "r"(fs));
	CHECK_EQ(got, value);
	return NULL;
}

SURVIVE(segments_of_threads)
{
	pthread_t threads[4];
	long i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, use_segment, (void *)(i + 5)));
	subject_ready();
	released = 1;
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK_EQ(tls, 1);
}

static volatile int handled;

static void wait_in_handler(int sig)
{
	if (sig == SIGUSR1)
		subject_ready();
	handled++;
}

static void wait_in_rt_handler(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	wait_in_handler(sig);
	CHECK_EQ(info->si_pid, getpid());
}

/* Without a restorer the handler returns by way of the vdso. */
SURVIVE(old_handler_returns_through_vdso)
{
	struct old_sigaction32 sa = { .handler = (unsigned long)wait_in_handler };

	CHECK(!int80(IA32_sigaction, SIGUSR1, (long)&sa, 0, 0, 0));
	CHECK(!int80(IA32_sigaction, SIGUSR2, (long)&sa, 0, 0, 0));
	raise(SIGUSR1);
	CHECK_EQ(handled, 1);
	raise(SIGUSR2);
	CHECK_EQ(handled, 2);
}

SURVIVE(handler_returns_through_vdso)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) }, got;
	struct sigaction32 sa = {
		.handler = (unsigned long)wait_in_rt_handler,
		.flags = SA_SIGINFO | SA_ONSTACK,
	};

	CHECK(!sigaltstack(&ss, NULL));
	CHECK(!int80(IA32_rt_sigaction, SIGUSR1, (long)&sa, 0, 8, 0));
	CHECK(!int80(IA32_rt_sigaction, SIGUSR2, (long)&sa, 0, 8, 0));
	raise(SIGUSR1);
	CHECK_EQ(handled, 1);
	raise(SIGUSR2);
	CHECK_EQ(handled, 2);
	CHECK(!sigaltstack(NULL, &got));
	CHECK(got.ss_sp == stack && got.ss_size == sizeof(stack) && !got.ss_flags);
}

static void no_action(int sig)
{
	(void)sig;
}

struct old_timespec {
	int32_t sec, nsec;
};

typedef long gate(long nr, long a, long b, long c, long d, long e);

/* A signal ends the sleep, which says how much is left: in the old format. */
static void sleep_and_tell(gate *enter, long nr, long clock)
{
	struct old_timespec ts = { .sec = 1000 }, left = { .nsec = -1 };
	long ret;

	if (nr == IA32_nanosleep)
		ret = enter(nr, (long)&ts, (long)&left, 0, 0, 0);
	else
		ret = enter(nr, clock, 0, (long)&ts, (long)&left, 0);
	CHECK_EQ(ret, -EINTR);
	CHECK(left.sec > 500 && left.sec < 1000);
	CHECK(left.nsec >= 0 && left.nsec < 1000000000);
}

static void *sleeper(void *arg)
{
	long kind = (long)arg;

	switch (kind) {
	case 0:
		sleep_and_tell(int80, IA32_nanosleep, 0);
		break;
	case 1:
		sleep_and_tell(vdso_call, IA32_nanosleep, 0);
		break;
	case 2:
		sleep_and_tell(int80, IA32_clock_nanosleep, CLOCK_MONOTONIC);
		break;
	case 3:
		sleep_and_tell(vdso_call, IA32_clock_nanosleep, CLOCK_BOOTTIME);
		break;
	}
	return NULL;
}

#define NR_SLEEPERS	4

SURVIVE(rest_of_a_sleep)
{
	struct sigaction sa = { .sa_handler = no_action };
	pthread_t threads[NR_SLEEPERS];
	long i;

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	for (i = 0; i < NR_SLEEPERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, sleeper, (void *)i));
	subject_sleep_ms(100);
	subject_ready();
	subject_sleep_ms(100);
	for (i = 0; i < NR_SLEEPERS; i++) {
		CHECK(!pthread_kill(threads[i], SIGUSR1));
		CHECK(!pthread_join(threads[i], NULL));
	}
}

SURVIVE(vdso)
{
	unsigned long ehdr = getauxval(AT_SYSINFO_EHDR);
	long long before = clock_ns(CLOCK_MONOTONIC);

	CHECK_EQ(vdso_call(SYS_getpid, 0, 0, 0, 0, 0), getpid());
	subject_ready();
	CHECK_EQ(vdso_call(SYS_getpid, 0, 0, 0, 0, 0), int80(SYS_getpid, 0, 0, 0, 0, 0));
	CHECK_EQ(getauxval(AT_SYSINFO_EHDR), ehdr);
	CHECK(!memcmp((void *)ehdr, "\177ELF\1", 5));
	CHECK(clock_ns(CLOCK_MONOTONIC) > before);
}

/* New memory is where 32-bit programs find it, and not where they do not. */
SURVIVE(room_for_more_memory)
{
	char *brk = sbrk(0), *p;

	subject_ready();
	CHECK(sbrk(4096) == brk);
	memset(brk, 1, 4096);
	p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	p[(64 << 20) - 1] = 1;
	p = mmap((void *)0xffffe000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0);
	CHECK(p == MAP_FAILED && errno == ENOMEM);
}

static void program_3gb(void)
{
	char *end = (char *)0xc0000000, *p;
	int on_stack;

	CHECK((char *)&on_stack < end);
	subject_ready();
	CHECK(personality(0xffffffff) & ADDR_LIMIT_3GB);
	p = mmap(end, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(p == MAP_FAILED && errno == ENOMEM);
	p = mmap(end - 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && p < end);
}

SURVIVE(limit_of_3gb)
{
	char path[PATH_MAX] = "";

	CHECK(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	CHECK(personality(PER_LINUX | ADDR_LIMIT_3GB) != -1);
	execute(path, "3gb");
}

/* A 64-bit sleep: the program is a 32-bit one all the same. */
static void *sleep64(void *arg)
{
	struct { int64_t sec, nsec; } ts = { .sec = 1 };

	CHECK_EQ(syscall64(35, &ts, 0), 0);
	return arg;
}

SURVIVE(in_64bit_code)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, sleep64, NULL));
	subject_sleep_ms(100);
	subject_ready();
	CHECK(!pthread_join(thread, NULL));
}

#else

static void program_3gb(void)
{
}

static void *sleep_int80(void *arg)
{
	struct { int32_t sec, nsec; } *ts = low();
	long long start = clock_ns(CLOCK_MONOTONIC);

	ts->sec = 1;
	CHECK_EQ(int80(IA32_nanosleep, (long)ts, (long)ts, 0, 0, 0), 0);
	CHECK(clock_ns(CLOCK_MONOTONIC) - start >= NSEC);
	return arg;
}

SURVIVE_IF(int80_from_64bit_code, has_int80(), "no IA32_EMULATION")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, sleep_int80, NULL));
	subject_sleep_ms(100);
	subject_ready();
	CHECK(!pthread_join(thread, NULL));
}

SURVIVE_IF(in_32bit_code, has_int80(), "no IA32_EMULATION")
{
	char *code = low();
	struct far *far = (struct far *)(code + 2048);
	struct segments seg = { .ds = USER_DS, .ss = USER_DS };
	volatile int *flag = (int *)(code + 3072);
	pthread_t thread;
	uint16_t cs;

	memcpy(code, wait32, sizeof(wait32));
	far[0] = (struct far){ (uint64_t)code, USER_CS32 };
	far[1] = (struct far){ (uint64_t)code + BACK64, USER_CS };
	CHECK(!pthread_create(&thread, NULL, release, (void *)flag));
	run32(&far[0], (uint64_t)&far[1], (uint64_t)flag, &seg);
	CHECK(*flag);
	CHECK(seg.ds == USER_DS && seg.ss == USER_DS);
	asm volatile("mov %%cs, %0" : "=m"(cs));
	CHECK_EQ(cs, USER_CS);
	CHECK(!pthread_join(thread, NULL));
}

#endif

/* Executed by a subject, and not by whoever runs the tests. */
__attribute__((constructor)) static void be_program(void)
{
	const char *program = getenv(PROGRAM_ENV);

	if (!program)
		return;
	if (!strcmp(program, "3gb"))
		program_3gb();
	else
		generation(*program - '0');
	_exit(0);
}

TEST_HARNESS_MAIN
