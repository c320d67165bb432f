#!/bin/sh
# A dump a day, kept for KEEP_DAYS days: the compose profile `backup` runs it. The last lines of docs/running.md,
# "Backups and keys", say how one is put back. PGHOST, PGUSER, PGPASSWORD and PGDATABASE name the database.
set -eu
: "${KEEP_DAYS:=14}" "${BACKUP_DIR:=/backups}"

one() {
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
