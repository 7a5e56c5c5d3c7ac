// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzes the reader of images. Built with hashes that are always 0, so that
 * mutations get past them. With --seeds DIR it writes images to start from.
 */
#include "shim/shim.h"

#include "../../../../checkpoint/image.h"

#define PAGE	CKPT_IMAGE_PAGE

long shim_fail_alloc;

/* What is added up here was read: ASan has seen it. */
u8 fuzz_sum;

struct input {
	const u8 *buf;
	size_t len;
	size_t pos;
};

static ssize_t read_at(void *priv, void *buf, size_t len, u64 offset)
{
	const struct input *in = priv;
	size_t n = offset < in->len ? min_t(size_t, len, in->len - offset) : 0;

	if (n)
		memcpy(buf, in->buf + offset, n);
	return n;
}

static ssize_t input_read(void *priv, void *buf, size_t len)
{
	struct input *in = priv;
	ssize_t n = read_at(in, buf, len, in->pos);

	in->pos += n;
	return n;
}

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* What a reader may rely on in a CKPT_REC_PAGES that it gets. */
static void check_pages(const struct ckpt_rec *rec)
{
	const struct ckpt_rec_pages *pages = rec->data;
	const struct ckpt_page_run *runs = ckpt_pages_runs(rec);
	u64 len = 0;
	u32 i;

	for (i = 0; i < pages->nr_runs; i++) {
		must(runs[i].nr && runs[i].index + runs[i].nr > runs[i].index);
		must(runs[i].index + runs[i].nr <= 1ULL << 52);
		if (runs[i].flags != CKPT_RUN_COW) {
			must(runs[i].flags <= CKPT_RUN_HUGETLB && !runs[i].src_objref);
			len += (u64)runs[i].nr * PAGE;
		} else {
			must(runs[i].src_objref && runs[i].src_index + runs[i].nr <= 1ULL << 52);
		}
	}
	must(len == pages->data_len && len <= CKPT_BLOCK_DATA_MAX);
}

static int read_data(struct ckpt_reader *r, const struct ckpt_rec *rec)
{
	const struct ckpt_rec_pages *pages = rec->data;
	static u8 page[PAGE];
	u32 left = pages->data_len;
	int err = 0;

	check_pages(rec);
	if (!left)
		return 0;
	/* now page by page, now skipped, now left alone */
	switch (pages->objref % 3) {
	case 0:
		return ckpt_reader_data_skip(r, page, sizeof(page));
	case 1:
		for (; !err && left; left -= PAGE)
			err = ckpt_reader_data(r, page, PAGE);
		return err ?: ckpt_reader_data_end(r);
	default:
		return 0;
	}
}

static int read_record(struct ckpt_reader *r)
{
	struct ckpt_rec rec, next;
	u8 fixed[40];
	u32 i;
	int err;

	err = ckpt_reader_peek(r, &next);
	if (err)
		return err;
	err = ckpt_reader_next(r, &rec);
	if (err)
		return err;
	must(next.data == rec.data && next.len == rec.len && next.type == rec.type);
	must(ckpt_record_known(rec.type) && rec.len <= CKPT_RECORD_MAX);
	for (i = 0; i < rec.len; i++)
		fuzz_sum ^= ((const u8 *)rec.data)[i];
	err = ckpt_record_copy(&rec, fixed, sizeof(fixed));
	must(!err || (err == -E2BIG && rec.len > sizeof(fixed)));
	return rec.type == CKPT_REC_PAGES ? read_data(r, &rec) : 0;
}

static void read_image(struct input *in)
{
	struct ckpt_reader r;
	const char *error;
	u64 offset;
	int err;

	must(!ckpt_reader_init(&r, input_read, in));
	do
		err = read_record(&r);
	while (!err && !r.complete);
	must(r.offset == in->pos);
	if (err) {
		must(err == -EINVAL || err == -E2BIG);
		must(r.error && r.err == err && !r.complete);
	} else {
		must(!ckpt_image_complete(read_at, in, in->len, &error, &offset));
		must(ckpt_reader_trailer(&r) == -EINVAL);
	}
	ckpt_reader_destroy(&r);
}

int LLVMFuzzerTestOneInput(const u8 *buf, size_t len);
int LLVMFuzzerTestOneInput(const u8 *buf, size_t len)
{
	struct input in = { .buf = buf, .len = len };
	/* aligned as payloads are */
	u64 *copy = malloc(len + 8);
	struct ckpt_rec rec = { .len = len, .data = copy };
	const char *error;
	u64 offset;

	must(copy);
	if (len)
		memcpy(copy, buf, len);
	if (!ckpt_pages_check(&rec))
		check_pages(&rec);
	free(copy);
	if (ckpt_image_complete(read_at, &in, len, &error, &offset))
		must(error);
	read_image(&in);
	return 0;
}

/* Seeds. */
static int file_write(void *priv, const void *buf, size_t len)
{
	return fwrite(buf, 1, len, priv) == len ? 0 : -EIO;
}

static void write_pages(struct ckpt_writer *w, u32 objref, u32 nr)
{
	static const u32 flags[] = { CKPT_RUN_DATA, CKPT_RUN_SHARED, CKPT_RUN_HUGE,
				     CKPT_RUN_HUGETLB };
	const struct ckpt_page_run runs[] = {
		{ .index = 1, .nr = nr, .flags = flags[objref % 4] },
		{ .index = 100, .nr = 9, .flags = CKPT_RUN_COW, .src_objref = 1 },
	};
	static const u8 pages[4 * PAGE];

	ckpt_writer_pages(w, objref, runs, 2, nr * PAGE);
	ckpt_writer_data(w, pages, nr * PAGE, xxh64(pages, nr * PAGE, 0));
}

static void write_seed(const char *dir, int kind)
{
	struct ckpt_writer w;
	char path[4096];
	u8 payload[200];
	FILE *file;
	int i;

	memset(payload, kind, sizeof(payload));
	snprintf(path, sizeof(path), "%s/seed%d", dir, kind);
	file = fopen(path, "w");
	must(file && !ckpt_writer_init(&w, file_write, file));
	w.align = kind & 1 ? PAGE : 0;
	for (i = 0; i < 8; i++) {
		ckpt_writer_put(&w, CKPT_REC_HEADER + i % 6, 0, payload, 17 * i, NULL, 0);
		if (kind & 2)
			ckpt_writer_put(&w, 500, CKPT_RECF_IGNORABLE, payload, i, NULL, 0);
		if (kind & 4 && i % 3 == 0)
			write_pages(&w, i + 1, 1 + i % 4);
		if (kind & 8)
			ckpt_writer_flush(&w);
	}
	must(!ckpt_writer_trailer(&w) && !fclose(file));
	ckpt_writer_destroy(&w);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int kind;

	if (*argc != 3 || strcmp((*argv)[1], "--seeds"))
		return 0;
	for (kind = 0; kind < 16; kind++)
		write_seed((*argv)[2], kind);
	exit(0);
}
