// SPDX-License-Identifier: GPL-2.0
/*
 * Shared memory without a name in any mounted file system: anonymous shared
 * mappings and memfds, of ordinary or of huge pages. What lives in a mounted tmpfs is a file like any other.
 *
 * The object is the dentry: there is one for each inode, and its count is the
 * number of open files.
 */
#include <linux/dcache.h>
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/memfd.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

#include "mm.h"

#define SHMEM_NAME_LEN	256	/* NAME_MAX and a NUL, as memfd_create() allows */

/**
 * ckpt_file_is_shmem() - is this unnamed shared memory?
 * @file: an open or mapped file
 *
 * Context: Any.
 */
bool ckpt_file_is_shmem(struct file *file)
{
	return (file->f_path.mnt->mnt_flags & MNT_INTERNAL) &&
	       (shmem_mapping(file->f_mapping) || is_file_hugepages(file)) &&
	       file->f_op == file_inode(file)->i_fop;
}

static void shmem_ref_grab(void *ptr)
{
	dget(ptr);
}

static void shmem_ref_drop(void *ptr)
{
	dput(ptr);
}

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

/* Open files and mappings: a file opened again through /proc has its own count. */
static long shmem_ref_users(void *ptr)
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
	mmap_read_lock(mm);
	for_each_vma(vmi, vma) {
		if (!vma->vm_file || file_inode(vma->vm_file) != search->inode)
			continue;
		snprintf(search->holder->how, sizeof(search->holder->how),
			 "mapping at %lx", vma->vm_start);
		found = true;
		break;
	}
	mmap_read_unlock(mm);
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

static int shmem_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	struct shmem_search search = { .inode = d_inode((struct dentry *)ptr), .holder = holder };

	return ckpt_visit_outsiders(ctx, shmem_is_holder, &search) ? 0 : -ENOENT;
}

/* The first page from @index on that is in memory or swapped; 0 if there is none. */
static bool next_present(struct address_space *mapping, pgoff_t *index)
{
	XA_STATE(xas, &mapping->i_pages, *index);
	void *entry;

	rcu_read_lock();
	do {
		entry = xas_find(&xas, ULONG_MAX);
	} while (xas_retry(&xas, entry));
	/* A large folio or swap entry may begin before. */
	*index = max(xas.xa_index, *index);
	rcu_read_unlock();
	return entry;
}

static unsigned int *seals_of(struct inode *inode)
{
	return ckpt_hugetlb_shift(inode) ? ckpt_hugetlb_seals(inode) : &SHMEM_I(inode)->seals;
}

/* One page with a reference on its folio, NULL if it is a hole after all. */
static struct page *shmem_page(struct inode *inode, pgoff_t index)
{
	struct folio *folio = NULL;
	int ret;

	if (ckpt_hugetlb_shift(inode))
		return ckpt_hugetlb_page(inode, index);
	ret = shmem_get_folio(inode, index, 0, &folio, SGP_READ);
	if (ret)
		return ERR_PTR(ret);
	if (!folio)
		return NULL;
	folio_unlock(folio);
	return folio_file_page(folio, index);
}

static int add_page(struct ckpt_batch *batch, pgoff_t index, struct page *page)
{
	int ret;

	if (ckpt_batch_page(batch, index, page, CKPT_RUN_DATA))
		return 0;
	ret = ckpt_batch_flush(batch);
	if (!ret && !ckpt_batch_page(batch, index, page, CKPT_RUN_DATA))
		ret = -EIO;
	return ret;
}

static int write_pages(struct ckpt_ctx *ctx, struct inode *inode, struct ckpt_batch *batch)
{
	pgoff_t index = 0;
	struct page *page;
	int ret = 0;

	for (; next_present(inode->i_mapping, &index); index++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = shmem_page(inode, index);
		if (IS_ERR(page))
			return ckpt_err(ctx, PTR_ERR(page),
					"shared memory: page %lu cannot be read", index);
		if (!page)
			continue;
		ret = add_page(batch, index, page);
		put_page(page);
		if (ret)
			return ret;
		cond_resched();
	}
	return ckpt_batch_flush(batch);
}

static int write_inode(struct ckpt_ctx *ctx, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct ckpt_rec_shmem rec = {
		.size = i_size_read(inode),
		.flags = IS_PRIVATE(inode) ? 0 : CKPT_SHMEM_MEMFD,
		.seals = *seals_of(inode),
		.page_shift = ckpt_hugetlb_shift(inode),
		.mode = inode->i_mode & S_IALLUGO,
		.uid = from_kuid(current_user_ns(), inode->i_uid),
		.gid = from_kgid(current_user_ns(), inode->i_gid),
	};
	struct name_snapshot name;
	int ret;

	if (!rec.page_shift && (SHMEM_I(inode)->flags & VM_NORESERVE))
		rec.flags |= CKPT_SHMEM_NORESERVE;
	take_dentry_name_snapshot(&name, dentry);
	rec.name_len = name.name.len;
	ret = ckpt_write2(ctx, CKPT_REC_SHMEM, &rec, sizeof(rec), name.name.name, name.name.len);
	release_dentry_name_snapshot(&name);
	return ret;
}

static int shmem_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	int objref = ckpt_obj_ref(ctx, ptr, &ckpt_shmem_obj_ops);
	struct ckpt_batch *batch;
	int ret;

	if (objref < 0)
		return objref;
	ret = write_inode(ctx, ptr);
	if (ret)
		return ret;
	/* Without a leak check someone outside may be writing to the pages. */
	batch = ckpt_batch_alloc(ctx, objref, ckpt_image_flags(ctx) & CKPT_IMAGE_SUBTREE);
	if (!batch)
		return ckpt_err(ctx, -ENOMEM, "shared memory: no memory to save pages");
	ret = write_pages(ctx, d_inode((struct dentry *)ptr), batch);
	ckpt_batch_free(batch);
	return ret ? ret : ckpt_write(ctx, CKPT_REC_PAGES_END, NULL, 0);
}

static struct page *shmem_fill_get(struct ckpt_ctx *ctx, void *obj, u64 index, u32 flags)
{
	struct inode *inode = file_inode(obj);
	struct folio *folio;
	int ret;

	if (index >= DIV_ROUND_UP_ULL(i_size_read(inode), PAGE_SIZE))
		return ERR_PTR(ckpt_err(ctx, -EINVAL,
					"image: shared memory: page %llu is behind the end",
					index));
	if (ckpt_hugetlb_shift(inode))
		return ckpt_hugetlb_create_page(ctx, obj, index);
	ret = shmem_get_folio(inode, index, 0, &folio, SGP_CACHE);
	if (ret)
		return ERR_PTR(ckpt_err(ctx, ret, "shared memory: no memory for page %llu", index));
	folio_unlock(folio);
	return folio_file_page(folio, index);
}

static int shmem_fill_install(struct ckpt_ctx *ctx, void *obj, struct ckpt_fill *fill)
{
	unsigned int i;

	for (i = 0; i < fill->nr; i++) {
		flush_dcache_page(fill->pages[i]);
		set_page_dirty_lock(fill->pages[i]);
	}
	return 0;
}

static const struct ckpt_fill_ops shmem_fill_ops = {
	.get = shmem_fill_get,
	.install = shmem_fill_install,
};

static bool shmem_valid(const struct ckpt_rec_shmem *rec, const char *name, size_t len)
{
	return rec->size <= MAX_LFS_FILESIZE && !(rec->flags & ~CKPT_SHMEM_FLAGS_ALL) &&
	       !(rec->seals & ~(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)) &&
	       !(rec->mode & ~0777) && rec->name_len == len && !rec->pad &&
	       len < SHMEM_NAME_LEN && !memchr(name, 0, len);
}

static int set_owner(struct ckpt_ctx *ctx, struct inode *inode, const struct ckpt_rec_shmem *rec)
{
	kuid_t uid = make_kuid(current_user_ns(), rec->uid);
	kgid_t gid = make_kgid(current_user_ns(), rec->gid);

	if (!uid_valid(uid) || !gid_valid(gid))
		return ckpt_err(ctx, -EINVAL, "image: shared memory: bad owner %u:%u",
				rec->uid, rec->gid);
	if ((!uid_eq(uid, inode->i_uid) || !gid_eq(gid, inode->i_gid)) && !capable(CAP_CHOWN))
		return ckpt_err(ctx, -EPERM, "shared memory: cannot give it to %u:%u",
				rec->uid, rec->gid);
	inode->i_uid = uid;
	inode->i_gid = gid;
	inode->i_mode = S_IFREG | rec->mode;
	return 0;
}

/* Seals come last: they may forbid what was done before. */
static int set_seals(struct ckpt_ctx *ctx, struct file *file, u32 seals)
{
	int ret = 0;

	*seals_of(file_inode(file)) = 0;
	if (seals)
		ret = memfd_fcntl(file, F_ADD_SEALS, seals);
	if (ret)
		return ckpt_err(ctx, ret, "shared memory: cannot be sealed");
	return 0;
}

static int restore_file(struct ckpt_ctx *ctx, struct file *file, const struct ckpt_rec_shmem *rec)
{
	int ret = set_owner(ctx, file_inode(file), rec);

	if (!ret)
		ret = ckpt_fill_all(ctx, file, &shmem_fill_ops);
	if (!ret)
		ret = set_seals(ctx, file, rec->seals);
	return ret;
}

static struct file *create_file(struct ckpt_ctx *ctx, const char *name,
				const struct ckpt_rec_shmem *rec)
{
	unsigned long flags = rec->flags & CKPT_SHMEM_NORESERVE ? VM_NORESERVE : 0;
	struct file *file;

	if (rec->page_shift)
		return ckpt_hugetlb_create(ctx, name, rec);
	/* Security modules judge memfds, not anonymous mappings. */
	if (rec->flags & CKPT_SHMEM_MEMFD)
		file = shmem_file_setup(name, rec->size, flags);
	else
		file = shmem_kernel_file_setup(name, rec->size, flags);
	if (IS_ERR(file))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "shared memory %s: cannot be created",
					name));
	return file;
}

static void *shmem_restore(struct ckpt_ctx *ctx)
{
	char name[SHMEM_NAME_LEN] = { };
	struct ckpt_rec_shmem rec;
	struct dentry *dentry;
	const void *tail;
	struct file *file;
	size_t len;
	int ret;

	ret = ckpt_read_tail(ctx, CKPT_REC_SHMEM, &rec, sizeof(rec), &tail, &len);
	if (ret)
		return ERR_PTR(ret);
	if (!shmem_valid(&rec, tail, len))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: bad shared memory object"));
	memcpy(name, tail, len);
	file = create_file(ctx, name, &rec);
	if (IS_ERR(file))
		return file;
	ret = restore_file(ctx, file, &rec);
	dentry = dget(file->f_path.dentry);
	fput(file);
	if (!ret)
		return dentry;
	dput(dentry);
	return ERR_PTR(ret);
}

const struct ckpt_obj_ops ckpt_shmem_obj_ops = {
	.obj_name = "shared memory",
	.obj_type = CKPT_OBJ_SHMEM,
	.stage = CKPT_STAGE_GLOBAL,
	.ref_grab = shmem_ref_grab,
	.ref_drop = shmem_ref_drop,
	.ref_users = shmem_ref_users,
	.find_holder = shmem_find_holder,
	.checkpoint = shmem_checkpoint,
	.restore = shmem_restore,
};

static int shmem_file_collect(struct ckpt_ctx *ctx, struct file *file)
{
	int ret = ckpt_obj_collect(ctx, file->f_path.dentry, &ckpt_shmem_obj_ops);

	return min(ret, 0);
}

static int shmem_file_checkpoint(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_rec_file_shmem rec = { };
	int ret = ckpt_obj_ref(ctx, file->f_path.dentry, &ckpt_shmem_obj_ops);

	if (ret < 0)
		return ret;
	rec.shmem_objref = ret;
	return ckpt_write(ctx, CKPT_REC_FILE_SHMEM, &rec, sizeof(rec));
}

/* The mount that nothing but such files is on. */
static struct vfsmount *internal_mount(struct inode *inode)
{
	u32 shift = ckpt_hugetlb_shift(inode);
	struct vfsmount *mnt;
	struct file *file;

	if (shift)
		file = hugetlb_file_setup("", 0, VM_NORESERVE, HUGETLB_ANONHUGE_INODE, shift);
	else
		file = shmem_file_setup("", 0, VM_NORESERVE);
	if (IS_ERR(file))
		return ERR_CAST(file);
	mnt = mntget(file->f_path.mnt);
	fput(file);
	return mnt;
}

static struct file *shmem_file_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_file *file_rec)
{
	struct ckpt_rec_file_shmem rec;
	struct file *file;
	struct path path;
	int ret;

	ret = ckpt_read(ctx, CKPT_REC_FILE_SHMEM, &rec, sizeof(rec));
	if (ret)
		return ERR_PTR(ret);
	path.dentry = ckpt_obj_fetch(ctx, rec.shmem_objref, &ckpt_shmem_obj_ops);
	if (IS_ERR(path.dentry) || rec.pad)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: object %u is no shared memory",
					rec.shmem_objref));
	path.mnt = internal_mount(d_inode(path.dentry));
	if (IS_ERR(path.mnt))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(path.mnt), "shared memory: no memory"));
	file = dentry_open(&path, file_rec->f_flags, current_cred());
	mntput(path.mnt);
	if (IS_ERR(file))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "shared memory: cannot be opened"));
	return file;
}

static const struct ckpt_file_ops shmem_file_ops = {
	.name = "shared memory",
	.rec_type = CKPT_REC_FILE_SHMEM,
	.match = ckpt_file_is_shmem,
	.collect = shmem_file_collect,
	.checkpoint = shmem_file_checkpoint,
	.restore = shmem_file_restore,
};

static int __init ckpt_shmem_init(void)
{
	int ret = ckpt_register_obj(&ckpt_shmem_obj_ops);

	return ret ? ret : ckpt_register_file(&shmem_file_ops);
}
subsys_initcall(ckpt_shmem_init);
