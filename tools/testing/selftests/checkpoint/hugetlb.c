// SPDX-License-Identifier: GPL-2.0
/* Memory of the huge page pool: contents, reservations, and a pool that is too small. */
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>

#include "codec.h"
#include "mapping.h"

#define HUGE_ANON	(ANON | MAP_HUGETLB)
#define POOL	24

static const char pool_path[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

static long pool_size(void)
{
	FILE *f = fopen(pool_path, "r");
	long n = -1;

	if (!f || fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static bool resize_pool(long n)
{
	FILE *f = fopen(pool_path, "w");

	if (f) {
		fprintf(f, "%ld", n);
		fclose(f);
	}
	return pool_size() == n;
}

static long pool_before;

/* The pool of the machine, for as long as the tests run. */
__attribute__((constructor)) static void fill_pool(void)
{
	pool_before = pool_size();
	if (pool_before >= 0)
		resize_pool(POOL);
}

__attribute__((destructor)) static void empty_pool(void)
{
	if (pool_before >= 0)
		resize_pool(pool_before);
}

#define SURVIVE_HUGE(name) \
	SURVIVE_IF(name, pool_size() >= POOL, "no pool of huge pages of 2 MiB")

static long pool_info(const char *key)
{
	char line[256];
	long n = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ": %ld", &n);
	fclose(f);
	return n;
}

SURVIVE_HUGE(private_memory)
{
	unsigned char *p = map(4 * HUGE, RW, HUGE_ANON, -1);
	long reserved, free_pages;

	fill(p, 2 * HUGE, 1);
	/* one page that is all zeros, and one that was never touched */
	(void)((volatile unsigned char *)p)[2 * HUGE];
	reserved = pool_info("HugePages_Rsvd");
	free_pages = pool_info("HugePages_Free");
	CHECK_EQ(reserved, 1);
	subject_ready();
	CHECK_EQ(pool_info("HugePages_Rsvd"), reserved);
	CHECK_EQ(pool_info("HugePages_Free"), free_pages);
	CHECK_EQ(smaps_kb(p, "Private_Hugetlb"), 3 * HUGE >> 10);
	CHECK_EQ(smaps_kb(p, "KernelPageSize"), HUGE >> 10);
	verify(p, 2 * HUGE, 1);
	CHECK_EQ(p[3 * HUGE - 1], 0);
	memset(p + HUGE, 5, 3 * HUGE);
	CHECK_EQ(pool_info("HugePages_Rsvd"), 0);
	CHECK_EQ(p[4 * HUGE - 1], 5);
}

SURVIVE_HUGE(memory_that_cannot_be_written)
{
	unsigned char *p = map(2 * HUGE, RW, HUGE_ANON, -1);

	fill(p, 2 * HUGE, 2);
	CHECK(!mprotect(p, HUGE, PROT_READ));
	CHECK(!mprotect(p + HUGE, HUGE, PROT_NONE));
	subject_ready();
	verify(p, HUGE, 2);
	/* the kernel, too, must not be able to write */
	CHECK(read(0, p, 1) <= 0);
	CHECK(pread(open("/proc/self/stat", O_RDONLY), p, 1, 0) == -1 && errno == EFAULT);
	CHECK(!mprotect(p, 2 * HUGE, RW));
	verify(p, 2 * HUGE, 2);
	p[0] = 1;
}

SURVIVE_HUGE(memory_in_pieces)
{
	unsigned char *p = map(5 * HUGE, RW, HUGE_ANON, -1);

	fill(p, 5 * HUGE, 3);
	CHECK(!munmap(p + HUGE, HUGE));
	CHECK(!mprotect(p + 3 * HUGE, HUGE, PROT_READ));
	CHECK(!madvise(p + 4 * HUGE, HUGE, MADV_DONTDUMP));
	subject_ready();
	verify(p, HUGE, 3);
	CHECK_EQ(p[2 * HUGE + 512], expected(2 * HUGE + 512, 3));
	CHECK_EQ(p[3 * HUGE + 512], expected(3 * HUGE + 512, 3));
	CHECK_EQ(p[5 * HUGE - 512], expected(5 * HUGE - 512, 3));
	CHECK(!munmap(p, 5 * HUGE));
}

SURVIVE_HUGE(memory_of_a_child)
{
	volatile int *shared = (void *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	unsigned char *p = map(3 * HUGE, RW, HUGE_ANON, -1);
	int status;
	pid_t kid;

	fill(p, 2 * HUGE, 4);
	kid = fork();
	if (!kid) {
		p[1] = 44;
		shared[0] = 1;
		while (shared[1] != 1)
			subject_sleep_ms(1);
		verify(p, 2 * HUGE, 4);
		CHECK_EQ(p[1], 44);
		p[HUGE] = 9;
		_exit(0);
	}
	while (shared[0] != 1)
		subject_sleep_ms(1);
	/* the page that nobody touched is the parent's; the child has reserved nothing */
	CHECK_EQ(pool_info("HugePages_Rsvd"), 1);
	subject_ready();
	CHECK_EQ(pool_info("HugePages_Rsvd"), 1);
	verify(p, 2 * HUGE, 4);
	CHECK_EQ(p[1], 0);
	p[2 * HUGE] = 1;
	shared[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	verify(p, 2 * HUGE, 4);
}

SURVIVE_HUGE(shared_memory)
{
	volatile unsigned char *p = map(3 * HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	int status;
	pid_t kid;

	fill((void *)p, HUGE, 5);
	kid = fork();
	if (!kid) {
		p[HUGE] = 1;
		while (p[HUGE] != 2)
			subject_sleep_ms(1);
		p[HUGE + 1] = 3;
		_exit(0);
	}
	while (p[HUGE] != 1)
		subject_sleep_ms(1);
	CHECK_EQ(pool_info("HugePages_Rsvd"), 1);
	subject_ready();
	CHECK_EQ(pool_info("HugePages_Rsvd"), 1);
	CHECK_EQ(pool_info("HugePages_Free"), POOL - 2);
	verify((void *)p, HUGE, 5);
	p[HUGE] = 2;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(p[HUGE + 1], 3);
	p[2 * HUGE] = 1;
}

SURVIVE_HUGE(memfd)
{
	int fd = syscall(SYS_memfd_create, "huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB |
			 MFD_ALLOW_SEALING);
	unsigned char *p, *q, *r, c = 0;
	char link[64] = "";
	struct stat st;

	CHECK(fd >= 0 && !ftruncate(fd, 4 * HUGE));
	CHECK(!fchmod(fd, 0600));
	p = map(2 * HUGE, RW, MAP_SHARED, fd);
	q = map(2 * HUGE, RW, MAP_PRIVATE, fd);
	r = map(HUGE, RW, MAP_PRIVATE, fd);
	fill(p, 2 * HUGE, 6);
	q[HUGE] = 66;
	r[1] = 67;
	CHECK(!mprotect(r, HUGE, PROT_READ));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	CHECK_EQ(lseek(fd, 4711, SEEK_SET), 4711);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_blocks, 2 * HUGE / 512);
	subject_ready();
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4711);
	verify(p, 2 * HUGE, 6);
	verify(q, HUGE, 6);
	CHECK_EQ(q[HUGE], 66);
	CHECK_EQ(q[HUGE + 512], expected(HUGE + 512, 6));
	CHECK_EQ(r[1], 67);
	verify(r, HUGE, 6);
	p[3] = 33;
	CHECK_EQ(pread(fd, &c, 1, 3), 1);
	CHECK_EQ(c, 33);
	CHECK_EQ(q[3], 33);
	CHECK_EQ(r[3], 0);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 4 * HUGE);
	CHECK_EQ(st.st_blocks, 2 * HUGE / 512);
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(st.st_blksize, HUGE);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	CHECK(ftruncate(fd, HUGE) && errno == EPERM);
	CHECK(readlink("/proc/self/fd/3", link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(link, "/memfd:huge (deleted)"));
}

SURVIVE_HUGE(file_that_is_not_mapped)
{
	int fd = syscall(SYS_memfd_create, "unmapped", MFD_HUGETLB);
	unsigned char *p;

	CHECK(!ftruncate(fd, 2 * HUGE));
	p = map(HUGE, RW, MAP_SHARED, fd);
	fill(p, HUGE, 7);
	CHECK(!munmap(p, HUGE));
	subject_ready();
	p = map(2 * HUGE, RW, MAP_SHARED, fd);
	verify(p, HUGE, 7);
	CHECK_EQ(p[HUGE], 0);
}

SURVIVE_HUGE(file_with_a_name)
{
	unsigned char *p, *q;
	char link[128] = "";
	int fd;

	CHECK(!mkdir("huge", 0755) && !mount("none", "huge", "hugetlbfs", 0, NULL));
	fd = open("huge/file", O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, 2 * HUGE));
	p = map(2 * HUGE, RW, MAP_SHARED, fd);
	q = map(2 * HUGE, RW, MAP_PRIVATE, fd);
	fill(p, HUGE, 10);
	q[1] = 11;
	subject_ready();
	CHECK(readlink("/proc/self/fd/3", link, sizeof(link) - 1) > 0);
	CHECK(strstr(link, "/huge/file"));
	verify(p, HUGE, 10);
	verify(q, HUGE, 10);
	CHECK_EQ(q[1], 11);
	CHECK_EQ(p[1], 0);
	p[HUGE] = 12;
	CHECK_EQ(q[HUGE], 12);
	CHECK(!unlink("huge/file") && !umount2("huge", MNT_DETACH) && !rmdir("huge"));
}

static bool is_behind_the_end(volatile unsigned char *p)
{
	pid_t kid = fork();
	int how;

	if (!kid) {
		(void)p[0];
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, &how, 0), kid);
	return WIFSIGNALED(how) && WTERMSIG(how) == SIGBUS;
}

static off_t size_of(int fd)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	return st.st_size;
}

/* The file is no larger for being mapped again, in whichever way. */
SURVIVE_HUGE(file_that_was_cut)
{
	int fd = syscall(SYS_memfd_create, "cut", MFD_HUGETLB);
	unsigned char *p, *q;

	CHECK(!ftruncate(fd, 3 * HUGE));
	p = map(3 * HUGE, RW, MAP_SHARED, fd);
	q = map(2 * HUGE, RW, MAP_PRIVATE, fd);
	fill(p, HUGE, 14);
	q[1] = 15;
	CHECK(!ftruncate(fd, HUGE));
	subject_ready();
	CHECK_EQ(size_of(fd), HUGE);
	verify(p, HUGE, 14);
	CHECK_EQ(q[1], 15);
	CHECK(is_behind_the_end(p + HUGE) && is_behind_the_end(q + HUGE));
	p[1] = 16;
	CHECK(!ftruncate(fd, 2 * HUGE));
	p[HUGE] = 17;
	CHECK_EQ(q[HUGE], 17);
	q[HUGE] = 18;
	CHECK_EQ(p[HUGE], 17);
}

SURVIVE_HUGE(file_with_a_name_that_was_cut)
{
	unsigned char *p;
	int fd;

	CHECK(!mkdir("huge", 0755) && !mount("none", "huge", "hugetlbfs", 0, NULL));
	fd = open("huge/file", O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, 2 * HUGE));
	p = map(2 * HUGE, RW, MAP_SHARED, fd);
	fill(p, HUGE, 19);
	CHECK(!ftruncate(fd, HUGE));
	subject_ready();
	CHECK_EQ(size_of(fd), HUGE);
	verify(p, HUGE, 19);
	CHECK(is_behind_the_end(p + HUGE));
	p[1] = 20;
	CHECK(!unlink("huge/file") && !umount2("huge", MNT_DETACH) && !rmdir("huge"));
}

static void subject_writable_code(void)
{
	map(HUGE, RW | PROT_EXEC, HUGE_ANON, -1);
	subject_ready();
}

TEST_F(refuse, writable_code_under_mdwe)
{
	struct subject *s = &self->s;

	if (pool_size() < POOL)
		SKIP(return, "no pool of huge pages of 2 MiB");
	ASSERT_TRUE(subject_start(s, subject_writable_code)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_EQ(prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0), 0);
	EXPECT_EQ(subject_restart(s, 0), -EACCES) subject_print(s);
	EXPECT_TRUE(log_has(s, "cannot be mapped")) subject_print(s);
	s->pid = 0;
}

REFUSE(file_without_a_name, EOPNOTSUPP, "unlinked")
{
	CHECK(!mkdir("huge", 0755) && !mount("none", "huge", "hugetlbfs", 0, NULL));
	CHECK(open("huge/file", O_CREAT | O_RDWR, 0600) >= 0);
	CHECK(!unlink("huge/file"));
	subject_ready();
	CHECK(!umount2("huge", MNT_DETACH) && !rmdir("huge"));
}

/* The machine has fewer huge pages when the subject is restarted. */
static void too_few(struct __test_metadata *_metadata, struct subject *s, void (*fn)(void))
{
	if (pool_size() < POOL)
		SKIP(return, "no pool of huge pages of 2 MiB");
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	waitpid(s->pid, NULL, 0);
	ASSERT_TRUE(resize_pool(1));
	EXPECT_EQ(subject_restart(s, 0), -ENOMEM) subject_print(s);
	EXPECT_TRUE(log_has(s, "not enough huge pages of 2048 kB")) subject_print(s);
	EXPECT_EQ(pool_info("HugePages_Free"), 1);
	EXPECT_EQ(pool_info("HugePages_Rsvd"), 0);
	ASSERT_TRUE(resize_pool(POOL));
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

static void subject_reserved(void)
{
	map(2 * HUGE, RW, HUGE_ANON, -1);
	subject_ready();
}

TEST_F(refuse, restart_without_the_pages_to_reserve)
{
	too_few(_metadata, &self->s, subject_reserved);
}

static void subject_unreserved(void)
{
	unsigned char *p = map(2 * HUGE, RW, HUGE_ANON | MAP_NORESERVE, -1);

	fill(p, 2 * HUGE, 8);
	subject_ready();
	verify(p, 2 * HUGE, 8);
}

TEST_F(refuse, restart_without_the_pages_to_fill)
{
	too_few(_metadata, &self->s, subject_unreserved);
}

static void subject_file(void)
{
	int fd = syscall(SYS_memfd_create, "file", MFD_HUGETLB);
	unsigned char *p;

	CHECK(!ftruncate(fd, 2 * HUGE));
	p = map(2 * HUGE, RW, MAP_SHARED, fd);
	fill(p, 2 * HUGE, 9);
	subject_ready();
	verify(p, 2 * HUGE, 9);
}

TEST_F(refuse, restart_without_the_pages_of_a_file)
{
	too_few(_metadata, &self->s, subject_file);
}

static bool may_be_merged(const void *addr)
{
	char flags[512];

	smaps_value(addr, "VmFlags", flags);
	return strstr(flags, " mg");
}

static void subject_not_merged(void)
{
	unsigned char *p = map(HUGE, RW, HUGE_ANON, -1);

	fill(p, HUGE, 13);
	CHECK(!madvise(p, HUGE, MADV_MERGEABLE) && !may_be_merged(p));
	subject_ready();
	CHECK(!may_be_merged(p));
	verify(p, HUGE, 13);
}

/* KSM knows nothing of huge pages: an image cannot make it look at them. */
TEST_F(refuse, huge_pages_to_be_merged)
{
	static struct image image;
	size_t i;

	if (pool_size() < POOL)
		SKIP(return, "no pool of huge pages of 2 MiB");
	ASSERT_TRUE(subject_start(&self->s, subject_not_merged)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_TRUE(image_load(&self->s, &image));
	for (i = 0; i < image.nr; i++) {
		struct ckpt_rec_vma *vma = (void *)image.items[i].payload;

		if (!image.items[i].data && image.items[i].type == CKPT_REC_VMA &&
		    !(vma->flags & CKPT_VMA_SHARED))
			vma->flags |= CKPT_VMA_MERGEABLE;
	}
	ASSERT_TRUE(image_store(&self->s, &image));
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

SURVIVE_HUGE(sysv_segments)
{
	int removed = shmget(IPC_PRIVATE, HUGE + 5, 0600 | SHM_HUGETLB);
	int kept = shmget(IPC_PRIVATE, 2 * HUGE, 0600 | SHM_HUGETLB);
	unsigned char *p, *q;

	CHECK(removed >= 0 && kept >= 0);
	p = shmat(removed, NULL, 0);
	q = shmat(kept, NULL, 0);
	CHECK(p != (void *)-1 && q != (void *)-1);
	CHECK(!shmctl(removed, IPC_RMID, NULL));
	fill(p, HUGE, 11);
	fill(q, 2 * HUGE, 12);
	subject_ready();
	verify(p, HUGE, 11);
	CHECK_EQ(p[HUGE + 1], 0);
	verify(q, 2 * HUGE, 12);
	CHECK_EQ(smaps_kb(p, "KernelPageSize"), HUGE >> 10);
	CHECK(!shmdt(p) && !shmdt(q) && !shmctl(kept, IPC_RMID, NULL));
}

TEST_HARNESS_MAIN
