// SPDX-License-Identifier: GPL-2.0
/* Smack: labels of tasks come back, if the restarter asks for them and may set them. */
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

static void lsm_prepare(void);
#define LSM_TESTED	LSM_ID_SMACK
#include "caps.h"
#include "lsm.h"

static void lsm_prepare(void)
{
	mount("smackfs", "/sys/fs/smackfs", "smackfs", 0, NULL);
}

static void subject_labelled(void)
{
	CHECK(lsm_set("current", "Subject"));
	subject_ready();
	CHECK(lsm_has("current", "Subject"));
}

TEST_F(labels, kept)
{
	lsm_kept(_metadata, &self->s, subject_labelled);
}

static const char try_tool[] =
	"set -e\n"
	"ckpt verify image >/dev/null\n"
	"ckpt info image | grep -q 'label *smack Subject'\n"
	"ckpt info --json image | tr -d ' \\n' >json\n"
	"grep -qF '\"labels\":{\"module\":\"smack\",\"current\":\"Subject\"}' json\n"
	"if ckpt restart -d -i image 2>error; then exit 1; fi\n"
	"grep -q -e --keep-lsm error\n"
	"ckpt restart -d --keep-lsm -i image\n";

TEST_F(labels, shown_by_the_tool)
{
	char command[1024];

	if (system("command -v ckpt >/dev/null"))
		SKIP(return, "ckpt is not installed");
	lsm_take(_metadata, &self->s, subject_labelled);
	snprintf(command, sizeof(command), "cd %s\n%s", self->s.dir, try_tool);
	ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	ASSERT_EQ(system(command), 0);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(labels, kept_for_generations)
{
	int i;

	ASSERT_TRUE(subject_start(&self->s, subject_labelled)) subject_print(&self->s);
	for (i = 0; i < 3; i++) {
		ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0)
			subject_print(&self->s);
		ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
		ASSERT_EQ(subject_restart(&self->s, RESTART_KEEP_LSM), self->s.pid)
			subject_print(&self->s);
	}
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

static void create(const char *name, const char *label)
{
	subject_touch(name);
	CHECK(!setxattr(name, "security.SMACK64", label, strlen(label), 0));
}

/* It may write where everybody may, as a user without any right. */
static void subject_confined(void)
{
	CHECK(!chmod(".", 0777) && !setxattr(".", "security.SMACK64", "*", 1, 0));
	create("own", "Subject");
	create("secret", "Other");
	CHECK(lsm_set("current", "Subject"));
	CHECK(!setresgid(1000, 1000, 1000) && !setresuid(1000, 1000, 1000));
	CHECK(lsm_may_read("own") && !lsm_may_read("secret"));
	subject_ready();
	CHECK(lsm_has("current", "Subject"));
	CHECK(lsm_may_read("own") && !lsm_may_read("secret"));
	CHECK(getuid() == 1000);
}

TEST_F(labels, confined_again)
{
	lsm_kept(_metadata, &self->s, subject_confined);
}

static volatile bool thread_is_labelled, thread_may_look;

static void *labelled_thread(void *arg)
{
	CHECK(lsm_set("current", "Thread"));
	thread_is_labelled = true;
	while (!thread_may_look)
		subject_sleep_ms(1);
	CHECK(lsm_has("current", "Thread"));
	return arg;
}

static void subject_with_labelled_thread(void)
{
	pthread_t thread;

	CHECK(lsm_set("current", "Leader"));
	CHECK(!pthread_create(&thread, NULL, labelled_thread, NULL));
	while (!thread_is_labelled)
		subject_sleep_ms(1);
	subject_ready();
	thread_may_look = true;
	CHECK(!pthread_join(thread, NULL));
	CHECK(lsm_has("current", "Leader"));
}

TEST_F(labels, thread_with_its_own)
{
	lsm_kept(_metadata, &self->s, subject_with_labelled_thread);
}

/* It has a label, as each file has. */
static void subject_with_unlinked_file(void)
{
	char label[16];
	int fd = open("file", O_CREAT | O_RDWR, 0600);

	CHECK(fgetxattr(fd, "security.SMACK64", label, sizeof(label)) > 0);
	CHECK(!unlink("file"));
	CHECK(write(fd, "data", 4) == 4);
	subject_ready();
	CHECK(pread(fd, label, sizeof(label), 0) == 4 && !memcmp(label, "data", 4));
}

TEST_F(labels, unlinked_file)
{
	lsm_take(_metadata, &self->s, subject_with_unlinked_file);
	lsm_restart(_metadata, &self->s, 0);
}

TEST_F(labels, refused_without_the_flag)
{
	ASSERT_TRUE(lsm_set("current", "Restarter"));
	lsm_take(_metadata, &self->s, subject_labelled);
	lsm_refused(_metadata, &self->s, 0, EOPNOTSUPP,
		    "Smack label \"Subject\" (current) is not that of the restarter, \"Restarter\"; RESTART_KEEP_LSM");
	lsm_restart(_metadata, &self->s, RESTART_KEEP_LSM);
}

static void subject_inherits(void)
{
	CHECK(lsm_has("current", "Restarter"));
	subject_ready();
	CHECK(lsm_has("current", "Restarter"));
}

TEST_F(labels, that_of_the_restarter_needs_no_flag)
{
	ASSERT_TRUE(lsm_set("current", "Restarter"));
	lsm_take(_metadata, &self->s, subject_inherits);
	lsm_restart(_metadata, &self->s, 0);
}

/* The restarter may not set it, though the image has all rights. */
TEST_F(labels, not_permitted)
{
	lsm_take(_metadata, &self->s, subject_labelled);
	caps_drop(1ULL << CAP_MAC_ADMIN);
	lsm_refused(_metadata, &self->s, RESTART_KEEP_LSM, EPERM,
		    "Smack does not let it have the label \"Subject\" (current)");
}

static void subject_refused(void)
{
	int fd = open("/sys/fs/smackfs/relabel-self", O_WRONLY | O_CLOEXEC);

	CHECK_EQ(write(fd, "Other", 5), 5);
	close(fd);
	subject_ready();
}

TEST_F(labels, own_rules_refused)
{
	refuse_run(_metadata, &self->s, 0, subject_refused, EOPNOTSUPP,
		   "Smack rules of its own");
}

TEST_HARNESS_MAIN
