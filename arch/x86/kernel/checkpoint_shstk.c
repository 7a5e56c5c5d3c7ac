// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of user shadow stacks (CET): which of them a task is on, and
 * what it may do with them. Their contents are memory.
 */
#include <linux/checkpoint.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <asm/fpu/api.h>
#include <asm/fpu/regset.h>
#include <asm/msr.h>
#include <asm/prctl.h>
#include <asm/shstk.h>

static bool is_on(u64 features)
{
	return features & ARCH_SHSTK_SHSTK;
}

/* What the kernel has mapped for the task, it unmaps again, and must find it whole. */
static bool is_whole(struct mm_struct *mm, u64 base, u64 size)
{
	struct vm_area_struct *vma;
	bool whole;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, base);
	whole = vma && vma->vm_start == base && vma->vm_end - base == size &&
		(vma->vm_flags & (VM_SHADOW_STACK | VM_SEALED)) == VM_SHADOW_STACK;
	mmap_read_unlock(mm);
	return whole;
}

static int shstk_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct thread_shstk *shstk = &task->thread.shstk;

	if (!is_on(task->thread.features) || !shstk->base ||
	    is_whole(task->mm, shstk->base, shstk->size))
		return 0;
	return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: shadow stack at %llx that was changed",
			   ckpt_whom(ctx), shstk->base);
}

static int stack_pointer(struct task_struct *task, u64 *ssp)
{
	const struct user_regset regset = { .n = 1 };
	struct membuf to = { .p = ssp, .left = sizeof(*ssp) };
	int left = ssp_get(task, &regset, to);

	return min(left, 0);
}

static int shstk_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_shstk rec = {
		.features = task->thread.features,
		.locked = task->thread.features_locked,
	};
	int err = 0;

	if (!rec.features && !rec.locked)
		return 0;
	if (is_on(rec.features)) {
		rec.base = task->thread.shstk.base;
		rec.size = task->thread.shstk.size;
		err = stack_pointer(task, &rec.ssp);
	}
	return err ?: ckpt_write(ctx, CKPT_REC_TASK_SHSTK, &rec, sizeof(rec));
}

/*
 * A task that shares the stack of its parent, as after vfork(), has none of its
 * own. A bad stack pointer would be found out by instructions of the kernel.
 */
static bool shstk_valid(const struct ckpt_rec_task_shstk *rec)
{
	if (rec->features & ~(u64)(ARCH_SHSTK_SHSTK | ARCH_SHSTK_WRSS))
		return false;
	if (!is_on(rec->features))
		return !rec->features && !rec->ssp && !rec->base && !rec->size;
	if (rec->ssp >= TASK_SIZE_MAX || !IS_ALIGNED(rec->ssp, sizeof(u64)))
		return false;
	return rec->base ? is_whole(current->mm, rec->base, rec->size) : !rec->size;
}

/* XSAVES keeps the two registers from here on. */
static void shstk_set(const struct ckpt_rec_task_shstk *rec)
{
	u64 control = CET_SHSTK_EN;

	if (rec->features & ARCH_SHSTK_WRSS)
		control |= CET_WRSS_EN;
	fpregs_lock_and_load();
	wrmsrl(MSR_IA32_PL3_SSP, rec->ssp);
	wrmsrl(MSR_IA32_U_CET, control);
	fpregs_unlock();
	current->thread.shstk.base = rec->base;
	current->thread.shstk.size = rec->size;
}

static int shstk_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_shstk rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (!shstk_valid(&rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad shadow stack", ckpt_whom(ctx));
	if (is_on(rec.features) && !ckpt_arch_shadow_stacks())
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: has a shadow stack, and this CPU or kernel has none (USER_SHSTK)",
				ckpt_whom(ctx));
	if (is_on(rec.features))
		shstk_set(&rec);
	current->thread.features = rec.features;
	current->thread.features_locked = rec.locked;
	return 0;
}

static const struct ckpt_task_ops shstk_ops = {
	.name = "shadow stack",
	.rec_type = CKPT_REC_TASK_SHSTK,
	.collect = shstk_collect,
	.checkpoint = shstk_checkpoint,
	.restore = shstk_restore,
};

static int __init shstk_init(void)
{
	return ckpt_register_task_ops(&shstk_ops);
}
device_initcall(shstk_init);
