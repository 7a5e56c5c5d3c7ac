// SPDX-License-Identifier: GPL-2.0
/* SELinux: contexts of tasks come back, if the restarter asks for them and the policy allows it. */
#include <pthread.h>
#include <sys/mount.h>

static void lsm_prepare(void);
#define LSM_TESTED	LSM_ID_SELINUX
#include "lsm.h"

/*
 * What it does not know is allowed. Tasks begin in kernel_t, from where kept_t
 * may be entered, and closed_t only by way of that. Only kernel_t executes what it
 * has written itself.
 */
static const char policy[] =
	"(handleunknown allow)\n"
	"(mls false)\n"
	"(sid kernel)\n"
	"(sid security)\n"
	"(sid unlabeled)\n"
	"(sidorder (kernel security unlabeled))\n"
	"(sidcontext kernel (u r kernel_t (low low)))\n"
	"(sidcontext security (u r kernel_t (low low)))\n"
	"(sidcontext unlabeled (u r kernel_t (low low)))\n"
	"(class process (transition dyntransition execmem))\n"
	"(class file (execmod))\n"
	"(classorder (process file))\n"
	"(sensitivity s0)\n"
	"(sensitivityorder (s0))\n"
	"(level low (s0))\n"
	"(user u)\n"
	"(userrole u r)\n"
	"(userlevel u low)\n"
	"(userrange u (low low))\n"
	"(role r)\n"
	"(roletype r kernel_t)\n"
	"(roletype r kept_t)\n"
	"(roletype r closed_t)\n"
	"(type kernel_t)\n"
	"(type kept_t)\n"
	"(type closed_t)\n"
	"(allow kernel_t self (process (execmem)))\n"
	"(allow kernel_t self (file (execmod)))\n"
	"(allow kernel_t kept_t (process (transition dyntransition)))\n"
	"(allow kept_t closed_t (process (dyntransition)))\n";

#define KERNEL	"u:r:kernel_t"
#define KEPT	"u:r:kept_t"
#define CLOSED	"u:r:closed_t"

static bool enforcing(void)
{
	int fd = open("/sys/fs/selinux/enforce", O_RDONLY | O_CLOEXEC);
	char c = 0;

	CHECK(fd >= 0 && read(fd, &c, 1) == 1);
	close(fd);
	return c == '1';
}

/* The policy is loaded by a single write, as cat makes it of a small file. */
static void load_policy(void)
{
	FILE *shell = popen("set -e; dir=$(mktemp -d); cat >$dir/cil;"
			    "secilc -o $dir/policy -f /dev/null $dir/cil;"
			    "cat $dir/policy >/sys/fs/selinux/load;"
			    "rm -r $dir; echo 1 >/sys/fs/selinux/enforce", "w");

	CHECK(shell && fputs(policy, shell) != EOF && !pclose(shell));
}

static void lsm_prepare(void)
{
	mount("selinuxfs", "/sys/fs/selinux", "selinuxfs", 0, NULL);
	if (!enforcing())
		load_policy();
	CHECK(lsm_has("current", KERNEL));
}

static void subject_labelled(void)
{
	CHECK(lsm_set("current", KEPT));
	subject_ready();
	CHECK(lsm_has("current", KEPT));
}

TEST_F(labels, kept)
{
	lsm_kept(_metadata, &self->s, subject_labelled);
}

TEST_F(labels, refused_without_the_flag)
{
	lsm_take(_metadata, &self->s, subject_labelled);
	lsm_refused(_metadata, &self->s, 0, EOPNOTSUPP,
		    "SELinux label \"" KEPT "\" (current) is not that of the restarter, \"" KERNEL "\"; RESTART_KEEP_LSM");
	lsm_restart(_metadata, &self->s, RESTART_KEEP_LSM);
}

static void subject_in_closed(void)
{
	CHECK(lsm_set("current", KEPT) && lsm_set("current", CLOSED));
	subject_ready();
	CHECK(lsm_has("current", CLOSED));
}

TEST_F(labels, not_permitted)
{
	lsm_take(_metadata, &self->s, subject_in_closed);
	lsm_refused(_metadata, &self->s, RESTART_KEEP_LSM, EACCES,
		    "SELinux does not let it have the label \"" CLOSED "\" (current)");
	ASSERT_TRUE(lsm_set("current", KEPT));
	lsm_restart(_metadata, &self->s, RESTART_KEEP_LSM);
}

static void subject_with_all_attributes(void)
{
	CHECK(lsm_set("exec", KEPT));
	CHECK(lsm_set("fscreate", CLOSED));
	CHECK(lsm_set("keycreate", KEPT));
	CHECK(lsm_set("sockcreate", CLOSED));
	subject_ready();
	CHECK(lsm_has("current", KERNEL));
	CHECK(lsm_has("exec", KEPT));
	CHECK(lsm_has("fscreate", CLOSED));
	CHECK(lsm_has("keycreate", KEPT));
	CHECK(lsm_has("sockcreate", CLOSED));
	execl("/bin/grep", "grep", "-q", "^" KEPT, "/proc/self/attr/current", NULL);
	CHECK(!"exec");
}

TEST_F(labels, all_attributes)
{
	lsm_kept(_metadata, &self->s, subject_with_all_attributes);
}

static void subject_without_attributes(void)
{
	subject_ready();
	CHECK(lsm_has("fscreate", ""));
}

TEST_F(labels, of_the_restarter_taken_away)
{
	lsm_take(_metadata, &self->s, subject_without_attributes);
	ASSERT_TRUE(lsm_set("fscreate", KEPT));
	lsm_refused(_metadata, &self->s, 0, EOPNOTSUPP,
		    "SELinux label \"\" (fscreate) is not that of the restarter, \"" KEPT "\"");
	lsm_restart(_metadata, &self->s, RESTART_KEEP_LSM);
}

static void subject_with_changed_code(void)
{
	int fd = open("code", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	unsigned char *p;

	CHECK(fd >= 0 && !ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	*p = 0xc3;	/* ret */
	CHECK(!mprotect(p, 4096, PROT_READ | PROT_EXEC));
	subject_ready();
	((void (*)(void))p)();
}

TEST_F(labels, changed_code)
{
	lsm_take(_metadata, &self->s, subject_with_changed_code);
	lsm_restart(_metadata, &self->s, 0);
}

/* Who may not change code cannot have it changed by an image. */
TEST_F(labels, changed_code_not_permitted)
{
	lsm_take(_metadata, &self->s, subject_with_changed_code);
	ASSERT_TRUE(lsm_set("current", KEPT));
	lsm_refused(_metadata, &self->s, 0, EACCES, "its changed code may not be executed");
}

static void *thread(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void subject_with_thread(void)
{
	pthread_t t;

	CHECK(lsm_set("current", KEPT));
	CHECK(!pthread_create(&t, NULL, thread, NULL));
	subject_ready();
	CHECK(lsm_has("current", KEPT));
}

/* Only who starts with its context gets it back: SELinux changes no thread's alone. */
TEST_F(labels, of_threads)
{
	lsm_take(_metadata, &self->s, subject_with_thread);
	lsm_refused(_metadata, &self->s, RESTART_KEEP_LSM, EPERM,
		    "SELinux does not let it have the label \"" KEPT "\" (current)");
	ASSERT_TRUE(lsm_set("current", KEPT));
	lsm_restart(_metadata, &self->s, 0);
}

TEST_HARNESS_MAIN
