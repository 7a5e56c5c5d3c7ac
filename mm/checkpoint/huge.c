// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages come back as huge pages. One is read in more than one piece, so it
 * is mapped only when the next one begins; in exchange it need not be cleared.
 *
 * Between two pieces, while the image was written, someone outside may have split
 * it, collapsed small pages to it, or left it to one mm alone. Then the image has
 * small pages beside those of the huge one, and all of them become small.
 */
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/memcontrol.h>
#include <linux/pgalloc.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "../internal.h"
#include "mm.h"

/* May there be a huge page at @addr, as far as a page fault would say? */
static bool huge_allowed(struct vm_area_struct *vma, unsigned long addr)
{
	return vma && vma->vm_end - addr >= HPAGE_PMD_SIZE && vma_is_anonymous(vma) &&
	       ckpt_vma_holds_pages(vma) &&
	       thp_vma_allowable_order(vma, vma->vm_flags, TVA_IN_PF | TVA_ENFORCE_SYSFS,
				       PMD_ORDER);
}

static struct folio *alloc_huge(struct vm_area_struct *vma, unsigned long addr)
{
	gfp_t gfp = vma_thp_gfp_mask(vma);
	struct folio *folio = vma_alloc_folio(gfp, HPAGE_PMD_ORDER, vma, addr, true);

	if (!folio)
		return NULL;
	if (mem_cgroup_charge(folio, vma->vm_mm, gfp)) {
		folio_put(folio);
		return NULL;
	}
	return folio;
}

/* As a page fault maps a huge page that it has cleared. */
static int map_pmd(struct vm_area_struct *vma, unsigned long addr, struct folio *folio,
		   pmd_t *pmd, pgtable_t table)
{
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl = pmd_lock(mm, pmd);
	pmd_t entry;

	if (!pmd_none(*pmd)) {
		spin_unlock(ptl);
		return -EEXIST;
	}
	entry = mk_huge_pmd(folio_page(folio, 0), vma->vm_page_prot);
	entry = maybe_pmd_mkwrite(pmd_mkdirty(entry), vma);
	folio_get(folio);
	folio_add_new_anon_rmap(folio, vma, addr, RMAP_EXCLUSIVE);
	folio_add_lru_vma(folio, vma);
	pgtable_trans_huge_deposit(mm, pmd, table);
	set_pmd_at(mm, addr, pmd, entry);
	update_mmu_cache_pmd(vma, addr, pmd);
	add_mm_counter(mm, MM_ANONPAGES, HPAGE_PMD_NR);
	mm_inc_nr_ptes(mm);
	spin_unlock(ptl);
	return 0;
}

static int map_huge(struct vm_area_struct *vma, unsigned long addr, struct folio *folio)
{
	pmd_t *pmd = ckpt_find_pmd(vma->vm_mm, addr);
	pgtable_t table;
	int ret;

	if (!pmd || anon_vma_prepare(vma))
		return -ENOMEM;
	table = pte_alloc_one(vma->vm_mm);
	if (!table)
		return -ENOMEM;
	ret = map_pmd(vma, addr, folio, pmd, table);
	if (ret)
		pte_free(vma->vm_mm, table);
	return ret;
}

static int map_small(struct vm_area_struct *vma, struct ckpt_huge *huge)
{
	unsigned int i;
	int ret;

	for_each_set_bit(i, huge->filled, HPAGE_PMD_NR) {
		ret = ckpt_copy_anon(vma, huge->addr + i * PAGE_SIZE, folio_page(huge->folio, i));
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * That huge pages are allowed is not asked again: the setting may have changed
 * meanwhile, but mappings do not while pages are read into them.
 */
static int map_and_free(struct ckpt_huge *huge, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	unsigned int i;
	int ret = -EINVAL;

	/* What is not in the image reads as zeros. */
	for_each_clear_bit(i, huge->filled, HPAGE_PMD_NR)
		clear_highpage(folio_page(huge->folio, i));
	__folio_mark_uptodate(huge->folio);

	mmap_read_lock(mm);
	vma = vma_lookup(mm, huge->addr);
	if (vma)
		ret = map_huge(vma, huge->addr, huge->folio);
	if (ret == -EEXIST)
		ret = map_small(vma, huge);
	mmap_read_unlock(mm);
	folio_put(huge->folio);
	list_del(&huge->list);
	kfree(huge);
	return ret;
}

static struct ckpt_huge *new_huge(struct mm_struct *mm, unsigned long addr)
{
	struct ckpt_huge *huge = kzalloc(sizeof(*huge), GFP_KERNEL_ACCOUNT);
	struct vm_area_struct *vma;

	if (!huge)
		return NULL;
	huge->addr = addr;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (huge_allowed(vma, addr))
		huge->folio = alloc_huge(vma, addr);
	mmap_read_unlock(mm);
	if (huge->folio)
		return huge;
	kfree(huge);
	return NULL;
}

/**
 * ckpt_huge_page() - a page to read into, as part of a huge one
 * @pending: huge pages that are not complete
 * @mm: address space being filled
 * @addr: address of the page
 *
 * Context: Process context, no locks.
 * Return: The page with a reference, or NULL if it is to be a page of its own.
 */
struct page *ckpt_huge_page(struct ckpt_huge_list *pending, struct mm_struct *mm,
			    unsigned long addr)
{
	unsigned long haddr = addr & HPAGE_PMD_MASK;
	unsigned int i = (addr - haddr) >> PAGE_SHIFT;
	struct ckpt_huge *huge;

	if (pending->addr != haddr) {
		pending->addr = haddr;
		pending->last = new_huge(mm, haddr);
		if (pending->last)
			list_add_tail(&pending->last->list, &pending->list);
	}
	huge = pending->last;
	if (!huge)
		return NULL;
	__set_bit(i, huge->filled);
	folio_get(huge->folio);
	return folio_page(huge->folio, i);
}

/**
 * ckpt_huge_map() - map the huge pages that are complete
 * @pending: huge pages; their contents have been read
 * @mm: address space being filled
 * @all: the last one is complete too
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM, or -EEXIST if one of the pages is there already.
 */
int ckpt_huge_map(struct ckpt_huge_list *pending, struct mm_struct *mm, bool all)
{
	struct ckpt_huge *huge, *next;
	int ret;

	list_for_each_entry_safe(huge, next, &pending->list, list) {
		if (huge == pending->last && !all)
			break;
		if (huge == pending->last)
			pending->last = NULL;
		ret = map_and_free(huge, mm);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * ckpt_huge_drop() - free what was not mapped
 * @pending: huge pages
 */
void ckpt_huge_drop(struct ckpt_huge_list *pending)
{
	struct ckpt_huge *huge, *next;

	list_for_each_entry_safe(huge, next, &pending->list, list) {
		folio_put(huge->folio);
		kfree(huge);
	}
}
