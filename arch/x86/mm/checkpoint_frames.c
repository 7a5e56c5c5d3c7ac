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

/* A frame is recognized by a few words of it, which may lie across two pages. */
#define WORDS_LEN	32

struct frame {
	unsigned long ip;
	unsigned long sp;
};

struct stack {
	unsigned long sp;
	unsigned long end;
};

/**
 * struct walk - the stacks of a task
 * @stacks: those found so far: a handler on one of them has interrupted another
 * @nr: how many
 * @fn: called for each frame
 * @arg: for @fn
 * @buf: WORDS_LEN bytes in front of a page, and the page
 */
struct walk {
	struct stack stacks[CKPT_STACKS_MAX];
	unsigned int nr;
	int (*fn)(unsigned long ip, void *arg);
	void *arg;
	u8 buf[WORDS_LEN + PAGE_SIZE];
};

static bool flags_valid(u64 flags)
{
	return flags & X86_EFLAGS_FIXED && !(flags >> (X86_EFLAGS_ID_BIT + 1));
}

static bool in_ldt(u16 selector)
{
	return (selector & (SEGMENT_TI_MASK | SEGMENT_RPL_MASK)) == (SEGMENT_LDT | USER_RPL);
}

static bool segments_valid(u16 cs, u16 ss)
{
	return (cs == __USER_CS || cs == __USER32_CS || in_ldt(cs)) &&
	       (ss == __USER_DS || in_ldt(ss));
}

static bool frame64(const u8 *words, struct frame *frame)
{
	const struct sigcontext_64 *sc = (void *)words - offsetof(struct sigcontext_64, sp);

	BUILD_BUG_ON(offsetofend(struct sigcontext_64, ss) -
		     offsetof(struct sigcontext_64, sp) != WORDS_LEN);
	frame->ip = sc->ip;
	frame->sp = sc->sp;
	return flags_valid(sc->flags) && segments_valid(sc->cs, sc->ss);
}

static bool frame32(const u8 *words, struct frame *frame)
{
	const struct sigcontext_32 *sc = (void *)words - offsetof(struct sigcontext_32, ip);

	frame->ip = sc->ip;
	frame->sp = sc->sp_at_signal;
	return flags_valid(sc->flags) && segments_valid(sc->cs, sc->ss) && !sc->__csh;
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

static int add_stack(struct walk *walk, unsigned long sp)
{
	unsigned long end;
	unsigned int i;

	for (i = 0; i < walk->nr; i++)
		if (sp >= walk->stacks[i].sp && sp < walk->stacks[i].end)
			return 0;
	sp = ALIGN_DOWN(sp, sizeof(u64));
	end = end_of_stack(sp);
	if (end == sp)
		return 0;
	if (walk->nr == CKPT_STACKS_MAX)
		return -E2BIG;
	walk->stacks[walk->nr++] = (struct stack){ .sp = sp, .end = end };
	return 0;
}

static int found(struct walk *walk, const struct frame *frame)
{
	int err = walk->fn(frame->ip, walk->arg);

	return err ?: add_stack(walk, frame->sp);
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

/* What cannot be read, the task cannot return through either. */
static int search_stack(struct walk *walk, const struct stack *stack)
{
	unsigned long page = PAGE_ALIGN_DOWN(stack->sp);
	unsigned int offset = stack->sp - page + WORDS_LEN;
	int err = 0;

	memset(walk->buf, 0, WORDS_LEN);
	for (; !err && page < stack->end; page += PAGE_SIZE) {
		if (copy_from_user(walk->buf + WORDS_LEN, (void __user *)page, PAGE_SIZE))
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
 * Return: 0; -E2BIG if they are on more than CKPT_STACKS_MAX stacks; -ENOMEM;
 * -EINTR if current is killed; or what @fn returned.
 */
int ckpt_walk_frames(unsigned long sp, int (*fn)(unsigned long ip, void *arg), void *arg)
{
	struct walk *walk = kmalloc(sizeof(*walk), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int err;

	if (!walk)
		return -ENOMEM;
	walk->nr = 0;
	walk->fn = fn;
	walk->arg = arg;
	err = add_stack(walk, sp);
	for (i = 0; !err && i < walk->nr; i++)
		err = search_stack(walk, &walk->stacks[i]);
	kfree(walk);
	return err;
}
