// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of system calls that restart_syscall(2) continues, or that
 * begin again and end as if they had not.
 *
 * What is left of a timeout counts from the moment of the restart. Times of
 * clocks that a restart does not set back, such as CLOCK_REALTIME, stay as
 * they are.
 */
#include <linux/checkpoint_hooks.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/restart_block.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "../futex/futex.h"
#include "parts.h"

/* Will the task call restart_syscall(2)? It may be about to. */
static bool restart_is_live(struct task_struct *task)
{
	struct pt_regs *regs = task_pt_regs(task);
	long ax = syscall_get_return_value(task, regs);

	return ax == -ERESTART_RESTARTBLOCK || ax == __NR_restart_syscall;
}

static bool clock_is_relative(clockid_t clockid)
{
	return clockid == CLOCK_MONOTONIC || clockid == CLOCK_BOOTTIME;
}

static bool clock_is_known(clockid_t clockid)
{
	return clock_is_relative(clockid) || clockid == CLOCK_REALTIME || clockid == CLOCK_TAI;
}

/* @mono on the scale of @clockid, one of the relative clocks. */
static ktime_t clock_at(ktime_t mono, clockid_t clockid)
{
	if (clockid == CLOCK_BOOTTIME)
		return ktime_mono_to_any(mono, TK_OFFS_BOOT);
	return mono;
}

static void time_save(struct ckpt_ctx *ctx, struct ckpt_rec_task_restart *rec, ktime_t expires)
{
	rec->flags |= CKPT_RESTARTF_TIMEOUT;
	if (!clock_is_relative(rec->clockid)) {
		rec->flags |= CKPT_RESTARTF_ABSOLUTE;
		rec->time_ns = expires;
		return;
	}
	rec->time_ns = ktime_sub(expires, clock_at(ckpt_now_ns(ctx), rec->clockid));
}

static ktime_t time_restore(const struct ckpt_rec_task_restart *rec)
{
	if (rec->flags & CKPT_RESTARTF_ABSOLUTE)
		return rec->time_ns;
	return ktime_add_safe(clock_at(ktime_get(), rec->clockid), max(rec->time_ns, 0LL));
}

static int restart_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct restart_block *rb = &task->restart_block;

	if (!restart_is_live(task))
		return 0;
	if (rb->fn == hrtimer_nanosleep_restart &&
	    (rb->nanosleep.type == TT_COMPAT || !clock_is_known(rb->nanosleep.clockid)))
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: sleeps on clock %d", ckpt_whom(ctx),
				   rb->nanosleep.clockid);
	if (rb->fn != hrtimer_nanosleep_restart && rb->fn != do_restart_poll &&
	    rb->fn != futex_wait_restart && rb->fn != do_no_restart_syscall &&
	    rb->fn != ckpt_deadline_kept)
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: sleeps on a CPU-time or alarm clock",
				   ckpt_whom(ctx));
	return 0;
}

static void save_nanosleep(struct ckpt_ctx *ctx, struct ckpt_rec_task_restart *rec,
			   const struct restart_block *rb)
{
	rec->kind = CKPT_RESTART_NANOSLEEP;
	rec->clockid = rb->nanosleep.clockid;
	if (rb->nanosleep.type == TT_NATIVE) {
		rec->flags |= CKPT_RESTARTF_RMTP;
		rec->addr = (unsigned long)rb->nanosleep.rmtp;
	}
	time_save(ctx, rec, rb->nanosleep.expires);
}

static void save_poll(struct ckpt_ctx *ctx, struct ckpt_rec_task_restart *rec,
		      const struct restart_block *rb)
{
	rec->kind = CKPT_RESTART_POLL;
	rec->clockid = CLOCK_MONOTONIC;
	rec->addr = (unsigned long)rb->poll.ufds;
	rec->nfds = rb->poll.nfds;
	if (rb->poll.has_timeout)
		time_save(ctx, rec, ktime_set(rb->poll.tv_sec, rb->poll.tv_nsec));
}

static void save_futex(struct ckpt_ctx *ctx, struct ckpt_rec_task_restart *rec,
		       const struct restart_block *rb)
{
	rec->kind = CKPT_RESTART_FUTEX_WAIT;
	rec->clockid = rb->futex.flags & FLAGS_CLOCKRT ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	rec->addr = (unsigned long)rb->futex.uaddr;
	rec->futex_val = rb->futex.val;
	rec->futex_bitset = rb->futex.bitset;
	if (rb->futex.flags & FLAGS_SHARED)
		rec->flags |= CKPT_RESTARTF_SHARED;
	if (rb->futex.flags & FLAGS_HAS_TIMEOUT)
		time_save(ctx, rec, rb->futex.time);
}

static int write_deadline(struct ckpt_ctx *ctx, ktime_t expires, unsigned long sp)
{
	struct ckpt_rec_task_restart rec = {
		.kind = CKPT_RESTART_DEADLINE,
		.clockid = CLOCK_MONOTONIC,
		.addr = sp,
	};

	time_save(ctx, &rec, expires);
	return ckpt_write(ctx, CKPT_REC_TASK_RESTART, &rec, sizeof(rec));
}

static int restart_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct restart_block *rb = &task->restart_block;
	struct ckpt_rec_task_restart rec = {};
	unsigned long sp;
	ktime_t expires;

	sp = ckpt_get_deadline(task, &expires);
	if (sp)
		return write_deadline(ctx, expires, sp);
	/* A block that was used up stays behind until the next one. */
	if (!restart_is_live(task))
		return 0;
	if (rb->fn == hrtimer_nanosleep_restart)
		save_nanosleep(ctx, &rec, rb);
	else if (rb->fn == do_restart_poll)
		save_poll(ctx, &rec, rb);
	else if (rb->fn == futex_wait_restart)
		save_futex(ctx, &rec, rb);
	else
		return 0;
	return ckpt_write(ctx, CKPT_REC_TASK_RESTART, &rec, sizeof(rec));
}

static void restore_nanosleep(struct restart_block *rb, const struct ckpt_rec_task_restart *rec)
{
	rb->nanosleep.clockid = rec->clockid;
	rb->nanosleep.type = rec->flags & CKPT_RESTARTF_RMTP ? TT_NATIVE : TT_NONE;
	rb->nanosleep.rmtp = (struct __kernel_timespec __user *)rec->addr;
	rb->nanosleep.expires = time_restore(rec);
	rb->fn = hrtimer_nanosleep_restart;
}

static void restore_poll(struct restart_block *rb, const struct ckpt_rec_task_restart *rec)
{
	struct timespec64 end;

	rb->poll.ufds = (struct pollfd __user *)rec->addr;
	rb->poll.nfds = rec->nfds;
	rb->poll.has_timeout = !!(rec->flags & CKPT_RESTARTF_TIMEOUT);
	if (rb->poll.has_timeout) {
		end = ktime_to_timespec64(time_restore(rec));
		rb->poll.tv_sec = end.tv_sec;
		rb->poll.tv_nsec = end.tv_nsec;
	}
	rb->fn = do_restart_poll;
}

static void restore_futex(struct restart_block *rb, const struct ckpt_rec_task_restart *rec)
{
	rb->futex.uaddr = (u32 __user *)rec->addr;
	rb->futex.val = rec->futex_val;
	rb->futex.bitset = rec->futex_bitset;
	rb->futex.flags = FLAGS_SIZE_32;
	if (rec->flags & CKPT_RESTARTF_SHARED)
		rb->futex.flags |= FLAGS_SHARED;
	if (rec->clockid == CLOCK_REALTIME)
		rb->futex.flags |= FLAGS_CLOCKRT;
	if (rec->flags & CKPT_RESTARTF_TIMEOUT) {
		rb->futex.flags |= FLAGS_HAS_TIMEOUT;
		rb->futex.time = time_restore(rec);
	}
	rb->fn = futex_wait_restart;
}

/* Late, because time passes until the tree is complete. */
static void restart_restore_late(void *data)
{
	const struct ckpt_rec_task_restart *rec = data;
	struct restart_block *rb = &current->restart_block;

	rb->arch_data = 0;
	switch (rec->kind) {
	case CKPT_RESTART_NANOSLEEP:
		restore_nanosleep(rb, rec);
		break;
	case CKPT_RESTART_POLL:
		restore_poll(rb, rec);
		break;
	case CKPT_RESTART_FUTEX_WAIT:
		restore_futex(rb, rec);
		break;
	case CKPT_RESTART_DEADLINE:
		ckpt_set_deadline(time_restore(rec), rec->addr);
		break;
	}
}

static bool restart_valid(const struct ckpt_rec_task_restart *rec)
{
	const u32 common = CKPT_RESTARTF_TIMEOUT | CKPT_RESTARTF_ABSOLUTE;

	if (!clock_is_known(rec->clockid) ||
	    !!(rec->flags & CKPT_RESTARTF_ABSOLUTE) !=
	    (rec->flags & CKPT_RESTARTF_TIMEOUT && !clock_is_relative(rec->clockid)))
		return false;
	switch (rec->kind) {
	case CKPT_RESTART_NANOSLEEP:
		return rec->flags & CKPT_RESTARTF_TIMEOUT &&
		       !(rec->flags & ~(common | CKPT_RESTARTF_RMTP));
	case CKPT_RESTART_POLL:
		return rec->clockid == CLOCK_MONOTONIC &&
		       !(rec->flags & ~CKPT_RESTARTF_TIMEOUT);
	case CKPT_RESTART_FUTEX_WAIT:
		return (rec->clockid == CLOCK_MONOTONIC || rec->clockid == CLOCK_REALTIME) &&
		       !(rec->flags & ~(common | CKPT_RESTARTF_SHARED));
	case CKPT_RESTART_DEADLINE:
		return rec->clockid == CLOCK_MONOTONIC && rec->flags == CKPT_RESTARTF_TIMEOUT;
	}
	return false;
}

static int restart_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_restart rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (!restart_valid(&rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad system call to continue, kind %u",
				ckpt_whom(ctx), rec.kind);
	return ckpt_task_defer(ctx, restart_restore_late, &rec, sizeof(rec));
}

static const struct ckpt_task_ops restart_ops = {
	.name = "interrupted system call",
	.rec_type = CKPT_REC_TASK_RESTART,
	.collect = restart_collect,
	.checkpoint = restart_checkpoint,
	.restore = restart_restore,
};

static int __init restart_init(void)
{
	return ckpt_register_task_ops(&restart_ops);
}
device_initcall(restart_init);
