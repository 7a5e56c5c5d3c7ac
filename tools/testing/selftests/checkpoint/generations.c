// SPDX-License-Identifier: GPL-2.0
/*
 * A tree is checkpointed, killed and restarted, again and again. In each of ten
 * generations all of it that /proc shows is what it was; after two hundred
 * nothing is left behind, and nothing is lost: a token that goes round in pipes
 * has been counted by each who passed it on.
 *
 *   CKPT_GENERATIONS	how often in the long test (200; 20 on a debug kernel)
 */
#include <ctype.h>
#include <dirent.h>
#include <pthread.h>

#include "census.h"

#define NR_PROCESSES	3
#define NR_THREADS	3	/* in each */
#define NR_MEMBERS	(NR_PROCESSES * NR_THREADS)
#define PROGRESS_MS	20000

/* In memory that all processes share */
struct ring {
	volatile bool stop;
	volatile uint64_t token;	/* how often it was passed on, at the end */
	volatile uint64_t passed[NR_MEMBERS];
};

static struct ring *ring;
static int pipes[NR_MEMBERS][2], progress;

/* Private memory that tells who wrote to it, and how often */
static uint64_t own[NR_THREADS];

static void *member(void *arg)
{
	long n = (long)arg;
	uint64_t token;

	for (;;) {
		CHECK_EQ(read(pipes[n][0], &token, sizeof(token)), sizeof(token));
		if (ring->stop)
			break;
		token++;
		ring->passed[n]++;
		CHECK_EQ(++own[n % NR_THREADS], ring->passed[n]);
		if (!n)
			CHECK_EQ(pwrite(progress, &token, sizeof(token), 0), sizeof(token));
		CHECK_EQ(write(pipes[(n + 1) % NR_MEMBERS][1], &token, sizeof(token)),
			 sizeof(token));
	}
	/* once more round, until all have seen the end */
	ring->token = token;
	CHECK_EQ(write(pipes[(n + 1) % NR_MEMBERS][1], &token, sizeof(token)), sizeof(token));
	return NULL;
}

static void start_members(int process, pthread_t *threads)
{
	long i;

	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, member,
				      (void *)(process * NR_THREADS + i)));
}

static void join_members(pthread_t *threads)
{
	int i;

	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

static void set_up(void)
{
	int i;

	ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	CHECK(ring != MAP_FAILED);
	progress = open("progress", O_CREAT | O_RDWR, 0644);
	CHECK(progress >= 0);
	for (i = 0; i < NR_MEMBERS; i++)
		CHECK(!pipe(pipes[i]));
}

static uint64_t sum(void)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < NR_MEMBERS; i++)
		n += ring->passed[i];
	return n;
}

static void subject_ring(void)
{
	pthread_t threads[NR_THREADS];
	uint64_t token = 0;
	pid_t kids[NR_PROCESSES];
	int i, status;

	set_up();
	for (i = 1; i < NR_PROCESSES; i++) {
		kids[i] = fork();
		if (!kids[i]) {
			start_members(i, threads);
			join_members(threads);
			_exit(0);
		}
	}
	start_members(0, threads);
	CHECK_EQ(write(pipes[0][1], &token, sizeof(token)), sizeof(token));
	subject_ready();
	ring->stop = true;
	join_members(threads);
	for (i = 1; i < NR_PROCESSES; i++) {
		CHECK_EQ(waitpid(kids[i], &status, 0), kids[i]);
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(ring->token, sum());
}

static uint64_t read_progress(struct subject *s)
{
	int fd = test_open(s, "progress", O_RDONLY);
	uint64_t token = 0;

	if (read(fd, &token, sizeof(token)) != sizeof(token))
		token = 0;
	close(fd);
	return token;
}

/* The token has gone round at least once more. */
static bool goes_round(struct subject *s)
{
	uint64_t before = read_progress(s);
	int ms;

	for (ms = 0; ms < PROGRESS_MS; ms++) {
		if (read_progress(s) > before + NR_MEMBERS)
			return true;
		subject_sleep_ms(1);
	}
	fprintf(stderr, "# the token is stuck\n");
	return false;
}

/* All that /proc tells about the tree, with inode numbers replaced by their order. */
struct picture {
	char *text;
	size_t len;
	FILE *f;
	unsigned long inodes[64];
	int nr_inodes;
};

static int inode_nr(struct picture *p, unsigned long inode)
{
	int i;

	for (i = 0; i < p->nr_inodes && p->inodes[i] != inode; i++)
		;
	if (i == p->nr_inodes && i < 64)
		p->inodes[p->nr_inodes++] = inode;
	return i;
}

/* Pipes and shared memory have new inodes in each generation. */
static void draw_line(struct picture *p, char *line)
{
	char *pipe = strstr(line, "pipe:["), *deleted = strstr(line, "(deleted)");
	unsigned long inode;
	int at, end;

	if (pipe && sscanf(pipe, "pipe:[%lu]", &inode) == 1)
		snprintf(pipe, 32, "pipe:[%d]\n", inode_nr(p, inode));
	if (deleted && sscanf(line, "%*s %*s %*s %*s %n%lu %n", &at, &inode, &end) == 1)
		fprintf(p->f, "%.*s%d %s", at, line, inode_nr(p, inode), line + end);
	else
		fputs(line, p->f);
}

/* The lines of a file; only those that begin with one of @keys, if there are keys. */
static void draw_file(struct picture *p, const char *path, const char *const *keys)
{
	FILE *f = fopen(path, "re");
	char line[4096];
	int i;

	fprintf(p->f, "%s\n", path);
	while (f && fgets(line, sizeof(line), f)) {
		for (i = 0; keys && keys[i] && strncmp(line, keys[i], strlen(keys[i])); i++)
			;
		if (!keys || keys[i])
			draw_line(p, line);
	}
	if (f)
		fclose(f);
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static int is_number(const struct dirent *d)
{
	return isdigit(d->d_name[0]);
}

static void draw_fds(struct picture *p, const char *proc)
{
	static const char *const keys[] = { "pos:", "flags:", NULL };
	char path[300], link[512];
	struct dirent **list;
	int i, n;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/fd", proc);
	n = scandir(path, &list, is_number, by_number);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/fd/%.16s", proc, list[i]->d_name);
		len = readlink(path, link, sizeof(link) - 2);
		memcpy(link + (len < 0 ? 0 : len), "\n", 2);
		draw_line(p, link);
		snprintf(path, sizeof(path), "%s/fdinfo/%.16s", proc, list[i]->d_name);
		draw_file(p, path, keys);
		free(list[i]);
	}
	free(list);
}

/* Of stat: pid, comm, state, parent, group, session; terminal */
static void draw_relations(struct picture *p, const char *proc)
{
	char line[1024], *end = test_read_stat(proc, line, sizeof(line));
	int i;

	for (i = 0; end && i < 6; i++)
		end = strchr(end + 1, ' ');
	fprintf(p->f, "%.*s\n", end ? (int)(end - line) : 0, line);
}

static void draw_task(struct picture *p, const char *proc)
{
	static const char *const keys[] = {
		"Name:", "Umask:", "Tgid:", "Pid:", "PPid:", "Uid:", "Gid:", "Groups:",
		"Threads:", "SigP", "SigB", "SigI", "SigC", "Shd", "Cap", "NoNewPrivs:",
		"Seccomp", "Cpus_allowed", "VmSize:", "VmLck:", "VmData:", "VmStk:", NULL
	};
	char path[160];

	draw_relations(p, proc);
	snprintf(path, sizeof(path), "%s/status", proc);
	draw_file(p, path, keys);
	snprintf(path, sizeof(path), "%s/limits", proc);
	draw_file(p, path, NULL);
	snprintf(path, sizeof(path), "%s/syscall", proc);
	draw_file(p, path, NULL);
}

static void draw_process(struct picture *p, pid_t pid)
{
	char path[128], proc[64];
	struct dirent **list;
	pid_t kid;
	FILE *f;
	int i, n;

	snprintf(proc, sizeof(proc), "/proc/%d", pid);
	snprintf(path, sizeof(path), "%s/maps", proc);
	draw_file(p, path, NULL);
	draw_fds(p, proc);
	snprintf(path, sizeof(path), "%s/task", proc);
	n = scandir(path, &list, is_number, by_number);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/task/%.16s", proc, list[i]->d_name);
		draw_task(p, path);
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/task/%.16s/children", proc, list[i]->d_name);
		f = fopen(path, "re");
		while (f && fscanf(f, "%d", &kid) == 1)
			draw_process(p, kid);
		if (f)
			fclose(f);
		free(list[i]);
	}
	free(list);
}

static void picture_take(struct picture *p, pid_t pid)
{
	*p = (struct picture){};
	p->f = open_memstream(&p->text, &p->len);
	draw_process(p, pid);
	fclose(p->f);
}

static bool picture_same(const struct picture *before, const struct picture *after)
{
	size_t i, line = 0;

	if (before->len > 4096 && before->len == after->len &&
	    !memcmp(before->text, after->text, before->len))
		return true;
	for (i = 0; i < before->len && before->text[i] == after->text[i]; i++)
		if (before->text[i] == '\n')
			line = i + 1;
	fprintf(stderr, "# was: %.200s\n# is: %.200s\n", before->text + line,
		after->text + line);
	return false;
}

FIXTURE(generations)
{
	struct subject s;
};

FIXTURE_SETUP(generations)
{
	memset(&self->s, 0, sizeof(self->s));
	ASSERT_TRUE(census_adopt_orphans());
}

FIXTURE_TEARDOWN(generations)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	census_kill_children();
	subject_clean(&self->s);
}

/* It stands still before and after, so that two pictures of it can be compared. */
TEST_F_TIMEOUT(generations, ten_that_look_the_same, 300)
{
	struct picture before, after;
	int i;

	ASSERT_TRUE(subject_start(&self->s, subject_ring)) subject_print(&self->s);
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(goes_round(&self->s)) subject_print(&self->s);
		ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_STOP), 0) subject_print(&self->s);
		picture_take(&before, self->s.pid);
		subject_kill(&self->s);
		census_kill_children();
		ASSERT_EQ(subject_restart(&self->s, RESTART_STOPPED), self->s.pid)
			subject_print(&self->s);
		picture_take(&after, self->s.pid);
		ASSERT_TRUE(picture_same(&before, &after)) {
			fprintf(stderr, "# generation %d\n", i);
		}
		free(before.text);
		free(after.text);
		ASSERT_EQ(kill(-self->s.pid, SIGCONT), 0);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static int how_often(void)
{
	const char *text = getenv("CKPT_GENERATIONS");

	if (text)
		return atoi(text);
	return access("/sys/kernel/debug/kmemleak", F_OK) ? 200 : 20;
}

#define WARM_UP		10

TEST_F_TIMEOUT(generations, two_hundred_leave_nothing_behind, 300)
{
	int i, n = how_often(), status;
	struct census before;

	ASSERT_TRUE(subject_start(&self->s, subject_ring)) subject_print(&self->s);
	for (i = 0; i < n + WARM_UP; i++) {
		if (i == WARM_UP)
			census_take(&before);
		ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) {
			fprintf(stderr, "# generation %d\n", i);
			subject_print(&self->s);
		}
		ASSERT_EQ(waitpid(self->s.pid, &status, 0), self->s.pid);
		census_kill_children();
		ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) {
			fprintf(stderr, "# generation %d\n", i);
			subject_print(&self->s);
		}
		if (i % 10 == 0)
			ASSERT_TRUE(goes_round(&self->s)) subject_print(&self->s);
	}
	EXPECT_TRUE(census_same_but(&before, n / 2));
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
