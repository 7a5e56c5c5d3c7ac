#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2317
#
# ckpt(1) on terminals: progress, jobs of shells, one terminal for another.
here=$(dirname "$0")
# shellcheck source=tool/lib.sh
. "$here/tool/lib.sh"

# Two real terminals: a program that reads one goes on with the other.
test_external_terminal()
{
	CKPT=$ckpt python3 - 2>stderr <<-'EOT' || return
	import os, pty, subprocess, sys, time
	ckpt = os.environ["CKPT"].split()
	def terminal():
	    master, slave = pty.openpty()
	    return master, slave, os.ttyname(slave)
	first, slave, _ = terminal()
	reader = "read -r a; echo first $a; read -r b; echo second $b; exit 6"
	with open("terminal.out", "w") as out:
	    program = subprocess.Popen(["sh", "-c", reader], stdin=slave, stdout=out, stderr=out,
	                               start_new_session=True)
	os.write(first, b"one\n")
	while not os.path.getsize("terminal.out"):
	    time.sleep(0.05)
	time.sleep(0.3)
	subprocess.run([*ckpt, "checkpoint", "--container", "--external", "fd:0", "--kill",
	                "-o", "image", str(program.pid)], check=True)
	program.wait()
	second, slave, name = terminal()
	restart = subprocess.Popen([*ckpt, "restart", "--external", "fd:0=" + name, "-i", "image"])
	os.write(second, b"two\n")
	if restart.wait() != 6:
	    sys.exit("the root did not exit with 6")
	EOT
	[ "$(cat terminal.out)" = $'first one\nsecond two' ]
}

# on_terminal COMMAND: what it shows goes to stderr
on_terminal()
{
	script -qec "$1" stderr >/dev/null </dev/null
}

# However fast the machine is, strace makes ckpt read the log of a call two seconds
# after the call; nobody knows how much of the image went through a pipe.
test_progress()
{
	local slowly='strace -f -qq -o /dev/null -e inject=lseek:delay_enter=2000000:when=1'
	local mib='20[0-9] MiB'
	rm -f ready
	start python3 -c '
import os, time
data = bytearray(os.urandom(1 << 20)) * 200
open("ready", "w").close()
time.sleep(600)'
	wait_until test -e ready
	on_terminal "$ckpt checkpoint $pid | (sleep 2; cat >/dev/null)" &&
		grep -Eq "checkpointing $pid: [0-9]+ s" stderr && ! grep -q MiB stderr || return
	on_terminal "$slowly $ckpt checkpoint --container --kill -o big $pid" && gone "$pid" &&
		grep -Eq "checkpointing $pid: $mib, [0-9]+ MiB/s" stderr || return
	on_terminal "$slowly $ckpt restart -d -i big" && [ -e "/proc/$pid" ] &&
		grep -Eq "restarting: $mib \([0-9]+ %\), [0-9]+ MiB/s" stderr || return
	stop
	on_terminal "(sleep 2; cat big) | $ckpt restart -d" && [ -e "/proc/$pid" ] &&
		grep -Eq 'restarting: [0-9]+ s' stderr && ! grep -q MiB stderr && rm big
}

# In a terminal of its own: a job of a shell goes on in another shell.
test_shell_job()
{
	cat >first <<-EOT
	bash -c 'for i in 1 2 3 4 5 6; do echo tick \$i; sleep 0.3; done' &
	sleep 0.7
	$ckpt checkpoint --shell-job --kill -o job \$! && echo saved
	EOT
	script -qec 'bash first' first.out >/dev/null </dev/null
	grep -q 'tick 2' first.out && grep -q saved first.out && ! grep -q 'tick 6' first.out ||
		return
	script -qec "$ckpt restart --shell-job -i job" second.out >/dev/null </dev/null &&
		! grep -q 'tick 1' second.out && grep -q 'tick 6' second.out
}

# The terminal is open twice under one key, for which there is one file.
test_needed_once()
{
	cat >first <<-EOT
	sleep 60 8<>/dev/tty 9</dev/tty &
	sleep 0.5
	$ckpt checkpoint --shell-job --kill -o needed \$!
	EOT
	script -qec 'bash first' first.out >/dev/null </dev/null
	[ "$($ckpt info needed | grep external.tty=)" = '  --external tty=... (rw)' ] &&
		$ckpt info --json needed | python3 -c '
import json, sys
sys.exit(json.load(sys.stdin)["externals"].count("tty") != 1)'
}

# shown TEXT FILE: wait until it is there
shown()
{
	local i
	for ((i = 0; i < 300; i++)); do
		! grep -q "$1" "$2" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# A job in the foreground of a terminal reads from it; so it does in the next
# terminal, where ckpt must give it the foreground, and take it back.
test_foreground_job()
{
	# shellcheck disable=SC2016
	local job='while read -r line; do echo "got $line"; done; exit 5'
	rm -f first.out second.out
	cat >first <<-EOT
	set -m
	(until grep -q 'got one' first.out; do sleep 0.1; done
	$ckpt checkpoint --shell-job --kill -o job \$(cat pid) && echo saved) &
	bash -c 'echo \$\$ >pid; $job'
	wait
	EOT
	cat >second <<-EOT
	set -m
	$ckpt restart --shell-job -i job
	echo status \$?
	read -r line && echo "shell has \$line"
	EOT
	(echo one; shown saved first.out) | script -qefc 'bash first' first.out >/dev/null
	(echo two; shown 'got two' second.out; printf '\4'; shown 'status 5' second.out
	 echo three; shown 'shell has' second.out) |
		script -qefc 'bash second' second.out >/dev/null
	grep -q 'got one' first.out && grep -q 'got two' second.out &&
		grep -q 'status 5' second.out && grep -q 'shell has three' second.out
}

tests=(
	external_terminal 'a terminal in place of a terminal'
	progress 'progress is shown on a terminal'
	shell_job 'a job moves to another terminal'
	needed_once 'info names each key once'
	foreground_job 'a job in the foreground moves to another terminal'
)
run_tests
