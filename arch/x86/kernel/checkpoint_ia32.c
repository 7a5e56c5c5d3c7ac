// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of 32-bit programs: what is different about their system
 * calls, and what they demand of the kernel.
 */
#include <linux/buildid.h>
#include <linux/checkpoint.h>
#include <linux/elf.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/checkpoint.h>
#include <asm/ia32.h>
#include <asm/mmu.h>
#include <asm/ptrace.h>
#include <asm/vdso.h>

/* As ckpt_changes_file() */
static bool changes_file(int nr)
{
	switch (nr) {
	case __NR_ia32_open:
	case __NR_ia32_openat:
	case __NR_ia32_openat2:
	case __NR_ia32_creat:
	case __NR_ia32_truncate:
	case __NR_ia32_truncate64:
	case __NR_ia32_chmod:
	case __NR_ia32_fchmod:
	case __NR_ia32_fchmodat:
	case __NR_ia32_fchmodat2:
	case __NR_ia32_chown:
	case __NR_ia32_chown32:
	case __NR_ia32_fchown:
	case __NR_ia32_fchown32:
	case __NR_ia32_lchown:
	case __NR_ia32_lchown32:
	case __NR_ia32_fchownat:
	case __NR_ia32_utime:
	case __NR_ia32_utimes:
	case __NR_ia32_futimesat:
	case __NR_ia32_utimensat:
	case __NR_ia32_utimensat_time64:
	case __NR_ia32_setxattr:
	case __NR_ia32_lsetxattr:
	case __NR_ia32_fsetxattr:
	case __NR_ia32_removexattr:
	case __NR_ia32_lremovexattr:
	case __NR_ia32_fremovexattr:
	case __NR_ia32_link:
	case __NR_ia32_linkat:
	case __NR_ia32_unlink:
	case __NR_ia32_unlinkat:
	case __NR_ia32_rename:
	case __NR_ia32_renameat:
	case __NR_ia32_renameat2:
	case __NR_ia32_rmdir:
	case __NR_ia32_mkdir:
	case __NR_ia32_mkdirat:
	case __NR_ia32_mknod:
	case __NR_ia32_mknodat:
	case __NR_ia32_symlink:
	case __NR_ia32_symlinkat:
	case __NR_ia32_bind:
		return true;
	}
	return false;
}

/**
 * ckpt_ia32_call_restarts() - Can a 32-bit system call that a freeze interrupted begin again?
 * @nr: its number
 *
 * Of those that return -EINTR, the same as of the 64-bit ones. ipc() and
 * socketcall() are several calls in one, of which only these return that.
 */
bool ckpt_ia32_call_restarts(int nr)
{
	if (changes_file(nr))
		return true;
	switch (nr) {
	case __NR_ia32_epoll_wait:
	case __NR_ia32_epoll_pwait:
	case __NR_ia32_epoll_pwait2:
	case __NR_ia32_rt_sigtimedwait:
	case __NR_ia32_rt_sigtimedwait_time64:
	case __NR_ia32_ipc:
	case __NR_ia32_semtimedop_time64:
	case __NR_ia32_io_uring_enter:
	case __NR_ia32_io_getevents:
	case __NR_ia32_io_pgetevents:
	case __NR_ia32_io_pgetevents_time64:
	case __NR_ia32_swapoff:
	/* on hugetlbfs */
	case __NR_ia32_fallocate:
	/* with a timeout that the kernel cannot write back */
	case __NR_ia32_select:
	case __NR_ia32__newselect:
	case __NR_ia32_pselect6:
	case __NR_ia32_pselect6_time64:
	case __NR_ia32_ppoll:
	case __NR_ia32_ppoll_time64:
	/* on sockets with a timeout */
	case __NR_ia32_read:
	case __NR_ia32_readv:
	case __NR_ia32_write:
	case __NR_ia32_writev:
	case __NR_ia32_socketcall:
	case __NR_ia32_recvfrom:
	case __NR_ia32_recvmsg:
	case __NR_ia32_recvmmsg:
	case __NR_ia32_recvmmsg_time64:
	case __NR_ia32_sendto:
	case __NR_ia32_sendmsg:
	case __NR_ia32_sendmmsg:
	case __NR_ia32_accept4:
	case __NR_ia32_connect:
		return true;
	}
	return false;
}

/**
 * ckpt_ia32_native_nr() - Find the 64-bit form of a 32-bit system call
 * @nr: its number
 *
 * Only of those that sleep until a time. The times themselves may have another
 * format.
 *
 * Return: the number of the 64-bit call with the same arguments, or -1.
 */
int ckpt_ia32_native_nr(int nr)
{
	switch (nr) {
	case __NR_ia32_clock_nanosleep:
	case __NR_ia32_clock_nanosleep_time64:
		return __NR_clock_nanosleep;
	case __NR_ia32_futex:
	case __NR_ia32_futex_time64:
		return __NR_futex;
	case __NR_ia32_futex_waitv:
		return __NR_futex_waitv;
	case __NR_ia32_futex_wait:
		return __NR_futex_wait;
	}
	return -1;
}

/**
 * ckpt_ia32_calls_restart() - Is a task about to make the 32-bit restart_syscall(2)?
 * @task: a frozen task
 *
 * That has number 0, which is in the register after most calls, too: only the
 * instruction that follows tells.
 *
 * Context: May sleep.
 */
bool ckpt_ia32_calls_restart(struct task_struct *task)
{
	static const u8 int80[] = { 0xcd, 0x80 };
	struct pt_regs *regs = task_pt_regs(task);
	u8 insn[sizeof(int80)];

	if (!(task->restart_block.arch_data & TS_COMPAT) || regs->ax != ckpt_restart_nr(true))
		return false;
	return access_process_vm(task, regs->ip, insn, sizeof(insn), FOLL_FORCE) ==
	       sizeof(insn) && !memcmp(insn, int80, sizeof(insn));
}

/**
 * ckpt_ia32_vdso() - the vdso of 32-bit programs
 *
 * Return: NULL if this kernel runs none.
 */
const struct vdso_image *ckpt_ia32_vdso(void)
{
#ifdef CONFIG_IA32_EMULATION
	if (ia32_enabled())
		return &vdso_image_32;
#endif
	return NULL;
}

static void vdso32_build_id(const struct vdso_image *image, u8 *id)
{
	const struct elf32_hdr *ehdr = image->data;
	const struct elf32_phdr *phdr = image->data + ehdr->e_phoff;
	int i;

	for (i = 0; i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_NOTE &&
		    !build_id_parse_buf(image->data + phdr[i].p_offset, id, phdr[i].p_filesz))
			return;
}

/* 64-bit programs may ask for that vdso, too. */
static bool is_ia32_mm(void *obj, const void *vdso)
{
	const struct mm_struct *mm = obj;

	return test_bit(MM_CONTEXT_UPROBE_IA32, &mm->context.flags) ||
	       mm->context.vdso_image == vdso;
}

/**
 * ckpt_ia32_fill() - say what the 32-bit programs of the tree demand
 * @ctx: the checkpoint, everything is collected
 * @rec: nothing is added to it if there are none
 */
void ckpt_ia32_fill(struct ckpt_ctx *ctx, struct ckpt_rec_arch *rec)
{
	const struct vdso_image *image = ckpt_ia32_vdso();

	if (!image || !ckpt_obj_find(ctx, &ckpt_mm_obj_ops, is_ia32_mm, image))
		return;
	rec->flags |= CKPT_ARCHF_IA32;
	rec->vdso32_size = image->size;
	vdso32_build_id(image, rec->vdso32_build_id);
}

/**
 * ckpt_ia32_check() - can the 32-bit programs of an image run here?
 * @ctx: the restart
 * @rec: what the image says
 *
 * Return: 0, or -EOPNOTSUPP after ckpt_err().
 */
int ckpt_ia32_check(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *rec)
{
	if (!(rec->flags & CKPT_ARCHF_IA32) || ckpt_ia32_vdso())
		return 0;
	return ckpt_err(ctx, -EOPNOTSUPP,
			"this kernel does not run 32-bit programs (IA32_EMULATION)");
}

/**
 * ckpt_ia32_same_vdso() - was the image made with our 32-bit vdso?
 * @rec: what the image says of its machine, checked; there are 32-bit programs
 *
 * Return: whether its code is the same.
 */
bool ckpt_ia32_same_vdso(const struct ckpt_rec_arch *rec)
{
	const struct vdso_image *image = ckpt_ia32_vdso();
	u8 id[CKPT_BUILD_ID_LEN] = {};

	vdso32_build_id(image, id);
	return rec->vdso32_size == image->size && !memcmp(rec->vdso32_build_id, id, sizeof(id));
}
