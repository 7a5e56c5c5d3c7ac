// SPDX-License-Identifier: GPL-2.0
/*
 * Files that are reopened by name: regular files, directories, O_PATH files,
 * memory devices. Also the helpers that turn paths into text and back.
 *
 * A path is saved as it is seen from the root directory of the caller, and only
 * if looking it up leads to the same place; so it needs no symlink at restart.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/security.h>
#include <linux/stat.h>
#include <uapi/linux/checkpoint.h>

#include "../internal.h"
#include "internal.h"

/* NFS and AFS give a file in use another name, and remove it when it is closed. */
static bool is_unlinked(const struct dentry *dentry)
{
	return d_unlinked(dentry) || READ_ONCE(dentry->d_flags) & DCACHE_NFSFS_RENAMED;
}

/**
 * ckpt_path_get - name of a path as the caller of checkpoint(2) sees it
 * @ctx: the checkpoint
 * @path: the path
 * @buf: PATH_MAX bytes
 *
 * Return: a string within @buf; ERR_PTR(-ENOENT) if @path has no name or is
 * not below the caller's root, ERR_PTR(-ENAMETOOLONG).
 */
char *ckpt_path_get(struct ckpt_ctx *ctx, const struct path *path, char *buf)
{
	char *name;

	if (is_unlinked(path->dentry))
		return ERR_PTR(-ENOENT);
	name = __d_path(path, ckpt_root(ctx), buf, PATH_MAX);
	return name ?: ERR_PTR(-ENOENT);
}

/* /proc/PID does not exist yet when files are restored, nor is it the same. */
static bool is_proc_of_a_task(struct dentry *dentry)
{
	struct dentry *top = dentry, *parent;
	bool task;

	if (dentry->d_sb->s_magic != PROC_SUPER_MAGIC)
		return false;
	rcu_read_lock();
	while (!IS_ROOT(top)) {
		parent = READ_ONCE(top->d_parent);
		if (IS_ROOT(parent))
			break;
		top = parent;
	}
	spin_lock(&top->d_lock);
	task = !IS_ROOT(top) && top->d_name.name[0] >= '0' && top->d_name.name[0] <= '9';
	spin_unlock(&top->d_lock);
	rcu_read_unlock();
	return task;
}

/* A symlink in the last component is not followed: saved paths have none. */
static int lookup(struct ckpt_ctx *ctx, const char *name, unsigned int flags, struct path *path)
{
	const struct path *root = ckpt_root(ctx);

	return vfs_path_lookup(root->dentry, root->mnt, name, flags, path);
}

/**
 * ckpt_path_obstacle - why a path cannot be found again by its name
 * @ctx: the checkpoint
 * @path: the path
 * @buf: PATH_MAX bytes; holds the name if there is no obstacle
 *
 * Context: May sleep.
 * Return: NULL if it can, the reason as text, or ERR_PTR(-ENOMEM).
 */
const char *ckpt_path_obstacle(struct ckpt_ctx *ctx, const struct path *path, char *buf)
{
	struct path found;
	char *name;
	bool same;
	int err;

	if (is_unlinked(path->dentry))
		return "unlinked";
	if (is_proc_of_a_task(path->dentry))
		return "belongs to one process";
	if (ckpt_served_inside(ctx, path->dentry->d_sb))
		return "on a file system of FUSE that a process of the tree serves";
	name = ckpt_path_get(ctx, path, buf);
	if (IS_ERR(name))
		return PTR_ERR(name) == -ENOENT ? "not below the caller's root directory" :
						  "path is too long";

	err = lookup(ctx, name, 0, &found);
	if (err == -ENOMEM)
		return ERR_PTR(err);
	if (err)
		return "cannot be looked up by the caller";
	same = path_equal(&found, path);
	path_put(&found);
	return same ? NULL : "hidden by another file or mount";
}

/**
 * ckpt_path_from_image - a path as read from the image
 * @ctx: the restart
 * @data: bytes of the path
 * @len: their number
 *
 * Return: a string for ckpt_path_put(); ERR_PTR(-EINVAL), ERR_PTR(-ENOMEM).
 */
char *ckpt_path_from_image(struct ckpt_ctx *ctx, const void *data, size_t len)
{
	const char *path = data;
	char *name;

	if (!len || len >= PATH_MAX || path[0] != '/' || memchr(path, 0, len))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed path in the image"));
	name = __getname();
	if (!name)
		return ERR_PTR(-ENOMEM);
	memcpy(name, path, len);
	name[len] = '\0';
	return name;
}

/**
 * ckpt_path_put - free what ckpt_path_from_image() returned
 * @name: the string
 */
void ckpt_path_put(char *name)
{
	__putname(name);
}

/**
 * ckpt_path_lookup - find a path below the caller's root directory
 * @ctx: the checkpoint or restart
 * @name: absolute path
 * @path: where the result goes, with a reference
 *
 * What was mounted on demand when the program went there is mounted again.
 *
 * Context: May sleep.
 * Return: 0 or the errno of the lookup with the caller's rights.
 */
int ckpt_path_lookup(struct ckpt_ctx *ctx, const char *name, struct path *path)
{
	return lookup(ctx, name, LOOKUP_AUTOMOUNT, path);
}

/* Its attributes would be those of the moment when the kernel made the inode. */
static bool made_up_by_kernel(const struct super_block *sb)
{
	switch (sb->s_magic) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
		return true;
	}
	return false;
}

/**
 * ckpt_path_stat - what tells a file or directory from another
 * @ctx: the checkpoint or restart
 * @path: the path
 * @name: the path as text
 * @stat: where inode number, size and time of modification go
 *
 * Asks a network file system for what is true there.
 *
 * Context: May sleep.
 * Return: 0, or an errno of stat(2) after ckpt_err().
 */
int ckpt_path_stat(struct ckpt_ctx *ctx, const struct path *path, const char *name,
		   struct kstat *stat)
{
	int err = vfs_getattr(path, stat, STATX_INO | STATX_SIZE | STATX_MTIME,
			      AT_STATX_SYNC_AS_STAT);

	return err ? ckpt_err(ctx, err, "%s: cannot be examined", name) : 0;
}

/**
 * ckpt_path_warn_replaced - warn if a directory is not the one that it was
 * @ctx: the restart
 * @path: the directory
 * @name: its path as text
 * @ino: inode number that it had; 0 if the image does not tell
 *
 * Context: May sleep.
 * Return: 0, or an errno of stat(2) after ckpt_err().
 */
int ckpt_path_warn_replaced(struct ckpt_ctx *ctx, const struct path *path, const char *name,
			    u64 ino)
{
	struct kstat now;
	int err;

	if (!ino || made_up_by_kernel(path->dentry->d_sb))
		return 0;
	err = ckpt_path_stat(ctx, path, name, &now);
	if (!err && now.ino != ino)
		ckpt_warn(ctx, "%s: replaced since the checkpoint", name);
	return err;
}

/*
 * The file of an executable need not be open for reading by the rights of the
 * restarter, but whoever gets it in a descriptor can read it. So both are asked.
 */
static struct file *open_executable(const struct path *path)
{
	const int mask = MAY_READ | MAY_EXEC | MAY_OPEN;
	struct file *file;
	int err;

	if (!S_ISREG(d_inode(path->dentry)->i_mode) || path_noexec(path))
		return ERR_PTR(-EACCES);
	err = path_permission(path, mask);
	if (err)
		return ERR_PTR(err);
	file = dentry_open(path, O_RDONLY | O_LARGEFILE | __FMODE_EXEC, current_cred());
	if (IS_ERR(file))
		return file;
	err = security_file_post_open(file, mask);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

/**
 * ckpt_path_open - open a path with the rights and checks of open(2)
 * @path: the path, looked up with the rights of the caller
 * @f_flags: flags of the open file that is restored
 *
 * Never blocks on a FIFO or lease. Flags that are only memories of the
 * original open(2) are left out; the caller sets them afterwards.
 *
 * Context: May sleep.
 * Return: the file or the errno of open(2).
 */
struct file *ckpt_path_open(const struct path *path, unsigned int f_flags)
{
	if (f_flags & __FMODE_EXEC)
		return open_executable(path);

	f_flags &= O_ACCMODE | O_APPEND | O_DIRECT | O_DSYNC | __O_SYNC | O_LARGEFILE |
		   O_NOATIME | O_PATH;
	/* As open_by_handle_at(2) does it: the walk ends where it begins. */
	return file_open_root(path, "", f_flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
}

static bool is_memory_device(dev_t rdev)
{
	if (MAJOR(rdev) != MEM_MAJOR)
		return false;
	switch (MINOR(rdev)) {
	case 3: /* null */
	case 5: /* zero */
	case 7: /* full */
	case 8: /* random */
	case 9: /* urandom */
		return true;
	}
	return false;
}

/*
 * Regular files of these file systems have no state but their contents and the
 * position. Others (debugfs, mqueue, bpf ...) keep state behind each open file.
 */
static bool regular_by_path(const struct super_block *sb)
{
	if (sb->s_type->fs_flags & FS_REQUIRES_DEV)
		return true;
	switch (sb->s_magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case V9FS_MAGIC:
	case NFS_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case ECRYPTFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case HOSTFS_SUPER_MAGIC:
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
		return true;
	}
	return false;
}

static bool path_match(struct file *file)
{
	const struct path *path = file_user_path(file);
	struct inode *inode = d_inode(path->dentry);

	if (file->f_mode & FMODE_PATH)
		return true;
	/* memfd, SysV shared memory, mqueue, pipes ... have no name to open */
	if (path->mnt->mnt_flags & MNT_INTERNAL)
		return false;
	if (S_ISREG(inode->i_mode))
		return regular_by_path(inode->i_sb);
	if (S_ISCHR(inode->i_mode))
		return is_memory_device(inode->i_rdev);
	return S_ISDIR(inode->i_mode);
}

static const char *kind_name(umode_t mode)
{
	if (S_ISREG(mode))
		return "file";
	if (S_ISDIR(mode))
		return "directory";
	if (S_ISLNK(mode))
		return "symlink";
	return "special file";
}

/* A mapping still shows the file that it was before somebody wrote to it. */
static bool is_outdated(struct file *file)
{
	return file->f_mode & FMODE_BACKING &&
	       file_inode(file) != d_real_inode(file_user_path(file)->dentry);
}

/* Nothing is ever renamed in procfs. */
static const char *state_of_proc_file(struct dentry *dentry)
{
	struct dentry *dir = dget_parent(dentry);
	const char *state = NULL;

	if (IS_ROOT(dir) && !strcmp(dentry->d_name.name, "mtrr"))
		state = "memory type ranges that last until it is closed";
	else if (!IS_ROOT(dir) && IS_ROOT(dir->d_parent) && !strcmp(dir->d_name.name, "pressure"))
		state = "pressure stall trigger";
	dput(dir);
	return state;
}

/*
 * Writing to memory.peak makes the file show the peak since then. cgroup.pressure
 * only turns the accounting on and off.
 */
static const char *state_of_cgroup_file(struct dentry *dentry)
{
	const char *state = NULL, *dot;
	struct name_snapshot name;

	take_dentry_name_snapshot(&name, dentry);
	dot = strrchr(name.name.name, '.');
	if (dot && !strcmp(dot, ".peak"))
		state = "peak since it was reset";
	else if (dot && !strcmp(dot, ".pressure") && strcmp(name.name.name, "cgroup.pressure"))
		state = "pressure stall trigger";
	release_dentry_name_snapshot(&name);
	return state;
}

/* What an open file may have got by being written to, and keeps for itself. */
static const char *written_state(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;

	if (!(file->f_mode & FMODE_WRITE))
		return NULL;
	switch (dentry->d_sb->s_magic) {
	case PROC_SUPER_MAGIC:
		return state_of_proc_file(dentry);
	case CGROUP2_SUPER_MAGIC:
		return state_of_cgroup_file(dentry);
	}
	return NULL;
}

/* After "." and "..", and with some left behind the cursor, which is in their list. */
static bool in_the_middle(const struct file *file)
{
	struct dentry *dir = file->f_path.dentry, *next = file->private_data;
	bool left = false;

	if (file->f_pos <= 2)
		return false;
	spin_lock(&dir->d_lock);
	while (!left && (next = d_next_sibling(next)))
		left = simple_positive(next);
	spin_unlock(&dir->d_lock);
	return left;
}

/*
 * In these directories a position may be the number of entries that went by. Those
 * that were seen and are gone by the time of the restart do not count then, and
 * as many others would be passed over. The kernel keeps what it counts by with
 * the open file, or the server does.
 */
static bool counts_entries(const struct file *file)
{
	static const char *const types[] = {
		"overlay", "fuse", "fuseblk", "virtiofs", "ceph", "cifs", "smb3", "configfs",
		"ecryptfs", "hfs", "hfsplus", "vboxsf",
	};

	if (file->f_op->llseek == dcache_dir_lseek)
		return in_the_middle(file);
	return file->f_pos > 0 && match_string(types, ARRAY_SIZE(types),
					       file_inode(file)->i_sb->s_type->name) >= 0;
}

/* Why llseek(2) would not lead back to where the file is read or written. */
static const char *position_obstacle(const struct file *file)
{
	umode_t mode = file_inode(file)->i_mode;

	if (S_ISDIR(mode) && counts_entries(file))
		return "read in part, and its file system does not find the place again";
	if (S_ISREG(mode) && (file->f_mode & FMODE_STREAM ||
			      (file->f_pos && !(file->f_mode & FMODE_LSEEK))))
		return "its file system does not tell the position";
	return NULL;
}

static int path_collect(struct ckpt_ctx *ctx, struct file *file)
{
	const struct path *path = file_user_path(file);
	umode_t mode = d_inode(path->dentry)->i_mode;
	const char *why, *name;
	char *buf;
	int err = 0;

	buf = __getname();
	if (!buf)
		return -ENOMEM;

	why = ckpt_path_obstacle(ctx, path, buf);
	if (!why && is_outdated(file))
		why = "changed since it was mapped: overlayfs has copied it";
	if (!why)
		why = written_state(file);
	if (!why)
		why = position_obstacle(file);
	if (IS_ERR(why)) {
		err = PTR_ERR(why);
	} else if (why) {
		name = d_path(path, buf, PATH_MAX);
		err = ckpt_file_refuse(ctx, file, "%s %s: %s", kind_name(mode),
				       IS_ERR(name) ? "?" : name, why);
	}
	__putname(buf);
	return err;
}

static int path_checkpoint(struct ckpt_ctx *ctx, struct file *file)
{
	const struct path *path = file_user_path(file);
	struct inode *inode = d_inode(path->dentry);
	struct ckpt_rec_file_path rec = {};
	struct kstat stat;
	char *buf, *name;
	int err;

	buf = __getname();
	if (!buf)
		return -ENOMEM;
	name = ckpt_path_get(ctx, path, buf);
	if (IS_ERR(name)) {
		err = ckpt_err(ctx, -EAGAIN, "%pD4: path changed during the checkpoint", file);
		goto out;
	}
	err = ckpt_path_stat(ctx, path, name, &stat);
	if (err)
		goto out;

	rec.mode = inode->i_mode;
	rec.rdev = new_encode_dev(inode->i_rdev);
	rec.ino = stat.ino;
	rec.size = stat.size;
	rec.mtime_sec = stat.mtime.tv_sec;
	rec.mtime_nsec = stat.mtime.tv_nsec;
	rec.path_len = strlen(name);
	err = ckpt_write2(ctx, CKPT_REC_FILE_PATH, &rec, sizeof(rec), name, rec.path_len);
out:
	__putname(buf);
	return err;
}

static int verify_type(struct ckpt_ctx *ctx, const struct ckpt_rec_file_path *rec,
		       const char *name, const struct inode *inode)
{
	if ((inode->i_mode ^ rec->mode) & S_IFMT)
		return ckpt_err(ctx, -EINVAL, "%s: was a %s at the checkpoint, is a %s now",
				name, kind_name(rec->mode), kind_name(inode->i_mode));
	if (new_encode_dev(inode->i_rdev) != rec->rdev)
		return ckpt_err(ctx, -EINVAL, "%s: another device than at the checkpoint", name);
	return 0;
}

/* What differs, for people, or nothing. */
static size_t describe_change(const struct ckpt_rec_file_path *rec, const struct kstat *now,
			      char *buf, size_t size)
{
	size_t len = 0;

	if (now->size != rec->size)
		len += scnprintf(buf + len, size - len, ", %lld bytes instead of %llu",
				 now->size, rec->size);
	if (now->mtime.tv_sec != rec->mtime_sec || now->mtime.tv_nsec != rec->mtime_nsec)
		len += scnprintf(buf + len, size - len, ", modified %ptTs.%09ld, not %ptTs.%09u",
				 &now->mtime.tv_sec, now->mtime.tv_nsec, &rec->mtime_sec,
				 rec->mtime_nsec);
	return len;
}

/*
 * A shorter file cannot be what the program was working with. Other changes are
 * normal for a program that went on running. But of what it has mapped privately
 * the image has only the pages that it had changed: all others must be the same.
 *
 * A copy with the same time is as good, as on another machine: the inode tells little.
 */
static int verify_contents(struct ckpt_ctx *ctx, const struct ckpt_rec_file_path *rec,
			   u32 f_mode, const char *name, const struct kstat *now)
{
	bool strict = !(ckpt_flags(ctx) & RESTART_CHANGED_FILES);
	char how[160];

	if (!describe_change(rec, now, how, sizeof(how))) {
		if (now->ino != rec->ino)
			ckpt_warn(ctx, "%s: replaced since the checkpoint", name);
		return 0;
	}
	if (strict && (now->size < 0 || (u64)now->size < rec->size))
		return ckpt_err(ctx, -EINVAL, "%s: shorter than at the checkpoint%s", name, how);
	if (strict && f_mode & CKPT_FMODE_PROGRAM)
		return ckpt_err(ctx, -EINVAL,
				"%s: part of a program, changed since the checkpoint%s; RESTART_CHANGED_FILES (--allow-changed-files) takes it as it is",
				name, how);
	ckpt_warn(ctx, "%s: changed since the checkpoint%s", name, how);
	return 0;
}

static int path_verify(struct ckpt_ctx *ctx, const struct ckpt_rec_file_path *rec, u32 f_mode,
		       const char *name, const struct path *path)
{
	const struct inode *inode = d_inode(path->dentry);
	struct kstat now;
	int err;

	err = verify_type(ctx, rec, name, inode);
	if (!err && S_ISDIR(inode->i_mode))
		return ckpt_path_warn_replaced(ctx, path, name, rec->ino);
	if (err || !S_ISREG(inode->i_mode) || made_up_by_kernel(inode->i_sb))
		return err;
	err = ckpt_path_stat(ctx, path, name, &now);
	return err ?: verify_contents(ctx, rec, f_mode, name, &now);
}

static struct file *path_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_file *file_rec)
{
	struct ckpt_rec_file_path rec;
	struct file *file;
	struct path path;
	const void *tail;
	size_t len;
	char *name;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_FILE_PATH, &rec, sizeof(rec), &tail, &len);
	if (err)
		return ERR_PTR(err);
	if (rec.path_len > len)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed path in the image"));
	name = ckpt_path_from_image(ctx, tail, rec.path_len);
	if (IS_ERR(name))
		return ERR_CAST(name);

	err = ckpt_path_lookup(ctx, name, &path);
	if (err) {
		file = ERR_PTR(ckpt_err(ctx, err, "%s: cannot be found", name));
		goto out_name;
	}
	err = path_verify(ctx, &rec, file_rec->f_mode, name, &path);
	if (err) {
		file = ERR_PTR(err);
		goto out_path;
	}
	if (S_ISCHR(rec.mode) && !(file_rec->f_flags & O_PATH) &&
	    !is_memory_device(d_inode(path.dentry)->i_rdev)) {
		file = ERR_PTR(ckpt_err(ctx, -EINVAL, "%s: not a device that can be restored",
					name));
		goto out_path;
	}
	file = ckpt_path_open(&path, file_rec->f_flags);
	if (IS_ERR(file))
		file = ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "%s: cannot be opened", name));
out_path:
	path_put(&path);
out_name:
	ckpt_path_put(name);
	return file;
}

static const struct ckpt_file_ops path_file_ops = {
	.name = "path",
	.rec_type = CKPT_REC_FILE_PATH,
	.match = path_match,
	.collect = path_collect,
	.checkpoint = path_checkpoint,
	.restore = path_restore,
};

static int __init ckpt_path_init(void)
{
	return ckpt_register_file(&path_file_ops);
}
fs_initcall(ckpt_path_init);
