// SPDX-License-Identifier: GPL-2.0
/*
 * An image file on its way: it has no name, or a temporary one beside the final
 * one, until it is complete and on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libckpt.h"

struct ckpt_output {
	int fd;
	bool keep;
	char *path;		/* NULL if written to directly */
	char name[PATH_MAX];	/* empty as long as the file has none */
};

/* A link keeps pointing to the image; what it points to is replaced. */
static char *final_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path);
}

/* Opens the directory that @path is in; O_TMPFILE makes that a new file in it. */
static int open_directory(const char *path, int flags)
{
	char *copy = strdup(path);
	int fd;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), flags | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = -errno;
	free(copy);
	return fd;
}

static int open_unnamed(struct ckpt_output *out)
{
	out->fd = open_directory(out->path, O_TMPFILE | O_RDWR);
	return out->fd < 0 ? out->fd : 0;
}

static int open_named(struct ckpt_output *out)
{
	int len = snprintf(out->name, sizeof(out->name), "%s.XXXXXX", out->path);

	if (len >= (int)sizeof(out->name))
		return -ENAMETOOLONG;
	out->fd = mkostemp(out->name, O_CLOEXEC);
	return out->fd < 0 ? -errno : 0;
}

/*
 * A file without a name needs nobody to remove it. Not every file system has
 * that, and a file that is to be kept whatever happens must have a name.
 *
 * The image holds the memory of the processes: nobody else may read it, unless
 * the file of the final name says so already.
 */
static int open_beside(struct ckpt_output *out, const char *path)
{
	struct stat st;
	int ret;

	out->path = final_path(path);
	if (!out->path)
		return -ENOMEM;
	if (out->keep || open_unnamed(out)) {
		ret = open_named(out);
		if (ret)
			return ret;
	}
	if (!stat(out->path, &st))
		(void)!fchmod(out->fd, st.st_mode & 0666);
	return 0;
}

static int open_directly(struct ckpt_output *out, const char *path)
{
	out->fd = open(path, O_WRONLY | O_CLOEXEC);
	return out->fd < 0 ? -errno : 0;
}

int ckpt_output_open(const char *path, bool keep, struct ckpt_output **result)
{
	struct ckpt_output *out = calloc(1, sizeof(*out));
	struct stat st;
	int ret;

	if (!out)
		return -ENOMEM;
	out->fd = -1;
	out->keep = keep;
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
	return out->name[0] ? out->name : NULL;
}

static int sync_directory(const char *path)
{
	int fd = open_directory(path, O_RDONLY | O_DIRECTORY);
	int ret = 0;

	if (fd < 0)
		return fd;
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

/* Takes no privilege and no /proc on the kernels that can checkpoint. */
static int link_unnamed(const struct ckpt_output *out, const char *name)
{
	return linkat(out->fd, "", AT_FDCWD, name, AT_EMPTY_PATH);
}

/* link() does not replace a file: that takes a second name, and rename(). */
static int link_beside(struct ckpt_output *out)
{
	unsigned int random;
	int len;

	do {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		len = snprintf(out->name, sizeof(out->name), "%s.%06x", out->path,
			       random & 0xffffff);
		if (len >= (int)sizeof(out->name))
			return -ENAMETOOLONG;
		if (!link_unnamed(out, out->name))
			return rename(out->name, out->path) ? -errno : 0;
	} while (errno == EEXIST);
	return -errno;
}

static int give_name(struct ckpt_output *out)
{
	if (out->name[0])
		return rename(out->name, out->path) ? -errno : 0;
	if (!link_unnamed(out, out->path))
		return 0;
	return errno == EEXIST ? link_beside(out) : -errno;
}

static void remove_name(const struct ckpt_output *out)
{
	if (out->name[0])
		unlink(out->name);
}

static void release(struct ckpt_output *out)
{
	close(out->fd);
	free(out->path);
	free(out);
}

int ckpt_output_commit(struct ckpt_output *out)
{
	int ret = 0;

	if (!out->path)
		goto out;
	ret = make_durable(out);
	if (!ret)
		ret = give_name(out);
	if (ret && !out->keep)
		remove_name(out);
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
	remove_name(out);
	release(out);
}
