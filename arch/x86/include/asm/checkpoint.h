/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoint/restart: what the engine needs of the architecture besides the
 * records of arch/x86/kernel/checkpoint.c.
 */
#ifndef _ASM_X86_CHECKPOINT_H
#define _ASM_X86_CHECKPOINT_H

#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include <asm/pkru.h>
#include <asm/prctl.h>
#include <asm/processor.h>
#include <asm/proto.h>
#include <asm/shstk.h>
#include <asm/tsc.h>
#include <asm/unistd.h>

struct ckpt_ctx;
struct ckpt_rec_arch;
struct ckpt_rec_mm_arch;
struct mm_struct;
struct vdso_image;

/*
 * Takes off current what it has inherited from the restarter. The shadow stack
 * must go while current is in the mm that it was made in. Of the I/O ports a
 * clone with a function to run inherits the level only. PKRU filters the
 * kernel's accesses to user memory too, so it stays open until the saved value
 * is loaded.
 */
static inline void ckpt_arch_reset_task(void)
{
	shstk_free(current);
	reset_thread_features();
	current->thread.iopl_emul = 0;
	flush_thread();
	write_pkru(0);
	SET_TSC_CTL(PR_TSC_ENABLE);
	if (test_thread_flag(TIF_NOCPUID))
		do_arch_prctl_common(ARCH_SET_CPUID, 1);
	clear_thread_flag(TIF_ADDR32);
}

bool ckpt_same_vdso(const struct ckpt_rec_arch *rec);

/* mm/checkpoint_vdso.c */
bool ckpt_vdso_is_foreign(struct ckpt_ctx *ctx, const struct ckpt_rec_mm_arch *rec);
int ckpt_vdso_note(struct ckpt_ctx *ctx, struct mm_struct *mm,
		   const struct ckpt_rec_mm_arch *rec);
int ckpt_vdso_check_place(struct ckpt_ctx *ctx, unsigned long ip, unsigned long sp);

/* checkpoint_fpu.c */
void ckpt_fpu_fill(struct ckpt_rec_arch *rec);
int ckpt_fpu_check(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *rec);

/* checkpoint_ldt.c */
int ckpt_ldt_write(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_ldt_restore(struct ckpt_ctx *ctx);

/* 32-bit programs, and 64-bit ones that make 32-bit system calls. */
bool ckpt_ia32_call_restarts(int nr);
int ckpt_ia32_native_nr(int nr);
bool ckpt_ia32_calls_restart(struct task_struct *task);
const struct vdso_image *ckpt_ia32_vdso(void);
bool ckpt_ia32_same_vdso(const struct ckpt_rec_arch *rec);
void ckpt_ia32_fill(struct ckpt_ctx *ctx, struct ckpt_rec_arch *rec);
int ckpt_ia32_check(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *rec);

/* The number of restart_syscall(2). */
static inline int ckpt_restart_nr(bool compat)
{
	return compat ? __NR_ia32_restart_syscall : __NR_restart_syscall;
}

#endif /* _ASM_X86_CHECKPOINT_H */
