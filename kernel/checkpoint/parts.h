/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the task state share.
 */
#ifndef _KERNEL_CHECKPOINT_PARTS_H
#define _KERNEL_CHECKPOINT_PARTS_H

#include <linux/checkpoint.h>
#include <linux/signal_types.h>
#include <linux/string.h>

int ckpt_task_refuse_unsupported(struct ckpt_ctx *ctx, struct task_struct *task);

struct cred;

#ifdef CONFIG_KEYS
int ckpt_keyrings_collect(struct ckpt_ctx *ctx, const struct cred *cred);
#else
static inline int ckpt_keyrings_collect(struct ckpt_ctx *ctx, const struct cred *cred)
{
	return 0;
}
#endif

#ifdef CONFIG_SECURITY
int ckpt_lsm_collect(struct ckpt_ctx *ctx, struct task_struct *task, const struct cred *cred);
int ckpt_lsm_write(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_lsm_restore(struct ckpt_ctx *ctx);
#else
static inline int ckpt_lsm_collect(struct ckpt_ctx *ctx, struct task_struct *task,
				   const struct cred *cred)
{
	return 0;
}

static inline int ckpt_lsm_write(struct ckpt_ctx *ctx, struct task_struct *task)
{
	return 0;
}

static inline int ckpt_lsm_restore(struct ckpt_ctx *ctx)
{
	if (ckpt_peek(ctx) != CKPT_REC_TASK_LSM)
		return 0;
	return ckpt_err(ctx, -EOPNOTSUPP, "%s: security labels: this kernel has none",
			ckpt_whom(ctx));
}
#endif

/* The image's form of a signal set: bit 0 is signal 1. */
static inline u64 ckpt_sigset(const sigset_t *set)
{
	BUILD_BUG_ON(sizeof(set->sig) != sizeof(u64));
	return set->sig[0];
}

static inline void ckpt_sigset_to(sigset_t *set, u64 bits)
{
	set->sig[0] = bits;
}

/*
 * For records whose fixed part is followed by an array: copies the fixed part
 * and returns how many bytes follow, or -EINVAL.
 */
static inline int ckpt_rec_head(const struct ckpt_rec *rec, void *buf, size_t len,
				const void **tail)
{
	if (rec->len < len)
		return -EINVAL;
	memcpy(buf, rec->data, len);
	*tail = rec->data + len;
	return rec->len - len;
}

#endif /* _KERNEL_CHECKPOINT_PARTS_H */
