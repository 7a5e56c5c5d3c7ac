/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An image taken apart into records, and put together again with hashes that
 * are right whatever is in it.
 */
#ifndef _CKPT_CODEC_H
#define _CKPT_CODEC_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ckpt_test.h"

#define MAX_ITEMS	4096
#define MAX_IMAGE	(8 << 20)

/* A record, or the payload of a DATA block. */
struct item {
	bool data;
	uint16_t type;
	uint16_t flags;
	uint32_t len;
	uint32_t claimed;	/* what the header says instead of @len, if not 0 */
	unsigned char *payload;
};

struct image {
	struct item items[MAX_ITEMS];
	size_t nr;
};

static inline uint32_t align8(uint32_t len)
{
	return (len + 7) & ~7U;
}

static inline uint64_t block_hash(const struct ckpt_block *block, const void *payload)
{
	return XXH64(payload, block->len, block->kind == CKPT_BLOCK_DATA ? 0 : block->seq);
}

/* Reading a good image */

static inline bool image_add(struct image *image, bool data, const struct ckpt_record *head,
			     const void *payload, uint32_t len)
{
	struct item *item = &image->items[image->nr];

	if (image->nr == MAX_ITEMS)
		return false;
	*item = (struct item){ .data = data, .len = len };
	if (head) {
		item->type = head->type;
		item->flags = head->flags;
	}
	item->payload = malloc(len + 1);
	if (!item->payload)
		return false;
	memcpy(item->payload, payload, len);
	image->nr++;
	return true;
}

static inline bool image_add_meta(struct image *image, const unsigned char *p, uint32_t len)
{
	uint32_t at = 0;

	while (at < len) {
		const struct ckpt_record *head = (const void *)(p + at);

		if (!image_add(image, false, head, head + 1, head->len))
			return false;
		at += sizeof(*head) + align8(head->len);
	}
	return at == len;
}

static inline bool image_parse(struct image *image, const unsigned char *p, size_t len)
{
	size_t at = 0;

	image->nr = 0;
	while (at < len) {
		const struct ckpt_block *block = (const void *)(p + at);
		const unsigned char *payload = p + at + sizeof(*block) + block->pad;
		bool ok;

		if (block->magic != CKPT_BLOCK_MAGIC ||
		    block_hash(block, payload) != block->hash)
			return false;
		if (block->kind == CKPT_BLOCK_META)
			ok = image_add_meta(image, payload, block->len);
		else
			ok = image_add(image, true, NULL, payload, block->len);
		if (!ok)
			return false;
		at += sizeof(*block) + block->pad + align8(block->len);
	}
	return image->nr && image->items[image->nr - 1].type == CKPT_REC_TRAILER;
}

static inline void image_free(struct image *image)
{
	while (image->nr)
		free(image->items[--image->nr].payload);
}

static inline struct item *image_first(struct image *image, uint16_t type)
{
	size_t i;

	for (i = 0; i < image->nr; i++)
		if (!image->items[i].data && image->items[i].type == type)
			return &image->items[i];
	return NULL;
}

/* Changing it */

static inline void image_insert(struct image *image, size_t at, const struct item *from)
{
	struct item item = *from;

	if (image->nr == MAX_ITEMS)
		return;
	item.payload = malloc(item.len + 1);
	memcpy(item.payload, from->payload, item.len);
	memmove(&image->items[at + 1], &image->items[at], (image->nr - at) * sizeof(item));
	image->items[at] = item;
	image->nr++;
}

static inline void image_remove(struct image *image, struct item *item, size_t n)
{
	size_t at = item - image->items;

	while (n--) {
		free(image->items[at].payload);
		image->nr--;
		memmove(&image->items[at], &image->items[at + 1],
			(image->nr - at) * sizeof(*item));
	}
}

/* Gives the first task the label of a security module, unless it has one. */
static inline bool image_label(struct image *image, uint64_t id, const char *label)
{
	struct ckpt_rec_task_lsm rec = { .id = id, .len[CKPT_LSM_CURRENT] = strlen(label) };
	struct item *creds = image_first(image, CKPT_REC_TASK_CREDS);
	unsigned char payload[sizeof(rec) + 64];
	struct item item = {
		.type = CKPT_REC_TASK_LSM,
		.len = sizeof(rec) + strlen(label),
		.payload = payload,
	};

	if (!creds || item.len > sizeof(payload))
		return false;
	memcpy(payload, &rec, sizeof(rec));
	memcpy(payload + sizeof(rec), label, strlen(label));
	if (!image_first(image, CKPT_REC_TASK_LSM))
		image_insert(image, creds - image->items + 1, &item);
	return true;
}

/* Writing one, with whatever is in it */

struct output {
	unsigned char *buf;
	size_t len;
	size_t block;		/* where the open META block begins, or SIZE_MAX */
	uint32_t seq;
	XXH64_state_t *headers;
};

static inline void put(struct output *out, const void *p, size_t len)
{
	if (out->len + len > MAX_IMAGE)
		return;
	memcpy(out->buf + out->len, p, len);
	out->len += len;
}

static inline void seal(struct output *out, struct ckpt_block *block)
{
	block->magic = CKPT_BLOCK_MAGIC;
	block->seq = out->seq++;
	block->hash = block_hash(block, block + 1);
	XXH64_update(out->headers, block, sizeof(*block));
}

static inline void begin_block(struct output *out, uint16_t kind, uint32_t len)
{
	struct ckpt_block block = { .kind = kind, .len = len, .offset = out->len };

	out->block = out->len;
	put(out, &block, sizeof(block));
}

static inline void end_block(struct output *out)
{
	struct ckpt_block *block = (void *)(out->buf + out->block);

	if (out->block == SIZE_MAX)
		return;
	block->len = out->len - out->block - sizeof(*block);
	seal(out, block);
	out->block = SIZE_MAX;
}

static inline void put_record(struct output *out, const struct item *item)
{
	struct ckpt_record head = { item->type, item->flags, item->claimed ?: item->len };
	static const unsigned char zeros[8];
	size_t need = sizeof(head) + align8(item->len);

	if (out->block != SIZE_MAX &&
	    out->len - out->block + need > CKPT_BLOCK_META_MAX + sizeof(struct ckpt_block))
		end_block(out);
	if (out->block == SIZE_MAX)
		begin_block(out, CKPT_BLOCK_META, 0);
	put(out, &head, sizeof(head));
	put(out, item->payload, item->len);
	put(out, zeros, align8(item->len) - item->len);
}

static inline void put_trailer(struct output *out, const struct item *item)
{
	struct ckpt_rec_trailer trailer;
	struct item copy = *item;

	end_block(out);
	memcpy(&trailer, item->payload, sizeof(trailer));
	trailer.nr_blocks = out->seq;
	trailer.hash = XXH64_digest(out->headers);
	copy.payload = (void *)&trailer;
	put_record(out, &copy);
	end_block(out);
}

static inline void begin_image(struct output *out)
{
	out->len = 0;
	out->seq = 0;
	out->block = SIZE_MAX;
	XXH64_reset(out->headers, 0);
}

static inline void put_item(struct output *out, const struct item *item)
{
	if (item->data) {
		end_block(out);
		begin_block(out, CKPT_BLOCK_DATA, 0);
		put(out, item->payload, item->len);
		end_block(out);
	} else if (item->type == CKPT_REC_TRAILER &&
		   item->len == sizeof(struct ckpt_rec_trailer)) {
		put_trailer(out, item);
	} else {
		put_record(out, item);
	}
}

static inline void image_write(const struct image *image, struct output *out)
{
	size_t i;

	begin_image(out);
	for (i = 0; i < image->nr; i++)
		put_item(out, &image->items[i]);
	end_block(out);
}

/* The image of a subject, taken from its file, or put there */

static inline bool image_load(struct subject *s, struct image *image)
{
	int fd = test_open(s, "image", O_RDONLY);
	struct stat st;
	bool ok;
	void *p;

	if (fd < 0 || fstat(fd, &st))
		return false;
	image_free(image);
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	ok = p != MAP_FAILED && image_parse(image, p, st.st_size);
	munmap(p, st.st_size);
	return ok;
}

static inline bool image_store(struct subject *s, const struct image *image)
{
	int fd = test_open(s, "image", O_CREAT | O_TRUNC | O_WRONLY);
	struct output out = { .headers = XXH64_createState() };
	bool ok;

	/* From malloc() it might stay in the heap, and be in the next image. */
	out.buf = mmap(NULL, MAX_IMAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out.buf == MAP_FAILED || fd < 0 || !out.headers)
		return false;
	image_write(image, &out);
	ok = write(fd, out.buf, out.len) == (ssize_t)out.len;
	close(fd);
	munmap(out.buf, MAX_IMAGE);
	XXH64_freeState(out.headers);
	return ok;
}

#endif /* _CKPT_CODEC_H */
