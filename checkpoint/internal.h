/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine's own definitions. Subsystems use <linux/checkpoint.h> only.
 */
#ifndef _CHECKPOINT_INTERNAL_H
#define _CHECKPOINT_INTERNAL_H

#include <linux/checkpoint.h>
#include <linux/path.h>
#include <linux/sched.h>
#include <linux/xarray.h>
#include <uapi/linux/checkpoint.h>

#include "image.h"
#include "log.h"
#include "objhash.h"

/**
 * struct ckpt_external - a declared external object
 * @key: its name
 * @file: checkpoint: what the tree shares; restart: what takes its place
 * @order: place in the caller's array
 */
struct ckpt_external {
	char *key;
	struct file *file;
	u32 order;
};

/**
 * struct ckpt_signals - what signals have done to a task that is to be killed
 * @own: pending for it
 * @shared: of a leader: pending for its process
 * @stopped: of a leader: its process is stopped
 */
struct ckpt_signals {
	struct ckpt_pending own;
	struct ckpt_pending shared;
	bool stopped;
};

/**
 * struct ckpt_task - one thread of the tree being checkpointed
 * @task: referenced
 * @leader: index of its thread group leader
 * @held: it is parked by us, or stopped, and may not leave before we let it go
 * @pinned: it may not die before we let it
 * @gen: wait_task_inactive() generation when it was found parked, 0 if it is
 *	dead or the checkpointer
 * @signals: CHECKPOINT_KILL: as they were before it was written
 * @rec: its CKPT_REC_TREE_TASK
 */
struct ckpt_task {
	struct task_struct *task;
	u32 leader;
	bool held;
	bool pinned;
	unsigned long gen;
	struct ckpt_signals signals;
	struct ckpt_rec_tree_task rec;
};

/**
 * struct ckpt_tree - tasks in the order of the image
 * @tasks: parents before children, leaders before their threads
 * @nr: their number
 * @slots: hash from task to index + 1, @mask + 1 slots; complete when the tree is
 * @mask: see @slots
 */
struct ckpt_tree {
	struct ckpt_task *tasks;
	u32 nr;
	u32 *slots;
	u32 mask;
};

#define ckpt_for_each_task(t, tree) \
	for (t = (tree)->tasks; t < (tree)->tasks + (tree)->nr; t++)

/* Where an xarray has what is kept for the object at @ptr. */
static inline unsigned long ckpt_ptr_index(const void *ptr)
{
	return (unsigned long)ptr / sizeof(long);
}

/**
 * struct ckpt_stats - where the time went; CLOCK_MONOTONIC in ns
 * @start: the call began
 * @frozen: the tree stood still
 * @collected: all objects were found
 * @contained: the leak check had passed
 * @written: the image was complete
 * @released: the tree was about to be let go
 */
struct ckpt_stats {
	u64 start;
	u64 frozen;
	u64 collected;
	u64 contained;
	u64 written;
	u64 released;
};

/**
 * struct ckpt_ctx - one checkpoint or restart
 * @flags: CHECKPOINT_* or RESTART_*
 * @id: what checkpoint(2) returns; it is in the image
 * @log: what goes to @log_file
 * @log_file: where the caller wants messages, or NULL
 * @objhash: shared objects, by pointer or by objref
 * @writer: image being written
 * @reader: image being read
 * @image_file: where it goes or comes from, NULL with CHECKPOINT_DRY_RUN
 * @externals: declared external objects
 * @nr_externals: number of @externals
 * @root: root directory of the caller; paths in the image start there
 * @cred: credentials of the caller
 * @pid_ns: pid namespace of the caller; pids in the image are numbers of it
 * @obj: the object being collected, written or restored
 * @whom_task: the task being collected, written or restored, referenced, or NULL
 * @whom_pid: its pid in @pid_ns, or 0
 * @whom: both as text, made when somebody asks for it
 * @bounce: copy buffer of the stream, or NULL
 * @text: scratch for messages
 * @owner: checkpoint: index of the task being collected
 * @root_task: checkpoint: leader of the root process, referenced
 * @tree: checkpoint: the tasks
 * @left_out: checkpoint: tasks that a dry run could not freeze
 * @stats: checkpoint: for the log
 * @restart: restart: the restarter's state
 * @cow: checkpoint: pages shared copy-on-write; ckpt_ctx_free() gives it to
 *	ckpt_cow_free(), ckpt_cow_slot() in ctx.c returns its address
 * @vdso: restart: likewise, the vdsos of the image that are not this kernel's
 */
struct ckpt_ctx {
	u64 flags;
	u32 id;
	struct ckpt_log log;
	struct file *log_file;
	struct ckpt_objhash objhash;
	struct ckpt_writer writer;
	struct ckpt_reader reader;
	struct file *image_file;
	struct ckpt_external *externals;
	u32 nr_externals;
	struct path root;
	const struct cred *cred;
	struct pid_namespace *pid_ns;
	struct ckpt_obj *obj;
	struct task_struct *whom_task;
	pid_t whom_pid;
	char whom[TASK_COMM_LEN + 32];
	void *bounce;

	char text[128];
	u32 owner;
	struct task_struct *root_task;
	struct ckpt_tree tree;
	struct xarray left_out;
	struct ckpt_stats stats;

	struct ckpt_restart *restart;
	struct ckpt_cow *cow;
	struct ckpt_foreign_vdso *vdso;
};

/* ctx.c */
struct ckpt_ctx *ckpt_ctx_alloc(u64 flags, fmode_t mode, int image_fd, int log_fd,
				const struct checkpoint_external __user *externals,
				u32 nr_externals);
void ckpt_ctx_free(struct ckpt_ctx *ctx);
void ckpt_set_whom(struct ckpt_ctx *ctx, struct task_struct *task);

/* obj.c: registration, lookup by type, the passes over objects */
const struct ckpt_obj_ops *ckpt_obj_ops_find(u32 type);
int ckpt_obj_collect_all(struct ckpt_ctx *ctx);	/* runs ops->collect() of each new object */
int ckpt_obj_contained(struct ckpt_ctx *ctx);	/* the leak check */
int ckpt_obj_write_all(struct ckpt_ctx *ctx);	/* in order of type */
int ckpt_obj_checkpointed(struct ckpt_ctx *ctx);	/* all collected ones were written */
int ckpt_obj_recheck(struct ckpt_ctx *ctx);	/* nobody took or dropped a reference since */
int ckpt_obj_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_obj *rec);

/* taskops.c: registration, iteration over parts of the task state */
int ckpt_task_collect(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_task_write(struct ckpt_ctx *ctx, u16 type, u32 index, struct task_struct *task);
int ckpt_task_read(struct ckpt_ctx *ctx, struct task_struct *dead);
int ckpt_task_read_dying(struct ckpt_ctx *ctx);

/* tree.c: which tasks there are, and how they are related */
int ckpt_tree_walk(struct ckpt_ctx *ctx, struct ckpt_tree *tree);
struct ckpt_task *ckpt_tree_find(const struct ckpt_tree *tree, const struct task_struct *task);
void ckpt_tree_free(struct ckpt_tree *tree);
int ckpt_tree_describe(struct ckpt_ctx *ctx);	/* fills the records; names what cannot be saved */
int ckpt_tree_write(struct ckpt_ctx *ctx);

/* freeze.c: holding the tree still */
int ckpt_freeze_tree(struct ckpt_ctx *ctx);	/* fills ctx->tree */
void ckpt_release_tree(struct ckpt_ctx *ctx);
#define CKPT_DISTURBED_MAX	100
bool ckpt_was_disturbed(unsigned int *left);
void ckpt_thaw_task(struct task_struct *task);
void ckpt_thaw_tree(struct ckpt_ctx *ctx);
int ckpt_freeze_recheck(struct ckpt_ctx *ctx);	/* nobody ran, nobody joined */
int ckpt_pin_task(struct ckpt_ctx *ctx, struct ckpt_task *t);
void ckpt_unpin_task(struct ckpt_task *t);

/* left_out.c: tasks that cannot be frozen, which a dry run does without */
__printf(3, 4) int ckpt_unfreezable(struct ckpt_ctx *ctx, int err, const char *fmt, ...);
int ckpt_leave_out(struct ckpt_ctx *ctx, struct task_struct *task, int err);
bool ckpt_is_left_out(struct ckpt_ctx *ctx, struct task_struct *task);
void ckpt_left_out_free(struct ckpt_ctx *ctx);

/* vfork.c: tasks that wait in vfork() */
bool ckpt_in_vfork(struct task_struct *task);
struct ckpt_task *ckpt_vfork_child(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_vfork_busy(struct ckpt_ctx *ctx, struct task_struct *task);

/* signals.c: CHECKPOINT_KILL */
void ckpt_signals_note(struct ckpt_ctx *ctx);
int ckpt_signals_recheck(struct ckpt_ctx *ctx);	/* none came since they were noted */

/* finish.c: what becomes of the tree after a successful checkpoint */
int ckpt_kill_tree(struct ckpt_ctx *ctx);
void ckpt_stop_tree(struct ckpt_ctx *ctx);

/* clocks.c: CKPT_REC_CLOCKS, when all else is written */
int ckpt_clocks_write(struct ckpt_ctx *ctx);

/* checkpoint.c: CKPT_REC_ARCH; -EOPNOTSUPP if this machine cannot run the image */
int ckpt_arch_write(struct ckpt_ctx *ctx);
int ckpt_arch_read(struct ckpt_ctx *ctx);

/* debug.c: where tests may stop a checkpoint */
enum ckpt_pause {
	CKPT_PAUSE_CONTAINED	= 1 << 0,	/* the leak check has passed, nothing is written */
	CKPT_PAUSE_WRITTEN	= 1 << 1,	/* all but the trailer is written */
	CKPT_PAUSE_COMPLETE	= 1 << 2,	/* so is the trailer, and what has to be is synced */
};

#ifdef CONFIG_CHECKPOINT_DEBUG
void ckpt_pause(enum ckpt_pause where);
#else
static inline void ckpt_pause(enum ckpt_pause where)
{
}
#endif

/* checkpoint.c, restart.c: the coordinators */
long ckpt_do_checkpoint(struct ckpt_ctx *ctx);
long ckpt_do_restart(struct ckpt_ctx *ctx);

/* stream.c: the image over a struct file */
int ckpt_stream_open_write(struct ckpt_ctx *ctx);
int ckpt_stream_open_read(struct ckpt_ctx *ctx);
int ckpt_stream_trailer(struct ckpt_ctx *ctx);	/* writes it and flushes; or reads and checks it */
bool ckpt_stream_is_file(const struct ckpt_ctx *ctx);
int ckpt_stream_sync(struct ckpt_ctx *ctx);
void ckpt_stream_close(struct ckpt_ctx *ctx);

#endif /* _CHECKPOINT_INTERNAL_H */
