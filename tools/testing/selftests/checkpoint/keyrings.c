// SPDX-License-Identifier: GPL-2.0
/* Keys that a restarted program would miss, and those that it would not. */
#include <linux/keyctl.h>

#include "ckpt_test.h"

static bool has_keys(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1) > 0;
}

#define NO_KEYS	"no CONFIG_KEYS"

static void add_key(int keyring)
{
	CHECK(syscall(SYS_add_key, "user", "checkpoint", "secret", 6, keyring) > 0);
}

static long find_key(void)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user",
		       "checkpoint", 0);
}

static long keyring_id(int keyring, bool create)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, keyring, create);
}

static void join_session(void)
{
	CHECK(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) > 0);
}

/* As pam_keyinit(8) does at each login */
SURVIVE_IF(session_of_a_login, has_keys(), NO_KEYS)
{
	join_session();
	CHECK(!syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING,
		       KEY_SPEC_SESSION_KEYRING));
	subject_ready();
}

SURVIVE_IF(user_session_keyring, has_keys(), NO_KEYS)
{
	add_key(KEY_SPEC_USER_SESSION_KEYRING);
	subject_ready();
	CHECK(keyring_id(KEY_SPEC_USER_SESSION_KEYRING, false) > 0);
}

SURVIVE_IF(empty_keyrings, has_keys(), NO_KEYS)
{
	CHECK(keyring_id(KEY_SPEC_THREAD_KEYRING, true) > 0);
	CHECK(keyring_id(KEY_SPEC_PROCESS_KEYRING, true) > 0);
	join_session();
	subject_ready();
}

static void subject_thread_key(void)
{
	add_key(KEY_SPEC_THREAD_KEYRING);
	subject_ready();
}

static void subject_process_key(void)
{
	add_key(KEY_SPEC_PROCESS_KEYRING);
	subject_ready();
}

static void subject_session_key(void)
{
	join_session();
	add_key(KEY_SPEC_SESSION_KEYRING);
	subject_ready();
}

static void subject_default_keyring(void)
{
	CHECK(syscall(SYS_keyctl, KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_USER_KEYRING) >= 0);
	subject_ready();
}

FIXTURE(missed)
{
	struct subject s;
};

FIXTURE_VARIANT(missed)
{
	void (*subject)(void);
	int keyring;
	const char *text;
};

FIXTURE_VARIANT_ADD(missed, thread) {
	subject_thread_key, KEY_SPEC_THREAD_KEYRING, "keys in its thread keyring",
};
FIXTURE_VARIANT_ADD(missed, process) {
	subject_process_key, KEY_SPEC_PROCESS_KEYRING, "keys in its process keyring",
};
FIXTURE_VARIANT_ADD(missed, session) {
	subject_session_key, KEY_SPEC_SESSION_KEYRING, "keys in its session keyring",
};

FIXTURE_VARIANT_ADD(missed, default_keyring) {
	subject_default_keyring, KEY_SPEC_USER_KEYRING, "default keyring for requested keys",
};

FIXTURE_SETUP(missed)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(missed)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

TEST_F(missed, are_refused)
{
	if (!has_keys())
		SKIP(return, NO_KEYS);
	refuse_run(_metadata, &self->s, 0, variant->subject, EOPNOTSUPP, variant->text);
}

TEST_F(missed, are_dropped_on_request)
{
	if (!has_keys())
		SKIP(return, NO_KEYS);
	ASSERT_TRUE(subject_start(&self->s, variant->subject)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL | CHECKPOINT_DROP_KEYRINGS), 0)
		subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, variant->text)) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "not saved")) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* The keyring of the checkpointer is that of the restarter, if it is the same one. */
static void subject_callers_key(void)
{
	long key = find_key();

	CHECK(key > 0);
	subject_ready();
	CHECK_EQ(find_key(), key);
}

TEST_F(refuse, session_keyring_of_the_caller_is_kept)
{
	if (!has_keys())
		SKIP(return, NO_KEYS);
	join_session();
	add_key(KEY_SPEC_SESSION_KEYRING);
	ASSERT_TRUE(subject_start(&self->s, subject_callers_key)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static void subject_own_keyrings(void)
{
	CHECK(keyring_id(KEY_SPEC_THREAD_KEYRING, false) < 0);
	subject_ready();
	CHECK(keyring_id(KEY_SPEC_THREAD_KEYRING, false) < 0);
	CHECK(keyring_id(KEY_SPEC_PROCESS_KEYRING, false) < 0);
}

/* What is the restarter's alone does not come to the tree. */
TEST_F(refuse, keyrings_of_the_restarter)
{
	if (!has_keys())
		SKIP(return, NO_KEYS);
	ASSERT_TRUE(subject_start(&self->s, subject_own_keyrings)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	add_key(KEY_SPEC_THREAD_KEYRING);
	add_key(KEY_SPEC_PROCESS_KEYRING);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
