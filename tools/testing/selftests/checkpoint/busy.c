// SPDX-License-Identifier: GPL-2.0
/*
 * Trees that cannot be frozen: EBUSY, the log says which task is at what, and
 * the tree goes on. When it is done with that, it can be saved. And trees that
 * can be, although they never come to rest by themselves.
 */
#include <elf.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "busy_tree.h"
#include "census.h"

FIXTURE(busy)
{
	struct subject s;
	struct census before;
};

FIXTURE_SETUP(busy)
{
	memset(&self->s, 0, sizeof(self->s));
	ballast = 256 << 10;
	ASSERT_TRUE(census_adopt_orphans());
	census_take(&self->before);
}

FIXTURE_TEARDOWN(busy)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	census_kill_children();
	subject_clean(&self->s);
	EXPECT_TRUE(census_same(&self->before));
}

static void refused(struct __test_metadata *_metadata, struct subject *s, int err,
		    const char *text)
{
	expect_refused(_metadata, s, 0, err, text);
	EXPECT_EQ(subject_checkpoint(s, CHECKPOINT_DRY_RUN), -err) subject_print(s);
	EXPECT_TRUE(log_has(s, text)) subject_print(s);
}

static bool goes_on(struct subject *s)
{
	int status = subject_finish(s);

	if (status)
		subject_print(s);
	s->pid = 0;
	return !status;
}

TEST_F(busy, kernel_thread)
{
	struct subject kthreadd;

	ASSERT_TRUE(subject_start(&self->s, subject_busy)) subject_print(&self->s);
	kthreadd = self->s;
	kthreadd.pid = 2;
	refused(_metadata, &kthreadd, EOPNOTSUPP, "pid 2 (kthreadd): is a kernel thread");
}

/* Another checkpoint, which waits for who reads its image */

static bool wait_for_data(int fd)
{
	int ms, n = 0;

	for (ms = 0; ms < SUBJECT_TIMEOUT_MS && !n; ms++) {
		ioctl(fd, FIONREAD, &n);
		subject_sleep_ms(1);
	}
	return n;
}

TEST_F(busy, in_another_checkpoint)
{
	char buf[16384];
	int fds[2], status;
	pid_t other;

	ASSERT_TRUE(subject_start(&self->s, subject_busy)) subject_print(&self->s);
	ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
	other = start_checkpointer(&self->s, fds[1]);
	close(fds[1]);
	ASSERT_TRUE(wait_for_data(fds[0]));
	refused(_metadata, &self->s, EBUSY, ": is in another checkpoint");
	/* it was not disturbed */
	while (read(fds[0], buf, sizeof(buf)) > 0)
		;
	close(fds[0]);
	ASSERT_EQ(waitpid(other, &status, 0), other);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(all_progress(&self->s));
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
}

/*
 * A write that holds the lock of the file "held", for what it is to write is in
 * memory that userfaultfd gives to nobody. Who writes there too must wait.
 */
static void hold_file(struct subject *s)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = test_open(s, "held", O_CREAT | O_WRONLY);
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };

	reg.range.start = (unsigned long)p;
	reg.range.len = 4096;
	if (p != MAP_FAILED && !ioctl(uffd, UFFDIO_API, &api) &&
	    !ioctl(uffd, UFFDIO_REGISTER, &reg) && write(fd, p, 1) == 1)
		_exit(0);
	_exit(1);
}

static bool wait_for_state(pid_t pid, char state)
{
	int ms;

	for (ms = 0; ms < SUBJECT_TIMEOUT_MS && test_state(pid) != state; ms++)
		subject_sleep_ms(1);
	return test_state(pid) == state;
}

static pid_t start_holder(struct subject *s)
{
	pid_t pid = fork();
	char path[32];
	int ms;

	if (!pid)
		hold_file(s);
	/* where it waits is all that there is to see of it */
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (ms = 0; ms < SUBJECT_TIMEOUT_MS && census_number(path, "") != SYS_write; ms++)
		subject_sleep_ms(1);
	subject_sleep_ms(50);
	return pid;
}

static void end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Starts @fn, which acts while the file is held. Returns who holds it. */
static pid_t start_to_wait(struct subject *s, void (*fn)(void))
{
	pid_t holder;

	if (!subject_start(s, fn))
		return -1;
	holder = start_holder(s);
	close(test_open(s, "act", O_CREAT | O_WRONLY));
	return wait_for_state(s->pid, 'D') ? holder : -1;
}

static void *write_to_held(void *arg)
{
	int fd = open("held", O_WRONLY);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
	return arg;
}

static void subject_that_waits(void)
{
	subject_touch("ready");
	while (access("act", F_OK))
		subject_sleep_ms(1);
	write_to_held(NULL);
	while (access("go", F_OK))
		subject_sleep_ms(5);
}

TEST_F_TIMEOUT(busy, in_uninterruptible_sleep, 60)
{
	pid_t holder = start_to_wait(&self->s, subject_that_waits);

	ASSERT_GT(holder, 0) subject_print(&self->s);
	refused(_metadata, &self->s, EBUSY, ": is in uninterruptible sleep at ");
	end_holder(holder);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_TRUE(goes_on(&self->s));
}

/* Its other threads must die first, and one cannot. */
static void subject_that_executes(void)
{
	pthread_t thread;

	subject_touch("ready");
	while (access("act", F_OK))
		subject_sleep_ms(1);
	CHECK(!pthread_create(&thread, NULL, write_to_held, NULL));
	subject_sleep_ms(50);
	execl("/bin/sh", "sh", "-c", "until [ -e go ]; do sleep 0.01; done", NULL);
	CHECK(!"executed");
}

TEST_F_TIMEOUT(busy, executing, 60)
{
	pid_t holder = start_to_wait(&self->s, subject_that_executes);

	ASSERT_GT(holder, 0) subject_print(&self->s);
	refused(_metadata, &self->s, EBUSY, ": is executing a program");
	end_holder(holder);
	EXPECT_TRUE(goes_on(&self->s));
}

/* A thread that waits in vfork() cannot stop with the others. */
static void *wait_in_vfork(void *arg)
{
	pid_t pid = vfork();

	if (!pid) {
		while (syscall(SYS_access, "end", F_OK))
			syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 1000000 }, NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return arg;
}

static void subject_with_vfork(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, wait_in_vfork, NULL));
	subject_sleep_ms(100);
	subject_ready();
	CHECK(!pthread_join(thread, NULL));
}

TEST_F_TIMEOUT(busy, about_to_stop, 60)
{
	struct subject *s = &self->s;

	ASSERT_TRUE(subject_start(s, subject_with_vfork)) subject_print(s);
	ASSERT_EQ(kill(s->pid, SIGSTOP), 0);
	ASSERT_TRUE(wait_for_state(s->pid, 'T'));
	refused(_metadata, s, EBUSY, ": is about to stop");
	/* it stops */
	close(test_open(s, "end", O_CREAT | O_WRONLY));
	ASSERT_EQ(waitpid(s->pid, NULL, WUNTRACED), s->pid);
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	ASSERT_EQ(kill(s->pid, SIGCONT), 0);
	EXPECT_TRUE(goes_on(s));
}

/* A core dump to a program that does not read for a while */

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE_SIZE	(4UL << 20)

static bool install_handler(struct subject *s)
{
	const char *path = test_path(s, "handler");
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	char text[512], pattern[256];

	snprintf(text, sizeof(text),
		 "#!/bin/sh\n"
		 "cd %s && touch dumping\n"
		 "until [ -e end ]; do sleep 0.01; done\n"
		 "cat >core && touch dumped\n", s->dir);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return false;
	close(fd);
	snprintf(pattern, sizeof(pattern), "|%s", path);
	return census_write(CORE_PATTERN, pattern);
}

static void subject_that_dumps(void)
{
	pid_t kid;
	int status;
	char *p;

	subject_touch("ready");
	while (access("act", F_OK))
		subject_sleep_ms(1);
	kid = fork();
	if (!kid) {
		p = mmap(NULL, CORE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
		CHECK(p != MAP_FAILED);
		memset(p, 1, CORE_SIZE);
		raise(SIGQUIT);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WCOREDUMP(status));
	while (access("go", F_OK))
		subject_sleep_ms(5);
}

/* Where the last segment ends, or -1 */
static off_t core_end(int fd)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;
	off_t end = 0;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return -1;
	for (int i = 0; i < head.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part), head.e_phoff + i * sizeof(part)) !=
		    sizeof(part))
			return -1;
		if ((off_t)(part.p_offset + part.p_filesz) > end)
			end = part.p_offset + part.p_filesz;
	}
	return end;
}

/* Is the file "core" as long as its headers say? */
static bool core_is_whole(struct subject *s)
{
	int fd = test_open(s, "core", O_RDONLY);
	off_t size = lseek(fd, 0, SEEK_END), end = core_end(fd);

	close(fd);
	if (size < end)
		fprintf(stderr, "# %ld of %ld bytes of core\n", size, end);
	return size >= end && end > (off_t)CORE_SIZE;
}

TEST_F_TIMEOUT(busy, dumping_core, 60)
{
	char before[128];
	struct subject *s = &self->s;

	ASSERT_TRUE(census_read(CORE_PATTERN, before, sizeof(before)));
	ASSERT_TRUE(subject_start(s, subject_that_dumps)) subject_print(s);
	ASSERT_TRUE(install_handler(s));
	close(test_open(s, "act", O_CREAT | O_WRONLY));
	EXPECT_TRUE(test_wait_file(s, "dumping"));
	EXPECT_TRUE(census_write(CORE_PATTERN, before));
	refused(_metadata, s, EBUSY, ": is dumping core");
	close(test_open(s, "end", O_CREAT | O_WRONLY));
	ASSERT_TRUE(test_wait_file(s, "dumped"));
	EXPECT_TRUE(core_is_whole(s));
	EXPECT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	EXPECT_TRUE(goes_on(s));
}

/*
 * A tree of low priority, while eight times as many tasks as CPUs want all the
 * time there is. A session started now is no group to the scheduler: the tree would
 * be the only one of its group.
 */

#define AUTOGROUP	"/proc/sys/kernel/sched_autogroup_enabled"

static bool keep_cpus_busy(void)
{
	long n = 8 * sysconf(_SC_NPROCESSORS_ONLN);

	while (n--) {
		pid_t pid = fork();

		if (pid < 0)
			return false;
		while (!pid)
			getppid();
	}
	return true;
}

static void subject_busy_and_nice(void)
{
	CHECK(nice(19) == 19);
	subject_busy();
}

TEST_F_TIMEOUT(busy, hardly_ever_on_a_cpu, 120)
{
	bool has_groups = !access(AUTOGROUP, F_OK);
	char before[8];
	int i;

	if (has_groups) {
		ASSERT_TRUE(census_read(AUTOGROUP, before, sizeof(before)));
		ASSERT_TRUE(census_write(AUTOGROUP, "0"));
	}
	EXPECT_TRUE(subject_start(&self->s, subject_busy_and_nice)) subject_print(&self->s);
	EXPECT_TRUE(keep_cpus_busy());
	if (has_groups)
		EXPECT_TRUE(census_write(AUTOGROUP, before));
	for (i = 0; i < 5; i++)
		EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
}

static void *end_at_once(void *unused)
{
	return NULL;
}

static void *make_threads(void *unused)
{
	pthread_t thread;

	for (;;) {
		CHECK(!pthread_create(&thread, NULL, end_at_once, NULL));
		CHECK(!pthread_join(thread, NULL));
	}
	return NULL;
}

static void *make_processes(void *unused)
{
	for (;;) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid)
			_exit(0);
		sched_yield();
	}
	return NULL;
}

/* Nobody waits for any of them: threads, and children of who ignores SIGCHLD. */
static void subject_of_mayflies(void)
{
	pthread_t thread;

	signal(SIGCHLD, SIG_IGN);
	CHECK(!pthread_create(&thread, NULL, make_threads, NULL));
	CHECK(!pthread_create(&thread, NULL, make_threads, NULL));
	CHECK(!pthread_create(&thread, NULL, make_processes, NULL));
	subject_ready();
}

/* What dies while the tree comes to rest is not of it. */
TEST_F_TIMEOUT(busy, with_tasks_that_come_and_go, 120)
{
	struct subject *s = &self->s;
	int i;

	ASSERT_TRUE(subject_start(s, subject_of_mayflies)) subject_print(s);
	for (i = 0; i < 100; i++)
		ASSERT_GT(subject_checkpoint(s, 0), 0) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	/* its last children are ours now, and keep its session */
	census_kill_children();
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	EXPECT_TRUE(goes_on(s));
}

TEST_HARNESS_MAIN
