/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 32-bit programs: their system calls, by number, as i386 is another list, and
 * the program of the other kind that is the same test.
 */
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

#define PROGRAM_ENV	"IA32_PROGRAM"	/* what we are when executed by a subject */

/* The same test as a program of the other kind */
static inline const char *twin(void)
{
	static char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 4);

	CHECK(len > 3);
	path[len] = 0;
	if (!strcmp(path + len - 3, "_32"))
		path[len - 3] = 0;
	else
		strcat(path, "_32");
	return path;
}

static inline bool has_twin(void)
{
	return !access(twin(), X_OK);
}

static inline void execute(const char *path, const char *program)
{
	CHECK(!setenv(PROGRAM_ENV, program, 1));
	execl(path, path, NULL);
	CHECK(!"executed");
}

/* 20 is getpid(). */
static inline bool has_int80(void)
{
	pid_t kid = fork();
	int status;

	if (!kid)
		_exit(int80(20, 0, 0, 0, 0, 0) != getpid());
	return waitpid(kid, &status, 0) == kid && !status;
}

#ifdef __i386__
struct sigaction32 {
	uint32_t handler, flags, restorer;
	uint64_t mask;
};

struct old_sigaction32 {
	uint32_t handler, mask, flags, restorer;
};

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
#define IA32_mremap		163
#define IA32_rt_sigaction	174
#define IA32_rt_sigtimedwait	177
#define IA32_futex		240
#define IA32_set_thread_area	243
#define IA32_clock_nanosleep	267

#endif
