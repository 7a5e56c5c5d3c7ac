/* SPDX-License-Identifier: GPL-2.0 */
/* Capabilities of the calling thread, without libcap. */
#ifndef _CKPT_CAPS_H
#define _CKPT_CAPS_H

#include <linux/capability.h>

#include "ckpt_test.h"

static inline void caps_get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	CHECK(!syscall(SYS_capget, &head, data));
}

static inline void caps_set(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	CHECK(!syscall(SYS_capset, &head, data));
}

/* A set of capabilities is the bits (1ULL << CAP_...) of a number. */

/* Does without some of them for the time being. */
static inline void caps_lower(uint64_t caps)
{
	struct __user_cap_data_struct data[2];

	caps_get(data);
	for (int i = 0; i < 2; i++)
		data[i].effective &= ~(caps >> 32 * i);
	caps_set(data);
}

/* Gives some of them up for good. */
static inline void caps_drop(uint64_t caps)
{
	struct __user_cap_data_struct data[2];

	caps_get(data);
	for (int i = 0; i < 2; i++) {
		data[i].effective &= ~(caps >> 32 * i);
		data[i].permitted &= ~(caps >> 32 * i);
		data[i].inheritable &= ~(caps >> 32 * i);
	}
	caps_set(data);
}

#endif /* _CKPT_CAPS_H */
