#!/usr/bin/env bash
# The peer: PostgreSQL with an audit table whose trigger chains each row to the one before by SHA-256. Sets up a cluster of its
# own in a temporary folder, default durability, gives it the same events as the server, checks the chain, prints one JSON
# report a line, and removes everything.
#
#   bench/peer-postgres.sh LOAD_BINARY [SECONDS]
#
# PG_BIN names the folder of PostgreSQL's programs. As root it runs them as the user `postgres`, for PostgreSQL refuses root.
set -euo pipefail

load=$(realpath "${1:?the indelible-load binary}")
seconds=${2:-20}
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
[ -x "$bin/initdb" ] || { echo "PostgreSQL is not at $bin: install postgresql-15, or set PG_BIN" >&2; exit 2; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/indelible-peer.XXXXXX")
as=()
if [ "$(id -u)" = 0 ]; then
  chown postgres "$folder"
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi
cd "$folder"
stop() {
  "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  cd /
  rm -rf "$folder"
}
trap stop EXIT

"${as[@]}" "$bin/initdb" -D data -U postgres -A trust --no-sync -E UTF8 --locale=C >/dev/null
# fsync, synchronous_commit and full_page_writes stay on. More memory and rarer checkpoints than by default: both help it.
cat >> data/postgresql.conf <<CONF
listen_addresses = ''
unix_socket_directories = '$folder'
max_connections = 100
shared_buffers = 512MB
wal_buffers = 16MB
max_wal_size = 8GB
checkpoint_timeout = 15min
CONF
"${as[@]}" "$bin/pg_ctl" -D data -l log -w start >/dev/null
query() { "${as[@]}" "$bin/psql" -h "$folder" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }

# One row after the other: whoever inserts holds the lock until its commit is durable, as a chain demands.
schema() {
  query <<SQL
drop table if exists audit;
create table audit (
  seq bigint primary key,
  id uuid not null unique,
  recorded timestamptz not null default clock_timestamp(),
  event $1 not null,
  prev_hash bytea not null,
  hash bytea not null
);
create or replace function chain() returns trigger language plpgsql as \$\$
declare
  last record;
begin
  perform pg_advisory_xact_lock(7411);
  select seq, hash into last from audit order by seq desc limit 1;
  new.seq := coalesce(last.seq + 1, 0);
  new.prev_hash := coalesce(last.hash, '\\x'::bytea);
  new.hash := sha256(new.prev_hash || convert_to(new.event::text, 'UTF8'));
  return new;
end \$\$;
create trigger chain before insert on audit for each row execute function chain();
SQL
}

broken() {
  query -c "select count(*) from (select seq, prev_hash, lag(seq) over w as before, lag(hash) over w as last,
    hash = sha256(prev_hash || convert_to(event::text, 'UTF8')) as own from audit window w as (order by seq)) rows
    where not own or (seq > 0 and (before is distinct from seq - 1 or last is distinct from prev_hash))"
}

measure() { # column connections batch
  schema "$1"
  local report
  report=$("$load" --format json postgres --socket "$folder" --column "$1" --connections "$2" --batch "$3" \
    --seconds "$seconds" --postmaster "$(head -1 data/postmaster.pid)") || { echo "$report" >&2; exit 1; }
  [ "$(broken)" = 0 ] || { echo "the peer's chain is broken" >&2; exit 1; }
  # Table and indexes; its write-ahead log, which it reuses, is left out.
  local bytes
  bytes=$(query -c "select round(pg_total_relation_size('audit')::numeric / count(*), 1) from audit")
  echo "${report%\}},\"disk_bytes_per_event\":$bytes}"
}

for column in jsonb text; do
  measure "$column" 64 1
  # More connections than one only wait for each other; a few keep the next batch ready.
  measure "$column" 4 500
done
