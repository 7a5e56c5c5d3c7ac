// SPDX-License-Identifier: GPL-2.0
/*
 * ckpt: checkpoint and restart processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/checkpoint_image.h>

#include "ckpt.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
	const char *help;
} commands[] = {
	{ "checkpoint", cmd_checkpoint, "[OPTION]... PID",
	  "Save the process PID and its descendants.\n"
	  "\n"
	  "  -c, --container       a whole container: refuse if anything is shared with\n"
	  "                        processes outside\n"
	  "  -k, --kill            kill the processes when the image is complete\n"
	  "  -s, --leave-stopped   stop them (as by SIGSTOP) when the image is complete\n"
	  "  -e, --external KEY    fd:N or fd:PID:N is open outside as well; a stand-in is\n"
	  "                        given at restart\n"
	  "  -j, --shell-job       terminal, session and stdio are those of a shell\n"
	  "  -K, --drop-keyrings   keys in the keyrings of processes may be lost\n"
	  "  -o, --output FILE     image file; - is standard output (default)\n"
	  "  -l, --log FILE        write all that the kernel said to FILE\n" },
	{ "restart", cmd_restart, "[OPTION]...",
	  "Bring saved processes back, wait for the first, exit with its status.\n"
	  "\n"
	  "  -d, --detach          do not wait\n"
	  "  -p, --pidfile FILE    write the pid of the first process to FILE\n"
	  "  -e, --external KEY=V  what stands in for KEY: a path, fd:N, or inherit\n"
	  "  -j, --shell-job       run in this session, on this terminal and stdio\n"
	  "  -s, --stopped         leave the processes stopped (as by SIGSTOP)\n"
	  "  -T, --no-time-namespace\n"
	  "                        use the clocks of this machine, which jump then\n"
	  "  -L, --keep-lsm        change to the security labels of the image (SELinux,\n"
	  "                        Smack, AppArmor) if they are not ours\n"
	  "  -C, --allow-changed-files\n"
	  "                        take files that are shorter, or programs and libraries\n"
	  "                        that are others, than at the checkpoint\n"
	  "  -i, --input FILE      image file; - is standard input (default)\n"
	  "  -l, --log FILE        write all that the kernel said to FILE\n" },
	{ "check", cmd_check, "[OPTION]... PID",
	  "Tell whether PID can be checkpointed, and everything that prevents it.\n"
	  "\n"
	  "  -c, --container       as for checkpoint\n"
	  "  -e, --external KEY    as for checkpoint\n"
	  "  -j, --shell-job       as for checkpoint\n"
	  "  -K, --drop-keyrings   as for checkpoint\n"
	  "  -l, --log FILE        write all that the kernel said to FILE\n" },
	{ "info", cmd_info, "[--json] FILE",
	  "Show what an image holds.\n"
	  "\n"
	  "  -J, --json            for programs\n" },
	{ "verify", cmd_verify, "FILE",
	  "Check that an image is complete and undamaged.\n" },
};

static const struct command *current;

void complain(const char *fmt, ...)
{
	va_list args;

	fputs("ckpt: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void usage_error(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "ckpt %s: ", current->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, " (try: ckpt %s --help)\n", current->name);
	exit(EXIT_USAGE);
}

void usage_help(void)
{
	printf("Usage: ckpt %s %s\n%s", current->name, current->usage, current->help);
	exit(0);
}

void *must(void *ptr)
{
	if (!ptr) {
		complain("%s", strerror(ENOMEM));
		exit(1);
	}
	return ptr;
}

const char *image_name(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

int open_image(const char *path)
{
	int fd;

	if (!strcmp(path, "-")) {
		if (!isatty(STDIN_FILENO))
			return STDIN_FILENO;
		complain("refusing to read an image from a terminal: name a file");
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		complain("%s: %s", path, strerror(errno));
	return fd;
}

bool is_image_file(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st)) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	if (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		return true;
	complain("%s: an image is a file, a pipe or a socket, not a %s", path,
		 isatty(fd) ? "terminal" : S_ISDIR(st.st_mode) ? "directory" : "device");
	return false;
}

static int print_help(FILE *to, int status)
{
	fputs("Usage: ckpt COMMAND [OPTION]...\nCommands:\n", to);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-12s%.*s\n", commands[i].name,
			(int)strcspn(commands[i].help, "\n"), commands[i].help);
	fputs("`ckpt COMMAND --help` lists the options, ckpt(1) explains them.\n", to);
	return status;
}

static int print_version(void)
{
	printf("ckpt, for images of version %d\n", CKPT_IMAGE_VERSION);
	return 0;
}

/* A file that we open must not become what messages are written to. */
static void fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	fill_stdio();
	/* each line is one write: several of us may have the same log */
	setvbuf(stderr, NULL, _IOLBF, 0);
	/* a reader of the image that goes away is an error to report */
	signal(SIGPIPE, SIG_IGN);
	/* so is an image that is larger than a file may be */
	signal(SIGXFSZ, SIG_IGN);
	/* or a restarted child would be reaped before we wait for it */
	signal(SIGCHLD, SIG_DFL);
	if (argc < 2)
		return print_help(stderr, EXIT_USAGE);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return print_help(stdout, 0);
	if (!strcmp(argv[1], "--version"))
		return print_version();
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		current = &commands[i];
		/* getopt_long() begins its complaints with this */
		argv[1] = argv[0];
		return current->run(argc - 1, argv + 1);
	}
	complain("unknown command '%s' (try: ckpt --help)", argv[1]);
	return EXIT_USAGE;
}
