// SPDX-License-Identifier: GPL-2.0
/* I/O ports that ioperm(2) or iopl(2) lets a task access: reading them is harmless. */
#include <pthread.h>
#include <setjmp.h>
#include <sys/io.h>
#include <sys/prctl.h>

#include "caps.h"

#define ALLOWED		0x80
#define FORBIDDEN	0x81
#define LAST		65535

static __thread sigjmp_buf back;

static void handler(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static bool may_access(unsigned short port)
{
	if (sigsetjmp(back, 1))
		return false;
	inb(port);
	return true;
}

static void catch_faults(void)
{
	CHECK(signal(SIGSEGV, handler) != SIG_ERR);
}

SURVIVE(some_ports)
{
	catch_faults();
	CHECK(!ioperm(ALLOWED, 1, 1));
	CHECK(!ioperm(0x90, 0x10, 1));
	CHECK(!ioperm(0x98, 2, 0));
	CHECK(!ioperm(LAST, 1, 1));
	subject_ready();
	CHECK(may_access(ALLOWED));
	CHECK(!may_access(ALLOWED - 1) && !may_access(FORBIDDEN));
	CHECK(may_access(0x90) && may_access(0x97) && may_access(0x9a) && may_access(0x9f));
	CHECK(!may_access(0x98) && !may_access(0x99) && !may_access(0xa0));
	CHECK(may_access(LAST) && !may_access(LAST - 1));
}

SURVIVE(first_port)
{
	catch_faults();
	CHECK(!ioperm(0, 1, 1));
	subject_ready();
	CHECK(may_access(0) && !may_access(1));
}

SURVIVE(all_ports)
{
	catch_faults();
	CHECK(!iopl(3));
	subject_ready();
	CHECK(may_access(ALLOWED) && may_access(FORBIDDEN) && may_access(LAST));
	CHECK(!iopl(0));
	CHECK(!may_access(ALLOWED));
}

/* Both: what was allowed before is so again without the other. */
SURVIVE(all_ports_and_some)
{
	catch_faults();
	CHECK(!ioperm(ALLOWED, 1, 1) && !iopl(3));
	subject_ready();
	CHECK(may_access(ALLOWED) && may_access(FORBIDDEN));
	CHECK(!iopl(0));
	CHECK(may_access(ALLOWED) && !may_access(FORBIDDEN));
}

static void drop_rawio(void)
{
	CHECK(!prctl(PR_CAPBSET_DROP, CAP_SYS_RAWIO));
	caps_drop(1ULL << CAP_SYS_RAWIO);
}

/* Levels 1 and 2 allow nothing, but that one needs no right to go back to them. */
SURVIVE(level_without_ports)
{
	catch_faults();
	CHECK(!iopl(2));
	drop_rawio();
	subject_ready();
	CHECK(!may_access(ALLOWED));
	CHECK(iopl(3) && errno == EPERM);
	CHECK(!iopl(2) && !iopl(1));
	CHECK(iopl(2) && errno == EPERM);
}

SURVIVE(right_to_ask_for_more_given_up)
{
	catch_faults();
	CHECK(!ioperm(ALLOWED, 1, 1));
	drop_rawio();
	subject_ready();
	CHECK(may_access(ALLOWED) && !may_access(FORBIDDEN));
	CHECK(ioperm(FORBIDDEN, 1, 1) && errno == EPERM);
}

static void *others(void *arg)
{
	bool mine = arg;

	CHECK(!ioperm(FORBIDDEN, 1, mine) && !ioperm(ALLOWED, 1, 0));
	while (access("go", F_OK))
		subject_sleep_ms(1);
	CHECK(may_access(FORBIDDEN) == mine && !may_access(ALLOWED));
	return NULL;
}

SURVIVE(ports_of_each_thread)
{
	pthread_t threads[2];

	catch_faults();
	CHECK(!ioperm(ALLOWED, 1, 1));
	CHECK(!pthread_create(&threads[0], NULL, others, NULL));
	CHECK(!pthread_create(&threads[1], NULL, others, threads));
	subject_sleep_ms(100);
	subject_ready();
	CHECK(may_access(ALLOWED) && !may_access(FORBIDDEN));
	CHECK(!pthread_join(threads[0], NULL) && !pthread_join(threads[1], NULL));
}

/* Given back: it is as if they had never been asked for. */
SURVIVE(no_more_ports)
{
	catch_faults();
	CHECK(!ioperm(ALLOWED, 8, 1) && !ioperm(ALLOWED, 8, 0));
	CHECK(!iopl(3) && !iopl(0));
	subject_ready();
	CHECK(!may_access(ALLOWED));
}

static void subject_without(void)
{
	catch_faults();
	subject_ready();
	CHECK(!may_access(ALLOWED) && !may_access(FORBIDDEN));
}

static void subject_with_ports(void)
{
	catch_faults();
	CHECK(!ioperm(ALLOWED, 1, 1));
	subject_ready();
	CHECK(may_access(ALLOWED) && !may_access(FORBIDDEN));
}

static void subject_with_level(void)
{
	catch_faults();
	CHECK(!iopl(3));
	subject_ready();
	CHECK(may_access(ALLOWED) && may_access(FORBIDDEN));
}

FIXTURE(restarter)
{
	struct subject s;
};

FIXTURE_SETUP(restarter)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(restarter)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

static void save_again(struct __test_metadata *_metadata, struct subject *s)
{
	int status;

	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void save_and_kill(struct __test_metadata *_metadata, struct subject *s, void (*fn)(void))
{
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	save_again(_metadata, s);
}

/* Nobody gets ports by a restart that could not have them otherwise. */
static void refuse_ports(struct __test_metadata *_metadata, struct subject *s, void (*fn)(void))
{
	pid_t pid;

	save_and_kill(_metadata, s, fn);
	pid = s->pid;
	s->pid = 0;
	drop_rawio();
	EXPECT_EQ(subject_restart(s, 0), -EPERM) subject_print(s);
	EXPECT_TRUE(log_has(s, "CAP_SYS_RAWIO")) subject_print(s);
	EXPECT_TRUE(kill(pid, 0) && errno == ESRCH);
}

TEST_F(restarter, may_not_give_ports)
{
	refuse_ports(_metadata, &self->s, subject_with_ports);
}

TEST_F(restarter, may_not_give_all_ports)
{
	refuse_ports(_metadata, &self->s, subject_with_level);
}

/* What the restarter has is not the tree's. */
static void restart_with_all_ports(struct __test_metadata *_metadata, struct subject *s,
				   void (*fn)(void))
{
	save_and_kill(_metadata, s, fn);
	ASSERT_TRUE(!ioperm(ALLOWED, 1, 1) && !iopl(3));
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
}

TEST_F(restarter, keeps_its_own)
{
	restart_with_all_ports(_metadata, &self->s, subject_without);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* Nor does it get into the next image. */
TEST_F(restarter, keeps_its_own_for_generations)
{
	restart_with_all_ports(_metadata, &self->s, subject_without);
	save_again(_metadata, &self->s);
	ASSERT_TRUE(!ioperm(ALLOWED, 1, 0) && !iopl(0));
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(restarter, with_all_ports_of_a_tree_with_some)
{
	restart_with_all_ports(_metadata, &self->s, subject_with_ports);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(restarter, with_all_ports_of_a_tree_with_all)
{
	restart_with_all_ports(_metadata, &self->s, subject_with_level);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
