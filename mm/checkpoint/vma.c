// SPDX-License-Identifier: GPL-2.0
/*
 * The mappings of an address space.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <linux/mm_inline.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/pkeys.h>
#include <linux/rmap.h>
#include <linux/secretmem.h>
#include <linux/security.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>
#include <linux/xarray.h>

#include "../internal.h"
#include "mm.h"

/*
 * Mappings that were not merged with their neighbour stay apart: every second
 * one has this flag of device memory until all are there. No saved mapping has
 * it, and mmap_region() does nothing else about it.
 */
#define VM_NOMERGE	VM_ALLOW_ANY_UNCACHED

static bool file_range_valid(struct file *file, u64 pgoff, u64 len)
{
	umode_t mode = file_inode(file)->i_mode;
	u64 max = S_ISREG(mode) || S_ISBLK(mode) ? MAX_LFS_FILESIZE : U64_MAX;

	return pgoff <= (max - len) >> PAGE_SHIFT;
}

/* What a restart would not take from an image, since mmap() gives it to nobody. */
static const char *image_obstacle(struct vm_area_struct *vma)
{
	u64 len = vma->vm_end - vma->vm_start;

	if (!ckpt_vma_flags_valid(ckpt_vma_flags(vma), !vma->vm_file))
		return vma->vm_flags & VM_SHADOW_STACK ? "executable shadow stack" :
							 "special mapping";
	if (vma->vm_file && !file_range_valid(vma->vm_file, vma->vm_pgoff, len))
		return "beyond the end that a file can have";
	return NULL;
}

/* What makes it impossible to save a mapping, or NULL. */
static const char *vma_obstacle(struct vm_area_struct *vma)
{
	if (vma_is_secretmem(vma))
		return "secret memory";
	if (vma->vm_userfaultfd_ctx.ctx || userfaultfd_armed(vma))
		return "userfaultfd";
	if (vma->vm_flags & (VM_PFNMAP | VM_IO | VM_MIXEDMAP))
		return "device memory";
	if (vma->vm_ops && vma->vm_ops->name && vma->vm_ops->name(vma))
		return vma->vm_ops->name(vma);
	if (!ckpt_vma_flags_known(vma))
		return "special mapping";
	if (!vma->vm_file && !vma_is_anonymous(vma))
		return "special mapping";
	return image_obstacle(vma);
}

/* Does the program have pages of the file that must be what they were? */
static bool is_program(struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_MAYSHARE) || vma->vm_flags & VM_EXEC;
}

/**
 * ckpt_vma_collect() - collect what a mapping refers to
 * @ctx: the checkpoint
 * @vma: mapping of the mm that is being collected
 *
 * Context: mmap_lock held for reading; does not sleep but for memory.
 * Return: 0, -ENOMEM or -EOPNOTSUPP.
 */
int ckpt_vma_collect(struct ckpt_ctx *ctx, struct vm_area_struct *vma)
{
	const char *what = NULL;
	int ret;

	if (ckpt_aio_vma(vma))
		what = ckpt_aio_obstacle(vma);
	else if (!ckpt_arch_vma(vma))
		what = vma_obstacle(vma);
	if (what)
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: mapping %lx-%lx: %s: not supported",
				   ckpt_whom(ctx), vma->vm_start, vma->vm_end, what);
	if (!vma->vm_file || ckpt_aio_vma(vma))
		return 0;
	ret = ckpt_obj_collect(ctx, vma->vm_file, &ckpt_file_obj_ops);
	if (ret >= 0 && is_program(vma))
		ckpt_obj_mark(ctx, vma->vm_file);
	/* The contents of what the restarter brings are not ours to save. */
	if (ret >= 0 && ckpt_file_is_shmem(vma->vm_file) &&
	    !ckpt_file_external_key(ctx, vma->vm_file))
		ret = ckpt_obj_collect(ctx, vma->vm_file->f_path.dentry, &ckpt_shmem_obj_ops);
	if (ret >= 0)
		ret = ckpt_shm_collect_mapping(ctx, vma->vm_file);
	return min(ret, 0);
}

/* struct ckpt_rec_vma, the name of anonymous memory, and the policy if there is one */
struct vma_image {
	struct ckpt_rec_vma rec;
	char name[CKPT_VMA_NAME_LEN];
	bool has_policy;
	struct ckpt_rec_mempolicy policy;
};

/*
 * Parts of what was one mapping can become one again only if their private pages have
 * the same anon_vma. The first mapping that has it stands for all: where it starts is
 * noted, and one page that any of them shares with another mm.
 */
static struct ckpt_rec_vma *first_of(struct vm_area_struct *vma, struct xarray *firsts)
{
	unsigned long key = (unsigned long)vma->anon_vma;
	struct ckpt_rec_vma *first = xa_load(firsts, key);

	if (first)
		return first;
	first = kzalloc(sizeof(*first), GFP_KERNEL);
	if (!first)
		return NULL;
	first->start = vma->vm_start;
	if (!xa_err(xa_store(firsts, key, first, GFP_KERNEL)))
		return first;
	kfree(first);
	return NULL;
}

static int note_anon_vma(struct ckpt_ctx *ctx, struct vm_area_struct *vma, struct xarray *firsts)
{
	struct ckpt_rec_vma *first = first_of(vma, firsts);

	if (!first)
		return -ENOMEM;
	return first->cow_objref ? 0 : ckpt_cow_vma(ckpt_cow_get(ctx), vma, first);
}

static int note_anon_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm, struct xarray *firsts)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		if (vma->anon_vma && ckpt_vma_holds_pages(vma))
			ret = note_anon_vma(ctx, vma, firsts);
		if (ret)
			break;
	}
	mmap_read_unlock(mm);
	return ret;
}

static void free_firsts(struct xarray *firsts)
{
	struct ckpt_rec_vma *first;
	unsigned long key;

	xa_for_each(firsts, key, first)
		kfree(first);
	xa_destroy(firsts);
}

/* A stack may have grown since it was noted: someone outside has written below it. */
static void anon_vma_to_image(struct xarray *firsts, struct vm_area_struct *vma,
			      struct ckpt_rec_vma *rec)
{
	const struct ckpt_rec_vma *first = xa_load(firsts, (unsigned long)vma->anon_vma);

	rec->anon_addr = vma->vm_start;
	if (!first)
		return;
	if (first->start < vma->vm_start) {
		rec->anon_addr = first->start;
		return;
	}
	rec->cow_objref = first->cow_objref;
	rec->cow_index = first->cow_index;
}

static int vma_to_image(struct ckpt_ctx *ctx, struct vm_area_struct *vma, struct xarray *firsts,
			struct vma_image *image)
{
	struct anon_vma_name *name = anon_vma_name(vma);
	int ret = 0;

	memset(image, 0, sizeof(*image));
	image->rec.start = vma->vm_start;
	image->rec.end = vma->vm_end;
	image->rec.pgoff = vma->vm_pgoff;
	image->rec.flags = ckpt_vma_flags(vma);
	image->rec.pkey = vma_pkey(vma);
	if (vma->vm_file)
		ret = ckpt_obj_ref(ctx, vma->vm_file, &ckpt_file_obj_ops);
	if (ret < 0)
		return ret;
	image->rec.file_objref = ret;
	if (name)
		strscpy_pad(image->name, name->name);
	image->has_policy = ckpt_policy_save_vma(vma, &image->policy);
	anon_vma_to_image(firsts, vma, &image->rec);
	return 0;
}

/* Written without the lock of the mm; some at once, to take it less often. */
#define VMAS_AT_ONCE	32

/* The first mappings from @addr on: their number, or an errno. */
static int next_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm, unsigned long addr,
		     struct xarray *firsts, struct vma_image *images)
{
	VMA_ITERATOR(vmi, mm, addr);
	struct vm_area_struct *vma;
	int ret = 0, nr = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		if (ckpt_arch_vma(vma) || ckpt_aio_vma(vma))
			continue;
		ret = vma_to_image(ctx, vma, firsts, &images[nr]);
		if (ret || ++nr == VMAS_AT_ONCE)
			break;
	}
	mmap_read_unlock(mm);
	return ret ? ret : nr;
}

static int write_vma(struct ckpt_ctx *ctx, const struct vma_image *image)
{
	int ret = 0;

	if (image->has_policy)
		ret = ckpt_write(ctx, CKPT_REC_VMA_POLICY, &image->policy, sizeof(image->policy));
	if (ret)
		return ret;
	return ckpt_write2(ctx, CKPT_REC_VMA, &image->rec, sizeof(image->rec),
			   image->name, strlen(image->name));
}

static int write_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm, struct xarray *firsts,
		      struct vma_image *images)
{
	unsigned long addr = 0;
	int ret, nr, i;

	do {
		nr = next_vmas(ctx, mm, addr, firsts, images);
		if (nr < 0)
			return nr;
		for (i = 0; i < nr; i++) {
			ret = write_vma(ctx, &images[i]);
			if (ret)
				return ret;
			addr = images[i].rec.end;
		}
	} while (nr == VMAS_AT_ONCE);
	return 0;
}

/**
 * ckpt_mm_write_vmas() - write the mappings of an mm, up to CKPT_REC_VMA_END
 * @ctx: the checkpoint
 * @mm: its tasks are frozen
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM, -EINTR, -EAGAIN or an errno of the stream.
 */
int ckpt_mm_write_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct vma_image *images = kmalloc_array(VMAS_AT_ONCE, sizeof(*images), GFP_KERNEL);
	struct xarray firsts;
	int ret = -ENOMEM;

	xa_init(&firsts);
	if (images && ckpt_cow_get(ctx))
		ret = note_anon_vmas(ctx, mm, &firsts);
	if (ret == -ENOMEM)
		ckpt_err(ctx, ret, "%s: no memory to save mappings", ckpt_whom(ctx));
	if (!ret)
		ret = write_vmas(ctx, mm, &firsts, images);
	free_firsts(&firsts);
	kfree(images);
	return ret ? ret : ckpt_write(ctx, CKPT_REC_VMA_END, NULL, 0);
}

static bool range_valid(const struct ckpt_rec_vma *rec, u64 prev_end)
{
	u64 len = rec->end - rec->start;

	return rec->start >= prev_end && rec->start < rec->end && rec->end <= TASK_SIZE &&
	       PAGE_ALIGNED(rec->start) && PAGE_ALIGNED(rec->end) &&
	       rec->pkey < arch_max_pkey() && !rec->pad &&
	       rec->pgoff + (len >> PAGE_SHIFT) >= rec->pgoff;
}

static int hugetlb_allowed(struct file *file, const struct ckpt_rec_vma *rec, vm_flags_t *flags)
{
	if (!is_file_hugepages(file))
		return rec->flags & CKPT_VMA_UNRESERVED ? -EINVAL : 0;
	*flags |= VM_HUGETLB;
	/* The pool does the accounting. */
	if (rec->flags & CKPT_VMA_ACCOUNT)
		return -EINVAL;
	/* mmap_region() is not told that it can be written. */
	if (map_deny_write_exec(*flags, *flags))
		return -EACCES;
	return prepare_hugepage_range(file, rec->start, rec->end - rec->start);
}

/* What mmap() demands of a file; clears in @flags what may not be had later. */
static int file_mmap_allowed(struct file *file, const struct ckpt_rec_vma *rec, vm_flags_t *flags)
{
	bool writable = file->f_mode & FMODE_WRITE;
	int ret = hugetlb_allowed(file, rec, flags);

	if (ret)
		return ret;
	if (!file->f_op->mmap)
		return -ENODEV;
	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	if (!file_range_valid(file, rec->pgoff, rec->end - rec->start))
		return -EOVERFLOW;
	if (path_noexec(&file->f_path)) {
		if (*flags & VM_EXEC)
			return -EPERM;
		*flags &= ~VM_MAYEXEC;
	}
	if (!(*flags & VM_MAYSHARE))
		return 0;
	if ((*flags & VM_WRITE) && !writable)
		return -EACCES;
	if ((*flags & VM_WRITE) && IS_SWAPFILE(file->f_mapping->host))
		return -ETXTBSY;
	if (IS_APPEND(file_inode(file)) && writable)
		return -EACCES;
	if (writable)
		*flags |= VM_SHARED;
	else
		*flags &= ~VM_MAYWRITE;
	return memfd_check_seals_mmap(file, flags);
}

static int lock_allowed(struct mm_struct *mm, const struct ckpt_rec_vma *rec, vm_flags_t flags)
{
	if (!(flags & VM_LOCKED))
		return 0;
	if (!can_do_mlock())
		return -EPERM;
	return mlock_future_ok(mm, flags, rec->end - rec->start) ? 0 : -EAGAIN;
}

/*
 * Memory that was writable once stays accounted: mmap_region() charges only what
 * is writable now.
 */
static int charge_once_writable(struct mm_struct *mm, const struct ckpt_rec_vma *rec,
				vm_flags_t *flags, unsigned long *charged)
{
	bool accounted = *flags & VM_ACCOUNT;

	*charged = 0;
	*flags &= ~VM_ACCOUNT;
	if (sysctl_overcommit_memory == OVERCOMMIT_NEVER && !(*flags & VM_DROPPABLE) &&
	    !(*flags & VM_HUGETLB))
		*flags &= ~VM_NORESERVE;
	if (!accounted || (*flags & (VM_SHARED | VM_WRITE | VM_NORESERVE)))
		return 0;
	*charged = (rec->end - rec->start) >> PAGE_SHIFT;
	*flags |= VM_ACCOUNT;
	return security_vm_enough_memory_mm(mm, *charged);
}

static unsigned long prot_of(vm_flags_t flags)
{
	return (flags & VM_READ ? PROT_READ : 0) | (flags & VM_WRITE ? PROT_WRITE : 0) |
	       (flags & VM_EXEC ? PROT_EXEC : 0);
}

static unsigned long map_type(vm_flags_t flags)
{
	return MAP_FIXED | (flags & VM_MAYSHARE ? MAP_SHARED : MAP_PRIVATE);
}

/* Some files can be mapped in one way only, or nowhere that the caller chooses. */
static int place_allowed(const struct ckpt_rec_vma *rec, struct file *file, vm_flags_t flags)
{
	unsigned long addr = __get_unmapped_area(file, rec->start, rec->end - rec->start,
						 rec->pgoff, map_type(flags), flags);

	if (IS_ERR_VALUE(addr))
		return addr;
	return addr == rec->start ? 0 : -EINVAL;
}

/*
 * A file of huge pages that is mapped for writing grows to what is mapped of it. The
 * program may have cut it since: so the right to write comes later, as by mprotect(),
 * which leaves the file as it is.
 */
static void let_write(struct vm_area_struct *vma)
{
	vm_flags_t flags = vma->vm_flags | VM_WRITE;
	long pages = vma_pages(vma);

	vm_stat_account(vma->vm_mm, vma->vm_flags, -pages);
	vm_stat_account(vma->vm_mm, flags, pages);
	vm_flags_reset(vma, flags);
	vma_set_page_prot(vma);
}

/* What only the mapping that has been made can have. */
static int finish_vma(struct vm_area_struct *vma, const struct ckpt_rec_vma *rec)
{
	vm_flags_t flags = vma->vm_flags;
	int ret = 0;

	if (rec->flags & CKPT_VMA_UNRESERVED)
		flags &= ~VM_NORESERVE;
	/* Where KSM cannot work, nothing happens. */
	if (rec->flags & CKPT_VMA_MERGEABLE)
		ret = ksm_madvise(vma, vma->vm_start, vma->vm_end, MADV_MERGEABLE, &flags);
	vm_flags_reset(vma, flags);
	return ret;
}

static struct vm_area_struct *map_region(struct mm_struct *mm, const struct ckpt_rec_vma *rec,
					 struct file *file, vm_flags_t flags)
{
	vm_flags_t later = flags & VM_HUGETLB ? flags & VM_WRITE : 0;
	unsigned long addr, len = rec->end - rec->start;
	struct vm_area_struct *vma;

	if (later && !may_expand_vm(mm, flags, len >> PAGE_SHIFT))
		return ERR_PTR(-ENOMEM);
	if (rec->flags & CKPT_VMA_UNRESERVED)
		flags |= VM_NORESERVE;
	if (mm->map_count % 2)
		flags |= VM_NOMERGE;
	addr = mmap_region(file, rec->start, len, flags & ~later, rec->pgoff, NULL);
	if (IS_ERR_VALUE(addr))
		return ERR_PTR(addr);
	vma = vma_lookup(mm, addr);
	if (later)
		let_write(vma);
	return vma;
}

static int map_locked(struct mm_struct *mm, const struct ckpt_rec_vma *rec, struct file *file,
		      vm_flags_t flags)
{
	struct vm_area_struct *vma;
	unsigned long charged;
	int ret;

	/* The same limit as that of mmap(), which lets it be exceeded by one. */
	if (mm->map_count > sysctl_max_map_count)
		return -ENOMEM;
	ret = place_allowed(rec, file, flags);
	if (!ret)
		ret = lock_allowed(mm, rec, flags);
	if (!ret)
		ret = charge_once_writable(mm, rec, &flags, &charged);
	if (ret)
		return ret;
	vma = map_region(mm, rec, file, flags);
	if (!IS_ERR(vma))
		return finish_vma(vma, rec);
	vm_unacct_memory(charged);
	return PTR_ERR(vma);
}

static int map_file(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_rec_vma *rec,
		    struct file *file)
{
	vm_flags_t flags = ckpt_vma_flags_to_vm(rec->flags & ~CKPT_VMA_MERGEABLE);
	int ret;

	flags |= calc_vm_prot_bits(0, rec->pkey);
	ret = file ? file_mmap_allowed(file, rec, &flags) : 0;
	if (ret)
		return ret;
	ret = security_mmap_file(file, prot_of(flags), map_type(flags));
	if (ret)
		return ret;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = map_locked(mm, rec, file, flags);
	mmap_write_unlock(mm);
	if (ret == -ENOMEM && file && is_file_hugepages(file))
		ckpt_hugetlb_short(ctx, file_inode(file), rec->end - rec->start);
	return ret;
}

static int map_vma(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_rec_vma *rec)
{
	unsigned int seals = 0;
	struct file *file;
	int ret;

	if (!rec->file_objref)
		return map_file(ctx, mm, rec, NULL);
	file = ckpt_obj_fetch(ctx, rec->file_objref, &ckpt_file_obj_ops);
	if (IS_ERR(file))
		return PTR_ERR(file);
	/* A mapping from before the seal can be written, one from after it cannot. */
	if ((rec->flags & CKPT_VMA_SHARED) && (rec->flags & CKPT_VMA_MAYWRITE))
		seals = ckpt_shmem_lift_seal(ctx, file);
	ret = map_file(ctx, mm, rec, file);
	ckpt_shmem_put_seal(file, seals);
	if (!ret)
		ckpt_shm_mapped(ctx, file);
	return ret;
}

static bool name_valid(const struct ckpt_rec_vma *rec, const char *name, size_t len)
{
	size_t i;

	if (len >= CKPT_VMA_NAME_LEN || (len && !(rec->flags & CKPT_VMA_NAMED)))
		return false;
	for (i = 0; i < len; i++)
		if (name[i] <= 0x1f || name[i] >= 0x7f || strchr("\\`$[]", name[i]))
			return false;
	return true;
}

static int name_vma(struct mm_struct *mm, const struct ckpt_rec_vma *rec, const char *text,
		    size_t len)
{
	char buf[CKPT_VMA_NAME_LEN] = { };
	struct anon_vma_name *name;
	int ret;

	/* A kernel without names shows none; nothing depends on them. */
	if (!(rec->flags & CKPT_VMA_NAMED) || !IS_ENABLED(CONFIG_ANON_VMA_NAME))
		return 0;
	memcpy(buf, text, len);
	name = anon_vma_name_alloc(buf);
	if (!name)
		return -ENOMEM;
	mmap_write_lock(mm);
	ret = madvise_set_anon_name(mm, rec->start, rec->end - rec->start, name);
	mmap_write_unlock(mm);
	anon_vma_name_put(name);
	return ret;
}

/* What belongs to an earlier mapping is linked to other mms by that one. */
static bool anon_valid(const struct ckpt_rec_vma *rec)
{
	return rec->anon_addr == rec->start || (rec->anon_addr < rec->start && !rec->cow_objref);
}

static bool rec_valid(const struct ckpt_rec_vma *rec, u64 prev_end, const char *name, size_t len)
{
	return range_valid(rec, prev_end) && ckpt_vma_flags_valid(rec->flags, !rec->file_objref) &&
	       anon_valid(rec) && name_valid(rec, name, len);
}

/* As if @vma had been split off the mapping at @addr. */
static int join_locked(struct vm_area_struct *vma, unsigned long addr)
{
	struct vm_area_struct *first = vma_lookup(vma->vm_mm, addr);

	if (!first || !ckpt_vma_holds_pages(first) || !ckpt_vma_holds_pages(vma))
		return -EINVAL;
	if (anon_vma_prepare(first))
		return -ENOMEM;
	vma_start_write(vma);
	vma->anon_vma = first->anon_vma;
	return anon_vma_clone(vma, first);
}

/* A page belongs to the anon_vma that its mapping has when it comes: that is settled before. */
static int link_vma(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_rec_vma *rec)
{
	int ret = -EINTR;

	if (rec->cow_objref)
		return ckpt_cow_link(ctx, mm, rec);
	if (rec->anon_addr == rec->start)
		return 0;
	if (!mmap_write_lock_killable(mm)) {
		ret = join_locked(vma_lookup(mm, rec->start), rec->anon_addr);
		mmap_write_unlock(mm);
	}
	if (ret)
		return ckpt_err(ctx, ret, "%s: mapping %llx-%llx: cannot belong to that at %llx",
				ckpt_whom(ctx), rec->start, rec->end, rec->anon_addr);
	return 0;
}

static int read_vma(struct ckpt_ctx *ctx, struct mm_struct *mm, u64 *prev_end,
		    struct mempolicy *policy)
{
	struct ckpt_rec_vma rec;
	const void *name;
	size_t len;
	int ret;

	ret = ckpt_read_tail(ctx, CKPT_REC_VMA, &rec, sizeof(rec), &name, &len);
	if (ret)
		return ret;
	if (!rec_valid(&rec, *prev_end, name, len))
		return ckpt_err(ctx, -EINVAL, "%s: mapping %llx-%llx: bad mapping in the image",
				ckpt_whom(ctx), rec.start, rec.end);
	*prev_end = rec.end;
	if ((rec.flags & CKPT_VMA_SHADOW_STACK) && !ckpt_arch_shadow_stacks())
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: mapping %llx-%llx: shadow stack, which this CPU or kernel has not",
				ckpt_whom(ctx), rec.start, rec.end);
	ret = map_vma(ctx, mm, &rec);
	if (!ret) {
		ckpt_policy_set_vma(mm, rec.start, policy);
		ret = name_vma(mm, &rec, name, len);
	}
	if (ret)
		return ckpt_err(ctx, ret, "%s: mapping %llx-%llx: cannot be mapped",
				ckpt_whom(ctx), rec.start, rec.end);
	return link_vma(ctx, mm, &rec);
}

static int read_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct mempolicy *policy;
	u64 prev_end = 0;
	int ret;

	while ((ret = ckpt_peek(ctx)) == CKPT_REC_VMA || ret == CKPT_REC_VMA_POLICY) {
		policy = ckpt_policy_read(ctx);
		if (IS_ERR(policy))
			return PTR_ERR(policy);
		ret = read_vma(ctx, mm, &prev_end, policy);
		mpol_put(policy);
		if (ret)
			return ret;
	}
	return min(ret, 0);
}

/*
 * As in dup_mmap(), the tree of mappings is changed in place while they come:
 * current, which is in the kernel, is the only one to have this mm, and nobody
 * else looks at the tree without the lock.
 */
static void vmas_begin(struct mm_struct *mm)
{
	mmap_write_lock(mm);
	mt_clear_in_rcu(&mm->mm_mt);
	mmap_write_unlock(mm);
}

static void vmas_end(struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	mmap_write_lock(mm);
	for_each_vma(vmi, vma)
		if (vma->vm_flags & VM_NOMERGE)
			vm_flags_clear(vma, VM_NOMERGE);
	mt_set_in_rcu(&mm->mm_mt);
	mmap_write_unlock(mm);
}

/**
 * ckpt_mm_read_vmas() - make the mappings that ckpt_mm_write_vmas() wrote
 * @ctx: the restart
 * @mm: address space of current, without mappings but those of the architecture
 *
 * Grants nothing that current could not have mapped itself.
 *
 * Context: Process context of the owner, no locks.
 * Return: 0, or an errno after ckpt_err().
 */
int ckpt_mm_read_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	int ret;

	vmas_begin(mm);
	ret = read_vmas(ctx, mm);
	vmas_end(mm);
	return ret ? ret : ckpt_read(ctx, CKPT_REC_VMA_END, NULL, 0);
}

/*
 * Code that is not what its file has was written while it could be executed, or made
 * executable afterwards: security modules are asked for one at mmap(), for the other
 * at mprotect().
 */
static int code_allowed(struct vm_area_struct *vma)
{
	unsigned long prot = prot_of(vma->vm_flags);
	int ret;

	if (!vma->vm_file || !vma->anon_vma || !(vma->vm_flags & VM_EXEC) ||
	    vma->vm_flags & VM_WRITE)
		return 0;
	if (!security_mmap_file(vma->vm_file, prot | PROT_WRITE, map_type(vma->vm_flags)))
		return 0;
	vm_flags_clear(vma, VM_EXEC);
	ret = security_file_mprotect(vma, prot, prot);
	vm_flags_set(vma, VM_EXEC);
	return ret;
}

/**
 * ckpt_mm_check_code() - may current have the code that its mappings of files hold?
 * @ctx: the restart
 * @mm: address space of current, complete
 *
 * Context: Process context of the owner, no locks.
 * Return: 0, or an errno of a security module after ckpt_err().
 */
int ckpt_mm_check_code(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	unsigned long start = 0;
	int ret = 0;

	mmap_write_lock(mm);
	for_each_vma(vmi, vma) {
		start = vma->vm_start;
		ret = code_allowed(vma);
		if (ret)
			break;
	}
	mmap_write_unlock(mm);
	if (ret)
		return ckpt_err(ctx, ret, "%s: mapping at %lx: its changed code may not be executed",
				ckpt_whom(ctx), start);
	return 0;
}

/* The first locked mapping from @addr on. */
static bool next_locked(struct mm_struct *mm, unsigned long addr, unsigned long *start,
			unsigned long *end)
{
	VMA_ITERATOR(vmi, mm, addr);
	struct vm_area_struct *vma;
	bool found = false;

	mmap_read_lock(mm);
	for_each_vma(vmi, vma) {
		found = vma->vm_flags & VM_LOCKED;
		if (!found)
			continue;
		*start = vma->vm_start;
		*end = vma->vm_end;
		break;
	}
	mmap_read_unlock(mm);
	return found;
}

/**
 * ckpt_mm_populate_locked() - bring into memory what mlock() had there
 * @mm: address space of current, complete
 *
 * Holes of locked memory are not in the image. Failure is not an error, as in
 * mlock() after the range was locked.
 *
 * Context: Process context of the owner, no locks.
 */
void ckpt_mm_populate_locked(struct mm_struct *mm)
{
	unsigned long start, end = 0;

	while (mm->locked_vm && next_locked(mm, end, &start, &end))
		mm_populate(start, end - start);
}
