// SPDX-License-Identifier: GPL-2.0
/*
 * The arguments of checkpoint(2) and restart(2): checks, extensibility, rights.
 * Nothing here depends on what can be saved.
 */
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "census.h"

#define NOBODY	65534

FIXTURE(abi)
{
	struct checkpoint_args ck;
	struct restart_args re;
	pid_t pid;
	int null;
	int image;
	struct census before;
};

FIXTURE_SETUP(abi)
{
	census_take(&self->before);
	self->pid = fork();
	if (!self->pid) {
		setsid();
		for (;;)
			pause();
	}
	ASSERT_GT(self->pid, 0);
	self->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->null, 0);
	self->image = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(self->image, 0);

	memset(&self->ck, 0, sizeof(self->ck));
	self->ck.flags = CHECKPOINT_SUBTREE;
	self->ck.pid = self->pid;
	self->ck.pidfd = -1;
	self->ck.image_fd = self->image;
	self->ck.log_fd = -1;
	memset(&self->re, 0, sizeof(self->re));
	self->re.image_fd = self->image;
	self->re.log_fd = -1;
}

FIXTURE_TEARDOWN(abi)
{
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	close(self->null);
	close(self->image);
	EXPECT_TRUE(census_same(&self->before));
}

#define EXPECT_CK(err)								\
	do {									\
		EXPECT_EQ(sys_checkpoint(&self->ck, sizeof(self->ck)), -1);	\
		EXPECT_EQ(errno, err);						\
	} while (0)

#define EXPECT_RE(err)								\
	do {									\
		EXPECT_EQ(sys_restart(&self->re, sizeof(self->re)), -1);	\
		EXPECT_EQ(errno, err);						\
	} while (0)

TEST_F(abi, checkpoint_flags)
{
	int bit;

	for (bit = 6; bit < 64; bit++) {
		self->ck.flags = CHECKPOINT_SUBTREE | 1ULL << bit;
		EXPECT_CK(EINVAL);
	}
	self->ck.flags = CHECKPOINT_KILL | CHECKPOINT_STOP;
	EXPECT_CK(EINVAL);
	self->ck.image_fd = -1;
	self->ck.flags = CHECKPOINT_DRY_RUN | CHECKPOINT_KILL;
	EXPECT_CK(EINVAL);
	self->ck.flags = CHECKPOINT_DRY_RUN | CHECKPOINT_STOP;
	EXPECT_CK(EINVAL);
}

TEST_F(abi, checkpoint_reserved)
{
	self->ck.reserved = 1;
	EXPECT_CK(EINVAL);
}

TEST_F(abi, checkpoint_root)
{
	self->ck.pid = -2;
	EXPECT_CK(EINVAL);
	self->ck.pid = self->pid;
	self->ck.pidfd = 0;
	EXPECT_CK(EINVAL);
	self->ck.pid = -1;
	self->ck.pidfd = -1;
	EXPECT_CK(EBADF);
	self->ck.pidfd = self->null;
	EXPECT_CK(EBADF);
	self->ck.pidfd = -1;
	self->ck.pid = INT_MAX;
	EXPECT_CK(ESRCH);
}

static void *hang(void *tid)
{
	*(volatile pid_t *)tid = gettid();
	for (;;)
		pause();
	return NULL;
}

TEST_F(abi, checkpoint_thread)
{
	volatile pid_t tid = 0;
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, hang, (void *)&tid), 0);
	while (!tid)
		usleep(1000);
	self->ck.pid = tid;
	EXPECT_CK(EINVAL);
}

TEST_F(abi, checkpoint_dead)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(waitid(P_PID, pid, NULL, WEXITED | WNOWAIT), 0);
	self->ck.pid = pid;
	EXPECT_CK(ESRCH);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	EXPECT_CK(ESRCH);
}

TEST_F(abi, checkpoint_files)
{
	int fds[2];

	self->ck.image_fd = -1;
	EXPECT_CK(EBADF);
	self->ck.image_fd = 1000;
	EXPECT_CK(EBADF);
	self->ck.image_fd = self->null;
	EXPECT_CK(EINVAL);
	ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
	self->ck.image_fd = fds[0];
	EXPECT_CK(EBADF);
	self->ck.image_fd = self->image;
	self->ck.log_fd = fds[0];
	EXPECT_CK(EBADF);
	self->ck.log_fd = 1000;
	EXPECT_CK(EBADF);
	self->ck.log_fd = -2;
	EXPECT_CK(EINVAL);
	self->ck.log_fd = -1;
	self->ck.flags |= CHECKPOINT_DRY_RUN;
	EXPECT_CK(EINVAL);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(abi, checkpoint_externals)
{
	char longest[CHECKPOINT_KEY_MAX + 1];
	struct checkpoint_external ext[2] = {
		{ .key = (uintptr_t)"a", .fd = self->null },
		{ .key = (uintptr_t)"a", .fd = self->null },
	};

	self->ck.externals = (uintptr_t)ext;
	self->ck.nr_externals = CHECKPOINT_EXTERNAL_MAX + 1;
	EXPECT_CK(EINVAL);
	self->ck.nr_externals = 2;
	EXPECT_CK(EINVAL);	/* twice the same name */
	ext[1].key = (uintptr_t)"";
	EXPECT_CK(EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[CHECKPOINT_KEY_MAX] = 0;
	ext[1].key = (uintptr_t)longest;
	EXPECT_CK(EINVAL);
	ext[1].key = 0;
	EXPECT_CK(EFAULT);
	ext[1].key = (uintptr_t)"b";
	ext[1].fd = 1000;
	EXPECT_CK(EBADF);
	ext[1].fd = self->null;
	ext[1].reserved = 1;
	EXPECT_CK(EINVAL);
	self->ck.externals = 1;
	EXPECT_CK(EFAULT);
}

/* What the last call has logged */
static const char *logged(int fd)
{
	static char text[512];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		return "";
	return text;
}

TEST_F(abi, wrong_arguments_are_named)
{
	struct checkpoint_external ext[2] = {
		{ .key = (uintptr_t)"a", .fd = self->null },
		{ .key = (uintptr_t)"a", .fd = self->null },
	};
	int log = memfd_create("log", MFD_CLOEXEC);

	self->ck.log_fd = log;
	self->ck.image_fd = 1000;
	EXPECT_CK(EBADF);
	EXPECT_STREQ(logged(log), "error 9 - - image_fd 1000: is not open for writing\n");
	self->re.log_fd = log;
	self->re.image_fd = 1000;
	EXPECT_RE(EBADF);
	EXPECT_STREQ(logged(log), "error 9 - - image_fd 1000: is not open for reading\n");
	self->ck.image_fd = self->image;
	self->ck.externals = (uintptr_t)ext;
	self->ck.nr_externals = 2;
	EXPECT_CK(EINVAL);
	EXPECT_STREQ(logged(log), "error 22 - - external a: is declared twice\n");
	ext[1].key = (uintptr_t)"b";
	ext[1].fd = 1000;
	EXPECT_CK(EBADF);
	EXPECT_STREQ(logged(log), "error 9 - - external b: fd 1000 is not open\n");
	self->ck.externals = 1;
	EXPECT_CK(EFAULT);
	EXPECT_STREQ(logged(log), "error 14 - - reading the arguments: failed\n");
	close(log);
}

TEST_F(abi, checkpoint_size)
{
	struct {
		struct checkpoint_args args;
		uint64_t tail[8];
	} big = { .args = self->ck };
	char *page;

	EXPECT_EQ(sys_checkpoint(&self->ck, 0), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(sys_checkpoint(&self->ck, CHECKPOINT_ARGS_SIZE_VER0 - 1), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(sys_checkpoint(NULL, sizeof(self->ck)), -1);
	EXPECT_EQ(errno, EFAULT);

	/* a newer caller: what it does not use is no obstacle */
	big.args.pid = INT_MAX;
	EXPECT_EQ(sys_checkpoint(&big.args, sizeof(big)), -1);
	EXPECT_EQ(errno, ESRCH);
	big.tail[7] = 1;
	EXPECT_EQ(sys_checkpoint(&big.args, sizeof(big)), -1);
	EXPECT_EQ(errno, E2BIG);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(page, MAP_FAILED);
	EXPECT_EQ(sys_checkpoint((void *)page, 4097), -1);
	EXPECT_EQ(errno, E2BIG);
	munmap(page, 8192);
}

/* From a pipe, since what is read of it is gone */
TEST_F(abi, restart_flags)
{
	int fds[2], bit, left;
	char byte = 'x';

	ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
	ASSERT_EQ(write(fds[1], &byte, 1), 1);
	close(fds[1]);
	self->re.image_fd = fds[0];
	for (bit = 5; bit < 64; bit++) {
		self->re.flags = 1ULL << bit;
		EXPECT_RE(EINVAL);
	}
	ASSERT_EQ(ioctl(fds[0], FIONREAD, &left), 0);
	EXPECT_EQ(left, 1);
	/* with all that are known it is read, and is no image */
	self->re.flags = RESTART_STOPPED | RESTART_SHELL_JOB | RESTART_NO_TIME_NAMESPACE |
			 RESTART_KEEP_LSM;
	EXPECT_RE(EINVAL);
	ASSERT_EQ(ioctl(fds[0], FIONREAD, &left), 0);
	EXPECT_EQ(left, 0);
	close(fds[0]);
}

TEST_F(abi, restart_arguments)
{
	int fds[2];

	self->re.reserved = 1;
	EXPECT_RE(EINVAL);
	self->re.reserved = 0;
	self->re.image_fd = -1;
	EXPECT_RE(EBADF);
	self->re.image_fd = self->null;
	EXPECT_RE(EINVAL);
	ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
	self->re.image_fd = fds[1];
	EXPECT_RE(EBADF);
	self->re.image_fd = self->image;
	self->re.log_fd = -2;
	EXPECT_RE(EINVAL);
	self->re.log_fd = fds[0];
	EXPECT_RE(EBADF);
	self->re.log_fd = -1;
	self->re.nr_externals = CHECKPOINT_EXTERNAL_MAX + 1;
	EXPECT_RE(EINVAL);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(abi, restart_size)
{
	struct {
		struct restart_args args;
		uint64_t tail[8];
	} big = { .args = self->re };

	EXPECT_EQ(sys_restart(&self->re, RESTART_ARGS_SIZE_VER0 - 1), -1);
	EXPECT_EQ(errno, EINVAL);
	big.args.image_fd = 1000;
	EXPECT_EQ(sys_restart(&big.args, sizeof(big)), -1);
	EXPECT_EQ(errno, EBADF);
	big.tail[0] = 1;
	EXPECT_EQ(sys_restart(&big.args, sizeof(big)), -1);
	EXPECT_EQ(errno, E2BIG);
}

/* Ids count from 1, and a dry run takes none. */
TEST_F(abi, ids)
{
	long first, second;

	first = sys_checkpoint(&self->ck, sizeof(self->ck));
	ASSERT_GT(first, 0);
	self->ck.flags = CHECKPOINT_SUBTREE | CHECKPOINT_DRY_RUN;
	self->ck.image_fd = -1;
	EXPECT_EQ(sys_checkpoint(&self->ck, sizeof(self->ck)), 0);
	self->ck.flags = CHECKPOINT_SUBTREE;
	self->ck.image_fd = self->image;
	second = sys_checkpoint(&self->ck, sizeof(self->ck));
	EXPECT_GT(second, first);
}

TEST_F(abi, pidfd)
{
	self->ck.pid = -1;
	self->ck.pidfd = syscall(__NR_pidfd_open, self->pid, 0);
	ASSERT_GE(self->ck.pidfd, 0);
	EXPECT_GT(sys_checkpoint(&self->ck, sizeof(self->ck)), 0);
	close(self->ck.pidfd);
}

/* How often a task went to sleep: being frozen, it wakes and does it again. */
static long times_slept(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return census_number(path, "voluntary_ctxt_switches");
}

static bool become_nobody(void)
{
	/* others of the same user may look at it all the same */
	return !setgroups(0, NULL) && !setgid(NOBODY) && !setuid(NOBODY) &&
	       !prctl(PR_SET_DUMPABLE, 1);
}

/* Others' tasks: EPERM, nothing written, and the task was not even stopped. */
TEST_F(abi, permission)
{
	struct stat st;
	long slept;
	int status;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root to become somebody else");
	while (test_state(self->pid) != 'S')
		usleep(1000);
	slept = times_slept(self->pid);
	pid = fork();
	if (!pid) {
		if (!become_nobody())
			_exit(2);
		if (sys_checkpoint(&self->ck, sizeof(self->ck)) != -1 || errno != EPERM)
			_exit(3);
		self->ck.flags |= CHECKPOINT_DRY_RUN;
		self->ck.image_fd = -1;
		if (sys_checkpoint(&self->ck, sizeof(self->ck)) != -1 || errno != EPERM)
			_exit(4);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	ASSERT_EQ(fstat(self->image, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	EXPECT_EQ(times_slept(self->pid), slept);
	/* that would have been seen */
	EXPECT_GT(sys_checkpoint(&self->ck, sizeof(self->ck)), 0);
	EXPECT_GT(times_slept(self->pid), slept);
}

/* Processes of nobody, and one of root among them; each counts at its place. */
#define MIXED_NR	4
#define MIXED_FOREIGN	2

static void count_in(volatile unsigned int *count)
{
	for (;;) {
		++*count;
		usleep(1000);
	}
}

static pid_t start_mixed_tree(volatile unsigned int *counts)
{
	pid_t pid = fork();
	int i;

	if (pid)
		return pid;
	setsid();
	for (i = 1; i < MIXED_NR; i++) {
		pid = fork();
		if (!pid) {
			if (i == MIXED_FOREIGN || become_nobody())
				count_in(&counts[i]);
			_exit(1);
		}
		counts[MIXED_NR + i] = pid;
	}
	if (become_nobody())
		count_in(&counts[0]);
	_exit(1);
}

static bool all_count(volatile unsigned int *counts)
{
	unsigned int before[MIXED_NR];
	int i, ms;

	for (i = 0; i < MIXED_NR; i++)
		before[i] = counts[i];
	for (ms = 0; ms < SUBJECT_TIMEOUT_MS; ms++) {
		for (i = 0; i < MIXED_NR && counts[i] != before[i]; i++)
			;
		if (i == MIXED_NR)
			return true;
		usleep(1000);
	}
	return false;
}

TEST_F(abi, one_member_is_somebody_elses)
{
	volatile unsigned int *counts;
	char expected[64];
	struct stat st;
	int status, i;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root to become somebody else");
	counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(counts, MAP_FAILED);
	self->ck.pid = start_mixed_tree(counts);
	ASSERT_TRUE(all_count(counts));
	self->ck.log_fd = memfd_create("log", MFD_CLOEXEC);
	pid = fork();
	if (!pid) {
		if (!become_nobody())
			_exit(2);
		_exit(sys_checkpoint(&self->ck, sizeof(self->ck)) == -1 && errno == EPERM ? 0 : 3);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	snprintf(expected, sizeof(expected), "pid %d (abi): not permitted\n",
		 counts[MIXED_NR + MIXED_FOREIGN]);
	EXPECT_NE(strstr(logged(self->ck.log_fd), expected), NULL);
	ASSERT_EQ(fstat(self->image, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	EXPECT_TRUE(all_count(counts));
	/* root may */
	EXPECT_GT(sys_checkpoint(&self->ck, sizeof(self->ck)), 0);
	EXPECT_TRUE(all_count(counts));
	close(self->ck.log_fd);
	for (i = 1; i < MIXED_NR; i++)
		kill(counts[MIXED_NR + i], SIGKILL);
	kill(self->ck.pid, SIGKILL);
	waitpid(self->ck.pid, NULL, 0);
	munmap((void *)counts, 4096);
}

TEST_HARNESS_MAIN
