// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of pending signals.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/slab.h>

#include "parts.h"

/* A queue longer than this is not that of an ordinary program. */
#define SIGPENDING_MAX	65536

/* These are saved with their timers; that of a deleted timer is one like others. */
static bool is_timer_signal(const struct sigqueue *q)
{
	return q->flags & SIGQUEUE_PREALLOC;
}

static unsigned int sigpending_count(struct task_struct *task, struct sigpending *pending)
{
	struct sigqueue *q;
	unsigned int nr;

	spin_lock_irq(&ckpt_sighand(task)->siglock);
	nr = hweight64(pending->signal.sig[0]);
	list_for_each_entry(q, &pending->list, list)
		nr++;
	spin_unlock_irq(&ckpt_sighand(task)->siglock);
	return nr;
}

static int sigpending_collect(struct ckpt_ctx *ctx, struct task_struct *task,
			      struct sigpending *pending)
{
	unsigned int nr = sigpending_count(task, pending);

	if (nr <= SIGPENDING_MAX)
		return 0;
	return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %u pending signals", ckpt_whom(ctx), nr);
}

static void sigpending_fill(struct ckpt_rec_sigpending *rec, const struct kernel_siginfo *info)
{
	BUILD_BUG_ON(sizeof(rec->info) != sizeof(*info));
	rec->signo = info->si_signo;
	memcpy(rec->info, info, sizeof(rec->info));
}

/* Queued signals in order, then those of which only the bit is known. */
static unsigned int sigpending_snapshot(struct sigpending *pending,
					struct ckpt_rec_sigpending *recs, unsigned int max)
{
	u64 bits = ckpt_sigset(&pending->signal);
	struct sigqueue *q;
	unsigned int nr = 0;
	int i;

	list_for_each_entry(q, &pending->list, list) {
		if (nr == max)
			return nr;
		bits &= ~sigmask(q->info.si_signo);
		if (!is_timer_signal(q))
			sigpending_fill(&recs[nr++], &q->info);
	}
	for (i = 0; i < _NSIG && nr < max; i++) {
		if (!(bits & BIT_ULL(i)))
			continue;
		recs[nr].signo = i + 1;
		recs[nr++].flags = CKPT_SIGPENDINGF_NOINFO;
	}
	return nr;
}

static int sigpending_write(struct ckpt_ctx *ctx, struct task_struct *task,
			    struct sigpending *pending, u16 rec_type)
{
	unsigned int i, nr = sigpending_count(task, pending);
	struct ckpt_rec_sigpending *recs;
	int err = 0;

	if (!nr)
		return 0;

	recs = kvcalloc(nr, sizeof(*recs), GFP_KERNEL);
	if (!recs)
		return -ENOMEM;
	spin_lock_irq(&ckpt_sighand(task)->siglock);
	nr = sigpending_snapshot(pending, recs, nr);
	spin_unlock_irq(&ckpt_sighand(task)->siglock);
	for (i = 0; i < nr && !err; i++)
		err = ckpt_write(ctx, rec_type, &recs[i], sizeof(recs[i]));
	kvfree(recs);
	return err;
}

/*
 * The image has the timers as well, which go off again after a restart. So do
 * those of CPU time: that of a task which does not run stands still, and only
 * the checkpointer's own can go off at all.
 */
static bool comes_again(const struct sigqueue *q)
{
	if (is_timer_signal(q))
		return true;
	if (q->info.si_code != SI_KERNEL)
		return false;
	switch (q->info.si_signo) {
	case SIGALRM:
	case SIGVTALRM:
	case SIGPROF:
	case SIGXCPU:
		return true;
	}
	return false;
}

/**
 * ckpt_pending_get() - What is pending that an image must have
 * @pending: signals of a task or a process
 * @now: where to put it
 *
 * A signal that is ignored is not queued and changes nothing here; nor does one
 * below SIGRTMIN that is pending already.
 *
 * Context: The siglock is held.
 */
void ckpt_pending_get(const struct sigpending *pending, struct ckpt_pending *now)
{
	u64 bits = ckpt_sigset(&pending->signal);
	const struct sigqueue *q;

	*now = (struct ckpt_pending){};
	list_for_each_entry(q, &pending->list, list) {
		bits &= ~sigmask(q->info.si_signo);
		if (comes_again(q))
			continue;
		now->set |= sigmask(q->info.si_signo);
		now->last = q->info.si_signo;
		now->nr++;
	}
	/* Of these only the bit is known. */
	now->set |= bits;
}

static int sigpending_read(struct ckpt_ctx *ctx, const struct ckpt_rec *in, enum pid_type type)
{
	struct ckpt_rec_sigpending rec;
	struct kernel_siginfo info;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	memcpy(&info, rec.info, sizeof(info));
	if (!valid_signal(rec.signo) || !rec.signo || rec.signo == SIGKILL ||
	    rec.flags & ~CKPT_SIGPENDINGF_NOINFO ||
	    (!(rec.flags & CKPT_SIGPENDINGF_NOINFO) && info.si_signo != rec.signo))
		return ckpt_err(ctx, -EINVAL, "%s: bad pending signal %u", ckpt_whom(ctx),
				rec.signo);

	/*
	 * A task may send itself any siginfo. That of a timer starts none: only
	 * the entry that belongs to a timer does. Blocked as they all are now,
	 * the signals wait for the real mask.
	 */
	err = sigqueue_restore(rec.signo,
			       rec.flags & CKPT_SIGPENDINGF_NOINFO ? NULL : &info, type);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot queue signal %u", ckpt_whom(ctx),
				rec.signo);
	return 0;
}

static int shared_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return sigpending_collect(ctx, task, &task->signal->shared_pending);
}

static int shared_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return sigpending_write(ctx, task, &task->signal->shared_pending,
				CKPT_REC_TASK_SIGNAL);
}

static int shared_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	return sigpending_read(ctx, in, PIDTYPE_TGID);
}

static const struct ckpt_task_ops shared_ops = {
	.name = "pending signals of the process",
	.rec_type = CKPT_REC_TASK_SIGNAL,
	.leader_only = true,
	.repeats = true,
	.collect = shared_collect,
	.checkpoint = shared_checkpoint,
	.restore = shared_restore,
};

static int private_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return sigpending_collect(ctx, task, &task->pending);
}

static int private_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return sigpending_write(ctx, task, &task->pending, CKPT_REC_TASK_SIGPENDING);
}

static int private_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	return sigpending_read(ctx, in, PIDTYPE_PID);
}

static const struct ckpt_task_ops private_ops = {
	.name = "pending signals",
	.rec_type = CKPT_REC_TASK_SIGPENDING,
	.repeats = true,
	.collect = private_collect,
	.checkpoint = private_checkpoint,
	.restore = private_restore,
};

static int __init sigpending_init(void)
{
	return ckpt_register_task_ops(&shared_ops) ?: ckpt_register_task_ops(&private_ops);
}
device_initcall(sigpending_init);
