/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of this directory share.
 */
#ifndef _FS_CHECKPOINT_INTERNAL_H
#define _FS_CHECKPOINT_INTERNAL_H

#include <linux/checkpoint.h>
#include <linux/fs.h>

struct kstat;

/**
 * struct ckpt_file_match - which open files are meant
 * @file: exactly this one
 * @pipe: or, if @file is NULL, all on this pipe or FIFO inode
 * @served: or, if both are NULL, those that this file system of FUSE is served by
 */
struct ckpt_file_match {
	const struct file *file;
	const struct inode *pipe;
	const struct super_block *served;
};

/* file.c */
int ckpt_find_file_holder(struct ckpt_ctx *ctx, const struct ckpt_file_match *match,
			  struct ckpt_holder *holder);
struct file *ckpt_find_file_inside(struct ckpt_ctx *ctx,
				   const struct ckpt_file_match *match);

/* fuse.c */
bool ckpt_is_fuse_server(const struct file *file, const struct super_block *sb);
bool ckpt_served_inside(struct ckpt_ctx *ctx, const struct super_block *sb);

/* mapped.c */
long ckpt_file_mapped_outside(struct ckpt_ctx *ctx, void *ptr);

/* path.c */
int ckpt_path_stat(struct ckpt_ctx *ctx, const struct path *path, const char *name,
		   struct kstat *stat);
int ckpt_path_warn_replaced(struct ckpt_ctx *ctx, const struct path *path, const char *name,
			    u64 ino);
struct file *ckpt_path_open(const struct path *path, unsigned int f_flags);

/* external.c */
extern const struct ckpt_file_ops ckpt_external_file_ops;

/* locks.c */
int ckpt_locks_check(struct ckpt_ctx *ctx, struct file *file);
int ckpt_locks_write(struct ckpt_ctx *ctx, struct file *file, void *owner);
int ckpt_locks_restore(struct ckpt_ctx *ctx, struct file *file, void *owner);

#endif /* _FS_CHECKPOINT_INTERNAL_H */
