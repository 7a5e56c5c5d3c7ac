// SPDX-License-Identifier: GPL-2.0
/*
 * Pipes and FIFOs.
 *
 * The object is the inode: it stands for the ring with the data. While the
 * objhash holds it, it counts as one more open file of the pipe, but neither as
 * reader nor as writer; so the ring stays alive between the restore of the
 * object and that of the open files, and end-of-file and SIGPIPE come exactly
 * as they would have.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/magic.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/xxhash.h>

#include "../internal.h"
#include "internal.h"

static bool is_fifo(const struct inode *inode)
{
	return inode->i_sb->s_magic != PIPEFS_MAGIC;
}

/* The super block must not go while only the objhash holds the inode. */
static void pipe_grab(void *ptr)
{
	struct inode *inode = ptr;

	atomic_inc(&inode->i_sb->s_active);
	ihold(inode);
	spin_lock(&inode->i_lock);
	inode->i_pipe->files++;
	spin_unlock(&inode->i_lock);
}

static void pipe_drop(void *ptr)
{
	struct inode *inode = ptr;
	struct super_block *sb = inode->i_sb;

	put_pipe_info(inode, inode->i_pipe);
	iput(inode);
	deactivate_super(sb);
}

static long pipe_users(void *ptr)
{
	struct inode *inode = ptr;

	return READ_ONCE(inode->i_pipe->files);
}

static int pipe_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	struct ckpt_file_match match = { .pipe = ptr };

	return ckpt_find_file_holder(ctx, &match, holder);
}

/**
 * struct pipe_data - what a pipe held at one moment
 * @nr: number of @bufs
 * @bufs: the buffers with data, referenced, from the first to be read
 *
 * Taken as tee() does it: who reads or writes meanwhile, which somebody outside
 * may do if the tree need not be closed, does not change it.
 */
struct pipe_data {
	unsigned int nr;
	struct pipe_buffer bufs[];
};

static int tee_bufs(struct pipe_inode_info *pipe, struct pipe_data *data)
{
	struct pipe_buffer *buf;
	unsigned int i;
	int err;

	for (i = pipe->tail; i != pipe->head; i++) {
		buf = pipe_buf(pipe, i);
		if (!buf->len)
			continue;
		err = pipe_buf_confirm(pipe, buf);
		if (err)
			return err;
		if (!pipe_buf_get(pipe, buf))
			return -EFAULT;
		data->bufs[data->nr++] = *buf;
	}
	return 0;
}

/* A page goes back to where it came from, and not into the pipe, which is not locked. */
static void put_data(struct pipe_inode_info *pipe, struct pipe_data *data)
{
	while (data->nr) {
		struct pipe_buffer *buf = &data->bufs[--data->nr];

		if (buf->ops->get == generic_pipe_buf_get)
			put_page(buf->page);
		else
			pipe_buf_release(pipe, buf);
	}
	kvfree(data);
}

/*
 * Who writes has the lock while the memory that it writes is fetched, which may
 * take for ever: at a file system whose server does not answer.
 */
static int lock_pipe(struct pipe_inode_info *pipe)
{
	return mutex_lock_killable(&pipe->mutex) ? -EINTR : 0;
}

static struct pipe_data *get_data(struct pipe_inode_info *pipe)
{
	struct pipe_data *data;
	int err;

	err = lock_pipe(pipe);
	if (err)
		return ERR_PTR(err);
	data = kvzalloc(struct_size(data, bufs, pipe_occupancy(pipe->head, pipe->tail)),
			GFP_KERNEL_ACCOUNT);
	err = data ? tee_bufs(pipe, data) : -ENOMEM;
	pipe_unlock(pipe);
	if (err && data) {
		put_data(pipe, data);
		data = NULL;
	}
	return data ?: ERR_PTR(err);
}

static u32 flags_of_buf(const struct pipe_buffer *buf)
{
	u32 flags = 0;

	if (buf->flags & PIPE_BUF_FLAG_PACKET)
		flags |= CKPT_PIPE_BUF_PACKET;
	if (buf->flags & PIPE_BUF_FLAG_CAN_MERGE)
		flags |= CKPT_PIPE_BUF_CAN_MERGE;
	return flags;
}

/* A spliced buffer can be longer than a page; it is no packet. */
static int write_buf(struct ckpt_ctx *ctx, const struct pipe_buffer *buf)
{
	struct ckpt_rec_pipe_buf rec = { .flags = flags_of_buf(buf) };
	unsigned int at = buf->offset, end = buf->offset + buf->len;
	void *page;
	int err;

	for (; at < end; at += rec.len) {
		rec.offset = offset_in_page(at);
		rec.len = min_t(unsigned int, end - at, PAGE_SIZE - rec.offset);
		page = kmap_local_page(buf->page + (at >> PAGE_SHIFT));
		err = ckpt_write2(ctx, CKPT_REC_PIPE_BUF, &rec, sizeof(rec),
				  page + rec.offset, rec.len);
		kunmap_local(page);
		if (err)
			return err;
	}
	return 0;
}

/* Each record takes one slot at restart, also where a spliced buffer has several pages. */
static unsigned int count_slots(const struct pipe_data *data)
{
	const struct pipe_buffer *buf;
	unsigned int nr = 0;

	for (buf = data->bufs; buf < data->bufs + data->nr; buf++)
		nr += DIV_ROUND_UP(offset_in_page(buf->offset) + buf->len, PAGE_SIZE);
	return nr;
}

/* The inode has no path, only its open files do. */
static char *fifo_path(struct ckpt_ctx *ctx, struct inode *inode, char *buf)
{
	struct ckpt_file_match match = { .pipe = inode };
	struct file *file;
	char *name;

	file = ckpt_find_file_inside(ctx, &match);
	if (!file)
		return ERR_PTR(-ENOENT);
	name = ckpt_path_get(ctx, file_user_path(file), buf);
	fput(file);
	return name;
}

static int write_head(struct ckpt_ctx *ctx, struct inode *inode, const struct pipe_data *data)
{
	struct ckpt_rec_pipe rec = {
		.ring_size = inode->i_pipe->ring_size,
		.nr_bufs = count_slots(data),
		.mode = inode->i_mode & S_IALLUGO,
		.uid = from_kuid_munged(current_user_ns(), inode->i_uid),
		.gid = from_kgid_munged(current_user_ns(), inode->i_gid),
	};
	char *buf = NULL, *name = NULL;
	int err;

	if (rec.nr_bufs > rec.ring_size)
		rec.ring_size = roundup_pow_of_two(rec.nr_bufs);
	if (is_fifo(inode)) {
		buf = __getname();
		if (!buf)
			return -ENOMEM;
		name = fifo_path(ctx, inode, buf);
		if (IS_ERR(name)) {
			err = ckpt_err(ctx, -EAGAIN, "FIFO changed during the checkpoint");
			goto out;
		}
		rec.flags = CKPT_PIPE_FIFO;
		rec.path_len = strlen(name);
	}
	err = ckpt_write2(ctx, CKPT_REC_PIPE, &rec, sizeof(rec), name, rec.path_len);
out:
	if (buf)
		__putname(buf);
	return err;
}

static int pipe_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct inode *inode = ptr;
	struct pipe_data *data;
	unsigned int i;
	int err;

	data = get_data(inode->i_pipe);
	if (IS_ERR(data))
		return ckpt_err(ctx, PTR_ERR(data), "pipe: contents cannot be read");
	err = write_head(ctx, inode, data);
	for (i = 0; !err && i < data->nr; i++)
		err = write_buf(ctx, &data->bufs[i]);
	put_data(inode->i_pipe, data);
	return err;
}

/* Each byte that is written or read moves one of these. What a killed caller gets is nothing. */
static u64 pipe_version(void *ptr)
{
	struct pipe_inode_info *pipe = ((struct inode *)ptr)->i_pipe;
	struct pipe_buffer *first, *last;
	u32 state[4] = {};

	if (lock_pipe(pipe))
		return 0;
	state[0] = pipe->head;
	state[1] = pipe->tail;
	if (!pipe_empty(pipe->head, pipe->tail)) {
		first = pipe_buf(pipe, pipe->tail);
		last = pipe_buf(pipe, pipe->head - 1);
		state[2] = first->offset;
		state[3] = last->offset + last->len;
	}
	pipe_unlock(pipe);
	return xxh64(state, sizeof(state), 0);
}

static bool is_valid_buf(const struct ckpt_rec_pipe_buf *rec, size_t len)
{
	return rec->len && rec->len <= len && rec->offset < PAGE_SIZE &&
	       rec->len <= PAGE_SIZE - rec->offset && !rec->pad &&
	       !(rec->flags & ~(CKPT_PIPE_BUF_PACKET | CKPT_PIPE_BUF_CAN_MERGE));
}

/*
 * Room before the data is written, too. @writer is our own, not blocking; a
 * reader exists, so there is no SIGPIPE.
 */
static ssize_t write_padded(struct file *writer, const struct ckpt_rec_pipe_buf *rec,
			    const void *data)
{
	struct kvec vec[] = {
		{ .iov_base = page_address(ZERO_PAGE(0)), .iov_len = rec->offset },
		{ .iov_base = (void *)data, .iov_len = rec->len },
	};
	struct iov_iter iter;
	loff_t pos = 0;

	spin_lock(&writer->f_lock);
	if (rec->flags & CKPT_PIPE_BUF_PACKET)
		writer->f_flags |= O_DIRECT;
	else
		writer->f_flags &= ~O_DIRECT;
	spin_unlock(&writer->f_lock);
	iov_iter_kvec(&iter, ITER_SOURCE, vec, ARRAY_SIZE(vec), rec->offset + rec->len);
	return vfs_iter_write(writer, &iter, &pos, 0);
}

/*
 * Takes the room away from the data. What is written next may join the last
 * buffer only: for the others nothing tells whether they would have allowed it.
 * Return: 1, or 0 if somebody else has read or written, or -EINTR.
 */
static int trim_buf(struct pipe_inode_info *pipe, const struct ckpt_rec_pipe_buf *rec, bool last)
{
	struct pipe_buffer *buf;
	bool ours;

	if (lock_pipe(pipe))
		return -EINTR;
	buf = pipe_buf(pipe, pipe->head - 1);
	/* who has just opened the FIFO may have read or written */
	ours = !pipe_empty(pipe->head, pipe->tail) && !buf->offset &&
	       buf->len == rec->offset + rec->len;
	if (ours) {
		buf->offset = rec->offset;
		buf->len = rec->len;
		if (!last || !(rec->flags & CKPT_PIPE_BUF_CAN_MERGE))
			buf->flags &= ~PIPE_BUF_FLAG_CAN_MERGE;
	}
	pipe_unlock(pipe);
	return ours;
}

static int read_buf(struct ckpt_ctx *ctx, struct file *writer, bool last)
{
	struct ckpt_rec_pipe_buf rec;
	const void *data;
	ssize_t written;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_PIPE_BUF, &rec, sizeof(rec), &data, &len);
	if (err)
		return err;
	if (!is_valid_buf(&rec, len))
		return ckpt_err(ctx, -EINVAL, "pipe: malformed buffer");
	written = write_padded(writer, &rec, data);
	if (written != rec.offset + rec.len)
		return ckpt_err(ctx, written < 0 && written != -EAGAIN ? written : -EINVAL,
				"pipe: contents do not fit");
	err = trim_buf(get_pipe_info(writer, false), &rec, last);
	if (!err)
		return ckpt_err(ctx, -EBUSY, "FIFO: was opened by others during the restart");
	return min(err, 0);
}

static int fill_pipe(struct ckpt_ctx *ctx, struct file *writer, struct ckpt_rec_pipe *rec)
{
	struct pipe_inode_info *pipe = get_pipe_info(writer, false);
	long size;
	int err = 0;

	if (pipe->ring_size != rec->ring_size) {
		size = pipe_fcntl(writer, F_SETPIPE_SZ, rec->ring_size << PAGE_SHIFT);
		if (size < 0)
			return ckpt_err(ctx, size, "pipe: size %u pages cannot be set",
					rec->ring_size);
	}
	while (!err && rec->nr_bufs--)
		err = read_buf(ctx, writer, !rec->nr_bufs);
	return err;
}

/* The owner decides who may open /proc/PID/fd/N: only for who may give it away. */
static void set_owner(struct inode *inode, const struct ckpt_rec_pipe *rec)
{
	kuid_t uid = make_kuid(current_user_ns(), rec->uid);
	kgid_t gid = make_kgid(current_user_ns(), rec->gid);

	inode->i_mode = S_IFIFO | rec->mode;
	if (!ns_capable(current_user_ns(), CAP_CHOWN))
		return;
	if (uid_valid(uid))
		inode->i_uid = uid;
	if (gid_valid(gid))
		inode->i_gid = gid;
}

/*
 * Files that must be gone before the tree runs are closed at once: fput() would
 * wait until the restarter returns to user mode.
 */
static struct inode *restore_pipe(struct ckpt_ctx *ctx, struct ckpt_rec_pipe *rec)
{
	struct file *ends[2];
	struct inode *inode;
	int err;

	err = create_pipe_files(ends, O_NONBLOCK);
	if (err)
		return ERR_PTR(err);
	inode = file_inode(ends[1]);
	pipe_grab(inode);
	set_owner(inode, rec);
	err = fill_pipe(ctx, ends[1], rec);
	__fput_sync(ends[1]);
	__fput_sync(ends[0]);
	if (err) {
		pipe_drop(inode);
		return ERR_PTR(err);
	}
	return inode;
}

/*
 * Opened for reading and writing, it never blocks. Who may only read it may well
 * have an end that does, but must not fill it.
 */
static struct file *open_both_ends(const struct path *path, bool fill)
{
	struct file *file = ckpt_path_open(path, O_RDWR);

	if (PTR_ERR_OR_ZERO(file) == -EACCES && !fill)
		file = ckpt_path_open(path, O_RDONLY);
	return file;
}

static struct file *open_fifo(struct ckpt_ctx *ctx, const char *name, bool fill)
{
	struct file *file;
	struct path path;
	int err;

	err = ckpt_path_lookup(ctx, name, &path);
	if (err)
		return ERR_PTR(ckpt_err(ctx, err, "%s: cannot be found", name));
	if (S_ISFIFO(d_inode(path.dentry)->i_mode)) {
		file = open_both_ends(&path, fill);
		if (IS_ERR(file))
			ckpt_err(ctx, PTR_ERR(file), "%s: cannot be opened", name);
	} else {
		file = ERR_PTR(ckpt_err(ctx, -EINVAL, "%s: was a FIFO at the checkpoint", name));
	}
	path_put(&path);
	return file;
}

static struct inode *restore_fifo(struct ckpt_ctx *ctx, struct ckpt_rec_pipe *rec,
				  const void *path, size_t len)
{
	struct inode *inode;
	struct file *file;
	char *name;
	int err = 0;

	name = ckpt_path_from_image(ctx, path, len);
	if (IS_ERR(name))
		return ERR_CAST(name);
	file = open_fifo(ctx, name, rec->nr_bufs);
	if (IS_ERR(file)) {
		inode = ERR_CAST(file);
		goto out;
	}
	inode = file_inode(file);
	pipe_grab(inode);
	/* besides us: nobody's data may be mixed with that of the image */
	if (pipe_users(inode) == 2)
		err = fill_pipe(ctx, file, rec);
	else if (rec->nr_bufs)
		err = ckpt_err(ctx, -EBUSY, "%s: is open elsewhere, contents cannot be restored",
			       name);
	__fput_sync(file);
	if (err) {
		pipe_drop(inode);
		inode = ERR_PTR(err);
	}
out:
	ckpt_path_put(name);
	return inode;
}

static void *pipe_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_pipe rec;
	const void *path;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_PIPE, &rec, sizeof(rec), &path, &len);
	if (err)
		return ERR_PTR(err);
	if ((rec.flags & ~CKPT_PIPE_FIFO) || (rec.mode & ~S_IALLUGO) || rec.pad ||
	    rec.path_len > len || !is_power_of_2(rec.ring_size) ||
	    rec.ring_size > (1U << 31) >> PAGE_SHIFT)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed pipe"));
	if (rec.flags & CKPT_PIPE_FIFO)
		return restore_fifo(ctx, &rec, path, rec.path_len);
	return restore_pipe(ctx, &rec);
}

const struct ckpt_obj_ops ckpt_pipe_obj_ops = {
	.obj_name = "pipe",
	.obj_type = CKPT_OBJ_PIPE,
	.stage = CKPT_STAGE_GLOBAL,
	.ref_grab = pipe_grab,
	.ref_drop = pipe_drop,
	.ref_users = pipe_users,
	.find_holder = pipe_find_holder,
	.version = pipe_version,
	.checkpoint = pipe_checkpoint,
	.restore = pipe_restore,
};

static int pipe_file_collect(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);
	const char *why;
	char *buf;
	int ret = 0;

	if (pipe_has_watch_queue(inode->i_pipe))
		return ckpt_file_refuse(ctx, file, "notification pipe: not supported");
	if (is_fifo(inode)) {
		buf = __getname();
		if (!buf)
			return -ENOMEM;
		why = ckpt_path_obstacle(ctx, file_user_path(file), buf);
		if (IS_ERR(why))
			ret = PTR_ERR(why);
		else if (why)
			ret = ckpt_file_refuse(ctx, file, "FIFO %pD4: %s", file, why);
		__putname(buf);
		if (ret)
			return ret;
	}
	ret = ckpt_obj_collect(ctx, inode, &ckpt_pipe_obj_ops);
	return ret < 0 ? ret : 0;
}

static int pipe_file_checkpoint(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);
	struct ckpt_rec_file_pipe rec = {};
	char *buf = NULL, *name = NULL;
	int ret;

	ret = ckpt_obj_ref(ctx, inode, &ckpt_pipe_obj_ops);
	if (ret < 0)
		return ret;
	rec.objref = ret;
	if (is_fifo(inode)) {
		buf = __getname();
		if (!buf)
			return -ENOMEM;
		name = ckpt_path_get(ctx, file_user_path(file), buf);
		if (IS_ERR(name)) {
			ret = ckpt_err(ctx, -EAGAIN, "FIFO changed during the checkpoint");
			goto out;
		}
		rec.path_len = strlen(name);
		if (file->f_pipe == inode->i_pipe->w_counter)
			rec.flags = CKPT_FILE_PIPE_NO_WRITER;
	}
	ret = ckpt_write2(ctx, CKPT_REC_FILE_PIPE, &rec, sizeof(rec), name, rec.path_len);
out:
	if (buf)
		__putname(buf);
	return ret;
}

/*
 * With O_NONBLOCK a reader need not wait for a writer; a writer needs a reader,
 * which we are until it is open. Our reader leaves the count of writers alone,
 * by which a reader knows whether one ever came.
 */
static struct file *reopen_fifo(struct ckpt_ctx *ctx, struct inode *inode, const char *name,
				const struct ckpt_rec_file *file_rec)
{
	struct file *file, *reader;
	struct path path;
	int err;

	err = ckpt_path_lookup(ctx, name, &path);
	if (err)
		return ERR_PTR(ckpt_err(ctx, err, "%s: cannot be found", name));
	if (d_inode(path.dentry) != inode) {
		file = ERR_PTR(ckpt_err(ctx, -EINVAL, "%s: not the FIFO it was", name));
		goto out;
	}
	reader = dentry_open(&path, O_RDONLY | O_NONBLOCK, current_cred());
	if (IS_ERR(reader)) {
		file = reader;
		goto out;
	}
	file = ckpt_path_open(&path, file_rec->f_flags);
	__fput_sync(reader);
	if (IS_ERR(file))
		ckpt_err(ctx, PTR_ERR(file), "%s: cannot be opened", name);
out:
	path_put(&path);
	return file;
}

static struct file *restore_fifo_file(struct ckpt_ctx *ctx, struct inode *inode,
				      const struct ckpt_rec_file *file_rec,
				      const struct ckpt_rec_file_pipe *rec, const void *path)
{
	struct file *file;
	char *name;

	name = ckpt_path_from_image(ctx, path, rec->path_len);
	if (IS_ERR(name))
		return ERR_CAST(name);
	file = reopen_fifo(ctx, inode, name, file_rec);
	if (!IS_ERR(file) && !(rec->flags & CKPT_FILE_PIPE_NO_WRITER))
		file->f_pipe = 0;
	ckpt_path_put(name);
	return file;
}

static struct file *pipe_file_restore(struct ckpt_ctx *ctx, const struct ckpt_rec_file *file_rec)
{
	struct ckpt_rec_file_pipe rec;
	struct inode *inode;
	const void *path;
	struct file *file;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_FILE_PIPE, &rec, sizeof(rec), &path, &len);
	if (err)
		return ERR_PTR(err);
	inode = ckpt_obj_fetch(ctx, rec.objref, &ckpt_pipe_obj_ops);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	if ((rec.flags & ~CKPT_FILE_PIPE_NO_WRITER) || rec.pad || rec.path_len > len ||
	    (file_rec->f_flags & (O_PATH | __FMODE_EXEC)) ||
	    (file_rec->f_flags & O_ACCMODE) == O_ACCMODE)
		return ERR_PTR(ckpt_err(ctx, -EINVAL, "malformed pipe descriptor"));

	if (is_fifo(inode))
		return restore_fifo_file(ctx, inode, file_rec, &rec, path);
	file = pipe_open_file(inode, file_rec->f_flags & (O_ACCMODE | O_NONBLOCK | O_DIRECT));
	if (IS_ERR(file))
		ckpt_err(ctx, PTR_ERR(file), "pipe: cannot be opened");
	return file;
}

static const struct ckpt_file_ops pipe_file_ops = {
	.name = "pipe",
	.rec_type = CKPT_REC_FILE_PIPE,
	.fop = &pipefifo_fops,
	.collect = pipe_file_collect,
	.checkpoint = pipe_file_checkpoint,
	.restore = pipe_file_restore,
};

static int __init ckpt_pipe_init(void)
{
	return ckpt_register_obj(&ckpt_pipe_obj_ops) ?: ckpt_register_file(&pipe_file_ops);
}
fs_initcall(ckpt_pipe_init);
