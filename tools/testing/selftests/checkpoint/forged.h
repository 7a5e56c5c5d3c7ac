/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Forging images: a good one is taken of a subject, changed in one place, and
 * must be refused with the errno and the reason that belong to that place.
 */
#ifndef _CKPT_FORGED_H
#define _CKPT_FORGED_H

#include <stddef.h>

#include "census.h"
#include "codec.h"

static struct subject s;
static struct image good, work;
static struct output out;

struct forgery {
	uint16_t type;
	uint16_t offset, size;
	uint64_t value;
	int err;
	const char *text;
};

#define FORGE(rec, of, field, value, err, text)					\
	{ rec, offsetof(struct of, field), sizeof(((struct of *)0)->field), value, err, text }

static inline void copy_good(void)
{
	size_t i;

	image_free(&work);
	work = good;
	for (i = 0; i < work.nr; i++) {
		work.items[i].payload = malloc(good.items[i].len + 1);
		memcpy(work.items[i].payload, good.items[i].payload, good.items[i].len);
	}
}

static inline long try(const void *data, size_t len)
{
	int fd = test_open(&s, "image", O_CREAT | O_TRUNC | O_WRONLY);
	bool ok = write(fd, data, len) == (ssize_t)len;

	close(fd);
	return ok ? subject_restart(&s, 0) : 0;
}

static inline long try_work(void)
{
	image_write(&work, &out);
	return try(out.buf, out.len);
}

/* The good image, of @fn; the subject and its children are no more. */
static inline bool take_image(void (*fn)(void))
{
	struct stat st;
	void *p;
	int fd;

	if (!subject_start(&s, fn) || subject_checkpoint(&s, CHECKPOINT_KILL) <= 0)
		return false;
	census_kill_children();
	fd = test_open(&s, "image", O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		return false;
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return p != MAP_FAILED && image_parse(&good, p, st.st_size);
}

static inline bool refused(long ret, int err, const char *text)
{
	bool ok = ret == -err && log_has(&s, text) && !strncmp(s.log, "error ", 6);

	if (!ok)
		fprintf(stderr, "# %ld, not %d \"%s\": %s", ret, -err, text,
			s.log[0] ? s.log : "\n");
	return !census_kill_children() && ok;
}

/* Changes the first record of the kind; is that noticed? */
static inline bool forge(const struct forgery *f)
{
	struct item *item;

	copy_good();
	item = image_first(&work, f->type);
	if (!item || item->len < f->offset + f->size) {
		fprintf(stderr, "# no record of type %u\n", f->type);
		return false;
	}
	memcpy(item->payload + f->offset, &f->value, f->size);
	if (refused(try_work(), f->err, f->text))
		return true;
	fprintf(stderr, "# forgery: record type %u offset %u value %#llx\n", f->type,
		f->offset, (unsigned long long)f->value);
	return false;
}

#endif /* _CKPT_FORGED_H */
