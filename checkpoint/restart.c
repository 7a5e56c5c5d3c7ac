// SPDX-License-Identifier: GPL-2.0
/*
 * restart(2): the restarter, and the walk through the image.
 *
 * The description of the tree comes first and is checked as a whole. Objects
 * that need no process are restored before there is one, so that a missing
 * file is found at no cost. Then come the processes, their memory, the tasks
 * that share memory, and the state of each task. What belongs to a task is read
 * by itself in a closure (worker.c), which passes on to the next. Until
 * ckpt_commit() any failure, also the death of the restarter or of a task,
 * undoes everything (abort.c).
 */
#include <linux/capability.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/timekeeping.h>

#include "internal.h"
#include "restart.h"

static int read_header(struct ckpt_ctx *ctx, struct ckpt_rec_header *head)
{
	int err;

	err = ckpt_read(ctx, CKPT_REC_HEADER, head, sizeof(*head));
	if (err)
		return err;
	if (head->magic != CKPT_IMAGE_MAGIC)
		return ckpt_err(ctx, -EINVAL, "not a checkpoint image");
	if (head->version > CKPT_IMAGE_VERSION)
		return ckpt_err(ctx, -E2BIG, "image version %u is newer than this kernel's (%u)",
				head->version, CKPT_IMAGE_VERSION);
	if (!head->version || head->reserved)
		return ckpt_err(ctx, -EINVAL, "image: invalid header");
	if (head->arch != CKPT_ARCH_X86_64 || head->page_size != PAGE_SIZE)
		return ckpt_err(ctx, -EOPNOTSUPP,
				"image is of another architecture (%u, pages of %u bytes)",
				head->arch, head->page_size);
	if (head->flags & ~CKPT_IMAGE_FLAGS)
		return ckpt_err(ctx, -E2BIG, "image: unknown flags %#x in the header",
				head->flags & ~CKPT_IMAGE_FLAGS);
	if (head->flags & CKPT_IMAGE_SHELL_JOB && !(ctx->flags & RESTART_SHELL_JOB))
		return ckpt_err(ctx, -EINVAL,
				"image is of a job of a shell: RESTART_SHELL_JOB (--shell-job) is needed");
	ctx->id = head->id;
	ckpt_objhash_expect(&ctx->objhash, head->nr_objs);
	return 0;
}

/*
 * An owner that shares memory does not exist before the TASK stage; whom they
 * all come from can restore it as well.
 */
static struct ckpt_child *find_owner(struct ckpt_ctx *ctx, u32 index)
{
	struct ckpt_child *child = xa_load(&ctx->restart->children, index);

	if (!child || ckpt_child_is_zombie(child))
		return NULL;
	return child->task ? child : child->maker;
}

/**
 * ckpt_has_own_mm() - Has current an address space from the image?
 * @ctx: the restart
 *
 * Context: A closure.
 * Return: false if it is still that of the restarter.
 */
bool ckpt_has_own_mm(struct ckpt_ctx *ctx)
{
	return current->mm != ctx->restart->mm;
}

static int enter_stage(struct ckpt_ctx *ctx, enum ckpt_stage stage)
{
	switch (stage) {
	case CKPT_STAGE_GLOBAL:
		return 0;
	case CKPT_STAGE_MM:
		return ckpt_spawn_processes(ctx);
	case CKPT_STAGE_TASK:
		return ckpt_spawn_rest(ctx);
	}
	return -EINVAL;
}

/**
 * struct obj_walk - where the objects of the image have been read up to
 * @rec: the record of the next object
 * @ops: its kind
 * @stage: its stage
 * @type: its type
 * @more: 1 if there is a next object, 0, or an errno
 */
struct obj_walk {
	struct ckpt_rec_obj rec;
	const struct ckpt_obj_ops *ops;
	enum ckpt_stage stage;
	u32 type;
	int more;
};

/* By type; those of the last stage, which do not know each other, by owner. */
static bool in_order(const struct obj_walk *walk, const struct ckpt_obj_ops *ops)
{
	if (ops->stage == walk->stage && ops->stage == CKPT_STAGE_TASK)
		return true;
	return ops->stage >= walk->stage && ops->obj_type >= walk->type;
}

static int read_obj(struct ckpt_ctx *ctx, struct obj_walk *walk)
{
	struct ckpt_rec_obj *rec = &walk->rec;
	int err = ckpt_peek(ctx);

	if (err != CKPT_REC_OBJ)
		return min(err, 0);
	err = ckpt_read(ctx, CKPT_REC_OBJ, rec, sizeof(*rec));
	if (err)
		return err;
	walk->ops = ckpt_obj_ops_find(rec->type);
	if (!walk->ops)
		return ckpt_err(ctx, -EOPNOTSUPP, "image: object %u is of unknown type %u",
				rec->objref, rec->type);
	if (!in_order(walk, walk->ops) || rec->pad)
		return ckpt_err(ctx, -EINVAL, "image: object %u (%s) is out of order",
				rec->objref, walk->ops->obj_name);
	walk->stage = walk->ops->stage;
	walk->type = rec->type;
	return 1;
}

static struct ckpt_child *obj_owner(struct ckpt_ctx *ctx, const struct obj_walk *walk)
{
	struct ckpt_child *owner = find_owner(ctx, walk->rec.owner);

	if (!owner)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: object %u (%s) has no owner",
					walk->rec.objref, walk->ops->obj_name));
	ckpt_set_whom(ctx, owner->task);
	return owner;
}

/* All that follow in the same stage; each task passes on to the next owner. */
static int restore_objs(struct ckpt_ctx *ctx, void *arg)
{
	struct obj_walk *walk = arg;
	enum ckpt_stage stage = walk->stage;
	u32 index = walk->rec.owner;
	struct ckpt_child *owner;
	int err;

	do {
		err = ckpt_obj_restore(ctx, &walk->rec);
		if (err)
			return err;
		walk->more = read_obj(ctx, walk);
		if (walk->more <= 0 || walk->stage != stage)
			return min(walk->more, 0);
	} while (stage == CKPT_STAGE_GLOBAL || walk->rec.owner == index);

	owner = obj_owner(ctx, walk);
	if (IS_ERR(owner))
		return PTR_ERR(owner);
	ckpt_pass_to(owner, restore_objs, walk);
	return 0;
}

static int restore_stage(struct ckpt_ctx *ctx, struct obj_walk *walk)
{
	struct ckpt_child *owner;
	int err;

	err = enter_stage(ctx, walk->stage);
	if (err)
		return err;
	if (walk->stage == CKPT_STAGE_GLOBAL)
		return restore_objs(ctx, walk);
	owner = obj_owner(ctx, walk);
	return IS_ERR(owner) ? PTR_ERR(owner) : ckpt_run_in(owner, restore_objs, walk);
}

static int read_objs(struct ckpt_ctx *ctx)
{
	struct obj_walk walk = { .stage = CKPT_STAGE_GLOBAL };
	int err;

	walk.more = read_obj(ctx, &walk);
	while (walk.more > 0) {
		err = restore_stage(ctx, &walk);
		if (err)
			return err;
	}
	return walk.more;
}

/* The task whose state comes next, in a record of @type, or NULL. */
static struct ckpt_child *read_task(struct ckpt_ctx *ctx, u16 type)
{
	bool dead = type == CKPT_REC_DEAD_TASK;
	struct ckpt_rec_task rec;
	struct ckpt_child *child;
	int err = ckpt_peek(ctx);

	if (err != type)
		return err < 0 ? ERR_PTR(err) : NULL;
	err = ckpt_read(ctx, type, &rec, sizeof(rec));
	if (err)
		return ERR_PTR(err);
	child = xa_load(&ctx->restart->children, rec.index);
	if (!child || ckpt_child_is_zombie(child) != dead || child->restored || rec.pad)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: unexpected state of task %u",
					rec.index));
	child->restored = true;
	ckpt_set_whom(ctx, child->task);
	return child;
}

static int restore_task(struct ckpt_ctx *ctx, void *arg)
{
	struct ckpt_child *next;
	int err;

	/* What belongs to an mm must not be set in the restarter's. */
	if (!ckpt_has_own_mm(ctx))
		return ckpt_err(ctx, -EINVAL, "image: %s has no memory", ckpt_whom(ctx));
	err = ckpt_task_read(ctx, NULL);
	if (err)
		return err;
	next = read_task(ctx, CKPT_REC_TASK);
	if (!IS_ERR_OR_NULL(next))
		ckpt_pass_to(next, restore_task, NULL);
	return PTR_ERR_OR_ZERO(next);
}

static int read_tasks(struct ckpt_ctx *ctx)
{
	struct ckpt_child *child;
	unsigned long i;
	int err;

	child = read_task(ctx, CKPT_REC_TASK);
	if (IS_ERR(child))
		return PTR_ERR(child);
	err = child ? ckpt_run_in(child, restore_task, NULL) : 0;
	if (err)
		return err;
	ckpt_for_each_child(ctx->restart, i, child) {
		if (!child->restored && !ckpt_child_is_zombie(child))
			return ckpt_err(ctx, -EINVAL, "image: no state of pid %d (%s)",
					child->rec.pid, child->rec.comm);
	}
	return 0;
}

/* The rights of the dead are no matter of the address space, which it leaves first. */
static int restore_dying(struct ckpt_ctx *ctx, void *unused)
{
	int err = ckpt_mm_switch_to_empty(ctx);

	return err ?: ckpt_task_read_dying(ctx);
}

/* What it takes to its grave, and what can be told only when it is dead. */
static int restore_dead(struct ckpt_ctx *ctx, struct ckpt_child *child)
{
	int err;

	err = ckpt_run_in(child, restore_dying, NULL);
	if (!err)
		err = ckpt_spawn_bury(ctx, child);
	return err ?: ckpt_task_read(ctx, child->task);
}

static int read_dead(struct ckpt_ctx *ctx)
{
	struct ckpt_child *child;
	unsigned long i;
	int err = 0;

	for (;;) {
		child = read_task(ctx, CKPT_REC_DEAD_TASK);
		if (IS_ERR_OR_NULL(child))
			break;
		err = restore_dead(ctx, child);
		if (err)
			return err;
	}
	if (IS_ERR(child))
		return PTR_ERR(child);
	ckpt_for_each_child(ctx->restart, i, child) {
		if (ckpt_child_is_zombie(child) && !child->restored)
			err = ckpt_spawn_bury(ctx, child);
		if (err)
			return err;
	}
	return 0;
}

static int read_image(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_header head;
	int err;

	err = read_header(ctx, &head);
	if (err)
		return err;
	err = ckpt_arch_read(ctx);
	if (err)
		return err;
	err = ckpt_restart_read_tree(ctx, head.nr_tasks);
	if (err)
		return err;
	err = read_objs(ctx);
	if (err)
		return err;
	err = ckpt_spawn_rest(ctx);
	if (err)
		return err;
	err = read_tasks(ctx);
	if (!err)
		err = read_dead(ctx);
	if (!err)
		err = ckpt_clocks_read(ctx);
	return err ?: ckpt_stream_trailer(ctx);
}

static int build_tree(struct ckpt_ctx *ctx)
{
	int err;

	/* alloc_pid() has the last word; this one speaks before any work is done. */
	if (!checkpoint_restore_ns_capable(ctx->pid_ns->user_ns))
		return ckpt_err(ctx, -EPERM, "CAP_CHECKPOINT_RESTORE is needed to choose pids");
	err = read_image(ctx);
	return err ?: ckpt_commit(ctx);
}

/*
 * New tasks inherit the mask, and must not act on signals before they are what
 * they are to be. A blocked SIGSTOP waits, instead of making clone fail.
 */
static void block_signals(sigset_t *old)
{
	sigset_t mask;

	*old = current->blocked;
	siginitsetinv(&mask, sigmask(SIGKILL));
	__set_current_blocked(&mask);
}

/**
 * ckpt_do_restart - Build the tree that an image describes
 * @ctx: the context, with the image open for reading
 *
 * Context: System call, in the task that becomes the parent of the root.
 * Return: the pid of the root in the caller's pid namespace; or an error, which
 * the log explains, after everything has been undone.
 */
long ckpt_do_restart(struct ckpt_ctx *ctx)
{
	struct ckpt_restart *r;
	struct ckpt_child *root;
	sigset_t blocked;
	long ret;

	r = ckpt_restart_alloc(ctx);
	if (!r)
		return ckpt_err(ctx, -ENOMEM, "out of memory");
	ctx->restart = r;
	block_signals(&blocked);
	ret = build_tree(ctx);
	if (ret) {
		ckpt_abort(ctx);
	} else {
		root = xa_load(&r->children, 0);
		ret = root->rec.pid;
	}
	/* Differs from the present mask in SIGSTOP at least: TIF_SIGPENDING is set right. */
	__set_current_blocked(&blocked);
	ctx->restart = NULL;
	ckpt_restart_put(r);
	return ret;
}
