// SPDX-License-Identifier: GPL-2.0
/* Local descriptor tables, and code that runs in their segments. */
#include <asm/ldt.h>
#include <pthread.h>
#include <sys/wait.h>

#include "code32.h"
#include "codec.h"

#define SELECTOR(nr)	((nr) * 8 + 7)
#define TABLE_SIZE	(LDT_ENTRIES * LDT_ENTRY_SIZE)
#define MODERN		0x11	/* modify_ldt(): with all bits of struct user_desc */

static void set_entry(const struct user_desc *desc)
{
	CHECK(!syscall(SYS_modify_ldt, MODERN, desc, sizeof(*desc)));
}

static void clear_entry(unsigned int nr)
{
	struct user_desc desc = {
		.entry_number = nr,
		.read_exec_only = 1,
		.seg_not_present = 1,
	};

	set_entry(&desc);
}

static void set_data(unsigned int nr, void *base)
{
	struct user_desc desc = {
		.entry_number = nr,
		.base_addr = (unsigned long)base,
		.limit = 4095,
		.seg_32bit = 1,
	};

	set_entry(&desc);
}

static int read_table(void *table)
{
	return syscall(SYS_modify_ldt, 0, table, TABLE_SIZE);
}

/* What modify_ldt() told before is what it tells afterwards. */
static void table_stays(void)
{
	static char before[TABLE_SIZE], after[TABLE_SIZE];

	CHECK_EQ(read_table(before), TABLE_SIZE);
	subject_ready();
	CHECK_EQ(read_table(after), TABLE_SIZE);
	CHECK(!memcmp(before, after, TABLE_SIZE));
}

SURVIVE(entries_of_all_kinds)
{
	struct user_desc desc;
	unsigned int i;

	for (i = 0; i < 128; i++) {
		memset(&desc, 0, sizeof(desc));
		desc.entry_number = 3 * i;
		desc.base_addr = i * 0x02345678;
		desc.limit = i * 0x1357 & 0xfffff;
		desc.seg_32bit = i;
		desc.contents = i >> 1;
		desc.read_exec_only = i >> 3;
		desc.limit_in_pages = i >> 4;
		desc.useable = i >> 5;
		desc.seg_not_present = i >> 6 || desc.contents == 3;
		set_entry(&desc);
	}
	clear_entry(3 * 100);
	table_stays();
}

SURVIVE(last_entry_cleared)
{
	set_data(3, NULL);
	clear_entry(3);
	table_stays();
}

/* From the last entry that there can be down to the first */
SURVIVE(long_table)
{
	unsigned int i;

	set_data(LDT_ENTRIES - 1, NULL);
	for (i = 0; i < LDT_ENTRIES; i += 64)
		set_data(i, (void *)(unsigned long)(i + 1));
	table_stays();
}

static uint32_t load_gs(uint16_t selector)
{
	uint32_t value;

	asm volatile("mov %1, %%gs; movl %%gs:4, %0" : "=r"(value) : "r"(selector));
	return value;
}

SURVIVE(data_segment)
{
	uint32_t *memory = low(), value;
	uint16_t gs;

	memory[1] = 4711;
	set_data(5, memory);
	CHECK_EQ(load_gs(SELECTOR(5)), 4711);
	subject_ready();
	asm volatile("mov %%gs, %0" : "=r"(gs));
	CHECK_EQ(gs, SELECTOR(5));
	/* as the CPU has loaded it, and loaded again */
	asm volatile("movl %%gs:4, %0" : "=r"(value));
	CHECK_EQ(value, 4711);
	CHECK_EQ(load_gs(SELECTOR(5)), 4711);
}

/* A child has a copy of the table, which is its own from then on. */
SURVIVE(table_of_each_process)
{
	uint32_t *memory = low();
	int status;
	pid_t kid;

	memory[1] = 1;
	memory[2] = 2;
	set_data(1, memory);
	kid = fork();
	if (!kid) {
		set_data(1, memory + 1);
		subject_touch("changed");
		while (access("go", F_OK))
			subject_sleep_ms(1);
		_exit(load_gs(SELECTOR(1)) != 2);
	}
	while (access("changed", F_OK))
		subject_sleep_ms(1);
	subject_ready();
	CHECK_EQ(load_gs(SELECTOR(1)), 1);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(status, 0);
}

static void *release(void *flag)
{
	subject_ready();
	*(volatile int *)flag = 1;
	return NULL;
}

/* Code, data and stack, each from another segment of the table */
SURVIVE(code_in_a_segment)
{
	char *code = low();
	struct user_desc code_segment = {
		.entry_number = 2,
		.base_addr = (unsigned long)code,
		.limit = 4095,
		.seg_32bit = 1,
		.contents = MODIFY_LDT_CONTENTS_CODE,
	};
	struct far in = { 0, SELECTOR(2) };
	struct far *back = (struct far *)(code + 2048);
	struct segments seg = { .ds = SELECTOR(3), .ss = SELECTOR(4) };
	volatile int *flag = (int *)(code + 3072);
	pthread_t thread;

	memcpy(code, wait32, sizeof(wait32));
	*back = (struct far){ (unsigned long)code + BACK64, USER_CS };
	set_entry(&code_segment);
	set_data(3, code);
	set_data(4, code);
	CHECK(!pthread_create(&thread, NULL, release, (void *)flag));
	run32(&in, 2048, 3072, &seg);
	CHECK(*flag);
	CHECK_EQ(seg.ds, SELECTOR(3));
	CHECK_EQ(seg.ss, SELECTOR(4));
	CHECK(!pthread_join(thread, NULL));
}

static void subject_with_a_segment(void)
{
	set_data(1, NULL);
	subject_ready();
}

FIXTURE(segment)
{
	struct subject s;
	struct image image;
};

FIXTURE_SETUP(segment)
{
	struct subject *s = &self->s;

	memset(self, 0, sizeof(*self));
	ASSERT_TRUE(subject_start(s, subject_with_a_segment)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(image_load(s, &self->image));
}

FIXTURE_TEARDOWN(segment)
{
	image_free(&self->image);
	subject_clean(&self->s);
}

/* What sigreturn(2) would do to it: the kernel goes on. */
static void dies_of(struct __test_metadata *_metadata, struct subject *s, struct image *image)
{
	int status;

	ASSERT_TRUE(image_store(s, image));
	ASSERT_EQ(subject_restart(s, 0), s->pid) subject_print(s);
	status = subject_finish(s);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

TEST_F(segment, of_code_is_not_there)
{
	struct ckpt_rec_task_regs *regs;

	regs = (void *)image_first(&self->image, CKPT_REC_TASK_REGS)->payload;
	regs->cs = SELECTOR(5);
	dies_of(_metadata, &self->s, &self->image);
	/* or is one of data */
	regs->cs = SELECTOR(1);
	dies_of(_metadata, &self->s, &self->image);
}

TEST_F(segment, of_the_stack_is_not_there)
{
	struct ckpt_rec_task_regs *regs;

	regs = (void *)image_first(&self->image, CKPT_REC_TASK_REGS)->payload;
	regs->ss = SELECTOR(5);
	dies_of(_metadata, &self->s, &self->image);
}

TEST_HARNESS_MAIN
