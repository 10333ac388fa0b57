# What the benches stand on: a service on an empty folder, its Postgres, and an end that takes both away.
# Sourced by them, with $bench the name and $here the folder of the bench.

accrue=${ACCRUE:-$here/../target/dist/accrue}
# What the caller's shell says of other databases and settings is not meant for this one.
unset DATABASE_URL "${!PG@}" "${!ACCRUE@}"

die() {
    echo "$bench: $*" >&2
    exit 1
}

# A Postgres program: beside psql, or where Debian keeps the newest.
postgres_program() {
    local found
    found=$(command -v "$1" || find /usr/lib/postgresql/*/bin -name "$1" 2>/dev/null | sort -V | tail -n 1)
    [[ -n $found ]] || die "$1 is missing; it comes with Postgres (Debian: postgresql)"
    echo "$found"
}

command -v wrk >/dev/null || die "wrk is missing (Debian: apt-get install wrk)"
[[ -x $accrue ]] || die "$accrue is missing; cargo build --profile dist makes it"
psql=$(postgres_program psql)

work=$(mktemp -d "/tmp/accrue-$bench.XXXXXX")
chmod 0755 "$work"
data=$work/data
serving=
load=

# Ends what this script started, by process id, and nothing else.
clean_up() {
    local status=$? postmaster
    trap '' EXIT INT TERM HUP
    [[ -z $load ]] || kill "$load" 2>/dev/null || true
    postmaster=$(head -n 1 "$data"/postgres-*/postmaster.pid 2>/dev/null || true)
    if [[ -n $serving ]]; then
        kill -TERM "$serving" 2>/dev/null || true
        wait "$serving" 2>/dev/null || true
    fi
    # The service stops its Postgres itself, unless it was killed outright.
    if [[ -n $postmaster && -e $(echo "$data"/postgres-*/postmaster.pid) ]]; then
        kill -INT "$postmaster" 2>/dev/null || true
        while kill -0 "$postmaster" 2>/dev/null; do sleep 0.1; done
    fi
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Runs a program in the background and waits, so that a signal ends both at once.
run() {
    local status=0
    "$@" &
    load=$!
    wait "$load" || status=$?
    load=
    return "$status"
}

# start SAYS ARGUMENTS…: starts the service and waits until it has said SAYS with its address. Sets $url.
start() {
    local says=$1
    shift
    "$accrue" "$@" --listen 127.0.0.1:0 --data-dir "$data" >"$work/out" 2>"$work/log" &
    serving=$!
    until grep -q "$says" "$work/out" "$work/log"; do
        kill -0 "$serving" 2>/dev/null || die "the service ended: $(cat "$work/out" "$work/log")"
        sleep 0.05
    done
    url=$(cat "$work/out" "$work/log" | sed -n "s|.*$says\(http://[0-9.:]*\).*|\1|p" | head -n 1)
    postmaster=$(head -n 1 "$data"/postgres-*/postmaster.pid)
    export PGHOST=$data/socket PGUSER=accrue_owner
    PGPASSWORD=$(cat "$data/secrets/owner-password")
    export PGPASSWORD
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
ledger_sql() { "$psql" -XAtq -v ON_ERROR_STOP=1 -d accrue -c "$1"; }

# Checks the ledger beside the running service.
verify() {
    local began
    began=$(milliseconds)
    run "$accrue" --log error verify --data-dir "$data" >"$work/verify" 2>&1 || die "the ledger is wrong: $(cat "$work/verify")"
    cat "$work/verify"
    awk -v ms=$(($(milliseconds) - began)) 'BEGIN { printf "verify:  exit 0 in %.1f s, beside the running service\n", ms / 1000 }'
}
