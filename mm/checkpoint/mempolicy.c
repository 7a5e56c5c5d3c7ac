// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA memory policies of tasks, mappings and shared memory.
 *
 * Where pages are is not saved. Those of a mapping or of shared memory with a
 * policy are put where it says when they are restored, others where the
 * restarter's own policy does.
 */
#include <linux/bitmap.h>
#include <linux/cpuset.h>
#include <linux/init.h>
#include <linux/mempolicy.h>
#include <linux/nodemask.h>
#include <linux/sched/task.h>
#include <linux/shmem_fs.h>

#include "../internal.h"
#include "mm.h"

#define NODES_MAX	(CKPT_NODE_WORDS * 64)

static void policy_to_image(const struct mempolicy *pol, struct ckpt_rec_mempolicy *rec)
{
	bool as_given = pol->flags & MPOL_MODE_FLAGS;

	BUILD_BUG_ON(MAX_NUMNODES > NODES_MAX);
	rec->mode = pol->mode | (pol->flags & MPOL_MODE_FLAGS);
	rec->home_node = pol->home_node;
	/* Local allocation has no nodes; they are not even initialized. */
	if (pol->mode == MPOL_LOCAL)
		return;
	bitmap_to_arr64(rec->nodes, nodes_addr(as_given ? pol->w.user_nodemask : pol->nodes),
			MAX_NUMNODES);
	bitmap_to_arr64(rec->used, nodes_addr(pol->nodes), MAX_NUMNODES);
}

static bool has_node(const u64 *words, unsigned int node)
{
	return words[node / 64] & BIT_ULL(node % 64);
}

/* A policy quietly does without nodes that are missing; nobody would know. */
static int check_nodes(struct ckpt_ctx *ctx, const struct ckpt_rec_mempolicy *rec)
{
	unsigned int node;
	nodemask_t mems;

	task_lock(current);
	nodes_and(mems, cpuset_current_mems_allowed, node_states[N_MEMORY]);
	task_unlock(current);
	for (node = 0; node < NODES_MAX; node++) {
		bool there = node < MAX_NUMNODES;

		/* Relative nodes are numbers within those that there are. */
		if (has_node(rec->used, node) && !(rec->mode & MPOL_F_RELATIVE_NODES))
			there = there && node_isset(node, mems);
		else if (!has_node(rec->nodes, node))
			there = true;
		if (!there)
			return ckpt_err(ctx, -EOPNOTSUPP,
					"%s: memory policy: node %u is not there, or not allowed",
					ckpt_whom(ctx), node);
	}
	return 0;
}

static struct mempolicy *policy_from_image(struct ckpt_ctx *ctx,
					   const struct ckpt_rec_mempolicy *rec)
{
	struct mempolicy *pol;
	nodemask_t nodes;
	int ret;

	if ((rec->mode & ~MPOL_MODE_FLAGS) >= MPOL_MAX || rec->mode == MPOL_DEFAULT ||
	    rec->il_prev >= NODES_MAX || rec->il_weight > U8_MAX)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: bad memory policy %x", rec->mode));
	ret = check_nodes(ctx, rec);
	if (ret)
		return ERR_PTR(ret);
	if (rec->home_node != NUMA_NO_NODE &&
	    (rec->home_node < 0 || rec->home_node >= MAX_NUMNODES ||
	     !node_online(rec->home_node)))
		return ERR_PTR(ckpt_err(ctx, -EOPNOTSUPP,
					"%s: memory policy: home node %d is not there",
					ckpt_whom(ctx), rec->home_node));
	bitmap_from_arr64(nodes_addr(nodes), rec->nodes, MAX_NUMNODES);
	pol = mpol_create(rec->mode, &nodes, rec->home_node) ?: ERR_PTR(-EINVAL);
	if (IS_ERR(pol))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(pol), "%s: memory policy %x: %s",
					ckpt_whom(ctx), rec->mode, PTR_ERR(pol) == -ENOMEM ?
					"no memory" : "bad in the image"));
	return pol;
}

static struct mempolicy *read_policy(struct ckpt_ctx *ctx, u16 type, struct ckpt_rec_mempolicy *rec)
{
	int ret = ckpt_peek(ctx);

	if (ret != type)
		return ret < 0 ? ERR_PTR(ret) : NULL;
	ret = ckpt_read(ctx, type, rec, sizeof(*rec));
	return ret ? ERR_PTR(ret) : policy_from_image(ctx, rec);
}

/*
 * Mappings.
 */

/**
 * ckpt_policy_save_vma() - what is the policy of a mapping?
 * @vma: the mapping
 * @rec: where it goes
 *
 * Context: mmap_lock held.
 * Return: has it any?
 */
bool ckpt_policy_save_vma(struct vm_area_struct *vma, struct ckpt_rec_mempolicy *rec)
{
	if (!vma_policy(vma))
		return false;
	policy_to_image(vma_policy(vma), rec);
	return true;
}

/**
 * ckpt_policy_read() - read the policy of the mapping that follows
 * @ctx: the restart
 *
 * Context: Process context, no locks.
 * Return: the policy with a reference, NULL if the mapping has none, or an ERR_PTR
 * after ckpt_err().
 */
struct mempolicy *ckpt_policy_read(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_mempolicy rec;

	return read_policy(ctx, CKPT_REC_VMA_POLICY, &rec);
}

/**
 * ckpt_policy_set_vma() - give a mapping its policy
 * @mm: address space of current
 * @addr: start of the mapping
 * @pol: its policy, or NULL
 *
 * Unlike mbind(), leaves the policy of shared memory alone: a file that is
 * outside of the tree has kept it, other memory gets its own.
 *
 * Context: Process context, no locks.
 */
void ckpt_policy_set_vma(struct mm_struct *mm, unsigned long addr, struct mempolicy *pol)
{
	struct vm_area_struct *vma;

	if (!pol)
		return;
	mmap_write_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma) {
		vma_start_write(vma);
		mpol_get(pol);
		mpol_put(vma->vm_policy);
		vma->vm_policy = pol;
	}
	mmap_write_unlock(mm);
}

/**
 * ckpt_policy_in_mm() - does any mapping have a policy?
 * @mm: address space of current
 *
 * Context: Process context, no locks.
 */
bool ckpt_policy_in_mm(struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	bool found = false;

	mmap_read_lock(mm);
	for_each_vma(vmi, vma)
		found = found || vma_policy(vma);
	mmap_read_unlock(mm);
	return found;
}

/**
 * ckpt_policy_alloc() - allocate a page as the policy of its mapping says
 * @mm: address space of current
 * @addr: where the page is going to be
 *
 * Context: Process context, no locks.
 * Return: the folio, or NULL if there is no memory or no mapping.
 */
struct folio *ckpt_policy_alloc(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;
	struct folio *folio = NULL;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma)
		folio = vma_alloc_folio(GFP_HIGHUSER_MOVABLE, 0, vma, addr, false);
	mmap_read_unlock(mm);
	return folio;
}

/*
 * Shared memory: ranges of pages, whoever maps them.
 */

static struct sp_node *first_range(struct shared_policy *sp, pgoff_t index)
{
	struct rb_node *node = sp->root.rb_node;
	struct sp_node *range, *found = NULL;

	while (node) {
		range = rb_entry(node, struct sp_node, nd);
		if (range->end > index) {
			found = range;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/* The first range that ends behind @index, if there is one. */
static bool next_range(struct inode *inode, pgoff_t index, struct ckpt_rec_mempolicy *rec)
{
	struct shared_policy *sp = &SHMEM_I(inode)->policy;
	struct sp_node *range;

	*rec = (struct ckpt_rec_mempolicy) { };
	read_lock(&sp->lock);
	range = first_range(sp, index);
	if (range) {
		rec->start = range->start;
		rec->end = range->end;
		policy_to_image(range->policy, rec);
	}
	read_unlock(&sp->lock);
	return range;
}

/**
 * ckpt_policy_write_shared() - write the policies of shared memory
 * @ctx: the checkpoint
 * @inode: the memory
 *
 * Context: Process context, no locks.
 * Return: 0 or an errno of the stream.
 */
int ckpt_policy_write_shared(struct ckpt_ctx *ctx, struct inode *inode)
{
	struct ckpt_rec_mempolicy rec = { };
	int ret = 0;

	/* Huge pages of the pool obey the mapping that they are first used by. */
	if (!shmem_mapping(inode->i_mapping))
		return 0;
	while (!ret && next_range(inode, rec.end, &rec))
		ret = ckpt_write(ctx, CKPT_REC_SHMEM_POLICY, &rec, sizeof(rec));
	return ret;
}

/* Shared memory knows policies by the mapping that they were set through. */
static int set_range(struct inode *inode, const struct ckpt_rec_mempolicy *rec,
		     struct mempolicy *pol)
{
	struct vm_area_struct vma;

	vma_init(&vma, current->mm);
	vma.vm_pgoff = rec->start;
	vma.vm_start = 0;
	vma.vm_end = (rec->end - rec->start) << PAGE_SHIFT;
	return mpol_set_shared_policy(&SHMEM_I(inode)->policy, &vma, pol);
}

/**
 * ckpt_policy_read_shared() - read what ckpt_policy_write_shared() wrote
 * @ctx: the restart
 * @inode: the memory, which has no pages
 *
 * Context: Process context, no locks.
 * Return: 0, or an errno after ckpt_err().
 */
int ckpt_policy_read_shared(struct ckpt_ctx *ctx, struct inode *inode)
{
	struct ckpt_rec_mempolicy rec;
	struct mempolicy *pol;
	u64 behind = 0;
	int ret;

	while ((pol = read_policy(ctx, CKPT_REC_SHMEM_POLICY, &rec))) {
		if (IS_ERR(pol))
			return PTR_ERR(pol);
		ret = -EINVAL;
		if (shmem_mapping(inode->i_mapping) && rec.start >= behind &&
		    rec.start < rec.end && rec.end <= MAX_LFS_FILESIZE >> PAGE_SHIFT)
			ret = set_range(inode, &rec, pol);
		mpol_put(pol);
		if (ret)
			return ckpt_err(ctx, ret, "shared memory: policy of pages %llu-%llu: %s",
					rec.start, rec.end,
					ret == -EINVAL ? "bad in the image" : "no memory");
		behind = rec.end;
	}
	return 0;
}

/*
 * Tasks.
 */

static int policy_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_mempolicy rec = {
		.il_prev = task->il_prev,
		.il_weight = task->il_weight,
	};
	struct mempolicy *pol;

	task_lock(task);
	pol = task->mempolicy;
	if (pol)
		policy_to_image(pol, &rec);
	task_unlock(task);
	return pol ? ckpt_write(ctx, CKPT_REC_TASK_MEMPOLICY, &rec, sizeof(rec)) : 0;
}

static int policy_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_mempolicy rec;
	struct mempolicy *pol;
	int ret;

	ret = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (ret)
		return ret;
	pol = policy_from_image(ctx, &rec);
	if (IS_ERR(pol))
		return PTR_ERR(pol);
	task_lock(current);
	swap(current->mempolicy, pol);
	/* Begins anew with the first node of this machine if it has fewer. */
	current->il_prev = min(rec.il_prev, MAX_NUMNODES - 1);
	current->il_weight = rec.il_weight;
	task_unlock(current);
	mpol_put(pol);
	return 0;
}

static const struct ckpt_task_ops policy_ops = {
	.name = "memory policy",
	.rec_type = CKPT_REC_TASK_MEMPOLICY,
	.checkpoint = policy_checkpoint,
	.restore = policy_restore,
};

static int __init ckpt_policy_init(void)
{
	return ckpt_register_task_ops(&policy_ops);
}
device_initcall(ckpt_policy_init);
