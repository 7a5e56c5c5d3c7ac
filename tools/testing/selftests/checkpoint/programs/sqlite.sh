# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
title='sqlite3 in a long transaction on a file'
command=(sqlite3 database '.read ../input/transaction.sql')
results=(dump)

# A small cache makes the transaction spill into the file while it runs.
make_input()
{
	cat >transaction.sql <<-'SQL'
	CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT, hits INTEGER);
	CREATE INDEX by_word ON words (word);
	PRAGMA cache_size = 100;
	BEGIN;
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
	INSERT INTO words SELECT i, printf('word %d', i * 7919 % 200003), 0 FROM n;
	UPDATE words SET hits = id * id % 1009;
	COMMIT;
	SELECT count(*), sum(hits), max(word) FROM words;
	SQL
}

middle()
{
	[ -s "$dir/database-journal" ] && grown database 50
}

finish()
{
	[ "$(sqlite3 database 'PRAGMA integrity_check')" = ok ] &&
		sqlite3 database .dump | cksum >dump
}
