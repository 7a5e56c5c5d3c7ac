// SPDX-License-Identifier: GPL-2.0
/*
 * Page contents from the image: read into pages of their own, then mapped.
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/pgalloc.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/uio.h>

#include "mm.h"

static void fill_put(struct ckpt_fill *fill)
{
	unsigned int i;

	for (i = 0; i < fill->nr; i++)
		if (fill->pages[i])
			put_page(fill->pages[i]);
	fill->nr = 0;
}

static int fill_get_run(struct ckpt_ctx *ctx, void *obj, const struct ckpt_fill_ops *ops,
			const struct ckpt_page_run *run, struct ckpt_fill *fill)
{
	struct page *page;
	u32 i;

	if (run->nr > CKPT_BATCH_PAGES - fill->nr)
		return ckpt_err(ctx, -EINVAL, "image: too many pages in one record");
	for (i = 0; i < run->nr; i++) {
		page = ops->get(ctx, obj, run->index + i, run->flags);
		if (IS_ERR(page))
			return PTR_ERR(page);
		fill->index[fill->nr] = run->index + i;
		fill->flags[fill->nr] = run->flags;
		fill->pages[fill->nr] = page;
		bvec_set_page(&fill->bvecs[fill->nr], page, PAGE_SIZE, 0);
		fill->nr++;
	}
	return 0;
}

static int fill_get(struct ckpt_ctx *ctx, void *obj, const struct ckpt_fill_ops *ops,
		    const struct ckpt_page_run *runs, u32 nr_runs, struct ckpt_fill *fill)
{
	u32 i;
	int ret;

	for (i = 0; i < nr_runs; i++) {
		const struct ckpt_page_run *run = &runs[i];

		if (run->flags == CKPT_RUN_COW)
			continue;
		ret = fill_get_run(ctx, obj, ops, run, fill);
		if (ret)
			return ret;
	}
	return 0;
}

static int fill_read(struct ckpt_ctx *ctx, struct ckpt_fill *fill, u32 data_len)
{
	struct iov_iter iter;
	int ret;

	if (data_len != fill->nr * PAGE_SIZE)
		return ckpt_err(ctx, -EINVAL, "image: page runs do not match their data");
	if (!data_len)
		return 0;
	iov_iter_bvec(&iter, ITER_DEST, fill->bvecs, fill->nr, data_len);
	ret = ckpt_read_data(ctx, &iter, data_len);
	return ret ? ret : ckpt_read_data_done(ctx);
}

static int fill_share(struct ckpt_ctx *ctx, void *obj, const struct ckpt_fill_ops *ops,
		      const struct ckpt_page_run *runs, u32 nr_runs)
{
	u32 i;
	int ret;

	for (i = 0; i < nr_runs; i++) {
		if (runs[i].flags != CKPT_RUN_COW)
			continue;
		if (!ops->share)
			return ckpt_err(ctx, -EINVAL, "image: copy-on-write outside of an mm");
		ret = ops->share(ctx, obj, &runs[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int fill_record(struct ckpt_ctx *ctx, void *obj, const struct ckpt_fill_ops *ops,
		       struct ckpt_fill *fill)
{
	struct ckpt_rec_pages rec;
	const void *runs;
	size_t len;
	int ret;

	ret = ckpt_read_tail(ctx, CKPT_REC_PAGES, &rec, sizeof(rec), &runs, &len);
	if (ret)
		return ret;
	/* The reader has checked the runs; what they refer to is for us to check. */
	if (rec.objref != ckpt_obj_current(ctx))
		return ckpt_err(ctx, -EINVAL, "image: pages of object %u where %u is read",
				rec.objref, ckpt_obj_current(ctx));
	ret = fill_get(ctx, obj, ops, runs, rec.nr_runs, fill);
	if (!ret)
		ret = fill_read(ctx, fill, rec.data_len);
	/* Comes first: what is shared of a huge page keeps it from being mapped as one. */
	if (!ret)
		ret = fill_share(ctx, obj, ops, runs, rec.nr_runs);
	if (!ret && fill->nr)
		ret = ops->install(ctx, obj, fill);
	fill_put(fill);
	return ret;
}

/**
 * ckpt_fill_all() - read the pages of an object, up to CKPT_REC_PAGES_END
 * @ctx: the restart
 * @obj: for @ops
 * @ops: where the pages go
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM, -EINTR, -EINVAL or an errno of the stream.
 */
int ckpt_fill_all(struct ckpt_ctx *ctx, void *obj, const struct ckpt_fill_ops *ops)
{
	struct ckpt_fill *fill = kvmalloc(sizeof(*fill), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!fill)
		return ckpt_err(ctx, -ENOMEM, "%s: no memory to read pages", ckpt_whom(ctx));
	fill->nr = 0;
	while ((ret = ckpt_peek(ctx)) == CKPT_REC_PAGES) {
		ret = fill_record(ctx, obj, ops, fill);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;
		cond_resched();
	}
	kvfree(fill);
	if (ret < 0)
		return ret;
	return ckpt_read(ctx, CKPT_REC_PAGES_END, NULL, 0);
}

/**
 * ckpt_find_pmd() - the page middle directory entry of an address
 * @mm: address space
 * @addr: user address
 *
 * Context: Process context, mmap_lock held.
 * Return: The entry, or NULL without memory.
 */
pmd_t *ckpt_find_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	p4d = p4d_alloc(mm, pgd, addr);
	if (!p4d)
		return NULL;
	pud = pud_alloc(mm, p4d, addr);
	if (!pud)
		return NULL;
	return pmd_alloc(mm, pud, addr);
}

/**
 * ckpt_alloc_pmd() - likewise, with a page table or a huge page below it
 * @mm: address space
 * @addr: user address
 *
 * Context: Process context, mmap_lock held.
 * Return: The entry, or NULL without memory.
 */
pmd_t *ckpt_alloc_pmd(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = ckpt_find_pmd(mm, addr);

	return pmd && !pte_alloc(mm, pmd) ? pmd : NULL;
}

/**
 * ckpt_vma_holds_pages() - may this mapping have private pages?
 * @vma: mapping, as restored
 *
 * Context: mmap_lock held.
 * Return: whether pages may be read into it.
 */
bool ckpt_vma_holds_pages(struct vm_area_struct *vma)
{
	return is_cow_mapping(vma->vm_flags) &&
	       !(vma->vm_flags & (VM_SPECIAL | VM_HUGETLB));
}

struct mm_fill {
	struct mm_struct *mm;
	bool has_policies;
	struct ckpt_huge_list huge;
};

static struct page *mm_get_page(struct ckpt_ctx *ctx, void *obj, u64 index, u32 flags)
{
	struct page *page = NULL;
	struct mm_fill *mf = obj;
	struct folio *folio;

	if (index >= TASK_SIZE >> PAGE_SHIFT)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: page %llx is out of range",
					index));
	if (flags == CKPT_RUN_HUGETLB)
		return ckpt_hugetlb_fault(ctx, mf->mm, index << PAGE_SHIFT);
	if (flags == CKPT_RUN_HUGE)
		page = ckpt_huge_page(&mf->huge, mf->mm, index << PAGE_SHIFT);
	if (page)
		return page;
	if (mf->has_policies)
		folio = ckpt_policy_alloc(mf->mm, index << PAGE_SHIFT);
	else
		folio = folio_alloc(GFP_HIGHUSER_MOVABLE, 0);
	if (folio && mem_cgroup_charge(folio, mf->mm, GFP_KERNEL)) {
		folio_put(folio);
		folio = NULL;
	}
	if (!folio)
		return ERR_PTR(ckpt_err(ctx, -ENOMEM, "%s: no memory for page at %llx",
					ckpt_whom(ctx), index << PAGE_SHIFT));
	return folio_page(folio, 0);
}

static void map_page(struct vm_area_struct *vma, unsigned long addr, pte_t *pte,
		     struct folio *folio, bool shared)
{
	pte_t entry = pte_mkdirty(mk_pte(folio_page(folio, 0), vma->vm_page_prot));

	__folio_mark_uptodate(folio);
	if (shared) {
		/*
		 * Those who will share the page have an anon_vma of their own in
		 * common with this mm only at the root.
		 */
		__folio_set_locked(folio);
		folio_add_new_anon_rmap(folio, vma, addr, RMAP_NONE);
		folio_unlock(folio);
	} else {
		if (vma->vm_flags & VM_WRITE)
			entry = pte_mkwrite(entry, vma);
		folio_add_new_anon_rmap(folio, vma, addr, RMAP_EXCLUSIVE);
	}
	folio_add_lru_vma(folio, vma);
	set_pte_at(vma->vm_mm, addr, pte, entry);
	update_mmu_cache(vma, addr, pte);
}

/* Maps the pages from @i on that lie in one page table; their number, or an errno. */
static int map_pages(struct vm_area_struct *vma, struct ckpt_fill *fill, unsigned int i)
{
	unsigned long addr = fill->index[i] << PAGE_SHIFT;
	unsigned long end = min(pmd_addr_end(addr, vma->vm_end), vma->vm_end);
	pmd_t *pmd = ckpt_alloc_pmd(vma->vm_mm, addr);
	unsigned int n = 0;
	pte_t *start, *pte;
	spinlock_t *ptl;

	if (!pmd)
		return -ENOMEM;
	start = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!start)
		return -EEXIST;
	__acquire(ptl);
	pte = start;
	do {
		if (!pte_none(ptep_get(pte)))
			break;
		map_page(vma, addr, pte, page_folio(fill->pages[i]),
			 fill->flags[i] == CKPT_RUN_SHARED);
		fill->pages[i] = NULL;
		n++;
		i++;
		pte++;
		addr += PAGE_SIZE;
	} while (i < fill->nr && addr < end && fill->index[i] == addr >> PAGE_SHIFT &&
		 !folio_test_large(page_folio(fill->pages[i])));
	add_mm_counter(vma->vm_mm, MM_ANONPAGES, n);
	pte_unmap_unlock(start, ptl);
	return n ? n : -EEXIST;
}

/**
 * ckpt_map_anon() - map a page where none is
 * @vma: private mapping, with an anon_vma
 * @addr: address in it
 * @folio: of one page, filled; its reference goes to the mapping
 *
 * Context: Process context, mmap_lock held.
 * Return: 0, -ENOMEM or -EEXIST.
 */
int ckpt_map_anon(struct vm_area_struct *vma, unsigned long addr, struct folio *folio)
{
	pmd_t *pmd = ckpt_alloc_pmd(vma->vm_mm, addr);
	spinlock_t *ptl;
	int ret = -EEXIST;
	pte_t *pte;

	if (!pmd)
		return -ENOMEM;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!pte)
		return -EEXIST;
	__acquire(ptl);
	if (pte_none(ptep_get(pte))) {
		map_page(vma, addr, pte, folio, false);
		inc_mm_counter(vma->vm_mm, MM_ANONPAGES);
		ret = 0;
	}
	pte_unmap_unlock(pte, ptl);
	return ret;
}

/**
 * ckpt_copy_anon() - map a copy of a page where none is
 * @vma: private mapping
 * @addr: address in it
 * @from: the page
 *
 * Context: Process context, mmap_lock held.
 * Return: 0, -ENOMEM or -EEXIST.
 */
int ckpt_copy_anon(struct vm_area_struct *vma, unsigned long addr, struct page *from)
{
	struct folio *folio;
	int ret;

	if (anon_vma_prepare(vma))
		return -ENOMEM;
	folio = vma_alloc_folio(GFP_HIGHUSER_MOVABLE, 0, vma, addr, false);
	if (!folio)
		return -ENOMEM;
	ret = mem_cgroup_charge(folio, vma->vm_mm, GFP_KERNEL);
	if (!ret) {
		copy_user_highpage(folio_page(folio, 0), from, addr, vma);
		ret = ckpt_map_anon(vma, addr, folio);
	}
	if (ret)
		folio_put(folio);
	return ret;
}

static int mm_install_locked(struct mm_struct *mm, struct ckpt_fill *fill, unsigned int *i)
{
	struct vm_area_struct *vma;
	int n;

	while (*i < fill->nr) {
		if (folio_test_large(page_folio(fill->pages[*i]))) {
			/* part of a huge page, which is mapped as a whole */
			++*i;
			continue;
		}
		vma = vma_lookup(mm, fill->index[*i] << PAGE_SHIFT);
		if (!vma || !ckpt_vma_holds_pages(vma))
			return -EINVAL;
		if (anon_vma_prepare(vma))
			return -ENOMEM;
		n = map_pages(vma, fill, *i);
		if (n < 0)
			return n;
		*i += n;
	}
	return 0;
}

static int install_error(struct ckpt_ctx *ctx, int err, u64 addr)
{
	return ckpt_err(ctx, err, "%s: page at %llx: %s", ckpt_whom(ctx), addr,
			err == -EINVAL ? "not in private memory" :
			err == -EEXIST ? "twice in the image" : "no memory");
}

static int map_gathered(struct ckpt_ctx *ctx, struct mm_fill *mf, bool all)
{
	int ret = ckpt_huge_map(&mf->huge, mf->mm, all);

	return ret ? install_error(ctx, ret, mf->huge.addr) : 0;
}

static int mm_install(struct ckpt_ctx *ctx, void *obj, struct ckpt_fill *fill)
{
	struct mm_fill *mf = obj;
	unsigned int i = 0;
	int ret;

	mmap_read_lock(mf->mm);
	ret = mm_install_locked(mf->mm, fill, &i);
	mmap_read_unlock(mf->mm);
	if (ret)
		return install_error(ctx, ret, fill->index[i] << PAGE_SHIFT);
	return map_gathered(ctx, mf, false);
}

static int mm_share(struct ckpt_ctx *ctx, void *obj, const struct ckpt_page_run *run)
{
	struct mm_fill *mf = obj;

	return ckpt_cow_share(ctx, mf->mm, run);
}

static const struct ckpt_fill_ops mm_fill_ops = {
	.get = mm_get_page,
	.install = mm_install,
	.share = mm_share,
};

/**
 * ckpt_mm_read_pages() - read what ckpt_mm_write_pages() wrote
 * @ctx: the restart
 * @mm: address space of current, its mappings complete
 *
 * Context: Process context of the owner, no locks.
 * Return: 0, -ENOMEM, -EINTR, -EINVAL or an errno of the stream.
 */
int ckpt_mm_read_pages(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct mm_fill mf = {
		.mm = mm,
		.has_policies = ckpt_policy_in_mm(mm),
		.huge = { .list = LIST_HEAD_INIT(mf.huge.list), .addr = -1 },
	};
	int ret = ckpt_fill_all(ctx, &mf, &mm_fill_ops);

	if (!ret)
		ret = map_gathered(ctx, &mf, true);
	ckpt_huge_drop(&mf.huge);
	return ret;
}
