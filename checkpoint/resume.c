// SPDX-License-Identifier: GPL-2.0
/*
 * Hiding from a task that a freeze interrupted its system call.
 *
 * Most calls return one of the ERESTART codes, or leave a restart block behind.
 * Here is for those that return EINTR when a signal wakes them: with no signal
 * to be seen, the program would not expect it. They begin again. When those
 * end whose timeout is relative is kept in the restart block, which they do
 * not use otherwise.
 *
 * write() returns what it has written so far. It goes on with the rest.
 */
#include <linux/audit.h>
#include <linux/checkpoint_hooks.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pipe_fs_i.h>
#include <linux/ptrace.h>
#include <linux/restart_block.h>
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include <asm/checkpoint.h>
#include <asm/syscall.h>

#include "internal.h"

/*
 * In futex.val of a restart block that holds a deadline: the call did begin
 * again. No signal has ended it, after which the program may make another one.
 */
#define CKPT_BEGINS_AGAIN	1

/* On overlayfs these return EINTR if another task is about to copy the file up. */
static bool ckpt_changes_file(int nr)
{
	switch (nr) {
	case __NR_open:
	case __NR_openat:
	case __NR_openat2:
	case __NR_creat:
	case __NR_truncate:
	case __NR_chmod:
	case __NR_fchmod:
	case __NR_fchmodat:
	case __NR_fchmodat2:
	case __NR_chown:
	case __NR_fchown:
	case __NR_lchown:
	case __NR_fchownat:
	case __NR_utime:
	case __NR_utimes:
	case __NR_futimesat:
	case __NR_utimensat:
	case __NR_setxattr:
	case __NR_lsetxattr:
	case __NR_fsetxattr:
	case __NR_removexattr:
	case __NR_lremovexattr:
	case __NR_fremovexattr:
	case __NR_link:
	case __NR_linkat:
	case __NR_unlink:
	case __NR_unlinkat:
	case __NR_rename:
	case __NR_renameat:
	case __NR_renameat2:
	case __NR_rmdir:
	case __NR_mkdir:
	case __NR_mkdirat:
	case __NR_mknod:
	case __NR_mknodat:
	case __NR_symlink:
	case __NR_symlinkat:
	case __NR_bind:
		return true;
	}
	return false;
}

/*
 * Calls that return EINTR when a signal wakes them, but can just as well begin
 * again: nothing has been consumed.
 */
static bool ckpt_call_restarts(int nr)
{
	if (in_compat_syscall())
		return ckpt_ia32_call_restarts(nr);
	if (ckpt_changes_file(nr))
		return true;
	switch (nr) {
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
	case __NR_rt_sigtimedwait:
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_io_uring_enter:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
	case __NR_swapoff:
	/* on hugetlbfs */
	case __NR_fallocate:
	/* with a timeout that the kernel cannot write back */
	case __NR_select:
	case __NR_pselect6:
	case __NR_ppoll:
	/* on sockets with a timeout */
	case __NR_read:
	case __NR_readv:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_write:
	case __NR_writev:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_accept:
	case __NR_accept4:
	case __NR_connect:
		return true;
	}
	return false;
}

/* Is current to call restart_syscall(2), where filters are? It may be about to. */
static bool ckpt_will_continue(struct pt_regs *regs)
{
	struct restart_block *rb = &current->restart_block;
	long ret = syscall_get_return_value(current, regs);

	if (!test_syscall_work(SECCOMP))
		return false;
	if (ret == -ERESTART_RESTARTBLOCK || !(rb->arch_data & TS_COMPAT))
		return ret == -ERESTART_RESTARTBLOCK || ret == ckpt_restart_nr(false);
	/* Most calls return 0, the number of this one: only that it may be is known. */
	return ret == ckpt_restart_nr(true) && rb->fn != do_no_restart_syscall;
}

static u32 __user *user_sp(struct task_struct *task)
{
	return (u32 __user *)user_stack_pointer(task_pt_regs(task));
}

/* Tells a pipe from another that takes its place as a descriptor. */
static u64 ckpt_pipe_id(const struct file *file)
{
	return file_inode(file)->i_ino;
}

static void ckpt_keep(u64 pipe, u32 fd, unsigned long buf, u32 count, u32 done, unsigned long sp)
{
	struct restart_block *rb = &current->restart_block;

	rb->futex.time = pipe;
	rb->futex.val = fd;
	rb->futex.uaddr = (u32 __user *)buf;
	rb->futex.flags = count;
	rb->futex.bitset = done;
	rb->futex.uaddr2 = (u32 __user *)sp;
	set_restart_fn(rb, ckpt_rest_kept);
}

/**
 * ckpt_set_rest() - Remember what a restored task has to write
 * @fd: the descriptor
 * @buf: the buffer
 * @count: bytes to be written from it
 * @done: bytes that were
 * @sp: the stack pointer, which tells it from a call by a signal handler
 *
 * Nothing if @fd is no pipe: only of those there is a rest.
 *
 * Context: The task being restored, with its descriptors.
 */
void ckpt_set_rest(u32 fd, unsigned long buf, u32 count, u32 done, unsigned long sp)
{
	CLASS(fd, pipe)(fd);

	if (!fd_file(pipe) || !get_pipe_info(fd_file(pipe), false))
		return;
	ckpt_keep(ckpt_pipe_id(fd_file(pipe)), fd, buf, count, done, sp);
}

static bool ckpt_is_write(struct task_struct *task, struct pt_regs *regs)
{
	bool ia32 = syscall_get_arch(task) == AUDIT_ARCH_I386;

	return syscall_get_nr(task, regs) == (ia32 ? __NR_ia32_write : __NR_write);
}

/**
 * ckpt_has_rest() - Does a task return from a write of which there is a rest?
 * @task: current, or a frozen task
 *
 * A block that was not used stays behind until the next one: all must match.
 */
bool ckpt_has_rest(struct task_struct *task)
{
	struct restart_block *rb = &task->restart_block;
	struct pt_regs *regs = task_pt_regs(task);
	unsigned long args[6];

	if (rb->fn != ckpt_rest_kept || rb->futex.bitset >= rb->futex.flags ||
	    rb->futex.uaddr2 != user_sp(task) || !ckpt_is_write(task, regs) ||
	    syscall_get_return_value(task, regs) != rb->futex.bitset)
		return false;
	syscall_get_arguments(task, regs, args);
	return (u32)args[0] == rb->futex.val && args[1] == (unsigned long)rb->futex.uaddr &&
	       args[2] >= rb->futex.flags;
}

/* Another thread may have closed the descriptor meanwhile, and opened something else. */
static long ckpt_write_to(u64 pipe, u32 fd, const char __user *buf, u32 count)
{
	CLASS(fd, f)(fd);

	if (!fd_file(f) || !get_pipe_info(fd_file(f), false) ||
	    ckpt_pipe_id(fd_file(f)) != pipe)
		return 0;
	return vfs_write(fd_file(f), buf, count, NULL);
}

/*
 * No signal handler has run since, nor could one before this is over. If it is
 * interrupted by another freeze, it keeps what is left then.
 */
static void ckpt_write_rest(struct pt_regs *regs)
	__releases(&current->sighand->siglock)
	__acquires(&current->sighand->siglock)
{
	spinlock_t *siglock = &unrcu_pointer(current->sighand)->siglock;
	struct restart_block *rb = &current->restart_block;
	u32 fd = rb->futex.val, count = rb->futex.flags, done = rb->futex.bitset;
	unsigned long buf = (unsigned long)rb->futex.uaddr;
	u64 pipe = rb->futex.time;
	long ret;

	rb->fn = do_no_restart_syscall;
	current->jobctl &= ~JOBCTL_CKPT_WOKEN;
	spin_unlock_irq(siglock);
	ret = ckpt_write_to(pipe, fd, (const char __user *)buf + done, count - done);
	spin_lock_irq(siglock);
	if (ret > 0)
		done += ret;
	if ((ret > 0 || ret == -ERESTARTSYS) && done < count &&
	    current->jobctl & JOBCTL_CKPT_WOKEN)
		ckpt_keep(pipe, fd, buf, count, done, (unsigned long)user_sp(current));
	syscall_set_return_value(current, regs, 0, done);
}

/**
 * ckpt_deadline_kept() - Marks a restart block that holds a deadline
 * @rb: the restart block
 *
 * Called only by a program that calls restart_syscall(2) itself.
 *
 * Return: -EINTR.
 */
long ckpt_deadline_kept(struct restart_block *rb)
{
	return -EINTR;
}

/**
 * ckpt_set_deadline() - Remember when the call would have ended that current begins again
 * @expires: CLOCK_MONOTONIC
 * @sp: the stack pointer, which tells it from a call by a signal handler
 * @again: the registers are set up for the call to begin again
 */
void ckpt_set_deadline(ktime_t expires, unsigned long sp, bool again)
{
	struct restart_block *rb = &current->restart_block;

	rb->futex.time = expires;
	rb->futex.uaddr = (u32 __user *)sp;
	rb->futex.val = again ? CKPT_BEGINS_AGAIN : 0;
	rb->fn = ckpt_deadline_kept;
}

/*
 * A block that was not used stays behind until the next one: it says of what call
 * it is.
 */
static void ckpt_note_call(void)
{
	struct restart_block *rb = &current->restart_block;
	struct pt_regs *regs = current_pt_regs();

	if (rb->fn != ckpt_deadline_kept)
		return;
	/* Registers that are set up for a call have its number where it returns its result. */
	rb->futex.bitset = rb->futex.val == CKPT_BEGINS_AGAIN ?
			   syscall_get_return_value(current, regs) : syscall_get_nr(current, regs);
}

static bool ckpt_has_deadline(struct task_struct *task)
{
	const struct restart_block *rb = &task->restart_block;

	if (rb->fn != ckpt_deadline_kept || rb->futex.uaddr != user_sp(task))
		return false;
	/* An interrupt right before the call hides its number, but not from the call. */
	if (rb->futex.val == CKPT_BEGINS_AGAIN &&
	    rb->futex.bitset == syscall_get_return_value(task, task_pt_regs(task)))
		return true;
	return rb->futex.bitset == syscall_get_nr(task, task_pt_regs(task));
}

/**
 * __ckpt_resume_call() - Hide from current that a freeze interrupted its system call
 *
 * A signal that is delivered interrupts the call rightly: this is for when
 * there is none.
 *
 * Context: get_signal() of current, with siglock held and no signal to deliver.
 * Drops it to write what is left, and may sleep then.
 */
void __ckpt_resume_call(void)
{
	struct pt_regs *regs = current_pt_regs();
	long error = syscall_get_error(current, regs);

	lockdep_assert_held(&current->sighand->siglock);
	if (ckpt_has_rest(current)) {
		ckpt_write_rest(regs);
		return;
	}
	if (ckpt_will_continue(regs))
		return;
	current->jobctl &= ~JOBCTL_CKPT_WOKEN;
	if ((error != -EINTR && error != -ERESTARTNOINTR) ||
	    !ckpt_call_restarts(syscall_get_nr(current, regs)))
		return;
	syscall_set_return_value(current, regs, -ERESTARTNOINTR, 0);
	if (ckpt_has_deadline(current))
		current->restart_block.futex.val = CKPT_BEGINS_AGAIN;
}

/**
 * __ckpt_continues_call() - Does current continue a call that a freeze interrupted?
 * @nr: the system call that it makes
 *
 * JOBCTL_CKPT_WOKEN has stayed for this. A program that calls it of its own
 * accord meanwhile gets no more than what was begun before.
 *
 * Context: System call entry of current.
 * Return: whether @nr is restart_syscall(2), set up by the freezer trap.
 */
bool __ckpt_continues_call(int nr)
{
	if (nr != ckpt_restart_nr(in_compat_syscall()))
		return false;
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	/* Unless it is being woken again. */
	if (!signal_pending(current))
		current->jobctl &= ~JOBCTL_CKPT_WOKEN;
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	return true;
}

/**
 * ckpt_mark_woken() - Have current continue the system call in its registers
 *
 * For a restored task whose registers are those of an interrupted system call:
 * it treats them as a thawed task does, on its way to user mode.
 *
 * Context: The task being restored, with its registers and its restart block.
 */
void ckpt_mark_woken(void)
{
	ckpt_note_call();
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	current->jobctl |= JOBCTL_CKPT_WOKEN;
	set_thread_flag(TIF_SIGPENDING);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

/**
 * ckpt_keep_deadline() - Remember when the interrupted call would have ended
 * @expires: CLOCK_MONOTONIC
 *
 * The freezer may have let go again before current came here, and a call that
 * has changed the signal mask meanwhile found nothing pending: it would return
 * to the program, and not by way of the signal path, which hides the freeze.
 *
 * Context: A system call of current that returns -EINTR.
 */
void ckpt_keep_deadline(ktime_t expires)
{
	ckpt_set_deadline(expires, (unsigned long)user_sp(current), false);
	ckpt_note_call();
	if (READ_ONCE(current->jobctl) & JOBCTL_CKPT_WOKEN)
		set_thread_flag(TIF_SIGPENDING);
}

/**
 * __ckpt_deadline() - Take the time back that was kept
 * @expires: when the call ends if it is not one that begins again
 *
 * Context: A system call of current that is about to wait.
 * Return: CLOCK_MONOTONIC.
 */
ktime_t __ckpt_deadline(ktime_t expires)
{
	struct restart_block *rb = &current->restart_block;
	bool again = ckpt_has_deadline(current) && rb->futex.val == CKPT_BEGINS_AGAIN;

	rb->fn = do_no_restart_syscall;
	return again ? min_t(ktime_t, expires, rb->futex.time) : expires;
}

/**
 * ckpt_get_deadline() - What a frozen task has kept
 * @task: the task
 * @expires: when its call ends, CLOCK_MONOTONIC
 * @again: whether its registers are set up for the call to begin again
 *
 * Return: its stack pointer, or 0 if it has kept nothing.
 */
unsigned long ckpt_get_deadline(struct task_struct *task, ktime_t *expires, bool *again)
{
	struct restart_block *rb = &task->restart_block;

	if (!ckpt_has_deadline(task))
		return 0;
	*expires = rb->futex.time;
	*again = rb->futex.val == CKPT_BEGINS_AGAIN;
	return (unsigned long)rb->futex.uaddr;
}

/**
 * __ckpt_keep_rest() - Remember what is left to write
 * @file: the pipe
 * @done: bytes that the call has written
 *
 * Only of write(2), and not of the calls that write several buffers.
 *
 * Context: A system call of current that returns @done.
 */
void __ckpt_keep_rest(struct file *file, u32 done)
{
	struct pt_regs *regs = current_pt_regs();
	unsigned long args[6];

	if (!ckpt_is_write(current, regs))
		return;
	syscall_get_arguments(current, regs, args);
	ckpt_keep(ckpt_pipe_id(file), args[0], args[1],
		  min_t(unsigned long, args[2], MAX_RW_COUNT), done, user_stack_pointer(regs));
}

/**
 * ckpt_rest_kept() - What a restart block with the rest of a write is for
 * @rb: the restart block
 *
 * Only a program that calls restart_syscall(2) of its own accord gets here.
 *
 * Return: -EINTR.
 */
long ckpt_rest_kept(struct restart_block *rb)
{
	return -EINTR;
}
