// SPDX-License-Identifier: GPL-2.0
/* What prctl(2) and arch_prctl(2) let a program ask of the CPU and the kernel. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <x86intrin.h>

#include "ckpt_test.h"

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

TEST_HARNESS_MAIN
