// SPDX-License-Identifier: GPL-2.0
/*
 * Labels of security modules that are not active here: such an image is refused.
 * The modules have tests of their own, for kernels that run with one of them.
 */
#include "codec.h"
#include "lsm.h"

FIXTURE(inactive)
{
	struct subject s;
	struct image *image;
};

FIXTURE_VARIANT(inactive)
{
	uint64_t id;
	const char *label;
	const char *text;
};

FIXTURE_VARIANT_ADD(inactive, selinux) {
	.id = LSM_ID_SELINUX,
	.label = "user_u:user_r:user_t",
	.text = "label \"user_u:user_r:user_t\" is of SELinux, which is not active here",
};

FIXTURE_VARIANT_ADD(inactive, smack) {
	.id = LSM_ID_SMACK,
	.label = "_",
	.text = "label \"_\" is of Smack, which is not active here",
};

FIXTURE_VARIANT_ADD(inactive, apparmor) {
	.id = LSM_ID_APPARMOR,
	.label = "confined",
	.text = "label \"confined\" is of AppArmor, which is not active here",
};

/* Without AppArmor nobody is confined by it either. */
FIXTURE_VARIANT_ADD(inactive, apparmor_unconfined) {
	.id = LSM_ID_APPARMOR,
	.label = "unconfined",
};

FIXTURE_SETUP(inactive)
{
	memset(&self->s, 0, sizeof(self->s));
	self->image = calloc(1, sizeof(*self->image));
	if (lsm_active(variant->id))
		SKIP(return, "the security module is active");
	ASSERT_TRUE(subject_start(&self->s, subject_ready)) subject_print(&self->s);
	ASSERT_GT(subject_checkpoint(&self->s, CHECKPOINT_KILL), 0) subject_print(&self->s);
	ASSERT_EQ(waitpid(self->s.pid, NULL, 0), self->s.pid);
	ASSERT_TRUE(image_load(&self->s, self->image));
	ASSERT_TRUE(image_label(self->image, variant->id, variant->label));
	ASSERT_TRUE(image_store(&self->s, self->image));
}

FIXTURE_TEARDOWN(inactive)
{
	if (self->s.pid > 0)
		subject_kill(&self->s);
	if (self->s.dir[0])
		subject_clean(&self->s);
	image_free(self->image);
	free(self->image);
}

static void check_restart(struct __test_metadata *_metadata, struct subject *s,
			  const FIXTURE_VARIANT(inactive) *variant, uint64_t flags)
{
	if (!variant->text) {
		ASSERT_EQ(subject_restart(s, flags), s->pid) subject_print(s);
		ASSERT_EQ(subject_finish(s), 0) subject_print(s);
		s->pid = 0;
		return;
	}
	EXPECT_EQ(subject_restart(s, flags), -EOPNOTSUPP) subject_print(s);
	EXPECT_TRUE(log_has(s, variant->text)) subject_print(s);
	EXPECT_TRUE(kill(s->pid, 0) == -1 && errno == ESRCH);
}

TEST_F(inactive, refused)
{
	check_restart(_metadata, &self->s, variant, 0);
}

TEST_F(inactive, refused_whatever_is_asked_for)
{
	check_restart(_metadata, &self->s, variant, RESTART_KEEP_LSM);
}

TEST_HARNESS_MAIN
