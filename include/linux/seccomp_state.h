/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a seccomp filter consists of, for whoever saves and restores filters.
 */
#ifndef _LINUX_SECCOMP_STATE_H
#define _LINUX_SECCOMP_STATE_H

#include <linux/types.h>

struct seccomp_filter;
struct sock_fprog_kern;

/**
 * struct seccomp_filter_state - a filter without its users
 * @prog: the program as it was given to seccomp(2)
 * @prev: the filter that it was installed upon, or NULL
 * @log: SECCOMP_FILTER_FLAG_LOG
 * @listener: somebody listens by SECCOMP_FILTER_FLAG_NEW_LISTENER; not for
 *	seccomp_filter_create()
 *
 * Filters do not change once they are in use.
 */
struct seccomp_filter_state {
	const struct sock_fprog_kern *prog;
	struct seccomp_filter *prev;
	bool log;
	bool listener;
};

/* A reference, and being a user: a filter without users tells its listener. */
void seccomp_filter_hold(struct seccomp_filter *filter);
void seccomp_filter_drop(struct seccomp_filter *filter);

/* @state refers to what @filter holds. */
void seccomp_filter_get_state(struct seccomp_filter *filter, struct seccomp_filter_state *state);

/*
 * A filter upon state->prev, which the caller holds; seccomp_filter_drop()
 * undoes it. The program is checked as seccomp(2) does; who may install it is
 * up to the caller. Sleeps. -EINVAL or -ENOMEM.
 */
struct seccomp_filter *seccomp_filter_create(const struct seccomp_filter_state *state);

/*
 * Makes @filter, and those that it stands upon, the filters of current, which
 * has had the lower ones before. Does not touch the speculation controls.
 * -EINVAL if that would take a filter away, or current is in strict mode.
 */
int seccomp_filter_adopt(struct seccomp_filter *filter);

#endif /* _LINUX_SECCOMP_STATE_H */
