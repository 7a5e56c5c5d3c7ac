/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CKPT_TOOL_EXTERNAL_H
#define _CKPT_TOOL_EXTERNAL_H

#include <linux/checkpoint.h>

struct ckpt_externals;

const struct checkpoint_external *ckpt_externals_array(const struct ckpt_externals *set);
unsigned int ckpt_externals_count(const struct ckpt_externals *set);

#endif
