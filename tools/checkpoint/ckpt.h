/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the commands of ckpt(1) share.
 */
#ifndef _CKPT_TOOL_CKPT_H
#define _CKPT_TOOL_CKPT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "libckpt.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Exit statuses; that of a restarted root is passed on as it is. */
#define EXIT_USAGE		2
#define EXIT_NOT_RESTARTED	125

int cmd_checkpoint(int argc, char **argv);
int cmd_restart(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_verify(int argc, char **argv);

/* ckpt.c */
/* Prints "ckpt: " and one line on stderr. */
[[gnu::format(printf, 1, 2)]] void complain(const char *fmt, ...);
/* Complains about the command line and exits. */
[[gnu::format(printf, 1, 2), gnu::noreturn]] void usage_error(const char *fmt, ...);
/* Prints the help of the command and exits. */
[[gnu::noreturn]] void usage_help(void);
void *must(void *ptr);
/* Opens an image for reading; "-" is stdin. Complains and returns -1. */
int open_image(const char *path);
/* What to call it when there is something to say about it. */
const char *image_name(const char *path);
/* Whether the kernel takes the file for an image; complains if not. */
bool is_image_file(int fd, const char *path);

/* report.c */
/* Prints "ckpt: ", what has failed, and why, in one line on stderr. */
[[gnu::format(printf, 3, 4)]] void report_failure(int error, const struct ckpt_log *log,
						 const char *fmt, ...);
void report_warnings(const struct ckpt_log *log);
void print_entry(FILE *to, const struct ckpt_log_entry *entry);
/*
 * Opened before a call, so that a bad name is known in time; NULL path: none.
 * Complains and returns -1, also if it is the image (the file named @image, or
 * @image_fd if that is NULL) or the pidfile.
 */
int report_log_open(const char *path, const char *image, int image_fd, const char *pidfile,
		    int *fd);
/* Only complains if it fails: what the log is about has happened. */
void report_log_write(int fd, const char *path, const struct ckpt_log *log);
bool is_same_file(const struct stat *a, const struct stat *b);

/* watch.c */
/**
 * struct watch - what to do while a long call runs
 * @title: for the progress line
 * @fd: the image
 * @reading: it is read, not written
 * @interrupted: called before a signal ends the process, or NULL
 * @arg: its argument
 * @needed: signals must not just end the process, even if there is no terminal
 */
struct watch {
	const char *title;
	int fd;
	bool reading;
	void (*interrupted)(void *arg);
	void *arg;
	bool needed;
};

void watch_start(const struct watch *what);
/* The signals are blocked from now on: nothing interrupts what completes the work. */
void watch_stop(void);
/* For who has nothing to complete after watch_stop(). */
void watch_unblock(void);
/*
 * The signals that end a call, or go to the restarted root; not those that we were
 * started to ignore: blocked, they would be queued all the same.
 */
void watch_signals(sigset_t *set);

/* wait.c */
/* Waits for a restarted root as a shell does; an exit status. */
int wait_for_root(pid_t root, bool shell_job);

#endif
