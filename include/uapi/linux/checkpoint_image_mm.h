/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The checkpoint image: address spaces and memory that is shared.
 */
#ifndef _UAPI_LINUX_CHECKPOINT_IMAGE_MM_H
#define _UAPI_LINUX_CHECKPOINT_IMAGE_MM_H

#include <linux/checkpoint_image.h>

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
 *	CKPT_REC_MM_AUXV, CKPT_REC_MM_ARCH, CKPT_REC_MM_LDT if there is one, a
 *	CKPT_REC_VMA for each mapping in ascending order, CKPT_REC_VMA_END, the
 *	private pages, CKPT_REC_PAGES_END
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

/*
 * Entries of CKPT_REC_MM_LDT, at most: an array of struct ckpt_user_desc, in
 * ascending order, of those that are not empty and of the last
 */
#define CKPT_LDT_MAX		8192

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
#define CKPT_VMA_SHADOW_STACK	(1ULL << 23)	/* map_shadow_stack() */
#define CKPT_VMA_NAMED		(1ULL << 24)	/* PR_SET_VMA_ANON_NAME, maybe to "" */
#define CKPT_VMA_FLAGS_ALL	((1ULL << 25) - 1)

#define CKPT_VMA_NAME_LEN	80	/* with the NUL that is not in the record */

/**
 * struct ckpt_rec_vma - CKPT_REC_VMA: one mapping; its name follows, with
 *	CKPT_VMA_NAMED
 * @start: first address
 * @end: first address behind it
 * @pgoff: offset in the file, or linear index of anonymous memory, in pages
 * @flags: CKPT_VMA_*
 * @anon_addr: an address in the first mapping that this one may be merged with,
 *	as far as that depends on who has their private pages (anon_vma); @start
 *	if it is that itself, or none has any
 * @cow_index: with @cow_objref: address / page size of a page of that mm that
 *	this mapping shares copy-on-write, or one with its @start as @anon_addr
 * @cow_objref: mm that stands before this one and shares pages with one of these
 *	mappings, 0 if none
 * @file_objref: the mapped file, 0 if anonymous
 * @pkey: protection key
 * @pad: 0
 */
struct ckpt_rec_vma {
	__u64 start;
	__u64 end;
	__u64 pgoff;
	__u64 flags;
	__u64 anon_addr;
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

#endif /* _UAPI_LINUX_CHECKPOINT_IMAGE_MM_H */
