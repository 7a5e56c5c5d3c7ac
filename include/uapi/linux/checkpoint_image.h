/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The checkpoint image: everything that checkpoint(2) writes and restart(2)
 * reads. This interface is a contract; a change that an older reader would
 * misread needs a new record type or a new CKPT_IMAGE_VERSION, from the first
 * release on.
 */
#ifndef _UAPI_LINUX_CHECKPOINT_IMAGE_H
#define _UAPI_LINUX_CHECKPOINT_IMAGE_H

#include <linux/types.h>

/**
 * DOC: stream
 *
 * An image is a sequence of blocks, read and written forward only. All
 * numbers are little-endian. A block is a header, @pad zero bytes, and @len
 * bytes of payload, which is a multiple of 8. A META block holds whole records,
 * each with zero bytes behind it up to a multiple of 8; its @pad is 0. A DATA
 * block holds raw page contents; it follows the META block whose last record is
 * the CKPT_REC_PAGES that describes it. In a regular file @pad makes the payload
 * of DATA blocks start on a page boundary.
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
 * @len: bytes of payload, a multiple of CKPT_BLOCK_ALIGN and not 0, at most
 *	CKPT_BLOCK_META_MAX or CKPT_BLOCK_DATA_MAX
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
 * is set. If the payload is nothing but a struct, one that is longer than the
 * reader's is read only if the tail is zero, and a shorter one is completed with
 * zeros: both as in copy_struct_from_user().
 *
 * A struct with text, an array or data behind it does not grow, since that stands
 * where it ends. What comes behind the text or data is ignored in CKPT_REC_FS,
 * CKPT_REC_FILE_PATH, CKPT_REC_FILE_EXTERNAL, CKPT_REC_FILE_PIPE, CKPT_REC_PIPE
 * and CKPT_REC_PIPE_BUF, which may grow there. All others end with it, and
 * CKPT_REC_TASK_END and CKPT_REC_TRAILER with their struct: a record of another
 * length is not well-formed.
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
	 * the frame: order is HEADER ARCH VDSO VDSO? TREE_TASK* (OBJ ...)*
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
	CKPT_REC_MM_LDT		= 146,
	CKPT_REC_OBJ_MAX,

	/* per-task state, in restore order */
	CKPT_REC_TASK_IO_PORTS	= 199,	/* before the restarter's rights are gone */
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
	CKPT_REC_TASK_LSM	= 229,	/* right after the credentials that it belongs to */
	CKPT_REC_TASK_SHSTK	= 230,
	CKPT_REC_TASK_MEMPOLICY	= 240,
	CKPT_REC_TASK_MAX,
};

/*
 * Object types, in the order in which objects are written up to CKPT_OBJ_MM: what
 * an object refers to stands before it. Those of the types from CKPT_OBJ_SIGHAND
 * on come last, in any order. Numbers are never reused; room is left between.
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
#define CKPT_IMAGE_SHELL_JOB	(1 << 2)	/* RESTART_SHELL_JOB is needed */
#define CKPT_IMAGE_FLAGS	(CKPT_IMAGE_SUBTREE | CKPT_IMAGE_SELF | CKPT_IMAGE_SHELL_JOB)

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

#define CKPT_CPU_MORE		3

#define CKPT_ARCHF_IA32		(1 << 0)	/* there are 32-bit programs, or their vdso */
#define CKPT_ARCHF_ALL		((1 << 1) - 1)

/**
 * struct ckpt_rec_arch - CKPT_REC_ARCH: what the restarting CPU and kernel must have
 * @xfeatures: XSAVE components that programs could use
 * @cpu_features: instruction sets that programs could use, the first 64; the
 *	bits are listed in arch/x86/kernel/checkpoint.c
 * @xstate_size: bytes of the XSAVE image in CKPT_REC_TASK_XSTATE, at most
 * @xstate_layout: hash of size and offset of each component in it
 * @vdso_size: bytes of the 64-bit vdso text
 * @vdso_build_id: GNU build id of the 64-bit vdso
 * @flags: CKPT_ARCHF_*
 * @vdso32_size: CKPT_ARCHF_IA32: bytes of the 32-bit vdso text; else 0
 * @vdso32_build_id: likewise, its GNU build id
 * @pad: 0
 * @more_cpu_features: those that follow @cpu_features
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
	__u64 more_cpu_features[CKPT_CPU_MORE];
};

/* Functions of a vdso; what they are called is in arch/x86/mm/checkpoint_vdso_code.c. */
enum {
	CKPT_VDSO_CLOCK_GETTIME,
	CKPT_VDSO_GETTIMEOFDAY,
	CKPT_VDSO_TIME,
	CKPT_VDSO_GETCPU,
	CKPT_VDSO_CLOCK_GETRES,
	CKPT_VDSO_GETRANDOM,
	CKPT_VDSO_CLOCK_GETTIME64,
	CKPT_VDSO_VSYSCALL,	/* not of the 64-bit one: makes any system call */
	CKPT_VDSO_MAX,
};

/**
 * struct ckpt_rec_vdso - CKPT_REC_VDSO: a vdso, for a kernel that has another
 * @text_size: bytes of its text, whole pages
 * @data_size: bytes of the data pages in front of it
 * @spare: offset in them of a page that is not read by the code
 * @second: offset in them of the page that tasks in a time namespace have
 *	instead of the first, and the first instead of it
 * @entry: offset of each function in the text, 0 if there is none
 * @landing: offset in the text of where system calls return to that were made
 *	by CKPT_VDSO_VSYSCALL, behind an int $0x80; 0 if there is no such function
 *
 * The first is the 64-bit one; with CKPT_ARCHF_IA32 the 32-bit one comes next.
 * The text follows, then the first data page and the one at @second. They are in
 * a state in which the code calls the kernel.
 */
struct ckpt_rec_vdso {
	__u32 text_size;
	__u32 data_size;
	__u32 spare;
	__u32 second;
	__u32 entry[CKPT_VDSO_MAX];
	__u32 landing;
};

#define CKPT_TASK_NONE		0xffffffffU

#define CKPT_TASKF_THREAD	(1 << 0)	/* not a thread group leader */
#define CKPT_TASKF_ZOMBIE	(1 << 1)	/* dead; little but this record is saved */
#define CKPT_TASKF_SHARE_VM	(1 << 2)	/* shares its creator's mm (always set for threads) */
#define CKPT_TASKF_SHARE_SIGHAND (1 << 3)	/* shares its creator's sighand (always set for threads) */
#define CKPT_TASKF_SUBREAPER	(1 << 4)	/* PR_SET_CHILD_SUBREAPER */
#define CKPT_TASKF_SELF		(1 << 5)	/* called checkpoint(2) for itself */
#define CKPT_TASKF_SESSION_LEADER (1 << 6)	/* signal->leader */
#define CKPT_TASKF_DID_EXEC	(1 << 7)	/* !PF_FORKNOEXEC: setpgid() by the parent fails */
#define CKPT_TASKF_PARENT_EXEC	(1 << 8)	/* the parent has changed by exec: it gets SIGCHLD */

/**
 * struct ckpt_rec_tree_task - CKPT_REC_TREE_TASK, one for each task
 * @parent: index of the thread that is its parent; CKPT_TASK_NONE for the root
 *	and for threads. Tasks are numbered from 0 in the order of these
 *	records; a parent comes before its children, a leader before its threads
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

#define CKPT_DESC_FLAGS_ALL	0x7f

/**
 * struct ckpt_user_desc - a segment, as struct user_desc describes it to
 *	set_thread_area(2) and modify_ldt(2)
 * @entry_number: index in the GDT or LDT
 * @base_addr: base
 * @limit: limit
 * @flags: the seven bits that follow them in struct user_desc
 */
struct ckpt_user_desc {
	__u32 entry_number;
	__u32 base_addr;
	__u32 limit;
	__u32 flags;
};

#include <linux/checkpoint_image_task.h>
#include <linux/checkpoint_image_mm.h>
#include <linux/checkpoint_image_fs.h>

#endif /* _UAPI_LINUX_CHECKPOINT_IMAGE_H */
