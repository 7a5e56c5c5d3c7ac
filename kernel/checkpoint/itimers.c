// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the three interval timers of setitimer(2), and of the
 * number that the next POSIX timer gets.
 */
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/posix-timers.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "parts.h"

#ifdef CONFIG_POSIX_TIMERS

static void real_get(struct signal_struct *sig, struct ckpt_rec_task_itimers *rec)
{
	struct hrtimer *timer = &sig->real_timer;

	rec->interval[ITIMER_REAL] = ktime_to_ns(sig->it_real_incr);
	if (hrtimer_active(timer) || sig->it_real_incr)
		rec->expires[ITIMER_REAL] = ktime_to_ns(hrtimer_get_expires(timer));
	if (!hrtimer_active(timer) && sig->it_real_incr)
		rec->flags |= CKPT_ITIMERF_WAITS;
	/* It may have gone off since the pending signals were saved. */
	if (sigismember(&sig->shared_pending.signal, SIGALRM))
		rec->flags |= CKPT_ITIMERF_ALARM;
}

/*
 * CPU time is restored as well, so that these are right as they are. That the
 * longest times count from now brings them beyond those of other clocks.
 */
static void cpu_get(struct signal_struct *sig, struct ckpt_rec_task_itimers *rec, int which,
		    int clock)
{
	rec->expires[which] = min_t(u64, sig->it[clock].expires, KTIME_MAX);
	rec->interval[which] = sig->it[clock].incr;
}

static int itimers_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_itimers rec = {
		.next_timer_id = task->signal->next_posix_timer_id,
	};

	spin_lock_irq(&ckpt_sighand(task)->siglock);
	real_get(task->signal, &rec);
	cpu_get(task->signal, &rec, ITIMER_VIRTUAL, CPUCLOCK_VIRT);
	cpu_get(task->signal, &rec, ITIMER_PROF, CPUCLOCK_PROF);
	spin_unlock_irq(&ckpt_sighand(task)->siglock);
	return ckpt_write(ctx, CKPT_REC_TASK_ITIMERS, &rec, sizeof(rec));
}

/* What itimers_start() needs to know */
struct itimers_late {
	struct ckpt_rec_task_itimers rec;
	const struct ckpt_shift *shift;
};

/* An interval goes on when the pending SIGALRM is taken: from where it was. */
static void real_start(struct signal_struct *sig, const struct itimers_late *late)
{
	ktime_t expires = ns_to_ktime(late->rec.expires[ITIMER_REAL]);

	sig->it_real_incr = ns_to_ktime(late->rec.interval[ITIMER_REAL]);
	if (!expires) {
		hrtimer_set_expires(&sig->real_timer, ktime_get());
		return;
	}
	hrtimer_set_expires(&sig->real_timer, ckpt_shifted(expires, late->shift->monotonic));
	if (!(late->rec.flags & CKPT_ITIMERF_WAITS))
		hrtimer_start_expires(&sig->real_timer, HRTIMER_MODE_ABS);
}

static void cpu_start(struct signal_struct *sig, const struct ckpt_rec_task_itimers *rec,
		      int which, int clock)
{
	u64 expires = rec->expires[which];

	sig->it[clock].expires = expires;
	sig->it[clock].incr = rec->interval[which];
	if (expires)
		set_process_cpu_timer(current, clock, &expires, NULL);
}

static void itimers_start(void *data)
{
	const struct itimers_late *late = data;
	const struct ckpt_rec_task_itimers *rec = &late->rec;
	struct signal_struct *sig = current->signal;

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	sig->next_posix_timer_id = rec->next_timer_id;
	real_start(sig, late);
	cpu_start(sig, rec, ITIMER_VIRTUAL, CPUCLOCK_VIRT);
	cpu_start(sig, rec, ITIMER_PROF, CPUCLOCK_PROF);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	/* One that is pending already stays one. */
	if (rec->flags & CKPT_ITIMERF_ALARM)
		kill_pid_info(SIGALRM, SEND_SIG_PRIV, task_tgid(current));
}

static int itimers_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct itimers_late late = { .shift = ckpt_shift(ctx) };
	struct ckpt_rec_task_itimers *rec = &late.rec;
	int i, err;

	err = ckpt_rec_copy(in, rec, sizeof(*rec));
	if (err)
		return err;
	for (i = 0; i < CKPT_NR_ITIMERS; i++)
		if (rec->expires[i] > KTIME_MAX || rec->interval[i] > KTIME_MAX)
			err = -EINVAL;
	if (err || rec->flags & ~CKPT_ITIMERF_ALL || rec->next_timer_id > INT_MAX)
		return ckpt_err(ctx, -EINVAL, "%s: bad interval timers", ckpt_whom(ctx));
	return ckpt_task_defer(ctx, itimers_start, &late, sizeof(late));
}

static const struct ckpt_task_ops itimers_ops = {
	.name = "interval timers",
	.rec_type = CKPT_REC_TASK_ITIMERS,
	.leader_only = true,
	.checkpoint = itimers_checkpoint,
	.restore = itimers_restore,
};

static int __init itimers_init(void)
{
	return ckpt_register_task_ops(&itimers_ops);
}
device_initcall(itimers_init);

#endif /* CONFIG_POSIX_TIMERS */
