// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the I/O ports that a task may access: those that
 * ioperm(2) allowed it, and all of them after iopl(2).
 */
#include <linux/bitmap.h>
#include <linux/checkpoint.h>
#include <linux/find.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/io_bitmap.h>
#include <asm/processor.h>
#include <asm/syscalls.h>

#define IOPL_MAX	3

/* Only the task itself changes its bitmap, which others may share until then. */
static int ports_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct io_bitmap *allowed = task->thread.io_bitmap;
	struct ckpt_rec_task_io_ports rec = {
		.iopl = task->thread.iopl_emul,
		.bytes = allowed ? allowed->max : 0,
	};

	BUILD_BUG_ON(CKPT_IO_BITMAP_MAX != IO_BITMAP_BYTES);
	if (!allowed && !rec.iopl)
		return 0;
	return ckpt_write2(ctx, CKPT_REC_TASK_IO_PORTS, &rec, sizeof(rec),
			   allowed ? allowed->bitmap : NULL, rec.bytes);
}

static int ports_set(const struct ckpt_rec_task_io_ports *rec, const unsigned long *bitmap)
{
	unsigned int from, to;
	int err = 0;

	for_each_clear_bitrange(from, to, bitmap, rec->bytes * BITS_PER_BYTE) {
		err = ksys_ioperm(from, to - from, 1);
		if (err)
			return err;
	}
	return rec->iopl ? ksys_iopl(rec->iopl) : 0;
}

static int ports_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_io_ports rec;
	int err;

	if (in->len < sizeof(rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad I/O ports", ckpt_whom(ctx));
	memcpy(&rec, in->data, sizeof(rec));
	if (rec.iopl > IOPL_MAX || rec.bytes != in->len - sizeof(rec) ||
	    rec.bytes > CKPT_IO_BITMAP_MAX || rec.bytes % sizeof(long))
		return ckpt_err(ctx, -EINVAL, "%s: bad I/O ports", ckpt_whom(ctx));
	if (!IS_ENABLED(CONFIG_X86_IOPL_IOPERM))
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: this kernel lets no program access I/O ports (X86_IOPL_IOPERM)",
				ckpt_whom(ctx));
	err = ports_set(&rec, in->data + sizeof(rec));
	if (err)
		return ckpt_err(ctx, err, "%s: I/O ports cannot be given to it%s", ckpt_whom(ctx),
				err == -EPERM ? " without CAP_SYS_RAWIO" : "");
	return 0;
}

static const struct ckpt_task_ops ports_ops = {
	.name = "I/O ports",
	.rec_type = CKPT_REC_TASK_IO_PORTS,
	.checkpoint = ports_checkpoint,
	.restore = ports_restore,
};

static int __init ports_init(void)
{
	return ckpt_register_task_ops(&ports_ops);
}
device_initcall(ports_init);
