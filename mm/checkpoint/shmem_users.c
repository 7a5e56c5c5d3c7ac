// SPDX-License-Identifier: GPL-2.0
/*
 * Who uses shared memory: open files and mappings.
 */
#include <linux/dcache.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "mm.h"

static long count_mappings(struct address_space *mapping)
{
	struct vm_area_struct *vma;
	long nr = 0;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, 0, ULONG_MAX)
		nr++;
	i_mmap_unlock_read(mapping);
	return nr;
}

/**
 * ckpt_shmem_users() - count open files and mappings
 * @ptr: dentry of shared memory
 *
 * A file that was opened again through /proc has a count of its own.
 *
 * Context: May sleep.
 */
long ckpt_shmem_users(void *ptr)
{
	struct dentry *dentry = ptr;

	return d_count(dentry) + count_mappings(d_inode(dentry)->i_mapping);
}

struct shmem_search {
	struct inode *inode;
	struct ckpt_holder *holder;
};

static bool holds_mapping(struct task_struct *task, struct shmem_search *search)
{
	struct mm_struct *mm = get_task_mm(task);
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	bool found = false;

	if (!mm)
		return false;
	vma_iter_init(&vmi, mm, 0);
	/* The mm of somebody else, who may hold the lock for as long as it likes. */
	if (mmap_read_lock_killable(mm))
		goto out;
	for_each_vma(vmi, vma) {
		if (!vma->vm_file || file_inode(vma->vm_file) != search->inode)
			continue;
		snprintf(search->holder->how, sizeof(search->holder->how),
			 "mapping at %lx", vma->vm_start);
		found = true;
		break;
	}
	mmap_read_unlock(mm);
out:
	mmput(mm);
	return found;
}

static struct file *next_file(struct task_struct *task, unsigned int *fd)
{
	struct file *file;

	rcu_read_lock();
	file = task_lookup_next_fdget_rcu(task, fd);
	rcu_read_unlock();
	return file;
}

static bool holds_fd(struct task_struct *task, struct shmem_search *search)
{
	struct file *file;
	unsigned int fd;
	bool found;

	for (fd = 0; (file = next_file(task, &fd)); fd++) {
		found = file_inode(file) == search->inode;
		fput(file);
		if (!found)
			continue;
		snprintf(search->holder->how, sizeof(search->holder->how), "fd %u", fd);
		return true;
	}
	return false;
}

static int shmem_is_holder(struct task_struct *task, void *arg)
{
	struct shmem_search *search = arg;

	if (!holds_mapping(task, search) && !holds_fd(task, search))
		return 0;
	ckpt_set_holder(search->holder, task);
	return 1;
}

/**
 * ckpt_shmem_find_holder() - find a task outside the tree that has it open or mapped
 * @ctx: the checkpoint
 * @ptr: dentry of shared memory
 * @holder: where the result goes
 *
 * Context: May sleep.
 * Return: 0 or -ENOENT.
 */
int ckpt_shmem_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	struct shmem_search search = { .inode = d_inode((struct dentry *)ptr), .holder = holder };

	return ckpt_visit_outsiders(ctx, shmem_is_holder, &search) ? 0 : -ENOENT;
}
