// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that relatives share copy-on-write.
 *
 * Checkpoint: the first mm that has such a page writes it as CKPT_RUN_SHARED and
 * leaves the page frame number here; the others find it and refer to the first
 * one. Most pages never come here: PageAnonExclusive says that nobody shares.
 *
 * Restart: a page may be mapped only where the anon_vma that it belongs to is
 * in the chain of the mapping. A mapping that shares pages is therefore linked
 * to that of the relative as fork() does it, before it has pages of its own;
 * CKPT_RUN_SHARED pages belong to the root, which all relatives have in common.
 * Then each page table entry is shared as fork() does it for a present page.
 * Where that is not possible the page is copied.
 */
#include <linux/ksm.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/xarray.h>
#include <asm/tlbflush.h>

#include "../internal.h"
#include "mm.h"

/* where a page was first seen: number of the mm, index in it */
#define COW_INDEX_BITS	45
#define COW_MMS_MAX	((1U << 18) - 1)

/**
 * struct ckpt_cow - pages and relations found so far
 * @pages: page frame number -> first place; each has a reference, lest reclaim
 *	give the frame to another page. What was in swap stays in memory so until
 *	the checkpoint ends.
 * @roots: root anon_vma -> first mm
 * @mms: number of an mm -> objref
 * @nr_mms: mms so far; the last one is being written
 */
struct ckpt_cow {
	struct xarray pages;
	struct xarray roots;
	struct xarray mms;
	u32 nr_mms;
};

/**
 * ckpt_cow_get() - the bookkeeping of a checkpoint
 * @ctx: the checkpoint
 *
 * Context: Process context, may sleep.
 * Return: It, created with the first use, or NULL without memory.
 */
struct ckpt_cow *ckpt_cow_get(struct ckpt_ctx *ctx)
{
	struct ckpt_cow **slot = ckpt_cow_slot(ctx);

	if (!*slot) {
		*slot = kzalloc(sizeof(**slot), GFP_KERNEL);
		if (!*slot)
			return NULL;
		xa_init(&(*slot)->pages);
		xa_init(&(*slot)->roots);
		xa_init(&(*slot)->mms);
	}
	return *slot;
}

static void put_pages(struct ckpt_cow *cow)
{
	unsigned long pfn;
	void *entry;

	xa_for_each(&cow->pages, pfn, entry) {
		put_page(pfn_to_page(pfn));
		cond_resched();
	}
}

/**
 * ckpt_cow_free() - at the end of a checkpoint
 * @cow: the bookkeeping or NULL
 *
 * Context: Process context, may sleep.
 */
void ckpt_cow_free(struct ckpt_cow *cow)
{
	if (!cow)
		return;
	put_pages(cow);
	xa_destroy(&cow->pages);
	xa_destroy(&cow->roots);
	xa_destroy(&cow->mms);
	kfree(cow);
}

/**
 * ckpt_cow_add_mm() - an mm is going to be written
 * @cow: the bookkeeping
 * @objref: the mm
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_cow_add_mm(struct ckpt_cow *cow, u32 objref)
{
	if (cow->nr_mms < COW_MMS_MAX)
		cow->nr_mms++;
	return xa_err(xa_store(&cow->mms, cow->nr_mms, xa_mk_value(objref), GFP_KERNEL));
}

/**
 * ckpt_cow_find() - has a relative already brought this page?
 * @cow: the bookkeeping
 * @page: an anonymous page of the mm being written
 * @src_objref: set to the mm that has brought it
 * @src_index: set to where it is there
 *
 * Context: Any.
 */
bool ckpt_cow_find(struct ckpt_cow *cow, struct page *page, u32 *src_objref, u64 *src_index)
{
	void *entry = xa_load(&cow->pages, page_to_pfn(page));
	unsigned long first, nr;

	if (!entry)
		return false;
	first = xa_to_value(entry);
	nr = first >> COW_INDEX_BITS;
	if (nr == cow->nr_mms)
		return false;
	*src_objref = xa_to_value(xa_load(&cow->mms, nr));
	*src_index = first & ((1UL << COW_INDEX_BITS) - 1);
	return true;
}

/**
 * ckpt_cow_add() - let relatives find this page
 * @cow: the bookkeeping
 * @page: an anonymous page that none of them has brought
 * @index: where it is in the mm being written
 *
 * Context: Atomic.
 * Return: 0, or -ENOMEM after which ckpt_cow_reserve() helps.
 */
int ckpt_cow_add(struct ckpt_cow *cow, struct page *page, u64 index)
{
	unsigned long first = (unsigned long)cow->nr_mms << COW_INDEX_BITS | index;
	unsigned long pfn = page_to_pfn(page);
	int ret;

	/* Too many mms to number: what they share is then saved for each. */
	if (cow->nr_mms == COW_MMS_MAX || xa_load(&cow->pages, pfn))
		return 0;
	ret = xa_err(xa_store(&cow->pages, pfn, xa_mk_value(first), GFP_NOWAIT | __GFP_NOWARN));
	if (!ret)
		get_page(page);
	return ret;
}

/**
 * ckpt_cow_forget() - undo ckpt_cow_add()
 * @cow: the bookkeeping
 * @page: the page
 *
 * Context: Atomic; someone else holds a reference to @page.
 */
void ckpt_cow_forget(struct ckpt_cow *cow, struct page *page)
{
	if (xa_erase(&cow->pages, page_to_pfn(page)))
		put_page(page);
}

/**
 * ckpt_cow_reserve() - memory for ckpt_cow_add() to come
 * @cow: the bookkeeping
 * @pfn: page frame number
 *
 * Context: Process context, no locks.
 * Return: 0 or -ENOMEM.
 */
int ckpt_cow_reserve(struct ckpt_cow *cow, unsigned long pfn)
{
	return xa_reserve(&cow->pages, pfn, GFP_KERNEL);
}

struct cow_hint {
	struct ckpt_cow *cow;
	u64 index;
	u32 objref;
};

static int hint_page(struct cow_hint *hint, struct page *page)
{
	if (!page || !PageAnon(page) || PageAnonExclusive(page))
		return 0;
	return ckpt_cow_find(hint->cow, page, &hint->objref, &hint->index);
}

static int hint_pmd(pmd_t *pmd, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	spinlock_t *ptl = pmd_trans_huge_lock(pmd, walk->vma);
	pte_t *start, *ptep, pte;
	int ret = 0;

	if (ptl) {
		__acquire(ptl);
		if (pmd_present(*pmd))
			ret = hint_page(walk->private, vm_normal_page_pmd(walk->vma, addr, *pmd));
		spin_unlock(ptl);
		return ret;
	}
	start = pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	if (!start)
		return 0;
	__acquire(ptl);
	for (ptep = start; addr < end && !ret; addr += PAGE_SIZE, ptep++) {
		pte = ptep_get(ptep);
		if (pte_present(pte))
			ret = hint_page(walk->private, vm_normal_page(walk->vma, addr, pte));
	}
	pte_unmap_unlock(start, ptl);
	cond_resched();
	return ret;
}

static const struct mm_walk_ops hint_ops = {
	.pmd_entry = hint_pmd,
	.walk_lock = PGWALK_RDLOCK,
};

/**
 * ckpt_cow_vma() - does a mapping share pages with an mm that was written?
 * @cow: the bookkeeping
 * @vma: mapping of the mm being written
 * @rec: its cow fields are set
 *
 * Context: Process context, mmap_lock held for reading.
 * Return: 0, -ENOMEM or -EINTR.
 */
int ckpt_cow_vma(struct ckpt_cow *cow, struct vm_area_struct *vma, struct ckpt_rec_vma *rec)
{
	struct cow_hint hint = { .cow = cow };
	unsigned long root;
	void *entry;
	int ret;

	if (!vma->anon_vma)
		return 0;
	root = (unsigned long)vma->anon_vma->root;
	entry = xa_load(&cow->roots, root);
	if (!entry)
		return xa_err(xa_store(&cow->roots, root, xa_mk_value(cow->nr_mms), GFP_KERNEL));
	if (xa_to_value(entry) == cow->nr_mms)
		return 0;
	ret = walk_page_vma(vma, &hint_ops, &hint);
	if (ret < 0)
		return ret;
	rec->cow_objref = hint.objref;
	rec->cow_index = hint.index;
	return 0;
}

static struct vm_area_struct *source_vma(struct mm_struct *src, u64 index)
{
	struct vm_area_struct *vma;

	if (index >= TASK_SIZE >> PAGE_SHIFT)
		return NULL;
	vma = vma_lookup(src, index << PAGE_SHIFT);
	return vma && vma->anon_vma && ckpt_vma_holds_pages(vma) ? vma : NULL;
}

static struct mm_struct *source_mm(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 objref)
{
	struct mm_struct *src = ckpt_obj_fetch(ctx, objref, &ckpt_mm_obj_ops);

	if (IS_ERR(src) || src == mm)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: object %u is no earlier mm",
					objref));
	return src;
}

/* The order is that of fork(): the one who gives, then the one who takes. */
static int lock_both(struct mm_struct *src, struct mm_struct *mm)
{
	if (mmap_write_lock_killable(src))
		return -EINTR;
	mmap_write_lock_nested(mm, SINGLE_DEPTH_NESTING);
	return 0;
}

static void unlock_both(struct mm_struct *src, struct mm_struct *mm)
{
	mmap_write_unlock(mm);
	mmap_write_unlock(src);
}

/**
 * ckpt_cow_link() - let a mapping take over pages of a relative
 * @ctx: the restart
 * @mm: address space of current
 * @rec: the mapping, which exists
 *
 * Without a suitable source nothing happens: the pages are copied then.
 *
 * Context: Process context, no locks.
 * Return: 0, -EINVAL, -EINTR or -ENOMEM.
 */
int ckpt_cow_link(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_rec_vma *rec)
{
	struct mm_struct *src = source_mm(ctx, mm, rec->cow_objref);
	struct vm_area_struct *vma, *src_vma;
	int ret;

	if (IS_ERR(src))
		return PTR_ERR(src);
	ret = lock_both(src, mm);
	if (ret)
		return ret;
	vma = vma_lookup(mm, rec->start);
	src_vma = source_vma(src, rec->cow_index);
	if (src_vma && vma && !vma->anon_vma && ckpt_vma_holds_pages(vma)) {
		vma_start_write(vma);
		ret = anon_vma_fork(vma, src_vma);
	}
	unlock_both(src, mm);
	if (ret)
		return ckpt_err(ctx, ret, "%s: mapping %llx-%llx: no memory", ckpt_whom(ctx),
				rec->start, rec->end);
	return 0;
}

/* May @folio be mapped in @vma? Its anon_vma must be known there. */
static bool linked(struct vm_area_struct *vma, struct folio *folio)
{
	struct anon_vma *anon_vma = folio_anon_vma(folio);
	struct anon_vma_chain *avc;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma)
		if (avc->anon_vma == anon_vma)
			return true;
	return false;
}

enum share_result {
	SHARE_DONE,
	SHARE_COPY,	/* cannot be shared */
	SHARE_FAULT,	/* the source is not in memory */
};

static bool can_share(struct vm_area_struct *vma, unsigned long addr, struct page *page)
{
	struct folio *folio = page_folio(page);

	return !folio_test_ksm(folio) && linked(vma, folio) &&
	       folio->index + folio_page_idx(folio, page) == linear_page_index(vma, addr);
}

/* Both page tables are locked; what copy_present_page() in memory.c does. */
static int share_pte(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep,
		     struct vm_area_struct *src_vma, unsigned long src_addr, pte_t *src_ptep)
{
	pte_t pte = ptep_get(src_ptep);
	struct folio *folio;
	struct page *page;

	if (!pte_none(ptep_get(ptep)))
		return -EEXIST;
	if (pte_none(pte))
		return -EINVAL;
	if (!pte_present(pte))
		return SHARE_FAULT;
	page = vm_normal_page(src_vma, src_addr, pte);
	/* The source may be merged already, and KSM puts this in the place of zeros. */
	if (!page && is_zero_pfn(pte_pfn(pte)))
		return SHARE_COPY;
	if (!page || !PageAnon(page))
		return -EINVAL;
	if (!can_share(vma, addr, page))
		return SHARE_COPY;
	folio = page_folio(page);
	folio_get(folio);
	if (folio_try_dup_anon_rmap_pte(folio, page, src_vma)) {
		folio_put(folio);
		return SHARE_COPY;
	}
	if (pte_write(pte))
		ptep_set_wrprotect(src_vma->vm_mm, src_addr, src_ptep);
	set_pte_at(vma->vm_mm, addr, ptep, pte_mkdirty(mk_pte(page, vma->vm_page_prot)));
	inc_mm_counter(vma->vm_mm, MM_ANONPAGES);
	mlock_vma_folio(folio, vma);
	return SHARE_DONE;
}

static int share_page(struct vm_area_struct *vma, unsigned long addr,
		      struct vm_area_struct *src_vma, unsigned long src_addr)
{
	struct mm_struct *mm = vma->vm_mm, *src = src_vma->vm_mm;
	pmd_t *pmd = ckpt_alloc_pmd(mm, addr);
	pmd_t *src_pmd = mm_find_pmd(src, src_addr);
	spinlock_t *ptl, *src_ptl;
	pte_t *pte, *src_pte;
	int ret;

	if (!pmd)
		return -ENOMEM;
	if (!src_pmd)
		return -EINVAL;
	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!pte)
		return -EEXIST;
	__acquire(ptl);
	/* A huge page, or just being collapsed to one: fork() would share it as a whole. */
	src_pte = pte_offset_map_nolock(src, src_pmd, src_addr, &src_ptl);
	if (!src_pte) {
		pte_unmap_unlock(pte, ptl);
		return SHARE_COPY;
	}
	spin_lock_nested(src_ptl, SINGLE_DEPTH_NESTING);
	__acquire(src_ptl);
	raw_write_seqcount_begin(&src->write_protect_seq);
	ret = share_pte(vma, addr, pte, src_vma, src_addr, src_pte);
	raw_write_seqcount_end(&src->write_protect_seq);
	pte_unmap_unlock(src_pte, src_ptl);
	pte_unmap_unlock(pte, ptl);
	return ret;
}

/* One page of the source by an ordinary fault, with a reference. */
static struct page *source_page(struct mm_struct *src, unsigned long addr)
{
	struct page *page;
	long ret = get_user_pages_remote(src, addr, 1, FOLL_FORCE, &page, NULL);

	return ret < 0 ? ERR_PTR(ret) : page;
}

static int share_or_copy(struct vm_area_struct *vma, unsigned long addr,
			 struct vm_area_struct *src_vma, unsigned long src_addr)
{
	struct page *page;
	int ret;

	for (;;) {
		ret = share_page(vma, addr, src_vma, src_addr);
		if (ret <= 0)
			return ret;
		page = source_page(src_vma->vm_mm, src_addr);
		if (IS_ERR(page))
			return PTR_ERR(page);
		if (ret == SHARE_COPY)
			ret = ckpt_copy_anon(vma, addr, page);
		put_page(page);
		if (ret != SHARE_FAULT)
			return ret;
	}
}

static int share_run(struct mm_struct *mm, struct mm_struct *src,
		     const struct ckpt_page_run *run, u32 *i)
{
	struct vm_area_struct *vma = NULL, *src_vma = NULL;
	unsigned long addr, src_addr;
	int ret;

	for (; *i < run->nr; ++*i) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (run->index + *i >= TASK_SIZE >> PAGE_SHIFT)
			return -EINVAL;
		addr = (run->index + *i) << PAGE_SHIFT;
		if (!vma || addr >= vma->vm_end)
			vma = vma_lookup(mm, addr);
		if (!vma || !ckpt_vma_holds_pages(vma))
			return -EINVAL;
		src_addr = (run->src_index + *i) << PAGE_SHIFT;
		if (!src_vma || src_addr >= src_vma->vm_end) {
			src_vma = source_vma(src, run->src_index + *i);
			if (!src_vma)
				return -EINVAL;
			vma_start_write(src_vma);
		}
		ret = share_or_copy(vma, addr, src_vma, src_addr);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * ckpt_cow_share() - share pages of an mm that was restored before
 * @ctx: the restart
 * @mm: address space of current
 * @run: CKPT_RUN_COW, from the image
 *
 * Context: Process context of the owner, no locks. The tasks of the source
 * wait in the kernel.
 * Return: 0, -EINVAL, -EEXIST, -EINTR or -ENOMEM.
 */
int ckpt_cow_share(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_page_run *run)
{
	struct mm_struct *src = source_mm(ctx, mm, run->src_objref);
	u32 i = 0;
	int ret;

	if (IS_ERR(src))
		return PTR_ERR(src);
	ret = lock_both(src, mm);
	if (ret)
		return ret;
	ret = share_run(mm, src, run, &i);
	/* Nobody writes through a stale entry: the owners are parked in the kernel. */
	flush_tlb_mm(src);
	unlock_both(src, mm);
	if (ret)
		return ckpt_err(ctx, ret, "%s: page at %llx: cannot be shared with %llx of #%u",
				ckpt_whom(ctx), (run->index + i) << PAGE_SHIFT,
				(run->src_index + i) << PAGE_SHIFT, run->src_objref);
	return 0;
}
