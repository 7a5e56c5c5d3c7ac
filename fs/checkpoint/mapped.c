// SPDX-License-Identifier: GPL-2.0
/*
 * References to an open file that share nothing: a process that forked without
 * exec maps the same open files as its relatives outside the tree, executables
 * and libraries most of all. Position and flags, which is what an open file is,
 * cannot be reached through a mapping; what the mapping shows is the inode's.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/xarray.h>

#include "../internal.h"
#include "internal.h"

static long outside_vmas(struct ckpt_ctx *ctx, struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	struct vm_area_struct *vma;
	long users = 0;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, 0, ULONG_MAX)
		users += vma->vm_file == file && !ckpt_obj_lookup(ctx, vma->vm_mm);
	i_mmap_unlock_read(mapping);
	return users;
}

/*
 * What maps a file of overlayfs holds the file underneath. An open file of
 * overlayfs that is still there holds it once, and nobody else can.
 */
static long overlay_users(struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	struct vm_area_struct *vma;
	long mapped = 0;

	if (!(file->f_mode & FMODE_BACKING))
		return 0;
	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, 0, ULONG_MAX)
		mapped += vma->vm_file == file;
	i_mmap_unlock_read(mapping);
	/* The hash has a reference, too. */
	return file_count(file) > mapped + 1;
}

struct exe_search {
	struct file *file;
	struct xarray mms;
	long users;
};

/* Tasks that share an mm share its reference too. */
static int count_exe(struct task_struct *task, void *arg)
{
	struct exe_search *search = arg;
	struct mm_struct *mm = get_task_mm(task);
	int err = 0;

	if (!mm)
		return 0;
	if (rcu_access_pointer(mm->exe_file) == search->file) {
		err = xa_insert(&search->mms, (unsigned long)mm >> 3, xa_mk_value(1), GFP_KERNEL);
		search->users += !err;
	}
	mmput(mm);
	return err == -EBUSY ? 0 : err;
}

/**
 * ckpt_file_mapped_outside - count references of mappings and executables
 * @ctx: the checkpoint
 * @ptr: the file
 *
 * Context: May sleep. Walks all tasks: for files whose counts differ only.
 * Return: the number of references that come from mms outside the tree, and
 * from overlayfs.
 */
long ckpt_file_mapped_outside(struct ckpt_ctx *ctx, void *ptr)
{
	struct exe_search search = { .file = ptr };

	xa_init(&search.mms);
	ckpt_visit_outsiders(ctx, count_exe, &search);
	xa_destroy(&search.mms);
	return outside_vmas(ctx, ptr) + search.users + overlay_users(ptr);
}
