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

static bool is_image(int fd, const char *image, int image_fd)
{
	struct stat log, st;

	if (fstat(fd, &log) || (image ? stat(image, &st) : fstat(image_fd, &st)))
		return false;
	return is_same_file(&log, &st);
}

/* It is emptied only when it is known not to be the image. */
static int begin_log(int fd, const char *path, const char *image, int image_fd)
{
	if (is_image(fd, image, image_fd)) {
		complain("%s: the log and the image are the same file", path);
		return -1;
	}
	/* EINVAL: a pipe or a device, which has no length */
	if (!ftruncate(fd, 0) || errno == EINVAL)
		return 0;
	complain("%s: %s", path, strerror(errno));
	return -1;
}

int report_log_open(const char *path, const char *image, int image_fd, int *fd)
{
	if (!path)
		return 0;
	*fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (*fd >= 0)
		return begin_log(*fd, path, image, image_fd);
	complain("%s: %s", path, strerror(errno));
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
