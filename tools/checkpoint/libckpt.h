/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * libckpt: checkpoint(2) and restart(2) for container runtimes and tools.
 *
 * Every function that can fail returns a negative errno, unless its
 * description says otherwise. Handles are not locked: a handle is used by one
 * thread at a time. The flags CHECKPOINT_* and RESTART_* are those of
 * <linux/checkpoint.h>, the records those of <linux/checkpoint_image.h>.
 */
#ifndef _LIBCKPT_H
#define _LIBCKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Log: what the kernel said about the last call that the log was given to.
 */

enum ckpt_log_level {
	CKPT_LOG_ERROR,		/* why the call failed, or an obstacle of a dry run */
	CKPT_LOG_WARNING,	/* the call went on; something is not as before */
	CKPT_LOG_INFO,
};

/**
 * struct ckpt_log_entry - one line of the log
 * @level: how bad it is
 * @error: positive errno, 0 if there is none
 * @pid: the task that it is about, 0 if none
 * @object: the object that it is about, "-" if none
 * @message: text for people
 *
 * The strings belong to the log and live until it is used again or freed.
 */
struct ckpt_log_entry {
	enum ckpt_log_level level;
	int error;
	pid_t pid;
	const char *object;
	const char *message;
};

struct ckpt_log;

/** ckpt_log_new - make an empty log; NULL with errno set if that fails */
struct ckpt_log *ckpt_log_new(void);
/** ckpt_log_free - free @log; NULL is allowed */
void ckpt_log_free(struct ckpt_log *log);
/** ckpt_log_count - the number of entries */
size_t ckpt_log_count(const struct ckpt_log *log);
/** ckpt_log_get - entry @i, or NULL if there are not that many */
const struct ckpt_log_entry *ckpt_log_get(const struct ckpt_log *log, size_t i);
/** ckpt_log_error - the first entry of level CKPT_LOG_ERROR, or NULL */
const struct ckpt_log_entry *ckpt_log_error(const struct ckpt_log *log);
/** ckpt_log_text - the log as the kernel wrote it, NUL-terminated */
const char *ckpt_log_text(const struct ckpt_log *log, size_t *len);

/*
 * Externals: open files that processes share with the world outside the tree,
 * each under a key that stands for it in the image.
 */

struct ckpt_externals;

/** ckpt_externals_new - make an empty set; NULL with errno set if that fails */
struct ckpt_externals *ckpt_externals_new(void);
/** ckpt_externals_free - free @set and close its descriptors; NULL is allowed */
void ckpt_externals_free(struct ckpt_externals *set);
/** ckpt_externals_has - tell whether @key is in @set */
bool ckpt_externals_has(const struct ckpt_externals *set, const char *key);
/**
 * ckpt_externals_add - put an open file under @key
 * @fd: copied; the caller keeps its own
 *
 * Return: 0, -EEXIST if the key is taken, -EINVAL if it is empty,
 * -ENAMETOOLONG, -E2BIG if the set is full, -EBADF, -EMFILE, -ENOMEM.
 */
int ckpt_externals_add(struct ckpt_externals *set, const char *key, int fd);
/**
 * ckpt_externals_add_key - for a checkpoint: add the file that @key names
 * @key: "fd:N", descriptor N of @root; or "fd:PID:N", of the process or thread
 *	PID. An open file that is in the set already is not added again.
 *
 * Return: as ckpt_externals_add(); -EINVAL if @key has another form, -ESRCH,
 * -EPERM, -EBADF if the process has no such descriptor.
 */
int ckpt_externals_add_key(struct ckpt_externals *set, const char *key, pid_t root);
/**
 * ckpt_externals_add_job - for a checkpoint: add what a shell gave to its job
 *
 * Adds those of the descriptors 0, 1 and 2 of @root that are terminals, or the
 * very open files that the caller has as its own 0, 1 or 2, under the keys
 * "fd:0", "fd:1", "fd:2". If several are one open file, the lowest counts.
 *
 * Return: as ckpt_externals_add_key().
 */
int ckpt_externals_add_job(struct ckpt_externals *set, pid_t root);
/**
 * ckpt_externals_add_value - for a restart: add "KEY=VALUE"
 * @assignment: VALUE is a path, opened for reading and writing or for what is
 *	allowed of it; "fd:N", descriptor N of the caller; or "inherit", the
 *	descriptor of the caller with the number that KEY ends with
 *
 * Return: as ckpt_externals_add(); -EINVAL for another form; errors of open(2).
 */
int ckpt_externals_add_value(struct ckpt_externals *set, const char *assignment);
/**
 * ckpt_externals_add_stdio - for a restart: offer the caller's stdio to a job
 * @image_fd: the image; where it is descriptor 0, /dev/tty replaces that
 *
 * Adds "fd:0", "fd:1" and "fd:2" where @set does not have them yet.
 *
 * Return: as ckpt_externals_add().
 */
int ckpt_externals_add_stdio(struct ckpt_externals *set, int image_fd);

/*
 * The calls.
 */

/**
 * ckpt_checkpoint - save the process @pid and its descendants
 * @pid: root of the tree; 0 is the caller
 * @flags: CHECKPOINT_*
 * @image_fd: where the image goes; -1 with CHECKPOINT_DRY_RUN
 * @externals: may be NULL
 * @log: filled with what the kernel says; may be NULL
 *
 * Return: the positive id of the checkpoint; 0 with CHECKPOINT_DRY_RUN, and in
 * a caller that was part of the tree and has just been restarted; errors of
 * checkpoint(2).
 */
int ckpt_checkpoint(pid_t pid, uint64_t flags, int image_fd,
		    const struct ckpt_externals *externals, struct ckpt_log *log);

/**
 * ckpt_restart - bring a tree back; its root becomes a child of the caller
 * @flags: RESTART_*
 * @image_fd: the image, read from its current position
 * @externals: may be NULL
 * @log: filled with what the kernel says; may be NULL
 *
 * Return: pid of the root, to be waited for with __WALL; errors of restart(2).
 */
pid_t ckpt_restart(uint64_t flags, int image_fd, const struct ckpt_externals *externals,
		   struct ckpt_log *log);

/** ckpt_strerror - text for a (positive or negative) errno of the two calls */
const char *ckpt_strerror(int error);

/*
 * Output: an image file that appears under its name when it is complete, so
 * that an older image of that name is never lost. What is not a regular file
 * (pipe, device) is written to directly.
 */

struct ckpt_output;

/**
 * ckpt_output_open - begin to write @path; *@out is set on success
 * @keep: the only copy of something: keep the file, under a temporary name, when
 *        it cannot be made durable, and when the process ends before that
 *
 * Return: 0, -EISDIR if @path ends with a slash, -ELOOP if it was changed meanwhile;
 * errors of stat(2) and open(2).
 */
int ckpt_output_open(const char *path, bool keep, struct ckpt_output **out);
/** ckpt_output_fd - the descriptor for ckpt_checkpoint() */
int ckpt_output_fd(const struct ckpt_output *out);
/** ckpt_output_name - the temporary name of the file, NULL if it has none */
const char *ckpt_output_name(const struct ckpt_output *out);
/**
 * ckpt_output_commit - make the file durable, give it its name, free @out
 *
 * Return: 0, or an error. The file is then gone, or with "keep" under its temporary
 * name; but where only its directory could not be synced, under its own.
 */
int ckpt_output_commit(struct ckpt_output *out);
/** ckpt_output_discard - remove what was written and free @out; NULL is allowed */
void ckpt_output_discard(struct ckpt_output *out);

/*
 * Images.
 */

/**
 * struct ckpt_image_record - one record of an image
 * @type: CKPT_REC_*
 * @flags: CKPT_RECF_*
 * @len: bytes of payload
 * @data: the payload, 8-byte aligned, valid until the next record is read
 * @offset: position of the block that holds it in the image
 */
struct ckpt_image_record {
	uint16_t type;
	uint16_t flags;
	uint32_t len;
	const void *data;
	uint64_t offset;
};

struct ckpt_image;

/** ckpt_image_open - begin to read the image @fd, which the caller keeps open */
int ckpt_image_open(int fd, struct ckpt_image **image);
/** ckpt_image_close - free @image; NULL is allowed */
void ckpt_image_close(struct ckpt_image *image);
/**
 * ckpt_image_next - read the next record; page contents are skipped
 *
 * All block hashes, those of page contents too, the framing and the order of
 * records are verified on the way. What follows the trailer is an error here,
 * though restart(2) leaves it unread. After 0 or an error, each further call
 * returns the same.
 *
 * Return: 1; 0 after the trailer of a complete image; -EINVAL if the image is
 * damaged; -E2BIG if it has what this library does not know, as that of a newer
 * kernel may; -ENOMEM; errors of read(2). ckpt_image_error() describes them.
 */
int ckpt_image_next(struct ckpt_image *image, struct ckpt_image_record *record);
/**
 * ckpt_image_verify - read the rest of @image, as ckpt_image_next() does
 *
 * What the records say of objects and tasks is not checked: restart(2) may refuse
 * an image all the same.
 *
 * Return: 0 if the image is complete and well-formed, else as ckpt_image_next().
 */
int ckpt_image_verify(struct ckpt_image *image);
/** ckpt_image_error - what is wrong with @image and where, for people */
const char *ckpt_image_error(const struct ckpt_image *image);
/** ckpt_image_size - bytes of @image read so far */
uint64_t ckpt_image_size(const struct ckpt_image *image);
/** ckpt_image_record_copy - read a record into a struct, by the rules of the format */
int ckpt_image_record_copy(const struct ckpt_image_record *record, void *buf, size_t len);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* _LIBCKPT_H */
