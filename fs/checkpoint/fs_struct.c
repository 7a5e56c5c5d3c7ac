// SPDX-License-Identifier: GPL-2.0
/*
 * fs_struct: current directory, root directory and umask.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/init.h>
#include <linux/namei.h>
#include <linux/sched/task.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/stat.h>

#include "internal.h"

static int check_dir(struct ckpt_ctx *ctx, const struct path *path, const char *what, char *buf)
{
	const char *why = ckpt_path_obstacle(ctx, path, buf);
	const char *name;

	if (IS_ERR_OR_NULL(why))
		return PTR_ERR_OR_ZERO(why);
	name = d_path(path, buf, PATH_MAX);
	return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s directory %s: %s", ckpt_whom(ctx), what,
			   IS_ERR(name) ? "?" : name, why);
}

static int fs_collect(struct ckpt_ctx *ctx, void *ptr)
{
	struct fs_struct *fs = ptr;
	struct path pwd, root;
	char *buf;
	int err;

	if (fs->in_exec)
		return ckpt_err(ctx, -EBUSY, "%s: is executing a program", ckpt_whom(ctx));
	buf = __getname();
	if (!buf)
		return -ENOMEM;
	get_fs_pwd(fs, &pwd);
	get_fs_root(fs, &root);
	err = check_dir(ctx, &pwd, "current", buf);
	if (!err)
		err = check_dir(ctx, &root, "root", buf);
	path_put(&root);
	path_put(&pwd);
	__putname(buf);
	return err;
}

/* One of the two directories, as it is written */
struct dir {
	struct path path;
	char *buf;
	char *name;
	u64 ino;
};

static void put_dir(struct dir *dir)
{
	path_put(&dir->path);
	if (dir->buf)
		__putname(dir->buf);
}

static int name_dir(struct ckpt_ctx *ctx, struct dir *dir)
{
	struct kstat stat;
	int err;

	dir->buf = __getname();
	if (!dir->buf)
		return -ENOMEM;
	dir->name = ckpt_path_get(ctx, &dir->path, dir->buf);
	if (IS_ERR(dir->name))
		return ckpt_err(ctx, -EAGAIN, "a current directory moved during the checkpoint");
	err = ckpt_path_stat(ctx, &dir->path, dir->name, &stat);
	if (!err)
		dir->ino = stat.ino;
	return err;
}

static int fs_write(struct ckpt_ctx *ctx, struct fs_struct *fs, const struct dir *cwd,
		    const struct dir *root)
{
	const struct ckpt_fs_inodes inodes = { .cwd = cwd->ino, .root = root->ino };
	struct ckpt_rec_fs rec = {
		.umask = fs->umask,
		.cwd_len = strlen(cwd->name),
		.root_len = strlen(root->name),
	};
	size_t len = rec.cwd_len + rec.root_len;
	char *tail;
	int err;

	tail = kmalloc(len + sizeof(inodes), GFP_KERNEL);
	if (!tail)
		return -ENOMEM;
	memcpy(tail, cwd->name, rec.cwd_len);
	memcpy(tail + rec.cwd_len, root->name, rec.root_len);
	memcpy(tail + len, &inodes, sizeof(inodes));
	err = ckpt_write2(ctx, CKPT_REC_FS, &rec, sizeof(rec), tail, len + sizeof(inodes));
	kfree(tail);
	return err;
}

static int fs_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct dir cwd = {}, root = {};
	struct fs_struct *fs = ptr;
	int err;

	get_fs_pwd(fs, &cwd.path);
	get_fs_root(fs, &root.path);
	err = name_dir(ctx, &cwd);
	if (!err)
		err = name_dir(ctx, &root);
	if (!err)
		err = fs_write(ctx, fs, &cwd, &root);
	put_dir(&root);
	put_dir(&cwd);
	return err;
}

/* A directory, with the same right that chdir(2) and chroot(2) ask for. */
static int find_dir(struct ckpt_ctx *ctx, const void *data, size_t len, u64 ino,
		    struct path *path)
{
	char *name;
	int err;

	name = ckpt_path_from_image(ctx, data, len);
	if (IS_ERR(name))
		return PTR_ERR(name);
	err = ckpt_path_lookup(ctx, name, path);
	if (err) {
		err = ckpt_err(ctx, err, "directory %s: cannot be found", name);
		goto out;
	}
	err = -ENOTDIR;
	if (S_ISDIR(d_inode(path->dentry)->i_mode))
		err = path_permission(path, MAY_EXEC | MAY_CHDIR);
	if (err)
		ckpt_err(ctx, err, "directory %s: cannot be entered", name);
	else
		err = ckpt_path_warn_replaced(ctx, path, name, ino);
	if (err)
		path_put(path);
out:
	ckpt_path_put(name);
	return err;
}

/* What chroot(2) demands of another root directory. */
static int chroot_allowed(struct ckpt_ctx *ctx, const struct path *path)
{
	int err;

	if (!ns_capable(current_user_ns(), CAP_SYS_CHROOT))
		return ckpt_err(ctx, -EPERM, "changing the root directory needs CAP_SYS_CHROOT");
	err = security_path_chroot(path);
	if (err)
		return ckpt_err(ctx, err, "root directory %pd4: not allowed", path->dentry);
	return 0;
}

static int set_dirs(struct ckpt_ctx *ctx, struct fs_struct *fs, const struct ckpt_rec_fs *rec,
		    const void *paths, const struct ckpt_fs_inodes *inodes)
{
	struct path path;
	int err;

	err = find_dir(ctx, paths, rec->cwd_len, inodes->cwd, &path);
	if (err)
		return err;
	set_fs_pwd(fs, &path);
	path_put(&path);

	err = find_dir(ctx, paths + rec->cwd_len, rec->root_len, inodes->root, &path);
	if (err)
		return err;
	if (!path_equal(&path, &fs->root))
		err = chroot_allowed(ctx, &path);
	if (!err)
		set_fs_root(fs, &path);
	path_put(&path);
	return err;
}

static void *fs_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_fs_inodes inodes = {};
	struct ckpt_rec_fs rec;
	struct fs_struct *fs;
	const void *paths;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_FS, &rec, sizeof(rec), &paths, &len);
	if (err)
		return ERR_PTR(err);
	if (rec.pad || (rec.umask & ~0777) || rec.cwd_len > len ||
	    rec.root_len > len - rec.cwd_len)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed current directory"));
	len -= rec.cwd_len + rec.root_len;
	if (len >= sizeof(inodes))
		memcpy(&inodes, paths + rec.cwd_len + rec.root_len, sizeof(inodes));

	fs = copy_fs_struct(current->fs);
	if (!fs)
		return ERR_PTR(-ENOMEM);
	fs->umask = rec.umask;
	err = set_dirs(ctx, fs, &rec, paths, &inodes);
	if (err) {
		free_fs_struct(fs);
		return ERR_PTR(err);
	}
	return fs;
}

static void fs_grab(void *ptr)
{
	struct fs_struct *fs = ptr;

	spin_lock(&fs->lock);
	fs->users++;
	spin_unlock(&fs->lock);
}

static void fs_drop(void *ptr)
{
	struct fs_struct *fs = ptr;
	bool last;

	spin_lock(&fs->lock);
	last = !--fs->users;
	spin_unlock(&fs->lock);
	if (last)
		free_fs_struct(fs);
}

static long fs_users(void *ptr)
{
	struct fs_struct *fs = ptr;

	return READ_ONCE(fs->users);
}

static int fs_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	return ckpt_find_sharer(ctx, offsetof(struct task_struct, fs), ptr,
				"shared current directory", holder);
}

const struct ckpt_obj_ops ckpt_fs_obj_ops = {
	.obj_name = "fs_struct",
	.obj_type = CKPT_OBJ_FS,
	.stage = CKPT_STAGE_TASK,
	.ref_grab = fs_grab,
	.ref_drop = fs_drop,
	.ref_users = fs_users,
	.find_holder = fs_find_holder,
	.collect = fs_collect,
	.checkpoint = fs_checkpoint,
	.restore = fs_restore,
};

static int task_fs_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int ret;

	if (!task->fs)
		return 0;
	ret = ckpt_obj_collect(ctx, task->fs, &ckpt_fs_obj_ops);
	return ret < 0 ? ret : 0;
}

static int task_fs_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	if (!task->fs)
		return 0;
	return ckpt_task_write_ref(ctx, CKPT_REC_TASK_FS, task->fs, &ckpt_fs_obj_ops);
}

static int task_fs_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *task_rec)
{
	struct fs_struct *fs = ckpt_task_fetch_ref(ctx, task_rec, &ckpt_fs_obj_ops);

	if (IS_ERR(fs))
		return PTR_ERR(fs);

	fs_grab(fs);
	task_lock(current);
	swap(current->fs, fs);
	task_unlock(current);
	if (fs)
		fs_drop(fs);
	return 0;
}

static const struct ckpt_task_ops task_fs_ops = {
	.name = "current directory",
	.rec_type = CKPT_REC_TASK_FS,
	.collect = task_fs_collect,
	.checkpoint = task_fs_checkpoint,
	.restore = task_fs_restore,
};

static int __init ckpt_fs_init(void)
{
	return ckpt_register_obj(&ckpt_fs_obj_ops) ?: ckpt_register_task_ops(&task_fs_ops);
}
fs_initcall(ckpt_fs_init);
