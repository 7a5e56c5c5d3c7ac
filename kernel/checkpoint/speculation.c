// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of speculation controls (PR_SET_SPECULATION_CONTROL).
 *
 * What confines the restarter confines the tree: a control that it has locked
 * stays as it is. The others begin as those of a new program.
 */
#include <linux/init.h>
#include <linux/nospec.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "parts.h"

static const struct {
	u32 which;
	u32 initial;	/* of a task that has not asked for anything */
	const char *what;
} controls[] = {
	{ PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, "speculative store bypass" },
	{ PR_SPEC_INDIRECT_BRANCH, PR_SPEC_ENABLE, "indirect branch speculation" },
	{ PR_SPEC_L1D_FLUSH, PR_SPEC_DISABLE, "L1D flush" },
};

/**
 * ckpt_reset_speculation() - Take off current what it has inherited
 *
 * Of the restarter. Controls that it has locked, and those that the CPU does
 * not have, stay as they are.
 *
 * Context: Any in which current may change its own flags.
 */
void ckpt_reset_speculation(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(controls); i++)
		arch_prctl_spec_ctrl_set(current, controls[i].which, controls[i].initial);
}

/* 0 if the task has no say in it on this CPU. */
static u32 control_get(struct task_struct *task, u32 which)
{
	int state = arch_prctl_spec_ctrl_get(task, which);

	return state > 0 && state & PR_SPEC_PRCTL ? state & ~PR_SPEC_PRCTL : 0;
}

static int speculation_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_speculation rec;
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(controls) && !err; i++) {
		rec.which = controls[i].which;
		rec.control = control_get(task, rec.which);
		if (rec.control && rec.control != controls[i].initial)
			err = ckpt_write(ctx, CKPT_REC_TASK_SPECULATION, &rec, sizeof(rec));
	}
	return err;
}

static int control_set(struct ckpt_ctx *ctx, const struct ckpt_rec_task_speculation *rec,
		       const char *what)
{
	int err;

	if (control_get(current, rec->which) == PR_SPEC_FORCE_DISABLE)
		return 0;
	err = arch_prctl_spec_ctrl_set(current, rec->which, rec->control);
	if (err)
		return ckpt_err(ctx, err == -ERANGE ? -EINVAL : -EOPNOTSUPP,
				"%s: this machine cannot control %s", ckpt_whom(ctx), what);
	return 0;
}

static int speculation_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_speculation rec;
	int i, err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(controls); i++)
		if (controls[i].which == rec.which && rec.control != controls[i].initial)
			return control_set(ctx, &rec, controls[i].what);
	return ckpt_err(ctx, -EINVAL, "%s: bad speculation control %u", ckpt_whom(ctx),
			rec.which);
}

static const struct ckpt_task_ops speculation_ops = {
	.name = "speculation control",
	.rec_type = CKPT_REC_TASK_SPECULATION,
	.repeats = true,
	.checkpoint = speculation_checkpoint,
	.restore = speculation_restore,
};

static int __init speculation_init(void)
{
	return ckpt_register_task_ops(&speculation_ops);
}
device_initcall(speculation_init);
