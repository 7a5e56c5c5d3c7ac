// SPDX-License-Identifier: GPL-2.0
/*
 * Private pages of an address space, on their way into the image.
 */
#include <linux/hugetlb.h>
#include <linux/ksm.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "mm.h"

/* Why a walk ends before the end of the mapping. */
enum walk_stop {
	WALK_FULL = 1,	/* the batch has no more room */
	WALK_FAULT,	/* not in memory */
	WALK_RESERVE,	/* cow must allocate */
	WALK_PINNED,
	WALK_POISONED,
};

/**
 * struct page_walk - a walk over the private pages of an mm
 * @batch: takes the pages; NULL to look for what cannot be saved only
 * @cow: pages shared with other mms
 * @check_pinned: a page of this mm may be pinned
 * @next: where to go on
 * @pfn: WALK_RESERVE: for this page
 */
struct page_walk {
	struct ckpt_batch *batch;
	struct ckpt_cow *cow;
	bool check_pinned;
	unsigned long next;
	unsigned long pfn;
};

/* Mostly decides on the first word: a look at it costs little before a copy. */
static bool page_is_zero(struct page *page)
{
	u64 *p = kmap_local_page(page);
	bool zero = !*p && !memchr_inv(p, 0, PAGE_SIZE);

	kunmap_local(p);
	return zero;
}

static int walk_cow_page(struct page_walk *pw, u64 index, struct page *page)
{
	u32 src_objref;
	u64 src_index;

	if (ckpt_cow_find(pw->cow, page, &src_objref, &src_index))
		return ckpt_batch_cow(pw->batch, index, src_objref, src_index) ? 0 : WALK_FULL;
	if (ckpt_cow_add(pw->cow, page, index)) {
		pw->pfn = page_to_pfn(page);
		return WALK_RESERVE;
	}
	if (ckpt_batch_page(pw->batch, index, page, CKPT_RUN_SHARED))
		return 0;
	/* When there is room, someone outside may have put another page here. */
	ckpt_cow_forget(pw->cow, page);
	return WALK_FULL;
}

/**
 * ckpt_folio_pinned() - may a device or an outsider write to this memory?
 * @folio: part of a mapping of the tree
 *
 * Context: Any; the caller has a reference or the page table lock.
 */
bool ckpt_folio_pinned(struct folio *folio)
{
	if (!folio_maybe_dma_pinned(folio))
		return false;
	/* Pins of a small one are references, of which each mapping has one, too. */
	return folio_test_large(folio) ||
	       folio_ref_count(folio) - folio_mapcount(folio) >= (int)GUP_PIN_COUNTING_BIAS;
}

/*
 * A relative may have the page mapped or swapped. KSM shares pages of strangers:
 * that is not a relation to restore.
 */
static bool page_may_be_shared(struct folio *folio)
{
	if (folio_test_ksm(folio))
		return false;
	return folio_test_large(folio) || folio_test_swapcache(folio) ||
	       folio_mapcount(folio) > 1;
}

static int walk_page(struct page_walk *pw, struct vm_area_struct *vma, unsigned long addr,
		     struct page *page, bool exclusive, u32 flags)
{
	struct folio *folio = page_folio(page);
	u64 index = addr >> PAGE_SHIFT;

	if (pw->check_pinned && ckpt_folio_pinned(folio))
		return WALK_PINNED;
	if (!pw->batch)
		return 0;
	/* A hole of anonymous memory reads as zeros: nobody can tell the difference. */
	if (vma_is_anonymous(vma) && page_is_zero(page))
		return 0;
	if (!exclusive && page_may_be_shared(folio))
		return walk_cow_page(pw, index, page);
	return ckpt_batch_page(pw->batch, index, page, flags) ? 0 : WALK_FULL;
}

/* KSM and userfaultfd put it over the contents of a file, too. */
static int walk_zero_page(struct page_walk *pw, struct vm_area_struct *vma, unsigned long addr)
{
	if (!pw->batch || vma_is_anonymous(vma))
		return 0;
	return ckpt_batch_page(pw->batch, addr >> PAGE_SHIFT, ZERO_PAGE(addr), CKPT_RUN_DATA) ?
	       0 : WALK_FULL;
}

/* fork() leaves the mark of shared pages behind when the child has gone. */
static bool huge_is_exclusive(struct page *page)
{
	struct folio *folio = page_folio(page);

	return PageAnonExclusive(page) ||
	       (folio_mapcount(folio) == 1 && !folio_test_swapcache(folio));
}

static int walk_huge(pmd_t *pmd, struct vm_area_struct *vma, unsigned long addr,
		     unsigned long end, struct page_walk *pw)
{
	struct page *page;
	bool exclusive;
	int ret = 0;

	if (!pmd_present(*pmd)) {
		pw->next = addr;
		return WALK_FAULT;
	}
	page = vm_normal_page_pmd(vma, addr, *pmd);
	if (!page || !PageAnon(page))
		return 0;
	exclusive = huge_is_exclusive(page);
	page += (addr & ~HPAGE_PMD_MASK) >> PAGE_SHIFT;
	for (; addr < end; addr += PAGE_SIZE, page++) {
		ret = walk_page(pw, vma, addr, page, exclusive, CKPT_RUN_HUGE);
		if (ret)
			break;
	}
	pw->next = addr;
	return ret;
}

static int walk_swap_pte(pte_t pte)
{
	swp_entry_t entry = pte_to_swp_entry(pte);

	if (is_hwpoison_entry(entry) || is_poisoned_swp_entry(entry))
		return WALK_POISONED;
	/* Other markers hold no contents. */
	if (is_pte_marker_entry(entry))
		return 0;
	return WALK_FAULT;
}

static int walk_pte(struct page_walk *pw, struct vm_area_struct *vma, unsigned long addr,
		    pte_t pte)
{
	struct page *page;

	if (pte_none(pte))
		return 0;
	if (!pte_present(pte))
		return walk_swap_pte(pte);
	page = vm_normal_page(vma, addr, pte);
	if (!page && is_zero_pfn(pte_pfn(pte)))
		return walk_zero_page(pw, vma, addr);
	/* A page of the file comes back by itself. */
	if (!page || !PageAnon(page))
		return 0;
	return walk_page(pw, vma, addr, page, PageAnonExclusive(page), CKPT_RUN_DATA);
}

static int walk_pmd(pmd_t *pmd, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	struct page_walk *pw = walk->private;
	spinlock_t *ptl;
	pte_t *pte, *start;
	int ret = 0;

	ptl = pmd_trans_huge_lock(pmd, walk->vma);
	if (ptl) {
		__acquire(ptl);
		ret = walk_huge(pmd, walk->vma, addr, end, pw);
		spin_unlock(ptl);
		return ret;
	}
	start = pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	if (!start) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	__acquire(ptl);
	for (pte = start; addr < end; addr += PAGE_SIZE, pte++) {
		ret = walk_pte(pw, walk->vma, addr, ptep_get(pte));
		if (ret)
			break;
	}
	pte_unmap_unlock(start, ptl);
	pw->next = addr;
	cond_resched();
	return ret;
}

#ifdef CONFIG_HUGETLB_PAGE
/* Relatives that share such a page get copies: it is taken for an exclusive one. */
static int walk_hugetlb_pte(struct page_walk *pw, struct vm_area_struct *vma,
			    unsigned long addr, unsigned long end, pte_t pte)
{
	unsigned long nr = (addr & ~huge_page_mask(hstate_vma(vma))) >> PAGE_SHIFT;
	struct page *page;
	int ret = 0;

	pw->next = addr;
	if (huge_pte_none(pte))
		return 0;
	if (!pte_present(pte))
		return walk_swap_pte(pte);
	page = pte_page(pte);
	if (!PageAnon(page))
		return 0;
	for (; addr < end; addr += PAGE_SIZE, nr++) {
		ret = walk_page(pw, vma, addr, nth_page(page, nr), true, CKPT_RUN_HUGETLB);
		if (ret)
			break;
	}
	pw->next = addr;
	return ret;
}

static int walk_hugetlb(pte_t *ptep, unsigned long hmask, unsigned long addr,
			unsigned long end, struct mm_walk *walk)
{
	spinlock_t *ptl = huge_pte_lock(hstate_vma(walk->vma), walk->mm, ptep);
	int ret = walk_hugetlb_pte(walk->private, walk->vma, addr, end,
				   huge_ptep_get(walk->mm, addr & hmask, ptep));

	spin_unlock(ptl);
	cond_resched();
	return ret;
}
#else
#define walk_hugetlb NULL
#endif

static const struct mm_walk_ops page_walk_ops = {
	.pmd_entry = walk_pmd,
	.hugetlb_entry = walk_hugetlb,
	.walk_lock = PGWALK_RDLOCK,
};

/* Brings a swapped page back, or waits until a migrating one has arrived. */
static int fault_in(struct mm_struct *mm, unsigned long addr)
{
	struct page *page;
	long ret;

	ret = get_user_pages_remote(mm, addr, 1, FOLL_FORCE, &page, NULL);
	if (ret < 0)
		return ret;
	put_page(page);
	return 0;
}

/*
 * Without an anon_vma there are no private pages. Memory that the kernel may
 * take away is not saved: what random numbers come from must not come back twice.
 * Pages of shared memory are saved elsewhere, but only a page table knows that
 * userfaultfd has poisoned one.
 */
static bool is_to_walk(struct page_walk *pw, struct vm_area_struct *vma)
{
	if (ckpt_arch_vma(vma) || (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP)))
		return false;
	if (pw->batch)
		return vma->anon_vma && !(vma->vm_flags & VM_DROPPABLE);
	return (vma->vm_flags & VM_MAYSHARE) || (pw->check_pinned && vma->anon_vma);
}

/* Walks from pw->next: 0 at the end, enum walk_stop, or an errno. */
static int walk_mm(struct page_walk *pw, struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, pw->next);
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		if (!is_to_walk(pw, vma))
			continue;
		ret = walk_page_range_vma(vma, max(vma->vm_start, pw->next), vma->vm_end,
					  &page_walk_ops, pw);
		if (ret)
			break;
	}
	if (ret == WALK_FAULT) {
		ret = fault_in(mm, pw->next);
		ret = ret ? WALK_POISONED : WALK_FAULT;
	}
	mmap_read_unlock(mm);
	return ret;
}

static int walk_stopped(struct page_walk *pw, struct ckpt_ctx *ctx, int stop)
{
	switch (stop) {
	case WALK_FULL:
		return ckpt_batch_make_room(pw->batch);
	case WALK_FAULT:
		return 0;
	case WALK_RESERVE:
		return ckpt_cow_reserve(pw->cow, pw->pfn);
	case WALK_PINNED:
		return ckpt_refuse(ctx, -EOPNOTSUPP,
				   "%s: page at %lx: pinned for I/O: not supported",
				   ckpt_whom(ctx), pw->next);
	case WALK_POISONED:
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: page at %lx: cannot be read",
				   ckpt_whom(ctx), pw->next);
	default:
		return stop;
	}
}

static int walk_all(struct page_walk *pw, struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	int ret;

	do {
		ret = walk_mm(pw, mm);
		if (!ret)
			break;
		ret = walk_stopped(pw, ctx, ret);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
	} while (!ret);
	return ret;
}

/**
 * ckpt_mm_write_pages() - write the private pages of an mm
 * @ctx: the checkpoint
 * @mm: its tasks are frozen
 *
 * A page that relatives share copy-on-write is written for the first of them;
 * the others refer to it.
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM, -EINTR, -EOPNOTSUPP or an errno of the stream.
 */
int ckpt_mm_write_pages(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct page_walk pw = {
		.cow = ckpt_cow_get(ctx),
		.check_pinned = test_bit(MMF_HAS_PINNED, &mm->flags),
	};
	int objref = ckpt_obj_ref(ctx, mm, &ckpt_mm_obj_ops);
	int ret;

	if (objref < 0)
		return objref;
	pw.batch = ckpt_batch_alloc(ctx, objref);
	if (!pw.cow || !pw.batch)
		ret = ckpt_err(ctx, -ENOMEM, "%s: no memory to save pages", ckpt_whom(ctx));
	else
		ret = walk_all(&pw, ctx, mm);
	if (!ret)
		ret = ckpt_batch_flush(pw.batch);
	ckpt_batch_free(pw.batch);
	return ret ? ret : ckpt_write(ctx, CKPT_REC_PAGES_END, NULL, 0);
}

/**
 * ckpt_mm_check_pages() - refuse pages that a device may write to or that are lost
 * @ctx: the checkpoint
 * @mm: its tasks are frozen
 *
 * Context: Process context, no locks.
 * Return: 0, -EINTR or -EOPNOTSUPP.
 */
int ckpt_mm_check_pages(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct page_walk pw = { .check_pinned = test_bit(MMF_HAS_PINNED, &mm->flags) };
	int ret;

	do {
		ret = walk_mm(&pw, mm);
	} while (ret == WALK_FAULT);
	return ret ? walk_stopped(&pw, ctx, ret) : 0;
}
