// SPDX-License-Identifier: GPL-2.0
/*
 * The order of records: HEADER ARCH VDSO VDSO? TREE_TASK* (OBJ ...)*
 * (TASK ... TASK_END)* (DEAD_TASK ... TASK_END)* CLOCKS TRAILER, what is announced
 * comes, and what is referred to stands before. restart(2) refuses all that is
 * refused here.
 */
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>

#include <linux/checkpoint_image.h>

#include "libckpt.h"
#include "order.h"

#define PAGE_LEN	4096

enum place {
	AT_HEADER,
	AT_ARCH,
	AT_VDSO,
	AT_VDSO32,
	AT_TREE,
	AT_OBJECTS,	/* objects and tasks may begin here */
	IN_OBJECT,
	AT_TASKS,	/* no objects any more */
	IN_TASK,
	AT_TRAILER,
	AT_END,
};

struct pair {
	__u32 number;
	__u32 value;
};

struct task {
	struct ckpt_rec_tree_task rec;
	bool has_threads;
	bool restored;
};

struct ckpt_order {
	enum place place;
	struct ckpt_rec_header header;
	struct ckpt_rec_arch arch;
	struct task *tasks;
	__u32 nr_tasks;
	void *pids;		/* tsearch(3) tree: which task has it */
	void *objects;		/* likewise, by objref: of which type it is */
	__u32 current;		/* objref */
	__u32 last_rank;	/* of the objects */
	bool dead;		/* the tasks are dead from here on */
	__u16 last_type;	/* of the records of a task */
	__u16 previous;		/* that of the record before */
	const char *complaint;
};

struct ckpt_order *ckpt_order_new(void)
{
	return calloc(1, sizeof(struct ckpt_order));
}

void ckpt_order_free(struct ckpt_order *order)
{
	if (!order)
		return;
	tdestroy(order->pids, free);
	tdestroy(order->objects, free);
	free(order->tasks);
	free(order);
}

static int bad(struct ckpt_order *order, const char *complaint)
{
	order->complaint = complaint;
	return -EINVAL;
}

static int newer(struct ckpt_order *order, const char *complaint)
{
	order->complaint = complaint;
	return -E2BIG;
}

static int no_memory(struct ckpt_order *order)
{
	order->complaint = "out of memory";
	return -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static const struct pair *find(void *const *tree, __u32 number)
{
	const struct pair key = { .number = number };
	void *node = tfind(&key, tree, compare);

	return node ? *(struct pair **)node : NULL;
}

static int enter(struct ckpt_order *order, void **tree, __u32 number, __u32 value)
{
	struct pair *pair = malloc(sizeof(*pair));

	if (!pair)
		return no_memory(order);
	*pair = (struct pair) { .number = number, .value = value };
	if (tsearch(pair, tree, compare))
		return 0;
	free(pair);
	return no_memory(order);
}

static int check_header(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	struct ckpt_rec_header *h = &order->header;

	if (record->type != CKPT_REC_HEADER)
		return bad(order, "the image does not begin with a header");
	if (ckpt_image_record_copy(record, h, sizeof(*h)))
		return newer(order, "the header is of a newer format");
	if (h->magic != CKPT_IMAGE_MAGIC)
		return bad(order, "wrong magic number in the header");
	if (h->version > CKPT_IMAGE_VERSION)
		return newer(order, "the image is of a newer version of the format");
	if (h->arch != CKPT_ARCH_X86_64 || h->page_size != PAGE_LEN)
		return newer(order, "the image is of another architecture");
	if (h->flags & ~CKPT_IMAGE_FLAGS)
		return newer(order, "unknown flags in the header");
	if (!h->version || h->reserved || !h->nr_tasks || h->release[CKPT_RELEASE_LEN - 1])
		return bad(order, "impossible header");
	order->place = AT_ARCH;
	return 0;
}

static int check_arch(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type != CKPT_REC_ARCH)
		return bad(order, "the record of the architecture is missing");
	if (ckpt_image_record_copy(record, &order->arch, sizeof(order->arch)))
		return newer(order, "the record of the architecture is of a newer format");
	order->place = AT_VDSO;
	return 0;
}

static int check_vdso(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type != CKPT_REC_VDSO)
		return bad(order, "the record of the vdso is missing");
	order->place = order->place == AT_VDSO && order->arch.flags & CKPT_ARCHF_IA32 ?
		       AT_VDSO32 : AT_TREE;
	return 0;
}

static int check_thread(struct ckpt_order *order, const struct ckpt_rec_tree_task *rec)
{
	const struct pair *pid = find(&order->pids, rec->tgid);
	struct task *leader = pid ? &order->tasks[pid->value] : NULL;

	if (!leader || leader->rec.flags & CKPT_TASKF_THREAD)
		return bad(order, "a thread without its leader before it");
	if (rec->flags & CKPT_TASKF_ZOMBIE)
		return bad(order, "a thread that is dead");
	if (rec->parent != CKPT_TASK_NONE)
		return bad(order, "a thread with a parent of its own");
	if (rec->creator != CKPT_TASK_NONE && order->tasks[rec->creator].rec.tgid != rec->tgid)
		return bad(order, "a thread created by another process");
	leader->has_threads = true;
	return 0;
}

static int check_leader(struct ckpt_order *order, const struct ckpt_rec_tree_task *rec)
{
	const __u32 shared = CKPT_TASKF_SHARE_VM | CKPT_TASKF_SHARE_SIGHAND;
	bool root = !order->nr_tasks;

	if (rec->tgid != rec->pid)
		return bad(order, "a process that is not called by its pid");
	if (root != (rec->parent == CKPT_TASK_NONE))
		return bad(order, "a process without a parent, or a root with one");
	if (!root && rec->parent >= order->nr_tasks)
		return bad(order, "a parent must come before its children");
	if (rec->creator == CKPT_TASK_NONE && rec->flags & shared)
		return bad(order, "a process shares memory with nobody");
	if (rec->creator != CKPT_TASK_NONE && !(rec->flags & CKPT_TASKF_SHARE_VM))
		return bad(order, "a process has a creator, but shares no memory");
	return 0;
}

static int check_tree_task(struct ckpt_order *order, const struct ckpt_rec_tree_task *rec)
{
	if (rec->pid <= 0 || rec->tgid <= 0 || rec->comm[CKPT_COMM_LEN - 1])
		return bad(order, "impossible task in the tree");
	if (find(&order->pids, rec->pid))
		return bad(order, "a pid appears twice");
	if (rec->creator != CKPT_TASK_NONE && rec->creator >= order->nr_tasks)
		return bad(order, "a creator must come before what it creates");
	return rec->flags & CKPT_TASKF_THREAD ? check_thread(order, rec) :
						check_leader(order, rec);
}

static bool is_dead(const struct task *task)
{
	return task->rec.flags & CKPT_TASKF_ZOMBIE && !task->has_threads;
}

/* What depends on tasks that come later. */
static int check_relations(struct ckpt_order *order)
{
	for (__u32 i = 0; i < order->nr_tasks; i++) {
		const struct ckpt_rec_tree_task *rec = &order->tasks[i].rec;
		bool created = rec->creator != CKPT_TASK_NONE;

		if (is_dead(&order->tasks[i]) && (!i || created))
			return bad(order, "a dead task is the root, or shares memory");
		if (rec->parent != CKPT_TASK_NONE && is_dead(&order->tasks[rec->parent]))
			return bad(order, "the parent of a task is dead");
		if (created && is_dead(&order->tasks[rec->creator]))
			return bad(order, "the creator of a task is dead");
	}
	order->place = AT_OBJECTS;
	return 0;
}

/* Room for one more; twice the size at each power of two. */
static struct task *next_task(struct ckpt_order *order)
{
	__u32 nr = order->nr_tasks;
	struct task *tasks;

	if (!(nr & (nr - 1))) {
		tasks = reallocarray(order->tasks, nr ? 2 * nr : 1, sizeof(*tasks));
		if (!tasks)
			return NULL;
		order->tasks = tasks;
	}
	order->tasks[nr] = (struct task) { };
	return &order->tasks[nr];
}

static int tree_task(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	struct task *task;
	int err;

	if (record->type != CKPT_REC_TREE_TASK)
		return bad(order, "tasks of the tree are missing");
	task = next_task(order);
	if (!task)
		return no_memory(order);
	if (ckpt_image_record_copy(record, &task->rec, sizeof(task->rec)))
		return newer(order, "the task is of a newer format");
	err = check_tree_task(order, &task->rec);
	if (!err)
		err = enter(order, &order->pids, task->rec.pid, order->nr_tasks);
	if (err || ++order->nr_tasks < order->header.nr_tasks)
		return err;
	return check_relations(order);
}

static int check_owner(struct ckpt_order *order, const struct ckpt_rec_obj *obj)
{
	bool owned = obj->owner != CKPT_TASK_NONE;

	if (owned != (obj->type >= CKPT_OBJ_MM))
		return bad(order, "an object without an owner, or one that needs none");
	if (owned && (obj->owner >= order->nr_tasks ||
		      order->tasks[obj->owner].rec.flags & CKPT_TASKF_ZOMBIE))
		return bad(order, "an object belongs to no living task of the tree");
	return 0;
}

static int new_object(struct ckpt_order *order, const struct ckpt_rec_obj *obj)
{
	/* those that each task makes for itself do not know each other */
	__u32 rank = obj->type < CKPT_OBJ_SIGHAND ? obj->type : CKPT_OBJ_SIGHAND;
	int err;

	if (!obj->objref || obj->objref > order->header.nr_objs || obj->pad)
		return bad(order, "impossible number of an object");
	if (rank < order->last_rank)
		return bad(order, "objects out of order");
	if (find(&order->objects, obj->objref))
		return bad(order, "an object comes twice");
	err = check_owner(order, obj);
	if (!err)
		err = enter(order, &order->objects, obj->objref, obj->type);
	order->last_rank = rank;
	order->current = obj->objref;
	order->place = IN_OBJECT;
	return err;
}

static int check_living(struct ckpt_order *order)
{
	for (__u32 i = 0; i < order->nr_tasks; i++)
		if (!order->tasks[i].restored && !(order->tasks[i].rec.flags & CKPT_TASKF_ZOMBIE))
			return bad(order, "state of a task is missing");
	return 0;
}

static int new_task(struct ckpt_order *order, const struct ckpt_rec_task *rec, bool dead)
{
	struct task *task;

	if (rec->index >= order->nr_tasks || rec->pad)
		return bad(order, "state of a task that is not in the tree");
	task = &order->tasks[rec->index];
	if (task->restored)
		return bad(order, "state of a task comes twice");
	if (!(task->rec.flags & CKPT_TASKF_ZOMBIE) == dead)
		return bad(order, dead ? "a task is not dead" : "state of a dead task");
	if (dead && !order->dead && check_living(order))
		return -EINVAL;
	task->restored = true;
	order->dead = dead;
	order->last_type = 0;
	order->place = IN_TASK;
	return 0;
}

static int check_clocks(struct ckpt_order *order)
{
	order->place = AT_TRAILER;
	return check_living(order);
}

static int check_trailer(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type != CKPT_REC_TRAILER)
		return bad(order, "a record after the last one");
	order->place = AT_END;
	return 0;
}

/* Between objects and tasks; IN_OBJECT ends where something of these begins. */
static int boundary(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	struct ckpt_rec_obj obj;
	struct ckpt_rec_task task;

	switch (record->type) {
	case CKPT_REC_OBJ:
		if (order->place == AT_TASKS)
			return bad(order, "an object after the first task");
		if (ckpt_image_record_copy(record, &obj, sizeof(obj)))
			return newer(order, "the object is of a newer format");
		return new_object(order, &obj);
	case CKPT_REC_TASK:
	case CKPT_REC_DEAD_TASK:
		if (ckpt_image_record_copy(record, &task, sizeof(task)))
			return newer(order, "the task is of a newer format");
		return new_task(order, &task, record->type == CKPT_REC_DEAD_TASK);
	case CKPT_REC_CLOCKS:
		return check_clocks(order);
	case CKPT_REC_TRAILER:
		return bad(order, "the record of the clocks is missing");
	default:
		return bad(order, "a record that belongs to no object and no task");
	}
}

static int check_pages(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	const struct ckpt_rec_pages *head = record->data;
	const struct ckpt_page_run *runs = (const void *)(head + 1);
	const struct pair *source;

	if (head->objref != order->current)
		return bad(order, "pages of another object");
	for (__u32 i = 0; i < head->nr_runs; i++) {
		if (runs[i].flags != CKPT_RUN_COW)
			continue;
		source = find(&order->objects, runs[i].src_objref);
		if (!source || source->value != CKPT_OBJ_MM || source->number == order->current)
			return bad(order, "pages shared with an mm that does not stand before");
	}
	return 0;
}

static int in_object(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type == CKPT_REC_PAGES)
		return check_pages(order, record);
	if (record->type >= CKPT_REC_PIPE && record->type < CKPT_REC_OBJ_MAX)
		return 0;
	return boundary(order, record);
}

static bool may_repeat(__u16 type)
{
	return type == CKPT_REC_TASK_SIGNAL || type == CKPT_REC_TASK_SIGPENDING ||
	       type == CKPT_REC_TASK_TIMER || type == CKPT_REC_TASK_SPECULATION;
}

static int check_part(struct ckpt_order *order, __u16 type)
{
	if (type < CKPT_REC_TASK_IO_PORTS)
		return bad(order, "a record that is not of a task");
	/* the one that is not at the place of its number */
	if (type == CKPT_REC_TASK_LSM)
		return order->previous == CKPT_REC_TASK_CREDS ? 0 :
		       bad(order, "security labels without credentials");
	if (type < order->last_type)
		return bad(order, "records of a task out of order");
	if (type == order->last_type && !may_repeat(type))
		return bad(order, "a part of a task comes twice");
	order->last_type = type;
	return 0;
}

static int in_task(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	int err;

	if (record->type == CKPT_REC_TASK_END) {
		order->place = AT_TASKS;
		return record->len ? bad(order, "impossible end of a task") : 0;
	}
	err = check_part(order, record->type);
	order->previous = record->type;
	return err;
}

static int check_record(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	switch (order->place) {
	case AT_HEADER:
		return check_header(order, record);
	case AT_VDSO:
	case AT_VDSO32:
		return check_vdso(order, record);
	case AT_ARCH:
		return check_arch(order, record);
	case AT_TREE:
		return tree_task(order, record);
	case IN_OBJECT:
		return in_object(order, record);
	case IN_TASK:
		return in_task(order, record);
	case AT_TRAILER:
		return check_trailer(order, record);
	default:
		return boundary(order, record);
	}
}

int ckpt_order_check(struct ckpt_order *order, const struct ckpt_image_record *record,
		     const char **complaint)
{
	int err = check_record(order, record);

	*complaint = order->complaint;
	return err;
}
