// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces: the object, and what belongs to none of its mappings.
 */
#include <linux/binfmts.h>
#include <linux/elf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/khugepaged.h>
#include <linux/membarrier.h>
#include <linux/namei.h>
#include <linux/rseq.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "mm.h"

#define MM_STATE(name) \
	{ MEMBARRIER_CMD_REGISTER_##name, \
	  MEMBARRIER_STATE_##name | MEMBARRIER_STATE_##name##_READY }

static const struct {
	u32 cmd;
	int state;
} membarrier_table[] = {
	MM_STATE(GLOBAL_EXPEDITED),
	MM_STATE(PRIVATE_EXPEDITED),
	MM_STATE(PRIVATE_EXPEDITED_SYNC_CORE),
	MM_STATE(PRIVATE_EXPEDITED_RSEQ),
};

static const struct {
	u32 image;
	unsigned int bit;
} mm_flag_table[] = {
	{ CKPT_MM_THP_DISABLE, MMF_DISABLE_THP },
	{ CKPT_MM_MDWE, MMF_HAS_MDWE },
	{ CKPT_MM_MDWE_NO_INHERIT, MMF_HAS_MDWE_NO_INHERIT },
	{ CKPT_MM_MERGE_ANY, MMF_VM_MERGE_ANY },
	{ CKPT_MM_TOPDOWN, MMF_TOPDOWN },
};

static const struct {
	u32 image;
	vm_flags_t vm;
} def_flag_table[] = {
	{ CKPT_MM_DEF_LOCKED, VM_LOCKED },
	{ CKPT_MM_DEF_LOCKONFAULT, VM_LOCKONFAULT },
	{ CKPT_MM_DEF_NOHUGEPAGE, VM_NOHUGEPAGE },
};

static void mm_ref_grab(void *ptr)
{
	mmget(ptr);
}

static void mm_ref_drop(void *ptr)
{
	mmput(ptr);
}

static long mm_ref_users(void *ptr)
{
	struct mm_struct *mm = ptr;

	return atomic_read(&mm->mm_users);
}

static int mm_find_holder(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder)
{
	return ckpt_find_sharer(ctx, offsetof(struct task_struct, mm), ptr, "same address space",
				holder);
}

static int collect_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		ret = ckpt_vma_collect(ctx, vma);
		if (ret)
			break;
	}
	mmap_read_unlock(mm);
	return ret;
}

static int mm_collect(struct ckpt_ctx *ctx, void *ptr)
{
	struct mm_struct *mm = ptr;
	struct file *exe;
	int ret;

	if (test_bit(MMF_HAS_UPROBES, &mm->flags)) {
		ret = ckpt_refuse(ctx, -EOPNOTSUPP, "%s: uprobes: not supported", ckpt_whom(ctx));
		if (ret)
			return ret;
	}
	ret = ckpt_arch_mm_collect(ctx, mm);
	if (!ret)
		ret = ckpt_aio_collect(ctx, mm);
	if (ret)
		return ret;
	exe = get_mm_exe_file(mm);
	if (exe) {
		ret = ckpt_obj_collect(ctx, exe, &ckpt_file_obj_ops);
		ckpt_obj_mark(ctx, exe);
		fput(exe);
		if (ret < 0)
			return ret;
	}
	ret = collect_vmas(ctx, mm);
	return ret ? ret : ckpt_mm_check_pages(ctx, mm);
}

static u32 membarrier_cmds(struct mm_struct *mm)
{
	int i, state = atomic_read(&mm->membarrier_state);
	u32 cmds = 0;

	for (i = 0; i < ARRAY_SIZE(membarrier_table); i++)
		if (state & membarrier_table[i].state)
			cmds |= membarrier_table[i].cmd;
	return cmds;
}

static u32 mm_flags_to_image(struct mm_struct *mm)
{
	u32 flags = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(mm_flag_table); i++)
		if (test_bit(mm_flag_table[i].bit, &mm->flags))
			flags |= mm_flag_table[i].image;
	for (i = 0; i < ARRAY_SIZE(def_flag_table); i++)
		if (mm->def_flags & def_flag_table[i].vm)
			flags |= def_flag_table[i].image;
	return flags;
}

static int exe_to_image(struct ckpt_ctx *ctx, struct mm_struct *mm, struct ckpt_rec_mm *rec)
{
	struct file *exe = get_mm_exe_file(mm);
	int ret;

	if (!exe)
		return 0;
	ret = ckpt_obj_ref(ctx, exe, &ckpt_file_obj_ops);
	fput(exe);
	if (ret < 0)
		return ret;
	rec->exe_objref = ret;
	return 0;
}

/* As /proc/PID/status tells it: the plain counters lag behind. */
static unsigned long hiwater_rss(struct mm_struct *mm)
{
	return max(mm->hiwater_rss, get_mm_counter_sum(mm, MM_ANONPAGES) +
				    get_mm_counter_sum(mm, MM_FILEPAGES) +
				    get_mm_counter_sum(mm, MM_SHMEMPAGES));
}

static int write_fields(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct ckpt_rec_mm rec = {
		.task_size = mm->task_size,
		.mmap_base = mm->mmap_base,
		.mmap_legacy_base = mm->mmap_legacy_base,
		.mmap_compat_base = mm->mmap_compat_base,
		.mmap_compat_legacy_base = mm->mmap_compat_legacy_base,
		.hiwater_rss = hiwater_rss(mm),
		.hiwater_vm = get_mm_hiwater_vm(mm),
		.flags = mm_flags_to_image(mm),
		.dumpable = get_dumpable(mm),
		.coredump_filter = (mm->flags & MMF_DUMP_FILTER_MASK) >> MMF_DUMP_FILTER_SHIFT,
		.membarrier = membarrier_cmds(mm),
	};
	int ret;

	spin_lock(&mm->arg_lock);
	rec.start_code = mm->start_code;
	rec.end_code = mm->end_code;
	rec.start_data = mm->start_data;
	rec.end_data = mm->end_data;
	rec.start_brk = mm->start_brk;
	rec.brk = mm->brk;
	rec.start_stack = mm->start_stack;
	rec.arg_start = mm->arg_start;
	rec.arg_end = mm->arg_end;
	rec.env_start = mm->env_start;
	rec.env_end = mm->env_end;
	spin_unlock(&mm->arg_lock);

	ret = exe_to_image(ctx, mm, &rec);
	return ret ? ret : ckpt_write(ctx, CKPT_REC_MM, &rec, sizeof(rec));
}

static int write_auxv(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	u64 auxv[AT_VECTOR_SIZE];
	int i;

	BUILD_BUG_ON(AT_VECTOR_SIZE > CKPT_AUXV_MAX);
	for (i = 0; i < AT_VECTOR_SIZE; i++)
		auxv[i] = mm->saved_auxv[i];
	return ckpt_write(ctx, CKPT_REC_MM_AUXV, auxv, sizeof(auxv));
}

static int mm_checkpoint(struct ckpt_ctx *ctx, void *ptr)
{
	struct ckpt_cow *cow = ckpt_cow_get(ctx);
	struct mm_struct *mm = ptr;
	int ret;

	ret = ckpt_obj_ref(ctx, mm, &ckpt_mm_obj_ops);
	if (ret < 0)
		return ret;
	if (!cow || ckpt_cow_add_mm(cow, ret))
		return ckpt_err(ctx, -ENOMEM, "%s: no memory to save an address space",
				ckpt_whom(ctx));
	ret = write_fields(ctx, mm);
	if (!ret)
		ret = write_auxv(ctx, mm);
	if (!ret)
		ret = ckpt_arch_mm_write(ctx, mm);
	if (!ret)
		ret = ckpt_mm_write_vmas(ctx, mm);
	if (!ret)
		ret = ckpt_mm_write_pages(ctx, mm);
	return ret ? ret : ckpt_aio_write(ctx, mm);
}

/* A 32-bit program may have 64-bit code, and the other way round. */
static bool bases_valid(const struct ckpt_rec_mm *rec)
{
	return PAGE_ALIGNED(rec->mmap_base | rec->mmap_legacy_base |
			    rec->mmap_compat_base | rec->mmap_compat_legacy_base) &&
	       rec->mmap_base <= TASK_SIZE_MAX && rec->mmap_legacy_base <= TASK_SIZE_MAX &&
	       rec->mmap_compat_base <= SZ_4G && rec->mmap_compat_legacy_base <= SZ_4G;
}

/* One without the other is nothing that prctl() and mlockall() make. */
static bool flags_valid(u32 flags)
{
	if ((flags & CKPT_MM_MDWE_NO_INHERIT) && !(flags & CKPT_MM_MDWE))
		return false;
	if ((flags & CKPT_MM_DEF_LOCKONFAULT) && !(flags & CKPT_MM_DEF_LOCKED))
		return false;
	return !(flags & ~CKPT_MM_FLAGS_ALL);
}

/* The checks of prctl(PR_SET_MM_MAP); task_size is left to ckpt_arch_mm_restore(). */
static bool fields_valid(const struct ckpt_rec_mm *rec)
{
	const u64 addrs[] = {
		rec->start_code, rec->end_code, rec->start_data, rec->end_data,
		rec->start_brk, rec->brk, rec->start_stack,
		rec->arg_start, rec->arg_end, rec->env_start, rec->env_end,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++)
		if (addrs[i] > rec->task_size)
			return false;
	return rec->start_code <= rec->end_code && rec->start_data <= rec->end_data &&
	       rec->start_brk <= rec->brk && rec->arg_start <= rec->arg_end &&
	       rec->env_start <= rec->env_end && bases_valid(rec) && flags_valid(rec->flags) &&
	       !rec->pad && rec->dumpable <= CKPT_MM_DUMPABLE_ROOT &&
	       !(rec->coredump_filter >> MMF_DUMP_FILTER_BITS);
}

/**
 * ckpt_mm_switch_to_empty() - Replace the address space by an empty one
 * @ctx: the context of a restart
 *
 * As execve() does.
 *
 * Context: The task being restored, which has the address space of the restarter,
 * or is to die and leaves that of its process. May sleep.
 * Return: 0, -ENOMEM, or -EINTR if it was killed.
 */
int ckpt_mm_switch_to_empty(struct ckpt_ctx *ctx)
{
	struct mm_struct *mm = mm_alloc();
	int ret;

	if (!mm)
		return ckpt_err(ctx, -ENOMEM, "%s: no memory for an address space",
				ckpt_whom(ctx));
	sched_mm_cid_before_execve(current);
	ret = exec_mmap(mm);
	sched_mm_cid_after_execve(current);
	if (ret) {
		mmput(mm);
		return ckpt_err(ctx, ret, "%s: killed", ckpt_whom(ctx));
	}
	up_write(&current->signal->exec_update_lock);
	rseq_execve(current);
	return 0;
}

static void set_layout(struct mm_struct *mm, const struct ckpt_rec_mm *rec)
{
	/* Nothing is mapped yet, so only later calls of mmap() look here. */
	mm->task_size = rec->task_size;
	mm->mmap_base = rec->mmap_base;
	mm->mmap_legacy_base = rec->mmap_legacy_base;
	mm->mmap_compat_base = rec->mmap_compat_base;
	mm->mmap_compat_legacy_base = rec->mmap_compat_legacy_base;
	assign_bit(MMF_TOPDOWN, &mm->flags, rec->flags & CKPT_MM_TOPDOWN);
	clear_bit(MMF_VM_MERGE_ANY, &mm->flags);
	/*
	 * khugepaged must not come to know this mm: it would fill holes that are
	 * about to be filled from the image.
	 */
	set_bit(MMF_DISABLE_THP, &mm->flags);
	mm->def_flags = 0;
}

static void set_fields(struct mm_struct *mm, const struct ckpt_rec_mm *rec)
{
	spin_lock(&mm->arg_lock);
	mm->start_code = rec->start_code;
	mm->end_code = rec->end_code;
	mm->start_data = rec->start_data;
	mm->end_data = rec->end_data;
	mm->start_brk = rec->start_brk;
	mm->brk = rec->brk;
	mm->start_stack = rec->start_stack;
	mm->arg_start = rec->arg_start;
	mm->arg_end = rec->arg_end;
	mm->env_start = rec->env_start;
	mm->env_end = rec->env_end;
	spin_unlock(&mm->arg_lock);
}

/* What prctl(PR_SET_MM_EXE_FILE) demands. */
static int set_exe(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 objref)
{
	struct file *exe;
	int ret;

	if (!objref)
		return 0;
	exe = ckpt_obj_fetch(ctx, objref, &ckpt_file_obj_ops);
	if (IS_ERR(exe))
		return ckpt_err(ctx, -EINVAL, "image: object %u is no program file", objref);
	/* Who opens /proc/PID/exe must not get what nobody has a descriptor of. */
	if (!S_ISREG(file_inode(exe)->i_mode) || path_noexec(&exe->f_path) ||
	    IS_PRIVATE(file_inode(exe)) || exe->f_mode & FMODE_PATH)
		ret = -EACCES;
	else
		ret = file_permission(exe, MAY_EXEC);
	if (!ret)
		ret = set_mm_exe_file(mm, exe);
	if (ret)
		return ckpt_err(ctx, ret, "%s: program file %pD: cannot be executed",
				ckpt_whom(ctx), exe);
	return 0;
}

static int read_auxv(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	u64 auxv[AT_VECTOR_SIZE];
	int i, ret;

	ret = ckpt_read(ctx, CKPT_REC_MM_AUXV, auxv, sizeof(auxv));
	if (ret)
		return ret;
	for (i = 0; i < AT_VECTOR_SIZE; i++)
		mm->saved_auxv[i] = auxv[i];
	mm->saved_auxv[AT_VECTOR_SIZE - 2] = AT_NULL;
	mm->saved_auxv[AT_VECTOR_SIZE - 1] = AT_NULL;
	return 0;
}

static int set_membarrier(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 cmds)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(membarrier_table); i++) {
		if (cmds & membarrier_table[i].cmd)
			atomic_or(membarrier_table[i].state, &mm->membarrier_state);
		cmds &= ~membarrier_table[i].cmd;
	}
	if (cmds)
		return ckpt_err(ctx, -EINVAL, "image: unknown membarrier registration %x", cmds);
	/* No other task runs on this mm: only this CPU has to know. */
	preempt_disable();
	membarrier_update_current_mm(mm);
	preempt_enable();
	return 0;
}

/* commit_creds() resets this, so it waits until all credentials are in place. */
static void set_dumpable_late(void *data)
{
	set_dumpable(current->mm, *(int *)data);
}

static void tell_khugepaged(struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	mmap_write_lock(mm);
	for_each_vma(vmi, vma)
		khugepaged_enter_vma(vma, vma->vm_flags);
	mmap_write_unlock(mm);
}

/*
 * What the restarter passes on is in force in @mm already, and stays if the image
 * has none of it. As by prctl(PR_SET_MDWE), nobody can end that it is passed on.
 */
static int set_mdwe(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 flags)
{
	if (flags & CKPT_MM_MDWE_NO_INHERIT) {
		if (test_bit(MMF_HAS_MDWE, &mm->flags))
			return ckpt_err(ctx, -EPERM,
					"%s: PR_MDWE_NO_INHERIT is not allowed under the PR_SET_MDWE of the restarter",
					ckpt_whom(ctx));
		set_bit(MMF_HAS_MDWE_NO_INHERIT, &mm->flags);
	}
	if (flags & CKPT_MM_MDWE)
		set_bit(MMF_HAS_MDWE, &mm->flags);
	return 0;
}

/* ksm_enable_merge_any() would mark those mappings, too, that MADV_UNMERGEABLE has excepted. */
static int merge_by_default(struct mm_struct *mm)
{
	int ret = ckpt_ksm_enter(mm);

	if (!ret)
		set_bit(MMF_VM_MERGE_ANY, &mm->flags);
	return ret;
}

/* What would get in the way of mapping and filling comes last. */
static int set_late(struct ckpt_ctx *ctx, struct mm_struct *mm, const struct ckpt_rec_mm *rec)
{
	unsigned long filter = (unsigned long)rec->coredump_filter << MMF_DUMP_FILTER_SHIFT;
	int dumpable = rec->dumpable;
	int i, ret = 0;

	if ((rec->flags & CKPT_MM_DEF_LOCKED) && !can_do_mlock())
		return ckpt_err(ctx, -EPERM, "%s: mlockall() is not allowed", ckpt_whom(ctx));
	set_mask_bits(&mm->flags, MMF_DUMP_FILTER_MASK, filter);
	mm->hiwater_rss = rec->hiwater_rss;
	mm->hiwater_vm = rec->hiwater_vm;
	for (i = 0; i < ARRAY_SIZE(def_flag_table); i++)
		if (rec->flags & def_flag_table[i].image)
			mm->def_flags |= def_flag_table[i].vm;
	tell_khugepaged(mm);
	if (rec->flags & CKPT_MM_MERGE_ANY)
		ret = merge_by_default(mm);
	if (ret)
		return ckpt_err(ctx, ret, "%s: cannot enable KSM", ckpt_whom(ctx));
	ret = set_mdwe(ctx, mm, rec->flags);
	if (ret)
		return ret;
	/* As sys_prctl(): only the kernel itself makes a process dump as root. */
	if (dumpable == CKPT_MM_DUMPABLE_ROOT && suid_dumpable != SUID_DUMP_ROOT)
		dumpable = CKPT_MM_DUMPABLE_NONE;
	ret = ckpt_task_defer(ctx, set_dumpable_late, &dumpable, sizeof(dumpable));
	if (ret)
		return ckpt_err(ctx, ret, "%s: no memory", ckpt_whom(ctx));
	return 0;
}

static int restore_into(struct ckpt_ctx *ctx, struct mm_struct *mm,
			const struct ckpt_rec_mm *rec)
{
	int ret;

	set_layout(mm, rec);
	ret = set_exe(ctx, mm, rec->exe_objref);
	if (!ret)
		ret = read_auxv(ctx, mm);
	if (!ret)
		ret = ckpt_arch_mm_restore(ctx, mm);
	if (!ret)
		ret = ckpt_mm_read_vmas(ctx, mm);
	if (!ret)
		ret = ckpt_arch_mm_finish(ctx, mm);
	if (ret)
		return ret;
	if (!(rec->flags & CKPT_MM_THP_DISABLE))
		clear_bit(MMF_DISABLE_THP, &mm->flags);
	ret = ckpt_mm_read_pages(ctx, mm);
	if (!ret)
		ret = ckpt_mm_check_code(ctx, mm);
	if (!ret)
		ret = ckpt_aio_read(ctx);
	if (ret)
		return ret;
	set_fields(mm, rec);
	ckpt_mm_populate_locked(mm);
	ret = set_membarrier(ctx, mm, rec->membarrier);
	return ret ? ret : set_late(ctx, mm, rec);
}

static void *mm_restore(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_mm rec;
	int ret;

	ret = ckpt_read(ctx, CKPT_REC_MM, &rec, sizeof(rec));
	if (!ret && !fields_valid(&rec))
		ret = ckpt_err(ctx, -EINVAL, "%s: bad address space in the image", ckpt_whom(ctx));
	if (!ret && ckpt_has_own_mm(ctx))
		ret = ckpt_err(ctx, -EINVAL, "%s: a second address space", ckpt_whom(ctx));
	if (!ret)
		ret = ckpt_mm_switch_to_empty(ctx);
	if (!ret)
		ret = restore_into(ctx, current->mm, &rec);
	if (ret)
		return ERR_PTR(ret);
	mmget(current->mm);
	return current->mm;
}

const struct ckpt_obj_ops ckpt_mm_obj_ops = {
	.obj_name = "mm",
	.obj_type = CKPT_OBJ_MM,
	.stage = CKPT_STAGE_MM,
	.observers = true,
	.ref_grab = mm_ref_grab,
	.ref_drop = mm_ref_drop,
	.ref_users = mm_ref_users,
	.find_holder = mm_find_holder,
	.collect = mm_collect,
	.checkpoint = mm_checkpoint,
	.restore = mm_restore,
};

static int __init ckpt_mm_init(void)
{
	return ckpt_register_obj(&ckpt_mm_obj_ops);
}
subsys_initcall(ckpt_mm_init);
