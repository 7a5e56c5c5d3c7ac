// SPDX-License-Identifier: GPL-2.0
/* Directories that are mounted when somebody goes there. */
#include <linux/auto_fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "ckpt_test.h"

static char trigger[] = "/tmp/ckpt-auto-XXXXXX";

/* Mounts a file system with one file, whenever it is asked to. */
static void automount(int requests, int ioctl_fd)
{
	struct autofs_v5_packet packet;
	char name[64];

	snprintf(name, sizeof(name), "%s/mounted", trigger);
	while (read(requests, &packet, sizeof(packet)) == sizeof(packet)) {
		if (packet.hdr.type != autofs_ptype_missing_direct)
			_exit(1);
		if (mount("ckpt", trigger, "tmpfs", 0, NULL) || mknod(name, S_IFREG | 0644, 0))
			_exit(1);
		if (ioctl(ioctl_fd, AUTOFS_IOC_READY, packet.wait_queue_token))
			_exit(1);
	}
	_exit(0);
}

/* The automounter is told from others by its process group. */
static void run_automounter(int ready)
{
	char options[128];
	int fds[2], fd;

	if (setpgid(0, 0) || pipe(fds))
		_exit(1);
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,direct",
		 fds[1], getpid());
	if (mount("ckpt", trigger, "autofs", 0, options))
		_exit(1);
	close(fds[1]);
	fd = open(trigger, O_RDONLY);
	if (fd < 0 || write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	automount(fds[0], fd);
}

FIXTURE(automount)
{
	struct subject s;
	pid_t automounter;
};

static bool has_autofs(void)
{
	char line[128];
	bool found = false;
	FILE *f = fopen("/proc/filesystems", "r");

	while (f && fgets(line, sizeof(line), f))
		found |= !!strstr(line, "\tautofs\n");
	if (f)
		fclose(f);
	return found;
}

FIXTURE_SETUP(automount)
{
	int ready[2];
	char c;

	memset(self, 0, sizeof(*self));
	if (!has_autofs())
		SKIP(return, "no CONFIG_AUTOFS_FS");
	ASSERT_NE(mkdtemp(trigger), NULL);
	ASSERT_EQ(pipe(ready), 0);
	self->automounter = fork();
	if (!self->automounter)
		run_automounter(ready[1]);
	ASSERT_GT(self->automounter, 0);
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
}

FIXTURE_TEARDOWN(automount)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
	if (self->automounter <= 0)
		return;
	/* the file system, and the trigger below it */
	umount2(trigger, MNT_DETACH);
	kill(self->automounter, SIGKILL);
	waitpid(self->automounter, NULL, 0);
	umount2(trigger, MNT_DETACH);
	rmdir(trigger);
}

/* The current directory is not the subject's own, where the test waits for it. */
static char dir[PATH_MAX];

static void go_there(void)
{
	CHECK(getcwd(dir, sizeof(dir)));
	CHECK(!chdir(trigger) && !access("mounted", F_OK));
}

static void wait_elsewhere(void)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/ready", dir);
	subject_touch(path);
	snprintf(path, sizeof(path), "%s/go", dir);
	while (access(path, F_OK))
		subject_sleep_ms(5);
}

static void be_there(void)
{
	go_there();
	wait_elsewhere();
	CHECK(!access("mounted", F_OK));
}

static void have_it_open(void)
{
	int fd;

	go_there();
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && !chdir(dir));
	wait_elsewhere();
	CHECK(!faccessat(fd, "mounted", F_OK, 0));
}

static void expired_meanwhile(struct __test_metadata *_metadata, FIXTURE_DATA(automount) *self,
			      void (*fn)(void))
{
	ASSERT_TRUE(subject_start(&self->s, fn)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_EQ(umount(trigger), 0);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

TEST_F(automount, current_directory)
{
	expired_meanwhile(_metadata, self, be_there);
}

TEST_F(automount, open_directory)
{
	expired_meanwhile(_metadata, self, have_it_open);
}

TEST_HARNESS_MAIN
