/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file system on a disk that is larger than the memory that it is in, all of
 * which is used: the page cache takes what is written to it, the disk does not.
 */
#ifndef _CKPT_FAILING_DISK_H
#define _CKPT_FAILING_DISK_H

#include "ckpt_test.h"

static inline bool failing_disk_possible(void)
{
	return !access("/dev/loop-control", F_OK) &&
	       !system("grep -qw minix /proc/filesystems && which mkfs.minix >/dev/null");
}

static inline bool run_in(const char *dir, const char *script)
{
	char command[512];

	return snprintf(command, sizeof(command), "cd %s && %s", dir, script) <
	       (int)sizeof(command) && !system(command);
}

/* On the directory "disk" of @dir. */
static inline bool disk_mount(const char *dir)
{
	return run_in(dir, "mkdir memory disk") &&
	       run_in(dir, "mount -t tmpfs -o size=1m none memory") &&
	       run_in(dir, "truncate -s 8M memory/disk") &&
	       run_in(dir, "mkfs.minix -3 memory/disk >/dev/null") &&
	       run_in(dir, "mount -o loop memory/disk disk");
}

/*
 * From now on it takes nothing new. There must be no room at all: a loop device
 * does not tell of a write that is done in part.
 */
static inline bool disk_fail(const char *dir)
{
	sync();
	return !run_in(dir, "cat /dev/zero 2>/dev/null >memory/rest");
}

static inline bool failing_disk_mount(const char *dir)
{
	return disk_mount(dir) && disk_fail(dir);
}

/* Which error it is depends on what the disk was writing when it was full. */
static inline bool failing_disk_error(int err)
{
	return err == EIO || err == ENOSPC;
}

static inline bool failing_disk_remove(const char *dir)
{
	return run_in(dir, "umount -l disk && umount -l memory");
}

#endif
