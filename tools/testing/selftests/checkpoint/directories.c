// SPDX-License-Identifier: GPL-2.0
/* Directories: open, read in part, and those that a process works in. */
#include <sys/mount.h>

#include "ckpt_test.h"

SURVIVE(directory)
{
	int fd;

	CHECK(!mkdir("dir", 0755));
	subject_touch("dir/file");
	fd = open("dir", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	subject_ready();
	CHECK(openat(fd, "file", O_RDONLY) >= 0);
}

#define ENTRIES	200

/* Reads some of a directory, or all that is left: each entry once. */
static void read_entries(int fd, char *seen, bool all)
{
	char buf[1024], *p;
	long n;

	do {
		n = syscall(SYS_getdents64, fd, buf, sizeof(buf));
		CHECK(n >= 0);
		for (p = buf; p < buf + n; p += *(unsigned short *)(p + 16))
			if (p[19] == 'e')
				seen[atoi(p + 20)]++;
	} while (all && n);
}

SURVIVE(directory_that_is_half_read)
{
	char name[16], seen[ENTRIES] = "";
	int fd, i;

	CHECK(!mkdir("many", 0755));
	for (i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "many/e%d", i);
		CHECK(!mknod(name, S_IFREG | 0644, 0));
	}
	fd = open("many", O_RDONLY | O_DIRECTORY);
	read_entries(fd, seen, false);
	subject_ready();
	read_entries(fd, seen, true);
	for (i = 0; i < ENTRIES; i++)
		CHECK_EQ(seen[i], 1);
}

/* ramfs counts the entries that it has told, and one that is gone does not count. */
REFUSE(directory_of_ramfs_that_is_half_read, EOPNOTSUPP, "read in part")
{
	char entries[3 * 24];
	int fd;

	CHECK(!mkdir("mnt", 0755) && !mount("ckpt", "mnt", "ramfs", 0, NULL));
	CHECK(!mkdir("mnt/one", 0755) && !mkdir("mnt/two", 0755));
	fd = open("mnt", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(syscall(SYS_getdents64, fd, entries, sizeof(entries)), sizeof(entries));
	subject_ready();
	CHECK(!umount2("mnt", MNT_DETACH));
}

SURVIVE(directory_of_ramfs_that_is_read)
{
	char entries[300];
	int fd;

	CHECK(!mkdir("mnt", 0755) && !mount("ckpt", "mnt", "ramfs", 0, NULL));
	CHECK(!mkdir("mnt/one", 0755) && !mkdir("mnt/two", 0755));
	fd = open("mnt", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(syscall(SYS_getdents64, fd, entries, sizeof(entries)), 4 * 24);
	subject_ready();
	CHECK_EQ(syscall(SYS_getdents64, fd, entries, sizeof(entries)), 0);
	CHECK(!close(fd) && !umount2("mnt", MNT_DETACH));
}

REFUSE(removed_working_directory, EOPNOTSUPP, "current directory")
{
	CHECK(!mkdir("gone", 0755) && !mkdir("stay", 0755));
	CHECK(!chdir("gone") && !rmdir("../gone"));
	CHECK(!mknod("../ready", S_IFREG | 0644, 0));
	while (access("../go", F_OK))
		subject_sleep_ms(5);
}

/* The working directory is outside of it, and still there. */
REFUSE(removed_root_directory, EOPNOTSUPP, "root directory")
{
	CHECK(!mkdir("gone", 0755) && !chroot("gone") && !rmdir("gone"));
	subject_ready();
}

SURVIVE(working_directory)
{
	char before[PATH_MAX], after[PATH_MAX];

	CHECK(!mkdir("deep", 0755) && !chdir("deep"));
	CHECK(getcwd(before, sizeof(before)));
	subject_touch("../ready");
	while (access("../go", F_OK))
		subject_sleep_ms(5);
	CHECK(getcwd(after, sizeof(after)));
	CHECK(!strcmp(before, after));
}

SURVIVE(root_directory)
{
	CHECK(!mkdir("jail", 0755));
	subject_touch("jail/inside");
	CHECK(!chroot("jail"));
	subject_ready();
	CHECK(!access("/inside", F_OK));
	CHECK(access("/tmp", F_OK) == -1);
}

TEST_HARNESS_MAIN
