#!/bin/bash
# What a replica and its tools put on the wire: a walsender's commands, a logical stream, a base backup with its WAL.
# Where to connect comes from the PG* variables. Nothing that differs between two runs is printed: a stream of changes
# has positions and times in it, so that only the changed rows of it are.
set -uo pipefail
export PGAPPNAME=replication_mix
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo "== commands"
psql -XAt "replication=database" -c 'IDENTIFY_SYSTEM' | awk -F'|' '{print NF, $2, $4}'
psql -XAt "replication=database" -c 'SHOW wal_level' -c 'select 1 as in_a_walsender' -c 'NOT_A_COMMAND' \
    -c 'READ_REPLICATION_SLOT replication_mix_nothing' -c 'DROP_REPLICATION_SLOT replication_mix_nothing' 2>&1
psql -XAt "replication=database" -c 'CREATE_REPLICATION_SLOT replication_mix_temporary TEMPORARY LOGICAL pgoutput' |
    awk -F'|' '{print $1, $4}'
psql -XAt "replication=true" -c 'select 1' 2>&1

echo "== logical stream"
psql -Xq -c 'create table replication_mix (id int primary key, name text)' \
    -c 'create publication replication_mix for table replication_mix'
pg_recvlogical -d "$PGDATABASE" --slot replication_mix --create-slot --plugin pgoutput
psql -Xq -c "insert into replication_mix select n, 'streamed row ' || n from generate_series(1, 3) n"
end=$(psql -XAtc 'select pg_current_wal_insert_lsn()')
pg_recvlogical -d "$PGDATABASE" --slot replication_mix --start --endpos "$end" --no-loop -f "$dir/stream" \
    -o proto_version=1 -o publication_names=replication_mix
echo "ended $?"
grep -ao 'streamed row [0-9]' "$dir/stream"
pg_recvlogical -d "$PGDATABASE" --slot replication_mix --drop-slot
psql -Xq -c 'drop publication replication_mix' -c 'drop table replication_mix'

echo "== base backup"
pg_basebackup -D "$dir/backup" -X stream -c fast 2>"$dir/complaints"
echo "ended $?"
grep -o 'error: .*' "$dir/complaints" # a server newer than the tool
[[ ! -d $dir/backup ]] || pg_verifybackup "$dir/backup" 2>&1
