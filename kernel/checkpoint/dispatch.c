// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of syscall user dispatch (PR_SET_SYSCALL_USER_DISPATCH).
 */
#include <linux/init.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/syscall_user_dispatch.h>

#include "parts.h"

static int dispatch_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct syscall_user_dispatch *sd = &task->syscall_dispatch;
	const struct ckpt_rec_task_dispatch rec = {
		.offset = sd->offset,
		.len = sd->len,
		.selector = (unsigned long)sd->selector,
	};

	if (!test_task_syscall_work(task, SYSCALL_USER_DISPATCH))
		return 0;
	return ckpt_write(ctx, CKPT_REC_TASK_DISPATCH, &rec, sizeof(rec));
}

/* Acts when current calls the kernel; the selector is in user memory. */
static int dispatch_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_dispatch rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (ckpt_arch_old_sigreturn(ctx, current->mm))
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: syscall user dispatch of a 32-bit program, and this kernel has a different vdso",
				ckpt_whom(ctx));
	err = set_syscall_user_dispatch(PR_SYS_DISPATCH_ON, rec.offset, rec.len,
					(char __user *)(unsigned long)rec.selector);
	if (err)
		return ckpt_err(ctx, -EINVAL, "%s: bad syscall user dispatch", ckpt_whom(ctx));
	return 0;
}

static const struct ckpt_task_ops dispatch_ops = {
	.name = "syscall user dispatch",
	.rec_type = CKPT_REC_TASK_DISPATCH,
	.checkpoint = dispatch_checkpoint,
	.restore = dispatch_restore,
};

static int __init dispatch_init(void)
{
	return ckpt_register_task_ops(&dispatch_ops);
}
device_initcall(dispatch_init);
