/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Labels of security modules: what the tests of each module share. They define
 * LSM_TESTED, and are skipped where that module is not active.
 */
#ifndef _CKPT_LSM_H
#define _CKPT_LSM_H

#include <linux/lsm.h>

#include "ckpt_test.h"

#ifndef __NR_lsm_list_modules
#define __NR_lsm_list_modules	461
#endif

static inline bool lsm_active(uint64_t id)
{
	uint64_t ids[64];
	uint32_t size = sizeof(ids);
	long n = syscall(__NR_lsm_list_modules, ids, &size, 0);

	while (n > 0)
		if (ids[--n] == id)
			return true;
	return false;
}

/* Of the calling thread, as the kernel shows it. Empty if it is not set. */
static inline const char *lsm_label(const char *attr)
{
	static __thread char label[4097];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/thread-self/attr/%s", attr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	n = read(fd, label, sizeof(label) - 1);
	close(fd);
	label[n > 0 ? n : 0] = 0;
	label[strcspn(label, "\n")] = 0;
	return label;
}

static inline bool lsm_has(const char *attr, const char *label)
{
	bool has = !strcmp(lsm_label(attr), label);

	if (!has)
		dprintf(2, "label %s is \"%s\", not \"%s\"\n", attr, lsm_label(attr), label);
	return has;
}

static inline bool lsm_set(const char *attr, const char *command)
{
	ssize_t n, len = strlen(command);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/thread-self/attr/%s", attr);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = write(fd, command, len);
	close(fd);
	return n == len;
}

static inline bool lsm_may_read(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 || errno == EACCES);
	close(fd);
	return fd >= 0;
}

#ifdef LSM_TESTED
FIXTURE(labels)
{
	struct subject s;
};

FIXTURE_SETUP(labels)
{
	memset(&self->s, 0, sizeof(self->s));
	if (!lsm_active(LSM_TESTED))
		SKIP(return, "the security module is not active");
	lsm_prepare();
}

FIXTURE_TEARDOWN(labels)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	if (self->s.dir[0])
		subject_clean(&self->s);
}

static inline void lsm_take(struct __test_metadata *_metadata, struct subject *s,
			    void (*fn)(void))
{
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
}

static inline void lsm_restart(struct __test_metadata *_metadata, struct subject *s,
			       uint64_t flags)
{
	ASSERT_EQ(subject_restart(s, flags), s->pid) subject_print(s);
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

static inline void lsm_kept(struct __test_metadata *_metadata, struct subject *s,
			    void (*fn)(void))
{
	lsm_take(_metadata, s, fn);
	lsm_restart(_metadata, s, RESTART_KEEP_LSM);
}

/* Nobody is left of a tree that could not be restarted. */
static inline void lsm_refused(struct __test_metadata *_metadata, struct subject *s,
			       uint64_t flags, int err, const char *text)
{
	EXPECT_EQ(subject_restart(s, flags), -err) subject_print(s);
	EXPECT_TRUE(log_has(s, text)) {
		fprintf(stderr, "# expected in log: %s\n", text);
		subject_print(s);
	}
	EXPECT_TRUE(kill(s->pid, 0) == -1 && errno == ESRCH);
}
#endif

#endif /* _CKPT_LSM_H */
