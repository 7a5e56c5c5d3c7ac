// SPDX-License-Identifier: GPL-2.0
/*
 * What the vdso of another kernel build has in the place of its functions, and
 * which functions those are.
 */
#include <linux/elf.h>
#include <linux/string.h>
#include <asm/checkpoint.h>
#include <asm/unistd.h>
#include <asm/vdso.h>

#include "checkpoint_vdso.h"

#define STUB_LEN	32	/* what a jump leads to, in the spare page */

static const struct {
	const char *name;
	int nr;		/* of the system call with the same arguments, or -1 */
} functions[CKPT_VDSO_MAX] = {
	[CKPT_VDSO_CLOCK_GETTIME] = { "__vdso_clock_gettime", __NR_clock_gettime },
	[CKPT_VDSO_GETTIMEOFDAY] = { "__vdso_gettimeofday", __NR_gettimeofday },
	[CKPT_VDSO_TIME] = { "__vdso_time", __NR_time },
	[CKPT_VDSO_GETCPU] = { "__vdso_getcpu", __NR_getcpu },
	[CKPT_VDSO_CLOCK_GETRES] = { "__vdso_clock_getres", __NR_clock_getres },
	[CKPT_VDSO_GETRANDOM] = { "__vdso_getrandom", __NR_getrandom },
	[CKPT_VDSO_CLOCK_GETTIME64] = { "__vdso_clock_gettime64", -1 },
	[CKPT_VDSO_VSYSCALL] = { "__kernel_vsyscall", -1 },
};

/* Offset of a function in the text of a vdso, 0 if it has none. */
#define DEFINE_FIND(bits)							\
static u32 find##bits(const void *data, const char *name)			\
{										\
	const struct elf##bits##_hdr *ehdr = data;				\
	const struct elf##bits##_shdr *shdr = data + ehdr->e_shoff;		\
	const struct elf##bits##_sym *sym;					\
	const char *names;							\
	unsigned int i, j;							\
										\
	for (i = 0; i < ehdr->e_shnum; i++) {					\
		if (shdr[i].sh_type != SHT_DYNSYM)				\
			continue;						\
		sym = data + shdr[i].sh_offset;					\
		names = data + shdr[shdr[i].sh_link].sh_offset;			\
		for (j = 0; j < shdr[i].sh_size / sizeof(*sym); j++)		\
			if (!strcmp(names + sym[j].st_name, name))		\
				return sym[j].st_value;				\
	}									\
	return 0;								\
}

DEFINE_FIND(64)
DEFINE_FIND(32)

/* movabs $target, %r11; jmp *%r11: a register that functions may change */
static void put_jump64(u8 *stub, u64 target)
{
	static const u8 code[] = { 0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xe3 };

	memcpy(stub, code, sizeof(code));
	memcpy(stub + 2, &target, sizeof(target));
}

/* mov $nr, %eax; syscall; ret */
static void put_syscall(u8 *stub, u32 nr)
{
	static const u8 code[] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	memcpy(stub, code, sizeof(code));
	memcpy(stub + 1, &nr, sizeof(nr));
}

/*
 * cmp $-1, %r8; je 1f; mov $nr, %eax; syscall; ret; 1: mov $-EOPNOTSUPP, %rax; ret
 *
 * The state that a program has is of the old vdso's making and no use to ours;
 * who asks for its size is told that there is none to be had.
 */
static void put_getrandom(u8 *stub)
{
	static const u8 head[] = { 0x49, 0x83, 0xf8, 0xff, 0x74, 0x08 };
	static const u8 tail[] = { 0x48, 0xc7, 0xc0, 0xa1, 0xff, 0xff, 0xff, 0xc3 };

	BUILD_BUG_ON(EOPNOTSUPP != 0x100 - 0xa1);
	memcpy(stub, head, sizeof(head));
	put_syscall(stub + sizeof(head), __NR_getrandom);
	memcpy(stub + sizeof(head) + 8, tail, sizeof(tail));
}

static void put_stub64(u8 *stub, unsigned long addr, int function, unsigned long target)
{
	if (function == CKPT_VDSO_GETRANDOM)
		put_getrandom(stub);
	else if (target)
		put_jump64(stub, target);
	else
		put_syscall(stub, functions[function].nr);
}

/* jmp rel32 */
static void put_jump32(u8 *code, u32 distance)
{
	*code = 0xe9;
	memcpy(code + 1, &distance, sizeof(distance));
}

/* Addresses wrap at 4 GiB, so that all are near. */
static void put_stub32(u8 *stub, unsigned long addr, int function, unsigned long target)
{
	put_jump32(stub, target - (addr + CKPT_VDSO_JUMP_LEN));
}

static const struct vdso_image *image64(void)
{
	return &vdso_image_64;
}

/* The 32-bit calls have arguments on the stack, and other formats of times. */
const struct ckpt_vdso_kind ckpt_vdso_kinds[CKPT_VDSO_KINDS] = {
	[CKPT_VDSO_64] = {
		.name = "64-bit",
		.image = image64,
		.same = ckpt_same_vdso,
		.find = find64,
		.put_stub = put_stub64,
		.makes_calls = true,
	},
	[CKPT_VDSO_32] = {
		.name = "32-bit",
		.image = ckpt_ia32_vdso,
		.same = ckpt_ia32_same_vdso,
		.find = find32,
		.put_stub = put_stub32,
		.has_gate = true,
	},
};

/**
 * ckpt_vdso_function() - what a function is called
 * @function: CKPT_VDSO_*
 *
 * Return: its name.
 */
const char *ckpt_vdso_function(int function)
{
	return functions[function].name;
}

/**
 * ckpt_vdso_entry() - find a function in our own vdso
 * @kind: which vdso; this kernel has it
 * @function: CKPT_VDSO_*
 *
 * Return: its offset in the text, 0 if there is none.
 */
u32 ckpt_vdso_entry(const struct ckpt_vdso_kind *kind, int function)
{
	return kind->find(kind->image()->data, functions[function].name);
}

/**
 * ckpt_vdso_can_lead() - is there something that does the work of a function?
 * @kind: which vdso; this kernel has it
 * @function: CKPT_VDSO_*
 *
 * Return: whether ckpt_vdso_lead() can be told to replace it.
 */
bool ckpt_vdso_can_lead(const struct ckpt_vdso_kind *kind, int function)
{
	return (kind->makes_calls && functions[function].nr >= 0) ||
	       ckpt_vdso_entry(kind, function);
}

/**
 * ckpt_vdso_lead() - let the functions of an old vdso lead to those of ours
 * @kind: which vdso; this kernel has it
 * @rec: what the image says, checked
 * @old: copy of the data pages and text of the old one
 * @addr: where they are to lie in memory
 * @ours: address of the text of ours
 */
void ckpt_vdso_lead(const struct ckpt_vdso_kind *kind, const struct ckpt_rec_vdso *rec,
		    u8 *old, unsigned long addr, unsigned long ours)
{
	u8 *text = old + rec->data_size, *stub = old + rec->spare, *entry;
	u32 offset;
	int i;

	BUILD_BUG_ON(CKPT_VDSO_MAX * STUB_LEN > PAGE_SIZE);
	for (i = 0; i < CKPT_VDSO_MAX; i++, stub += STUB_LEN) {
		if (!rec->entry[i])
			continue;
		offset = ckpt_vdso_entry(kind, i);
		kind->put_stub(stub, addr + (stub - old), i, offset ? ours + offset : 0);
		entry = text + rec->entry[i];
		put_jump32(entry, stub - (entry + CKPT_VDSO_JUMP_LEN));
	}
}
