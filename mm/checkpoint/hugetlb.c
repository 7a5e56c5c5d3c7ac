// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of the huge page pool: mmap(MAP_HUGETLB) and memfd_create(MFD_HUGETLB).
 *
 * Each such mapping has a file, which is shared memory to shmem.c; here is what
 * is different about its pages. Private pages are in the page tables only. They
 * come back by page faults, so that they take what the mapping has reserved.
 */
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "mm.h"

/**
 * ckpt_hugetlb_seals() - where a file of huge pages has its seals
 * @inode: its inode
 *
 * Context: Any.
 */
unsigned int *ckpt_hugetlb_seals(struct inode *inode)
{
	return &HUGETLBFS_I(inode)->seals;
}

/**
 * ckpt_hugetlb_shift() - how large are the huge pages of a file?
 * @inode: its inode
 *
 * Context: Any.
 * Return: log2 of the size, or 0 if it has none.
 */
u32 ckpt_hugetlb_shift(struct inode *inode)
{
	return inode->i_fop->fop_flags & FOP_HUGE_PAGES ? huge_page_shift(hstate_inode(inode)) : 0;
}

/**
 * ckpt_hugetlb_short() - say that there are not enough huge pages
 * @ctx: the restart
 * @inode: the file that they are for
 * @len: how many bytes of them
 *
 * Context: Process context.
 * Return: -ENOMEM.
 */
int ckpt_hugetlb_short(struct ckpt_ctx *ctx, struct inode *inode, u64 len)
{
	struct hstate *h = hstate_inode(inode);
	unsigned long free, reserved;

	spin_lock_irq(&hugetlb_lock);
	free = h->free_huge_pages;
	reserved = h->resv_huge_pages;
	spin_unlock_irq(&hugetlb_lock);
	return ckpt_err(ctx, -ENOMEM,
			"not enough huge pages of %lu kB: %llu needed, %lu free, %lu of them reserved",
			huge_page_size(h) >> 10, len >> huge_page_shift(h), free, reserved);
}

/**
 * ckpt_hugetlb_create() - make a file of huge pages
 * @ctx: the restart
 * @name: as /proc/PID/maps shows it
 * @rec: size and huge page size of it
 *
 * Reserves nothing: mapping it does.
 *
 * Context: Process context, no locks.
 * Return: The file, or an ERR_PTR after ckpt_err().
 */
struct file *ckpt_hugetlb_create(struct ckpt_ctx *ctx, const char *name,
				 const struct ckpt_rec_shmem *rec)
{
	struct hstate *h;
	struct file *file;

	if (rec->page_shift < PAGE_SHIFT || rec->page_shift >= 64 ||
	    !IS_ALIGNED(rec->size, 1ULL << rec->page_shift))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: bad huge page size of %s", name));
	h = size_to_hstate(1ULL << rec->page_shift);
	if (!h)
		return ERR_PTR(ckpt_err(ctx, -EOPNOTSUPP,
					"%s: this machine has no huge pages of %llu kB", name,
					1ULL << rec->page_shift >> 10));
	file = hugetlb_file_setup(name, rec->size, VM_NORESERVE, HUGETLB_ANONHUGE_INODE,
				  rec->page_shift);
	if (IS_ERR(file))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "%s: cannot be created", name));
	return file;
}

/* What fallocate() does for one huge page; nobody else knows the file yet. */
static struct folio *add_folio(struct file *file, pgoff_t index)
{
	struct address_space *mapping = file->f_mapping;
	struct hstate *h = hstate_file(file);
	struct vm_area_struct vma;
	struct folio *folio;
	int ret;

	vma_init(&vma, current->mm);
	vm_flags_init(&vma, VM_HUGETLB | VM_MAYSHARE | VM_SHARED);
	vma.vm_file = file;
	folio = alloc_hugetlb_folio(&vma, index << huge_page_shift(h), false);
	if (IS_ERR(folio))
		return folio;
	folio_zero_user(folio, index << huge_page_shift(h));
	__folio_mark_uptodate(folio);
	ret = hugetlb_add_to_page_cache(folio, mapping, index);
	if (ret) {
		restore_reserve_on_error(h, &vma, index << huge_page_shift(h), folio);
		folio_put(folio);
		return ERR_PTR(ret);
	}
	folio_set_hugetlb_migratable(folio);
	folio_unlock(folio);
	return folio;
}

/**
 * ckpt_hugetlb_page() - a page of a file
 * @inode: file of huge pages
 * @index: in units of PAGE_SIZE
 *
 * Context: Process context, no locks.
 * Return: The page with a reference; NULL for a hole; ERR_PTR(-EHWPOISON) if it
 * cannot be read.
 */
struct page *ckpt_hugetlb_page(struct inode *inode, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(inode->i_mapping, index);

	if (IS_ERR(folio))
		return NULL;
	if (!folio_test_hwpoison(folio))
		return folio_page(folio, index & (folio_nr_pages(folio) - 1));
	folio_put(folio);
	return ERR_PTR(-EHWPOISON);
}

/**
 * ckpt_hugetlb_create_page() - a page of a file to read into
 * @ctx: the restart
 * @file: file of huge pages
 * @index: in units of PAGE_SIZE, not behind the end
 *
 * Context: Process context, no locks.
 * Return: The page with a reference, or an ERR_PTR after ckpt_err().
 */
struct page *ckpt_hugetlb_create_page(struct ckpt_ctx *ctx, struct file *file, pgoff_t index)
{
	struct page *page = ckpt_hugetlb_page(file_inode(file), index);
	struct hstate *h = hstate_file(file);
	struct folio *folio;

	if (page)
		return page;
	folio = add_folio(file, index >> huge_page_order(h));
	if (IS_ERR(folio))
		return ERR_PTR(ckpt_hugetlb_short(ctx, file_inode(file), huge_page_size(h)));
	return folio_page(folio, index & (folio_nr_pages(folio) - 1));
}

/*
 * The fault gets a page that can be written, also for a mapping that cannot:
 * only so it is a private one.
 */
static struct page *fault_private(struct vm_area_struct *vma, unsigned long addr)
{
	bool readonly = !(vma->vm_flags & VM_WRITE);
	struct hstate *h = hstate_vma(vma);
	struct page *page;
	long ret;

	if (readonly)
		vm_flags_set(vma, VM_WRITE);
	ret = get_user_pages_remote(vma->vm_mm, addr, 1, FOLL_WRITE, &page, NULL);
	if (readonly) {
		vm_flags_clear(vma, VM_WRITE);
		addr &= huge_page_mask(h);
		hugetlb_change_protection(vma, addr, addr + huge_page_size(h),
					  vma->vm_page_prot, 0);
	}
	return ret < 0 ? ERR_PTR(ret) : page;
}

/**
 * ckpt_hugetlb_fault() - a private page to read into
 * @ctx: the restart
 * @mm: address space of current
 * @addr: address of the page, in a private mapping of huge pages
 *
 * Context: Process context of the owner, no locks.
 * Return: The page, mapped there, with a reference; or an ERR_PTR after
 * ckpt_err().
 */
struct page *ckpt_hugetlb_fault(struct ckpt_ctx *ctx, struct mm_struct *mm, unsigned long addr)
{
	struct page *page = ERR_PTR(-EINVAL);
	struct file *file = NULL;
	struct vm_area_struct *vma;
	int ret;

	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	vma = vma_lookup(mm, addr);
	if (vma && is_vm_hugetlb_page(vma) && is_cow_mapping(vma->vm_flags)) {
		file = get_file(vma->vm_file);
		page = fault_private(vma, addr);
	}
	mmap_write_unlock(mm);
	if (!file)
		return ERR_PTR(ckpt_err(ctx, -EINVAL,
					"%s: page at %lx: not in private memory of huge pages",
					ckpt_whom(ctx), addr));
	if (IS_ERR(page)) {
		ret = ckpt_hugetlb_short(ctx, file_inode(file), huge_page_size(hstate_file(file)));
		page = ERR_PTR(ret);
	}
	fput(file);
	return page;
}
