// SPDX-License-Identifier: GPL-2.0
/*
 * State of a task that no image represents: each kind is refused by name, and
 * a dry run names all of them at once. Files and mappings have their tests where
 * those that can be saved have theirs.
 */
#include <libgen.h>
#include <linux/io_uring.h>
#include <linux/user_events.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "census.h"

REFUSE(semaphore_undo, EOPNOTSUPP, "System V semaphore undo list")
{
	struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };
	int id = semget(IPC_PRIVATE, 1, 0600);

	CHECK(id >= 0 && !semop(id, &op, 1));
	subject_ready();
	CHECK(!semctl(id, 0, IPC_RMID));
}

/* Whoever of them exits last undoes what all did, though nobody did anything yet. */
REFUSE(shared_semaphore_undo, EOPNOTSUPP, "undo list shared with another process")
{
	pid_t pid = syscall(SYS_clone, CLONE_SYSVSEM | SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid)
		for (;;)
			pause();
	CHECK(pid > 0);
	subject_ready();
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

REFUSE(io_uring, EOPNOTSUPP, "io_uring")
{
	struct io_uring_params params = {};

	CHECK(syscall(SYS_io_uring_setup, 4, &params) >= 0);
	subject_ready();
}

static void *sleep_on_cpu_time(void *arg)
{
	struct timespec ts = { .tv_sec = 1000 };

	clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &ts, NULL);
	return arg;
}

REFUSE(sleep_on_cpu_time, EOPNOTSUPP, "CPU-time or alarm clock")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, sleep_on_cpu_time, NULL));
	subject_sleep_ms(100);
	subject_ready();
}

static void *sleep_on_tai(void *arg)
{
	struct timespec ts = { .tv_sec = 1000 };

	clock_nanosleep(CLOCK_TAI, 0, &ts, NULL);
	return arg;
}

/* It would be woken up by a time of a clock that has gone on. */
REFUSE(sleep_on_tai, EOPNOTSUPP, "sleeps on CLOCK_TAI")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, sleep_on_tai, NULL));
	subject_sleep_ms(100);
	subject_ready();
}

static void subject_unshare(int flag)
{
	CHECK(!unshare(flag));
	subject_ready();
}

REFUSE(uts_namespace, EOPNOTSUPP, "is in another uts namespace")
{
	subject_unshare(CLONE_NEWUTS);
}

REFUSE(ipc_namespace, EOPNOTSUPP, "is in another ipc namespace")
{
	subject_unshare(CLONE_NEWIPC);
}

REFUSE(mount_namespace, EOPNOTSUPP, "is in another mount namespace")
{
	subject_unshare(CLONE_NEWNS);
}

REFUSE(network_namespace, EOPNOTSUPP, "is in another network namespace")
{
	subject_unshare(CLONE_NEWNET);
}

REFUSE(cgroup_namespace, EOPNOTSUPP, "is in another cgroup namespace")
{
	subject_unshare(CLONE_NEWCGROUP);
}

REFUSE(user_namespace, EOPNOTSUPP, "is in another user namespace")
{
	subject_unshare(CLONE_NEWUSER);
}

REFUSE(pid_namespace_for_children, EOPNOTSUPP, "is in another pid (for children) namespace")
{
	subject_unshare(CLONE_NEWPID);
}

REFUSE(pid_namespace, EOPNOTSUPP, "is in another pid namespace")
{
	pid_t pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid)
		for (;;)
			pause();
	CHECK(pid > 0);
	subject_ready();
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void *unshare_network(void *arg)
{
	CHECK(!unshare(CLONE_NEWNET));
	subject_touch("unshared");
	for (;;)
		pause();
	return arg;
}

REFUSE(network_namespace_of_a_thread, EOPNOTSUPP, "is in another network namespace")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, unshare_network, NULL));
	while (access("unshared", F_OK))
		subject_sleep_ms(1);
	subject_ready();
}

#define X32(nr)	(0x40000000 + (nr))

static bool has_x32(void)
{
	return syscall(X32(39)) == getpid();
}

static void *sleep_x32(void *arg)
{
	struct { int64_t sec, nsec; } ts = { .sec = 1000 };

	syscall(X32(35), &ts, NULL);
	return arg;
}

REFUSE_IF(x32_call, has_x32(), "no X86_X32_ABI", EOPNOTSUPP, "x32 program")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, sleep_x32, NULL));
	subject_sleep_ms(100);
	subject_ready();
}

REFUSE_IF(x32_handler, has_x32(), "no X86_X32_ABI", EOPNOTSUPP, "x32 handler of signal 10")
{
	struct { uint32_t handler, restorer, flags, pad[2]; } sa = { .handler = 4096 };

	CHECK(!syscall(X32(512), SIGUSR1, &sa, NULL, 8));
	subject_ready();
}

static const char *x32_path(void)
{
	static char exe[PATH_MAX], path[PATH_MAX + 16];

	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	snprintf(path, sizeof(path), "%s/x32_program", dirname(exe));
	return path;
}

REFUSE_IF(whole_x32_program, has_x32() && !access(x32_path(), X_OK),
	  "no X86_X32_ABI, or no assembler for it", EOPNOTSUPP, "x32 program")
{
	execl(x32_path(), x32_path(), NULL);
	CHECK(!"executed");
}

static volatile int *shared;

REFUSE(traced, EBUSY, "is traced by pid")
{
	pid_t tracer, parent = getpid();

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tracer = fork();
	if (!tracer) {
		CHECK(!ptrace(PTRACE_SEIZE, parent, NULL, NULL));
		*shared = 1;
		for (;;)
			pause();
	}
	while (!*shared)
		subject_sleep_ms(1);
	subject_ready();
	CHECK(!kill(tracer, SIGKILL));
	CHECK_EQ(waitpid(tracer, NULL, 0), tracer);
}

static long watched;

/* What a debugger does to be told of who writes to the variable. */
static void set_watchpoint(pid_t pid, unsigned long dr7)
{
	CHECK(!ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), &watched));
	CHECK(!ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), dr7));
}

#define WATCH_8_BYTES	0x90001UL	/* of the register 0, when written to */

static void debug_and_leave(pid_t pid, bool remove)
{
	CHECK(!ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	set_watchpoint(pid, WATCH_8_BYTES);
	if (remove)
		set_watchpoint(pid, 0);
	CHECK(!ptrace(PTRACE_DETACH, pid, NULL, NULL));
	_exit(0);
}

static void be_debugged(bool remove)
{
	pid_t self = getpid(), tracer = fork();
	int status;

	if (!tracer)
		debug_and_leave(self, remove);
	CHECK_EQ(waitpid(tracer, &status, 0), tracer);
	CHECK_EQ(status, 0);
}

REFUSE(breakpoints_that_a_tracer_left, EOPNOTSUPP, "hardware breakpoints")
{
	be_debugged(false);
	subject_ready();
}

SURVIVE(breakpoints_that_a_tracer_removed)
{
	be_debugged(true);
	subject_ready();
	watched = 1;
}

#define TRACING		"/sys/kernel/tracing"

static int open_user_events(void)
{
	int fd = open(TRACING "/user_events_data", O_RDWR);

	if (fd < 0 && !mount("tracefs", TRACING, "tracefs", 0, NULL))
		fd = open(TRACING "/user_events_data", O_RDWR);
	return fd;
}

static bool has_user_events(void)
{
	int fd = open_user_events();

	close(fd);
	return fd >= 0;
}

#define NO_USER_EVENTS	"no CONFIG_USER_EVENTS"

static uint32_t is_traced;

static void register_event(bool unregister)
{
	struct user_reg reg = {
		.size = sizeof(reg),
		.enable_size = sizeof(is_traced),
		.enable_addr = (unsigned long)&is_traced,
		.name_args = (unsigned long)"ckpt_test u32 value",
	};
	struct user_unreg unreg = {
		.size = sizeof(unreg),
		.disable_addr = (unsigned long)&is_traced,
	};
	int fd = open_user_events();

	CHECK(fd >= 0 && !ioctl(fd, DIAG_IOCSREG, &reg));
	CHECK(!unregister || !ioctl(fd, DIAG_IOCSUNREG, &unreg));
	close(fd);
}

REFUSE_IF(user_events, has_user_events(), NO_USER_EVENTS, EOPNOTSUPP, "user trace events")
{
	register_event(false);
	subject_ready();
}

static void subject_without_events(void)
{
	register_event(true);
	subject_ready();
}

/* They belong to the memory of the restarter, which the tree was born in. */
TEST_F(refuse, user_events_of_the_restarter)
{
	if (!has_user_events())
		SKIP(return, NO_USER_EVENTS);
	ASSERT_TRUE(subject_start(&self->s, subject_without_events)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	register_event(false);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static void on_step(int sig)
{
}

static void *be_stepped(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	for (;;)
		pause();
	return NULL;
}

static void step_and_leave(pid_t tid)
{
	CHECK(!ptrace(PTRACE_ATTACH, tid, NULL, NULL));
	CHECK_EQ(waitpid(tid, NULL, __WALL), tid);
	CHECK(!ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL));
	_exit(0);
}

/* The step is a system call that takes long. */
REFUSE(single_stepped_by_a_tracer_that_left, EOPNOTSUPP, "single stepping")
{
	volatile pid_t tid = 0;
	pthread_t thread;
	pid_t tracer;
	int status;

	signal(SIGTRAP, on_step);
	CHECK(!pthread_create(&thread, NULL, be_stepped, (void *)&tid));
	while (!tid)
		subject_sleep_ms(1);
	subject_sleep_ms(50);
	tracer = fork();
	if (!tracer)
		step_and_leave(tid);
	CHECK_EQ(waitpid(tracer, &status, 0), tracer);
	CHECK_EQ(status, 0);
	subject_ready();
}

REFUSE(many_pending_signals, EOPNOTSUPP, ": 65537 pending signals")
{
	struct rlimit limit = { 70000, 70000 };
	sigset_t set;
	int i;

	CHECK(!setrlimit(RLIMIT_SIGPENDING, &limit));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	/* the signal itself, and its siginfo each time */
	for (i = 0; i < 65536; i++)
		CHECK(!sigqueue(getpid(), SIGRTMIN, (union sigval) { .sival_int = i }));
	subject_ready();
}

/* What the kernel does for others with something of the subject's: by a ring of the test. */

static int ring = -1;

static bool make_ring(void)
{
	struct io_uring_params params = {};

	ring = syscall(SYS_io_uring_setup, 4, &params);
	return ring >= 0;
}

static long ring_register(int fd, unsigned int what, void *arg)
{
	return syscall(SYS_io_uring_register, fd, what, arg, 1);
}

static void subject_with_pinned_page(void)
{
	int fd = test_get_fd(getppid(), ring);
	struct iovec iov = { .iov_len = 4096 };

	iov.iov_base = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	CHECK(iov.iov_base != MAP_FAILED && fd >= 0);
	*(char *)iov.iov_base = 1;
	CHECK(!ring_register(fd, IORING_REGISTER_BUFFERS, &iov));
	CHECK(!close(fd));
	subject_ready();
}

TEST_F(refuse, page_pinned_by_an_outsider)
{
	ASSERT_TRUE(make_ring());
	refuse_run(_metadata, &self->s, 0, subject_with_pinned_page, EOPNOTSUPP,
		   ": pinned for I/O: not supported");
	close(ring);
}

static void subject_with_eventfd(void)
{
	CHECK_EQ(dup2(eventfd(0, 0), 10), 10);
	subject_ready();
}

TEST_F(refuse, eventfd_that_the_kernel_signals)
{
	struct subject *s = &self->s;
	int fd, ms;

	ASSERT_TRUE(make_ring());
	ASSERT_TRUE(subject_start(s, subject_with_eventfd)) subject_print(s);
	fd = test_get_fd(s->pid, 10);
	ASSERT_EQ(ring_register(ring, IORING_REGISTER_EVENTFD, &fd), 0);
	close(fd);
	expect_refused(_metadata, s, 0, EOPNOTSUPP, "eventfd: in use by the kernel");
	/* the clean twin: the kernel lets go of it a grace period later */
	ASSERT_EQ(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_EVENTFD, NULL, 0), 0);
	for (ms = 0; subject_checkpoint(s, 0) <= 0 && ms < SUBJECT_TIMEOUT_MS / 2; ms += 10)
		subject_sleep_ms(10);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
	close(ring);
}

/* Being refused takes nothing with it, whatever the reason. */
static const struct {
	void (*subject)(void);
	int err;
	const char *text;
} refusals[] = {
	{ subject_refuse_semaphore_undo, EOPNOTSUPP, "undo list" },
	{ subject_refuse_shared_semaphore_undo, EOPNOTSUPP, "undo list shared" },
	{ subject_refuse_io_uring, EOPNOTSUPP, "io_uring" },
	{ subject_refuse_sleep_on_cpu_time, EOPNOTSUPP, "CPU-time" },
	{ subject_refuse_uts_namespace, EOPNOTSUPP, "uts namespace" },
	{ subject_refuse_ipc_namespace, EOPNOTSUPP, "ipc namespace" },
	{ subject_refuse_mount_namespace, EOPNOTSUPP, "mount namespace" },
	{ subject_refuse_network_namespace, EOPNOTSUPP, "network namespace" },
	{ subject_refuse_user_namespace, EOPNOTSUPP, "user namespace" },
	{ subject_refuse_pid_namespace, EOPNOTSUPP, "pid namespace" },
	{ subject_refuse_traced, EBUSY, "is traced" },
	{ subject_refuse_breakpoints_that_a_tracer_left, EOPNOTSUPP, "hardware breakpoints" },
	{ subject_refuse_single_stepped_by_a_tracer_that_left, EOPNOTSUPP, "single stepping" },
};

static void refuse_all(struct __test_metadata *_metadata, struct subject *s)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		refuse_run(_metadata, s, 0, refusals[i].subject, refusals[i].err,
			   refusals[i].text);
		census_kill_children();
		subject_clean(s);
	}
}

/* Often enough that one file lost by each would be noticed */
TEST_F_TIMEOUT(refuse, nothing_is_left_behind, 120)
{
	struct census before;
	int i;

	ASSERT_TRUE(census_adopt_orphans());
	refuse_all(_metadata, &self->s);
	census_take(&before);
	for (i = 0; i < 10; i++)
		refuse_all(_metadata, &self->s);
	EXPECT_TRUE(census_same(&before));
}

/* A dry run: all at once, of tasks, files and memory, and the leak too. */
static void subject_full_of_reasons(void)
{
	unsigned long ring = 0;
	timer_t timer;
	int fd;

	CHECK(!timer_create(CLOCK_TAI, NULL, &timer));
	CHECK(!syscall(SYS_io_setup, 1, &ring));
	CHECK(epoll_create1(0) >= 0);
	CHECK(timerfd_create(CLOCK_MONOTONIC, 0) >= 0);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	fd = open("/var/tmp/gone", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0 && !unlink("/var/tmp/gone"));
	CHECK(dup2(open("kept", O_CREAT | O_RDWR, 0644), 10) == 10);
	if (!fork()) {
		CHECK(inotify_init1(0) >= 0);
		subject_touch("watching");
		for (;;)
			pause();
	}
	while (access("watching", F_OK))
		subject_sleep_ms(1);
	subject_ready();
}

static void expect_named(struct __test_metadata *_metadata, struct subject *s, const char *reason)
{
	EXPECT_TRUE(log_has(s, reason)) {
		TH_LOG("not named: %s", reason);
		subject_print(s);
	}
}

TEST_F(refuse, all_reasons_at_once)
{
	static const char *const reasons[] = {
		"CLOCK_TAI", "AIO", "epoll: not supported", "timerfd: not supported",
		"socket", "gone (deleted): unlinked", "inotify", "leak: file",
	};
	struct subject *s = &self->s;
	int fd;
	char held[32];
	size_t i;

	ASSERT_TRUE(subject_start(s, subject_full_of_reasons)) subject_print(s);
	fd = test_get_fd(s->pid, 10);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(subject_checkpoint(s, CHECKPOINT_DRY_RUN), -EOPNOTSUPP) subject_print(s);
	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		expect_named(_metadata, s, reasons[i]);
	snprintf(held, sizeof(held), "held by pid %d", getpid());
	EXPECT_TRUE(log_has(s, held)) subject_print(s);
	EXPECT_FALSE(log_has(s, "error ")) subject_print(s);
	/* the first of them is what a real checkpoint fails with */
	EXPECT_EQ(subject_checkpoint(s, 0), -EOPNOTSUPP) subject_print(s);
	close(fd);
	subject_kill(s);
	s->pid = 0;
}

/* Who is traced is no task of the tree; but the tree would not trace it any more. */
REFUSE(tracer_of_an_outsider, EBUSY, "traces pid")
{
	pid_t child, orphan;
	int fds[2], status;

	CHECK(!pipe(fds));
	child = fork();
	if (!child) {
		orphan = fork();
		while (!orphan)
			pause();
		CHECK(orphan > 0 && write(fds[1], &orphan, sizeof(orphan)) == sizeof(orphan));
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(read(fds[0], &orphan, sizeof(orphan)), sizeof(orphan));
	CHECK(!ptrace(PTRACE_SEIZE, orphan, 0, PTRACE_O_EXITKILL));
	subject_ready();
}

#define NR_TRACED	2

/* Children that an outsider is going to trace, each with its pid in a file. */
static void subject_with_children(void)
{
	char name[16];
	int i;

	CHECK(epoll_create1(0) >= 0);
	for (i = 0; i < NR_TRACED; i++) {
		pid_t pid = fork();
		int fd;

		while (!pid)
			pause();
		CHECK(pid > 0);
		snprintf(name, sizeof(name), "child%d", i);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		CHECK(fd >= 0 && dprintf(fd, "%d", pid) > 0);
		close(fd);
	}
	subject_ready();
}

static pid_t trace_child(struct subject *s, int number)
{
	char name[16], text[16] = "";
	int fd;

	snprintf(name, sizeof(name), "child%d", number);
	fd = test_open(s, name, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	return ptrace(PTRACE_SEIZE, atoi(text), 0, 0) ? -1 : atoi(text);
}

/* Who cannot be frozen does not hide what is wrong with the others. */
TEST_F(refuse, all_reasons_besides_traced_tasks)
{
	struct subject *s = &self->s;
	pid_t traced[NR_TRACED];
	char reason[96];
	int i;

	ASSERT_TRUE(subject_start(s, subject_with_children)) subject_print(s);
	for (i = 0; i < NR_TRACED; i++) {
		traced[i] = trace_child(s, i);
		ASSERT_GT(traced[i], 0);
	}
	EXPECT_EQ(subject_checkpoint(s, CHECKPOINT_DRY_RUN), -EBUSY) subject_print(s);
	for (i = 0; i < NR_TRACED; i++) {
		snprintf(reason, sizeof(reason), "pid %d (refuse): is traced by pid %d (refuse)",
			 traced[i], getpid());
		expect_named(_metadata, s, reason);
	}
	expect_named(_metadata, s, "epoll: not supported");
	expect_named(_metadata, s, "no check for leaks");
	EXPECT_FALSE(log_has(s, "error ")) subject_print(s);
	EXPECT_EQ(subject_checkpoint(s, 0), -EBUSY) subject_print(s);
	subject_kill(s);
	s->pid = 0;
}

/* What is told first decides about the error, as it does for a checkpoint. */
static void subject_with_a_file(void)
{
	CHECK(dup2(open("kept", O_CREAT | O_RDWR, 0644), 10) == 10);
	subject_ready();
}

TEST_F(refuse, dry_run_finds_a_leak_only)
{
	struct subject *s = &self->s;
	int fd;

	ASSERT_TRUE(subject_start(s, subject_with_a_file)) subject_print(s);
	EXPECT_EQ(subject_checkpoint(s, CHECKPOINT_DRY_RUN), 0) subject_print(s);
	fd = test_get_fd(s->pid, 10);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(subject_checkpoint(s, CHECKPOINT_DRY_RUN), -EAGAIN) subject_print(s);
	EXPECT_TRUE(log_has(s, "leak: file")) subject_print(s);
	EXPECT_FALSE(log_has(s, "error ")) subject_print(s);
	EXPECT_EQ(subject_checkpoint(s, 0), -EAGAIN) subject_print(s);
	EXPECT_EQ(subject_checkpoint(s, CHECKPOINT_DRY_RUN | CHECKPOINT_SUBTREE), 0)
		subject_print(s);
	close(fd);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

TEST_HARNESS_MAIN
