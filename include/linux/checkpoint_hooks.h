/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoint/restart: what the signal path calls in a task that is being
 * frozen. Nothing to be seen if no checkpoint concerns it.
 */
#ifndef _LINUX_CHECKPOINT_HOOKS_H
#define _LINUX_CHECKPOINT_HOOKS_H

#include <linux/sched.h>
#include <linux/sched/jobctl.h>

#ifdef CONFIG_CHECKPOINT

void __ckpt_park(void);
void __ckpt_resume_call(void);
void __ckpt_die(void);

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

/* Current is about to die of a signal; no locks are held. */
static inline void ckpt_die(void)
{
	if (unlikely(current->jobctl & JOBCTL_CKPT_PINNED))
		__ckpt_die();
}

#else

static inline void ckpt_park(void)
{
	schedule();
}

static inline void ckpt_resume_call(void)
{
}

static inline void ckpt_die(void)
{
}

#endif

#endif /* _LINUX_CHECKPOINT_HOOKS_H */
