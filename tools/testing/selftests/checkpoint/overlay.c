// SPDX-License-Identifier: GPL-2.0
/* Files of overlayfs, whose mappings hold the file underneath. */
#include <sys/mount.h>

#include "caps.h"

#define PAGE	4096UL

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK(!close(fd));
}

/* The upper layer is in a tmpfs of its own, as some file systems cannot be one. */
static void mount_layers(void)
{
	CHECK(!mkdir("lower", 0755) && !mkdir("rw", 0755) && !mkdir("merged", 0755));
	write_file("lower/file", "lower");
	CHECK(!mount("ckpt", "rw", "tmpfs", 0, NULL));
	CHECK(!mkdir("rw/upper", 0755) && !mkdir("rw/work", 0755));
	CHECK(!mount("ckpt", "merged", "overlay", 0,
		     "lowerdir=lower,upperdir=rw/upper,workdir=rw/work"));
	write_file("merged/new", "upper");
}

/* The memory of the subject may still be in use, and the test removes its directory. */
static void umount_layers(void)
{
	CHECK(!umount2("merged", MNT_DETACH) && !umount2("rw", MNT_DETACH));
}

static bool has_overlayfs(void)
{
	char line[128];
	bool found = false;
	FILE *f = fopen("/proc/filesystems", "r");

	while (f && fgets(line, sizeof(line), f))
		found |= !!strstr(line, "\toverlay\n");
	if (f)
		fclose(f);
	return found;
}

#define NO_OVERLAYFS	"no CONFIG_OVERLAY_FS"

static char *map(int fd, int prot, int flags)
{
	char *p = mmap(NULL, PAGE, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

SURVIVE_IF(mapped_files, has_overlayfs(), NO_OVERLAYFS)
{
	char *lower, *changed, *shared, *closed, c;
	int fd, fd2;

	mount_layers();
	fd = open("merged/file", O_RDONLY);
	fd2 = open("merged/new", O_RDWR);
	CHECK(fd >= 0 && fd2 >= 0);
	lower = map(fd, PROT_READ, MAP_PRIVATE);
	changed = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	changed[0] = 'L';
	shared = map(fd2, PROT_READ | PROT_WRITE, MAP_SHARED);
	shared[0] = 'U';
	closed = map(fd2, PROT_READ, MAP_SHARED);
	CHECK(!close(fd));
	subject_ready();
	CHECK(!memcmp(lower, "lower", 5));
	CHECK(!memcmp(changed, "Lower", 5));
	CHECK(!memcmp(closed, "Upper", 5));
	shared[1] = 'P';
	CHECK_EQ(pread(fd2, &c, 1, 1), 1);
	CHECK_EQ(c, 'P');
	umount_layers();
}

static void map_file_of_another_user(void)
{
	char *p;
	int fd;

	mount_layers();
	CHECK(!chown("merged/new", 1000, 1000));
	fd = open("merged/new", O_RDONLY);
	CHECK(fd >= 0);
	p = map(fd, PROT_READ, MAP_PRIVATE);
	CHECK(!close(fd));
	subject_ready();
	CHECK(!memcmp(p, "upper", 5));
	umount_layers();
}

/* Only the owner of a file may open it with O_NOATIME, as overlayfs does underneath. */
TEST_F(refuse, no_restarter_who_does_not_own_the_file)
{
	if (!has_overlayfs())
		SKIP(return, NO_OVERLAYFS);
	ASSERT_TRUE(subject_start(&self->s, map_file_of_another_user)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	caps_lower(1ULL << CAP_FOWNER);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static char *common;

/* An outsider has the mapping as well, by fork() */
static void subject_of_outsider(void)
{
	subject_ready();
	CHECK(!memcmp(common, "lower", 5));
}

static void mapped_before_fork(struct __test_metadata *_metadata, struct subject *s, bool closed)
{
	char dir[] = "/tmp/ckpt-overlay-XXXXXX";
	int fd;

	ASSERT_NE(mkdtemp(dir), NULL);
	ASSERT_EQ(chdir(dir), 0);
	mount_layers();
	fd = open("merged/file", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	common = map(fd, PROT_READ, MAP_PRIVATE);
	if (closed)
		close(fd);
	EXPECT_TRUE(subject_start(s, subject_of_outsider)) subject_print(s);
	EXPECT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	waitpid(s->pid, NULL, 0);
	EXPECT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
	umount_layers();
}

TEST_F(refuse, no_mapping_of_an_outsider)
{
	if (!has_overlayfs())
		SKIP(return, NO_OVERLAYFS);
	mapped_before_fork(_metadata, &self->s, true);
}

TEST_F(refuse, no_mapping_of_an_outsider_with_the_file)
{
	if (!has_overlayfs())
		SKIP(return, NO_OVERLAYFS);
	mapped_before_fork(_metadata, &self->s, false);
}

/* Who maps it again would see the copy, and what was written to it. */
REFUSE_IF(copied_while_it_is_mapped, has_overlayfs(), NO_OVERLAYFS, EOPNOTSUPP,
	  "overlayfs has copied it")
{
	char *before;
	int fd, fd2;

	mount_layers();
	fd = open("merged/file", O_RDONLY);
	before = map(fd, PROT_READ, MAP_PRIVATE);
	CHECK(!memcmp(before, "lower", 5));
	fd2 = open("merged/file", O_RDWR);
	CHECK_EQ(write(fd2, "newer", 5), 5);
	CHECK(!memcmp(before, "lower", 5));
	subject_ready();
	CHECK(!memcmp(before, "lower", 5));
	umount_layers();
}

/* Counted anew, the entry that is gone would make it pass over another. */
REFUSE_IF(directory_that_is_half_read, has_overlayfs(), NO_OVERLAYFS, EOPNOTSUPP,
	  "read in part, and its file system does not find the place again")
{
	char entry[300];
	int fd;

	mount_layers();
	fd = open("merged", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && syscall(SYS_getdents64, fd, entry, 32) > 0);
	subject_ready();
	umount_layers();
}

SURVIVE_IF(directory_that_is_yet_to_be_read, has_overlayfs(), NO_OVERLAYFS)
{
	char entries[300];
	int fd;

	mount_layers();
	fd = open("merged", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	subject_ready();
	CHECK_EQ(syscall(SYS_getdents64, fd, entries, sizeof(entries)), 4 * 24);
	umount_layers();
}

#define NR_BIG		8
#define BIG_LEN		(4 << 20)

static const char *big_file(const char *dir, int n)
{
	static char name[32];

	snprintf(name, sizeof(name), "%s/big%d", dir, n);
	return name;
}

static void open_all(void)
{
	int n;

	for (n = 0; n < NR_BIG; n++)
		CHECK(open(big_file("merged", n), O_RDWR | O_CLOEXEC) >= 0);
}

/* Two that open the same file for writing: one has it copied, the other waits. */
static void subject_copies(void)
{
	char *big = calloc(1, BIG_LEN);
	int n, status;

	CHECK(big);
	mount_layers();
	for (n = 0; n < NR_BIG; n++) {
		int fd = open(big_file("lower", n), O_CREAT | O_WRONLY, 0644);

		CHECK_EQ(write(fd, big, BIG_LEN), BIG_LEN);
		CHECK(!close(fd));
	}
	for (n = 0; n < 2; n++) {
		pid_t kid = fork();

		CHECK(kid >= 0);
		if (kid)
			continue;
		while (access("go", F_OK))
			subject_sleep_ms(1);
		open_all();
		_exit(0);
	}
	subject_ready();
	for (n = 0; n < 2; n++)
		CHECK(wait(&status) > 0 && !status);
	umount_layers();
}

TEST_F(refuse, no_eintr_while_a_file_is_copied)
{
	struct subject *s = &self->s;
	int i;

	if (!has_overlayfs())
		SKIP(return, NO_OVERLAYFS);
	ASSERT_TRUE(subject_start(s, subject_copies)) subject_print(s);
	close(test_open(s, "go", O_CREAT | O_WRONLY));
	for (i = 0; i < 40; i++)
		subject_checkpoint(s, CHECKPOINT_DRY_RUN);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_HARNESS_MAIN
