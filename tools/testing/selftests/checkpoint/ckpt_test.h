/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The dance that every test of an object kind does: a subject process sets its
 * state up, is checkpointed, perhaps killed and restarted, and then checks that
 * nothing has changed.
 *
 * A subject has no pipe to the test (that would be a leak): it says "ready" by
 * creating a file, goes on when the test creates another, and writes what fails
 * to its standard error, which is a file that the test prints.
 */
#ifndef _CKPT_TEST_H
#define _CKPT_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/checkpoint.h>
#include <linux/checkpoint_image.h>

#include "../kselftest_harness.h"

/* How many times slower than hardware the machine is: whoever runs us knows. */
static inline int test_slowness(void)
{
	const char *value = getenv("CKPT_SLOW");
	int times = value ? atoi(value) : 1;

	return times > 1 ? times : 1;
}

/* Times of tests are for hardware. They are evaluated as the program starts. */
#undef TEST_F
#define TEST_F(fixture, name) TEST_F_TIMEOUT(fixture, name, TEST_TIMEOUT_DEFAULT)
#undef TEST_F_TIMEOUT
#define TEST_F_TIMEOUT(fixture, name, seconds) \
	__TEST_F_IMPL(fixture, name, -1, (seconds) * test_slowness())

#ifndef __NR_checkpoint
#define __NR_checkpoint	__NR_checkpoint_x86_64
#define __NR_restart	__NR_restart_x86_64
#endif

#ifdef __i386__
/*
 * The calls are for 64-bit code: a 32-bit program jumps into some. (Far calls
 * and returns access the stack as the kernel in QEMU, which SMAP forbids.)
 */
static inline long syscall64(long nr, void *args, size_t size)
{
	long ret;

	asm volatile("pushl $0x23\n\t"
		     "pushl $2f\n\t"
		     "ljmp $0x33, $1f\n\t"
		     ".code64\n\t"
		     "1: movl %%eax, %%eax\n\t"
		     "movl %%edi, %%edi\n\t"
		     "movl %%esi, %%esi\n\t"
		     "syscall\n\t"
		     "ljmpl *(%%rsp)\n\t"
		     ".code32\n\t"
		     "2: addl $8, %%esp"
		     : "=a"(ret)
		     : "a"(nr), "D"(args), "S"(size)
		     : "ecx", "memory", "cc");
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}
#else
#define syscall64 syscall
#endif

static inline long sys_checkpoint(struct checkpoint_args *args, size_t size)
{
	return syscall64(__NR_checkpoint, args, size);
}

static inline long sys_restart(struct restart_args *args, size_t size)
{
	return syscall64(__NR_restart, args, size);
}

/*
 * In the subject: a failed check ends it with status 1 and a line on stderr.
 */
#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			dprintf(2, "%s:%d: %s (errno %d)\n",		\
				__FILE__, __LINE__, #cond, errno);	\
			_exit(1);					\
		}							\
	} while (0)

#define CHECK_EQ(a, b)							\
	do {								\
		long long __a = (long long)(a), __b = (long long)(b);	\
									\
		if (__a != __b) {					\
			dprintf(2, "%s:%d: %s (%lld) != %s (%lld)\n",	\
				__FILE__, __LINE__, #a, __a, #b, __b);	\
			_exit(1);					\
		}							\
	} while (0)

/* One subject and its files, all in a directory of its own. */
struct subject {
	char dir[64];
	pid_t pid;
	char log[8192];	/* what the last checkpoint or restart logged */
};

/* Known to the subject too: its current directory is subject.dir. */
static inline void subject_sleep_ms(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Not by open(): who sees the file would still see the descriptor, too. */
static inline void subject_touch(const char *name)
{
	CHECK(!mknod(name, S_IFREG | 0644, 0));
}

/* State is set up: let the test take its checkpoint, and wait for it. */
static inline void subject_ready(void)
{
	subject_touch("ready");
	while (access("go", F_OK))
		subject_sleep_ms(5);
}

/* Ends before the test does, so that there is something to be read about it */
#define SUBJECT_TIMEOUT_MS	(20000 * test_slowness())

static inline bool test_exited(struct subject *s)
{
	siginfo_t info = {};

	return waitid(P_PID, s->pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Of a file of the subject's; good until the next call */
static inline const char *test_path(struct subject *s, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	return path;
}

static inline bool test_wait_file(struct subject *s, const char *name)
{
	const char *path = test_path(s, name);
	int ms;

	for (ms = 0; ms < SUBJECT_TIMEOUT_MS; ms += 2) {
		if (!access(path, F_OK))
			return true;
		if (test_exited(s))
			return false;
		subject_sleep_ms(2);
	}
	return false;
}

static inline int test_open(struct subject *s, const char *name, int flags)
{
	return open(test_path(s, name), flags | O_CLOEXEC, 0644);
}

static inline void test_unlink(struct subject *s, const char *name)
{
	unlink(test_path(s, name));
}

/* A descriptor of ours for what is descriptor @number of @pid */
static inline int test_get_fd(pid_t pid, int number)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);

	close(pidfd);
	return fd;
}

/* Reads "stat" of the directory @proc into @line; returns where the name ends, or NULL. */
static inline char *test_read_stat(const char *proc, char *line, size_t size)
{
	char path[160];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/stat", proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = read(fd, line, size - 1);
	line[len < 0 ? 0 : len] = 0;
	close(fd);
	return strrchr(line, ')');
}

/* As the letter that /proc/PID/stat has for it; 0 if there is no such task */
static inline char test_state(pid_t pid)
{
	char proc[32], line[256], *name_end;

	snprintf(proc, sizeof(proc), "/proc/%d", pid);
	name_end = test_read_stat(proc, line, sizeof(line));
	return name_end ? name_end[2] : 0;
}

/* The harness shares memory with its tests: a leak, were the subject to keep it. */
static inline void subject_unshare_memory(void)
{
	unsigned long start, end;
	char line[512], shared;
	FILE *f = fopen("/proc/self/maps", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*3c%c", &start, &end, &shared) == 3 && shared == 's')
			CHECK(!munmap((void *)start, end - start));
	fclose(f);
}

/* Starts @fn, which shares nothing with the test but its session, if not even that. */
static inline bool subject_start_in(struct subject *s, void (*fn)(void), bool own_session)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/ckpt-test-XXXXXX");
	if (!mkdtemp(s->dir))
		return false;
	s->pid = fork();
	if (!s->pid) {
		int fd;

		CHECK(own_session ? setsid() > 0 : !setpgid(0, 0));
		CHECK(!chdir(s->dir));
		CHECK((fd = open("/dev/null", O_RDONLY)) >= 0);
		CHECK(dup2(fd, 0) == 0);
		CHECK((fd = open("stderr", O_CREAT | O_RDWR | O_APPEND, 0644)) >= 0);
		CHECK(dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
		CHECK(!close_range(3, ~0U, 0));
		signal(SIGALRM, SIG_DFL);
		alarm(0);
		subject_unshare_memory();
		fn();
		_exit(0);
	}
	return s->pid > 0 && test_wait_file(s, "ready");
}

/* Starts @fn as the leader of a session with nothing shared with the test. */
static inline bool subject_start(struct subject *s, void (*fn)(void))
{
	return subject_start_in(s, fn, true);
}

/* Starts @fn as a job of the test, which is its shell. */
static inline bool subject_start_job(struct subject *s, void (*fn)(void))
{
	return subject_start_in(s, fn, false);
}

static inline void test_read_log(struct subject *s, int fd)
{
	ssize_t n = pread(fd, s->log, sizeof(s->log) - 1, 0);

	s->log[n > 0 ? n : 0] = 0;
	close(fd);
}

/* checkpoint(2) to @fd: >0, or -errno with s->log filled. */
static inline long subject_checkpoint_to(struct subject *s, int fd, uint64_t flags)
{
	struct checkpoint_args args = {
		.flags = flags,
		.pid = s->pid,
		.pidfd = -1,
		.image_fd = fd,
		.log_fd = test_open(s, "log", O_CREAT | O_TRUNC | O_RDWR),
	};
	long ret = sys_checkpoint(&args, sizeof(args));

	if (ret < 0)
		ret = -errno;
	test_read_log(s, args.log_fd);
	return ret;
}

/* The same to the file "image" */
static inline long subject_checkpoint(struct subject *s, uint64_t flags)
{
	int fd = flags & CHECKPOINT_DRY_RUN ? -1 :
		 test_open(s, "image", O_CREAT | O_TRUNC | O_RDWR);
	long ret = subject_checkpoint_to(s, fd, flags);

	if (fd >= 0)
		close(fd);
	return ret;
}

/* Kills the subject and its process group, and waits for the subject. */
static inline void subject_kill(struct subject *s)
{
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

/* restart(2) from @fd: the pid, or -errno with s->log filled. */
static inline long subject_restart_from(struct subject *s, int fd, uint64_t flags)
{
	struct restart_args args = {
		.flags = flags,
		.image_fd = fd,
		.log_fd = test_open(s, "log", O_CREAT | O_TRUNC | O_RDWR),
	};
	long ret = sys_restart(&args, sizeof(args));

	if (ret < 0)
		ret = -errno;
	test_read_log(s, args.log_fd);
	return ret;
}

/* The same from the file "image" */
static inline long subject_restart(struct subject *s, uint64_t flags)
{
	int fd = test_open(s, "image", O_RDONLY);
	long ret = subject_restart_from(s, fd, flags);

	close(fd);
	return ret;
}

/* A thread, or the rest of a process, that does nothing until it is killed. */
static inline void *subject_idle_for_ever(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

static inline bool log_has(struct subject *s, const char *text)
{
	return strstr(s->log, text);
}

/* What a failed checkpoint has written cannot be taken for an image. */
static inline bool is_no_image(struct subject *s)
{
	char *log = strdup(s->log);
	long ret = subject_restart(s, 0);
	bool ok = ret == -EINVAL && (log_has(s, "truncated") || log_has(s, "empty"));

	if (!ok)
		fprintf(stderr, "# restart of what was written: %ld\n", ret);
	snprintf(s->log, sizeof(s->log), "%s", log);
	free(log);
	return ok;
}

/* Lets the subject go on and returns its wait status; -1 if it hangs. */
static inline int subject_finish(struct subject *s)
{
	int fd = test_open(s, "go", O_CREAT | O_WRONLY), status, ms;

	close(fd);
	for (ms = 0; ms < SUBJECT_TIMEOUT_MS; ms += 2) {
		if (waitpid(s->pid, &status, WNOHANG) == s->pid)
			return status;
		subject_sleep_ms(2);
	}
	return -1;
}

static inline void subject_print(struct subject *s)
{
	char buf[4096];
	int fd = test_open(s, "stderr", O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n : 0] = 0;
	if (buf[0])
		fprintf(stderr, "# subject: %s", buf);
	if (s->log[0])
		fprintf(stderr, "# log: %s", s->log);
}

static inline void subject_clean(struct subject *s)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %.63s", s->dir);
	if (system(cmd))
		fprintf(stderr, "# cannot remove %s\n", s->dir);
}

/*
 * Every kind is tested in the same ways: the subject goes on after the
 * checkpoint; it is killed and restarted once, or through three generations.
 */
FIXTURE(survive)
{
	struct subject s;
};

FIXTURE_VARIANT(survive)
{
	int generations;
	uint64_t flags;
};

FIXTURE_VARIANT_ADD(survive, resume) { .generations = 0 };
FIXTURE_VARIANT_ADD(survive, restart) { .generations = 1 };
FIXTURE_VARIANT_ADD(survive, subtree) { .generations = 1, .flags = CHECKPOINT_SUBTREE };
FIXTURE_VARIANT_ADD(survive, generations) { .generations = 3 };

FIXTURE_SETUP(survive)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(survive)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

static inline void survive_run(struct __test_metadata *_metadata, struct subject *s,
			       const FIXTURE_VARIANT(survive) *variant, void (*fn)(void))
{
	uint64_t kill_flag = variant->generations ? CHECKPOINT_KILL : 0;
	int i, status;

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	for (i = 0; i == 0 || i < variant->generations; i++) {
		ASSERT_GT(subject_checkpoint(s, variant->flags | kill_flag), 0) subject_print(s);
		if (!variant->generations)
			break;
		ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
		ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	}
	status = subject_finish(s);
	ASSERT_EQ(status, 0) subject_print(s);
	s->pid = 0;
}

/* SURVIVE(name) { body run in the subject; call subject_ready() once } */
#define SURVIVE(name)							\
	static void subject_##name(void);				\
	TEST_F(survive, name)						\
	{								\
		survive_run(_metadata, &self->s, variant, subject_##name); \
	}								\
	static void subject_##name(void)

/* The same for what not every machine has: skipped with @why unless @cond. */
#define SURVIVE_IF(name, cond, why)					\
	static void subject_##name(void);				\
	TEST_F(survive, name)						\
	{								\
		if (!(cond))						\
			SKIP(return, why);				\
		survive_run(_metadata, &self->s, variant, subject_##name); \
	}								\
	static void subject_##name(void)

/*
 * Expects that a checkpoint is refused with @err, that the log says @text, and
 * that nothing was written.
 */
static inline void expect_refused(struct __test_metadata *_metadata, struct subject *s,
				  uint64_t flags, int err, const char *text)
{
	struct stat st;
	int fd;

	EXPECT_EQ(subject_checkpoint(s, flags), -err) subject_print(s);
	EXPECT_TRUE(log_has(s, text)) {
		fprintf(stderr, "# expected in log: %s\n", text);
		subject_print(s);
	}
	fd = test_open(s, "image", O_RDONLY);
	EXPECT_TRUE(fd >= 0 && !fstat(fd, &st));
	EXPECT_EQ(st.st_size, 0);
	close(fd);
}

/* The same of @fn, which goes on unharmed. */
static inline void refuse_run(struct __test_metadata *_metadata, struct subject *s,
			      uint64_t flags, void (*fn)(void), int err, const char *text)
{
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	expect_refused(_metadata, s, flags, err, text);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

FIXTURE(refuse)
{
	struct subject s;
};

FIXTURE_SETUP(refuse)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(refuse)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

/* REFUSE(name, errno, "text in the log") { body } */
#define REFUSE(name, err, text)						\
	static void subject_refuse_##name(void);			\
	TEST_F(refuse, name)						\
	{								\
		refuse_run(_metadata, &self->s, 0, subject_refuse_##name, err, text); \
	}								\
	static void subject_refuse_##name(void)

/* The same for what not every machine has: skipped with @why unless @cond. */
#define REFUSE_IF(name, cond, why, err, text)				\
	static void subject_refuse_##name(void);			\
	TEST_F(refuse, name)						\
	{								\
		if (!(cond))						\
			SKIP(return, why);				\
		refuse_run(_metadata, &self->s, 0, subject_refuse_##name, err, text); \
	}								\
	static void subject_refuse_##name(void)

#endif /* _CKPT_TEST_H */
