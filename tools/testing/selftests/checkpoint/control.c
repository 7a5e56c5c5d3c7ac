// SPDX-License-Identifier: GPL-2.0
/* What prctl(2) and arch_prctl(2) let a program ask of the CPU and the kernel. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <x86intrin.h>

#include "ckpt_test.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER	57
#define PR_GET_IO_FLUSHER	58
#endif

static sigjmp_buf trapped;

static void on_trap(int sig)
{
	siglongjmp(trapped, 1);
}

static bool tsc_traps(void)
{
	signal(SIGSEGV, on_trap);
	if (sigsetjmp(trapped, 1))
		return true;
	__rdtsc();
	return false;
}

static void *with_tsc(void *arg)
{
	int *go = arg;

	CHECK(!prctl(PR_SET_TSC, PR_TSC_ENABLE));
	__atomic_store_n(go, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(go, __ATOMIC_SEQ_CST) == 1)
		sched_yield();
	CHECK(!tsc_traps());
	return NULL;
}

SURVIVE(tsc_trap_of_one_thread)
{
	int mode = 0, go = 0;
	pthread_t thread;

	CHECK(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	CHECK(!pthread_create(&thread, NULL, with_tsc, &go));
	while (!__atomic_load_n(&go, __ATOMIC_SEQ_CST))
		sched_yield();
	subject_ready();
	CHECK(!prctl(PR_GET_TSC, &mode));
	CHECK_EQ(mode, PR_TSC_SIGSEGV);
	CHECK(tsc_traps());
	__atomic_store_n(&go, 2, __ATOMIC_SEQ_CST);
	CHECK(!pthread_join(thread, NULL));
	CHECK(!prctl(PR_SET_TSC, PR_TSC_ENABLE));
	CHECK(!tsc_traps());
}

/* A CPU that cannot trap CPUID says so before and after. */
SURVIVE(cpuid_trap)
{
	bool can = !syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);

	subject_ready();
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0), !can);
}

/* As above, for what the CPU lets be controlled. */
SURVIVE(speculation)
{
	const unsigned long controls[][2] = {
		{ PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE },
		{ PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE },
		{ PR_SPEC_L1D_FLUSH, PR_SPEC_ENABLE },
	};
	int before[3], i;

	for (i = 0; i < 3; i++) {
		prctl(PR_SET_SPECULATION_CTRL, controls[i][0], controls[i][1], 0, 0);
		before[i] = prctl(PR_GET_SPECULATION_CTRL, controls[i][0], 0, 0, 0);
	}
	subject_ready();
	for (i = 0; i < 3; i++)
		CHECK_EQ(prctl(PR_GET_SPECULATION_CTRL, controls[i][0], 0, 0, 0), before[i]);
}

#define NR_CONTROLS	3

static const unsigned long misfeatures[NR_CONTROLS] = {
	PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_L1D_FLUSH,
};

static void get_controls(int *control)
{
	for (int i = 0; i < NR_CONTROLS; i++)
		control[i] = prctl(PR_GET_SPECULATION_CTRL, misfeatures[i], 0, 0, 0);
}

/* Returns how many differ from what they were. */
static int set_controls(const unsigned long *value)
{
	int before[NR_CONTROLS], after[NR_CONTROLS], i, n = 0;

	get_controls(before);
	for (i = 0; i < NR_CONTROLS; i++)
		prctl(PR_SET_SPECULATION_CTRL, misfeatures[i], value[i], 0, 0);
	get_controls(after);
	for (i = 0; i < NR_CONTROLS; i++)
		n += after[i] != before[i];
	return n;
}

static void subject_with_initial_controls(void)
{
	int before[NR_CONTROLS], after[NR_CONTROLS];

	get_controls(before);
	subject_ready();
	get_controls(after);
	for (int i = 0; i < NR_CONTROLS; i++)
		CHECK_EQ(after[i], before[i]);
}

/* Of what can be controlled by a program */
static void subject_that_gets_locked(void)
{
	const int can = PR_SPEC_PRCTL | PR_SPEC_ENABLE;
	int before[NR_CONTROLS], after[NR_CONTROLS];

	get_controls(before);
	subject_ready();
	get_controls(after);
	for (int i = 0; i < NR_CONTROLS - 1; i++)
		CHECK_EQ(after[i], before[i] == can ? PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE :
						     before[i]);
	CHECK_EQ(after[NR_CONTROLS - 1], before[NR_CONTROLS - 1]);
}

static void restart_with_controls(struct __test_metadata *_metadata, struct subject *s,
				  void (*fn)(void), const unsigned long *value)
{
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	if (!set_controls(value)) {
		s->pid = 0;
		SKIP(return, "this CPU lets programs control no speculation");
	}
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

/* What the restarter has asked for, and could take back, is not the tree's. */
TEST_F(refuse, speculation_controls_of_the_restarter)
{
	static const unsigned long value[NR_CONTROLS] = {
		PR_SPEC_DISABLE, PR_SPEC_DISABLE, PR_SPEC_ENABLE,
	};

	restart_with_controls(_metadata, &self->s, subject_with_initial_controls, value);
}

/* What it cannot take back stays; nobody can lock flushes of the L1D cache. */
TEST_F(refuse, speculation_controls_that_are_locked)
{
	static const unsigned long value[NR_CONTROLS] = {
		PR_SPEC_FORCE_DISABLE, PR_SPEC_FORCE_DISABLE, PR_SPEC_ENABLE,
	};

	restart_with_controls(_metadata, &self->s, subject_that_gets_locked, value);
}

SURVIVE(io_flusher)
{
	CHECK(!prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 1);
	CHECK(!prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0));
}

static char selector;
static volatile int dispatched;

/* Emulates getppid(), which is not made; all others are let through meanwhile. */
static void on_dispatch(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	dispatched = info->si_syscall;
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

static void dispatch_on(char *sel)
{
	struct sigaction sa = { .sa_sigaction = on_dispatch, .sa_flags = SA_SIGINFO };

	CHECK(!sigaction(SIGSYS, &sa, NULL));
	CHECK(!prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, sel));
}

static void expect_dispatch(void)
{
	long ret;

	dispatched = -1;
	selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	ret = syscall(__NR_getppid);
	CHECK_EQ(dispatched, __NR_getppid);
	CHECK_EQ(ret, 4711);
	CHECK(syscall(__NR_getppid) != 4711);
}

static void *undispatched(void *arg)
{
	int *go = arg;

	while (!__atomic_load_n(go, __ATOMIC_SEQ_CST))
		sched_yield();
	selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	CHECK(syscall(__NR_getppid) != 4711);
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	return NULL;
}

SURVIVE(syscall_user_dispatch)
{
	pthread_t thread;
	int go = 0;

	CHECK(!pthread_create(&thread, NULL, undispatched, &go));
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	dispatch_on(&selector);
	expect_dispatch();
	subject_ready();
	expect_dispatch();
	CHECK(!prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0));
	__atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
	CHECK(!pthread_join(thread, NULL));
}

TEST_HARNESS_MAIN
