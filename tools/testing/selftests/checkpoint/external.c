// SPDX-License-Identifier: GPL-2.0
/* Descriptors that lead outside: declared at the checkpoint, replaced at the restart. */
#include <linux/memfd.h>
#include <sys/file.h>

#include "ckpt_test.h"

FIXTURE(external)
{
	struct subject s;
	int fd;
};

static const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static void subject_opens_fifo(void)
{
	CHECK_EQ(dup2(open("../ckpt-external-fifo", O_RDWR | O_CLOEXEC), 7), 7);
	CHECK(!fcntl(7, F_SETLK, &lock));
	CHECK(!flock(7, LOCK_SH));
	subject_ready();
	CHECK_EQ(write(7, "after", 5), 5);
}

FIXTURE_SETUP(external)
{
	memset(&self->s, 0, sizeof(self->s));
	unlink("/tmp/ckpt-external-fifo");
	ASSERT_EQ(mkfifo("/tmp/ckpt-external-fifo", 0600), 0);
	ASSERT_TRUE(subject_start(&self->s, subject_opens_fifo)) subject_print(&self->s);
	self->fd = test_get_fd(self->s.pid, 7);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(external)
{
	close(self->fd);
	unlink("/tmp/ckpt-external-fifo");
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

static long checkpoint_with(struct subject *s, struct checkpoint_external *ext, uint64_t flags)
{
	struct checkpoint_args args = {
		.flags = flags,
		.pid = s->pid,
		.pidfd = -1,
		.image_fd = test_open(s, "image", O_CREAT | O_TRUNC | O_RDWR),
		.log_fd = test_open(s, "log", O_CREAT | O_TRUNC | O_RDWR),
		.externals = (uintptr_t)ext,
		.nr_externals = !!ext,
	};
	long ret = sys_checkpoint(&args, sizeof(args));

	if (ret < 0)
		ret = -errno;
	close(args.image_fd);
	test_read_log(s, args.log_fd);
	return ret;
}

static long restart_with(struct subject *s, struct checkpoint_external *ext)
{
	struct restart_args args = {
		.image_fd = test_open(s, "image", O_RDONLY),
		.log_fd = test_open(s, "log", O_CREAT | O_TRUNC | O_RDWR),
		.externals = (uintptr_t)ext,
		.nr_externals = !!ext,
	};
	long ret = sys_restart(&args, sizeof(args));

	if (ret < 0)
		ret = -errno;
	close(args.image_fd);
	test_read_log(s, args.log_fd);
	return ret;
}

TEST_F(external, undeclared_is_a_leak)
{
	EXPECT_EQ(checkpoint_with(&self->s, NULL, 0), -EAGAIN) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "held by pid")) subject_print(&self->s);
}

/* Is there a lock of somebody else's? The file is opened anew: it has none. */
static bool is_locked(int how)
{
	int fd = open("/tmp/ckpt-external-fifo", O_RDWR | O_CLOEXEC);
	bool locked = flock(fd, how | LOCK_NB) == -1 && errno == EWOULDBLOCK;

	close(fd);
	return locked;
}

TEST_F(external, declared_is_replaced)
{
	struct checkpoint_external ext = { .key = (uintptr_t)"out", .fd = self->fd };
	char buf[8] = "";
	int status;

	ASSERT_GT(checkpoint_with(&self->s, &ext, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	close(self->fd);
	unlink("/tmp/ckpt-external-fifo");
	ASSERT_EQ(mkfifo("/tmp/ckpt-external-fifo", 0600), 0);
	ext.fd = self->fd = open("/tmp/ckpt-external-fifo", O_RDWR | O_CLOEXEC);
	ASSERT_GE(ext.fd, 0);
	ASSERT_EQ(restart_with(&self->s, &ext), self->s.pid) subject_print(&self->s);
	EXPECT_FALSE(log_has(&self->s, "not as it was")) subject_print(&self->s);
	EXPECT_TRUE(fcntl(self->fd, F_SETLK, &lock) == -1 && errno == EAGAIN);
	EXPECT_TRUE(is_locked(LOCK_EX));
	EXPECT_FALSE(is_locked(LOCK_SH));
	status = subject_finish(&self->s);
	EXPECT_EQ(status, 0) subject_print(&self->s);
	EXPECT_EQ(read(self->fd, buf, sizeof(buf)), 5);
	EXPECT_STREQ(buf, "after");
	self->s.pid = 0;
}

TEST_F(external, replaced_by_a_file_of_less_access)
{
	struct checkpoint_external ext = { .key = (uintptr_t)"out", .fd = self->fd };

	ASSERT_GT(checkpoint_with(&self->s, &ext, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ext.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(restart_with(&self->s, &ext), -EACCES);
	EXPECT_TRUE(log_has(&self->s, "out")) subject_print(&self->s);
	close(ext.fd);
	self->s.pid = 0;
}

TEST_F(external, lock_is_held_by_somebody_else)
{
	struct checkpoint_external ext = { .key = (uintptr_t)"out", .fd = self->fd };
	int other;

	ASSERT_GT(checkpoint_with(&self->s, &ext, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	close(self->fd);
	other = open("/tmp/ckpt-external-fifo", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
	ext.fd = self->fd = open("/tmp/ckpt-external-fifo", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(restart_with(&self->s, &ext), -EBUSY);
	EXPECT_TRUE(log_has(&self->s, "its lock is held by somebody else"))
		subject_print(&self->s);
	close(other);
	self->s.pid = 0;
}

/* It stays as it is, and the restarter is told. */
TEST_F(external, mode_differs)
{
	struct checkpoint_external ext = { .key = (uintptr_t)"out", .fd = self->fd };

	ASSERT_EQ(fcntl(self->fd, F_SETFL, O_NONBLOCK), 0);
	ASSERT_GT(checkpoint_with(&self->s, &ext, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(fcntl(self->fd, F_SETFL, 0), 0);
	ASSERT_EQ(restart_with(&self->s, &ext), self->s.pid) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "external object out: O_APPEND or O_NONBLOCK is not as it was"))
		subject_print(&self->s);
	EXPECT_EQ(fcntl(self->fd, F_GETFL) & O_NONBLOCK, 0);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* What a stand-in cannot have is refused, as of any other file. */
TEST_F(external, signal_driven)
{
	struct checkpoint_external ext = { .key = (uintptr_t)"out", .fd = self->fd };

	ASSERT_EQ(fcntl(self->fd, F_SETOWN, self->s.pid), 0);
	EXPECT_EQ(checkpoint_with(&self->s, &ext, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(&self->s, "has a signal owner")) subject_print(&self->s);
	ASSERT_EQ(fcntl(self->fd, F_SETFL, O_ASYNC), 0);
	EXPECT_EQ(checkpoint_with(&self->s, &ext, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(&self->s, "signal-driven I/O")) subject_print(&self->s);
	ASSERT_EQ(fcntl(self->fd, F_SETFL, 0), 0);
	ASSERT_EQ(fcntl(self->fd, F_SETOWN, 0), 0);
	EXPECT_GT(checkpoint_with(&self->s, &ext, 0), 0) subject_print(&self->s);
}

TEST_F(external, missing_at_restart)
{
	struct checkpoint_external ext = { .key = (uintptr_t)"out", .fd = self->fd };

	ASSERT_GT(checkpoint_with(&self->s, &ext, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	EXPECT_EQ(restart_with(&self->s, NULL), -EINVAL);
	EXPECT_TRUE(log_has(&self->s, "out")) subject_print(&self->s);
	EXPECT_EQ(kill(self->s.pid, 0), -1);
	self->s.pid = 0;
}

#define SHARED	((char *)0x40000000)

static void subject_maps_memfd(void)
{
	CHECK_EQ(dup2(syscall(SYS_memfd_create, "shared", 0), 7), 7);
	CHECK(!close_range(3, 6, 0) && !ftruncate(7, 8192));
	CHECK(mmap(SHARED, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, 7, 0) ==
	      SHARED);
	memcpy(SHARED, "before", 7);
	subject_ready();
	CHECK(!strcmp(SHARED, "outside"));
	memcpy(SHARED, "after", 6);
}

/* Memory that is outside is not saved: it is the restarter's afterwards. */
TEST_F(refuse, mapped_memory_is_replaced)
{
	struct checkpoint_external ext = { .key = (uintptr_t)"memory" };
	struct subject *s = &self->s;
	char buf[8] = "";

	ASSERT_TRUE(subject_start(s, subject_maps_memfd)) subject_print(s);
	ext.fd = test_get_fd(s->pid, 7);
	ASSERT_GE(ext.fd, 0);
	EXPECT_EQ(checkpoint_with(s, NULL, 0), -EAGAIN) subject_print(s);
	ASSERT_GT(checkpoint_with(s, &ext, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	close(ext.fd);
	ext.fd = syscall(SYS_memfd_create, "other", MFD_CLOEXEC);
	ASSERT_EQ(ftruncate(ext.fd, 8192), 0);
	ASSERT_EQ(pwrite(ext.fd, "outside", 8, 0), 8);
	ASSERT_EQ(restart_with(s, &ext), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	EXPECT_EQ(pread(ext.fd, buf, 6, 0), 6);
	EXPECT_STREQ(buf, "after");
	close(ext.fd);
	s->pid = 0;
}

TEST_HARNESS_MAIN
