// SPDX-License-Identifier: GPL-2.0
/*
 * Job control goes on after a restart: who is stopped, and what becomes of a
 * process group that nobody in its session can continue any more.
 */
#include <pthread.h>
#include <sys/ioctl.h>

#include "codec.h"

/* Shared by all processes of a subject, so that they can talk without files. */
static volatile int *shared;

enum { PID, GO, COUNT, HANGUPS, CONTINUES };

static void share(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

static void wait_shared(int i, int value)
{
	while (shared[i] != value)
		subject_sleep_ms(1);
}

static char state_of(pid_t pid, pid_t tid)
{
	char path[64], state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(path, "r");
	CHECK(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
	fclose(file);
	return state;
}

static void wait_stopped(pid_t pid)
{
	while (state_of(pid, pid) != 'T')
		subject_sleep_ms(1);
}

static void on_hangup(int sig)
{
	shared[HANGUPS]++;
}

static void on_continue(int sig)
{
	shared[CONTINUES]++;
}

static void count_for_ever(void)
{
	for (;;) {
		shared[COUNT]++;
		subject_sleep_ms(1);
	}
}

static void be_a_job(void)
{
	CHECK(!setpgid(0, 0));
	signal(SIGHUP, on_hangup);
	signal(SIGCONT, on_continue);
	shared[PID] = getpid();
	count_for_ever();
}

/* A shell, in the session of the subject but in a group of its own, and its job */
static pid_t start_shell(void)
{
	pid_t shell = fork();

	if (!shell) {
		CHECK(!setpgid(0, 0));
		if (!fork())
			be_a_job();
		wait_shared(GO, 1);
		_exit(0);
	}
	while (!shared[PID] || !shared[COUNT])
		subject_sleep_ms(1);
	return shell;
}

/* The death of the shell orphans the group of its job, which is stopped. */
SURVIVE(stopped_group_that_is_orphaned)
{
	pid_t shell;

	share();
	shell = start_shell();
	CHECK(!kill(shared[PID], SIGTSTP));
	wait_stopped(shared[PID]);
	subject_ready();
	wait_stopped(shared[PID]);
	CHECK(shared[HANGUPS] == 0 && shared[CONTINUES] == 0);
	shared[GO] = 1;
	CHECK_EQ(waitpid(shell, NULL, 0), shell);
	wait_shared(HANGUPS, 1);
	wait_shared(CONTINUES, 1);
	CHECK(!kill(shared[PID], SIGKILL));
}

static pid_t start_counter(int i, void (*leave_group)(void))
{
	pid_t kid = fork();

	if (!kid) {
		leave_group();
		for (;;) {
			shared[i]++;
			subject_sleep_ms(1);
		}
	}
	while (!shared[i])
		subject_sleep_ms(1);
	return kid;
}

static void to_own_group(void)
{
	CHECK(!setpgid(0, 0));
}

static void to_own_session(void)
{
	CHECK(setsid() > 0);
}

/* They stop a job that its shell can continue, and no group without a shell. */
SURVIVE(stop_signals_of_a_terminal)
{
	pid_t job, orphan;
	int count;

	share();
	job = start_counter(20, to_own_group);
	orphan = start_counter(21, to_own_session);
	subject_ready();
	CHECK(!kill(job, SIGTSTP) && !kill(orphan, SIGTSTP) && !kill(orphan, SIGTTIN));
	wait_stopped(job);
	subject_sleep_ms(50);
	count = shared[21];
	while (shared[21] == count)
		subject_sleep_ms(1);
	CHECK(!kill(orphan, SIGSTOP));
	wait_stopped(orphan);
	CHECK(!kill(job, SIGKILL) && !kill(orphan, SIGKILL));
	CHECK(wait(NULL) > 0 && wait(NULL) > 0);
}

static void *count_in_thread(void *arg)
{
	int i = (long)arg;

	shared[i + 10] = gettid();
	for (;;) {
		shared[i]++;
		subject_sleep_ms(1);
	}
	return NULL;
}

#define NR_THREADS	3

static void start_threads(void)
{
	pthread_t thread;
	long i;

	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&thread, NULL, count_in_thread, (void *)(i + 20)));
}

static void sum(int *counts)
{
	for (int i = 0; i < NR_THREADS; i++)
		counts[i] = shared[i + 20];
}

static pid_t start_and_stop_threads(void)
{
	int i, status;
	pid_t kid;

	share();
	kid = fork();
	if (!kid) {
		start_threads();
		pause();
	}
	for (i = 0; i < NR_THREADS; i++)
		while (!shared[i + 20])
			subject_sleep_ms(1);
	CHECK(!kill(kid, SIGSTOP));
	CHECK_EQ(waitpid(kid, &status, WUNTRACED), kid);
	return kid;
}

static void wait_progress(const int *before)
{
	for (int i = 0; i < NR_THREADS; i++)
		while (shared[i + 20] == before[i])
			subject_sleep_ms(1);
}

/* All threads are stopped, and all go on. */
SURVIVE(process_with_threads)
{
	int before[NR_THREADS], after[NR_THREADS], i, status;
	pid_t kid = start_and_stop_threads();

	subject_ready();
	for (i = 0; i < NR_THREADS; i++)
		while (state_of(kid, shared[i + 30]) != 'T')
			subject_sleep_ms(1);
	sum(before);
	subject_sleep_ms(50);
	sum(after);
	CHECK(!memcmp(before, after, sizeof(before)));
	CHECK(!kill(kid, SIGCONT));
	CHECK_EQ(waitpid(kid, &status, WCONTINUED), kid);
	CHECK(WIFCONTINUED(status));
	wait_progress(before);
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
}

static void subject_continued_during_the_restart(void)
{
	pid_t kid = start_and_stop_threads();
	int before[NR_THREADS];

	subject_ready();
	sum(before);
	wait_progress(before);
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
}

/* The last record of a kind, or NULL */
static const struct item *last_of(const struct image *image, uint16_t type)
{
	size_t i = image->nr;

	while (i && (image->items[i - 1].data || image->items[i - 1].type != type))
		i--;
	return i ? &image->items[i - 1] : NULL;
}

/* Returns where the block begins that @item is the first in, or 0. */
static size_t write_in_two(const struct image *image, const struct item *item, struct output *out)
{
	size_t i, cut = 0;

	out->headers = XXH64_createState();
	out->buf = malloc(MAX_IMAGE);
	begin_image(out);
	for (i = 0; i < image->nr; i++) {
		if (&image->items[i] == item) {
			end_block(out);
			cut = out->len;
		}
		put_item(out, &image->items[i]);
	}
	end_block(out);
	return cut;
}

struct restarter {
	struct subject *s;
	pthread_t thread;
	int pipe[2];
	long ret;
};

static void *restart_from_pipe(void *arg)
{
	struct restarter *r = arg;

	r->ret = subject_restart_from(r->s, r->pipe[0], 0);
	close(r->pipe[0]);
	return NULL;
}

/* Returns when the restarter waits for more. */
static bool feed(struct restarter *r, const unsigned char *p, size_t len)
{
	int left = 1, ms;

	while (len) {
		ssize_t n = write(r->pipe[1], p, len);

		if (n < 0)
			return false;
		p += n;
		len -= n;
	}
	for (ms = 0; ms < SUBJECT_TIMEOUT_MS && left; ms++) {
		subject_sleep_ms(1);
		ioctl(r->pipe[1], FIONREAD, &left);
	}
	subject_sleep_ms(100 * test_slowness());
	return !left;
}

/* When SIGCONT comes, all threads but the last have got their state back. */
TEST_F(refuse, process_that_is_continued_during_the_restart)
{
	struct restarter r = { .s = &self->s };
	const struct item *task;
	static struct image image;
	struct output out;
	size_t cut;

	signal(SIGPIPE, SIG_IGN);
	ASSERT_TRUE(subject_start(r.s, subject_continued_during_the_restart)) subject_print(r.s);
	ASSERT_GT(subject_checkpoint(r.s, CHECKPOINT_KILL), 0) subject_print(r.s);
	ASSERT_EQ(waitpid(r.s->pid, NULL, 0), r.s->pid);
	ASSERT_TRUE(image_load(r.s, &image));
	task = last_of(&image, CKPT_REC_TREE_TASK);
	ASSERT_NE(task, NULL);
	cut = write_in_two(&image, last_of(&image, CKPT_REC_TASK_STOP), &out);
	ASSERT_GT(cut, 0);
	ASSERT_EQ(pipe2(r.pipe, O_CLOEXEC), 0);
	ASSERT_EQ(pthread_create(&r.thread, NULL, restart_from_pipe, &r), 0);
	ASSERT_TRUE(feed(&r, out.buf, cut)) subject_print(r.s);
	ASSERT_EQ(kill(((struct ckpt_rec_tree_task *)task->payload)->tgid, SIGCONT), 0);
	ASSERT_TRUE(feed(&r, out.buf + cut, out.len - cut)) subject_print(r.s);
	close(r.pipe[1]);
	ASSERT_EQ(pthread_join(r.thread, NULL), 0);
	ASSERT_EQ(r.ret, r.s->pid) subject_print(r.s);
	EXPECT_EQ(subject_finish(r.s), 0) subject_print(r.s);
	r.s->pid = 0;
}

static void subject_of_threads(void)
{
	share();
	start_threads();
	subject_ready();
}

static void *continue_when_stopped(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	int status;

	if (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status))
		kill(pid, SIGCONT);
	return NULL;
}

/* The call does not wait for it to stop once more. */
TEST_F(refuse, tree_that_is_continued_as_soon_as_it_is_stopped)
{
	pthread_t thread;
	int i;

	ASSERT_TRUE(subject_start(&self->s, subject_of_threads)) subject_print(&self->s);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(pthread_create(&thread, NULL, continue_when_stopped, &self->s.pid), 0);
		ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_STOP), 0)
			subject_print(&self->s);
		ASSERT_EQ(pthread_join(thread, NULL), 0);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
