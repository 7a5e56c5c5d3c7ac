// SPDX-License-Identifier: GPL-2.0
/*
 * Bad images: truncated, flipped, foreign, with a pid taken or a file missing.
 * Each is refused, says why, and leaves no process behind.
 */
#include <dirent.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "ckpt_test.h"
#include "census.h"

FIXTURE(image)
{
	struct subject s;
	unsigned char *data;
	size_t len;
};

static void subject_with_state(void)
{
	char *p = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2], fd = open("missing", O_CREAT | O_RDWR, 0644);

	CHECK(fd >= 0 && p != MAP_FAILED);
	memset(p, 1, 64 << 10);
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
}

FIXTURE_TEARDOWN(image)
{
	munmap(self->data, self->len);
	subject_clean(&self->s);
}

static int count_dir(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
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
	int i, tasks = census_tasks();

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(try_restart(self, self->len), self->s.pid) subject_print(&self->s);
		subject_kill(&self->s);
		subject_sleep_ms(20);
		EXPECT_EQ(census_tasks(), tasks);
	}
}

TEST_F_TIMEOUT(image, truncated, 200)
{
	int tasks, fds = count_dir("/proc/self/fd");
	size_t len;

	EXPECT_REFUSED(0, "image is empty");
	tasks = census_tasks();
	for (len = 1; len < self->len; len += len < 4096 ? 61 : 4093)
		EXPECT_REFUSED(len, "truncated");
	EXPECT_REFUSED(self->len - 1, "truncated");
	EXPECT_REFUSED(self->len - 8, "truncated");
	EXPECT_EQ(census_tasks(), tasks);
	EXPECT_EQ(count_dir("/proc/self/fd"), fds);
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
	int tasks = census_tasks();
	unsigned int seed = 1;
	size_t i;

	for (i = 0; i < 150; i++) {
		size_t at = i < 100 ? rand_r(&seed) % 4096 : rand_r(&seed) % self->len;
		unsigned char bit = 1 << rand_r(&seed) % 8;

		self->data[at] ^= bit;
		EXPECT_REFUSED(self->len, "image");
		self->data[at] ^= bit;
	}
	EXPECT_EQ(census_tasks(), tasks);
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

TEST_F(image, pid_taken)
{
	/* exit_signal, set_tid and set_tid_size of struct clone_args */
	uint64_t args[11] = { [4] = SIGCHLD, [8] = (uintptr_t)&self->s.pid, [9] = 1 };
	char text[32];
	pid_t thief;

	ASSERT_TRUE(wait_for_number(self->s.pid));
	thief = syscall(SYS_clone3, args, sizeof(args));
	if (!thief)
		for (;;)
			pause();
	ASSERT_EQ(thief, self->s.pid);
	EXPECT_EQ(try_restart(self, self->len), -EEXIST);
	snprintf(text, sizeof(text), "pid %d", thief);
	EXPECT_TRUE(log_has(&self->s, text)) subject_print(&self->s);
	kill(thief, SIGKILL);
	waitpid(thief, NULL, 0);
}

TEST_F(image, file_missing)
{
	test_unlink(&self->s, "missing");
	EXPECT_EQ(try_restart(self, self->len), -ENOENT);
	EXPECT_TRUE(log_has(&self->s, "missing")) subject_print(&self->s);
	EXPECT_EQ(kill(self->s.pid, 0), -1);
}

/* A file system that is too small for the image */
TEST_F(image, sink_is_full)
{
	struct checkpoint_args args = { .pidfd = -1 };
	char dir[96], path[128];

	snprintf(dir, sizeof(dir), "%s/small", self->s.dir);
	snprintf(path, sizeof(path), "%s/image", dir);
	ASSERT_EQ(mkdir(dir, 0700), 0);
	ASSERT_EQ(mount("none", dir, "tmpfs", 0, "size=16k"), 0);
	ASSERT_EQ(try_restart(self, self->len), self->s.pid) subject_print(&self->s);
	args.pid = self->s.pid;
	args.flags = CHECKPOINT_KILL;
	args.image_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	args.log_fd = test_open(&self->s, "log", O_CREAT | O_TRUNC | O_RDWR);
	EXPECT_EQ(sys_checkpoint(&args, sizeof(args)), -1);
	EXPECT_EQ(errno, ENOSPC);
	test_read_log(&self->s, args.log_fd);
	EXPECT_TRUE(log_has(&self->s, "no space left")) subject_print(&self->s);
	close(args.image_fd);
	EXPECT_EQ(umount2(dir, MNT_DETACH), 0);
	EXPECT_EQ(kill(self->s.pid, 0), 0);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	subject_kill(&self->s);
}

/* A device is no place for an image. */
TEST_F(image, sink_is_a_device)
{
	struct checkpoint_args args = { .pidfd = -1, .log_fd = -1 };

	ASSERT_EQ(try_restart(self, self->len), self->s.pid) subject_print(&self->s);
	args.pid = self->s.pid;
	args.image_fd = open("/dev/full", O_WRONLY);
	EXPECT_EQ(sys_checkpoint(&args, sizeof(args)), -1);
	EXPECT_EQ(errno, EINVAL);
	close(args.image_fd);
	subject_kill(&self->s);
}

TEST_F(image, reader_goes_away)
{
	struct checkpoint_args args = { .pidfd = -1 };
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(try_restart(self, self->len), self->s.pid) subject_print(&self->s);
	ASSERT_EQ(pipe(fds), 0);
	close(fds[0]);
	args.pid = self->s.pid;
	args.image_fd = fds[1];
	args.log_fd = test_open(&self->s, "log", O_CREAT | O_TRUNC | O_RDWR);
	EXPECT_EQ(sys_checkpoint(&args, sizeof(args)), -1);
	EXPECT_EQ(errno, EPIPE);
	test_read_log(&self->s, args.log_fd);
	EXPECT_TRUE(log_has(&self->s, "cannot write the image")) subject_print(&self->s);
	EXPECT_EQ(kill(self->s.pid, 0), 0);
	subject_kill(&self->s);
}

TEST_HARNESS_MAIN
