// SPDX-License-Identifier: GPL-2.0
/*
 * ckpt verify
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt.h"

static const struct option options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void parse(int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'h')
			usage_help();
		exit(EXIT_USAGE);
	}
	if (argc - optind != 1)
		usage_error("exactly one FILE is needed");
}

int cmd_verify(int argc, char **argv)
{
	struct ckpt_image *image;
	const char *path;
	int fd, ret;

	parse(argc, argv);
	path = argv[optind];
	fd = open_image(path);
	if (fd < 0)
		return 1;
	path = image_name(path);
	ret = ckpt_image_open(fd, &image);
	if (ret) {
		complain("%s: %s", path, strerror(-ret));
		return 1;
	}
	watch_start(&(struct watch) { .title = "verifying", .fd = fd, .reading = true });
	ret = ckpt_image_verify(image);
	watch_stop();
	watch_unblock();
	if (ret)
		complain("%s: %s", path, ckpt_image_error(image));
	ckpt_image_close(image);
	return ret != 0;
}
