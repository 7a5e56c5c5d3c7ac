/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * checkpoint(2) and restart(2): arguments, flags and the errno vocabulary.
 */
#ifndef _UAPI_LINUX_CHECKPOINT_H
#define _UAPI_LINUX_CHECKPOINT_H

#include <linux/types.h>

/**
 * DOC: errno vocabulary
 *
 * Both calls use one vocabulary; the log names the task, descriptor, address
 * or object that an error is about.
 *
 * ``EOPNOTSUPP``	the state exists but cannot be represented or restored
 * ``EAGAIN``		leak: an object is shared with a task outside the tree,
 *			or the tree's objects changed during the checkpoint;
 *			restart: a limit has been reached
 * ``EBUSY``		a task could not be frozen, or is in transition;
 *			restart: a lock, say, is held by somebody else
 * ``EBADF``		a descriptor is not open, or not for its use
 * ``EPERM``, ``EACCES``	the caller lacks the right
 * ``EINVAL``		bad argument, or an image that is not well-formed
 * ``E2BIG``		the arguments or the image are newer than this kernel
 * ``EIO``		the stream could not be read or written completely
 * ``EEXIST``		a pid, or a number of System V shared memory, that the
 *			image needs is taken
 * ``ENOENT``		a file or another object that the image names is gone
 * ``ESRCH``		there is no such process; restart: a new task was killed
 * ``EINTR``		the caller was killed, or interrupted at the stream
 * ``ENOMEM``		there is not enough memory
 *
 * What a system call would return that does the same for a program comes as it
 * is; see checkpoint(2) and restart(2).
 */

/**
 * struct checkpoint_external - one object that lives outside the tree
 * @key: address of a NUL-terminated name, at most CHECKPOINT_KEY_MAX bytes
 *	with the NUL
 * @fd: checkpoint(2): a descriptor of the caller for the open file that the
 *	tree shares with the outside; restart(2): a descriptor of the caller
 *	for the open file that takes its place
 * @reserved: must be 0
 */
struct checkpoint_external {
	__aligned_u64 key;
	__s32 fd;
	__u32 reserved;
};

#define CHECKPOINT_KEY_MAX	256
#define CHECKPOINT_EXTERNAL_MAX	4096

/* struct checkpoint_args.flags */
#define CHECKPOINT_SUBTREE	(1ULL << 0) /* no leak check: sharing is only reported */
#define CHECKPOINT_DRY_RUN	(1ULL << 1) /* report every obstacle, write nothing */
#define CHECKPOINT_KILL		(1ULL << 2) /* on success kill the tree */
#define CHECKPOINT_STOP		(1ULL << 3) /* on success leave the tree stopped (SIGSTOP) */
#define CHECKPOINT_SHELL_JOB	(1ULL << 4) /* session is outside, terminal is the caller's */
#define CHECKPOINT_DROP_KEYRINGS (1ULL << 5) /* keys are lost: only warn of it */

/**
 * struct checkpoint_args - arguments of checkpoint(2)
 * @flags: CHECKPOINT_*
 * @pid: root of the tree, in the caller's pid namespace; 0 is the caller
 * @pidfd: root of the tree as a pidfd, used when @pid is -1; else must be -1
 * @image_fd: where the image goes: a regular file, pipe or socket opened for
 *	writing; -1 with CHECKPOINT_DRY_RUN
 * @log_fd: where log lines go, or -1
 * @externals: address of an array of struct checkpoint_external
 * @nr_externals: its number of elements, at most CHECKPOINT_EXTERNAL_MAX
 * @reserved: must be 0
 */
struct checkpoint_args {
	__aligned_u64 flags;
	__s32 pid;
	__s32 pidfd;
	__s32 image_fd;
	__s32 log_fd;
	__aligned_u64 externals;
	__u32 nr_externals;
	__u32 reserved;
};

#define CHECKPOINT_ARGS_SIZE_VER0 40 /* sizeof first published struct */

/* struct restart_args.flags */
#define RESTART_STOPPED		(1ULL << 0) /* leave the restarted tree stopped (SIGSTOP) */
#define RESTART_SHELL_JOB	(1ULL << 1) /* join the caller's session and terminal */
#define RESTART_NO_TIME_NAMESPACE (1ULL << 2) /* clocks do not go on: they are the caller's */
#define RESTART_KEEP_LSM	(1ULL << 3) /* change to the security labels of the image */
#define RESTART_CHANGED_FILES	(1ULL << 4) /* take files that are shorter, or other code */

/**
 * struct restart_args - arguments of restart(2)
 * @flags: RESTART_*
 * @image_fd: the image: a regular file, pipe or socket opened for reading
 * @log_fd: where log lines go, or -1
 * @externals: address of an array of struct checkpoint_external
 * @nr_externals: its number of elements, at most CHECKPOINT_EXTERNAL_MAX
 * @reserved: must be 0
 */
struct restart_args {
	__aligned_u64 flags;
	__s32 image_fd;
	__s32 log_fd;
	__aligned_u64 externals;
	__u32 nr_externals;
	__u32 reserved;
};

#define RESTART_ARGS_SIZE_VER0 32 /* sizeof first published struct */

/* x86-64 only; the call is not wired up for ia32 or x32 */
#define __NR_checkpoint_x86_64	548
#define __NR_restart_x86_64	549

#endif /* _UAPI_LINUX_CHECKPOINT_H */
