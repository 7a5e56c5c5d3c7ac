/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The checkpoint image: everything that checkpoint(2) writes and restart(2)
 * reads. This interface is a contract; a change that an older reader would
 * misread needs a new record type or a new CKPT_IMAGE_VERSION.
 */
#ifndef _UAPI_LINUX_CHECKPOINT_IMAGE_H
#define _UAPI_LINUX_CHECKPOINT_IMAGE_H

#include <linux/types.h>

/**
 * DOC: stream
 *
 * An image is a sequence of blocks, read and written forward only. All
 * numbers are little-endian. A block is a header, @pad zero bytes, @len bytes
 * of payload, and zero bytes up to a multiple of 8. A META block holds whole
 * records. A DATA block holds raw page contents; it follows the META block
 * whose last record is the CKPT_REC_PAGES that describes it. In a regular file
 * @pad makes the payload of DATA blocks start on a page boundary.
 *
 * @hash covers the payload. The trailer carries a hash over all block headers
 * before the block it stands in, and with them over the whole image. It stands
 * alone in the last block, so that the last 64 bytes of a file tell whether the
 * image in it is complete.
 */
#define CKPT_BLOCK_MAGIC	0x4b434c42	/* "BLCK" */
#define CKPT_BLOCK_META		1
#define CKPT_BLOCK_DATA		2

#define CKPT_BLOCK_META_MAX	(256 * 1024)	/* payload bytes */
#define CKPT_BLOCK_DATA_MAX	(1024 * 1024)
#define CKPT_BLOCK_ALIGN	8

/**
 * struct ckpt_block - block header
 * @magic: CKPT_BLOCK_MAGIC
 * @kind: CKPT_BLOCK_META or CKPT_BLOCK_DATA
 * @pad: zero bytes between this header and the payload, less than 4096
 * @len: bytes of payload, at most CKPT_BLOCK_META_MAX or CKPT_BLOCK_DATA_MAX
 * @seq: number of this block, from 0
 * @offset: stream position of this header
 * @hash: xxh64 of the payload; seeded with @seq, but with 0 in DATA blocks,
 *	which may be hashed before their turn comes
 */
struct ckpt_block {
	__u32 magic;
	__u16 kind;
	__u16 pad;
	__u32 len;
	__u32 seq;
	__u64 offset;
	__u64 hash;
};

/**
 * struct ckpt_record - record header
 * @type: CKPT_REC_*
 * @flags: CKPT_RECF_*
 * @len: bytes of payload that follow; the next record starts at the next
 *	multiple of 8
 *
 * A reader refuses a type that it does not know, unless CKPT_RECF_IGNORABLE
 * is set. A payload longer than the reader's struct is read only if the tail
 * is zero; a shorter one is completed with zeros: both as in
 * copy_struct_from_user().
 */
struct ckpt_record {
	__u16 type;
	__u16 flags;
	__u32 len;
};

#define CKPT_RECF_IGNORABLE	(1 << 0)

/* Record types. Numbers are never reused. */
enum {
	/*
	 * the frame: order is HEADER ARCH VDSO TREE_TASK* (OBJ ...)*
	 * (TASK ... TASK_END)* (DEAD_TASK ... TASK_END)* CLOCKS TRAILER
	 */
	CKPT_REC_HEADER		= 1,
	CKPT_REC_ARCH		= 2,
	CKPT_REC_TREE_TASK	= 3,
	CKPT_REC_OBJ		= 4,
	CKPT_REC_TASK		= 5,
	CKPT_REC_TASK_END	= 6,
	CKPT_REC_TRAILER	= 7,
	CKPT_REC_PAGES		= 8,
	CKPT_REC_DEAD_TASK	= 9,
	CKPT_REC_VDSO		= 10,
	CKPT_REC_CLOCKS		= 11,
	CKPT_REC_FRAME_MAX,	/* stays last of its group, as the next two */

	/* objects */
	CKPT_REC_PIPE		= 100,
	CKPT_REC_PIPE_BUF	= 101,
	CKPT_REC_SHMEM		= 103,
	CKPT_REC_FILE		= 104,
	CKPT_REC_FILE_PATH	= 105,
	CKPT_REC_FILE_PIPE	= 106,
	CKPT_REC_FILE_EXTERNAL	= 107,
	CKPT_REC_FILE_SHMEM	= 108,
	CKPT_REC_FILE_EVENTFD	= 109,
	CKPT_REC_FILES		= 110,
	CKPT_REC_FILES_FD	= 111,
	CKPT_REC_FS		= 112,
	CKPT_REC_MM		= 113,
	CKPT_REC_MM_AUXV	= 114,
	CKPT_REC_MM_ARCH	= 115,
	CKPT_REC_VMA		= 116,
	CKPT_REC_VMA_END	= 117,
	CKPT_REC_PAGES_END	= 118,
	CKPT_REC_SIGHAND	= 119,
	CKPT_REC_LOCK		= 120,
	CKPT_REC_SECCOMP_FILTER	= 130,
	CKPT_REC_TIME_NS	= 131,
	CKPT_REC_AUTOGROUP	= 132,
	CKPT_REC_SHM		= 140,
	CKPT_REC_FILE_SHM	= 141,
	CKPT_REC_VMA_POLICY	= 142,
	CKPT_REC_SHMEM_POLICY	= 143,
	CKPT_REC_AIO		= 144,
	CKPT_REC_AIO_PAGE	= 145,
	CKPT_REC_OBJ_MAX,

	/* per-task state, in restore order */
	CKPT_REC_TASK_COMM	= 200,
	CKPT_REC_TASK_FS	= 201,
	CKPT_REC_TASK_FILES	= 202,
	CKPT_REC_TASK_MISC	= 203,
	CKPT_REC_TASK_SCHED	= 204,
	CKPT_REC_TASK_RLIMITS	= 205,
	CKPT_REC_TASK_CREDS	= 206,	/* after what the restarter's rights decide */
	CKPT_REC_TASK_FUTEX	= 207,
	CKPT_REC_TASK_RSEQ	= 208,
	CKPT_REC_TASK_STOP	= 209,
	CKPT_REC_TASK_SIGMASK	= 210,
	CKPT_REC_TASK_SIGNAL	= 211,
	CKPT_REC_TASK_SIGPENDING = 212,
	CKPT_REC_TASK_RESTART	= 213,
	CKPT_REC_TASK_TLS	= 214,
	CKPT_REC_TASK_XSTATE	= 215,
	CKPT_REC_TASK_REGS	= 216,
	CKPT_REC_TASK_VFORK	= 217,
	CKPT_REC_TASK_TIMES	= 218,
	CKPT_REC_TASK_USAGE	= 219,
	CKPT_REC_TASK_TIMER	= 220,
	CKPT_REC_TASK_ITIMERS	= 221,	/* after the last timer that it numbers */
	CKPT_REC_TASK_TRAPS	= 222,
	CKPT_REC_TASK_SECCOMP	= 223,	/* after no_new_privs */
	CKPT_REC_TASK_DISPATCH	= 224,
	CKPT_REC_TASK_SPECULATION = 225,
	CKPT_REC_TASK_IO_CONTEXT = 226,	/* after the I/O priority */
	CKPT_REC_TASK_TIME_NS	= 227,
	CKPT_REC_TASK_AUTOGROUP	= 228,
	CKPT_REC_TASK_MEMPOLICY	= 240,
	CKPT_REC_TASK_MAX,
};

/*
 * Object types, in the order in which objects are written: what an object
 * refers to stands before it. Numbers are never reused; room is left between.
 */
enum {
	CKPT_OBJ_PIPE		= 10,
	CKPT_OBJ_SHMEM		= 30,
	CKPT_OBJ_SHM		= 32,
	CKPT_OBJ_SECCOMP_FILTER	= 40,
	CKPT_OBJ_TIME_NS	= 50,
	CKPT_OBJ_FILE		= 100,
	CKPT_OBJ_MM		= 200,
	CKPT_OBJ_SIGHAND	= 300,
	CKPT_OBJ_FS		= 310,
	CKPT_OBJ_FILES		= 320,
	CKPT_OBJ_IO_CONTEXT	= 330,
	CKPT_OBJ_AUTOGROUP	= 340,
	CKPT_OBJ_MAX		= 400,
};

#define CKPT_IMAGE_MAGIC	0x0074706b63786e6cULL	/* "lnxckpt" */
#define CKPT_IMAGE_VERSION	1
#define CKPT_ARCH_X86_64	62			/* EM_X86_64 */
#define CKPT_RELEASE_LEN	65
#define CKPT_COMM_LEN		16

#define CKPT_IMAGE_SUBTREE	(1 << 0)	/* no leak check was made */
#define CKPT_IMAGE_SELF		(1 << 1)	/* the checkpointer is in the tree */
#define CKPT_IMAGE_SHELL_JOB	(1 << 2)

/**
 * struct ckpt_rec_header - CKPT_REC_HEADER, the first record
 * @magic: CKPT_IMAGE_MAGIC
 * @version: CKPT_IMAGE_VERSION
 * @arch: CKPT_ARCH_*
 * @page_size: bytes
 * @flags: CKPT_IMAGE_*
 * @nr_tasks: number of CKPT_REC_TREE_TASK records that follow
 * @nr_objs: highest objref in the image
 * @time_ns: CLOCK_REALTIME of the checkpoint
 * @id: what checkpoint(2) returned
 * @reserved: 0
 * @release: kernel release that wrote the image, for people
 * @pad: 0
 */
struct ckpt_rec_header {
	__u64 magic;
	__u32 version;
	__u32 arch;
	__u32 page_size;
	__u32 flags;
	__u32 nr_tasks;
	__u32 nr_objs;
	__u64 time_ns;
	__u32 id;
	__u32 reserved;
	char release[CKPT_RELEASE_LEN];
	__u8 pad[7];
};

#define CKPT_BUILD_ID_LEN	20

#define CKPT_ARCHF_IA32		(1 << 0)	/* there are 32-bit programs in it */
#define CKPT_ARCHF_ALL		((1 << 1) - 1)

/**
 * struct ckpt_rec_arch - CKPT_REC_ARCH: what the restarting CPU and kernel must have
 * @xfeatures: XSAVE components that programs could use
 * @cpu_features: instruction sets that programs could use; the bits are
 *	listed in arch/x86/kernel/checkpoint.c
 * @xstate_size: bytes of the XSAVE image in CKPT_REC_TASK_XSTATE
 * @xstate_layout: hash of size and offset of each component in it
 * @vdso_size: bytes of the 64-bit vdso text
 * @vdso_build_id: GNU build id of the 64-bit vdso
 * @flags: CKPT_ARCHF_*
 * @vdso32_size: CKPT_ARCHF_IA32: bytes of the 32-bit vdso text; else 0
 * @vdso32_build_id: likewise, its GNU build id
 * @pad: 0
 */
struct ckpt_rec_arch {
	__u64 xfeatures;
	__u64 cpu_features;
	__u32 xstate_size;
	__u32 xstate_layout;
	__u32 vdso_size;
	__u8 vdso_build_id[CKPT_BUILD_ID_LEN];
	__u32 flags;
	__u32 vdso32_size;
	__u8 vdso32_build_id[CKPT_BUILD_ID_LEN];
	__u32 pad;
};

/* Functions of the vdso; what they are called is in arch/x86/mm/checkpoint_vdso.c. */
enum {
	CKPT_VDSO_CLOCK_GETTIME,
	CKPT_VDSO_GETTIMEOFDAY,
	CKPT_VDSO_TIME,
	CKPT_VDSO_GETCPU,
	CKPT_VDSO_CLOCK_GETRES,
	CKPT_VDSO_GETRANDOM,
	CKPT_VDSO_MAX,
};

/**
 * struct ckpt_rec_vdso - CKPT_REC_VDSO: the 64-bit vdso, for a kernel that has another
 * @text_size: bytes of its text, whole pages
 * @data_size: bytes of the data pages in front of it
 * @spare: offset in them of a page that is not read by the code
 * @second: offset in them of the page that tasks in a time namespace have
 *	instead of the first, and the first instead of it
 * @entry: offset of each function in the text, 0 if there is none
 *
 * The text follows, then the first data page and the one at @second. They are in
 * a state in which the code calls the kernel.
 */
struct ckpt_rec_vdso {
	__u32 text_size;
	__u32 data_size;
	__u32 spare;
	__u32 second;
	__u32 entry[CKPT_VDSO_MAX];
};

#define CKPT_TASK_NONE		0xffffffffU

#define CKPT_TASKF_THREAD	(1 << 0)	/* not a thread group leader */
#define CKPT_TASKF_ZOMBIE	(1 << 1)	/* dead; nothing but this record is saved */
#define CKPT_TASKF_SHARE_VM	(1 << 2)	/* shares its creator's mm (always set for threads) */
#define CKPT_TASKF_SHARE_SIGHAND (1 << 3)	/* shares its creator's sighand (always set for threads) */
#define CKPT_TASKF_SUBREAPER	(1 << 4)	/* PR_SET_CHILD_SUBREAPER */
#define CKPT_TASKF_SELF		(1 << 5)	/* called checkpoint(2) for itself */
#define CKPT_TASKF_SESSION_LEADER (1 << 6)	/* signal->leader */
#define CKPT_TASKF_DID_EXEC	(1 << 7)	/* !PF_FORKNOEXEC: setpgid() by the parent fails */
#define CKPT_TASKF_PARENT_EXEC	(1 << 8)	/* the parent has changed by exec: it gets SIGCHLD */

/**
 * struct ckpt_rec_tree_task - CKPT_REC_TREE_TASK, one for each task
 * @parent: index of the parent's leader; CKPT_TASK_NONE for the root and for
 *	threads. Tasks are numbered from 0 in the order of these records; a
 *	parent comes before its children, a leader before its threads
 * @creator: index of the task that must create this one because they share
 *	an mm or sighand; CKPT_TASK_NONE if any task may
 * @flags: CKPT_TASKF_*
 * @pid: pid
 * @tgid: thread group id
 * @pgid: process group, 0 if it is the restarter's
 * @sid: session, 0 if it is the restarter's
 * @exit_signal: signal sent to the parent at exit, -1 for threads
 * @exit_code: wait status of a zombie
 * @pad: 0
 * @comm: name, NUL-terminated
 */
struct ckpt_rec_tree_task {
	__u32 parent;
	__u32 creator;
	__u32 flags;
	__s32 pid;
	__s32 tgid;
	__s32 pgid;
	__s32 sid;
	__s32 exit_signal;
	__u32 exit_code;
	__u32 pad;
	char comm[CKPT_COMM_LEN];
};

/**
 * struct ckpt_rec_obj - CKPT_REC_OBJ: the records of one shared object follow
 * @objref: its number, from 1, unique in the image
 * @type: CKPT_OBJ_*
 * @owner: index of the task that restores it in its own context, or
 *	CKPT_TASK_NONE
 * @pad: 0
 */
struct ckpt_rec_obj {
	__u32 objref;
	__u32 type;
	__u32 owner;
	__u32 pad;
};

/**
 * struct ckpt_rec_task - CKPT_REC_TASK: the state of one task follows, up to
 *	CKPT_REC_TASK_END; CKPT_REC_DEAD_TASK: what is left of a zombie
 * @index: which task
 * @pad: 0
 */
struct ckpt_rec_task {
	__u32 index;
	__u32 pad;
};

/**
 * struct ckpt_rec_clocks - CKPT_REC_CLOCKS: the end of the checkpoint, by the
 *	clocks of the machine
 * @monotonic: CLOCK_MONOTONIC [ns]
 * @boottime: CLOCK_BOOTTIME [ns]
 *
 * All times of these clocks in the image are of the machine, not of a time
 * namespace. A restart moves them by what its machine's clocks are off from
 * these when it lets the tree go: for the tree no time has passed between.
 */
struct ckpt_rec_clocks {
	__u64 monotonic;
	__u64 boottime;
};

/**
 * struct ckpt_rec_trailer - CKPT_REC_TRAILER, the last record
 * @magic: ~CKPT_IMAGE_MAGIC
 * @nr_blocks: blocks before the one that holds this record
 * @hash: xxh64, seed 0, of the headers of those blocks
 */
struct ckpt_rec_trailer {
	__u64 magic;
	__u64 nr_blocks;
	__u64 hash;
};

/* struct ckpt_page_run.flags */
#define CKPT_RUN_DATA		0	/* contents are in the following DATA block */
#define CKPT_RUN_COW		1	/* same pages as in another mm: shared copy-on-write */
#define CKPT_RUN_SHARED		2	/* like CKPT_RUN_DATA; mms that follow may share them */
#define CKPT_RUN_HUGE		3	/* like CKPT_RUN_DATA; part of a huge page */
#define CKPT_RUN_HUGETLB	4	/* like CKPT_RUN_DATA; private page of a hugetlb mapping */

/**
 * struct ckpt_page_run - consecutive pages
 * @index: first page: address / page size in an mm, page offset in shmem
 * @nr: number of pages, not 0
 * @flags: CKPT_RUN_*
 * @src_index: CKPT_RUN_COW: first page in the other mm
 * @src_objref: CKPT_RUN_COW: the other mm, which stands before this one
 * @pad: 0
 */
struct ckpt_page_run {
	__u64 index;
	__u32 nr;
	__u32 flags;
	__u64 src_index;
	__u32 src_objref;
	__u32 pad;
};

/**
 * struct ckpt_rec_pages - CKPT_REC_PAGES
 * @objref: mm or shmem object that the pages belong to
 * @nr_runs: number of struct ckpt_page_run that follow in this record
 * @data_len: bytes in the DATA block that follows, 0 if none does: the sum of
 *	all runs but CKPT_RUN_COW, in order
 * @pad: 0
 */
struct ckpt_rec_pages {
	__u32 objref;
	__u32 nr_runs;
	__u32 data_len;
	__u32 pad;
};

/**
 * struct ckpt_sigaction - what a process does about one signal
 * @handler: SIG_DFL, SIG_IGN or an address
 * @flags: SA_*
 * @restorer: address
 * @mask: signals blocked meanwhile; bit 0 is signal 1
 */
struct ckpt_sigaction {
	__u64 handler;
	__u64 flags;
	__u64 restorer;
	__u64 mask;
};

#define CKPT_NSIG		64

/**
 * struct ckpt_rec_sighand - CKPT_REC_SIGHAND
 * @action: by signal number, from 1
 */
struct ckpt_rec_sighand {
	struct ckpt_sigaction action[CKPT_NSIG];
};

/**
 * struct ckpt_rec_time_ns - CKPT_REC_TIME_NS: a time namespace
 * @monotonic: its CLOCK_MONOTONIC less the machine's [ns]
 * @boottime: its CLOCK_BOOTTIME less the machine's [ns]
 */
struct ckpt_rec_time_ns {
	__s64 monotonic;
	__s64 boottime;
};

/**
 * struct ckpt_rec_autogroup - CKPT_REC_AUTOGROUP
 * @nice: of all that are in it
 * @pad: 0
 */
struct ckpt_rec_autogroup {
	__s32 nice;
	__u32 pad;
};

/**
 * struct ckpt_rec_task_time_ns - CKPT_REC_TASK_TIME_NS
 * @time_ns: objref of its time namespace
 * @for_children: objref of that of its children to come
 */
struct ckpt_rec_task_time_ns {
	__u32 time_ns;
	__u32 for_children;
};

/**
 * struct ckpt_rec_task_comm - CKPT_REC_TASK_COMM
 * @comm: name, NUL-terminated
 */
struct ckpt_rec_task_comm {
	char comm[CKPT_COMM_LEN];
};

#define CKPT_MISCF_MCE_PROCESS	(1 << 0)	/* PR_MCE_KILL_SET */
#define CKPT_MISCF_MCE_EARLY	(1 << 1)	/* PR_MCE_KILL_EARLY */
#define CKPT_MISCF_IO_FLUSHER	(1 << 2)	/* PR_SET_IO_FLUSHER */
#define CKPT_MISCF_ALL		((1 << 3) - 1)

/**
 * struct ckpt_rec_task_misc - CKPT_REC_TASK_MISC
 * @timer_slack_ns: PR_SET_TIMERSLACK
 * @default_timer_slack_ns: what PR_SET_TIMERSLACK 0 returns to
 * @personality: personality(2)
 * @pdeath_signal: PR_SET_PDEATHSIG
 * @oom_score_adj: of the process
 * @oom_score_adj_min: of the process
 * @ioprio: ioprio_set(2)
 * @flags: CKPT_MISCF_*
 */
struct ckpt_rec_task_misc {
	__u64 timer_slack_ns;
	__u64 default_timer_slack_ns;
	__u32 personality;
	__u32 pdeath_signal;
	__s32 oom_score_adj;
	__s32 oom_score_adj_min;
	__u32 ioprio;
	__u32 flags;
};

#define CKPT_SCHEDF_RESET_ON_FORK (1 << 0)
#define CKPT_SCHEDF_SLICE	(1 << 1)	/* @slice_ns was asked for */

#define CKPT_MAX_CPU_WORDS	128

/**
 * struct ckpt_rec_task_sched - CKPT_REC_TASK_SCHED; the words of the CPU mask
 *	follow, then a struct ckpt_sched_deadline if @policy is SCHED_DEADLINE
 * @policy: SCHED_*
 * @nice: nice value
 * @rt_priority: of SCHED_FIFO and SCHED_RR
 * @flags: CKPT_SCHEDF_*
 * @slice_ns: time slice
 * @util_min: least utilization that is assumed of it, -1 if it has not asked
 * @util_max: greatest utilization, as @util_min
 * @nr_cpu_words: number of __u64 that follow: the mask that the task asked
 *	for by sched_setaffinity(2), 0 if it did not
 * @pad: 0
 */
struct ckpt_rec_task_sched {
	__u32 policy;
	__s32 nice;
	__u32 rt_priority;
	__u32 flags;
	__u64 slice_ns;
	__s32 util_min;
	__s32 util_max;
	__u32 nr_cpu_words;
	__u32 pad;
};

#define CKPT_DEADLINEF_RECLAIM	(1 << 0)	/* SCHED_FLAG_RECLAIM */
#define CKPT_DEADLINEF_OVERRUN	(1 << 1)	/* SCHED_FLAG_DL_OVERRUN */
#define CKPT_DEADLINEF_ALL	((1 << 2) - 1)

/**
 * struct ckpt_sched_deadline - parameters of SCHED_DEADLINE
 * @runtime: time on a CPU that it gets in each period [ns]
 * @deadline: by when it gets that [ns]
 * @period: [ns]
 * @flags: CKPT_DEADLINEF_*
 * @pad: 0
 */
struct ckpt_sched_deadline {
	__u64 runtime;
	__u64 deadline;
	__u64 period;
	__u32 flags;
	__u32 pad;
};

/**
 * struct ckpt_rlimit - one resource limit
 * @cur: soft limit, all ones for none
 * @max: hard limit
 */
struct ckpt_rlimit {
	__u64 cur;
	__u64 max;
};

#define CKPT_RLIM_NLIMITS	16

/**
 * struct ckpt_rec_task_rlimits - CKPT_REC_TASK_RLIMITS
 * @limit: by RLIMIT_*
 */
struct ckpt_rec_task_rlimits {
	struct ckpt_rlimit limit[CKPT_RLIM_NLIMITS];
};

/**
 * struct ckpt_usage - what getrusage(2) tells of a task, or of several
 * @utime: user time [ns]
 * @stime: system time [ns]
 * @gtime: of @utime, time in a guest of KVM [ns]
 * @nvcsw: voluntary context switches
 * @nivcsw: involuntary context switches
 * @min_flt: page faults without I/O
 * @maj_flt: page faults with I/O
 * @inblock: blocks read [512 bytes]; 0 for one thread, which @read_bytes has
 * @oublock: blocks written [512 bytes]; as @inblock
 * @maxrss: high water mark of dead processes' memory [pages]; 0 for one thread
 */
struct ckpt_usage {
	__u64 utime;
	__u64 stime;
	__u64 gtime;
	__u64 nvcsw;
	__u64 nivcsw;
	__u64 min_flt;
	__u64 maj_flt;
	__u64 inblock;
	__u64 oublock;
	__u64 maxrss;
};

/**
 * struct ckpt_io_usage - /proc/pid/io; all 0 if the kernel does not count it
 * @rchar: bytes read
 * @wchar: bytes written
 * @syscr: read calls
 * @syscw: write calls
 * @read_bytes: bytes read from storage
 * @write_bytes: bytes written to storage
 * @cancelled_write_bytes: bytes of @write_bytes that were truncated before
 */
struct ckpt_io_usage {
	__u64 rchar;
	__u64 wchar;
	__u64 syscr;
	__u64 syscw;
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 cancelled_write_bytes;
};

/**
 * struct ckpt_rec_task_times - CKPT_REC_TASK_TIMES, for each thread
 * @usage: what it has used
 * @io: what it has read and written
 * @runtime: time on a CPU as the scheduler measures it [ns], of
 *	CLOCK_THREAD_CPUTIME_ID
 * @start: CLOCK_MONOTONIC when it was created [ns]; before the machine has
 *	started, and then below 0, if it was restarted
 * @boot_start: CLOCK_BOOTTIME when it was created [ns]
 */
struct ckpt_rec_task_times {
	struct ckpt_usage usage;
	struct ckpt_io_usage io;
	__u64 runtime;
	__s64 start;
	__s64 boot_start;
};

/**
 * struct ckpt_rec_task_usage - CKPT_REC_TASK_USAGE, for each process
 * @threads: what threads that are dead have used
 * @children: what children that were waited for have used
 * @io: what dead threads and children have read and written
 * @runtime: time on a CPU of the dead threads [ns]
 */
struct ckpt_rec_task_usage {
	struct ckpt_usage threads;
	struct ckpt_usage children;
	struct ckpt_io_usage io;
	__u64 runtime;
};

#define CKPT_TIMERF_TIME_OF_DAY	(1 << 0)	/* TIMER_ABSTIME of CLOCK_REALTIME */
#define CKPT_TIMERF_PENDING	(1 << 1)	/* has gone off, and nobody took the signal yet */
#define CKPT_TIMERF_ALL		((1 << 2) - 1)

/**
 * struct ckpt_rec_task_timer - CKPT_REC_TASK_TIMER, for each POSIX timer
 * @id: its number, as timer_create(2) returned it
 * @clock: the clock it was created with
 * @notify: SIGEV_*
 * @signo: the signal
 * @notify_pid: the thread of SIGEV_THREAD_ID
 * @cpu_pid: the thread or process whose CPU time a CPU clock means; 0 otherwise
 * @value: sigev_value
 * @expires: when it goes off [ns], 0 if it does not: CLOCK_BOOTTIME if @clock is
 *	that, else CLOCK_MONOTONIC; with CKPT_TIMERF_TIME_OF_DAY CLOCK_REALTIME;
 *	for CPU clocks the time left
 * @interval: [ns]
 * @overrun: CKPT_TIMERF_PENDING: expiries since the signal was queued
 * @overrun_last: as timer_getoverrun(2) tells
 * @flags: CKPT_TIMERF_*
 * @pad: 0
 */
struct ckpt_rec_task_timer {
	__s32 id;
	__s32 clock;
	__s32 notify;
	__u32 signo;
	__s32 notify_pid;
	__s32 cpu_pid;
	__u64 value;
	__u64 expires;
	__u64 interval;
	__s64 overrun;
	__s64 overrun_last;
	__u32 flags;
	__u32 pad;
};

#define CKPT_NR_ITIMERS		3

#define CKPT_ITIMERF_ALARM	(1 << 0)	/* SIGALRM was pending */

/**
 * struct ckpt_rec_task_itimers - CKPT_REC_TASK_ITIMERS
 * @expires: by ITIMER_*, 0 if it is off: when it goes off [ns]: CLOCK_MONOTONIC
 *	for ITIMER_REAL, CPU time of the process for the others
 * @interval: by ITIMER_* [ns]
 * @next_timer_id: number that the next POSIX timer gets
 * @flags: CKPT_ITIMERF_*
 */
struct ckpt_rec_task_itimers {
	__u64 expires[CKPT_NR_ITIMERS];
	__u64 interval[CKPT_NR_ITIMERS];
	__u32 next_timer_id;
	__u32 flags;
};

#define CKPT_MAX_GROUPS		65536

/**
 * struct ckpt_rec_task_creds - CKPT_REC_TASK_CREDS
 * @uid: ids are numbers of the caller's user namespace
 * @euid: effective
 * @suid: saved
 * @fsuid: for the file system
 * @gid: real
 * @egid: effective
 * @sgid: saved
 * @fsgid: for the file system
 * @cap_inheritable: capability sets, bit n is capability n
 * @cap_permitted: see capabilities(7)
 * @cap_effective: see capabilities(7)
 * @cap_bset: bounding set
 * @cap_ambient: see capabilities(7)
 * @securebits: PR_SET_SECUREBITS
 * @no_new_privs: 1 after PR_SET_NO_NEW_PRIVS
 * @dumpable: PR_GET_DUMPABLE
 * @nr_groups: number of __u32 that follow: the supplementary groups, sorted
 */
struct ckpt_rec_task_creds {
	__u32 uid;
	__u32 euid;
	__u32 suid;
	__u32 fsuid;
	__u32 gid;
	__u32 egid;
	__u32 sgid;
	__u32 fsgid;
	__u64 cap_inheritable;
	__u64 cap_permitted;
	__u64 cap_effective;
	__u64 cap_bset;
	__u64 cap_ambient;
	__u32 securebits;
	__u32 no_new_privs;
	__u32 dumpable;
	__u32 nr_groups;
};

/**
 * struct ckpt_rec_task_futex - CKPT_REC_TASK_FUTEX
 * @robust_list: set_robust_list(2)
 * @clear_child_tid: set_tid_address(2)
 * @compat_robust_list: set_robust_list(2), called as a 32-bit system call
 */
struct ckpt_rec_task_futex {
	__u64 robust_list;
	__u64 clear_child_tid;
	__u64 compat_robust_list;
};

/**
 * struct ckpt_rec_task_rseq - CKPT_REC_TASK_RSEQ, if rseq(2) is registered
 * @ptr: address of struct rseq
 * @len: its size
 * @sig: signature before abort handlers
 */
struct ckpt_rec_task_rseq {
	__u64 ptr;
	__u32 len;
	__u32 sig;
};

#define CKPT_STOPF_STOPPED	(1 << 0)	/* the process is stopped */
#define CKPT_STOPF_CONTINUED	(1 << 1)	/* waitid(WCONTINUED) would report it */
#define CKPT_STOPF_CLD_STOPPED	(1 << 2)	/* the parent is yet to be told of a stop */
#define CKPT_STOPF_CLD_CONTINUED (1 << 3)	/* the parent is yet to be told of a continue */

/**
 * struct ckpt_rec_task_stop - CKPT_REC_TASK_STOP, if any of it is set
 * @flags: CKPT_STOPF_* of the process
 * @exit_code: what waitid(WSTOPPED) would report, 0 if it has already
 * @signal: the signal that stopped this thread
 * @pad: 0
 */
struct ckpt_rec_task_stop {
	__u32 flags;
	__u32 exit_code;
	__u32 signal;
	__u32 pad;
};

#define CKPT_SIGMASKF_SAVED	(1 << 0)	/* @saved becomes the mask once signals were delivered */

/**
 * struct ckpt_rec_task_sigmask - CKPT_REC_TASK_SIGMASK
 * @blocked: blocked signals; bit 0 is signal 1
 * @saved: mask to go back to, in sigsuspend(2), ppoll(2), ...
 * @altstack_sp: sigaltstack(2)
 * @altstack_size: bytes
 * @altstack_flags: SS_*
 * @flags: CKPT_SIGMASKF_*
 * @sighand: objref of the signal handlers
 * @pad: 0
 */
struct ckpt_rec_task_sigmask {
	__u64 blocked;
	__u64 saved;
	__u64 altstack_sp;
	__u64 altstack_size;
	__u32 altstack_flags;
	__u32 flags;
	__u32 sighand;
	__u32 pad;
};

#define CKPT_SIGINFO_LEN	48

#define CKPT_SIGPENDINGF_NOINFO	(1 << 0)	/* only the signal's bit is pending */

/**
 * struct ckpt_rec_sigpending - CKPT_REC_TASK_SIGNAL (pending for the process) and
 *	CKPT_REC_TASK_SIGPENDING (pending for the thread), one for each signal,
 *	in order of arrival
 * @signo: signal number
 * @flags: CKPT_SIGPENDINGF_*
 * @info: the used part of siginfo_t as the x86-64 ABI defines it
 */
struct ckpt_rec_sigpending {
	__u32 signo;
	__u32 flags;
	__u8 info[CKPT_SIGINFO_LEN];
};

/* struct ckpt_rec_task_restart.kind: what restart_syscall(2) continues */
#define CKPT_RESTART_NANOSLEEP	1
#define CKPT_RESTART_POLL	2
#define CKPT_RESTART_FUTEX_WAIT	3
#define CKPT_RESTART_DEADLINE	4	/* it begins again, but ends as if it had not */
#define CKPT_RESTART_AGAIN	5	/* it begins again, until a time of @clockid */

#define CKPT_RESTARTF_TIMEOUT	(1 << 0)	/* @time_ns is valid */
#define CKPT_RESTARTF_ABSOLUTE	(1 << 1)	/* the program has said a time, not how long */
#define CKPT_RESTARTF_RMTP	(1 << 2)	/* nanosleep: @addr is to get the remainder */
#define CKPT_RESTARTF_SHARED	(1 << 3)	/* futex: not FUTEX_PRIVATE_FLAG */
#define CKPT_RESTARTF_COMPAT	(1 << 4)	/* a 32-bit system call */
#define CKPT_RESTARTF_TIME32	(1 << 5)	/* nanosleep: @addr is a struct old_timespec32 */
#define CKPT_RESTARTF_SET_UP	(1 << 6)	/* CKPT_RESTART_DEADLINE: the task is about to call */

/**
 * struct ckpt_rec_task_restart - CKPT_REC_TASK_RESTART, if there is something
 *	to continue
 * @kind: CKPT_RESTART_*
 * @flags: CKPT_RESTARTF_*
 * @clockid: CLOCK_*
 * @nfds: poll: number of entries
 * @addr: futex word, struct pollfd array, struct timespec, or the stack pointer
 *	of the call that begins again
 * @time_ns: when it ends: a time of @clockid
 * @futex_val: expected value
 * @futex_bitset: FUTEX_WAIT_BITSET
 */
struct ckpt_rec_task_restart {
	__u32 kind;
	__u32 flags;
	__s32 clockid;
	__u32 nfds;
	__u64 addr;
	__s64 time_ns;
	__u32 futex_val;
	__u32 futex_bitset;
};

/**
 * struct ckpt_rec_task_vfork - CKPT_REC_TASK_VFORK, if the task waits in vfork(2)
 * @child: index of the task that it waits for, and whose pid the call returns
 * @pad: 0
 */
struct ckpt_rec_task_vfork {
	__u32 child;
	__u32 pad;
};

#define CKPT_TLS_ENTRIES	3

/**
 * struct ckpt_tls_desc - what set_thread_area(2) takes
 * @entry_number: index in the GDT
 * @base_addr: base
 * @limit: limit
 * @flags: the seven bits that follow them in struct user_desc
 */
struct ckpt_tls_desc {
	__u32 entry_number;
	__u32 base_addr;
	__u32 limit;
	__u32 flags;
};

/**
 * struct ckpt_rec_task_tls - CKPT_REC_TASK_TLS, if any is in use
 * @desc: the thread's TLS descriptors
 */
struct ckpt_rec_task_tls {
	struct ckpt_tls_desc desc[CKPT_TLS_ENTRIES];
};

#define CKPT_XSTATE_MAX		65536

/**
 * struct ckpt_rec_task_xstate - CKPT_REC_TASK_XSTATE
 * @size: bytes that follow: the FPU registers in the standard format of
 *	XSAVE, or of FXSAVE if they are 512
 * @pad: 0
 */
struct ckpt_rec_task_xstate {
	__u32 size;
	__u32 pad;
};

#define CKPT_CALLF_COMPAT	(1 << 0)	/* the interrupted system call is a 32-bit one */
#define CKPT_CALLF_POKED32	(1 << 1)	/* a 32-bit debugger has set the registers */
#define CKPT_CALLF_ALL		((1 << 2) - 1)

/**
 * struct ckpt_rec_task_regs - CKPT_REC_TASK_REGS, x86-64
 * @r15: general purpose registers at the boundary to user mode
 * @r14: as above
 * @r13: as above
 * @r12: as above
 * @bp: as above
 * @bx: as above
 * @r11: as above
 * @r10: as above
 * @r9: as above
 * @r8: as above
 * @ax: result of an interrupted system call
 * @cx: as @r15
 * @dx: as @r15
 * @si: as @r15
 * @di: as @r15
 * @orig_ax: number of the interrupted system call, -1 if there is none
 * @ip: instruction pointer
 * @flags: the flags that user mode controls
 * @sp: stack pointer
 * @fs_base: base of FS
 * @gs_base: base of GS
 * @fs: selectors
 * @gs: as @fs
 * @ds: as @fs
 * @es: as @fs
 * @cs: as @fs: tells 32-bit from 64-bit code; 0 with @ss for the latter
 * @ss: as @fs
 * @call_flags: CKPT_CALLF_*
 */
struct ckpt_rec_task_regs {
	__u64 r15;
	__u64 r14;
	__u64 r13;
	__u64 r12;
	__u64 bp;
	__u64 bx;
	__u64 r11;
	__u64 r10;
	__u64 r9;
	__u64 r8;
	__u64 ax;
	__u64 cx;
	__u64 dx;
	__u64 si;
	__u64 di;
	__u64 orig_ax;
	__u64 ip;
	__u64 flags;
	__u64 sp;
	__u64 fs_base;
	__u64 gs_base;
	__u16 fs;
	__u16 gs;
	__u16 ds;
	__u16 es;
	__u16 cs;
	__u16 ss;
	__u32 call_flags;
};

#define CKPT_TRAPF_TSC		(1 << 0)	/* RDTSC: PR_SET_TSC, PR_TSC_SIGSEGV */
#define CKPT_TRAPF_CPUID	(1 << 1)	/* CPUID: ARCH_SET_CPUID, 0 */
#define CKPT_TRAPF_ALL		((1 << 2) - 1)

/**
 * struct ckpt_rec_task_traps - CKPT_REC_TASK_TRAPS, if there is any
 * @flags: CKPT_TRAPF_*: instructions that the thread gets SIGSEGV for
 * @pad: 0
 */
struct ckpt_rec_task_traps {
	__u32 flags;
	__u32 pad;
};

#define CKPT_SECCOMPF_LOG	(1 << 0)	/* SECCOMP_FILTER_FLAG_LOG */
#define CKPT_SECCOMPF_ALL	((1 << 1) - 1)

#define CKPT_SECCOMP_MAX_INSNS	4096

/**
 * struct ckpt_rec_seccomp_filter - CKPT_REC_SECCOMP_FILTER: a filter; the
 *	instructions of its program follow, 8 bytes each as seccomp(2) takes them
 * @prev_objref: the filter that it was installed upon, 0 for those that the
 *	restarter has
 * @flags: CKPT_SECCOMPF_*
 * @nr_insns: number of instructions, 1 to CKPT_SECCOMP_MAX_INSNS
 * @pad: 0
 */
struct ckpt_rec_seccomp_filter {
	__u32 prev_objref;
	__u32 flags;
	__u32 nr_insns;
	__u32 pad;
};

#define CKPT_SECCOMP_STRICT	1
#define CKPT_SECCOMP_FILTER	2

/**
 * struct ckpt_rec_task_seccomp - CKPT_REC_TASK_SECCOMP, if the thread is
 *	confined by more than what the checkpointer is
 * @mode: CKPT_SECCOMP_*
 * @filter_objref: CKPT_SECCOMP_FILTER: the last that was installed; else 0
 */
struct ckpt_rec_task_seccomp {
	__u32 mode;
	__u32 filter_objref;
};

/**
 * struct ckpt_rec_task_dispatch - CKPT_REC_TASK_DISPATCH, if the thread has
 *	PR_SET_SYSCALL_USER_DISPATCH
 * @offset: start of the code whose system calls are not dispatched
 * @len: its bytes
 * @selector: address of the byte that turns dispatch on and off, or 0
 */
struct ckpt_rec_task_dispatch {
	__u64 offset;
	__u64 len;
	__u64 selector;
};

/**
 * struct ckpt_rec_task_speculation - CKPT_REC_TASK_SPECULATION, for each
 *	misfeature that the thread has restricted
 * @which: PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH or PR_SPEC_L1D_FLUSH
 * @control: as given to PR_SET_SPECULATION_CONTROL
 */
struct ckpt_rec_task_speculation {
	__u32 which;
	__u32 control;
};

/* struct ckpt_rec_mm.flags */
#define CKPT_MM_THP_DISABLE	(1 << 0)	/* PR_SET_THP_DISABLE */
#define CKPT_MM_MDWE		(1 << 1)	/* PR_SET_MDWE */
#define CKPT_MM_MDWE_NO_INHERIT	(1 << 2)
#define CKPT_MM_MERGE_ANY	(1 << 3)	/* PR_SET_MEMORY_MERGE */
#define CKPT_MM_TOPDOWN		(1 << 4)	/* mmap() searches downwards */
#define CKPT_MM_DEF_LOCKED	(1 << 5)	/* mlockall(MCL_FUTURE) */
#define CKPT_MM_DEF_LOCKONFAULT	(1 << 6)	/* mlockall(MCL_FUTURE | MCL_ONFAULT) */
#define CKPT_MM_DEF_NOHUGEPAGE	(1 << 7)	/* mappings start as MADV_NOHUGEPAGE */
#define CKPT_MM_FLAGS_ALL	((1 << 8) - 1)

#define CKPT_MM_DUMPABLE_NONE	0
#define CKPT_MM_DUMPABLE_USER	1
#define CKPT_MM_DUMPABLE_ROOT	2

/**
 * struct ckpt_rec_mm - CKPT_REC_MM: the fields of an address space. Then follow
 *	CKPT_REC_MM_AUXV, CKPT_REC_MM_ARCH, a CKPT_REC_VMA for each mapping in
 *	ascending order, CKPT_REC_VMA_END, the private pages, CKPT_REC_PAGES_END
 * @start_code: as /proc/PID/stat and prctl(PR_SET_MM) name them
 * @end_code: likewise
 * @start_data: likewise
 * @end_data: likewise
 * @start_brk: likewise
 * @brk: likewise
 * @start_stack: likewise
 * @arg_start: likewise
 * @arg_end: likewise
 * @env_start: likewise
 * @env_end: likewise
 * @task_size: first address that user space cannot map
 * @mmap_base: where mmap() starts to search
 * @mmap_legacy_base: likewise, upwards
 * @mmap_compat_base: likewise, for 32-bit system calls
 * @mmap_compat_legacy_base: likewise, for 32-bit system calls, upwards
 * @hiwater_rss: most pages that were resident, VmHWM [pages]
 * @hiwater_vm: most pages that were mapped, VmPeak [pages]
 * @flags: CKPT_MM_*
 * @exe_objref: the file that /proc/PID/exe shows, 0 if none
 * @dumpable: CKPT_MM_DUMPABLE_*
 * @coredump_filter: as /proc/PID/coredump_filter
 * @membarrier: MEMBARRIER_CMD_REGISTER_* that were made
 * @pad: 0
 */
struct ckpt_rec_mm {
	__u64 start_code;
	__u64 end_code;
	__u64 start_data;
	__u64 end_data;
	__u64 start_brk;
	__u64 brk;
	__u64 start_stack;
	__u64 arg_start;
	__u64 arg_end;
	__u64 env_start;
	__u64 env_end;
	__u64 task_size;
	__u64 mmap_base;
	__u64 mmap_legacy_base;
	__u64 mmap_compat_base;
	__u64 mmap_compat_legacy_base;
	__u64 hiwater_rss;
	__u64 hiwater_vm;
	__u32 flags;
	__u32 exe_objref;
	__u32 dumpable;
	__u32 coredump_filter;
	__u32 membarrier;
	__u32 pad;
};

#define CKPT_AUXV_MAX		128	/* __u64 words in CKPT_REC_MM_AUXV, at most */

#define CKPT_MM_ARCH_VSYSCALL	(1 << 0)	/* the vsyscall page is visible */
#define CKPT_MM_ARCH_IA32	(1 << 1)	/* of a 32-bit program */
#define CKPT_MM_ARCH_VDSO32	(1 << 2)	/* the vdso is that of 32-bit programs */
#define CKPT_MM_ARCH_ALL	((1 << 3) - 1)

/**
 * struct ckpt_rec_mm_arch - CKPT_REC_MM_ARCH
 * @vdso: address of the vdso text, 0 if it is not mapped
 * @vdso_base: lowest address of the data pages in front of it
 * @vdso_end: end of the vdso text
 * @flags: CKPT_MM_ARCH_*
 * @pkeys: protection keys that are allocated, bit n is key n; 0 if the CPU has
 *	none
 * @execute_pkey: the one of them that mappings with PROT_EXEC only have, 0 if
 *	there is none yet
 * @pad: 0
 */
struct ckpt_rec_mm_arch {
	__u64 vdso;
	__u64 vdso_base;
	__u64 vdso_end;
	__u32 flags;
	__u32 pkeys;
	__u32 execute_pkey;
	__u32 pad;
};

/* struct ckpt_rec_vma.flags */
#define CKPT_VMA_READ		(1ULL << 0)
#define CKPT_VMA_WRITE		(1ULL << 1)
#define CKPT_VMA_EXEC		(1ULL << 2)
#define CKPT_VMA_SHARED		(1ULL << 3)	/* MAP_SHARED */
#define CKPT_VMA_MAYREAD	(1ULL << 4)	/* what mprotect() may allow */
#define CKPT_VMA_MAYWRITE	(1ULL << 5)
#define CKPT_VMA_MAYEXEC	(1ULL << 6)
#define CKPT_VMA_GROWSDOWN	(1ULL << 7)
#define CKPT_VMA_LOCKED		(1ULL << 8)
#define CKPT_VMA_LOCKONFAULT	(1ULL << 9)
#define CKPT_VMA_SEQ_READ	(1ULL << 10)	/* MADV_SEQUENTIAL */
#define CKPT_VMA_RAND_READ	(1ULL << 11)	/* MADV_RANDOM */
#define CKPT_VMA_DONTFORK	(1ULL << 12)
#define CKPT_VMA_DONTDUMP	(1ULL << 13)
#define CKPT_VMA_WIPEONFORK	(1ULL << 14)
#define CKPT_VMA_HUGEPAGE	(1ULL << 15)
#define CKPT_VMA_NOHUGEPAGE	(1ULL << 16)
#define CKPT_VMA_MERGEABLE	(1ULL << 17)
#define CKPT_VMA_ACCOUNT	(1ULL << 18)	/* counts as committed memory */
#define CKPT_VMA_NORESERVE	(1ULL << 19)
#define CKPT_VMA_DROPPABLE	(1ULL << 20)
#define CKPT_VMA_SEALED		(1ULL << 21)	/* mseal() */
#define CKPT_VMA_UNRESERVED	(1ULL << 22)	/* hugetlb: no pages reserved, as after fork() */
#define CKPT_VMA_FLAGS_ALL	((1ULL << 23) - 1)

#define CKPT_VMA_NAME_LEN	80	/* with the NUL that is not in the record */

/**
 * struct ckpt_rec_vma - CKPT_REC_VMA: one mapping; its name follows if it is
 *	anonymous and has one (PR_SET_VMA_ANON_NAME)
 * @start: first address
 * @end: first address behind it
 * @pgoff: offset in the file, or linear index of anonymous memory, in pages
 * @flags: CKPT_VMA_*
 * @cow_index: with @cow_objref: address / page size of a page of that mm that
 *	this mapping shares copy-on-write
 * @cow_objref: mm that stands before this one and shares pages with this
 *	mapping, 0 if none
 * @file_objref: the mapped file, 0 if anonymous
 * @pkey: protection key
 * @pad: 0
 */
struct ckpt_rec_vma {
	__u64 start;
	__u64 end;
	__u64 pgoff;
	__u64 flags;
	__u64 cow_index;
	__u32 cow_objref;
	__u32 file_objref;
	__u32 pkey;
	__u32 pad;
};

#define CKPT_SHMEM_MEMFD	(1 << 0)	/* made by memfd_create() */
#define CKPT_SHMEM_NORESERVE	(1 << 1)
#define CKPT_SHMEM_TMPFS	(1 << 2)	/* was unlinked from a mounted tmpfs */
#define CKPT_SHMEM_LINKABLE	(1 << 3)	/* O_TMPFILE without O_EXCL */
#define CKPT_SHMEM_FLAGS_ALL	((1 << 4) - 1)

/**
 * struct ckpt_rec_shmem - CKPT_REC_SHMEM: an unnamed shared memory object. Its
 *	name as /proc/PID/maps shows it follows, then, with CKPT_SHMEM_TMPFS,
 *	the absolute path of the mount; then the pages, then
 *	CKPT_REC_PAGES_END
 * @size: bytes
 * @flags: CKPT_SHMEM_*
 * @seals: F_SEAL_*
 * @mode: permission bits
 * @uid: owner, in the restarter's user namespace
 * @gid: group, likewise
 * @page_shift: log2 of the size of its huge pages (hugetlb), 0 if it has none
 * @name_len: bytes of the name, without NUL
 * @mount_len: bytes of the path, likewise
 */
struct ckpt_rec_shmem {
	__u64 size;
	__u32 flags;
	__u32 seals;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 page_shift;
	__u32 name_len;
	__u32 mount_len;
};

/**
 * struct ckpt_rec_file_shmem - CKPT_REC_FILE_SHMEM: follows CKPT_REC_FILE; the
 *	path of the mount follows, if the file was opened in one
 * @shmem_objref: what the file shows
 * @mount_len: bytes of the path, without NUL
 */
struct ckpt_rec_file_shmem {
	__u32 shmem_objref;
	__u32 mount_len;
};

/**
 * struct ckpt_rec_aio - CKPT_REC_AIO: a context of io_setup(2), after the pages
 *	of its mm; a CKPT_REC_AIO_PAGE follows for each page of the ring that is
 *	not zero
 * @addr: address of the ring, which is the context's name
 * @max_reqs: what io_setup(2) was asked for
 * @nr_events: room in the ring, a whole number of pages with its header
 * @tail: where the next event goes
 * @unreaped: events that nobody has taken out yet
 */
struct ckpt_rec_aio {
	__u64 addr;
	__u32 max_reqs;
	__u32 nr_events;
	__u32 tail;
	__u32 unreaped;
};

/**
 * struct ckpt_rec_aio_page - CKPT_REC_AIO_PAGE; the page follows
 * @index: which page of the ring
 */
struct ckpt_rec_aio_page {
	__u64 index;
};

#define CKPT_SHM_NORESERVE	(1 << 0)
#define CKPT_SHM_FLAGS_ALL	((1 << 1) - 1)

/**
 * struct ckpt_rec_shm - CKPT_REC_SHM: System V shared memory that was removed
 *	(IPC_RMID) and lives on in its attachments; the pages follow, then
 *	CKPT_REC_PAGES_END
 * @size: bytes
 * @ctime: seconds since 1970
 * @id: its number
 * @mode: permission bits
 * @flags: CKPT_SHM_*
 * @page_shift: log2 of the size of its huge pages, 0 if it has none
 * @uid: owner, in the restarter's user namespace
 * @gid: group, likewise
 * @cuid: creator, likewise
 * @cgid: group of the creator, likewise
 */
struct ckpt_rec_shm {
	__u64 size;
	__s64 ctime;
	__s32 id;
	__u32 mode;
	__u32 flags;
	__u32 page_shift;
	__u32 uid;
	__u32 gid;
	__u32 cuid;
	__u32 cgid;
};

/**
 * struct ckpt_rec_file_shm - CKPT_REC_FILE_SHM: follows CKPT_REC_FILE; an
 *	attachment of System V shared memory. But for @id, all tell whether the
 *	segment is still the same
 * @size: bytes
 * @birth_ns: when its memory was made, CLOCK_REALTIME
 * @id: its number
 * @key: its key, 0 if it has none
 * @cuid: creator, in the restarter's user namespace
 * @cgid: group of the creator, likewise
 * @generation: generation number of its inode
 * @shm_objref: CKPT_OBJ_SHM if it was removed, else 0
 */
struct ckpt_rec_file_shm {
	__u64 size;
	__s64 birth_ns;
	__s32 id;
	__s32 key;
	__u32 cuid;
	__u32 cgid;
	__u32 generation;
	__u32 shm_objref;
};

#define CKPT_NODE_WORDS		16

/**
 * struct ckpt_rec_mempolicy - where memory is taken from, if somebody has asked
 *	for that: CKPT_REC_TASK_MEMPOLICY; CKPT_REC_VMA_POLICY, which stands
 *	before its CKPT_REC_VMA; CKPT_REC_SHMEM_POLICY, one for each range of
 *	a shared memory object, before its pages
 * @start: CKPT_REC_SHMEM_POLICY: first page
 * @end: likewise: first page behind
 * @mode: MPOL_* and MPOL_F_*, as for set_mempolicy(2)
 * @home_node: as for set_mempolicy_home_node(2), -1 if none
 * @il_prev: CKPT_REC_TASK_MEMPOLICY: node of the last interleaved page
 * @il_weight: likewise: pages that are still to come from it
 * @nodes: as the program gave them, a bit for each node
 * @used: those of them that were there
 */
struct ckpt_rec_mempolicy {
	__u64 start;
	__u64 end;
	__u32 mode;
	__s32 home_node;
	__u32 il_prev;
	__u32 il_weight;
	__u64 nodes[CKPT_NODE_WORDS];
	__u64 used[CKPT_NODE_WORDS];
};

/* struct ckpt_rec_file.f_mode */
#define CKPT_FMODE_READ		(1 << 0)
#define CKPT_FMODE_WRITE	(1 << 1)
#define CKPT_FMODE_RANDOM	(1 << 2)	/* POSIX_FADV_RANDOM */
#define CKPT_FMODE_NOREUSE	(1 << 3)	/* POSIX_FADV_NOREUSE */

/**
 * struct ckpt_rec_file - CKPT_REC_FILE: an open file; the record of its kind
 *	(CKPT_REC_FILE_*) follows, then a CKPT_REC_LOCK for each lock that it owns
 * @f_flags: O_*, without those that only open(2) itself looks at
 * @f_mode: CKPT_FMODE_*
 * @f_pos: position
 */
struct ckpt_rec_file {
	__u32 f_flags;
	__u32 f_mode;
	__s64 f_pos;
};

/**
 * struct ckpt_rec_file_path - CKPT_REC_FILE_PATH: reopened by name
 * @mode: type and permissions; the type must be the same at restart
 * @rdev: device number of a device node (12 bits major, 20 bits minor, as in
 *	stat(2)); must be the same at restart
 * @ino: inode number
 * @size: bytes; a regular file must not be shorter at restart
 * @mtime_sec: time of last modification
 * @mtime_nsec: its fraction
 * @path_len: bytes of the absolute path that follows, without NUL
 */
struct ckpt_rec_file_path {
	__u32 mode;
	__u32 rdev;
	__u64 ino;
	__u64 size;
	__s64 mtime_sec;
	__u32 mtime_nsec;
	__u32 path_len;
};

#define CKPT_PIPE_FIFO		(1 << 0)	/* has a name; the path follows */

/**
 * struct ckpt_rec_pipe - CKPT_REC_PIPE: a pipe or FIFO; its @nr_bufs
 *	CKPT_REC_PIPE_BUF follow
 * @flags: CKPT_PIPE_*
 * @ring_size: slots of one page each, a power of two
 * @nr_bufs: number of buffers with data
 * @mode: permissions of a pipe without a name
 * @uid: its owner, as the checkpointing user namespace sees it
 * @gid: its group, likewise
 * @path_len: bytes of the absolute path that follows, without NUL
 * @pad: 0
 */
struct ckpt_rec_pipe {
	__u32 flags;
	__u32 ring_size;
	__u32 nr_bufs;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 path_len;
	__u32 pad;
};

#define CKPT_PIPE_BUF_PACKET	(1 << 0)	/* written with O_DIRECT */

/**
 * struct ckpt_rec_pipe_buf - CKPT_REC_PIPE_BUF: one buffer, in reading order
 * @flags: CKPT_PIPE_BUF_*
 * @len: bytes of data that follow, 1 to page size
 */
struct ckpt_rec_pipe_buf {
	__u32 flags;
	__u32 len;
};

#define CKPT_FILE_PIPE_NO_WRITER (1 << 0)	/* FIFO: no writer came since it was opened */

/**
 * struct ckpt_rec_file_pipe - CKPT_REC_FILE_PIPE: one end of a pipe or FIFO
 * @objref: the CKPT_OBJ_PIPE
 * @flags: CKPT_FILE_PIPE_*
 * @path_len: FIFO: bytes of the absolute path that follows, without NUL; else 0
 * @pad: 0
 */
struct ckpt_rec_file_pipe {
	__u32 objref;
	__u32 flags;
	__u32 path_len;
	__u32 pad;
};

/**
 * struct ckpt_rec_file_eventfd - CKPT_REC_FILE_EVENTFD
 * @count: value of the counter
 * @flags: EFD_SEMAPHORE or 0
 * @pad: 0
 */
struct ckpt_rec_file_eventfd {
	__u64 count;
	__u32 flags;
	__u32 pad;
};

/**
 * struct ckpt_rec_file_external - CKPT_REC_FILE_EXTERNAL: the restarter brings
 *	the open file that takes this place
 * @key_len: bytes of the key that follows, without NUL
 * @pad: 0
 */
struct ckpt_rec_file_external {
	__u32 key_len;
	__u32 pad;
};

#define CKPT_LOCK_POSIX		1	/* fcntl(F_SETLK): owned by the fd table */
#define CKPT_LOCK_OFD		2	/* fcntl(F_OFD_SETLK): owned by the open file */
#define CKPT_LOCK_FLOCK		3	/* flock(): owned by the open file */

/**
 * struct ckpt_rec_lock - CKPT_REC_LOCK, after the object that owns the lock
 * @objref: CKPT_LOCK_POSIX: the open file it was taken through; else 0
 * @kind: CKPT_LOCK_*
 * @exclusive: 1 for a write lock, 0 for a read lock
 * @start: first byte
 * @end: last byte, the largest offset for "to the end of the file"
 */
struct ckpt_rec_lock {
	__u32 objref;
	__u16 kind;
	__u16 exclusive;
	__s64 start;
	__s64 end;
};

/**
 * struct ckpt_rec_files - CKPT_REC_FILES: a descriptor table; its @nr_fds
 *	CKPT_REC_FILES_FD follow in ascending order, then its CKPT_REC_LOCKs
 * @nr_fds: number of open descriptors
 * @pad: 0
 */
struct ckpt_rec_files {
	__u32 nr_fds;
	__u32 pad;
};

#define CKPT_FD_CLOEXEC		(1 << 0)

/**
 * struct ckpt_rec_files_fd - CKPT_REC_FILES_FD: one descriptor
 * @fd: its number
 * @objref: its CKPT_OBJ_FILE
 * @flags: CKPT_FD_*
 * @pad: 0
 */
struct ckpt_rec_files_fd {
	__u32 fd;
	__u32 objref;
	__u32 flags;
	__u32 pad;
};

/**
 * struct ckpt_rec_fs - CKPT_REC_FS; the path of the current directory follows,
 *	then that of the root directory, both absolute and without NUL
 * @umask: file creation mask
 * @cwd_len: bytes of the first path
 * @root_len: bytes of the second path
 * @pad: 0
 */
struct ckpt_rec_fs {
	__u32 umask;
	__u32 cwd_len;
	__u32 root_len;
	__u32 pad;
};

/**
 * struct ckpt_rec_task_objref - CKPT_REC_TASK_FILES, CKPT_REC_TASK_FS,
 *	CKPT_REC_TASK_IO_CONTEXT, CKPT_REC_TASK_AUTOGROUP: the object that the
 *	task uses
 * @objref: CKPT_OBJ_FILES, CKPT_OBJ_FS, CKPT_OBJ_IO_CONTEXT or CKPT_OBJ_AUTOGROUP
 * @pad: 0
 */
struct ckpt_rec_task_objref {
	__u32 objref;
	__u32 pad;
};

#endif /* _UAPI_LINUX_CHECKPOINT_IMAGE_H */
