// SPDX-License-Identifier: GPL-2.0
/*
 * Reverse leaks: while the tree is frozen and being saved, someone outside
 * begins to share an object with it, gives it one, takes one away, or sends a
 * signal to a tree that is to be killed. (Tables of
 * descriptors, current directories, address spaces and handlers are shared by
 * birth: nobody outside can begin to share those of a frozen tree.) The
 * checkpoint fails with EAGAIN, what has been written is no image, and the tree
 * goes on. Needs the pause points of CONFIG_CHECKPOINT_DEBUG.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/shm.h>
#include <sys/time.h>

#include "ckpt_test.h"

#define PAUSE		"/proc/sys/debug/checkpoint_pause"
#define PAUSED		"/proc/sys/debug/checkpoint_paused"
#define CONTAINED	1	/* the leak check has passed, nothing is written */
#define WRITTEN		2	/* all but the trailer is written */
#define COMPLETE	4	/* so is the trailer, and the image is on its disk */

/* What the subject has */
#define FD_PIPE		10
#define FD_FILE		12
#define FD_EVENT	13
#define FD_MEMFD	14
#define FD_FIFO		15
#define FD_GONE		16	/* unlinked from a tmpfs */
#define FD_MORE		17	/* what an accomplice opens */
#define SHARED_ADDRESS	((char *)0x100000000)
#define MORE_ADDRESS	((char *)0x200000000)
#define SEGMENT_ADDRESS	((char *)0x300000000)
#define MEMORY_SIZE	16384

static void place(int fd, int number)
{
	CHECK(fd >= 0);
	CHECK_EQ(dup2(fd, number), number);
	close(fd);
}

/* Its number is the size of a file, for outsiders to attach it. */
static void attach_removed_segment(void)
{
	int id = shmget(IPC_PRIVATE, MEMORY_SIZE, 0600);

	CHECK(id >= 0 && shmat(id, SEGMENT_ADDRESS, 0) == SEGMENT_ADDRESS);
	CHECK(!shmctl(id, IPC_RMID, NULL));
	subject_touch("segment");
	CHECK(!truncate("segment", id));
}

static void set_up(void)
{
	int fds[2];

	CHECK(!pipe(fds));
	place(fds[0], FD_PIPE);
	place(fds[1], FD_PIPE + 1);
	place(open("file", O_CREAT | O_RDWR, 0644), FD_FILE);
	place(eventfd(1, 0), FD_EVENT);
	place(memfd_create("memfd", 0), FD_MEMFD);
	CHECK(!ftruncate(FD_MEMFD, MEMORY_SIZE));
	CHECK(!mkfifo("fifo", 0600));
	place(open("fifo", O_RDWR), FD_FIFO);
	place(open("/dev/shm/ckpt-reverse", O_CREAT | O_EXCL | O_RDWR, 0600), FD_GONE);
	CHECK(!unlink("/dev/shm/ckpt-reverse"));
	attach_removed_segment();
	CHECK(mmap(SHARED_ADDRESS, MEMORY_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == SHARED_ADDRESS);
	SHARED_ADDRESS[0] = 1;
}

static void subject_alone(void)
{
	set_up();
	subject_ready();
	CHECK_EQ(SHARED_ADDRESS[0], 1);
	CHECK_EQ(write(FD_PIPE + 1, "x", 1), 1);
	CHECK_EQ(fcntl(FD_FILE, F_GETFD), 0);
}

/* The pause points */

static bool set_pause(int mask)
{
	int fd = open(PAUSE, O_WRONLY | O_CLOEXEC);
	char text[16];
	bool ok = fd >= 0 && write(fd, text, sprintf(text, "%d", mask)) > 0;

	close(fd);
	return ok;
}

static int paused_at(void)
{
	int fd = open(PAUSED, O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 ? atoi(text) : -1;
}

static bool wait_paused(int where)
{
	int ms;

	for (ms = 0; ms < SUBJECT_TIMEOUT_MS; ms++) {
		if (paused_at() == where)
			return true;
		subject_sleep_ms(1);
	}
	return false;
}

struct call {
	struct subject *s;
	uint64_t flags;
	int pipe;	/* 0: the image goes to a file */
	long ret;
};

static void *call_checkpoint(void *arg)
{
	struct call *call = arg;

	if (call->pipe)
		call->ret = subject_checkpoint_to(call->s, call->pipe, call->flags);
	else
		call->ret = subject_checkpoint(call->s, call->flags);
	return NULL;
}

/* What an outsider does; returns something to undo it with, or -1. */
struct act {
	const char *object;	/* in the log */
	long (*act)(struct subject *s);
	void (*undo)(long what);
};

static void undo_open(long fd)
{
	close(fd);
}

static long reopen(struct subject *s, int number)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", s->pid, number);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static long reopen_pipe(struct subject *s)
{
	return reopen(s, FD_PIPE);
}

static long open_fifo(struct subject *s)
{
	return test_open(s, "fifo", O_RDONLY | O_NONBLOCK);
}

static long reopen_gone(struct subject *s)
{
	return reopen(s, FD_GONE);
}

static long get_file(struct subject *s)
{
	return test_get_fd(s->pid, FD_FILE);
}

static long get_pipe(struct subject *s)
{
	return test_get_fd(s->pid, FD_PIPE + 1);
}

static long get_event(struct subject *s)
{
	return test_get_fd(s->pid, FD_EVENT);
}

static long get_fifo(struct subject *s)
{
	return test_get_fd(s->pid, FD_FIFO);
}

static long get_gone(struct subject *s)
{
	return test_get_fd(s->pid, FD_GONE);
}

static void undo_attach(long address)
{
	shmdt((void *)address);
}

static long attach_segment(struct subject *s)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "%s/segment", s->dir);
	return stat(path, &st) ? -1 : (long)shmat(st.st_size, NULL, 0);
}

static void undo_map(long address)
{
	munmap((void *)address, MEMORY_SIZE);
}

static long map(int fd)
{
	void *p = mmap(NULL, MEMORY_SIZE, PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	return p == MAP_FAILED ? -1 : (long)p;
}

static long map_memfd(struct subject *s)
{
	return map(test_get_fd(s->pid, FD_MEMFD));
}

static long map_memory(struct subject *s)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", s->pid,
		 (long)SHARED_ADDRESS, (long)SHARED_ADDRESS + MEMORY_SIZE);
	return map(open(path, O_RDWR | O_CLOEXEC));
}

static const struct act acts[] = {
	{ "pipe", reopen_pipe, undo_open },
	{ "file", get_pipe, undo_open },
	{ "file", get_file, undo_open },
	{ "file", get_event, undo_open },
	{ "pipe", open_fifo, undo_open },
	{ "file", get_fifo, undo_open },
	{ "file", get_gone, undo_open },
	{ "shared memory", reopen_gone, undo_open },
	{ "SysV shared memory", attach_segment, undo_attach },
	{ "shared memory", map_memfd, undo_map },
	{ "shared memory", map_memory, undo_map },
};

#define NR_ACTS	ARRAY_SIZE(acts)

FIXTURE(reverse)
{
	struct subject s;
	struct call call;
	pthread_t thread;
};

FIXTURE_SETUP(reverse)
{
	memset(&self->s, 0, sizeof(self->s));
	if (access(PAUSE, F_OK))
		SKIP(return, "no CONFIG_CHECKPOINT_DEBUG");
	self->call.s = &self->s;
	/* had we been noticed too late the tree would be dead */
	self->call.flags = CHECKPOINT_KILL;
}

FIXTURE_TEARDOWN(reverse)
{
	set_pause(0);
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

static bool begin(FIXTURE_DATA(reverse) *self)
{
	return set_pause(CONTAINED | WRITTEN) &&
	       !pthread_create(&self->thread, NULL, call_checkpoint, &self->call) &&
	       wait_paused(CONTAINED);
}

static long end(FIXTURE_DATA(reverse) *self)
{
	set_pause(0);
	pthread_join(self->thread, NULL);
	return self->call.ret;
}

static void act_and_keep(struct __test_metadata *_metadata, FIXTURE_DATA(reverse) *self,
			 int when)
{
	char held[32];
	size_t i;

	snprintf(held, sizeof(held), "held by pid %d", getpid());
	ASSERT_TRUE(subject_start(&self->s, subject_alone)) subject_print(&self->s);
	for (i = 0; i < NR_ACTS; i++) {
		long what;

		ASSERT_TRUE(begin(self));
		if (when == WRITTEN) {
			set_pause(WRITTEN);
			ASSERT_TRUE(wait_paused(WRITTEN));
		}
		what = acts[i].act(&self->s);
		ASSERT_NE(what, -1);
		EXPECT_EQ(end(self), -EAGAIN) {
			fprintf(stderr, "# act %zu: %s\n", i, acts[i].object);
			subject_print(&self->s);
		}
		EXPECT_TRUE(log_has(&self->s, acts[i].object) && log_has(&self->s, held)) {
			fprintf(stderr, "# expected in log: %s, %s\n", acts[i].object, held);
			subject_print(&self->s);
		}
		EXPECT_TRUE(is_no_image(&self->s));
		acts[i].undo(what);
	}
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F_TIMEOUT(reverse, shared_before_writing, 120)
{
	act_and_keep(_metadata, self, CONTAINED);
}

TEST_F_TIMEOUT(reverse, shared_after_writing, 120)
{
	act_and_keep(_metadata, self, WRITTEN);
}

/* The clean twin: who has let go again when all is looked at once more is no leak. */
TEST_F_TIMEOUT(reverse, shared_for_a_moment, 120)
{
	size_t i;

	self->call.flags = 0;
	ASSERT_TRUE(subject_start(&self->s, subject_alone)) subject_print(&self->s);
	for (i = 0; i < NR_ACTS; i++) {
		long what;

		ASSERT_TRUE(begin(self));
		what = acts[i].act(&self->s);
		ASSERT_NE(what, -1);
		set_pause(WRITTEN);
		ASSERT_TRUE(wait_paused(WRITTEN));
		acts[i].undo(what);
		EXPECT_GT(end(self), 0) {
			fprintf(stderr, "# act %zu: %s\n", i, acts[i].object);
			subject_print(&self->s);
		}
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* What an outsider does to an object that he has for a moment only. */

static bool write_to_pipe(struct subject *s)
{
	int fd = get_pipe(s);
	bool ok = write(fd, "x", 1) == 1;

	close(fd);
	return ok;
}

static bool read_from_pipe(struct subject *s)
{
	int fd = reopen_pipe(s);
	char c;
	bool ok = read(fd, &c, 1) == 1;

	close(fd);
	return ok;
}

static bool move_in_file(struct subject *s)
{
	int fd = get_file(s);
	bool ok = lseek(fd, 1, SEEK_CUR) > 0;

	close(fd);
	return ok;
}

static bool read_event(struct subject *s)
{
	int fd = get_event(s);
	uint64_t value;
	bool ok = read(fd, &value, sizeof(value)) == sizeof(value);

	close(fd);
	return ok;
}

TEST_F_TIMEOUT(reverse, changed_for_a_moment, 120)
{
	static const struct {
		const char *object;
		bool (*change)(struct subject *s);
	} changes[] = {
		{ "pipe #", write_to_pipe },
		{ "pipe #", read_from_pipe },
		{ "file #", move_in_file },
		{ "file #", read_event },
	};
	size_t i;

	ASSERT_TRUE(subject_start(&self->s, subject_alone)) subject_print(&self->s);
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		ASSERT_TRUE(begin(self));
		set_pause(WRITTEN);
		ASSERT_TRUE(wait_paused(WRITTEN));
		EXPECT_TRUE(changes[i].change(&self->s));
		EXPECT_EQ(end(self), -EAGAIN) {
			fprintf(stderr, "# change %zu\n", i);
			subject_print(&self->s);
		}
		EXPECT_TRUE(log_has(&self->s, changes[i].object) &&
			    log_has(&self->s, "was changed by someone outside")) {
			fprintf(stderr, "# change %zu\n", i);
			subject_print(&self->s);
		}
		EXPECT_TRUE(is_no_image(&self->s));
	}
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/*
 * A table that is shared with someone outside, which only CHECKPOINT_SUBTREE
 * accepts: he puts something in while the tree is frozen, or takes it out.
 */
enum deed { DEED_OPEN, DEED_REPLACE, DEED_CLOSE, DEED_MAP, DEED_UNMAP };

static _Alignas(16) char stack[65536];

/* Nothing but system calls: he may share the memory of a frozen process. */
static void do_deed(enum deed deed)
{
	int fd;

	switch (deed) {
	case DEED_OPEN:
		syscall(SYS_dup2, syscall(SYS_open, "/dev/zero", O_RDONLY), FD_MORE);
		break;
	case DEED_REPLACE:
		fd = syscall(SYS_open, "/dev/zero", O_RDONLY);
		syscall(SYS_dup2, fd, FD_FILE);
		syscall(SYS_close, fd);
		break;
	case DEED_CLOSE:
		syscall(SYS_close, FD_FILE);
		break;
	case DEED_MAP:
		fd = syscall(SYS_open, "more", O_CREAT | O_RDWR, 0644);
		syscall(SYS_mmap, MORE_ADDRESS, MEMORY_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
			fd, 0);
		syscall(SYS_close, fd);
		break;
	case DEED_UNMAP:
		syscall(SYS_munmap, SHARED_ADDRESS, MEMORY_SIZE);
		break;
	}
}

static enum deed deed_to_do;

static int accomplice(void *arg)
{
	while (syscall(SYS_access, "act", F_OK))
		syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 1000000 }, NULL);
	do_deed(deed_to_do);
	syscall(SYS_mknod, "acted", S_IFREG | 0644, 0);
	while (syscall(SYS_access, "go", F_OK))
		syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 1000000 }, NULL);
	syscall(SYS_exit, 0);
	return 0;
}

static void subject_with_accomplice(void)
{
	bool memory = deed_to_do == DEED_MAP || deed_to_do == DEED_UNMAP;

	set_up();
	CHECK(clone(accomplice, stack + sizeof(stack),
		    CLONE_PARENT | SIGCHLD | (memory ? CLONE_VM : CLONE_FILES), NULL) > 0);
	subject_ready();
}

static void deed_run(struct __test_metadata *_metadata, FIXTURE_DATA(reverse) *self,
		     enum deed deed, const char *text)
{
	deed_to_do = deed;
	self->call.flags = CHECKPOINT_KILL | CHECKPOINT_SUBTREE;
	ASSERT_TRUE(subject_start(&self->s, subject_with_accomplice)) subject_print(&self->s);
	ASSERT_TRUE(begin(self));
	close(test_open(&self->s, "act", O_CREAT | O_WRONLY));
	ASSERT_TRUE(test_wait_file(&self->s, "acted"));
	EXPECT_EQ(end(self), -EAGAIN) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, text)) {
		fprintf(stderr, "# expected in log: %s\n", text);
		subject_print(&self->s);
	}
	EXPECT_TRUE(is_no_image(&self->s));
	EXPECT_GT(subject_checkpoint(&self->s, CHECKPOINT_SUBTREE), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
	waitpid(-1, NULL, 0);
}

TEST_F(reverse, file_appears)
{
	deed_run(_metadata, self, DEED_OPEN, "reverse leak");
}

TEST_F(reverse, file_is_replaced)
{
	deed_run(_metadata, self, DEED_REPLACE, "reverse leak");
}

TEST_F(reverse, file_disappears)
{
	deed_run(_metadata, self, DEED_CLOSE, "disappeared");
}

TEST_F(reverse, mapping_appears)
{
	deed_run(_metadata, self, DEED_MAP, "reverse leak");
}

TEST_F(reverse, mapping_disappears)
{
	deed_run(_metadata, self, DEED_UNMAP, "disappeared");
}

/* Signals from outside, which come when those of their receiver have been saved */

static int late_signal;
static volatile sig_atomic_t nr_caught;

static void on_late_signal(int sig)
{
	nr_caught++;
}

static void handle_late_signal(void)
{
	struct sigaction action = { .sa_handler = on_late_signal, .sa_flags = SA_RESTART };

	CHECK(!sigaction(late_signal, &action, NULL));
}

static void mask_late_signal(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, late_signal);
	CHECK(!sigprocmask(how, &set, NULL));
}

static void subject_with_handler(void)
{
	handle_late_signal();
	subject_ready();
	CHECK_EQ(nr_caught, 1);
}

/* One is pending, and saved; another one of a signal that queues makes two. */
static void subject_with_one_pending(void)
{
	handle_late_signal();
	mask_late_signal(SIG_BLOCK);
	CHECK(!kill(getpid(), late_signal));
	subject_ready();
	mask_late_signal(SIG_UNBLOCK);
	CHECK_EQ(nr_caught, late_signal >= SIGRTMIN ? 2 : 1);
}

static int send_to_process(pid_t pid)
{
	return kill(pid, late_signal);
}

static int send_to_thread(pid_t pid)
{
	return syscall(SYS_tgkill, pid, pid, late_signal);
}

static bool begin_at(FIXTURE_DATA(reverse) *self, int where)
{
	return set_pause(where) &&
	       !pthread_create(&self->thread, NULL, call_checkpoint, &self->call) &&
	       wait_paused(where);
}

static void expect_late(struct __test_metadata *_metadata, FIXTURE_DATA(reverse) *self,
			int where, int (*send)(pid_t pid))
{
	char text[32];

	snprintf(text, sizeof(text), ": signal %d was sent", late_signal);
	ASSERT_TRUE(begin_at(self, where));
	ASSERT_EQ(send(self->s.pid), 0);
	EXPECT_EQ(end(self), -EAGAIN) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, text)) {
		fprintf(stderr, "# expected in log: %s\n", text);
		subject_print(&self->s);
	}
	/* later there may be a whole image, which nobody was promised */
	if (where == WRITTEN)
		EXPECT_TRUE(is_no_image(&self->s));
}

/* The tree goes on, and gets what was sent. */
static void late_run(struct __test_metadata *_metadata, FIXTURE_DATA(reverse) *self,
		     void (*fn)(void), int sig, int where, int (*send)(pid_t pid))
{
	late_signal = sig;
	ASSERT_TRUE(subject_start(&self->s, fn)) subject_print(&self->s);
	expect_late(_metadata, self, where, send);
	EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(reverse, signal_before_the_trailer)
{
	late_run(_metadata, self, subject_with_handler, SIGUSR1, WRITTEN, send_to_process);
}

TEST_F(reverse, signal_after_the_trailer)
{
	late_run(_metadata, self, subject_with_handler, SIGUSR1, COMPLETE, send_to_process);
}

/* Who reads the pipe may have restarted it: it must not run twice. */
TEST_F(reverse, signal_after_the_trailer_in_a_pipe)
{
	int fds[2];

	late_signal = SIGUSR1;
	ASSERT_EQ(pipe(fds), 0);
	ASSERT_GE(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	self->call.pipe = fds[1];
	ASSERT_TRUE(subject_start(&self->s, subject_with_handler)) subject_print(&self->s);
	ASSERT_TRUE(begin_at(self, COMPLETE));
	ASSERT_EQ(kill(self->s.pid, SIGUSR1), 0);
	EXPECT_GT(end(self), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(subject_restart_from(&self->s, fds[0], 0), self->s.pid) subject_print(&self->s);
	close(fds[0]);
	close(fds[1]);
	/* now it is alive, and its sender is told the truth */
	EXPECT_EQ(kill(self->s.pid, SIGUSR1), 0);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(reverse, signal_to_a_thread)
{
	late_run(_metadata, self, subject_with_handler, SIGUSR2, WRITTEN, send_to_thread);
}

TEST_F(reverse, signal_of_which_one_was_saved)
{
	late_run(_metadata, self, subject_with_one_pending, SIGRTMIN, WRITTEN, send_to_process);
}

static void continued_run(struct __test_metadata *_metadata, FIXTURE_DATA(reverse) *self)
{
	late_signal = SIGCONT;
	ASSERT_TRUE(subject_start(&self->s, subject_alone)) subject_print(&self->s);
	kill(self->s.pid, SIGSTOP);
	ASSERT_EQ(waitpid(self->s.pid, NULL, WUNTRACED), self->s.pid);
	expect_late(_metadata, self, WRITTEN, send_to_process);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(reverse, stopped_process_is_continued)
{
	continued_run(_metadata, self);
}

/* The image might have some of its threads stopped, and others not. */
TEST_F(reverse, stopped_process_that_lives_on_is_continued)
{
	self->call.flags = 0;
	continued_run(_metadata, self);
}

/* The image would have it alive. */
TEST_F(reverse, process_is_killed_after_the_trailer)
{
	late_signal = SIGKILL;
	ASSERT_TRUE(subject_start(&self->s, subject_alone)) subject_print(&self->s);
	expect_late(_metadata, self, COMPLETE, send_to_process);
}

/* Clean twins: the tree is killed, and comes back as the image has it. */

static void saved_run(struct __test_metadata *_metadata, FIXTURE_DATA(reverse) *self)
{
	EXPECT_GT(end(self), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static void subject_that_ignores(void)
{
	signal(SIGUSR1, SIG_IGN);
	subject_ready();
}

TEST_F(reverse, ignored_signals)
{
	static const int ignored[] = { SIGUSR1, SIGCHLD, SIGCONT, SIGURG, SIGWINCH };
	size_t i;

	ASSERT_TRUE(subject_start(&self->s, subject_that_ignores)) subject_print(&self->s);
	ASSERT_TRUE(begin_at(self, WRITTEN));
	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		ASSERT_EQ(kill(self->s.pid, ignored[i]), 0);
	saved_run(_metadata, self);
}

TEST_F(reverse, signal_that_is_pending_already)
{
	late_signal = SIGHUP;
	ASSERT_TRUE(subject_start(&self->s, subject_with_one_pending)) subject_print(&self->s);
	ASSERT_TRUE(begin_at(self, WRITTEN));
	ASSERT_EQ(kill(self->s.pid, SIGHUP), 0);
	saved_run(_metadata, self);
}

#define TIMER_MS	50

static void subject_with_timers(void)
{
	struct itimerval interval = { { 0, TIMER_MS * 1000 }, { 0, TIMER_MS * 1000 } };
	struct itimerspec period = { { 0, TIMER_MS * 1000000 }, { 0, TIMER_MS * 1000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	timer_t timer;

	late_signal = SIGRTMIN;
	handle_late_signal();
	late_signal = SIGALRM;
	handle_late_signal();
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &period, NULL));
	CHECK(!setitimer(ITIMER_REAL, &interval, NULL));
	subject_ready();
	nr_caught = 0;
	while (nr_caught < 4)
		subject_sleep_ms(TIMER_MS);
}

/* Whatever they raise meanwhile, they raise again. */
TEST_F(reverse, timers_go_off)
{
	ASSERT_TRUE(subject_start(&self->s, subject_with_timers)) subject_print(&self->s);
	ASSERT_TRUE(begin_at(self, WRITTEN));
	subject_sleep_ms(4 * TIMER_MS);
	set_pause(COMPLETE);
	ASSERT_TRUE(wait_paused(COMPLETE));
	subject_sleep_ms(4 * TIMER_MS);
	saved_run(_metadata, self);
}

/* Nothing is lost of a tree that lives on. */
TEST_F(reverse, signal_to_a_tree_that_is_not_killed)
{
	late_signal = SIGUSR1;
	self->call.flags = 0;
	ASSERT_TRUE(subject_start(&self->s, subject_with_handler)) subject_print(&self->s);
	ASSERT_TRUE(begin_at(self, WRITTEN));
	ASSERT_EQ(kill(self->s.pid, SIGUSR1), 0);
	EXPECT_GT(end(self), 0) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* Whoever waits at a pause point can be killed, and the tree is let go. */
TEST_F(reverse, checkpointer_killed_between_passes)
{
	int status, where;
	pid_t pid;

	ASSERT_TRUE(subject_start(&self->s, subject_alone)) subject_print(&self->s);
	for (where = CONTAINED; where <= WRITTEN; where++) {
		ASSERT_TRUE(set_pause(where));
		pid = fork();
		if (!pid)
			_exit(subject_checkpoint(&self->s, CHECKPOINT_KILL) > 0);
		ASSERT_TRUE(wait_paused(where));
		kill(pid, SIGKILL);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		ASSERT_TRUE(WIFSIGNALED(status));
		EXPECT_TRUE(is_no_image(&self->s));
		set_pause(0);
		EXPECT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
