// SPDX-License-Identifier: GPL-2.0
/* Pipes, FIFOs and eventfds with what is in them. */
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "ckpt_test.h"

SURVIVE(pipe_with_data)
{
	char buf[16] = "";
	int fds[2];

	CHECK(!pipe(fds));
	CHECK_EQ(write(fds[1], "hello", 5), 5);
	subject_ready();
	CHECK_EQ(write(fds[1], " world", 6), 6);
	CHECK_EQ(read(fds[0], buf, sizeof(buf)), 11);
	CHECK(!strcmp(buf, "hello world"));
}

SURVIVE(full_pipe)
{
	static char page[4096];
	size_t done = 0, i;
	int fds[2];
	ssize_t n;

	CHECK(!pipe2(fds, O_NONBLOCK));
	for (i = 0; (n = write(fds[1], page, sizeof(page))) > 0; i++) {
		done += n;
		memset(page, i + 1, sizeof(page));
	}
	CHECK_EQ(errno, EAGAIN);
	subject_ready();
	CHECK(write(fds[1], page, sizeof(page)) == -1 && errno == EAGAIN);
	for (i = 0; i < done; i += n) {
		CHECK((n = read(fds[0], page, sizeof(page))) == sizeof(page));
		CHECK_EQ(page[0], (char)(i / sizeof(page)));
		CHECK_EQ(page[4095], (char)(i / sizeof(page)));
	}
	CHECK(read(fds[0], page, 1) == -1 && errno == EAGAIN);
}

SURVIVE(pipe_capacity)
{
	int fds[2];

	CHECK(!pipe(fds));
	CHECK_EQ(fcntl(fds[0], F_SETPIPE_SZ, 1 << 18), 1 << 18);
	subject_ready();
	CHECK_EQ(fcntl(fds[0], F_GETPIPE_SZ), 1 << 18);
}

SURVIVE(packet_mode)
{
	char buf[64];
	int fds[2];

	CHECK(!pipe2(fds, O_DIRECT));
	CHECK_EQ(write(fds[1], "one", 3), 3);
	CHECK_EQ(write(fds[1], "three", 5), 5);
	subject_ready();
	CHECK_EQ(read(fds[0], buf, sizeof(buf)), 3);
	CHECK_EQ(read(fds[0], buf, sizeof(buf)), 5);
	CHECK_EQ(write(fds[1], "four", 4), 4);
	CHECK_EQ(write(fds[1], "seven", 5), 5);
	CHECK_EQ(read(fds[0], buf, sizeof(buf)), 4);
}

static void set_noatime(int fd)
{
	CHECK(!fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NOATIME));
}

/* Which nobody opens them with, but their owner may set */
SURVIVE(no_access_times)
{
	int fd = eventfd(7, EFD_NONBLOCK), fds[2];
	uint64_t value;
	char c;

	CHECK(fd >= 0 && !pipe(fds));
	CHECK_EQ(write(fds[1], "a", 1), 1);
	set_noatime(fd);
	set_noatime(fds[0]);
	subject_ready();
	CHECK(fcntl(fd, F_GETFL) & O_NOATIME);
	CHECK(fcntl(fds[0], F_GETFL) & O_NOATIME);
	CHECK(!(fcntl(fds[1], F_GETFL) & O_NOATIME));
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(read(fds[0], &c, 1), 1);
}

static void check_packet(int fd, ssize_t len, char c)
{
	char buf[4096];
	ssize_t i;

	CHECK_EQ(read(fd, buf, sizeof(buf)), len);
	for (i = 0; i < len; i++)
		CHECK_EQ(buf[i], c);
}

static void write_packet(int fd, ssize_t len, char c)
{
	char buf[4096];

	memset(buf, c, len);
	CHECK_EQ(write(fd, buf, len), len);
}

/* Each is small enough to be put behind the rest of a stream, which must not happen. */
static void write_packets(int fd)
{
	write_packet(fd, 200, 'a');
	write_packet(fd, 50, 'b');
}

/* After the last 100 bytes of the stream */
static void check_packets(int fd)
{
	char buf[100];

	CHECK_EQ(read(fd, buf, sizeof(buf)), sizeof(buf));
	check_packet(fd, 200, 'a');
	check_packet(fd, 50, 'b');
}

/* They went to buffers of their own because the first had no room. */
SURVIVE(packets_after_a_stream)
{
	char buf[4096] = "";
	int fds[2];

	CHECK(!pipe2(fds, O_NONBLOCK));
	CHECK_EQ(write(fds[1], buf, 4000), 4000);
	CHECK(!fcntl(fds[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	write_packets(fds[1]);
	CHECK_EQ(read(fds[0], buf, 3900), 3900);
	subject_ready();
	check_packets(fds[0]);
}

/* The room at the end of a buffer is not that of the bytes which were read. */
SURVIVE(packet_after_a_restart)
{
	char buf[4096] = "";
	int fds[2];

	CHECK(!pipe2(fds, O_NONBLOCK));
	CHECK_EQ(write(fds[1], buf, 4000), 4000);
	CHECK_EQ(read(fds[0], buf, 3900), 3900);
	CHECK(!fcntl(fds[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	subject_ready();
	write_packets(fds[1]);
	check_packets(fds[0]);
}

/* What was spliced is never joined by what is written. */
SURVIVE(packet_after_a_spliced_page)
{
	static char page[4096];
	struct iovec part = { page, 100 };
	int fds[2];

	CHECK(!pipe2(fds, O_NONBLOCK));
	CHECK_EQ(vmsplice(fds[1], &part, 1, 0), 100);
	CHECK(!fcntl(fds[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	subject_ready();
	write_packets(fds[1]);
	check_packets(fds[0]);
}

/* A pipe without a free buffer takes what still goes into the last one. */
SURVIVE(full_pipe_with_room)
{
	char buf[4096] = "";
	int fds[2], i;

	CHECK(!pipe2(fds, O_NONBLOCK));
	CHECK_EQ(fcntl(fds[1], F_SETPIPE_SZ, 4 * 4096), 4 * 4096);
	for (i = 0; i < 4; i++)
		CHECK_EQ(write(fds[1], buf, i < 3 ? 4096 : 4000), i < 3 ? 4096 : 4000);
	subject_ready();
	CHECK(write(fds[1], buf, 97) == -1 && errno == EAGAIN);
	CHECK_EQ(write(fds[1], buf, 96), 96);
}

SURVIVE(closed_write_end_is_eof)
{
	char buf[4];
	int fds[2];

	CHECK(!pipe(fds));
	CHECK_EQ(write(fds[1], "ab", 2), 2);
	close(fds[1]);
	subject_ready();
	CHECK_EQ(read(fds[0], buf, 4), 2);
	CHECK_EQ(read(fds[0], buf, 4), 0);
}

SURVIVE(closed_read_end_is_epipe)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK(!pipe(fds));
	close(fds[0]);
	subject_ready();
	CHECK(write(fds[1], "x", 1) == -1 && errno == EPIPE);
}

SURVIVE(pipe_between_processes)
{
	int fds[2], back[2], status;
	char c = 0;
	pid_t kid;

	CHECK(!pipe(fds) && !pipe(back));
	kid = fork();
	if (!kid) {
		close(fds[1]);
		close(back[0]);
		while (read(fds[0], &c, 1) == 1) {
			c++;
			CHECK_EQ(write(back[1], &c, 1), 1);
		}
		_exit(0);
	}
	close(fds[0]);
	close(back[1]);
	CHECK_EQ(write(fds[1], "a", 1), 1);
	CHECK_EQ(read(back[0], &c, 1), 1);
	subject_ready();
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(read(back[0], &c, 1), 1);
	CHECK_EQ(c, 'y');
	close(fds[1]);
	CHECK_EQ(read(back[0], &c, 1), 0);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

SURVIVE(fifo)
{
	int rd, wr;
	char c;

	CHECK(!mkfifo("fifo", 0644));
	rd = open("fifo", O_RDONLY | O_NONBLOCK);
	wr = open("fifo", O_WRONLY);
	CHECK(rd >= 0 && wr >= 0);
	CHECK_EQ(write(wr, "q", 1), 1);
	subject_ready();
	CHECK_EQ(read(rd, &c, 1), 1);
	CHECK_EQ(c, 'q');
	CHECK(read(rd, &c, 1) == -1 && errno == EAGAIN);
	close(wr);
	CHECK_EQ(read(rd, &c, 1), 0);
}

SURVIVE(eventfd_counter)
{
	int fd = eventfd(7, EFD_NONBLOCK);
	uint64_t value;

	CHECK(fd >= 0);
	subject_ready();
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 7);
	CHECK(read(fd, &value, 8) == -1 && errno == EAGAIN);
}

SURVIVE(eventfd_semaphore)
{
	int fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK), copy = dup(fd);
	uint64_t value;

	subject_ready();
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 1);
	CHECK_EQ(read(copy, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK(read(copy, &value, 8) == -1 && errno == EAGAIN);
}

TEST_HARNESS_MAIN
