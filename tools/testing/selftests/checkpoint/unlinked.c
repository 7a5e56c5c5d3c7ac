// SPDX-License-Identifier: GPL-2.0
/* Files that only their users keep: unlinked from a tmpfs, never linked, memfds under seal. */
#include <linux/memfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "mapping.h"

#define NAME	"/dev/shm/ckpt-unlinked"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	8U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC	0x10U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC	0x20
#endif

static int create(void)
{
	int fd;

	unlink(NAME);
	fd = open(NAME, O_CREAT | O_EXCL | O_RDWR, 0640);
	CHECK(fd >= 0);
	return fd;
}

static void check_link(int fd, const char *expected)
{
	char path[64], link[128] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	if (strcmp(link, expected))
		dprintf(2, "fd %d is %s\n", fd, link);
	CHECK(!strcmp(link, expected));
}

static void check_read(int fd, off_t at, const char *expected)
{
	char buf[64] = "";

	CHECK_EQ(pread(fd, buf, strlen(expected), at), (ssize_t)strlen(expected));
	CHECK(!memcmp(buf, expected, strlen(expected)));
}

SURVIVE(open_and_unlinked)
{
	int fd = create(), again, status;
	dev_t dev;
	struct stat st;
	pid_t kid;

	CHECK_EQ(pwrite(fd, "far away", 8, 1 << 20), 8);
	CHECK_EQ(write(fd, "hello", 5), 5);
	again = open(NAME, O_RDONLY);
	CHECK(again >= 0 && !unlink(NAME));
	CHECK(!fstat(fd, &st));
	dev = st.st_dev;
	kid = fork();
	if (!kid) {
		while (pread(fd, &status, 1, 100) != 1 || (char)status != 'x')
			subject_sleep_ms(1);
		CHECK_EQ(pwrite(fd, "y", 1, 101), 1);
		_exit(0);
	}
	subject_ready();
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_EQ(lseek(again, 0, SEEK_CUR), 0);
	check_read(fd, 0, "hello");
	check_read(again, 1 << 20, "far away");
	check_link(fd, NAME " (deleted)");
	check_link(again, NAME " (deleted)");
	CHECK(!fstat(again, &st));
	CHECK_EQ(st.st_size, (1 << 20) + 8);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_dev, dev);
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_blocks, 2 * PAGE / 512);
	CHECK(access(NAME, F_OK) && errno == ENOENT);
	CHECK_EQ(pwrite(fd, "x", 1, 100), 1);
	check_read(again, 100, "x");
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	check_read(again, 101, "y");
	CHECK(write(again, "x", 1) == -1 && errno == EBADF);
	CHECK(!ftruncate(fd, 3));
}

SURVIVE(mapped_and_unlinked)
{
	int fd = create();
	volatile unsigned char *p, *q;
	char line[512];
	bool named = false;
	pid_t kid;
	FILE *f;

	CHECK(!ftruncate(fd, 8 * PAGE));
	p = map(8 * PAGE, RW, MAP_SHARED, fd);
	q = map(8 * PAGE, RW, MAP_PRIVATE, fd);
	memset((void *)p, 7, 4 * PAGE);
	q[PAGE] = 8;
	CHECK(!close(fd) && !unlink(NAME));
	kid = fork_answering(p);
	subject_ready();
	CHECK_EQ(p[2 * PAGE], 7);
	CHECK_EQ(q[2 * PAGE], 7);
	CHECK_EQ(q[PAGE], 8);
	CHECK_EQ(q[PAGE + 1], 7);
	CHECK_EQ(p[PAGE], 7);
	check_answer(kid, p, p);
	CHECK_EQ(q[0], 1);
	f = fopen("/proc/self/maps", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		named |= !!strstr(line, NAME " (deleted)\n");
	fclose(f);
	CHECK(named);
}

static int tmpfile_linked(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	unlink(NAME);
	return linkat(AT_FDCWD, path, AT_FDCWD, NAME, AT_SYMLINK_FOLLOW);
}

SURVIVE(file_that_never_had_a_name)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600), named;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "draft", 5), 5);
	subject_ready();
	check_read(fd, 0, "draft");
	/* it may still get one */
	CHECK(!tmpfile_linked(fd));
	named = open(NAME, O_RDONLY);
	CHECK(named >= 0);
	check_read(named, 0, "draft");
	CHECK(!unlink(NAME));
}

SURVIVE(file_that_never_gets_a_name)
{
	int fd = open("/dev/shm", O_TMPFILE | O_EXCL | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "secret", 6), 6);
	subject_ready();
	check_read(fd, 0, "secret");
	CHECK(tmpfile_linked(fd) && errno == ENOENT);
}

static const struct {
	unsigned int flags;
	int mode;
	int seals;
} sealed[] = {
	{ MFD_ALLOW_SEALING | MFD_EXEC, 0777, 0 },
	{ MFD_EXEC, 0777, F_SEAL_SEAL },
	{ MFD_ALLOW_SEALING | MFD_EXEC, 0777, F_SEAL_SHRINK },
	{ MFD_ALLOW_SEALING | MFD_EXEC, 0777, F_SEAL_GROW },
	{ MFD_ALLOW_SEALING | MFD_EXEC, 0777, F_SEAL_WRITE },
	{ MFD_ALLOW_SEALING | MFD_EXEC, 0777, F_SEAL_FUTURE_WRITE },
	{ MFD_ALLOW_SEALING | MFD_EXEC, 0644, F_SEAL_EXEC },
	{ MFD_ALLOW_SEALING | MFD_EXEC, 0755, F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW |
					      F_SEAL_WRITE | F_SEAL_FUTURE_WRITE },
	{ MFD_NOEXEC_SEAL, 0666, F_SEAL_EXEC },
	{ MFD_NOEXEC_SEAL, 0666, F_SEAL_EXEC | F_SEAL_SEAL | F_SEAL_WRITE },
};

SURVIVE(every_seal)
{
	int fd[ARRAY_SIZE(sealed)], i;
	struct stat st;

	for (i = 0; i < (int)ARRAY_SIZE(sealed); i++) {
		fd[i] = syscall(SYS_memfd_create, "sealed", sealed[i].flags);
		CHECK(fd[i] >= 0);
		CHECK_EQ(write(fd[i], "sealed", 6), 6);
		CHECK(!fchmod(fd[i], sealed[i].mode));
		if (sealed[i].seals & ~fcntl(fd[i], F_GET_SEALS))
			CHECK(!fcntl(fd[i], F_ADD_SEALS, sealed[i].seals));
		CHECK_EQ(fcntl(fd[i], F_GET_SEALS), sealed[i].seals);
	}
	subject_ready();
	for (i = 0; i < (int)ARRAY_SIZE(sealed); i++) {
		CHECK_EQ(fcntl(fd[i], F_GET_SEALS), sealed[i].seals);
		check_read(fd[i], 0, "sealed");
		CHECK(!fstat(fd[i], &st));
		CHECK_EQ(st.st_mode & 0777, sealed[i].mode);
		if (sealed[i].seals & F_SEAL_EXEC)
			CHECK(fchmod(fd[i], sealed[i].mode ^ 0100) && errno == EPERM);
		if (sealed[i].seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			CHECK(pwrite(fd[i], "S", 1, 0) == -1 && errno == EPERM);
		else
			CHECK_EQ(pwrite(fd[i], "S", 1, 0), 1);
		CHECK_EQ(!!ftruncate(fd[i], 1), !!(sealed[i].seals & F_SEAL_SHRINK));
		CHECK_EQ(!!ftruncate(fd[i], 10), !!(sealed[i].seals & F_SEAL_GROW));
		CHECK_EQ(!!fcntl(fd[i], F_ADD_SEALS, F_SEAL_SHRINK),
			 !!(sealed[i].seals & F_SEAL_SEAL));
	}
}

/* Whoever has mapped it before the seal may go on writing, nobody else. */
SURVIVE(sealed_for_future_writers)
{
	int fd = syscall(SYS_memfd_create, "future", MFD_ALLOW_SEALING);
	unsigned char *p, *q, *before;

	CHECK(!ftruncate(fd, 2 * PAGE));
	p = map(2 * PAGE, RW, MAP_SHARED, fd);
	before = map(PAGE, PROT_READ, MAP_SHARED, fd);
	memset(p, 3, 2 * PAGE);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	q = map(PAGE, PROT_READ, MAP_SHARED, fd);
	subject_ready();
	CHECK_EQ(p[PAGE], 3);
	p[0] = 4;
	CHECK_EQ(q[0], 4);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mprotect(q, PAGE, RW) && errno == EACCES);
	CHECK(!mprotect(before, PAGE, RW));
	before[1] = 5;
	CHECK_EQ(q[1], 5);
	CHECK(write(fd, "x", 1) == -1 && errno == EPERM);
}

SURVIVE(names_of_memfds)
{
	static const char *const names[] = { "", "with space", "pulseaudio", "a/b" };
	char link[128], line[512];
	int fd[4], i, found = 0;
	FILE *f;

	for (i = 0; i < 4; i++) {
		fd[i] = syscall(SYS_memfd_create, names[i], 0);
		CHECK(!ftruncate(fd[i], PAGE));
		map(PAGE, PROT_READ, MAP_SHARED, fd[i]);
	}
	subject_ready();
	for (i = 0; i < 4; i++) {
		snprintf(link, sizeof(link), "/memfd:%s (deleted)", names[i]);
		check_link(fd[i], link);
	}
	f = fopen("/proc/self/maps", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < 4; i++) {
			snprintf(link, sizeof(link), "/memfd:%s (deleted)\n", names[i]);
			found += !!strstr(line, link);
		}
	fclose(f);
	CHECK_EQ(found, 4);
}

REFUSE(two_names_unlinked, EOPNOTSUPP, "had several names")
{
	int fd = create();

	CHECK(!link(NAME, NAME "2"));
	CHECK(open(NAME "2", O_RDONLY) >= 0 && fd >= 0);
	CHECK(!unlink(NAME) && !unlink(NAME "2"));
	subject_ready();
}

static void write_map(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, "0 0 65536", 9) == 9);
	close(fd);
}

/* A user namespace whose ids are those of this one */
static int open_user_ns(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	char path[64];
	int fd;

	while (!pid)
		pause();
	CHECK(pid > 0);
	write_map(pid, "gid_map");
	write_map(pid, "uid_map");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && !kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
	return fd;
}

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE		1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH	4
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP	0x100000
#endif

/* Mounts @dir once more, above itself. */
static void mount_id_mapped(const char *dir)
{
	struct {
		uint64_t set, clear, propagation, userns_fd;
	} attr = { .set = MOUNT_ATTR_IDMAP, .userns_fd = open_user_ns() };
	int tree = syscall(SYS_open_tree, AT_FDCWD, dir, OPEN_TREE_CLONE);

	CHECK(tree >= 0);
	CHECK(!syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	CHECK(!syscall(SYS_move_mount, tree, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH));
	CHECK(!close(tree) && !close(attr.userns_fd));
}

static void mount_tmpfs(void)
{
	CHECK(!mkdir("mnt", 0755) && !mount("none", "mnt", "tmpfs", 0, NULL));
}

static void open_unlinked(int flags)
{
	CHECK(open("mnt/file", O_CREAT | O_EXCL | flags, 0600) >= 0 && !unlink("mnt/file"));
}

static void umount_tmpfs(void)
{
	while (!umount2("mnt", MNT_DETACH))
		;
	CHECK(!rmdir("mnt"));
}

/* No file can be made there that has no name and never had one. */
REFUSE(in_an_id_mapped_mount, EOPNOTSUPP, "its mount is id-mapped")
{
	mount_tmpfs();
	mount_id_mapped("mnt");
	open_unlinked(O_RDWR);
	subject_ready();
	umount_tmpfs();
}

REFUSE(in_a_read_only_mount, EOPNOTSUPP, "its mount is read-only")
{
	mount_tmpfs();
	open_unlinked(O_RDONLY);
	CHECK(!mount(NULL, "mnt", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	subject_ready();
	umount_tmpfs();
}

REFUSE(another_name_is_left, EOPNOTSUPP, "unlinked")
{
	create();
	unlink("link");
	CHECK(!link(NAME, "/dev/shm/ckpt-left") && !unlink(NAME));
	subject_ready();
	unlink("/dev/shm/ckpt-left");
}

REFUSE(extended_attributes, EOPNOTSUPP, "extended attributes")
{
	int fd = create();

	CHECK(!fsetxattr(fd, "trusted.ckpt", "x", 1, 0));
	CHECK(!unlink(NAME));
	subject_ready();
}

REFUSE(set_user_id, EOPNOTSUPP, "set-user-ID")
{
	int fd = create();

	CHECK(!fchmod(fd, 04755) && !unlink(NAME));
	subject_ready();
}

static void subject_leak(void)
{
	CHECK_EQ(create(), 3);
	CHECK(!unlink(NAME));
	subject_ready();
}

TEST_F(refuse, opened_by_an_outsider)
{
	char path[64];
	int fd;

	ASSERT_TRUE(subject_start(&self->s, subject_leak)) subject_print(&self->s);
	snprintf(path, sizeof(path), "/proc/%d/fd/3", self->s.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(subject_checkpoint(&self->s, 0), -EAGAIN) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "shared memory")) subject_print(&self->s);
	close(fd);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0);
	self->s.pid = 0;
}

#ifndef FS_NODUMP_FL
#define FS_NODUMP_FL		0x40
#define FS_IOC_SETFLAGS		_IOW('f', 2, long)
#endif

REFUSE(extended_attributes_of_a_memfd, EOPNOTSUPP, "extended attributes")
{
	int fd = syscall(SYS_memfd_create, "attributes", 0);

	CHECK(!fsetxattr(fd, "trusted.ckpt", "x", 1, 0));
	subject_ready();
}

REFUSE(attributes_of_a_memfd, EOPNOTSUPP, "attributes (chattr)")
{
	int fd = syscall(SYS_memfd_create, "attributes", 0), flags = FS_NODUMP_FL;

	CHECK(!ioctl(fd, FS_IOC_SETFLAGS, &flags));
	subject_ready();
}

/* What setfacl -m u:1000:r writes */
static void set_acl(int fd)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[5];
	} acl = {
		.version = 2,
		.entry = {
			{ 1, 6, -1 }, { 2, 4, 1000 }, { 4, 4, -1 }, { 16, 4, -1 }, { 32, 0, -1 },
		},
	};

	CHECK(!fsetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl), 0));
}

REFUSE(access_control_list, EOPNOTSUPP, "access control list")
{
	int fd = create();

	set_acl(fd);
	CHECK(!unlink(NAME));
	subject_ready();
}

REFUSE(access_control_list_of_a_memfd, EOPNOTSUPP, "access control list")
{
	set_acl(syscall(SYS_memfd_create, "attributes", 0));
	subject_ready();
}

TEST_HARNESS_MAIN
