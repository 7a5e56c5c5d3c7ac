// SPDX-License-Identifier: GPL-2.0
/*
 * Registers of x87 and SSE, those of AVX and AVX-512 where the CPU has them (that
 * of TCG has no AVX-512), control words, TLS, rseq.
 */
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

SURVIVE_IF(avx_registers, __builtin_cpu_supports("avx"), "no AVX")
{
	uint64_t in[4] = { 1, 2, 3, 0xfedcba9876543210 }, out[4] = {};
	pthread_t thread = start_release();

	asm volatile("vmovdqu %[in], %%ymm9\n\t"
		     SPIN
		     "vmovdqu %%ymm9, %[out]\n\tvzeroupper"
		     : [out] "=m"(out) : [in] "m"(in), [rel] "m"(released) : "xmm9", "memory", "cc");
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK(!pthread_join(thread, NULL));
}

struct avx512_state {
	uint64_t low[8], high[8];	/* one register of those that SSE has, one of the others */
	uint16_t mask;
};

/* The compiler uses neither the upper registers nor masks, and need not be told. */
SURVIVE_IF(avx512_registers, __builtin_cpu_supports("avx512f"), "no AVX-512")
{
	struct avx512_state in = { .mask = 0xa5c3 }, out = {};
	pthread_t thread = start_release();
	int i;

	for (i = 0; i < 8; i++) {
		in.low[i] = 0x0123456789abcdef * (i + 1);
		in.high[i] = 0xfedcba9876543210 * (i + 3);
	}
	asm volatile("vmovdqu64 %[low], %%zmm5\n\t"
		     "vmovdqu64 %[high], %%zmm21\n\t"
		     "kmovw %[mask], %%k3\n\t"
		     SPIN
		     "vmovdqu64 %%zmm5, %[out_low]\n\t"
		     "vmovdqu64 %%zmm21, %[out_high]\n\t"
		     "kmovw %%k3, %[out_mask]\n\t"
		     "vzeroupper"
		     : [out_low] "=m"(out.low), [out_high] "=m"(out.high),
		       [out_mask] "=m"(out.mask)
		     : [low] "m"(in.low), [high] "m"(in.high), [mask] "m"(in.mask),
		       [rel] "m"(released)
		     : "xmm5", "memory", "cc");
	CHECK(!memcmp(in.low, out.low, sizeof(in.low)));
	CHECK(!memcmp(in.high, out.high, sizeof(in.high)));
	CHECK_EQ(out.mask, in.mask);
	CHECK(!pthread_join(thread, NULL));
}

#define FLAGS	0x204000UL	/* NT and ID, which no signal handler changes */

SURVIVE(flags_of_no_use)
{
	pthread_t thread = start_release();
	unsigned long flags;

	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "pushfq\n\torq %[set], (%%rsp)\n\tpopfq\n\t"
		     SPIN
		     "pushfq\n\tmovq (%%rsp), %[flags]\n\t"
		     "xorq %[set], (%%rsp)\n\tpopfq\n\t"
		     "lea 128(%%rsp), %%rsp\n\t"
		     : [flags] "=&r" (flags)
		     : [set] "i" (FLAGS), [rel] "m" (released) : "memory", "cc");
	CHECK_EQ(flags & FLAGS, FLAGS);
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

static struct rseq *rseq_area(void)
{
	return (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

SURVIVE(rseq_stays_registered)
{
	struct rseq *rs = rseq_area();

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

static volatile int aborts, armed;

/*
 * A restartable sequence that waits in pause(2). The kernel ends it whenever the
 * task comes back to user mode after it has slept.
 */
static void pause_in_sequence(void)
{
	struct rseq *rs = rseq_area();

	asm volatile(".pushsection __rseq_cs, \"aw\"\n\t"
		     ".balign 32\n"
		     "3:\n\t"
		     ".long 0, 0\n\t"
		     ".quad 1f, 2f - 1f, 4f\n\t"
		     ".popsection\n\t"
		     "leaq 3b(%%rip), %%rax\n\t"
		     "movq %%rax, %[cs]\n"
		     "1:\n\t"
		     "movl %[nr], %%eax\n\t"
		     "syscall\n\t"
		     "nop\n"
		     "2:\n\t"
		     "jmp 5f\n\t"
		     ".byte 0x0f, 0xb9, 0x3d\n\t"
		     ".long %c[sig]\n"
		     "4:\n\t"
		     "incl %[aborts]\n"
		     "5:\n\t"
		     : [cs] "=m"(rs->rseq_cs), [aborts] "+m"(aborts)
		     : [nr] "i"(SYS_pause), [sig] "i"(RSEQ_SIG)
		     : "rax", "rcx", "r11", "memory", "cc");
}

/* Preempted before it is in the call, it tries again. */
static void *be_aborted(void *tid)
{
	*(volatile pid_t *)tid = gettid();
	do
		pause_in_sequence();
	while (!armed);
	return NULL;
}

static bool is_in_pause(pid_t tid)
{
	char path[64];
	int nr = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &nr) != 1)
		nr = -1;
	if (f)
		fclose(f);
	return nr == SYS_pause;
}

SURVIVE(rseq_critical_section_is_aborted_once)
{
	volatile pid_t tid = 0;
	pthread_t thread;
	int before;

	CHECK(__rseq_size);
	CHECK(!pthread_create(&thread, NULL, be_aborted, (void *)&tid));
	while (!tid || !is_in_pause(tid))
		subject_sleep_ms(1);
	before = aborts;
	armed = 1;
	subject_ready();
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(aborts, before + 1);
}

TEST_HARNESS_MAIN
