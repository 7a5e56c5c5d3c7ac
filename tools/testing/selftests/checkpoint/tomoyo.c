// SPDX-License-Identifier: GPL-2.0
/* TOMOYO: a tree may be in the domain of who checkpoints it, and in no other. */
#include <sys/mount.h>

#include "lsm.h"

#define TOMOYO	"/sys/kernel/security/tomoyo/"

static bool is_there(void)
{
	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	return lsm_active(LSM_ID_TOMOYO);
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static bool is_in_domain(const char *name)
{
	int fd = open(TOMOYO "self_domain", O_RDONLY);
	char buf[256] = "";

	CHECK(fd >= 0 && read(fd, buf, sizeof(buf) - 1) > 0);
	close(fd);
	return !strcmp(buf, name);
}

/* No policy has been loaded: all are in one domain, and root may write rules. */
static void enter_domain(void)
{
	CHECK(is_in_domain("<kernel>"));
	write_to(TOMOYO "domain_policy",
		 "select <kernel>\ntask manual_domain_transition <kernel> /subject\n");
	write_to(TOMOYO "self_domain", "<kernel> /subject");
	CHECK(is_in_domain("<kernel> /subject"));
}

SURVIVE_IF(domain_of_all, is_there(), "TOMOYO is not active")
{
	CHECK(is_in_domain("<kernel>"));
	subject_ready();
	CHECK(is_in_domain("<kernel>"));
}

REFUSE_IF(domain_of_the_tree, is_there(), "TOMOYO is not active", EOPNOTSUPP,
	  "TOMOYO domain other than the caller's")
{
	enter_domain();
	subject_ready();
	CHECK(is_in_domain("<kernel> /subject"));
}

static void subject_in_domain(void)
{
	CHECK(is_in_domain("<kernel> /subject"));
	subject_ready();
	CHECK(is_in_domain("<kernel> /subject"));
}

TEST_F(survive, domain_of_the_caller)
{
	if (!is_there())
		SKIP(return, "TOMOYO is not active");
	enter_domain();
	survive_run(_metadata, &self->s, variant, subject_in_domain);
}

TEST_HARNESS_MAIN
