// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of credentials.
 *
 * A restart grants nothing that the restarter could not get by setresuid(2),
 * setresgid(2), setgroups(2), capset(2) and prctl(2): every change against the
 * restarter's credentials, which the task has inherited, is checked by the
 * rule of the call that makes it. The labels of security modules are changed in
 * between: by the restarter's rights, and they confine no such check.
 */
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/sched/user.h>
#include <linux/security.h>
#include <linux/securebits.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#ifdef CONFIG_SECURITY_LANDLOCK
#include "../../security/landlock/cred.h"
#endif
#include "parts.h"

/* The restarter's domain stays, and stands for that of the checkpointer. */
static bool same_landlock_domain(const struct cred *a, const struct cred *b)
{
#ifdef CONFIG_SECURITY_LANDLOCK
	return landlock_cred(a)->domain == landlock_cred(b)->domain;
#else
	return true;
#endif
}

static bool same_groups(const struct group_info *a, const struct group_info *b)
{
	return a->ngroups == b->ngroups &&
	       !memcmp(a->gid, b->gid, a->ngroups * sizeof(a->gid[0]));
}

static bool uid_is_nameless(const struct cred *cred, kuid_t uid, kuid_t own)
{
	return !kuid_has_mapping(cred->user_ns, uid) && !uid_eq(uid, own);
}

static bool gid_is_nameless(const struct cred *cred, kgid_t gid, kgid_t own)
{
	return !kgid_has_mapping(cred->user_ns, gid) && !gid_eq(gid, own);
}

/*
 * Ids that the user namespace has no number for cannot be written, nor asked
 * for. Those of the checkpointer need not be: the restarter has them, or not.
 */
static bool has_nameless_ids(const struct cred *cred)
{
	const struct cred *own = current_cred();

	return uid_is_nameless(cred, cred->uid, own->uid) ||
	       uid_is_nameless(cred, cred->euid, own->euid) ||
	       uid_is_nameless(cred, cred->suid, own->suid) ||
	       uid_is_nameless(cred, cred->fsuid, own->fsuid) ||
	       gid_is_nameless(cred, cred->gid, own->gid) ||
	       gid_is_nameless(cred, cred->egid, own->egid) ||
	       gid_is_nameless(cred, cred->sgid, own->sgid) ||
	       gid_is_nameless(cred, cred->fsgid, own->fsgid);
}

/* Has a record room for them? */
static bool has_too_many_groups(const struct cred *cred)
{
	const size_t max = CKPT_BLOCK_META_MAX - sizeof(struct ckpt_record) -
			   sizeof(struct ckpt_rec_task_creds);

	return cred->group_info->ngroups > max / sizeof(u32);
}

static bool has_nameless_groups(const struct cred *cred)
{
	const struct group_info *info = cred->group_info;
	int i;

	if (same_groups(info, current_cred()->group_info))
		return false;
	for (i = 0; i < info->ngroups; i++)
		if (!kgid_has_mapping(cred->user_ns, info->gid[i]))
			return true;
	return false;
}

static int creds_refuse(struct ckpt_ctx *ctx, struct task_struct *task, const struct cred *cred)
{
	const char *what = NULL;

	if (cred != rcu_access_pointer(task->cred))
		what = "overridden credentials";
	else if (has_nameless_ids(cred))
		what = "ids that its user namespace has no numbers for";
	else if (has_nameless_groups(cred))
		what = "supplementary groups that its user namespace has no numbers for";
	else if (has_too_many_groups(cred))
		what = "more supplementary groups than an image can have";
	else if (!same_landlock_domain(cred, current_cred()))
		what = "Landlock domain other than the caller's";
	if (what)
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s", ckpt_whom(ctx), what);
	return ckpt_lsm_collect(ctx, task, cred);
}

static int creds_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct cred *cred = get_task_cred(task);
	int err;

	err = creds_refuse(ctx, task, cred);
	if (!err)
		err = ckpt_keyrings_collect(ctx, cred);
	put_cred(cred);
	return err;
}

static void creds_fill(struct ckpt_rec_task_creds *rec, const struct cred *cred)
{
	struct user_namespace *ns = cred->user_ns;

	rec->uid = from_kuid(ns, cred->uid);
	rec->euid = from_kuid(ns, cred->euid);
	rec->suid = from_kuid(ns, cred->suid);
	rec->fsuid = from_kuid(ns, cred->fsuid);
	rec->gid = from_kgid(ns, cred->gid);
	rec->egid = from_kgid(ns, cred->egid);
	rec->sgid = from_kgid(ns, cred->sgid);
	rec->fsgid = from_kgid(ns, cred->fsgid);
	rec->cap_inheritable = cred->cap_inheritable.val;
	rec->cap_permitted = cred->cap_permitted.val;
	rec->cap_effective = cred->cap_effective.val;
	rec->cap_bset = cred->cap_bset.val;
	rec->cap_ambient = cred->cap_ambient.val;
	rec->securebits = cred->securebits;
	rec->nr_groups = cred->group_info->ngroups;
}

static int creds_write(struct ckpt_ctx *ctx, struct task_struct *task, const struct cred *cred)
{
	struct ckpt_rec_task_creds rec = {};
	u32 *groups;
	int i, err;

	creds_fill(&rec, cred);
	rec.no_new_privs = task_no_new_privs(task);
	/* Memory says it of the living. */
	rec.dumpable = !task->mm && task->user_dumpable;

	groups = kvmalloc_array(rec.nr_groups, sizeof(*groups), GFP_KERNEL);
	if (!groups)
		return -ENOMEM;
	for (i = 0; i < rec.nr_groups; i++)
		groups[i] = from_kgid(cred->user_ns, cred->group_info->gid[i]);
	err = ckpt_write2(ctx, CKPT_REC_TASK_CREDS, &rec, sizeof(rec), groups,
			  rec.nr_groups * sizeof(*groups));
	kvfree(groups);
	return err;
}

static int creds_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct cred *cred = get_task_cred(task);
	int err;

	BUILD_BUG_ON(CKPT_MAX_GROUPS != NGROUPS_MAX);
	err = creds_write(ctx, task, cred);
	put_cred(cred);
	return err ?: ckpt_lsm_write(ctx, task);
}

static bool uid_is_ours(const struct cred *old, kuid_t uid)
{
	return uid_eq(uid, old->uid) || uid_eq(uid, old->euid) || uid_eq(uid, old->suid);
}

static bool gid_is_ours(const struct cred *old, kgid_t gid)
{
	return gid_eq(gid, old->gid) || gid_eq(gid, old->egid) || gid_eq(gid, old->sgid);
}

/* What the restarter has needs no number. */
static kuid_t uid_of(const struct cred *new, u32 uid, kuid_t own)
{
	return uid == from_kuid(new->user_ns, own) ? own : make_kuid(new->user_ns, uid);
}

static kgid_t gid_of(const struct cred *new, u32 gid, kgid_t own)
{
	return gid == from_kgid(new->user_ns, own) ? own : make_kgid(new->user_ns, gid);
}

/* Of setresuid(2): without CAP_SETUID ids may only change places. */
static int creds_set_uids(struct cred *new, const struct cred *old,
			  const struct ckpt_rec_task_creds *rec)
{
	struct user_struct *user;

	new->uid = uid_of(new, rec->uid, old->uid);
	new->euid = uid_of(new, rec->euid, old->euid);
	new->suid = uid_of(new, rec->suid, old->suid);
	new->fsuid = uid_of(new, rec->fsuid, old->fsuid);
	if (!uid_valid(new->uid) || !uid_valid(new->euid) || !uid_valid(new->suid) ||
	    !uid_valid(new->fsuid))
		return -EINVAL;
	if ((!uid_is_ours(old, new->uid) || !uid_is_ours(old, new->euid) ||
	     !uid_is_ours(old, new->suid) ||
	     !(uid_is_ours(old, new->fsuid) || uid_eq(new->fsuid, old->fsuid))) &&
	    !ns_capable_setid(old->user_ns, CAP_SETUID))
		return -EPERM;
	if (uid_eq(new->uid, old->uid))
		return 0;
	user = alloc_uid(new->uid);
	if (!user)
		return -EAGAIN;
	free_uid(new->user);
	new->user = user;
	return 0;
}

static int creds_set_gids(struct cred *new, const struct cred *old,
			  const struct ckpt_rec_task_creds *rec)
{
	new->gid = gid_of(new, rec->gid, old->gid);
	new->egid = gid_of(new, rec->egid, old->egid);
	new->sgid = gid_of(new, rec->sgid, old->sgid);
	new->fsgid = gid_of(new, rec->fsgid, old->fsgid);
	if (!gid_valid(new->gid) || !gid_valid(new->egid) || !gid_valid(new->sgid) ||
	    !gid_valid(new->fsgid))
		return -EINVAL;
	if ((!gid_is_ours(old, new->gid) || !gid_is_ours(old, new->egid) ||
	     !gid_is_ours(old, new->sgid) ||
	     !(gid_is_ours(old, new->fsgid) || gid_eq(new->fsgid, old->fsgid))) &&
	    !ns_capable_setid(old->user_ns, CAP_SETGID))
		return -EPERM;
	return 0;
}

/* Does the restarter have these? They need no numbers then. */
static bool groups_are_ours(const u32 *groups, u32 nr)
{
	const struct cred *own = current_cred();
	u32 i;

	if (own->group_info->ngroups != nr)
		return false;
	for (i = 0; i < nr; i++)
		if (groups[i] != from_kgid(own->user_ns, own->group_info->gid[i]))
			return false;
	return true;
}

/* As the kernel wants them: sorted. */
static struct group_info *groups_read(const u32 *groups, u32 nr)
{
	struct group_info *info;
	u32 i;

	if (groups_are_ours(groups, nr))
		return get_group_info(current_cred()->group_info);
	info = groups_alloc(nr);
	if (!info)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < nr; i++) {
		info->gid[i] = make_kgid(current_user_ns(), groups[i]);
		if (!gid_valid(info->gid[i])) {
			put_group_info(info);
			return ERR_PTR(-EINVAL);
		}
	}
	groups_sort(info);
	return info;
}

static int creds_set_groups(struct cred *new, const struct cred *old, struct group_info *groups)
{
	if (same_groups(groups, old->group_info))
		return 0;
	if (!may_setgroups())
		return -EPERM;
	set_groups(new, groups);
	return security_task_fix_setgroups(new, old);
}

/* Of PR_SET_SECUREBITS and PR_SET_KEEPCAPS. */
static int creds_set_securebits(struct cred *new, const struct cred *old, u32 bits)
{
	u32 diff = bits ^ old->securebits;

	if (bits & ~(SECURE_ALL_LOCKS | SECURE_ALL_BITS))
		return -EINVAL;
	if (((old->securebits & SECURE_ALL_LOCKS) >> 1) & diff ||
	    old->securebits & SECURE_ALL_LOCKS & ~bits)
		return -EPERM;
	if (diff & ~issecure_mask(SECURE_KEEP_CAPS) && !ns_capable(old->user_ns, CAP_SETPCAP))
		return -EPERM;
	new->securebits = bits;
	return 0;
}

/* Of PR_CAPBSET_DROP: it only ever shrinks. */
static int creds_set_bset(struct cred *new, const struct cred *old, kernel_cap_t bset)
{
	if (!cap_issubset(bset, old->cap_bset))
		return -EPERM;
	if (!cap_issubset(old->cap_bset, bset) && !ns_capable(old->user_ns, CAP_SETPCAP))
		return -EPERM;
	new->cap_bset = bset;
	return 0;
}

/* Of PR_CAP_AMBIENT_RAISE. */
static int creds_set_ambient(struct cred *new, const struct cred *old, kernel_cap_t ambient)
{
	if (!cap_issubset(ambient, cap_intersect(new->cap_permitted, new->cap_inheritable)))
		return -EPERM;
	if (!cap_issubset(ambient, old->cap_ambient) &&
	    old->securebits & issecure_mask(SECURE_NO_CAP_AMBIENT_RAISE))
		return -EPERM;
	new->cap_ambient = ambient;
	return 0;
}

static kernel_cap_t cap_of(u64 bits)
{
	return (kernel_cap_t){ bits };
}

static bool caps_valid(const struct ckpt_rec_task_creds *rec)
{
	u64 all = rec->cap_inheritable | rec->cap_permitted | rec->cap_effective |
		  rec->cap_bset | rec->cap_ambient;

	return !(all & ~CAP_FULL_SET.val);
}

static int creds_set_caps(struct cred *new, const struct cred *old,
			  const struct ckpt_rec_task_creds *rec)
{
	kernel_cap_t inheritable = cap_of(rec->cap_inheritable);
	kernel_cap_t permitted = cap_of(rec->cap_permitted);
	kernel_cap_t effective = cap_of(rec->cap_effective);
	int err;

	err = security_capset(new, old, &effective, &inheritable, &permitted);
	if (!err)
		err = creds_set_bset(new, old, cap_of(rec->cap_bset));
	return err ?: creds_set_ambient(new, old, cap_of(rec->cap_ambient));
}

static bool creds_unchanged(const struct ckpt_rec_task_creds *rec, const struct cred *old,
			    const struct group_info *groups)
{
	struct ckpt_rec_task_creds cur = {
		.no_new_privs = rec->no_new_privs,
	};

	creds_fill(&cur, old);
	return !memcmp(&cur, rec, sizeof(cur)) && same_groups(groups, old->group_info);
}

/*
 * The security modules see the ids change first; what that does to the
 * capabilities is then replaced, by the rule of capset(2) against @old.
 */
static int creds_prepare(struct ckpt_ctx *ctx, struct cred *new, const struct cred *old,
			 const struct ckpt_rec_task_creds *rec, struct group_info *groups)
{
	int err;

	err = creds_set_gids(new, old, rec);
	if (!err)
		err = security_task_fix_setgid(new, old, LSM_SETID_RES);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot become gid %u:%u:%u:%u", ckpt_whom(ctx),
				rec->gid, rec->egid, rec->sgid, rec->fsgid);
	err = creds_set_groups(new, old, groups);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot set %u supplementary groups",
				ckpt_whom(ctx), rec->nr_groups);
	err = creds_set_uids(new, old, rec);
	if (!err)
		err = security_task_fix_setuid(new, old, LSM_SETID_RES);
	if (!err)
		err = set_cred_ucounts(new);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot become uid %u:%u:%u:%u", ckpt_whom(ctx),
				rec->uid, rec->euid, rec->suid, rec->fsuid);
	err = creds_set_caps(new, old, rec);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot have capabilities %#llx, bounding set %#llx",
				ckpt_whom(ctx), rec->cap_permitted, rec->cap_bset);
	err = creds_set_securebits(new, old, rec->securebits);
	if (err)
		return ckpt_err(ctx, err, "%s: cannot set securebits %#x", ckpt_whom(ctx),
				rec->securebits);
	return 0;
}

/*
 * As setresuid(2): a user with more processes than the limit allows cannot be
 * given another program. Who may raise the limit meanwhile need not mind.
 */
static void flag_nproc_exceeded(struct ckpt_ctx *ctx, const struct cred *new,
				const struct cred *old)
{
	if (new->ucounts == old->ucounts || new->user == INIT_USER ||
	    ckpt_caller_capable(ctx, CAP_SYS_RESOURCE))
		return;
	if (is_rlimit_overlimit(new->ucounts, UCOUNT_RLIMIT_NPROC, rlimit(RLIMIT_NPROC)))
		current->flags |= PF_NPROC_EXCEEDED;
}

/* By the rights of @old, from which current differs by its labels at most. */
static int creds_change(struct ckpt_ctx *ctx, const struct cred *old,
			const struct ckpt_rec_task_creds *rec, struct group_info *groups)
{
	struct cred *new = prepare_creds();
	const struct cred *labelled;
	int err;

	if (!new)
		return -ENOMEM;
	labelled = override_creds(old);
	err = creds_prepare(ctx, new, old, rec, groups);
	revert_creds(labelled);
	if (err) {
		abort_creds(new);
		return err;
	}
	flag_nproc_exceeded(ctx, new, old);
	return commit_creds(new);
}

static int creds_set(struct ckpt_ctx *ctx, const struct ckpt_rec_task_creds *rec,
		     struct group_info *groups)
{
	const struct cred *old = get_current_cred();
	int err;

	err = ckpt_lsm_restore(ctx);
	if (!err && !creds_unchanged(rec, old, groups))
		err = creds_change(ctx, old, rec, groups);
	put_cred(old);
	return err;
}

static int creds_restore(struct ckpt_ctx *ctx, const struct ckpt_rec *in)
{
	struct ckpt_rec_task_creds rec;
	struct group_info *groups;
	const void *gids;
	int len, err;

	len = ckpt_rec_head(in, &rec, sizeof(rec), &gids);
	if (len < 0 || rec.nr_groups > CKPT_MAX_GROUPS || len != rec.nr_groups * sizeof(u32) ||
	    rec.no_new_privs > 1 || rec.dumpable > 1 || !caps_valid(&rec))
		return ckpt_err(ctx, -EINVAL, "%s: bad credentials", ckpt_whom(ctx));
	groups = groups_read(gids, rec.nr_groups);
	if (IS_ERR(groups))
		return ckpt_err(ctx, PTR_ERR(groups), "%s: cannot set %u supplementary groups",
				ckpt_whom(ctx), rec.nr_groups);
	err = creds_set(ctx, &rec, groups);
	put_group_info(groups);
	if (err)
		return err;
	if (rec.no_new_privs)
		task_set_no_new_privs(current);
	/* It is to die, and leaves this of its mm, which is empty. */
	if (rec.dumpable)
		set_dumpable(current->mm, SUID_DUMP_USER);
	return 0;
}

static const struct ckpt_task_ops creds_ops = {
	.name = "credentials",
	.rec_type = CKPT_REC_TASK_CREDS,
	.required = true,
	.dying = true,
	.collect = creds_collect,
	.checkpoint = creds_checkpoint,
	.restore = creds_restore,
};

static int __init creds_init(void)
{
	return ckpt_register_task_ops(&creds_ops);
}
device_initcall(creds_init);
