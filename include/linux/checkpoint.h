/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoint/restart: what a subsystem needs to make its objects and its part
 * of the task state survive. See Documentation/checkpoint/adding-an-object.rst.
 */
#ifndef _LINUX_CHECKPOINT_H
#define _LINUX_CHECKPOINT_H

#include <linux/init.h>
#include <linux/types.h>
#include <uapi/linux/checkpoint_image.h>

struct ckpt_ctx;
struct ckpt_rec_file;
struct task_struct;
struct file;
struct inode;
struct file_operations;
struct bio_vec;
struct iov_iter;
struct path;
struct pid;

/**
 * enum ckpt_stage - when an object is restored
 * @CKPT_STAGE_GLOBAL: by the restarter, before any process exists
 * @CKPT_STAGE_MM: by its owner, when only the processes exist that share no
 *	mm and no sighand with an earlier one
 * @CKPT_STAGE_TASK: by its owner, when all tasks exist
 */
enum ckpt_stage {
	CKPT_STAGE_GLOBAL,
	CKPT_STAGE_MM,
	CKPT_STAGE_TASK,
};

/**
 * struct ckpt_holder - someone outside the tree who holds a leaked object
 * @pid: pid in the caller's pid namespace, 0 if it has none there
 * @may_tell: the caller may look into it, and learn of @how
 * @comm: its name
 * @how: what it holds the object by: "fd 5", "mapping at 7f..000"
 */
struct ckpt_holder {
	pid_t pid;
	bool may_tell;
	char comm[CKPT_COMM_LEN];
	char how[64];
};

/**
 * struct ckpt_obj_ops - one kind of shared object
 * @obj_name: Required. For people: "file", "mm".
 * @obj_type: Required. CKPT_OBJ_*; also the order in which objects are written.
 * @stage: Required. When and in whose context it is restored.
 * @ref_grab: Required. Takes a reference that keeps @ptr alive.
 * @ref_drop: Required. Drops one; may sleep.
 * @ref_users: Optional. All users of @ptr that the kernel counts, including
 *	those that ref_grab() took. Without it the kind is exempt from the leak
 *	and reverse-leak checks.
 * @ref_outside: Optional. Users outside the tree that share nothing which a
 *	checkpoint could tear apart. Asked only when the counts differ; may sleep.
 * @find_holder: Optional. Finds a holder outside the tree; 0 or -ENOENT.
 *	May sleep.
 * @observers: A surplus of users without a holder that find_holder() can name
 *	comes from observers (readers of /proc, ...) and is not a leak.
 * @version: Optional. A number that differs when what checkpoint() writes has
 *	changed. Compared before the trailer with what it was when @ptr was
 *	written: someone may have shared it for a moment. May sleep.
 * @collect: Optional. Calls ckpt_obj_collect() for each reference that @ptr
 *	holds and ckpt_refuse() for what cannot be saved. Called once for each
 *	object while all tasks are frozen.
 * @checkpoint: Required. Writes the records of @ptr.
 * @restore: Required. Reads the records that checkpoint() wrote. Returns the
 *	object with one reference, or an ERR_PTR after ckpt_err().
 */
struct ckpt_obj_ops {
	const char *obj_name;
	u32 obj_type;
	enum ckpt_stage stage;
	bool observers;
	void (*ref_grab)(void *ptr);
	void (*ref_drop)(void *ptr);
	long (*ref_users)(void *ptr);
	long (*ref_outside)(struct ckpt_ctx *ctx, void *ptr);
	int (*find_holder)(struct ckpt_ctx *ctx, void *ptr, struct ckpt_holder *holder);
	u64 (*version)(void *ptr);
	int (*collect)(struct ckpt_ctx *ctx, void *ptr);
	int (*checkpoint)(struct ckpt_ctx *ctx, void *ptr);
	void *(*restore)(struct ckpt_ctx *ctx);
};

/**
 * struct ckpt_rec - a record as read
 * @type: CKPT_REC_*
 * @flags: CKPT_RECF_*
 * @len: bytes of payload
 * @data: the payload, 8-byte aligned; valid until the next read
 */
struct ckpt_rec {
	u16 type;
	u16 flags;
	u32 len;
	const void *data;
};

/**
 * struct ckpt_task_ops - one part of the state of a task
 * @name: Required. For people.
 * @rec_type: Required. CKPT_REC_TASK_*; parts are written and restored in
 *	ascending order.
 * @leader_only: The part belongs to the process, not to the thread.
 * @repeats: There may be several records of it. Otherwise a second one is
 *	refused: each costs memory until the tree is complete.
 * @required: Each living task has it. One without would keep what a new task
 *	has, and not be refused for what it may not have.
 * @dying: There is something left of it in a zombie: @checkpoint is called for
 *	zombies too, and @restore for a task that is alive yet, but will die.
 * @collect: Optional. ckpt_obj_collect() and ckpt_refuse(), as for objects.
 * @checkpoint: Required. Writes records of type @rec_type: none, one or more.
 * @restore: Required. Called for each such record, in the context of the task
 *	that is being restored. What must not happen before the whole tree is
 *	complete (signals, exit-time side effects) goes to ckpt_task_defer().
 *
 * @restore_dead: Optional. As @dying, for what death would change: called when
 *	@task has become a zombie again, in the context of the restarter.
 */
struct ckpt_task_ops {
	const char *name;
	u16 rec_type;
	bool leader_only;
	bool repeats;
	bool required;
	bool dying;
	int (*collect)(struct ckpt_ctx *ctx, struct task_struct *task);
	int (*checkpoint)(struct ckpt_ctx *ctx, struct task_struct *task);
	int (*restore)(struct ckpt_ctx *ctx, const struct ckpt_rec *rec);
	int (*restore_dead)(struct ckpt_ctx *ctx, struct task_struct *task,
			    const struct ckpt_rec *rec);
};

/**
 * struct ckpt_file_ops - one kind of open file
 * @name: Required. For people: "pipe", "eventfd".
 * @rec_type: Required. CKPT_REC_FILE_*: the record that follows CKPT_REC_FILE.
 * @fop: The f_op that identifies the kind, or NULL if match() does.
 * @match: Optional. Tells whether @file is of this kind; tried in order of
 *	registration when no @fop matches.
 * @collect: Optional. As in struct ckpt_obj_ops, for what @file refers to.
 * @version: Optional. As in struct ckpt_obj_ops, besides position and flags.
 * @checkpoint: Required. Writes records, the first of type @rec_type.
 * @restore: Required. Reads them; opens the file with @rec->f_flags. Returns
 *	the file with one reference. The caller sets position, flags and
 *	owner afterwards.
 */
struct ckpt_file_ops {
	const char *name;
	u16 rec_type;
	const struct file_operations *fop;
	bool (*match)(struct file *file);
	int (*collect)(struct ckpt_ctx *ctx, struct file *file);
	u64 (*version)(struct file *file);
	int (*checkpoint)(struct ckpt_ctx *ctx, struct file *file);
	struct file *(*restore)(struct ckpt_ctx *ctx, const struct ckpt_rec_file *rec);
};

#ifdef CONFIG_CHECKPOINT

/* Registration, from initcalls only. The tables are complete at late_initcall. */
int __init ckpt_register_obj(const struct ckpt_obj_ops *ops);
int __init ckpt_register_task_ops(const struct ckpt_task_ops *ops);
int __init ckpt_register_file(const struct ckpt_file_ops *ops);

/*
 * Log. ckpt_err() records why an operation fails and returns @err; the first
 * error wins. ckpt_refuse() is for state that cannot be represented: with
 * CHECKPOINT_DRY_RUN it records the obstacle and returns 0, so that one run
 * lists them all. "%(T)" style extensions do not exist: use ckpt_task_fmt.
 */
__printf(3, 4) int ckpt_err(struct ckpt_ctx *ctx, int err, const char *fmt, ...);
__printf(3, 4) int ckpt_refuse(struct ckpt_ctx *ctx, int err, const char *fmt, ...);
__printf(2, 3) void ckpt_warn(struct ckpt_ctx *ctx, const char *fmt, ...);

/*
 * Objects, while checkpointing. ckpt_obj_collect() counts one reference to
 * @ptr: the objref if this was the first, 0 if not. ckpt_obj_ref() is the
 * objref of a collected object, for a record that refers to it: an object that
 * was not collected appeared meanwhile and is a reverse leak (-EAGAIN).
 */
int ckpt_obj_collect(struct ckpt_ctx *ctx, void *ptr, const struct ckpt_obj_ops *ops);
int ckpt_obj_ref(struct ckpt_ctx *ctx, void *ptr, const struct ckpt_obj_ops *ops);
/* Notes that a collected object is used in a special way, and tells so while it is written. */
void ckpt_obj_mark(struct ckpt_ctx *ctx, void *ptr);
bool ckpt_obj_marked(struct ckpt_ctx *ctx);
/* Accounts a reference that is known to be legitimate but is not the tree's. */
void ckpt_obj_account(struct ckpt_ctx *ctx, void *ptr, int users);
/* The objref of @ptr or 0: never an error. */
int ckpt_obj_lookup(struct ckpt_ctx *ctx, void *ptr);
/* The first object of a kind that @match accepts, or NULL: walks over all objects. */
void *ckpt_obj_find(struct ckpt_ctx *ctx, const struct ckpt_obj_ops *ops,
		    bool (*match)(void *ptr, const void *arg), const void *arg);

/* A @match for who has the object already and asks whether it is one of them. */
static inline bool ckpt_is_ptr(void *ptr, const void *arg)
{
	return ptr == arg;
}

/*
 * Objects, while restarting: a borrowed pointer, valid until the end of the
 * restart, or ERR_PTR(-EINVAL) if @objref is not an object of that kind.
 */
void *ckpt_obj_fetch(struct ckpt_ctx *ctx, u32 objref, const struct ckpt_obj_ops *ops);
/* The objref of the object whose restore() is running. */
u32 ckpt_obj_current(struct ckpt_ctx *ctx);

/*
 * The record of a task that is no more than which object it uses (struct
 * ckpt_rec_task_objref): written, and read as what ckpt_obj_fetch() returns.
 */
int ckpt_task_write_ref(struct ckpt_ctx *ctx, u16 rec_type, void *ptr,
			const struct ckpt_obj_ops *ops);
void *ckpt_task_fetch_ref(struct ckpt_ctx *ctx, const struct ckpt_rec *in,
			  const struct ckpt_obj_ops *ops);

/* Writing. Payloads are copied into the block buffer: no locks are needed, it may sleep. */
int ckpt_write(struct ckpt_ctx *ctx, u16 type, const void *data, size_t len);
/* One record whose payload is @head followed by @tail. */
int ckpt_write2(struct ckpt_ctx *ctx, u16 type, const void *head, size_t head_len,
		const void *tail, size_t tail_len);
/*
 * Page contents: @runs describe them, @data is a copy of the pages with data in
 * order, at most CKPT_BLOCK_DATA_MAX bytes, and @hash its xxh64.
 */
int ckpt_write_pages(struct ckpt_ctx *ctx, u32 objref, const struct ckpt_page_run *runs,
		     unsigned int nr_runs, const void *data, size_t len, u64 hash);

/*
 * Reading. ckpt_read() demands a record of @type whose payload, completed with
 * zeros, is copied to @buf (@len bytes): -EINVAL otherwise. ckpt_read_tail()
 * also returns what follows the fixed part of @len bytes, within the block
 * buffer. ckpt_peek() is the type of the next record, or an errno.
 */
int ckpt_read(struct ckpt_ctx *ctx, u16 type, void *buf, size_t len);
int ckpt_read_tail(struct ckpt_ctx *ctx, u16 type, void *buf, size_t len,
		   const void **tail, size_t *tail_len);
int ckpt_read_rec(struct ckpt_ctx *ctx, struct ckpt_rec *rec);
int ckpt_peek(struct ckpt_ctx *ctx);
/* Copies a record's fixed part with the extension rules of the format. */
int ckpt_rec_copy(const struct ckpt_rec *rec, void *buf, size_t len);
/*
 * Contents of the DATA block that the last CKPT_REC_PAGES announced, in order;
 * ckpt_read_data_done() verifies its hash and demands that all was read.
 */
int ckpt_read_data(struct ckpt_ctx *ctx, struct iov_iter *to, size_t len);
int ckpt_read_data_done(struct ckpt_ctx *ctx);

/* The tree, while checkpointing. */
bool ckpt_task_collected(struct ckpt_ctx *ctx, struct task_struct *task);
bool ckpt_dry_run(struct ckpt_ctx *ctx);
u64 ckpt_image_flags(struct ckpt_ctx *ctx);

/* pid as the image names it; 0 if @pid is not visible to the caller */
pid_t ckpt_pid_nr(struct ckpt_ctx *ctx, struct pid *pid);
/*
 * Calls @fn for every task of the system that is outside the tree, kernel
 * threads excluded, with a reference held and no lock, until it returns
 * non-zero, which is returned.
 */
int ckpt_visit_outsiders(struct ckpt_ctx *ctx,
			 int (*fn)(struct task_struct *task, void *arg), void *arg);
void ckpt_set_holder(struct ckpt_holder *holder, struct task_struct *task);
/* find_holder() of what a task_struct points to, at @field; @how is for people. */
int ckpt_find_sharer(struct ckpt_ctx *ctx, size_t field, const void *ptr, const char *how,
		     struct ckpt_holder *holder);

/**
 * struct ckpt_shift - what to add to a time of the image [ns]
 * @monotonic: of CLOCK_MONOTONIC
 * @boottime: of CLOCK_BOOTTIME
 *
 * Both are those of the machine. See struct ckpt_rec_clocks.
 */
struct ckpt_shift {
	s64 monotonic;
	s64 boottime;
};

/* For deferred work, while it runs: before, nobody knows how long a restart takes. */
const struct ckpt_shift *ckpt_shift(struct ckpt_ctx *ctx);
/* @time of the image as a time of this machine, never before it has started */
ktime_t ckpt_shifted(ktime_t time, s64 shift);

/* CHECKPOINT_* or RESTART_* */
u64 ckpt_flags(struct ckpt_ctx *ctx);

/*
 * A task that is being restored begins with all signals blocked, without a
 * descriptor table (current->files is NULL), and in the mm of the restarter.
 * Its mask, like all that signals and exit act on, is restored by a deferred fn.
 *
 * Runs @fn in the context of current, the task that is being restored, when
 * the whole tree is complete and nothing can fail any more, in order of
 * registration, just before it returns to user mode. @data (@len bytes) is
 * copied. -ENOMEM.
 */
int ckpt_task_defer(struct ckpt_ctx *ctx, void (*fn)(void *data), const void *data,
		    size_t len);

bool ckpt_has_own_mm(struct ckpt_ctx *ctx);

/* Does current say the same of its time namespace (a number, not 0) as all with its mm? */
bool ckpt_same_time_ns(struct ckpt_ctx *ctx, u32 time_ns);

/**
 * struct ckpt_pending - pending signals of a task or a process, without those of timers
 * @set: which there are, signal 1 in bit 0
 * @nr: how many are queued
 * @last: the one that was queued last, or 0
 */
struct ckpt_pending {
	u64 set;
	u32 nr;
	u32 last;
};

struct sigpending;
void ckpt_pending_get(const struct sigpending *pending, struct ckpt_pending *now);

/* An external object: its key when checkpointing, its stand-in when restarting. */
const char *ckpt_external_key(struct ckpt_ctx *ctx, struct file *file);
struct file *ckpt_external_file(struct ckpt_ctx *ctx, const char *key, size_t len);

/* The same for an open file, with the caller's terminal for CHECKPOINT_SHELL_JOB. */
const char *ckpt_file_external_key(struct ckpt_ctx *ctx, struct file *file);
/* ckpt_refuse() for an open file: says first which task holds it and by what. */
__printf(3, 4) int ckpt_file_refuse(struct ckpt_ctx *ctx, struct file *file,
				    const char *fmt, ...);

/* Where the restarter's paths start: root of the caller. Borrowed. */
const struct path *ckpt_root(struct ckpt_ctx *ctx);

/* Had the caller @cap in its user namespace? Asks for what credentials restored since hide. */
bool ckpt_caller_capable(struct ckpt_ctx *ctx, int cap);

/*
 * Paths as the caller sees them: as text; why one cannot be found again by it;
 * from text that was read; found again, as of now.
 */
char *ckpt_path_get(struct ckpt_ctx *ctx, const struct path *path, char *buf);
const char *ckpt_path_obstacle(struct ckpt_ctx *ctx, const struct path *path, char *buf);
char *ckpt_path_from_image(struct ckpt_ctx *ctx, const void *data, size_t len);
void ckpt_path_put(char *name);
int ckpt_path_lookup(struct ckpt_ctx *ctx, const char *name, struct path *path);

/* "pid 123 (name)" of the task whose state is being collected, saved or restored */
const char *ckpt_whom(struct ckpt_ctx *ctx);

/* The machine: CPU features and vdso. ckpt_arch_check() names what is missing. */
void ckpt_arch_fill(struct ckpt_ctx *ctx, struct ckpt_rec_arch *rec);
int ckpt_arch_check(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *rec);

/* The vdsos of an image from another kernel build: hang on the context, freed with it. */
struct ckpt_foreign_vdso;
struct ckpt_foreign_vdso **ckpt_vdso_slot(struct ckpt_ctx *ctx);
int ckpt_arch_vdso_write(struct ckpt_ctx *ctx, struct task_struct *task,
			 const struct ckpt_rec_arch *arch);
int ckpt_arch_vdso_read(struct ckpt_ctx *ctx, const struct ckpt_rec_arch *arch);
void ckpt_arch_vdso_free(struct ckpt_foreign_vdso *foreign);

/* Owner kinds that other kinds refer to; each is defined beside its code. */
extern const struct ckpt_obj_ops ckpt_pipe_obj_ops;
extern const struct ckpt_obj_ops ckpt_shmem_obj_ops;
extern const struct ckpt_obj_ops ckpt_file_obj_ops;
extern const struct ckpt_obj_ops ckpt_mm_obj_ops;
extern const struct ckpt_obj_ops ckpt_sighand_obj_ops;
extern const struct ckpt_obj_ops ckpt_fs_obj_ops;
extern const struct ckpt_obj_ops ckpt_files_obj_ops;

/*
 * Memory that is a file on shmem or hugetlbfs, by its dentry: who uses it, whether
 * its pages can be saved. Its pages, up to CKPT_REC_PAGES_END.
 */
long ckpt_shmem_users(void *dentry);
int ckpt_shmem_find_holder(struct ckpt_ctx *ctx, void *dentry, struct ckpt_holder *holder);
int ckpt_shmem_check_pages(struct ckpt_ctx *ctx, void *dentry);
int ckpt_shmem_write_pages(struct ckpt_ctx *ctx, struct inode *inode, u32 objref);
int ckpt_shmem_read_pages(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_file_shows(void *file, const void *dentry);

/* A mapping of @file, which may be an attachment of System V shared memory. */
#ifdef CONFIG_SYSVIPC
int ckpt_shm_collect_mapping(struct ckpt_ctx *ctx, struct file *file);
void ckpt_shm_mapped(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_shm_dies_with(struct task_struct *task);
#else
static inline int ckpt_shm_collect_mapping(struct ckpt_ctx *ctx, struct file *file)
{
	return 0;
}

static inline bool ckpt_shm_dies_with(struct task_struct *task)
{
	return false;
}

static inline void ckpt_shm_mapped(struct ckpt_ctx *ctx, struct file *file)
{
}
#endif

/*
 * What an architecture keeps in an mm. The code is in its mm directory;
 * ckpt_arch_vma() tells whether a mapping is restored by ckpt_arch_mm_restore(),
 * in the context of current, into the empty mm of current. ckpt_arch_mm_finish()
 * follows when the other mappings are there.
 */
struct mm_struct;
struct vm_area_struct;
int ckpt_arch_mm_collect(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_arch_mm_write(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_arch_mm_restore(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_arch_mm_finish(struct ckpt_ctx *ctx, struct mm_struct *mm);
bool ckpt_arch_old_sigreturn(struct ckpt_ctx *ctx, struct mm_struct *mm);
bool ckpt_arch_vma(struct vm_area_struct *vma);
bool ckpt_arch_shadow_stacks(void);

/* Gives current, which has the mm of the restarter or is to die, an empty mm. */
int ckpt_mm_switch_to_empty(struct ckpt_ctx *ctx);

/* AIO contexts belong to an mm; their rings are mapped by the kernel. */
#ifdef CONFIG_AIO
bool ckpt_aio_vma(struct vm_area_struct *vma);
const char *ckpt_aio_obstacle(struct vm_area_struct *vma);
int ckpt_aio_collect(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_aio_write(struct ckpt_ctx *ctx, struct mm_struct *mm);
int ckpt_aio_read(struct ckpt_ctx *ctx);
#else
static inline bool ckpt_aio_vma(struct vm_area_struct *vma)
{
	return false;
}

static inline const char *ckpt_aio_obstacle(struct vm_area_struct *vma)
{
	return NULL;
}

static inline int ckpt_aio_collect(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	return 0;
}

static inline int ckpt_aio_write(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	return 0;
}

static inline int ckpt_aio_read(struct ckpt_ctx *ctx)
{
	if (ckpt_peek(ctx) != CKPT_REC_AIO)
		return 0;
	return ckpt_err(ctx, -EOPNOTSUPP, "AIO context: this kernel has none");
}
#endif

/* Copy-on-write bookkeeping of a checkpoint: hangs on the context, freed with it. */
struct ckpt_cow;
struct ckpt_cow **ckpt_cow_slot(struct ckpt_ctx *ctx);
void ckpt_cow_free(struct ckpt_cow *cow);

/*
 * A restored task whose registers are those of an interrupted system call
 * continues it, as a thawed one does: set by the part that restores registers,
 * read on the way to user mode.
 */
void ckpt_mark_woken(void);

void ckpt_reset_speculation(void);

/* The sighand of a task that cannot lose it now: current, or one that is held. */
#define ckpt_sighand(task)	rcu_dereference_protected((task)->sighand, true)

#endif /* CONFIG_CHECKPOINT */

#endif /* _LINUX_CHECKPOINT_H */
