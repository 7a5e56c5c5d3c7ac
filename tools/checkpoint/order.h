/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CKPT_TOOL_ORDER_H
#define _CKPT_TOOL_ORDER_H

struct ckpt_order;
struct ckpt_image_record;

struct ckpt_order *ckpt_order_new(void);
void ckpt_order_free(struct ckpt_order *order);
/* What is wrong with the next record where it stands, or NULL. */
const char *ckpt_order_check(struct ckpt_order *order, const struct ckpt_image_record *record);

#endif
