// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever calls checkpoint(2) or restart(2) is killed at any moment, and so are
 * the tasks that are being restored. A saved tree goes on as if nothing had
 * happened; of a tree that is being restored nothing is left.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "busy_tree.h"
#include "census.h"

static long us_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void no_action(int sig)
{
}

FIXTURE(interrupt)
{
	struct subject s;
	struct census before;
	unsigned int seed;
};

FIXTURE_SETUP(interrupt)
{
	struct sigaction action = { .sa_handler = no_action };

	/* for those whom we start and signal at once */
	sigaction(SIGUSR1, &action, NULL);
	memset(&self->s, 0, sizeof(self->s));
	self->seed = 1;
	ballast = 4 << 20;
	ASSERT_TRUE(census_adopt_orphans());
	census_take(&self->before);
}

FIXTURE_TEARDOWN(interrupt)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	census_kill_children();
	subject_clean(&self->s);
	EXPECT_TRUE(census_same(&self->before));
}

/* How long a checkpoint takes that nobody disturbs */
static long checkpoint_us(struct subject *s)
{
	long start = us_now();

	return subject_checkpoint(s, 0) > 0 ? us_now() - start : -1;
}

#define KILLS	60

TEST_F_TIMEOUT(interrupt, checkpoint_to_a_file, 300)
{
	long us;
	int i;

	ASSERT_TRUE(subject_start(&self->s, subject_busy)) subject_print(&self->s);
	us = checkpoint_us(&self->s);
	ASSERT_GT(us, 0) subject_print(&self->s);
	for (i = 0; i < KILLS; i++) {
		int fd = test_open(&self->s, "image", O_CREAT | O_TRUNC | O_RDWR), status;
		pid_t pid = start_checkpointer(&self->s, fd);
		bool handled = i % 3 == 2;

		close(fd);
		usleep(rand_r(&self->seed) % (us + us / 4));
		kill(pid, handled ? SIGUSR1 : SIGKILL);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status))
			ASSERT_EQ(WEXITSTATUS(status), EINTR);
		ASSERT_TRUE(all_progress(&self->s));
		if (i % 10 == 0)
			ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	}
	ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
}

/* Takes @bytes from @fd, and puts them into the file @to if there is one. */
static void read_slowly(int fd, int to, size_t bytes)
{
	char buf[16384];
	ssize_t n;

	while (bytes) {
		n = read(fd, buf, bytes < sizeof(buf) ? bytes : sizeof(buf));
		if (n <= 0 || (to >= 0 && write(to, buf, n) != n))
			return;
		bytes -= n;
	}
}

TEST_F_TIMEOUT(interrupt, checkpoint_to_a_pipe, 300)
{
	int i;

	ASSERT_TRUE(subject_start(&self->s, subject_busy)) subject_print(&self->s);
	for (i = 0; i < KILLS; i++) {
		size_t bytes = i < 20 ? i * 512 : rand_r(&self->seed) % (5 << 20);
		bool handled = i % 3 == 2;
		int fds[2], status;
		pid_t pid;

		ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
		pid = start_checkpointer(&self->s, fds[1]);
		close(fds[1]);
		read_slowly(fds[0], -1, bytes);
		usleep(rand_r(&self->seed) % 2000);
		kill(pid, handled ? SIGUSR1 : SIGKILL);
		if (handled)
			read_slowly(fds[0], -1, SIZE_MAX);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		close(fds[0]);
		if (WIFEXITED(status) && WEXITSTATUS(status))
			ASSERT_EQ(WEXITSTATUS(status), EINTR);
		ASSERT_TRUE(all_progress(&self->s));
		if (i % 10 == 0)
			ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
	}
	ASSERT_GT(subject_checkpoint(&self->s, 0), 0) subject_print(&self->s);
}

/* An image in memory, and the pids that it needs. */
struct target {
	char *data;
	size_t len;
	pid_t pids[32];
	int nr_pids;
};

static bool take_target_of(struct subject *s, struct target *t, void (*fn)(void), int nr_pids)
{
	size_t at = 0;
	struct stat st;
	int fd;

	if (!subject_start(s, fn) || subject_checkpoint(s, CHECKPOINT_KILL) <= 0)
		return false;
	census_kill_children();
	fd = test_open(s, "image", O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		return false;
	t->len = st.st_size;
	t->data = mmap(NULL, t->len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (t->data == MAP_FAILED)
		return false;
	/* the tasks stand in the first block, before the objects */
	t->nr_pids = 0;
	for (at = sizeof(struct ckpt_block); at < t->len && t->nr_pids < 32;) {
		const struct ckpt_record *rec = (const void *)(t->data + at);
		const struct ckpt_rec_tree_task *task = (const void *)(rec + 1);

		if (rec->type == CKPT_REC_OBJ)
			break;
		if (rec->type == CKPT_REC_TREE_TASK)
			t->pids[t->nr_pids++] = task->pid;
		at += sizeof(*rec) + ((rec->len + 7) & ~7U);
	}
	s->pid = 0;
	return t->nr_pids == nr_pids;
}

static bool take_target(struct subject *s, struct target *t)
{
	return take_target_of(s, t, subject_busy, NR_WORKERS + 1);
}

/* Another thread of the restarter, to end it by exit_group(2) */
static void *exit_when_told(void *arg)
{
	int fd = (long)arg;
	char c;

	if (read(fd, &c, 1) == 1)
		_exit(99);
	return NULL;
}

/* A process that calls restart(2) from a pipe; exits with 0 or the errno. */
static pid_t start_restarter(const int *image, const int *end)
{
	pid_t pid = fork();

	if (!pid) {
		struct restart_args args = { .image_fd = image[0], .log_fd = -1 };
		pthread_t thread;

		close(image[1]);
		close(end[1]);
		if (pthread_create(&thread, NULL, exit_when_told, (void *)(long)end[0]))
			_exit(98);
		_exit(sys_restart(&args, sizeof(args)) > 0 ? 0 : errno);
	}
	return pid;
}

/* Writes and waits until the reader has taken all of it, or is gone. */
static bool feed(int fd, const char *p, size_t len)
{
	int left, ms;

	while (len) {
		ssize_t n = write(fd, p, len < 65536 ? len : 65536);

		if (n < 0)
			return false;
		p += n;
		len -= n;
		for (ms = 0; ms < 5000 && !ioctl(fd, FIONREAD, &left) && left; ms++)
			usleep(100);
	}
	return true;
}

static int count_alive(const struct target *t)
{
	int i, n = 0;

	for (i = 0; i < t->nr_pids; i++)
		n += syscall(SYS_tgkill, t->pids[i], t->pids[i], 0) == 0 ||
		     kill(t->pids[i], 0) == 0;
	return n;
}

enum end { END_KILL, END_EXIT, END_CLOSE, END_MAX };

/*
 * Feeds @bytes of the image to a restarter and ends it. True if of the tree
 * nothing is left.
 */
static bool end_restarter(const struct target *t, size_t bytes, enum end how, unsigned int *seed)
{
	int image[2], end[2], status, alive;
	pid_t pid;

	if (pipe2(image, O_CLOEXEC) || pipe2(end, O_CLOEXEC))
		return false;
	pid = start_restarter(image, end);
	close(image[0]);
	close(end[0]);
	feed(image[1], t->data, bytes);
	usleep(rand_r(seed) % 500);
	if (how == END_KILL)
		kill(pid, SIGKILL);
	else if (how == END_EXIT && write(end[1], "x", 1) != 1)
		return false;
	else if (how == END_CLOSE)
		close(image[1]);
	if (waitpid(pid, &status, 0) != pid)
		return false;
	if (how != END_CLOSE)
		close(image[1]);
	close(end[1]);
	alive = count_alive(t);
	if (alive)
		fprintf(stderr, "# %d tasks are left after %zu of %zu bytes, end %d, status %#x\n",
			alive, bytes, t->len, how, status);
	return !alive;
}

static bool restarts(struct subject *s, const struct target *t)
{
	int fd = test_open(s, "image", O_RDWR);
	bool same = true;
	pid_t pid;

	close(fd);
	pid = subject_restart(s, 0);
	same = pid == t->pids[0] && count_alive(t) == t->nr_pids;
	s->pid = pid;
	same = same && all_progress(s);
	s->pid = 0;
	census_kill_children();
	return same;
}

#define CHUNKS	48

TEST_F_TIMEOUT(interrupt, restarter, 600)
{
	struct target t;
	int i, how;

	signal(SIGPIPE, SIG_IGN);
	ballast = 256 << 10;
	ASSERT_TRUE(take_target(&self->s, &t)) subject_print(&self->s);
	ASSERT_TRUE(end_restarter(&t, t.len / 2, END_KILL, &self->seed));
	for (how = 0; how < END_MAX; how++) {
		for (i = 0; i < CHUNKS; i++) {
			/* the interesting parts are the first bytes and the last */
			size_t bytes = i < 16 ? i * 512 : i < 32 ? t.len - (i - 15) * 512 :
				       (i - 32) * (t.len / 16);

			ASSERT_TRUE(end_restarter(&t, bytes, how, &self->seed));
		}
		ASSERT_TRUE(restarts(&self->s, &t)) subject_print(&self->s);
	}
}

/* How long a restart takes that nobody disturbs */
static long restart_us(struct subject *s, struct target *t)
{
	long start = us_now();

	return restarts(s, t) ? us_now() - start : -1;
}

/*
 * Restarts from the file "image" and kills @pid, or the restarter if 0, within
 * @us. Returns the status of the restarter, or -1.
 */
static int restart_and_kill(struct subject *s, pid_t pid, long us, unsigned int *seed)
{
	int image[2] = { test_open(s, "image", O_RDONLY), -1 };
	int end[2], status;
	pid_t restarter;

	if (image[0] < 0 || pipe2(end, O_CLOEXEC))
		return -1;
	restarter = start_restarter(image, end);
	close(image[0]);
	close(end[0]);
	usleep(rand_r(seed) % us);
	kill(pid ?: restarter, SIGKILL);
	if (waitpid(restarter, &status, 0) != restarter)
		status = -1;
	close(end[1]);
	return status;
}

/* The whole image is there: it is killed anywhere between begin and end. */
TEST_F_TIMEOUT(interrupt, restarter_at_full_speed, 600)
{
	struct target t;
	long us;
	int i;

	ballast = 256 << 10;
	ASSERT_TRUE(take_target(&self->s, &t)) subject_print(&self->s);
	us = restart_us(&self->s, &t);
	ASSERT_GT(us, 0) subject_print(&self->s);
	for (i = 0; i < 2 * KILLS; i++) {
		int alive;

		ASSERT_NE(restart_and_kill(&self->s, 0, us, &self->seed), -1);
		/* all or nothing: what it has let go is on its own */
		alive = count_alive(&t);
		ASSERT_TRUE(alive == 0 || alive == t.nr_pids) {
			fprintf(stderr, "# %d of %d tasks are left\n", alive, t.nr_pids);
		}
		if (alive) {
			self->s.pid = t.pids[0];
			ASSERT_TRUE(all_progress(&self->s));
			self->s.pid = 0;
		}
		census_kill_children();
	}
	ASSERT_TRUE(restarts(&self->s, &t)) subject_print(&self->s);
}

/* A restarter that gets its image in two pieces. */
struct fed {
	pid_t pid;
	int image, end;
	const struct target *t;
	size_t done;
};

/* Starts it with the first @bytes of the image. */
static bool fed_start(struct fed *f, const struct target *t, size_t bytes)
{
	int image[2], end[2];

	if (pipe2(image, O_CLOEXEC) || pipe2(end, O_CLOEXEC))
		return false;
	*f = (struct fed) { start_restarter(image, end), image[1], end[1], t, bytes };
	close(image[0]);
	close(end[0]);
	feed(f->image, t->data, bytes);
	return f->pid > 0;
}

/* Gives it the rest. Returns its status, or -1. */
static int fed_finish(struct fed *f)
{
	int status;

	feed(f->image, f->t->data + f->done, f->t->len - f->done);
	close(f->image);
	if (waitpid(f->pid, &status, 0) != f->pid)
		status = -1;
	close(f->end);
	return status;
}

/* A signal with a handler, a stop: it does not disturb the restarter. */
TEST_F_TIMEOUT(interrupt, restarter_gets_signals, 120)
{
	struct target t;
	int i;

	signal(SIGPIPE, SIG_IGN);
	ballast = 256 << 10;
	ASSERT_TRUE(take_target(&self->s, &t)) subject_print(&self->s);
	for (i = 0; i < 8; i++) {
		struct fed f;
		int status;

		ASSERT_TRUE(fed_start(&f, &t, t.len / 8 * i));
		kill(f.pid, SIGUSR1);
		usleep(500);
		status = fed_finish(&f);
		ASSERT_EQ(status, 0) {
			fprintf(stderr, "# signal after %d/8: %#x\n", i, status);
		}
		ASSERT_EQ(count_alive(&t), t.nr_pids);
		census_kill_children();
	}
}

/* Checkpoints a tree that cannot be: one of its tasks restores another tree. */
static pid_t start_dry_run(pid_t restarter)
{
	struct checkpoint_args args = {
		.flags = CHECKPOINT_DRY_RUN,
		.pid = restarter,
		.pidfd = -1,
		.image_fd = -1,
		.log_fd = -1,
	};
	pid_t pid = fork();

	if (!pid)
		_exit(sys_checkpoint(&args, sizeof(args)) < 0 ? errno : 0);
	return pid;
}

/* The attempt fails, and disturbs nobody. */
TEST_F_TIMEOUT(interrupt, restarter_is_in_a_checkpoint, 300)
{
	struct target t;
	int i;

	signal(SIGPIPE, SIG_IGN);
	ballast = 256 << 10;
	ASSERT_TRUE(take_target(&self->s, &t)) subject_print(&self->s);
	for (i = 0; i < 8; i++) {
		struct fed f;
		pid_t other;
		int status;

		ASSERT_TRUE(fed_start(&f, &t, t.len / 8 * i));
		other = start_dry_run(f.pid);
		subject_sleep_ms(20);
		status = fed_finish(&f);
		ASSERT_EQ(status, 0) {
			fprintf(stderr, "# dry run after %d/8: %#x\n", i, status);
		}
		ASSERT_EQ(waitpid(other, &status, 0), other);
		EXPECT_NE(status, 0);
		ASSERT_EQ(count_alive(&t), t.nr_pids);
		census_kill_children();
	}
}

/* Somebody kills the tasks that are being restored. */
TEST_F_TIMEOUT(interrupt, member_killed_during_restart, 600)
{
	struct target t;
	int i, n, killed = 0;

	signal(SIGPIPE, SIG_IGN);
	ballast = 256 << 10;
	ASSERT_TRUE(take_target(&self->s, &t)) subject_print(&self->s);
	for (i = 1; i < CHUNKS; i++) {
		size_t bytes = i < 16 ? t.len - i * 512 : i * (t.len / CHUNKS);
		struct fed f;
		int status;

		ASSERT_TRUE(fed_start(&f, &t, bytes));
		n = kill(t.pids[i % t.nr_pids], SIGKILL);
		killed += !n;
		if (i % 2)
			usleep(rand_r(&self->seed) % 1000);
		status = fed_finish(&f);
		ASSERT_TRUE(WIFEXITED(status));
		ASSERT_EQ(WEXITSTATUS(status), n ? 0 : ESRCH) {
			fprintf(stderr, "# pid %d killed after %zu of %zu bytes\n",
				t.pids[i % t.nr_pids], bytes, t.len);
		}
		ASSERT_EQ(count_alive(&t), n ? t.nr_pids : 0);
		census_kill_children();
	}
	EXPECT_GT(killed, CHUNKS / 4);
	ASSERT_TRUE(restarts(&self->s, &t)) subject_print(&self->s);
}

/* A process that goes on when its first thread is dead: what that has put off passes to it. */
static void outlive_leader(long n)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, count_for_ever, (void *)n));
	syscall(SYS_exit, 0);
}

static void subject_of_survivors(void)
{
	pid_t pids[NR_WORKERS];
	long n;

	progress_fd = open("progress", O_CREAT | O_RDWR, 0644);
	CHECK(progress_fd >= 0);
	for (n = 0; n < NR_WORKERS; n++) {
		pids[n] = fork();
		CHECK(pids[n] >= 0);
		if (!pids[n])
			outlive_leader(n);
	}
	for (n = 0; n < NR_WORKERS; n++)
		while (test_state(pids[n]) != 'Z')
			subject_sleep_ms(1);
	subject_ready();
}

/* The whole image is there: one of its tasks is killed anywhere between begin and end. */
TEST_F_TIMEOUT(interrupt, survivor_killed_at_full_speed, 600)
{
	struct target t;
	int i, killed = 0;
	long us;

	ASSERT_TRUE(take_target_of(&self->s, &t, subject_of_survivors, 2 * NR_WORKERS + 1))
		subject_print(&self->s);
	us = restart_us(&self->s, &t);
	ASSERT_GT(us, 0) subject_print(&self->s);
	for (i = 0; i < 4 * KILLS; i++) {
		int status = restart_and_kill(&self->s, t.pids[1 + i % (t.nr_pids - 1)], us,
					      &self->seed);

		ASSERT_TRUE(WIFEXITED(status));
		if (WEXITSTATUS(status)) {
			EXPECT_EQ(WEXITSTATUS(status), ESRCH) TH_LOG("kill %d", i);
			ASSERT_EQ(count_alive(&t), 0);
			killed++;
		}
		census_kill_children();
	}
	EXPECT_GT(killed, 0);
	ASSERT_TRUE(restarts(&self->s, &t)) subject_print(&self->s);
}

/*
 * Kills the root when @bytes of the image have come out of a pipe; the file
 * "image" gets all that comes. Returns 0 or the errno of the checkpoint.
 */
static int kill_member_after(struct subject *s, size_t bytes, unsigned int *seed)
{
	int fds[2], status, to = test_open(s, "image", O_CREAT | O_TRUNC | O_RDWR);
	pid_t pid;

	if (to < 0 || pipe2(fds, O_CLOEXEC))
		return -1;
	pid = start_checkpointer(s, fds[1]);
	close(fds[1]);
	read_slowly(fds[0], to, bytes);
	usleep(rand_r(seed) % 2000);
	kill(s->pid, SIGKILL);
	read_slowly(fds[0], to, SIZE_MAX);
	close(fds[0]);
	close(to);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define FROZEN	40	/* times that it is killed about when the tree is frozen */

/* Before the call, during it, or after it: there is a whole image, or none. */
TEST_F_TIMEOUT(interrupt, member_killed_during_checkpoint, 300)
{
	int i, err;

	for (i = 0; i < FROZEN + 12; i++) {
		size_t bytes = i < FROZEN ? 0 : (i - FROZEN) * 400000;

		ASSERT_TRUE(subject_start(&self->s, subject_busy)) subject_print(&self->s);
		err = kill_member_after(&self->s, bytes, &self->seed);
		ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
		census_kill_children();
		if (err) {
			EXPECT_TRUE(err == EAGAIN || err == ESRCH) TH_LOG("errno %d", err);
			EXPECT_TRUE(is_no_image(&self->s));
		} else {
			EXPECT_EQ(subject_restart(&self->s, 0), self->s.pid)
				subject_print(&self->s);
			EXPECT_TRUE(all_progress(&self->s));
		}
		self->s.pid = 0;
		census_kill_children();
		subject_clean(&self->s);
	}
	snprintf(self->s.dir, sizeof(self->s.dir), "/tmp/ckpt-test-none");
}

TEST_HARNESS_MAIN
