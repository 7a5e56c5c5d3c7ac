/* SPDX-License-Identifier: GPL-2.0 */
/* 32-bit code in a 64-bit program, by way of a far jump there and back. */
#ifndef _CODE32_H
#define _CODE32_H

#include <stdint.h>

#include "ckpt_test.h"

#define USER_CS		0x33
#define USER_CS32	0x23
#define USER_DS		0x2b

struct far {
	uint32_t offset;
	uint16_t selector;
};

/* The segments that the code has: %ds and %ss as it found them when it came back */
struct segments {
	uint16_t ds, ss;
};

/* Memory that 32-bit code can use. */
static inline void *low(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* Waits until (%edi) is set, then goes to *(%esi): back to the code at %r12. */
static const uint8_t wait32[] = {
	0xf3, 0x90,		/* 1: pause */
	0x83, 0x3f, 0x00,	/* cmpl $0, (%edi) */
	0x74, 0xf9,		/* je 1b */
	0xff, 0x2e,		/* ljmpl *(%esi) */
#define BACK64	9
	0x41, 0xff, 0xe4,	/* jmp *%r12 */
};

/*
 * To wait32 at @in; @back and @flag are %esi and %edi, offsets in the segment
 * that %ds has. 32-bit code halves the stack pointer.
 */
static inline void run32(const struct far *in, uint64_t back, uint64_t flag,
			 struct segments *seg)
{
	asm volatile("mov %[ds], %%ds\n\t"
		     "mov %[ss], %%ss\n\t"
		     "lea 1f(%%rip), %%r12\n\t"
		     "mov %%rsp, %%r13\n\t"
		     "ljmpl *(%[in])\n\t"
		     "1: mov %%r13, %%rsp\n\t"
		     "mov %%ds, %[ds]\n\t"
		     "mov %%ss, %[ss]\n\t"
		     "mov %[user_ds], %%ds\n\t"
		     "mov %[user_ds], %%ss"
		     : [ds] "+m"(seg->ds), [ss] "+m"(seg->ss)
		     : [in] "a"(in), "S"(back), "D"(flag), [user_ds] "d"(USER_DS)
		     : "r12", "r13", "memory", "cc");
}

#endif
