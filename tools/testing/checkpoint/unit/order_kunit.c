// SPDX-License-Identifier: GPL-2.0
/*
 * libckpt's reader of images: the order of records, and how it ends.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "../../../../checkpoint/tests/image_stream.h"
#include "../../../checkpoint/libckpt.h"
#include "../../../checkpoint/order.h"

struct item {
	u16 type;
	u32 len;
	union {
		struct ckpt_rec_header header;
		struct ckpt_rec_arch arch;
		struct ckpt_rec_tree_task tree;
		struct ckpt_rec_obj obj;
		struct ckpt_rec_task task;
	};
};

enum {
	HEADER, ARCH, VDSO, ROOT, THREAD, DEAD, CHILD, PIPE, FILE_OF_IT, MM, FILES, SIGHAND,
	STATE, CREDS, LSM, TIMER, TIMER2, ITIMERS, END, STATE_THREAD, END_THREAD, STATE_CHILD,
	END_CHILD, STATE_DEAD, CREDS_DEAD, END_DEAD, CLOCKS, TRAILER, NR_ITEMS,
};

#define TREE_TASK(...)								\
	{ CKPT_REC_TREE_TASK, sizeof(struct ckpt_rec_tree_task), .tree = { __VA_ARGS__ } }
#define OBJ(ref, kind, whose)							\
	{ CKPT_REC_OBJ, sizeof(struct ckpt_rec_obj),				\
	  .obj = { .objref = ref, .type = kind, .owner = whose } }
#define TASK(rec, which)							\
	{ rec, sizeof(struct ckpt_rec_task), .task = { .index = which } }

static const struct item right[NR_ITEMS] = {
	[HEADER] = { CKPT_REC_HEADER, sizeof(struct ckpt_rec_header), .header = {
		.magic = CKPT_IMAGE_MAGIC, .version = CKPT_IMAGE_VERSION,
		.arch = CKPT_ARCH_X86_64, .page_size = PAGE, .nr_tasks = 4, .nr_objs = 5 } },
	[ARCH] = { CKPT_REC_ARCH, sizeof(struct ckpt_rec_arch) },
	[VDSO] = { CKPT_REC_VDSO },
	[ROOT] = TREE_TASK(.pid = 10, .tgid = 10, .parent = CKPT_TASK_NONE,
			   .creator = CKPT_TASK_NONE),
	[THREAD] = TREE_TASK(.pid = 11, .tgid = 10, .parent = CKPT_TASK_NONE,
			     .flags = CKPT_TASKF_THREAD | CKPT_TASKF_SHARE_VM),
	[DEAD] = TREE_TASK(.pid = 12, .tgid = 12, .creator = CKPT_TASK_NONE,
			   .flags = CKPT_TASKF_ZOMBIE),
	[CHILD] = TREE_TASK(.pid = 13, .tgid = 13, .creator = CKPT_TASK_NONE),
	[PIPE] = OBJ(2, CKPT_OBJ_PIPE, CKPT_TASK_NONE),
	[FILE_OF_IT] = OBJ(1, CKPT_OBJ_FILE, CKPT_TASK_NONE),
	[MM] = OBJ(3, CKPT_OBJ_MM, 0),
	[FILES] = OBJ(4, CKPT_OBJ_FILES, 0),
	[SIGHAND] = OBJ(5, CKPT_OBJ_SIGHAND, 3),
	[STATE] = TASK(CKPT_REC_TASK, 0),
	[CREDS] = { CKPT_REC_TASK_CREDS },
	[LSM] = { CKPT_REC_TASK_LSM },
	[TIMER] = { CKPT_REC_TASK_TIMER },
	[TIMER2] = { CKPT_REC_TASK_TIMER },
	[ITIMERS] = { CKPT_REC_TASK_ITIMERS },
	[END] = { CKPT_REC_TASK_END },
	[STATE_THREAD] = TASK(CKPT_REC_TASK, 1),
	[END_THREAD] = { CKPT_REC_TASK_END },
	[STATE_CHILD] = TASK(CKPT_REC_TASK, 3),
	[END_CHILD] = { CKPT_REC_TASK_END },
	[STATE_DEAD] = TASK(CKPT_REC_DEAD_TASK, 2),
	[CREDS_DEAD] = { CKPT_REC_TASK_CREDS },
	[END_DEAD] = { CKPT_REC_TASK_END },
	[CLOCKS] = { CKPT_REC_CLOCKS },
	[TRAILER] = { CKPT_REC_TRAILER },
};

static struct item items[NR_ITEMS];
static int last_err;

/* What is said of @items, which become right again. */
static const char *verdict(void)
{
	struct ckpt_order *order = ckpt_order_new();
	const char *complaint = NULL;
	int i;

	for (i = 0, last_err = 0; i < NR_ITEMS && !last_err; i++) {
		const struct ckpt_image_record record = {
			.type = items[i].type,
			.len = items[i].len,
			.data = &items[i].header,
		};

		last_err = ckpt_order_check(order, &record, &complaint);
	}
	ckpt_order_free(order);
	memcpy(items, right, sizeof(items));
	return last_err ? complaint : "right";
}

static int order_init(struct kunit *test)
{
	memcpy(items, right, sizeof(items));
	return 0;
}

/* Puts @nr records that stand at @from before that at @to, which is an earlier one. */
static void move(int from, int nr, int to)
{
	struct item moved[NR_ITEMS];

	memcpy(moved, &items[from], nr * sizeof(*items));
	memmove(&items[to + nr], &items[to], (from - to) * sizeof(*items));
	memcpy(&items[to], moved, nr * sizeof(*items));
}

#define EXPECT_VERDICT(text)	KUNIT_EXPECT_STREQ(test, verdict(), text)

static void order_header(struct kunit *test)
{
	EXPECT_VERDICT("right");
	items[HEADER].header.arch++;
	EXPECT_VERDICT("the image is of another architecture");
	KUNIT_EXPECT_EQ(test, last_err, -E2BIG);
	items[HEADER].header.page_size *= 4;
	EXPECT_VERDICT("the image is of another architecture");
	items[HEADER].header.flags = ~CKPT_IMAGE_FLAGS;
	EXPECT_VERDICT("unknown flags in the header");
	items[HEADER].header.version++;
	EXPECT_VERDICT("the image is of a newer version of the format");
	items[HEADER].header.reserved = 1;
	EXPECT_VERDICT("impossible header");
	KUNIT_EXPECT_EQ(test, last_err, -EINVAL);
	move(ARCH, 1, HEADER);
	EXPECT_VERDICT("the image does not begin with a header");
}

static void order_threads(struct kunit *test)
{
	items[CHILD].tree.pid = 11;
	EXPECT_VERDICT("a pid appears twice");
	items[THREAD].tree.tgid = 13;
	EXPECT_VERDICT("a thread without its leader before it");
	move(THREAD, 1, ROOT);
	EXPECT_VERDICT("a creator must come before what it creates");
	items[THREAD].tree.creator = CKPT_TASK_NONE;
	move(THREAD, 1, ROOT);
	EXPECT_VERDICT("a thread without its leader before it");
	items[THREAD].tree.flags |= CKPT_TASKF_ZOMBIE;
	EXPECT_VERDICT("a thread that is dead");
	items[THREAD].tree.parent = 0;
	EXPECT_VERDICT("a thread with a parent of its own");
	items[THREAD].tree.creator = CKPT_TASK_NONE;
	EXPECT_VERDICT("right");
}

static void order_processes(struct kunit *test)
{
	items[CHILD].tree.tgid = 10;
	EXPECT_VERDICT("a process that is not called by its pid");
	items[CHILD].tree.parent = CKPT_TASK_NONE;
	EXPECT_VERDICT("a process without a parent, or a root with one");
	items[CHILD].tree.parent = 3;
	EXPECT_VERDICT("a parent must come before its children");
	items[CHILD].tree.flags = CKPT_TASKF_SHARE_SIGHAND;
	EXPECT_VERDICT("a process shares memory with nobody");
	items[CHILD].tree.creator = 0;
	EXPECT_VERDICT("a process has a creator, but shares no memory");
	items[CHILD].tree.parent = 2;
	EXPECT_VERDICT("the parent of a task is dead");
	items[CHILD].tree.creator = 2;
	items[CHILD].tree.flags = CKPT_TASKF_SHARE_VM;
	EXPECT_VERDICT("the creator of a task is dead");
	items[DEAD].tree.creator = 0;
	items[DEAD].tree.flags |= CKPT_TASKF_SHARE_VM;
	EXPECT_VERDICT("a dead task is the root, or shares memory");
}

/* The leader is dead, its thread is not. */
static void order_dead_leader(struct kunit *test)
{
	items[ROOT].tree.flags = CKPT_TASKF_ZOMBIE;
	items[MM].obj.owner = 1;
	items[FILES].obj.owner = 1;
	items[STATE].task.index = 1;
	items[STATE_THREAD].task.index = 3;
	items[STATE_CHILD].type = CKPT_REC_DEAD_TASK;
	items[STATE_CHILD].task.index = 0;
	EXPECT_VERDICT("right");
	items[ROOT].tree.flags = CKPT_TASKF_ZOMBIE;
	EXPECT_VERDICT("an object belongs to no living task of the tree");
}

static void order_objects(struct kunit *test)
{
	move(FILE_OF_IT, 1, PIPE);
	EXPECT_VERDICT("objects out of order");
	move(FILES, 1, MM);
	EXPECT_VERDICT("objects out of order");
	move(SIGHAND, 1, FILES);
	EXPECT_VERDICT("right");
	items[SIGHAND].obj.objref = 1;
	EXPECT_VERDICT("an object comes twice");
	items[SIGHAND].obj.objref = 6;
	EXPECT_VERDICT("impossible number of an object");
	items[MM].obj.owner = CKPT_TASK_NONE;
	EXPECT_VERDICT("an object without an owner, or one that needs none");
	items[PIPE].obj.owner = 0;
	EXPECT_VERDICT("an object without an owner, or one that needs none");
	move(STATE, END - STATE + 1, SIGHAND);
	EXPECT_VERDICT("an object after the first task");
}

static void order_tasks(struct kunit *test)
{
	move(STATE_DEAD, END_DEAD - STATE_DEAD + 1, STATE);
	EXPECT_VERDICT("state of a task is missing");
	move(STATE_DEAD, END_DEAD - STATE_DEAD + 1, STATE_CHILD);
	EXPECT_VERDICT("state of a task is missing");
	items[STATE_DEAD].type = CKPT_REC_TASK;
	EXPECT_VERDICT("state of a dead task");
	items[STATE_CHILD].type = CKPT_REC_DEAD_TASK;
	EXPECT_VERDICT("a task is not dead");
	items[STATE_CHILD].task.index = 1;
	EXPECT_VERDICT("state of a task comes twice");
	items[STATE_CHILD].task.index = 0xffffffff;
	EXPECT_VERDICT("state of a task that is not in the tree");
}

static void order_parts(struct kunit *test)
{
	items[ITIMERS].type = CKPT_REC_TASK_FS;
	EXPECT_VERDICT("records of a task out of order");
	items[TIMER].type = CKPT_REC_TASK_FUTEX;
	items[TIMER2].type = CKPT_REC_TASK_FUTEX;
	EXPECT_VERDICT("a part of a task comes twice");
	items[LSM].type = CKPT_REC_TASK_CREDS;
	EXPECT_VERDICT("a part of a task comes twice");
	items[TIMER].type = CKPT_REC_TASK_LSM;
	EXPECT_VERDICT("security labels without credentials");
	items[ITIMERS].type = CKPT_REC_FILE;
	EXPECT_VERDICT("a record that is not of a task");
	items[END].len = 8;
	EXPECT_VERDICT("impossible end of a task");
}

static int stream_fd(struct kunit *test)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	const struct stream *s = test->priv;

	KUNIT_ASSERT_LE(test, 0, fd);
	KUNIT_ASSERT_EQ(test, pwrite(fd, s->buf, s->len, 0), (ssize_t)s->len);
	return fd;
}

/* The image ends with @err, however often one asks. */
static void expect_end(struct kunit *test, int err, const char *text)
{
	struct ckpt_image_record record;
	struct ckpt_image *image;
	int fd = stream_fd(test);
	int ret;

	KUNIT_ASSERT_EQ(test, ckpt_image_open(fd, &image), 0);
	do
		ret = ckpt_image_next(image, &record);
	while (ret > 0);
	KUNIT_EXPECT_EQ(test, ret, err);
	KUNIT_EXPECT_EQ(test, ckpt_image_next(image, &record), err);
	KUNIT_EXPECT_EQ(test, ckpt_image_verify(image), err);
	KUNIT_EXPECT_TRUE(test, strstr(ckpt_image_error(image), text));
	ckpt_image_close(image);
	close(fd);
}

static void write_items(struct stream *s)
{
	int i;

	rewrite(s);
	for (i = 0; i < TRAILER; i++)
		put(s, items[i].type, &items[i].header, items[i].len);
	ckpt_writer_trailer(&s->w);
}

static void order_ends(struct kunit *test)
{
	struct stream *s = test->priv;

	order_init(test);
	write_items(s);
	expect_end(test, 0, "");
	stream_write(s, "x", 1);
	expect_end(test, -EINVAL, "data follows the end of the image");
	items[PIPE].obj.type = CKPT_OBJ_FILE;
	items[FILE_OF_IT].obj.type = CKPT_OBJ_PIPE;
	write_items(s);
	expect_end(test, -EINVAL, "objects out of order");
	items[PIPE] = (struct item){ .type = 60000 };
	write_items(s);
	expect_end(test, -E2BIG, "unknown record");
}

static struct kunit_case order_cases[] = {
	KUNIT_CASE(order_header),
	KUNIT_CASE(order_threads),
	KUNIT_CASE(order_processes),
	KUNIT_CASE(order_dead_leader),
	KUNIT_CASE(order_objects),
	KUNIT_CASE(order_tasks),
	KUNIT_CASE(order_parts),
	{}
};

static struct kunit_suite order_suite = {
	.name = "libckpt-order",
	.init = order_init,
	.test_cases = order_cases,
};

kunit_test_suite(order_suite);

static struct kunit_case end_cases[] = {
	KUNIT_CASE(order_ends),
	{}
};

static struct kunit_suite end_suite = {
	.name = "libckpt-image",
	.init = stream_init,
	.exit = stream_exit,
	.test_cases = end_cases,
};

kunit_test_suite(end_suite);
