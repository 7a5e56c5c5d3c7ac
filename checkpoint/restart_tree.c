// SPDX-License-Identifier: GPL-2.0
/*
 * The tree as the image describes it: read and checked completely before
 * anything is created from it.
 */
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/threads.h>

#include "internal.h"
#include "restart.h"

#define CKPT_TASKF_ALL (CKPT_TASKF_THREAD | CKPT_TASKF_ZOMBIE | CKPT_TASKF_SHARE_VM | \
			CKPT_TASKF_SHARE_SIGHAND | CKPT_TASKF_SUBREAPER | CKPT_TASKF_SELF | \
			CKPT_TASKF_SESSION_LEADER | CKPT_TASKF_DID_EXEC | \
			CKPT_TASKF_PARENT_EXEC)

/* What the kernel can tell by wait4(): an exit code, or a signal and whether it dumped core */
#define CKPT_EXIT_CODE_MAX 0xffff

/**
 * ckpt_restart_alloc - Start the books of a restart
 * @ctx: the context
 *
 * Context: May sleep.
 * Return: the state with one user, or NULL.
 */
struct ckpt_restart *ckpt_restart_alloc(struct ckpt_ctx *ctx)
{
	struct ckpt_restart *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);

	if (!r)
		return NULL;
	refcount_set(&r->users, 1);
	spin_lock_init(&r->lock);
	init_waitqueue_head(&r->wait);
	init_waitqueue_head(&r->gate);
	xa_init(&r->children);
	xa_init(&r->pids);
	xa_init(&r->groups);
	atomic_set(&r->nr_working, 1);
	r->ctx = ctx;
	r->mm = current->mm;
	return r;
}

/**
 * ckpt_restart_put - Drop one user of the state of a restart
 * @r: the state
 *
 * Context: May sleep.
 */
void ckpt_restart_put(struct ckpt_restart *r)
{
	struct ckpt_child *child;
	struct ckpt_group *group;
	unsigned long i;

	if (!refcount_dec_and_test(&r->users))
		return;
	ckpt_for_each_child(r, i, child) {
		if (child->task)
			put_task_struct(child->task);
		kfree(child);
	}
	xa_for_each(&r->groups, i, group)
		kfree(group);
	xa_destroy(&r->children);
	xa_destroy(&r->pids);
	xa_destroy(&r->groups);
	kfree(r);
}

__printf(3, 4)
static int bad_task(struct ckpt_ctx *ctx, const struct ckpt_child *child, const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;
	int err;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	err = ckpt_err(ctx, -EINVAL, "image: task %u (pid %d): %pV", child->index,
		       child->rec.pid, &vaf);
	va_end(args);
	return err;
}

static struct ckpt_child *earlier(struct ckpt_child *child, u32 index)
{
	return index < child->index ? xa_load(&child->restart->children, index) : NULL;
}

static int check_values(struct ckpt_ctx *ctx, const struct ckpt_child *child)
{
	const struct ckpt_rec_tree_task *rec = &child->rec;

	if (rec->flags & ~CKPT_TASKF_ALL || rec->pad)
		return bad_task(ctx, child, "unknown flags %#x", rec->flags);
	if (strnlen(rec->comm, sizeof(rec->comm)) == sizeof(rec->comm))
		return bad_task(ctx, child, "name is not terminated");
	if (rec->pid < 1 || rec->pid >= PID_MAX_LIMIT || rec->tgid < 1)
		return bad_task(ctx, child, "pid out of range");
	if (rec->sid < 0 || rec->sid >= PID_MAX_LIMIT ||
	    rec->pgid < 0 || rec->pgid >= PID_MAX_LIMIT)
		return bad_task(ctx, child, "session or process group out of range");
	if (rec->exit_code > CKPT_EXIT_CODE_MAX)
		return bad_task(ctx, child, "exit code %#x out of range", rec->exit_code);
	return 0;
}

static int check_thread(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	const struct ckpt_rec_tree_task *rec = &child->rec;
	struct ckpt_child *leader = xa_load(&child->restart->pids, rec->tgid);

	if (!leader || ckpt_child_is_thread(leader))
		return bad_task(ctx, child, "no thread group leader %d before it", rec->tgid);
	if (rec->flags & (CKPT_TASKF_ZOMBIE | CKPT_TASKF_SUBREAPER | CKPT_TASKF_SESSION_LEADER) ||
	    rec->parent != CKPT_TASK_NONE || rec->exit_signal != -1)
		return bad_task(ctx, child, "not valid for a thread");
	if (rec->creator != CKPT_TASK_NONE) {
		struct ckpt_child *creator = earlier(child, rec->creator);

		if (!creator || creator->leader != leader)
			return bad_task(ctx, child, "creator is not of its thread group");
	}
	child->leader = leader;
	child->creator = leader;
	child->maker = leader->maker;
	leader->nr_threads++;
	if (!leader->heir)
		leader->heir = child;
	return 0;
}

static int check_sharing(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	const struct ckpt_rec_tree_task *rec = &child->rec;

	if (rec->creator == CKPT_TASK_NONE) {
		if (rec->flags & (CKPT_TASKF_SHARE_VM | CKPT_TASKF_SHARE_SIGHAND))
			return bad_task(ctx, child, "shares memory with nobody");
		child->maker = child;
		return 0;
	}
	if (!(rec->flags & CKPT_TASKF_SHARE_VM))
		return bad_task(ctx, child, "has a creator, but shares no memory");
	child->creator = earlier(child, rec->creator);
	if (!child->creator)
		return bad_task(ctx, child, "creator %u is not before it", rec->creator);
	child->maker = child->creator->maker;
	return 0;
}

static int check_leader(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	const struct ckpt_rec_tree_task *rec = &child->rec;

	if (rec->tgid != rec->pid)
		return bad_task(ctx, child, "thread group %d", rec->tgid);
	if (rec->exit_signal < 0 || !valid_signal(rec->exit_signal))
		return bad_task(ctx, child, "exit signal %d", rec->exit_signal);
	if (rec->flags & CKPT_TASKF_SESSION_LEADER && rec->sid != rec->pid)
		return bad_task(ctx, child, "leads a session that is not its own");
	child->leader = child;
	if (child->index) {
		child->parent = earlier(child, rec->parent);
		if (!child->parent)
			return bad_task(ctx, child, "parent %u is not before it", rec->parent);
	} else if (rec->parent != CKPT_TASK_NONE) {
		return bad_task(ctx, child, "not valid for the root");
	}
	return check_sharing(ctx, child);
}

static struct ckpt_group *get_group(struct ckpt_restart *r, pid_t nr, pid_t sid)
{
	struct ckpt_group *group = xa_load(&r->groups, nr);
	int err;

	if (group)
		return group;
	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return NULL;
	group->nr = nr;
	group->sid = sid;
	err = xa_insert(&r->groups, nr, group, GFP_KERNEL_ACCOUNT);
	if (err) {
		kfree(group);
		return NULL;
	}
	return group;
}

/* A session is a process group too, or at least nobody else may use its number. */
static int join_groups(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	const struct ckpt_rec_tree_task *rec = &child->rec;

	if (rec->sid && !rec->pgid)
		return bad_task(ctx, child, "process group outside its session");
	if (rec->sid) {
		child->session = get_group(child->restart, rec->sid, rec->sid);
		if (!child->session)
			return ckpt_err(ctx, -ENOMEM, "out of memory");
		if (child->session->sid != rec->sid)
			return bad_task(ctx, child, "session %d is a group of another", rec->sid);
	}
	if (rec->pgid) {
		child->pgrp = get_group(child->restart, rec->pgid, rec->sid);
		if (!child->pgrp)
			return ckpt_err(ctx, -ENOMEM, "out of memory");
		if (child->pgrp->sid != rec->sid)
			return bad_task(ctx, child, "process group %d spans sessions", rec->pgid);
	}
	return 0;
}

static int add_child(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	struct ckpt_restart *r = child->restart;
	int err;

	err = check_values(ctx, child);
	if (err)
		return err;
	if (ckpt_child_is_thread(child))
		err = check_thread(ctx, child);
	else
		err = check_leader(ctx, child) ?: join_groups(ctx, child);
	if (err)
		return err;
	err = xa_insert(&r->pids, child->rec.pid, child, GFP_KERNEL_ACCOUNT);
	if (err == -EBUSY)
		return bad_task(ctx, child, "pid appears twice");
	return err ? ckpt_err(ctx, err, "out of memory") : 0;
}

static int read_task(struct ckpt_ctx *ctx, u32 index)
{
	struct ckpt_restart *r = ctx->restart;
	struct ckpt_child *child;
	int err;

	child = kzalloc(sizeof(*child), GFP_KERNEL_ACCOUNT);
	if (!child)
		return ckpt_err(ctx, -ENOMEM, "no memory for task %u", index);
	child->restart = r;
	child->index = index;
	init_waitqueue_head(&child->wait);
	INIT_LIST_HEAD(&child->deferred);
	err = xa_insert(&r->children, index, child, GFP_KERNEL_ACCOUNT);
	if (err) {
		kfree(child);
		return ckpt_err(ctx, err, "out of memory");
	}
	err = ckpt_read(ctx, CKPT_REC_TREE_TASK, &child->rec, sizeof(child->rec));
	return err ?: add_child(ctx, child);
}

/* What depends on records that come later */
static int check_relations(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	if (!child->index && ckpt_child_is_dead(child))
		return bad_task(ctx, child, "the root is dead");
	if (child->parent && ckpt_child_is_dead(child->parent))
		return bad_task(ctx, child, "parent is dead");
	if (child->creator && ckpt_child_is_dead(child->creator))
		return bad_task(ctx, child, "creator is dead");
	if (child->creator && ckpt_child_is_dead(child))
		return bad_task(ctx, child, "shares memory, but is dead");
	return 0;
}

static int check_group(struct ckpt_ctx *ctx, struct ckpt_group *group)
{
	struct ckpt_child *leader = xa_load(&ctx->restart->pids, group->nr);

	if (!leader)
		return 0;
	if (ckpt_child_is_thread(leader))
		return bad_task(ctx, leader, "a thread gives its pid to a process group");
	if (leader->rec.sid != group->sid)
		return bad_task(ctx, leader, "is not in the session of process group %d",
				group->nr);
	group->leader = leader;
	return 0;
}

/**
 * ckpt_restart_read_tree - Read the CKPT_REC_TREE_TASK records and check them
 * @ctx: the context; @ctx->restart is filled
 * @nr_tasks: how many the header announces
 *
 * Nothing is sized by @nr_tasks: memory grows with the records that arrive.
 *
 * Context: May sleep.
 * Return: 0, -EINVAL if the tree is not one, -ENOMEM, or an error of the stream.
 */
int ckpt_restart_read_tree(struct ckpt_ctx *ctx, u32 nr_tasks)
{
	struct ckpt_restart *r = ctx->restart;
	struct ckpt_child *child;
	struct ckpt_group *group;
	unsigned long i;
	int err;

	if (!nr_tasks || nr_tasks > READ_ONCE(pid_max))
		return ckpt_err(ctx, -EINVAL, "image: %u tasks", nr_tasks);
	for (i = 0; i < nr_tasks; i++) {
		err = read_task(ctx, i);
		if (err)
			return err;
		cond_resched();
	}
	ckpt_for_each_child(r, i, child) {
		err = check_relations(ctx, child);
		if (err)
			return err;
	}
	xa_for_each(&r->groups, i, group) {
		err = check_group(ctx, group);
		if (err)
			return err;
	}
	return 0;
}
