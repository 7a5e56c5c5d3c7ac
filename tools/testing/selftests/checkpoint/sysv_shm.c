// SPDX-License-Identifier: GPL-2.0
/*
 * System V shared memory that is attached: the same segment is attached again,
 * what was removed comes back with its contents.
 */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "mapping.h"

#define SIZE	(64 * PAGE + 100)
#define KEY	0x0c4b7000

#ifndef SHM_DEST
#define SHM_DEST	01000
#endif

static unsigned char *attach(int id, int flags)
{
	unsigned char *p = shmat(id, NULL, flags);

	CHECK(p != (void *)-1);
	return p;
}

static void check_segment(int id, key_t key, int mode, int attached)
{
	struct shmid_ds ds;

	CHECK(!shmctl(id, IPC_STAT, &ds));
	CHECK_EQ(ds.shm_perm.__key, key);
	CHECK_EQ(ds.shm_perm.mode, mode);
	CHECK_EQ(ds.shm_perm.uid, 12);
	CHECK_EQ(ds.shm_perm.gid, 13);
	CHECK_EQ(ds.shm_perm.cuid, 0);
	CHECK_EQ(ds.shm_segsz, SIZE);
	CHECK_EQ(ds.shm_nattch, attached);
}

static int make(key_t key, int mode)
{
	int id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | mode);
	struct shmid_ds ds;

	CHECK(id >= 0 && !shmctl(id, IPC_STAT, &ds));
	ds.shm_perm.uid = 12;
	ds.shm_perm.gid = 13;
	CHECK(!shmctl(id, IPC_SET, &ds));
	return id;
}

/* Removed, as most programs do at once: it is the tree's alone. */
SURVIVE(removed_segment)
{
	int id = make(IPC_PRIVATE, 0640);
	volatile unsigned char *p = attach(id, 0), *q = attach(id, SHM_RDONLY);
	struct shmid_ds before, after;
	pid_t kid;

	CHECK(!shmctl(id, IPC_RMID, NULL) && !shmctl(id, IPC_STAT, &before));
	memset((void *)p, 5, 8 * PAGE);
	p[SIZE - 1] = 6;
	kid = fork_answering(p);
	check_segment(id, IPC_PRIVATE, 0640 | SHM_DEST, 4);
	subject_ready();
	check_segment(id, IPC_PRIVATE, 0640 | SHM_DEST, 4);
	CHECK(!shmctl(id, IPC_STAT, &after));
	CHECK_EQ(after.shm_ctime, before.shm_ctime);
	CHECK_EQ(q[8 * PAGE - 1], 5);
	CHECK_EQ(q[8 * PAGE], 0);
	CHECK_EQ(q[SIZE - 1], 6);
	CHECK(mprotect((void *)q, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES);
	check_answer(kid, p, q);
	CHECK(!shmdt((void *)p) && !shmdt((void *)q));
	CHECK(shmctl(id, IPC_STAT, &after) && errno == EINVAL);
}

/* The segment stays while nobody has it; what is attached is so again, in pieces too. */
SURVIVE(kept_segment)
{
	int id = make(KEY, 0700);
	unsigned char *p = attach(id, 0), *q = attach(id, SHM_RDONLY), *x = attach(id, SHM_EXEC);

	memset(p, 7, SIZE);
	CHECK(!munmap(p + 4 * PAGE, 2 * PAGE) && !mprotect(p, PAGE, PROT_READ));
	CHECK(!mlock(x, PAGE));
	memcpy(x, "\xc3", 1);
	check_segment(id, KEY, 0700, 6);
	subject_ready();
	check_segment(id, KEY, 0700, 6);
	CHECK_EQ(shmget(KEY, 0, 0), id);
	CHECK_EQ(q[SIZE - 1], 7);
	((void (*)(void))x)();
	p[PAGE] = 8;
	CHECK_EQ(x[PAGE], 8);
	CHECK(mprotect(q, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES);
	CHECK(!mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	CHECK(mmap(p + 4 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		   MAP_FIXED_NOREPLACE, -1, 0) == p + 4 * PAGE);
	CHECK(!shmdt(p) && !shmdt(q) && !shmdt(x));
	check_segment(id, KEY, 0700, 0);
	CHECK(!shmctl(id, IPC_RMID, NULL));
}

static void put_id(int id)
{
	int fd = open("id", O_CREAT | O_WRONLY, 0644);

	CHECK(write(fd, &id, sizeof(id)) == sizeof(id));
	close(fd);
}

static int get_id(struct subject *s)
{
	int fd = test_open(s, "id", O_RDONLY), id = -1;

	if (read(fd, &id, sizeof(id)) != sizeof(id))
		id = -1;
	close(fd);
	return id;
}

/* Another segment of that number, as the sequence numbers may give one day. */
static int make_again(int id)
{
	FILE *f = fopen("/proc/sys/kernel/shm_next_id", "w");

	if (!f || fprintf(f, "%d", id) < 0 || fclose(f))
		return -1;
	return shmget(KEY, SIZE, IPC_CREAT | IPC_EXCL | 0600);
}

static void subject_kept(void)
{
	int id = make(KEY, 0600);

	attach(id, 0)[1] = 9;
	put_id(id);
	subject_ready();
}

static void subject_removed(void)
{
	int id = make(IPC_PRIVATE, 0600);
	unsigned char *p = attach(id, 0);

	p[1] = 9;
	CHECK(!shmctl(id, IPC_RMID, NULL));
	put_id(id);
	subject_ready();
	CHECK_EQ(p[1], 9);
}

static void checkpoint_kill(struct __test_metadata *_metadata, struct subject *s,
			    void (*fn)(void), int *id)
{
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	waitpid(s->pid, NULL, 0);
	*id = get_id(s);
	ASSERT_GE(*id, 0);
}

TEST_F(refuse, segment_that_is_gone_or_another)
{
	int id;

	checkpoint_kill(_metadata, &self->s, subject_kept, &id);
	ASSERT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	EXPECT_EQ(subject_restart(&self->s, 0), -ENOENT) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "(key 0xc4b7000): is gone")) subject_print(&self->s);
	ASSERT_EQ(make_again(id), id);
	EXPECT_EQ(subject_restart(&self->s, 0), -ENOENT) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "another segment has its number")) subject_print(&self->s);
	ASSERT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	self->s.pid = 0;
}

TEST_F(refuse, number_that_is_taken)
{
	int id;

	checkpoint_kill(_metadata, &self->s, subject_removed, &id);
	ASSERT_EQ(shmctl(id, IPC_STAT, &(struct shmid_ds){}), -1);
	ASSERT_EQ(make_again(id), id);
	EXPECT_EQ(subject_restart(&self->s, 0), -EEXIST) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "its number is taken")) subject_print(&self->s);
	ASSERT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	EXPECT_EQ(shmctl(id, IPC_STAT, &(struct shmid_ds){}), -1);
	self->s.pid = 0;
}

/* What the restart has made before it failed is removed. */
TEST_F(refuse, failed_restart_leaves_no_segment)
{
	struct stat st;
	int id, fd;

	checkpoint_kill(_metadata, &self->s, subject_removed, &id);
	fd = test_open(&self->s, "image", O_RDWR);
	ASSERT_EQ(fstat(fd, &st), 0);
	ASSERT_EQ(pwrite(fd, "damage", 6, st.st_size - 300), 6);
	EXPECT_LT(subject_restart(&self->s, 0), 0);
	EXPECT_EQ(shmctl(id, IPC_STAT, &(struct shmid_ds){}), -1);
	close(fd);
	self->s.pid = 0;
}

static void outsider_attached(struct __test_metadata *_metadata, struct subject *s,
			      void (*fn)(void), long expected)
{
	int id;
	void *p;

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	id = get_id(s);
	p = shmat(id, NULL, 0);
	ASSERT_NE(p, (void *)-1);
	if (expected < 0) {
		EXPECT_EQ(subject_checkpoint(s, 0), expected) subject_print(s);
		EXPECT_TRUE(log_has(s, "SysV shared memory") && log_has(s, "mapping at"))
			subject_print(s);
		ASSERT_EQ(shmdt(p), 0);
	}
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0);
	shmctl(id, IPC_RMID, NULL);
	s->pid = 0;
}

TEST_F(refuse, removed_segment_that_an_outsider_has)
{
	outsider_attached(_metadata, &self->s, subject_removed, -EAGAIN);
}

TEST_F(refuse, nothing_if_an_outsider_has_a_segment)
{
	outsider_attached(_metadata, &self->s, subject_kept, 0);
}

REFUSE(locked_and_removed, EOPNOTSUPP, "removed while locked (SHM_LOCK): not supported")
{
	int id = shmget(IPC_PRIVATE, SIZE, 0600);

	attach(id, 0);
	CHECK(!shmctl(id, SHM_LOCK, NULL) && !shmctl(id, IPC_RMID, NULL));
	subject_ready();
}

REFUSE(segment_of_another_namespace, EOPNOTSUPP, "of another IPC namespace: not supported")
{
	int fd = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && !unshare(CLONE_NEWIPC));
	attach(shmget(IPC_PRIVATE, SIZE, 0600), 0);
	CHECK(!setns(fd, CLONE_NEWIPC) && !close(fd));
	subject_ready();
}

static bool forget_unused_segments(void)
{
	FILE *f = fopen("/proc/sys/kernel/shm_rmid_forced", "w");

	return f && fputs("1", f) >= 0 && !fclose(f);
}

TEST_F(refuse, segments_that_do_not_outlive_their_users)
{
	ASSERT_EQ(unshare(CLONE_NEWIPC), 0);
	ASSERT_TRUE(forget_unused_segments());
	ASSERT_TRUE(subject_start(&self->s, subject_kept)) subject_print(&self->s);
	expect_refused(_metadata, &self->s, 0, EOPNOTSUPP,
		       "would remove the System V shared memory that it made");
	EXPECT_EQ(subject_checkpoint(&self->s, CHECKPOINT_DRY_RUN), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(&self->s, "kernel.shm_rmid_forced would remove it"))
		subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static void subject_with_unused_segment(void)
{
	CHECK(shmget(IPC_PRIVATE, SIZE, 0600) >= 0);
	subject_ready();
}

TEST_F(refuse, segments_that_do_not_outlive_their_creator)
{
	ASSERT_EQ(unshare(CLONE_NEWIPC), 0);
	ASSERT_TRUE(forget_unused_segments());
	refuse_run(_metadata, &self->s, 0, subject_with_unused_segment, EOPNOTSUPP,
		   "would remove the System V shared memory that it made");
}

/* Its last user takes a segment along that is removed, whatever the setting. */
TEST_F(refuse, removed_segments_where_they_would_not_outlive_their_users)
{
	ASSERT_EQ(unshare(CLONE_NEWIPC), 0);
	ASSERT_TRUE(forget_unused_segments());
	ASSERT_TRUE(subject_start(&self->s, subject_removed)) subject_print(&self->s);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(refuse, restart_where_segments_do_not_outlive_their_users)
{
	int id;

	ASSERT_EQ(unshare(CLONE_NEWIPC), 0);
	checkpoint_kill(_metadata, &self->s, subject_removed, &id);
	ASSERT_TRUE(forget_unused_segments());
	EXPECT_EQ(subject_restart(&self->s, 0), -EOPNOTSUPP) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "kernel.shm_rmid_forced")) subject_print(&self->s);
	EXPECT_EQ(shmctl(id, IPC_STAT, &(struct shmid_ds){}), -1);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
