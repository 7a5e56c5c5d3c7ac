// SPDX-License-Identifier: GPL-2.0
/*
 * The flags of mappings: which the image has, and which go together.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pkeys.h>

#include "../internal.h"
#include "mm.h"

static const struct {
	u64 image;
	vm_flags_t vm;
} flag_table[] = {
	{ CKPT_VMA_READ, VM_READ },
	{ CKPT_VMA_WRITE, VM_WRITE },
	{ CKPT_VMA_EXEC, VM_EXEC },
	{ CKPT_VMA_SHARED, VM_MAYSHARE },
	{ CKPT_VMA_MAYREAD, VM_MAYREAD },
	{ CKPT_VMA_MAYWRITE, VM_MAYWRITE },
	{ CKPT_VMA_MAYEXEC, VM_MAYEXEC },
	{ CKPT_VMA_GROWSDOWN, VM_GROWSDOWN },
	{ CKPT_VMA_LOCKED, VM_LOCKED },
	{ CKPT_VMA_LOCKONFAULT, VM_LOCKONFAULT },
	{ CKPT_VMA_SEQ_READ, VM_SEQ_READ },
	{ CKPT_VMA_RAND_READ, VM_RAND_READ },
	{ CKPT_VMA_DONTFORK, VM_DONTCOPY },
	{ CKPT_VMA_DONTDUMP, VM_DONTDUMP },
	{ CKPT_VMA_WIPEONFORK, VM_WIPEONFORK },
	{ CKPT_VMA_HUGEPAGE, VM_HUGEPAGE },
	{ CKPT_VMA_NOHUGEPAGE, VM_NOHUGEPAGE },
	{ CKPT_VMA_MERGEABLE, VM_MERGEABLE },
	{ CKPT_VMA_ACCOUNT, VM_ACCOUNT },
	{ CKPT_VMA_NORESERVE, VM_NORESERVE },
	{ CKPT_VMA_DROPPABLE, VM_DROPPABLE },
	{ CKPT_VMA_SEALED, VM_SEALED },
	{ CKPT_VMA_SHADOW_STACK, VM_SHADOW_STACK },
};

/* VM_SHARED follows from VM_MAYSHARE and the mode of the file; a key has its own field. */
#define VM_DERIVED	(VM_SHARED | VM_SOFTDIRTY | ARCH_VM_PKEY_FLAGS)

static u64 flags_to_image(vm_flags_t vm)
{
	u64 flags = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(flag_table); i++)
		if (vm & flag_table[i].vm)
			flags |= flag_table[i].image;
	return flags;
}

/**
 * ckpt_vma_flags_to_vm() - flags of a mapping as the kernel has them
 * @flags: CKPT_VMA_*
 *
 * Return: VM_*, without those that follow from the file and the key.
 */
vm_flags_t ckpt_vma_flags_to_vm(u64 flags)
{
	vm_flags_t vm = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(flag_table); i++)
		if (flags & flag_table[i].image)
			vm |= flag_table[i].vm;
	return vm;
}

/* What the file of a mapping of huge pages sets by itself. */
static vm_flags_t hugetlb_flags(struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page(vma) ? VM_HUGETLB | VM_DONTEXPAND : 0;
}

/**
 * ckpt_vma_flags_known() - can the image tell all that a mapping is?
 * @vma: the mapping
 */
bool ckpt_vma_flags_known(struct vm_area_struct *vma)
{
	vm_flags_t known = ckpt_vma_flags_to_vm(CKPT_VMA_FLAGS_ALL) | VM_DERIVED;

	return !(vma->vm_flags & ~(known | hugetlb_flags(vma)));
}

/* fork() leaves the pages that a private mapping has reserved with the parent. */
static bool is_unreserved(struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page(vma) && !(vma->vm_flags & (VM_MAYSHARE | VM_NORESERVE)) &&
	       !vma->vm_private_data;
}

/**
 * ckpt_vma_flags() - flags of a mapping as the image has them
 * @vma: the mapping
 *
 * Context: mmap_lock held.
 * Return: CKPT_VMA_*.
 */
u64 ckpt_vma_flags(struct vm_area_struct *vma)
{
	u64 flags = flags_to_image(vma->vm_flags);

	if (is_unreserved(vma))
		flags |= CKPT_VMA_UNRESERVED;
	if (anon_vma_name(vma))
		flags |= CKPT_VMA_NAMED;
	return flags;
}

static bool all(u64 flags, u64 wanted)
{
	return (flags & wanted) == wanted;
}

/* What is not both true, whatever madvise() is given. */
static bool advice_valid(u64 flags)
{
	return !all(flags, CKPT_VMA_SEQ_READ | CKPT_VMA_RAND_READ) &&
	       !all(flags, CKPT_VMA_HUGEPAGE | CKPT_VMA_NOHUGEPAGE) &&
	       !all(flags, CKPT_VMA_MERGEABLE | CKPT_VMA_SHARED) &&
	       !all(flags, CKPT_VMA_MERGEABLE | CKPT_VMA_DROPPABLE);
}

/**
 * ckpt_vma_flags_valid() - can a mapping have these flags?
 * @flags: CKPT_VMA_* and others
 * @anon: it has no file
 *
 * Combinations that mmap(), mprotect() and madvise() cannot make do not exist.
 */
bool ckpt_vma_flags_valid(u64 flags, bool anon)
{
	const u64 droppable = CKPT_VMA_NORESERVE | CKPT_VMA_WIPEONFORK | CKPT_VMA_DONTDUMP;
	bool shared = flags & CKPT_VMA_SHARED;

	if (flags & ~CKPT_VMA_FLAGS_ALL || !advice_valid(flags))
		return false;
	if (((flags & CKPT_VMA_READ) && !(flags & CKPT_VMA_MAYREAD)) ||
	    ((flags & CKPT_VMA_WRITE) && !(flags & CKPT_VMA_MAYWRITE)) ||
	    ((flags & CKPT_VMA_EXEC) && !(flags & CKPT_VMA_MAYEXEC)))
		return false;
	/* Private memory can always be written by a debugger. */
	if (shared ? anon : !(flags & CKPT_VMA_MAYWRITE))
		return false;
	if ((anon || shared) && (flags & CKPT_VMA_UNRESERVED))
		return false;
	if (!anon && (flags & (CKPT_VMA_GROWSDOWN | CKPT_VMA_DROPPABLE | CKPT_VMA_WIPEONFORK)))
		return false;
	if ((flags & CKPT_VMA_DROPPABLE) &&
	    (!VM_DROPPABLE || !all(flags, droppable) ||
	     (flags & (CKPT_VMA_GROWSDOWN | CKPT_VMA_LOCKED))))
		return false;
	if ((flags & CKPT_VMA_SHADOW_STACK) &&
	    (!anon || (flags & (CKPT_VMA_EXEC | CKPT_VMA_GROWSDOWN | CKPT_VMA_DROPPABLE))))
		return false;
	return !(flags & CKPT_VMA_LOCKONFAULT) || (flags & CKPT_VMA_LOCKED);
}
