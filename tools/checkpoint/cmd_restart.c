// SPDX-License-Identifier: GPL-2.0
/*
 * ckpt restart
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/checkpoint.h>

#include "ckpt.h"

struct job {
	uint64_t flags;
	bool detach;
	const char *input;
	int image_fd;
	const char *pidfile;
	struct ckpt_output *pidfile_out;
	const char *log_path;
	int log_fd;
	char **values;
	unsigned int nr_values;
	struct ckpt_externals *externals;
	struct ckpt_log *log;
};

static const struct option options[] = {
	{ "detach", no_argument, NULL, 'd' },
	{ "pidfile", required_argument, NULL, 'p' },
	{ "external", required_argument, NULL, 'e' },
	{ "shell-job", no_argument, NULL, 'j' },
	{ "stopped", no_argument, NULL, 's' },
	{ "no-time-namespace", no_argument, NULL, 'T' },
	{ "keep-lsm", no_argument, NULL, 'L' },
	{ "allow-changed-files", no_argument, NULL, 'C' },
	{ "input", required_argument, NULL, 'i' },
	{ "log", required_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void parse_option(struct job *job, int opt)
{
	switch (opt) {
	case 'd':
		job->detach = true;
		break;
	case 'p':
		job->pidfile = optarg;
		break;
	case 'e':
		job->values[job->nr_values++] = optarg;
		break;
	case 'j':
		job->flags |= RESTART_SHELL_JOB;
		break;
	case 's':
		job->flags |= RESTART_STOPPED;
		break;
	case 'T':
		job->flags |= RESTART_NO_TIME_NAMESPACE;
		break;
	case 'L':
		job->flags |= RESTART_KEEP_LSM;
		break;
	case 'C':
		job->flags |= RESTART_CHANGED_FILES;
		break;
	case 'i':
		job->input = optarg;
		break;
	case 'l':
		job->log_path = optarg;
		break;
	case 'h':
		usage_help();
	default:
		exit(EXIT_USAGE);
	}
}

static void parse(struct job *job, int argc, char **argv)
{
	int opt;

	*job = (struct job) {
		.input = "-",
		.image_fd = -1,
		.log_fd = -1,
		.values = must(calloc(argc, sizeof(char *))),
		.externals = must(ckpt_externals_new()),
		.log = must(ckpt_log_new()),
	};
	while ((opt = getopt_long(argc, argv, "dp:e:jsTLCi:l:h", options, NULL)) != -1)
		parse_option(job, opt);
	if (optind != argc)
		usage_error("unexpected argument '%s'", argv[optind]);
}

static void release(struct job *job)
{
	free(job->values);
	ckpt_externals_free(job->externals);
	ckpt_log_free(job->log);
	ckpt_output_discard(job->pidfile_out);
	if (job->log_fd >= 0)
		close(job->log_fd);
	if (job->image_fd > STDERR_FILENO)
		close(job->image_fd);
}

/* A pid is no secret, as an image is; an older file of ours keeps its mode. */
static void set_pidfile_mode(const struct job *job, const struct stat *old)
{
	mode_t mask = umask(0);

	umask(mask);
	if (!old || (S_ISREG(old->st_mode) && old->st_uid != geteuid()))
		(void)!fchmod(ckpt_output_fd(job->pidfile_out), 0666 & ~mask);
}

/*
 * If the restart fails, the older file may be that of processes which still run:
 * it is replaced by one that is complete, or not at all.
 */
static int open_pidfile(struct job *job)
{
	struct stat old, image;
	bool exists;
	int ret;

	if (!job->pidfile)
		return 0;
	exists = !stat(job->pidfile, &old);
	if (exists && !fstat(job->image_fd, &image) && is_same_file(&old, &image)) {
		complain("%s: the pidfile and the image are the same file", job->pidfile);
		return -1;
	}
	ret = ckpt_output_open(job->pidfile, false, &job->pidfile_out);
	if (ret) {
		complain("%s: %s", job->pidfile, strerror(-ret));
		return ret;
	}
	set_pidfile_mode(job, exists ? &old : NULL);
	return 0;
}

static int open_externals(struct job *job)
{
	int ret;

	for (unsigned int i = 0; i < job->nr_values; i++) {
		ret = ckpt_externals_add_value(job->externals, job->values[i]);
		if (ret) {
			complain("external %s: %s", job->values[i], ret == -EINVAL ?
				 "not of the form KEY=PATH, KEY=fd:N or KEY=inherit" :
				 strerror(-ret));
			return ret;
		}
	}
	if (!(job->flags & RESTART_SHELL_JOB))
		return 0;
	ret = ckpt_externals_add_stdio(job->externals, job->image_fd);
	if (ret)
		complain("stdio: %s", strerror(-ret));
	return ret;
}

/* All that can be wrong here is found before processes exist. */
static int prepare(struct job *job)
{
	job->image_fd = open_image(job->input);
	if (job->image_fd < 0 || !is_image_file(job->image_fd, image_name(job->input)))
		return -1;
	if (open_pidfile(job) ||
	    report_log_open(job->log_path, NULL, job->image_fd, job->pidfile, &job->log_fd))
		return -1;
	return open_externals(job);
}

/* The name that it has until it is complete, if it has one. */
static const char *pidfile_temporary(const struct job *job)
{
	return job->pidfile_out ? ckpt_output_name(job->pidfile_out) : NULL;
}

static void clean_up(void *arg)
{
	const struct job *job = arg;

	if (pidfile_temporary(job))
		unlink(pidfile_temporary(job));
}

static pid_t run_restart(struct job *job)
{
	pid_t root;

	watch_start(&(struct watch) {
		.title = "restarting",
		.fd = job->image_fd,
		.reading = true,
		.interrupted = clean_up,
		.arg = job,
		/* the thread that calls has all signals but SIGKILL blocked meanwhile */
		.needed = true,
	});
	root = ckpt_restart(job->flags, job->image_fd, job->externals, job->log);
	watch_stop();
	if (root < 0)
		report_failure(root, job->log, "cannot restart %s", image_name(job->input));
	return root;
}

static void write_pidfile(struct job *job, pid_t root)
{
	int ret = 0;

	if (!job->pidfile_out)
		return;
	if (dprintf(ckpt_output_fd(job->pidfile_out), "%d\n", root) < 0) {
		ret = -errno;
		ckpt_output_discard(job->pidfile_out);
	} else {
		ret = ckpt_output_commit(job->pidfile_out);
	}
	job->pidfile_out = NULL;
	if (ret)
		complain("%s: %s (the root is pid %d)", job->pidfile, strerror(-ret), root);
}

int cmd_restart(int argc, char **argv)
{
	struct job job;
	bool shell_job;
	pid_t root;

	parse(&job, argc, argv);
	root = prepare(&job) ? -1 : run_restart(&job);
	report_log_write(job.log_fd, job.log_path, job.log);
	if (root < 0) {
		release(&job);
		return EXIT_NOT_RESTARTED;
	}
	report_warnings(job.log);
	write_pidfile(&job, root);
	shell_job = job.flags & RESTART_SHELL_JOB;
	/* the ends of pipes are the program's alone while we wait */
	release(&job);
	return job.detach ? 0 : wait_for_root(root, shell_job);
}
