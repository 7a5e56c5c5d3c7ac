// SPDX-License-Identifier: GPL-2.0
/*
 * Write errors that a program has not been told yet.
 */
#include <sys/mount.h>

#include "failing_disk.h"

#define MIB	1048576UL

/* A new file whose contents did not get to the disk. */
static int failed_write(const char *name)
{
	char *data = malloc(MIB);
	int fd;

	fd = open(name, O_CREAT | O_RDWR, 0644);
	memset(data, 1, MIB);
	CHECK(fd >= 0 && write(fd, data, MIB) == MIB);
	free(data);
	sync();
	return fd;
}

static int failed_file(void)
{
	CHECK(failing_disk_mount("."));
	return failed_write("disk/file");
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

/* The error is that of a file underneath. */
static void subject_of_overlayfs(void)
{
	int fd;

	CHECK(disk_mount("."));
	CHECK(run_in(".", "mkdir lower merged disk/upper disk/work"));
	CHECK(disk_fail("."));
	CHECK(!mount("none", "merged", "overlay", 0,
		     "lowerdir=lower,upperdir=disk/upper,workdir=disk/work"));
	fd = failed_write("merged/file");
	subject_ready();
	expect_error(fd);
	close(fd);
	CHECK(run_in(".", "umount -l merged") && failing_disk_remove("."));
}

TEST_F(refuse, not_told_by_overlayfs)
{
	if (!failing_disk_possible() || system("grep -qw overlay /proc/filesystems"))
		SKIP(return, "no loop device, no minix file system or no overlayfs");
	refuse_run(_metadata, &self->s, 0, subject_of_overlayfs, EOPNOTSUPP,
		   "a write error that fsync() may not have told yet");
}

TEST_HARNESS_MAIN
