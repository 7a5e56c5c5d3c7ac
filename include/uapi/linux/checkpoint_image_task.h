/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The checkpoint image: what belongs to tasks, and what they share that is no memory or file.
 */
#ifndef _UAPI_LINUX_CHECKPOINT_IMAGE_TASK_H
#define _UAPI_LINUX_CHECKPOINT_IMAGE_TASK_H

#include <linux/checkpoint_image.h>

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
#define CKPT_MISCF_OWN_UNDO	(1 << 3)	/* shares no semaphore undo list with other threads */
#define CKPT_MISCF_NPROC_EXCEEDED (1 << 4)	/* execve() fails while RLIMIT_NPROC is exceeded */
#define CKPT_MISCF_ALL		((1 << 5) - 1)

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
 * @hangup_group: of the leader of a session whose terminal has hung up: the
 *	process group that gets SIGHUP when it exits, or 0
 * @pad: 0
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
	__u32 hangup_group;
	__u32 pad;
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
 * struct ckpt_told_times - CPU time as it was told last, below which none is told [ns]
 * @utime: in user mode
 * @stime: in the kernel
 */
struct ckpt_told_times {
	__u64 utime;
	__u64 stime;
};

/**
 * struct ckpt_rec_task_times - CKPT_REC_TASK_TIMES, for each thread
 * @usage: what it has used
 * @told: as it was told last
 * @io: what it has read and written
 * @runtime: time on a CPU as the scheduler measures it [ns], of
 *	CLOCK_THREAD_CPUTIME_ID
 * @start: CLOCK_MONOTONIC when it was created [ns]; before the machine has
 *	started, and then below 0, if it was restarted
 * @boot_start: CLOCK_BOOTTIME when it was created [ns]
 * @run_delay: time that it has waited for a CPU [ns]; 0 if the kernel does not
 *	count it, as @nr_runs
 * @nr_runs: how often it was given a CPU
 */
struct ckpt_rec_task_times {
	struct ckpt_usage usage;
	struct ckpt_told_times told;
	struct ckpt_io_usage io;
	__u64 runtime;
	__s64 start;
	__s64 boot_start;
	__u64 run_delay;
	__u64 nr_runs;
};

/**
 * struct ckpt_rec_task_usage - CKPT_REC_TASK_USAGE, for each process
 * @threads: what threads that are dead have used
 * @told: CPU time of all threads as it was told last
 * @children: what children that were waited for have used
 * @io: what dead threads and children have read and written
 * @runtime: time on a CPU of the dead threads [ns]
 */
struct ckpt_rec_task_usage {
	struct ckpt_usage threads;
	struct ckpt_told_times told;
	struct ckpt_usage children;
	struct ckpt_io_usage io;
	__u64 runtime;
};

#define CKPT_TIMERF_TIME_OF_DAY	(1 << 0)	/* TIMER_ABSTIME of CLOCK_REALTIME */
#define CKPT_TIMERF_PENDING	(1 << 1)	/* has gone off, and nobody took the signal yet */
#define CKPT_TIMERF_ALL		((1 << 2) - 1)

#define CKPT_MAX_TIMER_TURN	(1 << 27)

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
 * @turn: CKPT_TIMERF_PENDING: of the signals of timers that are queued for the
 *	same thread or process, that with a lower number came first; 0 otherwise
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
	__u32 turn;
};

#define CKPT_NR_ITIMERS		3

#define CKPT_ITIMERF_ALARM	(1 << 0)	/* SIGALRM was pending */
#define CKPT_ITIMERF_WAITS	(1 << 1)	/* ITIMER_REAL goes on when SIGALRM is taken */
#define CKPT_ITIMERF_ALL	((1 << 2) - 1)

/**
 * struct ckpt_rec_task_itimers - CKPT_REC_TASK_ITIMERS
 * @expires: by ITIMER_*, 0 if it is off: when it goes off [ns]: CLOCK_MONOTONIC
 *	for ITIMER_REAL, CPU time of the process for the others; with
 *	CKPT_ITIMERF_WAITS when ITIMER_REAL has gone off
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
 * @dumpable: of the dead: 1 if others with these ids may look at it
 * @nr_groups: number of __u32 that follow: the supplementary groups, sorted
 *
 * Ids that the user namespace has no number for are ~0: those of the caller.
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

/* Attributes of /proc/PID/attr that have a label; see struct ckpt_rec_task_lsm. */
enum {
	CKPT_LSM_CURRENT,
	CKPT_LSM_EXEC,
	CKPT_LSM_FSCREATE,
	CKPT_LSM_KEYCREATE,
	CKPT_LSM_SOCKCREATE,
	CKPT_LSM_ATTR_MAX,
};

#define CKPT_LSM_LABEL_MAX	4095

/**
 * struct ckpt_rec_task_lsm - CKPT_REC_TASK_LSM, if a security module that labels
 *	tasks is active: the labels of the task, one after the other, without NUL
 * @id: of the module: LSM_ID_SELINUX, LSM_ID_SMACK or LSM_ID_APPARMOR
 * @len: bytes of the label of each attribute, at most CKPT_LSM_LABEL_MAX; 0 if
 *	the attribute is not set, which @len[CKPT_LSM_CURRENT] cannot be
 * @pad: 0
 *
 * An AppArmor label is what changeprofile takes, without the mode.
 */
struct ckpt_rec_task_lsm {
	__u64 id;
	__u32 len[CKPT_LSM_ATTR_MAX];
	__u32 pad;
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
 *	in order of arrival; those of POSIX timers are not among them, see
 *	CKPT_TIMERF_PENDING, and come after them when the tree is restarted
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
#define CKPT_RESTART_WRITE	6	/* write(2) that has written a part */

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
 * @nfds: poll: number of entries; write: the descriptor
 * @addr: futex word, struct pollfd array, struct timespec, buffer of a write, or
 *	the stack pointer of the call that begins again
 * @time_ns: when it ends: a time of @clockid; write: the stack pointer
 * @futex_val: expected value; write: bytes to write
 * @futex_bitset: FUTEX_WAIT_BITSET; write: bytes that were written
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
 * struct ckpt_rec_task_tls - CKPT_REC_TASK_TLS, if any is in use
 * @desc: the thread's TLS descriptors
 */
struct ckpt_rec_task_tls {
	struct ckpt_user_desc desc[CKPT_TLS_ENTRIES];
};

/* Bytes of the I/O permission bitmap, at most */
#define CKPT_IO_BITMAP_MAX	8192

/**
 * struct ckpt_rec_task_io_ports - CKPT_REC_TASK_IO_PORTS, if the task may access any
 * @iopl: what it has given to iopl(2)
 * @bytes: bytes of the bitmap that follows, a multiple of 8: a bit that is 0
 *	allows the port of that number, as does ioperm(2). Ports behind its end
 *	are not allowed
 */
struct ckpt_rec_task_io_ports {
	__u32 iopl;
	__u32 bytes;
};

#define CKPT_XSTATE_MAX		65536

/**
 * struct ckpt_rec_task_xstate - CKPT_REC_TASK_XSTATE
 * @size: bytes that follow: the FPU registers in the standard format of
 *	XSAVE, or of FXSAVE if they are 512
 * @permitted: components that the process has asked for by ARCH_REQ_XCOMP_PERM,
 *	bit n is number n
 * @layout: where the CPU has these, as struct ckpt_rec_arch.xstate_layout
 * @guest_permitted: as @permitted, for virtual machines: ARCH_REQ_XCOMP_GUEST_PERM
 */
struct ckpt_rec_task_xstate {
	__u32 size;
	__u32 permitted;
	__u32 layout;
	__u32 guest_permitted;
};

/**
 * struct ckpt_rec_task_shstk - CKPT_REC_TASK_SHSTK, if it has a shadow stack, or
 *	may not have one
 * @features: ARCH_SHSTK_* that are enabled
 * @locked: those that ARCH_SHSTK_LOCK keeps as they are
 * @ssp: the shadow stack pointer, 0 without ARCH_SHSTK_SHSTK, as the next two
 * @base: the mapping that ends with the task, 0 if there is none
 * @size: its size in bytes
 */
struct ckpt_rec_task_shstk {
	__u64 features;
	__u64 locked;
	__u64 ssp;
	__u64 base;
	__u64 size;
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
 * @cr2: of the last fault, as signal handlers find it: address
 * @error_code: as @cr2: its error code
 * @trap_nr: as @cr2: its number
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
	__u64 cr2;
	__u64 error_code;
	__u64 trap_nr;
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

#endif /* _UAPI_LINUX_CHECKPOINT_IMAGE_TASK_H */
