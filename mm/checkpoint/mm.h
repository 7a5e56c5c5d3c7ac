/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Saving and restoring memory: what the files of this directory share.
 */
#ifndef _MM_CHECKPOINT_MM_H
#define _MM_CHECKPOINT_MM_H

#include <linux/bvec.h>
#include <linux/checkpoint.h>
#include <linux/err.h>
#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/workqueue.h>

/* pages in one DATA block */
#define CKPT_BATCH_PAGES	(CKPT_BLOCK_DATA_MAX / PAGE_SIZE)
#define CKPT_BATCH_RUNS		1024

/**
 * struct ckpt_batch_part - page contents on their way into one CKPT_REC_PAGES
 * @nr_runs: used entries of @runs
 * @nr_bvecs: used entries of @bvecs; each holds a reference on its folio
 * @nr_pages: pages in @bvecs
 * @copy_work: fills @copy and @hash, drops @bvecs
 * @hash: that of @copy
 * @copy: their contents, which nobody else can change
 * @copy_len: bytes there is room for in @copy
 * @runs: where the pages belong
 * @bvecs: the pages
 */
struct ckpt_batch_part {
	unsigned int nr_runs;
	unsigned int nr_bvecs;
	unsigned int nr_pages;
	struct work_struct copy_work;
	u64 hash;
	void *copy;
	size_t copy_len;
	struct ckpt_page_run runs[CKPT_BATCH_RUNS];
	struct bio_vec bvecs[CKPT_BATCH_PAGES];
};

/**
 * struct ckpt_batch - pages of an object on their way into the image
 * @ctx: the checkpoint
 * @objref: the mm or shared memory object that the pages belong to
 * @filling: part that takes pages
 * @full: the other one while it is full and not written yet, or NULL
 * @parts: a full one is copied on another CPU while the one before is written
 */
struct ckpt_batch {
	struct ckpt_ctx *ctx;
	u32 objref;
	struct ckpt_batch_part *filling;
	struct ckpt_batch_part *full;
	struct ckpt_batch_part parts[2];
};

/* batch.c */
struct ckpt_batch *ckpt_batch_alloc(struct ckpt_ctx *ctx, u32 objref);
void ckpt_batch_free(struct ckpt_batch *batch);
bool ckpt_batch_page(struct ckpt_batch *batch, u64 index, struct page *page, u32 flags);
bool ckpt_batch_cow(struct ckpt_batch *batch, u64 index, u32 src_objref, u64 src_index);
int ckpt_batch_make_room(struct ckpt_batch *batch);
int ckpt_batch_flush(struct ckpt_batch *batch);

/**
 * struct ckpt_fill - page contents as read from one CKPT_REC_PAGES
 * @nr: pages
 * @index: where each belongs
 * @flags: those of its run
 * @pages: its contents, with a reference on the folio; install() takes over
 *	those that it sets to NULL
 * @bvecs: the same for reading
 */
struct ckpt_fill {
	unsigned int nr;
	u64 index[CKPT_BATCH_PAGES];
	u32 flags[CKPT_BATCH_PAGES];
	struct page *pages[CKPT_BATCH_PAGES];
	struct bio_vec bvecs[CKPT_BATCH_PAGES];
};

/**
 * struct ckpt_fill_ops - where pages that are read go
 * @get: Required. A page to read page @index of @obj into, with a reference;
 *	@flags are those of its run. Returns an ERR_PTR after ckpt_err().
 * @install: Required. Makes the pages part of @obj. Errors after ckpt_err().
 * @share: Optional. The same for a CKPT_RUN_COW run. Errors after ckpt_err().
 */
struct ckpt_fill_ops {
	struct page *(*get)(struct ckpt_ctx *ctx, void *obj, u64 index, u32 flags);
	int (*install)(struct ckpt_ctx *ctx, void *obj, struct ckpt_fill *fill);
	int (*share)(struct ckpt_ctx *ctx, void *obj, const struct ckpt_page_run *run);
};

int ckpt_fill_all(struct ckpt_ctx *ctx, void *obj, const struct ckpt_fill_ops *ops);

/* vma_flags.c */
vm_flags_t ckpt_vma_flags_to_vm(u64 flags);
bool ckpt_vma_flags_known(struct vm_area_struct *vma);
u64 ckpt_vma_flags(struct vm_area_struct *vma);
bool ckpt_vma_flags_valid(u64 flags, bool anon);

/* pages.c */
int ckpt_mm_write_pages(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_mm_check_pages(struct ckpt_ctx *ctx, struct mm_struct *mm);
bool ckpt_folio_pinned(struct folio *folio);

/* fill.c */
int ckpt_mm_read_pages(struct ckpt_ctx *ctx, struct mm_struct *mm);
pmd_t *ckpt_find_pmd(struct mm_struct *mm, unsigned long addr);
pmd_t *ckpt_alloc_pmd(struct mm_struct *mm, unsigned long addr);
int ckpt_map_anon(struct vm_area_struct *vma, unsigned long addr, struct folio *folio);
int ckpt_copy_anon(struct vm_area_struct *vma, unsigned long addr, struct page *from);
bool ckpt_vma_holds_pages(struct vm_area_struct *vma);

/* Lets ksmd look at an mm. Without ksmd there is nobody to be told. */
static inline int ckpt_ksm_enter(struct mm_struct *mm)
{
#ifdef CONFIG_KSM
	if (!test_bit(MMF_VM_MERGEABLE, &mm->flags))
		return __ksm_enter(mm);
#endif
	return 0;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/**
 * struct ckpt_huge - a huge page that is being read
 * @list: in struct ckpt_huge_list, in order of address
 * @addr: its address
 * @folio: its contents, not mapped yet
 * @filled: pages that come from the image
 */
struct ckpt_huge {
	struct list_head list;
	unsigned long addr;
	struct folio *folio;
	DECLARE_BITMAP(filled, HPAGE_PMD_NR);
};
#endif

/**
 * struct ckpt_huge_list - huge pages that are being read
 * @list: struct ckpt_huge
 * @addr: address of the last one asked for
 * @last: it, or NULL if there are small pages instead
 */
struct ckpt_huge_list {
	struct list_head list;
	unsigned long addr;
	struct ckpt_huge *last;
};

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
struct page *ckpt_huge_page(struct ckpt_huge_list *pending, struct mm_struct *mm,
			    unsigned long addr);
int ckpt_huge_map(struct ckpt_huge_list *pending, struct mm_struct *mm, bool all);
void ckpt_huge_drop(struct ckpt_huge_list *pending);
#else
static inline struct page *ckpt_huge_page(struct ckpt_huge_list *pending, struct mm_struct *mm,
					  unsigned long addr)
{
	return NULL;
}

static inline int ckpt_huge_map(struct ckpt_huge_list *pending, struct mm_struct *mm, bool all)
{
	return 0;
}

static inline void ckpt_huge_drop(struct ckpt_huge_list *pending)
{
}
#endif

/* vma.c */
int ckpt_vma_collect(struct ckpt_ctx *ctx, struct vm_area_struct *vma);
int ckpt_mm_write_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_mm_read_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_mm_check_code(struct ckpt_ctx *ctx, struct mm_struct *mm);
void ckpt_mm_populate_locked(struct mm_struct *mm);

/* cow.c */
struct ckpt_cow *ckpt_cow_get(struct ckpt_ctx *ctx);
int ckpt_cow_add_mm(struct ckpt_cow *cow, u32 objref);
int ckpt_cow_vma(struct ckpt_cow *cow, struct vm_area_struct *vma, struct ckpt_rec_vma *rec);
bool ckpt_cow_find(struct ckpt_cow *cow, struct page *page, u32 *src_objref, u64 *src_index);
int ckpt_cow_add(struct ckpt_cow *cow, struct page *page, u64 index);
void ckpt_cow_forget(struct ckpt_cow *cow, struct page *page);
int ckpt_cow_reserve(struct ckpt_cow *cow, unsigned long pfn);
int ckpt_cow_link(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_rec_vma *rec);
int ckpt_cow_share(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_page_run *run);

/* shmem.c */
bool ckpt_file_is_shmem(struct file *file);
unsigned int ckpt_shmem_lift_seal(struct ckpt_ctx *ctx, struct file *file);
void ckpt_shmem_put_seal(struct file *file, unsigned int seals);

/* tmpfs.c */
bool ckpt_tmpfs_unlinked(struct file *file);
const char *ckpt_tmpfs_obstacle(struct file *file);
int ckpt_tmpfs_collect(struct ckpt_ctx *ctx, struct file *file);
char *ckpt_tmpfs_mount(struct ckpt_ctx *ctx, struct file *file, char *buf);
char *ckpt_tmpfs_name(struct file *file, char *buf);
int ckpt_tmpfs_find_mount(struct ckpt_ctx *ctx, const void *data, size_t len, struct path *path);
struct file *ckpt_tmpfs_create(struct ckpt_ctx *ctx, const char *name,
			       const struct ckpt_rec_shmem *rec, const void *mount);

/* mempolicy.c */
#ifdef CONFIG_NUMA
bool ckpt_policy_save_vma(struct vm_area_struct *vma, struct ckpt_rec_mempolicy *rec);
struct mempolicy *ckpt_policy_read(struct ckpt_ctx *ctx);
void ckpt_policy_set_vma(struct mm_struct *mm, unsigned long addr, struct mempolicy *pol);
bool ckpt_policy_in_mm(struct mm_struct *mm);
struct folio *ckpt_policy_alloc(struct mm_struct *mm, unsigned long addr);
int ckpt_policy_write_shared(struct ckpt_ctx *ctx, struct inode *inode);
int ckpt_policy_read_shared(struct ckpt_ctx *ctx, struct inode *inode);
#else
/* All memory is the same. */
static inline bool ckpt_policy_save_vma(struct vm_area_struct *vma, struct ckpt_rec_mempolicy *rec)
{
	return false;
}

static inline struct mempolicy *ckpt_policy_read(struct ckpt_ctx *ctx)
{
	if (ckpt_peek(ctx) != CKPT_REC_VMA_POLICY)
		return NULL;
	return ERR_PTR(ckpt_err(ctx, -EOPNOTSUPP, "memory policy: this kernel has no NUMA"));
}

static inline void ckpt_policy_set_vma(struct mm_struct *mm, unsigned long addr,
				       struct mempolicy *pol)
{
}

static inline bool ckpt_policy_in_mm(struct mm_struct *mm)
{
	return false;
}

static inline struct folio *ckpt_policy_alloc(struct mm_struct *mm, unsigned long addr)
{
	return NULL;
}

static inline int ckpt_policy_write_shared(struct ckpt_ctx *ctx, struct inode *inode)
{
	return 0;
}

static inline int ckpt_policy_read_shared(struct ckpt_ctx *ctx, struct inode *inode)
{
	if (ckpt_peek(ctx) != CKPT_REC_SHMEM_POLICY)
		return 0;
	return ckpt_err(ctx, -EOPNOTSUPP, "memory policy: this kernel has no NUMA");
}
#endif

/* hugetlb.c */
#ifdef CONFIG_HUGETLBFS
unsigned int *ckpt_hugetlb_seals(struct inode *inode);
u32 ckpt_hugetlb_shift(struct inode *inode);
int ckpt_hugetlb_short(struct ckpt_ctx *ctx, struct inode *inode, u64 len);
struct file *ckpt_hugetlb_create(struct ckpt_ctx *ctx, const char *name,
				 const struct ckpt_rec_shmem *rec);
struct page *ckpt_hugetlb_page(struct inode *inode, pgoff_t index);
struct page *ckpt_hugetlb_create_page(struct ckpt_ctx *ctx, struct file *file, pgoff_t index);
struct page *ckpt_hugetlb_fault(struct ckpt_ctx *ctx, struct mm_struct *mm, unsigned long addr);
#else
/* Nothing has such pages, so these are not called but for images that have some. */
static inline unsigned int *ckpt_hugetlb_seals(struct inode *inode)
{
	return NULL;
}

static inline u32 ckpt_hugetlb_shift(struct inode *inode)
{
	return 0;
}

static inline int ckpt_hugetlb_short(struct ckpt_ctx *ctx, struct inode *inode, u64 len)
{
	return -ENOMEM;
}

static inline struct file *ckpt_hugetlb_create(struct ckpt_ctx *ctx, const char *name,
					       const struct ckpt_rec_shmem *rec)
{
	return ERR_PTR(ckpt_err(ctx, -EOPNOTSUPP, "%s: this kernel has no huge page pool", name));
}

static inline struct page *ckpt_hugetlb_page(struct inode *inode, pgoff_t index)
{
	return NULL;
}

static inline struct page *ckpt_hugetlb_create_page(struct ckpt_ctx *ctx, struct file *file,
						    pgoff_t index)
{
	return ERR_PTR(-EINVAL);
}

static inline struct page *ckpt_hugetlb_fault(struct ckpt_ctx *ctx, struct mm_struct *mm,
					      unsigned long addr)
{
	return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: pages of a huge page pool"));
}
#endif

#endif /* _MM_CHECKPOINT_MM_H */
