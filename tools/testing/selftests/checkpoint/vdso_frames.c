// SPDX-License-Identifier: GPL-2.0
/* Signal handlers that return into a vdso which this kernel does not have. */
#include <pthread.h>
#include <ucontext.h>

#include "foreign_vdso.h"

#ifdef __i386__
#define REG_IP	REG_EIP
#else
#define REG_IP	REG_RIP
#endif

/* Where the handler returns to, from the entry of time() on */
static int frame_offset;
static volatile greg_t *frame_ip;

/* Says, until the checkpoint is over, that it has interrupted that. */
static void wait_in_frame(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t ip = uc->uc_mcontext.gregs[REG_IP];

	(void)info;
	frame_ip = &uc->uc_mcontext.gregs[REG_IP];
	*frame_ip = (greg_t)vdso_function("__vdso_time") + frame_offset;
	if (sig == SIGUSR1)
		subject_ready();
	else
		raise(SIGUSR1);
	*frame_ip = ip;
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = wait_in_frame, .sa_flags = SA_SIGINFO | flags };

	CHECK(!sigaction(sig, &sa, NULL));
}

static void subject_in_handler(void)
{
	handle(SIGUSR1, 0);
	raise(SIGUSR1);
}

/* The one that interrupted the function has been interrupted by one on another stack. */
static void innermost_elsewhere(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	subject_ready();
}

static void subject_in_nested_handlers(void)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = {
		.sa_sigaction = innermost_elsewhere,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	CHECK(!sigaltstack(&ss, NULL));
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	handle(SIGUSR2, 0);
	raise(SIGUSR2);
}

static void *thread_in_handler(void *arg)
{
	subject_in_handler();
	return arg;
}

static void subject_with_thread_in_handler(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, thread_in_handler, NULL));
	CHECK(!pthread_join(thread, NULL));
}

static void return_at_once(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	frame_ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_IP];
}

static void leave_frame_deep_down(void)
{
	struct sigaction sa = { .sa_sigaction = return_at_once, .sa_flags = SA_SIGINFO };
	volatile char depth[65536];

	depth[0] = 0;
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	depth[1] = depth[0];
}

/* What is below the stack pointer is no more. */
static void subject_with_dead_frame(void)
{
	void (*volatile leave_frame)(void) = leave_frame_deep_down;

	leave_frame();
	*frame_ip = (greg_t)vdso_function("__vdso_time") + 1;
	subject_ready();
	CHECK_EQ(*frame_ip, (greg_t)vdso_function("__vdso_time") + 1);
}

FIXTURE(frames)
{
	struct subject s;
};

FIXTURE_SETUP(frames)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(frames)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

static void restart_elsewhere(struct __test_metadata *_metadata, struct subject *s,
			      void (*fn)(void), int offset, const char *refusal)
{
	pid_t pid;

	frame_offset = offset;
	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	pid = s->pid;
	s->pid = 0;
	ASSERT_TRUE(of_another_kernel(s));
	ASSERT_EQ(subject_restart(s, 0), refusal ? -EOPNOTSUPP : pid) subject_print(s);
	if (refusal) {
		EXPECT_TRUE(log_has(s, refusal)) subject_print(s);
		return;
	}
	s->pid = pid;
	ASSERT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

#define INTERRUPTED	"a signal interrupted it at the entry of __vdso_time"

TEST_F(frames, at_an_entry)
{
	restart_elsewhere(_metadata, &self->s, subject_in_handler, 1, INTERRUPTED);
	restart_elsewhere(_metadata, &self->s, subject_in_handler, 4, INTERRUPTED);
}

TEST_F(frames, on_two_stacks)
{
	restart_elsewhere(_metadata, &self->s, subject_in_nested_handlers, 1, INTERRUPTED);
}

TEST_F(frames, of_a_thread)
{
	restart_elsewhere(_metadata, &self->s, subject_with_thread_in_handler, 1, INTERRUPTED);
}

/* At the first instruction, and behind the jump: there it can go on. */
TEST_F(frames, elsewhere)
{
	restart_elsewhere(_metadata, &self->s, subject_in_handler, 0, NULL);
	image_free(&image);
	restart_elsewhere(_metadata, &self->s, subject_in_handler, 5, NULL);
}

TEST_F(frames, that_is_no_more)
{
	restart_elsewhere(_metadata, &self->s, subject_with_dead_frame, 0, NULL);
}

TEST_HARNESS_MAIN
