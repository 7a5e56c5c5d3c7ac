// SPDX-License-Identifier: GPL-2.0
/*
 * Pages on their way into the image, many at a time. What is hashed must be what
 * is written, but others may write to a page at any time: to memory that they
 * share, or by process_vm_writev(). So a copy leaves. It is made and hashed, page
 * by page, on another CPU while the block before is being written.
 */
#include <linux/bvec.h>
#include <linux/slab.h>
#include <linux/xxhash.h>

#include "mm.h"

static size_t part_len(struct ckpt_batch_part *part)
{
	return (size_t)part->nr_pages << PAGE_SHIFT;
}

static void part_put_pages(struct ckpt_batch_part *part)
{
	unsigned int i;

	for (i = 0; i < part->nr_bvecs; i++)
		folio_put(page_folio(part->bvecs[i].bv_page));
	part->nr_bvecs = 0;
}

static void part_copy(struct work_struct *work)
{
	struct ckpt_batch_part *part = container_of(work, struct ckpt_batch_part, copy_work);
	struct bvec_iter at = { .bi_size = part_len(part) };
	struct xxh64_state state;
	void *to = part->copy;
	struct bio_vec bv;

	xxh64_reset(&state, 0);
	for_each_bvec(bv, part->bvecs, at, at) {
		copy_page(to, bvec_virt(&bv));
		xxh64_update(&state, to, PAGE_SIZE);
		to += PAGE_SIZE;
	}
	part->hash = xxh64_digest(&state);
	part_put_pages(part);
}

static void part_reset(struct ckpt_batch_part *part)
{
	part->nr_runs = 0;
	part->nr_bvecs = 0;
	part->nr_pages = 0;
}

static void part_init(struct ckpt_batch_part *part)
{
	INIT_WORK(&part->copy_work, part_copy);
	part->copy = NULL;
	part->copy_len = 0;
	part_reset(part);
}

/* Small processes need little. */
static int part_make_copy_room(struct ckpt_ctx *ctx, struct ckpt_batch_part *part)
{
	if (part_len(part) <= part->copy_len)
		return 0;
	kvfree(part->copy);
	part->copy_len = part_len(part);
	part->copy = kvmalloc(part->copy_len, GFP_KERNEL_ACCOUNT);
	if (part->copy)
		return 0;
	part->copy_len = 0;
	return ckpt_err(ctx, -ENOMEM, "no memory to copy pages");
}

/**
 * ckpt_batch_alloc() - prepare to write pages of an object
 * @ctx: the checkpoint
 * @objref: mm or shared memory object
 *
 * Context: Process context, may sleep.
 * Return: The batch, empty, or NULL without memory.
 */
struct ckpt_batch *ckpt_batch_alloc(struct ckpt_ctx *ctx, u32 objref)
{
	struct ckpt_batch *batch = kvmalloc(sizeof(*batch), GFP_KERNEL_ACCOUNT);

	if (!batch)
		return NULL;
	batch->ctx = ctx;
	batch->objref = objref;
	batch->filling = &batch->parts[0];
	batch->full = NULL;
	part_init(&batch->parts[0]);
	part_init(&batch->parts[1]);
	return batch;
}

/**
 * ckpt_batch_free() - free a batch, also one that was not flushed
 * @batch: the batch or NULL
 *
 * Context: Process context, may sleep.
 */
void ckpt_batch_free(struct ckpt_batch *batch)
{
	unsigned int i;

	if (!batch)
		return;
	for (i = 0; i < ARRAY_SIZE(batch->parts); i++) {
		flush_work(&batch->parts[i].copy_work);
		part_put_pages(&batch->parts[i]);
		kvfree(batch->parts[i].copy);
	}
	kvfree(batch);
}

static bool part_run(struct ckpt_batch_part *part, u64 index, u32 flags, u32 src_objref,
		     u64 src_index)
{
	struct ckpt_page_run *run;

	if (part->nr_runs) {
		run = &part->runs[part->nr_runs - 1];
		if (run->flags == flags && run->index + run->nr == index &&
		    run->src_objref == src_objref && run->nr < U32_MAX &&
		    (flags != CKPT_RUN_COW || run->src_index + run->nr == src_index)) {
			run->nr++;
			return true;
		}
	}
	if (part->nr_runs == CKPT_BATCH_RUNS)
		return false;
	part->runs[part->nr_runs++] = (struct ckpt_page_run) {
		.index = index,
		.nr = 1,
		.flags = flags,
		.src_index = src_index,
		.src_objref = src_objref,
	};
	return true;
}

static void part_bvec(struct ckpt_batch_part *part, struct page *page)
{
	struct folio *folio = page_folio(page);
	struct bio_vec *bv;

	part->nr_pages++;
	if (part->nr_bvecs) {
		bv = &part->bvecs[part->nr_bvecs - 1];
		if (bv->bv_page + (bv->bv_len >> PAGE_SHIFT) == page &&
		    page_folio(bv->bv_page) == folio) {
			bv->bv_len += PAGE_SIZE;
			return;
		}
	}
	folio_get(folio);
	bvec_set_page(&part->bvecs[part->nr_bvecs++], page, PAGE_SIZE, 0);
}

/**
 * ckpt_batch_page() - add a page with its contents
 * @batch: the batch
 * @index: where it belongs
 * @page: the page; its folio is referenced until it is copied
 * @flags: CKPT_RUN_DATA, CKPT_RUN_SHARED or CKPT_RUN_HUGE
 *
 * Context: Any.
 * Return: false if there is no room.
 */
bool ckpt_batch_page(struct ckpt_batch *batch, u64 index, struct page *page, u32 flags)
{
	struct ckpt_batch_part *part = batch->filling;

	if (part->nr_pages == CKPT_BATCH_PAGES || !part_run(part, index, flags, 0, 0))
		return false;
	part_bvec(part, page);
	return true;
}

/**
 * ckpt_batch_cow() - add a page that another mm has already brought
 * @batch: the batch
 * @index: where it belongs
 * @src_objref: the other mm
 * @src_index: where it is there
 *
 * Context: Any.
 * Return: false if there is no room.
 */
bool ckpt_batch_cow(struct ckpt_batch *batch, u64 index, u32 src_objref, u64 src_index)
{
	return part_run(batch->filling, index, CKPT_RUN_COW, src_objref, src_index);
}

static int write_part(struct ckpt_batch *batch, struct ckpt_batch_part *part)
{
	int ret = ckpt_write_pages(batch->ctx, batch->objref, part->runs, part->nr_runs,
				   part->copy, part_len(part), part->hash);

	part_reset(part);
	return ret;
}

static int write_full(struct ckpt_batch *batch)
{
	struct ckpt_batch_part *part = batch->full;

	if (!part)
		return 0;
	batch->full = NULL;
	/* the other CPUs had no time for it */
	if (cancel_work_sync(&part->copy_work))
		part_copy(&part->copy_work);
	return write_part(batch, part);
}

/**
 * ckpt_batch_make_room() - let a batch take more pages
 * @batch: the batch, which had no room
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM or an errno of ckpt_write_pages().
 */
int ckpt_batch_make_room(struct ckpt_batch *batch)
{
	struct ckpt_batch_part *part = batch->filling;
	int ret;

	ret = part_make_copy_room(batch->ctx, part);
	if (ret)
		return ret;
	queue_work(system_unbound_wq, &part->copy_work);
	ret = write_full(batch);
	batch->full = part;
	batch->filling = part == batch->parts ? part + 1 : batch->parts;
	return ret;
}

/**
 * ckpt_batch_flush() - write all that is in a batch
 * @batch: the batch, empty afterwards
 *
 * Context: Process context, no locks.
 * Return: 0, -ENOMEM or an errno of ckpt_write_pages().
 */
int ckpt_batch_flush(struct ckpt_batch *batch)
{
	struct ckpt_batch_part *part = batch->filling;
	int ret = write_full(batch);

	if (ret || !part->nr_runs)
		return ret;
	ret = part_make_copy_room(batch->ctx, part);
	if (ret)
		return ret;
	part_copy(&part->copy_work);
	return write_part(batch, part);
}
