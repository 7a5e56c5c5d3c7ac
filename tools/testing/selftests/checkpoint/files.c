// SPDX-License-Identifier: GPL-2.0
/* Open files and their locks, descriptor tables; what of them is refused. */
#include <linux/bpf.h>
#include <mqueue.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <termios.h>

#include "codec.h"

static int make(const char *name, int flags, const char *text)
{
	int fd = open(name, O_CREAT | O_RDWR, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	fd = open(name, flags);
	CHECK(fd >= 0);
	return fd;
}

SURVIVE(regular_file_and_offset)
{
	int fd = make("file", O_RDWR, "0123456789");
	char c;

	CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
	subject_ready();
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, '4');
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(pread(fd, &c, 1, 5), 1);
	CHECK_EQ(c, 'x');
}

/* Neither for reading nor for writing, as ioctl(2) needs no more. */
SURVIVE(no_access_mode)
{
	int fd = make("file", O_ACCMODE, "x");
	char c;

	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_ACCMODE);
	subject_ready();
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_ACCMODE);
	CHECK(read(fd, &c, 1) == -1 && errno == EBADF);
	CHECK(write(fd, &c, 1) == -1 && errno == EBADF);
}

SURVIVE(open_flags)
{
	int ro = make("ro", O_RDONLY, "r");
	int app = make("app", O_WRONLY | O_APPEND, "a");
	int path = make("path", O_PATH, "p");
	char c;

	subject_ready();
	CHECK_EQ(fcntl(ro, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(write(ro, "x", 1), -1);
	CHECK_EQ(fcntl(app, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
	CHECK_EQ(write(app, "b", 1), 1);
	CHECK_EQ(lseek(app, 0, SEEK_CUR), 2);
	CHECK(fcntl(path, F_GETFL) & O_PATH);
	CHECK(read(path, &c, 1) == -1 && errno == EBADF);
}

#define ON_DISK	"/var/tmp/ckpt-advice"

static void advise(int advice)
{
	int fd = open(ON_DISK, O_RDONLY);

	CHECK(fd >= 0 && !posix_fadvise(fd, 0, 0, advice));
}

static void subject_with_advice(void)
{
	close(open(ON_DISK, O_CREAT | O_WRONLY, 0600));
	advise(POSIX_FADV_NORMAL);
	advise(POSIX_FADV_RANDOM);
	advise(POSIX_FADV_SEQUENTIAL);
	advise(POSIX_FADV_NOREUSE);
	subject_ready();
}

/* How many files of the image have this mode? */
static int count_files(const struct image *image, uint32_t mode)
{
	int n = 0;

	for (size_t i = 0; i < image->nr; i++) {
		const struct ckpt_rec_file *file = (void *)image->items[i].payload;

		if (!image->items[i].data && image->items[i].type == CKPT_REC_FILE)
			n += !!(file->f_mode & mode);
	}
	return n;
}

/* It shows in how much is read ahead, which depends on much else; and in the image. */
TEST_F(refuse, advice_is_not_lost)
{
	static struct image image;
	struct subject *s = &self->s;
	int generation;

	ASSERT_TRUE(subject_start(s, subject_with_advice)) subject_print(s);
	for (generation = 0; generation < 3; generation++) {
		ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
		ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
		ASSERT_TRUE(image_load(s, &image));
		EXPECT_EQ(count_files(&image, CKPT_FMODE_RANDOM), 1);
		EXPECT_EQ(count_files(&image, CKPT_FMODE_SEQUENTIAL), 1);
		EXPECT_EQ(count_files(&image, CKPT_FMODE_NOREUSE), 1);
		ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	}
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
	unlink(ON_DISK);
}

#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY	(F_LINUX_SPECIFIC_BASE + 4)
#endif

#ifndef F_LINUX_SPECIFIC_BASE
#define F_LINUX_SPECIFIC_BASE	1024
#endif

SURVIVE(who_has_created_the_file)
{
	int fd = open("file", O_CREAT | O_RDWR, 0644);
	int other = open("file", O_CREAT | O_RDWR, 0644);

	CHECK_EQ(fcntl(fd, F_CREATED_QUERY), 1);
	CHECK_EQ(fcntl(other, F_CREATED_QUERY), 0);
	subject_ready();
	CHECK_EQ(fcntl(fd, F_CREATED_QUERY), 1);
	CHECK_EQ(fcntl(other, F_CREATED_QUERY), 0);
}

SURVIVE(exact_numbers_and_close_on_exec)
{
	int fd = make("file", O_RDONLY | O_CLOEXEC, "abc");

	CHECK_EQ(dup3(fd, 100, O_CLOEXEC), 100);
	CHECK_EQ(dup2(fd, 200), 200);
	close(fd);
	subject_ready();
	CHECK_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(200, F_GETFD), 0);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

SURVIVE(dup_shares_the_offset)
{
	int fd = make("file", O_RDONLY, "0123456789");
	int other = dup(fd), own = open("file", O_RDONLY);
	char c;

	subject_ready();
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(lseek(other, 0, SEEK_CUR), 1);
	CHECK_EQ(lseek(own, 0, SEEK_CUR), 0);
}

SURVIVE(fork_shares_the_offset)
{
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = make("file", O_RDONLY, "0123456789"), status;
	pid_t kid = fork();

	if (!kid) {
		char c;

		shared[0] = 1;
		while (shared[1] != 1)
			subject_sleep_ms(1);
		CHECK_EQ(read(fd, &c, 1), 1);
		_exit(0);
	}
	while (!shared[0])
		subject_sleep_ms(1);
	subject_ready();
	shared[1] = 1;
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);
}

static volatile int phase;
static int thread_fd;

static void *opener(void *arg)
{
	(void)arg;
	while (phase != 1)
		subject_sleep_ms(1);
	thread_fd = open("/dev/null", O_RDWR);
	phase = 2;
	return NULL;
}

SURVIVE(threads_share_the_table)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, opener, NULL));
	subject_ready();
	phase = 1;
	CHECK(!pthread_join(thread, NULL));
	CHECK(fcntl(thread_fd, F_GETFD) >= 0);
}

SURVIVE(symlink_by_o_path)
{
	char target[16] = "";
	int fd;

	CHECK(!symlink("nowhere", "link"));
	fd = open("link", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0);
	subject_ready();
	CHECK_EQ(readlinkat(fd, "", target, sizeof(target)), 7);
	CHECK(!strcmp(target, "nowhere"));
}

SURVIVE(memory_devices)
{
	static const char *const names[] = {
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"
	};
	int fds[5], i;
	char c = 1;

	for (i = 0; i < 5; i++)
		CHECK((fds[i] = open(names[i], O_RDWR)) >= 0);
	subject_ready();
	CHECK_EQ(read(fds[0], &c, 1), 0);
	CHECK_EQ(read(fds[1], &c, 1), 1);
	CHECK_EQ(c, 0);
	CHECK(write(fds[2], &c, 1) == -1 && errno == ENOSPC);
	CHECK_EQ(read(fds[3], &c, 1), 1);
	CHECK_EQ(read(fds[4], &c, 1), 1);
}

SURVIVE(a_thousand_files)
{
	char name[16];
	int i, fd;

	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_CREAT | O_RDWR, 0644);
		CHECK(fd >= 0);
		CHECK_EQ(write(fd, name, strlen(name)), strlen(name));
	}
	subject_ready();
	for (i = 0; i < 1000; i++) {
		char got[16] = "";

		snprintf(name, sizeof(name), "f%d", i);
		CHECK_EQ(lseek(i + 3, 0, SEEK_CUR), strlen(name));
		CHECK(pread(i + 3, got, sizeof(got), 0) > 0);
		CHECK(!strcmp(got, name));
	}
}

static bool locked_by_other(const char *name)
{
	int fd = open(name, O_RDWR), status;
	pid_t kid = fork();

	if (!kid) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

		_exit(fcntl(fd, F_SETLK, &lock) == -1);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	close(fd);
	return WEXITSTATUS(status);
}

SURVIVE(posix_lock)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = make("locked", O_RDWR, "x");

	CHECK(!fcntl(fd, F_SETLK, &lock));
	subject_ready();
	/* closing any descriptor of the file would drop the lock: ask elsewhere */
	if (!fork())
		_exit(!locked_by_other("locked"));
	int status;

	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

SURVIVE(flock_lock)
{
	int fd = make("locked", O_RDWR, "x"), other;

	CHECK(!flock(fd, LOCK_EX));
	subject_ready();
	other = open("locked", O_RDWR);
	CHECK(flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	CHECK(!flock(fd, LOCK_UN));
	CHECK(!flock(other, LOCK_EX | LOCK_NB));
}

#ifndef F_OFD_SETLK
#define F_OFD_SETLK	37
#define F_OFD_SETLKW	38
#endif

static const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
static const struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

/* Each kind of lock is held by the parent, and waited for by a child. */
static bool wait_for_lock(int kind)
{
	int fd = open("locked", O_RDWR);

	switch (kind) {
	case 0:
		return !fcntl(fd, F_SETLKW, &whole);
	case 1:
		return !fcntl(fd, F_OFD_SETLKW, &whole);
	default:
		return !flock(fd, LOCK_EX);
	}
}

SURVIVE(tasks_that_wait_for_a_lock)
{
	int fd = make("locked", O_RDWR, "x"), i, status;

	CHECK(!fcntl(fd, F_OFD_SETLK, &whole) && !flock(fd, LOCK_EX));
	for (i = 0; i < 3; i++)
		if (!fork())
			_exit(!wait_for_lock(i));
	subject_sleep_ms(100);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	subject_ready();
	subject_sleep_ms(100);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	CHECK(!fcntl(fd, F_OFD_SETLK, &unlock) && !flock(fd, LOCK_UN));
	for (i = 0; i < 3; i++) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

/* Bytes that the file does not have, and a lock of a directory */
SURVIVE(locks_beyond_the_end)
{
	struct flock far = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1LL << 40 };
	int fd = make("locked", O_RDWR, "x"), other = open("locked", O_RDWR);
	int dir = open(".", O_RDONLY), dir2 = open(".", O_RDONLY);

	CHECK(!fcntl(fd, F_OFD_SETLK, &far) && !flock(dir, LOCK_EX));
	subject_ready();
	far.l_start++;
	far.l_len = 1;
	CHECK(fcntl(other, F_OFD_SETLK, &far) && errno == EAGAIN);
	far.l_start = 0;
	far.l_len = 1LL << 40;
	CHECK(!fcntl(other, F_OFD_SETLK, &far));
	CHECK(flock(dir2, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK);
}

REFUSE(lease, EOPNOTSUPP, "lease")
{
	int fd = make("leased", O_RDONLY, "x");

	CHECK(!fcntl(fd, F_SETLEASE, F_RDLCK));
	subject_ready();
}

REFUSE(unlinked, EOPNOTSUPP, "unlinked")
{
	/* on a disk: in a tmpfs it would be saved */
	CHECK(open("/var/tmp/ckpt-gone", O_CREAT | O_RDWR, 0600) >= 0);
	CHECK(!unlink("/var/tmp/ckpt-gone"));
	subject_ready();
}

static void subject_socket(int family, int type)
{
	CHECK(socket(family, type, 0) >= 0);
	subject_ready();
}

REFUSE(inet_socket, EOPNOTSUPP, "socket (AF_INET): not supported")
{
	subject_socket(AF_INET, SOCK_STREAM);
}

REFUSE(inet6_socket, EOPNOTSUPP, "socket (AF_INET6): not supported")
{
	subject_socket(AF_INET6, SOCK_DGRAM);
}

REFUSE(netlink_socket, EOPNOTSUPP, "socket (AF_NETLINK): not supported")
{
	subject_socket(AF_NETLINK, SOCK_RAW);
}

REFUSE(packet_socket, EOPNOTSUPP, "socket (AF_PACKET): not supported")
{
	subject_socket(AF_PACKET, SOCK_RAW);
}

REFUSE(unix_socket, EOPNOTSUPP, "socket (AF_UNIX): not supported")
{
	int fds[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	subject_ready();
}

REFUSE(unlinked_fifo, EOPNOTSUPP, ": unlinked")
{
	CHECK(!mkfifo("fifo", 0600) && open("fifo", O_RDWR) >= 0 && !unlink("fifo"));
	subject_ready();
}

#ifndef O_NOTIFICATION_PIPE
#define O_NOTIFICATION_PIPE	O_EXCL
#endif

static int notification_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_NOTIFICATION_PIPE))
		return -1;
	close(fds[1]);
	return fds[0];
}

static bool has_notification_pipes(void)
{
	int fd = notification_pipe();

	close(fd);
	return fd >= 0;
}

REFUSE_IF(watch_queue, has_notification_pipes(), "no CONFIG_WATCH_QUEUE", EOPNOTSUPP,
	  "notification pipe: not supported")
{
	CHECK(notification_pipe() >= 0);
	subject_ready();
}

REFUSE(character_device, EOPNOTSUPP, "loop-control (10:237): not supported; use --external fd:N")
{
	CHECK(open("/dev/loop-control", O_RDWR) >= 0);
	subject_ready();
}

/* Whatever it is the device of, or of nothing */
REFUSE(block_device, EOPNOTSUPP, "loop0 (7:0): not supported; use --external fd:N")
{
	CHECK(open("/dev/loop0", O_RDONLY) >= 0);
	subject_ready();
}

/* A file that may have a state of its own behind it */
REFUSE(file_of_a_special_file_system, EOPNOTSUPP, "file on securityfs: not supported")
{
	CHECK(!mkdir("special", 0700) && !mount("none", "special", "securityfs", 0, NULL));
	CHECK(open("special/lsm", O_RDONLY) >= 0);
	subject_ready();
	CHECK(!umount2("special", MNT_DETACH));
}

REFUSE(unlinked_on_a_mount_that_is_gone, EOPNOTSUPP, "its mount: ")
{
	CHECK(!mkdir("lost", 0700) && !mount("none", "lost", "tmpfs", 0, NULL));
	CHECK(open("lost/file", O_CREAT | O_RDWR, 0600) >= 0 && !unlink("lost/file"));
	CHECK(!umount2("lost", MNT_DETACH));
	subject_ready();
}

REFUSE(epoll, EOPNOTSUPP, "epoll")
{
	CHECK(epoll_create1(0) >= 0);
	subject_ready();
}

REFUSE(timerfd, EOPNOTSUPP, "timerfd")
{
	CHECK(timerfd_create(CLOCK_MONOTONIC, 0) >= 0);
	subject_ready();
}

REFUSE(signalfd, EOPNOTSUPP, "signalfd")
{
	sigset_t set;

	sigemptyset(&set);
	CHECK(signalfd(-1, &set, 0) >= 0);
	subject_ready();
}

REFUSE(inotify, EOPNOTSUPP, "inotify")
{
	CHECK(inotify_init() >= 0);
	subject_ready();
}

REFUSE(fanotify, EOPNOTSUPP, "fanotify")
{
	CHECK(fanotify_init(FAN_CLASS_NOTIF, O_RDONLY) >= 0);
	subject_ready();
}

REFUSE(pidfd, EOPNOTSUPP, "pidfd")
{
	CHECK(syscall(SYS_pidfd_open, getpid(), 0) >= 0);
	subject_ready();
}

REFUSE(namespace, EOPNOTSUPP, "namespace")
{
	CHECK(open("/proc/self/ns/uts", O_RDONLY) >= 0);
	subject_ready();
}

REFUSE(file_of_a_process, EOPNOTSUPP, "belongs to one process")
{
	CHECK(open("/proc/self/status", O_RDONLY) >= 0);
	subject_ready();
}

static bool has_pressure(void)
{
	return !access("/proc/pressure/cpu", W_OK);
}

static void set_trigger(const char *path)
{
	static const char trigger[] = "some 100000 2000000";
	int fd = open(path, O_RDWR | O_NONBLOCK);

	CHECK(fd >= 0 && write(fd, trigger, sizeof(trigger)) == sizeof(trigger));
}

REFUSE_IF(pressure_trigger, has_pressure(), "no PSI", EOPNOTSUPP, "pressure stall trigger")
{
	set_trigger("/proc/pressure/memory");
	subject_ready();
}

#define CGROUP "/sys/fs/cgroup/ckpt-files"

static bool has_cgroup_pressure(void)
{
	bool has = !mkdir(CGROUP, 0755) && !access(CGROUP "/cpu.pressure", W_OK);

	rmdir(CGROUP);
	return has;
}

REFUSE_IF(pressure_trigger_of_a_cgroup, has_cgroup_pressure(), "no PSI of cgroups",
	  EOPNOTSUPP, "pressure stall trigger")
{
	CHECK(!mkdir(CGROUP, 0755));
	set_trigger(CGROUP "/cpu.pressure");
	subject_ready();
	CHECK(!rmdir(CGROUP));
}

static bool has_peak(void)
{
	int fd = open("/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY);
	bool has = write(fd, "+memory", 7) == 7;

	close(fd);
	mkdir(CGROUP, 0755);
	has &= !access(CGROUP "/memory.peak", W_OK);
	rmdir(CGROUP);
	return has;
}

REFUSE_IF(peak_of_a_cgroup, has_peak(), "no memory.peak", EOPNOTSUPP, "peak since it was reset")
{
	int fd;

	CHECK(!mkdir(CGROUP, 0755));
	fd = open(CGROUP "/memory.peak", O_RDWR);
	CHECK(fd >= 0 && write(fd, "reset", 5) == 5);
	subject_ready();
	CHECK(!rmdir(CGROUP));
}

SURVIVE_IF(pressure, has_pressure(), "no PSI")
{
	int fd = open("/proc/pressure/cpu", O_RDONLY);
	char buf[4];

	CHECK(fd >= 0);
	subject_ready();
	CHECK(read(fd, buf, 4) == 4 && !memcmp(buf, "some", 4));
}

static int make_bpf_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
				.max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static bool has_bpf(void)
{
	int fd = make_bpf_map();

	close(fd);
	return fd >= 0;
}

REFUSE_IF(bpf_map, has_bpf(), "no CONFIG_BPF_SYSCALL", EOPNOTSUPP, "bpf-map")
{
	CHECK(make_bpf_map() >= 0);
	subject_ready();
}

static bool has_mqueue(void)
{
	return mq_open("/ckpt-none", O_RDONLY) == -1 && errno == ENOENT;
}

REFUSE_IF(message_queue, has_mqueue(), "no CONFIG_POSIX_MQUEUE", EOPNOTSUPP, "mqueue")
{
	CHECK(mq_open("/ckpt-test", O_CREAT | O_RDWR, 0600, NULL) >= 0);
	CHECK(!mq_unlink("/ckpt-test"));
	subject_ready();
}

#define DEBUGFS_FILE	"/sys/kernel/debug/clear_warn_once"

REFUSE_IF(debugfs, !access(DEBUGFS_FILE, F_OK), "no debugfs", EOPNOTSUPP, "file on debugfs")
{
	CHECK(open(DEBUGFS_FILE, O_WRONLY) >= 0);
	subject_ready();
}

REFUSE_IF(memory_type_ranges, !access("/proc/mtrr", F_OK), "no CONFIG_MTRR", EOPNOTSUPP,
	  "memory type ranges that last until it is closed")
{
	CHECK(open("/proc/mtrr", O_RDWR) >= 0);
	subject_ready();
}

static void make_pipe(int *fds)
{
	CHECK(!pipe(fds));
}

REFUSE(signal_owner, EOPNOTSUPP, "signal owner")
{
	int fds[2];

	make_pipe(fds);
	CHECK(!fcntl(fds[0], F_SETOWN, getpid()));
	subject_ready();
}

REFUSE(signal_instead_of_sigio, EOPNOTSUPP, "signal owner")
{
	int fds[2];

	make_pipe(fds);
	CHECK(!fcntl(fds[0], F_SETSIG, SIGUSR1));
	subject_ready();
}

REFUSE(signal_driven, EOPNOTSUPP, "O_ASYNC")
{
	int fds[2];

	make_pipe(fds);
	CHECK(!fcntl(fds[0], F_SETFL, O_ASYNC));
	subject_ready();
}

REFUSE(dnotify, EOPNOTSUPP, "F_NOTIFY")
{
	int fd = open("/", O_RDONLY);

	CHECK(!fcntl(fd, F_NOTIFY, DN_ATTRIB));
	subject_ready();
}

struct terminal {
	int master, slave;
};

static struct terminal open_controlling_terminal(void)
{
	struct terminal t = { .master = posix_openpt(O_RDWR | O_NOCTTY) };

	CHECK(t.master >= 0 && !grantpt(t.master) && !unlockpt(t.master));
	t.slave = open(ptsname(t.master), O_RDWR);
	CHECK(t.slave >= 0 && tcgetsid(t.master) == getpid());
	return t;
}

/* It is hung up, and nobody has it open any more. */
static void close_terminal(struct terminal t)
{
	CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
	CHECK(!close(t.master) && !close(t.slave));
	CHECK(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
}

REFUSE(controlling_terminal, EOPNOTSUPP, "leads a session that has a controlling terminal")
{
	open_controlling_terminal();
	subject_ready();
}

static void lead_session(int go, int told)
{
	pid_t kid;
	char c;

	CHECK(setsid() > 0);
	kid = fork();
	if (!kid)
		subject_idle_for_ever(NULL);
	close_terminal(open_controlling_terminal());
	CHECK_EQ(write(told, &kid, sizeof(kid)), sizeof(kid));
	CHECK_EQ(read(go, &c, 1), 1);
	_exit(0);
}

/* What was in its foreground is hung up once more when the session ends. */
SURVIVE(hung_up_terminal)
{
	int go[2], told[2], status;
	pid_t leader, kid;

	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	CHECK(!pipe(go) && !pipe(told));
	leader = fork();
	if (!leader)
		lead_session(go[0], told[1]);
	CHECK_EQ(read(told[0], &kid, sizeof(kid)), sizeof(kid));
	subject_ready();
	CHECK_EQ(write(go[1], "", 1), 1);
	CHECK_EQ(waitpid(leader, &status, 0), leader);
	CHECK_EQ(status, 0);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

REFUSE(pty, EOPNOTSUPP, "--external")
{
	CHECK(open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0);
	subject_ready();
}

TEST_HARNESS_MAIN
