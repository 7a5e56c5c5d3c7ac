// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the local descriptor table, which belongs to an mm and
 * is made by modify_ldt(2).
 */
#include <linux/checkpoint.h>
#include <linux/mm_types.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/checkpoint.h>
#include <asm/desc.h>
#include <asm/ldt.h>
#include <asm/mmu_context.h>

#ifdef CONFIG_MODIFY_LDT_SYSCALL

static void entry_to_image(struct ckpt_user_desc *to, const struct ldt_struct *ldt, u32 nr)
{
	struct user_desc desc;

	BUILD_BUG_ON(sizeof(*to) != sizeof(desc));
	fill_user_desc(&desc, nr, &ldt->entries[nr]);
	memcpy(to, &desc, sizeof(desc));
	to->flags &= CKPT_DESC_FLAGS_ALL;
}

static bool is_empty(const struct desc_struct *entry)
{
	return mem_is_zero(entry, sizeof(*entry));
}

/* The last is written though it be empty: it makes the table as long as it was. */
static int write_entries(struct ckpt_ctx *ctx, const struct ldt_struct *ldt)
{
	struct ckpt_user_desc *entries;
	u32 i, nr = 0;
	int err;

	entries = kvcalloc(ldt->nr_entries, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return ckpt_err(ctx, -ENOMEM, "%s: no memory to save its descriptor table",
				ckpt_whom(ctx));
	for (i = 0; i < ldt->nr_entries; i++)
		if (i == ldt->nr_entries - 1 || !is_empty(&ldt->entries[i]))
			entry_to_image(&entries[nr++], ldt, i);
	err = ckpt_write(ctx, CKPT_REC_MM_LDT, entries, nr * sizeof(*entries));
	kvfree(entries);
	return err;
}

/**
 * ckpt_ldt_write() - write CKPT_REC_MM_LDT, if there is such a table
 * @ctx: the checkpoint
 * @mm: its tasks are frozen, and nobody else changes its table
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOMEM or an errno of the stream.
 */
int ckpt_ldt_write(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	return mm->context.ldt ? write_entries(ctx, mm->context.ldt) : 0;
}

static int restore_entry(const struct ckpt_user_desc *entry)
{
	struct user_desc desc;

	if (entry->flags & ~CKPT_DESC_FLAGS_ALL)
		return -EINVAL;
	memcpy(&desc, entry, sizeof(desc));
	return ldt_set_entry(&desc, 0);
}
#else
int ckpt_ldt_write(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	return 0;
}

static int restore_entry(const struct ckpt_user_desc *entry)
{
	return -EOPNOTSUPP;
}
#endif

/*
 * From the last on, so that the table has its size from the first. Ascending
 * numbers below CKPT_LDT_MAX bound how many there are.
 */
static int restore_entries(struct ckpt_ctx *ctx, const struct ckpt_user_desc *entries, size_t nr)
{
	u32 end = CKPT_LDT_MAX;
	int err;

	while (nr--) {
		err = entries[nr].entry_number < end ? restore_entry(&entries[nr]) : -EINVAL;
		if (err)
			return ckpt_err(ctx, err,
					"%s: segment %u of its local descriptor table cannot be restored",
					ckpt_whom(ctx), entries[nr].entry_number);
		end = entries[nr].entry_number;
	}
	return 0;
}

/**
 * ckpt_ldt_restore() - read CKPT_REC_MM_LDT, if it comes next
 * @ctx: the restart; the mm of current has no such table yet
 *
 * Context: Process context of the owner, no locks.
 * Return: 0; -EINVAL if the table is malformed; -EOPNOTSUPP if this kernel has none;
 * -ENOMEM; -EINTR if current was killed; or an errno of the stream.
 */
int ckpt_ldt_restore(struct ckpt_ctx *ctx)
{
	const void *entries;
	size_t len;
	int err = ckpt_peek(ctx);

	if (err != CKPT_REC_MM_LDT)
		return min(err, 0);
	err = ckpt_read_tail(ctx, CKPT_REC_MM_LDT, NULL, 0, &entries, &len);
	if (err)
		return err;
	if (!IS_ENABLED(CONFIG_MODIFY_LDT_SYSCALL))
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: this kernel has no local descriptor tables (MODIFY_LDT_SYSCALL)",
				ckpt_whom(ctx));
	if (!len || len % sizeof(struct ckpt_user_desc))
		return ckpt_err(ctx, -EINVAL, "%s: bad local descriptor table", ckpt_whom(ctx));
	return restore_entries(ctx, entries, len / sizeof(struct ckpt_user_desc));
}
