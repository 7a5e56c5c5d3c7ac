// SPDX-License-Identifier: GPL-2.0
/*
 * struct file: what all kinds of open files have in common, and the table of
 * kinds.
 */
#include <linux/backing-dev.h>
#include <linux/errseq.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/socket.h>
#include <linux/tty.h>
#include <linux/xxhash.h>
#include <net/sock.h>

#include "../internal.h"
#include "internal.h"

#define CKPT_FILE_KINDS_MAX	64

static const struct ckpt_file_ops *file_kinds[CKPT_FILE_KINDS_MAX] __ro_after_init;
static unsigned int nr_file_kinds __ro_after_init;

/**
 * ckpt_register_file - make a kind of open file known
 * @ops: the kind
 *
 * Context: Initcalls only.
 * Return: 0; -EINVAL if @ops is not complete, -EEXIST if its record type or
 * f_op is taken, -ENOSPC.
 */
int __init ckpt_register_file(const struct ckpt_file_ops *ops)
{
	unsigned int i;

	if (WARN_ON(!ops->name || !ops->rec_type || !ops->checkpoint || !ops->restore))
		return -EINVAL;
	for (i = 0; i < nr_file_kinds; i++)
		if (WARN_ON(file_kinds[i]->rec_type == ops->rec_type ||
			    (ops->fop && file_kinds[i]->fop == ops->fop)))
			return -EEXIST;
	if (WARN_ON(nr_file_kinds == CKPT_FILE_KINDS_MAX))
		return -ENOSPC;
	file_kinds[nr_file_kinds++] = ops;
	return 0;
}

static const struct ckpt_file_ops *kind_of_file(struct file *file)
{
	unsigned int i;

	/* an O_PATH file has no f_op of its own: only match() can tell */
	for (i = 0; i < nr_file_kinds; i++)
		if (file_kinds[i]->fop && file_kinds[i]->fop == file->f_op)
			return file_kinds[i];
	for (i = 0; i < nr_file_kinds; i++)
		if (file_kinds[i]->match && file_kinds[i]->match(file))
			return file_kinds[i];
	return NULL;
}

static const struct ckpt_file_ops *kind_of_record(int type)
{
	unsigned int i;

	for (i = 0; i < nr_file_kinds; i++)
		if (file_kinds[i]->rec_type == type)
			return file_kinds[i];
	return NULL;
}

/*
 * Who holds a file, by what?
 */

static bool is_match(const struct ckpt_file_match *match, const struct file *file)
{
	if (match->file)
		return file == match->file;
	if (match->served)
		return ckpt_is_fuse_server(file, match->served);
	return file_inode(file) == match->pipe && file->f_op == &pipefifo_fops;
}

static int match_fd(const void *arg, struct file *file, unsigned int fd)
{
	return is_match(arg, file) ? fd + 1 : 0;
}

static bool held_by_fd(struct task_struct *task, const struct ckpt_file_match *match,
		       char *how, size_t len)
{
	int found = 0;

	task_lock(task);
	if (task->files)
		found = iterate_fd(task->files, 0, match_fd, match);
	task_unlock(task);
	if (found)
		snprintf(how, len, "fd %d", found - 1);
	return found;
}

static bool held_by_mm(struct task_struct *task, const struct file *file, char *how, size_t len)
{
	struct mm_struct *mm = get_task_mm(task);
	struct vm_area_struct *vma;
	struct file *exe;
	bool found = false;

	if (!mm)
		return false;
	if (mmap_read_lock_killable(mm))
		goto out;
	VMA_ITERATOR(vmi, mm, 0);
	for_each_vma(vmi, vma) {
		if (vma->vm_file != file)
			continue;
		snprintf(how, len, "mapping at %lx", vma->vm_start);
		found = true;
		break;
	}
	mmap_read_unlock(mm);

	exe = found ? NULL : get_mm_exe_file(mm);
	if (exe) {
		found = exe == file;
		fput(exe);
		if (found)
			snprintf(how, len, "executable");
	}
out:
	mmput(mm);
	return found;
}

static bool held_by(struct task_struct *task, const struct ckpt_file_match *match,
		    char *how, size_t len)
{
	return held_by_fd(task, match, how, len) ||
	       (match->file && held_by_mm(task, match->file, how, len));
}

struct holder_search {
	const struct ckpt_file_match *match;
	struct ckpt_holder *holder;
};

static int check_outsider(struct task_struct *task, void *arg)
{
	struct holder_search *search = arg;
	char how[sizeof(search->holder->how)];

	if (!held_by_fd(task, search->match, how, sizeof(how)))
		return 0;
	ckpt_set_holder(search->holder, task);
	strscpy(search->holder->how, how);
	return 1;
}

/**
 * ckpt_find_file_holder - find a task outside the tree that holds an open file
 * @ctx: the checkpoint
 * @match: which files
 * @holder: where the result goes
 *
 * Context: May sleep.
 * Return: 0 or -ENOENT.
 */
int ckpt_find_file_holder(struct ckpt_ctx *ctx, const struct ckpt_file_match *match,
			  struct ckpt_holder *holder)
{
	struct holder_search search = { .match = match, .holder = holder };

	return ckpt_visit_outsiders(ctx, check_outsider, &search) > 0 ? 0 : -ENOENT;
}

/* The task of the tree with the lowest pid number from @nr on, referenced. */
static struct task_struct *next_inside(struct ckpt_ctx *ctx, int *nr)
{
	struct task_struct *task;
	struct pid *pid;

	for (;;) {
		rcu_read_lock();
		pid = find_ge_pid(*nr, &init_pid_ns);
		task = pid ? pid_task(pid, PIDTYPE_PID) : NULL;
		if (task)
			get_task_struct(task);
		if (pid)
			*nr = pid_nr(pid) + 1;
		rcu_read_unlock();
		if (!pid || (task && ckpt_task_collected(ctx, task)))
			return task;
		if (task)
			put_task_struct(task);
		cond_resched();
	}
}

/*
 * Which reference of the tree to @file a person would look for: found again only
 * when something has to be said about it, so that nothing need be remembered.
 */
static void describe_reference(struct ckpt_ctx *ctx, struct file *file, char *buf, size_t len)
{
	struct ckpt_file_match match = { .file = file };
	struct task_struct *task;
	char comm[TASK_COMM_LEN];
	char how[64];
	int nr = 1;

	while ((task = next_inside(ctx, &nr))) {
		if (held_by(task, &match, how, sizeof(how))) {
			get_task_comm(comm, task);
			snprintf(buf, len, "pid %d (%s): %s",
				 ckpt_pid_nr(ctx, task_pid(task)), comm, how);
			put_task_struct(task);
			return;
		}
		put_task_struct(task);
	}
	snprintf(buf, len, "%s", ckpt_whom(ctx));
}

/**
 * ckpt_file_refuse - ckpt_refuse() for an open file
 * @ctx: the checkpoint
 * @file: the file that cannot be saved
 * @fmt: why
 *
 * The message starts with a task of the tree that holds @file, and with the
 * descriptor or address by which it does.
 *
 * Context: May sleep.
 * Return: -EOPNOTSUPP, or 0 with CHECKPOINT_DRY_RUN.
 */
int ckpt_file_refuse(struct ckpt_ctx *ctx, struct file *file, const char *fmt, ...)
{
	struct va_format vaf;
	char where[128];
	va_list args;
	int err;

	describe_reference(ctx, file, where, sizeof(where));
	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	err = ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %pV", where, &vaf);
	va_end(args);
	return err;
}

static int refuse_socket(struct ckpt_ctx *ctx, struct file *file, struct socket *sock)
{
	int family = READ_ONCE(sock->ops)->family;
	const char *name;

	switch (family) {
	case AF_UNIX:
		name = "AF_UNIX";
		break;
	case AF_INET:
		name = "AF_INET";
		break;
	case AF_INET6:
		name = "AF_INET6";
		break;
	case AF_NETLINK:
		name = "AF_NETLINK";
		break;
	case AF_PACKET:
		name = "AF_PACKET";
		break;
	default:
		return ckpt_file_refuse(ctx, file, "socket (family %d): not supported", family);
	}
	return ckpt_file_refuse(ctx, file, "socket (%s): not supported", name);
}

static int refuse_tty(struct ckpt_ctx *ctx, struct file *file)
{
	char *buf = __getname(), *name;
	int err;

	if (!buf)
		return -ENOMEM;
	name = d_path(&file->f_path, buf, PATH_MAX);
	err = ckpt_file_refuse(ctx, file,
			       "terminal %s: not supported; use --external fd:N, or --shell-job for your own terminal",
			       IS_ERR(name) ? "?" : name);
	__putname(buf);
	return err;
}

/* anon_inode names look like "[timerfd]", "inotify", "bpf-map" */
static int refuse_anon(struct ckpt_ctx *ctx, struct file *file)
{
	struct name_snapshot name;
	const char *kind;
	int len, err;

	take_dentry_name_snapshot(&name, file->f_path.dentry);
	kind = (const char *)name.name.name;
	len = name.name.len;
	if (len > 2 && kind[0] == '[') {
		kind++;
		len -= 2;
	}
	if (len == 9 && !memcmp(kind, "eventpoll", 9)) {
		kind = "epoll";
		len = 5;
	}
	err = ckpt_file_refuse(ctx, file, "%.*s: not supported", len, kind);
	release_dentry_name_snapshot(&name);
	return err;
}

/* Says what the file is, as well as the kernel knows it. */
static int refuse_unknown(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);
	struct socket *sock = IS_ENABLED(CONFIG_NET) ? sock_from_file(file) : NULL;

	if (sock)
		return refuse_socket(ctx, file, sock);
	if (tty_from_file(file))
		return refuse_tty(ctx, file);
	switch (inode->i_sb->s_magic) {
	case ANON_INODE_FS_MAGIC:
		return refuse_anon(ctx, file);
	case PID_FS_MAGIC:
		return ckpt_file_refuse(ctx, file, "pidfd: not supported");
	case NSFS_MAGIC:
		return ckpt_file_refuse(ctx, file, "namespace: not supported");
	case SECRETMEM_MAGIC:
		return ckpt_file_refuse(ctx, file, "secret memory: not supported");
	}
	if (S_ISCHR(inode->i_mode) || S_ISBLK(inode->i_mode))
		return ckpt_file_refuse(ctx, file, "%s device %pD4 (%u:%u): not supported; use --external fd:N",
					S_ISCHR(inode->i_mode) ? "character" : "block",
					file, imajor(inode), iminor(inode));
	return ckpt_file_refuse(ctx, file, "%pD4: file on %s: not supported", file,
				inode->i_sb->s_type->name);
}

/*
 * fsync() of overlayfs asks a file underneath, which only overlayfs can reach:
 * whether that has told an error is unknown, but not whether there ever was one.
 */
static bool has_error_underneath(struct file *file)
{
	struct inode *real = d_real_inode(file->f_path.dentry);

	return real != file_inode(file) && errseq_check(&real->i_mapping->wb_err, 0);
}

/* A file that is opened again has no errors before that. Memory tells none at all. */
static const char *untold_error(struct file *file)
{
	if (!file->f_op->fsync || file->f_op->fsync == noop_fsync)
		return NULL;
	if (filemap_check_wb_err(file->f_mapping, READ_ONCE(file->f_wb_err)))
		return "a write error that fsync() has not told yet";
	return has_error_underneath(file) ? "a write error that fsync() may not have told yet" :
					    NULL;
}

/* What no kind can bring back, and no stand-in for an external file has. */
static int check_common(struct ckpt_ctx *ctx, struct file *file)
{
	unsigned int unknown = file->f_flags & ~(VALID_OPEN_FLAGS | __FMODE_EXEC);
	struct fown_struct *owner = READ_ONCE(file->f_owner);
	int err = 0;

	if (unknown)
		err = ckpt_file_refuse(ctx, file, "%pD: unknown flags %#x", file, unknown);
	if (!err && (file->f_flags & FASYNC))
		err = ckpt_file_refuse(ctx, file, "%pD: signal-driven I/O (O_ASYNC)", file);
	/* F_SETOWN, F_SETSIG; F_NOTIFY sets an owner, too */
	if (!err && owner && (owner->pid || owner->signum))
		err = ckpt_file_refuse(ctx, file, "%pD: has a signal owner (F_SETOWN, F_NOTIFY)",
				       file);
	return err ?: ckpt_locks_check(ctx, file);
}

static int file_collect(struct ckpt_ctx *ctx, void *ptr)
{
	const struct ckpt_file_ops *kind;
	struct file *file = ptr;
	const char *untold;
	int err;

	if (ckpt_file_external_key(ctx, file))
		return check_common(ctx, file);
	kind = kind_of_file(file);
	if (!kind)
		return refuse_unknown(ctx, file);
	err = check_common(ctx, file);
	untold = untold_error(file);
	if (!err && untold)
		err = ckpt_file_refuse(ctx, file, "%pD4: %s", file, untold);
	if (!err && kind->collect)
		err = kind->collect(ctx, file);
	return err;
}

static const struct {
	fmode_t mode;
	u32 image;
} mode_table[] = {
	{ FMODE_READ,		CKPT_FMODE_READ },
	{ FMODE_WRITE,		CKPT_FMODE_WRITE },
	{ FMODE_RANDOM,		CKPT_FMODE_RANDOM },
	{ FMODE_NOREUSE,	CKPT_FMODE_NOREUSE },
	{ FMODE_CREATED,	CKPT_FMODE_CREATED },
};

/* What open(2) decides by the flags */
#define ACCESS_MODES	(CKPT_FMODE_READ | CKPT_FMODE_WRITE)

/* IMA takes a file that open(2) has just made for one that needs no label. */
#define TRUSTED_MODES	(IS_ENABLED(CONFIG_IMA_APPRAISE) ? CKPT_FMODE_CREATED : 0)

static u32 mode_to_image(fmode_t mode)
{
	u32 image = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(mode_table); i++)
		if (mode & mode_table[i].mode)
			image |= mode_table[i].image;
	return image;
}

static fmode_t image_to_mode(u32 image)
{
	fmode_t mode = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(mode_table); i++)
		if (image & mode_table[i].image)
			mode |= mode_table[i].mode;
	return mode;
}

/* What POSIX_FADV_SEQUENTIAL makes of the readahead */
static unsigned int sequential_pages(struct file *file)
{
	return 2 * inode_to_bdi(file->f_mapping->host)->ra_pages;
}

static bool is_sequential(struct file *file)
{
	return file->f_ra.ra_pages && file->f_ra.ra_pages == sequential_pages(file);
}

static u32 flags_to_image(const struct file *file)
{
	u32 flags = file->f_flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY);

	/* overlayfs sets it for itself: not everybody may ask for it */
	if (file->f_mode & FMODE_BACKING)
		flags &= ~O_NOATIME;
	return flags;
}

static int file_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	const struct ckpt_file_ops *kind;
	struct file *file = ptr;
	struct ckpt_rec_file rec = {
		.f_flags = flags_to_image(file),
		.f_mode = mode_to_image(file->f_mode),
		.f_pos = file->f_pos,
	};
	int err;

	if (ckpt_obj_marked(ctx))
		rec.f_mode |= CKPT_FMODE_PROGRAM;
	if (is_sequential(file))
		rec.f_mode |= CKPT_FMODE_SEQUENTIAL;

	kind = ckpt_file_external_key(ctx, file) ? &ckpt_external_file_ops : kind_of_file(file);
	if (!kind)
		return ckpt_err(ctx, -EAGAIN, "%pD4: changed its kind during the checkpoint", file);
	err = ckpt_write(ctx, CKPT_REC_FILE, &rec, sizeof(rec));
	if (!err)
		err = kind->checkpoint(ctx, file);
	return err ?: ckpt_locks_write(ctx, file, file);
}

static int restore_pos(struct ckpt_ctx *ctx, struct file *file, loff_t pos)
{
	loff_t ret;

	if (file->f_pos == pos)
		return 0;
	ret = vfs_llseek(file, pos, SEEK_SET);
	if (ret == pos)
		return 0;
	return ckpt_err(ctx, ret < 0 ? ret : -EINVAL, "%pD4: position %lld cannot be restored",
			file, pos);
}

/* As fcntl(F_SETFL) gives it. */
static bool may_set_noatime(struct file *file)
{
	return inode_owner_or_capable(file_mnt_idmap(file), file_inode(file));
}

/*
 * What open(2) checked stands in @file already: flags that it does not have may
 * only be such that fcntl(F_SETFL) gives away freely, or have no effect any more.
 */
static int restore_flags(struct ckpt_ctx *ctx, struct file *file, const struct ckpt_rec_file *rec)
{
	const unsigned int free_flags = O_APPEND | O_NONBLOCK | O_DIRECT | O_DSYNC | __O_SYNC |
					O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW | __O_TMPFILE |
					O_LARGEFILE;
	unsigned int missing = rec->f_flags & ~file->f_flags;

	if ((missing & O_NOATIME) && !may_set_noatime(file))
		return ckpt_err(ctx, -EPERM, "%pD4: O_NOATIME is its owner's to set", file);
	if ((missing & ~(free_flags | O_NOATIME)) || ((rec->f_flags ^ file->f_flags) & O_ACCMODE))
		return ckpt_err(ctx, -EINVAL, "%pD4: flags %#x cannot be restored", file, missing);
	if ((missing & O_DIRECT) && file->f_op != &pipefifo_fops &&
	    !(file->f_mode & FMODE_CAN_ODIRECT))
		return ckpt_err(ctx, -EINVAL, "%pD4: O_DIRECT is not possible", file);

	spin_lock(&file->f_lock);
	file->f_flags = rec->f_flags;
	file->f_iocb_flags = iocb_flags(file);
	file->f_mode |= image_to_mode(rec->f_mode & ~(ACCESS_MODES | TRUSTED_MODES));
	if (rec->f_mode & CKPT_FMODE_SEQUENTIAL)
		file->f_ra.ra_pages = sequential_pages(file);
	spin_unlock(&file->f_lock);
	return 0;
}

static int restore_common(struct ckpt_ctx *ctx, struct file *file, const struct ckpt_rec_file *rec)
{
	int err;

	if ((mode_to_image(file->f_mode) ^ rec->f_mode) & ACCESS_MODES)
		return ckpt_err(ctx, -EINVAL, "%pD4: open mode does not match its flags", file);
	err = restore_flags(ctx, file, rec);
	return err ?: restore_pos(ctx, file, rec->f_pos);
}

static void *file_restore(struct ckpt_ctx *ctx)
{
	const u32 known_modes = mode_to_image((__force fmode_t)~0U) | CKPT_FMODE_PROGRAM |
				CKPT_FMODE_SEQUENTIAL;
	const struct ckpt_file_ops *kind;
	struct ckpt_rec_file rec;
	struct file *file;
	int err;

	err = ckpt_read(ctx, CKPT_REC_FILE, &rec, sizeof(rec));
	if (err)
		return ERR_PTR(err);
	if ((rec.f_flags & ~(VALID_OPEN_FLAGS | __FMODE_EXEC)) ||
	    (rec.f_flags & (O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | FASYNC)) ||
	    (rec.f_mode & ~known_modes) || rec.f_pos < 0)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "open file with malformed flags"));

	err = ckpt_peek(ctx);
	if (err < 0)
		return ERR_PTR(err);
	kind = kind_of_record(err);
	if (!kind)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "open file of unknown kind %d", err));

	file = kind->restore(ctx, &rec);
	if (IS_ERR(file))
		return file;
	err = kind == &ckpt_external_file_ops ? 0 : restore_common(ctx, file, &rec);
	if (!err)
		err = ckpt_locks_restore(ctx, file, file);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

static void file_grab(void *ptr)
{
	get_file(ptr);
}

static void file_drop(void *ptr)
{
	fput(ptr);
}

static long file_users(void *ptr)
{
	return file_count((struct file *)ptr);
}

static int file_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	struct ckpt_file_match match = { .file = ptr };

	return ckpt_find_file_holder(ctx, &match, holder);
}

static u64 file_version(void *ptr)
{
	struct file *file = ptr;
	const struct ckpt_file_ops *kind = kind_of_file(file);
	u64 state[] = { file->f_pos, file->f_flags,
			kind && kind->version ? kind->version(file) : 0 };

	return xxh64(state, sizeof(state), 0);
}

const struct ckpt_obj_ops ckpt_file_obj_ops = {
	.obj_name = "file",
	.obj_type = CKPT_OBJ_FILE,
	.stage = CKPT_STAGE_GLOBAL,
	.ref_grab = file_grab,
	.ref_drop = file_drop,
	.ref_users = file_users,
	.ref_outside = ckpt_file_mapped_outside,
	.find_holder = file_find_holder,
	.version = file_version,
	.collect = file_collect,
	.checkpoint = file_checkpoint,
	.restore = file_restore,
};

struct inside_search {
	const struct ckpt_file_match *match;
	struct file *found;
};

static int take_match(const void *arg, struct file *file, unsigned int fd)
{
	struct inside_search *search = *(struct inside_search * const *)arg;

	if (!is_match(search->match, file))
		return 0;
	search->found = get_file(file);
	return 1;
}

/**
 * ckpt_find_file_inside - find an open file in the tree's descriptor tables
 * @ctx: the checkpoint
 * @match: which files
 *
 * Context: May sleep. Walks all tasks: for the rare cases only.
 * Return: the file, referenced, or NULL.
 */
struct file *ckpt_find_file_inside(struct ckpt_ctx *ctx, const struct ckpt_file_match *match)
{
	struct inside_search search = { .match = match }, *arg = &search;
	struct task_struct *task;
	int nr = 1;

	while (!search.found && (task = next_inside(ctx, &nr))) {
		task_lock(task);
		if (task->files)
			iterate_fd(task->files, 0, take_match, &arg);
		task_unlock(task);
		put_task_struct(task);
	}
	return search.found;
}

static int __init ckpt_file_init(void)
{
	return ckpt_register_obj(&ckpt_file_obj_ops);
}
fs_initcall(ckpt_file_init);
