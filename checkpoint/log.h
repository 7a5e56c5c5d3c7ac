/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an operation has to say: bounded, and never in the way of the operation.
 */
#ifndef _CHECKPOINT_LOG_H
#define _CHECKPOINT_LOG_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define CKPT_LOG_LINE_MAX	512	/* longest line, with its NUL */
#define CKPT_LOG_CHUNKS_MAX	64	/* pages of text that are kept */

enum ckpt_log_level {
	CKPT_LOG_ERROR,
	CKPT_LOG_REFUSE,
	CKPT_LOG_WARN,
	CKPT_LOG_INFO,
};

/**
 * struct ckpt_log - lines of text, the oldest of which give way
 * @lock: protects everything below; taken last of all locks
 * @chunks: pages of lines, the oldest first
 * @nr_chunks: their number, at most CKPT_LOG_CHUNKS_MAX
 * @dropped: lines that gave way or found no memory
 * @refused: errno of the first line of level CKPT_LOG_REFUSE, negative, or 0
 * @err: errno of the first error, negative, or 0
 * @first: line of the first error, or else of the first refusal
 * @line: where a line is composed
 */
struct ckpt_log {
	spinlock_t lock;	/* protects all of the log */
	struct list_head chunks;
	unsigned int nr_chunks;
	unsigned long dropped;
	int refused;
	int err;
	char first[CKPT_LOG_LINE_MAX];
	char line[CKPT_LOG_LINE_MAX];
};

/**
 * struct ckpt_log_where - what a line is about
 * @pid: task, or 0
 * @obj_name: kind of the object, or NULL
 * @objref: its number
 * @fatal: the operation fails because of it
 */
struct ckpt_log_where {
	pid_t pid;
	const char *obj_name;
	u32 objref;
	bool fatal;
};

struct ckpt_ctx;

void ckpt_log_init(struct ckpt_log *log);
void ckpt_log_destroy(struct ckpt_log *log);
__printf(5, 0) void ckpt_log_add(struct ckpt_log *log, enum ckpt_log_level level, int err,
				 const struct ckpt_log_where *where, const char *fmt,
				 va_list args);
void ckpt_log_take(struct ckpt_log *log, int (*fn)(void *arg, const char *line, size_t len),
		   void *arg);
int ckpt_log_error(const struct ckpt_log *log);
void ckpt_log_drain(struct ckpt_ctx *ctx);
void ckpt_log_no_memory(int fd);
long ckpt_log_explain(struct ckpt_ctx *ctx, long err, const char *doing, const char *what);

__printf(2, 3) void ckpt_info(struct ckpt_ctx *ctx, const char *fmt, ...);

#endif /* _CHECKPOINT_LOG_H */
