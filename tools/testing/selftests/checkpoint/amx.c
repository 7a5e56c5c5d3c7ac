// SPDX-License-Identifier: GPL-2.0
/* The tiles of AMX, and the permission to use them. */
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "ckpt_test.h"

#define XTILE_DATA	18
#define ROWS		16
#define ROW_LEN		64

struct tile_config {
	uint8_t palette, start_row, reserved[14];
	uint16_t row_len[16];
	uint8_t rows[16];
};

static bool ask(void)
{
	return !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILE_DATA);
}

static bool is_in_mask(int option)
{
	uint64_t mask = 0;

	CHECK(!syscall(SYS_arch_prctl, option, &mask));
	return mask & 1UL << XTILE_DATA;
}

static bool is_permitted(void)
{
	return is_in_mask(ARCH_GET_XCOMP_PERM);
}

static bool has_amx(void)
{
	pid_t kid = fork();
	int how;

	if (!kid)
		_exit(!ask());
	return waitpid(kid, &how, 0) == kid && !how;
}

#define SURVIVE_AMX(name)	SURVIVE_IF(name, has_amx(), "no AMX")

struct tile {
	uint8_t row[ROWS][ROW_LEN];
};

static void load0(const struct tile *tile)
{
	asm volatile("tileloadd (%0,%1,1), %%tmm0"
		     : : "r"(tile), "r"((long)ROW_LEN) : "memory");
}

static void load7(const struct tile *tile)
{
	asm volatile("tileloadd (%0,%1,1), %%tmm7"
		     : : "r"(tile), "r"((long)ROW_LEN) : "memory");
}

static void store0(struct tile *tile)
{
	asm volatile("tilestored %%tmm0, (%0,%1,1)"
		     : : "r"(tile), "r"((long)ROW_LEN) : "memory");
}

static void store7(struct tile *tile)
{
	asm volatile("tilestored %%tmm7, (%0,%1,1)"
		     : : "r"(tile), "r"((long)ROW_LEN) : "memory");
}

static void fill(struct tile *tile, int seed)
{
	int i, j;

	for (i = 0; i < ROWS; i++)
		for (j = 0; j < ROW_LEN; j++)
			tile->row[i][j] = seed * 7 + i * 3 + j;
}

/* Tile 7 is smaller, so that its configuration can be told from what is stored. */
static void configure(void)
{
	_Alignas(64) struct tile_config config = { .palette = 1 };

	config.rows[0] = ROWS;
	config.row_len[0] = ROW_LEN;
	config.rows[7] = ROWS / 2;
	config.row_len[7] = ROW_LEN / 2;
	asm volatile("ldtilecfg %0" : : "m"(config));
}

static void load(int seed)
{
	struct tile tile;

	configure();
	fill(&tile, seed);
	load0(&tile);
	fill(&tile, seed + 1);
	load7(&tile);
}

static void compare(int seed)
{
	struct tile want, small, got;
	int i;

	fill(&want, seed);
	store0(&got);
	CHECK(!memcmp(&want, &got, sizeof(want)));
	fill(&small, seed + 1);
	for (i = 0; i < ROWS / 2; i++)
		memcpy(want.row[i], small.row[i], ROW_LEN / 2);
	store7(&got);
	CHECK(!memcmp(&want, &got, sizeof(want)));
	asm volatile("tilerelease");
}

SURVIVE_AMX(tiles)
{
	CHECK(ask());
	load(1);
	subject_ready();
	compare(1);
	CHECK(is_permitted());
}

/* Asked for by one thread, for all of them; used by some. */
static void *use_tiles(void *arg)
{
	long seed = (long)arg;

	if (seed & 1)
		load(seed);
	while (access("go", F_OK))
		subject_sleep_ms(1);
	if (!(seed & 1))
		load(seed);
	compare(seed);
	return NULL;
}

SURVIVE_AMX(tiles_of_threads)
{
	pthread_t threads[4];
	long i;

	CHECK(ask());
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, use_tiles, (void *)i));
	subject_sleep_ms(100);
	subject_ready();
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

static bool dies_of_tiles(void)
{
	pid_t kid = fork();
	int how;

	if (!kid) {
		load(1);
		_exit(0);
	}
	CHECK_EQ(waitpid(kid, &how, 0), kid);
	return WIFSIGNALED(how) && WTERMSIG(how) == SIGILL;
}

SURVIVE_AMX(permission_only)
{
	CHECK(ask());
	subject_ready();
	CHECK(is_permitted());
	load(2);
	compare(2);
}

SURVIVE_AMX(permission_for_virtual_machines)
{
	CHECK(!syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM, XTILE_DATA));
	subject_ready();
	CHECK(!is_permitted());
	CHECK(is_in_mask(ARCH_GET_XCOMP_GUEST_PERM));
}

SURVIVE_AMX(no_permission)
{
	subject_ready();
	CHECK(!is_permitted());
	CHECK(!is_in_mask(ARCH_GET_XCOMP_GUEST_PERM));
	CHECK(dies_of_tiles());
}

TEST_HARNESS_MAIN
