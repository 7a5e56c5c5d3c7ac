// SPDX-License-Identifier: GPL-2.0
/*
 * The two system calls.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/checkpoint.h>

#include "external.h"
#include "libckpt.h"
#include "log.h"

int ckpt_checkpoint(pid_t pid, uint64_t flags, int image_fd,
		    const struct ckpt_externals *externals, struct ckpt_log *log)
{
	struct checkpoint_args args = {
		.flags = flags,
		.pid = pid,
		.pidfd = -1,
		.image_fd = image_fd,
		.log_fd = ckpt_log_begin(log),
		.externals = (uintptr_t)ckpt_externals_array(externals),
		.nr_externals = ckpt_externals_count(externals),
	};
	long ret;

	ret = syscall(__NR_checkpoint_x86_64, &args, sizeof(args));
	if (ret < 0)
		ret = -errno;
	ckpt_log_end(log);
	return ret;
}

pid_t ckpt_restart(uint64_t flags, int image_fd, const struct ckpt_externals *externals,
		   struct ckpt_log *log)
{
	struct restart_args args = {
		.flags = flags,
		.image_fd = image_fd,
		.log_fd = ckpt_log_begin(log),
		.externals = (uintptr_t)ckpt_externals_array(externals),
		.nr_externals = ckpt_externals_count(externals),
	};
	long ret;

	ret = syscall(__NR_restart_x86_64, &args, sizeof(args));
	if (ret < 0)
		ret = -errno;
	ckpt_log_end(log);
	return ret;
}

const char *ckpt_strerror(int error)
{
	if (error < 0)
		error = -error;
	if (error == ENOSYS)
		return "this kernel has no checkpoint support (CONFIG_CHECKPOINT)";
	return strerror(error);
}
