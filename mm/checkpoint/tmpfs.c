// SPDX-License-Identifier: GPL-2.0
/*
 * Files that were unlinked from a mounted tmpfs while a program used them, or
 * never had a name (O_TMPFILE). Only the program keeps them, so they are saved
 * like other shared memory. They come back in the same mount, without a name in
 * any directory but with the one that /proc/PID/fd and maps show.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/posix_acl.h>
#include <linux/security.h>
#include <linux/shmem_fs.h>
#include <linux/xattr.h>

#include "mm.h"

/**
 * ckpt_tmpfs_unlinked() - is this a file of a tmpfs that has no name any more?
 * @file: an open or mapped file
 *
 * Context: Any.
 */
bool ckpt_tmpfs_unlinked(struct file *file)
{
	struct inode *inode = file_inode(file);

	return inode->i_sb->s_magic == TMPFS_MAGIC && S_ISREG(inode->i_mode) &&
	       !inode->i_nlink && shmem_mapping(inode->i_mapping) &&
	       !(file->f_path.mnt->mnt_flags & MNT_INTERNAL) &&
	       !(file->f_mode & FMODE_BACKING);
}

/* Two names that were unlinked are two dentries, and would become two files. */
static bool had_several_names(struct inode *inode)
{
	bool several;

	spin_lock(&inode->i_lock);
	several = inode->i_dentry.first && inode->i_dentry.first->next;
	spin_unlock(&inode->i_lock);
	return several;
}

static bool is_label(const char *name)
{
	size_t len = str_has_prefix(name, XATTR_SECURITY_PREFIX);

	return len && security_ismaclabel(name + len);
}

/* With some security modules each file has one: it will be that of who makes the file. */
static bool has_only_labels(struct simple_xattrs *xattrs)
{
	struct rb_node *node;

	read_lock(&xattrs->lock);
	for (node = rb_first(&xattrs->rb_root); node; node = rb_next(node))
		if (!is_label(rb_entry(node, struct simple_xattr, rb_node)->name))
			break;
	read_unlock(&xattrs->lock);
	return !node;
}

static bool has_acl(struct inode *inode)
{
	struct posix_acl *acl;

	if (!IS_ENABLED(CONFIG_FS_POSIX_ACL))
		return false;
	acl = get_inode_acl(inode, ACL_TYPE_ACCESS);
	if (IS_ERR_OR_NULL(acl))
		return false;
	posix_acl_release(acl);
	return true;
}

/**
 * ckpt_tmpfs_obstacle() - why a file in memory cannot be made again
 * @file: an unlinked file of a tmpfs, or a memfd, also one of huge pages
 *
 * Context: May sleep.
 * Return: The reason as text, or NULL.
 */
const char *ckpt_tmpfs_obstacle(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (inode->i_mode & (S_ISUID | S_ISGID | S_ISVTX))
		return "set-user-ID, set-group-ID or sticky bit";
	if (had_several_names(inode))
		return "had several names";
	/* hugetlbfs has none of these. */
	if (is_file_hugepages(file))
		return NULL;
	if (!has_only_labels(&SHMEM_I(inode)->xattrs))
		return "extended attributes";
	if (has_acl(inode))
		return "access control list";
	if (SHMEM_I(inode)->fsflags)
		return "attributes (chattr)";
	return NULL;
}

static struct path mount_of(struct file *file)
{
	return (struct path) { .mnt = file->f_path.mnt, .dentry = file->f_path.mnt->mnt_root };
}

/* What the restart could not make a file in. */
static const char *mount_obstacle(struct vfsmount *mnt)
{
	if (is_idmapped_mnt(mnt))
		return "id-mapped";
	return __mnt_is_readonly(mnt) ? "read-only" : NULL;
}

/**
 * ckpt_tmpfs_collect() - refuse an unlinked file whose mount cannot take it again
 * @ctx: the checkpoint
 * @file: ckpt_tmpfs_unlinked()
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM or -EOPNOTSUPP.
 */
int ckpt_tmpfs_collect(struct ckpt_ctx *ctx, struct file *file)
{
	const char *why = mount_obstacle(file->f_path.mnt);
	struct path path = mount_of(file);
	char *buf;
	int ret;

	if (why)
		return ckpt_file_refuse(ctx, file, "unlinked file %pD4: its mount is %s", file,
					why);
	buf = __getname();
	if (!buf)
		return -ENOMEM;
	why = ckpt_path_obstacle(ctx, &path, buf);
	if (IS_ERR_OR_NULL(why))
		ret = PTR_ERR_OR_ZERO(why);
	else
		ret = ckpt_file_refuse(ctx, file, "unlinked file %pD4: its mount: %s", file, why);
	__putname(buf);
	return ret;
}

/**
 * ckpt_tmpfs_mount() - where the file system of an unlinked file is mounted
 * @ctx: the checkpoint
 * @file: the file
 * @buf: PATH_MAX bytes
 *
 * Context: May sleep.
 * Return: A string within @buf, or an ERR_PTR after ckpt_err().
 */
char *ckpt_tmpfs_mount(struct ckpt_ctx *ctx, struct file *file, char *buf)
{
	struct path path = mount_of(file);
	char *name = ckpt_path_get(ctx, &path, buf);

	if (!IS_ERR(name))
		return name;
	return ERR_PTR(ckpt_err(ctx, -EAGAIN, "%pD4: its mount changed during the checkpoint",
				file));
}

/**
 * ckpt_tmpfs_name() - what /proc/PID/fd shows of an unlinked file
 * @file: the file
 * @buf: PATH_MAX bytes
 *
 * Context: May sleep.
 * Return: A string within @buf without "/" before and " (deleted)" behind it; or
 * an ERR_PTR.
 */
char *ckpt_tmpfs_name(struct file *file, char *buf)
{
	static const char deleted[] = " (deleted)";
	char *name = d_path(&file->f_path, buf, PATH_MAX);
	size_t len;

	if (IS_ERR(name))
		return name;
	len = strlen(name);
	if (len >= strlen(deleted) && !strcmp(name + len - strlen(deleted), deleted))
		name[len - strlen(deleted)] = '\0';
	return *name == '/' ? name + 1 : name;
}

/**
 * ckpt_tmpfs_find_mount() - the mount that an unlinked file was in
 * @ctx: the restart
 * @data: its path
 * @len: bytes of it
 * @path: where the result goes, with a reference
 *
 * Context: May sleep.
 * Return: 0, or an errno after ckpt_err().
 */
int ckpt_tmpfs_find_mount(struct ckpt_ctx *ctx, const void *data, size_t len, struct path *path)
{
	char *name = ckpt_path_from_image(ctx, data, len);
	int ret;

	if (IS_ERR(name))
		return PTR_ERR(name);
	ret = ckpt_path_lookup(ctx, name, path);
	if (ret) {
		ckpt_err(ctx, ret, "%s: cannot be found", name);
	} else if (path->dentry != path->mnt->mnt_root ||
		   path->mnt->mnt_sb->s_magic != TMPFS_MAGIC) {
		ret = ckpt_err(ctx, -EINVAL, "%s: is no mounted tmpfs", name);
		path_put(path);
	}
	ckpt_path_put(name);
	return ret;
}

/* The right to take space is that to make a file in the topmost directory. */
static struct file *create_in(const struct path *path, const char *name,
			      const struct ckpt_rec_shmem *rec)
{
	struct file *file;
	int ret = path_permission(path, MAY_WRITE | MAY_EXEC);

	if (!ret)
		ret = mnt_want_write(path->mnt);
	if (ret)
		return ERR_PTR(ret);
	file = shmem_file_setup_with_mnt(path->mnt, name, rec->size, VM_NORESERVE);
	mnt_drop_write(path->mnt);
	return file;
}

/**
 * ckpt_tmpfs_create() - make a file without a name in a mounted tmpfs
 * @ctx: the restart
 * @name: what /proc/PID/fd is to show
 * @rec: size and flags of the file
 * @mount: path of the mount, @rec->mount_len bytes
 *
 * Grants nothing that open(O_TMPFILE) would not.
 *
 * Context: May sleep.
 * Return: The file, or an ERR_PTR after ckpt_err().
 */
struct file *ckpt_tmpfs_create(struct ckpt_ctx *ctx, const char *name,
			       const struct ckpt_rec_shmem *rec, const void *mount)
{
	struct inode *inode;
	struct file *file;
	struct path path;
	int ret;

	ret = ckpt_tmpfs_find_mount(ctx, mount, rec->mount_len, &path);
	if (ret)
		return ERR_PTR(ret);
	file = create_in(&path, name, rec);
	path_put(&path);
	if (IS_ERR(file))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "unlinked file /%s: cannot be created",
					name));
	inode = file_inode(file);
	if (rec->flags & CKPT_SHMEM_LINKABLE) {
		spin_lock(&inode->i_lock);
		inode->i_state |= I_LINKABLE;
		spin_unlock(&inode->i_lock);
	}
	return file;
}
