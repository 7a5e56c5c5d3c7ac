// SPDX-License-Identifier: GPL-2.0
/* Files in memory, with their contents and seals. */
#include <linux/io_uring.h>
#include <sys/uio.h>

#include "mapping.h"

SURVIVE(memfd)
{
	int fd = syscall(SYS_memfd_create, "subject", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char link[64] = "", c = 0;
	unsigned char *p;
	struct stat st;

	CHECK(fd >= 0 && !ftruncate(fd, 1 << 20));
	CHECK_EQ(pwrite(fd, "hello", 5, 700000), 5);
	CHECK(!fchmod(fd, 0640));
	p = map(8 * PAGE, RW, MAP_SHARED, fd);
	fill(p, 4 * PAGE, 9);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_EQ(lseek(fd, 42, SEEK_SET), 42);
	subject_ready();
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 42);
	verify(p, 4 * PAGE, 9);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	CHECK_EQ(pread(fd, &c, 1, 700004), 1);
	CHECK_EQ(c, 'o');
	p[1] = 33;
	CHECK_EQ(pread(fd, &c, 1, 1), 1);
	CHECK_EQ(c, 33);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 1 << 20);
	CHECK_EQ(st.st_mode & 0777, 0640);
	CHECK(st.st_blocks < 64 * 8);
	CHECK(ftruncate(fd, 1) && errno == EPERM);
	CHECK(readlink("/proc/self/fd/3", link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(link, "/memfd:subject (deleted)"));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

SURVIVE(memfd_with_pages_behind_its_end)
{
	int fd = syscall(SYS_memfd_create, "subject", MFD_CLOEXEC);
	char c = 'a';

	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, &c, 1, 2 * PAGE), 1);
	CHECK(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * PAGE));
	subject_ready();
	CHECK_EQ(lseek(fd, 0, SEEK_END), 2 * PAGE + 1);
	CHECK(!ftruncate(fd, 4 * PAGE));
	CHECK_EQ(pread(fd, &c, 1, 3 * PAGE), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(pread(fd, &c, 1, 2 * PAGE), 1);
	CHECK_EQ(c, 'a');
}

SURVIVE(sealed_memfd_is_sealed_again)
{
	int fd = syscall(SYS_memfd_create, "sealed", MFD_ALLOW_SEALING);
	unsigned char *p;

	CHECK_EQ(write(fd, "constant", 8), 8);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	p = map(PAGE, PROT_READ, MAP_SHARED, fd);
	subject_ready();
	CHECK(!memcmp(p, "constant", 8));
	CHECK(write(fd, "x", 1) == -1 && errno == EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_SEAL);
	CHECK(mprotect(p, PAGE, RW) == -1 && errno == EACCES);
}

SURVIVE(memfd_passed_by_inheritance)
{
	int fd = syscall(SYS_memfd_create, "both", 0), status;
	volatile unsigned char *p;
	pid_t kid;

	CHECK(!ftruncate(fd, PAGE));
	kid = fork();
	if (!kid) {
		p = map(PAGE, RW, MAP_SHARED, fd);
		p[0] = 1;
		while (p[0] != 2)
			subject_sleep_ms(1);
		p[1] = 3;
		_exit(0);
	}
	p = map(PAGE, RW, MAP_SHARED, fd);
	while (p[0] != 1)
		subject_sleep_ms(1);
	subject_ready();
	p[0] = 2;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(p[1], 3);
}

static bool can_poison(void)
{
	return !madvise(NULL, 0, MADV_HWPOISON);
}

/* The child is told by SIGBUS. */
static void poison_page(int fd)
{
	pid_t kid = fork();

	if (!kid) {
		unsigned char *p = map(PAGE, RW, MAP_SHARED, fd);

		p[0] = 1;
		CHECK(!madvise(p, PAGE, MADV_HWPOISON));
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

REFUSE_IF(poisoned_memfd, can_poison(), "no CONFIG_MEMORY_FAILURE", EOPNOTSUPP,
	  "shared memory memfd:poisoned: page 0: cannot be read")
{
	int fd = syscall(SYS_memfd_create, "poisoned", 0);

	CHECK(!ftruncate(fd, 2 * PAGE));
	poison_page(fd);
	subject_ready();
}

#define PINNED	5

static void subject_has_memfd(void)
{
	CHECK_EQ(dup2(syscall(SYS_memfd_create, "pinned", 0), PINNED), PINNED);
	CHECK(!close_range(3, PINNED - 1, 0) && !ftruncate(PINNED, 4 * PAGE));
	map(4 * PAGE, RW, MAP_SHARED, PINNED)[2 * PAGE] = 1;
	subject_ready();
}

/* A ring that has @fd for a buffer; it neither maps it nor has it open. */
static int pin_memory(int fd, size_t len)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	void *p = mmap(NULL, len, RW, MAP_SHARED, fd, 0);
	struct iovec iov = { p, len };

	if (p == MAP_FAILED || syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS,
				       &iov, 1) || munmap(p, len))
		return -1;
	return ring;
}

TEST_F(refuse, outsider_can_write_what_it_does_not_map)
{
	struct subject *s = &self->s;
	long ret = -1;
	int ring, fd, ms;
	char path[64];

	ASSERT_TRUE(subject_start(s, subject_has_memfd)) subject_print(s);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", s->pid, PINNED);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ring = pin_memory(fd, 4 * PAGE);
	ASSERT_GE(ring, 0);
	close(fd);
	EXPECT_EQ(subject_checkpoint(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "shared memory memfd:pinned: page 0: pinned for I/O"))
		subject_print(s);
	close(ring);
	/* the kernel takes its time to unpin */
	for (ms = 0; ret < 0 && ms < SUBJECT_TIMEOUT_MS; ms += 20) {
		subject_sleep_ms(20);
		ret = subject_checkpoint(s, 0);
	}
	EXPECT_GT(ret, 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_HARNESS_MAIN
