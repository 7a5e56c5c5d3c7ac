// SPDX-License-Identifier: GPL-2.0
/*
 * A task checkpoints the tree that it is in. The call returns twice: the id of
 * the checkpoint in the original, 0 after a restart.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "ckpt_test.h"

static long checkpoint_tree(pid_t pid, uint64_t flags)
{
	struct checkpoint_args args = {
		.flags = flags,
		.pid = pid,
		.pidfd = -1,
		.image_fd = open("image", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644),
		.log_fd = open("log", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644),
	};

	return sys_checkpoint(&args, sizeof(args));
}

/* The second return of the call, in the restarted subject */
static void returns_again(struct __test_metadata *_metadata, struct subject *s)
{
	int status;

	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
	EXPECT_EQ(WEXITSTATUS(status), 20) subject_print(s);
	s->pid = 0;
}

static void run_twice(struct __test_metadata *_metadata, struct subject *s, void (*fn)(void))
{
	int status;

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	status = subject_finish(s);
	ASSERT_EQ(WEXITSTATUS(status), 10) {
		test_read_log(s, test_open(s, "log", O_RDONLY));
		subject_print(s);
	}
	returns_again(_metadata, s);
}

static void subject_alone(void)
{
	volatile int local = 5;
	long ret;

	subject_ready();
	ret = checkpoint_tree(0, 0);
	CHECK(ret >= 0);
	CHECK_EQ(local, 5);
	_exit(ret > 0 ? 10 : 20);
}

TEST_F(refuse, self_returns_twice)
{
	run_twice(_metadata, &self->s, subject_alone);
}

static volatile int spins;

static void *spin(void *arg)
{
	for (;;)
		spins++;
	return arg;
}

static void subject_with_threads(void)
{
	pthread_t thread;
	long ret;
	int seen;

	CHECK(!pthread_create(&thread, NULL, spin, NULL));
	subject_ready();
	ret = checkpoint_tree(0, 0);
	CHECK(ret >= 0);
	seen = spins;
	while (spins == seen)
		sched_yield();
	_exit(ret > 0 ? 10 : 20);
}

TEST_F(refuse, self_with_running_threads)
{
	run_twice(_metadata, &self->s, subject_with_threads);
}

/* A member of the tree may save the whole tree, root included. */
static void subject_child_saves(void)
{
	int status;
	pid_t kid;

	subject_ready();
	kid = fork();
	if (!kid) {
		long ret = checkpoint_tree(getppid(), 0);

		CHECK(ret >= 0);
		_exit(ret > 0 ? 10 : 20);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	_exit(WEXITSTATUS(status));
}

TEST_F(refuse, child_saves_its_parent)
{
	run_twice(_metadata, &self->s, subject_child_saves);
}

static void subject_killing(void)
{
	subject_ready();
	_exit(checkpoint_tree(0, CHECKPOINT_KILL) ? 30 : 20);
}

TEST_F(refuse, self_and_kill)
{
	struct subject *s = &self->s;
	int status;

	ASSERT_TRUE(subject_start(s, subject_killing)) subject_print(s);
	status = subject_finish(s);
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
	EXPECT_EQ(WEXITSTATUS(status), 20) subject_print(s);
	s->pid = 0;
}

/* To a pipe that leads out of the tree. */
static void subject_to_a_pipe(void)
{
	struct checkpoint_args args = { .flags = CHECKPOINT_SUBTREE, .pidfd = -1 };
	struct stat st;
	long ret;

	CHECK(!mkfifo("fifo", 0600));
	subject_touch("ready");
	args.image_fd = open("fifo", O_WRONLY | O_CLOEXEC);
	args.log_fd = open("log", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	CHECK(args.image_fd >= 0 && args.log_fd >= 0);
	ret = sys_checkpoint(&args, sizeof(args));
	CHECK(ret >= 0);
	CHECK(!fstat(args.image_fd, &st) && S_ISFIFO(st.st_mode));
	_exit(ret > 0 ? 10 : 20);
}

/* All that comes out of the FIFO is the image; the subject is at its other end. */
static bool save_fifo(struct subject *s)
{
	int from = test_open(s, "fifo", O_RDONLY);
	int to = test_open(s, "image", O_CREAT | O_TRUNC | O_WRONLY);
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0 && write(to, buf, n) == n)
		;
	close(from);
	close(to);
	return !n;
}

TEST_F(refuse, subtree_that_saves_itself_to_a_pipe)
{
	struct subject *s = &self->s;
	int status;

	ASSERT_TRUE(subject_start(s, subject_to_a_pipe)) subject_print(s);
	ASSERT_TRUE(save_fifo(s));
	ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
	ASSERT_EQ(WEXITSTATUS(status), 10) {
		test_read_log(s, test_open(s, "log", O_RDONLY));
		subject_print(s);
	}
	returns_again(_metadata, s);
}

TEST_HARNESS_MAIN
