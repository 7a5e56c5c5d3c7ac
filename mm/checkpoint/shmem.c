// SPDX-License-Identifier: GPL-2.0
/*
 * Shared memory without a name in any mounted file system: anonymous shared
 * mappings and memfds, of ordinary or of huge pages; and what was unlinked from
 * a mounted tmpfs, which until then is a file like any other.
 *
 * The object is the dentry: there is one for each inode, and its count is the
 * number of open files.
 */
#include <linux/dcache.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/memfd.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/pid_namespace.h>
#include <linux/quotaops.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

#include "mm.h"

/**
 * ckpt_file_is_shmem() - is this unnamed shared memory?
 * @file: an open or mapped file
 *
 * Context: Any.
 */
bool ckpt_file_is_shmem(struct file *file)
{
	/* An attachment of SysV shared memory has operations of its own. */
	if (file->f_op != file_inode(file)->i_fop)
		return false;
	if (!(file->f_path.mnt->mnt_flags & MNT_INTERNAL))
		return ckpt_tmpfs_unlinked(file);
	return shmem_mapping(file->f_mapping) || is_file_hugepages(file);
}

static void shmem_ref_grab(void *ptr)
{
	dget(ptr);
}

static void shmem_ref_drop(void *ptr)
{
	dput(ptr);
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

/* One page with a reference on its folio; NULL if it is a hole after all. */
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
	if (!folio_contain_hwpoisoned_page(folio))
		return folio_file_page(folio, index);
	folio_put(folio);
	return ERR_PTR(-EHWPOISON);
}

static int add_page(struct ckpt_batch *batch, pgoff_t index, struct page *page)
{
	int ret;

	if (ckpt_batch_page(batch, index, page, CKPT_RUN_DATA))
		return 0;
	ret = ckpt_batch_make_room(batch);
	if (!ret && !ckpt_batch_page(batch, index, page, CKPT_RUN_DATA))
		ret = -EIO;
	return ret;
}

/* What fallocate() has put behind the end has no contents. */
static int write_pages(struct ckpt_ctx *ctx, struct inode *inode, struct ckpt_batch *batch)
{
	pgoff_t index = 0, end = DIV_ROUND_UP_ULL(i_size_read(inode), PAGE_SIZE);
	struct page *page;
	int ret = 0;

	for (; next_present(inode->i_mapping, &index) && index < end; index++) {
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

/**
 * ckpt_file_shows() - match function of ckpt_obj_find() for open files
 * @ptr: a file
 * @dentry: what it should be open on
 *
 * Context: Any.
 * Return: whether it is.
 */
bool ckpt_file_shows(void *ptr, const void *dentry)
{
	struct file *file = ptr;

	return file->f_path.dentry == dentry;
}

static void fill_record(struct inode *inode, struct ckpt_rec_shmem *rec)
{
	*rec = (struct ckpt_rec_shmem) {
		.size = i_size_read(inode),
		.flags = IS_PRIVATE(inode) ? 0 : CKPT_SHMEM_MEMFD,
		.seals = *seals_of(inode),
		.mode = inode->i_mode & S_IALLUGO,
		.uid = from_kuid(current_user_ns(), inode->i_uid),
		.gid = from_kgid(current_user_ns(), inode->i_gid),
		.page_shift = ckpt_hugetlb_shift(inode),
	};
	if (!rec->page_shift && (SHMEM_I(inode)->flags & VM_NORESERVE))
		rec->flags |= CKPT_SHMEM_NORESERVE;
	if (inode->i_state & I_LINKABLE)
		rec->flags |= CKPT_SHMEM_LINKABLE;
}

/* The name and the mount of an unlinked file, one behind the other. */
static int write_unlinked(struct ckpt_ctx *ctx, struct file *file, struct ckpt_rec_shmem *rec,
			  char *buf)
{
	char *name = ckpt_tmpfs_name(file, buf);
	char *mount = ckpt_tmpfs_mount(ctx, file, buf + PATH_MAX);

	if (IS_ERR(name))
		return ckpt_err(ctx, PTR_ERR(name), "%pD4: no name", file);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	rec->flags &= ~(CKPT_SHMEM_MEMFD | CKPT_SHMEM_NORESERVE);
	rec->flags |= CKPT_SHMEM_TMPFS;
	rec->name_len = strlen(name);
	rec->mount_len = strlen(mount);
	memmove(buf, name, rec->name_len);
	memmove(buf + rec->name_len, mount, rec->mount_len);
	return ckpt_write2(ctx, CKPT_REC_SHMEM, rec, sizeof(*rec), buf,
			   rec->name_len + rec->mount_len);
}

static int write_inode(struct ckpt_ctx *ctx, struct dentry *dentry)
{
	struct file *file = ckpt_obj_find(ctx, &ckpt_file_obj_ops, ckpt_file_shows, dentry);
	struct ckpt_rec_shmem rec;
	struct name_snapshot name;
	char *buf;
	int ret;

	fill_record(d_inode(dentry), &rec);
	if (file && ckpt_tmpfs_unlinked(file)) {
		buf = kmalloc(2 * PATH_MAX, GFP_KERNEL);
		ret = buf ? write_unlinked(ctx, file, &rec, buf) :
			    ckpt_err(ctx, -ENOMEM, "%pd4: no memory to save it", dentry);
		kfree(buf);
		return ret;
	}
	take_dentry_name_snapshot(&name, dentry);
	rec.name_len = name.name.len;
	ret = ckpt_write2(ctx, CKPT_REC_SHMEM, &rec, sizeof(rec), name.name.name, name.name.len);
	release_dentry_name_snapshot(&name);
	return ret;
}

/**
 * ckpt_shmem_write_pages() - write the contents of shared memory
 * @ctx: the checkpoint
 * @inode: its inode
 * @objref: the object that is being written
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM, -EINTR or an errno of the stream.
 */
int ckpt_shmem_write_pages(struct ckpt_ctx *ctx, struct inode *inode, u32 objref)
{
	struct ckpt_batch *batch;
	int ret;

	ret = ckpt_policy_write_shared(ctx, inode);
	if (ret)
		return ret;
	batch = ckpt_batch_alloc(ctx, objref);
	if (!batch)
		return ckpt_err(ctx, -ENOMEM, "shared memory: no memory to save pages");
	ret = write_pages(ctx, inode, batch);
	ckpt_batch_free(batch);
	return ret ? ret : ckpt_write(ctx, CKPT_REC_PAGES_END, NULL, 0);
}

/* io_uring, udmabuf and the like write to pages that they neither map nor have open. */
static const char *folio_obstacle(struct folio *folio)
{
	if (folio_contain_hwpoisoned_page(folio))
		return "cannot be read";
	return ckpt_folio_pinned(folio) ? "pinned for I/O: not supported" : NULL;
}

static const char *find_obstacle(struct address_space *mapping, pgoff_t *at)
{
	const char *what = NULL;
	struct folio_batch batch;
	pgoff_t next = 0;
	unsigned int i;

	folio_batch_init(&batch);
	while (!what && filemap_get_folios(mapping, &next, ULONG_MAX, &batch)) {
		for (i = 0; !what && i < folio_batch_count(&batch); i++) {
			what = folio_obstacle(batch.folios[i]);
			*at = batch.folios[i]->index;
		}
		folio_batch_release(&batch);
		cond_resched();
	}
	return what;
}

/**
 * ckpt_shmem_check_pages() - refuse pages that someone else may write to or that are lost
 * @ctx: the checkpoint
 * @ptr: dentry of shared memory
 *
 * Context: May sleep.
 * Return: 0 or -EOPNOTSUPP.
 */
int ckpt_shmem_check_pages(struct ckpt_ctx *ctx, void *ptr)
{
	struct dentry *dentry = ptr;
	const char *what;
	pgoff_t at;

	what = find_obstacle(d_inode(dentry)->i_mapping, &at);
	if (!what)
		return 0;
	return ckpt_refuse(ctx, -EOPNOTSUPP, "shared memory %pd: page %lu: %s", dentry, at, what);
}

static int shmem_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	int objref = ckpt_obj_ref(ctx, ptr, &ckpt_shmem_obj_ops);
	int ret;

	if (objref < 0)
		return objref;
	ret = write_inode(ctx, ptr);
	return ret ? ret : ckpt_shmem_write_pages(ctx, d_inode((struct dentry *)ptr), objref);
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

/**
 * ckpt_shmem_read_pages() - read what ckpt_shmem_write_pages() wrote
 * @ctx: the restart
 * @file: the shared memory, of its final size
 *
 * Context: Process context, no locks.
 * Return: 0, or an errno after ckpt_err().
 */
int ckpt_shmem_read_pages(struct ckpt_ctx *ctx, struct file *file)
{
	int ret = ckpt_policy_read_shared(ctx, file_inode(file));

	return ret ? ret : ckpt_fill_all(ctx, file, &shmem_fill_ops);
}

/* NAME_MAX and a NUL, as memfd_create() allows; a tmpfs has paths. */
#define SHMEM_NAME_LEN	256

static bool shmem_valid(const struct ckpt_rec_shmem *rec, const char *tail, size_t len)
{
	bool tmpfs = rec->flags & CKPT_SHMEM_TMPFS;

	/* Only memfds can be sealed. */
	if (tmpfs && rec->seals != F_SEAL_SEAL)
		return false;
	return rec->size <= MAX_LFS_FILESIZE && !(rec->flags & ~CKPT_SHMEM_FLAGS_ALL) &&
	       !(rec->seals & ~(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)) &&
	       !(rec->mode & ~0777) && (u64)rec->name_len + rec->mount_len == len &&
	       rec->name_len < (tmpfs ? PATH_MAX : SHMEM_NAME_LEN) &&
	       !memchr(tail, 0, len) &&
	       (tmpfs ? !rec->page_shift :
			!rec->mount_len && !(rec->flags & CKPT_SHMEM_LINKABLE));
}

/* As chown(2) does on a tmpfs that has quotas; 0 on others. */
static int charge_owner(struct inode *inode, kuid_t uid, kgid_t gid)
{
	struct iattr attr = {
		.ia_valid = ATTR_UID | ATTR_GID,
		.ia_vfsuid = VFSUIDT_INIT(uid),
		.ia_vfsgid = VFSGIDT_INIT(gid),
	};

	return dquot_transfer(&nop_mnt_idmap, inode, &attr);
}

static int set_owner(struct ckpt_ctx *ctx, struct inode *inode, const struct ckpt_rec_shmem *rec)
{
	kuid_t uid = make_kuid(current_user_ns(), rec->uid);
	kgid_t gid = make_kgid(current_user_ns(), rec->gid);
	int err;

	if (!uid_valid(uid) || !gid_valid(gid))
		return ckpt_err(ctx, -EINVAL, "image: shared memory: bad owner %u:%u",
				rec->uid, rec->gid);
	if ((!uid_eq(uid, inode->i_uid) || !gid_eq(gid, inode->i_gid)) &&
	    !capable_wrt_inode_uidgid(&nop_mnt_idmap, inode, CAP_CHOWN))
		return ckpt_err(ctx, -EPERM, "shared memory: cannot give it to %u:%u",
				rec->uid, rec->gid);
	err = charge_owner(inode, uid, gid);
	if (err)
		return ckpt_err(ctx, err, "shared memory: the quota of %u:%u does not allow it",
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
		ret = ckpt_shmem_read_pages(ctx, file);
	if (!ret)
		ret = set_seals(ctx, file, rec->seals);
	return ret;
}

static struct file *create_file(struct ckpt_ctx *ctx, const char *name,
				const struct ckpt_rec_shmem *rec, const void *mount)
{
	unsigned long flags = rec->flags & CKPT_SHMEM_NORESERVE ? VM_NORESERVE : 0;
	struct file *file;

	if (rec->flags & CKPT_SHMEM_TMPFS)
		return ckpt_tmpfs_create(ctx, name, rec, mount);
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

/* MEMFD is also true of mmap(MAP_HUGETLB), of which nobody has a descriptor. */
static bool is_memfd(const char *name)
{
	return str_has_prefix(name, "memfd:");
}

/* What ftruncate(2) demands. */
static int size_allowed(struct ckpt_ctx *ctx, const char *name, const struct ckpt_rec_shmem *rec)
{
	if (rec->size <= rlimit(RLIMIT_FSIZE))
		return 0;
	if (!(rec->flags & CKPT_SHMEM_TMPFS) && !is_memfd(name))
		return 0;
	return ckpt_err(ctx, -EFBIG, "%s: is larger than the limit of file sizes (%lu)", name,
			rlimit(RLIMIT_FSIZE));
}

/*
 * What memfd_create(2) demands where vm.memfd_noexec is enforced. Nobody has a
 * descriptor of memory that is no memfd, by which it could be executed: nothing is
 * lost if it cannot be.
 */
static int execution_allowed(struct ckpt_ctx *ctx, const char *name, struct ckpt_rec_shmem *rec)
{
	struct pid_namespace *ns = task_active_pid_ns(current);

	if (rec->flags & CKPT_SHMEM_TMPFS ||
	    pidns_memfd_noexec_scope(ns) < MEMFD_NOEXEC_SCOPE_NOEXEC_ENFORCED)
		return 0;
	if (!is_memfd(name)) {
		rec->mode &= ~0111;
		rec->seals |= F_SEAL_EXEC;
	}
	if (!(rec->mode & 0111) && (rec->seals & F_SEAL_EXEC))
		return 0;
	return ckpt_err(ctx, -EACCES, "%s: can be executed, which vm.memfd_noexec forbids here",
			name);
}

static struct file *read_file(struct ckpt_ctx *ctx, struct ckpt_rec_shmem *rec)
{
	const void *tail;
	struct file *file;
	size_t len;
	char *name;
	int ret;

	ret = ckpt_read_tail(ctx, CKPT_REC_SHMEM, rec, sizeof(*rec), &tail, &len);
	if (ret)
		return ERR_PTR(ret);
	if (!shmem_valid(rec, tail, len))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: bad shared memory object"));
	name = kmemdup_nul(tail, rec->name_len, GFP_KERNEL);
	if (!name)
		return ERR_PTR(ckpt_err(ctx, -ENOMEM, "shared memory: no memory for its name"));
	ret = execution_allowed(ctx, name, rec);
	if (!ret)
		ret = size_allowed(ctx, name, rec);
	file = ret ? ERR_PTR(ret) : create_file(ctx, name, rec, tail + rec->name_len);
	kfree(name);
	return file;
}

static void *shmem_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_shmem rec;
	struct dentry *dentry;
	struct file *file;
	int ret;

	file = read_file(ctx, &rec);
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
	.ref_users = ckpt_shmem_users,
	.find_holder = ckpt_shmem_find_holder,
	.collect = ckpt_shmem_check_pages,
	.checkpoint = shmem_checkpoint,
	.restore = shmem_restore,
};

static int shmem_file_collect(struct ckpt_ctx *ctx, struct file *file)
{
	const char *why = ckpt_tmpfs_obstacle(file);
	int ret = 0;

	if (why)
		ret = ckpt_file_refuse(ctx, file, "%pD4: %s", file, why);
	if (!ret && ckpt_tmpfs_unlinked(file))
		ret = ckpt_tmpfs_collect(ctx, file);
	if (!ret)
		ret = ckpt_obj_collect(ctx, file->f_path.dentry, &ckpt_shmem_obj_ops);
	return min(ret, 0);
}

static int shmem_file_checkpoint(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_rec_file_shmem rec = { };
	char *mount = NULL, *buf = NULL;
	int ret = ckpt_obj_ref(ctx, file->f_path.dentry, &ckpt_shmem_obj_ops);

	if (ret < 0)
		return ret;
	rec.shmem_objref = ret;
	if (ckpt_tmpfs_unlinked(file)) {
		buf = __getname();
		if (!buf)
			return -ENOMEM;
		mount = ckpt_tmpfs_mount(ctx, file, buf);
	}
	ret = PTR_ERR_OR_ZERO(mount);
	if (!ret) {
		rec.mount_len = mount ? strlen(mount) : 0;
		ret = ckpt_write2(ctx, CKPT_REC_FILE_SHMEM, &rec, sizeof(rec), mount,
				  rec.mount_len);
	}
	if (buf)
		__putname(buf);
	return ret;
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

/* The mount to open @dentry in: that of the image, if it is one of its file system. */
static int find_mount(struct ckpt_ctx *ctx, struct dentry *dentry, const void *name, size_t len,
		      struct path *path)
{
	int ret;

	if (!len) {
		path->mnt = internal_mount(d_inode(dentry));
		if (IS_ERR(path->mnt))
			return ckpt_err(ctx, PTR_ERR(path->mnt), "shared memory: no memory");
	} else {
		ret = ckpt_tmpfs_find_mount(ctx, name, len, path);
		if (ret)
			return ret;
		dput(path->dentry);
	}
	path->dentry = dget(dentry);
	if (path->mnt->mnt_sb == dentry->d_sb)
		return 0;
	path_put(path);
	return ckpt_err(ctx, -EINVAL, "image: shared memory %pd4: not in this mount", dentry);
}

static struct file *shmem_file_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_file *file_rec)
{
	struct ckpt_rec_file_shmem rec;
	struct dentry *dentry;
	const void *mount;
	struct file *file;
	struct path path;
	size_t len;
	int ret;

	ret = ckpt_read_tail(ctx, CKPT_REC_FILE_SHMEM, &rec, sizeof(rec), &mount, &len);
	if (ret)
		return ERR_PTR(ret);
	dentry = ckpt_obj_fetch(ctx, rec.shmem_objref, &ckpt_shmem_obj_ops);
	if (IS_ERR(dentry) || rec.mount_len != len)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "image: object %u is no shared memory",
					rec.shmem_objref));
	ret = find_mount(ctx, dentry, mount, len, &path);
	if (ret)
		return ERR_PTR(ret);
	file = dentry_open(&path, file_rec->f_flags, current_cred());
	path_put(&path);
	if (IS_ERR(file))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "shared memory: cannot be opened"));
	return file;
}

/**
 * ckpt_shmem_lift_seal() - let a file be mapped as before F_SEAL_FUTURE_WRITE
 * @ctx: the restart
 * @file: a file that is going to be mapped
 *
 * Only what this restart has made: nobody else knows it yet, and the restart
 * maps one file at a time.
 *
 * Context: Process context.
 * Return: what ckpt_shmem_put_seal() puts back, 0 if nothing.
 */
unsigned int ckpt_shmem_lift_seal(struct ckpt_ctx *ctx, struct file *file)
{
	unsigned int *seals, lifted;

	if (!ckpt_file_is_shmem(file) ||
	    !ckpt_obj_find(ctx, &ckpt_shmem_obj_ops, ckpt_is_ptr, file->f_path.dentry))
		return 0;
	seals = seals_of(file_inode(file));
	lifted = *seals & F_SEAL_FUTURE_WRITE;
	*seals &= ~lifted;
	return lifted;
}

/**
 * ckpt_shmem_put_seal() - seal a file again that was mapped
 * @file: the file
 * @seals: what ckpt_shmem_lift_seal() returned
 *
 * Context: Process context.
 */
void ckpt_shmem_put_seal(struct file *file, unsigned int seals)
{
	if (seals)
		*seals_of(file_inode(file)) |= seals;
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
