// SPDX-License-Identifier: GPL-2.0
/*
 * Trees whose session or process group began outside: refused, or a warning, or
 * a job of a shell that becomes one of another. The test is the shell.
 */
#include <sys/file.h>
#include <sys/ioctl.h>

#include "census.h"

FIXTURE(jobs)
{
	struct subject s;
	struct census before;
};

FIXTURE_SETUP(jobs)
{
	memset(&self->s, 0, sizeof(self->s));
	ASSERT_TRUE(census_adopt_orphans());
	census_take(&self->before);
	ASSERT_EQ(setsid(), getpid());
}

FIXTURE_TEARDOWN(jobs)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	census_kill_children();
	subject_clean(&self->s);
	EXPECT_TRUE(census_same(&self->before));
}

/* It and its child are in the session of its parent, and in a group of their own. */
static void check_job(pid_t kid)
{
	CHECK_EQ(getsid(0), getsid(getppid()));
	CHECK(getsid(0) != getpid());
	CHECK_EQ(getpgid(0), getpid());
	CHECK_EQ(getsid(kid), getsid(0));
	CHECK_EQ(getpgid(kid), getpid());
}

static void subject_job(void)
{
	pid_t kid = fork();

	if (!kid)
		for (;;)
			pause();
	check_job(kid);
	subject_ready();
	check_job(kid);
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

/* What the log says about the session of the test */
static const char *session_is_outside(void)
{
	static char text[64];

	snprintf(text, sizeof(text), "session %d (jobs) is outside the tree", getsid(0));
	return text;
}

TEST_F(jobs, session_outside)
{
	ASSERT_TRUE(subject_start_job(&self->s, subject_job)) subject_print(&self->s);
	expect_refused(_metadata, &self->s, 0, EOPNOTSUPP, session_is_outside());
	EXPECT_EQ(subject_checkpoint(&self->s, CHECKPOINT_DRY_RUN), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(&self->s, session_is_outside())) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static void save_and_kill(struct __test_metadata *_metadata, struct subject *s, uint64_t flags)
{
	int status;

	ASSERT_TRUE(subject_start_job(s, subject_job)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, flags | CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	census_kill_children();
}

static bool restarts(struct subject *s, uint64_t flags)
{
	bool ok = subject_restart(s, flags) == s->pid && !subject_finish(s);

	if (!ok)
		subject_print(s);
	return ok;
}

TEST_F(jobs, subtree_joins_the_session_of_the_restarter)
{
	save_and_kill(_metadata, &self->s, CHECKPOINT_SUBTREE);
	EXPECT_TRUE(log_has(&self->s, session_is_outside())) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "the restarter's takes its place"))
		subject_print(&self->s);
	EXPECT_TRUE(restarts(&self->s, 0));
	self->s.pid = 0;
}

TEST_F(jobs, job_of_the_same_shell)
{
	save_and_kill(_metadata, &self->s, CHECKPOINT_SHELL_JOB);
	EXPECT_FALSE(log_has(&self->s, "is outside the tree")) subject_print(&self->s);
	EXPECT_TRUE(restarts(&self->s, RESTART_SHELL_JOB));
	self->s.pid = 0;
}

TEST_F(jobs, job_of_another_shell)
{
	int status;
	pid_t shell;

	save_and_kill(_metadata, &self->s, CHECKPOINT_SHELL_JOB);
	shell = fork();
	if (!shell)
		_exit(setsid() != getpid() || !restarts(&self->s, RESTART_SHELL_JOB));
	ASSERT_EQ(waitpid(shell, &status, 0), shell);
	EXPECT_EQ(status, 0);
	self->s.pid = 0;
}

TEST_F(jobs, job_that_is_not_restarted_as_one)
{
	save_and_kill(_metadata, &self->s, CHECKPOINT_SHELL_JOB);
	EXPECT_EQ(subject_restart(&self->s, 0), -EINVAL);
	EXPECT_TRUE(log_has(&self->s, "RESTART_SHELL_JOB")) subject_print(&self->s);
	EXPECT_EQ(kill(self->s.pid, 0), -1);
	self->s.pid = 0;
}

/* The other end of a terminal that becomes that of the session */
static int take_terminal(void)
{
	int unlocked = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[32];

	signal(SIGHUP, SIG_IGN);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) ||
	    ptsname_r(master, name, sizeof(name)))
		return -1;
	close(open(name, O_RDWR | O_CLOEXEC));
	return master;
}

#define OWN_MODE	(O_NONBLOCK | O_APPEND)

static void subject_on_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY);

	CHECK_EQ(dup2(fd, 7), 7);
	close(fd);
	CHECK(!fcntl(7, F_SETFL, OWN_MODE));
	CHECK_EQ(dup2(open("/dev/tty", O_WRONLY | O_NOCTTY), 8), 8);
	CHECK(!flock(8, LOCK_EX));
	subject_ready();
	CHECK_EQ(fcntl(7, F_GETFL) & OWN_MODE, OWN_MODE);
	CHECK_EQ(fcntl(8, F_GETFL) & OWN_MODE, 0);
	CHECK(flock(7, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
}

/* The terminal is another, and opened by the kernel. */
TEST_F(jobs, terminal_is_open_as_it_was)
{
	int master = take_terminal();

	ASSERT_GE(master, 0);
	ASSERT_TRUE(subject_start_job(&self->s, subject_on_terminal)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_SHELL_JOB | CHECKPOINT_KILL), 0)
		subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	EXPECT_TRUE(restarts(&self->s, RESTART_SHELL_JOB));
	EXPECT_FALSE(log_has(&self->s, "not as it was")) subject_print(&self->s);
	self->s.pid = 0;
	close(master);
}

/* A sibling of the caller, in its session and with a process group of its own */
static pid_t start_group(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid)
		return pid;
	CHECK(!setpgid(0, 0));
	close_range(0, ~0U, 0);
	subject_touch("group");
	while (access("go", F_OK))
		subject_sleep_ms(5);
	_exit(0);
}

/* The session is the tree's own, but not the group of its child. */
static void subject_with_outside_group(void)
{
	pid_t group = start_group(), kid;

	CHECK(group > 0);
	while (access("group", F_OK))
		subject_sleep_ms(1);
	kid = fork();
	if (!kid) {
		CHECK(!setpgid(0, group));
		subject_touch("joined");
		while (access("leave", F_OK))
			subject_sleep_ms(1);
		CHECK(!setpgid(0, getppid()));
		subject_touch("left");
		for (;;)
			pause();
	}
	while (access("joined", F_OK))
		subject_sleep_ms(1);
	subject_ready();
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

TEST_F(jobs, process_group_outside)
{
	static const char text[] = "shares a process group, but not its session, with outsiders";
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_with_outside_group)) subject_print(s);
	expect_refused(_metadata, s, 0, EOPNOTSUPP, ": process group ");
	EXPECT_TRUE(log_has(s, " (jobs) is outside the tree")) subject_print(s);
	expect_refused(_metadata, s, CHECKPOINT_SUBTREE, EOPNOTSUPP, text);
	expect_refused(_metadata, s, CHECKPOINT_SHELL_JOB, EOPNOTSUPP, text);
	/* the clean twin */
	close(test_open(s, "leave", O_CREAT | O_WRONLY));
	ASSERT_TRUE(test_wait_file(s, "left"));
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_HARNESS_MAIN
