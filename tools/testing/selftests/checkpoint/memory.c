// SPDX-License-Identifier: GPL-2.0
/* Mappings of every kind, their contents, flags and exact places. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "ckpt_test.h"

#define PAGE	4096UL

static unsigned char pattern(size_t i)
{
	return i * 2654435761U >> 24;
}

static void fill(unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = pattern(i);
}

static void verify(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		CHECK_EQ(p[i], pattern(i));
}

static void *map(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p = mmap(addr, len, prot, flags, fd, off);

	CHECK(p != MAP_FAILED);
	return p;
}

#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

/*
 * Copies what /proc/self/maps or smaps' VmFlags say, without inode numbers.
 * "sd" is left out: a restored mapping is as dirty as a new one.
 */
static void snapshot_maps(char *out, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[4096], *sd;
	size_t len = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end, off;
		char perms[8], dev[16], name[2048] = "";
		unsigned long ino;

		sd = strstr(line, "sd ");
		if (sscanf(line, "%lx-%lx %7s %lx %15s %lu %2047[^\n]", &start, &end, perms, &off,
			   dev, &ino, name) >= 6) {
			len += sprintf(out + len, "%lx-%lx %s %lx %s\n", start, end, perms, off,
				       name);
		} else if (!strncmp(line, "VmFlags:", 8)) {
			if (sd)
				memmove(sd, sd + 3, strlen(sd + 3) + 1);
			len += sprintf(out + len, "%s", line);
		}
		CHECK(len < size - 8192);
	}
	fclose(f);
}

/* The maps before and after, taken by a reader that does not change them. */
static void compare_maps(void (*between)(void))
{
	static char before[1 << 20], after[1 << 20];

	/* The first time, stdio takes memory. */
	snapshot_maps(before, sizeof(before));
	snapshot_maps(before, sizeof(before));
	between();
	snapshot_maps(after, sizeof(after));
	if (strcmp(before, after)) {
		int a = open("maps.before", O_CREAT | O_WRONLY, 0644);
		int b = open("maps.after", O_CREAT | O_WRONLY, 0644);

		CHECK(write(a, before, strlen(before)) > 0);
		CHECK(write(b, after, strlen(after)) > 0);
		if (system("diff maps.before maps.after >&2"))
			_exit(1);
	}
}

SURVIVE(private_anonymous)
{
	unsigned char *p = map(NULL, 64 * PAGE, RW, ANON, -1, 0);

	fill(p, 64 * PAGE);
	subject_ready();
	verify(p, 64 * PAGE);
	memset(p, 1, 64 * PAGE);
}

SURVIVE(a_large_mapping)
{
	size_t len = 24 << 20;
	unsigned char *p = map(NULL, len, RW, ANON, -1, 0);

	fill(p, len);
	subject_ready();
	verify(p, len);
}

SURVIVE(sparse)
{
	unsigned char *p = map(NULL, 1UL << 30, RW, ANON | MAP_NORESERVE, -1, 0);
	unsigned char vec;
	size_t i;

	for (i = 0; i < 1UL << 30; i += 64 << 20)
		p[i] = i >> 20 | 1;
	subject_ready();
	for (i = 0; i < 1UL << 30; i += 64 << 20) {
		CHECK_EQ(p[i], (unsigned char)(i >> 20 | 1));
		CHECK(!mincore(p + i + PAGE, PAGE, &vec));
		CHECK_EQ(vec, 0);
	}
}

SURVIVE(protections)
{
	unsigned char *ro = map(NULL, PAGE, RW, ANON, -1, 0);
	unsigned char *none = map(NULL, PAGE, RW, ANON, -1, 0);
	unsigned char *exec = map(NULL, PAGE, RW, ANON, -1, 0);

	fill(ro, PAGE);
	fill(none, PAGE);
	memcpy(exec, "\xb8\x2a\x00\x00\x00\xc3", 6);
	CHECK(!mprotect(ro, PAGE, PROT_READ));
	CHECK(!mprotect(none, PAGE, PROT_NONE));
	CHECK(!mprotect(exec, PAGE, PROT_READ | PROT_EXEC));
	subject_ready();
	verify(ro, PAGE);
	CHECK_EQ(read(open("/dev/zero", O_RDONLY), ro, 1), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(write(open("/dev/zero", O_WRONLY), none, 1), 1);
	CHECK(!mprotect(none, PAGE, PROT_READ));
	verify(none, PAGE);
	CHECK_EQ(((int (*)(void))exec)(), 42);
}

SURVIVE(private_file)
{
	int fd = open("data", O_CREAT | O_RDWR, 0644);
	unsigned char *p;
	size_t i;

	CHECK(fd >= 0);
	for (i = 0; i < 4 * PAGE; i++) {
		unsigned char c = pattern(i);

		CHECK_EQ(write(fd, &c, 1), 1);
	}
	p = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	close(fd);
	memset(p + PAGE, 0xee, PAGE);
	subject_ready();
	verify(p, PAGE);
	for (i = PAGE; i < 2 * PAGE; i++)
		CHECK_EQ(p[i], 0xee);
	for (i = 2 * PAGE; i < 4 * PAGE; i++)
		CHECK_EQ(p[i], pattern(i));
}

SURVIVE(shared_file)
{
	int fd = open("data", O_CREAT | O_RDWR, 0644);
	unsigned char *p;
	char c;

	CHECK(fd >= 0 && !ftruncate(fd, 4 * PAGE));
	p = map(NULL, 2 * PAGE, RW, MAP_SHARED, fd, PAGE);
	fill(p, 2 * PAGE);
	subject_ready();
	verify(p, 2 * PAGE);
	p[7] = 'z';
	CHECK_EQ(pread(fd, &c, 1, PAGE + 7), 1);
	CHECK_EQ(c, 'z');
}

SURVIVE(shared_anonymous_between_relatives)
{
	volatile unsigned char *p = map(NULL, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t kid;

	fill((unsigned char *)p, 4 * PAGE);
	kid = fork();
	if (!kid) {
		p[5 * PAGE] = 1;
		while (p[5 * PAGE] != 2)
			subject_sleep_ms(1);
		p[6 * PAGE] = 3;
		_exit(0);
	}
	while (p[5 * PAGE] != 1)
		subject_sleep_ms(1);
	subject_ready();
	verify((unsigned char *)p, 4 * PAGE);
	p[5 * PAGE] = 2;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(p[6 * PAGE], 3);
}

SURVIVE(heap_and_brk)
{
	void *brk = sbrk(16 * PAGE);

	fill(brk, 16 * PAGE);
	subject_ready();
	CHECK(sbrk(0) == (char *)brk + 16 * PAGE);
	verify(brk, 16 * PAGE);
	CHECK(sbrk(PAGE) == (char *)brk + 16 * PAGE);
}

static void grow(int depth)
{
	volatile char page[PAGE];

	page[0] = depth;
	if (depth)
		grow(depth - 1);
	CHECK_EQ(page[0], (char)depth);
}

SURVIVE(stack_grows)
{
	grow(16);
	subject_ready();
	grow(256);
}

SURVIVE(moved_mapping_keeps_its_offset)
{
	unsigned char *p = map(NULL, 4 * PAGE, RW, ANON, -1, 0), *q;

	fill(p, 4 * PAGE);
	q = map(NULL, 64 * PAGE, PROT_NONE, ANON, -1, 0);
	CHECK(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 8 * PAGE) ==
	      q + 8 * PAGE);
	subject_ready();
	verify(q + 8 * PAGE, 4 * PAGE);
}

static void every_kind_of_mapping(void)
{
	unsigned char *p;
	int fd = open("data", O_CREAT | O_RDWR, 0644);

	CHECK(!ftruncate(fd, 16 * PAGE));
	map(NULL, PAGE, PROT_NONE, ANON, -1, 0);
	map(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	map(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 2 * PAGE);
	map(NULL, 3 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p = map(NULL, 4 * PAGE, RW, ANON | MAP_NORESERVE, -1, 0);
	CHECK(!madvise(p, PAGE, MADV_DONTFORK));
	CHECK(!madvise(p + PAGE, PAGE, MADV_DONTDUMP));
	CHECK(!madvise(p + 2 * PAGE, PAGE, MADV_WIPEONFORK));
	p = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(!madvise(p, PAGE, MADV_SEQUENTIAL));
	CHECK(!madvise(p + 2 * PAGE, PAGE, MADV_RANDOM));
	p = map(NULL, 4 << 20, RW, ANON, -1, 0);
	CHECK(!madvise(p, 4 << 20, MADV_NOHUGEPAGE));
	p = map(NULL, 4 << 20, RW, ANON, -1, 0);
	CHECK(!madvise(p, 4 << 20, MADV_HUGEPAGE));
	p = map(NULL, 2 * PAGE, RW, ANON, -1, 0);
	CHECK(!mlock(p, PAGE));
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, PAGE, "subject");
	map(NULL, 8 * PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0);
	close(fd);
}

SURVIVE(maps_are_equal)
{
	every_kind_of_mapping();
	compare_maps(subject_ready);
}

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#define PR_GET_MEMORY_MERGE	68
#endif

SURVIVE_IF(merged_by_default_but_for_some, !access("/sys/kernel/mm/ksm", F_OK), "no CONFIG_KSM")
{
	unsigned char *p;

	CHECK(!prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0));
	p = map(NULL, 4 * PAGE, RW, ANON, -1, 0);
	fill(p, 4 * PAGE);
	CHECK(!madvise(p + PAGE, 2 * PAGE, MADV_UNMERGEABLE));
	compare_maps(subject_ready);
	CHECK_EQ(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), 1);
	CHECK(!prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0));
	verify(p, 4 * PAGE);
}

static char *read_all(const char *path, size_t *len)
{
	static char bufs[2][65536];
	static int turn;
	char *buf = bufs[turn++ & 1];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, buf, 65536);
	CHECK(n >= 0);
	close(fd);
	*len = n;
	return buf;
}

SURVIVE(auxv_cmdline_and_environ)
{
	static const char *const files[] = {
		"/proc/self/auxv", "/proc/self/cmdline", "/proc/self/environ",
		"/proc/self/coredump_filter",
	};
	static char saved[4][65536];
	size_t len[4], i, n;

	for (i = 0; i < 4; i++)
		memcpy(saved[i], read_all(files[i], &len[i]), 65536);
	CHECK(!prctl(PR_SET_DUMPABLE, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	for (i = 0; i < 4; i++) {
		char *now = read_all(files[i], &n);

		CHECK_EQ(n, len[i]);
		CHECK(!memcmp(now, saved[i], n));
	}
}

SURVIVE(exe_link)
{
	char before[PATH_MAX] = "", after[PATH_MAX] = "";

	CHECK(readlink("/proc/self/exe", before, sizeof(before)) > 0);
	subject_ready();
	CHECK(readlink("/proc/self/exe", after, sizeof(after)) > 0);
	CHECK(!strcmp(before, after));
}

SURVIVE(vdso_works)
{
	struct timespec a, b;

	CHECK(!clock_gettime(CLOCK_REALTIME, &a));
	subject_ready();
	CHECK(!clock_gettime(CLOCK_REALTIME, &b));
	CHECK(b.tv_sec >= a.tv_sec);
}

SURVIVE(two_thousand_mappings)
{
	unsigned char *p = map(NULL, 4000 * PAGE, PROT_NONE, ANON, -1, 0);
	int i;

	for (i = 0; i < 4000; i += 2) {
		CHECK(!mprotect(p + i * PAGE, PAGE, RW));
		p[i * PAGE] = pattern(i);
	}
	subject_ready();
	for (i = 0; i < 4000; i += 2)
		CHECK_EQ(p[i * PAGE], pattern(i));
}

TEST_HARNESS_MAIN
