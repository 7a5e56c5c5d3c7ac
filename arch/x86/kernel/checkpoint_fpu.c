// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of what XSAVE saves for user mode: the registers of x87, SSE,
 * AVX and AVX-512, PKRU, the tiles of AMX and the permission to use them.
 */
#include <linux/bitops.h>
#include <linux/checkpoint.h>
#include <linux/cpufeature.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xxhash.h>
#include <asm/checkpoint.h>
#include <asm/cpuid.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xstate.h>
#include <asm/pkru.h>
#include <asm/prctl.h>

/* The legacy area and the header, which every XSAVE area has. */
#define XSTATE_MIN	(FXSAVE_SIZE + XSAVE_HDR_SIZE)

static const char * const xfeature_names[] = {
	"x87", "SSE", "AVX", "MPX bounds", "MPX configuration", "AVX-512 opmask",
	"AVX-512 ZMM_Hi256", "AVX-512 Hi16_ZMM", "PT", "protection keys", "PASID",
	"CET_U", "CET_S", "HDC", "UINTR", "LBR", "HWP", "AMX configuration", "AMX tiles",
};

/* Components that programs may use without asking for permission. */
static u64 xfeature_mask(void)
{
	return boot_cpu_has(X86_FEATURE_XSAVE) ? fpu_user_cfg.default_features :
						 XFEATURE_MASK_FPSSE;
}

/* CPUs differ in where the standard format of XSAVE has a component. */
static u32 xstate_layout(u64 xfeatures)
{
	u32 desc[3], ecx, edx, hash = 0;
	int i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return 0;
	for (i = FIRST_EXTENDED_XFEATURE; i < 63; i++) {
		if (!(xfeatures & BIT_ULL(i)))
			continue;
		desc[0] = i;
		cpuid_count(XSTATE_CPUID, i, &desc[1], &desc[2], &ecx, &edx);
		hash = xxh32(desc, sizeof(desc), hash);
	}
	return hash;
}

/* Bytes of the standard format with @xfeatures; components stand in any order. */
static u32 xstate_size(u64 xfeatures)
{
	u32 size, offset, ecx, edx, end = XSTATE_MIN;
	int i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return FXSAVE_SIZE;
	for (i = FIRST_EXTENDED_XFEATURE; i < 63; i++) {
		if (!(xfeatures & BIT_ULL(i)))
			continue;
		cpuid_count(XSTATE_CPUID, i, &size, &offset, &ecx, &edx);
		end = max(end, offset + size);
	}
	return end;
}

/**
 * ckpt_fpu_fill() - describe the registers that programs may have found
 * @rec: the record of the machine
 */
void ckpt_fpu_fill(struct ckpt_rec_arch *rec)
{
	rec->xfeatures = xfeature_mask();
	rec->xstate_size = fpu_uabi_size();
	rec->xstate_layout = xstate_layout(rec->xfeatures);
}

static int refuse_xfeatures(struct ckpt_ctx *ctx, u64 missing)
{
	int i = __ffs64(missing);

	return ckpt_err(ctx, -EOPNOTSUPP,
			"this CPU or kernel lacks XSAVE component %d (%s), which the image was made with",
			i, i < ARRAY_SIZE(xfeature_names) ? xfeature_names[i] : "unknown");
}

static int refuse_layout(struct ckpt_ctx *ctx)
{
	return ckpt_err(ctx, -EOPNOTSUPP,
			"this CPU has another layout of the XSAVE area than the image");
}

/**
 * ckpt_fpu_check() - does this machine have the registers that programs may use?
 * @ctx: the restart
 * @rec: what the image says of its machine
 *
 * Return: 0, or -EOPNOTSUPP with what is missing in the log.
 */
int ckpt_fpu_check(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *rec)
{
	u64 missing = rec->xfeatures & ~xfeature_mask();

	if (missing)
		return refuse_xfeatures(ctx, missing);
	if (rec->xstate_layout != xstate_layout(rec->xfeatures))
		return refuse_layout(ctx);
	return 0;
}

/* Components that a process has asked for. */
static u64 permitted(const struct fpu_state_perm *perm)
{
	return READ_ONCE(perm->__state_perm) & XFEATURE_MASK_USER_DYNAMIC;
}

/* Components that are in use, not in their initial state. */
static u64 xfeatures_of(const void *xstate)
{
	return *(const u64 *)(xstate + FXSAVE_SIZE);
}

/* Tiles are large: few tasks use them. */
static u32 used_size(const void *xstate)
{
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return FXSAVE_SIZE;
	return xfeatures_of(xstate) & XFEATURE_MASK_USER_DYNAMIC ? fpu_user_cfg.max_size :
								   fpu_user_cfg.default_size;
}

static int xstate_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct fpu *leader = &task->group_leader->thread.fpu;
	struct ckpt_rec_task_xstate rec = {
		.permitted = permitted(&leader->perm),
		.guest_permitted = permitted(&leader->guest_perm),
	};
	void *buf;
	int err;

	buf = kvzalloc(fpu_uabi_size(), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = fpu_get_uabi(task, buf);
	rec.size = used_size(buf);
	rec.layout = xstate_layout(rec.permitted);
	if (!err)
		err = ckpt_write2(ctx, CKPT_REC_TASK_XSTATE, &rec, sizeof(rec), buf, rec.size);
	kvfree(buf);
	return err;
}

/* Late, because PKRU also governs what the kernel may access for the task. */
static void pkru_restore_late(void *data)
{
	u32 pkru = *(u32 *)data;

	guard(preempt)();
	current->thread.pkru = pkru;
	write_pkru(pkru);
}

/* As the process asked, which it does but once. */
static int request(struct ckpt_ctx *ctx, int option, unsigned long wanted)
{
	unsigned int i;
	int err;

	for_each_set_bit(i, &wanted, BITS_PER_LONG) {
		err = fpu_xstate_prctl(option, i);
		if (err)
			return ckpt_err(ctx, err, "%s: cannot use %s", ckpt_whom(ctx),
					xfeature_names[i]);
	}
	return 0;
}

static int permit(struct ckpt_ctx *ctx, const struct ckpt_rec_task_xstate *rec)
{
	u64 all = rec->permitted | rec->guest_permitted;
	u64 missing = all & ~fpu_user_cfg.max_features;
	int err;

	if (all & ~XFEATURE_MASK_USER_DYNAMIC)
		return ckpt_err(ctx, -EINVAL, "%s: bad FPU record", ckpt_whom(ctx));
	if (missing)
		return refuse_xfeatures(ctx, missing);
	if (rec->layout != xstate_layout(rec->permitted))
		return refuse_layout(ctx);
	err = request(ctx, ARCH_REQ_XCOMP_PERM, rec->permitted);
	return err ?: request(ctx, ARCH_REQ_XCOMP_GUEST_PERM, rec->guest_permitted);
}

/* Makes room for components that are not there before a program uses them. */
static int expand(struct ckpt_ctx *ctx, u64 xfeatures)
{
	if (!(xfeatures & XFEATURE_MASK_USER_DYNAMIC) || !xfd_enable_feature(xfeatures))
		return 0;
	return ckpt_err(ctx, -ENOMEM, "%s: no memory for its FPU state", ckpt_whom(ctx));
}

/*
 * The image may come from a CPU with fewer components: its area is shorter,
 * and what it lacks gets its initial state.
 */
static int xstate_load(struct ckpt_ctx *ctx, const void *data, u32 size, u64 permitted)
{
	u32 full = fpu_uabi_size(), pkru = 0;
	u64 xfeatures = 0;
	void *buf;
	int err;

	if (size >= XSTATE_MIN)
		xfeatures = xfeatures_of(data);
	if (size > full || size < min_t(u32, full, XSTATE_MIN) ||
	    xfeatures & ~(xfeature_mask() | permitted) || xstate_size(xfeatures) > size)
		return ckpt_err(ctx, -EINVAL, "%s: bad FPU state: %u bytes, components %#llx",
				ckpt_whom(ctx), size, xfeatures);
	err = expand(ctx, xfeatures);
	if (err)
		return err;
	buf = kvzalloc(full, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	memcpy(buf, data, size);
	err = fpu_set_uabi(buf, &pkru);
	kvfree(buf);
	if (err)
		return ckpt_err(ctx, err, "%s: bad FPU state", ckpt_whom(ctx));
	return ckpt_task_defer(ctx, pkru_restore_late, &pkru, sizeof(pkru));
}

static int xstate_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_xstate rec;
	int err;

	if (in->len < sizeof(rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad FPU record", ckpt_whom(ctx));
	memcpy(&rec, in->data, sizeof(rec));
	if (rec.size != in->len - sizeof(rec) || rec.size > CKPT_XSTATE_MAX)
		return ckpt_err(ctx, -EINVAL, "%s: bad FPU record", ckpt_whom(ctx));
	err = permit(ctx, &rec);
	return err ?: xstate_load(ctx, in->data + sizeof(rec), rec.size, rec.permitted);
}

static const struct ckpt_task_ops xstate_ops = {
	.name = "FPU state",
	.rec_type = CKPT_REC_TASK_XSTATE,
	.checkpoint = xstate_checkpoint,
	.restore = xstate_restore,
};

static int __init fpu_init(void)
{
	return ckpt_register_task_ops(&xstate_ops);
}
device_initcall(fpu_init);
