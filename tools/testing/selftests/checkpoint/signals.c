// SPDX-License-Identifier: GPL-2.0
/* Handlers, masks, alternate stacks, pending signals with their siginfo. */
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "ckpt_test.h"

static volatile sig_atomic_t caught[65];
static siginfo_t last_info;

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	caught[sig]++;
	last_info = *info;
}

struct fault {
	unsigned long trap, error, address;
};

static struct fault last_fault;

/* Of the last fault, whatever signal it is that the handler is for. */
static void note_fault(int sig, siginfo_t *info, void *data)
{
	const mcontext_t *regs = &((ucontext_t *)data)->uc_mcontext;

	(void)sig;
	(void)info;
	last_fault.trap = regs->gregs[REG_TRAPNO];
	last_fault.error = regs->gregs[REG_ERR];
#ifdef __x86_64__
	last_fault.address = regs->gregs[REG_CR2];
#else
	last_fault.address = regs->cr2;
#endif
}

static sigjmp_buf after_fault;

static void leave_fault(int sig)
{
	(void)sig;
	siglongjmp(after_fault, 1);
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };

	sigaddset(&sa.sa_mask, SIGUSR2);
	CHECK(!sigaction(sig, &sa, NULL));
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(!sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static int take(int sig, siginfo_t *info)
{
	struct timespec timeout = { .tv_sec = 20 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return sigtimedwait(&set, info, &timeout);
}

SURVIVE(handlers)
{
	struct sigaction sa;

	handle(SIGUSR1, SA_RESTART | SA_NODEFER);
	signal(SIGPIPE, SIG_IGN);
	subject_ready();
	CHECK(!sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_sigaction == on_signal);
	CHECK_EQ(sa.sa_flags & ~0x04000000, SA_SIGINFO | SA_RESTART | SA_NODEFER);
	CHECK(sigismember(&sa.sa_mask, SIGUSR2) && !sigismember(&sa.sa_mask, SIGHUP));
	CHECK(!sigaction(SIGPIPE, NULL, &sa));
	CHECK(sa.sa_handler == SIG_IGN);
	raise(SIGUSR1);
	CHECK_EQ(caught[SIGUSR1], 1);
}

SURVIVE(mask)
{
	sigset_t set;

	block(SIGHUP);
	block(SIGRTMAX);
	subject_ready();
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGHUP) == 1);
	CHECK(sigismember(&set, SIGRTMAX) == 1);
	CHECK(sigismember(&set, SIGTERM) == 0);
}

SURVIVE(alternate_stack)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) }, got;

	CHECK(!sigaltstack(&ss, NULL));
	subject_ready();
	CHECK(!sigaltstack(NULL, &got));
	CHECK(got.ss_sp == stack);
	CHECK_EQ(got.ss_size, sizeof(stack));
	CHECK_EQ(got.ss_flags, 0);
}

#ifndef SS_AUTODISARM
#define SS_AUTODISARM	0x80000000U
#endif

static volatile unsigned int flags_in_handler;

static void on_alternate_stack(int sig)
{
	stack_t ss;

	CHECK(!sigaltstack(NULL, &ss));
	flags_in_handler = ss.ss_flags;
}

SURVIVE(alternate_stack_disarms_itself)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack), .ss_flags = SS_AUTODISARM }, got;
	struct sigaction sa = { .sa_handler = on_alternate_stack,
				.sa_flags = SA_ONSTACK | SA_RESETHAND };

	CHECK(!sigaltstack(&ss, NULL));
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	subject_ready();
	CHECK(!sigaltstack(NULL, &got));
	CHECK_EQ((unsigned int)got.ss_flags, SS_AUTODISARM);
	CHECK(!raise(SIGUSR2));
	CHECK_EQ(flags_in_handler, SS_DISABLE);
	CHECK(!sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
}

static pid_t child_that_exits(void)
{
	pid_t kid = fork();

	if (!kid)
		_exit(0);
	return kid;
}

SURVIVE(children_leave_no_zombies)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT }, got;

	CHECK(!sigaction(SIGCHLD, &sa, NULL));
	subject_ready();
	CHECK(!sigaction(SIGCHLD, NULL, &got));
	CHECK(got.sa_flags & SA_NOCLDWAIT);
	CHECK(child_that_exits() > 0);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
}

/* Those of each kind in the order of sending; those of the thread before. */
SURVIVE(order_of_pending_signals)
{
	union sigval value;
	siginfo_t info;
	sigset_t set;
	int i;

	block(SIGRTMIN);
	block(SIGRTMIN + 1);
	for (i = 0; i < 5; i++) {
		value.sival_int = i;
		CHECK(!sigqueue(getpid(), SIGRTMIN + 1, value));
		CHECK(!sigqueue(getpid(), SIGRTMIN, value));
		value.sival_int = 10 + i;
		CHECK(!pthread_sigqueue(pthread_self(), SIGRTMIN, value));
	}
	subject_ready();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	for (i = 0; i < 15; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + i / 10);
		CHECK_EQ(info.si_value.sival_int, i < 5 ? 10 + i : i % 5);
	}
}

SURVIVE(pending_for_the_process)
{
	union sigval value = { .sival_int = 4711 };

	handle(SIGRTMIN, 0);
	block(SIGRTMIN);
	CHECK(!sigqueue(getpid(), SIGRTMIN, value));
	value.sival_int++;
	CHECK(!sigqueue(getpid(), SIGRTMIN, value));
	subject_ready();
	CHECK_EQ(caught[SIGRTMIN], 0);
	unblock(SIGRTMIN);
	CHECK_EQ(caught[SIGRTMIN], 2);
	CHECK_EQ(last_info.si_code, SI_QUEUE);
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_EQ(last_info.si_uid, getuid());
	CHECK_EQ(last_info.si_value.sival_int, 4712);
}

SURVIVE(pending_for_the_thread)
{
	handle(SIGUSR1, 0);
	block(SIGUSR1);
	CHECK(!pthread_kill(pthread_self(), SIGUSR1));
	subject_ready();
	CHECK_EQ(caught[SIGUSR1], 0);
	unblock(SIGUSR1);
	CHECK_EQ(caught[SIGUSR1], 1);
	CHECK_EQ(last_info.si_code, SI_TKILL);
}

SURVIVE(no_stray_signal)
{
	int sig;

	for (sig = 1; sig < 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33)
			handle(sig, SA_RESTART);
	subject_ready();
	for (sig = 1; sig < 64; sig++)
		CHECK_EQ(caught[sig], 0);
}

static volatile int phase;

static void *blocked_thread(void *arg)
{
	sigset_t set;

	(void)arg;
	block(SIGUSR2);
	phase = 1;
	while (phase != 2)
		subject_sleep_ms(1);
	CHECK(!pthread_sigmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGUSR2) == 1);
	return NULL;
}

SURVIVE(mask_of_each_thread)
{
	pthread_t thread;
	sigset_t set;

	CHECK(!pthread_create(&thread, NULL, blocked_thread, NULL));
	while (phase != 1)
		subject_sleep_ms(1);
	subject_ready();
	CHECK(!pthread_sigmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGUSR2) == 0);
	phase = 2;
	CHECK(!pthread_join(thread, NULL));
}

SURVIVE(inside_a_handler)
{
	struct sigaction sa = { .sa_handler = (void (*)(int))(void *)subject_ready };
	sigset_t set;

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGUSR1) == 0);
}

SURVIVE(last_fault_in_sigcontext)
{
	struct sigaction sa = { .sa_sigaction = note_fault, .sa_flags = SA_SIGINFO };
	volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fault before;

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	signal(SIGSEGV, leave_fault);
	if (!sigsetjmp(after_fault, 1))
		page[17] = 1;
	raise(SIGUSR1);
	before = last_fault;
	CHECK_EQ(before.trap, 14);
	CHECK(before.error & 2);
	CHECK_EQ(before.address, (unsigned long)page + 17);
	memset(&last_fault, 0, sizeof(last_fault));
	subject_ready();
	raise(SIGUSR1);
	CHECK(!memcmp(&before, &last_fault, sizeof(before)));
}

/* Whatever a program queues for itself, it may claim to be of a timer. */
SURVIVE(pending_siginfo_of_any_code)
{
	static const int codes[] = { SI_QUEUE, SI_TIMER, SI_MESGQ, SI_ASYNCIO, -77 };
	siginfo_t info = { .si_signo = SIGRTMIN };
	size_t i;

	block(SIGRTMIN);
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		info.si_code = codes[i];
		info.si_value.sival_int = i;
		CHECK(!syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info));
	}
	subject_ready();
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		CHECK_EQ(take(SIGRTMIN, &info), SIGRTMIN);
		CHECK_EQ(info.si_code, codes[i]);
		CHECK_EQ(info.si_value.sival_int, i);
	}
}

TEST_HARNESS_MAIN
