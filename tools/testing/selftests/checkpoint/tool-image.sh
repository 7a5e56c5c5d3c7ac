#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2317
#
# ckpt(1) and libckpt: what they tell of an image, and how programs use the library.
here=$(dirname "$0")
# shellcheck source=tool/lib.sh
. "$here/tool/lib.sh"

# damaged FILE WHAT: verify, info and restart say so
damaged()
{
	$ckpt verify "$1" 2>stderr
	[ $? = 1 ] && stderr_is_one_line && grep -Eq "^ckpt: $1: .*$2" stderr || return
	$ckpt info "$1" >text 2>stderr
	[ $? = 1 ] && stderr_is_one_line && grep -Eq "^ckpt: $1: .*$2" stderr && [ ! -s text ]
}

# Each is changed in one byte: in the header, in a page, in the trailer.
test_verify()
{
	local name
	start sleep 60
	$ckpt checkpoint --container -o image "$pid" && $ckpt verify image &&
		$ckpt verify - <image || return
	stop
	head -c 5000 image >short && damaged short truncated &&
		! $ckpt verify - <short 2>stderr && grep -q '^ckpt: standard input: ' stderr ||
		return
	cp image long && echo >>long &&
		damaged long "data follows the end of the image at byte $(stat -c %s image)" ||
		return
	: >empty && damaged empty . || return
	head -c 100000 /dev/zero >foreign && damaged foreign . || return
	python3 - <<-'EOT' || return
	image = open("image", "rb").read()
	for name, where in ("header", 60), ("page", len(image) // 2), ("trailer", len(image) - 4):
	    wrong = bytearray(image)
	    wrong[where] ^= 16
	    open(name, "wb").write(wrong)
	EOT
	damaged header 'hash mismatch' && damaged page 'block [0-9]+ at byte [0-9]+: hash' &&
		damaged trailer 'block [0-9]+ at byte [0-9]+: ' || return
	for name in short empty foreign header page trailer; do
		$ckpt restart -d -i "$name" 2>stderr
		[ $? = 125 ] && stderr_is_one_line && [ ! -e "/proc/$pid" ] &&
			grep -q "^ckpt: cannot restart $name: " stderr || return
	done
}

# What differs from run to run has a name here.
info_lines()
{
	$ckpt info image | sed -E -e "s|$work|WORK|g" \
		-e "s/\<$pid\>/ROOT/g" -e "s/\<$dead\>/DEAD/g" -e "s/\<$child\>/CHILD/g" \
		-e "s/by Linux $(uname -r),/by Linux RELEASE,/" \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} [+-][0-9]{4}/DATE/' \
		-e 's/[0-9]+(\.[0-9])? [KM]iB/SIZE/g' -e 's/[0-9]+\.[0-9]{3} s/TIME/g' \
		-e 's/0x[0-9a-f]+/FEATURES/' -e 's/[0-9a-f]{40}/VDSO/' \
		-e 's/[0-9]+ (mappings|objects)/N \1/' -e 's/checkpoint [0-9]+/checkpoint N/' \
		-e 's/pipe:[0-9]+/pipe:N/' -e 's/python3\.[0-9]+$/PYTHON/' \
		-e 's/ +(ROOT|DEAD|CHILD|SIZE|-)/ \1/g'
}

# A parent, a child that has stopped, and one that is dead.
start_family()
{
	echo 12345 >in
	rm -f ready
	start python3 -c '
import os, signal, time
os.open("in", os.O_RDONLY)
os.read(3, 4)
os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 4)
os.write(os.pipe()[1], b"abc")
dead = os.fork() or os._exit(3)
child = os.fork()
if not child:
    os.umask(0o27)
    os.chdir("/")
    os.close(4)
    os.kill(os.getpid(), signal.SIGSTOP)
os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOWAIT)
print(dead, child, file=open("ready", "w"))
time.sleep(60)'
	wait_until test -s ready && read -r dead child <ready && sleep 0.3
}

test_info()
{
	local dead child
	start_family
	$ckpt checkpoint --container -o image "$pid" && info_lines >text || return
	diff - text >stderr <<-EOT
	image     image, SIZE
	written   DATE by Linux RELEASE, checkpoint N
	mode      container
	needs     x86-64 with xfeatures FEATURES, vdso VDSO
	clocks    monotonic TIME, boottime TIME

	    PID    PGRP SESSION THREADS  STATE               MAPPED     STORED  COMMAND
	 ROOT ROOT ROOT       1  running SIZE SIZE  python3
	 DEAD ROOT ROOT       1  dead, exit 3 - -    python3
	 CHILD ROOT ROOT       1  stopped SIZE SIZE    python3

	pid ROOT (python3), uid 0, gid 0
	  exe     /usr/bin/PYTHON
	  cwd     WORK, umask 022
	  memory  N mappings, SIZE; SIZE stored
	  fd 0   r    /dev/null
	  fd 1   w    WORK/out
	  fd 2   w    WORK/err
	  fd 3   r    WORK/in at 4 cloexec
	  fd 4   w    WORK/log (append) cloexec
	  fd 5   r    pipe:N, 3 B waiting cloexec
	  fd 6   w    pipe:N, 3 B waiting cloexec

	pid CHILD (python3), uid 0, gid 0
	  exe     /usr/bin/PYTHON
	  cwd     /, umask 027
	  memory  N mappings, SIZE; SIZE stored, SIZE shared copy-on-write
	  fd 0   r    /dev/null
	  fd 1   w    WORK/out
	  fd 2   w    WORK/err
	  fd 3   r    WORK/in at 4 cloexec
	  fd 5   r    pipe:N, 3 B waiting cloexec
	  fd 6   w    pipe:N, 3 B waiting cloexec

	total     3 processes, 3 threads, N objects; SIZE of pages stored, SIZE shared copy-on-write
	EOT
}

# Its other thread has all that belongs to it.
test_info_of_dead_leader()
{
	local thread
	stop
	start_headless && $ckpt checkpoint --container -o image "$pid" &&
		$ckpt info image >text || return
	grep -Eq "^ *$pid +$pid +$pid +2  running +[0-9.]+ [KM]iB +[0-9.]+ [KM]iB +python3$" text &&
		grep -q "^pid $pid (python3), uid 0, gid 0$" text &&
		grep -q "^  cwd     $work, umask 022$" text &&
		grep -q "^  fd 1   w    $work/out$" text || return
	$ckpt info --json image | python3 -c '
import json, sys
leader, thread = json.load(sys.stdin)["tasks"]
keys = "mm", "files", "fs", "state"
sys.exit(not (leader["pid"] == int(sys.argv[1]) and thread["pid"] == int(sys.argv[2])
              and leader["state"] == "running" and "wait_status" not in leader
              and all(leader[key] == thread[key] is not None for key in keys)))' \
		"$pid" "$thread"
}

test_json()
{
	$ckpt info --json image | python3 -c '
import json, sys
image = json.load(sys.stdin)
root, = image["tasks"]
files = {o["objref"]: o for o in image["objects"]}
paths = [files[fd["file"]]["file"].get("path") for fd in files[root["files"]]["table"]["fds"]]
ok = root["pid"] == int(sys.argv[1]) and root["comm"] == "sleep" \
    and paths == ["/dev/null", sys.argv[2] + "/out", sys.argv[2] + "/err"] \
    and files[root["mm"]]["memory"]["stored_bytes"] > 0 and image["externals"] == [] \
    and [o["monotonic_ns"] > 0 for o in files.values() if o["type"] == "time_namespace"] == [True]
sys.exit(not ok)' "$pid" "$work"
}

# Both C1 controls that a terminal may know, a backslash, and a letter.
test_names_are_harmless()
{
	local name=$'c1\302\233\233back\\slash\303\244'
	stop
	: >"$name" && exec 7<"$name" || return
	start sleep 60
	exec 7<&-
	$ckpt checkpoint --container --kill -o image "$pid" && gone "$pid" &&
		$ckpt info image >text || return
	LC_ALL=C grep -qF 'c1\302\233\233back\slash'$'\303\244' text || return
	$ckpt info --json image | python3 -c '
import json, sys
name = r"/c1\xc2\x9b\x9bback\\slash\xc3\xa4"
files = [o["file"] for o in json.load(sys.stdin)["objects"] if o["type"] == "file"]
sys.exit(not any((f.get("path") or "").endswith(name) for f in files))' || return
	rm "$name"
	! $ckpt restart -d -i image 2>stderr && stderr_is_one_line &&
		! LC_ALL=C grep -qP '[\x80-\x9f]' stderr
}

test_large_number()
{
	rm -f ready
	start python3 -c '
import os, time
os.eventfd_write(os.eventfd(0), 2 ** 63)
open("ready", "w").close()
time.sleep(60)'
	wait_until test -e ready && sleep 0.3
	$ckpt checkpoint --container -o image "$pid" || return
	$ckpt info --json image | grep -q '"count": "9223372036854775808"'
}

# Nobody reads what it prints.
test_info_ends()
{
	local info
	mkfifo full && exec 9<>full && head -c 65536 /dev/zero >&9 || return
	$ckpt info image >full 9>&- &
	info=$!
	sleep 1
	kill -TERM "$info"
	sleep 1
	kill -KILL "$info" 2>/dev/null
	exec 9>&-
	wait "$info" 2>/dev/null
	[ $? = $((128 + 15)) ]
}

# What a container runtime does, and the program of the tutorial.
write_programs()
{
	cat >library.c <<-'EOT'
	#include <fcntl.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <libckpt.h>
	#include <linux/checkpoint_image.h>

	int main(int argc, char **argv)
	{
		struct ckpt_image_record record;
		struct ckpt_rec_tree_task task;
		struct ckpt_image *image;
		struct ckpt_output *out;

		if (argc != 2 || ckpt_output_open("library.ckpt", false, &out) ||
		    ckpt_checkpoint(atoi(argv[1]), 0, ckpt_output_fd(out), NULL, NULL) <= 0 ||
		    ckpt_output_commit(out) ||
		    ckpt_image_open(open("library.ckpt", O_RDONLY), &image))
			return 1;
		while (ckpt_image_next(image, &record) > 0)
			if (record.type == CKPT_REC_TREE_TASK &&
			    !ckpt_image_record_copy(&record, &task, sizeof(task)))
				printf("task %d %s\n", task.pid, task.comm);
		printf("%llu bytes\n", (unsigned long long)ckpt_image_size(image));
		ckpt_image_close(image);
		return ckpt_image_open(open("library.ckpt", O_RDONLY), &image) ||
		       ckpt_image_verify(image);
	}
	EOT
	cat >self.c <<-'EOT'
	#include <fcntl.h>
	#include <stdio.h>
	#include <libckpt.h>
	#include <linux/checkpoint.h>

	int main(void)
	{
		int fd = open("self.ckpt", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		int id = ckpt_checkpoint(0, CHECKPOINT_SUBTREE, fd, NULL, NULL);

		if (id > 0)
			puts("saved");
		else if (id == 0)
			puts("I am back from a restart");
		else
			fprintf(stderr, "not saved: %s\n", ckpt_strerror(id));
		return id < 0;
	}
	EOT
}

# Where ckpt is installed, there is the library.
prefix=$(dirname "$(dirname "$(command -v "${ckpt%% *}")")")

# package WORD: what pkg-config would say of it
package()
{
	# shellcheck disable=SC2034 # used by eval
	local prefix includedir libdir
	eval "$(grep -E '^(prefix|includedir|libdir)=' "$pc")"
	eval "echo $(sed -n "s/^$1: //p" "$pc")"
}

# compile SOURCE TARGET OPTION...: with what is installed and nothing else
compile()
{
	local pc=$prefix/lib/pkgconfig/libckpt.pc
	# shellcheck disable=SC2046
	gcc -Wall -Wextra -Werror "${@:3}" $(package Cflags) -o "$2" "$1" \
		$(package Libs) 2>stderr
}

test_library()
{
	local program
	stop
	write_programs
	compile library.c shared && compile library.c static -static || return
	ldd ./shared | grep -q "libckpt.so.1 => $prefix/lib/" || return
	start sleep 60
	for program in shared static; do
		rm -f library.ckpt
		"./$program" "$pid" >text 2>stderr && $ckpt verify library.ckpt || return
		printf 'task %d sleep\n%d bytes\n' "$pid" "$(stat -c %s library.ckpt)" |
			diff - text >stderr || return
	done
	stop
	$ckpt restart -d -i library.ckpt && runs sleep
}

# The symbols of the library are the functions of its header, in one version.
test_library_symbols()
{
	gcc -E -P -include libckpt.h -xc /dev/null | grep -Eo '\<ckpt_[a-z_]+\(' |
		tr -d '(' | sort >functions && [ -s functions ] || return
	nm -D --defined-only "$prefix/lib/libckpt.so.1" | awk '$2 != "A" { print $3 }' |
		sort >symbols
	sed 's/$/@@LIBCKPT_1/' functions | diff - symbols >stderr || return
	nm -g --defined-only "$prefix/lib/libckpt.a" | awk 'NF == 3 { print $3 }' | sort |
		diff functions - >stderr
}

test_saves_itself()
{
	stop
	compile self.c self || return
	setsid ./self </dev/null >out 2>stderr &
	wait $! && [ "$(cat out)" = saved ] || return
	# it writes where it was
	$ckpt restart -i self.ckpt && [ "$(cat out)" = "I am back from a restart" ]
}

tests=(
	verify 'verify finds what is truncated, added or changed'
	json 'info --json'
	info 'info shows the tree, its files and its memory'
	info_of_dead_leader 'info of a process whose first thread is dead'
	names_are_harmless 'names cannot control a terminal'
	large_number 'info --json has numbers of 64 bits'
	info_ends 'a signal ends info while it prints'
	library 'a program with libckpt, shared and static'
	library_symbols 'libckpt has the functions of its header'
	saves_itself 'a program saves itself'
)
run_tests
