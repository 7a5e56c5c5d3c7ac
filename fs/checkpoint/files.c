// SPDX-License-Identifier: GPL-2.0
/*
 * files_struct: descriptor tables.
 */
#include <linux/capability.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/init_task.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/shmem_fs.h>

#include "internal.h"

/* The next open descriptor from *@fd on; its file is referenced. */
static struct file *next_fd(struct files_struct *files, unsigned int *fd, bool *cloexec)
{
	struct file *file = NULL;
	struct fdtable *fdt;

	spin_lock(&files->file_lock);
	fdt = files_fdtable(files);
	*fd = find_next_bit(fdt->open_fds, fdt->max_fds, *fd);
	for (; *fd < fdt->max_fds; (*fd)++) {
		file = files_lookup_fd_locked(files, *fd);
		if (file)
			break;
	}
	if (file) {
		get_file(file);
		*cloexec = close_on_exec(*fd, files);
	}
	spin_unlock(&files->file_lock);
	return file;
}

static int files_collect(struct ckpt_ctx *ctx, void *ptr)
{
	struct files_struct *files = ptr;
	struct file *file;
	unsigned int fd;
	bool cloexec;
	int ret = 0;

	for (fd = 0; ret >= 0 && (file = next_fd(files, &fd, &cloexec)); fd++) {
		ret = ckpt_obj_collect(ctx, file, &ckpt_file_obj_ops);
		fput(file);
	}
	return ret < 0 ? ret : 0;
}

static int write_fds(struct ckpt_ctx *ctx, struct files_struct *files)
{
	struct ckpt_rec_files_fd rec = {};
	struct file *file;
	bool cloexec;
	int ret = 0;

	for (; ret >= 0 && (file = next_fd(files, &rec.fd, &cloexec)); rec.fd++) {
		ret = ckpt_obj_ref(ctx, file, &ckpt_file_obj_ops);
		fput(file);
		if (ret < 0)
			break;
		rec.objref = ret;
		rec.flags = cloexec ? CKPT_FD_CLOEXEC : 0;
		ret = ckpt_write(ctx, CKPT_REC_FILES_FD, &rec, sizeof(rec));
	}
	return ret;
}

/* Also those on external files: the table owns them, not the file. */
static int write_locks(struct ckpt_ctx *ctx, struct files_struct *files)
{
	struct file *file;
	unsigned int fd;
	bool cloexec;
	int err = 0;

	for (fd = 0; !err && (file = next_fd(files, &fd, &cloexec)); fd++) {
		err = ckpt_locks_write(ctx, file, files);
		fput(file);
	}
	return err;
}

static int files_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct files_struct *files = ptr;
	struct ckpt_rec_files rec = {};
	struct file *file;
	unsigned int fd;
	bool cloexec;
	int err;

	for (fd = 0; (file = next_fd(files, &fd, &cloexec)); fd++) {
		fput(file);
		rec.nr_fds++;
	}
	err = ckpt_write(ctx, CKPT_REC_FILES, &rec, sizeof(rec));
	if (!err)
		err = write_fds(ctx, files);
	return err ?: write_locks(ctx, files);
}

/*
 * A descriptor above the soft limit is legal (the limit was lowered later, and
 * is restored later here). Above the hard limit takes what raising it takes.
 */
static int check_limit(struct ckpt_ctx *ctx, unsigned int fd)
{
	if (fd < rlimit_max(RLIMIT_NOFILE) || capable(CAP_SYS_RESOURCE))
		return 0;
	return ckpt_err(ctx, -EMFILE, "%s: fd %u is above the limit of open files (%lu)",
			ckpt_whom(ctx), fd, rlimit_max(RLIMIT_NOFILE));
}

/*
 * Anonymous and System V shared memory are files that nobody has opened: what leads
 * to a descriptor of them is /proc/PID/map_files, and this is what it demands.
 */
static int check_memory(struct ckpt_ctx *ctx, unsigned int fd, struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!IS_PRIVATE(inode) || (!shmem_mapping(inode->i_mapping) && !is_file_hugepages(file)))
		return 0;
	if (checkpoint_restore_ns_capable(&init_user_ns))
		return 0;
	return ckpt_err(ctx, -EPERM, "%s: fd %u: no right to open memory that is no file",
			ckpt_whom(ctx), fd);
}

static int read_fd(struct ckpt_ctx *ctx, struct files_struct *files, unsigned int *min_fd)
{
	struct ckpt_rec_files_fd rec;
	struct file *file;
	int err;

	err = ckpt_read(ctx, CKPT_REC_FILES_FD, &rec, sizeof(rec));
	if (err)
		return err;
	if (rec.fd < *min_fd || rec.fd >= INT_MAX || (rec.flags & ~CKPT_FD_CLOEXEC) || rec.pad)
		return ckpt_err(ctx, -EINVAL, "%s: malformed descriptor %u", ckpt_whom(ctx),
				rec.fd);
	err = check_limit(ctx, rec.fd);
	if (err)
		return err;
	file = ckpt_obj_fetch(ctx, rec.objref, &ckpt_file_obj_ops);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = check_memory(ctx, rec.fd, file);
	if (err)
		return err;
	err = files_replace_fd(files, rec.fd, file,
			       rec.flags & CKPT_FD_CLOEXEC ? O_CLOEXEC : 0);
	if (err)
		return ckpt_err(ctx, err, "%s: fd %u cannot be installed", ckpt_whom(ctx), rec.fd);
	*min_fd = rec.fd + 1;
	return 0;
}

/* The table of the kernel's own threads, which is empty, gives an empty one. */
static struct files_struct *empty_table(void)
{
	struct files_struct *files = dup_fd(&init_files, NULL);

	if (!IS_ERR(files) && WARN_ON_ONCE(!bitmap_empty(files->open_fds_init, NR_OPEN_DEFAULT))) {
		put_files_struct(files);
		return ERR_PTR(-EBUSY);
	}
	return files;
}

static void *files_restore(struct ckpt_ctx *ctx)
{
	struct files_struct *files;
	struct ckpt_rec_files rec;
	unsigned int min_fd = 0;
	int err;

	err = ckpt_read(ctx, CKPT_REC_FILES, &rec, sizeof(rec));
	if (err)
		return ERR_PTR(err);
	if (rec.pad)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed descriptor table"));

	files = empty_table();
	if (IS_ERR(files))
		return files;
	/* grows as descriptors really arrive, whatever the image promises */
	while (!err && rec.nr_fds--)
		err = read_fd(ctx, files, &min_fd);
	if (!err)
		err = ckpt_locks_restore(ctx, NULL, files);
	if (err) {
		put_files_struct(files);
		return ERR_PTR(err);
	}
	return files;
}

static void files_grab(void *ptr)
{
	struct files_struct *files = ptr;

	atomic_inc(&files->count);
}

static void files_drop(void *ptr)
{
	put_files_struct(ptr);
}

static long files_users(void *ptr)
{
	struct files_struct *files = ptr;

	return atomic_read(&files->count);
}

static int files_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	return ckpt_find_sharer(ctx, offsetof(struct task_struct, files), ptr,
				"shared descriptor table", holder);
}

const struct ckpt_obj_ops ckpt_files_obj_ops = {
	.obj_name = "files_struct",
	.obj_type = CKPT_OBJ_FILES,
	.stage = CKPT_STAGE_TASK,
	.ref_grab = files_grab,
	.ref_drop = files_drop,
	.ref_users = files_users,
	.find_holder = files_find_holder,
	.collect = files_collect,
	.checkpoint = files_checkpoint,
	.restore = files_restore,
};

static int task_files_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int ret;

	if (!task->files)
		return 0;
	ret = ckpt_obj_collect(ctx, task->files, &ckpt_files_obj_ops);
	return ret < 0 ? ret : 0;
}

static int task_files_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	if (!task->files)
		return 0;
	return ckpt_task_write_ref(ctx, CKPT_REC_TASK_FILES, task->files, &ckpt_files_obj_ops);
}

static int task_files_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *task_rec)
{
	struct files_struct *files = ckpt_task_fetch_ref(ctx, task_rec, &ckpt_files_obj_ops);

	if (IS_ERR(files))
		return PTR_ERR(files);

	atomic_inc(&files->count);
	task_lock(current);
	swap(current->files, files);
	task_unlock(current);
	if (files)
		put_files_struct(files);
	return 0;
}

static const struct ckpt_task_ops task_files_ops = {
	.name = "descriptor table",
	.rec_type = CKPT_REC_TASK_FILES,
	.collect = task_files_collect,
	.checkpoint = task_files_checkpoint,
	.restore = task_files_restore,
};

static int __init ckpt_files_init(void)
{
	return ckpt_register_obj(&ckpt_files_obj_ops) ?:
	       ckpt_register_task_ops(&task_files_ops);
}
fs_initcall(ckpt_files_init);
