// SPDX-License-Identifier: GPL-2.0
/*
 * Attached System V shared memory.
 *
 * A segment is outside the tree, as a file is: it belongs to the IPC namespace,
 * which the checkpoint leaves alone. The attachments of the tree are saved, and
 * attach the same segment again. One that was removed (IPC_RMID) dies with its
 * last attachment: it is part of the tree, is saved with what is in it, and
 * comes back under its number.
 */
#include <linux/checkpoint.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/ipc_namespace.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/shm.h>
#include <linux/shmem_fs.h>
#include <linux/syscalls.h>
#include <uapi/linux/shm.h>

#include <asm/shmparam.h>

#include "util.h"

static const struct ckpt_obj_ops ckpt_shm_obj_ops;

/**
 * ckpt_shm_dies_with() - Would the end of a task remove a segment?
 * @task: the task
 *
 * One that nobody has attached, which only its creator tells of.
 *
 * Context: Any in which the task cannot exit.
 */
bool ckpt_shm_dies_with(struct task_struct *task)
{
	return current->nsproxy->ipc_ns->shm_rmid_forced && shm_created_any(task);
}

static bool is_attachment(struct file *file)
{
	struct shm_state state;

	return shm_get_state(file, &state) != -EINVAL;
}

static bool is_removed(struct file *file)
{
	struct shm_state state;

	return !shm_get_state(file, &state) && (state.mode & SHM_DEST);
}

/*
 * Segments that were removed: the dentry, as with other shared memory.
 */

static void shm_ref_grab(void *ptr)
{
	dget(ptr);
}

/* Removed already, unless a restart has made it that failed before it was mapped. */
static void shm_ref_drop(void *ptr)
{
	struct dentry *dentry = ptr;

	shm_remove(d_inode(dentry));
	dput(dentry);
}

static int shm_collect(struct ckpt_ctx *ctx, void *ptr)
{
	/* The file of the segment itself. */
	ckpt_obj_account(ctx, ptr, 1);
	return ckpt_shmem_check_pages(ctx, ptr);
}

static bool attaches(void *ptr, const void *dentry)
{
	return ckpt_file_shows(ptr, dentry) && is_attachment(ptr);
}

static void fill_record(struct file *file, const struct shm_state *state, struct ckpt_rec_shm *rec)
{
	*rec = (struct ckpt_rec_shm) {
		.size = state->size,
		.ctime = state->ctime,
		.id = state->id,
		.mode = state->mode & 0777,
		.uid = from_kuid(current_user_ns(), state->uid),
		.gid = from_kgid(current_user_ns(), state->gid),
		.cuid = from_kuid(current_user_ns(), state->cuid),
		.cgid = from_kgid(current_user_ns(), state->cgid),
	};
	if (is_file_hugepages(file))
		rec->page_shift = huge_page_shift(hstate_file(file));
	else if (SHMEM_I(file_inode(file))->flags & VM_NORESERVE)
		rec->flags = CKPT_SHM_NORESERVE;
}

static int shm_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct file *file = ckpt_obj_find(ctx, &ckpt_file_obj_ops, attaches, ptr);
	int ret = ckpt_obj_ref(ctx, ptr, &ckpt_shm_obj_ops);
	struct ckpt_rec_shm rec;
	struct shm_state state;
	u32 objref = ret;

	if (ret < 0)
		return ret;
	if (!file || shm_get_state(file, &state))
		return ckpt_err(ctx, -EAGAIN, "SysV shared memory: changed during the checkpoint");
	fill_record(file, &state, &rec);
	ret = ckpt_write(ctx, CKPT_REC_SHM, &rec, sizeof(rec));
	return ret ? ret : ckpt_shmem_write_pages(ctx, file_inode(file), objref);
}

static int state_from_image(struct ckpt_ctx *ctx, const struct ckpt_rec_shm *rec,
			    struct shm_state *state)
{
	*state = (struct shm_state) {
		.id = rec->id,
		.size = rec->size,
		.ctime = rec->ctime,
		.mode = rec->mode,
		.uid = make_kuid(current_user_ns(), rec->uid),
		.gid = make_kgid(current_user_ns(), rec->gid),
		.cuid = make_kuid(current_user_ns(), rec->cuid),
		.cgid = make_kgid(current_user_ns(), rec->cgid),
	};
	if (rec->id < 0 || (rec->mode & ~0777) || (rec->flags & ~CKPT_SHM_FLAGS_ALL) ||
	    (rec->page_shift && rec->page_shift < PAGE_SHIFT) ||
	    rec->page_shift > SHM_HUGE_MASK || rec->size > MAX_LFS_FILESIZE ||
	    !uid_valid(state->uid) || !gid_valid(state->gid) ||
	    !uid_valid(state->cuid) || !gid_valid(state->cgid))
		return ckpt_err(ctx, -EINVAL, "image: bad SysV shared memory %d", rec->id);
	return 0;
}

/* What shmget() and shmctl() do not allow everybody: the number, and another creator. */
static int creation_allowed(struct ckpt_ctx *ctx, const struct shm_state *state)
{
	struct user_namespace *user_ns = current->nsproxy->ipc_ns->user_ns;

	if (!checkpoint_restore_ns_capable(user_ns))
		return ckpt_err(ctx, -EPERM, "SysV shared memory %d: no right to choose its number",
				state->id);
	if ((!uid_eq(state->cuid, current_euid()) || !gid_eq(state->cgid, current_egid())) &&
	    !ns_capable(user_ns, CAP_SYS_ADMIN))
		return ckpt_err(ctx, -EPERM, "SysV shared memory %d: has another creator",
				state->id);
	return 0;
}

static struct file *create_segment(struct ckpt_ctx *ctx, const struct ckpt_rec_shm *rec)
{
	int shmflg = rec->flags & CKPT_SHM_NORESERVE ? SHM_NORESERVE : 0;
	struct shm_state state;
	struct file *file;
	int ret;

	ret = state_from_image(ctx, rec, &state);
	if (!ret)
		ret = creation_allowed(ctx, &state);
	if (ret)
		return ERR_PTR(ret);
	if (rec->page_shift)
		shmflg |= SHM_HUGETLB | rec->page_shift << SHM_HUGE_SHIFT;
	file = shm_create_state(&state, shmflg);
	if (!IS_ERR(file))
		return file;
	return ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "SysV shared memory %d: %s", rec->id,
				PTR_ERR(file) == -EEXIST ? "its number is taken" :
				"cannot be created"));
}

static void *shm_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_shm rec;
	struct dentry *dentry;
	struct file *file;
	int ret;

	ret = ckpt_read(ctx, CKPT_REC_SHM, &rec, sizeof(rec));
	if (ret)
		return ERR_PTR(ret);
	file = create_segment(ctx, &rec);
	if (IS_ERR(file))
		return file;
	ret = ckpt_shmem_read_pages(ctx, file);
	dentry = dget(file->f_path.dentry);
	fput(file);
	if (!ret)
		return dentry;
	shm_ref_drop(dentry);
	return ERR_PTR(ret);
}

static const struct ckpt_obj_ops ckpt_shm_obj_ops = {
	.obj_name = "SysV shared memory",
	.obj_type = CKPT_OBJ_SHM,
	.stage = CKPT_STAGE_GLOBAL,
	.ref_grab = shm_ref_grab,
	.ref_drop = shm_ref_drop,
	.ref_users = ckpt_shmem_users,
	.find_holder = ckpt_shmem_find_holder,
	.collect = shm_collect,
	.checkpoint = shm_checkpoint,
	.restore = shm_restore,
};

/**
 * ckpt_shm_collect_mapping() - count a mapping of a segment that was removed
 * @ctx: the checkpoint
 * @file: file of a mapping of the tree
 *
 * Context: May sleep for memory.
 * Return: >= 0 or -ENOMEM.
 */
int ckpt_shm_collect_mapping(struct ckpt_ctx *ctx, struct file *file)
{
	return is_removed(file) ?
	       ckpt_obj_collect(ctx, file->f_path.dentry, &ckpt_shm_obj_ops) : 0;
}

/**
 * ckpt_shm_mapped() - a segment may be in use again
 * @ctx: the restart
 * @file: file of a mapping that the restart has just made
 *
 * What the restart makes is removed as soon as it has a user, and not before.
 *
 * Context: Process context, no locks.
 */
void ckpt_shm_mapped(struct ckpt_ctx *ctx, struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;

	if (is_attachment(file) && ckpt_obj_find(ctx, &ckpt_shm_obj_ops, ckpt_is_ptr, dentry))
		shm_remove(d_inode(dentry));
}

/*
 * Attachments: each shmat() has a file of its own, which fork() shares.
 */

static s64 birth_of(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct timespec64 birth = inode_get_ctime(inode);

	if (!is_file_hugepages(file))
		birth = SHMEM_I(inode)->i_crtime;
	return timespec64_to_ns(&birth);
}

static const char *attachment_obstacle(struct file *file)
{
	struct shm_state state;

	if (shm_get_state(file, &state))
		return "of another IPC namespace";
	if ((state.mode & SHM_DEST) && (state.mode & SHM_LOCKED))
		return "removed while locked (SHM_LOCK)";
	if (!(state.mode & SHM_DEST) && current->nsproxy->ipc_ns->shm_rmid_forced)
		return "kernel.shm_rmid_forced would remove it";
	return NULL;
}

static int shm_file_collect(struct ckpt_ctx *ctx, struct file *file)
{
	const char *why = attachment_obstacle(file);
	int ret;

	if (why)
		return ckpt_file_refuse(ctx, file, "SysV shared memory %lu: %s: not supported",
					file_inode(file)->i_ino, why);
	ret = ckpt_shm_collect_mapping(ctx, file);
	return min(ret, 0);
}

static int shm_file_checkpoint(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_rec_file_shm rec;
	struct shm_state state;
	int ret = 0;

	if (shm_get_state(file, &state))
		return ckpt_err(ctx, -EAGAIN, "SysV shared memory: changed during the checkpoint");
	if (state.mode & SHM_DEST)
		ret = ckpt_obj_ref(ctx, file->f_path.dentry, &ckpt_shm_obj_ops);
	if (ret < 0)
		return ret;
	rec = (struct ckpt_rec_file_shm) {
		.size = state.size,
		.birth_ns = birth_of(file),
		.id = state.id,
		.key = state.key,
		.cuid = from_kuid(current_user_ns(), state.cuid),
		.cgid = from_kgid(current_user_ns(), state.cgid),
		.generation = file_inode(file)->i_generation,
		.shm_objref = ret,
	};
	return ckpt_write(ctx, CKPT_REC_FILE_SHM, &rec, sizeof(rec));
}

/* What shmat(2) opens, without its mapping, which is made later and elsewhere. */
static struct file *attach(int id, int shmflg)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct file *file = NULL;
	unsigned long addr;
	long ret;

	/* It would be gone with the mapping. */
	if (current->nsproxy->ipc_ns->shm_rmid_forced)
		return ERR_PTR(-EOPNOTSUPP);
	ret = do_shmat(id, NULL, shmflg, &addr, SHMLBA);
	if (ret)
		return ERR_PTR(ret);
	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file)
		file = get_file(vma->vm_file);
	mmap_read_unlock(mm);
	ksys_shmdt((char __user *)addr);
	return file ? file : ERR_PTR(-EAGAIN);
}

/* Numbers and keys are used again. */
static bool is_same(struct file *file, const struct ckpt_rec_file_shm *rec)
{
	struct shm_state state;

	return !shm_get_state(file, &state) && state.id == rec->id && state.key == rec->key &&
	       state.size == rec->size && birth_of(file) == rec->birth_ns &&
	       file_inode(file)->i_generation == rec->generation &&
	       from_kuid(current_user_ns(), state.cuid) == rec->cuid &&
	       from_kgid(current_user_ns(), state.cgid) == rec->cgid;
}

static int check_attachment(struct ckpt_ctx *ctx, struct file *file,
			    const struct ckpt_rec_file_shm *rec)
{
	struct dentry *dentry;

	if (!rec->shm_objref) {
		if (is_same(file, rec))
			return 0;
		return ckpt_err(ctx, -ENOENT,
				"SysV shared memory %d (key %#x): another segment has its number",
				rec->id, rec->key);
	}
	dentry = ckpt_obj_fetch(ctx, rec->shm_objref, &ckpt_shm_obj_ops);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (file->f_path.dentry == dentry)
		return 0;
	return ckpt_err(ctx, -EINVAL, "image: SysV shared memory %d is not object %u", rec->id,
			rec->shm_objref);
}

static struct file *shm_file_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_file *file_rec)
{
	bool readonly = (file_rec->f_flags & O_ACCMODE) == O_RDONLY;
	struct ckpt_rec_file_shm rec;
	struct file *file;
	int ret;

	ret = ckpt_read(ctx, CKPT_REC_FILE_SHM, &rec, sizeof(rec));
	if (ret)
		return ERR_PTR(ret);
	file = attach(rec.id, readonly ? SHM_RDONLY : 0);
	if (file == ERR_PTR(-EINVAL) || file == ERR_PTR(-EIDRM))
		return ERR_PTR(ckpt_err(ctx, -ENOENT, "SysV shared memory %d (key %#x): is gone",
					rec.id, rec.key));
	if (IS_ERR(file))
		return ERR_PTR(ckpt_err(ctx, PTR_ERR(file), "SysV shared memory %d (key %#x): %s",
					rec.id, rec.key, file == ERR_PTR(-EOPNOTSUPP) ?
					"kernel.shm_rmid_forced would remove it" :
					"cannot be attached"));
	ret = check_attachment(ctx, file, &rec);
	if (!ret)
		return file;
	fput(file);
	return ERR_PTR(ret);
}

static const struct ckpt_file_ops shm_file_ops = {
	.name = "SysV shared memory",
	.rec_type = CKPT_REC_FILE_SHM,
	.match = is_attachment,
	.collect = shm_file_collect,
	.checkpoint = shm_file_checkpoint,
	.restore = shm_file_restore,
};

static int __init ckpt_shm_init(void)
{
	int ret = ckpt_register_obj(&ckpt_shm_obj_ops);

	return ret ? ret : ckpt_register_file(&shm_file_ops);
}
subsys_initcall(ckpt_shm_init);
