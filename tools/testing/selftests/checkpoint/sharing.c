// SPDX-License-Identifier: GPL-2.0
/*
 * Processes, not threads, that share memory, handlers, descriptors or the
 * current directory, and some that have stopped to: what one does the other
 * sees, and only then. Parents that wait in vfork().
 */
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/sem.h>

#include "ckpt_test.h"

#define STACK_SIZE	65536

/* In shared memory, so that those can talk who share nothing else. */
static volatile int *shared;
static volatile int plain;
static char *volatile mapped;

static void wait_shared(int i, int value)
{
	while (shared[i] != value)
		subject_sleep_ms(1);
}

/* What it asks of its peer, and the answer: peers take turns. */
static void ask(int question)
{
	shared[0] = question;
	wait_shared(0, -question);
}

static int await_question(void)
{
	while (shared[0] <= 0)
		subject_sleep_ms(1);
	return shared[0];
}

static void share(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

static pid_t peer(int (*fn)(void *arg), long flags)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(stack != MAP_FAILED);
	pid = clone(fn, stack + STACK_SIZE, flags | SIGCHLD, NULL);
	CHECK(pid > 0);
	return pid;
}

static void reap(pid_t pid, int code)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), code);
}

static void handler(int sig)
{
	(void)sig;
}

static bool handled(int sig)
{
	struct sigaction action;

	CHECK(!sigaction(sig, NULL, &action));
	return action.sa_handler == handler;
}

/* What a peer can be asked to do, and what shows that it is shared. */
enum { ASK_MEMORY = 1, ASK_HANDLER, ASK_FILE, ASK_DIRECTORY, ASK_END };

#define ASK_FD	77

static void do_memory(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	plain++;
	*p = 'm';
	mapped = p;
}

static int answer(void *arg)
{
	int question;

	shared[1] = 1;
	do {
		question = await_question();
		if (question == ASK_MEMORY)
			do_memory();
		if (question == ASK_HANDLER)
			signal(SIGUSR2, handler);
		if (question == ASK_FILE)
			CHECK_EQ(dup2(0, ASK_FD), ASK_FD);
		if (question == ASK_DIRECTORY)
			CHECK(!chdir("/usr") && umask(0123) >= 0);
		shared[0] = -question;
	} while (question != ASK_END);
	_exit(11);
}

static bool directory_is(const char *path)
{
	char buf[PATH_MAX];

	CHECK(getcwd(buf, sizeof(buf)));
	return !strcmp(buf, path);
}

/* The peer does each thing; exactly what is shared according to @flags shows here. */
static void examine(long flags)
{
	mode_t mask;

	ask(ASK_MEMORY);
	CHECK_EQ(plain, !!(flags & CLONE_VM));
	CHECK(!!mapped == !!(flags & CLONE_VM));
	if (mapped)
		CHECK_EQ(*mapped, 'm');
	ask(ASK_HANDLER);
	CHECK_EQ(handled(SIGUSR2), !!(flags & CLONE_SIGHAND));
	ask(ASK_FILE);
	CHECK_EQ(fcntl(ASK_FD, F_GETFD) >= 0, !!(flags & CLONE_FILES));
	ask(ASK_DIRECTORY);
	CHECK_EQ(directory_is("/usr"), !!(flags & CLONE_FS));
	mask = umask(022);
	CHECK_EQ(mask == 0123, !!(flags & CLONE_FS));
	ask(ASK_END);
}

static void share_with_peer(long flags)
{
	pid_t pid;

	share();
	umask(022);
	pid = peer(answer, flags);
	wait_shared(1, 1);
	subject_ready();
	examine(flags);
	reap(pid, 11);
}

SURVIVE(nothing_shared)
{
	share_with_peer(0);
}

SURVIVE(memory)
{
	share_with_peer(CLONE_VM);
}

SURVIVE(memory_and_handlers)
{
	share_with_peer(CLONE_VM | CLONE_SIGHAND);
}

SURVIVE(descriptors)
{
	share_with_peer(CLONE_FILES);
}

SURVIVE(directory)
{
	share_with_peer(CLONE_FS);
}

SURVIVE(descriptors_and_directory)
{
	share_with_peer(CLONE_FILES | CLONE_FS);
}

SURVIVE(memory_and_descriptors)
{
	share_with_peer(CLONE_VM | CLONE_FILES);
}

SURVIVE(everything)
{
	share_with_peer(CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS);
}

static int unshare_and_answer(void *arg)
{
	CHECK(!unshare(CLONE_FILES | CLONE_FS));
	return answer(arg);
}

SURVIVE(unshared_again)
{
	pid_t pid;

	share();
	umask(022);
	pid = peer(unshare_and_answer, CLONE_FILES | CLONE_FS);
	wait_shared(1, 1);
	subject_ready();
	examine(0);
	reap(pid, 11);
}

/* It goes on sharing what it cannot unshare. */
SURVIVE(unshared_but_for_the_memory)
{
	pid_t pid;

	share();
	umask(022);
	pid = peer(unshare_and_answer, CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS);
	wait_shared(1, 1);
	subject_ready();
	examine(CLONE_VM | CLONE_SIGHAND);
	reap(pid, 11);
}

static void *thread_on_its_own(void *arg)
{
	CHECK(!unshare(CLONE_FILES | CLONE_FS));
	shared[1] = 1;
	wait_shared(2, 1);
	CHECK(!chdir("/usr"));
	CHECK_EQ(dup2(0, ASK_FD), ASK_FD);
	CHECK(directory_is("/usr"));
	return NULL;
}

SURVIVE(thread_that_unshared)
{
	pthread_t thread;

	share();
	CHECK(!pthread_create(&thread, NULL, thread_on_its_own, NULL));
	wait_shared(1, 1);
	subject_ready();
	shared[2] = 1;
	CHECK(!pthread_join(thread, NULL));
	CHECK(!directory_is("/usr"));
	CHECK(fcntl(ASK_FD, F_GETFD) == -1);
}

static int semid;

/* The exit of a thread undoes this, if it has a semaphore undo list of its own. */
static void *up_with_undo(void *own)
{
	struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };

	CHECK(!own || !unshare(CLONE_SYSVSEM));
	shared[own ? 1 : 2] = 1;
	wait_shared(3, 1);
	CHECK(!semop(semid, &op, 1));
	return NULL;
}

SURVIVE(thread_with_its_own_undo_list)
{
	pthread_t threads[2];
	int ms;

	share();
	CHECK(!pthread_create(&threads[0], NULL, up_with_undo, NULL));
	CHECK(!pthread_create(&threads[1], NULL, up_with_undo, threads));
	wait_shared(1, 1);
	wait_shared(2, 1);
	subject_ready();
	semid = semget(IPC_PRIVATE, 1, 0600);
	CHECK(semid >= 0);
	shared[3] = 1;
	CHECK(!pthread_join(threads[0], NULL) && !pthread_join(threads[1], NULL));
	for (ms = 0; ms < 2000 && semctl(semid, 0, GETVAL) != 1; ms++)
		subject_sleep_ms(1);
	subject_sleep_ms(50);
	CHECK_EQ(semctl(semid, 0, GETVAL), 1);
	CHECK(!semctl(semid, 0, IPC_RMID));
}

static void *parent_of_another(void *unused)
{
	pthread_t thread;

	CHECK(!unshare(CLONE_SYSVSEM));
	CHECK(!pthread_create(&thread, NULL, subject_idle_for_ever, NULL));
	shared[1] = 1;
	return subject_idle_for_ever(NULL);
}

/* The first two threads share one list, the others another. */
REFUSE(undo_lists_that_threads_share, EOPNOTSUPP, "undo lists, several that threads share")
{
	pthread_t threads[2];

	share();
	CHECK(!pthread_create(&threads[0], NULL, subject_idle_for_ever, NULL));
	CHECK(!pthread_create(&threads[1], NULL, parent_of_another, NULL));
	wait_shared(1, 1);
	subject_ready();
}

/* The middle one of three generations has a table of its own. */
static int middle(void *arg)
{
	pid_t pid = peer(answer, CLONE_FILES);

	CHECK(!unshare(CLONE_FILES));
	shared[2] = 1;
	wait_shared(3, 1);
	CHECK_EQ(fcntl(ASK_FD, F_GETFD), -1);
	reap(pid, 11);
	_exit(12);
}

SURVIVE(grandchild_shares_and_child_does_not)
{
	pid_t pid;

	share();
	pid = peer(middle, CLONE_FILES);
	wait_shared(1, 1);
	wait_shared(2, 1);
	subject_ready();
	ask(ASK_FILE);
	CHECK_EQ(fcntl(ASK_FD, F_GETFD), 0);
	shared[3] = 1;
	ask(ASK_END);
	reap(pid, 12);
}

/* Siblings share memory, their parent has its own. */
static pid_t sibling;

static int asker(void *arg)
{
	sibling = peer(answer, CLONE_VM | CLONE_SIGHAND | CLONE_PARENT);
	shared[2] = sibling;
	wait_shared(3, 1);
	examine(CLONE_VM | CLONE_SIGHAND);
	_exit(12);
}

SURVIVE(siblings_share_memory)
{
	pid_t pid;

	share();
	umask(022);
	pid = peer(asker, 0);
	wait_shared(1, 1);
	subject_ready();
	shared[3] = 1;
	reap(pid, 12);
	reap(shared[2], 11);
	CHECK_EQ(plain, 0);
}

/* Who has created it is dead: its memory is its grandparent's, and so is it now. */
static int creator(void *arg)
{
	shared[2] = peer(answer, CLONE_VM);
	syscall(SYS_exit, 0);
	return 0;
}

SURVIVE(orphan_shares_memory)
{
	share();
	umask(022);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	reap(peer(creator, CLONE_VM), 0);
	wait_shared(1, 1);
	subject_ready();
	examine(CLONE_VM);
	reap(shared[2], 11);
}

/* Three processes share memory, and two of them their handlers, too. */
SURVIVE(third_shares_less)
{
	pid_t pid;

	share();
	umask(022);
	pid = peer(asker, CLONE_VM);
	wait_shared(1, 1);
	subject_ready();
	shared[3] = 1;
	reap(pid, 12);
	reap(shared[2], 11);
	CHECK_EQ(plain, 1);
	CHECK(!handled(SIGUSR2));
}

/* A peer has threads; the root forks with a peer around. */
static volatile int thread_turn;

static int raw_thread(void *arg)
{
	while (thread_turn != 1)
		subject_sleep_ms(1);
	thread_turn = 2;
	syscall(SYS_exit, 0);
	return 0;
}

static int with_thread(void *arg)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(clone(raw_thread, stack + STACK_SIZE,
		    CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS, NULL) > 0);
	return answer(arg);
}

SURVIVE(peer_with_a_thread)
{
	pid_t pid;

	share();
	umask(022);
	pid = peer(with_thread, CLONE_VM);
	wait_shared(1, 1);
	subject_ready();
	thread_turn = 1;
	while (thread_turn != 2)
		subject_sleep_ms(1);
	examine(CLONE_VM);
	reap(pid, 11);
}

SURVIVE(child_with_a_copy)
{
	pid_t pid, kid;

	share();
	umask(022);
	pid = peer(answer, CLONE_VM);
	wait_shared(1, 1);
	kid = fork();
	if (!kid) {
		shared[2] = 1;
		wait_shared(3, 1);
		CHECK_EQ(plain, 0);
		_exit(13);
	}
	wait_shared(2, 1);
	subject_ready();
	examine(CLONE_VM);
	shared[3] = 1;
	reap(kid, 13);
	reap(pid, 11);
}

/* A process whose leader is dead shares memory with another. */
static void *outlive(void *arg)
{
	shared[2] = peer(answer, CLONE_VM);
	while (shared[4] != 1)
		subject_sleep_ms(1);
	examine(CLONE_VM);
	reap(shared[2], 11);
	_exit(14);
	return arg;
}

static void headless(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, outlive, NULL));
	syscall(SYS_exit, 0);
}

static bool is_zombie(pid_t pid)
{
	char state = test_state(pid);

	CHECK(state);
	return state == 'Z';
}

SURVIVE(peer_of_a_process_without_leader)
{
	pid_t kid;

	share();
	umask(022);
	kid = fork();
	if (!kid)
		headless();
	wait_shared(1, 1);
	while (!is_zombie(kid))
		subject_sleep_ms(1);
	subject_ready();
	shared[4] = 1;
	reap(kid, 14);
}

/* Until it is reaped, a dead process holds the handlers that it shared. */
static int leave(void *arg)
{
	syscall(SYS_exit, 15);
	return 0;
}

SURVIVE(zombie_that_shared_everything)
{
	siginfo_t info;
	pid_t pid = peer(leave, CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS);

	CHECK(!waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	subject_ready();
	reap(pid, 15);
}

/*
 * vfork(): the parent goes on when the child is through with its memory, and
 * gets its pid.
 */
static void vfork_child_waits(void)
{
	shared[1] = getpid();
	wait_shared(2, 1);
	plain = 5;
}

static pid_t vforking(void (*end)(void))
{
	pid_t kid = fork(), pid;

	if (kid)
		return kid;
	pid = vfork();
	if (!pid) {
		vfork_child_waits();
		end();
		_exit(16);
	}
	CHECK_EQ(pid, shared[1]);
	CHECK_EQ(plain, 5);
	CHECK_EQ(shared[2], 1);
	shared[3] = 1;
	reap(pid, 16);
	_exit(17);
}

static void vfork_run(void (*end)(void))
{
	pid_t kid;

	share();
	kid = vforking(end);
	while (!shared[1])
		subject_sleep_ms(1);
	subject_ready();
	subject_sleep_ms(30);
	CHECK_EQ(shared[3], 0);
	shared[2] = 1;
	reap(kid, 17);
}

static void end_by_exit(void)
{
}

static void end_by_exec(void)
{
	execl("/bin/sh", "sh", "-c", "exit 16", NULL);
}

SURVIVE(vfork_and_exit)
{
	vfork_run(end_by_exit);
}

SURVIVE(vfork_and_exec)
{
	vfork_run(end_by_exec);
}

SURVIVE(vfork_child_is_killed)
{
	pid_t kid, pid;

	share();
	kid = fork();
	if (!kid) {
		pid = vfork();
		if (!pid) {
			vfork_child_waits();
			_exit(0);
		}
		CHECK_EQ(pid, shared[1]);
		CHECK_EQ(waitpid(pid, NULL, 0), pid);
		_exit(17);
	}
	while (!shared[1])
		subject_sleep_ms(1);
	subject_ready();
	CHECK(!kill(shared[1], SIGKILL));
	reap(kid, 17);
}

SURVIVE(vfork_parent_is_killed)
{
	pid_t kid;
	int status;

	share();
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	kid = vforking(end_by_exit);
	while (!shared[1])
		subject_sleep_ms(1);
	subject_ready();
	CHECK(!kill(kid, SIGKILL));
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	shared[2] = 1;
	reap(shared[1], 16);
}

static void count_signal(int sig)
{
	shared[6]++;
}

/* Signals wait until the call is over. */
SURVIVE(vfork_parent_gets_a_signal)
{
	pid_t kid;

	share();
	signal(SIGUSR1, count_signal);
	kid = vforking(end_by_exit);
	while (!shared[1])
		subject_sleep_ms(1);
	CHECK(!kill(kid, SIGUSR1));
	subject_ready();
	CHECK_EQ(shared[6], 0);
	shared[2] = 1;
	reap(kid, 17);
	CHECK_EQ(shared[6], 1);
}

/* A thread waits, with a child that has memory of its own; the others go on. */
static int wait_and_exit(void *arg)
{
	vfork_child_waits();
	_exit(16);
}

static void *vforking_thread(void *arg)
{
	pid_t pid = peer(wait_and_exit, CLONE_VFORK);

	CHECK_EQ(pid, shared[1]);
	CHECK_EQ(plain, 0);
	reap(pid, 16);
	return arg;
}

SURVIVE(vfork_of_a_thread)
{
	pthread_t thread;

	share();
	CHECK(!pthread_create(&thread, NULL, vforking_thread, NULL));
	while (!shared[1])
		subject_sleep_ms(1);
	subject_ready();
	CHECK_EQ(plain, 0);
	shared[2] = 1;
	CHECK(!pthread_join(thread, NULL));
}

/* One waits for one that waits. */
SURVIVE(vfork_in_vfork)
{
	pid_t kid, pid, inner;

	share();
	kid = fork();
	if (!kid) {
		pid = vfork();
		if (!pid) {
			inner = vfork();
			if (!inner) {
				vfork_child_waits();
				_exit(16);
			}
			CHECK_EQ(inner, shared[1]);
			reap(inner, 16);
			_exit(18);
		}
		CHECK_EQ(plain, 5);
		reap(pid, 18);
		_exit(17);
	}
	while (!shared[1])
		subject_sleep_ms(1);
	subject_ready();
	shared[2] = 1;
	reap(kid, 17);
}

/* A tree with such a parent can be stopped, and goes on. */
static void subject_vfork(void)
{
	vfork_run(end_by_exit);
}

TEST_F(refuse, vfork_is_left_stopped)
{
	ASSERT_TRUE(subject_start(&self->s, subject_vfork)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_STOP), 0) subject_print(&self->s);
	EXPECT_EQ(test_state(self->s.pid), 'T');
	ASSERT_EQ(kill(-self->s.pid, SIGCONT), 0);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(refuse, vfork_is_restarted_stopped)
{
	ASSERT_TRUE(subject_start(&self->s, subject_vfork)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(subject_restart(&self->s, RESTART_STOPPED), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(test_state(self->s.pid), 'T');
	ASSERT_EQ(kill(-self->s.pid, SIGCONT), 0);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

/* Whom it waits for is not in the tree: nobody can say when it goes on. */
static int wait_outside(void *arg)
{
	while (access("go", F_OK))
		subject_sleep_ms(1);
	_exit(0);
}

static void *vfork_a_sibling(void *arg)
{
	peer(wait_outside, CLONE_VFORK | CLONE_PARENT);
	return arg;
}

REFUSE(vfork_child_outside, EBUSY, "outside the tree")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, vfork_a_sibling, NULL));
	subject_sleep_ms(100);
	subject_ready();
}

TEST_HARNESS_MAIN
