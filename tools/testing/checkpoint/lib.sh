# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Common ground of the host-side scripts: where things are, how they speak.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
# shellcheck disable=SC2034 # for the scripts that source us
HERE=$TOP/tools/testing/checkpoint
BUILD=$TOP/build
# shellcheck disable=SC2034 # for the scripts that source us
TARBALL=/usr/src/linux-source-6.12.tar.xz
PATCHES=${PATCHES:-$TOP/patches}
JOBS=${JOBS:-$(nproc)}

# What of the repository enters the kernel tree, at the same path.
OVERLAY_DIRS=(arch checkpoint kernel mm fs ipc include
	Documentation/checkpoint tools/checkpoint
	tools/testing/selftests/checkpoint)

# Hits must survive another checkout in another directory.
export CCACHE_BASEDIR=$TOP CCACHE_NOHASHDIR=1
# The same source gives the same kernel, whoever builds it.
export KBUILD_BUILD_TIMESTAMP='2025-01-01 00:00:00' KBUILD_BUILD_USER=checkpoint
export KBUILD_BUILD_HOST=build KBUILD_BUILD_VERSION=1 LOCALVERSION=

# mke2fs and others are not in a plain user's path.
export PATH=$PATH:/usr/sbin:/sbin

# The checkout may belong to another user than the one who builds.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$TOP

mkdir -p "$BUILD/log"

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

say()
{
	printf '%-8s %s\n' "$1" "$2" >&2
}

# stage NAME LOG COMMAND...: one line for the user, the rest into a file.
stage()
{
	local name=$1 log=$BUILD/log/$2 start=$SECONDS status
	shift 2
	say "$name" "... (log: ${log#"$TOP/"})"
	# not "if ! ...": that would switch errexit off inside the command
	set +e
	(set -e; "$@") >"$log" 2>&1 </dev/null
	status=$?
	set -e
	if [ "$status" != 0 ]; then
		grep -nE '(error|Error|undefined reference|No rule to make)' "$log" |
			head -n 20 >&2 || :
		echo "--- last lines of ${log#"$TOP/"}" >&2
		tail -n 25 "$log" >&2
		die "$name failed"
	fi
	say "$name" "done, $((SECONDS - start)) s"
}

# lock NAME: one at a time; released when the script ends.
lock()
{
	exec {lock_fd}>"$BUILD/.lock-$1"
	flock -n "$lock_fd" || {
		say lock "waiting for another run of $1"
		flock "$lock_fd"
	}
}

# kmake TREE ARGS...: make a kernel tree, through ccache. --no-print-directory
# and the empty MAKEFLAGS keep our own make's job server out of it.
kmake()
{
	local tree=$1
	shift
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$tree" -j"$JOBS" \
		CC='ccache gcc' HOSTCC='ccache gcc' "$@"
}

# our_files DIR...: what the repository has there, tracked or about to be.
# Sources that came without their history hold nothing else.
our_files()
(
	cd "$TOP"
	if [ -e .git ]; then
		git ls-files -co --exclude-standard -- "$@" | while read -r f; do
			[ ! -f "$f" ] || echo "$f"
		done
	else
		find "$@" -name __pycache__ -prune -o -type f -print
	fi | sort -u
)

# Our files in the kernel tree.
overlay_files()
{
	our_files "${OVERLAY_DIRS[@]}"
}

# The patches in order, without comments.
series()
{
	[ ! -e "$PATCHES/series" ] || sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$PATCHES/series"
}

# patch_files PATCH: which files of the kernel it changes.
patch_files()
{
	sed -n -e 's,^--- a/,,p' -e 's,^+++ b/,,p' "$1" | sort -u
}

# The unmodified kernel, unpacked once per version of Debian's package.
pristine_tree()
{
	local version
	version=$(stat -c '%s %Y' "$TARBALL" 2>/dev/null) ||
		die "$TARBALL is missing: apt-get install linux-source-6.12"
	[ "$(cat "$BUILD/pristine.version" 2>/dev/null)" != "$version" ] || return 0
	rm -rf "$BUILD/pristine" "$BUILD/pristine.tmp"
	mkdir "$BUILD/pristine.tmp"
	stage unpack unpack.log tar -xJf "$TARBALL" -C "$BUILD/pristine.tmp" --strip-components=1
	mv "$BUILD/pristine.tmp" "$BUILD/pristine"
	echo "$version" >"$BUILD/pristine.version"
}

# copy_pristine TREE [DEPENDENT...]: a copy to build in. One of another version of
# the package is replaced, and what depends on it goes with it: make would take
# its objects, which are younger than the new sources, for up to date.
copy_pristine()
{
	local tree=$1
	! cmp -s "$tree/.pristine.version" "$BUILD/pristine.version" || return 0
	rm -rf "$@" "$tree.tmp"
	cp -a --reflink=auto "$BUILD/pristine" "$tree.tmp"
	cp "$BUILD/pristine.version" "$tree.tmp/.pristine.version"
	mv "$tree.tmp" "$tree"
}
