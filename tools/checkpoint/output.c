// SPDX-License-Identifier: GPL-2.0
/*
 * An image file on its way: it has a temporary name beside the final one until
 * it is complete and on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libckpt.h"

struct ckpt_output {
	int fd;
	char *path;		/* NULL if written to directly */
	char name[PATH_MAX];
};

/* A link keeps pointing to the image; what it points to is replaced. */
static char *final_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path);
}

/*
 * The image holds the memory of the processes: nobody else may read it, unless
 * the file of that name says so already.
 */
static int open_beside(struct ckpt_output *out, const char *path)
{
	struct stat st;
	int len;

	out->path = final_path(path);
	if (!out->path)
		return -ENOMEM;
	len = snprintf(out->name, sizeof(out->name), "%s.XXXXXX", out->path);
	if (len >= (int)sizeof(out->name))
		return -ENAMETOOLONG;
	out->fd = mkostemp(out->name, O_CLOEXEC);
	if (out->fd < 0)
		return -errno;
	if (!stat(out->path, &st))
		(void)!fchmod(out->fd, st.st_mode & 0666);
	return 0;
}

static int open_directly(struct ckpt_output *out, const char *path)
{
	out->fd = open(path, O_WRONLY | O_CLOEXEC);
	return out->fd < 0 ? -errno : 0;
}

int ckpt_output_open(const char *path, struct ckpt_output **result)
{
	struct ckpt_output *out = calloc(1, sizeof(*out));
	struct stat st;
	int ret;

	if (!out)
		return -ENOMEM;
	out->fd = -1;
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		ret = open_directly(out, path);
	else
		ret = open_beside(out, path);
	if (ret) {
		free(out->path);
		free(out);
		return ret;
	}
	*result = out;
	return 0;
}

int ckpt_output_fd(const struct ckpt_output *out)
{
	return out->fd;
}

const char *ckpt_output_name(const struct ckpt_output *out)
{
	return out->path ? out->name : NULL;
}

static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int ret = 0;
	int fd;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -errno;
	/* not every file system can, and then there is nothing to be done */
	if (fsync(fd) && errno != EINVAL)
		ret = -errno;
	close(fd);
	return ret;
}

static int make_durable(const struct ckpt_output *out)
{
	if (fsync(out->fd) && errno != EINVAL)
		return -errno;
	return 0;
}

static void release(struct ckpt_output *out)
{
	close(out->fd);
	free(out->path);
	free(out);
}

int ckpt_output_commit(struct ckpt_output *out, bool keep)
{
	int ret = 0;

	if (!out->path)
		goto out;
	ret = make_durable(out);
	if (!ret && rename(out->name, out->path))
		ret = -errno;
	if (ret && !keep)
		unlink(out->name);
	if (!ret)
		ret = sync_directory(out->path);
out:
	release(out);
	return ret;
}

void ckpt_output_discard(struct ckpt_output *out)
{
	if (!out)
		return;
	if (out->path)
		unlink(out->name);
	release(out);
}
