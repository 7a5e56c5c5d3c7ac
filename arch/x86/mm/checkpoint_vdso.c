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
 * The 64-bit vdso only: 32-bit programs return from system calls through theirs.
 */
#include <linux/checkpoint.h>
#include <linux/elf.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <asm/checkpoint.h>
#include <asm/unistd.h>
#include <asm/vdso.h>
#include <asm/vdso/vsyscall.h>
#include <vdso/helpers.h>

/* Sane limits for what an image says of a vdso that this kernel does not know. */
#define TEXT_MAX	(16 * PAGE_SIZE)
#define DATA_MAX	(16 * PAGE_SIZE)

#define JUMP_LEN	5	/* jmp rel32, at the entry of a function */
#define STUB_LEN	32	/* what it jumps to, in the spare page */

static const struct {
	const char *name;
	int nr;
} functions[CKPT_VDSO_MAX] = {
	[CKPT_VDSO_CLOCK_GETTIME] = { "__vdso_clock_gettime", __NR_clock_gettime },
	[CKPT_VDSO_GETTIMEOFDAY] = { "__vdso_gettimeofday", __NR_gettimeofday },
	[CKPT_VDSO_TIME] = { "__vdso_time", __NR_time },
	[CKPT_VDSO_GETCPU] = { "__vdso_getcpu", __NR_getcpu },
	[CKPT_VDSO_CLOCK_GETRES] = { "__vdso_clock_getres", __NR_clock_getres },
	[CKPT_VDSO_GETRANDOM] = { "__vdso_getrandom", __NR_getrandom },
};

/**
 * struct ckpt_foreign_vdso - the vdso of an image, if it is not ours
 * @rec: as read
 * @contents: its text, the first page of its data, the page of the time namespace
 * @mms: struct foreign_mm of those restored so far
 */
struct ckpt_foreign_vdso {
	struct ckpt_rec_vdso rec;
	u8 *contents;
	struct list_head mms;
};

/**
 * struct foreign_mm - where an mm had it
 * @list: in struct ckpt_foreign_vdso
 * @mm: the mm; not referenced, it lives as long as the restart
 * @data: start of its data pages
 * @text: start of its text
 */
struct foreign_mm {
	struct list_head list;
	struct mm_struct *mm;
	unsigned long data;
	unsigned long text;
};

/* Offset of a function in the text of our own vdso, 0 if it has none. */
static u32 find_function(const char *name)
{
	const void *data = vdso_image_64.data;
	const struct elf64_hdr *ehdr = data;
	const struct elf64_shdr *shdr = data + ehdr->e_shoff;
	const struct elf64_sym *sym;
	const char *names;
	unsigned int i, j;

	for (i = 0; i < ehdr->e_shnum; i++) {
		if (shdr[i].sh_type != SHT_DYNSYM)
			continue;
		sym = data + shdr[i].sh_offset;
		names = data + shdr[shdr[i].sh_link].sh_offset;
		for (j = 0; j < shdr[i].sh_size / sizeof(*sym); j++)
			if (!strcmp(names + sym[j].st_name, name))
				return sym[j].st_value;
	}
	return 0;
}

/* A page offset of the image's data pages, from their start. */
static u32 data_offset(long sym)
{
	return sym - vdso_image_64.sym_vvar_start;
}

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

/**
 * ckpt_arch_vdso_write() - write CKPT_REC_VDSO
 * @ctx: the checkpoint
 * @task: a task of the tree
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM or an errno of the stream.
 */
int ckpt_arch_vdso_write(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const size_t size = vdso_image_64.size;
	struct ckpt_rec_vdso rec = {
		.text_size = size,
		.data_size = data_offset(0),
		.spare = data_offset(vdso_image_64.sym_pvclock_page),
		.second = data_offset(vdso_image_64.sym_timens_page),
	};
	u8 *contents = kvzalloc(size + 2 * PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	int i, err;

	if (!contents)
		return ckpt_err(ctx, -ENOMEM, "no memory");
	for (i = 0; i < CKPT_VDSO_MAX; i++)
		rec.entry[i] = find_function(functions[i].name);
	memcpy(contents, vdso_image_64.data, size);
	copy_data(contents + size);
	memcpy(contents + size + PAGE_SIZE, contents + size, PAGE_SIZE);
	copy_time_namespace(task, contents + size, contents + size + PAGE_SIZE);
	err = ckpt_write2(ctx, CKPT_REC_VDSO, &rec, sizeof(rec), contents,
			  size + 2 * PAGE_SIZE);
	kvfree(contents);
	return err;
}

static bool page_of_data(const struct ckpt_rec_vdso *rec, u32 offset)
{
	return PAGE_ALIGNED(offset) && offset < rec->data_size;
}

static bool vdso_valid(const struct ckpt_rec_vdso *rec, size_t contents)
{
	int i;

	if (!rec->text_size || rec->text_size > TEXT_MAX || !PAGE_ALIGNED(rec->text_size) ||
	    !rec->data_size || rec->data_size > DATA_MAX || !PAGE_ALIGNED(rec->data_size) ||
	    !page_of_data(rec, rec->spare) || !page_of_data(rec, rec->second) ||
	    !rec->spare || rec->spare == rec->second ||
	    contents != rec->text_size + 2 * PAGE_SIZE)
		return false;
	for (i = 0; i < CKPT_VDSO_MAX; i++)
		if (rec->entry[i] > rec->text_size - JUMP_LEN)
			return false;
	return true;
}

static int keep_foreign(struct ckpt_ctx *ctx, const struct ckpt_rec_vdso *rec,
			const void *contents, size_t len)
{
	struct ckpt_foreign_vdso *foreign = kzalloc(sizeof(*foreign), GFP_KERNEL_ACCOUNT);

	if (foreign)
		foreign->contents = kvmemdup(contents, len, GFP_KERNEL_ACCOUNT);
	if (!foreign || !foreign->contents) {
		kfree(foreign);
		return ckpt_err(ctx, -ENOMEM, "no memory");
	}
	foreign->rec = *rec;
	INIT_LIST_HEAD(&foreign->mms);
	*ckpt_vdso_slot(ctx) = foreign;
	return 0;
}

/**
 * ckpt_arch_vdso_read() - read CKPT_REC_VDSO
 * @ctx: the restart
 * @arch: what the image says of its machine
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, -EINVAL or an errno of the stream.
 */
int ckpt_arch_vdso_read(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *arch)
{
	struct ckpt_rec_vdso rec;
	const void *contents;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_VDSO, &rec, sizeof(rec), &contents, &len);
	if (err)
		return err;
	if (!vdso_valid(&rec, len))
		return ckpt_err(ctx, -EINVAL, "image: bad vdso");
	return ckpt_same_vdso(arch) ? 0 : keep_foreign(ctx, &rec, contents, len);
}

/**
 * ckpt_arch_vdso_free() - at the end of a restart
 * @foreign: the vdso of the image, or NULL
 */
void ckpt_arch_vdso_free(struct ckpt_foreign_vdso *foreign)
{
	struct foreign_mm *fm, *next;

	if (!foreign)
		return;
	list_for_each_entry_safe(fm, next, &foreign->mms, list)
		kfree(fm);
	kvfree(foreign->contents);
	kfree(foreign);
}

/**
 * ckpt_vdso_is_foreign() - is the vdso of the image another than ours?
 * @ctx: the restart
 *
 * Return: whether ckpt_vdso_note() is to be called instead of mapping it.
 */
bool ckpt_vdso_is_foreign(struct ckpt_ctx *ctx)
{
	return *ckpt_vdso_slot(ctx);
}

/**
 * ckpt_vdso_note() - remember where an mm has the vdso of another kernel
 * @ctx: the restart
 * @mm: the mm
 * @rec: what the image says
 *
 * Context: Process context.
 * Return: 0, -ENOMEM or -EINVAL.
 */
int ckpt_vdso_note(struct ckpt_ctx *ctx, struct mm_struct *mm,
		   const struct ckpt_rec_mm_arch *rec)
{
	struct ckpt_foreign_vdso *foreign = *ckpt_vdso_slot(ctx);
	struct foreign_mm *fm;

	if (!PAGE_ALIGNED(rec->vdso) || rec->vdso_end > TASK_SIZE ||
	    rec->vdso_base >= rec->vdso || rec->vdso >= rec->vdso_end ||
	    rec->vdso_end - rec->vdso != foreign->rec.text_size ||
	    rec->vdso - rec->vdso_base != foreign->rec.data_size)
		return ckpt_err(ctx, -EINVAL, "%s: bad address of the vdso", ckpt_whom(ctx));
	fm = kmalloc(sizeof(*fm), GFP_KERNEL_ACCOUNT);
	if (!fm)
		return ckpt_err(ctx, -ENOMEM, "%s: no memory", ckpt_whom(ctx));
	fm->mm = mm;
	fm->data = rec->vdso_base;
	fm->text = rec->vdso;
	list_add(&fm->list, &foreign->mms);
	return 0;
}

static struct foreign_mm *find_mm(struct ckpt_foreign_vdso *foreign, struct mm_struct *mm)
{
	struct foreign_mm *fm;

	list_for_each_entry(fm, &foreign->mms, list)
		if (fm->mm == mm)
			return fm;
	return NULL;
}

/* movabs $target, %r11; jmp *%r11: a register that functions may change */
static void put_jump(u8 *stub, u64 target)
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

static void put_stub(u8 *stub, int function, unsigned long ours)
{
	u32 offset = find_function(functions[function].name);

	if (function == CKPT_VDSO_GETRANDOM)
		put_getrandom(stub);
	else if (offset)
		put_jump(stub, ours + offset);
	else
		put_syscall(stub, functions[function].nr);
}

/* jmp rel32 */
static void put_entry(u8 *text, const u8 *stub, u32 entry)
{
	s32 distance = stub - (text + entry + JUMP_LEN);

	text[entry] = 0xe9;
	memcpy(text + entry + 1, &distance, sizeof(distance));
}

/* Data pages and text, as they are to lie in memory. */
static void fill_old(u8 *old, const struct ckpt_foreign_vdso *foreign, unsigned long ours)
{
	const struct ckpt_rec_vdso *rec = &foreign->rec;
	u8 *text = old + rec->data_size, *stub = old + rec->spare;
	int i;

	BUILD_BUG_ON(CKPT_VDSO_MAX * STUB_LEN > PAGE_SIZE);
	memcpy(text, foreign->contents, rec->text_size);
	memcpy(old, foreign->contents + rec->text_size, PAGE_SIZE);
	memcpy(old + rec->second, foreign->contents + rec->text_size + PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < CKPT_VDSO_MAX; i++, stub += STUB_LEN) {
		if (!rec->entry[i])
			continue;
		put_stub(stub, i, ours);
		put_entry(text, stub, rec->entry[i]);
	}
}

static int map_old(const struct ckpt_foreign_vdso *foreign, const struct foreign_mm *fm)
{
	unsigned long addr = vm_mmap(NULL, fm->data, foreign->rec.data_size + foreign->rec.text_size,
				     PROT_READ | PROT_EXEC,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, 0);

	return IS_ERR_VALUE(addr) ? addr : 0;
}

static int write_old(const struct ckpt_foreign_vdso *foreign, const struct foreign_mm *fm)
{
	int len = foreign->rec.data_size + foreign->rec.text_size, done;
	u8 *old = kvzalloc(len, GFP_KERNEL_ACCOUNT);

	if (!old)
		return -ENOMEM;
	fill_old(old, foreign, (unsigned long)fm->mm->context.vdso);
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
	struct ckpt_foreign_vdso *foreign = *ckpt_vdso_slot(ctx);
	struct foreign_mm *fm = foreign ? find_mm(foreign, mm) : NULL;
	int ret;

	if (!fm)
		return 0;
	ret = map_old(foreign, fm);
	if (!ret)
		ret = map_vdso_once(&vdso_image_64, 0);
	if (!ret)
		ret = write_old(foreign, fm);
	if (ret)
		return ckpt_err(ctx, ret, "%s: the vdso of the image cannot be mapped at %lx",
				ckpt_whom(ctx), fm->text);
	return 0;
}

/**
 * ckpt_vdso_check_ip() - can a task go on where it was?
 * @ctx: the restart
 * @mm: its address space
 * @ip: its instruction pointer
 *
 * Context: Process context.
 * Return: 0, or -EOPNOTSUPP if it is at instructions that a jump has replaced.
 */
int ckpt_vdso_check_ip(struct ckpt_ctx *ctx, struct mm_struct *mm, unsigned long ip)
{
	struct ckpt_foreign_vdso *foreign = *ckpt_vdso_slot(ctx);
	struct foreign_mm *fm = foreign ? find_mm(foreign, mm) : NULL;
	unsigned long entry;
	int i;

	for (i = 0; fm && i < CKPT_VDSO_MAX; i++) {
		entry = fm->text + foreign->rec.entry[i];
		if (foreign->rec.entry[i] && ip > entry && ip < entry + JUMP_LEN)
			return ckpt_err(ctx, -EOPNOTSUPP,
					"%s: is at the entry of %s, and this kernel has a different vdso",
					ckpt_whom(ctx), functions[i].name);
	}
	return 0;
}
