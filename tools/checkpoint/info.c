// SPDX-License-Identifier: GPL-2.0
/*
 * Gathers what the records of an image say. Order and framing were checked
 * before the records come here, and the tree of tasks; references to objects may
 * still lead nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/stddef.h>
#ifndef __counted_by	/* in headers of the system that are older than ours */
#define __counted_by(...)
#endif
#if __has_include("linux/lsm.h")
#include <linux/lsm.h>
#else	/* came with Linux 6.8 */
#define LSM_ID_SELINUX		101
#define LSM_ID_SMACK		102
#define LSM_ID_APPARMOR		104
#endif

#include "ckpt.h"
#include "info.h"

#define KERNEL_O_LARGEFILE	0100000	/* 0 for 64-bit programs */

/* Room for one more at the end of an array that doubles in size. */
static void *grow(void *array, size_t nr, size_t size)
{
	void *more;

	if (nr & (nr - 1))
		return array;
	more = reallocarray(array, nr ? 2 * nr : 1, size);
	if (more)
		memset(more + nr * size, 0, (nr ? nr : 1) * size);
	return more;
}

/* The fixed part of a record that text or an array follows. */
static int read_head(const struct ckpt_image_record *record, void *head, size_t len)
{
	if (record->len < len)
		return -EINVAL;
	memcpy(head, record->data, len);
	return 0;
}

static int read_text(char **text, const struct ckpt_image_record *record, size_t at, size_t len)
{
	if (at > record->len || len > record->len - at)
		return -EINVAL;
	free(*text);
	*text = strndup(record->data + at, len);
	return *text ? 0 : -ENOMEM;
}

static int add_header(struct info *info, const struct ckpt_image_record *record)
{
	return ckpt_image_record_copy(record, &info->header, sizeof(info->header));
}

static int add_arch(struct info *info, const struct ckpt_image_record *record)
{
	return ckpt_image_record_copy(record, &info->arch, sizeof(info->arch));
}

static int add_clocks(struct info *info, const struct ckpt_image_record *record)
{
	return ckpt_image_record_copy(record, &info->clocks, sizeof(info->clocks));
}

static int add_time_ns(struct info *info, const struct ckpt_image_record *record)
{
	return ckpt_image_record_copy(record, &info->object->time_ns,
				      sizeof(info->object->time_ns));
}

static int add_tree_task(struct info *info, const struct ckpt_image_record *record)
{
	struct info_task *tasks = grow(info->tasks, info->nr_tasks, sizeof(*tasks));

	if (!tasks)
		return -ENOMEM;
	info->tasks = tasks;
	return ckpt_image_record_copy(record, &tasks[info->nr_tasks++].tree,
				      sizeof(tasks->tree));
}

static int add_object(struct info *info, const struct ckpt_image_record *record)
{
	struct info_object *objects = grow(info->objects, info->nr_objects, sizeof(*objects));
	struct ckpt_rec_obj obj;

	if (!objects)
		return -ENOMEM;
	info->objects = objects;
	ckpt_image_record_copy(record, &obj, sizeof(obj));
	info->object = &objects[info->nr_objects++];
	*info->object = (struct info_object) {
		.objref = obj.objref,
		.type = obj.type,
		.owner = obj.owner,
	};
	return 0;
}

static int begin_task(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_task task;

	ckpt_image_record_copy(record, &task, sizeof(task));
	info->task = &info->tasks[task.index];
	info->object = NULL;
	return 0;
}

static int add_pages(struct info *info, const struct ckpt_image_record *record)
{
	const struct ckpt_rec_pages *pages = record->data;
	const struct ckpt_page_run *runs = (const void *)(pages + 1);
	__u64 nr_cow = 0;

	for (__u32 i = 0; i < pages->nr_runs; i++)
		if (runs[i].flags == CKPT_RUN_COW)
			nr_cow += runs[i].nr;
	info->object->data_len += pages->data_len;
	info->object->cow_len += nr_cow * info->header.page_size;
	info->data_len += pages->data_len;
	info->cow_len += nr_cow * info->header.page_size;
	return 0;
}

static int add_pipe(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_pipe pipe;

	if (read_head(record, &pipe, sizeof(pipe)))
		return -EINVAL;
	info->object->nr = pipe.ring_size * info->header.page_size;
	return read_text(&info->object->text, record, sizeof(pipe), pipe.path_len);
}

static int add_pipe_buf(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_pipe_buf buf;

	if (read_head(record, &buf, sizeof(buf)))
		return -EINVAL;
	info->object->size += buf.len;
	return 0;
}

static int add_shmem(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_shmem shmem;

	if (read_head(record, &shmem, sizeof(shmem)))
		return -EINVAL;
	info->object->size = shmem.size;
	return read_text(&info->object->text, record, sizeof(shmem), shmem.name_len);
}

static int add_shm(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_shm shm;

	if (read_head(record, &shm, sizeof(shm)))
		return -EINVAL;
	info->object->size = shm.size;
	info->object->ino = shm.id;
	return 0;
}

static int add_file(struct info *info, const struct ckpt_image_record *record)
{
	return ckpt_image_record_copy(record, &info->object->file, sizeof(info->object->file));
}

static int add_file_path(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_file_path path;

	if (read_head(record, &path, sizeof(path)))
		return -EINVAL;
	info->object->ino = path.ino;
	info->object->size = path.size;
	return read_text(&info->object->text, record, sizeof(path), path.path_len);
}

static int add_file_pipe(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_file_pipe pipe;

	if (read_head(record, &pipe, sizeof(pipe)))
		return -EINVAL;
	info->object->ref = pipe.objref;
	return read_text(&info->object->text, record, sizeof(pipe), pipe.path_len);
}

static int add_file_external(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_file_external external;

	if (read_head(record, &external, sizeof(external)))
		return -EINVAL;
	return read_text(&info->object->text, record, sizeof(external), external.key_len);
}

static int add_file_shmem(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_file_shmem shmem;

	if (read_head(record, &shmem, sizeof(shmem)))
		return -EINVAL;
	info->object->ref = shmem.shmem_objref;
	return 0;
}

static int add_file_shm(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_file_shm shm;

	if (read_head(record, &shm, sizeof(shm)))
		return -EINVAL;
	info->object->size = shm.size;
	info->object->ino = shm.id;
	info->object->ref = shm.shm_objref;
	return 0;
}

static int add_file_eventfd(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_file_eventfd eventfd;

	if (read_head(record, &eventfd, sizeof(eventfd)))
		return -EINVAL;
	info->object->size = eventfd.count;
	return 0;
}

static int add_lock(struct info *info, const struct ckpt_image_record *record)
{
	(void)record;
	info->object->nr_locks++;
	return 0;
}

static int add_fd(struct info *info, const struct ckpt_image_record *record)
{
	struct info_object *table = info->object;
	struct ckpt_rec_files_fd fd;
	struct info_fd *fds;

	if (read_head(record, &fd, sizeof(fd)))
		return -EINVAL;
	fds = grow(table->fds, table->nr_fds, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	table->fds = fds;
	fds[table->nr_fds++] = (struct info_fd) {
		.fd = fd.fd,
		.file = fd.objref,
		.cloexec = fd.flags & CKPT_FD_CLOEXEC,
	};
	return 0;
}

static int add_fs(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_fs fs;
	int ret;

	if (read_head(record, &fs, sizeof(fs)))
		return -EINVAL;
	info->object->nr = fs.umask;
	ret = read_text(&info->object->text, record, sizeof(fs), fs.cwd_len);
	if (ret)
		return ret;
	return read_text(&info->object->text2, record, sizeof(fs) + (size_t)fs.cwd_len,
			 fs.root_len);
}

static int add_mm(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_mm mm;

	if (read_head(record, &mm, sizeof(mm)))
		return -EINVAL;
	info->object->ref = mm.exe_objref;
	return 0;
}

static int add_mm_arch(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_mm_arch arch;

	if (read_head(record, &arch, sizeof(arch)))
		return -EINVAL;
	info->object->ia32 = arch.flags & CKPT_MM_ARCH_IA32;
	return 0;
}

static int add_vma(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_vma vma;

	if (read_head(record, &vma, sizeof(vma)) || vma.end < vma.start)
		return -EINVAL;
	info->object->nr++;
	info->object->size += vma.end - vma.start;
	return 0;
}

static int add_policy(struct info *info, const struct ckpt_image_record *record)
{
	(void)record;
	info->object->nr_policies++;
	return 0;
}

static int add_aio(struct info *info, const struct ckpt_image_record *record)
{
	(void)record;
	info->object->nr_aio++;
	return 0;
}

static int add_task_policy(struct info *info, const struct ckpt_image_record *record)
{
	(void)record;
	info->task->has_policy = true;
	return 0;
}

static int add_objref(__u32 *objref, const struct ckpt_image_record *record)
{
	struct ckpt_rec_task_objref ref;

	if (read_head(record, &ref, sizeof(ref)))
		return -EINVAL;
	*objref = ref.objref;
	return 0;
}

static int add_task_files(struct info *info, const struct ckpt_image_record *record)
{
	return add_objref(&info->task->files, record);
}

static int add_task_fs(struct info *info, const struct ckpt_image_record *record)
{
	return add_objref(&info->task->fs, record);
}

static int add_creds(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_task_creds creds;

	if (read_head(record, &creds, sizeof(creds)))
		return -EINVAL;
	info->task->uid = creds.euid;
	info->task->gid = creds.egid;
	return 0;
}

static int add_lsm(struct info *info, const struct ckpt_image_record *record)
{
	const char *text = (const char *)record->data + sizeof(struct ckpt_rec_task_lsm);
	struct info_task *task = info->task;
	struct ckpt_rec_task_lsm lsm;
	size_t len;

	if (read_head(record, &lsm, sizeof(lsm)) || task->lsm)
		return -EINVAL;
	len = record->len - sizeof(lsm);
	task->lsm = lsm.id;
	for (int i = 0; i < CKPT_LSM_ATTR_MAX; i++) {
		if (lsm.len[i] > len)
			return -EINVAL;
		if (lsm.len[i])
			task->labels[i] = must(strndup(text, lsm.len[i]));
		text += lsm.len[i];
		len -= lsm.len[i];
	}
	return 0;
}

static int add_stop(struct info *info, const struct ckpt_image_record *record)
{
	struct ckpt_rec_task_stop stop;

	if (read_head(record, &stop, sizeof(stop)))
		return -EINVAL;
	info->task->stopped = stop.flags & CKPT_STOPF_STOPPED;
	return 0;
}

static int add_signal(struct info *info, const struct ckpt_image_record *record)
{
	(void)record;
	info->task->nr_signals++;
	return 0;
}

/* Where a record means something to us; types that are not here are skipped. */
static const struct {
	__u16 type;
	enum { ANYWHERE, OBJECT, TASK } place;
	int (*add)(struct info *info, const struct ckpt_image_record *record);
} records[] = {
	{ CKPT_REC_HEADER, ANYWHERE, add_header },
	{ CKPT_REC_ARCH, ANYWHERE, add_arch },
	{ CKPT_REC_CLOCKS, ANYWHERE, add_clocks },
	{ CKPT_REC_TREE_TASK, ANYWHERE, add_tree_task },
	{ CKPT_REC_OBJ, ANYWHERE, add_object },
	{ CKPT_REC_TASK, ANYWHERE, begin_task },
	{ CKPT_REC_DEAD_TASK, ANYWHERE, begin_task },
	{ CKPT_REC_PAGES, OBJECT, add_pages },
	{ CKPT_REC_PIPE, OBJECT, add_pipe },
	{ CKPT_REC_PIPE_BUF, OBJECT, add_pipe_buf },
	{ CKPT_REC_SHMEM, OBJECT, add_shmem },
	{ CKPT_REC_SHM, OBJECT, add_shm },
	{ CKPT_REC_FILE, OBJECT, add_file },
	{ CKPT_REC_FILE_PATH, OBJECT, add_file_path },
	{ CKPT_REC_FILE_PIPE, OBJECT, add_file_pipe },
	{ CKPT_REC_FILE_EXTERNAL, OBJECT, add_file_external },
	{ CKPT_REC_FILE_SHMEM, OBJECT, add_file_shmem },
	{ CKPT_REC_FILE_SHM, OBJECT, add_file_shm },
	{ CKPT_REC_FILE_EVENTFD, OBJECT, add_file_eventfd },
	{ CKPT_REC_LOCK, OBJECT, add_lock },
	{ CKPT_REC_TIME_NS, OBJECT, add_time_ns },
	{ CKPT_REC_FILES_FD, OBJECT, add_fd },
	{ CKPT_REC_FS, OBJECT, add_fs },
	{ CKPT_REC_MM, OBJECT, add_mm },
	{ CKPT_REC_MM_ARCH, OBJECT, add_mm_arch },
	{ CKPT_REC_VMA, OBJECT, add_vma },
	{ CKPT_REC_VMA_POLICY, OBJECT, add_policy },
	{ CKPT_REC_SHMEM_POLICY, OBJECT, add_policy },
	{ CKPT_REC_AIO, OBJECT, add_aio },
	{ CKPT_REC_TASK_FILES, TASK, add_task_files },
	{ CKPT_REC_TASK_FS, TASK, add_task_fs },
	{ CKPT_REC_TASK_MEMPOLICY, TASK, add_task_policy },
	{ CKPT_REC_TASK_CREDS, TASK, add_creds },
	{ CKPT_REC_TASK_LSM, TASK, add_lsm },
	{ CKPT_REC_TASK_STOP, TASK, add_stop },
	{ CKPT_REC_TASK_SIGNAL, TASK, add_signal },
	{ CKPT_REC_TASK_SIGPENDING, TASK, add_signal },
};

int info_add(struct info *info, const struct ckpt_image_record *record)
{
	/* the record after CKPT_REC_FILE tells the kind, also one unknown to us */
	if (info->object && info->object->type == CKPT_OBJ_FILE && !info->object->kind &&
	    record->type != CKPT_REC_OBJ && record->type != CKPT_REC_FILE)
		info->object->kind = record->type;

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		if (records[i].type != record->type)
			continue;
		if ((records[i].place == OBJECT && !info->object) ||
		    (records[i].place == TASK && !info->task))
			return -EINVAL;
		return records[i].add(info, record);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct info_object *x = a, *y = b;

	return x->objref < y->objref ? -1 : x->objref > y->objref;
}

const struct info_object *info_find(const struct info *info, __u32 objref)
{
	const struct info_object key = { .objref = objref };

	if (!info->nr_objects)
		return NULL;
	return bsearch(&key, info->objects, info->nr_objects, sizeof(key), compare);
}

const struct info_object *info_get(const struct info *info, __u32 objref, __u32 type)
{
	const struct info_object *object = info_find(info, objref);

	return object && object->type == type ? object : NULL;
}

bool info_is_process(const struct info_task *task)
{
	return !(task->tree.flags & CKPT_TASKF_THREAD);
}

bool info_is_dead(const struct info_task *task)
{
	return task->tree.flags & CKPT_TASKF_ZOMBIE && task->nr_threads < 2;
}

/* The owner of an mm has it already. */
static void find_mm(const struct info *info, struct info_task *task)
{
	__u32 creator = task->tree.creator;

	if (task->mm || !(task->tree.flags & CKPT_TASKF_SHARE_VM))
		return;
	if (creator == CKPT_TASK_NONE)
		creator = task->leader;
	task->mm = info->tasks[creator].mm;
}

/* If the leader is dead, its first thread has what belongs to the process. */
static void inherit(struct info_task *leader, const struct info_task *heir)
{
	leader->mm = heir->mm;
	leader->files = heir->files;
	leader->fs = heir->fs;
	leader->stopped = heir->stopped;
}

/* A leader stands before its threads, and so does who shares its mm. */
static void find_relations(struct info *info)
{
	struct info_task *leader = info->tasks;

	for (size_t i = 0; i < info->nr_tasks; i++) {
		struct info_task *task = &info->tasks[i];
		__u32 parent = task->tree.parent;

		if (info_is_process(task))
			leader = task;
		leader->nr_threads++;
		task->leader = leader - info->tasks;
		task->parent = parent < i ? info->tasks[parent].leader : CKPT_TASK_NONE;
		find_mm(info, task);
		if (leader->tree.flags & CKPT_TASKF_ZOMBIE && leader->nr_threads == 2)
			inherit(leader, task);
	}
}

static int compare_text(const void *a, const void *b)
{
	const struct info_object *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static void keep(void *object)
{
	(void)object;
}

/* Several open files may have one key: what is given for it must do for all. */
static void find_needed(struct info *info)
{
	void *keys = NULL;

	for (size_t i = 0; i < info->nr_objects; i++) {
		struct info_object *file = &info->objects[i], *first;

		if (file->type != CKPT_OBJ_FILE || file->kind != CKPT_REC_FILE_EXTERNAL ||
		    !file->text)
			continue;
		file->needed = file->file.f_flags;
		first = *(struct info_object **)must(tsearch(file, &keys, compare_text));
		file->is_needed = file == first;
		if ((first->needed ^ file->needed) & O_ACCMODE)
			first->needed = O_RDWR;
	}
	tdestroy(keys, keep);
}

void info_complete(struct info *info)
{
	info->object = NULL;
	if (info->nr_objects)
		qsort(info->objects, info->nr_objects, sizeof(*info->objects), compare);
	for (size_t i = 0; i < info->nr_objects; i++) {
		const struct info_object *object = &info->objects[i];

		if (object->type == CKPT_OBJ_MM && object->owner < info->nr_tasks)
			info->tasks[object->owner].mm = object->objref;
	}
	find_relations(info);
	find_needed(info);
}

void info_free(struct info *info)
{
	for (size_t i = 0; i < info->nr_objects; i++) {
		free(info->objects[i].text);
		free(info->objects[i].text2);
		free(info->objects[i].fds);
	}
	for (size_t i = 0; i < info->nr_tasks; i++)
		for (int attr = 0; attr < CKPT_LSM_ATTR_MAX; attr++)
			free(info->tasks[i].labels[attr]);
	free(info->objects);
	free(info->tasks);
}

const char *info_file_kind(const struct info_object *file)
{
	switch (file->kind) {
	case CKPT_REC_FILE_PATH:
		return "path";
	case CKPT_REC_FILE_PIPE:
		return file->text && *file->text ? "fifo" : "pipe";
	case CKPT_REC_FILE_EXTERNAL:
		return "external";
	case CKPT_REC_FILE_SHMEM:
		return "shmem";
	case CKPT_REC_FILE_SHM:
		return "sysv_shm";
	case CKPT_REC_FILE_EVENTFD:
		return "eventfd";
	default:
		return "other";
	}
}

const char *info_lsm_name(__u64 id)
{
	switch (id) {
	case LSM_ID_SELINUX:
		return "selinux";
	case LSM_ID_SMACK:
		return "smack";
	case LSM_ID_APPARMOR:
		return "apparmor";
	default:
		return "other";
	}
}

const char *info_lsm_attr(int attr)
{
	static const char * const names[CKPT_LSM_ATTR_MAX] = {
		[CKPT_LSM_CURRENT] = "current",
		[CKPT_LSM_EXEC] = "exec",
		[CKPT_LSM_FSCREATE] = "fscreate",
		[CKPT_LSM_KEYCREATE] = "keycreate",
		[CKPT_LSM_SOCKCREATE] = "sockcreate",
	};

	return names[attr];
}

const char *info_access(unsigned int flags)
{
	if (flags & O_PATH)
		return "path";
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return "r";
	case O_WRONLY:
		return "w";
	default:
		return "rw";
	}
}

void info_file_flags(const struct info_object *file, char *buf, size_t len)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} names[] = {
		{ O_APPEND, "append" }, { O_NONBLOCK, "nonblock" }, { O_DIRECT, "direct" },
		{ O_SYNC, "sync" }, { O_DSYNC, "dsync" }, { O_ASYNC, "async" },
		{ O_NOATIME, "noatime" }, { O_DIRECTORY, "directory" },
	};
	unsigned int flags = file->file.f_flags & ~(KERNEL_O_LARGEFILE | O_ACCMODE);
	size_t used = 0;

	*buf = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names) && used < len; i++) {
		if ((flags & names[i].flag) != names[i].flag)
			continue;
		used += snprintf(buf + used, len - used, "%s%s", used ? "," : "", names[i].name);
		flags &= ~names[i].flag;
	}
}
