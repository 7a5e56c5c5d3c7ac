// SPDX-License-Identifier: GPL-2.0
/*
 * The leak check: for each kind of object a tree that shares it with an
 * outsider, who is named, and the same tree after the outsider has gone.
 */
#include <sys/mman.h>

#include "ckpt_test.h"

static int kept = -1;
static _Alignas(16) char stack[65536];

static int outsider_body(void *arg)
{
	long flags = (long)arg;

	if (!(flags & CLONE_FILES)) {
		if (kept > 0)
			close_range(0, kept - 1, 0);
		close_range(kept + 1, ~0U, 0);
	}
	subject_touch("up");
	while (syscall(SYS_access, "end", F_OK))
		syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 5000000 }, NULL);
	syscall(SYS_exit, 0);
	return 0;
}

/* A sibling, and so not in the tree, that shares what @flags say and fd @keep. */
static void outsider(long flags, int keep)
{
	char text[16];
	int fd, pid;

	kept = keep;
	pid = clone(outsider_body, stack + sizeof(stack), CLONE_PARENT | SIGCHLD | flags,
		    (void *)flags);
	CHECK(pid > 0);
	while (access("up", F_OK))
		subject_sleep_ms(1);
	fd = open("outsider", O_CREAT | O_WRONLY, 0644);
	CHECK(write(fd, text, sprintf(text, "%d", pid)) > 0);
	close(fd);
	subject_ready();
}

static pid_t outsider_pid(struct subject *s)
{
	char text[16] = "";
	int fd = test_open(s, "outsider", O_RDONLY);

	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return atoi(text);
}

static void leak_run(struct __test_metadata *_metadata, struct subject *s, void (*fn)(void),
		     const char *object)
{
	struct stat st;
	char held[32];
	pid_t other;
	int fd;

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	other = outsider_pid(s);
	snprintf(held, sizeof(held), "held by pid %d", other);
	EXPECT_EQ(subject_checkpoint(s, 0), -EAGAIN) subject_print(s);
	EXPECT_TRUE(log_has(s, object) && log_has(s, held)) {
		fprintf(stderr, "# expected: %s ... %s\n", object, held);
		subject_print(s);
	}
	fd = test_open(s, "image", O_RDONLY);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	close(fd);

	/* the same is only a warning for a subtree */
	EXPECT_GT(subject_checkpoint(s, CHECKPOINT_SUBTREE), 0) subject_print(s);
	EXPECT_TRUE(log_has(s, held)) subject_print(s);

	/* the clean twin */
	close(test_open(s, "end", O_CREAT | O_WRONLY));
	EXPECT_EQ(waitpid(other, NULL, 0), other);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

#define LEAK(name, object)						\
	static void subject_leak_##name(void);				\
	TEST_F(refuse, leak_of_##name)					\
	{								\
		leak_run(_metadata, &self->s, subject_leak_##name, object); \
	}								\
	static void subject_leak_##name(void)

LEAK(file_table, "files")
{
	outsider(CLONE_FILES, -1);
}

LEAK(fs_struct, "fs")
{
	outsider(CLONE_FS, -1);
}

LEAK(mm, "mm")
{
	outsider(CLONE_VM, -1);
}

LEAK(sighand, "sighand")
{
	outsider(CLONE_VM | CLONE_SIGHAND, -1);
}

LEAK(open_file, "file")
{
	outsider(0, open("/dev/zero", O_RDONLY));
}

LEAK(pipe, "pipe")
{
	char path[32];
	int fds[2];

	CHECK(!pipe(fds));
	/* an open file of the outsider's own on the pipe of the tree */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	int again = open(path, O_RDONLY | O_NONBLOCK);

	CHECK(again > fds[1]);
	kept = again;
	int pid = clone(outsider_body, stack + sizeof(stack), CLONE_PARENT | SIGCHLD, (void *)0L);

	CHECK(pid > 0);
	while (access("up", F_OK))
		subject_sleep_ms(1);
	close(again);
	char text[16];
	int fd = open("outsider", O_CREAT | O_WRONLY, 0644);

	CHECK(write(fd, text, sprintf(text, "%d", pid)) > 0);
	close(fd);
	subject_ready();
}

LEAK(shared_memory, "shared memory")
{
	int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	*p = 1;
	outsider(0, -1);
}

/* A relative that forked without exec maps the same files: that is no leak. */
static void subject_mapped_files(void)
{
	outsider(0, -1);
}

TEST_F(refuse, mapped_executables_are_no_leak)
{
	ASSERT_TRUE(subject_start(&self->s, subject_mapped_files)) subject_print(&self->s);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	close(test_open(&self->s, "end", O_CREAT | O_WRONLY));
	waitpid(outsider_pid(&self->s), NULL, 0);
	EXPECT_EQ(subject_finish(&self->s), 0);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
