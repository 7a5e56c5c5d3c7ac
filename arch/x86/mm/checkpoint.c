// SPDX-License-Identifier: GPL-2.0
/*
 * What x86 keeps in an address space: the vdso, whether it is that of a 32-bit
 * program, and features that are refused.
 */
#include <linux/binfmts.h>
#include <linux/checkpoint.h>
#include <linux/cpufeature.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/personality.h>
#include <linux/pkeys.h>
#include <linux/sched/mm.h>
#include <asm/checkpoint.h>
#include <asm/ia32.h>
#include <asm/mmu.h>
#include <asm/vdso.h>

/* What 32-bit programs can map, and with ADDR_LIMIT_3GB. */
#define IA32_LIMIT	0xffffe000UL
#define IA32_LIMIT_3GB	0xc0000000UL

/* As map_vdso() maps them. */
#define VDSO_CODE_FLAGS	(VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_DONTEXPAND)
#define VDSO_DATA_FLAGS	(VM_READ | VM_MAYREAD | VM_IO | VM_PFNMAP | VM_DONTDUMP | VM_DONTEXPAND)

/**
 * ckpt_arch_vma() - is this mapping the architecture's?
 * @vma: a mapping
 *
 * Context: mmap_lock held.
 * Return: true for the vdso and its data pages, as far as
 * ckpt_arch_mm_collect() accepts them.
 */
bool ckpt_arch_vma(struct vm_area_struct *vma)
{
	vm_flags_t flags = vma->vm_flags & ~VM_SOFTDIRTY;
	const struct vdso_image *image;
	unsigned long text;

	if (vma->vm_file || vma->anon_vma || !vma->vm_ops || !vma->vm_ops->name)
		return false;
	image = vma->vm_mm->context.vdso_image;
	text = (unsigned long)vma->vm_mm->context.vdso;
	if (!image || !text)
		return false;
	/* It comes back as exec() maps it: neither protected, sealed nor advised otherwise. */
	if (vma->vm_start == text && vma->vm_end == text + image->size)
		return flags == VDSO_CODE_FLAGS;
	return vma->vm_start == text + image->sym_vvar_start && vma->vm_end == text &&
	       flags == VDSO_DATA_FLAGS;
}

/**
 * ckpt_arch_shadow_stacks() - can there be shadow stacks?
 *
 * Return: whether CPU and kernel support them.
 */
bool ckpt_arch_shadow_stacks(void)
{
	return cpu_feature_enabled(X86_FEATURE_USER_SHSTK);
}

static const char *mm_obstacle(struct mm_struct *mm)
{
	if (mm_lam_cr3_mask(mm))
		return "linear address masking";
	if (mm->context.vdso_image && mm->context.vdso_image != &vdso_image_64 &&
	    mm->context.vdso_image != ckpt_ia32_vdso())
		return "x32 vdso";
	return NULL;
}

/* The kernel's mappings must be where they belong together: both, or none. */
static int vdso_mappings(struct mm_struct *mm)
{
	const struct vdso_image *image = mm->context.vdso_image;
	unsigned long text = (unsigned long)mm->context.vdso;
	struct vm_area_struct *code, *data;

	if (!image || !text)
		return 0;
	code = vma_lookup(mm, text);
	data = vma_lookup(mm, text + image->sym_vvar_start);
	return (code && ckpt_arch_vma(code)) + (data && data != code && ckpt_arch_vma(data));
}

/**
 * ckpt_arch_mm_collect() - refuse what cannot be saved
 * @ctx: the checkpoint
 * @mm: its tasks are frozen
 *
 * Context: Process context, no locks.
 * Return: 0 or -EOPNOTSUPP.
 */
int ckpt_arch_mm_collect(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	const char *what = mm_obstacle(mm);
	int nr;

	mmap_read_lock(mm);
	nr = vdso_mappings(mm);
	mmap_read_unlock(mm);
	if (!what && nr != 0 && nr != 2)
		what = "vdso without its data pages, or changed";
	if (!what)
		return 0;
	return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s: not supported", ckpt_whom(ctx), what);
}

#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
static void save_pkeys(struct mm_struct *mm, struct ckpt_rec_mm_arch *rec)
{
	if (!arch_pkeys_enabled())
		return;
	rec->pkeys = mm_pkey_allocation_map(mm);
	if (mm->context.execute_only_pkey > 0)
		rec->execute_pkey = mm->context.execute_only_pkey;
}

static void set_pkeys(struct mm_struct *mm, const struct ckpt_rec_mm_arch *rec)
{
	mm_pkey_allocation_map(mm) = rec->pkeys;
	if (rec->execute_pkey)
		mm->context.execute_only_pkey = rec->execute_pkey;
}
#else
static void save_pkeys(struct mm_struct *mm, struct ckpt_rec_mm_arch *rec)
{
}

static void set_pkeys(struct mm_struct *mm, const struct ckpt_rec_mm_arch *rec)
{
}
#endif

static u32 flags_to_image(struct mm_struct *mm, bool vdso)
{
	u32 flags = 0;

	if (test_bit(MM_CONTEXT_HAS_VSYSCALL, &mm->context.flags))
		flags |= CKPT_MM_ARCH_VSYSCALL;
	if (test_bit(MM_CONTEXT_UPROBE_IA32, &mm->context.flags))
		flags |= CKPT_MM_ARCH_IA32;
	if (vdso && mm->context.vdso_image == ckpt_ia32_vdso())
		flags |= CKPT_MM_ARCH_VDSO32;
	return flags;
}

/**
 * ckpt_arch_mm_write() - write CKPT_REC_MM_ARCH and CKPT_REC_MM_LDT
 * @ctx: the checkpoint
 * @mm: its tasks are frozen
 *
 * Context: Process context, no locks.
 * Return: 0 or an errno of the stream.
 */
int ckpt_arch_mm_write(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	const struct vdso_image *image = mm->context.vdso_image;
	struct ckpt_rec_mm_arch rec = { };
	int nr;

	mmap_read_lock(mm);
	nr = vdso_mappings(mm);
	mmap_read_unlock(mm);
	if (nr) {
		rec.vdso = (unsigned long)mm->context.vdso;
		rec.vdso_base = rec.vdso + image->sym_vvar_start;
		rec.vdso_end = rec.vdso + image->size;
	}
	rec.flags = flags_to_image(mm, nr);
	save_pkeys(mm, &rec);
	return ckpt_write(ctx, CKPT_REC_MM_ARCH, &rec, sizeof(rec)) ?: ckpt_ldt_write(ctx, mm);
}

static int map_vdso_at(struct ckpt_ctx *ctx, struct mm_struct *mm,
		       const struct ckpt_rec_mm_arch *rec)
{
	const struct vdso_image *image = &vdso_image_64;
	int ret;

	if (rec->flags & CKPT_MM_ARCH_VDSO32)
		image = ckpt_ia32_vdso();
	if (!image || rec->vdso_base != rec->vdso + image->sym_vvar_start ||
	    rec->vdso_end != rec->vdso + image->size ||
	    rec->vdso_base >= rec->vdso || rec->vdso_end > TASK_SIZE ||
	    !PAGE_ALIGNED(rec->vdso_base))
		return ckpt_err(ctx, -EINVAL, "%s: vdso of the image does not fit this kernel",
				ckpt_whom(ctx));
	ret = map_vdso_once(image, rec->vdso_base);
	/* The address is a hint; nothing else is mapped, so only a bad one is not taken. */
	if (!ret && (unsigned long)mm->context.vdso != rec->vdso)
		ret = -EINVAL;
	if (ret)
		return ckpt_err(ctx, ret, "%s: vdso cannot be mapped at %llx", ckpt_whom(ctx),
				rec->vdso);
	return 0;
}

/* How it dumps core. */
static void restore_format(bool ia32)
{
#ifdef CONFIG_COMPAT_BINFMT_ELF
	if (ia32) {
		set_binfmt(&compat_elf_format);
		return;
	}
#endif
#ifdef CONFIG_BINFMT_ELF
	set_binfmt(&elf_format);
#endif
}

/*
 * What exec() of such a program does. Tasks that are to share @mm do not exist
 * yet; the personality that the image has follows, for each of them.
 */
static int restore_layout(struct ckpt_ctx *ctx, struct mm_struct *mm,
			  const struct ckpt_rec_mm_arch *rec)
{
	bool ia32 = rec->flags & CKPT_MM_ARCH_IA32;

	if (ia32 && !ia32_enabled())
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: is a 32-bit program, and this kernel runs none (IA32_EMULATION)",
				ckpt_whom(ctx));
	if (ia32 ? mm->task_size != IA32_LIMIT && mm->task_size != IA32_LIMIT_3GB :
		   mm->task_size != TASK_SIZE_MAX)
		return ckpt_err(ctx, -EINVAL, "%s: bad address space in the image: limit %lx",
				ckpt_whom(ctx), mm->task_size);
	restore_format(ia32);
	current->personality &= ~ADDR_LIMIT_3GB;
	update_thread_flag(TIF_ADDR32, ia32);
	if (ia32)
		set_bit(MM_CONTEXT_UPROBE_IA32, &mm->context.flags);
	if (rec->flags & CKPT_MM_ARCH_VSYSCALL)
		set_bit(MM_CONTEXT_HAS_VSYSCALL, &mm->context.flags);
	return 0;
}

/* Key 0 is that of all memory; the image knows of no others if its CPU had none. */
static int restore_pkeys(struct ckpt_ctx *ctx, struct mm_struct *mm,
			 const struct ckpt_rec_mm_arch *rec)
{
	if (!rec->pkeys && !rec->execute_pkey)
		return 0;
	if (!(rec->pkeys & 1) || rec->pkeys >> 16 || rec->execute_pkey >= 16 ||
	    !(rec->pkeys & BIT(rec->execute_pkey)))
		return ckpt_err(ctx, -EINVAL, "image: bad protection keys %x, %u", rec->pkeys,
				rec->execute_pkey);
	if (arch_pkeys_enabled())
		set_pkeys(mm, rec);
	else if (rec->pkeys != 1)
		return ckpt_err(ctx, -EOPNOTSUPP, "%s: protection keys: this CPU has none",
				ckpt_whom(ctx));
	return 0;
}

/**
 * ckpt_arch_mm_restore() - read CKPT_REC_MM_ARCH and CKPT_REC_MM_LDT
 * @ctx: the restart
 * @mm: address space of current, empty
 *
 * Context: Process context of the owner, no locks.
 * Return: 0 or an errno after ckpt_err().
 */
int ckpt_arch_mm_restore(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct ckpt_rec_mm_arch rec;
	int ret;

	ret = ckpt_read(ctx, CKPT_REC_MM_ARCH, &rec, sizeof(rec));
	if (ret)
		return ret;
	if (rec.flags & ~CKPT_MM_ARCH_ALL || rec.pad)
		return ckpt_err(ctx, -EINVAL, "image: unknown flags of an address space: %x",
				rec.flags);
	ret = restore_layout(ctx, mm, &rec);
	if (!ret)
		ret = restore_pkeys(ctx, mm, &rec);
	if (!ret)
		ret = ckpt_ldt_restore(ctx);
	if (ret || !rec.vdso)
		return ret;
	if (ckpt_vdso_is_foreign(ctx, &rec))
		return ckpt_vdso_note(ctx, mm, &rec);
	return map_vdso_at(ctx, mm, &rec);
}
