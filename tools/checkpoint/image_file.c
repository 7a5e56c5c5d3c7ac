// SPDX-License-Identifier: GPL-2.0
/*
 * Reading an image: the kernel's codec over a file descriptor.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../../checkpoint/image.h"
#include "libckpt.h"
#include "order.h"

#define SKIP_LEN	(256 * 1024)

struct ckpt_image {
	int fd;
	struct ckpt_reader reader;
	struct ckpt_order *order;
	void *skip;
	bool ended;
	int err;		/* how it has ended */
	char error[256];
};

static ssize_t read_fd(void *priv, void *buf, size_t len)
{
	const int *fd = priv;
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(*fd, buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

int ckpt_image_open(int fd, struct ckpt_image **result)
{
	struct ckpt_image *image = calloc(1, sizeof(*image));

	if (!image)
		return -ENOMEM;
	image->fd = fd;
	image->order = ckpt_order_new();
	image->skip = malloc(SKIP_LEN);
	if (!image->order || !image->skip ||
	    ckpt_reader_init(&image->reader, read_fd, &image->fd)) {
		ckpt_image_close(image);
		return -ENOMEM;
	}
	*result = image;
	return 0;
}

void ckpt_image_close(struct ckpt_image *image)
{
	if (!image)
		return;
	ckpt_reader_destroy(&image->reader);
	ckpt_order_free(image->order);
	free(image->skip);
	free(image);
}

static int fail_at(struct ckpt_image *image, int err, uint64_t offset, const char *what)
{
	snprintf(image->error, sizeof(image->error), "block %u at byte %llu: %s",
		 image->reader.block.seq, (unsigned long long)offset, what);
	return err;
}

static int codec_failed(struct ckpt_image *image, int err)
{
	const struct ckpt_reader *r = &image->reader;

	if (!r->error)
		snprintf(image->error, sizeof(image->error), "%s", strerror(-err));
	else if (!r->error_offset)
		snprintf(image->error, sizeof(image->error), "%s", r->error);
	else
		snprintf(image->error, sizeof(image->error), "block %u at byte %llu: %s",
			 r->error_seq, (unsigned long long)r->error_offset, r->error);
	return err;
}

/* An image that something follows is not the file that was written. */
static int check_end(struct ckpt_image *image)
{
	char byte;

	if (read_fd(&image->fd, &byte, 1) <= 0)
		return 0;
	snprintf(image->error, sizeof(image->error),
		 "data follows the end of the image at byte %llu",
		 (unsigned long long)image->reader.offset);
	return -EINVAL;
}

static int read_record(struct ckpt_image *image, struct ckpt_image_record *record)
{
	struct ckpt_reader *r = &image->reader;
	const char *complaint;
	struct ckpt_rec rec;
	int err;

	err = ckpt_reader_data_skip(r, image->skip, SKIP_LEN);
	if (!err)
		err = ckpt_reader_next(r, &rec);
	if (err)
		return codec_failed(image, err);
	*record = (struct ckpt_image_record) {
		.type = rec.type,
		.flags = rec.flags,
		.len = rec.len,
		.data = rec.data,
		.offset = r->block.offset,
	};
	err = ckpt_order_check(image->order, record, &complaint);
	if (err)
		return fail_at(image, err, record->offset, complaint);
	if (rec.type == CKPT_REC_TRAILER)
		return check_end(image);
	return 1;
}

int ckpt_image_next(struct ckpt_image *image, struct ckpt_image_record *record)
{
	int ret;

	if (image->ended)
		return image->err;
	ret = read_record(image, record);
	if (ret <= 0) {
		image->ended = true;
		image->err = ret;
	}
	return ret;
}

int ckpt_image_verify(struct ckpt_image *image)
{
	struct ckpt_image_record record;
	int ret;

	do
		ret = ckpt_image_next(image, &record);
	while (ret > 0);
	return ret;
}

const char *ckpt_image_error(const struct ckpt_image *image)
{
	return image->error;
}

uint64_t ckpt_image_size(const struct ckpt_image *image)
{
	return image->reader.offset;
}

int ckpt_image_record_copy(const struct ckpt_image_record *record, void *buf, size_t len)
{
	const struct ckpt_rec rec = { .len = record->len, .data = record->data };

	return ckpt_record_copy(&rec, buf, len);
}
