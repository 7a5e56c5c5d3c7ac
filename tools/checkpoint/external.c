// SPDX-License-Identifier: GPL-2.0
/*
 * Externals: keys, and the open files that they stand for.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "external.h"
#include "libckpt.h"

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY	(1024 + 3)
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL
#endif

struct ckpt_externals {
	struct checkpoint_external *array;
	unsigned int nr;
	unsigned int room;
};

struct ckpt_externals *ckpt_externals_new(void)
{
	return calloc(1, sizeof(struct ckpt_externals));
}

void ckpt_externals_free(struct ckpt_externals *set)
{
	if (!set)
		return;
	for (unsigned int i = 0; i < set->nr; i++) {
		free((char *)(uintptr_t)set->array[i].key);
		close(set->array[i].fd);
	}
	free(set->array);
	free(set);
}

const struct checkpoint_external *ckpt_externals_array(const struct ckpt_externals *set)
{
	return set ? set->array : NULL;
}

unsigned int ckpt_externals_count(const struct ckpt_externals *set)
{
	return set ? set->nr : 0;
}

static const struct checkpoint_external *find_key(const struct ckpt_externals *set,
						  const char *key)
{
	for (unsigned int i = 0; i < set->nr; i++)
		if (!strcmp((const char *)(uintptr_t)set->array[i].key, key))
			return &set->array[i];
	return NULL;
}

bool ckpt_externals_has(const struct ckpt_externals *set, const char *key)
{
	return find_key(set, key);
}

/* The two descriptors are one open file, not only the same name. */
static bool same_file(int fd1, int fd2)
{
	return fcntl(fd1, F_DUPFD_QUERY, fd2) == 1;
}

static bool has_file(const struct ckpt_externals *set, int fd)
{
	for (unsigned int i = 0; i < set->nr; i++)
		if (same_file(set->array[i].fd, fd))
			return true;
	return false;
}

static int make_room(struct ckpt_externals *set)
{
	struct checkpoint_external *array;
	unsigned int room = set->room ? 2 * set->room : 8;

	if (set->nr < set->room)
		return 0;
	if (set->nr == CHECKPOINT_EXTERNAL_MAX)
		return -E2BIG;
	array = reallocarray(set->array, room, sizeof(*array));
	if (!array)
		return -ENOMEM;
	set->array = array;
	set->room = room;
	return 0;
}

static int check_key(const struct ckpt_externals *set, const char *key)
{
	if (!*key)
		return -EINVAL;
	if (strlen(key) >= CHECKPOINT_KEY_MAX)
		return -ENAMETOOLONG;
	return find_key(set, key) ? -EEXIST : 0;
}

/* Takes over @fd, also when it fails. */
static int add_fd(struct ckpt_externals *set, const char *key, int fd)
{
	char *copy;
	int ret;

	ret = check_key(set, key);
	if (ret)
		goto err_fd;
	ret = make_room(set);
	if (ret)
		goto err_fd;
	copy = strdup(key);
	if (!copy) {
		ret = -ENOMEM;
		goto err_fd;
	}
	set->array[set->nr++] = (struct checkpoint_external) {
		.key = (uintptr_t)copy,
		.fd = fd,
	};
	return 0;
err_fd:
	close(fd);
	return ret;
}

int ckpt_externals_add(struct ckpt_externals *set, const char *key, int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	return add_fd(set, key, fd);
}

static int parse_number(const char **text, int *number)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	n = strtol(*text, &end, 10);
	if (errno || n > INT_MAX)
		return -EINVAL;
	*number = n;
	*text = end;
	return 0;
}

/* "fd:N" or "fd:PID:N"; *pid stays as it is if the key has none */
static int parse_key(const char *key, pid_t *pid, int *fd)
{
	int first;

	if (strncmp(key, "fd:", 3))
		return -EINVAL;
	key += 3;
	if (parse_number(&key, &first))
		return -EINVAL;
	if (!*key) {
		*fd = first;
		return 0;
	}
	if (*key++ != ':' || parse_number(&key, fd) || *key)
		return -EINVAL;
	*pid = first;
	return 0;
}

static int task_fd(pid_t pid, int number)
{
	int pidfd, fd;

	/* where the leader is dead, a thread has what the process has open */
	pidfd = syscall(SYS_pidfd_open, pid, PIDFD_THREAD);
	if (pidfd < 0)
		return -errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0)
		fd = -errno;
	close(pidfd);
	return fd;
}

/* Takes over @fd. A file that has a key already keeps it. */
static int add_once(struct ckpt_externals *set, const char *key, int fd)
{
	if (!has_file(set, fd))
		return add_fd(set, key, fd);
	close(fd);
	return 0;
}

int ckpt_externals_add_key(struct ckpt_externals *set, const char *key, pid_t root)
{
	pid_t pid = root;
	int number, fd;
	int ret;

	ret = parse_key(key, &pid, &number);
	if (ret)
		return ret;
	fd = task_fd(pid, number);
	if (fd < 0)
		return fd;
	return add_once(set, key, fd);
}

static bool is_our_stdio(int fd)
{
	return same_file(fd, 0) || same_file(fd, 1) || same_file(fd, 2);
}

int ckpt_externals_add_job(struct ckpt_externals *set, pid_t root)
{
	for (int number = 0; number <= 2; number++) {
		char key[16];
		int fd = task_fd(root, number);
		int ret;

		if (fd == -EBADF)
			continue;
		if (fd < 0)
			return fd;
		if (!isatty(fd) && !is_our_stdio(fd)) {
			close(fd);
			continue;
		}
		snprintf(key, sizeof(key), "fd:%d", number);
		ret = add_once(set, key, fd);
		if (ret)
			return ret;
	}
	return 0;
}

/* With as many rights as there are: what the program used is not known here. */
static int open_path(const char *path)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY };

	for (unsigned int i = 0; i < 3; i++) {
		int fd = open(path, modes[i] | O_NOCTTY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (errno != EACCES && errno != EPERM && errno != EROFS && errno != EISDIR &&
		    errno != ETXTBSY)
			break;
	}
	return -errno;
}

static int add_value(struct ckpt_externals *set, const char *key, const char *value)
{
	pid_t pid = 0;
	int number;
	int fd;

	if (!strcmp(value, "inherit")) {
		if (parse_key(key, &pid, &number))
			return -EINVAL;
		return ckpt_externals_add(set, key, number);
	}
	if (!strncmp(value, "fd:", 3)) {
		value += 3;
		if (parse_number(&value, &number) || *value)
			return -EINVAL;
		return ckpt_externals_add(set, key, number);
	}
	if (!*value)
		return -EINVAL;
	fd = open_path(value);
	if (fd < 0)
		return fd;
	return add_fd(set, key, fd);
}

int ckpt_externals_add_value(struct ckpt_externals *set, const char *assignment)
{
	const char *value = strchr(assignment, '=');
	char *key;
	int ret;

	if (!value)
		return -EINVAL;
	key = strndup(assignment, value - assignment);
	if (!key)
		return -ENOMEM;
	ret = add_value(set, key, value + 1);
	free(key);
	return ret;
}

static int add_terminal(struct ckpt_externals *set, const char *key)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

	return fd < 0 ? 0 : add_fd(set, key, fd);
}

int ckpt_externals_add_stdio(struct ckpt_externals *set, int image_fd)
{
	for (int number = 0; number <= 2; number++) {
		char key[16];
		int ret;

		snprintf(key, sizeof(key), "fd:%d", number);
		if (find_key(set, key))
			continue;
		if (number == image_fd)
			ret = add_terminal(set, key);
		else
			ret = ckpt_externals_add(set, key, number);
		if (ret && ret != -EBADF)
			return ret;
	}
	return 0;
}
