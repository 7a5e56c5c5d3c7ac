// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the image reader with images that no writer makes. Also built in
 * userspace, see tools/testing/checkpoint/unit.
 */
#include "image_stream.h"

/*
 * Blocks with right hashes and whatever else one likes. What a block
 * claims is said by @claim; fields that are 0 are filled in.
 */
static void forge(struct stream *s, struct ckpt_block claim, const void *payload, u32 len)
{
	u32 seq = s->w.seq++;

	claim.magic = CKPT_BLOCK_MAGIC;
	claim.kind = claim.kind ?: CKPT_BLOCK_META;
	claim.len = claim.len ?: len;
	claim.seq = seq;
	claim.offset = s->len;
	claim.hash = xxh64(payload, len, claim.kind == CKPT_BLOCK_DATA ? 0 : seq);
	xxh64_update(&s->w.headers, &claim, sizeof(claim));
	stream_write(s, &claim, sizeof(claim));
	stream_write(s, payload, len);
	s->w.offset = s->len;
}

static const char *read_forged(struct stream *s)
{
	const char *error = read_again(s) ? s->r.error : "no error";

	rewrite(s);
	return error;
}

static void forge_record(struct stream *s, u16 type, u16 flags, u32 claim, u32 room)
{
	u64 payload[16] = {};
	struct ckpt_record *rec = (struct ckpt_record *)payload;

	*rec = (struct ckpt_record){ .type = type, .flags = flags, .len = claim };
	forge(s, (struct ckpt_block){}, payload, sizeof(*rec) + room);
	ckpt_writer_trailer(&s->w);
}

static void forged_records(struct kunit *test)
{
	const char *const too_long = "record is longer than its block";
	static const u32 lens[] = { 17, 24, 32, 256 * 1024, 0x7fffffff, 0xfffffff0, 0xfffffff8,
				    0xffffffff };
	struct stream *s = test->priv;
	u64 payload[4] = {};
	u32 i;

	forge_record(s, CKPT_REC_FS, 0, 16, 16);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "no error");
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		forge_record(s, CKPT_REC_FS, 0, lens[i], 16);
		KUNIT_EXPECT_STREQ(test, read_forged(s), too_long);
		forge_record(s, 60000, CKPT_RECF_IGNORABLE, lens[i], 16);
		KUNIT_EXPECT_STREQ(test, read_forged(s), too_long);
	}
	forge_record(s, CKPT_REC_FS, 2, 16, 16);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "unknown record flag");
	forge_record(s, 0, 0, 16, 16);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "unknown record: newer image");
	forge_record(s, CKPT_REC_PAGES, 0, 16, 16);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "page runs are not consistent");
	forge_record(s, CKPT_REC_PAGES, 0, 0, 0);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "page runs are not consistent");

	/* padding after a record that is not a multiple of 8 */
	*(struct ckpt_record *)payload = (struct ckpt_record){ .type = CKPT_REC_FS, .len = 3 };
	payload[1] = 1ULL << 24;
	forge(s, (struct ckpt_block){}, payload, 16);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "padding is not zero");
}

static void forged_blocks(struct kunit *test)
{
	const char *const impossible = "impossible length of a block";
	static const u32 meta_lens[] = { 1, 7, 12, CKPT_BLOCK_META_MAX + 8, 0x80000000, 0xfffffff8,
					 0xffffffff };
	struct stream *s = test->priv;
	u64 payload[2] = {};
	u32 i;

	((struct ckpt_record *)payload)->type = CKPT_REC_FS;
	((struct ckpt_record *)payload)->len = 8;
	for (i = 0; i < ARRAY_SIZE(meta_lens); i++) {
		forge(s, (struct ckpt_block){ .len = meta_lens[i] }, payload, sizeof(payload));
		KUNIT_EXPECT_STREQ(test, read_forged(s), impossible);
	}
	forge(s, (struct ckpt_block){}, payload, 0);
	KUNIT_EXPECT_STREQ(test, read_forged(s), impossible);
	forge(s, (struct ckpt_block){ .pad = 8 }, payload, sizeof(payload));
	KUNIT_EXPECT_STREQ(test, read_forged(s), impossible);
	forge(s, (struct ckpt_block){ .kind = 3 }, payload, sizeof(payload));
	KUNIT_EXPECT_STREQ(test, read_forged(s), "unknown kind of block");
	forge(s, (struct ckpt_block){ .kind = CKPT_BLOCK_DATA }, payload, sizeof(payload));
	KUNIT_EXPECT_STREQ(test, read_forged(s), "unexpected page contents");
}

static void forged_pages(struct kunit *test)
{
	struct ckpt_block data = { .kind = CKPT_BLOCK_DATA };
	struct stream *s = test->priv;
	struct ckpt_rec rec;

	/* announced, but something else comes */
	announce(s, 1);
	ckpt_writer_trailer(&s->w);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "page contents are missing");
	announce(s, 1);
	put(s, CKPT_REC_FS, "x", 1);
	ckpt_writer_trailer(&s->w);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "records between page runs and page contents");
	/* another length than announced */
	announce(s, 2);
	ckpt_writer_flush(&s->w);
	forge(s, data, page_of(1), PAGE);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "page contents do not fit the page runs");
	/* more than there may be */
	announce(s, 1);
	ckpt_writer_flush(&s->w);
	data.len = CKPT_BLOCK_DATA_MAX + PAGE;
	forge(s, data, page_of(1), PAGE);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "impossible length of a block");
	/* padding: too long, not zero */
	announce(s, 1);
	ckpt_writer_flush(&s->w);
	data.len = 0;
	data.pad = PAGE;
	forge(s, data, page_of(1), PAGE);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "impossible length of a block");
	announce(s, 1);
	ckpt_writer_flush(&s->w);
	data.pad = 200;
	forge(s, data, page_of(1), PAGE);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "padding is not zero");

	/* contents that nobody fetches */
	announce(s, 1);
	put_page_of(s, 1);
	ckpt_writer_trailer(&s->w);
	reread(s);
	KUNIT_ASSERT_EQ(test, ckpt_reader_next(&s->r, &rec), 0);
	KUNIT_EXPECT_EQ(test, ckpt_reader_next(&s->r, &rec), -EINVAL);
}

static void forge_trailer(struct stream *s, u64 magic, u64 nr_blocks, u64 hash)
{
	const struct ckpt_rec_trailer trailer = {
		.magic = magic,
		.nr_blocks = nr_blocks,
		.hash = hash,
	};

	put(s, CKPT_REC_TRAILER, &trailer, sizeof(trailer));
	ckpt_writer_flush(&s->w);
}

static void forged_trailer(struct kunit *test)
{
	const char *const foreign = "trailer does not belong to this image";
	struct stream *s = test->priv;
	u64 hash;

	put(s, CKPT_REC_FS, "x", 1);
	ckpt_writer_flush(&s->w);
	hash = xxh64_digest(&s->w.headers);
	forge_trailer(s, ~CKPT_IMAGE_MAGIC, 1, hash);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "no error");

	put(s, CKPT_REC_FS, "x", 1);
	ckpt_writer_flush(&s->w);
	forge_trailer(s, ~CKPT_IMAGE_MAGIC, 2, hash);
	KUNIT_EXPECT_STREQ(test, read_forged(s), foreign);

	put(s, CKPT_REC_FS, "x", 1);
	ckpt_writer_flush(&s->w);
	forge_trailer(s, CKPT_IMAGE_MAGIC, 1, hash);
	KUNIT_EXPECT_STREQ(test, read_forged(s), foreign);

	put(s, CKPT_REC_FS, "x", 1);
	ckpt_writer_flush(&s->w);
	forge_trailer(s, ~CKPT_IMAGE_MAGIC, 1, hash + 1);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "hash mismatch of the whole image");

	/* in company */
	put(s, CKPT_REC_FS, "x", 1);
	forge_trailer(s, ~CKPT_IMAGE_MAGIC, 0, 0);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "trailer is out of place");

	/* of another length */
	put(s, CKPT_REC_TRAILER, "x", 1);
	ckpt_writer_flush(&s->w);
	KUNIT_EXPECT_STREQ(test, read_forged(s), "trailer is out of place");
}

static struct kunit_case forged_cases[] = {
	KUNIT_CASE(forged_records),
	KUNIT_CASE(forged_blocks),
	KUNIT_CASE(forged_pages),
	KUNIT_CASE(forged_trailer),
	{}
};

static struct kunit_suite forged_suite = {
	.name = "checkpoint-forged",
	.init = stream_init,
	.exit = stream_exit,
	.test_cases = forged_cases,
};

kunit_test_suite(forged_suite);

MODULE_DESCRIPTION("KUnit tests of the checkpoint image reader with forged images");
MODULE_LICENSE("GPL");
