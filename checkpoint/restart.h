/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The restart side of the engine: the tree as the image describes it, and the
 * tasks that become it.
 */
#ifndef _CHECKPOINT_RESTART_H
#define _CHECKPOINT_RESTART_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <linux/checkpoint.h>
#include <uapi/linux/checkpoint_image.h>

/* How the restarter and the new tasks wait for each other. */
#define CKPT_WAIT (TASK_KILLABLE | TASK_FREEZABLE)

struct ckpt_ctx;
struct ckpt_child;
struct pid;
struct task_struct;

/* What the restarter has a restored task do for it; has @ctx to itself meanwhile. */
typedef int (*ckpt_closure_t)(struct ckpt_ctx *ctx, void *arg);

/**
 * enum ckpt_phase - how far a restart is
 * @CKPT_PHASE_BUILD: tasks are made and wait for closures; all can be undone
 * @CKPT_PHASE_GO: the tree is complete; tasks do their deferred work
 * @CKPT_PHASE_ABORT: every task that was made exits
 */
enum ckpt_phase {
	CKPT_PHASE_BUILD,
	CKPT_PHASE_GO,
	CKPT_PHASE_ABORT,
};

/**
 * enum ckpt_child_state - what a task of the new tree does
 * @CKPT_CHILD_NONE: it does not exist
 * @CKPT_CHILD_IDLE: it waits
 * @CKPT_CHILD_BUSY: it runs a closure
 * @CKPT_CHILD_GONE: it exits or has exited
 */
enum ckpt_child_state {
	CKPT_CHILD_NONE,
	CKPT_CHILD_IDLE,
	CKPT_CHILD_BUSY,
	CKPT_CHILD_GONE,
};

/**
 * struct ckpt_restart - state of one restart, shared with the tasks it makes
 * @users: the restarter and each task that runs in our code
 * @lock: protects @phase, @running, @called, @stop, @result, every child's
 *	state and leave, and the deferred work of one that leaves. Nests inside
 *	tasklist_lock, hence taken with interrupts off.
 * @wait: the restarter waits here for a child
 * @gate: tasks wait here between their deferred work and user mode
 * @nr_working: tasks that have not done their deferred work, and the restarter
 *	until the tree is let go: whoever is the last opens the gate
 * @open: the gate is open
 * @phase: see enum ckpt_phase
 * @ctx: valid while @phase is CKPT_PHASE_BUILD
 * @running: the child whose closure runs, or NULL; it has @ctx to itself, and
 *	what @next and the closures of children say
 * @next: the child whose closure is to run next, or NULL
 * @called: the child that was told last to run a closure
 * @stop: nobody is to run a closure any more
 * @result: of the last closure
 * @clocks: the machine's when the image was complete
 * @shift: what the clocks are off from @clocks since the tree was let go
 * @mm: the restarter's, to be compared only
 * @processes_made: the processes that need no creator exist
 * @tasks_made: all tasks exist
 * @children: struct ckpt_child by index
 * @pids: struct ckpt_child by pid
 * @groups: struct ckpt_group by number
 *
 * Everything is freed with the last user, so that a task can finish its
 * deferred work after restart(2) has returned.
 */
struct ckpt_restart {
	refcount_t users;
	spinlock_t lock; /* see above */
	wait_queue_head_t wait;
	wait_queue_head_t gate;
	atomic_t nr_working;
	bool open;
	enum ckpt_phase phase;
	struct ckpt_ctx *ctx;
	struct ckpt_child *running;
	struct ckpt_child *next;
	struct ckpt_child *called;
	bool stop;
	int result;
	struct ckpt_rec_clocks clocks;
	struct ckpt_shift shift;
	struct mm_struct *mm;
	bool processes_made;
	bool tasks_made;
	struct xarray children;
	struct xarray pids;
	struct xarray groups;
};

/**
 * struct ckpt_group - a session or process group of the tree
 * @nr: its number
 * @sid: the session of all its members; 0 is the restarter's
 * @leader: the process of that pid, or NULL if it is dead and reaped
 * @pid: without @leader: the pid, allocated without a task
 * @attached: a task keeps @pid alive
 */
struct ckpt_group {
	pid_t nr;
	pid_t sid;
	struct ckpt_child *leader;
	struct pid *pid;
	bool attached;
};

/**
 * struct ckpt_vfork - a task's wait for a child as in vfork()
 * @done: what the child completes; on the stack of the task that waits
 * @child: the child, referenced; NULL if there is none
 * @nr: its pid
 */
struct ckpt_vfork {
	struct completion done;
	struct task_struct *child;
	pid_t nr;
};

/**
 * struct ckpt_child - a task of the new tree
 * @restart: what it belongs to
 * @index: its place in the image
 * @rec: what the image says about it
 * @leader: leader of its thread group, possibly itself
 * @parent: the thread that is its parent, NULL for the root and for threads
 * @creator: the task that has to create it, NULL if the restarter does
 * @maker: whom all that share its memory come from, possibly itself
 * @time_ns: of a maker: what they have said of their time namespace, 0 at first
 * @pgrp: its process group, NULL if it is the restarter's
 * @session: its session, NULL if it is the restarter's
 * @nr_threads: of a leader: threads besides itself
 * @heir: of a leader: the first of them, NULL if there is none
 * @restored: its state has been read
 * @task: referenced, NULL before it is created
 * @wait: it waits here for work
 * @state: see enum ckpt_child_state
 * @vfork: on its stack, valid while @state is neither NONE nor GONE
 * @waits_in_vfork: it will wait for a child before it returns to user mode
 * @leave: it is to exit as the image says
 * @stops: it went ahead through the gate, to stop
 * @fn: closure to run
 * @arg: its argument
 * @deferred: struct ckpt_deferred to run when the tree is let go
 */
struct ckpt_child {
	struct ckpt_restart *restart;
	u32 index;
	struct ckpt_rec_tree_task rec;
	struct ckpt_child *leader;
	struct ckpt_child *parent;
	struct ckpt_child *creator;
	struct ckpt_child *maker;
	u32 time_ns;
	struct ckpt_group *pgrp;
	struct ckpt_group *session;
	u32 nr_threads;
	struct ckpt_child *heir;
	bool restored;
	struct task_struct *task;
	wait_queue_head_t wait;
	enum ckpt_child_state state;
	struct ckpt_vfork *vfork;
	bool waits_in_vfork;
	bool leave;
	bool stops;
	ckpt_closure_t fn;
	void *arg;
	struct list_head deferred;
};

static inline bool ckpt_child_is_thread(const struct ckpt_child *child)
{
	return child->rec.flags & CKPT_TASKF_THREAD;
}

/* Has little state besides its record; a dead leader may still have live threads. */
static inline bool ckpt_child_is_zombie(const struct ckpt_child *child)
{
	return child->rec.flags & CKPT_TASKF_ZOMBIE;
}

/* The whole process is dead. */
static inline bool ckpt_child_is_dead(const struct ckpt_child *child)
{
	return ckpt_child_is_zombie(child) && !child->nr_threads;
}

#define ckpt_for_each_child(r, index, child) \
	xa_for_each(&(r)->children, index, child)

/* restart_tree.c: reading and checking the description of the tree */
struct ckpt_restart *ckpt_restart_alloc(struct ckpt_ctx *ctx);
void ckpt_restart_put(struct ckpt_restart *r);
int ckpt_restart_read_tree(struct ckpt_ctx *ctx, u32 nr_tasks);

/* spawn.c: creating tasks and pids */
int ckpt_spawn_processes(struct ckpt_ctx *ctx);
int ckpt_spawn_rest(struct ckpt_ctx *ctx);
int ckpt_spawn_bury(struct ckpt_ctx *ctx, struct ckpt_child *child);

/* worker.c: what a task does between its creation and its release */
int ckpt_worker(void *arg);
int ckpt_run_in(struct ckpt_child *child, ckpt_closure_t fn, void *arg);
int ckpt_killed(struct ckpt_ctx *ctx, int err);
void ckpt_pass_to(struct ckpt_child *child, ckpt_closure_t fn, void *arg);
void ckpt_gate_passed(struct ckpt_restart *r);

/* clocks.c: what time has passed for the tree */
int ckpt_clocks_read(struct ckpt_ctx *ctx);
void ckpt_clocks_go_on(struct ckpt_restart *r);

/* vfork.c: parents that wait in vfork() */
void ckpt_vfork_init(struct ckpt_vfork *vfork);
void ckpt_vfork_wait(struct ckpt_vfork *vfork);
void ckpt_vfork_cancel(struct ckpt_vfork *vfork);

/* links.c: relations, and the point of no return */
int ckpt_commit(struct ckpt_ctx *ctx);

/* abort.c */
void ckpt_kill_child(struct ckpt_child *child);
void ckpt_abort(struct ckpt_ctx *ctx);

#endif /* _CHECKPOINT_RESTART_H */
