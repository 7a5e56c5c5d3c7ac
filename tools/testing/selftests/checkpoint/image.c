// SPDX-License-Identifier: GPL-2.0
/*
 * Bad images: truncated, flipped, foreign, with a pid taken or a file missing.
 * Each is refused, says why, and leaves no process behind.
 */
#include <sys/file.h>
#include <sys/sysmacros.h>

#include "census.h"

FIXTURE(image)
{
	struct subject s;
	struct census before;
	unsigned char *data;
	size_t len;
};

static void subject_with_state(void)
{
	char *p = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2], fd;

	CHECK(p != MAP_FAILED);
	memset(p, 1, 64 << 10);
	fd = open("file", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0 && !ftruncate(fd, 100) && !flock(fd, LOCK_EX));
	CHECK(!mknod("device", S_IFCHR | 0600, makedev(1, 3)) && open("device", O_RDONLY) >= 0);
	CHECK(!mkfifo("fifo", 0600));
	fd = open("fifo", O_RDWR);
	CHECK_EQ(write(fd, "data", 4), 4);
	CHECK(!pipe(fds));
	CHECK_EQ(write(fds[1], "data", 4), 4);
	if (!fork())
		for (;;)
			pause();
	subject_ready();
}

FIXTURE_SETUP(image)
{
	struct stat st;
	int fd;

	memset(&self->s, 0, sizeof(self->s));
	ASSERT_TRUE(subject_start(&self->s, subject_with_state)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	fd = test_open(&self->s, "image", O_RDONLY);
	ASSERT_EQ(fstat(fd, &st), 0);
	self->len = st.st_size;
	self->data = mmap(NULL, self->len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(self->data, MAP_FAILED);
	close(fd);
	test_unlink(&self->s, "image");
	census_take(&self->before);
}

FIXTURE_TEARDOWN(image)
{
	EXPECT_TRUE(census_same(&self->before));
	munmap(self->data, self->len);
	subject_clean(&self->s);
}

/* Restarts from the first @len bytes of @self->data. */
static long try_restart(FIXTURE_DATA(image) *self, size_t len)
{
	int fd = test_open(&self->s, "image", O_CREAT | O_TRUNC | O_RDWR);

	if (write(fd, self->data, len) != (ssize_t)len)
		return 0;
	close(fd);
	return subject_restart(&self->s, 0);
}

#define EXPECT_REFUSED(len, text)					\
	do {								\
		long __ret = try_restart(self, len);			\
									\
		ASSERT_EQ(__ret, -EINVAL) {				\
			fprintf(stderr, "# %zu bytes accepted\n", (size_t)(len)); \
			subject_kill(&self->s);				\
		}							\
		ASSERT_TRUE(log_has(&self->s, text)) subject_print(&self->s); \
		ASSERT_EQ(kill(self->s.pid, 0), -1);			\
	} while (0)

TEST_F(image, good_one_restarts_twice)
{
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(try_restart(self, self->len), self->s.pid) subject_print(&self->s);
		subject_kill(&self->s);
	}
}

TEST_F_TIMEOUT(image, truncated, 200)
{
	size_t len;

	EXPECT_REFUSED(0, "image is empty");
	for (len = 1; len < self->len; len += len < 4096 ? 61 : 4093)
		EXPECT_REFUSED(len, "truncated");
	EXPECT_REFUSED(self->len - 1, "truncated");
	EXPECT_REFUSED(self->len - 8, "truncated");
}

TEST_F_TIMEOUT(image, truncated_between_blocks, 200)
{
	size_t at = 0;

	while (at < self->len) {
		struct ckpt_block block;

		memcpy(&block, self->data + at, sizeof(block));
		ASSERT_EQ(block.magic, CKPT_BLOCK_MAGIC);
		EXPECT_REFUSED(at, at ? "truncated" : "empty");
		at += sizeof(block) + block.pad + ((block.len + 7) & ~7U);
	}
	EXPECT_EQ(at, self->len);
}

TEST_F(image, truncated_stream)
{
	size_t len;

	/* a pipe has no end to look at first: the tree is built, and undone */
	for (len = self->len / 8; len < self->len; len += self->len / 8) {
		struct restart_args args = {
			.log_fd = test_open(&self->s, "log", O_CREAT | O_TRUNC | O_RDWR),
		};
		int fds[2];

		ASSERT_EQ(pipe(fds), 0);
		if (!fork()) {
			close(fds[0]);
			signal(SIGPIPE, SIG_DFL);
			_exit(write(fds[1], self->data, len) < 0);
		}
		close(fds[1]);
		args.image_fd = fds[0];
		ASSERT_EQ(sys_restart(&args, sizeof(args)), -1);
		ASSERT_EQ(errno, EINVAL);
		test_read_log(&self->s, args.log_fd);
		EXPECT_TRUE(log_has(&self->s, "truncated")) subject_print(&self->s);
		close(fds[0]);
		ASSERT_GT(waitpid(-1, NULL, 0), 0);
		ASSERT_EQ(kill(self->s.pid, 0), -1);
	}
}

TEST_F_TIMEOUT(image, flipped_bits, 200)
{
	unsigned int seed = 1;
	size_t i;

	for (i = 0; i < 150; i++) {
		size_t at = i < 100 ? rand_r(&seed) % 4096 : rand_r(&seed) % self->len;
		unsigned char bit = 1 << rand_r(&seed) % 8;

		self->data[at] ^= bit;
		EXPECT_REFUSED(self->len, "image");
		self->data[at] ^= bit;
	}
}

TEST_F(image, foreign)
{
	memset(self->data, 'x', self->len);
	EXPECT_REFUSED(self->len, "image");
}

/* A dead child keeps its leader's number in use until its reaper has come. */
static bool wait_for_number(pid_t pid)
{
	int ms;

	for (ms = 0; ms < SUBJECT_TIMEOUT_MS; ms += 2) {
		if (syscall(SYS_pidfd_open, pid, 0) < 0 && errno == ESRCH)
			return true;
		subject_sleep_ms(2);
	}
	return false;
}

/* A process with the number of the root */
static pid_t take_pid(pid_t pid)
{
	/* exit_signal, set_tid and set_tid_size of struct clone_args */
	uint64_t args[11] = { [4] = SIGCHLD, [8] = (uintptr_t)&pid, [9] = 1 };

	return wait_for_number(pid) ? syscall(SYS_clone3, args, sizeof(args)) : -1;
}

TEST_F(image, pid_taken)
{
	pid_t thief = take_pid(self->s.pid);
	char text[32];

	if (!thief)
		for (;;)
			pause();
	ASSERT_EQ(thief, self->s.pid);
	EXPECT_EQ(try_restart(self, self->len), -EEXIST);
	snprintf(text, sizeof(text), "pid %d is taken by image", thief);
	EXPECT_TRUE(log_has(&self->s, text)) subject_print(&self->s);
	kill(thief, SIGKILL);
	waitpid(thief, NULL, 0);
}

/* The leader of a process group dies, and leaves a member of it. */
TEST_F(image, pid_taken_by_a_process_group)
{
	pid_t thief = take_pid(self->s.pid);
	char text[64];

	if (!thief) {
		if (setpgid(0, 0))
			_exit(1);
		if (!fork())
			for (;;)
				pause();
		_exit(0);
	}
	ASSERT_EQ(thief, self->s.pid);
	ASSERT_EQ(waitpid(thief, NULL, 0), thief);
	EXPECT_EQ(try_restart(self, self->len), -EEXIST);
	snprintf(text, sizeof(text), "pid %d is taken by a process group or session", thief);
	EXPECT_TRUE(log_has(&self->s, text)) subject_print(&self->s);
	EXPECT_EQ(kill(-thief, SIGKILL), 0);
}

/* CHANGED(name, errno, "text in the log") { what is otherwise than at the checkpoint } */
#define CHANGED(name, err, text)					\
	static void change_##name(struct __test_metadata *_metadata, struct subject *s); \
	TEST_F(image, name)						\
	{								\
		change_##name(_metadata, &self->s);			\
		EXPECT_EQ(try_restart(self, self->len), -(err)) subject_print(&self->s); \
		EXPECT_TRUE(log_has(&self->s, text)) subject_print(&self->s); \
		EXPECT_EQ(kill(self->s.pid, 0), -1);			\
	}								\
	static void change_##name(struct __test_metadata *_metadata, struct subject *s)

CHANGED(file_is_missing, ENOENT, "/file: cannot be found")
{
	ASSERT_EQ(unlink(test_path(s, "file")), 0);
}

CHANGED(file_is_shorter, EINVAL, "/file: shorter than at the checkpoint")
{
	ASSERT_EQ(truncate(test_path(s, "file"), 99), 0);
}

CHANGED(file_is_a_directory, EINVAL, "/file: was a file at the checkpoint, is a directory now")
{
	ASSERT_EQ(unlink(test_path(s, "file")), 0);
	ASSERT_EQ(mkdir(test_path(s, "file"), 0700), 0);
}

CHANGED(file_is_locked, EBUSY, "/file: its lock is held by somebody else")
{
	/* open until the test ends, also for those who count */
	int fd = test_open(s, "file", O_RDWR);

	ASSERT_EQ(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	ASSERT_EQ(close(fd), 0);
	ASSERT_EQ(flock(STDIN_FILENO, LOCK_EX), 0);
}

CHANGED(device_is_another, EINVAL, "/device: another device than at the checkpoint")
{
	ASSERT_EQ(unlink(test_path(s, "device")), 0);
	ASSERT_EQ(mknod(test_path(s, "device"), S_IFCHR | 0600, makedev(1, 5)), 0);
}

CHANGED(fifo_is_missing, ENOENT, "/fifo: cannot be found")
{
	ASSERT_EQ(unlink(test_path(s, "fifo")), 0);
}

CHANGED(fifo_is_a_file, EINVAL, "/fifo: was a FIFO at the checkpoint")
{
	ASSERT_EQ(unlink(test_path(s, "fifo")), 0);
	ASSERT_EQ(mknod(test_path(s, "fifo"), S_IFREG | 0600, 0), 0);
}

CHANGED(fifo_is_open, EBUSY, "/fifo: is open elsewhere, contents cannot be restored")
{
	int fd = test_open(s, "fifo", O_RDWR);

	ASSERT_EQ(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	ASSERT_EQ(close(fd), 0);
}

TEST_HARNESS_MAIN
