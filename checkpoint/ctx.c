// SPDX-License-Identifier: GPL-2.0
/*
 * The context of one checkpoint or restart: what the caller gave, and what the
 * subsystems may ask for.
 */
#include <linux/bsearch.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "internal.h"

static int ckpt_get_image(struct ckpt_ctx *ctx, int fd, fmode_t mode)
{
	struct file *file = fget(fd);
	umode_t type;

	ctx->image_file = file;
	if (!file || !(file->f_mode & mode))
		return ckpt_err(ctx, -EBADF, "image_fd %d: is not open for %s", fd,
				mode == FMODE_WRITE ? "writing" : "reading");
	type = file_inode(file)->i_mode & S_IFMT;
	if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
		return ckpt_err(ctx, -EINVAL, "image_fd %d: is no regular file, pipe or socket",
				fd);
	return 0;
}

static int ckpt_get_log(struct ckpt_ctx *ctx, int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return -EBADF;
	if (!(file->f_mode & FMODE_WRITE)) {
		fput(file);
		return -EBADF;
	}
	ctx->log_file = file;
	return 0;
}

static int ckpt_external_cmp_key(const void *a, const void *b)
{
	const struct ckpt_external *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* The first one declared for a file gives it its name. */
static int ckpt_external_cmp_file(const void *a, const void *b)
{
	const struct ckpt_external *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int ckpt_get_external(struct ckpt_ctx *ctx, struct ckpt_external *ext,
			     const struct checkpoint_external __user *uext)
{
	struct checkpoint_external args;
	char *key;

	if (copy_from_user(&args, uext, sizeof(args)))
		return -EFAULT;
	if (args.reserved)
		return ckpt_err(ctx, -EINVAL, "external %u: reserved is not 0", ext->order);
	key = strndup_user(u64_to_user_ptr(args.key), CHECKPOINT_KEY_MAX);
	if (IS_ERR(key))
		return PTR_ERR(key);
	ext->key = key;
	if (!*key)
		return ckpt_err(ctx, -EINVAL, "external %u: its key is empty", ext->order);
	ext->file = fget_raw(args.fd);
	if (!ext->file)
		return ckpt_err(ctx, -EBADF, "external %s: fd %d is not open", key, args.fd);
	return 0;
}

static int ckpt_check_keys(struct ckpt_ctx *ctx)
{
	u32 i;

	for (i = 1; i < ctx->nr_externals; i++)
		if (!strcmp(ctx->externals[i - 1].key, ctx->externals[i].key))
			return ckpt_err(ctx, -EINVAL, "external %s: is declared twice",
					ctx->externals[i].key);
	return 0;
}

static int ckpt_get_externals(struct ckpt_ctx *ctx, const struct checkpoint_external __user *uext,
			      u32 nr, bool by_file)
{
	u32 i;
	int err;

	if (!nr)
		return 0;
	ctx->externals = kvcalloc(nr, sizeof(*ctx->externals), GFP_KERNEL_ACCOUNT);
	if (!ctx->externals)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		ctx->nr_externals = i + 1;
		ctx->externals[i].order = i;
		err = ckpt_get_external(ctx, &ctx->externals[i], &uext[i]);
		if (err)
			return err;
	}

	sort(ctx->externals, nr, sizeof(*ctx->externals), ckpt_external_cmp_key, NULL);
	err = ckpt_check_keys(ctx);
	if (!err && by_file)
		sort(ctx->externals, nr, sizeof(*ctx->externals), ckpt_external_cmp_file, NULL);
	return err;
}

static void ckpt_put_externals(struct ckpt_ctx *ctx)
{
	u32 i;

	for (i = 0; i < ctx->nr_externals; i++) {
		kfree(ctx->externals[i].key);
		if (ctx->externals[i].file)
			fput(ctx->externals[i].file);
	}
	kvfree(ctx->externals);
}

/* The log first, to have a place for what there is to say about the others. */
static int ckpt_ctx_get_files(struct ckpt_ctx *ctx, int image_fd, fmode_t mode, int log_fd)
{
	int err = 0;

	if (log_fd != -1)
		err = ckpt_get_log(ctx, log_fd);
	if (!err && image_fd != -1)
		err = ckpt_get_image(ctx, image_fd, mode);
	return err;
}

/**
 * ckpt_ctx_alloc() - Make the context of a call
 * @flags: CHECKPOINT_* or RESTART_*
 * @mode: FMODE_WRITE for a checkpoint, FMODE_READ for a restart
 * @image_fd: descriptor of the image, or -1
 * @log_fd: descriptor of the log, or -1
 * @externals: the caller's array
 * @nr_externals: its length, already checked
 *
 * Context: System call of the caller; may sleep.
 * Return: the context, or an ERR_PTR: -ENOMEM; -EFAULT; -EBADF if a descriptor
 * is not open or not open for its use; -EINVAL if the image is no file, pipe or
 * socket, or if an external object is not valid or declared twice.
 */
struct ckpt_ctx *ckpt_ctx_alloc(u64 flags, fmode_t mode, int image_fd, int log_fd,
				const struct checkpoint_external __user *externals,
				u32 nr_externals)
{
	struct ckpt_ctx *ctx;
	int err;

	ctx = kvzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx) {
		ckpt_log_no_memory(log_fd);
		return ERR_PTR(-ENOMEM);
	}
	ctx->flags = flags;
	ctx->owner = CKPT_TASK_NONE;
	ckpt_log_init(&ctx->log);
	ckpt_objhash_init(&ctx->objhash);
	xa_init(&ctx->left_out);
	get_fs_root(current->fs, &ctx->root);
	ctx->cred = get_current_cred();
	ctx->pid_ns = get_pid_ns(task_active_pid_ns(current));

	err = ckpt_ctx_get_files(ctx, image_fd, mode, log_fd);
	if (!err)
		err = ckpt_get_externals(ctx, externals, nr_externals, mode == FMODE_WRITE);
	if (err) {
		ckpt_log_explain(ctx, err, "reading", "the arguments");
		ckpt_log_drain(ctx);
		ckpt_ctx_free(ctx);
		return ERR_PTR(err);
	}
	return ctx;
}

/**
 * ckpt_ctx_free() - Let a context go, with all references it holds
 * @ctx: the context
 *
 * Context: May sleep.
 */
void ckpt_ctx_free(struct ckpt_ctx *ctx)
{
	ckpt_set_whom(ctx, NULL);
	ckpt_objhash_destroy(&ctx->objhash);
	ckpt_left_out_free(ctx);
	ckpt_cow_free(ctx->cow);
	ckpt_arch_vdso_free(ctx->vdso);
	ckpt_tree_free(&ctx->tree);
	if (ctx->root_task)
		put_task_struct(ctx->root_task);
	ckpt_put_externals(ctx);
	if (ctx->image_file)
		fput(ctx->image_file);
	if (ctx->log_file)
		fput(ctx->log_file);
	put_pid_ns(ctx->pid_ns);
	put_cred(ctx->cred);
	path_put(&ctx->root);
	ckpt_log_destroy(&ctx->log);
	kvfree(ctx);
}

/**
 * ckpt_set_whom() - Say whose state is being worked on
 * @ctx: the context
 * @task: that task, or NULL
 */
void ckpt_set_whom(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct task_struct *last = ctx->whom_task;

	if (task == last)
		return;
	ctx->whom_task = task ? get_task_struct(task) : NULL;
	/* a task that is reaped meanwhile loses its pid */
	ctx->whom_pid = task ? task_pid_nr_ns(task, ctx->pid_ns) : 0;
	if (last)
		put_task_struct(last);
}

/**
 * ckpt_whom() - The task that is being collected, saved or restored
 * @ctx: the context
 *
 * Return: "pid 123 (name)", or "" while no task is being worked on.
 */
const char *ckpt_whom(struct ckpt_ctx *ctx)
{
	char comm[TASK_COMM_LEN];

	if (!ctx->whom_task)
		return "";
	strscpy(comm, ctx->whom_task->comm);
	scnprintf(ctx->whom, sizeof(ctx->whom), "pid %d (%s)", ctx->whom_pid, comm);
	return ctx->whom;
}

/**
 * ckpt_dry_run() - Is this a checkpoint that only lists obstacles?
 * @ctx: the context of a checkpoint
 *
 * Return: whether CHECKPOINT_DRY_RUN was given.
 */
bool ckpt_dry_run(struct ckpt_ctx *ctx)
{
	return ctx->flags & CHECKPOINT_DRY_RUN;
}

/**
 * ckpt_image_flags() - What the image's header says about the checkpoint
 * @ctx: the context of a checkpoint
 *
 * Return: CKPT_IMAGE_*
 */
u64 ckpt_image_flags(struct ckpt_ctx *ctx)
{
	u64 flags = 0;

	if (ctx->flags & CHECKPOINT_SUBTREE)
		flags |= CKPT_IMAGE_SUBTREE;
	if (ctx->flags & CHECKPOINT_SHELL_JOB)
		flags |= CKPT_IMAGE_SHELL_JOB;
	if (ckpt_task_collected(ctx, current))
		flags |= CKPT_IMAGE_SELF;
	return flags;
}

/**
 * ckpt_pid_nr() - The number by which the image knows a pid
 * @ctx: the context
 * @pid: the pid
 *
 * Return: the number, or 0 if the caller's pid namespace does not have it.
 */
pid_t ckpt_pid_nr(struct ckpt_ctx *ctx, struct pid *pid)
{
	return pid_nr_ns(pid, ctx->pid_ns);
}

/**
 * ckpt_flags() - What the caller has asked for
 * @ctx: the context
 *
 * Return: CHECKPOINT_* or RESTART_*.
 */
u64 ckpt_flags(struct ckpt_ctx *ctx)
{
	return ctx->flags;
}

/**
 * ckpt_root() - Where the caller's paths start
 * @ctx: the context
 *
 * Return: root directory of the caller, borrowed.
 */
const struct path *ckpt_root(struct ckpt_ctx *ctx)
{
	return &ctx->root;
}

/**
 * ckpt_caller_capable() - Had the caller a capability in its user namespace?
 * @ctx: the context
 * @cap: CAP_*
 *
 * For parts that are restored after the credentials of their task, and grant
 * what the caller of restart(2) is entitled to.
 *
 * Return: whether it had.
 */
bool ckpt_caller_capable(struct ckpt_ctx *ctx, int cap)
{
	return !security_capable(ctx->cred, ctx->cred->user_ns, cap, CAP_OPT_NOAUDIT);
}

/**
 * ckpt_cow_slot() - Where the memory code keeps its copy-on-write bookkeeping
 * @ctx: the context of a checkpoint
 *
 * Return: address of a pointer that ckpt_ctx_free() passes to ckpt_cow_free().
 */
struct ckpt_cow **ckpt_cow_slot(struct ckpt_ctx *ctx)
{
	return &ctx->cow;
}

/**
 * ckpt_vdso_slot() - Where the architecture keeps the vdsos of an image
 * @ctx: the context of a restart
 *
 * Return: address of a pointer that ckpt_ctx_free() passes to
 * ckpt_arch_vdso_free().
 */
struct ckpt_foreign_vdso **ckpt_vdso_slot(struct ckpt_ctx *ctx)
{
	return &ctx->vdso;
}

/**
 * ckpt_external_key() - The name under which a file was declared external
 * @ctx: the context of a checkpoint
 * @file: an open file
 *
 * Return: the name, borrowed, or NULL if the file was not declared.
 */
const char *ckpt_external_key(struct ckpt_ctx *ctx, struct file *file)
{
	u32 low = 0, high = ctx->nr_externals;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (ctx->externals[mid].file < file)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == ctx->nr_externals || ctx->externals[low].file != file)
		return NULL;
	return ctx->externals[low].key;
}

/**
 * ckpt_external_file() - What takes the place of an external file
 * @ctx: the context of a restart
 * @key: its name, not trusted and not terminated
 * @len: length of @key
 *
 * Return: the file, borrowed, or NULL if the caller named none.
 */
struct file *ckpt_external_file(struct ckpt_ctx *ctx, const char *key, size_t len)
{
	char name[CHECKPOINT_KEY_MAX] = "";
	struct ckpt_external search = { .key = name }, *found;

	len = strnlen(key, len);
	if (!ctx->nr_externals || !len || len >= sizeof(name))
		return NULL;
	memcpy(name, key, len);
	found = bsearch(&search, ctx->externals, ctx->nr_externals, sizeof(search),
			ckpt_external_cmp_key);
	return found ? found->file : NULL;
}
