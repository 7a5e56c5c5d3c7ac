/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an image holds, in memory, for people and programs to look at.
 */
#ifndef _CKPT_TOOL_INFO_H
#define _CKPT_TOOL_INFO_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/checkpoint_image.h>

struct ckpt_image_record;

/**
 * struct info_fd - one descriptor of a table
 * @fd: its number
 * @file: objref of the open file
 * @cloexec: close-on-exec
 */
struct info_fd {
	__u32 fd;
	__u32 file;
	bool cloexec;
};

/**
 * struct info_object - one shared object
 * @objref: its number
 * @type: CKPT_OBJ_*
 * @owner: index of the task that it belongs to, or CKPT_TASK_NONE
 * @data_len: bytes of page contents stored
 * @cow_len: bytes of pages that are stored with another mm
 * @kind: file: CKPT_REC_FILE_*
 * @text: file: path or external key; mm: nothing; shmem: name; fs: directory
 * @text2: fs: root directory
 * @file: file: flags, mode, position
 * @is_needed: external file: the first with its key
 * @needed: likewise: O_RDONLY, O_WRONLY or O_RDWR, as all with that key need it
 * @ref: file: objref of the pipe or shmem; mm: that of the executable
 * @ino: file: inode number
 * @size: file: size of the file; shmem: bytes; mm: bytes mapped; eventfd: its
 *	counter; pipe: bytes waiting
 * @nr: mm: mappings; pipe: room in bytes; fs: umask
 * @ia32: mm: of a 32-bit program
 * @nr_locks: file or fd table: locks
 * @nr_policies: mm, shared memory: NUMA policies of ranges
 * @nr_aio: mm: AIO contexts
 * @time_ns: time namespace: its offsets
 * @fds: fd table: the descriptors
 * @nr_fds: their number
 */
struct info_object {
	__u32 objref;
	__u32 type;
	__u32 owner;
	__u64 data_len;
	__u64 cow_len;
	__u32 kind;
	char *text;
	char *text2;
	struct ckpt_rec_file file;
	bool is_needed;
	unsigned int needed;
	__u32 ref;
	__u64 ino;
	__u64 size;
	__u32 nr;
	bool ia32;
	__u32 nr_locks;
	__u32 nr_policies;
	__u32 nr_aio;
	struct ckpt_rec_time_ns time_ns;
	struct info_fd *fds;
	size_t nr_fds;
};

/**
 * struct info_task - one task
 * @tree: as in the image
 * @leader: index of the leader of its process
 * @parent: index of the leader of its parent process, CKPT_TASK_NONE if none
 * @mm: objref, 0 if none; of a leader that is dead that of its first thread, as
 *	are @files, @fs and @stopped
 * @files: objref of the fd table
 * @fs: objref
 * @uid: effective user id
 * @gid: effective group id
 * @stopped: by a signal
 * @has_policy: has a NUMA policy of its own
 * @lsm: LSM_ID_* of the module that labels it, 0 if none does
 * @labels: by CKPT_LSM_*, NULL if not set
 * @nr_signals: pending
 * @nr_threads: of a leader, itself included
 */
struct info_task {
	struct ckpt_rec_tree_task tree;
	__u32 leader;
	__u32 parent;
	__u32 mm;
	__u32 files;
	__u32 fs;
	__u32 uid;
	__u32 gid;
	bool stopped;
	bool has_policy;
	__u64 lsm;
	char *labels[CKPT_LSM_ATTR_MAX];
	__u32 nr_signals;
	__u32 nr_threads;
};

struct info {
	struct ckpt_rec_header header;
	struct ckpt_rec_arch arch;
	struct ckpt_rec_clocks clocks;
	struct info_task *tasks;
	size_t nr_tasks;
	struct info_object *objects;	/* by objref, once all is read */
	size_t nr_objects;
	struct info_object *object;	/* being read */
	struct info_task *task;		/* being read */
	__u64 data_len;
	__u64 cow_len;
	__u64 size;			/* of the image */
};

/* 0, or a negative errno: memory, or a record that is too short. */
int info_add(struct info *info, const struct ckpt_image_record *record);
void info_complete(struct info *info);
void info_free(struct info *info);

const struct info_object *info_find(const struct info *info, __u32 objref);
/* The object if it is of that type, else NULL. */
const struct info_object *info_get(const struct info *info, __u32 objref, __u32 type);
bool info_is_process(const struct info_task *task);
/* A process lives as long as one of its threads. */
bool info_is_dead(const struct info_task *task);
const char *info_file_kind(const struct info_object *file);
const char *info_lsm_name(__u64 id);
/* what /proc/PID/attr calls it */
const char *info_lsm_attr(int attr);
/* "O_RDWR|O_APPEND" ... of an open file, without the access mode */
void info_file_flags(const struct info_object *file, char *buf, size_t len);
/* @flags: O_RDWR ... */
const char *info_access(unsigned int flags);

/* info_text.c, info_json.c; @path is the name of the image */
void info_print_text(const struct info *info, const char *path);
int info_print_json(const struct info *info);

#endif
