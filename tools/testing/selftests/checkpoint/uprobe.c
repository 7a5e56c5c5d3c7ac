// SPDX-License-Identifier: GPL-2.0
/*
 * User probes are breakpoints in private pages of the program: without those who
 * have set them they would end it.
 */
#include <linux/perf_event.h>

#include "ckpt_test.h"

#define PMU	"/sys/bus/event_source/devices/uprobe/type"

static volatile int hits;

/* The probe is at its first instruction. */
static __attribute__((noinline)) void probed(void)
{
	hits++;
}

static void subject_that_is_probed(void)
{
	subject_ready();
	probed();
	CHECK_EQ(hits, 1);
}

/* Of an address of this program in its file */
static uint64_t file_offset(void *addr)
{
	unsigned long start, end, offset;
	char line[512];
	FILE *file = fopen("/proc/self/maps", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) != 3)
			continue;
		if ((unsigned long)addr < start || (unsigned long)addr >= end)
			continue;
		fclose(file);
		return (unsigned long)addr - start + offset;
	}
	return 0;
}

static int probe(pid_t pid)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.uprobe_path = (unsigned long)"/proc/self/exe",
		.probe_offset = file_offset(probed),
	};
	FILE *file = fopen(PMU, "r");

	if (!file || fscanf(file, "%u", &attr.type) != 1)
		return -1;
	fclose(file);
	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

TEST_F(refuse, user_probe)
{
	struct subject *s = &self->s;
	int fd;

	if (access(PMU, F_OK))
		SKIP(return, "no CONFIG_UPROBE_EVENTS");
	ASSERT_TRUE(subject_start(s, subject_that_is_probed)) subject_print(s);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	fd = probe(s->pid);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(subject_checkpoint(s, 0), -EOPNOTSUPP) subject_print(s);
	EXPECT_TRUE(log_has(s, "uprobes: not supported")) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
	close(fd);
}

TEST_HARNESS_MAIN
