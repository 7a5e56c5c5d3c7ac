// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the labels by which security modules confine tasks:
 * SELinux, Smack and AppArmor, of which one at most is active.
 *
 * They are text in the image. A restart leaves a task the labels of the
 * restarter. If those of the image are others, it has to be asked for them
 * (RESTART_KEEP_LSM), and the module decides as it does about who writes to
 * /proc/self/attr.
 */
#include <linux/lsm_hooks.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <uapi/linux/checkpoint.h>
#include <uapi/linux/lsm.h>

#ifdef CONFIG_SECURITY_SMACK
#include "../../security/smack/smack.h"
#endif
#ifdef CONFIG_SECURITY_TOMOYO
#include "../../security/tomoyo/common.h"
#endif
#include "parts.h"

/* What is shown of a label in the log, where two have to fit into a line. */
#define SHOWN_MAX	120

/**
 * struct labels - the labels of a task
 * @rec: module, and lengths
 * @text: the labels, one after the other
 */
struct labels {
	struct ckpt_rec_task_lsm rec;
	const char *text;
};

static const char * const attr_names[CKPT_LSM_ATTR_MAX] = {
	[CKPT_LSM_CURRENT] = "current",
	[CKPT_LSM_EXEC] = "exec",
	[CKPT_LSM_FSCREATE] = "fscreate",
	[CKPT_LSM_KEYCREATE] = "keycreate",
	[CKPT_LSM_SOCKCREATE] = "sockcreate",
};

static const char *lsm_title(u64 id)
{
	switch (id) {
	case LSM_ID_SELINUX:
		return "SELinux";
	case LSM_ID_SMACK:
		return "Smack";
	case LSM_ID_APPARMOR:
		return "AppArmor";
	default:
		return NULL;
	}
}

/* The module that labels tasks, or LSM_ID_UNDEF. */
static u64 active_lsm(void)
{
	u32 i;

	for (i = 0; i < lsm_active_cnt; i++)
		if (lsm_title(lsm_idlist[i]->id))
			return lsm_idlist[i]->id;
	return LSM_ID_UNDEF;
}

static const char *label_of(const struct labels *labels, int attr)
{
	const char *text = labels->text;

	while (attr--)
		text += labels->rec.len[attr];
	return text;
}

static size_t text_len(const struct labels *labels)
{
	return label_of(labels, CKPT_LSM_ATTR_MAX) - labels->text;
}

static bool same_label(const struct labels *a, const struct labels *b, int attr)
{
	return a->rec.len[attr] == b->rec.len[attr] &&
	       !memcmp(label_of(a, attr), label_of(b, attr), a->rec.len[attr]);
}

/* AppArmor shows "NAME (MODE)" and a newline, and takes NAME. */
static size_t label_len(u64 id, const char *value)
{
	size_t len = strlen(value);
	const char *mode;

	if (len && value[len - 1] == '\n')
		len--;
	if (id != LSM_ID_APPARMOR || !len || value[len - 1] != ')')
		return len;
	mode = strrchr(value, '(');
	return mode && mode > value + 1 && mode[-1] == ' ' ? mode - 1 - value : len;
}

static int labels_add(struct labels *labels, int attr, const char *value)
{
	size_t old = text_len(labels), len = label_len(labels->rec.id, value);
	char *text;

	if (len > CKPT_LSM_LABEL_MAX)
		return -EOPNOTSUPP;
	text = krealloc(labels->text, old + len, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	memcpy(text + old, value, len);
	labels->text = text;
	labels->rec.len[attr] = len;
	return 0;
}

/* One that is not set, or that the module does not have, is -EINVAL or NULL. */
static int labels_get_one(struct labels *labels, struct task_struct *task, int attr)
{
	char *value = NULL;
	int err;

	err = security_getprocattr(task, labels->rec.id, attr_names[attr], &value);
	if (err == -EINVAL && attr != CKPT_LSM_CURRENT)
		err = 0;
	if (err > 0)
		err = labels_add(labels, attr, value);
	kfree(value);
	return err;
}

static int labels_get(struct ckpt_ctx *ctx, struct task_struct *task, struct labels *labels)
{
	int attr, err;

	for (attr = 0; attr < CKPT_LSM_ATTR_MAX; attr++) {
		err = labels_get_one(labels, task, attr);
		if (err < 0)
			return ckpt_err(ctx, err, "%s: cannot read its %s label \"%s\"",
					ckpt_whom(ctx), lsm_title(labels->rec.id),
					attr_names[attr]);
	}
	return 0;
}

static void labels_put(struct labels *labels)
{
	kfree(labels->text);
}

/* The token by which a task leaves a hat is a secret. */
static bool in_apparmor_hat(struct task_struct *task)
{
	char *value = NULL;
	bool hat = security_getprocattr(task, LSM_ID_APPARMOR, "prev", &value) > 0;

	kfree(value);
	return hat;
}

static bool has_smack_rules(const struct cred *cred)
{
#ifdef CONFIG_SECURITY_SMACK
	const struct task_smack *smack = smack_cred(cred);

	return !list_empty(&smack->smk_rules) || !list_empty(&smack->smk_relabel);
#else
	return false;
#endif
}

/* It has no label that may be asked for: a domain is what led to it. */
static bool in_other_tomoyo_domain(struct task_struct *task)
{
#ifdef CONFIG_SECURITY_TOMOYO
	u32 i;

	for (i = 0; i < lsm_active_cnt; i++)
		if (lsm_idlist[i]->id == LSM_ID_TOMOYO)
			return tomoyo_task(task)->domain_info != tomoyo_task(current)->domain_info;
#endif
	return false;
}

/**
 * ckpt_lsm_collect() - Refuse what a security module does not tell of a task
 * @ctx: the context of a checkpoint
 * @task: a frozen task
 * @cred: its credentials
 *
 * Context: May sleep.
 * Return: 0, or -EOPNOTSUPP with a reason in the log.
 */
int ckpt_lsm_collect(struct ckpt_ctx *ctx, struct task_struct *task, const struct cred *cred)
{
	u64 id = active_lsm();
	const char *what = NULL;

	if (id == LSM_ID_APPARMOR && in_apparmor_hat(task))
		what = "in an AppArmor hat, which it has a secret token for";
	else if (id == LSM_ID_SMACK && has_smack_rules(cred))
		what = "Smack rules of its own (load-self, relabel-self)";
	else if (in_other_tomoyo_domain(task))
		what = "TOMOYO domain other than the caller's";
	return what ? ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s", ckpt_whom(ctx), what) : 0;
}

/**
 * ckpt_lsm_write() - Write the labels of a task
 * @ctx: the context of a checkpoint
 * @task: a frozen task
 *
 * Context: May sleep.
 * Return: 0; the errno of a module that does not let the caller see a label,
 * -EOPNOTSUPP if one is too long, -ENOMEM, or one of the stream.
 */
int ckpt_lsm_write(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct labels labels = { .rec.id = active_lsm() };
	int err;

	if (labels.rec.id == LSM_ID_UNDEF)
		return 0;
	err = labels_get(ctx, task, &labels);
	if (!err)
		err = ckpt_write2(ctx, CKPT_REC_TASK_LSM, &labels.rec, sizeof(labels.rec),
				  labels.text, text_len(&labels));
	labels_put(&labels);
	return err;
}

static bool labels_valid(const struct labels *labels, size_t len)
{
	int attr;

	for (attr = 0; attr < CKPT_LSM_ATTR_MAX; attr++)
		if (labels->rec.len[attr] > CKPT_LSM_LABEL_MAX)
			return false;
	return lsm_title(labels->rec.id) && labels->rec.len[CKPT_LSM_CURRENT] &&
	       !labels->rec.pad && len == text_len(labels) && !memchr(labels->text, 0, len);
}

/* @labels->text is valid until the next read. */
static int labels_read(struct ckpt_ctx *ctx, struct labels *labels)
{
	const void *text;
	size_t len;
	int err;

	err = ckpt_read_tail(ctx, CKPT_REC_TASK_LSM, &labels->rec, sizeof(labels->rec), &text,
			     &len);
	if (err)
		return err;
	labels->text = text;
	return labels_valid(labels, len) ? 0 :
	       ckpt_err(ctx, -EINVAL, "%s: bad security labels", ckpt_whom(ctx));
}

/* On a machine without the module it would not be confined either. */
static bool is_unconfined(const struct labels *labels)
{
	static const char name[] = "unconfined";
	size_t len = strlen(name);

	return labels->rec.id == LSM_ID_APPARMOR && text_len(labels) == len &&
	       labels->rec.len[CKPT_LSM_CURRENT] == len && !memcmp(labels->text, name, len);
}

static int shown_len(const struct labels *labels, int attr)
{
	return min_t(u32, labels->rec.len[attr], SHOWN_MAX);
}

static int refuse_inactive(struct ckpt_ctx *ctx, const struct labels *image)
{
	return ckpt_err(ctx, -EOPNOTSUPP, "%s: label \"%.*s\" is of %s, which is not active here",
			ckpt_whom(ctx), shown_len(image, CKPT_LSM_CURRENT), image->text,
			lsm_title(image->rec.id));
}

static int refuse_change(struct ckpt_ctx *ctx, const struct labels *image,
			 const struct labels *own, int attr)
{
	return ckpt_err(ctx, -EOPNOTSUPP,
			"%s: %s label \"%.*s\" (%s) is not that of the restarter, \"%.*s\"; RESTART_KEEP_LSM (--keep-lsm) sets it",
			ckpt_whom(ctx), lsm_title(image->rec.id), shown_len(image, attr),
			label_of(image, attr), attr_names[attr], shown_len(own, attr),
			label_of(own, attr));
}

/* The text that sets a label when it is written to /proc/self/attr. */
static char *label_command(const struct labels *labels, int attr)
{
	const char *verb = "";

	if (labels->rec.id == LSM_ID_APPARMOR)
		verb = attr == CKPT_LSM_CURRENT ? "changeprofile " : "exec ";
	return kasprintf(GFP_KERNEL, "%s%.*s", verb, (int)labels->rec.len[attr],
			 label_of(labels, attr));
}

static int label_set(struct ckpt_ctx *ctx, const struct labels *image, int attr)
{
	char *command = label_command(image, attr);
	int err;

	if (!command)
		return -ENOMEM;
	err = security_setprocattr(image->rec.id, attr_names[attr], command, strlen(command));
	kfree(command);
	if (err >= 0)
		return 0;
	return ckpt_err(ctx, err, "%s: %s does not let it have the label \"%.*s\" (%s)",
			ckpt_whom(ctx), lsm_title(image->rec.id), shown_len(image, attr),
			label_of(image, attr), attr_names[attr]);
}

static int labels_change(struct ckpt_ctx *ctx, const struct labels *image,
			 const struct labels *own)
{
	int attr, err;

	for (attr = 0; attr < CKPT_LSM_ATTR_MAX; attr++) {
		if (same_label(image, own, attr))
			continue;
		if (!(ckpt_flags(ctx) & RESTART_KEEP_LSM))
			return refuse_change(ctx, image, own, attr);
		err = label_set(ctx, image, attr);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ckpt_lsm_restore() - Give current the labels of the image, if there are any
 * @ctx: the context of a restart; the credentials of current have been read,
 *	but current still has those of the restarter
 *
 * An image that was made without such a module has no labels: its tasks are
 * confined as whatever the restarter starts.
 *
 * Context: The task being restored. May sleep.
 * Return: 0; -EOPNOTSUPP if the module is not active, or the labels are not the
 * restarter's and RESTART_KEEP_LSM is not set; -EINVAL if they are malformed; the
 * errno of a module that does not allow the change; -ENOMEM, or one of the stream.
 */
int ckpt_lsm_restore(struct ckpt_ctx *ctx)
{
	struct labels image = {}, own = { .rec.id = active_lsm() };
	int err = ckpt_peek(ctx);

	if (err != CKPT_REC_TASK_LSM)
		return min(err, 0);
	err = labels_read(ctx, &image);
	if (err)
		return err;
	if (image.rec.id != own.rec.id)
		return is_unconfined(&image) ? 0 : refuse_inactive(ctx, &image);
	err = labels_get(ctx, current, &own);
	if (!err)
		err = labels_change(ctx, &image, &own);
	labels_put(&own);
	return err;
}
