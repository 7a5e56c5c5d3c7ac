/* SPDX-License-Identifier: GPL-2.0 */
/* Mappings of the calling process, and what it finds in them. */
#ifndef _MAPPING_H
#define _MAPPING_H

#include <sys/mman.h>

#include "ckpt_test.h"

#define PAGE	4096UL
#define HUGE	(2UL << 20)
#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

static inline unsigned char *map(size_t len, int prot, int flags, int fd)
{
	void *p = mmap(NULL, len, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static inline unsigned char expected(size_t i, unsigned int seed)
{
	return (unsigned char)(i >> 6 ^ i >> 12 ^ i >> 20 ^ seed) % 255 + 1;
}

/* In each cache line something that is not zero */
static inline void fill(unsigned char *p, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i += 64)
		p[i] = expected(i, seed);
}

static inline void verify(const unsigned char *p, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i += 64)
		CHECK_EQ(p[i], expected(i, seed));
}

/* What is behind @key in @smaps, of the mapping that contains @addr */
static inline void smaps_read(const char *smaps, const void *addr, const char *key,
			      char value[512])
{
	unsigned long start, end;
	bool inside = false;
	char line[512];
	FILE *f = fopen(smaps, "r");

	CHECK(f);
	value[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (unsigned long)addr && (unsigned long)addr < end;
		else if (inside && !strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			snprintf(value, sizeof(line), "%s", line + strlen(key) + 1);
	}
	fclose(f);
}

static inline void smaps_value(const void *addr, const char *key, char value[512])
{
	smaps_read("/proc/self/smaps", addr, key, value);
}

/* The same of one that has a number, mostly in kB */
static inline unsigned long smaps_kb(const void *addr, const char *key)
{
	char value[512];

	smaps_value(addr, key, value);
	return value[0] ? strtoul(value, NULL, 10) : ~0UL;
}

/* Where pages are huge, if the kernel has any */
static inline unsigned char *huge_area(size_t len)
{
	unsigned long p = (unsigned long)map(len + HUGE, RW, ANON, -1);

	p = (p + HUGE - 1) & ~(HUGE - 1);
	CHECK(!madvise((void *)p, len, MADV_HUGEPAGE));
	return (void *)p;
}

/* A child that answers through memory: when it reads 1 at @p, it puts 2 behind it. */
static inline pid_t fork_answering(volatile unsigned char *p)
{
	pid_t kid = fork();

	CHECK(kid >= 0);
	if (kid)
		return kid;
	while (p[0] != 1)
		subject_sleep_ms(1);
	p[1] = 2;
	_exit(0);
}

/* @q is where we see what @kid has at @p, perhaps another mapping of it. */
static inline void check_answer(pid_t kid, volatile unsigned char *p, volatile unsigned char *q)
{
	int status;

	p[0] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(q[1], 2);
}

#endif
