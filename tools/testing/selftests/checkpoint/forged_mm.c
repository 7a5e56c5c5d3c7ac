// SPDX-License-Identifier: GPL-2.0
/*
 * Images that ask for more than system calls would give: memory, descriptors and
 * locks that nobody can have, or not the one who restarts. Each is refused, or the
 * program gets what it could have had. As much as that it does get.
 */
#include <linux/io_uring.h>
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "caps.h"
#include "forged_image.h"
#include "mapping.h"

/*
 * POSIX locks
 */

static void subject_with_posix_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("locked", O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0 && !fcntl(fd, F_SETLK, &lock));
	subject_ready();
}

static bool close_locked(uint32_t objref)
{
	struct ckpt_rec_files *files = (void *)image_first(&image, CKPT_REC_FILES)->payload;
	struct item *item = NULL;

	while ((item = next_of(CKPT_REC_FILES_FD, item))) {
		struct ckpt_rec_files_fd *fd = (void *)item->payload;

		if (fd->objref != objref)
			continue;
		drop(item);
		files->nr_fds--;
		return true;
	}
	return false;
}

static bool system_shows_locks(void)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256];
	bool ok = f;

	while (f && fgets(line, sizeof(line), f))
		ok = ok && strchr(line, '\n');
	if (f)
		fclose(f);
	return ok;
}

/* It would stay when the file is gone: nobody could ever close it. */
TEST_F(forged_image, lock_of_a_file_that_is_not_open)
{
	struct item *lock;

	ASSERT_TRUE(take(subject_with_posix_lock));
	lock = image_first(&image, CKPT_REC_LOCK);
	ASSERT_TRUE(lock && close_locked(((struct ckpt_rec_lock *)lock->payload)->objref));
	EXPECT_TRUE(refused(EINVAL, "locked: locked by who has not opened it"));
	EXPECT_TRUE(system_shows_locks());
	subject_clean(&s);
	EXPECT_TRUE(system_shows_locks());
}

/* The table that was to own the lock goes, and the lock with it. */
TEST_F(forged_image, lock_before_one_that_is_refused)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct item *item;
	int fd;

	ASSERT_TRUE(take(subject_with_posix_lock));
	item = image_first(&image, CKPT_REC_LOCK);
	ASSERT_NE(item, NULL);
	image_insert(&image, item - image.items + 1, item);
	item = next_of(CKPT_REC_LOCK, image_first(&image, CKPT_REC_LOCK));
	((struct ckpt_rec_lock *)item->payload)->kind = CKPT_LOCK_OFD;
	EXPECT_TRUE(refused(EINVAL, "malformed file lock"));
	fd = test_open(&s, "locked", O_RDWR);
	EXPECT_EQ(fcntl(fd, F_SETLK, &lock), 0);
	close(fd);
}

/*
 * Descriptors
 */

static void subject_with_eventfd(void)
{
	CHECK(eventfd(7, 0) >= 0);
	subject_ready();
}

/* The record of the open file whose kind is @type */
static struct ckpt_rec_file *file_of_kind(uint16_t type)
{
	struct item *item = image_first(&image, type);

	return item ? (void *)item[-1].payload : NULL;
}

TEST_F(forged_image, access_that_the_file_has_not)
{
	struct ckpt_rec_file *file;

	ASSERT_TRUE(take(subject_with_eventfd));
	file = file_of_kind(CKPT_REC_FILE_EVENTFD);
	ASSERT_NE(file, NULL);
	EXPECT_EQ(file->f_flags & O_ACCMODE, O_RDWR);
	file->f_flags &= ~O_ACCMODE;
	EXPECT_TRUE(refused(EINVAL, "cannot be restored"));
	file->f_flags |= O_RDWR;
	EXPECT_TRUE(accepted());
	s.pid = 0;
}

#define FORGED_FD	100

static void subject_with_anonymous_memory(void)
{
	void *p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	subject_ready();
	CHECK(fcntl(FORGED_FD, F_GETFD) >= 0);
}

/* A descriptor of the first shared mapping */
static bool open_memory(void)
{
	struct ckpt_rec_files *files = (void *)image_first(&image, CKPT_REC_FILES)->payload;
	struct ckpt_rec_files_fd fd = { .fd = FORGED_FD };
	struct item *item = NULL, *last = NULL;

	while ((item = next_of(CKPT_REC_VMA, item))) {
		struct ckpt_rec_vma *vma = (void *)item->payload;

		if (vma->flags & CKPT_VMA_SHARED)
			fd.objref = vma->file_objref;
	}
	while ((item = next_of(CKPT_REC_FILES_FD, last)))
		last = item;
	if (!fd.objref || !last)
		return false;
	files->nr_fds++;
	image_insert(&image, last - image.items + 1, &(struct item){
		.type = CKPT_REC_FILES_FD, .len = sizeof(fd), .payload = (void *)&fd });
	return true;
}

TEST_F(forged_image, descriptor_of_memory_for_root)
{
	ASSERT_TRUE(take(subject_with_anonymous_memory));
	ASSERT_TRUE(open_memory());
	EXPECT_TRUE(accepted());
	s.pid = 0;
}

/*
 * In namespaces
 */

#define MAP_OF_ROOT	"0 0 65536"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* The status of @fn, which is the first process of a pid namespace. */
static int as_init(int flags, bool (*fn)(void))
{
	char path[64];
	int status;
	pid_t pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD | flags, NULL, NULL, NULL, NULL);

	if (!pid) {
		while (flags & CLONE_NEWUSER && setresuid(0, 0, 0))
			subject_sleep_ms(1);
		CHECK(!prctl(PR_SET_DUMPABLE, 1));
		_exit(!fn());
	}
	CHECK(pid > 0);
	if (flags & CLONE_NEWUSER) {
		snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
		write_file(path, MAP_OF_ROOT);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
		write_file(path, MAP_OF_ROOT);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static bool cannot_open_memory(void)
{
	bool ok = take(subject_with_anonymous_memory) && open_memory() &&
		  refused(EPERM, "fd 100: no right to open memory that is no file");

	subject_clean(&s);
	return ok;
}

/* As by /proc/PID/map_files, which only the root of the machine can use. */
TEST_F(forged_image, descriptor_of_memory_in_a_user_namespace)
{
	EXPECT_EQ(as_init(CLONE_NEWUSER, cannot_open_memory), 0);
}

static void subject_with_executable_memfd(void)
{
	CHECK(syscall(SYS_memfd_create, "code", MFD_ALLOW_SEALING) >= 0);
	subject_ready();
}

static void subject_with_huge_memfd(void)
{
	CHECK(syscall(SYS_memfd_create, "huge", MFD_HUGETLB) >= 0);
	subject_ready();
}

/* Anonymous memory is no memfd, whatever its mode is. */
static void subject_with_sealed_memfd(void)
{
	int fd = syscall(SYS_memfd_create, "data", MFD_NOEXEC_SEAL);
	void *p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stat st;

	CHECK(fd >= 0 && p != MAP_FAILED);
	subject_ready();
	CHECK(!fstat(fd, &st) && !(st.st_mode & 0111));
	CHECK(fchmod(fd, 0700) == -1);
	memset(p, 1, PAGE);
}

#define MEMFD_NOEXEC	"/proc/sys/vm/memfd_noexec"

static bool cannot_execute_memfd(void)
{
	bool ok = take(subject_with_executable_memfd);

	write_file(MEMFD_NOEXEC, "2");
	ok = ok && refused(EACCES, "memfd:code: can be executed");
	/* neither without the seal that keeps it from becoming so */
	((struct ckpt_rec_shmem *)image_first(&image, CKPT_REC_SHMEM)->payload)->mode = 0666;
	ok = ok && refused(EACCES, "memfd:code: can be executed");
	subject_clean(&s);
	return ok;
}

TEST_F(forged_image, memfd_to_execute)
{
	if (access(MEMFD_NOEXEC, W_OK))
		SKIP(return, "no vm.memfd_noexec");
	EXPECT_EQ(as_init(0, cannot_execute_memfd), 0);
}

static bool cannot_execute_huge_memfd(void)
{
	bool ok = take(subject_with_huge_memfd);

	write_file(MEMFD_NOEXEC, "2");
	ok = ok && refused(EACCES, "memfd:huge: can be executed");
	subject_clean(&s);
	return ok;
}

TEST_F(forged_image, memfd_of_huge_pages_to_execute)
{
	int fd = syscall(SYS_memfd_create, "huge", MFD_HUGETLB);

	if (access(MEMFD_NOEXEC, W_OK) || fd < 0)
		SKIP(return, "no vm.memfd_noexec, or no huge pages");
	close(fd);
	EXPECT_EQ(as_init(0, cannot_execute_huge_memfd), 0);
}

static bool survives_noexec(void)
{
	bool ok;

	write_file(MEMFD_NOEXEC, "2");
	ok = take(subject_with_sealed_memfd) && accepted();
	subject_clean(&s);
	return ok;
}

TEST_F(forged_image, memfd_that_cannot_be_executed)
{
	if (access(MEMFD_NOEXEC, W_OK))
		SKIP(return, "no vm.memfd_noexec");
	EXPECT_EQ(as_init(0, survives_noexec), 0);
}

static void subject_with_large_memfd(void)
{
	int fd = memfd_create("large", 0);

	CHECK(fd >= 0 && !ftruncate(fd, 64 << 20));
	subject_ready();
}

TEST_F(forged_image, memfd_above_the_limit)
{
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };

	ASSERT_TRUE(take(subject_with_large_memfd));
	ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	EXPECT_TRUE(was_refused(subject_restart(&s, 0), EFBIG,
				"memfd:large: is larger than the limit"));
}

/*
 * Mappings
 */

static void subject_with_mapped_file(void)
{
	int fd = open("mapped", O_CREAT | O_RDWR, 0600);
	void *p;

	CHECK(fd >= 0 && !ftruncate(fd, PAGE));
	p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	subject_ready();
}

static struct item *file_named(const char *name)
{
	struct item *item = NULL;

	while ((item = next_of(CKPT_REC_FILE_PATH, item))) {
		struct ckpt_rec_file_path *path = (void *)item->payload;

		if (memmem(path + 1, path->path_len, name, strlen(name)))
			return item;
	}
	return NULL;
}

/* The restarter brings the file that was mapped. */
static bool make_external(const char *key)
{
	struct ckpt_rec_file_external rec = { .key_len = strlen(key) };
	struct item *item = file_named("mapped");

	if (!item)
		return false;
	free(item->payload);
	item->type = CKPT_REC_FILE_EXTERNAL;
	item->len = sizeof(rec) + rec.key_len;
	item->payload = malloc(item->len);
	memcpy(item->payload, &rec, sizeof(rec));
	memcpy(item->payload + sizeof(rec), key, rec.key_len);
	return true;
}

static long restart_with(int fd, const char *key)
{
	struct checkpoint_external ext = { .key = (uintptr_t)key, .fd = fd };
	struct restart_args args = {
		.image_fd = test_open(&s, "image", O_RDONLY),
		.log_fd = test_open(&s, "log", O_CREAT | O_TRUNC | O_RDWR),
		.externals = (uintptr_t)&ext,
		.nr_externals = 1,
	};
	long ret = sys_restart(&args, sizeof(args));

	if (ret < 0)
		ret = -errno;
	close(args.image_fd);
	test_read_log(&s, args.log_fd);
	return ret;
}

/* The rings of io_uring can be mapped, but not where the caller wants them. */
TEST_F(forged_image, place_that_the_file_does_not_allow)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 4, &params);

	if (ring < 0)
		SKIP(return, "no io_uring");
	ASSERT_EQ(mmap((void *)0x10000000, PAGE, RW, MAP_SHARED | MAP_FIXED, ring, 0),
		  MAP_FAILED);
	ASSERT_TRUE(take(subject_with_mapped_file));
	ASSERT_TRUE(make_external("ring"));
	ASSERT_TRUE(image_store(&s, &image));
	EXPECT_TRUE(was_refused(restart_with(ring, "ring"), EINVAL, "cannot be mapped"));
	close(ring);
}

/* Below all else of the program */
#define LOW	0x10000UL

static void subject_with_low_mapping(void)
{
	void *p = mmap((void *)LOW, PAGE, RW,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(p == (void *)LOW);
	subject_ready();
}

/* Nothing can be mapped in the first pages (vm.mmap_min_addr). */
TEST_F(forged_image, mapping_at_the_lowest_address)
{
	struct ckpt_rec_vma *vma;

	ASSERT_TRUE(take(subject_with_low_mapping));
	vma = (void *)image_first(&image, CKPT_REC_VMA)->payload;
	ASSERT_EQ(vma->start, LOW);
	vma->start = 0;
	vma->anon_addr = 0;
	vma->end = PAGE;
	caps_lower(1ULL << CAP_SYS_RAWIO);
	EXPECT_TRUE(refused(EPERM, "mapping 0-1000: cannot be mapped"));
}

/* The lowest one has no private pages, the highest is in two parts. */
static void subject_with_parts(void)
{
	unsigned char *p = map(4 * PAGE, RW, ANON, -1);

	CHECK(mmap((void *)LOW, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == (void *)LOW);
	fill(p, 4 * PAGE, 1);
	CHECK(!madvise(p + PAGE, PAGE, MADV_DONTFORK));
	subject_ready();
	verify(p, 4 * PAGE, 1);
	CHECK(!madvise(p + PAGE, PAGE, MADV_DOFORK));
	CHECK(!munmap(p, 4 * PAGE));
}

/* A mapping that belongs to an earlier one */
static struct ckpt_rec_vma *find_part(void)
{
	struct ckpt_rec_vma *vma;
	struct item *item = NULL;

	while ((item = next_of(CKPT_REC_VMA, item))) {
		vma = (void *)item->payload;
		if (vma->anon_addr != vma->start)
			return vma;
	}
	return NULL;
}

TEST_F(forged_image, part_of_what_it_was_never_one_with)
{
	struct ckpt_rec_vma *vma, *low, *first;

	ASSERT_TRUE(take(subject_with_parts));
	vma = find_part();
	ASSERT_NE(vma, NULL);
	low = (void *)image_first(&image, CKPT_REC_VMA)->payload;
	ASSERT_EQ(low->start, LOW);
	vma->anon_addr = LOW;
	EXPECT_TRUE(refused(EINVAL, "cannot belong to that at 10000"));
	vma->cow_objref = 1;
	EXPECT_TRUE(refused(EINVAL, "bad mapping"));
	vma->cow_objref = 0;
	/* Any other will do: that is seen when they are to be merged. */
	first = (void *)next_of(CKPT_REC_VMA, image_first(&image, CKPT_REC_VMA))->payload;
	ASSERT_FALSE(first->flags & CKPT_VMA_SHARED);
	vma->anon_addr = first->start;
	EXPECT_TRUE(accepted());
	s.pid = 0;
}

static void subject_with_name(void)
{
	void *p = map(PAGE, RW, ANON, -1);

	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, PAGE, "name");
	subject_ready();
}

TEST_F(forged_image, name_of_what_has_none)
{
	struct ckpt_rec_vma *vma = NULL;
	struct item *item = NULL;

	ASSERT_TRUE(take(subject_with_name));
	while ((item = next_of(CKPT_REC_VMA, item))) {
		vma = (void *)item->payload;
		if (vma->flags & CKPT_VMA_NAMED)
			break;
	}
	if (!item)
		SKIP(return, "no CONFIG_ANON_VMA_NAME");
	vma->flags &= ~CKPT_VMA_NAMED;
	EXPECT_TRUE(refused(EINVAL, "bad mapping"));
}

static void subject_plain(void)
{
	subject_ready();
}

static void subject_with_future_locked(void)
{
	CHECK(!mlockall(MCL_FUTURE));
	subject_ready();
}

TEST_F(forged_image, flags_that_only_go_together)
{
	struct ckpt_rec_mm *mm;

	ASSERT_TRUE(take(subject_plain));
	mm = (void *)image_first(&image, CKPT_REC_MM)->payload;
	mm->flags |= CKPT_MM_MDWE_NO_INHERIT;
	EXPECT_TRUE(refused(EINVAL, "bad address space"));
	mm->flags &= ~CKPT_MM_MDWE_NO_INHERIT;
	mm->flags |= CKPT_MM_DEF_LOCKONFAULT;
	EXPECT_TRUE(refused(EINVAL, "bad address space"));
}

TEST_F(forged_image, future_mappings_locked_without_the_right)
{
	struct rlimit none = {};

	ASSERT_TRUE(take(subject_with_future_locked));
	caps_lower(1ULL << CAP_IPC_LOCK);
	ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	EXPECT_TRUE(refused(EPERM, "mlockall() is not allowed"));
}

static void subject_that_inherits(void)
{
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), 0);
	subject_ready();
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), PR_MDWE_REFUSE_EXEC_GAIN);
}

static void subject_that_passes_nothing_on(void)
{
	CHECK(!prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT, 0, 0, 0));
	subject_ready();
}

/* What execve(2) leaves in force, restart(2) does too. */
TEST_F(forged_image, restarter_under_mdwe)
{
	ASSERT_TRUE(take(subject_that_inherits));
	ASSERT_EQ(prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0), 0);
	EXPECT_TRUE(accepted());
	s.pid = 0;
}

TEST_F(forged_image, end_of_mdwe_that_is_inherited)
{
	ASSERT_TRUE(take(subject_that_passes_nothing_on));
	ASSERT_EQ(prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0), 0);
	EXPECT_TRUE(refused(EPERM, "PR_MDWE_NO_INHERIT is not allowed"));
}

/*
 * As many mappings as allowed
 */

#define MAX_MAPPINGS	"/proc/sys/vm/max_map_count"

static long mappings_before;

static long max_mappings(void)
{
	FILE *f = fopen(MAX_MAPPINGS, "re");
	long n;

	CHECK(f);
	CHECK_EQ(fscanf(f, "%ld", &n), 1);
	fclose(f);
	return n;
}

FIXTURE(max_mappings)
{
};

FIXTURE_SETUP(max_mappings)
{
	memset(&s, 0, sizeof(s));
	mappings_before = max_mappings();
	write_file(MAX_MAPPINGS, "300");
}

FIXTURE_TEARDOWN(max_mappings)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", mappings_before);
	write_file(MAX_MAPPINGS, text);
	if (s.pid > 0)
		subject_kill(&s);
	if (s.dir[0])
		subject_clean(&s);
}

/* Only every second page can be read, so that none are merged. */
static void subject_with_all_mappings(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	int i = 0;

	while (mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_NONE, anon, -1, 0) != MAP_FAILED)
		i++;
	CHECK(i > 100 && errno == ENOMEM);
	subject_ready();
	CHECK(mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_NONE, anon, -1, 0) == MAP_FAILED);
}

TEST_F(max_mappings, can_be_had_again)
{
	ASSERT_TRUE(take(subject_with_all_mappings));
	EXPECT_TRUE(accepted());
	s.pid = 0;
}

TEST_F(max_mappings, no_more_than_that)
{
	ASSERT_TRUE(take(subject_with_all_mappings));
	write_file(MAX_MAPPINGS, "299");
	EXPECT_TRUE(refused(ENOMEM, "cannot be mapped"));
}

/*
 * Pages
 */

/* Those of a huge page leave in two or three pieces. */
static void subject_with_huge_page(void)
{
	unsigned char *p = huge_area(HUGE);

	fill(p, HUGE, 1);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), HUGE >> 10);
	subject_ready();
	verify(p, HUGE, 1);
}

static struct ckpt_page_run *huge_run(const struct item *item)
{
	struct ckpt_rec_pages *pages = (void *)item->payload;
	struct ckpt_page_run *runs = (void *)(pages + 1);
	uint32_t i;

	for (i = 0; i < pages->nr_runs; i++)
		if (runs[i].flags == CKPT_RUN_HUGE)
			return &runs[i];
	return NULL;
}

/* The first and the last piece */
static bool find_pieces(struct ckpt_page_run *piece[2])
{
	struct ckpt_page_run *run;
	struct item *item = NULL;

	piece[0] = piece[1] = NULL;
	while ((item = next_of(CKPT_REC_PAGES, item))) {
		run = huge_run(item);
		if (run && !piece[0])
			piece[0] = run;
		else if (run)
			piece[1] = run;
	}
	return piece[1];
}

static void huge_page_with(struct __test_metadata *_metadata, int small, uint32_t flags)
{
	struct ckpt_page_run *piece[2];

	ASSERT_TRUE(take(subject_with_huge_page));
	ASSERT_TRUE(find_pieces(piece));
	piece[small]->flags = flags;
	EXPECT_TRUE(accepted());
	s.pid = 0;
}

TEST_F(forged_image, huge_page_ends_with_small_ones)
{
	huge_page_with(_metadata, 1, CKPT_RUN_DATA);
}

TEST_F(forged_image, huge_page_begins_with_small_ones)
{
	huge_page_with(_metadata, 0, CKPT_RUN_DATA);
}

TEST_F(forged_image, huge_page_ends_with_shared_ones)
{
	huge_page_with(_metadata, 1, CKPT_RUN_SHARED);
}

TEST_F(forged_image, huge_page_begins_with_shared_ones)
{
	huge_page_with(_metadata, 0, CKPT_RUN_SHARED);
}

TEST_F(forged_image, small_page_again_in_a_huge_one)
{
	struct ckpt_page_run *piece[2];

	ASSERT_TRUE(take(subject_with_huge_page));
	ASSERT_TRUE(find_pieces(piece));
	piece[1]->flags = CKPT_RUN_DATA;
	piece[1]->index = piece[0]->index;
	EXPECT_TRUE(refused(EEXIST, "twice in the image"));
}

TEST_HARNESS_MAIN
