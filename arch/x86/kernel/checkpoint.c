// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of x86-64 registers, and of what an image demands of the
 * CPU and of the vdso.
 */
#include <linux/bits.h>
#include <linux/buildid.h>
#include <linux/checkpoint.h>
#include <linux/cpufeature.h>
#include <linux/elf.h>
#include <linux/init.h>
#include <linux/perf_event.h>
#include <linux/prctl.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <asm/checkpoint.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/gsseg.h>
#include <asm/ia32.h>
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <asm/proto.h>
#include <asm/ptrace.h>
#include <asm/segment.h>
#include <asm/syscall.h>
#include <asm/vdso.h>

#include "tls.h"

/* What user mode may set in RFLAGS, by sigreturn or by itself. */
#define REGS_FLAGS	((u64)(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
			       X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_OF | \
			       X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_NT | \
			       X86_EFLAGS_ID))

/* CPUID leaf 7, subleaf 1, of which the kernel knows only what matters to itself */
#define LEAF_7_1		BIT(15)
#define LEAF_7_1_EAX(bit)	(LEAF_7_1 | (bit))
#define LEAF_7_1_EDX(bit)	(LEAF_7_1 | 32 | (bit))

/*
 * Instructions that a program may have found in CPUID and goes on using. The
 * index is the bit in the image: entries are only ever added at the end.
 */
static const struct {
	u16 feature;
	const char *name;
} cpu_features[] = {
	{ X86_FEATURE_XMM3, "SSE3" },
	{ X86_FEATURE_PCLMULQDQ, "PCLMULQDQ" },
	{ X86_FEATURE_SSSE3, "SSSE3" },
	{ X86_FEATURE_FMA, "FMA" },
	{ X86_FEATURE_CX16, "CMPXCHG16B" },
	{ X86_FEATURE_XMM4_1, "SSE4.1" },
	{ X86_FEATURE_XMM4_2, "SSE4.2" },
	{ X86_FEATURE_MOVBE, "MOVBE" },
	{ X86_FEATURE_POPCNT, "POPCNT" },
	{ X86_FEATURE_AES, "AES" },
	{ X86_FEATURE_XSAVE, "XSAVE" },
	{ X86_FEATURE_AVX, "AVX" },
	{ X86_FEATURE_F16C, "F16C" },
	{ X86_FEATURE_RDRAND, "RDRAND" },
	{ X86_FEATURE_LAHF_LM, "LAHF" },
	{ X86_FEATURE_ABM, "LZCNT" },
	{ X86_FEATURE_SSE4A, "SSE4a" },
	{ X86_FEATURE_3DNOWPREFETCH, "PREFETCHW" },
	{ X86_FEATURE_XOP, "XOP" },
	{ X86_FEATURE_FMA4, "FMA4" },
	{ X86_FEATURE_TBM, "TBM" },
	{ X86_FEATURE_RDTSCP, "RDTSCP" },
	{ X86_FEATURE_FSGSBASE, "FSGSBASE" },
	{ X86_FEATURE_BMI1, "BMI1" },
	{ X86_FEATURE_HLE, "HLE" },
	{ X86_FEATURE_AVX2, "AVX2" },
	{ X86_FEATURE_BMI2, "BMI2" },
	{ X86_FEATURE_ERMS, "ERMS" },
	{ X86_FEATURE_RTM, "RTM" },
	{ X86_FEATURE_AVX512F, "AVX-512F" },
	{ X86_FEATURE_AVX512DQ, "AVX-512DQ" },
	{ X86_FEATURE_RDSEED, "RDSEED" },
	{ X86_FEATURE_ADX, "ADX" },
	{ X86_FEATURE_AVX512IFMA, "AVX-512IFMA" },
	{ X86_FEATURE_CLFLUSHOPT, "CLFLUSHOPT" },
	{ X86_FEATURE_CLWB, "CLWB" },
	{ X86_FEATURE_AVX512PF, "AVX-512PF" },
	{ X86_FEATURE_AVX512ER, "AVX-512ER" },
	{ X86_FEATURE_AVX512CD, "AVX-512CD" },
	{ X86_FEATURE_SHA_NI, "SHA" },
	{ X86_FEATURE_AVX512BW, "AVX-512BW" },
	{ X86_FEATURE_AVX512VL, "AVX-512VL" },
	{ X86_FEATURE_AVX512VBMI, "AVX-512VBMI" },
	{ X86_FEATURE_OSPKE, "PKU" },
	{ X86_FEATURE_WAITPKG, "WAITPKG" },
	{ X86_FEATURE_AVX512_VBMI2, "AVX-512VBMI2" },
	{ X86_FEATURE_GFNI, "GFNI" },
	{ X86_FEATURE_VAES, "VAES" },
	{ X86_FEATURE_VPCLMULQDQ, "VPCLMULQDQ" },
	{ X86_FEATURE_AVX512_VNNI, "AVX-512VNNI" },
	{ X86_FEATURE_AVX512_BITALG, "AVX-512BITALG" },
	{ X86_FEATURE_AVX512_VPOPCNTDQ, "AVX-512VPOPCNTDQ" },
	{ X86_FEATURE_RDPID, "RDPID" },
	{ X86_FEATURE_MOVDIRI, "MOVDIRI" },
	{ X86_FEATURE_MOVDIR64B, "MOVDIR64B" },
	{ X86_FEATURE_FSRM, "FSRM" },
	{ X86_FEATURE_AVX512_VP2INTERSECT, "AVX-512VP2INTERSECT" },
	{ X86_FEATURE_SERIALIZE, "SERIALIZE" },
	{ X86_FEATURE_AVX512_FP16, "AVX-512FP16" },
	{ X86_FEATURE_AVX_VNNI, "AVX-VNNI" },
	{ X86_FEATURE_AVX512_BF16, "AVX-512BF16" },
	{ X86_FEATURE_AVX_IFMA, "AVX-IFMA" },
	{ X86_FEATURE_XSAVEOPT, "XSAVEOPT" },
	{ X86_FEATURE_XSAVEC, "XSAVEC" },
	{ X86_FEATURE_XGETBV1, "XGETBV with ECX = 1" },
	{ X86_FEATURE_AVX512_4VNNIW, "AVX-512 4VNNIW" },
	{ X86_FEATURE_AVX512_4FMAPS, "AVX-512 4FMAPS" },
	{ X86_FEATURE_CMPCCXADD, "CMPccXADD" },
	{ X86_FEATURE_AMX_TILE, "AMX-TILE" },
	{ X86_FEATURE_AMX_BF16, "AMX-BF16" },
	{ X86_FEATURE_AMX_INT8, "AMX-INT8" },
	{ X86_FEATURE_AMX_FP16, "AMX-FP16" },
	{ X86_FEATURE_ENQCMD, "ENQCMD" },
	{ X86_FEATURE_CLDEMOTE, "CLDEMOTE" },
	{ X86_FEATURE_TSXLDTRK, "TSXLDTRK" },
	{ X86_FEATURE_RING3MWAIT, "MWAIT in user mode" },
	{ X86_FEATURE_CLZERO, "CLZERO" },
	{ X86_FEATURE_MWAITX, "MWAITX" },
	{ X86_FEATURE_RDPRU, "RDPRU" },
	{ X86_FEATURE_MISALIGNSSE, "misaligned SSE" },
	{ X86_FEATURE_MMXEXT, "MMXEXT" },
	{ X86_FEATURE_3DNOW, "3DNow!" },
	{ X86_FEATURE_3DNOWEXT, "3DNow! extensions" },
	{ X86_FEATURE_LWP, "LWP" },
	{ X86_FEATURE_XSTORE_EN, "PadLock RNG" },
	{ X86_FEATURE_XCRYPT_EN, "PadLock ACE" },
	{ X86_FEATURE_ACE2_EN, "PadLock ACE2" },
	{ X86_FEATURE_PHE_EN, "PadLock PHE" },
	{ X86_FEATURE_PMM_EN, "PadLock PMM" },
	{ LEAF_7_1_EAX(0), "SHA512" },
	{ LEAF_7_1_EAX(1), "SM3" },
	{ LEAF_7_1_EAX(2), "SM4" },
	{ LEAF_7_1_EAX(3), "RAO-INT" },
	{ LEAF_7_1_EDX(4), "AVX-VNNI-INT8" },
	{ LEAF_7_1_EDX(5), "AVX-NE-CONVERT" },
	{ LEAF_7_1_EDX(8), "AMX-COMPLEX" },
	{ LEAF_7_1_EDX(10), "AVX-VNNI-INT16" },
};

#define CPU_WORDS	(1 + CKPT_CPU_MORE)

/* Nearly all that is new in it needs registers that come with AVX. */
static u64 leaf_7_1(void)
{
	u32 eax, ebx, ecx, edx;

	if (!boot_cpu_has(X86_FEATURE_AVX) || boot_cpu_data.cpuid_level < 7)
		return 0;
	cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	if (!eax)
		return 0;
	cpuid_count(7, 1, &eax, &ebx, &ecx, &edx);
	return (u64)edx << 32 | eax;
}

static u64 *feature_word(struct ckpt_rec_arch *rec, int nr)
{
	return nr ? &rec->more_cpu_features[nr - 1] : &rec->cpu_features;
}

static void fill_cpu_features(struct ckpt_rec_arch *rec)
{
	u64 leaf = leaf_7_1();
	u16 feature;
	int i;

	BUILD_BUG_ON(NCAPINTS * 32 > LEAF_7_1);
	BUILD_BUG_ON(ARRAY_SIZE(cpu_features) > CPU_WORDS * 64);
	for (i = 0; i < ARRAY_SIZE(cpu_features); i++) {
		feature = cpu_features[i].feature;
		if (feature & LEAF_7_1 ? leaf & BIT_ULL(feature & 63) : boot_cpu_has(feature))
			*feature_word(rec, i / 64) |= BIT_ULL(i % 64);
	}
}

/* The text is patched for the CPU, its build id is not. */
static int vdso_build_id(u8 *id)
{
	const void *data = vdso_image_64.data;
	const struct elf64_hdr *ehdr = data;
	const struct elf64_phdr *phdr = data + ehdr->e_phoff;
	int i;

	BUILD_BUG_ON(CKPT_BUILD_ID_LEN != BUILD_ID_SIZE_MAX);
	for (i = 0; i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_NOTE &&
		    !build_id_parse_buf(data + phdr[i].p_offset, id, phdr[i].p_filesz))
			return 0;
	return -ENOENT;
}

/**
 * ckpt_same_vdso() - was the image made with our 64-bit vdso?
 * @rec: what the image says of its machine
 *
 * Return: whether its code is the same.
 */
bool ckpt_same_vdso(const struct ckpt_rec_arch *rec)
{
	u8 id[CKPT_BUILD_ID_LEN] = {};

	vdso_build_id(id);
	return rec->vdso_size == vdso_image_64.size &&
	       !memcmp(rec->vdso_build_id, id, sizeof(id));
}

/**
 * ckpt_arch_fill - describe this machine
 * @ctx: the checkpoint
 * @rec: record to be filled
 */
void ckpt_arch_fill(struct ckpt_ctx *ctx, struct ckpt_rec_arch *rec)
{
	memset(rec, 0, sizeof(*rec));
	fill_cpu_features(rec);
	ckpt_fpu_fill(rec);
	rec->vdso_size = vdso_image_64.size;
	vdso_build_id(rec->vdso_build_id);
	ckpt_ia32_fill(ctx, rec);
}

static int check_cpu_features(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *rec)
{
	struct ckpt_rec_arch image = *rec, own = {};
	u64 missing;
	int nr, i;

	fill_cpu_features(&own);
	for (nr = 0; nr < CPU_WORDS; nr++) {
		missing = *feature_word(&image, nr) & ~*feature_word(&own, nr);
		if (!missing)
			continue;
		i = nr * 64 + __ffs64(missing);
		return ckpt_err(ctx, -EOPNOTSUPP,
				"this CPU lacks %s, which the image was made with",
				i < ARRAY_SIZE(cpu_features) ? cpu_features[i].name :
				"an instruction set unknown to this kernel");
	}
	return 0;
}

/**
 * ckpt_arch_check - can the tasks of an image run on this machine?
 * @ctx: the restart
 * @rec: what the image says
 *
 * Return: 0, -EOPNOTSUPP with what is missing in the log, or -EINVAL.
 */
int ckpt_arch_check(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *rec)
{
	int err;

	if (rec->flags & ~CKPT_ARCHF_ALL || rec->pad)
		return ckpt_err(ctx, -EINVAL, "image: unknown demands on the machine: %#x",
				rec->flags);
	err = check_cpu_features(ctx, rec);
	if (!err)
		err = ckpt_fpu_check(ctx, rec);
	return err ?: ckpt_ia32_check(ctx, rec);
}

/* One that has 32-bit addresses but is no ia32 program, or makes calls of that kind. */
static bool is_x32(struct task_struct *task)
{
	int nr = syscall_get_nr(task, task_pt_regs(task));

	if (test_tsk_thread_flag(task, TIF_ADDR32) &&
	    !test_bit(MM_CONTEXT_UPROBE_IA32, &task->mm->context.flags))
		return true;
	return IS_ENABLED(CONFIG_X86_X32_ABI) && nr != -1 && nr & __X32_SYSCALL_BIT;
}

/* Those that a tracer has disabled stay behind when it leaves, and do nothing. */
static bool has_breakpoints(struct task_struct *task)
{
	struct perf_event *bp;
	int i;

	for (i = 0; i < HBP_NUM; i++) {
		bp = task->thread.ptrace_bps[i];
		if (bp && !bp->attr.disabled)
			return true;
	}
	return false;
}

static bool is_single_stepped(struct task_struct *task)
{
	return test_tsk_thread_flag(task, TIF_SINGLESTEP) ||
	       test_tsk_thread_flag(task, TIF_FORCED_TF);
}

/*
 * What ARCH_SET_FS takes. With FSGSBASE, which the image demands of the CPU, a
 * program may load whatever is an address to the CPU.
 */
static bool base_valid(u64 base)
{
	return base < TASK_SIZE_MAX ||
	       (boot_cpu_has(X86_FEATURE_FSGSBASE) &&
		__is_canonical_address(base, __VIRTUAL_MASK_SHIFT + 1));
}

/* Some CPUs take those of five-level paging where the kernel has four. */
static bool has_far_base(struct task_struct *task)
{
	return !base_valid(x86_fsbase_read_task(task)) || !base_valid(x86_gsbase_read_task(task));
}

static const struct {
	const char *what;
	bool (*test)(struct task_struct *task);
} unsupported[] = {
	{ "x32 program", is_x32 },
	{ "hardware breakpoints", has_breakpoints },
	{ "single stepping", is_single_stepped },
	{ "FS or GS base beyond all addresses of this kernel", has_far_base },
};

static int regs_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(unsupported); i++) {
		if (!unsupported[i].test(task))
			continue;
		err = ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s", ckpt_whom(ctx),
				  unsupported[i].what);
		if (err)
			return err;
	}
	return 0;
}

static void gprs_get(struct ckpt_rec_task_regs *rec, const struct pt_regs *regs)
{
	rec->r15 = regs->r15;
	rec->r14 = regs->r14;
	rec->r13 = regs->r13;
	rec->r12 = regs->r12;
	rec->bp = regs->bp;
	rec->bx = regs->bx;
	rec->r11 = regs->r11;
	rec->r10 = regs->r10;
	rec->r9 = regs->r9;
	rec->r8 = regs->r8;
	rec->ax = regs->ax;
	rec->cx = regs->cx;
	rec->dx = regs->dx;
	rec->si = regs->si;
	rec->di = regs->di;
	rec->orig_ax = regs->orig_ax;
	rec->ip = regs->ip;
	rec->flags = regs->flags & REGS_FLAGS;
	rec->sp = regs->sp;
	rec->cs = regs->cs;
	rec->ss = regs->ss;
}

static void gprs_set(struct pt_regs *regs, const struct ckpt_rec_task_regs *rec)
{
	regs->r15 = rec->r15;
	regs->r14 = rec->r14;
	regs->r13 = rec->r13;
	regs->r12 = rec->r12;
	regs->bp = rec->bp;
	regs->bx = rec->bx;
	regs->r11 = rec->r11;
	regs->r10 = rec->r10;
	regs->r9 = rec->r9;
	regs->r8 = rec->r8;
	regs->ax = rec->ax;
	regs->cx = rec->cx;
	regs->dx = rec->dx;
	regs->si = rec->si;
	regs->di = rec->di;
	regs->orig_ax = rec->orig_ax;
	regs->ip = rec->ip;
	regs->flags = rec->flags | X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	regs->sp = rec->sp;
	regs->cs = rec->cs ? rec->cs : __USER_CS;
	regs->ss = rec->cs ? rec->ss : __USER_DS;
}

static void segments_get(struct ckpt_rec_task_regs *rec, struct task_struct *task)
{
	if (task == current) {
		current_save_fsgs();
		savesegment(ds, rec->ds);
		savesegment(es, rec->es);
	} else {
		rec->ds = task->thread.ds;
		rec->es = task->thread.es;
	}
	rec->fs = task->thread.fsindex;
	rec->gs = task->thread.gsindex;
	/* Not every CPU has let the base of a TLS descriptor be saved. */
	rec->fs_base = x86_fsbase_read_task(task);
	rec->gs_base = x86_gsbase_read_task(task);
}

/* What sigcontext tells of the last fault, also to handlers of other signals */
static void fault_get(struct ckpt_rec_task_regs *rec, const struct thread_struct *thread)
{
	rec->cr2 = thread->cr2;
	rec->error_code = thread->error_code;
	rec->trap_nr = thread->trap_nr;
}

static void fault_set(struct thread_struct *thread, const struct ckpt_rec_task_regs *rec)
{
	thread->cr2 = rec->cr2;
	thread->error_code = rec->error_code;
	thread->trap_nr = rec->trap_nr;
}

static u32 call_flags(struct task_struct *task)
{
	u32 status = task->thread_info.status, flags = 0;

	if (status & TS_COMPAT)
		flags |= CKPT_CALLF_COMPAT;
#ifdef CONFIG_COMPAT
	if (status & TS_I386_REGS_POKED)
		flags |= CKPT_CALLF_POKED32;
#endif
	return flags;
}

static int regs_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_regs rec = {};

	gprs_get(&rec, task_pt_regs(task));
	segments_get(&rec, task);
	fault_get(&rec, &task->thread);
	rec.call_flags = call_flags(task);
	if (task == current) {
		/* The restarted task sees its checkpoint(2) return 0. */
		rec.ax = 0;
		rec.orig_ax = -1;
	}
	return ckpt_write(ctx, CKPT_REC_TASK_REGS, &rec, sizeof(rec));
}

/* One that is not there, or not of code, ends the program as sigreturn(2) does. */
static bool code_valid(const struct ckpt_rec_task_regs *rec)
{
	if (!rec->cs)
		return !rec->ss;
	return rec->ss && (rec->cs == __USER_CS || rec->cs == __USER32_CS ||
			   (rec->cs & SEGMENT_TI_MASK) == SEGMENT_LDT);
}

/*
 * As ptrace: no selector of ring 0. Loading one that does not exist, or an
 * address that is not canonical, is handled as for any program that tries.
 */
static bool regs_valid(const struct ckpt_rec_task_regs *rec)
{
	const u16 sel[] = { rec->fs, rec->gs, rec->ds, rec->es, rec->ss, rec->cs };
	int i;

	if (!code_valid(rec) || rec->call_flags & ~CKPT_CALLF_ALL)
		return false;
	for (i = 0; i < ARRAY_SIZE(sel); i++)
		if (sel[i] && (sel[i] & SEGMENT_RPL_MASK) != USER_RPL)
			return false;
	return !(rec->flags & ~REGS_FLAGS) && base_valid(rec->fs_base) && base_valid(rec->gs_base);
}

static void segments_set(const struct ckpt_rec_task_regs *rec)
{
	guard(preempt)();
	loadsegment(ds, rec->ds);
	loadsegment(es, rec->es);

	loadsegment(fs, rec->fs);
	x86_fsbase_write_cpu(rec->fs_base);
	current->thread.fsindex = rec->fs;
	current->thread.fsbase = rec->fs_base;

	load_gs_index(rec->gs);
	x86_gsbase_write_cpu_inactive(rec->gs_base);
	current->thread.gsindex = rec->gs;
	current->thread.gsbase = rec->gs_base;
}

/* For the way to user mode, which clears them. */
static void call_flags_set(const struct ckpt_rec_task_regs *rec)
{
	struct thread_info *ti = current_thread_info();

	if (rec->call_flags & CKPT_CALLF_COMPAT)
		ti->status |= TS_COMPAT;
#ifdef CONFIG_COMPAT
	if (rec->call_flags & CKPT_CALLF_POKED32)
		ti->status |= TS_I386_REGS_POKED;
#endif
}

/*
 * The last of all: TIF_SIGPENDING sends the task through the signal path,
 * which restarts an interrupted system call as it does for a task that was
 * only frozen. Nothing may recalculate the flag any more.
 */
static void regs_restore_late(void *data)
{
	segments_set(data);
	gprs_set(task_pt_regs(current), data);
	fault_set(&current->thread, data);
	call_flags_set(data);
	ckpt_mark_woken();
}

static bool needs_ia32(const struct ckpt_rec_task_regs *rec)
{
	return rec->cs == __USER32_CS || rec->call_flags;
}

static int regs_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_regs rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (!regs_valid(&rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad registers", ckpt_whom(ctx));
	if (needs_ia32(&rec) && !ia32_enabled())
		return ckpt_err(ctx, -EOPNOTSUPP,
				"%s: runs 32-bit code, which this kernel does not (IA32_EMULATION)",
				ckpt_whom(ctx));
	/* Only the owner of the mm has that from its restore. */
	update_thread_flag(TIF_ADDR32,
			   test_bit(MM_CONTEXT_UPROBE_IA32, &current->mm->context.flags));
	err = ckpt_vdso_check_place(ctx, rec.ip, rec.sp);
	if (err)
		return err;
	return ckpt_task_defer(ctx, regs_restore_late, &rec, sizeof(rec));
}

static const struct ckpt_task_ops regs_ops = {
	.name = "registers",
	.rec_type = CKPT_REC_TASK_REGS,
	.required = true,
	.collect = regs_collect,
	.checkpoint = regs_checkpoint,
	.restore = regs_restore,
};

#ifdef CONFIG_IA32_EMULATION

static int tls_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_tls rec;
	struct membuf to = { .p = rec.desc, .left = sizeof(rec.desc) };
	int i;

	BUILD_BUG_ON(CKPT_TLS_ENTRIES != GDT_ENTRY_TLS_ENTRIES);
	BUILD_BUG_ON(sizeof(struct ckpt_user_desc) != sizeof(struct user_desc));
	if (!regset_tls_active(task, NULL))
		return 0;
	regset_tls_get(task, NULL, to);
	for (i = 0; i < CKPT_TLS_ENTRIES; i++)
		rec.desc[i].flags &= CKPT_DESC_FLAGS_ALL;
	return ckpt_write(ctx, CKPT_REC_TASK_TLS, &rec, sizeof(rec));
}

static int tls_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_tls rec;
	int i, err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	for (i = 0; i < CKPT_TLS_ENTRIES && !err; i++)
		if (rec.desc[i].flags & ~CKPT_DESC_FLAGS_ALL)
			err = -EINVAL;
	if (!err)
		err = regset_tls_set(current, NULL, 0, sizeof(rec.desc), rec.desc, NULL);
	if (err)
		return ckpt_err(ctx, err, "%s: bad TLS descriptor", ckpt_whom(ctx));
	return 0;
}

static const struct ckpt_task_ops tls_ops = {
	.name = "TLS",
	.rec_type = CKPT_REC_TASK_TLS,
	.checkpoint = tls_checkpoint,
	.restore = tls_restore,
};

static int __init tls_init(void)
{
	return ckpt_register_task_ops(&tls_ops);
}
device_initcall(tls_init);

#endif /* CONFIG_IA32_EMULATION */

static int traps_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rec_task_traps rec = {};

	if (test_tsk_thread_flag(task, TIF_NOTSC))
		rec.flags |= CKPT_TRAPF_TSC;
	if (test_tsk_thread_flag(task, TIF_NOCPUID))
		rec.flags |= CKPT_TRAPF_CPUID;
	return rec.flags ? ckpt_write(ctx, CKPT_REC_TASK_TRAPS, &rec, sizeof(rec)) : 0;
}

static int traps_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_traps rec;
	int err;

	err = ckpt_rec_copy(in, &rec, sizeof(rec));
	if (err)
		return err;
	if (rec.pad || rec.flags & ~CKPT_TRAPF_ALL)
		return ckpt_err(ctx, -EINVAL, "%s: bad traps", ckpt_whom(ctx));
	if (rec.flags & CKPT_TRAPF_TSC)
		set_tsc_mode(PR_TSC_SIGSEGV);
	if (rec.flags & CKPT_TRAPF_CPUID && do_arch_prctl_common(ARCH_SET_CPUID, 0))
		return ckpt_err(ctx, -EOPNOTSUPP, "%s: this CPU cannot trap CPUID",
				ckpt_whom(ctx));
	return 0;
}

static const struct ckpt_task_ops traps_ops = {
	.name = "trapped instructions",
	.rec_type = CKPT_REC_TASK_TRAPS,
	.checkpoint = traps_checkpoint,
	.restore = traps_restore,
};

static int __init regs_init(void)
{
	return ckpt_register_task_ops(&regs_ops) ?: ckpt_register_task_ops(&traps_ops);
}
device_initcall(regs_init);
