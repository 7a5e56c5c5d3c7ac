// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of autogroups: sessions that get their share of the CPU
 * time together, with the nice value of /proc/PID/autogroup. Who has that of
 * the checkpointer gets that of the restarter.
 */
#include <linux/init.h>
#include <linux/kref.h>
#include <linux/mmu_context.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/autogroup.h>
#include <linux/sched/prio.h>
#include <linux/sched/signal.h>

#include "../sched/sched.h"
#include "../sched/autogroup.h"
#include "parts.h"

static void autogroup_grab(void *ptr)
{
	struct autogroup *ag = ptr;

	kref_get(&ag->kref);
}

static void autogroup_drop(void *ptr)
{
	sched_autogroup_put(ptr);
}

static int autogroup_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct ckpt_rec_autogroup rec = {};
	struct autogroup *ag = ptr;

	down_read(&ag->lock);
	rec.nice = ag->nice;
	up_read(&ag->lock);
	return ckpt_write(ctx, CKPT_REC_AUTOGROUP, &rec, sizeof(rec));
}

/* All processes are born into that of the restarter, as whose child each waits. */
static bool has_own_autogroup(void)
{
	bool own;

	rcu_read_lock();
	own = current->signal->autogroup !=
	      READ_ONCE(rcu_dereference(current->real_parent)->signal->autogroup);
	rcu_read_unlock();
	return own;
}

/*
 * As setsid(2) does, and who writes to /proc/PID/autogroup. Without memory for
 * a new one the process is in that of the root task group, and nobody is told.
 */
static int autogroup_create(struct ckpt_ctx *ctx, int nice)
{
	struct autogroup *ag;
	int err = 0;

	sched_autogroup_create_attach(current);
	ag = current->signal->autogroup;
	if (ag->tg == &root_task_group)
		return ckpt_err(ctx, -ENOMEM, "%s: cannot make an autogroup", ckpt_whom(ctx));
	if (nice)
		err = sched_autogroup_set_nice(ag, nice);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot set nice %d of its autogroup",
				ckpt_whom(ctx), nice);
	return 0;
}

/* That of the first process that has it. */
static void *autogroup_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_autogroup rec;
	int err;

	err = ckpt_read(ctx, CKPT_REC_AUTOGROUP, &rec, sizeof(rec));
	if (err)
		return ERR_PTR(err);
	if (rec.nice < MIN_NICE || rec.nice > MAX_NICE || rec.pad)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "%s: bad autogroup", ckpt_whom(ctx)));
	/* A process is in one: that bounds how many an image can ask for. */
	if (has_own_autogroup())
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "%s: a second autogroup",
					ckpt_whom(ctx)));
	err = autogroup_create(ctx, rec.nice);
	if (err)
		return ERR_PTR(err);
	autogroup_grab(current->signal->autogroup);
	return current->signal->autogroup;
}

/* Others in it are no leak: they get their share, as others on the machine do. */
static const struct ckpt_obj_ops autogroup_ops = {
	.obj_name = "autogroup",
	.obj_type = CKPT_OBJ_AUTOGROUP,
	.stage = CKPT_STAGE_TASK,
	.ref_grab = autogroup_grab,
	.ref_drop = autogroup_drop,
	.checkpoint = autogroup_checkpoint,
	.restore = autogroup_restore,
};

/* NULL if it is the checkpointer's. Only the process itself changes it, by setsid(2). */
static struct autogroup *own_autogroup(struct task_struct *task)
{
	struct autogroup *ag = task->signal->autogroup;

	return ag == current->signal->autogroup ? NULL : ag;
}

static int membership_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct autogroup *ag = own_autogroup(task);

	return ag ? min(ckpt_obj_collect(ctx, ag, &autogroup_ops), 0) : 0;
}

static int membership_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct autogroup *ag = own_autogroup(task);

	return ag ? ckpt_task_write_ref(ctx, CKPT_REC_TASK_AUTOGROUP, ag, &autogroup_ops) : 0;
}

static int membership_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct autogroup *ag = ckpt_task_fetch_ref(ctx, in, &autogroup_ops);

	if (IS_ERR(ag))
		return PTR_ERR(ag);
	sched_autogroup_join(current, ag);
	return 0;
}

static const struct ckpt_task_ops membership_ops = {
	.name = "autogroup",
	.rec_type = CKPT_REC_TASK_AUTOGROUP,
	.leader_only = true,
	.collect = membership_collect,
	.checkpoint = membership_checkpoint,
	.restore = membership_restore,
};

static int __init autogroup_ckpt_init(void)
{
	return ckpt_register_obj(&autogroup_ops) ?: ckpt_register_task_ops(&membership_ops);
}
device_initcall(autogroup_ckpt_init);
