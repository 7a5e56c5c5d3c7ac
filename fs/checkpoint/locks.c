// SPDX-License-Identifier: GPL-2.0
/*
 * File locks. They hang on the inode and name their owner: a descriptor table
 * (POSIX locks) or an open file (OFD locks, flock). Each is saved after its
 * owner. Requests that still wait are not saved: the waiting system call is
 * restarted. Leases are refused, and so are locks that only a server knows: a
 * network file system keeps a record of its own locks, but FUSE does not.
 *
 * A restored flock or OFD lock belongs to the right open file; only /proc/locks
 * names the restarter's pid for it.
 */
#include <linux/fdtable.h>
#include <linux/filelock.h>
#include <linux/magic.h>
#include <linux/sched/signal.h>
#include <linux/security.h>

#include "../fuse/fuse_i.h"
#include "internal.h"

static struct file_lock_context *lock_context(struct file *file)
{
	if (file->f_mode & FMODE_PATH)
		return NULL;
	return locks_inode_context(file_inode(file));
}

static bool has_lease(struct file_lock_context *flctx, struct file *file)
{
	struct file_lock_core *lock;
	bool found = false;

	spin_lock(&flctx->flc_lock);
	list_for_each_entry(lock, &flctx->flc_lease, flc_list)
		if (lock->flc_file == file)
			found = true;
	spin_unlock(&flctx->flc_lock);
	return found;
}

/* Are the locks of this file requests to a FUSE server? */
static bool may_lock_at_server(struct file *file)
{
	return IS_ENABLED(CONFIG_FUSE_FS) && !(file->f_mode & FMODE_PATH) &&
	       file_inode(file)->i_sb->s_magic == FUSE_SUPER_MAGIC && file->f_op->lock;
}

/* Return: 1 if the server tells of any lock at all, 0, or an errno. */
static int test_server(struct ckpt_ctx *ctx, struct file *file)
{
	struct file_lock lock;
	int err;

	locks_init_lock(&lock);
	lock.c.flc_file = file;
	lock.c.flc_owner = ctx;
	lock.c.flc_flags = FL_POSIX;
	lock.c.flc_type = F_WRLCK;
	lock.fl_end = OFFSET_MAX;
	err = vfs_test_lock(file, &lock);
	return err ?: lock.c.flc_type != F_UNLCK;
}

static int check_server(struct ckpt_ctx *ctx, struct file *file)
{
	const struct fuse_file *ff = file->private_data;
	int ret = ff->flock;

	/* one that cannot answer is an obstacle of its own */
	if (!ret && !get_fuse_conn(file_inode(file))->no_lock &&
	    !ckpt_served_inside(ctx, file_inode(file)->i_sb))
		ret = test_server(ctx, file);
	if (ret < 0)
		return ckpt_err(ctx, ret, "%pD4: its locks cannot be tested", file);
	if (!ret)
		return 0;
	return ckpt_file_refuse(ctx, file, "%pD4: a lock that the server of the file system keeps",
				file);
}

/**
 * ckpt_locks_check - refuse the locks of an open file that cannot be saved
 * @ctx: the checkpoint
 * @file: the file
 *
 * Context: May sleep.
 * Return: 0, what ckpt_file_refuse() returns, or an errno after ckpt_err().
 */
int ckpt_locks_check(struct ckpt_ctx *ctx, struct file *file)
{
	struct file_lock_context *flctx = lock_context(file);
	int err = 0;

	if (flctx && has_lease(flctx, file))
		err = ckpt_file_refuse(ctx, file, "%pD4: has a lease", file);
	if (!err && may_lock_at_server(file))
		err = check_server(ctx, file);
	return err;
}

static void fill_lock(struct ckpt_rec_lock *rec, const struct file_lock_core *core, u16 kind)
{
	const struct file_lock *lock = container_of(core, struct file_lock, c);

	rec->kind = kind;
	rec->exclusive = core->flc_type == F_WRLCK;
	rec->start = lock->fl_start;
	rec->end = lock->fl_end;
}

/* Lock number @nr of those that @owner took through @file. */
static bool get_lock(struct file *file, void *owner, unsigned int nr, struct ckpt_rec_lock *rec)
{
	struct file_lock_context *flctx = lock_context(file);
	struct file_lock_core *lock;
	bool found = false;

	if (!flctx)
		return false;
	spin_lock(&flctx->flc_lock);
	list_for_each_entry(lock, &flctx->flc_posix, flc_list) {
		if (lock->flc_file != file || lock->flc_owner != owner || nr--)
			continue;
		fill_lock(rec, lock, lock->flc_flags & FL_OFDLCK ? CKPT_LOCK_OFD : CKPT_LOCK_POSIX);
		found = true;
		goto out;
	}
	list_for_each_entry(lock, &flctx->flc_flock, flc_list) {
		if (lock->flc_file != file || owner != file || nr--)
			continue;
		fill_lock(rec, lock, CKPT_LOCK_FLOCK);
		found = true;
		break;
	}
out:
	spin_unlock(&flctx->flc_lock);
	return found;
}

/**
 * ckpt_locks_write - write the locks that one owner took through an open file
 * @ctx: the checkpoint
 * @file: the open file
 * @owner: a descriptor table, for its POSIX locks; or @file, for its others
 *
 * Context: May sleep.
 * Return: 0 or an errno of ckpt_write() or ckpt_obj_ref().
 */
int ckpt_locks_write(struct ckpt_ctx *ctx, struct file *file, void *owner)
{
	struct ckpt_rec_lock rec = {};
	unsigned int nr;
	int ret = 0;

	for (nr = 0; get_lock(file, owner, nr, &rec); nr++) {
		if (owner != file) {
			ret = ckpt_obj_ref(ctx, file, &ckpt_file_obj_ops);
			if (ret < 0)
				return ret;
			rec.objref = ret;
		}
		ret = ckpt_write(ctx, CKPT_REC_LOCK, &rec, sizeof(rec));
		if (ret)
			return ret;
	}
	return 0;
}

static int set_lock(struct ckpt_ctx *ctx, struct file *file, void *owner,
		    const struct ckpt_rec_lock *rec)
{
	struct file_lock *lock;
	fmode_t need = rec->exclusive ? FMODE_WRITE : FMODE_READ;
	int err;

	if (rec->kind == CKPT_LOCK_FLOCK)
		need = FMODE_READ | FMODE_WRITE;
	if (!(file->f_mode & need))
		return ckpt_err(ctx, -EINVAL, "%pD4: lock does not match the open mode", file);
	err = security_file_lock(file, rec->exclusive ? F_WRLCK : F_RDLCK);
	if (err)
		return ckpt_err(ctx, err, "%pD4: cannot be locked", file);
	lock = locks_alloc_lock();
	if (!lock)
		return -ENOMEM;
	lock->c.flc_file = file;
	lock->c.flc_owner = owner;
	lock->c.flc_pid = rec->kind == CKPT_LOCK_OFD ? -1 : current->tgid;
	lock->c.flc_type = rec->exclusive ? F_WRLCK : F_RDLCK;
	lock->fl_start = rec->start;
	lock->fl_end = rec->end;
	switch (rec->kind) {
	case CKPT_LOCK_FLOCK:
		lock->c.flc_flags = FL_FLOCK;
		if (file->f_op->flock)
			err = file->f_op->flock(file, F_SETLK, lock);
		else
			err = locks_lock_file_wait(file, lock);
		break;
	case CKPT_LOCK_OFD:
		lock->c.flc_flags = FL_POSIX | FL_OFDLCK;
		err = vfs_lock_file(file, F_SETLK, lock, NULL);
		break;
	default:
		lock->c.flc_flags = FL_POSIX;
		err = vfs_lock_file(file, F_SETLK, lock, NULL);
	}
	locks_free_lock(lock);
	if (err == -EAGAIN)
		return ckpt_err(ctx, -EBUSY, "%pD4: its lock is held by somebody else", file);
	if (err)
		return ckpt_err(ctx, err, "%pD4: cannot be locked", file);
	return 0;
}

static int is_file(const void *arg, struct file *file, unsigned int fd)
{
	return file == arg;
}

/*
 * A POSIX lock goes with the last descriptor by which its owner could close the
 * file. Without one it would stay when file and owner are gone.
 */
static struct file *fetch_locked(struct ckpt_ctx *ctx, struct files_struct *files, u32 objref)
{
	struct file *file = ckpt_obj_fetch(ctx, objref, &ckpt_file_obj_ops);

	if (!IS_ERR(file) && !iterate_fd(files, 0, is_file, file))
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "%pD4: locked by who has not opened it",
					file));
	return file;
}

static bool lock_valid(const struct ckpt_rec_lock *rec, bool posix)
{
	if (rec->exclusive > 1 || rec->start < 0 || rec->end < rec->start)
		return false;
	if (posix)
		return rec->kind == CKPT_LOCK_POSIX;
	if (rec->kind == CKPT_LOCK_FLOCK)
		return !rec->start && rec->end == OFFSET_MAX;
	return rec->kind == CKPT_LOCK_OFD;
}

/**
 * ckpt_locks_restore - take the locks that follow in the image
 * @ctx: the restart
 * @file: the open file that owns them; NULL if @owner is a descriptor table
 * @owner: as for ckpt_locks_write()
 *
 * Context: May sleep.
 * Return: 0; -EBUSY if somebody else has a conflicting lock, -EINVAL, or
 * another errno of fcntl(2).
 */
int ckpt_locks_restore(struct ckpt_ctx *ctx, struct file *file, void *owner)
{
	bool posix = !file;
	struct ckpt_rec_lock rec;
	int type, err;

	while ((type = ckpt_peek(ctx)) == CKPT_REC_LOCK) {
		err = ckpt_read(ctx, CKPT_REC_LOCK, &rec, sizeof(rec));
		if (err)
			return err;
		if (!lock_valid(&rec, posix))
			return ckpt_err(ctx, -EINVAL, "malformed file lock");
		if (posix) {
			file = fetch_locked(ctx, owner, rec.objref);
			if (IS_ERR(file))
				return PTR_ERR(file);
		}
		if (file->f_mode & FMODE_PATH)
			return ckpt_err(ctx, -EINVAL, "%pD4: cannot be locked", file);
		err = set_lock(ctx, file, owner, &rec);
		if (err)
			return err;
	}
	return type < 0 ? type : 0;
}
