#!/bin/sh
# old_root.sh ROOT: make a Debian 11 root with a Python 3.11 in /opt/python, so that what is frozen there needs no newer
# glibc than 2.31. Needs to be root, with debootstrap.
#
# Of Debian 11 come the compiler and glibc alone. Python and the libraries that end up in the executable are compiled
# from the sources of newer Debian releases, which apt verifies, security repairs included: the steps in old_root/. Each
# leaves a stamp of its own recipe and all before it, so that a build that was cut off goes on where it was, and a
# changed step is done again with what follows it.
set -eu
root=$1
steps=$(dirname "$0")/old_root
log=$root.log
tools=gcc,make,perl,libc6-dev,libbz2-dev,binutils,dpkg-dev,tcl,ca-certificates
recipe=$(echo "$tools" | sha256sum | cut -d' ' -f1)

is_done() { [ -e "$root/opt/stamps/$1" ] && [ "$(cat "$root/opt/stamps/$1")" = "$recipe" ]; }
fail() {
    tail -n 20 "$log" >&2
    echo "$1 failed; the whole output is in $log" >&2
    exit 1
}

if ! is_done base; then
    echo "making a Debian 11 root in $root (once, a quarter of an hour; kept for the next build)"
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include="$tools" bullseye "$root" >"$log" 2>&1 || fail debootstrap
    mkdir "$root/opt/stamps"
    echo "$recipe" >"$root/opt/stamps/base"
fi
for step in "$steps"/*.sh; do
    name=$(basename "$step" .sh)
    recipe=$({ echo "$recipe"; cat "$step"; } | sha256sum | cut -d' ' -f1)
    if is_done "$name"; then continue; fi
    echo "in the Debian 11 root: $name"
    cp "$step" "$root/step.sh"
    chroot "$root" env -i PATH=/opt/python/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC DEBIAN_FRONTEND=noninteractive \
        SOURCE_DATE_EPOCH=1700000000 sh -eu /step.sh >>"$log" 2>&1 </dev/null || fail "$name"
    echo "$recipe" >"$root/opt/stamps/$name"
done
