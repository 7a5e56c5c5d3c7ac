// SPDX-License-Identifier: GPL-2.0
/*
 * The tree: the root, everything that descends from it, and all their threads.
 */
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"

#define CKPT_TREE_MIN	128

/* A tree being walked: as many tasks as there is room for. */
struct ckpt_tree_walk {
	struct ckpt_task *tasks;
	u32 nr;
	u32 max;
};

static bool ckpt_walk_add(struct ckpt_tree_walk *w, struct task_struct *task, u32 leader,
			  u32 parent)
{
	struct ckpt_task *t;

	if (w->nr == w->max)
		return false;
	t = &w->tasks[w->nr++];
	*t = (struct ckpt_task){
		.task = get_task_struct(task),
		.leader = leader,
		.rec.parent = parent,
		.rec.creator = CKPT_TASK_NONE,
	};
	return true;
}

static bool ckpt_walk_process(struct ckpt_tree_walk *w, struct task_struct *leader, u32 parent)
{
	struct task_struct *thread;
	u32 index = w->nr;

	if (!ckpt_walk_add(w, leader, index, parent))
		return false;
	for_each_thread(leader, thread) {
		if (thread == leader || thread->exit_state == EXIT_DEAD)
			continue;
		if (!ckpt_walk_add(w, thread, index, CKPT_TASK_NONE))
			return false;
	}
	return true;
}

/* The list is its own queue: breadth first. */
static bool ckpt_walk_all(struct ckpt_tree_walk *w, struct task_struct *root)
{
	struct task_struct *child;
	u32 i;

	if (!ckpt_walk_process(w, root, CKPT_TASK_NONE))
		return false;
	for (i = 0; i < w->nr; i++) {
		list_for_each_entry(child, &w->tasks[i].task->children, sibling) {
			if (child->exit_state == EXIT_DEAD)
				continue;
			if (!ckpt_walk_process(w, child, i))
				return false;
		}
	}
	return true;
}

static void ckpt_put_tasks(struct ckpt_task *tasks, u32 nr)
{
	while (nr)
		put_task_struct(tasks[--nr].task);
	kvfree(tasks);
}

static int ckpt_tree_index(struct ckpt_tree *tree)
{
	u32 i, slot, size = roundup_pow_of_two(tree->nr * 2 + 2);

	tree->slots = kvcalloc(size, sizeof(*tree->slots), GFP_KERNEL_ACCOUNT);
	if (!tree->slots)
		return -ENOMEM;
	tree->mask = size - 1;
	for (i = 0; i < tree->nr; i++) {
		slot = hash_ptr(tree->tasks[i].task, 32) & tree->mask;
		while (tree->slots[slot])
			slot = (slot + 1) & tree->mask;
		tree->slots[slot] = i + 1;
	}
	return 0;
}

/**
 * ckpt_tree_find() - Find a task of a tree
 * @tree: the tree
 * @task: any task
 *
 * Return: its entry, or NULL if it is not of @tree.
 */
struct ckpt_task *ckpt_tree_find(const struct ckpt_tree *tree, const struct task_struct *task)
{
	u32 slot;

	if (!tree->slots)
		return NULL;
	for (slot = hash_ptr(task, 32) & tree->mask; tree->slots[slot];
	     slot = (slot + 1) & tree->mask)
		if (tree->tasks[tree->slots[slot] - 1].task == task)
			return &tree->tasks[tree->slots[slot] - 1];
	return NULL;
}

/**
 * ckpt_task_collected() - Is a task of the tree?
 * @ctx: the context of a checkpoint
 * @task: any task
 *
 * Return: whether it is.
 */
bool ckpt_task_collected(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return ckpt_tree_find(&ctx->tree, task);
}

/**
 * ckpt_tree_free() - Forget a tree
 * @tree: the tree, empty afterwards
 */
void ckpt_tree_free(struct ckpt_tree *tree)
{
	ckpt_put_tasks(tree->tasks, tree->nr);
	kvfree(tree->slots);
	*tree = (struct ckpt_tree){};
}

static int ckpt_tree_nomem(struct ckpt_ctx *ctx)
{
	return ckpt_err(ctx, -ENOMEM, "no memory for the list of tasks");
}

/**
 * ckpt_tree_walk() - List the tasks that descend from the root at this moment
 * @ctx: the context
 * @tree: empty tree to fill
 *
 * Context: May sleep. Takes tasklist_lock.
 * Return: 0, or -ENOMEM.
 */
int ckpt_tree_walk(struct ckpt_ctx *ctx, struct ckpt_tree *tree)
{
	struct ckpt_tree_walk w = { .max = max(CKPT_TREE_MIN, ctx->tree.nr + 16) };
	bool done;

	for (;;) {
		w.tasks = kvmalloc_array(w.max, sizeof(*w.tasks), GFP_KERNEL_ACCOUNT);
		if (!w.tasks)
			return ckpt_tree_nomem(ctx);
		read_lock(&tasklist_lock);
		done = ckpt_walk_all(&w, ctx->root_task);
		read_unlock(&tasklist_lock);
		if (done)
			break;
		ckpt_put_tasks(w.tasks, w.nr);
		w.nr = 0;
		w.max *= 2;
	}
	tree->tasks = w.tasks;
	tree->nr = w.nr;
	if (ckpt_tree_index(tree)) {
		ckpt_tree_free(tree);
		return ckpt_tree_nomem(ctx);
	}
	return 0;
}

/*
 * A session or process group is the tree's own if its leader is of the tree,
 * or if the leader is dead and all members are of the tree.
 */
static bool ckpt_group_inside(struct ckpt_ctx *ctx, struct pid *group, enum pid_type type)
{
	struct task_struct *task = pid_task(group, PIDTYPE_PID);
	bool inside = true;

	if (!ckpt_pid_nr(ctx, group))
		return false;
	if (task)
		return ckpt_task_collected(ctx, task);
	do_each_pid_task(group, type, task) {
		inside = inside && ckpt_task_collected(ctx, task);
	} while_each_pid_task(group, type, task);
	return inside;
}

static int ckpt_group_outside(struct ckpt_ctx *ctx, struct pid *group, const char *what)
{
	struct task_struct *leader = pid_task(group, PIDTYPE_PID);
	const char *name = leader ? leader->comm : "its leader is dead";

	if (ctx->flags & CHECKPOINT_SHELL_JOB)
		return 0;
	if (ctx->flags & CHECKPOINT_SUBTREE) {
		ckpt_warn(ctx, "%s %d (%s) is outside the tree: the restarter's takes its place",
			  what, ckpt_pid_nr(ctx, group), name);
		return 0;
	}
	return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s %d (%s) is outside the tree",
			   ckpt_whom(ctx), what, ckpt_pid_nr(ctx, group), name);
}

/* What the parent was asked about already need not be said for each child. */
static bool ckpt_group_inherited(struct ckpt_ctx *ctx, struct ckpt_task *t, struct pid *group,
				 enum pid_type type)
{
	struct task_struct *parent;

	if (t->rec.parent == CKPT_TASK_NONE)
		return false;
	parent = ctx->tree.tasks[t->rec.parent].task;
	return (type == PIDTYPE_SID ? task_session(parent) : task_pgrp(parent)) == group;
}

static int ckpt_describe_group(struct ckpt_ctx *ctx, struct ckpt_task *t, enum pid_type type,
			       const char *what, s32 *nr)
{
	struct task_struct *task = t->task;
	struct pid *group = type == PIDTYPE_SID ? task_session(task) : task_pgrp(task);

	*nr = 0;
	if (!group)
		return ckpt_err(ctx, -EAGAIN, "%s: is being reaped", ckpt_whom(ctx));
	if (ckpt_group_inside(ctx, group, type)) {
		*nr = ckpt_pid_nr(ctx, group);
		return 0;
	}
	if (ckpt_group_inherited(ctx, t, group, type))
		return 0;
	return ckpt_group_outside(ctx, group, what);
}

/* The group of a dead leader in the caller's session is of no session in the image. */
static int ckpt_describe_groups(struct ckpt_ctx *ctx, struct ckpt_task *t)
{
	int err;

	err = ckpt_describe_group(ctx, t, PIDTYPE_SID, "session", &t->rec.sid);
	if (!err)
		err = ckpt_describe_group(ctx, t, PIDTYPE_PGID, "process group", &t->rec.pgid);
	if (!err && t->rec.sid && !t->rec.pgid)
		err = ckpt_refuse(ctx, -EOPNOTSUPP,
				  "%s: shares a process group, but not its session, with outsiders",
				  ckpt_whom(ctx));
	return err;
}

static u32 ckpt_wait_status(struct task_struct *task)
{
	return task->signal->flags & SIGNAL_GROUP_EXIT ? task->signal->group_exit_code :
							 task->exit_code;
}

/* Signals other than SIGCHLD are for the program which asked for them by clone(). */
static bool ckpt_parent_did_exec(struct task_struct *task)
{
	struct task_struct *parent = rcu_dereference_protected(task->real_parent,
						lockdep_is_held(&tasklist_lock));

	return task->parent_exec_id != READ_ONCE(parent->self_exec_id);
}

static u32 ckpt_describe_flags(struct task_struct *task)
{
	u32 flags = 0;

	if (task->exit_state)
		flags |= CKPT_TASKF_ZOMBIE;
	if (task == current)
		flags |= CKPT_TASKF_SELF;
	if (!(task->flags & PF_FORKNOEXEC))
		flags |= CKPT_TASKF_DID_EXEC;
	if (!thread_group_leader(task))
		return flags | CKPT_TASKF_THREAD | CKPT_TASKF_SHARE_VM |
		       CKPT_TASKF_SHARE_SIGHAND;
	if (task->signal->is_child_subreaper)
		flags |= CKPT_TASKF_SUBREAPER;
	if (task->signal->leader)
		flags |= CKPT_TASKF_SESSION_LEADER;
	if (ckpt_parent_did_exec(task))
		flags |= CKPT_TASKF_PARENT_EXEC;
	return flags;
}

/* Those of the tree are alive; the kernel may know dead ones that it is about to forget. */
static bool ckpt_has_threads(const struct ckpt_tree *tree, u32 leader)
{
	return leader + 1 < tree->nr && tree->tasks[leader + 1].leader == leader;
}

static int ckpt_describe_task(struct ckpt_ctx *ctx, struct ckpt_task *t)
{
	struct ckpt_rec_tree_task *rec = &t->rec;
	struct task_struct *task = t->task;

	rec->flags = ckpt_describe_flags(task);
	rec->pid = task_pid_nr_ns(task, ctx->pid_ns);
	rec->tgid = task_tgid_nr_ns(task, ctx->pid_ns);
	if (!rec->pid || !rec->tgid)
		return ckpt_err(ctx, -EAGAIN, "%s: is being reaped", ckpt_whom(ctx));
	get_task_comm(rec->comm, task);
	if (rec->flags & CKPT_TASKF_ZOMBIE) {
		if (task == ctx->root_task && !ckpt_has_threads(&ctx->tree, t->leader))
			return ckpt_err(ctx, -ESRCH, "%s: is dead", ckpt_whom(ctx));
		rec->exit_code = ckpt_wait_status(task);
	}
	if (rec->flags & CKPT_TASKF_THREAD) {
		rec->creator = t->leader;
		rec->exit_signal = -1;
		rec->pgid = ctx->tree.tasks[t->leader].rec.pgid;
		rec->sid = ctx->tree.tasks[t->leader].rec.sid;
		return 0;
	}
	rec->exit_signal = task->exit_signal;
	return ckpt_describe_groups(ctx, t);
}

/* The mm of the process at @index, whose leader may be dead, and how many threads use it. */
static struct mm_struct *ckpt_process_mm(struct ckpt_ctx *ctx, u32 index, int *users)
{
	const struct ckpt_tree *tree = &ctx->tree;
	struct mm_struct *mm = NULL;
	u32 i;

	*users = 0;
	for (i = index; i < tree->nr && tree->tasks[i].leader == index; i++) {
		if (ckpt_is_left_out(ctx, tree->tasks[i].task) || !tree->tasks[i].task->mm)
			continue;
		mm = tree->tasks[i].task->mm;
		++*users;
	}
	return mm;
}

/* The first process that has @ptr: that at @index if there was none before. */
static int ckpt_first_with(struct xarray *firsts, const void *ptr, u32 index, u32 *first)
{
	unsigned long key = ckpt_ptr_index(ptr);
	void *entry = xa_load(firsts, key);

	*first = entry ? xa_to_value(entry) : index;
	return entry ? 0 : xa_err(xa_store(firsts, key, xa_mk_value(index), GFP_KERNEL_ACCOUNT));
}

/* Processes that share an mm must be created by one that has it. */
static int ckpt_describe_sharing(struct ckpt_ctx *ctx, struct ckpt_task *t, struct xarray *firsts)
{
	u32 index = t - ctx->tree.tasks, same_mm, same_sighand;
	struct mm_struct *mm;
	int users, err;

	if (t->leader != index)
		return 0;
	mm = ckpt_process_mm(ctx, index, &users);
	if (!mm || atomic_read(&mm->mm_users) <= users)
		return 0;
	err = ckpt_first_with(firsts, mm, index, &same_mm) ?:
	      ckpt_first_with(firsts, rcu_access_pointer(t->task->sighand), index, &same_sighand);
	if (err)
		return ckpt_tree_nomem(ctx);
	if (same_mm != index) {
		t->rec.creator = same_mm;
		t->rec.flags |= CKPT_TASKF_SHARE_VM;
	}
	if (same_sighand != index) {
		t->rec.creator = same_sighand;
		t->rec.flags |= CKPT_TASKF_SHARE_SIGHAND;
	}
	return 0;
}

/* The tree is frozen, so that neither changes, and pinned, so that both exist. */
static int ckpt_describe_all_sharing(struct ckpt_ctx *ctx)
{
	struct xarray firsts;
	struct ckpt_task *t;
	int err = 0;

	xa_init(&firsts);
	ckpt_for_each_task(t, &ctx->tree) {
		if (ckpt_is_left_out(ctx, t->task))
			continue;
		err = ckpt_describe_sharing(ctx, t, &firsts);
		if (err)
			break;
		cond_resched();
	}
	xa_destroy(&firsts);
	return err;
}

static const char *ckpt_foreign_ns(struct task_struct *task)
{
	struct nsproxy *ns = task->nsproxy, *own = current->nsproxy;
	struct pid_namespace *pid_ns = task_active_pid_ns(task);

	/* who is being reaped has none any more, which ckpt_describe_task() tells */
	if (pid_ns && pid_ns != task_active_pid_ns(current))
		return "pid";
	if (__task_cred(task)->user_ns != current_user_ns())
		return "user";
	if (!ns || ns == own)
		return NULL;
	if (ns->uts_ns != own->uts_ns)
		return "uts";
	if (ns->ipc_ns != own->ipc_ns)
		return "ipc";
	if (ns->mnt_ns != own->mnt_ns)
		return "mount";
	if (ns->pid_ns_for_children != own->pid_ns_for_children)
		return "pid (for children)";
	if (ns->net_ns != own->net_ns)
		return "network";
	if (ns->cgroup_ns != own->cgroup_ns)
		return "cgroup";
	return NULL;
}

static int ckpt_check_namespaces(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const char *name;

	rcu_read_lock();
	task_lock(task);
	name = ckpt_foreign_ns(task);
	task_unlock(task);
	rcu_read_unlock();
	if (!name)
		return 0;
	return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: is in another %s namespace than the caller",
			   ckpt_whom(ctx), name);
}

/* Tracees of the tree are refused as such; it may also trace others. */
static int ckpt_check_tracees(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct task_struct *tracee = list_first_entry_or_null(&task->ptraced, struct task_struct,
							      ptrace_entry);

	if (!tracee)
		return 0;
	return ckpt_refuse(ctx, -EBUSY, "%s: traces pid %d (%s)", ckpt_whom(ctx),
			   task_pid_nr_ns(tracee, ctx->pid_ns), tracee->comm);
}

/**
 * ckpt_tree_describe() - Fill the records of the tasks
 * @ctx: the context; the tree is frozen
 *
 * Context: May sleep. Takes tasklist_lock.
 * Return: 0; -EOPNOTSUPP if a relation cannot be saved; -EBUSY if a task traces
 * another; -EAGAIN if a dead task is being reaped from outside; -ENOMEM.
 */
int ckpt_tree_describe(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	int err = 0;

	ckpt_for_each_task(t, &ctx->tree) {
		if (ckpt_is_left_out(ctx, t->task))
			continue;
		ckpt_set_whom(ctx, t->task);
		err = ckpt_check_namespaces(ctx, t->task);
		if (err)
			return err;
	}

	read_lock(&tasklist_lock);
	ckpt_for_each_task(t, &ctx->tree) {
		if (ckpt_is_left_out(ctx, t->task))
			continue;
		ckpt_set_whom(ctx, t->task);
		err = ckpt_check_tracees(ctx, t->task) ?: ckpt_describe_task(ctx, t);
		if (err)
			break;
	}
	read_unlock(&tasklist_lock);
	ckpt_set_whom(ctx, NULL);
	return err ?: ckpt_describe_all_sharing(ctx);
}

/**
 * ckpt_tree_write() - Write the records of the tasks
 * @ctx: the context
 *
 * Context: May sleep.
 * Return: 0 or an errno of the stream.
 */
int ckpt_tree_write(struct ckpt_ctx *ctx)
{
	struct ckpt_task *t;
	int err;

	ckpt_for_each_task(t, &ctx->tree) {
		err = ckpt_write(ctx, CKPT_REC_TREE_TASK, &t->rec, sizeof(t->rec));
		if (err)
			return err;
	}
	return 0;
}
