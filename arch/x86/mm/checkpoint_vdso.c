// SPDX-License-Identifier: GPL-2.0
/*
 * The vdso of another kernel build.
 *
 * Programs know the addresses of its functions, so that its code comes back
 * where it was, as ordinary memory, and each function leads to that of the same
 * name in the vdso of this kernel. A task that was inside such a function ends
 * it with the old code. Its data pages then say that no clock can be read from
 * user mode, so that the old code calls the kernel, and that time has been set
 * since, so that it begins anew.
 *
 * 32-bit programs also make system calls and return from handlers through theirs.
 * By sysenter and syscall they come back to the one that the kernel knows of, which
 * is ours; the old code has int $0x80 besides, which comes back to where it was,
 * and which is what an interrupted call is made again by.
 */
#include <linux/checkpoint.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <asm/checkpoint.h>
#include <asm/vdso.h>
#include <asm/vdso/vsyscall.h>
#include <vdso/helpers.h>

#include "checkpoint_vdso.h"

/* Sane limits for what an image says of a vdso that this kernel does not know. */
#define TEXT_MAX	(16 * PAGE_SIZE)
#define DATA_MAX	(16 * PAGE_SIZE)

/**
 * struct ckpt_foreign_vdso - a vdso of an image, if it is not ours
 * @next: the other, or NULL
 * @kind: which it is
 * @rec: as read
 * @contents: its text, the first page of its data, the page of the time namespace
 * @mms: struct foreign_mm of those restored so far
 */
struct ckpt_foreign_vdso {
	struct ckpt_foreign_vdso *next;
	const struct ckpt_vdso_kind *kind;
	struct ckpt_rec_vdso rec;
	u8 *contents;
	struct list_head mms;
};

/**
 * struct foreign_mm - where an mm had it
 * @list: in struct ckpt_foreign_vdso
 * @vdso: that
 * @mm: the mm; not referenced, it lives as long as the restart
 * @data: start of its data pages
 * @text: start of its text
 */
struct foreign_mm {
	struct list_head list;
	const struct ckpt_foreign_vdso *vdso;
	struct mm_struct *mm;
	unsigned long data;
	unsigned long text;
};

/* The data as they are, but no clock of them can be read, and all have just been set. */
static void copy_data(u8 *page)
{
	const struct vdso_data *now = __arch_get_k_vdso_data();
	struct vdso_data *vd = (void *)page + ((void *)now - (void *)&__vvar_page);
	unsigned int i;
	u32 seq;

	do {
		seq = vdso_read_begin(now);
		copy_page(page, &__vvar_page);
	} while (vdso_read_retry(now, seq));
	for (i = 0; i < CS_BASES; i++) {
		vd[i].seq += 2;
		vd[i].clock_mode = VDSO_CLOCKMODE_NONE;
	}
#ifdef CONFIG_VDSO_GETRANDOM
	((struct vdso_rng_data *)(page + ((void *)__arch_get_k_vdso_rng_data() -
					  (void *)&__vvar_page)))->is_ready = 0;
#endif
}

/* In a time namespace its page comes first, and the data take its place. */
static void copy_time_namespace(struct task_struct *task, u8 *first, u8 *second)
{
#ifdef CONFIG_TIME_NS
	struct time_namespace *ns;

	task_lock(task);
	ns = task->nsproxy ? task->nsproxy->time_ns : NULL;
	if (ns && ns != &init_time_ns) {
		memcpy(second, first, PAGE_SIZE);
		memcpy(first, page_address(ns->vvar_page), PAGE_SIZE);
	}
	task_unlock(task);
#endif
}

static void describe(const struct ckpt_vdso_kind *kind, struct ckpt_rec_vdso *rec)
{
	const struct vdso_image *image = kind->image();
	int i;

	rec->text_size = image->size;
	rec->data_size = -image->sym_vvar_start;
	rec->spare = image->sym_pvclock_page - image->sym_vvar_start;
	rec->second = image->sym_timens_page - image->sym_vvar_start;
	rec->landing = image->sym_int80_landing_pad;
	for (i = 0; i < CKPT_VDSO_MAX; i++)
		rec->entry[i] = ckpt_vdso_entry(kind, i);
}

static int write_kind(struct ckpt_ctx *ctx, const struct ckpt_vdso_kind *kind,
		      struct task_struct *task)
{
	const struct vdso_image *image = kind->image();
	size_t len = image->size + 2 * PAGE_SIZE;
	u8 *contents = kvzalloc(len, GFP_KERNEL_ACCOUNT);
	struct ckpt_rec_vdso rec = {};
	u8 *data;
	int err;

	if (!contents)
		return ckpt_err(ctx, -ENOMEM, "no memory");
	describe(kind, &rec);
	memcpy(contents, image->data, image->size);
	data = contents + image->size;
	copy_data(data);
	memcpy(data + PAGE_SIZE, data, PAGE_SIZE);
	copy_time_namespace(task, data, data + PAGE_SIZE);
	err = ckpt_write2(ctx, CKPT_REC_VDSO, &rec, sizeof(rec), contents, len);
	kvfree(contents);
	return err;
}

/* Is there a record of it? */
static bool in_image(const struct ckpt_vdso_kind *kind, const struct ckpt_rec_arch *arch)
{
	return kind != &ckpt_vdso_kinds[CKPT_VDSO_32] || arch->flags & CKPT_ARCHF_IA32;
}

/**
 * ckpt_arch_vdso_write() - write CKPT_REC_VDSO, of each kind that the tree may have
 * @ctx: the checkpoint
 * @task: a task of the tree
 * @arch: what the image says of this machine
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM or an errno of the stream.
 */
int ckpt_arch_vdso_write(struct ckpt_ctx *ctx, struct task_struct *task,
			 const struct ckpt_rec_arch *arch)
{
	const struct ckpt_vdso_kind *kind;
	int err = 0;

	for (kind = ckpt_vdso_kinds; !err && kind < ckpt_vdso_kinds + CKPT_VDSO_KINDS; kind++)
		if (in_image(kind, arch))
			err = write_kind(ctx, kind, task);
	return err;
}

static bool page_of_data(const struct ckpt_rec_vdso *rec, u32 offset)
{
	return PAGE_ALIGNED(offset) && offset < rec->data_size;
}

static bool layout_valid(const struct ckpt_rec_vdso *rec, size_t contents)
{
	return rec->text_size && rec->text_size <= TEXT_MAX && PAGE_ALIGNED(rec->text_size) &&
	       rec->data_size && rec->data_size <= DATA_MAX && PAGE_ALIGNED(rec->data_size) &&
	       page_of_data(rec, rec->spare) && page_of_data(rec, rec->second) &&
	       rec->spare && rec->spare != rec->second &&
	       contents == rec->text_size + 2 * PAGE_SIZE;
}

/* The jump must not reach the int $0x80, which old calls are made again by. */
static bool gate_valid(const struct ckpt_vdso_kind *kind, const struct ckpt_rec_vdso *rec)
{
	u32 entry = rec->entry[CKPT_VDSO_VSYSCALL];

	if (!kind->has_gate)
		return !entry && !rec->landing;
	return entry && rec->landing <= rec->text_size &&
	       rec->landing >= entry + CKPT_VDSO_JUMP_LEN + CKPT_VDSO_INT80_LEN;
}

static bool vdso_valid(const struct ckpt_vdso_kind *kind, const struct ckpt_rec_vdso *rec,
		       size_t contents)
{
	int i;

	if (!layout_valid(rec, contents))
		return false;
	for (i = 0; i < CKPT_VDSO_MAX; i++)
		if (rec->entry[i] > rec->text_size - CKPT_VDSO_JUMP_LEN)
			return false;
	return gate_valid(kind, rec);
}

static int check_functions(struct ckpt_ctx *ctx, const struct ckpt_vdso_kind *kind,
			   const struct ckpt_rec_vdso *rec)
{
	int i;

	for (i = 0; i < CKPT_VDSO_MAX; i++)
		if (rec->entry[i] && !ckpt_vdso_can_lead(kind, i))
			return ckpt_err(ctx, -EOPNOTSUPP,
					"different %s vdso: that of this kernel has no %s",
					kind->name, ckpt_vdso_function(i));
	return 0;
}

static int keep_foreign(struct ckpt_ctx *ctx, const struct ckpt_vdso_kind *kind,
			const struct ckpt_rec_vdso *rec, const void *contents, size_t len)
{
	struct ckpt_foreign_vdso *foreign = kzalloc(sizeof(*foreign), GFP_KERNEL_ACCOUNT);

	if (foreign)
		foreign->contents = kvmemdup(contents, len, GFP_KERNEL_ACCOUNT);
	if (!foreign || !foreign->contents) {
		kfree(foreign);
		return ckpt_err(ctx, -ENOMEM, "no memory");
	}
	foreign->kind = kind;
	foreign->rec = *rec;
	INIT_LIST_HEAD(&foreign->mms);
	foreign->next = *ckpt_vdso_slot(ctx);
	*ckpt_vdso_slot(ctx) = foreign;
	return 0;
}

static int read_kind(struct ckpt_ctx *ctx, const struct ckpt_vdso_kind *kind, bool same)
{
	struct ckpt_rec_vdso rec;
	const void *contents;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_VDSO, &rec, sizeof(rec), &contents, &len);
	if (err)
		return err;
	if (!vdso_valid(kind, &rec, len))
		return ckpt_err(ctx, -EINVAL, "image: bad %s vdso", kind->name);
	if (same)
		return 0;
	err = check_functions(ctx, kind, &rec);
	return err ?: keep_foreign(ctx, kind, &rec, contents, len);
}

/**
 * ckpt_arch_vdso_read() - read CKPT_REC_VDSO, of each kind that there is
 * @ctx: the restart
 * @arch: what the image says of its machine, checked
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, -EINVAL, -EOPNOTSUPP if our vdso lacks a function, or an
 * errno of the stream.
 */
int ckpt_arch_vdso_read(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *arch)
{
	const struct ckpt_vdso_kind *kind;
	int err = 0;

	for (kind = ckpt_vdso_kinds; !err && kind < ckpt_vdso_kinds + CKPT_VDSO_KINDS; kind++)
		if (in_image(kind, arch))
			err = read_kind(ctx, kind, kind->same(arch));
	return err;
}

static void free_foreign(struct ckpt_foreign_vdso *foreign)
{
	struct foreign_mm *fm, *next;

	list_for_each_entry_safe(fm, next, &foreign->mms, list)
		kfree(fm);
	kvfree(foreign->contents);
	kfree(foreign);
}

/**
 * ckpt_arch_vdso_free() - at the end of a restart
 * @foreign: the vdsos of the image, or NULL
 */
void ckpt_arch_vdso_free(struct ckpt_foreign_vdso *foreign)
{
	struct ckpt_foreign_vdso *next;

	for (; foreign; foreign = next) {
		next = foreign->next;
		free_foreign(foreign);
	}
}

static struct ckpt_foreign_vdso *find_foreign(struct ckpt_ctx *ctx,
					      const struct ckpt_rec_mm_arch *rec)
{
	int kind = rec->flags & CKPT_MM_ARCH_VDSO32 ? CKPT_VDSO_32 : CKPT_VDSO_64;
	struct ckpt_foreign_vdso *foreign = *ckpt_vdso_slot(ctx);

	while (foreign && foreign->kind != &ckpt_vdso_kinds[kind])
		foreign = foreign->next;
	return foreign;
}

/**
 * ckpt_vdso_is_foreign() - is the vdso that an mm had another than ours?
 * @ctx: the restart
 * @rec: what the image says of the mm
 *
 * Return: whether ckpt_vdso_note() is to be called instead of mapping it.
 */
bool ckpt_vdso_is_foreign(struct ckpt_ctx *ctx, const struct ckpt_rec_mm_arch *rec)
{
	return find_foreign(ctx, rec);
}

/**
 * ckpt_vdso_note() - remember where an mm has the vdso of another kernel
 * @ctx: the restart
 * @mm: the mm
 * @rec: what the image says of it; ckpt_vdso_is_foreign()
 *
 * Context: Process context.
 * Return: 0, -ENOMEM or -EINVAL.
 */
int ckpt_vdso_note(struct ckpt_ctx *ctx, struct mm_struct *mm,
		   const struct ckpt_rec_mm_arch *rec)
{
	struct ckpt_foreign_vdso *foreign = find_foreign(ctx, rec);
	struct foreign_mm *fm;

	if (!PAGE_ALIGNED(rec->vdso) || rec->vdso_end > TASK_SIZE ||
	    rec->vdso_base >= rec->vdso || rec->vdso >= rec->vdso_end ||
	    rec->vdso_end - rec->vdso != foreign->rec.text_size ||
	    rec->vdso - rec->vdso_base != foreign->rec.data_size)
		return ckpt_err(ctx, -EINVAL, "%s: bad address of the vdso", ckpt_whom(ctx));
	fm = kmalloc(sizeof(*fm), GFP_KERNEL_ACCOUNT);
	if (!fm)
		return ckpt_err(ctx, -ENOMEM, "%s: no memory", ckpt_whom(ctx));
	fm->vdso = foreign;
	fm->mm = mm;
	fm->data = rec->vdso_base;
	fm->text = rec->vdso;
	list_add(&fm->list, &foreign->mms);
	return 0;
}

static struct foreign_mm *find_mm(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct ckpt_foreign_vdso *foreign;
	struct foreign_mm *fm;

	for (foreign = *ckpt_vdso_slot(ctx); foreign; foreign = foreign->next)
		list_for_each_entry(fm, &foreign->mms, list)
			if (fm->mm == mm)
				return fm;
	return NULL;
}

/* Data pages and text, as they are to lie in memory. */
static void fill_old(u8 *old, const struct foreign_mm *fm)
{
	const struct ckpt_rec_vdso *rec = &fm->vdso->rec;
	const u8 *contents = fm->vdso->contents;

	memcpy(old + rec->data_size, contents, rec->text_size);
	memcpy(old, contents + rec->text_size, PAGE_SIZE);
	memcpy(old + rec->second, contents + rec->text_size + PAGE_SIZE, PAGE_SIZE);
	ckpt_vdso_lead(fm->vdso->kind, rec, old, fm->data,
		       (unsigned long)fm->mm->context.vdso);
}

static int map_old(const struct foreign_mm *fm)
{
	const struct ckpt_rec_vdso *rec = &fm->vdso->rec;
	unsigned long addr = vm_mmap(NULL, fm->data, rec->data_size + rec->text_size,
				     PROT_READ | PROT_EXEC,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, 0);

	return IS_ERR_VALUE(addr) ? addr : 0;
}

/* What 32-bit code calls, and what 32-bit programs have, is where their calls find room. */
static int map_ours(const struct ckpt_vdso_kind *kind)
{
	u32 status = current_thread_info()->status;
	int ret;

	if (kind == &ckpt_vdso_kinds[CKPT_VDSO_32] || test_thread_flag(TIF_ADDR32))
		current_thread_info()->status |= TS_COMPAT;
	ret = map_vdso_once(kind->image(), 0);
	current_thread_info()->status = status;
	return ret;
}

static int write_old(const struct foreign_mm *fm)
{
	int len = fm->vdso->rec.data_size + fm->vdso->rec.text_size, done;
	u8 *old = kvzalloc(len, GFP_KERNEL_ACCOUNT);

	if (!old)
		return -ENOMEM;
	fill_old(old, fm);
	done = access_remote_vm(fm->mm, fm->data, old, len, FOLL_FORCE | FOLL_WRITE);
	kvfree(old);
	return done == len ? 0 : -ENOMEM;
}

/**
 * ckpt_arch_mm_finish() - when the mappings of an mm are there
 * @ctx: the restart
 * @mm: address space of current
 *
 * Maps the vdso of the image where it was, and ours where there is room.
 *
 * Context: Process context of the owner, no locks.
 * Return: 0 or an errno after ckpt_err().
 */
int ckpt_arch_mm_finish(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct foreign_mm *fm = find_mm(ctx, mm);
	int ret;

	if (!fm)
		return 0;
	ret = map_old(fm);
	if (!ret)
		ret = map_ours(fm->vdso->kind);
	if (!ret)
		ret = write_old(fm);
	if (ret)
		return ckpt_err(ctx, ret, "%s: the vdso of the image cannot be mapped at %lx",
				ckpt_whom(ctx), fm->text);
	return 0;
}

/**
 * ckpt_arch_old_sigreturn() - may handlers return by code that the kernel does not know of?
 * @ctx: the restart
 * @mm: an address space
 *
 * The kernel lets such returns of 32-bit programs pass by where they are in the
 * vdso, which for those that are under way is not ours.
 *
 * Return: whether @mm has the 32-bit vdso of another kernel.
 */
bool ckpt_arch_old_sigreturn(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	const struct foreign_mm *fm = find_mm(ctx, mm);

	return fm && fm->vdso->kind->has_gate;
}

/*
 * Up to where a task cannot go on: behind the jump, and in the gate until the
 * int $0x80, as by another instruction it would come back to our code with the
 * stack of the old.
 */
static u32 end_of_entry(const struct ckpt_rec_vdso *rec, int function)
{
	if (function == CKPT_VDSO_VSYSCALL)
		return rec->landing - CKPT_VDSO_INT80_LEN;
	return rec->entry[function] + CKPT_VDSO_JUMP_LEN;
}

/* The function at whose entry @ip is, or -1. */
static int entry_at(const struct foreign_mm *fm, unsigned long ip)
{
	const struct ckpt_rec_vdso *rec = &fm->vdso->rec;
	int i;

	for (i = 0; i < CKPT_VDSO_MAX; i++)
		if (rec->entry[i] && ip > fm->text + rec->entry[i] &&
		    ip < fm->text + end_of_entry(rec, i))
			return i;
	return -1;
}

struct frame_check {
	struct ckpt_ctx *ctx;
	const struct foreign_mm *fm;
};

static int check_frame(unsigned long ip, void *arg)
{
	const struct frame_check *check = arg;
	int entry = entry_at(check->fm, ip);

	if (entry < 0)
		return 0;
	return ckpt_err(check->ctx, -EOPNOTSUPP,
			"%s: a signal interrupted it at the entry of %s, and this kernel has a different vdso",
			ckpt_whom(check->ctx), ckpt_vdso_function(entry));
}

/**
 * ckpt_vdso_check_place() - can current go on where it was?
 * @ctx: the restart
 * @ip: its instruction pointer
 * @sp: its stack pointer
 *
 * Context: Process context of the task, its memory complete.
 * Return: 0; -EOPNOTSUPP if it is at instructions that a jump has replaced, or
 * about to make a system call that returns to our vdso, or if a signal handler
 * returns to such a place; -ENOMEM, or -EINTR if it was killed.
 */
int ckpt_vdso_check_place(struct ckpt_ctx *ctx, unsigned long ip, unsigned long sp)
{
	struct foreign_mm *fm = find_mm(ctx, current->mm);
	struct frame_check check = { .ctx = ctx, .fm = fm };
	int entry, err;

	if (!fm)
		return 0;
	entry = entry_at(fm, ip);
	if (entry >= 0)
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: is at the entry of %s, and this kernel has a different vdso",
				ckpt_whom(ctx), ckpt_vdso_function(entry));
	err = ckpt_walk_frames(sp, check_frame, &check);
	if (err != -E2BIG)
		return err;
	return ckpt_err(ctx, -EOPNOTSUPP,
			"%s: has signal frames on more than %d stacks, and this kernel has a different vdso",
			ckpt_whom(ctx), CKPT_STACKS_MAX);
}
