// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of seccomp.
 *
 * What confines the restarter confines the tree, and filters are only ever
 * added: those of the image are stacked upon those that each task inherits
 * from the restarter. So an image has the filters down to those that the
 * checkpointer has too, or, if it is in the tree, those that the tree was
 * born with.
 *
 * Filters do not change, so that it tears nothing apart if a task outside the
 * tree has one too: they are exempt from the leak check.
 */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>
#include <linux/seccomp_state.h>
#include <linux/slab.h>

#include "parts.h"

static const struct ckpt_obj_ops seccomp_filter_ops;

static void filter_grab(void *ptr)
{
	seccomp_filter_hold(ptr);
}

static void filter_drop(void *ptr)
{
	seccomp_filter_drop(ptr);
}

static struct seccomp_filter *filter_prev(struct seccomp_filter *filter)
{
	struct seccomp_filter_state state;

	seccomp_filter_get_state(filter, &state);
	return state.prev;
}

static unsigned int filter_depth(struct seccomp_filter *filter)
{
	unsigned int depth = 0;

	for (; filter; filter = filter_prev(filter))
		depth++;
	return depth;
}

/* The last filter that two chains have in common, or NULL. */
static struct seccomp_filter *filter_common(struct seccomp_filter *a, struct seccomp_filter *b)
{
	unsigned int depth_a = filter_depth(a), depth_b = filter_depth(b);

	for (; depth_a > depth_b; depth_a--)
		a = filter_prev(a);
	for (; depth_b > depth_a; depth_b--)
		b = filter_prev(b);
	while (a != b) {
		a = filter_prev(a);
		b = filter_prev(b);
	}
	return a;
}

/* Held: threads of @task may install another by SECCOMP_FILTER_FLAG_TSYNC. */
static struct seccomp_filter *task_filter(struct task_struct *task)
{
	struct seccomp_filter *filter;
	unsigned long flags;

	if (!lock_task_sighand(task, &flags))
		return NULL;
	filter = task->seccomp.filter;
	get_seccomp_filter(task);
	unlock_task_sighand(task, &flags);
	return filter;
}

/* Held: what the tree is expected to find at restart. */
static struct seccomp_filter *base_filter(struct ckpt_ctx *ctx)
{
	struct task_struct *task = current;

	guard(rcu)();
	while (ckpt_task_collected(ctx, task))
		task = rcu_dereference(task->real_parent);
	return task_filter(task);
}

/* What a filter was installed upon stands before it in the image. */
static int collect_chain(struct ckpt_ctx *ctx, struct seccomp_filter *top,
			 struct seccomp_filter *base)
{
	unsigned int i, nr = filter_depth(top) - filter_depth(base);
	struct seccomp_filter **chain;
	int err = 0;

	chain = kvmalloc_array(nr, sizeof(*chain), GFP_KERNEL);
	if (!chain)
		return -ENOMEM;
	for (i = nr; i > 0; top = filter_prev(top))
		chain[--i] = top;
	for (i = 0; i < nr && err >= 0; i++)
		err = ckpt_obj_collect(ctx, chain[i], &seccomp_filter_ops);
	kvfree(chain);
	return min(err, 0);
}

static int collect_filters(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct seccomp_filter *top = task_filter(task), *own = base_filter(ctx), *base;
	int err = 0;

	base = filter_common(top, own);
	if (top != base)
		err = collect_chain(ctx, top, base);
	if (own)
		seccomp_filter_drop(own);
	if (top)
		seccomp_filter_drop(top);
	return err;
}

static int seccomp_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	switch (seccomp_mode(&task->seccomp)) {
	case SECCOMP_MODE_DISABLED:
	case SECCOMP_MODE_STRICT:
		return 0;
	case SECCOMP_MODE_FILTER:
		return collect_filters(ctx, task);
	}
	return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: is being killed by seccomp", ckpt_whom(ctx));
}

static int filter_collect(struct ckpt_ctx *ctx, void *ptr)
{
	struct seccomp_filter_state state;

	seccomp_filter_get_state(ptr, &state);
	if (!state.listener)
		return 0;
	return ckpt_refuse(ctx, -EOPNOTSUPP,
			   "%s: seccomp filter with a listener (SECCOMP_FILTER_FLAG_NEW_LISTENER)",
			   ckpt_whom(ctx));
}

static int filter_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct ckpt_rec_seccomp_filter rec = {};
	struct seccomp_filter_state state;
	int ref;

	BUILD_BUG_ON(CKPT_SECCOMP_MAX_INSNS != BPF_MAXINSNS);
	BUILD_BUG_ON(sizeof(struct sock_filter) != 8);
	seccomp_filter_get_state(ptr, &state);
	rec.flags = state.log ? CKPT_SECCOMPF_LOG : 0;
	rec.nr_insns = state.prog->len;
	if (state.prev && ckpt_obj_lookup(ctx, state.prev)) {
		ref = ckpt_obj_ref(ctx, state.prev, &seccomp_filter_ops);
		if (ref < 0)
			return ref;
		rec.prev_objref = ref;
	}
	return ckpt_write2(ctx, CKPT_REC_SECCOMP_FILTER, &rec, sizeof(rec), state.prog->filter,
			   bpf_classic_proglen(state.prog));
}

static int task_write(struct ckpt_ctx *ctx, u32 mode, u32 filter_objref)
{
	const struct ckpt_rec_task_seccomp rec = {
		.mode = mode,
		.filter_objref = filter_objref,
	};

	return ckpt_write(ctx, CKPT_REC_TASK_SECCOMP, &rec, sizeof(rec));
}

static int seccomp_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct seccomp_filter *top;
	int ref = 0;

	if (seccomp_mode(&task->seccomp) == SECCOMP_MODE_STRICT)
		return task_write(ctx, CKPT_SECCOMP_STRICT, 0);
	top = task_filter(task);
	if (!top)
		return 0;
	/* Filters that were not collected are the checkpointer's. */
	if (ckpt_obj_lookup(ctx, top))
		ref = ckpt_obj_ref(ctx, top, &seccomp_filter_ops);
	seccomp_filter_drop(top);
	return ref > 0 ? task_write(ctx, CKPT_SECCOMP_FILTER, ref) : ref;
}

/* @prev_objref: 0 for those of current, the restarter */
static struct seccomp_filter *filter_create(struct ckpt_ctx *ctx, u32 prev_objref,
					    struct seccomp_filter_state *state)
{
	struct seccomp_filter *filter;

	if (prev_objref) {
		state->prev = ckpt_obj_fetch(ctx, prev_objref, &seccomp_filter_ops);
		if (IS_ERR(state->prev))
			return state->prev;
		return seccomp_filter_create(state);
	}
	state->prev = task_filter(current);
	filter = seccomp_filter_create(state);
	if (state->prev)
		seccomp_filter_drop(state->prev);
	return filter;
}

static void *filter_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_seccomp_filter rec;
	struct sock_fprog_kern prog = {};
	struct seccomp_filter_state state = { .prog = &prog };
	struct seccomp_filter *filter;
	const void *tail;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_SECCOMP_FILTER, &rec, sizeof(rec), &tail, &len);
	if (err)
		return ERR_PTR(err);
	if (rec.pad || rec.flags & ~CKPT_SECCOMPF_ALL || !rec.nr_insns ||
	    rec.nr_insns > CKPT_SECCOMP_MAX_INSNS ||
	    len != rec.nr_insns * sizeof(struct sock_filter))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: bad seccomp filter %u",
					ckpt_obj_current(ctx)));
	prog.len = rec.nr_insns;
	prog.filter = (struct sock_filter *)tail;
	state.log = rec.flags & CKPT_SECCOMPF_LOG;
	filter = filter_create(ctx, rec.prev_objref, &state);
	if (IS_ERR(filter))
		ckpt_err(ctx, PTR_ERR(filter), "image: seccomp filter %u cannot be made",
			 ckpt_obj_current(ctx));
	return filter;
}

static const struct ckpt_obj_ops seccomp_filter_ops = {
	.obj_name = "seccomp filter",
	.obj_type = CKPT_OBJ_SECCOMP_FILTER,
	.stage = CKPT_STAGE_GLOBAL,
	.ref_grab = filter_grab,
	.ref_drop = filter_drop,
	.collect = filter_collect,
	.checkpoint = filter_checkpoint,
	.restore = filter_restore,
};

/* As seccomp(2), with the rights that the caller had or the task gives up. */
static int restore_filter(struct ckpt_ctx *ctx, u32 objref)
{
	struct seccomp_filter *filter = ckpt_obj_fetch(ctx, objref, &seccomp_filter_ops);
	int err;

	if (IS_ERR(filter))
		return PTR_ERR(filter);
	if (!task_no_new_privs(current) && !ckpt_caller_capable(ctx, CAP_SYS_ADMIN))
		return ckpt_err(ctx, -EACCES,
				"%s: seccomp filters need no_new_privs or CAP_SYS_ADMIN",
				ckpt_whom(ctx));
	err = seccomp_filter_adopt(filter);
	if (err)
		return ckpt_err(ctx, err, "%s: seccomp filter %u would take away another",
				ckpt_whom(ctx), objref);
	return 0;
}

static int restore_strict(struct ckpt_ctx *ctx)
{
	if (prctl_set_seccomp(SECCOMP_MODE_STRICT, NULL))
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: seccomp strict mode excludes the restarter's filters",
				ckpt_whom(ctx));
	return 0;
}

/*
 * They act when current calls the kernel, which it does not do before it is
 * restored.
 */
static int seccomp_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_seccomp rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (rec.mode == CKPT_SECCOMP_FILTER)
		return restore_filter(ctx, rec.filter_objref);
	if (rec.mode == CKPT_SECCOMP_STRICT && !rec.filter_objref)
		return restore_strict(ctx);
	return ckpt_err(ctx, -EINVAL, "%s: bad seccomp mode %u", ckpt_whom(ctx), rec.mode);
}

static const struct ckpt_task_ops seccomp_ops = {
	.name = "seccomp",
	.rec_type = CKPT_REC_TASK_SECCOMP,
	.collect = seccomp_collect,
	.checkpoint = seccomp_checkpoint,
	.restore = seccomp_restore,
};

static int __init seccomp_ckpt_init(void)
{
	return ckpt_register_obj(&seccomp_filter_ops) ?: ckpt_register_task_ops(&seccomp_ops);
}
device_initcall(seccomp_ckpt_init);
