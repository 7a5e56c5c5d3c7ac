// SPDX-License-Identifier: GPL-2.0
/*
 * Open files whose other end is outside the tree. Nothing of them is saved but
 * their locks and the key under which the restarter brings a stand-in. Position
 * and flags of that are the restarter's business and stay as they are, with a
 * warning if the tree expects others.
 */
#include <linux/file.h>
#include <linux/init.h>
#include <linux/sched/signal.h>
#include <linux/tty.h>
#include <uapi/linux/checkpoint.h>

#include "internal.h"

#define CKPT_KEY_TTY	"tty"

/*
 * With CHECKPOINT_SHELL_JOB every open file on the caller's own controlling
 * terminal is external. What is promised: the job writes to and reads from the
 * terminal that it is restarted on; settings of the terminal are not restored.
 */
static bool is_own_terminal(struct file *file)
{
	struct tty_struct *tty, *own;

	tty = tty_from_file(file);
	if (!tty)
		return false;
	own = get_current_tty();
	tty_kref_put(own);
	return tty == own;
}

/**
 * ckpt_file_external_key - key of an external open file
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: the key, or NULL if @file belongs to the tree.
 */
const char *ckpt_file_external_key(struct ckpt_ctx *ctx, struct file *file)
{
	const char *key = ckpt_external_key(ctx, file);

	if (!key && (ckpt_image_flags(ctx) & CKPT_IMAGE_SHELL_JOB) && is_own_terminal(file))
		key = CKPT_KEY_TTY;
	return key;
}

static int external_checkpoint(struct ckpt_ctx *ctx, struct file *file)
{
	const char *key = ckpt_file_external_key(ctx, file);
	struct ckpt_rec_file_external rec = {};

	if (!key)
		return ckpt_err(ctx, -EAGAIN, "%pD: terminal changed during the checkpoint", file);
	rec.key_len = strlen(key);
	return ckpt_write2(ctx, CKPT_REC_FILE_EXTERNAL, &rec, sizeof(rec), key, rec.key_len);
}

/* What fcntl(F_SETFL) sets, and a program relies on: it may block, or overwrite. */
#define CHANGEABLE	(O_APPEND | O_NONBLOCK)

static struct file *external_find(struct ckpt_ctx *ctx, unsigned int flags, const char *key,
				  size_t len)
{
	struct file *file = ckpt_external_file(ctx, key, len);

	if (!IS_ERR_OR_NULL(file))
		return get_file(file);
	/* only CHECKPOINT_SHELL_JOB makes this key; anyone may open its own terminal */
	if (ckpt_flags(ctx) & RESTART_SHELL_JOB && len == strlen(CKPT_KEY_TTY) &&
	    !memcmp(key, CKPT_KEY_TTY, len)) {
		file = filp_open("/dev/tty", O_RDWR | O_NOCTTY | (flags & CHANGEABLE), 0);
		if (!IS_ERR(file))
			return file;
	}
	return ERR_PTR(ckpt_err(ctx, -EINVAL,
				"external object %.*s is missing: pass it with --external %.*s=...",
				(int)len, key, (int)len, key));
}

static struct file *external_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_file *file_rec)
{
	struct ckpt_rec_file_external rec;
	fmode_t need = 0;
	const void *key;
	struct file *file;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_FILE_EXTERNAL, &rec, sizeof(rec), &key, &len);
	if (err)
		return ERR_PTR(err);
	if (!rec.key_len || rec.key_len > len || memchr(key, 0, rec.key_len))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed key in the image"));

	file = external_find(ctx, file_rec->f_flags, key, rec.key_len);
	if (IS_ERR(file))
		return file;
	if (file_rec->f_mode & CKPT_FMODE_READ)
		need |= FMODE_READ;
	if (file_rec->f_mode & CKPT_FMODE_WRITE)
		need |= FMODE_WRITE;
	if (need & ~file->f_mode) {
		fput(file);
		return ERR_PTR(ckpt_err(ctx, -EACCES,
					"external object %.*s must be open for %s%s%s",
					(int)rec.key_len, (const char *)key,
					need & FMODE_READ ? "reading" : "",
					need == (FMODE_READ | FMODE_WRITE) ? " and " : "",
					need & FMODE_WRITE ? "writing" : ""));
	}
	if ((file->f_flags ^ file_rec->f_flags) & CHANGEABLE)
		ckpt_warn(ctx, "external object %.*s: O_APPEND or O_NONBLOCK is not as it was",
			  (int)rec.key_len, (const char *)key);
	return file;
}

const struct ckpt_file_ops ckpt_external_file_ops = {
	.name = "external",
	.rec_type = CKPT_REC_FILE_EXTERNAL,
	.checkpoint = external_checkpoint,
	.restore = external_restore,
};

static int __init ckpt_external_init(void)
{
	return ckpt_register_file(&ckpt_external_file_ops);
}
fs_initcall(ckpt_external_init);
