// SPDX-License-Identifier: GPL-2.0
/* Landlock: a tree may be in the domain of who checkpoints it, and in no other. */
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "ckpt_test.h"

/* A domain in which nobody makes block devices; true if that was possible. */
static bool enter_domain(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK };
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	bool done;

	if (fd < 0)
		return false;
	done = !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return done;
}

static bool may_make_block_device(void)
{
	bool may = !mknod("block", S_IFBLK | 0600, makedev(7, 0));

	CHECK(may || errno == EACCES);
	unlink("block");
	return may;
}

REFUSE(domain_of_the_tree, EOPNOTSUPP, "Landlock domain other than the caller's")
{
	CHECK(enter_domain());
	subject_ready();
	CHECK(!may_make_block_device());
}

REFUSE(domain_of_a_child, EOPNOTSUPP, "Landlock domain other than the caller's")
{
	pid_t kid = fork();

	if (!kid) {
		CHECK(enter_domain());
		subject_touch("in");
		for (;;)
			pause();
	}
	while (access("in", F_OK))
		subject_sleep_ms(1);
	subject_ready();
	kill(kid, SIGKILL);
	CHECK(may_make_block_device());
}

static void subject_in_domain(void)
{
	CHECK(!may_make_block_device());
	subject_ready();
	CHECK(!may_make_block_device());
}

TEST_F(survive, domain_of_the_caller)
{
	ASSERT_TRUE(enter_domain());
	survive_run(_metadata, &self->s, variant, subject_in_domain);
}

/* The same rules, but not the same domain: one more is stacked upon the caller's. */
TEST_F(refuse, domain_within_that_of_the_caller)
{
	ASSERT_TRUE(enter_domain());
	refuse_run(_metadata, &self->s, 0, subject_refuse_domain_of_the_tree, EOPNOTSUPP,
		   "Landlock domain other than the caller's");
}

/* What confines the restarter confines the tree. */
static void subject_without_domain(void)
{
	CHECK(may_make_block_device());
	subject_ready();
	CHECK(!may_make_block_device());
}

TEST_F(refuse, domain_of_the_restarter_stays)
{
	ASSERT_TRUE(subject_start(&self->s, subject_without_domain)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	waitpid(self->s.pid, NULL, 0);
	ASSERT_TRUE(enter_domain());
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
