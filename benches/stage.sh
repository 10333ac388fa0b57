# shellcheck shell=bash
# The names that it shares with the benches are set here and used there, or the other way round.
# shellcheck disable=SC2034,SC2154

# What the benches stand on: a service on an empty folder, its Postgres, members, turns of load, an account of CPU time,
# and an end that takes everything away. Sourced by them, with $bench the name and $here the folder of the bench.

accrue=${ACCRUE:-$here/../target/dist/accrue}
# What the caller's shell says of other databases and settings is not meant for this one.
unset DATABASE_URL "${!PG@}" "${!ACCRUE@}"
# The loads find what they share.
export LUA_PATH="$here/?.lua"

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

# Is this the smoke run, which shows that the bench works and whose figures say nothing?
smoke() { [[ ${SMOKE:-} == 1 ]]; }

# sized FULL TINY: the size of this run.
sized() { if smoke; then echo "$2"; else echo "$1"; fi; }

# paced DEFAULT [SECONDS]: sets $seconds of a turn, and $rounds of turns.
paced() {
    seconds=$(sized "${2:-$1}" 1) rounds=$(sized 2 1)
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "SECONDS is a whole number, not $seconds"
}

command -v wrk >/dev/null || die "wrk is missing (Debian: apt-get install wrk)"
[[ -x $accrue ]] || die "$accrue is missing; cargo build --profile dist makes it"
psql=$(postgres_program psql)

work=$(mktemp -d "/tmp/accrue-$bench.XXXXXX")
chmod 0755 "$work"
data=$work/data
services=()
folders=()
load=

# stop SERVICE FOLDER: ends a service and its Postgres, by process id.
stop() {
    local postmaster_file postmaster
    kill -TERM "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    # The service stops its Postgres itself, unless it was killed outright.
    for postmaster_file in "$2"/postgres-*/postmaster.pid; do
        [[ -e $postmaster_file ]] || continue
        postmaster=$(head -n 1 "$postmaster_file")
        kill -INT "$postmaster" 2>/dev/null || true
        while kill -0 "$postmaster" 2>/dev/null; do sleep 0.1; done
    done
}

# Ends what this script started, and nothing else.
clean_up() {
    local status=$? n
    trap '' EXIT INT TERM HUP
    [[ -z $load ]] || kill "$load" 2>/dev/null || true
    for n in "${!services[@]}"; do stop "${services[n]}" "${folders[n]}"; done
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

# As `run`, and sets `peak` to the megabytes of memory that the program took at its height.
watched() {
    local status=0 seen
    peak=0
    "$@" &
    load=$!
    while seen=$(grep -s '^VmHWM' "/proc/$load/status"); do
        peak=$(awk '{ printf "%.0f", $2 / 1024 }' <<<"$seen")
        sleep 0.01
    done
    wait "$load" || status=$?
    load=
    return "$status"
}

# start SAYS ARGUMENTS…: starts the service on $data and waits until it has said SAYS with its address. Sets $url.
start() {
    local says=$1
    shift
    touch "$data.out" "$data.log"
    "$accrue" "$@" --listen 127.0.0.1:0 --data-dir "$data" >"$data.out" 2>"$data.log" &
    serving=$!
    services+=("$serving") folders+=("$data")
    until grep -q "$says" "$data.out" "$data.log"; do
        kill -0 "$serving" 2>/dev/null || die "the service ended: $(cat "$data.out" "$data.log")"
        sleep 0.05
    done
    url=$(cat "$data.out" "$data.log" | sed -n "s|.*$says\(http://[0-9.:]*\).*|\1|p" | head -n 1)
    postmaster=$(head -n 1 "$data"/postgres-*/postmaster.pid)
    connect
}

# What follows asks the database in $data.
connect() {
    export PGHOST=$data/socket PGUSER=accrue_owner
    PGPASSWORD=$(cat "$data/secrets/owner-password")
    export PGPASSWORD
}

# Where a bench has several services, `keep NAME` remembers the one that was started last, with its token, and
# `turn_to NAME` goes back to it.
declare -A kept
keep() { kept[$1]="$accrue|$data|$serving|$url|$postmaster|$token"; }
turn_to() {
    IFS='|' read -r accrue data serving url postmaster token <<<"${kept[$1]}"
    connect
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# CPU time has ticks of ten milliseconds, so that a short turn may have taken none.
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "unknown" }'; }
ledger_sql() { "$psql" -XAtq -v ON_ERROR_STOP=1 -d accrue -c "$1"; }
entries() { ledger_sql 'SELECT sum(next_seq - 1) FROM journal'; }

declare -A sums
# tally NAME VALUE: adds what a turn gave to the sum of that name, of which `mean NAME` is the part of one round.
tally() { sums[$1]=$(awk -v a="${sums[$1]:-0}" -v b="$2" 'BEGIN { print a + b }'); }
mean() { awk -v sum="${sums[$1]}" -v n="$rounds" 'BEGIN { print sum / n }'; }

# figure WHAT A B [BAR [STRETCH]]: a ratio with both of its sides, and what it ought to be.
figure() { echo "$1: $2 / $3 = $(ratio "$2" "$3")${4:+ (the bar is $4${5:+, the stretch $5})}"; }

# On what the figures were measured.
machine() {
    local cpu
    cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    echo "machine:  $(nproc) cores, ${cpu:-CPU unknown}," \
        "$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GB of memory," \
        "load $(cut -d ' ' -f 1-3 /proc/loadavg)"
    # `wrk --version` ends with 1.
    echo "versions: $("$accrue" --version), Postgres $(ledger_sql 'SHOW server_version')," \
        "$( (wrk --version || true) 2>&1 | sed -n '1s/ \[.*//p')"
    ! smoke || echo "a smoke run: its figures say nothing"
}

# demo [ARGUMENTS…]: starts a service with the real orders, or in a smoke run with a few.
# shellcheck disable=SC2120
demo() {
    local began
    if smoke; then
        serve "$@"
        shop 300 2
        return
    fi
    began=$(milliseconds)
    start 'Accrue serves ' demo "$@"
    echo "loaded:   $(grep ' orders posted' "$data.out")"
    awk -v ms=$(($(milliseconds) - began)) \
        'BEGIN { printf "demo:     serves %.1f s after its start on an empty folder\n", ms / 1000 }'
}

# serve [ARGUMENTS…]: starts a service on an empty ledger, with the programme in $program, or else the demo's.
serve() { start 'listening on ' serve --sandbox --program "${program:-$here/../src/cli/program.toml}" "$@"; }

# customers COUNT ORDERS [NAME]: CSV of so many customers with so many orders each. All are of the last days, so that nothing
# falls due meanwhile, and one customer's are apart.
customers() {
    echo order_id,customer_id,ordered_on,items,amount
    awk -v count="$1" -v orders="$2" -v name="${3:-customer}" -v days="$(for n in {1..12}; do date -u -d "$n days ago" +%F; done | xargs)" 'BEGIN {
        n = split(days, on, " ")
        for (o = 0; o < orders; o++)
            for (c = 0; c < count; c++)
                printf "%s-%d-%d,%s-%d,%s,1,%d.00\n", name, c, o, name, c, on[n - o % n], 10 + (c + 7 * o) % 200
    }'
}

# import orders|balances FILE: posts a CSV, and leaves the database as if it had been there for long.
import() {
    run "$accrue" --log error import "$1" "$2" --data-dir "$data" >"$work/import" || die "$(cat "$work/import")"
    echo "loaded:   $(tail -n 1 "$work/import")"
    ledger_sql ANALYZE
    ledger_sql CHECKPOINT
}

# shop COUNT ORDERS: imports so many customers with so many orders each.
shop() {
    customers "$1" "$2" >"$work/orders.csv"
    import orders "$work/orders.csv"
    rm "$work/orders.csv"
}

# members FILE [COUNT]: writes the ids of all members, or of so many, in random order.
members() { ledger_sql "SELECT id FROM member ORDER BY random() LIMIT ${2:-ALL}" >"$1"; }

# named FILE NAME: writes the ids of the members whose customers' names begin with it.
named() { ledger_sql "SELECT member FROM member_profile WHERE external_id LIKE '$2%' ORDER BY 1" >"$1"; }

# CPU time of a process and of its children that have ended, in milliseconds.
cpu() {
    local fields
    fields=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) || { echo 0; return; }
    awk -v tick="$(getconf CLK_TCK)" '{ print int(($12 + $13 + $14 + $15) * 1000 / tick) }' <<<"$fields"
}

# CPU time of all Postgres processes, in milliseconds.
postgres_cpu() {
    local sum pid children
    sum=$(cpu "$postmaster")
    read -ra children <<<"$(cat "/proc/$postmaster/task/$postmaster/children")"
    for pid in "${children[@]}"; do sum=$((sum + $(cpu "$pid"))); done
    echo "$sum"
}

# CPU time of everything on the machine, in milliseconds.
machine_cpu() { awk -v tick="$(getconf CLK_TCK)" '/^cpu / { print int(($2 + $3 + $4 + $7 + $8 + $9) * 1000 / tick) }' /proc/stat; }

# Begins and ends a turn's account of CPU time: the service, Postgres, the load generator ($$ has its time once it has
# ended), and in per cent of the machine all that is none of these.
meter() { clock=$(milliseconds) machine=$(machine_cpu) service=$(cpu "$serving") postgres=$(postgres_cpu) loader=$(cpu $$); }
read_meter() {
    clock=$(($(milliseconds) - clock)) machine=$(($(machine_cpu) - machine)) loader=$(($(cpu $$) - loader))
    service=$(($(cpu "$serving") - service)) postgres=$(($(postgres_cpu) - postgres))
    others=$(((machine - service - postgres - loader) * 100 / clock / $(nproc)))
    ((others >= 0)) || others=0
}

# drive LOAD CONNECTIONS ARGUMENTS…: one turn of wrk. Sets $right, how many answers were right, $given, how many of
# them were transfers, $rate of the right ones, $p50, $p99, and of CPU time for each of them in microseconds $service_per
# and $postgres_per.
drive() {
    local other errors took script=$1 connections=$2
    shift 2
    meter
    run wrk --threads 1 --connections "$connections" --duration "${seconds}s" --timeout 20s \
        --script "$here/$script.lua" "$url" -- "$@" >"$work/wrk" 2>&1 || die "wrk failed: $(cat "$work/wrk")"
    read_meter
    read -r _ right other errors took p50 p99 given < <(grep "^$script " "$work/wrk") ||
        die "wrk said nothing to go by: $(cat "$work/wrk")"
    [[ $other == 0 && $errors == 0 ]] || die "$other answers were wrong, $errors broke off: $(cat "$work/wrk")"
    ((right > 0)) || die "nothing was answered: $(cat "$work/wrk")"
    rate=$(awk -v n="$right" -v s="$took" 'BEGIN { printf "%.0f", n / s }')
    service_per=$((service * 1000 / right)) postgres_per=$((postgres * 1000 / right))
}

# What a turn took of the machine, and what others did.
costs() {
    echo "CPU $((service_per + postgres_per)) µs each, $service_per of the service and $postgres_per of Postgres;" \
        "others took $others % of the machine"
}

# grows SQL: the number that the query gives, once it has stopped growing: what was queued when the load ended is still
# written.
grows() {
    local before=-1 now
    now=$(ledger_sql "$1")
    while [[ $now != "$before" ]]; do
        sleep 0.2
        before=$now
        now=$(ledger_sql "$1")
    done
    echo "$now"
}
orders() { grows 'SELECT count(*) FROM orders'; }

# grew WHAT BY ANSWERED CONNECTIONS: the ledger grew by what was answered, and no more. At its end wrk hangs up on the
# requests that are under way, at most one for each connection. They are in the ledger, for they were taken, and nobody
# counted their answers.
grew() {
    (($2 >= $3 && $2 <= $3 + $4)) || die "$3 $1 were answered with 201, and the ledger has $2 more"
}

turn=0
# awards CONNECTIONS [MEMBERS [ORDER]]: one turn of orders, of members at random from the file, or with the order `walk`
# of one after the other. Sets what `drive` does.
awards() {
    local before after
    turn=$((turn + 1))
    before=$(orders)
    drive awards "$1" "${2:-$work/members}" "$token" "$turn" "$(date -u +%FT%TZ)" "${3:-random}"
    after=$(orders)
    grew orders $((after - before)) "$right" "$1"
}

# Checks the ledger beside the running service.
verify() {
    local began
    began=$(milliseconds)
    watched "$accrue" --log error verify --data-dir "$data" >"$work/verify" 2>&1 || die "the ledger is wrong: $(cat "$work/verify")"
    cat "$work/verify"
    awk -v ms=$(($(milliseconds) - began)) -v mb="$peak" 'BEGIN {
        printf "verify:  exit 0 in %.1f s and %d MB, beside the running service\n", ms / 1000, mb
    }'
}
