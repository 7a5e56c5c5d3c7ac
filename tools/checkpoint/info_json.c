// SPDX-License-Identifier: GPL-2.0
/*
 * ckpt info --json. ckpt(1) describes the members.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ckpt.h"
#include "info.h"

/* @all: all that is not ASCII is escaped. NULL if the result is not UTF-8. */
static json_t *escaped(const char *bytes, bool all)
{
	char *copy = must(malloc(4 * strlen(bytes) + 1));
	char *to = copy;
	json_t *json;

	for (; *bytes; bytes++) {
		unsigned char c = *bytes;

		if (c == '\\')
			to += sprintf(to, "\\\\");
		else
			to += sprintf(to, c >= 0x80 && all ? "\\x%02x" : "%c", c);
	}
	*to = '\0';
	json = json_string(copy);
	free(copy);
	return json;
}

/*
 * JSON is Unicode; where a name is not, its bytes become \xNN. A backslash is always
 * two, or it could not be told from that.
 */
static json_t *text(const char *bytes)
{
	json_t *json;

	if (!bytes)
		return json_null();
	json = escaped(bytes, false);
	return json ? json : escaped(bytes, true);
}

/* The integers of jansson have a sign: what is larger is a string. */
static json_t *number(__u64 value)
{
	if (value <= INT64_MAX)
		return json_integer(value);
	return json_sprintf("%llu", (unsigned long long)value);
}

static json_t *build_id(const __u8 *id)
{
	char hex[2 * CKPT_BUILD_ID_LEN + 1];

	for (int i = 0; i < CKPT_BUILD_ID_LEN; i++)
		sprintf(hex + 2 * i, "%02x", id[i]);
	return json_string(hex);
}

static json_t *vdso32(const struct info *info)
{
	return info->arch.flags & CKPT_ARCHF_IA32 ? build_id(info->arch.vdso32_build_id) :
						    json_null();
}

static json_t *image(const struct info *info)
{
	const struct ckpt_rec_header *h = &info->header;

	return json_pack("{s:o, s:i, s:o, s:o, s:o, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o}",
			 "size", number(info->size),
			 "version", (int)h->version,
			 "kernel", text(h->release),
			 "time_ns", number(h->time_ns),
			 "checkpoint_id", number(h->id),
			 "container", !(h->flags & CKPT_IMAGE_SUBTREE),
			 "self", !!(h->flags & CKPT_IMAGE_SELF),
			 "shell_job", !!(h->flags & CKPT_IMAGE_SHELL_JOB),
			 "xfeatures", number(info->arch.xfeatures),
			 "vdso_build_id", build_id(info->arch.vdso_build_id),
			 "vdso32_build_id", vdso32(info),
			 "stored_bytes", number(info->data_len),
			 "cow_bytes", number(info->cow_len));
}

static const char *state(const struct info_task *task)
{
	if (info_is_dead(task))
		return "zombie";
	return task->stopped ? "stopped" : "running";
}

static json_t *reference(__u32 objref)
{
	return objref ? json_integer(objref) : json_null();
}

static json_t *parent(const struct info *info, const struct info_task *task)
{
	if (task->parent == CKPT_TASK_NONE)
		return json_null();
	return json_integer(info->tasks[task->parent].tree.pid);
}

static json_t *labels(const struct info_task *task)
{
	json_t *json = json_pack("{s:s}", "module", info_lsm_name(task->lsm));

	for (int attr = 0; attr < CKPT_LSM_ATTR_MAX; attr++)
		if (task->labels[attr])
			json_object_set_new(json, info_lsm_attr(attr), text(task->labels[attr]));
	return json;
}

static json_t *one_task(const struct info *info, const struct info_task *task)
{
	json_t *json;

	json = json_pack("{s:i, s:i, s:o, s:i, s:i, s:o, s:s, s:b, s:I, s:I, s:i, s:o, s:o, s:o}",
			 "pid", task->tree.pid,
			 "tgid", task->tree.tgid,
			 "parent", parent(info, task),
			 "pgid", task->tree.pgid,
			 "sid", task->tree.sid,
			 "comm", text(task->tree.comm),
			 "state", state(task),
			 "thread", !info_is_process(task),
			 "uid", (json_int_t)task->uid,
			 "gid", (json_int_t)task->gid,
			 "pending_signals", (int)task->nr_signals,
			 "mm", reference(task->mm),
			 "files", reference(task->files),
			 "fs", reference(task->fs));
	if (task->has_policy)
		json_object_set_new(json, "memory_policy", json_true());
	if (task->lsm)
		json_object_set_new(json, "labels", labels(task));
	if (info_is_dead(task))
		json_object_set_new(json, "wait_status", json_integer(task->tree.exit_code));
	return json;
}

static json_t *tasks(const struct info *info)
{
	json_t *json = json_array();

	for (size_t i = 0; i < info->nr_tasks; i++)
		json_array_append_new(json, one_task(info, &info->tasks[i]));
	return json;
}

static json_t *file(const struct info_object *file)
{
	char flags[128];
	json_t *json;

	info_file_flags(file, flags, sizeof(flags));
	json = json_pack("{s:s, s:s, s:s, s:I, s:i}",
			 "kind", info_file_kind(file),
			 "access", info_access(file->file.f_flags),
			 "flags", flags,
			 "position", (json_int_t)file->file.f_pos,
			 "locks", (int)file->nr_locks);
	switch (file->kind) {
	case CKPT_REC_FILE_PATH:
		json_object_set_new(json, "path", text(file->text));
		json_object_set_new(json, "inode", number(file->ino));
		json_object_set_new(json, "size", number(file->size));
		break;
	case CKPT_REC_FILE_PIPE:
		json_object_set_new(json, "pipe", json_integer(file->ref));
		break;
	case CKPT_REC_FILE_EXTERNAL:
		json_object_set_new(json, "key", text(file->text));
		break;
	case CKPT_REC_FILE_SHMEM:
		json_object_set_new(json, "shmem", json_integer(file->ref));
		break;
	case CKPT_REC_FILE_SHM:
		json_object_set_new(json, "shmid", number(file->ino));
		json_object_set_new(json, "size", number(file->size));
		json_object_set_new(json, "removed", reference(file->ref));
		break;
	case CKPT_REC_FILE_EVENTFD:
		json_object_set_new(json, "count", number(file->size));
		break;
	default:
		json_object_set_new(json, "record_type", json_integer(file->kind));
	}
	return json;
}

static json_t *fd_table(const struct info_object *table)
{
	json_t *json = json_array();

	for (size_t i = 0; i < table->nr_fds; i++) {
		const struct info_fd *fd = &table->fds[i];

		json_array_append_new(json, json_pack("{s:I, s:I, s:b}",
						      "fd", (json_int_t)fd->fd,
						      "file", (json_int_t)fd->file,
						      "cloexec", fd->cloexec));
	}
	return json_pack("{s:o}", "fds", json);
}

static json_t *memory(const struct info_object *mm)
{
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:b, s:o}",
			 "mappings", (int)mm->nr,
			 "memory_policies", (int)mm->nr_policies,
			 "aio_contexts", (int)mm->nr_aio,
			 "mapped_bytes", number(mm->size),
			 "stored_bytes", number(mm->data_len),
			 "cow_bytes", number(mm->cow_len),
			 "ia32", mm->ia32,
			 "exe", reference(mm->ref));
}

/* The type as text, and the members that are particular to it. */
static json_t *object(const struct info *info, const struct info_object *object)
{
	switch (object->type) {
	case CKPT_OBJ_PIPE:
		return json_pack("{s:s, s:o, s:I, s:o}", "type", "pipe",
				 "waiting_bytes", number(object->size),
				 "capacity", (json_int_t)object->nr,
				 "path", object->text && *object->text ?
				 text(object->text) : json_null());
	case CKPT_OBJ_SHMEM:
		return json_pack("{s:s, s:o, s:o, s:o}", "type", "shmem",
				 "name", text(object->text),
				 "size", number(object->size),
				 "stored_bytes", number(object->data_len));
	case CKPT_OBJ_SHM:
		return json_pack("{s:s, s:o, s:o, s:o}", "type", "sysv_shm",
				 "shmid", number(object->ino),
				 "size", number(object->size),
				 "stored_bytes", number(object->data_len));
	case CKPT_OBJ_FILE:
		return json_pack("{s:s, s:o}", "type", "file", "file", file(object));
	case CKPT_OBJ_MM:
		return json_pack("{s:s, s:o}", "type", "mm", "memory", memory(object));
	case CKPT_OBJ_FS:
		return json_pack("{s:s, s:o, s:o, s:i}", "type", "fs",
				 "cwd", text(object->text), "root", text(object->text2),
				 "umask", (int)object->nr);
	case CKPT_OBJ_FILES:
		return json_pack("{s:s, s:o}", "type", "files", "table", fd_table(object));
	case CKPT_OBJ_SIGHAND:
		return json_pack("{s:s}", "type", "sighand");
	case CKPT_OBJ_SECCOMP_FILTER:
		return json_pack("{s:s}", "type", "seccomp_filter");
	case CKPT_OBJ_TIME_NS:
		return json_pack("{s:s, s:I, s:I}", "type", "time_namespace", "monotonic_ns",
				 (json_int_t)(info->clocks.monotonic + object->time_ns.monotonic),
				 "boottime_ns",
				 (json_int_t)(info->clocks.boottime + object->time_ns.boottime));
	case CKPT_OBJ_AUTOGROUP:
		return json_pack("{s:s}", "type", "autogroup");
	case CKPT_OBJ_IO_CONTEXT:
		return json_pack("{s:s}", "type", "io_context");
	default:
		return json_pack("{s:s, s:I}", "type", "other",
				 "object_type", (json_int_t)object->type);
	}
}

static json_t *objects(const struct info *info)
{
	json_t *json = json_array();

	for (size_t i = 0; i < info->nr_objects; i++) {
		json_t *one = object(info, &info->objects[i]);

		json_object_set_new(one, "objref", json_integer(info->objects[i].objref));
		json_array_append_new(json, one);
	}
	return json;
}

static json_t *externals(const struct info *info)
{
	json_t *json = json_array();

	for (size_t i = 0; i < info->nr_objects; i++)
		if (info->objects[i].is_needed)
			json_array_append_new(json, text(info->objects[i].text));
	return json;
}

int info_print_json(const struct info *info)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "image", image(info),
				 "tasks", tasks(info), "objects", objects(info),
				 "externals", externals(info));
	int ret = -ENOMEM;

	if (json)
		ret = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) ? -EIO : 0;
	if (ret)
		complain("cannot write JSON: %s", strerror(-ret));
	else
		putchar('\n');
	json_decref(json);
	return ret;
}
