// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of POSIX timers. They go off when they would have, by the
 * clocks of the tree; those that wait for a time of the day keep that time. The
 * signal of an expiry that nobody has taken yet belongs to the timer.
 */
#include <linux/init.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/posix-timers.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "../time/posix-timers.h"
#include "parts.h"

#ifdef CONFIG_POSIX_TIMERS

static bool is_cpu_timer(const struct k_itimer *timer)
{
	return timer->kclock == &clock_posix_cpu;
}

/* It goes on when somebody takes the signal. */
static bool is_waiting(const struct k_itimer *timer)
{
	return timer->it_interval && timer->it_requeue_pending & REQUEUE_PENDING;
}

/* TIMER_ABSTIME of CLOCK_REALTIME; others count the same monotonic time. */
static bool is_for_time_of_day(const struct k_itimer *timer)
{
	return timer->it_clock == CLOCK_REALTIME && (timer->it_active || is_waiting(timer)) &&
	       timer->it.real.timer.base->clockid == CLOCK_REALTIME;
}

static bool is_thread_dead(struct pid *pid)
{
	bool dead;

	rcu_read_lock();
	dead = !pid_task(pid, PIDTYPE_PID);
	rcu_read_unlock();
	return dead;
}

static bool is_of_process(struct pid *pid, struct task_struct *process)
{
	struct task_struct *task;
	bool is;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_PID);
	is = task && same_thread_group(task, process);
	rcu_read_unlock();
	return is;
}

static const char *why_unsupported(const struct k_itimer *timer, struct task_struct *task)
{
	switch (timer->it_clock) {
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return "on an alarm clock";
	case CLOCK_TAI:
		return "on CLOCK_TAI";
	}
	if (is_cpu_timer(timer) && !is_of_process(timer->it.cpu.pid, task))
		return "on the CPU time of another process or a dead thread";
	if ((timer->it_sigev_notify & SIGEV_THREAD_ID) && is_thread_dead(timer->it_pid))
		return "for a dead thread";
	return NULL;
}

static int timers_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct k_itimer *timer;
	const char *why;
	int err = 0;

	/* Only the process itself adds and removes timers, and it is frozen. */
	hlist_for_each_entry(timer, &task->signal->posix_timers, list) {
		why = why_unsupported(timer, task);
		if (why)
			err = ckpt_refuse(ctx, -EOPNOTSUPP, "%s: POSIX timer %d %s",
					  ckpt_whom(ctx), timer->it_id, why);
		if (err)
			break;
	}
	return err;
}

/*
 * What is left is told by a clock that goes on: when it goes off does not
 * depend on when it is asked. timer_get() has moved the next expiry on.
 */
static u64 expires_of(const struct k_itimer *timer, const struct itimerspec64 *left)
{
	if (is_cpu_timer(timer) || !timespec64_to_ns(&left->it_value))
		return timespec64_to_ns(&left->it_value);
	return ktime_to_ns(hrtimer_get_expires(&timer->it.real.timer));
}

/* @timer is locked: it expires before all this, or after. */
static void describe(struct k_itimer *timer, struct ckpt_rec_task_timer *rec)
{
	struct itimerspec64 left = {};
	s64 overrun;

	rec->id = timer->it_id;
	rec->clock = timer->it_clock;
	rec->notify = timer->it_sigev_notify;
	rec->signo = timer->sigq->info.si_signo;
	rec->value = (unsigned long)timer->sigq->info.si_value.sival_ptr;

	timer->kclock->timer_get(timer, &left);
	rec->expires = expires_of(timer, &left);
	rec->interval = ktime_to_ns(timer->it_interval);
	if (is_for_time_of_day(timer)) {
		rec->flags |= CKPT_TIMERF_TIME_OF_DAY;
		rec->expires = ktime_to_ns(hrtimer_get_expires(&timer->it.real.timer));
	}
	rec->overrun_last = min_t(s64, timer->it_overrun_last, INT_MAX);
	if (list_empty(&timer->sigq->list))
		return;
	rec->flags |= CKPT_TIMERF_PENDING;
	/* timer_get() has counted the expiries since the signal, and that one. */
	overrun = clamp_t(s64, timer->it_overrun, 0, INT_MAX) + timer->sigq->info.si_overrun;
	rec->overrun = clamp_t(s64, overrun, 0, INT_MAX);
}

static int timer_checkpoint(struct ckpt_ctx *ctx, struct k_itimer *timer)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	struct ckpt_rec_task_timer rec = {};

	spin_lock_irq(&timer->it_lock);
	describe(timer, &rec);
	spin_unlock_irq(&timer->it_lock);
	if (is_cpu_timer(timer))
		rec.cpu_pid = pid_nr_ns(timer->it.cpu.pid, ns);
	if (timer->it_sigev_notify & SIGEV_THREAD_ID)
		rec.notify_pid = pid_nr_ns(timer->it_pid, ns);
	return ckpt_write(ctx, CKPT_REC_TASK_TIMER, &rec, sizeof(rec));
}

static int timers_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct k_itimer *timer;
	int err = 0;

	hlist_for_each_entry(timer, &task->signal->posix_timers, list) {
		err = timer_checkpoint(ctx, timer);
		if (err)
			break;
	}
	return err;
}

/* The clocks of timer_create(2), as the kernel notes them of a timer. */
static bool clock_valid(const struct ckpt_rec_task_timer *rec)
{
	pid_t pid;

	switch (rec->clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		return !rec->cpu_pid;
	}
	if (rec->clock >= 0 || CPUCLOCK_WHICH(rec->clock) >= CPUCLOCK_MAX)
		return false;
	/* 0 stands for who has created it. */
	pid = CPUCLOCK_PID(rec->clock);
	return rec->cpu_pid > 0 && rec->cpu_pid <= PID_MAX_LIMIT && (!pid || pid == rec->cpu_pid);
}

static bool timer_valid(const struct ckpt_rec_task_timer *rec)
{
	return rec->id >= 0 && !(rec->flags & ~CKPT_TIMERF_ALL) && !rec->pad && clock_valid(rec) &&
	       rec->expires <= KTIME_MAX && rec->interval <= KTIME_MAX &&
	       rec->overrun >= 0 && rec->overrun_last >= -1 &&
	       (rec->notify == SIGEV_NONE || valid_signal(rec->signo)) &&
	       (!(rec->flags & CKPT_TIMERF_PENDING) || rec->notify != SIGEV_NONE) &&
	       (!(rec->flags & CKPT_TIMERF_TIME_OF_DAY) || rec->clock == CLOCK_REALTIME);
}

static int timer_create_as(const struct ckpt_rec_task_timer *rec)
{
	clockid_t clock = rec->clock;
	struct sigevent event = {
		.sigev_notify = rec->notify,
		.sigev_signo = rec->signo,
		.sigev_value.sival_ptr = (void __user *)(unsigned long)rec->value,
		.sigev_notify_thread_id = rec->notify_pid,
	};

	if (rec->cpu_pid && CPUCLOCK_PERTHREAD(clock))
		clock = make_thread_cpuclock(rec->cpu_pid, CPUCLOCK_WHICH(clock));
	else if (rec->cpu_pid)
		clock = make_process_cpuclock(rec->cpu_pid, CPUCLOCK_WHICH(clock));
	return posix_timer_create_id(clock, &event, rec->id);
}

/* sparse wants to see that the lock is taken. */
#define lock_timer(id, flags)							\
({										\
	struct k_itimer *__timer;						\
										\
	__cond_lock(&__timer->it_lock, __timer = posix_timer_lock(id, flags));	\
	__timer;								\
})

/* By its number, which the pid in that of a CPU clock need not be a part of. */
static int timer_create(const struct ckpt_rec_task_timer *rec)
{
	struct k_itimer *timer;
	unsigned long flags;
	int err;

	err = timer_create_as(rec);
	if (err)
		return err;
	timer = lock_timer(rec->id, &flags);
	if (!timer)
		return -ESRCH;
	timer->it_clock = rec->clock;
	spin_unlock_irqrestore(&timer->it_lock, flags);
	return 0;
}

static bool timer_exists(timer_t id)
{
	unsigned long flags;
	struct k_itimer *timer = lock_timer(id, &flags);

	if (timer)
		spin_unlock_irqrestore(&timer->it_lock, flags);
	return timer;
}

static void queue_signal(struct k_itimer *timer, int si_private, int overrun)
{
	bool thread = timer->it_sigev_notify & SIGEV_THREAD_ID;

	timer->sigq->info.si_sys_private = si_private;
	send_sigqueue(timer->sigq, timer->it_pid, thread ? PIDTYPE_PID : PIDTYPE_TGID);
	timer->sigq->info.si_overrun = overrun;
}

/* What timer_start() needs to know */
struct timer_late {
	struct ckpt_rec_task_timer rec;
	const struct ckpt_shift *shift;
};

/*
 * What timer_settime(2) is to be told. A time of a clock that a time namespace
 * could set is given as what is left until then.
 */
static ktime_t time_to_set(const struct timer_late *late)
{
	ktime_t expires = ns_to_ktime(late->rec.expires), left;

	if (!expires || late->rec.cpu_pid || late->rec.flags & CKPT_TIMERF_TIME_OF_DAY)
		return expires;
	if (late->rec.clock == CLOCK_BOOTTIME)
		left = ckpt_shifted(expires, late->shift->boottime) - ktime_get_boottime();
	else
		left = ckpt_shifted(expires, late->shift->monotonic) - ktime_get();
	return max_t(ktime_t, left, 1);
}

/* As posix_timer_queue_signal() leaves a timer that posixtimer_rearm() will start. */
static void wait_for_signal(struct k_itimer *timer, const struct timer_late *late)
{
	timer->it_requeue_pending |= REQUEUE_PENDING;
	timer->it_overrun = late->rec.overrun;
	timer->kclock->timer_arm(timer, time_to_set(late),
				 late->rec.flags & CKPT_TIMERF_TIME_OF_DAY, true);
	queue_signal(timer, timer->it_requeue_pending, 0);
}

static void timer_set(const struct timer_late *late)
{
	int flags = late->rec.flags & CKPT_TIMERF_TIME_OF_DAY ? TIMER_ABSTIME : 0;
	struct itimerspec64 setting = {
		.it_interval = ns_to_timespec64(late->rec.interval),
		.it_value = ns_to_timespec64(time_to_set(late)),
	};

	do_timer_settime(late->rec.id, flags, &setting, NULL);
}

/* Found as the system calls find it: nothing else keeps it from being deleted. */
static void timer_start(void *data)
{
	const struct timer_late *late = data;
	const struct ckpt_rec_task_timer *rec = &late->rec;
	bool waits = rec->flags & CKPT_TIMERF_PENDING && rec->interval && !rec->cpu_pid;
	struct k_itimer *timer;
	unsigned long flags;

	if (rec->expires && !waits)
		timer_set(late);
	timer = lock_timer(rec->id, &flags);
	if (!timer)
		return;
	timer->it_overrun_last = rec->overrun_last;
	timer->it_interval = ns_to_ktime(rec->interval);
	if (waits && timer->kclock->timer_arm && !timer->it_active)
		wait_for_signal(timer, late);
	else if (rec->flags & CKPT_TIMERF_PENDING)
		queue_signal(timer, 0, rec->overrun);
	spin_unlock_irqrestore(&timer->it_lock, flags);
}

static int timers_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct timer_late late = { .shift = ckpt_shift(ctx) };
	struct ckpt_rec_task_timer *rec = &late.rec;
	int err;

	err = ckpt_rec_copy(in, rec, sizeof(*rec));
	if (err)
		return err;
	if (!timer_valid(rec) || timer_exists(rec->id))
		return ckpt_err(ctx, -EINVAL, "%s: bad POSIX timer %d", ckpt_whom(ctx), rec->id);
	rec->overrun = min(rec->overrun, INT_MAX);
	rec->overrun_last = min(rec->overrun_last, INT_MAX);
	err = timer_create(rec);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot create POSIX timer %d", ckpt_whom(ctx),
				rec->id);
	return ckpt_task_defer(ctx, timer_start, &late, sizeof(late));
}

static const struct ckpt_task_ops timers_ops = {
	.name = "POSIX timers",
	.rec_type = CKPT_REC_TASK_TIMER,
	.leader_only = true,
	.collect = timers_collect,
	.checkpoint = timers_checkpoint,
	.restore = timers_restore,
};

static int __init timers_init(void)
{
	return ckpt_register_task_ops(&timers_ops);
}
device_initcall(timers_init);

#endif /* CONFIG_POSIX_TIMERS */
