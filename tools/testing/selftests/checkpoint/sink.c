// SPDX-License-Identifier: GPL-2.0
/*
 * Where images go, and where they come from: disks that are full, limits,
 * readers and writers who leave, sockets. What cannot be written whole is no
 * image, and all of the tree goes on.
 */
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "busy_tree.h"
#include "census.h"
#include "failing_disk.h"

static volatile int broken_pipes;

static void on_broken_pipe(int sig)
{
	broken_pipes++;
}

FIXTURE(sink)
{
	struct subject s;
	struct census before;
	size_t len;	/* of an image of the tree, more or less */
};

static size_t image_len(struct subject *s)
{
	int fd = test_open(s, "image", O_RDONLY);
	struct stat st = {};

	fstat(fd, &st);
	close(fd);
	return st.st_size;
}

FIXTURE_SETUP(sink)
{
	memset(&self->s, 0, sizeof(self->s));
	signal(SIGPIPE, on_broken_pipe);
	ASSERT_TRUE(census_adopt_orphans());
	census_take(&self->before);
	ballast = 256 << 10;
	ASSERT_TRUE(subject_start(&self->s, subject_busy)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	self->len = image_len(&self->s);
	ASSERT_GT(self->len, ballast);
}

FIXTURE_TEARDOWN(sink)
{
	test_unlink(&self->s, "image");
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	subject_kill(&self->s);
	census_kill_children();
	subject_clean(&self->s);
	EXPECT_TRUE(census_same(&self->before));
}

/* Was the checkpoint that returned @ret refused for @err, at no cost to the tree? */
static bool failed(struct subject *s, long ret, int err, const char *text)
{
	bool ok = ret == -err && log_has(s, "cannot write the image at offset ") &&
		  log_has(s, text);

	if (!ok) {
		fprintf(stderr, "# %ld, not %d \"%s\"\n", ret, -err, text);
		subject_print(s);
	}
	ok = is_no_image(s) && ok;
	return all_progress(s) && ok;
}

/* Disks: "image" leads to a small one, so that page contents, records or the end do not fit. */

static bool mount_disk(struct subject *s, size_t size)
{
	const char *path = test_path(s, "disk");
	char options[32];

	snprintf(options, sizeof(options), "size=%zu", size);
	return (!mkdir(path, 0700) || errno == EEXIST) &&
	       !mount("none", path, "tmpfs", 0, options);
}

static bool remove_disk(struct subject *s)
{
	return !umount2(test_path(s, "disk"), MNT_DETACH);
}

/* Of the first pages some hold the records of objects; of the last ones those of tasks. */
static size_t next_size(size_t size, size_t last)
{
	return size + (size < 32768 || size + 32768 > last ? 4096 : (last / 10) & ~4095UL);
}

TEST_F_TIMEOUT(sink, disk_is_full, 120)
{
	size_t size, last = (self->len - 1) & ~4095UL;

	test_unlink(&self->s, "image");
	ASSERT_EQ(symlink("disk/image", test_path(&self->s, "image")), 0);
	for (size = 4096; size <= last; size = next_size(size, last)) {
		ASSERT_TRUE(mount_disk(&self->s, size));
		/* were it not noticed, the tree would be dead */
		EXPECT_TRUE(failed(&self->s, subject_checkpoint(&self->s, CHECKPOINT_KILL),
				   ENOSPC, "no space left")) TH_LOG("disk of %zu bytes", size);
		ASSERT_TRUE(remove_disk(&self->s));
	}
}

TEST_F_TIMEOUT(sink, disk_fails_after_the_write, 60)
{
	long ret;

	if (!failing_disk_possible())
		SKIP(return, "no loop device or no minix file system");
	test_unlink(&self->s, "image");
	ASSERT_EQ(symlink("disk/image", test_path(&self->s, "image")), 0);
	ASSERT_TRUE(failing_disk_mount(self->s.dir));
	ret = subject_checkpoint(&self->s, CHECKPOINT_KILL);
	EXPECT_TRUE(failing_disk_error(-ret)) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "cannot write the image to its disk: "))
		subject_print(&self->s);
	EXPECT_TRUE(all_progress(&self->s));
	EXPECT_TRUE(failing_disk_remove(self->s.dir));
}

/* The limit on the size of a file is exact to the byte. */

/* Returns the wait status of who called checkpoint(2) and exits with the errno, or 0. */
static int checkpoint_limited(struct subject *s, size_t limit, void (*on_signal)(int))
{
	struct rlimit limits = { limit, limit };
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		long ret;

		signal(SIGXFSZ, on_signal);
		if (setrlimit(RLIMIT_FSIZE, &limits))
			_exit(255);
		ret = subject_checkpoint(s, 0);
		_exit(ret < 0 ? -ret : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	test_read_log(s, test_open(s, "log", O_RDONLY));
	return status;
}

TEST_F_TIMEOUT(sink, file_too_large, 120)
{
	size_t limit;
	int status;

	for (limit = 4096; limit < self->len - 16384; limit += self->len / 12) {
		status = checkpoint_limited(&self->s, limit, SIG_IGN);
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_TRUE(failed(&self->s, -WEXITSTATUS(status), EFBIG,
				   "file would be too large")) TH_LOG("limit %zu", limit);
		EXPECT_LE(image_len(&self->s), limit);
	}
}

/* An image of the same tree may be shorter next time: then it is whole. */
TEST_F_TIMEOUT(sink, file_too_large_for_the_trailer, 120)
{
	int i, status, too_large = 0;

	for (i = 1; i < 60; i += 6) {
		size_t limit = self->len - i;

		status = checkpoint_limited(&self->s, limit, SIG_IGN);
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_LE(image_len(&self->s), limit);
		if (!WEXITSTATUS(status))
			continue;
		EXPECT_TRUE(failed(&self->s, -WEXITSTATUS(status), EFBIG,
				   "file would be too large")) TH_LOG("limit %zu", limit);
		too_large++;
	}
	EXPECT_GT(too_large, 0);
}

TEST_F(sink, file_too_large_kills_the_caller)
{
	int status = checkpoint_limited(&self->s, 16384, SIG_DFL);

	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
	EXPECT_TRUE(is_no_image(&self->s));
	EXPECT_TRUE(all_progress(&self->s));
}

/* Readers: they put what they get into the file "image". */

static void copy(int from, int to, size_t bytes)
{
	char buf[16384];
	ssize_t n;

	while (bytes) {
		n = read(from, buf, bytes < sizeof(buf) ? bytes : sizeof(buf));
		if (n <= 0)
			break;
		if (write(to, buf, n) != n)
			_exit(1);
		bytes -= n;
	}
	_exit(0);
}

static pid_t start_reader(struct subject *s, int *fds, size_t bytes)
{
	int to = test_open(s, "image", O_CREAT | O_TRUNC | O_RDWR);
	pid_t pid = fork();

	if (!pid) {
		close(fds[1]);
		copy(fds[0], to, bytes);
	}
	close(fds[0]);
	close(to);
	return pid;
}

/* Others write what is in it; @fds[0] is still where the image comes from. */
static pid_t start_writer(struct subject *s, int *fds, size_t bytes)
{
	int from = test_open(s, "image", O_RDONLY);
	pid_t pid = fork();

	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		close(fds[0]);
		copy(from, fds[1], bytes);
	}
	close(fds[1]);
	close(from);
	return pid;
}

static bool ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && !status;
}

/* @fds[0] is read from, @fds[1] written to, and little is under way. */

static bool make_pipe(int *fds)
{
	return !pipe2(fds, O_CLOEXEC) && fcntl(fds[1], F_SETPIPE_SZ, 4096) == 4096;
}

static bool make_sockets(int *fds)
{
	int size = 1;

	return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) &&
	       !setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* A socket that is closed with data unread is reset, which its writer may be told first. */
static void readers_leave(struct __test_metadata *_metadata, FIXTURE_DATA(sink) *self,
			  bool (*make)(int *fds))
{
	size_t bytes;

	for (bytes = 0; bytes < self->len - 65536;
	     bytes = bytes < 8192 ? bytes * 2 + 1 : bytes + self->len / 12) {
		int fds[2], err = EPIPE;
		pid_t reader;
		long ret;

		ASSERT_TRUE(make(fds));
		reader = start_reader(&self->s, fds, bytes);
		broken_pipes = 0;
		ret = subject_checkpoint_to(&self->s, fds[1], CHECKPOINT_KILL);
		if (make == make_sockets && ret == -ECONNRESET)
			err = ECONNRESET;
		EXPECT_EQ(broken_pipes, err == EPIPE);
		close(fds[1]);
		EXPECT_TRUE(ended_well(reader));
		EXPECT_EQ(image_len(&self->s), bytes);
		EXPECT_TRUE(failed(&self->s, ret, err, "the other end is closed"))
			TH_LOG("reader of %zu bytes", bytes);
	}
}

TEST_F_TIMEOUT(sink, reader_of_a_pipe_leaves, 120)
{
	readers_leave(_metadata, self, make_pipe);
}

TEST_F_TIMEOUT(sink, reader_of_a_socket_leaves, 120)
{
	readers_leave(_metadata, self, make_sockets);
}

TEST_F(sink, nobody_reads)
{
	int fds[2];

	test_unlink(&self->s, "image");
	close(test_open(&self->s, "image", O_CREAT | O_RDWR));
	ASSERT_TRUE(make_pipe(fds));
	close(fds[0]);
	EXPECT_TRUE(failed(&self->s, subject_checkpoint_to(&self->s, fds[1], CHECKPOINT_KILL), EPIPE,
			   "the other end is closed"));
	close(fds[1]);
}

/* There and back again */

static bool save_through(FIXTURE_DATA(sink) *self, bool (*make)(int *fds))
{
	int fds[2];
	pid_t reader;
	bool ok;

	if (!make(fds))
		return false;
	reader = start_reader(&self->s, fds, SIZE_MAX);
	ok = subject_checkpoint_to(&self->s, fds[1], CHECKPOINT_KILL) > 0;
	close(fds[1]);
	ok = ended_well(reader) && waitpid(self->s.pid, NULL, 0) == self->s.pid && ok;
	census_kill_children();
	return ok;
}

static long restart_through(FIXTURE_DATA(sink) *self, bool (*make)(int *fds), size_t bytes)
{
	int fds[2];
	pid_t writer;
	long ret;

	if (!make(fds))
		return 0;
	writer = start_writer(&self->s, fds, bytes);
	ret = subject_restart_from(&self->s, fds[0], 0);
	close(fds[0]);
	return ended_well(writer) ? ret : 0;
}

static void round_trip(struct __test_metadata *_metadata, FIXTURE_DATA(sink) *self,
		       bool (*make)(int *fds))
{
	size_t bytes, len;

	ASSERT_TRUE(save_through(self, make)) subject_print(&self->s);
	len = image_len(&self->s);
	for (bytes = 0; bytes < len; bytes += len / 7) {
		EXPECT_EQ(restart_through(self, make, bytes), -EINVAL) subject_print(&self->s);
		EXPECT_TRUE(log_has(&self->s, bytes ? "truncated" : "empty"))
			subject_print(&self->s);
		EXPECT_EQ(kill(self->s.pid, 0), -1);
	}
	ASSERT_EQ(restart_through(self, make, SIZE_MAX), self->s.pid) subject_print(&self->s);
	EXPECT_TRUE(all_progress(&self->s));
}

TEST_F_TIMEOUT(sink, through_a_pipe_and_back, 60)
{
	round_trip(_metadata, self, make_pipe);
}

TEST_F_TIMEOUT(sink, through_sockets_and_back, 60)
{
	round_trip(_metadata, self, make_sockets);
}

/* What cannot carry an image is refused by name, and nothing is written to it. */

static void refuse_sockets(struct __test_metadata *_metadata, FIXTURE_DATA(sink) *self, int type)
{
	static const char text[] = "image_fd is not a stream socket";
	int fds[2];
	char c;

	ASSERT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	EXPECT_EQ(subject_checkpoint_to(&self->s, fds[1], CHECKPOINT_KILL), -EINVAL);
	EXPECT_TRUE(log_has(&self->s, text)) subject_print(&self->s);
	EXPECT_EQ(recv(fds[0], &c, 1, MSG_DONTWAIT), -1);
	EXPECT_EQ(errno, EAGAIN);
	EXPECT_TRUE(all_progress(&self->s));
	/* what would be read from is not taken, either */
	EXPECT_EQ(send(fds[1], "x", 1, 0), 1);
	EXPECT_EQ(subject_restart_from(&self->s, fds[0], 0), -EINVAL);
	EXPECT_TRUE(log_has(&self->s, text)) subject_print(&self->s);
	EXPECT_EQ(recv(fds[0], &c, 1, MSG_DONTWAIT), 1);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(sink, datagram_sockets)
{
	refuse_sockets(_metadata, self, SOCK_DGRAM);
}

TEST_F(sink, seqpacket_sockets)
{
	refuse_sockets(_metadata, self, SOCK_SEQPACKET);
}

TEST_F(sink, socket_that_leads_nowhere)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(subject_checkpoint_to(&self->s, fd, CHECKPOINT_KILL), -ENOTCONN);
	EXPECT_TRUE(log_has(&self->s, "cannot write the image at offset 0:"))
		subject_print(&self->s);
	EXPECT_TRUE(all_progress(&self->s));
	close(fd);
}

TEST_F(sink, device)
{
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	EXPECT_EQ(subject_checkpoint_to(&self->s, fd, CHECKPOINT_KILL), -EINVAL);
	EXPECT_TRUE(log_has(&self->s, "is no regular file, pipe or socket"))
		subject_print(&self->s);
	EXPECT_EQ(subject_restart_from(&self->s, fd, 0), -EINVAL);
	EXPECT_TRUE(log_has(&self->s, "is no regular file, pipe or socket"))
		subject_print(&self->s);
	EXPECT_TRUE(all_progress(&self->s));
	close(fd);
}

TEST_HARNESS_MAIN
