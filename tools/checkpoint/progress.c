// SPDX-License-Identifier: GPL-2.0
/*
 * A line on the terminal that tells how far a long call has come. The call
 * itself stays in the main thread: it is the parent of what it restarts.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ckpt.h"

#define QUIET_MS	700	/* what takes less needs no progress line */
#define PERIOD_MS	200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wakeup;
static pthread_t thread;
static bool running, stopping;
static const char *title;
static int watched;
static bool is_input;

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

	if (fstat(watched, &st) || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "\r%s: %.0f s\033[K", title, seconds);
		return;
	}
	done = is_input ? lseek(watched, 0, SEEK_CUR) : st.st_size;
	fprintf(stderr, "\r%s: %.0f MiB", title, done / mib);
	if (is_input && st.st_size)
		fprintf(stderr, " (%.0f %%)", 100.0 * done / st.st_size);
	fprintf(stderr, ", %.0f MiB/s\033[K", done / mib / seconds);
}

static bool wait_until(double when)
{
	struct timespec ts = { .tv_sec = when, .tv_nsec = (when - (time_t)when) * 1e9 };

	if (!stopping)
		pthread_cond_timedwait(&wakeup, &lock, &ts);
	return !stopping;
}

static void *watch(void *arg)
{
	double start = now();
	double next = start + QUIET_MS / 1e3;
	bool shown = false;

	(void)arg;
	pthread_mutex_lock(&lock);
	while (wait_until(next)) {
		if (now() < next)
			continue;
		show(now() - start);
		shown = true;
		next = now() + PERIOD_MS / 1e3;
	}
	pthread_mutex_unlock(&lock);
	if (shown)
		fputs("\r\033[K", stderr);
	return NULL;
}

/* Signals are for the main thread: the call that it is in must see them. */
static int start_thread(void)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	ret = pthread_create(&thread, NULL, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

void progress_start(const char *what, int fd, bool reading)
{
	pthread_condattr_t attr;

	if (!isatty(STDERR_FILENO))
		return;
	title = what;
	watched = fd;
	is_input = reading;
	stopping = false;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&wakeup, &attr);
	running = !start_thread();
}

void progress_stop(void)
{
	if (!running)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&wakeup);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	running = false;
}
