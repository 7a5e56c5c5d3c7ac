/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoint/restart: what the signal path, seccomp, and calls with a timeout
 * call in a task that is being frozen. Nothing to be seen if no checkpoint
 * concerns it.
 */
#ifndef _LINUX_CHECKPOINT_HOOKS_H
#define _LINUX_CHECKPOINT_HOOKS_H

#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/jobctl.h>

#ifdef CONFIG_CHECKPOINT

void __ckpt_park(void);
void __ckpt_resume_call(void);
void __ckpt_die(void);
bool __ckpt_continues_call(int nr);
ktime_t __ckpt_deadline(ktime_t expires);
long ckpt_deadline_kept(struct restart_block *rb);
void __ckpt_keep_rest(struct file *file, u32 done);
long ckpt_rest_kept(struct restart_block *rb);

/*
 * When an interrupted call that begins again is to end, its stack pointer, and
 * whether the task is about to make it.
 */
unsigned long ckpt_get_deadline(struct task_struct *task, ktime_t *expires, bool *again);
void ckpt_set_deadline(ktime_t expires, unsigned long sp, bool again);

/* What is left of a write that was interrupted. */
bool ckpt_has_rest(struct task_struct *task);
void ckpt_set_rest(u32 fd, unsigned long buf, u32 count, u32 done, unsigned long sp);

/* schedule() in the freezer trap. */
static inline void ckpt_park(void)
{
	if (unlikely(current->jobctl & JOBCTL_TRAP_CKPT))
		__ckpt_park();
	else
		schedule();
}

/* Current goes back to user mode with no signal to handle; siglock is held. */
static inline void ckpt_resume_call(void)
{
	if (unlikely(current->jobctl & JOBCTL_CKPT_WOKEN))
		__ckpt_resume_call();
}

/* Is @nr the restart_syscall(2) that current makes because it was frozen? */
static inline bool ckpt_continues_call(int nr)
{
	return unlikely(current->jobctl & JOBCTL_CKPT_WOKEN) && __ckpt_continues_call(nr);
}

/* Current is about to die of a signal; no locks are held. */
static inline void ckpt_die(void)
{
	if (unlikely(current->jobctl & JOBCTL_CKPT_PINNED))
		__ckpt_die();
}

/*
 * Current is about to return -EINTR from a call that would have ended at @expires.
 * Whatever interrupted it: a task that stops now may be frozen later.
 */
void ckpt_keep_deadline(ktime_t expires);

/* The call ends at @expires; or earlier, if it was interrupted and begins again. */
static inline ktime_t ckpt_deadline(ktime_t expires)
{
	if (unlikely(current->restart_block.fn == ckpt_deadline_kept))
		return __ckpt_deadline(expires);
	return expires;
}

/* Current is about to return from a write that was interrupted after @done bytes. */
static inline void ckpt_keep_rest(struct file *file, u32 done)
{
	if (unlikely(READ_ONCE(current->jobctl) & JOBCTL_CKPT_WOKEN))
		__ckpt_keep_rest(file, done);
}

#else

static inline void ckpt_park(void)
{
	schedule();
}

static inline void ckpt_resume_call(void)
{
}

static inline bool ckpt_continues_call(int nr)
{
	return false;
}

static inline void ckpt_die(void)
{
}

static inline void ckpt_keep_deadline(ktime_t expires)
{
}

static inline ktime_t ckpt_deadline(ktime_t expires)
{
	return expires;
}

static inline void ckpt_keep_rest(struct file *file, u32 done)
{
}

#endif

#endif /* _LINUX_CHECKPOINT_HOOKS_H */
