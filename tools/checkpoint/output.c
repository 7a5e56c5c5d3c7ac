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
	int dir;		/* of the final name; -1 if it cannot be synced */
	bool keep;
	char *path;		/* NULL if written to directly */
	char name[PATH_MAX];	/* empty as long as the file has none */
};

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

/*
 * A link to a file keeps pointing to the image; one that leads nowhere is replaced.
 *
 * @old is what stat() has found, or NULL. realpath() reads links that the kernel
 * does not follow for us (those of others in a sticky directory), so it must have
 * come to the same file.
 */
static int find_final_path(struct ckpt_output *out, const char *path, const struct stat *old)
{
	struct stat st;

	out->path = old ? realpath(path, NULL) : strdup(path);
	if (!out->path)
		return -errno;
	if (!old)
		return 0;
	if (lstat(out->path, &st))
		return -errno;
	return st.st_dev == old->st_dev && st.st_ino == old->st_ino ? 0 : -ELOOP;
}

/* Who may write to a directory but not read it cannot sync it. */
static int find_directory(struct ckpt_output *out)
{
	out->dir = open_directory(out->path, O_RDONLY | O_DIRECTORY);
	if (out->dir >= 0)
		return 0;
	return out->dir == -EACCES ? 0 : out->dir;
}

static int sync_directory(const struct ckpt_output *out)
{
	/* not every file system can, and then there is nothing to be done */
	if (out->dir >= 0 && fsync(out->dir) && errno != EINVAL)
		return -errno;
	return 0;
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

static void remove_name(const struct ckpt_output *out)
{
	if (out->name[0])
		unlink(out->name);
}

/* The processes may be gone as soon as the image is on disk: its name must be, too. */
static int open_kept(struct ckpt_output *out)
{
	int ret = open_named(out);

	if (ret)
		return ret;
	ret = sync_directory(out);
	if (ret)
		remove_name(out);
	return ret;
}

/*
 * A file without a name needs nobody to remove it. Not every file system has
 * that, and a file that is to be kept whatever happens must have a name.
 *
 * The image holds the memory of the processes: nobody else may read it, unless
 * our own file of the final name says so already.
 */
static int open_beside(struct ckpt_output *out, const char *path, const struct stat *old)
{
	int ret = find_final_path(out, path, old);

	if (!ret)
		ret = find_directory(out);
	if (ret)
		return ret;
	if (out->keep)
		ret = open_kept(out);
	else if (open_unnamed(out))
		ret = open_named(out);
	if (!ret && old && old->st_uid == geteuid())
		(void)!fchmod(out->fd, old->st_mode & 0666);
	return ret;
}

static int open_directly(struct ckpt_output *out, const char *path)
{
	out->fd = open(path, O_WRONLY | O_CLOEXEC);
	return out->fd < 0 ? -errno : 0;
}

static int open_output(struct ckpt_output *out, const char *path)
{
	struct stat st;

	if (!stat(path, &st))
		return S_ISREG(st.st_mode) ? open_beside(out, path, &st) :
					     open_directly(out, path);
	if (errno != ENOENT || !*path)
		return -errno;
	/* no file can get such a name, which would turn out at the end only */
	if (path[strlen(path) - 1] == '/')
		return -EISDIR;
	return open_beside(out, path, NULL);
}

static void release(struct ckpt_output *out)
{
	if (out->fd >= 0)
		close(out->fd);
	if (out->dir >= 0)
		close(out->dir);
	free(out->path);
	free(out);
}

int ckpt_output_open(const char *path, bool keep, struct ckpt_output **result)
{
	struct ckpt_output *out = calloc(1, sizeof(*out));
	int ret;

	if (!out)
		return -ENOMEM;
	out->fd = -1;
	out->dir = -1;
	out->keep = keep;
	ret = open_output(out, path);
	if (ret)
		release(out);
	else
		*result = out;
	return ret;
}

int ckpt_output_fd(const struct ckpt_output *out)
{
	return out->fd;
}

const char *ckpt_output_name(const struct ckpt_output *out)
{
	return out->name[0] ? out->name : NULL;
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
		ret = sync_directory(out);
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
