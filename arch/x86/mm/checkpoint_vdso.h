/* SPDX-License-Identifier: GPL-2.0 */
/* The vdsos of this kernel, as those of an image are to lead to them. */
#ifndef _X86_MM_CHECKPOINT_VDSO_H
#define _X86_MM_CHECKPOINT_VDSO_H

#include <linux/checkpoint_image.h>
#include <linux/types.h>

#define CKPT_VDSO_JUMP_LEN	5	/* jmp rel32, at the entry of a function */
#define CKPT_VDSO_INT80_LEN	2	/* int $0x80, in front of where system calls return to */

struct vdso_image;

enum {
	CKPT_VDSO_64,
	CKPT_VDSO_32,
	CKPT_VDSO_KINDS,
};

/**
 * struct ckpt_vdso_kind - a vdso of this kernel
 * @name: Required. For messages.
 * @image: Required. Returns it, or NULL if this kernel runs no programs that
 *	have it.
 * @same: Required. Was the image made with the same?
 * @find: Required. Returns the offset of a function in the text, 0 if there
 *	is none.
 * @put_stub: Required. Writes the code for an address that leads to a function
 *	at another, or with @makes_calls, if that is 0, does its work.
 * @makes_calls: whether system calls can stand in for functions
 * @has_gate: whether system calls are made, and handlers return, through it:
 *	it has CKPT_VDSO_VSYSCALL
 */
struct ckpt_vdso_kind {
	const char *name;
	const struct vdso_image *(*image)(void);
	bool (*same)(const struct ckpt_rec_arch *rec);
	u32 (*find)(const void *data, const char *name);
	void (*put_stub)(u8 *stub, unsigned long addr, int function, unsigned long target);
	bool makes_calls;
	bool has_gate;
};

extern const struct ckpt_vdso_kind ckpt_vdso_kinds[CKPT_VDSO_KINDS];

const char *ckpt_vdso_function(int function);
u32 ckpt_vdso_entry(const struct ckpt_vdso_kind *kind, int function);
bool ckpt_vdso_can_lead(const struct ckpt_vdso_kind *kind, int function);
void ckpt_vdso_lead(const struct ckpt_vdso_kind *kind, const struct ckpt_rec_vdso *rec,
		    u8 *old, unsigned long addr, unsigned long ours);

#define CKPT_STACKS_MAX	16	/* of one task, with handlers that interrupted one another */

int ckpt_walk_frames(unsigned long sp, int (*fn)(unsigned long ip, void *arg), void *arg);

#endif /* _X86_MM_CHECKPOINT_VDSO_H */
