// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of what a task has used: CPU time, faults, switches, I/O,
 * and of its age. The work of the restart itself is not charged to the task.
 */
#include <linux/init.h>
#include <linux/mmu_context.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "../sched/sched.h"
#include "parts.h"

/*
 * All CPU time of one process stays below this, whatever an image says: 146
 * years. cputime_adjust() divides by sums of such times.
 */
#define CKPT_MAX_CPU_TIME	(1ULL << 62)

static void io_get(struct ckpt_io_usage *io, const struct task_io_accounting *ioac)
{
#ifdef CONFIG_TASK_XACCT
	io->rchar = ioac->rchar;
	io->wchar = ioac->wchar;
	io->syscr = ioac->syscr;
	io->syscw = ioac->syscw;
#endif
#ifdef CONFIG_TASK_IO_ACCOUNTING
	io->read_bytes = ioac->read_bytes;
	io->write_bytes = ioac->write_bytes;
	io->cancelled_write_bytes = ioac->cancelled_write_bytes;
#endif
}

static void io_set(struct task_io_accounting *ioac, const struct ckpt_io_usage *io)
{
#ifdef CONFIG_TASK_XACCT
	ioac->rchar = io->rchar;
	ioac->wchar = io->wchar;
	ioac->syscr = io->syscr;
	ioac->syscw = io->syscw;
#endif
#ifdef CONFIG_TASK_IO_ACCOUNTING
	ioac->read_bytes = io->read_bytes;
	ioac->write_bytes = io->write_bytes;
	ioac->cancelled_write_bytes = io->cancelled_write_bytes;
#endif
}

/*
 * User and system time are told in proportion to the ticks, but never less than
 * before: what was told last is state of its own.
 */
static void told_get(struct ckpt_told_times *told, struct prev_cputime *prev)
{
#ifndef CONFIG_VIRT_CPU_ACCOUNTING_NATIVE
	raw_spin_lock_irq(&prev->lock);
	told->utime = prev->utime;
	told->stime = prev->stime;
	raw_spin_unlock_irq(&prev->lock);
#endif
}

static void told_set(struct prev_cputime *prev, const struct ckpt_told_times *told)
{
#ifndef CONFIG_VIRT_CPU_ACCOUNTING_NATIVE
	raw_spin_lock_irq(&prev->lock);
	prev->utime = told->utime;
	prev->stime = told->stime;
	raw_spin_unlock_irq(&prev->lock);
#endif
}

static void sched_info_get(struct ckpt_rec_task_times *rec, const struct sched_info *info)
{
#ifdef CONFIG_SCHED_INFO
	rec->run_delay = info->run_delay;
	rec->nr_runs = info->pcount;
#endif
}

static void sched_info_set(struct sched_info *info, const struct ckpt_rec_task_times *rec)
{
#ifdef CONFIG_SCHED_INFO
	info->run_delay = rec->run_delay;
	info->pcount = rec->nr_runs;
#endif
}

static int times_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_times rec = {
		.usage = {
			.utime = task->utime,
			.stime = task->stime,
			.gtime = task->gtime,
			.nvcsw = task->nvcsw,
			.nivcsw = task->nivcsw,
			.min_flt = task->min_flt,
			.maj_flt = task->maj_flt,
		},
		.runtime = task_sched_runtime(task),
		.start = task->start_time,
		.boot_start = task->start_boottime,
	};

	told_get(&rec.told, &task->prev_cputime);
	io_get(&rec.io, &task->ioac);
	sched_info_get(&rec, &task->sched_info);
	return ckpt_write(ctx, CKPT_REC_TASK_TIMES, &rec, sizeof(rec));
}

/* Can @more be added to what the process of @task has used already? */
static int check_cpu_time(struct ckpt_ctx *ctx, struct task_struct *task,
			  const struct ckpt_usage *more, const struct ckpt_told_times *told,
			  u64 runtime)
{
	struct task_cputime used;

	thread_group_cputime(task, &used);
	if (more->utime > CKPT_MAX_CPU_TIME || used.utime > CKPT_MAX_CPU_TIME - more->utime ||
	    more->stime > CKPT_MAX_CPU_TIME || used.stime > CKPT_MAX_CPU_TIME - more->stime ||
	    runtime > CKPT_MAX_CPU_TIME || used.sum_exec_runtime > CKPT_MAX_CPU_TIME - runtime ||
	    told->utime > CKPT_MAX_CPU_TIME || told->stime > CKPT_MAX_CPU_TIME ||
	    more->gtime > more->utime)
		return ckpt_err(ctx, -EINVAL, "%s: impossible CPU times", ckpt_whom(ctx));
	return 0;
}

/* The clocks of the process, which may run already, hear of the difference. */
static void restore_cpu_time(struct task_struct *task, const struct ckpt_rec_task_times *rec)
{
	u64 runtime = task_sched_runtime(task);
	struct rq_flags rf;
	struct rq *rq;

	account_group_user_time(task, rec->usage.utime - task->utime);
	account_group_system_time(task, rec->usage.stime - task->stime);
	account_group_exec_runtime(task, rec->runtime - runtime);

	rq = task_rq_lock(task, &rf);
	task->utime = rec->usage.utime;
	task->stime = rec->usage.stime;
	task->gtime = rec->usage.gtime;
	task->se.sum_exec_runtime += rec->runtime - runtime;
	task->se.prev_sum_exec_runtime += rec->runtime - runtime;
	task_rq_unlock(rq, task, &rf);
}

static int times_restore_task(struct ckpt_ctx *ctx, struct task_struct *task,
			      const struct ckpt_rec *in)
{
	struct ckpt_rec_task_times rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (!err)
		err = check_cpu_time(ctx, task, &rec.usage, &rec.told, rec.runtime);
	if (err)
		return err;

	restore_cpu_time(task, &rec);
	told_set(&task->prev_cputime, &rec.told);
	task->nvcsw = rec.usage.nvcsw;
	task->nivcsw = rec.usage.nivcsw;
	task->min_flt = rec.usage.min_flt;
	task->maj_flt = rec.usage.maj_flt;
	io_set(&task->ioac, &rec.io);
	sched_info_set(&task->sched_info, &rec);
	/* By the clocks of the image, until the tree is let go. */
	task->start_time = rec.start;
	task->start_boottime = rec.boot_start;
	return 0;
}

static int times_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	return times_restore_task(ctx, current, in);
}

static const struct ckpt_task_ops times_ops = {
	.name = "times",
	.rec_type = CKPT_REC_TASK_TIMES,
	.checkpoint = times_checkpoint,
	.restore = times_restore,
	.restore_dead = times_restore_task,
};

static int usage_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct signal_struct *sig = task->signal;
	struct ckpt_rec_task_usage rec = {
		.threads = {
			.utime = sig->utime,
			.stime = sig->stime,
			.gtime = sig->gtime,
			.nvcsw = sig->nvcsw,
			.nivcsw = sig->nivcsw,
			.min_flt = sig->min_flt,
			.maj_flt = sig->maj_flt,
			.inblock = sig->inblock,
			.oublock = sig->oublock,
			.maxrss = sig->maxrss,
		},
		.children = {
			.utime = sig->cutime,
			.stime = sig->cstime,
			.gtime = sig->cgtime,
			.nvcsw = sig->cnvcsw,
			.nivcsw = sig->cnivcsw,
			.min_flt = sig->cmin_flt,
			.maj_flt = sig->cmaj_flt,
			.inblock = sig->cinblock,
			.oublock = sig->coublock,
			.maxrss = sig->cmaxrss,
		},
		.runtime = sig->sum_sched_runtime,
	};

	told_get(&rec.told, &sig->prev_cputime);
	io_get(&rec.io, &sig->ioac);
	return ckpt_write(ctx, CKPT_REC_TASK_USAGE, &rec, sizeof(rec));
}

static void restore_threads(struct signal_struct *sig, const struct ckpt_usage *usage)
{
	sig->utime = usage->utime;
	sig->stime = usage->stime;
	sig->gtime = usage->gtime;
	sig->nvcsw = usage->nvcsw;
	sig->nivcsw = usage->nivcsw;
	sig->min_flt = usage->min_flt;
	sig->maj_flt = usage->maj_flt;
	sig->inblock = usage->inblock;
	sig->oublock = usage->oublock;
	sig->maxrss = usage->maxrss;
}

static void restore_children(struct signal_struct *sig, const struct ckpt_usage *usage)
{
	sig->cutime = usage->utime;
	sig->cstime = usage->stime;
	sig->cgtime = usage->gtime;
	sig->cnvcsw = usage->nvcsw;
	sig->cnivcsw = usage->nivcsw;
	sig->cmin_flt = usage->min_flt;
	sig->cmaj_flt = usage->maj_flt;
	sig->cinblock = usage->inblock;
	sig->coublock = usage->oublock;
	sig->cmaxrss = usage->maxrss;
}

static int usage_restore_process(struct ckpt_ctx *ctx, struct task_struct *task,
				 const struct ckpt_rec *in)
{
	struct signal_struct *sig = task->signal;
	struct ckpt_rec_task_usage rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (!err)
		err = check_cpu_time(ctx, task, &rec.threads, &rec.told, rec.runtime);
	if (err)
		return err;

	account_group_user_time(task, rec.threads.utime - sig->utime);
	account_group_system_time(task, rec.threads.stime - sig->stime);
	account_group_exec_runtime(task, rec.runtime - sig->sum_sched_runtime);

	told_set(&sig->prev_cputime, &rec.told);
	write_seqlock_irq(&sig->stats_lock);
	restore_threads(sig, &rec.threads);
	restore_children(sig, &rec.children);
	sig->sum_sched_runtime = rec.runtime;
	io_set(&sig->ioac, &rec.io);
	write_sequnlock_irq(&sig->stats_lock);
	return 0;
}

static int usage_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	return usage_restore_process(ctx, current, in);
}

static const struct ckpt_task_ops usage_ops = {
	.name = "usage",
	.rec_type = CKPT_REC_TASK_USAGE,
	.leader_only = true,
	.checkpoint = usage_checkpoint,
	.restore = usage_restore,
	.restore_dead = usage_restore_process,
};

static int __init times_init(void)
{
	return ckpt_register_task_ops(&times_ops) ?: ckpt_register_task_ops(&usage_ops);
}
device_initcall(times_init);
