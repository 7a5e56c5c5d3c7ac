// SPDX-License-Identifier: GPL-2.0
/* AppArmor: tasks are confined by the profiles of the image, if the restarter asks for it. */
#include <sys/file.h>
#include <sys/mount.h>

static void lsm_prepare(void);
#define LSM_TESTED	LSM_ID_APPARMOR
#include "lsm.h"

/* All but what this is about. */
#define RULES	"  file,\n"		\
		"  capability,\n"	\
		"  signal,\n"		\
		"  ptrace,\n"		\
		"  unix,\n"		\
		"  deny /**/secret rw,\n"

static const char profiles[] =
	"profile ckpt_confined {\n"
	RULES
	"  deny capability setuid,\n"
	"  deny /**/guarded k,\n"
	"}\n"
	"profile ckpt_hatted {\n"
	RULES
	"  ^hat {\n"
	RULES
	"  }\n"
	"}\n";

static void lsm_prepare(void)
{
	FILE *parser;

	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	parser = popen("apparmor_parser --replace --skip-cache", "w");
	CHECK(parser && fputs(profiles, parser) != EOF && !pclose(parser));
}

static void subject_confined(void)
{
	subject_touch("public");
	subject_touch("secret");
	CHECK(!chmod(".", 0777) && !setresuid(1000, 1000, 0));
	CHECK(lsm_may_read("secret"));
	CHECK(lsm_set("current", "changeprofile ckpt_confined"));
	CHECK(lsm_has("current", "ckpt_confined (enforce)"));
	CHECK(lsm_may_read("public") && !lsm_may_read("secret"));
	subject_ready();
	CHECK(lsm_has("current", "ckpt_confined (enforce)"));
	CHECK(lsm_may_read("public") && !lsm_may_read("secret"));
	CHECK(getuid() == 1000);
}

/* The profile does not let it change its ids: the restarter did. */
TEST_F(labels, confined_again)
{
	lsm_kept(_metadata, &self->s, subject_confined);
}

TEST_F(labels, refused_without_the_flag)
{
	lsm_take(_metadata, &self->s, subject_confined);
	lsm_refused(_metadata, &self->s, 0, EOPNOTSUPP,
		    "AppArmor label \"ckpt_confined\" (current) is not that of the restarter, \"unconfined\"; RESTART_KEEP_LSM");
	lsm_restart(_metadata, &self->s, RESTART_KEEP_LSM);
}

static void subject_unconfined(void)
{
	CHECK(lsm_has("current", "unconfined"));
	subject_ready();
	CHECK(lsm_has("current", "unconfined"));
}

TEST_F(labels, unconfined_needs_no_flag)
{
	lsm_take(_metadata, &self->s, subject_unconfined);
	lsm_restart(_metadata, &self->s, 0);
}

/* Who is confined cannot make a task that is not. */
TEST_F(labels, not_permitted)
{
	lsm_take(_metadata, &self->s, subject_unconfined);
	ASSERT_TRUE(lsm_set("current", "changeprofile ckpt_confined"));
	lsm_refused(_metadata, &self->s, 0, EOPNOTSUPP,
		    "AppArmor label \"unconfined\" (current) is not that of the restarter, \"ckpt_confined\"");
	lsm_refused(_metadata, &self->s, RESTART_KEEP_LSM, EACCES,
		    "AppArmor does not let it have the label \"unconfined\" (current)");
}

static void subject_with_flock(void)
{
	int fd = open("guarded", O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0 && !flock(fd, LOCK_EX));
	subject_ready();
}

static void subject_with_posix_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("guarded", O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0 && !fcntl(fd, F_SETLK, &lock));
	subject_ready();
}

/* Locks come before labels: it is not for its label that this is refused. */
TEST_F(labels, flock_not_permitted)
{
	lsm_take(_metadata, &self->s, subject_with_flock);
	ASSERT_TRUE(lsm_set("current", "changeprofile ckpt_confined"));
	lsm_refused(_metadata, &self->s, 0, EACCES, "guarded: cannot be locked");
}

TEST_F(labels, posix_lock_not_permitted)
{
	lsm_take(_metadata, &self->s, subject_with_posix_lock);
	ASSERT_TRUE(lsm_set("current", "changeprofile ckpt_confined"));
	lsm_refused(_metadata, &self->s, 0, EACCES, "guarded: cannot be locked");
}

static void subject_of_unknown_profile(void)
{
	CHECK(lsm_set("current", "changeprofile ckpt_hatted"));
	subject_ready();
}

TEST_F(labels, profile_that_is_not_loaded)
{
	lsm_take(_metadata, &self->s, subject_of_unknown_profile);
	ASSERT_EQ(system("echo 'profile ckpt_hatted {}' | apparmor_parser --remove"), 0);
	lsm_refused(_metadata, &self->s, RESTART_KEEP_LSM, ENOENT,
		    "AppArmor does not let it have the label \"ckpt_hatted\" (current)");
}

static void subject_with_exec_label(void)
{
	CHECK(lsm_set("exec", "exec ckpt_confined"));
	subject_ready();
	CHECK(lsm_has("exec", "ckpt_confined (enforce)"));
	CHECK(lsm_has("current", "unconfined"));
	execl("/bin/grep", "grep", "-q", "^ckpt_confined", "/proc/self/attr/current", NULL);
	CHECK(!"exec");
}

TEST_F(labels, of_the_next_program)
{
	lsm_kept(_metadata, &self->s, subject_with_exec_label);
}

TEST_F(labels, of_the_next_program_needs_the_flag)
{
	lsm_take(_metadata, &self->s, subject_with_exec_label);
	lsm_refused(_metadata, &self->s, 0, EOPNOTSUPP,
		    "AppArmor label \"ckpt_confined\" (exec) is not that of the restarter, \"\"");
}

static void subject_in_hat(void)
{
	CHECK(lsm_set("current", "changeprofile ckpt_hatted"));
	CHECK(lsm_set("current", "changehat 0000000000000017^hat"));
	subject_ready();
	CHECK(lsm_has("current", "ckpt_hatted//hat (enforce)"));
	CHECK(lsm_set("current", "changehat 0000000000000017^"));
}

TEST_F(labels, hat_refused)
{
	refuse_run(_metadata, &self->s, 0, subject_in_hat, EOPNOTSUPP, "in an AppArmor hat");
}

TEST_HARNESS_MAIN
