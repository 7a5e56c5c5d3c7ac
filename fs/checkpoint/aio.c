// SPDX-License-Identifier: GPL-2.0
/*
 * AIO contexts (io_setup). Programs know one by the address of its ring, which
 * the kernel maps: it is made again there, with the events that nobody has taken
 * out. Requests in flight are waited for.
 */
#include <linux/aio.h>
#include <linux/checkpoint.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define WAIT_MS	2000

/* Of struct aio_ring, which programs read, too. */
#define RING_ID		0
#define RING_HEAD	8
#define RING_HEADER	32

static u64 ring_size(u32 nr_events)
{
	return RING_HEADER + (u64)nr_events * sizeof(struct io_event);
}

/**
 * ckpt_aio_vma() - is this the ring of an AIO context?
 * @vma: a mapping
 *
 * Context: mmap_lock held.
 */
bool ckpt_aio_vma(struct vm_area_struct *vma)
{
	return vma->vm_file && !strcmp(file_inode(vma->vm_file)->i_sb->s_type->name, "aio");
}

static bool is_ring(struct vm_area_struct *vma)
{
	struct aio_state state;
	unsigned int id = 0;

	for (; !aio_get_state(vma->vm_mm, &id, &state); id++)
		if (state.user_id == vma->vm_start)
			return vma->vm_end - vma->vm_start == ring_size(state.nr_events);
	return false;
}

/**
 * ckpt_aio_obstacle() - what makes it impossible to save a ring?
 * @vma: its mapping
 *
 * Context: mmap_lock held.
 * Return: the reason, or NULL.
 */
const char *ckpt_aio_obstacle(struct vm_area_struct *vma)
{
	const vm_flags_t flags = VM_READ | VM_WRITE | VM_SHARED | VM_DONTEXPAND |
				 VM_MAYREAD | VM_MAYWRITE | VM_MAYSHARE;

	/* fork() copies the mapping, but not the context. */
	if (!is_ring(vma))
		return "AIO ring of another process, or a part of one";
	if ((vma->vm_flags & ~VM_SOFTDIRTY) != flags)
		return "AIO ring with other protection or advice";
	return NULL;
}

static unsigned int in_flight(struct mm_struct *mm, struct aio_state *state)
{
	unsigned int id = 0;

	for (; !aio_get_state(mm, &id, state); id++)
		if (state->in_flight)
			return state->in_flight;
	return 0;
}

/**
 * ckpt_aio_collect() - wait until no request is in flight
 * @ctx: the checkpoint
 * @mm: address space whose tasks are frozen
 *
 * Context: May sleep, for some seconds.
 * Return: 0, -EINTR or -EBUSY.
 */
int ckpt_aio_collect(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	unsigned long timeout = jiffies + msecs_to_jiffies(WAIT_MS);
	struct aio_state state;

	while (in_flight(mm, &state)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, timeout))
			return ckpt_refuse(ctx, -EBUSY,
					   "%s: AIO context %lx: %u requests are in flight",
					   ckpt_whom(ctx), state.user_id, state.in_flight);
		fsleep(1000);
	}
	return 0;
}

static int write_page(struct ckpt_ctx *ctx, struct mm_struct *mm, unsigned long addr, u64 index,
		      void *buf)
{
	struct ckpt_rec_aio_page rec = { .index = index };

	if (access_remote_vm(mm, addr + index * PAGE_SIZE, buf, PAGE_SIZE, 0) != PAGE_SIZE)
		return ckpt_err(ctx, -EAGAIN, "%s: AIO ring %lx: cannot be read", ckpt_whom(ctx),
				addr);
	if (!memchr_inv(buf, 0, PAGE_SIZE))
		return 0;
	return ckpt_write2(ctx, CKPT_REC_AIO_PAGE, &rec, sizeof(rec), buf, PAGE_SIZE);
}

static int write_pages(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct aio_state *state)
{
	u64 i, nr = ring_size(state->nr_events) / PAGE_SIZE;
	void *buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	int ret = 0;

	if (!buf)
		return ckpt_err(ctx, -ENOMEM, "%s: no memory to save an AIO ring", ckpt_whom(ctx));
	for (i = 0; !ret && i < nr; i++)
		ret = write_page(ctx, mm, state->user_id, i, buf);
	kfree(buf);
	return ret;
}

/* A ring that was unmapped cannot be used any more, nor can its context. */
static bool ring_mapped(struct mm_struct *mm, const struct aio_state *state, u32 *head)
{
	struct vm_area_struct *vma;
	bool mapped;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, state->user_id);
	mapped = vma && ckpt_aio_vma(vma) && is_ring(vma);
	mmap_read_unlock(mm);
	return mapped && access_remote_vm(mm, state->user_id + RING_HEAD, head, sizeof(*head),
					  0) == sizeof(*head);
}

static int write_context(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct aio_state *state)
{
	struct ckpt_rec_aio rec = {
		.addr = state->user_id,
		.max_reqs = state->max_reqs,
		.nr_events = state->nr_events,
		.tail = state->tail,
	};
	u32 head;
	int ret;

	if (!ring_mapped(mm, state, &head))
		return 0;
	rec.unreaped = (state->tail + state->nr_events - head % state->nr_events) %
		       state->nr_events;
	ret = ckpt_write(ctx, CKPT_REC_AIO, &rec, sizeof(rec));
	return ret ? ret : write_pages(ctx, mm, state);
}

/**
 * ckpt_aio_write() - write the AIO contexts of an mm
 * @ctx: the checkpoint
 * @mm: its tasks are frozen
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM, -EAGAIN or an errno of the stream.
 */
int ckpt_aio_write(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct aio_state state;
	unsigned int id = 0;
	int ret = 0;

	for (; !ret && !aio_get_state(mm, &id, &state); id++)
		ret = write_context(ctx, mm, &state);
	return ret;
}

static int create_context(struct ckpt_ctx *ctx, const struct ckpt_rec_aio *rec)
{
	struct aio_state state = {
		.user_id = rec->addr,
		.max_reqs = rec->max_reqs,
		.nr_events = rec->nr_events,
		.tail = rec->tail,
		.unreaped = rec->unreaped,
	};
	int ret;

	if (!rec->addr || !PAGE_ALIGNED(rec->addr) || !rec->max_reqs || rec->nr_events < 3 ||
	    !PAGE_ALIGNED(ring_size(rec->nr_events)) || rec->tail >= rec->nr_events ||
	    rec->unreaped >= rec->nr_events)
		return ckpt_err(ctx, -EINVAL, "image: bad AIO context %llx", rec->addr);
	ret = aio_create_state(&state);
	if (ret < 0)
		return ckpt_err(ctx, ret, "%s: AIO context %llx: %s", ckpt_whom(ctx), rec->addr,
				ret == -EAGAIN ? "more requests than fs.aio-max-nr allows" :
				"cannot be created");
	return ret;
}

static int read_page(struct ckpt_ctx *ctx, const struct ckpt_rec_aio *ring)
{
	u64 nr = ring_size(ring->nr_events) / PAGE_SIZE;
	struct ckpt_rec_aio_page rec;
	const void *data;
	size_t len;
	int ret;

	ret = ckpt_read_tail(ctx, CKPT_REC_AIO_PAGE, &rec, sizeof(rec), &data, &len);
	if (ret)
		return ret;
	if (rec.index >= nr || len != PAGE_SIZE)
		return ckpt_err(ctx, -EINVAL, "image: bad page of AIO context %llx", ring->addr);
	if (copy_to_user((void __user *)ring->addr + rec.index * PAGE_SIZE, data, PAGE_SIZE))
		return ckpt_err(ctx, -ENOMEM, "%s: AIO context %llx: cannot be filled",
				ckpt_whom(ctx), ring->addr);
	return 0;
}

static int read_context(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_aio rec;
	int ret, id;

	ret = ckpt_read(ctx, CKPT_REC_AIO, &rec, sizeof(rec));
	if (ret)
		return ret;
	id = create_context(ctx, &rec);
	if (id < 0)
		return id;
	while ((ret = ckpt_peek(ctx)) == CKPT_REC_AIO_PAGE) {
		ret = read_page(ctx, &rec);
		if (ret)
			return ret;
	}
	if (ret < 0)
		return ret;
	/* Contexts are numbered anew. */
	if (put_user(id, (u32 __user *)(rec.addr + RING_ID)))
		return ckpt_err(ctx, -ENOMEM, "%s: AIO context %llx: cannot be filled",
				ckpt_whom(ctx), rec.addr);
	return 0;
}

/**
 * ckpt_aio_read() - read what ckpt_aio_write() wrote
 * @ctx: the restart
 *
 * All else of the address space of current is mapped.
 *
 * Context: Process context of the owner, no locks.
 * Return: 0, or an errno after ckpt_err().
 */
int ckpt_aio_read(struct ckpt_ctx *ctx)
{
	int ret;

	while ((ret = ckpt_peek(ctx)) == CKPT_REC_AIO) {
		ret = read_context(ctx);
		if (ret)
			return ret;
	}
	return min(ret, 0);
}
