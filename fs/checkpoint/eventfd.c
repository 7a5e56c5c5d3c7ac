// SPDX-License-Identifier: GPL-2.0
/*
 * eventfd. The counter belongs to one struct file; whoever else refers to it is
 * part of the kernel (KVM, vhost, io_uring, AIO) and cannot be saved.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/init.h>

#include "internal.h"

static bool eventfd_match(struct file *file)
{
	struct eventfd_state state;

	return !eventfd_get_state(file, &state);
}

static int eventfd_collect(struct ckpt_ctx *ctx, struct file *file)
{
	struct eventfd_state state;
	int err;

	err = eventfd_get_state(file, &state);
	if (!err && state.users > 1)
		err = ckpt_file_refuse(ctx, file, "eventfd: in use by the kernel (%u users)",
				       state.users - 1);
	return err;
}

static u64 eventfd_version(struct file *file)
{
	struct eventfd_state state = {};

	eventfd_get_state(file, &state);
	return state.count;
}

static int eventfd_checkpoint(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_rec_file_eventfd rec = {};
	struct eventfd_state state;
	int err;

	err = eventfd_get_state(file, &state);
	if (err)
		return err;
	rec.count = state.count;
	rec.flags = state.flags & EFD_SEMAPHORE;
	return ckpt_write(ctx, CKPT_REC_FILE_EVENTFD, &rec, sizeof(rec));
}

static struct file *eventfd_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_file *file_rec)
{
	struct ckpt_rec_file_eventfd rec;
	struct file *file;
	int err;

	err = ckpt_read(ctx, CKPT_REC_FILE_EVENTFD, &rec, sizeof(rec));
	if (err)
		return ERR_PTR(err);
	if ((rec.flags & ~EFD_SEMAPHORE) || rec.pad)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed eventfd"));
	file = eventfd_file_create(rec.count, rec.flags | (file_rec->f_flags & O_NONBLOCK));
	if (IS_ERR(file))
		ckpt_err(ctx, PTR_ERR(file), "eventfd: cannot be created");
	return file;
}

static const struct ckpt_file_ops eventfd_file_ops = {
	.name = "eventfd",
	.rec_type = CKPT_REC_FILE_EVENTFD,
	.match = eventfd_match,
	.collect = eventfd_collect,
	.version = eventfd_version,
	.checkpoint = eventfd_checkpoint,
	.restore = eventfd_restore,
};

static int __init ckpt_eventfd_init(void)
{
	return ckpt_register_file(&eventfd_file_ops);
}
fs_initcall(ckpt_eventfd_init);
