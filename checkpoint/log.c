// SPDX-License-Identifier: GPL-2.0
/*
 * The log of an operation: lines "level errno pid object message".
 */
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <linux/uio.h>
#include <linux/xxhash.h>

#include "internal.h"

struct ckpt_log_line {
	u32 hash;
	u32 len;	/* without the NUL */
	char text[];
};

/* A page of lines. */
struct ckpt_log_chunk {
	struct list_head list;
	u32 used;
	u32 nr;
	u8 lines[] __aligned(8);
};

#define CKPT_LOG_CHUNK_SIZE	(PAGE_SIZE - sizeof(struct ckpt_log_chunk))

static u32 ckpt_log_line_size(u32 len)
{
	return ALIGN(sizeof(struct ckpt_log_line) + len + 1, __alignof__(struct ckpt_log_line));
}

#define ckpt_log_for_each_line(line, chunk)						\
	for (line = (struct ckpt_log_line *)(chunk)->lines;				\
	     (u8 *)(line) < (chunk)->lines + (chunk)->used;				\
	     line = (void *)(line) + ckpt_log_line_size((line)->len))

static const char *const ckpt_log_levels[] = {
	[CKPT_LOG_ERROR]	= "error",
	[CKPT_LOG_REFUSE]	= "refuse",
	[CKPT_LOG_WARN]		= "warn",
	[CKPT_LOG_INFO]		= "info",
};

/**
 * ckpt_log_init() - begin an empty log
 * @log: what to initialize
 */
void ckpt_log_init(struct ckpt_log *log)
{
	*log = (struct ckpt_log){};
	spin_lock_init(&log->lock);
	INIT_LIST_HEAD(&log->chunks);
}

static void ckpt_log_free_chunks(struct list_head *chunks)
{
	struct ckpt_log_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, chunks, list)
		free_page((unsigned long)chunk);
}

/**
 * ckpt_log_destroy() - free the lines of a log
 * @log: the log, not used afterwards
 */
void ckpt_log_destroy(struct ckpt_log *log)
{
	ckpt_log_free_chunks(&log->chunks);
	INIT_LIST_HEAD(&log->chunks);
}

/**
 * ckpt_log_error() - the first error of an operation
 * @log: its log
 *
 * Return: an errno, negative, or 0.
 */
int ckpt_log_error(const struct ckpt_log *log)
{
	return READ_ONCE(log->err);
}

static bool ckpt_log_has(const struct list_head *chunks, const char *text, u32 len, u32 hash)
{
	struct ckpt_log_chunk *chunk;
	struct ckpt_log_line *line;

	list_for_each_entry(chunk, chunks, list)
		ckpt_log_for_each_line(line, chunk)
			if (line->hash == hash && line->len == len &&
			    !memcmp(line->text, text, len))
				return true;
	return false;
}

/* The page that has room for @size more bytes; the oldest page gives way to it. */
static struct ckpt_log_chunk *ckpt_log_room(struct ckpt_log *log, u32 size)
{
	struct ckpt_log_chunk *chunk;

	if (!list_empty(&log->chunks)) {
		chunk = list_last_entry(&log->chunks, struct ckpt_log_chunk, list);
		if (chunk->used + size <= CKPT_LOG_CHUNK_SIZE)
			return chunk;
	}
	if (log->nr_chunks < CKPT_LOG_CHUNKS_MAX) {
		chunk = (void *)__get_free_page(GFP_NOWAIT | __GFP_NOWARN);
		if (!chunk)
			return NULL;
		log->nr_chunks++;
	} else {
		chunk = list_first_entry(&log->chunks, struct ckpt_log_chunk, list);
		list_del(&chunk->list);
		log->dropped += chunk->nr;
	}
	chunk->used = 0;
	chunk->nr = 0;
	list_add_tail(&chunk->list, &log->chunks);
	return chunk;
}

/* Bytes of the character at @p; 0 if it is a control, C1 ones too, or no UTF-8. */
static int ckpt_log_char_len(const char *p)
{
	static const u32 least[] = { [2] = 0xa0, [3] = 0x800, [4] = 0x10000 };
	u8 c = *p;
	int len = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	u32 code = c & (0x7f >> len);
	int i;

	if (c < 0x80)
		return !iscntrl(c);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code >= least[len] ? len : 0;
}

/*
 * Names of tasks and files come from anywhere: they must not be able to forge
 * a line, or to confuse a terminal. The object is one word.
 */
static void ckpt_log_clean(char *line, char *object, char *message)
{
	char *p;
	int len;

	for (p = object; p < message - 1; p++)
		if (*p == ' ')
			*p = '_';
	for (p = line; *p; p += len ?: 1) {
		len = ckpt_log_char_len(p);
		if (!len)
			*p = '?';
	}
}

__printf(5, 0)
static void ckpt_log_compose(struct ckpt_log *log, enum ckpt_log_level level, int err,
			     const struct ckpt_log_where *where, const char *fmt, va_list args)
{
	const size_t size = sizeof(log->line);
	char *line = log->line;
	size_t object, n;

	n = scnprintf(line, size, "%s %d ", ckpt_log_levels[level], -err);
	if (where->pid)
		n += scnprintf(line + n, size - n, "%d ", where->pid);
	else
		n += scnprintf(line + n, size - n, "- ");
	object = n;
	if (where->obj_name)
		n += scnprintf(line + n, size - n, "%.32s:%u ", where->obj_name, where->objref);
	else
		n += scnprintf(line + n, size - n, "- ");
	vscnprintf(line + n, size - n, fmt, args);
	ckpt_log_clean(line, line + object, line + n);
}

/* Keeps the line that has just been composed if it says what the caller gets. */
static void ckpt_log_keep_first(struct ckpt_log *log, enum ckpt_log_level level, int err,
				bool fatal)
{
	bool refused = level == CKPT_LOG_REFUSE && !log->refused;

	if (refused)
		log->refused = err;
	if (log->err || (!fatal && !refused))
		return;
	strscpy(log->first, log->line, sizeof(log->first));
	if (fatal)
		WRITE_ONCE(log->err, err);
}

/**
 * ckpt_log_add() - add a line to a log
 * @log: the log
 * @level: its level
 * @err: errno, negative, or 0
 * @where: what it is about
 * @fmt: message
 * @args: its arguments
 *
 * A line that is there already is not repeated. The line of the first fatal
 * error, or else of the first refusal, is kept whatever follows.
 *
 * Context: Any but interrupts. Takes @log->lock.
 */
void ckpt_log_add(struct ckpt_log *log, enum ckpt_log_level level, int err,
		  const struct ckpt_log_where *where, const char *fmt, va_list args)
{
	struct ckpt_log_chunk *chunk;
	struct ckpt_log_line *line;
	u32 len, hash;

	spin_lock(&log->lock);
	ckpt_log_compose(log, level, err, where, fmt, args);
	ckpt_log_keep_first(log, level, err, where->fatal);
	len = strlen(log->line);
	hash = xxh64(log->line, len, 0);
	if (ckpt_log_has(&log->chunks, log->line, len, hash))
		goto unlock;

	chunk = ckpt_log_room(log, ckpt_log_line_size(len));
	if (!chunk) {
		log->dropped++;
		goto unlock;
	}
	line = (struct ckpt_log_line *)(chunk->lines + chunk->used);
	line->hash = hash;
	line->len = len;
	memcpy(line->text, log->line, len + 1);
	chunk->used += ckpt_log_line_size(len);
	chunk->nr++;
unlock:
	spin_unlock(&log->lock);
}

/**
 * ckpt_log_take() - empty a log, line by line
 * @log: the log
 * @fn: called for each line, without NUL, in order; anything but 0 ends it
 * @arg: argument of @fn
 *
 * Context: May sleep if @fn does.
 */
void ckpt_log_take(struct ckpt_log *log, int (*fn)(void *arg, const char *line, size_t len),
		   void *arg)
{
	struct ckpt_log_chunk *chunk;
	struct ckpt_log_line *line;
	unsigned long dropped;
	LIST_HEAD(chunks);
	char note[64];
	size_t len;
	int end = 0;

	spin_lock(&log->lock);
	list_splice_init(&log->chunks, &chunks);
	log->nr_chunks = 0;
	dropped = log->dropped;
	log->dropped = 0;
	spin_unlock(&log->lock);

	if (dropped) {
		len = strlen(log->first);
		if (len && !ckpt_log_has(&chunks, log->first, len, xxh64(log->first, len, 0)))
			end = fn(arg, log->first, len);
		len = scnprintf(note, sizeof(note), "warn 0 - - %lu lines were dropped", dropped);
		end = end ?: fn(arg, note, len);
	}
	list_for_each_entry(chunk, &chunks, list)
		ckpt_log_for_each_line(line, chunk)
			end = end ?: fn(arg, line->text, line->len);
	ckpt_log_free_chunks(&chunks);
}

static int ckpt_log_write(void *arg, const char *line, size_t len)
{
	struct file *file = arg;
	struct kvec vec[] = {
		{ .iov_base = (void *)line, .iov_len = len },
		{ .iov_base = (void *)"\n", .iov_len = 1 },
	};
	struct iov_iter iter;
	ssize_t n;

	iov_iter_kvec(&iter, ITER_SOURCE, vec, ARRAY_SIZE(vec), len + 1);
	n = vfs_iter_write(file, &iter, file->f_mode & FMODE_STREAM ? NULL : &file->f_pos, 0);
	return n < 0 ? n : 0;
}

/**
 * ckpt_log_no_memory() - write the one line of an operation that did not begin
 * @fd: the caller's log_fd, or what it takes for one
 *
 * Context: May sleep.
 */
void ckpt_log_no_memory(int fd)
{
	static const char line[] = "error " __stringify(ENOMEM) " - - out of memory";
	struct file *file = fget(fd);

	if (!file)
		return;
	if (file->f_mode & FMODE_WRITE)
		ckpt_log_write(file, line, strlen(line));
	fput(file);
}

/**
 * ckpt_log_drain() - write the log to the caller's log_fd
 * @ctx: the operation, at its end
 *
 * A log that cannot be written is no reason to fail: what is lost is only text.
 *
 * Context: May sleep.
 */
void ckpt_log_drain(struct ckpt_ctx *ctx)
{
	if (ctx->log_file)
		ckpt_log_take(&ctx->log, ckpt_log_write, ctx->log_file);
}

static void ckpt_log_where(struct ckpt_ctx *ctx, struct ckpt_log_where *where)
{
	const struct ckpt_obj *obj = ctx->obj;

	*where = (struct ckpt_log_where){ .pid = ctx->whom_pid };
	if (obj) {
		where->obj_name = obj->ops->obj_name;
		where->objref = obj->objref;
	}
}

/**
 * ckpt_err() - record why the operation fails
 * @ctx: the operation
 * @err: errno, negative
 * @fmt: message; names task, descriptor, address and kind as far as there are
 *
 * The first error wins: it is what the caller of the system call gets.
 *
 * Context: Any but interrupts. Takes the log's spinlock.
 * Return: @err.
 */
int ckpt_err(struct ckpt_ctx *ctx, int err, const char *fmt, ...)
{
	struct ckpt_log_where where;
	va_list args;

	ckpt_log_where(ctx, &where);
	where.fatal = true;
	va_start(args, fmt);
	ckpt_log_add(&ctx->log, CKPT_LOG_ERROR, err, &where, fmt, args);
	va_end(args);
	return err;
}

static const char *ckpt_log_reason(int err)
{
	switch (err) {
	case -ENOMEM:
		return "out of memory";
	case -E2BIG:
		return "the image is newer than this kernel";
	case -EINTR:
		return "interrupted";
	default:
		return "failed";
	}
}

/**
 * ckpt_log_explain() - leave no error without a word
 * @ctx: the operation
 * @err: errno, negative, or another result
 * @doing: what failed, if it failed: "restoring"
 * @what: the name of the part that it failed at
 *
 * For errors that stand for themselves, so that not each place has to say what
 * is the same for all: nothing is added to a reason that was given.
 *
 * Context: Any but interrupts. Takes the log's spinlock.
 * Return: @err.
 */
long ckpt_log_explain(struct ckpt_ctx *ctx, long err, const char *doing, const char *what)
{
	const char *whom;

	if (err >= 0 || ckpt_log_error(&ctx->log) || err == ctx->log.refused)
		return err;
	whom = ckpt_whom(ctx);
	return ckpt_err(ctx, err, "%s%s%s %s: %s", whom, *whom ? ": " : "", doing, what,
			ckpt_log_reason(err));
}

/**
 * ckpt_refuse() - record state that cannot be represented
 * @ctx: the operation
 * @err: errno, negative
 * @fmt: message, as for ckpt_err()
 *
 * Context: Any but interrupts. Takes the log's spinlock.
 * Return: @err, or 0 with CHECKPOINT_DRY_RUN, which lists all such state.
 */
int ckpt_refuse(struct ckpt_ctx *ctx, int err, const char *fmt, ...)
{
	struct ckpt_log_where where;
	va_list args;

	ckpt_log_where(ctx, &where);
	where.fatal = ctx->restart || !ckpt_dry_run(ctx);
	va_start(args, fmt);
	ckpt_log_add(&ctx->log, CKPT_LOG_REFUSE, err, &where, fmt, args);
	va_end(args);
	return where.fatal ? err : 0;
}

/**
 * ckpt_warn() - record what the user should know although the operation goes on
 * @ctx: the operation
 * @fmt: message
 *
 * Context: Any but interrupts. Takes the log's spinlock.
 */
void ckpt_warn(struct ckpt_ctx *ctx, const char *fmt, ...)
{
	struct ckpt_log_where where;
	va_list args;

	ckpt_log_where(ctx, &where);
	va_start(args, fmt);
	ckpt_log_add(&ctx->log, CKPT_LOG_WARN, 0, &where, fmt, args);
	va_end(args);
}

/**
 * ckpt_info() - record what may be of interest
 * @ctx: the operation
 * @fmt: message
 *
 * Context: Any but interrupts. Takes the log's spinlock.
 */
void ckpt_info(struct ckpt_ctx *ctx, const char *fmt, ...)
{
	struct ckpt_log_where where;
	va_list args;

	ckpt_log_where(ctx, &where);
	va_start(args, fmt);
	ckpt_log_add(&ctx->log, CKPT_LOG_INFO, 0, &where, fmt, args);
	va_end(args);
}
