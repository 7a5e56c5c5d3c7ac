// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for the root of a restarted tree: signals are passed on to it, and a
 * job gets the terminal, as in a shell.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ckpt.h"

struct terminal {
	int fd;		/* -1: not ours to give */
	pid_t job;	/* process group of the job */
};

/* tcsetpgrp() from the background would stop us. */
static void set_foreground(const struct terminal *tty, pid_t group)
{
	sigset_t ttou, old;

	if (tty->fd < 0)
		return;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	tcsetpgrp(tty->fd, group);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* A job in a group of its own gets the terminal if we have it. */
static void give_terminal(struct terminal *tty)
{
	if (tty->fd >= 0 && tcgetpgrp(tty->fd) == getpgrp())
		set_foreground(tty, tty->job);
}

static void take_terminal(struct terminal *tty)
{
	if (tty->fd >= 0 && tcgetpgrp(tty->fd) == tty->job)
		set_foreground(tty, getpgrp());
}

static void open_terminal(struct terminal *tty, pid_t root, bool shell_job)
{
	*tty = (struct terminal) { .fd = -1, .job = getpgid(root) };
	if (!shell_job || tty->job < 0 || tty->job == getpgrp() ||
	    getsid(root) != getsid(0))
		return;
	tty->fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
}

static void continue_job(const struct terminal *tty, pid_t root)
{
	kill(tty->fd < 0 ? root : -tty->job, SIGCONT);
}

/* Stops as the job has stopped, so that the shell that runs us takes over. */
static void stop_with(struct terminal *tty, pid_t root)
{
	take_terminal(tty);
	raise(SIGSTOP);
	give_terminal(tty);
	continue_job(tty, root);
}

/* It wanted the terminal before it was given to it. */
static bool was_too_early(const struct terminal *tty, int signal)
{
	return (signal == SIGTTIN || signal == SIGTTOU) && tty->fd >= 0 &&
	       tcgetpgrp(tty->fd) == tty->job;
}

/*
 * What the terminal sends reaches the whole foreground group: the root has
 * had it already if it is in ours.
 */
static bool has_had(const struct signalfd_siginfo *info, pid_t root)
{
	return info->ssi_code == SI_KERNEL && getpgid(root) == getpgrp();
}

/* Tells whether the root has ended; *status is an exit status then. */
static bool has_ended(struct terminal *tty, pid_t root, bool shell_job, int *status)
{
	int options = __WALL | WNOHANG | (shell_job ? WUNTRACED : 0);
	int wstatus;

	while (waitpid(root, &wstatus, options) == root) {
		if (WIFSTOPPED(wstatus)) {
			if (was_too_early(tty, WSTOPSIG(wstatus)))
				continue_job(tty, root);
			else
				stop_with(tty, root);
			continue;
		}
		*status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
		return true;
	}
	return false;
}

static void pass_on(int signal_fd, pid_t root)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && !has_had(&info, root))
			kill(root, info.ssi_signo);
}

/* They were blocked since before restart(2): what came meanwhile is waiting. */
static int block_signals(void)
{
	sigset_t set;

	watch_signals(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The pidfd tells of the end even if the root sends another signal than SIGCHLD. */
int wait_for_root(pid_t root, bool shell_job)
{
	struct pollfd fds[] = {
		{ .fd = block_signals(), .events = POLLIN },
		{ .fd = syscall(SYS_pidfd_open, root, 0), .events = POLLIN },
	};
	struct terminal tty;
	int status;

	open_terminal(&tty, root, shell_job);
	give_terminal(&tty);
	while (!has_ended(&tty, root, shell_job, &status)) {
		poll(fds, 2, -1);
		pass_on(fds[0].fd, root);
	}
	take_terminal(&tty);
	return status;
}
