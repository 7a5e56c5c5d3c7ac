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

/* One that sends no signal never counts as active. */
static bool is_set(const struct k_itimer *timer)
{
	return timer->it_active || is_waiting(timer) || timer->it_sigev_notify == SIGEV_NONE;
}

/* TIMER_ABSTIME of CLOCK_REALTIME; others count the same monotonic time. */
static bool is_for_time_of_day(const struct k_itimer *timer)
{
	return timer->it_clock == CLOCK_REALTIME && is_set(timer) &&
	       timer->it.real.timer.base->clockid == CLOCK_REALTIME;
}

/* Where the signal of @timer is queued. The siglock of @process and RCU are held. */
static struct list_head *queue_of(const struct k_itimer *timer, struct task_struct *process)
{
	struct task_struct *thread;

	if (!(timer->it_sigev_notify & SIGEV_THREAD_ID))
		return &process->signal->shared_pending.list;
	thread = pid_task(timer->it_pid, PIDTYPE_PID);
	return thread ? &thread->pending.list : NULL;
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

/* Others may come behind it meanwhile, but none before it. */
static u32 turn_of(const struct k_itimer *timer, struct task_struct *process)
{
	const struct list_head *queue, *pos;
	u32 turn = 0;

	spin_lock(&ckpt_sighand(process)->siglock);
	rcu_read_lock();
	queue = queue_of(timer, process);
	if (queue) {
		list_for_each(pos, queue) {
			if (pos == &timer->sigq->list || turn == CKPT_MAX_TIMER_TURN)
				break;
			turn++;
		}
	}
	rcu_read_unlock();
	spin_unlock(&ckpt_sighand(process)->siglock);
	return turn;
}

/* The signal is queued. timer_get() has counted the expiries since, and that one. */
static void describe_signal(const struct k_itimer *timer, struct task_struct *process,
			    struct ckpt_rec_task_timer *rec)
{
	s64 overrun = clamp_t(s64, timer->it_overrun, 0, INT_MAX) + timer->sigq->info.si_overrun;

	rec->flags |= CKPT_TIMERF_PENDING;
	rec->overrun = clamp_t(s64, overrun, 0, INT_MAX);
	rec->turn = turn_of(timer, process);
}

/* @timer is locked: it expires before all this, or after. */
static void describe(struct k_itimer *timer, struct task_struct *process,
		     struct ckpt_rec_task_timer *rec)
{
	struct itimerspec64 left = {};

	rec->id = timer->it_id;
	rec->clock = timer->it_clock;
	rec->notify = timer->it_sigev_notify;
	rec->signo = timer->sigq->info.si_signo;
	rec->value = (unsigned long)timer->sigq->info.si_value.sival_ptr;

	timer->kclock->timer_get(timer, &left);
	rec->expires = expires_of(timer, &left);
	rec->interval = ktime_to_ns(timer->it_interval);
	if (rec->expires && is_for_time_of_day(timer))
		rec->flags |= CKPT_TIMERF_TIME_OF_DAY;
	rec->overrun_last = min_t(s64, timer->it_overrun_last, INT_MAX);
	if (!list_empty(&timer->sigq->list))
		describe_signal(timer, process, rec);
}

static int timer_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task,
			    struct k_itimer *timer)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	struct ckpt_rec_task_timer rec = {};

	spin_lock_irq(&timer->it_lock);
	describe(timer, task, &rec);
	spin_unlock_irq(&timer->it_lock);
	if (is_cpu_timer(timer))
		rec.cpu_pid = pid_nr_ns(timer->it.cpu.pid, ns);
	if (timer->it_sigev_notify & SIGEV_THREAD_ID)
		rec.notify_pid = pid_nr_ns(timer->it_pid, ns);
	return ckpt_write(ctx, CKPT_REC_TASK_TIMER, &rec, sizeof(rec));
}

static struct hlist_node *last_of(const struct hlist_head *list)
{
	struct hlist_node *last = list->first;

	while (last && last->next)
		last = last->next;
	return last;
}

/* The oldest timer first: each goes to the head of the list when it is created. */
static int timers_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct hlist_head *list = &task->signal->posix_timers;
	struct hlist_node *node = last_of(list);
	int err = 0;

	while (node && !err) {
		err = timer_checkpoint(ctx, task, hlist_entry(node, struct k_itimer, list));
		node = node == list->first ? NULL :
		       container_of(node->pprev, struct hlist_node, next);
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
	return rec->id >= 0 && !(rec->flags & ~CKPT_TIMERF_ALL) && clock_valid(rec) &&
	       rec->expires <= KTIME_MAX && rec->interval <= KTIME_MAX &&
	       rec->overrun >= 0 && rec->overrun_last >= -1 &&
	       (rec->notify == SIGEV_NONE || valid_signal(rec->signo)) &&
	       (rec->flags & CKPT_TIMERF_PENDING ?
		rec->notify != SIGEV_NONE && rec->turn <= CKPT_MAX_TIMER_TURN : !rec->turn) &&
	       (!(rec->flags & CKPT_TIMERF_TIME_OF_DAY) || rec->clock == CLOCK_REALTIME);
}

/* The clock, by which task it is of now. */
static clockid_t clock_of(const struct ckpt_rec_task_timer *rec)
{
	if (!rec->cpu_pid)
		return rec->clock;
	if (CPUCLOCK_PERTHREAD(rec->clock))
		return make_thread_cpuclock(rec->cpu_pid, CPUCLOCK_WHICH(rec->clock));
	return make_process_cpuclock(rec->cpu_pid, CPUCLOCK_WHICH(rec->clock));
}

static int timer_create_as(const struct ckpt_rec_task_timer *rec)
{
	struct sigevent event = {
		.sigev_notify = rec->notify,
		.sigev_signo = rec->signo,
		.sigev_value.sival_ptr = (void __user *)(unsigned long)rec->value,
		.sigev_notify_thread_id = rec->notify_pid,
	};

	return posix_timer_create_id(clock_of(rec), &event, rec->id);
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

/*
 * What the kernel knows the signal of an expiry by, which programs do not see.
 * Timers count from 0: beyond that are those which were pending, by their turns,
 * with the bit that a timer has which waits for its signal to be taken.
 */
#define FIRST_PENDING	(1 << 29)

static int private_of(const struct ckpt_rec_task_timer *rec)
{
	BUILD_BUG_ON(2 * CKPT_MAX_TIMER_TURN >= FIRST_PENDING);
	return FIRST_PENDING + 2 * rec->turn + REQUEUE_PENDING;
}

/* A timer may have gone off before the signal of another that went off earlier is queued. */
static bool comes_after(const struct sigqueue *q, int private)
{
	int other = q->info.si_sys_private;

	return q->flags & SIGQUEUE_PREALLOC && (other < FIRST_PENDING || other > private);
}

/* The siglock and RCU are held. */
static void take_turn(struct k_itimer *timer)
{
	struct list_head *queue = queue_of(timer, current);
	struct sigqueue *sigq = timer->sigq, *q;

	if (!queue || list_empty(&sigq->list))
		return;
	list_for_each_entry(q, queue, list) {
		if (q != sigq && comes_after(q, sigq->info.si_sys_private)) {
			list_move_tail(&sigq->list, &q->list);
			return;
		}
	}
}

static void queue_signal(struct k_itimer *timer, const struct ckpt_rec_task_timer *rec,
			 int overrun)
{
	bool thread = timer->it_sigev_notify & SIGEV_THREAD_ID;

	timer->sigq->info.si_sys_private = private_of(rec);
	send_sigqueue(timer->sigq, timer->it_pid, thread ? PIDTYPE_PID : PIDTYPE_TGID);
	spin_lock(&ckpt_sighand(current)->siglock);
	rcu_read_lock();
	timer->sigq->info.si_overrun = overrun;
	take_turn(timer);
	rcu_read_unlock();
	spin_unlock(&ckpt_sighand(current)->siglock);
}

/* What timer_start() needs to know */
struct timer_late {
	struct ckpt_rec_task_timer rec;
	const struct ckpt_shift *shift;
};

/* When it goes off, by the clock of the machine. It may have to already. */
static ktime_t time_of(const struct timer_late *late)
{
	ktime_t expires = ns_to_ktime(late->rec.expires);

	if (late->rec.flags & CKPT_TIMERF_TIME_OF_DAY)
		return expires;
	if (late->rec.clock == CLOCK_BOOTTIME)
		expires = ckpt_shifted(expires, late->shift->boottime);
	else
		expires = ckpt_shifted(expires, late->shift->monotonic);
	return max_t(ktime_t, expires, 1);
}

/* timer_arm() only says which clock counts: told how long from now, intervals would slip. */
static void real_set(struct k_itimer *timer, const struct timer_late *late, bool start)
{
	struct hrtimer *hrtimer = &timer->it.real.timer;

	timer->kclock->timer_arm(timer, 0, late->rec.flags & CKPT_TIMERF_TIME_OF_DAY, true);
	hrtimer_set_expires(hrtimer, time_of(late));
	timer->it_active = start;
	if (start)
		hrtimer_start_expires(hrtimer, HRTIMER_MODE_ABS);
}

static void cpu_start(const struct ckpt_rec_task_timer *rec)
{
	struct itimerspec64 setting = {
		.it_interval = ns_to_timespec64(rec->interval),
		.it_value = ns_to_timespec64(rec->expires),
	};

	do_timer_settime(rec->id, 0, &setting, NULL);
}

/* Not started, but to go on from there. */
static void cpu_set(struct k_itimer *timer, const struct ckpt_rec_task_timer *rec)
{
	struct timespec64 now = {};

	clock_posix_cpu.clock_get_timespec(clock_of(rec), &now);
	cpu_timer_setexpires(&timer->it.cpu, timespec64_to_ns(&now) + rec->expires);
}

/* As posix_timer_queue_signal() leaves a timer that posixtimer_rearm() will start. */
static void wait_for_signal(struct k_itimer *timer, const struct timer_late *late)
{
	if (late->rec.cpu_pid)
		cpu_set(timer, &late->rec);
	else
		real_set(timer, late, false);
	timer->it_requeue_pending = private_of(&late->rec);
	timer->it_overrun = late->rec.overrun;
	queue_signal(timer, &late->rec, 0);
}

/* @timer is locked. */
static void timer_go_on(struct k_itimer *timer, const struct timer_late *late, bool waits)
{
	const struct ckpt_rec_task_timer *rec = &late->rec;

	if (waits && !timer->it_active) {
		wait_for_signal(timer, late);
		return;
	}
	if (rec->expires && !rec->cpu_pid && !timer->it_active)
		real_set(timer, late, rec->notify != SIGEV_NONE);
	if (rec->flags & CKPT_TIMERF_PENDING)
		queue_signal(timer, rec, rec->overrun);
}

/* Found as the system calls find it: nothing else keeps it from being deleted. */
static void timer_start(void *data)
{
	const struct timer_late *late = data;
	const struct ckpt_rec_task_timer *rec = &late->rec;
	bool waits = rec->flags & CKPT_TIMERF_PENDING && rec->interval && rec->expires;
	struct k_itimer *timer;
	unsigned long flags;

	if (rec->cpu_pid && rec->expires && !waits)
		cpu_start(rec);
	timer = lock_timer(rec->id, &flags);
	if (!timer)
		return;
	timer->it_overrun_last = rec->overrun_last;
	timer->it_interval = ns_to_ktime(rec->interval);
	timer_go_on(timer, late, waits);
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
	.repeats = true,
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
