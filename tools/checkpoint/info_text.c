// SPDX-License-Identifier: GPL-2.0
/*
 * ckpt info, for people.
 */
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "ckpt.h"
#include "info.h"

#define MAX_INDENT	20

/*
 * Names come from an image: they must not control the terminal. Bytes that are
 * no printable UTF-8 are shown as octal numbers.
 */
static void put_text(const char *text)
{
	const char *end = text + strlen(text);
	mbstate_t state = {};
	wchar_t c;

	while (text < end) {
		size_t len = mbrtowc(&c, text, end - text, &state);

		if (len <= MB_LEN_MAX && iswprint(c)) {
			text += printf("%.*s", (int)len, text);
			continue;
		}
		printf("\\%03o", (unsigned char)*text++);
		state = (mbstate_t){};
	}
}

static const char *size_text(__u64 bytes, char *buf, size_t len)
{
	static const char units[] = "KMGTPE";
	double value = bytes / 1024.0;
	int unit = 0;

	if (bytes < 1024) {
		snprintf(buf, len, "%llu B", (unsigned long long)bytes);
		return buf;
	}
	for (; value >= 1024 && units[unit + 1]; unit++)
		value /= 1024;
	snprintf(buf, len, "%.*f %ciB", value < 10, value, units[unit]);
	return buf;
}

/* One of a few buffers: a line shows that many sizes at most. */
static const char *size(__u64 bytes)
{
	static char bufs[8][32];
	static unsigned int next;

	return size_text(bytes, bufs[next++ % ARRAY_SIZE(bufs)], sizeof(bufs[0]));
}

static void print_build_id(const __u8 *id)
{
	for (int i = 0; i < CKPT_BUILD_ID_LEN; i++)
		printf("%02x", id[i]);
	putchar('\n');
}

static void print_header(const struct info *info, const char *path)
{
	const struct ckpt_rec_header *h = &info->header;
	time_t when = h->time_ns / 1000000000;
	char date[64] = "?";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%F %T %z", &tm);
	printf("image     ");
	put_text(path);
	printf(", %s\nwritten   %s by Linux ", size(info->size), date);
	put_text(h->release);
	printf(", checkpoint %u\nmode      %s%s%s\n", h->id,
	       h->flags & CKPT_IMAGE_SUBTREE ? "subtree (no leak check)" : "container",
	       h->flags & CKPT_IMAGE_SELF ? ", by itself" : "",
	       h->flags & CKPT_IMAGE_SHELL_JOB ? ", shell job" : "");
	printf("needs     x86-64 with xfeatures %#llx, vdso ",
	       (unsigned long long)info->arch.xfeatures);
	print_build_id(info->arch.vdso_build_id);
	if (info->arch.flags & CKPT_ARCHF_IA32) {
		printf("          32-bit programs, vdso ");
		print_build_id(info->arch.vdso32_build_id);
	}
}

static double seconds(__u64 clock, __s64 offset)
{
	return (__s64)(clock + offset) / 1e9;
}

/* Where they go on at the restart */
static void print_clocks(const struct info *info)
{
	for (size_t i = 0; i < info->nr_objects; i++) {
		const struct info_object *ns = &info->objects[i];

		if (ns->type == CKPT_OBJ_TIME_NS)
			printf("clocks    monotonic %.3f s, boottime %.3f s\n",
			       seconds(info->clocks.monotonic, ns->time_ns.monotonic),
			       seconds(info->clocks.boottime, ns->time_ns.boottime));
	}
}

static void print_state(const struct info_task *task)
{
	__u32 code = task->tree.exit_code;
	char state[32] = "running";

	if (info_is_dead(task)) {
		if (WIFSIGNALED(code))
			snprintf(state, sizeof(state), "dead, signal %d", WTERMSIG(code));
		else
			snprintf(state, sizeof(state), "dead, exit %d", WEXITSTATUS(code));
	} else if (task->stopped) {
		snprintf(state, sizeof(state), "stopped");
	}
	printf("%-16s", state);
}

static void print_memory(const struct info *info, const struct info_task *task)
{
	const struct info_object *mm = info_get(info, task->mm, CKPT_OBJ_MM);

	if (mm)
		printf("%10s %10s  ", size(mm->size), size(mm->data_len));
	else
		printf("%10s %10s  ", "-", "-");
}

static void print_process(const struct info *info, __u32 index, unsigned int depth)
{
	const struct info_task *task = &info->tasks[index];
	int indent = 2 * (depth < MAX_INDENT ? depth : MAX_INDENT);

	printf("%7d %7d %7d %7u  ", task->tree.pid, task->tree.pgid, task->tree.sid,
	       task->nr_threads);
	print_state(task);
	print_memory(info, task);
	printf("%*s", indent, "");
	put_text(task->tree.comm);
	putchar('\n');
}

struct family {
	__u32 first_child;
	__u32 next_sibling;
};

/* Backwards, so that the oldest child is the first in the list. */
static struct family *find_families(const struct info *info)
{
	struct family *families = must(calloc(info->nr_tasks, sizeof(*families)));
	__u32 parent;

	for (size_t i = 0; i < info->nr_tasks; i++)
		families[i].first_child = CKPT_TASK_NONE;
	for (size_t i = info->nr_tasks; i--; ) {
		parent = info->tasks[i].parent;
		families[i].next_sibling = CKPT_TASK_NONE;
		if (parent == CKPT_TASK_NONE)
			continue;
		families[i].next_sibling = families[parent].first_child;
		families[parent].first_child = i;
	}
	return families;
}

/* Without recursion: an image may be deeper than our stack. */
static void print_family(const struct info *info, const struct family *families)
{
	unsigned int depth = 0;
	__u32 i = 0;

	for (;;) {
		print_process(info, i, depth);
		if (families[i].first_child != CKPT_TASK_NONE) {
			i = families[i].first_child;
			depth++;
			continue;
		}
		while (depth && families[i].next_sibling == CKPT_TASK_NONE) {
			i = info->tasks[i].parent;
			depth--;
		}
		if (!depth)
			return;
		i = families[i].next_sibling;
	}
}

static void print_tree(const struct info *info)
{
	struct family *families = find_families(info);

	printf("\n%7s %7s %7s %7s  %-16s%10s %10s  %s\n", "PID", "PGRP", "SESSION", "THREADS",
	       "STATE", "MAPPED", "STORED", "COMMAND");
	print_family(info, families);
	free(families);
}

static void print_pipe(const struct info *info, const struct info_object *file)
{
	const struct info_object *pipe = info_get(info, file->ref, CKPT_OBJ_PIPE);

	if (file->text && *file->text)
		put_text(file->text);
	else
		printf("pipe:%u", file->ref);
	if (pipe && pipe->size)
		printf(", %s waiting", size(pipe->size));
}

static void print_shmem(const struct info *info, const struct info_object *file)
{
	const struct info_object *shmem = info_get(info, file->ref, CKPT_OBJ_SHMEM);

	printf("shmem:%u", file->ref);
	if (!shmem)
		return;
	putchar(' ');
	put_text(shmem->text ? shmem->text : "");
	printf(", %s", size(shmem->size));
}

static void print_file(const struct info *info, const struct info_object *file)
{
	char flags[128];

	switch (file->kind) {
	case CKPT_REC_FILE_PATH:
		put_text(file->text ? file->text : "?");
		if (file->file.f_pos)
			printf(" at %lld", (long long)file->file.f_pos);
		break;
	case CKPT_REC_FILE_PIPE:
		print_pipe(info, file);
		break;
	case CKPT_REC_FILE_EXTERNAL:
		printf("external ");
		put_text(file->text ? file->text : "?");
		break;
	case CKPT_REC_FILE_SHMEM:
		print_shmem(info, file);
		break;
	case CKPT_REC_FILE_EVENTFD:
		printf("eventfd, count %llu", (unsigned long long)file->size);
		break;
	default:
		printf("file of record type %u", file->kind);
	}
	info_file_flags(file, flags, sizeof(flags));
	if (*flags)
		printf(" (%s)", flags);
	if (file->nr_locks)
		printf(" [%u lock%s]", file->nr_locks, file->nr_locks == 1 ? "" : "s");
}

static void print_fds(const struct info *info, const struct info_object *table)
{
	for (size_t i = 0; i < table->nr_fds; i++) {
		const struct info_fd *fd = &table->fds[i];
		const struct info_object *file = info_get(info, fd->file, CKPT_OBJ_FILE);

		printf("  fd %-4u", fd->fd);
		if (file) {
			printf("%-4s ", info_access(file->file.f_flags));
			print_file(info, file);
		}
		printf("%s\n", fd->cloexec ? " cloexec" : "");
	}
}

/* The first process that has the same table, if that is an earlier one. */
static const struct info_task *same_files(const struct info *info, const struct info_task *task)
{
	for (const struct info_task *other = info->tasks; other < task; other++)
		if (other->files == task->files)
			return other;
	return NULL;
}

static void print_files(const struct info *info, const struct info_task *task)
{
	const struct info_object *table = info_get(info, task->files, CKPT_OBJ_FILES);
	const struct info_task *other = same_files(info, task);

	if (!table)
		return;
	if (other)
		printf("  descriptors of pid %d\n", other->tree.pid);
	else
		print_fds(info, table);
}

static void print_labels(const struct info_task *task)
{
	for (int attr = 0; attr < CKPT_LSM_ATTR_MAX; attr++) {
		if (!task->labels[attr])
			continue;
		printf("  label   %s ", info_lsm_name(task->lsm));
		put_text(task->labels[attr]);
		if (attr != CKPT_LSM_CURRENT)
			printf(" (%s)", info_lsm_attr(attr));
		putchar('\n');
	}
}

static void print_details(const struct info *info, const struct info_task *task)
{
	const struct info_object *mm = info_get(info, task->mm, CKPT_OBJ_MM);
	const struct info_object *fs = info_get(info, task->fs, CKPT_OBJ_FS);
	const struct info_object *exe = mm ? info_get(info, mm->ref, CKPT_OBJ_FILE) : NULL;

	printf("\npid %d (", task->tree.pid);
	put_text(task->tree.comm);
	printf("), uid %u, gid %u", task->uid, task->gid);
	if (task->nr_signals)
		printf(", %u pending signal%s", task->nr_signals, task->nr_signals == 1 ? "" : "s");
	putchar('\n');
	print_labels(task);
	if (exe && exe->text) {
		printf("  exe     ");
		put_text(exe->text);
		putchar('\n');
	}
	if (fs && fs->text) {
		printf("  cwd     ");
		put_text(fs->text);
		if (fs->text2 && strcmp(fs->text2, "/")) {
			printf(", root ");
			put_text(fs->text2);
		}
		printf(", umask %03o\n", fs->nr);
	}
	if (mm) {
		printf("  memory  %u mappings, %s; %s stored", mm->nr, size(mm->size),
		       size(mm->data_len));
		if (mm->cow_len)
			printf(", %s shared copy-on-write", size(mm->cow_len));
		putchar('\n');
	}
	print_files(info, task);
}

static void print_externals(const struct info *info)
{
	bool any = false;

	for (size_t i = 0; i < info->nr_objects; i++) {
		const struct info_object *file = &info->objects[i];

		if (!file->is_needed)
			continue;
		if (!any)
			printf("\nneeded at restart\n");
		any = true;
		printf("  --external ");
		put_text(file->text);
		printf("=... (%s)\n", info_access(file->needed));
	}
}

static void print_totals(const struct info *info)
{
	size_t nr_processes = 0;

	for (size_t i = 0; i < info->nr_tasks; i++)
		nr_processes += info_is_process(&info->tasks[i]);
	printf("\ntotal     %zu process%s, %zu thread%s, %zu object%s; %s of pages stored",
	       nr_processes, nr_processes == 1 ? "" : "es",
	       info->nr_tasks, info->nr_tasks == 1 ? "" : "s",
	       info->nr_objects, info->nr_objects == 1 ? "" : "s", size(info->data_len));
	if (info->cow_len)
		printf(", %s shared copy-on-write", size(info->cow_len));
	putchar('\n');
}

void info_print_text(const struct info *info, const char *path)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	print_header(info, path);
	print_clocks(info);
	print_tree(info);
	for (size_t i = 0; i < info->nr_tasks; i++) {
		const struct info_task *task = &info->tasks[i];

		if (info_is_process(task) && !info_is_dead(task))
			print_details(info, task);
	}
	print_externals(info);
	print_totals(info);
}
