/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CKPT_TOOL_ORDER_H
#define _CKPT_TOOL_ORDER_H

struct ckpt_order;
struct ckpt_image_record;

struct ckpt_order *ckpt_order_new(void);
void ckpt_order_free(struct ckpt_order *order);
/*
 * 0 if the next record is right where it stands; else -EINVAL, -E2BIG if it needs a
 * newer reader, or -ENOMEM. @complaint says what is wrong, and is a constant.
 */
int ckpt_order_check(struct ckpt_order *order, const struct ckpt_image_record *record,
		     const char **complaint);

#endif
