/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The checkpoint image: open files, descriptor tables and directories.
 */
#ifndef _UAPI_LINUX_CHECKPOINT_IMAGE_FS_H
#define _UAPI_LINUX_CHECKPOINT_IMAGE_FS_H

#include <linux/checkpoint_image.h>

/* struct ckpt_rec_file.f_mode */
#define CKPT_FMODE_READ		(1 << 0)
#define CKPT_FMODE_WRITE	(1 << 1)
#define CKPT_FMODE_RANDOM	(1 << 2)	/* POSIX_FADV_RANDOM */
#define CKPT_FMODE_NOREUSE	(1 << 3)	/* POSIX_FADV_NOREUSE */
#define CKPT_FMODE_PROGRAM	(1 << 4)	/* executable, or mapped privately or as code */
#define CKPT_FMODE_CREATED	(1 << 5)	/* open(2) made the file (F_CREATED_QUERY) */
#define CKPT_FMODE_SEQUENTIAL	(1 << 6)	/* POSIX_FADV_SEQUENTIAL */

/**
 * struct ckpt_rec_file - CKPT_REC_FILE: an open file; the record of its kind
 *	(CKPT_REC_FILE_*) follows, then a CKPT_REC_LOCK for each lock that it owns
 * @f_flags: O_*, without those that only open(2) itself looks at
 * @f_mode: CKPT_FMODE_*
 * @f_pos: position
 */
struct ckpt_rec_file {
	__u32 f_flags;
	__u32 f_mode;
	__s64 f_pos;
};

/**
 * struct ckpt_rec_file_path - CKPT_REC_FILE_PATH: reopened by name
 * @mode: type and permissions; the type must be the same at restart
 * @rdev: device number of a device node (12 bits major, 20 bits minor, as in
 *	stat(2)); must be the same at restart
 * @ino: inode number
 * @size: bytes
 * @mtime_sec: time of last modification
 * @mtime_nsec: its fraction
 * @path_len: bytes of the absolute path that follows, without NUL
 *
 * A regular file must not be shorter at restart than @size. With
 * CKPT_FMODE_PROGRAM its size and time of modification must be the same.
 * RESTART_CHANGED_FILES lifts both.
 */
struct ckpt_rec_file_path {
	__u32 mode;
	__u32 rdev;
	__u64 ino;
	__u64 size;
	__s64 mtime_sec;
	__u32 mtime_nsec;
	__u32 path_len;
};

#define CKPT_PIPE_FIFO		(1 << 0)	/* has a name; the path follows */

/**
 * struct ckpt_rec_pipe - CKPT_REC_PIPE: a pipe or FIFO; its @nr_bufs
 *	CKPT_REC_PIPE_BUF follow
 * @flags: CKPT_PIPE_*
 * @ring_size: slots of one page each, a power of two
 * @nr_bufs: number of buffers with data
 * @mode: permissions of a pipe without a name
 * @uid: its owner, as the checkpointing user namespace sees it
 * @gid: its group, likewise
 * @path_len: bytes of the absolute path that follows, without NUL
 * @pad: 0
 */
struct ckpt_rec_pipe {
	__u32 flags;
	__u32 ring_size;
	__u32 nr_bufs;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 path_len;
	__u32 pad;
};

#define CKPT_PIPE_BUF_PACKET	(1 << 0)	/* written with O_DIRECT */
#define CKPT_PIPE_BUF_CAN_MERGE	(1 << 1)	/* what is written next may join it */

/**
 * struct ckpt_rec_pipe_buf - CKPT_REC_PIPE_BUF: one buffer, in reading order
 * @flags: CKPT_PIPE_BUF_*
 * @len: bytes of data that follow, 1 to page size
 * @offset: where in its page the data begins; the buffer has room to the end
 * @pad: 0
 */
struct ckpt_rec_pipe_buf {
	__u32 flags;
	__u32 len;
	__u32 offset;
	__u32 pad;
};

#define CKPT_FILE_PIPE_NO_WRITER (1 << 0)	/* FIFO: no writer came since it was opened */

/**
 * struct ckpt_rec_file_pipe - CKPT_REC_FILE_PIPE: one end of a pipe or FIFO
 * @objref: the CKPT_OBJ_PIPE
 * @flags: CKPT_FILE_PIPE_*
 * @path_len: FIFO: bytes of the absolute path that follows, without NUL; else 0
 * @pad: 0
 */
struct ckpt_rec_file_pipe {
	__u32 objref;
	__u32 flags;
	__u32 path_len;
	__u32 pad;
};

/**
 * struct ckpt_rec_file_eventfd - CKPT_REC_FILE_EVENTFD
 * @count: value of the counter
 * @flags: EFD_SEMAPHORE or 0
 * @pad: 0
 */
struct ckpt_rec_file_eventfd {
	__u64 count;
	__u32 flags;
	__u32 pad;
};

/**
 * struct ckpt_rec_file_external - CKPT_REC_FILE_EXTERNAL: the restarter brings
 *	the open file that takes this place
 * @key_len: bytes of the key that follows, without NUL
 * @pad: 0
 */
struct ckpt_rec_file_external {
	__u32 key_len;
	__u32 pad;
};

#define CKPT_LOCK_POSIX		1	/* fcntl(F_SETLK): owned by the fd table */
#define CKPT_LOCK_OFD		2	/* fcntl(F_OFD_SETLK): owned by the open file */
#define CKPT_LOCK_FLOCK		3	/* flock(): owned by the open file */

/**
 * struct ckpt_rec_lock - CKPT_REC_LOCK, after the object that owns the lock
 * @objref: CKPT_LOCK_POSIX: the open file it was taken through; else 0
 * @kind: CKPT_LOCK_*
 * @exclusive: 1 for a write lock, 0 for a read lock
 * @start: first byte
 * @end: last byte, the largest offset for "to the end of the file"
 */
struct ckpt_rec_lock {
	__u32 objref;
	__u16 kind;
	__u16 exclusive;
	__s64 start;
	__s64 end;
};

/**
 * struct ckpt_rec_files - CKPT_REC_FILES: a descriptor table; its @nr_fds
 *	CKPT_REC_FILES_FD follow in ascending order, then its CKPT_REC_LOCKs
 * @nr_fds: number of open descriptors
 * @pad: 0
 */
struct ckpt_rec_files {
	__u32 nr_fds;
	__u32 pad;
};

#define CKPT_FD_CLOEXEC		(1 << 0)

/**
 * struct ckpt_rec_files_fd - CKPT_REC_FILES_FD: one descriptor
 * @fd: its number
 * @objref: its CKPT_OBJ_FILE
 * @flags: CKPT_FD_*
 * @pad: 0
 */
struct ckpt_rec_files_fd {
	__u32 fd;
	__u32 objref;
	__u32 flags;
	__u32 pad;
};

/**
 * struct ckpt_rec_fs - CKPT_REC_FS; the path of the current directory follows,
 *	then that of the root directory, both absolute and without NUL, then their
 *	struct ckpt_fs_inodes, not aligned; an image may lack it
 * @umask: file creation mask
 * @cwd_len: bytes of the first path
 * @root_len: bytes of the second path
 * @pad: 0
 */
struct ckpt_rec_fs {
	__u32 umask;
	__u32 cwd_len;
	__u32 root_len;
	__u32 pad;
};

/**
 * struct ckpt_fs_inodes - which directories they were
 * @cwd: inode number of the current directory
 * @root: of the root directory
 */
struct ckpt_fs_inodes {
	__u64 cwd;
	__u64 root;
};

/**
 * struct ckpt_rec_task_objref - CKPT_REC_TASK_FILES, CKPT_REC_TASK_FS,
 *	CKPT_REC_TASK_IO_CONTEXT, CKPT_REC_TASK_AUTOGROUP: the object that the
 *	task uses
 * @objref: CKPT_OBJ_FILES, CKPT_OBJ_FS, CKPT_OBJ_IO_CONTEXT or CKPT_OBJ_AUTOGROUP
 * @pad: 0
 */
struct ckpt_rec_task_objref {
	__u32 objref;
	__u32 pad;
};

#endif /* _UAPI_LINUX_CHECKPOINT_IMAGE_FS_H */
