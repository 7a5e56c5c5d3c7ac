// SPDX-License-Identifier: GPL-2.0
/* Files of FUSE: what of them only the server knows, locks above all. */
#include <linux/fuse.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "ckpt_test.h"

#define FILE_NODE	2

#ifndef F_OFD_SETLK
#define F_OFD_SETLK	37
#endif

/*
 * The server: one empty file, and one lock.
 */

static uint32_t wanted;		/* FUSE_POSIX_LOCKS, FUSE_FLOCK_LOCKS */
static uint32_t open_flags;	/* FOPEN_* */
static uint64_t entry_valid = 1000;	/* seconds for which a name is not asked for again */
static struct fuse_file_lock kept = { .type = F_UNLCK };

static void answer(int dev, const struct fuse_in_header *in, int error, void *data, size_t len)
{
	struct fuse_out_header out = { .len = sizeof(out) + len, .error = error,
				       .unique = in->unique };
	struct iovec parts[] = { { &out, sizeof(out) }, { data, len } };

	if (writev(dev, parts, 2) != (ssize_t)out.len)
		_exit(1);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr) {
		.ino = node,
		.mode = node == FILE_NODE ? S_IFREG | 0644 : S_IFDIR | 0755,
		.nlink = 1,
	};
}

static void look_up(int dev, const struct fuse_in_header *in)
{
	struct fuse_entry_out entry = {
		.nodeid = FILE_NODE,
		.entry_valid = entry_valid,
		.attr_valid = 1000,
		.attr = attributes(FILE_NODE),
	};

	if (strcmp((const char *)(in + 1), "file"))
		answer(dev, in, -ENOENT, NULL, 0);
	else
		answer(dev, in, 0, &entry, sizeof(entry));
}

static void serve_one(int dev, const struct fuse_in_header *in)
{
	const struct fuse_lk_in *lock = (const void *)(in + 1);
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096,
		.flags = wanted,
	};
	struct fuse_attr_out attr = { .attr_valid = 1000, .attr = attributes(in->nodeid) };
	struct fuse_open_out opened = { .fh = 1, .open_flags = open_flags };
	struct fuse_lk_out found = { .lk = kept };

	switch (in->opcode) {
	case FUSE_INIT:
		return answer(dev, in, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return look_up(dev, in);
	case FUSE_GETATTR:
		return answer(dev, in, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return answer(dev, in, 0, &opened, sizeof(opened));
	case FUSE_GETLK:
		return answer(dev, in, 0, &found, sizeof(found));
	case FUSE_SETLK:
		if (!(lock->lk_flags & FUSE_LK_FLOCK))
			kept = lock->lk;
		return answer(dev, in, 0, NULL, 0);
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return answer(dev, in, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return answer(dev, in, -ENOSYS, NULL, 0);
	}
}

static void serve(int dev)
{
	static char buf[1 << 16] __attribute__((aligned(8)));

	for (;;) {
		if (read(dev, buf, sizeof(buf)) > 0)
			serve_one(dev, (struct fuse_in_header *)buf);
		else if (errno == ENODEV)
			_exit(0);
	}
}

/*
 * The subject
 */

static char mnt[] = "/tmp/ckpt-fuse-XXXXXX";

static int open_file(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s/file", mnt);
	fd = open(name, O_RDWR);
	CHECK(fd >= 0);
	return fd;
}

static const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static void posix_lock(void)
{
	CHECK(!fcntl(open_file(), F_SETLK, &whole));
	subject_ready();
}

static void ofd_lock(void)
{
	CHECK(!fcntl(open_file(), F_OFD_SETLK, &whole));
	subject_ready();
}

static void flock_lock(void)
{
	CHECK(!flock(open_file(), LOCK_EX | LOCK_NB));
	subject_ready();
}

static void no_lock(void)
{
	open_file();
	subject_ready();
}

/* The kernel knows its own locks, also those of a restarted program. */
static void locks_of_the_kernel(void)
{
	int fd = open_file(), other = open_file();

	CHECK(!fcntl(fd, F_OFD_SETLK, &whole));
	CHECK(!flock(fd, LOCK_EX));
	subject_ready();
	CHECK(fcntl(other, F_OFD_SETLK, &whole) && errno == EAGAIN);
	CHECK(flock(other, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK);
}

FIXTURE(fuse)
{
	struct subject s;
	pid_t server;
};

FIXTURE_SETUP(fuse)
{
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(fuse)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
	umount2(mnt, MNT_DETACH);
	rmdir(mnt);
	if (self->server <= 0)
		return;
	kill(self->server, SIGKILL);
	waitpid(self->server, NULL, 0);
}

/* Return: what it is served by, or -1. */
static int mount_device(void)
{
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[64];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
	return dev < 0 || mount("ckpt", mnt, "fuse", 0, options) ? -1 : dev;
}

static void mount_fuse(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self,
		       uint32_t flags)
{
	int dev;

	if (access("/dev/fuse", F_OK))
		SKIP(return, "no CONFIG_FUSE_FS");
	ASSERT_NE(mkdtemp(mnt), NULL);
	dev = mount_device();
	ASSERT_GE(dev, 0);
	wanted = flags;
	self->server = fork();
	if (!self->server)
		serve(dev);
	ASSERT_GT(self->server, 0);
	close(dev);
}

static void refused(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self, uint32_t flags,
		    void (*fn)(void))
{
	mount_fuse(_metadata, self, flags);
	if (self->server)
		refuse_run(_metadata, &self->s, 0, fn, EOPNOTSUPP,
			   "lock that the server of the file system keeps");
}

static void accepted(struct __test_metadata *_metadata, FIXTURE_DATA(fuse) *self, uint32_t flags,
		     void (*fn)(void))
{
	static const FIXTURE_VARIANT(survive) restarted = { .generations = 1 };

	mount_fuse(_metadata, self, flags);
	if (self->server)
		survive_run(_metadata, &self->s, &restarted, fn);
}

TEST_F(fuse, posix_lock)
{
	refused(_metadata, self, FUSE_POSIX_LOCKS, posix_lock);
}

TEST_F(fuse, ofd_lock)
{
	refused(_metadata, self, FUSE_POSIX_LOCKS, ofd_lock);
}

TEST_F(fuse, flock)
{
	refused(_metadata, self, FUSE_FLOCK_LOCKS, flock_lock);
}

TEST_F(fuse, no_lock)
{
	accepted(_metadata, self, FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS, no_lock);
}

TEST_F(fuse, locks_of_the_kernel)
{
	accepted(_metadata, self, 0, locks_of_the_kernel);
}

TEST_F(fuse, position_that_the_server_keeps)
{
	open_flags = FOPEN_STREAM;
	mount_fuse(_metadata, self, 0);
	if (self->server)
		refuse_run(_metadata, &self->s, 0, no_lock, EOPNOTSUPP,
			   "does not tell the position");
}

/* Whoever looks for the name of the file asks a process that is frozen. */
static void served_by_a_child(void)
{
	int dev = mount_device();
	pid_t kid;

	CHECK(dev >= 0);
	kid = fork();
	if (!kid)
		serve(dev);
	close(dev);
	open_file();
	subject_ready();
	CHECK(!umount2(mnt, MNT_DETACH));
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

TEST_F(fuse, served_by_the_tree)
{
	if (access("/dev/fuse", F_OK))
		SKIP(return, "no CONFIG_FUSE_FS");
	ASSERT_NE(mkdtemp(mnt), NULL);
	entry_valid = 0;
	refuse_run(_metadata, &self->s, 0, served_by_a_child, EOPNOTSUPP,
		   "that a process of the tree serves");
}

TEST_HARNESS_MAIN
