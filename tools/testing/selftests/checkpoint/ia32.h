/* SPDX-License-Identifier: GPL-2.0 */
/* System calls of 32-bit programs, by number: i386 is another list. */
#ifndef _IA32_H
#define _IA32_H

#include <sys/auxv.h>

#include "ckpt_test.h"

/* Five arguments, which must be below 4 GiB: by the old gate, from any code. */
static inline long int80(long nr, long a, long b, long c, long d, long e)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
		     : "memory", "cc"
#ifdef __x86_64__
		     , "r8", "r9", "r10", "r11"
#endif
		     );
	return ret;
}

#ifdef __i386__
static unsigned long vdso_entry;

/* By way of the vdso: sysenter, or what the CPU has instead. */
static inline long vdso_call(long nr, long a, long b, long c, long d, long e)
{
	int ret;

	vdso_entry = getauxval(AT_SYSINFO);
	asm volatile("call *%[entry]"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [entry] "m"(vdso_entry)
		     : "memory", "cc");
	return ret;
}
#endif

#define IA32_sigaction		67
#define IA32_ipc		117
#define IA32_nanosleep		162
#define IA32_poll		168
#define IA32_rt_sigaction	174
#define IA32_rt_sigtimedwait	177
#define IA32_futex		240
#define IA32_set_thread_area	243
#define IA32_clock_nanosleep	267

#endif
