// SPDX-License-Identifier: GPL-2.0
/*
 * The signal frames on the stacks of a task: where it goes on when its handlers
 * return.
 *
 * Nothing says where they are, so that all that the stack holds above the stack
 * pointer is compared with what the kernel writes in a frame: an instruction
 * pointer, flags, selectors of user segments. A frame that is no more, but not
 * overwritten yet, lies below.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/sigcontext.h>

#include "checkpoint_vdso.h"

#define STACK_MAX	SZ_1G	/* how much of a stack is looked at */
#define NR_STACKS_MAX	16	/* with handlers that have interrupted one another */

/* A frame is recognized by a few words of it, which may lie across two pages. */
#define WORDS_LEN	32

struct frame {
	unsigned long ip;
	unsigned long sp;
};

/**
 * struct walk - one stack
 * @sp: the stack pointer
 * @end: end of the stack
 * @below: stack pointer of the stack that a handler on this one has left, or 0
 * @fn: called for each frame
 * @arg: for @fn
 * @buf: WORDS_LEN bytes in front of a page, and the page
 */
struct walk {
	unsigned long sp;
	unsigned long end;
	unsigned long below;
	int (*fn)(unsigned long ip, void *arg);
	void *arg;
	u8 buf[WORDS_LEN + PAGE_SIZE];
};

static bool flags_valid(u64 flags)
{
	return flags & X86_EFLAGS_FIXED && !(flags >> (X86_EFLAGS_ID_BIT + 1));
}

static bool is_user(u16 selector)
{
	return (selector & SEGMENT_RPL_MASK) == USER_RPL;
}

static bool frame64(const u8 *words, struct frame *frame)
{
	const struct sigcontext_64 *sc = (void *)words - offsetof(struct sigcontext_64, sp);

	BUILD_BUG_ON(offsetofend(struct sigcontext_64, ss) -
		     offsetof(struct sigcontext_64, sp) != WORDS_LEN);
	frame->ip = sc->ip;
	frame->sp = sc->sp;
	return flags_valid(sc->flags) && is_user(sc->cs) && is_user(sc->ss);
}

static bool frame32(const u8 *words, struct frame *frame)
{
	const struct sigcontext_32 *sc = (void *)words - offsetof(struct sigcontext_32, ip);

	frame->ip = sc->ip;
	frame->sp = sc->sp_at_signal;
	return flags_valid(sc->flags) && is_user(sc->cs) && !sc->__csh && is_user(sc->ss);
}

static int found(struct walk *walk, const struct frame *frame)
{
	if (!walk->below && (frame->sp < walk->sp || frame->sp >= walk->end))
		walk->below = frame->sp;
	return walk->fn(frame->ip, walk->arg);
}

static int search_page(struct walk *walk, unsigned int offset)
{
	struct frame frame;
	int err = 0;

	for (; !err && offset <= PAGE_SIZE; offset += sizeof(u32)) {
		const u8 *words = walk->buf + offset;

		if (IS_ALIGNED(offset, sizeof(u64)) && frame64(words, &frame))
			err = found(walk, &frame);
		else if (frame32(words, &frame))
			err = found(walk, &frame);
	}
	return err;
}

/* Pages that are not there hold no frame, and are not to be there for our sake. */
static int search_stack(struct walk *walk)
{
	unsigned long page = PAGE_ALIGN_DOWN(walk->sp);
	unsigned int offset = walk->sp - page + WORDS_LEN;
	int err = 0;

	memset(walk->buf, 0, WORDS_LEN);
	for (; !err && page < walk->end; page += PAGE_SIZE) {
		if (copy_from_user_nofault(walk->buf + WORDS_LEN, (void __user *)page, PAGE_SIZE))
			memset(walk->buf + WORDS_LEN, 0, PAGE_SIZE);
		err = search_page(walk, offset);
		memcpy(walk->buf, walk->buf + PAGE_SIZE, WORDS_LEN);
		offset = 0;
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* The alternate stack may be a part of its mapping. */
static unsigned long end_of_stack(unsigned long sp)
{
	unsigned long end = sp;
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, sp);
	if (vma)
		end = min(vma->vm_end, sp + STACK_MAX);
	mmap_read_unlock(current->mm);
	if (__on_sig_stack(sp))
		end = min(end, current->sas_ss_sp + current->sas_ss_size);
	return end;
}

/**
 * ckpt_walk_frames() - call a function for each signal frame of current
 * @sp: its stack pointer in user mode
 * @fn: called with the instruction pointer that the frame holds, and @arg. An
 *	errno that it returns ends the walk
 * @arg: for @fn
 *
 * It may also be called for what only looks like a frame.
 *
 * Context: Process context, no locks. Reads user memory.
 * Return: 0, -ENOMEM, -EINTR if current is killed, or what @fn returned.
 */
int ckpt_walk_frames(unsigned long sp, int (*fn)(unsigned long ip, void *arg), void *arg)
{
	struct walk *walk = kmalloc(sizeof(*walk), GFP_KERNEL_ACCOUNT);
	int i, err = 0;

	if (!walk)
		return -ENOMEM;
	walk->fn = fn;
	walk->arg = arg;
	for (i = 0; !err && sp && i < NR_STACKS_MAX; i++) {
		walk->sp = ALIGN_DOWN(sp, sizeof(u64));
		walk->end = end_of_stack(walk->sp);
		walk->below = 0;
		err = search_stack(walk);
		sp = walk->below;
	}
	kfree(walk);
	return err;
}
