// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile images: good ones with records that are changed, moved, dropped and
 * doubled, and with hashes that are right all the same, so that each parser
 * gets to see them. The kernel refuses them or restarts something; it never
 * crashes, hangs, complains or keeps anything.
 *
 * The same seed makes the same images:
 *   CKPT_MUTATE_SEED	of the first image (1)
 *   CKPT_MUTATE_SECONDS	for all subjects together (60)
 *   CKPT_MUTATE_TRACE	if set, each change is printed before it is tried
 */
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/lsm.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "census.h"
#include "codec.h"

#define NR_SUBJECTS	6

static bool trace;

static uint64_t random_state;

static uint32_t rnd(uint32_t below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return below ? (uint32_t)(random_state >> 32) % below : 0;
}

/* Changing one */

static const uint64_t interesting[] = {
	0, 1, 2, 3, 7, 8, 16, 63, 64, 65, 127, 255, 256, 4095, 4096, 4097, 0x7fff, 0xffff, 0x10000,
	0x400000, 0x400001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
	0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x7ffffffffffff000, 0x7fffffffffffffff,
	0x8000000000000000, 0xfffffffffffff000, 0xffffffffff600000, 0xffffffffffffffff,
};

#define NR_INTERESTING	ARRAY_SIZE(interesting)

/* Any kind of record is as likely as any other, however many there are of it. */
static size_t pick(const struct image *image)
{
	uint16_t types[CKPT_REC_TASK_MAX];
	uint32_t nr_types = 0, nr = 0, i, at;

	for (i = 0; i + 1 < image->nr; i++) {
		uint32_t j = 0;

		while (j < nr_types && types[j] != image->items[i].type)
			j++;
		if (j == nr_types && nr_types < CKPT_REC_TASK_MAX)
			types[nr_types++] = image->items[i].type;
	}
	at = rnd(nr_types);
	for (i = 0; i + 1 < image->nr; i++)
		nr += image->items[i].type == types[at];
	nr = rnd(nr);
	for (i = 0; i + 1 < image->nr; i++)
		if (image->items[i].type == types[at] && !nr--)
			break;
	return i;
}

/* A number that stands somewhere in the image: a reference, an address, a pid. */
static uint64_t other_number(const struct image *image, size_t size)
{
	const struct item *item = &image->items[pick(image)];
	uint64_t value = 0;

	if (item->len >= size)
		memcpy(&value, item->payload + rnd(item->len / size) * size, size);
	return value;
}

static uint64_t hostile_number(const struct image *image, uint64_t old, size_t size)
{
	switch (rnd(6)) {
	case 0:
		return old + 1 - 2 * rnd(2);
	case 1:
		return old ^ (1ULL << rnd(size * 8));
	case 2:
		return ((uint64_t)rnd(~0U) << 32) | rnd(~0U);
	case 3:
		return other_number(image, size);
	case 4:
		return old + 4096 - 8192 * (uint64_t)rnd(2);
	}
	return interesting[rnd(NR_INTERESTING)];
}

static void change_number(struct image *image, struct item *item)
{
	static const size_t sizes[] = { 1, 2, 4, 4, 4, 8, 8 };
	size_t size = sizes[rnd(7)];
	uint64_t value = 0;
	uint32_t at;

	if (item->len < size)
		return;
	at = rnd(item->len / size) * size;
	memcpy(&value, item->payload + at, size);
	value = hostile_number(image, value, size);
	if (trace)
		fprintf(stderr, "#   record %zu type %u: %zu bytes at %u = %#llx\n",
			item - image->items, item->type, size, at, (unsigned long long)value);
	memcpy(item->payload + at, &value, size);
}

static void change_length(struct image *image, struct item *item)
{
	const uint32_t lengths[] = {
		0, item->len / 2, item->len - !!item->len, item->len + 1, item->len + 8,
		item->len * 2 + 8, 65536, rnd(item->len + 64),
	};
	uint32_t len = lengths[rnd(8)];
	unsigned char fill = rnd(2) ? 0 : rnd(256);

	if (item->data)
		len &= ~7U;
	item->payload = realloc(item->payload, len + 1);
	if (len > item->len)
		memset(item->payload + item->len, fill, len - item->len);
	if (trace)
		fprintf(stderr, "#   record %zu type %u: %u bytes long instead of %u\n",
			item - image->items, item->type, len, item->len);
	item->len = len;
}

static void drop(struct image *image, size_t at)
{
	free(image->items[at].payload);
	memmove(&image->items[at], &image->items[at + 1],
		(image->nr - at - 1) * sizeof(image->items[0]));
	image->nr--;
}

static void swap(struct image *image, size_t a, size_t b)
{
	struct item item = image->items[a];

	image->items[a] = image->items[b];
	image->items[b] = item;
}

/* With everything that belongs to it: an object, or the state of a task. */
static size_t group_end(const struct image *image, size_t at)
{
	for (at++; at + 1 < image->nr; at++) {
		uint16_t type = image->items[at].type;

		if (!image->items[at].data && (type == CKPT_REC_OBJ || type == CKPT_REC_TASK))
			break;
	}
	return at;
}

static void double_group(struct image *image, size_t at)
{
	size_t end = group_end(image, at), i, n = end - at;

	for (i = 0; i < n; i++)
		image_insert(image, end + i, &image->items[at + i]);
}

static void drop_group(struct image *image, size_t at)
{
	size_t n = group_end(image, at) - at;

	while (n--)
		drop(image, at);
}

static void mutate(struct image *image, const struct image *other)
{
	size_t at = pick(image), to = pick(image);
	uint32_t how = rnd(32);

	if (trace && how >= 23)
		fprintf(stderr, "#   record %zu type %u: change %u, %zu\n", at,
			image->items[at].type, how, to);
	switch (how) {
	case 0 ... 19:
		return change_number(image, &image->items[at]);
	case 20 ... 22:
		return change_length(image, &image->items[at]);
	case 23:
		image->items[at].type = image->items[to].type;
		return;
	case 24:
		image->items[at].type = rnd(2) ? rnd(256) : rnd(65536);
		return;
	case 25:
		image->items[at].flags ^= rnd(2) ? CKPT_RECF_IGNORABLE : 1 << rnd(16);
		return;
	case 26:
		return image_insert(image, to, &image->items[at]);
	case 27:
		return drop(image, at);
	case 28:
		return swap(image, at, rnd(2) ? to : at ? at - 1 : at);
	case 29:
		return image_insert(image, at, &other->items[pick(other)]);
	case 30:
		return double_group(image, at);
	case 31:
		return drop_group(image, at);
	}
}

static void image_copy(struct image *to, const struct image *from)
{
	size_t i;

	for (i = 0; i < to->nr; i++)
		free(to->items[i].payload);
	*to = *from;
	for (i = 0; i < to->nr; i++) {
		to->items[i].payload = malloc(from->items[i].len + 1);
		memcpy(to->items[i].payload, from->items[i].payload, from->items[i].len);
	}
}

/* The subjects: small, and with one of each kind of record between them */

static void subject_of_files(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 10 };
	int fd = open("file", O_CREAT | O_RDWR | O_APPEND, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "contents", 8), 8);
	CHECK(!fcntl(fd, F_SETLK, &lock));
	CHECK(dup(fd) > 0);
	fd = open("file", O_RDWR | O_CLOEXEC);
	CHECK(!flock(fd, LOCK_SH));
	fd = open("file", O_RDWR);
	lock.l_start = 100;
	CHECK(!fcntl(fd, F_OFD_SETLK, &lock));
	CHECK(open(".", O_RDONLY | O_DIRECTORY) > 0);
	CHECK(open("file", O_PATH) > 0);
	CHECK(open("/dev/zero", O_RDWR) > 0);
	CHECK(eventfd(7, EFD_SEMAPHORE) > 0);
	CHECK_EQ(dup2(fd, 500), 500);
	subject_ready();
}

static void subject_of_pipes(void)
{
	int fds[2], fd;

	CHECK(!pipe2(fds, O_CLOEXEC));
	CHECK_EQ(write(fds[1], "data", 4), 4);
	CHECK(!pipe2(fds, O_DIRECT));
	CHECK_EQ(write(fds[1], "packet", 6), 6);
	CHECK_EQ(write(fds[1], "another", 7), 7);
	CHECK(fcntl(fds[0], F_SETPIPE_SZ, 65536) > 0);
	CHECK(!pipe(fds));
	close(fds[0]);
	CHECK(!mkfifo("fifo", 0644));
	fd = open("fifo", O_RDWR);
	CHECK_EQ(write(fd, "named", 5), 5);
	CHECK(open("fifo", O_RDONLY | O_NONBLOCK) > 0);
	subject_ready();
}

static int futex_word;

static void *sleeper(void *arg)
{
	struct timespec ts = { .tv_sec = 1000 };

	syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0);
	return NULL;
}

static void *napper(void *arg)
{
	sleep(1000);
	return NULL;
}

static void subject_of_tasks(void)
{
	pthread_t thread;
	pid_t leader;

	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK(!pthread_create(&thread, NULL, sleeper, NULL));
	CHECK(!pthread_create(&thread, NULL, napper, NULL));
	if (!fork())
		_exit(3);
	leader = fork();
	if (!leader) {
		setpgid(0, 0);
		if (!fork())
			for (;;)
				pause();
		_exit(0);
	}
	CHECK_EQ(waitpid(leader, NULL, 0), leader);
	if (!fork()) {
		setsid();
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		for (;;)
			pause();
	}
	if (!fork() && !vfork())
		for (;;)
			pause();
	subject_sleep_ms(20);
	subject_ready();
}

static void subject_of_memory(void)
{
	int fd = open("mapped", O_CREAT | O_RDWR, 0644);
	char *private, *shared, *p;

	CHECK(!ftruncate(fd, 64 << 10));
	private = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(private != MAP_FAILED && shared != MAP_FAILED);
	memset(private, 1, 32 << 10);
	memset(shared, 2, 12 << 10);
	p = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	p[4096] = 3;
	p = mmap(NULL, 32 << 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	CHECK(p != MAP_FAILED);
	p[0] = 4;
	CHECK(!mprotect(private, 4096, PROT_NONE));
	CHECK(!madvise(private + 8192, 4096, MADV_DONTFORK));
	CHECK(!mlock(private + 16384, 4096));
	CHECK(memfd_create("memfd", MFD_CLOEXEC | MFD_ALLOW_SEALING) > 0);
	if (!fork()) {
		private[20480] = 5;
		for (;;)
			pause();
	}
	subject_sleep_ms(20);
	subject_ready();
}

static void handler(int sig)
{
}

static void subject_of_signals(void)
{
	static char alternate[16384];
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART };
	stack_t ss = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	union sigval value = { .sival_int = 1234 };
	sigset_t mask;
	timer_t timer;
	pid_t child;

	CHECK(!sigaltstack(&ss, NULL));
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	CHECK(!sigaction(SIGRTMIN + 1, &action, NULL));
	sigfillset(&mask);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	CHECK(!sigqueue(getpid(), SIGRTMIN + 1, value));
	CHECK(!sigqueue(getpid(), SIGRTMIN + 1, value));
	CHECK(!kill(getpid(), SIGUSR1));
	CHECK(!syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2));
	CHECK(nice(3) == 3);
	CHECK(!timer_create(CLOCK_MONOTONIC, NULL, &timer));
	alarm(1000);
	child = fork();
	if (!child)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	if (!fork())
		_exit(0);
	subject_sleep_ms(20);
	subject_ready();
}

static void *confined(void *arg)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = insns };

	if (arg)
		CHECK(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	for (;;)
		pause();
	return NULL;
}

static void subject_of_controls(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = { 48, 6, .runtime = 2000000, .deadline = 100000000, .period = 100000000 };
	static char selector, byte;
	pthread_t thread;
	int idle[2];

	CHECK(!pipe(idle));
	CHECK(!syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 4));
	if (!syscall(SYS_clone, CLONE_IO | SIGCHLD, NULL, NULL, NULL, NULL)) {
		CHECK(!syscall(SYS_sched_setattr, 0, &attr, 0));
		for (;;)
			pause();
	}
	if (!fork()) {
		CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
		syscall(__NR_read, idle[0], &byte, 1);
	}
	CHECK(!prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector));
	CHECK(!pthread_create(&thread, NULL, confined, NULL));
	CHECK(!pthread_create(&thread, NULL, confined, idle));
	subject_sleep_ms(20);
	subject_ready();
}

/* Its images must not dump core. */
static void (*subject_body)(void);

static void subject_frugal(void)
{
	struct rlimit none = {};

	setrlimit(RLIMIT_CORE, &none);
	subject_body();
}

static const struct {
	const char *name;
	void (*body)(void);
} subjects[NR_SUBJECTS] = {
	{ "files", subject_of_files },
	{ "pipes", subject_of_pipes },
	{ "tasks", subject_of_tasks },
	{ "memory", subject_of_memory },
	{ "signals", subject_of_signals },
	{ "controls", subject_of_controls },
};

static struct subject all[NR_SUBJECTS];
static struct image good[NR_SUBJECTS], work;

static bool take_image(int n)
{
	struct subject *s = &all[n];
	struct stat st;
	void *p;
	int fd;

	subject_body = subjects[n].body;
	if (!subject_start(s, subject_frugal) || subject_checkpoint(s, CHECKPOINT_KILL) <= 0)
		return false;
	census_kill_children();
	fd = test_open(s, "image", O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		return false;
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED || !image_parse(&good[n], p, st.st_size) ||
	    !image_label(&good[n], LSM_ID_APPARMOR, "unconfined"))
		return false;
	munmap(p, st.st_size);
	s->pid = 0;
	return true;
}

static long try_image(struct subject *s, struct output *out, const struct image *image,
		      uint64_t flags)
{
	int fd = test_open(s, "image", O_CREAT | O_TRUNC | O_WRONLY);
	ssize_t n;

	image_write(image, out);
	n = write(fd, out->buf, out->len);
	close(fd);
	return n == (ssize_t)out->len ? subject_restart(s, flags) : 0;
}

static long number_of(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value ? atol(value) : otherwise;
}

FIXTURE(mutate)
{
	struct census before;
	struct output out;
};

FIXTURE_SETUP(mutate)
{
	int i;

	self->out.buf = malloc(MAX_IMAGE);
	self->out.headers = XXH64_createState();
	ASSERT_TRUE(self->out.buf && self->out.headers);
	ASSERT_TRUE(census_adopt_orphans());
	for (i = 0; i < NR_SUBJECTS; i++) {
		ASSERT_TRUE(take_image(i)) {
			fprintf(stderr, "# no image of %s\n", subjects[i].name);
			subject_print(&all[i]);
		}
	}
}

FIXTURE_TEARDOWN(mutate)
{
	int i;

	census_kill_children();
	for (i = 0; i < NR_SUBJECTS; i++)
		subject_clean(&all[i]);
}

/* What is taken apart and put together again is as good as before. */
TEST_F_TIMEOUT(mutate, nothing, 120)
{
	int i;

	for (i = 0; i < NR_SUBJECTS; i++) {
		EXPECT_GT(try_image(&all[i], &self->out, &good[i], 0), 0) subject_print(&all[i]);
		census_kill_children();
	}
}

TEST_F_TIMEOUT(mutate, records, 36000)
{
	uint64_t seed = number_of("CKPT_MUTATE_SEED", 1);
	long seconds = number_of("CKPT_MUTATE_SECONDS", 60);
	static const int changes[] = { 1, 1, 1, 2, 3, 6 };
	long tried = 0, restarted = 0, speechless = 0, ret;
	time_t end;
	int i, n;

	trace = getenv("CKPT_MUTATE_TRACE");
	for (i = 0; i < NR_SUBJECTS; i++) {
		try_image(&all[i], &self->out, &good[i], 0);
		census_kill_children();
	}
	census_take(&self->before);
	end = time(NULL) + seconds;
	for (; time(NULL) < end; seed++, tried++) {
		/* the seed decides all: a single image can be tried again */
		random_state = seed * 0x9e3779b97f4a7c15ULL;
		rnd(1);
		i = rnd(NR_SUBJECTS);
		image_copy(&work, &good[i]);
		if (trace)
			fprintf(stderr, "# seed %lld: %s\n", (long long)seed, subjects[i].name);
		for (n = changes[rnd(6)]; n; n--)
			mutate(&work, &good[rnd(NR_SUBJECTS)]);
		ret = try_image(&all[i], &self->out, &work, rnd(2) ? RESTART_STOPPED : 0);
		if (ret > 0) {
			restarted++;
			usleep(rnd(2) * 1000);
		} else if (!all[i].log[0]) {
			speechless++;
			fprintf(stderr, "# seed %lld: error %ld, and no reason given\n",
				(long long)seed, ret);
		}
		if (trace)
			fprintf(stderr, "#   -> %ld, %ld files: %s", ret,
				census_number("/proc/sys/fs/file-nr", ""),
				all[i].log[0] ? all[i].log : "\n");
		n = census_kill_children();
		ASSERT_FALSE(ret <= 0 && n) {
			fprintf(stderr, "# seed %lld: error %ld, but %d tasks are left\n",
				(long long)seed, ret, n);
		}
	}
	fprintf(stderr, "# %ld images, %ld restarted, last seed %lld\n", tried, restarted,
		(long long)seed - 1);
	EXPECT_EQ(speechless, 0);
	EXPECT_TRUE(census_same(&self->before));
	/* and the good ones still are */
	for (i = 0; i < NR_SUBJECTS; i++) {
		EXPECT_GT(try_image(&all[i], &self->out, &good[i], 0), 0) subject_print(&all[i]);
		census_kill_children();
	}
}

TEST_HARNESS_MAIN
