// SPDX-License-Identifier: GPL-2.0
/*
 * The leak check: for each kind of object a tree that shares it with an
 * outsider, who is named, and the same tree after the outsider has gone.
 */
#include <linux/ioprio.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>

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
static void start_outsider(long flags, int keep)
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
}

static void outsider(long flags, int keep)
{
	start_outsider(flags, keep);
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

/* "error 11 - file:5 leak: file #5: users 3 != 2 found: held by pid 7 (leak) fd 3" */
static bool is_named(struct subject *s, const char *object, pid_t holder, const char *how)
{
	char leak[64], held[128], *line;
	long users, found;

	snprintf(leak, sizeof(leak), ": %s #", object);
	snprintf(held, sizeof(held), "found: held by pid %d (leak) %s", holder, how);
	for (line = strtok(s->log, "\n"); line; line = strtok(NULL, "\n")) {
		char *counts = strstr(line, ": users ");

		if (strstr(line, leak) && strstr(line, held) && counts &&
		    sscanf(counts, ": users %ld != %ld found", &users, &found) == 2 &&
		    users > found)
			return true;
		fprintf(stderr, "# log: %s\n", line);
	}
	fprintf(stderr, "# expected:%s ... %s\n", leak, held);
	return false;
}

static void leak_run(struct __test_metadata *_metadata, struct subject *s, void (*fn)(void),
		     const char *object, const char *how)
{
	struct stat st;
	pid_t other;
	int fd;

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	other = outsider_pid(s);
	EXPECT_EQ(subject_checkpoint(s, 0), -EAGAIN) subject_print(s);
	EXPECT_TRUE(is_named(s, object, other, how));
	fd = test_open(s, "image", O_RDONLY);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	close(fd);

	/* the same is only a warning for a subtree */
	EXPECT_GT(subject_checkpoint(s, CHECKPOINT_SUBTREE), 0) subject_print(s);
	EXPECT_TRUE(is_named(s, object, other, how));

	/* the clean twin */
	close(test_open(s, "end", O_CREAT | O_WRONLY));
	EXPECT_EQ(waitpid(other, NULL, 0), other);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

#define LEAK(name, object, how)						\
	static void subject_leak_##name(void);				\
	TEST_F(refuse, leak_of_##name)					\
	{								\
		leak_run(_metadata, &self->s, subject_leak_##name, object, how); \
	}								\
	static void subject_leak_##name(void)

LEAK(file_table, "files_struct", "shared descriptor table")
{
	outsider(CLONE_FILES, -1);
}

LEAK(fs_struct, "fs_struct", "shared current directory")
{
	outsider(CLONE_FS, -1);
}

LEAK(mm, "mm", "same address space")
{
	outsider(CLONE_VM, -1);
}

LEAK(sighand, "sighand", "the same signal handlers")
{
	outsider(CLONE_VM | CLONE_SIGHAND, -1);
}

LEAK(open_file, "file", "fd ")
{
	outsider(0, open("/dev/zero", O_RDONLY));
}

/* The outsider gets an open file of its own on what @fd shows. */
static void outsider_reopens(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags);
	CHECK(again > fd);
	start_outsider(0, again);
	close(again);
	subject_ready();
}

LEAK(pipe, "pipe", "fd ")
{
	int fds[2];

	CHECK(!pipe(fds));
	outsider_reopens(fds[0], O_RDONLY | O_NONBLOCK);
}

LEAK(fifo, "pipe", "fd ")
{
	int fd;

	CHECK(!mkfifo("fifo", 0600));
	fd = open("fifo", O_RDWR);
	CHECK(fd >= 0);
	outsider_reopens(fd, O_RDWR);
}

LEAK(pipe_end, "file", "fd ")
{
	int fds[2];

	CHECK(!pipe(fds));
	outsider(0, fds[1]);
}

LEAK(memfd, "file", "fd ")
{
	outsider(0, memfd_create("memfd", 0));
}

LEAK(memfd_of_its_own, "shared memory", "fd ")
{
	int fd = memfd_create("memfd", 0);

	CHECK(fd >= 0);
	outsider_reopens(fd, O_RDWR);
}

LEAK(shared_memory, "shared memory", "mapping at ")
{
	int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	*p = 1;
	outsider(0, -1);
}

/* Whoever has no I/O context yet shares none. */
LEAK(io_context, "I/O context", "CLONE_IO")
{
	CHECK(!syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		       IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 2)));
	outsider(CLONE_IO, -1);
}

LEAK(unlinked_file, "shared memory", "fd ")
{
	int fd = open("/dev/shm/ckpt-leak", O_CREAT | O_EXCL | O_RDWR, 0600);

	CHECK(fd >= 0 && !unlink("/dev/shm/ckpt-leak"));
	outsider_reopens(fd, O_RDWR);
}

LEAK(removed_segment, "SysV shared memory", "mapping at ")
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	CHECK(id >= 0 && shmat(id, NULL, 0) != (void *)-1 && !shmctl(id, IPC_RMID, NULL));
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

/* Who holds it is nobody: a socket has it in its queue. */
static void subject_with_a_file(void)
{
	CHECK(dup2(open("file", O_CREAT | O_RDWR, 0644), 10) == 10);
	subject_ready();
}

static bool send_fd(int socket, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(socket, &msg, 0) == 1;
}

TEST_F(refuse, leak_of_a_file_in_flight)
{
	struct subject *s = &self->s;
	int sockets[2], fd;

	ASSERT_TRUE(subject_start(s, subject_with_a_file)) subject_print(s);
	fd = test_get_fd(s->pid, 10);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	ASSERT_TRUE(send_fd(sockets[0], fd));
	close(fd);
	EXPECT_EQ(subject_checkpoint(s, 0), -EAGAIN) subject_print(s);
	EXPECT_TRUE(log_has(s, "leak: file")) subject_print(s);
	EXPECT_FALSE(log_has(s, "held by")) subject_print(s);
	close(sockets[0]);
	close(sockets[1]);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0);
	s->pid = 0;
}

/* A thread that has a table of its own, in which it has the file */
static void *hold(void *arg)
{
	volatile int *turn = arg;

	unshare(CLONE_FILES);
	turn[1] = gettid();
	turn[0] = 1;
	while (turn[0] != 2)
		subject_sleep_ms(1);
	return NULL;
}

TEST_F(refuse, leak_to_a_thread)
{
	struct subject *s = &self->s;
	volatile int turn[2] = {};
	pthread_t thread;
	char how[16];
	int fd;

	ASSERT_TRUE(subject_start(s, subject_with_a_file)) subject_print(s);
	fd = test_get_fd(s->pid, 10);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(pthread_create(&thread, NULL, hold, (void *)turn), 0);
	while (turn[0] != 1)
		subject_sleep_ms(1);
	close(fd);
	EXPECT_EQ(subject_checkpoint(s, 0), -EAGAIN) subject_print(s);
	snprintf(how, sizeof(how), "fd %d", fd);
	EXPECT_TRUE(is_named(s, "file", turn[1], how));
	turn[0] = 2;
	pthread_join(thread, NULL);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0);
	s->pid = 0;
}

/* One who shared all of it is dead, but not reaped: that is no leak. */
static int die(void *arg)
{
	syscall(SYS_exit, 0);
	return 0;
}

static void subject_of_the_dead(void)
{
	siginfo_t info;
	pid_t pid = clone(die, stack + sizeof(stack),
			  CLONE_PARENT | SIGCHLD | CLONE_VM | CLONE_SIGHAND | CLONE_FILES |
			  CLONE_FS, NULL);

	CHECK(pid > 0);
	/* no child of ours: nobody can wait for it here */
	CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == -1);
	subject_sleep_ms(100);
	subject_ready();
}

TEST_F(refuse, the_dead_are_no_leak)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_of_the_dead)) subject_print(s);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0);
	s->pid = 0;
	waitpid(-1, NULL, 0);
}

TEST_HARNESS_MAIN
