// SPDX-License-Identifier: GPL-2.0
/*
 * The order of records: HEADER ARCH VDSO VDSO? TREE_TASK* (OBJ ...)*
 * (TASK ... TASK_END)* CLOCKS TRAILER, what is announced comes, and what is referred
 * to stands before.
 */
#include <search.h>
#include <stdlib.h>

#include <linux/checkpoint_image.h>

#include "libckpt.h"
#include "order.h"

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

struct object {
	__u32 objref;
	__u32 type;
};

struct ckpt_order {
	enum place place;
	struct ckpt_rec_header header;
	struct ckpt_rec_arch arch;
	struct ckpt_rec_tree_task *tasks;
	bool *restored;
	__u32 nr_tasks;
	void *objects;		/* tsearch(3) tree of struct object */
	struct object current;
	__u16 last_type;	/* of the records of a task */
};

struct ckpt_order *ckpt_order_new(void)
{
	return calloc(1, sizeof(struct ckpt_order));
}

void ckpt_order_free(struct ckpt_order *order)
{
	if (!order)
		return;
	tdestroy(order->objects, free);
	free(order->tasks);
	free(order->restored);
	free(order);
}

static int compare(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->objref < y->objref ? -1 : x->objref > y->objref;
}

static const struct object *find_object(struct ckpt_order *order, __u32 objref)
{
	const struct object key = { .objref = objref };
	void *node = tfind(&key, &order->objects, compare);

	return node ? *(struct object **)node : NULL;
}

static const char *check_header(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	struct ckpt_rec_header *h = &order->header;

	if (record->type != CKPT_REC_HEADER)
		return "the image does not begin with a header";
	if (ckpt_image_record_copy(record, h, sizeof(*h)))
		return "the header is of a newer format";
	if (h->magic != CKPT_IMAGE_MAGIC)
		return "wrong magic number in the header";
	if (h->version != CKPT_IMAGE_VERSION)
		return "unknown version of the format";
	if (!h->nr_tasks || h->release[CKPT_RELEASE_LEN - 1])
		return "impossible header";
	order->place = AT_ARCH;
	return NULL;
}

static const char *check_arch(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type != CKPT_REC_ARCH)
		return "the record of the architecture is missing";
	if (ckpt_image_record_copy(record, &order->arch, sizeof(order->arch)))
		return "the record of the architecture is of a newer format";
	order->place = AT_VDSO;
	return NULL;
}

static const char *check_vdso(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type != CKPT_REC_VDSO)
		return "the record of the vdso is missing";
	order->place = order->place == AT_VDSO && order->arch.flags & CKPT_ARCHF_IA32 ?
		       AT_VDSO32 : AT_TREE;
	return NULL;
}

static const char *check_tree_task(const struct ckpt_order *order,
				   const struct ckpt_rec_tree_task *task)
{
	bool thread = task->flags & CKPT_TASKF_THREAD;
	bool no_parent = task->parent == CKPT_TASK_NONE;
	bool root = !order->nr_tasks;

	if (task->pid <= 0 || task->tgid <= 0 || task->comm[CKPT_COMM_LEN - 1])
		return "impossible task in the tree";
	if ((thread || root) != no_parent || (root && thread))
		return "task without or with too many parents";
	if (task->parent != CKPT_TASK_NONE && task->parent >= order->nr_tasks)
		return "a parent must come before its children";
	if (task->creator != CKPT_TASK_NONE && task->creator >= order->nr_tasks)
		return "a creator must come before what it creates";
	return NULL;
}

static const char *tree_task(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	__u32 nr = order->nr_tasks;
	const char *complaint;

	if (record->type != CKPT_REC_TREE_TASK)
		return "tasks of the tree are missing";
	/* twice the size at each power of two */
	if (!(nr & (nr - 1))) {
		__u32 room = nr ? 2 * nr : 1;
		void *tasks = reallocarray(order->tasks, room, sizeof(*order->tasks));

		if (!tasks)
			return "out of memory";
		order->tasks = tasks;
	}
	if (ckpt_image_record_copy(record, &order->tasks[nr], sizeof(*order->tasks)))
		return "the task is of a newer format";
	complaint = check_tree_task(order, &order->tasks[nr]);
	if (complaint)
		return complaint;
	if (++order->nr_tasks < order->header.nr_tasks)
		return NULL;
	order->place = AT_OBJECTS;
	order->restored = calloc(order->nr_tasks, sizeof(bool));
	return order->restored ? NULL : "out of memory";
}

static const char *new_object(struct ckpt_order *order, const struct ckpt_rec_obj *obj)
{
	struct object *object;

	if (!obj->objref || obj->objref > order->header.nr_objs)
		return "impossible number of an object";
	if (find_object(order, obj->objref))
		return "an object comes twice";
	if (obj->owner != CKPT_TASK_NONE && obj->owner >= order->nr_tasks)
		return "an object belongs to no task of the tree";
	object = malloc(sizeof(*object));
	if (!object)
		return "out of memory";
	*object = (struct object) { .objref = obj->objref, .type = obj->type };
	if (!tsearch(object, &order->objects, compare)) {
		free(object);
		return "out of memory";
	}
	order->current = *object;
	order->place = IN_OBJECT;
	return NULL;
}

static const char *new_task(struct ckpt_order *order, const struct ckpt_rec_task *task, bool dead)
{
	if (task->index >= order->nr_tasks)
		return "state of a task that is not in the tree";
	if (order->restored[task->index])
		return "state of a task comes twice";
	if (!(order->tasks[task->index].flags & CKPT_TASKF_ZOMBIE) == dead)
		return dead ? "a task is not dead" : "state of a dead task";
	order->restored[task->index] = true;
	order->last_type = 0;
	order->place = IN_TASK;
	return NULL;
}

static const char *check_clocks(struct ckpt_order *order)
{
	for (__u32 i = 0; i < order->nr_tasks; i++)
		if (!order->restored[i] && !(order->tasks[i].flags & CKPT_TASKF_ZOMBIE))
			return "state of a task is missing";
	order->place = AT_TRAILER;
	return NULL;
}

static const char *check_trailer(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type != CKPT_REC_TRAILER)
		return "a record after the last one";
	order->place = AT_END;
	return NULL;
}

/* Between objects and tasks; IN_OBJECT ends where something of these begins. */
static const char *boundary(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	struct ckpt_rec_obj obj;
	struct ckpt_rec_task task;

	switch (record->type) {
	case CKPT_REC_OBJ:
		if (order->place == AT_TASKS)
			return "an object after the first task";
		if (ckpt_image_record_copy(record, &obj, sizeof(obj)))
			return "the object is of a newer format";
		return new_object(order, &obj);
	case CKPT_REC_TASK:
	case CKPT_REC_DEAD_TASK:
		if (ckpt_image_record_copy(record, &task, sizeof(task)))
			return "the task is of a newer format";
		return new_task(order, &task, record->type == CKPT_REC_DEAD_TASK);
	case CKPT_REC_CLOCKS:
		return check_clocks(order);
	case CKPT_REC_TRAILER:
		return "the record of the clocks is missing";
	default:
		return "a record that belongs to no object and no task";
	}
}

static const char *check_pages(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	const struct ckpt_rec_pages *head = record->data;
	const struct ckpt_page_run *runs = (const void *)(head + 1);
	const struct object *source;

	if (head->objref != order->current.objref)
		return "pages of another object";
	for (__u32 i = 0; i < head->nr_runs; i++) {
		if (runs[i].flags != CKPT_RUN_COW)
			continue;
		source = find_object(order, runs[i].src_objref);
		if (!source || source->type != CKPT_OBJ_MM ||
		    source->objref == order->current.objref)
			return "pages shared with an mm that does not stand before";
	}
	return NULL;
}

static const char *in_object(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type == CKPT_REC_PAGES)
		return check_pages(order, record);
	if (record->type >= CKPT_REC_PIPE && record->type < CKPT_REC_OBJ_MAX)
		return NULL;
	return boundary(order, record);
}

static const char *in_task(struct ckpt_order *order, const struct ckpt_image_record *record)
{
	if (record->type == CKPT_REC_TASK_END) {
		order->place = AT_TASKS;
		return NULL;
	}
	if (record->type < CKPT_REC_TASK_IO_PORTS)
		return "a record that is not of a task";
	/* the one that is not at the place of its number */
	if (record->type == CKPT_REC_TASK_LSM)
		return order->last_type == CKPT_REC_TASK_CREDS ? NULL :
		       "security labels without credentials";
	if (record->type < order->last_type)
		return "records of a task out of order";
	order->last_type = record->type;
	return NULL;
}

const char *ckpt_order_check(struct ckpt_order *order, const struct ckpt_image_record *record)
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
