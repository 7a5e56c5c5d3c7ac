// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages come back as huge pages. One is read in more than one piece, so it
 * is mapped before it is read: nobody runs in its address space yet.
 */
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/memcontrol.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <asm/pgalloc.h>

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
	folio_zero_user(folio, addr);
	__folio_mark_uptodate(folio);
	return folio;
}

/* As a page fault maps a huge page that it has cleared. */
static int map_locked(struct vm_area_struct *vma, unsigned long addr, struct folio *folio,
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
	ret = map_locked(vma, addr, folio, pmd, table);
	if (ret)
		pte_free(vma->vm_mm, table);
	return ret;
}

/*
 * Maps a cleared huge page, since what is not in the image reads as zeros. Any
 * obstacle only means that small pages have to do.
 */
static struct folio *new_huge(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;
	struct folio *folio = NULL;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (huge_allowed(vma, addr))
		folio = alloc_huge(vma, addr);
	if (folio) {
		folio_get(folio);
		if (map_huge(vma, addr, folio)) {
			folio_put(folio);
			folio_put(folio);
			folio = NULL;
		}
	}
	mmap_read_unlock(mm);
	return folio;
}

/**
 * ckpt_huge_page() - a page to read into, as part of a huge one
 * @huge: the huge page of the last call, or none
 * @mm: address space being filled
 * @addr: address of the page
 *
 * Context: Process context, no locks.
 * Return: The page with a reference, mapped already; NULL if it is to be a page
 * of its own.
 */
struct page *ckpt_huge_page(struct ckpt_huge *huge, struct mm_struct *mm, unsigned long addr)
{
	unsigned long haddr = addr & HPAGE_PMD_MASK;

	if (huge->addr != haddr) {
		ckpt_huge_put(huge);
		huge->addr = haddr;
		huge->folio = new_huge(mm, haddr);
	}
	if (!huge->folio)
		return NULL;
	folio_get(huge->folio);
	return folio_page(huge->folio, (addr - haddr) >> PAGE_SHIFT);
}

/**
 * ckpt_huge_put() - forget the huge page of the last call
 * @huge: it, or none
 */
void ckpt_huge_put(struct ckpt_huge *huge)
{
	if (huge->folio)
		folio_put(huge->folio);
	huge->folio = NULL;
}
