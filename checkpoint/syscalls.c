// SPDX-License-Identifier: GPL-2.0
/*
 * The system calls checkpoint(2) and restart(2): their arguments, and nothing
 * else. See include/uapi/linux/checkpoint.h.
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include "internal.h"

#define CKPT_CHECKPOINT_FLAGS						\
	(CHECKPOINT_SUBTREE | CHECKPOINT_DRY_RUN | CHECKPOINT_KILL |	\
	 CHECKPOINT_STOP | CHECKPOINT_SHELL_JOB | CHECKPOINT_DROP_KEYRINGS)
#define CKPT_RESTART_FLAGS						\
	(RESTART_STOPPED | RESTART_SHELL_JOB | RESTART_NO_TIME_NAMESPACE |	\
	 RESTART_KEEP_LSM | RESTART_CHANGED_FILES)

static atomic_t ckpt_last_id = ATOMIC_INIT(0);

static void __maybe_unused ckpt_build_check_abi(void)
{
	BUILD_BUG_ON(sizeof(struct checkpoint_args) != CHECKPOINT_ARGS_SIZE_VER0);
	BUILD_BUG_ON(offsetof(struct checkpoint_args, pid) != 8);
	BUILD_BUG_ON(offsetof(struct checkpoint_args, pidfd) != 12);
	BUILD_BUG_ON(offsetof(struct checkpoint_args, image_fd) != 16);
	BUILD_BUG_ON(offsetof(struct checkpoint_args, log_fd) != 20);
	BUILD_BUG_ON(offsetof(struct checkpoint_args, externals) != 24);
	BUILD_BUG_ON(offsetof(struct checkpoint_args, nr_externals) != 32);
	BUILD_BUG_ON(offsetofend(struct checkpoint_args, reserved) !=
		     sizeof(struct checkpoint_args));
	BUILD_BUG_ON(sizeof(struct restart_args) != RESTART_ARGS_SIZE_VER0);
	BUILD_BUG_ON(offsetof(struct restart_args, image_fd) != 8);
	BUILD_BUG_ON(offsetof(struct restart_args, log_fd) != 12);
	BUILD_BUG_ON(offsetof(struct restart_args, externals) != 16);
	BUILD_BUG_ON(offsetof(struct restart_args, nr_externals) != 24);
	BUILD_BUG_ON(offsetofend(struct restart_args, reserved) != sizeof(struct restart_args));
	BUILD_BUG_ON(sizeof(struct checkpoint_external) != 16);
	BUILD_BUG_ON(__NR_checkpoint != __NR_checkpoint_x86_64);
	BUILD_BUG_ON(__NR_restart != __NR_restart_x86_64);
}

static int ckpt_copy_args(void *args, size_t size, size_t min, const void __user *uargs,
			  size_t usize)
{
	if (usize < min)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(args, size, uargs, usize);
}

static bool ckpt_single_outcome(u64 flags)
{
	return hweight64(flags & (CHECKPOINT_DRY_RUN | CHECKPOINT_KILL | CHECKPOINT_STOP)) <= 1;
}

static int ckpt_check_checkpoint(const struct checkpoint_args *args)
{
	bool dry_run = args->flags & CHECKPOINT_DRY_RUN;

	if (args->flags & ~CKPT_CHECKPOINT_FLAGS || !ckpt_single_outcome(args->flags))
		return -EINVAL;
	if (args->reserved || args->nr_externals > CHECKPOINT_EXTERNAL_MAX || args->log_fd < -1)
		return -EINVAL;
	if (args->pid < -1 || (args->pid != -1 && args->pidfd != -1))
		return -EINVAL;
	if (dry_run)
		return args->image_fd == -1 ? 0 : -EINVAL;
	return args->image_fd < 0 ? -EBADF : 0;
}

static int ckpt_check_restart(const struct restart_args *args)
{
	if (args->flags & ~CKPT_RESTART_FLAGS || args->reserved)
		return -EINVAL;
	if (args->nr_externals > CHECKPOINT_EXTERNAL_MAX || args->log_fd < -1)
		return -EINVAL;
	return args->image_fd < 0 ? -EBADF : 0;
}

static struct pid *ckpt_get_pid(const struct checkpoint_args *args)
{
	unsigned int flags;
	struct pid *pid;

	if (args->pid == -1)
		return pidfd_get_pid(args->pidfd, &flags);
	if (!args->pid)
		return get_task_pid(current, PIDTYPE_TGID);
	pid = find_get_pid(args->pid);
	return pid ?: ERR_PTR(-ESRCH);
}

/* The root as a process: -ESRCH if it is gone, -EINVAL if it is but a thread. */
static struct task_struct *ckpt_get_root(const struct checkpoint_args *args)
{
	struct task_struct *task;
	struct pid *pid;

	pid = ckpt_get_pid(args);
	if (IS_ERR(pid))
		return ERR_CAST(pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	if (!thread_group_leader(task)) {
		put_task_struct(task);
		return ERR_PTR(-EINVAL);
	}
	return task;
}

/**
 * sys_checkpoint() - Save a tree of processes
 * @uargs: struct checkpoint_args
 * @usize: its size as the caller knows it
 *
 * Return: the id of the checkpoint, from 1; 0 for CHECKPOINT_DRY_RUN, and in a
 * task that was restarted from its own checkpoint; or an errno, see DOC: errno
 * vocabulary.
 */
SYSCALL_DEFINE2(checkpoint, struct checkpoint_args __user *, uargs, size_t, usize)
{
	struct checkpoint_args args;
	struct task_struct *root;
	struct ckpt_ctx *ctx;
	long ret;

	ret = ckpt_copy_args(&args, sizeof(args), CHECKPOINT_ARGS_SIZE_VER0, uargs, usize);
	if (!ret)
		ret = ckpt_check_checkpoint(&args);
	if (ret)
		return ret;
	root = ckpt_get_root(&args);
	if (IS_ERR(root))
		return PTR_ERR(root);
	ctx = ckpt_ctx_alloc(args.flags, FMODE_WRITE, args.image_fd, args.log_fd,
			     u64_to_user_ptr(args.externals), args.nr_externals);
	if (IS_ERR(ctx)) {
		put_task_struct(root);
		return PTR_ERR(ctx);
	}

	ctx->root_task = root;
	if (!ckpt_dry_run(ctx))
		ctx->id = atomic_inc_return(&ckpt_last_id) & INT_MAX;
	ret = ckpt_log_explain(ctx, ckpt_do_checkpoint(ctx), "saving", "the tree");
	ckpt_log_drain(ctx);
	ckpt_ctx_free(ctx);
	return ret;
}

/**
 * sys_restart() - Bring a tree of processes back
 * @uargs: struct restart_args
 * @usize: its size as the caller knows it
 *
 * Return: pid of the root in the caller's pid namespace, or an errno, see DOC:
 * errno vocabulary.
 */
SYSCALL_DEFINE2(restart, struct restart_args __user *, uargs, size_t, usize)
{
	struct restart_args args;
	struct ckpt_ctx *ctx;
	long ret;

	ret = ckpt_copy_args(&args, sizeof(args), RESTART_ARGS_SIZE_VER0, uargs, usize);
	if (!ret)
		ret = ckpt_check_restart(&args);
	if (ret)
		return ret;
	ctx = ckpt_ctx_alloc(args.flags, FMODE_READ, args.image_fd, args.log_fd,
			     u64_to_user_ptr(args.externals), args.nr_externals);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);

	ret = ckpt_stream_open_read(ctx);
	if (!ret)
		ret = ckpt_do_restart(ctx);
	ckpt_stream_close(ctx);
	ckpt_log_explain(ctx, ret, "restoring", "the tree");
	ckpt_log_drain(ctx);
	ckpt_ctx_free(ctx);
	return ret;
}
