// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the image codec. Also built in userspace, see
 * tools/testing/checkpoint/unit.
 */
#include "image_stream.h"

/* what write_golden() writes */
#define GOLDEN_LEN	4608
#define GOLDEN_HASH	0xe95e08e4128acc10ULL

/* An image with all that images have: short and odd records, page contents, COW runs. */
static int write_golden(struct stream *s)
{
	const struct ckpt_page_run runs[] = {
		{ .index = 16, .nr = 1 },
		{ .index = 17, .nr = 5, .flags = CKPT_RUN_COW, .src_index = 3, .src_objref = 1 },
	};
	const struct ckpt_rec_header header = {
		.magic = CKPT_IMAGE_MAGIC,
		.version = CKPT_IMAGE_VERSION,
		.release = "6.12.0",
	};
	const struct ckpt_rec_task task = { .index = 5 };

	put(s, CKPT_REC_HEADER, &header, sizeof(header));
	put(s, CKPT_REC_FS, "odd", 3);
	ckpt_writer_put(&s->w, CKPT_REC_FILE_PATH, 0, "head", 4, "and tail", 8);
	put(s, CKPT_REC_TASK_END, NULL, 0);
	ckpt_writer_pages(&s->w, 2, runs, ARRAY_SIZE(runs), PAGE);
	put_page_of(s, 0x5a);
	ckpt_writer_put(&s->w, 60000, CKPT_RECF_IGNORABLE, "later", 5, NULL, 0);
	ckpt_writer_pages(&s->w, 2, &runs[1], 1, 0);
	put(s, CKPT_REC_TASK, &task, sizeof(task));
	return ckpt_writer_trailer(&s->w);
}

static void next_is(struct kunit *test, u16 type, const void *data, size_t len)
{
	struct stream *s = test->priv;
	struct ckpt_rec rec = {};

	KUNIT_ASSERT_EQ(test, ckpt_reader_next(&s->r, &rec), 0);
	KUNIT_EXPECT_EQ(test, rec.type, type);
	KUNIT_ASSERT_EQ(test, (size_t)rec.len, len);
	KUNIT_EXPECT_EQ(test, (uintptr_t)rec.data % 8, (uintptr_t)0);
	if (len)
		KUNIT_EXPECT_MEMEQ(test, rec.data, data, len);
}

static void image_round_trip(struct kunit *test)
{
	struct stream *s = test->priv;
	struct ckpt_rec_header header;
	struct ckpt_rec rec;
	u8 *page = s->page;

	KUNIT_ASSERT_EQ(test, write_golden(s), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_expect(&s->r, CKPT_REC_HEADER, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_record_copy(&rec, &header, sizeof(header)), 0);
	KUNIT_EXPECT_STREQ(test, header.release, "6.12.0");
	next_is(test, CKPT_REC_FS, "odd", 3);
	next_is(test, CKPT_REC_FILE_PATH, "headand tail", 12);
	next_is(test, CKPT_REC_TASK_END, NULL, 0);

	KUNIT_ASSERT_EQ(test, ckpt_reader_next(&s->r, &rec), 0);
	KUNIT_ASSERT_EQ(test, rec.type, (u16)CKPT_REC_PAGES);
	KUNIT_EXPECT_EQ(test, ckpt_pages_runs(&rec)[1].src_index, 3ULL);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data(&s->r, page, 1), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data(&s->r, page + 1, PAGE - 1), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data_end(&s->r), 0);
	KUNIT_EXPECT_MEMEQ(test, page, page_of(0x5a), PAGE);
	/* reading contents leaves the runs alone */
	KUNIT_EXPECT_EQ(test, ckpt_pages_runs(&rec)[1].src_index, 3ULL);

	KUNIT_ASSERT_EQ(test, ckpt_reader_expect(&s->r, CKPT_REC_PAGES, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_peek(&s->r, &rec), 0);
	KUNIT_EXPECT_EQ(test, rec.type, (u16)CKPT_REC_TASK);
	KUNIT_ASSERT_EQ(test, ckpt_reader_expect(&s->r, CKPT_REC_TASK, &rec), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_trailer(&s->r), 0);
	KUNIT_EXPECT_TRUE(test, s->r.complete);
	KUNIT_EXPECT_EQ(test, s->pos, s->len);
	KUNIT_EXPECT_EQ(test, s->r.offset, (u64)s->len);
	KUNIT_EXPECT_EQ(test, s->w.offset, (u64)s->len);
}

/* Images of today are read for years: the bytes may not change unnoticed. */
static void image_bytes_are_stable(struct kunit *test)
{
	struct stream *s = test->priv;

	KUNIT_ASSERT_EQ(test, write_golden(s), 0);
	KUNIT_EXPECT_EQ(test, s->len, (size_t)GOLDEN_LEN);
	KUNIT_EXPECT_EQ(test, xxh64(s->buf, s->len, 0), GOLDEN_HASH);
}

static void image_nothing_early(struct kunit *test)
{
	struct stream *s = test->priv;

	KUNIT_ASSERT_EQ(test, put(s, CKPT_REC_FS, "x", 1), 0);
	KUNIT_EXPECT_EQ(test, s->len, (size_t)0);
	KUNIT_ASSERT_EQ(test, ckpt_writer_flush(&s->w), 0);
	KUNIT_EXPECT_EQ(test, s->len, sizeof(struct ckpt_block) + 16);
	KUNIT_ASSERT_EQ(test, ckpt_writer_flush(&s->w), 0);
	KUNIT_EXPECT_EQ(test, s->len, sizeof(struct ckpt_block) + 16);
}

/* In a file the payload of DATA blocks is page-aligned, wherever the image starts. */
static void image_alignment(struct kunit *test)
{
	static const u32 bases[] = { 0, 8, 4000, 4095, 4096, 123457 };
	const struct ckpt_page_run run = { .index = 1, .nr = 1 };
	struct stream *s = test->priv;
	u32 i, n;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		rewrite(s);
		s->w.align = PAGE;
		s->w.base = bases[i];
		for (n = 0; n < 5; n++) {
			put(s, CKPT_REC_FS, "0123456789", 2 * n);
			ckpt_writer_pages(&s->w, 1, &run, 1, PAGE);
			KUNIT_ASSERT_EQ(test, put_page_of(s, n), 0);
			KUNIT_EXPECT_EQ(test, (bases[i] + s->len) % PAGE, (size_t)0);
		}
		KUNIT_ASSERT_EQ(test, ckpt_writer_trailer(&s->w), 0);
		KUNIT_EXPECT_EQ(test, read_again(s), 0);
	}
}

static void image_many_blocks(struct kunit *test)
{
	struct stream *s = test->priv;
	struct ckpt_rec rec;
	u8 *data = s->page;
	u32 i, n;

	for (i = 0; i < 2000; i++) {
		n = i * 7 % 1000;
		memset(data, i, n);
		KUNIT_ASSERT_EQ(test, put(s, CKPT_REC_FS, data, n), 0);
	}
	KUNIT_ASSERT_EQ(test, ckpt_writer_trailer(&s->w), 0);
	KUNIT_EXPECT_EQ(test, s->w.seq, 5U);
	KUNIT_EXPECT_EQ(test, s->writes, 5);
	for (i = 0; i < 2000; i++) {
		n = i * 7 % 1000;
		memset(data, i, n);
		KUNIT_ASSERT_EQ(test, ckpt_reader_expect(&s->r, CKPT_REC_FS, &rec), 0);
		KUNIT_ASSERT_EQ(test, rec.len, n);
		KUNIT_ASSERT_EQ(test, memcmp(rec.data, data, n), 0);
	}
	KUNIT_EXPECT_EQ(test, ckpt_reader_trailer(&s->r), 0);
}

static void image_longest_record(struct kunit *test)
{
	struct stream *s = test->priv;
	u8 *data = kunit_kzalloc(test, CKPT_RECORD_MAX + 1, GFP_KERNEL);
	struct ckpt_rec rec;

	KUNIT_ASSERT_NOT_NULL(test, data);
	KUNIT_ASSERT_EQ(test, put(s, CKPT_REC_FS, "x", 1), 0);
	data[CKPT_RECORD_MAX - 1] = 1;
	KUNIT_ASSERT_EQ(test, put(s, CKPT_REC_FS, data, CKPT_RECORD_MAX), 0);
	KUNIT_ASSERT_EQ(test, ckpt_writer_trailer(&s->w), 0);
	next_is(test, CKPT_REC_FS, "x", 1);
	next_is(test, CKPT_REC_FS, data, CKPT_RECORD_MAX);
	KUNIT_EXPECT_EQ(test, ckpt_reader_trailer(&s->r), 0);

	rewrite(s);
	KUNIT_EXPECT_EQ(test, put(s, CKPT_REC_FS, data, CKPT_RECORD_MAX + 1), -EOVERFLOW);
	KUNIT_EXPECT_STREQ(test, s->w.error, "record is too long");
	rewrite(s);
	rec = (struct ckpt_rec){};
	KUNIT_EXPECT_EQ(test, ckpt_writer_put(&s->w, CKPT_REC_FS, 0, &rec, sizeof(rec), data,
					      (size_t)-1), -EOVERFLOW);
	/* the first error stays */
	KUNIT_EXPECT_EQ(test, put(s, CKPT_REC_FS, "x", 1), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, ckpt_writer_trailer(&s->w), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, s->len, (size_t)0);
}

static void image_record_extension(struct kunit *test)
{
	u8 data[16] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct ckpt_rec rec = { .type = CKPT_REC_FS, .data = data };
	u8 out[8];

	rec.len = 8;
	KUNIT_EXPECT_EQ(test, ckpt_record_copy(&rec, out, 8), 0);
	KUNIT_EXPECT_MEMEQ(test, out, data, 8);
	/* of an older writer */
	rec.len = 5;
	memset(out, 0xff, sizeof(out));
	KUNIT_EXPECT_EQ(test, ckpt_record_copy(&rec, out, 8), 0);
	KUNIT_EXPECT_MEMEQ(test, out, "\1\2\3\4\5\0\0\0", 8);
	rec.len = 0;
	KUNIT_EXPECT_EQ(test, ckpt_record_copy(&rec, out, 8), 0);
	KUNIT_EXPECT_MEMEQ(test, out, "\0\0\0\0\0\0\0\0", 8);
	/* of a newer writer, who has nothing to say, and who has */
	rec.len = 16;
	KUNIT_EXPECT_EQ(test, ckpt_record_copy(&rec, out, 8), 0);
	data[15] = 1;
	KUNIT_EXPECT_EQ(test, ckpt_record_copy(&rec, out, 8), -E2BIG);
}

static void image_unknown_records(struct kunit *test)
{
	struct stream *s = test->priv;
	struct ckpt_rec rec;

	KUNIT_EXPECT_TRUE(test, ckpt_record_known(CKPT_REC_HEADER));
	KUNIT_EXPECT_TRUE(test, ckpt_record_known(CKPT_REC_TASK_REGS));
	KUNIT_EXPECT_FALSE(test, ckpt_record_known(0));
	KUNIT_EXPECT_FALSE(test, ckpt_record_known(CKPT_REC_FRAME_MAX));
	KUNIT_EXPECT_FALSE(test, ckpt_record_known(CKPT_REC_OBJ_MAX));
	KUNIT_EXPECT_FALSE(test, ckpt_record_known(CKPT_REC_TASK_MAX));

	ckpt_writer_put(&s->w, 60000, CKPT_RECF_IGNORABLE, "a", 1, NULL, 0);
	ckpt_writer_put(&s->w, 60001, CKPT_RECF_IGNORABLE, NULL, 0, NULL, 0);
	put(s, CKPT_REC_FS, "b", 1);
	/* known, but not asked for */
	ckpt_writer_put(&s->w, CKPT_REC_FILE, CKPT_RECF_IGNORABLE, "c", 1, NULL, 0);
	put(s, CKPT_REC_MM, "d", 1);
	put(s, 60000, "e", 1);
	KUNIT_ASSERT_EQ(test, ckpt_writer_trailer(&s->w), 0);

	KUNIT_ASSERT_EQ(test, ckpt_reader_peek(&s->r, &rec), 0);
	KUNIT_EXPECT_EQ(test, rec.type, (u16)CKPT_REC_FS);
	next_is(test, CKPT_REC_FS, "b", 1);
	KUNIT_ASSERT_EQ(test, ckpt_reader_expect(&s->r, CKPT_REC_MM, &rec), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_next(&s->r, &rec), -E2BIG);
	KUNIT_EXPECT_STREQ(test, s->r.error, "unknown record: newer image");
}

static void image_unexpected_record(struct kunit *test)
{
	struct stream *s = test->priv;
	struct ckpt_rec rec;

	KUNIT_ASSERT_EQ(test, write_golden(s), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_expect(&s->r, CKPT_REC_MM, &rec), -EINVAL);
	KUNIT_EXPECT_STREQ(test, s->r.error, "unexpected record");
	KUNIT_EXPECT_EQ(test, rec.type, (u16)CKPT_REC_HEADER);
	/* the first error stays */
	KUNIT_EXPECT_EQ(test, ckpt_reader_expect(&s->r, CKPT_REC_HEADER, &rec), -EINVAL);
}

/* However much of an image is missing, that is noticed, and called by its name. */
static void image_truncated(struct kunit *test)
{
	struct stream *s = test->priv;
	const char *error;
	size_t full;
	u64 offset;

	KUNIT_ASSERT_EQ(test, write_golden(s), 0);
	full = s->len;
	KUNIT_ASSERT_EQ(test, ckpt_image_complete(stream_read_at, s, full, &error, &offset), 0);
	for (s->len = 0; s->len < full; s->len++) {
		const char *what = s->len ? "image is truncated" : "image is empty";

		KUNIT_ASSERT_EQ(test, read_again(s), -EINVAL);
		KUNIT_ASSERT_STREQ(test, s->r.error, what);
		KUNIT_ASSERT_EQ(test, ckpt_image_complete(stream_read_at, s, s->len, &error,
							  &offset), -EINVAL);
		KUNIT_ASSERT_STREQ(test, error, what);
		KUNIT_ASSERT_LE(test, offset, (u64)full);
	}
	KUNIT_EXPECT_EQ(test, read_again(s), 0);
}

static void image_bit_flips(struct kunit *test)
{
	struct stream *s = test->priv;
	size_t i;
	int bit;

	KUNIT_ASSERT_EQ(test, write_golden(s), 0);
	for (i = 0; i < s->len; i++) {
		for (bit = 0; bit < 8; bit++) {
			s->buf[i] ^= 1 << bit;
			KUNIT_ASSERT_NE(test, read_again(s), 0);
			KUNIT_ASSERT_FALSE(test, s->r.complete);
			KUNIT_ASSERT_TRUE(test, s->r.error);
			s->buf[i] ^= 1 << bit;
		}
	}
	KUNIT_EXPECT_EQ(test, read_again(s), 0);
}

static void image_foreign(struct kunit *test)
{
	struct stream *s = test->priv;
	const char *error;
	u64 offset;

	memset(s->buf, 0, 8192);
	memcpy(s->buf, "\177ELF", 4);
	s->len = 8192;
	KUNIT_EXPECT_EQ(test, read_again(s), -EINVAL);
	KUNIT_EXPECT_STREQ(test, s->r.error, "not a checkpoint image");
	KUNIT_EXPECT_EQ(test, ckpt_image_complete(stream_read_at, s, s->len, &error, &offset),
			-EINVAL);
	KUNIT_EXPECT_STREQ(test, error, "not a checkpoint image");
}

/* Blocks that were lost, doubled or exchanged, or are of another image. */
static void image_blocks_out_of_place(struct kunit *test)
{
	struct stream *s = test->priv;
	size_t first, second;

	put(s, CKPT_REC_FS, "one", 3);
	ckpt_writer_flush(&s->w);
	first = s->len;
	put(s, CKPT_REC_FS, "two", 3);
	ckpt_writer_flush(&s->w);
	second = s->len - first;
	KUNIT_ASSERT_EQ(test, first, second);
	KUNIT_ASSERT_EQ(test, ckpt_writer_trailer(&s->w), 0);
	KUNIT_ASSERT_EQ(test, read_again(s), 0);

	memcpy(s->buf, s->buf + first, first);
	KUNIT_EXPECT_EQ(test, read_again(s), -EINVAL);
	KUNIT_EXPECT_STREQ(test, s->r.error, "block is out of place");
	KUNIT_EXPECT_EQ(test, s->r.error_offset, 0ULL);
}

/* What follows an image is not looked at; another one may follow. */
static void image_concatenated(struct kunit *test)
{
	struct stream *s = test->priv;
	struct ckpt_rec rec;
	const char *error;
	size_t first;
	u64 offset;

	KUNIT_ASSERT_EQ(test, write_golden(s), 0);
	first = s->len;
	memcpy(s->buf + first, s->buf, first);
	s->len = 2 * first;
	KUNIT_EXPECT_EQ(test, read_again(s), 0);
	KUNIT_EXPECT_EQ(test, s->pos, first);
	KUNIT_EXPECT_EQ(test, ckpt_reader_next(&s->r, &rec), -EINVAL);
	KUNIT_EXPECT_EQ(test, s->pos, first);
	KUNIT_EXPECT_EQ(test, ckpt_image_complete(stream_read_at, s, s->len, &error, &offset), 0);
	s->len = first + 100;
	KUNIT_EXPECT_EQ(test, ckpt_image_complete(stream_read_at, s, s->len, &error, &offset), 0);
}

/* Wherever writing fails, the error stays, and nothing is written after it. */
static void image_write_errors(struct kunit *test)
{
	struct stream *s = test->priv;
	size_t full, max;
	int writes;

	KUNIT_ASSERT_EQ(test, write_golden(s), 0);
	full = s->len;
	for (max = 0; max < full; max += 8) {
		rewrite(s);
		s->max = max;
		KUNIT_ASSERT_EQ(test, write_golden(s), -ENOSPC);
		writes = s->writes;
		KUNIT_ASSERT_EQ(test, ckpt_writer_trailer(&s->w), -ENOSPC);
		KUNIT_ASSERT_EQ(test, s->writes, writes);
		KUNIT_ASSERT_LE(test, s->len, max);
	}
}

static void image_pages_writer(struct kunit *test)
{
	struct ckpt_page_run run = { .index = 1, .nr = 2 };
	struct stream *s = test->priv;

	KUNIT_EXPECT_EQ(test, ckpt_writer_pages(&s->w, 1, &run, 1, PAGE), -EINVAL);
	rewrite(s);
	KUNIT_EXPECT_EQ(test, ckpt_writer_pages(&s->w, 1, &run, 0, 0), -EINVAL);
	rewrite(s);
	KUNIT_EXPECT_EQ(test, ckpt_writer_pages(&s->w, 0, &run, 1, 2 * PAGE), -EINVAL);
	rewrite(s);
	KUNIT_EXPECT_EQ(test, ckpt_writer_pages(&s->w, 1, &run, U32_MAX, 0), -EOVERFLOW);
	rewrite(s);
	KUNIT_EXPECT_EQ(test, ckpt_writer_pages(&s->w, 1, &run, 1, 2 * PAGE), 0);
}

static int check_run(u32 nr_runs, u32 data_len, u32 pages_pad, struct ckpt_page_run run)
{
	struct {
		struct ckpt_rec_pages pages;
		struct ckpt_page_run run;
	} payload = {
		.pages = { .objref = 1, .nr_runs = nr_runs, .data_len = data_len,
			   .pad = pages_pad },
		.run = run,
	};
	struct ckpt_rec rec = { .len = sizeof(payload), .data = &payload };

	return ckpt_pages_check(&rec);
}

#define RUN(...)	((struct ckpt_page_run){ __VA_ARGS__ })
#define COW(...)	RUN(.flags = CKPT_RUN_COW, .src_objref = 1, __VA_ARGS__)

static void image_page_runs(struct kunit *test)
{
	const u64 end = 1ULL << 52;
	u64 zeros[8] = {};
	struct ckpt_rec rec = { .data = zeros };

	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1)), 0);
	KUNIT_EXPECT_EQ(test, check_run(1, 256 * PAGE, 0, RUN(.nr = 256)), 0);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .index = end - 1)), 0);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, COW(.nr = U32_MAX)), 0);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .flags = CKPT_RUN_SHARED)), 0);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .flags = CKPT_RUN_HUGE)), 0);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .flags = CKPT_RUN_HUGETLB)), 0);

	/* too much, too little, or none */
	KUNIT_EXPECT_EQ(test, check_run(1, 257 * PAGE, 0, RUN(.nr = 257)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 2)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, RUN(.nr = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, COW(.nr = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE + 1, 0, RUN(.nr = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, RUN(.nr = 0)), -EINVAL);
	/* sums that would overflow */
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, RUN(.nr = 1U << 20)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = (1U << 20) + 1)), -EINVAL);
	/* counts that do not fit the record */
	KUNIT_EXPECT_EQ(test, check_run(0, 0, 0, RUN(.nr = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(2, PAGE, 0, RUN(.nr = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(U32_MAX, PAGE, 0, RUN(.nr = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run((1U << 27) + 1, PAGE, 0, RUN(.nr = 1)), -EINVAL);
	/* out of range */
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .index = end)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 2 * PAGE, 0, RUN(.nr = 2, .index = end - 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .index = ~0ULL)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, COW(.nr = 2, .src_index = end - 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, COW(.nr = 2, .src_index = ~0ULL)), -EINVAL);
	/* what no writer writes */
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 1, RUN(.nr = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .pad = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, RUN(.nr = 1, .flags = 5)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .flags = 5)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, RUN(.nr = 1, .flags = CKPT_RUN_SHARED)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .src_objref = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, PAGE, 0, RUN(.nr = 1, .src_index = 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_run(1, 0, 0, RUN(.nr = 1, .flags = CKPT_RUN_COW)), -EINVAL);

	for (rec.len = 0; rec.len <= sizeof(zeros); rec.len++)
		KUNIT_EXPECT_EQ(test, ckpt_pages_check(&rec), -EINVAL);
}

static void image_data_pieces(struct kunit *test)
{
	struct stream *s = test->priv;
	struct ckpt_rec rec;
	u8 *page = s->page;

	announce(s, 1);
	put_page_of(s, 9);
	KUNIT_ASSERT_EQ(test, ckpt_writer_trailer(&s->w), 0);

	/* not asked for: the record that announces it was not read */
	KUNIT_EXPECT_EQ(test, ckpt_reader_data(&s->r, page, PAGE), -EINVAL);
	/* not all of it */
	reread(s);
	KUNIT_ASSERT_EQ(test, ckpt_reader_next(&s->r, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data(&s->r, page, PAGE - 1), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_data_end(&s->r), -EINVAL);
	/* more than all of it */
	reread(s);
	KUNIT_ASSERT_EQ(test, ckpt_reader_next(&s->r, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data(&s->r, page, PAGE - 1), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_data(&s->r, page, 2), -EINVAL);
	/* by oneself */
	reread(s);
	KUNIT_ASSERT_EQ(test, ckpt_reader_next(&s->r, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data_begin(&s->r), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data_begin(&s->r), 0);
	KUNIT_ASSERT_EQ(test, stream_read(s, page, PAGE), (ssize_t)PAGE);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data_take(&s->r, PAGE), 0);
	ckpt_reader_hash(&s->r, page, PAGE);
	KUNIT_EXPECT_EQ(test, ckpt_reader_data_end(&s->r), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_trailer(&s->r), 0);
	/* and wrongly */
	reread(s);
	KUNIT_ASSERT_EQ(test, ckpt_reader_next(&s->r, &rec), 0);
	KUNIT_ASSERT_EQ(test, ckpt_reader_data_begin(&s->r), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_data_take(&s->r, PAGE + 1), -EINVAL);
}

static ssize_t broken_read(void *priv, void *buf, size_t len)
{
	return -EIO;
}

static void image_read_error(struct kunit *test)
{
	struct stream *s = test->priv;

	reread(s);
	s->r.read = broken_read;
	KUNIT_EXPECT_EQ(test, read_all(s), -EIO);
	KUNIT_EXPECT_NULL(test, s->r.error);
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(image_round_trip),
	KUNIT_CASE(image_bytes_are_stable),
	KUNIT_CASE(image_nothing_early),
	KUNIT_CASE(image_alignment),
	KUNIT_CASE(image_many_blocks),
	KUNIT_CASE(image_longest_record),
	KUNIT_CASE(image_record_extension),
	KUNIT_CASE(image_unknown_records),
	KUNIT_CASE(image_unexpected_record),
	KUNIT_CASE_SLOW(image_truncated),
	KUNIT_CASE_SLOW(image_bit_flips),
	KUNIT_CASE(image_foreign),
	KUNIT_CASE(image_blocks_out_of_place),
	KUNIT_CASE(image_concatenated),
	KUNIT_CASE(image_write_errors),
	KUNIT_CASE(image_pages_writer),
	KUNIT_CASE(image_page_runs),
	KUNIT_CASE(image_data_pieces),
	KUNIT_CASE(image_read_error),
	{}
};

static struct kunit_suite image_suite = {
	.name = "checkpoint-image",
	.init = stream_init,
	.exit = stream_exit,
	.test_cases = image_cases,
};

kunit_test_suite(image_suite);

MODULE_DESCRIPTION("KUnit tests of the checkpoint image codec");
MODULE_LICENSE("GPL");
