// SPDX-License-Identifier: GPL-2.0
/* Files and directories that are not what they were when the tree is restarted. */
#include <sys/mman.h>

#include "ckpt_test.h"

#define PAGE	4096UL
#define RW	(PROT_READ | PROT_WRITE)
#define TEXT	"0123456789"

static int make(const char *name, int flags)
{
	int fd = open(name, O_CREAT | O_RDWR, 0755);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, TEXT, strlen(TEXT)), strlen(TEXT));
	CHECK(!close(fd));
	fd = open(name, flags);
	CHECK(fd >= 0);
	return fd;
}

static char *map_file(int prot, int flags)
{
	int fd = make("file", O_RDWR);
	char *p = mmap(NULL, PAGE, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK(!close(fd));
	return p;
}

static void open_file(void)
{
	make("file", O_RDWR);
	subject_ready();
}

static void map_privately(void)
{
	volatile char *p = map_file(RW, MAP_PRIVATE);

	p[1] = 'x';
	subject_ready();
	CHECK_EQ(p[1], 'x');
}

static void map_shared(void)
{
	volatile char *p = map_file(RW, MAP_SHARED);

	subject_ready();
	CHECK_EQ(p[0], TEXT[0]);
}

static void map_shared_code(void)
{
	map_file(PROT_READ | PROT_EXEC, MAP_SHARED);
	subject_ready();
}

/* As a program whose code nothing but the executable itself is mapped from */
static void run_file(void)
{
	static const char script[] = ": > ready; until [ -e go ]; do :; done";

	CHECK(!system("cp /bin/sh file"));
	execl("file", "sh", "-c", script, NULL);
	CHECK(false);
}

static void open_directory(void)
{
	CHECK(!mkdir("file", 0755));
	CHECK(open("file", O_RDONLY | O_DIRECTORY) >= 0);
	subject_ready();
}

static void be_in_directory(void)
{
	CHECK(!mkdir("file", 0755) && !chdir("file"));
	CHECK(!mknod("../ready", S_IFREG | 0644, 0));
	while (access("../go", F_OK))
		subject_sleep_ms(5);
}

static void be_below_directory(void)
{
	CHECK(!mkdir("file", 0755) && !chroot("file"));
	subject_ready();
}

FIXTURE(changed)
{
	struct subject s;
};

FIXTURE_SETUP(changed)
{
	memset(&self->s, 0, sizeof(self->s));
}

FIXTURE_TEARDOWN(changed)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	subject_clean(&self->s);
}

/* What the test does to the file meanwhile */
#define TOUCH	"touch file"
#define APPEND	"echo >> file"
/* The size and time are the same. */
#define COPY	"cp -p file copy && mv copy file"
#define SHORTEN	"cp -p file was && truncate -s 9 file && touch -r was file"
#define GROW	"cp -p file was && truncate -s 11 file && touch -r was file"
#define REMAKE	"mv file was && mkdir file"

static void save_and_change(struct __test_metadata *_metadata, struct subject *s,
			    void (*fn)(void), const char *change)
{
	char command[256];

	ASSERT_TRUE(subject_start(s, fn)) subject_print(s);
	ASSERT_GT(subject_checkpoint(s, CHECKPOINT_KILL), 0) subject_print(s);
	ASSERT_EQ(waitpid(s->pid, NULL, 0), s->pid);
	snprintf(command, sizeof(command), "cd %s && %s", s->dir, change);
	ASSERT_EQ(system(command), 0);
}

static void accepted(struct __test_metadata *_metadata, struct subject *s, uint64_t flags,
		     void (*fn)(void), const char *change, const char *warning)
{
	save_and_change(_metadata, s, fn, change);
	ASSERT_EQ(subject_restart(s, flags), s->pid) subject_print(s);
	EXPECT_TRUE(log_has(s, warning)) subject_print(s);
	EXPECT_EQ(subject_finish(s), 0) subject_print(s);
	s->pid = 0;
}

static void refused(struct __test_metadata *_metadata, struct subject *s, void (*fn)(void),
		    const char *change, const char *why)
{
	long ret;

	save_and_change(_metadata, s, fn, change);
	ret = subject_restart(s, 0);
	EXPECT_EQ(ret, -EINVAL) subject_print(s);
	EXPECT_TRUE(log_has(s, why)) subject_print(s);
	if (ret < 0)
		s->pid = 0;
}

#define ACCEPTED(name, flags, fn, change, warning)			\
	TEST_F(changed, name)						\
	{								\
		accepted(_metadata, &self->s, flags, fn, change, warning); \
	}

#define REFUSED(name, fn, change, why)					\
	TEST_F(changed, name)						\
	{								\
		refused(_metadata, &self->s, fn, change, why);		\
	}

/* A descriptor shows the file as it is now. */
ACCEPTED(touched, 0, open_file, TOUCH, "/file: changed since the checkpoint, modified 2")
ACCEPTED(appended, 0, open_file, APPEND, "/file: changed since the checkpoint, 11 bytes instead of 10, modified 2")
ACCEPTED(copied, 0, open_file, COPY, "/file: replaced since the checkpoint")
REFUSED(shortened, open_file, SHORTEN, "/file: shorter than at the checkpoint, 9 bytes instead of 10")
ACCEPTED(shortened_but_wanted, RESTART_CHANGED_FILES, open_file, SHORTEN,
	 "/file: changed since the checkpoint, 9 bytes instead of 10")

/* Pages that the program has not changed are those of the file. */
#define PROGRAM	"/file: part of a program, changed since the checkpoint, "
REFUSED(private_mapping_touched, map_privately, TOUCH, PROGRAM "modified 2")
REFUSED(private_mapping_grown, map_privately, GROW, PROGRAM "11 bytes instead of 10; RESTART_CHANGED_FILES (--allow-changed-files)")
REFUSED(private_mapping_shortened, map_privately, SHORTEN, "/file: shorter than at the checkpoint")
ACCEPTED(private_mapping_copied, 0, map_privately, COPY, "/file: replaced since the checkpoint")
ACCEPTED(private_mapping_touched_but_wanted, RESTART_CHANGED_FILES, map_privately, TOUCH,
	 "/file: changed since the checkpoint, modified 2")
REFUSED(shared_code_touched, map_shared_code, TOUCH, PROGRAM "modified 2")
REFUSED(executable_touched, run_file, TOUCH, PROGRAM "modified 2")
ACCEPTED(executable_copied, 0, run_file, COPY, "/file: replaced since the checkpoint")

/* The contents of a shared mapping are the file's, too. */
ACCEPTED(shared_mapping_touched, 0, map_shared, TOUCH, "/file: changed since the checkpoint, modified 2")

ACCEPTED(directory_remade, 0, open_directory, REMAKE, "/file: replaced since the checkpoint")
ACCEPTED(current_directory_remade, 0, be_in_directory, REMAKE,
	 "/file: replaced since the checkpoint")
ACCEPTED(root_directory_remade, 0, be_below_directory, REMAKE,
	 "/file: replaced since the checkpoint")

TEST_HARNESS_MAIN
