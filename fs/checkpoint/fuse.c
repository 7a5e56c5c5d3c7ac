// SPDX-License-Identifier: GPL-2.0
/*
 * File systems of FUSE that a process of the tree serves. It is frozen: who asks
 * it for anything waits until the checkpoint is over.
 */
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/miscdevice.h>

#include "../fuse/fuse_i.h"
#include "internal.h"

/**
 * ckpt_is_fuse_server - whether an open file is what a file system is served by
 * @file: any file
 * @sb: a file system of FUSE
 *
 * Context: Any; @file is not being closed.
 */
bool ckpt_is_fuse_server(const struct file *file, const struct super_block *sb)
{
	const struct inode *inode = file_inode(file);
	const struct fuse_dev *dev;

	if (!S_ISCHR(inode->i_mode) || inode->i_rdev != MKDEV(MISC_MAJOR, FUSE_MINOR) ||
	    file->f_mode & FMODE_PATH)
		return false;
	/* none until something is mounted */
	dev = READ_ONCE(file->private_data);
	return dev && dev->fc == get_fuse_conn_super((struct super_block *)sb);
}

/**
 * ckpt_served_inside - whether a frozen process would have to answer for a file system
 * @ctx: the checkpoint
 * @sb: the file system
 *
 * Context: May sleep. Walks all tasks if @sb is of FUSE.
 */
bool ckpt_served_inside(struct ckpt_ctx *ctx, const struct super_block *sb)
{
	struct ckpt_file_match match = { .served = sb };
	struct file *file;

	if (!IS_ENABLED(CONFIG_FUSE_FS) || sb->s_magic != FUSE_SUPER_MAGIC)
		return false;
	/* no process serves this one */
	if (!strcmp(sb->s_type->name, "virtiofs"))
		return false;
	file = ckpt_find_file_inside(ctx, &match);
	if (file)
		fput(file);
	return file;
}
