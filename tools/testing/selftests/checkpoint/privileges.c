// SPDX-License-Identifier: GPL-2.0
/* What the caller may: nobody is given more than that, nor freed from what confines it. */
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "caps.h"

/* An unprivileged caller may not look at, nor bring back, what is not his. */
static int as_nobody(struct subject *s, long (*call)(struct subject *))
{
	int status;
	pid_t kid = fork();

	if (!kid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(255);
		_exit(-call(s));
	}
	waitpid(kid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void subject_idle(void)
{
	CHECK(!chmod(".", 0777));
	subject_ready();
}

static long checkpoint_dry(struct subject *s)
{
	return subject_checkpoint(s, CHECKPOINT_DRY_RUN);
}

static long restart_plain(struct subject *s)
{
	return subject_restart(s, 0);
}

TEST_F(refuse, checkpoint_of_others_needs_privilege)
{
	ASSERT_TRUE(subject_start(&self->s, subject_idle)) subject_print(&self->s);
	EXPECT_EQ(as_nobody(&self->s, checkpoint_dry), EPERM);
	test_read_log(&self->s, test_open(&self->s, "log", O_RDONLY));
	EXPECT_TRUE(log_has(&self->s, "not permitted")) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0);
	self->s.pid = 0;
}

static long login_uid(void)
{
	long uid = -1;
	FILE *file = fopen("/proc/self/loginuid", "r");

	CHECK(file && fscanf(file, "%ld", &uid) == 1);
	fclose(file);
	return uid;
}

static void subject_logged_in(void)
{
	int fd = open("/proc/self/loginuid", O_WRONLY);
	pid_t kid;

	CHECK(fd >= 0 && write(fd, "1234", 4) == 4);
	close(fd);
	CHECK_EQ(login_uid(), 1234);
	kid = fork();
	if (!kid)
		subject_idle_for_ever(NULL);
	subject_ready();
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
	CHECK(login_uid() != 1234);
}

static int times_in_log(struct subject *s, const char *text)
{
	const char *at = s->log;
	int times = 0;

	while ((at = strstr(at, text))) {
		times++;
		at += strlen(text);
	}
	return times;
}

/* Who restarts it answers for what it does. */
TEST_F(refuse, audit_login_uid_of_another)
{
	if (access("/proc/self/loginuid", W_OK))
		SKIP(return, "no CONFIG_AUDIT");
	ASSERT_NE(login_uid(), 1234);
	ASSERT_TRUE(subject_start(&self->s, subject_logged_in)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	EXPECT_EQ(times_in_log(&self->s, "has another audit login uid than the caller"), 1);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

#define CGROUP "/sys/fs/cgroup/ckpt-creds"

/* Two processes, one with two threads */
static void subject_in_a_cgroup(void)
{
	char pid[16];
	pthread_t thread;
	int fd = open(CGROUP "/cgroup.procs", O_WRONLY);

	CHECK(fd >= 0 && snprintf(pid, sizeof(pid), "%d", getpid()) > 0);
	CHECK_EQ(write(fd, pid, strlen(pid)), (ssize_t)strlen(pid));
	close(fd);
	CHECK(!pthread_create(&thread, NULL, subject_idle_for_ever, NULL));
	if (!fork())
		subject_idle_for_ever(NULL);
	subject_ready();
}

/* What is said of the first process need not be said of the others. */
TEST_F(refuse, cgroup_of_another)
{
	if (access("/sys/fs/cgroup/cgroup.procs", W_OK))
		SKIP(return, "no cgroup2");
	ASSERT_TRUE(!mkdir(CGROUP, 0755) || errno == EEXIST);
	ASSERT_TRUE(subject_start(&self->s, subject_in_a_cgroup)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(times_in_log(&self->s, "is in another cgroup than the caller"), 1) {
		subject_print(&self->s);
	}
	subject_kill(&self->s);
	self->s.pid = 0;
	while (rmdir(CGROUP) && errno == EBUSY)
		subject_sleep_ms(1);
}

static void subject_without_privileges(void)
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), 0);
	subject_ready();
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), PR_MDWE_REFUSE_EXEC_GAIN);
}

static int restart_confined(struct subject *s)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0))
		return 255;
	if (subject_restart(s, 0) != s->pid || subject_finish(s)) {
		subject_print(s);
		return 1;
	}
	return 0;
}

/* What confines the restarter confines what it restarts. */
TEST_F(refuse, restart_does_not_free_from_what_confines_the_restarter)
{
	int status;
	pid_t kid;

	ASSERT_TRUE(subject_start(&self->s, subject_without_privileges)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	kid = fork();
	if (!kid)
		_exit(restart_confined(&self->s));
	self->s.pid = 0;
	ASSERT_EQ(waitpid(kid, &status, 0), kid);
	EXPECT_EQ(status, 0);
}

TEST_F(refuse, restart_does_not_grant_root)
{
	ASSERT_TRUE(subject_start(&self->s, subject_idle)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	test_unlink(&self->s, "log");
	EXPECT_EQ(as_nobody(&self->s, restart_plain), EPERM);
	test_read_log(&self->s, test_open(&self->s, "log", O_RDONLY));
	EXPECT_TRUE(log_has(&self->s, "CAP_CHECKPOINT_RESTORE is needed")) subject_print(&self->s);
	EXPECT_EQ(kill(self->s.pid, 0), -1);
	self->s.pid = 0;
}

static void subject_beyond_its_limit(void)
{
	struct rlimit none = {};
	int status;
	pid_t kid;

	CHECK(!chmod(".", 0777));
	CHECK(!setresuid(1000, 1000, 1000));
	kid = fork();
	if (!kid) {
		CHECK(!setrlimit(RLIMIT_NPROC, &none));
		subject_touch("limited");
		while (access("go", F_OK))
			subject_sleep_ms(1);
		execl("/bin/true", "true", NULL);
		_exit(errno == EAGAIN ? 77 : 1);
	}
	while (access("limited", F_OK))
		subject_sleep_ms(1);
	subject_ready();
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), access("unprivileged", F_OK) ? 0 : 77);
}

static int restart_without(struct subject *s, uint64_t caps)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		caps_drop(caps);
		_exit(subject_restart(s, 0) != s->pid);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Without CAP_SYS_RESOURCE nobody gives a user more programs than the limit allows. */
TEST_F(refuse, program_beyond_the_limit_of_processes)
{
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	ASSERT_TRUE(subject_start(&self->s, subject_beyond_its_limit)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	/* Its child is ours now, and keeps its pid until it is reaped. */
	while (wait(NULL) > 0)
		;
	ASSERT_EQ(restart_without(&self->s, 1ULL << CAP_SYS_RESOURCE), 0) {
		test_read_log(&self->s, test_open(&self->s, "log", O_RDONLY));
		subject_print(&self->s);
	}
	close(test_open(&self->s, "unprivileged", O_CREAT | O_WRONLY));
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* The restarter may raise the limit: who was allowed to go on before it was lowered is. */
TEST_F(refuse, program_that_was_allowed_before_the_limit)
{
	ASSERT_TRUE(subject_start(&self->s, subject_beyond_its_limit)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

#define NO_OVERRIDE	(1ULL << CAP_DAC_OVERRIDE)

/* Holds the reading end of a FIFO that it may not open for writing any more. */
static void read_fifo(const char *data)
{
	int fd, reader;
	char c;

	CHECK(!mkfifo("fifo", 0600));
	fd = open("fifo", O_RDWR);
	reader = open("fifo", O_RDONLY);
	CHECK(fd >= 0 && reader >= 0);
	CHECK_EQ(write(fd, data, strlen(data)), (ssize_t)strlen(data));
	close(fd);
	CHECK(!chmod("fifo", 0400));
	caps_drop(NO_OVERRIDE);
	subject_ready();
	CHECK_EQ(read(reader, &c, 1), 0);
}

static void subject_reads_empty_fifo(void)
{
	read_fifo("");
}

static void subject_reads_full_fifo(void)
{
	read_fifo("data");
}

TEST_F(refuse, empty_fifo_that_may_only_be_read)
{
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	ASSERT_TRUE(subject_start(&self->s, subject_reads_empty_fifo)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(restart_without(&self->s, NO_OVERRIDE), 0) {
		test_read_log(&self->s, test_open(&self->s, "log", O_RDONLY));
		subject_print(&self->s);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* To put the data of an image in it is to write to it. */
TEST_F(refuse, full_fifo_that_may_only_be_read)
{
	ASSERT_TRUE(subject_start(&self->s, subject_reads_full_fifo)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	self->s.pid = 0;
	EXPECT_NE(restart_without(&self->s, NO_OVERRIDE), 0);
	test_read_log(&self->s, test_open(&self->s, "log", O_RDONLY));
	EXPECT_TRUE(log_has(&self->s, "fifo: cannot be opened")) subject_print(&self->s);
}

TEST_HARNESS_MAIN
