// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of system calls that restart_syscall(2) continues, or that
 * begin again and end as if they had not.
 *
 * They end when they would have by the clocks of the tree, which stand still
 * until the restart. Times of clocks that go on, such as CLOCK_REALTIME, stay
 * as they are.
 *
 * A program that has said until when it sleeps compares that time with a clock:
 * it needs a time namespace where the clock goes on from where it was.
 */
#include <linux/checkpoint_hooks.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/restart_block.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <uapi/linux/audit.h>
#include <uapi/linux/checkpoint.h>
#include <asm/checkpoint.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "../futex/futex.h"
#include "parts.h"

/* Will the task call restart_syscall(2)? It may be about to. */
static bool restart_is_live(struct task_struct *task)
{
	struct pt_regs *regs = task_pt_regs(task);
	long ax = syscall_get_return_value(task, regs);

	return ax == -ERESTART_RESTARTBLOCK || ax == __NR_restart_syscall ||
	       ckpt_ia32_calls_restart(task);
}

/* Does it stand still between checkpoint and restart? */
static bool clock_stands_still(clockid_t clockid)
{
	return clockid == CLOCK_MONOTONIC || clockid == CLOCK_BOOTTIME;
}

static bool clock_is_known(clockid_t clockid)
{
	return clock_stands_still(clockid) || clockid == CLOCK_REALTIME;
}

static const char *clock_name(clockid_t clockid)
{
	return clockid == CLOCK_BOOTTIME ? "CLOCK_BOOTTIME" : "CLOCK_MONOTONIC";
}

/* Does futex(2) with these arguments wait until a time of CLOCK_MONOTONIC? */
static bool is_futex_until(const unsigned long *args)
{
	int op = args[1], cmd = op & FUTEX_CMD_MASK;

	return args[3] && !(op & FUTEX_CLOCK_REALTIME) &&
	       (cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_WAIT_REQUEUE_PI ||
		cmd == FUTEX_LOCK_PI2);
}

/* The interrupted call, by the number of the 64-bit call that has the same arguments. */
static int native_nr(struct task_struct *task)
{
	int nr = syscall_get_nr(task, task_pt_regs(task));

	return syscall_get_arch(task) == AUDIT_ARCH_I386 ? ckpt_ia32_native_nr(nr) : nr;
}

/* About to make a 32-bit call, a task shows its arguments as if it were a 64-bit one. */
static bool shows_arguments(struct task_struct *task)
{
	return !(task->restart_block.arch_data & TS_COMPAT) ==
	       (syscall_get_arch(task) == AUDIT_ARCH_X86_64);
}

/*
 * The clock by which @task, whose system call @nr was interrupted, has said
 * until when it sleeps: one that stands still, or -1.
 */
static clockid_t sleeps_until(struct task_struct *task, int nr)
{
	clockid_t clockid = -1;
	unsigned long args[6];

	syscall_get_arguments(task, task_pt_regs(task), args);
	switch (nr) {
	case __NR_clock_nanosleep:
		if (args[1] & TIMER_ABSTIME)
			clockid = (int)args[0] == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : args[0];
		break;
	case __NR_futex:
		if (is_futex_until(args))
			clockid = CLOCK_MONOTONIC;
		break;
	case __NR_futex_waitv:
		if (args[3])
			clockid = args[4];
		break;
	case __NR_futex_wait:
		if (args[4])
			clockid = args[5];
		break;
	}
	return clock_stands_still(clockid) ? clockid : -1;
}

/* Will the system call of @task begin again, with the arguments that it had? */
static bool call_begins_again(struct task_struct *task)
{
	struct pt_regs *regs = task_pt_regs(task);
	int nr = syscall_get_nr(task, regs);

	if (nr < 0)
		return false;
	switch (syscall_get_return_value(task, regs)) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
		return true;
	default:
		/* It may be about to. */
		return syscall_get_return_value(task, regs) == nr;
	}
}

static void time_save(struct ckpt_rec_task_restart *rec, ktime_t expires)
{
	rec->flags |= CKPT_RESTARTF_TIMEOUT;
	rec->time_ns = expires;
}

/* What restart_restore_late() needs to know */
struct restart_late {
	struct ckpt_rec_task_restart rec;
	const struct ckpt_shift *shift;
};

static ktime_t time_restore(const struct restart_late *late)
{
	switch (late->rec.clockid) {
	case CLOCK_MONOTONIC:
		return ckpt_shifted(late->rec.time_ns, late->shift->monotonic);
	case CLOCK_BOOTTIME:
		return ckpt_shifted(late->rec.time_ns, late->shift->boottime);
	default:
		return late->rec.time_ns;
	}
}

static int restart_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct restart_block *rb = &task->restart_block;

	if (!restart_is_live(task))
		return 0;
	if (rb->fn == hrtimer_nanosleep_restart && !clock_is_known(rb->nanosleep.clockid))
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: sleeps on %s", ckpt_whom(ctx),
				   rb->nanosleep.clockid == CLOCK_TAI ? "CLOCK_TAI" :
				   "an unknown clock");
	if (rb->fn != hrtimer_nanosleep_restart && rb->fn != do_restart_poll &&
	    rb->fn != futex_wait_restart && rb->fn != do_no_restart_syscall &&
	    rb->fn != ckpt_deadline_kept && rb->fn != ckpt_rest_kept)
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: sleeps on a CPU-time or alarm clock",
				   ckpt_whom(ctx));
	return 0;
}

static void save_nanosleep(struct ckpt_rec_task_restart *rec, const struct restart_block *rb)
{
	rec->kind = CKPT_RESTART_NANOSLEEP;
	rec->clockid = rb->nanosleep.clockid;
	if (rb->nanosleep.type == TT_NATIVE) {
		rec->flags |= CKPT_RESTARTF_RMTP;
		rec->addr = (unsigned long)rb->nanosleep.rmtp;
	} else if (rb->nanosleep.type == TT_COMPAT) {
		rec->flags |= CKPT_RESTARTF_RMTP | CKPT_RESTARTF_TIME32;
		rec->addr = (unsigned long)rb->nanosleep.compat_rmtp;
	}
	time_save(rec, rb->nanosleep.expires);
}

static void save_poll(struct ckpt_rec_task_restart *rec, const struct restart_block *rb)
{
	rec->kind = CKPT_RESTART_POLL;
	rec->clockid = CLOCK_MONOTONIC;
	rec->addr = (unsigned long)rb->poll.ufds;
	rec->nfds = rb->poll.nfds;
	if (rb->poll.has_timeout)
		time_save(rec, ktime_set(rb->poll.tv_sec, rb->poll.tv_nsec));
}

static void save_futex(struct task_struct *task, struct ckpt_rec_task_restart *rec,
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
		time_save(rec, rb->futex.time);
	if (shows_arguments(task) && sleeps_until(task, __NR_futex) >= 0)
		rec->flags |= CKPT_RESTARTF_ABSOLUTE;
}

static int write_rest(struct ckpt_ctx *ctx, const struct restart_block *rb)
{
	struct ckpt_rec_task_restart rec = {
		.kind = CKPT_RESTART_WRITE,
		.clockid = CLOCK_MONOTONIC,
		.nfds = rb->futex.val,
		.addr = (unsigned long)rb->futex.uaddr,
		.futex_val = rb->futex.flags,
		.futex_bitset = rb->futex.bitset,
		.time_ns = (unsigned long)rb->futex.uaddr2,
	};

	return ckpt_write(ctx, CKPT_REC_TASK_RESTART, &rec, sizeof(rec));
}

static int write_deadline(struct ckpt_ctx *ctx, ktime_t expires, unsigned long sp, bool again)
{
	struct ckpt_rec_task_restart rec = {
		.kind = CKPT_RESTART_DEADLINE,
		.flags = again ? CKPT_RESTARTF_SET_UP : 0,
		.clockid = CLOCK_MONOTONIC,
		.addr = sp,
	};

	time_save(&rec, expires);
	return ckpt_write(ctx, CKPT_REC_TASK_RESTART, &rec, sizeof(rec));
}

static int write_again(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_restart rec = {
		.kind = CKPT_RESTART_AGAIN,
		.flags = CKPT_RESTARTF_ABSOLUTE,
		.clockid = sleeps_until(task, native_nr(task)),
	};

	if (rec.clockid < 0)
		return 0;
	return ckpt_write(ctx, CKPT_REC_TASK_RESTART, &rec, sizeof(rec));
}

static int restart_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct restart_block *rb = &task->restart_block;
	struct ckpt_rec_task_restart rec = {};
	unsigned long sp;
	ktime_t expires;
	bool again;

	sp = ckpt_get_deadline(task, &expires, &again);
	if (sp)
		return write_deadline(ctx, expires, sp, again);
	if (ckpt_has_rest(task))
		return write_rest(ctx, rb);
	/* A block that was used up stays behind until the next one. */
	if (!restart_is_live(task))
		return call_begins_again(task) ? write_again(ctx, task) : 0;
	if (rb->fn == hrtimer_nanosleep_restart)
		save_nanosleep(&rec, rb);
	else if (rb->fn == do_restart_poll)
		save_poll(&rec, rb);
	else if (rb->fn == futex_wait_restart)
		save_futex(task, &rec, rb);
	else
		return 0;
	if (rb->arch_data & TS_COMPAT)
		rec.flags |= CKPT_RESTARTF_COMPAT;
	return ckpt_write(ctx, CKPT_REC_TASK_RESTART, &rec, sizeof(rec));
}

static enum timespec_type rmtp_type(u32 flags)
{
	if (!(flags & CKPT_RESTARTF_RMTP))
		return TT_NONE;
	return flags & CKPT_RESTARTF_TIME32 ? TT_COMPAT : TT_NATIVE;
}

static void restore_nanosleep(struct restart_block *rb, const struct restart_late *late)
{
	const struct ckpt_rec_task_restart *rec = &late->rec;

	rb->nanosleep.clockid = rec->clockid;
	rb->nanosleep.type = rmtp_type(rec->flags);
	/* of either type: it is a union */
	rb->nanosleep.rmtp = (struct __kernel_timespec __user *)rec->addr;
	rb->nanosleep.expires = time_restore(late);
	rb->fn = hrtimer_nanosleep_restart;
}

static void restore_poll(struct restart_block *rb, const struct restart_late *late)
{
	const struct ckpt_rec_task_restart *rec = &late->rec;
	struct timespec64 end;

	rb->poll.ufds = (struct pollfd __user *)rec->addr;
	rb->poll.nfds = rec->nfds;
	rb->poll.has_timeout = !!(rec->flags & CKPT_RESTARTF_TIMEOUT);
	if (rb->poll.has_timeout) {
		end = ktime_to_timespec64(time_restore(late));
		rb->poll.tv_sec = end.tv_sec;
		rb->poll.tv_nsec = end.tv_nsec;
	}
	rb->fn = do_restart_poll;
}

static void restore_futex(struct restart_block *rb, const struct restart_late *late)
{
	const struct ckpt_rec_task_restart *rec = &late->rec;

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
		rb->futex.time = time_restore(late);
	}
	rb->fn = futex_wait_restart;
}

/* Late, because time passes until the tree is complete. */
static void restart_restore_late(void *data)
{
	const struct restart_late *late = data;
	struct restart_block *rb = &current->restart_block;

	rb->arch_data = late->rec.flags & CKPT_RESTARTF_COMPAT ? TS_COMPAT : 0;
	switch (late->rec.kind) {
	case CKPT_RESTART_NANOSLEEP:
		restore_nanosleep(rb, late);
		break;
	case CKPT_RESTART_POLL:
		restore_poll(rb, late);
		break;
	case CKPT_RESTART_FUTEX_WAIT:
		restore_futex(rb, late);
		break;
	case CKPT_RESTART_WRITE:
		ckpt_set_rest(late->rec.nfds, late->rec.addr, late->rec.futex_val,
			      late->rec.futex_bitset, late->rec.time_ns);
		break;
	case CKPT_RESTART_DEADLINE:
		ckpt_set_deadline(time_restore(late), late->rec.addr,
				  late->rec.flags & CKPT_RESTARTF_SET_UP);
		break;
	}
}

/* Only where old programs run does the kernel know what it is. */
static bool time32_valid(u32 flags)
{
	return !(flags & CKPT_RESTARTF_TIME32) ||
	       (IS_ENABLED(CONFIG_COMPAT_32BIT_TIME) && flags & CKPT_RESTARTF_RMTP);
}

static bool restart_valid(const struct ckpt_rec_task_restart *rec)
{
	const u32 common = CKPT_RESTARTF_TIMEOUT | CKPT_RESTARTF_COMPAT;

	if (!clock_is_known(rec->clockid) || rec->time_ns < 0)
		return false;
	switch (rec->kind) {
	case CKPT_RESTART_NANOSLEEP:
		return rec->flags & CKPT_RESTARTF_TIMEOUT && time32_valid(rec->flags) &&
		       !(rec->flags & ~(common | CKPT_RESTARTF_RMTP | CKPT_RESTARTF_TIME32));
	case CKPT_RESTART_POLL:
		return rec->clockid == CLOCK_MONOTONIC && !(rec->flags & ~common);
	case CKPT_RESTART_FUTEX_WAIT:
		return (rec->clockid == CLOCK_MONOTONIC || rec->clockid == CLOCK_REALTIME) &&
		       !(rec->flags & ~(common | CKPT_RESTARTF_ABSOLUTE |
					CKPT_RESTARTF_SHARED));
	case CKPT_RESTART_DEADLINE:
		return rec->clockid == CLOCK_MONOTONIC && rec->flags & CKPT_RESTARTF_TIMEOUT &&
		       !(rec->flags & ~(CKPT_RESTARTF_TIMEOUT | CKPT_RESTARTF_SET_UP));
	case CKPT_RESTART_WRITE:
		return rec->futex_val <= MAX_RW_COUNT && rec->futex_bitset < rec->futex_val &&
		       !rec->flags;
	case CKPT_RESTART_AGAIN:
		return clock_stands_still(rec->clockid) && rec->flags == CKPT_RESTARTF_ABSOLUTE;
	}
	return false;
}

/* Without a time namespace the program would be woken up too soon, or ages too late. */
static int check_sleeper(struct ckpt_ctx *ctx, const struct ckpt_rec_task_restart *rec)
{
	if (!(rec->flags & CKPT_RESTARTF_ABSOLUTE) || !clock_stands_still(rec->clockid) ||
	    !(ckpt_flags(ctx) & RESTART_NO_TIME_NAMESPACE))
		return 0;
	return ckpt_err(ctx, -EOPNOTSUPP, "%s: sleeps until a time of %s: needs a time namespace",
			ckpt_whom(ctx), clock_name(rec->clockid));
}

static int restart_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct restart_late late = { .shift = ckpt_shift(ctx) };
	int err;

	err = ckpt_rec_copy(in, &late.rec, sizeof(late.rec));
	if (err)
		return err;
	if (!restart_valid(&late.rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad system call to continue, kind %u",
				ckpt_whom(ctx), late.rec.kind);
	err = check_sleeper(ctx, &late.rec);
	return err ?: ckpt_task_defer(ctx, restart_restore_late, &late, sizeof(late));
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
