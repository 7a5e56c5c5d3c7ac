// SPDX-License-Identifier: GPL-2.0
/*
 * What the user gets to read of the kernel's log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ckpt.h"

#define WARNINGS_SHOWN	5

/* Most messages name the task themselves; the number of an object is for --log. */
void print_entry(FILE *to, const struct ckpt_log_entry *entry)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "pid %d ", entry->pid);
	if (entry->pid && !strstr(entry->message, pid))
		fprintf(to, "pid %d: ", entry->pid);
	fputs(entry->message, to);
}

void report_failure(int error, const struct ckpt_log *log, const char *fmt, ...)
{
	const struct ckpt_log_entry *entry = ckpt_log_error(log);
	va_list args;

	fputs("ckpt: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs(": ", stderr);
	if (entry)
		print_entry(stderr, entry);
	fprintf(stderr, entry ? " (%s)\n" : "%s\n", ckpt_strerror(error));
}

void report_warnings(const struct ckpt_log *log)
{
	const struct ckpt_log_entry *entry;
	unsigned int nr = 0;

	for (size_t i = 0; (entry = ckpt_log_get(log, i)); i++) {
		if (entry->level != CKPT_LOG_WARNING || nr++ >= WARNINGS_SHOWN)
			continue;
		fputs("ckpt: warning: ", stderr);
		print_entry(stderr, entry);
		fputc('\n', stderr);
	}
	if (nr > WARNINGS_SHOWN)
		complain("warning: %u more, see --log", nr - WARNINGS_SHOWN);
}

bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_image(const struct stat *log, const char *image, int image_fd)
{
	struct stat st;

	if (image ? stat(image, &st) : fstat(image_fd, &st))
		return false;
	return is_same_file(log, &st);
}

/* A file that is written to directly may be both. */
static bool is_pidfile(const struct stat *log, const char *pidfile)
{
	struct stat st;

	return pidfile && S_ISREG(log->st_mode) && !stat(pidfile, &st) && is_same_file(log, &st);
}

/* What else the log is to be, or NULL. */
static const char *other_use(int fd, const char *image, int image_fd, const char *pidfile)
{
	struct stat log;

	if (fstat(fd, &log))
		return NULL;
	if (is_image(&log, image, image_fd))
		return "image";
	return is_pidfile(&log, pidfile) ? "pidfile" : NULL;
}

static int open_log(const char *path, bool *created)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	*created = fd >= 0;
	return *created ? fd : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
}

static int empty_log(int fd, const char *path)
{
	/* EINVAL: a pipe or a device, which has no length */
	if (!ftruncate(fd, 0) || errno == EINVAL)
		return 0;
	complain("%s: %s", path, strerror(errno));
	return -1;
}

int report_log_open(const char *path, const char *image, int image_fd, const char *pidfile,
		    int *fd)
{
	const char *other;
	bool created;

	if (!path)
		return 0;
	*fd = open_log(path, &created);
	if (*fd < 0) {
		complain("%s: %s", path, strerror(errno));
		return -1;
	}
	other = other_use(*fd, image, image_fd, pidfile);
	if (!other)
		return empty_log(*fd, path);
	if (created)
		unlink(path);
	complain("%s: the log and the %s are the same file", path, other);
	return -1;
}

void report_log_write(int fd, const char *path, const struct ckpt_log *log)
{
	const char *text;
	size_t len;

	if (fd < 0)
		return;
	text = ckpt_log_text(log, &len);
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0) {
			complain("%s: %s", path, strerror(errno));
			return;
		}
		text += n;
		len -= n;
	}
}
