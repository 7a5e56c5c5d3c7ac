# SPDX-License-Identifier: GPL-2.0
# In-kernel checkpoint/restart for Linux 6.12. "make help" says what there is.

T := tools/testing/checkpoint

.DEFAULT_GOAL := help
.PHONY: help packages kernel kernel-debug tree guest run check check-debug check-upstream bench shell stat lint series series-check clean

help:
	@sed -n 's/^#: //p' Makefile

#: make run            show the main job: real programs saved and brought back
#: make check          build everything, run all tests; ends with "N passed, N failed"
#: make check-debug    the tests in guests, on a kernel with KASAN, lockdep, kmemleak ...
#: make check-upstream selftests of the kernel itself, compared with an unpatched one
#: make bench          measure against CRIU, inside one guest
#: make shell          a shell in the guest
#:
#: make kernel         the kernel, build/linux (kernel-debug: build/linux-debug)
#: make tree           its sources only: pristine + our files + patches
#: make guest          what the guest gets of ours: ckpt, libckpt, selftests
#: make series         a git-am-able series on pristine sources, in build/series
#: make series-check   every step of it builds with CONFIG_CHECKPOINT=n and =y
#: make stat           changed lines in existing files against the budget; file sizes
#: make lint           checkpatch --strict, sparse, kernel-doc, shellcheck on our files
#: make clean          remove build/
#:
#: In a guest of your own: tools/testing/checkpoint/vm -- COMMAND...
#: To change a patch:      tools/testing/checkpoint/patchtool --help

packages:
	@$T/host-setup
kernel: packages
	@$T/kernel-build
kernel-debug: packages
	@$T/kernel-build --debug
tree: packages
	@$T/kernel-tree
guest: kernel
	@$T/guest-stage
check: packages
	@$T/check
check-debug: packages
	@$T/check --debug
check-upstream: packages
	@$T/upstream
run: guest
	@$T/run-in-guest demo
bench: guest
	@MEM=8G APPEND=idle=poll $T/run-in-guest bench --json /host/bench.json
shell: guest
	@$T/vm --shell
series: packages
	@$T/series
series-check: packages
	@$T/series-check
stat:
	@$T/stat
lint: kernel
	@$T/lint
# a killed rootfs of a plain user leaves files of other user ids
clean:
	rm -rf build 2>/dev/null || unshare --map-auto --map-root-user rm -rf build
