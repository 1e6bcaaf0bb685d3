#!/bin/bash
# Ordinary work of a host, at least 50,000 executions and opened files of it: packages, a compiler, searches, jobs,
# logins, monitoring. Runs as root, leaves nothing behind, and says at its end how much it did, as far as it
# counts itself.

set -u

readonly ENOUGH=50000
# Bounds what follows where there is little to search.
readonly SEARCHES_MAX=40

executions=0
opens=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Runs a program, whatever comes of it.
work() {
    executions=$((executions + 1))
    "$@" >/dev/null 2>&1 </dev/null
    return 0
}

# The same, where it is installed.
work_if_present() {
    if command -v "$1" >/dev/null; then
        work "$@"
    fi
}

# The same in a session of its own, as a daemon or a login has one.
work_in_session() {
    # It executes, too.
    executions=$((executions + 1))
    work setsid --wait "$@"
}

packages() {
    work dpkg -l
    work dpkg-query --show
    work dpkg-query --listfiles coreutils
    work dpkg --verify coreutils
    work_if_present apt-cache policy bash
    work_if_present apt-cache depends bash
    work_if_present apt-get --simulate install bash
    tiny_package
}

# Builds one, and installs it below a root of its own.
tiny_package() {
    local tree=$scratch/tree root=$scratch/root
    mkdir -p "$tree/DEBIAN" "$tree/usr/share/ordinary"
    mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
    touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
    echo nothing >"$tree/usr/share/ordinary/file"
    cat >"$tree/DEBIAN/control" <<'CONTROL'
Package: ordinary
Version: 1
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: nothing
CONTROL
    work dpkg-deb --root-owner-group --build "$tree" "$scratch/ordinary.deb"
    work dpkg-deb --info "$scratch/ordinary.deb"
    work dpkg --root="$root" --install "$scratch/ordinary.deb"
    work dpkg --root="$root" --remove ordinary
}

compiler() {
    local project=$scratch/project
    mkdir -p "$project/src"
    cat >"$project/Cargo.toml" <<'MANIFEST'
[package]
name = "ordinary"
version = "0.1.0"
edition = "2021"

[workspace]
MANIFEST
    echo 'fn main() { println!("nothing"); }' >"$project/src/main.rs"
    export CARGO_TARGET_DIR=$scratch/target
    work_if_present cargo build --offline --manifest-path "$project/Cargo.toml"
    unset CARGO_TARGET_DIR
    echo 'int main(void) { return 0; }' >"$project/main.c"
    work_if_present cc -o "$scratch/main" "$project/main.c"
}

# Jobs of a scheduler.
jobs_of_a_day() {
    local jobs=$scratch/jobs number
    mkdir -p "$jobs"
    for number in 1 2 3 4 5; do
        printf '#!/bin/sh\ntrue\nid -u\n' >"$jobs/job$number"
        chmod +x "$jobs/job$number"
    done
    # Each has a shell, and that a program.
    executions=$((executions + 10))
    work_in_session run-parts "$jobs"
    mkdir -p "$scratch/logs"
    echo line >"$scratch/logs/ordinary.log"
    printf '%s {\n  rotate 2\n  size 1\n}\n' "$scratch/logs/ordinary.log" >"$scratch/logrotate.conf"
    work_if_present logrotate --state "$scratch/logrotate.state" "$scratch/logrotate.conf"
    work_if_present needrestart -b -r l
}

logins() {
    work_in_session su - root -c true
    work_in_session runuser -u nobody -- true
    work_in_session runuser -u nobody -- id
}

# What administrators look at, and programs that watch a host.
monitoring() {
    local poll
    work ps -ef
    work ps aux
    work top -b -n2 -d 0.5
    work_if_present systemctl --version
    work_if_present systemctl --no-pager status
    work_if_present vmstat
    work df
    work uptime
    for poll in 1 2 3; do
        work_if_present ip -brief address
        work_in_session ss -s
        work_in_session cat /proc/net/sockstat /proc/net/dev /proc/net/snmp
        opens=$((opens + 3))
        [ "$poll" = 3 ] || sleep 1
    done
}

# The first line of every file below a directory: as many as there are, so many are opened.
search() {
    executions=$((executions + 2))
    opens=$((opens + $(grep -rscm1 '' "$1" | wc -l)))
}

search_all() {
    local searches directory
    for ((searches = 0; searches < SEARCHES_MAX; searches++)); do
        for directory in /usr/share /etc /usr/include /usr/lib; do
            [ $((executions + opens)) -lt "$ENOUGH" ] || return
            search "$directory"
        done
    done
}

small_programs() {
    local program
    for ((program = 0; program < 3000; program++)); do
        work /bin/true
    done
    work find /usr/share -maxdepth 3 -name 'README*'
    # One execution for each.
    executions=$((executions + 1 + $(find /usr/share/doc -name copyright -exec true ';' -printf x | wc -c)))
}

packages
compiler
jobs_of_a_day
monitoring
logins
small_programs
search_all

echo "executions $executions"
echo "opens $opens"
