/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's names for the functions of libxxhash. A fuzzer would never guess
 * a hash: with SHIM_NO_HASH all of them are 0.
 */
#ifndef _CKPT_UNIT_XXHASH_H
#define _CKPT_UNIT_XXHASH_H

#include "../shim.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#ifdef SHIM_NO_HASH
#define shim_hash(hash)	((void)(hash), 0)
#else
#define shim_hash(hash)	(hash)
#endif

struct xxh64_state {
	XXH64_state_t state;
};

static inline u64 xxh64(const void *input, size_t length, u64 seed)
{
	return shim_hash(XXH64(input, length, seed));
}

static inline void xxh64_reset(struct xxh64_state *state, u64 seed)
{
	XXH64_reset(&state->state, seed);
}

static inline int xxh64_update(struct xxh64_state *state, const void *input, size_t length)
{
	return XXH64_update(&state->state, input, length);
}

static inline u64 xxh64_digest(const struct xxh64_state *state)
{
	return shim_hash(XXH64_digest(&state->state));
}

#endif
