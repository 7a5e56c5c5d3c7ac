// SPDX-License-Identifier: GPL-2.0
/* Credentials: saved exactly, also in user namespaces. */
#include <grp.h>
#include <linux/kcmp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "caps.h"

SURVIVE(ids_and_groups)
{
	gid_t groups[3] = { 5, 7, 11 }, got[8];
	uid_t r, e, s;

	CHECK(!chmod(".", 0777));
	CHECK(!setgroups(3, groups));
	CHECK(!setresgid(100, 101, 102));
	CHECK(!setresuid(1000, 1001, 1002));
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	subject_ready();
	CHECK(!getresuid(&r, &e, &s));
	CHECK(r == 1000 && e == 1001 && s == 1002);
	CHECK(!getresgid(&r, &e, &s));
	CHECK(r == 100 && e == 101 && s == 102);
	CHECK_EQ(setfsuid(-1), 1001);
	CHECK_EQ(setfsgid(-1), 101);
	CHECK_EQ(getgroups(8, got), 3);
	CHECK(!memcmp(got, groups, sizeof(groups)));
	CHECK(setuid(0) == -1 && errno == EPERM);
}

static void join_groups(int nr)
{
	gid_t *groups = malloc(nr * sizeof(*groups));
	int i;

	CHECK(groups);
	for (i = 0; i < nr; i++)
		groups[i] = 2 * i;
	CHECK(!setgroups(nr, groups));
	free(groups);
}

SURVIVE(very_many_groups)
{
	const int nr = 65000;
	gid_t *got = malloc(nr * sizeof(*got));
	int i;

	CHECK(got);
	join_groups(nr);
	subject_ready();
	CHECK_EQ(getgroups(nr, got), nr);
	for (i = 0; i < nr; i++)
		CHECK_EQ(got[i], 2 * i);
}

REFUSE(too_many_groups, EOPNOTSUPP, "more supplementary groups than an image can have")
{
	join_groups(65536);
	subject_ready();
}

SURVIVE(capabilities)
{
	struct __user_cap_data_struct before[2], after[2];

	CHECK(!prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0));
	caps_get(before);
	before[0].effective &= ~(1U << CAP_NET_RAW);
	before[0].permitted &= ~(1U << CAP_NET_RAW);
	before[0].inheritable |= 1U << CAP_NET_ADMIN;
	caps_set(before);
	CHECK(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0));
	subject_ready();
	caps_get(after);
	CHECK(!memcmp(before, after, sizeof(before)));
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0), 1);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0), 1);
}

SURVIVE(securebits_and_no_new_privs)
{
	CHECK(!prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP));
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

SURVIVE(kept_capabilities)
{
	struct __user_cap_data_struct caps[2];

	CHECK(!chmod(".", 0777));
	CHECK(!prctl(PR_SET_KEEPCAPS, 1));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
	CHECK(!setresuid(1000, 1000, 1000));
	caps_get(caps);
	CHECK(caps[0].permitted & 1U << CAP_NET_ADMIN);
	CHECK_EQ(caps[0].effective, 0);
}

SURVIVE(securebits_that_are_locked)
{
	int bits = SECURE_ALL_BITS | SECURE_ALL_LOCKS;

	bits &= ~(SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED);
	CHECK(!prctl(PR_SET_SECUREBITS, bits));
	subject_ready();
	CHECK_EQ(prctl(PR_GET_SECUREBITS), bits);
	CHECK(prctl(PR_SET_SECUREBITS, 0) == -1 && errno == EPERM);
}

SURVIVE(personality_bits)
{
	CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
	subject_ready();
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
}

/* What /proc/PID/status says in the line that begins with @name */
static void status_line(pid_t pid, const char *name, char line[256])
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	CHECK(file);
	while (fgets(line, 256, file) && strncmp(line, name, strlen(name)))
		;
	CHECK(!strncmp(line, name, strlen(name)));
	fclose(file);
}

static const char * const cred_lines[] = {
	"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:",
	"NoNewPrivs:",
};

#define NR_CRED_LINES	ARRAY_SIZE(cred_lines)

static void cred_status(pid_t pid, char lines[NR_CRED_LINES][256])
{
	for (size_t i = 0; i < NR_CRED_LINES; i++)
		status_line(pid, cred_lines[i], lines[i]);
}

static void same_cred_status(pid_t pid, char before[NR_CRED_LINES][256])
{
	char after[NR_CRED_LINES][256];

	cred_status(pid, after);
	for (size_t i = 0; i < NR_CRED_LINES; i++) {
		if (strcmp(before[i], after[i]))
			dprintf(2, "was %snow %s", before[i], after[i]);
		CHECK(!strcmp(before[i], after[i]));
	}
}

static uid_t owner_of(pid_t pid)
{
	char line[256];
	uid_t uid;

	status_line(pid, "Uid:", line);
	CHECK(sscanf(line, "Uid: %u", &uid) == 1);
	return uid;
}

static void become_user(void)
{
	gid_t groups[2] = { 5, 7 };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!setgroups(2, groups) && !setgid(100));
	CHECK(!setuid(1000));
}

/* May the same user look at it? The dead remember whether they were dumpable. */
static bool user_may_look(pid_t pid)
{
	pid_t kid = fork();
	int status;

	if (!kid) {
		become_user();
		_exit(syscall(SYS_kcmp, getpid(), pid, KCMP_SYSVSEM, 0, 0) < 0);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	return !status;
}

static pid_t user_that_dies(bool dumpable)
{
	siginfo_t info = {};
	pid_t kid = fork();

	if (!kid) {
		become_user();
		CHECK(!prctl(PR_SET_DUMPABLE, dumpable));
		_exit(3);
	}
	CHECK(!waitid(P_PID, kid, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_uid, 1000);
	CHECK_EQ(user_may_look(kid), dumpable);
	return kid;
}

/* With what it is told by after its death. */
SURVIVE(zombie_of_another_user)
{
	pid_t kid = user_that_dies(false), dumpable = user_that_dies(true);
	char before[NR_CRED_LINES][256], path[64];
	siginfo_t info = {};
	struct stat st;

	cred_status(kid, before);
	subject_ready();
	same_cred_status(kid, before);
	CHECK(!user_may_look(kid));
	snprintf(path, sizeof(path), "/proc/%d", kid);
	CHECK(!stat(path, &st));
	CHECK(st.st_uid == 1000 && st.st_gid == 100);
	info.si_uid = 0;
	CHECK(!waitid(P_PID, kid, &info, WEXITED));
	CHECK(info.si_uid == 1000 && info.si_status == 3);
	CHECK(user_may_look(dumpable));
}

static pid_t idle_as(uid_t uid)
{
	pid_t pid = fork();

	if (!pid) {
		CHECK(!setresuid(uid, uid, uid));
		subject_idle_for_ever(NULL);
	}
	while (owner_of(pid) != uid)
		subject_sleep_ms(1);
	return pid;
}

static void end(pid_t pid)
{
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

/* Who has become another user in spite of a limit cannot become another program. */
SURVIVE(limit_of_processes_that_was_exceeded)
{
	struct rlimit limit = { .rlim_cur = 1, .rlim_max = 1 };
	pid_t first = idle_as(4321), second = idle_as(4321);

	CHECK(!chmod(".", 0777));
	CHECK(!setrlimit(RLIMIT_NPROC, &limit));
	CHECK(!setresuid(4321, 4321, 4321));
	subject_ready();
	CHECK(execl("/bin/false", "false", NULL) == -1 && errno == EAGAIN);
	end(first);
	CHECK(execl("/bin/false", "false", NULL) == -1 && errno == EAGAIN);
	end(second);
	execl("/bin/true", "true", NULL);
	CHECK(!"another program");
}

static pthread_t first_thread;
static int leader_is_dead[2] = { -1, -1 };

static void *outlive_first_thread(void *unused)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!pthread_join(first_thread, NULL));
	CHECK(leader_is_dead[1] < 0 || write(leader_is_dead[1], "", 1) == 1);
	CHECK(!sigwait(&set, &sig));
	_exit(prctl(PR_GET_DUMPABLE) ? 7 : 8);
}

static void leave_it_to_the_second_thread(void)
{
	pthread_t second;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	become_user();
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	first_thread = pthread_self();
	CHECK(!pthread_create(&second, NULL, outlive_first_thread, NULL));
	pthread_exit(NULL);
}

static int kill_by_user(pid_t pid, int sig)
{
	pid_t kid = fork();
	int status;

	if (!kid) {
		become_user();
		_exit(kill(pid, sig) ? errno : 0);
	}
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void wait_first_thread_dead(pid_t pid)
{
	char line[256];

	do {
		subject_sleep_ms(1);
		status_line(pid, "State:", line);
	} while (!strchr(line, 'Z'));
}

/* Who may send signals to a process depends on its first thread, even if that is dead. */
SURVIVE(dead_leader_of_another_user)
{
	char before[NR_CRED_LINES][256];
	pid_t kid = fork();
	int status;

	if (!kid)
		leave_it_to_the_second_thread();
	wait_first_thread_dead(kid);
	CHECK_EQ(kill_by_user(kid, 0), 0);
	CHECK(user_may_look(kid));
	cred_status(kid, before);
	subject_ready();
	same_cred_status(kid, before);
	CHECK(user_may_look(kid));
	CHECK_EQ(kill_by_user(kid, SIGUSR1), 0);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(WEXITSTATUS(status), 7);
}

/* The ids that the root of the user namespace may use, by those of the test's. */
#define MAPPED "0 100000 65536"

static void write_map(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, MAPPED, strlen(MAPPED)) == strlen(MAPPED));
	close(fd);
}

/* The groups of who has made the namespace stay: it has no numbers for them. */
static void become_root_of_namespace(void)
{
	while (setresgid(0, 0, 0))
		subject_sleep_ms(1);
	while (setresuid(0, 0, 0))
		subject_sleep_ms(1);
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
}

static void checkpoint_and_restart(struct subject *s)
{
	long ret = subject_checkpoint(s, CHECKPOINT_KILL);

	/* orphans are ours, too */
	while (ret > 0 && wait(NULL) > 0)
		;
	if (ret <= 0 || subject_restart(s, 0) != s->pid) {
		subject_print(s);
		CHECK(!"checkpointed and restarted");
	}
}

/* Two generations of @fn, all by the first process of a pid namespace */
static void survive_as_init(void (*fn)(void))
{
	struct subject s = {};
	int status;

	become_root_of_namespace();
	CHECK(!setgroups(0, NULL));
	CHECK(subject_start(&s, fn));
	checkpoint_and_restart(&s);
	checkpoint_and_restart(&s);
	status = subject_finish(&s);
	if (status)
		subject_print(&s);
	subject_clean(&s);
	_exit(status != 0);
}

static int run_in_user_namespace(void (*init)(void (*fn)(void)), void (*fn)(void))
{
	int status;
	pid_t pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD,
			    NULL, NULL, NULL, NULL);

	if (!pid)
		init(fn);
	CHECK(pid > 0);
	write_map(pid, "gid_map");
	write_map(pid, "uid_map");
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static int survive_in_user_namespace(void (*fn)(void))
{
	return run_in_user_namespace(survive_as_init, fn);
}

TEST(ids_and_groups_in_a_user_namespace)
{
	EXPECT_EQ(survive_in_user_namespace(subject_ids_and_groups), 0);
}

TEST(capabilities_in_a_user_namespace)
{
	EXPECT_EQ(survive_in_user_namespace(subject_capabilities), 0);
}

TEST(securebits_in_a_user_namespace)
{
	EXPECT_EQ(survive_in_user_namespace(subject_securebits_that_are_locked), 0);
}

/* Without /proc, whose pids are those of another namespace */
static void subject_with_dead_leader(void)
{
	pid_t kid;
	int status;
	char byte;

	CHECK(!pipe(leader_is_dead));
	kid = fork();
	if (!kid)
		leave_it_to_the_second_thread();
	CHECK_EQ(read(leader_is_dead[0], &byte, 1), 1);
	CHECK_EQ(kill_by_user(kid, 0), 0);
	subject_ready();
	CHECK_EQ(kill_by_user(kid, SIGUSR1), 0);
	CHECK_EQ(waitpid(kid, &status, 0), kid);
	CHECK_EQ(WEXITSTATUS(status), 7);
}

TEST(dead_leader_in_a_user_namespace)
{
	EXPECT_EQ(survive_in_user_namespace(subject_with_dead_leader), 0);
}

static void owned_by(int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_uid, uid);
	CHECK_EQ(st.st_gid, gid);
}

static void subject_with_files(void)
{
	int file = open("file", O_CREAT | O_RDWR, 0600), mem = memfd_create("mem", 0), pipes[2];
	char buf[4];

	CHECK(!pipe(pipes));
	CHECK(!fchown(file, 7, 8) && !fchown(mem, 9, 10) && !fchown(pipes[0], 11, 12));
	CHECK(write(file, "file", 4) == 4 && write(mem, "mem", 3) == 3);
	CHECK_EQ(write(pipes[1], "pipe", 4), 4);
	subject_ready();
	owned_by(file, 7, 8);
	owned_by(mem, 9, 10);
	owned_by(pipes[0], 11, 12);
	CHECK(pread(file, buf, 4, 0) == 4 && !memcmp(buf, "file", 4));
	CHECK(pread(mem, buf, 4, 0) == 3 && !memcmp(buf, "mem", 3));
	CHECK(read(pipes[0], buf, 4) == 4 && !memcmp(buf, "pipe", 4));
}

TEST(files_in_a_user_namespace)
{
	EXPECT_EQ(survive_in_user_namespace(subject_with_files), 0);
}

static void subject_with_nameless_groups(void)
{
	gid_t got[8];

	CHECK_EQ(getgroups(8, got), 2);
	CHECK_EQ(got[0], 65534);
	CHECK_EQ(got[1], 65534);
	/* More than the groups has to be restored then. */
	CHECK(!prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0));
	subject_ready();
	CHECK_EQ(getgroups(8, got), 2);
	CHECK_EQ(got[0], 65534);
	CHECK_EQ(got[1], 65534);
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT, 0, 0, 0), 0);
}

static void refused_with(struct subject *s, long ret, long err, const char *text)
{
	if (ret != -err || !log_has(s, text))
		subject_print(s);
	CHECK_EQ(ret, -err);
	CHECK(log_has(s, text));
}

/* Who has them may keep them, and nobody else gets them. */
static void keep_nameless_groups(void (*fn)(void))
{
	struct subject s = {};
	int status;

	become_root_of_namespace();
	CHECK(subject_start(&s, fn));
	checkpoint_and_restart(&s);
	CHECK(subject_checkpoint(&s, CHECKPOINT_KILL) > 0);
	CHECK_EQ(waitpid(s.pid, NULL, 0), s.pid);
	if (!fork()) {
		CHECK(!setgroups(0, NULL));
		refused_with(&s, subject_restart(&s, 0), EINVAL, "2 supplementary groups");
		_exit(0);
	}
	CHECK(wait(&status) > 0 && !status);
	CHECK_EQ(subject_restart(&s, 0), s.pid);
	CHECK_EQ(subject_finish(&s), 0);
	subject_clean(&s);
	_exit(0);
}

/* Nor can they be written down if the checkpointer has others. */
static void refuse_nameless_groups(void (*fn)(void))
{
	struct subject s = {};

	become_root_of_namespace();
	CHECK(subject_start(&s, fn));
	CHECK(!setgroups(0, NULL));
	refused_with(&s, subject_checkpoint(&s, 0), EOPNOTSUPP,
		     "supplementary groups that its user namespace has no numbers for");
	CHECK_EQ(subject_finish(&s), 0);
	subject_clean(&s);
	_exit(0);
}

/* The dead have no memory whose user namespace could tell who may look at them. */
static void refuse_zombie(void (*fn)(void))
{
	struct subject s = {};

	become_root_of_namespace();
	CHECK(subject_start(&s, fn));
	refused_with(&s, subject_checkpoint(&s, 0), EPERM, "not permitted");
	CHECK_EQ(subject_finish(&s), 0);
	subject_clean(&s);
	_exit(0);
}

static void subject_with_zombie(void)
{
	user_that_dies(false);
	subject_ready();
}

TEST(zombie_that_was_not_dumpable_in_a_user_namespace)
{
	EXPECT_EQ(run_in_user_namespace(refuse_zombie, subject_with_zombie), 0);
}

static void take_groups(void)
{
	static const gid_t groups[] = { 5, 7 };

	CHECK(!setgroups(2, groups));
}

TEST(groups_without_numbers)
{
	take_groups();
	EXPECT_EQ(run_in_user_namespace(keep_nameless_groups, subject_with_nameless_groups), 0);
}

TEST(groups_without_numbers_of_others)
{
	take_groups();
	EXPECT_EQ(run_in_user_namespace(refuse_nameless_groups, subject_with_nameless_groups), 0);
}

/* Ids that are not mapped yet: only of who has them already */
static void subject_without_numbers(void)
{
	subject_ready();
	CHECK_EQ(getuid(), 65534);
	CHECK_EQ(getgid(), 65534);
}

TEST(ids_without_numbers)
{
	struct subject s = {};
	int status;
	pid_t pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD,
			    NULL, NULL, NULL, NULL);

	if (!pid) {
		CHECK(!prctl(PR_SET_DUMPABLE, 1));
		CHECK(subject_start(&s, subject_without_numbers));
		checkpoint_and_restart(&s);
		_exit(subject_finish(&s));
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST_HARNESS_MAIN
