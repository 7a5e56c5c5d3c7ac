// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the addresses that a dying thread writes to. Futexes
 * themselves have no state outside the memory: waiters have left the kernel
 * and call again.
 */
#include <linux/compat.h>
#include <linux/init.h>
#include <linux/sched.h>

#include "parts.h"

static int futex_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_futex rec = {
		.clear_child_tid = (unsigned long)task->clear_child_tid,
	};

#ifdef CONFIG_FUTEX
	rec.robust_list = (unsigned long)task->robust_list;
#ifdef CONFIG_COMPAT
	rec.compat_robust_list = (unsigned long)task->compat_robust_list;
#endif
#endif
	return ckpt_write(ctx, CKPT_REC_TASK_FUTEX, &rec, sizeof(rec));
}

/*
 * Late: were the restart aborted, the exit of this task would write to shared
 * memory that outlives it.
 */
static void futex_restore_late(void *data)
{
	struct ckpt_rec_task_futex *rec = data;

	current->clear_child_tid = (int __user *)rec->clear_child_tid;
#ifdef CONFIG_FUTEX
	current->robust_list = (struct robust_list_head __user *)rec->robust_list;
#ifdef CONFIG_COMPAT
	current->compat_robust_list = compat_ptr(rec->compat_robust_list);
#endif
#endif
}

static int futex_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_futex rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	return ckpt_task_defer(ctx, futex_restore_late, &rec, sizeof(rec));
}

static const struct ckpt_task_ops futex_ops = {
	.name = "futex",
	.rec_type = CKPT_REC_TASK_FUTEX,
	.checkpoint = futex_checkpoint,
	.restore = futex_restore,
};

static int __init futex_ckpt_init(void)
{
	return ckpt_register_task_ops(&futex_ops);
}
device_initcall(futex_ckpt_init);
