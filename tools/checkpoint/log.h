/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CKPT_TOOL_LOG_H
#define _CKPT_TOOL_LOG_H

struct ckpt_log;

/* Empties the log; the descriptor for the kernel to write to, -1 without log. */
int ckpt_log_begin(struct ckpt_log *log);
/* Reads what the kernel has written. */
void ckpt_log_end(struct ckpt_log *log);

#endif
