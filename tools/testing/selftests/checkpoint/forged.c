// SPDX-License-Identifier: GPL-2.0
/*
 * Images that are wrong in one place, with hashes that are right: each is
 * refused with the errno and the reason that belong to it, before a process of
 * the tree has run, and nothing is left behind.
 */
#include <asm/ldt.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/io.h>
#include <sys/prctl.h>
#include <sys/shm.h>

#include <linux/lsm.h>
#include <linux/mempolicy.h>

#include "forged.h"

static void handler(int sig)
{
	(void)sig;
}

/* A 32-bit caller of restart(2), which these tests alone have, cannot attach it. */
static void number_memory(size_t len)
{
#ifdef __x86_64__
	int id = shmget(IPC_PRIVATE, len, 0600);

	CHECK(id >= 0 && shmat(id, NULL, 0) != (void *)-1 && !shmctl(id, IPC_RMID, NULL));
#endif
}

/* Memory policies of all kinds, and memory that needs a number. */
static void place_memory(void *shared, size_t len)
{
	uint64_t node = 1;
	void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED && !syscall(SYS_mbind, p, len, MPOL_BIND, &node, 64, 0));
	CHECK(!syscall(SYS_mbind, shared, len, MPOL_BIND, &node, 64, 0));
	CHECK(!syscall(SYS_set_mempolicy, MPOL_PREFERRED, &node, 64));
	number_memory(len);
}

static void make_segments(void)
{
	struct user_desc desc = { .entry_number = 1, .limit = 4095, .seg_32bit = 1 };

	CHECK(!syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)));
	desc.entry_number = 3;
	CHECK(!syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)));
}

static void subject_of_all_kinds(void)
{
	union sigval value = { .sival_int = 1 };
	struct timespec ts = { .tv_sec = 1000 };
	unsigned long aio = 0;
	int fds[2], fd = open("file", O_CREAT | O_RDWR, 0644);
	sigset_t set;
	pid_t pid;
	char *p;

	CHECK(fd >= 0 && !flock(fd, LOCK_EX));
	CHECK(!pipe(fds));
	CHECK_EQ(write(fds[1], "data", 4), 4);
	CHECK(eventfd(7, 0) >= 0);
	CHECK(memfd_create("memfd", 0) >= 0);
	p = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, 64 << 10);
	p = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, 4096);
	place_memory(p, 4096);
	make_segments();
	CHECK(!ioperm(0x80, 1, 1));
	signal(SIGUSR1, handler);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(!sigqueue(getpid(), SIGRTMIN, value));
	pid = fork();
	if (!pid) {
		nanosleep(&ts, NULL);
		_exit(0);
	}
	if (!fork() && !vfork()) {
		subject_touch("up");
		for (;;)
			pause();
	}
	while (access("up", F_OK))
		subject_sleep_ms(1);
	subject_sleep_ms(50);
	CHECK(!syscall(SYS_io_setup, 10, &aio));
	subject_ready();
}

#define F(rec, ...)	FORGE(rec, F_##rec, __VA_ARGS__)

#define F_CKPT_REC_HEADER	ckpt_rec_header
#define F_CKPT_REC_CLOCKS	ckpt_rec_clocks
#define F_CKPT_REC_TIME_NS	ckpt_rec_time_ns
#define F_CKPT_REC_ARCH		ckpt_rec_arch
#define F_CKPT_REC_VDSO		ckpt_rec_vdso
#define F_CKPT_REC_TREE_TASK	ckpt_rec_tree_task
#define F_CKPT_REC_OBJ		ckpt_rec_obj
#define F_CKPT_REC_PAGES	ckpt_rec_pages
#define F_CKPT_REC_PIPE		ckpt_rec_pipe
#define F_CKPT_REC_PIPE_BUF	ckpt_rec_pipe_buf
#define F_CKPT_REC_SHMEM	ckpt_rec_shmem
#define F_CKPT_REC_SHM		ckpt_rec_shm
#define F_CKPT_REC_FILE_SHM	ckpt_rec_file_shm
#define F_CKPT_REC_VMA_POLICY	ckpt_rec_mempolicy
#define F_CKPT_REC_SHMEM_POLICY	ckpt_rec_mempolicy
#define F_CKPT_REC_TASK_MEMPOLICY ckpt_rec_mempolicy
#define F_CKPT_REC_AIO		ckpt_rec_aio
#define F_CKPT_REC_AIO_PAGE	ckpt_rec_aio_page
#define F_CKPT_REC_FILE		ckpt_rec_file
#define F_CKPT_REC_FILE_PATH	ckpt_rec_file_path
#define F_CKPT_REC_FILE_PIPE	ckpt_rec_file_pipe
#define F_CKPT_REC_FILE_EVENTFD	ckpt_rec_file_eventfd
#define F_CKPT_REC_FILES	ckpt_rec_files
#define F_CKPT_REC_FILES_FD	ckpt_rec_files_fd
#define F_CKPT_REC_FS		ckpt_rec_fs
#define F_CKPT_REC_LOCK		ckpt_rec_lock
#define F_CKPT_REC_MM		ckpt_rec_mm
#define F_CKPT_REC_MM_ARCH	ckpt_rec_mm_arch
#define F_CKPT_REC_MM_LDT	ckpt_user_desc
#define F_CKPT_REC_VMA		ckpt_rec_vma
#define F_CKPT_REC_SIGHAND	ckpt_rec_sighand
#define F_CKPT_REC_TASK		ckpt_rec_task
#define F_CKPT_REC_TASK_IO_PORTS ckpt_rec_task_io_ports
#define F_CKPT_REC_TASK_LSM	ckpt_rec_task_lsm
#define F_CKPT_REC_TASK_SCHED	ckpt_rec_task_sched
#define F_CKPT_REC_TASK_SIGMASK	ckpt_rec_task_sigmask
#define F_CKPT_REC_TASK_SIGNAL	ckpt_rec_sigpending
#define F_CKPT_REC_TASK_RESTART	ckpt_rec_task_restart
#define F_CKPT_REC_TASK_TIME_NS	ckpt_rec_task_time_ns
#define F_CKPT_REC_TASK_VFORK	ckpt_rec_task_vfork
#define F_CKPT_REC_TASK_XSTATE	ckpt_rec_task_xstate
#define F_CKPT_REC_TASK_REGS	ckpt_rec_task_regs

#define HUGE	0xffffffffU

static const struct forgery forgeries[] = {
	/* another machine, kernel or format */
	F(CKPT_REC_HEADER, magic, 1, EINVAL, "not a checkpoint image"),
	F(CKPT_REC_HEADER, version, 2, E2BIG, "is newer than this kernel's"),
	F(CKPT_REC_HEADER, version, 0, EINVAL, "invalid header"),
	F(CKPT_REC_HEADER, arch, 183, EOPNOTSUPP, "another architecture"),
	F(CKPT_REC_HEADER, page_size, 65536, EOPNOTSUPP, "another architecture"),
	F(CKPT_REC_HEADER, flags, 1U << 31, E2BIG, "unknown flags"),
	F(CKPT_REC_HEADER, flags, CKPT_IMAGE_SHELL_JOB, EINVAL, "RESTART_SHELL_JOB"),
	/* of processors that are rare, and those that nobody knows */
	F(CKPT_REC_ARCH, cpu_features, 1ULL << 37, EOPNOTSUPP, "this CPU lacks AVX-512ER, which"),
	F(CKPT_REC_ARCH, more_cpu_features[0], 1ULL << 2, EOPNOTSUPP,
	  "this CPU lacks AVX-512 4FMAPS, which"),
	F(CKPT_REC_ARCH, more_cpu_features[2], 1ULL << 63, EOPNOTSUPP,
	  "this CPU lacks an instruction set unknown to this kernel"),
	F(CKPT_REC_ARCH, cpu_features, ~0ULL, EOPNOTSUPP, "this CPU lacks"),
	F(CKPT_REC_ARCH, xfeatures, 1ULL << 62 | 3, EOPNOTSUPP, "lacks XSAVE component 62"),
	F(CKPT_REC_ARCH, xstate_layout, 1, EOPNOTSUPP, "another layout of the XSAVE area"),
	F(CKPT_REC_VDSO, text_size, 4095, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_VDSO, text_size, 1U << 31, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_VDSO, data_size, 0, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_VDSO, spare, ~0U, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_VDSO, second, 1, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_VDSO, entry[0], ~0U, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_VDSO, entry[CKPT_VDSO_VSYSCALL], 64, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_VDSO, landing, 64, EINVAL, "bad 64-bit vdso"),
	F(CKPT_REC_ARCH, flags, 1U << 31, EINVAL, "unknown demands on the machine"),
	F(CKPT_REC_ARCH, pad, 1, EINVAL, "unknown demands on the machine"),
	/* a vdso too few, or too many */
#ifdef __i386__
	F(CKPT_REC_ARCH, flags, 0, EINVAL, "type 10 instead of 3"),
#else
	F(CKPT_REC_ARCH, flags, CKPT_ARCHF_IA32, EINVAL, "type 3 instead of 10"),
#endif
	/* counts */
	F(CKPT_REC_HEADER, nr_tasks, HUGE, EINVAL, "tasks"),
	F(CKPT_REC_HEADER, nr_tasks, 0, EINVAL, "0 tasks"),
	F(CKPT_REC_HEADER, nr_tasks, 30000, EINVAL, "type 4 instead of 3"),
	F(CKPT_REC_HEADER, nr_tasks, 1 << 22, EINVAL, "4194304 tasks"),
	F(CKPT_REC_PAGES, nr_runs, HUGE, EINVAL, "page runs are not consistent"),
	F(CKPT_REC_PAGES, data_len, HUGE, EINVAL, "page runs are not consistent"),
	F(CKPT_REC_PIPE, nr_bufs, HUGE, EINVAL, "pipe"),
	F(CKPT_REC_PIPE, ring_size, 1U << 31, EINVAL, "pipe"),
	F(CKPT_REC_PIPE, path_len, HUGE, EINVAL, "pipe"),
	F(CKPT_REC_PIPE_BUF, len, HUGE, EINVAL, "pipe"),
	F(CKPT_REC_SHMEM, size, 1ULL << 63, EINVAL, "shared memory"),
	F(CKPT_REC_FILES, nr_fds, HUGE, EINVAL, "instead of 111"),
	F(CKPT_REC_FILES_FD, fd, HUGE, EINVAL, "malformed descriptor"),
	F(CKPT_REC_FILE_PATH, path_len, HUGE, EINVAL, "path"),
	F(CKPT_REC_FS, cwd_len, HUGE, EINVAL, "malformed current directory"),
	F(CKPT_REC_TASK_SCHED, nr_cpu_words, HUGE, EINVAL, "sched"),
	F(CKPT_REC_TASK_XSTATE, size, HUGE, EINVAL, "bad FPU record"),
	F(CKPT_REC_TASK_XSTATE, permitted, 1 << 17, EINVAL, "bad FPU record"),
	F(CKPT_REC_TASK_XSTATE, permitted, 1 << 18, EOPNOTSUPP, "XSAVE"),
	/* the tree */
	F(CKPT_REC_TREE_TASK, pid, HUGE, EINVAL, "pid out of range"),
	F(CKPT_REC_TREE_TASK, pid, 1 << 30, EINVAL, "pid out of range"),
	F(CKPT_REC_TREE_TASK, parent, 7, EINVAL, "not valid for the root"),
	F(CKPT_REC_TREE_TASK, flags, 1U << 30, EINVAL, "unknown flags"),
	F(CKPT_REC_TREE_TASK, exit_signal, 99, EINVAL, "exit signal 99"),
	F(CKPT_REC_TREE_TASK, sid, 1 << 30, EINVAL, "session or process group out of range"),
	F(CKPT_REC_TREE_TASK, creator, 0, EINVAL, "shares no memory"),
	/* references, and kinds that nobody knows */
	F(CKPT_REC_OBJ, type, 399, EOPNOTSUPP, "unknown type 399"),
	F(CKPT_REC_OBJ, objref, 0, EINVAL, "cannot be entered"),
	F(CKPT_REC_OBJ, owner, 0, EINVAL, "is not valid"),
	F(CKPT_REC_FILES_FD, objref, 9999, EINVAL, "9999 is no restored file"),
	F(CKPT_REC_FILE_PIPE, objref, 9999, EINVAL, "9999 is no restored pipe"),
	F(CKPT_REC_VMA, file_objref, 9999, EINVAL, "9999 is no restored"),
#ifdef __x86_64__
	F(CKPT_REC_FILE_SHM, shm_objref, 9999, EINVAL, "9999 is no restored SysV shared memory"),
	F(CKPT_REC_FILE_SHM, shm_objref, 0, ENOENT, "another segment has its number"),
	F(CKPT_REC_FILE_SHM, id, 77777, ENOENT, "SysV shared memory 77777"),
#endif
	F(CKPT_REC_MM, exe_objref, 9999, EINVAL, "9999 is no"),
	F(CKPT_REC_TASK, index, 99, EINVAL, "unexpected state of task 99"),
	F(CKPT_REC_TASK_SIGMASK, sighand, 9999, EINVAL, "9999 is no restored sighand"),
	F(CKPT_REC_TASK_TIME_NS, time_ns, 9999, EINVAL, "9999 is no restored time namespace"),
	F(CKPT_REC_TASK_TIME_NS, for_children, 9999, EINVAL, "9999 is no restored"),
	F(CKPT_REC_TASK_VFORK, child, 99, EINVAL, "cannot wait for task 99"),
	/* values */
	F(CKPT_REC_FILE, f_pos, -5, EINVAL, "file"),
	F(CKPT_REC_FILE_EVENTFD, flags, 4, EINVAL, "eventfd"),
	F(CKPT_REC_LOCK, kind, 9, EINVAL, "lock"),
	F(CKPT_REC_LOCK, start, 1, EINVAL, "malformed file lock"),
	F(CKPT_REC_MM, brk, ~0ULL, EINVAL, "bad address space"),
	F(CKPT_REC_MM, flags, 1U << 31, EINVAL, "bad address space"),
	F(CKPT_REC_MM, task_size, 1ULL << 62, EINVAL, "bad address space"),
	F(CKPT_REC_MM, task_size, 4096, EINVAL, "bad address space"),
	F(CKPT_REC_MM, mmap_base, 1ULL << 62, EINVAL, "bad address space"),
	F(CKPT_REC_MM, mmap_compat_base, 1ULL << 33, EINVAL, "bad address space"),
	F(CKPT_REC_MM, mmap_compat_base, 0x70000001, EINVAL, "bad address space"),
	F(CKPT_REC_MM_ARCH, flags, 1U << 31, EINVAL, "unknown flags of an address space"),
	F(CKPT_REC_MM_ARCH, vdso, ~0ULL << 12, EINVAL, "vdso of the image does not fit"),
	/* a 64-bit program that claims to be a 32-bit one, and the other way round */
#ifdef __i386__
	F(CKPT_REC_MM, task_size, 0x7ffffffff000, EINVAL, "bad address space"),
	F(CKPT_REC_MM, task_size, 0xfffff000, EINVAL, "bad address space"),
	F(CKPT_REC_MM, start_stack, 1ULL << 33, EINVAL, "bad address space"),
	F(CKPT_REC_MM_ARCH, flags, 0, EINVAL, "bad address space"),
	F(CKPT_REC_VMA, end, 1ULL << 33, EINVAL, "mapping"),
#else
	F(CKPT_REC_MM, task_size, 0xffffe000, EINVAL, "bad address space"),
	F(CKPT_REC_MM_ARCH, flags, CKPT_MM_ARCH_IA32, EINVAL, "bad address space"),
#endif
	/* too far, twice the same, a 64-bit one, present though conforming */
	F(CKPT_REC_MM_LDT, entry_number, CKPT_LDT_MAX, EINVAL, "segment 8192 of its local"),
	F(CKPT_REC_MM_LDT, entry_number, HUGE, EINVAL, "segment 4294967295 of its local"),
	F(CKPT_REC_MM_LDT, entry_number, 3, EINVAL, "segment 3 of its local"),
	F(CKPT_REC_MM_LDT, flags, 0x80, EINVAL, "segment 1 of its local"),
	F(CKPT_REC_MM_LDT, flags, 0x07, EINVAL, "segment 1 of its local"),
	F(CKPT_REC_VMA, start, 1, EINVAL, "mapping"),
	F(CKPT_REC_VMA, end, ~0ULL << 12, EINVAL, "mapping"),
	F(CKPT_REC_VMA, flags, 1ULL << 63, EINVAL, "mapping"),
	/* behind it, and where nothing is */
	F(CKPT_REC_VMA, anon_addr, ~0ULL, EINVAL, "bad mapping"),
	F(CKPT_REC_VMA, anon_addr, 4096, EINVAL, "cannot belong to that at 1000"),
#ifdef __x86_64__
	F(CKPT_REC_SHM, id, HUGE, EINVAL, "bad SysV shared memory -1"),
	F(CKPT_REC_SHM, size, 1ULL << 63, EINVAL, "bad SysV shared memory"),
	F(CKPT_REC_SHM, size, 0, EINVAL, "cannot be created"),
	F(CKPT_REC_SHM, mode, 04777, EINVAL, "bad SysV shared memory"),
	F(CKPT_REC_SHM, flags, 1U << 31, EINVAL, "bad SysV shared memory"),
	F(CKPT_REC_SHM, page_shift, 64, EINVAL, "bad SysV shared memory"),
	F(CKPT_REC_SHM, page_shift, 63, EINVAL, "cannot be created"),
	F(CKPT_REC_SHM, cuid, HUGE, EINVAL, "bad SysV shared memory"),
#endif
	F(CKPT_REC_VMA_POLICY, mode, 0, EINVAL, "bad memory policy"),
	F(CKPT_REC_VMA_POLICY, mode, 77, EINVAL, "bad memory policy"),
	F(CKPT_REC_VMA_POLICY, mode, MPOL_BIND | MPOL_MODE_FLAGS, EINVAL, "bad in the image"),
	F(CKPT_REC_VMA_POLICY, used[0], 1ULL << 63, EOPNOTSUPP, "node 63 is not there"),
	F(CKPT_REC_VMA_POLICY, nodes[15], 1ULL << 63, EOPNOTSUPP, "node 1023 is not there"),
	F(CKPT_REC_VMA_POLICY, nodes[0], 0, EINVAL, "bad in the image"),
	F(CKPT_REC_VMA_POLICY, home_node, 1000, EOPNOTSUPP, "home node 1000 is not there"),
	F(CKPT_REC_SHMEM_POLICY, start, ~0ULL, EINVAL, "bad in the image"),
	F(CKPT_REC_SHMEM_POLICY, end, ~0ULL, EINVAL, "bad in the image"),
	F(CKPT_REC_TASK_MEMPOLICY, home_node, 0, EINVAL, "bad in the image"),
	F(CKPT_REC_TASK_MEMPOLICY, il_prev, HUGE, EINVAL, "bad memory policy"),
	F(CKPT_REC_AIO, addr, 1, EINVAL, "bad AIO context"),
	F(CKPT_REC_AIO, addr, 1ULL << 63, ENOMEM, "AIO context 8000000000000000"),
	F(CKPT_REC_AIO, nr_events, HUGE, EINVAL, "AIO context"),
	F(CKPT_REC_AIO, nr_events, 100, EINVAL, "bad AIO context"),
	F(CKPT_REC_AIO, max_reqs, HUGE, EAGAIN, "more requests than fs.aio-max-nr allows"),
	/* a ring of 256 MiB */
	F(CKPT_REC_AIO, nr_events, 8388479, EAGAIN, "more requests than fs.aio-max-nr allows"),
	F(CKPT_REC_AIO, tail, 127, EINVAL, "bad AIO context"),
	F(CKPT_REC_AIO, unreaped, 127, EINVAL, "bad AIO context"),
	F(CKPT_REC_AIO_PAGE, index, 1, EINVAL, "bad page of AIO context"),
	F(CKPT_REC_SIGHAND, action[0].flags, 1ULL << 60, EINVAL, "bad handler of signal 1"),
	F(CKPT_REC_SIGHAND, action[8].handler, 5, EINVAL, "bad handler of signal 9"),
	F(CKPT_REC_TASK_SIGNAL, signo, 99, EINVAL, "signal"),
	F(CKPT_REC_TASK_RESTART, kind, 99, EINVAL, "kind 99"),
	F(CKPT_REC_TASK_RESTART, time_ns, 1ULL << 63, EINVAL, "bad system call to continue"),
	F(CKPT_REC_TIME_NS, monotonic, 1ULL << 63, EINVAL, "bad time namespace"),
	F(CKPT_REC_TIME_NS, boottime, 1ULL << 62, EINVAL, "bad time namespace"),
	F(CKPT_REC_CLOCKS, monotonic, ~0ULL, EINVAL, "impossible clocks"),
	F(CKPT_REC_CLOCKS, boottime, 1ULL << 62, EINVAL, "impossible clocks"),
	F(CKPT_REC_TASK_RESTART, flags, 1U << 31, EINVAL, "bad system call"),
	F(CKPT_REC_TASK_RESTART, flags, CKPT_RESTARTF_TIMEOUT | CKPT_RESTARTF_TIME32, EINVAL,
	  "bad system call"),
	F(CKPT_REC_TASK_SCHED, policy, 77, EINVAL, "bad scheduling record"),
	F(CKPT_REC_TASK_SCHED, util_min, 1025, EINVAL, "bad scheduling record"),
	F(CKPT_REC_TASK_SCHED, util_max, HUGE - 1, EINVAL, "bad scheduling record"),
	F(CKPT_REC_TASK_IO_PORTS, iopl, 4, EINVAL, "bad I/O ports"),
	F(CKPT_REC_TASK_IO_PORTS, bytes, HUGE, EINVAL, "bad I/O ports"),
	F(CKPT_REC_TASK_IO_PORTS, bytes, 0, EINVAL, "bad I/O ports"),
	F(CKPT_REC_TASK_LSM, id, 0, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, id, LSM_ID_LANDLOCK, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, id, 1ULL << 63, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, len[CKPT_LSM_CURRENT], 0, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, len[CKPT_LSM_CURRENT], 9, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, len[CKPT_LSM_CURRENT], HUGE, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, len[CKPT_LSM_EXEC], 1, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, len[CKPT_LSM_SOCKCREATE], HUGE - 9, EINVAL, "bad security labels"),
	F(CKPT_REC_TASK_LSM, pad, 1, EINVAL, "bad security labels"),
	/* a NUL after the fixed part: in the label */
	{ CKPT_REC_TASK_LSM, sizeof(struct ckpt_rec_task_lsm) + 3, 1, 0, EINVAL,
	  "bad security labels" },
	F(CKPT_REC_TASK_REGS, fs_base, 1ULL << 63, EINVAL, "bad registers"),
	/* code segments of the kernel, and of nobody */
	F(CKPT_REC_TASK_REGS, cs, 0x10, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, cs, 0x08, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, cs, 0x30, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, cs, 0x04, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, cs, 0, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, ss, 0x18, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, ss, 0, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, ds, 0x18, EINVAL, "bad registers"),
	F(CKPT_REC_TASK_REGS, call_flags, 1U << 31, EINVAL, "bad registers"),
};

static bool take_good(void)
{
	return take_image(subject_of_all_kinds) &&
	       image_label(&good, LSM_ID_APPARMOR, "unconfined");
}

FIXTURE(forged)
{
	struct census before;
};

FIXTURE_SETUP(forged)
{
	out.buf = malloc(MAX_IMAGE);
	out.headers = XXH64_createState();
	ASSERT_TRUE(out.buf && out.headers);
	ASSERT_TRUE(census_adopt_orphans());
	ASSERT_TRUE(take_good()) subject_print(&s);
	copy_good();
	ASSERT_EQ(try_work(), s.pid) subject_print(&s);
	ASSERT_EQ(census_kill_children(), 4);
	census_take(&self->before);
}

FIXTURE_TEARDOWN(forged)
{
	EXPECT_EQ(census_kill_children(), 0);
	EXPECT_TRUE(census_same(&self->before));
	subject_clean(&s);
}

TEST_F_TIMEOUT(forged, one_field, 300)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(forgeries); i++)
		EXPECT_TRUE(forge(&forgeries[i]));
	EXPECT_TRUE(census_same(&self->before));
}

/* By bit, as arch/x86/kernel/checkpoint.c numbers them, what the kernel calls them */
static const struct {
	int bit;
	const char *name;
} cpu_flags[] = {
	{ 0, "pni" }, { 10, "xsave" }, { 11, "avx" }, { 25, "avx2" }, { 29, "avx512f" },
	{ 62, "xsaveopt" }, { 63, "xsavec" }, { 64, "xgetbv1" }, { 76, "clzero" },
	{ 77, "mwaitx" }, { 79, "misalignsse" }, { 80, "mmxext" }, { 81, "3dnow" },
};

static bool cpu_has(const char *name)
{
	char line[8192] = "", flag[32];
	FILE *file = fopen("/proc/cpuinfo", "r");

	while (file && fgets(line, sizeof(line), file) && strncmp(line, "flags", 5))
		;
	if (file)
		fclose(file);
	line[strcspn(line, "\n")] = ' ';
	snprintf(flag, sizeof(flag), " %s ", name);
	return strstr(line, flag);
}

TEST_F(forged, demands_what_the_cpu_has)
{
	struct ckpt_rec_arch *arch = (void *)image_first(&good, CKPT_REC_ARCH)->payload;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cpu_flags); i++) {
		int bit = cpu_flags[i].bit;
		uint64_t word = bit < 64 ? arch->cpu_features :
					   arch->more_cpu_features[bit / 64 - 1];

		EXPECT_EQ(word >> bit % 64 & 1, cpu_has(cpu_flags[i].name)) {
			fprintf(stderr, "# %s\n", cpu_flags[i].name);
		}
	}
}

/* Each kind of record: longer than its block, longer than known, cut off. */
TEST_F_TIMEOUT(forged, lengths, 300)
{
	uint16_t type;

	for (type = 1; type < CKPT_REC_TASK_MAX; type++) {
		struct item *item = image_first(&good, type);

		if (!item || type == CKPT_REC_TRAILER)
			continue;
		copy_good();
		item = image_first(&work, type);
		item->claimed = 0xfffffff0;
		EXPECT_TRUE(refused(try_work(), EINVAL, "record is longer than its block"));
	}
}

TEST_F(forged, length_of_a_block)
{
	static const uint32_t lengths[] = { 0xffffffff, 0x7fffffff, CKPT_BLOCK_META_MAX + 8, 0, 7 };
	struct ckpt_block *block = (void *)out.buf;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		image_write(&good, &out);
		block->len = lengths[i];
		EXPECT_TRUE(refused(try(out.buf, out.len), EINVAL, "block"));
	}
}

TEST_F(forged, unknown_record)
{
	copy_good();
	image_first(&work, CKPT_REC_TASK_COMM)->type = 198;
	EXPECT_TRUE(refused(try_work(), E2BIG, "newer"));
	copy_good();
	image_first(&work, CKPT_REC_TASK_REGS)->type = 60000;
	EXPECT_TRUE(refused(try_work(), E2BIG, "newer"));
}

/* What each task has: it would keep what a new task has. */
TEST_F(forged, missing_record)
{
	static const struct {
		uint16_t type;
		size_t n;	/* labels belong to the credentials before them */
		const char *text;
	} required[] = {
		{ CKPT_REC_TASK_SIGMASK, 1, "has no signal mask" },
		{ CKPT_REC_TASK_CREDS, 2, "has no credentials" },
		{ CKPT_REC_TASK_REGS, 1, "has no registers" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(required); i++) {
		copy_good();
		image_remove(&work, image_first(&work, required[i].type), required[i].n);
		EXPECT_TRUE(refused(try_work(), EINVAL, required[i].text));
	}
	EXPECT_TRUE(census_same(&self->before));
}

static size_t items_of_object(const struct item *obj)
{
	size_t n = 1;

	while (obj[n].data || (obj[n].type != CKPT_REC_OBJ && obj[n].type != CKPT_REC_TASK))
		n++;
	return n;
}

static struct item *last_object(struct image *image, uint32_t type)
{
	size_t i;

	for (i = image->nr; i--;) {
		struct item *item = &image->items[i];
		struct ckpt_rec_obj *obj = (void *)item->payload;

		if (!item->data && item->type == CKPT_REC_OBJ && obj->type == type)
			return item;
	}
	return NULL;
}

/*
 * The state of a task is not set in the memory of the restarter. No other mm shares
 * pages of the last one.
 */
TEST_F(forged, task_without_memory)
{
	int dumpable = prctl(PR_GET_DUMPABLE);
	struct item *mm;

	copy_good();
	mm = last_object(&work, CKPT_OBJ_MM);
	ASSERT_NE(mm, NULL);
	image_remove(&work, mm, items_of_object(mm));
	EXPECT_TRUE(refused(try_work(), EINVAL, "has no memory"));
	EXPECT_EQ(prctl(PR_GET_DUMPABLE), dumpable);
	EXPECT_TRUE(census_same(&self->before));
}

/* A pipe is never open for nothing; F_GETFL has a third mode for other files. */
TEST_F(forged, pipe_of_no_access)
{
	struct ckpt_rec_file *file;
	struct item *pipe;

	copy_good();
	pipe = image_first(&work, CKPT_REC_FILE_PIPE);
	ASSERT_TRUE(pipe && pipe[-1].type == CKPT_REC_FILE);
	file = (void *)pipe[-1].payload;
	file->f_flags |= O_ACCMODE;
	file->f_mode = 0;
	EXPECT_TRUE(refused(try_work(), EINVAL, "malformed pipe descriptor"));
	EXPECT_TRUE(census_same(&self->before));
}

/* A record that says more than this kernel knows */
TEST_F(forged, longer_record)
{
	struct item *item;

	copy_good();
	item = image_first(&work, CKPT_REC_TASK_RLIMITS);
	item->payload = realloc(item->payload, item->len + 8);
	memset(item->payload + item->len, 1, 8);
	item->len += 8;
	EXPECT_TRUE(refused(try_work(), E2BIG, "newer"));
}

/* A part of an element at the end of an array */
TEST_F(forged, odd_length)
{
	copy_good();
	image_first(&work, CKPT_REC_MM_LDT)->len -= 4;
	EXPECT_TRUE(refused(try_work(), EINVAL, "bad local descriptor table"));
	copy_good();
	image_first(&work, CKPT_REC_MM_LDT)->len = 0;
	EXPECT_TRUE(refused(try_work(), EINVAL, "bad local descriptor table"));
	copy_good();
	image_first(&work, CKPT_REC_TASK_IO_PORTS)->len -= 4;
	EXPECT_TRUE(refused(try_work(), EINVAL, "bad I/O ports"));
}

/* The image ends behind each of its records, once for all, though the hashes are right. */
TEST_F_TIMEOUT(forged, ends_after_each_record, 300)
{
	size_t i, nr = good.nr;

	for (i = 0; i < nr - 1; i++) {
		good.nr = i;
		image_write(&good, &out);
		EXPECT_TRUE(refused(try(out.buf, out.len), EINVAL,
				    i ? "truncated" : "empty"));
	}
	good.nr = nr;
}

struct feed {
	const void *data;
	size_t len;
	char path[128];
};

static void *feed_fifo(void *arg)
{
	struct feed *feed = arg;
	int fd = open(feed->path, O_WRONLY | O_CLOEXEC);

	if (write(fd, feed->data, feed->len) < 0)
		fprintf(stderr, "# nobody reads: %d\n", errno);
	close(fd);
	return NULL;
}

/* A FIFO that closes there: the end cannot be looked at first. */
static long try_fifo(size_t len)
{
	struct restart_args args = {
		.log_fd = test_open(&s, "log", O_CREAT | O_TRUNC | O_RDWR),
	};
	struct feed feed = { out.buf, len };
	pthread_t thread;
	long ret;

	snprintf(feed.path, sizeof(feed.path), "%s/fifo", s.dir);
	mkfifo(feed.path, 0600);
	pthread_create(&thread, NULL, feed_fifo, &feed);
	args.image_fd = open(feed.path, O_RDONLY | O_CLOEXEC);
	ret = sys_restart(&args, sizeof(args));
	if (ret < 0)
		ret = -errno;
	close(args.image_fd);
	pthread_join(thread, NULL);
	test_read_log(&s, args.log_fd);
	return ret;
}

TEST_F_TIMEOUT(forged, fifo_closes_after_each_record, 300)
{
	size_t at = 0, i, in_block;
	unsigned int seed = 1;

	signal(SIGPIPE, SIG_IGN);
	image_write(&good, &out);
	EXPECT_TRUE(refused(try_fifo(0), EINVAL, "empty"));
	while (at < out.len) {
		struct ckpt_block *block = (void *)(out.buf + at);

		EXPECT_TRUE(refused(try_fifo(at), EINVAL, at ? "truncated" : "empty"));
		for (in_block = 0; block->kind == CKPT_BLOCK_META && in_block < block->len;) {
			struct ckpt_record *rec = (void *)(block + 1) + in_block;

			EXPECT_TRUE(refused(try_fifo(at + sizeof(*block) + in_block), EINVAL,
					    "truncated"));
			in_block += sizeof(*rec) + align8(rec->len);
		}
		at += sizeof(*block) + align8(block->len);
	}
	for (i = 0; i < 100; i++)
		EXPECT_TRUE(refused(try_fifo(1 + rand_r(&seed) % (out.len - 1)), EINVAL,
				    "truncated"));
	EXPECT_EQ(try_fifo(out.len), s.pid) subject_print(&s);
	EXPECT_EQ(census_kill_children(), 4);
}

/* Any bit: the hash tells, or the header of the block does not fit. */
TEST_F_TIMEOUT(forged, flipped_bits, 300)
{
	unsigned int seed = 1;
	size_t i;

	image_write(&good, &out);
	for (i = 0; i < 300; i++) {
		size_t at = i < 200 ? rand_r(&seed) % 8192 : rand_r(&seed) % out.len;
		unsigned char bit = 1 << rand_r(&seed) % 8;

		out.buf[at] ^= bit;
		EXPECT_TRUE(refused(try(out.buf, out.len), EINVAL, "image")) {
			fprintf(stderr, "# byte %zu bit %#x\n", at, bit);
		}
		out.buf[at] ^= bit;
	}
}

TEST_HARNESS_MAIN
