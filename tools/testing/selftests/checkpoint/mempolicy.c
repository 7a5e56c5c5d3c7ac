// SPDX-License-Identifier: GPL-2.0
/* NUMA memory policies: of tasks, of mappings, and of shared memory whoever maps it. */
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <sys/shm.h>

#include "mapping.h"

#define BITS	1024

#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE	6
#endif
#ifndef MPOL_F_NUMA_BALANCING
#define MPOL_F_NUMA_BALANCING	(1 << 13)
#endif
#ifndef __NR_set_mempolicy_home_node
#define __NR_set_mempolicy_home_node	450
#endif

struct policy {
	int mode;
	unsigned long nodes;
};

static int nodes(void)
{
	int n = 0;
	char path[64];

	do
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", n);
	while (!access(path, F_OK) && ++n);
	return n;
}

#define SURVIVE_NUMA(name)	SURVIVE_IF(name, nodes() >= 2, "one NUMA node only")

static struct policy policy_of(void *addr)
{
	unsigned long mask[BITS / 64] = { };
	struct policy p;

	CHECK(!syscall(SYS_get_mempolicy, &p.mode, mask, BITS, addr, addr ? MPOL_F_ADDR : 0));
	p.nodes = mask[0];
	return p;
}

static void check_policy(void *addr, int mode, unsigned long nodes)
{
	struct policy p = policy_of(addr);

	CHECK_EQ(p.mode, mode);
	CHECK_EQ(p.nodes, nodes);
}

static void set_policy(int mode, unsigned long mask)
{
	CHECK(!syscall(SYS_set_mempolicy, mode, &mask, 64));
}

static void bind_to(void *addr, size_t len, int mode, unsigned long mask)
{
	CHECK(!syscall(SYS_mbind, addr, len, mode, &mask, 64, 0));
}

static int node_of(void *addr)
{
	int node;

	CHECK(!syscall(SYS_get_mempolicy, &node, NULL, 0, addr, MPOL_F_NODE | MPOL_F_ADDR));
	return node;
}

static const struct policy all[] = {
	{ MPOL_DEFAULT, 0 },
	{ MPOL_BIND, 2 },
	{ MPOL_BIND | MPOL_F_STATIC_NODES, 3 },
	{ MPOL_BIND | MPOL_F_RELATIVE_NODES, 1 },
	{ MPOL_BIND | MPOL_F_NUMA_BALANCING, 1 },
	{ MPOL_INTERLEAVE, 3 },
	{ MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 2 },
	{ MPOL_WEIGHTED_INTERLEAVE, 3 },
	{ MPOL_PREFERRED, 2 },
	{ MPOL_PREFERRED | MPOL_F_STATIC_NODES, 2 },
	{ MPOL_PREFERRED_MANY, 3 },
	{ MPOL_LOCAL, 0 },
};

#define NR	((int)ARRAY_SIZE(all))

/* Starts children that run @fn and then end; they wait for shared[0]. */
static void start_children(int nr, void (*fn)(int i, volatile int *shared), volatile int *shared)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (!fork()) {
			fn(i, shared);
			_exit(0);
		}
	}
	while (shared[1] != nr)
		subject_sleep_ms(1);
}

static void end_children(int nr, volatile int *shared)
{
	int status;

	shared[0] = 1;
	syscall(SYS_futex, shared, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	while (nr--) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

static void wait_for_end(volatile int *shared)
{
	__sync_fetch_and_add(&shared[1], 1);
	while (!shared[0])
		syscall(SYS_futex, shared, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void child_with_policy(int i, volatile int *shared)
{
	set_policy(all[i].mode, all[i].nodes);
	wait_for_end(shared);
	check_policy(NULL, all[i].mode, all[i].nodes);
}

SURVIVE_NUMA(tasks)
{
	volatile int *shared = (void *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);

	start_children(NR, child_with_policy, shared);
	subject_ready();
	check_policy(NULL, MPOL_DEFAULT, 0);
	end_children(NR, shared);
}

static int next_node(void)
{
	int node;

	CHECK(!syscall(SYS_get_mempolicy, &node, NULL, 0, NULL, MPOL_F_NODE));
	return node;
}

static void child_that_interleaves(int i, volatile int *shared)
{
	static const char page[PAGE];
	int fds[2];

	/* Memory of a mapping goes by its address, that of a pipe by turns. */
	CHECK(!pipe(fds));
	set_policy(MPOL_INTERLEAVE, 3);
	do
		CHECK_EQ(write(fds[1], page, PAGE), PAGE);
	while (next_node() != i % 2);
	CHECK(!close(fds[0]) && !close(fds[1]));
	wait_for_end(shared);
	if (next_node() == i % 2)
		__sync_fetch_and_add(&shared[2], 1);
}

/* The kernel takes a page for itself now and then: nearly all are where they were. */
SURVIVE_NUMA(interleaving_goes_on)
{
	volatile int *shared = (void *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);

	start_children(16, child_that_interleaves, shared);
	subject_ready();
	end_children(16, shared);
	CHECK(shared[2] >= 12);
}

static void subject_without_policy(void)
{
	subject_ready();
	check_policy(NULL, MPOL_DEFAULT, 0);
}

/* What the tree inherits from the restarter does not stay. */
TEST_F(refuse, policy_of_the_restarter)
{
	unsigned long node = 1;

	ASSERT_TRUE(subject_start(&self->s, subject_without_policy)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	waitpid(self->s.pid, NULL, 0);
	ASSERT_EQ(syscall(SYS_set_mempolicy, MPOL_PREFERRED, &node, 64), 0);
	ASSERT_EQ(subject_restart(&self->s, 0), self->s.pid) subject_print(&self->s);
	EXPECT_EQ(subject_finish(&self->s), 0) subject_print(&self->s);
	self->s.pid = 0;
}

SURVIVE_NUMA(mappings)
{
	unsigned char *p = map(NR * 4 * PAGE, RW, ANON, -1);
	int i, j;

	for (i = 0; i < NR; i++) {
		bind_to(p + i * 4 * PAGE, 4 * PAGE, all[i].mode, all[i].nodes);
		memset(p + i * 4 * PAGE, i, 3 * PAGE);
	}
	subject_ready();
	for (i = 0; i < NR; i++) {
		unsigned char *q = p + i * 4 * PAGE;

		check_policy(q, all[i].mode, all[i].nodes);
		for (j = 0; j < 3; j++) {
			CHECK_EQ(q[j * PAGE], i);
			if (all[i].nodes == 2)
				CHECK_EQ(node_of(q + j * PAGE), 1);
		}
		q[3 * PAGE] = 1;
		if (all[i].nodes == 2)
			CHECK_EQ(node_of(q + 3 * PAGE), 1);
	}
}

/* numa_maps does not show it, but what cannot be had is refused. */
SURVIVE_NUMA(home_node)
{
	unsigned char *p = map(4 * PAGE, RW, ANON, -1);

	bind_to(p, 4 * PAGE, MPOL_BIND, 3);
	CHECK(!syscall(__NR_set_mempolicy_home_node, p, 4 * PAGE, 1, 0));
	subject_ready();
	check_policy(p, MPOL_BIND, 3);
	p[0] = 1;
	CHECK_EQ(node_of(p), 1);
}

/* The same policies and names on both sides of a hole: nothing is mixed up. */
SURVIVE_NUMA(neighbours)
{
	unsigned char *p = map(4 * PAGE, RW, ANON, -1);

	CHECK(!mprotect(p + PAGE, PAGE, PROT_READ));
	bind_to(p, PAGE, MPOL_BIND, 2);
	bind_to(p + PAGE, 2 * PAGE, MPOL_BIND, 1);
	bind_to(p + 3 * PAGE, PAGE, MPOL_INTERLEAVE, 1);
	memset(p + 2 * PAGE, 1, 2 * PAGE);
	subject_ready();
	check_policy(p, MPOL_BIND, 2);
	check_policy(p + PAGE, MPOL_BIND, 1);
	check_policy(p + 2 * PAGE, MPOL_BIND, 1);
	check_policy(p + 3 * PAGE, MPOL_INTERLEAVE, 1);
	p[0] = 1;
	CHECK_EQ(node_of(p), 1);
	CHECK_EQ(node_of(p + 2 * PAGE), 0);
}

/* Set through a mapping that is no more: the file has it. */
SURVIVE_NUMA(shared_memory)
{
	unsigned char *anon = map(8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1), *p;
	int fd = memfd_create("policies", MFD_CLOEXEC);

	CHECK(fd >= 0 && !ftruncate(fd, 16 * PAGE));
	p = map(16 * PAGE, RW, MAP_SHARED, fd);
	bind_to(p + PAGE, PAGE, MPOL_BIND, 2);
	bind_to(p + 4 * PAGE, 4 * PAGE, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 3);
	memset(p, 1, 8 * PAGE);
	CHECK(!munmap(p, 16 * PAGE));
	bind_to(anon, 4 * PAGE, MPOL_PREFERRED, 2);
	subject_ready();
	p = map(16 * PAGE, RW, MAP_SHARED, fd);
	check_policy(p, MPOL_DEFAULT, 0);
	check_policy(p + PAGE, MPOL_BIND, 2);
	check_policy(p + 2 * PAGE, MPOL_DEFAULT, 0);
	check_policy(p + 4 * PAGE, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 3);
	check_policy(p + 7 * PAGE, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 3);
	check_policy(p + 8 * PAGE, MPOL_DEFAULT, 0);
	CHECK_EQ(p[PAGE], 1);
	CHECK_EQ(node_of(p + PAGE), 1);
	check_policy(anon, MPOL_PREFERRED, 2);
	check_policy(anon + 4 * PAGE, MPOL_DEFAULT, 0);
}

SURVIVE_NUMA(sysv_segments)
{
	int removed = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	int kept = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	unsigned char *p = shmat(removed, NULL, 0), *q = shmat(kept, NULL, 0);

	CHECK(p != (void *)-1 && q != (void *)-1 && !shmctl(removed, IPC_RMID, NULL));
	bind_to(p + PAGE, PAGE, MPOL_BIND, 2);
	bind_to(q + PAGE, PAGE, MPOL_BIND, 2);
	subject_ready();
	check_policy(p, MPOL_DEFAULT, 0);
	check_policy(p + PAGE, MPOL_BIND, 2);
	check_policy(q + PAGE, MPOL_BIND, 2);
	p[PAGE] = 1;
	CHECK_EQ(node_of(p + PAGE), 1);
	CHECK(!shmctl(kept, IPC_RMID, NULL));
}

TEST_HARNESS_MAIN
