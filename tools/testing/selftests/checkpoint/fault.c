// SPDX-License-Identifier: GPL-2.0
/*
 * Memory is short: each allocation of checkpoint(2) and of restart(2), in the
 * caller and in the tasks that are being restored, fails once. The call fails
 * and says why, or succeeds all the same; the saved tree goes on, and of a tree
 * that could not be restored nothing is left.
 *
 * Needs CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and CONFIG_FAULT_INJECTION_DEBUG_FS.
 * CKPT_FAULT_SECONDS is the time for each test with each subject (40): if it is
 * too short for all allocations, they are skipped evenly.
 */
#include <asm/ldt.h>
#include <grp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/io.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/time.h>

#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>

#include "census.h"

#define FAULTS		"/sys/kernel/debug/"
#define HUGE_PAGES	"/proc/sys/vm/nr_hugepages"
#define MANY		(1 << 30)
#define SHM_KEY		0x0c4b7001

static const char * const kinds[] = { "failslab", "fail_page_alloc" };

#define NR_KINDS	ARRAY_SIZE(kinds)

static bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return ok;
}

static bool set_fault(const char *kind, const char *name, long value)
{
	char path[128], text[24];

	snprintf(path, sizeof(path), FAULTS "%s/%s", kind, name);
	snprintf(text, sizeof(text), "%ld", value);
	return put_text(path, text);
}

static long get_fault(const char *kind, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), FAULTS "%s/%s", kind, name);
	return census_number(path, "");
}

static void no_faults(void)
{
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		set_fault(kinds[i], "probability", 0);
		set_fault(kinds[i], "task-filter", 0);
		set_fault(kinds[i], "space", 0);
		set_fault(kinds[i], "interval", 1);
		set_fault(kinds[i], "times", -1);
	}
}

/* kmemleak notes each allocation down, and does without memory for that. */
static void spare_kmemleak(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *d;
	char path[300];

	while (dir && (d = readdir(dir))) {
		if (d->d_type == DT_LNK || !strncmp(d->d_name, "kmemleak", 8))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", d->d_name);
		put_text(path, "1");
	}
	if (dir)
		closedir(dir);
	set_fault("failslab", "cache-filter", 1);
}

/* Failures that nobody sees on the console, of all allocations that may sleep */
static bool prepare_faults(void)
{
	size_t i;

	no_faults();
	spare_kmemleak();
	for (i = 0; i < NR_KINDS; i++)
		if (!set_fault(kinds[i], "ignore-gfp-wait", 0) ||
		    !set_fault(kinds[i], "verbose", 0))
			return false;
	return set_fault("fail_page_alloc", "min-order", 0) &&
	       set_fault("fail_page_alloc", "ignore-gfp-highmem", 0);
}

/* The subjects: small, with something of everything */

/* What has a policy, a number or an address of its own. */
static void special_memory(void)
{
	int id = shmget(IPC_PRIVATE, 8192, 0600), kept = shmget(SHM_KEY, 8192, IPC_CREAT | 0600);
	unsigned long node = 1, aio = 0;
	char *p = shmat(id, NULL, 0);

	CHECK(p != (void *)-1 && !shmctl(id, IPC_RMID, NULL));
	p[0] = 1;
	CHECK(!syscall(SYS_mbind, p, 4096, MPOL_BIND, &node, 64, 0));
	CHECK(!syscall(SYS_set_mempolicy, MPOL_PREFERRED, &node, 64));
	CHECK(shmat(kept, NULL, SHM_RDONLY) != (void *)-1);
	CHECK(!syscall(SYS_io_setup, 10, &aio));
}

static void subject_of_all_sorts(void)
{
	pthread_t thread;
	union sigval value = {};
	siginfo_t info;
	sigset_t mask;
	int fds[2], fd;
	pid_t pid;
	char *p;

	p = mmap(NULL, 32 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, 32 << 10);
	p = mmap(NULL, 16 << 10, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 2, 8 << 10);
	fd = open("file", O_CREAT | O_RDWR, 0644);
	CHECK(!ftruncate(fd, 8192));
	CHECK(!fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_len = 10 }));
	CHECK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	CHECK(dup2(fd, 300) == 300);
	fd = open("unlinked", O_CREAT | O_RDWR, 0600);
	CHECK_EQ(write(fd, "kept", 4), 4);
	CHECK(!unlink("unlinked"));
	p = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 1;
	CHECK(!pipe(fds));
	CHECK_EQ(write(fds[1], "data", 4), 4);
	CHECK(!mkfifo("fifo", 0644) && open("fifo", O_RDWR) >= 0);
	CHECK(eventfd(1, 0) >= 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	CHECK(!sigqueue(getpid(), SIGRTMIN, value));
	CHECK(!pthread_create(&thread, NULL, subject_idle_for_ever, NULL));
	pid = fork();
	if (!pid) {
		setsid();
		subject_idle_for_ever(NULL);
	}
	while (getsid(pid) != pid)
		subject_sleep_ms(1);
	pid = fork();
	if (!pid)
		_exit(1);
	CHECK(!waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	special_memory();
	subject_ready();
	CHECK_EQ(read(fds[0], p, 4), 4);
	CHECK(!memcmp(p, "data", 4));
}

static void set_timers(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec in_a_day = { .it_value.tv_sec = 86400 };
	struct itimerval it = { .it_value.tv_sec = 86400 };
	timer_t id;

	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &id));
	CHECK(!timer_settime(id, 0, &in_a_day, NULL));
	CHECK(!timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &id));
	CHECK(!timer_settime(id, 0, &in_a_day, NULL));
	CHECK(!setitimer(ITIMER_REAL, &it, NULL) && !setitimer(ITIMER_PROF, &it, NULL));
}

/* What is of this processor */
static void set_segments_and_ports(void)
{
	struct user_desc desc = { .entry_number = 3, .limit = 4095, .seg_32bit = 1 };

	CHECK(!syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)));
	CHECK(!ioperm(0x80, 1, 1));
}

static char dispatch_selector = SYSCALL_DISPATCH_FILTER_ALLOW;

static void filter_calls(void)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { .len = 1, .filter = allow };

	CHECK(!prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &dispatch_selector));
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

static void become_somebody_else(void)
{
	gid_t groups[] = { 5, 7, 11 };

	CHECK(!chmod(".", 0777));
	CHECK(!setgroups(3, groups) && !setresgid(100, 101, 102));
	CHECK(!setresuid(1000, 1001, 1002));
}

/* One process that has asked for all sorts of things */
static void subject_of_settings(void)
{
	struct sched_param param = { .sched_priority = 1 };
	stack_t stack = { .ss_sp = malloc(SIGSTKSZ), .ss_size = SIGSTKSZ };
	cpu_set_t cpus;
	int fd;

	set_timers();
	set_segments_and_ports();
	fd = memfd_create("memfd", MFD_ALLOW_SEALING);
	CHECK_EQ(write(fd, "data", 4), 4);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	CHECK(!sched_setaffinity(0, sizeof(cpus), &cpus));
	CHECK(!sched_setscheduler(0, SCHED_RR, &param));
	CHECK(!sigaltstack(&stack, NULL));
	become_somebody_else();
	filter_calls();
	CHECK(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	subject_ready();
	CHECK(getuid() == 1000 && !sched_getaffinity(0, sizeof(cpus), &cpus));
	CHECK_EQ(CPU_COUNT(&cpus), 1);
}

static int peer_body(void *unused)
{
	for (;;)
		syscall(SYS_pause);
	return 0;
}

/* Its first thread is dead. */
static void be_a_survivor(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, subject_idle_for_ever, NULL));
	become_somebody_else();
	pthread_exit(NULL);
}

static void wait_in_vfork(void)
{
	if (!vfork()) {
		subject_touch("vfork");
		for (;;)
			pause();
	}
	_exit(0);
}

static pid_t start_kid(void (*fn)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		fn();
	return pid;
}

static void die_as_somebody_else(void)
{
	become_somebody_else();
	_exit(1);
}

static void stop(void)
{
	raise(SIGSTOP);
	subject_idle_for_ever(NULL);
}

/* Processes that share, are dead, are stopped, or wait for each other */
static void subject_of_relatives(void)
{
	static _Alignas(16) char stack[16384];
	siginfo_t info;
	pid_t survivor;

	CHECK(!syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		       IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 2)));
	CHECK(clone(peer_body, stack + sizeof(stack), CLONE_VM | CLONE_SIGHAND | CLONE_FILES |
		    CLONE_FS | CLONE_IO | SIGCHLD, NULL) > 0);
	survivor = start_kid(be_a_survivor);
	start_kid(wait_in_vfork);
	start_kid(stop);
	start_kid(die_as_somebody_else);
	CHECK(!waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
	CHECK(!waitid(P_ALL, 0, &info, WSTOPPED | WNOWAIT));
	while (access("vfork", F_OK) || test_state(survivor) != 'Z')
		subject_sleep_ms(1);
	subject_sleep_ms(50);
	subject_ready();
}

/* How many records of each type an image has */
struct summary {
	int nr[CKPT_REC_TASK_MAX];
};

static void count_records(struct summary *sum, const char *p, size_t len)
{
	size_t at = 0;

	while (at < len) {
		const struct ckpt_record *rec = (const void *)(p + at);

		if (rec->type < CKPT_REC_TASK_MAX)
			sum->nr[rec->type]++;
		at += sizeof(*rec) + ((rec->len + 7) & ~7U);
	}
}

static bool count_blocks(struct summary *sum, const char *p, size_t len)
{
	size_t at = 0;

	while (at + sizeof(struct ckpt_block) <= len) {
		const struct ckpt_block *block = (const void *)(p + at);

		if (block->magic != CKPT_BLOCK_MAGIC)
			return false;
		at += sizeof(*block) + block->pad;
		if (block->kind == CKPT_BLOCK_META)
			count_records(sum, p + at, block->len);
		at += (block->len + 7) & ~7U;
	}
	return at == len;
}

/*
 * The image up to the position of @fd. What comes and goes as the subject waits
 * is not counted: interrupted calls, and pages that it has written to.
 */
static bool summarize(int fd, struct summary *sum)
{
	off_t len = lseek(fd, 0, SEEK_CUR);
	char *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	bool ok;

	memset(sum, 0, sizeof(*sum));
	if (p == MAP_FAILED)
		return false;
	ok = count_blocks(sum, p, len);
	munmap(p, len);
	sum->nr[CKPT_REC_PAGES] = 0;
	sum->nr[CKPT_REC_TASK_RESTART] = 0;
	return ok;
}

FIXTURE(fault)
{
	struct subject s;
	struct census before;
	pid_t pid;
	int image_fd;
	struct summary saved;	/* of the image */
	long end;	/* when the time is over, in seconds */
};

FIXTURE_VARIANT(fault)
{
	void (*subject)(void);
};

FIXTURE_VARIANT_ADD(fault, all_sorts) { .subject = subject_of_all_sorts };
FIXTURE_VARIANT_ADD(fault, settings) { .subject = subject_of_settings };
FIXTURE_VARIANT_ADD(fault, relatives) { .subject = subject_of_relatives };

FIXTURE_SETUP(fault)
{
	const char *seconds = getenv("CKPT_FAULT_SECONDS");

	memset(&self->s, 0, sizeof(self->s));
	if (access("/proc/self/fail-nth", F_OK) || !prepare_faults())
		SKIP(return, "no fault injection");
	ASSERT_TRUE(put_text(HUGE_PAGES, "4"));
	ASSERT_TRUE(census_adopt_orphans());
	ASSERT_TRUE(subject_start(&self->s, variant->subject)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	self->pid = self->s.pid;
	self->image_fd = test_open(&self->s, "image", O_RDWR);
	lseek(self->image_fd, 0, SEEK_END);
	ASSERT_TRUE(summarize(self->image_fd, &self->saved));
	self->end = time(NULL) + (seconds ? atoi(seconds) : 40);
}

FIXTURE_TEARDOWN(fault)
{
	no_faults();
	if (self->s.pid > 0)
		subject_kill(&self->s);
	census_kill_children();
	put_text(HUGE_PAGES, "0");
	shmctl(shmget(SHM_KEY, 0, 0), IPC_RMID, NULL);
	subject_clean(&self->s);
}

/* The calls under test, on an image file and a log that exist already */

static long call_checkpoint(struct subject *s, int image_fd, int log_fd)
{
	struct checkpoint_args args = {
		.pid = s->pid, .pidfd = -1, .image_fd = image_fd, .log_fd = log_fd,
	};
	long ret = sys_checkpoint(&args, sizeof(args));

	return ret < 0 ? -errno : ret;
}

static long call_restart(struct subject *s, int image_fd, int log_fd)
{
	struct restart_args args = { .image_fd = image_fd, .log_fd = log_fd };
	long ret = sys_restart(&args, sizeof(args));

	return ret < 0 ? -errno : ret;
}

typedef long (*call_t)(struct subject *s, int image_fd, int log_fd);

static long in_turn(struct subject *s, call_t call, int image_fd)
{
	int log_fd = test_open(s, "log", O_CREAT | O_TRUNC | O_RDWR);
	long ret;

	lseek(image_fd, 0, SEEK_SET);
	ret = call(s, image_fd, log_fd);
	test_read_log(s, log_fd);
	return ret;
}

/* Has the @nth allocation of the call fail; @left says how many did not come. */
static long call_failing(struct subject *s, call_t call, int image_fd, long nth, long *left)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	int log_fd = test_open(s, "log", O_CREAT | O_TRUNC | O_RDWR);
	char text[24] = "";
	long ret;

	lseek(image_fd, 0, SEEK_SET);
	if (pwrite(fd, text, sprintf(text, "%ld", nth), 0) < 0)
		return 0;
	ret = call(s, image_fd, log_fd);
	memset(text, 0, sizeof(text));
	*left = pread(fd, text, sizeof(text) - 1, 0) > 0 ? atol(text) : 0;
	if (pwrite(fd, "0", 1, 0) < 0)
		fprintf(stderr, "# faults cannot be switched off\n");
	close(fd);
	test_read_log(s, log_fd);
	return ret;
}

/* Spreads @total tries over the time that is left, as the first ones took @us each. */
static long stride(FIXTURE_DATA(fault) *self, long total, long us)
{
	long room = (self->end - time(NULL)) * 1000000 / (us + 1);

	return room >= total ? 1 : total / (room + 1) + 1;
}

static long us_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* What the kernel says if there is no memory for an inode, or to queue a signal */
static bool is_shortage(long ret)
{
	/* ENOLCK is what the kernel calls a lack of memory for a lock */
	return ret == -ENOMEM || ret == -ENFILE || ret == -ENOSPC || ret == -EAGAIN ||
	       ret == -ENOLCK;
}

/* Whoever fails says why, and that it is for want of memory. */
static bool is_good_reason(FIXTURE_DATA(fault) *self, long ret, long at)
{
	bool good = ret >= 0 || (is_shortage(ret) && self->s.log[0]);

	if (!good) {
		fprintf(stderr, "# allocation %ld: error %ld\n", at, ret);
		subject_print(&self->s);
	}
	return good;
}

/* What has been saved in spite of a failure must be as much as without. */
static bool saved_all(FIXTURE_DATA(fault) *self, int fd)
{
	struct summary now;
	bool same = true;
	int i;

	if (!summarize(fd, &now)) {
		fprintf(stderr, "# no image\n");
		return false;
	}
	for (i = 0; i < CKPT_REC_TASK_MAX; i++) {
		if (now.nr[i] == self->saved.nr[i])
			continue;
		fprintf(stderr, "# %d records of type %d instead of %d\n", now.nr[i], i,
			self->saved.nr[i]);
		same = false;
	}
	return same;
}

static void report(const char *what, long total, long step, long failed, long tries)
{
	fprintf(stderr, "# %s: %ld, each %ld. tried: %ld of %ld calls failed\n", what, total, step,
		failed, tries);
}

TEST_F_TIMEOUT(fault, checkpoint, 3600)
{
	long total, left, nth, step, us, failed = 0, tries = 0;

	us = us_now();
	ASSERT_GT(call_failing(&self->s, call_checkpoint, self->image_fd, MANY, &left), 0);
	us = us_now() - us;
	total = MANY - left;
	step = stride(self, total, us);
	for (nth = 1; nth <= total; nth += step, tries++) {
		long ret = call_failing(&self->s, call_checkpoint, self->image_fd, nth, &left);

		failed += ret < 0;
		ASSERT_TRUE(is_good_reason(self, ret, nth));
		ASSERT_TRUE(ret < 0 || saved_all(self, self->image_fd)) {
			fprintf(stderr, "# allocation %ld\n", nth);
		}
	}
	report("allocations", total, step, failed, tries);
	EXPECT_GT(failed, 0);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) && errno == ESRCH;
}

static void kill_tree(FIXTURE_DATA(fault) *self)
{
	subject_kill(&self->s);
	self->s.pid = 0;
	census_kill_children();
}

/* Short of memory, a process is put into that of the root task group. */
static bool has_own_autogroup(pid_t pid)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/autogroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0 || !strncmp(text, "/autogroup-0 ", 13)) {
		fprintf(stderr, "# autogroup: %s\n", text);
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

/* The tree that was restored in spite of a failure, if it was, is complete. */
static bool restored_all(FIXTURE_DATA(fault) *self, long ret)
{
	bool ok = true;
	int fd;

	if (ret < 0)
		return is_gone(self->pid) && !census_kill_children();
	self->s.pid = self->pid;
	fd = test_open(&self->s, "again", O_CREAT | O_TRUNC | O_RDWR);
	ok = in_turn(&self->s, call_checkpoint, fd) > 0;
	if (!ok)
		subject_print(&self->s);
	ok = ok && saved_all(self, fd) && has_own_autogroup(self->pid);
	close(fd);
	self->s.pid = 0;
	return census_kill_children() && ok;
}

/* The tree as it was restored is good if it can be saved and does what it should. */
static void check_restart(struct __test_metadata *_metadata, FIXTURE_DATA(fault) *self)
{
	ASSERT_EQ(in_turn(&self->s, call_restart, self->image_fd), self->pid) {
		subject_print(&self->s);
	}
	self->s.pid = self->pid;
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
	census_kill_children();
	EXPECT_TRUE(census_same(&self->before));
}

TEST_F_TIMEOUT(fault, restart, 3600)
{
	long total, left, nth, step, us, failed = 0, tries = 0;

	kill_tree(self);
	census_take(&self->before);
	us = us_now();
	ASSERT_GT(call_failing(&self->s, call_restart, self->image_fd, MANY, &left), 0);
	ASSERT_TRUE(restored_all(self, self->pid));
	us = us_now() - us;
	total = MANY - left;
	step = stride(self, total, us);
	for (nth = 1; nth <= total; nth += step, tries++) {
		long ret = call_failing(&self->s, call_restart, self->image_fd, nth, &left);

		failed += ret < 0;
		ASSERT_TRUE(is_good_reason(self, ret, nth));
		ASSERT_TRUE(restored_all(self, ret)) {
			fprintf(stderr, "# allocation %ld: %ld\n", nth, ret);
		}
	}
	report("allocations", total, step, failed, tries);
	EXPECT_GT(failed, 0);
	check_restart(_metadata, self);
}

/* For a child of the test, whose own children inherit the mark: those that it restores */
static bool may_fail(bool yes)
{
	return put_text("/proc/self/make-it-fail", yes ? "1" : "0");
}

/* A process of its own calls restart(2): what it and its tasks allocate may fail. */
static long restart_marked(FIXTURE_DATA(fault) *self)
{
	int log_fd = test_open(&self->s, "log", O_CREAT | O_TRUNC | O_RDWR), status;
	pid_t pid;

	lseek(self->image_fd, 0, SEEK_SET);
	pid = fork();
	if (!pid) {
		long ret;

		if (!may_fail(true))
			_exit(255);
		ret = call_restart(&self->s, self->image_fd, log_fd);
		may_fail(false);
		_exit(ret > 0 ? 0 : -ret);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -255;
	test_read_log(&self->s, log_fd);
	return -WEXITSTATUS(status);
}

/*
 * The allocation that begins @space bytes, or pages, behind the first one fails,
 * whoever makes it.
 */
static long restart_failing_at(FIXTURE_DATA(fault) *self, const char *kind, long space,
			       bool *failed)
{
	long ret;

	set_fault(kind, "task-filter", 1);
	set_fault(kind, "times", 1);
	set_fault(kind, "space", space);
	set_fault(kind, "probability", 100);
	ret = restart_marked(self);
	*failed = !get_fault(kind, "times");
	set_fault(kind, "probability", 0);
	return ret;
}

static void fail_in_tasks(struct __test_metadata *_metadata, FIXTURE_DATA(fault) *self,
			  const char *kind, long unit)
{
	long total, at, step, us, failed = 0, tries = 0;
	bool reached;

	kill_tree(self);
	census_take(&self->before);
	us = us_now();
	ASSERT_EQ(restart_failing_at(self, kind, MANY, &reached), 0) subject_print(&self->s);
	total = MANY - get_fault(kind, "space");
	ASSERT_TRUE(restored_all(self, 0));
	us = us_now() - us;
	step = unit * stride(self, total / unit, us);
	for (at = 0; at < total; at += step, tries++) {
		long ret = restart_failing_at(self, kind, at, &reached);

		failed += ret < 0;
		ASSERT_TRUE(is_good_reason(self, ret, at));
		ASSERT_TRUE(restored_all(self, ret)) {
			fprintf(stderr, "# at %ld: %ld\n", at, ret);
		}
	}
	report(kind, total, step, failed, tries);
	EXPECT_GT(failed, 0);
	no_faults();
	check_restart(_metadata, self);
}

TEST_F_TIMEOUT(fault, restored_tasks_slab, 3600)
{
	fail_in_tasks(_metadata, self, "failslab", 32);
}

TEST_F_TIMEOUT(fault, restored_tasks_pages, 3600)
{
	fail_in_tasks(_metadata, self, "fail_page_alloc", 1);
}

/* Failures that follow upon each other, in error paths too */
TEST_F_TIMEOUT(fault, again_and_again, 3600)
{
	long failed = 0, tries = 0;
	size_t i;

	kill_tree(self);
	census_take(&self->before);
	for (; time(NULL) < self->end; tries++) {
		long ret;

		for (i = 0; i < NR_KINDS; i++) {
			set_fault(kinds[i], "task-filter", 1);
			set_fault(kinds[i], "times", -1);
			set_fault(kinds[i], "probability", tries % 4 == i ? 10 : 1);
			set_fault(kinds[i], "interval", 1 << tries % 8);
		}
		ret = restart_marked(self);
		for (i = 0; i < NR_KINDS; i++)
			set_fault(kinds[i], "probability", 0);
		failed += ret < 0;
		ASSERT_TRUE(ret == 0 || is_shortage(ret)) subject_print(&self->s);
		ASSERT_TRUE(restored_all(self, ret));
	}
	report("restarts", tries, 1, failed, tries);
	EXPECT_GT(failed, 0);
	no_faults();
	check_restart(_metadata, self);
}

TEST_HARNESS_MAIN
