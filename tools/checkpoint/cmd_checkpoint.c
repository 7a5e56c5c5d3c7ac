// SPDX-License-Identifier: GPL-2.0
/*
 * ckpt checkpoint, ckpt check
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/checkpoint.h>

#include "ckpt.h"

struct job {
	pid_t pid;
	uint64_t flags;
	const char *output;
	const char *temporary;
	const char *log_path;
	int log_fd;
	char **keys;
	unsigned int nr_keys;
	struct ckpt_externals *externals;
	struct ckpt_log *log;
};

static const struct option checkpoint_options[] = {
	{ "container", no_argument, NULL, 'c' },
	{ "external", required_argument, NULL, 'e' },
	{ "shell-job", no_argument, NULL, 'j' },
	{ "drop-keyrings", no_argument, NULL, 'K' },
	{ "log", required_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ "kill", no_argument, NULL, 'k' },
	{ "leave-stopped", no_argument, NULL, 's' },
	{ "output", required_argument, NULL, 'o' },
	{ }
};

static const struct option check_options[] = {
	{ "container", no_argument, NULL, 'c' },
	{ "external", required_argument, NULL, 'e' },
	{ "shell-job", no_argument, NULL, 'j' },
	{ "drop-keyrings", no_argument, NULL, 'K' },
	{ "log", required_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void parse_option(struct job *job, int opt)
{
	switch (opt) {
	case 'c':
		job->flags &= ~CHECKPOINT_SUBTREE;
		break;
	case 'e':
		job->keys[job->nr_keys++] = optarg;
		break;
	case 'j':
		job->flags |= CHECKPOINT_SHELL_JOB;
		break;
	case 'K':
		job->flags |= CHECKPOINT_DROP_KEYRINGS;
		break;
	case 'k':
		job->flags |= CHECKPOINT_KILL;
		break;
	case 's':
		job->flags |= CHECKPOINT_STOP;
		break;
	case 'l':
		job->log_path = optarg;
		break;
	case 'o':
		job->output = optarg;
		break;
	case 'h':
		usage_help();
	default:
		exit(EXIT_USAGE);
	}
}

static pid_t parse_pid(const char *text)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || *end || end == text || pid < 1 || pid > INT_MAX)
		usage_error("'%s' is not a pid", text);
	return pid;
}

static void parse(struct job *job, int argc, char **argv, const char *letters,
		  const struct option *options)
{
	int opt;

	*job = (struct job) {
		.flags = CHECKPOINT_SUBTREE,
		.output = "-",
		.log_fd = -1,
		.keys = must(calloc(argc, sizeof(char *))),
		.externals = must(ckpt_externals_new()),
		.log = must(ckpt_log_new()),
	};
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1)
		parse_option(job, opt);
	if (argc - optind != 1)
		usage_error("exactly one PID is needed");
	job->pid = parse_pid(argv[optind]);
	if ((job->flags & CHECKPOINT_KILL) && (job->flags & CHECKPOINT_STOP))
		usage_error("--kill and --leave-stopped exclude each other");
}

static void release(struct job *job)
{
	free(job->keys);
	ckpt_externals_free(job->externals);
	ckpt_log_free(job->log);
	if (job->log_fd >= 0)
		close(job->log_fd);
}

static const char *external_error(int error)
{
	switch (error) {
	case -EINVAL:
		return "not of the form fd:N or fd:PID:N";
	case -EBADF:
		return "the process has no such descriptor";
	default:
		return strerror(-error);
	}
}

static int find_externals(struct job *job)
{
	int ret;

	for (unsigned int i = 0; i < job->nr_keys; i++) {
		ret = ckpt_externals_add_key(job->externals, job->keys[i], job->pid);
		if (ret) {
			complain("external %s: %s", job->keys[i], external_error(ret));
			return ret;
		}
	}
	if (!(job->flags & CHECKPOINT_SHELL_JOB))
		return 0;
	ret = ckpt_externals_add_job(job->externals, job->pid);
	if (ret)
		complain("stdio of pid %d: %s", job->pid, strerror(-ret));
	return ret;
}

static bool to_stdout(const struct job *job)
{
	return !strcmp(job->output, "-");
}

/* @image_fd is where the image goes if it has no name, -1 if there is none */
static int prepare(struct job *job, int image_fd)
{
	const char *image = to_stdout(job) ? NULL : job->output;

	if (report_log_open(job->log_path, image, image_fd, NULL, &job->log_fd))
		return -1;
	return find_externals(job);
}

/* The image may be all that there is of the processes, or of what they wait for. */
static bool must_keep(const struct job *job)
{
	return job->flags & (CHECKPOINT_KILL | CHECKPOINT_STOP);
}

/*
 * A signal ends the call. The processes may have been killed or stopped for a
 * complete image just before: that one must stay.
 */
static void clean_up(void *arg)
{
	const struct job *job = arg;

	if (!job->temporary)
		return;
	if (must_keep(job))
		complain("interrupted; what was written is in %s%s", job->temporary,
			 job->flags & CHECKPOINT_STOP ? ", the processes may be stopped" : "");
	else
		unlink(job->temporary);
}

static int write_image(struct job *job, int fd)
{
	char title[64];
	int ret;

	snprintf(title, sizeof(title), "checkpointing %d", job->pid);
	watch_start(&(struct watch) {
		.title = title,
		.fd = fd,
		.interrupted = clean_up,
		.arg = job,
		.needed = job->temporary && !must_keep(job),
	});
	ret = ckpt_checkpoint(job->pid, job->flags, fd, job->externals, job->log);
	watch_stop();
	if (ret >= 0)
		return ret;
	report_failure(ret, job->log, "cannot checkpoint %d", job->pid);
	return ret;
}

static int checkpoint_to_stdout(struct job *job)
{
	if (isatty(STDOUT_FILENO)) {
		complain("refusing to write an image to a terminal: use -o or a pipe");
		return -1;
	}
	if (!is_image_file(STDOUT_FILENO, "standard output"))
		return -1;
	return write_image(job, STDOUT_FILENO);
}

static int open_output(const struct job *job, struct ckpt_output **out)
{
	int ret = ckpt_output_open(job->output, must_keep(job), out);

	if (ret) {
		complain("%s: %s", job->output, strerror(-ret));
		return ret;
	}
	if (is_image_file(ckpt_output_fd(*out), job->output))
		return 0;
	ckpt_output_discard(*out);
	return -1;
}

/* Where the image is after all; without a temporary name it has not stayed. */
static void report_commit(const struct job *job, int error, const char *name)
{
	const char *stopped = job->flags & CHECKPOINT_STOP ? "; the processes are stopped" : "";

	if (!must_keep(job) || !name)
		complain("%s: %s%s", job->output, strerror(-error), stopped);
	else
		complain("%s: %s; the image is in %s%s", job->output, strerror(-error),
			 access(name, F_OK) ? job->output : name, stopped);
}

static int commit(const struct job *job, struct ckpt_output *out)
{
	char *name = job->temporary ? must(strdup(job->temporary)) : NULL;
	int ret = ckpt_output_commit(out);

	if (ret)
		report_commit(job, ret, name);
	free(name);
	return ret;
}

static int checkpoint_to_file(struct job *job)
{
	struct ckpt_output *out;
	int ret;
	int id;

	ret = open_output(job, &out);
	if (ret)
		return ret;
	job->temporary = ckpt_output_name(out);
	id = write_image(job, ckpt_output_fd(out));
	/* 0: we were in the tree ourselves, and this is the restarted one */
	if (id <= 0) {
		if (id < 0)
			ckpt_output_discard(out);
		return id;
	}
	ret = commit(job, out);
	return ret ? ret : id;
}

int cmd_checkpoint(int argc, char **argv)
{
	struct job job;
	int ret;

	parse(&job, argc, argv, "ce:jKl:hkso:", checkpoint_options);
	ret = prepare(&job, STDOUT_FILENO);
	if (!ret) {
		if (to_stdout(&job))
			ret = checkpoint_to_stdout(&job);
		else
			ret = checkpoint_to_file(&job);
		report_log_write(job.log_fd, job.log_path, job.log);
	}
	if (ret >= 0)
		report_warnings(job.log);
	release(&job);
	return ret < 0;
}

static unsigned int print_reasons(const struct job *job)
{
	const struct ckpt_log_entry *entry;
	unsigned int nr = 0;

	for (size_t i = 0; (entry = ckpt_log_get(job->log, i)); i++) {
		if (entry->level == CKPT_LOG_INFO)
			continue;
		if (entry->level == CKPT_LOG_WARNING)
			fputs("warning: ", stdout);
		print_entry(stdout, entry);
		if (entry->error)
			printf(" (%s)", ckpt_strerror(entry->error));
		putchar('\n');
		nr += entry->level == CKPT_LOG_ERROR;
	}
	return nr;
}

static int run_check(struct job *job)
{
	unsigned int nr;
	int ret;

	ret = ckpt_checkpoint(job->pid, job->flags | CHECKPOINT_DRY_RUN, -1,
			      job->externals, job->log);
	nr = print_reasons(job);
	if (ret >= 0 && !nr) {
		printf("pid %d can be checkpointed\n", job->pid);
		return 0;
	}
	if (!nr) {
		report_failure(ret, job->log, "cannot check %d", job->pid);
	} else {
		printf("pid %d cannot be checkpointed: %u reason%s\n", job->pid, nr,
		       nr == 1 ? "" : "s");
	}
	return -1;
}

int cmd_check(int argc, char **argv)
{
	struct job job;
	int ret;

	parse(&job, argc, argv, "ce:jKl:h", check_options);
	ret = prepare(&job, -1);
	if (!ret) {
		ret = run_check(&job);
		report_log_write(job.log_fd, job.log_path, job.log);
	}
	release(&job);
	return ret < 0;
}
