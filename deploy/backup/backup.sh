#!/bin/sh
# A dump a day, kept for KEEP_DAYS days: the compose profile `backup` runs it. docs/running.md, "Backups
# and keys", says how one is put back. PGHOST, PGUSER, PGPASSWORD and PGDATABASE name the database.
set -eu
: "${KEEP_DAYS:=14}" "${BACKUP_DIR:=/backups}"

one() {
	if ! [ -w "$BACKUP_DIR" ]; then
		echo "the folder of the backups is not writable for user $(id -u): docs/running.md says how to make it" >&2
		exit 1
	fi
	name="$BACKUP_DIR/upbridge-$(date -u +%Y%m%dT%H%M%SZ).dump"
	# Beside its place first: what was broken off is no backup.
	pg_dump --format=custom --file="$name.unfinished"
	pg_restore --list "$name.unfinished" > /dev/null
	mv "$name.unfinished" "$name"
	echo "backup written: $name ($(wc -c < "$name") bytes)"
	find "$BACKUP_DIR" -name 'upbridge-*.dump' -mtime "+$KEEP_DAYS" -delete
	find "$BACKUP_DIR" -name 'upbridge-*.unfinished' -mtime +1 -delete
}

if [ "${1:-daily}" = now ]; then
	one
	exit
fi
while :; do
	# A process of its own, so that the first command that fails ends it.
	if "$0" now; then pause=86400; else pause=3600; echo 'backup FAILED, again in an hour' >&2; fi
	sleep "$pause" &
	wait "$!" # so that a stop is taken at once
done
