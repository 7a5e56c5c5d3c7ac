// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's log of a call: one line for each entry, "level errno pid object
 * message".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libckpt.h"
#include "log.h"

struct ckpt_log {
	char *text;		/* as the kernel wrote it */
	size_t len;
	char *lines;		/* copy that the entries point into */
	struct ckpt_log_entry *entries;
	size_t nr;
	int fd;			/* while a call runs */
};

struct ckpt_log *ckpt_log_new(void)
{
	struct ckpt_log *log = calloc(1, sizeof(*log));

	if (log)
		log->fd = -1;
	return log;
}

static void empty(struct ckpt_log *log)
{
	free(log->text);
	free(log->lines);
	free(log->entries);
	*log = (struct ckpt_log) { .fd = -1 };
}

void ckpt_log_free(struct ckpt_log *log)
{
	if (log)
		empty(log);
	free(log);
}

/* The log must hold all of a long list of obstacles: a pipe would fill up. */
int ckpt_log_begin(struct ckpt_log *log)
{
	if (!log)
		return -1;
	empty(log);
	log->fd = memfd_create("ckpt-log", MFD_CLOEXEC);
	return log->fd;
}

static char *read_all(int fd, size_t *len)
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t done = 0;
	char *text;

	if (size < 0)
		return NULL;
	text = malloc(size + 1);
	if (!text)
		return NULL;
	while (done < (size_t)size) {
		ssize_t n = pread(fd, text + done, size - done, done);

		if (n <= 0)
			break;
		done += n;
	}
	text[done] = '\0';
	*len = done;
	return text;
}

static enum ckpt_log_level parse_level(const char *word)
{
	switch (*word) {
	case 'e':	/* error */
	case 'r':	/* refuse */
		return CKPT_LOG_ERROR;
	case 'w':	/* warn */
		return CKPT_LOG_WARNING;
	default:
		return CKPT_LOG_INFO;
	}
}

/* Cuts @line into words in place; what does not look right is all message. */
static struct ckpt_log_entry parse_line(char *line)
{
	struct ckpt_log_entry entry = { .level = CKPT_LOG_INFO, .object = "-" };
	char *word[4];

	for (int i = 0; i < 4; i++) {
		word[i] = line;
		line = strchr(line, ' ');
		if (!line) {
			entry.message = word[0];
			return entry;
		}
		line++;
	}
	for (int i = 0; i < 4; i++)
		*strchr(word[i], ' ') = '\0';
	entry.level = parse_level(word[0]);
	entry.error = abs(atoi(word[1]));
	entry.pid = atoi(word[2]);
	entry.object = word[3];
	entry.message = line;
	return entry;
}

static size_t count_lines(const char *text)
{
	size_t nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

static void parse(struct ckpt_log *log)
{
	char *line, *rest;

	log->lines = strdup(log->text);
	log->entries = calloc(count_lines(log->text) + 1, sizeof(*log->entries));
	if (!log->lines || !log->entries)
		return;
	for (line = strtok_r(log->lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log->entries[log->nr++] = parse_line(line);
}

void ckpt_log_end(struct ckpt_log *log)
{
	if (!log || log->fd < 0)
		return;
	log->text = read_all(log->fd, &log->len);
	close(log->fd);
	log->fd = -1;
	if (log->text)
		parse(log);
}

size_t ckpt_log_count(const struct ckpt_log *log)
{
	return log->nr;
}

const struct ckpt_log_entry *ckpt_log_get(const struct ckpt_log *log, size_t i)
{
	return i < log->nr ? &log->entries[i] : NULL;
}

const struct ckpt_log_entry *ckpt_log_error(const struct ckpt_log *log)
{
	for (size_t i = 0; i < log->nr; i++)
		if (log->entries[i].level == CKPT_LOG_ERROR)
			return &log->entries[i];
	return NULL;
}

const char *ckpt_log_text(const struct ckpt_log *log, size_t *len)
{
	if (len)
		*len = log->len;
	return log->text ? log->text : "";
}
