// SPDX-License-Identifier: GPL-2.0
/* x87, SSE, AVX and AVX-512 registers, control words, TLS, rseq. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/rseq.h>

#include "ckpt_test.h"

/*
 * The state must live in registers across the checkpoint, so that nothing may
 * be called meanwhile: a loop waits for a page that another thread writes to.
 */
static volatile int released;

static void *release(void *arg)
{
	(void)arg;
	subject_ready();
	released = 1;
	return NULL;
}

static pthread_t start_release(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, release, NULL));
	return thread;
}

/* until [rel] is set */
#define SPIN	"1: pause\n\tcmpl $0, %[rel]\n\tje 1b\n\t"

SURVIVE(sse_registers)
{
	uint64_t in[2] = { 0x1122334455667788, 0x99aabbccddeeff00 }, out[2] = {};
	pthread_t thread = start_release();

	asm volatile("movdqu %[in], %%xmm7\n\t"
		     SPIN
		     "movdqu %%xmm7, %[out]"
		     : [out] "=m"(out) : [in] "m"(in), [rel] "m"(released) : "xmm7", "memory", "cc");
	CHECK_EQ(out[0], in[0]);
	CHECK_EQ(out[1], in[1]);
	CHECK(!pthread_join(thread, NULL));
}

SURVIVE(x87_registers)
{
	double in = 3.14159, out = 0;
	pthread_t thread = start_release();

	asm volatile("fldl %[in]\n\t"
		     SPIN
		     "fstpl %[out]"
		     : [out] "=m"(out) : [in] "m"(in), [rel] "m"(released) : "memory", "cc", "st");
	CHECK(out == in);
	CHECK(!pthread_join(thread, NULL));
}

SURVIVE(avx_registers)
{
	uint64_t in[4] = { 1, 2, 3, 0xfedcba9876543210 }, out[4] = {};
	pthread_t thread = start_release();

	if (!__builtin_cpu_supports("avx")) {
		CHECK(!pthread_join(thread, NULL));
		return;
	}
	asm volatile("vmovdqu %[in], %%ymm9\n\t"
		     SPIN
		     "vmovdqu %%ymm9, %[out]\n\tvzeroupper"
		     : [out] "=m"(out) : [in] "m"(in), [rel] "m"(released) : "xmm9", "memory", "cc");
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK(!pthread_join(thread, NULL));
}

SURVIVE(control_words)
{
	unsigned int mxcsr = _mm_getcsr() ^ 0x6000;
	unsigned short cw, set = 0x027f;

	_mm_setcsr(mxcsr);
	asm volatile("fldcw %0" : : "m"(set));
	subject_ready();
	asm volatile("fnstcw %0" : "=m"(cw));
	CHECK_EQ(_mm_getcsr() & 0x6000, mxcsr & 0x6000);
	CHECK_EQ(cw, set);
}

static __thread int tls = 1;

static void *check_tls(void *arg)
{
	long want = (long)arg;

	tls = want;
	while (!released)
		subject_sleep_ms(1);
	CHECK_EQ(tls, want);
	return NULL;
}

SURVIVE(thread_local_storage)
{
	pthread_t threads[4];
	long i;

	tls = 99;
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, check_tls, (void *)(i + 5)));
	subject_ready();
	released = 1;
	CHECK_EQ(tls, 99);
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

SURVIVE(gs_base)
{
	unsigned long got;

	CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456789000));
	subject_ready();
	CHECK(!syscall(SYS_arch_prctl, ARCH_GET_GS, &got));
	CHECK_EQ(got, 0x123456789000);
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & 2;
}

/* With its own instruction a program sets what the system call does not take. */
SURVIVE_IF(gs_base_that_is_no_user_address, has_fsgsbase(), "no FSGSBASE")
{
	unsigned long base = 0xffff800000001000, got;

	asm volatile("wrgsbase %0" : : "r"(base));
	subject_ready();
	asm volatile("rdgsbase %0" : "=r"(got));
	CHECK_EQ(got, base);
	asm volatile("wrgsbase %0" : : "r"(0UL));
}

SURVIVE(rseq_stays_registered)
{
	struct rseq *rs = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);

	CHECK(__rseq_size);
	subject_ready();
	CHECK((int)rs->cpu_id >= 0);
	for (int i = 0; i < 100; i++)
		sched_yield();
	CHECK_EQ(sched_getcpu(), rs->cpu_id);
	/* registered already: a second registration must fail */
	CHECK(syscall(SYS_rseq, rs, 32, 0, RSEQ_SIG) == -1);
	CHECK(errno == EBUSY || errno == EINVAL);
}

TEST_HARNESS_MAIN
