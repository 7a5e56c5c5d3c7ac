// SPDX-License-Identifier: GPL-2.0
/*
 * Write errors that a program has not been told yet.
 */
#include "failing_disk.h"

#define MIB	1048576UL

/* A file whose contents did not get to the disk. */
static int failed_file(void)
{
	char *data = malloc(MIB);
	int fd;

	CHECK(failing_disk_mount("."));
	fd = open("disk/file", O_CREAT | O_RDWR, 0644);
	memset(data, 1, MIB);
	CHECK(fd >= 0 && write(fd, data, MIB) == MIB);
	free(data);
	sync();
	return fd;
}

static void expect_error(int fd)
{
	CHECK(fsync(fd) == -1 && failing_disk_error(errno));
}

static void remove_disk(int fd)
{
	close(fd);
	CHECK(failing_disk_remove("."));
}

static void subject_not_told(void)
{
	int fd = failed_file();

	subject_ready();
	expect_error(fd);
	remove_disk(fd);
}

TEST_F(refuse, not_told)
{
	if (!failing_disk_possible())
		SKIP(return, "no loop device or no minix file system");
	refuse_run(_metadata, &self->s, 0, subject_not_told, EOPNOTSUPP,
		   "a write error that fsync() has not told yet");
}

static void subject_told(void)
{
	int fd = failed_file();

	expect_error(fd);
	subject_ready();
	remove_disk(fd);
}

TEST_F(refuse, nothing_that_was_told)
{
	if (!failing_disk_possible())
		SKIP(return, "no loop device or no minix file system");
	ASSERT_TRUE(subject_start(&self->s, subject_told)) subject_print(&self->s);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
