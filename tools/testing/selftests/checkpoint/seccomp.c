// SPDX-License-Identifier: GPL-2.0
/* Seccomp: filters come back, shared as they were, upon those of the restarter. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "caps.h"

/* What the filters of these tests act upon, as nobody else calls it. */
#define NR_FIRST	__NR_getppid
#define NR_SECOND	__NR_getpgrp
#define NR_THIRD	__NR_getpriority

#define DENY(err)	(SECCOMP_RET_ERRNO | (err))

static long filter_flags(int nr, uint32_t action, unsigned int flags)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = insns };

	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static void filter(int nr, uint32_t action)
{
	CHECK(!filter_flags(nr, action, 0));
}

static void no_new_privs(void)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static bool denied(int nr, int err)
{
	errno = 0;
	return syscall(nr, 0, 0) == -1 && errno == err;
}

static int status_number(pid_t pid, const char *key)
{
	char path[64], line[256];
	int number = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			number = atoi(line + strlen(key));
	fclose(f);
	return number;
}

static int nr_filters(void)
{
	return status_number(gettid(), "Seccomp_filters:");
}

SURVIVE(one_filter)
{
	no_new_privs();
	filter(NR_FIRST, DENY(ESTALE));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER);
	CHECK_EQ(nr_filters(), 1);
	CHECK(denied(NR_FIRST, ESTALE));
	CHECK(syscall(NR_SECOND) > 0);
	filter(NR_SECOND, DENY(ENODATA));
	CHECK(denied(NR_SECOND, ENODATA));
}

SURVIVE(chain_of_filters)
{
	int i;

	no_new_privs();
	filter(NR_FIRST, DENY(ESTALE));
	filter(NR_SECOND, DENY(ENODATA));
	/* The last that says the same prevails. */
	filter(NR_FIRST, DENY(EDOM));
	for (i = 0; i < 40; i++)
		filter(NR_THIRD, DENY(EXDEV));
	subject_ready();
	CHECK_EQ(nr_filters(), 43);
	CHECK(denied(NR_FIRST, EDOM));
	CHECK(denied(NR_SECOND, ENODATA));
	CHECK(denied(NR_THIRD, EXDEV));
}

/* Without no_new_privs: the restarter has what the task had, and gave up. */
SURVIVE(filter_installed_by_root)
{
	CHECK(!chmod(".", 0777));
	filter(NR_FIRST, DENY(ESTALE));
	CHECK(!setresuid(1000, 1000, 1000));
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK(denied(NR_FIRST, ESTALE));
	CHECK(filter_flags(NR_SECOND, DENY(EDOM), 0) == -1 && errno == EACCES);
}

static pid_t fork_killed_by_filter(void)
{
	pid_t kid = fork();

	CHECK(kid >= 0);
	if (!kid) {
		filter(NR_FIRST, SECCOMP_RET_KILL_PROCESS);
		subject_touch("kid");
		while (access("kid-go", F_OK))
			subject_sleep_ms(5);
		syscall(NR_FIRST);
		_exit(0);
	}
	while (access("kid", F_OK))
		subject_sleep_ms(1);
	return kid;
}

SURVIVE(filter_that_kills)
{
	pid_t kid = fork_killed_by_filter();
	int status;

	subject_ready();
	subject_touch("kid-go");
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static int stage;

static void wait_stage(int nr)
{
	while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) < nr)
		sched_yield();
}

static void set_stage(int nr)
{
	__atomic_store_n(&stage, nr, __ATOMIC_SEQ_CST);
}

static void *with_filter_of_its_own(void *arg)
{
	filter(NR_SECOND, DENY(ENODATA));
	set_stage(1);
	wait_stage(2);
	CHECK_EQ(nr_filters(), 2);
	CHECK(denied(NR_FIRST, ESTALE));
	CHECK(denied(NR_SECOND, ENODATA));
	set_stage(3);
	wait_stage(5);
	return NULL;
}

static void *with_inherited_filter(void *arg)
{
	wait_stage(3);
	CHECK_EQ(nr_filters(), 1);
	CHECK(denied(NR_FIRST, ESTALE));
	CHECK(syscall(NR_SECOND) > 0);
	set_stage(4);
	wait_stage(6);
	CHECK(denied(NR_THIRD, EXDEV));
	return NULL;
}

/*
 * SECCOMP_FILTER_FLAG_TSYNC demands that the filters of each thread are among
 * those of the caller: the same, not only alike.
 */
SURVIVE(threads_share_ancestors)
{
	pthread_t own, inherited;

	no_new_privs();
	filter(NR_FIRST, DENY(ESTALE));
	CHECK(!pthread_create(&inherited, NULL, with_inherited_filter, NULL));
	CHECK(!pthread_create(&own, NULL, with_filter_of_its_own, NULL));
	wait_stage(1);
	subject_ready();
	CHECK_EQ(nr_filters(), 1);
	set_stage(2);
	wait_stage(4);
	CHECK(filter_flags(NR_THIRD, DENY(EXDEV), SECCOMP_FILTER_FLAG_TSYNC) > 0);
	set_stage(5);
	CHECK(!pthread_join(own, NULL));
	CHECK(!filter_flags(NR_THIRD, DENY(EXDEV), SECCOMP_FILTER_FLAG_TSYNC));
	set_stage(6);
	CHECK(!pthread_join(inherited, NULL));
}

/* The program and the flag that only a tracer is told of. */
SURVIVE(program_and_log_flag)
{
	struct __ptrace_seccomp_metadata meta = {};
	struct sock_filter insns[8];
	int status;
	pid_t kid = fork();

	CHECK(kid >= 0);
	if (!kid) {
		filter(NR_FIRST, DENY(ESTALE));
		CHECK(!filter_flags(NR_SECOND, DENY(EDOM), SECCOMP_FILTER_FLAG_LOG));
		subject_touch("kid");
		for (;;)
			pause();
	}
	while (access("kid", F_OK))
		subject_sleep_ms(1);
	subject_ready();
	CHECK(!ptrace(PTRACE_ATTACH, kid, 0, 0));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_METADATA, kid, sizeof(meta), &meta), 16);
	CHECK_EQ(meta.flags, 0);
	meta.filter_off = 1;
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_METADATA, kid, sizeof(meta), &meta), 16);
	CHECK_EQ(meta.flags, SECCOMP_FILTER_FLAG_LOG);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, kid, 1L, insns), 4);
	CHECK_EQ(insns[0].code, BPF_LD | BPF_W | BPF_ABS);
	CHECK_EQ(insns[1].k, NR_SECOND);
	CHECK_EQ(insns[2].k, DENY(EDOM));
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
}

/* Strict mode knows read, write, exit and sigreturn. */
static void strict_echo(int from, int to)
{
	char byte;

	CHECK(!syscall(__NR_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
	while (syscall(__NR_read, from, &byte, 1) == 1) {
		byte++;
		syscall(__NR_write, to, &byte, 1);
	}
	syscall(__NR_exit, 7);
}

/* The call that it sleeps in is made again, and allowed again. */
SURVIVE(strict_mode_in_read)
{
	int to[2], from[2], status;
	char byte = 'a';
	pid_t kid;

	CHECK(!pipe(to) && !pipe(from));
	kid = fork();
	CHECK(kid >= 0);
	if (!kid) {
		CHECK(!close(to[1]));
		strict_echo(to[0], from[1]);
	}
	CHECK(write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1);
	CHECK_EQ(byte, 'b');
	subject_ready();
	CHECK_EQ(status_number(kid, "Seccomp:"), SECCOMP_MODE_STRICT);
	CHECK(write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1);
	CHECK_EQ(byte, 'c');
	CHECK(!close(to[1]));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

SURVIVE(strict_mode_kills)
{
	int to[2], status;
	pid_t kid;

	CHECK(!pipe(to));
	kid = fork();
	CHECK(kid >= 0);
	if (!kid) {
		char byte;

		CHECK(!syscall(__NR_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
		syscall(__NR_read, to[0], &byte, 1);
		syscall(__NR_getpid);
		syscall(__NR_exit, 0);
	}
	while (status_number(kid, "Seccomp:") != SECCOMP_MODE_STRICT)
		subject_sleep_ms(1);
	subject_ready();
	CHECK_EQ(write(to[1], "x", 1), 1);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Going on with a sleep is no call of the program's, whatever the filter says. */
SURVIVE(sleep_without_restart_syscall)
{
	struct timespec ts = { .tv_nsec = 700000000 };
	int status;
	pid_t kid;

	no_new_privs();
	kid = fork();
	CHECK(kid >= 0);
	if (!kid) {
		filter(__NR_restart_syscall, SECCOMP_RET_KILL_PROCESS);
		CHECK(!syscall(__NR_nanosleep, &ts, NULL));
		subject_touch("slept");
		syscall(__NR_restart_syscall);
		_exit(0);
	}
	subject_sleep_ms(200);
	subject_ready();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(!access("slept", F_OK));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static char big[1 << 20];

/* A child that writes more than a pipe holds, and that may do no more than write. */
static pid_t writer(int *fds, void (*confine)(void))
{
	pid_t kid;
	char c;

	CHECK(!pipe(fds));
	no_new_privs();
	kid = fork();
	CHECK(kid >= 0);
	if (!kid) {
		close(fds[0]);
		confine();
		syscall(__NR_exit, syscall(__NR_write, fds[1], big, sizeof(big)) ==
				   (long)sizeof(big) ? 7 : 1);
	}
	close(fds[1]);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	subject_sleep_ms(100);
	return kid;
}

static void finish_writing(int fd, pid_t kid)
{
	int status;

	while (read(fd, big, sizeof(big)) > 0)
		;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
}

static void confine_by_filter(void)
{
	filter(__NR_restart_syscall, SECCOMP_RET_KILL_PROCESS);
}

SURVIVE(write_without_restart_syscall)
{
	int fds[2];
	pid_t kid = writer(fds, confine_by_filter);

	subject_ready();
	finish_writing(fds[0], kid);
}

static void confine_strictly(void)
{
	CHECK(!syscall(__NR_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
}

SURVIVE(write_in_strict_mode)
{
	int fds[2];
	pid_t kid = writer(fds, confine_strictly);

	subject_ready();
	finish_writing(fds[0], kid);
}

REFUSE(listener, EOPNOTSUPP, "seccomp filter with a listener")
{
	no_new_privs();
	CHECK(filter_flags(NR_FIRST, SECCOMP_RET_USER_NOTIF,
			   SECCOMP_FILTER_FLAG_NEW_LISTENER) >= 0);
	subject_ready();
}

/* Without its listener it only ever denies. */
SURVIVE(listener_that_left)
{
	int fd;

	no_new_privs();
	fd = filter_flags(NR_FIRST, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	CHECK(fd >= 0);
	CHECK(!close(fd));
	subject_ready();
	CHECK_EQ(syscall(NR_FIRST), -1);
}

static void subject_one_filter_more(void)
{
	filter(NR_FIRST, DENY(ESTALE));
	subject_ready();
	CHECK(denied(NR_FIRST, ESTALE));
	CHECK(denied(NR_SECOND, EDOM));
	CHECK_EQ(nr_filters(), 2);
}

static long as_confined(struct subject *s, uint32_t action, long (*call)(struct subject *))
{
	int status;
	pid_t kid = fork();

	if (!kid) {
		if (filter_flags(NR_SECOND, action, 0))
			_exit(255);
		_exit(-call(s));
	}
	waitpid(kid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -255;
}

static long restart_and_finish(struct subject *s)
{
	long ret = subject_restart(s, 0);

	if (ret != s->pid)
		return ret;
	return subject_finish(s) ? -254 : 0;
}

TEST_F(refuse, restarters_filters_stay_underneath)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_one_filter_more)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	EXPECT_EQ(as_confined(s, DENY(EDOM), restart_and_finish), 0) subject_print(s);
	s->pid = 0;
}

/* All is done by a confined process: what both have is neither saved nor doubled. */
static long start_kill_restart(struct subject *s)
{
	long ret;

	if (!subject_start(s, subject_one_filter_more))
		return -253;
	ret = subject_checkpoint(s, CHECKPOINT_KILL);
	if (ret <= 0 || waitpid(s->pid, NULL, 0) != s->pid)
		return ret ?: -252;
	ret = restart_and_finish(s);
	if (ret)
		subject_print(s);
	subject_clean(s);
	return ret;
}

TEST_F(refuse, common_filters_are_not_doubled)
{
	EXPECT_EQ(as_confined(&self->s, DENY(EDOM), start_kill_restart), 0);
}

static void subject_strict_kid(void)
{
	int to[2];
	pid_t kid;
	char byte;

	CHECK(!pipe(to));
	kid = fork();
	CHECK(kid >= 0);
	if (!kid) {
		CHECK(!syscall(__NR_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
		syscall(__NR_read, to[0], &byte, 1);
		syscall(__NR_exit, 0);
	}
	while (status_number(kid, "Seccomp:") != SECCOMP_MODE_STRICT)
		subject_sleep_ms(1);
	subject_ready();
}

static long restart_strict(struct subject *s)
{
	long ret = subject_restart(s, 0);

	if (ret == -EOPNOTSUPP && !log_has(s, "strict mode excludes the restarter's filters"))
		return -254;
	return ret;
}

TEST_F(refuse, strict_mode_under_filters)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_strict_kid)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	EXPECT_EQ(as_confined(s, SECCOMP_RET_ALLOW, restart_strict), -EOPNOTSUPP);
	EXPECT_EQ(kill(s->pid, 0), -1);
	s->pid = 0;
}

static void subject_without_sys_admin(void)
{
	filter(NR_FIRST, DENY(ESTALE));
	caps_drop(1ULL << CAP_SYS_ADMIN);
	subject_ready();
}

TEST_F(refuse, filters_need_a_right)
{
	struct subject *s = &self->s;
	int status;
	pid_t kid;

	ASSERT_TRUE(subject_start(s, subject_without_sys_admin)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	kid = fork();
	if (!kid) {
		caps_drop(1ULL << CAP_SYS_ADMIN);
		CHECK_EQ(subject_restart(s, RESTART_NO_TIME_NAMESPACE), -EACCES);
		CHECK(log_has(s, "seccomp filters need no_new_privs or CAP_SYS_ADMIN"));
		_exit(0);
	}
	ASSERT_EQ(waitpid(kid, &status, 0), kid);
	EXPECT_EQ(status, 0);
	s->pid = 0;
}

static void subject_that_saves_itself(void)
{
	struct checkpoint_args args = { .pidfd = -1, .log_fd = -1 };
	long ret;

	no_new_privs();
	filter(NR_FIRST, DENY(ESTALE));
	subject_ready();
	args.image_fd = open("image", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	ret = sys_checkpoint(&args, sizeof(args));
	CHECK(ret >= 0);
	CHECK_EQ(nr_filters(), 1);
	CHECK(denied(NR_FIRST, ESTALE));
	_exit(ret > 0 ? 10 : 20);
}

/* The filters of a checkpointer that is in the tree are the tree's. */
TEST_F(refuse, own_filters)
{
	struct subject *s = &self->s;
	int status;

	ASSERT_TRUE(subject_start(s, subject_that_saves_itself)) subject_print(s);
	ASSERT_EQ(WEXITSTATUS(subject_finish(s)), 10) subject_print(s);
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
	EXPECT_EQ(WEXITSTATUS(status), 20) subject_print(s);
	s->pid = 0;
}

TEST_HARNESS_MAIN
