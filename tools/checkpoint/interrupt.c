// SPDX-License-Identifier: GPL-2.0
/*
 * Signals that ask us to end: a system call is interrupted, so that what is
 * half done can be undone; the second of a kind kills us nevertheless.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "ckpt.h"

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, 0 };
static atomic_uint_least64_t came;

static void note(int signal)
{
	atomic_fetch_or(&came, 1ULL << signal);
}

const int *interrupt_signals(void)
{
	return caught;
}

void interrupt_catch(void)
{
	struct sigaction act = { .sa_handler = note, .sa_flags = SA_RESETHAND };
	struct sigaction old;

	for (const int *sig = caught; *sig; sig++) {
		/* nohup, and background jobs of a shell without job control */
		if (!sigaction(*sig, NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		sigaction(*sig, &act, NULL);
	}
}

uint64_t interrupt_take(void)
{
	return atomic_exchange(&came, 0);
}

void interrupt_die(uint64_t signals)
{
	for (const int *sig = caught; *sig; sig++) {
		if (!(signals & 1ULL << *sig))
			continue;
		signal(*sig, SIG_DFL);
		raise(*sig);
	}
}
