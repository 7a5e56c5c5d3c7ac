// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of restartable sequences.
 */
#include <linux/init.h>
#include <linux/preempt.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "parts.h"

#ifdef CONFIG_RSEQ

/* The size of struct rseq when the system call came to be. */
#define RSEQ_MIN_SIZE	32

static int rseq_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_rseq rec = {
		.ptr = (unsigned long)task->rseq,
		.len = task->rseq_len,
		.sig = task->rseq_sig,
	};

	if (!rec.ptr)
		return 0;
	return ckpt_write(ctx, CKPT_REC_TASK_RSEQ, &rec, sizeof(rec));
}

/*
 * Late, because every context switch from now on makes the return to user
 * mode write to the area. A critical section that the task is in is aborted,
 * as after any preemption.
 */
static void rseq_restore_late(void *data)
{
	struct ckpt_rec_task_rseq *rec = data;

	guard(preempt)();
	current->rseq = (struct rseq __user *)rec->ptr;
	current->rseq_len = rec->len;
	current->rseq_sig = rec->sig;
	rseq_preempt(current);
}

/* What rseq(2) demands. */
static bool rseq_valid(const struct ckpt_rec_task_rseq *rec)
{
	if (!rec->ptr || !access_ok((void __user *)rec->ptr, rec->len))
		return false;
	if (rec->len == RSEQ_MIN_SIZE)
		return IS_ALIGNED(rec->ptr, RSEQ_MIN_SIZE);
	return rec->len >= offsetof(struct rseq, end) &&
	       IS_ALIGNED(rec->ptr, __alignof__(struct rseq));
}

static int rseq_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_rseq rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (!rseq_valid(&rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad rseq area %#llx", ckpt_whom(ctx),
				rec.ptr);
	return ckpt_task_defer(ctx, rseq_restore_late, &rec, sizeof(rec));
}

static const struct ckpt_task_ops rseq_ops = {
	.name = "rseq",
	.rec_type = CKPT_REC_TASK_RSEQ,
	.checkpoint = rseq_checkpoint,
	.restore = rseq_restore,
};

static int __init rseq_ckpt_init(void)
{
	return ckpt_register_task_ops(&rseq_ops);
}
device_initcall(rseq_ckpt_init);

#endif /* CONFIG_RSEQ */
