// SPDX-License-Identifier: GPL-2.0
/* AIO contexts: the same id, room and events; what is in flight, or not the kernel's mapping. */
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "codec.h"
#include "mapping.h"

/* What the kernel has in front of the events. */
struct ring {
	unsigned int id, nr, head, tail, magic, compat, incompat, length;
	struct io_event events[];
};

static long io_setup(unsigned int nr, aio_context_t *ctx)
{
	return syscall(SYS_io_setup, nr, ctx);
}

static long io_submit(aio_context_t ctx, long nr, struct iocb **iocbs)
{
	return syscall(SYS_io_submit, ctx, nr, iocbs);
}

static long io_getevents(aio_context_t ctx, long min, long nr, struct io_event *events,
			 struct timespec *timeout)
{
	return syscall(SYS_io_getevents, ctx, min, nr, events, timeout);
}

static aio_context_t setup(unsigned int nr)
{
	aio_context_t ctx = 0;

	CHECK(!io_setup(nr, &ctx));
	return ctx;
}

static unsigned long aio_nr(void)
{
	FILE *f = fopen("/proc/sys/fs/aio-nr", "r");
	unsigned long nr;

	CHECK(f && fscanf(f, "%lu", &nr) == 1);
	fclose(f);
	return nr;
}

static char text[64];
static int data;

static void submit(aio_context_t ctx, int from, int to)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = data,
		.aio_buf = (unsigned long)text,
		.aio_nbytes = 10,
	}, *list[1] = { &iocb };

	for (; from < to; from++) {
		iocb.aio_data = from;
		CHECK_EQ(io_submit(ctx, 1, list), 1);
	}
}

static void reap(aio_context_t ctx, int from, int to)
{
	struct io_event event;

	for (; from < to; from++) {
		CHECK_EQ(io_getevents(ctx, 1, 1, &event, NULL), 1);
		CHECK_EQ(event.data, from);
		CHECK_EQ(event.res, 10);
	}
}

static void expect_empty(aio_context_t ctx)
{
	struct timespec now = { };
	struct io_event event;

	CHECK_EQ(io_getevents(ctx, 0, 1, &event, &now), 0);
}

static void open_data(void)
{
	data = open("data", O_CREAT | O_RDWR, 0644);
	CHECK(data >= 0 && write(data, "0123456789", 10) == 10);
}

SURVIVE(contexts)
{
	aio_context_t ctx, small = setup(1), gone = setup(7), large = setup(3000), last = setup(2);
	struct ring *ring;
	unsigned long nr;

	open_data();
	CHECK(!syscall(SYS_io_destroy, gone));
	ctx = setup(100);
	submit(ctx, 0, 20);
	reap(ctx, 0, 5);
	submit(large, 0, 300);
	ring = (void *)large;
	nr = ring->nr;
	subject_ready();
	CHECK_EQ(ring->nr, nr);
	CHECK_EQ(ring->head, 0);
	CHECK_EQ(ring->tail, 300);
	CHECK_EQ(ring->events[299].data, 299);
	reap(ctx, 5, 20);
	expect_empty(ctx);
	reap(large, 0, 300);
	expect_empty(large);
	submit(large, 300, 3300);
	reap(large, 300, 3300);
	submit(small, 0, 1);
	reap(small, 0, 1);
	expect_empty(last);
	nr = aio_nr();
	CHECK(!syscall(SYS_io_destroy, ctx) && !syscall(SYS_io_destroy, small));
	CHECK(!syscall(SYS_io_destroy, large) && !syscall(SYS_io_destroy, last));
	CHECK_EQ(nr - aio_nr(), 100 + 1 + 3000 + 2);
	CHECK(syscall(SYS_io_destroy, ctx) && errno == EINVAL);
}

/* The ring has been around its end, and is full. */
SURVIVE(full_ring)
{
	aio_context_t ctx = setup(50);
	struct ring *ring = (void *)ctx;
	struct iocb iocb = { .aio_lio_opcode = IOCB_CMD_PREAD }, *list[1] = { &iocb };
	int i, n = 0;

	open_data();
	for (i = 0; i < (int)ring->nr; i += 10) {
		submit(ctx, i, i + 10);
		reap(ctx, i, i + 10);
	}
	iocb.aio_fildes = data;
	iocb.aio_buf = (unsigned long)text;
	iocb.aio_nbytes = 10;
	for (iocb.aio_data = 0; io_submit(ctx, 1, list) == 1; iocb.aio_data++)
		n++;
	CHECK(errno == EAGAIN && n >= 50);
	subject_ready();
	reap(ctx, 0, n);
	expect_empty(ctx);
	submit(ctx, 0, 50);
	reap(ctx, 0, 50);
}

static void *wait_for_event(void *arg)
{
	reap(*(aio_context_t *)arg, 77, 78);
	return NULL;
}

SURVIVE(thread_that_waits)
{
	aio_context_t ctx = setup(10);
	pthread_t thread;

	open_data();
	CHECK(!pthread_create(&thread, NULL, wait_for_event, &ctx));
	subject_sleep_ms(30);
	subject_ready();
	submit(ctx, 77, 78);
	CHECK(!pthread_join(thread, NULL));
}

static size_t ring_len(aio_context_t ctx)
{
	struct ring *ring = (void *)ctx;

	return (sizeof(*ring) + ring->nr * sizeof(ring->events[0]) + PAGE - 1) & -PAGE;
}

/* Its name is its address, wherever it is. */
SURVIVE(moved_ring)
{
	aio_context_t ctx = setup(10);
	struct ring *ring = (void *)ctx, *to;
	size_t len = ring_len(ctx);

	open_data();
	submit(ctx, 0, 3);
	to = (void *)map(len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	CHECK(mremap(ring, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	subject_ready();
	ctx = (unsigned long)to;
	reap(ctx, 0, 3);
	submit(ctx, 0, 3);
}

/* Polls that have not fired yet. */
REFUSE(requests_in_flight, EBUSY, "2 requests are in flight")
{
	int fd = eventfd(0, 0);
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = fd,
		.aio_buf = POLLIN,
	}, other = iocb, *list[2] = { &iocb, &other };

	CHECK_EQ(io_submit(setup(10), 2, list), 2);
	subject_ready();
}

REFUSE(ring_of_the_parent, EOPNOTSUPP, "AIO ring of another process")
{
	pid_t kid;

	setup(10);
	kid = fork();
	if (!kid)
		for (;;)
			pause();
	subject_ready();
	kill(kid, SIGKILL);
}

REFUSE(protected_ring, EOPNOTSUPP, "AIO ring with other protection or advice")
{
	CHECK(!mprotect((void *)setup(10), PAGE, PROT_READ));
	subject_ready();
}

REFUSE(part_of_a_ring, EOPNOTSUPP, "or a part of one")
{
	CHECK(!munmap((char *)setup(300) + PAGE, PAGE));
	subject_ready();
}

/* mlockall() leaves rings alone; one that is unmapped is lost, for the program too. */
SURVIVE(locked_and_unmapped)
{
	aio_context_t ctx = setup(10), lost = setup(10);
	struct io_event event;

	CHECK(!munmap((void *)lost, PAGE));
	open_data();
	CHECK(!mlockall(MCL_CURRENT | MCL_FUTURE));
	submit(ctx, 0, 3);
	subject_ready();
	reap(ctx, 0, 3);
	CHECK(io_getevents(lost, 0, 1, &event, NULL) && errno == EINVAL);
}

TEST_F(refuse, more_than_the_limit_at_restart)
{
	char old[32] = "";
	int fd = open("/proc/sys/fs/aio-max-nr", O_RDWR);

	ASSERT_TRUE(subject_start(&self->s, subject_contexts)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	waitpid(self->s.pid, NULL, 0);
	ASSERT_GT(read(fd, old, sizeof(old)), 0);
	ASSERT_EQ(pwrite(fd, "1000", 4, 0), 4);
	EXPECT_EQ(subject_restart(&self->s, 0), -EAGAIN) subject_print(&self->s);
	EXPECT_TRUE(log_has(&self->s, "more requests than fs.aio-max-nr")) subject_print(&self->s);
	ASSERT_GT(pwrite(fd, old, strlen(old), 0), 0);
	EXPECT_EQ(aio_nr(), 0);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

#define MORE_PAGES	10

/* With room for a larger one behind it */
static void subject_with_a_small_ring(void)
{
	aio_context_t ctx = setup(1);
	size_t len = ring_len(ctx), more = MORE_PAGES * PAGE;
	char *area = (void *)map(len + more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	CHECK(mremap((void *)ctx, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, area) == area);
	CHECK(!munmap(area + len, more));
	ctx = (aio_context_t)area;
	open_data();
	submit(ctx, 0, 3);
	subject_ready();
	reap(ctx, 0, 3);
}

/* A machine with many CPUs makes it larger: what is more than here counts as requests. */
TEST_F(refuse, larger_ring_counts)
{
	static struct image image;
	struct ckpt_rec_aio *rec;

	ASSERT_TRUE(subject_start(&self->s, subject_with_a_small_ring)) subject_print(&self->s);
	EXPECT_EQ(aio_nr(), 1);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	waitpid(self->s.pid, NULL, 0);
	ASSERT_TRUE(image_load(&self->s, &image));
	rec = (void *)image_first(&image, CKPT_REC_AIO)->payload;
	rec->nr_events += MORE_PAGES * PAGE / sizeof(struct io_event);
	ASSERT_TRUE(image_store(&self->s, &image));
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(aio_nr(), rec->nr_events / 2 - 1);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_HARNESS_MAIN
