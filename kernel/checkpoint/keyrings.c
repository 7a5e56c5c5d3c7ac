// SPDX-License-Identifier: GPL-2.0
/*
 * The keyrings of a task, which no image holds: keys are secrets that not even
 * their user may read, and a keyring is gone with the last process that has it.
 *
 * A restarted task has the session keyring of the restarter. One with keys in
 * its own keyrings would miss them, and is refused. Nothing is missed of the
 * keyrings that each user has, which are found again by the user's id: a
 * session keyring as pam_keyinit(8) makes it has no more than a link to one.
 */
#include <linux/cred.h>
#include <linux/key-type.h>
#include <linux/key.h>
#include <uapi/linux/checkpoint.h>

#include "parts.h"

/* More keys in a keyring than this need not be looked at. */
#define CKPT_KEYS_MAX	8

static bool is_users(key_serial_t serial)
{
	struct key *key = key_lookup(serial);
	bool is;

	/* One that is gone by now is not missed either. */
	if (IS_ERR(key))
		return true;
	is = test_bit(KEY_FLAG_UID_KEYRING, &key->flags);
	key_put(key);
	return is;
}

static bool has_keys(struct key *keyring)
{
	key_serial_t serials[CKPT_KEYS_MAX];
	long i, len;

	if (!keyring || test_bit(KEY_FLAG_UID_KEYRING, &keyring->flags))
		return false;
	down_read(&keyring->sem);
	len = keyring->type->read(keyring, (char *)serials, sizeof(serials));
	up_read(&keyring->sem);
	if (len < 0 || len > sizeof(serials))
		return true;
	for (i = 0; i < len / sizeof(serials[0]); i++)
		if (!is_users(serials[i]))
			return true;
	return false;
}

static int missed(struct ckpt_ctx *ctx, const char *which, struct key *keyring)
{
	if (!(ckpt_flags(ctx) & CHECKPOINT_DROP_KEYRINGS))
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: keys in its %s keyring (%d)",
				   ckpt_whom(ctx), which, key_serial(keyring));
	ckpt_warn(ctx, "%s: keys in its %s keyring (%d) are not saved", ckpt_whom(ctx), which,
		  key_serial(keyring));
	return 0;
}

/* Where request_key(2) puts keys, of KEYCTL_SET_REQKEY_KEYRING, and whose it answers. */
static int missed_requests(struct ckpt_ctx *ctx, const struct cred *cred)
{
	const char *what = NULL;

	if (cred->request_key_auth)
		what = "authority to instantiate a key";
	else if (cred->jit_keyring != current_cred()->jit_keyring)
		what = "default keyring for requested keys";
	if (!what)
		return 0;
	if (!(ckpt_flags(ctx) & CHECKPOINT_DROP_KEYRINGS))
		return ckpt_refuse(ctx, -EOPNOTSUPP, "%s: %s", ckpt_whom(ctx), what);
	ckpt_warn(ctx, "%s: its %s is not saved", ckpt_whom(ctx), what);
	return 0;
}

/**
 * ckpt_keyrings_collect() - Refuse a task that would miss its keys
 * @ctx: the checkpoint
 * @cred: credentials of a frozen task
 *
 * Context: May sleep.
 * Return: 0, or -EOPNOTSUPP if there is something that may not be dropped.
 */
int ckpt_keyrings_collect(struct ckpt_ctx *ctx, const struct cred *cred)
{
	int err = 0;

	if (has_keys(cred->thread_keyring))
		err = missed(ctx, "thread", cred->thread_keyring);
	if (!err && has_keys(cred->process_keyring))
		err = missed(ctx, "process", cred->process_keyring);
	if (!err && cred->session_keyring != current_cred()->session_keyring &&
	    has_keys(cred->session_keyring))
		err = missed(ctx, "session", cred->session_keyring);
	return err ?: missed_requests(ctx, cred);
}
