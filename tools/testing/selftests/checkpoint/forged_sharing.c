// SPDX-License-Identifier: GPL-2.0
/* What tasks that share memory have in common, whatever an image says of each. */
#include <pthread.h>
#include <sched.h>

#include "forged_image.h"

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* Children would live in another time namespace: there are two in the image. */
static void subject_with_thread(void)
{
	pthread_t thread;

	CHECK(!unshare(CLONE_NEWTIME));
	CHECK(!pthread_create(&thread, NULL, wait_for_ever, NULL));
	subject_ready();
}

/* A page of it is in the memory of both, and goes with the thread that uses it. */
TEST_F(forged_image, thread_with_a_time_namespace_of_its_own)
{
	struct ckpt_rec_task_time_ns *first, *second;
	struct item *item;

	ASSERT_TRUE(take(subject_with_thread));
	item = next_of(CKPT_REC_TASK_TIME_NS, NULL);
	ASSERT_NE(item, NULL);
	first = (void *)item->payload;
	item = next_of(CKPT_REC_TASK_TIME_NS, item);
	ASSERT_NE(item, NULL);
	second = (void *)item->payload;
	ASSERT_EQ(second->time_ns, first->time_ns);
	ASSERT_NE(first->for_children, first->time_ns);
	second->time_ns = first->for_children;
	EXPECT_TRUE(refused(EINVAL, "another time namespace than others that share its memory"));
	second->time_ns = first->time_ns;
	EXPECT_TRUE(accepted());
	s.pid = 0;
}

TEST_F(forged_image, thread_that_stays_in_the_time_namespace_of_the_restarter)
{
	struct item *item;

	ASSERT_TRUE(take(subject_with_thread));
	item = next_of(CKPT_REC_TASK_TIME_NS, NULL);
	ASSERT_NE(item, NULL);
	item = next_of(CKPT_REC_TASK_TIME_NS, item);
	ASSERT_NE(item, NULL);
	drop(item);
	EXPECT_TRUE(refused(EINVAL, "time namespace"));
	s.pid = 0;
}

static struct item *object_of_type(uint32_t type)
{
	struct item *item = NULL;

	while ((item = next_of(CKPT_REC_OBJ, item)))
		if (((struct ckpt_rec_obj *)item->payload)->type == type)
			return item;
	return NULL;
}

/* Limits of memory count for each. */
TEST_F(forged_image, second_address_space)
{
	struct ckpt_rec_header *head;
	struct item *object, *next;
	struct ckpt_rec_obj obj;

	ASSERT_TRUE(take(subject_with_thread));
	object = object_of_type(CKPT_OBJ_MM);
	ASSERT_NE(object, NULL);
	next = next_of(CKPT_REC_OBJ, object);
	ASSERT_NE(next, NULL);
	head = (void *)next_of(CKPT_REC_HEADER, NULL)->payload;
	memcpy(&obj, object->payload, sizeof(obj));
	obj.objref = ++head->nr_objs;
	image_insert(&image, next - image.items, next_of(CKPT_REC_MM, NULL));
	image_insert(&image, next - image.items, &(struct item){
		.type = CKPT_REC_OBJ, .len = sizeof(obj), .payload = (void *)&obj });
	EXPECT_TRUE(refused(EINVAL, "a second address space"));
	s.pid = 0;
}

TEST_HARNESS_MAIN
