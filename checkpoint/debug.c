// SPDX-License-Identifier: GPL-2.0
/*
 * Pause points: a test stops a checkpoint between two passes, changes what the
 * tree shares, and lets it go on.
 */
#include <linux/init.h>
#include <linux/sched/signal.h>
#include <linux/sysctl.h>
#include <linux/wait.h>

#include "internal.h"

static unsigned int ckpt_pause_mask;
static unsigned int ckpt_paused_at;
static DECLARE_WAIT_QUEUE_HEAD(ckpt_pause_wait);

/**
 * ckpt_pause() - Wait here if a test wants that
 * @where: the point
 *
 * Context: May sleep, until the test clears @where from the mask or current is
 * killed.
 */
void ckpt_pause(enum ckpt_pause where)
{
	if (!(READ_ONCE(ckpt_pause_mask) & where))
		return;
	WRITE_ONCE(ckpt_paused_at, where);
	wait_event_killable(ckpt_pause_wait, !(READ_ONCE(ckpt_pause_mask) & where));
	WRITE_ONCE(ckpt_paused_at, 0);
}

static int ckpt_pause_handler(const struct ctl_table *table, int write, void *buffer,
			      size_t *lenp, loff_t *ppos)
{
	int err = proc_douintvec_minmax(table, write, buffer, lenp, ppos);

	if (write && !err)
		wake_up_all(&ckpt_pause_wait);
	return err;
}

static const unsigned int ckpt_pause_max = CKPT_PAUSE_CONTAINED | CKPT_PAUSE_WRITTEN |
					   CKPT_PAUSE_COMPLETE;

static struct ctl_table ckpt_debug_table[] = {
	{
		.procname	= "checkpoint_pause",
		.data		= &ckpt_pause_mask,
		.maxlen		= sizeof(ckpt_pause_mask),
		.mode		= 0600,
		.proc_handler	= ckpt_pause_handler,
		.extra1		= SYSCTL_ZERO,
		.extra2		= (void *)&ckpt_pause_max,
	},
	{
		.procname	= "checkpoint_paused",
		.data		= &ckpt_paused_at,
		.maxlen		= sizeof(ckpt_paused_at),
		.mode		= 0400,
		.proc_handler	= proc_douintvec,
	},
};

static int __init ckpt_debug_init(void)
{
	register_sysctl_init("debug", ckpt_debug_table);
	return 0;
}
fs_initcall(ckpt_debug_init);
