// SPDX-License-Identifier: GPL-2.0
/*
 * A thread beside a long call: it shows on the terminal how far the call has
 * come, and takes the signals that ask us to end. The call itself stays in the
 * main thread, which becomes the parent of what it restarts.
 *
 * Many calls take less time than a thread: there is none if there is nobody to
 * show anything, and nothing to be done when a signal comes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ckpt.h"

#define QUIET_S		0.7	/* what takes less needs no progress line */
#define PERIOD_NS	200000000

static pthread_t thread;
static struct watch watch;
static bool terminal, running, shown;

static bool is_ignored(int sig)
{
	struct sigaction action;

	return !sigaction(sig, NULL, &action) && action.sa_handler == SIG_IGN;
}

void watch_signals(sigset_t *set)
{
	static const int signals[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2,
	};

	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (!is_ignored(signals[i]))
			sigaddset(set, signals[i]);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void show(double seconds)
{
	const double mib = 1 << 20;
	struct stat st;
	off_t done;

	shown = true;
	if (fstat(watch.fd, &st) || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "\r%s: %.0f s\033[K", watch.title, seconds);
		fflush(stderr);
		return;
	}
	done = watch.reading ? lseek(watch.fd, 0, SEEK_CUR) : st.st_size;
	fprintf(stderr, "\r%s: %.0f MiB", watch.title, done / mib);
	if (watch.reading && st.st_size)
		fprintf(stderr, " (%.0f %%)", 100.0 * done / st.st_size);
	fprintf(stderr, ", %.0f MiB/s\033[K", done / mib / seconds);
	fflush(stderr);
}

static void erase(void)
{
	if (!shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}

/* Ends the process, and with it the call, which undoes what it has done. */
static void die(const sigset_t *set, int sig)
{
	erase();
	if (watch.interrupted)
		watch.interrupted(watch.arg);
	signal(sig, SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, set, NULL);
	raise(sig);
}

/* What watch_stop() ends the thread with: pthread_cancel() would load a library. */
static int stop_signal(void)
{
	return SIGRTMIN;
}

static void *run(void *arg)
{
	const struct timespec period = { .tv_nsec = PERIOD_NS };
	double start = now();
	sigset_t set, taken;
	int sig;

	(void)arg;
	watch_signals(&set);
	taken = set;
	sigaddset(&taken, stop_signal());
	while ((sig = sigtimedwait(&taken, NULL, &period)) != stop_signal()) {
		if (sig > 0)
			die(&set, sig);
		else if (terminal && now() - start > QUIET_S)
			show(now() - start);
	}
	return NULL;
}

void watch_start(const struct watch *what)
{
	sigset_t set;

	watch = *what;
	shown = false;
	terminal = isatty(STDERR_FILENO);
	if (!terminal && !watch.needed)
		return;
	watch_signals(&set);
	sigaddset(&set, stop_signal());
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	running = !pthread_create(&thread, NULL, run, NULL);
	/* without a thread the call must not become unstoppable */
	if (!running)
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void watch_stop(void)
{
	sigset_t set;

	if (!running) {
		watch_signals(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		return;
	}
	pthread_kill(thread, stop_signal());
	pthread_join(thread, NULL);
	running = false;
	erase();
}

void watch_unblock(void)
{
	sigset_t set;

	watch_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
