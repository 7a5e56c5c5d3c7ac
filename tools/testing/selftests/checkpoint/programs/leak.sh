# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A program whose standard output is a pipe that another process reads: a
# checkpoint as a container must be refused, name the reader, write nothing, and
# leave the program alone. Sets $reader; the functions are as in lib.sh.
# shellcheck disable=SC2034,SC2154
title='a pipe leads outside: refused, and the holder is named'

leak_start()
{
	work=$1
	dir=$work/leak
	mkdir -p "$dir"
	mkfifo "$dir/start"
	cat "$dir/start" >"$dir/read" &
	reader=$!
	(
		cd "$dir" || exit
		close_all_but_stdio
		# shellcheck disable=SC2016
		exec setsid bash -c 'for i in {1..40}; do echo $i; sleep 0.1; done' \
			</dev/null >start 2>err
	) &
	pid=$!
	until [ -s "$dir/read" ]; do sleep 0.05; done
}

# The line on stderr in $message.
leak_is_refused()
{
	if message=$($ckpt checkpoint --container --kill -o "$dir/image" --log "$dir/log" \
			"$pid" 2>&1); then
		fail "the checkpoint was not refused"
	elif [[ $message != *leak*"pid $reader (cat)"* ]]; then
		fail "the message does not name the holder, pid $reader (cat): $message"
	fi
}

leak_wrote_nothing()
{
	local bytes files
	files=$(find "$dir" -name 'image*')
	[ -z "$files" ] || { fail "it left $files"; return; }
	bytes=$($ckpt checkpoint --container "$pid" 2>/dev/null | wc -c)
	[ "$bytes" = 0 ] || fail "it wrote $bytes bytes into a pipe"
}

leak_is_harmless()
{
	local status
	wait "$pid"
	status=$?
	wait "$reader"
	if [ $status != 0 ] || [ "$(cat "$dir/read")" != "$(seq 40)" ]; then
		fail "the program did not go on unharmed (exit status $status)"
	fi
}
