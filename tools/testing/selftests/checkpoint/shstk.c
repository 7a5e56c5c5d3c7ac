// SPDX-License-Identifier: GPL-2.0
/*
 * User shadow stacks (CET). A subject that has one never returns from the function
 * that asked for it: its caller is on the ordinary stack only.
 */
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "codec.h"

#ifndef __NR_map_shadow_stack
#define __NR_map_shadow_stack	453
#endif

#define TOKEN		(1 << 0)	/* SHADOW_STACK_SET_TOKEN */
#define DEPTH		500

/* A call, but not to a function of libc, whose return would be the first to fail. */
#define ARCH_PRCTL(option, arg)						\
({									\
	long _ret;							\
	asm volatile("syscall"						\
		     : "=a"(_ret)					\
		     : "a"(SYS_arch_prctl), "D"(option), "S"(arg)	\
		     : "rcx", "r11", "memory", "cc");			\
	_ret;								\
})

#define ENABLE()	CHECK(!ARCH_PRCTL(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK))

static bool has_shstk(void)
{
	void *p = (void *)syscall(__NR_map_shadow_stack, 0, 4096, 0);

	return p != MAP_FAILED && !munmap(p, 4096);
}

/* SURVIVE_IF() for a subject that is on a shadow stack from its first call on */
#define SURVIVE_ON(name)						\
	static void on_##name(void);					\
	SURVIVE_IF(name, has_shstk(), "no user shadow stacks")		\
	{								\
		ENABLE();						\
		on_##name();						\
		_exit(0);						\
	}								\
	static void on_##name(void)

static unsigned long stack_pointer(void)
{
	unsigned long ssp;

	asm volatile("rdsspq %0" : "=r"(ssp) : "0"(0));
	return ssp;
}

static unsigned long status(void)
{
	unsigned long features = 0;

	CHECK(!ARCH_PRCTL(ARCH_SHSTK_STATUS, &features));
	return features;
}

static int descend(int depth);
static int (*volatile deeper)(int depth) = descend;

static int descend(int depth)
{
	if (!depth)
		subject_ready();
	else
		return deeper(depth - 1) + 1;
	return 0;
}

/* Each return is compared with what was saved. */
SURVIVE_ON(returns)
{
	unsigned long ssp = stack_pointer();

	CHECK(ssp);
	CHECK_EQ(deeper(DEPTH), DEPTH);
	CHECK_EQ(stack_pointer(), ssp);
	CHECK_EQ(status(), ARCH_SHSTK_SHSTK);
}

static void handler(int sig)
{
	if (sig == SIGUSR1)
		CHECK_EQ(deeper(3), 3);
	else
		raise(SIGUSR1);
}

SURVIVE_ON(handlers)
{
	CHECK(signal(SIGUSR1, handler) != SIG_ERR && signal(SIGUSR2, handler) != SIG_ERR);
	raise(SIGUSR2);
	CHECK(stack_pointer());
}

static void return_elsewhere(void)
{
	void *volatile *ret = __builtin_frame_address(0);

	ret[1] = (char *)ret[1] + 1;
}

static void (*volatile misled)(void) = return_elsewhere;

/* It guards as before. */
SURVIVE_ON(wrong_return)
{
	int how;
	pid_t kid;

	subject_ready();
	kid = fork();
	if (!kid) {
		misled();
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, &how, 0), kid);
	CHECK(WIFSIGNALED(how) && WTERMSIG(how) == SIGSEGV);
}

static volatile bool ended;

static void *use_stack(void *arg)
{
	int depth = (long)arg;
	unsigned long ssp = stack_pointer();

	while (!ended)
		subject_sleep_ms(1);
	CHECK_EQ(stack_pointer(), ssp);
	CHECK_EQ(status(), ARCH_SHSTK_SHSTK);
	return (void *)(long)depth;
}

static int count_stacks(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	int nr = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		nr += !strncmp(line, "VmFlags:", 8) && strstr(line, " ss");
	fclose(f);
	return nr;
}

/* Each has one, which goes away with it. */
SURVIVE_ON(threads)
{
	pthread_t threads[4];
	void *ret;
	long i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, use_stack, (void *)i));
	CHECK_EQ(count_stacks(), 5);
	subject_ready();
	CHECK_EQ(count_stacks(), 5);
	ended = true;
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], &ret) && ret == (void *)i);
	while (count_stacks() > 1)
		subject_sleep_ms(1);
}

static int wait_in_child(int depth)
{
	if (depth)
		return wait_in_child(depth - 1) + 1;
	while (access("go", F_OK))
		subject_sleep_ms(1);
	return 0;
}

SURVIVE_ON(relatives)
{
	pid_t kid = fork();
	int how;

	if (!kid)
		_exit(wait_in_child(20) - 20);
	CHECK_EQ(deeper(DEPTH), DEPTH);
	CHECK_EQ(waitpid(kid, &how, 0), kid);
	CHECK_EQ(how, 0);
}

static void write_own_return(void)
{
	unsigned long *top = (unsigned long *)stack_pointer();

	asm volatile("wrssq %0, %1" : : "r"(*top), "m"(*top) : "memory");
}

static bool may_write(void)
{
	pid_t kid = fork();
	int how;

	if (!kid) {
		write_own_return();
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, &how, 0), kid);
	return !how;
}

SURVIVE_ON(writes)
{
	CHECK(!may_write());
	CHECK(!ARCH_PRCTL(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS));
	CHECK(may_write());
	subject_ready();
	CHECK_EQ(status(), ARCH_SHSTK_SHSTK | ARCH_SHSTK_WRSS);
	CHECK(may_write());
	CHECK(!ARCH_PRCTL(ARCH_SHSTK_DISABLE, ARCH_SHSTK_WRSS));
	CHECK(!may_write());
}

SURVIVE_ON(lock)
{
	CHECK(!ARCH_PRCTL(ARCH_SHSTK_LOCK, ARCH_SHSTK_SHSTK | 1UL << 40));
	subject_ready();
	CHECK_EQ(ARCH_PRCTL(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK), -EPERM);
	CHECK_EQ(ARCH_PRCTL(ARCH_SHSTK_DISABLE, 1UL << 40), -EPERM);
}

/* Nor may one that has none get one. */
SURVIVE_IF(lock_without, has_shstk(), "no user shadow stacks")
{
	CHECK(!ARCH_PRCTL(ARCH_SHSTK_LOCK, ARCH_SHSTK_SHSTK));
	subject_ready();
	CHECK_EQ(ARCH_PRCTL(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK), -EPERM);
	CHECK_EQ(stack_pointer(), 0);
}

/* One that nobody is on yet, with the token to change to it */
SURVIVE_IF(another, has_shstk(), "no user shadow stacks")
{
	unsigned long *stack = (void *)syscall(__NR_map_shadow_stack, 0, 8192, TOKEN);

	CHECK(stack != MAP_FAILED);
	subject_ready();
	CHECK_EQ(stack[1023], (unsigned long)&stack[1024] | 1);
	CHECK_EQ(stack[0], 0);
	CHECK_EQ(count_stacks(), 1);
	CHECK(!munmap(stack, 8192));
}

REFUSE_IF(cut, has_shstk(), "no user shadow stacks", EOPNOTSUPP, "that was changed")
{
	ENABLE();
	CHECK(!munmap((void *)((stack_pointer() & -4096) - 65536), 4096));
	subject_ready();
	_exit(0);
}

/* mprotect() allows it. */
REFUSE_IF(executable, has_shstk(), "no user shadow stacks", EOPNOTSUPP, "executable shadow stack")
{
	void *stack = (void *)syscall(__NR_map_shadow_stack, 0, 4096, 0);

	CHECK(stack != MAP_FAILED && !mprotect(stack, 4096, PROT_READ | PROT_EXEC));
	subject_ready();
}

static void subject_without(void)
{
	subject_ready();
}

FIXTURE(forged)
{
	struct subject s;
	struct image image;
	struct ckpt_rec_task_shstk *rec;
};

FIXTURE_SETUP(forged)
{
	struct ckpt_rec_task_shstk rec = {};
	struct item item = {
		.type = CKPT_REC_TASK_SHSTK,
		.len = sizeof(rec),
		.payload = (void *)&rec,
	};
	struct subject *s = &self->s;

	memset(self, 0, sizeof(*self));
	ASSERT_TRUE(subject_start(s, subject_without)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	ASSERT_TRUE(image_load(s, &self->image));
	image_insert(&self->image, image_first(&self->image, CKPT_REC_TASK_END) -
		     self->image.items, &item);
	self->rec = (void *)image_first(&self->image, CKPT_REC_TASK_SHSTK)->payload;
}

FIXTURE_TEARDOWN(forged)
{
	image_free(&self->image);
	subject_clean(&self->s);
}

static const struct ckpt_rec_task_shstk forgeries[] = {
	{ .features = 1 << 2 },
	{ .features = ARCH_SHSTK_WRSS },
	{ .ssp = 4096 },
	{ .base = 4096, .size = 4096 },
	{ .features = ARCH_SHSTK_SHSTK, .ssp = 4100 },
	{ .features = ARCH_SHSTK_SHSTK, .ssp = -4096 },
	{ .features = ARCH_SHSTK_SHSTK, .ssp = 1UL << 60 },
	{ .features = ARCH_SHSTK_SHSTK, .ssp = 4096, .size = 4096 },
	{ .features = ARCH_SHSTK_SHSTK, .ssp = 4096, .base = 4096, .size = 4096 },
	{ .features = ARCH_SHSTK_SHSTK, .ssp = 4096, .base = -4096UL, .size = 4096 },
};

TEST_F(forged, stack)
{
	struct subject *s = &self->s;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(forgeries); i++) {
		*self->rec = forgeries[i];
		ASSERT_TRUE(image_store(s, &self->image));
		EXPECT_EQ(subject_restart(s, 0), -EINVAL);
		EXPECT_TRUE(log_has(s, "bad shadow stack")) subject_print(s);
	}
}

TEST_F(forged, other_cpu)
{
	struct subject *s = &self->s;

	if (has_shstk())
		SKIP(return, "user shadow stacks");
	*self->rec = (struct ckpt_rec_task_shstk){ .features = ARCH_SHSTK_SHSTK, .ssp = 4096 };
	ASSERT_TRUE(image_store(s, &self->image));
	EXPECT_EQ(subject_restart(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "has a shadow stack")) subject_print(s);
}

/* Memory of this kind, as if a task of it had one */
TEST_F(forged, mapping)
{
	struct subject *s = &self->s;
	struct ckpt_rec_vma *vma = NULL;
	size_t i;

	for (i = 0; i < self->image.nr; i++) {
		struct item *item = &self->image.items[i];

		vma = (void *)item->payload;
		if (!item->data && item->type == CKPT_REC_VMA && !vma->file_objref &&
		    !(vma->flags & CKPT_VMA_GROWSDOWN))
			break;
	}
	ASSERT_LT(i, self->image.nr);
	vma->flags |= CKPT_VMA_SHADOW_STACK | CKPT_VMA_EXEC | CKPT_VMA_MAYEXEC;
	ASSERT_TRUE(image_store(s, &self->image));
	EXPECT_EQ(subject_restart(s, 0), -EINVAL);
	EXPECT_TRUE(log_has(s, "bad mapping")) subject_print(s);
	if (has_shstk())
		return;
	vma->flags &= ~CKPT_VMA_EXEC;
	ASSERT_TRUE(image_store(s, &self->image));
	EXPECT_EQ(subject_restart(s, 0), -EOPNOTSUPP);
	EXPECT_TRUE(log_has(s, "shadow stack, which this CPU or kernel has not"))
		subject_print(s);
}

TEST_HARNESS_MAIN
