// SPDX-License-Identifier: GPL-2.0
/*
 * ckpt info
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt.h"
#include "info.h"

static const struct option options[] = {
	{ "json", no_argument, NULL, 'J' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static bool parse(int argc, char **argv)
{
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "Jh", options, NULL)) != -1) {
		if (opt == 'h')
			usage_help();
		if (opt != 'J')
			exit(EXIT_USAGE);
		json = true;
	}
	if (argc - optind != 1)
		usage_error("exactly one FILE is needed");
	return json;
}

static int read_image(struct info *info, struct ckpt_image *image, const char *path)
{
	struct ckpt_image_record record;
	int ret;

	while ((ret = ckpt_image_next(image, &record)) > 0) {
		ret = info_add(info, &record);
		if (ret) {
			complain("%s: record of type %u at byte %llu: %s", path, record.type,
				 (unsigned long long)record.offset, strerror(-ret));
			return ret;
		}
	}
	if (ret) {
		complain("%s: %s", path, ckpt_image_error(image));
		return ret;
	}
	info->size = ckpt_image_size(image);
	info_complete(info);
	return 0;
}

int cmd_info(int argc, char **argv)
{
	bool json = parse(argc, argv);
	const char *path = argv[optind];
	struct ckpt_image *image;
	struct info info = { };
	int fd, ret;

	fd = open_image(path);
	if (fd < 0)
		return 1;
	path = image_name(path);
	ret = ckpt_image_open(fd, &image);
	if (ret) {
		complain("%s: %s", path, strerror(-ret));
		return 1;
	}
	watch_start(&(struct watch) { .title = "reading", .fd = fd, .reading = true });
	ret = read_image(&info, image, path);
	watch_stop();
	watch_unblock();
	if (!ret && json)
		ret = info_print_json(&info);
	else if (!ret)
		info_print_text(&info, path);
	if (!ret && fflush(stdout)) {
		complain("standard output: %s", strerror(errno));
		ret = -1;
	}
	info_free(&info);
	ckpt_image_close(image);
	return ret != 0;
}
