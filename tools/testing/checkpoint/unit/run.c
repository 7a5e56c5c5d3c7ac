// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the KUnit suites that are linked in and prints TAP.
 */
#include <kunit/test.h>

struct kunit_suite *kunit_suites[16];
unsigned int kunit_nr_suites;
long shim_fail_alloc;

static void free_allocs(struct kunit *test)
{
	struct kunit_alloc *alloc;

	while (test->allocs) {
		alloc = test->allocs;
		test->allocs = alloc->next;
		free(alloc);
	}
}

static bool run(const struct kunit_suite *suite, const struct kunit_case *kase)
{
	static struct kunit test;

	memset(&test, 0, sizeof(test));
	shim_fail_alloc = 0;
	if (!setjmp(test.abort)) {
		if (suite->init && suite->init(&test))
			test.failed = true;
		else
			kase->run_case(&test);
	}
	if (suite->exit)
		suite->exit(&test);
	free_allocs(&test);
	return !test.failed;
}

int main(void)
{
	const struct kunit_case *kase;
	unsigned int nr = 0, failed = 0;
	unsigned int i;
	bool ok;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < kunit_nr_suites; i++)
		for (kase = kunit_suites[i]->test_cases; kase->run_case; kase++)
			nr++;
	printf("1..%u\n", nr);
	nr = 0;
	for (i = 0; i < kunit_nr_suites; i++) {
		for (kase = kunit_suites[i]->test_cases; kase->run_case; kase++) {
			ok = run(kunit_suites[i], kase);
			failed += !ok;
			printf("%sok %u - %s.%s\n", ok ? "" : "not ", ++nr,
			       kunit_suites[i]->name, kase->name);
		}
	}
	return !!failed;
}
