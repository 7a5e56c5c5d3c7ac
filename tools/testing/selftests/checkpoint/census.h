/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What there is in the system: whoever fails must leave as much of it behind as
 * there was before.
 */
#ifndef _CKPT_CENSUS_H
#define _CKPT_CENSUS_H

#include <dirent.h>
#include <sys/prctl.h>

#include "ckpt_test.h"

/* Slab caches of what a restart makes; only a growth by many is a leak. */
static const char * const census_caches[] = {
	"task_struct", "signal_cache", "sighand_cache", "files_cache", "fs_cache", "pid",
	"mm_struct", "vm_area_struct", "cred_jar", "filp", "anon_vma", "shmem_inode_cache",
};

#define CENSUS_CACHES		ARRAY_SIZE(census_caches)
#define CENSUS_SLACK_FILES	100	/* what file-nr shows is counted per CPU, in batches */
#define CENSUS_SLACK_OBJECTS	400
#define CENSUS_SLACK_KB		(16 << 10)
#define CENSUS_PATIENCE_MS	(10000 * test_slowness())

struct census {
	long tasks;
	long descriptors;	/* of the caller */
	long files;
	long available_kb;
	long cached[CENSUS_CACHES];
};

/* Kernel threads come and go as they like: they are children of kthreadd, pid 2. */
static inline bool census_is_process(const char *pid)
{
	int parent = 2;
	char path[300];
	FILE *f;

	if (*pid < '0' || *pid > '9' || !strcmp(pid, "2"))
		return false;
	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %d", &parent) != 1)
		parent = 2;
	if (f)
		fclose(f);
	return parent != 2;
}

static inline long census_tasks(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	long n = 0;

	while (dir && (d = readdir(dir)))
		n += census_is_process(d->d_name);
	if (dir)
		closedir(dir);
	return n;
}

static inline long census_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	long n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* The number behind @key at the start of a line of @path; any line's without a key. */
static inline long census_number(const char *path, const char *key)
{
	size_t len = strlen(key);
	FILE *f = fopen(path, "re");
	char line[512];
	long n = -1;

	while (f && n < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && (!len || line[len] == ' ' || line[len] == ':'))
			sscanf(line + len, len ? "%*[: ]%ld" : "%ld", &n);
	if (f)
		fclose(f);
	return n;
}

/* Free pages on the lists of the CPUs, many MiB that nothing else counts as free. */
static inline long census_percpu_kb(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	long n, pages = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	if (f)
		fclose(f);
	return pages * 4;
}

/* The first line of a file, with its end */
static inline bool census_read(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, size, f);

	if (f)
		fclose(f);
	return ok;
}

static inline bool census_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return ok;
}

/*
 * Objects that are free, but not on a list of free objects: the CPUs' own ones,
 * and those that KASAN keeps for a while to see who still uses them.
 */
static inline void census_shrink_caches(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *d;
	char path[300];

	while (dir && (d = readdir(dir))) {
		if (d->d_type == DT_LNK)	/* another name of a cache */
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", d->d_name);
		if (d->d_name[0] != '.' && !census_write(path, "1"))
			fprintf(stderr, "# cannot shrink %s\n", d->d_name);
	}
	if (dir)
		closedir(dir);
}

static inline void census_take(struct census *c)
{
	size_t i;

	if (!census_write("/proc/sys/vm/drop_caches", "3"))
		fprintf(stderr, "# cannot drop caches\n");
	census_shrink_caches();
	c->tasks = census_tasks();
	c->descriptors = census_descriptors();
	c->files = census_number("/proc/sys/fs/file-nr", "");
	c->available_kb = census_number("/proc/meminfo", "MemAvailable") + census_percpu_kb();
	for (i = 0; i < CENSUS_CACHES; i++)
		c->cached[i] = census_number("/proc/slabinfo", census_caches[i]);
}

/* What there is more of than @before, and than @slack objects; or NULL. */
static inline const char *census_surplus(const struct census *before, const struct census *now,
					 long slack)
{
	size_t i;

	if (now->tasks > before->tasks)
		return "tasks";
	if (now->descriptors > before->descriptors)
		return "descriptors";
	if (now->files > before->files + CENSUS_SLACK_FILES)
		return "open files";
	if (now->available_kb < before->available_kb - CENSUS_SLACK_KB)
		return "memory";
	for (i = 0; i < CENSUS_CACHES; i++)
		if (now->cached[i] > before->cached[i] + slack)
			return census_caches[i];
	return NULL;
}

/* The dead are not gone at once: gives them time, then says what was left behind. */
static inline bool census_same_but(const struct census *before, long slack)
{
	const char *what = NULL;
	struct census now;
	size_t i;
	int ms;

	for (ms = 10; ms < CENSUS_PATIENCE_MS; ms *= 2) {
		census_take(&now);
		what = census_surplus(before, &now, slack);
		if (!what)
			return true;
		subject_sleep_ms(ms);
	}
	fprintf(stderr, "# left behind: %s (tasks %ld -> %ld, files %ld -> %ld, kB %ld -> %ld)\n",
		what, before->tasks, now.tasks, before->files, now.files,
		before->available_kb, now.available_kb);
	fprintf(stderr, "# descriptors %ld -> %ld\n", before->descriptors, now.descriptors);
	for (i = 0; i < CENSUS_CACHES; i++)
		fprintf(stderr, "# %s %ld -> %ld\n", census_caches[i], before->cached[i],
			now.cached[i]);
	return false;
}

static inline bool census_same(const struct census *before)
{
	return census_same_but(before, CENSUS_SLACK_OBJECTS);
}

/* Orphans of what is restarted come to us. */
static inline bool census_adopt_orphans(void)
{
	return !prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Kills and reaps all descendants, whatever they are; how many there were. */
static inline int census_kill_children(void)
{
	int n = 0;

	for (;;) {
		FILE *f = fopen("/proc/thread-self/children", "re");
		pid_t pid;

		while (f && fscanf(f, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (f)
			fclose(f);
		while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			n++;
		if (pid < 0 && errno == ECHILD)
			return n;
		usleep(200);
	}
}

#endif /* _CKPT_CENSUS_H */
