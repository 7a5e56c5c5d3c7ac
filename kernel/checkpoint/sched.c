// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of scheduling policy, priorities and CPU affinity.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/deadline.h>
#include <linux/sched/prio.h>
#include <linux/sched/rt.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "parts.h"

static bool policy_known(u32 policy)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_FIFO:
	case SCHED_RR:
	case SCHED_DEADLINE:
		return true;
	}
	return false;
}

static int sched_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int err = 0;

	if (!policy_known(task->policy))
		err = ckpt_refuse(ctx, -EOPNOTSUPP, "%s: scheduling policy %s", ckpt_whom(ctx),
				  task->policy == SCHED_EXT ? "SCHED_EXT" : "unknown");
#ifdef CONFIG_SCHED_CORE
	if (!err && task->core_cookie)
		err = ckpt_refuse(ctx, -EOPNOTSUPP, "%s: core scheduling cookie",
				  ckpt_whom(ctx));
#endif
	return err;
}

/* What was asked for, or -1. */
static s32 clamp_get(struct task_struct *task, enum uclamp_id which)
{
#ifdef CONFIG_UCLAMP_TASK
	if (task->uclamp_req[which].user_defined)
		return task->uclamp_req[which].value;
#endif
	return -1;
}

static bool clamp_valid(s32 value)
{
	return value >= -1 && value <= SCHED_CAPACITY_SCALE;
}

/* The mask that was asked for, as words; 0 if the task never asked. */
static unsigned int affinity_get(struct task_struct *task, u64 *words)
{
	unsigned int nr = 0;

#ifdef CONFIG_SMP
	BUILD_BUG_ON(BITS_TO_LONGS(CONFIG_NR_CPUS) > CKPT_MAX_CPU_WORDS);
	raw_spin_lock_irq(&task->pi_lock);
	if (task->user_cpus_ptr) {
		nr = DIV_ROUND_UP(nr_cpu_ids, 64);
		bitmap_to_arr64(words, cpumask_bits(task->user_cpus_ptr), nr_cpu_ids);
	}
	raw_spin_unlock_irq(&task->pi_lock);
#endif
	return nr;
}

/* What was asked for; how much of the current period is left is not kept. */
static void deadline_get(struct task_struct *task, struct ckpt_sched_deadline *dl)
{
	dl->runtime = task->dl.dl_runtime;
	dl->deadline = task->dl.dl_deadline;
	dl->period = task->dl.dl_period;
	dl->flags = (task->dl.flags & SCHED_FLAG_RECLAIM ? CKPT_DEADLINEF_RECLAIM : 0) |
		    (task->dl.flags & SCHED_FLAG_DL_OVERRUN ? CKPT_DEADLINEF_OVERRUN : 0);
	dl->pad = 0;
}

static size_t deadline_size(u32 policy)
{
	return policy == SCHED_DEADLINE ? sizeof(struct ckpt_sched_deadline) : 0;
}

static int sched_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_sched rec = {
		.policy = task->policy,
		.nice = task_nice(task),
		.rt_priority = task->rt_priority,
		.flags = task->sched_reset_on_fork ? CKPT_SCHEDF_RESET_ON_FORK : 0,
		.util_min = clamp_get(task, UCLAMP_MIN),
		.util_max = clamp_get(task, UCLAMP_MAX),
	};
	size_t len;
	u64 *words;
	int err;

	if (task->se.custom_slice) {
		rec.flags |= CKPT_SCHEDF_SLICE;
		rec.slice_ns = task->se.slice;
	}
	len = DIV_ROUND_UP(nr_cpu_ids, 64) * sizeof(*words) + deadline_size(rec.policy);
	words = kzalloc(len, GFP_KERNEL);
	if (!words)
		return -ENOMEM;
	rec.nr_cpu_words = affinity_get(task, words);
	if (rec.policy == SCHED_DEADLINE)
		deadline_get(task, (void *)(words + rec.nr_cpu_words));
	err = ckpt_write2(ctx, CKPT_REC_TASK_SCHED, &rec, sizeof(rec), words,
			  rec.nr_cpu_words * sizeof(*words) + deadline_size(rec.policy));
	kfree(words);
	return err;
}

#ifdef CONFIG_SMP
/*
 * CPUs that this machine does not have are forgotten, as by sched_setaffinity(2).
 * Who may use all that there are does not miss them.
 */
static void affinity_warn(struct ckpt_ctx *ctx, const struct cpumask *mask, const u64 *words,
			  unsigned int nr)
{
	unsigned int cpu;

	if (cpumask_subset(cpu_possible_mask, mask))
		return;
	for (cpu = nr_cpu_ids; cpu < nr * 64; cpu++) {
		if (!(words[cpu / 64] & BIT_ULL(cpu % 64)))
			continue;
		ckpt_warn(ctx, "%s: CPU %u of its affinity is not there", ckpt_whom(ctx), cpu);
		return;
	}
}
#endif

static int affinity_restore(struct ckpt_ctx *ctx, const u64 *words, unsigned int nr)
{
#ifdef CONFIG_SMP
	cpumask_var_t mask;
	unsigned int bits;
	int err;

	if (!nr && !current->user_cpus_ptr)
		return 0;
	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	if (nr) {
		bits = min(nr * 64, nr_cpu_ids);
		bitmap_from_arr64(cpumask_bits(mask), words, bits);
		affinity_warn(ctx, mask, words, nr);
	} else {
		/* The restarter's own affinity, which the task inherited. */
		cpumask_copy(mask, cpu_possible_mask);
	}
	err = sched_setaffinity(0, mask);
	if (err)
		err = ckpt_err(ctx, err, "%s: cannot run on CPUs %*pbl", ckpt_whom(ctx),
			       cpumask_pr_args(mask));
	free_cpumask_var(mask);
	return err;
#else
	return 0;
#endif
}

static void deadline_set(struct sched_attr *attr, const struct ckpt_sched_deadline *dl)
{
	attr->sched_runtime = dl->runtime;
	attr->sched_deadline = dl->deadline;
	attr->sched_period = dl->period;
	if (dl->flags & CKPT_DEADLINEF_RECLAIM)
		attr->sched_flags |= SCHED_FLAG_RECLAIM;
}

/*
 * Both are asked for together: one that is -1 takes back what the task has
 * inherited from the restarter. To ask for nothing where nothing is costs the
 * machine less: it counts clamps from the first one on.
 */
static void clamps_set(struct sched_attr *attr, const struct ckpt_rec_task_sched *rec)
{
	if (rec->util_min == clamp_get(current, UCLAMP_MIN) &&
	    rec->util_max == clamp_get(current, UCLAMP_MAX))
		return;
	attr->sched_flags |= SCHED_FLAG_UTIL_CLAMP;
	attr->sched_util_min = rec->util_min;
	attr->sched_util_max = rec->util_max;
}

/* The program gets no SIGXCPU for the time that its restart takes. */
static void overrun_restore_late(void *data)
{
	struct sched_attr *attr = data;

	attr->sched_flags |= SCHED_FLAG_DL_OVERRUN;
	sched_setattr_nocheck(current, attr);
}

/* Most tasks are ordinary ones, as the restarter is. */
static bool policy_is(const struct ckpt_rec_task_sched *rec)
{
	return rec->policy == SCHED_NORMAL && current->policy == SCHED_NORMAL &&
	       !rec->rt_priority && rec->nice == task_nice(current) &&
	       !rec->flags && !current->sched_reset_on_fork && !current->se.custom_slice &&
	       rec->util_min == clamp_get(current, UCLAMP_MIN) &&
	       rec->util_max == clamp_get(current, UCLAMP_MAX);
}

static u64 slice_of(const struct ckpt_rec_task_sched *rec)
{
	return rec->flags & CKPT_SCHEDF_SLICE ? rec->slice_ns : 0;
}

/*
 * Only SCHED_NORMAL and SCHED_BATCH are told the slice; under other policies a
 * task keeps the one that it had. All else stays here as it is.
 */
static int slice_restore(const struct ckpt_rec_task_sched *rec)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_NORMAL,
		.sched_nice = task_nice(current),
		.sched_flags = current->sched_reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0,
		.sched_runtime = slice_of(rec),
	};

	if (rec->policy == SCHED_NORMAL || rec->policy == SCHED_BATCH ||
	    (!attr.sched_runtime && !current->se.custom_slice))
		return 0;
	return sched_setattr_nocheck(current, &attr);
}

static int policy_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_task_sched *rec,
			  const struct ckpt_sched_deadline *dl)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = rec->policy,
		.sched_nice = rec->nice,
		.sched_priority = rec->rt_priority,
		.sched_flags = rec->flags & CKPT_SCHEDF_RESET_ON_FORK ?
			       SCHED_FLAG_RESET_ON_FORK : 0,
		.sched_runtime = slice_of(rec),
	};
	int err;

	if (policy_is(rec))
		return 0;
	if (dl)
		deadline_set(&attr, dl);
	clamps_set(&attr, rec);
	err = slice_restore(rec);
	/* Checks what sched_setattr(2) checks, with the restarter's rights. */
	if (!err)
		err = sched_setattr(current, &attr);
	if (err)
		return ckpt_err(ctx, err,
				"%s: cannot set scheduling policy %u, nice %d, utilization %d to %d",
				ckpt_whom(ctx), rec->policy, rec->nice, rec->util_min,
				rec->util_max);
	if (dl && dl->flags & CKPT_DEADLINEF_OVERRUN) {
		err = ckpt_task_defer(ctx, overrun_restore_late, &attr, sizeof(attr));
		if (err)
			return err;
	}
	if (task_nice(current) == rec->nice)
		return 0;

	/* A realtime task has a nice value for the day it becomes an ordinary one. */
	if (rec->nice < task_nice(current) && !can_nice(current, rec->nice))
		return ckpt_err(ctx, -EPERM, "%s: cannot set nice %d", ckpt_whom(ctx),
				rec->nice);
	set_user_nice(current, rec->nice);
	return 0;
}

static int sched_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	const struct ckpt_sched_deadline *dl = NULL;
	struct ckpt_rec_task_sched rec;
	const void *tail;
	int len, err;

	len = ckpt_rec_head(in, &rec, sizeof(rec), &tail);
	if (len < 0 || rec.pad || rec.nr_cpu_words > CKPT_MAX_CPU_WORDS ||
	    len != rec.nr_cpu_words * sizeof(u64) + deadline_size(rec.policy) ||
	    !policy_known(rec.policy) ||
	    rec.nice < MIN_NICE || rec.nice > MAX_NICE ||
	    !clamp_valid(rec.util_min) || !clamp_valid(rec.util_max) ||
	    rec.flags & ~(CKPT_SCHEDF_RESET_ON_FORK | CKPT_SCHEDF_SLICE))
		return ckpt_err(ctx, -EINVAL, "%s: bad scheduling record", ckpt_whom(ctx));

	if (rec.policy == SCHED_DEADLINE) {
		dl = tail + rec.nr_cpu_words * sizeof(u64);
		if (dl->pad || dl->flags & ~CKPT_DEADLINEF_ALL)
			return ckpt_err(ctx, -EINVAL, "%s: bad scheduling record",
					ckpt_whom(ctx));
	}

	err = affinity_restore(ctx, tail, rec.nr_cpu_words);
	return err ?: policy_restore(ctx, &rec, dl);
}

static const struct ckpt_task_ops sched_ops = {
	.name = "scheduling",
	.rec_type = CKPT_REC_TASK_SCHED,
	.collect = sched_collect,
	.checkpoint = sched_checkpoint,
	.restore = sched_restore,
};

static int __init sched_ckpt_init(void)
{
	return ckpt_register_task_ops(&sched_ops);
}
device_initcall(sched_ckpt_init);
